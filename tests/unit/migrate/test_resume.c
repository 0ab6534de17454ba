// SPDX-License-Identifier: Apache-2.0
// kill -9 at every record: a migration is run with its records kept; then, for each of them, a new life begins from that record with
// the gateway's modes as they were then, and has to reach the same end, never switching without a comparison of its own life.
#include "fake.h"

typedef void run_migration(struct fake *fake);

static void run_to_async(struct fake *fake) {
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_DONE, "");
}

static void run_to_sync(struct fake *fake) {
        fake->gateway.mode = LANE_ASYNC;
        fake_begin(fake, MODEL_SYNC, true);
        fake_until(fake, MIGRATE_DONE, "");
}

static void run_cancelled(struct fake *fake) {
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_ACTING, "switch");
        fake->traffic = 0;
        fake_until(fake, MIGRATE_GATE, "old-way-off");
        fake_do(fake, MIGRATE_CANCEL);
        fake_until(fake, MIGRATE_CANCELLED, "");
}

static bool is_on_the_way_back(const struct fake *fake) {
        return fake_state(fake) == MIGRATE_BACK || fake_state(fake) == MIGRATE_CANCELLED;
}

static void resumes_from_each_record(run_migration *run, enum lane_mode there, enum lane_mode back) {
        struct fake *original = fake_new(FAKE_PROBED);
        run(original);
        size_t records = original->record_count;
        fake_free(original);
        assert_true(records > 8);
        for (size_t at = 0; at < records; at++) {
                struct fake *fake = fake_new(FAKE_PROBED);
                run(fake);
                assert_int_equal(fake->record_count, records);  // the same script, the same records
                fake->traffic = 5;
                fake_kill(fake, at);
                bool goes_back = is_on_the_way_back(fake);
                fake->switched_unseen = false;
                fake_until(fake, goes_back ? MIGRATE_CANCELLED : MIGRATE_DONE, "");
                assert_int_equal(fake->gateway.mode, goes_back ? back : there);
                assert_false(fake->gateway.shadow);
                if (there == LANE_ASYNC)                        // each life compares for itself
                        assert_false(fake->switched_unseen);
                fake_free(fake);
        }
}

static void to_async_from_each_record(void **test) {
        (void)test;
        resumes_from_each_record(run_to_async, LANE_ASYNC, LANE_PLAIN);
}

static void to_sync_from_each_record(void **test) {
        (void)test;
        resumes_from_each_record(run_to_sync, LANE_PLAIN, LANE_ASYNC);
}

static void cancelled_from_each_record(void **test) {
        (void)test;
        resumes_from_each_record(run_cancelled, LANE_ASYNC, LANE_PLAIN);
}

// Killed again and again, a little later each time.
static void lives_through_many_kills(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        for (unsigned life = 1; !migration_over(fake_migration(fake)->now); life++) {
                assert_true(life < 100);
                fake_ticks(fake, life);
                if (migration_over(fake_migration(fake)->now))
                        break;
                struct fake_gateway gateway = fake->gateway;
                fake_kill(fake, fake->record_count - 1);
                fake->gateway.mode = gateway.mode;
        }
        assert_int_equal(fake_state(fake), MIGRATE_DONE);
        assert_false(fake->switched_unseen);
        fake_free(fake);
}

static void a_restart_in_shadow_starts_the_step_again(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake->traffic = 1;
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_ticks(fake, 10);
        fake_kill(fake, fake->record_count - 1);
        assert_int_equal(fake_migration(fake)->now->evidence[3].verdict, MIGRATE_PASS); // of its act
        fake_until(fake, MIGRATE_GATE, "producer");
        assert_true(fake->gateway.compared < 3);
        const struct migration_state *now = fake_migration(fake)->now;
        bool noted = false;
        for (size_t i = 0; i < now->history_count; i++)
                noted |= strcmp(now->history[i].what, "the evidence is void: commute was started again") == 0;
        assert_true(noted);
        fake_free(fake);
}

static void a_paused_shadow_is_begun_again_after_a_restart(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        fake_do(fake, MIGRATE_PAUSE);
        fake_kill(fake, fake->record_count - 1);
        fake_ticks(fake, 20);
        assert_int_equal(fake_state(fake), MIGRATE_PAUSED);
        assert_false(fake->gateway.shadow);
        fake_do(fake, MIGRATE_ADVANCE);
        assert_done(fake);
        fake_until(fake, MIGRATE_DONE, "");
        assert_false(fake->switched_unseen);
        fake_free(fake);
}

// ---- records ----

