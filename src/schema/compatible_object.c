// SPDX-License-Identifier: Apache-2.0
// Objects. Names that either side mentions are taken one by one: what the claims say of that member must satisfy what the goal says of it.
// The others are taken together, by the patterns that they may match.
#include "schema/compatible_priv.h"

#include <stdlib.h>

#define TELL(name, certainty, keyword, token) tell(proof, SCHEMA_DIFFERENCE_##name, certainty, goal, keyword, token)
#define NO_TOKEN ((struct bytes){0})

static const struct object_rules no_rules = {.most = UINT64_MAX};

static const struct object_rules *rules_of(const struct subschema *subschema) {
        return subschema->object ? subschema->object : &no_rules;
}

// What members must be that nothing else describes. unevaluatedProperties says it where no branch can describe any.
const struct subschema *additional_of(const struct subschema *subschema) {
        const struct object_rules *rules = rules_of(subschema);
        if (rules->additional || !subschema->other_members || subschema->logic)
                return rules->additional;
        for (size_t i = 0; i < rules->dependency_count; i++)
                if (rules->dependencies[i].schema)
                        return NULL;
        return subschema->other_members;
}

static enum truth matches_name(struct proof *proof, const struct pattern_property *pattern, struct bytes name) {
        spend(proof, 1 + name.size / 16);
        enum pattern_verdict verdict = pattern_search(pattern->pattern, name, &proof->scratch);
        arena_reset(&proof->scratch);
        return verdict == PATTERN_UNDECIDED ? TRUTH_UNKNOWN : verdict == PATTERN_MATCH ? TRUTH_YES : TRUTH_NO;
}

// unevaluatedProperties beside branches and references.
static bool leaves_members(const struct subschema *subschema) {
        return subschema->other_members && !rules_of(subschema)->additional && !additional_of(subschema);
}

// ---- one member ----

static const struct subschema *described(const struct subschema *subschema, struct bytes name) {
        const struct property *property = property_find(rules_of(subschema), name, SIZE_MAX);
        return property ? property->schema : NULL;
}

// What a subschema says of the member: up to `room` subschemas. *ret_unknown: a pattern could not be decided.
static size_t member_rules(struct proof *proof, const struct subschema *subschema, struct bytes name,
                           const struct subschema **rules, bool *ret_unknown) {
        const struct object_rules *object = rules_of(subschema);
        const struct subschema *property = described(subschema, name), *additional = additional_of(subschema);
        size_t count = 0;
        bool covered = property != NULL;
        if (property)
                rules[count++] = property;
        for (size_t i = 0; i < object->pattern_count; i++) {
                enum truth truth = matches_name(proof, &object->patterns[i], name);
                covered |= truth != TRUTH_NO;
                if (truth == TRUTH_YES)
                        rules[count++] = object->patterns[i].schema;
                *ret_unknown |= truth == TRUTH_UNKNOWN;
        }
        if (!covered && additional)
                rules[count++] = additional;
        return count;
}

static enum truth covers(struct proof *proof, const struct cover *cover, struct bytes name) {
        enum truth all = cover->members ? TRUTH_YES : TRUTH_NO;
        for (size_t i = 0; i < cover->count && all != TRUTH_YES; i++) {
                const struct object_rules *rules = rules_of(cover->items[i]);
                if (described(cover->items[i], name))
                        return TRUTH_YES;
                for (size_t each = 0; each < rules->pattern_count; each++) {
                        enum truth truth = matches_name(proof, &rules->patterns[each], name);
                        all = truth == TRUTH_NO ? all : truth;
                        if (truth == TRUTH_YES)
                                break;
                }
        }
        return all;
}

static bool name_excluded(struct proof *proof, struct claim atom, struct bytes name) {
        const struct subschema *names = rules_of(atom.subschema)->names;
        const struct json text = {.kind = JSON_STRING, .count = (uint32_t)name.size, .span = 1, .text = name.data};
        return names && holds(proof, of(atom.side, names), &text) == TRUTH_NO;
}

