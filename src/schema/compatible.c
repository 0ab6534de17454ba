// SPDX-License-Identifier: Apache-2.0
// Goals. A goal is tried in this order: it holds by itself; a claim says the same; every instance is looked at; rule by rule; the claims
// contradict each other; case by case.
#include "schema/compatible.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "schema/compatible_priv.h"

enum { GOAL_COST = 8, BYTES_A_STEP = 64 };

// What a goal came to.
struct outcome {
        struct bytes key;
        bool proven, doubtful, told;
        unsigned level;                         // proven under an assumption: only this deep, or deeper
        size_t lowest;                          // number of the goal that was assumed; SIZE_MAX: none
};

void spend(struct proof *proof, uint64_t steps) {
        if (proof->steps < steps) {
                proof->steps = 0;
                longjmp(*proof->out, 1);
        }
        proof->steps -= steps;
}

void *take(struct proof *proof, size_t size) {
        spend(proof, size / BYTES_A_STEP);
        return arena_alloc(&proof->work, size);
}

// ---- keys ----

static uint64_t word_of(struct claim claim) {
        return (uint64_t)claim.subschema->id | (uint64_t)claim.kind << 40 | (uint64_t)claim.side << 48;
}

static int compare_words(const void *a, const void *b) {
        uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
        return left < right ? -1 : left > right;
}

// Equal for equal goals; names that are known to be there are told apart by where they stand.
static struct bytes key_of(struct proof *proof, const struct claims *claims, struct claim goal) {
        uint64_t *words = take(proof, (claims->count + claims->present_count + 2) * sizeof *words);
        // what is proven where a default may stand for a member is not proven where it may not
        uint64_t strict = proof->options->defaults && (proof->quiet || proof->beside) ? UINT64_C(1) << 32 : 0;
        size_t count = 0;
        for (size_t i = 0; i < claims->count; i++)
                words[count++] = word_of(claims->items[i]);
        qsort(words, count, sizeof *words, compare_words);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
                if (i == 0 || words[i] != words[i - 1])
                        words[kept++] = words[i];
        for (size_t i = 0; i < claims->present_count; i++)
                words[kept++] = (uint64_t)(uintptr_t)claims->present[i].data;
        words[kept++] = claims->kinds | strict;
        words[kept++] = goal.subschema ? word_of(goal) : UINT64_MAX;
        return (struct bytes){(const char *)words, kept * sizeof *words};
}

static bool outcome_equal(const void *element, const void *key) {
        return bytes_equal(((const struct outcome *)element)->key, *(const struct bytes *)key);
}

static uint64_t slot_of(struct bytes key) {
        return XXH3_64bits(key.data, key.size);
}

// ---- outcomes ----

static void keep(struct proof *proof, struct outcome made) {
        struct outcome *outcome = table_find(&proof->outcomes, slot_of(made.key), &made.key, outcome_equal);
        if (outcome) {
                made.told |= outcome->told;
                *outcome = made;
        } else {
                outcome = take(proof, sizeof *outcome);
                *outcome = made;
                table_insert(&proof->outcomes, slot_of(made.key), outcome);
        }
        if (!made.proven)
                return;
        if (proof->trail_count == proof->trail_capacity) {
                proof->trail_capacity = proof->trail_capacity * 2 + 64;
                proof->trail = must_realloc(proof->trail, proof->trail_capacity * sizeof *proof->trail);
        }
        proof->trail[proof->trail_count++] = outcome;
}

// What was proven since then hung on an assumption that was wrong.
static void forget(struct proof *proof, size_t mark) {
        for (size_t i = mark; i < proof->trail_count; i++) {
                struct outcome *outcome = proof->trail[i];
                IGNORE(table_remove(&proof->outcomes, slot_of(outcome->key), &outcome->key, outcome_equal));   // maybe gone already
        }
        proof->trail_count = mark;
}

// What hung on the assumption of a goal that is proven now hangs on what that one does.
static void hand_on(struct proof *proof, size_t mark, size_t number, size_t lowest) {
        for (size_t i = mark; i < proof->trail_count; i++)
                if (proof->trail[i]->lowest != SIZE_MAX && proof->trail[i]->lowest >= number)
                        proof->trail[i]->lowest = lowest;
}

