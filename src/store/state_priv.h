// SPDX-License-Identifier: Apache-2.0
// The connection behind struct state and struct state_reader, its statements, and what the state_*.c files use of each other:
//      state.c           open, format, statements, transactions, families, shards
//      state_message.c   lanes, messages, identities
//      state_replica.c   replicas and dirty keys
//      state_slots.c     how lanes and identities are found
//      state_control.c   accounts, faults, migrations, control records
//      state_version.c   which versions of events were written, are unsettled, and are kept
#pragma once

#include <sqlite3.h>

#include "store/filter.h"
#include "store/state.h"

// Format 4 (3 had neither `schema` of messages and replicas, `said` of messages, nor the tables `written` and `kept`). Numbers are
// positions of the log unless they say otherwise; hashes are 16 bytes.
// lane and identity lie in the order in which they came, and are found by a slot: the segment (of the row's number) << 40 and the
// first five bytes of the hash. So a write touches the end of the table and a page of the last segment's part of a slim index, not
// a page at random in a wide one (STACK.md); filters in memory (store/filter.h) say in which segments to look.
#define STATE_SCHEMA                                                                                                  \
        "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), log_id BLOB NOT NULL, position INTEGER NOT NULL);" \
        "CREATE TABLE family(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"                                     \
        "CREATE TABLE shard(stream INTEGER PRIMARY KEY, family INTEGER NOT NULL, mode INTEGER NOT NULL,"              \
        " epoch INTEGER NOT NULL, since INTEGER NOT NULL);"                                                           \
        "CREATE TABLE lane(id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, shard INTEGER NOT NULL, lane BLOB NOT NULL," \
        " key TEXT NOT NULL, last_sequence INTEGER NOT NULL, unsettled INTEGER NOT NULL, left_async INTEGER NOT NULL," \
        " epoch INTEGER NOT NULL);"                                                                                   \
        "CREATE INDEX lane_slot ON lane(slot);"                                                                       \
        "CREATE INDEX lane_left ON lane(shard) WHERE left_async;"                                                     \
        "CREATE TABLE message(position INTEGER PRIMARY KEY, shard INTEGER NOT NULL, stream INTEGER NOT NULL,"         \
        " offset INTEGER NOT NULL, lane BLOB NOT NULL, identity BLOB NOT NULL, body_hash BLOB NOT NULL,"              \
        " identity_text TEXT NOT NULL, sequence INTEGER NOT NULL, epoch INTEGER NOT NULL, state INTEGER NOT NULL,"    \
        " attempts INTEGER NOT NULL, flags INTEGER NOT NULL, status INTEGER NOT NULL,"                                \
        " was_indeterminate INTEGER NOT NULL, held INTEGER NOT NULL, admitted_ms INTEGER NOT NULL,"                   \
        " changed_ms INTEGER NOT NULL, schema INTEGER NOT NULL, said INTEGER NOT NULL);"                              \
        "CREATE INDEX message_shard ON message(shard);"                                                               \
        "CREATE INDEX message_held ON message(position) WHERE held;"                                                  \
        "CREATE INDEX message_call ON message(shard, lane) WHERE offset < 0;"                                         \
        "CREATE TABLE identity(settled_at INTEGER PRIMARY KEY, slot INTEGER NOT NULL, answer INTEGER NOT NULL,"       \
        " family INTEGER NOT NULL,"                                                                                   \
        " identity BLOB NOT NULL, body_hash BLOB NOT NULL, outcome INTEGER NOT NULL, status INTEGER NOT NULL,"        \
        " settled_ms INTEGER NOT NULL);"                                                                              \
        "CREATE INDEX identity_slot ON identity(slot);"                                                               \
        "CREATE TABLE replica(family INTEGER NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"                        \
        " position INTEGER NOT NULL, sequence INTEGER NOT NULL, stream INTEGER NOT NULL, offset INTEGER NOT NULL,"    \
        " tombstone INTEGER NOT NULL, schema INTEGER NOT NULL, PRIMARY KEY(family, key)) WITHOUT ROWID;"              \
        "CREATE TABLE written(stream INTEGER NOT NULL, schema INTEGER NOT NULL, count INTEGER NOT NULL,"              \
        " first INTEGER NOT NULL, last INTEGER NOT NULL, last_ms INTEGER NOT NULL,"                                   \
        " PRIMARY KEY(stream, schema)) WITHOUT ROWID;"                                                                \
        "CREATE TABLE kept(family INTEGER NOT NULL, schema INTEGER NOT NULL, count INTEGER NOT NULL,"                 \
        " PRIMARY KEY(family, schema)) WITHOUT ROWID;"                                                                \
        "CREATE TABLE dirty(position INTEGER PRIMARY KEY, family INTEGER NOT NULL, shard INTEGER NOT NULL,"           \
        " key TEXT NOT NULL, state INTEGER NOT NULL, since_ms INTEGER NOT NULL);"                                     \
        "CREATE INDEX dirty_key ON dirty(family, key);"                                                               \
        "CREATE TABLE account(shard INTEGER NOT NULL, account TEXT NOT NULL, count INTEGER NOT NULL,"                 \
        " PRIMARY KEY(shard, account)) WITHOUT ROWID;"                                                                \
        "CREATE TABLE fault(kind TEXT PRIMARY KEY, count INTEGER NOT NULL, first_position INTEGER NOT NULL,"          \
        " first TEXT NOT NULL) WITHOUT ROWID;"                                                                        \
        "CREATE TABLE migration(communication TEXT PRIMARY KEY, position INTEGER NOT NULL,"                           \
        " json TEXT NOT NULL) WITHOUT ROWID;"                                                                         \
        "CREATE TABLE control(position INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL);"

