// SPDX-License-Identifier: Apache-2.0
// Rules about keywords: known ones, where they have an effect.
#include "schema/lint_priv.h"

// --- unknown keywords

static const char *const annotations[] = {
        "$schema", "$vocabulary", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
        "contentSchema", "confluent:tags",
};

// That name a schema, in some drafts only: where they are not known, references do not find it.
static const struct { const char *keyword; bool old, since_6, since_2019, only_2019, only_2020; } names[] = {
        {"id", .old = true}, {"$id", .since_6 = true}, {"$anchor", .since_2019 = true}, {"$recursiveAnchor", .only_2019 = true},
        {"$dynamicAnchor", .only_2020 = true},
};

static const char *const all_keywords[] = {
        "$ref", "$dynamicRef", "$recursiveRef", "$defs", "definitions", "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum",
        "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format", "prefixItems", "items", "additionalItems",
        "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems", "properties", "required", "patternProperties",
        "additionalProperties", "propertyNames", "minProperties", "maxProperties", "dependencies", "dependentRequired",
        "dependentSchemas", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems",
        "contentEncoding", "contentMediaType",
};

// What other dialects have, or earlier drafts had.
static const struct { const char *keyword, *meant; } others[] = {
        {"nullable", "OpenAPI has it; here \"null\" is one of the type's names"}, {"discriminator", "OpenAPI has it; here it says nothing"},
        {"example", "OpenAPI has it; here it is examples, a list"}, {"divisibleBy", "it is multipleOf since draft 4"},
        {"extends", "it is allOf since draft 4"}, {"disallow", "it is not since draft 4"},
        {"optional", "members are optional that required does not name"},
};

