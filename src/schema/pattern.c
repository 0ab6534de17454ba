// SPDX-License-Identifier: Apache-2.0
// Chooses for each pattern the fastest way to search that fits it. See pattern_priv.h.
#include "schema/pattern.h"

#include <stdlib.h>

#include "schema/pattern_priv.h"

enum way { WAY_RUN, WAY_TABLE, WAY_SIMULATE, WAY_BACKTRACK };
enum { PARTS_MAX = 16, TABLE_BYTES_LEAST = 16384, TABLE_BYTES_PER_BYTE = 256, TABLE_BYTES_MOST = 256 << 10 };

struct part {
        enum way way;
        bool negated;                   // must not match
        const struct run *run;
        const struct table *table;
        struct automaton automaton;
};

struct pattern {
        struct arena arena;
        struct part parts[PARTS_MAX];   // all have to agree
        size_t count, memory;
};

struct compiler {
        struct pattern *pattern;
        const struct tree *tree;
        struct arena *scratch;
        struct error *error;
        size_t table_bytes;
};

static bool has_look(const struct node *node) {
        for (const struct node *child = node->child; child; child = child->next)
                if (has_look(child))
                        return true;
        return node->kind == NODE_LOOK;
}

static bool add_part(struct compiler *compiler, const struct node *root, bool negated) {
        struct pattern *pattern = compiler->pattern;
        struct part *part = &pattern->parts[pattern->count++];
        part->negated = negated;
        if (!compiler->tree->back && run_compile(root, &pattern->arena, &part->run)) {
                part->way = WAY_RUN;
                return true;
        }
        part->way = compiler->tree->back ? WAY_BACKTRACK : WAY_SIMULATE;
        if (!automaton_compile(compiler->tree, root, compiler->tree->back, &pattern->arena, &part->automaton, compiler->error))
                return false;
        const struct automaton *automaton = &part->automaton;
        pattern->memory += automaton->program.count * sizeof(struct instruction) + automaton->set_count * automaton->words * 8 +
                           automaton->classes.wide_count * sizeof(struct class_range);
        for (size_t i = 0; i < automaton->look_count; i++)
                pattern->memory += automaton->looks[i].program.count * sizeof(struct instruction);
        if (compiler->tree->back || has_look(root))
                return true;
        part->table = table_compile(automaton, compiler->table_bytes, &pattern->arena);
        if (part->table) {
                part->way = WAY_TABLE;
                pattern->memory += compiler->table_bytes;
        }
        return true;
}

// first and second, one after the other.
static const struct node *pair(struct compiler *compiler, const struct node *first, const struct node *second) {
        struct node *sequence = arena_alloc(compiler->scratch, sizeof *sequence);
        struct node *copies = arena_alloc(compiler->scratch, 2 * sizeof *copies);
        copies[0] = *first;
        copies[1] = *second;
        copies[0].next = &copies[1];
        copies[1].next = NULL;
        *sequence = (struct node){.kind = NODE_SEQUENCE, .child = copies};
        return sequence;
}

// The body of a lookaround as one node.
static const struct node *body_of(struct compiler *compiler, const struct node *look) {
        struct node *group = arena_alloc(compiler->scratch, sizeof *group);
        *group = (struct node){.kind = NODE_GROUP, .child = look->child};
        return group;
}

// ^(?=A)(?!B)… : A and B begin where the text begins. …(?<!C)$ : C ends where the text ends. They are patterns of their own.
static bool add_parts(struct compiler *compiler, struct node *root) {
        struct node *first = root->kind == NODE_SEQUENCE ? root->child : root, *last = first, *next;
        while (last->next)
                last = last->next;
        while (first->kind == NODE_START && (next = first->next) && next->kind == NODE_LOOK && !next->behind &&
               compiler->pattern->count < PARTS_MAX - 1) {
                if (!add_part(compiler, pair(compiler, first, body_of(compiler, next)), next->negated))
                        return false;
                first->next = next->next;
                if (next == last)
                        last = first;
        }
        while (last->kind == NODE_END && first != last && compiler->pattern->count < PARTS_MAX - 1) {
                struct node **link = &first;
                while ((*link)->next != last)
                        link = &(*link)->next;
                if ((*link)->kind != NODE_LOOK || !(*link)->behind || *link == first)
                        break;
                if (!add_part(compiler, pair(compiler, body_of(compiler, *link), last), (*link)->negated))
                        return false;
                *link = last;
        }
        return add_part(compiler, root, false);
}

