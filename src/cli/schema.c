// SPDX-License-Identifier: Apache-2.0
// `commute schema validate SCHEMA FILE…`, offline. Exit status: 0 all are valid; 65 one is not, or is not JSON; another error's own,
// which ends the run. A file is one document, or JSON Lines (--lines, or a name that ends in .jsonl or .ndjson): one instance a line,
// read one after the other.
#include "cli/cli_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/schema_bench.h"
#include "cli/schema_files.h"
#include "json/writer.h"
#include "os/clock.h"
#include "schema/schema.h"

enum { FAILURES_SHOWN = 20, PROGRESS_EVERY = 256, SCRATCH_KEPT = 1 << 20 };
#define PROGRESS_INTERVAL MILLISECONDS(250)

struct run {
        const struct cli_options *options;
        const struct schema *schema;
        struct arena arena;                     // of one instance
        bool json, array;                       // one JSON object an instance; all in an array
        enum schema_output_format form;
        bool any;                               // something has been written into the array
        uint64_t instances, invalid, bytes;
        uint64_t file_invalid;
        bool progress;
        uint64_t told;                          // when, monotonic
};

static bool is_lines(const struct cli_options *options, const char *path) {
        size_t size = strlen(path);
        return options->given[CLI_LINES] || (size > 6 && strcmp(path + size - 6, ".jsonl") == 0) ||
               (size > 7 && strcmp(path + size - 7, ".ndjson") == 0);
}

static void tell_progress(struct run *run, const char *path) {
        uint64_t now = clock_monotonic_ns(clock_real());
        if (!run->progress || run->instances % PROGRESS_EVERY || now - run->told < PROGRESS_INTERVAL)
                return;
        run->told = now;
        fprintf(stderr, "\r%s: %ju instances, %ju MB, %ju invalid ", path, (uintmax_t)run->instances, (uintmax_t)(run->bytes / 1000000),
                (uintmax_t)run->invalid);
}

// {"file":…,"fileLine":…, then the members of the output.
static void print_object(struct run *run, const char *path, size_t line, struct bytes output) {
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_print(&text, "%s{\"file\":", run->array ? run->any ? "," : "[" : "");
        json_quote(&text, bytes_of(path));
        if (line)
                buffer_print(&text, ",\"fileLine\":%zu", line);
        buffer_append_byte(&text, ',');
        buffer_append(&text, (struct bytes){output.data + 1, output.size - 1});
        run->any = true;
        cli_print(buffer_bytes(&text));
}

static void not_json(struct run *run, const char *path, size_t line, const struct error *error) {
        run->invalid++;
        run->file_invalid++;
        if (run->json) {
                CLEANUP(buffer_free) struct buffer output = {0};
                struct json_writer writer = {.buffer = &output};
                json_begin_object(&writer);
                json_member_boolean(&writer, "valid", false);
                json_member_text(&writer, "error", error->text);
                json_end_object(&writer);
                json_end(&writer);
                print_object(run, path, line, buffer_bytes(&output));
        } else if (line) {
                printf("%s:%zu: not JSON: %s\n", path, line, error->text);
        } else {
                printf("%s: not JSON: %s\n", path, error->text);
        }
}

static void print_failures(struct run *run, const char *path, size_t line, struct bytes text, const struct json *instance) {
        struct schema_failure *failures = NULL;
        size_t count = 0;
        struct schema_explain_options options = {.most = FAILURES_SHOWN, .values = run->options->given[CLI_VALUES]};
        IGNORE(schema_explain_with(run->schema, text, instance, &options, &run->arena, &failures, &count));     // is invalid
        for (size_t i = 0; i < count; i++)
                printf("%s:%zu:%zu: %s: %s: %s\n", path, line ? line : failures[i].position.line, failures[i].position.column,
                       failures[i].instance_path[0] ? failures[i].instance_path : "the document", failures[i].keyword,
                       failures[i].sentence);
}

// One instance. False: an error, not a verdict.
static bool validate(struct run *run, const char *path, size_t line, struct bytes text, struct error *error) {
        struct json_limits limits = {.bytes = SCHEMA_FILES_BYTES_MAX, .nodes = SCHEMA_FILES_BYTES_MAX};
        const struct json *instance = NULL;
        enum schema_verdict verdict;
        run->instances++;
        run->bytes += text.size;
        tell_progress(run, path);
        arena_reset_keeping(&run->arena, SCRATCH_KEPT);
        if (!schema_verdict_bytes(run->schema, text, &limits, &run->arena, &verdict, error)) {
                if (error->code == ERROR_LIMIT)
                        return error_wrap(error, "%s", path);
                not_json(run, path, line, error);
                return true;
        }
        if (verdict == SCHEMA_UNDECIDED)
                return error_set(error, ERROR_LIMIT, "%s: undecided, a limit of the validation was reached", path);
        run->invalid += verdict == SCHEMA_INVALID;
        run->file_invalid += verdict == SCHEMA_INVALID;
        if ((run->json || verdict == SCHEMA_INVALID) && !json_parse(text, &limits, &run->arena, &instance, error))
                return error_wrap(error, "%s", path);
        if (run->json) {
                CLEANUP(buffer_free) struct buffer output = {0};
                struct schema_output_options options = {.format = run->form, .values = run->options->given[CLI_VALUES],
                                                        .annotations = run->options->given[CLI_ANNOTATIONS]};
                IGNORE(schema_output(run->schema, text, instance, &options, &run->arena, &output));     // the same
                print_object(run, path, line, buffer_bytes(&output));
        } else if (verdict == SCHEMA_INVALID) {
                print_failures(run, path, line, text, instance);
        } else if (!line) {
                printf("%s: valid\n", path);
        }
        return true;
}

