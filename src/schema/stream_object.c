// SPDX-License-Identifier: Apache-2.0
// Plans of objects: the members that the schemas name, what the others must be, and the formula for what is left.
#include "schema/stream_priv.h"

#include <stdlib.h>

enum { BY_PATTERNS_MAX = 4, MEMBER_SET_MAX = 3 * PLAN_SET_MAX + PLAN_PATTERNS_MAX };

static bool collect_patterns(struct object_draft *draft) {
        for (uint32_t i = 0; i < draft->conditions->all_count; i++) {
                const struct object_rules *rules = draft->conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->pattern_count; j++) {
                        if (draft->pattern_count == PLAN_PATTERNS_MAX)
                                return false;
                        draft->patterns[draft->pattern_count++] = rules->patterns[j].pattern;
                }
        }
        return true;
}

// The names that the schemas mention, and which of them need others.
static void add_names(struct object_draft *draft, struct plan_object *plan) {
        const struct conditions *conditions = draft->conditions;
        size_t needs = 0;
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->property_count; j++)
                        IGNORE(draft_key(draft, rules->properties[j].name) == 0);       // any number is fine
                for (size_t j = 0; rules && j < rules->dependency_count; j++)
                        needs += rules->dependencies[j].names ? json_count(rules->dependencies[j].names) : 0;
        }
        draft->planner->work += needs;
        draft->failed |= draft->planner->work > PLAN_WORK_MAX;
        if (draft->failed)
                return;
        plan->needs = arena_alloc(draft->planner->arena, (needs + 1) * sizeof *plan->needs);
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->dependency_count; j++) {
                        const struct dependency *dependency = &rules->dependencies[j];
                        if (!dependency->names)
                                continue;
                        uint32_t key = draft_key(draft, dependency->name);
                        JSON_FOR_EACH(name, dependency->names)
                                plan->needs[plan->need_count++] = (struct plan_need){key, draft_key(draft, json_text(name))};
                }
        }
}

// All that a subschema's branches mention: what unevaluatedProperties is about may hang on any of it.
static void add_branch_names(struct object_draft *draft, const struct subschema *subschema, unsigned depth) {
        if (!subschema || depth >= PLAN_TEST_DEPTH_MAX || draft->failed)
                return;
        const struct object_rules *rules = subschema->object;
        draft->planner->work++;
        draft->failed |= draft->planner->work > PLAN_WORK_MAX;
        for (size_t i = 0; rules && i < rules->property_count; i++)
                IGNORE(draft_key(draft, rules->properties[i].name) == 0);
        for (size_t i = 0; rules && i < rules->dependency_count; i++)
                add_branch_names(draft, rules->dependencies[i].schema, depth + 1);
        add_branch_names(draft, subschema->reference, depth + 1);
        add_branch_names(draft, subschema->other_reference, depth + 1);
        const struct schema_list lists[] = {subschema->all, subschema->any, subschema->one, {subschema->conditional, 3}};
        for (size_t list = 0; list < ARRAY_SIZE(lists); list++)
                for (size_t i = 0; i < lists[list].count; i++)
                        add_branch_names(draft, lists[list].items[i], depth + 1);
}

static void add_tests(struct object_draft *draft) {
        const struct conditions *conditions = draft->conditions;
        for (uint32_t i = 0; i < conditions->group_count && !draft->failed; i++)
                parts_add(&draft->whole, test_of_group(draft, &conditions->groups[i]));
        for (uint32_t i = 0; i < conditions->all_count && !draft->failed; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->dependency_count; j++) {
                        const struct dependency *dependency = &rules->dependencies[j];
                        if (!dependency->schema || dependency->schema->trivial)
                                continue;
                        struct plan_test *lacks = test_keys(draft, TEST_LACKS);
                        test_keys_add(draft, lacks, dependency->name);
                        parts_add(&draft->whole, test_join(draft, TEST_ANY, lacks, test_of(draft, dependency->schema, 0)));
                }
                if (conditions->all[i]->other_members)
                        add_branch_names(draft, conditions->all[i], 0);
        }
}

