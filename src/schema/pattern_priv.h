// SPDX-License-Identifier: Apache-2.0
// The inside of patterns: tree, classes of code points, programs, and the four ways to search.
//
//      source ─ pattern_parse ─► tree ─ pattern_program ─► program ─ pattern_automaton ─► table
//
//      runs        ^ class{a,b} class{a,b} … $      a loop for each class             pattern_run.c
//      table       a deterministic automaton        one step a code point             pattern_automaton.c
//      simulation  lookaround, large automata       all states of the program at once pattern_simulate.c
//      backtrack   back references                  one choice after another          pattern_backtrack.c
//
// Lookahead at the beginning and lookbehind at the end become patterns of their own that have to match, or must not (pattern.c).
#pragma once

#include "json/utf8.h"
#include "schema/pattern.h"
#include "schema/unicode.h"

// --- sets of code points

struct set {
        const struct unicode_range *ranges;     // in order, apart from each other
        size_t count;
};

static inline bool set_has(const struct set *set, uint32_t point) {
        size_t low = 0, high = set->count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (set->ranges[middle].last < point)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < set->count && set->ranges[low].first <= point;
}

struct set_builder {
        struct unicode_range *ranges;           // in the arena
        size_t count, capacity;
};
void set_add(struct set_builder *builder, struct arena *arena, uint32_t first, uint32_t last);
void set_add_all(struct set_builder *builder, struct arena *arena, const struct set *set);
struct set set_finish(struct set_builder *builder);             // sorts and joins
struct set set_negate(const struct set *set, struct arena *arena);
bool set_disjoint(const struct set *a, const struct set *b);
bool set_equal(const struct set *a, const struct set *b);
extern const struct set set_digit, set_word, set_space, set_dot;

// --- the tree

enum node_kind {
        NODE_EMPTY, NODE_SET, NODE_SEQUENCE, NODE_CHOICE, NODE_REPEAT, NODE_GROUP, NODE_BACK, NODE_LOOK, NODE_START, NODE_END,
        NODE_WORD,                              // \b, or \B if negated
};
enum { REPEAT_MAX = 1 << 30, REPEAT_ENDLESS = UINT32_MAX };     // no text has more code points than REPEAT_MAX

struct node {
        enum node_kind kind;
        bool lazy, negated, behind;
        uint32_t least, most;                   // of a repetition
        uint32_t group;                         // of a group that captures, or a back reference: from 1 on; 0: does not capture
        uint32_t first_group, end_group;        // of a repetition: the groups inside
        struct set set;
        struct node *child;                     // first of the children
        struct node *next;                      // sibling
        struct bytes name;                      // of a back reference, until it is resolved
        size_t at;                              // byte of the pattern
};

struct tree {
        struct node *root;
        uint32_t group_count;
        bool back, look;                        // has any
};
MUST_USE bool pattern_parse(struct bytes source, struct arena *arena, struct tree *ret_tree, struct error *error);
// pattern_class.c, for the parser; `at` is behind the [ or at the backslash.
struct parser {
        struct bytes source;
        size_t at;
        struct arena *arena;
        struct error *error;
        struct tree *tree;
        unsigned depth;
        size_t range_count;
        uint32_t groups_before;                 // that capture and have begun
        struct bytes *names;                    // of the groups, by number; {NULL, 0} where none
        struct node **references;               // by name
        size_t reference_count, reference_capacity;
};
bool parse_wrong(const struct parser *parser, enum error_code code, const char *what);
bool parse_class(struct parser *parser, struct set *ret_set);
// \d \w \s \p{…} and their opposites. False without an error: it is none of them.
bool parse_class_escape(struct parser *parser, struct set *ret_set, bool *ret_failed);
bool parse_character_escape(struct parser *parser, bool in_class, uint32_t *ret_point);
bool parse_unicode_escape(struct parser *parser, uint32_t *ret_point);

static inline char parse_peek(const struct parser *parser, size_t ahead) {
        return parser->at + ahead < parser->source.size ? parser->source.data[parser->at + ahead] : '\0';
}

// --- which code points need not be told apart

struct classes {
        uint16_t ascii[128];
        const struct class_range {
                uint32_t first;                 // to the next one's
                uint16_t class;
        } *wide;                                // from 128 on
        size_t wide_count;
        uint16_t count;
};
static inline uint16_t class_of(const struct classes *classes, uint32_t point) {
        if (point < 128)
                return classes->ascii[point];
        size_t low = 0, high = classes->wide_count;     // the first entry is for 128
        while (high - low > 1) {
                size_t middle = (low + high) / 2;
                if (classes->wide[middle].first <= point)
                        low = middle;
                else
                        high = middle;
        }
        return classes->wide[low].class;
}

// --- programs

enum op {
        OP_SET,         // a code point of set x, then the next instruction
        OP_SPLIT,       // x, or else y
        OP_JUMP,        // x
        OP_MATCH,
        OP_START, OP_END,
        OP_WORD,        // flag: \B
        OP_LOOK,        // simulation: look x holds, or does not (flag). backtrack: the body follows, up to OP_MATCH; then x
        OP_SAVE,        // slot x = position                                                                    (backtrack only)
        OP_CLEAR,       // slots x … y - 1 = unset
        OP_CHECK,       // the position is not that of slot x
        OP_BACK,        // what group x captured, again
        OP_NEVER,
};

struct instruction {
        uint8_t op;
        bool flag;
        bool backward;  // of OP_SET and OP_BACK: to the left
        uint32_t x, y;
};

struct program {
        const struct instruction *code;
        size_t count;
};

struct look {
        struct program program;
        bool behind;
};

// What is searched for by simulation or by a table.
struct automaton {
        struct program program;
        const struct look *looks;               // an inner one comes before the one that it is in
        size_t look_count;
        struct classes classes;
        const uint64_t *members;                // of each set: a bit for each class
        size_t words;                           // of 64 bits, for a set
        size_t set_count;
        uint32_t slot_count;                    // of backtracking: 2 a group, then one a loop
        bool uses_word;
        size_t largest;                         // instructions of the largest program
        uint64_t work;                          // steps that the classes took
};
static inline bool automaton_member(const struct automaton *automaton, uint32_t set, uint16_t class) {
        return automaton->members[set * automaton->words + class / 64] >> (class % 64) & 1;
}
// With `backtrack` as one program that saves what groups capture.
MUST_USE bool automaton_compile(const struct tree *tree, const struct node *root, bool backtrack, struct arena *arena,
                                struct automaton *ret_automaton, struct error *error);
// pattern_classes.c
MUST_USE bool classes_compute(const struct set *const *sets, size_t count, struct arena *arena, struct automaton *automaton,
                              struct error *error);

// --- ways to search

struct run;
// False: the tree has another form.
bool run_compile(const struct node *root, struct arena *arena, const struct run **ret_run);
bool run_search(const struct run *run, struct bytes text);

struct table;
// NULL: it would be too large (`bytes`). Either way *work grows by the steps that were taken.
const struct table *table_compile(const struct automaton *automaton, size_t bytes, struct arena *arena, uint64_t *work);
bool table_search(const struct table *table, const struct classes *classes, struct bytes text);

enum pattern_verdict automaton_simulate(const struct automaton *automaton, struct bytes text, struct arena *scratch);
enum pattern_verdict automaton_backtrack(const struct automaton *automaton, struct bytes text, struct arena *scratch);
