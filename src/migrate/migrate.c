// SPDX-License-Identifier: Apache-2.0
// The machine's life: it is restored from records, started, ticked, and given commands. See migrate.h.
#include "migrate/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "migrate/migrate_priv.h"

struct migrate *migrate_new(const struct migrate_options *options) {
        struct migrate *migrate = must_calloc(1, sizeof *migrate);
        const struct model *model = options->model;
        migrate->options = *options;
        migrate->count = model->communication_count + model->event_count;
        migrate->migrations = must_calloc(migrate->count, sizeof *migrate->migrations);
        for (size_t i = 0; i < migrate->count; i++) {
                struct migration *migration = &migrate->migrations[i];
                const struct model_event *event = i < model->communication_count ? NULL : &model->events[i - model->communication_count];
                migration->migrate = migrate;
                migration->communication = event ? event->reader : &model->communications[i];
                migration->subject = (struct migrate_subject){.communication = migration->communication, .event = event};
                snprintf(migration->key, sizeof migration->key, "%s%s", event ? "event/" : "",
                         event ? event->name : migration->communication->name);
        }
        return migrate;
}

void migrate_free(struct migrate *migrate) {
        if (!migrate)
                return;
        for (size_t i = 0; i < migrate->count; i++) {
                free(migrate->migrations[i].now);
                free(migrate->migrations[i].next);
                free(migrate->migrations[i].usage);
                free(migrate->migrations[i].usage_before);
                buffer_free(&migrate->migrations[i].body);
        }
        free(migrate->migrations);
        free(migrate);
}

struct migration *migration_of(const struct migrate *migrate, const struct model_communication *communication) {
        ASSERT(communication->index < migrate->options.model->communication_count);
        return &migrate->migrations[communication->index];
}

struct migration *migration_of_event(const struct migrate *migrate, const struct model_event *event) {
        ASSERT(event->index < migrate->options.model->event_count);
        return &migrate->migrations[migrate->options.model->communication_count + event->index];
}

static struct migration *migration_for(struct migrate *migrate, const struct migrate_request *request) {
        return request->event ? migration_of_event(migrate, request->event) : migration_of(migrate, request->communication);
}

unsigned migration_emitted(const struct migration *migration) {
        return migration->now ? migration->now->emitted : migration->subject.event->produces;
}

// ---- restoring ----

// Evidence that the gateway had in memory is gone; evidence of another configuration says nothing of this one.
static void void_after_restart(struct migration *migration) {
        const struct migration_state *now = migration->now;
        const struct migrate_table *table = now->table;
        size_t commit = 0, shadow = 0;
        while (commit < table->count && !table->steps[commit].commits)
                commit++;
        while (shadow < table->count && !table->steps[shadow].shadow)
                shadow++;
        enum migrate_state at = now->state == MIGRATE_PAUSED ? now->resume : now->state;
        bool acted = at == MIGRATE_ACTING || at == MIGRATE_GATE || at == MIGRATE_BACK;
        bool before_commit = now->step < commit || (now->step == commit && !acted);
        if (migration_over(now) || !before_commit || at == MIGRATE_BACK)
                return;
        if (strcmp(now->configuration, migration->migrate->options.model->hash_text) != 0) {
                migration_void(migration, "the configuration has changed");
                migration->configuration_changed = true;
        } else if (now->step > shadow || (now->step == shadow && at == MIGRATE_GATE)) {
                migration_void(migration, "commute was started again");
        }
}

// The configuration has no such communication any more: fine unless it is on its way.
static bool lost(struct bytes communication, struct bytes json, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *root;
        if (!json_parse(json, NULL, &arena, &root, error))
                return error_wrap(error, "MIGRATION record of %.*s", BYTES_PRINT(communication));
        const struct json *finished = json_get_text(root, "finished");
        if (finished && !json_is(finished, JSON_NULL))
                return true;
        return error_set(error, ERROR_CONFLICT, "a migration of %.*s is under way, and the configuration has no such "
                                                "communication any more", BYTES_PRINT(communication));
}

