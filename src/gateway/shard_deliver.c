// SPDX-License-Identifier: Apache-2.0
// Deliveries in lane order, what becomes of calls and deliveries (DESIGN.md §4, "Retry"), and a provider that fails for all
// lanes: after SHARD_FAILING_LANES distinct lanes failed without a success between, one delivery at a time probes it, with
// backoff. If the last of them was a refusal, the provider is there and answers: lanes that have not failed are not kept waiting
// for the backoff then, since what it refuses may be the messages. When a refusal parks: shard.h, 6.
#include "gateway/shard_priv.h"

static struct shard_message *lane_next(const struct lane *lane) {
        LIST_FOR_EACH(link, &lane->messages) {
                struct shard_message *message = CONTAINER_OF(link, struct shard_message, link);
                if (MUTATED(SUCCESSORS) && message->state == MESSAGE_PARKED)
                        continue;
                return message->state == MESSAGE_WAITING ? message : NULL;
        }
        return NULL;
}

static bool lane_may_deliver(const struct shard *shard, const struct lane *lane) {
        return (shard->options.data || lane_mode_of(shard, lane) == LANE_ASYNC) && !lane->wake_ns && lane_next(lane) &&
               (list_empty(&lane->calls) || MUTATED(NO_WAIT_OLDER));
}

void lane_ready(struct shard *shard, struct lane *lane) {
        if (!list_empty(&lane->ready) || !lane_may_deliver(shard, lane))
                return;
        // While the provider fails, a lane that did not fail last says more than one that did: many refused messages, and nothing
        // else under way, would have it wait for a probe of each of them.
        if (shard->failing_lanes >= SHARD_FAILING_LANES && lane->failures == 0)
                list_prepend(&shard->ready, &lane->ready);
        else
                list_append(&shard->ready, &lane->ready);
}

static void start(struct shard *shard, struct lane *lane) {
        struct shard_message *message = lane_next(lane);
        message->attempts++;
        message->attempt_ns = shard_now(shard);
        shard->state.in_flight++;
        if (!shard_repeats(shard) && !MUTATED(NO_ATTEMPT)) {
                message_move(shard, message, MESSAGE_ATTEMPTING);
                message_record(shard, message);
                return;
        }
        message_move(shard, message, MESSAGE_TRIED);
        if (MUTATED(OUTCOME_FIRST)) {
                struct record record = {.kind = RECORD_DELIVERED, .shard = shard->options.stream, .lane = lane->hash,
                                        .identity = message->identity, .reference = message->position};
                shard->ops->append(shard->user, NULL, &record, (struct bytes){0}, -1);
        }
        shard->ops->call(shard->user, message, SHARD_DELIVERY, NULL);
}

// Its ATTEMPT is in the log. A pause that came meanwhile holds: the attempt is recorded as not made.
void delivery_announced(struct shard *shard, struct shard_message *message) {
        if (shard->paused && !MUTATED(PAUSE_LEAKS)) {
                shard->state.in_flight--;
                message_move(shard, message, MESSAGE_RETURNING);
                message_record(shard, message);
                return;
        }
        message_move(shard, message, MESSAGE_TRIED);
        message->attempt_ns = shard_now(shard);         // the record may have taken its time
        shard->ops->call(shard->user, message, SHARD_DELIVERY, NULL);
}

void shard_deliver(struct shard *shard) {
        if (shard->paused || !shard->started)
                return;
        while (!list_empty(&shard->ready)) {
                bool failing = shard->failing_lanes >= SHARD_FAILING_LANES;
                struct lane *lane = LIST_FIRST(&shard->ready, struct lane, ready);
                if (shard->state.in_flight >= (failing ? 1 : shard->options.max_in_flight))
                        return;
                if (failing && shard_now(shard) < shard->probe_ns && (lane->failures || !shard->refuses)) {
                        shard->ops->wake_at(shard->user, shard->probe_ns);
                        return;
                }
                list_remove(&lane->ready);
                if (lane_may_deliver(shard, lane))
                        start(shard, lane);
        }
}

// ---- calls ----

void call_again(struct shard *shard, struct shard_message *message, struct shard_request *request) {
        message->request = request;
        message->attempts++;
        message->attempt_ns = shard_now(shard);
        message_move(shard, message, MESSAGE_CALLED_AGAIN);
        shard->ops->call(shard->user, message, SHARD_CALL_AGAIN, request);
}

void lane_call_again(struct shard *shard, struct lane *lane) {
        if (!shard->started || shard->paused || !shard->options.recognises || lane->wake_ns ||
            lane_mode_of(shard, lane) != LANE_ASYNC)
                return;
        LIST_FOR_EACH(link, &lane->calls) {
                struct shard_message *message = CONTAINER_OF(link, struct shard_message, link);
                if (message->state == MESSAGE_IN_DOUBT)
                        call_again(shard, message, NULL);
        }
}

static void keep_answer(struct shard_message *message, const struct call_outcome *outcome) {
        buffer_clear(&message->answer);
        buffer_append(&message->answer, outcome->answer);
}

static void called(struct shard *shard, struct shard_message *message, const struct call_outcome *outcome) {
        request_answer(shard, TAKE(message->request), SHARD_RESPONSE, message->position);
        switch (outcome->result) {
        case CALL_DONE:
                keep_answer(message, outcome);
                message_move(shard, message, MESSAGE_ANSWERING);
                break;
        case CALL_NOT_DONE:
        case CALL_CONFLICT:
        case CALL_REFUSED:
                message_move(shard, message, MESSAGE_RELEASING);
                break;
        case CALL_UNKNOWN:
                message_move(shard, message, MUTATED(TIMEOUT_FAILS) ? MESSAGE_RELEASING : MESSAGE_DOUBTING);
                break;
        }
        message_record(shard, message);
}

