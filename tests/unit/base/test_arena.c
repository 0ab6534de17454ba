// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"

static void what_was_before_a_mark_stays(void **state) {
        (void)state;
        CLEANUP(arena_free) struct arena arena = {0};
        char *before = arena_text(&arena, BYTES("before"));
        struct arena_mark outer = arena_mark(&arena);
        char *between = arena_text(&arena, BYTES("between"));
        struct arena_mark inner = arena_mark(&arena);
        memset(arena_alloc_raw(&arena, 100000), 'x', 100000);
        memset(arena_alloc_raw(&arena, 3), 'y', 3);
        arena_rewind(&arena, inner);
        assert_string_equal(between, "between");
        memset(arena_alloc_raw(&arena, 200000), 'z', 200000);
        arena_rewind(&arena, outer);
        assert_string_equal(before, "before");
        assert_ptr_equal(arena_alloc(&arena, 8), between);
        for (const char *zero = arena_alloc(&arena, 200000), *end = zero + 200000; zero < end; zero++)
                assert_int_equal(*zero, 0);
        assert_string_equal(before, "before");
}

static void memory_between_marks_is_given_back(void **state) {
        (void)state;
        CLEANUP(arena_free) struct arena arena = {0};
        size_t size = 0;
        for (size_t begin = 0; begin < 2; begin++) {            // of an arena that is empty, of one that is not
                for (size_t i = 0; i < 1000; i++) {
                        struct arena_mark mark = arena_mark(&arena);
                        assert_non_null(arena_alloc_raw(&arena, 10));
                        char *large = arena_alloc_raw(&arena, 800000);
                        assert_non_null(large);
                        arena_rewind(&arena, mark);
                        size = i < 3 ? arena_size(&arena) : size;       // by then it has settled
                        assert_int_equal(arena_size(&arena), size);
                }
                assert_non_null(arena_alloc_raw(&arena, 10));
        }
        assert_true(size < 3000000);
}

static void a_reset_keeps_what_a_rewind_has_emptied(void **state) {
        (void)state;
        CLEANUP(arena_free) struct arena arena = {0};
        struct arena_mark mark = arena_mark(&arena);
        char *first = arena_alloc_raw(&arena, 50000);
        arena_rewind(&arena, mark);
        assert_int_equal(arena_size(&arena), 50000);
        arena_reset(&arena);
        assert_int_equal(arena_size(&arena), 50000);
        assert_ptr_equal(arena_alloc_raw(&arena, 50000), first);
        mark = arena_mark(&arena);
        assert_non_null(arena_alloc_raw(&arena, 900000));
        arena_rewind(&arena, mark);
        arena_reset_keeping(&arena, 1000000);
        assert_int_equal(arena_size(&arena), 900000);
        mark = arena_mark(&arena);
        assert_non_null(arena_alloc_raw(&arena, 3000000));
        arena_rewind(&arena, mark);
        arena_reset_keeping(&arena, 1000000);
        assert_int_equal(arena_size(&arena), 900000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_before_a_mark_stays), cmocka_unit_test(memory_between_marks_is_given_back),
                cmocka_unit_test(a_reset_keeps_what_a_rewind_has_emptied),
        };
        return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
