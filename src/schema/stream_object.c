// SPDX-License-Identifier: Apache-2.0
// Plans of objects: the members that the schemas name, what the others must be, and the choice between branches by the value of one
// member that is a const or an enum in each of them.
#include "schema/stream_priv.h"

#include <stdlib.h>

// ---- one object ----

struct object_draft {
        const struct conditions *conditions;
        const struct pattern *patterns[PLAN_PATTERNS_MAX];
        uint32_t pattern_count;
        struct plan_object *plan;
        bool failed;                            // it cannot be planned
};

static unsigned patterns_of(struct planner *planner, struct object_draft *draft, struct bytes name) {
        unsigned found = 0;
        for (uint32_t i = 0; i < draft->pattern_count; i++) {
                enum pattern_verdict verdict = pattern_search(draft->patterns[i], name, &planner->scratch);
                draft->failed |= verdict == PATTERN_UNDECIDED;
                found |= (unsigned)(verdict == PATTERN_MATCH) << i;
        }
        return found;
}

static bool has_pattern(const struct object_draft *draft, const struct pattern *pattern, unsigned found) {
        for (uint32_t i = 0; i < draft->pattern_count; i++)
                if (draft->patterns[i] == pattern)
                        return found >> i & 1;
        UNREACHABLE("a pattern that was not collected");
}

// Adds what the subschema's own keywords say about a member; name.data NULL: one that nothing names. True if they describe it.
static bool add_described(const struct object_draft *draft, const struct subschema *subschema, struct bytes name, unsigned found,
                          const struct subschema **set, size_t *count) {
        const struct object_rules *rules = subschema->object;
        bool described = false;
        if (!rules)
                return false;
        const struct property *property = name.data ? property_find(rules, name, SIZE_MAX) : NULL;
        if (property && property->schema) {
                described = true;
                if (set)
                        set[(*count)++] = property->schema;
        }
        for (size_t i = 0; i < rules->pattern_count; i++) {
                if (!has_pattern(draft, rules->patterns[i].pattern, found))
                        continue;
                described = true;
                if (set)
                        set[(*count)++] = rules->patterns[i].schema;
        }
        if (!described && rules->additional) {
                described = true;
                if (set)
                        set[(*count)++] = rules->additional;
        }
        return described;
}

// Whether unevaluatedProperties' own keywords, $ref and allOf describe the member; depends: more than these may.
static bool evaluated_member(struct object_draft *draft, const struct subschema *subschema, struct bytes name, unsigned found,
                             unsigned depth) {
        if (subschema->any.count || subschema->one.count || subschema->condition || subschema->dynamic || depth == 8 ||
            (depth && subschema->other_members)) {
                draft->failed = true;
                return false;
        }
        if (add_described(draft, subschema, name, found, NULL, NULL))
                return true;
        if ((subschema->reference && evaluated_member(draft, subschema->reference, name, found, depth + 1)) ||
            (subschema->other_reference && evaluated_member(draft, subschema->other_reference, name, found, depth + 1)))
                return true;
        for (size_t i = 0; i < subschema->all.count; i++)
                if (evaluated_member(draft, subschema->all.items[i], name, found, depth + 1))
                        return true;
        return false;
}

enum { MEMBER_SET_MAX = PLAN_SET_MAX * (PLAN_PATTERNS_MAX + 2) };

static const struct plan *member_plan(struct planner *planner, struct object_draft *draft, struct bytes name, unsigned found) {
        CLEANUP(free_pointer) const struct subschema **set = must_malloc(MEMBER_SET_MAX * sizeof *set);
        const struct conditions *conditions = draft->conditions;
        size_t count = 0;
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct subschema *subschema = conditions->all[i];
                IGNORE(add_described(draft, subschema, name, found, set, &count));      // what counts is in the set
                if (subschema->other_members && !evaluated_member(draft, subschema, name, found, 0))
                        set[count++] = subschema->other_members;
        }
        return draft->failed ? planner->anything : plan_of(planner, set, count);
}

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

static void plan_key_make(struct plan_key *key, struct bytes name) {
        bool raw = true;
        for (size_t i = 0; i < name.size; i++)
                raw = raw && name.data[i] != '"' && name.data[i] != '\\' && (uint8_t)name.data[i] >= 0x20;
        key->name = name.size ? name.data : "";
        key->size = (uint32_t)name.size;
        if (!raw || name.size + 2 > sizeof key->quoted)
                return;
        memcpy(key->quoted, key->name, name.size);
        memcpy(key->quoted + name.size, "\":", 2);
        key->quoted_mask = (uint32_t)(((uint64_t)1 << (name.size + 2)) - 1);
}

