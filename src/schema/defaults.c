// SPDX-License-Identifier: Apache-2.0
// Filling in of defaults: the instance is written again, member by member, with what its schemas say is absent. Which schemas
// describe a value is its outline: an ordered set of the schema and what it leads to through $ref and allOf. An outline is made once for
// all values that have it, with its members merged into one table, so that what an object costs is its own members and those
// that are added. Which default a subschema has in the end is found when compiling. Outlines are in an arena of the call; what is
// made of them, and what is added to the instance, is limited.
#include "schema/schema.h"

#include "json/writer.h"
#include "schema/schema_priv.h"

struct outline;

struct link {
        struct link *next;
        const struct subschema *subschema;
};

// What an outline says of a member.
struct entry {
        struct bytes name;
        struct link *schemas, **last;
        const struct json *value;               // the first default; or NULL
        struct entry *next;                     // that has a default
        struct outline *below;                    // NULL: not made
};

struct outline {
        struct outline *next;                     // of all
        const struct subschema *const *items;
        size_t count;
        uint64_t hash;
        bool described;
        struct table entries;
        struct entry *defaults, **last;
        struct outline **elements;                // by number, then that of the rest; NULL where not made
        size_t prefix;
};

struct filling {
        const struct schema *schema;
        struct json_writer writer;
        struct arena arena;
        struct table outlines;
        struct outline *all;
        const struct subschema **set;           // that is being made
        size_t count, capacity;
        struct table known;                     // of what is in it, once it is large
        uint64_t steps;                         // taken
        size_t added;                           // bytes
        struct error *error;
        bool filled;
};

static bool take_steps(struct filling *filling, uint64_t steps) {
        filling->steps += steps;
        return filling->steps <= SCHEMA_DEFAULTS_STEPS_MAX ||
               error_set(filling->error, ERROR_LIMIT, "filling in defaults looks at more than %d subschemas and properties",
                         SCHEMA_DEFAULTS_STEPS_MAX);
}

// ---- sets ----

enum { FEW = 16 };

static uint64_t pointer_hash(const struct subschema *subschema) {
        return json_hash_mix((uintptr_t)subschema, 0x5851F42D4C957F2D);
}

static bool is_same(const void *element, const void *key) {
        return element == key;
}

static void keep(struct filling *filling, const struct subschema *subschema) {
        table_insert(&filling->known, pointer_hash(subschema), (void *)(uintptr_t)subschema);
}

static bool in_set(struct filling *filling, const struct subschema *subschema) {
        if (filling->known.count)
                return table_find(&filling->known, pointer_hash(subschema), subschema, is_same) != NULL;
        for (size_t i = 0; i < filling->count; i++)
                if (filling->set[i] == subschema)
                        return true;
        return false;
}

static void begin_set(struct filling *filling) {
        filling->count = 0;
        table_free(&filling->known);
}

// Adds the subschema and what it leads to in place. Compilation has refused loops.
static bool add_to_set(struct filling *filling, const struct subschema *subschema) {
        if (!subschema || in_set(filling, subschema))
                return take_steps(filling, 1);
        if (filling->count == filling->capacity) {
                size_t capacity = filling->capacity * 2 + FEW;
                const struct subschema **set = arena_alloc_raw(&filling->arena, capacity * sizeof *set);
                if (filling->count)
                        memcpy(set, filling->set, filling->count * sizeof *set);
                filling->set = set;
                filling->capacity = capacity;
        }
        filling->set[filling->count++] = subschema;
        if (filling->known.count)
                keep(filling, subschema);
        for (size_t i = 0; filling->count == FEW && i < FEW && filling->known.count < FEW; i++)
                keep(filling, filling->set[i]);
        if (!take_steps(filling, 1) || !add_to_set(filling, subschema->reference) ||
            (!subschema->dynamic && !add_to_set(filling, subschema->other_reference)))
                return false;
        for (size_t i = 0; i < subschema->all.count; i++)
                if (!add_to_set(filling, subschema->all.items[i]))
                        return false;
        return true;
}

