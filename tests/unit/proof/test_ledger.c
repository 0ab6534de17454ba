// SPDX-License-Identifier: Apache-2.0
// The ledger's table against record.h's sentences, written down here once more; and its equations.
#include "proof/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static enum ledger_state after(enum ledger_state state, enum record_kind kind, unsigned flags) {
        struct ledger_sums sums = {0};
        sums.count[state] = state != LEDGER_NONE;
        struct record record = {.kind = kind, .flags = flags, .shard = 1, .reference = 17};
        struct error error;
        if (!ledger_step(&state, &record, &sums, &error))
                return LEDGER_ACCOUNT_COUNT;
        for (unsigned account = LEDGER_OPEN; account < LEDGER_STATE_COUNT; account++)
                assert_int_equal(sums.count[account], account == (unsigned)state);      // one unit, in the new state's account
        return state;
}

static void what_follows_what(void **unused) {
        (void)unused;
        static const struct {
                enum ledger_state before;
                enum record_kind kind;
                enum ledger_state after;
        } legal[] = {
                {LEDGER_NONE, RECORD_INTENT, LEDGER_OPEN}, {LEDGER_NONE, RECORD_MESSAGE, LEDGER_WAITING},
                {LEDGER_NONE, RECORD_CAPTURE, LEDGER_CAPTURING},
                {LEDGER_OPEN, RECORD_ANSWERED, LEDGER_ANSWERED}, {LEDGER_OPEN, RECORD_REFUSED, LEDGER_REFUSED},
                {LEDGER_OPEN, RECORD_INDETERMINATE, LEDGER_CALL_INDETERMINATE},
                {LEDGER_CALL_INDETERMINATE, RECORD_ANSWERED, LEDGER_ANSWERED},
                {LEDGER_CALL_INDETERMINATE, RECORD_INDETERMINATE, LEDGER_CALL_INDETERMINATE},
                {LEDGER_CALL_INDETERMINATE, RECORD_SETTLED, LEDGER_CALL_SETTLED},
                {LEDGER_WAITING, RECORD_ATTEMPT, LEDGER_TRYING}, {LEDGER_WAITING, RECORD_NOT_DONE, LEDGER_WAITING},
                {LEDGER_WAITING, RECORD_DELIVERED, LEDGER_DELIVERED}, {LEDGER_WAITING, RECORD_PARKED, LEDGER_PARKED},
                {LEDGER_WAITING, RECORD_INDETERMINATE, LEDGER_INDETERMINATE},
                {LEDGER_WAITING, RECORD_DISCARDED, LEDGER_DISCARDED},
                {LEDGER_TRYING, RECORD_NOT_DONE, LEDGER_WAITING}, {LEDGER_TRYING, RECORD_DELIVERED, LEDGER_DELIVERED},
                {LEDGER_TRYING, RECORD_PARKED, LEDGER_PARKED}, {LEDGER_TRYING, RECORD_INDETERMINATE, LEDGER_INDETERMINATE},
                {LEDGER_TRYING, RECORD_DISCARDED, LEDGER_DISCARDED},
                {LEDGER_INDETERMINATE, RECORD_NOT_DONE, LEDGER_INDETERMINATE},
                {LEDGER_INDETERMINATE, RECORD_INDETERMINATE, LEDGER_INDETERMINATE},
                {LEDGER_INDETERMINATE, RECORD_DELIVERED, LEDGER_DELIVERED},
                {LEDGER_INDETERMINATE, RECORD_PARKED, LEDGER_PARKED}, {LEDGER_INDETERMINATE, RECORD_SETTLED, LEDGER_SETTLED},
                {LEDGER_PARKED, RECORD_RETRY, LEDGER_WAITING}, {LEDGER_PARKED, RECORD_SETTLED, LEDGER_SETTLED},
                {LEDGER_PARKED, RECORD_DISCARDED, LEDGER_DISCARDED},
                {LEDGER_CAPTURING, RECORD_MESSAGE, LEDGER_CAPTURED},
                {LEDGER_CAPTURING, RECORD_CAPTURE_REFUSED, LEDGER_CAPTURE_REFUSED},
                {LEDGER_CAPTURING, RECORD_CAPTURE_UNKNOWN, LEDGER_CAPTURE_UNKNOWN},
                {LEDGER_CAPTURING, RECORD_CAPTURE_CLEAN, LEDGER_CAPTURE_CLEAN},
                {LEDGER_CAPTURE_UNKNOWN, RECORD_CAPTURE_UNKNOWN, LEDGER_CAPTURE_UNKNOWN},
                {LEDGER_CAPTURE_UNKNOWN, RECORD_CAPTURE_CLEAN, LEDGER_CAPTURE_CLEAN},
        };
        static const enum record_kind kinds[] = {
#define X(name, number) RECORD_##name,
                RECORD_KINDS(X)
#undef X
        };
        size_t seen = 0;
        for (unsigned state = LEDGER_NONE; state < LEDGER_STATE_COUNT; state++)
                for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                        enum ledger_state wanted = LEDGER_ACCOUNT_COUNT;
                        if (state == LEDGER_NONE &&
                            (kinds[k] < RECORD_INTENT || kinds[k] == RECORD_SHADOW || kinds[k] == RECORD_REPEAT))
                                wanted = LEDGER_NONE;
                        for (size_t i = 0; i < ARRAY_SIZE(legal); i++)
                                if ((unsigned)legal[i].before == state && legal[i].kind == kinds[k])
                                        wanted = legal[i].after, seen++;
                        assert_int_equal(after((enum ledger_state)state, kinds[k], 0), wanted);
                }
        assert_int_equal(seen, ARRAY_SIZE(legal));
}

