// SPDX-License-Identifier: Apache-2.0
// Evaluation of an instance. Without a record it stops at the first failure and only the verdict counts; with one, each failing
// keyword is noted and the rest goes on until the record is full. What a subschema that matches has noted of failures inside is
// forgotten, what one that does not match has noted of annotations as well. A limit that is reached sets `undecided`: the answer
// then means nothing.
//
// Where an unevaluated… looks on, `marks` are the members or elements that a keyword has evaluated; whoever passes marks on
// drops them if the subschema fails. Nobody else pays for them.
#include "schema/schema_priv.h"

#include "json/number.h"
#include "json/utf8.h"

#define FAIL(keyword) record_failure(evaluation, node, keyword, (struct bytes){0})

// After a failure: is there a reason to go on?
static bool enough(const struct evaluation *evaluation) {
        return evaluation->undecided || !evaluation->record || record_full(evaluation->record);
}

bool evaluation_undecided(struct evaluation *evaluation) {
        evaluation->undecided = true;
        return false;
}

bool matches(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct step step,
             struct marks *marks) {
        if (subschema->trivial)
                return true;
        struct record *record = evaluation->record;
        struct marks own;
        if (!record || !record->annotations)
                evaluation->record = NULL;
        size_t count = record ? record->count : 0;
        if (marks)
                marks_begin(&own, node, evaluation->scratch);
        bool good = evaluate(evaluation, subschema, node, step, marks ? &own : NULL);
        evaluation->record = record;
        if (record && !good)
                record->count = count;
        if (good && marks)
                marks_join(marks, &own);
        return good;
}

bool pattern_matches(struct evaluation *evaluation, const struct pattern *pattern, struct bytes text) {
        enum pattern_verdict verdict = pattern_search(pattern, text, evaluation->scratch);
        return verdict == PATTERN_UNDECIDED ? evaluation_undecided(evaluation) : verdict == PATTERN_MATCH;
}

static bool check_type(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        if (subschema->types & 1u << node->kind)
                return true;
        if (node->kind == JSON_NUMBER && (subschema->types & TYPE_INTEGER) &&
            (node->number == JSON_NUMBER_PLAIN || (!subschema->plain_integers && json_number_is_integer(json_text(node)))))
                return true;
        return FAIL("type");
}

static bool check_values(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        if (subschema->constant && !json_equal(subschema->constant, node))
                return FAIL("const");
        if (!subschema->values)
                return true;
        if (subschema->table)
                return value_table_has(evaluation->schema, subschema->table, node) || FAIL("enum");
        JSON_FOR_EACH(value, subschema->values)
                if (json_equal(value, node))
                        return true;
        return FAIL("enum");
}

static bool check_number(struct evaluation *evaluation, const struct number_rules *rules, const struct json *node) {
        struct bytes text = json_text(node);
        bool good = true;
        if (rules->minimum.data && json_number_compare(text, rules->minimum) < 0)
                good = FAIL("minimum");
        if (rules->maximum.data && json_number_compare(text, rules->maximum) > 0)
                good = FAIL("maximum");
        if (rules->above.data && json_number_compare(text, rules->above) <= 0)
                good = FAIL("exclusiveMinimum");
        if (rules->below.data && json_number_compare(text, rules->below) >= 0)
                good = FAIL("exclusiveMaximum");
        if (rules->multiple.data && !json_number_is_multiple(text, rules->multiple))
                good = FAIL("multipleOf");
        return good;
}

static bool check_string(struct evaluation *evaluation, const struct string_rules *rules, const struct json *node) {
        struct bytes text = json_text(node);
        bool good = true;
        if (rules->least || rules->most != UINT64_MAX) {
                size_t length = utf8_count(text);
                if (length < rules->least)
                        good = FAIL("minLength");
                if (length > rules->most)
                        good = FAIL("maxLength");
        }
        if (rules->pattern && !pattern_matches(evaluation, rules->pattern, text))
                good = FAIL("pattern");
        if (rules->format && (good || !enough(evaluation))) {
                enum format_verdict verdict = format_check(rules->format, text, evaluation->scratch);
                if (verdict == FORMAT_UNDECIDED)
                        return evaluation_undecided(evaluation);
                if (verdict == FORMAT_INVALID)
                        good = FAIL("format");
        }
        if ((rules->base64 || rules->json) && (good || !enough(evaluation))) {
                const char *keyword = content_failure(rules, text, evaluation->scratch);
                if (keyword)
                        good = FAIL(keyword);
        }
        return good;
}

