// SPDX-License-Identifier: Apache-2.0
// The gateway: the data plane's HTTP handler, the owners of all shards, and the commands that migrations and people give them.
//
// Paths on the data plane:
//      /COMM-040/…                     a communication: what its target says, anything else is 404 or 405
//      /COMM-010/…                     a data communication's GET: forwarded to the owner, or answered from the replica
//      /staff/…                        a service: everything is forwarded; its captured writes are recorded
//      GET /receipts/{position}        what has become of an accepted message
//      GET /modes/COMM-060             {"communication":…,"mode":"pull"}: for services that switch reads in their own code
//      POST /events/TaskCreated        an event, in any version that the emitted one can be made of; into its reader's lane
//
// Threads. The handler runs on any of the data plane's loops. All shards have one owner: the first loop. Steady sync calls are
// forwarded where they came in; everything else is posted to the owner. Commands are posted to the owner and come back to the
// loop that gave them. gateway_new to gateway_start run before the loops do.
//
// Memory: the gateway owns its routes, shards and upstreams; options are copied, what they point to outlives the gateway.
#pragma once

#include "gateway/shard.h"
#include "http/server.h"
#include "model/model.h"

struct gateway;
struct log;
struct registry;
struct sampler;
struct views;
struct random_source;

struct gateway_options {
        const struct model *model;              // referenced
        const struct template_pseudonyms *pseudonyms;   // of templates; NULL: there are none
        struct log *log;
        struct registry *registry;              // schemas by id
        struct views *views;                    // woken when the log has grown; NULL: nobody
        const char *state_path;                 // of state.db, whose views stand at the log's end
        struct loop *const *loops;              // of the data plane; loops[0] is the owner's
        size_t loop_count;
        struct hash_key hash_key;               // of this log: identities, lanes, bodies
        const bool *recognised_before;          // by communication: an earlier configuration had `recognises`; NULL: none
        struct sampler *sampler;                // of synchronous bodies; NULL: nobody asks
        const char *converter;                  // executable of the converter's process; NULL: this process's own
        uint32_t config_number;                 // of the CONFIG record in force; stamped on records as `mapping`
        // The log cannot say any more what became of a submission, so that nothing may go on in its lane: the process must end,
        // and reads the log at its next start. Does not return. NULL: an assert fails. On the owner's loop.
        void (*fatal)(void *user, const struct error *error);
        void *user;
};

// Restores every shard from the views. ERROR_CORRUPT, ERROR_IO. The log's records EPOCH(initial mode) are appended for shards
// that the log does not know yet (it waits for them).
MUST_USE bool gateway_new(const struct gateway_options *options, struct gateway **ret_gateway, struct error *error);
// Starts deliveries. On the owner's loop, or before it runs.
void gateway_start(struct gateway *gateway);
// Stops deliveries from starting. On the owner's loop; HTTP servers have been drained before.
void gateway_stop(struct gateway *gateway);
// Whether records are on their way to the log or calls at providers; after gateway_stop this ends. On the owner's loop. Loops
// that are stopped before lose nothing, but a delivery under way is indeterminate then.
bool gateway_busy(const struct gateway *gateway);
void gateway_free(struct gateway *gateway);             // NULL is allowed; after the loops have ended

// The handler of the data plane's HTTP servers; user is the gateway.
void gateway_handle(void *user, struct http_exchange *exchange);

// Answers "GET /modes/COMM-060": {"communication":…,"mode":"pull","epoch":7}; name: what follows "/modes/". The exchange may live
// on any loop (the control plane asks too); it is answered here, 404 included.
void gateway_answer_mode(struct gateway *gateway, struct http_exchange *exchange, struct bytes name);

// The views hold up to this position (views_options.moved). Any thread.
void gateway_views_moved(struct gateway *gateway, uint64_t position);

// The log is broken (log_broken): the gateway reopens it, whoever's append broke it. Any thread; again and again does no harm. Not
// after the owner's loop has been told to stop.
void gateway_log_broken(struct gateway *gateway);

