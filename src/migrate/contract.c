// SPDX-License-Identifier: Apache-2.0
// Steps: the contract is written, and the registry has it. The subject is named as the event; version N is its version N + 1.
#include "migrate/migrate_priv.h"

#include <inttypes.h>

enum migrate_verdict migrate_contract_exists(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_event *event = view->communication->async->event;
        migrate_figure(evidence, "versions", event->version_count);
        if (event->version_count == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "there is no contract of %s: write %s, and start commute again",
                                   event->name, event->schemas);
        return migrate_say(evidence, MIGRATE_PASS, "%s has %zu version%s, and each compiles", event->name, event->version_count,
                           migrate_plural(event->version_count));
}

enum migrate_verdict migrate_is_registered(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_event *event = view->communication->async->event;
        const struct migrate_options *options = &view->migrate->options;
        uint32_t id = 0;
        for (unsigned version = 0; version < event->version_count; version++) {
                struct error error;
                if (options->ops->registered(options->user, event, version, &id, &error))
                        continue;
                return migrate_say(evidence, error.code == ERROR_NOT_FOUND ? MIGRATE_WAIT : MIGRATE_FAIL, "%s", error.text);
        }
        if (event->version_count == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "there is no contract of %s yet", event->name);
        migrate_figure(evidence, "schema_id", id);
        return migrate_say(evidence, MIGRATE_PASS, "subject %s has %s version%s of the contract; the last is schema %" PRIu32,
                           event->name, event->version_count == 1 ? "the" : "all", migrate_plural(event->version_count), id);
}

static void registration_done(struct migrate_registration *registration, const struct error *error) {
        struct migration *migration = CONTAINER_OF(registration, struct migration, registration);
        migration->registering = false;
        migrate_print(migration->not_registered, "%s", error ? error->text : "");
}

static enum migrate_verdict say_registering(const struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_registration *registration = &migration->registration;
        if (migration->not_registered[0])
                return migrate_say(evidence, MIGRATE_FAIL, "version %u of %s cannot be registered: %s", registration->version,
                                   registration->event->name, migration->not_registered);
        return migrate_say(evidence, MIGRATE_WAIT, "version %u of %s is being registered", registration->version,
                           registration->event->name);
}

// One version at a time; the first that is not registered.
enum migrate_verdict migrate_act_registered(struct migration *migration, const struct model_event *event, unsigned last,
                                            struct migrate_evidence *evidence) {
        const struct migrate_options *options = &migration->migrate->options;
        for (unsigned version = 0; version <= last; version++) {
                uint32_t id;
                struct error error;
                if (options->ops->registered(options->user, event, version, &id, &error))
                        continue;
                if (error.code != ERROR_NOT_FOUND)
                        return migrate_say(evidence, MIGRATE_FAIL, "%s", error.text);
                if (!migration->registering && !migration->ordered) {
                        migration->ordered = migration->registering = true;
                        migration->registration = (struct migrate_registration){event, version, registration_done};
                        options->ops->register_version(options->user, &migration->registration);
                }
                return say_registering(migration, evidence);
        }
        return MIGRATE_PASS;
}

enum migrate_verdict migrate_act_register(struct migration *migration, struct migrate_evidence *evidence) {
        const struct model_event *event = migration->communication->async->event;
        enum migrate_verdict verdict = MIGRATE_PASS;
        if (event->version_count)
                verdict = migrate_act_registered(migration, event, (unsigned)event->version_count - 1, evidence);
        return verdict == MIGRATE_PASS ? migrate_is_registered(&migration->view, evidence) : verdict;
}