static struct claims member_claims(struct proof *proof, const struct facts *facts, struct bytes name) {
        struct claims claims = claims_none();
        spend(proof, 1 + facts->atom_count + facts->claims->present_count / 8);
        for (size_t i = 0; i < facts->atom_count; i++) {
                struct claim atom = facts->atoms[i];
                const struct subschema **rules =
                        take(proof, (rules_of(atom.subschema)->pattern_count + 2) * sizeof *rules);
                bool unknown = false;           // leaves something out
                size_t count = member_rules(proof, atom.subschema, name, rules, &unknown);
                for (size_t each = 0; each < count; each++)
                        claims_add(proof, &claims, atom.side, CLAIM_HOLDS, rules[each]);
                if (name_excluded(proof, atom, name))
                        claims.kinds = 0;
                if (!leaves_members(atom.subschema))
                        continue;
                struct cover cover = cover_of(proof, atom.subschema, true);
                if (covers(proof, &cover, name) == TRUTH_NO)
                        claims_add(proof, &claims, atom.side, CLAIM_HOLDS, atom.subschema->other_members);
        }
        return claims;
}

static bool member_impossible(struct proof *proof, const struct facts *facts, struct bytes name) {
        struct claims claims = member_claims(proof, facts, name);
        return (!claims.kinds || claims.count) && empty_below(proof, &claims);
}

// The claims' subschema that describes the member by its name, for the place of a difference.
static bool describes(const struct facts *facts, struct bytes name, struct claim *ret_atom) {
        for (size_t i = 0; i < facts->atom_count; i++)
                if (described(facts->atoms[i].subschema, name)) {
                        *ret_atom = facts->atoms[i];
                        return true;
                }
        return false;
}

static bool prove_member_rule(struct proof *proof, const struct facts *facts, struct claim goal, struct bytes name,
                              const struct subschema *rule) {
        struct claims claims = member_claims(proof, facts, name);
        const struct claim wanted = of(goal.side, rule);
        struct claim atom = goal;
        bool doubtful, known = describes(facts, name, &atom), asked = described(goal.subschema, name) == rule;
        if (known && asked)
                return prove_below(proof, &claims, wanted);
        if (prove_below_quietly(proof, &claims, wanted, &doubtful))
                return true;
        enum certainty certainty = doubtful ? UNCERTAIN : CERTAIN;
        if (asked && !claims.count)
                return TELL(PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL, certainty, "properties", name);
        if (known && rule->never)
                return tell(proof, SCHEMA_DIFFERENCE_PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL, certainty, atom, "properties", name);
        if (!rule->never)
                IGNORE(prove_below(proof, &claims, wanted));    // false: tells why
        if (asked)
                return TELL(PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, certainty, "properties", name);
        return tell(proof, SCHEMA_DIFFERENCE_PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, certainty, atom,
                    known ? "properties" : NULL, known ? name : NO_TOKEN);
}

static bool prove_member(struct proof *proof, const struct facts *facts, struct claim goal, struct bytes name) {
        const struct subschema **rules =
                take(proof, (rules_of(goal.subschema)->pattern_count + 2) * sizeof *rules);
        bool unknown = false, good = true;
        size_t count = member_rules(proof, goal.subschema, name, rules, &unknown);
        if (unknown && !member_impossible(proof, facts, name))
                good = TELL(PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, UNCERTAIN, NULL, NO_TOKEN);
        for (size_t i = 0; i < count && (good || !proof->quiet); i++)
                if (!rules[i]->trivial && !prove_member_rule(proof, facts, goal, name, rules[i]))
                        good = false;
        return good;
}

// ---- names that are mentioned ----

