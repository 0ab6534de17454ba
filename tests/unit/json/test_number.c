// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/json.h"
#include "json/number.h"

#define N(text) bytes_of(text)

static void numbers_are_compared_exactly(void **state) {
        (void)state;
        static const char *const rising[] = {
                "-1e1000000000", "-123456789012345678901234567891", "-123456789012345678901234567890", "-2", "-1.5", "-1e-5", "0",
                "1e-1000000000", "1e-6", "0.1", "0.10000000000000000000000000001", "0.11", "1", "1.0000001", "9.99", "10",
                "9007199254740992", "9007199254740993", "123456789012345678901234567890", "1e30", "1.1e30", "1e1000000000",
        };
        for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
                for (size_t j = 0; j < ARRAY_SIZE(rising); j++)
                        assert_int_equal(json_number_compare(N(rising[i]), N(rising[j])), (i > j) - (i < j));
        static const char *const ones[] = {"1", "1.0", "1.000", "10e-1", "0.01e2", "1e0", "1E+00", "100000e-5"};
        for (size_t i = 0; i < ARRAY_SIZE(ones); i++)
                assert_int_equal(json_number_compare(N(ones[0]), N(ones[i])), 0);
        assert_int_equal(json_number_compare(N("-0"), N("0e99")), 0);
}

static void integers_are_told_by_value(void **state) {
        (void)state;
        static const char *const whole[] = {"0", "-0.0", "1", "1.0", "1e2", "1.5e1", "120e-1", "0e-5",
                "123456789012345678901234567890"};
        static const char *const broken[] = {"0.5", "1e-1", "1.25e1", "-0.1", "1e-1000000000", "12345678901234567890.1"};
        for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
                assert_true(json_number_is_integer(N(whole[i])));
        for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
                assert_false(json_number_is_integer(N(broken[i])));
}

static void integers_that_fit_are_converted(void **state) {
        (void)state;
        int64_t i = 0;
        uint64_t u = 0;
        assert_true(json_number_to_i64(N("9223372036854775807"), &i) && i == INT64_MAX);
        assert_true(json_number_to_i64(N("-9223372036854775808"), &i) && i == INT64_MIN);
        assert_true(json_number_to_i64(N("-1.20e1"), &i) && i == -12);
        assert_true(json_number_to_i64(N("-0"), &i) && i == 0);
        assert_true(json_number_to_u64(N("18446744073709551615"), &u) && u == UINT64_MAX);
        assert_true(json_number_to_u64(N("0e1000000000"), &u) && u == 0);
        assert_false(json_number_to_i64(N("9223372036854775808"), &i));
        assert_false(json_number_to_i64(N("-9223372036854775809"), &i));
        assert_false(json_number_to_u64(N("18446744073709551616"), &u));
        assert_false(json_number_to_u64(N("-1"), &u));
        assert_false(json_number_to_u64(N("1.5"), &u));
        assert_false(json_number_to_u64(N("1e1000000000"), &u));
}

