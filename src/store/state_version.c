// SPDX-License-Identifier: Apache-2.0
// Which versions of events were written, are unsettled, and are kept in copies. See state.h.
#include "store/state_priv.h"

bool state_written_each(struct state_reader *reader, state_written_visit *visit, void *context, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_WRITTEN, error);
        if (!statement)
                return false;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                struct state_written row = {
                        .stream = (uint32_t)state_column(statement, 0),
                        .schema_id = (uint32_t)state_column(statement, 1),
                        .count = state_column(statement, 2),
                        .first = state_column(statement, 3),
                        .last = state_column(statement, 4),
                        .last_ms = (int64_t)state_column(statement, 5),
                };
                if (!visit(context, &row, error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        }
        return result == STATE_END;
}

bool state_written_add(struct state *state, const struct state_written *more, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_WRITTEN_ADD, error);
        if (!statement)
                return false;
        state_bind(statement, 1, more->stream);
        state_bind(statement, 2, more->schema_id);
        state_bind(statement, 3, (int64_t)more->count);
        state_bind(statement, 4, (int64_t)more->first);
        state_bind(statement, 5, (int64_t)more->last);
        state_bind(statement, 6, more->last_ms);
        return state_run(&state->own, statement, error);
}

bool state_unsettled_version_each(struct state_reader *reader, state_unsettled_version_visit *visit, void *context,
                                  struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_UNSETTLED_VERSIONS, error);
        if (!statement)
                return false;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                struct state_unsettled_version row = {
                        .stream = (uint32_t)state_column(statement, 0),
                        .schema_id = (uint32_t)state_column(statement, 1),
                        .state = (uint32_t)state_column(statement, 2),
                        .tried = state_column(statement, 3) != 0,
                        .count = state_column(statement, 4),
                        .first = state_column(statement, 5),
                };
                if (!visit(context, &row, error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        }
        return result == STATE_END;
}

bool state_kept_each(struct state_reader *reader, state_kept_visit *visit, void *context, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_KEPT_VERSIONS, error);
        if (!statement)
                return false;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW)
                if (!visit(context, (uint32_t)state_column(statement, 0), (uint32_t)state_column(statement, 1),
                           state_column(statement, 2), error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        return result == STATE_END;
}

bool state_kept_add(struct state *state, uint32_t family, uint32_t schema_id, int64_t more, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_KEPT_ADD, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind(statement, 2, schema_id);
        state_bind(statement, 3, more);
        return state_run(&state->own, statement, error);
}

bool state_replica_schema(struct state_reader *reader, uint32_t family, struct bytes key, uint32_t *ret_schema_id,
                          struct error *error) {
        *error = (struct error){0};
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_REPLICA_SCHEMA, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind_text(statement, 2, key);
        bool there = state_next(reader, statement, error) == STATE_ROW;
        if (there && state_column(statement, 1) == 0)
                *ret_schema_id = (uint32_t)state_column(statement, 0);
        else
                there = false;
        sqlite3_reset(statement);
        return there;
}