static int compare_names(const void *a, const void *b) {
        return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static size_t add_names(const struct subschema *subschema, struct bytes *names, size_t count) {
        const struct object_rules *rules = rules_of(subschema);
        for (size_t i = 0; i < rules->property_count; i++)
                names[count++] = rules->properties[i].name;
        return count;
}

// The goal's own in the order of its schema, then the others in byte order, none twice. What an unevaluatedProperties may leave alone is
// mentioned, too.
struct mentioned {
        struct bytes *names;
        size_t count;
};

static struct mentioned mentioned_names(struct proof *proof, const struct facts *facts, struct claim goal) {
        size_t most = rules_of(goal.subschema)->property_count, own, count, kept;
        struct cover *covers_of = take(proof, (facts->atom_count + 1) * sizeof *covers_of);
        for (size_t i = 0; i < facts->atom_count; i++) {
                if (leaves_members(facts->atoms[i].subschema))
                        covers_of[i] = cover_of(proof, facts->atoms[i].subschema, true);
                most += rules_of(facts->atoms[i].subschema)->property_count + covers_of[i].names;
        }
        spend(proof, most);
        struct bytes *names = take(proof, (most + 1) * sizeof *names);
        own = count = kept = add_names(goal.subschema, names, 0);
        for (size_t i = 0; i < facts->atom_count; i++) {
                count = add_names(facts->atoms[i].subschema, names, count);
                for (size_t each = 0; each < covers_of[i].count; each++)
                        count = add_names(covers_of[i].items[each], names, count);
        }
        qsort(names + own, count - own, sizeof *names, compare_names);
        for (size_t i = own; i < count; i++)
                if (!(kept > own && bytes_equal(names[i], names[kept - 1])) &&
                    !property_find(rules_of(goal.subschema), names[i], SIZE_MAX))
                        names[kept++] = names[i];
        return (struct mentioned){names, kept};
}

static bool prove_names(struct proof *proof, const struct facts *facts, struct claim goal) {
        struct mentioned mentioned = mentioned_names(proof, facts, goal);
        bool good = true;
        for (size_t i = 0; i < mentioned.count && (good || !proof->quiet); i++)
                good = prove_member(proof, facts, goal, mentioned.names[i]) && good;
        return good;
}

// ---- names that are not ----

static const struct pattern_property *same_pattern(struct proof *proof, const struct subschema *subschema, struct bytes source) {
        const struct object_rules *rules = rules_of(subschema);
        spend(proof, 1 + rules->pattern_count / 8);
        for (size_t i = 0; i < rules->pattern_count; i++)
                if (bytes_equal(rules->patterns[i].source, source))
                        return &rules->patterns[i];
        return NULL;
}

// Which of an atom's subschemas may be about a name that matches the goal's pattern, or none of its patterns.
struct alternatives {
        const struct subschema **items;         // NULL among them: nothing is said
        size_t count;
};

// What is said of a member that nothing mentions.
static const struct subschema *others_of(struct proof *proof, const struct subschema *atom) {
        if (!leaves_members(atom))
                return additional_of(atom);
        struct cover cover = cover_of(proof, atom, true);
        return cover.members || cover.patterns ? NULL : atom->other_members;
}

static struct alternatives alternatives_of(struct proof *proof, const struct subschema *atom, const struct subschema *goal,
                                           const struct pattern_property *pattern) {
        const struct object_rules *rules = rules_of(atom);
        struct alternatives all = {.items = take(proof, (rules->pattern_count + 1) * sizeof *all.items)};
        const struct pattern_property *equal = pattern ? same_pattern(proof, atom, pattern->source) : NULL;
        if (equal) {
                all.items[all.count++] = equal->schema;
                return all;
        }
        for (size_t i = 0; i < rules->pattern_count; i++)
                if (pattern || !same_pattern(proof, goal, rules->patterns[i].source))
                        all.items[all.count++] = rules->patterns[i].schema;
        all.items[all.count++] = others_of(proof, atom);
        return all;
}

// `certain`: the claims are about every such name, else about those that one of several patterns matches.
static bool prove_other_rule(struct proof *proof, const struct claims *claims, struct claim goal,
                             const struct pattern_property *pattern, const struct subschema *rule, bool certain) {
        bool doubtful;
        struct claim wanted = of(goal.side, rule);
        if (prove_below_quietly(proof, claims, wanted, &doubtful))
                return true;
        enum certainty certainty = doubtful || !certain ? UNCERTAIN : CERTAIN;
        if (pattern && !claims->count)
                return TELL(PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL, certainty, "patternProperties", pattern->source);
        if (!rule->never && claims->count)
                IGNORE(prove_below(proof, claims, wanted));     // false: tells why
        if (pattern)
                return TELL(PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL, certainty, "patternProperties",
                            pattern->source);
        const char *keyword = rules_of(goal.subschema)->additional ? "additionalProperties" : "unevaluatedProperties";
        return rule->never ? TELL(ADDITIONAL_PROPERTIES_REMOVED, certainty, keyword, NO_TOKEN)
                           : TELL(ADDITIONAL_PROPERTIES_NARROWED, certainty, keyword, NO_TOKEN);
}

// The goal's rule about names that match its pattern, or with NULL about those that nothing describes. Of the atoms that leave open
// what they say of such names one is taken case by case, and the others left out.
static bool prove_others(struct proof *proof, const struct facts *facts, struct claim goal,
                         const struct pattern_property *pattern, const struct subschema *rule) {
        struct claims certain = claims_none();
        struct alternatives open = {0};
        enum side side = SIDE_WRITER;
        if (rule->trivial)
                return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                struct alternatives all = alternatives_of(proof, facts->atoms[i].subschema, goal.subschema, pattern);
                if (all.count == 1) {
                        claims_add(proof, &certain, facts->atoms[i].side, CLAIM_HOLDS, all.items[0]);
                } else if (!open.count) {
                        open = all;
                        side = facts->atoms[i].side;
                }
        }
        bool good = open.count > 0 || prove_other_rule(proof, &certain, goal, pattern, rule, true);
        for (size_t i = 0; i < open.count && (good || !proof->quiet); i++) {
                struct claims claims = claims_copy(proof, &certain);
                claims_add(proof, &claims, side, CLAIM_HOLDS, open.items[i]);
                good = prove_other_rule(proof, &claims, goal, pattern, rule, false) && good;
        }
        return good;
}

