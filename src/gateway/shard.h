// SPDX-License-Identifier: Apache-2.0
// The owner of one shard: all lanes of one partition of one communication. It decides, in memory and one message of a lane at a
// time: mode and epoch, identity, order, delivery, retry, parking, the switch in both directions. It is a pure state machine:
// time, log, provider and callers come in through shard_ops and the functions below, so that one seed replays a run
// (tests/sim). The protocol is the one of tests/model/lane.pml; the names in brackets there are the states here.
//
// Invariants (shard_check asserts them):
//  1. An identity is admitted at most once at a time; a settled one is known here until the views have passed its record,
//     and by the views from then on, so that no repeat falls between the two.
//  2. A caller is told "accepted" (202) only for a MESSAGE that is durable, or an indeterminate older call in an async lane.
//  3. No call or delivery starts before the record that announces it is durable (INTENT; ATTEMPT where nothing is recognised).
//  4. Memory never switches before the log: a mode changes when its EPOCH or LANE_EPOCH record is durable, and while that is
//     under way the lanes concerned admit nothing.
//  5. A lane has at most one admission under way as async; its sequences have no gap.
//  6. Deliveries of a lane are made one at a time in sequence, and none while a synchronous call of the lane has no outcome.
//     Of a data communication: none of a lane whose last delivery nobody knows the outcome of, until `settle` has passed (or at
//     once, where the reader recognises repeats): they are upserts, and repeating them in order is all that they need.
//     A refused message parks its lane by the count of its definite refusals (other 4xx) since it was admitted, retried by a person,
//     or the start: at SHARD_REFUSALS_TO_PARK if something else was delivered since the first of them, or no other lane has failed
//     since the last success; at SHARD_REFUSALS_AT_MOST in every case. One that may have been done before (an earlier attempt is
//     indeterminate) only at the latter. What was certainly not executed (connect failure, 429, 503, 409 to a repeat) never parks.
//  7. An outcome that must be recorded is submitted again until it is; what it concerns stays as it was meanwhile.
//
// One thread: the owner's. No function here calls back into itself through ops: ops must not call the shard before they return.
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "log/record.h"

struct shard;
struct shard_message;

enum {
        SHARD_FENCES_MAX = 8,           // lanes fenced at the same time
        SHARD_SHORT_BACKLOG = 16,       // a lane with more waiting is not fenced yet
        SHARD_FAILING_LANES = 3,        // so many lanes failing without a success between: delivery pauses
        SHARD_REFUSALS_TO_PARK = 3,     // definite refusals of a message that park its lane, if they are about the message (below)
        SHARD_REFUSALS_AT_MOST = 10,    // definite refusals that park it whatever the provider does with other lanes
};

// A request of a caller. Owned by the runtime, which keeps it and what it points to until ops->answer has been called.
struct shard_request {
        struct list link;               // the shard's, while the request waits in a lane
        struct hash128 identity;
        struct hash128 body_hash;       // of the canonical body
        struct hash128 lane;
        bool identity_given;            // the caller named none; the runtime made a new one
        struct bytes key;               // the lane's key, RECORD_KEY_MAX
        struct bytes identity_text;
        struct bytes request;           // method, target, headers: gateway/request.h
        struct bytes body;              // as received
        uint64_t held_since_ns;         // the shard's: when it began to wait for a fence or an epoch; 0: it does not
};

enum shard_answer {
        SHARD_ACCEPTED,                 // durable: 202 with the receipt of the message at `position`
        SHARD_RESPONSE,                 // the provider's response that shard_called was just given
        SHARD_STORED,                   // the first answer again: it stands in the ANSWERED record at `position`
        SHARD_OTHER_BODY,               // 409: this identity came with another body
        SHARD_IN_PROGRESS,              // 409, Retry-After: the first one is still under way; nothing is accepted
        SHARD_UNSETTLED,                // 409, Retry-After: the first one is indeterminate, and a person must say
        SHARD_LOG_UNAVAILABLE,          // 503: not accepted, the log does not take it
        SHARD_LOG_UNKNOWN,              // 503: the log cannot say yet; a repeat under the same identity will be told
        SHARD_BACKLOG_FULL,             // 503: max_backlog
        SHARD_NOT_VALID,                // 422: ops->event refused the message and has said why to the request itself
};

