// SPDX-License-Identifier: Apache-2.0
// Reads JSON Lines: line by line, so that their number does not matter, and as they come, so that a pipe may take its time.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct schema_lines {
        const char *path;
        int fd;                                 // -1: not open
        size_t number;                          // of the line last given, from 1
        struct buffer text;                     // what was read; the lines given point into it
        size_t at;                              // where the next one begins in it
        bool ended;                             // nothing more comes
};

enum schema_line {
        SCHEMA_LINE,                            // *ret_line: without its end (LF, CR LF), until the next call
        SCHEMA_LINE_LONG,                       // more than `most` bytes: it was skipped
        SCHEMA_LINES_END,
        SCHEMA_LINES_FAILED,                    // *error says why
};

// "-" is standard input. On failure, too, `lines` is to be closed.
MUST_USE bool schema_lines_open(struct schema_lines *lines, const char *path, struct error *error);
void schema_lines_close(struct schema_lines *lines);
MUST_USE enum schema_line schema_lines_next(struct schema_lines *lines, size_t most, struct bytes *ret_line, struct error *error);
