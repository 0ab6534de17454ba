// SPDX-License-Identifier: Apache-2.0
// Snapshots of the views in the log: what is rebuilt from a trimmed log equals what grew, also after a power cut at any place.
#include "views_history.h"

#include "store/dump.h"

static struct views *open_keeping(struct place *place, int64_t retention_ms) {
        struct views *views = NULL;
        struct error error;
        must(views_open(&(struct views_options){.log = place->log, .path = place->state_path, .snapshot_piece = 1000,
                                                .retention_ms = retention_ms}, &views, &error), &error);
        return views;
}

// One snapshot and trim on a log without threads. False: the log failed on the way.
static bool snapshot(struct place *place, struct views *views) {
        struct error error;
        for (bool more = true; more;) {
                if (!views_snapshot_step(views, &more, &error))
                        return false;
                while (log_step(place->log))
                        continue;
        }
        return true;
}

static uint64_t records_in_log(struct place *place) {
        struct log_reader *reader = NULL;
        struct arena arena = {0};
        struct log_record *records;
        struct error error;
        size_t count = 0, total = 0;
        must(log_reader_open(place->log, &reader, &error), &error);
        for (uint64_t from = 1; total == 0 || count > 0; total += count) {
                must(log_read(reader, from, 1000, 1 << 20, &arena, &records, &count, &error), &error);
                if (count == 0)
                        break;
                from = records[count - 1].position + 1;
        }
        log_reader_close(reader);
        arena_free(&arena);
        return total;
}

// Rows of lanes are numbered as they came, and a rebuild may touch them in another order: dump() leaves the number out.
static void what_is_rebuilt_from_a_trimmed_log_equals_what_grew(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        for (int part = 0; part < 6; part++) {
                struct views *views = open_keeping(place, 1);
                control(place, RECORD_REGISTRY);
                grow(&history, 40);
                catch_up(views);
                uint64_t before = records_in_log(place);
                assert_true(snapshot(place, views));
                assert_in_range(records_in_log(place), 1, before - 1);
                grow(&history, (int)dice(place, 20));           // the log after it
                views_close(views);
                char *grown = build(place);
                remove_files(place->state_path);
                char *built = build(place);
                assert_string_equal(grown, built);
                assert_null(strstr(built, "fault|"));
                free(grown);
                free(built);
        }
}

static void without_a_usable_snapshot_a_trimmed_log_is_not_folded(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct error error;
        struct views *views = open_keeping(place, 0), *again = NULL;
        grow(&history, 40);
        catch_up(views);
        assert_true(snapshot(place, views));                    // nothing is trimmed: it is a help, no more
        views_close(views);
        char *grown = build(place);
        for (int trimmed = 0; trimmed < 2; trimmed++) {
                if (trimmed) {
                        views = open_keeping(place, 1);
                        assert_true(snapshot(place, views));
                        views_close(views);
                }
                sqlite3 *db = NULL;
                assert_int_equal(sqlite3_open(place->log_path, &db), SQLITE_OK);
                static const char remove[] = "DELETE FROM snapshot WHERE CAST(name AS TEXT) LIKE 'views/_/1'";
                assert_int_equal(sqlite3_exec(db, remove, NULL, NULL, NULL), SQLITE_OK);
                assert_in_range(sqlite3_changes(db), 1, 2);
                sqlite3_close(db);
                char *still = build(place);                     // the tables are there and need no snapshot
                assert_string_equal(grown, still);
                free(still);
                remove_files(place->state_path);
                if (trimmed) {
                        assert_false(views_open(&(struct views_options){.log = place->log, .path = place->state_path}, &again,
                                                &error));
                        assert_non_null(strstr(error.text, "have been trimmed"));
                } else {
                        char *built = build(place);
                        assert_string_equal(grown, built);
                        free(built);
                }
        }
        free(grown);
}

static void copy_file(const char *from, const char *to) {
        char command[300];
        snprintf(command, sizeof command, "cp %s %s", from, to);
        assert_int_equal(system(command), 0);
}

// A power cut may take state.db back to before the trim: it is filled from the snapshot, not folded over a hole.
static void tables_older_than_the_trim_are_built_anew(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        char old[110];
        snprintf(old, sizeof old, "%s.old", place->state_path);
        grow(&history, 5);
        free(build(place));
        copy_file(place->state_path, old);
        grow(&history, 60);
        struct views *views = open_keeping(place, 1);
        catch_up(views);
        assert_true(snapshot(place, views));
        views_close(views);
        char *grown = dump(place);
        remove_files(place->state_path);
        copy_file(old, place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);
        free(grown);
        free(built);
        unlink(old);
}

