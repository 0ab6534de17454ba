// SPDX-License-Identifier: Apache-2.0
// Rules about limits that contradict each other, and about the members of objects.
#include "schema/lint_priv.h"

#include <stdlib.h>

#include "json/pointer.h"
#include "schema/pattern.h"

// --- limits

static void leave_nothing(struct lint *lint, const struct json *least, const char *least_name, const struct json *most,
                          const char *most_name) {
        lint_find(lint, "never-matches", least, "%s %.*s and %s %.*s leave nothing between them", least_name,
                  BYTES_PRINT(json_text(least)), most_name, BYTES_PRINT(json_text(most)));
}

static bool is_excluded(const struct lint *lint, const struct json *schema, const char *keyword) {      // draft 4
        const struct json *value = lint_get(lint, schema, keyword);
        return json_is(value, JSON_BOOL) && json_bool(value);
}

void lint_limits(struct lint *lint, const struct json *schema) {
        static const struct { const char *least, *most; bool equal; } pairs[] = {       // equal: equal ones contradict each other, too
                {"minimum", "maximum", false}, {"exclusiveMinimum", "maximum", true}, {"minimum", "exclusiveMaximum", true},
                {"exclusiveMinimum", "exclusiveMaximum", true}, {"minLength", "maxLength", false}, {"minItems", "maxItems", false},
                {"minProperties", "maxProperties", false}, {"minContains", "maxContains", false},
        };
        bool excluded = is_excluded(lint, schema, "exclusiveMinimum") || is_excluded(lint, schema, "exclusiveMaximum");
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                const struct json *least = lint_get(lint, schema, pairs[i].least), *most = lint_get(lint, schema, pairs[i].most);
                bool counts = strcmp(pairs[i].least, "minContains") != 0 || lint_get(lint, schema, "contains");
                if (!json_is(least, JSON_NUMBER) || !json_is(most, JSON_NUMBER) || !counts)
                        continue;
                int order = json_compare(least, most);
                if (order > 0 || (order == 0 && (pairs[i].equal || (i == 0 && excluded))))
                        leave_nothing(lint, least, pairs[i].least, most, pairs[i].most);
        }
}

// --- patterns

void lint_patterns(struct lint *lint, const struct json *schema) {
        const struct json *pattern = lint_get(lint, schema, "pattern"), *members = lint_get(lint, schema, "patternProperties");
        if (json_is(pattern, JSON_STRING) && pattern_matches_nothing(json_text(pattern), lint->arena))
                lint_find(lint, "never-matches", pattern, "no text matches this pattern");
        if (!json_is(members, JSON_OBJECT))
                return;
        JSON_FOR_EACH_MEMBER(key, value, members)
                if (pattern_matches_nothing(json_text(key), lint->arena))
                        lint_find(lint, "unreachable", value, "no name matches this pattern");
}

// --- members

void lint_forget_patterns(struct lint *lint) {
        for (size_t i = 0; i < lint->pattern_count; i++)
                pattern_free(lint->patterns[i]);
        free(lint->patterns);
        lint->patterns = NULL;
        lint->pattern_count = 0;
        lint->patterns_of = NULL;
}

static void compile_patterns(struct lint *lint, const struct json *properties) {
        if (lint->patterns_of == properties)
                return;
        lint_forget_patterns(lint);
        lint->patterns_of = properties;
        lint->patterns = must_calloc(json_count(properties) + 1, sizeof *lint->patterns);
        JSON_FOR_EACH_MEMBER(key, value, properties)
                lint->pattern_count += pattern_compile(json_text(key), &lint->patterns[lint->pattern_count], NULL);     // was before
}

bool lint_describes(struct lint *lint, const struct json *schema, struct bytes name) {
        const struct json *patterns = lint_get(lint, schema, "patternProperties");
        if (json_get(lint_get(lint, schema, "properties"), name))
                return true;
        if (!json_is(patterns, JSON_OBJECT))
                return false;
        compile_patterns(lint, patterns);
        for (size_t i = 0; i < lint->pattern_count; i++)
                if (pattern_search(lint->patterns[i], name, lint->arena) != PATTERN_NO_MATCH)
                        return true;
        return false;
}

// Whether something beside `properties` may describe the object's members, here or where the schema is used.
static bool others_describe(const struct lint *lint, const struct json *schema) {
        static const char *const names[] = {
                "$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas",
                "dependencies", "additionalProperties", "unevaluatedProperties",
        };
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (lint_get(lint, schema, names[i]))
                        return true;
        return lint->beside;
}

