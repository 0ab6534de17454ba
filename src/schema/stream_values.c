// SPDX-License-Identifier: Apache-2.0
// Plans of scalars and arrays, and of values that are listed (enum, const): each listed value is evaluated once, here, by everything
// that applies, so that looking it up is all there is left to do.
#include "schema/stream_priv.h"

#include "json/number.h"

static void add_value(struct plan_values *values, const struct json *value) {
        switch (json_type(value)) {
        case JSON_NULL:
                values->null = true;
                break;
        case JSON_BOOL:
                values->truth[json_bool(value)] = true;
                break;
        case JSON_NUMBER:
        case JSON_STRING:
        default:
                values->texts[values->count++] = json_text(value);
                break;
        case JSON_ARRAY:
        case JSON_OBJECT:
                UNREACHABLE("containers have plans");
        }
}

static uint32_t number_hash(struct bytes number, uint64_t seed) {
        uint64_t hash = json_number_hash(number, seed);
        return (uint32_t)(hash ^ hash >> 32);
}

static void index_texts(struct planner *planner, enum json_type type, struct plan_values *values) {
        uint64_t seed = planner->schema->seed;
        size_t size = 16;
        if (values->count <= 4)
                return;
        while (size < 2 * (size_t)values->count)
                size *= 2;
        values->slots = arena_alloc(planner->arena, size * sizeof *values->slots);
        values->slot_mask = (uint32_t)(size - 1);
        for (uint32_t i = 0; i < values->count; i++) {
                struct bytes text = values->texts[i];
                uint32_t hash = type == JSON_NUMBER ? number_hash(text, seed) : key_hash(text.data, text.size, seed);
                uint32_t at = hash & values->slot_mask;
                while (values->slots[at])
                        at = (at + 1) & values->slot_mask;
                values->slots[at] = i + 1;
        }
}

bool values_have_string(const struct plan_values *values, struct bytes text, uint64_t seed) {
        if (!values->slots) {
                for (uint32_t i = 0; i < values->count; i++)
                        if (bytes_equal(values->texts[i], text))
                                return true;
                return false;
        }
        uint32_t at = key_hash(text.data, text.size, seed) & values->slot_mask;
        for (; values->slots[at]; at = (at + 1) & values->slot_mask)
                if (bytes_equal(values->texts[values->slots[at] - 1], text))
                        return true;
        return false;
}

bool values_have_number(const struct plan_values *values, struct bytes text, uint64_t seed) {
        if (!values->slots) {
                for (uint32_t i = 0; i < values->count; i++)
                        if (bytes_equal(values->texts[i], text) || json_number_compare(values->texts[i], text) == 0)
                                return true;
                return false;
        }
        uint32_t at = number_hash(text, seed) & values->slot_mask;
        for (; values->slots[at]; at = (at + 1) & values->slot_mask)
                if (json_number_compare(values->texts[values->slots[at] - 1], text) == 0)
                        return true;
        return false;
}

const struct subschema *conditions_listing(const struct conditions *conditions) {
        for (uint32_t i = 0; i < conditions->all_count; i++)
                if (conditions->all[i]->constant || conditions->all[i]->values)
                        return conditions->all[i];
        return NULL;
}

static struct plan_values *values_begin(struct planner *planner, size_t most) {
        struct plan_values *values = arena_alloc(planner->arena, sizeof *values);
        values->texts = arena_alloc(planner->arena, most * sizeof *values->texts + 1);
        return values;
}

// ---- arrays and objects that are listed: what equals one of them ----

static const struct plan *plan_of_value(struct planner *planner, const struct json *value);

static const struct plan_array *array_of_value(struct planner *planner, const struct json *value) {
        struct plan_array *array = arena_alloc(planner->arena, sizeof *array);
        array->least = array->most = json_count(value);
        array->rest = planner->anything;
        array->prefix = arena_alloc(planner->arena, (json_count(value) + 1) * sizeof *array->prefix);
        array->simple = json_count(value) == 0;
        JSON_FOR_EACH(element, value)
                array->prefix[array->prefix_count++] = plan_of_value(planner, element);
        return array;
}

