// SPDX-License-Identifier: Apache-2.0
// Compilation.
// 1. The document is indexed: which URI and which anchors name which place.
// 2. Every place that is a schema becomes a subschema, its keywords by the rows of keywords.c; `$ref`s are noted.
// 3. The noted references are resolved, and what they lead to is compiled if it was not.
// 4. A subschema that leads to itself without going deeper into the instance is refused.
// Everything lives in the schema's arena; what only compilation needs in the compiler's.
#include "schema/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/pointer.h"
#include "schema/schema_priv.h"

enum { SCHEMA_RESOURCES_MAX = 1000, SCHEMA_CHAIN_MAX = 200 };

struct resource {
        const char *uri;                // with "#anchor" if it is one
        const struct json *node;
};

struct pending {
        struct subschema *subschema;
        const struct json *reference;
};

bool compile_wrong(const struct compiler *compiler, const struct json *node, enum error_code code, const char *format, ...) {
        char text[ERROR_TEXT_MAX];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        CLEANUP(buffer_free) struct buffer pointer = {0};
        json_pointer_of(&pointer, compiler->schema->document, node);
        struct json_position position = json_position(compiler->schema->source, json_offset(node));
        return error_set(compiler->error, code, "schema, at \"%.*s\" (line %zu, column %zu): %s",
                         BYTES_PRINT(buffer_bytes(&pointer)),
                         position.line, position.column, text);
}

static size_t number_of(const struct compiler *compiler, const struct json *node) {
        return (size_t)(node - compiler->schema->document);
}

static bool add_resource(struct compiler *compiler, const struct json *node, const char *uri) {
        for (size_t i = 0; i < compiler->resource_count; i++)
                if (strcmp(compiler->resources[i].uri, uri) == 0)
                        return compile_wrong(compiler, node, ERROR_INVALID, "\"%s\" names another place already", uri);
        if (compiler->resource_count == SCHEMA_RESOURCES_MAX)
                return compile_wrong(compiler, node, ERROR_LIMIT, "more than %d $id and $anchor", SCHEMA_RESOURCES_MAX);
        compiler->resources[compiler->resource_count++] = (struct resource){uri, node};
        return true;
}

static const struct json *find_resource(const struct compiler *compiler, struct bytes uri) {
        for (size_t i = 0; i < compiler->resource_count; i++)
                if (bytes_equal(bytes_of(compiler->resources[i].uri), uri))
                        return compiler->resources[i].node;
        return NULL;
}

static bool index_anchor(struct compiler *compiler, const struct json *node, const struct json *anchor, const char *base) {
        if (!anchor)
                return true;
        if (!json_is(anchor, JSON_STRING) || json_count(anchor) == 0)
                return compile_wrong(compiler, anchor, ERROR_INVALID, "expected a name");
        return add_resource(compiler, node, arena_print(&compiler->schema->arena, "%s#%.*s", base,
                                                        BYTES_PRINT(json_text(anchor))));
}

static bool index_id(struct compiler *compiler, const struct json *node, const char **base) {
        const struct json *id = json_get_text(node, "$id");
        bool draft7 = compiler->schema->draft == SCHEMA_DRAFT_7;
        if (!id || (draft7 && json_get_text(node, "$ref")))
                return true;
        if (!json_is(id, JSON_STRING))
                return compile_wrong(compiler, id, ERROR_INVALID, "expected a URI");
        struct bytes text = json_text(id);
        if (draft7 && text.size > 1 && text.data[0] == '#')
                return add_resource(compiler, node, arena_print(&compiler->schema->arena, "%s%.*s", *base, BYTES_PRINT(text)));
        CLEANUP(buffer_free) struct buffer uri = {0};
        uri_resolve(&uri, bytes_of(*base), text);
        const char *fragment = uri.size ? memchr(uri.data, '#', uri.size) : NULL;
        if (fragment && fragment != uri.data + uri.size - 1)
                return compile_wrong(compiler, id, ERROR_INVALID, "a $id may have no fragment");
        uri.size -= fragment != NULL;
        *base = arena_text(&compiler->schema->arena, buffer_bytes(&uri));
        return node == compiler->schema->document || add_resource(compiler, node, *base);
}

static bool index_schema(struct compiler *compiler, const struct json *node, const char *base);

