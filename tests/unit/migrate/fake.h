// SPDX-License-Identifier: Apache-2.0
// A scripted world for the migration machine: a gateway of figures, a log of records, a provider, a registry. What the machine asks
// for ends later, when the test runs it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "migrate/migrate_priv.h"

enum { FAKE_RECORDS_MAX = 200, FAKE_PENDING_MAX = 16, FAKE_SHARDS = 4 };

// What survives kill -9 of the gateway: modes. And what does not.
struct fake_gateway {
        enum lane_mode mode;
        size_t lanes_left;
        bool shadow;
        uint64_t compared, differing, since_ms, steps_back, admitted, recognised;
        char first_difference[100];
};

struct fake {
        char folder[64];
        const struct model *model;
        const struct model_communication *communication;
        struct migrate *migrate;
        int64_t now_ms;
        bool polling;
        struct fake_gateway gateway;
        // the script
        unsigned traffic;                       // calls between two ticks
        unsigned differ;                        // of them differ
        size_t plain_under_way, calls_indeterminate, parked;
        size_t left_by_switch;                  // lanes that a switch to sync leaves; one drains at each tick
        bool append_fails, order_fails, answers, probed, replayed, same;
        unsigned registered;                    // versions
        bool register_fails;
        // of an event's versions
        struct migrate_usage usage;
        struct gateway_versions versions;
        bool paused, provider_fails, unreadable;
        bool nothing;                           // no event is retained, and none can be made up
        uint64_t proof_fails, lossy;
        unsigned emitted, refused_below;
        // what happened
        struct buffer records[FAKE_RECORDS_MAX];
        struct fake_gateway at_record[FAKE_RECORDS_MAX];
        size_t record_count;
        unsigned orders[GATEWAY_REFRESH + 1];
        bool switched_unseen;                   // a switch to async without a comparison in this life
        unsigned questions;
        // under way
        struct {
                struct migrate_append *append;
                struct gateway_command *command;
                struct migrate_question *question;
                struct migrate_registration *registration;
                struct migrate_proof *proof;
        } pending[FAKE_PENDING_MAX];
        size_t pending_count;
        // the last command
        bool answered;
        struct error error;                     // code NONE: it was done
};

static inline int64_t fake_wall_ms(void *user) {
        return ((struct fake *)user)->now_ms;
}

static inline void fake_poll(void *user, bool on) {
        ((struct fake *)user)->polling = on;
}

#define FAKE_PEND(fake, member, value)                                                                          \
        do {                                                                                                    \
                assert_true((fake)->pending_count < FAKE_PENDING_MAX);                                          \
                (fake)->pending[(fake)->pending_count] = (__typeof__((fake)->pending[0])){.member = (value)};   \
                (fake)->pending_count++;                                                                        \
        } while (0)

static inline void fake_append(void *user, struct migrate_append *append) {
        struct fake *fake = user;
        FAKE_PEND(fake, append, append);
}

static inline void fake_order(void *user, struct gateway_command *command) {
        struct fake *fake = user;
        FAKE_PEND(fake, command, command);
}

static inline void fake_ask(void *user, struct migrate_question *question) {
        struct fake *fake = user;
        FAKE_PEND(fake, question, question);
}

static inline void fake_register(void *user, struct migrate_registration *registration) {
        struct fake *fake = user;
        FAKE_PEND(fake, registration, registration);
}

static inline void fake_counters(void *user, const struct model_communication *communication, struct gateway_counters *ret) {
        (void)communication;
        *ret = (struct gateway_counters){.plain_under_way = ((struct fake *)user)->plain_under_way};
}

static inline bool fake_registered(void *user, const struct model_event *event, unsigned version, uint32_t *ret_schema_id,
                                   struct error *error) {
        if (version >= ((struct fake *)user)->registered)
                return error_set(error, ERROR_NOT_FOUND, "version %u of %s is not registered", version, event->name);
        *ret_schema_id = version + 1;
        return true;
}

static inline bool fake_group(void *user, uint32_t schema_id, char text[static MIGRATE_GROUP_MAX]) {
        (void)user;
        snprintf(text, MIGRATE_GROUP_MAX, "%u", schema_id - 1);
        return schema_id != 1;                  // version 0 was registered when there were no groups
}

static inline void fake_emit(void *user, const struct model_event *event, unsigned version, unsigned refused_below) {
        struct fake *fake = user;
        (void)event;
        fake->emitted = version;
        fake->refused_below = refused_below;
}