enum known { KNOWN_NOT, KNOWN_GOOD, KNOWN_BAD };

static enum known look_up(struct proof *proof, struct bytes key) {
        struct outcome *outcome = table_find(&proof->outcomes, slot_of(key), &key, outcome_equal);
        if (outcome && outcome->proven && outcome->level <= proof->level) {
                proof->lowest = MIN(proof->lowest, outcome->lowest);
                return KNOWN_GOOD;
        }
        if (outcome && !outcome->proven && (proof->quiet || outcome->told)) {
                proof->doubts += outcome->doubtful;
                return KNOWN_BAD;
        }
        for (struct goal *goal = proof->goals; goal; goal = goal->outer) {
                if (!bytes_equal(goal->key, key))
                        continue;
                if (goal->level >= proof->level) {
                        proof->doubts++;
                        return KNOWN_BAD;       // in a circle, without having come deeper
                }
                goal->assumed = true;
                proof->lowest = MIN(proof->lowest, goal->number);
                return KNOWN_GOOD;
        }
        return KNOWN_NOT;
}

// ---- a goal ----

static bool said(struct proof *proof, const struct facts *facts, struct claim goal) {
        for (size_t i = 0; i < facts->atom_count; i++)
                if (same(proof, facts->atoms[i], goal))
                        return true;
        return false;
}

// Every instance satisfies the goal / one does not / nobody knows.
static enum truth by_values(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct json **values;
        size_t count;
        enum truth all = TRUTH_YES;
        if (!finite_values(proof, facts, &values, &count))
                return TRUTH_UNKNOWN;
        for (size_t i = 0; i < count; i++) {
                enum truth one = holds(proof, goal, values[i]);
                if (one == TRUTH_NO)
                        return TRUTH_NO;
                if (one == TRUTH_UNKNOWN)
                        all = TRUTH_UNKNOWN;
        }
        return all;
}

// Differences from `from` on that were told before `to` are dropped: better ones came.
static void drop(struct proof *proof, size_t from, size_t to) {
        size_t later = proof->difference_count - to;
        if (later)
                memmove(proof->differences + from, proof->differences + to, later * sizeof *proof->differences);
        proof->difference_count = from + later;
}

static bool try_all(struct proof *proof, const struct claims *claims, struct claim goal) {
        if (goal.subschema->trivial)
                return true;
        struct facts facts = facts_of(proof, claims);
        if (!facts.kinds || said(proof, &facts, goal))
                return true;
        enum truth each = by_values(proof, &facts, goal);
        if (each == TRUTH_YES || (each == TRUTH_NO && proof->quiet))
                return each == TRUTH_YES;
        size_t before = proof->difference_count, doubts = proof->doubts;
        if (prove_rules(proof, &facts, goal)) {
                if (each != TRUTH_NO)
                        return true;
                return tell(proof, SCHEMA_DIFFERENCE_ENUM_ARRAY_NARROWED, CERTAIN, goal, NULL, (struct bytes){0});
        }
        size_t middle = proof->difference_count;
        for (size_t i = before; i < middle && facts.denied_count; i++)
                proof->differences[i].uncertain = !proof->differences[i].tolerated;     // what fails was looked at in part only
        if (is_empty(proof, claims)) {
                drop(proof, before, middle);
                proof->doubts = doubts;
                return true;
        }
        size_t direct = proof->doubts;
        proof->doubts = doubts;
        if (facts.cases.subschema && split(proof, &facts, goal)) {
                drop(proof, before, middle);
                return true;
        }
        if (proof->difference_count > middle)
                drop(proof, before, middle);
        else
                proof->doubts = MAX(direct, proof->doubts);
        return false;
}

