// SPDX-License-Identifier: Apache-2.0
// Versions of events on the data plane: which one is emitted, what schema each has, who used which, and what became of conversions.
// Which version is emitted and which schema a version has are set by the control thread and read by the owner; all else is the
// owner's.
#include "gateway/data_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema/schema.h"

enum { USES = 2, USERS_NAMED = GATEWAY_USERS_MAX - USES };      // behind these is a row for the others of each use

bool versions_new(struct gateway *gateway, struct error *error) {
        const struct model *model = gateway->options.model;
        gateway->events = must_calloc(MAX(model->event_count, (size_t)1), sizeof *gateway->events);
        for (size_t i = 0; i < model->event_count; i++) {
                struct event_state *state = &gateway->events[i];
                state->event = &model->events[i];
                state->schema_count = MAX(state->event->version_count, (size_t)1);
                state->schemas = must_calloc(state->schema_count, sizeof *state->schemas);
                state->contracts = must_calloc(state->schema_count, sizeof *state->contracts);
                atomic_init(&state->emitted, state->event->produces);
                for (size_t version = 0; version < state->event->version_count; version++)
                        if (!schema_compile(state->event->versions[version].source, NULL, &state->contracts[version], error))
                                return error_wrap(error, "%s", state->event->versions[version].path);
        }
        if (!model->program_count)
                return true;
        struct converter_options options = {
                .loop = gateway->owner, .programs = model->programs, .program_count = model->program_count,
                .executable = gateway->options.converter,
        };
        return converter_new(&options, &gateway->converter, error) || error_wrap(error, "converter");
}

void versions_free(struct gateway *gateway) {
        for (size_t i = 0; gateway->events && i < gateway->options.model->event_count; i++) {
                struct event_state *state = &gateway->events[i];
                for (size_t version = 0; state->contracts && version < state->schema_count; version++)
                        schema_free(state->contracts[version]);
                free(state->contracts);
                free(state->schemas);
        }
        free(gateway->events);
}

// ---- what the control thread says ----

void gateway_event_schema(struct gateway *gateway, size_t event_index, unsigned version, uint32_t schema_id) {
        struct event_state *state = &gateway->events[event_index];
        if (version < state->schema_count)
                atomic_store(&state->schemas[version], schema_id);
}

void gateway_emit(struct gateway *gateway, size_t event_index, unsigned version, unsigned refused_below) {
        struct event_state *state = &gateway->events[event_index];
        ASSERT(version < state->schema_count);
        atomic_store(&state->refused_below, refused_below);
        atomic_store(&state->emitted, version);
}

unsigned gateway_emitted(const struct gateway *gateway, size_t event_index) {
        return atomic_load(&gateway->events[event_index].emitted);
}

uint32_t gateway_schema_of(const struct gateway *gateway, size_t event_index, unsigned version) {
        return event_schema_id(gateway, gateway->events[event_index].event, version);
}

// ---- schemas ----

struct event_state *event_state(const struct gateway *gateway, const struct model_event *event) {
        return &gateway->events[event->index];
}

unsigned event_emitted(const struct gateway *gateway, const struct model_event *event) {
        return atomic_load(&gateway->events[event->index].emitted);
}

uint32_t event_schema_id(const struct gateway *gateway, const struct model_event *event, unsigned version) {
        const struct event_state *state = event_state(gateway, event);
        return version < state->schema_count ? (uint32_t)atomic_load(&state->schemas[version]) : 0;
}

const struct schema *event_schema(const struct gateway *gateway, const struct model_event *event, unsigned version,
                                  struct error *error) {
        uint32_t id = event_schema_id(gateway, event, version);
        const struct schema *schema = id ? registry_schema(gateway->options.registry, id) : NULL;
        if (!schema && version)
                error_set(error, ERROR_UNAVAILABLE, "no schema is registered for version %u of %s", version, event->name);
        else if (!schema)
                error_set(error, ERROR_UNAVAILABLE, "no schema is registered for %s", event->name);
        return schema;
}

