// SPDX-License-Identifier: Apache-2.0
// Construction, tables, recovery, time, state and checks of a shard. Memory: the shard owns its lanes and messages; requests
// belong to the runtime. What is settled stays until the views have passed it, then it is freed; a lane likewise.
#include "gateway/shard.h"

#include <stdlib.h>

#include "gateway/shard_priv.h"

enum { FREE_MESSAGES_KEPT = 1024 };

static const char *const state_names[] = {
#define X(name) [MESSAGE_##name] = #name,
        MESSAGE_STATES(X)
#undef X
};

#define TO(name) (1u << MESSAGE_##name)

// The moves that are allowed; anything else is a broken invariant.
static const uint32_t allowed[MESSAGE_STATES_COUNT] = {
        [MESSAGE_INTENDING] = TO(CALLED) | TO(GONE),
        [MESSAGE_CALLED] = TO(ANSWERING) | TO(RELEASING) | TO(DOUBTING),
        [MESSAGE_ANSWERING] = TO(SETTLED),
        [MESSAGE_RELEASING] = TO(GONE),
        [MESSAGE_DOUBTING] = TO(IN_DOUBT),
        [MESSAGE_IN_DOUBT] = TO(CALLED_AGAIN) | TO(DECIDING),
        [MESSAGE_CALLED_AGAIN] = TO(ANSWERING) | TO(IN_DOUBT)
#ifdef SHARD_MUTATIONS
                | TO(RELEASING)
#endif
        ,
        [MESSAGE_APPENDING] = TO(WAITING) | TO(SETTLED) | TO(GONE),
        [MESSAGE_WAITING] = TO(ATTEMPTING) | TO(TRIED),
        [MESSAGE_ATTEMPTING] = TO(TRIED) | TO(RETURNING),
        [MESSAGE_TRIED] = TO(DELIVERING) | TO(WAITING) | TO(RETURNING) | TO(UNKNOWING) | TO(PARKING) | TO(DISCARDING),
        [MESSAGE_RETURNING] = TO(WAITING),
        [MESSAGE_DELIVERING] = TO(SETTLED),
        [MESSAGE_UNKNOWING] = TO(WAITING),
        [MESSAGE_PARKING] = TO(PARKED),
        [MESSAGE_PARKED] = TO(DECIDING),
        [MESSAGE_DISCARDING] = TO(SETTLED),
        [MESSAGE_DECIDING] = TO(WAITING) | TO(SETTLED) | TO(GONE) | TO(PARKED) | TO(IN_DOUBT),
        [MESSAGE_SETTLED] = 0,
        [MESSAGE_GONE] = 0,
};

// Where a message is counted in shard_state; NULL: nowhere.
static size_t *count_of(struct shard_state *counts, enum message_state state, bool async) {
        switch (state) {
        case MESSAGE_DOUBTING: case MESSAGE_IN_DOUBT: case MESSAGE_CALLED_AGAIN:
                return &counts->calls_indeterminate;
        case MESSAGE_PARKING: case MESSAGE_PARKED:
                return &counts->parked;
        case MESSAGE_CALLED: case MESSAGE_ANSWERING: case MESSAGE_RELEASING: case MESSAGE_WAITING: case MESSAGE_ATTEMPTING:
        case MESSAGE_TRIED: case MESSAGE_RETURNING: case MESSAGE_DELIVERING: case MESSAGE_UNKNOWING: case MESSAGE_DISCARDING:
        case MESSAGE_DECIDING:
                return async ? &counts->waiting : &counts->calls_open;
        case MESSAGE_INTENDING: case MESSAGE_APPENDING: case MESSAGE_SETTLED: case MESSAGE_GONE: case MESSAGE_STATES_COUNT:
                break;
        }
        return NULL;
}