// Evaluates one branch of anyOf or oneOf with its failures noted behind `*end`, of which the nearest branch's are kept.
static bool try_branch(struct evaluation *evaluation, const struct subschema *branch, const struct json *node, struct step step,
                       struct marks *marks, size_t start, size_t *end) {
        struct record *record = evaluation->record;
        struct marks own;
        if (!record)
                return matches(evaluation, branch, node, step, marks);
        if (marks)
                marks_begin(&own, node, evaluation->scratch);
        bool good = evaluate(evaluation, branch, node, step, marks ? &own : NULL);
        if (good && marks)
                marks_join(marks, &own);
        if (good || record->every_branch)
                *end = record->count;
        else
                *end = record->count = record_choose(record, start, *end, node);
        return good;
}

// How many of the branches match; stops where the answer is known and nobody looks on. The failures of those that do not are
// noted, and forgotten if enough of them match.
static size_t count_branches(struct evaluation *evaluation, struct schema_list branches, const struct json *node,
                             const char *keyword, size_t enough_of_them, struct marks *marks) {
        struct record *record = evaluation->record;
        bool all = marks || (record && (record->annotations || evaluation->schema->personal));
        size_t start = record ? record->count : 0, end = start, found = 0;
        for (size_t i = 0; i < branches.count && (found < enough_of_them || all) && !evaluation->undecided; i++)
                found += try_branch(evaluation, branches.items[i], node, step_index(keyword, i), marks, start, &end);
        return found;
}

static void forget_failures(struct evaluation *evaluation, size_t start) {
        struct record *record = evaluation->record;
        size_t kept = start;
        if (!record)
                return;
        for (size_t i = start; i < record->count; i++)
                if (!record->units[i].error)
                        record->units[kept++] = record->units[i];
        record->count = kept;
}

static bool check_branches(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                           struct marks *marks) {
        struct record *record = evaluation->record;
        bool good = true;
        size_t start = record ? record->count : 0;
        if (subschema->any.count) {
                good = false;
                if (record)                                     // the sentence comes before its reasons
                        IGNORE(FAIL("anyOf"));
                if (count_branches(evaluation, subschema->any, node, "anyOf", 1, marks)) {
                        forget_failures(evaluation, start);
                        good = true;
                }
        }
        if (subschema->one.count && (good || !enough(evaluation))) {
                start = record ? record->count : 0;
                if (record)
                        IGNORE(FAIL("oneOf"));
                size_t found = count_branches(evaluation, subschema->one, node, "oneOf", 2, marks);
                if (found)
                        forget_failures(evaluation, start);
                if (found != 1)
                        good = false;
                if (found > 1)
                        IGNORE(record_failure(evaluation, node, "oneOf", BYTES("more")));       // false, as good is
        }
        return good && !evaluation->undecided;
}

// Where a dynamic reference leads: to the outermost resource on the way that has the anchor.
static const struct subschema *dynamic_target(const struct evaluation *evaluation, const struct subschema *subschema) {
        const struct subschema *target = subschema->other_reference;
        if (!subschema->dynamic)
                return target;
        for (const struct frame *frame = evaluation->frame; frame; frame = frame->scope) {
                const struct anchor *anchor = frame->subschema->resource->anchors;
                while (anchor && !(anchor->dynamic && bytes_equal(anchor->name, subschema->dynamic->name)))
                        anchor = anchor->next;
                if (anchor)
                        target = anchor->subschema;
        }
        return target;
}

static bool check_condition(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                            struct marks *marks) {
        bool annotates = evaluation->record && evaluation->record->annotations;
        if (!subschema->then && !subschema->otherwise && !marks && !annotates)
                return true;
        bool condition = matches(evaluation, subschema->condition, node, step_to("if"), marks);
        const struct subschema *branch = condition ? subschema->then : subschema->otherwise;
        return !evaluation->undecided &&
               (!branch || evaluate(evaluation, branch, node, step_to(condition ? "then" : "else"), marks));
}

static bool check_logic(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                        struct marks *marks) {
        bool good = true;
        if (subschema->reference && !evaluate(evaluation, subschema->reference, node, step_to("$ref"), marks))
                good = false;
        if (subschema->other_reference && (good || !enough(evaluation)) &&
            !evaluate(evaluation, dynamic_target(evaluation, subschema), node, step_to(subschema->other_keyword), marks))
                good = false;
        for (size_t i = 0; i < subschema->all.count && (good || !enough(evaluation)); i++)
                if (!evaluate(evaluation, subschema->all.items[i], node, step_index("allOf", i), marks))
                        good = false;
        if (!good && enough(evaluation))
                return false;
        if ((subschema->any.count || subschema->one.count) && !check_branches(evaluation, subschema, node, marks))
                good = false;
        if (subschema->not && (good || !enough(evaluation))) {
                struct record *record = evaluation->record;
                evaluation->record = NULL;                      // nothing inside is told
                bool found = matches(evaluation, subschema->not, node, step_to("not"), NULL);
                evaluation->record = record;
                if (found)
                        good = FAIL("not");
        }
        if (subschema->condition && (good || !enough(evaluation)) && !check_condition(evaluation, subschema, node, marks))
                good = false;
        return good && !evaluation->undecided;
}

