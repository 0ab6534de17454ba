// SPDX-License-Identifier: Apache-2.0
// The filter never misses what it was given, rarely names what it was not, and gives its memory back.
#include "store/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t hash_of(uint64_t number) {
        number = (number + 1) * 0x9e3779b97f4a7c15u;
        number ^= number >> 32, number *= 0xd6e8feb86659fd93u, number ^= number >> 32;
        return number & ((UINT64_C(1) << FILTER_HASH_BITS) - 1);
}

static bool names(struct filter *filter, uint64_t hash, uint64_t wanted) {
        for (uint64_t segment = UINT64_MAX; filter_next(filter, hash, &segment);)
                if (segment == wanted)
                        return true;
        return false;
}

static void what_was_added_is_named_and_little_else(void **state) {
        (void)state;
        enum { SEGMENTS = 3 };
        struct filter *filter = filter_new();
        for (uint64_t i = 0; i < SEGMENTS * FILTER_SEGMENT_KEYS; i++)
                filter_add(filter, 7 + i / FILTER_SEGMENT_KEYS, hash_of(i));
        uint64_t wrong = 0;
        for (uint64_t i = 0; i < SEGMENTS * FILTER_SEGMENT_KEYS; i++) {
                assert_true(names(filter, hash_of(i), 7 + i / FILTER_SEGMENT_KEYS));
                for (uint64_t segment = UINT64_MAX; filter_next(filter, hash_of(1000000000 + i), &segment); wrong++)
                        assert_in_range(segment, 7, 7 + SEGMENTS - 1);
        }
        assert_in_range(wrong, 1, (SEGMENTS * SEGMENTS * FILTER_SEGMENT_KEYS) / 300);
        filter_release(filter);
}

static void an_empty_filter_names_nothing(void **state) {
        (void)state;
        struct filter *filter = filter_new();
        uint64_t segment = UINT64_MAX;
        assert_false(filter_next(filter, 5, &segment));
        filter_add(filter, 100, 5);
        assert_true(names(filter, 5, 100));
        filter_drop(filter, 101);
        segment = UINT64_MAX;
        assert_false(filter_next(filter, 5, &segment));
        filter_add(filter, 300, 6);                     // nothing between was ever there
        segment = UINT64_MAX;
        assert_true(filter_next(filter, 6, &segment) && segment == 300);
        assert_false(filter_next(filter, 6, &segment));
        filter_release(filter_hold(filter));            // its holder stays
        assert_true(names(filter, 6, 300));
        filter_release(filter);
}

static void dropped_segments_are_not_named_and_the_others_are(void **state) {
        (void)state;
        struct filter *filter = filter_new();
        for (uint64_t segment = 0; segment < 10; segment++)
                filter_add(filter, segment, hash_of(segment));
        filter_drop(filter, 4);
        for (uint64_t segment = 0; segment < 10; segment++)
                assert_int_equal(names(filter, hash_of(segment), segment), segment >= 4);
        filter_release(filter);
}

// More segments than are held: the oldest are always named, so that nothing is missed, until they are dropped.
static void beyond_the_limit_the_oldest_are_always_named(void **state) {
        (void)state;
        struct filter *filter = filter_new();
        filter_add(filter, 1, 1);
        filter_add(filter, 3, 3);
        filter_add(filter, FILTER_SEGMENTS_MAX + 2, 9);         // holds 3 …
        assert_true(names(filter, 3, 3) && names(filter, 1, 1) && names(filter, 77, 1) && names(filter, 77, 2));
        assert_false(names(filter, 77, 3));
        filter_add(filter, 3 * (uint64_t)FILTER_SEGMENTS_MAX, 4);
        assert_true(names(filter, 3, 3) && names(filter, 9, FILTER_SEGMENTS_MAX + 2));
        filter_drop(filter, 3 * (uint64_t)FILTER_SEGMENTS_MAX);
        assert_true(names(filter, 4, 3 * (uint64_t)FILTER_SEGMENTS_MAX));
        assert_false(names(filter, 9, FILTER_SEGMENTS_MAX + 2));
        filter_release(filter);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_added_is_named_and_little_else),
                cmocka_unit_test(an_empty_filter_names_nothing),
                cmocka_unit_test(dropped_segments_are_not_named_and_the_others_are),
                cmocka_unit_test(beyond_the_limit_the_oldest_are_always_named),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
