// SPDX-License-Identifier: Apache-2.0
// Formulas: what an object must be to match subschemas of which not all need match (anyOf, oneOf, not, if, dependentSchemas), or
// which member an unevaluatedProperties is about. `required`, the numbers of members and closed lists of properties become masks
// over the keys; what a branch says about a member's value becomes a plan that is tried on that value alone, when the object has
// ended and only if the answer hangs on it; what is neither (patterns, names) is a plan for the whole object. Each answer that is
// asked for in several places is remembered while the object is looked at.
#include "schema/stream_priv.h"

#include <stdlib.h>

void parts_add(struct parts *parts, struct plan_test *test) {
        if (parts->count == parts->capacity) {
                parts->capacity = parts->capacity * 2 + 8;
                parts->items = must_realloc(parts->items, parts->capacity * sizeof(struct plan_test *));
        }
        parts->items[parts->count++] = test;
}

static void parts_free(struct parts *parts) {
        free(parts->items);
}

static struct plan_test *make(struct object_draft *draft, enum test_kind kind) {
        struct plan_test *test = arena_alloc(draft->planner->arena, sizeof *test);
        test->kind = (uint8_t)kind;
        draft->failed |= draft->made.count >= PLAN_TESTS_MAX || draft->planner->work > PLAN_WORK_MAX;
        if (!draft->failed)
                parts_add(&draft->made, test);
        return test;
}

static struct plan_test *constant(bool always) {
        static struct plan_test tests[] = {{.kind = TEST_NEVER}, {.kind = TEST_ALWAYS}};
        return &tests[always];
}

struct plan_test *test_keys(struct object_draft *draft, enum test_kind kind) {
        return make(draft, kind);
}

void test_keys_add(struct object_draft *draft, struct plan_test *test, struct bytes name) {
        if ((test->count & (test->count - 1)) == 0) {           // full
                uint32_t *keys = arena_alloc(draft->planner->arena, (test->count * 2 + 1) * sizeof *keys);
                if (test->count)
                        memcpy(keys, test->keys, test->count * sizeof *keys);
                test->keys = keys;
        }
        test->keys[test->count++] = draft_key(draft, name);
}

static struct plan_test *test_key(struct object_draft *draft, enum test_kind kind, struct bytes name) {
        struct plan_test *test = make(draft, kind);
        test_keys_add(draft, test, name);
        return test;
}

struct plan_test *test_value(struct object_draft *draft, struct bytes name, const struct subschema *subschema) {
        if (subschema->trivial)
                return constant(true);
        if (subschema->never)
                return test_key(draft, TEST_LACKS, name);
        struct plan_test *test = test_key(draft, TEST_VALUE, name);
        test->plan = plan_of_one(draft->planner, subschema);
        return test;
}

static struct plan_test *whole(struct object_draft *draft, const struct subschema *subschema) {
        struct plan_test *test = make(draft, TEST_WHOLE);
        test->plan = plan_of_one(draft->planner, subschema);
        return test;
}

// The same test if there is one already.
static struct plan_test *known(struct object_draft *draft, enum test_kind kind, const struct parts *parts) {
        draft->planner->work += draft->made.count / 64;
        for (uint32_t i = 0; i < draft->made.count; i++) {
                struct plan_test *test = draft->made.items[i];
                if (test->kind == kind && test->count == parts->count &&
                    memcmp(test->parts, parts->items, parts->count * sizeof(struct plan_test *)) == 0)
                        return test;
        }
        return NULL;
}

static struct plan_test *combined(struct object_draft *draft, enum test_kind kind, const struct parts *parts) {
        struct plan_test *test = known(draft, kind, parts);
        if (test)
                return test;
        test = make(draft, kind);
        test->count = parts->count;
        test->parts = arena_alloc(draft->planner->arena, (parts->count + 1) * sizeof(struct plan_test *));
        memcpy(test->parts, parts->items, parts->count * sizeof(struct plan_test *));
        return test;
}

