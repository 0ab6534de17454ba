// SPDX-License-Identifier: Apache-2.0
// The tables that tools/unicode writes.
#pragma once

#include "schema/unicode.h"

// A set is `size` bytes of `data` from `start` on: for each range the gap from the end of the last one (from 0 for the first) and
// its length less one, each in groups of 7 bits, low ones first, with 0x80 on all but the last.
struct unicode_name {
        const char *name;
        uint32_t start, size;
};

struct unicode_sets {
        const uint8_t *data;
        const struct unicode_name *names;       // sorted by strcmp
        size_t count;
};
extern const struct unicode_sets unicode_categories, unicode_binaries;

// Each entry holds from its code point to the next entry's.
extern const uint32_t unicode_idna[];           // point << 9 | mark << 8 | joining << 5 | bidi << 2 | class
extern const size_t unicode_idna_count;
extern const uint32_t unicode_combining[];      // point << 8 | canonical combining class
extern const size_t unicode_combining_count;
// point << 43 | first << 22 | second << 1 | excluded from composition, sorted. second 0: one code point
extern const uint64_t unicode_decompositions[];
extern const size_t unicode_decomposition_count;