// What repeats may still be answered with stays in the log, and so does what is not settled.
static void answers_and_the_unsettled_are_not_trimmed(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct error error;
        epoch(&history, LANE_RECORD);
        struct draft called = draft_of(place, RECORD_INTENT, place->call_shard, 0, 0);
        called.record.identity = hash_of(11, 1);
        uint64_t call = append_one(place, called);
        uint64_t answer = append_one(place, draft_of(place, RECORD_ANSWERED, place->call_shard, 0, call));
        uint64_t open = append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 1, 0));
        struct views *views = open_keeping(place, 1);
        catch_up(views);
        assert_true(snapshot(place, views));
        views_close(views);
        struct log_reader *reader = NULL;
        struct arena arena = {0};
        struct log_record record;
        must(log_reader_open(place->log, &reader, &error), &error);
        assert_false(log_read_one(reader, call, &arena, &record, &error));
        must(log_read_one(reader, answer, &arena, &record, &error), &error);
        must(log_read_one(reader, open, &arena, &record, &error), &error);
        log_reader_close(reader);
        arena_free(&arena);
}

// ---- a snapshot of the format before ----

static uint64_t take_number(struct bytes *rest) {
        uint64_t number = 0;
        for (unsigned shift = 0;; shift += 7) {
                uint8_t byte = (uint8_t)rest->data[0];
                *rest = (struct bytes){rest->data + 1, rest->size - 1};
                number |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80)
                        return number;
        }
}

// Rows as store/dump.h says them: those of the tables that format 3 had, messages without schema and said, replicas without schema.
static void rows_of_before(struct bytes rows, struct buffer *out) {
        enum { MESSAGE = 3, REPLICA = 5, WRITTEN = 11 };
        while (rows.size) {
                unsigned table = (uint8_t)rows.data[0], columns = (uint8_t)rows.data[1];
                struct bytes rest = {rows.data + 2, rows.size - 2};
                size_t begin = out->size, end = 0;
                unsigned kept = columns - (table == MESSAGE ? 2 : table == REPLICA ? 1 : 0);
                buffer_append_byte(out, (char)table);
                buffer_append_byte(out, (char)kept);
                for (unsigned i = 0; i < columns; i++) {
                        const char *from = rest.data;
                        uint8_t type = (uint8_t)rest.data[0];
                        rest = (struct bytes){rest.data + 1, rest.size - 1};
                        uint64_t number = take_number(&rest);
                        if (type)
                                rest = (struct bytes){rest.data + number, rest.size - number};
                        buffer_append(out, (struct bytes){from, (size_t)(rest.data - from)});
                        if (i < kept)
                                end = out->size;
                }
                out->size = table >= WRITTEN ? begin : end;
                rows = rest;
        }
}

static void written(struct log_snapshot *snapshot, const struct error *error) {
        assert_null(error);
        snapshot->name.size = 0;
}

// Rewrites the snapshot of this name; returns its letter (of the head).
static char rewrite(struct place *place, const char *name, uint8_t format) {
        struct log_reader *reader = NULL;
        struct buffer body = {0}, made = {0};
        struct error error;
        uint64_t position;
        must(log_reader_open(place->log, &reader, &error), &error);
        must(log_snapshot_read(reader, bytes_of(name), &position, &body, &error), &error);
        log_reader_close(reader);
        bool head = strcmp(name, "views") == 0;
        buffer_append(&made, (struct bytes){body.data, head ? body.size : 12});
        if (head)
                made.data[4] = (char)format;
        else
                rows_of_before((struct bytes){body.data + 12, body.size - 12}, &made);
        char letter = body.data[8];
        struct log_snapshot snapshot = {.name = bytes_of(name), .position = position, .body = buffer_bytes(&made), .complete = written};
        must(log_snapshot_write(place->log, &snapshot, &error), &error);
        while (snapshot.name.size)
                log_step(place->log);
        buffer_free(&body);
        buffer_free(&made);
        return letter;
}

