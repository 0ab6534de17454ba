// SPDX-License-Identifier: Apache-2.0
// Requests: what a repeat is told, and how a new message is admitted in each mode. A request either waits in its lane (fence,
// epoch, or an admission of the lane under way), or is taken: answered, forwarded, or the caller of a message.
#include "gateway/shard_priv.h"

// Repeats cost the log a bounded number of records, whatever callers do: one for each while there are not many, then one a
// REPEAT_NS that stands for all since the one before (`attempt`). The ledger's account of repeats counts what they stand for.
enum { REPEAT_BURST = 32 };
#define REPEAT_NS 1000000000ull

static void record_repeats(struct shard *shard) {
        struct record record = shard->last_repeat;
        record.attempt = shard->repeats_owed;
        shard->repeats_owed = 0;
        shard->ops->append(shard->user, NULL, &record, (struct bytes){0}, -1);
}

void shard_record_repeats(struct shard *shard, bool all) {
        if (!shard->repeats_owed)
                return;
        uint64_t now = shard_now(shard), idle = now - MIN(now, REPEAT_BURST * REPEAT_NS);
        shard->repeats_up_to_ns = MAX(shard->repeats_up_to_ns, idle);
        if (!all && shard->repeats_up_to_ns + REPEAT_NS > now) {
                shard->ops->wake_at(shard->user, shard->repeats_up_to_ns + REPEAT_NS);
                return;
        }
        shard->repeats_up_to_ns += REPEAT_NS;
        record_repeats(shard);
}

static void note_repeat(struct shard *shard, struct shard_request *request, uint64_t position) {
        shard->state.repeats++;
        shard->repeats_owed++;
        shard->last_repeat = (struct record){
                .kind = RECORD_REPEAT,
                .epoch = shard->epoch,
                .shard = shard->options.stream,
                .reference = position,
                .time_ms = shard->ops->wall_ms(shard->user),
                .lane = request->lane,
                .identity = request->identity,
                .body_hash = request->body_hash,
        };
        shard_record_repeats(shard, false);
}

static void answer_repeat(struct shard *shard, struct shard_request *request, enum shard_answer answer, uint64_t position) {
        note_repeat(shard, request, position);
        request_answer(shard, request, answer, position);
}

// A repeat of a message in memory. "Accepted" is said only where commute itself will see the message done (invariant 2).
static void repeat(struct shard *shard, struct shard_message *message, struct shard_request *request) {
        if (!hash128_equal(&message->body_hash, &request->body_hash) && !MUTATED(OTHER_BODY)) {
                request_answer(shard, request, SHARD_OTHER_BODY, message->position);
                return;
        }
        switch (message->state) {
        case MESSAGE_INTENDING:
        case MESSAGE_CALLED:
        case MESSAGE_RELEASING:
        case MESSAGE_DOUBTING:
        case MESSAGE_APPENDING:
                if (MUTATED(RECEIPT_FOR_CALL) && message->state != MESSAGE_APPENDING)
                        request_answer(shard, request, SHARD_ACCEPTED, message->position);
                else
                        request_answer(shard, request, SHARD_IN_PROGRESS, message->position);
                return;
        case MESSAGE_CALLED_AGAIN:
        case MESSAGE_IN_DOUBT:
                if (lane_mode_of(shard, message->lane) == LANE_ASYNC)          // (only now: a settled message outlives its lane)
                        answer_repeat(shard, request, SHARD_ACCEPTED, message->position);
                else if (message->state == MESSAGE_CALLED_AGAIN)
                        request_answer(shard, request, SHARD_IN_PROGRESS, message->position);
                else if (shard->options.recognises)
                        call_again(shard, message, request);
                else
                        request_answer(shard, request, SHARD_UNSETTLED, message->position);
                return;
        case MESSAGE_DECIDING:
                if (message->async)
                        answer_repeat(shard, request, SHARD_ACCEPTED, message->position);
                else
                        request_answer(shard, request, SHARD_IN_PROGRESS, message->position);
                return;
        case MESSAGE_ANSWERING:         // its answer has no position yet; it will be there in a moment
                request_answer(shard, request, SHARD_IN_PROGRESS, message->position);
                return;
        case MESSAGE_WAITING: case MESSAGE_ATTEMPTING: case MESSAGE_TRIED: case MESSAGE_RETURNING: case MESSAGE_DELIVERING:
        case MESSAGE_UNKNOWING: case MESSAGE_PARKING: case MESSAGE_PARKED: case MESSAGE_DISCARDING:
                answer_repeat(shard, request, SHARD_ACCEPTED, message->position);
                return;
        case MESSAGE_SETTLED:
                if (message->answer_position)
                        answer_repeat(shard, request, SHARD_STORED, message->answer_position);
                else
                        answer_repeat(shard, request, SHARD_ACCEPTED, message->position);
                return;
        case MESSAGE_GONE: case MESSAGE_STATES_COUNT:
                break;
        }
        UNREACHABLE("a state that a repeat can meet");
}

