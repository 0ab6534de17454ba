// SPDX-License-Identifier: Apache-2.0
// Exact decimal arithmetic on the text of JSON numbers of any size. Nothing is converted to floating point and nothing is
// allocated. The text must be a JSON number that the parser accepted (exponent within JSON_EXPONENT_MAX). Any thread.
#pragma once

#include "base/bytes.h"

// -1, 0 or 1 as a is less than, equal to, or greater than b. O(digits).
int json_number_compare(struct bytes a, struct bytes b);
uint64_t json_number_hash(struct bytes number, uint64_t seed);  // equal numbers have equal hashes
bool json_number_is_integer(struct bytes number);               // by value: 1.0 and 1e2 are
bool json_number_is_positive(struct bytes number);              // > 0

// number = k · divisor for an integer k. The divisor is positive and has at most JSON_DIVISOR_DIGITS_MAX significant digits.
enum { JSON_DIVISOR_DIGITS_MAX = 1000 };
bool json_number_is_multiple(struct bytes number, struct bytes divisor);
size_t json_number_digits(struct bytes number);                 // significant: without zeros at either end; 0 for zero

// A number of at most JSON_SMALL_DIGITS digits without an exponent: mantissa / 10^decimals. Arithmetic on these is exact, too.
enum { JSON_SMALL_DIGITS = 18 };
struct json_small {
        int64_t mantissa;
        unsigned decimals;
};
MUST_USE bool json_number_to_small(struct bytes number, struct json_small *ret_small);
int json_small_compare(struct json_small a, struct json_small b);
bool json_small_is_multiple(struct json_small number, struct json_small divisor);       // > 0

// Appends the canonical text (json_canonical).
void json_number_canonical(struct buffer *buffer, struct bytes number);

// The value, if it is an integer that fits.
MUST_USE bool json_number_to_i64(struct bytes number, int64_t *ret_number);
MUST_USE bool json_number_to_u64(struct bytes number, uint64_t *ret_number);
