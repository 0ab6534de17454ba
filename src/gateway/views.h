// SPDX-License-Identifier: Apache-2.0
// The fold: applies the log's records to the tables of state.db (store/state.h) and to the ledger's accounts (proof/ledger.h).
//
// The views are a function of the log alone: no configuration, no clock, no order of arrival goes into them, so that a state.db
// rebuilt from position 0 equals the one that grew (expiry of identities aside). Therefore a MESSAGE says itself that the gateway
// keeps its topic's replica (RECORD_KEPT): it is in the replica, and delivered, with its own record.
//
// What a record must carry, beyond log/record.h:
//      every record of a communication     shard: the stream number of "COMM-040/3". The shard's stream must exist in the log,
//                                          so a shard's first record is an EPOCH in its own stream (a stream without a record
//                                          of its own is forgotten by a crash, its number with it)
//      outcomes, ATTEMPT … DISCARDED       reference: position of the INTENT or MESSAGE
//      REPEAT                              shard; reference: as known, or 0
//      MIGRATION                           key: the communication's name ("COMM-040")
//      CONFIG                              mapping: its own number
//      MESSAGE of a captured write         reference: the CAPTURE. With RECORD_REREAD: the newest CAPTURE that the re-read
//                                          answers for; all dirty ones of the key up to it are clean
//      CAPTURE_CLEAN                       shard; key, reference: as for a re-read. With an empty key, a completed backfill:
//                                          CAPTUREs without a key up to `reference` (the last position before it began) are clean
//      LANE_EPOCH                          shard, lane, key, mode, epoch
//
// An impossible record does not stop the fold: it changes nothing but a fault counter, and the first of each kind is kept
// (state_fault_each). A wrong epoch or sequence is a fault as well, and the message is folded all the same. A failing disk does
// stop it: the thread tries again each second, and what it is behind shows in views_lag.
//
// Threads: views_open, views_catch_up, views_start, views_close on one thread; views_wake, views_position, views_lag,
// views_behind, views_error on any. Before views_start the fold runs on its caller's thread, after it on the views' own.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"
#include "log/record.h"

struct clock;
struct log;
struct state_reader;
struct views;

enum {
        VIEWS_BATCH_RECORDS = 4000,             // of one transaction; never waits for more to come
        VIEWS_BATCH_BYTES = 4 << 20,            // the same, headers and bodies
        VIEWS_LAG_MAX = 100000,                 // records behind at which admission of new messages is refused
        VIEWS_EXPIRE_ROWS = 1000,               // identities removed at once, then something else gets its turn
        VIEWS_SNAPSHOT_RECORDS = 1000000,       // default: a snapshot after so many records
        VIEWS_SNAPSHOT_MS = 10 * 60 * 1000,     // default: or after so long, if there was any
        VIEWS_SNAPSHOT_PIECE = 1 << 20,         // default: bytes of a snapshot's piece, one row more at most
        VIEWS_SNAPSHOT_RETRY_MS = 60 * 1000,    // after a failure
        VIEWS_TRIM_KEPT_MAX = 100000,           // records kept among those that are trimmed; with more, less is trimmed
};

struct views_options {
        struct log *log;                        // outlives the views
        const char *path;                       // of state.db; copied
        struct clock *clock;                    // for the expiry of identities; NULL: the system's
        int64_t identity_window_ms;             // identities settled longer ago are removed; 0: never
        uint64_t snapshot_records;              // 0: VIEWS_SNAPSHOT_RECORDS
        size_t snapshot_piece;                  // 0: VIEWS_SNAPSHOT_PIECE
        int64_t snapshot_ms;                    // 0: VIEWS_SNAPSHOT_MS
        int64_t retention_ms;                   // after a snapshot older records are trimmed, as far as nobody needs them; 0: never

