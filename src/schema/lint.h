// SPDX-License-Identifier: Apache-2.0
// What is allowed in a schema and yet is a mistake: schemas that can never match, keywords that say nothing where they stand. Pure.
#pragma once

#include "schema/schema.h"

enum {
        SCHEMA_FINDINGS_MAX = 1000,
        SCHEMA_LINT_CHECKS_MAX = 200,           // values (default, enum, const) that are validated against their own schema
        SCHEMA_LINT_PROOFS_MAX = 200,           // subschemas of which a proof is tried that nothing can match
        SCHEMA_LINT_NODES_MAX = 1000000,        // values and keys that are compiled again for both, together
};

struct schema_finding {
        const char *rule;                       // "never-matches": see lint.c
        const char *path;                       // JSON pointer into the schema
        const char *sentence;
        struct json_position position;          // of the keyword's value, in the source
};

// Compiles the schema first, with the options (NULL is allowed), and fails as schema_compile does. The findings, in the order of the
// document and at most SCHEMA_FINDINGS_MAX, are in the arena.
MUST_USE bool schema_lint(struct bytes source, const struct schema_options *options, struct arena *arena,
                          struct schema_finding **ret_findings, size_t *ret_count, struct error *error);
