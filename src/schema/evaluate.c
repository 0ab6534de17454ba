// SPDX-License-Identifier: Apache-2.0
// Evaluation of an instance. With evaluation->failures NULL it stops at the first failure and only the verdict counts; with it,
// each failing keyword is noted and the rest goes on until the list is full. What only asks (not, if, contains, the branches of
// anyOf and oneOf) is evaluated without noting. A limit that is reached sets `undecided`: the answer then means nothing.
#include "schema/schema_priv.h"

#include "json/number.h"
#include "json/utf8.h"

// Notes a failure. Always false.
static bool fail(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, const char *keyword,
                 struct bytes name) {
        if (evaluation->failures && evaluation->failure_count < evaluation->failure_limit)
                evaluation->failures[evaluation->failure_count++] = (struct failure){subschema, node, keyword, name};
        return false;
}

#define FAIL(keyword) fail(evaluation, subschema, node, keyword, (struct bytes){0})

// After a failure: is there a reason to go on?
static bool enough(const struct evaluation *evaluation) {
        return evaluation->undecided || !evaluation->failures || evaluation->failure_count == evaluation->failure_limit;
}

static bool undecided(struct evaluation *evaluation) {
        evaluation->undecided = true;
        return false;
}

static bool matches(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        struct failure *failures = evaluation->failures;
        evaluation->failures = NULL;
        bool good = evaluate(evaluation, subschema, node);
        evaluation->failures = failures;
        return good;
}

static bool pattern_matches(struct evaluation *evaluation, const struct pattern *pattern, struct bytes text) {
        enum pattern_verdict verdict = pattern_search(pattern, text, evaluation->scratch);
        return verdict == PATTERN_UNDECIDED ? undecided(evaluation) : verdict == PATTERN_MATCH;
}

static bool check_type(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        if (subschema->types & 1u << node->kind)
                return true;
        if (node->kind == JSON_NUMBER && (subschema->types & TYPE_INTEGER) &&
            (node->number == JSON_NUMBER_PLAIN || json_number_is_integer(json_text(node))))
                return true;
        return FAIL("type");
}

static bool check_values(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        if (subschema->constant && !json_equal(subschema->constant, node))
                return FAIL("const");
        if (!subschema->values)
                return true;
        JSON_FOR_EACH(value, subschema->values)
                if (json_equal(value, node))
                        return true;
        return FAIL("enum");
}

static bool check_number(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct number_rules *rules = subschema->number;
        struct bytes number = json_text(node);
        bool good = true;
        if (rules->minimum.data && json_number_compare(number, rules->minimum) < 0)
                good = FAIL("minimum");
        if (rules->maximum.data && json_number_compare(number, rules->maximum) > 0)
                good = FAIL("maximum");
        if (rules->above.data && json_number_compare(number, rules->above) <= 0)
                good = FAIL("exclusiveMinimum");
        if (rules->below.data && json_number_compare(number, rules->below) >= 0)
                good = FAIL("exclusiveMaximum");
        if (rules->multiple.data && !json_number_is_multiple(number, rules->multiple))
                good = FAIL("multipleOf");
        return good;
}

static bool check_string(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct string_rules *rules = subschema->string;
        struct bytes text = json_text(node);
        bool good = true;
        if (rules->least > 0 || rules->most < text.size) {
                size_t length = utf8_count(text);
                if (length < rules->least)
                        good = FAIL("minLength");
                if (length > rules->most)
                        good = FAIL("maxLength");
        }
        if (rules->pattern && !pattern_matches(evaluation, rules->pattern, text))
                good = FAIL("pattern");
        return good;
}

static void sift(const struct json **nodes, size_t at, size_t count) {
        const struct json *moved = nodes[at];
        for (size_t child; (child = 2 * at + 1) < count; at = child) {
                if (child + 1 < count && json_compare(nodes[child], nodes[child + 1]) < 0)
                        child++;
                if (json_compare(moved, nodes[child]) >= 0)
                        break;
                nodes[at] = nodes[child];
        }
        nodes[at] = moved;
}

// Sorted, equal elements are neighbours: O(n log n) comparisons. Few elements are compared in place.
static bool elements_differ(struct evaluation *evaluation, const struct json *array) {
        if (array->count <= 8) {
                JSON_FOR_EACH(element, array)
                        for (const struct json *other = json_next(element); other < element_end; other = json_next(other))
                                if (json_equal(element, other))
                                        return false;
                return true;
        }
        const struct json **nodes = arena_alloc(evaluation->scratch, array->count * sizeof *nodes);
        size_t count = 0;
        JSON_FOR_EACH(element, array)
                nodes[count++] = element;
        for (size_t at = count / 2; at-- > 0; )
                sift(nodes, at, count);
        for (size_t end = count - 1; end > 0; end--) {
                const struct json *largest = nodes[0];
                nodes[0] = nodes[end];
                nodes[end] = largest;
                sift(nodes, 0, end);
                if (end + 1 < count && json_equal(nodes[end], nodes[end + 1]))
                        return false;
        }
        return count < 2 || !json_equal(nodes[0], nodes[1]);
}