#define LANE_COLUMNS "shard, lane, key, last_sequence, unsettled, left_async, epoch"
#define MESSAGE_COLUMNS                                                                                               \
        "position, shard, stream, offset, lane, identity, body_hash, identity_text, sequence, epoch, state, attempts," \
        " flags, status, was_indeterminate, held, admitted_ms, changed_ms, schema, said"
#define REPLICA_COLUMNS "family, key, body, position, sequence, stream, offset, tombstone, schema"
#define DIRTY_COLUMNS "position, family, shard, key, state, since_ms"

#define STATE_STATEMENTS(X)                                                                                           \
        X(BEGIN, "BEGIN IMMEDIATE")                                                                                   \
        X(COMMIT, "COMMIT")                                                                                           \
        X(POSITION, "SELECT position FROM meta")                                                                      \
        X(MOVE, "UPDATE meta SET position = ?1")                                                                      \
        X(FAMILY, "SELECT id FROM family WHERE name = ?1")                                                            \
        X(FAMILY_ADD, "INSERT INTO family(name) VALUES(?1)")                                                          \
        X(SHARDS, "SELECT stream, family, mode, epoch, since FROM shard ORDER BY stream")                             \
        X(SHARD, "SELECT stream, family, mode, epoch, since FROM shard WHERE stream = ?1")                            \
        X(SHARD_PUT, "INSERT OR REPLACE INTO shard VALUES(?1, ?2, ?3, ?4, ?5)")                                       \
        X(LANE, "SELECT " LANE_COLUMNS ", id FROM lane WHERE slot = ?3 AND lane = ?2 AND shard = ?1")                 \
        X(LANES_LEFT, "SELECT " LANE_COLUMNS ", id FROM lane WHERE shard = ?1 AND left_async ORDER BY id")            \
        X(LANE_LAST, "SELECT max(id) FROM lane")                                                                      \
        X(LANE_SLOTS, "SELECT slot FROM lane ORDER BY slot")                                                          \
        X(LANE_ENDS, "SELECT (SELECT min(slot) FROM lane), (SELECT max(slot) FROM lane)")                             \
        X(LANE_ADD, "INSERT INTO lane(" LANE_COLUMNS ", id, slot) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")        \
        X(LANE_PUT, "UPDATE lane SET key = ?3, last_sequence = ?4, unsettled = ?5, left_async = ?6, epoch = ?7"       \
                    " WHERE id = ?8")                                                                                 \
        X(LANES_JOIN, "UPDATE lane SET left_async = 0 WHERE shard = ?1 AND left_async")                               \
        X(LANE_CALLED, "SELECT EXISTS(SELECT 1 FROM message WHERE shard = ?1 AND lane = ?2 AND offset < 0)")          \
        X(UNSETTLED, "SELECT " MESSAGE_COLUMNS " FROM message WHERE shard = ?1 ORDER BY position")                    \
        X(HELD, "SELECT " MESSAGE_COLUMNS " FROM message WHERE held AND position > ?1 AND (?2 = 0 OR shard IN"        \
                " (SELECT stream FROM shard WHERE family = ?2)) ORDER BY position LIMIT ?3")                          \
        X(MESSAGE, "SELECT " MESSAGE_COLUMNS " FROM message WHERE position = ?1")                                     \
        X(OLDEST, "SELECT min(position) FROM (SELECT min(position) AS position FROM message UNION ALL"                \
                  " SELECT min(position) FROM dirty)")                                                                \
        X(KEPT, "SELECT position FROM (SELECT position FROM control UNION SELECT position FROM migration"             \
                " UNION SELECT answer FROM identity WHERE answer = settled_at) WHERE position <= ?1"                    \
                " ORDER BY position LIMIT ?2")                                                                        \
        X(MESSAGE_ADD, "INSERT INTO message(" MESSAGE_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"     \
                       " ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)")                                          \
        X(WRITTEN_ADD, "INSERT INTO written VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(stream, schema) DO UPDATE SET"  \
                       " count = count + ?3, last = ?5, last_ms = ?6")                                                \
        X(WRITTEN, "SELECT stream, schema, count, first, last, last_ms FROM written ORDER BY stream, schema")         \
        X(UNSETTLED_VERSIONS, "SELECT stream, schema, state, attempts > 0, count(*), min(position) FROM message"       \
                              " WHERE offset >= 0 GROUP BY stream, schema, state, attempts > 0")                              \
        X(KEPT_ADD, "INSERT INTO kept VALUES(?1, ?2, ?3) ON CONFLICT(family, schema) DO UPDATE SET count = count + ?3") \
        X(KEPT_VERSIONS, "SELECT family, schema, count FROM kept WHERE count > 0 ORDER BY family, schema")            \
        X(REPLICA_SCHEMA, "SELECT schema, tombstone FROM replica WHERE family = ?1 AND key = ?2")                     \
        X(MESSAGE_PUT, "UPDATE message SET state = ?2, attempts = ?3, status = ?4, was_indeterminate = ?5, held = ?6," \
                       " changed_ms = ?7, said = ?8 WHERE position = ?1")                                             \
        X(MESSAGE_DELETE, "DELETE FROM message WHERE position = ?1")                                                  \
        X(IDENTITY, "SELECT settled_at, answer, family, identity, body_hash, outcome, status, settled_ms FROM identity" \
                    " WHERE slot = ?3 AND identity = ?2 AND family = ?1 ORDER BY settled_at DESC LIMIT 1")            \
        X(IDENTITIES, "SELECT settled_at, family FROM identity WHERE settled_at > ?1 AND settled_at <= ?2"             \
                      " ORDER BY settled_at LIMIT ?3")                                                                \
        X(IDENTITY_SLOTS, "SELECT slot FROM identity ORDER BY slot")                                                  \
        X(IDENTITY_ENDS, "SELECT (SELECT min(slot) FROM identity), (SELECT max(slot) FROM identity)")                 \
        X(IDENTITY_ADD, "INSERT INTO identity(settled_at, answer, family, identity, body_hash, outcome, status,"      \
                        " settled_ms, slot) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                              \
        X(EXPIRE, "DELETE FROM identity WHERE settled_at IN (SELECT settled_at FROM (SELECT settled_at, settled_ms"   \
                  " FROM identity ORDER BY settled_at LIMIT ?2) WHERE settled_ms < ?1)")                              \
        X(REPLICA, "SELECT " REPLICA_COLUMNS " FROM replica WHERE family = ?1 AND key = ?2")                          \
        X(REPLICAS, "SELECT " REPLICA_COLUMNS " FROM replica WHERE family = ?1 AND key > ?2 AND NOT tombstone"        \
                    " ORDER BY key LIMIT ?3")                                                                         \
        X(REPLICA_PUT, "INSERT OR REPLACE INTO replica(" REPLICA_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)") \
        X(REPLICA_AT, "SELECT schema FROM replica WHERE family = ?1 AND key = ?2 AND position = ?3 AND NOT tombstone") \
        X(REPLICA_REWRITE, "UPDATE replica SET body = ?4, schema = ?5 WHERE family = ?1 AND key = ?2 AND position = ?3") \
        X(MESSAGE_REWRITE, "UPDATE message SET identity_text = ?2 WHERE position = ?1 AND identity_text <> ?2")       \
        X(WRITTEN_MERGE, "INSERT INTO written SELECT stream, ?3, count, first, last, last_ms FROM written"            \
                         " WHERE stream = ?1 AND schema = ?2 ON CONFLICT(stream, schema) DO UPDATE SET"               \
                         " count = count + excluded.count, first = min(first, excluded.first),"                       \
                         " last = max(last, excluded.last), last_ms = max(last_ms, excluded.last_ms)")                \
        X(WRITTEN_DROP, "DELETE FROM written WHERE stream = ?1 AND schema = ?2")                                      \
        X(DIRTY_FIND, "SELECT EXISTS(SELECT 1 FROM dirty WHERE family = ?1 AND key = ?2),"                            \
                      " EXISTS(SELECT 1 FROM dirty WHERE family = ?1 AND key = '')")                                  \
        X(DIRTY_ALL, "SELECT " DIRTY_COLUMNS " FROM dirty WHERE family = ?1 ORDER BY position")                       \
        X(DIRTY_KEY, "SELECT " DIRTY_COLUMNS " FROM dirty WHERE family = ?1 AND key = ?2 AND position <= ?3"          \
                     " ORDER BY position LIMIT ?4")                                                                   \
        X(DIRTY, "SELECT " DIRTY_COLUMNS " FROM dirty WHERE position = ?1")                                           \
        X(DIRTY_PUT, "INSERT OR REPLACE INTO dirty VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                   \
        X(DIRTY_DELETE, "DELETE FROM dirty WHERE position = ?1")                                                      \
        X(ACCOUNTS, "SELECT shard, account, count FROM account WHERE ?1 = 0 OR shard IN"                              \
                    " (SELECT stream FROM shard WHERE family = ?1) ORDER BY shard, account")                          \
        X(ACCOUNT_PUT, "INSERT OR REPLACE INTO account VALUES(?1, ?2, ?3)")                                           \
        X(ACCOUNT_DELETE, "DELETE FROM account WHERE shard = ?1 AND account = ?2")                                    \
        X(FAULTS, "SELECT kind, count, first_position, first FROM fault ORDER BY kind")                               \
        X(FAULT_ADD, "INSERT INTO fault VALUES(?1, 1, ?2, ?3) ON CONFLICT(kind) DO UPDATE SET count = count + 1")     \
        X(MIGRATION, "SELECT json, position FROM migration WHERE communication = ?1")                                 \
        X(MIGRATIONS, "SELECT communication, position, json FROM migration ORDER BY communication")                   \
        X(MIGRATION_PUT, "INSERT OR REPLACE INTO migration VALUES(?1, ?2, ?3)")                                       \
        X(CONTROLS, "SELECT position, header, body FROM control ORDER BY position")                                   \
        X(CONTROL_PUT, "INSERT OR REPLACE INTO control VALUES(?1, ?2, ?3)")