static int64_t number_of(const struct place *place, const char *query) {
        sqlite3 *db = NULL;
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_open_v2(place->state_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        int64_t number = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(db);
        return number;
}

static void a_snapshot_of_the_format_before_is_taken_over(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct error error;
        grow(&history, 80);
        struct views *views = open_keeping(place, 1);
        catch_up(views);
        assert_true(snapshot(place, views));
        views_close(views);
        char *grown = dump(place), name[32];
        int64_t rows = number_of(place, "SELECT count(*) FROM replica WHERE NOT tombstone");
        assert_true(rows > 0 && number_of(place, "SELECT count(*) FROM written") > 0);
        char letter = rewrite(place, "views", STATE_FORMAT_BEFORE);
        for (unsigned i = 0;; i++) {
                struct log_reader *reader = NULL;
                struct buffer body = {0};
                uint64_t position;
                snprintf(name, sizeof name, "views/%c/%u", letter, i);
                must(log_reader_open(place->log, &reader, &error), &error);
                bool there = log_snapshot_read(reader, bytes_of(name), &position, &body, &error);
                log_reader_close(reader);
                buffer_free(&body);
                if (!there)
                        break;
                rewrite(place, name, 0);
        }
        remove_files(place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);              // schemas of before are 0, as in this history
        assert_int_equal(number_of(place, "SELECT sum(schema) FROM replica"), 0);
        assert_int_equal(number_of(place, "SELECT sum(schema) FROM message"), 0);
        assert_int_equal(number_of(place, "SELECT sum(count) FROM kept"), rows);        // counted, since nobody had
        free(grown);
        free(built);
        rewrite(place, "views", 2);                     // one that nobody knows any more
        remove_files(place->state_path);
        assert_false(views_open(&(struct views_options){.log = place->log, .path = place->state_path}, &views, &error));
        assert_non_null(strstr(error.text, "it is of format 2, this program knows 4"));
}

// The power goes at every write, truncate and sync of a second snapshot and its trim: after each the views can be built anew.
static void a_power_cut_during_snapshot_and_trim_loses_nothing(void **state) {
        (void)state;
        bool complete = false;
        int cuts = 0;
        for (uint64_t after = 0; !complete; after++, cuts++) {
                struct disk *disk = disk_new("snapshots", after + 1);
                void *made = NULL;
                assert_int_equal(make_place_on("snapshots", &made), 0);
                struct place *place = made;
                struct history history = {.place = place};
                struct views *views = open_keeping(place, 1);
                for (int part = 0; part < 2; part++) {
                        grow(&history, 8);
                        catch_up(views);
                        if (part)
                                disk_power_off(disk, after);
                        complete = snapshot(place, views);
                }
                complete = complete && disk_powered(disk);
                views_close(views);
                char *grown = dump(place);
                log_close(place->log);
                if (!disk_powered(disk))
                        disk_power_on(disk);
                open_log(place);
                remove_files(place->state_path);
                char *built = build(place);
                assert_string_equal(grown, built);
                free(grown);
                free(built);
                remove_place(&made);
                disk_free(disk);
        }
        assert_in_range(cuts, 10, 100000);
}

// The thread makes snapshots by itself, and trims, while it folds; closing waits for what the log still holds.
static void the_thread_makes_snapshots(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct error error;
        log_close(place->log);
        place->threaded = true;
        open_log(place);
        struct views *views = NULL;
        must(views_open(&(struct views_options){.log = place->log, .path = place->state_path, .snapshot_piece = 500,
                                                .snapshot_records = 20, .retention_ms = 1}, &views, &error), &error);
        must(views_start(views, &error), &error);
        for (int i = 0; i < 200 && records_in_log(place) >= log_last_position(place->log); i++) {
                grow(&history, 5);
                views_wake(views);
                nanosleep(&(struct timespec){0, 50000000}, NULL);
        }
        assert_in_range(records_in_log(place), 1, log_last_position(place->log) - 1);
        assert_false(views_error(views, &error));
        views_close(views);
        char *grown = build(place);
        remove_files(place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);
        free(grown);
        free(built);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
        const struct CMUnitTest tests[] = {
                TEST(what_is_rebuilt_from_a_trimmed_log_equals_what_grew),
                TEST(without_a_usable_snapshot_a_trimmed_log_is_not_folded),
                TEST(tables_older_than_the_trim_are_built_anew),
                TEST(answers_and_the_unsettled_are_not_trimmed),
                TEST(a_snapshot_of_the_format_before_is_taken_over),
                cmocka_unit_test(a_power_cut_during_snapshot_and_trim_loses_nothing),
                TEST(the_thread_makes_snapshots),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