// ALL, ANY or ONE of the parts, as far as constants leave something of it.
static struct plan_test *fold(struct object_draft *draft, enum test_kind kind, const struct parts *all) {
        CLEANUP(parts_free) struct parts parts = {0};
        uint32_t always = 0;
        for (uint32_t i = 0; i < all->count; i++) {
                struct plan_test *part = all->items[i];
                always += part->kind == TEST_ALWAYS;
                if (kind == TEST_ALL && part->kind == TEST_NEVER)
                        return part;
                if (kind == TEST_ANY && part->kind == TEST_ALWAYS)
                        return part;
                if (part->kind != (kind == TEST_ALL ? TEST_ALWAYS : TEST_NEVER))
                        parts_add(&parts, part);
        }
        if (kind == TEST_ONE && always > 1)
                return constant(false);
        if (parts.count == 0)
                return constant(kind == TEST_ALL);
        return parts.count == 1 ? parts.items[0] : combined(draft, kind, &parts);
}

struct plan_test *test_join(struct object_draft *draft, enum test_kind kind, struct plan_test *a, struct plan_test *b) {
        struct plan_test *items[] = {a, b};
        struct parts parts = {items, 2, 2};
        return fold(draft, kind, &parts);
}

static struct plan_test *both(struct object_draft *draft, struct plan_test *a, struct plan_test *b) {
        return test_join(draft, TEST_ALL, a, b);
}

static struct plan_test *either(struct object_draft *draft, struct plan_test *a, struct plan_test *b) {
        return test_join(draft, TEST_ANY, a, b);
}

static struct plan_test *negated(struct object_draft *draft, struct plan_test *test) {
        struct parts parts = {&test, 1, 1};
        if (test->kind <= TEST_NEVER)
                return constant(test->kind == TEST_NEVER);
        return combined(draft, TEST_NOT, &parts);
}

static struct plan_test *conditional(struct object_draft *draft, struct plan_test *condition, struct plan_test *then,
                                     struct plan_test *otherwise) {
        struct plan_test *items[] = {condition, then, otherwise};
        struct parts parts = {items, 3, 3};
        if (condition->kind <= TEST_NEVER)
                return condition->kind == TEST_ALWAYS ? then : otherwise;
        if (then->kind == TEST_ALWAYS && otherwise->kind == TEST_ALWAYS)
                return then;
        return combined(draft, TEST_IF, &parts);
}

// ---- subschemas ----

static struct plan_test *test_of_list(struct object_draft *draft, enum test_kind kind, struct schema_list list, unsigned depth) {
        CLEANUP(parts_free) struct parts parts = {0};
        if (list.count == 0)
                return constant(true);
        for (size_t i = 0; i < list.count && !draft->failed; i++)
                parts_add(&parts, test_of(draft, list.items[i], depth));
        return fold(draft, kind, &parts);
}

// What is decided by masks alone.
static void add_masks(struct object_draft *draft, const struct object_rules *rules, struct parts *parts) {
        if (rules->required_count) {
                struct plan_test *has = test_keys(draft, TEST_HAS);
                for (size_t i = 0; i < rules->property_count; i++)
                        if (rules->properties[i].required)
                                test_keys_add(draft, has, rules->properties[i].name);
                parts_add(parts, has);
        }
        if (rules->least || rules->most != UINT64_MAX) {
                struct plan_test *test = make(draft, TEST_COUNT);
                test->least = rules->least;
                test->most = rules->most;
                parts_add(parts, test);
        }
        for (size_t i = 0; i < rules->dependency_count; i++) {
                const struct dependency *dependency = &rules->dependencies[i];
                if (!dependency->names || json_count(dependency->names) == 0)
                        continue;
                struct plan_test *needed = test_keys(draft, TEST_HAS);
                JSON_FOR_EACH(name, dependency->names)
                        test_keys_add(draft, needed, json_text(name));
                parts_add(parts, either(draft, test_key(draft, TEST_LACKS, dependency->name), needed));
        }
}

