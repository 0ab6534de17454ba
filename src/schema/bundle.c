// SPDX-License-Identifier: Apache-2.0
#include "schema/bundle.h"

#include <stdlib.h>

#include "json/writer.h"
#include "schema/schema_priv.h"

struct part {
        struct bytes uri, source;               // in the arena
        const struct json *root;
};

struct bundle {
        struct arena arena;
        const struct schema_options *options;
        struct part *parts;                     // malloc'ed
        size_t count, capacity;
};

// What compiling asks for is what the bundle needs.
static bool note(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct bundle *bundle = user;
        struct bytes source;
        struct part part;
        if (!bundle->options->resolve)
                return error_set(error, ERROR_NOT_FOUND, "no other documents are given");
        if (!bundle->options->resolve(bundle->options->user, uri, &source, error))
                return false;
        part.uri = arena_copy(&bundle->arena, uri);
        part.source = source;
        if (!document_parse_copy(&part.source, &bundle->arena, &part.root, error))
                return error_wrap(error, "%.*s", BYTES_PRINT(uri));
        if (bundle->count == bundle->capacity) {
                bundle->capacity = bundle->capacity * 2 + 8;
                bundle->parts = must_realloc(bundle->parts, bundle->capacity * sizeof *bundle->parts);
        }
        bundle->parts[bundle->count++] = part;
        *ret_source = part.source;
        return true;
}

static bool is_old(const struct json *root, const struct schema_options *options) {
        const struct json *dialect = json_get_text(root, "$schema");
        if (json_is(dialect, JSON_STRING))
                return memmem(json_text(dialect).data, json_text(dialect).size, "/draft-0", 8) != NULL;
        return options->draft != SCHEMA_DRAFT_2020_12 && options->draft != SCHEMA_DRAFT_2019_09;
}

static const char *id_keyword(const struct json *root, const struct schema_options *options) {
        const struct json *dialect = json_get_text(root, "$schema");
        bool four = json_is(dialect, JSON_STRING) ? memmem(json_text(dialect).data, json_text(dialect).size, "/draft-04/", 10) != NULL :
                                                    options->draft == SCHEMA_DRAFT_4;
        return four ? "id" : "$id";
}

static bool check_id(const struct part *part, const char *keyword, struct error *error) {
        CLEANUP(buffer_free) struct buffer uri = {0};
        const struct json *id = json_get_text(part->root, keyword);
        if (!json_is(id, JSON_STRING))
                return true;
        uri_resolve(&uri, part->uri, json_text(id));
        struct bytes own = buffer_bytes(&uri);
        own.size -= own.size && own.data[own.size - 1] == '#';
        return bytes_equal(own, part->uri) ||
               error_set(error, ERROR_UNSUPPORTED, "the document \"%.*s\" says that it is \"%.*s\": refer to it by that",
                         BYTES_PRINT(part->uri), BYTES_PRINT(own));
}

static void write_part(struct json_writer *writer, const struct part *part, const char *id) {
        json_begin_object(writer);
        json_member_bytes(writer, id, part->uri);
        if (json_is(part->root, JSON_BOOL) && !json_bool(part->root)) {
                json_key(writer, "not");
                json_begin_object(writer);
                json_end_object(writer);
        } else if (json_is(part->root, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, part->root) {
                        if (bytes_equal(json_text(key), bytes_of(id)))
                                continue;
                        json_key_bytes(writer, json_text(key));
                        json_node(writer, value);
                }
        }
        json_end_object(writer);
}

static bool write_parts(const struct bundle *bundle, struct json_writer *writer, const struct json *there, const char *id,
                        struct error *error) {
        json_begin_object(writer);
        if (json_is(there, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, there) {
                        json_key_bytes(writer, json_text(key));
                        json_node(writer, value);
                }
        }
        for (size_t i = 0; i < bundle->count; i++) {
                const struct part *part = &bundle->parts[i];
                const char *keyword = json_get_text(part->root, "$schema") ? id_keyword(part->root, bundle->options) : id;
                if (json_get(there, part->uri))
                        return error_set(error, ERROR_CONFLICT, "the schema has a definition \"%.*s\" of its own", BYTES_PRINT(part->uri));
                if (!check_id(part, keyword, error))
                        return false;
                json_key_bytes(writer, part->uri);
                write_part(writer, part, keyword);
        }
        json_end_object(writer);
        return true;
}

static bool write(const struct bundle *bundle, const struct json *root, struct json_writer *writer, struct error *error) {
        bool old = is_old(root, bundle->options);
        const char *definitions = old ? "definitions" : "$defs", *id = id_keyword(root, bundle->options);
        const struct json *reference = json_get_text(root, "$ref");
        bool hidden = old && json_is(reference, JSON_STRING);           // nothing beside it counts: it goes into an allOf
        json_begin_object(writer);
        JSON_FOR_EACH_MEMBER(key, value, root) {
                bool kept = !hidden || bytes_equal(json_text(key), BYTES("$schema")) || bytes_equal(json_text(key), BYTES("title")) ||
                            bytes_equal(json_text(key), BYTES("description"));
                if (!kept || bytes_equal(json_text(key), bytes_of(definitions)))
                        continue;
                json_key_bytes(writer, json_text(key));
                json_node(writer, value);
        }
        if (hidden) {
                json_key(writer, "allOf");
                json_begin_array(writer);
                json_begin_object(writer);
                json_member_bytes(writer, "$ref", json_text(reference));
                json_end_object(writer);
                json_end_array(writer);
        }
        json_key(writer, definitions);
        if (!write_parts(bundle, writer, json_get_text(root, definitions), id, error))
                return false;
        json_end_object(writer);
        json_end(writer);
        return true;
}

static bool make(struct bundle *bundle, struct bytes source, struct buffer *buffer, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text, .pretty = true};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        struct schema_options options = *bundle->options;
        struct schema *schema = NULL;
        const struct json *root;
        options.resolve = note;
        options.user = bundle;
        if (!schema_compile(source, &options, &schema, error))
                return false;
        schema_free(schema);
        if (bundle->count == 0) {
                buffer_append(buffer, source);
                return true;
        }
        if (!json_parse(source, &limits, &bundle->arena, &root, error) || !write(bundle, root, &writer, error))
                return false;
        options.resolve = NULL;
        if (!schema_compile(buffer_bytes(&text), &options, &schema, error))
                return error_wrap(error, "the bundle");
        schema_free(schema);
        buffer_append(buffer, buffer_bytes(&text));
        return true;
}

bool schema_bundle(struct bytes source, const struct schema_options *options, struct buffer *buffer, struct error *error) {
        static const struct schema_options none = {.draft = SCHEMA_DRAFT_2020_12};
        struct bundle bundle = {.options = options ? options : &none};
        bool good = make(&bundle, source, buffer, error);
        arena_free(&bundle.arena);
        free(bundle.parts);
        return good;
}
