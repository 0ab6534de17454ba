// SPDX-License-Identifier: Apache-2.0
// Snapshots of the views in the log, and the trim that they allow (DESIGN.md §5). Runs on whoever folds, a piece at a time; a
// piece is submitted to the log and the next one is made when it has landed, so memory is one piece.
//
// In the log are "views", the head, and "views/a/N" or "views/b/N", the pieces: a new snapshot is written to the letter that the
// head does not name, and the head last, so that one of both is whole at any time. Bytes, little-endian:
//      head    u32 version (1), u32 STATE_FORMAT, u8 letter, u32 number of pieces, u64 position, u64 trimmed
//      piece   u64 position, u32 N, then rows (store/dump.h)
// Nothing up to `trimmed` may be expected in the log any more: the head says so before the trim begins. What is trimmed is in the
// snapshot, settled, older than `retention_ms`, and not an answer that a repeat may still be given.
#include "gateway/views_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "os/clock.h"
#include "store/dump.h"

enum { VERSION = 1, HEAD_SIZE = 29, PIECE_HEAD_SIZE = 12, WAIT_NS = 1000000, NAME_MAX_SIZE = 32 };

struct head {
        uint32_t format, pieces;
        char letter;
        uint64_t position, trimmed;
};

static void put(struct buffer *buffer, uint64_t number, unsigned size) {
        for (unsigned i = 0; i < size; i++, number >>= 8)
                buffer_append_byte(buffer, (char)number);
}

static uint64_t take(const char *data, unsigned size) {
        uint64_t number = 0;
        while (size-- > 0)
                number = number << 8 | (unsigned char)data[size];
        return number;
}

static struct bytes piece_name(char name[static NAME_MAX_SIZE], char letter, uint32_t number) {
        int size = snprintf(name, NAME_MAX_SIZE, "views/%c/%" PRIu32, letter, number);
        return (struct bytes){name, (size_t)size};
}

// ERROR_NOT_FOUND: there never was a snapshot.
static bool head_read(struct views *views, struct head *ret_head, struct error *error) {
        CLEANUP(buffer_free) struct buffer body = {0};
        uint64_t position;
        if (!log_snapshot_read(views->log_reader, BYTES("views"), &position, &body, error))
                return false;
        const char *data = body.data;
        if (body.size != HEAD_SIZE || take(data, 4) != VERSION)
                return error_set(error, ERROR_CORRUPT, "the views' snapshot is of a version that this program does not know");
        *ret_head = (struct head){(uint32_t)take(data + 4, 4), (uint32_t)take(data + 9, 4), data[8], take(data + 13, 8),
                                  take(data + 21, 8)};
        return true;
}

// --- restore ----------------------------------------------------------------------------------------------------------------

static bool restore_pieces(struct views *views, const struct head *head, struct error *error) {
        CLEANUP(buffer_free) struct buffer body = {0};
        if (!state_restore_begin(views->state, error))
                return false;
        for (uint32_t i = 0; i < head->pieces; i++) {
                char name[NAME_MAX_SIZE];
                uint64_t position;
                buffer_clear(&body);
                if (!log_snapshot_read(views->log_reader, piece_name(name, head->letter, i), &position, &body, error))
                        return false;
                if (body.size < PIECE_HEAD_SIZE || take(body.data, 8) != head->position || take(body.data + 8, 4) != i)
                        return error_set(error, ERROR_CORRUPT, "a piece of it is of another snapshot");
                if (!state_restore_piece(views->state, (struct bytes){body.data + PIECE_HEAD_SIZE, body.size - PIECE_HEAD_SIZE},
                                         error))
                        return false;
        }
        return true;
}

static bool restore(struct views *views, const struct head *head, struct error *error) {
        if (head->format != STATE_FORMAT && head->format != STATE_FORMAT_BEFORE)
                return error_set(error, ERROR_UNSUPPORTED, "it is of format %" PRIu32 ", this program knows %d", head->format,
                                 (int)STATE_FORMAT);
        if (!state_begin(views->state, error))
                return false;
        if (restore_pieces(views, head, error) &&
            (head->format == STATE_FORMAT || state_restore_upgrade(views->state, error)) &&
            state_commit(views->state, head->position, error))
                return state_restored(views->state, error);
        state_rollback(views->state);
        return false;
}

bool views_restore(struct views *views, struct error *error) {
        struct head head = {0};
        struct error why = {0};
        uint64_t position;
        if (!state_position(state_own_reader(views->state), &position, error))
                return false;
        if (!head_read(views, &head, &why))     // without it nobody knows what has been trimmed
                return why.code == ERROR_NOT_FOUND || error_set(error, why.code, "%s", why.text);
        views->snapshot.letter = head.letter;
        views->snapshot.trimmed = head.trimmed;
        views->snapshot.last_position = head.position;
        if (position > 0 && position >= head.trimmed)
                return true;
        if (restore(views, &head, &why) || !head.trimmed)
                return true;                    // all of the log is there: it is folded from its beginning
        return error_set(error, why.code, "the views hold up to %" PRIu64 " and must be built anew, but records up to %" PRIu64
                         " have been trimmed, and the snapshot at %" PRIu64 " cannot be used: %s", position, head.trimmed,
                         head.position, why.text);
}

