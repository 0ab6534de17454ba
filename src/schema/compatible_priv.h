// SPDX-License-Identifier: Apache-2.0
// A proof that every instance of the writer's is one of the reader's. The files:
//      compatible.c            goals: what is proven already, what may be assumed, splitting into cases
//      compatible_facts.c      what a set of claims says about an instance, values that can be looked at one by one
//      compatible_empty.c      that no instance can satisfy a set of claims
//      compatible_rules.c      a reader's rules about any value, numbers and strings
//      compatible_object.c, compatible_array.c, compatible_logic.c     its rules about objects, arrays, its branches
//      compatible_cover.c      what unevaluated… leaves alone
//      compatible_same.c       two subschemas that say the same word for word
//      compatible_tell.c       differences
//
// A *claim* says of an instance that a subschema (of either schema) holds, or fails. A set of claims is what is known. A *goal* is that
// every instance for which the claims are true satisfies a subschema, or, without one, that there is no such instance. Both schemas'
// subschemas may be on both sides: `not` turns them.
//
// Why it is sound: a rule of the goal is taken for proven only by what the claims say (facts; leaving claims out makes the goal
// harder, never easier), by looking at every instance when there are finitely many, by proving each case of a disjunction of the
// claims, or by the claims' contradiction. A goal that is met again while it is being proven may be assumed if that is deeper in the
// instance: induction over the instance, which is finite. What was proven under such an assumption is only reused as deep as it was
// proven, and forgotten when the assumption fails.
//
// Steps bound the work and the memory of a proof: whatever loops spends some, and so does what allocates. Without any left the proof
// ends at once, wherever it is (longjmp): so nothing in these files may hold memory that is not the proof's.
#pragma once

#include <setjmp.h>

#include "base/table.h"
#include "schema/compatible.h"
#include "schema/schema_priv.h"

enum {
        KIND_NULL = 1, KIND_BOOL = 2,
        KIND_PLAIN = 4,                         // an integer written as one: what draft 4 calls an integer
        KIND_ROUND = 8,                         // 1.0
        KIND_FRACTION = 16, KIND_STRING = 32, KIND_ARRAY = 64, KIND_OBJECT = 128,
        KIND_NUMBER = KIND_PLAIN | KIND_ROUND | KIND_FRACTION, KIND_ALL = 255,
};

enum side { SIDE_WRITER, SIDE_READER };
enum claim_kind { CLAIM_HOLDS, CLAIM_FAILS, CLAIM_SPLIT_ANY, CLAIM_SPLIT_ONE, CLAIM_SPLIT_IF }; // the latter: its cases are claims
struct claim {
        const struct subschema *subschema;
        enum side side;
        enum claim_kind kind;
};

struct claims {
        struct claim *items;
        size_t count, capacity;
        struct bytes *present;                  // members that are there
        size_t present_count;
        unsigned kinds;
};

// What the claims come to.
struct facts {
        const struct claims *claims;
        struct claim *atoms;                    // subschemas that hold, through $ref and allOf
        size_t atom_count, atom_capacity;
        struct claim *denied;                   // that fail
        size_t denied_count, denied_capacity;
        struct claim cases;                     // the first disjunction: CLAIM_SPLIT_… of its owner; no subschema: none
        unsigned kinds;
};

struct goal {                                   // being proven; on the stack
        struct goal *outer;
        struct bytes key;
        unsigned level;
        size_t number;
        bool assumed;
};
struct outcome;

struct proof {
        const struct schema *schemas[2];
        const struct schema_compatible_options *options;
        struct arena *arena;                    // the caller's: differences
        struct arena work, scratch;
        struct goal *goals;
        size_t goal_count;
        size_t lowest;                          // number of the outermost goal that was assumed
        struct table outcomes;
        struct outcome **trail;                 // what was proven, in order
        size_t trail_count, trail_capacity;
        struct table same, met;                 // pairs
        uint64_t steps;
        jmp_buf *out;                           // of steps: the proof ends there
        unsigned level;                         // in the instance
        unsigned quiet;                         // differences are not told
        bool beside;                            // this goal is one of several about the same value
        size_t doubts;                          // uncertain differences so far, told or not
        size_t tolerated;
        struct schema_difference *differences;
        size_t difference_count;
};

