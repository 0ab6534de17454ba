// SPDX-License-Identifier: Apache-2.0
// The views' life: opening, one batch, catching up, the thread that follows the log. See views.h; the fold is views_fold.c.
//
// One batch is one transaction: what the log has, up to a limit; then the position is published and `moved` is called. When the
// store fails, the batch is rolled back and forgotten, and everything that memory knows is read from the tables again.
#include "gateway/views.h"

#include "gateway/views_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/thread.h"

enum {
        TICK_SECONDS = 1,                       // expiry, and another try after a failure
        GATHER_MS = 10,                         // before a batch
        GATHER_TIMES = 5,                       // at most, while records keep coming but are few
        GATHER_FEW = 100,                       // behind after the first time: nobody is in a hurry with less
        GATHER_ENOUGH = 1500,
};

// --- opening ----------------------------------------------------------------------------------------------------------------

static bool replay_control(void *context, uint64_t position, struct bytes header, struct bytes body, struct error *error) {
        struct views *views = context;
        struct record record;
        if (!record_decode(header, &record, error))
                return error_wrap(error, "state.db: control record at %" PRIu64, position);
        views->options.control(views->options.context, position, &record, body);
        return true;
}

static bool replay_migration(void *context, struct bytes communication, uint64_t position, struct bytes json,
                             struct error *error) {
        struct views *views = context;
        (void)error;
        struct record record = {.kind = RECORD_MIGRATION, .key = communication};
        views->options.control(views->options.context, position, &record, json);
        return true;
}

static bool open_parts(struct views *views, struct error *error) {
        struct log *log = views->options.log;
        uint8_t id[LOG_ID_SIZE];
        static_assert((int)LOG_ID_SIZE == (int)STATE_LOG_ID_SIZE, "the same id");
        log_id(log, id);
        uint64_t position;
        if (!state_open(views->path, id, log_last_position(log), &views->state, error) ||
            !log_reader_open(log, &views->log_reader, error) || !views_restore(views, error) || !views_shards_load(views, error))
                return false;
        views->snapshot.looked_ms = clock_wall_ms(views->options.clock);
        struct state_reader *reader = state_own_reader(views->state);
        if (!state_position(reader, &position, error))
                return false;
        atomic_store(&views->position, position);
        return !views->options.control || (state_control_each(reader, replay_control, views, error) &&
                                           state_migration_each(reader, replay_migration, views, error));
}

bool views_open(const struct views_options *options, struct views **ret_views, struct error *error) {
        CLEANUP(views_closep) struct views *views = must_calloc(1, sizeof *views);
        views->options = *options;
        views->path = bytes_to_text(bytes_of(options->path));
        if (!views->options.clock)
                views->options.clock = clock_real();
        pthread_mutex_init(&views->mutex, NULL);
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&views->wake, &monotonic);
        pthread_condattr_destroy(&monotonic);
        list_init(&views->orders);
        views_batch_clear(views);
        if (!open_parts(views, error))
                return false;
        *ret_views = TAKE(views);
        return true;
}

void views_close(struct views *views) {
        if (!views)
                return;
        if (views->threaded) {
                pthread_mutex_lock(&views->mutex);
                views->stopping = true;
                pthread_cond_signal(&views->wake);
                pthread_mutex_unlock(&views->mutex);
                thread_join(views->thread);
        }
        views_orders_end(views);
        views_snapshot_close(views);
        views_batch_clear(views);
        views_shards_free(views);
        log_reader_close(views->log_reader);
        state_close(views->state);
        arena_free(&views->arena);
        pthread_cond_destroy(&views->wake);
        pthread_mutex_destroy(&views->mutex);
        free(views->path);
        free(views);
}

void views_closep(struct views **views) {
        views_close(*views);
}

// --- one batch --------------------------------------------------------------------------------------------------------------

static bool fold(struct views *views, const struct log_record *entries, size_t count, struct error *error) {
        if (!state_begin(views->state, error))
                return false;
        bool done = true;
        for (size_t i = 0; done && i < count; i++)
                done = views_apply(views, &entries[i], error);
        if (done && views_flush(views, error) && state_commit(views->state, entries[count - 1].position, error))
                return true;
        state_rollback(views->state);
        views_batch_clear(views);
        struct error again = {0};
        if (!views_shards_load(views, &again)) {        // without them the next batch would fold onto nothing
                ASSERT(again.code != ERROR_NONE);
                views->stale = true;
        }
        return false;
}

static void tell_control(struct views *views, const struct log_record *entries, size_t count) {
        for (size_t i = 0; i < count; i++) {
                struct record record;
                if (record_decode(entries[i].header, &record, NULL) &&
                    (record.kind == RECORD_CONFIG || record.kind == RECORD_REGISTRY || record.kind == RECORD_MIGRATION))
                        views->options.control(views->options.context, entries[i].position, &record, entries[i].body);
        }
}

static bool step(struct views *views, size_t *ret_count, struct error *error) {
        if (views->stale && !views_shards_load(views, error))
                return false;
        views->stale = false;
        views->control_seen = false;
        struct log_record *entries;
        size_t count;
        if (!log_read(views->log_reader, views_position(views) + 1, VIEWS_BATCH_RECORDS, VIEWS_BATCH_BYTES, &views->arena,
                      &entries, &count, error))
                return false;
        if (count > 0 && !fold(views, entries, count, error))
                return false;
        *ret_count = count;
        if (count == 0)
                return true;
        if (views->control_seen && views->options.control)
                tell_control(views, entries, count);
        atomic_store_explicit(&views->position, entries[count - 1].position, memory_order_release);
        if (views->options.moved)
                views->options.moved(views->options.context, entries[count - 1].position);
        return true;
}

