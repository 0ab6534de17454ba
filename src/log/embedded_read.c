// SPDX-License-Identifier: Apache-2.0
// Readers of the embedded log: each has a connection, and no transaction outlives a call. Used by one thread at a time. Every
// record is checked against its checksum. A failing reader does not break the log.
#include "log/embedded_priv.h"

#include <xxhash.h>

struct embedded_reader {
        struct log_reader reader;
        struct embedded *e;
        sqlite3 *db;
        struct sql_statement by_position, by_offset, first;
};

static struct embedded_reader *reader_of(struct log_reader *reader) {
        return CONTAINER_OF(reader, struct embedded_reader, reader);
}

uint32_t embedded_checksum(const struct log_record *record) {
        uint8_t fixed[24];
        const uint64_t numbers[3] = {record->position, record->stream, (uint64_t)record->offset};
        for (size_t i = 0; i < sizeof fixed; i++)
                fixed[i] = (uint8_t)(numbers[i / 8] >> (8 * (i % 8)));
        uint64_t hash = XXH3_64bits(fixed, sizeof fixed);
        hash = XXH3_64bits_withSeed(record->header.data, record->header.size, hash);
        return (uint32_t)XXH3_64bits_withSeed(record->body.data, record->body.size, hash);
}

void embedded_reader_close(struct log_reader *base) {
        struct embedded_reader *reader = reader_of(base);
        sql_finalize(&reader->by_position);
        sql_finalize(&reader->by_offset);
        sql_finalize(&reader->first);
        sqlite3_close(reader->db);
        free_pointer(&reader);
}

#define COLUMNS "SELECT position, stream, offset, checksum, header, body FROM record "

bool embedded_reader_open(struct log *log, struct log_reader **ret_reader, struct error *error) {
        struct embedded *e = embedded_of(log);
        struct embedded_reader *reader = must_calloc(1, sizeof *reader);
        reader->reader.backend = log->backend;
        reader->e = e;
        pthread_mutex_lock(&e->reopening);
        bool opened = log_broken(log) ? error_set(error, ERROR_UNAVAILABLE, "open a reader: the log is broken")
                                      : embedded_connect(e, &reader->db, error);
        opened = opened && sql_run(reader->db, "PRAGMA query_only = on; PRAGMA cache_size = -512", error) &&
                 sql_prepare(reader->db, COLUMNS "WHERE position >= ?1 ORDER BY position LIMIT ?2", &reader->by_position,
                         error) &&
                 sql_prepare(reader->db, COLUMNS "WHERE stream = ?3 AND offset >= ?1 AND offset >= 0 ORDER BY offset LIMIT ?2",
                             &reader->by_offset, error) &&
                 sql_prepare(reader->db, "SELECT min(position) FROM record", &reader->first, error);
        pthread_mutex_unlock(&e->reopening);
        if (!opened) {
                embedded_reader_close(&reader->reader);
                return error_wrap(error, "%s", e->path);
        }
        *ret_reader = &reader->reader;
        return true;
}

// The current row; header and body are SQLite's until the next.
static bool record_of_row(struct sql_statement *row, struct log_record *ret_record, struct error *error) {
        struct log_record record = {
                .position = (uint64_t)sql_number(row, 0), .stream = (uint32_t)sql_number(row, 1), .offset = sql_number(row, 2),
                .header = sql_blob(row, 4), .body = sql_blob(row, 5)};
        if (sql_number(row, 3) != (int64_t)embedded_checksum(&record))
                return error_set(error, ERROR_CORRUPT, "the record at position %llu is damaged",
                                 (unsigned long long)record.position);
        *ret_record = record;
        return true;
}

static bool read_rows(struct sql_statement *rows, const struct log_range *range, struct arena *arena,
                      struct log_record **ret_records, size_t *ret_count, struct error *error) {
        struct log_record *records = NULL;
        size_t count = 0, capacity = 0, bytes = 0;
        for (bool row; count < range->records; count++) {
                struct log_record record;
                if (!sql_next(rows, &row, error))
                        return false;
                if (!row)
                        break;
                if (!record_of_row(rows, &record, error))
                        return false;
                bytes += record.header.size + record.body.size;
                if (count > 0 && bytes > range->bytes)
                        break;
                if (count == capacity) {
                        capacity = MIN(MAX(capacity * 2, (size_t)16), range->records);
                        struct log_record *grown = arena_alloc(arena, capacity * sizeof *grown);
                        if (count > 0)
                                memcpy(grown, records, count * sizeof *grown);
                        records = grown;
                }
                record.header = arena_copy(arena, record.header);
                record.body = arena_copy(arena, record.body);
                records[count] = record;
        }
        *ret_records = records;
        *ret_count = count;
        return true;
}

