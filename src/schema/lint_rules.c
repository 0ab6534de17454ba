// SPDX-License-Identifier: Apache-2.0
// Rules about keywords: known ones, with an effect, that do not contradict each other.
#include "schema/lint_priv.h"

// --- unknown keywords

static const char *const annotations[] = {
        "$id", "id", "$schema", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment", "title", "description",
        "default", "examples", "deprecated", "readOnly", "writeOnly", "contentSchema", "confluent:tags",
};

static const char *const all_keywords[] = {
        "$ref", "$dynamicRef", "$recursiveRef", "$defs", "definitions", "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "prefixItems", "items", "additionalItems",
        "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems", "properties", "required", "patternProperties",
        "additionalProperties", "propertyNames", "minProperties", "maxProperties", "dependencies", "dependentRequired",
        "dependentSchemas", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems",
        "contentEncoding", "contentMediaType",
};

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

// Insertions, deletions and changes of letters between the two, upper case or not; at least 3 if it is more than 2.
static size_t distance(struct bytes a, const char *b) {
        enum { LONGEST = 40 };
        size_t size = strlen(b), row[LONGEST + 1];
        if (a.size > LONGEST || size > LONGEST)
                return 3;
        for (size_t j = 0; j <= size; j++)
                row[j] = j;
        for (size_t i = 1; i <= a.size; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= size; j++) {
                        size_t other = diagonal + (lower(a.data[i - 1]) != lower(b[j - 1]));
                        diagonal = row[j];
                        row[j] = MIN(other, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[size];
}

static const char *nearest(struct bytes name) {
        const char *best = NULL;
        size_t least = 3;
        for (size_t i = 0; i < ARRAY_SIZE(all_keywords); i++) {
                size_t far = distance(name, all_keywords[i]);
                if (far < least) {
                        least = far;
                        best = all_keywords[i];
                }
        }
        return best;
}

static bool is_in(struct bytes name, const char *const *list, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (bytes_equal(bytes_of(list[i]), name))
                        return true;
        return false;
}

void lint_unknown(struct lint *lint, const struct json *schema) {
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                struct bytes name = json_text(key);
                if (bytes_starts_with(name, BYTES("x-")) || is_in(name, annotations, ARRAY_SIZE(annotations)) ||
                    keyword_find(name, &lint->dialect))
                        continue;
                const char *other = nearest(name);
                if (is_in(name, all_keywords, ARRAY_SIZE(all_keywords)))
                        lint_find(lint, "unknown-keyword", value, "this draft does not have the keyword \"%.*s\"", BYTES_PRINT(name));
                else if (other)
                        lint_find(lint, "unknown-keyword", value, "there is no keyword \"%.*s\"; is \"%s\" meant?", BYTES_PRINT(name),
                                  other);
                else
                        lint_find(lint, "unknown-keyword", value, "there is no keyword \"%.*s\"", BYTES_PRINT(name));
        }
}

void lint_ignored(struct lint *lint, const struct json *schema) {
        bool old = lint->dialect.draft != SCHEMA_DRAFT_2019_09 && lint->dialect.draft != SCHEMA_DRAFT_2020_12;
        if (!old || !json_is(json_get_text(schema, "$ref"), JSON_STRING))
                return;
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                const struct keyword *keyword = keyword_find(json_text(key), &lint->dialect);
                if (keyword && keyword->compile && strcmp(keyword->name, "$ref") != 0 && strcmp(keyword->name, "$defs") != 0 &&
                    strcmp(keyword->name, "definitions") != 0)
                        lint_find(lint, "ignored", value, "up to draft 7 nothing beside $ref counts; put the $ref into an allOf");
        }
}

// --- contradictions

