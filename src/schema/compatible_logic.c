// SPDX-License-Identifier: Apache-2.0
// A goal's branches. `anyOf` and `oneOf`: branches that contradict the claims are left out; where one is left, it must be proven; where
// several are, one of them (anyOf: given that the others fail), else the claims are taken apart by the kinds of values.
#include "schema/compatible_priv.h"

#define TELL(name, certainty, keyword) \
        tell(proof, SCHEMA_DIFFERENCE_##name, certainty, goal, keyword, (struct bytes){0})

static bool prove_beside(struct proof *proof, const struct claims *claims, struct claim goal) {
        bool beside = proof->beside;
        proof->beside = true;
        bool good = prove(proof, claims, goal);
        proof->beside = beside;
        return good;
}

// Whether the claims and the branch contradict each other.
static bool excluded(struct proof *proof, const struct facts *facts, enum side side, const struct subschema *branch) {
        struct claims claims = claims_copy(proof, facts->claims);
        claims_add(proof, &claims, side, CLAIM_HOLDS, branch);
        return !branch->trivial && is_empty(proof, &claims);
}

struct choice {
        struct schema_list branches;            // those that are not excluded
        bool doubtful;
};

static struct choice choose(struct proof *proof, const struct facts *facts, enum side side, struct schema_list branches) {
        const struct subschema **left = take(proof, branches.count * sizeof *left);
        struct choice choice = {.branches = {.items = left}};
        for (size_t i = 0; i < branches.count; i++)
                if (!excluded(proof, facts, side, branches.items[i]))
                        left[choice.branches.count++] = branches.items[i];
        return choice;
}

// Some one of several: each is tried, given that the others fail.
static bool prove_some(struct proof *proof, const struct facts *facts, enum side side, struct choice *choice) {
        for (size_t i = 0; i < choice->branches.count; i++) {
                bool doubtful;
                struct claims claims = claims_copy(proof, facts->claims);
                for (size_t other = 0; other < choice->branches.count; other++)
                        if (other != i)
                                claims_add(proof, &claims, side, CLAIM_FAILS, choice->branches.items[other]);
                if (prove_quietly(proof, &claims, of(side, choice->branches.items[i]), &doubtful))
                        return true;
                choice->doubtful |= doubtful;
        }
        return false;
}

// The same for each kind of values alone. The goal is the subschema whose branches these are.
static bool prove_by_kinds(struct proof *proof, const struct facts *facts, struct claim goal) {
        static const unsigned groups[] = {KIND_NULL, KIND_BOOL, KIND_NUMBER, KIND_STRING, KIND_ARRAY, KIND_OBJECT};
        size_t several = 0;
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                several += (facts->kinds & groups[i]) != 0;
        if (several < 2)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
                bool doubtful;
                struct claims claims = *facts->claims;
                claims.kinds = facts->kinds & groups[i];
                if (claims.kinds && !prove_quietly(proof, &claims, goal, &doubtful))
                        return false;
        }
        return true;
}

static bool prove_any(struct proof *proof, const struct facts *facts, struct claim goal) {
        for (size_t i = 0; i < goal.subschema->any.count; i++)
                if (goal.subschema->any.items[i]->trivial)
                        return true;
        struct choice choice = choose(proof, facts, goal.side, goal.subschema->any);
        if (choice.branches.count == 1)
                return prove_beside(proof, facts->claims, of(goal.side, choice.branches.items[0]));
        if (prove_some(proof, facts, goal.side, &choice) || prove_by_kinds(proof, facts, goal))
                return true;
        return TELL(SUM_TYPE_NARROWED, choice.branches.count ? UNCERTAIN : CERTAIN, "anyOf");
}

static bool prove_one(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct choice choice = choose(proof, facts, goal.side, goal.subschema->one);
        if (choice.branches.count == 1)
                return prove_beside(proof, facts->claims, of(goal.side, choice.branches.items[0]));
        if (choice.branches.count == 0)
                return TELL(SUM_TYPE_NARROWED, CERTAIN, "oneOf");
        if (prove_by_kinds(proof, facts, goal))
                return true;
        struct choice some = choice;
        if (!prove_some(proof, facts, goal.side, &some))
                return TELL(SUM_TYPE_NARROWED, UNCERTAIN, "oneOf");
        return TELL(COMBINED_TYPE_SUBSCHEMAS_CHANGED, UNCERTAIN, "oneOf");
}

static bool prove_not(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct claims claims = claims_copy(proof, facts->claims);
        claims_add(proof, &claims, goal.side, CLAIM_HOLDS, goal.subschema->not);
        if (!goal.subschema->not->trivial && is_empty(proof, &claims))
                return true;
        return TELL(NOT_TYPE_EXTENDED, UNCERTAIN, "not");
}

static bool prove_condition(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct subschema *subschema = goal.subschema;
        bool good = true;
        struct claims then = claims_copy(proof, facts->claims), otherwise = claims_copy(proof, facts->claims);
        claims_add(proof, &then, goal.side, CLAIM_HOLDS, subschema->condition);
        claims_add(proof, &otherwise, goal.side, CLAIM_FAILS, subschema->condition);
        if (subschema->then)
                good = prove_beside(proof, &then, of(goal.side, subschema->then));
        if (subschema->otherwise && (good || !proof->quiet))
                good = prove_beside(proof, &otherwise, of(goal.side, subschema->otherwise)) && good;
        return good;
}

bool prove_logic(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct subschema *subschema = goal.subschema;
        bool good = true;
        if (subschema->reference)
                good = prove_beside(proof, facts->claims, of(goal.side, subschema->reference));
        if (subschema->other_reference && !subschema->dynamic && (good || !proof->quiet))
                good = prove_beside(proof, facts->claims, of(goal.side, subschema->other_reference)) && good;
        for (size_t i = 0; i < subschema->all.count && (good || !proof->quiet); i++)
                good = prove_beside(proof, facts->claims, of(goal.side, subschema->all.items[i])) && good;
        if (subschema->any.count && (good || !proof->quiet))
                good = prove_any(proof, facts, goal) && good;
        if (subschema->one.count && (good || !proof->quiet))
                good = prove_one(proof, facts, goal) && good;
        if (subschema->not && (good || !proof->quiet))
                good = prove_not(proof, facts, goal) && good;
        if (subschema->condition && (subschema->then || subschema->otherwise) && (good || !proof->quiet))
                good = prove_condition(proof, facts, goal) && good;
        return good;
}
