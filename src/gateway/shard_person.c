// SPDX-License-Identifier: Apache-2.0
// Decisions of people about parked messages and indeterminate calls. Each is a record; the message is as before until it is
// durable. What a person says is taken as true: they have looked at the provider's data.
#include "gateway/shard_priv.h"

static bool may_decide(const struct shard *shard, const struct shard_message *message, struct error *error) {
        if (message->state != MESSAGE_PARKED && message->state != MESSAGE_IN_DOUBT)
                return error_set(error, ERROR_CONFLICT, "the message at %llu is neither parked nor indeterminate",
                                 (unsigned long long)message->position);
        uint64_t passed_ms = (shard_now(shard) - message->doubt_ns) / 1000000;
        if (message->doubt_ns && passed_ms < shard->options.settle_ms && !MUTATED(SETTLE_EARLY))
                return error_set(error, ERROR_CONFLICT,
                                 "the provider may still be executing it: `settle` (%llu ms) has not passed since the last "
                                 "attempt; try again in %llu ms", (unsigned long long)shard->options.settle_ms,
                                 (unsigned long long)(shard->options.settle_ms - passed_ms));
        return true;
}

bool shard_decide(struct shard *shard, uint64_t position, enum record_kind decision, struct error *error) {
        ASSERT(decision == RECORD_RETRY || decision == RECORD_SETTLED || decision == RECORD_DISCARDED);
        struct shard_message *message = shard_find_position(shard, position);
        if (!message)
                return error_set(error, ERROR_NOT_FOUND, "no unsettled message at %llu", (unsigned long long)position);
        if (!may_decide(shard, message, error))
                return false;
        if (message->state == MESSAGE_IN_DOUBT && decision == RECORD_RETRY &&
            lane_mode_of(shard, message->lane) == LANE_ASYNC) {
                call_again(shard, message, NULL);               // it was not done: it is sent again, before its lane goes on
                shard->ops->decided(shard->user, position, true, NULL);
                return true;
        }
        message->before = message->state;
        // A call that was not done is released: its identity is free again.
        message->decision = message->async || decision == RECORD_SETTLED ? decision : RECORD_REFUSED;
        message_move(shard, message, MESSAGE_DECIDING);
        message_record(shard, message);
        return true;
}

void decided(struct shard *shard, struct shard_message *message, enum append_result result, uint64_t position) {
        struct lane *lane = message->lane;
        uint64_t which = message->position;
        if (result != APPEND_DURABLE) {
                message_move(shard, message, message->before);
                shard->ops->decided(shard->user, which, false, "the log did not take the decision");
                return;
        }
        if (message->decision == RECORD_RETRY) {
                message->was_indeterminate = false;
                message->attempts = 0;
                message->first_refused_ns = message->refusals = 0;
                message_move(shard, message, MESSAGE_WAITING);
        } else if (message->decision == RECORD_REFUSED) {
                message_move(shard, message, MESSAGE_GONE);
                message_forget(shard, message);
        } else {
                lane->backlog -= message->async;
                message->answer_position = message->async ? 0 : position;
                message_settle(shard, message);
        }
        shard->ops->decided(shard->user, which, true, NULL);
        lane->wake_ns = 0;
        lane_time(shard, lane);
        lane_moved(shard, lane);
}
