// SPDX-License-Identifier: Apache-2.0
// A service's own SQLite database (WAL, synchronous=NORMAL): one connection, one lock, prepared statements, short
// transactions. A commit survives the death of the process; a thread with a connection of its own checkpoints, so that no
// request waits for a disk's flush. Any error of SQLite ends the process: what was answered is committed, a restart goes on.
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct database;

// Opens or creates; `schema` is run (CREATE TABLE IF NOT EXISTS …). Ends the process with a message when it cannot.
struct database *database_open(const char *path, const char *schema);
void database_close(struct database *database);   // waits for nobody: call it when the server has stopped

sqlite3_stmt *database_prepare(struct database *database, const char *sql);   // lives as long as the database

void database_lock(struct database *database);        // for reads
void database_unlock(struct database *database);
void database_begin(struct database *database);       // locks, BEGIN IMMEDIATE
void database_commit(struct database *database);      // COMMIT, unlocks
void database_rollback(struct database *database);    // ROLLBACK, unlocks
// Erases what deleted and changed rows left in the file: from now on SQLite overwrites it (secure_delete), the file is made anew
// without free pages (VACUUM) and the WAL cut to nothing. Under the lock, in no transaction.
void database_make_anew(struct database *database);

void database_run(struct database *database, const char *sql);   // under the lock; ends the process on errors

// Resets, binds and steps. types: 'i' int64_t, 't' const char * (NULL is SQL's), in order of the parameters. True: there is a
// row. Under the lock only; texts must live until the statement is used again.
bool query(sqlite3_stmt *statement, const char *types, ...);
bool next_row(sqlite3_stmt *statement);
int64_t column_integer(sqlite3_stmt *statement, int column);
const char *column_text(sqlite3_stmt *statement, int column);   // "" for NULL; until the next step
int64_t inserted_id(sqlite3_stmt *statement);                   // rowid of the last INSERT of this connection
