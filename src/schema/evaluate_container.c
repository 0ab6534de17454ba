// SPDX-License-Identifier: Apache-2.0
// Evaluation of arrays and objects (evaluate.c).
#include "schema/schema_priv.h"

#define FAIL(keyword) record_failure(evaluation, node, keyword, (struct bytes){0})

static bool enough(const struct evaluation *evaluation) {
        return evaluation->undecided || !evaluation->record || record_full(evaluation->record);
}

static bool check_contains(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                           struct marks *marks) {
        const struct array_rules *rules = subschema->array;
        bool all = marks || rules->contains_most != UINT64_MAX || (evaluation->record && evaluation->record->annotations);
        uint64_t found = 0;
        size_t index = 0;
        JSON_FOR_EACH(element, node) {
                if (!all && found >= rules->contains_least)
                        break;
                if (matches(evaluation, rules->contains, element, step_to("contains"), NULL)) {
                        found++;
                        if (subschema->marks_contained)
                                marks_add(marks, index);
                }
                if (evaluation->undecided)
                        return false;
                index++;
        }
        if (found > rules->contains_most)
                return FAIL("maxContains");
        if (found < rules->contains_least)
                return rules->contains_least == 1 ? FAIL("contains") : FAIL("minContains");
        return true;
}

static bool check_elements(struct evaluation *evaluation, const struct array_rules *rules, const struct json *node,
                           struct marks *marks) {
        bool good = true;
        size_t index = 0;
        JSON_FOR_EACH(element, node) {
                bool prefix = index < rules->prefix.count;
                const struct subschema *item = prefix ? rules->prefix.items[index] : rules->rest;
                if (!item)
                        break;
                marks_add(marks, index);
                if (item->never && !prefix)
                        good = record_failure(evaluation, element, rules->rest_keyword, (struct bytes){0});
                else if (!evaluate(evaluation, item, element,
                                   prefix ? step_index(rules->prefix_keyword, index) : step_to(rules->rest_keyword), NULL))
                        good = false;
                if (!good && enough(evaluation))
                        return false;
                index++;
        }
        return good;
}

bool check_array(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct marks *marks) {
        const struct array_rules *rules = subschema->array;
        bool good = true;
        if (node->count < rules->least)
                good = FAIL("minItems");
        if (node->count > rules->most)
                good = FAIL("maxItems");
        if ((rules->rest || rules->prefix.count) && (good || !enough(evaluation)))
                good = check_elements(evaluation, rules, node, marks) && good;
        if (rules->contains && (good || !enough(evaluation)))
                good = check_contains(evaluation, subschema, node, marks) && good;
        size_t repeated;
        if ((good || !enough(evaluation)) && rules->unique && !elements_differ(evaluation, node, &repeated))
                good = FAIL("uniqueItems");
        return good;
}

static bool check_dependencies(struct evaluation *evaluation, const struct object_rules *rules, const struct json *node,
                               struct marks *marks) {
        bool good = true;
        for (size_t i = 0; i < rules->dependency_count; i++) {
                const struct dependency *dependency = &rules->dependencies[i];
                if (!json_get(node, dependency->name))
                        continue;
                if (dependency->names) {
                        JSON_FOR_EACH(name, dependency->names)
                                if (!json_get(node, json_text(name)))
                                        good = record_failure(evaluation, node, dependency->keyword, json_text(name));
                } else if (!evaluate(evaluation, dependency->schema, node, step_name(dependency->keyword, dependency->name),
                                     marks)) {
                        good = false;
                }
                if (!good && enough(evaluation))
                        return false;
        }
        return good;
}

static bool check_name(struct evaluation *evaluation, const struct object_rules *rules, const struct json *key) {
        struct record *record = evaluation->record;
        evaluation->record = NULL;
        bool good = matches(evaluation, rules->names, key, step_to("propertyNames"), NULL);
        evaluation->record = record;
        return good || record_failure(evaluation, key + 1, "propertyNames", (struct bytes){0});
}

static bool check_member(struct evaluation *evaluation, const struct object_rules *rules, const struct json *key,
                         const struct property *property, size_t index, struct marks *marks) {
        const struct json *value = key + 1;
        bool described = property && property->schema, good = true;
        if (described && !evaluate(evaluation, property->schema, value, step_name("properties", property->name), NULL))
                good = false;
        for (size_t i = 0; i < rules->pattern_count && (good || !enough(evaluation)); i++) {
                const struct pattern_property *pattern = &rules->patterns[i];
                if (!pattern_matches(evaluation, pattern->pattern, json_text(key))) {
                        if (evaluation->undecided)
                                return false;
                        continue;
                }
                described = true;
                if (!evaluate(evaluation, pattern->schema, value, step_name("patternProperties", pattern->source), NULL))
                        good = false;
        }
        if (!described && rules->additional) {
                described = true;
                if (rules->additional->never)
                        good = record_failure(evaluation, value, "additionalProperties", (struct bytes){0});
                else if (!evaluate(evaluation, rules->additional, value, step_to("additionalProperties"), NULL))
                        good = false;
        }
        if (described)
                marks_add(marks, index);
        if (rules->names && (good || !enough(evaluation)))
                good = check_name(evaluation, rules, key) && good;
        return good;
}

static bool fail_required(struct evaluation *evaluation, const struct object_rules *rules, const struct json *node) {
        for (size_t i = 0; i < rules->property_count; i++)
                if (rules->properties[i].required && !json_get(node, rules->properties[i].name))
                        IGNORE(record_failure(evaluation, node, "required", rules->properties[i].name));       // false below
        return false;
}

// Keys of an instance differ, so counting the required ones that are there is enough.
bool check_object(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct marks *marks) {
        const struct object_rules *rules = subschema->object;
        bool good = true;
        if (node->count < rules->least)
                good = FAIL("minProperties");
        if (node->count > rules->most)
                good = FAIL("maxProperties");
        if (!good && enough(evaluation))
                return false;
        size_t required = 0, guess = 0, index = 0;
        if (rules->property_count || rules->pattern_count || rules->additional || rules->names) {
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        const struct property *property = property_find(rules, json_text(key), guess);
                        if (property) {
                                guess = (size_t)(property - rules->properties) + 1;
                                required += property->required;
                        }
                        if (!check_member(evaluation, rules, key, property, index++, marks)) {
                                if (enough(evaluation))
                                        return false;
                                good = false;
                        }
                }
        }
        if (required < rules->required_count)
                good = fail_required(evaluation, rules, node);
        if (rules->dependency_count && (good || !enough(evaluation)))
                good = check_dependencies(evaluation, rules, node, marks) && good;
        return good;
}
