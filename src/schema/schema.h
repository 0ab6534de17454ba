// SPDX-License-Identifier: Apache-2.0
// JSON Schema (drafts 7 and 2020-12): compile once, validate from any thread.
//
// A compiled schema is immutable. What it cannot assert it refuses at compile time, by name and with the JSON pointer of the
// keyword (ERROR_UNSUPPORTED): $dynamicRef, unevaluated…, remote $ref, an unknown $schema, a pattern outside the supported part
// of ECMA-262. Numbers are exact. Annotations (title, description, format, content…, unknown keywords) do not assert.
// Source: json-schema.org, draft-bhutton-json-schema-01, draft-handrews-json-schema-01; ECMA-262 for patterns.
#pragma once

#include "json/json.h"

struct schema;

enum schema_draft { SCHEMA_DRAFT_2020_12, SCHEMA_DRAFT_7 };     // without $schema: 2020-12

enum {
        SCHEMA_BYTES_MAX = 4 << 20,
        SCHEMA_NODES_MAX = 200000,      // values and keys of the schema document
        SCHEMA_DEPTH_MAX = 1000,        // of evaluation: subschemas within each other, $ref included (about 1 MB of stack)
        SCHEMA_STEPS_MIN = 1000000,     // subschemas evaluated for one instance, …
        SCHEMA_STEPS_PER_NODE = 256,    // … and for each of its values and keys
        SCHEMA_FAILURES_MAX = 100,
};

struct schema_options {
        enum schema_draft draft;        // where the document has no $schema
};

// options may be NULL. ERROR_INVALID: not JSON, or a keyword's value is wrong (named, with its JSON pointer).
MUST_USE bool schema_compile(struct bytes source, const struct schema_options *options, struct schema **ret_schema,
                             struct error *error);
void schema_free(struct schema *schema);                        // NULL is allowed
struct bytes schema_source(const struct schema *schema);        // the document it was compiled from

enum schema_verdict {
        SCHEMA_VALID,
        SCHEMA_INVALID,
        SCHEMA_UNDECIDED,               // a limit was reached (depth, steps of a pattern): an error, not a verdict
};

// The verdict alone. `scratch` is for large uniqueItems and patterns; nothing in it outlives the call, and nothing is allocated
// otherwise: with an arena that is reset between instances, validation does not allocate.
MUST_USE enum schema_verdict schema_verdict(const struct schema *schema, const struct json *instance, struct arena *scratch);

// Why not. Texts are in the arena.
struct schema_failure {
        const char *instance_path;      // JSON pointer
        const char *keyword;            // "required"
        const char *keyword_path;       // JSON pointer into the schema document: "/properties/payload/required"
        const char *sentence;           // for a person; never contains values of the instance, only names that the schema has
        struct json_position position;  // of the value, in the source of the instance
};
// Collects up to `most` (at most SCHEMA_FAILURES_MAX) failures, in document order where that is known. Of anyOf and oneOf the
// branch that came furthest is told. `source` is what `instance` was parsed from.
MUST_USE enum schema_verdict schema_explain(const struct schema *schema, struct bytes source, const struct json *instance,
                                            struct arena *arena, size_t most, struct schema_failure **ret_failures,
                                            size_t *ret_count);

// Verdict, and the first failure as an error: ERROR_REJECTED "at /payload/task_id (line 1, column 40, byte 39): type: …",
// ERROR_LIMIT when undecided.
MUST_USE bool schema_validate(const struct schema *schema, struct bytes source, const struct json *instance,
        struct arena *scratch,
                              struct error *error);

// Appends the instance's text with `default`s filled in: for each object that `properties` describes (through $ref and allOf), a
// member that is absent and whose schema has a default is added behind the others, in the order of the schema. Nested objects are
// filled too, in arrays as well; a default is inserted as it is written. What stands inside anyOf, oneOf, not, if fills nothing.
// Returns false, and appends nothing, when there is nothing to fill.
bool schema_fill_defaults(const struct schema *schema, const struct json *instance, struct buffer *buffer);
