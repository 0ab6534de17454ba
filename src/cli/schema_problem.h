// SPDX-License-Identifier: Apache-2.0
// What is wrong with a schema, and where, in the form in which all is told that has a place in a file:
//      FILE:LINE:COLUMN: /pointer: sentence
// and the same fields in JSON. The file may be another than the one asked about: one that it refers to, or that --with gives.
#pragma once

#include "base/error.h"
#include "cli/schema_files.h"
#include "cli/schema_place.h"
#include "json/writer.h"

struct schema_problem {
        enum error_code code;
        const char *file;                       // "": it is in none, but in the command line
        const char *sentence;
        const char *referrer;                   // who names the file, if it is not the one asked about: "a.json:1:9"; else NULL
        struct schema_place place;              // line 0: none
        const char *pointer;                    // NULL: none
};

// What an error of reading or compiling `files` is about. It lives until `files` is opened again.
void schema_problem_find(struct schema_files *files, const struct error *error, struct schema_problem *ret_problem);
// A line on standard error.
void schema_problem_print(const struct schema_problem *problem);
// Members of an object: line, column, and keywordLocation or byte, as far as they are known.
void schema_place_write(struct json_writer *writer, const struct schema_place *place);
// Members of an object that names the file `asked` already: error, code, the place, and errorFile if it is in another file.
void schema_problem_write(struct json_writer *writer, const char *asked, const struct schema_problem *problem);
// As cli_fail, of an error of reading or compiling `files`: {"error": code, "message", "file", …}.
int schema_problem_fail(const struct cli_options *options, struct schema_files *files, const struct error *error);
