// SPDX-License-Identifier: Apache-2.0
// A goal's rules, one after the other: about any value, numbers and strings here; objects, arrays and branches in their own files. A
// rule about one kind of values that has no proof may still be void: no instance is of that kind.
#include "schema/compatible_priv.h"

#include "json/number.h"

#define TELL(name, certainty, keyword) \
        tell(proof, SCHEMA_DIFFERENCE_##name, certainty, goal, keyword, (struct bytes){0})

// ---- what claims say of numbers and strings ----

// Of numbers without a fraction, "above 3" is "from 4 on".
static void tighten(struct proof *proof, struct bytes *limit, bool *exclusive, int64_t step) {
        int64_t value;
        if (!limit->data || !*exclusive || !json_number_to_i64(*limit, &value) || value < -(INT64_MAX / 2) || value > INT64_MAX / 2)
                return;
        *limit = bytes_of(arena_print(&proof->work, "%lld", (long long)(value + step)));
        *exclusive = false;
}

static void at_least(struct bounds *bounds, struct bytes limit, bool above) {
        int order = bounds->least.data && limit.data ? json_number_compare(limit, bounds->least) : 1;
        if (!limit.data || order < 0)
                return;
        bounds->above = above || (order == 0 && bounds->above);
        bounds->least = limit;
}

static void at_most(struct bounds *bounds, struct bytes limit, bool below) {
        int order = bounds->most.data && limit.data ? json_number_compare(limit, bounds->most) : -1;
        if (!limit.data || order > 0)
                return;
        bounds->below = below || (order == 0 && bounds->below);
        bounds->most = limit;
}

struct bounds bounds_of(struct proof *proof, const struct facts *facts) {
        struct bounds bounds = {0};
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct number_rules *rules = facts->atoms[i].subschema->number;
                if (!rules)
                        continue;
                at_least(&bounds, rules->minimum, false);
                at_least(&bounds, rules->above, true);
                at_most(&bounds, rules->maximum, false);
                at_most(&bounds, rules->below, true);
        }
        if (!(facts->kinds & KIND_FRACTION)) {
                tighten(proof, &bounds.least, &bounds.above, 1);
                tighten(proof, &bounds.most, &bounds.below, -1);
        }
        return bounds;
}

struct lengths lengths_of(const struct facts *facts) {
        struct lengths lengths = {0, UINT64_MAX};
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct string_rules *rules = facts->atoms[i].subschema->string;
                if (!rules)
                        continue;
                lengths.least = MAX(lengths.least, rules->least);
                lengths.most = MIN(lengths.most, rules->most);
        }
        return lengths;
}

static bool has_keyword(const struct facts *facts, const char *keyword) {
        for (size_t i = 0; i < facts->atom_count; i++)
                if (json_get_text(facts->atoms[i].subschema->source, keyword))
                        return true;
        return false;
}

// ---- numbers ----

static bool prove_minimum(struct proof *proof, const struct facts *facts, struct claim goal, const struct bounds *bounds) {
        const struct number_rules *rules = goal.subschema->number;
        bool good = true;
        if (rules->minimum.data && (!bounds->least.data || json_number_compare(bounds->least, rules->minimum) < 0))
                good = has_keyword(facts, "minimum") ? TELL(MINIMUM_INCREASED, CERTAIN, "minimum")
                                                     : TELL(MINIMUM_ADDED, CERTAIN, "minimum");
        int order = rules->above.data && bounds->least.data ? json_number_compare(bounds->least, rules->above) : -1;
        if (rules->above.data && (order < 0 || (order == 0 && !bounds->above)))
                good = has_keyword(facts, "exclusiveMinimum") ? TELL(EXCLUSIVE_MINIMUM_INCREASED, CERTAIN, "exclusiveMinimum")
                                                              : TELL(EXCLUSIVE_MINIMUM_ADDED, CERTAIN, "exclusiveMinimum");
        return good;
}

