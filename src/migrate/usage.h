// SPDX-License-Identifier: Apache-2.0
// What the log and its views know of the versions of an event (struct migrate_usage). The control thread.
#pragma once

#include "migrate/migrate.h"

struct log;
struct log_reader;
struct registry;
struct state_reader;

struct usage_sources {
        struct log *log;
        struct log_reader *log_reader;
        const struct registry *registry;
        struct state_reader *reader;
};

MUST_USE bool usage_read(const struct usage_sources *sources, const struct model_event *event, unsigned from, unsigned to,
                         struct migrate_usage *ret_usage, struct error *error);
