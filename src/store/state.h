// SPDX-License-Identifier: Apache-2.0
// state.db: views of the log (DESIGN.md §5), in SQLite. Everything in it is a fold of the log's records up to one position that
// is written in the same transaction; it is disposable, and rebuilt from position 0 when the file is missing or of another
// format. What a record does to the tables is decided in gateway/views.c; here are the tables, with typed reads and writes.
//
// Threads: one struct state, the only writer, used by one thread at a time. Any number of readers, each used by one thread; each
// call is one short statement and keeps no transaction open, so two calls may see two positions (state_position tells which).
// Memory: bytes in results are in the caller's arena. Errors: ERROR_IO, ERROR_FULL, ERROR_CORRUPT of the file.
//
// A family is what streams have in common that differ in their partition only: the stream's name without its last "/N"
// ("COMM-040" of "COMM-040/3", "topic/task-completed" of "topic/task-completed/3"). It is interned as a small number, from 1, in
// the order of first appearance in the log. Communications and topics are named by their families here.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

enum { STATE_FORMAT = 4, STATE_LOG_ID_SIZE = 16, STATE_PAGE_MAX = 1000 };

struct state;
struct state_reader;

// Opens or creates the file. `log_id` and `log_end` (last durable position) are of the log that it is a view of. ERROR_CONFLICT:
// the file is a view of another log, or of a longer one (its position is beyond log_end): nothing is touched, the sentence says
// what to do. ERROR_CORRUPT: not a database. A file of another format is emptied and begins at position 0.
MUST_USE bool state_open(const char *path, const uint8_t log_id[static STATE_LOG_ID_SIZE], uint64_t log_end,
                         struct state **ret_state, struct error *error);
void state_close(struct state *state);                  // NULL is allowed; rolls back what is not committed
void state_closep(struct state **state);

MUST_USE bool state_reader_open(const char *path, struct state_reader **ret_reader, struct error *error);
void state_reader_close(struct state_reader *reader);   // NULL is allowed
void state_reader_closep(struct state_reader **reader);

// The reader finds identities and lanes by the writer's filters in memory, and need not read the file for what is not there.
// Before the reader's first use; it may outlive the state.
void state_reader_share(struct state_reader *reader, struct state *state);

// The reading side of the writer's own connection: sees what is not committed yet. Lives as long as the state.
struct state_reader *state_own_reader(struct state *state);

// --- transactions -----------------------------------------------------------------------------------------------------------

MUST_USE bool state_begin(struct state *state, struct error *error);
// Writes the position and commits. On false nothing is written: the transaction has been rolled back.
MUST_USE bool state_commit(struct state *state, uint64_t position, struct error *error);
void state_rollback(struct state *state);
MUST_USE bool state_position(struct state_reader *reader, uint64_t *ret_position, struct error *error);

// --- families and shards ----------------------------------------------------------------------------------------------------

// ERROR_NOT_FOUND: no record of it has been folded yet.
MUST_USE bool state_family(struct state_reader *reader, struct bytes name, uint32_t *ret_family, struct error *error);
MUST_USE bool state_family_intern(struct state *state, struct bytes name, uint32_t *ret_family, struct error *error);
// "COMM-040" of "COMM-040/3"; the whole name when it has no "/N" at its end.
struct bytes state_family_of_stream(struct bytes stream_name);

struct state_shard {
        uint32_t stream;                                // of the log: "COMM-040/3"
        uint32_t family;
        uint32_t mode;                                  // enum lane_mode of its last EPOCH; 0: it never had one
        uint32_t epoch;
        uint64_t since;                                 // position of the EPOCH that ended its last plain time; 0: it is plain yet
};
typedef bool state_shard_visit(void *context, const struct state_shard *shard, struct error *error);
MUST_USE bool state_shard_each(struct state_reader *reader, state_shard_visit *visit, void *context, struct error *error);
MUST_USE bool state_shard_find(struct state_reader *reader, uint32_t stream, struct state_shard *ret_shard, struct error *error);
MUST_USE bool state_shard_put(struct state *state, const struct state_shard *shard, struct error *error);

// --- lanes: every lane that ever had a MESSAGE or a LANE_EPOCH --------------------------------------------------------------

