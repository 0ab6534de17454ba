// SPDX-License-Identifier: Apache-2.0
// Random legal histories in a log, for tests of the views, and the tables that come out as text. Included by test programs only.
#pragma once

#include "gateway/views.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "log/log.h"
#include "proof/ledger.h"
#include "sim/disk_vfs.h"
#include "store/state.h"

// --- a place with a log -----------------------------------------------------------------------------------------------------

enum { SUBJECTS = 24, LANES = 5, ROUND_RECORDS = SUBJECTS + 4 };

struct place {
        char directory[64], log_path[96], state_path[96];
        const char *disk;                       // of the log; NULL: files
        bool threaded;                          // the log
        struct log *log;
        uint32_t control, call_shard, data_shard, topic, kept_topic, shadow;
        int64_t topic_offset, kept_offset, shadow_offset;
        uint32_t call_epoch, data_epoch, call_mode;
        int64_t now_ms;
        uint64_t random;
};

static inline uint64_t dice(struct place *place, uint64_t sides) {
        place->random ^= place->random << 13, place->random ^= place->random >> 7, place->random ^= place->random << 17;
        return place->random % sides;
}

static inline void must(bool done, const struct error *error) {
        if (!done)
                fail_msg("%s", error->text);
}

static inline uint32_t stream(struct place *place, const char *name, enum log_stream_kind kind) {
        struct error error;
        uint32_t number = 0;
        must(log_stream(place->log, bytes_of(name), kind, &number, &error), &error);
        return number;
}

static inline void open_log(struct place *place) {
        struct error error;
        struct log_options options = {.disk = place->disk, .threaded = place->threaded};
        must(log_open(place->disk ? "log.db" : place->log_path, &options, &place->log, &error), &error);
        place->control = stream(place, "control", LOG_STREAM_PLAIN);
        place->call_shard = stream(place, "COMM-040/0", LOG_STREAM_PLAIN);
        place->data_shard = stream(place, "COMM-010/0", LOG_STREAM_PLAIN);
        place->topic = stream(place, "topic/task-completed/0", LOG_STREAM_OFFSETS);
        place->kept_topic = stream(place, "topic/manager-streaming/0", LOG_STREAM_OFFSETS);
        place->shadow = stream(place, "shadow/COMM-040/0", LOG_STREAM_OFFSETS);
}

static inline int make_place_on(const char *disk, void **state) {
        struct place *place = must_calloc(1, sizeof *place);
        place->disk = disk;
        snprintf(place->directory, sizeof place->directory, "/tmp/commute-views-XXXXXX");
        if (!mkdtemp(place->directory))
                return -1;
        snprintf(place->log_path, sizeof place->log_path, "%s/log.db", place->directory);
        snprintf(place->state_path, sizeof place->state_path, "%s/state.db", place->directory);
        place->now_ms = 1700000000000;
        place->random = 88172645463325252u;
        open_log(place);
        *state = place;
        return 0;
}

static inline int make_place(void **state) {
        return make_place_on(NULL, state);
}

static inline void remove_files(const char *path) {
        static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-journal"};
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
                char name[128];
                snprintf(name, sizeof name, "%s%s", path, endings[i]);
                unlink(name);
        }
}

static inline int remove_place(void **state) {
        struct place *place = *state;
        log_close(place->log);
        remove_files(place->log_path);
        remove_files(place->state_path);
        rmdir(place->directory);
        free(place);
        return 0;
}

// Appends the records as one submission; their positions come back in the entries.
struct draft {
        struct record record;
        uint32_t stream;
        int64_t offset;
        struct bytes body;
        uint64_t position;                      // out
};

