// SPDX-License-Identifier: Apache-2.0
// Epochs and fences: changes of a shard's mode (DESIGN.md §6).
//
// To async there is no fence: the lanes admit nothing while the EPOCH record is under way, from then on arrivals are appended,
// and delivery of a lane begins when its older calls have their outcome. To sync it goes lane by lane: EPOCH(RECORD) opens every
// lane with nothing unsettled at once (an indeterminate older call counts: its repeat may have been accepted); a lane left behind
// is opened by its LANE_EPOCH when its backlog is gone, and if arrivals keep it from getting there, it is fenced: arrivals wait,
// at most `deadline`, then it goes on as async and is tried again later. A lane with a parked or indeterminate message, or a long
// backlog, stays async.
#include "gateway/shard_priv.h"

enum {
        FENCE_PAUSE_DEADLINES = 20,             // after an overrun: so many deadlines until the next try
        PLAIN_REST_SECONDS = 5,                 // after a step back: at most so long until that is recorded, and records may begin anew
        LOOK_LANES = 256,                       // left async, that are looked at in one go
};

void lane_leave_async(struct shard *shard, struct lane *lane) {
        if (lane->left_async)
                return;
        lane->left_async = true;
        list_append(&shard->left_async, &lane->left);
        shard->state.lanes_left_async++;
}

static void join(struct shard *shard, struct lane *lane) {
        shard->state.lanes_left_async -= lane->left_async;
        lane->left_async = false;
        list_remove(&lane->left);
}

static void fence_begins(struct shard *shard, struct lane *lane) {
        lane->fence_began_ns = shard_now(shard);
        // An eighth earlier than `deadline`: the timer fires late, never early.
        lane->fence_until_ns = lane->fence_began_ns + shard->options.deadline_ns - shard->options.deadline_ns / 8;
        shard->fenced++;
        shard->state.fences++;
        lane_time(shard, lane);
}

// What a fence itself made arrivals wait; the append that opens the lane comes on top, and counts in longest_hold_ns.
static void fence_ends(struct shard *shard, struct lane *lane) {
        if (!lane->fence_until_ns)
                return;
        shard->state.longest_fence_ns = MAX(shard->state.longest_fence_ns, shard_now(shard) - lane->fence_began_ns);
        lane->fence_until_ns = 0;
        shard->fenced--;
        lane_time(shard, lane);
}

// So long callers wait for an EPOCH or LANE_EPOCH; then they are told that the log does not know yet, as if it had said so.
static uint64_t hold_until(const struct shard *shard) {
        return shard_now(shard) + shard_patience_ns(shard);
}

static void append_epoch(struct shard *shard, enum lane_mode mode) {
        ASSERT(shard->append.of == APPEND_IDLE);
        shard->hold_until_ns = hold_until(shard);
        shard->ops->wake_at(shard->user, shard->hold_until_ns);
        LIST_FOR_EACH(link, &shard->left_async)         // the record holds every lane now
                fence_ends(shard, CONTAINER_OF(link, struct lane, left));
        shard->next_mode = mode;
        shard->append = (struct shard_append){APPEND_OF_EPOCH, shard};
        struct record record = {
                .kind = RECORD_EPOCH,
                .flags = shard->options.data ? (unsigned)RECORD_UPSERT : 0,
                .epoch = shard->epoch + 1,
                .shard = shard->options.stream,
                .mode = mode,
                .time_ms = shard->ops->wall_ms(shard->user),
        };
        shard->ops->append(shard->user, &shard->append, &record, (struct bytes){0}, -1);
        if (MUTATED(EPOCH_MEMORY))
                shard->mode = mode;
}

bool shard_switch(struct shard *shard, enum lane_mode mode, struct error *error) {
        static const char *const names[] = {"", "plain", "record", "async", "push"};
        if (shard->append.of != APPEND_IDLE)
                return error_set(error, ERROR_CONFLICT, "a change of mode is under way");
        bool neighbours = mode == LANE_RECORD || shard->mode == LANE_RECORD ||
                          (mode != LANE_PLAIN && shard->mode != LANE_PLAIN);
        ASSERT(mode != LANE_PUSH || shard->options.data);
        if (mode == shard->mode)
                return true;
        if (!neighbours)
                return error_set(error, ERROR_CONFLICT, "from %s to %s only by way of record", names[shard->mode], names[mode]);
        if (mode == LANE_PLAIN && shard->state.lanes_left_async)
                return error_set(error, ERROR_CONFLICT, "%zu lanes are still async", shard->state.lanes_left_async);
        append_epoch(shard, mode);
        return true;
}

