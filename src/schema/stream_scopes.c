// SPDX-License-Identifier: Apache-2.0
// Where a $dynamicRef leads hangs on the resources that evaluation has come through, of each name on the outermost one that has such
// an anchor. For the plans each subschema is copied for each such scope in which it can be entered; in a copy the reference is plain.
// Where there would be too many copies, or one leads to itself without going deeper, nothing is planned.
#include "schema/stream_priv.h"

#include <stdlib.h>

enum { COPIES_MAX = 10000, COPY_SLOTS = 32768, CHAIN_MAX = 200 };

struct scope {                                  // of each name the anchor of the outermost resource so far, or NULL
        const struct anchor *anchors[DYNAMIC_NAMES_MAX];
};

struct copy {
        const struct subschema *original;
        struct subschema *subschema;
        struct scope scope;                     // what is entered from here
        unsigned char walk;                     // of the search for loops: 0 not seen, 1 on the way, 2 done
};

struct copies {
        struct planner *planner;
        const struct bytes *names;
        size_t name_count;
        struct copy *items;
        size_t count, capacity;
        uint32_t *slots, slot_mask;             // of number + 1
        bool failed;
};

static struct scope entered(const struct copies *copies, struct scope scope, const struct subschema *subschema) {
        for (const struct anchor *anchor = subschema->resource->anchors; anchor; anchor = anchor->next)
                for (size_t i = 0; i < copies->name_count && anchor->dynamic; i++)
                        if (!scope.anchors[i] && bytes_equal(anchor->name, copies->names[i]))
                                scope.anchors[i] = anchor;
        return scope;
}

// ---- copies ----

static uint32_t *slot_of(const struct copies *copies, const struct subschema *original, const struct scope *scope) {
        uint64_t hash = original->id * 0x9E3779B97F4A7C15u;
        for (size_t i = 0; i < copies->name_count; i++)
                hash = (hash ^ (uintptr_t)scope->anchors[i]) * 0xD6E8FEB86659FD93u ^ hash >> 29;
        uint32_t at = (uint32_t)(hash >> 32) & copies->slot_mask;
        for (; copies->slots[at]; at = (at + 1) & copies->slot_mask) {
                const struct copy *copy = &copies->items[copies->slots[at] - 1];
                if (copy->original == original && memcmp(&copy->scope, scope, sizeof *scope) == 0)
                        break;
        }
        return &copies->slots[at];
}

// The copy for where the subschema is entered from that scope; its own subschemas are copied later.
static const struct subschema *copy_of(struct copies *copies, const struct subschema *original, struct scope from) {
        if (!original || original->trivial || original->never)
                return original;
        struct scope scope = entered(copies, from, original);
        uint32_t *slot = slot_of(copies, original, &scope);
        if (*slot)
                return copies->items[*slot - 1].subschema;
        if (copies->count == COPIES_MAX) {
                copies->failed = true;
                return original;
        }
        if (copies->count == copies->capacity) {
                copies->capacity = copies->capacity * 2 + 64;
                copies->items = must_realloc(copies->items, copies->capacity * sizeof *copies->items);
        }
        struct subschema *subschema = arena_alloc(copies->planner->arena, sizeof *subschema);
        *subschema = *original;
        subschema->id = (uint32_t)(copies->planner->schema->subschema_count + copies->count);
        copies->items[copies->count++] = (struct copy){original, subschema, scope, 0};
        *slot = (uint32_t)copies->count;
        return subschema;
}

static void copy_list(struct copies *copies, struct schema_list *list, struct scope scope) {
        const struct subschema **items = arena_alloc(copies->planner->arena, (list->count + 1) * sizeof *items);
        for (size_t i = 0; i < list->count; i++)
                items[i] = copy_of(copies, list->items[i], scope);
        list->items = items;
}

static void copy_array(struct copies *copies, struct subschema *subschema, struct scope scope) {
        struct array_rules *rules = arena_alloc(copies->planner->arena, sizeof *rules);
        *rules = *subschema->array;
        copy_list(copies, &rules->prefix, scope);
        rules->rest = copy_of(copies, rules->rest, scope);
        rules->contains = copy_of(copies, rules->contains, scope);
        subschema->array = rules;
}

static void *copied(struct copies *copies, const void *items, size_t size) {
        void *copy = arena_alloc(copies->planner->arena, size + 1);
        return size ? memcpy(copy, items, size) : copy;
}