static const struct plan_choice *object_of_value(struct planner *planner, const struct json *value) {
        static const struct plan nothing = {.types = 0};
        struct plan_choice *choice = arena_alloc(planner->arena, sizeof *choice);
        struct plan_object *object = arena_alloc(planner->arena, sizeof *object);
        struct object_draft draft = {.planner = planner};
        JSON_FOR_EACH_MEMBER(key, member, value) {
                uint32_t number = draft_key(&draft, json_text(key));
                const struct plan *plan = plan_of_value(planner, member);
                if (!draft.failed)
                        draft.keys[number].plan = plan;
        }
        object->words = MAX((draft.key_count + 63) / 64, 1u);
        uint64_t *required = arena_alloc(planner->arena, object->words * sizeof *required);
        for (uint32_t i = 0; i < draft.key_count; i++)
                required[i / 64] |= (uint64_t)1 << i % 64;
        object->required = required;
        object->requires = draft.key_count > 0;
        object->most = UINT64_MAX;
        object->rest = &nothing;
        draft_finish(&draft, object);
        draft_free(&draft);
        choice->object = object;
        return choice;
}

static const struct plan *plan_of_value(struct planner *planner, const struct json *value) {
        struct plan *plan = arena_alloc(planner->arena, sizeof *plan);
        planner->work++;
        plan->types = (uint8_t)(1u << value->kind);
        if (value->kind == JSON_ARRAY) {
                plan->array = array_of_value(planner, value);
        } else if (value->kind == JSON_OBJECT) {
                plan->object = object_of_value(planner, value);
        } else {
                struct plan_values *values = values_begin(planner, 1);
                add_value(values, value);
                plan->listed[value->kind] = values;
        }
        return plan;
}

enum { LISTED_CONTAINERS_MAX = 8 };

// One such value is the plan itself; of several one must match. False: too many.
static bool plan_containers(struct planner *planner, struct plan *plan, enum json_type type, const struct json *const *values,
                            size_t count) {
        struct plan_group *group = arena_alloc(planner->arena, sizeof *group);
        size_t nodes = 0;
        for (size_t i = 0; i < count; i++)
                nodes += values[i]->span;
        if (planner->work + nodes > PLAN_WORK_MAX)
                return false;
        if (count == 1) {
                const struct plan *only = plan_of_value(planner, values[0]);
                plan->array = type == JSON_ARRAY ? only->array : plan->array;
                plan->object = type == JSON_OBJECT ? only->object : plan->object;
                return true;
        }
        group->mode = PLAN_ANY;
        group->branches = arena_alloc(planner->arena, count * sizeof *group->branches);
        for (size_t i = 0; i < count; i++)
                group->branches[group->count++] = plan_of_value(planner, values[i]);
        plan->groups[type] = group;
        plan->group_counts[type] = 1;
        return true;
}

// ---- enum and const ----

// False: left to the evaluation of the instance.
static bool values_make(struct planner *planner, enum json_type type, const struct subschema *list, struct plan *plan) {
        const struct json *first = list->constant ? list->constant : list->values + 1;
        const struct json *end = list->constant ? json_next(first) : json_next(list->values);
        const struct json *containers[LISTED_CONTAINERS_MAX];
        struct plan_values *values = values_begin(planner, list->constant ? 1 : json_count(list->values));
        size_t count = 0;
        // In draft 4 how a number is written decides whether it is an integer: equal values may have two verdicts.
        bool plain = planner->schema->plain_integers;
        if (plain && type >= JSON_ARRAY)
                return false;
        plan->plain_listed |= plain && type == JSON_NUMBER;
        for (const struct json *value = first; value < end; value = json_next(value)) {
                bool all = true, decided = planner->work <= PLAN_WORK_MAX;
                if (value->kind != type)
                        continue;
                if (plain && type == JSON_NUMBER && value->number != JSON_NUMBER_PLAIN)
                        return false;
                for (size_t i = 0; i < plan->set.count && all && decided; i++)
                        decided = schema_matches(planner, plan->set.items[i], value, &all);
                if (!decided)
                        return false;
                if (all || (plain && type == JSON_NUMBER))
                        plan->types |= (uint8_t)(1u << type);
                if (!all)
                        continue;
                if (type < JSON_ARRAY)
                        add_value(values, value);
                else if (count == LISTED_CONTAINERS_MAX)
                        return false;
                else
                        containers[count++] = value;
        }
        if (type >= JSON_ARRAY)
                return count == 0 || plan_containers(planner, plan, type, containers, count);
        index_texts(planner, type, values);
        plan->listed[type] = values;
        return true;
}