// The schema of one version of an event: id in the registry, 0: it is not registered. Any thread.
void gateway_event_schema(struct gateway *gateway, size_t event_index, unsigned version, uint32_t schema_id);
// What is emitted, and the schema's id of a version, as was said last. Any thread.
unsigned gateway_emitted(const struct gateway *gateway, size_t event_index);
uint32_t gateway_schema_of(const struct gateway *gateway, size_t event_index, unsigned version);
// The version that events are emitted in from now on, `produces` at first; producers that still send one below refused_below are
// refused. Any thread.
void gateway_emit(struct gateway *gateway, size_t event_index, unsigned version, unsigned refused_below);

// ---- figures: any thread ----

enum { GATEWAY_LATENCY_BUCKETS = 160 };                 // eight an octave from 1 µs: bucket b holds up to 2^(b/8) µs

// Counted on the data plane since the process started.
struct gateway_counters {
        uint64_t requests, done, refused, failed;       // answered 2xx and 3xx, 4xx, 5xx
        uint64_t accepted;                              // of done: receipts (202)
        uint64_t plain_under_way;                       // forwarded without a record, not answered yet
        // data: reads by who answered them (of requests), and the owner's writes that match a `capture` (not of requests)
        uint64_t reads_copy, reads_owner;
        uint64_t writes_captured, writes_plain;         // with intent and outcome; without a record, as nothing is captured
        uint64_t latency[GATEWAY_LATENCY_BUCKETS];      // from the whole request to the answer
        uint64_t longest_ns;
};
void gateway_counters(const struct gateway *gateway, size_t communication, struct gateway_counters *ret);
// The latency in µs below or at which the share (0 … 1) of the calls are; 0 when there were none.
uint64_t gateway_latency_quantile(const uint64_t latency[static GATEWAY_LATENCY_BUCKETS], double share);

// ---- commands ----

// What a shadow gate knows. Functional: each call made with records is wrapped and unwrapped, and compared with itself. Data: the
// owner's answer to a read is compared with what the copy would answer (async, push: the copy with the owner, on keys that are
// read or written); a difference counts only if it is still there when both have been read again under the key's lock.
struct gateway_shadow {
        bool on;
        uint64_t since_ms, compared, differing;         // wall clock, Unix milliseconds; since it was switched on
        char first_difference[400];                     // "" none: "body /task_id: the call has 17, the delivery would have 4"
};

// Who used which version of an event, since the process started: one row for each name and version.
enum gateway_use { GATEWAY_PRODUCES, GATEWAY_CONSUMES };
enum { GATEWAY_USERS_MAX = 34, GATEWAY_USER_NAME_MAX = 160 };
#define GATEWAY_OTHERS "others"                 // the name of those beyond it; their version: the oldest that one of them used
struct gateway_user {
        enum gateway_use use;
        char name[GATEWAY_USER_NAME_MAX];       // "tasks by PUT /tasks/{task_id}", "portal by COMM-020"
        unsigned version;
        uint64_t count;
        int64_t last_ms;                        // wall clock
        uint64_t others_since;                  // uses of other versions under this name since then
};
struct gateway_versions {
        unsigned emitted, refused_below;
        uint64_t changed, failed;               // conversions
        char failure[300];                      // the last that failed; ""
        struct gateway_user users[GATEWAY_USERS_MAX];
        size_t user_count;
};

enum gateway_order {
        GATEWAY_STATE,                  // fills state and shadow
        GATEWAY_SWITCH,                 // shard_switch of every shard to `mode`; poll STATE for the end of it
        GATEWAY_SHADOW,                 // switches the shadow on (evidence from zero) or off, as `on` says
        GATEWAY_DECIDE,                 // shard_decide(position, decision), and waits for its record
        GATEWAY_PAUSE,                  // stops (on) or resumes deliveries of the communication
        GATEWAY_BACKFILL,               // data: starts a backfill from the beginning (on), or gives one up; poll STATE
        GATEWAY_RECONCILE,              // data: starts a reconciliation now (one under way goes on); poll STATE
        GATEWAY_REFRESH,                // data: reads rows of the copy that are not of the emitted version again; poll STATE
};