static bool repeat_of_settled(struct shard *shard, struct shard_request *request) {
        struct shard_settled settled;
        enum shard_look look = request->identity_given ? SHARD_NOT_KNOWN :
                               shard->ops->settled(shard->user, &request->identity, &settled);
        if (look == SHARD_NOT_KNOWN)
                return false;
        if (look == SHARD_CANNOT_LOOK)
                request_answer(shard, request, SHARD_LOG_UNAVAILABLE, 0);
        else if (!hash128_equal(&settled.body_hash, &request->body_hash))
                request_answer(shard, request, SHARD_OTHER_BODY, settled.position);
        else
                answer_repeat(shard, request, settled.answered_sync ? SHARD_STORED : SHARD_ACCEPTED, settled.position);
        return true;
}

static struct record admission_record(const struct shard *shard, const struct shard_request *request, enum record_kind kind) {
        return (struct record){
                .kind = kind,
                .flags = request->identity_given ? (unsigned)RECORD_GIVEN : 0,
                .epoch = shard->epoch,
                .shard = shard->options.stream,
                .time_ms = shard->ops->wall_ms(shard->user),
                .lane = request->lane,
                .identity = request->identity,
                .body_hash = request->body_hash,
                .key = request->key,
                .identity_text = request->identity_text,
                .request = request->request,
        };
}

static struct shard_message *admit(struct shard *shard, struct lane *lane, struct shard_request *request, bool async) {
        struct shard_message *message = message_new(shard, lane, &request->identity, &request->body_hash, async);
        message->request = request;
        message->given = request->identity_given;
        message->append = (struct shard_append){APPEND_OF_MESSAGE, message};
        return message;
}

// The log does not keep up with the calls, or too many of them wait for their outcome: so does every caller then, who would not
// without commute.
static bool calls_pile_up(const struct shard *shard) {
        size_t async = shard->state.waiting + shard->state.parked;      // of a switch back to sync: they are not the calls' fault
        if (shard->messages.count - async >= shard->options.max_backlog)
                return true;
        if (list_empty(&shard->intents))
                return false;
        const struct shard_message *oldest = LIST_FIRST(&shard->intents, struct shard_message, intent);
        return shard_now(shard) - oldest->attempt_ns >= shard_patience_ns(shard);
}

static void admit_call(struct shard *shard, struct lane *lane, struct shard_request *request) {
        if (calls_pile_up(shard)) {
                shard_step_back(shard);
                shard->ops->forward(shard->user, request);
                return;
        }
        struct shard_message *message = admit(shard, lane, request, false);
        message->attempt_ns = shard_now(shard);         // when it was submitted, for now
        list_append(&lane->calls, &message->link);
        list_append(&shard->intents, &message->intent);
        struct record record = admission_record(shard, request, RECORD_INTENT);
        if (MUTATED(NO_INTENT)) {
                message->append.of = APPEND_IDLE;
                message_move(shard, message, MESSAGE_CALLED);
                shard->ops->call(shard->user, message, SHARD_CALL, request);
                return;
        }
        shard->ops->append(shard->user, &message->append, &record, request->body, -1);
}

// The views have all of the lane's messages that are not in memory: it was forgotten only after they had passed its last record.
static bool lane_sequence(struct shard *shard, struct lane *lane) {
        if (!lane->sequence_known)
                lane->sequence_known = shard->ops->lane(shard->user, &lane->hash, &lane->last_sequence);
        return lane->sequence_known;
}

static void admit_message(struct shard *shard, struct lane *lane, struct shard_request *request) {
        // With those under way and those that the views have not passed yet: views that fall behind push back.
        if (shard->messages.count >= shard->options.max_backlog) {
                request_answer(shard, request, SHARD_BACKLOG_FULL, 0);
                return;
        }
        if (!lane_sequence(shard, lane)) {
                request_answer(shard, request, SHARD_LOG_UNAVAILABLE, 0);
                return;
        }
        int64_t offset = shard->ops->next_offset(shard->user);
        struct record record = admission_record(shard, request, RECORD_MESSAGE);
        record.sequence = lane->last_sequence + 1;
        struct bytes body;
        if (!shard->ops->event(shard->user, request, offset, &record, &body)) {
                request_answer(shard, request, SHARD_NOT_VALID, 0);
                return;
        }
        struct shard_message *message = admit(shard, lane, request, true);
        message->sequence = record.sequence;
        message->kept = record.flags & RECORD_KEPT;
        lane->appending = message;
        shard->ops->append(shard->user, &message->append, &record, body, offset);
        if (MUTATED(ANSWER_FIRST))
                request_answer(shard, TAKE(message->request), SHARD_ACCEPTED, 0);
}