enum shard_call {
        SHARD_CALL,                     // a synchronous call with records; request is its caller's
        SHARD_CALL_AGAIN,               // an indeterminate call again; request may be NULL (then the INTENT has what to send)
        SHARD_DELIVERY,                 // a MESSAGE; request is NULL
};

// What became of a call or delivery (DESIGN.md §4, "Retry")
enum call_result {
        CALL_DONE,                      // 2xx, 3xx
        CALL_NOT_DONE,                  // connect failure, 429, 503: certainly not executed, try again
        CALL_CONFLICT,                  // 409: to a repeat, the first one is still being executed
        CALL_REFUSED,                   // other 4xx: certainly not executed, and it will not be
        CALL_UNKNOWN,                   // timeout, broken connection after sending, other 5xx
};

struct call_outcome {
        enum call_result result;
        uint16_t status;                // HTTP status; 0: none came
        bool recognised;                // the response shows that the provider recognised a repeat
        struct bytes answer;            // encoded response to keep for repeats (gateway/request.h); may be empty
        const char *why;                // REFUSED by commute itself: what a PARKED record says; NULL
};

enum append_result { APPEND_DURABLE, APPEND_FAILED, APPEND_UNKNOWN };

// One append under way. Embedded where it is needed, never moved or freed while under way.
struct shard_append {
        enum { APPEND_IDLE, APPEND_OF_MESSAGE, APPEND_OF_EPOCH, APPEND_OF_LANE } of;
        void *what;                     // message, shard or lane
};

// Not knowing is not the same as not being known: a message whose identity cannot be looked up is not admitted.
enum shard_look { SHARD_NOT_KNOWN, SHARD_KNOWN, SHARD_CANNOT_LOOK };

// A settled message, as the views know it
struct shard_settled {
        struct hash128 body_hash;
        bool answered_sync;             // its answer stands in the ANSWERED record at `position`; else it is a MESSAGE there
        uint64_t position;
};

struct shard_ops {
        // Monotonic nanoseconds; wall clock in Unix milliseconds; 64 random bits.
        uint64_t (*now_ns)(void *user);
        int64_t (*wall_ms)(void *user);
        uint64_t (*random)(void *user);
        // Submits a record: offset -1 to the shard's own stream, else to the topic partition at that offset. Takes what it needs
        // of the arguments before it returns. Ends in shard_appended, unless append is NULL: then nobody waits for it.
        // Submissions land in order. APPEND_UNKNOWN is followed by one of the other two once the log has been read back.
        void (*append)(void *user, struct shard_append *append, const struct record *record, struct bytes body, int64_t offset);
        // The next offset of the topic partition, submissions under way included.
        int64_t (*next_offset)(void *user);
        // Renders and checks the event of a request: its body, valid until the next call of ops. False: the message is not valid,
        // the reason is kept with the request. May set schema_id, mapping, reference and flags of the record; with RECORD_KEPT the
        // message is settled by its own record, and not delivered.
        bool (*event)(void *user, struct shard_request *request, int64_t offset, struct record *record, struct bytes *ret_body);
        // Sends to the provider; ends in shard_called. The runtime loads what it sends from the request, or from the log.
        void (*call)(void *user, struct shard_message *message, enum shard_call call, struct shard_request *request);
        // Forwards without a record and without the shard hearing of it again; answers the request itself.
        void (*forward)(void *user, struct shard_request *request);
        // Ends a request. position is a log position or 0. The request is not the shard's any more.
        void (*answer)(void *user, struct shard_request *request, enum shard_answer answer, uint64_t position);
        // What the views say of an identity or a lane, at a position that shard_views_passed has announced or a later one.
        // settled also answers for what the runtime itself knows (the identity is in another shard's memory): with another hash.
        enum shard_look (*settled)(void *user, const struct hash128 *identity, struct shard_settled *ret);
        // The sequence of the lane's last MESSAGE, 0: none. False: the views cannot be read; nothing is admitted then.
        bool (*lane)(void *user, const struct hash128 *lane, uint64_t *ret_last_sequence);
        // The identity is not in the shard's memory any more.
        void (*forgotten)(void *user, const struct hash128 *identity);
        // Call shard_tick at this time or soon after; an earlier request replaces a later one.
        void (*wake_at)(void *user, uint64_t when_ns);
        // The log failed under synchronous calls with records: the shard went plain in memory; evidence is void.
        void (*stepped_back)(void *user);
        // A person's decision (shard_decide) has ended.
        void (*decided)(void *user, uint64_t position, bool done, const char *why);
};

