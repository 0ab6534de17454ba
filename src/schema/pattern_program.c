// SPDX-License-Identifier: Apache-2.0
// From a tree to programs. For simulation, each lookaround becomes a program of its own: lookahead one that runs from the end of the
// text to its beginning and says where its body could begin, lookbehind one that runs forward and says where its body could end; both
// know so of every position in one pass. For backtracking everything is one program that saves what the groups capture.
#include "schema/pattern_priv.h"

#include <stdlib.h>

struct emitter {
        struct arena *arena;            // of the result
        struct error *error;
        struct instruction *code;       // malloc'ed
        size_t count, capacity;
        const struct set **sets;        // malloc'ed; shared by all programs
        size_t *slots;                  // malloc'ed: hash table of set number + 1
        size_t set_count, slot_count;
        struct look *looks;             // malloc'ed
        size_t look_count, look_capacity;
        size_t total;                   // instructions of all programs
        size_t largest;
        bool backtrack, backward, uses_word;
        uint32_t next_slot;
};

static bool emit_node(struct emitter *emitter, const struct node *node);

static bool emit(struct emitter *emitter, enum op op, bool flag, uint32_t x, uint32_t y) {
        if (emitter->total == PATTERN_PROGRAM_MAX)
                return error_set(emitter->error, ERROR_LIMIT, "pattern: larger than %d instructions with its repetitions written out",
                                 PATTERN_PROGRAM_MAX);
        if (emitter->count == emitter->capacity) {
                emitter->capacity = emitter->capacity * 2 + 32;
                emitter->code = must_realloc(emitter->code, emitter->capacity * sizeof *emitter->code);
        }
        emitter->code[emitter->count++] = (struct instruction){(uint8_t)op, flag, emitter->backward, x, y};
        emitter->total++;
        return true;
}

static uint64_t set_hash(const struct set *set) {
        uint64_t hash = 14695981039346656037u;
        for (size_t i = 0; i < set->count; i++)
                hash = ((hash ^ set->ranges[i].first) * 1099511628211u ^ set->ranges[i].last) * 1099511628211u;
        return hash ^ hash >> 29;
}

static void grow_sets(struct emitter *emitter) {
        size_t slot_count = emitter->slot_count ? emitter->slot_count * 2 : 64;
        size_t *slots = must_calloc(slot_count, sizeof *slots);
        for (size_t i = 0; i < emitter->set_count; i++) {
                size_t at = set_hash(emitter->sets[i]) & (slot_count - 1);
                while (slots[at])
                        at = (at + 1) & (slot_count - 1);
                slots[at] = i + 1;
        }
        free(emitter->slots);
        emitter->slots = slots;
        emitter->slot_count = slot_count;
        emitter->sets = must_realloc(emitter->sets, slot_count * sizeof(struct set *));
}

static uint32_t set_number(struct emitter *emitter, const struct set *set) {
        if (emitter->set_count * 2 >= emitter->slot_count)
                grow_sets(emitter);
        size_t at = set_hash(set) & (emitter->slot_count - 1);
        for (; emitter->slots[at]; at = (at + 1) & (emitter->slot_count - 1))
                if (set_equal(emitter->sets[emitter->slots[at] - 1], set))
                        return (uint32_t)emitter->slots[at] - 1;
        emitter->sets[emitter->set_count] = set;
        emitter->slots[at] = ++emitter->set_count;
        return (uint32_t)emitter->set_count - 1;
}

static bool emit_sequence(struct emitter *emitter, const struct node *first) {
        if (!emitter->backward) {
                for (const struct node *child = first; child; child = child->next)
                        if (!emit_node(emitter, child))
                                return false;
                return true;
        }
        size_t count = 0;
        for (const struct node *child = first; child; child = child->next)
                count++;
        CLEANUP(free_pointer) const struct node **children = must_malloc(count * sizeof *children);
        for (const struct node *child = first; child; child = child->next)
                children[--count] = child;
        for (const struct node *child = first; child; child = child->next)
                if (!emit_node(emitter, children[count++]))
                        return false;
        return true;
}

