// SPDX-License-Identifier: Apache-2.0
// The bodies of shard, lane and message, and what the shard*.c files use of each other:
//      shard.c         construction, tables, recovery, state, checks
//      shard_time.c    lanes that wait for a time, records to be submitted again
//      shard_admit.c   requests: repeats and admission
//      shard_deliver.c delivery, outcomes of calls and deliveries, failing providers
//      shard_switch.c  epochs and fences
//      shard_person.c  decisions of people
#pragma once

#include "base/table.h"
#include "gateway/shard.h"

// Errors planted for the simulation, which compiles these files for itself with SHARD_MUTATIONS and must find each one.
// In the product MUTATED is constant false.
#define SHARD_MUTATIONS_LIST(X)                                                                                        \
        X(NO_INTENT)            /* the provider is called before the INTENT is durable */                              \
        X(NO_WAIT_OLDER)        /* delivery does not wait for older calls of the lane */                               \
        X(NO_DRAIN)             /* a lane is opened as sync with messages waiting */                                   \
        X(FORGET)               /* a settled identity is forgotten at once */                                          \
        X(ANSWER_FIRST)         /* 202 before the MESSAGE is durable */                                                \
        X(OUTCOME_FIRST)        /* DELIVERED is recorded before the delivery */                                        \
        X(TIMEOUT_FAILS)        /* a timeout counts as "not done" */                                                   \
        X(SUCCESSORS)           /* the successors of a parked message are delivered */                                 \
        X(NO_ATTEMPT)           /* no ATTEMPT record where nothing is recognised */                                    \
        X(RECOVER_WAITING)      /* an attempt without outcome waits again after a restart */                           \
        X(EPOCH_MEMORY)         /* memory switches before the EPOCH record is durable */                               \
        X(EPOCH_NOT_HELD)       /* admissions go on while the EPOCH record is under way */                             \
        X(BUSY_SETTLES)         /* a 503 to an indeterminate call that is sent again counts as its outcome */          \
        X(RECEIPT_FOR_CALL)     /* a repeat of an open synchronous call gets a 202 */                                  \
        X(SETTLE_EARLY)         /* a person may decide before `settle` has passed */                                   \
        X(OTHER_BODY)           /* a repeat with another body gets the first answer */                                 \
        X(POISON_STAYS)         /* refused messages alone never park: each waits for another lane to succeed */         \
        X(BUSY_PARKS)           /* a connect failure, 429 or 503 counts as a refusal */                                \
        X(PAUSE_LEAKS)          /* an ATTEMPT that lands during a pause is made */

#ifdef SHARD_MUTATIONS
enum shard_mutation {
        MUTATION_NONE,
#define X(name) MUTATION_##name,
        SHARD_MUTATIONS_LIST(X)
#undef X
        MUTATIONS_COUNT
};
extern enum shard_mutation shard_mutation;
#define MUTATED(name) (shard_mutation == MUTATION_##name)
#else
#define MUTATED(name) false
#endif

// What the owner knows of a message. [V_…] is the name in tests/model/lane.pml. States ending in ING wait for a record, which
// is submitted again until it lands (invariant 7), except for the two admissions, which may fail.
#define MESSAGE_STATES(X)                                                                                       \
        X(INTENDING)            /* INTENT under way [V_INT] */                                                  \
        X(CALLED)               /* at the provider, its caller waits [V_CALL] */                                \
        X(ANSWERING)            /* done; ANSWERED under way [V_OUT] */                                          \
        X(RELEASING)            /* certainly not done; REFUSED under way [V_REL] */                             \
        X(DOUBTING)             /* nobody knows; INDETERMINATE under way */                                     \
        X(IN_DOUBT)             /* an indeterminate call [V_INDET] */                                           \
        X(CALLED_AGAIN)         /* an indeterminate call at the provider again [V_AGAIN] */                     \
        X(APPENDING)            /* MESSAGE under way [V_APP] */                                                 \
        X(WAITING)              /* durable, not at the provider [V_WAIT] */                                     \
        X(ATTEMPTING)           /* ATTEMPT under way [V_TRYP] */                                                \
        X(TRIED)                /* at the provider [V_TRY] */                                                   \
        X(RETURNING)            /* that attempt was not executed; NOT_DONE under way */                         \
        X(DELIVERING)           /* done; DELIVERED under way [V_DLV] */                                         \
        X(UNKNOWING)            /* the provider recognises; INDETERMINATE of a delivery under way */            \
        X(PARKING)              /* PARKED under way [V_PARKP] */                                                \
        X(PARKED)               /* a person must decide [V_PARK] */                                             \
        X(DISCARDING)           /* refused, and refusals are discarded; DISCARDED under way */                  \
        X(DECIDING)             /* a person has decided; that record is under way */                            \
        X(SETTLED)              /* kept until the views have passed its last record [V_DONE] */                 \
        X(GONE)                 /* not admitted, or released: about to be freed [V_NONE] */

