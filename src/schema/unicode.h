// SPDX-License-Identifier: Apache-2.0
// Properties of code points, from tables that tools/unicode writes. Pure, immutable; any thread.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum { UNICODE_LAST = 0x10FFFF };

struct unicode_range {
        uint32_t first, last;
};

// The ranges, in order and apart from each other, of a property: "gc=Lu", "sc=Greek", "scx=Grek", "Alphabetic", with the names
// of ECMA-262 (no loose matching). False: there is none of that name.
MUST_USE bool unicode_property(struct bytes name, struct arena *arena, const struct unicode_range **ret_ranges, size_t *ret_count);
// The same of one code point; the property exists. Walks over the property's table: for rare questions.
bool unicode_has(const char *property, uint32_t point);

// IDNA2008
enum unicode_idna { IDNA_DISALLOWED, IDNA_VALID, IDNA_CONTEXT_JOINER, IDNA_CONTEXT_OTHER };             // RFC 5892
enum unicode_bidi { BIDI_ELSE, BIDI_LEFT, BIDI_RIGHT, BIDI_ARABIC_NUMBER, BIDI_NUMBER, BIDI_NEUTRAL, BIDI_MARK };       // RFC 5893
enum unicode_joining { JOINING_NONE, JOINING_TRANSPARENT, JOINING_LEFT, JOINING_RIGHT, JOINING_DUAL };

struct unicode_domain {
        enum unicode_idna class;
        enum unicode_bidi bidi;                 // BIDI_RIGHT: R and AL; BIDI_NEUTRAL: ES, CS, ET, ON, BN
        enum unicode_joining joining;
        bool mark;                              // General_Category M
};
struct unicode_domain unicode_domain(uint32_t point);           // of what is disallowed only the class is true
uint8_t unicode_combining_class(uint32_t point);

// Whether the code points are in normalization form C (UAX 15). `scratch` takes some 12 times their size.
bool unicode_is_nfc(const uint32_t *points, size_t count, struct arena *scratch);