struct state_lane {
        uint32_t shard;
        struct hash128 lane;
        struct bytes key;                               // as text
        uint64_t last_sequence;                         // 0: none yet
        uint64_t unsettled;                             // MESSAGEs of it that are not settled
        bool left_async;                                // an EPOCH to LANE_RECORD left it behind: still async
        uint32_t epoch;                                 // of its last LANE_EPOCH; 0: never had one
        int64_t row;                                    // the store's; 0: not stored yet
};
typedef bool state_lane_visit(void *context, const struct state_lane *lane, struct error *error);
// ERROR_NOT_FOUND: no such lane; its next sequence is 1.
MUST_USE bool state_lane_find(struct state_reader *reader, uint32_t shard, const struct hash128 *lane, struct arena *arena,
                              struct state_lane *ret_lane, struct error *error);
// The lanes of a shard with left_async. The visitor's lane is gone after the call.
MUST_USE bool state_lane_left_each(struct state_reader *reader, uint32_t shard, state_lane_visit *visit, void *context,
                                   struct error *error);
// Whether the lane has a call without an outcome.
MUST_USE bool state_lane_called(struct state_reader *reader, uint32_t shard, const struct hash128 *lane, bool *ret_called,
                                struct error *error);
MUST_USE bool state_lane_put(struct state *state, const struct state_lane *lane, struct error *error);
// left_async = false for all lanes of the shard.
MUST_USE bool state_lanes_join(struct state *state, uint32_t shard, struct error *error);

// --- messages that are not settled: calls and messages of topics ------------------------------------------------------------

struct state_message {
        uint64_t position;                              // of its INTENT or MESSAGE: what later records refer to
        uint32_t shard;
        uint32_t stream;                                // of the log; with the offset: where the MESSAGE is
        int64_t offset;                                 // -1: an INTENT
        struct hash128 lane, identity, body_hash;
        struct bytes identity_text;
        uint64_t sequence;
        uint32_t epoch;                                 // under which it was admitted
        uint32_t state;                                 // enum ledger_state (proof/ledger.h)
        uint32_t attempts;                              // the highest number seen
        uint32_t flags;                                 // of its INTENT or MESSAGE
        uint16_t status;                                // of the last record that had one
        bool was_indeterminate;                         // ever; nothing but settling clears it
        bool held;                                      // ledger_held(state)
        int64_t admitted_ms, changed_ms;                // wall clock, of the records
        uint32_t schema_id;                             // of a MESSAGE: what it was written with; 0: a tombstone, or not known
        uint64_t said;                                  // of the PARKED whose body says why commute itself refused it; 0: none
};
// Return false to stop; the error is then handed on.
typedef bool state_message_visit(void *context, const struct state_message *message, struct error *error);
// The messages of a shard in order of position; identity_text is gone after the visitor's call. For start-up: the statement is
// open as long as it visits.
MUST_USE bool state_unsettled_each(struct state_reader *reader, uint32_t shard, state_message_visit *visit, void *context,
                                   struct error *error);
// The held messages of a family (0: of all) behind a position, at most `limit` (1 … STATE_PAGE_MAX), in order.
MUST_USE bool state_held_list(struct state_reader *reader, uint32_t family, uint64_t after, size_t limit, struct arena *arena,
                              struct state_message **ret_messages, size_t *ret_count, struct error *error);
MUST_USE bool state_message_find(struct state_reader *reader, uint64_t position, struct arena *arena,
                                 struct state_message *ret_message, struct error *error);
// Position of the oldest message or capture that is not settled (0: none): retention never passes it.
MUST_USE bool state_oldest_unsettled(struct state_reader *reader, uint64_t *ret_position, struct error *error);
MUST_USE bool state_message_insert(struct state *state, const struct state_message *message, struct error *error);
// state, attempts, status, was_indeterminate, held, changed_ms, said
MUST_USE bool state_message_update(struct state *state, const struct state_message *message, struct error *error);
MUST_USE bool state_message_delete(struct state *state, uint64_t position, struct error *error);

// --- identities of what is settled ------------------------------------------------------------------------------------------

struct state_identity {
        uint64_t settled_at;                            // position of the record that settled it
        uint64_t answer;                                // of the record to answer a repeat from: ANSWERED; the MESSAGE;
                                                        // the SETTLED of a call that a person settled
        uint32_t family;                                // of the communication
        struct hash128 identity, body_hash;
        uint32_t outcome;                               // ledger_state ANSWERED, CALL_SETTLED, DELIVERED, SETTLED, DISCARDED
        uint16_t status;
        int64_t settled_ms;                             // when the identity window began
};
// ERROR_NOT_FOUND: free, as far as the view's position (what was decided after it, the owner knows).
MUST_USE bool state_identity_find(struct state_reader *reader, uint32_t family, const struct hash128 *identity,
                                  struct state_identity *ret_identity, struct error *error);
