// SPDX-License-Identifier: Apache-2.0
// Dynamic references are made plain where evaluation can only have come by one way: a reference in a resource that has the anchor
// itself leads to the outermost resource on the way that has it. If from the root, through what has it not, only one such resource
// can be entered, that is the outermost one, always. And where there is one such resource in all, no other can be meant. One search for
// each name; those beyond STEPS_MAX are not made, and the references stay as they are: slower to evaluate, and no less right.
#include "schema/schema_priv.h"

enum { STEPS_MAX = 20000000 };                  // subschemas, of all searches together

struct search {
        struct compiler *compiler;
        uint32_t number;                        // from 1 on
        uint32_t *seen;                         // by id: the number of the last search that did
        const struct subschema **queue;
        size_t count;
        const struct resource *entered;         // the only one so far
        bool several;
        uint64_t looks_before;                  // of the compiler
};

static const struct anchor *dynamic_anchor(const struct compiler *compiler, const struct resource *resource, struct bytes name) {
        const struct anchor *anchor = anchor_find(compiler, resource, name);
        return anchor && anchor->dynamic ? anchor : NULL;
}

static void reach(struct search *search, const struct subschema *subschema) {
        search->compiler->schema->looks++;
        if (!subschema || search->seen[subschema->id] == search->number)
                return;
        search->seen[subschema->id] = search->number;
        if (subschema->resource->search != search->number) {
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
static void reach_anchors(struct search *search, struct dynamic_name *name) {
        if (name->search == search->number)
                return;
        name->search = search->number;
        for (const struct anchor *anchor = name->anchors; anchor; anchor = anchor->same_name)
                reach(search, anchor->subschema);
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
                reach_anchors(search, subschema->dynamic->dynamic);
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
static const struct resource *only_entry(struct search *search, const struct dynamic_name *name) {
        search->number++;
        search->count = 0;
        search->entered = NULL;
        search->several = false;
        for (struct anchor *anchor = name->anchors; anchor; anchor = anchor->same_name)
                anchor->resource->search = search->number;
        reach(search, search->compiler->schema->root);
        for (size_t i = 0; i < search->count && !search->several; i++)
                reach_below(search, search->queue[i]);
        return search->several ? NULL : search->entered;
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

// Evaluation looks at the anchors of each resource on its way: only at those that it may be led to.
static void keep_needed_anchors(struct compiler *compiler) {
        for (struct resource *resource = compiler->resources; resource; resource = resource->next) {
                struct anchor **link = &resource->anchors;
                while (*link) {
                        if ((*link)->dynamic && (*link)->dynamic->open)
                                link = &(*link)->next;
                        else
                                *link = (*link)->next;
                }
        }
}

static void settle(struct search *search, struct subschema *subschema) {
        struct dynamic_name *name = subschema->dynamic->dynamic;
        uint64_t *looks = &search->compiler->schema->looks;
        if (name->count == 1) {
                subschema->settled = subschema->dynamic->subschema;
                return;
        }
        const struct anchor *own = dynamic_anchor(search->compiler, subschema->resource, name->name);
        if (!own)
                return;
        if (!name->searched && *looks - search->looks_before < STEPS_MAX)
                name->entry = only_entry(search, name);
        name->searched = true;
        if (name->entry)
                subschema->settled = dynamic_anchor(search->compiler, name->entry, name->name)->subschema;
}

void settle_dynamic(struct compiler *compiler) {
        size_t count = compiler->schema->subschema_count;
        struct search search = {.compiler = compiler, .looks_before = compiler->schema->looks};
        search.seen = arena_alloc(&compiler->arena, count * sizeof *search.seen);
        search.queue = arena_alloc(&compiler->arena, count * sizeof *search.queue);
        for (size_t i = 0; i < compiler->pending_count; i++)
                if (compiler->pending[i].subschema->dynamic)
                        settle(&search, compiler->pending[i].subschema);
        for (size_t i = 0; i < compiler->pending_count; i++) {
                struct subschema *subschema = compiler->pending[i].subschema;
                if (subschema->settled) {
                        subschema->other_reference = subschema->settled;
                        subschema->dynamic = NULL;
                }
                if (subschema->dynamic) {
                        subschema->dynamic->dynamic->open = true;
                        note(compiler->schema, subschema->dynamic->name);
                }
        }
        keep_needed_anchors(compiler);
}
