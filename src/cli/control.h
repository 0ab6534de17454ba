// SPDX-License-Identifier: Apache-2.0
// Calls to the control API of a running commute, or to its registry, one at a time, blocking, on a loop of their own. Main thread.
#pragma once

#include "base/arena.h"
#include "cli/cli_priv.h"
#include "json/json.h"

enum { CONTROL_TOKEN_MAX = 256 };               // bytes
#define CONTROL_TIMEOUT_NS UINT64_C(60000000000)

struct control;

// Where it is and what token to present: --control and --token-file; what is not given is taken from the configuration (-c, else
// commute.yaml): listen.control, and the file `token` in data. Does not connect. NOT_FOUND: there is no token to read.
MUST_USE bool control_open(const struct cli_options *options, struct control **ret_control, struct error *error);
// The same for the registry, which asks for no token: --registry, else listen.registry of the configuration.
MUST_USE bool control_open_registry(const struct cli_options *options, struct control **ret_control, struct error *error);
void control_close(struct control *control);    // NULL is allowed
void control_closep(struct control **control);

// One call. target: "/status", encoded already; body: JSON, or empty. *ret_answer is in the arena. An answer of 400 and above is
// an error with the code and sentence that it carries; no answer is ERROR_UNAVAILABLE or ERROR_TIMEOUT.
MUST_USE bool control_call(struct control *control, const char *method, const char *target, struct bytes body, struct arena *arena,
                           const struct json **ret_answer, struct error *error);