static bool check_contains(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct array_rules *rules = subschema->array;
        uint64_t found = 0;
        JSON_FOR_EACH(element, node) {
                found += matches(evaluation, rules->contains, element);
                if (evaluation->undecided)
                        return false;
        }
        if (found > rules->contains_most)
                return FAIL("maxContains");
        if (found < rules->contains_least)
                return rules->contains_least == 1 ? FAIL("contains") : FAIL("minContains");
        return true;
}

static bool check_array(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct array_rules *rules = subschema->array;
        bool good = true;
        if (node->count < rules->least)
                good = FAIL("minItems");
        if (node->count > rules->most)
                good = FAIL("maxItems");
        size_t index = 0;
        if (rules->rest || rules->prefix.count) {
                JSON_FOR_EACH(element, node) {
                        const struct subschema *item = index < rules->prefix.count ? rules->prefix.items[index] : rules->rest;
                        index++;
                        if (!item)
                                break;
                        if (item->never && item == rules->rest)
                                good = fail(evaluation, subschema, element, rules->rest_keyword, (struct bytes){0});
                        else if (!evaluate(evaluation, item, element))
                                good = false;
                        if (!good && enough(evaluation))
                                return false;
                }
        }
        if (rules->contains && !check_contains(evaluation, subschema, node))
                good = false;
        if ((good || !enough(evaluation)) && rules->unique && !elements_differ(evaluation, node))
                good = FAIL("uniqueItems");
        return good;
}

static bool check_dependencies(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct object_rules *rules = subschema->object;
        bool good = true;
        for (size_t i = 0; i < rules->dependency_count; i++) {
                const struct dependency *dependency = &rules->dependencies[i];
                if (!json_get(node, dependency->name))
                        continue;
                if (dependency->names) {
                        JSON_FOR_EACH(name, dependency->names)
                                if (!json_get(node, json_text(name)))
                                        good = fail(evaluation, subschema, node, dependency->keyword, json_text(name));
                } else if (!evaluate(evaluation, dependency->schema, node)) {
                        good = false;
                }
        }
        return good;
}

static bool check_member(struct evaluation *evaluation, const struct subschema *subschema, const struct json *key,
                         const struct property *property) {
        const struct object_rules *rules = subschema->object;
        const struct json *value = key + 1;
        bool described = property && property->schema, good = true;
        if (described && !evaluate(evaluation, property->schema, value))
                good = false;
        for (size_t i = 0; i < rules->pattern_count && (good || !enough(evaluation)); i++) {
                if (!pattern_matches(evaluation, rules->patterns[i].pattern, json_text(key))) {
                        if (evaluation->undecided)
                                return false;
                        continue;
                }
                described = true;
                if (!evaluate(evaluation, rules->patterns[i].schema, value))
                        good = false;
        }
        if (!described && rules->additional) {
                if (rules->additional->never)
                        good = fail(evaluation, subschema, value, "additionalProperties", (struct bytes){0});
                else if (!evaluate(evaluation, rules->additional, value))
                        good = false;
        }
        if (rules->names && (good || !enough(evaluation)) && !matches(evaluation, rules->names, key))
                good = fail(evaluation, subschema, value, "propertyNames", (struct bytes){0});
        return good;
}

static bool fail_required(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct object_rules *rules = subschema->object;
        for (size_t i = 0; i < rules->property_count; i++)
                if (rules->properties[i].required && !json_get(node, rules->properties[i].name))
                        IGNORE(fail(evaluation, subschema, node, "required", rules->properties[i].name));      // false below
        return false;
}

// Keys of an instance differ, so counting the required ones that are there is enough.
static bool check_object(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct object_rules *rules = subschema->object;
        bool good = true;
        if (node->count < rules->least)
                good = FAIL("minProperties");
        if (node->count > rules->most)
                good = FAIL("maxProperties");
        size_t required = 0, guess = 0;
        if (rules->property_count || rules->pattern_count || rules->additional || rules->names) {
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        const struct property *property = property_find(rules, json_text(key), guess);
                        if (property) {
                                guess = (size_t)(property - rules->properties) + 1;
                                required += property->required;
                        }
                        if (!check_member(evaluation, subschema, key, property)) {
                                if (enough(evaluation))
                                        return false;
                                good = false;
                        }
                }
        }
        if (required < rules->required_count)
                good = fail_required(evaluation, subschema, node);
        if (rules->dependency_count && (good || !enough(evaluation)) && !check_dependencies(evaluation, subschema, node))
                good = false;
        return good;
}

