// SPDX-License-Identifier: Apache-2.0
// Patterns with back references, as ECMA-262 evaluates them (22.2.2): one choice after another, with a stack of what to undo. The
// number of steps is limited, for all beginnings together; beyond it there is no verdict.
#include "schema/pattern_priv.h"

enum { UNSET = UINT32_MAX, CHOICE = UINT32_MAX };       // no text is as long, no slot has the number

struct undo {
        uint32_t slot;                  // or CHOICE
        uint32_t code, value;           // of a choice: where to go on, and at which byte. Else: what the slot was
};

struct search {
        const struct automaton *automaton;
        struct bytes text;
        uint32_t *slots;
        struct arena *scratch;
        struct undo *stack;
        size_t count, capacity;
        uint64_t steps;                 // left
        bool undecided;
};

static bool push(struct search *search, struct undo undo) {
        if (search->count == PATTERN_STACK_MAX)
                return false;
        if (search->count == search->capacity) {
                size_t capacity = search->capacity * 2 + 256;
                struct undo *stack = arena_alloc(search->scratch, capacity * sizeof *stack);
                if (search->count)
                        memcpy(stack, search->stack, search->count * sizeof *stack);
                search->stack = stack;
                search->capacity = capacity;
        }
        search->stack[search->count++] = undo;
        return true;
}

static bool set_slot(struct search *search, uint32_t slot, uint32_t value) {
        if (!push(search, (struct undo){slot, 0, search->slots[slot]}))
                return false;
        search->slots[slot] = value;
        return true;
}

// Undoes down to the last choice above `base` and takes it. False: there is none.
static bool choose_again(struct search *search, size_t base, uint32_t *code, uint32_t *at) {
        while (search->count > base) {
                struct undo undo = search->stack[--search->count];
                if (undo.slot == CHOICE) {
                        *code = undo.code;
                        *at = undo.value;
                        return true;
                }
                search->slots[undo.slot] = undo.value;
        }
        return false;
}

// A lookaround has been decided: its choices are no more, what it captured can still be undone.
static void forget_choices(struct search *search, size_t base) {
        size_t kept = base;
        for (size_t i = base; i < search->count; i++)
                if (search->stack[i].slot != CHOICE)
                        search->stack[kept++] = search->stack[i];
        search->count = kept;
}

static bool is_word(struct bytes text, size_t at) {
        return at < text.size && (uint8_t)text.data[at] < 128 && set_has(&set_word, (uint8_t)text.data[at]);
}

static bool take_set(const struct search *search, const struct instruction *instruction, uint32_t *at) {
        size_t from = *at;
        if (from == (instruction->backward ? 0 : search->text.size))
                return false;
        if (instruction->backward)
                for (from--; ((uint8_t)search->text.data[from] & 0xC0) == 0x80; )
                        from--;
        const char *data = search->text.data + from;
        unsigned length = utf8_sequence(data, search->text.data + search->text.size);
        *at = (uint32_t)(instruction->backward ? from : from + length);
        return automaton_member(search->automaton, instruction->x, class_of(&search->automaton->classes, utf8_decode(data, length)));
}

static bool take_back(const struct search *search, const struct instruction *instruction, uint32_t *at) {
        uint32_t first = search->slots[instruction->x * 2], last = search->slots[instruction->x * 2 + 1];
        if (first == UNSET || last == UNSET)
                return true;            // a group that took no part is empty
        size_t size = last - first;
        if (size > (instruction->backward ? *at : search->text.size - *at))
                return false;
        size_t from = instruction->backward ? *at - size : *at;
        *at = (uint32_t)(instruction->backward ? from : from + size);
        return memcmp(search->text.data + from, search->text.data + first, size) == 0;
}

static bool run(struct search *search, uint32_t code, uint32_t at);

static bool look(struct search *search, const struct instruction *instruction, uint32_t code, uint32_t at) {
        size_t base = search->count;
        bool found = run(search, code + 1, at);
        uint32_t ignored;
        if (found && !instruction->flag) {
                forget_choices(search, base);
        } else {
                while (choose_again(search, base, &ignored, &ignored))
                        ;
        }
        return found != instruction->flag && !search->undecided;
}

static bool clear(struct search *search, const struct instruction *instruction) {
        for (uint32_t slot = instruction->x; slot < instruction->y; slot++)
                if (search->slots[slot] != UNSET && !set_slot(search, slot, UNSET))
                        return false;
        return true;
}

// One instruction that takes no choice; false: it fails here.
static bool perform(struct search *search, const struct instruction *instruction, uint32_t *at) {
        switch (instruction->op) {
        case OP_SET:
                return take_set(search, instruction, at);
        case OP_BACK:
                return take_back(search, instruction, at);
        case OP_START:
                return *at == 0;
        case OP_END:
                return *at == search->text.size;
        case OP_WORD:
                return ((*at > 0 && is_word(search->text, *at - 1)) != is_word(search->text, *at)) != instruction->flag;
        case OP_CHECK:
                return search->slots[instruction->x] != *at;
        case OP_SAVE:
                if (!set_slot(search, instruction->x, instruction->flag ? search->slots[instruction->y] : *at))
                        search->undecided = true;
                return true;
        case OP_CLEAR:
                if (!clear(search, instruction))
                        search->undecided = true;
                return true;
        default:
                return false;           // OP_NEVER
        }
}

static bool run(struct search *search, uint32_t code, uint32_t at) {
        const struct instruction *program = search->automaton->program.code;
        size_t base = search->count;
        while (!search->undecided) {
                const struct instruction *instruction = &program[code];
                bool good = true;
                if (search->steps-- == 0) {
                        search->undecided = true;
                } else if (instruction->op == OP_MATCH) {
                        return true;
                } else if (instruction->op == OP_JUMP) {
                        code = instruction->x;
                } else if (instruction->op == OP_SPLIT) {
                        search->undecided |= !push(search, (struct undo){CHOICE, instruction->y, at});
                        code = instruction->x;
                } else if (instruction->op == OP_LOOK) {
                        good = look(search, instruction, code, at);
                        code = instruction->x;
                } else {
                        good = perform(search, instruction, &at);
                        code++;
                }
                if (!good && !choose_again(search, base, &code, &at))
                        return false;
        }
        return false;
}

enum pattern_verdict automaton_backtrack(const struct automaton *automaton, struct bytes text, struct arena *scratch) {
        struct search search = {.automaton = automaton, .text = text, .scratch = scratch, .steps = PATTERN_STEPS_MAX};
        enum pattern_verdict verdict = PATTERN_NO_MATCH;
        search.slots = arena_alloc(scratch, automaton->slot_count * sizeof *search.slots);
        memset(search.slots, 0xFF, automaton->slot_count * sizeof *search.slots);
        for (size_t at = 0; at <= text.size && verdict == PATTERN_NO_MATCH; at++) {
                if (at < text.size && ((uint8_t)text.data[at] & 0xC0) == 0x80)
                        continue;
                if (run(&search, 0, (uint32_t)at))
                        verdict = PATTERN_MATCH;
                else if (search.undecided)
                        verdict = PATTERN_UNDECIDED;
        }
        return verdict;
}