enum message_state {
#define X(name) MESSAGE_##name,
        MESSAGE_STATES(X)
#undef X
        MESSAGE_STATES_COUNT
};

struct lane;

struct shard_message {
        struct list link;               // in lane->calls, lane->messages or shard->settled
        struct list resend;             // in shard->resend while its record must be submitted again
        struct list intent;             // in shard->intents while INTENDING
        struct lane *lane;
        struct shard_request *request;  // the caller that waits for it; NULL: none
        struct shard_append append;
        struct hash128 identity, body_hash;
        uint64_t position;              // of its INTENT or MESSAGE; 0: not durable yet
        uint64_t answer_position;       // of its ANSWERED record; once settled and answered synchronously
        uint64_t last_position;         // of its last record
        uint64_t sequence;              // of a MESSAGE
        uint64_t attempt_ns;            // monotonic, as a wall clock may jump: when the last attempt was sent
        uint64_t doubt_ns;              // … the last one of which nobody knows; 0: none. `settle` counts from it
        uint64_t first_refused_ns;      // 0: not refused
        uint32_t refusals;              // definite ones of its deliveries; not kept over a restart
        uint32_t attempts;
        uint16_t status;                // of the last response
        enum message_state state;
        enum message_state before;      // DECIDING: the state that a failed append goes back to
        enum record_kind decision;      // DECIDING
        bool async;                     // a MESSAGE, not a call
        bool was_indeterminate;         // of an earlier attempt nobody knows
        bool recognised;
        bool given;                     // its identity was given by commute
        bool kept;                      // settled by its own record
        bool by_recovery;
        bool unknown;                   // its append ended unknown and has not been read back
        struct buffer answer;           // ANSWERING: what is to be kept for repeats; PARKING: why, where commute itself refused it
};

struct lane {
        struct list ready;              // in shard->ready while its head may be delivered
        struct list left;               // in shard->left_async while left_async
        struct list with_arrivals;      // in shard->with_arrivals while arrivals wait
        struct list idle;               // in shard->idle while nothing is left of it but what the views do not have yet
        struct list calls;              // synchronous calls without a recorded outcome
        struct list messages;           // unsettled MESSAGEs in sequence order
        struct list arrivals;           // requests that wait (held, or behind an admission under way)
        struct hash128 hash;
        struct shard_append append;     // of its LANE_EPOCH
        uint64_t last_sequence;         // of the last durable MESSAGE; known once sequence_known
        uint64_t last_position;         // of the last record of this lane
        uint64_t wake_ns;               // not before this time; 0: at once
        uint64_t fence_began_ns;
        uint64_t fence_until_ns;        // 0: not fenced
        uint64_t hold_until_ns;         // while its LANE_EPOCH is under way: so long its callers wait; 0: no longer
        uint64_t due_ns;                // while timed: the earliest of wake_ns, fence_until_ns and hold_until_ns
        size_t timed;                   // its place in shard->timed, counted from 1; 0: it waits for no time
        uint64_t fence_again_ns;        // not fenced again before
        uint64_t open_again_ns;         // its LANE_EPOCH is not submitted again before
        size_t backlog;                 // of messages
        uint32_t failures;              // in a row, for the backoff
        uint64_t failed_in_run;         // shard->success_run when it was last counted in failing_lanes
        struct shard_message *appending;
        bool sequence_known;
        bool left_async;
        bool opening;                   // its LANE_EPOCH is under way
        bool unknown;                   // … and the log does not know what became of it, or takes too long
};

struct shard {
        struct shard_options options;
        const struct shard_ops *ops;
        void *user;
        struct table messages;          // by identity
        struct table lanes;             // by lane hash
        struct table by_position;       // unsettled durable messages, for people and recovery
        struct list ready, left_async, with_arrivals, idle, settled, resend, intents, free_messages;
        size_t free_count;
        struct lane **timed;            // a heap
        size_t timed_count, timed_capacity;
        size_t fenced;                  // lanes
        struct shard_append append;     // of its EPOCH
        enum lane_mode mode, next_mode;
        uint32_t epoch;
        uint64_t hold_until_ns;         // while its EPOCH is under way: so long callers wait
        uint64_t tend_ns;               // lanes left async are not looked at before
        uint64_t plain_again_ns;        // when to append EPOCH(PLAIN), if plain_not_recorded
        uint64_t resend_ns;             // when to submit failed records again; 0: nothing waits
        uint64_t views_position;
        uint64_t success_run;           // grows with each success of a delivery; 1 at first
        uint64_t last_success_ns;
        size_t failing_lanes;           // distinct lanes that failed since the last success
        uint64_t probe_ns;              // while the provider fails: the next attempt
        bool refuses;                   // … and the last failure was a refusal: it is there, and answers
        uint32_t probes;
        struct record last_repeat;      // what is recorded of the last repeat
        uint32_t repeats_owed;          // that have no record yet
        uint64_t repeats_up_to_ns;      // each record of repeats moves it by a second; it is never further back than the burst
        struct shard_state state;       // counters
        bool paused, started, unknown;  // unknown: the log does not know what became of its EPOCH
        bool plain_not_recorded;        // stepped back in memory; EPOCH(PLAIN) to be appended when the log takes it
};

