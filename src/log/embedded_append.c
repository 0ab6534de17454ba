// SPDX-License-Identifier: Apache-2.0
// The queue of the embedded log. Batches stay the callers' memory; the queue links them. Any thread.
#include "log/embedded_priv.h"

size_t embedded_batch_bytes(const struct log_batch *batch) {
        size_t bytes = 0;
        for (size_t i = 0; i < batch->count; i++)
                bytes += batch->records[i].header.size + batch->records[i].body.size;
        return bytes;
}

// Mutex held.
static bool admit(const struct embedded *e, const struct log_batch *batch, size_t bytes, struct error *error) {
        if (e->state == EMBEDDED_BROKEN || e->stopping)
                return error_set(error, ERROR_UNAVAILABLE, "the log is %s%s", e->stopping ? "closing" : "broken: ",
                                 e->stopping ? "" : e->reason.text);
        for (size_t i = 0; i < batch->count; i++) {
                const struct log_record *record = &batch->records[i];
                if (record->stream == 0 || record->stream > e->stream_count)
                        return error_set(error, ERROR_INVALID, "the log has no stream %u", record->stream);
                const struct embedded_stream *stream = e->streams[record->stream];
                if ((stream->kind == LOG_STREAM_OFFSETS) != (record->offset >= 0) || record->offset < -1)
                        return error_set(error, ERROR_INVALID, "stream %s takes no record with offset %lld", stream->name,
                                         (long long)record->offset);
        }
        if (e->stats.queue_records + batch->count > e->queue_records_max || e->stats.queue_bytes + bytes > e->queue_bytes_max)
                return error_set(error, ERROR_FULL, "the log's queue is full: %zu records, %zu bytes", e->stats.queue_records,
                                 e->stats.queue_bytes);
        return true;
}

bool embedded_append(struct log *log, struct log_batch *batch, size_t bytes, struct error *error) {
        struct embedded *e = embedded_of(log);
        pthread_mutex_lock(&e->mutex);
        bool admitted = admit(e, batch, bytes, error);
        if (admitted) {
                batch->outcome = LOG_PENDING;
                batch->ticket = 0;
                if (list_empty(&e->queue) && !e->writer_busy)
                        pthread_cond_signal(&e->wake);
                list_append(&e->queue, &batch->list);
                e->stats.queue_records += batch->count;
                e->stats.queue_bytes += bytes;
                e->stats.queue_records_max = MAX(e->stats.queue_records_max, e->stats.queue_records);
        }
        pthread_mutex_unlock(&e->mutex);
        return admitted;
}

// Someone who waits for a submission. A batch of its own stands in for the caller's, whose `complete` may be anything.
struct waiter {
        struct log_batch batch;
        pthread_mutex_t mutex;
        pthread_cond_t done;
        bool completed;
        struct error *error;
};

static void wake_waiter(struct log_batch *batch, const struct error *error) {
        struct waiter *waiter = CONTAINER_OF(batch, struct waiter, batch);
        pthread_mutex_lock(&waiter->mutex);
        if (error && waiter->error)
                *waiter->error = *error;
        waiter->completed = true;
        pthread_cond_signal(&waiter->done);
        pthread_mutex_unlock(&waiter->mutex);
}

bool embedded_append_wait(struct log *log, struct log_batch *batch, size_t bytes, struct error *error) {
        struct embedded *e = embedded_of(log);
        struct waiter waiter = {.batch = {.records = batch->records, .count = batch->count, .complete = wake_waiter},
                                .mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER, .error = error};
        if (!embedded_append(log, &waiter.batch, bytes, error))
                return false;
        if (!e->threaded)
                while (!waiter.completed)
                        embedded_step(log);
        pthread_mutex_lock(&waiter.mutex);
        while (!waiter.completed)
                pthread_cond_wait(&waiter.done, &waiter.mutex);
        pthread_mutex_unlock(&waiter.mutex);
        batch->outcome = waiter.batch.outcome;
        batch->ticket = waiter.batch.ticket;
        return batch->outcome == LOG_DURABLE;
}
