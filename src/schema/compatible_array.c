// SPDX-License-Identifier: Apache-2.0
// Arrays. Elements at a place that either side describes are taken one by one, those behind together.
#include "schema/compatible_priv.h"

#define TELL(name, certainty, keyword) \
        tell(proof, SCHEMA_DIFFERENCE_##name, certainty, goal, keyword, (struct bytes){0})

static const struct array_rules no_rules = {.most = UINT64_MAX, .contains_most = UINT64_MAX};

static const struct array_rules *rules_of(const struct subschema *subschema) {
        return subschema->array ? subschema->array : &no_rules;
}

// What elements must be that nothing else describes. unevaluatedItems says it where no branch can describe any.
static const struct subschema *rest_of(const struct subschema *subschema) {
        const struct array_rules *rules = rules_of(subschema);
        if (rules->rest || !subschema->other_elements || subschema->logic || rules->contains)
                return rules->rest;
        return subschema->other_elements;
}

// unevaluatedItems beside branches and references.
static bool leaves_elements(const struct subschema *subschema) {
        return subschema->other_elements && !rules_of(subschema)->rest && !rest_of(subschema);
}

static const struct subschema *item_of(const struct subschema *subschema, size_t index) {
        const struct array_rules *rules = rules_of(subschema);
        return index < rules->prefix.count ? rules->prefix.items[index] : rest_of(subschema);
}

static struct claims item_claims(struct proof *proof, const struct facts *facts, size_t index) {
        struct claims claims = claims_none();
        spend(proof, 1);
        for (size_t i = 0; i < facts->atom_count; i++) {
                struct claim atom = facts->atoms[i];
                claims_add(proof, &claims, atom.side, CLAIM_HOLDS, item_of(atom.subschema, index));
                if (!leaves_elements(atom.subschema))
                        continue;
                struct cover cover = cover_of(proof, atom.subschema, true);
                if (!cover.elements && index >= cover.prefix)
                        claims_add(proof, &claims, atom.side, CLAIM_HOLDS, atom.subschema->other_elements);
        }
        return claims;
}

static size_t longest_prefix(struct proof *proof, const struct facts *facts) {
        size_t longest = 0;
        for (size_t i = 0; i < facts->atom_count; i++) {
                longest = MAX(longest, rules_of(facts->atoms[i].subschema)->prefix.count);
                if (leaves_elements(facts->atoms[i].subschema))
                        longest = MAX(longest, cover_of(proof, facts->atoms[i].subschema, true).prefix);
        }
        return longest;
}

struct sizes {
        uint64_t least, most;
        bool unique;
};

static struct sizes sizes_of(const struct facts *facts) {
        struct sizes sizes = {0, UINT64_MAX, false};
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct array_rules *rules = rules_of(facts->atoms[i].subschema);
                const struct subschema *rest = rest_of(facts->atoms[i].subschema);
                sizes.least = MAX(sizes.least, rules->least);
                if (rules->contains)
                        sizes.least = MAX(sizes.least, rules->contains_least);
                sizes.most = MIN(sizes.most, rules->most);
                if (rest && rest->never)
                        sizes.most = MIN(sizes.most, (uint64_t)rules->prefix.count);
                sizes.unique |= rules->unique;
        }
        return sizes;
}

bool array_empty(struct proof *proof, const struct facts *facts) {
        struct sizes sizes = sizes_of(facts);
        size_t places = longest_prefix(proof, facts) + 1;
        if (sizes.least > sizes.most)
                return true;
        for (size_t i = 0; i < places && i < sizes.least; i++) {
                struct claims claims = item_claims(proof, facts, i);
                if (claims.count && empty_below(proof, &claims))
                        return true;
        }
        return false;
}

// ---- elements ----

// Whether the claims describe the element at this place by its place.
static bool describes(const struct facts *facts, size_t index, struct claim *ret_atom) {
        for (size_t i = 0; i < facts->atom_count; i++)
                if (index < rules_of(facts->atoms[i].subschema)->prefix.count) {
                        *ret_atom = facts->atoms[i];
                        return true;
                }
        return false;
}