struct shard_options {
        uint32_t stream;                // of the shard in the log
        bool data;                      // of a data communication: lanes take messages in any mode but PLAIN, and deliver in all
        bool recognises;                // the provider recognises identities
        bool recognised_before;         // it did when what is unsettled was admitted: a head of a lane may have been sent
        bool discard_refused;           // refusal: discard
        uint64_t deadline_ns;           // the longest fence
        uint64_t settle_ms;             // the provider's longest request
        size_t max_backlog;             // unsettled messages
        size_t max_in_flight;           // deliveries at the same time, ≥ 1
        uint64_t retry_first_ns, retry_longest_ns;
};

// ops and user outlive the shard. It starts LANE_PLAIN at epoch 0; see shard_restore.
struct shard *shard_new(const struct shard_options *options, const struct shard_ops *ops, void *user);
void shard_free(struct shard *shard);           // accepts NULL; requests that wait are not answered

// ---- recovery: the views stand at the log's end ----

// An unsettled message as the views have it, in order of position.
struct shard_unsettled {
        uint64_t position;              // of its INTENT or MESSAGE
        enum { UNSETTLED_OPEN, UNSETTLED_INDETERMINATE_CALL, UNSETTLED_WAITING, UNSETTLED_TRYING, UNSETTLED_INDETERMINATE,
               UNSETTLED_PARKED } state;
        struct hash128 identity, body_hash, lane;
        uint64_t sequence;              // of a MESSAGE
        uint32_t attempts;
        bool was_indeterminate;
};

// shard_restore, then shard_restore_message for each, then shard_start. What was open becomes indeterminate; what was being
// tried where nothing is recognised is parked; both are recorded.
// shard_restore_left_async names the lanes that a switch had left async, those without an unsettled message included.
void shard_restore(struct shard *shard, enum lane_mode mode, uint32_t epoch);
// shard_restore_since: where capture began, as shard_state tells it.
void shard_restore_since(struct shard *shard, uint64_t position);
void shard_restore_left_async(struct shard *shard, const struct hash128 *lane);
void shard_restore_message(struct shard *shard, const struct shard_unsettled *unsettled);
void shard_start(struct shard *shard);

// ---- events ----

void shard_request(struct shard *shard, struct shard_request *request);
void shard_appended(struct shard *shard, struct shard_append *append, enum append_result result, uint64_t position);
void shard_called(struct shard *shard, struct shard_message *message, const struct call_outcome *outcome);
void shard_tick(struct shard *shard);
void shard_views_passed(struct shard *shard, uint64_t position);

// Whether the identity is in the shard's memory.
bool shard_knows(const struct shard *shard, const struct hash128 *identity);

