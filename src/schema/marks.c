// SPDX-License-Identifier: Apache-2.0
// Marks (which members or elements were evaluated), and what unevaluatedProperties and unevaluatedItems make of them.
#include "schema/schema_priv.h"

void marks_begin(struct marks *marks, const struct json *node, struct arena *scratch) {
        bool container = json_is(node, JSON_ARRAY) || json_is(node, JSON_OBJECT);
        marks->words = container ? json_count(node) / 64 + 1 : 1;
        marks->room[0] = marks->room[1] = 0;
        marks->scratch = scratch;
        marks->bits = marks->words <= ARRAY_SIZE(marks->room) ? marks->room : NULL;
}

void marks_make(struct marks *marks) {
        marks->bits = arena_alloc(marks->scratch, marks->words * sizeof(uint64_t));
}

void marks_add_all(struct marks *marks) {
        if (!marks->bits)
                marks_make(marks);
        memset(marks->bits, 0xFF, marks->words * sizeof(uint64_t));
}

void marks_join(struct marks *marks, const struct marks *others) {
        ASSERT(marks->words == others->words);
        if (!marks->bits)
                marks->bits = others->bits;
        if (!others->bits || marks->bits == others->bits)
                return;
        for (size_t i = 0; i < marks->words; i++)
                marks->bits[i] |= others->bits[i];
}

static bool check_one(struct evaluation *evaluation, const struct subschema *other, const struct json *node, const char *keyword,
                      struct step step) {
        if (other->never)
                return record_failure(evaluation, node, keyword, (struct bytes){0});
        return evaluate(evaluation, other, node, step, NULL);
}

bool check_unevaluated(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node,
                       struct marks *marks) {
        bool good = true;
        size_t index = 0;
        if (json_is(node, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        if (!marks_has(marks, index++) && !check_one(evaluation, subschema->other_members, value,
                                                                     "unevaluatedProperties", step_to("unevaluatedProperties")))
                                good = false;
                        if (!good && (evaluation->undecided || !evaluation->record || record_full(evaluation->record)))
                                return false;
                }
        } else {
                JSON_FOR_EACH(element, node) {
                        if (!marks_has(marks, index++) && !check_one(evaluation, subschema->other_elements, element,
                                                                     "unevaluatedItems", step_to("unevaluatedItems")))
                                good = false;
                        if (!good && (evaluation->undecided || !evaluation->record || record_full(evaluation->record)))
                                return false;
                }
        }
        marks_add_all(marks);
        return good;
}
