// SPDX-License-Identifier: Apache-2.0
// A deterministic automaton made in advance: one step of a table for each code point. A state is the set of instructions that wait
// for the next code point, before what takes none is followed: that is done when the next code point is known, since \b depends on
// it. The beginning of the program belongs to every state: a match may begin anywhere. Two states are special, and end the search:
// from DEAD no match can be reached, ACCEPT is one.
#include "schema/pattern_priv.h"

#include <stdlib.h>

enum { DEAD, ACCEPT, FIRST };
enum next { NEXT_OTHER, NEXT_WORD, NEXT_END };          // what follows
enum { WORK_PER_BYTE = 16 };                            // steps of construction for each byte that the table may have

struct table {
        const uint16_t *next;           // [state << shift | class]; class `end` at the end of the text
        unsigned shift;
        uint16_t end, start;
};

struct state {
        uint32_t *list;                 // instructions, ascending
        size_t count;
        bool at_start, behind_word;
};

struct builder {
        const struct automaton *automaton;
        struct arena *scratch;
        struct state *states;
        uint32_t *slots;                // hash table of state number
        size_t state_count, state_limit, slot_mask;
        uint16_t *next;
        unsigned shift;
        uint32_t *list, *place;         // a sparse set for following
        uint32_t *kernel, *kernel_place;
        size_t count, kernel_count;
        const bool *word_class;
        size_t work;                    // left
        uint64_t dead_work;             // steps of find_dead, on top
};

static void add(uint32_t *list, uint32_t *place, size_t *count, uint32_t value) {
        if (place[value] < *count && list[place[value]] == value)
                return;
        place[value] = (uint32_t)*count;
        list[(*count)++] = value;
}

// Into builder->list; whether a match is reached.
static bool follow(struct builder *builder, const struct state *state, enum next next) {
        bool matched = false;
        builder->count = 0;
        add(builder->list, builder->place, &builder->count, 0);
        for (size_t i = 0; i < state->count; i++)
                add(builder->list, builder->place, &builder->count, state->list[i]);
        for (size_t i = 0; i < builder->count; i++) {
                uint32_t at = builder->list[i];
                const struct instruction *instruction = &builder->automaton->program.code[at];
                bool passes = false;
                if (instruction->op == OP_SPLIT || instruction->op == OP_JUMP) {
                        add(builder->list, builder->place, &builder->count, instruction->x);
                        if (instruction->op == OP_SPLIT)
                                add(builder->list, builder->place, &builder->count, instruction->y);
                } else if (instruction->op == OP_MATCH) {
                        matched = true;
                } else if (instruction->op == OP_START) {
                        passes = state->at_start;
                } else if (instruction->op == OP_END) {
                        passes = next == NEXT_END;
                } else if (instruction->op == OP_WORD) {
                        passes = (state->behind_word != (next == NEXT_WORD)) != instruction->flag;
                }
                if (passes)
                        add(builder->list, builder->place, &builder->count, at + 1);
        }
        builder->work -= MIN(builder->work, builder->count);
        return matched;
}

static int compare(const void *left, const void *right) {
        const uint32_t *a = left, *b = right;
        return (*a > *b) - (*a < *b);
}

static bool accepts_always(struct builder *builder, const struct state *state) {
        return follow(builder, state, NEXT_OTHER) && follow(builder, state, NEXT_END) &&
               (!builder->automaton->uses_word || follow(builder, state, NEXT_WORD));
}

// The number of the state with builder->kernel. False: too many.
static bool intern(struct builder *builder, bool at_start, bool behind_word, uint16_t *ret_number) {
        struct state state = {builder->kernel, builder->kernel_count, at_start, behind_word};
        uint64_t hash = 14695981039346656037u + at_start * 2u + behind_word;
        if (state.count)
                qsort(state.list, state.count, sizeof *state.list, compare);
        for (size_t i = 0; i < state.count; i++)
                hash = (hash ^ state.list[i]) * 1099511628211u;
        size_t slot = (hash ^ hash >> 31) & builder->slot_mask;
        for (; builder->slots[slot]; slot = (slot + 1) & builder->slot_mask) {
                const struct state *other = &builder->states[builder->slots[slot]];
                if (other->count == state.count && other->at_start == at_start && other->behind_word == behind_word &&
                    (state.count == 0 || memcmp(other->list, state.list, state.count * sizeof *state.list) == 0)) {
                        *ret_number = (uint16_t)builder->slots[slot];
                        return true;
                }
        }
        if (accepts_always(builder, &state)) {
                *ret_number = ACCEPT;
                return true;
        }
        if (builder->state_count == builder->state_limit)
                return false;
        state.list = arena_alloc(builder->scratch, (state.count + 1) * sizeof *state.list);
        if (state.count)
                memcpy(state.list, builder->kernel, state.count * sizeof *state.list);
        builder->slots[slot] = (uint32_t)builder->state_count;
        *ret_number = (uint16_t)builder->state_count;
        builder->states[builder->state_count++] = state;
        return true;
}