// Whether an identity of this family was settled behind *after and up to a position, as far as `limit` identities of all families
// tell: *ret_found, or *after is moved behind those that have been looked at. *ret_all: there are no more of them.
MUST_USE bool state_identity_any(struct state_reader *reader, uint32_t family, uint64_t *after, uint64_t up_to, size_t limit,
                                 bool *ret_found, bool *ret_all, struct error *error);
MUST_USE bool state_identity_insert(struct state *state, const struct state_identity *identity, struct error *error);
// Of the max_rows identities that were settled first, removes those settled before the time (so a clock that jumped back delays,
// and never shortens, the window of what comes behind). Its own transaction: none is open.
MUST_USE bool state_expire(struct state *state, int64_t before_ms, size_t max_rows, size_t *ret_removed, struct error *error);

// --- erasure ----------------------------------------------------------------------------------------------------------------

// What a record says now that has been rewritten in the log (log_rewrite), in the open transaction: of the copy's row (family, key,
// position) body and schema_id, if that record's event is the row still; of the unsettled message its identity's text.
struct state_replica;
MUST_USE bool state_rewrite_replica(struct state *state, const struct state_replica *row, struct error *error);
MUST_USE bool state_rewrite_message(struct state *state, uint64_t position, struct bytes identity_text, struct error *error);
// All MESSAGEs of the stream that were written with one schema are of another one now.
MUST_USE bool state_written_merge(struct state *state, uint32_t stream, uint32_t from_schema, uint32_t to_schema,
                                  struct error *error);
// Every text and blob of every table, by a connection of its own; row: its place in the table, from 1. Return false to stop.
typedef bool state_value_visit(void *context, const char *table, int64_t row, const char *column, struct bytes value);
MUST_USE bool state_values_each(const char *path, state_value_visit *visit, void *context, struct error *error);
// Leaves in the files nothing but what the tables hold. No transaction is open. ERROR_UNAVAILABLE: a reader was in the way.
MUST_USE bool state_sweep(struct state *state, struct error *error);

// --- replicas and dirty keys ------------------------------------------------------------------------------------------------

struct state_replica {
        uint32_t family;                                // of the topic
        struct bytes key;
        struct bytes body;
        uint64_t position, sequence;
        uint32_t stream;
        int64_t offset;
        bool tombstone;                                 // the key is known to be deleted: body is empty
        uint32_t schema_id;                             // that the body was written with; 0: not known, or a tombstone
};
// ERROR_NOT_FOUND: nothing is known of the key (not even that it is deleted).
MUST_USE bool state_replica_get(struct state_reader *reader, uint32_t family, struct bytes key, struct arena *arena,
                                struct state_replica *ret_replica, struct error *error);
// Keys behind `after` (empty: from the first) in byte order, tombstones left out.
MUST_USE bool state_replica_list(struct state_reader *reader, uint32_t family, struct bytes after, size_t limit,
                                 struct arena *arena, struct state_replica **ret_rows, size_t *ret_count, struct error *error);
MUST_USE bool state_replica_put(struct state *state, const struct state_replica *replica, struct error *error);

// A captured write that has no outcome, or whose outcome nobody knows.
struct state_dirty {
        uint64_t position;                              // of its CAPTURE
        uint32_t family;                                // of the communication
        uint32_t shard;
        struct bytes key;                               // empty: the whole topic is dirty
        uint32_t state;                                 // LEDGER_CAPTURING or LEDGER_CAPTURE_UNKNOWN
        int64_t since_ms;                               // of the CAPTURE or the CAPTURE_UNKNOWN
};
typedef bool state_dirty_visit(void *context, const struct state_dirty *dirty, struct error *error);
// Whether reads of this key fall through to the owner: its own dirty rows, or the whole topic's for misses and lists
// (*ret_topic). What is newer than the view's position, the owner knows.
MUST_USE bool state_dirty_find(struct state_reader *reader, uint32_t family, struct bytes key, bool *ret_key, bool *ret_topic,
                               struct error *error);
MUST_USE bool state_dirty_each(struct state_reader *reader, uint32_t family, state_dirty_visit *visit, void *context,
                               struct error *error);
// The dirty rows of one key ("": of the whole topic) up to a position, oldest first, at most `limit` (1 … STATE_PAGE_MAX).
MUST_USE bool state_dirty_of_key(struct state_reader *reader, uint32_t family, struct bytes key, uint64_t up_to, size_t limit,
                                 struct arena *arena, struct state_dirty **ret_rows, size_t *ret_count, struct error *error);
