// SPDX-License-Identifier: Apache-2.0
// Opening, recovering, reopening and closing of the embedded log. The order of the steps, and why, is in embedded_priv.h.
#include "log/embedded_priv.h"

#include "os/disk.h"

static const char SCHEMA[] =
        "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), log_id BLOB NOT NULL, opened INTEGER NOT NULL,"
        " last_position INTEGER NOT NULL);"
        "INSERT INTO meta VALUES(1, randomblob(16), 0, 0);"
        "CREATE TABLE stream(stream INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL,"
        " base INTEGER NOT NULL);"
        "CREATE TABLE record(position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, offset INTEGER NOT NULL,"
        " checksum INTEGER NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL);"
        "CREATE UNIQUE INDEX record_by_offset ON record(stream, offset) WHERE offset >= 0;"
        "CREATE TABLE snapshot(name BLOB PRIMARY KEY, generation INTEGER NOT NULL, position INTEGER NOT NULL,"
        " size INTEGER NOT NULL, checksum INTEGER NOT NULL);"
        "CREATE TABLE snapshot_piece(id INTEGER PRIMARY KEY, body BLOB NOT NULL);";

bool embedded_connect(const struct embedded *e, sqlite3 **ret_db, struct error *error) {
        sqlite3 *db = NULL;
        int result = sqlite3_open_v2(e->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, e->disk);
        if (result == SQLITE_OK)
                result = sqlite3_extended_result_codes(db, 1);
        // Closing must not checkpoint: a broken log would copy pages from frames that may not be durable.
        if (result == SQLITE_OK)
                result = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        if (result == SQLITE_OK)
                result = sqlite3_busy_timeout(db, 2000);        // a person's sqlite3 shell; the log itself never contends
        if (result != SQLITE_OK) {
                sql_error(db, result, "open", error);
                sqlite3_close(db);
                return false;
        }
        *ret_db = db;
        return true;
}

// Step 1 of the recovery: what is read from the WAL from now on is on the disk.
static bool rewrite_file(sqlite3_vfs *vfs, const char *name, struct error *error) {
        sqlite3_file *file = must_calloc(1, (size_t)vfs->szOsFile);
        CLEANUP(free_pointer) sqlite3_file *freed = file;
        CLEANUP(free_pointer) char *piece = must_malloc(EMBEDDED_REWRITE_PIECE);
        int flags = 0;
        int result = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, &flags);
        if (result != SQLITE_OK || !file->pMethods)
                return error_set(error, ERROR_IO, "open the WAL: %s", sqlite3_errstr(result));
        sqlite3_int64 size = 0, at = 0;
        result = file->pMethods->xFileSize(file, &size);
        while (result == SQLITE_OK && at < size) {
                int now = (int)MIN(size - at, (sqlite3_int64)EMBEDDED_REWRITE_PIECE);
                result = file->pMethods->xRead(file, piece, now, at);
                if (result == SQLITE_OK)
                        result = file->pMethods->xWrite(file, piece, now, at);
                at += now;
        }
        if (result == SQLITE_OK && size > 0)
                result = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
        int closed = file->pMethods->xClose(file);
        if (result == SQLITE_OK)
                result = closed;
        return result == SQLITE_OK || sql_error(NULL, result, "write the WAL again", error);
}

static bool rewrite_wal(const struct embedded *e, struct error *error) {
        sqlite3_vfs *vfs = sqlite3_vfs_find(e->disk);
        if (!vfs)
                return error_set(error, ERROR_NOT_FOUND, "no disk layer %s", e->disk);
        CLEANUP(free_pointer) char *full = must_calloc(1, (size_t)vfs->mxPathname + 1);
        int result = vfs->xFullPathname(vfs, e->path, vfs->mxPathname + 1, full);
        if (result != SQLITE_OK && (result & 0xff) != SQLITE_OK)
                return error_set(error, ERROR_IO, "the path cannot be resolved");
        struct buffer journal = {0}, wal = {0};
        buffer_print(&journal, "%s-journal", full);
        buffer_print(&wal, "%s-wal", full);
        CLEANUP(free_pointer) char *journal_path = buffer_take_text(&journal);
        CLEANUP(free_pointer) char *wal_path = buffer_take_text(&wal);
        int exists = 0;
        result = vfs->xAccess(vfs, wal_path, SQLITE_ACCESS_EXISTS, &exists);
        if (result != SQLITE_OK)
                return sql_error(NULL, result, "look for the WAL", error);
        if (!exists)
                return true;
        const char *names = sqlite3_create_filename(full, journal_path, wal_path, 0, NULL);
        if (!names)
                return error_set(error, ERROR_INTERNAL, "out of memory");
        bool rewritten = rewrite_file(vfs, sqlite3_filename_wal(names), error);
        sqlite3_free_filename(names);
        return rewritten;
}

