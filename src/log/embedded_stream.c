// SPDX-License-Identifier: Apache-2.0
// The streams of the embedded log: in memory all of them, on disk those that have had a record. A stream is never freed before
// the log is, and its name, kind and number never change.
#include "log/embedded_priv.h"

#include <xxhash.h>

static uint64_t hash_of(struct bytes name) {
        return XXH3_64bits(name.data, name.size);
}

static bool has_name(const void *element, const void *key) {
        const struct embedded_stream *stream = element;
        const struct bytes *name = key;
        return bytes_equal((struct bytes){stream->name, stream->size}, *name);
}

void embedded_stream_add(struct embedded *e, struct bytes name, enum log_stream_kind kind) {
        ASSERT(e->stream_count < LOG_STREAMS_MAX);
        struct embedded_stream *stream = must_calloc(1, sizeof *stream);
        stream->name = bytes_to_text(name);
        stream->size = name.size;
        stream->kind = kind;
        stream->next_offset = stream->staged_offset = kind == LOG_STREAM_OFFSETS ? 0 : -1;
        stream->number = ++e->stream_count;
        e->streams[stream->number] = stream;
        table_insert(&e->streams_by_name, hash_of(name), stream);
}

bool embedded_stream_get(struct log *log, struct bytes name, enum log_stream_kind kind, uint32_t *ret_stream,
                         struct error *error) {
        struct embedded *e = embedded_of(log);
        bool found = true;
        pthread_mutex_lock(&e->mutex);
        const struct embedded_stream *stream = table_find(&e->streams_by_name, hash_of(name), &name, has_name);
        if (stream && stream->kind != kind)
                found = error_set(error, ERROR_CONFLICT, "stream %.*s %s offsets", BYTES_PRINT(name),
                                  stream->kind == LOG_STREAM_OFFSETS ? "has" : "has no");
        else if (!stream && e->stream_count == LOG_STREAMS_MAX)
                found = error_set(error, ERROR_LIMIT, "the log has %d streams, its limit", LOG_STREAMS_MAX);
        else if (stream)
                *ret_stream = stream->number;
        else {
                embedded_stream_add(e, name, kind);
                *ret_stream = e->stream_count;
        }
        pthread_mutex_unlock(&e->mutex);
        return found;
}

uint32_t embedded_stream_count(struct log *log) {
        struct embedded *e = embedded_of(log);
        pthread_mutex_lock(&e->mutex);
        uint32_t count = e->stream_count;
        pthread_mutex_unlock(&e->mutex);
        return count;
}

bool embedded_stream_info(struct log *log, uint32_t number, struct log_stream_info *ret_info, struct error *error) {
        struct embedded *e = embedded_of(log);
        pthread_mutex_lock(&e->mutex);
        bool found = number >= 1 && number <= e->stream_count;
        if (found) {
                const struct embedded_stream *stream = e->streams[number];
                *ret_info = (struct log_stream_info){{stream->name, stream->size}, stream->kind, stream->next_offset};
        }
        pthread_mutex_unlock(&e->mutex);
        return found || error_set(error, ERROR_NOT_FOUND, "the log has no stream %u", number);
}

// Takes over one row; memory that knows the stream already (a reopen) must agree with it.
static bool load_row(struct embedded *e, struct sql_statement *rows, struct sql_statement *highest, struct error *error) {
        int64_t number = sql_number(rows, 0), kind = sql_number(rows, 2), base = sql_number(rows, 3);
        struct bytes name = sql_blob(rows, 1);
        if (number != (int64_t)e->stored_streams + 1 || number > LOG_STREAMS_MAX || name.size > LOG_NAME_MAX ||
            (kind != LOG_STREAM_PLAIN && kind != LOG_STREAM_OFFSETS))
                return error_set(error, ERROR_CORRUPT, "row %lld of the streams makes no sense", (long long)number);
        if (number > e->stream_count)
                embedded_stream_add(e, name, (enum log_stream_kind)kind);
        struct embedded_stream *stream = e->streams[number];
        if (!bytes_equal(name, (struct bytes){stream->name, stream->size}))
                return error_set(error, ERROR_CORRUPT, "stream %lld has another name than before", (long long)number);
        e->stored_streams = e->staged_streams = stream->number;
        if (stream->kind != LOG_STREAM_OFFSETS)
                return true;
        sql_bind_number(highest, 1, number);
        bool row;
        bool read = sql_next(highest, &row, error);
        if (read)
                stream->next_offset = stream->staged_offset = MAX(base, row ? sql_number(highest, 0) + 1 : 0);
        sql_reset(highest);
        return read;
}

bool embedded_streams_load(struct embedded *e, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement rows = {NULL};
        CLEANUP(sql_finalize) struct sql_statement highest = {NULL};
        if (!sql_prepare(e->writer.db, "SELECT stream, name, kind, base FROM stream ORDER BY stream", &rows, error) ||
            !sql_prepare(e->writer.db, "SELECT offset FROM record WHERE stream = ?1 AND offset >= 0 ORDER BY offset DESC LIMIT 1",
                         &highest, error))
                return false;
        pthread_mutex_lock(&e->mutex);
        e->stored_streams = e->staged_streams = 0;
        bool row, loaded;
        while ((loaded = sql_next(&rows, &row, error)) && row)
                if (!(loaded = load_row(e, &rows, &highest, error)))
                        break;
        pthread_mutex_unlock(&e->mutex);
        return loaded;
}

void embedded_streams_free(struct embedded *e) {
        for (uint32_t i = 1; i <= e->stream_count; i++) {
                free_pointer(&e->streams[i]->name);
                free_pointer(&e->streams[i]);
        }
        free_pointer(&e->streams);
        table_free(&e->streams_by_name);
}