static inline bool fake_usage(void *user, const struct model_event *event, unsigned from, unsigned to, struct migrate_usage *ret,
                              struct error *error) {
        struct fake *fake = user;
        (void)event;
        (void)from;
        (void)to;
        *ret = fake->usage;
        return !fake->unreadable || error_set(error, ERROR_IO, "state.db is away");
}

static inline void fake_prove(void *user, struct migrate_proof *proof) {
        struct fake *fake = user;
        FAKE_PEND(fake, proof, proof);
}

static const struct migrate_ops fake_ops = {
        .wall_ms = fake_wall_ms, .poll = fake_poll, .append = fake_append, .order = fake_order, .counters = fake_counters,
        .ask = fake_ask, .registered = fake_registered, .register_version = fake_register, .group = fake_group,
        .emit = fake_emit, .usage = fake_usage, .prove = fake_prove,
};

// ---- ends of what was asked for ----

static inline void fake_switch(struct fake *fake, enum lane_mode mode) {
        struct fake_gateway *gateway = &fake->gateway;
        if (mode == gateway->mode)
                return;
        assert_true(mode == LANE_RECORD || gateway->mode == LANE_RECORD);
        if (mode == LANE_PLAIN)
                assert_int_equal(gateway->lanes_left, 0);
        if (mode == LANE_RECORD && gateway->mode == LANE_ASYNC)
                gateway->lanes_left = fake->left_by_switch;
        if (mode == LANE_ASYNC) {
                fake->switched_unseen |= gateway->compared == 0;
                gateway->lanes_left = 0;
        }
        gateway->mode = mode;
}

static inline void fake_end_command(struct fake *fake, struct gateway_command *command) {
        struct fake_gateway *gateway = &fake->gateway;
        fake->orders[command->order]++;
        command->ok = !(fake->order_fails && command->order != GATEWAY_STATE);
        if (!command->ok)
                error_set(&command->error, ERROR_UNAVAILABLE, "the log is broken");
        else if (command->order == GATEWAY_SWITCH)
                fake_switch(fake, command->mode);
        else if (command->order == GATEWAY_SHADOW)
                *gateway = (struct fake_gateway){
                        .mode = gateway->mode, .lanes_left = gateway->lanes_left, .steps_back = gateway->steps_back,
                        .admitted = gateway->admitted, .recognised = gateway->recognised, .shadow = command->on,
                        .since_ms = (uint64_t)fake->now_ms,
                };
        command->state = (struct gateway_state){
                .shards = FAKE_SHARDS, .plain = gateway->mode == LANE_PLAIN ? FAKE_SHARDS : 0,
                .record = gateway->mode == LANE_RECORD ? FAKE_SHARDS : 0, .async = gateway->mode == LANE_ASYNC ? FAKE_SHARDS : 0,
                .lanes_left_async = gateway->lanes_left, .steps_back = gateway->steps_back, .admitted = gateway->admitted,
                .calls_indeterminate = fake->calls_indeterminate, .parked = fake->parked, .waiting = gateway->lanes_left,
                .recognised = gateway->recognised, .paused = fake->paused, .provider_fails = fake->provider_fails,
        };
        if (command->versions)
                *command->versions = fake->versions;
        command->shadow = (struct gateway_shadow){
                .on = gateway->shadow, .since_ms = gateway->since_ms, .compared = gateway->compared, .differing = gateway->differing,
        };
        snprintf(command->shadow.first_difference, sizeof command->shadow.first_difference, "%s", gateway->first_difference);
        command->done(command);
}

static inline void fake_end_append(struct fake *fake, struct migrate_append *append) {
        struct error error;
        if (fake->append_fails) {
                error_set(&error, ERROR_FULL, "no space left on device");
                append->done(append, &error);
                return;
        }
        assert_true(fake->record_count < FAKE_RECORDS_MAX);
        fake->at_record[fake->record_count] = fake->gateway;
        buffer_append(&fake->records[fake->record_count++], append->body);
        append->done(append, NULL);
}

