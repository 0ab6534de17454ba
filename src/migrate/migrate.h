// SPDX-License-Identifier: Apache-2.0
// The migration machine: moves a communication from one mode to another, step by step, each step behind a gate that is measured
// (DESIGN.md §6). docs/migrations.md says the same to a reader.
//
// A migration walks a table of steps (migrate_priv.h). Everything that happens to it is one MIGRATION record with its whole state
// after the change, and its memory changes only when that record is durable; so after kill -9 it goes on from its last record.
// Acts are level-triggered: each looks at what holds now, gives at most one order, and says whether its fact holds; to begin one
// again is always safe. Figures are measured at 5 Hz while a migration runs.
//
//      state      what it waits for                     next
//      before     its fact, or conditions for the act   ready, acting, person, before of the next step, done
//      ready      a person's `advance` (step mode)      acting, before
//      acting     the act to be done                    gate, before of the next step, done
//      gate       what must be seen after the act       before of the next step, done
//      person     what a person does                    before of the next step
//      paused     a person                              where it was paused (a restart in shadow: acting)
//      back       the way back of a step                paused, back of an earlier step, cancelled
//      done, cancelled                                  (ends)
// From before, ready, gate and acting of the switch it returns to acting of the shadow step when the evidence is void.
//
// What it needs of the world is struct migrate_ops; migrate/runtime.h has the real one. Everything runs on one thread (control).
// Memory: the machine owns its migrations; requests and plans are their caller's until done is called.
#pragma once

#include "gateway/gateway.h"
#include "json/writer.h"
#include "model/model.h"

struct migrate;

enum {
        MIGRATE_POLL_MS = 200,                  // between two measurements of a running migration
        MIGRATE_STEPS_MAX = 8,
        MIGRATE_HISTORY_MAX = 100,              // newest entries kept
        MIGRATE_SENTENCE_MAX = 480,             // bytes, with the NUL; cut
        MIGRATE_FIGURES_MAX = 12,
        MIGRATE_ID_MAX = 100,                   // bytes of a step's or figure's name
};

// ---- the world ----

// A MIGRATION record: done once, error NULL when it is durable. An append whose outcome is unknown counts as failed: a record holds
// the whole state, so that appending again is harmless.
struct migrate_append {
        struct bytes key;                       // the communication's name, or "event/" and the event's
        struct bytes body;                      // valid until done
        void (*done)(struct migrate_append *append, const struct error *error);
};

// Asks the provider whether it answers, and whether it recognises an identity: `HEAD /`, then recognises.probe twice, if it is
// configured. done once, later.
struct migrate_question {
        const struct model_communication *communication;
        bool reader;                            // who reads the event is asked, and only whether it answers
        void (*done)(struct migrate_question *question);
        bool answers;                           // it gave an HTTP response, whatever its status
        bool probed;                            // recognises.probe was sent twice and answered twice with 2xx
        bool replayed;                          // the second answer had the header `recognises.replayed`
        bool same;                              // both answers had the same status and body
        char sentence[MIGRATE_SENTENCE_MAX];    // what was seen, or why there was no answer
};

// Registers one version of an event. done once, later or before register returns; error NULL: it holds.
struct migrate_registration {
        const struct model_event *event;
        unsigned version;
        void (*done)(struct migrate_registration *registration, const struct error *error);
};

// What the log and its views know of the versions of an event, up to one position. `old` are versions below `to`, or above it on a
// way down: those that have to be gone.
enum { MIGRATE_PARTITIONS_MAX = 256 };
struct migrate_partition {
        uint64_t last_old;                      // position of the last MESSAGE of an old version; 0: none
        uint64_t unsettled_old, first_old;      // that the reader has not passed, and the oldest of them
};
struct migrate_usage {
        uint64_t views_position, log_end;
        uint64_t written_new, last_new;         // MESSAGEs of version `to`, and the position of the last
        uint64_t written_old, last_old;
        int64_t last_old_ms;
        uint64_t waiting, trying, indeterminate, parked;        // unsettled old ones
        uint64_t first_parked, first_indeterminate;             // positions
        uint64_t unsettled_new;
        uint64_t unknown;                       // unsettled MESSAGEs of a schema that is no version of the event
        uint64_t kept_old, kept_new;            // rows of commute's copy
        bool old_retained;                      // the log still has a record of an old version
        struct migrate_partition partitions[MIGRATE_PARTITIONS_MAX];
        unsigned partition_count;
};

// Whether events can go there and back: every retained one, and generated ones. The prover's while it runs, which ends in one done.
struct migrate_proof {
        const struct model_event *event;
        unsigned from, to;
        bool old_only;                          // only: each retained event is valid in its own version
        void (*done)(struct migrate_proof *proof);
        bool ended;                             // done was called
        uint64_t retained, copies, generated;   // looked at: records of the topic, rows of commute's copy, made up
        uint64_t failed, lossy;                 // of all; lossy: the way back gives another event
        char failure[400];                      // the first that failed, or why it could not be looked at; ""
        char lost[300];                         // pointers of fields that the way back loses; ""
        bool broken;                            // it could not be carried out
        struct list link;                       // the prover's
};

enum { MIGRATE_GROUP_MAX = 64 };

