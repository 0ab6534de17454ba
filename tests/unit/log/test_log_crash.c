// SPDX-License-Identifier: Apache-2.0
// The log on a disk that loses what was not synced, fails, and fills up: random runs from a seed against a plain model of what
// was promised. What is checked after every recovery and at the end:
//      every DURABLE submission, and every UNKNOWN one that was said to have landed, is there whole, at the positions told;
//      every FAILED one, and every UNKNOWN one that was said not to have landed, is not;
//      what nobody was told about is there whole or not at all, and stays as it was first seen;
//      positions follow the order of submission, offsets have no gap;
//      a submission's records that were rewritten are all new, or all old unless the rewrite was DURABLE, and stay where they are.
#include "log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/disk_vfs.h"

enum { STREAMS = 4, SUBMISSIONS_MAX = 512, BATCH_MAX = 5, ACTIONS = 40, RUNS = 600, MUTATED_RUNS = 100 };

enum promise { MAYBE, PRESENT, ABSENT };

struct submission {
        struct log_batch batch;
        struct log_record records[BATCH_MAX];
        char bodies[BATCH_MAX][40];
        struct run *run;
        enum promise promise;
        bool unknown;                   // to be resolved
        uint64_t position;              // told; 0: not
        size_t found;                   // records in the scan under way
        size_t found_new;               // of them rewritten
        bool rewritten, rewritten_once; // durably; it was tried
        char *filler;
};

struct run {
        uint64_t random;
        struct disk *disk;
        struct log *log;
        struct log_reader *reader;      // kept open in some runs: then the WAL index outlives a reopen
        bool keep_reader;
        uint32_t streams[STREAMS];      // the last one has no offsets
        int64_t next[STREAMS];
        struct submission submissions[SUBMISSIONS_MAX];
        size_t count;
        uint64_t trimmed;               // up to here records may be gone
        struct log_trim trim;
        struct log_snapshot snapshot;
        char snapshot_body[16];
        bool trimming, snapshotting;
        struct log_rewrite rewrite;
        struct log_record rewrite_records[BATCH_MAX];
        char rewrite_headers[BATCH_MAX][48];
        struct submission *rewriting;   // NULL: none is under way
        struct log_sweep sweep;
        bool sweeping;
        unsigned rewritten, swept;
        int snapshot_written, snapshot_durable;
        unsigned unknown, failed, landed, reopened, cut;
        char violation[300];
};

static uint64_t pick(struct run *run, uint64_t below) {
        return disk_random(&run->random) % below;
}

static void violate(struct run *run, const char *format, ...) PRINTF_LIKE(2, 3);
static void violate(struct run *run, const char *format, ...) {
        if (run->violation[0])
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(run->violation, sizeof run->violation, format, arguments);
        va_end(arguments);
}

static void complete(struct log_batch *batch, const struct error *error) {
        struct submission *submission = CONTAINER_OF(batch, struct submission, batch);
        struct run *run = submission->run;
        ASSERT((batch->outcome == LOG_DURABLE) == !error);
        if (!disk_powered(run->disk) && batch->outcome != LOG_DURABLE)
                return;                 // the program died before it was told anything
        run->failed += batch->outcome == LOG_FAILED;
        run->unknown += batch->outcome == LOG_UNKNOWN;
        if (batch->outcome == LOG_UNKNOWN) {
                submission->unknown = true;
                return;
        }
        submission->promise = batch->outcome == LOG_DURABLE ? PRESENT : ABSENT;
        submission->position = batch->outcome == LOG_DURABLE ? batch->records[0].position : 0;
        if (batch->outcome == LOG_DURABLE && batch->ticket != batch->records[0].position)
                violate(run, "the ticket of a durable submission is not its position");
}

static void submit(struct run *run) {
        if (run->count == SUBMISSIONS_MAX)
                return;
        struct submission *submission = &run->submissions[run->count];
        submission->run = run;
        submission->batch = (struct log_batch){.records = submission->records, .count = 1 + pick(run, BATCH_MAX),
                                               .complete = complete};
        for (size_t i = 0; i < submission->batch.count; i++) {
                size_t stream = pick(run, STREAMS);
                snprintf(submission->bodies[i], sizeof submission->bodies[i], "%zu %zu %zu", run->count, i,
                         submission->batch.count);
                submission->records[i] = (struct log_record){
                        .stream = run->streams[stream], .offset = stream == STREAMS - 1 ? -1 : run->next[stream]++,
                        .header = bytes_of(submission->bodies[i])};
        }
        if (pick(run, 8) == 0) {        // some span pages
                submission->filler = submission->filler ? submission->filler : must_calloc(1, 50000);
                submission->records[0].body = (struct bytes){submission->filler, pick(run, 50000)};
        }
        struct error error;
        if (log_append(run->log, &submission->batch, &error))
                run->count++;
}