static bool prove_maximum(struct proof *proof, const struct facts *facts, struct claim goal, const struct bounds *bounds) {
        const struct number_rules *rules = goal.subschema->number;
        bool good = true;
        if (rules->maximum.data && (!bounds->most.data || json_number_compare(bounds->most, rules->maximum) > 0))
                good = has_keyword(facts, "maximum") ? TELL(MAXIMUM_DECREASED, CERTAIN, "maximum")
                                                     : TELL(MAXIMUM_ADDED, CERTAIN, "maximum");
        int order = rules->below.data && bounds->most.data ? json_number_compare(bounds->most, rules->below) : 1;
        if (rules->below.data && (order > 0 || (order == 0 && !bounds->below)))
                good = has_keyword(facts, "exclusiveMaximum") ? TELL(EXCLUSIVE_MAXIMUM_DECREASED, CERTAIN, "exclusiveMaximum")
                                                              : TELL(EXCLUSIVE_MAXIMUM_ADDED, CERTAIN, "exclusiveMaximum");
        return good;
}

static bool prove_multiple(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct bytes multiple = goal.subschema->number->multiple;
        bool known = !(facts->kinds & KIND_FRACTION) && json_number_is_multiple(BYTES("1"), multiple), asked = false;
        for (size_t i = 0; i < facts->atom_count && !known; i++) {
                const struct number_rules *rules = facts->atoms[i].subschema->number;
                if (!rules || !rules->multiple.data)
                        continue;
                asked = true;
                known = json_number_is_multiple(rules->multiple, multiple);
        }
        if (known)
                return true;
        return asked ? TELL(MULTIPLE_OF_CHANGED, CERTAIN, "multipleOf") : TELL(MULTIPLE_OF_ADDED, CERTAIN, "multipleOf");
}

static bool prove_number(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct facts numbers = *facts;
        numbers.kinds &= KIND_NUMBER;
        struct bounds bounds = bounds_of(proof, &numbers);
        bool good = prove_minimum(proof, &numbers, goal, &bounds);
        good = prove_maximum(proof, &numbers, goal, &bounds) && good;
        return (!goal.subschema->number->multiple.data || prove_multiple(proof, &numbers, goal)) && good;
}

// ---- strings ----

static struct bytes pattern_source(const struct subschema *subschema) {
        const struct json *pattern = json_get_text(subschema->source, "pattern");
        return json_is(pattern, JSON_STRING) ? json_text(pattern) : (struct bytes){0};
}

static bool prove_pattern(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct bytes wanted = pattern_source(goal.subschema);
        bool others = false;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct subschema *subschema = facts->atoms[i].subschema;
                if (!subschema->string || !subschema->string->pattern)
                        continue;
                if (bytes_equal(pattern_source(subschema), wanted))
                        return true;
                others = true;
        }
        if (wanted.size == 0)                   // matches anything
                return true;
        return others ? TELL(PATTERN_CHANGED, UNCERTAIN, "pattern") : TELL(PATTERN_ADDED, CERTAIN, "pattern");
}

static bool prove_format(struct proof *proof, const struct facts *facts, struct claim goal) {
        bool others = false;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct string_rules *rules = facts->atoms[i].subschema->string;
                if (!rules || !rules->format)
                        continue;
                if (rules->format == goal.subschema->string->format)
                        return true;
                others = true;
        }
        return others ? TELL(FORMAT_CHANGED, UNCERTAIN, "format") : TELL(FORMAT_ADDED, CERTAIN, "format");
}

// What is asserted of the content is asserted by both keywords together.
static bool prove_content(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct string_rules *wanted = goal.subschema->string;
        if (!wanted->base64 && !wanted->json)
                return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct string_rules *rules = facts->atoms[i].subschema->string;
                if (rules && rules->base64 == wanted->base64 && rules->json == wanted->json)
                        return true;
        }
        return TELL(CONTENT_ADDED, UNCERTAIN, wanted->base64 ? "contentEncoding" : "contentMediaType");
}