static void a_record_says_everything(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        run_cancelled(fake);
        struct migrate_subject subject = {.communication = fake->communication};
        for (size_t i = 0; i < fake->record_count; i++) {
                struct migration_state *state;
                struct error error;
                if (!migration_read(buffer_bytes(&fake->records[i]), &subject, &state, &error))
                        fail_msg("%s", error.text);
                struct buffer again = {0};
                struct json_writer writer = {.buffer = &again};
                migration_write(&writer, state, &subject, NULL, false);
                assert_true(bytes_equal(buffer_bytes(&again), buffer_bytes(&fake->records[i])));
                buffer_free(&again);
                free(state);
        }
        fake_free(fake);
}

static void a_record_of_something_else_is_refused(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, true);
        fake_until(fake, MIGRATE_GATE, "producer");
        struct migrate_subject subject = {.communication = fake->communication};
        struct bytes good = buffer_bytes(&fake->records[fake->record_count - 1]);
        static const char *const changes[][2] = {
                {"\"format\":1", "\"format\":2"}, {"\"step\":\"producer\",\"resume\"", "\"step\":\"producers\",\"resume\""},
                {"\"status\":\"gate\"", "\"status\":\"door\""}, {"\"to\":\"async\"", "\"to\":\"pull\""}, {"\"id\":1", "\"id\":-1"},
                {"\"history\":[", "\"histories\":["},
        };
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                char *text = bytes_to_text(good), *where = strstr(text, changes[i][0]);
                assert_non_null(where);
                struct buffer bad = {0};
                buffer_append(&bad, (struct bytes){text, (size_t)(where - text)});
                buffer_print(&bad, "%s%s", changes[i][1], where + strlen(changes[i][0]));
                struct migration_state *state = NULL;
                struct error error;
                assert_false(migration_read(buffer_bytes(&bad), &subject, &state, &error));
                assert_int_equal(error.code, ERROR_CORRUPT);
                assert_null(state);
                buffer_free(&bad);
                free(text);
        }
        fake_free(fake);
}

static void a_configuration_that_loses_it_is_refused(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        run_cancelled(fake);
        migrate_free(fake->migrate);
        fake_boot(fake);
        struct error error;
        size_t last = fake->record_count - 1;
        assert_true(migrate_restore(fake->migrate, BYTES("COMM-999"), buffer_bytes(&fake->records[last]), &error));
        assert_false(migrate_restore(fake->migrate, BYTES("COMM-999"), buffer_bytes(&fake->records[0]), &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_false(migrate_restore(fake->migrate, BYTES("COMM-041"), buffer_bytes(&fake->records[0]), &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        fake_free(fake);
}

static void the_history_is_bounded(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        fake_begin(fake, MODEL_ASYNC, false);
        for (unsigned i = 0; i < MIGRATE_HISTORY_MAX; i++) {
                fake->record_count = 0;
                buffer_clear(&fake->records[0]);
                buffer_clear(&fake->records[1]);
                buffer_clear(&fake->records[2]);
                fake_do(fake, MIGRATE_PAUSE);
                fake_do(fake, MIGRATE_ADVANCE);
        }
        const struct migration_state *now = fake_migration(fake)->now;
        assert_int_equal(now->history_count, MIGRATE_HISTORY_MAX);
        assert_string_equal(now->history[MIGRATE_HISTORY_MAX - 1].what, "goes on");
        assert_string_equal(now->history[0].what, "paused");
        fake_free(fake);
}

// However a sentence is cut, its record can be read again.
static void long_sentences_are_cut_between_characters(void **test) {
        (void)test;
        for (size_t shift = 0; shift < 4; shift++) {
                char text[MIGRATE_SENTENCE_MAX];
                struct buffer endless = {0};
                buffer_print(&endless, "%.*s", (int)shift, "xxxx");
                for (size_t i = 0; i < 800; i++)
                        buffer_append(&endless, BYTES("…"));
                migrate_print(text, "%.*s", BYTES_PRINT(buffer_bytes(&endless)));
                buffer_free(&endless);
                size_t size = strlen(text);
                assert_true(size < MIGRATE_SENTENCE_MAX && size > MIGRATE_SENTENCE_MAX - 5);
                assert_int_equal((size - shift) % 3, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(to_async_from_each_record),
                cmocka_unit_test(to_sync_from_each_record),
                cmocka_unit_test(cancelled_from_each_record),
                cmocka_unit_test(lives_through_many_kills),
                cmocka_unit_test(a_restart_in_shadow_starts_the_step_again),
                cmocka_unit_test(a_paused_shadow_is_begun_again_after_a_restart),
                cmocka_unit_test(a_record_says_everything),
                cmocka_unit_test(a_record_of_something_else_is_refused),
                cmocka_unit_test(a_configuration_that_loses_it_is_refused),
                cmocka_unit_test(the_history_is_bounded),
                cmocka_unit_test(long_sentences_are_cut_between_characters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
