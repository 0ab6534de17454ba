// SPDX-License-Identifier: Apache-2.0
// What the writer does between groups: trims, snapshots, rewrites and sweeps, a bounded piece at a time, each piece a transaction (a
// sweep is one VACUUM, which is not bounded). A piece that
// fails ends the whole job with its error; nothing is lost by submitting it again, since trimming goes on where records are left
// and an incomplete snapshot is not seen by anybody (its pieces are collected by the next one). Which job is whose turn: the
// kinds go round, each in the order of submission.
#include "log/embedded_priv.h"

#include <stdlib.h>
#include <xxhash.h>

bool embedded_has_work(const struct embedded *e) {
        for (size_t kind = 0; kind < EMBEDDED_KINDS; kind++)
                if (!list_empty(&e->works[kind]))
                        return true;
        return false;
}

bool embedded_submit_work(struct embedded *e, enum embedded_kind kind, struct list *job, struct error *error) {
        pthread_mutex_lock(&e->mutex);
        bool admitted = e->state == EMBEDDED_OPEN && !e->stopping;
        if (admitted) {
                list_append(&e->works[kind], job);
                pthread_cond_signal(&e->wake);
        } else
                error_set(error, ERROR_UNAVAILABLE, "the log is %s%s", e->stopping ? "closing" : "broken: ",
                          e->stopping ? "" : e->reason.text);
        pthread_mutex_unlock(&e->mutex);
        return admitted;
}

void embedded_remove_work(struct embedded *e, struct list *job) {
        pthread_mutex_lock(&e->mutex);
        list_remove(job);
        pthread_mutex_unlock(&e->mutex);
}

bool embedded_trim(struct log *log, struct log_trim *trim, struct error *error) {
        trim->removed = 0;
        trim->next = 0;
        return embedded_submit_work(embedded_of(log), EMBEDDED_TRIM, &trim->list, error);
}

bool embedded_snapshot_write(struct log *log, struct log_snapshot *snapshot, struct error *error) {
        snapshot->generation = 0;
        snapshot->written = 0;
        return embedded_submit_work(embedded_of(log), EMBEDDED_SNAPSHOT, &snapshot->list, error);
}

static int compare_positions(const void *a, const void *b) {
        const uint64_t *left = a, *right = b;
        return (*left > *right) - (*left < *right);
}

static bool is_kept(const struct log_trim *trim, uint64_t position) {
        return trim->keep_count > 0 &&
               bsearch(&position, trim->keep, trim->keep_count, sizeof position, compare_positions) != NULL;
}

struct trim_statements {
        struct sql_statement select, remove, base, last;
};

static void free_statements(struct trim_statements *statements) {
        sql_finalize(&statements->select);
        sql_finalize(&statements->remove);
        sql_finalize(&statements->base);
        sql_finalize(&statements->last);
}

static bool remove_record(struct trim_statements *s, uint64_t position, int64_t stream, int64_t offset, struct error *error) {
        sql_bind_number(&s->remove, 1, (int64_t)position);
        if (!sql_execute(&s->remove, error))
                return false;
        if (offset < 0)
                return true;
        sql_bind_number(&s->base, 1, stream);
        sql_bind_number(&s->base, 2, offset + 1);
        return sql_execute(&s->base, error);
}

struct trim_row {
        uint64_t position;
        int64_t stream, offset;
};

// Looks at the next records in an open transaction.
static bool trim_rows(struct embedded *e, struct log_trim *trim, size_t *ret_seen, uint64_t *ret_removed, uint64_t *ret_next,
                      struct error *error) {
        sqlite3 *db = e->writer.db;
        CLEANUP(free_statements) struct trim_statements s = {0};
        if (!sql_prepare(db,
                "SELECT position, stream, offset FROM record WHERE position BETWEEN ?1 AND ?2 ORDER BY position LIMIT ?3",
                         &s.select, error) ||
            !sql_prepare(db, "DELETE FROM record WHERE position = ?1", &s.remove, error) ||
            !sql_prepare(db, "UPDATE stream SET base = ?2 WHERE stream = ?1 AND base < ?2", &s.base, error) ||
            !sql_prepare(db, "UPDATE meta SET last_position = max(last_position, ?1)", &s.last, error))
                return false;
        sql_bind_number(&s.select, 1, (int64_t)trim->next);
        sql_bind_number(&s.select, 2, (int64_t)MIN(trim->up_to, (uint64_t)INT64_MAX));
        sql_bind_number(&s.select, 3, EMBEDDED_TRIM_PIECE);
        struct trim_row rows[EMBEDDED_TRIM_PIECE];
        size_t count = 0;
        bool row;
        while (count < EMBEDDED_TRIM_PIECE) {
                if (!sql_next(&s.select, &row, error))
                        return false;
                if (!row)
                        break;
                rows[count++] = (struct trim_row){(uint64_t)sql_number(&s.select, 0), sql_number(&s.select, 1),
                                                  sql_number(&s.select, 2)};
        }
        sql_reset(&s.select);
        uint64_t removed = 0, highest = 0;
        for (size_t i = 0; i < count; i++) {
                if (is_kept(trim, rows[i].position))
                        continue;
                if (!remove_record(&s, rows[i].position, rows[i].stream, rows[i].offset, error))
                        return false;
                highest = rows[i].position;
                removed++;
        }
        sql_bind_number(&s.last, 1, (int64_t)highest);
        if (removed > 0 && !sql_execute(&s.last, error))
                return false;
        *ret_seen = count;
        *ret_removed = removed;
        *ret_next = count > 0 ? rows[count - 1].position + 1 : trim->next;
        return true;
}

