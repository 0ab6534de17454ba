// SPDX-License-Identifier: Apache-2.0
// Accounts, faults, migrations, and the control records that other folds begin from. See state.h.
#include "store/state_priv.h"

// --- accounts and faults ----------------------------------------------------------------------------------------------------

bool state_accounts(struct state_reader *reader, uint32_t family, state_account_visit *visit, void *context,
                    struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_ACCOUNTS, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW)
                if (!visit(context, (uint32_t)state_column(statement, 0), state_column_bytes(statement, 1),
                           (int64_t)state_column(statement, 2), error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        return result == STATE_END;
}

bool state_account_put(struct state *state, uint32_t shard, struct bytes account, int64_t count, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, count ? STATE_SQL_ACCOUNT_PUT : STATE_SQL_ACCOUNT_DELETE, error);
        if (!statement)
                return false;
        state_bind(statement, 1, shard);
        state_bind_text(statement, 2, account);
        if (count)
                state_bind(statement, 3, count);
        return state_run(&state->own, statement, error);
}

bool state_fault_each(struct state_reader *reader, state_fault_visit *visit, void *context, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_FAULTS, error);
        if (!statement)
                return false;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW)
                if (!visit(context, state_column_bytes(statement, 0), state_column(statement, 1), state_column(statement, 2),
                           state_column_bytes(statement, 3), error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        return result == STATE_END;
}

bool state_fault_add(struct state *state, struct bytes kind, uint64_t position, struct bytes text, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_FAULT_ADD, error);
        if (!statement)
                return false;
        state_bind_text(statement, 1, kind);
        state_bind(statement, 2, (int64_t)position);
        state_bind_text(statement, 3, text);
        return state_run(&state->own, statement, error);
}

// --- migrations and control records -----------------------------------------------------------------------------------------

bool state_migration_get(struct state_reader *reader, struct bytes communication, struct arena *arena, struct bytes *ret_json,
                         uint64_t *ret_position, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_MIGRATION, error);
        if (!statement)
                return false;
        state_bind_text(statement, 1, communication);
        if (!state_one(reader, statement, "migration of this communication", error))
                return false;
        *ret_json = arena_copy(arena, state_column_bytes(statement, 0));
        *ret_position = state_column(statement, 1);
        sqlite3_reset(statement);
        return true;
}

bool state_migration_each(struct state_reader *reader, state_migration_visit *visit, void *context, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_MIGRATIONS, error);
        if (!statement)
                return false;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW)
                if (!visit(context, state_column_bytes(statement, 0), state_column(statement, 1),
                           state_column_bytes(statement, 2), error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        return result == STATE_END;
}

bool state_migration_put(struct state *state, struct bytes communication, uint64_t position, struct bytes json,
                         struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_MIGRATION_PUT, error);
        if (!statement)
                return false;
        state_bind_text(statement, 1, communication);
        state_bind(statement, 2, (int64_t)position);
        state_bind_text(statement, 3, json);
        return state_run(&state->own, statement, error);
}

bool state_control_each(struct state_reader *reader, state_control_visit *visit, void *context, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_CONTROLS, error);
        if (!statement)
                return false;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW)
                if (!visit(context, state_column(statement, 0), state_column_bytes(statement, 1),
                           state_column_bytes(statement, 2), error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        return result == STATE_END;
}

bool state_control_put(struct state *state, uint64_t position, struct bytes header, struct bytes body, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_CONTROL_PUT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)position);
        state_bind_blob(statement, 2, header);
        state_bind_blob(statement, 3, body);
        return state_run(&state->own, statement, error);
}
