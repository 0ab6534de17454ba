// SPDX-License-Identifier: Apache-2.0
// Thin wrapper of SQLite: its results as our errors, statements with their connection.
#pragma once

#include <sqlite3.h>

#include "base/bytes.h"
#include "base/error.h"

struct sql_statement {
        sqlite3_stmt *handle;
};

// Fills the error from a result: FULL, IO, CORRUPT, UNAVAILABLE (another connection has the lock), LIMIT, INTERNAL. Returns
// false.
bool sql_error(sqlite3 *db, int result, const char *what, struct error *error);

// Whether an error leaves the file's state in question, so that the log must be reopened.
bool sql_fatal(const struct error *error);

MUST_USE bool sql_run(sqlite3 *db, const char *text, struct error *error);      // any number of statements, rows ignored
MUST_USE bool sql_prepare(sqlite3 *db, const char *text, struct sql_statement *ret_statement, struct error *error);
void sql_finalize(struct sql_statement *statement);                             // fit for CLEANUP

void sql_bind_number(struct sql_statement *statement, int at, int64_t value);
void sql_bind_blob(struct sql_statement *statement, int at, struct bytes value);        // not copied
void sql_bind_text(struct sql_statement *statement, int at, struct bytes value);        // not copied

// Runs a statement that gives no rows, and resets it.
MUST_USE bool sql_execute(struct sql_statement *statement, struct error *error);
// Goes to the next row; *ret_row false at the end. The caller resets.
MUST_USE bool sql_next(struct sql_statement *statement, bool *ret_row, struct error *error);
void sql_reset(struct sql_statement *statement);

int64_t sql_number(struct sql_statement *statement, int column);
struct bytes sql_blob(struct sql_statement *statement, int column);     // until the next row

// The one number that a query gives (0 for NULL or no row).
MUST_USE bool sql_query_number(sqlite3 *db, const char *text, int64_t *ret_number, struct error *error);
