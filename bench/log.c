// SPDX-License-Identifier: Apache-2.0
// bench-log [--json] [DIRECTORY [SECONDS [BYTES [CALLERS]]]]: durable appends of records (400 bytes: 40 of header, the rest body) by
// 1, 16 and 64 callers (or CALLERS), each of which waits for its record before it appends the next. One line per round; the log is a
// new one in the directory, which is on the device to be measured.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latency.h"
#include "log/log.h"

enum { HEADER = 40, CALLERS_MAX = 256 };

static bool as_json;
static size_t record_size = 400;

struct caller {
        pthread_t thread;
        struct log *log;
        atomic_bool *stop;
        uint32_t stream;
        uint64_t appended;
        struct latencies latencies;
};

static void *run(void *argument) {
        struct caller *caller = argument;
        static const char body[4096] = "body";
        while (!atomic_load(caller->stop)) {
                struct error error;
                struct log_record record = {.stream = caller->stream, .offset = (int64_t)caller->appended,
                                            .header = {body, HEADER}, .body = {body, record_size - HEADER}};
                struct log_batch batch = {.records = &record, .count = 1};
                uint64_t begun = now_ns();
                if (!log_append_wait(caller->log, &batch, &error)) {
                        fprintf(stderr, "bench-log: %s\n", error.text);
                        exit(1);
                }
                latency_add(&caller->latencies, now_ns() - begun);
                caller->appended++;
        }
        return NULL;
}

static double seconds(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(size_t count, double took, double processor, const struct log_stats *stats, const struct latencies *latencies) {
        double rate = (double)stats->records / took, cpu = processor * 1e6 / (double)stats->records;
        double p50 = latency_quantile_us(latencies, 0.5), p99 = latency_quantile_us(latencies, 0.99);
        unsigned long long group = log_histogram_quantile(stats->group_records, 0.5);
        unsigned long long commit50 = log_histogram_quantile(stats->commit_time, 0.5);
        unsigned long long commit99 = log_histogram_quantile(stats->commit_time, 0.99);
        if (as_json)
                printf("{\"callers\":%zu,\"rate\":%.1f,\"cpu_us\":%.2f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"group_p50\":%llu,"
                       "\"commit_p50_us\":%llu,\"commit_p99_us\":%llu}\n", count, rate, cpu, p50, p99, group, commit50, commit99);
        else
                printf("%2zu callers: %8.0f durable appends/s, p50 %.0f, p99 %.0f us; group p50 %llu, commit p50 %llu, p99 %llu us; "
                       "%.1f us CPU an append\n", count, rate, p50, p99, group, commit50, commit99, cpu);
}

static void add_up(struct latencies *sum, const struct latencies *one) {
        sum->count += one->count;
        for (size_t i = 0; i < LATENCY_BUCKETS; i++)
                sum->bucket[i] += one->bucket[i];
}

static void measure(const char *path, size_t count, unsigned duration) {
        struct error error;
        struct log *log;
        if (!log_open(path, &(struct log_options){.threaded = true}, &log, &error)) {
                fprintf(stderr, "bench-log: %s\n", error.text);
                exit(1);
        }
        struct caller *callers = must_calloc(count, sizeof *callers);
        static struct latencies latencies;
        latencies = (struct latencies){0};
        atomic_bool stop = false;
        double begun = seconds(CLOCK_MONOTONIC), processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t i = 0; i < count; i++) {
                char name[48];
                snprintf(name, sizeof name, "%zu/%zu", count, i);
                callers[i].log = log;
                callers[i].stop = &stop;
                if (!log_stream(log, bytes_of(name), LOG_STREAM_OFFSETS, &callers[i].stream, &error) ||
                    pthread_create(&callers[i].thread, NULL, run, &callers[i]) != 0)
                        exit(1);
        }
        sleep(duration);
        atomic_store(&stop, true);
        for (size_t i = 0; i < count; i++) {
                pthread_join(callers[i].thread, NULL);
                add_up(&latencies, &callers[i].latencies);
        }
        double took = seconds(CLOCK_MONOTONIC) - begun;
        processor = seconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
        struct log_stats stats;
        log_stats(log, &stats);
        report(count, took, processor, &stats, &latencies);
        log_close(log);
        free(callers);
}

int main(int argc, char **argv) {
        if (argc > 1 && strcmp(argv[1], "--json") == 0) {
                as_json = true;
                argv++;
                argc--;
        }
        char directory[200], path[256];
        snprintf(directory, sizeof directory, "%s/bench-log-XXXXXX", argc > 1 ? argv[1] : "/tmp");
        if (!mkdtemp(directory)) {
                perror(directory);
                return 1;
        }
        snprintf(path, sizeof path, "%s/log.db", directory);
        unsigned duration = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 5;
        if (argc > 3)
                record_size = MIN(MAX(strtoul(argv[3], NULL, 10), HEADER + 1ul), HEADER + 4096ul);
        static const size_t usual[] = {1, 16, 64};
        if (argc > 4)
                measure(path, MIN(MAX(strtoul(argv[4], NULL, 10), 1ul), (unsigned long)CALLERS_MAX), duration);
        for (size_t i = 0; argc <= 4 && i < ARRAY_SIZE(usual); i++)
                measure(path, usual[i], duration);
        static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char name[300];
                snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
                unlink(name);
        }
        rmdir(directory);
        return 0;
}
