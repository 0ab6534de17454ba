// SPDX-License-Identifier: Apache-2.0
// Plans: what the bytes of a value must be, so that an instance is decided while it is scanned. A plan stands for a set of subschemas
// that all apply to one value; $ref and allOf are merged into it, anyOf and oneOf as far as the type of the value or one of its
// members tells the branches apart. What is left over of those is, of an object, a formula over its members that is looked at when it
// ends; of other values it is decided by scanning the value again for each branch. What cannot be planned is parsed and evaluated, for
// that value alone. Immutable, in the schema's arena.
//
//      stream_plan.c    sets of subschemas to plans           stream.c         the machine: values, arrays
//      stream_object.c  ... the plans of objects              stream_member.c  objects, their keys
//      stream_choice.c  ... the choice between branches       stream_keys.c    whether keys differ
//      stream_draft.c   ... the names of an object            stream_holds.c   whether a formula holds
//      stream_test.c    ... the formulas
//      stream_scopes.c  ... dynamic references before them
//      stream_values.c  ... of scalars and arrays             stream_skip.c    what nothing is asserted about
//                                                             stream_unique.c  whether the elements of an array differ
#pragma once

#include "json/number.h"
#include "schema/schema_priv.h"

enum { PLANS_MAX = 10000, PLAN_SET_MAX = 256, PLAN_PATTERNS_MAX = 64, PLAN_DEPTH_MAX = 64, PLAN_BRANCHES_MAX = 200,
       PLAN_GROUPS_MAX = 256,
       PLAN_TESTS_MAX = 1000, PLAN_MEMO_MAX = 256, PLAN_TEST_DEPTH_MAX = 24,
       PLAN_WORK_MAX = 200000 };               // names, elements and values looked at for all plans of a schema

struct plan;

// Values that are allowed, where they are listed: scalars only.
struct plan_values {
        bool null, truth[2];
        struct bytes *texts;                    // of strings, or of numbers
        uint32_t count;
        uint32_t *slots, slot_mask;             // of text number + 1; NULL: they are few
};

struct plan_number {
        bool whole, plain_whole;                // an integer by value; by how it is written
        bool quick;                             // low, high and divisor say everything about an integer of at most 18 digits
        int64_t low, high, divisor;             // divisor 0: none
        bool small;                             // bounds and unit say everything about a small number
        struct plan_bound { bool set, exclusive; struct json_small value; } least, most;
        struct json_small unit;                 // what it must be a multiple of; 0: none
        const struct number_rules **rules;      // everything, exactly
        uint32_t rule_count;
};

struct plan_string {
        uint64_t least, most;                   // code points
        const struct string_rules **rules;      // those with patterns, formats, contents
        uint32_t rule_count;
};

struct plan_array {
        const struct plan **prefix;
        uint32_t prefix_count;
        const struct plan *rest;
        struct plan_contains { const struct plan *plan; uint64_t least, most; } *contains;
        uint32_t contains_count;
        uint64_t least, most;
        bool unique;
        bool simple;                            // rest, least and most are all there is
};

// A name that the schemas mention.
struct plan_key {
        char quoted[32];                        // the name, a quote, a colon; nothing if that does not fit, or has escapes
        uint32_t quoted_mask;                   // of the bytes above that count; 0: compare otherwise
        uint32_t size;
        const char *name;
        const struct plan *plan;
        uint32_t place;                         // 1, 2, …: of those whose values' places are kept for the formula; 0: is not kept
};

// A formula over the members of an object.
enum test_kind {
        TEST_ALWAYS, TEST_NEVER,
        TEST_HAS, TEST_LACKS, TEST_CLOSED,      // all of these keys; none of them; none but these
        TEST_COUNT,                             // least ≤ members ≤ most
        TEST_VALUE, TEST_WHOLE,                 // the plan of a member's value, if it is there; of the object
        TEST_ALL, TEST_ANY, TEST_ONE, TEST_NOT, TEST_IF,
};
struct plan_test {
        uint8_t kind;
        bool gathers;                           // LACKS: of the names that one unevaluatedProperties is about
        uint16_t memo;                          // 1, 2, …: where its answer is remembered; 0: it is not
        uint32_t count;                         // of the parts, or of the keys
        uint32_t uses;                          // places that ask for it
        uint32_t *keys;                         // HAS, LACKS, CLOSED; VALUE: of one key
        const uint64_t *mask;                   // ... the same as bits
        const struct plan *plan;
        uint64_t least, most;
        struct plan_test **parts;               // IF: condition, then, else
};

