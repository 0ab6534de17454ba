// SPDX-License-Identifier: Apache-2.0
// Compilation.
// 1. The document is indexed: which resources ($id) and anchors name which places (documents.c).
// 2. Every place that is a schema becomes a subschema, its keywords by the rows of keywords.c; references are noted.
// 3. The noted references are resolved, other documents taken in, and what they lead to is compiled if it was not, until nothing
//    is noted any more. Dynamic references are made plain where only one place can be meant.
// 4. A subschema that leads to itself without going deeper into the instance is refused (loops.c).
// Everything that lasts is in the schema's arena; what only compilation needs is the compiler's.
#include "schema/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/pointer.h"
#include "schema/schema_priv.h"
#include "schema/stream_priv.h"

bool compile_wrong(const struct compiler *compiler, const struct json *node, enum error_code code, const char *format, ...) {
        char text[ERROR_TEXT_MAX];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        CLEANUP(buffer_free) struct buffer pointer = {0};
        const struct document *document = document_of(compiler, node);
        json_pointer_of(&pointer, document->root, node);
        struct json_position position = json_position(document->source, json_offset(node));
        bool other = document != compiler->schema->root_document && compiler->schema->root_document;
        return error_set(compiler->error, code, "schema%s%s%s, at \"%.*s\" (line %zu, column %zu): %s", other ? " \"" : "",
                         other ? document->uri : "", other ? "\"" : "", BYTES_PRINT(buffer_bytes(&pointer)), position.line,
                         position.column, text);
}

struct known_pattern {
        struct bytes source;
        const struct pattern *pattern;
};

static bool is_source(const void *element, const void *key) {
        return bytes_equal(((const struct known_pattern *)element)->source, *(const struct bytes *)key);
}

const struct pattern *compile_pattern(struct compiler *compiler, const struct json *node, struct bytes source) {
        struct schema *schema = compiler->schema;
        struct error error;
        struct pattern *pattern;
        struct known_pattern *known = table_find(&compiler->patterns, compile_hash(compiler, source), &source, is_source);
        if (known)
                return known->pattern;
        if (!pattern_compile(source, &pattern, &error)) {
                IGNORE(!compile_wrong(compiler, node, error.code, "%s", error.text));           // false anyway
                return NULL;
        }
        schema->pattern_bytes += pattern_memory(pattern);
        if (schema->pattern_count == schema->pattern_capacity) {
                schema->pattern_capacity = schema->pattern_capacity * 2 + 8;
                schema->patterns = must_realloc(schema->patterns, schema->pattern_capacity * sizeof(struct pattern *));
        }
        schema->patterns[schema->pattern_count++] = pattern;
        if (schema->pattern_bytes > SCHEMA_PATTERNS_MAX) {
                IGNORE(!compile_wrong(compiler, node, ERROR_LIMIT, "with this one, the patterns of the schema take %zu bytes when "
                                      "compiled, at most %d are allowed", schema->pattern_bytes, SCHEMA_PATTERNS_MAX));  // false anyway
                return NULL;
        }
        compiler->pattern_work += pattern_work(pattern);
        if (compiler->pattern_work > SCHEMA_PATTERN_WORK_MAX) {
                IGNORE(!compile_wrong(compiler, node, ERROR_LIMIT, "with this one, compiling the patterns of the schema takes %ju steps, "
                                      "at most %d are allowed", (uintmax_t)compiler->pattern_work, SCHEMA_PATTERN_WORK_MAX));      // NULL
                return NULL;
        }
        known = arena_alloc(&schema->arena, sizeof *known);
        *known = (struct known_pattern){source, pattern};
        table_insert(&compiler->patterns, compile_hash(compiler, source), known);
        return pattern;
}

void compile_later(struct compiler *compiler, struct subschema *subschema, const struct json *reference,
                   enum pending_kind kind) {
        if (compiler->pending_count == compiler->pending_capacity) {
                compiler->pending_capacity = compiler->pending_capacity * 2 + 8;
                compiler->pending = must_realloc(compiler->pending, compiler->pending_capacity * sizeof *compiler->pending);
        }
        compiler->pending[compiler->pending_count++] = (struct pending){subschema, reference, kind};
}

static bool is_trivial(const struct subschema *subschema) {
        return !subschema->never && !subschema->types && !subschema->values && !subschema->constant && !subschema->number &&
               !subschema->string && !subschema->array && !subschema->object && !subschema->logic &&
               !subschema->other_members && !subschema->other_elements;
}

static bool is_tagged(const struct json *node) {
        const struct json *tags = json_get_text(node, "confluent:tags"), *flag = json_get_text(node, "x-pii");
        if (json_is(flag, JSON_BOOL) && json_bool(flag))
                return true;
        if (json_is(tags, JSON_ARRAY))
                JSON_FOR_EACH(tag, tags)
                        if (json_is(tag, JSON_STRING) && bytes_equal(json_text(tag), BYTES("PII")))
                                return true;
        return false;
}