// The transitions by all classes that are words, or are not.
static bool expand_classes(struct builder *builder, size_t number, bool word) {
        const struct automaton *automaton = builder->automaton;
        struct state state = builder->states[number];
        bool matched = follow(builder, &state, word ? NEXT_WORD : NEXT_OTHER);
        size_t count = builder->count;
        uint32_t *list = arena_alloc(builder->scratch, (count + 1) * sizeof *list);
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
                if (automaton->program.code[builder->list[i]].op == OP_SET)
                        list[kept++] = builder->list[i];
        for (uint16_t class = 0; class < automaton->classes.count; class++) {
                if (automaton->uses_word && builder->word_class[class] != word)
                        continue;
                uint16_t *next = &builder->next[number << builder->shift | class];
                if (matched) {
                        *next = ACCEPT;
                        continue;
                }
                builder->kernel_count = 0;
                for (size_t i = 0; i < kept; i++)
                        if (automaton_member(automaton, automaton->program.code[list[i]].x, class))
                                add(builder->kernel, builder->kernel_place, &builder->kernel_count, list[i] + 1);
                builder->work -= MIN(builder->work, kept + 4);
                // Where \b does not occur, what was before does not matter.
                if (builder->work == 0 || !intern(builder, false, automaton->uses_word && word, next))
                        return false;
        }
        return true;
}

static bool expand(struct builder *builder, size_t number) {
        if (!expand_classes(builder, number, false) || (builder->automaton->uses_word && !expand_classes(builder, number, true)))
                return false;
        struct state state = builder->states[number];
        builder->next[number << builder->shift | builder->automaton->classes.count] = follow(builder, &state, NEXT_END) ? ACCEPT : DEAD;
        return true;
}

// States that no match can be reached from become DEAD. Those they lead to have mostly greater numbers: few passes from behind.
static void find_dead(struct builder *builder, uint16_t *start) {
        bool *alive = arena_alloc(builder->scratch, builder->state_count);
        size_t width = (size_t)builder->automaton->classes.count + 1;
        alive[ACCEPT] = true;
        for (bool changed = true; changed; ) {
                changed = false;
                builder->dead_work += builder->state_count * width;
                for (size_t state = builder->state_count; state-- > FIRST; ) {
                        for (size_t class = 0; class < width && !alive[state]; class++) {
                                if (alive[builder->next[state << builder->shift | class]])
                                        alive[state] = changed = true;
                        }
                }
        }
        for (size_t i = (size_t)FIRST << builder->shift; i < builder->state_count << builder->shift; i++)
                if (!alive[builder->next[i]])
                        builder->next[i] = DEAD;
        if (!alive[*start])
                *start = DEAD;
}

static bool build(struct builder *builder, struct table *table) {
        uint16_t start;
        if (!intern(builder, true, false, &start))
                return false;
        for (size_t number = FIRST; number < builder->state_count; number++)
                if (!expand(builder, number))
                        return false;
        find_dead(builder, &start);
        table->start = start;
        return true;
}

static const bool *word_classes(const struct automaton *automaton, struct arena *scratch) {
        bool *result = arena_alloc(scratch, automaton->classes.count);
        for (uint32_t point = 0; point < 128; point++)
                if (set_has(&set_word, point))
                        result[automaton->classes.ascii[point]] = true;
        return result;
}

const struct table *table_compile(const struct automaton *automaton, size_t bytes, struct arena *arena, uint64_t *work) {
        CLEANUP(arena_free) struct arena scratch = {0};
        struct builder builder = {.automaton = automaton, .scratch = &scratch, .state_count = FIRST, .work = bytes * WORK_PER_BYTE};
        struct table table = {.end = automaton->classes.count};
        size_t size = automaton->program.count;
        while (1u << builder.shift < automaton->classes.count + 1u)
                builder.shift++;
        builder.state_limit = MIN(bytes / 2 >> builder.shift, (size_t)UINT16_MAX);
        if (builder.state_limit <= FIRST + 1 || size > bytes)
                return NULL;
        for (builder.slot_mask = 64; builder.slot_mask < builder.state_limit * 2; )
                builder.slot_mask *= 2;
        builder.slots = arena_alloc(&scratch, builder.slot_mask * sizeof *builder.slots);
        builder.slot_mask--;
        builder.states = arena_alloc(&scratch, builder.state_limit * sizeof *builder.states);
        builder.next = arena_alloc(&scratch, (builder.state_limit << builder.shift) * sizeof *builder.next);
        builder.list = arena_alloc(&scratch, size * 4 * sizeof *builder.list);
        builder.place = builder.list + size;
        builder.kernel = builder.place + size;
        builder.kernel_place = builder.kernel + size;
        builder.word_class = word_classes(automaton, &scratch);
        bool built = build(&builder, &table);
        *work += bytes * WORK_PER_BYTE - builder.work + builder.dead_work;
        if (!built)
                return NULL;
        size_t used = builder.state_count << builder.shift;
        uint16_t *next = arena_alloc(arena, used * sizeof *next);
        memcpy(next, builder.next, used * sizeof *next);
        struct table *result = arena_alloc(arena, sizeof *result);
        *result = table;
        result->next = next;
        result->shift = builder.shift;
        return result;
}

bool table_search(const struct table *table, const struct classes *classes, struct bytes text) {
        const char *at = text.data, *end = text.data + text.size;
        const uint16_t *next = table->next;
        unsigned shift = table->shift;
        uint32_t state = table->start;
        while (state > ACCEPT && at < end) {
                uint16_t class;
                if ((uint8_t)*at < 128) {
                        class = classes->ascii[(uint8_t)*at++];
                } else {
                        unsigned length = utf8_sequence(at, end);
                        class = class_of(classes, utf8_decode(at, length));
                        at += length;
                }
                state = next[state << shift | class];
        }
        return state == ACCEPT || (state > ACCEPT && next[state << shift | table->end] == ACCEPT);
}
