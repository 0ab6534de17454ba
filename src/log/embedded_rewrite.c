// SPDX-License-Identifier: Apache-2.0
// Erasure in the embedded log: records are replaced where they are, and a sweep leaves nothing of what was. Both run on the writer
// thread between groups. A rewrite is one transaction; what fails in it follows the rules of a group (embedded_priv.h), but for
// positions: it has none of its own, so nothing is left in doubt but which of two contents a record has.
//
// Where an old body may still be after a rewrite, and what takes it away:
//      in the record's own cell and overflow pages     secure_delete, which is on for the transaction
//      in pages that the trees' balancing left behind, and in free pages       VACUUM writes every page anew, from live rows alone
//      in frames of the WAL                            the checkpoint with TRUNCATE, which needs all readers past them
//      in snapshots                                    their owner replaces them before it sweeps
#include "log/embedded_priv.h"

enum { SWEEP_TRIES_MAX = 300 };         // pieces of work that find a reader in the way; each waits for the connection's busy timeout

bool embedded_rewrite(struct log *log, struct log_rewrite *rewrite, struct error *error) {
        rewrite->replaced = 0;
        return embedded_submit_work(embedded_of(log), EMBEDDED_REWRITE, &rewrite->list, error);
}

bool embedded_sweep(struct log *log, struct log_sweep *sweep, struct error *error) {
        sweep->vacuumed = false;
        sweep->tries = 0;
        return embedded_submit_work(embedded_of(log), EMBEDDED_SWEEP, &sweep->list, error);
}

// In an open transaction.
static bool replace(struct embedded *e, const struct log_rewrite *rewrite, size_t *ret_replaced, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement update = {NULL};
        size_t replaced = 0;
        if (!sql_prepare(e->writer.db, "UPDATE record SET checksum = ?4, header = ?5, body = ?6"
                         " WHERE position = ?1 AND stream = ?2 AND offset = ?3", &update, error))
                return false;
        for (size_t i = 0; i < rewrite->count; i++) {
                const struct log_record *record = &rewrite->records[i];
                sql_bind_number(&update, 1, (int64_t)record->position);
                sql_bind_number(&update, 2, record->stream);
                sql_bind_number(&update, 3, record->offset);
                sql_bind_number(&update, 4, embedded_checksum(record));
                sql_bind_blob(&update, 5, record->header);
                sql_bind_blob(&update, 6, record->body);
                if (!sql_execute(&update, error))
                        return false;
                replaced += (size_t)sqlite3_changes(e->writer.db);
        }
        *ret_replaced = replaced;
        return true;
}

void embedded_rewrite_piece(struct embedded *e, struct log_rewrite *rewrite) {
        struct error error, ignored;
        size_t replaced = 0;
        bool good = sql_run(e->writer.db, "PRAGMA secure_delete = on", &error) && sql_execute(&e->writer.begin, &error) &&
                    replace(e, rewrite, &replaced, &error);
        good = embedded_end_piece(e, good, &error);
        IGNORE(sql_run(e->writer.db, "PRAGMA secure_delete = off", &ignored));          // on costs trims time, and nothing else
        rewrite->replaced = good ? replaced : 0;
        embedded_remove_work(e, &rewrite->list);
        rewrite->complete(rewrite, good ? NULL : &error);
}

// VACUUM puts its copy into a file: in memory it would have to fit.
static bool vacuum(struct embedded *e, struct error *error) {
        struct error why;
        bool good = sql_run(e->writer.db, "PRAGMA temp_store = file; VACUUM", &why);
        if (!sql_run(e->writer.db, "PRAGMA temp_store = memory", error))
                return false;
        if (!good)
                *error = why;
        return good;
}

// *ret_busy: a reader, or the checkpoint thread, is in the way.
static bool empty_wal(struct embedded *e, bool *ret_busy, struct error *error) {
        int result = sqlite3_wal_checkpoint_v2(e->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        *ret_busy = (result & 0xff) == SQLITE_BUSY || (result & 0xff) == SQLITE_LOCKED;
        if (result == SQLITE_OK)
                e->writer.wal_frames = 0;
        return result == SQLITE_OK || sql_error(e->writer.db, result, "checkpoint", error);
}

void embedded_sweep_piece(struct embedded *e, struct log_sweep *sweep) {
        struct error error;
        bool busy = false;
        bool good = sweep->vacuumed || vacuum(e, &error);
        sweep->vacuumed = good;
        good = good && empty_wal(e, &busy, &error);
        if (busy && sweep->tries++ < SWEEP_TRIES_MAX)
                return;
        if (!good && sql_fatal(&error))
                embedded_break(e, &error);
        embedded_remove_work(e, &sweep->list);
        sweep->complete(sweep, good ? NULL : &error);
}
