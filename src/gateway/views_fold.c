// SPDX-License-Identifier: Apache-2.0
// What each kind of record does to the views. The ledger's table (proof/ledger.c) says which step is possible; here are the rows
// that follow from it. A record that is impossible changes nothing and is booked as a fault; one that came under a wrong epoch or
// sequence is a fault as well, and folded all the same, since it is in the log and will be delivered.
//
// Invariants at every record's boundary:
//  1. a row in `message` or `dirty` for each subject in an unsettled state, and none for any other;
//  2. lane.unsettled is the number of the lane's rows in `message` that are MESSAGEs;
//  3. the accounts of a shard count its rows, and satisfy the equations of ledger_check.
#include "gateway/views_priv.h"

#include <inttypes.h>
#include <stdio.h>

// A record on its way through the fold.
struct step {
        struct views *views;
        const struct log_record *entry;
        struct record record;
        struct views_shard *shard;
};

static bool hash_is_zero(const struct hash128 *hash) {
        static const struct hash128 zero;
        return hash128_equal(hash, &zero);
}

static bool fault(struct step *step, enum ledger_fault kind, const char *what, struct error *error) {
        char text[ERROR_TEXT_MAX];
        snprintf(text, sizeof text, "%s at %" PRIu64 ": %s", record_kind_name(step->record.kind), step->entry->position, what);
        return state_fault_add(step->views->state, bytes_of(ledger_fault_name(kind)), step->entry->position, bytes_of(text),
                               error);
}

// ledger_step; an impossible one is booked. *ret_done: it was possible.
static bool book(struct step *step, struct views_shard *shard, enum ledger_state *state, bool *ret_done, struct error *error) {
        struct error why = {0};
        *ret_done = ledger_step(state, &step->record, &shard->sums, &why);
        return *ret_done || fault(step, LEDGER_FAULT_TRANSITION, why.text, error);
}

// --- routing ----------------------------------------------------------------------------------------------------------------

// Each lane of an unsettled message or call stays async.
static bool leave_lane(void *context, const struct state_message *message, struct error *error) {
        struct views_lane *lane;
        if (!views_lane(context, message->shard, &message->lane, &lane, error))
                return false;
        lane->row.left_async = lane->changed = true;
        return true;
}

static bool fold_epoch(struct step *step, struct error *error) {
        struct state_shard *row = &step->shard->row;
        char text[120];
        if (step->record.epoch <= row->epoch || step->record.mode == 0) {
                snprintf(text, sizeof text, "epoch %" PRIu32 " in mode %d follows epoch %" PRIu32, step->record.epoch,
                         (int)step->record.mode, row->epoch);
                return fault(step, LEDGER_FAULT_EPOCH, text, error);
        }
        enum lane_mode before = (enum lane_mode)row->mode;
        row->epoch = step->record.epoch;
        row->mode = step->record.mode;
        step->shard->row_changed = true;
        if (row->mode != LANE_PLAIN && (before <= LANE_PLAIN || (before == LANE_RECORD && row->mode == LANE_RECORD)))
                row->since = step->entry->position;     // from record to record: a restart, which may have lost a step back
        if (step->record.flags & RECORD_UPSERT)
                return true;            // a data communication: no lane is ever left behind
        bool leaves = before == LANE_ASYNC && row->mode == LANE_RECORD;
        if (!leaves && row->mode != LANE_ASYNC)
                return true;            // between plain and record nothing changes for a lane that was left async
        // which lanes stay behind is read from the tables, so what the batch holds must be in them
        struct state *state = step->views->state;
        return views_flush(step->views, error) && state_lanes_join(state, row->stream, error) &&
               (!leaves || state_unsettled_each(state_own_reader(state), row->stream, leave_lane, step->views, error));
}

static bool fold_lane_epoch(struct step *step, struct error *error) {
        struct views_lane *lane;
        bool leaves = step->record.mode != LANE_ASYNC, called = false;
        // its calls are counted in the tables, so what the batch holds must be in them
        if ((leaves && !(views_flush(step->views, error) &&
                         state_lane_called(state_own_reader(step->views->state), step->record.shard, &step->record.lane, &called,
                                           error))) ||
            !views_lane(step->views, step->record.shard, &step->record.lane, &lane, error))
                return false;
        if (leaves && (lane->row.unsettled > 0 || called)) {
                char text[120];
                snprintf(text, sizeof text, "the lane has %" PRIu64 " unsettled messages%s and cannot leave async",
                         lane->row.unsettled, called ? ", a call without an outcome," : "");
                return fault(step, LEDGER_FAULT_EPOCH, text, error);
        }
        lane->changed = true;
        lane->row.epoch = step->record.epoch;
        lane->row.left_async = step->record.mode == LANE_ASYNC && step->shard->row.mode == LANE_RECORD;
        if (step->record.key.size)
                lane->row.key = step->record.key;       // lives as long as the batch
        return true;
}

