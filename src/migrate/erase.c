// SPDX-License-Identifier: Apache-2.0
// Orders of erasures, what is told of one, its record, and the thread that waits for the next.
#include "migrate/erase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "migrate/erase_priv.h"
#include "os/clock.h"
#include "os/thread.h"

static const char *const status_names[] = {"none", "running", "done", "failed"};
static const char *const phase_names[] = {"records", "waiting", "snapshots", "sweep"};

void erase_change(struct erase *erase, void (*change)(struct erase_state *state, const void *with), const void *with) {
        pthread_mutex_lock(&erase->mutex);
        change(&erase->state, with);
        pthread_mutex_unlock(&erase->mutex);
}

static void set_sentence(struct erase_state *state, const void *with) {
        snprintf(state->sentence, sizeof state->sentence, "%s", (const char *)with);
}

void erase_say(struct erase *erase, const char *sentence) {
        erase_change(erase, set_sentence, sentence);
}

static struct erase_state copy_state(struct erase *erase) {
        pthread_mutex_lock(&erase->mutex);
        struct erase_state state = erase->state;
        pthread_mutex_unlock(&erase->mutex);
        return state;
}

// ---- telling ----

static void write_state(const struct erase_state *state, struct json_writer *writer) {
        json_begin_object(writer);
        json_member_u64(writer, "format", 1);
        json_key(writer, "events");
        json_begin_array(writer);
        for (size_t i = 0; i < state->event_count; i++)
                json_string_text(writer, state->events[i]->name);
        json_end_array(writer);
        json_member_text(writer, "status", status_names[state->status]);
        json_member_text(writer, "phase", phase_names[state->phase]);
        json_member_u64(writer, "position", state->cursor);
        json_member_u64(writer, "resume", state->resume);
        json_member_u64(writer, "up_to", state->up_to);
        json_member_u64(writer, "looked", state->counts.looked);
        json_member_u64(writer, "converted", state->counts.converted);
        json_member_u64(writer, "emptied", state->counts.emptied);
        json_member_u64(writer, "kept", state->counts.kept);
        json_member_i64(writer, "started", state->started_ms);
        json_member_i64(writer, "finished", state->finished_ms);
        json_member_text(writer, "reason", state->sentence);
        json_end_object(writer);
}

void erase_write(struct erase *erase, struct json_writer *writer) {
        struct erase_state state = copy_state(erase);
        if (state.status == ERASE_NONE)
                json_null(writer);
        else
                write_state(&state, writer);
}

// ---- reading ----

static bool number(const struct json *root, const char *key, uint64_t *ret_number) {
        const struct json *value = json_get_text(root, key);
        return value && json_to_u64(value, ret_number);
}

static bool name_of(const struct json *root, const char *key, const char *const *names, size_t count, unsigned *ret_at) {
        const struct json *value = json_get_text(root, key);
        for (unsigned i = 0; json_is(value, JSON_STRING) && i < count; i++)
                if (bytes_equal(json_text(value), bytes_of(names[i]))) {
                        *ret_at = i;
                        return true;
                }
        return false;
}

bool erase_restore(struct erase *erase, struct bytes json, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *root;
        struct erase_state state = {0};
        unsigned status, phase;
        uint64_t started, finished;
        if (!json_parse(json, NULL, &arena, &root, error))
                return error_wrap(error, "record of an erasure");
        const struct json *events = json_get_text(root, "events"), *reason = json_get_text(root, "reason");
        if (!name_of(root, "status", status_names, ARRAY_SIZE(status_names), &status) ||
            !name_of(root, "phase", phase_names, ARRAY_SIZE(phase_names), &phase) || !json_is(events, JSON_ARRAY) ||
            !number(root, "resume", &state.resume) || !number(root, "up_to", &state.up_to) ||
            !number(root, "looked", &state.counts.looked) || !number(root, "converted", &state.counts.converted) ||
            !number(root, "emptied", &state.counts.emptied) || !number(root, "kept", &state.counts.kept) ||
            !number(root, "started", &started) || !number(root, "finished", &finished) || !json_is(reason, JSON_STRING))
                return error_set(error, ERROR_CORRUPT, "record of an erasure: not what this version writes");
        JSON_FOR_EACH(name, events) {
                const struct model_event *event =
                        json_is(name, JSON_STRING) ? model_event_find(erase->options.model, json_text(name)) : NULL;
                if (event && state.event_count < ERASE_EVENTS_MAX)
                        state.events[state.event_count++] = event;
                else if (status == ERASE_RUNNING)
                        return error_set(error, ERROR_CONFLICT, "an erasure is under way of an event that the configuration does not have "
                                         "any more");
        }
        state.status = (enum erase_status)status;
        state.phase = (enum erase_phase)phase;
        state.cursor = state.resume;
        state.started_ms = (int64_t)started;
        state.finished_ms = (int64_t)finished;
        snprintf(state.sentence, sizeof state.sentence, "%.*s", BYTES_PRINT(json_text(reason)));
        erase->state = state;
        return true;
}

// ---- the thread ----

