// SPDX-License-Identifier: Apache-2.0
// bench-log [DIRECTORY [SECONDS]]: durable appends of 400-byte records by 1, 16 and 64 callers, each of which waits for its record
// before it appends the next. One line per round; the log is a new one in the directory, which is on the device to be measured.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log/log.h"

struct caller {
        pthread_t thread;
        struct log *log;
        atomic_bool *stop;
        uint32_t stream;
        uint64_t appended;
};

static void *run(void *argument) {
        struct caller *caller = argument;
        static const char body[360] = "body";
        while (!atomic_load(caller->stop)) {
                struct error error;
                struct log_record record = {.stream = caller->stream, .offset = (int64_t)caller->appended,
                                            .header = {body, 40}, .body = {body, sizeof body}};
                struct log_batch batch = {.records = &record, .count = 1};
                if (!log_append_wait(caller->log, &batch, &error)) {
                        fprintf(stderr, "bench-log: %s\n", error.text);
                        exit(1);
                }
                caller->appended++;
        }
        return NULL;
}

static double seconds(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(const char *path, size_t count, unsigned duration) {
        struct error error;
        struct log *log;
        if (!log_open(path, &(struct log_options){.threaded = true}, &log, &error)) {
                fprintf(stderr, "bench-log: %s\n", error.text);
                exit(1);
        }
        struct caller callers[64] = {0};
        atomic_bool stop = false;
        double begun = seconds(CLOCK_MONOTONIC), processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t i = 0; i < count; i++) {
                char name[32];
                snprintf(name, sizeof name, "%zu/%zu", count, i);
                callers[i] = (struct caller){.log = log, .stop = &stop};
                if (!log_stream(log, bytes_of(name), LOG_STREAM_OFFSETS, &callers[i].stream, &error) ||
                    pthread_create(&callers[i].thread, NULL, run, &callers[i]) != 0)
                        exit(1);
        }
        sleep(duration);
        atomic_store(&stop, true);
        for (size_t i = 0; i < count; i++)
                pthread_join(callers[i].thread, NULL);
        double took = seconds(CLOCK_MONOTONIC) - begun;
        processor = seconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
        struct log_stats stats;
        log_stats(log, &stats);
        printf("%2zu callers: %8.0f durable appends/s, group p50 %llu, commit p50 %llu us, p99 %llu us, %.1f us CPU an append\n",
               count, (double)stats.records / took, (unsigned long long)log_histogram_quantile(stats.group_records, 0.5),
               (unsigned long long)log_histogram_quantile(stats.commit_time, 0.5),
               (unsigned long long)log_histogram_quantile(stats.commit_time, 0.99), processor * 1e6 / (double)stats.records);
        log_close(log);
}

int main(int argc, char **argv) {
        char directory[200], path[256];
        snprintf(directory, sizeof directory, "%s/bench-log-XXXXXX", argc > 1 ? argv[1] : "/tmp");
        if (!mkdtemp(directory)) {
                perror(directory);
                return 1;
        }
        snprintf(path, sizeof path, "%s/log.db", directory);
        unsigned duration = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
        static const size_t callers[] = {1, 16, 64};
        for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
                measure(path, callers[i], duration);
        static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[300];
                snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
                unlink(name);
        }
        rmdir(directory);
        return 0;
}