static void message_put(struct shard *shard, struct shard_message *message, enum message_state state) {
        size_t *before = count_of(&shard->state, message->state, message->async);
        size_t *after = count_of(&shard->state, state, message->async);
        if (before)
                --*before;
        if (after)
                ++*after;
        message->state = state;
}

void message_move(struct shard *shard, struct shard_message *message, enum message_state state) {
        ASSERT(state_names[state] && allowed[message->state] & (1u << state));
        message_put(shard, message, state);
}

// ---- tables ----

static bool message_has_identity(const void *element, const void *key) {
        return hash128_equal(&((const struct shard_message *)element)->identity, key);
}

static bool message_has_position(const void *element, const void *key) {
        return ((const struct shard_message *)element)->position == *(const uint64_t *)key;
}

static bool lane_has_hash(const void *element, const void *key) {
        return hash128_equal(&((const struct lane *)element)->hash, key);
}

static uint64_t position_slot(uint64_t position) {
        return position * 0x9E3779B97F4A7C15u >> 7;     // Fibonacci hashing: positions are dense
}

struct shard_message *shard_find(const struct shard *shard, const struct hash128 *identity) {
        return table_find(&shard->messages, hash128_slot(identity), identity, message_has_identity);
}

struct shard_message *shard_find_position(const struct shard *shard, uint64_t position) {
        return table_find(&shard->by_position, position_slot(position), &position, message_has_position);
}

struct lane *lane_get(struct shard *shard, const struct hash128 *hash) {
        struct lane *lane = table_find(&shard->lanes, hash128_slot(hash), hash, lane_has_hash);
        if (lane)
                return lane;
        lane = must_calloc(1, sizeof *lane);
        lane->hash = *hash;
        list_init(&lane->ready);
        list_init(&lane->left);
        list_init(&lane->with_arrivals);
        list_init(&lane->idle);
        list_init(&lane->calls);
        list_init(&lane->messages);
        list_init(&lane->arrivals);
        // A lane that is left async stays in memory until it is not, so the views, which may be behind two switches, are not asked;
        // for the sequence they are, when the first message is admitted (lane_sequence).
        table_insert(&shard->lanes, hash128_slot(hash), lane);
        return lane;
}

static bool lane_idle(const struct lane *lane) {
        return list_empty(&lane->calls) && list_empty(&lane->messages) && list_empty(&lane->arrivals) && !lane->appending &&
               !lane->opening && !lane->fence_until_ns && !lane->left_async;
}

static void lane_free(struct shard *shard, struct lane *lane) {
        table_remove(&shard->lanes, hash128_slot(&lane->hash), &lane->hash, lane_has_hash);
        list_remove(&lane->ready);
        lane_untime(shard, lane);
        list_remove(&lane->left);
        list_remove(&lane->with_arrivals);
        list_remove(&lane->idle);
        free(lane);
}

// Frees the lane if nothing is left of it, or queues it until the views have passed it.
static void lane_settle_down(struct shard *shard, struct lane *lane) {
        if (!lane_idle(lane))
                return;
        if (lane->last_position <= shard->views_position) {
                lane_free(shard, lane);
                return;
        }
        list_remove(&lane->idle);
        list_append(&shard->idle, &lane->idle);
}

void lane_moved(struct shard *shard, struct lane *lane) {
        lane_try_open(shard, lane);
        lane_ready(shard, lane);
        lane_settle_down(shard, lane);
        shard_deliver(shard);
}

struct shard_message *message_new(struct shard *shard, struct lane *lane, const struct hash128 *identity,
                                  const struct hash128 *body_hash, bool async) {
        struct shard_message *message;
        if (list_empty(&shard->free_messages)) {
                message = must_malloc(sizeof *message);
        } else {
                message = LIST_FIRST(&shard->free_messages, struct shard_message, link);
                list_remove(&message->link);
                shard->free_count--;
        }
        *message = (struct shard_message){
                .lane = lane,
                .identity = *identity,
                .body_hash = *body_hash,
                .async = async,
                .state = async ? MESSAGE_APPENDING : MESSAGE_INTENDING,
        };
        list_init(&message->link);
        list_init(&message->resend);
        list_init(&message->intent);
        table_insert(&shard->messages, hash128_slot(identity), message);
        return message;
}