void plan_values_make(struct planner *planner, enum json_type type, const struct subschema *list, struct plan *plan) {
        if (values_make(planner, type, list, plan))
                return;
        plan->types |= (uint8_t)(1u << type);
        plan->dom |= (uint8_t)(1u << type);
}

// ---- numbers ----

static void tighten(struct plan_number *plan, struct bytes bound, bool low, bool exclusive) {
        int64_t value;
        if (!bound.data)
                return;
        if (!json_number_to_i64(bound, &value) || value > INT64_MAX / 2 || value < INT64_MIN / 2) {
                plan->quick = false;
                return;
        }
        if (low)
                plan->low = MAX(plan->low, value + exclusive);
        else
                plan->high = MIN(plan->high, value - exclusive);
}

static void bound_small(struct plan_number *plan, struct bytes text, bool low, bool exclusive) {
        struct plan_bound bound = {.set = true, .exclusive = exclusive}, *known = low ? &plan->least : &plan->most;
        if (!text.data)
                return;
        if (!json_number_to_small(text, &bound.value)) {
                plan->small = false;
                return;
        }
        int order = known->set ? json_small_compare(bound.value, known->value) : 0;
        if (!known->set || (low ? order > 0 : order < 0) || (order == 0 && exclusive))
                *known = bound;
}

static void add_small(struct plan_number *plan, const struct number_rules *rules) {
        bound_small(plan, rules->minimum, true, false);
        bound_small(plan, rules->above, true, true);
        bound_small(plan, rules->maximum, false, false);
        bound_small(plan, rules->below, false, true);
        if (rules->multiple.data && (plan->unit.mantissa || !json_number_to_small(rules->multiple, &plan->unit)))
                plan->small = false;
}

const struct plan_number *plan_number_make(struct planner *planner, const struct conditions *conditions, bool whole, bool plain) {
        struct plan_number plan = {.whole = whole, .plain_whole = plain, .quick = true, .small = true, .low = INT64_MIN, .high = INT64_MAX};
        plan.rules = arena_alloc(planner->arena, (conditions->all_count + 1) * sizeof *plan.rules);
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct number_rules *rules = conditions->all[i]->number;
                if (!rules)
                        continue;
                plan.rules[plan.rule_count++] = rules;
                add_small(&plan, rules);
                tighten(&plan, rules->minimum, true, false);
                tighten(&plan, rules->above, true, true);
                tighten(&plan, rules->maximum, false, false);
                tighten(&plan, rules->below, false, true);
                if (rules->multiple.data && (plan.divisor || !json_number_to_i64(rules->multiple, &plan.divisor)))
                        plan.quick = false;
        }
        if (!whole && plan.rule_count == 0)
                return NULL;
        struct plan_number *made = arena_alloc(planner->arena, sizeof *made);
        *made = plan;
        return made;
}

const struct plan_string *plan_string_make(struct planner *planner, const struct conditions *conditions) {
        struct plan_string plan = {.most = UINT64_MAX};
        plan.rules = arena_alloc(planner->arena, (conditions->all_count + 1) * sizeof *plan.rules);
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct string_rules *rules = conditions->all[i]->string;
                if (!rules)
                        continue;
                plan.least = MAX(plan.least, rules->least);
                plan.most = MIN(plan.most, rules->most);
                if (rules->pattern || rules->format || rules->base64 || rules->json)
                        plan.rules[plan.rule_count++] = rules;
        }
        if (plan.least == 0 && plan.most == UINT64_MAX && plan.rule_count == 0)
                return NULL;
        struct plan_string *made = arena_alloc(planner->arena, sizeof *made);
        *made = plan;
        return made;
}

