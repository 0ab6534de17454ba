// SPDX-License-Identifier: Apache-2.0
// Command lines: a table of long options, --help made from it, everything unknown or malformed refused with exit code 2.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum argument_kind { ARGUMENT_TEXT, ARGUMENT_INTEGER, ARGUMENT_FLAG, ARGUMENT_TEXTS };

#define TEXTS_LIMIT 16               // of one option that may be given several times

struct argument {
        const char *name;            // without the dashes; NULL ends the table
        enum argument_kind kind;
        void *where;                 // const char **, int64_t *, bool * or const char *[TEXTS_LIMIT + 1]: holds the default before
        const char *help;
        int64_t minimum, maximum;    // of an integer
        bool needed;                 // a text that must be given
};

#define TEXT_OPTION(name, where, help) { name, ARGUMENT_TEXT, where, help, 0, 0, false }
#define TEXTS_OPTION(name, where, help) { name, ARGUMENT_TEXTS, where, help, 0, 0, false }
#define NEEDED_OPTION(name, where, help) { name, ARGUMENT_TEXT, where, help, 0, 0, true }
#define INTEGER_OPTION(name, where, minimum, maximum, help) { name, ARGUMENT_INTEGER, where, help, minimum, maximum, false }
#define FLAG_OPTION(name, where, help) { name, ARGUMENT_FLAG, where, help, 0, 0, false }

void arguments_parse(int count, char **values, const char *purpose, const struct argument *table);