static void message_free(struct shard *shard, struct shard_message *message) {
        ASSERT(message->append.of == APPEND_IDLE && !message->request);
        list_remove(&message->link);
        list_remove(&message->resend);
        list_remove(&message->intent);
        buffer_free(&message->answer);
        if (shard->free_count < FREE_MESSAGES_KEPT) {
                list_append(&shard->free_messages, &message->link);
                shard->free_count++;
        } else {
                free(message);
        }
}

static void drop_position(struct shard *shard, struct shard_message *message) {
        if (message->position)
                table_remove(&shard->by_position, position_slot(message->position), &message->position, message_has_position);
}

static void message_drop(struct shard *shard, struct shard_message *message) {
        table_remove(&shard->messages, hash128_slot(&message->identity), &message->identity, message_has_identity);
        shard->ops->forgotten(shard->user, &message->identity);
        message_free(shard, message);
}

void message_forget(struct shard *shard, struct shard_message *message) {
        ASSERT(message->state == MESSAGE_GONE);
        drop_position(shard, message);
        message_drop(shard, message);
}

void message_durable(struct shard *shard, struct shard_message *message, uint64_t position) {
        message->position = position;
        message->last_position = MAX(message->last_position, position);
        message->lane->last_position = MAX(message->lane->last_position, position);
        table_insert(&shard->by_position, position_slot(position), message);
}

void message_settle(struct shard *shard, struct shard_message *message) {
        message_move(shard, message, MESSAGE_SETTLED);
        drop_position(shard, message);
        buffer_free(&message->answer);
        list_remove(&message->link);
        list_append(&shard->settled, &message->link);
        if (message->last_position <= shard->views_position || MUTATED(FORGET))
                message_drop(shard, message);           // the views were faster
}

void shard_views_passed(struct shard *shard, uint64_t position) {
        if (position <= shard->views_position)
                return;
        shard->views_position = position;
        LIST_FOR_EACH_SAFE(link, &shard->settled) {
                struct shard_message *message = CONTAINER_OF(link, struct shard_message, link);
                if (message->last_position > position)
                        break;                          // settled in order of their records
                message_drop(shard, message);
        }
        LIST_FOR_EACH_SAFE(link, &shard->idle) {
                struct lane *lane = CONTAINER_OF(link, struct lane, idle);
                if (!lane_idle(lane))
                        list_remove(&lane->idle);       // used again meanwhile: it comes back when it settles down
                else if (lane->last_position <= position)
                        lane_free(shard, lane);
                else
                        break;
        }
}

// ---- records ----

static enum record_kind kind_of(const struct shard_message *message) {
        switch (message->state) {
        case MESSAGE_ANSWERING: return RECORD_ANSWERED;
        case MESSAGE_RELEASING: return RECORD_REFUSED;
        case MESSAGE_DOUBTING: return RECORD_INDETERMINATE;
        case MESSAGE_UNKNOWING: return RECORD_INDETERMINATE;
        case MESSAGE_ATTEMPTING: return RECORD_ATTEMPT;
        case MESSAGE_RETURNING: return RECORD_NOT_DONE;
        case MESSAGE_DELIVERING: return RECORD_DELIVERED;
        case MESSAGE_PARKING: return RECORD_PARKED;
        case MESSAGE_DISCARDING: return RECORD_DISCARDED;
        case MESSAGE_DECIDING: return message->decision;
        case MESSAGE_INTENDING: case MESSAGE_CALLED: case MESSAGE_IN_DOUBT: case MESSAGE_CALLED_AGAIN: case MESSAGE_APPENDING:
        case MESSAGE_WAITING: case MESSAGE_TRIED: case MESSAGE_PARKED: case MESSAGE_SETTLED: case MESSAGE_GONE:
        case MESSAGE_STATES_COUNT: break;
        }
        UNREACHABLE("a state that waits for a record");
        return 0;
}

