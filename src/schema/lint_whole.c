// SPDX-License-Identifier: Apache-2.0
// Rules that ask the engine itself: the meta-schema, a proof that nothing can match; and what nothing refers to.
#include "schema/lint_priv.h"

#include <stdlib.h>

#include "json/pointer.h"
#include "json/writer.h"
#include "schema/compatible.h"

#define DOCUMENT "urn:commute:linted"

// --- a subschema alone: by a document that only refers to it

static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        const struct lint *lint = user;
        if (bytes_equal(uri, BYTES(DOCUMENT))) {
                *ret_source = lint->source;
                return true;
        }
        if (lint->options->resolve)
                return lint->options->resolve(lint->options->user, uri, ret_source, error);
        return error_set(error, ERROR_NOT_FOUND, "not known");
}

static void append_reference(struct buffer *text, const struct lint *lint, const struct json *schema) {
        CLEANUP(buffer_free) struct buffer pointer = {0}, uri = {0};
        json_pointer_of(&pointer, lint->root, schema);
        buffer_print(&uri, DOCUMENT "#");
        uri_append_fragment(&uri, buffer_bytes(&pointer));
        json_quote(text, buffer_bytes(&uri));
}

// Whether it means the same wherever it stands: it neither refers to anything nor has a name.
static bool stands_alone(const struct lint *lint, const struct json *schema) {
        static const char *const names[] = {"$ref", "$dynamicRef", "$recursiveRef", "$id", "id", "$schema", "$anchor", "$dynamicAnchor",
                                            "$recursiveAnchor"};
        if (lint->foreign)
                return false;
        for (const struct json *node = schema; node < json_next(schema); node++)
                for (size_t i = 0; json_is(node, JSON_OBJECT) && i < ARRAY_SIZE(names); i++)
                        if (json_get_text(node, names[i]))
                                return false;
        return true;
}

static void refer(struct lint *lint, const struct json *schema, struct buffer *text) {
        const struct json *dialect = json_get_text(lint->root, "$schema");
        buffer_print(text, "{");
        if (dialect) {
                buffer_print(text, "\"$schema\":");
                json_write(text, dialect);
                buffer_print(text, ",");
        }
        buffer_print(text, "\"$ref\":");
        append_reference(text, lint, schema);
        buffer_print(text, "}");
}

struct schema *lint_compile(struct lint *lint, const struct json *schema) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct schema_options options = *lint->options;
        struct schema *result = NULL;
        bool alone = stands_alone(lint, schema);
        size_t nodes = alone ? schema->span : lint->root->span;
        if (nodes > lint->nodes)
                return NULL;
        lint->nodes -= nodes;
        options.resolve = resolve;
        options.user = lint;
        options.draft = alone ? lint->dialect.draft : options.draft;
        if (alone)
                json_write(&text, schema);
        else
                refer(lint, schema, &text);
        return schema_compile(buffer_bytes(&text), &options, &result, NULL) ? result : NULL;
}

// --- proofs

// Keywords that may leave nothing; what has none of them is open to something, or its own subschemas are at fault.
static bool may_be_empty(const struct lint *lint, const struct json *schema) {
        size_t count = 0;
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                const struct keyword *keyword = keyword_find(json_text(key), &lint->dialect);
                count += keyword && keyword->compile && strcmp(keyword->name, "$defs") != 0 && strcmp(keyword->name, "definitions") != 0;
        }
        bool plain_not = count == 1 && json_get_text(schema, "not");            // how draft 4 writes false
        return count > 0 && !plain_not && !(count == 1 && json_get_text(schema, "$ref"));
}

void lint_empty(struct lint *lint, const struct json *schema) {
        struct schema_difference *differences;
        struct schema *nothing = NULL;
        size_t count;
        bool finite = lint_get(lint, schema, "const") || lint_get(lint, schema, "enum");        // each value has been tried
        if (lint->proofs == 0 || lint->steps == 0 || finite || !may_be_empty(lint, schema))
                return;
        lint->proofs--;
        struct schema *alone = lint_compile(lint, schema);
        if (alone && schema_compile(BYTES("false"), NULL, &nothing, NULL)) {
                struct schema_compatible_options options = {.budget = &lint->steps};
                if (schema_compatible(alone, nothing, &options, lint->arena, &differences, &count) == SCHEMA_COMPATIBLE)
                        lint_find(lint, "never-matches", schema, "nothing can match all of this together");
        }
        schema_free(nothing);
        schema_free(alone);
}

// --- the meta-schema

static struct bytes meta_of(const struct lint *lint) {
        static const struct bytes uris[] = {
                [SCHEMA_DRAFT_4] = BYTES("http://json-schema.org/draft-04/schema"),
                [SCHEMA_DRAFT_6] = BYTES("http://json-schema.org/draft-06/schema"),
                [SCHEMA_DRAFT_7] = BYTES("http://json-schema.org/draft-07/schema"),
                [SCHEMA_DRAFT_2019_09] = BYTES("https://json-schema.org/draft/2019-09/schema"),
                [SCHEMA_DRAFT_2020_12] = BYTES("https://json-schema.org/draft/2020-12/schema"),
        };
        const struct json *own = json_get_text(lint->root, "$schema");
        return json_is(own, JSON_STRING) ? json_text(own) : uris[lint->dialect.draft];
}