// Ends what is under way, and what that begins, one after the other.
static inline void fake_run(struct fake *fake) {
        while (fake->pending_count > 0) {
                __typeof__(fake->pending[0]) first = fake->pending[0];
                memmove(&fake->pending[0], &fake->pending[1], --fake->pending_count * sizeof fake->pending[0]);
                if (first.append)
                        fake_end_append(fake, first.append);
                if (first.command)
                        fake_end_command(fake, first.command);
                if (first.question) {
                        fake->questions++;
                        first.question->answers = fake->answers;
                        first.question->probed = fake->probed;
                        first.question->replayed = fake->replayed;
                        first.question->same = fake->same;
                        snprintf(first.question->sentence, MIGRATE_SENTENCE_MAX, "bonuses %s", fake->answers ? "answers" : "is away");
                        first.question->done(first.question);
                }
                if (first.proof) {
                        first.proof->retained = fake->nothing ? 0 : 12;
                        first.proof->generated = first.proof->old_only || fake->nothing ? 0 : 200;
                        first.proof->failed = fake->proof_fails;
                        first.proof->lossy = first.proof->old_only ? 0 : fake->lossy;
                        if (fake->proof_fails)
                                snprintf(first.proof->failure, sizeof first.proof->failure, "the event at position 7: at /area: type");
                        if (fake->lossy)
                                snprintf(first.proof->lost, sizeof first.proof->lost, "/title");
                        first.proof->done(first.proof);
                }
                if (first.registration) {
                        struct error error;
                        error_set(&error, ERROR_UNSUPPORTED, "keyword unknown");
                        fake->registered += !fake->register_fails;
                        first.registration->done(first.registration, fake->register_fails ? &error : NULL);
                }
        }
}

// 200 ms pass, with their traffic.
static inline void fake_tick(struct fake *fake) {
        struct fake_gateway *gateway = &fake->gateway;
        fake->now_ms += MIGRATE_POLL_MS;
        gateway->lanes_left -= gateway->lanes_left > 0;
        if (gateway->mode != LANE_PLAIN)
                gateway->admitted += fake->traffic;
        if (gateway->shadow) {
                gateway->compared += fake->traffic;
                gateway->differing += fake->differ;
                if (fake->differ)
                        snprintf(gateway->first_difference, sizeof gateway->first_difference, "body /task_id: 17, 4");
        }
        migrate_tick(fake->migrate);
        fake_run(fake);
}

static inline void fake_ticks(struct fake *fake, unsigned count) {
        while (count--)
                fake_tick(fake);
}

// ---- life ----

#define FAKE_CONFIG                                                                                                     \
        "services:\n  tasks: {url: \"http://127.0.0.1:1\"}\n  bonuses: {url: \"http://127.0.0.1:2\"}\n"                      \
        "events:\n  Completed: {from: tasks, topic: completed, schemas: \"Completed.v*.json\", key: /payload/task_id}\n"    \
        "communications:\n"                                                                                             \
        "  COMM-040:\n    functional: tasks -> bonuses\n    initially: sync\n    call: POST /accruals\n"                      \
        "    key: $body/task_id\n    recognises: %s\n"                                                                   \
        "    async: {event: Completed, answer: 202, wrap: {event_id: $sequence, payload: $body}, unwrap: $event/payload}\n" \
        "  COMM-041: {functional: tasks -> bonuses, initially: sync, call: POST /bare}\n"                                   \
        "  COMM-010: {data: tasks -> bonuses, initially: pull, pull: \"GET /tasks/{task_id}\"}\n"                           \
        "defaults: {shadow: {messages: 20, minutes: %u}}\n"

#define FAKE_PROBED "{header: Idempotency-Key, replayed: \"Idempotent-Replayed: true\", probe: POST /probe}"

static inline const struct model *fake_model(struct fake *fake, const char *recognises, unsigned minutes) {
        char path[100], text[4000];
        snprintf(path, sizeof path, "%s/Completed.v0.json", fake->folder);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("{\"type\": \"object\"}", file);
        fclose(file);
        snprintf(path, sizeof path, "%s/commute.yaml", fake->folder);
        snprintf(text, sizeof text, FAKE_CONFIG, recognises, minutes);
        const struct model *model;
        struct error error;
        if (!model_parse(path, bytes_of(text), &model, NULL, &error))
                fail_msg("%s", error.text);
        return model;
}

static inline void fake_boot(struct fake *fake) {
        struct migrate_options options = {.model = fake->model, .ops = &fake_ops, .user = fake};
        fake->migrate = migrate_new(&options);
}

static inline struct fake *fake_new(const char *recognises) {
        struct fake *fake = must_calloc(1, sizeof *fake);
        snprintf(fake->folder, sizeof fake->folder, "/tmp/commute-migrate-XXXXXX");
        assert_non_null(mkdtemp(fake->folder));
        fake->model = fake_model(fake, recognises, 10);
        fake->communication = model_communication_find(fake->model, BYTES("COMM-040"));
        fake->now_ms = 1000000;
        fake->gateway.mode = LANE_PLAIN;
        fake->traffic = 5;
        fake->left_by_switch = 3;
        fake->answers = fake->probed = fake->replayed = fake->same = true;
        fake_boot(fake);
        migrate_start(fake->migrate);
        return fake;
}