static uint32_t find_key(const struct plan_object *plan, struct bytes name) {
        uint32_t at = key_hash(name.data, name.size) & plan->slot_mask;
        for (; plan->slots[at]; at = (at + 1) & plan->slot_mask) {
                const struct plan_key *key = &plan->keys[(plan->slots[at] & 0xFFFF) - 1];
                if (bytes_equal((struct bytes){key->name, key->size}, name))
                        return (plan->slots[at] & 0xFFFF) - 1;
        }
        return UINT32_MAX;
}

static uint32_t add_key(struct plan_object *plan, struct bytes name) {
        uint32_t known = find_key(plan, name);
        if (known != UINT32_MAX)
                return known;
        plan_key_make(&plan->keys[plan->key_count], name);
        uint32_t hash = key_hash(name.data, name.size), at = hash & plan->slot_mask;
        while (plan->slots[at])
                at = (at + 1) & plan->slot_mask;
        plan->slots[at] = (hash & 0xFFFF0000) | (plan->key_count + 1);
        return plan->key_count++;
}

enum { KEYS_MAX = 30000 };

// Room for all names that are mentioned.
static bool prepare_keys(struct planner *planner, struct object_draft *draft) {
        size_t names = 0, needs = 0, slots = 8;
        for (uint32_t i = 0; i < draft->conditions->all_count; i++) {
                const struct object_rules *rules = draft->conditions->all[i]->object;
                names += rules ? rules->property_count : 0;
                for (size_t j = 0; rules && j < rules->dependency_count; j++) {
                        if (rules->dependencies[j].schema && !rules->dependencies[j].schema->trivial)
                                return false;
                        needs += rules->dependencies[j].names ? json_count(rules->dependencies[j].names) : 0;
                }
        }
        names += 2 * needs;
        planner->work += names;
        if (names > KEYS_MAX || planner->work > PLAN_WORK_MAX)
                return false;
        while (slots < names * 2 + 2)
                slots *= 2;
        struct plan_object *plan = draft->plan;
        plan->keys = arena_alloc(planner->arena, (names + 1) * sizeof *plan->keys);
        plan->slots = arena_alloc(planner->arena, slots * sizeof *plan->slots);
        plan->slot_mask = (uint32_t)(slots - 1);
        plan->needs = arena_alloc(planner->arena, (needs + 1) * sizeof *plan->needs);
        return true;
}

static void add_keys(struct planner *planner, struct object_draft *draft) {
        struct plan_object *plan = draft->plan;
        const struct conditions *conditions = draft->conditions;
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->property_count; j++)
                        IGNORE(add_key(plan, rules->properties[j].name) == 0);         // any number is fine
                for (size_t j = 0; rules && j < rules->dependency_count; j++) {
                        const struct dependency *dependency = &rules->dependencies[j];
                        if (!dependency->names)
                                continue;
                        uint32_t key = add_key(plan, dependency->name);
                        JSON_FOR_EACH(name, dependency->names)
                                plan->needs[plan->need_count++] = (struct plan_need){key, add_key(plan, json_text(name))};
                }
        }
        plan->words = MAX((plan->key_count + 63) / 64, 1u);
        uint64_t *required = arena_alloc(planner->arena, plan->words * sizeof *required);
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                for (size_t j = 0; rules && j < rules->property_count; j++) {
                        if (!rules->properties[j].required)
                                continue;
                        uint32_t key = find_key(plan, rules->properties[j].name);
                        required[key / 64] |= (uint64_t)1 << key % 64;
                        plan->requires = true;
                }
        }
        plan->required = required;
}

// Names must match: those that are mentioned are decided here.
static void plan_names(struct planner *planner, struct object_draft *draft) {
        const struct subschema *set[PLAN_SET_MAX];
        size_t count = 0;
        for (uint32_t i = 0; i < draft->conditions->all_count; i++) {
                const struct object_rules *rules = draft->conditions->all[i]->object;
                if (rules && rules->names && !rules->names->trivial)
                        set[count++] = rules->names;
        }
        if (count == 0)
                return;
        draft->plan->names = plan_of(planner, set, count);
        if ((draft->plan->names->dom & 1u << JSON_STRING) || draft->plan->names->group_counts[JSON_STRING])
                draft->failed = true;
}