static struct bytes token_of(struct proof *proof, size_t index) {
        return bytes_of(arena_print(&proof->work, "%zu", index));
}

static bool prove_item(struct proof *proof, const struct facts *facts, struct claim goal, size_t index) {
        const struct array_rules *rules = rules_of(goal.subschema);
        const struct subschema *wanted = item_of(goal.subschema, index);
        struct claim atom = goal;
        if (!wanted || wanted->trivial)
                return true;
        struct claims claims = item_claims(proof, facts, index);
        bool doubtful, known = describes(facts, index, &atom), asked = index < rules->prefix.count;
        if (known && asked)
                return prove_below(proof, &claims, of(goal.side, wanted));
        if (prove_below_quietly(proof, &claims, of(goal.side, wanted), &doubtful))
                return true;
        enum certainty certainty = doubtful ? UNCERTAIN : CERTAIN;
        struct bytes token = token_of(proof, index);
        if (asked && !claims.count)
                return tell(proof, SCHEMA_DIFFERENCE_ITEM_ADDED_TO_OPEN_CONTENT_MODEL, certainty, goal, rules->prefix_keyword, token);
        if (known && wanted->never)
                return tell(proof, SCHEMA_DIFFERENCE_ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL, certainty, atom,
                            rules_of(atom.subschema)->prefix_keyword, token);
        if (!wanted->never)
                IGNORE(prove_below(proof, &claims, of(goal.side, wanted)));     // false: tells why
        if (asked)
                return tell(proof, SCHEMA_DIFFERENCE_ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, certainty, goal,
                            rules->prefix_keyword, token);
        return tell(proof, SCHEMA_DIFFERENCE_ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, certainty, atom,
                    known ? rules_of(atom.subschema)->prefix_keyword : NULL, known ? token : (struct bytes){0});
}

static bool prove_rest(struct proof *proof, const struct facts *facts, struct claim goal, size_t places) {
        const struct subschema *wanted = rest_of(goal.subschema);
        if (!wanted || wanted->trivial)
                return true;
        struct claims claims = item_claims(proof, facts, places);
        bool doubtful;
        if (prove_below_quietly(proof, &claims, of(goal.side, wanted), &doubtful))
                return true;
        enum certainty certainty = doubtful ? UNCERTAIN : CERTAIN;
        const char *keyword = rules_of(goal.subschema)->rest ? rules_of(goal.subschema)->rest_keyword : "unevaluatedItems";
        if (wanted->never)
                return TELL(ADDITIONAL_ITEMS_REMOVED, certainty, keyword);
        if (claims.count)
                return prove_below(proof, &claims, of(goal.side, wanted));      // false: tells why
        return rules_of(goal.subschema)->prefix.count ? TELL(ADDITIONAL_ITEMS_NARROWED, certainty, keyword)
                                                      : TELL(SCHEMA_ADDED, certainty, keyword);
}

static bool prove_items(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct sizes sizes = sizes_of(facts);
        size_t places = MAX(longest_prefix(proof, facts), rules_of(goal.subschema)->prefix.count);
        bool good = true;
        for (size_t i = 0; i < places && i < sizes.most && (good || !proof->quiet); i++)
                good = prove_item(proof, facts, goal, i) && good;
        if (sizes.most > places && (good || !proof->quiet))
                good = prove_rest(proof, facts, goal, places) && good;
        return good;
}

// ---- contains ----

// What is true of every element, wherever it stands.
static struct claims anywhere(struct proof *proof, const struct facts *facts) {
        struct claims claims = claims_none();
        for (size_t i = 0; i < facts->atom_count; i++)
                if (!rules_of(facts->atoms[i].subschema)->prefix.count)
                        claims_add(proof, &claims, facts->atoms[i].side, CLAIM_HOLDS, rest_of(facts->atoms[i].subschema));
        return claims;
}

