// SPDX-License-Identifier: Apache-2.0
// The embedded backend: one SQLite file in WAL mode, synchronous=FULL. This header is its design; embedded_open.c opens, recovers
// and reopens, embedded_append.c queues, embedded_writer.c commits, embedded_work.c trims and stores snapshots, embedded_rewrite.c
// replaces records and sweeps, embedded_read.c reads, embedded_stream.c knows the streams, sql.c wraps SQLite.
//
// Format 1 (application_id "cmlg", user_version 1), page size 4 KiB (a commit rewrites the last page of each tree: with 16 KiB one
// caller paid 209 us of CPU an append in place of 131 ... 183, 64 callers 30 in place of 27 ... 31):
//      meta(id = 1, log_id BLOB of 16, opened: recoveries so far, last_position: at least the highest that was trimmed)
//      stream(stream INTEGER PRIMARY KEY, name UNIQUE, kind, base: offset after the highest that was trimmed)
//      record(position INTEGER PRIMARY KEY, stream, offset, checksum, header BLOB, body BLOB)
//              checksum: the low 32 bits of XXH3 over position, stream, offset (64 bits each, little-endian), seeding XXH3 over
//              the header, seeding XXH3 over the body
//      record_by_offset: unique index record(stream, offset) where offset >= 0
//      snapshot(name PRIMARY KEY, generation, position, size, checksum: XXH3 of the body)
//      snapshot_piece(id INTEGER PRIMARY KEY: generation << 20 | number of the piece, body BLOB of up to 1 MiB)
// All records go to the end of one B-tree, and to the end of each stream's part of a slim index.
//
// Threads. `mutex` guards what is marked so. The writer thread alone uses the writer connection and what is marked the writer's;
// the checkpoint thread has a connection of its own; so has each reader. log_reopen and log_close use the writer's things on
// their caller's thread, when both threads are idle. Without threads log_step is the writer.
//
// States: OPEN → BROKEN (the device failed) → OPEN (log_reopen). In BROKEN the writer fails what is queued and does nothing else.
//
// Why what log_resolve says is true, and stays so. A group is one transaction: its frames in the WAL, the last of them marked as
// commit, chained by checksums. When writing or syncing them fails, the frames may be in the page cache, on the disk, or in part.
// After a failed fsync Linux takes the pages for clean: a later fsync succeeds without writing them. So recovery
//      1. reads the whole WAL and writes each byte back where it was, then fsyncs: what is read from now on is on the disk;
//         bytes of earlier DURABLE transactions are equal on disk and in cache, so writing them cannot harm them;
//      2. opens, and commits a transaction of its own (meta.opened + 1). Either SQLite read the frames in doubt as valid: then
//         this one is chained behind them and its fsync makes both durable; or it did not (or other connections kept the WAL
//         index, which ends before them): then this one overwrites the first of them, which breaks the chain of all others;
//      3. only then looks whether the record at the first position in doubt is there.
// A crash before the end of 2 leaves the question open, and nobody has been told. Until 1 and 2 have succeeded nothing else may
// be written and no checkpoint may run: one would copy pages from frames that are not durable. Pages of a checkpoint whose
// fsync failed are no problem: the WAL that they came from is kept, and the next checkpoint writes them anew. Positions of a
// group in doubt are never given to others by this struct log, so the position identifies the submission (ticket).
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/table.h"
#include "log/log_priv.h"
#include "log/sql_priv.h"

enum {
        EMBEDDED_APPLICATION_ID = 0x636d6c67,
        EMBEDDED_VERSION = 1,
        EMBEDDED_CHECKPOINT_FORCE = 4,          // times checkpoint_pages: the writer does it itself
        EMBEDDED_GAPS_MAX = 1024,               // UNKNOWN submissions that did not land and are remembered, as ranges
        EMBEDDED_TRIM_PIECE = 512,              // records looked at in one transaction
        EMBEDDED_SNAPSHOT_PIECE = 1 << 20,      // bytes
        EMBEDDED_REWRITE_PIECE = 1 << 16,       // bytes; SQLite's own files take less than 128 KiB in a call
        EMBEDDED_SNAPSHOT_COLLECT = 16,         // pieces removed in one transaction
        EMBEDDED_WORK_PAUSE_US = 5000,          // between two pieces of work, so that appends hardly notice
        EMBEDDED_TAIL_RECORDS = 1024,           // verified when opening
        EMBEDDED_TAIL_BYTES = 64 << 20,
};

// What the writer does between groups, by kind; whose turn it is goes round.
enum embedded_kind { EMBEDDED_TRIM, EMBEDDED_SNAPSHOT, EMBEDDED_REWRITE, EMBEDDED_SWEEP, EMBEDDED_KINDS };

enum embedded_state { EMBEDDED_OPEN, EMBEDDED_BROKEN };

struct embedded_stream {
        char *name;                             // never changes, like size, number and kind
        size_t size;
        uint32_t number;
        enum log_stream_kind kind;
        int64_t next_offset;                    // guarded by the mutex; -1 in plain streams
        int64_t staged_offset;                  // the writer's: next_offset and what the current group has added
};

// A range of positions, both ends in it.
struct embedded_gap {
        uint64_t first, last;                   // first 0: none
};

struct embedded_writer {
        sqlite3 *db;
        struct sql_statement begin, commit, rollback, insert, insert_stream;
        int wal_frames;                         // in the WAL after the last commit
};

