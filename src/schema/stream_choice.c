// SPDX-License-Identifier: Apache-2.0
// The choice between branches of objects by the value of one member that is a const or an enum in each of them.
#include "schema/stream_priv.h"

#include <stdlib.h>

enum { LOOKS_MAX = 100000, LOOKS_DEPTH = 8 };    // at subschemas, for one group; beyond, nothing tells its branches apart

// The strings that the member may be in the branch, if these are all it may be.
static const struct subschema *discriminates(const struct subschema *branch, struct bytes name, bool *required, unsigned depth,
                                             unsigned *looks) {
        const struct property *property = branch->object ? property_find(branch->object, name, SIZE_MAX) : NULL;
        const struct subschema *found = NULL;
        if (++*looks > LOOKS_MAX)
                return NULL;
        if (property)
                *required |= property->required;
        for (const struct subschema *at = property ? property->schema : NULL; at && !found; at = at->reference)
                if (at->constant || at->values)
                        found = at;
        if (depth < LOOKS_DEPTH && branch->reference) {
                const struct subschema *deeper = discriminates(branch->reference, name, required, depth + 1, looks);
                found = found ? found : deeper;
        }
        for (size_t i = 0; depth < LOOKS_DEPTH && i < branch->all.count; i++) {
                const struct subschema *deeper = discriminates(branch->all.items[i], name, required, depth + 1, looks);
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

static bool discriminator_fits(const struct group *group, struct bytes name, struct discriminator *ret, unsigned *looks) {
        ret->name = name;
        for (size_t i = 0; i < group->branches.count; i++) {
                ret->required[i] = false;
                ret->listed[i] = NULL;
                if (!admits(group->branches.items[i], JSON_OBJECT))
                        continue;
                ret->listed[i] = discriminates(group->branches.items[i], name, &ret->required[i], 0, looks);
                if (!ret->listed[i] || !all_strings(ret->listed[i]))
                        return false;
        }
        return true;
}

static bool try_names(const struct group *group, const struct subschema *branch, struct discriminator *ret, unsigned depth,
                      unsigned *looks) {
        if (++*looks > LOOKS_MAX)
                return false;
        for (size_t i = 0; branch->object && i < branch->object->property_count; i++)
                if (branch->object->properties[i].schema && discriminator_fits(group, branch->object->properties[i].name, ret, looks))
                        return true;
        if (depth < LOOKS_DEPTH && branch->reference && try_names(group, branch->reference, ret, depth + 1, looks))
                return true;
        for (size_t i = 0; depth < LOOKS_DEPTH && i < branch->all.count; i++)
                if (try_names(group, branch->all.items[i], ret, depth + 1, looks))
                        return true;
        return false;
}

static bool find_discriminator(const struct group *group, struct discriminator *ret) {
        unsigned looks = 0;
        if ((group->mode != PLAN_ANY && group->mode != PLAN_ONE) || group->branches.count > PLAN_BRANCHES_MAX)
                return false;
        for (size_t i = 0; i < group->branches.count; i++)
                if (admits(group->branches.items[i], JSON_OBJECT))
                        return try_names(group, group->branches.items[i], ret, 0, &looks);
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

static void index_values(struct planner *planner, struct plan_dispatch *dispatch) {
        size_t size = 8;
        while (size < 2 * (size_t)dispatch->count)
                size *= 2;
        dispatch->slots = arena_alloc(planner->arena, size * sizeof *dispatch->slots);
        dispatch->slot_mask = (uint32_t)(size - 1);
        for (uint32_t i = 0; i < dispatch->count; i++) {
                uint32_t at = key_hash(dispatch->values[i].data, dispatch->values[i].size, planner->schema->seed) & dispatch->slot_mask;
                while (dispatch->slots[at])
                        at = (at + 1) & dispatch->slot_mask;
                dispatch->slots[at] = i + 1;
        }
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
        index_values(planner, dispatch);
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
        if (!object_make(planner, conditions, &choice->object))
                return false;
        if (!choice->object)
                *ret_choice = NULL;
        return true;
}
