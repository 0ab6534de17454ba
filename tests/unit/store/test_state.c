// SPDX-License-Identifier: Apache-2.0
// state.db by itself: which files are refused, what a rollback leaves, pages, and the end of an identity's window.
#include "store/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct place {
        char directory[64], path[96];
        struct state *state;
};

static const uint8_t log_id[STATE_LOG_ID_SIZE] = {1, 2, 3};

static void must(bool done, const struct error *error) {
        if (!done)
                fail_msg("%s", error->text);
}

static struct state *open_state(const struct place *place) {
        struct state *state = NULL;
        struct error error;
        must(state_open(place->path, log_id, 10000000, &state, &error), &error);
        return state;
}

static int make_place(void **state) {
        struct place *place = must_calloc(1, sizeof *place);
        snprintf(place->directory, sizeof place->directory, "/tmp/commute-state-XXXXXX");
        if (!mkdtemp(place->directory))
                return -1;
        snprintf(place->path, sizeof place->path, "%s/state.db", place->directory);
        place->state = open_state(place);
        *state = place;
        return 0;
}

static int remove_place(void **state) {
        struct place *place = *state;
        state_close(place->state);
        static const char *const endings[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
                char name[128];
                snprintf(name, sizeof name, "%s%s", place->path, endings[i]);
                unlink(name);
        }
        rmdir(place->directory);
        free(place);
        return 0;
}

static void begin(struct place *place) {
        struct error error;
        must(state_begin(place->state, &error), &error);
}

static void commit(struct place *place, uint64_t position) {
        struct error error;
        must(state_commit(place->state, position, &error), &error);
}

static uint64_t position_of(struct place *place) {
        uint64_t position = 0;
        struct error error;
        must(state_position(state_own_reader(place->state), &position, &error), &error);
        return position;
}