static bool index_below(struct compiler *compiler, const struct json *value, enum shape shape, const char *base) {
        if (shape == SHAPE_ONE_OR_LIST)
                shape = json_is(value, JSON_ARRAY) ? SHAPE_LIST : SHAPE_ONE;
        if (shape == SHAPE_ONE)
                return index_schema(compiler, value, base);
        if (shape == SHAPE_LIST && json_is(value, JSON_ARRAY)) {
                JSON_FOR_EACH(element, value)
                        if (!index_schema(compiler, element, base))
                                return false;
        } else if (shape == SHAPE_MAP && json_is(value, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, member, value)
                        if (!index_schema(compiler, member, base))
                                return false;
        }
        return true;
}

static bool index_schema(struct compiler *compiler, const struct json *node, const char *base) {
        if (!json_is(node, JSON_OBJECT))
                return true;
        bool new_draft = compiler->schema->draft == SCHEMA_DRAFT_2020_12;
        if (!index_id(compiler, node, &base))
                return false;
        if (new_draft && (!index_anchor(compiler, node, json_get_text(node, "$anchor"), base) ||
                          !index_anchor(compiler, node, json_get_text(node, "$dynamicAnchor"), base)))
                return false;
        compiler->bases[number_of(compiler, node)] = base;
        JSON_FOR_EACH_MEMBER(key, value, node) {
                const struct keyword *keyword = keyword_find(json_text(key), compiler->schema->draft);
                if (keyword && !index_below(compiler, value, (enum shape)keyword->shape, base))
                        return false;
        }
        return true;
}

const struct pattern *compile_pattern(struct compiler *compiler, const struct json *node, struct bytes source) {
        struct schema *schema = compiler->schema;
        struct error error;
        struct pattern *pattern;
        if (!pattern_compile(source, &pattern, &error)) {
                IGNORE(!compile_wrong(compiler, node, error.code, "%s", error.text));           // false anyway
                return NULL;
        }
        if (schema->pattern_count == schema->pattern_capacity) {
                schema->pattern_capacity = schema->pattern_capacity * 2 + 8;
                schema->patterns = must_realloc(schema->patterns, schema->pattern_capacity * sizeof(struct pattern *));
        }
        schema->patterns[schema->pattern_count++] = pattern;
        return pattern;
}

void compile_later(struct compiler *compiler, struct subschema *subschema, const struct json *reference) {
        if (compiler->pending_count == compiler->pending_capacity) {
                compiler->pending_capacity = compiler->pending_capacity * 2 + 8;
                compiler->pending = must_realloc(compiler->pending, compiler->pending_capacity * sizeof *compiler->pending);
        }
        compiler->pending[compiler->pending_count++] = (struct pending){subschema, reference};
}

static bool is_trivial(const struct subschema *subschema) {
        return !subschema->never && !subschema->types && !subschema->values && !subschema->constant && !subschema->number &&
               !subschema->string && !subschema->array && !subschema->object && !subschema->logic;
}

static bool compile_keywords(struct compiler *compiler, struct subschema *subschema, const struct json *node) {
        enum schema_draft draft = compiler->schema->draft;
        const struct json *reference = json_get_text(node, "$ref");
        bool alone = reference && draft == SCHEMA_DRAFT_7;
        JSON_FOR_EACH_MEMBER(key, value, node) {
                if (alone && value != reference)
                        continue;
                const struct keyword *keyword = keyword_find(json_text(key), draft);
                if (keyword && keyword->compile && !keyword->compile(compiler, subschema, value))
                        return false;
        }
        return true;
}

const struct subschema *compile_subschema(struct compiler *compiler, const struct json *node) {
        struct subschema **place = &compiler->subschemas[number_of(compiler, node)];
        if (*place)
                return *place;
        struct subschema *subschema = arena_alloc(&compiler->schema->arena, sizeof *subschema);
        subschema->source = node;
        *place = subschema;
        if (json_is(node, JSON_BOOL)) {
                subschema->never = !json_bool(node);
        } else if (!json_is(node, JSON_OBJECT)) {
                IGNORE(!compile_wrong(compiler, node, ERROR_INVALID, "expected a schema: an object, true or false")); // NULL
                return NULL;
        } else if (!compile_keywords(compiler, subschema, node)) {
                return NULL;
        }
        subschema->trivial = is_trivial(subschema);
        return subschema;
}

