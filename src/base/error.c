// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
        const char *name;
        int exit_status;
        int http_status;
        bool retriable;
} codes[] = {
#define X(name, exit_status, http_status, retriable) [ERROR_##name] = {#name, exit_status, http_status, retriable},
        ERROR_CODES(X)
#undef X
};

bool error_set(struct error *error, enum error_code code, const char *format, ...) {
        ASSERT(code != ERROR_NONE);
        if (!error)
                return false;
        error->code = code;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
        return false;
}

bool error_wrap(struct error *error, const char *format, ...) {
        if (!error)
                return false;
        char inner[ERROR_TEXT_MAX];
        memcpy(inner, error->text, sizeof inner);
        va_list arguments;
        va_start(arguments, format);
        int written = vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
        size_t used = written < 0 ? 0 : MIN((size_t)written, sizeof error->text - 1);
        snprintf(error->text + used, sizeof error->text - used, ": %s", inner);
        return false;
}

const char *error_name(enum error_code code) {
        static const char *const names[] = {
                [ERROR_NONE] = "none", [ERROR_INVALID] = "invalid", [ERROR_REJECTED] = "rejected",
                [ERROR_UNSUPPORTED] = "unsupported", [ERROR_LIMIT] = "limit", [ERROR_NOT_FOUND] = "not-found",
                [ERROR_CONFLICT] = "conflict", [ERROR_UNAUTHORIZED] = "unauthorized", [ERROR_UNAVAILABLE] = "unavailable",
                [ERROR_TIMEOUT] = "timeout", [ERROR_FULL] = "full", [ERROR_EXHAUSTED] = "exhausted", [ERROR_IO] = "io",
                [ERROR_CORRUPT] = "corrupt", [ERROR_INTERNAL] = "internal",
        };
        static_assert(ARRAY_SIZE(names) == ARRAY_SIZE(codes), "each code has a name");
        return names[code];
}

int error_exit_status(enum error_code code) {
        return codes[code].exit_status;
}

int error_http_status(enum error_code code) {
        return codes[code].http_status;
}

bool error_retriable(enum error_code code) {
        return codes[code].retriable;
}