static void scan_record(struct run *run, const struct log_record *record, uint64_t *before, size_t *newest, int64_t *next) {
        size_t number, index, size;
        char text[48];
        snprintf(text, sizeof text, "%.*s", BYTES_PRINT(record->header));
        if (sscanf(text, "%zu %zu %zu", &number, &index, &size) != 3 || number >= run->count ||
            size != run->submissions[number].batch.count) {
                violate(run, "position %llu holds what was never submitted", (unsigned long long)record->position);
                return;
        }
        struct submission *submission = &run->submissions[number];
        if (record->position <= *before || number < *newest)
                violate(run, "submission %zu is out of order", number);
        *before = record->position;
        *newest = number;
        if (submission->position == 0)
                submission->position = record->position - index;
        if (submission->position + index != record->position ||
            (submission->position > run->trimmed && index != submission->found))
                violate(run, "record %zu of submission %zu is at position %llu", index, number,
                        (unsigned long long)record->position);
        submission->found++;
        submission->found_new += strstr(text, " new") != NULL;
        for (size_t i = 0; i < STREAMS - 1; i++) {
                if (record->stream != run->streams[i])
                        continue;
                if (next[i] >= 0 && record->offset != next[i])
                        violate(run, "stream %zu goes from offset %lld to %lld", i, (long long)next[i],
                                (long long)record->offset);
                next[i] = record->position > run->trimmed ? record->offset + 1 : -1;
        }
}

static void judge(struct run *run) {
        for (size_t i = 0; i < run->count; i++) {
                struct submission *submission = &run->submissions[i];
                if (submission->unknown)
                        continue;       // not resolved: the log is broken
                bool trimmed = submission->position != 0 && submission->position <= run->trimmed;
                bool whole = submission->found == submission->batch.count;
                if (submission->found > 0 && !whole && !trimmed)
                        violate(run, "submission %zu is there in part: %zu of %zu", i, submission->found,
                                submission->batch.count);
                if (submission->found_new > 0 && submission->found_new != submission->found)
                        violate(run, "submission %zu is rewritten in part: %zu of %zu", i, submission->found_new, submission->found);
                if (submission->rewritten && submission->found_new != submission->found)
                        violate(run, "submission %zu was rewritten and is as before", i);
                if (submission->found_new > 0 && !submission->rewritten_once)
                        violate(run, "submission %zu was never rewritten", i);
                submission->rewritten = submission->rewritten || submission->found_new > 0;
                if (submission->promise == PRESENT && !whole && !trimmed)
                        violate(run, "submission %zu was promised and is not there", i);
                if (submission->promise == ABSENT && submission->found > 0)
                        violate(run, "submission %zu was said to have failed and is there", i);
                if (submission->promise == MAYBE)
                        submission->promise = submission->found > 0 ? PRESENT : ABSENT;
        }
}

// Reads the whole log and compares it with what was promised.
static void check(struct run *run) {
        struct log_reader *reader = run->reader;
        CLEANUP(arena_free) struct arena arena = {0};
        struct log_record *records;
        size_t count, newest = 0;
        struct error error;
        uint64_t before = 0;
        int64_t next[STREAMS] = {-1, -1, -1, -1};
        disk_heal(run->disk);           // a read that fails says nothing about the log
        if (!reader && !log_reader_open(run->log, &reader, &error)) {
                violate(run, "no reader: %s", error.text);
                return;
        }
        for (size_t i = 0; i < run->count; i++)
                run->submissions[i].found = run->submissions[i].found_new = 0;
        do {
                arena_reset(&arena);
                if (!log_read(reader, before + 1, 7, 10000, &arena, &records, &count, &error)) {
                        violate(run, "read: %s", error.text);
                        break;
                }
                for (size_t i = 0; i < count && !run->violation[0]; i++)
                        scan_record(run, &records[i], &before, &newest, next);
        } while (count > 0 && !run->violation[0]);
        CLEANUP(buffer_free) struct buffer body = {0};
        uint64_t position = 0;
        bool read = log_snapshot_read(reader, BYTES("s"), &position, &body, &error);
        if (!read && (error.code != ERROR_NOT_FOUND || run->snapshot_durable > 0))
                violate(run, "snapshot %d: %s", run->snapshot_durable, error.text);
        if (read && ((int)position < run->snapshot_durable || (int)position > run->snapshot_written))
                violate(run, "snapshot %d is there instead of %d", (int)position, run->snapshot_durable);
        if (read)
                run->snapshot_durable = (int)position;
        if (reader != run->reader)
                log_reader_close(reader);
        if (!run->violation[0])
                judge(run);
}

