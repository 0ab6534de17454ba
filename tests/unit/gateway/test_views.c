// SPDX-License-Identifier: Apache-2.0
// The fold over random legal histories: however it is cut into runs, and from an empty state.db, all tables come out equal, the
// ledger's equations hold wherever a run ends, and no fault is booked. Then histories that are illegal in one place each.
#include "views_history.h"

// --- tests ------------------------------------------------------------------------------------------------------------------

// The same history three ways: followed round by round with a new process now and then; in one go; and again from nothing.
static void any_way_to_fold_a_history_ends_in_the_same_tables(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        for (int part = 0; part < 25; part++) {
                grow(&history, (int)dice(place, 12));
                free(build(place));                     // a restart: opens, folds what is new, checks the equations, closes
        }
        char *grown = dump(place);
        assert_null(strstr(grown, "fault|"));
        assert_non_null(strstr(grown, "identity|"));
        assert_non_null(strstr(grown, "replica|"));
        remove_files(place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);
        free(grown);
        free(built);
}

static void for_other_seeds_as_well(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 8; seed++) {
                void *place = NULL;
                assert_int_equal(make_place(&place), 0);
                ((struct place *)place)->random = seed * 0x9e3779b97f4a7c15u;
                print_message("# seed %d\n", (int)seed);
                any_way_to_fold_a_history_ends_in_the_same_tables(&place);
                remove_place(&place);
        }
}

// Rows and accounts say the same: each unsettled state's account is the number of rows in that state.
static void the_accounts_count_the_rows(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct views *views = open_views(place);
        for (int part = 0; part < 30; part++) {
                grow(&history, 3);
                catch_up(views);
                struct ledger_sums sums = sums_of(views);
                struct error error;
                must(ledger_check(&sums, &error), &error);
                int64_t counts[LEDGER_ACCOUNT_COUNT] = {0};
                for (unsigned i = 0; i < SUBJECTS; i++) {
                        static const enum ledger_state states[] = {
                                [CALLED] = LEDGER_OPEN, [IN_DOUBT] = LEDGER_CALL_INDETERMINATE, [WAITS] = LEDGER_WAITING,
                                [TRIED] = LEDGER_TRYING, [UNKNOWN] = LEDGER_INDETERMINATE, [SET_ASIDE] = LEDGER_PARKED,
                                [WRITING] = LEDGER_CAPTURING, [DIRTY] = LEDGER_CAPTURE_UNKNOWN};
                        if (history.subjects[i].phase != FREE)
                                counts[states[history.subjects[i].phase]]++;
                }
                for (unsigned account = LEDGER_OPEN; account <= LEDGER_CAPTURE_UNKNOWN; account++)
                        assert_int_equal(sums.count[account], counts[account]);
        }
        views_close(views);
}

static bool one_fault(void *context, struct bytes kind, uint64_t count, uint64_t position, struct bytes text,
                      struct error *error) {
        (void)error;
        buffer_print(context, "%.*s %d at %d: %.*s\n", BYTES_PRINT(kind), (int)count, (int)position, BYTES_PRINT(text));
        return true;
}

static char *faults_of(struct place *place) {
        struct views *views = open_views(place);
        catch_up(views);
        struct buffer text = {0};
        struct error error;
        must(state_fault_each(views_reader(views), one_fault, &text, &error), &error);
        struct ledger_sums sums = sums_of(views);
        must(ledger_check(&sums, &error), &error);      // a fault moves no account
        views_close(views);
        return buffer_take_text(&text);
}

static struct draft message(struct place *place, uint64_t sequence) {
        struct draft draft = draft_of(place, RECORD_MESSAGE, place->call_shard, 0, 0);
        draft.record.sequence = sequence;
        draft.stream = place->topic;
        draft.offset = place->topic_offset++;
        return draft;
}

