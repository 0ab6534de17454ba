// SPDX-License-Identifier: Apache-2.0
// What a set of claims says: the subschemas that hold (through $ref and allOf), those that fail, the kinds of values that are left, and
// the values themselves where they can be counted. Leaving something out is always right; it only proves less.
#include "schema/compatible_priv.h"

#include "json/number.h"

enum { FINITE_MAX = 4096, HOLDS_STEPS_MAX = 100000 };

// ---- claims ----

struct claims claims_none(void) {
        return (struct claims){.kinds = KIND_ALL};
}

static void append(struct proof *proof, struct claim **items, size_t *count, size_t *capacity, struct claim claim) {
        if (*count == *capacity) {
                struct claim *grown = take(proof, (*capacity * 2 + 8) * sizeof *grown);
                if (*count)
                        memcpy(grown, *items, *count * sizeof *grown);
                *items = grown;
                *capacity = *capacity * 2 + 8;
        }
        (*items)[(*count)++] = claim;
}

static bool has(const struct claim *items, size_t count, struct claim claim) {
        for (size_t i = 0; i < count; i++)
                if (items[i].subschema == claim.subschema && items[i].side == claim.side && items[i].kind == claim.kind)
                        return true;
        return false;
}

static bool only_refers(const struct subschema *subschema) {
        return !subschema->never && !subschema->types && !subschema->values && !subschema->constant && !subschema->number &&
               !subschema->string && !subschema->array && !subschema->object && !subschema->all.count && !subschema->any.count &&
               !subschema->one.count && !subschema->not && !subschema->condition && !subschema->other_members &&
               !subschema->other_elements && !subschema->dynamic && !subschema->reference != !subschema->other_reference;
}

const struct subschema *meant(const struct subschema *subschema) {
        while (subschema && only_refers(subschema))             // compilation has refused circles
                subschema = subschema->reference ? subschema->reference : subschema->other_reference;
        return subschema;
}

void claims_add(struct proof *proof, struct claims *claims, enum side side, enum claim_kind kind,
                const struct subschema *subschema) {
        subschema = kind == CLAIM_HOLDS || kind == CLAIM_FAILS ? meant(subschema) : subschema;
        struct claim claim = {subschema, side, kind};
        spend(proof, 1 + claims->count / 8);
        if (subschema && !(kind == CLAIM_HOLDS && subschema->trivial) && !has(claims->items, claims->count, claim))
                append(proof, &claims->items, &claims->count, &claims->capacity, claim);
}

struct claims claims_copy(struct proof *proof, const struct claims *claims) {
        struct claims copy = *claims;
        spend(proof, claims->count);
        copy.capacity = copy.count + 4;
        copy.items = take(proof, copy.capacity * sizeof *copy.items);
        if (copy.count)
                memcpy(copy.items, claims->items, copy.count * sizeof *copy.items);
        return copy;
}

void claims_present(struct proof *proof, struct claims *claims, struct bytes name) {
        struct bytes *present = take(proof, (claims->present_count + 1) * sizeof *present);
        if (claims->present_count)
                memcpy(present, claims->present, claims->present_count * sizeof *present);
        present[claims->present_count++] = name;
        claims->present = present;
}

// ---- kinds ----

unsigned kinds_of_types(const struct subschema *subschema) {
        static const unsigned kinds[] = {
                [JSON_NULL] = KIND_NULL, [JSON_BOOL] = KIND_BOOL, [JSON_NUMBER] = KIND_NUMBER, [JSON_STRING] = KIND_STRING,
                [JSON_ARRAY] = KIND_ARRAY, [JSON_OBJECT] = KIND_OBJECT,
        };
        unsigned result = 0;
        if (!subschema->types)
                return KIND_ALL;
        for (unsigned type = JSON_NULL; type <= JSON_OBJECT; type++)
                if (subschema->types >> type & 1)
                        result |= kinds[type];
        if (subschema->types & TYPE_INTEGER)
                result |= subschema->plain_integers ? KIND_PLAIN : KIND_PLAIN | KIND_ROUND;
        return result;
}