// Makes the tables of a new file, or refuses one that is not a log of a known format. In an open transaction.
static bool check_format(sqlite3 *db, struct error *error) {
        int64_t application, version, tables;
        if (!sql_query_number(db, "PRAGMA application_id", &application, error) ||
            !sql_query_number(db, "PRAGMA user_version", &version, error) ||
            !sql_query_number(db, "SELECT count(*) FROM sqlite_schema", &tables, error))
                return false;
        if (application == 0 && version == 0 && tables == 0) {
                char text[64];
                sqlite3_snprintf(sizeof text, text, "PRAGMA application_id = %d", EMBEDDED_APPLICATION_ID);
                return sql_run(db, SCHEMA, error) && sql_run(db, text, error);
        }
        if (application != EMBEDDED_APPLICATION_ID)
                return error_set(error, ERROR_CORRUPT, "is a database, but not a log");
        if (version != EMBEDDED_VERSION)
                return error_set(error, ERROR_UNSUPPORTED, "has format version %lld; this program knows %d", (long long)version,
                                 EMBEDDED_VERSION);
        return true;
}

// Step 2: a transaction of its own. It always writes page 1 (user_version), so that the checkpoint of log_open makes it durable.
static bool commit_recovery(sqlite3 *db, struct error *error) {
        char version[64];
        sqlite3_snprintf(sizeof version, version, "PRAGMA user_version = %d", EMBEDDED_VERSION);
        return sql_run(db, "BEGIN IMMEDIATE", error) && check_format(db, error) && sql_run(db, version, error) &&
               sql_run(db, "UPDATE meta SET opened = opened + 1", error) && sql_run(db, "COMMIT", error);
}

static bool load(struct embedded *e, struct error *error) {
        int64_t highest, trimmed;
        sqlite3 *db = e->writer.db;
        CLEANUP(sql_finalize) struct sql_statement id = {NULL};
        bool row;
        if (!sql_prepare(db, "SELECT log_id FROM meta", &id, error) || !sql_next(&id, &row, error))
                return false;
        if (!row || sql_blob(&id, 0).size != LOG_ID_SIZE)
                return error_set(error, ERROR_CORRUPT, "has no id");
        memcpy(e->id, sql_blob(&id, 0).data, LOG_ID_SIZE);
        sql_reset(&id);
        if (!embedded_streams_load(e, error) || !embedded_verify_tail(e, error) ||
            !sql_query_number(db, "SELECT max(position) FROM record", &highest, error) ||
            !sql_query_number(db, "SELECT last_position FROM meta", &trimmed, error))
                return false;
        e->last_position = (uint64_t)MAX(highest, trimmed);
        e->next_position = MAX(e->next_position, e->last_position + 1);
        return true;
}

// Recovers with fresh connections. On failure whatever was opened stays for embedded_disconnect.
static bool recover(struct embedded *e, struct error *error) {
        static const char settings[] = "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                       "PRAGMA cache_size = -2048; PRAGMA journal_size_limit = 67108864;"
                                       "PRAGMA temp_store = memory;"
                                       "PRAGMA trusted_schema = off; PRAGMA wal_autocheckpoint = 0";
        if (!rewrite_wal(e, error) || !embedded_connect(e, &e->writer.db, error) || !sql_run(e->writer.db, settings, error) ||
            !commit_recovery(e->writer.db, error) || !load(e, error) || !embedded_writer_prepare(e, error))
                return false;
        return !e->threaded || (embedded_connect(e, &e->checkpointer, error) &&
                                sql_run(e->checkpointer, "PRAGMA synchronous = FULL; PRAGMA cache_size = -256;"
                                                         "PRAGMA journal_size_limit = 67108864", error));
}

static void disconnect(struct embedded *e) {
        embedded_writer_close(e);
        sqlite3_close(TAKE(e->checkpointer));
}

static void remember_gap(struct embedded *e, struct embedded_gap gap) {
        if (e->gap_count > 0 && e->gaps[e->gap_count - 1].last + 1 == gap.first) {
                e->gaps[e->gap_count - 1].last = gap.last;
                return;
        }
        if (e->gap_count == EMBEDDED_GAPS_MAX) {
                e->gaps_forgotten = e->gaps[0].last;
                memmove(e->gaps, e->gaps + 1, (EMBEDDED_GAPS_MAX - 1) * sizeof *e->gaps);
                e->gap_count--;
        }
        e->gaps[e->gap_count++] = gap;
}

