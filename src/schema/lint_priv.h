// SPDX-License-Identifier: Apache-2.0
// The walk over a schema's subschemas (lint.c), and the rules that look at each (lint_keywords.c, lint_rules.c, lint_branches.c,
// lint_values.c, lint_whole.c).
#pragma once

#include "schema/lint.h"
#include "schema/schema_priv.h"

struct lint {
        struct bytes source;
        const struct json *root;
        const struct schema_options *options;
        struct arena *arena;
        struct schema_finding *findings;        // positions have only the offset, until the end
        size_t count;
        size_t never, never_before;             // findings of the rule never-matches: all, those before this place
        unsigned checks;                        // of values, left
        unsigned proofs;                        // of subschemas, left
        uint64_t steps;                         // of all proofs together, left
        size_t nodes;                           // to be compiled again, left
        bool collects;                          // unevaluated… is there: a branch that decides nothing may have seen members
        const struct json *patterns_of;         // the patternProperties that were asked last, compiled
        struct pattern **patterns;              // malloc'ed
        size_t pattern_count;
        // of the place that is looked at
        struct dialect dialect;
        bool foreign;                           // its meta-schema is none of the drafts': it may know keywords that nobody else does
        bool inner;                             // within a resource of its own: #/… is not the document's
        bool beside;                            // others look at the same value: it is a branch of allOf, if, …
};

// `at`: the place, a key's value or the subschema itself.
void lint_find(struct lint *lint, const char *rule, const struct json *at, const char *format, ...) PRINTF_LIKE(4, 5);

typedef void lint_rule(struct lint *lint, const struct json *schema);
lint_rule lint_unknown, lint_ignored, lint_without_effect;              // lint_keywords.c
lint_rule lint_limits, lint_patterns, lint_required, lint_closed;       // lint_rules.c
lint_rule lint_branches, lint_conditions;                               // lint_branches.c
lint_rule lint_enum, lint_values, lint_format;                          // lint_values.c

// lint_whole.c. Once for the document: what its meta-schema refuses, and definitions that nothing refers to.
void lint_meta(struct lint *lint);
void lint_unused(struct lint *lint);
// Whether nothing can match, though no single rule has said so.
void lint_empty(struct lint *lint, const struct json *schema);
// The subschema as a schema of its own; NULL: it cannot be asked alone, or SCHEMA_LINT_NODES_MAX have been.
struct schema *lint_compile(struct lint *lint, const struct json *schema);

static inline bool lint_is_true(const struct json *schema) {
        return (json_is(schema, JSON_BOOL) && json_bool(schema)) || (json_is(schema, JSON_OBJECT) && json_count(schema) == 0);
}
static inline bool lint_is_false(const struct json *schema) {
        return json_is(schema, JSON_BOOL) && !json_bool(schema);
}
// The value of a keyword that this place's dialect has, or NULL.
static inline const struct json *lint_get(const struct lint *lint, const struct json *schema, const char *keyword) {
        const struct json *value = json_get_text(schema, keyword);
        return value && keyword_find(bytes_of(keyword), &lint->dialect) ? value : NULL;
}
static inline bool lint_is_old(const struct lint *lint) {                // $ref stands alone
        return lint->dialect.draft != SCHEMA_DRAFT_2019_09 && lint->dialect.draft != SCHEMA_DRAFT_2020_12;
}
// Whether `type` of the schema has the name; true where there is no `type`.
bool lint_allows_type(const struct json *schema, struct bytes type);
bool lint_is_of_type(const struct lint *lint, const struct json *value, const struct json *schema);
// Whether the name is among the properties, or a pattern of patternProperties finds something in it.
bool lint_describes(struct lint *lint, const struct json *schema, struct bytes name);
void lint_forget_patterns(struct lint *lint);
// Finds all but the first of equal elements of an array. O(n log n).
void lint_duplicates(struct lint *lint, const struct json *list, const char *sentence);
