// SPDX-License-Identifier: Apache-2.0
// Regular expressions of schemas: ECMA-262 in meaning. Pure; a compiled pattern is immutable: any thread.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

struct pattern;

// ERROR_INVALID, ERROR_UNSUPPORTED or ERROR_LIMIT, with the byte of the pattern.
MUST_USE bool pattern_compile(struct bytes source, struct pattern **ret_pattern, struct error *error);
void pattern_free(struct pattern *pattern);             // NULL is allowed

enum pattern_verdict { PATTERN_NO_MATCH, PATTERN_MATCH, PATTERN_UNDECIDED };    // undecided: the limit of steps was reached
enum pattern_verdict pattern_search(const struct pattern *pattern, struct bytes text, struct arena *scratch);
