// SPDX-License-Identifier: Apache-2.0
// The tables walked both ways, gates, commands, ways back: against a scripted world.
#include "fake.h"

// ---- there and back ----

static void goes_to_async_and_back(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        assert_true(fake->polling);
        fake_until(fake, MIGRATE_DONE, "clean");
        assert_int_equal(fake->gateway.mode, LANE_ASYNC);
        assert_int_equal(fake->registered, 1);
        assert_false(fake->gateway.shadow);
        assert_false(fake->switched_unseen);
        assert_false(fake->polling);
        fake_begin(fake, MODEL_SYNC, true);
        assert_int_equal(fake_migration(fake)->now->id, 2);
        fake_until(fake, MIGRATE_DONE, "clean");
        assert_int_equal(fake->gateway.mode, LANE_PLAIN);
        fake_free(fake);
}

static void each_act_waits_for_advance(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        static const char *const to_async[] = {"registered", "producer", "switch", "clean"};
        static const char *const to_sync[] = {"switch", "consumer-off", "clean"};
        fake_begin(fake, MODEL_ASYNC, false);
        for (size_t i = 0; i < ARRAY_SIZE(to_async); i++) {
                fake_until(fake, MIGRATE_READY, to_async[i]);
                fake_ticks(fake, 5);
                assert_int_equal(fake_state(fake), MIGRATE_READY);
                fake_do(fake, MIGRATE_ADVANCE);
                assert_done(fake);
        }
        fake_until(fake, MIGRATE_DONE, "");
        fake_begin(fake, MODEL_SYNC, false);
        for (size_t i = 0; i < ARRAY_SIZE(to_sync); i++) {
                fake_until(fake, MIGRATE_READY, to_sync[i]);
                fake_do(fake, MIGRATE_ADVANCE);
                assert_done(fake);
        }
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

// ---- gates ----

static void no_traffic_is_no_evidence(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->traffic = 0;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_ticks(fake, 3600 * 5);             // an hour, far beyond ten minutes
        assert_int_equal(fake_state(fake), MIGRATE_GATE);
        assert_says(fake, "step 4 of 7, the producer sends the event, in shadow; gate: no call has come for 3600 s");
        fake->traffic = 1;
        fake_ticks(fake, 2);
        assert_string_not_equal(fake_step(fake), "producer");
        fake_until(fake, MIGRATE_GATE, "old-way-off");
        fake->traffic = 0;
        fake_free(fake);
}

static void comparisons_are_counted(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->traffic = 3;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_ticks(fake, 2);
        assert_says(fake, "gate: 6 of 20 comparisons, none differs");
        fake_free(fake);
}

static void a_difference_fails_with_the_counterexample(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake->differ = 1;
        fake_tick(fake);
        assert_says(fake, "gate: 1 of 5 comparisons differs; first: body /task_id: 17, 4");
        assert_int_equal(fake_migration(fake)->now->evidence[3].verdict, MIGRATE_FAIL);
        size_t records = fake->record_count;
        fake_ticks(fake, 50);
        assert_int_equal(fake->record_count, records);          // recorded once
        assert_int_equal(fake_state(fake), MIGRATE_GATE);
        fake_do(fake, MIGRATE_CANCEL);
        assert_done(fake);
        fake_until(fake, MIGRATE_CANCELLED, "");
        assert_int_equal(fake->gateway.mode, LANE_PLAIN);
        assert_false(fake->gateway.shadow);
        fake_free(fake);
}

static void the_old_way_needs_traffic_by_the_new_one(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "switch");
        fake->traffic = 0;
        fake_until(fake, MIGRATE_GATE, "old-way-off");
        fake_ticks(fake, 100);
        assert_says(fake, "no message has come by the new way yet");
        fake->traffic = 1;
        fake_until(fake, MIGRATE_DONE, "");
        assert_non_null(strstr(fake_migration(fake)->now->evidence[5].sentence, "bypasses the gateway would not be seen"));
        fake_free(fake);
}

