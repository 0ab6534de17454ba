// SPDX-License-Identifier: Apache-2.0
#include "log/sql_priv.h"

bool sql_error(sqlite3 *db, int result, const char *what, struct error *error) {
        enum error_code code = ERROR_INTERNAL;
        switch (result & 0xff) {
        case SQLITE_FULL:
                code = ERROR_FULL;
                break;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
                code = ERROR_IO;
                break;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                code = ERROR_CORRUPT;
                break;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                code = ERROR_UNAVAILABLE;
                break;
        case SQLITE_NOMEM:
        case SQLITE_PROTOCOL:
        case SQLITE_SCHEMA:
        case SQLITE_INTERRUPT:
                code = ERROR_UNAVAILABLE;
                break;
        case SQLITE_TOOBIG:
                code = ERROR_LIMIT;
                break;
        default:
                break;
        }
        return error_set(error, code, "%s: %s (SQLite %d)", what, db ? sqlite3_errmsg(db) : sqlite3_errstr(result), result);
}

bool sql_fatal(const struct error *error) {
        return error->code != ERROR_FULL && error->code != ERROR_UNAVAILABLE && error->code != ERROR_LIMIT;
}

bool sql_run(sqlite3 *db, const char *text, struct error *error) {
        int result = sqlite3_exec(db, text, NULL, NULL, NULL);
        return result == SQLITE_OK || sql_error(db, result, text, error);
}

bool sql_prepare(sqlite3 *db, const char *text, struct sql_statement *ret_statement, struct error *error) {
        sqlite3_stmt *handle = NULL;
        int result = sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL);
        if (result != SQLITE_OK)
                return sql_error(db, result, text, error);
        ret_statement->handle = handle;
        return true;
}

void sql_finalize(struct sql_statement *statement) {
        sqlite3_finalize(statement->handle);    // its result repeats the last step's
        statement->handle = NULL;
}

void sql_bind_number(struct sql_statement *statement, int at, int64_t value) {
        int result = sqlite3_bind_int64(statement->handle, at, value);
        ASSERT(result == SQLITE_OK);
}

void sql_bind_blob(struct sql_statement *statement, int at, struct bytes value) {
        int result = sqlite3_bind_blob64(statement->handle, at, value.size ? value.data : "", value.size, SQLITE_STATIC);
        ASSERT(result == SQLITE_OK);
}

void sql_bind_text(struct sql_statement *statement, int at, struct bytes value) {
        int result = sqlite3_bind_text64(statement->handle, at, value.size ? value.data : "", value.size, SQLITE_STATIC,
                                         SQLITE_UTF8);
        ASSERT(result == SQLITE_OK);
}

bool sql_execute(struct sql_statement *statement, struct error *error) {
        bool row;
        bool done = sql_next(statement, &row, error);
        sql_reset(statement);
        return done;
}

bool sql_next(struct sql_statement *statement, bool *ret_row, struct error *error) {
        int result = sqlite3_step(statement->handle);
        if (result != SQLITE_ROW && result != SQLITE_DONE)
                return sql_error(sqlite3_db_handle(statement->handle), result, sqlite3_sql(statement->handle), error);
        *ret_row = result == SQLITE_ROW;
        return true;
}

void sql_reset(struct sql_statement *statement) {
        sqlite3_reset(statement->handle);       // its result repeats the last step's
}

int64_t sql_number(struct sql_statement *statement, int column) {
        return sqlite3_column_int64(statement->handle, column);
}

struct bytes sql_blob(struct sql_statement *statement, int column) {
        const void *data = sqlite3_column_blob(statement->handle, column);
        return (struct bytes){data, (size_t)sqlite3_column_bytes(statement->handle, column)};
}

bool sql_query_number(sqlite3 *db, const char *text, int64_t *ret_number, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement query = {NULL};
        bool row;
        if (!sql_prepare(db, text, &query, error) || !sql_next(&query, &row, error))
                return false;
        *ret_number = row ? sql_number(&query, 0) : 0;
        return true;
}
