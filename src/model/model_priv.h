// SPDX-License-Identifier: Apache-2.0
// A model with what it owns. Made by one thread (load.c), immutable from then on but for the count of references.
#pragma once

#include <stdatomic.h>

#include "base/table.h"
#include "model/model.h"

struct model_owned {
        struct model public;
        atomic_size_t references;
        struct arena arena;
        struct target **targets;                // to be freed; what the arena does not hold
        size_t target_count;
        struct template **templates;
        size_t template_count;
        struct bytes *programs;                 // what the model shows; the texts are in the arena
        struct table services, events, communications;          // by name
};

uint64_t model_name_hash(struct bytes name);
void model_owned_free(struct model_owned *model);

// Writes the effective configuration as JSON (all defaults, contracts as their hashes), and the canonical bytes and the hash.
// events and communications are those that the model shows, writable.
void model_seal(struct model_owned *model, struct model_event *events, struct model_communication *communications);
