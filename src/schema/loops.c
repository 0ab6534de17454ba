// SPDX-License-Identifier: Apache-2.0
// A subschema that leads to itself without going deeper into the instance would never come to an end: refused when compiling.
// Dynamic references are followed to where they lead at first; where they lead otherwise, the depth of evaluation is the limit.
#include "schema/schema_priv.h"

enum { SCHEMA_CHAIN_MAX = 200 };

static bool find_loop(struct compiler *compiler, const struct subschema *subschema, unsigned depth);

static bool find_loop_in(struct compiler *compiler, struct schema_list list, unsigned depth) {
        for (size_t i = 0; i < list.count; i++)
                if (!find_loop(compiler, list.items[i], depth))
                        return false;
        return true;
}

static bool find_loop(struct compiler *compiler, const struct subschema *subschema, unsigned depth) {
        if (!subschema)
                return true;
        unsigned char *walk = &compiler->walk[subschema->id];
        if (*walk == WALK_NOW)
                return compile_wrong(compiler, subschema->source, ERROR_INVALID,
                                     "this schema leads back to itself without going deeper into the instance");
        if (*walk == WALK_DONE)
                return true;
        if (depth > SCHEMA_CHAIN_MAX)
                return compile_wrong(compiler, subschema->source, ERROR_LIMIT, "more than %d references in a row",
                                     SCHEMA_CHAIN_MAX);
        *walk = WALK_NOW;
        depth++;
        if (!find_loop(compiler, subschema->reference, depth) || !find_loop(compiler, subschema->other_reference, depth) ||
            !find_loop(compiler, subschema->not, depth) || !find_loop(compiler, subschema->condition, depth) ||
            !find_loop(compiler, subschema->then, depth) || !find_loop(compiler, subschema->otherwise, depth) ||
            !find_loop_in(compiler, subschema->all, depth) || !find_loop_in(compiler, subschema->any, depth) ||
            !find_loop_in(compiler, subschema->one, depth))
                return false;
        for (size_t i = 0; subschema->object && i < subschema->object->dependency_count; i++)
                if (!find_loop(compiler, subschema->object->dependencies[i].schema, depth))
                        return false;
        *walk = WALK_DONE;
        return true;
}

bool find_loops(struct compiler *compiler) {
        compiler->walk = must_calloc(compiler->schema->subschema_count, 1);
        for (size_t i = 0; i < compiler->schema->subschema_count; i++)
                if (!find_loop(compiler, compiler->made[i], 0))
                        return false;
        return true;
}