static bool solve(struct proof *proof, const struct claims *claims, struct claim goal) {
        goal.subschema = meant(goal.subschema);
        spend(proof, GOAL_COST + claims->count);
        if (proof->goal_count == COMPATIBLE_DEPTH_MAX)
                spend(proof, UINT64_MAX);
        struct bytes key = key_of(proof, claims, goal);
        enum known known = look_up(proof, key);
        if (known != KNOWN_NOT)
                return known == KNOWN_GOOD;
        struct goal entered = {.outer = proof->goals, .key = key, .level = proof->level, .number = proof->goal_count++};
        size_t lowest = proof->lowest, mark = proof->trail_count, doubts = proof->doubts, tolerated = proof->tolerated;
        proof->goals = &entered;
        proof->lowest = SIZE_MAX;
        bool proven;
        if (goal.subschema) {
                proven = try_all(proof, claims, goal);
        } else {
                struct facts facts = facts_of(proof, claims);
                proven = facts_empty(proof, &facts);
        }
        proof->goals = entered.outer;
        proof->goal_count--;
        size_t own = proof->lowest < entered.number ? proof->lowest : SIZE_MAX;
        proof->lowest = MIN(lowest, own);
        if (entered.assumed && proven)
                hand_on(proof, mark, entered.number, own);
        else if (entered.assumed)
                forget(proof, mark);
        if (!proven || proof->tolerated == tolerated)
                keep(proof, (struct outcome){.key = key, .proven = proven, .told = !proven && !proof->quiet,
                                             .doubtful = !proven && proof->doubts > doubts,
                                             .level = own == SIZE_MAX ? 0 : entered.level, .lowest = own});
        return proven;
}

bool prove(struct proof *proof, const struct claims *claims, struct claim goal) {
        return solve(proof, claims, goal);
}

bool prove_quietly(struct proof *proof, const struct claims *claims, struct claim goal, bool *ret_doubtful) {
        size_t doubts = proof->doubts;
        proof->quiet++;
        bool proven = solve(proof, claims, goal);
        proof->quiet--;
        *ret_doubtful = proof->doubts > doubts;
        proof->doubts = doubts;
        return proven;
}

bool is_empty(struct proof *proof, const struct claims *claims) {
        bool doubtful;
        return prove_quietly(proof, claims, (struct claim){0}, &doubtful);
}

bool is_empty_kind(struct proof *proof, const struct claims *claims, unsigned kinds) {
        struct claims some = *claims;
        some.kinds &= kinds;
        return is_empty(proof, &some);
}

// ---- one level deeper in the instance ----

bool prove_below(struct proof *proof, const struct claims *claims, struct claim goal) {
        bool beside = proof->beside;
        proof->beside = false;
        proof->level++;
        bool good = prove(proof, claims, goal);
        proof->level--;
        proof->beside = beside;
        return good;
}

bool prove_below_quietly(struct proof *proof, const struct claims *claims, struct claim goal, bool *ret_doubtful) {
        proof->level++;
        bool good = prove_quietly(proof, claims, goal, ret_doubtful);
        proof->level--;
        return good;
}

bool empty_below(struct proof *proof, const struct claims *claims) {
        proof->level++;
        bool empty = is_empty(proof, claims);
        proof->level--;
        return empty;
}

// ---- cases ----

static bool try_case(struct proof *proof, const struct claims *claims, struct claim goal) {
        if (goal.subschema)
                return solve(proof, claims, goal);
        return is_empty(proof, claims);
}

static bool split_branches(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct claim *cases = &facts->cases;
        bool one = cases->kind == CLAIM_SPLIT_ONE, all = true;
        struct schema_list branches = one ? cases->subschema->one : cases->subschema->any;
        for (size_t i = 0; i < branches.count && (all || !proof->quiet); i++) {
                struct claims claims = claims_copy(proof, facts->claims);
                claims_add(proof, &claims, cases->side, cases->kind, cases->subschema);
                claims_add(proof, &claims, cases->side, CLAIM_HOLDS, branches.items[i]);
                for (size_t other = 0; one && other < branches.count; other++)
                        if (other != i)
                                claims_add(proof, &claims, cases->side, CLAIM_FAILS, branches.items[other]);
                all = try_case(proof, &claims, goal) && all;
        }
        return all;
}

