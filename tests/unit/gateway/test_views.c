// SPDX-License-Identifier: Apache-2.0
// The fold over random legal histories: however it is cut into runs, and from an empty state.db, all tables come out equal, the
// ledger's equations hold wherever a run ends, and no fault is booked. Then histories that are illegal in one place each.
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

static uint64_t dice(struct place *place, uint64_t sides) {
        place->random ^= place->random << 13, place->random ^= place->random >> 7, place->random ^= place->random << 17;
        return place->random % sides;
}

static void must(bool done, const struct error *error) {
        if (!done)
                fail_msg("%s", error->text);
}

static uint32_t stream(struct place *place, const char *name, enum log_stream_kind kind) {
        struct error error;
        uint32_t number = 0;
        must(log_stream(place->log, bytes_of(name), kind, &number, &error), &error);
        return number;
}

static void open_log(struct place *place) {
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

static int make_place_on(const char *disk, void **state) {
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

static int make_place(void **state) {
        return make_place_on(NULL, state);
}

static void remove_files(const char *path) {
        static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-journal"};
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
                char name[128];
                snprintf(name, sizeof name, "%s%s", path, endings[i]);
                unlink(name);
        }
}

static int remove_place(void **state) {
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

static void append(struct place *place, struct draft *drafts, size_t count) {
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

static uint64_t append_one(struct place *place, struct draft draft) {
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

static struct hash128 hash_of(uint64_t a, uint64_t b) {
        struct hash128 hash;
        uint64_t parts[2] = {a * 0x9e3779b97f4a7c15u + 1, b * 0xbf58476d1ce4e5b9u + 7};
        memcpy(hash.bytes, parts, sizeof hash);
        return hash;
}

static const char *const keys[LANES] = {"alpha", "beta", "gamma", "delta", "epsilon"};

static struct draft draft_of(struct place *place, enum record_kind kind, uint32_t shard, unsigned lane, uint64_t reference) {
        return (struct draft){
                .record = {.kind = kind, .shard = shard, .lane = hash_of(3, lane), .key = bytes_of(keys[lane]),
                           .reference = reference, .time_ms = ++place->now_ms,
                           .status = (uint16_t)(kind == RECORD_ANSWERED ? 200 : 0),
                           .epoch = shard == place->call_shard ? place->call_epoch : place->data_epoch},
                .stream = shard, .offset = -1,
        };
}

static bool unsettled_message(const struct subject *subject) {
        return subject->phase >= WAITS && subject->phase <= SET_ASIDE;
}

static bool is_write(unsigned subject) {
        return subject >= SUBJECTS * 2 / 3;
}

// It has an unsettled message, or a call without an outcome: a repeat of that one may have been accepted.
static bool lane_busy(const struct history *history, unsigned lane) {
        for (unsigned i = 0; i < SUBJECTS; i++)
                if (!is_write(i) && history->subjects[i].lane == lane && history->subjects[i].phase != FREE)
                        return true;
        return false;
}

// False: its lane is plain, and nothing is written.
static bool admit(struct history *history, struct subject *subject, struct draft *draft) {
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

static void step_call(struct history *history, struct subject *subject, struct draft *draft) {
        static const enum record_kind open[] = {RECORD_ANSWERED, RECORD_ANSWERED, RECORD_REFUSED, RECORD_INDETERMINATE};
        static const enum record_kind doubt[] = {RECORD_ANSWERED, RECORD_SETTLED, RECORD_REFUSED, RECORD_INDETERMINATE};
        enum record_kind kind = (subject->phase == CALLED ? open : doubt)[dice(history->place, 4)];
        *draft = draft_of(history->place, kind, history->place->call_shard, subject->lane, subject->position);
        if (subject->phase == IN_DOUBT && kind == RECORD_REFUSED)
                draft->record.flags = RECORD_BY_PERSON;
        subject->phase = kind == RECORD_INDETERMINATE ? IN_DOUBT : FREE;
}

static void step_message(struct history *history, struct subject *subject, struct draft *draft) {
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

static void data_message(struct history *history, unsigned lane, unsigned flags, uint64_t reference, struct draft *draft) {
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

static void step_write(struct history *history, struct subject *subject, struct draft *draft) {
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

static void epoch(struct history *history, uint32_t mode) {
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

static uint32_t next_mode(struct place *place) {
        switch (place->call_mode) {
        case LANE_RECORD:
                return dice(place, 3) ? LANE_ASYNC : LANE_PLAIN;        // plain: the log failed, with lanes left async
        default:
                return LANE_RECORD;
        }
}

static void follow(struct history *history) {
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

static void extras(struct history *history, struct draft *drafts, size_t *count) {
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

static void grow(struct history *history, int rounds) {
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

static void dump_query(sqlite3 *db, const char *sql, struct buffer *text) {
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
                for (int column = 0; column < sqlite3_column_count(statement); column++)
                        buffer_print(text, "%s%s", sqlite3_column_text(statement, column),
                                     column + 1 < sqlite3_column_count(statement) ? "|" : "\n");
        sqlite3_finalize(statement);
}

static char *dump(const struct place *place) {
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

static bool add_account(void *context, uint32_t shard, struct bytes account, int64_t count, struct error *error) {
        (void)shard, (void)error;
        ((struct ledger_sums *)context)->count[ledger_account_of(account)] += count;
        return true;
}

static struct ledger_sums sums_of(struct views *views) {
        struct ledger_sums sums = {0};
        struct error error;
        must(state_accounts(views_reader(views), 0, add_account, &sums, &error), &error);
        return sums;
}

static struct views *open_views(struct place *place) {
        struct views *views = NULL;
        struct error error;
        must(views_open(&(struct views_options){.log = place->log, .path = place->state_path}, &views, &error), &error);
        return views;
}

static void catch_up(struct views *views) {
        struct error error;
        must(views_catch_up(views, NULL, &error), &error);
}

static char *build(struct place *place) {
        struct views *views = open_views(place);
        catch_up(views);
        struct ledger_sums sums = sums_of(views);
        struct error error;
        must(ledger_check(&sums, &error), &error);
        views_close(views);
        return dump(place);
}

// --- tests ------------------------------------------------------------------------------------------------------------------

// The same history three ways: followed round by round with a new process now and then; in one go; and again from nothing.
static void any_way_to_fold_a_history_ends_in_the_same_tables(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        for (int part = 0; part < 25; part++) {
                grow(&history, (int)dice(place, 12));
                free(build(place));                     // a restart: opens, folds what is new, checks the equations, closes
        }
        char *grown = dump(place);
        assert_null(strstr(grown, "fault|"));
        assert_non_null(strstr(grown, "identity|"));
        assert_non_null(strstr(grown, "replica|"));
        remove_files(place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);
        free(grown);
        free(built);
}

static void for_other_seeds_as_well(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 8; seed++) {
                void *place = NULL;
                assert_int_equal(make_place(&place), 0);
                ((struct place *)place)->random = seed * 0x9e3779b97f4a7c15u;
                print_message("# seed %d\n", (int)seed);
                any_way_to_fold_a_history_ends_in_the_same_tables(&place);
                remove_place(&place);
        }
}

// Rows and accounts say the same: each unsettled state's account is the number of rows in that state.
static void the_accounts_count_the_rows(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct views *views = open_views(place);
        for (int part = 0; part < 30; part++) {
                grow(&history, 3);
                catch_up(views);
                struct ledger_sums sums = sums_of(views);
                struct error error;
                must(ledger_check(&sums, &error), &error);
                int64_t counts[LEDGER_ACCOUNT_COUNT] = {0};
                for (unsigned i = 0; i < SUBJECTS; i++) {
                        static const enum ledger_state states[] = {
                                [CALLED] = LEDGER_OPEN, [IN_DOUBT] = LEDGER_CALL_INDETERMINATE, [WAITS] = LEDGER_WAITING,
                                [TRIED] = LEDGER_TRYING, [UNKNOWN] = LEDGER_INDETERMINATE, [SET_ASIDE] = LEDGER_PARKED,
                                [WRITING] = LEDGER_CAPTURING, [DIRTY] = LEDGER_CAPTURE_UNKNOWN};
                        if (history.subjects[i].phase != FREE)
                                counts[states[history.subjects[i].phase]]++;
                }
                for (unsigned account = LEDGER_OPEN; account <= LEDGER_CAPTURE_UNKNOWN; account++)
                        assert_int_equal(sums.count[account], counts[account]);
        }
        views_close(views);
}

static bool one_fault(void *context, struct bytes kind, uint64_t count, uint64_t position, struct bytes text,
                      struct error *error) {
        (void)error;
        buffer_print(context, "%.*s %d at %d: %.*s\n", BYTES_PRINT(kind), (int)count, (int)position, BYTES_PRINT(text));
        return true;
}

static char *faults_of(struct place *place) {
        struct views *views = open_views(place);
        catch_up(views);
        struct buffer text = {0};
        struct error error;
        must(state_fault_each(views_reader(views), one_fault, &text, &error), &error);
        struct ledger_sums sums = sums_of(views);
        must(ledger_check(&sums, &error), &error);      // a fault moves no account
        views_close(views);
        return buffer_take_text(&text);
}

static struct draft message(struct place *place, uint64_t sequence) {
        struct draft draft = draft_of(place, RECORD_MESSAGE, place->call_shard, 0, 0);
        draft.record.sequence = sequence;
        draft.stream = place->topic;
        draft.offset = place->topic_offset++;
        return draft;
}

static void illegal_records_are_named(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        epoch(&history, LANE_ASYNC);
        uint64_t first = append_one(place, message(place, 1));
        append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first));
        uint64_t again = append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first));
        uint64_t gap = append_one(place, message(place, 3));
        uint64_t call = append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 0, 0));
        char expected[1000];
        snprintf(expected, sizeof expected,
                 "epoch 1 at %d: INTENT at %d: admitted under epoch 1; its lane is in mode 3 of epoch 1\n"
                 "sequence 1 at %d: MESSAGE at %d: sequence 3 in a lane that expects 2\n"
                 "transition 1 at %d: DELIVERED at %d: DELIVERED of %d, which is not unsettled: it is settled already, or was "
                 "never admitted\n", (int)call, (int)call, (int)gap, (int)gap, (int)again, (int)again, (int)first);
        char *faults = faults_of(place);
        assert_string_equal(faults, expected);
        free(faults);
        append_one(place, draft_of(place, RECORD_PARKED, place->call_shard, 0, first));
        append_one(place, draft_of(place, RECORD_REFUSED, place->data_shard, 0, gap));
        faults = faults_of(place);
        char *found = strstr(faults, "transition 3");   // counted on; the first one is kept
        assert_non_null(found);
        free(faults);
}

static void a_switch_back_leaves_busy_lanes_behind(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct arena arena = {0};
        struct state_lane lane;
        struct error error;
        epoch(&history, LANE_ASYNC);
        uint64_t first = append_one(place, message(place, 1));
        epoch(&history, LANE_RECORD);
        struct views *views = open_views(place);
        catch_up(views);
        struct hash128 hash = hash_of(3, 0);
        must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
        assert_true(lane.left_async);
        assert_int_equal(lane.unsettled, 1);
        assert_true(bytes_equal(lane.key, BYTES("alpha")));
        append_one(place, message(place, 2));           // still async: admitted as before
        append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first));
        append_one(place, draft_of(place, RECORD_DELIVERED, place->call_shard, 0, first + 2));
        struct draft opens = draft_of(place, RECORD_LANE_EPOCH, place->call_shard, 0, 0);
        opens.record.mode = LANE_RECORD;
        append_one(place, opens);
        append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 0, 0));
        catch_up(views);
        must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
        assert_false(lane.left_async);
        assert_int_equal(lane.last_sequence, 2);
        views_close(views);
        char *faults = faults_of(place);
        assert_true(faults == NULL || *faults == 0);
        free(faults);
        arena_free(&arena);
}

static void upsert_epoch(struct place *place, enum lane_mode mode) {
        append_one(place, (struct draft){.record = {.kind = RECORD_EPOCH, .shard = place->data_shard, .mode = mode,
                                                    .flags = RECORD_UPSERT, .epoch = ++place->data_epoch,
                                                    .time_ms = ++place->now_ms},
                                         .stream = place->data_shard, .offset = -1});
}

// A reader with a table of its own: its events are delivered, and the newest of a key is the copy's row all the same.
static void an_upsert_is_the_copys_row_before_it_is_delivered(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct arena arena = {0};
        struct error error = {0};
        struct state_lane lane;
        struct state_replica row;
        struct state_shard shard;
        struct draft draft;
        uint32_t family;
        struct hash128 hash = hash_of(3, 0);
        upsert_epoch(place, LANE_PLAIN);
        upsert_epoch(place, LANE_RECORD);
        uint64_t since = log_last_position(place->log);
        upsert_epoch(place, LANE_ASYNC);
        data_message(&history, 0, RECORD_UPSERT, 0, &draft);
        draft.record.flags = RECORD_UPSERT;
        draft.record.identity = hash_of(9, 1);
        draft.body = BYTES("{\"name\":\"Ada\"}");
        uint64_t position = append_one(place, draft);
        upsert_epoch(place, LANE_RECORD);
        struct views *views = open_views(place);
        catch_up(views);
        struct state_reader *reader = views_reader(views);
        must(state_family(reader, BYTES("topic/manager-streaming"), &family, &error), &error);
        must(state_replica_get(reader, family, bytes_of(keys[0]), &arena, &row, &error), &error);
        assert_int_equal(row.position, position);
        must(state_lane_find(reader, place->data_shard, &hash, &arena, &lane, &error), &error);
        assert_int_equal(lane.unsettled, 1);
        assert_false(lane.left_async);                  // lanes of upserts are never left behind
        must(state_shard_find(reader, place->data_shard, &shard, &error), &error);
        assert_int_equal(shard.since, since);
        append_one(place, draft_of(place, RECORD_DELIVERED, place->data_shard, 0, position));
        upsert_epoch(place, LANE_RECORD);               // a restart: what was captured before it may be incomplete
        catch_up(views);
        must(state_shard_find(reader, place->data_shard, &shard, &error), &error);
        assert_int_equal(shard.since, log_last_position(place->log));
        struct ledger_sums sums = sums_of(views);
        assert_int_equal(sums.count[LEDGER_DELIVERED], 1);
        views_close(views);
        char *faults = faults_of(place), *tables = dump(place);
        assert_true(faults == NULL || *faults == 0);
        assert_null(strstr(tables, "identity|"));       // nobody was told one
        free(faults);
        free(tables);
        arena_free(&arena);
}

// A repeat of an indeterminate call is accepted in an async lane, so the call keeps the lane async too, also one that never had
// a message; a step back to plain and forward again changes nothing for it, and async clears it.
static void an_unsettled_call_keeps_its_lane_async(void **state) {
        struct place *place = *state;
        struct history history = {.place = place};
        struct arena arena = {0};
        struct state_lane lane;
        struct error error;
        struct hash128 hash = hash_of(3, 0);
        epoch(&history, LANE_RECORD);
        uint64_t call = append_one(place, draft_of(place, RECORD_INTENT, place->call_shard, 0, 0));
        append_one(place, draft_of(place, RECORD_INDETERMINATE, place->call_shard, 0, call));
        epoch(&history, LANE_ASYNC);
        struct views *views = open_views(place);
        static const uint32_t modes[] = {LANE_RECORD, LANE_PLAIN, LANE_RECORD, LANE_ASYNC, LANE_RECORD};
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                epoch(&history, modes[i]);
                catch_up(views);
                must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
                assert_int_equal(lane.left_async, modes[i] != LANE_ASYNC);
        }
        views_close(views);
        char *faults = faults_of(place);
        assert_true(faults == NULL || *faults == 0);
        free(faults);
        struct draft opens = draft_of(place, RECORD_LANE_EPOCH, place->call_shard, 0, 0);
        opens.record.mode = LANE_RECORD;
        append_one(place, opens);
        faults = faults_of(place);
        assert_non_null(strstr(faults, "epoch 1"));
        assert_non_null(strstr(faults, "a call without an outcome"));
        free(faults);
        append_one(place, draft_of(place, RECORD_ANSWERED, place->call_shard, 0, call));
        append_one(place, opens);
        faults = faults_of(place);
        assert_non_null(strstr(faults, "epoch 1"));     // no second one
        free(faults);
        views = open_views(place);
        must(state_lane_find(views_reader(views), place->call_shard, &hash, &arena, &lane, &error), &error);
        assert_false(lane.left_async);
        views_close(views);
        arena_free(&arena);
}

static void run_sql(struct place *place, const char *sql) {
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(place->state_path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

// A trigger makes the store fail in the middle of a batch: nothing of it stays, in the tables or in memory, and the next try
// folds it whole.
static void a_batch_that_fails_is_folded_again_from_its_beginning(void **state) {
        static const char *const tables[] = {"identity", "lane", "message", "replica", "dirty", "account", "control"};
        struct place *place = *state;
        struct history history = {.place = place};
        struct error error;
        struct views *views = open_views(place);
        grow(&history, 30);
        catch_up(views);
        for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
                char sql[200];
                grow(&history, 30);
                append_one(place, (struct draft){.record = {.kind = RECORD_REGISTRY, .time_ms = 1}, .stream = place->control,
                                                 .offset = -1, .body = BYTES("{}")});
                snprintf(sql, sizeof sql, "CREATE TRIGGER broken BEFORE INSERT ON %s WHEN (SELECT count(*) FROM meta) > 0"
                         " BEGIN SELECT raise(ABORT, 'planted'); END", tables[i]);
                run_sql(place, sql);
                uint64_t before = views_position(views);
                // lanes all exist by now, so that their table sees updates only
                bool failed = !views_catch_up(views, NULL, &error);
                if (failed != (strcmp(tables[i], "lane") != 0))
                        fail_msg("table %s", tables[i]);
                if (failed) {
                        assert_non_null(strstr(error.text, "planted"));
                        assert_int_equal(views_position(views), before);
                }
                run_sql(place, "DROP TRIGGER broken");
                catch_up(views);
        }
        views_close(views);
        char *grown = dump(place);
        remove_files(place->state_path);
        char *built = build(place);
        assert_string_equal(grown, built);
        free(grown);
        free(built);
}

struct heard {
        int control;
        _Atomic uint64_t moved;
};

static void hear_control(void *context, uint64_t position, const struct record *record, struct bytes body) {
        (void)position, (void)record;
        assert_true(body.size > 0);
        ((struct heard *)context)->control++;
}

static void hear_moved(void *context, uint64_t position) {
        ((struct heard *)context)->moved = position;
}

static void control(struct place *place, enum record_kind kind) {
        append_one(place, (struct draft){.record = {.kind = kind, .key = BYTES("COMM-040"), .time_ms = 1},
                                         .stream = place->control, .offset = -1, .body = BYTES("{}")});
}

// Other folds begin anew at each start: they are given what has been folded, then what comes; the thread follows by itself.
static void the_thread_follows_and_control_records_are_handed_on(void **state) {
        struct place *place = *state;
        struct heard heard = {0};
        struct views *views = NULL;
        struct error error;
        control(place, RECORD_REGISTRY);
        control(place, RECORD_CONFIG);
        control(place, RECORD_MIGRATION);
        control(place, RECORD_MIGRATION);
        free(build(place));
        must(views_open(&(struct views_options){.log = place->log, .path = place->state_path, .control = hear_control,
                                                .moved = hear_moved, .context = &heard}, &views, &error), &error);
        assert_int_equal(heard.control, 3);             // of MIGRATION the last one
        must(views_start(views, &error), &error);
        for (int i = 0; i < 20; i++) {
                control(place, RECORD_REGISTRY);
                uint64_t end = log_last_position(place->log);
                struct timespec begin, now;
                clock_gettime(CLOCK_MONOTONIC, &begin);
                views_wake(views);
                do {
                        nanosleep(&(struct timespec){0, 1000000}, NULL);
                        clock_gettime(CLOCK_MONOTONIC, &now);
                        assert_true(now.tv_sec - begin.tv_sec < 20);
                } while (heard.moved < end);
                assert_int_equal(views_lag(views), 0);
        }
        views_close(views);
        assert_int_equal(heard.control, 23);
}

static void a_state_of_another_or_a_shorter_log_is_refused(void **state) {
        struct place *place = *state;
        struct error error;
        struct views *views = NULL;
        for (int i = 0; i < 3; i++)
                control(place, RECORD_REGISTRY);
        free(build(place));
        log_close(place->log);
        remove_files(place->log_path);
        open_log(place);                                // another log at the same place
        assert_false(views_open(&(struct views_options){.log = place->log, .path = place->state_path}, &views, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_non_null(strstr(error.text, "a view of another log"));
}

// --- snapshots and retention -------------------------------------------------------------------------------------------------

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
                TEST(any_way_to_fold_a_history_ends_in_the_same_tables),
                cmocka_unit_test(for_other_seeds_as_well),
                TEST(the_accounts_count_the_rows),
                TEST(illegal_records_are_named),
                TEST(a_switch_back_leaves_busy_lanes_behind),
                TEST(an_upsert_is_the_copys_row_before_it_is_delivered),
                TEST(an_unsettled_call_keeps_its_lane_async),
                TEST(a_batch_that_fails_is_folded_again_from_its_beginning),
                TEST(the_thread_follows_and_control_records_are_handed_on),
                TEST(what_is_rebuilt_from_a_trimmed_log_equals_what_grew),
                TEST(without_a_usable_snapshot_a_trimmed_log_is_not_folded),
                TEST(tables_older_than_the_trim_are_built_anew),
                TEST(answers_and_the_unsettled_are_not_trimmed),
                cmocka_unit_test(a_power_cut_during_snapshot_and_trim_loses_nothing),
                TEST(the_thread_makes_snapshots),
                TEST(a_state_of_another_or_a_shorter_log_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
