// SPDX-License-Identifier: Apache-2.0
// Erasure in the log, on real files: what was is in none of them after rewrite and sweep, and everything else is as before; also
// when the process is killed with -9 at any instant of it, again and again, while others append.
#include "log/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { RECORDS = 600, FILLED = 9000, KILLS = 12, KILL_AFTER_MAX_US = 150000, PIECE = 50 };
static const char SECRET[] = "Ludmilla.Quast";

static const char *const suffixes[] = {"", "-wal", "-shm", "-lock", "-journal"};

static void remove_all(const char *directory, const char *path) {
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[128];
                snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
                unlink(name);
        }
        rmdir(directory);
}

// How often the secret is in the log's files.
static size_t secrets_in(const char *path) {
        size_t found = 0;
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[128];
                snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
                FILE *file = fopen(name, "re");
                if (!file)
                        continue;
                CLEANUP(buffer_free) struct buffer text = {0};
                size_t got;
                while ((got = fread(buffer_reserve(&text, 1 << 16), 1, 1 << 16, file)) > 0)
                        text.size += got;
                fclose(file);
                const char *at = text.data, *end = text.data + text.size;
                while (at && (at = memmem(at, (size_t)(end - at), SECRET, sizeof SECRET - 1))) {
                        found++;
                        at++;
                }
        }
        return found;
}

struct waiting {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        bool done, failed;
        struct error error;
};
static struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false, {0}};

static void finished(const struct error *error) {
        pthread_mutex_lock(&waiting.mutex);
        waiting.done = true;
        waiting.failed = error;
        if (error)
                waiting.error = *error;
        pthread_cond_signal(&waiting.cond);
        pthread_mutex_unlock(&waiting.mutex);
}

static bool wait_for_it(void) {
        pthread_mutex_lock(&waiting.mutex);
        while (!waiting.done)
                pthread_cond_wait(&waiting.cond, &waiting.mutex);
        waiting.done = false;
        pthread_mutex_unlock(&waiting.mutex);
        if (waiting.failed)
                fprintf(stderr, "%s\n", waiting.error.text);
        return !waiting.failed;
}

static void rewritten(struct log_rewrite *rewrite, const struct error *error) {
        IGNORE(rewrite != NULL);
        finished(error);
}

static void swept(struct log_sweep *sweep, const struct error *error) {
        IGNORE(sweep != NULL);
        finished(error);
}

static void written(struct log_snapshot *snapshot, const struct error *error) {
        IGNORE(snapshot != NULL);
        finished(error);
}

static void trimmed(struct log_trim *trim, const struct error *error) {
        IGNORE(trim != NULL);
        finished(error);
}

// Replaces the bodies with the secret of what the log holds; bodies of other sizes, so that cells and overflow pages move.
static bool erase(struct log *log, struct log_reader *reader, uint64_t *from, size_t *ret_count) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct log_record *records;
        size_t count, chosen = 0;
        if (!log_read(reader, *from, PIECE, 1 << 20, &arena, &records, &count, NULL))
                return false;
        *ret_count = count;
        if (count)
                *from = records[count - 1].position + 1;
        for (size_t i = 0; i < count; i++) {
                if (!memmem(records[i].body.data, records[i].body.size, SECRET, sizeof SECRET - 1))
                        continue;
                records[chosen] = records[i];
                records[chosen].header = BYTES("erased");
                records[chosen].body = (struct bytes){arena_alloc(&arena, records[i].body.size / 2), records[i].body.size / 2};
                chosen++;
        }
        struct log_rewrite rewrite = {.records = records, .count = chosen, .complete = rewritten};
        struct error error;
        return !chosen || (log_rewrite(log, &rewrite, &error) && wait_for_it());
}

static bool erase_all(struct log *log) {
        struct log_reader *reader;
        uint64_t from = 1;
        size_t count = 1;
        bool good = log_reader_open(log, &reader, NULL);
        while (good && count)
                good = erase(log, reader, &from, &count);
        log_reader_close(reader);
        struct log_sweep sweep = {.complete = swept};
        struct error error;
        return good && log_sweep(log, &sweep, &error) && wait_for_it();
}

static bool append_one(struct log *log, uint32_t stream, int64_t offset, bool secret) {
        static char body[FILLED];
        size_t size = offset % 7 == 0 ? FILLED : 100 + (size_t)offset % 300;
        memset(body, 'x', size);
        snprintf(body, sizeof body, "%lld", (long long)offset);
        for (size_t at = 20; secret && at + sizeof SECRET < size; at += 700)
                memcpy(body + at, SECRET, sizeof SECRET - 1);
        struct log_record record = {.stream = stream, .offset = offset, .header = BYTES("as it was"), .body = {body, size}};
        struct log_batch batch = {.records = &record, .count = 1};
        return log_append_wait(log, &batch, NULL);
}

