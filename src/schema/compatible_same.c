// SPDX-License-Identifier: Apache-2.0
// Two subschemas say the same word for word: their documents do at this place, by the same draft, and so does all that they refer to.
// A pair that is met again on the way is taken for equal: whatever differs is found where it stands.
#include "schema/compatible_priv.h"

struct pair {
        const struct subschema *a, *b;
        bool different;
};

static uint64_t slot_of(const struct subschema *a, const struct subschema *b) {
        return ((uint64_t)(uintptr_t)a * 0x9E3779B97F4A7C15u) ^ ((uint64_t)(uintptr_t)b * 0xC2B2AE3D27D4EB4Fu);
}

static bool pair_equal(const void *element, const void *key) {
        const struct pair *pair = element, *wanted = key;
        return pair->a == wanted->a && pair->b == wanted->b;
}

// Subschemas in the order of the compiled form, which is the same for the same text.
struct parts {
        const struct subschema **items;
        size_t count, capacity;
};

static void add(struct proof *proof, struct parts *parts, const struct subschema *part) {
        if (parts->count == parts->capacity) {
                const struct subschema **grown = take(proof, (parts->capacity * 2 + 16) * sizeof *grown);
                if (parts->count)
                        memcpy(grown, parts->items, parts->count * sizeof *grown);
                parts->items = grown;
                parts->capacity = parts->capacity * 2 + 16;
        }
        parts->items[parts->count++] = part;
}

static void add_list(struct proof *proof, struct parts *parts, struct schema_list list) {
        for (size_t i = 0; i < list.count; i++)
                add(proof, parts, list.items[i]);
}

static struct parts parts_of(struct proof *proof, const struct subschema *subschema) {
        struct parts parts = {0};
        const struct array_rules *array = subschema->array;
        const struct object_rules *object = subschema->object;
        add(proof, &parts, subschema->reference);
        add(proof, &parts, subschema->other_reference);
        add_list(proof, &parts, subschema->all);
        add_list(proof, &parts, subschema->any);
        add_list(proof, &parts, subschema->one);
        add(proof, &parts, subschema->not);
        for (size_t i = 0; i < ARRAY_SIZE(subschema->conditional); i++)
                add(proof, &parts, subschema->conditional[i]);
        add(proof, &parts, subschema->other_members);
        add(proof, &parts, subschema->other_elements);
        if (array) {
                add_list(proof, &parts, array->prefix);
                add(proof, &parts, array->rest);
                add(proof, &parts, array->contains);
        }
        for (size_t i = 0; object && i < object->property_count; i++)
                add(proof, &parts, object->properties[i].schema);
        for (size_t i = 0; object && i < object->pattern_count; i++)
                add(proof, &parts, object->patterns[i].schema);
        for (size_t i = 0; object && i < object->dependency_count; i++)
                add(proof, &parts, object->dependencies[i].schema);
        if (object) {
                add(proof, &parts, object->additional);
                add(proof, &parts, object->names);
        }
        return parts;
}

static bool same_format(const struct subschema *a, const struct subschema *b) {
        const struct string_rules *left = a->string, *right = b->string;
        if (!left || !right)
                return left == right;
        return left->format == right->format && left->base64 == right->base64 && left->json == right->json;
}

static bool equal_text(struct proof *proof, const struct json *a, const struct json *b) {
        spend(proof, 1 + a->span / 8);
        return json_equal(a, b);
}

// By themselves; what they contain or refer to is looked at as a pair of its own.
static bool alike(struct proof *proof, const struct subschema *a, const struct subschema *b) {
        const struct dialect *left = &a->resource->dialect, *right = &b->resource->dialect;
        return left->draft == right->draft && left->vocabularies == right->vocabularies && !a->dynamic && !b->dynamic &&
               same_format(a, b) && a->source->kind == b->source->kind && a->source->count == b->source->count &&
               equal_text(proof, a->source, b->source);
}

static const struct pair *find(const struct table *table, const struct subschema *a, const struct subschema *b) {
        struct pair wanted = {a, b, false};
        return table_find(table, slot_of(a, b), &wanted, pair_equal);
}

static void insert(struct proof *proof, struct table *table, const struct subschema *a, const struct subschema *b, bool different) {
        struct pair *pair = take(proof, sizeof *pair);
        *pair = (struct pair){a, b, different};
        table_insert(table, slot_of(a, b), pair);
}

// One subschema, or two, at one place in the way of evaluation. Behind a dynamic reference the same subschema may say another thing.
static bool is_one(const struct proof *proof, const struct subschema *a, const struct subschema *b) {
        return a == b && (!a || !(proof->schemas[SIDE_WRITER]->dynamic || proof->schemas[SIDE_READER]->dynamic));
}

// A pair of the queue: what it consists of is queued.
static bool look_at(struct proof *proof, struct parts *queue, const struct subschema *a, const struct subschema *b) {
        spend(proof, 1);
        if (is_one(proof, a, b) || (a && b && find(&proof->met, a, b)))
                return true;
        const struct pair *known = a && b ? find(&proof->same, a, b) : NULL;
        if (known)
                return !known->different;
        if (!a || !b || !alike(proof, a, b))
                return false;
        insert(proof, &proof->met, a, b, false);
        struct parts left = parts_of(proof, a), right = parts_of(proof, b);
        if (left.count != right.count)
                return false;
        for (size_t i = 0; i < left.count; i++) {
                add(proof, queue, left.items[i]);
                add(proof, queue, right.items[i]);
        }
        return true;
}

bool same(struct proof *proof, struct claim first, struct claim second) {
        struct parts queue = {0};
        const struct subschema *a = first.subschema, *b = second.subschema;
        const struct pair *known = find(&proof->same, a, b);
        if (is_one(proof, a, b) || known)
                return !known || !known->different;
        if (!alike(proof, a, b))                // most often
                return false;
        table_free(&proof->met);
        bool equal = look_at(proof, &queue, a, b);
        for (size_t at = 0; at < queue.count && equal; at += 2)
                equal = look_at(proof, &queue, queue.items[at], queue.items[at + 1]);
        if (!equal) {
                insert(proof, &proof->same, a, b, true);
                return false;
        }
        size_t at = 0;
        for (const struct pair *pair; (pair = table_next(&proof->met, &at));)
                if (!find(&proof->same, pair->a, pair->b))
                        insert(proof, &proof->same, pair->a, pair->b, false);
        return true;
}