// --- captured writes --------------------------------------------------------------------------------------------------------

static bool fold_capture(struct step *step, struct error *error) {
        enum ledger_state state = LEDGER_NONE;
        bool done;
        if (!book(step, step->shard, &state, &done, error))
                return false;
        if (!done)
                return true;
        struct state_dirty dirty = {
                .position = step->entry->position,
                .family = step->shard->row.family,
                .shard = step->record.shard,
                .key = step->record.key,
                .state = state,
                .since_ms = step->record.time_ms,
        };
        return state_dirty_put(step->views->state, &dirty, error);
}

static bool capture_step(struct step *step, struct state_dirty *dirty, struct error *error) {
        struct views_shard *shard;
        enum ledger_state state = (enum ledger_state)dirty->state;
        bool done;
        if (!views_shard(step->views, dirty->shard, &shard, error) || !book(step, shard, &state, &done, error))
                return false;
        if (!done)
                return true;
        if (!ledger_unsettled(state))
                return state_dirty_delete(step->views->state, dirty->position, error);
        dirty->state = state;
        dirty->since_ms = step->record.time_ms;
        return state_dirty_put(step->views->state, dirty, error);
}

// The outcome of the one CAPTURE that the record refers to.
static bool fold_capture_outcome(struct step *step, struct error *error) {
        struct state_dirty dirty;
        struct error why = {0};
        if (state_dirty_get(state_own_reader(step->views->state), step->record.reference, &step->views->arena, &dirty, &why))
                return capture_step(step, &dirty, error);
        if (why.code != ERROR_NOT_FOUND)
                return error_set(error, why.code, "%s", why.text);
        char text[160];
        snprintf(text, sizeof text, "%" PRIu64 " is no captured write without an outcome", step->record.reference);
        return fault(step, LEDGER_FAULT_TRANSITION, text, error);
}

// The key has been read again: every write of it that was captured up to `reference` is answered for.
static bool fold_capture_clean(struct step *step, struct error *error) {
        struct state_dirty *rows;
        size_t count;
        do {
                if (!state_dirty_of_key(state_own_reader(step->views->state), step->shard->row.family, step->record.key,
                                        step->record.reference, STATE_PAGE_MAX, &step->views->arena, &rows, &count, error))
                        return false;
                for (size_t i = 0; i < count; i++)
                        if (!capture_step(step, &rows[i], error))
                                return false;
        } while (count == STATE_PAGE_MAX);
        return true;
}

// --- admissions -------------------------------------------------------------------------------------------------------------

// A call or message of a functional communication was admitted under its lane's epoch and mode (others: their owner's business).
static bool check_admission(struct step *step, const struct views_lane *lane, struct error *error) {
        const struct record *record = &step->record;
        const struct state_shard *shard = &step->shard->row;
        bool left = lane && lane->row.left_async;       // a message without a key has no lane
        bool async = shard->mode == LANE_ASYNC || left;
        bool sync = shard->mode == LANE_RECORD && !left;
        if (record->epoch == shard->epoch && (record->kind == RECORD_INTENT ? sync : async))
                return true;
        char text[160];
        snprintf(text, sizeof text, "admitted under epoch %" PRIu32 "; its lane is in mode %" PRIu32 "%s of epoch %" PRIu32,
                 record->epoch, shard->mode, left ? " (left async)" : "", shard->epoch);
        return fault(step, LEDGER_FAULT_EPOCH, text, error);
}

static bool check_sequence(struct step *step, struct views_lane *lane, struct error *error) {
        uint64_t expected = lane->row.last_sequence + 1, sequence = step->record.sequence;
        lane->row.last_sequence = MAX(lane->row.last_sequence, sequence);
        lane->changed = true;
        if (step->record.key.size)
                lane->row.key = step->record.key;       // lives as long as the batch
        if (sequence == expected)
                return true;
        char text[120];
        snprintf(text, sizeof text, "sequence %" PRIu64 " in a lane that expects %" PRIu64, sequence, expected);
        return fault(step, LEDGER_FAULT_SEQUENCE, text, error);
}

// Of an upsert that was not published by somebody with an identity of his, nobody knows it, so nobody can repeat it.
static bool settle_identity(struct step *step, const struct state_message *subject, uint64_t answer, enum ledger_state outcome,
                            struct error *error) {
        bool unnamed = (subject->flags & RECORD_UPSERT) && (!(subject->flags & RECORD_OUTSIDE) || (subject->flags & RECORD_GIVEN));
        if (hash_is_zero(&subject->identity) || outcome == LEDGER_REFUSED || unnamed)
                return true;
        struct state_identity row = {
                .settled_at = step->entry->position,
                .answer = answer,
                .family = step->shard->row.family,
                .identity = subject->identity,
                .body_hash = subject->body_hash,
                .outcome = outcome,
                .status = step->record.status,
                .settled_ms = step->record.time_ms,
        };
        return state_identity_insert(step->views->state, &row, error);
}