struct embedded {
        struct log log;                         // first
        char *path, *disk;
        bool threaded;
        size_t queue_records_max, queue_bytes_max, group_records_max, group_bytes_max, checkpoint_pages;
        int lock;                               // descriptor of the lock file, -1
        uint8_t id[LOG_ID_SIZE];

        pthread_mutex_t reopening;              // held while recovering; no reader is opened meanwhile
        pthread_mutex_t mutex;                  // guards from here …
        pthread_cond_t wake, wake_checkpoint, idle;
        enum embedded_state state;
        struct error reason;                    // why it is BROKEN
        bool stopping, writer_busy, checkpoint_busy, checkpoint_wanted;
        struct list queue;                      // struct log_batch
        struct list works[EMBEDDED_KINDS];      // struct log_trim, log_snapshot, log_rewrite, log_sweep
        struct table streams_by_name;
        struct embedded_stream **streams;       // [stream], 1 … stream_count; entries never change
        uint32_t stream_count;
        uint64_t last_position;
        struct embedded_gap gaps[EMBEDDED_GAPS_MAX];
        size_t gap_count;
        uint64_t gaps_forgotten;                // the end of the newest gap that is no longer remembered
        struct log_stats stats;                 // … to here

        struct embedded_writer writer;          // the writer's, like the rest
        uint64_t next_position;
        uint32_t stored_streams;                // 1 … this are on disk; a group adds the rows up to the highest that it uses
        uint32_t staged_streams;                // and those that the current group has added
        struct embedded_gap doubt;              // the group that ended UNKNOWN
        enum embedded_kind work_turn;           // whose turn it was
        uint64_t worked_at;                     // µs

        atomic_uint_fast64_t read;              // stats.read

        sqlite3 *checkpointer;                  // the checkpoint thread's
        pthread_t writer_thread, checkpoint_thread;
};

static inline struct embedded *embedded_of(struct log *log) {
        return CONTAINER_OF(log, struct embedded, log);
}

uint64_t embedded_now_us(void);

// embedded_open.c
MUST_USE bool embedded_connect(const struct embedded *e, sqlite3 **ret_db, struct error *error);
bool embedded_reopen(struct log *log, struct error *error);

// embedded_stream.c
void embedded_stream_add(struct embedded *e, struct bytes name, enum log_stream_kind kind);     // mutex held
bool embedded_stream_get(struct log *log, struct bytes name, enum log_stream_kind kind, uint32_t *ret_stream,
                         struct error *error);
uint32_t embedded_stream_count(struct log *log);
bool embedded_stream_info(struct log *log, uint32_t stream, struct log_stream_info *ret_info, struct error *error);
MUST_USE bool embedded_streams_load(struct embedded *e, struct error *error);
void embedded_streams_free(struct embedded *e);

// embedded_append.c
bool embedded_append(struct log *log, struct log_batch *batch, size_t bytes, struct error *error);
bool embedded_append_wait(struct log *log, struct log_batch *batch, size_t bytes, struct error *error);
size_t embedded_batch_bytes(const struct log_batch *batch);

// embedded_writer.c
bool embedded_step(struct log *log);
void *embedded_writer_run(void *e);
void *embedded_checkpoint_run(void *e);
void embedded_break(struct embedded *e, const struct error *reason);    // mutex not held
void embedded_fail_queue(struct embedded *e);                           // in BROKEN; mutex not held
MUST_USE bool embedded_writer_prepare(struct embedded *e, struct error *error);
void embedded_writer_close(struct embedded *e);
bool embedded_checkpoint(struct embedded *e, sqlite3 *db);

// embedded_work.c
bool embedded_trim(struct log *log, struct log_trim *trim, struct error *error);
bool embedded_snapshot_write(struct log *log, struct log_snapshot *snapshot, struct error *error);
bool embedded_work(struct embedded *e);         // a piece of it; false: there is none
void embedded_fail_work(struct embedded *e);
bool embedded_has_work(const struct embedded *e);                       // mutex held
MUST_USE bool embedded_submit_work(struct embedded *e, enum embedded_kind kind, struct list *job, struct error *error);
void embedded_remove_work(struct embedded *e, struct list *job);
// Ends the open transaction one way or the other. A failure of the device breaks the log.
MUST_USE bool embedded_end_piece(struct embedded *e, bool good, struct error *error);

// embedded_rewrite.c
bool embedded_rewrite(struct log *log, struct log_rewrite *rewrite, struct error *error);
bool embedded_sweep(struct log *log, struct log_sweep *sweep, struct error *error);
void embedded_rewrite_piece(struct embedded *e, struct log_rewrite *rewrite);
void embedded_sweep_piece(struct embedded *e, struct log_sweep *sweep);

// embedded_read.c
bool embedded_reader_open(struct log *log, struct log_reader **ret_reader, struct error *error);
void embedded_reader_close(struct log_reader *reader);
bool embedded_read(struct log_reader *reader, const struct log_range *range, struct arena *arena, struct log_record **ret_records,
                   size_t *ret_count, struct error *error);
bool embedded_first_position(struct log_reader *reader, uint64_t *ret_position, struct error *error);
bool embedded_snapshot_read(struct log_reader *reader, struct bytes name, uint64_t *ret_position, struct buffer *body,
                            struct error *error);
uint32_t embedded_checksum(const struct log_record *record);
MUST_USE bool embedded_verify_tail(struct embedded *e, struct error *error);