// Every record once, in order, its offset in its body unless it was erased. Returns how many were erased.
static size_t compare(struct log_reader *reader, uint32_t stream, int64_t told, bool all_clean) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct log_record *records;
        struct error error;
        size_t count, erased = 0;
        int64_t next = -1;
        do {
                arena_reset(&arena);
                if (!log_read_stream(reader, stream, next < 0 ? 0 : next, 100, 1 << 20, &arena, &records, &count, &error))
                        fail_msg("%s", error.text);
                for (size_t i = 0; i < count; i++) {
                        if (next < 0)
                                next = records[i].offset;       // what is before has been trimmed
                        assert_int_equal(records[i].offset, next++);
                        bool is_erased = bytes_equal(records[i].header, BYTES("erased"));
                        erased += is_erased;
                        assert_int_equal(is_erased, !memchr(records[i].body.data, 'x', records[i].body.size));
                        if (!is_erased)
                                assert_int_equal(strtoll(records[i].body.data, NULL, 10), records[i].offset);
                        if (all_clean)
                                assert_null(memmem(records[i].body.data, records[i].body.size, SECRET, sizeof SECRET - 1));
                }
        } while (count > 0);
        assert_true(next > told);
        return erased;
}

// Into `records`: a topic with secrets in every second record; some trimmed, a snapshot that was replaced.
static void fill(struct log *log, uint32_t *ret_stream) {
        struct error error;
        assert_true(log_stream(log, BYTES("topic/0"), LOG_STREAM_OFFSETS, ret_stream, &error));
        for (int64_t offset = 0; offset < RECORDS; offset++)
                assert_true(append_one(log, *ret_stream, offset, offset % 2 == 0));
        CLEANUP(buffer_free) struct buffer body = {0};
        for (int i = 0; i < 100000; i++)
                buffer_append(&body, (struct bytes){SECRET, sizeof SECRET});
        struct log_snapshot snapshot = {.name = BYTES("views/a/0"), .position = 1, .body = buffer_bytes(&body), .complete = written};
        assert_true(log_snapshot_write(log, &snapshot, &error) && wait_for_it());
        struct log_trim trim = {.up_to = 50, .complete = trimmed};
        assert_true(log_trim(log, &trim, &error) && wait_for_it());
}

static void nothing_of_what_was_is_left_in_any_file(void **state) {
        IGNORE(state == NULL);
        char directory[] = "/tmp/commute-erase-XXXXXX", path[64];
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/log.db", directory);
        struct log *log;
        struct error error;
        struct log_reader *reader;
        uint32_t stream;
        assert_true(log_open(path, &(struct log_options){.threaded = true}, &log, &error));
        assert_true(log_reader_open(log, &reader, &error));     // stays open: its connection must not be in the way
        fill(log, &stream);
        assert_true(secrets_in(path) > RECORDS);
        struct log_snapshot snapshot = {.name = BYTES("views/a/0"), .position = 2, .body = BYTES(""), .complete = written};
        assert_true(log_snapshot_write(log, &snapshot, &error) && wait_for_it());
        assert_true(erase_all(log));
        assert_int_equal(secrets_in(path), 0);
        assert_int_equal(compare(reader, stream, RECORDS - 1, true), RECORDS / 2 - 25);
        assert_true(append_one(log, stream, RECORDS, false));
        CLEANUP(buffer_free) struct buffer body = {0};
        uint64_t position;
        assert_true(log_snapshot_read(reader, BYTES("views/a/0"), &position, &body, &error));
        assert_int_equal(position, 2);
        log_reader_close(reader);
        log_close(log);
        assert_int_equal(secrets_in(path), 0);
        assert_true(log_open(path, &(struct log_options){.threaded = true}, &log, &error));
        assert_true(log_reader_open(log, &reader, &error));
        compare(reader, stream, RECORDS, true);
        log_reader_close(reader);
        log_close(log);
        remove_all(directory, path);
}