// Only members that are named may be there: how many; UINT64_MAX: others, too.
static uint64_t closed_count(const struct subschema *subschema) {
        const struct subschema *additional = additional_of(subschema);
        const struct object_rules *rules = rules_of(subschema);
        uint64_t count = 0;
        if (!additional || !additional->never || rules->pattern_count)
                return UINT64_MAX;
        for (size_t i = 0; i < rules->property_count; i++)
                count += rules->properties[i].schema && !rules->properties[i].schema->never;
        return count;
}

// ---- which members are there ----

static bool is_required(const struct facts *facts, struct bytes name) {
        for (size_t i = 0; i < facts->claims->present_count; i++)
                if (bytes_equal(facts->claims->present[i], name))
                        return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct property *property = property_find(rules_of(facts->atoms[i].subschema), name, SIZE_MAX);
                if (property && property->required)
                        return true;
        }
        return false;
}

static bool in_list(const struct json *names, struct bytes name) {
        JSON_FOR_EACH(each, names)
                if (bytes_equal(json_text(each), name))
                        return true;
        return false;
}

// Required, or asked for by what is there.
static bool is_there(struct proof *proof, const struct facts *facts, struct bytes name) {
        if (is_required(facts, name))
                return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct object_rules *rules = rules_of(facts->atoms[i].subschema);
                spend(proof, 1 + rules->dependency_count);
                for (size_t each = 0; each < rules->dependency_count; each++)
                        if (rules->dependencies[each].names && is_required(facts, rules->dependencies[each].name) &&
                            in_list(rules->dependencies[each].names, name))
                                return true;
        }
        return false;
}

struct counts { uint64_t least, most; };

static struct counts counts_of(struct proof *proof, const struct facts *facts) {
        struct counts counts = {facts->claims->present_count ? 1 : 0, UINT64_MAX};
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct object_rules *rules = rules_of(facts->atoms[i].subschema);
                spend(proof, 1 + rules->property_count / 8);
                counts.least = MAX(counts.least, MAX(rules->least, (uint64_t)rules->required_count));
                counts.most = MIN(counts.most, MIN(rules->most, closed_count(facts->atoms[i].subschema)));
        }
        return counts;
}

bool object_empty(struct proof *proof, const struct facts *facts) {
        struct counts counts = counts_of(proof, facts);
        if (counts.least > counts.most)
                return true;
        for (size_t i = 0; i < facts->claims->present_count; i++)
                if (member_impossible(proof, facts, facts->claims->present[i]))
                        return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct object_rules *rules = rules_of(facts->atoms[i].subschema);
                for (size_t each = 0; each < rules->property_count; each++)
                        if (rules->properties[each].required && member_impossible(proof, facts, rules->properties[each].name))
                                return true;
        }
        return false;
}

// ---- the goal's rules ----

// A reader that fills in defaults has what it requires: where nothing else about the same object could object to the new member.
static bool has_default(struct proof *proof, struct claim goal, const struct property *property) {
        const struct object_rules *rules = goal.subschema->object;
        if (!proof->options->defaults || proof->quiet || proof->beside || !property->schema || goal.subschema->logic ||
            rules->names || rules->dependency_count || rules->pattern_count || rules->most != UINT64_MAX)
                return false;
        const struct json *value = json_get_text(property->schema->source, "default");
        return value && holds(proof, of(goal.side, property->schema), value) == TRUTH_YES;
}