// The versions of an event: what is emitted holds from here on, whether the move is over or not.
static bool restore_event(struct migrate *migrate, struct bytes name, struct bytes json, struct error *error) {
        const struct model_event *event = model_event_find(migrate->options.model, name);
        if (!event)
                return lost(name, json, error);
        struct migration *migration = migration_of_event(migrate, event);
        struct migration_state *state;
        if (!migration_read(json, &migration->subject, &state, error))
                return false;
        unsigned most = MAX(state->emitted, migration_over(state) ? 0 : MAX(state->from_version, state->to_version));
        if (most >= MAX(event->version_count, (size_t)1) || (!migration_over(state) && !event->reader)) {
                free(state);
                return error_set(error, ERROR_CONFLICT, "%s has got to version %u, and the configuration has no such version, or nobody "
                                 "who reads it, any more", event->name, most);
        }
        migration->now = state;
        migration->subject.from = state->from_version;
        migration->subject.to = state->to_version;
        migrate->options.ops->emit(migrate->options.user, event, state->emitted, state->refused_below);
        void_after_restart(migration);
        return true;
}

bool migrate_restore(struct migrate *migrate, struct bytes communication, struct bytes json, struct error *error) {
        ASSERT(!migrate->started);
        static const struct bytes prefix = {"event/", 6};
        if (bytes_starts_with(communication, prefix))
                return restore_event(migrate, (struct bytes){communication.data + prefix.size, communication.size - prefix.size}, json,
                                     error);
        const struct model_communication *found = model_communication_find(migrate->options.model, communication);
        if (!found)
                return lost(communication, json, error);
        struct migration *migration = migration_of(migrate, found);
        struct migration_state *state;
        if (!migration_read(json, &migration->subject, &state, error))
                return false;
        struct error why;
        if (!migration_over(state) && !migrate_possible(found, state->table->to, &why)) {
                free(state);
                return error_set(error, ERROR_CONFLICT, "a migration of %s is under way, and the configuration does not allow it "
                                                        "any more: %s", found->name, why.text);
        }
        free(migration->now);
        migration->now = state;
        void_after_restart(migration);
        return true;
}

// What is emitted must be a version still, and what moves must have both its ends and its reader.
static bool event_allowed(const struct migration *migration, const struct model *next, struct error *error) {
        const struct model_event *event = migration->subject.event;
        const struct migration_state *state = migration->next ? migration->next : migration->now;
        if (migration->request && migration->request->order == MIGRATE_BEGIN && migration_over(state))
                return error_set(error, ERROR_CONFLICT, "a move of %s to another version is about to begin", event->name);
        if (!state)
                return true;
        const struct model_event *found = model_event_find(next, bytes_of(event->name));
        unsigned most = migration_over(state) ? state->emitted : MAX(state->from_version, state->to_version);
        if (!found && migration_over(state))
                return true;
        if (found && most < MAX(found->version_count, (size_t)1) && (migration_over(state) || found->reader))
                return true;
        return error_set(error, ERROR_CONFLICT, "%s has got to version %u, and the configuration has no such version, or nobody who reads "
                         "it, any more", event->name, most);
}

bool migrate_allows(const struct migrate *migrate, const struct model *next, struct error *error) {
        for (size_t i = migrate->options.model->communication_count; i < migrate->count; i++)
                if (!event_allowed(&migrate->migrations[i], next, error))
                        return false;
        for (size_t i = 0; i < migrate->options.model->communication_count; i++) {
                const struct migration *migration = &migrate->migrations[i];
                const struct model_communication *communication = migration->communication;
                const struct migration_state *state = migration->next ? migration->next : migration->now;
                if (migration->request && migration->request->order == MIGRATE_BEGIN && migration_over(state))
                        return error_set(error, ERROR_CONFLICT, "a migration of %s is about to begin", communication->name);
                if (migration_over(state))
                        continue;
                const struct model_communication *found = model_communication_find(next, bytes_of(communication->name));
                if (!found || found->kind != communication->kind)
                        return error_set(error, ERROR_CONFLICT, "a migration of %s is under way, and the configuration has no such "
                                                                "communication any more", communication->name);
                struct error why;
                if (!migrate_possible(found, state->table->to, &why))
                        return error_set(error, ERROR_CONFLICT, "a migration of %s is under way, and the configuration does not allow it "
                                                                "any more: %s", found->name, why.text);
        }
        return true;
}