bool pattern_compile(struct bytes source, struct pattern **ret_pattern, struct error *error) {
        CLEANUP(arena_free) struct arena scratch = {0};
        struct tree tree;
        if (!pattern_parse(source, &scratch, &tree, error))
                return false;
        struct pattern *pattern = must_calloc(1, sizeof *pattern);
        struct compiler compiler = {pattern, &tree, &scratch, error, 0};
        compiler.table_bytes = MIN(TABLE_BYTES_LEAST + source.size * TABLE_BYTES_PER_BYTE, (size_t)TABLE_BYTES_MOST);
        bool good = tree.look && !tree.back ? add_parts(&compiler, tree.root) : add_part(&compiler, tree.root, false);
        if (!good) {
                pattern_free(pattern);
                return false;
        }
        pattern->memory += sizeof *pattern;
        *ret_pattern = pattern;
        return true;
}

void pattern_free(struct pattern *pattern) {
        if (!pattern)
                return;
        arena_free(&pattern->arena);
        free(pattern);
}

enum pattern_verdict pattern_check(struct bytes source, struct arena *scratch) {
        struct tree tree;
        struct error error;
        struct arena_mark mark = arena_mark(scratch);
        bool parsed = pattern_parse(source, scratch, &tree, &error);
        arena_rewind(scratch, mark);
        if (parsed || error.code == ERROR_UNSUPPORTED)
                return PATTERN_MATCH;
        return error.code == ERROR_INVALID ? PATTERN_NO_MATCH : PATTERN_UNDECIDED;
}

size_t pattern_memory(const struct pattern *pattern) {
        return pattern->memory;
}

// What the search takes of `scratch` is given back when it ends.
static enum pattern_verdict part_search_with(const struct part *part, struct bytes text, struct arena *scratch) {
        struct arena_mark mark = arena_mark(scratch);
        enum pattern_verdict verdict = part->way == WAY_SIMULATE ? automaton_simulate(&part->automaton, text, scratch)
                                                                 : automaton_backtrack(&part->automaton, text, scratch);
        arena_rewind(scratch, mark);
        return verdict;
}

static enum pattern_verdict part_search(const struct part *part, struct bytes text, struct arena *scratch) {
        switch (part->way) {
        case WAY_RUN:
                return run_search(part->run, text) ? PATTERN_MATCH : PATTERN_NO_MATCH;
        case WAY_TABLE:
                return table_search(part->table, &part->automaton.classes, text) ? PATTERN_MATCH : PATTERN_NO_MATCH;
        case WAY_SIMULATE:
        case WAY_BACKTRACK:
                return part_search_with(part, text, scratch);
        }
        UNREACHABLE("every way is above");
}

enum pattern_verdict pattern_search(const struct pattern *pattern, struct bytes text, struct arena *scratch) {
        enum pattern_verdict verdict = PATTERN_MATCH;
        if (!text.data)
                text.data = "";
        for (size_t i = 0; i < pattern->count; i++) {
                const struct part *part = &pattern->parts[i];
                enum pattern_verdict found = part_search(part, text, scratch);
                if (found == PATTERN_UNDECIDED)
                        verdict = PATTERN_UNDECIDED;
                else if ((found == PATTERN_MATCH) == part->negated)
                        return PATTERN_NO_MATCH;
        }
        return verdict;
}