void message_record(struct shard *shard, struct shard_message *message) {
        ASSERT(message->append.of == APPEND_IDLE);
        bool person = message->state == MESSAGE_DECIDING;
        struct record record = {
                .kind = kind_of(message),
                .flags = (person ? (unsigned)RECORD_BY_PERSON : 0) | (message->recognised ? (unsigned)RECORD_RECOGNISED : 0) |
                         (message->by_recovery ? (unsigned)RECORD_RECOVERED : 0),
                .status = message->status,
                .epoch = shard->epoch,
                .attempt = message->attempts,
                .shard = shard->options.stream,
                .sequence = message->sequence,
                .reference = message->position,
                .time_ms = shard->ops->wall_ms(shard->user),
                .lane = message->lane->hash,
                .identity = message->identity,
                .body_hash = message->body_hash,
        };
        message->append = (struct shard_append){APPEND_OF_MESSAGE, message};
        bool says = message->state == MESSAGE_ANSWERING || message->state == MESSAGE_PARKING;
        struct bytes body = says ? buffer_bytes(&message->answer) : (struct bytes){0};
        shard->ops->append(shard->user, &message->append, &record, body, -1);
}

// The record that the message waited for is in the log.
static void message_recorded(struct shard *shard, struct shard_message *message, uint64_t position) {
        struct lane *lane = message->lane;
        message->last_position = lane->last_position = MAX(lane->last_position, position);
        switch (message->state) {
        case MESSAGE_INTENDING:
        case MESSAGE_APPENDING:
                admit_durable(shard, message, position);
                return;
        case MESSAGE_ANSWERING:
                message->answer_position = position;
                message_settle(shard, message);
                break;
        case MESSAGE_RELEASING:
                message_move(shard, message, MESSAGE_GONE);
                message_forget(shard, message);
                break;
        case MESSAGE_DOUBTING:
                message->by_recovery = false;
                message_move(shard, message, MESSAGE_IN_DOUBT);
                lane_call_again(shard, lane);
                break;
        case MESSAGE_ATTEMPTING:
                delivery_announced(shard, message);
                return;
        case MESSAGE_RETURNING:
        case MESSAGE_UNKNOWING:
                message_move(shard, message, MESSAGE_WAITING);
                break;
        case MESSAGE_DELIVERING:
                shard->state.delivered++;
                lane->backlog--;
                message_settle(shard, message);
                break;
        case MESSAGE_DISCARDING:
                lane->backlog--;
                message_settle(shard, message);
                break;
        case MESSAGE_PARKING:
                message->by_recovery = false;
                message_move(shard, message, MESSAGE_PARKED);
                break;
        case MESSAGE_DECIDING:
                decided(shard, message, APPEND_DURABLE, position);
                return;
        case MESSAGE_CALLED: case MESSAGE_IN_DOUBT: case MESSAGE_CALLED_AGAIN: case MESSAGE_WAITING: case MESSAGE_TRIED:
        case MESSAGE_PARKED: case MESSAGE_SETTLED: case MESSAGE_GONE: case MESSAGE_STATES_COUNT:
                UNREACHABLE("a state that waits for a record");
        }
        lane_moved(shard, lane);
}

