// SPDX-License-Identifier: Apache-2.0
// The walk over a schema's subschemas (lint.c), and the rules that look at each (lint_rules.c, lint_values.c).
#pragma once

#include "schema/lint.h"
#include "schema/schema_priv.h"

struct lint {
        struct bytes source;
        const struct json *root;
        struct dialect dialect;
        const struct schema_options *options;
        struct arena *arena;
        struct schema_finding *findings;
        size_t count;
        unsigned checks;                        // of values, left
};

// `at`: the place, a key's value or the subschema itself.
void lint_find(struct lint *lint, const char *rule, const struct json *at, const char *format, ...) PRINTF_LIKE(4, 5);

typedef void lint_rule(struct lint *lint, const struct json *schema);
lint_rule lint_unknown, lint_ignored, lint_limits, lint_required, lint_without_effect, lint_branches, lint_conditions;  // lint_rules.c
lint_rule lint_enum, lint_values, lint_format;                                                                          // lint_values.c

static inline bool lint_is_true(const struct json *schema) {
        return (json_is(schema, JSON_BOOL) && json_bool(schema)) || (json_is(schema, JSON_OBJECT) && json_count(schema) == 0);
}
static inline bool lint_is_false(const struct json *schema) {
        return json_is(schema, JSON_BOOL) && !json_bool(schema);
}
// Whether `type` of the schema has the name; true where there is no `type`.
bool lint_allows_type(const struct json *schema, struct bytes type);
