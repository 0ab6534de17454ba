// SPDX-License-Identifier: Apache-2.0
// The writer of the embedded log: takes whatever is queued, up to the bounds of a group, and commits it as one transaction with
// one fsync; between groups it does a piece of other work. And the checkpoint thread, which copies the WAL into the file. Both
// sleep while the log is broken.
#include "log/embedded_priv.h"

#include <time.h>

uint64_t embedded_now_us(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int remember_frames(void *writer, sqlite3 *db, const char *schema, int frames) {
        ASSERT(db && schema);
        ((struct embedded_writer *)writer)->wal_frames = frames;
        return SQLITE_OK;
}

bool embedded_writer_prepare(struct embedded *e, struct error *error) {
        struct embedded_writer *writer = &e->writer;
        sqlite3_wal_hook(writer->db, remember_frames, writer);
        return sql_prepare(writer->db, "BEGIN IMMEDIATE", &writer->begin, error) &&
               sql_prepare(writer->db, "COMMIT", &writer->commit, error) &&
               sql_prepare(writer->db, "ROLLBACK", &writer->rollback, error) &&
               sql_prepare(writer->db, "INSERT INTO record(position, stream, offset, checksum, header, body)"
                                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6)", &writer->insert, error) &&
               sql_prepare(writer->db, "INSERT INTO stream(stream, name, kind, base) VALUES(?1, ?2, ?3, 0)",
                           &writer->insert_stream, error);
}

void embedded_writer_close(struct embedded *e) {
        struct embedded_writer *writer = &e->writer;
        struct sql_statement *statements[] = {&writer->begin, &writer->commit, &writer->rollback, &writer->insert,
                                              &writer->insert_stream};
        for (size_t i = 0; i < ARRAY_SIZE(statements); i++)
                sql_finalize(statements[i]);
        sqlite3_close(TAKE(writer->db));
}

// Takes a group from the queue's front. Mutex held.
static void take_group(struct embedded *e, struct list *group) {
        size_t records = 0, bytes = 0;
        while (!list_empty(&e->queue)) {
                struct log_batch *batch = LIST_FIRST(&e->queue, struct log_batch, list);
                records += batch->count;
                bytes += embedded_batch_bytes(batch);
                if (!list_empty(group) && (records > e->group_records_max || bytes > e->group_bytes_max))
                        break;
                list_remove(&batch->list);
                list_append(group, &batch->list);
        }
}

// Ends submissions: figures first, then the callbacks, after which a batch may be gone. The outcome of those that are still
// pending is the given one; the error is theirs.
static void complete_group(struct embedded *e, struct list *group, enum log_outcome outcome, const struct error *error) {
        pthread_mutex_lock(&e->mutex);
        LIST_FOR_EACH(element, group) {
                struct log_batch *batch = CONTAINER_OF(element, struct log_batch, list);
                size_t bytes = embedded_batch_bytes(batch);
                e->stats.queue_records -= batch->count;
                e->stats.queue_bytes -= bytes;
                batch->outcome = outcome;
                if (outcome == LOG_FAILED)
                        batch->ticket = 0;
                e->stats.failed += outcome == LOG_FAILED;
                e->stats.unknown += outcome == LOG_UNKNOWN;
                if (outcome != LOG_DURABLE)
                        continue;
                e->stats.submissions++;
                e->stats.records += batch->count;
                e->stats.bytes += bytes;
                for (size_t i = 0; i < batch->count; i++) {
                        struct embedded_stream *stream = e->streams[batch->records[i].stream];
                        if (stream->kind == LOG_STREAM_OFFSETS)
                                stream->next_offset = batch->records[i].offset + 1;
                        e->last_position = batch->records[i].position;
                }
        }
        pthread_mutex_unlock(&e->mutex);
        while (!list_empty(group)) {
                struct log_batch *batch = LIST_FIRST(group, struct log_batch, list);
                list_remove(&batch->list);
                batch->complete(batch, outcome == LOG_DURABLE ? NULL : error);
        }
}

void embedded_break(struct embedded *e, const struct error *reason) {
        pthread_mutex_lock(&e->mutex);
        if (e->state == EMBEDDED_OPEN) {
                e->state = EMBEDDED_BROKEN;
                e->reason = *reason;
        }
        pthread_cond_broadcast(&e->wake);       // the writer fails what is queued
        pthread_mutex_unlock(&e->mutex);
}

void embedded_fail_queue(struct embedded *e) {
        struct list failed;
        list_init(&failed);
        struct error error;
        pthread_mutex_lock(&e->mutex);
        ASSERT(e->state == EMBEDDED_BROKEN);
        while (!list_empty(&e->queue)) {
                struct list *element = e->queue.next;
                list_remove(element);
                list_append(&failed, element);
        }
        error_set(&error, ERROR_UNAVAILABLE, "the log is broken: %s", e->reason.text);
        pthread_mutex_unlock(&e->mutex);
        complete_group(e, &failed, LOG_FAILED, &error);
}

// Whether the offsets continue their streams; stages them if so.
static bool stage_offsets(struct embedded *e, const struct log_batch *batch, struct error *error) {
        for (size_t i = 0; i < batch->count; i++) {
                const struct log_record *record = &batch->records[i];
                struct embedded_stream *stream = e->streams[record->stream];
                if (record->offset == stream->staged_offset) {
                        stream->staged_offset += stream->kind == LOG_STREAM_OFFSETS;
                        continue;
                }
                error_set(error, ERROR_CONFLICT, "stream %s: offset %lld, but the next is %lld", stream->name,
                          (long long)record->offset, (long long)stream->staged_offset);
                while (i-- > 0)
                        e->streams[batch->records[i].stream]->staged_offset -= batch->records[i].offset >= 0;
                return false;
        }
        return true;
}

static void unstage(struct embedded *e, const struct list *group) {
        LIST_FOR_EACH(element, group) {
                const struct log_batch *batch = CONTAINER_OF(element, struct log_batch, list);
                for (size_t i = 0; i < batch->count; i++)
                        e->streams[batch->records[i].stream]->staged_offset -= batch->records[i].offset >= 0;
        }
        e->staged_streams = e->stored_streams;
}

static bool insert_record(struct embedded *e, const struct log_record *record, struct error *error) {
        struct embedded_writer *writer = &e->writer;
        while (e->staged_streams < record->stream) {
                const struct embedded_stream *stream = e->streams[e->staged_streams + 1];
                sql_bind_number(&writer->insert_stream, 1, stream->number);
                sql_bind_blob(&writer->insert_stream, 2, (struct bytes){stream->name, stream->size});
                sql_bind_number(&writer->insert_stream, 3, stream->kind);
                if (!sql_execute(&writer->insert_stream, error))
                        return false;
                e->staged_streams++;
        }
        sql_bind_number(&writer->insert, 1, (int64_t)record->position);
        sql_bind_number(&writer->insert, 2, record->stream);
        sql_bind_number(&writer->insert, 3, record->offset);
        sql_bind_number(&writer->insert, 4, embedded_checksum(record));
        sql_bind_blob(&writer->insert, 5, record->header);
        sql_bind_blob(&writer->insert, 6, record->body);
        return sql_execute(&writer->insert, error);
}

// Puts the group's batches into the open transaction. Those that do not fit their streams are moved to `refused`, with why the
// first of them was in *why.
static bool insert_group(struct embedded *e, struct list *group, uint64_t *position, struct error *error) {
        LIST_FOR_EACH(element, group) {
                struct log_batch *batch = CONTAINER_OF(element, struct log_batch, list);
                batch->ticket = *position;
                for (size_t i = 0; i < batch->count; i++) {
                        batch->records[i].position = (*position)++;
                        if (!insert_record(e, &batch->records[i], error))
                                return false;
                }
        }
        return true;
}

// Ends the batches whose turn has come and whose offsets do not continue their streams; stages the others'.
static void refuse_wrong_offsets(struct embedded *e, struct list *group) {
        LIST_FOR_EACH_SAFE(element, group) {
                struct error error;
                struct list refused;
                list_init(&refused);
                if (stage_offsets(e, CONTAINER_OF(element, struct log_batch, list), &error))
                        continue;
                list_remove(element);
                list_append(&refused, element);
                complete_group(e, &refused, LOG_FAILED, &error);
        }
}

// Runs the group's transaction. The outcome says whether what failed is certainly not in the log.
static enum log_outcome transact(struct embedded *e, struct list *group, uint64_t *ret_position, struct error *error) {
        struct embedded_writer *writer = &e->writer;
        uint64_t position = e->next_position;
        enum log_outcome outcome = LOG_FAILED;
        if (sql_execute(&writer->begin, error) && insert_group(e, group, &position, error)) {
                *ret_position = position;
                if (sql_execute(&writer->commit, error))
                        return LOG_DURABLE;
                // Only the last step of a commit makes it valid; a full disk is met in the steps before.
                outcome = error->code == ERROR_FULL || error->code == ERROR_UNAVAILABLE ? LOG_FAILED : LOG_UNKNOWN;
        }
        struct error ignored;
        if (!sqlite3_get_autocommit(writer->db) && !sql_execute(&writer->rollback, &ignored))
                *error = ignored;       // worse than what it was
        return outcome;
}

static void commit_group(struct embedded *e, struct list *group) {
        refuse_wrong_offsets(e, group);
        if (list_empty(group))
                return;
        uint64_t begun = embedded_now_us(), position = e->next_position;
        struct error error;
        enum log_outcome outcome = transact(e, group, &position, &error);
        if (outcome == LOG_DURABLE) {
                pthread_mutex_lock(&e->mutex);
                e->stats.commits++;
                log_histogram_add(e->stats.commit_time, embedded_now_us() - begun);
                log_histogram_add(e->stats.group_records, position - e->next_position);
                pthread_mutex_unlock(&e->mutex);
                e->next_position = position;
                e->stored_streams = e->staged_streams;
        } else {
                unstage(e, group);
                if (outcome == LOG_UNKNOWN) {
                        e->doubt = (struct embedded_gap){e->next_position, position - 1};
                        e->next_position = position;
                }
                if (outcome == LOG_UNKNOWN || sql_fatal(&error))
                        embedded_break(e, &error);
        }
        complete_group(e, group, outcome, &error);
}

bool embedded_checkpoint(struct embedded *e, sqlite3 *db) {
        int result = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        struct error error;
        if (result != SQLITE_OK && !sql_error(db, result, "checkpoint", &error) && sql_fatal(&error))
                embedded_break(e, &error);
        pthread_mutex_lock(&e->mutex);
        e->stats.checkpoints += result == SQLITE_OK;
        pthread_mutex_unlock(&e->mutex);
        return result == SQLITE_OK;
}

// After a commit: has the WAL copied when it has grown. If the checkpoint thread cannot get ahead of a busy writer the writer
// itself does it, since the WAL begins anew only when all of it has been copied.
static void checkpoint_when_due(struct embedded *e) {
        size_t frames = (size_t)e->writer.wal_frames;
        if (frames < e->checkpoint_pages)
                return;
        if (!e->threaded || frames >= e->checkpoint_pages * EMBEDDED_CHECKPOINT_FORCE) {
                embedded_checkpoint(e, e->writer.db);
                e->writer.wal_frames = 0;       // asked for again after the next commit, if it is still long
                return;
        }
        pthread_mutex_lock(&e->mutex);
        e->checkpoint_wanted = true;
        pthread_cond_signal(&e->wake_checkpoint);
        pthread_mutex_unlock(&e->mutex);
        e->writer.wal_frames = 0;
}

// Work is done when nothing is queued, or when the last piece was long enough ago. Mutex held.
static bool work_due(const struct embedded *e) {
        if (e->state != EMBEDDED_OPEN || !embedded_has_work(e))
                return false;
        return !e->threaded || embedded_now_us() - e->worked_at >= EMBEDDED_WORK_PAUSE_US;
}

// Whether a round would find anything to do. In BROKEN everything that waits is to be failed. Mutex held.
static bool round_due(const struct embedded *e) {
        bool jobs = embedded_has_work(e);
        return !list_empty(&e->queue) || work_due(e) || (jobs && e->state == EMBEDDED_BROKEN);
}

// One round of the writer. Mutex held when called and on return, not in between.
static void round_of_writer(struct embedded *e) {
        struct list group;
        list_init(&group);
        bool broken = e->state == EMBEDDED_BROKEN, work = work_due(e);
        if (!broken)
                take_group(e, &group);
        e->writer_busy = true;
        pthread_mutex_unlock(&e->mutex);
        if (broken) {
                embedded_fail_queue(e);
                embedded_fail_work(e);
        } else {
                if (!list_empty(&group))
                        commit_group(e, &group);
                if (work && !log_broken(&e->log)) {
                        embedded_work(e);
                        e->worked_at = embedded_now_us();
                }
                if (!log_broken(&e->log))
                        checkpoint_when_due(e);
        }
        pthread_mutex_lock(&e->mutex);
        e->writer_busy = false;
        pthread_cond_broadcast(&e->idle);
}

bool embedded_step(struct log *log) {
        struct embedded *e = embedded_of(log);
        ASSERT(!e->threaded);
        pthread_mutex_lock(&e->mutex);
        bool due = round_due(e);
        if (due)
                round_of_writer(e);
        pthread_mutex_unlock(&e->mutex);
        return due;
}

// Waits for something to do; with work pending, no longer than until it is due. Mutex held.
static void wait_for_work(struct embedded *e) {
        if (e->state == EMBEDDED_BROKEN || !embedded_has_work(e)) {
                pthread_cond_wait(&e->wake, &e->mutex);
                return;
        }
        uint64_t until = e->worked_at + EMBEDDED_WORK_PAUSE_US;
        struct timespec time = {.tv_sec = (time_t)(until / 1000000), .tv_nsec = (long)(until % 1000000) * 1000};
        pthread_cond_timedwait(&e->wake, &e->mutex, &time);
}

void *embedded_writer_run(void *argument) {
        struct embedded *e = argument;
        pthread_mutex_lock(&e->mutex);
        while (!e->stopping || !list_empty(&e->queue))
                if (round_due(e))
                        round_of_writer(e);
                else
                        wait_for_work(e);
        pthread_mutex_unlock(&e->mutex);
        return NULL;
}

void *embedded_checkpoint_run(void *argument) {
        struct embedded *e = argument;
        pthread_mutex_lock(&e->mutex);
        while (!e->stopping) {
                if (!e->checkpoint_wanted || e->state == EMBEDDED_BROKEN) {
                        pthread_cond_wait(&e->wake_checkpoint, &e->mutex);
                        continue;
                }
                e->checkpoint_wanted = false;
                e->checkpoint_busy = true;
                pthread_mutex_unlock(&e->mutex);
                embedded_checkpoint(e, e->checkpointer);
                pthread_mutex_lock(&e->mutex);
                e->checkpoint_busy = false;
                pthread_cond_broadcast(&e->idle);
        }
        pthread_mutex_unlock(&e->mutex);
        return NULL;
}
