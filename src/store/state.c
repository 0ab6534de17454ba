// SPDX-License-Identifier: Apache-2.0
// The file state.db: opening, its format, statements, transactions; families and shards. See state.h.
//
// WAL with synchronous=NORMAL: a power cut may take the last commits, never their consistency; the fold goes on from the position
// that is left. SQLite's own passive checkpoint runs on the writer's thread, which nobody waits for, every 8,000 frames: rarer
// checkpoints write each page once for several batches (bench-views; what a message costs grows with how few share a batch).
#include "store/state.h"

#include "store/state_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
        APPLICATION_ID = 0x636d7374,            // "cmst"
        WRITER_CACHE_KIB = 4096,
        READER_CACHE_KIB = 256,
        READER_BUSY_MS = 100,                   // only while another connection recovers the WAL
};

static const char *const statement_texts[STATE_SQL_COUNT] = {
#define X(name, text) [STATE_SQL_##name] = text,
        STATE_STATEMENTS(X)
#undef X
};

static enum error_code code_of(int sqlite) {
        switch (sqlite & 0xff) {
        case SQLITE_FULL:
                return ERROR_FULL;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return ERROR_CORRUPT;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return ERROR_UNAVAILABLE;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
                return ERROR_IO;
        default:
                return ERROR_INTERNAL;
        }
}

bool state_failed(struct state_reader *reader, struct error *error) {
        int code = sqlite3_extended_errcode(reader->db);
        return error_set(error, code_of(code), "state.db: %s (SQLite %d)", sqlite3_errmsg(reader->db), code);
}

// --- statements -------------------------------------------------------------------------------------------------------------

sqlite3_stmt *state_prepare(struct state_reader *reader, enum state_sql sql, struct error *error) {
        ASSERT(sql < STATE_SQL_COUNT);
        sqlite3_stmt **statement = &reader->statements[sql];
        if (!*statement && sqlite3_prepare_v3(reader->db, statement_texts[sql], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL)) {
                IGNORE(state_failed(reader, error));    // it returns false: so does this
                return NULL;
        }
        sqlite3_reset(*statement);
        return *statement;
}

void state_bind(sqlite3_stmt *statement, int at, int64_t value) {
        int result = sqlite3_bind_int64(statement, at, value);
        ASSERT(result == SQLITE_OK);
}

void state_bind_blob(sqlite3_stmt *statement, int at, struct bytes value) {
        int result = sqlite3_bind_blob64(statement, at, value.size ? value.data : "", value.size, SQLITE_STATIC);
        ASSERT(result == SQLITE_OK);
}

void state_bind_text(sqlite3_stmt *statement, int at, struct bytes value) {
        int result = sqlite3_bind_text64(statement, at, value.size ? value.data : "", value.size, SQLITE_STATIC, SQLITE_UTF8);
        ASSERT(result == SQLITE_OK);
}

void state_bind_hash(sqlite3_stmt *statement, int at, const struct hash128 *hash) {
        state_bind_blob(statement, at, (struct bytes){(const char *)hash->bytes, sizeof hash->bytes});
}

enum state_result state_next(struct state_reader *reader, sqlite3_stmt *statement, struct error *error) {
        int result = sqlite3_step(statement);
        if (result == SQLITE_ROW)
                return STATE_ROW;
        if (result != SQLITE_DONE)
                IGNORE(state_failed(reader, error));    // it returns false
        sqlite3_reset(statement);
        return result == SQLITE_DONE ? STATE_END : STATE_FAILED;
}

bool state_run(struct state_reader *reader, sqlite3_stmt *statement, struct error *error) {
        if (!statement)
                return false;
        enum state_result result = state_next(reader, statement, error);
        ASSERT(result != STATE_ROW);
        return result == STATE_END;
}

bool state_one(struct state_reader *reader, sqlite3_stmt *statement, const char *what, struct error *error) {
        switch (state_next(reader, statement, error)) {
        case STATE_ROW:
                return true;
        case STATE_END:
                return error_set(error, ERROR_NOT_FOUND, "no %s", what);
        case STATE_FAILED:
                break;
        }
        return false;
}

