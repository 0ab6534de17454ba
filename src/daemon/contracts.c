// SPDX-License-Identifier: Apache-2.0
// The registry's side of events: an event's name is its subject, its version N is the subject's version N + 1.
//
// At a start only events that are produced from the start are registered, up to the version that their owner gives; other events
// and versions are registered by the migration that needs them. Replaying: the views fold what is appended here once
// more, so it is folded by registry_appended alone.
#include "daemon/daemon_priv.h"

struct registration {
        bool done;
        struct error error;
};

static void registered(struct registry_change *change, const struct error *error) {
        struct registration *registration = change->user;
        registration->done = !error;
        if (error)
                registration->error = *error;
}

// True, and *ret_there: it is registered already. False: it cannot be, at its number.
static bool may_register(const struct daemon *daemon, const struct model_event *event, const struct model_version *version,
                         bool *ret_there, struct error *error) {
        struct registry_subject subject = {0};
        struct bytes name = bytes_of(event->name);
        unsigned expected = version->version + 1;
        *ret_there = registry_version_is(daemon->registry, name, expected, version->source);
        if (*ret_there)
                return true;
        size_t count = registry_subject(daemon->registry, name, &subject) ? subject.count : 0;
        if (count == version->version)
                return true;
        // another number would be given to it
        return error_set(error, ERROR_CONFLICT, "%s is version %u of event %s, that is version %u of the subject, and the registry "
                         "has %zu versions of it, none of them this schema at that number: a contract that was registered never "
                         "changes; write the next version", version->path, version->version, event->name, expected, count);
}

static bool register_version(struct daemon *daemon, const struct model_event *event, const struct model_version *version,
                             struct error *error) {
        struct registration registration = {0};
        struct bytes name = bytes_of(event->name);
        CLEANUP(arena_free) struct arena arena = {0};
        bool there;
        if (!may_register(daemon, event, version, &there, error) || there)
                return there;
        struct registry_change change = {
                .kind = REGISTRY_REGISTER, .subject = name,
                .draft = registry_event_draft(version->source, version->version, &arena),
                .done = registered, .user = &registration,
        };
        registry_submit(daemon->changes, &change);
        if (!registration.done) {
                *error = registration.error;
                return error_wrap(error, "register %s", version->path);
        }
        if (change.held)
                return error_set(error, ERROR_CONFLICT, "%s has the same schema as version %u of event %s", version->path,
                                 change.registered.version - 1, event->name);
        SAY(&daemon->say, INFO, "registered", {"subject", event->name}, {"version", SAY_NUMBER(change.registered.version)},
            {"id", SAY_NUMBER(change.registered.id)});
        return true;
}

// The event that a communication produces from the start; NULL: none.
static const struct model_event *produced(const struct model_communication *communication) {
        bool from_start = communication->initially == MODEL_ASYNC || communication->initially == MODEL_PUSH;
        return from_start ? communication->async->event : NULL;
}

// A data folder that has nothing yet gets Confluent's default level; an older one keeps what it has, which may be none.
static bool configure(struct daemon *daemon, struct error *error) {
        struct registration registration = {0};
        if (!registry_is_new(daemon->registry))
                return true;
        struct registry_change change = {
                .kind = REGISTRY_CONFIG, .config = {.level = REGISTRY_DEFAULT_LEVEL, .group = REGISTRY_DEFAULT_GROUP},
                .done = registered, .user = &registration,
        };
        registry_submit(daemon->changes, &change);
        if (registration.done)
                return true;
        *error = registration.error;
        return error_wrap(error, "configure the schema registry");
}

bool contracts_register(struct daemon *daemon, struct error *error) {
        if (!configure(daemon, error))
                return false;
        for (size_t i = 0; i < daemon->model->communication_count; i++) {
                const struct model_communication *communication = &daemon->model->communications[i];
                const struct model_event *event = produced(communication);
                for (size_t v = 0; event && v <= event->produces && v < event->version_count; v++)
                        if (!register_version(daemon, event, &event->versions[v], error))
                                return error_wrap(error, "%s", communication->name);
        }
        return true;
}

// The first version of an event that is not there decides: those behind it get the numbers after it.
static bool event_allows(const struct daemon *daemon, const struct model_event *event, struct error *error) {
        for (size_t v = 0; v < event->version_count; v++) {
                bool there;
                if (!may_register(daemon, event, &event->versions[v], &there, error))
                        return false;
                if (there)
                        continue;
                if (v > event->produces)
                        return true;                    // the move to it registers it, in a group of its own
                CLEANUP(arena_free) struct arena arena = {0};
                struct registry_prepared prepared = {0};
                struct registry_draft draft = registry_event_draft(event->versions[v].source, (unsigned)v, &arena);
                bool fine = registry_prepare_register(daemon->registry, bytes_of(event->name), &draft, NULL, &prepared, error);
                buffer_free(&prepared.body);
                return fine || error_wrap(error, "register %s", event->versions[v].path);
        }
        return true;
}

bool contracts_allow(struct daemon *daemon, const struct model *next, struct error *error) {
        for (size_t i = 0; i < next->communication_count; i++) {
                const struct model_event *event = produced(&next->communications[i]);
                if (event && !event_allows(daemon, event, error))
                        return error_wrap(error, "%s", next->communications[i].name);
        }
        return true;
}

void contracts_tell(struct daemon *daemon) {
        if (!daemon->gateway)
                return;
        for (size_t i = 0; i < daemon->model->event_count; i++) {
                const struct model_event *event = &daemon->model->events[i];
                for (unsigned version = 0; version < event->version_count; version++) {
                        struct registry_version found;
                        bool there = registry_version(daemon->registry, bytes_of(event->name), version + 1, &found);
                        gateway_event_schema(daemon->gateway, i, version, there ? found.id : 0);
                }
        }
}

static void appended(void *user, uint64_t position, const struct error *error) {
        struct daemon *daemon = user;
        (void)position;
        registry_appended(daemon->changes, error);
        contracts_tell(daemon);
}

void contracts_append(void *user, struct bytes body) {
        struct daemon *daemon = user;
        journal_append(daemon->journal, RECORD_REGISTRY, (struct bytes){0}, body, appended, daemon);
}