static bool contains_enough(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct array_rules *wanted = goal.subschema->array;
        struct claims every = anywhere(proof, facts);
        struct claim element = of(goal.side, wanted->contains);
        bool doubtful;
        if (!wanted->contains_least)
                return true;
        if (sizes_of(facts).least >= wanted->contains_least && prove_below_quietly(proof, &every, element, &doubtful))
                return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct array_rules *rules = rules_of(facts->atoms[i].subschema);
                if (!rules->contains || rules->contains_least < wanted->contains_least)
                        continue;
                struct claims claims = claims_copy(proof, &every);
                claims_add(proof, &claims, facts->atoms[i].side, CLAIM_HOLDS, rules->contains);
                if (prove_below_quietly(proof, &claims, element, &doubtful))
                        return true;
        }
        return false;
}

static bool contains_no_more(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct array_rules *wanted = goal.subschema->array;
        struct claims claims = anywhere(proof, facts);
        bool doubtful;
        if (wanted->contains_most == UINT64_MAX || sizes_of(facts).most <= wanted->contains_most)
                return true;
        claims_add(proof, &claims, goal.side, CLAIM_HOLDS, wanted->contains);
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct array_rules *rules = rules_of(facts->atoms[i].subschema);
                if (rules->contains && rules->contains_most <= wanted->contains_most &&
                    prove_below_quietly(proof, &claims, of(facts->atoms[i].side, rules->contains), &doubtful))
                        return true;
        }
        return false;
}

static bool prove_contains(struct proof *proof, const struct facts *facts, struct claim goal) {
        bool known = false, limited = false, good = true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                known |= rules_of(facts->atoms[i].subschema)->contains != NULL;
                limited |= rules_of(facts->atoms[i].subschema)->contains_most != UINT64_MAX;
        }
        if (!contains_enough(proof, facts, goal))
                good = known ? TELL(MIN_CONTAINS_INCREASED, UNCERTAIN, "contains") : TELL(CONTAINS_ADDED, UNCERTAIN, "contains");
        if (!contains_no_more(proof, facts, goal))
                good = limited ? TELL(MAX_CONTAINS_DECREASED, UNCERTAIN, "maxContains")
                               : TELL(MAX_CONTAINS_ADDED, UNCERTAIN, "maxContains");
        return good;
}

// unevaluatedItems beside branches: elements that no unconditional part describes must satisfy it, whatever the others do.
static bool prove_unevaluated(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct subschema *others = goal.subschema->other_elements;
        if (!leaves_elements(goal.subschema) || others->trivial)
                return true;
        struct cover cover = cover_of(proof, goal.subschema, false);
        size_t places = MAX(longest_prefix(proof, facts), cover.prefix);
        uint64_t most = sizes_of(facts).most;
        bool good = true, doubtful;
        if (cover.elements)
                return true;
        for (size_t i = cover.prefix; i <= places && i < most && good; i++) {
                struct claims claims = item_claims(proof, facts, i);
                good = prove_below_quietly(proof, &claims, of(goal.side, others), &doubtful);
        }
        return good || TELL(UNEVALUATED_ITEMS_NARROWED, UNCERTAIN, "unevaluatedItems");
}

bool prove_array(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct array_rules *rules = rules_of(goal.subschema);
        struct sizes sizes = sizes_of(facts);
        bool good = true;
        if (rules->least > sizes.least)
                good = sizes.least ? TELL(MIN_ITEMS_INCREASED, CERTAIN, "minItems") : TELL(MIN_ITEMS_ADDED, CERTAIN, "minItems");
        if (rules->most < sizes.most)
                good = sizes.most == UINT64_MAX ? TELL(MAX_ITEMS_ADDED, CERTAIN, "maxItems")
                                                : TELL(MAX_ITEMS_DECREASED, CERTAIN, "maxItems");
        if (rules->unique && !sizes.unique && sizes.most > 1)
                good = TELL(UNIQUE_ITEMS_ADDED, CERTAIN, "uniqueItems");
        if (good || !proof->quiet)
                good = prove_items(proof, facts, goal) && good;
        if (rules->contains && (good || !proof->quiet))
                good = prove_contains(proof, facts, goal) && good;
        if (good || !proof->quiet)
                good = prove_unevaluated(proof, facts, goal) && good;
        return good;
}