// ---- arrays ----

// Of unevaluatedItems: how many elements the subschema's own keywords, $ref and allOf evaluate; false: it depends on more.
static bool evaluated_elements(const struct subschema *subschema, size_t *count, unsigned depth) {
        if (subschema->any.count || subschema->one.count || subschema->condition || subschema->dynamic || depth == 8 ||
            (subschema->array && subschema->array->contains && subschema->marks_contained) ||
            (depth && subschema->other_elements))
                return false;
        const struct array_rules *rules = subschema->array;
        if (rules)
                *count = MAX(*count, rules->rest ? SIZE_MAX : rules->prefix.count);
        if ((subschema->reference && !evaluated_elements(subschema->reference, count, depth + 1)) ||
            (subschema->other_reference && !evaluated_elements(subschema->other_reference, count, depth + 1)))
                return false;
        for (size_t i = 0; i < subschema->all.count; i++)
                if (!evaluated_elements(subschema->all.items[i], count, depth + 1))
                        return false;
        return true;
}

// The plan of element number `index`; beyond all prefixes: of the rest.
static const struct plan *element_plan(struct planner *planner, const struct conditions *conditions, size_t index,
                                       const size_t *evaluated) {
        const struct subschema *set[2 * PLAN_SET_MAX];
        size_t count = 0;
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct array_rules *rules = conditions->all[i]->array;
                if (rules)
                        set[count++] = index < rules->prefix.count ? rules->prefix.items[index] : rules->rest;
                if (conditions->all[i]->other_elements && index >= evaluated[i])
                        set[count++] = conditions->all[i]->other_elements;
        }
        return plan_of(planner, set, count);
}

static void plan_contains(struct planner *planner, struct plan_array *plan, const struct array_rules *rules) {
        if (!rules->contains)
                return;
        plan->contains[plan->contains_count++] = (struct plan_contains){
                plan_of_one(planner, rules->contains), rules->contains_least, rules->contains_most,
        };
}

bool plan_array_make(struct planner *planner, const struct conditions *conditions, const struct plan_array **ret_array) {
        struct plan_array *plan = arena_alloc(planner->arena, sizeof *plan);
        size_t evaluated[PLAN_SET_MAX] = {0}, prefix = 0;
        bool some = false;
        plan->most = UINT64_MAX;
        plan->contains = arena_alloc(planner->arena, (conditions->all_count + 1) * sizeof *plan->contains);
        for (uint32_t i = 0; i < conditions->all_count; i++) {
                const struct subschema *subschema = conditions->all[i];
                const struct array_rules *rules = subschema->array;
                if (subschema->other_elements && !evaluated_elements(subschema, &evaluated[i], 0))
                        return false;
                if (subschema->other_elements && evaluated[i] != SIZE_MAX)
                        prefix = MAX(prefix, evaluated[i]);
                some |= rules || subschema->other_elements;
                if (!rules)
                        continue;
                prefix = MAX(prefix, rules->prefix.count);
                plan->least = MAX(plan->least, rules->least);
                plan->most = MIN(plan->most, rules->most);
                plan->unique |= rules->unique;
                plan_contains(planner, plan, rules);
        }
        *ret_array = some ? plan : NULL;
        if (!some)
                return true;
        planner->work += prefix * conditions->all_count;
        if (planner->work > PLAN_WORK_MAX)
                return false;
        plan->prefix_count = (uint32_t)prefix;
        plan->prefix = arena_alloc(planner->arena, (prefix + 1) * sizeof *plan->prefix);
        for (size_t i = 0; i < prefix; i++)
                plan->prefix[i] = element_plan(planner, conditions, i, evaluated);
        plan->rest = element_plan(planner, conditions, SIZE_MAX - 1, evaluated);
        plan->simple = !plan->unique && plan->contains_count == 0 && prefix == 0;
        return true;
}