MUST_USE bool state_dirty_get(struct state_reader *reader, uint64_t position, struct arena *arena, struct state_dirty *ret_dirty,
                              struct error *error);
MUST_USE bool state_dirty_put(struct state *state, const struct state_dirty *dirty, struct error *error);
MUST_USE bool state_dirty_delete(struct state *state, uint64_t position, struct error *error);

// --- versions of events -----------------------------------------------------------------------------------------------------

// MESSAGEs of a topic's partition that were written with one schema, since the log began (or, of a log that was trimmed before
// this was kept, since then).
struct state_written {
        uint32_t stream, schema_id;
        uint64_t count, first, last;                    // positions
        int64_t last_ms;
};
typedef bool state_written_visit(void *context, const struct state_written *written, struct error *error);
MUST_USE bool state_written_each(struct state_reader *reader, state_written_visit *visit, void *context, struct error *error);
// Adds to the row; count: how many more.
MUST_USE bool state_written_add(struct state *state, const struct state_written *more, struct error *error);

// Unsettled MESSAGEs of a partition, by schema and ledger state. Reads the whole table `message`.
struct state_unsettled_version {
        uint32_t stream, schema_id, state;
        bool tried;                                     // it was attempted before
        uint64_t count, first;                          // position of the oldest
};
typedef bool state_unsettled_version_visit(void *context, const struct state_unsettled_version *row, struct error *error);
MUST_USE bool state_unsettled_version_each(struct state_reader *reader, state_unsettled_version_visit *visit, void *context,
                                           struct error *error);

// Rows of the copies by topic and schema, tombstones left out.
typedef bool state_kept_visit(void *context, uint32_t family, uint32_t schema_id, uint64_t count, struct error *error);
MUST_USE bool state_kept_each(struct state_reader *reader, state_kept_visit *visit, void *context, struct error *error);
MUST_USE bool state_kept_add(struct state *state, uint32_t family, uint32_t schema_id, int64_t more, struct error *error);
// The schema of a key's row. False without an error (code NONE): no row, or a tombstone.
MUST_USE bool state_replica_schema(struct state_reader *reader, uint32_t family, struct bytes key, uint32_t *ret_schema_id,
                                   struct error *error);

// --- accounts and faults (names and meaning: proof/ledger.h) ----------------------------------------------------------------

typedef bool state_account_visit(void *context, uint32_t shard, struct bytes account, int64_t count, struct error *error);
// The accounts of a family's shards; family 0: of all shards, those of shard 0 included.
MUST_USE bool state_accounts(struct state_reader *reader, uint32_t family, state_account_visit *visit, void *context,
                             struct error *error);
// A count of 0 has no row.
MUST_USE bool state_account_put(struct state *state, uint32_t shard, struct bytes account, int64_t count, struct error *error);

typedef bool state_fault_visit(void *context, struct bytes kind, uint64_t count, uint64_t first_position, struct bytes first,
                               struct error *error);
MUST_USE bool state_fault_each(struct state_reader *reader, state_fault_visit *visit, void *context, struct error *error);
// Counts one more; keeps position and text of the first.
MUST_USE bool state_fault_add(struct state *state, struct bytes kind, uint64_t position, struct bytes text, struct error *error);

// --- migrations and control records -----------------------------------------------------------------------------------------

// The body of the communication's last MIGRATION record, and its position. ERROR_NOT_FOUND: never migrated.
MUST_USE bool state_migration_get(struct state_reader *reader, struct bytes communication, struct arena *arena,
                                  struct bytes *ret_json, uint64_t *ret_position, struct error *error);
typedef bool state_migration_visit(void *context, struct bytes communication, uint64_t position, struct bytes json,
                                   struct error *error);
MUST_USE bool state_migration_each(struct state_reader *reader, state_migration_visit *visit, void *context, struct error *error);
MUST_USE bool state_migration_put(struct state *state, struct bytes communication, uint64_t position, struct bytes json,
                                  struct error *error);

// REGISTRY and CONFIG records, all of them, header and body: their folds live in memory elsewhere and begin anew at each start.
typedef bool state_control_visit(void *context, uint64_t position, struct bytes header, struct bytes body, struct error *error);
MUST_USE bool state_control_each(struct state_reader *reader, state_control_visit *visit, void *context, struct error *error);
MUST_USE bool state_control_put(struct state *state, uint64_t position, struct bytes header, struct bytes body,
                                struct error *error);
