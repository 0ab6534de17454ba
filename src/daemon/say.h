// SPDX-License-Identifier: Apache-2.0
// The daemon's own log lines, one event each, on standard error, in one write(2):
//
//      2026-11-24T01:46:00.123Z info ready gateway=127.0.0.1:8080 registry=127.0.0.1:8081        (logfmt; values quoted if need be)
//      {"time":"2026-11-24T01:46:00.123Z","level":"info","event":"ready","gateway":"127.0.0.1:8080",…}
//
// Any thread. A line that cannot be written is lost.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum say_level { SAY_DEBUG, SAY_INFO, SAY_WARN, SAY_ERROR, SAY_LEVEL_COUNT };

struct say {
        enum say_level least;           // below it nothing is said
        bool json;
};

struct say_field {
        const char *key, *value;        // the value's control characters are escaped
};

bool say_level_of(struct bytes name, enum say_level *ret_level);        // "debug", "info", "warn", "error"

// fields end with a NULL key.
void say_line(const struct say *say, enum say_level level, const char *event, const struct say_field *fields);
#define SAY(say, level, event, ...) \
        say_line(say, SAY_##level, event, (const struct say_field[]){__VA_ARGS__ __VA_OPT__(,) {NULL, NULL}})

// An error as a line with its code and sentence.
void say_error(const struct say *say, enum say_level level, const char *event, const struct error *error);

// A number as a field's value, until the full expression ends: {"records", SAY_NUMBER(count)}
enum { SAY_NUMBER_SIZE = 24 };
const char *say_number(char text[static SAY_NUMBER_SIZE], uint64_t number);
#define SAY_NUMBER(number) say_number((char[SAY_NUMBER_SIZE]){0}, number)