// The member must match `others` unless the test holds. Names with the same test share a mask where nothing matches.
static void add_unevaluated(struct object_draft *draft, struct bytes name, struct plan_test *test, const struct subschema *others) {
        for (uint32_t i = 0; i < draft->whole.count && others->never; i++) {
                const struct plan_test *part = draft->whole.items[i];
                if (part->kind != TEST_ANY || part->parts[0] != test || !part->parts[1]->gathers)
                        continue;
                test_keys_add(draft, part->parts[1], name);
                return;
        }
        struct plan_test *rest = test_value(draft, name, others);       // holds where the member is missing
        rest->gathers = others->never;
        parts_add(&draft->whole, test_join(draft, TEST_ANY, test, rest));
}

static const struct plan *member_plan(struct object_draft *draft, struct bytes name, uint64_t found) {
        CLEANUP(free_pointer) const struct subschema **set = must_malloc(MEMBER_SET_MAX * sizeof *set);
        const struct conditions *conditions = draft->conditions;
        struct planner *planner = draft->planner;
        size_t count = 0;
        planner->work += conditions->all_count / 4;
        draft->failed |= planner->work > PLAN_WORK_MAX;
        for (uint32_t i = 0; i < conditions->all_count && !draft->failed; i++) {
                const struct subschema *subschema = conditions->all[i];
                IGNORE(draft_described(draft, subschema, name, found, set, &count));    // what counts is in the set
                if (!subschema->other_members || subschema->other_members->trivial)
                        continue;
                struct plan_test *evaluated = test_evaluated(draft, subschema, name, found, 0);
                if (evaluated->kind == TEST_NEVER)
                        set[count++] = subschema->other_members;
                else if (evaluated->kind != TEST_ALWAYS && name.data)
                        add_unevaluated(draft, name, evaluated, subschema->other_members);
                else if (evaluated->kind != TEST_ALWAYS)
                        draft->failed = true;
        }
        return draft->failed ? planner->anything : plan_of(planner, set, count);
}

static void add_pick(struct object_draft *draft, struct plan_pick *picks, struct plan_object *plan, uint64_t mask, bool absent,
                     const struct subschema *subschema) {
        if (subschema && !subschema->trivial)
                picks[plan->pick_count++] = (struct plan_pick){mask, absent, plan_of_one(draft->planner, subschema)};
}

// Of an unevaluatedProperties: the patterns that evaluate a member without a name.
static uint64_t evaluating_patterns(struct object_draft *draft, const struct subschema *subschema, bool *always) {
        struct bytes nothing = {NULL, 0};
        uint64_t mask = 0;
        struct plan_test *test = test_evaluated(draft, subschema, nothing, 0, 0);
        *always = test->kind == TEST_ALWAYS;
        draft->failed |= test->kind > TEST_NEVER;
        for (uint32_t i = 0; i < draft->pattern_count && !*always; i++) {
                test = test_evaluated(draft, subschema, nothing, (uint64_t)1 << i, 0);
                draft->failed |= test->kind > TEST_NEVER;
                mask |= (uint64_t)(test->kind == TEST_ALWAYS) << i;
        }
        return mask;
}

static void make_picks(struct object_draft *draft, struct plan_object *plan) {
        const struct conditions *conditions = draft->conditions;
        size_t most = draft->pattern_count + 2 * (size_t)conditions->all_count;
        struct plan_pick *picks = arena_alloc(draft->planner->arena, most * sizeof *picks);
        uint32_t pattern = 0;                                   // in the order in which they were collected
        plan->picks = picks;
        for (uint32_t i = 0; i < conditions->all_count && !draft->failed; i++) {
                const struct subschema *subschema = conditions->all[i];
                const struct object_rules *rules = subschema->object;
                uint64_t own = 0;
                bool always;
                for (size_t j = 0; rules && j < rules->pattern_count; j++, pattern++) {
                        own |= (uint64_t)1 << pattern;
                        add_pick(draft, picks, plan, (uint64_t)1 << pattern, false, rules->patterns[j].schema);
                }
                if (rules)
                        add_pick(draft, picks, plan, own, true, rules->additional);
                if (!subschema->other_members)
                        continue;
                uint64_t evaluating = evaluating_patterns(draft, subschema, &always);
                if (!always)
                        add_pick(draft, picks, plan, evaluating, true, subschema->other_members);
        }
}