static bool emit_choice(struct emitter *emitter, const struct node *first) {
        size_t last_jump = SIZE_MAX;
        for (const struct node *child = first; child->next; child = child->next) {
                size_t split = emitter->count;
                if (!emit(emitter, OP_SPLIT, false, (uint32_t)split + 1, 0) || !emit_node(emitter, child))
                        return false;
                size_t jump = emitter->count;
                if (!emit(emitter, OP_JUMP, false, (uint32_t)last_jump, 0))      // a chain, until the end is known
                        return false;
                last_jump = jump;
                emitter->code[split].y = (uint32_t)emitter->count;
                first = child->next;
        }
        if (!emit_node(emitter, first))
                return false;
        while (last_jump != SIZE_MAX && last_jump != UINT32_MAX) {
                size_t before = emitter->code[last_jump].x;
                emitter->code[last_jump].x = (uint32_t)emitter->count;
                last_jump = before;
        }
        return true;
}

// The body once; of backtracking, with the groups inside forgotten first, and refused when it took nothing (RepeatMatcher, 22.2.2.3.1).
static bool emit_body(struct emitter *emitter, const struct node *repeat, bool needed) {
        uint32_t slot = 0;
        if (!emitter->backtrack)
                return emit_node(emitter, repeat->child);
        if (!needed) {
                slot = emitter->next_slot++;
                if (!emit(emitter, OP_SAVE, false, slot, 0))
                        return false;
        }
        if (repeat->first_group < repeat->end_group &&
            !emit(emitter, OP_CLEAR, false, repeat->first_group * 2, repeat->end_group * 2))
                return false;
        return emit_node(emitter, repeat->child) && (needed || emit(emitter, OP_CHECK, false, slot, 0));
}

// Sets where a SPLIT leads: into the body first, or around it first.
static void aim(struct emitter *emitter, size_t split, bool lazy, size_t out) {
        emitter->code[split].x = (uint32_t)(lazy ? out : split + 1);
        emitter->code[split].y = (uint32_t)(lazy ? split + 1 : out);
}

static bool emit_repeat(struct emitter *emitter, const struct node *node) {
        for (uint32_t i = 0; i < node->least; i++) {
                size_t before = emitter->count;
                if (!emit_body(emitter, node, true))
                        return false;
                if (emitter->count == before)
                        break;                  // nothing, however often
        }
        size_t start = emitter->count;
        if (node->most == REPEAT_ENDLESS) {
                if (!emit(emitter, OP_SPLIT, false, 0, 0) || !emit_body(emitter, node, false) ||
                    !emit(emitter, OP_JUMP, false, (uint32_t)start, 0))
                        return false;
                aim(emitter, start, node->lazy, emitter->count);
                return true;
        }
        size_t chain = SIZE_MAX;
        for (uint32_t i = node->least; i < node->most; i++) {
                size_t split = emitter->count;
                if (!emit(emitter, OP_SPLIT, false, 0, (uint32_t)chain) || !emit_body(emitter, node, false))
                        return false;
                chain = split;
                if (emitter->count == split + 1)
                        break;
        }
        for (uint32_t at = (uint32_t)chain; at != UINT32_MAX; ) {
                uint32_t before = emitter->code[at].y;
                aim(emitter, at, node->lazy, emitter->count);
                at = before;
        }
        return true;
}

static struct program take_program(struct emitter *emitter) {
        struct instruction *code = arena_alloc(emitter->arena, emitter->count * sizeof *code);
        memcpy(code, emitter->code, emitter->count * sizeof *code);
        emitter->largest = MAX(emitter->largest, emitter->count);
        return (struct program){code, emitter->count};
}

static bool emit_look_inline(struct emitter *emitter, const struct node *node) {
        bool backward = emitter->backward;
        size_t at = emitter->count;
        if (!emit(emitter, OP_LOOK, node->negated, 0, 0))
                return false;
        emitter->backward = node->behind;
        bool good = emit_node(emitter, node->child) && emit(emitter, OP_MATCH, false, 0, 0);
        emitter->backward = backward;
        emitter->code[at].x = (uint32_t)emitter->count;
        return good;
}