static void synchronise_offsets(struct run *run) {
        for (size_t i = 0; i < STREAMS; i++) {
                struct log_stream_info info;
                bool known = log_stream_info(run->log, run->streams[i], &info, NULL);
                ASSERT(known);
                run->next[i] = info.next_offset;
        }
}

static void start(struct run *run) {
        struct error error;
        struct log_options options = {.disk = "crash", .group_records = 12, .checkpoint_pages = 6};
        for (int attempt = 0; !log_open("log.db", &options, &run->log, &error); attempt++) {
                if (error.code == ERROR_CORRUPT || error.code == ERROR_UNSUPPORTED || attempt == 10) {
                        violate(run, "%s", error.text);
                        return;
                }
                disk_heal(run->disk);
                disk_set_capacity(run->disk, UINT64_MAX);
                if (!disk_powered(run->disk))
                        disk_power_on(run->disk);
        }
        static const char *const names[] = {"a/0", "a/1", "b/0", "control/0"};
        for (size_t i = 0; i < STREAMS; i++)
                if (!log_stream(run->log, bytes_of(names[i]), i == STREAMS - 1 ? LOG_STREAM_PLAIN : LOG_STREAM_OFFSETS,
                                &run->streams[i], &error))
                        violate(run, "%s", error.text);
        if (run->keep_reader && !log_reader_open(run->log, &run->reader, &error))
                run->reader = NULL;     // a fault of the disk; it is opened for each check then
        synchronise_offsets(run);
        check(run);
}

static void stop(struct run *run) {
        log_reader_close(TAKE(run->reader));
        log_close(TAKE(run->log));
        run->trimming = run->snapshotting = run->sweeping = false;
        run->rewriting = NULL;
        for (size_t i = 0; i < run->count; i++)
                run->submissions[i].unknown = false;    // nobody is left who could ask
}

static void cut(struct run *run) {
        run->cut++;
        disk_power_off(run->disk, 0);
        stop(run);
        disk_heal(run->disk);
        disk_power_on(run->disk);
        start(run);
}

static void reopen(struct run *run) {
        struct error error;
        for (int attempt = 0; !log_reopen(run->log, &error); attempt++) {
                if (!disk_powered(run->disk))
                        return;
                if (error.code == ERROR_CORRUPT || attempt == 10) {
                        violate(run, "%s", error.text);
                        return;
                }
                disk_heal(run->disk);
                disk_set_capacity(run->disk, UINT64_MAX);
        }
        run->reopened++;
        for (size_t i = 0; i < run->count; i++) {
                struct submission *submission = &run->submissions[i];
                if (!submission->unknown)
                        continue;
                enum log_fate fate;
                if (!log_resolve(run->log, submission->batch.ticket, &fate, &error)) {
                        violate(run, "resolve: %s", error.text);
                        continue;
                }
                submission->unknown = false;
                submission->promise = fate == LOG_LANDED ? PRESENT : ABSENT;
                submission->position = fate == LOG_LANDED ? submission->batch.ticket : 0;
                run->landed += fate == LOG_LANDED;
        }
        if (pick(run, 2) && disk_powered(run->disk)) {
                cut(run);               // what was just told must survive this
                return;
        }
        synchronise_offsets(run);
        check(run);
}

static void end_trim(struct log_trim *trim, const struct error *error) {
        IGNORE(error != NULL);
        CONTAINER_OF(trim, struct run, trim)->trimming = false;
}