static void calls_without_records_are_waited_for(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->plain_under_way = 2;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "producer");
        fake_ticks(fake, 20);
        assert_says(fake, "acting: 2 calls of before the records are under way");
        assert_int_equal(fake->orders[GATEWAY_SHADOW], 0);
        fake->plain_under_way = 0;
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_free(fake);
}

static void indeterminate_calls_hold_the_switch(void **test) {
        (void)test;
        struct fake *fake = fake_new("none");
        fake->calls_indeterminate = 1;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "switch");
        fake_ticks(fake, 20);
        assert_says(fake, "nobody knows the outcome of 1 call of before, and a person has to settle each");
        fake->calls_indeterminate = 0;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

static void parked_lanes_hold_the_way_to_sync(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->gateway.mode = LANE_ASYNC;
        fake->left_by_switch = 8;
        fake->parked = 1;
        fake_begin(fake, MODEL_SYNC, true);
        fake_until(fake, MIGRATE_ACTING, "switch");
        fake_ticks(fake, 2);
        assert_says(fake, "lanes still async: 1 parked, backlog ");
        assert_says(fake, "a person has to settle");
        fake_until(fake, MIGRATE_BEFORE, "drained");
        fake_ticks(fake, 10);
        assert_string_equal(fake_step(fake), "drained");
        fake->parked = 0;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

// ---- the provider ----

static void an_absent_provider_is_waited_for(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->answers = fake->probed = false;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_PERSON, "consumer");
        assert_says(fake, "waits for you: bonuses is away");
        fake_do(fake, MIGRATE_ADVANCE);
        assert_refused(fake, ERROR_CONFLICT, "bonuses is away");
        fake->answers = fake->probed = true;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

static void a_probe_that_is_not_recognised_fails(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->replayed = false;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_ticks(fake, 20);
        assert_string_equal(fake_step(fake), "consumer");
        assert_says(fake, "does not show that it recognises Idempotency-Key");
        assert_int_equal(fake_migration(fake)->now->evidence[2].verdict, MIGRATE_FAIL);
        fake_free(fake);
}

static void without_a_probe_a_natural_repeat_is_waited_for(void **test) {
        (void)test;
        struct fake *fake = fake_new("{header: Idempotency-Key, replayed: \"Idempotent-Replayed: true\"}");
        fake->probed = false;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_ticks(fake, 100);
        assert_int_equal(fake_state(fake), MIGRATE_GATE);
        assert_says(fake, "no repeat has been recognised yet");
        fake->gateway.recognised = 1;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

static void what_nothing_can_show_is_not_believed(void **test) {
        (void)test;
        struct fake *fake = fake_new("Idempotency-Key");
        fake->probed = false;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_PERSON, "consumer");
        assert_says(fake, "nothing can show that Idempotency-Key is recognised");
        fake_free(fake);
}

static void a_provider_that_recognises_nothing_passes_with_its_price(void **test) {
        (void)test;
        struct fake *fake = fake_new("none");
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_DONE, "");
        assert_non_null(strstr(fake_migration(fake)->now->evidence[2].sentence, "parked for a person"));
        fake_free(fake);
}

static void a_schema_that_cannot_be_registered_fails(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->register_fails = true;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_ticks(fake, 10);
        assert_string_equal(fake_step(fake), "registered");
        assert_says(fake, "version 0 of Completed cannot be registered: keyword unknown");
        fake->register_fails = false;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

// ---- void evidence ----

static void a_failing_log_voids_the_evidence(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, false);
        fake_until(fake, MIGRATE_READY, "registered");
        fake_do(fake, MIGRATE_ADVANCE);
        fake_until(fake, MIGRATE_READY, "producer");
        fake_do(fake, MIGRATE_ADVANCE);
        fake_until(fake, MIGRATE_READY, "switch");
        fake->gateway.mode = LANE_PLAIN;        // in memory first
        fake->gateway.shadow = false;
        fake->gateway.steps_back++;
        fake_until(fake, MIGRATE_ACTING, "producer");
        assert_int_equal(fake_migration(fake)->now->evidence[3].verdict, MIGRATE_NONE);
        fake_until(fake, MIGRATE_READY, "switch");
        assert_true(fake->gateway.compared >= 20);
        fake_free(fake);
}