enum state_sql {
#define X(name, text) STATE_SQL_##name,
        STATE_STATEMENTS(X)
#undef X
        STATE_SQL_COUNT,
};

// A table whose rows are found by a slot.
struct state_slots {
        enum state_sql all, ends;
        unsigned shift;                                 // a row's segment is its number >> shift
};
extern const struct state_slots state_identity_slots, state_lane_slots;

struct state_reader {
        sqlite3 *db;
        struct filter *identities, *lanes;              // held; NULL: every segment is looked at
        sqlite3_stmt *statements[STATE_SQL_COUNT];      // prepared at first use
};

struct state {
        struct state_reader own;
        bool open;                                      // a transaction is
        int64_t lane_next;                              // the next lane's id; 0: not asked yet
};

// Slots (state_slots.c). What of a hash is in a slot:
uint64_t state_slot_hash(const struct hash128 *hash);
int64_t state_slot(const struct state_slots *slots, int64_t row, const struct hash128 *hash);
// Fills a new filter from the table.
MUST_USE bool state_slots_load(struct state_reader *reader, const struct state_slots *slots, struct filter **ret_filter,
                               struct error *error);
// The next segment below *segment to look at; false: there is none, or it failed (*ret_failed).
bool state_slots_next(struct state_reader *reader, const struct state_slots *slots, struct filter *filter,
                      const struct hash128 *hash, uint64_t *segment, bool *ret_failed, struct error *error);