static void add_members(struct object_draft *draft, const struct object_rules *rules, struct parts *parts, unsigned depth) {
        if (rules->additional && rules->additional->never) {
                struct plan_test *closed = test_keys(draft, TEST_CLOSED);
                for (size_t i = 0; i < rules->property_count; i++)
                        if (rules->properties[i].schema)
                                test_keys_add(draft, closed, rules->properties[i].name);
                parts_add(parts, closed);
        }
        for (size_t i = 0; i < rules->property_count && !draft->failed; i++)
                if (rules->properties[i].schema)
                        parts_add(parts, test_value(draft, rules->properties[i].name, rules->properties[i].schema));
        for (size_t i = 0; i < rules->dependency_count && !draft->failed; i++) {
                const struct dependency *dependency = &rules->dependencies[i];
                if (dependency->schema)
                        parts_add(parts, either(draft, test_key(draft, TEST_LACKS, dependency->name),
                                                test_of(draft, dependency->schema, depth + 1)));
        }
}

static bool must_be_whole(const struct object_draft *draft, const struct subschema *subschema, unsigned depth) {
        const struct object_rules *rules = subschema->object;
        return draft->whole_branches || depth >= PLAN_TEST_DEPTH_MAX || subschema->constant || subschema->values ||
               subschema->dynamic || subschema->other_members ||
               (rules && (rules->pattern_count || (rules->names && !rules->names->trivial) ||
                          (rules->additional && !rules->additional->trivial && !rules->additional->never)));
}

static struct plan_test *branch(struct object_draft *draft, const struct subschema *subschema, unsigned depth) {
        CLEANUP(parts_free) struct parts parts = {0};
        bool is_whole = must_be_whole(draft, subschema, depth);
        if (subschema->object && !draft->whole_branches)
                add_masks(draft, subschema->object, &parts);
        if (is_whole) {
                parts_add(&parts, whole(draft, subschema));
                return fold(draft, TEST_ALL, &parts);
        }
        if (subschema->object)
                add_members(draft, subschema->object, &parts, depth);
        parts_add(&parts, test_of(draft, subschema->reference, depth + 1));
        parts_add(&parts, test_of(draft, subschema->other_reference, depth + 1));
        parts_add(&parts, test_of_list(draft, TEST_ALL, subschema->all, depth + 1));
        parts_add(&parts, test_of_list(draft, TEST_ANY, subschema->any, depth + 1));
        parts_add(&parts, test_of_list(draft, TEST_ONE, subschema->one, depth + 1));
        if (subschema->not)
                parts_add(&parts, negated(draft, test_of(draft, subschema->not, depth + 1)));
        if (subschema->condition && (subschema->then || subschema->otherwise))
                parts_add(&parts, conditional(draft, test_of(draft, subschema->condition, depth + 1),
                                              test_of(draft, subschema->then, depth + 1),
                                              test_of(draft, subschema->otherwise, depth + 1)));
        return fold(draft, TEST_ALL, &parts);
}

struct plan_test *test_of(struct object_draft *draft, const struct subschema *subschema, unsigned depth) {
        if (!subschema || subschema->trivial || draft->failed)
                return constant(true);
        if (!admits(subschema, JSON_OBJECT))
                return constant(false);
        for (uint32_t i = 0; i < draft->branch_count; i++)
                if (draft->branches[i].subschema == subschema)
                        return draft->branches[i].test;
        struct plan_test *test = branch(draft, subschema, depth);
        if (draft->branch_count == draft->branch_capacity) {
                draft->branch_capacity = draft->branch_capacity * 2 + 8;
                draft->branches = must_realloc(draft->branches, draft->branch_capacity * sizeof *draft->branches);
        }
        draft->branches[draft->branch_count++] = (struct draft_branch){subschema, test};
        return test;
}

struct plan_test *test_of_group(struct object_draft *draft, const struct group *group) {
        const struct subschema *const *items = group->branches.items;
        switch (group->mode) {
        case PLAN_NOT:
                return negated(draft, test_of(draft, items[0], 0));
        case PLAN_IF:
                return conditional(draft, test_of(draft, items[0], 0), test_of(draft, items[1], 0), test_of(draft, items[2], 0));
        case PLAN_ANY:
        case PLAN_ONE:
        default:
                return test_of_list(draft, group->mode == PLAN_ANY ? TEST_ANY : TEST_ONE, group->branches, 0);
        }
}

// ---- unevaluatedProperties ----

