// SPDX-License-Identifier: Apache-2.0
// The migration machine in its real world: the control thread's loop, the gateway, the log, the registry, providers over HTTP.
//
// Everything runs on the control thread, or before it runs. Order: migrate_runtime_new, migrate_runtime_restore, migrate_start once
// the gateway's loops run; migrate_runtime_stop when commute ends (nothing new is begun afterwards, and commands are refused);
// migrate_runtime_free when the gateway's loops have ended, before the control loop is freed.
#pragma once

#include "migrate/migrate.h"

struct log;
struct log_reader;
struct registry_changes;
struct state_reader;

// Appends a MIGRATION record with this key. Copies key and body; done is called once, later, error NULL when it is durable.
typedef void migrate_journal(void *user, struct bytes key, struct bytes body,
                             void (*done)(void *done_user, uint64_t position, const struct error *error), void *done_user);

struct migrate_runtime_options {                // everything is referenced and outlives the runtime
        struct loop *loop;                      // the control thread's
        const struct model *model;
        struct gateway *gateway;
        const struct registry *registry;
        struct registry_changes *changes;
        struct log *log;
        struct state_reader *reader;            // the control thread's, of state.db
        struct log_reader *log_reader;          // the control thread's
        const struct template_pseudonyms *pseudonyms;   // of templates; NULL: there are none
        const struct sampler *sampler;          // of synchronous bodies, digested on this thread; NULL: there are none
        migrate_journal *journal;
        void *user;                             // of journal
};

struct migrate_runtime;

struct migrate_runtime *migrate_runtime_new(const struct migrate_runtime_options *options);
// migrate_restore of every communication's last MIGRATION record. Its errors, and the reader's.
MUST_USE bool migrate_runtime_restore(struct migrate_runtime *runtime, struct state_reader *reader, struct error *error);
void migrate_runtime_stop(struct migrate_runtime *runtime);
void migrate_runtime_free(struct migrate_runtime *runtime);     // NULL is allowed
struct migrate *migrate_runtime_machine(struct migrate_runtime *runtime);
