// SPDX-License-Identifier: Apache-2.0
// The log: records in one total order, durable before anybody is told so. It knows no policy and does not look into a record.
//
// Threads: every function may be called from any thread, unless its comment says otherwise. log_open with threaded = true starts
// a writer and a checkpoint thread; with threaded = false nothing runs by itself and log_step does the work on its caller's
// thread (simulation, tools), which then is the only thread that uses the log.
//
// How it fails. A submission ends in exactly one of three ways:
//      DURABLE  all its records are in the log and survive a power cut;
//      FAILED   none of them is, nor ever will be (disk full, wrong offset, log already broken when its turn came);
//      UNKNOWN  the device failed while it was being made durable: nobody knows.
// UNKNOWN, and every other failure of the device, breaks the log: what is queued behind ends FAILED, and appends are refused with
// ERROR_UNAVAILABLE until log_reopen has succeeded. After it log_resolve tells of each UNKNOWN submission whether it landed, and
// the answer is final: it holds after any later crash. A full disk does not break the log: submissions end FAILED with ERROR_FULL
// and succeed again once there is space. Reading goes on in both cases.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"

struct log;
struct log_reader;

enum {
        LOG_BODY_MAX = 8 << 20,                 // bytes of a record's body
        LOG_HEADER_MAX = 64 << 10,              // bytes of a record's header
        LOG_NAME_MAX = 255,                     // bytes of a stream's or snapshot's name
        LOG_BATCH_RECORDS_MAX = 4096,           // records of one submission
        LOG_BATCH_BYTES_MAX = 32 << 20,         // bytes of one submission, headers and bodies
        LOG_STREAMS_MAX = 65536,
        LOG_QUEUE_RECORDS_MAX = 65536,          // default bound of what is submitted and not completed
        LOG_QUEUE_BYTES_MAX = 64 << 20,
        LOG_GROUP_RECORDS_MAX = 4096,           // default bound of what shares one transaction and one fsync
        LOG_GROUP_BYTES_MAX = 4 << 20,
        LOG_CHECKPOINT_PAGES = 4000,            // default
        LOG_SNAPSHOT_MAX = 1 << 30,             // bytes of one snapshot
        LOG_ID_SIZE = 16,
};

// Zero-initialised is the default everywhere.
struct log_options {
        const char *disk;                       // name of the disk layer (tests, simulation); NULL: the operating system's files
        bool threaded;
        size_t queue_records, queue_bytes;      // 0: LOG_QUEUE_…
        size_t group_records, group_bytes;      // 0: LOG_GROUP_…; a submission larger than that is a group of its own
        size_t checkpoint_pages;                // written between two checkpoints; 0: LOG_CHECKPOINT_PAGES
};

// Opens or creates the log at the path. Shuts out every other process first (ERROR_CONFLICT when one is at it), then recovers:
// everything reported DURABLE is there, and all else has landed or not for good. ERROR_UNSUPPORTED: the file has a format version
// this program does not know. ERROR_CORRUPT: not a log, or its tail is damaged. Blocks. The path is copied.
MUST_USE bool log_open(const char *path, const struct log_options *options, struct log **ret_log, struct error *error);

// Commits what is queued, stops the threads, closes. All readers have been closed before. Takes ownership of log; NULL is
// allowed. Fit for CLEANUP(log_closep).
void log_close(struct log *log);
void log_closep(struct log **log);

// 128 random bits, made when the log was created. A view that was built from another log is recognised by it.
void log_id(const struct log *log, uint8_t ret_id[static LOG_ID_SIZE]);

// --- streams -----------------------------------------------------------------------------------------------------------------

enum log_stream_kind {
        LOG_STREAM_PLAIN = 1,                   // its records have offset -1
        LOG_STREAM_OFFSETS,                     // its records have offsets 0, 1, 2, … without gaps
};

struct log_stream_info {
        struct bytes name;                      // lives as long as the log
        enum log_stream_kind kind;
        int64_t next_offset;                    // the one after the last DURABLE record; -1 for LOG_STREAM_PLAIN
};

// The number of the stream with this name ("task-completed/3", "control/0"), 1 …; a new name gets the next number. Does no I/O: a
// new name is made durable together with the stream's first record; until then a crash forgets it, and its number with it.
// ERROR_CONFLICT: it exists with the other kind. ERROR_LIMIT: name empty or too long, or LOG_STREAMS_MAX.
MUST_USE bool log_stream(struct log *log, struct bytes name, enum log_stream_kind kind, uint32_t *ret_stream,
                         struct error *error);

// Streams are numbered 1 … log_stream_count, without gaps.
uint32_t log_stream_count(struct log *log);
MUST_USE bool log_stream_info(struct log *log, uint32_t stream, struct log_stream_info *ret_info, struct error *error);