static void plan_named(struct object_draft *draft, uint32_t from) {
        for (uint32_t i = from; i < draft->key_count && !draft->failed; i++) {          // whose number may grow
                const struct plan *member = member_plan(draft, draft->keys[i].name, 0);
                draft->keys[i].plan = member;
        }
}

static void plan_others(struct object_draft *draft, struct plan_object *plan) {
        struct bytes nothing = {NULL, 0};
        struct arena *arena = draft->planner->arena;
        uint32_t count = draft->pattern_count;
        if (count == 0) {
                plan->rest = member_plan(draft, nothing, 0);
                return;
        }
        plan->patterns = arena_alloc(arena, count * sizeof *plan->patterns);
        memcpy(plan->patterns, draft->patterns, count * sizeof *plan->patterns);
        plan->pattern_count = count;
        if (count > BY_PATTERNS_MAX) {
                make_picks(draft, plan);
                return;
        }
        plan->by_patterns = arena_alloc(arena, ((size_t)1 << count) * sizeof *plan->by_patterns);
        for (unsigned found = 0; found < 1u << count && !draft->failed; found++)
                plan->by_patterns[found] = member_plan(draft, nothing, found);
}

// Names must match.
static void plan_names(struct object_draft *draft, struct plan_object *plan) {
        const struct subschema *set[PLAN_SET_MAX];
        size_t count = 0;
        for (uint32_t i = 0; i < draft->conditions->all_count; i++) {
                const struct object_rules *rules = draft->conditions->all[i]->object;
                if (rules && rules->names && !rules->names->trivial)
                        set[count++] = rules->names;
        }
        if (count == 0)
                return;
        plan->names = plan_of(draft->planner, set, count);
        plan->names_again = (plan->names->dom & 1u << JSON_STRING) || plan->names->group_counts[JSON_STRING];
}

static void plan_required(const struct object_draft *draft, struct plan_object *plan) {
        uint64_t *required = arena_alloc(draft->planner->arena, plan->words * sizeof *required);
        plan->required = required;
        for (uint32_t i = 0; i < draft->conditions->all_count; i++) {
                const struct object_rules *rules = draft->conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->property_count; j++) {
                        if (!rules->properties[j].required)
                                continue;
                        uint32_t key = draft_find(draft, rules->properties[j].name);
                        required[key / 64] |= (uint64_t)1 << key % 64;
                        plan->requires = true;
                }
        }
}

static bool make(struct object_draft *draft, struct plan_object *plan) {
        const struct conditions *conditions = draft->conditions;
        plan->most = UINT64_MAX;
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                plan->least = MAX(plan->least, rules ? rules->least : 0);
                plan->most = MIN(plan->most, rules ? rules->most : UINT64_MAX);
        }
        if (!collect_patterns(draft))
                return false;
        add_names(draft, plan);
        add_tests(draft);
        plan_names(draft, plan);
        plan_named(draft, 0);
        uint32_t named = draft->key_count;
        if (!draft->failed)
                plan_others(draft, plan);
        plan_named(draft, named);                               // names that were met on the way
        if (draft->failed)
                return false;
        plan->words = MAX((draft->key_count + 63) / 64, 1u);
        plan_required(draft, plan);
        tests_finish(draft, plan);
        draft_finish(draft, plan);
        plan->special = plan->names || plan->place_count;
        return !draft->failed;
}

bool object_make(struct planner *planner, const struct conditions *conditions, const struct plan_object **ret_object) {
        bool some = conditions->group_count > 0, good = false;
        for (uint32_t i = 0; i < conditions->all_count; i++)
                some |= conditions->all[i]->object || conditions->all[i]->other_members;
        *ret_object = NULL;
        if (conditions_listing(conditions))             // of the branch that was chosen
                return false;
        for (int whole = 0; some && !good && whole < 2; whole++) {
                struct object_draft draft = {.planner = planner, .conditions = conditions, .whole_branches = whole};
                struct plan_object *plan = arena_alloc(planner->arena, sizeof *plan);
                good = make(&draft, plan);
                draft_free(&draft);
                *ret_object = plan;
        }
        return good || !some;
}