// Step 3.
static bool settle_doubt(struct embedded *e, struct error *error) {
        if (e->doubt.first == 0)
                return true;
        char text[96];
        int64_t there;
        sqlite3_snprintf(sizeof text, text, "SELECT count(*) FROM record WHERE position = %lld", (long long)e->doubt.first);
        if (!sql_query_number(e->writer.db, text, &there, error))
                return false;
        pthread_mutex_lock(&e->mutex);
        if (there == 0)
                remember_gap(e, e->doubt);
        pthread_mutex_unlock(&e->mutex);
        e->doubt = (struct embedded_gap){0, 0};
        return true;
}

// Waits until neither thread is in its connection and what was queued has failed.
static bool wait_until_idle(struct embedded *e) {
        if (!e->threaded && log_broken(&e->log)) {
                embedded_fail_queue(e);
                embedded_fail_work(e);
        }
        pthread_mutex_lock(&e->mutex);
        bool broken = e->state == EMBEDDED_BROKEN;
        while (broken && e->threaded && (e->writer_busy || e->checkpoint_busy || !list_empty(&e->queue) ||
                                         embedded_has_work(e)))
                pthread_cond_wait(&e->idle, &e->mutex);
        pthread_mutex_unlock(&e->mutex);
        return broken;
}

bool embedded_reopen(struct log *log, struct error *error) {
        struct embedded *e = embedded_of(log);
        if (!wait_until_idle(e))
                return true;
        pthread_mutex_lock(&e->reopening);
        disconnect(e);
        bool reopened = recover(e, error) && settle_doubt(e, error);
        if (reopened) {
                pthread_mutex_lock(&e->mutex);
                e->state = EMBEDDED_OPEN;
                e->stats.reopens++;
                pthread_mutex_unlock(&e->mutex);
        }
        pthread_mutex_unlock(&e->reopening);
        return reopened || error_wrap(error, "reopen %s", e->path);
}

static bool is_broken(struct log *log) {
        struct embedded *e = embedded_of(log);
        pthread_mutex_lock(&e->mutex);
        bool broken = e->state == EMBEDDED_BROKEN;
        pthread_mutex_unlock(&e->mutex);
        return broken;
}

static bool resolve(struct log *log, uint64_t ticket, enum log_fate *ret_fate, struct error *error) {
        struct embedded *e = embedded_of(log);
        bool known = true;
        pthread_mutex_lock(&e->mutex);
        if (e->state == EMBEDDED_BROKEN)
                known = error_set(error, ERROR_UNAVAILABLE, "the log is broken: %s", e->reason.text);
        else if (ticket <= e->gaps_forgotten)
                known = error_set(error, ERROR_NOT_FOUND, "nothing is remembered about a submission that old");
        else {
                enum log_fate fate = LOG_LANDED;
                for (size_t i = e->gap_count; i-- > 0 && fate == LOG_LANDED;)
                        if (ticket >= e->gaps[i].first && ticket <= e->gaps[i].last)
                                fate = LOG_NOT_LANDED;
                if (fate == LOG_LANDED && ticket > e->last_position)
                        known = error_set(error, ERROR_NOT_FOUND, "no submission has this ticket");
                else
                        *ret_fate = fate;
        }
        pthread_mutex_unlock(&e->mutex);
        return known;
}

static void get_stats(struct log *log, struct log_stats *ret_stats) {
        struct embedded *e = embedded_of(log);
        pthread_mutex_lock(&e->mutex);
        *ret_stats = e->stats;
        ret_stats->read = atomic_load(&e->read);
        pthread_mutex_unlock(&e->mutex);
}

static uint64_t last_position(struct log *log) {
        struct embedded *e = embedded_of(log);
        pthread_mutex_lock(&e->mutex);
        uint64_t position = e->last_position;
        pthread_mutex_unlock(&e->mutex);
        return position;
}

static void get_id(const struct log *log, uint8_t *ret_id) {
        memcpy(ret_id, ((const struct embedded *)log)->id, LOG_ID_SIZE);
}

static void free_embedded(struct embedded *e) {
        disconnect(e);
        disk_unlock(e->lock);
        embedded_streams_free(e);
        pthread_mutex_destroy(&e->mutex);
        pthread_mutex_destroy(&e->reopening);
        pthread_cond_destroy(&e->wake);
        pthread_cond_destroy(&e->wake_checkpoint);
        pthread_cond_destroy(&e->idle);
        free_pointer(&e->disk);
        free_pointer(&e->path);
        free_pointer(&e);
}

