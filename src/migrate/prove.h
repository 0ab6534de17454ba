// SPDX-License-Identifier: Apache-2.0
// Whether events go from one version to another and back (struct migrate_proof): every event that the topic retains, every row of
// commute's copy (which may be older than that), and generated ones. Reads a page at a time, with a converter of its own, so that
// nothing of the data plane waits for it.
//
// One loop (the control thread's); one proof at a time, others wait. Freed before the loop.
#pragma once

#include "migrate/migrate.h"

struct log;
struct loop;
struct prover;
struct registry;
struct state_reader;

struct prover_options {
        struct loop *loop;
        struct log *log;
        const struct registry *registry;
        const struct model *model;
        struct state_reader *reader;            // of state.db, on the loop's thread: rows of copies; NULL: there are none
        const char *converter;                  // executable; NULL: this process's own
        // What templates may use beside $event. NULL: nothing.
        struct template_inputs (*inputs)(void *user);
        void *user;
};

struct prover *prover_new(const struct prover_options *options);
void prover_free(struct prover *prover);        // NULL is allowed; a proof under way is not told
void prover_prove(struct prover *prover, struct migrate_proof *proof);
