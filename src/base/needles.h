// SPDX-License-Identifier: Apache-2.0
// Many values looked for at once in bytes, in the forms in which they may lie there:
//      as they are (UTF-8)
//      as in a JSON string, also with every non-ASCII character as \uXXXX, hexadecimal digits small or capital, and with \/
//      percent-encoded, digits small or capital, all but unreserved characters, or all but what a path may have; a space as + or %20
// Base64, compression, other cases of letters: not.
//
// Immutable once made: any thread. Values are copied.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
        NEEDLES_MAX = 5000,             // values
        NEEDLE_MAX = 1024,              // bytes of one
        NEEDLE_LEAST = 4,               // bytes: shorter ones are everywhere, and are looked for as whole values only (needles_equal)
};

struct needles;

// ERROR_LIMIT, ERROR_INVALID (none, or an empty one).
MUST_USE bool needles_new(const struct bytes *values, size_t count, struct needles **ret_needles, struct error *error);
void needles_free(struct needles *needles);             // NULL is allowed
void needles_freep(struct needles **needles);           // fit for CLEANUP

size_t needles_longest(const struct needles *needles);  // bytes of the longest form: how far pieces of a file must overlap

// Calls visit for each place, in order; false from it stops. value: its place in the array that it came in; size: of the form.
typedef bool needles_visit(void *context, size_t value, size_t offset, size_t size);
void needles_find(const struct needles *needles, struct bytes bytes, needles_visit *visit, void *context);

// Whether the bytes as a whole are one of the values, of any length.
bool needles_equal(const struct needles *needles, struct bytes bytes, size_t *ret_value);
