// SPDX-License-Identifier: Apache-2.0
// The real world of the migration machine. What is appended, registered or asked is in memory of its own and ends in one callback;
// what is under way when commute ends ends with the process, or is freed with the runtime.
#include "migrate/runtime.h"

#include "migrate/erase.h"

#include <stdio.h>
#include <stdlib.h>

#include "migrate/ask.h"
#include "migrate/prove.h"
#include "migrate/usage.h"
#include "registry/changes.h"
#include "registry/registry.h"
#include "store/state.h"

struct migrate_runtime {
        struct migrate_runtime_options options;
        struct migrate *machine;
        struct migrate_asker *asker;
        struct prover *prover;
        struct loop_timer timer;
};

// ---- what the machine asks for ----

static int64_t op_wall_ms(void *user) {
        return clock_wall_ms(loop_clock(((struct migrate_runtime *)user)->options.loop));
}

static void fire(struct loop_timer *timer) {
        struct migrate_runtime *runtime = CONTAINER_OF(timer, struct migrate_runtime, timer);
        struct loop *loop = runtime->options.loop;
        loop_timer_set(loop, timer, loop_now_ns(loop) + MILLISECONDS(MIGRATE_POLL_MS));
        migrate_tick(runtime->machine);
}

static void op_poll(void *user, bool on) {
        struct migrate_runtime *runtime = user;
        struct loop *loop = runtime->options.loop;
        if (on)
                loop_timer_set(loop, &runtime->timer, loop_now_ns(loop) + MILLISECONDS(MIGRATE_POLL_MS));
        else
                loop_timer_cancel(loop, &runtime->timer);
}

static void appended(void *user, uint64_t position, const struct error *error) {
        struct migrate_append *append = user;
        (void)position;
        append->done(append, error);
}

static void op_append(void *user, struct migrate_append *append) {
        struct migrate_runtime *runtime = user;
        runtime->options.journal(runtime->options.user, append->key, append->body, appended, append);
}

static void op_order(void *user, struct gateway_command *command) {
        struct migrate_runtime *runtime = user;
        command->loop = runtime->options.loop;
        gateway_order(runtime->options.gateway, command);
}

static void op_counters(void *user, const struct model_communication *communication, struct gateway_counters *ret) {
        gateway_counters(((struct migrate_runtime *)user)->options.gateway, communication->index, ret);
}

static void op_ask(void *user, struct migrate_question *question) {
        migrate_ask(((struct migrate_runtime *)user)->asker, question);
}

static bool op_registered(void *user, const struct model_event *event, unsigned version, uint32_t *ret_schema_id,
                          struct error *error) {
        const struct registry *registry = ((struct migrate_runtime *)user)->options.registry;
        struct bytes subject = bytes_of(event->name);
        struct registry_version there;
        if (!registry_version(registry, subject, version + 1, &there))
                return error_set(error, ERROR_NOT_FOUND, "version %u of %s is not registered (version %u of its subject)",
                                 version, event->name, version + 1);
        if (!registry_version_is(registry, subject, version + 1, event->versions[version].source))
                return error_set(error, ERROR_CONFLICT, "version %u of subject %s is another schema than %s", version + 1,
                                 event->name, event->versions[version].path);
        *ret_schema_id = there.id;
        return true;
}

static bool op_group(void *user, uint32_t schema_id, char text[static MIGRATE_GROUP_MAX]) {
        CLEANUP(arena_free) struct arena arena = {0};
        const struct registry *registry = ((struct migrate_runtime *)user)->options.registry;
        struct bytes value = registry_property(registry, schema_id, REGISTRY_DEFAULT_GROUP, &arena);
        if (value.data)
                snprintf(text, MIGRATE_GROUP_MAX, "%.*s", BYTES_PRINT(value));
        return value.data != NULL;
}

struct registering {
        struct arena arena;
        struct registry_change change;
        struct migrate_registration *registration;
};

