// SPDX-License-Identifier: Apache-2.0
// What unevaluatedProperties and unevaluatedItems leave alone: members and elements that a subschema at the same place describes. Of a
// claim everything that may describe one counts, whichever branch holds; of a goal only what does in any case. Either way less is
// proven, never more.
#include "schema/compatible_priv.h"

static void gather(struct proof *proof, struct cover *cover, const struct subschema *subschema, bool every, bool own);

static void gather_list(struct proof *proof, struct cover *cover, struct schema_list list, bool every) {
        for (size_t i = 0; i < list.count; i++)
                gather(proof, cover, list.items[i], every, false);
}

// Branches that may hold or not.
static void gather_branches(struct proof *proof, struct cover *cover, const struct subschema *subschema) {
        gather_list(proof, cover, subschema->any, true);
        gather_list(proof, cover, subschema->one, true);
        for (size_t i = 0; i < ARRAY_SIZE(subschema->conditional); i++)
                gather(proof, cover, subschema->conditional[i], true, false);
        for (size_t i = 0; subschema->object && i < subschema->object->dependency_count; i++)
                gather(proof, cover, subschema->object->dependencies[i].schema, true, false);
        cover->members |= subschema->dynamic != NULL;
        cover->elements |= subschema->dynamic != NULL;
}

static bool is_known(const struct cover *cover, const struct subschema *subschema) {
        for (size_t i = 0; i < cover->count; i++)
                if (cover->items[i] == subschema)
                        return true;
        return false;
}

static void gather(struct proof *proof, struct cover *cover, const struct subschema *subschema, bool every, bool own) {
        spend(proof, 1 + cover->count / 8);
        if (!subschema || is_known(cover, subschema))
                return;
        if (cover->count == cover->capacity) {
                cover->capacity = cover->capacity * 2 + 8;
                const struct subschema **grown = take(proof, cover->capacity * sizeof *grown);
                if (cover->count)
                        memcpy(grown, cover->items, cover->count * sizeof *grown);
                cover->items = grown;
        }
        cover->items[cover->count++] = subschema;
        const struct object_rules *object = subschema->object;
        const struct array_rules *array = subschema->array;
        cover->members |= (object && object->additional) || (!own && subschema->other_members);
        cover->elements |= (array && (array->rest || (every && array->contains))) || (!own && subschema->other_elements);
        cover->patterns += object ? object->pattern_count : 0;
        cover->names += object ? object->property_count : 0;
        cover->prefix = MAX(cover->prefix, array ? array->prefix.count : 0);
        gather(proof, cover, subschema->reference, every, false);
        if (!subschema->dynamic)
                gather(proof, cover, subschema->other_reference, every, false);
        gather_list(proof, cover, subschema->all, every);
        if (every)
                gather_branches(proof, cover, subschema);
}

struct cover cover_of(struct proof *proof, const struct subschema *subschema, bool every) {
        struct cover cover = {0};
        gather(proof, &cover, subschema, every, true);
        return cover;
}
