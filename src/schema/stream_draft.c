// SPDX-License-Identifier: Apache-2.0
// The names that matter to an object's plan, numbered as they are found: those that its schemas mention, in their order, then those
// that only branches mention. What the schemas say about each.
#include "schema/stream_priv.h"

#include <stdlib.h>

enum { KEYS_MAX = 30000, CACHE_LINE = 64 };
static_assert(sizeof(struct plan_key) == CACHE_LINE, "a key is looked at in one piece");

static uint32_t *slot_of(const struct object_draft *draft, struct bytes name) {
        uint32_t at = key_hash(name.data, name.size, draft->planner->schema->seed) & draft->slot_mask;
        for (; draft->slots[at]; at = (at + 1) & draft->slot_mask)
                if (bytes_equal(draft->keys[draft->slots[at] - 1].name, name))
                        break;
        return &draft->slots[at];
}

static void grow(struct object_draft *draft) {
        draft->key_capacity = draft->key_capacity ? draft->key_capacity * 2 : 16;
        draft->keys = must_realloc(draft->keys, draft->key_capacity * sizeof *draft->keys);
        free(draft->slots);
        draft->slots = must_calloc((size_t)draft->key_capacity * 2, sizeof *draft->slots);
        draft->slot_mask = draft->key_capacity * 2 - 1;
        for (uint32_t i = 0; i < draft->key_count; i++)
                *slot_of(draft, draft->keys[i].name) = i + 1;
}

uint32_t draft_key(struct object_draft *draft, struct bytes name) {
        if (draft->key_count == draft->key_capacity)
                grow(draft);
        uint32_t *slot = slot_of(draft, name);
        if (*slot)
                return *slot - 1;
        draft->planner->work++;
        if (draft->key_count == KEYS_MAX || draft->planner->work > PLAN_WORK_MAX) {
                draft->failed = true;
                return 0;
        }
        *slot = draft->key_count + 1;
        draft->keys[draft->key_count] = (struct draft_key){.name = name};
        return draft->key_count++;
}

uint32_t draft_find(const struct object_draft *draft, struct bytes name) {
        uint32_t number = *slot_of(draft, name);
        ASSERT(number);
        return number - 1;
}

void plan_key_make(struct plan_key *key, struct bytes name) {
        bool raw = true;
        for (size_t i = 0; i < name.size; i++)
                raw = raw && name.data[i] != '"' && name.data[i] != '\\' && (uint8_t)name.data[i] >= 0x20;
        key->name = name.size ? name.data : "";
        key->size = (uint32_t)name.size;
        if (!raw || name.size + 2 > sizeof key->quoted)
                return;
        memcpy(key->quoted, key->name, name.size);
        memcpy(key->quoted + name.size, "\":", 2);
        key->quoted_mask = (uint32_t)(((uint64_t)1 << (name.size + 2)) - 1);
}

void draft_finish(struct object_draft *draft, struct plan_object *plan) {
        struct arena *arena = draft->planner->arena;
        size_t slots = 8;
        while (slots < draft->key_count * 3 + 2)
                slots *= 2;
        char *keys = arena_alloc(arena, (draft->key_count + 1) * sizeof *plan->keys + CACHE_LINE);
        keys += -(uintptr_t)keys % CACHE_LINE;
        plan->keys = (struct plan_key *)(void *)keys;
        plan->slots = arena_alloc(arena, slots * sizeof *plan->slots);
        plan->slot_mask = (uint32_t)(slots - 1);
        plan->key_count = draft->key_count;
        for (uint32_t i = 0; i < draft->key_count; i++) {
                struct bytes name = draft->keys[i].name;
                uint32_t hash = key_hash(name.data, name.size, draft->planner->schema->seed), at = hash & plan->slot_mask;
                plan_key_make(&plan->keys[i], name);
                ASSERT(draft->keys[i].plan);
                plan->keys[i].plan = draft->keys[i].plan;
                plan->keys[i].place = draft->keys[i].place;
                while (plan->slots[at])
                        at = (at + 1) & plan->slot_mask;
                plan->slots[at] = (hash & 0xFFFF0000) | (i + 1);
        }
}

void draft_free(struct object_draft *draft) {
        free(draft->keys);
        free(draft->slots);
        free(draft->whole.items);
        free(draft->made.items);
        free(draft->branches);
}

// Whether the name matches the pattern. Of a member without a name that is known only for the patterns that were collected.
static bool name_matches(struct object_draft *draft, const struct pattern *pattern, struct bytes name, uint64_t found) {
        if (name.data) {
                enum pattern_verdict verdict = pattern_search(pattern, name, &draft->planner->scratch);
                draft->failed |= verdict == PATTERN_UNDECIDED;
                return verdict == PATTERN_MATCH;
        }
        for (uint32_t i = 0; i < draft->pattern_count; i++)
                if (draft->patterns[i] == pattern)
                        return found >> i & 1;
        draft->failed = true;
        return false;
}

bool draft_described(struct object_draft *draft, const struct subschema *subschema, struct bytes name, uint64_t found,
                     const struct subschema **set, size_t *count) {
        const struct object_rules *rules = subschema->object;
        bool described = false;
        if (!rules)
                return false;
        const struct property *property = name.data ? property_find(rules, name, SIZE_MAX) : NULL;
        if (property && property->schema) {
                described = true;
                if (set)
                        set[(*count)++] = property->schema;
        }
        for (size_t i = 0; i < rules->pattern_count; i++) {
                if (!name_matches(draft, rules->patterns[i].pattern, name, found))
                        continue;
                described = true;
                if (set)
                        set[(*count)++] = rules->patterns[i].schema;
        }
        if (!described && rules->additional) {
                described = true;
                if (set)
                        set[(*count)++] = rules->additional;
        }
        return described;
}