static void repeats_count_what_their_records_stand_for(void **unused) {
        (void)unused;
        struct ledger_sums sums = {0};
        static const uint32_t stand_for[] = {0, 1, 1000};       // 0: written before records stood for more than one
        for (size_t i = 0; i < ARRAY_SIZE(stand_for); i++) {
                enum ledger_state state = LEDGER_NONE;
                struct error error;
                struct record record = {.kind = RECORD_REPEAT, .shard = 1, .attempt = stand_for[i]};
                assert_true(ledger_step(&state, &record, &sums, &error));
        }
        assert_int_equal(sums.count[LEDGER_REPEATS], 1002);
}

static void flags_decide(void **unused) {
        (void)unused;
        assert_int_equal(after(LEDGER_NONE, RECORD_MESSAGE, RECORD_KEPT), LEDGER_DELIVERED);
        // what nobody knows is released, or dropped, by a person alone
        assert_int_equal(after(LEDGER_CALL_INDETERMINATE, RECORD_REFUSED, 0), LEDGER_ACCOUNT_COUNT);
        assert_int_equal(after(LEDGER_CALL_INDETERMINATE, RECORD_REFUSED, RECORD_BY_PERSON), LEDGER_REFUSED);
        assert_int_equal(after(LEDGER_INDETERMINATE, RECORD_DISCARDED, 0), LEDGER_ACCOUNT_COUNT);
        assert_int_equal(after(LEDGER_INDETERMINATE, RECORD_DISCARDED, RECORD_BY_PERSON), LEDGER_DISCARDED);
        // a late answer says nothing about the key any more; a re-read does
        assert_int_equal(after(LEDGER_CAPTURE_UNKNOWN, RECORD_MESSAGE, 0), LEDGER_ACCOUNT_COUNT);
        assert_int_equal(after(LEDGER_CAPTURE_UNKNOWN, RECORD_MESSAGE, RECORD_REREAD), LEDGER_CAPTURE_CLEAN);
}

static void impossible_steps_name_both_sides(void **unused) {
        (void)unused;
        struct ledger_sums sums = {0};
        struct error error;
        enum ledger_state state = LEDGER_PARKED;
        sums.count[LEDGER_PARKED] = 1;
        struct record record = {.kind = RECORD_DELIVERED, .shard = 1, .reference = 17};
        assert_false(ledger_step(&state, &record, &sums, &error));
        assert_string_equal(error.text, "DELIVERED of 17, which is \"parked\"");
        assert_int_equal(state, LEDGER_PARKED);
        assert_int_equal(sums.count[LEDGER_PARKED], 1);
        assert_int_equal(sums.count[LEDGER_DELIVERED], 0);
}

static void what_no_communication_published_is_an_account_of_its_own(void **unused) {
        (void)unused;
        struct ledger_sums sums = {0};
        struct error error;
        enum ledger_state state = LEDGER_NONE;
        struct record record = {.kind = RECORD_MESSAGE};
        assert_true(ledger_step(&state, &record, &sums, &error));
        assert_int_equal(state, LEDGER_NONE);
        assert_int_equal(sums.count[LEDGER_OUTSIDE], 1);
        assert_int_equal(sums.count[LEDGER_ADMITTED], 0);
}

static void sums_that_do_not_add_up_are_told_apart(void **unused) {
        (void)unused;
        struct ledger_sums sums = {0};
        struct error error;
        assert_true(ledger_check(&sums, &error));
        sums.count[LEDGER_ADMITTED] = 3;
        sums.count[LEDGER_OPEN] = 1;
        sums.count[LEDGER_APPENDED] = sums.count[LEDGER_WAITING] = 1;
        assert_false(ledger_check(&sums, &error));
        assert_string_equal(error.text, "the ledger does not add up: 3 admitted, but 1 open + 0 answered + 0 refused + "
                                        "0 call indeterminate + 0 call settled by hand + 1 appended = 2");
        sums.count[LEDGER_ANSWERED] = 1;
        assert_true(ledger_check(&sums, &error));
        sums.count[LEDGER_PARKED] = 1;
        assert_false(ledger_check(&sums, &error));
        assert_non_null(strstr(error.text, "1 appended, but 1 waiting"));
        sums.count[LEDGER_PARKED] = 0;
        sums.count[LEDGER_CAPTURED] = 1;
        assert_false(ledger_check(&sums, &error));
        assert_non_null(strstr(error.text, "0 captures, but"));
        sums.count[LEDGER_CAPTURED] = -1;
        sums.count[LEDGER_CAPTURES] = -1;
        assert_false(ledger_check(&sums, &error));
        assert_string_equal(error.text, "the ledger is below zero: -1 captured");
}

static void accounts_are_found_by_their_names(void **unused) {
        (void)unused;
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++)
                assert_int_equal(ledger_account_of(bytes_of(ledger_account_name((enum ledger_state)account))), account);
        assert_int_equal(ledger_account_of(BYTES("nonsense")), LEDGER_NONE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_follows_what),
                cmocka_unit_test(flags_decide),
                cmocka_unit_test(repeats_count_what_their_records_stand_for),
                cmocka_unit_test(impossible_steps_name_both_sides),
                cmocka_unit_test(what_no_communication_published_is_an_account_of_its_own),
                cmocka_unit_test(sums_that_do_not_add_up_are_told_apart),
                cmocka_unit_test(accounts_are_found_by_their_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