static bool keep_replica(struct step *step, struct error *error) {
        struct state_replica row = {
                .key = step->record.key,
                .body = step->entry->body,
                .position = step->entry->position,
                .sequence = step->record.sequence,
                .stream = step->entry->stream,
                .offset = step->entry->offset,
                .tombstone = (step->record.flags & RECORD_TOMBSTONE) != 0,
                .schema_id = step->record.schema_id,
        };
        struct views *views = step->views;
        uint32_t before;
        struct error why;
        if (!views_family(views, step->entry->stream, &row.family, error))
                return false;
        if (state_replica_schema(state_own_reader(views->state), row.family, row.key, &before, &why)) {
                if (!views_kept(views, row.family, before, -1, error))
                        return false;
        } else if (why.code != ERROR_NONE) {
                return error_set(error, why.code, "%s", why.text);
        }
        return (row.tombstone || views_kept(views, row.family, row.schema_id, 1, error)) &&
               state_replica_put(views->state, &row, error);
}

static struct state_message admitted_row(const struct step *step, enum ledger_state state) {
        const struct record *record = &step->record;
        return (struct state_message){
                .position = step->entry->position,
                .shard = record->shard,
                .stream = step->entry->stream,
                .offset = step->entry->offset,
                .lane = record->lane,
                .identity = record->identity,
                .body_hash = record->body_hash,
                .identity_text = record->identity_text,
                .sequence = record->sequence,
                .epoch = record->epoch,
                .state = state,
                .flags = record->flags,
                .admitted_ms = record->time_ms,
                .changed_ms = record->time_ms,
                .schema_id = record->kind == RECORD_MESSAGE ? record->schema_id : 0,
        };
}

static bool fold_intent(struct step *step, struct error *error) {
        struct views_lane *lane;
        enum ledger_state state = LEDGER_NONE;
        bool done;
        if (!views_lane(step->views, step->record.shard, &step->record.lane, &lane, error) ||
            !check_admission(step, lane, error) || !book(step, step->shard, &state, &done, error))
                return false;
        if (!done)
                return true;
        struct state_message row = admitted_row(step, state);
        views_message_new(step->views, &row);
        return true;
}

static bool fold_message(struct step *step, struct error *error) {
        const struct record *record = &step->record;
        bool reread = record->flags & RECORD_REREAD, backfill = record->flags & RECORD_BACKFILL;
        if (!(record->flags & RECORD_TOMBSTONE) &&
            !views_written(step->views, step->entry->stream, record->schema_id, step->entry->position, record->time_ms, error))
                return false;
        if (reread ? !fold_capture_clean(step, error) : record->reference && !fold_capture_outcome(step, error))
                return false;
        if ((record->flags & (RECORD_KEPT | RECORD_UPSERT)) && !keep_replica(step, error))
                return false;
        struct views_lane *lane = NULL;
        if (record->shard && !hash_is_zero(&record->lane)) {
                if (!views_lane(step->views, record->shard, &record->lane, &lane, error) || !check_sequence(step, lane, error))
                        return false;
        }
        bool by_call = record->shard && !record->reference && !reread && !backfill &&
                       !(record->flags & (RECORD_KEPT | RECORD_UPSERT));
        enum ledger_state state = LEDGER_NONE;
        bool done;
        if ((by_call && !check_admission(step, lane, error)) || !book(step, step->shard, &state, &done, error))
                return false;
        ASSERT(done);                                   // LEDGER_NONE and MESSAGE: there is a row for any flags
        struct state_message row = admitted_row(step, state);
        if (!ledger_unsettled(state))
                return state == LEDGER_NONE || settle_identity(step, &row, row.position, state, error);
        views_message_new(step->views, &row);
        if (lane) {
                lane->row.unsettled++;
                lane->changed = true;
        }
        return true;
}

// --- outcomes ---------------------------------------------------------------------------------------------------------------

static bool settle(struct step *step, struct views_message *message, enum ledger_state before, enum ledger_state outcome,
                   struct error *error) {
        struct state_message *row = &message->row;
        message->settled = true;
        if (ledger_message_unsettled(before) && !hash_is_zero(&row->lane)) {
                struct views_lane *lane;
                if (!views_lane(step->views, row->shard, &row->lane, &lane, error))
                        return false;
                ASSERT(lane->row.unsettled > 0);
                lane->row.unsettled--;
                lane->changed = true;
        }
        bool call = outcome == LEDGER_ANSWERED || outcome == LEDGER_CALL_SETTLED;
        return settle_identity(step, row, call ? step->entry->position : row->position, outcome, error);
}