// The member is evaluated if the branch holds and evaluates it.
static struct plan_test *by_branch(struct object_draft *draft, struct plan_test *so_far, struct plan_test *condition,
                                   const struct subschema *subschema, struct bytes name, uint64_t found, unsigned depth) {
        struct plan_test *inner = test_evaluated(draft, subschema, name, found, depth + 1);
        return inner->kind == TEST_NEVER ? so_far : either(draft, so_far, both(draft, condition, inner));
}

static struct plan_test *by_branches(struct object_draft *draft, const struct subschema *subschema, struct bytes name, uint64_t found,
                                     unsigned depth) {
        struct plan_test *test = constant(false);
        const struct schema_list lists[] = {subschema->any, subschema->one};
        for (size_t list = 0; list < ARRAY_SIZE(lists); list++)
                for (size_t i = 0; i < lists[list].count && !draft->failed; i++)
                        test = by_branch(draft, test, test_of(draft, lists[list].items[i], depth), lists[list].items[i], name, found,
                                         depth);
        if (subschema->condition) {
                struct plan_test *condition = test_of(draft, subschema->condition, depth);
                test = by_branch(draft, test, condition, subschema->condition, name, found, depth);
                test = by_branch(draft, test, condition, subschema->then, name, found, depth);
                test = by_branch(draft, test, negated(draft, condition), subschema->otherwise, name, found, depth);
        }
        for (size_t i = 0; subschema->object && i < subschema->object->dependency_count; i++) {
                const struct dependency *dependency = &subschema->object->dependencies[i];
                if (dependency->schema)
                        test = by_branch(draft, test, test_key(draft, TEST_HAS, dependency->name), dependency->schema, name, found,
                                         depth);
        }
        return test;
}

struct plan_test *test_evaluated(struct object_draft *draft, const struct subschema *subschema, struct bytes name, uint64_t found,
                                 unsigned depth) {
        if (!subschema || subschema->trivial)
                return constant(false);
        draft->planner->work++;
        if (subschema->dynamic || depth >= PLAN_TEST_DEPTH_MAX || draft->planner->work > PLAN_WORK_MAX)
                draft->failed = true;
        if (draft->failed)
                return constant(false);
        if ((depth && subschema->other_members) || draft_described(draft, subschema, name, found, NULL, NULL))
                return constant(true);
        struct plan_test *test = by_branches(draft, subschema, name, found, depth);
        test = either(draft, test, test_evaluated(draft, subschema->reference, name, found, depth + 1));
        test = either(draft, test, test_evaluated(draft, subschema->other_reference, name, found, depth + 1));
        for (size_t i = 0; i < subschema->all.count; i++)
                test = either(draft, test, test_evaluated(draft, subschema->all.items[i], name, found, depth + 1));
        return test;
}

// ---- the end ----

static void count_uses(struct plan_test *test) {
        if (test->kind > TEST_NEVER && test->uses++ == 0)
                for (uint32_t i = 0; test->parts && i < test->count; i++)
                        count_uses(test->parts[i]);
}

void tests_finish(struct object_draft *draft, struct plan_object *plan) {
        struct plan_test *root = fold(draft, TEST_ALL, &draft->whole);
        if (root->kind == TEST_ALWAYS)
                return;
        uint32_t used = 0;
        count_uses(root);
        for (uint32_t i = 0; i < draft->made.count; i++) {
                struct plan_test *test = draft->made.items[i];
                if (!test->uses)
                        continue;
                used++;
                if (test->kind == TEST_VALUE && !draft->keys[test->keys[0]].place)
                        draft->keys[test->keys[0]].place = ++plan->place_count;
                if (test->kind >= TEST_VALUE && test->uses > 1)
                        test->memo = (uint16_t)++plan->memo_count;
                if (test->kind < TEST_HAS || test->kind > TEST_CLOSED)
                        continue;
                uint64_t *mask = arena_alloc(draft->planner->arena, plan->words * sizeof *mask);
                for (uint32_t j = 0; j < test->count; j++)
                        mask[test->keys[j] / 64] |= (uint64_t)1 << test->keys[j] % 64;
                test->mask = mask;
        }
        draft->failed |= plan->memo_count > PLAN_MEMO_MAX;
        plan->test_cost = used * plan->words / 64;
        plan->test = root;
}