static const char *nearest(struct bytes name) {
        const char *best = NULL;
        size_t least = 3;
        for (size_t i = 0; i < ARRAY_SIZE(all_keywords) + ARRAY_SIZE(annotations); i++) {
                const char *one = i < ARRAY_SIZE(all_keywords) ? all_keywords[i] : annotations[i - ARRAY_SIZE(all_keywords)];
                size_t far = name_distance(name, bytes_of(one));
                if (far < least && far < name.size) {
                        least = far;
                        best = one;
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

static bool is_name(const struct lint *lint, struct bytes name) {
        enum schema_draft draft = lint->dialect.draft;
        bool modern = draft == SCHEMA_DRAFT_2019_09 || draft == SCHEMA_DRAFT_2020_12;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (bytes_equal(bytes_of(names[i].keyword), name))
                        return (names[i].old && draft == SCHEMA_DRAFT_4) || (names[i].since_6 && draft != SCHEMA_DRAFT_4) ||
                               (names[i].since_2019 && modern) || (names[i].only_2019 && draft == SCHEMA_DRAFT_2019_09) ||
                               (names[i].only_2020 && draft == SCHEMA_DRAFT_2020_12);
        return false;
}

static bool is_other_name(struct bytes name) {
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (bytes_equal(bytes_of(names[i].keyword), name))
                        return true;
        return false;
}

// "from draft 6 on", "up to 2019-09": which drafts have a keyword that this one has not.
static const char *when(struct bytes name, enum schema_draft draft) {
        static const struct { enum schema_draft draft; const char *from, *to; } drafts[] = {
                {SCHEMA_DRAFT_4, "from draft 4 on", "up to draft 4"}, {SCHEMA_DRAFT_6, "from draft 6 on", "up to draft 6"},
                {SCHEMA_DRAFT_7, "from draft 7 on", "up to draft 7"}, {SCHEMA_DRAFT_2019_09, "from 2019-09 on", "up to 2019-09"},
                {SCHEMA_DRAFT_2020_12, "from 2020-12 on", "up to 2020-12"},
        };
        const char *to = NULL;
        bool passed = false;
        for (size_t i = 0; i < ARRAY_SIZE(drafts); i++) {
                struct dialect dialect = {drafts[i].draft, VOCABULARY_ALL};
                bool has = keyword_find(name, &dialect);
                passed |= drafts[i].draft == draft;
                if (has && passed)
                        return drafts[i].from;
                if (has)
                        to = drafts[i].to;
        }
        return to ? to : "elsewhere";
}

static const char *other_dialect(struct bytes name) {
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (bytes_equal(bytes_of(others[i].keyword), name))
                        return others[i].meant;
        return NULL;
}

void lint_unknown(struct lint *lint, const struct json *schema) {
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                struct bytes name = json_text(key);
                if (bytes_starts_with(name, BYTES("x-")) || is_in(name, annotations, ARRAY_SIZE(annotations)) ||
                    keyword_find(name, &lint->dialect) || is_name(lint, name) || lint->foreign)
                        continue;
                const char *other = other_dialect(name), *near = nearest(name);
                if (is_other_name(name))
                        lint_find(lint, "unknown-keyword", value, "this draft does not have \"%.*s\": the schema has no name by it",
                                  BYTES_PRINT(name));
                else if (is_in(name, all_keywords, ARRAY_SIZE(all_keywords)))
                        lint_find(lint, "unknown-keyword", value, "this draft does not have the keyword \"%.*s\", which is there %s",
                                  BYTES_PRINT(name), when(name, lint->dialect.draft));
                else if (other)
                        lint_find(lint, "unknown-keyword", value, "there is no keyword \"%.*s\": %s", BYTES_PRINT(name), other);
                else if (near)
                        lint_find(lint, "unknown-keyword", value, "there is no keyword \"%.*s\"; is \"%s\" meant?", BYTES_PRINT(name),
                                  near);
                else
                        lint_find(lint, "unknown-keyword", value, "there is no keyword \"%.*s\"", BYTES_PRINT(name));
        }
}

// Of a schema with $ref up to draft 7.
void lint_ignored(struct lint *lint, const struct json *schema) {
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                const struct keyword *keyword = keyword_find(json_text(key), &lint->dialect);
                if (keyword && keyword->compile && strcmp(keyword->name, "$ref") != 0 && strcmp(keyword->name, "$defs") != 0 &&
                    strcmp(keyword->name, "definitions") != 0)
                        lint_find(lint, "ignored", value, "up to draft 7 nothing beside $ref counts; put the $ref into an allOf");
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

// In draft 4 the limit is in another keyword, and this one says that it is excluded.
static void check_exclusive(struct lint *lint, const struct json *schema, const char *keyword, const char *limit) {
        const struct json *value = lint_get(lint, schema, keyword);
        if (lint->dialect.draft == SCHEMA_DRAFT_4 && json_is(value, JSON_BOOL) && json_bool(value) && !lint_get(lint, schema, limit))
                lint_find(lint, "without-effect", value, "%s without %s says nothing", keyword, limit);
}

void lint_without_effect(struct lint *lint, const struct json *schema) {
        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
                const struct json *value = lint_get(lint, schema, types[i].keyword);
                bool allowed = !lint_get(lint, schema, "type") || lint_allows_type(schema, bytes_of(types[i].type)) ||
                               (strcmp(types[i].type, "number") == 0 && lint_allows_type(schema, BYTES("integer")));
                if (value && !allowed)
                        lint_find(lint, "without-effect", value, "%s is about %ss, which the type excludes", types[i].keyword,
                                  types[i].type);
        }
        for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
                const struct json *value = lint_get(lint, schema, companions[i].keyword);
                if (value && !lint_get(lint, schema, companions[i].needs))
                        lint_find(lint, "without-effect", value, "%s without %s says nothing", companions[i].keyword, companions[i].needs);
        }
        const struct json *more = lint_get(lint, schema, "additionalItems");
        if (more && !json_is(lint_get(lint, schema, "items"), JSON_ARRAY))
                lint_find(lint, "without-effect", more, "additionalItems without an array of items says nothing");
        check_exclusive(lint, schema, "exclusiveMinimum", "minimum");
        check_exclusive(lint, schema, "exclusiveMaximum", "maximum");
}
