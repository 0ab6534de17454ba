// SPDX-License-Identifier: Apache-2.0
// Schemas from files: the one that a command is about, and those that it refers to. Nothing ever comes from a network. A reference
// without a scheme is a file beside the schema or below its folder, or in the folder of --with; one with a scheme is a document that
// --with gives. What is said of errors: schema_problem.h.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "cli/cli_priv.h"
#include "cli/schema_with.h"
#include "schema/schema.h"

enum { SCHEMA_FILES_BYTES_MAX = 256 << 20 };    // of an instance

struct schema_files {
        struct arena arena;                     // of the schema
        struct schema_with with;
        const char *path, *folder;              // of the schema; its folder with a / behind it, or ""; NULL: none
        struct bytes source;
        const char *wrong;                      // the file that the error is about, "" the command line; NULL: it is the schema
        struct error why;                       // what is wrong with that
        struct schema_options options;
};

// Says of errno why a file cannot be read, as ERROR_NOT_FOUND where none is there for us, else as ERROR_IO. Always false.
bool schema_file_wrong(const char *path, struct error *error);

// An error's text without the path that it begins with, for where that is said already.
const char *schema_file_error(const char *path, const struct error *error);

// Whether the arguments name standard input more than once, which the first who asks reads to its end: that was printed then.
bool schema_names_input_twice(const struct cli_options *options);

// A whole file, "-" is standard input; at most `most` bytes, else ERROR_LIMIT.
MUST_USE bool schema_file_read(const char *path, size_t most, struct buffer *text, struct error *error);

// Reads the schema, and what --with has; makes options of --draft, --format-assertion, and so that references find what was read. On
// failure, too, `files` is to be freed. Opened again for another schema, with the same options, it keeps what --with has.
MUST_USE bool schema_files_open(struct schema_files *files, const char *path, const struct cli_options *options, struct error *error);
void schema_files_free(struct schema_files *files);
MUST_USE bool schema_files_compile(struct schema_files *files, struct schema **ret_schema, struct error *error);
// The document of a URI that the schema refers to. Lives until `files` is opened again.
MUST_USE bool schema_files_find(struct schema_files *files, struct bytes uri, struct bytes *ret_source);
// The file of a document that the schema refers to, or its URI if there is none. Lives until `files` is opened again.
const char *schema_files_path(struct schema_files *files, struct bytes uri);
