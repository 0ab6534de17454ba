// SPDX-License-Identifier: Apache-2.0
// What objects have in common, with and without a plan: reading keys and what stands between members, and that keys differ.
#pragma once

#include "json/scan.h"
#include "schema/stream_priv.h"

enum run read_key_slowly(struct machine *machine, struct bytes *ret_name);

struct noted {                                  // the keys of an object that are compared with each other
        size_t first;                           // of the machine's entries
        uint64_t hashes;                        // bits
};

// The key that begins at the machine's place, a quote; leaves it behind the closing one.
static inline enum run read_key(struct machine *machine, struct bytes *ret_name) {
        const char *start = machine->at + 1, *quote = scan_plain(machine->start, start, machine->end);
        if (__builtin_expect(quote == machine->end || *quote != '"', 0))
                return read_key_slowly(machine, ret_name);
        *ret_name = (struct bytes){start, (size_t)(quote - start)};
        machine->at = quote + 1;
        return RUN_GOOD;
}

// Notes a key that is not named; the first few are compared at once, many when the object ends.
static inline enum run note_key(struct machine *machine, struct noted *noted, struct bytes name, uint32_t hash) {
        uint64_t bit = (uint64_t)1 << (hash & 63);
        size_t count = machine->entry_count - noted->first;
        struct entry entry = {name.data, (uint32_t)name.size, 0};
        if (__builtin_expect((noted->hashes & bit) != 0 && count <= 16, 0))
                for (size_t i = noted->first; i < machine->entry_count; i++)
                        if (entry_equal(&machine->entries[i], &entry))
                                return RUN_SYNTAX;
        noted->hashes |= bit;
        entry_push(machine, entry);
        return RUN_GOOD;
}

static inline enum run end_keys(struct machine *machine, const struct noted *noted) {
        enum run run = RUN_GOOD;
        if (__builtin_expect(machine->entry_count - noted->first > 16, 0))
                run = entries_differ(machine, noted->first);
        machine->entry_count = noted->first;
        machine->depth--;
        return run;
}

static inline enum run pass_colon(struct machine *machine) {
        const char *at = scan_space(machine->at, machine->end);
        if (__builtin_expect(at == machine->end || *at != ':', 0))
                return RUN_SYNTAX;
        machine->at = at + 1;
        return RUN_GOOD;
}

// Behind a member: whether another follows. RUN_INVALID: no, the object ends.
static inline enum run pass_comma(struct machine *machine) {
        const char *at = machine->at;
        if (__builtin_expect(machine->end - at > 1 && at[0] == ',' && at[1] == '"', 1)) {
                machine->at = at + 1;
                return RUN_GOOD;
        }
        at = scan_space(at, machine->end);
        if (__builtin_expect(at == machine->end, 0))
                return RUN_SYNTAX;
        machine->at = at + 1;
        if (*at == ',') {
                machine->at = scan_space(at + 1, machine->end);
                return machine->at < machine->end && *machine->at == '"' ? RUN_GOOD : RUN_SYNTAX;
        }
        return *at == '}' ? RUN_INVALID : RUN_SYNTAX;
}

// From the opening brace to the first key. RUN_INVALID: there is none, and the object has ended.
static inline enum run enter(struct machine *machine) {
        if (__builtin_expect(machine->depth++ == machine->depth_limit, 0))
                return RUN_SYNTAX;
        machine->at = scan_space(machine->at + 1, machine->end);
        if (__builtin_expect(machine->at == machine->end, 0))
                return RUN_SYNTAX;
        if (__builtin_expect(*machine->at == '"', 1))
                return RUN_GOOD;
        return *machine->at++ == '}' ? RUN_INVALID : RUN_SYNTAX;
}