static void another_configuration_voids_the_evidence(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        const struct model *before = fake->model;
        fake->model = fake_model(fake, FAKE_PROBED, 11);
        fake->communication = model_communication_find(fake->model, BYTES("COMM-040"));
        fake_kill(fake, fake->record_count - 1);
        model_unref(before);
        const struct migration_state *now = fake_migration(fake)->now;
        bool noted = false;
        for (size_t i = 0; i < now->history_count; i++)
                noted |= strcmp(now->history[i].what, "the evidence is void: the configuration has changed") == 0 &&
                         strcmp(now->history[i].step, "producer") == 0;
        assert_true(noted);
        fake_until(fake, MIGRATE_DONE, "");
        assert_false(fake->switched_unseen);
        now = fake_migration(fake)->now;
        for (size_t i = 0; i < now->table->count; i++)
                assert_string_equal(now->evidence[i].configuration, fake->model->hash_text);
        fake_free(fake);
}

// ---- commands ----

static void impossible_migrations_are_refused(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        static const struct {
                const char *name;
                enum model_mode to;
                enum error_code code;
                const char *part;
        } cases[] = {
                {"COMM-010", MODEL_ASYNC, ERROR_UNSUPPORTED, "has no `async` in the configuration"},
                {"COMM-040", MODEL_PULL, ERROR_UNSUPPORTED, "it is sync or async, never pull"},
                {"COMM-040", MODEL_SYNC, ERROR_CONFLICT, "COMM-040 is sync already"},
                {"COMM-041", MODEL_ASYNC, ERROR_UNSUPPORTED, "COMM-041 has no `async` in the configuration"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                fake_give(fake, cases[i].name, MIGRATE_BEGIN, cases[i].to, true);
                fake_run(fake);
                assert_true(fake->answered);
                assert_refused(fake, cases[i].code, cases[i].part);
        }
        static const enum migrate_order orders[] = {MIGRATE_ADVANCE, MIGRATE_PAUSE, MIGRATE_ROLLBACK, MIGRATE_CANCEL};
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
                fake_do(fake, orders[i]);
                assert_refused(fake, ERROR_NOT_FOUND, "no migration is under way");
        }
        assert_int_equal(fake->record_count, 0);
        fake_free(fake);
}

static void the_second_of_two_commands_is_refused(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_give(fake, "COMM-040", MIGRATE_BEGIN, MODEL_ASYNC, false);
        assert_false(fake->answered);
        fake_give(fake, "COMM-040", MIGRATE_BEGIN, MODEL_ASYNC, false);
        assert_true(fake->answered);
        assert_refused(fake, ERROR_CONFLICT, "another command (begin) is under way");
        fake_run(fake);
        assert_done(fake);
        fake_give(fake, "COMM-040", MIGRATE_BEGIN, MODEL_ASYNC, false);
        assert_refused(fake, ERROR_CONFLICT, "a migration is under way, at the step registered");
        fake_free(fake);
}

static void advance_says_what_is_missing(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->traffic = 0;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_do(fake, MIGRATE_ADVANCE);
        assert_refused(fake, ERROR_CONFLICT, "producer: no call has come");
        fake_free(fake);
}

static void nothing_is_begun_when_commute_ends(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->traffic = 0;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_give(fake, "COMM-040", MIGRATE_ADVANCE, MODEL_ASYNC, false);
        assert_false(fake->answered);
        migrate_stop(fake->migrate);
        assert_true(fake->answered);
        assert_refused(fake, ERROR_UNAVAILABLE, "commute is ending");
        assert_false(fake->polling);
        fake_do(fake, MIGRATE_PAUSE);
        assert_refused(fake, ERROR_UNAVAILABLE, "commute is starting or ending");
        fake_free(fake);
}