// The token of a name in the goal's `required`; none where nothing is told.
static struct bytes place_in_required(struct proof *proof, struct claim goal, struct bytes name) {
        const struct json *required = json_get_text(goal.subschema->source, "required");
        size_t at = 0;
        if (proof->quiet || proof->difference_count == COMPATIBLE_DIFFERENCES_MAX)
                return NO_TOKEN;
        JSON_FOR_EACH(item, required) {
                if (bytes_equal(json_text(item), name))
                        return bytes_of(arena_print(proof->arena, "%zu", at));
                at++;
        }
        return NO_TOKEN;
}

static bool prove_required(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct object_rules *rules = goal.subschema->object;
        bool good = true;
        for (size_t i = 0; i < rules->property_count && (good || !proof->quiet); i++) {
                const struct property *property = &rules->properties[i];
                if (!property->required || is_there(proof, facts, property->name))
                        continue;
                struct claim atom;
                struct claims claims = member_claims(proof, facts, property->name);
                bool known = describes(facts, property->name, &atom) || (!claims.count && claims.kinds);
                const char *keyword = property->schema ? "properties" : "required";
                struct bytes token = property->schema ? property->name : place_in_required(proof, goal, property->name);
                if (has_default(proof, goal, property)) {
                        proof->tolerated++;
                        IGNORE(known ? TELL(REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED, TOLERATED, keyword, token)           // false, always
                                     : TELL(REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL, TOLERATED, keyword, token));
                        continue;
                }
                good = known ? TELL(REQUIRED_ATTRIBUTE_ADDED, CERTAIN, keyword, token)
                             : TELL(REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL, CERTAIN, keyword, token);
        }
        return good;
}

static bool prove_counts(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct object_rules *rules = goal.subschema->object;
        struct counts counts = counts_of(proof, facts);
        bool good = true;
        if (rules->least > counts.least)
                good = counts.least ? TELL(MIN_PROPERTIES_INCREASED, CERTAIN, "minProperties", NO_TOKEN)
                                    : TELL(MIN_PROPERTIES_ADDED, CERTAIN, "minProperties", NO_TOKEN);
        if (rules->most < counts.most)
                good = counts.most == UINT64_MAX ? TELL(MAX_PROPERTIES_ADDED, CERTAIN, "maxProperties", NO_TOKEN)
                                                 : TELL(MAX_PROPERTIES_DECREASED, CERTAIN, "maxProperties", NO_TOKEN);
        return good;
}

// Every name that the claims allow must match: those that a closed object may have, or what its names are said to be.
static bool prove_property_names(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct subschema *wanted = goal.subschema->object->names;
        struct claims claims = claims_none();
        bool doubtful;
        claims.kinds = KIND_STRING;
        for (size_t i = 0; i < facts->atom_count; i++)
                claims_add(proof, &claims, facts->atoms[i].side, CLAIM_HOLDS, rules_of(facts->atoms[i].subschema)->names);
        if (prove_below_quietly(proof, &claims, of(goal.side, wanted), &doubtful))
                return true;
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct object_rules *rules = rules_of(facts->atoms[i].subschema);
                bool all = closed_count(facts->atoms[i].subschema) != UINT64_MAX;
                for (size_t each = 0; all && each < rules->property_count; each++) {
                        struct bytes name = rules->properties[each].name;
                        const struct json text = {.kind = JSON_STRING, .count = (uint32_t)name.size, .span = 1, .text = name.data};
                        all = holds(proof, of(goal.side, wanted), &text) == TRUTH_YES || member_impossible(proof, facts, name);
                }
                if (all)
                        return true;
        }
        return TELL(PROPERTY_NAMES_NARROWED, doubtful || claims.count ? UNCERTAIN : CERTAIN, "propertyNames", NO_TOKEN);
}

