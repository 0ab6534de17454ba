// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "json/json.h"
#include "json/number.h"
#include "json/scan.h"

static const char *slowly(const char *at, const char *end) {
        while (at < end && *at != '"' && *at != '\\' && (uint8_t)*at >= 0x20 && (uint8_t)*at < 0x80)
                at++;
        return at;
}

// Every way that the machine has stops at the same byte, wherever it stands in however long a text.
static void all_ways_stop_at_the_same_byte(void **state) {
        (void)state;
        static const char *const ways[] = {"scalar", "sse2", "avx2"};
        static const char stops[] = {'"', '\\', '\n', 0, 0x1F, (char)0x80, (char)0xFF, (char)0xC3};
        size_t tried = 0;
        assert_null(scan_plain_way("none"));
        for (size_t size = 0; size < 100; size++) {
                char *text = must_malloc(size + 1);             // of that size: a sanitizer sees what is read beyond
                for (size_t stop = 0; stop <= size; stop++) {
                        memset(text, 0x7F, size);
                        if (stop < size)
                                text[stop] = stops[(stop + size) % sizeof stops];
                        for (size_t from = 0; from <= size; from += 7) {
                                const char *expected = slowly(text + from, text + size);
                                for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
                                        scan_function *scan = scan_plain_way(ways[way]);
                                        if (!scan)
                                                continue;
                                        assert_ptr_equal(scan(text + from, text + size), expected);
                                        tried++;
                                }
                                assert_ptr_equal(scan_plain(text, text + from, text + size), expected);
                                assert_ptr_equal(scan_plain(text + from, text + from, text + size), expected);
                        }
                }
                free_pointer(&text);
        }
        assert_true(tried > 10000);
}

static void white_space_ends_where_it_ends(void **state) {
        (void)state;
        char text[80];
        for (size_t size = 0; size < sizeof text; size++) {
                for (size_t i = 0; i < size; i++)
                        text[i] = " \n\r\t"[i % 4];
                text[size] = '\v';
                assert_ptr_equal(scan_space(text, text + size), text + size);
                assert_ptr_equal(scan_space(text, text + sizeof text), text + size);
        }
}

static void short_integers_are_read_and_others_left(void **state) {
        (void)state;
        static const struct { const char *text; bool small, fraction; int64_t value; } cases[] = {
                {"0", true, false, 0}, {"-0", true, false, 0}, {"7", true, false, 7}, {"-12345678", true, false, -12345678},
                {"1234567", true, false, 1234567}, {"12345678", true, false, 12345678}, {"123456789", true, false, 123456789},
                {"999999999999999999", true, false, 999999999999999999}, {"1000000000000000000", false, false, 0},
                {"1.5", false, true, 0}, {"1e3", false, true, 0}, {"-0.000000000000000000001", false, true, 0},
                {"12.123456", false, true, 0}, {"12.1234567812345678123", false, true, 0}, {"1.5E-7", false, true, 0},
                {"0.5", false, true, 0}, {"1.12345678e2", false, true, 0}, {"0.1234567890123456", false, true, 0},
                {"0.12345678901234567", false, true, 0}, {"0.123456789012345678901234", false, true, 0},
                {"-0.1234567890123456789012345e5", false, true, 0}, {"1e1000000000", false, true, 0},
                {"-10e-1000000000", false, true, 0}, {"0.00001e-999999995", false, true, 0}, {"0.00e1000000000", false, true, 0},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                for (size_t padding = 0; padding < 40; padding++) {
                        struct buffer text = {0};
                        struct scanned_number found;
                        buffer_append(&text, bytes_of(cases[i].text));
                        for (size_t j = 0; j < padding; j++)
                                buffer_append_byte(&text, j ? '9' : ',');
                        const char *end = scan_number(text.data, text.data + text.size, &found);
                        assert_ptr_equal(end, text.data + strlen(cases[i].text));
                        assert_int_equal(found.small, cases[i].small);
                        assert_int_equal(found.fraction, cases[i].fraction);
                        assert_true(!found.small || found.value == cases[i].value);
                        buffer_free(&text);
                }
        }
        static const char *const wrong[] = {"-", "01", "00000000000", "1.", "1e", "1.e1", "-x", "01.5", "1e1000000001", "1.12345678e",
                                            "10e1000000000", "-0.1e-1000000000", "0.00001e-999999996", "0e1000000001"};
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                for (size_t padding = 0; padding < 40; padding += 13) {
                        struct buffer text = {0};
                        struct scanned_number found;
                        buffer_append(&text, bytes_of(wrong[i]));
                        for (size_t j = 0; j < padding; j++)
                                buffer_append_byte(&text, ' ');
                        assert_null(scan_number(text.data, text.data + text.size, &found));
                        buffer_free(&text);
                }
        }
}

static void equal_numbers_have_equal_hashes(void **state) {
        (void)state;
        static const char *const equal[][2] = {{"1", "1.0"}, {"100", "1e2"}, {"-0", "0"}, {"0.10", "1e-1"}, {"12300", "1.23E4"}};
        for (size_t i = 0; i < ARRAY_SIZE(equal); i++)
                assert_int_equal(json_number_hash(bytes_of(equal[i][0]), 5), json_number_hash(bytes_of(equal[i][1]), 5));
        assert_int_not_equal(json_number_hash(BYTES("1"), 5), json_number_hash(BYTES("10"), 5));
        assert_int_not_equal(json_number_hash(BYTES("1"), 5), json_number_hash(BYTES("-1"), 5));
        assert_int_not_equal(json_number_hash(BYTES("1"), 5), json_number_hash(BYTES("1"), 6));
}

// What repeats may be allowed: then the last one counts, at every level and in objects of any size.
static void the_last_of_equal_keys_may_count(void **state) {
        (void)state;
        struct json_limits limits = {.keep_last = true};
        struct arena arena = {0};
        const struct json *root;
        struct buffer text = {0}, written = {0};
        assert_true(json_parse(BYTES("{\"a\":1,\"b\":{\"x\":[1,2],\"x\":{\"y\":0},\"z\":2},\"a\":[3],\"\\u0061\":4}"),
         &limits, &arena, &root,
                               NULL));
        json_write(&written, root);
        assert_true(bytes_equal(buffer_bytes(&written), BYTES("{\"b\":{\"x\":{\"y\":0},\"z\":2},\"a\":4}")));
        for (unsigned i = 0; i < 300; i++)
                buffer_print(&text, "%s\"k%u\":%u", i ? "," : "{", i % 100, i);
        buffer_append_byte(&text, '}');
        assert_false(json_parse(buffer_bytes(&text), NULL, &arena, &root, NULL));
        assert_true(json_parse(buffer_bytes(&text), &limits, &arena, &root, NULL));
        assert_int_equal(json_count(root), 100);
        for (unsigned i = 0; i < 100; i++) {
                char key[8];
                uint64_t value = 0;
                snprintf(key, sizeof key, "k%u", i);
                assert_true(json_to_u64(json_get_text(root, key), &value));
                assert_int_equal(value, 200 + i);
        }
        buffer_free(&text);
        buffer_free(&written);
        arena_free(&arena);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_ways_stop_at_the_same_byte),
                cmocka_unit_test(white_space_ends_where_it_ends),
                cmocka_unit_test(short_integers_are_read_and_others_left),
                cmocka_unit_test(equal_numbers_have_equal_hashes),
                cmocka_unit_test(the_last_of_equal_keys_may_count),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