static uint64_t plain_rest_ns(const struct shard *shard) {
        return MIN(shard->options.retry_longest_ns, PLAIN_REST_SECONDS * 1000000000ull);
}

// In memory first, recorded when the log accepts again. What the log says until then (RECORD) asks for more than is done.
void shard_step_back(struct shard *shard) {
        if (shard->mode != LANE_RECORD || shard_may_be_async(shard))
                return;
        shard->mode = LANE_PLAIN;
        shard->plain_not_recorded = true;
        shard->ops->stepped_back(shard->user);
        shard->plain_again_ns = shard_now(shard) + plain_rest_ns(shard);
        shard->ops->wake_at(shard->user, shard->plain_again_ns);
}

static void leave_lanes_behind(struct shard *shard) {
        size_t at = 0;
        for (struct lane *lane; (lane = table_next(&shard->lanes, &at));)
                if (!list_empty(&lane->messages) || !list_empty(&lane->calls))
                        lane_leave_async(shard, lane);
        if (MUTATED(NO_DRAIN))
                LIST_FOR_EACH_SAFE(link, &shard->left_async)
                        join(shard, CONTAINER_OF(link, struct lane, left));
}

static void all_lanes_async(struct shard *shard) {
        LIST_FOR_EACH_SAFE(link, &shard->left_async) {
                struct lane *lane = CONTAINER_OF(link, struct lane, left);
                join(shard, lane);
                fence_ends(shard, lane);
        }
}

static void new_mode(struct shard *shard, uint64_t position) {
        enum lane_mode old = shard->mode;
        shard->mode = shard->next_mode;
        if (old == LANE_PLAIN && shard->mode != LANE_PLAIN)
                shard->state.since = position;
        shard->epoch++;
        shard->plain_not_recorded = false;
        if (old == LANE_ASYNC && shard->mode == LANE_RECORD && !shard->options.data)
                leave_lanes_behind(shard);
        if (shard->mode != LANE_ASYNC || shard->options.data)
                return;
        all_lanes_async(shard);
        size_t at = 0;
        for (struct lane *lane; (lane = table_next(&shard->lanes, &at));) {
                lane_call_again(shard, lane);
                lane_ready(shard, lane);
        }
}

static void release_all(struct shard *shard) {
        struct list waiting;
        list_init(&waiting);
        LIST_FOR_EACH_SAFE(link, &shard->with_arrivals) {
                list_remove(link);
                list_append(&waiting, link);
        }
        LIST_FOR_EACH_SAFE(link, &waiting) {
                struct lane *lane = CONTAINER_OF(link, struct lane, with_arrivals);
                list_remove(link);
                list_append(&shard->with_arrivals, link);
                lane_release_arrivals(shard, lane);
                lane_moved(shard, lane);
        }
}

void switch_appended(struct shard *shard, enum append_result result, uint64_t position) {
        if (result == APPEND_UNKNOWN) {
                shard->unknown = true;
                release_all(shard);                     // they are told that the log does not know
                return;
        }
        shard->append.of = APPEND_IDLE;
        shard->unknown = false;
        if (result == APPEND_DURABLE)
                new_mode(shard, position);
        else
                shard->state.changes_failed++;
        release_all(shard);
        switch_look_at_left(shard);
        shard_deliver(shard);
}

// ---- lanes that a switch to sync has left behind ----

static void open_lane(struct shard *shard, struct lane *lane) {
        lane->opening = true;           // holds the lane from now on, however long the append takes
        fence_ends(shard, lane);
        lane->hold_until_ns = hold_until(shard);
        lane_time(shard, lane);
        lane->append = (struct shard_append){APPEND_OF_LANE, lane};
        struct record record = {
                .kind = RECORD_LANE_EPOCH,
                .epoch = shard->epoch,
                .shard = shard->options.stream,
                .mode = shard->mode,
                .time_ms = shard->ops->wall_ms(shard->user),
                .lane = lane->hash,
        };
        shard->ops->append(shard->user, &lane->append, &record, (struct bytes){0}, -1);
}

void lane_try_open(struct shard *shard, struct lane *lane) {
        if (!shard->started || !lane->left_async || lane->opening || shard->append.of != APPEND_IDLE ||
            lane->open_again_ns > shard_now(shard))
                return;
        if (list_empty(&lane->messages) && list_empty(&lane->calls) && !lane->appending)
                open_lane(shard, lane);
}