static bool prove_string(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct string_rules *rules = goal.subschema->string;
        struct lengths lengths = lengths_of(facts);
        bool shaped = false, good = true;       // a pattern may say more of the length than we know
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct string_rules *known = facts->atoms[i].subschema->string;
                shaped |= known && (known->pattern || known->format);
        }
        enum certainty certainty = shaped ? UNCERTAIN : CERTAIN;
        if (rules->least > lengths.least)
                good = lengths.least ? TELL(MIN_LENGTH_INCREASED, certainty, "minLength")
                                     : TELL(MIN_LENGTH_ADDED, certainty, "minLength");
        if (rules->most < lengths.most)
                good = lengths.most == UINT64_MAX ? TELL(MAX_LENGTH_ADDED, certainty, "maxLength")
                                                  : TELL(MAX_LENGTH_DECREASED, certainty, "maxLength");
        if (rules->pattern)
                good = prove_pattern(proof, facts, goal) && good;
        if (rules->format)
                good = prove_format(proof, facts, goal) && good;
        return prove_content(proof, facts, goal) && good;
}

// ---- any value ----

static unsigned missing_kinds(struct proof *proof, const struct facts *facts, unsigned missing) {
        static const unsigned groups[] = {KIND_NULL, KIND_BOOL, KIND_NUMBER, KIND_STRING, KIND_ARRAY, KIND_OBJECT};
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                if ((missing & groups[i]) && is_empty_kind(proof, facts->claims, missing & groups[i]))
                        missing &= ~groups[i];
        return missing;
}

static bool prove_types(struct proof *proof, const struct facts *facts, struct claim goal) {
        unsigned allowed = goal.subschema->never ? 0 : kinds_of_types(goal.subschema), missing = facts->kinds & ~allowed;
        if (missing)
                missing = missing_kinds(proof, facts, missing);
        if (!missing)
                return true;
        const char *keyword = goal.subschema->never ? NULL : "type";
        for (size_t i = 0; i < facts->atom_count; i++)
                if (json_is(json_get_text(facts->atoms[i].subschema->source, "type"), JSON_ARRAY) && (facts->kinds & allowed))
                        return TELL(SUM_TYPE_NARROWED, CERTAIN, keyword);
        return facts->kinds & allowed ? TELL(TYPE_NARROWED, CERTAIN, keyword) : TELL(TYPE_CHANGED, CERTAIN, keyword);
}

// There are more instances than can be looked at, or some of those are missing.
static bool prove_values(struct proof *proof, const struct facts *facts, struct claim goal) {
        (void)facts;
        const char *keyword = goal.subschema->values ? "enum" : "const";
        return TELL(ENUM_ARRAY_NARROWED, CERTAIN, keyword);
}

static bool prove_dynamic(struct proof *proof, const struct facts *facts, struct claim goal) {
        (void)facts;
        return TELL(DYNAMIC_REFERENCE, UNCERTAIN, goal.subschema->other_keyword);
}

// Proven by the rule, or void.
static bool prove_kind(struct proof *proof, const struct facts *facts, struct claim goal, unsigned kinds,
                       bool (*rule)(struct proof *, const struct facts *, struct claim)) {
        size_t told = proof->difference_count, doubts = proof->doubts;
        if (!(facts->kinds & kinds) || rule(proof, facts, goal))
                return true;
        if (!(facts->kinds & ~kinds) || !is_empty_kind(proof, facts->claims, kinds))
                return false;
        proof->difference_count = told;
        proof->doubts = doubts;
        return true;
}

bool prove_rules(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct subschema *subschema = goal.subschema;
        bool good = prove_types(proof, facts, goal);
        if (subschema->never || (!good && proof->quiet))
                return good;
        if ((subschema->values || subschema->constant) && !prove_values(proof, facts, goal))
                good = false;
        if (subschema->number && (good || !proof->quiet))
                good = prove_kind(proof, facts, goal, KIND_NUMBER, prove_number) && good;
        if (subschema->string && (good || !proof->quiet))
                good = prove_kind(proof, facts, goal, KIND_STRING, prove_string) && good;
        if ((subschema->array || subschema->other_elements) && (good || !proof->quiet))
                good = prove_kind(proof, facts, goal, KIND_ARRAY, prove_array) && good;
        if ((subschema->object || subschema->other_members) && (good || !proof->quiet))
                good = prove_kind(proof, facts, goal, KIND_OBJECT, prove_object) && good;
        if (subschema->dynamic && (good || !proof->quiet))
                good = prove_dynamic(proof, facts, goal) && good;
        return (!subschema->logic || (!good && proof->quiet) || prove_logic(proof, facts, goal)) && good;
}
