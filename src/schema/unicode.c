// SPDX-License-Identifier: Apache-2.0
#include "schema/unicode.h"

#include "schema/unicode_priv.h"

static const struct unicode_name *find_name(const struct unicode_sets *sets, struct bytes name) {
        size_t low = 0, high = sets->count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                const char *other = sets->names[middle].name;
                int order = strncmp(name.data, other, name.size);
                if (order == 0 && !other[name.size])
                        return &sets->names[middle];
                if (order > 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

struct walk {
        const uint8_t *next, *end;
        uint32_t at;
};

static uint32_t number(struct walk *walk) {
        uint32_t value = 0;
        for (unsigned shift = 0; ; shift += 7) {
                uint8_t byte = *walk->next++;
                value |= (uint32_t)(byte & 0x7F) << shift;
                if (!(byte & 0x80))
                        return value;
        }
}

static bool next_range(struct walk *walk, struct unicode_range *ret_range) {
        if (walk->next == walk->end)
                return false;
        ret_range->first = walk->at + number(walk);
        ret_range->last = ret_range->first + number(walk);
        walk->at = ret_range->last + 1;
        return true;
}

static bool find_property(struct bytes name, struct walk *ret_walk) {
        const struct unicode_sets *sets = &unicode_categories;
        if (!name.size || memchr(name.data, '\0', name.size))
                return false;
        const struct unicode_name *found = find_name(sets, name);
        if (!found) {
                sets = &unicode_binaries;
                found = find_name(sets, name);
        }
        if (!found)
                return false;
        *ret_walk = (struct walk){sets->data + found->start, sets->data + found->start + found->size, 0};
        return true;
}

bool unicode_property(struct bytes name, struct arena *arena, const struct unicode_range **ret_ranges, size_t *ret_count) {
        struct walk walk;
        if (!find_property(name, &walk))
                return false;
        size_t count = 0;
        struct unicode_range *ranges = arena_alloc(arena, ((size_t)(walk.end - walk.next) / 2 + 1) * sizeof *ranges);
        while (next_range(&walk, &ranges[count]))
                count++;
        *ret_ranges = ranges;
        *ret_count = count;
        return true;
}

bool unicode_has(const char *property, uint32_t point) {
        struct walk walk;
        struct unicode_range range;
        bool found = find_property(bytes_of(property), &walk);
        ASSERT(found);
        while (next_range(&walk, &range) && range.first <= point)
                if (point <= range.last)
                        return true;
        return false;
}

// The last entry whose point, above `shift` bits, is not behind `point`; 0: none.
static uint32_t entry(const uint32_t *table, size_t count, unsigned shift, uint32_t point) {
        size_t low = 0, high = count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (table[middle] >> shift <= point)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low ? table[low - 1] : 0;
}

struct unicode_domain unicode_domain(uint32_t point) {
        uint32_t found = entry(unicode_idna, unicode_idna_count, 9, point);
        return (struct unicode_domain){
                .class = (enum unicode_idna)(found & 3),
                .bidi = (enum unicode_bidi)(found >> 2 & 7),
                .joining = (enum unicode_joining)(found >> 5 & 7),
                .mark = found >> 8 & 1,
        };
}

uint8_t unicode_combining_class(uint32_t point) {
        return (uint8_t)entry(unicode_combining, unicode_combining_count, 8, point);
}

// --- normalization form C: decompose, order, compose; equal to what was there? (UAX 15; Hangul: the Unicode Standard, 3.12)

enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7, L_COUNT = 19, V_COUNT = 21, T_COUNT = 28,
       S_COUNT = L_COUNT * V_COUNT * T_COUNT };

static size_t decompose(uint32_t point, uint32_t *to) {
        if (point >= S_BASE && point < S_BASE + S_COUNT) {
                uint32_t index = point - S_BASE, tail = index % T_COUNT;
                to[0] = L_BASE + index / (V_COUNT * T_COUNT);
                to[1] = V_BASE + index % (V_COUNT * T_COUNT) / T_COUNT;
                to[2] = T_BASE + tail;
                return tail ? 3 : 2;
        }
        size_t low = 0, high = unicode_decomposition_count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                uint64_t pair = unicode_decompositions[middle];
                if (pair >> 43 == point) {
                        size_t size = decompose((uint32_t)(pair >> 22 & 0x1FFFFF), to);
                        uint32_t second = (uint32_t)(pair >> 1 & 0x1FFFFF);
                        return second ? size + decompose(second, to + size) : size;
                }
                if (pair >> 43 < point)
                        low = middle + 1;
                else
                        high = middle;
        }
        to[0] = point;
        return 1;
}

// The primary composite of two, or 0.
static uint32_t compose(uint32_t first, uint32_t second) {
        if (first >= L_BASE && first < L_BASE + L_COUNT && second >= V_BASE && second < V_BASE + V_COUNT)
                return S_BASE + ((first - L_BASE) * V_COUNT + (second - V_BASE)) * T_COUNT;
        if (first >= S_BASE && first < S_BASE + S_COUNT && (first - S_BASE) % T_COUNT == 0 && second > T_BASE &&
            second < T_BASE + T_COUNT)
                return first + (second - T_BASE);
        uint64_t wanted = (uint64_t)first << 21 | second;
        for (size_t i = 0; second && i < unicode_decomposition_count; i++)
                if ((unicode_decompositions[i] >> 1 & ((1ull << 42) - 1)) == wanted && !(unicode_decompositions[i] & 1))
                        return (uint32_t)(unicode_decompositions[i] >> 43);
        return 0;
}

static void order(uint32_t *points, size_t count) {
        for (size_t i = 1; i < count; i++) {
                uint8_t class = unicode_combining_class(points[i]);
                for (size_t j = i; class && j > 0 && unicode_combining_class(points[j - 1]) > class; j--) {
                        uint32_t swap = points[j];
                        points[j] = points[j - 1];
                        points[j - 1] = swap;
                }
        }
}

static size_t compose_all(uint32_t *points, size_t count) {
        size_t out = 0, starter = SIZE_MAX;
        uint8_t last = 0;
        for (size_t i = 0; i < count; i++) {
                uint8_t class = unicode_combining_class(points[i]);
                bool adjacent = starter != SIZE_MAX && out == starter + 1;
                uint32_t composite = 0;
                if (starter != SIZE_MAX && (adjacent || last < class))
                        composite = compose(points[starter], points[i]);
                if (composite) {
                        points[starter] = composite;
                        continue;
                }
                points[out] = points[i];
                if (class == 0)
                        starter = out;
                last = class;
                out++;
        }
        return out;
}

bool unicode_is_nfc(const uint32_t *points, size_t count, struct arena *scratch) {
        size_t size = 0;
        uint32_t *parts = arena_alloc(scratch, (count * 4 + 1) * sizeof *parts);         // no decomposition is longer than 4
        for (size_t i = 0; i < count; i++)
                size += decompose(points[i], parts + size);
        order(parts, size);
        size = compose_all(parts, size);
        return size == count && (count == 0 || memcmp(parts, points, count * sizeof *parts) == 0);
}