// The statement, reset and ready to be bound; NULL with the error filled.
sqlite3_stmt *state_prepare(struct state_reader *reader, enum state_sql sql, struct error *error);
// Binding fails for want of memory only, which ends the process.
void state_bind(sqlite3_stmt *statement, int at, int64_t value);
void state_bind_blob(sqlite3_stmt *statement, int at, struct bytes value);      // borrowed until the statement is reset
void state_bind_text(sqlite3_stmt *statement, int at, struct bytes value);      // the same
void state_bind_hash(sqlite3_stmt *statement, int at, const struct hash128 *hash);

enum state_result { STATE_ROW, STATE_END, STATE_FAILED };
// One step. STATE_END and STATE_FAILED have reset the statement.
enum state_result state_next(struct state_reader *reader, sqlite3_stmt *statement, struct error *error);
// Runs a statement that gives no rows.
MUST_USE bool state_run(struct state_reader *reader, sqlite3_stmt *statement, struct error *error);
// A statement that gives at most one row: false with ERROR_NOT_FOUND ("no WHAT") when it gives none. The caller reads the row and
// resets the statement.
MUST_USE bool state_one(struct state_reader *reader, sqlite3_stmt *statement, const char *what, struct error *error);

uint64_t state_column(sqlite3_stmt *statement, int at);
struct bytes state_column_bytes(sqlite3_stmt *statement, int at);               // gone at the next step
bool state_column_hash(sqlite3_stmt *statement, int at, struct hash128 *ret_hash);      // false: not of 16 bytes

// Fills the error from the connection; returns false.
bool state_failed(struct state_reader *reader, struct error *error);
