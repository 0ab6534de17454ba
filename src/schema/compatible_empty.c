// SPDX-License-Identifier: Apache-2.0
// That no instance can satisfy a set of claims: no value of any kind, or a subschema that fails and is proven to hold, or each case of
// a disjunction comes to that.
#include "schema/compatible_priv.h"

#include "json/number.h"

static bool no_number(struct proof *proof, const struct facts *facts) {
        struct bounds bounds = bounds_of(proof, facts);
        if (!bounds.least.data || !bounds.most.data)
                return false;
        int order = json_number_compare(bounds.least, bounds.most);
        return order > 0 || (order == 0 && (bounds.above || bounds.below));
}

static bool no_value(struct proof *proof, const struct facts *facts) {
        unsigned kinds = facts->kinds;
        if (kinds & (KIND_NULL | KIND_BOOL))
                return false;                   // finite_values has seen to it, or nobody knows
        if ((kinds & KIND_NUMBER) && !no_number(proof, facts))
                return false;
        if ((kinds & KIND_STRING) && lengths_of(facts).least <= lengths_of(facts).most)
                return false;
        if ((kinds & KIND_ARRAY) && !array_empty(proof, facts))
                return false;
        return !(kinds & KIND_OBJECT) || object_empty(proof, facts);
}

// null, true and false are looked at; the other kinds are not.
static unsigned without_words(struct proof *proof, const struct facts *facts) {
        unsigned words = facts->kinds & (KIND_NULL | KIND_BOOL);
        const struct json **values;
        size_t count;
        struct facts some = *facts;
        some.kinds = words;
        if (words && finite_values(proof, &some, &values, &count) && count == 0)
                return facts->kinds & ~words;
        return facts->kinds;
}

static bool denied_holds(struct proof *proof, const struct facts *facts, struct claim denied) {
        bool doubtful;
        struct claims rest = claims_none();
        rest.kinds = facts->claims->kinds;
        rest.present = facts->claims->present;
        rest.present_count = facts->claims->present_count;
        for (size_t i = 0; i < facts->atom_count; i++)
                claims_add(proof, &rest, facts->atoms[i].side, CLAIM_HOLDS, facts->atoms[i].subschema);
        for (size_t i = 0; i < facts->claims->count; i++)
                if (facts->claims->items[i].kind >= CLAIM_SPLIT_ANY)
                        claims_add(proof, &rest, facts->claims->items[i].side, facts->claims->items[i].kind,
                                   facts->claims->items[i].subschema);
        // What is denied beside it stays known, except by the subschema that denies this one, which would say the same again.
        for (size_t i = 0; i < facts->claims->count; i++) {
                struct claim claim = facts->claims->items[i];
                if (claim.kind == CLAIM_FAILS && !(claim.subschema == denied.subschema && claim.side == denied.side))
                        claims_add(proof, &rest, claim.side, CLAIM_FAILS, claim.subschema);
        }
        return prove_quietly(proof, &rest, of(denied.side, denied.subschema), &doubtful);
}

bool facts_empty(struct proof *proof, const struct facts *facts) {
        const struct json **values;
        size_t count;
        if (!facts->kinds)
                return true;
        if (finite_values(proof, facts, &values, &count))
                return count == 0;
        struct facts some = *facts;
        some.kinds = without_words(proof, facts);
        if (!some.kinds || no_value(proof, &some))
                return true;
        for (size_t i = 0; i < facts->denied_count; i++)
                if (denied_holds(proof, facts, facts->denied[i]))
                        return true;
        return facts->cases.subschema && split(proof, facts, (struct claim){0});
}