// Tells why the branch that came nearest does not match: the one whose first failure stands last in the document.
static void explain_nearest(struct evaluation *evaluation, struct schema_list branches, const struct json *node) {
        const struct subschema *nearest = NULL;
        const struct json *farthest = NULL;
        struct failure *failures = evaluation->failures, first;
        size_t count = evaluation->failure_count, limit = evaluation->failure_limit;
        if (enough(evaluation))
                return;
        for (size_t i = 0; i < branches.count && !evaluation->undecided; i++) {
                evaluation->failures = &first;
                evaluation->failure_count = 0;
                evaluation->failure_limit = 1;
                bool good = evaluate(evaluation, branches.items[i], node);
                if (!good && evaluation->failure_count && (!farthest || first.node > farthest)) {
                        farthest = first.node;
                        nearest = branches.items[i];
                }
        }
        evaluation->failures = failures;
        evaluation->failure_count = count;
        evaluation->failure_limit = limit;
        if (nearest && farthest > node && !evaluation->undecided)
                IGNORE(evaluate(evaluation, nearest, node));            // known to fail; for what it notes
}

static bool check_branches(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        bool good = true;
        if (subschema->any.count) {
                size_t i = 0;
                while (i < subschema->any.count && !matches(evaluation, subschema->any.items[i], node) && !evaluation->undecided)
                        i++;
                if (evaluation->undecided)
                        return false;
                if (i == subschema->any.count) {
                        good = FAIL("anyOf");
                        explain_nearest(evaluation, subschema->any, node);
                }
        }
        if (subschema->one.count && (good || !enough(evaluation))) {
                size_t matching = 0;
                for (size_t i = 0; i < subschema->one.count && matching < 2 && !evaluation->undecided; i++)
                        matching += matches(evaluation, subschema->one.items[i], node);
                if (evaluation->undecided)
                        return false;
                if (matching != 1)
                        good = fail(evaluation, subschema, node, "oneOf", matching ? BYTES("more") : (struct bytes){0});
                if (matching == 0)
                        explain_nearest(evaluation, subschema->one, node);
        }
        return good;
}

static bool check_logic(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        bool good = true;
        if (subschema->reference && !evaluate(evaluation, subschema->reference, node))
                good = false;
        for (size_t i = 0; i < subschema->all.count && (good || !enough(evaluation)); i++)
                if (!evaluate(evaluation, subschema->all.items[i], node))
                        good = false;
        if (!good && enough(evaluation))
                return false;
        if ((subschema->any.count || subschema->one.count) && !check_branches(evaluation, subschema, node))
                good = false;
        if (subschema->not && (good || !enough(evaluation)) && matches(evaluation, subschema->not, node))
                good = FAIL("not");
        if (subschema->condition && (subschema->then || subschema->otherwise) && (good || !enough(evaluation))) {
                bool condition = matches(evaluation, subschema->condition, node);
                const struct subschema *branch = condition ? subschema->then : subschema->otherwise;
                if (evaluation->undecided || (branch && !evaluate(evaluation, branch, node)))
                        good = false;
        }
        return good && !evaluation->undecided;
}

static bool check_kind(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        switch (json_type(node)) {
        case JSON_NUMBER:
                return !subschema->number || check_number(evaluation, subschema, node);
        case JSON_STRING:
                return !subschema->string || check_string(evaluation, subschema, node);
        case JSON_ARRAY:
                return !subschema->array || check_array(evaluation, subschema, node);
        case JSON_OBJECT:
                return !subschema->object || check_object(evaluation, subschema, node);
        case JSON_NULL:
        case JSON_BOOL:
        default:
                return true;
        }
}

bool evaluate(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        if (subschema->trivial)
                return true;
        if (subschema->never)
                return FAIL("false");
        if (evaluation->depth == SCHEMA_DEPTH_MAX || evaluation->steps == 0)
                return undecided(evaluation);
        evaluation->depth++;
        evaluation->steps--;
        bool good = !subschema->types || check_type(evaluation, subschema, node);
        if ((subschema->constant || subschema->values) && (good || !enough(evaluation)))
                good = check_values(evaluation, subschema, node) && good;
        if (good || !enough(evaluation))
                good = check_kind(evaluation, subschema, node) && good;
        if (subschema->logic && (good || !enough(evaluation)))
                good = check_logic(evaluation, subschema, node) && good;
        evaluation->depth--;
        return good && !evaluation->undecided;
}

static struct evaluation begin(const struct schema *schema, const struct json *instance, struct arena *scratch) {
        return (struct evaluation){
                .schema = schema, .scratch = scratch,
                .steps = SCHEMA_STEPS_MIN + (uint64_t)SCHEMA_STEPS_PER_NODE * instance->span,
        };
}

enum schema_verdict schema_verdict(const struct schema *schema, const struct json *instance, struct arena *scratch) {
        struct evaluation evaluation = begin(schema, instance, scratch);
        bool good = evaluate(&evaluation, schema->root, instance);
        return evaluation.undecided ? SCHEMA_UNDECIDED : good ? SCHEMA_VALID : SCHEMA_INVALID;
}