static bool plan_members(struct planner *planner, struct object_draft *draft) {
        struct plan_object *plan = draft->plan;
        for (uint32_t i = 0; i < plan->key_count && !draft->failed; i++) {
                struct bytes name = {plan->keys[i].name, plan->keys[i].size};
                plan->keys[i].plan = member_plan(planner, draft, name, patterns_of(planner, draft, name));
        }
        struct bytes nothing = {NULL, 0};
        if (draft->pattern_count == 0 && !draft->failed)
                plan->rest = member_plan(planner, draft, nothing, 0);
        if (draft->pattern_count) {
                plan->patterns = arena_alloc(planner->arena, sizeof draft->patterns);
                memcpy(plan->patterns, draft->patterns, sizeof draft->patterns);
                plan->pattern_count = draft->pattern_count;
                plan->by_patterns = arena_alloc(planner->arena, ((size_t)1 << draft->pattern_count) * sizeof *plan->by_patterns);
                for (unsigned found = 0; found < 1u << draft->pattern_count && !draft->failed; found++)
                        plan->by_patterns[found] = member_plan(planner, draft, nothing, found);
        }
        return !draft->failed;
}

static bool object_make(struct planner *planner, const struct conditions *conditions, const struct plan_object **ret_object) {
        struct object_draft draft = {.conditions = conditions};
        bool some = false;
        for (uint32_t i = 0; i < conditions->all_count; i++)
                some |= conditions->all[i]->object || conditions->all[i]->other_members;
        *ret_object = NULL;
        if (conditions_listing(conditions))             // one of the listed objects: compared when parsed
                return false;
        if (!some)
                return true;
        struct plan_object *plan = draft.plan = arena_alloc(planner->arena, sizeof *plan);
        plan->most = UINT64_MAX;
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct object_rules *rules = conditions->all[i]->object;
                plan->least = MAX(plan->least, rules ? rules->least : 0);
                plan->most = MIN(plan->most, rules ? rules->most : UINT64_MAX);
        }
        if (!collect_patterns(&draft) || !prepare_keys(planner, &draft))
                return false;
        add_keys(planner, &draft);
        plan_names(planner, &draft);
        *ret_object = plan;
        return !draft.failed && plan_members(planner, &draft);
}

// ---- the choice between branches ----

// The strings that the member may be in the branch, if these are all it may be.
static const struct subschema *discriminates(const struct subschema *branch, struct bytes name, bool *required, unsigned depth) {
        const struct property *property = branch->object ? property_find(branch->object, name, SIZE_MAX) : NULL;
        const struct subschema *found = NULL;
        if (property)
                *required |= property->required;
        for (const struct subschema *at = property ? property->schema : NULL; at && !found; at = at->reference)
                if (at->constant || at->values)
                        found = at;
        if (depth < 8 && branch->reference) {
                const struct subschema *deeper = discriminates(branch->reference, name, required, depth + 1);
                found = found ? found : deeper;
        }
        for (size_t i = 0; depth < 8 && i < branch->all.count; i++) {
                const struct subschema *deeper = discriminates(branch->all.items[i], name, required, depth + 1);
                found = found ? found : deeper;
        }
        return found;
}

static bool all_strings(const struct subschema *listed) {
        if (listed->constant)
                return json_is(listed->constant, JSON_STRING);
        JSON_FOR_EACH(value, listed->values)
                if (!json_is(value, JSON_STRING))
                        return false;
        return true;
}

static bool lists(const struct subschema *listed, struct bytes value) {
        if (listed->constant)
                return bytes_equal(json_text(listed->constant), value);
        JSON_FOR_EACH(each, listed->values)
                if (bytes_equal(json_text(each), value))
                        return true;
        return false;
}

struct discriminator {
        struct bytes name;
        const struct subschema *listed[PLAN_BRANCHES_MAX];
        bool required[PLAN_BRANCHES_MAX];
};

static bool discriminator_fits(const struct group *group, struct bytes name, struct discriminator *ret) {
        ret->name = name;
        for (size_t i = 0; i < group->branches.count; i++) {
                ret->required[i] = false;
                ret->listed[i] = NULL;
                if (!admits(group->branches.items[i], JSON_OBJECT))
                        continue;
                ret->listed[i] = discriminates(group->branches.items[i], name, &ret->required[i], 0);
                if (!ret->listed[i] || !all_strings(ret->listed[i]))
                        return false;
        }
        return true;
}

static bool try_names(const struct group *group, const struct subschema *branch, struct discriminator *ret, unsigned depth) {
        for (size_t i = 0; branch->object && i < branch->object->property_count; i++)
                if (branch->object->properties[i].schema && discriminator_fits(group, branch->object->properties[i].name, ret))
                        return true;
        if (depth < 8 && branch->reference && try_names(group, branch->reference, ret, depth + 1))
                return true;
        for (size_t i = 0; depth < 8 && i < branch->all.count; i++)
                if (try_names(group, branch->all.items[i], ret, depth + 1))
                        return true;
        return false;
}

static bool find_discriminator(const struct group *group, struct discriminator *ret) {
        if ((group->mode != PLAN_ANY && group->mode != PLAN_ONE) || group->branches.count > PLAN_BRANCHES_MAX)
                return false;
        for (size_t i = 0; i < group->branches.count; i++)
                if (admits(group->branches.items[i], JSON_OBJECT))
                        return try_names(group, group->branches.items[i], ret, 0);
        return false;
}