static inline void fake_free(struct fake *fake) {
        migrate_free(fake->migrate);
        model_unref(fake->model);
        for (size_t i = 0; i < FAKE_RECORDS_MAX; i++)
                buffer_free(&fake->records[i]);
        char path[100];
        snprintf(path, sizeof path, "%s/Completed.v0.json", fake->folder);
        unlink(path);
        rmdir(fake->folder);
        free(fake);
}

// kill -9 just after record number `last` (from 0) has become durable, and a new start: the gateway has its modes still.
static inline void fake_kill(struct fake *fake, size_t last) {
        migrate_free(fake->migrate);
        fake->pending_count = 0;
        fake->gateway = (struct fake_gateway){.mode = fake->at_record[last].mode, .lanes_left = fake->at_record[last].lanes_left};
        fake_boot(fake);
        struct error error;
        if (!migrate_restore(fake->migrate, BYTES("COMM-040"), buffer_bytes(&fake->records[last]), &error))
                fail_msg("%s", error.text);
        migrate_start(fake->migrate);
        fake_run(fake);
}

// ---- commands ----

static inline void fake_done(struct migrate_request *request, const struct error *error) {
        struct fake *fake = request->user;
        fake->answered = true;
        fake->error = error ? *error : (struct error){0};
        free(request);
}

static inline void fake_give(struct fake *fake, const char *name, enum migrate_order order, enum model_mode to, bool automatic) {
        struct migrate_request *request = must_calloc(1, sizeof *request);
        *request = (struct migrate_request){
                .order = order, .communication = model_communication_find(fake->model, bytes_of(name)), .to = to,
                .automatic = automatic, .done = fake_done, .user = fake,
        };
        fake->answered = false;
        migrate_give(fake->migrate, request);
}

static inline void fake_do(struct fake *fake, enum migrate_order order) {
        fake_give(fake, "COMM-040", order, MODEL_ASYNC, false);
        fake_run(fake);
        assert_true(fake->answered);
}

#define assert_done(fake) do { if ((fake)->error.code != ERROR_NONE) fail_msg("%s", (fake)->error.text); } while (0)
#define assert_refused(fake, wanted, part)                                                                      \
        do {                                                                                                    \
                assert_int_equal((fake)->error.code, wanted);                                                   \
                if (!strstr((fake)->error.text, part))                                                          \
                        fail_msg("\"%s\" is not in \"%s\"", part, (fake)->error.text);                          \
        } while (0)

static inline void fake_begin(struct fake *fake, enum model_mode to, bool automatic) {
        fake_give(fake, "COMM-040", MIGRATE_BEGIN, to, automatic);
        fake_run(fake);
        assert_true(fake->answered);
        assert_done(fake);
}

// ---- what is seen ----

static inline const struct migration *fake_migration(const struct fake *fake) {
        return &fake->migrate->migrations[fake->communication->index];
}

static inline enum migrate_state fake_state(const struct fake *fake) {
        return fake_migration(fake)->now->state;
}

static inline const char *fake_step(const struct fake *fake) {
        return migration_step(fake_migration(fake)->now)->name;
}

static inline const char *fake_sentence(const struct fake *fake) {
        static char sentence[MIGRATE_SENTENCE_MAX];
        if (!migrate_sentence(fake->migrate, fake->communication, sentence))
                sentence[0] = '\0';
        return sentence;
}

// Ticks until it is in this state at this step ("": any).
static inline void fake_until(struct fake *fake, enum migrate_state state, const char *step) {
        for (unsigned i = 0; i < 200; i++) {
                if (fake_state(fake) == state && (!*step || strcmp(fake_step(fake), step) == 0))
                        return;
                fake_tick(fake);
        }
        fail_msg("never %s at %s, but %s at %s: %s", migrate_state_name(state), step, migrate_state_name(fake_state(fake)),
                 fake_step(fake), fake_sentence(fake));
}

#define assert_says(fake, part)                                                                                 \
        do {                                                                                                    \
                if (!strstr(fake_sentence(fake), part))                                                         \
                        fail_msg("\"%s\" is not in \"%s\"", part, fake_sentence(fake));                         \
        } while (0)
