// SPDX-License-Identifier: Apache-2.0
// Whether the elements of an array differ, of which each has been scanned: scalars are compared by their texts, containers by seeded
// hashes of what they are, whatever the order of members and the spaces. Where hashes differ, so do the values; where two are equal, the
// array is parsed and compared. So it is where a number has an exponent.
#include "schema/stream_keys_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static enum run differ_parsed(struct machine *machine, const char *start) {
        const struct json *array;
        struct json_limits limits = {.depth = JSON_DEPTH_MAX, .nodes = JSON_BYTES_MAX, .bytes = JSON_BYTES_MAX};
        machine->again -= (machine->at - start) * SCAN_PARSED_COST;
        if (machine->again < 0 ||
            !json_parse((struct bytes){start, (size_t)(machine->at - start)}, &limits, machine->scratch, &array, NULL))
                return RUN_DEFER;
        struct evaluation evaluation = evaluation_begin(machine->schema, array, machine->scratch);
        return elements_differ(&evaluation, array) ? RUN_GOOD : RUN_INVALID;
}

// What stands in the text of every number of that value (1.50, 1.5; -0.0, 0) that has no exponent; data NULL: it has one.
static struct bytes number_text(const char *start, const char *end) {
        const char *point = NULL;
        for (const char *at = start; at < end; at++) {
                if ((*at | 0x20) == 'e')
                        return (struct bytes){NULL, 0};
                if (*at == '.')
                        point = at;
        }
        while (point && end > point && (end[-1] == '0' || end[-1] == '.'))
                end--;
        if (end - start == 2 && start[0] == '-' && start[1] == '0')
                start++;
        return (struct bytes){start, (size_t)(end - start)};
}

// Between the quotes; data NULL: a wrong escape.
static struct bytes string_text(struct machine *machine, const char **at) {
        struct scanned_string found;
        const char *start = *at + 1, *end = scan_string(machine->start, start, machine->end, &found);
        *at = end + 1;
        return found.escaped ? run_decode(machine, start, end) : (struct bytes){start, (size_t)(end - start)};
}

static bool hash_value(struct machine *machine, const char **at, uint64_t *ret_hash);

static bool hash_container(struct machine *machine, const char **at, uint64_t *ret_hash) {
        bool object = **at == '{';
        uint64_t seed = machine->seed, hash = seed + (object ? JSON_OBJECT : JSON_ARRAY);
        const char *here = scan_space(*at + 1, machine->end);
        while (*here != ']' && *here != '}') {
                uint64_t key = 0, value;
                if (object) {
                        struct bytes name = string_text(machine, &here);
                        if (!name.data)
                                return false;
                        key = XXH3_64bits_withSeed(name.data, name.size, seed);
                        here = scan_space(scan_space(here, machine->end) + 1, machine->end);
                }
                if (!hash_value(machine, &here, &value))
                        return false;
                hash = object ? hash + json_hash_mix(key, value) : json_hash_mix(hash, value);         // members in any order
                here = scan_space(here, machine->end);
                if (*here == ',')
                        here = scan_space(here + 1, machine->end);
        }
        *at = here + 1;
        *ret_hash = hash;
        return true;
}

// Of what begins at `at`, which has been scanned strictly; leaves that behind it. False: it has to be parsed.
static bool hash_value(struct machine *machine, const char **at, uint64_t *ret_hash) {
        const char *start = *at, *end = start;
        struct bytes text;
        enum json_type type = JSON_NUMBER;
        switch (*start) {
        case '{':
        case '[':
                return hash_container(machine, at, ret_hash);
        case '"':
                type = JSON_STRING;
                text = string_text(machine, at);
                break;
        case 't':
        case 'f':
        case 'n':
                type = JSON_BOOL;
                text = (struct bytes){start, *start == 'f' ? 5 : 4};
                *at += text.size;
                break;
        default:
                while (end < machine->end && *end != ',' && *end != ']' && *end != '}' && (uint8_t)*end > ' ')
                        end++;
                text = number_text(start, end);
                *at = end;
        }
        if (text.data)
                *ret_hash = XXH3_64bits_withSeed(text.data, text.size, machine->seed + type);
        return text.data;
}

// false: it can only be compared when parsed.
static bool note(struct machine *machine, const char *start) {
        const char *end = machine->at;
        struct bytes text = {start, (size_t)(end - start)};
        enum json_type type = JSON_BOOL;                        // and null
        if (*start == '"') {
                type = JSON_STRING;
                text = machine->escaped ? run_decode(machine, start + 1, end - 1) : (struct bytes){start + 1, text.size - 2};
        } else if (*start == '{' || *start == '[') {
                type = JSON_OBJECT;
                machine->again -= end - start;
                uint64_t *hash = arena_alloc_raw(machine->scratch, sizeof *hash);
                if (machine->again < 0 || !hash_container(machine, &start, hash))
                        return false;
                text = (struct bytes){(const char *)hash, sizeof *hash};
        } else if (*start < 'a') {
                type = JSON_NUMBER;
                text = number_text(start, end);
        }
        if (text.data)
                entry_push(machine, (struct entry){text.data, (uint32_t)text.size, type});
        return text.data;
}

void unique_note_other(struct machine *machine, struct unique *unique, const char *start) {
        if (*start == '{' || *start == '[')
                unique->hashed = true;
        if (!unique->parse)
                unique->parse = !note(machine, start);
}

enum run unique_end(struct machine *machine, const struct unique *unique, const char *start) {
        enum run run = unique->parse ? RUN_SYNTAX : entries_differ(machine, unique->first);
        machine->entry_count = unique->first;
        if (run == RUN_SYNTAX)
                run = unique->parse || unique->hashed ? differ_parsed(machine, start) : RUN_INVALID;
        return run;
}
