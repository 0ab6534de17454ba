// SPDX-License-Identifier: Apache-2.0
// The migration machine in its real world: the control thread's loop, the gateway, the log, the registry, providers over HTTP.
//
// Everything runs on the control thread. Order: migrate_runtime_new, migrate_restore of what the views have
// (migrate_runtime_restore), migrate_start once the gateway's loops run; migrate_runtime_stop before the gateway's loops end
// (afterwards nothing new is begun and commands are refused), migrate_runtime_free when they have ended and before the log closes.
#pragma once

#include "migrate/migrate.h"

struct registry_changes;
struct state_reader;

struct migrate_runtime_options {                // everything is referenced and outlives the runtime
        struct loop *loop;                      // the control thread's
        const struct model *model;
        struct gateway *gateway;
        struct log *log;
        const struct registry *registry;
        struct registry_changes *changes;
        uint32_t config_number;                 // of the CONFIG record in force
};

struct migrate_runtime;

// ERROR_INVALID: a service's URL. ERROR_IO, ERROR_LIMIT: the stream `control`.
MUST_USE bool migrate_runtime_new(const struct migrate_runtime_options *options, struct migrate_runtime **ret_runtime,
                                  struct error *error);
// migrate_restore of every communication's last MIGRATION record.
MUST_USE bool migrate_runtime_restore(struct migrate_runtime *runtime, struct state_reader *reader, struct error *error);
void migrate_runtime_stop(struct migrate_runtime *runtime);
void migrate_runtime_free(struct migrate_runtime *runtime);     // NULL is allowed
struct migrate *migrate_runtime_machine(struct migrate_runtime *runtime);