// The same conditions with one group cut down to the branches that remain.
static bool choose(struct planner *planner, const struct conditions *conditions, uint32_t at, const struct subschema **kept,
                   size_t count, unsigned depth, const struct plan_choice **ret_choice) {
        CLEANUP(free_pointer) struct conditions *narrowed = must_malloc(sizeof *narrowed);
        const struct subschema **items = arena_alloc(planner->arena, (count + 1) * sizeof *items);
        memcpy(narrowed, conditions, sizeof *narrowed);
        if (count)
                memcpy(items, kept, count * sizeof *items);
        narrowed->groups[at].branches = (struct schema_list){items, count};
        conditions_settle(narrowed);
        return !narrowed->dom && plan_choice_make(planner, narrowed, depth + 1, ret_choice);
}

static bool dispatch_value(struct planner *planner, const struct conditions *conditions, uint32_t at,
                           const struct discriminator *by, struct bytes value, unsigned depth, struct plan_dispatch *dispatch) {
        const struct group *group = &conditions->groups[at];
        const struct subschema *kept[PLAN_BRANCHES_MAX];
        size_t count = 0;
        for (uint32_t i = 0; i < dispatch->count; i++)
                if (bytes_equal(dispatch->values[i], value))
                        return true;
        for (size_t i = 0; i < group->branches.count; i++)
                if (by->listed[i] && lists(by->listed[i], value))
                        kept[count++] = group->branches.items[i];
        if (count == group->branches.count)
                return false;
        dispatch->values[dispatch->count] = value;
        return choose(planner, conditions, at, kept, count, depth, &dispatch->choices[dispatch->count++]);
}

static bool dispatch_make(struct planner *planner, const struct conditions *conditions, uint32_t at, const struct discriminator *by,
                          unsigned depth, struct plan_dispatch **ret_dispatch) {
        const struct group *group = &conditions->groups[at];
        struct plan_dispatch *dispatch = arena_alloc(planner->arena, sizeof *dispatch);
        const struct subschema *kept[PLAN_BRANCHES_MAX];
        static const struct plan_choice never = {.never = true};
        size_t count = 0;
        plan_key_make(&dispatch->key, by->name);
        for (size_t i = 0; i < group->branches.count; i++)
                if (by->listed[i])
                        count += by->listed[i]->constant ? 1 : json_count(by->listed[i]->values);
        planner->work += count * group->branches.count;
        if (planner->work > PLAN_WORK_MAX)
                return false;
        dispatch->values = arena_alloc(planner->arena, count * sizeof *dispatch->values);
        dispatch->choices = arena_alloc(planner->arena, count * sizeof *dispatch->choices);
        count = 0;
        dispatch->other = &never;
        for (size_t i = 0; i < group->branches.count; i++) {
                const struct subschema *listed = by->listed[i];
                if (!listed)
                        continue;
                if (!by->required[i])
                        kept[count++] = group->branches.items[i];
                if (listed->constant &&
                    !dispatch_value(planner, conditions, at, by, json_text(listed->constant), depth, dispatch))
                        return false;
                if (!listed->constant)
                        JSON_FOR_EACH(value, listed->values)
                                if (!dispatch_value(planner, conditions, at, by, json_text(value), depth, dispatch))
                                        return false;
        }
        *ret_dispatch = dispatch;
        if (count == group->branches.count)             // nothing is settled where the member is missing
                return false;
        return choose(planner, conditions, at, kept, count, depth, &dispatch->missing);
}

enum { CHOICES_MAX = 4000, CHOICE_DEPTH_MAX = 6 };

bool plan_choice_make(struct planner *planner, const struct conditions *conditions, unsigned depth,
                      const struct plan_choice **ret_choice) {
        struct plan_choice *choice = arena_alloc(planner->arena, sizeof *choice);
        *ret_choice = choice;
        if (conditions->never) {
                choice->never = true;
                return true;
        }
        for (uint32_t i = 0; i < conditions->group_count && depth < CHOICE_DEPTH_MAX && planner->choices < CHOICES_MAX; i++) {
                CLEANUP(free_pointer) struct discriminator *by = must_malloc(sizeof *by);
                planner->choices++;
                if (find_discriminator(&conditions->groups[i], by) &&
                    dispatch_make(planner, conditions, i, by, depth, &choice->dispatch))
                        return true;
                choice->dispatch = NULL;
        }
        if (!object_make(planner, conditions, &choice->object) ||
            !plan_groups(planner, conditions, &choice->groups, &choice->group_count))
                return false;
        if (!choice->object && !choice->group_count)
                *ret_choice = NULL;
        return true;
}
