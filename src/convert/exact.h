// SPDX-License-Identifier: Apache-2.0
// Which numbers survive libjq 1.6, whose numbers are doubles. Pure. Any thread.
#pragma once

#include "base/bytes.h"

#define CONVERT_INTEGER_MAX 9007199254740992    // 2^53

// Is the number (JSON text) an integer within ±2^53, or the shortest decimal of a double, so that it comes back as it is?
MUST_USE bool exact_from_text(struct bytes number, double *ret_value);
// Appends the shortest decimal that is this double: finite, within ±2^53.
void exact_to_text(struct buffer *buffer, double value);