static void message_not_recorded(struct shard *shard, struct shard_message *message) {
        switch (message->state) {
        case MESSAGE_INTENDING:
        case MESSAGE_APPENDING:
                admit_failed(shard, message);
                return;
        case MESSAGE_DECIDING:
                decided(shard, message, APPEND_FAILED, 0);
                return;
        case MESSAGE_ANSWERING: case MESSAGE_RELEASING: case MESSAGE_DOUBTING: case MESSAGE_ATTEMPTING: case MESSAGE_RETURNING:
        case MESSAGE_DELIVERING: case MESSAGE_UNKNOWING: case MESSAGE_PARKING: case MESSAGE_DISCARDING: case MESSAGE_CALLED:
        case MESSAGE_IN_DOUBT: case MESSAGE_CALLED_AGAIN: case MESSAGE_WAITING: case MESSAGE_TRIED: case MESSAGE_PARKED:
        case MESSAGE_SETTLED: case MESSAGE_GONE: case MESSAGE_STATES_COUNT:
                break;
        }
        list_append(&shard->resend, &message->resend);
        shard_resend_soon(shard);
}

void shard_appended(struct shard *shard, struct shard_append *append, enum append_result result, uint64_t position) {
        ASSERT(append->of != APPEND_IDLE);
        if (append->of == APPEND_OF_EPOCH) {
                switch_appended(shard, result, position);
                return;
        }
        if (append->of == APPEND_OF_LANE) {
                lane_opened(shard, append->what, result, position);
                return;
        }
        struct shard_message *message = append->what;
        if (result == APPEND_UNKNOWN) {
                message->unknown = true;
                if (message->state == MESSAGE_INTENDING || message->state == MESSAGE_APPENDING)
                        admit_unknown(shard, message);
                return;
        }
        append->of = APPEND_IDLE;
        message->unknown = false;
        if (result == APPEND_DURABLE)
                message_recorded(shard, message, position);
        else
                message_not_recorded(shard, message);
}

void request_answer(struct shard *shard, struct shard_request *request, enum shard_answer answer, uint64_t position) {
        if (request)
                shard->ops->answer(shard->user, request, answer, position);
}

// ---- construction and recovery ----

struct shard *shard_new(const struct shard_options *options, const struct shard_ops *ops, void *user) {
        ASSERT(options->max_in_flight > 0 && options->retry_first_ns > 0);
        struct shard *shard = must_calloc(1, sizeof *shard);
        shard->options = *options;
        shard->ops = ops;
        shard->user = user;
        shard->mode = LANE_PLAIN;
        shard->success_run = 1;
        list_init(&shard->ready);
        list_init(&shard->left_async);
        list_init(&shard->with_arrivals);
        list_init(&shard->idle);
        list_init(&shard->settled);
        list_init(&shard->resend);
        list_init(&shard->intents);
        list_init(&shard->free_messages);
        return shard;
}

void shard_free(struct shard *shard) {
        if (!shard)
                return;
        size_t at = 0;
        for (struct shard_message *message; (message = table_next(&shard->messages, &at));) {
                buffer_free(&message->answer);
                free(message);
        }
        at = 0;
        for (struct lane *lane; (lane = table_next(&shard->lanes, &at));)
                free(lane);
        LIST_FOR_EACH_SAFE(link, &shard->free_messages)
                free(CONTAINER_OF(link, struct shard_message, link));
        table_free(&shard->messages);
        table_free(&shard->lanes);
        table_free(&shard->by_position);
        free(shard->timed);
        free(shard);
}

void shard_restore(struct shard *shard, enum lane_mode mode, uint32_t epoch) {
        ASSERT(!shard->started);
        shard->mode = mode;
        shard->epoch = epoch;
}

void shard_restore_since(struct shard *shard, uint64_t position) {
        ASSERT(!shard->started);
        shard->state.since = position;
}

void shard_restore_left_async(struct shard *shard, const struct hash128 *hash) {
        ASSERT(!shard->started);
        if (shard->mode == LANE_ASYNC)
                return;
        struct lane *lane = lane_get(shard, hash);
        lane_leave_async(shard, lane);
}