// A number that is equal may be written in another way.
static unsigned kind_of_value(const struct json *value) {
        switch (json_type(value)) {
        case JSON_NULL: return KIND_NULL;
        case JSON_BOOL: return KIND_BOOL;
        case JSON_NUMBER: return json_number_is_integer(json_text(value)) ? KIND_PLAIN | KIND_ROUND : KIND_FRACTION;
        case JSON_STRING: return KIND_STRING;
        case JSON_ARRAY: return KIND_ARRAY;
        case JSON_OBJECT:
        default: return KIND_OBJECT;
        }
}

static unsigned kinds_of(const struct subschema *subschema) {
        unsigned kinds = kinds_of_types(subschema), values = 0;
        if (subschema->never)
                return 0;
        if (subschema->constant)
                kinds &= kind_of_value(subschema->constant);
        if (subschema->values) {
                JSON_FOR_EACH(value, subschema->values)
                        values |= kind_of_value(value);
                kinds &= values;
        }
        if (subschema->number && subschema->number->multiple.data && json_number_is_integer(subschema->number->multiple))
                kinds &= ~(unsigned)KIND_FRACTION;
        return kinds;
}

// The subschema says `type` and nothing else.
static bool only_types(const struct subschema *subschema) {
        return subschema->types && !subschema->never && !subschema->values && !subschema->constant && !subschema->number &&
               !subschema->string && !subschema->array && !subschema->object && !subschema->logic && !subschema->other_members &&
               !subschema->other_elements;
}

// ---- facts ----

static void note_cases(struct facts *facts, struct claim owner, enum claim_kind kind) {
        owner.kind = kind;
        if (!facts->cases.subschema && !has(facts->claims->items, facts->claims->count, owner))
                facts->cases = owner;
}

static void deny(struct proof *proof, struct facts *facts, struct claim claim) {
        claim.kind = CLAIM_FAILS;
        spend(proof, 1 + facts->denied_count / 8);
        if (has(facts->denied, facts->denied_count, claim))
                return;
        append(proof, &facts->denied, &facts->denied_count, &facts->denied_capacity, claim);
        if (claim.subschema->trivial)
                facts->kinds = 0;
        if (only_types(claim.subschema))
                facts->kinds &= ~kinds_of_types(claim.subschema);
}

static void expand(struct proof *proof, struct facts *facts, struct claim claim) {
        const struct subschema *subschema = claim.subschema;
        spend(proof, 1 + facts->atom_count / 8);
        if (!subschema || subschema->trivial || has(facts->atoms, facts->atom_count, claim))
                return;
        append(proof, &facts->atoms, &facts->atom_count, &facts->atom_capacity, claim);
        facts->kinds &= kinds_of(subschema);
        if (!subschema->logic)
                return;
        expand(proof, facts, of(claim.side, subschema->reference));
        if (!subschema->dynamic)
                expand(proof, facts, of(claim.side, subschema->other_reference));
        for (size_t i = 0; i < subschema->all.count; i++)
                expand(proof, facts, of(claim.side, subschema->all.items[i]));
        if (subschema->not)
                deny(proof, facts, of(claim.side, subschema->not));
        if (subschema->any.count == 1)
                expand(proof, facts, of(claim.side, subschema->any.items[0]));
        else if (subschema->any.count)
                note_cases(facts, claim, CLAIM_SPLIT_ANY);
        if (subschema->one.count == 1)
                expand(proof, facts, of(claim.side, subschema->one.items[0]));
        else if (subschema->one.count)
                note_cases(facts, claim, CLAIM_SPLIT_ONE);
        if (subschema->condition && (subschema->then || subschema->otherwise))
                note_cases(facts, claim, CLAIM_SPLIT_IF);
}

struct facts facts_of(struct proof *proof, const struct claims *claims) {
        struct facts facts = {.claims = claims, .kinds = claims->kinds};
        for (size_t i = 0; i < claims->count; i++) {
                if (claims->items[i].kind == CLAIM_HOLDS)
                        expand(proof, &facts, claims->items[i]);
                else if (claims->items[i].kind == CLAIM_FAILS)
                        deny(proof, &facts, claims->items[i]);
        }
        return facts;
}