static void illegal_records_are_named(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        epoch(&history, LANE_ASYNC);
        uint64_t first = append_one(place, message(place, 1));
        append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first));
        uint64_t again = append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first));
        uint64_t gap = append_one(place, message(place, 3));
        uint64_t call = append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 0, 0));
        char expected[1000];
        snprintf(expected, sizeof expected,
                 "epoch 1 at %d: INTENT at %d: admitted under epoch 1; its lane is in mode 3 of epoch 1\n"
                 "sequence 1 at %d: MESSAGE at %d: sequence 3 in a lane that expects 2\n"
                 "transition 1 at %d: DELIVERED at %d: DELIVERED of %d, which is not unsettled: it is settled already, or was "
                 "never admitted\n", (int)call, (int)call, (int)gap, (int)gap, (int)again, (int)again, (int)first);
        char *faults = faults_of(place);
        assert_string_equal(faults, expected);
        free(faults);
        append_one(place, draft_of(place, RECORD_PARKED, place->call_shard, 0, first));
        append_one(place, draft_of(place, RECORD_REFUSED, place->data_shard, 0, gap));
        faults = faults_of(place);
        char *found = strstr(faults, "transition 3");   // counted on; the first one is kept
        assert_non_null(found);
        free(faults);
}

static void a_switch_back_leaves_busy_lanes_behind(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct arena arena = {0};
        struct state_lane lane;
        struct error error;
        epoch(&history, LANE_ASYNC);
        uint64_t first = append_one(place, message(place, 1));
        epoch(&history, LANE_RECORD);
        struct views *views = open_views(place);
        catch_up(views);
        struct hash128 hash = hash_of(3, 0);
        must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
        assert_true(lane.left_async);
        assert_int_equal(lane.unsettled, 1);
        assert_true(bytes_equal(lane.key, BYTES("alpha")));
        append_one(place, message(place, 2));           // still async: admitted as before
        append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first));
        append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first + 2));
        struct draft opens = draft_of(place, RECORD_LANE_EPOCH, place->call_shard, 0, 0);
        opens.record.mode = LANE_RECORD;
        append_one(place, opens);
        append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 0, 0));
        catch_up(views);
        must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
        assert_false(lane.left_async);
        assert_int_equal(lane.last_sequence, 2);
        views_close(views);
        char *faults = faults_of(place);
        assert_true(faults == NULL || *faults == 0);
        free(faults);
        arena_free(&arena);
}

static void upsert_epoch(struct place *place, enum lane_mode mode) {
        append_one(place, (struct draft){.record = {.kind = RECORD_EPOCH, .shard = place->data_shard, .mode = mode,
                                                    .flags = RECORD_UPSERT, .epoch = ++place->data_epoch,
                                                    .time_ms = ++place->now_ms},
                                         .stream = place->data_shard, .offset = -1});
}

