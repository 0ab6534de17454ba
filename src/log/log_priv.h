// SPDX-License-Identifier: Apache-2.0
// What a backend of the log provides. log.c checks sizes and passes on; the meaning is log.h's.
#pragma once

#include "log/log.h"

struct log {
        const struct log_backend *backend;
};

struct log_reader {
        const struct log_backend *backend;
};

// Where a read begins and when it ends.
struct log_range {
        uint32_t stream;                // 0: the whole log, from is a position; else from is an offset of the stream
        uint64_t from;
        size_t records, bytes;
};

struct log_backend {
        void (*close)(struct log *log);
        void (*id)(const struct log *log, uint8_t *ret_id);
        bool (*stream)(struct log *log, struct bytes name, enum log_stream_kind kind, uint32_t *ret_stream, struct error *error);
        uint32_t (*stream_count)(struct log *log);
        bool (*stream_info)(struct log *log, uint32_t stream, struct log_stream_info *ret_info, struct error *error);
        bool (*append)(struct log *log, struct log_batch *batch, size_t bytes, struct error *error);
        bool (*append_wait)(struct log *log, struct log_batch *batch, size_t bytes, struct error *error);
        bool (*step)(struct log *log);
        bool (*broken)(struct log *log);
        bool (*reopen)(struct log *log, struct error *error);
        bool (*resolve)(struct log *log, uint64_t ticket, enum log_fate *ret_fate, struct error *error);
        bool (*trim)(struct log *log, struct log_trim *trim, struct error *error);
        bool (*rewrite)(struct log *log, struct log_rewrite *rewrite, struct error *error);
        bool (*sweep)(struct log *log, struct log_sweep *sweep, struct error *error);
        bool (*snapshot_write)(struct log *log, struct log_snapshot *snapshot, struct error *error);
        void (*stats)(struct log *log, struct log_stats *ret_stats);
        uint64_t (*last_position)(struct log *log);

        bool (*reader_open)(struct log *log, struct log_reader **ret_reader, struct error *error);
        void (*reader_close)(struct log_reader *reader);
        bool (*read)(struct log_reader *reader, const struct log_range *range, struct arena *arena,
                     struct log_record **ret_records, size_t *ret_count, struct error *error);
        bool (*first_position)(struct log_reader *reader, uint64_t *ret_position, struct error *error);
        bool (*snapshot_read)(struct log_reader *reader, struct bytes name, uint64_t *ret_position, struct buffer *body,
                              struct error *error);
};

// The embedded backend: SQLite (embedded_open.c).
MUST_USE bool embedded_open(const char *path, const struct log_options *options, struct log **ret_log, struct error *error);

// Adds a value to a histogram of log_stats.
void log_histogram_add(uint64_t histogram[static LOG_HISTOGRAM_SIZE], uint64_t value);
