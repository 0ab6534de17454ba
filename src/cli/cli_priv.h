// SPDX-License-Identifier: Apache-2.0
// What the commands share: the options, how they are parsed, how errors are told.
#pragma once

#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/cli.h"

// Options by name; a command lists those it takes (bits 1 << enum cli_option).
enum cli_option {
        CLI_HELP, CLI_JSON, CLI_CONFIG, CLI_PRINT_SCHEMA, CLI_CONTROL, CLI_TOKEN_FILE, CLI_TO, CLI_AUTO, CLI_STEP,
        CLI_DONE, CLI_OUTPUT, CLI_WATCH, CLI_AFTER, CLI_KEY, CLI_FORM, CLI_FORMAT_ASSERTION, CLI_LINES, CLI_WITH, CLI_VALUES,
        CLI_ANNOTATIONS, CLI_BENCHMARK, CLI_VALUES_FILE, CLI_TAG, CLI_REGISTRY, CLI_REFERENCES, CLI_DRY_RUN, CLI_DRAFT, CLI_MAX_DEPTH,
        CLI_OPTION_COUNT
};

enum { CLI_ARGUMENTS_MAX = 100000, CLI_WITH_MAX = 1000 };

struct cli_options {
        bool given[CLI_OPTION_COUNT];
        const char *value[CLI_OPTION_COUNT];    // of those that take one; NULL: not given
        const char *with[CLI_WITH_MAX];         // of --with, which may be given several times
        size_t with_count;
        unsigned max_depth;                     // of --max-depth; 0: not given
        const char *const *arguments;           // that are no options, at the beginning of argv
        size_t argument_count;
};

struct cli_command {
        const char *name;               // "check"; "schema validate" where a word follows
        const char *synopsis;           // behind the name: "[-c FILE] [--json]"
        const char *summary;            // one line of `commute --help`
        const char *help;               // of `commute NAME --help`, behind the synopsis
        unsigned options;               // those that it takes, beside --help
        int least, most;                // arguments
        int (*run)(const struct cli_options *options);  // NULL: not in this version
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

// False: what is wrong was printed. Moves the arguments that are no options to the front of argv, which must outlive *ret_options.
MUST_USE bool cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_options *ret_options);
void cli_print_help(const struct cli_command *command);

// Prints the error (as JSON on standard output with --json, else on standard error) and gives the exit status.
int cli_fail(const struct cli_options *options, const struct error *error);
// Control characters as \u00XX: neither a key of an instance nor a file's name may command a terminal.
void cli_print_visible(FILE *file, const char *text);
void cli_print_line(FILE *file, const char *format, ...) PRINTF_LIKE(2, 3);     // the same of a line, without its end
void cli_print(struct bytes text);              // to standard output, with a line end if it has none

int cli_check(const struct cli_options *options);
int cli_schema_validate(const struct cli_options *options);
int cli_schema_check(const struct cli_options *options);
int cli_schema_diff(const struct cli_options *options);
int cli_schema_lint(const struct cli_options *options);
int cli_schema_bundle(const struct cli_options *options);
int cli_schema_register(const struct cli_options *options);     // with a running registry

// By the control API of a running commute
int cli_plan(const struct cli_options *options);
int cli_migrate(const struct cli_options *options);
int cli_evolve(const struct cli_options *options);
int cli_advance(const struct cli_options *options);
int cli_pause(const struct cli_options *options);
int cli_rollback(const struct cli_options *options);
int cli_cancel(const struct cli_options *options);
int cli_status(const struct cli_options *options);
int cli_parked_list(const struct cli_options *options);
int cli_parked_show(const struct cli_options *options);
int cli_parked_retry(const struct cli_options *options);
int cli_parked_settle(const struct cli_options *options);
int cli_parked_discard(const struct cli_options *options);
int cli_privacy_erase(const struct cli_options *options);
int cli_privacy_scan(const struct cli_options *options);
int cli_privacy_status(const struct cli_options *options);
int cli_proof(const struct cli_options *options);

int cli_verify(const struct cli_options *options);
