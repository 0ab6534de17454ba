// SPDX-License-Identifier: Apache-2.0
// Regular expressions of ECMA-262 with the flag u: over code points, with Unicode's properties. Compile once, search from any
// thread: a compiled pattern is immutable. A search takes time linear in the text, up to a limit of steps where it is not by a table;
// only a pattern with back references is tried choice by choice, up to a limit as well. Beside the strict grammar the following are
// accepted, as ECMA-262's Annex B and schemas in the wild have them: \ before any ASCII punctuation, { } ] for themselves where they
// belong to nothing, - between \w and others in a class.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

struct pattern;

enum {
        PATTERN_BYTES_MAX = 65536,
        PATTERN_DEPTH_MAX = 250,        // groups within each other
        PATTERN_GROUPS_MAX = 1000,      // that capture
        PATTERN_RANGES_MAX = 200000,    // of code points, in all classes together
        PATTERN_CLASSES_MAX = 2048,     // of code points that the pattern tells apart
        PATTERN_PROGRAM_MAX = 50000,    // instructions, with counted repetitions written out
        PATTERN_STEPS_MAX = 4000000,    // of one search where the pattern is not a finite automaton of modest size, …
        PATTERN_STEPS_PER_BYTE = 64,    // … and for each byte of the text where there are no back references
        PATTERN_STACK_MAX = 1 << 20,    // choices that a search with back references remembers
};

// ERROR_INVALID: not a pattern; ERROR_UNSUPPORTED: flags inside of the pattern, two groups of one name; ERROR_LIMIT. The error names
// the byte of the pattern. The caller owns *ret_pattern.
MUST_USE bool pattern_compile(struct bytes source, struct pattern **ret_pattern, struct error *error);
void pattern_free(struct pattern *pattern);                     // NULL is allowed
size_t pattern_memory(const struct pattern *pattern);           // bytes that it holds
uint64_t pattern_work(const struct pattern *pattern);           // steps that compiling it took, tables that came to nothing included

enum pattern_verdict {
        PATTERN_NO_MATCH,
        PATTERN_MATCH,
        PATTERN_UNDECIDED,              // a limit was reached: an error, not a verdict
};
// Whether the pattern matches anywhere in the text, which is valid UTF-8. Allocates nothing, or a part of `scratch` that is linear
// in the text and the pattern and is given back at the end.
enum pattern_verdict pattern_search(const struct pattern *pattern, struct bytes text, struct arena *scratch);
// Whether the text is a pattern: the format "regex". Undecided: longer or deeper than what is parsed.
enum pattern_verdict pattern_check(struct bytes source, struct arena *scratch);
// Whether it is proven that no text can match the pattern: a^, [^\s\S]. False says nothing.
bool pattern_matches_nothing(struct bytes source, struct arena *scratch);