static void end_snapshot(struct log_snapshot *snapshot, const struct error *error) {
        struct run *run = CONTAINER_OF(snapshot, struct run, snapshot);
        run->snapshotting = false;
        if (!error)
                run->snapshot_durable = run->snapshot_written;
}

static void end_rewrite(struct log_rewrite *rewrite, const struct error *error) {
        struct run *run = CONTAINER_OF(rewrite, struct run, rewrite);
        struct submission *submission = TAKE(run->rewriting);
        if (error)
                return;
        submission->rewritten = true;
        run->rewritten++;
        if (rewrite->replaced != rewrite->count && submission->position > run->trimmed)
                violate(run, "%zu of %zu records were replaced", rewrite->replaced, rewrite->count);
}

static void end_sweep(struct log_sweep *sweep, const struct error *error) {
        struct run *run = CONTAINER_OF(sweep, struct run, sweep);
        run->sweeping = false;
        run->swept += !error;
}

// Some submission that is there, with other bodies, bigger or smaller.
static void begin_rewrite(struct run *run) {
        struct error error;
        if (run->count == 0 || run->rewriting)
                return;
        struct submission *submission = &run->submissions[pick(run, run->count)];
        if (submission->promise != PRESENT || submission->unknown || submission->position <= run->trimmed)
                return;
        static const char filler[20000];
        size_t number = (size_t)(submission - run->submissions);
        for (size_t i = 0; i < submission->batch.count; i++) {
                snprintf(run->rewrite_headers[i], sizeof run->rewrite_headers[i], "%zu %zu %zu new", number, i, submission->batch.count);
                run->rewrite_records[i] = submission->records[i];
                run->rewrite_records[i].position = submission->position + i;
                run->rewrite_records[i].header = bytes_of(run->rewrite_headers[i]);
                run->rewrite_records[i].body = (struct bytes){filler, pick(run, 3) ? 10 : pick(run, sizeof filler)};
        }
        run->rewrite = (struct log_rewrite){.records = run->rewrite_records, .count = submission->batch.count, .complete = end_rewrite};
        if (!log_rewrite(run->log, &run->rewrite, &error))
                return;
        run->rewriting = submission;
        submission->rewritten_once = true;
}

static void begin_work(struct run *run) {
        struct error error;
        begin_rewrite(run);
        if (pick(run, 3) == 0 && !run->sweeping) {
                run->sweep = (struct log_sweep){.complete = end_sweep};
                run->sweeping = log_sweep(run->log, &run->sweep, &error);
        }
        uint64_t last = log_last_position(run->log);
        if (pick(run, 2) && !run->trimming && last > 0) {
                run->trim = (struct log_trim){.up_to = pick(run, last), .complete = end_trim};
                run->trimming = log_trim(run->log, &run->trim, &error);
                run->trimmed = MAX(run->trimmed, run->trim.up_to);
        } else if (!run->snapshotting) {
                run->snapshot = (struct log_snapshot){.name = BYTES("s"), .position = (uint64_t)run->snapshot_written + 1,
                                                      .body = BYTES("state"), .complete = end_snapshot};
                run->snapshotting = log_snapshot_write(run->log, &run->snapshot, &error);
                run->snapshot_written += run->snapshotting;
        }
}

static void act(struct run *run) {
        switch (pick(run, 20)) {
        case 0:
        case 1:
                disk_fail(run->disk, DISK_SYNC, pick(run, 4), pick(run, 4) == 0);
                break;
        case 2:
                disk_fail(run->disk, DISK_WRITE, pick(run, 12), pick(run, 4) == 0);
                break;
        case 3:
                disk_fail(run->disk, pick(run, 2) ? DISK_READ : DISK_TRUNCATE, pick(run, 12), false);
                break;
        case 4:
                disk_set_capacity(run->disk, pick(run, 3) ? disk_used(run->disk) + pick(run, 100000) : UINT64_MAX);
                break;
        case 5:
                disk_power_off(run->disk, 1 + pick(run, 20));
                break;
        case 6:
                cut(run);
                break;
        case 7:
                stop(run);
                start(run);
                break;
        case 8:
        case 9:
                begin_work(run);
                break;
        default:
                for (uint64_t batches = 1 + pick(run, 5); batches > 0; batches--)
                        submit(run);
                break;
        }
}