static void check_required(struct lint *lint, const struct json *schema, const struct json *name, bool closed) {
        const struct json *properties = lint_get(lint, schema, "properties");
        const struct json *property = json_get(properties, json_text(name));
        if (property && lint_is_false(property))
                lint_find(lint, "never-matches", name, "\"%.*s\" is required, and its schema is false", BYTES_PRINT(json_text(name)));
        else if (property || (!closed && (!json_is(properties, JSON_OBJECT) || others_describe(lint, schema))))
                return;
        else if (!lint_describes(lint, schema, json_text(name)))
                lint_find(lint, "not-a-property", name, closed ? "\"%.*s\" is required, and no property of this closed object" :
                          "\"%.*s\" is required, and no property describes it", BYTES_PRINT(json_text(name)));
}

enum { NAMES_LOOKED_AT = 1000 };                // of one list, by all patterns

void lint_required(struct lint *lint, const struct json *schema) {
        const struct json *required = lint_get(lint, schema, "required"), *limit = lint_get(lint, schema, "maxProperties");
        bool closed = lint_is_false(lint_get(lint, schema, "additionalProperties"));
        size_t looked_at = 0;
        uint64_t most;
        if (!json_is(required, JSON_ARRAY))
                return;
        if (limit && json_to_u64(limit, &most) && json_count(required) > most)
                lint_find(lint, "never-matches", limit, "%zu members are required, and at most %ju allowed", json_count(required),
                          (uintmax_t)most);
        lint_duplicates(lint, required, "this name is there twice");
        JSON_FOR_EACH(name, required)
                if (looked_at++ < NAMES_LOOKED_AT)
                        check_required(lint, schema, name, closed);
}

// --- closed objects beside branches: additionalProperties sees only properties and patternProperties of its own schema

struct closed {
        const struct json *schema, *limit;      // limit: the value of additionalProperties
        size_t looked_at, count;                // names, and those that are refused
        struct bytes first;
        const char *first_keyword;
};

static const struct json *local_target(struct lint *lint, const struct json *reference) {
        CLEANUP(buffer_free) struct buffer pointer_text = {0};
        struct json_pointer pointer;
        struct bytes text = json_is(reference, JSON_STRING) ? json_text(reference) : BYTES("");
        if (text.size < 2 || text.data[0] != '#' || text.data[1] != '/' || lint->inner ||
            !uri_decode((struct bytes){text.data + 1, text.size - 1}, &pointer_text) ||
            !json_pointer_parse(buffer_bytes(&pointer_text), lint->arena, &pointer, NULL))
                return NULL;
        return json_pointer_resolve(&pointer, lint->root);
}

static void see_branch(struct lint *lint, struct closed *closed, const struct json *branch, const char *keyword) {
        const struct json *reference = json_is(branch, JSON_OBJECT) ? json_get_text(branch, "$ref") : NULL;
        if (reference && (json_count(branch) == 1 || lint_is_old(lint)))
                branch = local_target(lint, reference);
        const struct json *properties = json_is(branch, JSON_OBJECT) && !json_get_text(branch, "$schema")
                                                ? lint_get(lint, branch, "properties") : NULL;
        if (!json_is(properties, JSON_OBJECT))
                return;
        JSON_FOR_EACH_MEMBER(key, value, properties) {
                if (lint_is_false(value) || closed->looked_at++ >= NAMES_LOOKED_AT ||
                    lint_describes(lint, closed->schema, json_text(key)))
                        continue;
                if (!closed->count++) {
                        closed->first = json_text(key);
                        closed->first_keyword = keyword;
                }
        }
}

void lint_closed(struct lint *lint, const struct json *schema) {
        static const char *const keywords[] = {"$ref", "allOf", "anyOf", "oneOf", "then", "else"};
        struct closed closed = {.schema = schema, .limit = lint_get(lint, schema, "additionalProperties")};
        if (!lint_is_false(closed.limit))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
                const struct json *value = lint_get(lint, schema, keywords[i]);
                if (!value)
                        continue;
                if (json_is(value, JSON_STRING))
                        see_branch(lint, &closed, local_target(lint, value), keywords[i]);
                else if (!json_is(value, JSON_ARRAY))
                        see_branch(lint, &closed, value, keywords[i]);
                else
                        JSON_FOR_EACH(branch, value)
                                see_branch(lint, &closed, branch, keywords[i]);
        }
        if (closed.count)
                lint_find(lint, "unreachable", closed.limit, "additionalProperties knows only the properties beside it, and refuses "
                          "\"%.*s\"%s, which %s describes%s", BYTES_PRINT(closed.first), closed.count > 1 ? " and others" : "",
                          closed.first_keyword, lint_is_old(lint) ? "" : "; unevaluatedProperties would know it");
}
