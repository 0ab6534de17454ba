// SPDX-License-Identifier: Apache-2.0
// Erasure: rows that say what a rewritten record says now, and a file without what was. See state.h.
#include "store/state_priv.h"

#include <stdio.h>
#include <time.h>

enum { SWEEP_TRIES_MAX = 500, SWEEP_PAUSE_MS = 20 };

bool state_rewrite_replica(struct state *state, const struct state_replica *row, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_REPLICA_AT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, row->family);
        state_bind_text(statement, 2, row->key);
        state_bind(statement, 3, (int64_t)row->position);
        enum state_result result = state_next(&state->own, statement, error);
        if (result != STATE_ROW)                // a newer one is there
                return result == STATE_END;
        uint32_t before = (uint32_t)state_column(statement, 0);
        sqlite3_reset(statement);
        statement = state_prepare(&state->own, STATE_SQL_REPLICA_REWRITE, error);
        if (!statement)
                return false;
        state_bind(statement, 1, row->family);
        state_bind_text(statement, 2, row->key);
        state_bind(statement, 3, (int64_t)row->position);
        state_bind_blob(statement, 4, row->body);
        state_bind(statement, 5, row->schema_id);
        return state_run(&state->own, statement, error) &&
               (before == row->schema_id || (state_kept_add(state, row->family, before, -1, error) &&
                                             state_kept_add(state, row->family, row->schema_id, 1, error)));
}

bool state_rewrite_message(struct state *state, uint64_t position, struct bytes identity_text, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_MESSAGE_REWRITE, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)position);
        state_bind_text(statement, 2, identity_text);
        return state_run(&state->own, statement, error);
}

bool state_written_merge(struct state *state, uint32_t stream, uint32_t from_schema, uint32_t to_schema, struct error *error) {
        static const enum state_sql steps[] = {STATE_SQL_WRITTEN_MERGE, STATE_SQL_WRITTEN_DROP};
        for (size_t i = 0; i < ARRAY_SIZE(steps) && from_schema != to_schema; i++) {
                sqlite3_stmt *statement = state_prepare(&state->own, steps[i], error);
                if (!statement)
                        return false;
                state_bind(statement, 1, stream);
                state_bind(statement, 2, from_schema);
                if (i == 0)
                        state_bind(statement, 3, to_schema);
                if (!state_run(&state->own, statement, error))
                        return false;
        }
        return true;
}

static bool values_of_table(struct state_reader *reader, const char *table, state_value_visit *visit, void *context, bool *go_on,
                            struct error *error) {
        char sql[128];
        sqlite3_stmt *rows = NULL;
        snprintf(sql, sizeof sql, "SELECT * FROM \"%.63s\"", table);
        if (sqlite3_prepare_v2(reader->db, sql, -1, &rows, NULL))
                return state_failed(reader, error);
        int result = SQLITE_DONE;
        for (int64_t row = 1; *go_on && (result = sqlite3_step(rows)) == SQLITE_ROW; row++)
                for (int i = 0; *go_on && i < sqlite3_column_count(rows); i++) {
                        int type = sqlite3_column_type(rows, i);
                        if (type == SQLITE_TEXT || type == SQLITE_BLOB)
                                *go_on = visit(context, table, row, sqlite3_column_name(rows, i), state_column_bytes(rows, i));
                }
        bool good = !*go_on || result == SQLITE_DONE || state_failed(reader, error);
        sqlite3_finalize(rows);
        return good;
}

bool state_values_each(const char *path, state_value_visit *visit, void *context, struct error *error) {
        struct state_reader CLEANUP(state_reader_closep) *reader = NULL;
        char tables[32][64];
        size_t count = 0;
        sqlite3_stmt *names = NULL;
        if (!state_reader_open(path, &reader, error))
                return false;
        if (sqlite3_prepare_v2(reader->db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", -1, &names, NULL))
                return state_failed(reader, error);
        while (count < ARRAY_SIZE(tables) && sqlite3_step(names) == SQLITE_ROW)
                snprintf(tables[count++], sizeof tables[0], "%s", (const char *)sqlite3_column_text(names, 0));
        sqlite3_finalize(names);
        bool go_on = true;
        for (size_t i = 0; i < count; i++)
                if (!values_of_table(reader, tables[i], visit, context, &go_on, error))
                        return false;
        return true;
}

// Rows are written anew, from what is live, then the WAL is copied and emptied: it waits for readers, which are short.
bool state_sweep(struct state *state, struct error *error) {
        ASSERT(!state->open);
        if (sqlite3_exec(state->own.db, "VACUUM", NULL, NULL, NULL))
                return state_failed(&state->own, error);
        int result = SQLITE_BUSY;
        for (int tries = 0; tries < SWEEP_TRIES_MAX && (result & 0xff) == SQLITE_BUSY; tries++) {
                if (tries > 0)
                        nanosleep(&(struct timespec){.tv_nsec = SWEEP_PAUSE_MS * 1000000}, NULL);
                result = sqlite3_wal_checkpoint_v2(state->own.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        }
        return result == SQLITE_OK || state_failed(&state->own, error);
}