// A reader with a table of its own: its events are delivered, and the newest of a key is the copy's row all the same.
static void an_upsert_is_the_copys_row_before_it_is_delivered(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct arena arena = {0};
        struct error error = {0};
        struct state_lane lane;
        struct state_replica row;
        struct state_shard shard;
        struct draft draft;
        uint32_t family;
        struct hash128 hash = hash_of(3, 0);
        upsert_epoch(place, LANE_PLAIN);
        upsert_epoch(place, LANE_RECORD);
        uint64_t since = log_last_position(place->log);
        upsert_epoch(place, LANE_ASYNC);
        data_message(&history, 0, RECORD_UPSERT, 0, &draft);
        draft.record.flags = RECORD_UPSERT;
        draft.record.identity = hash_of(9, 1);
        draft.body = BYTES("{\"name\":\"Ada\"}");
        uint64_t position = append_one(place, draft);
        upsert_epoch(place, LANE_RECORD);
        struct views *views = open_views(place);
        catch_up(views);
        struct state_reader *reader = views_reader(views);
        must(state_family(reader, BYTES("topic/manager-streaming"), &family, &error), &error);
        must(state_replica_get(reader, family, bytes_of(keys[0]), &arena, &row, &error), &error);
        assert_int_equal(row.position, position);
        must(state_lane_find(reader, place->data_shard, &hash, &arena, &lane, &error), &error);
        assert_int_equal(lane.unsettled, 1);
        assert_false(lane.left_async);                  // lanes of upserts are never left behind
        must(state_shard_find(reader, place->data_shard, &shard, &error), &error);
        assert_int_equal(shard.since, since);
        append_one(place, draft_of(place, RECORD_DELIVERED, place->data_shard, 0, position));
        upsert_epoch(place, LANE_RECORD);               // a restart: what was captured before it may be incomplete
        catch_up(views);
        must(state_shard_find(reader, place->data_shard, &shard, &error), &error);
        assert_int_equal(shard.since, log_last_position(place->log));
        struct ledger_sums sums = sums_of(views);
        assert_int_equal(sums.count[LEDGER_DELIVERED], 1);
        views_close(views);
        char *faults = faults_of(place), *tables = dump(place);
        assert_true(faults == NULL || *faults == 0);
        assert_null(strstr(tables, "identity|"));       // nobody was told one
        free(faults);
        free(tables);
        arena_free(&arena);
}

// A repeat of an indeterminate call is accepted in an async lane, so the call keeps the lane async too, also one that never had
// a message; a step back to plain and forward again changes nothing for it, and async clears it.
static void an_unsettled_call_keeps_its_lane_async(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct arena arena = {0};
        struct state_lane lane;
        struct error error;
        struct hash128 hash = hash_of(3, 0);
        epoch(&history, LANE_RECORD);
        uint64_t call = append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 0, 0));
        append_one(place, draft_of(place, RECORD_INDETERMINATE, place->call_shard, 0, call));
        epoch(&history, LANE_ASYNC);
        struct views *views = open_views(place);
        static const uint32_t modes[] = {LANE_RECORD, LANE_PLAIN, LANE_RECORD, LANE_ASYNC, LANE_RECORD};
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                epoch(&history, modes[i]);
                catch_up(views);
                must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
                assert_int_equal(lane.left_async, modes[i] != LANE_ASYNC);
        }
        views_close(views);
        char *faults = faults_of(place);
        assert_true(faults == NULL || *faults == 0);
        free(faults);
        struct draft opens = draft_of(place, RECORD_LANE_EPOCH, place->call_shard, 0, 0);
        opens.record.mode = LANE_RECORD;
        append_one(place, opens);
        faults = faults_of(place);
        assert_non_null(strstr(faults, "epoch 1"));
        assert_non_null(strstr(faults, "a call without an outcome"));
        free(faults);
        append_one(place, draft_of(place, RECORD_ANSWERED, place->call_shard, 0, call));
        append_one(place, opens);
        faults = faults_of(place);
        assert_non_null(strstr(faults, "epoch 1"));     // no second one
        free(faults);
        views = open_views(place);
        must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
        assert_false(lane.left_async);
        views_close(views);
        arena_free(&arena);
}

