// SPDX-License-Identifier: Apache-2.0
// The world's log: groups, failures, refusals, a device that breaks; and its folds.
#include "world_priv.h"

#include <string.h>

// ---- the fold ----

static struct fold_message *fold_find(struct fold *fold, uint64_t position) {
        for (size_t i = fold->count; i-- > 0;)
                if (fold->messages[i].position == position)
                        return &fold->messages[i];
        return NULL;
}

static bool fold_lane_unsettled(const struct fold *fold, int lane) {
        for (size_t i = 0; i < fold->count; i++)
                if (lane_of(&fold->messages[i].record.lane) == lane && ledger_unsettled(fold->messages[i].state))
                        return true;
        return false;
}

static void fold_epoch(struct world *world, struct fold *fold, const struct record *record) {
        if (record->epoch != fold->epoch + 1)
                wrong(world, 5, NULL, "epochs do not grow by one");
        if (fold->mode == LANE_ASYNC && record->mode == LANE_RECORD)
                for (int lane = 0; lane < world->lanes; lane++)
                        fold->lanes[lane].left_async = fold_lane_unsettled(fold, lane);
        if (record->mode == LANE_ASYNC)
                for (int lane = 0; lane < world->lanes; lane++)
                        fold->lanes[lane].left_async = false;
        fold->mode = record->mode;
        fold->epoch = record->epoch;
}

static enum lane_mode fold_mode(const struct fold *fold, int lane) {
        return fold->lanes[lane].left_async ? LANE_ASYNC : fold->mode;
}

static void fold_admission(struct world *world, struct fold *fold, const struct stored *stored) {
        const struct record *record = &stored->record;
        int lane = lane_of(&record->lane);
        struct message *message = message_of(world, &record->identity);
        for (size_t i = 0; i < fold->count; i++)
                if (hash128_equal(&fold->messages[i].record.identity, &record->identity) && !fold->messages[i].released)
                        wrong(world, 5, message, "admitted twice");
        if (record->kind == RECORD_MESSAGE) {
                if (record->sequence != ++fold->lanes[lane].last_sequence)
                        wrong(world, 5, message, "a gap or turn-back in the lane's sequence");
                if (fold_mode(fold, lane) != LANE_ASYNC)
                        wrong(world, 5, message, "a MESSAGE in a lane that is not async");
        } else if (fold_mode(fold, lane) != LANE_RECORD) {
                wrong(world, 5, message, "an INTENT in a lane that is not in record mode");
        }
        if (record->epoch != fold->epoch)
                wrong(world, 5, message, "admitted under another epoch than its lane's");
        ASSERT(fold->count < ARRAY_SIZE(fold->messages));
        struct fold_message *folded = &fold->messages[fold->count++];
        *folded = (struct fold_message){.record = *record, .position = stored->position};
        struct error error;
        if (!ledger_step(&folded->state, record, &fold->sums, &error))
                wrong(world, 5, message, error.text);
}

// What the log says was done must have been done, and the other way round.
static void fold_truth(struct world *world, const struct fold *fold, const struct record *record, struct message *message) {
        if (fold != world->truth || !message)
                return;
        bool says_done = record->kind == RECORD_ANSWERED || record->kind == RECORD_DELIVERED || record->kind == RECORD_SETTLED;
        if (says_done && !message->done)
                wrong(world, 1, message, "the log says done, and it was not");
        // Where repeats are recognised, only a definite refusal of the message parks it: being busy or unreachable does not.
        if (record->kind == RECORD_PARKED && world->recognises && !message->poison)
                wrong(world, 6, message, "parked, and the provider never refused it");
        if (record->kind == RECORD_REFUSED && message->done && !message->bare)
                wrong(world, 1, message, "the log says not done, and it was");
}