static void set_state(struct erase_state *state, const void *with) {
        *state = *(const struct erase_state *)with;
}

// Told after it is recorded: the record of the next job is behind this one's.
static void finish(struct erase *erase, bool good, const struct error *error) {
        struct erase_state state = copy_state(erase);
        struct buffer CLEANUP(buffer_free) body = {0};
        struct json_writer writer = {.buffer = &body};
        struct error ignored;
        state.status = good ? ERASE_DONE : ERASE_FAILED;
        state.finished_ms = clock_wall_ms(clock_real());
        snprintf(state.sentence, sizeof state.sentence, "%s", good ? "" : error->text);
        write_state(&state, &writer);
        json_end(&writer);
        // not durable: after a restart it goes on where it was, and finds everything done
        IGNORE(erase->options.ops->record(erase->options.user, buffer_bytes(&body), &ignored));
        erase_change(erase, set_state, &state);
}

static bool open_readers(struct erase *erase, struct error *error) {
        return (erase->log_reader || log_reader_open(erase->options.log, &erase->log_reader, error)) &&
               (erase->reader || state_reader_open(erase->options.state_path, &erase->reader, error));
}

// False: commute ends.
static bool wait_for_job(struct erase *erase) {
        pthread_mutex_lock(&erase->mutex);
        while (!atomic_load(&erase->stopping) && erase->state.status != ERASE_RUNNING)
                pthread_cond_wait(&erase->wake, &erase->mutex);
        pthread_mutex_unlock(&erase->mutex);
        return !atomic_load(&erase->stopping);
}

static void *run(void *user) {
        struct erase *erase = user;
        while (wait_for_job(erase)) {
                struct error error = {0};
                bool good = open_readers(erase, &error) && erase_run(erase, &error);
                if (!atomic_load(&erase->stopping))
                        finish(erase, good, &error);
        }
        return NULL;
}

// ---- life ----

struct erase *erase_new(const struct erase_options *options) {
        struct erase *erase = must_calloc(1, sizeof *erase);
        erase->options = *options;
        pthread_mutex_init(&erase->mutex, NULL);
        pthread_cond_init(&erase->wake, NULL);
        return erase;
}

bool erase_start(struct erase *erase, struct error *error) {
        erase->started = thread_start("erase", run, erase, &erase->thread, error);
        return erase->started;
}

void erase_free(struct erase *erase) {
        if (!erase)
                return;
        pthread_mutex_lock(&erase->mutex);
        atomic_store(&erase->stopping, true);
        pthread_cond_signal(&erase->wake);
        pthread_mutex_unlock(&erase->mutex);
        if (erase->started)
                thread_join(erase->thread);
        log_reader_close(erase->log_reader);
        state_reader_close(erase->reader);
        pthread_cond_destroy(&erase->wake);
        pthread_mutex_destroy(&erase->mutex);
        free(erase);
}

// ---- an order ----

// What the order asks for, ready to be recorded.
static bool accept(struct erase *erase, const struct erase_order *order, struct erase_state *ret_state, struct error *error) {
        struct state_reader CLEANUP(state_reader_closep) *reader = NULL;
        *ret_state = (struct erase_state){.status = ERASE_RUNNING, .event_count = order->count, .started_ms = clock_wall_ms(clock_real())};
        if (order->count == 0 || order->count > ERASE_EVENTS_MAX)
                return error_set(error, ERROR_INVALID, "events: expected from 1 to %d names", ERASE_EVENTS_MAX);
        for (size_t i = 0; i < order->count; i++) {
                ret_state->events[i] = order->events[i];
                for (size_t j = 0; j < i; j++)
                        if (order->events[j] == order->events[i])
                                return error_set(error, ERROR_INVALID, "events: %s is there twice", order->events[i]->name);
        }
        if (erase->order || copy_state(erase).status == ERASE_RUNNING)
                return error_set(error, ERROR_CONFLICT, "an erasure is under way");
        ret_state->up_to = log_last_position(erase->options.log);
        if (views_position(erase->options.views) < ret_state->up_to)
                views_wake(erase->options.views);
        return state_reader_open(erase->options.state_path, &reader, error) &&
               erase_may_begin(&erase->options, reader, ret_state, error);
}

static void recorded(void *user, uint64_t position, const struct error *error) {
        struct erase *erase = user;
        struct erase_order *order = TAKE(erase->order);
        (void)position;
        if (!error) {
                pthread_mutex_lock(&erase->mutex);
                erase->state = erase->ordered;
                pthread_cond_signal(&erase->wake);
                pthread_mutex_unlock(&erase->mutex);
        }
        order->done(order, error);
}

void erase_begin(struct erase *erase, struct erase_order *order) {
        struct buffer CLEANUP(buffer_free) body = {0};
        struct json_writer writer = {.buffer = &body};
        struct error error;
        struct erase_state state;
        if (!accept(erase, order, &state, &error)) {
                order->done(order, &error);
                return;
        }
        write_state(&state, &writer);
        json_end(&writer);
        erase->order = order;
        erase->ordered = state;
        erase->options.ops->append(erase->options.user, buffer_bytes(&body), recorded, erase);
}