static void run_sql(struct place *place, const char *sql) {
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(place->state_path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

// A trigger makes the store fail in the middle of a batch: nothing of it stays, in the tables or in memory, and the next try
// folds it whole.
static void a_batch_that_fails_is_folded_again_from_its_beginning(void **state) {
        static const char *const tables[] = {"identity", "lane", "message", "replica", "dirty", "account", "control"};
        struct place *place = *state;
        struct history history = {.place = place};
        struct error error;
        struct views *views = open_views(place);
        grow(&history, 30);
        catch_up(views);
        for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
                char sql[200];
                grow(&history, 30);
                append_one(place, (struct draft){.record = {.kind = RECORD_REGISTRY, .time_ms = 1}, .stream = place->control,
                                                 .offset = -1, .body = BYTES("{}")});
                snprintf(sql, sizeof sql, "CREATE TRIGGER broken BEFORE INSERT ON %s WHEN (SELECT count(*) FROM meta) > 0"
                         " BEGIN SELECT raise(ABORT, 'planted'); END", tables[i]);
                run_sql(place, sql);
                uint64_t before = views_position(views);
                // lanes all exist by now, so that their table sees updates only
                bool failed = !views_catch_up(views, NULL, &error);
                if (failed != (strcmp(tables[i], "lane") != 0))
                        fail_msg("table %s", tables[i]);
                if (failed) {
                        assert_non_null(strstr(error.text, "planted"));
                        assert_int_equal(views_position(views), before);
                }
                run_sql(place, "DROP TRIGGER broken");
                catch_up(views);
        }
        views_close(views);
        char *grown = dump(place);
        remove_files(place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);
        free(grown);
        free(built);
}

struct heard {
        int control;
        _Atomic uint64_t moved;
};

static void hear_control(void *context, uint64_t position, const struct record *record, struct bytes body) {
        (void)position, (void)record;
        assert_true(body.size > 0);
        ((struct heard *)context)->control++;
}

static void hear_moved(void *context, uint64_t position) {
        ((struct heard *)context)->moved = position;
}

// Other folds begin anew at each start: they are given what has been folded, then what comes; the thread follows by itself.
static void the_thread_follows_and_control_records_are_handed_on(void **state) {
        struct place *place = *state;
        struct heard heard = {0};
        struct views *views = NULL;
        struct error error;
        control(place, RECORD_REGISTRY);
        control(place, RECORD_CONFIG);
        control(place, RECORD_MIGRATION);
        control(place, RECORD_MIGRATION);
        free(build(place));
        must(views_open(&(struct views_options){.log = place->log, .path = place->state_path, .control = hear_control,
                                                .moved = hear_moved, .context = &heard}, &views, &error), &error);
        assert_int_equal(heard.control, 3);             // of MIGRATION the last one
        must(views_start(views, &error), &error);
        for (int i = 0; i < 20; i++) {
                control(place, RECORD_REGISTRY);
                uint64_t end = log_last_position(place->log);
                struct timespec begin, now;
                clock_gettime(CLOCK_MONOTONIC, &begin);
                views_wake(views);
                do {
                        nanosleep(&(struct timespec){0, 1000000}, NULL);
                        clock_gettime(CLOCK_MONOTONIC, &now);
                        assert_true(now.tv_sec - begin.tv_sec < 20);
                } while (heard.moved < end);
                assert_int_equal(views_lag(views), 0);
        }
        views_close(views);
        assert_int_equal(heard.control, 23);
}

static void a_state_of_another_or_a_shorter_log_is_refused(void **state) {
        struct place *place = *state;
        struct error error;
        struct views *views = NULL;
        for (int i = 0; i < 3; i++)
                control(place, RECORD_REGISTRY);
        free(build(place));
        log_close(place->log);
        remove_files(place->log_path);
        open_log(place);                                // another log at the same place
        assert_false(views_open(&(struct views_options){.log = place->log, .path = place->state_path}, &views, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_non_null(strstr(error.text, "a view of another log"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
        const struct CMUnitTest tests[] = {
                TEST(any_way_to_fold_a_history_ends_in_the_same_tables),
                cmocka_unit_test(for_other_seeds_as_well),
                TEST(the_accounts_count_the_rows),
                TEST(illegal_records_are_named),
                TEST(a_switch_back_leaves_busy_lanes_behind),
                TEST(an_upsert_is_the_copys_row_before_it_is_delivered),
                TEST(an_unsettled_call_keeps_its_lane_async),
                TEST(a_batch_that_fails_is_folded_again_from_its_beginning),
                TEST(the_thread_follows_and_control_records_are_handed_on),
                TEST(a_state_of_another_or_a_shorter_log_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
