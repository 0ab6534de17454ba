// SPDX-License-Identifier: Apache-2.0
// Dynamic references are made plain where evaluation can only have come by one way: a reference in a resource that has the anchor
// itself leads to the outermost resource on the way that has it. If from the root, through what has it not, only one such resource
// can be entered, that is the outermost one, always. And where there is one such resource in all, no other can be meant.
#include "schema/schema_priv.h"

#include <stdlib.h>

struct search {
        struct bytes name;
        const struct compiler *compiler;
        unsigned char *seen;                    // by id
        const struct subschema **queue;
        size_t count;
        const struct resource *entered;         // the only one so far
        bool several;
};

static const struct anchor *dynamic_anchor(const struct resource *resource, struct bytes name) {
        const struct anchor *anchor = anchor_find(resource, name);
        return anchor && anchor->dynamic ? anchor : NULL;
}

static void reach(struct search *search, const struct subschema *subschema) {
        if (!subschema || search->seen[subschema->id])
                return;
        search->seen[subschema->id] = 1;
        if (!dynamic_anchor(subschema->resource, search->name)) {
                search->queue[search->count++] = subschema;
                return;
        }
        search->several |= search->entered && search->entered != subschema->resource;
        search->entered = subschema->resource;
}

static void reach_list(struct search *search, const struct schema_list *list) {
        for (size_t i = 0; i < list->count; i++)
                reach(search, list->items[i]);
}

// Every anchor of that name: where the reference may lead.
static void reach_anchors(struct search *search, struct bytes name) {
        for (const struct resource *resource = search->compiler->resources; resource; resource = resource->next) {
                const struct anchor *anchor = dynamic_anchor(resource, name);
                if (anchor)
                        reach(search, anchor->subschema);
        }
}

static void reach_members(struct search *search, const struct object_rules *rules) {
        for (size_t i = 0; i < rules->property_count; i++)
                reach(search, rules->properties[i].schema);
        for (size_t i = 0; i < rules->pattern_count; i++)
                reach(search, rules->patterns[i].schema);
        for (size_t i = 0; i < rules->dependency_count; i++)
                reach(search, rules->dependencies[i].schema);
        reach(search, rules->additional);
        reach(search, rules->names);
}

static void reach_below(struct search *search, const struct subschema *subschema) {
        reach(search, subschema->reference);
        reach(search, subschema->other_reference);
        if (subschema->dynamic)
                reach_anchors(search, subschema->dynamic->name);
        reach_list(search, &subschema->all);
        reach_list(search, &subschema->any);
        reach_list(search, &subschema->one);
        reach(search, subschema->not);
        for (size_t i = 0; i < ARRAY_SIZE(subschema->conditional); i++)
                reach(search, subschema->conditional[i]);
        reach(search, subschema->other_members);
        reach(search, subschema->other_elements);
        if (subschema->array) {
                reach_list(search, &subschema->array->prefix);
                reach(search, subschema->array->rest);
                reach(search, subschema->array->contains);
        }
        if (subschema->object)
                reach_members(search, subschema->object);
}

// The only resource with the anchor that can be entered first, or NULL.
static const struct resource *only_entry(const struct compiler *compiler, struct bytes name) {
        size_t count = compiler->schema->subschema_count;
        struct search search = {.name = name, .compiler = compiler, .seen = must_calloc(count, 1),
                                .queue = must_calloc(count, sizeof *search.queue)};
        reach(&search, compiler->schema->root);
        for (size_t i = 0; i < search.count && !search.several; i++)
                reach_below(&search, search.queue[i]);
        free(search.seen);
        free(search.queue);
        return search.several ? NULL : search.entered;
}

static size_t count_anchors(const struct compiler *compiler, struct bytes name) {
        size_t count = 0;
        for (const struct resource *resource = compiler->resources; resource; resource = resource->next)
                count += dynamic_anchor(resource, name) != NULL;
        return count;
}

static void note(struct schema *schema, struct bytes name) {
        size_t known = MIN(schema->dynamic_name_count, (size_t)DYNAMIC_NAMES_MAX);
        schema->dynamic = true;
        for (size_t i = 0; i < known; i++)
                if (bytes_equal(schema->dynamic_names[i], name))
                        return;
        if (known < DYNAMIC_NAMES_MAX)
                schema->dynamic_names[known] = name;
        schema->dynamic_name_count = known + 1;
}

void settle_dynamic(struct compiler *compiler) {
        struct bytes last = {0};
        const struct resource *entry = NULL;
        for (size_t i = 0; i < compiler->pending_count; i++) {
                struct subschema *subschema = compiler->pending[i].subschema;
                if (!subschema->dynamic)
                        continue;
                struct bytes name = subschema->dynamic->name;
                if (!last.data || !bytes_equal(last, name))
                        entry = only_entry(compiler, name);
                last = name;
                if (count_anchors(compiler, name) == 1)
                        subschema->settled = subschema->dynamic->subschema;
                else if (entry && dynamic_anchor(subschema->resource, name))
                        subschema->settled = dynamic_anchor(entry, name)->subschema;
        }
        for (size_t i = 0; i < compiler->pending_count; i++) {
                struct subschema *subschema = compiler->pending[i].subschema;
                if (subschema->settled) {
                        subschema->other_reference = subschema->settled;
                        subschema->dynamic = NULL;
                }
                if (subschema->dynamic)
                        note(compiler->schema, subschema->dynamic->name);
        }
}
