// SPDX-License-Identifier: Apache-2.0
#include "common/database.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/memory.h"

#define CHECKPOINT_EVERY_US 1000000
#define WAL_LIMIT_BYTES (64 * 1024 * 1024)   // above it the rest is checkpointed under the lock, so that the WAL starts anew
#define STATEMENTS_LIMIT 32
#define TRUNCATE_TRIES 1000

struct database {
        sqlite3 *connection;
        pthread_mutex_t lock;
        sqlite3_stmt *statements[STATEMENTS_LIMIT];
        int count;
        sqlite3_stmt *begin, *commit, *rollback;
        char *path, *wal_path;
        pthread_t checkpointer;
        bool stopping;               // under `stop_lock`
        pthread_mutex_t stop_lock;
        pthread_cond_t stop;
};

static void check(sqlite3 *connection, int code, const char *what)
{
        if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
                die("database: %s: %s", what, sqlite3_errmsg(connection));
}

static sqlite3 *connect_to(const char *path)
{
        sqlite3 *connection = NULL;
        int code = sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
        check(connection, code, path);
        // Small pages: a transaction here changes a few rows, and every changed page goes to the WAL as a whole.
        code = sqlite3_exec(connection, "PRAGMA busy_timeout=5000; PRAGMA page_size=1024; PRAGMA journal_mode=WAL;"
                            "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0;"
                            "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-4096;",
                            NULL, NULL, NULL);
        check(connection, code, path);
        return connection;
}

static bool wait_or_stop(struct database *database)
{
        int64_t until = now_us() + CHECKPOINT_EVERY_US;
        struct timespec deadline = { .tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000 };
        pthread_mutex_lock(&database->stop_lock);
        while (!database->stopping)
                if (pthread_cond_timedwait(&database->stop, &database->stop_lock, &deadline) != 0)
                        break;
        bool stopping = database->stopping;
        pthread_mutex_unlock(&database->stop_lock);
        return !stopping;
}

static void *checkpoint(void *context)
{
        struct database *database = context;
        sqlite3 *connection = connect_to(database->path);
        while (wait_or_stop(database)) {
                sqlite3_wal_checkpoint_v2(connection, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
                struct stat wal;
                if (stat(database->wal_path, &wal) != 0 || wal.st_size < WAL_LIMIT_BYTES)
                        continue;
                pthread_mutex_lock(&database->lock);
                sqlite3_wal_checkpoint_v2(connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
                pthread_mutex_unlock(&database->lock);
        }
        sqlite3_close(connection);
        return NULL;
}

struct database *database_open(const char *path, const char *schema)
{
        struct database *database = must_allocate(sizeof(*database));
        database->path = must_print("%s", path);
        database->wal_path = must_print("%s-wal", path);
        database->connection = connect_to(path);
        pthread_mutex_init(&database->lock, NULL);
        pthread_mutex_init(&database->stop_lock, NULL);
        pthread_cond_init(&database->stop, NULL);
        database_run(database, schema);
        database->begin = database_prepare(database, "BEGIN IMMEDIATE");
        database->commit = database_prepare(database, "COMMIT");
        database->rollback = database_prepare(database, "ROLLBACK");
        if (pthread_create(&database->checkpointer, NULL, checkpoint, database) != 0)
                die("cannot start a thread");
        return database;
}

void database_close(struct database *database)
{
        pthread_mutex_lock(&database->stop_lock);
        database->stopping = true;
        pthread_cond_signal(&database->stop);
        pthread_mutex_unlock(&database->stop_lock);
        pthread_join(database->checkpointer, NULL);
        for (int i = 0; i < database->count; i++)
                sqlite3_finalize(database->statements[i]);
        sqlite3_wal_checkpoint_v2(database->connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_close(database->connection);
        free(database->path);
        free(database->wal_path);
        free(database);
}

sqlite3_stmt *database_prepare(struct database *database, const char *sql)
{
        if (database->count == STATEMENTS_LIMIT)
                die("more than %d statements", STATEMENTS_LIMIT);
        sqlite3_stmt *statement = NULL;
        int code = sqlite3_prepare_v3(database->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
        check(database->connection, code, sql);
        database->statements[database->count++] = statement;
        return statement;
}

void database_lock(struct database *database)
{
        pthread_mutex_lock(&database->lock);
}

// A read's statement must not stay open: it would hold back the checkpoint.
void database_unlock(struct database *database)
{
        for (int i = 0; i < database->count; i++)
                if (sqlite3_stmt_busy(database->statements[i]))
                        sqlite3_reset(database->statements[i]);
        pthread_mutex_unlock(&database->lock);
}

void database_begin(struct database *database)
{
        pthread_mutex_lock(&database->lock);
        query(database->begin, "");
}

void database_commit(struct database *database)
{
        for (int i = 0; i < database->count; i++)
                if (sqlite3_stmt_busy(database->statements[i]))
                        sqlite3_reset(database->statements[i]);
        query(database->commit, "");
        pthread_mutex_unlock(&database->lock);
}

void database_rollback(struct database *database)
{
        for (int i = 0; i < database->count; i++)
                sqlite3_reset(database->statements[i]);
        query(database->rollback, "");
        pthread_mutex_unlock(&database->lock);
}

void database_make_anew(struct database *database)
{
        for (int i = 0; i < database->count; i++)
                sqlite3_reset(database->statements[i]);
        database_run(database, "PRAGMA secure_delete=ON; VACUUM");
        int code = SQLITE_BUSY;
        for (int i = 0; i < TRUNCATE_TRIES && code == SQLITE_BUSY; i++) {       // our own checkpointer's turn, whom no busy_timeout awaits
                if (i > 0)
                        sqlite3_sleep(10);
                code = sqlite3_wal_checkpoint_v2(database->connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        }
        check(database->connection, code, "wal_checkpoint(TRUNCATE)");
}

void database_run(struct database *database, const char *sql)
{
        check(database->connection, sqlite3_exec(database->connection, sql, NULL, NULL, NULL), sql);
}

bool query(sqlite3_stmt *statement, const char *types, ...)
{
        sqlite3_reset(statement);
        va_list values;
        va_start(values, types);
        for (int i = 0; types[i]; i++) {
                int code = types[i] == 'i' ? sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t))
                                           : sqlite3_bind_text(statement, i + 1, va_arg(values, const char *), -1, SQLITE_STATIC);
                check(sqlite3_db_handle(statement), code, "bind");
        }
        va_end(values);
        return next_row(statement);
}

bool next_row(sqlite3_stmt *statement)
{
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
                return true;
        check(sqlite3_db_handle(statement), code, sqlite3_sql(statement));
        sqlite3_reset(statement);
        return false;
}

int64_t column_integer(sqlite3_stmt *statement, int column)
{
        return sqlite3_column_int64(statement, column);
}

const char *column_text(sqlite3_stmt *statement, int column)
{
        const unsigned char *text = sqlite3_column_text(statement, column);
        return text ? (const char *)text : "";
}

int64_t inserted_id(sqlite3_stmt *statement)
{
        return sqlite3_last_insert_rowid(sqlite3_db_handle(statement));
}