static inline void append(struct place *place, struct draft *drafts, size_t count) {
        struct log_record records[ROUND_RECORDS];
        struct buffer headers[ROUND_RECORDS] = {0};
        struct error error;
        assert_true(count <= ROUND_RECORDS);
        for (size_t i = 0; i < count; i++) {
                record_encode(&drafts[i].record, &headers[i]);
                records[i] = (struct log_record){.stream = drafts[i].stream, .offset = drafts[i].offset,
                                                 .header = buffer_bytes(&headers[i]), .body = drafts[i].body};
        }
        struct log_batch batch = {.records = records, .count = count};
        must(log_append_wait(place->log, &batch, &error), &error);
        for (size_t i = 0; i < count; i++) {
                drafts[i].position = records[i].position;
                buffer_free(&headers[i]);
        }
}

static inline uint64_t append_one(struct place *place, struct draft draft) {
        append(place, &draft, 1);
        return draft.position;
}

// --- legal histories, after record.h and not after the ledger's table -------------------------------------------------------

enum phase { FREE, CALLED, IN_DOUBT, WAITS, TRIED, UNKNOWN, SET_ASIDE, WRITING, DIRTY };

struct subject {
        enum phase phase;
        uint64_t position;
        uint32_t attempt;
        unsigned lane;
};

struct history {
        struct place *place;
        struct subject subjects[SUBJECTS];      // the last third are captured writes
        uint64_t call_sequence[LANES], data_sequence[LANES];
        bool left[LANES];
        uint64_t messages;
};

static inline struct hash128 hash_of(uint64_t a, uint64_t b) {
        struct hash128 hash;
        uint64_t parts[2] = {a * 0x9e3779b97f4a7c15u + 1, b * 0xbf58476d1ce4e5b9u + 7};
        memcpy(hash.bytes, parts, sizeof hash);
        return hash;
}

static const char *const keys[LANES] = {"alpha", "beta", "gamma", "delta", "epsilon"};

static inline struct draft draft_of(struct place *place, enum record_kind kind, uint32_t shard, unsigned lane, uint64_t reference) {
        return (struct draft){
                .record = {.kind = kind, .shard = shard, .lane = hash_of(3, lane), .key = bytes_of(keys[lane]),
                           .reference = reference, .time_ms = ++place->now_ms,
                           .status = (uint16_t)(kind == RECORD_ANSWERED ? 200 : 0),
                           .epoch = shard == place->call_shard ? place->call_epoch : place->data_epoch},
                .stream = shard, .offset = -1,
        };
}

static inline bool unsettled_message(const struct subject *subject) {
        return subject->phase >= WAITS && subject->phase <= SET_ASIDE;
}

static inline bool is_write(unsigned subject) {
        return subject >= SUBJECTS * 2 / 3;
}

// It has an unsettled message, or a call without an outcome: a repeat of that one may have been accepted.
static inline bool lane_busy(const struct history *history, unsigned lane) {
        for (unsigned i = 0; i < SUBJECTS; i++)
                if (!is_write(i) && history->subjects[i].lane == lane && history->subjects[i].phase != FREE)
                        return true;
        return false;
}

// False: its lane is plain, and nothing is written.
static inline bool admit(struct history *history, struct subject *subject, struct draft *draft) {
        struct place *place = history->place;
        unsigned lane = subject->lane = (unsigned)dice(place, LANES);
        bool async = place->call_mode == LANE_ASYNC || history->left[lane];
        if (place->call_mode == LANE_PLAIN && !async)
                return false;
        *draft = draft_of(place, async ? RECORD_MESSAGE : RECORD_INTENT, place->call_shard, lane, 0);
        draft->record.identity = hash_of(11, ++history->messages);
        draft->record.body_hash = hash_of(12, history->messages);
        draft->record.identity_text = BYTES("an identity");
        subject->phase = async ? WAITS : CALLED;
        subject->attempt = 0;
        if (async) {
                draft->record.sequence = ++history->call_sequence[lane];
                draft->stream = place->topic;
                draft->offset = place->topic_offset++;
                draft->body = BYTES("{}");
        }
        return true;
}

