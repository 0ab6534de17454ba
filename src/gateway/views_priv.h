// SPDX-License-Identifier: Apache-2.0
// The bodies behind views.h, and what the views*.c files use of each other:
//      views.c         opening, one batch, the thread
//      views_fold.c    what each kind of record does
//      views_snapshot.c  snapshots in the log, restoring, trimming
//      views_erase.c   orders that erase
//      views_batch.c   rows that a batch touches, held in memory until its end
//
// A batch is one transaction. Lanes, messages and sums that it touches are read once and written once, at its end: most messages
// are settled in the batch that admits them, or in the next, and never reach their table.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/table.h"
#include "gateway/views.h"
#include "log/log.h"
#include "proof/ledger.h"
#include "store/state.h"

// A shard that the log has spoken of; stream 0: what is published by no communication. Lives as long as the views.
struct views_shard {
        struct state_shard row;
        struct ledger_sums sums, stored;        // stored: what the tables hold
        bool row_changed;
};

// The batch's, in its arena.
struct views_lane {
        struct list link;                       // in views->lanes_touched, in the order of first touch
        struct state_lane row;
        bool changed;
};
struct views_message {
        struct list link;                       // in views->messages_touched, the same
        struct state_message row;
        bool stored;                            // the table has a row of it
        bool settled;
};

// What a batch has seen of a topic's partition and schema, and how many rows of a copy it has more or fewer of a schema.
enum { VIEWS_VERSIONS_MAX = 64 };               // of a batch; with more, the rows are written at once
struct views_kept {
        uint32_t family, schema_id;
        int64_t more;
};

enum views_snapshot_stage {
        VIEWS_SNAPSHOT_NONE,
        VIEWS_SNAPSHOT_PIECES,                  // dump is open
        VIEWS_SNAPSHOT_HEAD,                    // submitted
        VIEWS_SNAPSHOT_TRIM,                    // the head has landed, the trim is submitted
};

struct views_snapshot {
        enum views_snapshot_stage stage;
        struct state_dump *dump;
        uint64_t position;                      // of the one under way
        uint32_t pieces;
        char letter;                            // of the one under way, else of the one in the log; 0: none
        char name[32];
        struct buffer body;
        struct arena arena;
        struct log_snapshot write;
        struct log_trim trim;
        uint64_t *kept;
        uint64_t trimmed;                       // up to here nothing may be expected in the log
        uint64_t last_position;                 // of the snapshot in the log; 0: none
        int64_t looked_ms;                      // wall clock: when the last one was complete
        _Atomic bool waits;                     // for the log; what follows is the log's meanwhile
        struct error error;
};

struct views {
        struct views_options options;
        char *path;
        struct state *state;
        struct log_reader *log_reader;
        struct table shards;                    // by stream
        uint32_t *families;                     // by stream, 0: not asked yet
        uint32_t families_size;

        // the batch under way
        struct arena arena;
        struct table lanes, messages;
        struct list lanes_touched, messages_touched;
        struct state_written written[VIEWS_VERSIONS_MAX];
        size_t written_count;
        struct views_kept kept[VIEWS_VERSIONS_MAX];
        size_t kept_count;
        bool control_seen;
        bool stale;                             // shards could not be loaded after a failure

        struct views_snapshot snapshot;
        int64_t snapshot_after_ms;              // wall clock: not before, since it failed

        _Atomic uint64_t position;
        _Atomic bool failing;
        _Atomic bool woken;
        pthread_t thread;
        bool threaded;
        pthread_mutex_t mutex;                  // of what follows
        pthread_cond_t wake;
        bool stopping;
        struct list orders;                     // struct views_order
        struct error error;                     // what `failing` is about
};

// --- views_fold.c ---
// Applies one record to the batch. False when the store fails, and then the batch must be abandoned; what is wrong with the
// record itself is booked as a fault.
MUST_USE bool views_apply(struct views *views, const struct log_record *entry, struct error *error);

// --- views_batch.c ---
// Any of the shards that the log knows (0 included); NULL in *ret_shard: the log knows no such stream.
MUST_USE bool views_shard(struct views *views, uint32_t stream, struct views_shard **ret_shard, struct error *error);
MUST_USE bool views_family(struct views *views, uint32_t stream, uint32_t *ret_family, struct error *error);
// A new one when there is none; the table gets it if it is changed.
MUST_USE bool views_lane(struct views *views, uint32_t shard, const struct hash128 *hash, struct views_lane **ret_lane,
                         struct error *error);
// NULL in *ret_message: nothing unsettled is at the position.
MUST_USE bool views_message(struct views *views, uint64_t position, struct views_message **ret_message, struct error *error);
void views_message_new(struct views *views, const struct state_message *row);
// A MESSAGE of this schema is in a topic's partition; a copy has one row more (or fewer) of a schema.
MUST_USE bool views_written(struct views *views, uint32_t stream, uint32_t schema_id, uint64_t position, int64_t time_ms,
                            struct error *error);
MUST_USE bool views_kept(struct views *views, uint32_t family, uint32_t schema_id, int64_t more, struct error *error);
// Writes everything that is held into the open transaction; the batch holds no rows afterwards.
MUST_USE bool views_flush(struct views *views, struct error *error);
// Forgets the rows that it holds. After a failure shards and sums must be loaded again.
void views_batch_clear(struct views *views);
MUST_USE bool views_shards_load(struct views *views, struct error *error);
void views_shards_free(struct views *views);

// --- views_erase.c ---
// Goes on with the first order, if there is one; *ret_more: there is more to do now. False: it failed, and has been told so.
void views_orders_step(struct views *views, bool *ret_more);
void views_orders_end(struct views *views);
bool views_orders_snapshot(struct views *views);                // the first order is VIEWS_SNAPSHOT

// --- views_snapshot.c ---
// Replaces a piece of a snapshot that no head speaks of by nothing. *ret_gone: there was none of this number.
MUST_USE bool views_snapshot_blank(struct views *views, char letter, uint32_t number, bool *ret_gone, struct error *error);
// After state_open: fills the tables from the snapshot if they need it.
MUST_USE bool views_restore(struct views *views, struct error *error);
bool views_snapshot_due(const struct views *views);
void views_snapshot_close(struct views *views);