// --- append ------------------------------------------------------------------------------------------------------------------

struct log_record {
        uint64_t position;                      // in the total order, 1 …, strictly increasing, gaps possible; set by the log
        uint32_t stream;
        int64_t offset;                         // in a stream with offsets the stream's next, given by the caller; else -1
        struct bytes header;                    // opaque to the log
        struct bytes body;
};

enum log_outcome {
        LOG_PENDING,                            // submitted
        LOG_DURABLE,
        LOG_FAILED,
        LOG_UNKNOWN,
};

// A submission: records that land together or not at all, in this order, with consecutive positions.
struct log_batch {
        struct log_record *records;
        size_t count;                           // 1 … LOG_BATCH_RECORDS_MAX

        // Called once, on the writer thread (or by whoever runs log_step, log_reopen or log_close). It must not block; of the
        // log's functions it may call log_append. The error is NULL when DURABLE, and is gone after the call. Batch and records
        // are the caller's again from the beginning of the call: it may free them in it.
        void (*complete)(struct log_batch *batch, const struct error *error);

        enum log_outcome outcome;               // set before complete
        uint64_t ticket;                        // for log_resolve; set when DURABLE or UNKNOWN
        struct list list;                       // the log's while the submission is pending
};

// Submits. Submissions are committed in the order of the calls. The log copies nothing: batch, records, headers and bodies must
// stay as they are until complete is called. The offset of a record is checked when its turn comes (after everything submitted
// before has landed or failed): a wrong one ends the submission FAILED with ERROR_CONFLICT, so that what was built on a failed
// submission fails as well. On false nothing was submitted and complete is not called: ERROR_FULL (the queue is at its limit),
// ERROR_UNAVAILABLE (the log is broken), ERROR_LIMIT (a size), ERROR_INVALID (unknown stream, offset does not fit its kind).
MUST_USE bool log_append(struct log *log, struct log_batch *batch, struct error *error);

// Submits and waits (not on the writer thread; without threads it runs log_step itself); sets batch->complete itself. False
// unless DURABLE; batch->outcome says more (LOG_PENDING: never submitted).
MUST_USE bool log_append_wait(struct log *log, struct log_batch *batch, struct error *error);

// threaded = false: commits at most one group, then does at most one piece of other work (trim, snapshot), then checkpoints if it
// is time. Returns false when there was nothing to do.
bool log_step(struct log *log);

// --- after a failure of the device ---------------------------------------------------------------------------------------------

bool log_broken(struct log *log);

// Closes and reopens what a failure broke; blocks. False, and still broken, when the device fails again; call it later. A log
// that is not broken is left alone. Called by one thread at a time.
MUST_USE bool log_reopen(struct log *log, struct error *error);

enum log_fate {
        LOG_LANDED,                             // its records have the positions ticket, ticket + 1, …
        LOG_NOT_LANDED,
};

// What became of an UNKNOWN submission of this struct log (tickets do not outlive it: after a restart, read the log to its end).
// ERROR_UNAVAILABLE while the log is broken, ERROR_NOT_FOUND when the ticket is unknown or older than the failures remembered.
MUST_USE bool log_resolve(struct log *log, uint64_t ticket, enum log_fate *ret_fate, struct error *error);

// --- read --------------------------------------------------------------------------------------------------------------------

// A reader sees everything that is DURABLE and nothing that is not. Used by one thread at a time; never keeps a transaction open
// between calls. Closed before the log.
MUST_USE bool log_reader_open(struct log *log, struct log_reader **ret_reader, struct error *error);
void log_reader_close(struct log_reader *reader);       // NULL is allowed
void log_reader_closep(struct log_reader **reader);

// Records with positions from `from` on, in order, into the arena: at most `records` of them, and no more than fit into `bytes`
// of headers and bodies, but at least one if there is one. No records: the end, for now.
MUST_USE bool log_read(struct log_reader *reader, uint64_t from, size_t records, size_t bytes, struct arena *arena,
                       struct log_record **ret_records, size_t *ret_count, struct error *error);
// The same of one stream with offsets, from an offset on. Trimmed records are skipped: look at the first one's offset.
MUST_USE bool log_read_stream(struct log_reader *reader, uint32_t stream, int64_t from, size_t records, size_t bytes,
                              struct arena *arena, struct log_record **ret_records, size_t *ret_count, struct error *error);
// One record; ERROR_NOT_FOUND when there is none at the position (never was, or trimmed).
MUST_USE bool log_read_one(struct log_reader *reader, uint64_t position, struct arena *arena, struct log_record *ret_record,
                           struct error *error);

// Position of the first record that is still there (0: none; read from the device), and of the last that is DURABLE (0: never
// one; from memory, and it stays when that record is trimmed).
MUST_USE bool log_first_position(struct log_reader *reader, uint64_t *ret_position, struct error *error);
uint64_t log_last_position(struct log *log);