static void a_paused_migration_stays(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_do(fake, MIGRATE_PAUSE);
        assert_done(fake);
        fake_ticks(fake, 100);
        assert_int_equal(fake_state(fake), MIGRATE_PAUSED);
        assert_true(fake->gateway.shadow);
        fake_do(fake, MIGRATE_PAUSE);
        assert_refused(fake, ERROR_CONFLICT, "paused already");
        fake_do(fake, MIGRATE_ADVANCE);
        assert_done(fake);
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

static void rollback_goes_one_step_and_pauses(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->traffic = 5;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "switch");
        fake->traffic = 0;
        fake_until(fake, MIGRATE_GATE, "old-way-off");
        fake_do(fake, MIGRATE_ROLLBACK);
        assert_done(fake);
        fake_until(fake, MIGRATE_PAUSED, "switch");
        assert_int_equal(fake->gateway.mode, LANE_RECORD);
        fake_ticks(fake, 20);
        assert_int_equal(fake_state(fake), MIGRATE_PAUSED);
        fake_do(fake, MIGRATE_ROLLBACK);
        fake_until(fake, MIGRATE_PAUSED, "producer");
        assert_int_equal(fake->gateway.mode, LANE_PLAIN);
        fake_do(fake, MIGRATE_ROLLBACK);
        assert_refused(fake, ERROR_CONFLICT, "no step has been taken that could be undone");
        fake->traffic = 5;
        fake->switched_unseen = false;
        fake_do(fake, MIGRATE_ADVANCE);
        fake_until(fake, MIGRATE_DONE, "");
        assert_false(fake->switched_unseen);
        fake_free(fake);
}

// Forth from a step that was gone back to collects its evidence anew.
static void going_on_after_a_way_back_compares_again(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "switch");
        fake->traffic = 0;
        fake_until(fake, MIGRATE_GATE, "old-way-off");
        fake_do(fake, MIGRATE_ROLLBACK);
        fake_until(fake, MIGRATE_PAUSED, "switch");
        fake_do(fake, MIGRATE_ADVANCE);
        fake_until(fake, MIGRATE_GATE, "producer");
        assert_says(fake, "no call has come");
        fake_free(fake);
}

static void can_be_cancelled_from(enum model_mode from, enum migrate_state state, const char *step) {
        struct fake *fake = fake_new(FAKE_PROBED);
        enum lane_mode mode = from == MODEL_SYNC ? LANE_PLAIN : LANE_ASYNC;
        fake->gateway.mode = mode;
        fake_begin(fake, from == MODEL_SYNC ? MODEL_ASYNC : MODEL_SYNC, false);
        while (fake_state(fake) != state || strcmp(fake_step(fake), step) != 0) {
                if (fake_state(fake) == MIGRATE_READY)
                        fake_do(fake, MIGRATE_ADVANCE);
                else
                        fake_tick(fake);
                assert_false(migration_over(fake_migration(fake)->now));
        }
        fake_do(fake, MIGRATE_CANCEL);
        assert_done(fake);
        fake_until(fake, MIGRATE_CANCELLED, "");
        assert_int_equal(fake->gateway.mode, mode);
        assert_false(fake->gateway.shadow);
        assert_false(fake->polling);
        assert_true(fake_migration(fake)->now->finished_ms > 0);
        fake_free(fake);
}

static void can_be_cancelled_from_every_step_before_the_last(void **test) {
        (void)test;
        can_be_cancelled_from(MODEL_SYNC, MIGRATE_READY, "registered");
        can_be_cancelled_from(MODEL_SYNC, MIGRATE_READY, "producer");
        can_be_cancelled_from(MODEL_SYNC, MIGRATE_GATE, "producer");
        can_be_cancelled_from(MODEL_SYNC, MIGRATE_READY, "switch");
        can_be_cancelled_from(MODEL_SYNC, MIGRATE_GATE, "old-way-off");
        can_be_cancelled_from(MODEL_ASYNC, MIGRATE_READY, "switch");
        can_be_cancelled_from(MODEL_ASYNC, MIGRATE_ACTING, "switch");
        can_be_cancelled_from(MODEL_ASYNC, MIGRATE_READY, "consumer-off");
}