// ---- shard.c ----
struct shard_message *shard_find(const struct shard *shard, const struct hash128 *identity);
struct shard_message *shard_find_position(const struct shard *shard, uint64_t position);
struct lane *lane_get(struct shard *shard, const struct hash128 *hash);         // finds it, or makes it
// Something of the lane ended: opens it, delivers, or frees it. The lane may be gone afterwards.
void lane_moved(struct shard *shard, struct lane *lane);
struct shard_message *message_new(struct shard *shard, struct lane *lane, const struct hash128 *identity,
                                  const struct hash128 *body_hash, bool async);
void message_move(struct shard *shard, struct shard_message *message, enum message_state state);
void message_forget(struct shard *shard, struct shard_message *message);        // GONE: removed and freed; not its lane
void message_durable(struct shard *shard, struct shard_message *message, uint64_t position);    // has its first record
void message_settle(struct shard *shard, struct shard_message *message);        // SETTLED: until the views pass
void message_record(struct shard *shard, struct shard_message *message);        // submits the record that its state waits for
void request_answer(struct shard *shard, struct shard_request *request, enum shard_answer answer, uint64_t position);

// ---- shard_time.c ----
uint64_t shard_backoff_ns(struct shard *shard, uint32_t failures);
void lane_time(struct shard *shard, struct lane *lane);         // after a time of its was set
void lane_untime(struct shard *shard, struct lane *lane);
void shard_resend_soon(struct shard *shard);

static inline uint64_t shard_now(const struct shard *shard) {
        return shard->ops->now_ns(shard->user);
}
static inline enum lane_mode lane_mode_of(const struct shard *shard, const struct lane *lane) {
        if (shard->options.data)
                return shard->mode == LANE_PLAIN ? LANE_PLAIN : LANE_ASYNC;
        return lane->left_async ? LANE_ASYNC : shard->mode;
}
// So long callers wait for a record of the shard's or lane's; and so old the oldest INTENT under way may be before calls go plain.
static inline uint64_t shard_patience_ns(const struct shard *shard) {
        return MAX(shard->options.deadline_ns, (uint64_t)1000000000);
}
// Whether an attempt whose outcome nobody knows may be made again without asking a person.
static inline bool shard_repeats(const struct shard *shard) {
        return shard->options.recognises || shard->options.data;
}
static inline bool lane_held(const struct shard *shard, const struct lane *lane) {
        return (shard->append.of != APPEND_IDLE && !MUTATED(EPOCH_NOT_HELD)) || lane->fence_until_ns || lane->opening;
}

// ---- shard_admit.c ----
void lane_release_arrivals(struct shard *shard, struct lane *lane);     // takes as many as it may now
void admit_durable(struct shard *shard, struct shard_message *message, uint64_t position);
void admit_failed(struct shard *shard, struct shard_message *message);
void admit_unknown(struct shard *shard, struct shard_message *message);
void shard_record_repeats(struct shard *shard, bool all);       // those that have no record yet; all: now, whatever was written

// ---- shard_deliver.c ----
void lane_ready(struct shard *shard, struct lane *lane);        // looks whether its head may go, and queues it
void shard_deliver(struct shard *shard);                        // starts what may start
void delivery_announced(struct shard *shard, struct shard_message *message);    // its ATTEMPT is durable
void call_again(struct shard *shard, struct shard_message *message, struct shard_request *request);
void lane_call_again(struct shard *shard, struct lane *lane);   // in an async lane: its indeterminate calls

// ---- shard_switch.c ----
void switch_appended(struct shard *shard, enum append_result result, uint64_t position);
void lane_opened(struct shard *shard, struct lane *lane, enum append_result result, uint64_t position);
void lane_try_open(struct shard *shard, struct lane *lane);     // a lane left async whose backlog is gone
void lane_leave_async(struct shard *shard, struct lane *lane);
void lane_overran(struct shard *shard, struct lane *lane, uint64_t now);        // ends a fence that is over
void lane_held_too_long(struct shard *shard, struct lane *lane, uint64_t now);
void switch_look_at_left(struct shard *shard);                  // all lanes left async: O(of them)
void switch_tick(struct shard *shard);

// ---- shard_person.c ----
void decided(struct shard *shard, struct shard_message *message, enum append_result result, uint64_t position);
