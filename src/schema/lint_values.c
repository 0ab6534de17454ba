// SPDX-License-Identifier: Apache-2.0
// Rules about values in a schema: enum, const, default, examples, format.
#include "schema/lint_priv.h"

#include "json/pointer.h"
#include "json/writer.h"

#define DOCUMENT "urn:commute:linted"

static bool is_of_type(const struct json *value, const struct json *schema) {
        int64_t ignored;
        bool number = json_is(value, JSON_NUMBER);
        return lint_allows_type(schema, bytes_of(json_type_name(json_type(value)))) ||
               (number && lint_allows_type(schema, BYTES("integer")) &&
                (value->number == JSON_NUMBER_PLAIN || json_to_i64(value, &ignored)));
}

void lint_enum(struct lint *lint, const struct json *schema) {
        const struct json *values = json_get_text(schema, "enum"), *constant = json_get_text(schema, "const");
        size_t fitting = 0;
        if (constant && keyword_find(BYTES("const"), &lint->dialect) && !is_of_type(constant, schema))
                lint_find(lint, "never-matches", constant, "const is not of the schema's type");
        if (!json_is(values, JSON_ARRAY))
                return;
        JSON_FOR_EACH(value, values) {
                fitting += is_of_type(value, schema);
                JSON_FOR_EACH(other, values) {
                        if (other == value)
                                break;
                        if (json_equal(other, value)) {
                                lint_find(lint, "duplicate", value, "this value is there twice");
                                break;
                        }
                }
        }
        if (!fitting)
                lint_find(lint, "never-matches", values, json_count(values) ? "no value of enum is of the schema's type" :
                                                                              "enum has no value");
}

void lint_format(struct lint *lint, const struct json *schema) {
        const struct json *format = json_get_text(schema, "format");
        if (json_is(format, JSON_STRING) && format_find(json_text(format), lint->dialect.draft) == FORMAT_NONE)
                lint_find(lint, "unknown-format", format, "this draft has no format \"%.*s\"", BYTES_PRINT(json_text(format)));
}

// --- values that their own schema refuses: the schema is asked, by a document that only refers to it

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

// NULL: it cannot be asked on its own.
static struct schema *compile_alone(struct lint *lint, const struct json *schema) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct schema_options options = *lint->options;
        struct schema *result = NULL;
        const struct json *dialect = json_get_text(lint->root, "$schema");
        options.resolve = resolve;
        options.user = lint;
        buffer_print(&text, "{");
        if (dialect) {
                buffer_print(&text, "\"$schema\":");
                json_write(&text, dialect);
                buffer_print(&text, ",");
        }
        buffer_print(&text, "\"$ref\":");
        append_reference(&text, lint, schema);
        buffer_print(&text, "}");
        return schema_compile(buffer_bytes(&text), &options, &result, NULL) ? result : NULL;
}

static void check_value(struct lint *lint, const struct schema *schema, const struct json *value, const char *what) {
        struct schema_failure *failures;
        size_t count;
        if (lint->checks == 0)
                return;
        lint->checks--;
        if (schema_explain(schema, lint->source, value, lint->arena, 1, &failures, &count) == SCHEMA_INVALID)
                lint_find(lint, "wrong-value", value, "its own schema refuses this %s: %s%s%s", what, failures[0].instance_path,
                          failures[0].instance_path[0] ? ": " : "", failures[0].sentence);
}

void lint_values(struct lint *lint, const struct json *schema) {
        static const struct { const char *keyword, *what; bool list; } keywords[] = {
                {"default", "default", false}, {"examples", "example", true}, {"enum", "value of enum", true}, {"const", "const", false},
        };
        struct schema *alone = NULL;
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
                const struct json *value = json_get_text(schema, keywords[i].keyword);
                if (!value || lint->checks == 0 || (keywords[i].list && !json_is(value, JSON_ARRAY)))
                        continue;
                if (!alone)
                        alone = compile_alone(lint, schema);
                if (!alone)
                        return;
                if (!keywords[i].list)
                        check_value(lint, alone, value, keywords[i].what);
                else
                        JSON_FOR_EACH(one, value)
                                check_value(lint, alone, one, keywords[i].what);
        }
        schema_free(alone);
}