uint64_t state_column(sqlite3_stmt *statement, int at) {
        return (uint64_t)sqlite3_column_int64(statement, at);
}

struct bytes state_column_bytes(sqlite3_stmt *statement, int at) {
        const char *data = sqlite3_column_blob(statement, at);
        return (struct bytes){data, (size_t)sqlite3_column_bytes(statement, at)};
}

bool state_column_hash(sqlite3_stmt *statement, int at, struct hash128 *ret_hash) {
        struct bytes value = state_column_bytes(statement, at);
        if (value.size != sizeof ret_hash->bytes)
                return false;
        memcpy(ret_hash->bytes, value.data, value.size);
        return true;
}

// --- opening ----------------------------------------------------------------------------------------------------------------

static void reader_close(struct state_reader *reader) {
        for (size_t i = 0; i < STATE_SQL_COUNT; i++)
                sqlite3_finalize(reader->statements[i]);
        int result = sqlite3_close(reader->db);
        ASSERT(result == SQLITE_OK);
        filter_release(reader->identities);
        filter_release(reader->lanes);
        *reader = (struct state_reader){0};
}

static bool execute(struct state_reader *reader, const char *sql, struct error *error) {
        return sqlite3_exec(reader->db, sql, NULL, NULL, NULL) == SQLITE_OK || state_failed(reader, error);
}

// The first column of the first row of a pragma or query.
static bool number_of(struct state_reader *reader, const char *sql, int64_t *ret_number, struct error *error) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(reader->db, sql, -1, &statement, NULL))
                return state_failed(reader, error);
        bool row = sqlite3_step(statement) == SQLITE_ROW;
        int64_t number = row ? sqlite3_column_int64(statement, 0) : 0;
        if (!row)
                IGNORE(state_failed(reader, error));    // it returns false: so does this
        sqlite3_finalize(statement);
        if (row)
                *ret_number = number;
        return row;
}

static bool connection_open(const char *path, int flags, int cache_kib, struct state_reader *reader, struct error *error) {
        if (sqlite3_open_v2(path, &reader->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
                if (!reader->db)
                        return error_set(error, ERROR_IO, "%s: out of memory", path);
                IGNORE(state_failed(reader, error));    // it returns false: so does this
                return error_wrap(error, "open %s", path);
        }
        char pragma[64];
        snprintf(pragma, sizeof pragma, "PRAGMA cache_size = -%d", cache_kib);
        return execute(reader, pragma, error) || error_wrap(error, "open %s", path);
}

static bool schema_create(struct state *state, const uint8_t log_id[static STATE_LOG_ID_SIZE], struct error *error) {
        struct state_reader *reader = &state->own;
        char settings[128];
        snprintf(settings, sizeof settings, "PRAGMA application_id = %d; PRAGMA user_version = %d;", APPLICATION_ID,
                 STATE_FORMAT);
        if (!execute(reader, "BEGIN IMMEDIATE", error))
                return false;
        sqlite3_stmt *statement = NULL;
        bool done = execute(reader, STATE_SCHEMA, error) && execute(reader, settings, error);
        if (done && sqlite3_prepare_v2(reader->db, "INSERT INTO meta VALUES(1, ?1, 0)", -1, &statement, NULL))
                done = state_failed(reader, error);
        if (done) {
                state_bind_blob(statement, 1, (struct bytes){(const char *)log_id, STATE_LOG_ID_SIZE});
                done = state_run(reader, statement, error);
        }
        sqlite3_finalize(statement);
        if (done && execute(reader, "COMMIT", error))
                return true;
        IGNORE(execute(reader, "ROLLBACK", NULL));      // what failed is reported
        return false;
}

static bool log_check(struct state *state, const char *path, const uint8_t log_id[static STATE_LOG_ID_SIZE], uint64_t log_end,
                      struct error *error) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(state->own.db, "SELECT log_id, position FROM meta", -1, &statement, NULL))
                return state_failed(&state->own, error);
        bool done = state_one(&state->own, statement, "meta row", error);
        if (done) {
                struct bytes id = state_column_bytes(statement, 0);
                uint64_t position = state_column(statement, 1);
                if (!bytes_equal(id, (struct bytes){(const char *)log_id, STATE_LOG_ID_SIZE}))
                        done = error_set(error, ERROR_CONFLICT, "%s is a view of another log than this one: bring its log back, "
                                         "or move the file away and the views are built anew", path);
                else if (position > log_end)
                        done = error_set(error, ERROR_CONFLICT, "%s holds up to position %" PRIu64 ", but the log ends at "
                                         "%" PRIu64 ": the log has lost its end, or is an older copy; bring it back, or move the "
                                         "file away and the views are built anew from the log as it is", path, position, log_end);
        }
        sqlite3_finalize(statement);
        return done;
}