bool embedded_read(struct log_reader *base, const struct log_range *range, struct arena *arena, struct log_record **ret_records,
                   size_t *ret_count, struct error *error) {
        struct embedded_reader *reader = reader_of(base);
        struct sql_statement *rows = range->stream ? &reader->by_offset : &reader->by_position;
        sql_bind_number(rows, 1, (int64_t)MIN(range->from, (uint64_t)INT64_MAX));
        sql_bind_number(rows, 2, (int64_t)MIN(range->records, (size_t)INT64_MAX));
        if (range->stream)
                sql_bind_number(rows, 3, range->stream);
        bool read = read_rows(rows, range, arena, ret_records, ret_count, error);
        sql_reset(rows);
        if (read)
                atomic_fetch_add_explicit(&reader->e->read, *ret_count, memory_order_relaxed);
        return read;
}

bool embedded_first_position(struct log_reader *base, uint64_t *ret_position, struct error *error) {
        struct embedded_reader *reader = reader_of(base);
        bool row;
        bool read = sql_next(&reader->first, &row, error);
        if (read)
                *ret_position = (uint64_t)sql_number(&reader->first, 0);
        sql_reset(&reader->first);
        return read;
}

// Appends the pieces of a snapshot to the buffer.
static bool read_pieces(sqlite3 *db, int64_t generation, size_t size, struct buffer *body, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement pieces = {NULL};
        if (!sql_prepare(db, "SELECT body FROM snapshot_piece WHERE id >= ?1 << 20 AND id < (?1 + 1) << 20 ORDER BY id", &pieces,
                         error))
                return false;
        sql_bind_number(&pieces, 1, generation);
        size_t read = 0;
        for (bool row;;) {
                if (!sql_next(&pieces, &row, error))
                        return false;
                if (!row)
                        break;
                struct bytes piece = sql_blob(&pieces, 0);
                read += piece.size;
                if (read > size)
                        break;
                buffer_append(body, piece);
        }
        return read == size || error_set(error, ERROR_CORRUPT, "%zu bytes of %zu are there", read, size);
}

// In an open read transaction, so that a new snapshot does not replace the old one while it is read: it is short work.
static bool read_snapshot(sqlite3 *db, struct bytes name, uint64_t *ret_position, struct buffer *body, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement head = {NULL};
        bool row;
        if (!sql_prepare(db, "SELECT generation, position, size, checksum FROM snapshot WHERE name = ?1", &head, error))
                return false;
        sql_bind_blob(&head, 1, name);
        if (!sql_next(&head, &row, error))
                return false;
        if (!row)
                return error_set(error, ERROR_NOT_FOUND, "there is none");
        size_t size = (size_t)sql_number(&head, 2), before = body->size;
        if (size > LOG_SNAPSHOT_MAX)
                return error_set(error, ERROR_CORRUPT, "its size makes no sense");
        if (!read_pieces(db, sql_number(&head, 0), size, body, error))
                return false;
        if ((int64_t)XXH3_64bits(body->data ? body->data + before : "", size) != sql_number(&head, 3))
                return error_set(error, ERROR_CORRUPT, "it is damaged");
        *ret_position = (uint64_t)sql_number(&head, 1);
        return true;
}

bool embedded_snapshot_read(struct log_reader *base, struct bytes name, uint64_t *ret_position, struct buffer *body,
                            struct error *error) {
        sqlite3 *db = reader_of(base)->db;
        size_t before = body->size;
        if (!sql_run(db, "BEGIN", error))
                return error_wrap(error, "read snapshot %.*s", BYTES_PRINT(name));
        bool read = read_snapshot(db, name, ret_position, body, error);
        struct error ignored;
        IGNORE(sql_run(db, "ROLLBACK", &ignored));      // a read transaction: there is nothing to lose
        if (read)
                return true;
        body->size = before;
        return error_wrap(error, "read snapshot %.*s", BYTES_PRINT(name));
}

bool embedded_verify_tail(struct embedded *e, struct error *error) {
        CLEANUP(sql_finalize) struct sql_statement rows = {NULL};
        if (!sql_prepare(e->writer.db, COLUMNS "ORDER BY position DESC LIMIT ?1", &rows, error))
                return false;
        sql_bind_number(&rows, 1, EMBEDDED_TAIL_RECORDS);
        for (size_t bytes = 0; bytes < EMBEDDED_TAIL_BYTES;) {
                bool row;
                struct log_record record;
                if (!sql_next(&rows, &row, error))
                        return false;
                if (!row)
                        break;
                if (!record_of_row(&rows, &record, error))
                        return false;
                if (record.stream == 0 || record.stream > e->stored_streams ||
                    (record.offset >= 0) != (e->streams[record.stream]->kind == LOG_STREAM_OFFSETS))
                        return error_set(error, ERROR_CORRUPT, "the record at position %llu belongs to no stream",
                                         (unsigned long long)record.position);
                bytes += record.header.size + record.body.size;
        }
        return true;
}
