// SPDX-License-Identifier: Apache-2.0
// What `commute schema validate` says of each input: lines for people, the specification's outputs, or one JSON array.
#pragma once

#include "base/arena.h"
#include "cli/cli_priv.h"
#include "cli/schema_files.h"
#include "json/json.h"
#include "schema/schema.h"

struct schema_report {
        const struct cli_options *options;
        enum schema_output_format form;
        bool json, array;                       // one JSON object an instance; all in an array
        bool any;                               // something has been written into the array
        int status;                             // the greatest exit status of all that was said
};

// An input: a document, or a line of a file.
struct schema_input {
        const char *path;
        size_t line;                            // from 1; 0: the file is one document
        struct bytes text;
        const struct json *instance;            // NULL: not parsed
};

void schema_report_begin(struct schema_report *report, const struct cli_options *options);
// `arena` is for what is said of this input.
void schema_report_verdict(struct schema_report *report, const struct schema_input *input, const struct schema *schema,
                           enum schema_verdict verdict, struct arena *arena);
// There is no verdict: ERROR_INVALID, it is not JSON; ERROR_LIMIT, it is beyond a limit.
void schema_report_undecided(struct schema_report *report, const struct schema_input *input, const struct error *error);
// A file could not be read.
void schema_report_unread(struct schema_report *report, const char *path, const struct error *error);
// The schema could not be read, or is none.
void schema_report_schema(struct schema_report *report, struct schema_files *files, const struct error *error);
void schema_report_end(struct schema_report *report);