// --- retention and snapshots ---------------------------------------------------------------------------------------------------

// Removes the records up to and including a position, except those in keep (ascending). Runs in small pieces between appends.
// The struct and keep stay the caller's, and as they are, until complete is called (on the writer thread, error NULL when done);
// removed is then how many. What a failed trim has removed stays removed; submit it again.
struct log_trim {
        uint64_t up_to;
        const uint64_t *keep;
        size_t keep_count;
        void (*complete)(struct log_trim *trim, const struct error *error);
        uint64_t removed;
        uint64_t next;                          // the log's: where the next piece begins
        struct list list;                       // the log's
};
MUST_USE bool log_trim(struct log *log, struct log_trim *trim, struct error *error);

// Stores a snapshot under a name, durably and in place of the one before, which stays readable until the new one is complete.
// Written in pieces between appends. Memory as with log_trim. After a crash either the old or the new one is there, whole.
struct log_snapshot {
        struct bytes name;                      // 1 … LOG_NAME_MAX
        uint64_t position;                      // the caller's: up to where the snapshot speaks
        struct bytes body;                      // up to LOG_SNAPSHOT_MAX
        void (*complete)(struct log_snapshot *snapshot, const struct error *error);
        int64_t generation;                     // the log's
        size_t written;                         // the log's
        struct list list;                       // the log's
};
MUST_USE bool log_snapshot_write(struct log *log, struct log_snapshot *snapshot, struct error *error);

// The snapshot of this name, appended to the buffer; ERROR_NOT_FOUND, ERROR_CORRUPT.
MUST_USE bool log_snapshot_read(struct log_reader *reader, struct bytes name, uint64_t *ret_position, struct buffer *body,
                                struct error *error);

// --- erasure -----------------------------------------------------------------------------------------------------------------

// Replaces records where they are: positions, streams and offsets stay, header and body are new, all of them in one transaction
// between appends. Those that are not there any more (trimmed) are passed over. Readers see the old or the new ones, all of a
// rewrite alike; nobody else need be told, since no position moves. When it ends with an error none is replaced, or, should the
// device have failed (which breaks the log), nobody knows: submit it again after log_reopen, to do it twice does no harm. What a
// record was before is overwritten in the file (secure_delete), but may be in the WAL, in free pages, in older snapshots:
// log_sweep. Memory as with log_trim.
enum { LOG_REWRITE_RECORDS_MAX = 4096 };
struct log_rewrite {
        const struct log_record *records;       // 1 … LOG_REWRITE_RECORDS_MAX, up to LOG_BATCH_BYTES_MAX
        size_t count;
        void (*complete)(struct log_rewrite *rewrite, const struct error *error);
        size_t replaced;                        // of them there
        struct list list;                       // the log's
};
// ERROR_LIMIT, ERROR_UNAVAILABLE; ERROR_INVALID: an offset or stream that makes no sense.
MUST_USE bool log_rewrite(struct log *log, struct log_rewrite *rewrite, struct error *error);

// Leaves in the log's files nothing but what the log holds: the file is written anew (VACUUM: appends wait meanwhile) with another
// one beside it meanwhile, unlinked, of the same size; then the WAL is copied into it and emptied. Memory as with log_trim. After
// an error, or a crash, submit it again.
struct log_sweep {
        void (*complete)(struct log_sweep *sweep, const struct error *error);
        bool vacuumed;                          // the log's
        unsigned tries;                         // the log's
        struct list list;                       // the log's
};
MUST_USE bool log_sweep(struct log *log, struct log_sweep *sweep, struct error *error);

// --- figures -------------------------------------------------------------------------------------------------------------------

enum { LOG_HISTOGRAM_SIZE = 96 };               // four buckets an octave; bucket b holds values of about 2^(b/4)

struct log_stats {
        uint64_t submissions, records, bytes;   // DURABLE ones
        uint64_t failed, unknown;               // submissions
        uint64_t commits;                       // transactions of appends, each with one fsync
        uint64_t trimmed;                       // records
        uint64_t read;                          // records that readers were given
        uint64_t checkpoints;
        uint64_t reopens;
        size_t queue_records, queue_bytes;      // now
        size_t queue_records_max;               // since the log was opened
        uint64_t commit_time[LOG_HISTOGRAM_SIZE];       // µs from the begin of a group's transaction to its end
        uint64_t group_records[LOG_HISTOGRAM_SIZE];     // records of a group
};
void log_stats(struct log *log, struct log_stats *ret_stats);

// The value below or at which the given share (0 … 1) of a histogram's entries are, up to the next bucket's border; 0 when empty.
uint64_t log_histogram_quantile(const uint64_t histogram[static LOG_HISTOGRAM_SIZE], double share);
