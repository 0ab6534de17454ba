// SPDX-License-Identifier: Apache-2.0
// The front of the log: checks what callers give against the named limits, then hands on to the backend.
#include "log/log.h"

#include "log/log_priv.h"

bool log_open(const char *path, const struct log_options *options, struct log **ret_log, struct error *error) {
        static const struct log_options defaults;
        return embedded_open(path, options ? options : &defaults, ret_log, error);
}

void log_close(struct log *log) {
        if (log)
                log->backend->close(log);
}

void log_closep(struct log **log) {
        log_close(TAKE(*log));
}

void log_id(const struct log *log, uint8_t ret_id[static LOG_ID_SIZE]) {
        log->backend->id(log, ret_id);
}

bool log_stream(struct log *log, struct bytes name, enum log_stream_kind kind, uint32_t *ret_stream, struct error *error) {
        ASSERT(kind == LOG_STREAM_PLAIN || kind == LOG_STREAM_OFFSETS);
        if (name.size == 0 || name.size > LOG_NAME_MAX)
                return error_set(error, ERROR_LIMIT, "stream name of %zu bytes: 1 to %d are allowed", name.size, LOG_NAME_MAX);
        return log->backend->stream(log, name, kind, ret_stream, error);
}

uint32_t log_stream_count(struct log *log) {
        return log->backend->stream_count(log);
}

bool log_stream_info(struct log *log, uint32_t stream, struct log_stream_info *ret_info, struct error *error) {
        return log->backend->stream_info(log, stream, ret_info, error);
}

// Checks the sizes of a submission and sums them up.
static bool check_batch(const struct log_batch *batch, size_t *ret_bytes, struct error *error) {
        if (batch->count == 0 || batch->count > LOG_BATCH_RECORDS_MAX)
                return error_set(error, ERROR_LIMIT, "submission of %zu records: 1 to %d are allowed", batch->count,
                                 LOG_BATCH_RECORDS_MAX);
        size_t bytes = 0;
        for (size_t i = 0; i < batch->count; i++) {
                const struct log_record *record = &batch->records[i];
                if (record->header.size > LOG_HEADER_MAX)
                        return error_set(error, ERROR_LIMIT, "record header of %zu bytes: up to %d are allowed",
                                         record->header.size, LOG_HEADER_MAX);
                if (record->body.size > LOG_BODY_MAX)
                        return error_set(error, ERROR_LIMIT, "record body of %zu bytes: up to %d are allowed",
                                         record->body.size, LOG_BODY_MAX);
                bytes += record->header.size + record->body.size;
        }
        if (bytes > LOG_BATCH_BYTES_MAX)
                return error_set(error, ERROR_LIMIT, "submission of %zu bytes: up to %d are allowed", bytes, LOG_BATCH_BYTES_MAX);
        *ret_bytes = bytes;
        return true;
}

bool log_append(struct log *log, struct log_batch *batch, struct error *error) {
        size_t bytes;
        return check_batch(batch, &bytes, error) && log->backend->append(log, batch, bytes, error);
}

bool log_append_wait(struct log *log, struct log_batch *batch, struct error *error) {
        size_t bytes;
        batch->outcome = LOG_PENDING;
        return check_batch(batch, &bytes, error) && log->backend->append_wait(log, batch, bytes, error);
}

bool log_step(struct log *log) {
        return log->backend->step(log);
}

bool log_broken(struct log *log) {
        return log->backend->broken(log);
}

bool log_reopen(struct log *log, struct error *error) {
        return log->backend->reopen(log, error);
}

bool log_resolve(struct log *log, uint64_t ticket, enum log_fate *ret_fate, struct error *error) {
        return log->backend->resolve(log, ticket, ret_fate, error);
}

bool log_reader_open(struct log *log, struct log_reader **ret_reader, struct error *error) {
        return log->backend->reader_open(log, ret_reader, error);
}

void log_reader_close(struct log_reader *reader) {
        if (reader)
                reader->backend->reader_close(reader);
}

void log_reader_closep(struct log_reader **reader) {
        log_reader_close(TAKE(*reader));
}

bool log_read(struct log_reader *reader, uint64_t from, size_t records, size_t bytes, struct arena *arena,
              struct log_record **ret_records, size_t *ret_count, struct error *error) {
        ASSERT(records > 0);
        struct log_range range = {.from = from, .records = records, .bytes = bytes};
        return reader->backend->read(reader, &range, arena, ret_records, ret_count, error);
}

