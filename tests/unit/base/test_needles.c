// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/needles.h"

struct seen {
        size_t values[64], offsets[64], count;
};

static bool see(void *context, size_t value, size_t offset, size_t size) {
        assert_true(size >= NEEDLE_LEAST);
        struct seen *seen = context;
        seen->values[seen->count] = value;
        seen->offsets[seen->count++] = offset;
        return seen->count < 64;
}

static const struct bytes values[] = {BYTES("Zoë Quast"), BYTES("a/b \"c\""), BYTES("7"), BYTES("ludmilla@example.org"),
                                      BYTES("Я\xf0\x9f\x98\x80x")};

static struct needles *made(void) {
        struct needles *needles = NULL;
        struct error error;
        if (!needles_new(values, ARRAY_SIZE(values), &needles, &error))
                fail_msg("%s", error.text);
        return needles;
}

static void every_form_is_found_where_it_is(void **state) {
        (void)state;
        static const struct { const char *text; size_t value; } forms[] = {
                {"Zoë Quast", 0}, {"Zo\\u00eb Quast", 0}, {"Zo\\u00EB Quast", 0}, {"Zo%C3%AB%20Quast", 0}, {"Zo%c3%ab+Quast", 0},
                {"a/b \"c\"", 1}, {"a/b \\\"c\\\"", 1}, {"a\\/b \\\"c\\\"", 1}, {"a%2Fb%20%22c%22", 1}, {"a/b+%22c%22", 1},
                {"ludmilla@example.org", 3}, {"ludmilla%40example.org", 3}, {"\\u042f\\ud83d\\ude00x", 4}, {"Я%F0%9F%98%80x", SIZE_MAX},
                {"%D0%AF%F0%9F%98%80x", 4}, {"\\u042F\\uD83D\\uDE00x", 4}, {"Zoe Quast", SIZE_MAX}, {"7", SIZE_MAX}, {"Zoë Quas", SIZE_MAX},
        };
        struct needles *needles = made();
        for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
                for (size_t before = 0; before < 9; before++) {
                        struct buffer text = {0};
                        struct seen seen = {.count = 0};
                        for (size_t at = 0; at < before; at++)
                                buffer_append_byte(&text, (char)(at * 37));
                        buffer_append(&text, bytes_of(forms[i].text));
                        buffer_append(&text, (struct bytes){"\0\xff", before % 3});
                        needles_find(needles, buffer_bytes(&text), see, &seen);
                        if (seen.count != (forms[i].value != SIZE_MAX))
                                fail_msg("%s: %zu times", forms[i].text, seen.count);
                        if (seen.count) {
                                assert_int_equal(seen.values[0], forms[i].value);
                                assert_int_equal(seen.offsets[0], before);
                        }
                        buffer_free(&text);
                }
        needles_free(needles);
}

static void a_whole_value_is_found_however_short(void **state) {
        (void)state;
        struct needles *needles = made();
        size_t value = 99;
        assert_true(needles_equal(needles, BYTES("7"), &value));
        assert_int_equal(value, 2);
        assert_true(needles_equal(needles, BYTES("Zoë Quast"), &value));
        assert_int_equal(value, 0);
        assert_false(needles_equal(needles, BYTES("77"), &value));
        assert_false(needles_equal(needles, BYTES(""), &value));
        assert_true(needles_longest(needles) >= strlen("%D0%AF%F0%9F%98%80x"));
        needles_free(needles);
}

static void limits_are_kept(void **state) {
        (void)state;
        struct needles *needles;
        struct error error;
        static char big[NEEDLE_MAX + 1];
        struct bytes *many = must_calloc(NEEDLES_MAX + 1, sizeof *many);
        for (size_t i = 0; i <= NEEDLES_MAX; i++)
                many[i] = BYTES("abcde");
        assert_false(needles_new(many, NEEDLES_MAX + 1, &needles, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_false(needles_new(many, 0, &needles, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        many[1] = (struct bytes){big, sizeof big};
        assert_false(needles_new(many, 2, &needles, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_null(strstr(error.text, "abcde"));
        many[1] = (struct bytes){0};
        assert_false(needles_new(many, 2, &needles, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        free(many);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(every_form_is_found_where_it_is),
                                           cmocka_unit_test(a_whole_value_is_found_however_short), cmocka_unit_test(limits_are_kept)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