// What the claims ask for where the member is there.
static struct claims with_member(struct proof *proof, const struct facts *facts, struct bytes name, bool *ret_asks) {
        struct claims claims = claims_copy(proof, facts->claims);
        *ret_asks = false;
        claims_present(proof, &claims, name);
        for (size_t i = 0; i < facts->atom_count; i++) {
                const struct object_rules *rules = rules_of(facts->atoms[i].subschema);
                spend(proof, 1 + rules->dependency_count);
                for (size_t each = 0; each < rules->dependency_count; each++) {
                        const struct dependency *dependency = &rules->dependencies[each];
                        if (!bytes_equal(dependency->name, name))
                                continue;
                        *ret_asks = true;
                        claims_add(proof, &claims, facts->atoms[i].side, CLAIM_HOLDS, dependency->schema);
                        if (dependency->names)
                                JSON_FOR_EACH(other, dependency->names)
                                        claims_present(proof, &claims, json_text(other));
                }
        }
        return claims;
}

static bool prove_dependency(struct proof *proof, const struct facts *facts, struct claim goal,
                             const struct dependency *dependency) {
        bool asks, doubtful, beside = proof->beside;
        struct claims claims = with_member(proof, facts, dependency->name, &asks);
        if (dependency->schema) {
                struct claim wanted = of(goal.side, dependency->schema);
                if (prove_quietly(proof, &claims, wanted, &doubtful))
                        return true;
                proof->beside = true;
                IGNORE(prove(proof, &claims, wanted));          // false: tells why
                proof->beside = beside;
                return asks ? false : TELL(DEPENDENCY_SCHEMA_ADDED, doubtful ? UNCERTAIN : CERTAIN, dependency->keyword,
                                           dependency->name);
        }
        struct facts known = facts_of(proof, &claims);
        bool all = true;
        JSON_FOR_EACH(name, dependency->names)
                all = all && is_there(proof, &known, json_text(name));
        if (all || member_impossible(proof, facts, dependency->name) || is_empty(proof, &claims))
                return true;
        return asks ? TELL(DEPENDENCY_ARRAY_EXTENDED, CERTAIN, dependency->keyword, dependency->name)
                    : TELL(DEPENDENCY_ARRAY_ADDED, CERTAIN, dependency->keyword, dependency->name);
}

// unevaluatedProperties beside branches: members that no unconditional part describes must satisfy it, whatever the others do.
static bool prove_unevaluated(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct subschema *others = goal.subschema->other_members;
        if (!leaves_members(goal.subschema) || others->trivial)
                return true;
        struct cover cover = cover_of(proof, goal.subschema, false);
        bool good = true, doubtful;
        if (cover.members)
                return true;
        struct mentioned mentioned = mentioned_names(proof, facts, goal);
        for (size_t i = 0; i < mentioned.count && good; i++) {
                if (covers(proof, &cover, mentioned.names[i]) == TRUTH_YES)
                        continue;
                struct claims claims = member_claims(proof, facts, mentioned.names[i]);
                good = prove_below_quietly(proof, &claims, of(goal.side, others), &doubtful);
        }
        proof->quiet++;
        good = good && prove_others(proof, facts, goal, NULL, others);
        proof->quiet--;
        return good || TELL(UNEVALUATED_PROPERTIES_NARROWED, UNCERTAIN, "unevaluatedProperties", NO_TOKEN);
}

bool prove_object(struct proof *proof, const struct facts *facts, struct claim goal) {
        const struct object_rules *rules = goal.subschema->object;
        const struct subschema *additional = additional_of(goal.subschema);
        bool good = !rules || prove_required(proof, facts, goal);
        if (good || !proof->quiet)
                good = prove_names(proof, facts, goal) && good;
        for (size_t i = 0; rules && i < rules->pattern_count && (good || !proof->quiet); i++)
                good = prove_others(proof, facts, goal, &rules->patterns[i], rules->patterns[i].schema) && good;
        if (additional && (good || !proof->quiet))
                good = prove_others(proof, facts, goal, NULL, additional) && good;
        if (rules && (good || !proof->quiet))
                good = prove_counts(proof, facts, goal) && good;
        if (rules && rules->names && !rules->names->trivial && (good || !proof->quiet))
                good = prove_property_names(proof, facts, goal) && good;
        for (size_t i = 0; rules && i < rules->dependency_count && (good || !proof->quiet); i++)
                good = prove_dependency(proof, facts, goal, &rules->dependencies[i]) && good;
        if (good || !proof->quiet)
                good = prove_unevaluated(proof, facts, goal) && good;
        return good;
}
