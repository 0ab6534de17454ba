// SPDX-License-Identifier: Apache-2.0
// What the commands that call the control API share: one call, its answer printed.
#pragma once

#include "cli/control.h"

// A name is one path segment: what is no name of a communication is refused here, and needs no encoding.
bool client_is_name(const char *text);
int client_refuse_name(const struct cli_options *options, const char *what, const char *name);

// One call, on a connection of its own. The answer is handed to print, or without one printed as JSON: as it came with --json,
// indented without. With --json print is not called. Gives the exit status.
typedef void client_print(const struct json *answer);
int client_call(const struct cli_options *options, const char *method, const char *target, struct bytes body, client_print *print);

// Members of an answer, for tables: "" and 0 where they are absent or null.
struct bytes client_text(const struct json *object, const char *key);
uint64_t client_number(const struct json *object, const char *key);
bool client_truth(const struct json *object, const char *key);