static bool emit_look(struct emitter *emitter, const struct node *node) {
        if (emitter->backtrack)
                return emit_look_inline(emitter, node);
        struct instruction *code = TAKE(emitter->code);
        size_t count = emitter->count, capacity = emitter->capacity;
        bool backward = emitter->backward;
        emitter->count = emitter->capacity = 0;
        emitter->backward = !node->behind;
        bool good = emit_node(emitter, node->child) && emit(emitter, OP_MATCH, false, 0, 0);
        struct look look = {good ? take_program(emitter) : (struct program){0}, node->behind};
        free(emitter->code);
        emitter->code = code;
        emitter->count = count;
        emitter->capacity = capacity;
        emitter->backward = backward;
        if (!good)
                return false;
        if (emitter->look_count == emitter->look_capacity) {
                emitter->look_capacity = emitter->look_capacity * 2 + 4;
                emitter->looks = must_realloc(emitter->looks, emitter->look_capacity * sizeof *emitter->looks);
        }
        emitter->looks[emitter->look_count++] = look;
        return emit(emitter, OP_LOOK, node->negated, (uint32_t)emitter->look_count - 1, 0);
}

static bool emit_group(struct emitter *emitter, const struct node *node) {
        if (!emitter->backtrack || !node->group)
                return emit_node(emitter, node->child);
        uint32_t first = node->group * 2 + emitter->backward, last = node->group * 2 + !emitter->backward;
        // What begins is kept in slots of its own until the group ends, so that a reference from inside sees the one before.
        uint32_t begin = emitter->next_slot++;
        return emit(emitter, OP_SAVE, false, begin, 0) && emit_node(emitter, node->child) &&
               emit(emitter, OP_SAVE, true, first, begin) && emit(emitter, OP_SAVE, false, last, 0);
}

static bool emit_node(struct emitter *emitter, const struct node *node) {
        switch (node->kind) {
        case NODE_EMPTY:
                return true;
        case NODE_SET:
                return node->set.count ? emit(emitter, OP_SET, false, set_number(emitter, &node->set), 0) :
                                         emit(emitter, OP_NEVER, false, 0, 0);
        case NODE_SEQUENCE:
                return emit_sequence(emitter, node->child);
        case NODE_CHOICE:
                return emit_choice(emitter, node->child);
        case NODE_REPEAT:
                return emit_repeat(emitter, node);
        case NODE_GROUP:
                return emit_group(emitter, node);
        case NODE_BACK:
                return emit(emitter, OP_BACK, false, node->group, 0);
        case NODE_LOOK:
                return emit_look(emitter, node);
        case NODE_START:
                return emit(emitter, OP_START, false, 0, 0);
        case NODE_END:
                return emit(emitter, OP_END, false, 0, 0);
        case NODE_WORD:
                emitter->uses_word = true;
                return emit(emitter, OP_WORD, node->negated, 0, 0);
        }
        UNREACHABLE("every kind of node is above");
}

static bool compile(struct emitter *emitter, const struct node *root, struct automaton *automaton) {
        if (!emit_node(emitter, root) || !emit(emitter, OP_MATCH, false, 0, 0))
                return false;
        automaton->program = take_program(emitter);
        automaton->uses_word = emitter->uses_word;
        automaton->slot_count = emitter->next_slot;
        automaton->largest = emitter->largest;
        if (emitter->look_count) {
                struct look *looks = arena_alloc(emitter->arena, emitter->look_count * sizeof *looks);
                memcpy(looks, emitter->looks, emitter->look_count * sizeof *looks);
                automaton->looks = looks;
                automaton->look_count = emitter->look_count;
        }
        if (emitter->uses_word)
                set_number(emitter, &set_word);
        return classes_compute(emitter->sets, emitter->set_count, emitter->arena, automaton, emitter->error);
}

bool automaton_compile(const struct tree *tree, const struct node *root, bool backtrack, struct arena *arena,
                       struct automaton *ret_automaton, struct error *error) {
        struct emitter emitter = {.arena = arena, .error = error, .backtrack = backtrack, .next_slot = tree->group_count * 2 + 2};
        struct automaton automaton = {0};
        bool good = compile(&emitter, root, &automaton);
        free(emitter.code);
        free(emitter.sets);
        free(emitter.slots);
        free(emitter.looks);
        if (good)
                *ret_automaton = automaton;
        return good;
}
