// SPDX-License-Identifier: Apache-2.0
// JSON text to libjq's values and back, exactly. A value is owned by whoever has it, as libjq has it: "consumes" frees it.
#pragma once

#include <jv.h>

#include "base/arena.h"
#include "convert/convert.h"

// ERROR_INVALID, ERROR_LIMIT, ERROR_REJECTED (a number). *ret_edge: the document has ±2^53. The caller frees the value.
MUST_USE bool value_read(struct bytes source, struct arena *arena, jv *ret_value, bool *ret_edge, struct error *error);
// Appends the value, which it only borrows. edge: ±2^53 may be written. On failure the buffer holds a part.
MUST_USE bool value_write(jv value, bool edge, struct buffer *buffer, struct error *error);