void lint_limits(struct lint *lint, const struct json *schema) {
        static const struct { const char *least, *most; bool equal; } pairs[] = {       // equal: equal ones contradict each other, too
                {"minimum", "maximum", false}, {"exclusiveMinimum", "maximum", true}, {"minimum", "exclusiveMaximum", true},
                {"exclusiveMinimum", "exclusiveMaximum", true}, {"minLength", "maxLength", false}, {"minItems", "maxItems", false},
                {"minProperties", "maxProperties", false}, {"minContains", "maxContains", false},
        };
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                const struct json *least = json_get_text(schema, pairs[i].least), *most = json_get_text(schema, pairs[i].most);
                if (!json_is(least, JSON_NUMBER) || !json_is(most, JSON_NUMBER))
                        continue;
                int order = json_compare(least, most);
                if (order > 0 || (order == 0 && pairs[i].equal))
                        lint_find(lint, "never-matches", least, "%s %.*s and %s %.*s leave nothing between them", pairs[i].least,
                                  BYTES_PRINT(json_text(least)), pairs[i].most, BYTES_PRINT(json_text(most)));
        }
}

static bool matches_pattern(struct lint *lint, const struct json *patterns, struct bytes name) {
        if (!json_is(patterns, JSON_OBJECT))
                return false;
        JSON_FOR_EACH_MEMBER(key, value, patterns) {
                struct pattern *pattern = NULL;
                if (!pattern_compile(json_text(key), &pattern, NULL))
                        return true;                    // not now: it has been compiled before
                enum pattern_verdict verdict = pattern_search(pattern, name, lint->arena);
                pattern_free(pattern);
                if (verdict != PATTERN_NO_MATCH)
                        return true;
        }
        return false;
}

void lint_required(struct lint *lint, const struct json *schema) {
        const struct json *required = json_get_text(schema, "required"), *properties = json_get_text(schema, "properties");
        uint64_t most;
        if (!json_is(required, JSON_ARRAY))
                return;
        const struct json *limit = json_get_text(schema, "maxProperties");
        if (limit && json_to_u64(limit, &most) && json_count(required) > most)
                lint_find(lint, "never-matches", limit, "%zu members are required, and at most %ju allowed", json_count(required),
                          (uintmax_t)most);
        bool closed = lint_is_false(json_get_text(schema, "additionalProperties"));
        JSON_FOR_EACH(name, required) {
                const struct json *property = json_get(properties, json_text(name));
                if (property && lint_is_false(property))
                        lint_find(lint, "never-matches", name, "\"%.*s\" is required, and its schema is false",
                                  BYTES_PRINT(json_text(name)));
                else if (!property && closed && !matches_pattern(lint, json_get_text(schema, "patternProperties"), json_text(name)))
                        lint_find(lint, "not-a-property", name, "\"%.*s\" is required, and no property of this closed object",
                                  BYTES_PRINT(json_text(name)));
                else if (json_is(properties, JSON_OBJECT) && !property &&
                         !matches_pattern(lint, json_get_text(schema, "patternProperties"), json_text(name)))
                        lint_find(lint, "not-a-property", name, "\"%.*s\" is required, and no property describes it",
                                  BYTES_PRINT(json_text(name)));
        }
}

// --- keywords without effect

static const struct { const char *keyword, *type; } types[] = {
        {"minimum", "number"}, {"maximum", "number"}, {"exclusiveMinimum", "number"}, {"exclusiveMaximum", "number"},
        {"multipleOf", "number"}, {"minLength", "string"}, {"maxLength", "string"}, {"pattern", "string"},
        {"contentEncoding", "string"}, {"contentMediaType", "string"}, {"prefixItems", "array"}, {"items", "array"},
        {"additionalItems", "array"}, {"contains", "array"}, {"minItems", "array"}, {"maxItems", "array"}, {"uniqueItems", "array"},
        {"unevaluatedItems", "array"}, {"properties", "object"}, {"required", "object"}, {"patternProperties", "object"},
        {"additionalProperties", "object"}, {"propertyNames", "object"}, {"minProperties", "object"}, {"maxProperties", "object"},
        {"dependencies", "object"}, {"dependentRequired", "object"}, {"dependentSchemas", "object"}, {"unevaluatedProperties", "object"},
};
static const struct { const char *keyword, *needs; } companions[] = {
        {"minContains", "contains"}, {"maxContains", "contains"}, {"contentSchema", "contentMediaType"},
};

