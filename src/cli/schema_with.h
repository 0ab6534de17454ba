// SPDX-License-Identifier: Apache-2.0
// The schemas that --with gives: a file, or a folder of them, each found by its $id. They are read once, however many schemas a command
// is about. What is wrong with one of them is an error of that file.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "cli/cli_priv.h"

enum {
        SCHEMA_WITH_FILES_MAX = 10000,
        SCHEMA_WITH_DEPTH_MAX = 16,             // folders within each other
        SCHEMA_WITH_BYTES_MAX = 256 << 20,      // of all of them
};

struct schema_given {
        struct bytes uri, source;
        const char *path;
};

struct schema_with {
        struct arena arena;
        bool loaded;
        const char *path;                       // as it is given, or NULL
        struct schema_given *list;              // malloc'ed
        size_t count, capacity, bytes;
        const char *wrong;                      // the file, or folder, that the error of schema_with_load is about
};

// Reads them, unless that is done already. On failure, too, `with` is to be freed.
MUST_USE bool schema_with_load(struct schema_with *with, const struct cli_options *options, struct error *error);
void schema_with_free(struct schema_with *with);
// The document of a URI, or NULL.
const struct schema_given *schema_with_find(const struct schema_with *with, struct bytes uri);
// Whether the file is in a folder that was given.
bool schema_with_contains(const struct schema_with *with, const char *path);