// A last power cut and comparison, then everything is freed. run->violation says what was wrong, if anything was.
static void finish(struct run *run) {
        if (run->log && !run->violation[0])
                cut(run);
        if (run->log)
                stop(run);
        for (size_t i = 0; i < SUBMISSIONS_MAX; i++)
                free(run->submissions[i].filler);
        disk_heal(run->disk);
        disk_free(run->disk);
}

static void simulate(struct run *run, uint64_t seed, bool ignore_syncs) {
        memset(run, 0, sizeof *run);
        run->random = seed;
        run->keep_reader = pick(run, 2);
        run->disk = disk_new("crash", seed ^ 0x5555);
        disk_ignore_syncs(run->disk, ignore_syncs);
        start(run);
        for (int i = 0; i < ACTIONS && run->log && !run->violation[0]; i++) {
                act(run);
                if (!run->log)
                        break;
                while (log_step(run->log))
                        ;
                if (!disk_powered(run->disk))
                        cut(run);
                else if (log_broken(run->log))
                        reopen(run);
                else
                        synchronise_offsets(run);
                if (run->log && !disk_powered(run->disk))
                        cut(run);
        }
        finish(run);
}

static void keeps_its_promises(void **state) {
        IGNORE(state != NULL);
        struct run *run = must_calloc(1, sizeof *run);
        unsigned unknown = 0, landed = 0, failed = 0, cuts = 0, reopened = 0, rewritten = 0, swept = 0;
        const char *first = getenv("SEED");
        uint64_t begin = first ? strtoull(first, NULL, 10) : 1, end = first ? begin + 1 : begin + RUNS;
        for (uint64_t seed = begin; seed < end; seed++) {
                simulate(run, seed, false);
                if (run->violation[0])
                        fail_msg("SEED=%llu: %s", (unsigned long long)seed, run->violation);
                unknown += run->unknown;
                landed += run->landed;
                failed += run->failed;
                cuts += run->cut;
                reopened += run->reopened;
                rewritten += run->rewritten;
                swept += run->swept;
        }
        print_message("%u rewritten, %u swept\n", rewritten, swept);
        print_message("%u unknown, %u of them landed, %u failed, %u cuts, %u reopened\n", unknown, landed, failed, cuts,
                      reopened);
        if (!first)     // the runs are worth something
                assert_true(unknown > RUNS / 4 && landed > RUNS / 40 && failed > RUNS && cuts > RUNS && reopened > RUNS / 4 &&
                            rewritten > RUNS && swept > RUNS / 2);
        free(run);
}

static void a_missing_sync_is_noticed(void **state) {
        IGNORE(state != NULL);
        struct run *run = must_calloc(1, sizeof *run);
        unsigned noticed = 0;
        for (uint64_t seed = 1; seed <= MUTATED_RUNS; seed++) {
                simulate(run, seed, true);
                noticed += run->violation[0] != '\0';
        }
        free(run);
        assert_true(noticed > MUTATED_RUNS / 2);
}

// One fault of each kind at every place where it can be, until none fires any more: while opening, and afterwards.
static void every_single_failure_is_survived(void **state) {
        IGNORE(state != NULL);
        struct run *run = must_calloc(1, sizeof *run);
        for (unsigned i = 0; i < 2 * DISK_OPERATIONS; i++) {
                bool opening = i % 2, fired = true;
                for (uint64_t after = 0; fired; after++) {
                        memset(run, 0, sizeof *run);
                        run->disk = disk_new("crash", after);
                        if (opening)
                                disk_fail(run->disk, (enum disk_operation)(i / 2), after, false);
                        start(run);
                        if (!opening)
                                disk_fail(run->disk, (enum disk_operation)(i / 2), after, false);
                        for (int round = 0; round < 8 && run->log && !run->violation[0]; round++) {
                                submit(run);
                                begin_work(run);
                                while (log_step(run->log))
                                        ;
                                if (log_broken(run->log))
                                        reopen(run);
                                else
                                        synchronise_offsets(run);
                        }
                        fired = disk_failed(run->disk) > 0;
                        finish(run);
                        if (run->violation[0])
                                fail_msg("operation %u after %llu: %s", i, (unsigned long long)after, run->violation);
                }
        }
        free(run);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(every_single_failure_is_survived), cmocka_unit_test(keeps_its_promises),
                cmocka_unit_test(a_missing_sync_is_noticed)};
        return cmocka_run_group_tests_name("log-crash", tests, NULL, NULL);
}
