// SPDX-License-Identifier: Apache-2.0
// The queue of changes. One change is under way at most: its append has been asked for and has not ended. Everything runs on the
// control thread; `draining` keeps an append that ends at once, or a `done` that submits, from recursing.
#include "registry/changes.h"

#include <stdlib.h>

struct registry_changes {
        struct registry *registry;
        registry_append *append;
        void *user;
        struct list waiting;
        size_t count;                           // waiting, and under way
        struct registry_change *under_way;
        struct registry_prepared prepared;      // of it
        bool draining;
};

struct registry_changes *registry_changes_new(struct registry *registry, registry_append *append, void *user) {
        struct registry_changes *changes = must_calloc(1, sizeof *changes);
        *changes = (struct registry_changes){.registry = registry, .append = append, .user = user};
        list_init(&changes->waiting);
        return changes;
}

static void finish(struct registry_changes *changes, struct registry_change *change, const struct error *error) {
        changes->count--;
        change->done(change, error);
}

void registry_changes_free(struct registry_changes *changes) {
        if (!changes)
                return;
        struct error error;
        IGNORE(error_set(&error, ERROR_UNAVAILABLE, "the registry stops"));     // false, always
        changes->draining = true;
        if (changes->under_way)
                finish(changes, TAKE(changes->under_way), &error);
        while (!list_empty(&changes->waiting)) {
                struct registry_change *change = LIST_FIRST(&changes->waiting, struct registry_change, link);
                list_remove(&change->link);
                finish(changes, change, &error);
        }
        buffer_free(&changes->prepared.body);
        free(changes);
}

static bool prepare(struct registry_changes *changes, const struct registry_change *change, struct error *error) {
        const struct registry *registry = changes->registry;
        struct registry_prepared *prepared = &changes->prepared;
        switch (change->kind) {
        case REGISTRY_REGISTER:
                return registry_prepare_register(registry, change->subject, &change->draft, change->objections, prepared, error);
        case REGISTRY_DELETE:
                return registry_prepare_delete(registry, change->subject, change->version, prepared, error);
        case REGISTRY_CONFIG:
                return registry_prepare_config(registry, change->subject, &change->config, prepared, error);
        }
        ASSERT(false);
        return false;
}

// Begins what waits until something is under way.
static void drain(struct registry_changes *changes) {
        if (changes->draining)
                return;
        changes->draining = true;
        while (!changes->under_way && !list_empty(&changes->waiting)) {
                struct registry_change *change = LIST_FIRST(&changes->waiting, struct registry_change, link);
                list_remove(&change->link);
                struct error error;
                if (!prepare(changes, change, &error)) {
                        finish(changes, change, &error);
                        continue;
                }
                change->registered = changes->prepared.registered;
                change->held = changes->prepared.body.size == 0;
                if (change->held) {
                        finish(changes, change, NULL);
                        continue;
                }
                changes->under_way = change;
                changes->append(changes->user, buffer_bytes(&changes->prepared.body));
        }
        changes->draining = false;
}

void registry_submit(struct registry_changes *changes, struct registry_change *change) {
        if (changes->count >= REGISTRY_CHANGES_MAX) {
                struct error error;
                IGNORE(error_set(&error, ERROR_FULL, "%d changes of the registry wait already", REGISTRY_CHANGES_MAX));
                change->done(change, &error);
                return;
        }
        changes->count++;
        list_append(&changes->waiting, &change->link);
        drain(changes);
}

void registry_appended(struct registry_changes *changes, const struct error *error) {
        struct registry_change *change = TAKE(changes->under_way);
        ASSERT(change);
        struct error wrong;
        if (!error) {
                // What was prepared against this very registry folds; anything else would leave memory behind the log.
                bool applied = registry_apply(changes->registry, buffer_bytes(&changes->prepared.body), &wrong);
                ASSERT(applied);
        }
        buffer_free(&changes->prepared.body);
        finish(changes, change, error);
        drain(changes);
}