// --- what may be trimmed ----------------------------------------------------------------------------------------------------

// The last position up to `end` of a record older than the time, by halving: records are in order of time, nearly.
static bool older_than(struct views *views, int64_t time_ms, uint64_t end, uint64_t *ret_position, struct error *error) {
        uint64_t low = 0, high = end;           // low is older or 0, all behind high are not
        while (low < high) {
                uint64_t middle = low + (high - low + 1) / 2;
                struct log_record *entry;
                struct record record;
                size_t count;
                if (!log_read(views->log_reader, middle, 1, 1, &views->snapshot.arena, &entry, &count, error))
                        return false;
                bool older = count > 0 && entry->position <= high && record_decode(entry->header, &record, NULL) &&
                             record.time_ms < time_ms;
                if (older)
                        low = entry->position;
                else
                        high = middle - 1;
                arena_reset(&views->snapshot.arena);
        }
        *ret_position = low;
        return true;
}

static bool trim_plan(struct views *views, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        int64_t retention = views->options.retention_ms;
        snapshot->trim = (struct log_trim){0};
        if (retention <= 0)
                return true;
        uint64_t unsettled, up_to, *keep;
        size_t count;
        if (!state_dump_oldest_unsettled(snapshot->dump, &unsettled, error) ||
            !older_than(views, clock_wall_ms(views->options.clock) - retention,
                        unsettled ? MIN(unsettled - 1, snapshot->position) : snapshot->position, &up_to, error) ||
            !state_dump_kept(snapshot->dump, up_to, VIEWS_TRIM_KEPT_MAX, &keep, &count, error))
                return false;
        if (count == VIEWS_TRIM_KEPT_MAX)
                up_to = keep[count - 1];
        free(snapshot->kept);
        snapshot->kept = keep;
        snapshot->trim = (struct log_trim){.up_to = up_to, .keep = keep, .keep_count = count};
        snapshot->trimmed = MAX(snapshot->trimmed, up_to);
        return true;
}

// --- one step ---------------------------------------------------------------------------------------------------------------

// On the log's writer thread. Once the mutex is free again the views may be gone.
static void landed(struct views_snapshot *snapshot, const struct error *error) {
        struct views *views = CONTAINER_OF(snapshot, struct views, snapshot);
        if (error)
                snapshot->error = *error;
        else
                snapshot->error.code = ERROR_NONE;
        pthread_mutex_lock(&views->mutex);
        atomic_store(&snapshot->waits, false);
        atomic_store(&views->woken, true);
        pthread_cond_signal(&views->wake);
        pthread_mutex_unlock(&views->mutex);
}

static void write_landed(struct log_snapshot *write, const struct error *error) {
        landed(CONTAINER_OF(write, struct views_snapshot, write), error);
}

static void trim_landed(struct log_trim *trim, const struct error *error) {
        landed(CONTAINER_OF(trim, struct views_snapshot, trim), error);
}

static bool submit(struct views *views, struct bytes name, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        snapshot->write = (struct log_snapshot){.name = name, .position = snapshot->position,
                                                .body = buffer_bytes(&snapshot->body), .complete = write_landed};
        atomic_store(&snapshot->waits, true);
        bool submitted = log_snapshot_write(views->options.log, &snapshot->write, error);
        if (!submitted)
                atomic_store(&snapshot->waits, false);
        return submitted;
}

static bool begin(struct views *views, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        if (!state_dump_open(views->path, &snapshot->dump, &snapshot->position, error))
                return false;
        snapshot->letter = snapshot->letter == 'a' ? 'b' : 'a';
        snapshot->pieces = 0;
        snapshot->stage = VIEWS_SNAPSHOT_PIECES;
        return true;
}

static bool next_piece(struct views *views, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        buffer_clear(&snapshot->body);
        put(&snapshot->body, snapshot->position, 8);
        put(&snapshot->body, snapshot->pieces, 4);
        size_t bytes = views->options.snapshot_piece ? views->options.snapshot_piece : VIEWS_SNAPSHOT_PIECE;
        if (!state_dump_next(snapshot->dump, bytes, &snapshot->body, error))
                return false;
        if (snapshot->body.size > PIECE_HEAD_SIZE)
                return submit(views, piece_name(snapshot->name, snapshot->letter, snapshot->pieces++), error);
        snapshot->stage = VIEWS_SNAPSHOT_HEAD;
        if (!trim_plan(views, error))
                return false;
        state_dump_close(TAKE(snapshot->dump));
        buffer_clear(&snapshot->body);
        put(&snapshot->body, VERSION, 4);
        put(&snapshot->body, STATE_FORMAT, 4);
        put(&snapshot->body, (unsigned char)snapshot->letter, 1);
        put(&snapshot->body, snapshot->pieces, 4);
        put(&snapshot->body, snapshot->position, 8);
        put(&snapshot->body, snapshot->trimmed, 8);
        return submit(views, BYTES("views"), error);
}