// ---- values ----

enum truth holds(struct proof *proof, struct claim claim, const struct json *value) {
        const struct schema *schema = proof->schemas[claim.side];
        if (schema->dynamic)
                return TRUTH_UNKNOWN;
        struct evaluation evaluation = evaluation_begin(schema, value, &proof->scratch);
        evaluation.steps = MIN((uint64_t)HOLDS_STEPS_MAX, proof->steps);
        evaluation.steps_before_memo = evaluation.steps - evaluation.steps / 8;
        uint64_t before = evaluation.steps;
        bool good = evaluate(&evaluation, claim.subschema, value, step_to(NULL), NULL);
        arena_reset(&proof->scratch);
        spend(proof, before - evaluation.steps + 1);
        if (evaluation.undecided)
                return TRUTH_UNKNOWN;
        return good == (claim.kind == CLAIM_HOLDS) ? TRUTH_YES : TRUTH_NO;
}

static bool has_number(const struct json *value) {
        for (const struct json *node = value; node < json_next(value); node++)
                if (json_is(node, JSON_NUMBER))
                        return true;
        return false;
}

// 1.0 is equal to 1, and no integer to draft 4: a value stands for all that are equal to it only where that does not matter.
static bool stands_for_its_equals(const struct proof *proof, const struct json *value) {
        return (!proof->schemas[SIDE_WRITER]->plain_integers && !proof->schemas[SIDE_READER]->plain_integers) || !has_number(value);
}

// Adds the value if it may be an instance. False: nobody knows.
static bool consider(struct proof *proof, const struct facts *facts, const struct json *value, const struct json **values,
                     size_t *count) {
        spend(proof, value->span);
        if (!stands_for_its_equals(proof, value))
                return false;
        if (!(kind_of_value(value) & facts->kinds))
                return true;
        for (size_t i = 0; i < facts->claims->count; i++) {
                struct claim claim = facts->claims->items[i];
                if (claim.kind != CLAIM_HOLDS && claim.kind != CLAIM_FAILS)
                        continue;
                enum truth truth = holds(proof, claim, value);
                if (truth == TRUTH_UNKNOWN)
                        return false;
                if (truth == TRUTH_NO)
                        return true;
        }
        values[(*count)++] = value;
        return true;
}

static bool consider_list(struct proof *proof, const struct facts *facts, const struct json *list, const struct json ***ret_values,
                          size_t *ret_count) {
        size_t count = 0;
        if (json_count(list) > FINITE_MAX)
                return false;
        const struct json **values = take(proof, (json_count(list) + 1) * sizeof *values);
        JSON_FOR_EACH(value, list)
                if (!consider(proof, facts, value, values, &count))
                        return false;
        *ret_values = values;
        *ret_count = count;
        return true;
}

// Names that are known to be there say more than the claims; only then a value may be too many, which proves less, not more.
bool finite_values(struct proof *proof, const struct facts *facts, const struct json ***ret_values, size_t *ret_count) {
        static const struct json words[] = {
                {.kind = JSON_ARRAY, .count = 3, .span = 4}, {.kind = JSON_NULL, .span = 1},
                {.kind = JSON_BOOL, .span = 1}, {.kind = JSON_BOOL, .truth = true, .span = 1},
        };
        if (!(facts->kinds & ~(unsigned)(KIND_NULL | KIND_BOOL)))
                return consider_list(proof, facts, words, ret_values, ret_count);
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct subschema *subschema = facts->atoms[i].subschema;
                if (subschema->values)
                        return consider_list(proof, facts, subschema->values, ret_values, ret_count);
                if (!subschema->constant)
                        continue;
                const struct json **values = take(proof, sizeof *values);
                size_t count = 0;
                if (!consider(proof, facts, subschema->constant, values, &count))
                        return false;
                *ret_values = values;
                *ret_count = count;
                return true;
        }
        return false;
}