static void a_rewrite_keeps_its_limits(void **state) {
        IGNORE(state == NULL);
        char directory[] = "/tmp/commute-erase-XXXXXX", path[64];
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/log.db", directory);
        struct log *log;
        struct error error;
        uint32_t stream;
        assert_true(log_open(path, &(struct log_options){.threaded = true}, &log, &error));
        fill(log, &stream);
        static const char big[LOG_BODY_MAX + 1];
        struct log_record many[2] = {{.position = 100, .stream = stream, .offset = 99}};
        struct log_rewrite rewrite = {.records = many, .count = 0, .complete = rewritten};
        assert_false(log_rewrite(log, &rewrite, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        rewrite.count = LOG_REWRITE_RECORDS_MAX + 1;
        assert_false(log_rewrite(log, &rewrite, &error));
        rewrite.count = 1;
        many[0].body = (struct bytes){big, sizeof big};
        assert_false(log_rewrite(log, &rewrite, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        many[0].body = BYTES("");
        many[0].position = 0;
        assert_false(log_rewrite(log, &rewrite, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        // trimmed, beyond the end, of another stream: passed over
        many[0] = (struct log_record){.position = 3, .stream = stream, .offset = 2};
        many[1] = (struct log_record){.position = 100, .stream = stream + 1, .offset = 99};
        rewrite.count = 2;
        assert_true(log_rewrite(log, &rewrite, &error) && wait_for_it());
        assert_int_equal(rewrite.replaced, 0);
        log_close(log);
        remove_all(directory, path);
}

// ---- kill -9 ----

struct victim {
        struct log *log;
        int pipe;
};

static void *append_for_ever(void *argument) {
        const struct victim *victim = argument;
        uint32_t stream;
        struct log_stream_info info;
        if (!log_stream(victim->log, BYTES("topic/0"), LOG_STREAM_OFFSETS, &stream, NULL) ||
            !log_stream_info(victim->log, stream, &info, NULL))
                _exit(2);
        for (int64_t offset = info.next_offset;; offset++)
                if (!append_one(victim->log, stream, offset, offset % 2 == 0) ||
                    write(victim->pipe, &offset, sizeof offset) != sizeof offset)
                        _exit(3);
        return NULL;
}

NORETURN static void run_victim(const char *path, int pipe) {
        struct victim victim = {.pipe = pipe};
        pthread_t thread;
        if (!log_open(path, &(struct log_options){.threaded = true, .checkpoint_pages = 50}, &victim.log, NULL) ||
            pthread_create(&thread, NULL, append_for_ever, &victim) != 0)
                _exit(1);
        for (;;)
                if (!erase_all(victim.log))
                        _exit(4);
}

static void a_kill_at_any_instant_loses_nothing(void **state) {
        IGNORE(state == NULL);
        char directory[] = "/tmp/commute-erase-XXXXXX", path[64];
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/log.db", directory);
        const char *given = getenv("SEED");
        unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();
        print_message("SEED=%u\n", seed);
        int64_t told = -1;
        size_t erased = 0;
        for (int i = 0; i < KILLS; i++) {
                int ends[2];
                assert_int_equal(pipe(ends), 0);
                pid_t child = fork();
                assert_true(child >= 0);
                if (child == 0)
                        run_victim(path, ends[1]);
                close(ends[1]);
                int64_t offset;
                bool first = read(ends[0], &offset, sizeof offset) == sizeof offset;
                assert_true(first);
                told = MAX(told, offset);
                usleep((unsigned)rand_r(&seed) % KILL_AFTER_MAX_US);
                kill(child, SIGKILL);
                assert_int_equal(waitpid(child, NULL, 0), child);
                while (read(ends[0], &offset, sizeof offset) == sizeof offset)
                        told = MAX(told, offset);
                close(ends[0]);
                struct log *log;
                struct log_reader *reader;
                struct error error;
                if (!log_open(path, &(struct log_options){.threaded = true}, &log, &error))
                        fail_msg("%s", error.text);
                assert_true(log_reader_open(log, &reader, &error));
                uint32_t stream;
                assert_true(log_stream(log, BYTES("topic/0"), LOG_STREAM_OFFSETS, &stream, &error));
                size_t now = compare(reader, stream, told, false);
                assert_true(now >= erased);             // what was erased stays so
                erased = now;
                if (i == KILLS - 1) {                   // and what was cut short can be done again
                        assert_true(erase_all(log));
                        assert_int_equal(secrets_in(path), 0);
                        compare(reader, stream, told, true);
                }
                log_reader_close(reader);
                log_close(log);
        }
        print_message("%lld records, %zu erased before the last kill\n", (long long)told + 1, erased);
        assert_true(erased > 0);
        remove_all(directory, path);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_of_what_was_is_left_in_any_file),
                cmocka_unit_test(a_rewrite_keeps_its_limits), cmocka_unit_test(a_kill_at_any_instant_loses_nothing)};
        return cmocka_run_group_tests_name("log-erase", tests, NULL, NULL);
}