// What a member that is not named must match as well, by the patterns that its name matches.
struct plan_pick {
        uint64_t mask;
        bool absent;                            // where none of the mask's matches; else where one does
        const struct plan *plan;
};

struct plan_object {
        struct plan_key *keys;
        uint32_t key_count, words;              // words: of 64 bits, one bit a key
        uint32_t *slots;                        // of key number + 1, with the upper half of the key's hash
        uint32_t slot_mask;
        const uint64_t *required;
        bool requires;
        const struct plan *rest;                // of members that are not named, without patterns
        const struct pattern **patterns;
        uint32_t pattern_count;
        const struct plan **by_patterns;        // by which of them match; NULL: there are too many
        const struct plan_pick *picks;
        uint32_t pick_count;
        const struct plan *names;               // NULL: any
        bool names_again;                       // it has to be tried on the bytes
        const struct plan_test *test;           // NULL: none
        uint32_t test_cost;                     // of looking at it once, in bytes scanned again
        uint32_t place_count, memo_count;
        bool special;                           // has names or places
        uint64_t least, most;
        struct plan_need { uint32_t key, needed; } *needs;      // dependentRequired
        uint32_t need_count;
};

// Of more than 16 bytes: stream_keys.c.
uint32_t key_hash_long(const char *text, size_t size, uint64_t seed);
static inline uint32_t key_hash(const char *text, size_t size, uint64_t seed) {
        uint64_t head = 0, tail = 0;
        if (__builtin_expect(size > 16, 0))
                return key_hash_long(text, size, seed);
        if (size >= 8) {
                memcpy(&head, text, 8);
                memcpy(&tail, text + size - 8, 8);
        } else if (size >= 4) {
                uint32_t low, high;
                memcpy(&low, text, 4);
                memcpy(&high, text + size - 4, 4);
                head = low;
                tail = high;
        } else if (size) {
                head = (uint8_t)text[0];
                tail = (uint64_t)(uint8_t)text[size / 2] << 8 | (uint8_t)text[size - 1];
        }
        unsigned __int128 product = (unsigned __int128)(head ^ seed ^ 0x9E3779B97F4A7C15u) *
                                    (tail ^ seed >> 32 ^ size ^ 0xA0761D6478BD642Fu);
        uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
        return (uint32_t)(hash ^ hash >> 32);
}

enum plan_mode { PLAN_ANY, PLAN_ONE, PLAN_NOT, PLAN_IF };
struct plan_group {
        enum plan_mode mode;
        const struct plan **branches;           // PLAN_IF: condition, then, else (NULL: any)
        uint32_t count;
};

// An object: what holds in any case, and the member that tells the branches apart.
struct plan_choice {
        bool never;
        const struct plan_object *object;       // NULL: any
        struct plan_dispatch *dispatch;         // before anything else
};
struct plan_dispatch {
        struct plan_key key;
        const struct plan_choice *missing, *other;
        struct bytes *values;
        const struct plan_choice **choices;
        uint32_t count;
        uint32_t *slots, slot_mask;             // of value number + 1
};

struct plan {
        uint8_t types;                          // 1 << enum json_type: those that may be
        uint8_t dom;                            // those that are parsed and evaluated
        bool any;                               // asserts nothing
        bool string_any;                        // of strings
        bool number_any;                        // of numbers
        bool plain_listed;                      // of listed numbers: what is not written as an integer is evaluated (draft 4)
        bool integer_easy;                      // of integers: their bounds, if any, are all there is
        const struct plan_number *number;
        const struct plan_string *string;
        const struct plan_array *array;
        const struct plan_choice *object;       // NULL: any
        const struct plan_values *listed[JSON_STRING + 1];      // of scalars; NULL: any
        struct plan_group *groups[JSON_OBJECT + 1];
        uint32_t group_counts[JSON_OBJECT + 1];
        struct schema_list set;
};

struct stream {
        const struct plan *root, *anything;
};

// ---- making ----

