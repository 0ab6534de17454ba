// SPDX-License-Identifier: Apache-2.0
// Errors are values: a code, whether trying again can help, and a sentence to which each caller adds its context while
// unwinding ("append to topic task-events: write log.db: no space left on device"). Library folders return errors and never
// print. A struct error lives on the stack of whoever reports it; it holds no memory.
//
//      MUST_USE bool thing_open(const char *path, struct thing **ret_thing, struct error *error);
//
// true is success. On false, *error is filled (a NULL error is allowed) and no ret_ output has been touched.
#pragma once

#include "base/base.h"

// code, exit status of the CLI, HTTP status of the control API, may succeed when tried again
#define ERROR_CODES(X)                                                                                          \
        X(NONE, 0, 200, false)                                                                                  \
        X(INVALID, 65, 400, false)        /* input is malformed or of the wrong type */                         \
        X(REJECTED, 65, 422, false)       /* well-formed, but does not match its schema */                      \
        X(UNSUPPORTED, 69, 501, false)    /* understood, and not supported: refused by name */                  \
        X(LIMIT, 65, 413, false)          /* a named limit is exceeded */                                       \
        X(NOT_FOUND, 66, 404, false)                                                                            \
        X(CONFLICT, 75, 409, false)       /* contradicts what is there, or somebody else is at it */            \
        X(UNAUTHORIZED, 77, 401, false)                                                                         \
        X(UNAVAILABLE, 75, 503, true)     /* a peer, or a part of commute, is not there now */                  \
        X(TIMEOUT, 75, 504, true)                                                                               \
        X(FULL, 74, 503, true)            /* no space on the device, or a queue at its limit */                 \
        X(EXHAUSTED, 74, 507, false)      /* what is kept has reached its limit: not without a higher one */    \
        X(IO, 74, 500, false)             /* the device failed; what was under way is unknown */                \
        X(CORRUPT, 74, 500, false)        /* stored bytes are not what was written */                           \
        X(INTERNAL, 70, 500, false)

enum error_code {
#define X(name, exit_status, http_status, retriable) ERROR_##name,
        ERROR_CODES(X)
#undef X
};

enum { ERROR_TEXT_MAX = 1000 };

struct error {
        enum error_code code;
        char text[ERROR_TEXT_MAX];      // NUL-terminated; cut at the limit
};

// Fills *error (may be NULL) with a code and a sentence. Always returns false: `return error_set(error, ERROR_…, "…");`
bool error_set(struct error *error, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

// Puts context in front of the sentence: "CONTEXT: sentence". Always returns false.
bool error_wrap(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

// Name of a code in lower case with dashes ("not-found"), its CLI exit status, its HTTP status, and whether to retry.
const char *error_name(enum error_code code);
int error_exit_status(enum error_code code);
int error_http_status(enum error_code code);
bool error_retriable(enum error_code code);