bool embedded_end_piece(struct embedded *e, bool good, struct error *error) {
        good = good && sql_execute(&e->writer.commit, error);
        if (good)
                return true;
        struct error ignored;
        if (!sqlite3_get_autocommit(e->writer.db) && !sql_execute(&e->writer.rollback, &ignored))
                *error = ignored;
        if (sql_fatal(error))
                embedded_break(e, error);
        return false;
}

static void trim_piece(struct embedded *e, struct log_trim *trim) {
        struct error error;
        size_t seen = 0;
        uint64_t removed = 0, next = 0;
        bool good = sql_execute(&e->writer.begin, &error) && trim_rows(e, trim, &seen, &removed, &next, &error);
        good = embedded_end_piece(e, good, &error);
        pthread_mutex_lock(&e->mutex);
        if (good) {
                trim->removed += removed;
                trim->next = next;
                e->stats.trimmed += removed;
        }
        bool done = !good || seen < EMBEDDED_TRIM_PIECE;
        if (done)
                list_remove(&trim->list);
        pthread_mutex_unlock(&e->mutex);
        if (done)
                trim->complete(trim, good ? NULL : &error);
}

// Removes a few pieces of snapshots that nobody can read any more.
static bool collect_pieces(sqlite3 *db, int64_t writing, bool *ret_more, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement remove = {NULL};
        if (!sql_prepare(db, "DELETE FROM snapshot_piece WHERE id IN (SELECT id FROM snapshot_piece WHERE id >> 20 <> ?1"
                             " AND id >> 20 NOT IN (SELECT generation FROM snapshot) LIMIT ?2)", &remove, error))
                return false;
        sql_bind_number(&remove, 1, writing);
        sql_bind_number(&remove, 2, EMBEDDED_SNAPSHOT_COLLECT);
        if (!sql_execute(&remove, error))
                return false;
        *ret_more = sqlite3_changes(db) == EMBEDDED_SNAPSHOT_COLLECT;
        return true;
}

static bool store_head(sqlite3 *db, const struct log_snapshot *snapshot, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement head = {NULL};
        if (!sql_prepare(db, "REPLACE INTO snapshot(name, generation, position, size, checksum) VALUES(?1, ?2, ?3, ?4, ?5)",
                &head,
                         error))
                return false;
        sql_bind_blob(&head, 1, snapshot->name);
        sql_bind_number(&head, 2, snapshot->generation);
        sql_bind_number(&head, 3, (int64_t)snapshot->position);
        sql_bind_number(&head, 4, (int64_t)snapshot->body.size);
        sql_bind_number(&head, 5, (int64_t)XXH3_64bits(snapshot->body.data, snapshot->body.size));
        return sql_execute(&head, error);
}