static void the_last_step_has_no_way_back(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->gateway.mode = LANE_ASYNC;
        fake_begin(fake, MODEL_SYNC, false);
        for (const char *step = ""; strcmp(step, "clean") != 0; step = fake_step(fake)) {
                fake_until(fake, MIGRATE_READY, "");
                if (strcmp(fake_step(fake), "clean") != 0)
                        fake_do(fake, MIGRATE_ADVANCE);
        }
        fake_do(fake, MIGRATE_CANCEL);
        assert_refused(fake, ERROR_CONFLICT, "the last step has no way back; let it end, and migrate to async");
        fake_free(fake);
}

// ---- failures of the world ----

static void nothing_moves_before_it_is_recorded(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->append_fails = true;
        fake_give(fake, "COMM-040", MIGRATE_BEGIN, MODEL_ASYNC, true);
        fake_run(fake);
        assert_refused(fake, ERROR_FULL, "no space left");
        assert_false(migrate_known(fake->migrate, fake->communication));
        fake->append_fails = false;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake->append_fails = true;
        fake_ticks(fake, 50);
        assert_int_equal(fake->gateway.mode, LANE_RECORD);
        assert_string_equal(fake_step(fake), "producer");
        assert_says(fake, "the move could not be recorded: no space left on device");
        fake->append_fails = false;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

static void a_refused_order_is_given_again(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->order_fails = true;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "producer");
        unsigned before = fake->orders[GATEWAY_SWITCH];
        fake_ticks(fake, 10);
        assert_says(fake, "the gateway refuses: the log is broken");
        assert_int_equal(fake->orders[GATEWAY_SWITCH], before + 10);    // one between two ticks
        fake->order_fails = false;
        fake_until(fake, MIGRATE_DONE, "");
        fake_free(fake);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(goes_to_async_and_back),
                cmocka_unit_test(each_act_waits_for_advance),
                cmocka_unit_test(no_traffic_is_no_evidence),
                cmocka_unit_test(comparisons_are_counted),
                cmocka_unit_test(a_difference_fails_with_the_counterexample),
                cmocka_unit_test(the_old_way_needs_traffic_by_the_new_one),
                cmocka_unit_test(calls_without_records_are_waited_for),
                cmocka_unit_test(indeterminate_calls_hold_the_switch),
                cmocka_unit_test(parked_lanes_hold_the_way_to_sync),
                cmocka_unit_test(an_absent_provider_is_waited_for),
                cmocka_unit_test(a_probe_that_is_not_recognised_fails),
                cmocka_unit_test(without_a_probe_a_natural_repeat_is_waited_for),
                cmocka_unit_test(what_nothing_can_show_is_not_believed),
                cmocka_unit_test(a_provider_that_recognises_nothing_passes_with_its_price),
                cmocka_unit_test(a_schema_that_cannot_be_registered_fails),
                cmocka_unit_test(a_failing_log_voids_the_evidence),
                cmocka_unit_test(another_configuration_voids_the_evidence),
                cmocka_unit_test(impossible_migrations_are_refused),
                cmocka_unit_test(the_second_of_two_commands_is_refused),
                cmocka_unit_test(advance_says_what_is_missing),
                cmocka_unit_test(nothing_is_begun_when_commute_ends),
                cmocka_unit_test(a_paused_migration_stays),
                cmocka_unit_test(rollback_goes_one_step_and_pauses),
                cmocka_unit_test(going_on_after_a_way_back_compares_again),
                cmocka_unit_test(can_be_cancelled_from_every_step_before_the_last),
                cmocka_unit_test(the_last_step_has_no_way_back),
                cmocka_unit_test(nothing_moves_before_it_is_recorded),
                cmocka_unit_test(a_refused_order_is_given_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