static void close_log(struct log *log) {
        struct embedded *e = embedded_of(log);
        if (!e->threaded)
                while (embedded_step(log))
                        ;
        pthread_mutex_lock(&e->mutex);
        e->stopping = true;
        pthread_cond_broadcast(&e->wake);
        pthread_cond_broadcast(&e->wake_checkpoint);
        pthread_mutex_unlock(&e->mutex);
        if (e->threaded) {
                pthread_join(e->writer_thread, NULL);
                pthread_join(e->checkpoint_thread, NULL);
        }
        embedded_fail_work(e);
        if (!log_broken(log))   // so that log.db alone is complete; without it the next start does it
                sqlite3_wal_checkpoint_v2(e->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        free_embedded(e);
}

static const struct log_backend embedded_backend = {
        .close = close_log, .id = get_id, .stream = embedded_stream_get, .stream_count = embedded_stream_count,
        .stream_info = embedded_stream_info, .append = embedded_append, .append_wait = embedded_append_wait,
        .step = embedded_step, .broken = is_broken, .reopen = embedded_reopen, .resolve = resolve, .trim = embedded_trim,
        .rewrite = embedded_rewrite, .sweep = embedded_sweep, .snapshot_write = embedded_snapshot_write, .stats = get_stats,
        .last_position = last_position,
        .reader_open = embedded_reader_open, .reader_close = embedded_reader_close, .read = embedded_read,
        .first_position = embedded_first_position, .snapshot_read = embedded_snapshot_read,
};

static struct embedded *make(const char *path, const struct log_options *options) {
        struct embedded *e = must_calloc(1, sizeof *e);
        e->log.backend = &embedded_backend;
        e->path = bytes_to_text(bytes_of(path));
        e->disk = options->disk ? bytes_to_text(bytes_of(options->disk)) : NULL;
        e->threaded = options->threaded;
        e->queue_records_max = options->queue_records ? options->queue_records : LOG_QUEUE_RECORDS_MAX;
        e->queue_bytes_max = options->queue_bytes ? options->queue_bytes : LOG_QUEUE_BYTES_MAX;
        e->group_records_max = options->group_records ? options->group_records : LOG_GROUP_RECORDS_MAX;
        e->group_bytes_max = options->group_bytes ? options->group_bytes : LOG_GROUP_BYTES_MAX;
        e->checkpoint_pages = options->checkpoint_pages ? options->checkpoint_pages : LOG_CHECKPOINT_PAGES;
        e->lock = -1;
        e->next_position = 1;
        e->streams = must_calloc(LOG_STREAMS_MAX + 1, sizeof *e->streams);
        list_init(&e->queue);
        for (size_t kind = 0; kind < EMBEDDED_KINDS; kind++)
                list_init(&e->works[kind]);
        pthread_mutex_init(&e->mutex, NULL);
        pthread_mutex_init(&e->reopening, NULL);
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&e->wake, &monotonic);
        pthread_cond_init(&e->wake_checkpoint, NULL);
        pthread_cond_init(&e->idle, NULL);
        pthread_condattr_destroy(&monotonic);
        return e;
}

static bool lock_path(struct embedded *e, struct error *error) {
        struct buffer name = {0};
        buffer_print(&name, "%s-lock", e->path);
        CLEANUP(free_pointer) char *path = buffer_take_text(&name);
        return disk_lock(path, &e->lock, error);
}

bool embedded_open(const char *path, const struct log_options *options, struct log **ret_log, struct error *error) {
        struct embedded *e = make(path, options);
        bool opened = (e->disk || lock_path(e, error)) && recover(e, error);
        if (opened) {
                int result = sqlite3_wal_checkpoint_v2(e->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
                opened = result == SQLITE_OK || (result & 0xff) == SQLITE_FULL ||
                         sql_error(e->writer.db, result, "checkpoint", error);
        }
        opened = opened && (e->disk || disk_sync_directory(path, error));
        if (!opened) {
                free_embedded(e);
                return error_wrap(error, "open log %s", path);
        }
        if (e->threaded) {
                int failed = pthread_create(&e->writer_thread, NULL, embedded_writer_run, e);
                ASSERT(failed == 0);
                failed = pthread_create(&e->checkpoint_thread, NULL, embedded_checkpoint_run, e);
                ASSERT(failed == 0);
        }
        *ret_log = &e->log;
        return true;
}
