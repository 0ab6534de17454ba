// SPDX-License-Identifier: Apache-2.0
// One compiled jq program. Belongs to one thread.
#pragma once

#include <jv.h>

#include "base/bytes.h"
#include "base/error.h"

struct program;

// text: of UTF-8 without NUL, at most CONVERT_PROGRAM_MAX. ERROR_INVALID: libjq's first sentence, without its "jq: error: " and the
// program's text behind it, and in *ret_line the line it names (0: none). About 40 ms, most of it libjq's own definitions.
MUST_USE bool program_compile(struct bytes text, struct program **ret_program, size_t *ret_line, struct error *error);
void program_free(struct program *program);

// Consumes the input, gives the one output, which the caller frees. ERROR_REJECTED: it failed, gave none, or several; *ret_said: the
// bytes of what it gave to error(), if its text is not the program's or libjq's own, else 0.
MUST_USE bool program_run(struct program *program, jv input, jv *ret_output, size_t *ret_said, struct error *error);

// Called by libjq when memory is exhausted, on the thread that compiles or runs; must not return. For this thread.
void program_on_no_memory(void (*no_memory)(void *user), void *user);

// The message as it may leave the process: values that libjq quoted are cut out (an event's are nobody's business in a log), text
// that stands in the program itself stays; at most CONVERT_MESSAGE_MAX bytes.
void program_clean_message(struct bytes message, struct bytes program, struct buffer *buffer);
// Whether each word of a cleaned message stands in the program, or is one of libjq's, and none is a number: then of an event's values it
// tells at most which of the program's own words one is.
bool program_knows_message(struct bytes message, struct bytes program);