void migrate_want_polls(struct migrate *migrate) {
        bool wanted = false;
        for (size_t i = 0; i < migrate->count; i++)
                wanted = wanted || !migration_over(migrate->migrations[i].now);
        wanted = wanted && migrate->started;
        if (wanted != migrate->polling)
                migrate->options.ops->poll(migrate->options.user, wanted);
        migrate->polling = wanted;
}

void migrate_start(struct migrate *migrate) {
        migrate->started = true;
        migrate_want_polls(migrate);
        for (size_t i = 0; i < migrate->count; i++)
                migration_cycle(&migrate->migrations[i]);
}

void migrate_stop(struct migrate *migrate) {
        struct error error;
        migrate->started = false;
        migrate_want_polls(migrate);
        error_set(&error, ERROR_UNAVAILABLE, "commute is ending");
        for (size_t i = 0; i < migrate->count; i++) {
                struct migration *migration = &migrate->migrations[i];
                if (migration->request && migration->request->order == MIGRATE_ADVANCE && !migration->serving)
                        migration_answer(migration, &error);    // others end with what they have asked for
        }
}

void migrate_tick(struct migrate *migrate) {
        for (size_t i = 0; i < migrate->count; i++) {
                migrate->migrations[i].ordered = false;
                migration_cycle(&migrate->migrations[i]);
        }
}

// ---- commands ----

static const char *const order_names[] = {
        [MIGRATE_BEGIN] = "begin", [MIGRATE_ADVANCE] = "advance", [MIGRATE_PAUSE] = "pause", [MIGRATE_ROLLBACK] = "rollback",
        [MIGRATE_CANCEL] = "cancel",
};

const char *migrate_order_name(enum migrate_order order) {
        ASSERT(order < ARRAY_SIZE(order_names));
        return order_names[order];
}

void migration_answer(struct migration *migration, const struct error *error) {
        struct migrate_request *request = TAKE(migration->request);
        request->done(request, error);
}

static void refuse(struct migration *migration, enum error_code code, const char *why, const char *what) {
        struct error error;
        error_set(&error, code, "%s: %s%s", migrate_name(&migration->subject), why, what);
        migration_answer(migration, &error);
}

bool migrate_begins(const struct model_communication *communication, const struct gateway_state *state, enum model_mode to,
                    const struct migrate_table **ret_table, struct error *error) {
        if (!migrate_possible(communication, to, error))
                return false;
        enum model_mode from = migrate_mode_now(communication, state);
        if (from == to)
                return error_set(error, ERROR_CONFLICT, "%s is %s already", communication->name, model_mode_name(to));
        *ret_table = migrate_table_find(communication->kind, from, to);
        ASSERT(*ret_table);
        return true;
}

static void begin_event(struct migration *migration) {
        struct migrate_request *request = migration->request;
        struct migration_state *next = migration_move(migration);
        uint64_t id = next->id;
        unsigned emitted = migration_emitted(migration), refused_below = next->refused_below;
        int64_t now_ms = migrate_now(request->migrate);
        *next = (struct migration_state){
                .id = id + 1, .table = &migrate_evolve, .automatic = request->automatic, .started_ms = now_ms,
                .from_version = emitted, .to_version = request->version, .emitted = emitted,
                .refused_below = MIN(refused_below, request->version),
        };
        migration_enter(next, 0, MIGRATE_BEFORE);
        migration_note(next, now_ms, "begun: from version %u to %u, %s", emitted, request->version,
                       next->automatic ? "each step whose gate passes is taken" : "each act waits for `commute advance`");
        migration->serving = true;
        migration->view.question = NULL;
        migration->view.usage = NULL;
        migration->void_because[0] = '\0';
        migration_commit(migration, next);
}

static void begin(struct gateway_command *command) {
        struct migrate_request *request = CONTAINER_OF(command, struct migrate_request, command);
        struct migration *migration = migration_of(request->migrate, request->communication);
        ASSERT(migration->request == request && !migration->next);
        const struct migrate_table *table;
        struct error error;
        if (!migrate_begins(request->communication, &command->state, request->to, &table, &error)) {
                migration_answer(migration, &error);
                return;
        }
        struct migration_state *next = migration_move(migration);
        uint64_t id = next->id;
        int64_t now_ms = migrate_now(request->migrate);
        *next = (struct migration_state){.id = id + 1, .table = table, .automatic = request->automatic, .started_ms = now_ms};
        migration_enter(next, 0, MIGRATE_BEFORE);
        migration_note(next, now_ms, "begun: from %s to %s, %s", model_mode_name(table->from), model_mode_name(table->to),
                       next->automatic ? "each step whose gate passes is taken" : "each act waits for `commute advance`");
        migration->serving = true;
        migration->view.question = NULL;        // what the provider said to the migration before is not of this one
        migration->void_because[0] = '\0';
        migration_commit(migration, next);
}

