// SPDX-License-Identifier: Apache-2.0
// Whether keys, or the elements of an array, differ: what has been noted of them is a stack of the machine, and many of them are put
// into a table of seeded hashes when the container ends. No memory but what grows, once, in the scratch arena.
#include "schema/stream_keys_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static void *grown(struct arena *arena, const void *old, size_t size) {
        void *memory = arena_alloc_raw(arena, 2 * size);
        return memcpy(memory, old, size);
}

void entries_grow(struct machine *machine) {
        machine->entries = grown(machine->scratch, machine->entries, machine->entry_capacity * sizeof *machine->entries);
        machine->entry_capacity *= 2;
}

uint64_t *bits_push(struct machine *machine, size_t words) {
        while (machine->bit_capacity - machine->bit_count < words) {
                machine->bits = grown(machine->scratch, machine->bits, machine->bit_capacity * sizeof *machine->bits);
                machine->bit_capacity *= 2;
        }
        uint64_t *bits = memset(machine->bits + machine->bit_count, 0, words * sizeof *bits);
        machine->bit_count += words;
        return bits;
}

enum run read_key_slowly(struct machine *machine, struct bytes *ret_name) {
        struct scanned_string found;
        const char *start = machine->at + 1, *end = scan_string(machine->start, start, machine->end, &found);
        if (!end)
                return RUN_SYNTAX;
        machine->at = end + 1;
        *ret_name = (struct bytes){start, (size_t)(end - start)};
        if (found.escaped)
                *ret_name = run_decode(machine, start, end);
        return ret_name->data ? RUN_GOOD : RUN_SYNTAX;
}

uint32_t key_hash_long(const char *text, size_t size, uint64_t seed) {
        uint64_t hash = XXH3_64bits_withSeed(text, size, seed);
        return (uint32_t)(hash ^ hash >> 32);
}

enum run entries_differ(struct machine *machine, size_t first) {
        struct entry *entries = machine->entries + first;
        size_t count = machine->entry_count - first, size = 64, most = COLLISIONS_MAX * count + 64;
        if (count <= 8) {
                for (size_t i = 1; i < count; i++)
                        for (size_t j = 0; j < i; j++)
                                if (entry_equal(&entries[i], &entries[j]))
                                        return RUN_SYNTAX;
                return RUN_GOOD;
        }
        while (size < 2 * count)
                size *= 2;
        if (machine->table_size < size) {
                machine->table = arena_alloc(machine->scratch, size * sizeof *machine->table);
                machine->table_size = size;
        } else {
                memset(machine->table, 0, size * sizeof *machine->table);
        }
        machine->collisions = 0;
        uint32_t numbers = (uint32_t)(size - 1);                // the bits of a slot that are a number + 1; the others are of the hash
        for (size_t i = 0; i < count; i++) {
                uint32_t hash = key_hash(entries[i].text, entries[i].size, machine->seed), at = hash & numbers, slot;
                for (; (slot = machine->table[at]); at = (at + 1) & numbers) {
                        if (((slot ^ hash) & ~numbers) == 0 && entry_equal(&entries[(slot & numbers) - 1], &entries[i]))
                                return RUN_SYNTAX;
                        if (++machine->collisions > most)
                                return RUN_DEFER;
                }
                machine->table[at] = (hash & ~numbers) | (uint32_t)(i + 1);
        }
        return RUN_GOOD;
}
