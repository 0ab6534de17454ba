// SPDX-License-Identifier: Apache-2.0
// Asks providers whether they answer, and whether they recognise an identity (struct migrate_question): `HEAD /`, then the probe
// twice with one identity of its own. On one loop; upstreams are made when first needed.
#pragma once

#include "migrate/migrate.h"

struct migrate_asker;

// Both are referenced.
struct migrate_asker *migrate_asker_new(struct loop *loop, const struct model *model);
// NULL is allowed. Questions under way end without their callbacks.
void migrate_asker_free(struct migrate_asker *asker);
void migrate_ask(struct migrate_asker *asker, struct migrate_question *question);
