// SPDX-License-Identifier: Apache-2.0
#include "schema/generate.h"

#include <stdlib.h>

#include "json/pointer.h"
#include "json/writer.h"

struct generator {
        const struct schema *schema;
        const struct json *root;
        struct arena arena;                     // root and texts
        uint64_t state;
        struct bytes texts[GENERATE_TEXTS_MAX];
        size_t text_count;
        struct json_writer *writer;             // of the instance under way
};

static void make(struct generator *generator, const struct json *schema, unsigned depth);

// splitmix64
static uint64_t number(struct generator *generator) {
        uint64_t z = generator->state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
}

static uint64_t below(struct generator *generator, uint64_t bound) {
        return number(generator) % bound;
}

bool generator_new(const struct schema *schema, uint64_t seed, struct generator **ret_generator, struct error *error) {
        struct generator *generator = must_calloc(1, sizeof *generator);
        generator->schema = schema;
        generator->state = seed;
        if (!json_parse(schema_source(schema), NULL, &generator->arena, &generator->root, error)) {
                generator_free(generator);
                return false;
        }
        *ret_generator = generator;
        return true;
}

const struct schema *generator_schema(const struct generator *generator) {
        return generator->schema;
}

void generator_free(struct generator *generator) {
        if (!generator)
                return;
        arena_free(&generator->arena);
        free(generator);
}

void generator_text(struct generator *generator, struct bytes text) {
        if (generator->text_count < GENERATE_TEXTS_MAX && text.size <= GENERATE_TEXT_MAX)
                generator->texts[generator->text_count++] = arena_copy(&generator->arena, text);
}

// ---- looking at a schema ----

static const struct json *resolved(const struct generator *generator, const struct json *schema) {
        for (int hops = 0; hops < GENERATE_DEPTH_MAX; hops++) {
                const struct json *reference = json_get_text(schema, "$ref");
                struct json_pointer pointer;
                struct arena CLEANUP(arena_free) scratch = {0};
                if (!json_is(reference, JSON_STRING))
                        return schema;
                struct bytes text = json_text(reference);
                if (!text.size || text.data[0] != '#' ||
                    !json_pointer_parse((struct bytes){text.data + 1, text.size - 1}, &scratch, &pointer, NULL))
                        return schema;
                const struct json *next = json_pointer_resolve(&pointer, generator->root);
                if (!next)
                        return schema;
                schema = next;
        }
        return schema;
}

static uint64_t bound_of(const struct json *schema, const char *key, uint64_t fallback) {
        uint64_t value;
        const struct json *node = json_get_text(schema, key);
        return node && json_to_u64(node, &value) ? value : fallback;
}

static const struct json *one_of(struct generator *generator, const struct json *list) {
        return json_is(list, JSON_ARRAY) && json_count(list) ? json_at(list, (size_t)below(generator, json_count(list))) : NULL;
}

static struct bytes type_of(struct generator *generator, const struct json *schema) {
        const struct json *type = json_get_text(schema, "type");
        if (json_is(type, JSON_ARRAY))
                type = one_of(generator, type);
        if (json_is(type, JSON_STRING))
                return json_text(type);
        if (json_get_text(schema, "properties") || json_get_text(schema, "required") || json_get_text(schema, "allOf"))
                return BYTES("object");
        if (json_get_text(schema, "items"))
                return BYTES("array");
        static const char *const any[] = {"string", "integer", "boolean", "null"};
        return bytes_of(any[below(generator, ARRAY_SIZE(any))]);
}

// ---- making values ----

static const char *const pieces[] = {
        "a", "Zz", " ", "[", "]", "[Area] Title",
        "[] ", "[[x]] y", "7", "-", "\"", "\\", "\n", "é", "日本", "\xf0\x9f\x98\x80", "ß", "%", "$event",
        "null",
};

static void make_text(struct generator *generator, const struct json *schema) {
        const struct json *format = json_get_text(schema, "format");
        uint64_t least = bound_of(schema, "minLength", 0), most = bound_of(schema, "maxLength", least + 24);
        uint64_t digits = below(generator, 9000);
        struct bytes name = json_is(format, JSON_STRING) ? json_text(format) : (struct bytes){0};
        if (bytes_equal(name, BYTES("date-time")))
                json_string_print(generator->writer, "2026-0%u-1%uT0%u:00:00.%03uZ", (unsigned)(1 + digits % 9), (unsigned)(digits % 9),
                                  (unsigned)(digits % 10), (unsigned)(digits % 1000));
        else if (bytes_equal(name, BYTES("date")))
                json_string_print(generator->writer, "2026-0%u-1%u", (unsigned)(1 + digits % 9), (unsigned)(digits % 9));
        else if (bytes_equal(name, BYTES("email")))
                json_string_print(generator->writer, "p%u@example.org", (unsigned)digits);
        else if (bytes_equal(name, BYTES("uuid")))
                json_string_print(generator->writer, "00000000-0000-4000-8000-%012u", (unsigned)digits);
        else if (bytes_equal(name, BYTES("uri")))
                json_string_print(generator->writer, "http://example.org/%u", (unsigned)digits);
        else if (generator->text_count && below(generator, 2))
                json_string(generator->writer, generator->texts[below(generator, generator->text_count)]);
        else {
                CLEANUP(buffer_free) struct buffer text = {0};
                uint64_t length = MIN(least + below(generator, 8), most);
                for (uint64_t i = 0; i < MIN(length, (uint64_t)GENERATE_TEXT_MAX); i++)
                        buffer_append(&text, bytes_of(length == least || least ? "x" : pieces[below(generator, ARRAY_SIZE(pieces))]));
                json_string(generator->writer, buffer_bytes(&text));
        }
}

