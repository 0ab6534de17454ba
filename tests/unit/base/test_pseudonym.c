// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/pseudonym.h"

static const uint8_t key[PSEUDONYM_KEY_SIZE] = {1, 2, 3}, other_key[PSEUDONYM_KEY_SIZE] = {1, 2, 4};

static struct buffer made(struct pseudonyms *pseudonyms, const char *purpose, struct bytes value) {
        struct buffer text = {0};
        struct error error;
        if (!pseudonym_make(pseudonyms, bytes_of(purpose), value, &text, &error))
                fail_msg("%s", error.text);
        return text;
}

static void a_value_comes_back_and_is_the_same_each_time(void **state) {
        (void)state;
        struct pseudonyms *pseudonyms = pseudonyms_new(key);
        static char longest[PSEUDONYM_VALUE_MAX];
        memset(longest, 'x', sizeof longest);
        for (size_t i = 1; i <= 41; i++) {
                size_t size = i <= 40 ? i : sizeof longest;
                struct bytes value = {longest, size};
                CLEANUP(buffer_free) struct buffer first = made(pseudonyms, "portal", value);
                CLEANUP(buffer_free) struct buffer again = made(pseudonyms, "portal", value);
                CLEANUP(buffer_free) struct buffer back = {0};
                assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&again)));
                assert_int_equal(first.size, ((size + PSEUDONYM_OVERHEAD) * 8 + 5) / 6);
                assert_true(pseudonym_resolve(pseudonyms, BYTES("portal"), buffer_bytes(&first), &back, NULL));
                assert_true(bytes_equal(buffer_bytes(&back), value));
        }
        pseudonyms_free(pseudonyms);
}

static void purposes_and_keys_have_nothing_in_common(void **state) {
        (void)state;
        struct pseudonyms *pseudonyms = pseudonyms_new(key), *others = pseudonyms_new(other_key), *same = pseudonyms_new(key);
        CLEANUP(buffer_free) struct buffer portal = made(pseudonyms, "portal", BYTES("17"));
        CLEANUP(buffer_free) struct buffer accruals = made(pseudonyms, "accruals", BYTES("17"));
        CLEANUP(buffer_free) struct buffer elsewhere = made(others, "portal", BYTES("17"));
        CLEANUP(buffer_free) struct buffer back = {0};
        struct error error;
        assert_false(bytes_equal(buffer_bytes(&portal), buffer_bytes(&accruals)));
        assert_false(bytes_equal(buffer_bytes(&portal), buffer_bytes(&elsewhere)));
        assert_false(pseudonym_resolve(pseudonyms, BYTES("accruals"), buffer_bytes(&portal), &back, &error));
        assert_int_equal(error.code, ERROR_REJECTED);
        assert_false(pseudonym_resolve(others, BYTES("portal"), buffer_bytes(&portal), &back, &error));
        assert_int_equal(back.size, 0);
        assert_true(pseudonym_resolve(same, BYTES("portal"), buffer_bytes(&portal), &back, &error));
        char a[17], b[17], c[17];
        pseudonyms_fingerprint(pseudonyms, a);
        pseudonyms_fingerprint(others, b);
        pseudonyms_fingerprint(same, c);
        assert_string_equal(a, c);
        assert_string_not_equal(a, b);
        pseudonyms_free(pseudonyms);
        pseudonyms_free(others);
        pseudonyms_free(same);
}

// Any one changed character, any cut, any tail: refused, and with one sentence.
static void what_was_not_made_is_refused(void **state) {
        (void)state;
        struct pseudonyms *pseudonyms = pseudonyms_new(key);
        for (size_t size = 1; size < 8; size++) {
                CLEANUP(buffer_free) struct buffer text = made(pseudonyms, "p", (struct bytes){"{\"a\":17}", size});
                struct error error, first = {0};
                CLEANUP(buffer_free) struct buffer back = {0};
                for (size_t i = 0; i < text.size; i++) {
                        char was = text.data[i];
                        for (const char *to = "ABw_-=+ \xff"; *to; to++) {
                                if (*to == was)
                                        continue;
                                text.data[i] = *to;
                                assert_false(pseudonym_resolve(pseudonyms, BYTES("p"), buffer_bytes(&text), &back, &error));
                                if (!first.code)
                                        first = error;
                                assert_string_equal(first.text, error.text);
                        }
                        text.data[i] = was;
                        assert_false(pseudonym_resolve(pseudonyms, BYTES("p"), (struct bytes){text.data, i}, &back, &error));
                        assert_string_equal(first.text, error.text);
                }
                buffer_append_byte(&text, 'A');
                assert_false(pseudonym_resolve(pseudonyms, BYTES("p"), buffer_bytes(&text), &back, &error));
        }
        pseudonyms_free(pseudonyms);
}

static void limits_are_kept(void **state) {
        (void)state;
        struct pseudonyms *pseudonyms = pseudonyms_new(key);
        CLEANUP(buffer_free) struct buffer out = {0};
        struct error error;
        static char text[2 * PSEUDONYM_VALUE_MAX];
        memset(text, 'A', sizeof text);
        assert_false(pseudonym_make(pseudonyms, BYTES("p"), (struct bytes){text, PSEUDONYM_VALUE_MAX + 1}, &out, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_false(pseudonym_make(pseudonyms, BYTES("p"), BYTES(""), &out, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_false(pseudonym_make(pseudonyms, BYTES(""), BYTES("1"), &out, &error));
        assert_false(pseudonym_make(pseudonyms, (struct bytes){text, PSEUDONYM_PURPOSE_MAX + 1}, BYTES("1"), &out, &error));
        assert_false(pseudonym_resolve(pseudonyms, BYTES("p"), (struct bytes){text, sizeof text}, &out, &error));
        assert_int_equal(error.code, ERROR_REJECTED);
        char name[16];
        for (int i = 0; i < PSEUDONYM_PURPOSES_MAX - 1; i++) {          // "p" is the first
                int size = snprintf(name, sizeof name, "p%d", i);
                assert_true(pseudonym_make(pseudonyms, (struct bytes){name, (size_t)size}, BYTES("1"), &out, &error));
        }
        assert_false(pseudonym_make(pseudonyms, BYTES("one more"), BYTES("1"), &out, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_true(pseudonym_make(pseudonyms, BYTES("p0"), BYTES("1"), &out, &error));
        pseudonyms_free(pseudonyms);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_value_comes_back_and_is_the_same_each_time),
                cmocka_unit_test(purposes_and_keys_have_nothing_in_common),
                cmocka_unit_test(what_was_not_made_is_refused),
                cmocka_unit_test(limits_are_kept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