static bool check_kind(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                       struct marks *marks) {
        switch (json_type(node)) {
        case JSON_NUMBER:
                return !subschema->number || check_number(evaluation, subschema->number, node);
        case JSON_STRING:
                return !subschema->string || check_string(evaluation, subschema->string, node);
        case JSON_ARRAY:
                return !subschema->array || check_array(evaluation, subschema, node, marks);
        case JSON_OBJECT:
                return !subschema->object || check_object(evaluation, subschema, node, marks);
        case JSON_NULL:
        case JSON_BOOL:
        default:
                return true;
        }
}

static bool check_all(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                      struct marks *marks) {
        if (subschema->never)
                return FAIL("false");
        bool good = !subschema->types || check_type(evaluation, subschema, node);
        if ((subschema->constant || subschema->values) && (good || !enough(evaluation)))
                good = check_values(evaluation, subschema, node) && good;
        if (good || !enough(evaluation))
                good = check_kind(evaluation, subschema, node, marks) && good;
        if (subschema->logic && (good || !enough(evaluation)))
                good = check_logic(evaluation, subschema, node, marks) && good;
        return good;
}

// With an unevaluated… in the subschema: what its own keywords evaluate is marked apart, since a neighbour's does not count.
static bool check_with_marks(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                             struct marks *marks) {
        struct marks own;
        marks_begin(&own, node, evaluation->scratch);
        bool good = check_all(evaluation, subschema, node, &own);
        if (good || !enough(evaluation))
                good = check_unevaluated(evaluation, subschema, node, &own) && good;
        if (good && marks)
                marks_join(marks, &own);
        return good;
}

// Whether a verdict is all that comes of an evaluation, wherever it was come to.
static bool can_remember(const struct evaluation *evaluation, const struct marks *marks) {
        const struct record *record = evaluation->record;
        return !marks && !evaluation->schema->dynamic && !(record && (record->annotations || evaluation->schema->personal));
}

bool evaluate(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node, struct step step,
              struct marks *marks) {
        struct record *record = evaluation->record;
        if (subschema->trivial && !record)
                return true;
        bool remembers = evaluation->steps < evaluation->steps_before_memo && can_remember(evaluation, marks);
        enum memo_answer known = remembers ? memo_find(evaluation, subschema, node) : MEMO_UNKNOWN;
        if (known == MEMO_GOOD || (known == MEMO_BAD && !record))               // with a record, reasons are wanted
                return known == MEMO_GOOD;
        if (evaluation->depth == SCHEMA_DEPTH_MAX || evaluation->steps == 0)
                return evaluation_undecided(evaluation);
        evaluation->depth++;
        evaluation->steps--;
        struct frame *outer = evaluation->frame;
        struct frame frame = {.outer = outer, .node = node, .subschema = subschema, .step = step};
        if (outer)
                frame.scope = outer->subschema->resource == subschema->resource ? outer->scope : outer;
        evaluation->frame = &frame;
        size_t count = record ? record->count : 0;
        if (record && subschema->personal)
                record_personal(evaluation, node);
        bool looks = (subschema->other_members && json_is(node, JSON_OBJECT)) ||
                     (subschema->other_elements && json_is(node, JSON_ARRAY));
        bool good = looks ? check_with_marks(evaluation, subschema, node, marks) : check_all(evaluation, subschema, node, marks);
        good = good && !evaluation->undecided;
        if (record && good && record->annotations)
                record_annotations(evaluation, subschema, node);
        if (record && !good && record->annotations && !evaluation->undecided) {
                size_t kept = count;                            // a subschema that fails has no annotations
                for (size_t i = count; i < record->count; i++)
                        if (record->units[i].error)
                                record->units[kept++] = record->units[i];
                record->count = kept;
        }
        evaluation->frame = outer;
        evaluation->depth--;
        if (remembers && known == MEMO_UNKNOWN && !evaluation->undecided)
                memo_keep(evaluation, subschema, node, good);
        return good;
}

struct evaluation evaluation_begin(const struct schema *schema, const struct json *instance, struct arena *scratch) {
        uint64_t steps = SCHEMA_STEPS_MIN + (uint64_t)SCHEMA_STEPS_PER_NODE * instance->span;
        return (struct evaluation){
                .schema = schema, .scratch = scratch, .root = instance, .steps = steps,
                .steps_before_memo = steps - 512 - 16 * (uint64_t)instance->span,
        };
}

enum schema_verdict schema_verdict(const struct schema *schema, const struct json *instance, struct arena *scratch) {
        struct evaluation evaluation = evaluation_begin(schema, instance, scratch);
        bool good = evaluate(&evaluation, schema->root, instance, step_to(NULL), NULL);
        return evaluation.undecided ? SCHEMA_UNDECIDED : good ? SCHEMA_VALID : SCHEMA_INVALID;
}