// The place that a JSON pointer names below `node`. A place that the index did not know takes the URI of where it stands.
static const struct json *follow_pointer(struct compiler *compiler, const struct json *node, struct bytes text) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_pointer pointer;
        if (!json_pointer_parse(text, &arena, &pointer, NULL))
                return NULL;
        const char *base = compiler->bases[number_of(compiler, node)];
        for (size_t i = 0; i < pointer.count && node; i++) {
                node = json_pointer_step(node, pointer.tokens[i]);
                if (node && compiler->bases[number_of(compiler, node)])
                        base = compiler->bases[number_of(compiler, node)];
        }
        bool unknown = json_is(node, JSON_OBJECT) && !compiler->bases[number_of(compiler, node)];
        if (unknown && !index_schema(compiler, node, base))
                return NULL;
        return node;
}

static bool percent_decode(struct bytes text, struct buffer *buffer) {
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] != '%') {
                        buffer_append_byte(buffer, text.data[i]);
                        continue;
                }
                const char *high = i + 2 < text.size && text.data[i + 1] ? strchr(digits, text.data[i + 1] | 0x20) : NULL;
                const char *low = i + 2 < text.size && text.data[i + 2] ? strchr(digits, text.data[i + 2] | 0x20) : NULL;
                if (!high || !low)
                        return false;
                buffer_append_byte(buffer, (char)((high - digits) << 4 | (low - digits)));
                i += 2;
        }
        return true;
}

static bool resolve_reference(struct compiler *compiler, const struct pending *pending) {
        const struct json *reference = pending->reference;
        const char *base = compiler->bases[number_of(compiler, pending->subschema->source)];
        CLEANUP(buffer_free) struct buffer uri = {0};
        CLEANUP(buffer_free) struct buffer fragment = {0};
        uri_resolve(&uri, bytes_of(base), json_text(reference));
        buffer_reserve(&uri, 1);
        const char *hash = uri.size ? memchr(uri.data, '#', uri.size) : NULL;
        struct bytes document = {uri.data, hash ? (size_t)(hash - uri.data) : uri.size};
        if (hash && !percent_decode((struct bytes){hash + 1, uri.size - document.size - 1}, &fragment))
                return compile_wrong(compiler, reference, ERROR_INVALID, "a broken percent escape");
        const struct json *target = find_resource(compiler, document);
        if (!target)
                return compile_wrong(compiler, reference, ERROR_UNSUPPORTED,
                                     "$ref to another document is not supported: \"%.*s\"", BYTES_PRINT(document));
        if (fragment.size && fragment.data[0] == '/') {
                target = follow_pointer(compiler, target, buffer_bytes(&fragment));
        } else if (fragment.size) {
                uri.size = document.size;
                buffer_append_byte(&uri, '#');
                buffer_append(&uri, buffer_bytes(&fragment));
                target = find_resource(compiler, buffer_bytes(&uri));
        }
        if (!target)
                return compile_wrong(compiler, reference, ERROR_INVALID, "this $ref leads nowhere");
        pending->subschema->reference = compile_subschema(compiler, target);
        return pending->subschema->reference != NULL;
}

static bool find_loop(struct compiler *compiler, const struct subschema *subschema, unsigned depth);

static bool find_loop_in(struct compiler *compiler, struct schema_list list, unsigned depth) {
        for (size_t i = 0; i < list.count; i++)
                if (!find_loop(compiler, list.items[i], depth))
                        return false;
        return true;
}

