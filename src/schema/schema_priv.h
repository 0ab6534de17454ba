// SPDX-License-Identifier: Apache-2.0
// A compiled schema: a graph of subschemas in one arena, one for each place in the document that is a schema. Immutable.
// A subschema has its rules by the type of instance they are about; a pointer is NULL where there are none.
#pragma once

#include "schema/pattern.h"
#include "schema/schema.h"

enum { TYPE_INTEGER = 1 << (JSON_OBJECT + 1) };         // beside 1 << enum json_type

struct subschema;

struct schema_list {
        const struct subschema **items;
        size_t count;
};

struct number_rules {
        struct bytes minimum, maximum, above, below, multiple;  // {NULL, 0}: no such rule; above and below are exclusive
};

struct string_rules {
        uint64_t least, most;                   // code points
        const struct pattern *pattern;
};

struct array_rules {
        struct schema_list prefix;
        const struct subschema *rest;           // elements behind the prefix
        const struct subschema *contains;
        uint64_t contains_least, contains_most;
        uint64_t least, most;
        bool unique;
        const char *prefix_keyword, *rest_keyword;
};

// A name that `properties` or `required` mentions.
struct property {
        struct bytes name;
        const struct subschema *schema;         // NULL: in `required` only
        bool required;
};

struct pattern_property {
        const struct pattern *pattern;
        const struct subschema *schema;
};

// If the member is there, the object must have the names, and match the schema.
struct dependency {
        struct bytes name;
        const struct json *names;               // array of strings, or NULL
        const struct subschema *schema;         // or NULL
        const char *keyword;
};

struct object_rules {
        struct property *properties;            // in the order of the schema
        size_t property_count, required_count;
        uint32_t *slots;                        // hash table of property number + 1; NULL for few properties
        size_t slot_mask;
        struct pattern_property *patterns;
        size_t pattern_count;
        const struct subschema *additional, *names;
        struct dependency *dependencies;
        size_t dependency_count;
        uint64_t least, most;
};

struct subschema {
        const struct json *source;
        bool never;                             // the schema `false`
        bool trivial;                           // asserts nothing
        unsigned types;                         // 0: any
        const struct json *values;              // of `enum`, an array; or NULL
        const struct json *constant;
        struct number_rules *number;
        struct string_rules *string;
        struct array_rules *array;
        struct object_rules *object;
        bool logic;                             // any of the following
        const struct subschema *reference;
        struct schema_list all, any, one;
        const struct subschema *not, *condition, *then, *otherwise;
        unsigned char walk;                     // of the search for loops: 0 not seen, 1 on the way, 2 done
};

struct schema {
        struct arena arena;
        struct bytes source;
        const struct json *document;
        const struct subschema *root;
        struct pattern **patterns;              // all, for their release
        size_t pattern_count, pattern_capacity;
        enum schema_draft draft;
};

enum { FEW_PROPERTIES = 8 };
uint64_t property_hash(struct bytes name);
// The property with that name, or NULL. `guess` is the number of the one that is likely.
const struct property *property_find(const struct object_rules *rules, struct bytes name, size_t guess);

// uri.c. Appends `reference` resolved against `base` (RFC 3986, 5.2), fragment included.
void uri_resolve(struct buffer *buffer, struct bytes base, struct bytes reference);

// keywords.c: one row per keyword.
enum shape { SHAPE_NONE, SHAPE_ONE, SHAPE_LIST, SHAPE_MAP, SHAPE_ONE_OR_LIST };         // where its subschemas are
enum { DRAFT_7 = 1, DRAFT_2020 = 2, DRAFT_ANY = 3 };
struct compiler;
struct keyword {
        const char *name;
        uint8_t drafts;
        uint8_t shape;
        bool (*compile)(struct compiler *compiler, struct subschema *subschema, const struct json *value);     // NULL: nothing
};
const struct keyword *keyword_find(struct bytes name, enum schema_draft draft);

// compile.c, for keywords.c.
struct compiler {
        struct schema *schema;
        struct error *error;
        struct subschema **subschemas;          // by number of the node
        const char **bases;                     // URI that references are relative to, by number of the node
        struct resource *resources;
        size_t resource_count;
        struct pending *pending;                // references to resolve
        size_t pending_count, pending_capacity;
};
bool compile_wrong(const struct compiler *compiler, const struct json *node, enum error_code code, const char *format, ...)
        PRINTF_LIKE(4, 5);
const struct subschema *compile_subschema(struct compiler *compiler, const struct json *node);
const struct pattern *compile_pattern(struct compiler *compiler, const struct json *node, struct bytes source);
void compile_later(struct compiler *compiler, struct subschema *subschema, const struct json *reference);

// evaluate.c
struct failure {
        const struct subschema *subschema;
        const struct json *node;
        const char *keyword;
        struct bytes name;                      // that the sentence mentions: of the schema, never of the instance
};
struct evaluation {
        const struct schema *schema;
        struct arena *scratch;
        struct failure *failures;               // NULL: verdict only
        size_t failure_count, failure_limit;
        uint64_t steps;                         // left
        unsigned depth;
        bool undecided;
};
bool evaluate(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node);
