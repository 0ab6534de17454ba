// SPDX-License-Identifier: Apache-2.0
// The log as its callers see it, on real files: streams, appends, reads, limits, retention, snapshots, reopening of the program.
#include "log/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "log/log_priv.h"
#include "log/sql_priv.h"

struct place {
        char directory[64];
        char path[96];
};

static int make_place(void **state) {
        struct place *place = must_calloc(1, sizeof *place);
        snprintf(place->directory, sizeof place->directory, "/tmp/commute-log-XXXXXX");
        if (!mkdtemp(place->directory))
                return -1;
        snprintf(place->path, sizeof place->path, "%s/log.db", place->directory);
        *state = place;
        return 0;
}

static int remove_place(void **state) {
        struct place *place = *state;
        static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-journal"};
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[128];
                snprintf(name, sizeof name, "%s%s", place->path, suffixes[i]);
                unlink(name);
        }
        rmdir(place->directory);
        free(place);
        return 0;
}

static struct log *open_log(const struct place *place, bool threaded) {
        struct error error;
        struct log *log = NULL;
        if (!log_open(place->path, &(struct log_options){.threaded = threaded}, &log, &error))
                fail_msg("%s", error.text);
        return log;
}

static uint32_t stream_of(struct log *log, const char *name, enum log_stream_kind kind) {
        struct error error;
        uint32_t stream = 0;
        if (!log_stream(log, bytes_of(name), kind, &stream, &error))
                fail_msg("%s", error.text);
        return stream;
}

// Appends one record and waits.
static bool append(struct log *log, uint32_t stream, int64_t offset, const char *body, struct error *error) {
        struct log_record record = {.stream = stream, .offset = offset, .header = BYTES("h"), .body = bytes_of(body)};
        struct log_batch batch = {.records = &record, .count = 1};
        return log_append_wait(log, &batch, error);
}

static int64_t next_offset(struct log *log, uint32_t stream) {
        struct log_stream_info info;
        assert_true(log_stream_info(log, stream, &info, NULL));
        return info.next_offset;
}

static void appends_and_reads_in_order(void **state) {
        for (int threaded = 0; threaded < 2; threaded++) {
                struct error error;
                CLEANUP(log_closep) struct log *log = open_log(*state, threaded);
                uint32_t topic = stream_of(log, "task-completed/3", LOG_STREAM_OFFSETS);
                uint32_t control = stream_of(log, "control/0", LOG_STREAM_PLAIN);
                int64_t base = next_offset(log, topic);
                uint64_t before = log_last_position(log);
                struct log_record records[] = {
                        {.stream = topic, .offset = base, .header = BYTES("first"), .body = BYTES("a")},
                        {.stream = control, .offset = -1, .header = BYTES(""), .body = BYTES("")},
                        {.stream = topic, .offset = base + 1, .header = BYTES("third"), .body = BYTES("c")}};
                struct log_batch batch = {.records = records, .count = 3};
                assert_true(log_append_wait(log, &batch, &error));
                assert_int_equal(batch.outcome, LOG_DURABLE);
                assert_int_equal(records[0].position, before + 1);
                assert_int_equal(records[2].position, log_last_position(log));
                assert_int_equal(next_offset(log, topic), base + 2);

                CLEANUP(log_reader_closep) struct log_reader *reader = NULL;
                CLEANUP(arena_free) struct arena arena = {0};
                struct log_record *read;
                size_t count;
                assert_true(log_reader_open(log, &reader, &error));
                assert_true(log_read(reader, before + 1, 10, 1000, &arena, &read, &count, &error));
                assert_int_equal(count, 3);
                assert_true(bytes_equal(read[0].header, BYTES("first")));
                assert_int_equal(read[1].stream, control);
                assert_int_equal(read[1].body.size, 0);
                assert_true(bytes_equal(read[2].body, BYTES("c")));
                assert_true(log_read_stream(reader, topic, base + 1, 10, 1000, &arena, &read, &count, &error));
                assert_int_equal(count, 1);
                assert_int_equal(read[0].offset, base + 1);
                assert_true(log_read(reader, before + 1, 10, 6, &arena, &read, &count, &error));
                assert_int_equal(count, 2);
                assert_true(log_read(reader, before + 1, 10, 0, &arena, &read, &count, &error));
                assert_int_equal(count, 1);
                struct log_stats stats;
                log_stats(log, &stats);
                assert_int_equal(stats.read, 3 + 1 + 2 + 1);
                struct log_record one;
                assert_true(log_read_one(reader, before + 3, &arena, &one, &error));
                assert_int_equal(one.offset, base + 1);
                assert_false(log_read_one(reader, before + 4, &arena, &one, &error));
                assert_int_equal(error.code, ERROR_NOT_FOUND);
        }
}