// A step of the message that the record refers to: ANSWERED … DISCARDED, ATTEMPT, RETRY.
static bool fold_outcome(struct step *step, struct error *error) {
        const struct record *record = &step->record;
        struct views_message *message;
        if (!views_message(step->views, record->reference, &message, error))
                return false;
        if (message && message->row.shard != record->shard) {
                char text[120];
                snprintf(text, sizeof text, "%" PRIu64 " is of shard %" PRIu32 ", not %" PRIu32, record->reference,
                         message->row.shard, record->shard);
                return fault(step, LEDGER_FAULT_TRANSITION, text, error);
        }
        enum ledger_state before = message ? (enum ledger_state)message->row.state : LEDGER_NONE, after = before;
        bool done;
        if (!book(step, step->shard, &after, &done, error))
                return false;
        if (!done)
                return true;
        ASSERT(message);
        struct state_message *row = &message->row;
        if (!ledger_unsettled(after))
                return settle(step, message, before, after, error);
        bool parked = record->kind == RECORD_PARKED, says = parked && step->entry->body.size;   // commute refused it: nothing was sent
        bool unknown = record->kind == RECORD_INDETERMINATE ||
                       (parked && !says && before == LEDGER_TRYING && record->status / 100 != 4);
        row->state = after;
        row->held = ledger_held(after);
        row->was_indeterminate = (row->was_indeterminate || unknown) && record->kind != RECORD_RETRY;
        row->attempts = record->kind == RECORD_RETRY ? 0 : MAX(row->attempts, record->attempt);
        row->status = record->status ? record->status : row->status;
        row->said = says ? step->entry->position : parked || record->kind == RECORD_RETRY ? 0 : row->said;
        row->changed_ms = record->time_ms;
        return true;
}

static bool fold_uncounted(struct step *step, struct error *error) {
        enum ledger_state state = LEDGER_NONE;
        bool done;
        return book(step, step->shard, &state, &done, error);
}

// --- all kinds --------------------------------------------------------------------------------------------------------------

static bool fold_control(struct step *step, struct error *error) {
        step->views->control_seen = true;
        if (step->record.kind == RECORD_MIGRATION)
                return state_migration_put(step->views->state, step->record.key, step->entry->position, step->entry->body, error);
        return state_control_put(step->views->state, step->entry->position, step->entry->header, step->entry->body, error);
}

static bool fold_of_shard(struct step *step, struct error *error) {
        switch (step->record.kind) {
        case RECORD_EPOCH:
                return fold_epoch(step, error);
        case RECORD_LANE_EPOCH:
                return fold_lane_epoch(step, error);
        case RECORD_INTENT:
                return fold_intent(step, error);
        case RECORD_MESSAGE:
                return fold_message(step, error);
        case RECORD_ANSWERED: case RECORD_REFUSED: case RECORD_ATTEMPT: case RECORD_NOT_DONE: case RECORD_DELIVERED:
        case RECORD_PARKED: case RECORD_INDETERMINATE: case RECORD_RETRY: case RECORD_SETTLED: case RECORD_DISCARDED:
                return fold_outcome(step, error);
        case RECORD_SHADOW: case RECORD_REPEAT:
                return fold_uncounted(step, error);
        case RECORD_CAPTURE:
                return fold_capture(step, error);
        case RECORD_CAPTURE_REFUSED: case RECORD_CAPTURE_UNKNOWN:
                return fold_capture_outcome(step, error);
        case RECORD_CAPTURE_CLEAN:
                return fold_capture_clean(step, error);
        case RECORD_START: case RECORD_CONFIG: case RECORD_REGISTRY: case RECORD_MIGRATION:
                break;
        }
        UNREACHABLE("a record of a shard");
        return false;
}

bool views_apply(struct views *views, const struct log_record *entry, struct error *error) {
        struct step step = {.views = views, .entry = entry};
        struct error why = {0};
        if (!record_decode(entry->header, &step.record, &why))
                return fault(&step, LEDGER_FAULT_RECORD, why.text, error);
        enum record_kind kind = step.record.kind;
        if (kind == RECORD_START)
                return true;
        if (kind == RECORD_CONFIG || kind == RECORD_REGISTRY || kind == RECORD_MIGRATION)
                return fold_control(&step, error);
        if (!views_shard(views, step.record.shard, &step.shard, error))
                return false;
        if (!step.shard || (!step.record.shard && kind != RECORD_MESSAGE)) {
                char text[80];
                snprintf(text, sizeof text, "of shard %" PRIu32 ", which is no stream of the log", step.record.shard);
                return fault(&step, LEDGER_FAULT_RECORD, text, error);
        }
        return fold_of_shard(&step, error);
}