static bool compile_keywords(struct compiler *compiler, struct subschema *subschema, const struct json *node) {
        const struct dialect *dialect = &subschema->resource->dialect;
        const struct json *reference = json_get_text(node, "$ref");
        bool modern = dialect->draft == SCHEMA_DRAFT_2019_09 || dialect->draft == SCHEMA_DRAFT_2020_12;
        bool alone = reference && !modern;
        JSON_FOR_EACH_MEMBER(key, value, node) {
                const struct keyword *keyword = keyword_find(json_text(key), dialect);
                bool definitions = keyword && keyword->shape == SHAPE_MAP && keyword->vocabulary == VOCABULARY_CORE;
                if (alone && value != reference && !definitions)
                        continue;
                if (keyword && keyword->compile && !keyword->compile(compiler, subschema, value))
                        return false;
        }
        if (!alone) {
                compiler->schema->defaults |= json_get_text(node, "default") != NULL;
                subschema->personal = is_tagged(node);
                compiler->schema->personal |= subschema->personal;
        }
        return true;
}

static struct subschema *make(struct compiler *compiler, const struct json *node, struct resource *resource) {
        struct schema *schema = compiler->schema;
        struct subschema *subschema = arena_alloc(&schema->arena, sizeof *subschema);
        subschema->source = node;
        subschema->resource = resource;
        subschema->id = (uint32_t)schema->subschema_count;
        subschema->plain_integers = resource->dialect.draft == SCHEMA_DRAFT_4;
        schema->plain_integers |= subschema->plain_integers;
        if (schema->subschema_count == schema->subschema_capacity) {
                schema->subschema_capacity = schema->subschema_capacity * 2 + 64;
                compiler->made = must_realloc(compiler->made, schema->subschema_capacity * sizeof *compiler->made);
        }
        compiler->made[schema->subschema_count++] = subschema;
        return subschema;
}

const struct subschema *compile_subschema(struct compiler *compiler, const struct json *node) {
        struct document *document = document_of(compiler, node);
        struct subschema **place = &document->subschemas[node - document->root];
        struct resource *resource = document->resources[node - document->root];
        if (*place)
                return *place;
        ASSERT(resource);
        struct subschema *subschema = make(compiler, node, resource);
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

static bool resolve(struct compiler *compiler, const struct pending *pending) {
        const struct json *target;
        struct anchor *anchor;
        struct subschema *subschema = pending->subschema;
        if (!reference_find(compiler, subschema->resource, pending->reference, &target, &anchor))
                return false;
        const struct subschema *found = compile_subschema(compiler, target);
        if (!found)
                return false;
        if (pending->kind == PENDING_PLAIN)
                subschema->reference = found;
        else
                subschema->other_reference = found;
        if (pending->kind == PENDING_RECURSIVE)
                anchor = anchor_find(compiler, resource_of(compiler, target), (struct bytes){"", 0});
        if (pending->kind != PENDING_PLAIN && anchor && anchor->dynamic) {
                subschema->dynamic = anchor;
                dynamic_refer(compiler, anchor->dynamic);
        }
        return true;
}

// Compiles every place that a dynamic reference may lead to.
static bool compile_anchors(struct compiler *compiler) {
        while (compiler->asked) {
                struct anchor *anchor = compiler->asked;
                compiler->asked = anchor->later;
                anchor->subschema = compile_subschema(compiler, anchor->node);
                if (!anchor->subschema)
                        return false;
        }
        return true;
}

static bool resolve_all(struct compiler *compiler) {
        size_t before;
        do {
                before = compiler->pending_count;
                for (; compiler->pending_done < compiler->pending_count; compiler->pending_done++) {
                        struct pending pending = compiler->pending[compiler->pending_done];     // the array may move
                        if (!resolve(compiler, &pending))
                                return false;
                }
                if (!compile_anchors(compiler))
                        return false;
        } while (compiler->pending_count != before);
        return true;
}

static bool compile_document(struct compiler *compiler, const struct json *root) {
        struct schema *schema = compiler->schema;
        struct document *document;
        struct dialect dialect = {compiler->options->draft, VOCABULARY_ALL};
        if (!document_add(compiler, "", schema->source, root, &dialect, &document))
                return false;
        schema->root_document = document;
        schema->root = compile_subschema(compiler, root);
        if (!schema->root || !resolve_all(compiler))
                return false;
        settle_dynamic(compiler);
        if (!find_loops(compiler))
                return false;
        find_fallbacks(compiler);
        stream_plan(schema);
        return true;
}

static bool compile(struct schema *schema, struct bytes source, const struct schema_options *options, struct error *error) {
        const struct json *root;
        if (!document_parse_copy(&source, &schema->arena, &root, error))
                return error_wrap(error, "schema");
        schema->source = source;
        schema->seed = (uintptr_t)schema->source.data * 0x9E3779B97F4A7C15u ^ (uintptr_t)schema;
        struct compiler compiler = {.schema = schema, .options = options, .error = error};
        bool good = compile_document(&compiler, root);
        for (struct document *document = compiler.documents; document; document = document->next) {
                free(document->resources);
                free(document->subschemas);
                document->resources = NULL;
                document->subschemas = NULL;
        }
        table_free(&compiler.patterns);
        names_free(&compiler);
        arena_free(&compiler.arena);
        free(compiler.pending);
        free(compiler.walk);
        free(compiler.made);
        return good;
}

bool schema_compile(struct bytes source, const struct schema_options *options, struct schema **ret_schema, struct error *error) {
        static const struct schema_options defaults = {0};
        struct schema *schema = must_calloc(1, sizeof *schema);
        if (!compile(schema, source, options ? options : &defaults, error)) {
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

size_t schema_memory(const struct schema *schema) {
        return sizeof *schema + arena_size(&schema->arena) + schema->pattern_bytes + schema->pattern_capacity * sizeof *schema->patterns;
}

struct bytes schema_source(const struct schema *schema) {
        return schema->source;
}
