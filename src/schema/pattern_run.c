// SPDX-License-Identifier: Apache-2.0
// The commonest patterns: from the beginning one class after another, each so many times, perhaps up to the end: ^[a-z]+$, ^S_,
// ^\d{4}-\d\d-\d\d$, ^.{1,65535}$. Where no class that may repeat shares a character with what may follow it, taking as many as there
// are is the only way that can match: one loop for each, and no states, however large the numbers.
#include "schema/pattern_priv.h"

enum { ELEMENTS_MAX = 64, SETS_MAX = 8 };

struct element {
        struct set set;
        uint8_t bit;                    // of the set, in `ascii`
        bool all_wide;                  // every code point from 128 on is in it
        bool some_wide;
        uint32_t least, most;
};

struct run {
        uint8_t ascii[128];             // bit i: it is in set i
        bool to_end;
        size_t count;
        struct element elements[];
};

struct flat {
        struct element elements[ELEMENTS_MAX];
        size_t count;
        bool started, ended;
};

static const struct node *unwrapped(const struct node *node) {
        while (node->kind == NODE_GROUP)
                node = node->child;
        return node;
}

static bool add(struct flat *flat, const struct set *set, uint32_t least, uint32_t most) {
        struct element *last = flat->count ? &flat->elements[flat->count - 1] : NULL;
        if (last && set_equal(&last->set, set) && last->least == last->most) {          // dddd as d{4}, dd* as d{1,}
                last->least += least;
                last->most = most == REPEAT_ENDLESS ? REPEAT_ENDLESS : last->most + most;
                return last->least <= REPEAT_MAX && (last->most <= REPEAT_MAX || last->most == REPEAT_ENDLESS);
        }
        if (flat->count == ELEMENTS_MAX)
                return false;
        flat->elements[flat->count++] = (struct element){.set = *set, .least = least, .most = most};
        return true;
}

static bool flatten(struct flat *flat, const struct node *node) {
        node = unwrapped(node);
        if (flat->ended)
                return false;
        switch (node->kind) {
        case NODE_START:
                flat->started = true;
                return flat->count == 0;
        case NODE_END:
                flat->ended = true;
                return true;
        case NODE_SET:
                return add(flat, &node->set, 1, 1);
        case NODE_REPEAT: {
                const struct node *inner = unwrapped(node->child);
                return inner->kind == NODE_SET && node->least <= REPEAT_MAX && add(flat, &inner->set, node->least, node->most);
        }
        case NODE_SEQUENCE:
                for (const struct node *child = node->child; child; child = child->next)
                        if (!flatten(flat, child))
                                return false;
                return true;
        case NODE_EMPTY:
                return true;
        case NODE_CHOICE: case NODE_GROUP: case NODE_BACK: case NODE_LOOK: case NODE_WORD:
                break;
        }
        return false;
}

static bool is_certain(const struct flat *flat) {
        for (size_t i = 0; i < flat->count; i++) {
                if (flat->elements[i].least == flat->elements[i].most)
                        continue;
                for (size_t j = i + 1; j < flat->count; j++) {
                        if (!set_disjoint(&flat->elements[i].set, &flat->elements[j].set))
                                return false;
                        if (flat->elements[j].least > 0)
                                break;
                }
        }
        return true;
}

static bool number_sets(struct flat *flat, uint8_t ascii[static 128]) {
        size_t sets = 0;
        for (size_t i = 0; i < flat->count; i++) {
                struct element *element = &flat->elements[i];
                size_t before = 0;
                while (before < i && !set_equal(&flat->elements[before].set, &element->set))
                        before++;
                if (before < i) {
                        element->bit = flat->elements[before].bit;
                } else {
                        if (sets == SETS_MAX)
                                return false;
                        element->bit = (uint8_t)(1u << sets++);
                }
                for (uint32_t point = 0; point < 128; point++)
                        if (set_has(&element->set, point))
                                ascii[point] |= element->bit;
                struct unicode_range last = element->set.count ? element->set.ranges[element->set.count - 1] : (struct unicode_range){0};
                element->some_wide = last.last >= 128;
                element->all_wide = last.last == UNICODE_LAST && last.first <= 128;
        }
        return true;
}

bool run_compile(const struct node *root, struct arena *arena, const struct run **ret_run) {
        struct flat flat = {.count = 0};
        uint8_t ascii[128] = {0};
        if (!flatten(&flat, root) || !flat.started)
                return false;
        if (!flat.ended) {              // what may follow need not be looked at
                while (flat.count && flat.elements[flat.count - 1].least == 0)
                        flat.count--;
                if (flat.count)
                        flat.elements[flat.count - 1].most = flat.elements[flat.count - 1].least;
        }
        if (!is_certain(&flat) || !number_sets(&flat, ascii))
                return false;
        struct run *run = arena_alloc(arena, sizeof *run + flat.count * sizeof *run->elements);
        memcpy(run->ascii, ascii, sizeof ascii);
        run->to_end = flat.ended;
        run->count = flat.count;
        memcpy(run->elements, flat.elements, flat.count * sizeof *run->elements);
        for (size_t i = 0; i < run->count; i++) {
                struct set *set = &run->elements[i].set;
                struct unicode_range *ranges = arena_alloc(arena, (set->count + 1) * sizeof *ranges);
                if (set->count)
                        memcpy(ranges, set->ranges, set->count * sizeof *ranges);
                set->ranges = ranges;
        }
        *ret_run = run;
        return true;
}

// Behind as many as there are, or NULL if they are too few.
static inline const char *take(const struct run *run, const struct element *element, const char *at, const char *end) {
        uint32_t count = 0, most = element->most;
        uint8_t bit = element->bit;
        while (at < end && count < most) {
                uint8_t byte = (uint8_t)*at;
                if (byte < 128) {
                        if (!(run->ascii[byte] & bit))
                                break;
                        at++;
                } else {
                        if (!element->some_wide)
                                break;
                        unsigned length = utf8_sequence(at, end);
                        if (!element->all_wide && !set_has(&element->set, utf8_decode(at, length)))
                                break;
                        at += length;
                }
                count++;
        }
        return count < element->least ? NULL : at;
}

bool run_search(const struct run *run, struct bytes text) {
        const char *at = text.data, *end = text.data + text.size;
        for (size_t i = 0; i < run->count; i++) {
                at = take(run, &run->elements[i], at, end);
                if (!at)
                        return false;
        }
        return !run->to_end || at == end;
}
