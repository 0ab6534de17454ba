// SPDX-License-Identifier: Apache-2.0
// The tokens of a jq program, as libjq 1.6's lexer has them, with what each is used as. Pure. Any thread.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "convert/convert.h"

enum token_kind {
        TOKEN_END,              // of the program
        TOKEN_NAME,             // a function that is called or defined, a parameter
        TOKEN_KEYWORD,
        TOKEN_VARIABLE,         // the name behind $
        TOKEN_KEY,              // a name in an object's construction or pattern
        TOKEN_FIELD,            // .name
        TOKEN_FORMAT,           // @name
        TOKEN_NUMBER,
        TOKEN_TEXT,             // a piece of a string between quotes and interpolations; its quotes and \( are TOKEN_SIGN
        TOKEN_SIGN,             // an operator or a bracket
};

struct token {
        enum token_kind kind;
        size_t offset, size;
};

struct scan {
        struct bytes program;
        size_t at;
        struct { char kind; size_t offset; } open[CONVERT_NESTING_MAX];        // ( [ { " and i (if); a \( is a ( within a "
        size_t depth;
        char last;              // first byte of the last sign, 0 if the last token was none
};

static inline struct scan scan_begin(struct bytes program) {
        return (struct scan){.program = program};
}
// The next token. ERROR_INVALID, ERROR_LIMIT "line 1, column 5: …": a bracket that closes nothing or is not closed, nesting.
MUST_USE bool scan_next(struct scan *scan, struct token *ret_token, struct error *error);
static inline struct bytes scan_text(const struct scan *scan, struct token token) {
        return (struct bytes){scan->program.data + token.offset, token.size};
}
// Fills the error with "line L, column C: SENTENCE", for a byte offset of the program. Always false.
bool scan_error(struct bytes program, size_t offset, enum error_code code, struct error *error, const char *format, ...)
        PRINTF_LIKE(5, 6);