static void end(struct views *views) {
        struct views_snapshot *snapshot = &views->snapshot;
        state_dump_close(TAKE(snapshot->dump));
        free(TAKE(snapshot->kept));
        buffer_free(&snapshot->body);
        arena_free(&snapshot->arena);
        snapshot->stage = VIEWS_SNAPSHOT_NONE;
}

static bool head_landed(struct views *views, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        snapshot->last_position = snapshot->position;
        if (snapshot->trim.up_to == 0) {
                end(views);
                return true;
        }
        snapshot->stage = VIEWS_SNAPSHOT_TRIM;
        snapshot->trim.complete = trim_landed;
        atomic_store(&snapshot->waits, true);
        bool submitted = log_trim(views->options.log, &snapshot->trim, error);
        if (!submitted)
                atomic_store(&snapshot->waits, false);
        return submitted;
}

static bool advance(struct views *views, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        if (snapshot->stage != VIEWS_SNAPSHOT_NONE && snapshot->error.code != ERROR_NONE)
                return error_set(error, snapshot->error.code, "%s", snapshot->error.text);
        switch (snapshot->stage) {
        case VIEWS_SNAPSHOT_NONE:
                return begin(views, error);
        case VIEWS_SNAPSHOT_PIECES:
                return next_piece(views, error);
        case VIEWS_SNAPSHOT_HEAD:
                return head_landed(views, error);
        case VIEWS_SNAPSHOT_TRIM:
                end(views);
                return true;
        }
        UNREACHABLE("a stage");
        return false;
}

bool views_snapshot_step(struct views *views, bool *ret_more, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        *ret_more = true;
        if (atomic_load(&snapshot->waits))
                return true;
        if (advance(views, error)) {
                *ret_more = snapshot->stage != VIEWS_SNAPSHOT_NONE;
                return true;
        }
        // the pieces under the new letter are of no use; the head still names the other one, unless it has landed
        if (snapshot->last_position != snapshot->position)
                snapshot->letter = snapshot->letter == 'a' ? 'b' : 'a';
        snapshot->error.code = ERROR_NONE;
        end(views);
        return error_wrap(error, "snapshot of the views");
}

bool views_snapshot_blank(struct views *views, char letter, uint32_t number, bool *ret_gone, struct error *error) {
        struct views_snapshot *snapshot = &views->snapshot;
        ASSERT(snapshot->stage == VIEWS_SNAPSHOT_NONE && !atomic_load(&snapshot->waits));
        struct error why = {0};
        uint64_t position;
        buffer_clear(&snapshot->body);
        struct bytes name = piece_name(snapshot->name, letter, number);
        bool there = log_snapshot_read(views->log_reader, name, &position, &snapshot->body, &why);
        bool filled = snapshot->body.size > 0;
        buffer_clear(&snapshot->body);
        if (!there && why.code != ERROR_NOT_FOUND && why.code != ERROR_CORRUPT)
                return error_set(error, why.code, "%s", why.text);
        *ret_gone = !there && why.code == ERROR_NOT_FOUND;
        return *ret_gone || (there && !filled) || submit(views, name, error);
}

bool views_snapshot_now(struct views *views, struct error *error) {
        ASSERT(!views->threaded);
        for (bool more = true; more;) {
                if (!views_snapshot_step(views, &more, error))
                        return false;
                if (atomic_load(&views->snapshot.waits))
                        nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
        }
        return true;
}

// What is submitted is the log's until it has landed.
void views_snapshot_close(struct views *views) {
        while (atomic_load(&views->snapshot.waits))
                nanosleep(&(struct timespec){.tv_nsec = WAIT_NS}, NULL);
        pthread_mutex_lock(&views->mutex);      // until the writer has left it
        pthread_mutex_unlock(&views->mutex);
        end(views);
}

bool views_snapshot_due(const struct views *views) {
        const struct views_snapshot *snapshot = &views->snapshot;
        uint64_t records = views_position(views) - MIN(snapshot->last_position, views_position(views));
        int64_t since_ms = clock_wall_ms(views->options.clock) - snapshot->looked_ms;
        uint64_t enough = views->options.snapshot_records ? views->options.snapshot_records : VIEWS_SNAPSHOT_RECORDS;
        int64_t pause = views->options.snapshot_ms ? views->options.snapshot_ms : VIEWS_SNAPSHOT_MS;
        return records >= enough || (records > 0 && since_ms >= pause);
}