struct group {
        enum plan_mode mode;
        struct schema_list branches;            // PLAN_IF: condition, then, else (NULL: none)
};
// What applies to values of one type: the subschemas that all must match, and the groups of which none is settled yet.
struct conditions {
        enum json_type type;
        const struct subschema *all[PLAN_SET_MAX];
        uint32_t all_count;
        struct group groups[PLAN_GROUPS_MAX];
        uint32_t group_count;
        bool never, dom;
};
struct planner {
        const struct schema *schema;
        struct arena *arena;
        struct arena scratch;
        struct plan **plans;
        size_t plan_count, plan_capacity;
        uint32_t *slots;
        size_t slot_size;
        size_t choices;                         // made so far
        size_t work;                            // done so far; beyond PLAN_WORK_MAX nothing more is planned
        unsigned depth;
        const struct plan *anything;
};
void stream_plan(struct schema *schema);        // makes schema->stream, if there is anything to plan
// stream_scopes.c. The root with all dynamic references made plain, or NULL.
const struct subschema *scopes_settled(struct planner *planner);

const struct plan *plan_of(struct planner *planner, const struct subschema *const *set, size_t count);
const struct plan *plan_of_one(struct planner *planner, const struct subschema *subschema);
void conditions_add(struct conditions *conditions, const struct subschema *subschema);
void conditions_settle(struct conditions *conditions);
bool plan_groups(struct planner *planner, const struct conditions *conditions, struct plan_group **ret_groups,
                 uint32_t *ret_count);
// false: it cannot be planned
bool plan_array_make(struct planner *planner, const struct conditions *conditions, const struct plan_array **ret_array);
bool plan_choice_make(struct planner *planner, const struct conditions *conditions, unsigned depth,
                      const struct plan_choice **ret_choice);
const struct plan_number *plan_number_make(struct planner *planner, const struct conditions *conditions, bool whole, bool plain);
const struct plan_string *plan_string_make(struct planner *planner, const struct conditions *conditions);
// A subschema with enum or const among the conditions, or NULL; and what it leaves of values of that type.
const struct subschema *conditions_listing(const struct conditions *conditions);
void plan_values_make(struct planner *planner, enum json_type type, const struct subschema *list, struct plan *plan);

// An object's plan while it is made: stream_object.c, the names in it: stream_draft.c.
struct parts {
        struct plan_test **items;
        uint32_t count, capacity;
};
struct object_draft {
        struct planner *planner;
        const struct conditions *conditions;
        const struct pattern *patterns[PLAN_PATTERNS_MAX];
        uint32_t pattern_count;
        struct draft_key { struct bytes name; const struct plan *plan; uint32_t place; } *keys;
        uint32_t key_count, key_capacity;
        uint32_t *slots, slot_mask;             // of key number + 1
        struct parts whole;                     // what must hold when the object ends
        struct parts made;                      // all tests
        struct draft_branch { const struct subschema *subschema; struct plan_test *test; } *branches;
        uint32_t branch_count, branch_capacity;
        bool whole_branches;                    // branches are not taken apart
        bool failed;                            // it cannot be planned
};
bool object_make(struct planner *planner, const struct conditions *conditions, const struct plan_object **ret_object);
void plan_key_make(struct plan_key *key, struct bytes name);
uint32_t draft_key(struct object_draft *draft, struct bytes name);     // its number; added if it is new
uint32_t draft_find(const struct object_draft *draft, struct bytes name);      // of one that is there
void draft_finish(struct object_draft *draft, struct plan_object *plan);
void draft_free(struct object_draft *draft);
// Adds what the subschema's own keywords say about a member to the set, which may be NULL; name.data NULL: a member that nothing
// names, and whose name the `found` patterns match. True if they describe it.
bool draft_described(struct object_draft *draft, const struct subschema *subschema, struct bytes name, uint64_t found,
                     const struct subschema **set, size_t *count);

// stream_test.c. What an object must be to match the subschema.
struct plan_test *test_of(struct object_draft *draft, const struct subschema *subschema, unsigned depth);
struct plan_test *test_of_group(struct object_draft *draft, const struct group *group);
// When the subschema, which matches, evaluates the member.
struct plan_test *test_evaluated(struct object_draft *draft, const struct subschema *subschema, struct bytes name, uint64_t found,
                                 unsigned depth);
struct plan_test *test_keys(struct object_draft *draft, enum test_kind kind);          // of none yet
void test_keys_add(struct object_draft *draft, struct plan_test *test, struct bytes name);
struct plan_test *test_value(struct object_draft *draft, struct bytes name, const struct subschema *subschema);
struct plan_test *test_join(struct object_draft *draft, enum test_kind kind, struct plan_test *a, struct plan_test *b);
void parts_add(struct parts *parts, struct plan_test *test);
void tests_finish(struct object_draft *draft, struct plan_object *plan);

