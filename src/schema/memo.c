// SPDX-License-Identifier: Apache-2.0
// Verdicts that were reached once, by subschema and node, in a table in the scratch arena. Subschemas that ask for the same part of
// an instance again and again (anyOf within anyOf, two that recurse side by side) cost no more than subschemas times nodes. It begins
// when an evaluation has taken more steps than a plain one would, so that others pay nothing; when it is full it begins anew.
#include "schema/schema_priv.h"

enum { MEMO_SLOTS = 1024, MEMO_SLOTS_MAX = 1 << 20 };

struct memo {
        uint64_t *slots;                        // (subschema << 32 | node) + 1, shifted by one with the verdict as lowest bit
        size_t count, size;
};

static uint64_t key_of(const struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        return ((uint64_t)(subschema->id + 1) << 32 | (uint64_t)(node - evaluation->root)) << 1;
}

static size_t slot_of(const struct memo *memo, uint64_t key) {
        return (size_t)(key * 0x9E3779B97F4A7C15u >> 20) & (memo->size - 1);
}

enum memo_answer memo_find(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct memo *memo = evaluation->memo;
        uint64_t key = key_of(evaluation, subschema, node);
        if (!memo)
                return MEMO_UNKNOWN;
        for (size_t at = slot_of(memo, key); memo->slots[at]; at = (at + 1) & (memo->size - 1))
                if ((memo->slots[at] | 1) == (key | 1))
                        return memo->slots[at] & 1 ? MEMO_GOOD : MEMO_BAD;
        return MEMO_UNKNOWN;
}

static void insert(struct memo *memo, uint64_t entry) {
        size_t at = slot_of(memo, entry & ~(uint64_t)1);
        while (memo->slots[at])
                at = (at + 1) & (memo->size - 1);
        memo->slots[at] = entry;
        memo->count++;
}

void memo_keep(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, bool good) {
        struct memo *memo = evaluation->memo;
        if (!memo) {
                memo = evaluation->memo = arena_alloc(evaluation->scratch, sizeof *memo);
                memo->size = MEMO_SLOTS;
                memo->slots = arena_alloc(evaluation->scratch, memo->size * sizeof *memo->slots);
        }
        if (memo->count * 2 >= memo->size && memo->size == MEMO_SLOTS_MAX) {
                memset(memo->slots, 0, memo->size * sizeof *memo->slots);
                memo->count = 0;
        } else if (memo->count * 2 >= memo->size) {
                struct memo old = *memo;
                *memo = (struct memo){arena_alloc(evaluation->scratch, old.size * 2 * sizeof *old.slots), 0, old.size * 2};
                for (size_t i = 0; i < old.size; i++)
                        if (old.slots[i])
                                insert(memo, old.slots[i]);
        }
        insert(memo, key_of(evaluation, subschema, node) | good);
}
