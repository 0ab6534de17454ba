// SPDX-License-Identifier: Apache-2.0
// `commute schema validate SCHEMA FILE…`, offline. A file is one document, or JSON Lines (--lines, or a name that ends in .jsonl or
// .ndjson): one instance a line, read one after the other. An input that is not JSON, is beyond a limit or cannot be read is said, and
// the run goes on; only the schema's errors end it. Exit status: 0 all are valid; else the greatest of what was said: 65 one is
// invalid, not JSON, or not decided; 66 a file is not there; 74 one cannot be read.
#include "cli/cli_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "cli/schema_bench.h"
#include "cli/schema_files.h"
#include "cli/schema_lines.h"
#include "cli/schema_report.h"
#include "os/clock.h"
#include "schema/schema.h"

enum { PROGRESS_EVERY = 256, SCRATCH_KEPT = 1 << 20 };
#define PROGRESS_INTERVAL MILLISECONDS(250)

struct run {
        const struct cli_options *options;
        const struct schema *schema;
        struct schema_report report;
        struct arena arena;                     // of one instance
        uint64_t instances, invalid, undecided, bytes;
        bool progress;
        uint64_t told;                          // when, monotonic
};

static bool is_lines(const struct cli_options *options, const char *path) {
        size_t size = strlen(path);
        return options->given[CLI_LINES] || (size > 6 && strcasecmp(path + size - 6, ".jsonl") == 0) ||
               (size > 7 && strcasecmp(path + size - 7, ".ndjson") == 0);
}

static void tell_progress(struct run *run, const char *path) {
        uint64_t now = clock_monotonic_ns(clock_real());
        if (!run->progress || run->instances % PROGRESS_EVERY || now - run->told < PROGRESS_INTERVAL)
                return;
        run->told = now;
        fputc('\r', stderr);
        cli_print_visible(stderr, path);
        fprintf(stderr, ": %ju instances, %ju MB, %ju invalid ", (uintmax_t)run->instances, (uintmax_t)(run->bytes / 1000000),
                (uintmax_t)run->invalid);
}

static void leave_undecided(struct run *run, const struct schema_input *input, const struct error *error) {
        run->invalid += error->code == ERROR_INVALID;
        run->undecided += error->code != ERROR_INVALID;
        schema_report_undecided(&run->report, input, error);
}

static void validate(struct run *run, struct schema_input *input) {
        struct json_limits limits = {.bytes = SCHEMA_FILES_BYTES_MAX, .nodes = SCHEMA_FILES_BYTES_MAX, .depth = run->options->max_depth};
        enum schema_verdict verdict = SCHEMA_UNDECIDED;
        struct error error;
        run->instances++;
        run->bytes += input->text.size;
        tell_progress(run, input->path);
        arena_reset_keeping(&run->arena, SCRATCH_KEPT);
        bool good = schema_verdict_bytes(run->schema, input->text, &limits, &run->arena, &verdict, &error);
        if (good && verdict == SCHEMA_UNDECIDED)
                good = error_set(&error, ERROR_LIMIT, "a limit of the evaluation was reached: subschemas within each other, or steps");
        if (good && (run->report.json || verdict == SCHEMA_INVALID))
                good = json_parse(input->text, &limits, &run->arena, &input->instance, &error);
        if (!good) {
                leave_undecided(run, input, &error);
                return;
        }
        run->invalid += verdict == SCHEMA_INVALID;
        schema_report_verdict(&run->report, input, run->schema, verdict, &run->arena);
}

static bool is_blank(struct bytes line) {
        for (size_t i = 0; i < line.size; i++)
                if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
                        return false;
        return true;
}

static void validate_lines(struct run *run, const char *path) {
        CLEANUP(schema_lines_close) struct schema_lines lines = {.fd = -1};
        struct schema_input input = {.path = path};
        enum schema_line got = SCHEMA_LINES_FAILED;
        struct error error;
        uint64_t instances = run->instances, invalid = run->invalid, undecided = run->undecided;
        if (schema_lines_open(&lines, path, &error)) {
                while ((got = schema_lines_next(&lines, SCHEMA_FILES_BYTES_MAX, &input.text, &error)) <= SCHEMA_LINE_LONG) {
                        input.line = lines.number;
                        input.instance = NULL;
                        if (got == SCHEMA_LINE && !is_blank(input.text)) {
                                validate(run, &input);
                        } else if (got == SCHEMA_LINE_LONG) {
                                run->instances++;
                                IGNORE(error_set(&error, ERROR_LIMIT, "more than %d bytes", SCHEMA_FILES_BYTES_MAX));   // false
                                leave_undecided(run, &input, &error);
                        }
                }
        }
        if (got == SCHEMA_LINES_FAILED)
                schema_report_unread(&run->report, path, &error);
        if (run->report.json || (got == SCHEMA_LINES_FAILED && run->instances == instances))
                return;
        cli_print_visible(stdout, path);
        printf(": %ju instances, %ju invalid", (uintmax_t)(run->instances - instances), (uintmax_t)(run->invalid - invalid));
        if (run->undecided > undecided)
                printf(", %ju not decided", (uintmax_t)(run->undecided - undecided));
        puts("");
}

static void validate_file(struct run *run, const char *path) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct schema_input input = {.path = path};
        struct error error;
        if (is_lines(run->options, path)) {
                validate_lines(run, path);
        } else if (schema_file_read(path, SCHEMA_FILES_BYTES_MAX, &text, &error)) {
                input.text = buffer_bytes(&text);
                validate(run, &input);
        } else if (error.code == ERROR_LIMIT) {
                run->instances++;
                leave_undecided(run, &input, &error);
        } else {
                schema_report_unread(&run->report, path, &error);
        }
}

static void bench(struct run *run) {
        CLEANUP(schema_bench_free) struct schema_bench bench = {.schema = run->schema, .max_depth = run->options->max_depth};
        const struct cli_options *options = run->options;
        struct error error;
        bool good = true;
        for (size_t i = 1; good && i < options->argument_count; i++)
                good = schema_bench_add(&bench, options->arguments[i], is_lines(options, options->arguments[i]), &error);
        if (!good || !schema_bench_run(&bench, options->given[CLI_JSON], &error))
                run->report.status = cli_fail(options, &error);
}

static void validate_all(struct run *run) {
        for (size_t i = 1; i < run->options->argument_count; i++)
                validate_file(run, run->options->arguments[i]);
        if (run->progress && run->told)
                fputc('\n', stderr);
        schema_report_end(&run->report);
        arena_free(&run->arena);
}

int cli_schema_validate(const struct cli_options *options) {
        CLEANUP(schema_files_free) struct schema_files files = {0};
        struct schema *schema = NULL;
        struct error error;
        struct run run = {.options = options, .progress = isatty(STDERR_FILENO)};
        if (schema_names_input_twice(options))
                return CLI_USAGE;
        schema_report_begin(&run.report, options);
        if (!schema_files_open(&files, options->arguments[0], options, &error) || !schema_files_compile(&files, &schema, &error)) {
                schema_report_schema(&run.report, &files, &error);
                schema_report_end(&run.report);
                return run.report.status;
        }
        run.schema = schema;
        if (options->given[CLI_BENCHMARK])
                bench(&run);
        else
                validate_all(&run);
        schema_free(schema);
        return run.report.status;
}
