// SPDX-License-Identifier: Apache-2.0
// What nothing is asserted about: it must be JSON, and the keys of an object must differ. Objects of one array mostly have the same
// keys in the same order: as long as one's keys are those of the one before it, which were found to differ, they need neither be
// scanned nor compared.
#include "schema/stream_keys_priv.h"

struct same_keys {                              // the keys of the object before, in the machine's entries: up to the first with escapes
        size_t first, count;
};

// Whether its text is as it stands in the source; else it was decoded.
static inline bool is_of_source(const struct machine *machine, const struct entry *entry) {
        return entry->text >= machine->start && entry->text < machine->end;
}

// Whether the key at `at`, and the quote behind it, are those of the entry, which has no escapes.
static inline bool is_entry(const struct machine *machine, const struct entry *entry, const char *at) {
        size_t left = (size_t)(machine->end - at);
#ifdef __SSE2__
        // Bytes behind an earlier key of the source may be read where those behind this one may be.
        if (__builtin_expect(left >= 16 && entry->size < 16, 1)) {
                __m128i here = _mm_loadu_si128((const __m128i *)(const void *)at);
                __m128i there = _mm_loadu_si128((const __m128i *)(const void *)entry->text);
                unsigned mask = (2u << entry->size) - 1;
                return ((unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(here, there)) & mask) == mask;
        }
#endif
        return left > entry->size && at[entry->size] == '"' && memcmp(at, entry->text, entry->size) == 0;
}

// The rest of an object whose first `same` keys are those of the shape; it becomes the shape.
static enum run skip_members(struct machine *machine, struct same_keys *shape, size_t same, enum run more) {
        struct noted noted = {machine->entry_count, 0};
        for (size_t i = 0; i < same; i++) {
                struct entry entry = machine->entries[shape->first + i];
                noted.hashes |= (uint64_t)1 << (key_hash(entry.text, entry.size, machine->seed) & 63);
                entry_push(machine, entry);
        }
        while (more == RUN_GOOD) {
                struct bytes name;
                if (read_key(machine, &name) != RUN_GOOD || pass_colon(machine) != RUN_GOOD)
                        return RUN_SYNTAX;
                machine->nodes++;
                if (note_key(machine, &noted, name, key_hash(name.data, name.size, machine->seed)) != RUN_GOOD)
                        return RUN_SYNTAX;
                enum run run = run_skip(machine);
                if (run != RUN_GOOD)
                        return run;
                more = pass_comma(machine);
        }
        if (more != RUN_INVALID)
                return more;
        size_t count = machine->entry_count - noted.first;
        enum run run = end_keys(machine, &noted);
        if (!shape)
                return run;
        memmove(machine->entries + shape->first, machine->entries + noted.first, count * sizeof *machine->entries);
        machine->entry_count = shape->first + count;
        shape->count = 0;
        while (shape->count < count && is_of_source(machine, &machine->entries[shape->first + shape->count]))
                shape->count++;
        return run;
}

static enum run skip_object(struct machine *machine, struct same_keys *shape) {
        size_t same = 0, known = shape ? shape->count : 0;
        enum run more = enter(machine);
        while (more == RUN_GOOD && same < known) {
                const struct entry *entry = &machine->entries[shape->first + same];
                if (!is_entry(machine, entry, machine->at + 1))
                        break;
                machine->at += entry->size + 2;
                if (pass_colon(machine) != RUN_GOOD)
                        return RUN_SYNTAX;
                machine->nodes++;
                same++;
                enum run run = run_skip(machine);
                if (run != RUN_GOOD)
                        return run;
                more = pass_comma(machine);
        }
        if (__builtin_expect(more == RUN_INVALID, 1)) {         // it has no key that the one before had not
                machine->depth--;
                return RUN_GOOD;
        }
        return more == RUN_GOOD ? skip_members(machine, shape, same, more) : more;
}

static enum run skip_array(struct machine *machine) {
        struct same_keys shape = {machine->entry_count, 0};
        if (machine->depth++ == machine->depth_limit)
                return RUN_SYNTAX;
        machine->at = scan_space(machine->at + 1, machine->end);
        bool ended = machine->at < machine->end && *machine->at == ']';
        machine->at += ended;
        while (!ended) {
                enum run run;
                machine->at = scan_space(machine->at, machine->end);
                if (machine->at < machine->end && *machine->at == '{') {
                        machine->nodes++;
                        run = skip_object(machine, &shape);
                } else {
                        run = run_skip(machine);
                }
                if (run != RUN_GOOD)
                        return run;
                const char *at = scan_space(machine->at, machine->end);
                if (at == machine->end || (*at != ',' && *at != ']'))
                        return RUN_SYNTAX;
                machine->at = at + 1;
                ended = *at == ']';
        }
        machine->entry_count = shape.first;
        machine->depth--;
        return RUN_GOOD;
}

static inline enum run skip_word(struct machine *machine, const char *word, size_t size) {
        if ((size_t)(machine->end - machine->at) < size || memcmp(machine->at, word, size) != 0)
                return RUN_SYNTAX;
        machine->at += size;
        return RUN_GOOD;
}

enum run run_skip(struct machine *machine) {
        struct scanned_string string;
        struct scanned_number number;
        const char *at = machine->at = scan_space(machine->at, machine->end), *end;
        if (at == machine->end)
                return RUN_SYNTAX;
        machine->nodes++;
        switch (*at) {
        case '"':
                end = scan_string(machine->start, at + 1, machine->end, &string);
                if (!end || (string.escaped && !scan_escapes(at + 1, end)))
                        return RUN_SYNTAX;
                machine->escaped = string.escaped;
                machine->at = end + 1;
                return RUN_GOOD;
        case '{':
                return skip_object(machine, NULL);
        case '[':
                return skip_array(machine);
        case 't':
                return skip_word(machine, "true", 4);
        case 'f':
                return skip_word(machine, "false", 5);
        case 'n':
                return skip_word(machine, "null", 4);
        default:
                if (*at != '-' && (uint8_t)(*at - '0') > 9)
                        return RUN_SYNTAX;
                end = scan_number(at, machine->end, &number);
                machine->at = end ? end : at;
                return end ? RUN_GOOD : RUN_SYNTAX;
        }
}
