// SPDX-License-Identifier: Apache-2.0
// From sets of subschemas to plans. Plans are kept by their set, so that recursion ends and what is referred to often is made once.
// There is a limit on how many there are (PLANS_MAX); sets beyond it are evaluated on the parsed value.
#include "schema/stream_priv.h"

#include <stdlib.h>

enum { ADMITS_DEPTH = 8, ADMITS_LOOKS = 256 };

bool schema_matches(struct planner *planner, const struct subschema *subschema, const struct json *node, bool *ret_match) {
        struct evaluation evaluation = evaluation_begin(planner->schema, node, &planner->scratch);
        uint64_t steps = evaluation.steps;
        *ret_match = evaluate(&evaluation, subschema, node, step_to(NULL), NULL);
        planner->work += (size_t)(steps - evaluation.steps) / 4 + node->span / 16 + 1;
        arena_reset(&planner->scratch);
        return !evaluation.undecided;
}

static bool type_allowed(const struct subschema *subschema, enum json_type type) {
        unsigned bits = 1u << type | (type == JSON_NUMBER ? (unsigned)TYPE_INTEGER : 0);
        return !subschema->types || (subschema->types & bits);
}

// `left`: how many subschemas more are looked at; beyond, it may be.
static bool admits_within(const struct subschema *subschema, enum json_type type, unsigned depth, unsigned *left) {
        if (subschema->never || !type_allowed(subschema, type))
                return false;
        if (subschema->constant && subschema->constant->kind != type)
                return false;
        if (subschema->values) {
                bool some = false;
                JSON_FOR_EACH(value, subschema->values)
                        some |= value->kind == type;
                if (!some)
                        return false;
        }
        if (depth == ADMITS_DEPTH || *left == 0)
                return true;
        --*left;
        if (subschema->reference && !admits_within(subschema->reference, type, depth + 1, left))
                return false;
        for (size_t i = 0; i < subschema->all.count; i++)
                if (!admits_within(subschema->all.items[i], type, depth + 1, left))
                        return false;
        for (int group = 0; group < 2; group++) {
                const struct schema_list *list = group ? &subschema->one : &subschema->any;
                bool some = list->count == 0;
                for (size_t i = 0; i < list->count && !some; i++)
                        some = admits_within(list->items[i], type, depth + 1, left);
                if (!some)
                        return false;
        }
        return true;
}

bool admits(const struct subschema *subschema, enum json_type type) {
        unsigned left = ADMITS_LOOKS;
        return admits_within(subschema, type, 0, &left);
}

static bool admits_all_within(const struct subschema *subschema, enum json_type type, unsigned depth, unsigned *left) {
        if (subschema->trivial)
                return true;
        bool typed = !subschema->types || (subschema->types & 1u << type);
        if (subschema->never || !typed || subschema->constant || subschema->values || subschema->any.count || subschema->one.count ||
            subschema->not || subschema->condition || subschema->other_reference || depth == ADMITS_DEPTH || *left == 0)
                return false;
        --*left;
        if ((type == JSON_NUMBER && subschema->number) || (type == JSON_STRING && subschema->string) ||
            (type == JSON_ARRAY && (subschema->array || subschema->other_elements)) ||
            (type == JSON_OBJECT && (subschema->object || subschema->other_members)))
                return false;
        if (subschema->reference && !admits_all_within(subschema->reference, type, depth + 1, left))
                return false;
        for (size_t i = 0; i < subschema->all.count; i++)
                if (!admits_all_within(subschema->all.items[i], type, depth + 1, left))
                        return false;
        return true;
}

bool admits_all(const struct subschema *subschema, enum json_type type) {
        unsigned left = ADMITS_LOOKS;
        return admits_all_within(subschema, type, 0, &left);
}

static void add_group(struct conditions *conditions, enum plan_mode mode, struct schema_list branches) {
        if (conditions->group_count == ARRAY_SIZE(conditions->groups)) {
                conditions->dom = true;
                return;
        }
        conditions->groups[conditions->group_count++] = (struct group){mode, branches};
}

void conditions_add(struct conditions *conditions, const struct subschema *subschema) {
        if (!subschema || subschema->trivial)
                return;
        for (size_t i = 0; i < conditions->all_count; i++)
                if (conditions->all[i] == subschema)
                        return;
        if (conditions->all_count == PLAN_SET_MAX) {
                conditions->dom = true;
                return;
        }
        conditions->all[conditions->all_count++] = subschema;
        conditions->never |= subschema->never || !type_allowed(subschema, conditions->type);
        conditions->dom |= subschema->dynamic != NULL;
        conditions_add(conditions, subschema->reference);
        conditions_add(conditions, subschema->other_reference);
        for (size_t i = 0; i < subschema->all.count; i++)
                conditions_add(conditions, subschema->all.items[i]);
        if (subschema->any.count)
                add_group(conditions, PLAN_ANY, subschema->any);
        if (subschema->one.count)
                add_group(conditions, PLAN_ONE, subschema->one);
        if (subschema->not)
                add_group(conditions, PLAN_NOT, (struct schema_list){&subschema->not, 1});
        if (subschema->condition && (subschema->then || subschema->otherwise))
                add_group(conditions, PLAN_IF, (struct schema_list){subschema->conditional, 3});
}