        // CONFIG, REGISTRY and MIGRATION records, each after its transaction is durable in the view's sense; at views_open those
        // that are already in state.db, in order (of MIGRATION the last of each communication). Not in the way of a listener:
        // it may take a lock, not block. May be NULL.
        void (*control)(void *context, uint64_t position, const struct record *record, struct bytes body);
        // The view holds up to this position: owners may forget what they hold up to it. May be NULL.
        void (*moved)(void *context, uint64_t position);
        void *context;
};

// Opens state.db (its errors: state_open). An empty one, or one so old that the log has been trimmed since, is filled from the
// log's snapshot, the rest is folded later. An error when that cannot be done and the log has been trimmed: the sentence says so.
MUST_USE bool views_open(const struct views_options *options, struct views **ret_views, struct error *error);
// Folds up to the log's end as it is when called; progress (may be NULL) after each batch. Before views_start.
MUST_USE bool views_catch_up(struct views *views, void (*progress)(void *context, uint64_t position, uint64_t end),
                             struct error *error);
// Folds at most one batch; *ret_count 0: the end. What views_catch_up and the thread call; for tests and simulation.
MUST_USE bool views_step(struct views *views, size_t *ret_count, struct error *error);
// Removes at most VIEWS_EXPIRE_ROWS identities whose window has passed. The thread does it by itself.
MUST_USE bool views_expire(struct views *views, size_t *ret_removed, struct error *error);
// A snapshot, and the trim that it allows, a bounded piece at a time: begins one when none is under way. *ret_more false: it is
// complete. Does nothing while what it submitted has not landed in the log. False: given up; the one before is still there.
// The thread does it by itself.
MUST_USE bool views_snapshot_step(struct views *views, bool *ret_more, struct error *error);
// All of it, waiting for a threaded log. Before views_start.
MUST_USE bool views_snapshot_now(struct views *views, struct error *error);
// Starts the thread that follows the log.
MUST_USE bool views_start(struct views *views, struct error *error);
// Stops the thread at a batch's end and closes. NULL is allowed. The log is closed after it; readers before or after.
void views_close(struct views *views);
void views_closep(struct views **views);

// ---- erasure (views_erase.c): orders to the views' thread, carried out between two batches, each in the order given ----

struct log_record;
enum views_order_kind {
        VIEWS_REWRITE,                          // rows say what `records` say now: records of the log as they are after log_rewrite
        VIEWS_WRITTEN,                          // MESSAGEs of `stream` that were of from_schema are of to_schema
        VIEWS_SWEEP,                            // state.db holds nothing but what its tables hold (state_sweep)
        VIEWS_SNAPSHOT,                         // nothing of older snapshots is left: two new ones, and no piece beyond theirs
};
struct views_order {
        enum views_order_kind kind;
        const struct log_record *records;       // up to the views' position; later ones are folded as they are
        size_t count;
        uint32_t stream, from_schema, to_schema;
        void (*done)(struct views_order *order, const struct error *error);    // on the views' thread; NULL: done
        void *user;
        struct list link;                       // the views'
        unsigned stage;                         // the views'
        uint32_t pieces[2];                     // the views'
};
// The order is the views' until done is called; views_close ends it with ERROR_UNAVAILABLE. Any thread.
void views_give(struct views *views, struct views_order *order);

void views_wake(struct views *views);                   // the log has grown; from any thread, cheap, never blocks
uint64_t views_position(const struct views *views);     // up to where readers see the log folded
uint64_t views_lag(const struct views *views);          // positions behind the log's last durable one
bool views_behind(const struct views *views);           // lag above VIEWS_LAG_MAX: push back
// What the thread is failing at since its last success; false: at nothing.
bool views_error(struct views *views, struct error *ret_error);
// The reader of the same file finds identities and lanes without reading for what is not there (state_reader_share).
void views_share(struct views *views, struct state_reader *reader);
// The views' own reader: only before views_start, or on the views' thread (in `control` and `moved`).
struct state_reader *views_reader(struct views *views);
