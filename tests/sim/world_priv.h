// SPDX-License-Identifier: Apache-2.0
// The bodies of the simulated world, for its files:
//      world.c         callers, provider, person, migration, kill -9, the run and the judge
//      world_log.c     the log with its faults, and the folds of it: what the views have, and the truth
#pragma once

#include <stdio.h>

#include "proof/ledger.h"
#include "world.h"

#define MS 1000000ull

enum {
        RECORDS_MAX = 20000, EVENTS_MAX = 4096, APPENDS_MAX = 512, CALLS_MAX = 512, TRIES = 8,
        PROVIDER_LONGEST_MS = 60, SETTLE_MS = 80, GATEWAY_TIMEOUT_MS = 30, CALLERS = 3,
};

// ---- the judge's view of a message ----

struct message {
        int lane, number;
        struct hash128 identity, body_hash;
        uint64_t sent, answered;        // ticks: when it was first sent; when its caller was told "accepted" (0: never)
        bool bare;                      // was forwarded without a record
        bool poison;                    // the provider refuses it for good
        int done;                       // executions with effect
        int tries;
        bool given_up;
        struct request *request;        // at the gateway
};

struct request {
        struct shard_request shard;     // first: the shard's part
        struct list link;               // of all requests at the gateway
        struct world *world;
        struct message *message;
        bool caller_gone, other_body;
        bool copy;                      // of the same message on another connection: its caller takes either answer
};

// One of those who send to a lane. Messages are ordered only as DESIGN.md says: b was first sent after a's answer was received.
struct lane_caller {
        int lane, next;                 // of its messages; they take turns
        uint64_t at;                    // when it does something
};

// ---- the log ----

struct stored {
        struct record record;
        uint64_t position;
        int64_t offset;
};

struct submission {
        struct shard_append *append;    // NULL: nobody waits
        struct stored stored;
        enum { SUBMITTED, LANDED, TOLD_UNKNOWN } state;
        bool landed;
};

// A fold of the log of the simulation's own: what recovery and the views' look-ups read.
struct fold_message {
        struct record record;           // INTENT or MESSAGE
        uint64_t position, settled_at, answer;
        enum ledger_state state;
        bool was_indeterminate, released;
        uint32_t attempts;
};

struct fold_lane {
        uint64_t last_sequence;
        bool left_async;
};

struct fold {
        uint64_t position;
        enum lane_mode mode;
        uint32_t epoch;
        struct fold_message messages[RECORDS_MAX / 8];
        size_t count;
        struct fold_lane lanes[LANES_MAX];
        struct ledger_sums sums;
};

// ---- calls at the provider ----

struct call {
        bool used, recognised;          // recognised: should it be a repeat
        struct shard_message *message;  // NULL: nobody waits (a zombie, or forwarded)
        struct request *forwarded;
        struct message *of;
        uint64_t execute_at, answer_at, give_up_at;
        enum call_result result;
        bool executed, dies;
};

struct world {
        uint64_t random;
        uint64_t now_ns;
        int64_t wall_offset_ms;
        uint64_t wake_ns, last_ns, events_now;
        struct shard *shard;
        struct shard_options options;
        int lanes, per_lane;
        struct message messages[LANES_MAX * MESSAGES_MAX];
        uint64_t tick;                  // grows with each sending and answer
        struct lane_caller callers[LANES_MAX * CALLERS];
        int strides[LANES_MAX];         // how many of them the lane has
        struct list requests;

        struct stored records[RECORDS_MAX];
        size_t record_count;
        uint64_t next_position;
        int64_t durable_offset, submitted_offset;
        struct submission appends[APPENDS_MAX];
        size_t append_count;
        struct shard_append *refused[APPENDS_MAX];      // ended at once, to be told of
        size_t refused_count;
        bool topic_failed;              // offsets under way will fail: nothing is added
        uint64_t append_at;
        uint64_t broken_until, full_until;

        struct fold *views, *truth;
        uint64_t views_at;

        struct call calls[CALLS_MAX];
        uint64_t provider_down_until;
        uint64_t person_at, migration_at, crash_at, fault_at, pause_until;
        int crashes, legs;
        enum lane_mode target;
        bool quiet;                     // faults are over
        bool recognises;
        bool stepped_back;
        bool restoring;                 // the views can be read
        char *why;
        size_t why_size;
        bool failed;
        bool verbose;
};
static inline uint64_t draw(struct world *world) {
        world->random ^= world->random << 13, world->random ^= world->random >> 7, world->random ^= world->random << 17;
        return world->random * 0x2545F4914F6CDD1Du;
}

static inline uint64_t below(struct world *world, uint64_t bound) {
        return (draw(world) >> 16) % bound;
}

static inline bool chance(struct world *world, unsigned percent) {
        return below(world, 100) < percent;
}

static inline void wrong(struct world *world, int property, const struct message *message, const char *what) {
        if (world->failed)
                return;
        world->failed = true;
        snprintf(world->why, world->why_size, "property %d: %s (lane %d, message %d, at %.3f ms)", property, what,
                 message ? message->lane : -1, message ? message->number : -1, (double)world->now_ns / 1e6);
}

#define SAY(world, ...) do { if ((world)->verbose) { printf("%10.3f ms  ", (double)(world)->now_ns / 1e6); \
        printf(__VA_ARGS__); putchar('\n'); } } while (0)

static inline int64_t wall_ms(struct world *world) {
        return (int64_t)(world->now_ns / MS) + world->wall_offset_ms;
}

static inline struct message *message_of(struct world *world, const struct hash128 *identity) {
        for (int i = 0; i < world->lanes * world->per_lane; i++)
                if (hash128_equal(&world->messages[i].identity, identity))
                        return &world->messages[i];
        return NULL;
}

static inline struct lane_caller *caller_of(struct world *world, const struct message *message) {
        return &world->callers[message->lane * CALLERS + message->number % world->strides[message->lane]];
}

static inline int lane_of(const struct hash128 *hash) {
        return hash->bytes[0];
}

// ---- world_log.c ----
void fold_apply(struct world *world, struct fold *fold, const struct stored *stored);
void land(struct world *world, struct stored stored);           // a record is in the log
void log_event(struct world *world);
void tell_refused(struct world *world);
void views_event(struct world *world);
void op_append(void *user, struct shard_append *append, const struct record *record, struct bytes body, int64_t offset);
int64_t op_next_offset(void *user);
enum shard_look op_settled(void *user, const struct hash128 *identity, struct shard_settled *ret);
bool op_lane(void *user, const struct hash128 *lane, uint64_t *ret_last_sequence);