static void multiples_are_exact(void **state) {
        (void)state;
        static const struct { const char *number, *divisor; bool multiple; } cases[] = {
                {"0", "3", true}, {"9", "3", true}, {"10", "3", false}, {"-9", "3", true}, {"4.5", "1.5", true},
                {"35", "1.5", false},
                {"0.0075", "0.0001", true}, {"0.00751", "0.0001", false}, {"19.99", "0.01", true}, {"0.3", "0.1", true},
                {"1e308", "0.123456789", false}, {"12391239123", "1e-8", true}, {"9007199254740993", "2", false},
                {"1e1000000000", "1024", true}, {"1e1000000000", "3", false}, {"1e-1000000000", "1", false}, {"50", "100", false},
                {"1e400", "1606938044258990275541962092341162602522202993782792835301376", true},       // 2^200
                {"1e199", "1606938044258990275541962092341162602522202993782792835301376", false},
                {"123456789012345678901234567890123456789", "123456789012345678901234567890123456789", true},
                {"246913578024691357802469135780246913578", "123456789012345678901234567890123456789", true},
                {"246913578024691357802469135780246913579", "123456789012345678901234567890123456789", false},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (json_number_is_multiple(N(cases[i].number), N(cases[i].divisor)) != cases[i].multiple)
                        fail_msg("%s by %s", cases[i].number, cases[i].divisor);
        char divisor[JSON_DIVISOR_DIGITS_MAX + 1] = {0}, twice[JSON_DIVISOR_DIGITS_MAX + 2] = {0};
        memset(divisor, '9', JSON_DIVISOR_DIGITS_MAX);
        memset(twice, '9', JSON_DIVISOR_DIGITS_MAX + 1);
        twice[0] = '1';
        twice[JSON_DIVISOR_DIGITS_MAX] = '8';
        assert_int_equal(json_number_digits(N(divisor)), JSON_DIVISOR_DIGITS_MAX);
        assert_true(json_number_is_multiple(N(twice), N(divisor)));
        twice[JSON_DIVISOR_DIGITS_MAX] = '9';
        assert_false(json_number_is_multiple(N(twice), N(divisor)));
}

static uint64_t random_next(uint64_t *state) {
        *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
        return *state;
}

// Digits of which many are 0 or 9, the last one neither.
static void random_digits(uint64_t *state, char *text, size_t count) {
        for (size_t i = 0; i < count; i++)
                text[i] = random_next(state) % 3 ? (random_next(state) % 2 ? '9' : '0') : (char)('0' + random_next(state) % 10);
        text[0] = text[count - 1] = '7';
        text[count] = '\0';
}

// As at school.
static void multiply(const char *a, const char *b, char *product) {
        size_t m = strlen(a), n = strlen(b);
        memset(product, 0, m + n + 1);
        for (size_t i = m; i-- > 0; ) {
                unsigned carry = 0;
                for (size_t j = n; j-- > 0; carry /= 10) {
                        carry += (unsigned)(product[i + j + 1] + (a[i] - '0') * (b[j] - '0'));
                        product[i + j + 1] = (char)(carry % 10);
                }
                product[i] = (char)carry;
        }
        for (size_t i = 0; i < m + n; i++)
                product[i] = (char)(product[i] + '0');
        if (product[0] == '0')
                memmove(product, product + 1, m + n);
}

static void products_are_multiples_and_their_neighbours_are_not(void **state) {
        (void)state;
        static char a[2001], b[JSON_DIVISOR_DIGITS_MAX + 1], product[3010];
        uint64_t random = 88172645463325252u;
        for (int round = 0; round < 1500; round++) {
                size_t size = round % 10 ? 19 + random_next(&random) % 60 : 900 + random_next(&random) % 101;
                random_digits(&random, b, size);
                random_digits(&random, a, round % 3 ? 1 + random_next(&random) % 80 : 1 + random_next(&random) % 600);
                multiply(a, b, product);
                size_t last = strlen(product) - 1;
                if (!json_number_is_multiple(N(product), N(b)))
                        fail_msg("%s is no multiple of %s", product, b);
                memcpy(product + last + 1, "e12", 4);
                assert_true(json_number_is_multiple(N(product), N(b)));
                product[last] = (char)(product[last] == '9' ? '8' : product[last] + 1);
                assert_false(json_number_is_multiple(N(product), N(b)));         // the divisor ends in 7: no power of ten helps
                product[last + 1] = '\0';
                assert_false(json_number_is_multiple(N(product), N(b)));
        }
}

static void small_numbers_come_to_the_same(void **state) {
        (void)state;
        static const char *const numbers[] = {
                "0", "-0", "0.0", "-0.00", "1", "1.0", "-1", "0.1", "0.10", "-0.5", "0.30000000000000000", "0.3", "2.5",
                "999999999999999999",
                "-999999999999999999", "99999999999999999.9", "0.00000000000000001", "-0.00000000000000001", "12.34", "1234", "0.01", "100",
        };
        static const char *const large[] = {"1000000000000000000", "0.000000000000000001", "1e1", "1E0", "99999999999999999.99", "1.0e0"};
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
                for (size_t j = 0; j < ARRAY_SIZE(numbers); j++) {
                        struct json_small a = {0}, b = {0};
                        assert_true(json_number_to_small(N(numbers[i]), &a) && json_number_to_small(N(numbers[j]), &b));
                        assert_int_equal(json_small_compare(a, b), json_number_compare(N(numbers[i]), N(numbers[j])));
                        if (b.mantissa > 0 && json_small_is_multiple(a, b) != json_number_is_multiple(N(numbers[i]), N(numbers[j])))
                                fail_msg("%s by %s", numbers[i], numbers[j]);
                }
        }
        for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
                struct json_small a = {7, 7};
                assert_false(json_number_to_small(N(large[i]), &a));
                assert_int_equal(a.mantissa, 7);                // untouched
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_are_compared_exactly),
                cmocka_unit_test(integers_are_told_by_value),
                cmocka_unit_test(integers_that_fit_are_converted),
                cmocka_unit_test(multiples_are_exact), cmocka_unit_test(products_are_multiples_and_their_neighbours_are_not),
                cmocka_unit_test(small_numbers_come_to_the_same),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