bool views_step(struct views *views, size_t *ret_count, struct error *error) {
        bool done = step(views, ret_count, error);
        arena_reset(&views->arena);
        return done || error_wrap(error, "fold the log behind position %" PRIu64, views_position(views));
}

bool views_catch_up(struct views *views, void (*progress)(void *context, uint64_t position, uint64_t end), struct error *error) {
        ASSERT(!views->threaded);
        uint64_t end = log_last_position(views->options.log);
        size_t count = 1;
        while (count > 0 && views_position(views) < end) {
                if (!views_step(views, &count, error))
                        return false;
                if (progress)
                        progress(views->options.context, views_position(views), end);
        }
        return true;
}

bool views_expire(struct views *views, size_t *ret_removed, struct error *error) {
        int64_t window = views->options.identity_window_ms;
        if (window <= 0) {
                *ret_removed = 0;
                return true;
        }
        return state_expire(views->state, clock_wall_ms(views->options.clock) - window, VIEWS_EXPIRE_ROWS, ret_removed, error);
}

// --- the thread -------------------------------------------------------------------------------------------------------------

static void report(struct views *views, bool done, const struct error *error) {
        if (done && !atomic_load(&views->failing))
                return;
        pthread_mutex_lock(&views->mutex);
        if (!done)
                views->error = *error;
        atomic_store(&views->failing, !done);
        pthread_mutex_unlock(&views->mutex);
}

// Waits for a wake-up or a tick; false: stop.
static bool wait(struct views *views, bool tick) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);         // of the condition variable, not of the fold
        until.tv_sec += TICK_SECONDS;
        pthread_mutex_lock(&views->mutex);
        int waited = 0;
        while (!views->stopping && waited != ETIMEDOUT && (tick || !atomic_load(&views->woken)))
                waited = pthread_cond_timedwait(&views->wake, &views->mutex, &until);
        atomic_store(&views->woken, false);
        bool go_on = !views->stopping;
        pthread_mutex_unlock(&views->mutex);
        return go_on;
}

static bool stopping(struct views *views) {
        pthread_mutex_lock(&views->mutex);
        bool stop = views->stopping;
        pthread_mutex_unlock(&views->mutex);
        return stop;
}

// Many records in one transaction cost a fraction of as many transactions; nobody waits for the views that long.
static void gather(const struct views *views) {
        struct timespec pause = {.tv_nsec = GATHER_MS * 1000000l};
        for (int i = 0; i < GATHER_TIMES; i++) {
                nanosleep(&pause, NULL);
                uint64_t behind = views_lag(views);
                if (behind < GATHER_FEW || behind > GATHER_ENOUGH)
                        break;
        }
}

static bool tend_snapshot(struct views *views, struct error *error) {
        int64_t now_ms = clock_wall_ms(views->options.clock);
        if (views_orders_snapshot(views))       // it counts the pieces of each: nobody else may make one meanwhile
                return true;
        if (now_ms < views->snapshot_after_ms || (views->snapshot.stage == VIEWS_SNAPSHOT_NONE && !views_snapshot_due(views)))
                return true;
        bool more = true;
        if (!views_snapshot_step(views, &more, error)) {
                views->snapshot_after_ms = now_ms + VIEWS_SNAPSHOT_RETRY_MS;
                return false;
        }
        if (!more)
                views->snapshot.looked_ms = now_ms;
        else if (!atomic_load(&views->snapshot.waits))
                views_wake(views);
        return true;
}

static void *run(void *context) {
        struct views *views = context;
        bool done = true;
        int64_t expired_ms = 0;
        while (wait(views, !done)) {
                gather(views);
                struct error error = {0};
                size_t count = 1;
                while (done = true, count > 0 && !stopping(views) && (done = views_step(views, &count, &error)))
                        report(views, true, NULL);
                int64_t now_ms = clock_wall_ms(views->options.clock);
                size_t removed = 0;
                if (done && now_ms / 1000 != expired_ms / 1000) {
                        done = views_expire(views, &removed, &error);
                        expired_ms = removed == VIEWS_EXPIRE_ROWS ? 0 : now_ms;
                        if (removed == VIEWS_EXPIRE_ROWS)
                                views_wake(views);
                }
                done = done && tend_snapshot(views, &error);
                report(views, done, &error);
                bool more = false;
                if (done)
                        views_orders_step(views, &more);
                if (more)
                        views_wake(views);
        }
        return NULL;
}

bool views_start(struct views *views, struct error *error) {
        ASSERT(!views->threaded);
        atomic_store(&views->woken, true);              // what came since views_catch_up
        views->threaded = thread_start("views", run, views, &views->thread, error);
        return views->threaded;
}

void views_wake(struct views *views) {
        if (atomic_exchange(&views->woken, true))
                return;
        pthread_mutex_lock(&views->mutex);
        pthread_cond_signal(&views->wake);
        pthread_mutex_unlock(&views->mutex);
}

// --- what others ask --------------------------------------------------------------------------------------------------------

uint64_t views_position(const struct views *views) {
        return atomic_load_explicit(&views->position, memory_order_acquire);
}

uint64_t views_lag(const struct views *views) {
        uint64_t position = views_position(views), end = log_last_position(views->options.log);
        return end > position ? end - position : 0;
}

bool views_behind(const struct views *views) {
        return views_lag(views) > VIEWS_LAG_MAX;
}

bool views_error(struct views *views, struct error *ret_error) {
        if (!atomic_load(&views->failing))
                return false;
        pthread_mutex_lock(&views->mutex);
        *ret_error = views->error;
        pthread_mutex_unlock(&views->mutex);
        return true;
}

struct state_reader *views_reader(struct views *views) {
        return state_own_reader(views->state);
}

void views_share(struct views *views, struct state_reader *reader) {
        state_reader_share(reader, views->state);
}
