// SPDX-License-Identifier: Apache-2.0
// The schemas that --with gives. They are read once, however many schemas a command is about. A value of --with is
//      PATH            if there is a file or folder of that whole name: a schema, or all in the folder, each found by its $id
//      URI=FILE        else: FILE is the document of URI, whatever $id it has. FILE begins behind the first = behind which the name of a
//                      file is, so that both may have a = in them.
// Neither is asked for the drafts' meta-schemas, which are built in, nor for what the schema is itself. What is wrong with a file is an
// error of that file, and what is wrong with a value one of --with.
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
        bool named;                             // by --with; else by its $id
};

struct schema_with {
        struct arena arena;
        bool loaded;
        const struct cli_options *options;
        struct schema_given *list;              // malloc'ed
        size_t count, capacity, bytes;
        const char *wrong;                      // the file or folder that the error of schema_with_load is about; "": a value of --with
};

// Reads them, unless that is done already. On failure, too, `with` is to be freed.
MUST_USE bool schema_with_load(struct schema_with *with, const struct cli_options *options, struct error *error);
void schema_with_free(struct schema_with *with);
// The document of a URI. ERROR_NOT_FOUND: there is none; ERROR_INVALID: several that differ have this $id.
MUST_USE bool schema_with_find(const struct schema_with *with, struct bytes uri, const struct schema_given **ret_given,
                               struct error *error);
// Whether the file is in a folder that was given.
bool schema_with_contains(const struct schema_with *with, const char *path);