// Position of the INTENT or MESSAGE that the runtime reads to call or deliver, the attempt's number (1..) and its lane sequence.
uint64_t shard_message_position(const struct shard_message *message);
uint32_t shard_message_attempt(const struct shard_message *message);
uint64_t shard_message_sequence(const struct shard_message *message);

// ---- commands ----

// Begins a change of the shard's mode: PLAIN -> RECORD, RECORD -> ASYNC, ASYNC -> RECORD, RECORD -> PLAIN (only when no lane is
// left async), and RECORD/ASYNC -> ASYNC to turn a switch back. Data: PUSH stands beside ASYNC, and they are neighbours. False
// with ERROR_CONFLICT while another change is under way or where it is not allowed. The change is done when shard_state says so;
// a failed append leaves the old mode (and changes++).
MUST_USE bool shard_switch(struct shard *shard, enum lane_mode mode, struct error *error);

// A shard in RECORD goes plain in memory, because the log does not take what it would have to record (ops->stepped_back); that is
// recorded when the log accepts again. In other modes nothing happens, nor while it may become async: what is forwarded then would be
// missing. The shard does so by itself when an INTENT fails, when one has been under way for a second (or `deadline`, if that is
// longer), and when max_backlog messages wait: the call that meets it is forwarded, and so are those after it.
void shard_step_back(struct shard *shard);

// The decision of a person about the message whose INTENT or MESSAGE is at `position`.
// RECORD_RETRY, RECORD_SETTLED (it was done), RECORD_DISCARDED (it will not be done). For an indeterminate call that is not in an
// async lane, RETRY means "it was not done": its identity is free again. ERROR_NOT_FOUND; ERROR_CONFLICT with the reason, also
// until `settle` has passed since the last attempt. true: under way, ends in ops->decided.
MUST_USE bool shard_decide(struct shard *shard, uint64_t position, enum record_kind decision, struct error *error);

// Stops deliveries and repeats of indeterminate calls from starting (shutdown, or a person's pause); what is at the provider ends as
// usual. An ATTEMPT that lands meanwhile is not made: NOT_DONE follows it.
void shard_pause(struct shard *shard, bool paused);

struct shard_state {
        enum lane_mode mode;
        uint32_t epoch;
        bool changing;                  // an EPOCH record is under way, or owed after a step back
        uint64_t since;                 // position of the EPOCH that ended its last plain time; 0: not known, or plain yet
        uint64_t changes_failed;        // EPOCH records that did not land
        size_t lanes_left_async;        // of a switch async -> sync
        size_t calls_open, calls_indeterminate;
        size_t waiting, in_flight, parked;      // messages; in_flight: deliveries at the provider
        size_t lanes;                   // in memory
        size_t held;                    // requests that wait for a fence or an epoch
        bool provider_fails;            // delivery is paused because the provider fails for all lanes
        uint16_t last_failure;          // HTTP status of the last failed delivery, 0: no response
        uint64_t fences, fence_overruns;        // since shard_new
        uint64_t longest_fence_ns;              // that a fence held a lane: never above `deadline`
        uint64_t longest_hold_ns;               // that an arrival was held, the append of an EPOCH or LANE_EPOCH included
        uint64_t admitted, delivered, repeats;                  // since shard_new
};
void shard_state(const struct shard *shard, struct shard_state *ret);           // O(requests that wait)
// Plain, in the log as in memory, and nothing is remembered here: who repeats what is told by the views alone.
bool shard_quiet(const struct shard *shard);
bool shard_has_async(const struct shard *shard);        // whether a lane is async, or may be
enum lane_mode shard_mode(const struct shard *shard);                           // of these, at once
uint32_t shard_epoch(const struct shard *shard);
uint64_t shard_since(const struct shard *shard);
bool shard_changing(const struct shard *shard);
bool shard_may_be_async(const struct shard *shard);     // it is (or push), or an EPOCH that makes it so is under way

// Asserts the invariants; O(size). For tests, the simulation and debugging.
void shard_check(const struct shard *shard);