// compatible.c
void spend(struct proof *proof, uint64_t steps);                // when none is left it does not return: the proof has ended
void *take(struct proof *proof, size_t size);                   // memory of the proof; costs steps as well
bool prove(struct proof *proof, const struct claims *claims, struct claim goal);
bool prove_quietly(struct proof *proof, const struct claims *claims, struct claim goal, bool *ret_doubtful);
bool is_empty(struct proof *proof, const struct claims *claims);                        // no instance; quietly
bool is_empty_kind(struct proof *proof, const struct claims *claims, unsigned kinds);
// The same about a member or an element: one level deeper in the instance.
bool prove_below(struct proof *proof, const struct claims *claims, struct claim goal);
bool prove_below_quietly(struct proof *proof, const struct claims *claims, struct claim goal, bool *ret_doubtful);
bool empty_below(struct proof *proof, const struct claims *claims);
bool split(struct proof *proof, const struct facts *facts, struct claim goal);          // goal without subschema: empty

// compatible_facts.c
// A reference with nothing beside it is what it refers to.
const struct subschema *meant(const struct subschema *subschema);
struct claims claims_none(void);
void claims_add(struct proof *proof, struct claims *claims, enum side side, enum claim_kind kind,
                const struct subschema *subschema);             // nothing for NULL
struct claims claims_copy(struct proof *proof, const struct claims *claims);
void claims_present(struct proof *proof, struct claims *claims, struct bytes name);
struct facts facts_of(struct proof *proof, const struct claims *claims);
unsigned kinds_of_types(const struct subschema *subschema);
enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNKNOWN };
enum truth holds(struct proof *proof, struct claim claim, const struct json *value);
// The instances, if there are few enough to look at; false: there may be more.
bool finite_values(struct proof *proof, const struct facts *facts, const struct json ***ret_values, size_t *ret_count);

// compatible_empty.c
bool facts_empty(struct proof *proof, const struct facts *facts);

// compatible_rules.c
bool prove_rules(struct proof *proof, const struct facts *facts, struct claim goal);
struct bounds {
        struct bytes least, most;               // {NULL, 0}: none
        bool above, below;                      // exclusive
};
struct bounds bounds_of(struct proof *proof, const struct facts *facts);
struct lengths { uint64_t least, most; };
struct lengths lengths_of(const struct facts *facts);

// compatible_object.c
bool prove_object(struct proof *proof, const struct facts *facts, struct claim goal);
bool object_empty(struct proof *proof, const struct facts *facts);
const struct subschema *additional_of(const struct subschema *subschema);

// compatible_array.c
bool prove_array(struct proof *proof, const struct facts *facts, struct claim goal);
bool array_empty(struct proof *proof, const struct facts *facts);

// compatible_cover.c
struct cover {
        const struct subschema **items;         // at the same place of an instance
        size_t count, capacity;
        bool members, elements;                 // all of them are described
        size_t patterns, names;                 // of members
        size_t prefix;                          // elements that are described by their place
};
struct cover cover_of(struct proof *proof, const struct subschema *subschema, bool every);

// compatible_logic.c
bool prove_logic(struct proof *proof, const struct facts *facts, struct claim goal);

// compatible_same.c
bool same(struct proof *proof, struct claim a, struct claim b);

// compatible_tell.c. False, always.
enum certainty { CERTAIN, UNCERTAIN, TOLERATED };
bool tell(struct proof *proof, enum schema_difference_kind kind, enum certainty certainty, struct claim at, const char *keyword,
          struct bytes token);
static inline struct claim of(enum side side, const struct subschema *subschema) {
        return (struct claim){subschema, side, CLAIM_HOLDS};
}
