// SPDX-License-Identifier: Apache-2.0
// bench-views [DIRECTORY [MESSAGES [LANES [CHUNK]]]]: what the fold costs. Appends MESSAGE and DELIVERED records, folds after
// every CHUNK records as the views' thread would, and counts the fold's CPU alone; then a snapshot; then asks for identities and
// lanes that are there and that are not. Ten lines on the way, so that growth shows. LANES 0: each message has its own lane.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway/views.h"
#include "log/log.h"
#include "proof/ledger.h"
#include "store/state.h"

enum { BODY = 250, BEHIND = 64, CHUNK_MAX = 4000, ASKED = 20000 };      // a message is delivered BEHIND messages later

static char directory[200], log_path[256], state_path[256];
static uint64_t lanes = 10000, chunk = 1000;
static struct views *views;
static struct log *bench_log;
static uint32_t shard, topic;
static double spent;

static void must(bool done, const struct error *error) {
        if (done)
                return;
        fprintf(stderr, "bench-views: %s\n", error->text);
        exit(1);
}

static double seconds(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct hash128 hash_of(uint64_t kind, uint64_t number) {
        struct hash128 hash;
        uint64_t x = number * 0x9e3779b97f4a7c15u + kind * 0xd1b54a32d192ed03u, parts[2];
        for (int i = 0; i < 2; i++) {
                x ^= x >> 30, x *= 0xbf58476d1ce4e5b9u, x ^= x >> 27, x *= 0x94d049bb133111ebu, x ^= x >> 31;
                parts[i] = x;
        }
        memcpy(hash.bytes, parts, sizeof hash);
        return hash;
}

static struct record record_of(enum record_kind kind, uint64_t number) {
        uint64_t lane = lanes ? number % lanes : number;
        return (struct record){.kind = kind, .shard = shard, .epoch = 1, .time_ms = 1700000000000 + (int64_t)number,
                               .lane = hash_of(1, lane), .identity = hash_of(2, number), .body_hash = hash_of(3, number),
                               .sequence = lanes ? number / lanes + 1 : 1, .key = BYTES("task-0123456789"),
                               .identity_text = BYTES("8d4e1f0a-1111-2222-3333-0123456789ab")};
}

static uint64_t positions[BEHIND];              // of the messages under way

// One submission of records: messages and deliveries take turns. Positions are those that the log will give.
static void append(uint64_t *next, uint64_t end, uint64_t *delivered) {
        static struct log_record records[CHUNK_MAX];
        static struct buffer headers[CHUNK_MAX];
        static const char body[BODY] = "{}";
        struct error error;
        size_t count = 0;
        uint64_t position = log_last_position(bench_log);
        for (; count < chunk && *delivered < end; count++) {
                bool message = *next < end && *next - *delivered < BEHIND;
                uint64_t number = message ? *next : *delivered;
                struct record record = record_of(message ? RECORD_MESSAGE : RECORD_DELIVERED, number);
                if (message)
                        positions[number % BEHIND] = position + count + 1;
                else
                        record.reference = positions[number % BEHIND], record.status = 200, record.key = (struct bytes){0};
                buffer_clear(&headers[count]);
                record_encode(&record, &headers[count]);
                records[count] = (struct log_record){.stream = message ? topic : shard, .offset = message ? (int64_t)number : -1,
                                                     .header = buffer_bytes(&headers[count]),
                                                     .body = {body, message ? sizeof body : 0}};
                *(message ? next : delivered) += 1;
        }
        struct log_batch batch = {.records = records, .count = count};
        must(log_append_wait(bench_log, &batch, &error), &error);
        if (records[0].position != position + 1)
                abort();
}

static void fold(void) {
        struct error error;
        size_t count = 1;
        double begun = seconds(CLOCK_THREAD_CPUTIME_ID);
        while (count > 0)
                must(views_step(views, &count, &error), &error);
        spent += seconds(CLOCK_THREAD_CPUTIME_ID) - begun;
}

static size_t memory_kib(void) {
        FILE *file = fopen("/proc/self/smaps_rollup", "r");
        char line[200];
        size_t pss = 0;
        while (file && fgets(line, sizeof line, file))
                if (sscanf(line, "Pss: %zu", &pss) == 1)
                        break;
        if (file)
                fclose(file);
        return pss;
}

static double size_mb(const char *path) {
        struct stat status;
        return stat(path, &status) ? 0 : (double)status.st_size / 1e6;
}

static void ask(const char *what, struct state_reader *reader, uint64_t kind, uint64_t from, uint64_t range, bool expected) {
        struct arena arena = {0};
        struct error error;
        uint32_t family = 0;
        must(state_family(reader, BYTES("COMM-040"), &family, &error), &error);
        double begun = seconds(CLOCK_THREAD_CPUTIME_ID);
        for (uint64_t i = 0; i < ASKED; i++) {
                struct hash128 hash = hash_of(kind, from + (i * 7919) % range);
                struct state_identity identity;
                struct state_lane lane;
                bool found = kind == 2 ? state_identity_find(reader, family, &hash, &identity, &error)
                                       : state_lane_find(reader, shard, &hash, &arena, &lane, &error);
                if (found != expected) {
                        fprintf(stderr, "bench-views: %s: %s\n", what, found ? "found" : error.text);
                        exit(1);
                }
                arena_reset(&arena);
        }
        printf("%-24s %6.2f us CPU\n", what, (seconds(CLOCK_THREAD_CPUTIME_ID) - begun) * 1e6 / ASKED);
        arena_free(&arena);
}

static void open_all(void) {
        struct error error;
        must(log_open(log_path, &(struct log_options){.threaded = true}, &bench_log, &error), &error);
        must(log_stream(bench_log, BYTES("COMM-040/0"), LOG_STREAM_PLAIN, &shard, &error), &error);
        must(log_stream(bench_log, BYTES("topic/task-completed/0"), LOG_STREAM_OFFSETS, &topic, &error), &error);
        must(views_open(&(struct views_options){.log = bench_log, .path = state_path}, &views, &error), &error);
        struct buffer header = {0};
        record_encode(&(struct record){.kind = RECORD_EPOCH, .shard = shard, .mode = LANE_ASYNC, .epoch = 1}, &header);
        struct log_record epoch = {.stream = shard, .offset = -1, .header = buffer_bytes(&header)};
        struct log_batch batch = {.records = &epoch, .count = 1};
        must(log_append_wait(bench_log, &batch, &error), &error);
        buffer_free(&header);
}

static bool no_fault(void *context, struct bytes kind, uint64_t count, uint64_t position, struct bytes text, struct error *error) {
        (void)context, (void)kind, (void)count, (void)position;
        return error_set(error, ERROR_CORRUPT, "%.*s", BYTES_PRINT(text));
}

static void clean_up(void) {
        static const char *const suffixes[] = {"", "-wal", "-shm", "-lock"};
        for (size_t i = 0; i < 2 * ARRAY_SIZE(suffixes); i++) {
                char name[300];
                snprintf(name, sizeof name, "%s%s", i % 2 ? log_path : state_path, suffixes[i / 2]);
                unlink(name);
        }
        rmdir(directory);
}

int main(int argc, char **argv) {
        struct error error;
        uint64_t messages = argc > 2 ? strtoull(argv[2], NULL, 10) : 200000, next = 0, delivered = 0;
        lanes = argc > 3 ? strtoull(argv[3], NULL, 10) : lanes;
        chunk = argc > 4 ? strtoull(argv[4], NULL, 10) : chunk;
        snprintf(directory, sizeof directory, "%s/bench-views-XXXXXX", argc > 1 ? argv[1] : "/tmp");
        if (messages < 1000 || chunk < 1 || chunk > CHUNK_MAX || !mkdtemp(directory)) {
                fprintf(stderr, "bench-views [DIRECTORY [MESSAGES [LANES [CHUNK (1 ... %d)]]]]\n", (int)CHUNK_MAX);
                return 64;
        }
        snprintf(log_path, sizeof log_path, "%s/log.db", directory);
        snprintf(state_path, sizeof state_path, "%s/state.db", directory);
        open_all();
        for (uint64_t part = 1, last = 0; part <= 10; part++) {
                double before = spent;
                while (delivered < messages * part / 10) {
                        append(&next, messages, &delivered);
                        fold();
                }
                printf("%8" PRIu64 " messages: %6.2f us CPU a message, state.db %.1f MB, PSS %.1f MB\n", delivered,
                       (spent - before) * 1e6 / (double)(delivered - last), size_mb(state_path), (double)memory_kib() / 1024);
                fflush(stdout);
                last = delivered;
        }
        must(state_fault_each(views_reader(views), no_fault, NULL, &error), &error);
        double begun = seconds(CLOCK_MONOTONIC), processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
        must(views_snapshot_now(views, &error), &error);
        printf("snapshot                 %6.2f s, %.2f s CPU, PSS %.1f MB\n", seconds(CLOCK_MONOTONIC) - begun,
               seconds(CLOCK_PROCESS_CPUTIME_ID) - processor, (double)memory_kib() / 1024);
        struct state_reader *reader;
        must(state_reader_open(state_path, &reader, &error), &error);
        views_share(views, reader);
        ask("identity: known", reader, 2, 0, messages, true);
        ask("identity: not known", reader, 2, messages, messages, false);
        ask("lane: known", reader, 1, 0, lanes ? MIN(lanes, messages) : messages, true);
        ask("lane: not known", reader, 1, messages, messages, false);
        state_reader_close(reader);
        views_close(views);
        log_close(bench_log);
        clean_up();
        return 0;
}