static void registered(struct registry_change *change, const struct error *error) {
        struct registering *registering = CONTAINER_OF(change, struct registering, change);
        struct migrate_registration *registration = registering->registration;
        uint32_t wanted = registration->version + 1, given = change->registered.version;
        arena_free(&registering->arena);
        free(registering);
        struct error other;
        if (!error && given != wanted) {
                error_set(&other, ERROR_CONFLICT, "the registry has it as version %u of the subject, expected %u", given, wanted);
                error = &other;
        }
        registration->done(registration, error);
}

static void op_register(void *user, struct migrate_registration *registration) {
        struct migrate_runtime *runtime = user;
        const struct model_event *event = registration->event;
        struct registering *registering = must_calloc(1, sizeof *registering);
        registering->registration = registration;
        registering->change = (struct registry_change){
                .kind = REGISTRY_REGISTER, .subject = bytes_of(event->name), .done = registered,
                .draft = registry_event_draft(event->versions[registration->version].source, registration->version, &registering->arena),
        };
        registry_submit(runtime->options.changes, &registering->change);
}

static void op_emit(void *user, const struct model_event *event, unsigned version, unsigned refused_below) {
        gateway_emit(((struct migrate_runtime *)user)->options.gateway, event->index, version, refused_below);
}

static bool op_usage(void *user, const struct model_event *event, unsigned from, unsigned to, struct migrate_usage *ret,
                     struct error *error) {
        const struct migrate_runtime_options *options = &((struct migrate_runtime *)user)->options;
        struct usage_sources sources = {options->log, options->log_reader, options->registry, options->reader};
        return usage_read(&sources, event, from, to, ret, error);
}

static void op_prove(void *user, struct migrate_proof *proof) {
        prover_prove(((struct migrate_runtime *)user)->prover, proof);
}

static const struct migrate_ops ops = {
        .wall_ms = op_wall_ms, .poll = op_poll, .append = op_append, .order = op_order, .counters = op_counters, .ask = op_ask,
        .registered = op_registered,
        .register_version = op_register, .group = op_group, .emit = op_emit, .usage = op_usage, .prove = op_prove,
};

// ---- life ----

static struct template_inputs inputs_of(void *user) {
        return (struct template_inputs){.pseudonyms = ((const struct migrate_runtime *)user)->options.pseudonyms};
}

struct migrate_runtime *migrate_runtime_new(const struct migrate_runtime_options *options) {
        struct migrate_runtime *runtime = must_calloc(1, sizeof *runtime);
        *runtime = (struct migrate_runtime){.options = *options, .timer.fire = fire};
        struct migrate_options machine = {
                .model = options->model, .ops = &ops, .user = runtime, .sampler = options->sampler,
        };
        runtime->machine = migrate_new(&machine);
        runtime->asker = migrate_asker_new(options->loop, options->model);
        runtime->prover = prover_new(&(struct prover_options){
                .loop = options->loop, .log = options->log, .registry = options->registry, .model = options->model,
                .reader = options->reader, .inputs = inputs_of, .user = runtime,
        });
        return runtime;
}

static bool restore(void *context, struct bytes communication, uint64_t position, struct bytes json, struct error *error) {
        struct migrate_runtime *runtime = context;
        if (bytes_equal(communication, BYTES(ERASE_KEY)))
                return true;                    // not a migration: erase.h
        if (migrate_restore(runtime->machine, communication, json, error))
                return true;
        return error_wrap(error, "position %llu", (unsigned long long)position);
}

bool migrate_runtime_restore(struct migrate_runtime *runtime, struct state_reader *reader, struct error *error) {
        return state_migration_each(reader, restore, runtime, error);
}

void migrate_runtime_stop(struct migrate_runtime *runtime) {
        migrate_stop(runtime->machine);
}

void migrate_runtime_free(struct migrate_runtime *runtime) {
        if (!runtime)
                return;
        loop_timer_cancel(runtime->options.loop, &runtime->timer);
        migrate_asker_free(runtime->asker);
        prover_free(runtime->prover);
        migrate_free(runtime->machine);
        free(runtime);
}

struct migrate *migrate_runtime_machine(struct migrate_runtime *runtime) {
        return runtime->machine;
}