static bool split_condition(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct claim *cases = &facts->cases;
        struct claims then = claims_copy(proof, facts->claims), otherwise = claims_copy(proof, facts->claims);
        claims_add(proof, &then, cases->side, cases->kind, cases->subschema);
        claims_add(proof, &then, cases->side, CLAIM_HOLDS, cases->subschema->condition);
        claims_add(proof, &then, cases->side, CLAIM_HOLDS, cases->subschema->then);
        claims_add(proof, &otherwise, cases->side, cases->kind, cases->subschema);
        claims_add(proof, &otherwise, cases->side, CLAIM_FAILS, cases->subschema->condition);
        claims_add(proof, &otherwise, cases->side, CLAIM_HOLDS, cases->subschema->otherwise);
        bool good = try_case(proof, &then, goal);
        return (good || !proof->quiet) && try_case(proof, &otherwise, goal) && good;
}

bool split(struct proof *proof, const struct facts *facts, struct claim goal) {
        if (facts->cases.kind == CLAIM_SPLIT_IF)
                return split_condition(proof, facts, goal);
        return split_branches(proof, facts, goal);
}

// ---- the whole ----

static enum schema_compatibility verdict_of(const struct proof *proof, bool proven) {
        if (proven)
                return proof->tolerated ? SCHEMA_TOLERABLE : SCHEMA_COMPATIBLE;
        for (size_t i = 0; i < proof->difference_count; i++)
                if (!proof->differences[i].uncertain && !proof->differences[i].tolerated)
                        return SCHEMA_INCOMPATIBLE;
        return SCHEMA_UNCERTAIN;
}

static void proof_free(struct proof *proof) {
        table_free(&proof->outcomes);
        table_free(&proof->same);
        table_free(&proof->met);
        free(proof->trail);
        arena_free(&proof->work);
        arena_free(&proof->scratch);
}

// TRUTH_UNKNOWN: it ran out of steps.
static enum truth run(struct proof *proof, const struct schema *writer, struct claim goal) {
        jmp_buf out;
        proof->out = &out;
        if (setjmp(out))
                return TRUTH_UNKNOWN;
        struct claims claims = claims_none();
        claims_add(proof, &claims, SIDE_WRITER, CLAIM_HOLDS, writer->root);
        return prove(proof, &claims, goal) ? TRUTH_YES : TRUTH_NO;
}

// What was told before it ended might have been withdrawn.
static void tell_limit(struct proof *proof, struct claim goal) {
        for (size_t i = 0; i < proof->difference_count; i++)
                proof->differences[i].uncertain = !proof->differences[i].tolerated;
        proof->quiet = 0;
        proof->difference_count = MIN(proof->difference_count, (size_t)COMPATIBLE_DIFFERENCES_MAX - 1);         // this one is told
        IGNORE(tell(proof, SCHEMA_DIFFERENCE_LIMIT_REACHED, UNCERTAIN, goal, NULL, (struct bytes){0}));        // false
}

enum schema_compatibility schema_compatible(const struct schema *writer, const struct schema *reader,
                                            const struct schema_compatible_options *options, struct arena *arena,
                                            struct schema_difference **ret_differences, size_t *ret_count) {
        static const struct schema_compatible_options defaults = {0};
        struct proof proof = {
                .schemas = {writer, reader}, .options = options ? options : &defaults, .arena = arena, .lowest = SIZE_MAX,
                .differences = arena_alloc(arena, COMPATIBLE_DIFFERENCES_MAX * sizeof *proof.differences),
        };
        uint64_t *budget = proof.options->budget, steps = COMPATIBLE_STEPS_MAX;
        if (budget)
                steps = MIN(*budget, steps);
        proof.steps = steps;
        struct claim goal = of(SIDE_READER, reader->root);
        enum truth truth = run(&proof, writer, goal);
        bool proven = truth == TRUTH_YES;
        if (budget)
                *budget -= steps - proof.steps;
        if (truth == TRUTH_UNKNOWN)
                tell_limit(&proof, goal);
        if (!proven && !proof.difference_count)         // what was tried quietly had no name of its own
                IGNORE(tell(&proof, SCHEMA_DIFFERENCE_TYPE_CHANGED, UNCERTAIN, goal, NULL, (struct bytes){0}));        // false
        enum schema_compatibility verdict = verdict_of(&proof, proven);
        *ret_differences = proof.differences;
        *ret_count = proof.difference_count;
        proof_free(&proof);
        return verdict;
}