// Data: rows of the owner on their way into the copy. Begins once writes that were forwarded plainly have ended (and `settle` has
// passed since one of them ended unknown). Kept in memory: after a restart it is NONE, and is to be started again.
struct gateway_backfill {
        enum gateway_backfill_phase {
                GATEWAY_BACKFILL_NONE,
                GATEWAY_BACKFILL_WAITS,         // for plain writes under way
                GATEWAY_BACKFILL_READS,         // pages of the owner
                GATEWAY_BACKFILL_SWEEPS,        // rows of the copy from before capture began that the owner did not list
                GATEWAY_BACKFILL_COMPLETE,
        } phase;
        uint64_t runs;                          // completed since the process started
        uint64_t began;                         // position of the log before the first page
        int64_t began_ms, completed_ms;         // wall clock; 0: not yet
        uint64_t pages, rows, inserted, skipped;        // skipped: the key had a captured event or tombstone
        uint64_t removed;                       // rows of the copy that the owner has no more
        uint64_t failures;                      // in a row: the owner fails, or a row is no valid event; it is tried again
        char failure[200];                      // the last of them; "" none
};

// Data: comparisons of the whole copy with the owner. A confirmed difference is a write that bypassed the gateway.
struct gateway_reconciliation {
        bool running;
        uint64_t passes;                        // completed since the process started
        uint64_t captured_passes;               // of them begun and ended with capture on all the time
        int64_t began_ms, completed_ms;         // of the last pass
        uint64_t rows, differing;               // of the last pass: compared; of them confirmed
        uint64_t bypassed;                      // confirmed since the process started
        char first_bypass[300];                 // "manager_id 17: /name: the owner has …, the copy …"; "" none
        uint64_t failures;                      // in a row
        char failure[200];
};

// What all shards of a communication come to.
struct gateway_state {
        size_t shards, plain, record, async, push;      // shards by mode
        bool changing;                          // an EPOCH record of one of them is under way
        uint64_t epoch;                         // the highest
        uint64_t steps_back, changes_failed;    // since the process started
        size_t lanes_left_async, calls_open, calls_indeterminate, waiting, in_flight, parked, held;
        bool provider_fails, paused;
        uint16_t last_failure;
        uint64_t longest_fence_ns;              // that a fence held a lane; longest_hold_ns includes the log's appends
        uint64_t fences, fence_overruns, longest_hold_ns, admitted, delivered, repeats;
        uint64_t recognised;                    // answers of the provider that show that it recognised a repeat
        // data communications; zero for others
        bool captures;                          // there is an event with `capture`: its writes become events unless plain
        size_t captures_under_way;              // writes of the owner with an intent and no outcome yet
        size_t plain_writes;                    // of `capture`, forwarded without a record, not answered yet
        size_t dirty_keys;                      // read from the owner until they have been read again
        bool topic_dirty;                       // a POST without an outcome: misses and lists are the owner's
        uint64_t captured, rereads;             // since the process started: writes that became events; re-reads published
        uint64_t pushes, pushes_late;           // … answered by the reader before the owner's caller; went on as deliveries
        size_t pushes_stale;                    // messages that wait now in a pushed communication: the reader is stale
        bool refreshing;                        // GATEWAY_REFRESH is under way
        uint64_t refreshed;                     // rows that it has read again since the process started
        struct gateway_backfill backfill;
        struct gateway_reconciliation reconciliation;
};

// An order and its result. BACKFILL and RECONCILE: ERROR_UNSUPPORTED where nothing is captured or the event has no `backfill`;
// ERROR_CONFLICT while the shards are plain. The caller's until given, the gateway's until done is called on `loop`, then the
// caller's again.
struct gateway_command {
        enum gateway_order order;
        size_t communication;                   // index in the model
        struct loop *loop;                      // where done runs
        void (*done)(struct gateway_command *command);
        void *user;

        enum lane_mode mode;
        bool on;
        uint64_t position;
        enum record_kind decision;

        bool ok;                                // else error says why
        struct error error;
        struct gateway_state state;             // after the order, in every case
        struct gateway_shadow shadow;
        struct gateway_versions *versions;      // the caller's, filled too if it is there: of the communication's event

        struct loop_task task;                  // the gateway's
        struct list link;                       // the gateway's
        struct gateway *gateway;                // the gateway's
};
void gateway_order(struct gateway *gateway, struct gateway_command *command);
