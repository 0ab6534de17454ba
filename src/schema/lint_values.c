// SPDX-License-Identifier: Apache-2.0
// Rules about values in a schema: enum, const, default, examples, format.
#include "schema/lint_priv.h"

void lint_enum(struct lint *lint, const struct json *schema) {
        const struct json *type = lint_get(lint, schema, "type");
        const struct json *values = lint_get(lint, schema, "enum"), *constant = lint_get(lint, schema, "const");
        size_t fitting = 0;
        bool there = false;
        if (json_is(type, JSON_ARRAY))
                lint_duplicates(lint, type, "this type is there twice");
        if (constant && !lint_is_of_type(lint, constant, schema))
                lint_find(lint, "never-matches", constant, "const is not of the schema's type");
        if (!json_is(values, JSON_ARRAY))
                return;
        JSON_FOR_EACH(value, values) {
                fitting += lint_is_of_type(lint, value, schema);
                there |= constant && json_equal(value, constant);
        }
        lint_duplicates(lint, values, "this value is there twice");
        if (!fitting)
                lint_find(lint, "never-matches", values, json_count(values) ? "no value of enum is of the schema's type" :
                                                                              "enum has no value");
        else if (constant && !there)
                lint_find(lint, "never-matches", constant, "const is no value of enum");
}

void lint_format(struct lint *lint, const struct json *schema) {
        const struct json *format = lint_get(lint, schema, "format");
        if (!json_is(format, JSON_STRING) || lint->foreign)
                return;
        bool known = format_find(json_text(format), lint->dialect.draft) != FORMAT_NONE;
        bool newer = format_find(json_text(format), SCHEMA_DRAFT_2020_12) != FORMAT_NONE;
        if (!known)
                lint_find(lint, "unknown-format", format, newer ? "this draft has no format \"%.*s\"; a later one has" :
                          "no draft has a format \"%.*s\"", BYTES_PRINT(json_text(format)));
        else if (lint_get(lint, schema, "type") && !lint_allows_type(schema, BYTES("string")))
                lint_find(lint, "without-effect", format, "the format \"%.*s\" is about strings, which the type excludes",
                          BYTES_PRINT(json_text(format)));
}

// --- values that their own schema refuses

static void check_value(struct lint *lint, const struct schema *schema, const struct json *value, const char *what) {
        struct schema_failure *failures;
        size_t count;
        if (lint->checks == 0)
                return;
        lint->checks--;
        if (schema_explain(schema, (struct bytes){0}, value, lint->arena, 1, &failures, &count) == SCHEMA_INVALID)
                lint_find(lint, "wrong-value", value, "its own schema refuses this %s: %s%s%s", what, failures[0].instance_path,
                          failures[0].instance_path[0] ? ": " : "", failures[0].sentence);
}

void lint_values(struct lint *lint, const struct json *schema) {
        static const struct { const char *keyword, *what; bool list; } keywords[] = {
                {"default", "default", false}, {"examples", "example", true}, {"enum", "value of enum", true}, {"const", "const", false},
        };
        struct schema *alone = NULL;
        if (lint->never > lint->never_before)   // no value is right
                return;
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
                const struct json *value = json_get_text(schema, keywords[i].keyword);
                bool asserts = strcmp(keywords[i].keyword, "enum") == 0 || strcmp(keywords[i].keyword, "const") == 0;
                if (!value || lint->checks == 0 || (keywords[i].list && !json_is(value, JSON_ARRAY)) ||
                    (asserts && !keyword_find(bytes_of(keywords[i].keyword), &lint->dialect)))
                        continue;
                if (!alone)
                        alone = lint_compile(lint, schema);
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
