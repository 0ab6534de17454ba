// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/table.h"

struct number {
        uint64_t value;
        bool inside;
};

static bool number_equal(const void *element, const void *key) {
        return ((const struct number *)element)->value == *(const uint64_t *)key;
}

// 64 numbers share 8 hashes, so runs are long and wrap; a plain array says what must be in the table.
static void removal_keeps_every_run_reachable(void **state) {
        (void)state;
        struct number numbers[64];
        struct table table = {0};
        uint64_t random = 88172645463325252u;
        for (uint64_t i = 0; i < 64; i++)
                numbers[i] = (struct number){i, false};
        for (int round = 0; round < 20000; round++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                struct number *number = &numbers[random % 64];
                uint64_t hash = number->value % 8 * 1009;
                struct number *found = table_find(&table, hash, &number->value, number_equal);
                assert_ptr_equal(found, number->inside ? number : NULL);
                if (number->inside)
                        assert_ptr_equal(table_remove(&table, hash, &number->value, number_equal), number);
                else
                        table_insert(&table, hash, number);
                number->inside = !number->inside;
        }
        size_t at = 0, seen = 0;
        for (struct number *number; (number = table_next(&table, &at)); seen++)
                assert_true(number->inside);
        assert_int_equal(seen, table.count);
        table_free(&table);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(removal_keeps_every_run_reachable)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