static void serve_begin(struct migration *migration) {
        struct migrate_request *request = migration->request;
        if (!migration_over(migration->now)) {
                refuse(migration, ERROR_CONFLICT, "a migration is under way, at the step ", migration_step(migration->now)->name);
                return;
        }
        struct error error;
        bool possible = request->event
                ? evolve_possible(request->migrate, request->event, migration_emitted(migration), request->version, &error)
                : migrate_possible(request->communication, request->to, &error);
        if (!possible) {
                migration_answer(migration, &error);
                return;
        }
        if (request->event) {
                begin_event(migration);
                return;
        }
        request->command = (struct gateway_command){
                .order = GATEWAY_STATE, .communication = request->communication->index, .done = begin, .user = request,
        };
        request->migrate->options.ops->order(request->migrate->options.user, &request->command);
}

static void serve_pause(struct migration *migration) {
        if (migration->now->state == MIGRATE_PAUSED) {
                refuse(migration, ERROR_CONFLICT, "it is paused already", "");
                return;
        }
        struct migration_state *next = migration_move(migration);
        enum migrate_state resume = next->state;
        bool to_start = next->to_start;
        migration_note(next, migrate_now(migration->migrate), "paused");
        migration_enter(next, next->step, MIGRATE_PAUSED);
        next->resume = resume;
        next->to_start = to_start;
        migration->serving = true;
        migration_commit(migration, next);
}

static void serve_advance(struct migration *migration) {
        if (migration->now->state != MIGRATE_PAUSED) {
                migration_cycle(migration);     // what it sees decides
                return;
        }
        struct migration_state *next = migration_move(migration);
        bool to_start = next->to_start;
        migration_note(next, migrate_now(migration->migrate), "goes on");
        migration_enter(next, next->step, next->resume);
        next->to_start = to_start;
        migration->serving = true;
        migration_commit(migration, next);
}

// Rollback and cancel.
static void serve_back(struct migration *migration, bool to_start) {
        const struct migration_state *now = migration->now;
        if (now->step + 1 == now->table->count) {
                refuse(migration, ERROR_CONFLICT, "the last step has no way back; let it end, and migrate to ",
                       migration->subject.event ? "the version before" : model_mode_name(now->table->from));
                return;
        }
        if (now->state == MIGRATE_BACK && (now->to_start || !to_start)) {
                refuse(migration, ERROR_CONFLICT, "it is on its way back already", "");
                return;
        }
        size_t step = migration_back_from(now);
        if (step == MIGRATE_STEPS_MAX && !to_start) {
                refuse(migration, ERROR_CONFLICT, "no step has been taken that could be undone", "");
                return;
        }
        struct migration_state *next = migration_move(migration);
        int64_t now_ms = migrate_now(migration->migrate);
        migration_note(next, now_ms, to_start ? "cancelled: on the way back to the start" : "on the way back, one step");
        if (step == MIGRATE_STEPS_MAX) {
                migration_enter(next, next->step, MIGRATE_CANCELLED);
                next->finished_ms = now_ms;
        } else {
                migration_enter(next, step, MIGRATE_BACK);
                next->to_start = to_start;
        }
        migration->void_because[0] = '\0';
        migration->serving = true;
        migration_commit(migration, next);
}

void migration_request(struct migration *migration) {
        ASSERT(migration->request);
        if (migration->next)
                return;                         // served when that move is recorded
        enum migrate_order order = migration->request->order;
        if (order != MIGRATE_BEGIN && migration_over(migration->now)) {
                refuse(migration, migration->now ? ERROR_CONFLICT : ERROR_NOT_FOUND, "no migration is under way", "");
                return;
        }
        switch (order) {
        case MIGRATE_BEGIN:
                serve_begin(migration);
                break;
        case MIGRATE_ADVANCE:
                serve_advance(migration);
                break;
        case MIGRATE_PAUSE:
                serve_pause(migration);
                break;
        case MIGRATE_ROLLBACK:
        case MIGRATE_CANCEL:
                serve_back(migration, order == MIGRATE_CANCEL);
                break;
        }
}