static bool files_remove(const char *path, struct error *error) {
        static const char *const endings[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
                CLEANUP(buffer_free) struct buffer name = {0};
                buffer_print(&name, "%s%s%c", path, endings[i], 0);
                if (unlink(name.data) && errno != ENOENT)
                        return error_set(error, ERROR_IO, "remove %s: %s", name.data, strerror(errno));
        }
        return true;
}

// *ret_again: it was of another format, and has been removed.
static bool writer_open(const char *path, const uint8_t log_id[static STATE_LOG_ID_SIZE], uint64_t log_end, struct state *state,
                        bool *ret_again, struct error *error) {
        struct state_reader *reader = &state->own;
        int64_t application = 0, format = 0, tables = 0;
        if (!connection_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, WRITER_CACHE_KIB, reader, error) ||
            !number_of(reader, "PRAGMA application_id", &application, error) ||
            !number_of(reader, "PRAGMA user_version", &format, error) ||
            !number_of(reader, "SELECT count(*) FROM sqlite_schema", &tables, error))
                return false;
        if (tables > 0 && application != APPLICATION_ID)
                return error_set(error, ERROR_CORRUPT, "%s is a database of another program", path);
        if (tables > 0 && format != STATE_FORMAT) {
                *ret_again = true;
                reader_close(reader);
                return files_remove(path, error);
        }
        if (!execute(reader, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 67108864;"
                     " PRAGMA wal_autocheckpoint = 8000",
                     error))
                return false;
        return (tables > 0 || schema_create(state, log_id, error)) && log_check(state, path, log_id, log_end, error);
}

bool state_open(const char *path, const uint8_t log_id[static STATE_LOG_ID_SIZE], uint64_t log_end, struct state **ret_state,
                struct error *error) {
        CLEANUP(state_closep) struct state *state = must_calloc(1, sizeof *state);
        bool again = false;
        if (!writer_open(path, log_id, log_end, state, &again, error) ||
            (again && !writer_open(path, log_id, log_end, state, &(bool){false}, error)) ||
            !state_slots_load(&state->own, &state_identity_slots, &state->own.identities, error) ||
            !state_slots_load(&state->own, &state_lane_slots, &state->own.lanes, error))
                return error_wrap(error, "open the views");
        *ret_state = TAKE(state);
        return true;
}

void state_close(struct state *state) {
        if (!state)
                return;
        state_rollback(state);
        reader_close(&state->own);
        free(state);
}

void state_closep(struct state **state) {
        state_close(*state);
}

bool state_reader_open(const char *path, struct state_reader **ret_reader, struct error *error) {
        CLEANUP(state_reader_closep) struct state_reader *reader = must_calloc(1, sizeof *reader);
        if (!connection_open(path, SQLITE_OPEN_READONLY, READER_CACHE_KIB, reader, error))
                return false;
        sqlite3_busy_timeout(reader->db, READER_BUSY_MS);
        *ret_reader = TAKE(reader);
        return true;
}

void state_reader_close(struct state_reader *reader) {
        if (!reader)
                return;
        reader_close(reader);
        free(reader);
}

void state_reader_closep(struct state_reader **reader) {
        state_reader_close(*reader);
}

struct state_reader *state_own_reader(struct state *state) {
        return &state->own;
}

// --- transactions -----------------------------------------------------------------------------------------------------------

bool state_begin(struct state *state, struct error *error) {
        ASSERT(!state->open);
        state->open = state_run(&state->own, state_prepare(&state->own, STATE_SQL_BEGIN, error), error);
        return state->open;
}