bool log_read_stream(struct log_reader *reader, uint32_t stream, int64_t from, size_t records, size_t bytes, struct arena *arena,
                     struct log_record **ret_records, size_t *ret_count, struct error *error) {
        ASSERT(records > 0);
        if (stream == 0)
                return error_set(error, ERROR_INVALID, "streams are numbered from 1");
        struct log_range range = {.stream = stream, .from = from < 0 ? 0 : (uint64_t)from, .records = records, .bytes = bytes};
        return reader->backend->read(reader, &range, arena, ret_records, ret_count, error);
}

bool log_read_one(struct log_reader *reader, uint64_t position, struct arena *arena, struct log_record *ret_record,
                  struct error *error) {
        struct log_range range = {.from = position, .records = 1, .bytes = 0};
        struct log_record *records;
        size_t count;
        if (!reader->backend->read(reader, &range, arena, &records, &count, error))
                return false;
        if (count == 0 || records[0].position != position)
                return error_set(error, ERROR_NOT_FOUND, "no record at position %llu", (unsigned long long)position);
        *ret_record = records[0];
        return true;
}

bool log_first_position(struct log_reader *reader, uint64_t *ret_position, struct error *error) {
        return reader->backend->first_position(reader, ret_position, error);
}

uint64_t log_last_position(struct log *log) {
        return log->backend->last_position(log);
}

bool log_trim(struct log *log, struct log_trim *trim, struct error *error) {
        for (size_t i = 1; i < trim->keep_count; i++)
                if (trim->keep[i - 1] >= trim->keep[i])
                        return error_set(error, ERROR_INVALID, "the positions to keep are not in ascending order");
        return log->backend->trim(log, trim, error);
}

bool log_rewrite(struct log *log, struct log_rewrite *rewrite, struct error *error) {
        if (rewrite->count == 0 || rewrite->count > LOG_REWRITE_RECORDS_MAX)
                return error_set(error, ERROR_LIMIT, "rewrite of %zu records: 1 to %d are allowed", rewrite->count,
                                 LOG_REWRITE_RECORDS_MAX);
        size_t bytes = 0;
        for (size_t i = 0; i < rewrite->count; i++) {
                const struct log_record *record = &rewrite->records[i];
                if (record->header.size > LOG_HEADER_MAX || record->body.size > LOG_BODY_MAX)
                        return error_set(error, ERROR_LIMIT, "record header of %zu bytes and body of %zu: up to %d and %d are allowed",
                                         record->header.size, record->body.size, LOG_HEADER_MAX, LOG_BODY_MAX);
                if (record->position == 0 || record->stream == 0 || record->offset < -1)
                        return error_set(error, ERROR_INVALID, "a record to rewrite has position, stream and offset as it was read");
                bytes += record->header.size + record->body.size;
        }
        if (bytes > LOG_BATCH_BYTES_MAX)
                return error_set(error, ERROR_LIMIT, "rewrite of %zu bytes: up to %d are allowed", bytes, LOG_BATCH_BYTES_MAX);
        return log->backend->rewrite(log, rewrite, error);
}

bool log_sweep(struct log *log, struct log_sweep *sweep, struct error *error) {
        return log->backend->sweep(log, sweep, error);
}

bool log_snapshot_write(struct log *log, struct log_snapshot *snapshot, struct error *error) {
        if (snapshot->name.size == 0 || snapshot->name.size > LOG_NAME_MAX)
                return error_set(error, ERROR_LIMIT, "snapshot name of %zu bytes: 1 to %d are allowed", snapshot->name.size,
                                 LOG_NAME_MAX);
        if (snapshot->body.size > LOG_SNAPSHOT_MAX)
                return error_set(error, ERROR_LIMIT, "snapshot of %zu bytes: up to %d are allowed", snapshot->body.size,
                                 LOG_SNAPSHOT_MAX);
        return log->backend->snapshot_write(log, snapshot, error);
}

bool log_snapshot_read(struct log_reader *reader, struct bytes name, uint64_t *ret_position, struct buffer *body,
                       struct error *error) {
        return reader->backend->snapshot_read(reader, name, ret_position, body, error);
}

void log_stats(struct log *log, struct log_stats *ret_stats) {
        log->backend->stats(log, ret_stats);
}