void migrate_give(struct migrate *migrate, struct migrate_request *request) {
        struct migration *migration = migration_for(migrate, request);
        struct error error;
        request->migrate = migrate;
        if (!migrate->started) {
                error_set(&error, ERROR_UNAVAILABLE, "commute is starting or ending");
                request->done(request, &error);
                return;
        }
        if (migration->request) {
                error_set(&error, ERROR_CONFLICT, "%s: another command (%s) is under way", migrate_name(&migration->subject),
                          migrate_order_name(migration->request->order));
                request->done(request, &error);
                return;
        }
        migration->request = request;
        migration_request(migration);
}

// ---- what is seen ----

bool migrate_known(const struct migrate *migrate, const struct model_communication *communication) {
        return migration_of(migrate, communication)->now != NULL;
}

bool migrate_running(const struct migrate *migrate, const struct model_communication *communication) {
        return !migration_over(migration_of(migrate, communication)->now);
}

static const char *sentence_of(const struct migration *migration) {
        const struct migration_state *now = migration->now;
        const struct migrate_evidence *live = &migration->live;
        return live->verdict != MIGRATE_NONE ? live->sentence : now->evidence[now->step].sentence;
}

static bool sentence(const struct migration *migration, char ret_sentence[static MIGRATE_SENTENCE_MAX]) {
        static const char *const prefixes[MIGRATE_STATE_COUNT] = {
                [MIGRATE_BEFORE] = "gate", [MIGRATE_READY] = "waits for `commute advance`", [MIGRATE_ACTING] = "acting",
                [MIGRATE_GATE] = "gate", [MIGRATE_PERSON] = "waits for you", [MIGRATE_PAUSED] = "paused",
                [MIGRATE_BACK] = "going back",
        };
        const struct migration_state *now = migration->now;
        char to[32];
        if (migration_over(now))
                return false;
        snprintf(to, sizeof to, "%u", now->to_version);
        struct buffer CLEANUP(buffer_free) title = {0};
        migrate_text(&title, migration_step(now)->title, &migration->subject);
        const char *seen = sentence_of(migration);
        migrate_print(ret_sentence, "to %s%s, step %zu of %zu, %.*s; %s%s%s", migration->subject.event ? "version " : "",
                      migration->subject.event ? to : model_mode_name(now->table->to), now->step + 1, now->table->count,
                      BYTES_PRINT(buffer_bytes(&title)), prefixes[now->state], *seen ? ": " : "", seen);
        return true;
}

bool migrate_sentence(const struct migrate *migrate, const struct model_communication *communication,
                      char ret_sentence[static MIGRATE_SENTENCE_MAX]) {
        return sentence(migration_of(migrate, communication), ret_sentence);
}

bool migrate_event_sentence(const struct migrate *migrate, const struct model_event *event,
                            char ret_sentence[static MIGRATE_SENTENCE_MAX]) {
        return sentence(migration_of_event(migrate, event), ret_sentence);
}

static void describe(const struct migration *migration, struct json_writer *writer) {
        if (migration->now)
                migration_write(writer, migration->now, &migration->subject, &migration->live, true);
        else
                json_null(writer);
}

void migrate_describe(const struct migrate *migrate, const struct model_communication *communication, struct json_writer *writer) {
        describe(migration_of(migrate, communication), writer);
}

void migrate_describe_event(const struct migrate *migrate, const struct model_event *event, struct json_writer *writer) {
        describe(migration_of_event(migrate, event), writer);
}

bool migrate_event_known(const struct migrate *migrate, const struct model_event *event) {
        return migration_of_event(migrate, event)->now != NULL;
}

bool migrate_event_versions(const struct migrate *migrate, const struct model_event *event, unsigned *ret_from, unsigned *ret_to,
                            unsigned *ret_emitted) {
        const struct migration *migration = migration_of_event(migrate, event);
        *ret_emitted = migration_emitted(migration);
        if (!migration->now)
                return false;
        *ret_from = migration->now->from_version;
        *ret_to = migration->now->to_version;
        return true;
}
