// SPDX-License-Identifier: Apache-2.0
// Plans and migrations for people: a numbered list with ✓ (done, or holds already), … (waits), ✗ (a gate failed, with its first
// counterexample), and what each step says. Standard output.
#pragma once

#include "cli/client.h"

// What GET /evolve and GET /evolve/{event} say.
void migrate_show_event(const struct json *event);
void migrate_show_events(const struct json *events);
void migrate_show_plan(const struct json *plan);
void migrate_show(const struct json *migration);
// The entries of the history behind the first `shown`, and the to-do when it waits for a person; gives how many there are now.
size_t migrate_show_changes(const struct json *migration, size_t shown);
// What the step under way sees now, in a line that the next one replaces; only on a terminal.
void migrate_show_waiting(const struct json *migration);
