// SPDX-License-Identifier: Apache-2.0
// Classes of code points: two code points are in one class if no set of the pattern tells them apart. By refinement: the sets' borders
// cut the code points into intervals, all of one class; each set splits the classes of which it has a part.
#include "schema/pattern_priv.h"

#include <stdlib.h>

enum { SORT_WORK = 16 };                // steps that an interval takes when it is cut

struct refinement {
        uint32_t *borders;              // first code points of the intervals
        size_t count;
        uint16_t *class;                // of each interval
        size_t *sizes, *touched;        // intervals of each class; of them in the set that is looked at
        uint16_t *moved;                // the class's new number
        size_t class_count;
        uint64_t work;                  // intervals and classes that were looked at
};

static int compare(const void *left, const void *right) {
        const uint32_t *a = left, *b = right;
        return (*a > *b) - (*a < *b);
}

static void cut(struct refinement *refinement, const struct set *const *sets, size_t count, struct arena *arena) {
        size_t size = 2, out = 0;
        for (size_t i = 0; i < count; i++)
                size += sets[i]->count * 2;
        uint32_t *borders = arena_alloc(arena, size * sizeof *borders);
        size = 0;
        borders[size++] = 0;
        borders[size++] = 128;          // where the table for ASCII ends
        for (size_t i = 0; i < count; i++) {
                for (size_t j = 0; j < sets[i]->count; j++) {
                        borders[size++] = sets[i]->ranges[j].first;
                        borders[size++] = sets[i]->ranges[j].last + 1;
                }
        }
        qsort(borders, size, sizeof *borders, compare);
        for (size_t i = 0; i < size; i++)
                if (borders[i] <= UNICODE_LAST && (!out || borders[out - 1] != borders[i]))
                        borders[out++] = borders[i];
        refinement->borders = borders;
        refinement->count = out;
}

static size_t interval_of(const struct refinement *refinement, uint32_t border) {
        size_t low = 0, high = refinement->count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (refinement->borders[middle] < border)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

// For each interval of the set: for (…; next_interval(…); )
struct walk {
        const struct set *set;
        size_t range, interval;
};

static bool next_interval(const struct refinement *refinement, struct walk *walk, size_t *ret_interval) {
        while (walk->range < walk->set->count) {
                const struct unicode_range *range = &walk->set->ranges[walk->range];
                if (walk->interval == SIZE_MAX)
                        walk->interval = interval_of(refinement, range->first);
                if (walk->interval < refinement->count && refinement->borders[walk->interval] <= range->last) {
                        *ret_interval = walk->interval++;
                        return true;
                }
                walk->range++;
                walk->interval = SIZE_MAX;
        }
        return false;
}

static bool split(struct refinement *refinement, const struct set *set) {
        size_t i;
        for (struct walk walk = {set, 0, SIZE_MAX}; next_interval(refinement, &walk, &i); )
                refinement->touched[refinement->class[i]]++, refinement->work += 2;
        size_t before = refinement->class_count;
        for (struct walk walk = {set, 0, SIZE_MAX}; next_interval(refinement, &walk, &i); ) {
                uint16_t old = refinement->class[i];
                if (old >= before || refinement->touched[old] == 0)
                        continue;
                if (refinement->touched[old] == refinement->sizes[old] && !refinement->moved[old])
                        continue;
                if (!refinement->moved[old]) {
                        if (refinement->class_count == PATTERN_CLASSES_MAX)
                                return false;
                        refinement->moved[old] = (uint16_t)refinement->class_count++;
                        refinement->sizes[refinement->moved[old]] = refinement->touched[old];
                }
                refinement->class[i] = refinement->moved[old];
        }
        refinement->work += before;
        for (size_t class = 0; class < before; class++) {
                if (refinement->moved[class])
                        refinement->sizes[class] -= refinement->touched[class];
                refinement->touched[class] = refinement->moved[class] = 0;
        }
        return true;
}

static void note(const struct refinement *refinement, const struct set *const *sets, size_t count, struct arena *arena,
                 struct automaton *automaton) {
        size_t words = (refinement->class_count + 63) / 64, wide = 0, i;
        uint64_t *members = arena_alloc(arena, count * words * sizeof *members);
        struct class_range *ranges = arena_alloc(arena, refinement->count * sizeof *ranges);
        for (size_t set = 0; set < count; set++)
                for (struct walk walk = {sets[set], 0, SIZE_MAX}; next_interval(refinement, &walk, &i); )
                        members[set * words + refinement->class[i] / 64] |= 1ull << (refinement->class[i] % 64);
        for (i = 0; i < refinement->count; i++) {
                uint32_t first = refinement->borders[i];
                uint32_t end = i + 1 < refinement->count ? refinement->borders[i + 1] : UNICODE_LAST + 1;
                for (uint32_t point = first; point < end && point < 128; point++)
                        automaton->classes.ascii[point] = refinement->class[i];
                if (first >= 128 && (!wide || ranges[wide - 1].class != refinement->class[i]))
                        ranges[wide++] = (struct class_range){first, refinement->class[i]};
        }
        automaton->classes.wide = ranges;
        automaton->classes.wide_count = wide;
        automaton->classes.count = (uint16_t)refinement->class_count;
        automaton->members = members;
        automaton->words = words;
        automaton->set_count = count;
}

bool classes_compute(const struct set *const *sets, size_t count, struct arena *arena, struct automaton *automaton,
                     struct error *error) {
        CLEANUP(arena_free) struct arena scratch = {0};
        struct refinement refinement = {.class_count = 1};
        if (count > PATTERN_CLASSES_MAX)
                return error_set(error, ERROR_LIMIT, "pattern: it has more than %d different classes", PATTERN_CLASSES_MAX);
        cut(&refinement, sets, count, &scratch);
        refinement.class = arena_alloc(&scratch, refinement.count * sizeof *refinement.class);
        refinement.sizes = arena_alloc(&scratch, PATTERN_CLASSES_MAX * sizeof *refinement.sizes);
        refinement.touched = arena_alloc(&scratch, PATTERN_CLASSES_MAX * sizeof *refinement.touched);
        refinement.moved = arena_alloc(&scratch, PATTERN_CLASSES_MAX * sizeof *refinement.moved);
        refinement.sizes[0] = refinement.count;
        for (size_t i = 0; i < count; i++)
                if (!split(&refinement, sets[i]))
                        return error_set(error, ERROR_LIMIT, "pattern: it tells more than %d classes of characters apart",
                                         PATTERN_CLASSES_MAX);
        note(&refinement, sets, count, arena, automaton);
        automaton->work += refinement.work + refinement.count * SORT_WORK;
        return true;
}