static void fold_outcome(struct world *world, struct fold *fold, const struct stored *stored) {
        const struct record *record = &stored->record;
        struct message *message = message_of(world, &record->identity);
        struct fold_message *folded = fold_find(fold, record->reference);
        if (!folded) {
                wrong(world, 5, message, "an outcome of nothing");
                return;
        }
        struct error error;
        if (!ledger_step(&folded->state, record, &fold->sums, &error)) {
                wrong(world, 5, message, error.text);
                return;
        }
        folded->attempts = MAX(folded->attempts, record->attempt);
        folded->was_indeterminate |= record->kind == RECORD_INDETERMINATE;
        if (record->kind == RECORD_REFUSED)
                folded->released = true;
        if (!ledger_unsettled(folded->state)) {
                folded->settled_at = stored->position;
                folded->answer = record->kind == RECORD_ANSWERED ? stored->position : folded->position;
        }
        fold_truth(world, fold, record, message);
}

void fold_apply(struct world *world, struct fold *fold, const struct stored *stored) {
        const struct record *record = &stored->record;
        fold->position = stored->position;
        if (record->kind == RECORD_EPOCH)
                fold_epoch(world, fold, record);
        else if (record->kind == RECORD_LANE_EPOCH)
                fold->lanes[lane_of(&record->lane)].left_async = false;
        else if (record->kind == RECORD_INTENT || record->kind == RECORD_MESSAGE)
                fold_admission(world, fold, stored);
        else if (record->kind != RECORD_REPEAT)
                fold_outcome(world, fold, stored);
}

// ---- the log ----

void land(struct world *world, struct stored stored) {
        ASSERT(world->record_count < RECORDS_MAX);
        stored.position = ++world->next_position;
        if (stored.offset >= 0)
                world->durable_offset++;
        world->records[world->record_count++] = stored;
        world_figures.records++;
        fold_apply(world, world->truth, &stored);
        if (world->verbose)
                SAY(world, "log %llu: %s lane %d message %d mode %d", (unsigned long long)stored.position,
                    record_kind_name(stored.record.kind), lane_of(&stored.record.lane), stored.record.identity.bytes[1],
                    stored.record.mode);
}

static bool log_unknown(const struct world *world) {
        return world->append_count && world->appends[0].state == TOLD_UNKNOWN;
}

// The queue is full, the log is broken, or the runtime knows that it would be in vain: the submission ends at once, before those
// that were submitted earlier.
static bool refuses(struct world *world, int64_t offset) {
        return log_unknown(world) || world->now_ns < world->broken_until || (offset >= 0 && world->topic_failed) ||
               (!world->quiet && chance(world, 1));
}

void op_append(void *user, struct shard_append *append, const struct record *record, struct bytes body, int64_t offset) {
        struct world *world = user;
        (void)body;
        if (refuses(world, offset)) {
                world_figures.failed_appends++;
                SAY(world, "log: %s refused", record_kind_name(record->kind));
                ASSERT(world->refused_count < APPENDS_MAX);
                if (append)
                        world->refused[world->refused_count++] = append;
                return;
        }
        ASSERT(world->append_count < APPENDS_MAX);
        if (offset >= 0)
                world->submitted_offset = offset + 1;
        world->appends[world->append_count++] = (struct submission){
                .append = append, .stored = {.record = *record, .offset = offset}};
        if (world->append_count == 1)
                world->append_at = world->now_ns + 100000 + below(world, 2 * MS);
}

void tell_refused(struct world *world) {
        struct shard_append *refused[APPENDS_MAX];
        size_t count = world->refused_count;
        memcpy(refused, world->refused, count * sizeof *refused);
        world->refused_count = 0;
        for (size_t i = 0; i < count; i++)
                shard_appended(world->shard, refused[i], APPEND_FAILED, 0);
}

int64_t op_next_offset(void *user) {
        return ((struct world *)user)->submitted_offset;
}

static bool topic_under_way(const struct world *world) {
        for (size_t i = 0; i < world->append_count; i++)
                if (world->appends[i].stored.offset >= 0)
                        return true;
        return false;
}

// The first submission has ended.
static void tell_first(struct world *world, enum append_result result) {
        struct submission first = world->appends[0];
        memmove(world->appends, world->appends + 1, --world->append_count * sizeof *world->appends);
        world->append_at = world->now_ns + (chance(world, 70) ? 0 : below(world, 2 * MS));
        if (result == APPEND_FAILED) {
                world_figures.failed_appends++;
                SAY(world, "log: %s failed", record_kind_name(first.stored.record.kind));
                world->topic_failed |= first.stored.offset >= 0;
        }
        if (world->topic_failed && !topic_under_way(world)) {
                world->submitted_offset = world->durable_offset;
                world->topic_failed = false;
        }
        if (first.append)
                shard_appended(world->shard, first.append, result, result == APPEND_DURABLE ? first.stored.position : 0);
}