void shard_restore_message(struct shard *shard, const struct shard_unsettled *unsettled) {
        ASSERT(!shard->started);
        bool async = unsettled->state != UNSETTLED_OPEN && unsettled->state != UNSETTLED_INDETERMINATE_CALL;
        struct lane *lane = lane_get(shard, &unsettled->lane);
        struct shard_message *message = message_new(shard, lane, &unsettled->identity, &unsettled->body_hash, async);
        message->sequence = unsettled->sequence;
        message->attempts = unsettled->attempts;
        message->was_indeterminate = unsettled->was_indeterminate;
        // It may have been sent at any time until now, by attempts that have no record, too: `settle` counts from the restart.
        message->doubt_ns = shard_now(shard);
        message_durable(shard, message, unsettled->position);
        list_append(async ? &lane->messages : &lane->calls, &message->link);
        lane->backlog += async;
        bool head = LIST_FIRST(&lane->messages, struct shard_message, link) == message;
        bool sent = unsettled->state == UNSETTLED_INDETERMINATE || (shard->options.recognised_before && head);
        enum message_state state = message->state;
        switch (unsettled->state) {
        case UNSETTLED_OPEN:
                state = MESSAGE_DOUBTING;
                message->by_recovery = true;
                break;
        case UNSETTLED_INDETERMINATE_CALL:
                state = MESSAGE_IN_DOUBT;
                break;
        case UNSETTLED_TRYING:
                state = shard_repeats(shard) || MUTATED(RECOVER_WAITING) ? MESSAGE_WAITING : MESSAGE_PARKING;
                message->by_recovery = state == MESSAGE_PARKING;
                break;
        case UNSETTLED_WAITING:
        case UNSETTLED_INDETERMINATE:           // may be sent again only while the provider recognises identities
                state = shard_repeats(shard) || !sent ? MESSAGE_WAITING : MESSAGE_PARKING;
                message->by_recovery = state == MESSAGE_PARKING;
                break;
        case UNSETTLED_PARKED:
                state = MESSAGE_PARKED;
                break;
        }
        message_put(shard, message, state);
        if (unsettled->state == UNSETTLED_INDETERMINATE)
                message->was_indeterminate = true;
}

void shard_start(struct shard *shard) {
        shard->started = true;
        size_t at = 0;
        for (struct shard_message *message; (message = table_next(&shard->messages, &at));)
                if (message->state == MESSAGE_DOUBTING || message->state == MESSAGE_PARKING)
                        message_record(shard, message);
        at = 0;
        // What a predecessor was delivering may still arrive at the reader, and must not overtake what follows.
        bool sleep = shard->options.data && !shard->options.recognises;
        for (struct lane *lane; (lane = table_next(&shard->lanes, &at));) {
                if (sleep && !list_empty(&lane->messages)) {
                        lane->wake_ns = shard_now(shard) + shard->options.settle_ms * 1000000;
                        lane_time(shard, lane);
                }
                lane_call_again(shard, lane);
                lane_ready(shard, lane);
        }
        switch_look_at_left(shard);
        shard_deliver(shard);
}

// ---- what others ask ----

bool shard_knows(const struct shard *shard, const struct hash128 *identity) {
        return shard_find(shard, identity) != NULL;
}

uint64_t shard_message_position(const struct shard_message *message) {
        return message->position;
}

uint32_t shard_message_attempt(const struct shard_message *message) {
        return message->attempts;
}

uint64_t shard_message_sequence(const struct shard_message *message) {
        return message->sequence;
}

void shard_pause(struct shard *shard, bool paused) {
        shard->paused = paused;
        if (paused)
                shard_record_repeats(shard, true);
        if (paused || !shard->started)
                return;
        size_t at = 0;
        for (struct lane *lane; (lane = table_next(&shard->lanes, &at));)
                lane_call_again(shard, lane);
        shard_deliver(shard);
}

enum lane_mode shard_mode(const struct shard *shard) {
        return shard->mode;
}

uint32_t shard_epoch(const struct shard *shard) {
        return shard->epoch;
}

uint64_t shard_since(const struct shard *shard) {
        return shard->state.since;
}