// What stands in a resource of another draft is not this meta-schema's.
static const struct json *find_place(const struct lint *lint, const char *path) {
        struct json_pointer pointer;
        const struct json *node = lint->root;
        if (!json_pointer_parse(bytes_of(path), lint->arena, &pointer, NULL))
                return NULL;
        for (size_t i = 0; i < pointer.count && node; i++) {
                node = json_pointer_step(node, pointer.tokens[i]);
                if (json_is(node, JSON_OBJECT) && json_get_text(node, "$schema"))
                        return NULL;
        }
        return node;
}

// Whether a rule has said something of the place, or in it.
static bool is_told(const struct lint *lint, const char *path) {
        size_t size = strlen(path);
        for (size_t i = 0; i < lint->count; i++) {
                const char *told = lint->findings[i].path;
                if (strncmp(told, path, size) == 0 && (told[size] == '/' || !told[size]))
                        return true;
        }
        return false;
}

void lint_meta(struct lint *lint) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct schema *meta = NULL;
        struct schema_failure *failures;
        size_t count;
        buffer_append(&text, BYTES("{\"$schema\":"));
        json_quote(&text, meta_of(lint));
        buffer_append(&text, BYTES(",\"$ref\":"));
        json_quote(&text, meta_of(lint));
        buffer_append_byte(&text, '}');
        if (!schema_compile(buffer_bytes(&text), lint->options, &meta, NULL))
                return;                         // of a dialect whose meta-schema has mistakes of its own
        if (schema_explain(meta, lint->source, lint->root, lint->arena, 0, &failures, &count) == SCHEMA_INVALID) {
                for (size_t i = 0; i < count; i++) {
                        const struct json *place = find_place(lint, failures[i].instance_path);
                        if (place && !is_told(lint, failures[i].instance_path))
                                lint_find(lint, "meta-schema", place, "%s", failures[i].sentence);
                }
        }
        schema_free(meta);
}

// --- definitions

struct fragments {
        struct bytes *list;                     // of all strings that have one, sorted
        size_t count;
};

static int by_bytes(const void *left, const void *right) {
        return bytes_compare(*(const struct bytes *)left, *(const struct bytes *)right);
}

static void collect_fragments(struct lint *lint, struct fragments *fragments) {
        size_t strings = 0;
        for (const struct json *node = lint->root; node < json_next(lint->root); node++)
                strings += json_is(node, JSON_STRING);
        fragments->list = arena_alloc(lint->arena, (strings + 1) * sizeof *fragments->list);
        for (const struct json *node = lint->root; node < json_next(lint->root); node++) {
                struct bytes text = json_is(node, JSON_STRING) ? json_text(node) : BYTES("");
                const char *hash = text.size ? memchr(text.data, '#', text.size) : NULL;
                if (hash)
                        fragments->list[fragments->count++] = (struct bytes){hash + 1, text.size - (size_t)(hash + 1 - text.data)};
        }
        qsort(fragments->list, fragments->count, sizeof *fragments->list, by_bytes);
}

// The first that is not less than the text; NULL: all are.
static const struct bytes *find_from(const struct fragments *fragments, struct bytes text) {
        size_t low = 0, high = fragments->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (bytes_compare(fragments->list[middle], text) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < fragments->count ? &fragments->list[low] : NULL;
}

// Whether a reference leads there, or below it. The pointer is followed by a slash in the buffer.
static bool is_referred_to(const struct fragments *fragments, struct bytes pointer_and_slash) {
        struct bytes pointer = {pointer_and_slash.data, pointer_and_slash.size - 1};
        const struct bytes *same = find_from(fragments, pointer), *below = find_from(fragments, pointer_and_slash);
        return (same && bytes_equal(*same, pointer)) || (below && bytes_starts_with(*below, pointer_and_slash));
}

static bool has_name(const struct json *schema) {
        static const char *const names[] = {"$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (json_get_text(schema, names[i]))
                        return true;
        return false;
}

void lint_unused(struct lint *lint) {
        static const char *const keywords[] = {"$defs", "definitions"};
        struct fragments fragments = {0};
        collect_fragments(lint, &fragments);
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
                const struct json *definitions = json_get_text(lint->root, keywords[i]);
                if (!json_is(definitions, JSON_OBJECT))
                        continue;
                JSON_FOR_EACH_MEMBER(key, value, definitions) {
                        CLEANUP(buffer_free) struct buffer pointer = {0};
                        // A name that a URI has to escape is left alone.
                        bool plain = true;
                        buffer_print(&pointer, "/%s", keywords[i]);
                        json_pointer_append(&pointer, json_text(key));
                        for (size_t at = 0; at < pointer.size; at++)
                                plain &= pointer.data[at] > ' ' && pointer.data[at] < 0x7F && !strchr("\"<>\\^`{|}%", pointer.data[at]);
                        buffer_append_byte(&pointer, '/');
                        if (plain && !has_name(value) && !is_referred_to(&fragments, buffer_bytes(&pointer)))
                                lint_find(lint, "unused", value, "nothing in this document refers to the definition \"%.*s\"",
                                          BYTES_PRINT(json_text(key)));
                }
        }
}
