// SPDX-License-Identifier: Apache-2.0
// A process that appends with several threads is killed with -9 at a random instant, again and again: every append that it was
// told of, and reported through a pipe, is there when the log is opened anew, and each thread's offsets are without gap.
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

enum { CALLERS = 4, KILLS = 12, KILL_AFTER_MAX_US = 120000 };

struct report {
        uint32_t stream;
        int64_t offset;
};

struct caller {
        pthread_t thread;
        struct log *log;
        int pipe, number;
};

static void *append_for_ever(void *argument) {
        const struct caller *caller = argument;
        char name[16];
        snprintf(name, sizeof name, "caller/%d", caller->number);
        uint32_t stream;
        struct log_stream_info info;
        if (!log_stream(caller->log, bytes_of(name), LOG_STREAM_OFFSETS, &stream, NULL) ||
            !log_stream_info(caller->log, stream, &info, NULL))
                _exit(2);
        for (int64_t offset = info.next_offset;; offset++) {
                char body[300] = "";
                snprintf(body, sizeof body, "%d %lld", caller->number, (long long)offset);
                struct log_record record = {.stream = stream, .offset = offset, .body = {body, sizeof body}};
                struct log_batch batch = {.records = &record, .count = 1};
                struct report report = {stream, offset};
                if (!log_append_wait(caller->log, &batch, NULL) ||
                    write(caller->pipe, &report, sizeof report) != sizeof report)
                        _exit(3);
        }
        return NULL;
}

NORETURN static void victim(const char *path, int pipe) {
        struct error error;
        struct log *log;
        struct caller callers[CALLERS];
        if (!log_open(path, &(struct log_options){.threaded = true, .checkpoint_pages = 50}, &log, &error)) {
                fprintf(stderr, "%s\n", error.text);
                _exit(1);
        }
        for (int i = 0; i < CALLERS; i++) {
                callers[i] = (struct caller){.log = log, .pipe = pipe, .number = i};
                if (pthread_create(&callers[i].thread, NULL, append_for_ever, &callers[i]) != 0)
                        _exit(4);
        }
        for (;;)
                pause();
}

// Opens what the victim left and compares it with what it had been told.
static size_t compare(const char *path, const int64_t told[CALLERS + 1]) {
        struct error error;
        struct log *log;
        CLEANUP(arena_free) struct arena arena = {0};
        struct log_reader *reader;
        if (!log_open(path, NULL, &log, &error))
                fail_msg("%s", error.text);
        assert_true(log_reader_open(log, &reader, &error));
        size_t seen = 0;
        for (uint32_t stream = 1; stream <= log_stream_count(log); stream++) {
                struct log_record *records;
                size_t count;
                int64_t next = 0;
                do {
                        arena_reset(&arena);
                        if (!log_read_stream(reader, stream, next, 500, 1 << 20, &arena, &records, &count, &error))
                                fail_msg("%s", error.text);
                        for (size_t i = 0; i < count; i++)
                                assert_int_equal(records[i].offset, next++);
                        seen += count;
                } while (count > 0);
                assert_true(next > told[stream]);
        }
        log_reader_close(reader);
        log_close(log);
        return seen;
}

static void acknowledged_records_survive_a_kill(void **state) {
        IGNORE(state != NULL);
        char directory[] = "/tmp/commute-kill-XXXXXX", path[64];
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/log.db", directory);
        unsigned seed = (unsigned)getpid();
        print_message("seed %u\n", seed);
        int64_t told[CALLERS + 1] = {-1, -1, -1, -1, -1};
        size_t seen = 0;
        for (int i = 0; i < KILLS; i++) {
                int ends[2];
                assert_int_equal(pipe(ends), 0);
                pid_t child = fork();
                assert_true(child >= 0);
                if (child == 0)
                        victim(path, ends[1]);
                close(ends[1]);
                struct report report;
                // The first acknowledgement says that it has begun.
                bool first = read(ends[0], &report, sizeof report) == sizeof report;
                assert_true(first);
                told[report.stream] = MAX(told[report.stream], report.offset);
                usleep((unsigned)rand_r(&seed) % KILL_AFTER_MAX_US);
                kill(child, SIGKILL);
                assert_int_equal(waitpid(child, NULL, 0), child);
                while (read(ends[0], &report, sizeof report) == sizeof report)
                        told[report.stream] = MAX(told[report.stream], report.offset);
                close(ends[0]);
                seen = compare(path, told);
        }
        print_message("%zu records\n", seen);
        static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[80];
                snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
                unlink(name);
        }
        rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(acknowledged_records_survive_a_kill)};
        return cmocka_run_group_tests_name("log-kill", tests, NULL, NULL);
}