bool state_commit(struct state *state, uint64_t position, struct error *error) {
        ASSERT(state->open);
        sqlite3_stmt *move = state_prepare(&state->own, STATE_SQL_MOVE, error);
        if (move)
                state_bind(move, 1, (int64_t)position);
        if (state_run(&state->own, move, error) &&
            state_run(&state->own, state_prepare(&state->own, STATE_SQL_COMMIT, error), error)) {
                state->open = false;
                return true;
        }
        state_rollback(state);
        return false;
}

void state_rollback(struct state *state) {
        if (!state->open)
                return;
        for (size_t i = 0; i < STATE_SQL_COUNT; i++)
                sqlite3_reset(state->own.statements[i]);
        if (!sqlite3_get_autocommit(state->own.db))     // SQLite may have rolled back by itself
                IGNORE(execute(&state->own, "ROLLBACK", NULL)); // what made it necessary is reported
        state->open = false;
        state->lane_next = 0;
}

bool state_position(struct state_reader *reader, uint64_t *ret_position, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_POSITION, error);
        if (!statement || !state_one(reader, statement, "meta row", error))
                return false;
        *ret_position = state_column(statement, 0);
        sqlite3_reset(statement);
        return true;
}

// --- families and shards ----------------------------------------------------------------------------------------------------

struct bytes state_family_of_stream(struct bytes stream_name) {
        size_t digits = stream_name.size;
        while (digits > 0 && stream_name.data[digits - 1] >= '0' && stream_name.data[digits - 1] <= '9')
                digits--;
        bool partition = digits < stream_name.size && digits > 1 && stream_name.data[digits - 1] == '/';
        return (struct bytes){stream_name.data, partition ? digits - 1 : stream_name.size};
}

bool state_family(struct state_reader *reader, struct bytes name, uint32_t *ret_family, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_FAMILY, error);
        if (!statement)
                return false;
        state_bind_text(statement, 1, name);
        if (!state_one(reader, statement, "such communication or topic in the log", error))
                return false;
        *ret_family = (uint32_t)state_column(statement, 0);
        sqlite3_reset(statement);
        return true;
}

bool state_family_intern(struct state *state, struct bytes name, uint32_t *ret_family, struct error *error) {
        struct error ignored = {0};
        if (!error)
                error = &ignored;
        if (state_family(&state->own, name, ret_family, error))
                return true;
        if (error->code != ERROR_NOT_FOUND)
                return false;
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_FAMILY_ADD, error);
        if (statement)
                state_bind_text(statement, 1, name);
        if (!state_run(&state->own, statement, error))
                return false;
        *ret_family = (uint32_t)sqlite3_last_insert_rowid(state->own.db);
        return true;
}

static struct state_shard shard_of(sqlite3_stmt *statement) {
        return (struct state_shard){
                .stream = (uint32_t)state_column(statement, 0),
                .family = (uint32_t)state_column(statement, 1),
                .mode = (uint32_t)state_column(statement, 2),
                .epoch = (uint32_t)state_column(statement, 3),
                .since = state_column(statement, 4),
        };
}

bool state_shard_each(struct state_reader *reader, state_shard_visit *visit, void *context, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_SHARDS, error);
        enum state_result result = statement ? STATE_ROW : STATE_FAILED;
        while (result == STATE_ROW && (result = state_next(reader, statement, error)) == STATE_ROW) {
                struct state_shard shard = shard_of(statement);
                if (!visit(context, &shard, error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        }
        return result == STATE_END;
}

bool state_shard_find(struct state_reader *reader, uint32_t stream, struct state_shard *ret_shard, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_SHARD, error);
        if (!statement)
                return false;
        state_bind(statement, 1, stream);
        if (!state_one(reader, statement, "such shard in the log", error))
                return false;
        *ret_shard = shard_of(statement);
        sqlite3_reset(statement);
        return true;
}

bool state_shard_put(struct state *state, const struct state_shard *shard, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_SHARD_PUT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, shard->stream);
        state_bind(statement, 2, shard->family);
        state_bind(statement, 3, shard->mode);
        state_bind(statement, 4, shard->epoch);
        state_bind(statement, 5, (int64_t)shard->since);
        return state_run(&state->own, statement, error);
}