static void only_a_view_of_this_log_is_opened(void **context) {
        struct place *place = *context;
        struct error error;
        struct state *state = NULL;
        begin(place);
        commit(place, 500);
        state_close(TAKE(place->state));
        uint8_t other[STATE_LOG_ID_SIZE] = {9};
        assert_false(state_open(place->path, other, 1000, &state, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_non_null(strstr(error.text, "another log"));
        assert_false(state_open(place->path, log_id, 499, &state, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_non_null(strstr(error.text, "holds up to position 500, but the log ends at 499"));
        must(state_open(place->path, log_id, 500, &place->state, &error), &error);
        assert_int_equal(position_of(place), 500);
}

static void write_sql(const struct place *place, const char *sql) {
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

static void another_format_begins_anew_and_another_program_is_refused(void **context) {
        struct place *place = *context;
        struct error error;
        struct state *state = NULL;
        begin(place);
        commit(place, 7);
        state_close(TAKE(place->state));
        write_sql(place, "PRAGMA user_version = 99");
        place->state = open_state(place);
        assert_int_equal(position_of(place), 0);
        state_close(TAKE(place->state));
        write_sql(place, "PRAGMA application_id = 5");
        assert_false(state_open(place->path, log_id, 10000000, &state, &error));
        assert_int_equal(error.code, ERROR_CORRUPT);
        FILE *file = fopen(place->path, "w");
        fputs("this is not a database, whatever its name says; it is longer than a header of one hundred bytes, though not much",
              file);
        fclose(file);
        assert_false(state_open(place->path, log_id, 10000000, &state, &error));
        assert_int_equal(error.code, ERROR_CORRUPT);
}

static struct state_message message_at(uint64_t position, uint32_t shard, bool held) {
        return (struct state_message){.position = position, .shard = shard, .state = 3, .held = held,
                                      .identity_text = BYTES("order 7")};
}

static void a_rollback_leaves_nothing_and_readers_see_commits_only(void **context) {
        struct place *place = *context;
        struct error error;
        struct arena arena = {0};
        struct state_reader *reader = NULL;
        struct state_message found;
        must(state_reader_open(place->path, &reader, &error), &error);
        struct state_message message = message_at(5, 1, false);
        begin(place);
        must(state_message_insert(place->state, &message, &error), &error);
        must(state_message_find(state_own_reader(place->state), 5, &arena, &found, &error), &error);
        assert_false(state_message_find(reader, 5, &arena, &found, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        state_rollback(place->state);
        assert_false(state_message_find(state_own_reader(place->state), 5, &arena, &found, &error));
        begin(place);
        must(state_message_insert(place->state, &message, &error), &error);
        commit(place, 5);
        must(state_message_find(reader, 5, &arena, &found, &error), &error);
        assert_true(bytes_equal(found.identity_text, BYTES("order 7")));
        state_reader_close(reader);
        arena_free(&arena);
}

static void held_messages_are_paged_by_family(void **context) {
        struct place *place = *context;
        struct error error;
        struct arena arena = {0};
        begin(place);
        for (uint32_t stream = 1; stream <= 3; stream++) {
                struct state_shard shard = {.stream = stream, .family = stream == 3 ? 2 : 1, .mode = 3, .epoch = 1};
                must(state_shard_put(place->state, &shard, &error), &error);
        }
        for (uint64_t position = 1; position <= 60; position++) {
                struct state_message message = message_at(position, (uint32_t)(position % 3 + 1), position % 2 == 0);
                must(state_message_insert(place->state, &message, &error), &error);
        }
        commit(place, 60);
        uint64_t after = 0, seen = 0;
        struct state_message *messages;
        size_t count;
        do {
                must(state_held_list(state_own_reader(place->state), 1, after, 6, &arena, &messages, &count, &error), &error);
                for (size_t i = 0; i < count; i++, seen++) {
                        assert_true(messages[i].position > after && messages[i].held && messages[i].shard != 3);
                        after = messages[i].position;
                }
        } while (count == 6);
        assert_int_equal(seen, 20);
        must(state_held_list(state_own_reader(place->state), 0, 0, 100, &arena, &messages, &count, &error), &error);
        assert_int_equal(count, 30);
        uint64_t oldest = 0;
        must(state_oldest_unsettled(state_own_reader(place->state), &oldest, &error), &error);
        assert_int_equal(oldest, 1);
        arena_free(&arena);
}

static struct state_identity identity_at(uint64_t position, int64_t settled_ms) {
        struct state_identity identity = {.settled_at = position, .answer = position, .family = 1, .settled_ms = settled_ms};
        memset(identity.identity.bytes, (int)position, sizeof identity.identity.bytes);
        return identity;
}

// Two identities that share the prefix which the index knows are still two.
static void identities_are_found_exactly_and_expire(void **context) {
        struct place *place = *context;
        struct error error;
        struct state_identity found, twin;
        begin(place);
        for (uint64_t position = 1; position <= 20; position++) {
                struct state_identity identity = identity_at(position, (int64_t)position * 100);
                must(state_identity_insert(place->state, &identity, &error), &error);
        }
        twin = identity_at(20, 9000);
        twin.settled_at = 21;
        twin.identity.bytes[15] = 99;
        must(state_identity_insert(place->state, &twin, &error), &error);
        commit(place, 21);
        struct state_reader *reader = state_own_reader(place->state);
        struct state_identity wanted = identity_at(20, 0);
        must(state_identity_find(reader, 1, &wanted.identity, &found, &error), &error);
        assert_int_equal(found.settled_at, 20);
        must(state_identity_find(reader, 1, &twin.identity, &found, &error), &error);
        assert_int_equal(found.settled_at, 21);
        assert_false(state_identity_find(reader, 2, &twin.identity, &found, &error));   // of another communication
        size_t removed = 0;
        must(state_expire(place->state, 1001, 4, &removed, &error), &error);
        assert_int_equal(removed, 4);                   // paced
        must(state_expire(place->state, 1001, 100, &removed, &error), &error);
        assert_int_equal(removed, 6);                   // 500 … 1000 ms
        wanted = identity_at(10, 0);
        assert_false(state_identity_find(reader, 1, &wanted.identity, &found, &error));
        wanted = identity_at(11, 0);
        must(state_identity_find(reader, 1, &wanted.identity, &found, &error), &error);
}

// Whether a family has any left is asked in pieces, each of which begins where the one before ended.
static void what_a_family_has_left_is_looked_for_in_pieces(void **context) {
        struct place *place = *context;
        struct error error;
        begin(place);
        for (uint64_t position = 1; position <= 20; position++) {
                struct state_identity identity = identity_at(position, (int64_t)position * 100);
                identity.family = position == 8 || position == 19 ? 2 : 1;
                must(state_identity_insert(place->state, &identity, &error), &error);
        }
        commit(place, 20);
        struct state_reader *reader = state_own_reader(place->state);
        uint64_t after = 0;
        bool found, all;
        must(state_identity_any(reader, 2, &after, 18, 5, &found, &all, &error), &error);
        assert_true(!found && !all && after == 5);
        must(state_identity_any(reader, 2, &after, 18, 5, &found, &all, &error), &error);
        assert_true(found && !all && after == 7);
        size_t removed = 0;
        must(state_expire(place->state, 850, 100, &removed, &error), &error);
        assert_int_equal(removed, 8);
        must(state_identity_any(reader, 2, &after, 18, 100, &found, &all, &error), &error);
        assert_true(!found && all && after == 18);      // what is at 19 was not asked for
}

static struct state_identity far_at(uint64_t i) {
        struct state_identity identity = identity_at(i, 1);
        identity.settled_at = i * 100000;
        return identity;
}

// Rows lie in many segments: the writer, a reader that shares its filters, one that has none, and a new process find them all,
// and the newest where an identity came twice.
static void identities_and_lanes_are_found_in_any_segment(void **context) {
        struct place *place = *context;
        struct error error;
        struct arena arena = {0};
        enum { COUNT = 40 };
        begin(place);
        for (uint64_t i = 1; i <= COUNT; i++) {
                struct state_identity identity = far_at(i);
                must(state_identity_insert(place->state, &identity, &error), &error);
                struct state_lane lane = {.shard = 1, .lane = identity.identity, .key = BYTES("k"), .last_sequence = i};
                must(state_lane_put(place->state, &lane, &error), &error);
        }
        struct state_identity again = far_at(1);
        again.settled_at = 10000000;                    // in the meantime it was free
        must(state_identity_insert(place->state, &again, &error), &error);
        commit(place, 10000000);
        for (int round = 0; round < 2; round++) {
                struct state_reader *readers[3] = {state_own_reader(place->state)};
                must(state_reader_open(place->path, &readers[1], &error) && state_reader_open(place->path, &readers[2], &error),
                     &error);
                state_reader_share(readers[2], place->state);
                for (size_t r = 0; r < ARRAY_SIZE(readers); r++)
                        for (uint64_t i = 1; i <= COUNT; i++) {
                                struct state_identity wanted = far_at(i), found;
                                struct state_lane lane;
                                must(state_identity_find(readers[r], 1, &wanted.identity, &found, &error), &error);
                                assert_int_equal(found.settled_at, i == 1 ? again.settled_at : far_at(i).settled_at);
                                must(state_lane_find(readers[r], 1, &wanted.identity, &arena, &lane, &error), &error);
                                assert_int_equal(lane.last_sequence, i);
                                wanted.identity.bytes[0] ^= 0xff;
                                assert_false(state_identity_find(readers[r], 1, &wanted.identity, &found, &error));
                                assert_int_equal(error.code, ERROR_NOT_FOUND);
                                assert_false(state_lane_find(readers[r], 1, &wanted.identity, &arena, &lane, &error));
                                assert_int_equal(error.code, ERROR_NOT_FOUND);
                        }
                state_close(TAKE(place->state));        // the reader that shares outlives it
                struct state_identity wanted = far_at(7), found;
                must(state_identity_find(readers[2], 1, &wanted.identity, &found, &error), &error);
                state_reader_close(readers[1]);
                state_reader_close(readers[2]);
                place->state = open_state(place);
        }
        size_t removed = 0;
        must(state_expire(place->state, 2, COUNT - 1, &removed, &error), &error);
        for (uint64_t i = 1; i <= COUNT; i++) {
                struct state_identity wanted = far_at(i), found;
                assert_int_equal(state_identity_find(state_own_reader(place->state), 1, &wanted.identity, &found, &error),
                                 i == 1 || i == COUNT);
        }
        arena_free(&arena);
}

static void a_replica_is_listed_without_its_tombstones(void **context) {
        struct place *place = *context;
        struct error error;
        struct arena arena = {0};
        begin(place);
        for (int i = 0; i < 10; i++) {
                char key[8];
                snprintf(key, sizeof key, "m-%d", i);
                struct state_replica row = {.family = 4, .key = bytes_of(key), .body = BYTES("{}"), .position = 9,
                                            .tombstone = i == 3};
                must(state_replica_put(place->state, &row, &error), &error);
        }
        commit(place, 9);
        struct state_reader *reader = state_own_reader(place->state);
        struct state_replica *rows, row;
        size_t count;
        must(state_replica_list(reader, 4, BYTES("m-1"), 4, &arena, &rows, &count, &error), &error);
        assert_int_equal(count, 4);
        assert_true(bytes_equal(rows[0].key, BYTES("m-2")) && bytes_equal(rows[1].key, BYTES("m-4")));
        must(state_replica_get(reader, 4, BYTES("m-3"), &arena, &row, &error), &error);
        assert_true(row.tombstone);
        assert_false(state_replica_get(reader, 5, BYTES("m-2"), &arena, &row, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        arena_free(&arena);
}

static void families_are_names_without_their_partition(void **context) {
        struct place *place = *context;
        struct error error;
        uint32_t first = 0, again = 0;
        assert_true(bytes_equal(state_family_of_stream(BYTES("COMM-040/13")), BYTES("COMM-040")));
        assert_true(bytes_equal(state_family_of_stream(BYTES("topic/a/0")), BYTES("topic/a")));
        assert_true(bytes_equal(state_family_of_stream(BYTES("control")), BYTES("control")));
        assert_true(bytes_equal(state_family_of_stream(BYTES("COMM-040")), BYTES("COMM-040")));
        assert_true(bytes_equal(state_family_of_stream(BYTES("/7")), BYTES("/7")));
        assert_false(state_family(state_own_reader(place->state), BYTES("COMM-040"), &first, &error));
        begin(place);
        must(state_family_intern(place->state, BYTES("COMM-040"), &first, &error), &error);
        must(state_family_intern(place->state, BYTES("COMM-040"), &again, &error), &error);
        assert_int_equal(first, again);
        commit(place, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
        const struct CMUnitTest tests[] = {
                TEST(only_a_view_of_this_log_is_opened),
                TEST(another_format_begins_anew_and_another_program_is_refused),
                TEST(a_rollback_leaves_nothing_and_readers_see_commits_only),
                TEST(held_messages_are_paged_by_family),
                TEST(identities_are_found_exactly_and_expire),
                TEST(what_a_family_has_left_is_looked_for_in_pieces),
                TEST(identities_and_lanes_are_found_in_any_segment),
                TEST(a_replica_is_listed_without_its_tombstones),
                TEST(families_are_names_without_their_partition),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