static void survives_closing(void **state) {
        struct error error;
        uint8_t first[LOG_ID_SIZE], second[LOG_ID_SIZE];
        struct log *log = open_log(*state, true);
        log_id(log, first);
        uint32_t unused = stream_of(log, "never used", LOG_STREAM_OFFSETS);
        uint32_t topic = stream_of(log, "topic", LOG_STREAM_OFFSETS);
        stream_of(log, "forgotten", LOG_STREAM_OFFSETS);
        assert_true(append(log, topic, 0, "x", &error));
        assert_true(append(log, topic, 1, "y", &error));
        log_close(log);
        log = open_log(*state, true);
        log_id(log, second);
        assert_memory_equal(first, second, sizeof first);
        assert_int_equal(log_last_position(log), 2);
        assert_int_equal(log_stream_count(log), 2);
        assert_int_equal(stream_of(log, "never used", LOG_STREAM_OFFSETS), unused);
        assert_int_equal(stream_of(log, "topic", LOG_STREAM_OFFSETS), topic);
        assert_int_equal(next_offset(log, topic), 2);
        assert_true(append(log, topic, 2, "z", &error));
        assert_int_equal(log_last_position(log), 3);
        log_close(log);
}

static void refuses_wrong_offsets_and_what_follows(void **state) {
        struct error error;
        CLEANUP(log_closep) struct log *log = open_log(*state, true);
        uint32_t topic = stream_of(log, "topic", LOG_STREAM_OFFSETS), plain = stream_of(log, "plain", LOG_STREAM_PLAIN);
        assert_false(append(log, topic, 1, "x", &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_true(append(log, topic, 0, "x", &error));
        assert_false(append(log, topic, 0, "x", &error));
        struct log_record records[] = {{.stream = topic, .offset = 1}, {.stream = topic, .offset = 3}};
        struct log_batch batch = {.records = records, .count = 2};
        assert_false(log_append_wait(log, &batch, &error));
        assert_int_equal(batch.outcome, LOG_FAILED);
        assert_int_equal(next_offset(log, topic), 1);
        assert_true(append(log, topic, 1, "y", &error));
        assert_false(append(log, topic, -1, "x", &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_false(append(log, plain, 0, "x", &error));
        assert_int_equal(error.code, ERROR_INVALID);
        assert_false(append(log, 99, 0, "x", &error));
        assert_int_equal(error.code, ERROR_INVALID);
        uint32_t number;
        assert_false(log_stream(log, BYTES("topic"), LOG_STREAM_PLAIN, &number, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
}

static void ignore_batch(struct log_batch *batch, const struct error *error) {
        ASSERT(batch->outcome == LOG_DURABLE && !error);
}

static void keeps_its_limits(void **state) {
        struct error error;
        struct log_options options = {.queue_records = 3, .queue_bytes = 100};
        CLEANUP(log_closep) struct log *log = NULL;
        assert_true(log_open(((struct place *)*state)->path, &options, &log, &error));
        char *big = must_calloc(1, LOG_BODY_MAX + 1);
        uint32_t plain = stream_of(log, "plain", LOG_STREAM_PLAIN), number;
        struct log_record record = {.stream = plain, .offset = -1, .body = {big, LOG_BODY_MAX + 1}};
        struct log_batch batch = {.records = &record, .count = 1, .complete = ignore_batch};
        assert_false(log_append(log, &batch, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        record.body.size = 0;
        record.header = (struct bytes){big, LOG_HEADER_MAX + 1};
        assert_false(log_append(log, &batch, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        batch.count = 0;
        assert_false(log_append(log, &batch, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_false(log_stream(log, (struct bytes){big, LOG_NAME_MAX + 1}, LOG_STREAM_PLAIN, &number, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_false(log_stream(log, BYTES(""), LOG_STREAM_PLAIN, &number, &error));
        assert_int_equal(error.code, ERROR_LIMIT);

        struct log_record records[] = {{.stream = plain, .offset = -1}, {.stream = plain, .offset = -1}};
        struct log_batch batches[] = {{.records = records, .count = 2, .complete = ignore_batch},
                                      {.records = records, .count = 2, .complete = ignore_batch}};
        assert_true(log_append(log, &batches[0], &error));
        assert_false(log_append(log, &batches[1], &error));
        assert_int_equal(error.code, ERROR_FULL);
        assert_true(log_step(log));
        assert_true(log_append(log, &batches[1], &error));
        assert_true(log_step(log));
        records[0].body = (struct bytes){big, 101};
        batch = (struct log_batch){.records = records, .count = 1, .complete = ignore_batch};
        assert_false(log_append(log, &batch, &error));
        assert_int_equal(error.code, ERROR_FULL);
        assert_false(log_step(log));
        free(big);
}

static void takes_the_largest_record(void **state) {
        struct error error;
        CLEANUP(log_closep) struct log *log = open_log(*state, true);
        char *big = must_malloc(LOG_BODY_MAX);
        memset(big, 'x', LOG_BODY_MAX);
        struct log_record record = {.stream = stream_of(log, "plain", LOG_STREAM_PLAIN), .offset = -1,
                                    .header = {big, LOG_HEADER_MAX}, .body = {big, LOG_BODY_MAX}};
        struct log_batch batch = {.records = &record, .count = 1};
        assert_true(log_append_wait(log, &batch, &error));
        CLEANUP(log_reader_closep) struct log_reader *reader = NULL;
        CLEANUP(arena_free) struct arena arena = {0};
        struct log_record read;
        assert_true(log_reader_open(log, &reader, &error));
        assert_true(log_read_one(reader, record.position, &arena, &read, &error));
        assert_true(bytes_equal(read.body, record.body));
        assert_true(bytes_equal(read.header, record.header));
        free(big);
}

struct job {
        pthread_mutex_t mutex;
        pthread_cond_t done;
        bool completed;
        enum error_code code;
        struct log_trim trim;
        struct log_snapshot snapshot;
};

static void end_job(struct job *job, const struct error *error) {
        pthread_mutex_lock(&job->mutex);
        job->completed = true;
        job->code = error ? error->code : ERROR_NONE;
        pthread_cond_signal(&job->done);
        pthread_mutex_unlock(&job->mutex);
}

static void end_trim(struct log_trim *trim, const struct error *error) {
        end_job(CONTAINER_OF(trim, struct job, trim), error);
}

static void end_snapshot(struct log_snapshot *snapshot, const struct error *error) {
        end_job(CONTAINER_OF(snapshot, struct job, snapshot), error);
}

static void wait_for(struct job *job) {
        pthread_mutex_lock(&job->mutex);
        while (!job->completed)
                pthread_cond_wait(&job->done, &job->mutex);
        pthread_mutex_unlock(&job->mutex);
}

static void trims_all_but_what_is_kept(void **state) {
        struct error error;
        struct log *log = open_log(*state, true);
        uint32_t topic = stream_of(log, "topic", LOG_STREAM_OFFSETS), other = stream_of(log, "other", LOG_STREAM_OFFSETS);
        struct log_record records[1500];
        for (size_t i = 0; i < ARRAY_SIZE(records); i++)
                records[i] = (struct log_record){.stream = topic, .offset = (int64_t)i, .body = BYTES("x")};
        struct log_batch batch = {.records = records, .count = ARRAY_SIZE(records)};
        assert_true(append(log, other, 0, "x", &error));
        assert_true(log_append_wait(log, &batch, &error));
        const uint64_t keep[] = {7, 900};
        struct job job = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER,
                          .trim = {.up_to = 1400, .keep = keep, .keep_count = 2, .complete = end_trim}};
        assert_true(log_trim(log, &job.trim, &error));
        wait_for(&job);
        assert_int_equal(job.code, ERROR_NONE);
        assert_int_equal(job.trim.removed, 1398);

        struct log_reader *reader;
        CLEANUP(arena_free) struct arena arena = {0};
        struct log_record *read;
        size_t count;
        uint64_t first;
        assert_true(log_reader_open(log, &reader, &error));
        assert_true(log_first_position(reader, &first, &error));
        assert_int_equal(first, 7);
        assert_true(log_read(reader, 1, 10, 1000, &arena, &read, &count, &error));
        assert_int_equal(read[1].position, 900);
        assert_int_equal(read[2].position, 1401);
        assert_true(log_read_stream(reader, topic, 0, 1, 1000, &arena, &read, &count, &error));
        assert_int_equal(read[0].offset, 5);
        log_reader_close(reader);

        // Trimmed to the very end: positions and offsets go on where they were, also after a restart.
        job.completed = false;
        job.trim = (struct log_trim){.up_to = UINT64_MAX, .complete = end_trim};
        assert_true(log_trim(log, &job.trim, &error));
        wait_for(&job);
        log_close(log);
        log = open_log(*state, true);
        assert_int_equal(log_last_position(log), 1501);
        assert_int_equal(next_offset(log, topic), 1500);
        assert_int_equal(next_offset(log, other), 1);
        assert_true(append(log, other, 1, "x", &error));
        assert_int_equal(log_last_position(log), 1502);
        log_close(log);
}

static int64_t count_pieces(const struct place *place) {
        sqlite3 *db;
        int64_t pieces = -1;
        assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
        assert_true(sql_query_number(db, "SELECT count(*) FROM snapshot_piece", &pieces, NULL));
        sqlite3_close(db);
        return pieces;
}

static void stores_snapshots(void **state) {
        struct error error;
        CLEANUP(log_closep) struct log *log = open_log(*state, true);
        CLEANUP(log_reader_closep) struct log_reader *reader = NULL;
        assert_true(log_reader_open(log, &reader, &error));
        size_t size = ((size_t)20 << 20) + 17;
        char *body = must_malloc(size);
        CLEANUP(buffer_free) struct buffer read = {0};
        uint64_t position;
        assert_false(log_snapshot_read(reader, BYTES("views"), &position, &read, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        for (size_t round = 0; round < 3; round++) {
                for (size_t i = 0; i < size; i++)
                        body[i] = (char)(i * 7 + round);
                struct job job = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER,
                                  .snapshot = {.name = BYTES("views"), .position = 40 + round, .body = {body, size},
                                               .complete = end_snapshot}};
                assert_true(log_snapshot_write(log, &job.snapshot, &error));
                wait_for(&job);
                assert_int_equal(job.code, ERROR_NONE);
                buffer_clear(&read);
                assert_true(log_snapshot_read(reader, BYTES("views"), &position, &read, &error));
                assert_int_equal(position, 40 + round);
                assert_true(bytes_equal(buffer_bytes(&read), (struct bytes){body, size}));
                assert_int_equal(count_pieces(*state), 21);
        }
        struct job empty = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER,
                            .snapshot = {.name = BYTES("empty"), .complete = end_snapshot}};
        assert_true(log_snapshot_write(log, &empty.snapshot, &error));
        wait_for(&empty);
        buffer_clear(&read);
        assert_true(log_snapshot_read(reader, BYTES("empty"), &position, &read, &error));
        assert_int_equal(read.size, 0);
        free(body);
}

static void shuts_out_a_second_opener(void **state) {
        struct error error;
        struct log *log = open_log(*state, true), *second = NULL;
        assert_false(log_open(((struct place *)*state)->path, NULL, &second, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        char number[32];
        snprintf(number, sizeof number, "in use by process %ld", (long)getpid());
        assert_non_null(strstr(error.text, number));
        log_close(log);
        log_close(open_log(*state, false));
}

static void change(const struct place *place, const char *sql) {
        sqlite3 *db;
        struct error error;
        assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
        if (!sql_run(db, sql, &error))
                fail_msg("%s", error.text);
        sqlite3_close(db);
}

static void refuses_what_it_does_not_know(void **state) {
        struct error error;
        struct log *log = open_log(*state, false);
        assert_true(append(log, stream_of(log, "plain", LOG_STREAM_PLAIN), -1, "body", &error));
        assert_true(append(log, stream_of(log, "plain", LOG_STREAM_PLAIN), -1, "body", &error));
        log_close(log);
        log = NULL;
        const char *path = ((struct place *)*state)->path;
        change(*state, "UPDATE record SET body = 'bodx' WHERE position = 2");
        assert_false(log_open(path, NULL, &log, &error));
        assert_int_equal(error.code, ERROR_CORRUPT);
        assert_non_null(strstr(error.text, "position 2"));
        change(*state, "UPDATE record SET body = CAST('body' AS BLOB) WHERE position = 2; PRAGMA user_version = 99");
        assert_false(log_open(path, NULL, &log, &error));
        assert_int_equal(error.code, ERROR_UNSUPPORTED);
        change(*state, "PRAGMA user_version = 1");
        log_close(open_log(*state, false));
        change(*state, "PRAGMA application_id = 5");
        assert_false(log_open(path, NULL, &log, &error));
        assert_int_equal(error.code, ERROR_CORRUPT);
}

static void tells_quantiles(void **state) {
        IGNORE(state == NULL);
        uint64_t histogram[LOG_HISTOGRAM_SIZE] = {0};
        assert_int_equal(log_histogram_quantile(histogram, 0.5), 0);
        for (uint64_t i = 1; i <= 1000; i++)
                log_histogram_add(histogram, i);
        uint64_t median = log_histogram_quantile(histogram, 0.5), high = log_histogram_quantile(histogram, 0.99);
        assert_true(median >= 500 && median <= 640);
        assert_true(high >= 990 && high <= 1023);
        log_histogram_add(histogram, UINT64_MAX);
        assert_true(log_histogram_quantile(histogram, 1.0) > 1000000);
}

int main(void) {
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
        const struct CMUnitTest tests[] = {
                IN_PLACE(appends_and_reads_in_order), IN_PLACE(survives_closing),
                IN_PLACE(refuses_wrong_offsets_and_what_follows), IN_PLACE(keeps_its_limits),
                IN_PLACE(takes_the_largest_record), IN_PLACE(trims_all_but_what_is_kept), IN_PLACE(stores_snapshots),
                IN_PLACE(shuts_out_a_second_opener), IN_PLACE(refuses_what_it_does_not_know), cmocka_unit_test(tells_quantiles),
        };
        return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