static inline void step_call(struct history *history, struct subject *subject, struct draft *draft) {
        static const enum record_kind open[] = {RECORD_ANSWERED, RECORD_ANSWERED, RECORD_REFUSED, RECORD_INDETERMINATE};
        static const enum record_kind doubt[] = {RECORD_ANSWERED, RECORD_SETTLED, RECORD_REFUSED, RECORD_INDETERMINATE};
        enum record_kind kind = (subject->phase == CALLED ? open : doubt)[dice(history->place, 4)];
        *draft = draft_of(history->place, kind, history->place->call_shard, subject->lane, subject->position);
        if (subject->phase == IN_DOUBT && kind == RECORD_REFUSED)
                draft->record.flags = RECORD_BY_PERSON;
        subject->phase = kind == RECORD_INDETERMINATE ? IN_DOUBT : FREE;
}

static inline void step_message(struct history *history, struct subject *subject, struct draft *draft) {
        static const struct {
                enum phase from;
                enum record_kind kind;
                enum phase to;
        } moves[] = {
                {WAITS, RECORD_ATTEMPT, TRIED}, {WAITS, RECORD_DELIVERED, FREE}, {WAITS, RECORD_INDETERMINATE, UNKNOWN},
                {WAITS, RECORD_PARKED, SET_ASIDE}, {WAITS, RECORD_DISCARDED, FREE}, {WAITS, RECORD_DELIVERED, FREE},
                {TRIED, RECORD_NOT_DONE, WAITS}, {TRIED, RECORD_DELIVERED, FREE}, {TRIED, RECORD_PARKED, SET_ASIDE},
                {UNKNOWN, RECORD_DELIVERED, FREE}, {UNKNOWN, RECORD_NOT_DONE, UNKNOWN}, {UNKNOWN, RECORD_PARKED, SET_ASIDE},
                {SET_ASIDE, RECORD_RETRY, WAITS}, {SET_ASIDE, RECORD_SETTLED, FREE}, {SET_ASIDE, RECORD_DISCARDED, FREE},
        };
        size_t which;
        do
                which = dice(history->place, ARRAY_SIZE(moves));
        while (moves[which].from != subject->phase);
        *draft = draft_of(history->place, moves[which].kind, history->place->call_shard, subject->lane, subject->position);
        subject->attempt += moves[which].kind == RECORD_ATTEMPT;
        draft->record.attempt = subject->attempt;
        subject->phase = moves[which].to;
}

static inline void data_message(struct history *history, unsigned lane, unsigned flags, uint64_t reference, struct draft *draft) {
        struct place *place = history->place;
        *draft = draft_of(place, RECORD_MESSAGE, place->data_shard, lane, reference);
        draft->record.flags = RECORD_KEPT | flags;
        draft->record.sequence = ++history->data_sequence[lane];
        draft->stream = place->kept_topic;
        draft->offset = place->kept_offset++;
        if (dice(place, 5) == 0)
                draft->record.flags |= RECORD_TOMBSTONE;
        else
                draft->body = BYTES("{\"name\":\"Ada\"}");
}

static inline void step_write(struct history *history, struct subject *subject, struct draft *draft) {
        struct place *place = history->place;
        uint64_t what = dice(place, 4);
        if (subject->phase == FREE) {
                subject->lane = (unsigned)(subject - history->subjects) % LANES;
                *draft = draft_of(place, RECORD_CAPTURE, place->data_shard, subject->lane, 0);
                subject->phase = WRITING;
        } else if (subject->phase == WRITING && what == 0) {
                *draft = draft_of(place, RECORD_CAPTURE_UNKNOWN, place->data_shard, subject->lane, subject->position);
                subject->phase = DIRTY;
        } else if (subject->phase == WRITING && what == 1) {
                *draft = draft_of(place, RECORD_CAPTURE_REFUSED, place->data_shard, subject->lane, subject->position);
                subject->phase = FREE;
        } else if (subject->phase == WRITING) {
                data_message(history, subject->lane, 0, subject->position, draft);
                subject->phase = FREE;
        } else {                                // a re-read answers for all dirty captures of the key up to this one
                if (what == 0)
                        *draft = draft_of(place, RECORD_CAPTURE_CLEAN, place->data_shard, subject->lane, subject->position);
                else
                        data_message(history, subject->lane, RECORD_REREAD, subject->position, draft);
                for (unsigned i = 0; i < SUBJECTS; i++)
                        if ((history->subjects[i].phase == DIRTY || history->subjects[i].phase == WRITING) &&
                            history->subjects[i].lane == subject->lane && history->subjects[i].position <= subject->position)
                                history->subjects[i].phase = FREE;
        }
}

