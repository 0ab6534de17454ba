// SPDX-License-Identifier: Apache-2.0
// Filling in of defaults: the instance is written again, member by member, with what its schemas say is absent. Which schemas
// describe a value is a set: the schema, and what it leads to through $ref and allOf.
#include "schema/schema.h"

#include "json/writer.h"
#include "schema/schema_priv.h"

// A set of subschemas, as pointers in a buffer.
static size_t set_count(const struct buffer *set) {
        return set->size / sizeof(const struct subschema *);
}

static const struct subschema *set_at(const struct buffer *set, size_t index) {
        const struct subschema *subschema;
        memcpy(&subschema, set->data + index * sizeof subschema, sizeof subschema);
        return subschema;
}

// Adds the subschema and what it leads to in place. Compilation has refused loops.
static void set_add(struct buffer *set, const struct subschema *subschema) {
        if (!subschema)
                return;
        for (size_t i = 0; i < set_count(set); i++)
                if (set_at(set, i) == subschema)
                        return;
        buffer_append(set, (struct bytes){(const char *)&subschema, sizeof subschema});
        set_add(set, subschema->reference);
        if (!subschema->dynamic)
                set_add(set, subschema->other_reference);
        for (size_t i = 0; i < subschema->all.count; i++)
                set_add(set, subschema->all.items[i]);
}

static const struct json *default_of(const struct subschema *subschema) {
        CLEANUP(buffer_free) struct buffer set = {0};
        set_add(&set, subschema);
        for (size_t i = 0; i < set_count(&set); i++) {
                const struct json *value = json_get_text(set_at(&set, i)->source, "default");
                if (value)
                        return value;
        }
        return NULL;
}

static bool described_before(const struct buffer *set, size_t count, struct bytes name) {
        for (size_t i = 0; i < count; i++) {
                const struct object_rules *rules = set_at(set, i)->object;
                const struct property *property = rules ? property_find(rules, name, SIZE_MAX) : NULL;
                if (property && property->schema && default_of(property->schema))
                        return true;
        }
        return false;
}

static bool fill(struct json_writer *writer, const struct buffer *set, const struct json *node);

static bool fill_absent(struct json_writer *writer, const struct buffer *set, const struct json *object) {
        bool filled = false;
        for (size_t i = 0; i < set_count(set); i++) {
                const struct object_rules *rules = set_at(set, i)->object;
                for (size_t j = 0; rules && j < rules->property_count; j++) {
                        const struct property *property = &rules->properties[j];
                        const struct json *value = property->schema ? default_of(property->schema) : NULL;
                        if (!value || json_get(object, property->name) || described_before(set, i, property->name))
                                continue;
                        json_key_bytes(writer, property->name);
                        json_node(writer, value);
                        filled = true;
                }
        }
        return filled;
}

static bool fill_object(struct json_writer *writer, const struct buffer *set, const struct json *object) {
        bool filled = false;
        json_begin_object(writer);
        JSON_FOR_EACH_MEMBER(key, value, object) {
                CLEANUP(buffer_free) struct buffer below = {0};
                for (size_t i = 0; i < set_count(set); i++) {
                        const struct object_rules *rules = set_at(set, i)->object;
                        const struct property *property = rules ? property_find(rules, json_text(key), SIZE_MAX) : NULL;
                        if (property)
                                set_add(&below, property->schema);
                }
                json_key_bytes(writer, json_text(key));
                filled = fill(writer, &below, value) || filled;
        }
        filled = fill_absent(writer, set, object) || filled;
        json_end_object(writer);
        return filled;
}

static bool fill_array(struct json_writer *writer, const struct buffer *set, const struct json *array) {
        bool filled = false;
        size_t index = 0;
        json_begin_array(writer);
        JSON_FOR_EACH(element, array) {
                CLEANUP(buffer_free) struct buffer below = {0};
                for (size_t i = 0; i < set_count(set); i++) {
                        const struct array_rules *rules = set_at(set, i)->array;
                        if (rules)
                                set_add(&below, index < rules->prefix.count ? rules->prefix.items[index] : rules->rest);
                }
                filled = fill(writer, &below, element) || filled;
                index++;
        }
        json_end_array(writer);
        return filled;
}

static bool fill(struct json_writer *writer, const struct buffer *set, const struct json *node) {
        if (set->size && json_is(node, JSON_OBJECT))
                return fill_object(writer, set, node);
        if (set->size && json_is(node, JSON_ARRAY))
                return fill_array(writer, set, node);
        json_node(writer, node);
        return false;
}

bool schema_fill_defaults(const struct schema *schema, const struct json *instance, struct buffer *buffer) {
        size_t before = buffer->size;
        if (!schema->defaults)
                return false;
        CLEANUP(buffer_free) struct buffer set = {0};
        struct json_writer writer = {.buffer = buffer};
        set_add(&set, schema->root);
        bool filled = fill(&writer, &set, instance);
        json_end(&writer);
        if (!filled)
                buffer->size = before;
        return filled;
}

bool schema_has_defaults(const struct schema *schema) {
        return schema->defaults;
}