bool shard_changing(const struct shard *shard) {
        return shard->append.of != APPEND_IDLE;
}

bool shard_may_be_async(const struct shard *shard) {
        return shard->mode >= LANE_ASYNC || (shard->append.of != APPEND_IDLE && shard->next_mode >= LANE_ASYNC);
}

void shard_state(const struct shard *shard, struct shard_state *ret) {
        *ret = shard->state;
        ret->mode = shard->mode;
        ret->epoch = shard->epoch;
        ret->lanes = shard->lanes.count;
        ret->changing = shard->append.of != APPEND_IDLE || shard->plain_not_recorded;
        ret->provider_fails = shard->failing_lanes >= SHARD_FAILING_LANES;
        LIST_FOR_EACH(link, &shard->with_arrivals) {
                struct lane *lane = CONTAINER_OF(link, struct lane, with_arrivals);
                if (lane_held(shard, lane))
                        LIST_FOR_EACH(arrival, &lane->arrivals)
                                ret->held++;
        }
}

bool shard_quiet(const struct shard *shard) {
        return shard->mode == LANE_PLAIN && !shard->plain_not_recorded && shard->append.of == APPEND_IDLE &&
               shard->messages.count == 0 && !shard->state.lanes_left_async;
}

bool shard_has_async(const struct shard *shard) {
        return shard->mode == LANE_ASYNC || shard->state.lanes_left_async;
}

void shard_check(const struct shard *shard) {
        size_t at = 0, left_async = 0, fenced = 0, timed = 0, in_flight = 0, async = 0;
        struct shard_state counts = {0};
        for (const struct shard_message *message; (message = table_next(&shard->messages, &at));) {
                size_t *count = count_of(&counts, message->state, message->async);
                if (count)
                        ++*count;
        }
        ASSERT(counts.calls_open == shard->state.calls_open && counts.calls_indeterminate == shard->state.calls_indeterminate);
        ASSERT(counts.waiting == shard->state.waiting && counts.parked == shard->state.parked);
        at = 0;
        for (const struct lane *lane; (lane = table_next(&shard->lanes, &at));) {
                left_async += lane->left_async;
                ASSERT(lane->left_async == !list_empty(&lane->left));
                fenced += lane->fence_until_ns != 0;
                timed += lane->timed != 0;
                ASSERT(!lane->timed || shard->timed[lane->timed - 1] == lane);
                uint64_t sequence = 0;
                size_t backlog = 0;
                bool first = true;
                LIST_FOR_EACH(link, &lane->messages) {
                        const struct shard_message *message = CONTAINER_OF(link, struct shard_message, link);
                        ASSERT(message->async && message->position && message->sequence > sequence);
                        bool head_only = message->state == MESSAGE_TRIED || message->state == MESSAGE_ATTEMPTING;
                        ASSERT(!head_only || first || MUTATED(SUCCESSORS));                     // 6
                        in_flight += head_only;
                        sequence = message->sequence;
                        first = false;
                        backlog++;
                }
                ASSERT((sequence <= lane->last_sequence || !lane->sequence_known) && backlog == lane->backlog);        // 5
                ASSERT(!lane->appending || lane->appending->sequence == lane->last_sequence + 1);
                ASSERT(!lane->left_async || shard->mode != LANE_ASYNC);
                LIST_FOR_EACH(link, &lane->calls)
                        ASSERT(!CONTAINER_OF(link, struct shard_message, link)->async);
                async += backlog;
        }
        ASSERT(left_async == shard->state.lanes_left_async);
        ASSERT(fenced == shard->fenced);
        ASSERT(timed == shard->timed_count);
        for (size_t i = 1; i < timed; i++)
                ASSERT(shard->timed[(i - 1) / 2]->due_ns <= shard->timed[i]->due_ns);
        ASSERT(in_flight == shard->state.in_flight);
        (void)async;
}