static inline void epoch(struct history *history, uint32_t mode) {
        struct place *place = history->place;
        append_one(place, (struct draft){.record = {.kind = RECORD_EPOCH, .shard = place->call_shard,
                                                    .mode = (enum lane_mode)mode,
                                                    .epoch = ++place->call_epoch, .time_ms = ++place->now_ms},
                                         .stream = place->call_shard, .offset = -1});
        bool back = mode == LANE_RECORD && place->call_mode == LANE_ASYNC;
        for (unsigned lane = 0; lane < LANES; lane++) {
                if (back)
                        history->left[lane] = lane_busy(history, lane);
                else if (mode == LANE_ASYNC)
                        history->left[lane] = false;    // between plain and record nothing changes for a lane
        }
        place->call_mode = mode;
}

static inline uint32_t next_mode(struct place *place) {
        switch (place->call_mode) {
        case LANE_RECORD:
                return dice(place, 3) ? LANE_ASYNC : LANE_PLAIN;        // plain: the log failed, with lanes left async
        default:
                return LANE_RECORD;
        }
}

static inline void follow(struct history *history) {
        struct place *place = history->place;
        for (unsigned lane = 0; lane < LANES; lane++) {
                if (!history->left[lane] || lane_busy(history, lane) || dice(place, 2))
                        continue;
                struct draft draft = draft_of(place, RECORD_LANE_EPOCH, place->call_shard, lane, 0);
                draft.record.mode = (enum lane_mode)place->call_mode;
                draft.record.key = (struct bytes){0};
                append_one(place, draft);
                history->left[lane] = false;
        }
}

static inline void extras(struct history *history, struct draft *drafts, size_t *count) {
        struct place *place = history->place;
        if (dice(place, 6) == 0)
                drafts[(*count)++] = draft_of(place, RECORD_REPEAT, place->call_shard, 0, 0);
        if (dice(place, 6) == 0) {
                struct draft *draft = &drafts[(*count)++];
                *draft = draft_of(place, RECORD_SHADOW, place->call_shard, 1, 0);
                draft->stream = place->shadow;
                draft->offset = place->shadow_offset++;
        }
        if (dice(place, 10) == 0)
                drafts[(*count)++] = (struct draft){
                        .record = {.kind = dice(place, 2) ? RECORD_MIGRATION : RECORD_REGISTRY, .key = BYTES("COMM-040"),
                                   .time_ms = place->now_ms},
                        .stream = place->control, .offset = -1, .body = BYTES("{\"step\":1}")};
        if (dice(place, 10) == 0)
                data_message(history, (unsigned)dice(place, LANES), RECORD_BACKFILL, 0, &drafts[(*count)++]);
}