void lint_without_effect(struct lint *lint, const struct json *schema) {
        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
                const struct json *value = json_get_text(schema, types[i].keyword);
                bool allowed = lint_allows_type(schema, bytes_of(types[i].type)) ||
                               (strcmp(types[i].type, "number") == 0 && lint_allows_type(schema, BYTES("integer")));
                if (value && !allowed)
                        lint_find(lint, "without-effect", value, "%s is about %ss, which the type excludes", types[i].keyword,
                                  types[i].type);
        }
        for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
                const struct json *value = json_get_text(schema, companions[i].keyword);
                if (value && keyword_find(bytes_of(companions[i].keyword), &lint->dialect) && !json_get_text(schema, companions[i].needs))
                        lint_find(lint, "without-effect", value, "%s without %s says nothing", companions[i].keyword, companions[i].needs);
        }
        const struct json *more = json_get_text(schema, "additionalItems");
        if (more && keyword_find(BYTES("additionalItems"), &lint->dialect) && !json_is(json_get_text(schema, "items"), JSON_ARRAY))
                lint_find(lint, "without-effect", more, "additionalItems without an array of items says nothing");
}

// --- branches

static void check_list(struct lint *lint, const struct json *list, bool any) {
        size_t always = 0, possible = 0;
        JSON_FOR_EACH(branch, list) {
                always += lint_is_true(branch);
                possible += !lint_is_false(branch);
                if (lint_is_false(branch))
                        lint_find(lint, "unreachable", branch, "nothing can take the branch false");
                JSON_FOR_EACH(other, list) {
                        if (other == branch)
                                break;
                        if (json_equal(other, branch)) {
                                lint_find(lint, "duplicate", branch, any ? "this branch is there twice" :
                                          "this branch is there twice: what matches it matches two, which oneOf refuses");
                                break;
                        }
                }
        }
        if (!possible)
                lint_find(lint, "never-matches", list, "no branch can match");
        else if (any && always && json_count(list) > 1)
                lint_find(lint, "unreachable", list, "one branch takes everything: the others decide nothing");
        else if (!any && always > 1)
                lint_find(lint, "never-matches", list, "two branches take everything, and oneOf wants exactly one");
}

void lint_branches(struct lint *lint, const struct json *schema) {
        const struct json *any = json_get_text(schema, "anyOf"), *one = json_get_text(schema, "oneOf");
        const struct json *all = json_get_text(schema, "allOf"), *not = json_get_text(schema, "not");
        if (json_is(any, JSON_ARRAY))
                check_list(lint, any, true);
        if (json_is(one, JSON_ARRAY))
                check_list(lint, one, false);
        if (json_is(all, JSON_ARRAY)) {
                JSON_FOR_EACH(branch, all)
                        if (lint_is_false(branch))
                                lint_find(lint, "never-matches", branch, "allOf with false matches nothing");
        }
        if (not && lint_is_true(not) && schema != lint->root)
                lint_find(lint, "never-matches", not, "not of what matches everything matches nothing");
}

void lint_conditions(struct lint *lint, const struct json *schema) {
        const struct json *condition = json_get_text(schema, "if"), *then = json_get_text(schema, "then");
        const struct json *otherwise = json_get_text(schema, "else");
        if (!keyword_find(BYTES("if"), &lint->dialect))
                return;
        if (!condition && then)
                lint_find(lint, "without-effect", then, "then without if says nothing");
        if (!condition && otherwise)
                lint_find(lint, "without-effect", otherwise, "else without if says nothing");
        if (condition && !then && !otherwise)
                lint_find(lint, "without-effect", condition, "if without then and else says nothing");
        if (condition && then && lint_is_false(condition))
                lint_find(lint, "unreachable", then, "the condition is false: nothing comes here");
        if (condition && otherwise && lint_is_true(condition))
                lint_find(lint, "unreachable", otherwise, "the condition matches everything: nothing comes here");
}