void lane_opened(struct shard *shard, struct lane *lane, enum append_result result, uint64_t position) {
        lane->hold_until_ns = 0;
        lane_time(shard, lane);
        if (result == APPEND_UNKNOWN) {
                lane->unknown = true;
                lane_release_arrivals(shard, lane);
                return;
        }
        lane->opening = lane->unknown = false;
        lane->append.of = APPEND_IDLE;
        if (result == APPEND_DURABLE) {
                lane->last_position = MAX(lane->last_position, position);
                join(shard, lane);
        } else {                        // a log that refuses at once is not asked in a circle
                lane->open_again_ns = shard_now(shard) + shard->options.deadline_ns;
                lane->fence_again_ns = shard_now(shard) + FENCE_PAUSE_DEADLINES * shard->options.deadline_ns;
        }
        lane_release_arrivals(shard, lane);
        if (result == APPEND_DURABLE)
                lane_moved(shard, lane);
        switch_tick(shard);
}

static bool may_fence(const struct lane *lane, uint64_t now) {
        if (!lane->left_async || lane->fence_until_ns || lane->opening || lane->fence_again_ns > now)
                return false;
        if (lane->backlog > SHARD_SHORT_BACKLOG || !list_empty(&lane->calls))
                return false;
        LIST_FOR_EACH(link, &lane->messages) {
                const struct shard_message *message = CONTAINER_OF(link, struct shard_message, link);
                if (message->state == MESSAGE_PARKED || message->state == MESSAGE_PARKING || message->state == MESSAGE_DECIDING)
                        return false;
        }
        return true;
}

void lane_overran(struct shard *shard, struct lane *lane, uint64_t now) {
        if (!lane->fence_until_ns || lane->fence_until_ns > now || shard->append.of != APPEND_IDLE)
                return;
        fence_ends(shard, lane);
        lane->fence_again_ns = now + FENCE_PAUSE_DEADLINES * shard->options.deadline_ns;
        shard->state.fence_overruns++;
        lane_release_arrivals(shard, lane);
}

static void look_at(struct shard *shard, struct lane *lane, uint64_t now) {
        lane_overran(shard, lane, now);
        lane_try_open(shard, lane);
        if (shard->fenced < SHARD_FENCES_MAX && may_fence(lane, now))
                fence_begins(shard, lane);
}

// Opens what is drained and fences what may be fenced, a few lanes at a time, in turn. Most lanes open by themselves when their
// last message has ended (lane_moved).
static void look_at_some(struct shard *shard, size_t most, uint64_t now) {
        size_t count = MIN(shard->state.lanes_left_async, most);
        for (size_t i = 0; i < count; i++) {
                struct lane *lane = LIST_FIRST(&shard->left_async, struct lane, left);
                list_remove(&lane->left);
                list_append(&shard->left_async, &lane->left);
                look_at(shard, lane, now);
        }
        bool all = count == shard->state.lanes_left_async;
        shard->tend_ns = now + shard->options.deadline_ns / 8;
        shard->ops->wake_at(shard->user, all ? now + shard->options.deadline_ns : shard->tend_ns);
}

// The log takes too long with an EPOCH. Nothing is admitted until it has said what became of it; nobody waits for that.
static void tell_callers(struct shard *shard) {
        if (shard->unknown)
                return;
        if (shard_now(shard) < shard->hold_until_ns) {
                shard->ops->wake_at(shard->user, shard->hold_until_ns);
                return;
        }
        shard->unknown = true;
        release_all(shard);
}

void lane_held_too_long(struct shard *shard, struct lane *lane, uint64_t now) {
        if (!lane->hold_until_ns || lane->hold_until_ns > now)
                return;
        ASSERT(lane->opening);
        lane->hold_until_ns = 0;
        lane->unknown = true;
        lane_release_arrivals(shard, lane);
}

void switch_tick(struct shard *shard) {
        if (shard->append.of != APPEND_IDLE)
                tell_callers(shard);
        if (!shard->started || shard->append.of != APPEND_IDLE)
                return;
        if (shard->plain_not_recorded && shard->mode == LANE_PLAIN) {
                uint64_t now = shard_now(shard);
                if (now < shard->plain_again_ns) {
                        shard->ops->wake_at(shard->user, shard->plain_again_ns);
                } else {
                        shard->plain_again_ns = now + plain_rest_ns(shard);     // should it fail again
                        append_epoch(shard, LANE_PLAIN);
                        return;
                }
        }
        uint64_t now = shard_now(shard);
        if (!shard->state.lanes_left_async)
                return;
        if (now < shard->tend_ns)
                shard->ops->wake_at(shard->user, shard->tend_ns);
        else
                look_at_some(shard, LOOK_LANES, now);
}

void switch_look_at_left(struct shard *shard) {
        if (shard->started && shard->append.of == APPEND_IDLE && shard->state.lanes_left_async)
                look_at_some(shard, SIZE_MAX, shard_now(shard));
        switch_tick(shard);
}
