// SPDX-License-Identifier: Apache-2.0
// Seeded hashes of values, and whether an array's elements differ: a table of hashes, O(n); where too many of them collide (the
// seed is not known to whoever writes instances, but may be guessed), the elements are sorted instead, O(n log n).
#include "schema/schema_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "json/number.h"

uint64_t json_hash(const struct json *node, uint64_t seed) {
        uint64_t hash = seed + node->kind;
        switch (json_type(node)) {
        case JSON_BOOL:
                return json_hash_mix(hash, node->truth + 1u);
        case JSON_NUMBER:
                return json_number_hash(json_text(node), hash);
        case JSON_STRING:
                return XXH3_64bits_withSeed(node->text, node->count, hash);
        case JSON_ARRAY:
                JSON_FOR_EACH(element, node)
                        hash = json_hash_mix(hash, json_hash(element, seed));
                return hash;
        case JSON_OBJECT:
                JSON_FOR_EACH_MEMBER(key, value, node)          // in any order
                        hash += json_hash_mix(json_hash(key, seed), json_hash(value, seed));
                return hash;
        case JSON_NULL:
        default:
                return json_hash_mix(hash, 1);
        }
}

static void sift(const struct json **nodes, size_t at, size_t count) {
        const struct json *moved = nodes[at];
        for (size_t child; (child = 2 * at + 1) < count; at = child) {
                if (child + 1 < count && json_compare(nodes[child], nodes[child + 1]) < 0)
                        child++;
                if (json_compare(moved, nodes[child]) >= 0)
                        break;
                nodes[at] = nodes[child];
        }
        nodes[at] = moved;
}

// Sorted, equal elements are neighbours.
static bool sorted_differ(struct arena *scratch, const struct json *array) {
        const struct json **nodes = arena_alloc(scratch, array->count * sizeof *nodes);
        size_t count = 0;
        JSON_FOR_EACH(element, array)
                nodes[count++] = element;
        for (size_t at = count / 2; at-- > 0; )
                sift(nodes, at, count);
        for (size_t end = count - 1; end > 0; end--) {
                const struct json *largest = nodes[0];
                nodes[0] = nodes[end];
                nodes[end] = largest;
                sift(nodes, 0, end);
                if (end + 1 < count && json_equal(nodes[end], nodes[end + 1]))
                        return false;
        }
        return count < 2 || !json_equal(nodes[0], nodes[1]);
}

struct slot {
        const struct json *node;
        uint64_t hash;
};

bool elements_differ(struct evaluation *evaluation, const struct json *array) {
        if (array->count <= 8) {
                JSON_FOR_EACH(element, array)
                        for (const struct json *other = json_next(element); other < element_end; other = json_next(other))
                                if (json_equal(element, other))
                                        return false;
                return true;
        }
        size_t size = 32, tries = 8 * (size_t)array->count + 64;
        while (size < 2 * (size_t)array->count)
                size *= 2;
        struct slot *slots = arena_alloc(evaluation->scratch, size * sizeof *slots);
        JSON_FOR_EACH(element, array) {
                uint64_t hash = json_hash(element, evaluation->schema->seed);
                size_t at = hash & (size - 1);
                for (; slots[at].node; at = (at + 1) & (size - 1)) {
                        if (slots[at].hash == hash && json_equal(slots[at].node, element))
                                return false;
                        if (--tries == 0)
                                return sorted_differ(evaluation->scratch, array);
                }
                slots[at] = (struct slot){element, hash};
        }
        return true;
}

struct value_table *value_table_make(struct schema *schema, const struct json *values) {
        struct value_table *table = arena_alloc(&schema->arena, sizeof *table);
        size_t size = 32;
        while (size < 2 * (size_t)values->count)
                size *= 2;
        table->mask = size - 1;
        table->slots = arena_alloc(&schema->arena, size * sizeof *table->slots);
        JSON_FOR_EACH(value, values) {
                size_t at = json_hash(value, schema->seed) & table->mask;
                while (table->slots[at] && !json_equal(table->slots[at], value))
                        at = (at + 1) & table->mask;
                table->slots[at] = value;
        }
        return table;
}

bool value_table_has(const struct schema *schema, const struct value_table *table, const struct json *node) {
        size_t at = json_hash(node, schema->seed) & table->mask;
        for (; table->slots[at]; at = (at + 1) & table->mask)
                if (json_equal(table->slots[at], node))
                        return true;
        return false;
}