// Settles one group as far as the type does. True: it is done with.
static bool settle(struct conditions *conditions, struct group *group) {
        enum json_type type = conditions->type;
        const struct subschema *only = NULL;
        size_t possible = 0;
        switch (group->mode) {
        case PLAN_NOT:
                conditions->never |= admits_all(group->branches.items[0], type);
                return conditions->never || !admits(group->branches.items[0], type);
        case PLAN_IF:
                if (!admits(group->branches.items[0], type))
                        conditions_add(conditions, group->branches.items[2]);
                else if (admits_all(group->branches.items[0], type))
                        conditions_add(conditions, group->branches.items[1]);
                else
                        return false;
                return true;
        case PLAN_ANY:
        case PLAN_ONE:
        default:
                for (size_t i = 0; i < group->branches.count; i++) {
                        if (!admits(group->branches.items[i], type))
                                continue;
                        if (group->mode == PLAN_ANY && admits_all(group->branches.items[i], type))
                                return true;
                        possible++;
                        only = group->branches.items[i];
                }
                conditions->never |= possible == 0;
                if (possible == 1)
                        conditions_add(conditions, only);
                return possible <= 1;
        }
}

void conditions_settle(struct conditions *conditions) {
        for (uint32_t i = 0; i < conditions->group_count && !conditions->never && !conditions->dom; ) {
                struct group group = conditions->groups[i];
                if (!settle(conditions, &group)) {
                        i++;
                        continue;
                }
                memmove(&conditions->groups[i], &conditions->groups[i + 1],
                        (--conditions->group_count - i) * sizeof conditions->groups[0]);
        }
}

bool plan_groups(struct planner *planner, const struct conditions *conditions, struct plan_group **ret_groups,
                 uint32_t *ret_count) {
        struct plan_group *groups = arena_alloc(planner->arena, (conditions->group_count + 1) * sizeof *groups);
        for (uint32_t i = 0; i < conditions->group_count; i++) {
                const struct group *group = &conditions->groups[i];
                struct plan_group *made = &groups[i];
                if (group->branches.count > PLAN_BRANCHES_MAX)
                        return false;
                made->mode = group->mode;
                made->branches = arena_alloc(planner->arena, group->branches.count * sizeof *made->branches);
                for (size_t j = 0; j < group->branches.count; j++) {
                        const struct subschema *branch = group->branches.items[j];
                        if (group->mode != PLAN_IF && group->mode != PLAN_NOT && !admits(branch, conditions->type))
                                continue;
                        made->branches[made->count++] = branch ? plan_of_one(planner, branch) : planner->anything;
                }
        }
        *ret_groups = conditions->group_count ? groups : NULL;
        *ret_count = conditions->group_count;
        return true;
}

static void plan_type(struct planner *planner, struct plan *plan, enum json_type type) {
        CLEANUP(free_pointer) struct conditions *conditions = must_malloc(sizeof *conditions);
        conditions->type = type;
        conditions->all_count = conditions->group_count = 0;
        conditions->never = conditions->dom = false;
        for (size_t i = 0; i < plan->set.count; i++)
                conditions_add(conditions, plan->set.items[i]);
        conditions_settle(conditions);
        planner->work += conditions->all_count * (size_t)conditions->all_count / 64;
        if (conditions->never)
                return;
        const struct subschema *list = conditions_listing(conditions);
        if (list && !conditions->dom) {
                plan_values_make(planner, type, list, plan);
                return;
        }
        plan->types |= (uint8_t)(1u << type);
        bool good = !conditions->dom, whole = false, plain = false;
        for (size_t i = 0; i < conditions->all_count && type == JSON_NUMBER; i++) {
                bool integer = conditions->all[i]->types && !(conditions->all[i]->types & 1u << JSON_NUMBER);
                whole |= integer;
                plain |= integer && conditions->all[i]->plain_integers;
        }
        if (good && type == JSON_NUMBER)
                plan->number = plan_number_make(planner, conditions, whole, plain);
        else if (good && type == JSON_STRING)
                plan->string = plan_string_make(planner, conditions);
        else if (good && type == JSON_ARRAY)
                good = plan_array_make(planner, conditions, &plan->array);
        else if (good && type == JSON_OBJECT)
                good = plan_choice_make(planner, conditions, 0, &plan->object);
        if (good && type != JSON_OBJECT)
                good = plan_groups(planner, conditions, &plan->groups[type], &plan->group_counts[type]);
        if (!good)
                plan->dom |= (uint8_t)(1u << type);
}

static uint64_t set_hash(const struct subschema *const *set, size_t count) {
        uint64_t hash = count;
        for (size_t i = 0; i < count; i++)
                hash = (hash ^ set[i]->id) * 0x9E3779B97F4A7C15u ^ hash >> 29;
        return hash;
}

