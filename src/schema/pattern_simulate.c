// SPDX-License-Identifier: Apache-2.0
// Runs a program over a text with all its states at once. Each position costs at most one visit of each instruction. First each
// lookaround, inner ones before outer ones, finds the positions where it holds: one bit each.
#include "schema/pattern_priv.h"

struct states {
        uint32_t *list, *place;         // a sparse set: i is in it if list[place[i]] == i and place[i] < count
        size_t count;
};

struct simulation {
        const struct automaton *automaton;
        struct bytes text;
        uint64_t **holds;               // for each lookaround: bit p is whether it holds at byte p
        struct states now, next;
        uint64_t steps;                 // left
};

static inline void add(struct states *states, uint32_t state) {
        uint32_t place = states->place[state];
        if (place < states->count && states->list[place] == state)
                return;
        states->place[state] = (uint32_t)states->count;
        states->list[states->count++] = state;
}

static bool is_word(struct bytes text, size_t at) {
        return at < text.size && (uint8_t)text.data[at] < 128 && set_has(&set_word, (uint8_t)text.data[at]);
}

static bool condition_holds(const struct simulation *simulation, const struct instruction *instruction, size_t at) {
        switch (instruction->op) {
        case OP_START:
                return at == 0;
        case OP_END:
                return at == simulation->text.size;
        case OP_WORD:
                return ((at > 0 && is_word(simulation->text, at - 1)) != is_word(simulation->text, at)) != instruction->flag;
        case OP_LOOK:
                return (simulation->holds[instruction->x][at / 64] >> (at % 64) & 1) != instruction->flag;
        default:
                return false;           // OP_NEVER, and OP_SET, which waits for a code point
        }
}

// Follows what takes no code point; whether the end of the program is reached.
static bool follow(struct simulation *simulation, const struct program *program, size_t at) {
        struct states *now = &simulation->now;
        bool matched = false;
        for (size_t i = 0; i < now->count; i++) {
                uint32_t state = now->list[i];
                const struct instruction *instruction = &program->code[state];
                if (instruction->op == OP_SPLIT) {
                        add(now, instruction->x);
                        add(now, instruction->y);
                } else if (instruction->op == OP_JUMP) {
                        add(now, instruction->x);
                } else if (instruction->op == OP_MATCH) {
                        matched = true;
                } else if (instruction->op != OP_SET && condition_holds(simulation, instruction, at)) {
                        add(now, state + 1);
                }
        }
        simulation->steps -= MIN(simulation->steps, (uint64_t)now->count);
        return matched;
}

static void step(struct simulation *simulation, const struct program *program, uint16_t class) {
        simulation->next.count = 0;
        for (size_t i = 0; i < simulation->now.count; i++) {
                uint32_t state = simulation->now.list[i];
                const struct instruction *instruction = &program->code[state];
                if (instruction->op == OP_SET && automaton_member(simulation->automaton, instruction->x, class))
                        add(&simulation->next, state + 1);
        }
        struct states swap = simulation->now;
        simulation->now = simulation->next;
        simulation->next = swap;
}

// Matches that begin anywhere. Without `ends`, stops at the first; with it, sets the bit of each position where one ends.
static enum pattern_verdict run(struct simulation *simulation, const struct program *program, bool backward, uint64_t *ends) {
        struct bytes text = simulation->text;
        size_t at = backward ? text.size : 0;
        simulation->now.count = 0;
        while (true) {
                add(&simulation->now, 0);
                if (follow(simulation, program, at)) {
                        if (!ends)
                                return PATTERN_MATCH;
                        ends[at / 64] |= 1ull << (at % 64);
                }
                if (simulation->steps == 0)
                        return PATTERN_UNDECIDED;
                if (at == (backward ? 0 : text.size))
                        return PATTERN_NO_MATCH;
                size_t from = at;
                if (backward)
                        for (from--; ((uint8_t)text.data[from] & 0xC0) == 0x80; )
                                from--;
                unsigned length = utf8_sequence(text.data + from, text.data + text.size);
                step(simulation, program, class_of(&simulation->automaton->classes, utf8_decode(text.data + from, length)));
                at = backward ? from : at + length;
        }
}

enum pattern_verdict automaton_simulate(const struct automaton *automaton, struct bytes text, struct arena *scratch) {
        struct simulation simulation = {.automaton = automaton, .text = text, .steps = PATTERN_STEPS_MAX};
        simulation.steps += text.size * PATTERN_STEPS_PER_BYTE;
        uint32_t *memory = arena_alloc_raw(scratch, automaton->largest * 4 * sizeof *memory);   // sparse sets need not be cleared
        simulation.now = (struct states){memory, memory + automaton->largest, 0};
        simulation.next = (struct states){memory + automaton->largest * 2, memory + automaton->largest * 3, 0};
        simulation.holds = arena_alloc(scratch, (automaton->look_count + 1) * sizeof *simulation.holds);
        for (size_t i = 0; i < automaton->look_count; i++) {
                simulation.holds[i] = arena_alloc(scratch, (text.size / 64 + 1) * sizeof(uint64_t));
                if (run(&simulation, &automaton->looks[i].program, !automaton->looks[i].behind, simulation.holds[i]) == PATTERN_UNDECIDED)
                        return PATTERN_UNDECIDED;
        }
        return run(&simulation, &automaton->program, false, NULL);
}