// Commits a group; with `breaks` the device fails meanwhile: all of it is there, or nothing. Returns how many there are in it.
static size_t commit(struct world *world, bool breaks) {
        size_t most = MIN(1 + below(world, 4), world->append_count), count = 0;
        int64_t next = world->durable_offset;
        bool landed = !breaks || chance(world, 50);
        for (; count < most; count++) {
                struct submission *submission = &world->appends[count];
                if (submission->stored.offset >= 0 && submission->stored.offset != next++)
                        break;
                if (landed) {
                        land(world, submission->stored);
                        submission->stored.position = world->next_position;
                }
                submission->landed = landed;
                submission->state = breaks ? TOLD_UNKNOWN : LANDED;
        }
        return count;
}

// The device has failed: the group is unknown until the log is open again, and what is behind it has failed.
static void break_log(struct world *world, size_t unknown) {
        world->broken_until = world->now_ns + 5 * MS + below(world, 40 * MS);
        struct submission behind[APPENDS_MAX];
        size_t count = world->append_count - unknown;
        memcpy(behind, world->appends + unknown, count * sizeof *behind);
        world->append_count = unknown;
        for (size_t i = 0; i < unknown; i++) {
                world_figures.unknown_appends++;
                SAY(world, "log: %s unknown, landed %d", record_kind_name(world->appends[i].stored.record.kind),
                    world->appends[i].landed);
                if (world->appends[i].append)
                        shard_appended(world->shard, world->appends[i].append, APPEND_UNKNOWN, 0);
        }
        for (size_t i = 0; i < count; i++) {
                world_figures.failed_appends++;
                world->topic_failed |= behind[i].stored.offset >= 0;
                if (behind[i].append)
                        shard_appended(world->shard, behind[i].append, APPEND_FAILED, 0);
        }
        if (world->topic_failed && !topic_under_way(world)) {
                world->submitted_offset = world->durable_offset;
                world->topic_failed = false;
        }
        world->append_at = world->broken_until;
}

// Records land in groups and are told of one by one, a little later: the views may be faster than the owner.
void log_event(struct world *world) {
        struct submission *first = &world->appends[0];
        if (world->now_ns < world->broken_until)
                world->append_at = world->broken_until;
        else if (first->state != SUBMITTED)
                tell_first(world, first->landed ? APPEND_DURABLE : APPEND_FAILED);
        else if (world->now_ns < world->full_until ||
                 (first->stored.offset >= 0 && first->stored.offset != world->durable_offset))
                tell_first(world, APPEND_FAILED);
        else if (!world->quiet && chance(world, 1))
                break_log(world, commit(world, true));
        else if (commit(world, false))
                world->append_at = world->now_ns + (chance(world, 50) ? 0 : below(world, 3 * MS));
}

void views_event(struct world *world) {
        size_t steps = 1 + below(world, 20);
        while (steps-- && world->views->position < world->next_position)
                fold_apply(world, world->views, &world->records[world->views->position]);       // position = index + 1
        world->views_at = world->now_ns + below(world, 5 * MS);
        shard_views_passed(world->shard, world->views->position);
}

enum shard_look op_settled(void *user, const struct hash128 *identity, struct shard_settled *ret) {
        struct world *world = user;
        struct fold *fold = world->views;
        for (size_t i = 0; i < fold->count; i++) {
                struct fold_message *folded = &fold->messages[i];
                if (!hash128_equal(&folded->record.identity, identity) || ledger_unsettled(folded->state) || folded->released)
                        continue;
                *ret = (struct shard_settled){folded->record.body_hash, folded->state == LEDGER_ANSWERED, folded->answer};
                return SHARD_KNOWN;
        }
        return SHARD_NOT_KNOWN;
}

bool op_lane(void *user, const struct hash128 *lane, uint64_t *ret_last_sequence) {
        struct world *world = user;
        *ret_last_sequence = world->views->lanes[lane_of(lane)].last_sequence;
        return world->quiet || world->restoring || !chance(world, 2);
}