static struct plan **plan_slot(struct planner *planner, const struct subschema *const *set, size_t count, uint32_t **ret_slot) {
        size_t at = set_hash(set, count) & (planner->slot_size - 1);
        for (; planner->slots[at]; at = (at + 1) & (planner->slot_size - 1)) {
                struct plan **plan = &planner->plans[planner->slots[at] - 1];
                if ((*plan)->set.count == count && memcmp((*plan)->set.items, set, count * sizeof *set) == 0)
                        return plan;
        }
        *ret_slot = &planner->slots[at];
        return NULL;
}

// Keeps the table at most half full.
static void grow_slots(struct planner *planner) {
        if (planner->plan_count * 2 < planner->slot_size)
                return;
        free(planner->slots);
        planner->slot_size *= 4;
        planner->slots = must_calloc(planner->slot_size, sizeof *planner->slots);
        for (size_t i = 0; i < planner->plan_count; i++) {
                uint32_t *slot = NULL;
                IGNORE(plan_slot(planner, planner->plans[i]->set.items, planner->plans[i]->set.count, &slot) != NULL);   // is not there
                *slot = (uint32_t)(i + 1);
        }
}

static struct plan *new_plan(struct planner *planner, const struct subschema *const *set, size_t count) {
        struct plan *plan = arena_alloc(planner->arena, sizeof *plan);
        const struct subschema **items = arena_alloc(planner->arena, (count + 1) * sizeof *items);
        memcpy(items, set, count * sizeof *set);
        plan->set.items = items;
        plan->set.count = count;
        if (planner->plan_count == planner->plan_capacity) {
                planner->plan_capacity = planner->plan_capacity * 2 + 64;
                planner->plans = must_realloc(planner->plans, planner->plan_capacity * sizeof *planner->plans);
        }
        planner->plans[planner->plan_count++] = plan;
        return plan;
}

static int by_id(const void *a, const void *b) {
        const struct subschema *const *left = a, *const *right = b;
        return ((*left)->id > (*right)->id) - ((*left)->id < (*right)->id);
}

const struct plan *plan_of(struct planner *planner, const struct subschema *const *given, size_t count) {
        const struct subschema *room[16];
        CLEANUP(free_pointer) const struct subschema **more = count > ARRAY_SIZE(room) ? must_malloc(count * sizeof *more) : NULL;
        const struct subschema **set = more ? more : room;
        size_t size = 0;
        for (size_t i = 0; i < count; i++)
                if (given[i] && !given[i]->trivial)
                        set[size++] = given[i];
        if (size == 0)
                return planner->anything;
        qsort(set, size, sizeof set[0], by_id);
        size_t unique = 1;
        for (size_t i = 1; i < size; i++)
                if (set[i] != set[unique - 1])
                        set[unique++] = set[i];
        uint32_t *slot = NULL;
        grow_slots(planner);
        struct plan **known = plan_slot(planner, set, unique, &slot);
        if (known)
                return *known;
        struct plan *plan = new_plan(planner, set, unique);
        *slot = (uint32_t)planner->plan_count;
        planner->work += unique + 1;
        if (unique >= PLAN_SET_MAX || planner->plan_count >= PLANS_MAX || planner->depth == PLAN_DEPTH_MAX ||
            planner->work > PLAN_WORK_MAX) {
                plan->types = plan->dom = 0xFF;
                return plan;
        }
        planner->depth++;
        for (unsigned type = JSON_NULL; type <= JSON_OBJECT; type++)
                plan_type(planner, plan, (enum json_type)type);
        planner->depth--;
        unsigned open = plan->types & ~plan->dom;               // where nothing is asked but what the flags below are about
        plan->string_any = (open >> JSON_STRING & 1) && !plan->listed[JSON_STRING] && !plan->string &&
                           !plan->group_counts[JSON_STRING];
        bool number = (open >> JSON_NUMBER & 1) && !plan->listed[JSON_NUMBER] && !plan->group_counts[JSON_NUMBER];
        plan->number_any = number && !plan->number;
        plan->integer_easy = number && (!plan->number || (plan->number->quick && !plan->number->divisor));
        return plan;
}

const struct plan *plan_of_one(struct planner *planner, const struct subschema *subschema) {
        return plan_of(planner, &subschema, 1);
}

void stream_plan(struct schema *schema) {
        struct planner planner = {.schema = schema, .arena = &schema->arena, .slot_size = 256};
        struct plan *anything = arena_alloc(&schema->arena, sizeof *anything);
        *anything = (struct plan){.types = 0xFF, .any = true, .string_any = true, .number_any = true, .integer_easy = true};
        planner.anything = anything;
        planner.slots = must_calloc(planner.slot_size, sizeof *planner.slots);
        struct stream *stream = arena_alloc(&schema->arena, sizeof *stream);
        const struct subschema *root = schema->dynamic ? scopes_settled(&planner) : schema->root;
        *stream = (struct stream){root ? plan_of_one(&planner, root) : NULL, anything};
        if (stream->root && stream->root->dom != 0xFF)
                schema->stream = stream;
        free(planner.plans);
        free(planner.slots);
        arena_free(&planner.scratch);
}