static void make_integer(struct generator *generator, const struct json *schema) {
        int64_t least = 0, most;
        const struct json *minimum = json_get_text(schema, "minimum"), *maximum = json_get_text(schema, "maximum");
        if (!minimum || !json_to_i64(minimum, &least))
                least = -3;
        if (!maximum || !json_to_i64(maximum, &most) || most < least)
                most = least < INT64_MAX / 2 ? least + 100000 : INT64_MAX;
        uint64_t span = (uint64_t)most - (uint64_t)least;
        switch (below(generator, 4)) {
        case 0: json_i64(generator->writer, least); break;
        case 1: json_i64(generator->writer, most); break;
        default: {
                uint64_t more = span == UINT64_MAX ? number(generator) : below(generator, span + 1);
                json_i64(generator->writer, (int64_t)((uint64_t)least + more));
        }
        }
}

static bool is_required(const struct json *schema, struct bytes name) {
        const struct json *required = json_get_text(schema, "required");
        if (!json_is(required, JSON_ARRAY))
                return false;
        JSON_FOR_EACH(element, required)
                if (json_is(element, JSON_STRING) && bytes_equal(json_text(element), name))
                        return true;
        return false;
}

static void make_members(struct generator *generator, const struct json *schema, unsigned depth) {
        const struct json *properties = json_get_text(schema, "properties"), *all = json_get_text(schema, "allOf");
        if (json_is(properties, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, property, properties) {
                        if (!is_required(schema, json_text(key)) && (depth >= GENERATE_DEPTH_MAX || below(generator, 2)))
                                continue;
                        json_key_bytes(generator->writer, json_text(key));
                        make(generator, property, depth + 1);
                }
        }
        if (json_is(all, JSON_ARRAY) && depth < GENERATE_DEPTH_MAX)
                JSON_FOR_EACH(part, all)
                        make_members(generator, resolved(generator, part), depth + 1);
}

static void make_array(struct generator *generator, const struct json *schema, unsigned depth) {
        const struct json *items = json_get_text(schema, "items");
        uint64_t least = bound_of(schema, "minItems", 0), count = least + (depth < GENERATE_DEPTH_MAX ? below(generator, 3) : 0);
        json_begin_array(generator->writer);
        for (uint64_t i = 0; i < MIN(count, bound_of(schema, "maxItems", 64)); i++) {
                if (items)
                        make(generator, items, depth + 1);
                else
                        json_u64(generator->writer, i);
        }
        json_end_array(generator->writer);
}

static bool make_given(struct generator *generator, const struct json *schema) {
        const struct json *given = json_get_text(schema, "const");
        if (!given)
                given = one_of(generator, json_get_text(schema, "enum"));
        if (!given && below(generator, 4) == 0)
                given = json_get_text(schema, "default");
        if (!given && below(generator, 4) == 0)
                given = one_of(generator, json_get_text(schema, "examples"));
        if (given)
                json_node(generator->writer, given);
        return given != NULL;
}

static void make(struct generator *generator, const struct json *schema, unsigned depth) {
        if (depth > 2 * GENERATE_DEPTH_MAX) {           // a schema of which no instance ends
                json_null(generator->writer);
                return;
        }
        schema = resolved(generator, schema);
        const struct json *choice = one_of(generator, json_get_text(schema, "anyOf"));
        if (!choice)
                choice = one_of(generator, json_get_text(schema, "oneOf"));
        if (make_given(generator, schema))
                return;
        if (choice && depth < GENERATE_DEPTH_MAX) {
                make(generator, choice, depth + 1);
                return;
        }
        struct bytes type = type_of(generator, schema);
        if (bytes_equal(type, BYTES("object"))) {
                json_begin_object(generator->writer);
                make_members(generator, schema, depth);
                json_end_object(generator->writer);
        } else if (bytes_equal(type, BYTES("array"))) {
                make_array(generator, schema, depth);
        } else if (bytes_equal(type, BYTES("string"))) {
                make_text(generator, schema);
        } else if (bytes_equal(type, BYTES("integer")) || bytes_equal(type, BYTES("number"))) {
                make_integer(generator, schema);
        } else if (bytes_equal(type, BYTES("boolean"))) {
                json_boolean(generator->writer, below(generator, 2));
        } else {
                json_null(generator->writer);
        }
}

bool generator_next(struct generator *generator, struct buffer *buffer) {
        CLEANUP(arena_free) struct arena scratch = {0};
        size_t before = buffer->size;
        for (int i = 0; i < GENERATE_TRIES; i++) {
                struct json_writer writer = {.buffer = buffer};
                const struct json *instance;
                generator->writer = &writer;
                make(generator, generator->root, 0);
                json_end(&writer);
                struct bytes text = arena_copy(&scratch, (struct bytes){buffer->data + before, buffer->size - before});
                if (json_parse(text, NULL, &scratch, &instance, NULL) &&
                    schema_verdict(generator->schema, instance, &scratch) == SCHEMA_VALID)
                        return true;
                buffer->size = before;
                arena_reset(&scratch);
        }
        return false;
}