static bool validate_lines(struct run *run, const char *path, struct error *error) {
        bool standard = strcmp(path, "-") == 0, good = true;
        FILE *file = standard ? stdin : fopen(path, "re");
        CLEANUP(free_pointer) char *text = NULL;
        size_t capacity = 0, line = 0, instances = 0;
        if (!file)
                return error_set(error, ERROR_NOT_FOUND, "%s: %m", path);
        for (ssize_t size; good && (size = getline(&text, &capacity, file)) >= 0; ) {
                line++;
                while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
                        size--;
                if (size == 0)
                        continue;
                instances++;
                good = validate(run, path, line, (struct bytes){text, (size_t)size}, error);
        }
        if (good && ferror(file))
                good = error_set(error, ERROR_IO, "%s: cannot be read", path);
        if (!standard)
                fclose(file);
        if (good && !run->json)
                printf("%s: %zu instances, %ju invalid\n", path, instances, (uintmax_t)run->file_invalid);
        return good;
}

static bool validate_file(struct run *run, const char *path, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        run->file_invalid = 0;
        if (is_lines(run->options, path))
                return validate_lines(run, path, error);
        return schema_file_read(path, SCHEMA_FILES_BYTES_MAX, &text, error) && validate(run, path, 0, buffer_bytes(&text), error);
}

static int validate_all(struct run *run) {
        const struct cli_options *options = run->options;
        struct error error;
        bool good = true;
        for (size_t i = 1; good && i < options->argument_count; i++)
                good = validate_file(run, options->arguments[i], &error);
        if (run->progress && run->told)
                fputc('\n', stderr);
        arena_free(&run->arena);
        if (!good)
                return cli_fail(options, &error);
        if (run->array)
                puts(run->any ? "]" : "[]");
        return run->invalid ? error_exit_status(ERROR_REJECTED) : 0;
}

static int bench(const struct cli_options *options, const struct schema *schema) {
        CLEANUP(schema_bench_free) struct schema_bench bench = {.schema = schema};
        struct error error;
        for (size_t i = 1; i < options->argument_count; i++)
                if (!schema_bench_add(&bench, options->arguments[i], is_lines(options, options->arguments[i]), &error))
                        return cli_fail(options, &error);
        if (!schema_bench_run(&bench, options->given[CLI_JSON], &error))
                return cli_fail(options, &error);
        return 0;
}

static bool choose_form(struct run *run) {
        static const struct { const char *name; enum schema_output_format form; } forms[] = {
                {"flag", SCHEMA_OUTPUT_FLAG}, {"basic", SCHEMA_OUTPUT_BASIC}, {"detailed", SCHEMA_OUTPUT_DETAILED},
        };
        const char *name = run->options->value[CLI_FORM];
        run->array = run->options->given[CLI_JSON];
        run->json = run->array || name;
        run->form = SCHEMA_OUTPUT_BASIC;
        for (size_t i = 0; name && i < ARRAY_SIZE(forms); i++) {
                if (strcmp(forms[i].name, name) == 0) {
                        run->form = forms[i].form;
                        return true;
                }
        }
        if (name)
                fprintf(stderr, "commute schema validate: --output is flag, basic or detailed, not \"%s\"\n", name);
        return !name;
}

int cli_schema_validate(const struct cli_options *options) {
        CLEANUP(schema_files_free) struct schema_files files = {0};
        struct schema *schema = NULL;
        struct error error;
        struct run run = {.options = options, .progress = isatty(STDERR_FILENO)};
        if (!choose_form(&run))
                return CLI_USAGE;
        if (!schema_files_open(&files, options->arguments[0], options->value[CLI_WITH], options->given[CLI_FORMAT_ASSERTION], &error) ||
            !schema_files_compile(&files, &schema, &error))
                return cli_fail(options, &error);
        run.schema = schema;
        int status = options->given[CLI_BENCHMARK] ? bench(options, schema) : validate_all(&run);
        schema_free(schema);
        return status;
}