// Only a success says something about a call that was indeterminate: a refusal of the repeat does not.
static void called_again(struct shard *shard, struct shard_message *message, const struct call_outcome *outcome) {
        struct lane *lane = message->lane;
        bool done = outcome->result == CALL_DONE;
        request_answer(shard, TAKE(message->request), done ? SHARD_RESPONSE : SHARD_UNSETTLED, message->position);
        if (done) {
                keep_answer(message, outcome);
                message_move(shard, message, MESSAGE_ANSWERING);
                message_record(shard, message);
                return;
        }
        if (MUTATED(BUSY_SETTLES) && outcome->result == CALL_NOT_DONE) {
                message_move(shard, message, MESSAGE_RELEASING);
                message_record(shard, message);
                return;
        }
        message_move(shard, message, MESSAGE_IN_DOUBT);
        if (shard->options.recognises && lane_mode_of(shard, lane) == LANE_ASYNC) {
                lane->wake_ns = shard_now(shard) + shard_backoff_ns(shard, lane->failures++);
                lane_time(shard, lane);
        }
}

// ---- deliveries ----

static void succeeded(struct shard *shard, struct lane *lane) {
        shard->success_run++;
        shard->failing_lanes = 0;
        shard->probes = 0;
        shard->last_success_ns = shard_now(shard);
        lane->failures = 0;
}

static void failed(struct shard *shard, struct lane *lane, const struct call_outcome *outcome) {
        uint64_t now = shard_now(shard);
        shard->state.last_failure = outcome->status;
        shard->refuses = outcome->result == CALL_REFUSED;
        if (lane->failed_in_run != shard->success_run) {
                lane->failed_in_run = shard->success_run;
                shard->failing_lanes++;
        }
        if (shard->failing_lanes >= SHARD_FAILING_LANES)
                shard->probe_ns = now + shard_backoff_ns(shard, shard->probes++);
        lane->wake_ns = now + shard_backoff_ns(shard, lane->failures++);
        lane_time(shard, lane);
}

// Whether this refusal parks its lane: it is about the message, and not the provider refusing everybody; or it was said often
// enough that a person should look, however many lanes that concerns.
static bool refusal_is_final(const struct shard *shard, struct shard_message *message) {
        if (message->refusals++ == 0)
                message->first_refused_ns = shard_now(shard);
        if (message->refusals >= SHARD_REFUSALS_AT_MOST && !MUTATED(POISON_STAYS))
                return true;
        // Refusals say nothing about an earlier attempt that may have been done.
        if (message->was_indeterminate || message->refusals < SHARD_REFUSALS_TO_PARK)
                return false;
        return shard->last_success_ns > message->first_refused_ns || shard->failing_lanes <= 1;
}

static enum message_state after_failure(struct shard *shard, struct shard_message *message, enum call_result result) {
        bool recognises = shard_repeats(shard);
        enum message_state again = recognises || MUTATED(NO_ATTEMPT) ? MESSAGE_WAITING : MESSAGE_RETURNING;
        if (result == CALL_CONFLICT)
                result = shard->options.data || (recognises && message->attempts > 1) ? CALL_NOT_DONE : CALL_REFUSED;
        if (MUTATED(BUSY_PARKS) && result == CALL_NOT_DONE)
                result = CALL_REFUSED;
        switch (result) {
        case CALL_NOT_DONE:
                return again;
        case CALL_REFUSED:
                if (!refusal_is_final(shard, message))
                        return again;
                // Without a status it is commute that could not render it: nothing to be discarded for.
                return shard->options.discard_refused && !message->was_indeterminate && message->status ?
                       MESSAGE_DISCARDING : MESSAGE_PARKING;
        case CALL_UNKNOWN:
                if (MUTATED(TIMEOUT_FAILS))
                        return again;
                if (!recognises)
                        return MESSAGE_PARKING;
                if (message->was_indeterminate)
                        return MESSAGE_WAITING;
                message->was_indeterminate = true;
                return MESSAGE_UNKNOWING;
        case CALL_DONE: case CALL_CONFLICT:
                break;
        }
        UNREACHABLE("a failure");
        return again;
}

static void delivered(struct shard *shard, struct shard_message *message, const struct call_outcome *outcome) {
        struct lane *lane = message->lane;
        shard->state.in_flight--;
        if (outcome->result == CALL_DONE) {
                succeeded(shard, lane);
                message_move(shard, message, MESSAGE_DELIVERING);
        } else {
                failed(shard, lane, outcome);
                if (shard->options.data && !shard->options.recognises && outcome->result == CALL_UNKNOWN) {
                        lane->wake_ns = MAX(lane->wake_ns, shard_now(shard) + shard->options.settle_ms * 1000000);
                        lane_time(shard, lane);
                }
                message_move(shard, message, after_failure(shard, message, outcome->result));
        }
        if (message->state == MESSAGE_PARKING) {
                buffer_clear(&message->answer);
                if (outcome->why)
                        buffer_append(&message->answer, bytes_of(outcome->why));
        }
        if (message->state != MESSAGE_WAITING)
                message_record(shard, message);
        shard_deliver(shard);
}

void shard_called(struct shard *shard, struct shard_message *message, const struct call_outcome *outcome) {
        message->status = outcome->status;
        message->recognised = outcome->result == CALL_DONE && outcome->recognised;
        if (outcome->result == CALL_UNKNOWN)
                message->doubt_ns = message->attempt_ns;
        if (message->state == MESSAGE_CALLED)
                called(shard, message, outcome);
        else if (message->state == MESSAGE_CALLED_AGAIN)
                called_again(shard, message, outcome);
        else
                delivered(shard, message, outcome);
}