// The next piece in an open transaction: collect what older ones left, then a piece of the body, then the head, then collect
// again.
static bool snapshot_step(struct embedded *e, struct log_snapshot *snapshot, size_t *ret_written, bool *ret_done,
                          struct error *error) {
        sqlite3 *db = e->writer.db;
        bool more;
        *ret_written = snapshot->written;
        *ret_done = false;
        if (snapshot->generation == 0) {
                int64_t piece, head;
                if (!sql_query_number(db, "SELECT max(id) >> 20 FROM snapshot_piece", &piece, error) ||
                    !sql_query_number(db, "SELECT max(generation) FROM snapshot", &head, error))
                        return false;
                snapshot->generation = MAX(piece, head) + 1;
        }
        if (!collect_pieces(db, snapshot->generation, &more, error))
                return false;
        if (more)
                return true;
        if (snapshot->written > snapshot->body.size) {  // the head is stored, and nothing is left to collect
                *ret_done = true;
                return true;
        }
        if (snapshot->written == snapshot->body.size) {
                *ret_written = snapshot->written + 1;
                return store_head(db, snapshot, error);
        }
        CLEANUP(sql_finalize) struct sql_statement piece = {NULL};
        if (!sql_prepare(db, "INSERT INTO snapshot_piece(id, body) VALUES(?1, ?2)", &piece, error))
                return false;
        size_t size = MIN(snapshot->body.size - snapshot->written, (size_t)EMBEDDED_SNAPSHOT_PIECE);
        sql_bind_number(&piece, 1, snapshot->generation << 20 | (int64_t)(snapshot->written / EMBEDDED_SNAPSHOT_PIECE));
        sql_bind_blob(&piece, 2, (struct bytes){snapshot->body.data + snapshot->written, size});
        *ret_written = snapshot->written + size;
        return sql_execute(&piece, error);
}

static void snapshot_piece(struct embedded *e, struct log_snapshot *snapshot) {
        struct error error;
        size_t written = 0;
        bool done = false;
        bool good = sql_execute(&e->writer.begin, &error) && snapshot_step(e, snapshot, &written, &done, &error);
        good = embedded_end_piece(e, good, &error);
        if (good) {
                snapshot->written = written;
                if (!done)
                        return;
        }
        pthread_mutex_lock(&e->mutex);
        list_remove(&snapshot->list);
        pthread_mutex_unlock(&e->mutex);
        snapshot->complete(snapshot, good ? NULL : &error);
}

static void work_on(struct embedded *e, enum embedded_kind kind, struct list *job) {
        switch (kind) {
        case EMBEDDED_TRIM:
                trim_piece(e, CONTAINER_OF(job, struct log_trim, list));
                return;
        case EMBEDDED_SNAPSHOT:
                snapshot_piece(e, CONTAINER_OF(job, struct log_snapshot, list));
                return;
        case EMBEDDED_REWRITE:
                embedded_rewrite_piece(e, CONTAINER_OF(job, struct log_rewrite, list));
                return;
        case EMBEDDED_SWEEP:
                embedded_sweep_piece(e, CONTAINER_OF(job, struct log_sweep, list));
                return;
        case EMBEDDED_KINDS:
                break;
        }
        UNREACHABLE("a kind of work");
}

bool embedded_work(struct embedded *e) {
        struct list *job = NULL;
        enum embedded_kind kind = e->work_turn;
        pthread_mutex_lock(&e->mutex);
        for (size_t i = 0; i < EMBEDDED_KINDS && !job; i++) {
                kind = (enum embedded_kind)((e->work_turn + 1 + i) % EMBEDDED_KINDS);
                job = list_empty(&e->works[kind]) ? NULL : e->works[kind].next;
        }
        pthread_mutex_unlock(&e->mutex);
        e->work_turn = kind;
        if (job)
                work_on(e, kind, job);
        return job;
}

static void fail_one(enum embedded_kind kind, struct list *job, const struct error *error) {
        struct log_trim *trim = CONTAINER_OF(job, struct log_trim, list);
        struct log_snapshot *snapshot = CONTAINER_OF(job, struct log_snapshot, list);
        struct log_rewrite *rewrite = CONTAINER_OF(job, struct log_rewrite, list);
        struct log_sweep *sweep = CONTAINER_OF(job, struct log_sweep, list);
        if (kind == EMBEDDED_TRIM)
                trim->complete(trim, error);
        else if (kind == EMBEDDED_SNAPSHOT)
                snapshot->complete(snapshot, error);
        else if (kind == EMBEDDED_REWRITE)
                rewrite->complete(rewrite, error);
        else
                sweep->complete(sweep, error);
}

void embedded_fail_work(struct embedded *e) {
        struct error error;
        pthread_mutex_lock(&e->mutex);
        error_set(&error, ERROR_UNAVAILABLE, "the log is %s%s", e->stopping ? "closing" : "broken: ",
                  e->stopping ? "" : e->reason.text);
        for (size_t kind = 0; kind < EMBEDDED_KINDS; kind++)
                while (!list_empty(&e->works[kind])) {
                        struct list *job = e->works[kind].next;
                        list_remove(job);
                        pthread_mutex_unlock(&e->mutex);
                        fail_one((enum embedded_kind)kind, job, &error);
                        pthread_mutex_lock(&e->mutex);
                }
        pthread_mutex_unlock(&e->mutex);
}