const struct schema *event_contract(const struct gateway *gateway, const struct model_event *event, unsigned version,
                                    struct error *error) {
        const struct event_state *state = event_state(gateway, event);
        const struct schema *contract = version < state->schema_count ? state->contracts[version] : NULL;
        if (!contract)
                error_set(error, ERROR_REJECTED, "there is no contract of version %u of %s", version, event->name);
        return contract;
}

bool event_version_of(const struct gateway *gateway, const struct model_event *event, uint32_t schema_id, unsigned *ret_version,
                      struct error *error) {
        const struct event_state *state = event_state(gateway, event);
        if (!schema_id) {                               // written down before versions were
                *ret_version = event->produces;
                return true;
        }
        for (unsigned version = 0; version < state->schema_count; version++)
                if (atomic_load(&state->schemas[version]) == schema_id) {
                        *ret_version = version;
                        return true;
                }
        return error_set(error, ERROR_REJECTED, "schema %u is no version of %s that is configured and registered", schema_id,
                         event->name);
}

// ---- changes ----

struct template_inputs gateway_inputs(const struct gateway *gateway) {
        return (struct template_inputs){.pseudonyms = gateway->options.pseudonyms};
}

bool change_prepare(struct change *change, const struct gateway *gateway, const struct model_event *event, unsigned from, unsigned to,
                    struct arena *arena, struct error *error) {
        *change = (struct change){
                .converter = gateway->converter, .event = event, .from = from, .to = to, .arena = arena,
                .inputs = gateway_inputs(gateway), .result = CHANGE_FAILED,
        };
        change->schema = event_contract(gateway, event, to, error);
        return change->schema != NULL;
}

void event_changed(struct gateway *gateway, const struct change *change, const char *where) {
        struct event_state *state = event_state(gateway, change->event);
        if (change->result == CHANGE_DONE) {
                state->changed++;
                return;
        }
        state->failed++;
        data_note(state->failure, sizeof state->failure, "%s: %s", where, change->error.text);
}

// ---- who used which ----

void event_used(struct gateway *gateway, const struct model_event *event, enum gateway_use use, unsigned version,
                const char *format, ...) {
        struct event_state *state = event_state(gateway, event);
        char name[GATEWAY_USER_NAME_MAX];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(name, sizeof name, format, arguments);
        va_end(arguments);
        size_t i = 0;
        while (i < state->user_count && (state->users[i].use != use || state->users[i].version != version ||
                                         strcmp(state->users[i].name, name) != 0))
                i++;
        if (i == state->user_count && i >= USERS_NAMED) {       // too many names: those of one use share a row, as the oldest version
                for (i = USERS_NAMED; i < state->user_count && state->users[i].use != use; i++)
                        continue;
                snprintf(name, sizeof name, "%s", GATEWAY_OTHERS);
        }
        if (i == state->user_count) {
                struct gateway_user *user = &state->users[state->user_count++];
                *user = (struct gateway_user){.use = use, .version = version};
                memcpy(user->name, name, sizeof name);
        }
        state->users[i].version = MIN(state->users[i].version, version);
        for (size_t j = 0; j < state->user_count; j++)
                state->users[j].others_since += j != i && state->users[j].use == use && strcmp(state->users[j].name, name) == 0;
        state->users[i].others_since = 0;
        state->users[i].count++;
        state->users[i].last_ms = clock_wall_ms(loop_clock(gateway->owner));
}

void versions_fill(const struct gateway *gateway, const struct model_event *event, struct gateway_versions *ret) {
        const struct event_state *state = event_state(gateway, event);
        *ret = (struct gateway_versions){
                .emitted = atomic_load(&state->emitted), .refused_below = atomic_load(&state->refused_below),
                .changed = state->changed, .failed = state->failed, .user_count = state->user_count,
        };
        memcpy(ret->failure, state->failure, sizeof ret->failure);
        memcpy(ret->users, state->users, state->user_count * sizeof *state->users);
}