static void copy_object(struct copies *copies, struct subschema *subschema, struct scope scope) {
        struct object_rules *rules = copied(copies, subschema->object, sizeof *rules);
        rules->properties = copied(copies, rules->properties, rules->property_count * sizeof *rules->properties);
        rules->patterns = copied(copies, rules->patterns, rules->pattern_count * sizeof *rules->patterns);
        rules->dependencies = copied(copies, rules->dependencies, rules->dependency_count * sizeof *rules->dependencies);
        for (size_t i = 0; i < rules->property_count; i++)
                rules->properties[i].schema = copy_of(copies, rules->properties[i].schema, scope);
        for (size_t i = 0; i < rules->pattern_count; i++)
                rules->patterns[i].schema = copy_of(copies, rules->patterns[i].schema, scope);
        for (size_t i = 0; i < rules->dependency_count; i++)
                rules->dependencies[i].schema = copy_of(copies, rules->dependencies[i].schema, scope);
        rules->additional = copy_of(copies, rules->additional, scope);
        rules->names = copy_of(copies, rules->names, scope);
        subschema->object = rules;
}

static const struct subschema *target(const struct copies *copies, const struct subschema *original, const struct scope *scope) {
        for (size_t i = 0; original->dynamic && i < copies->name_count; i++)
                if (scope->anchors[i] && bytes_equal(copies->names[i], original->dynamic->name))
                        return scope->anchors[i]->subschema;
        return original->other_reference;
}

static void complete(struct copies *copies, size_t number) {
        struct copy copy = copies->items[number];               // the array may move
        struct subschema *subschema = copy.subschema;
        const struct scope scope = copy.scope;
        subschema->reference = copy_of(copies, subschema->reference, scope);
        subschema->other_reference = copy_of(copies, target(copies, copy.original, &scope), scope);
        subschema->dynamic = NULL;
        copy_list(copies, &subschema->all, scope);
        copy_list(copies, &subschema->any, scope);
        copy_list(copies, &subschema->one, scope);
        subschema->not = copy_of(copies, subschema->not, scope);
        for (size_t i = 0; i < ARRAY_SIZE(subschema->conditional); i++)
                subschema->conditional[i] = copy_of(copies, subschema->conditional[i], scope);
        subschema->other_members = copy_of(copies, subschema->other_members, scope);
        subschema->other_elements = copy_of(copies, subschema->other_elements, scope);
        if (subschema->array)
                copy_array(copies, subschema, scope);
        if (subschema->object)
                copy_object(copies, subschema, scope);
}

// ---- loops ----

static bool ends(struct copies *copies, const struct subschema *subschema, unsigned depth);

static bool all_end(struct copies *copies, struct schema_list list, unsigned depth) {
        for (size_t i = 0; i < list.count; i++)
                if (!ends(copies, list.items[i], depth))
                        return false;
        return true;
}

// As loops.c has it, of copies.
static bool ends(struct copies *copies, const struct subschema *subschema, unsigned depth) {
        size_t first = copies->planner->schema->subschema_count;
        if (!subschema || subschema->id < first)
                return true;
        size_t number = subschema->id - first;
        if (copies->items[number].walk)
                return copies->items[number].walk == 2;
        if (depth > CHAIN_MAX)
                return false;
        copies->items[number].walk = 1;
        depth++;
        if (!ends(copies, subschema->reference, depth) || !ends(copies, subschema->other_reference, depth) ||
            !ends(copies, subschema->not, depth) || !all_end(copies, (struct schema_list){subschema->conditional, 3}, depth) ||
            !all_end(copies, subschema->all, depth) || !all_end(copies, subschema->any, depth) ||
            !all_end(copies, subschema->one, depth))
                return false;
        for (size_t i = 0; subschema->object && i < subschema->object->dependency_count; i++)
                if (!ends(copies, subschema->object->dependencies[i].schema, depth))
                        return false;
        copies->items[number].walk = 2;
        return true;
}

const struct subschema *scopes_settled(struct planner *planner) {
        const struct schema *schema = planner->schema;
        struct copies copies = {planner, .names = schema->dynamic_names, .name_count = schema->dynamic_name_count,
                                .slot_mask = COPY_SLOTS - 1};
        const struct scope nothing = {0};
        static_assert(COPIES_MAX <= COPY_SLOTS / 2, "the table is at most half full");
        if (copies.name_count > DYNAMIC_NAMES_MAX)
                return NULL;
        copies.slots = must_calloc(COPY_SLOTS, sizeof *copies.slots);
        const struct subschema *root = copy_of(&copies, schema->root, nothing);
        for (size_t i = 0; i < copies.count && !copies.failed; i++)
                complete(&copies, i);
        for (size_t i = 0; i < copies.count && !copies.failed; i++)
                copies.failed = !ends(&copies, copies.items[i].subschema, 0);
        free(copies.slots);
        free(copies.items);
        return copies.failed ? NULL : root;
}
