// SPDX-License-Identifier: Apache-2.0
// A compiled schema: a graph of subschemas in one arena, one for each place in a document that is a schema. Immutable.
// A subschema has its rules by the type of instance they are about; a pointer is NULL where there are none.
#pragma once

#include "base/table.h"
#include "schema/format.h"
#include "schema/pattern.h"
#include "schema/schema.h"

enum { TYPE_INTEGER = 1 << (JSON_OBJECT + 1) };         // beside 1 << enum json_type

struct subschema;

struct schema_list {
        const struct subschema *const *items;
        size_t count;
};

// ---- where a subschema stands ----

enum {                                                  // a dialect's vocabularies; core is always there
        VOCABULARY_CORE = 1, VOCABULARY_APPLICATOR = 2, VOCABULARY_VALIDATION = 4, VOCABULARY_UNEVALUATED = 8,
        VOCABULARY_FORMAT = 16, VOCABULARY_ASSERTS_FORMAT = 32, VOCABULARY_CONTENT = 64, VOCABULARY_METADATA = 128,
        VOCABULARY_ALL = 255 & ~VOCABULARY_ASSERTS_FORMAT,
};
struct dialect {
        enum schema_draft draft;
        unsigned vocabularies;
};

// The anchors of one name that dynamic references may lead to.
struct dynamic_name {
        struct bytes name;
        struct anchor *anchors;                         // by same_name
        size_t count;
        bool referred_to;                               // by a dynamic reference, …
        bool open;                                      // … that has not been made plain
        bool searched;                                  // dynamic.c: for the one entry
        const struct resource *entry;
        uint32_t search;                                // as a resource's
};

struct anchor {
        struct anchor *next;                            // of the resource
        struct resource *resource;
        struct bytes name;                              // {"", 0}: the $recursiveAnchor
        const struct json *node;
        const struct subschema *subschema;              // of a dynamic anchor that a reference may lead to
        struct dynamic_name *dynamic;                   // NULL: it is not
        struct anchor *same_name;
        struct anchor *later;                           // that a reference may lead to, and is still to be compiled
};

struct resource {
        struct resource *next;
        const char *uri;                                // absolute where anything says so
        const struct document *document;
        const struct json *node;
        struct dialect dialect;
        struct anchor *anchors;                         // once compiled: those that evaluation looks for
        uint32_t search;                                // the last one that asked for it (dynamic.c)
};

struct document {
        struct document *next;
        const char *uri;                                // it was asked for by
        struct bytes source;
        const struct json *root;
        struct resource **resources;                    // by number of the node; NULL: not known to be a schema
        struct subschema **subschemas;                  // likewise; both live as long as the compiler
};

// ---- rules ----

struct number_rules {
        struct bytes minimum, maximum, above, below, multiple;  // {NULL, 0}: no such rule; above and below are exclusive
};