static inline void grow(struct history *history, int rounds) {
        struct place *place = history->place;
        for (int round = 0; round < rounds; round++) {
                if (place->call_mode == 0 || dice(place, 12) == 0)
                        epoch(history, next_mode(place));
                follow(history);
                struct draft drafts[ROUND_RECORDS];
                struct subject *of[ROUND_RECORDS] = {0};
                size_t count = 0;
                bool key_taken[LANES] = {0};
                for (unsigned i = 0; i < SUBJECTS; i++) {
                        struct subject *subject = &history->subjects[i];
                        bool write = is_write(i);
                        if (dice(place, 2) || (write && key_taken[i % LANES]))
                                continue;
                        bool begins = subject->phase == FREE;
                        struct draft *draft = &drafts[count];
                        if (write) {
                                step_write(history, subject, draft);
                                key_taken[i % LANES] = true;
                        } else if (begins) {
                                if (!admit(history, subject, draft))
                                        continue;
                        } else if (unsettled_message(subject)) {
                                step_message(history, subject, draft);
                        } else {
                                step_call(history, subject, draft);
                        }
                        of[count++] = begins ? subject : NULL;
                }
                extras(history, drafts, &count);
                if (count == 0)
                        continue;
                append(place, drafts, count);
                for (size_t i = 0; i < count; i++)
                        if (of[i])
                                of[i]->position = drafts[i].position;
        }
}

// --- what came out ----------------------------------------------------------------------------------------------------------

static inline void dump_query(sqlite3 *db, const char *sql, struct buffer *text) {
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
                for (int column = 0; column < sqlite3_column_count(statement); column++)
                        buffer_print(text, "%s%s", sqlite3_column_text(statement, column),
                                     column + 1 < sqlite3_column_count(statement) ? "|" : "\n");
        sqlite3_finalize(statement);
}

static inline char *dump(const struct place *place) {
        static const char *const queries[] = {
                "SELECT 'meta', position FROM meta", "SELECT 'family', * FROM family", "SELECT 'shard', * FROM shard",
                "SELECT 'lane', shard, hex(lane), key, last_sequence, unsettled, left_async, epoch FROM lane ORDER BY 2, 3",
                "SELECT 'message', position, shard, stream, offset, hex(lane), hex(identity), hex(body_hash), identity_text,"
                " sequence, epoch, state, attempts, flags, status, was_indeterminate, held, admitted_ms, changed_ms FROM message",
                "SELECT 'identity', settled_at, answer, family, hex(identity), hex(body_hash), outcome, status, settled_ms"
                " FROM identity", "SELECT 'replica', * FROM replica", "SELECT 'dirty', * FROM dirty",
                "SELECT 'account', * FROM account", "SELECT 'fault', * FROM fault", "SELECT 'migration', * FROM migration",
                "SELECT 'control', position, hex(header), body FROM control",
        };
        sqlite3 *db = NULL;
        struct buffer text = {0};
        assert_int_equal(sqlite3_open_v2(place->state_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
                dump_query(db, queries[i], &text);
        sqlite3_close(db);
        return buffer_take_text(&text);
}

static inline bool add_account(void *context, uint32_t shard, struct bytes account, int64_t count, struct error *error) {
        (void)shard, (void)error;
        ((struct ledger_sums *)context)->count[ledger_account_of(account)] += count;
        return true;
}

static inline struct ledger_sums sums_of(struct views *views) {
        struct ledger_sums sums = {0};
        struct error error;
        must(state_accounts(views_reader(views), 0, add_account, &sums, &error), &error);
        return sums;
}

static inline struct views *open_views(struct place *place) {
        struct views *views = NULL;
        struct error error;
        must(views_open(&(struct views_options){.log = place->log, .path = place->state_path}, &views, &error), &error);
        return views;
}

static inline void catch_up(struct views *views) {
        struct error error;
        must(views_catch_up(views, NULL, &error), &error);
}

static inline char *build(struct place *place) {
        struct views *views = open_views(place);
        catch_up(views);
        struct ledger_sums sums = sums_of(views);
        struct error error;
        must(ledger_check(&sums, &error), &error);
        views_close(views);
        return dump(place);
}

static inline void control(struct place *place, enum record_kind kind) {
        append_one(place, (struct draft){.record = {.kind = kind, .key = BYTES("COMM-040"), .time_ms = 1},
                                         .stream = place->control, .offset = -1, .body = BYTES("{}")});
}
