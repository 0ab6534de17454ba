// SPDX-License-Identifier: Apache-2.0
// JSON Schema, drafts 4, 6, 7, 2019-09 and 2020-12: compile once, validate from any thread.
//
// A compiled schema is immutable. Every keyword of the drafts asserts what they say: $ref (with siblings ignored up to draft 7), $anchor,
// $dynamicRef, $recursiveRef, unevaluated…, $vocabulary and custom meta-schemas included; a resource may be of another draft than
// the one that refers to it. Other documents come from the caller's resolver, never from a network; the drafts' own
// meta-schemas are built in. Numbers are exact. What does not assert (title, content…, unknown keywords, format unless asked for)
// is an annotation. What cannot be asserted is refused when compiling, by name and place: an unknown $schema or required
// vocabulary, a document that is not there, a pattern that is not ECMA-262.
// Source: json-schema.org, draft-zyp-json-schema-04, draft-wright-json-schema-01, draft-handrews-json-schema-01 and -02,
// draft-bhutton-json-schema-01; ECMA-262 for patterns.
#pragma once

#include "json/json.h"

struct schema;

enum schema_draft {                     // without $schema: 2020-12
        SCHEMA_DRAFT_2020_12, SCHEMA_DRAFT_7, SCHEMA_DRAFT_2019_09, SCHEMA_DRAFT_6, SCHEMA_DRAFT_4
};

enum {
        SCHEMA_BYTES_MAX = 4 << 20,     // of one document
        SCHEMA_NODES_MAX = 200000,      // values and keys of one document
        SCHEMA_DOCUMENTS_MAX = 1000,    // that a schema is made of
        SCHEMA_RESOURCES_MAX = 10000,   // $id
        SCHEMA_URI_MAX = 8192,          // bytes of the URI of a resource, and of what a reference leads to, without its fragment
        SCHEMA_PATTERNS_MAX = 64 << 20, // bytes that all patterns of a schema take when compiled; equal ones count once
        SCHEMA_PATTERN_WORK_MAX = 100000000,    // steps that compiling them takes, together
        SCHEMA_DEPTH_MAX = 1000,        // of evaluation: subschemas within each other, $ref included (about 1 MB of stack)
        SCHEMA_STEPS_MIN = 1000000,     // subschemas evaluated for one instance, …
        SCHEMA_STEPS_PER_NODE = 256,    // … and for each of its values and keys
        SCHEMA_FAILURES_MAX = 100,      // of schema_explain
        SCHEMA_UNITS_MAX = 10000,       // of schema_output
        SCHEMA_DEFAULTS_MAX = 16 << 20, // bytes that defaults add to one instance
        SCHEMA_DEFAULTS_STEPS_MAX = 5000000,    // subschemas and properties that are looked at for that
};

// Gives the document of an absolute URI without a fragment. The bytes must live until schema_compile returns. False with
// ERROR_NOT_FOUND: there is none; the reference is refused then, with its place.
typedef bool schema_resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error);

struct schema_options {
        enum schema_draft draft;        // where the document has no $schema
        bool assert_format;             // `format` asserts; otherwise only where a vocabulary says so
        bool assert_content;            // contentEncoding base64 and contentMediaType application/json assert, as draft 7 allows
        schema_resolve *resolve;        // NULL: no other documents
        void *user;
};

// options may be NULL. ERROR_INVALID: not JSON, or a keyword's value is wrong (named, with its JSON pointer).
MUST_USE bool schema_compile(struct bytes source, const struct schema_options *options, struct schema **ret_schema,
                             struct error *error);
void schema_free(struct schema *schema);                        // NULL is allowed
struct bytes schema_source(const struct schema *schema);        // the document it was compiled from
size_t schema_memory(const struct schema *schema);              // bytes that it takes, the document included

enum schema_verdict {
        SCHEMA_VALID,
        SCHEMA_INVALID,
        SCHEMA_UNDECIDED,               // a limit was reached (depth, steps of a pattern): an error, not a verdict
};

// The verdict alone. `scratch` is for large arrays and patterns; nothing in it outlives the call, and nothing is allocated
// otherwise: with an arena that is reset between instances, validation does not allocate.
MUST_USE enum schema_verdict schema_verdict(const struct schema *schema, const struct json *instance, struct arena *scratch);