static bool is_outline(const void *element, const void *key) {
        const struct outline *outline = element;
        const struct filling *filling = key;
        return outline->count == filling->count &&
               (outline->count == 0 || memcmp(outline->items, filling->set, outline->count * sizeof *outline->items) == 0);
}

// The outline of the set that has been made.
static struct outline *outline_of_set(struct filling *filling) {
        uint64_t hash = filling->schema->seed;
        for (size_t i = 0; i < filling->count; i++)
                hash = json_hash_mix(hash, (uintptr_t)filling->set[i]);
        struct outline *outline = table_find(&filling->outlines, hash, filling, is_outline);
        if (outline)
                return outline;
        outline = arena_alloc(&filling->arena, sizeof *outline);
        const struct subschema **items = arena_alloc_raw(&filling->arena, (filling->count + 1) * sizeof *items);
        if (filling->count)
                memcpy(items, filling->set, filling->count * sizeof *items);
        *outline = (struct outline){.next = filling->all, .items = items, .count = filling->count, .hash = hash};
        filling->all = outline;
        table_insert(&filling->outlines, hash, outline);
        return outline;
}

// ---- outlines ----

static bool is_entry(const void *element, const void *key) {
        return bytes_equal(((const struct entry *)element)->name, *(const struct bytes *)key);
}

static void add_property(struct filling *filling, struct outline *outline, const struct property *property) {
        uint64_t hash = schema_name_hash(filling->schema, property->name);
        struct entry *entry = table_find(&outline->entries, hash, &property->name, is_entry);
        if (!entry) {
                entry = arena_alloc(&filling->arena, sizeof *entry);
                *entry = (struct entry){.name = property->name, .last = &entry->schemas};
                table_insert(&outline->entries, hash, entry);
        }
        struct link *link = arena_alloc(&filling->arena, sizeof *link);
        link->subschema = property->schema;
        *entry->last = link;
        entry->last = &link->next;
        if (!entry->value && property->schema->fallback) {
                entry->value = property->schema->fallback;
                *outline->last = entry;
                outline->last = &entry->next;
        }
}

static bool describe(struct filling *filling, struct outline *outline) {
        if (outline->described)
                return true;
        outline->described = true;
        outline->last = &outline->defaults;
        for (size_t i = 0; i < outline->count; i++) {
                const struct object_rules *rules = outline->items[i]->object;
                if (!take_steps(filling, rules ? rules->property_count : 0))
                        return false;
                for (size_t j = 0; rules && j < rules->property_count; j++)
                        if (rules->properties[j].schema)
                                add_property(filling, outline, &rules->properties[j]);
        }
        return true;
}

static bool member_outline(struct filling *filling, struct outline *outline, struct bytes name, struct outline **ret_outline) {
        struct entry *entry = table_find(&outline->entries, schema_name_hash(filling->schema, name), &name, is_entry);
        *ret_outline = entry ? entry->below : NULL;
        if (!entry || entry->below)
                return true;
        begin_set(filling);
        for (const struct link *link = entry->schemas; link; link = link->next)
                if (!add_to_set(filling, link->subschema))
                        return false;
        *ret_outline = entry->below = outline_of_set(filling);
        return true;
}

static bool element_outline(struct filling *filling, struct outline *outline, size_t index, struct outline **ret_outline) {
        if (!outline->elements) {
                for (size_t i = 0; i < outline->count; i++)
                        if (outline->items[i]->array)
                                outline->prefix = MAX(outline->prefix, outline->items[i]->array->prefix.count);
                outline->elements = arena_alloc(&filling->arena, (outline->prefix + 1) * sizeof *outline->elements);
                if (!take_steps(filling, outline->prefix))
                        return false;
        }
        struct outline **place = &outline->elements[MIN(index, outline->prefix)];
        if (!*place) {
                begin_set(filling);
                for (size_t i = 0; i < outline->count; i++) {
                        const struct array_rules *rules = outline->items[i]->array;
                        if (rules && !add_to_set(filling, index < rules->prefix.count ? rules->prefix.items[index] : rules->rest))
                                return false;
                }
                *place = outline_of_set(filling);
        }
        *ret_outline = *place;
        return true;
}

// ---- writing ----

