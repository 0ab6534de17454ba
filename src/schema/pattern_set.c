// SPDX-License-Identifier: Apache-2.0
// Sets of code points.
#include "schema/pattern_priv.h"

#include <stdlib.h>

#define SET(name, ...) \
        static const struct unicode_range name##_ranges[] = {__VA_ARGS__}; \
        const struct set set_##name = {name##_ranges, ARRAY_SIZE(name##_ranges)}

SET(digit, {'0', '9'});
SET(word, {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'});
// WhiteSpace and LineTerminator of ECMA-262: 12.2, 12.3
SET(space, {0x09, 0x0D}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
    {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF});
SET(dot, {0, 0x09}, {0x0B, 0x0C}, {0x0E, 0x2027}, {0x202A, UNICODE_LAST});

void set_add(struct set_builder *builder, struct arena *arena, uint32_t first, uint32_t last) {
        if (builder->count == builder->capacity) {
                size_t capacity = builder->capacity * 2 + 4;
                struct unicode_range *ranges = arena_alloc(arena, capacity * sizeof *ranges);
                if (builder->count)
                        memcpy(ranges, builder->ranges, builder->count * sizeof *ranges);
                builder->ranges = ranges;
                builder->capacity = capacity;
        }
        builder->ranges[builder->count++] = (struct unicode_range){first, last};
}

void set_add_all(struct set_builder *builder, struct arena *arena, const struct set *set) {
        for (size_t i = 0; i < set->count; i++)
                set_add(builder, arena, set->ranges[i].first, set->ranges[i].last);
}

static int compare(const void *left, const void *right) {
        const struct unicode_range *a = left, *b = right;
        return (a->first > b->first) - (a->first < b->first);
}

struct set set_finish(struct set_builder *builder) {
        struct unicode_range *ranges = builder->ranges;
        size_t count = 0;
        if (builder->count)
                qsort(ranges, builder->count, sizeof *ranges, compare);
        for (size_t i = 0; i < builder->count; i++) {
                if (count && ranges[i].first <= ranges[count - 1].last + 1)
                        ranges[count - 1].last = MAX(ranges[count - 1].last, ranges[i].last);
                else
                        ranges[count++] = ranges[i];
        }
        return (struct set){ranges, count};
}

struct set set_negate(const struct set *set, struct arena *arena) {
        struct set_builder builder = {0};
        uint32_t at = 0;
        for (size_t i = 0; i < set->count; i++) {
                if (set->ranges[i].first > at)
                        set_add(&builder, arena, at, set->ranges[i].first - 1);
                at = set->ranges[i].last + 1;
        }
        if (at <= UNICODE_LAST)
                set_add(&builder, arena, at, UNICODE_LAST);
        return (struct set){builder.ranges, builder.count};
}

bool set_disjoint(const struct set *a, const struct set *b) {
        for (size_t i = 0, j = 0; i < a->count && j < b->count; ) {
                if (a->ranges[i].last < b->ranges[j].first)
                        i++;
                else if (b->ranges[j].last < a->ranges[i].first)
                        j++;
                else
                        return false;
        }
        return true;
}

bool set_equal(const struct set *a, const struct set *b) {
        return a->count == b->count && (a->count == 0 || memcmp(a->ranges, b->ranges, a->count * sizeof *a->ranges) == 0);
}