// The same from the bytes of an instance, without parsing it: refuses what json_parse refuses, with the same error (false), and
// comes to the verdict that schema_verdict would come to. Far faster than both together; a valid instance is allocated nothing for,
// but in `scratch` where it has escapes, patterns, objects of very many members or what the compiler could not plan.
MUST_USE bool schema_verdict_bytes(const struct schema *schema, struct bytes source, const struct json_limits *limits,
                                   struct arena *scratch, enum schema_verdict *ret_verdict, struct error *error);

// Why not. Texts are in the arena.
struct schema_failure {
        const char *instance_path;      // JSON pointer
        const char *keyword;            // "required"
        const char *keyword_path;       // JSON pointer into the schema's document: "/properties/payload/required"; of another
                                        // document with its URI before it
        const char *keyword_location;   // the way that evaluation took: "/properties/payload/$ref/required"
        const char *absolute_location;  // URI of the resource and pointer in it
        const char *sentence;           // for a person; without values of the instance unless they were asked for
        struct json_position position;  // of the value, in the source of the instance
};
struct schema_explain_options {
        size_t most;                    // failures, up to SCHEMA_FAILURES_MAX; 0: that many
        bool values;                    // sentences show scalar values of the instance, except those that a schema tags as personal:
                                        // "x-pii": true, or "confluent:tags" with "PII"
};
// Collects failures, in document order where that is known. Of anyOf and oneOf the branch that came nearest is told.
// `source` is what `instance` was parsed from. options may be NULL.
MUST_USE enum schema_verdict schema_explain_with(const struct schema *schema, struct bytes source, const struct json *instance,
                                                 const struct schema_explain_options *options, struct arena *arena,
                                                 struct schema_failure **ret_failures, size_t *ret_count);
MUST_USE enum schema_verdict schema_explain(const struct schema *schema, struct bytes source, const struct json *instance,
                                            struct arena *arena, size_t most, struct schema_failure **ret_failures,
                                            size_t *ret_count);

// Verdict, and the first failure as an error: ERROR_REJECTED "at /payload/task_id (line 1, column 40, byte 39): type: …",
// ERROR_LIMIT when undecided.
MUST_USE bool schema_validate(const struct schema *schema, struct bytes source, const struct json *instance,
                              struct arena *scratch, struct error *error);

// The same of bytes, which are parsed only if they do not match: ERROR_INVALID, ERROR_LIMIT as json_parse's for what is not JSON.
MUST_USE bool schema_validate_bytes(const struct schema *schema, struct bytes source, struct arena *scratch, struct error *error);

// The outputs of the specification (2020-12 Core, section 12.4), appended as JSON. Beside the standard members each error has
// byte, line and column of the value. Up to SCHEMA_UNITS_MAX units; an incomplete list says "truncated": true.
enum schema_output_format { SCHEMA_OUTPUT_FLAG, SCHEMA_OUTPUT_BASIC, SCHEMA_OUTPUT_DETAILED };
struct schema_output_options {
        enum schema_output_format format;
        bool annotations;               // of a valid instance, in basic and detailed
        bool values;                    // as in schema_explain_options
};
MUST_USE enum schema_verdict schema_output(const struct schema *schema, struct bytes source, const struct json *instance,
                                           const struct schema_output_options *options, struct arena *scratch,
                                           struct buffer *buffer);

// Whether anything in the schema has a default.
bool schema_has_defaults(const struct schema *schema);

// Appends the instance's text with `default`s filled in: for each object that `properties` describes (through $ref and allOf), a
// member that is absent and whose schema has a default is added behind the others, in the order of the schema. Nested objects are
// filled too, in arrays as well; a default is inserted as it is written. What stands inside anyOf, oneOf, not, if fills nothing.
// *ret_filled is false, and nothing is appended, when there is nothing to fill. ERROR_LIMIT: they add more than SCHEMA_DEFAULTS_MAX
// bytes, or the schema takes too many steps; nothing is appended.
MUST_USE bool schema_fill_defaults(const struct schema *schema, const struct json *instance, struct buffer *buffer, bool *ret_filled,
                                   struct error *error);
