// SPDX-License-Identifier: Apache-2.0
// What a compiler knows by name, in tables: resources by URI, anchors by resource and name, the dynamic ones by name alone, elements of
// arrays by number. Whatever a schema is made of, finding something in it takes a look or two; `looks` counts them.
#include "schema/schema_priv.h"

#include "json/pointer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { INDEXED_ELEMENTS_FROM = 16 };

struct elements {
        const struct json *array;
        const struct json **items;
};

struct key {
        const struct compiler *compiler;
        const void *owner;                      // resource or array
        struct bytes name;
};

uint64_t schema_name_hash(const struct schema *schema, struct bytes name) {
        return XXH3_64bits_withSeed(name.data ? name.data : "", name.size, schema->seed);
}

uint64_t compile_hash(const struct compiler *compiler, struct bytes name) {
        return schema_name_hash(compiler->schema, name);
}

static uint64_t hash_with(const struct compiler *compiler, const void *owner, struct bytes name) {
        return json_hash_mix(compile_hash(compiler, name), (uintptr_t)owner);
}

static bool is_resource(const void *element, const void *key_of) {
        const struct key *key = key_of;
        key->compiler->schema->looks++;
        return bytes_equal(bytes_of(((const struct resource *)element)->uri), key->name);
}

struct resource *resource_find(const struct compiler *compiler, struct bytes uri) {
        struct key key = {compiler, NULL, uri};
        return table_find(&compiler->by_uri, compile_hash(compiler, uri), &key, is_resource);
}

void resource_keep(struct compiler *compiler, struct resource *resource) {
        struct key key = {compiler, NULL, bytes_of(resource->uri)};
        uint64_t hash = compile_hash(compiler, key.name);
        table_remove(&compiler->by_uri, hash, &key, is_resource);
        table_insert(&compiler->by_uri, hash, resource);
}

static bool is_anchor(const void *element, const void *key_of) {
        const struct anchor *anchor = element;
        const struct key *key = key_of;
        key->compiler->schema->looks++;
        return anchor->resource == key->owner && bytes_equal(anchor->name, key->name);
}

struct anchor *anchor_find(const struct compiler *compiler, const struct resource *resource, struct bytes name) {
        struct key key = {compiler, resource, name};
        return table_find(&compiler->anchors, hash_with(compiler, resource, name), &key, is_anchor);
}

void anchor_keep(struct compiler *compiler, struct anchor *anchor) {
        table_insert(&compiler->anchors, hash_with(compiler, anchor->resource, anchor->name), anchor);
}

static bool is_name(const void *element, const void *key_of) {
        const struct key *key = key_of;
        key->compiler->schema->looks++;
        return bytes_equal(((const struct dynamic_name *)element)->name, key->name);
}

static void ask_for(struct compiler *compiler, struct anchor *anchor) {
        anchor->later = compiler->asked;
        compiler->asked = anchor;
}

void anchor_make_dynamic(struct compiler *compiler, struct anchor *anchor) {
        struct key key = {compiler, NULL, anchor->name};
        uint64_t hash = compile_hash(compiler, anchor->name);
        if (anchor->dynamic)
                return;
        anchor->dynamic = table_find(&compiler->dynamic_names, hash, &key, is_name);
        if (!anchor->dynamic) {
                anchor->dynamic = arena_alloc(&compiler->schema->arena, sizeof *anchor->dynamic);
                anchor->dynamic->name = anchor->name;
                table_insert(&compiler->dynamic_names, hash, anchor->dynamic);
        }
        anchor->same_name = anchor->dynamic->anchors;
        anchor->dynamic->anchors = anchor;
        anchor->dynamic->count++;
        if (anchor->dynamic->referred_to)
                ask_for(compiler, anchor);
}

void dynamic_refer(struct compiler *compiler, struct dynamic_name *name) {
        if (name->referred_to)
                return;
        name->referred_to = true;
        for (struct anchor *anchor = name->anchors; anchor; anchor = anchor->same_name)
                ask_for(compiler, anchor);
}

static bool is_array(const void *element, const void *key_of) {
        const struct key *key = key_of;
        key->compiler->schema->looks++;
        return ((const struct elements *)element)->array == key->owner;
}

static const struct json *element_find(struct compiler *compiler, const struct json *array, uint64_t index) {
        struct key key = {compiler, array, {NULL, 0}};
        uint64_t hash = hash_with(compiler, array, key.name);
        struct elements *elements = table_find(&compiler->arrays, hash, &key, is_array);
        if (!elements) {
                size_t count = 0;
                elements = arena_alloc(&compiler->arena, sizeof *elements);
                elements->array = array;
                elements->items = arena_alloc(&compiler->arena, json_count(array) * sizeof *elements->items);
                JSON_FOR_EACH(element, array)
                        elements->items[count++] = element;
                compiler->schema->looks += count;
                table_insert(&compiler->arrays, hash, elements);
        }
        return index < json_count(array) ? elements->items[index] : NULL;
}

const struct json *compile_step(struct compiler *compiler, const struct json *node, struct bytes token) {
        uint64_t index;
        compiler->schema->looks++;
        if (json_is(node, JSON_ARRAY) && json_count(node) >= INDEXED_ELEMENTS_FROM)
                return json_pointer_index(token, &index) ? element_find(compiler, node, index) : NULL;
        return json_pointer_step(node, token);
}

void names_free(struct compiler *compiler) {
        table_free(&compiler->by_uri);
        table_free(&compiler->anchors);
        table_free(&compiler->dynamic_names);
        table_free(&compiler->arrays);
        table_free(&compiler->metas);
}