bool schema_matches(struct planner *planner, const struct subschema *subschema, const struct json *node, bool *ret_match);
// Whether a subschema can match a value of that type at all, as far as its own keywords say; whether it matches every one.
bool admits(const struct subschema *subschema, enum json_type type);
bool admits_all(const struct subschema *subschema, enum json_type type);

// ---- running ----

enum run { RUN_GOOD, RUN_INVALID, RUN_SYNTAX, RUN_DEFER };      // defer: decide the whole on the parsed document

struct entry {                                  // a key that is not named, or an element that must differ
        const char *text;
        uint32_t size;
        uint32_t kind;
};
enum { ENTRIES_ROOM = 64, BITS_ROOM = 128, SCAN_AGAIN_MIN = 1 << 14, SCAN_AGAIN_TIMES = 64, SCAN_AGAIN_COST = 16, SCAN_PARSED_COST = 8,
       SCAN_NESTED_MAX = 500,
       COLLISIONS_MAX = 8 };

struct machine {
        const char *at, *end, *start;
        const struct schema *schema;
        uint64_t seed;                          // the schema's
        struct arena *scratch;
        const struct plan *anything;
        unsigned depth, depth_limit;
        unsigned nested;                        // scans within scans: they bound the stack
        size_t nodes;
        int64_t again;                          // bytes that may still be scanned again; each time costs, and so does parsing
        bool escaped;                           // of the string scanned last
        struct entry *entries;
        size_t entry_count, entry_capacity;
        uint64_t *bits;                         // of seen keys where a word is too few, and places of values
        size_t bit_count, bit_capacity;
        uint32_t *table;
        size_t table_size;
        size_t collisions;                      // when entries were last compared by it
        struct entry entry_room[ENTRIES_ROOM];
        uint64_t bit_room[BITS_ROOM];
};
enum run run_value(struct machine *machine, const struct plan *plan);
enum run run_skip(struct machine *machine);
enum run run_object(struct machine *machine, const struct plan_choice *choice);
// One plan on the bytes from `start`; leaves the machine where it is, unless it is an error.
enum run run_again(struct machine *machine, const char *start, const struct plan *plan);
struct ended {                                  // an object whose end has been reached
        const struct plan_object *plan;
        const char *start;
        const uint64_t *one;                    // the seen keys, if the machine has not got them
        size_t base;                            // of its bits in the machine
        size_t count, unnamed;                  // members
};
enum run run_formula(struct machine *machine, const struct ended *object);
enum run run_groups(struct machine *machine, const char *start, const struct plan_group *groups, uint32_t count);
enum run run_string_rules(struct machine *machine, const struct plan *plan, struct bytes text, bool ascii);
bool values_have_string(const struct plan_values *values, struct bytes text, uint64_t seed);
bool values_have_number(const struct plan_values *values, struct bytes text, uint64_t seed);
// The decoded bytes of what stands between quotes; data NULL: a wrong escape.
struct bytes run_decode(struct machine *machine, const char *at, const char *end);
void entries_grow(struct machine *machine);
static inline void entry_push(struct machine *machine, struct entry entry) {
        if (__builtin_expect(machine->entry_count == machine->entry_capacity, 0))
                entries_grow(machine);
        machine->entries[machine->entry_count++] = entry;
}
// Whether the entries from `first` on differ. RUN_SYNTAX: two are equal. RUN_DEFER: more than COLLISIONS_MAX an entry.
enum run entries_differ(struct machine *machine, size_t first);
static inline bool entry_equal(const struct entry *a, const struct entry *b) {
        return a->size == b->size && a->kind == b->kind && memcmp(a->text, b->text, a->size) == 0;
}
// The elements of an array that must differ: each is noted when it has been scanned; at the end RUN_INVALID if two are equal.
struct unique {
        size_t first;                           // of the machine's entries
        bool hashed, parse;                     // has containers; what cannot be noted
};
void unique_note_other(struct machine *machine, struct unique *unique, const char *start);
static inline void unique_note(struct machine *machine, struct unique *unique, const char *start) {
        if (*start == '"' && !machine->escaped)
                entry_push(machine, (struct entry){start + 1, (uint32_t)(machine->at - start) - 2, JSON_STRING});
        else
                unique_note_other(machine, unique, start);
}
enum run unique_end(struct machine *machine, const struct unique *unique, const char *start);
uint64_t *bits_push(struct machine *machine, size_t words);