static void take(struct shard *shard, struct lane *lane, struct shard_request *request) {
        struct shard_message *message = shard_find(shard, &request->identity);
        if (message) {
                repeat(shard, message, request);
                return;
        }
        if (repeat_of_settled(shard, request))
                return;
        switch (lane_mode_of(shard, lane)) {
        case LANE_PLAIN:
                shard->ops->forward(shard->user, request);
                return;
        case LANE_RECORD:
                admit_call(shard, lane, request);
                return;
        case LANE_ASYNC:
        case LANE_PUSH:
                admit_message(shard, lane, request);
                return;
        }
}

// Why a request cannot be taken now: the log has not said what became of a record that its lane waits for.
static bool lane_unknown(const struct shard *shard, const struct lane *lane) {
        return shard->unknown || lane->unknown || (lane->appending && lane->appending->unknown);
}

static bool may_take(const struct shard *shard, const struct lane *lane) {
        return !lane_held(shard, lane) && !lane->appending;
}

void lane_release_arrivals(struct shard *shard, struct lane *lane) {
        uint64_t now = shard_now(shard);
        bool unknown = lane_unknown(shard, lane);
        while (!list_empty(&lane->arrivals) && (unknown || may_take(shard, lane))) {
                struct shard_request *request = LIST_FIRST(&lane->arrivals, struct shard_request, link);
                list_remove(&request->link);
                if (request->held_since_ns)
                        shard->state.longest_hold_ns = MAX(shard->state.longest_hold_ns, now - request->held_since_ns);
                if (unknown)
                        request_answer(shard, request, SHARD_LOG_UNKNOWN, 0);
                else
                        take(shard, lane, request);
        }
        if (list_empty(&lane->arrivals))
                list_remove(&lane->with_arrivals);
}

void shard_request(struct shard *shard, struct shard_request *request) {
        ASSERT(shard->started);
        struct lane *lane = lane_get(shard, &request->lane);
        request->held_since_ns = 0;
        if (list_empty(&lane->arrivals) && may_take(shard, lane)) {
                take(shard, lane, request);
                lane_moved(shard, lane);
                return;
        }
        if (lane_unknown(shard, lane)) {
                request_answer(shard, request, SHARD_LOG_UNKNOWN, 0);
                lane_moved(shard, lane);                // it may be new
                return;
        }
        if (lane_held(shard, lane))
                request->held_since_ns = shard_now(shard);
        list_append(&lane->arrivals, &request->link);
        if (list_empty(&lane->with_arrivals))
                list_append(&shard->with_arrivals, &lane->with_arrivals);
}

void admit_durable(struct shard *shard, struct shard_message *message, uint64_t position) {
        struct lane *lane = message->lane;
        message_durable(shard, message, position);
        list_remove(&message->intent);
        shard->state.admitted++;
        if (!message->async) {
                message->attempt_ns = shard_now(shard);
                message_move(shard, message, MESSAGE_CALLED);
                shard->ops->call(shard->user, message, SHARD_CALL, message->request);
                return;
        }
        ASSERT(lane->appending == message && message->sequence == lane->last_sequence + 1);
        lane->appending = NULL;
        lane->last_sequence = message->sequence;
        struct shard_request *request = TAKE(message->request);
        if (message->kept) {
                message_settle(shard, message);
        } else {
                lane->backlog++;
                list_append(&lane->messages, &message->link);
                message_move(shard, message, MESSAGE_WAITING);
        }
        request_answer(shard, request, SHARD_ACCEPTED, position);
        lane_release_arrivals(shard, lane);
        lane_moved(shard, lane);
}

// The admission is certainly not in the log.
void admit_failed(struct shard *shard, struct shard_message *message) {
        struct lane *lane = message->lane;
        struct shard_request *request = TAKE(message->request);
        bool call = !message->async;
        message_move(shard, message, MESSAGE_GONE);
        if (!call)
                lane->appending = NULL;
        message_forget(shard, message);
        // A synchronous call does not fail because of the log: the shard steps back and forwards it as before.
        bool back = call && shard->append.of == APPEND_IDLE && lane_mode_of(shard, lane) != LANE_ASYNC;
        if (back)
                shard_step_back(shard);
        if (request && back)
                shard->ops->forward(shard->user, request);
        else
                request_answer(shard, request, SHARD_LOG_UNAVAILABLE, 0);
        lane_release_arrivals(shard, lane);
        lane_moved(shard, lane);
}

// Nobody knows whether it is in the log: its caller is told so, and the lane waits until the log has been read back.
void admit_unknown(struct shard *shard, struct shard_message *message) {
        request_answer(shard, TAKE(message->request), SHARD_LOG_UNKNOWN, 0);
        if (message->async)
                lane_release_arrivals(shard, message->lane);
}