struct string_rules {
        uint64_t least, most;                   // code points
        const struct pattern *pattern;
        enum schema_format format;              // that asserts
        bool base64, json;                      // content… that asserts
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
        struct bytes source;
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

// The values of an enum by their hashes.
struct value_table {
        const struct json **slots;
        size_t mask;
};

struct subschema {
        const struct json *source;
        struct resource *resource;
        uint32_t id;                            // number among the schema's
        bool never;                             // the schema `false`
        bool trivial;                           // asserts nothing
        bool plain_integers;                    // draft 4: 1.0 is no integer
        bool personal;                          // tagged as such
        const struct json *fallback;            // its default, or the first of what it leads to in place; or NULL
        bool marks_contained;                   // 2020-12: contains evaluates the elements it finds
        unsigned types;                         // 0: any
        const struct json *values;              // of `enum`, an array; or NULL
        const struct json *constant;
        struct value_table *table;              // of many values
        struct number_rules *number;
        struct string_rules *string;
        struct array_rules *array;
        struct object_rules *object;
        bool logic;                             // any of the following
        const struct subschema *reference;
        const struct subschema *other_reference;                // of $dynamicRef or $recursiveRef
        const char *other_keyword;
        const struct anchor *dynamic;           // of that: the outermost resource with such an anchor goes before it
        const struct subschema *settled;        // where that leads in any case, or NULL
        struct schema_list all, any, one;
        const struct subschema *not;
        union {
                struct { const struct subschema *condition, *then, *otherwise; };
                const struct subschema *conditional[3];
        };
        const struct subschema *other_members, *other_elements;         // unevaluatedProperties, unevaluatedItems
};

enum { DYNAMIC_NAMES_MAX = 8 };
struct schema {
        struct arena arena;
        struct bytes source;
        const struct document *root_document;
        const struct subschema *root;
        size_t subschema_count, subschema_capacity;
        struct pattern **patterns;              // all, for their release
        size_t pattern_count, pattern_capacity;
        size_t pattern_bytes;                   // that they hold
        bool dynamic;                           // has references that depend on the way of evaluation
        struct bytes dynamic_names[DYNAMIC_NAMES_MAX];          // of their anchors
        size_t dynamic_name_count;              // beyond the maximum: the others are not noted
        bool personal;                          // has tags
        bool defaults;                          // some subschema has a default
        bool plain_integers;                    // some subschema is of draft 4
        uint64_t seed;                          // of hashes of instances, and of names
        uint64_t looks;                         // at names and places while it was compiled: no more than a few for each
        const struct stream *stream;
};

enum { FEW_PROPERTIES = 8, ENUM_TABLE_FROM = 8 };
uint64_t property_hash(struct bytes name);
// The property with that name, or NULL. `guess` is the number of the one that is likely.
const struct property *property_find(const struct object_rules *rules, struct bytes name, size_t guess);

// distance.c. How many letters differ, upper case or not; at least 3 if it is more than 2, or a name is longer than 40 bytes.
size_t name_distance(struct bytes a, struct bytes b);

// uri.c. Appends `reference` resolved against `base` (RFC 3986, 5.2), fragment included.
void uri_resolve(struct buffer *buffer, struct bytes base, struct bytes reference);
// Appends the text with %XX decoded; false: a broken escape.
bool uri_decode(struct bytes text, struct buffer *buffer);
// Appends the text percent-encoded as a fragment.
void uri_append_fragment(struct buffer *buffer, struct bytes text);

// ---- evaluation ----

// One subschema on the way of evaluation, and how it was come by. On the stack.
struct step {
        const char *keyword;                    // "properties"; NULL for the root
        struct bytes token;                     // behind it; {NULL, n + 1}: the index n; {NULL, 0}: none
};
struct frame {
        struct frame *outer;
        const struct frame *scope;              // the innermost one before this whose resource is another
        const struct subschema *subschema;
        const struct json *node;
        struct step step;
        struct place *place;                    // what a record has made of it, or NULL
};

// Which members or elements of the instance have been evaluated: a bit each, in document order.
struct marks {
        uint64_t *bits;                         // NULL: none
        struct arena *scratch;
        size_t words;
        uint64_t room[2];
};

struct evaluation {
        const struct schema *schema;
        struct arena *scratch;
        struct record *record;                  // NULL: verdict only
        struct frame *frame;
        struct memo *memo;
        uint64_t steps;                         // left
        uint64_t steps_before_memo;             // ... when remembering begins
        const struct json *root;
        unsigned depth;
        bool undecided;
};

bool evaluate(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct step step,
              struct marks *marks);
// The same without a note of why not.
bool matches(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct step step,
             struct marks *marks);
bool evaluation_undecided(struct evaluation *evaluation);                       // sets it; false
bool pattern_matches(struct evaluation *evaluation, const struct pattern *pattern, struct bytes text);
struct evaluation evaluation_begin(const struct schema *schema, const struct json *instance, struct arena *scratch);
bool check_object(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct marks *marks);
bool check_array(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct marks *marks);
bool check_unevaluated(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                       struct marks *marks);
static inline struct step step_to(const char *keyword) {
        return (struct step){keyword, {NULL, 0}};
}
static inline struct step step_name(const char *keyword, struct bytes name) {
        return (struct step){keyword, {name.data ? name.data : "", name.size}};
}
static inline struct step step_index(const char *keyword, size_t index) {
        return (struct step){keyword, {NULL, index + 1}};
}

// marks
void marks_begin(struct marks *marks, const struct json *node, struct arena *scratch);
void marks_make(struct marks *marks);           // the memory for them, when there is a first
static inline void marks_add(struct marks *marks, size_t index) {
        if (marks && !marks->bits)
                marks_make(marks);
        if (marks)
                marks->bits[index / 64] |= (uint64_t)1 << index % 64;
}
static inline bool marks_has(const struct marks *marks, size_t index) {
        return marks->bits && (marks->bits[index / 64] >> index % 64 & 1);
}
void marks_add_all(struct marks *marks);
void marks_join(struct marks *marks, const struct marks *others);               // which are not used any more

// memo.c: verdicts of (subschema, node), so that no nesting of branches costs more than their product.
enum memo_answer { MEMO_UNKNOWN, MEMO_GOOD, MEMO_BAD };
enum memo_answer memo_find(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node);
void memo_keep(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, bool good);

// content.c. The keyword that the text does not satisfy, or NULL.
const char *content_failure(const struct string_rules *rules, struct bytes text, struct arena *scratch);

// unique.c
static inline uint64_t json_hash_mix(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
        return (uint64_t)product ^ (uint64_t)(product >> 64);
}
uint64_t json_hash(const struct json *node, uint64_t seed);     // equal values have equal hashes
// Whether the node is one of the table's, which hold `seed`ed hashes.
struct value_table *value_table_make(struct schema *schema, const struct json *values);
bool value_table_has(const struct schema *schema, const struct value_table *table, const struct json *node);
bool elements_differ(struct evaluation *evaluation, const struct json *array);

// ---- record.c: what was found out on the way ----

struct place {                                  // a frame that outlives its evaluation
        struct place *outer;
        const struct subschema *subschema;
        const struct json *node;
        struct step step;
        uint32_t number;                        // of the output's tree
};
struct unit {
        struct place *place;
        const struct json *node;
        const char *keyword;
        struct bytes name;                      // that the sentence mentions: of the schema, never of the instance
        const struct json *annotation;          // NULL: an error, or a keyword that holds
        bool error;
};
struct record {
        struct unit *units;
        size_t count, capacity, limit;
        bool annotations;
        bool every_branch;                      // the outputs; else the branch that came nearest
        const struct json **personal;           // nodes; once asked for in order, none inside of another
        bool personal_sorted;
        size_t personal_count, personal_capacity;
        uint32_t places;                        // made so far
};
bool record_failure(struct evaluation *evaluation, const struct json *node, const char *keyword, struct bytes name);    // false
void record_annotations(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node);
void record_personal(struct evaluation *evaluation, const struct json *node);
bool record_is_personal(const struct evaluation *evaluation, const struct json *node);
static inline bool record_full(const struct record *record) {
        return record->count >= record->limit;
}
// Of branches that all failed keeps the nearest one's failures: units from `start` on, the best so far up to `middle`.
// Returns the end of what is kept.
size_t record_choose(struct record *record, size_t start, size_t middle, const struct json *node);

const char *unit_sentence(const struct evaluation *evaluation, const struct unit *unit, bool values, struct arena *arena);
void append_keyword_location(struct buffer *buffer, const struct unit *unit);
void append_place_location(struct buffer *buffer, const struct place *place);
// Scanned if it can be, else evaluated.
enum schema_verdict schema_decide(const struct schema *schema, struct bytes source, const struct json *instance, struct arena *scratch);
void append_absolute_location(struct buffer *buffer, const struct subschema *subschema, const char *keyword);

// ---- compilation ----

enum pending_kind { PENDING_PLAIN, PENDING_DYNAMIC, PENDING_RECURSIVE };
struct pending {
        struct subschema *subschema;
        const struct json *reference;
        enum pending_kind kind;
};

struct compiler {
        struct schema *schema;
        const struct schema_options *options;
        struct error *error;
        struct document *documents;             // the newest first
        struct resource *resources;
        size_t document_count, resource_count;
        struct pending *pending;                // references to resolve
        size_t pending_count, pending_capacity, pending_done;
        struct subschema **made;                // by number, to be changed
        struct table patterns;                  // of struct known_pattern
        uint64_t pattern_work;                  // that they took
        struct table by_uri, anchors, dynamic_names, arrays;    // names.c
        struct table metas;                     // dialect.c
        size_t meta_count;
        struct anchor *asked;                   // to be compiled
        struct arena arena;                     // what is not needed any more once the schema is compiled
        unsigned char *walk;                    // of the searches for loops and defaults, by number
};
bool compile_wrong(const struct compiler *compiler, const struct json *node, enum error_code code, const char *format, ...)
        PRINTF_LIKE(4, 5);
const struct subschema *compile_subschema(struct compiler *compiler, const struct json *node);
const struct pattern *compile_pattern(struct compiler *compiler, const struct json *node, struct bytes source);
void compile_later(struct compiler *compiler, struct subschema *subschema, const struct json *reference,
                   enum pending_kind kind);
enum { WALK_NONE, WALK_NOW, WALK_DONE, WALK_FALLBACK };
bool find_loops(struct compiler *compiler);
void find_fallbacks(struct compiler *compiler); // defaults.c
void settle_dynamic(struct compiler *compiler); // dynamic.c

// documents.c
struct document *document_of(const struct compiler *compiler, const struct json *node);
struct resource *resource_of(const struct compiler *compiler, const struct json *node);         // NULL: not known to be a schema
// Takes a document in and finds the resources and anchors in it. The source must live as long as the schema.
bool document_add(struct compiler *compiler, const char *uri, struct bytes source, const struct json *root,
                  const struct dialect *dialect, struct document **ret_document);
// Parses one: it is refused by its size before anything of it is read. The source must live as long as the nodes.
bool document_parse(struct bytes source, struct arena *arena, const struct json **ret_root, struct error *error);
// The same of a copy of *source, which becomes that.
bool document_parse_copy(struct bytes *source, struct arena *arena, const struct json **ret_root, struct error *error);
// The place that a reference in `resource` leads to; *ret_anchor: the anchor that it names, or NULL.
bool reference_find(struct compiler *compiler, const struct resource *resource, const struct json *reference,
                    const struct json **ret_node, struct anchor **ret_anchor);

// names.c
uint64_t schema_name_hash(const struct schema *schema, struct bytes name);     // seeded
uint64_t compile_hash(const struct compiler *compiler, struct bytes name);
struct resource *resource_find(const struct compiler *compiler, struct bytes uri);              // the newest of that URI
void resource_keep(struct compiler *compiler, struct resource *resource);
struct anchor *anchor_find(const struct compiler *compiler, const struct resource *resource, struct bytes name);
void anchor_keep(struct compiler *compiler, struct anchor *anchor);                             // the name is new to its resource
void anchor_make_dynamic(struct compiler *compiler, struct anchor *anchor);
void dynamic_refer(struct compiler *compiler, struct dynamic_name *name);                       // its anchors are to be compiled
// As json_pointer_step.
const struct json *compile_step(struct compiler *compiler, const struct json *node, struct bytes token);
void names_free(struct compiler *compiler);

// dialect.c
bool dialect_find(struct compiler *compiler, const struct json *value, struct dialect *ret_dialect);
struct bytes meta_draft4(void);
struct bytes meta_draft6(void);
struct bytes meta_draft7(void);
struct bytes meta_2019_09(void);
struct bytes meta_2020_12(void);
// The bundle that has the document of a built-in URI, an object by URI; {NULL, 0}: not built in.
struct bytes meta_bundle(struct bytes uri);

// keywords.c: one row per keyword.
enum shape { SHAPE_NONE, SHAPE_ONE, SHAPE_LIST, SHAPE_MAP, SHAPE_ONE_OR_LIST };         // where its subschemas are
struct keyword {
        const char *name;
        uint8_t drafts;
        uint8_t vocabulary;
        uint8_t shape;
        bool (*compile)(struct compiler *compiler, struct subschema *subschema, const struct json *value);     // NULL: nothing
};
const struct keyword *keyword_find(struct bytes name, const struct dialect *dialect);
bool expect(const struct compiler *compiler, const struct json *value, enum json_type type, const char *what);
bool keyword_count(struct compiler *compiler, const struct json *value, uint64_t *ret);
bool keyword_one(struct compiler *compiler, const struct json *value, const struct subschema **ret);
bool keyword_schemas(struct compiler *compiler, const struct json *value, struct schema_list *ret);
#define KEYWORD(name) bool name(struct compiler *compiler, struct subschema *subschema, const struct json *value)
// keywords_scalar.c
KEYWORD(keyword_minimum);
KEYWORD(keyword_maximum);
KEYWORD(keyword_above);
KEYWORD(keyword_below);
KEYWORD(keyword_multiple);
KEYWORD(keyword_min_length);
KEYWORD(keyword_max_length);
KEYWORD(keyword_pattern);
KEYWORD(keyword_format);
KEYWORD(keyword_content_encoding);
KEYWORD(keyword_content_type);
// keywords_container.c
KEYWORD(keyword_prefix_items);
KEYWORD(keyword_items);
KEYWORD(keyword_additional_items);
KEYWORD(keyword_contains);
KEYWORD(keyword_min_contains);
KEYWORD(keyword_max_contains);
KEYWORD(keyword_min_items);
KEYWORD(keyword_max_items);
KEYWORD(keyword_unique);
KEYWORD(keyword_properties);
KEYWORD(keyword_pattern_properties);
KEYWORD(keyword_additional);
KEYWORD(keyword_property_names);
KEYWORD(keyword_min_properties);
KEYWORD(keyword_max_properties);
KEYWORD(keyword_dependencies);
KEYWORD(keyword_dependent_required);
KEYWORD(keyword_dependent_schemas);