static bool fill(struct filling *filling, struct outline *outline, const struct json *node);

static bool fill_absent(struct filling *filling, const struct outline *outline, const struct json *object) {
        struct json_writer *writer = &filling->writer;
        for (const struct entry *entry = outline->defaults; entry; entry = entry->next) {
                if (json_get(object, entry->name))
                        continue;
                size_t before = writer->buffer->size;
                json_key_bytes(writer, entry->name);
                json_node(writer, entry->value);
                filling->filled = true;
                filling->added += writer->buffer->size - before;
                if (filling->added > SCHEMA_DEFAULTS_MAX)
                        return error_set(filling->error, ERROR_LIMIT, "defaults add more than %d bytes", SCHEMA_DEFAULTS_MAX);
        }
        return true;
}

static bool fill_object(struct filling *filling, struct outline *outline, const struct json *object) {
        if (!describe(filling, outline))
                return false;
        json_begin_object(&filling->writer);
        JSON_FOR_EACH_MEMBER(key, value, object) {
                struct outline *below;
                if (!member_outline(filling, outline, json_text(key), &below))
                        return false;
                json_key_bytes(&filling->writer, json_text(key));
                if (!fill(filling, below, value))
                        return false;
        }
        if (!fill_absent(filling, outline, object))
                return false;
        json_end_object(&filling->writer);
        return true;
}

static bool fill_array(struct filling *filling, struct outline *outline, const struct json *array) {
        size_t index = 0;
        json_begin_array(&filling->writer);
        JSON_FOR_EACH(element, array) {
                struct outline *below;
                if (!element_outline(filling, outline, index++, &below) || !fill(filling, below, element))
                        return false;
        }
        json_end_array(&filling->writer);
        return true;
}

static bool fill(struct filling *filling, struct outline *outline, const struct json *node) {
        if (outline && outline->count && json_is(node, JSON_OBJECT))
                return fill_object(filling, outline, node);
        if (outline && outline->count && json_is(node, JSON_ARRAY))
                return fill_array(filling, outline, node);
        json_node(&filling->writer, node);
        return true;
}

bool schema_fill_defaults(const struct schema *schema, const struct json *instance, struct buffer *buffer, bool *ret_filled,
                          struct error *error) {
        struct filling filling = {.schema = schema, .writer = {.buffer = buffer}, .error = error};
        size_t before = buffer->size;
        bool good = true;
        if (schema->defaults) {
                good = add_to_set(&filling, schema->root) && fill(&filling, outline_of_set(&filling), instance);
                if (good)
                        json_end(&filling.writer);
                for (struct outline *outline = filling.all; outline; outline = outline->next)
                        table_free(&outline->entries);
                table_free(&filling.outlines);
                table_free(&filling.known);
                arena_free(&filling.arena);
        }
        if (!good || !filling.filled)
                buffer->size = before;
        if (good)
                *ret_filled = filling.filled;
        return good;
}

bool schema_has_defaults(const struct schema *schema) {
        return schema->defaults;
}

// ---- when compiling ----

// The first default on the way that a set takes from here: that of the subschema itself, else of what it leads to.
static const struct json *find_fallback(struct compiler *compiler, struct subschema *subschema) {
        if (compiler->walk[subschema->id] == WALK_FALLBACK)
                return subschema->fallback;
        const struct json *value = json_get_text(subschema->source, "default");
        compiler->walk[subschema->id] = WALK_FALLBACK;
        if (!value && subschema->reference)
                value = find_fallback(compiler, compiler->made[subschema->reference->id]);
        if (!value && !subschema->dynamic && subschema->other_reference)
                value = find_fallback(compiler, compiler->made[subschema->other_reference->id]);
        for (size_t i = 0; !value && i < subschema->all.count; i++)
                value = find_fallback(compiler, compiler->made[subschema->all.items[i]->id]);
        return subschema->fallback = value;
}

void find_fallbacks(struct compiler *compiler) {
        for (size_t i = 0; compiler->schema->defaults && i < compiler->schema->subschema_count; i++)
                IGNORE(find_fallback(compiler, compiler->made[i]) != NULL);     // it is in the subschema
}