static bool find_loop(struct compiler *compiler, const struct subschema *constant, unsigned depth) {
        if (!constant)
                return true;
        struct subschema *subschema = compiler->subschemas[number_of(compiler, constant->source)];
        if (subschema->walk == 1)
                return compile_wrong(compiler, subschema->source, ERROR_INVALID,
                                     "this schema leads back to itself without going deeper into the instance");
        if (subschema->walk == 2)
                return true;
        if (depth > SCHEMA_CHAIN_MAX)
                return compile_wrong(compiler, subschema->source, ERROR_LIMIT, "more than %d references in a row",
                                     SCHEMA_CHAIN_MAX);
        subschema->walk = 1;
        depth++;
        if (!find_loop(compiler, subschema->reference, depth) || !find_loop(compiler, subschema->not, depth) ||
            !find_loop(compiler, subschema->condition, depth) || !find_loop(compiler, subschema->then, depth) ||
            !find_loop(compiler, subschema->otherwise, depth) || !find_loop_in(compiler, subschema->all, depth) ||
            !find_loop_in(compiler, subschema->any, depth) || !find_loop_in(compiler, subschema->one, depth))
                return false;
        for (size_t i = 0; subschema->object && i < subschema->object->dependency_count; i++)
                if (!find_loop(compiler, subschema->object->dependencies[i].schema, depth))
                        return false;
        subschema->walk = 2;
        return true;
}

static bool choose_draft(struct compiler *compiler) {
        static const struct { struct bytes uri; enum schema_draft draft; } drafts[] = {
                {BYTES("https://json-schema.org/draft/2020-12/schema"), SCHEMA_DRAFT_2020_12},
                {BYTES("http://json-schema.org/draft-07/schema"), SCHEMA_DRAFT_7},
        };
        const struct json *dialect = json_get_text(compiler->schema->document, "$schema");
        if (!dialect)
                return true;
        struct bytes uri = json_is(dialect, JSON_STRING) ? json_text(dialect) : (struct bytes){0};
        uri.size -= uri.size && uri.data[uri.size - 1] == '#';
        for (size_t i = 0; i < ARRAY_SIZE(drafts); i++) {
                if (bytes_equal(drafts[i].uri, uri)) {
                        compiler->schema->draft = drafts[i].draft;
                        return true;
                }
        }
        return compile_wrong(compiler, dialect, ERROR_UNSUPPORTED, "$schema is not supported: expected "
                             "\"https://json-schema.org/draft/2020-12/schema\" or \"http://json-schema.org/draft-07/schema#\"");
}

static bool compile_document(struct compiler *compiler) {
        struct schema *schema = compiler->schema;
        size_t nodes = schema->document->span;
        if (!choose_draft(compiler))
                return false;
        compiler->subschemas = must_calloc(nodes, sizeof *compiler->subschemas);
        compiler->bases = must_calloc(nodes, sizeof *compiler->bases);
        compiler->resources = must_calloc(SCHEMA_RESOURCES_MAX, sizeof *compiler->resources);
        compiler->bases[0] = "";
        if (!index_schema(compiler, schema->document, "") || !add_resource(compiler, schema->document, compiler->bases[0]))
                return false;
        schema->root = compile_subschema(compiler, schema->document);
        if (!schema->root)
                return false;
        for (size_t i = 0; i < compiler->pending_count; i++) {
                struct pending pending = compiler->pending[i];          // the array may move
                if (!resolve_reference(compiler, &pending))
                        return false;
        }
        for (size_t i = 0; i < nodes; i++)
                if (compiler->subschemas[i] && !find_loop(compiler, compiler->subschemas[i], 0))
                        return false;
        return true;
}

static bool compile(struct schema *schema, struct bytes source, struct error *error) {
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        schema->source = arena_copy(&schema->arena, source);
        if (!json_parse(schema->source, &limits, &schema->arena, &schema->document, error))
                return error_wrap(error, "schema");
        struct compiler compiler = {.schema = schema, .error = error};
        bool good = compile_document(&compiler);
        free(compiler.subschemas);
        free(compiler.bases);
        free(compiler.resources);
        free(compiler.pending);
        return good;
}

bool schema_compile(struct bytes source, const struct schema_options *options, struct schema **ret_schema, struct error *error) {
        struct schema *schema = must_calloc(1, sizeof *schema);
        schema->draft = options ? options->draft : SCHEMA_DRAFT_2020_12;
        if (!compile(schema, source, error)) {
                schema_free(schema);
                return false;
        }
        *ret_schema = schema;
        return true;
}

void schema_free(struct schema *schema) {
        if (!schema)
                return;
        for (size_t i = 0; i < schema->pattern_count; i++)
                pattern_free(schema->patterns[i]);
        free(schema->patterns);
        arena_free(&schema->arena);
        free(schema);
}

struct bytes schema_source(const struct schema *schema) {
        return schema->source;
}