struct migrate_ops {
        int64_t (*wall_ms)(void *user);
        // Whether migrate_tick is wanted every MIGRATE_POLL_MS.
        void (*poll)(void *user, bool on);
        void (*append)(void *user, struct migrate_append *append);
        void (*order)(void *user, struct gateway_command *command);             // gateway_order; sets the command's loop
        void (*counters)(void *user, const struct model_communication *communication, struct gateway_counters *ret);
        void (*ask)(void *user, struct migrate_question *question);
        // Whether this version is registered with exactly this schema. False with error: ERROR_NOT_FOUND it is not;
        // ERROR_CONFLICT: its number has another schema.
        bool (*registered)(void *user, const struct model_event *event, unsigned version, uint32_t *ret_schema_id,
                           struct error *error);
        void (*register_version)(void *user, struct migrate_registration *registration);
        // The compatibility group of a registered schema: the property's value, cut to fit. False: it is of none.
        MUST_USE bool (*group)(void *user, uint32_t schema_id, char text[static MIGRATE_GROUP_MAX]);
        // The event is emitted in this version from now on (gateway_emit). At once.
        void (*emit)(void *user, const struct model_event *event, unsigned version, unsigned refused_below);
        MUST_USE bool (*usage)(void *user, const struct model_event *event, unsigned from, unsigned to, struct migrate_usage *ret,
                               struct error *error);
        void (*prove)(void *user, struct migrate_proof *proof);
};

// ---- the machine ----

struct migrate_options {
        const struct model *model;              // referenced
        const struct migrate_ops *ops;
        void *user;                             // of ops
        const struct sampler *sampler;          // of synchronous bodies; NULL: there are no samples
};

struct migrate *migrate_new(const struct migrate_options *options);
// NULL is allowed. Nothing that was asked of the world may come back after it.
void migrate_free(struct migrate *migrate);

// The body of a communication's or event's last MIGRATION record with its key, before migrate_start. ERROR_CORRUPT;
// ERROR_CONFLICT: the configuration has no such communication or mode any more, and the migration is not over.
MUST_USE bool migrate_restore(struct migrate *migrate, struct bytes communication, struct bytes json, struct error *error);
// Whether another configuration may follow this one: what is under way must be possible in it. ERROR_CONFLICT.
MUST_USE bool migrate_allows(const struct migrate *migrate, const struct model *next, struct error *error);
// Goes on with what was under way.
void migrate_start(struct migrate *migrate);
void migrate_tick(struct migrate *migrate);
// From now on nothing is begun, and commands are refused.
void migrate_stop(struct migrate *migrate);

enum migrate_order { MIGRATE_BEGIN, MIGRATE_ADVANCE, MIGRATE_PAUSE, MIGRATE_ROLLBACK, MIGRATE_CANCEL };
const char *migrate_order_name(enum migrate_order order);       // "begin", "advance", …

// A command. done once, later or before migrate_give returns; error NULL: it is recorded. ERROR_CONFLICT: another command is under
// way, the migration is not where this can be done (the sentence says what it waits for), it is in that mode already;
// ERROR_UNSUPPORTED: the communication cannot do this, with the reason; ERROR_NOT_FOUND: no migration; the append's errors.
struct migrate_request {
        enum migrate_order order;
        const struct model_communication *communication;
        const struct model_event *event;        // of which the versions move; NULL: the communication moves. (communication: NULL)
        enum model_mode to;                     // BEGIN
        unsigned version;                       // BEGIN of an event
        bool automatic;                         // BEGIN: take each act whose conditions pass; else each waits for ADVANCE
        void (*done)(struct migrate_request *request, const struct error *error);
        void *user;
        struct gateway_command command;         // the machine's
        struct migrate *migrate;                // the machine's
};
void migrate_give(struct migrate *migrate, struct migrate_request *request);

// Writes what a migration would do, and what its gates see now, to `out` as one JSON object (docs/migrations.md). Changes nothing.
// done once, later or before migrate_plan returns; the errors of BEGIN, except that a running migration is no error.
struct migrate_plan {
        const struct model_communication *communication;
        const struct model_event *event;        // as in a request
        enum model_mode to;
        unsigned version;
        void (*done)(struct migrate_plan *plan, const struct error *error);
        void *user;
        struct buffer out;                      // zero-initialised; the caller frees it
        struct gateway_command command;         // the machine's
        struct migrate_question question;       // the machine's
        struct gateway_versions versions;       // the machine's
        struct migrate *migrate;                // the machine's
};
void migrate_plan(struct migrate *migrate, struct migrate_plan *plan);

// The communication's last migration as a JSON object; null if there never was one. Contains what its gate sees now.
void migrate_describe(const struct migrate *migrate, const struct model_communication *communication, struct json_writer *writer);
// One line for people, "step 4 of 7, producer on in shadow: 143 of 200 comparisons, none differs"; false: no migration runs.
bool migrate_sentence(const struct migrate *migrate, const struct model_communication *communication,
                      char ret_sentence[static MIGRATE_SENTENCE_MAX]);
// The same of an event's.
void migrate_describe_event(const struct migrate *migrate, const struct model_event *event, struct json_writer *writer);
bool migrate_event_known(const struct migrate *migrate, const struct model_event *event);
bool migrate_event_sentence(const struct migrate *migrate, const struct model_event *event,
                            char ret_sentence[static MIGRATE_SENTENCE_MAX]);
// What is known of the event's versions now, as one JSON object (docs/versions.md); command: the state of its reader's communication,
// with versions. The event has a reader.
void migrate_event_show(const struct migrate *migrate, const struct model_event *event, const struct gateway_command *command,
                        struct json_writer *writer);
// The versions that the event's last move is between, and the one that is emitted by its records. False: there never was one.
bool migrate_event_versions(const struct migrate *migrate, const struct model_event *event, unsigned *ret_from, unsigned *ret_to,
                            unsigned *ret_emitted);
// Whether there ever was one of this communication.
bool migrate_known(const struct migrate *migrate, const struct model_communication *communication);
// Whether one of this communication runs (begun, and neither done nor cancelled).
bool migrate_running(const struct migrate *migrate, const struct model_communication *communication);
