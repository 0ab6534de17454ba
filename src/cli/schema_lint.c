// SPDX-License-Identifier: Apache-2.0
// `commute schema check`, `lint` and `bundle`, offline.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/schema_files.h"
#include "cli/schema_problem.h"
#include "json/writer.h"
#include "schema/bundle.h"
#include "schema/lint.h"

// What check and lint say of several schemas: in an array with --json, to the end in any case.
struct said {
        const struct cli_options *options;
        struct schema_files files;              // of one schema after the other
        struct json_writer writer;
        int status;                             // the greatest
};

// A schema that does not compile, or cannot be read: with --json members of the object that the caller has begun.
static void say_error(struct said *said, const char *path, const struct error *error) {
        struct schema_problem problem;
        schema_problem_find(&said->files, error, &problem);
        said->status = MAX(said->status, error_exit_status(error->code));
        if (said->options->given[CLI_JSON])
                schema_problem_write(&said->writer, path, &problem);
        else
                schema_problem_print(&problem);
}

static void check(struct said *said, const char *path) {
        struct schema *schema = NULL;
        struct error error;
        bool good = schema_files_open(&said->files, path, said->options, &error) &&
                    schema_files_compile(&said->files, &schema, &error);
        schema_free(schema);
        json_begin_object(&said->writer);
        json_member_text(&said->writer, "file", path);
        json_member_boolean(&said->writer, "compiles", good);
        if (!good)
                say_error(said, path, &error);
        else if (!said->options->given[CLI_JSON])
                cli_print_line(stdout, "%s: compiles", path);
        json_end_object(&said->writer);
}

static void say_finding(struct said *said, const char *path, const struct schema_finding *finding) {
        struct json_writer *writer = &said->writer;
        said->status = MAX(said->status, error_exit_status(ERROR_REJECTED));
        if (!said->options->given[CLI_JSON])
                cli_print_line(stdout, "%s:%zu:%zu: %s: %s: %s", path, finding->position.line, finding->position.column,
                               finding->path[0] ? finding->path : "the document", finding->rule, finding->sentence);
        json_begin_object(writer);
        json_member_text(writer, "file", path);
        json_member_text(writer, "rule", finding->rule);
        json_member_text(writer, "keywordLocation", finding->path);
        json_member_u64(writer, "line", finding->position.line);
        json_member_u64(writer, "column", finding->position.column);
        json_member_text(writer, "message", finding->sentence);
        json_end_object(writer);
}

static void lint(struct said *said, const char *path) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct schema_finding *findings;
        struct error error;
        size_t count = 0;
        if (!schema_files_open(&said->files, path, said->options, &error) ||
            !schema_lint(said->files.source, &said->files.options, &arena, &findings, &count, &error)) {
                json_begin_object(&said->writer);
                json_member_text(&said->writer, "file", path);
                say_error(said, path, &error);
                json_end_object(&said->writer);
                return;
        }
        for (size_t i = 0; i < count; i++)
                say_finding(said, path, &findings[i]);
}

static int say_all(const struct cli_options *options, void (*say)(struct said *said, const char *path)) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct said said = {.options = options, .writer = {.buffer = &text}};
        if (schema_names_input_twice(options))
                return CLI_USAGE;
        json_begin_array(&said.writer);
        for (size_t i = 0; i < options->argument_count; i++)
                say(&said, options->arguments[i]);
        json_end_array(&said.writer);
        json_end(&said.writer);
        if (options->given[CLI_JSON])
                cli_print(buffer_bytes(&text));
        schema_files_free(&said.files);
        return said.status;
}

int cli_schema_check(const struct cli_options *options) {
        return say_all(options, check);
}

int cli_schema_lint(const struct cli_options *options) {
        return say_all(options, lint);
}

static bool write_to(const char *path, struct bytes text, struct error *error) {
        FILE *file = fopen(path, "we");
        if (!file)
                return error_set(error, ERROR_IO, "%s: cannot be written: %m", path);
        bool written = fwrite(text.data, 1, text.size, file) == text.size;
        return (fclose(file) == 0 && written) || error_set(error, ERROR_IO, "%s: cannot be written: %m", path);
}

int cli_schema_bundle(const struct cli_options *options) {
        CLEANUP(schema_files_free) struct schema_files files = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        struct error error;
        if (!schema_files_open(&files, options->arguments[0], options, &error) ||
            !schema_bundle(files.source, &files.options, &text, &error))
                return schema_problem_fail(options, &files, &error);
        if (text.size && text.data[text.size - 1] != '\n')
                buffer_append_byte(&text, '\n');
        if (!options->value[CLI_OUTPUT] || strcmp(options->value[CLI_OUTPUT], "-") == 0)
                cli_print(buffer_bytes(&text));
        else if (!write_to(options->value[CLI_OUTPUT], buffer_bytes(&text), &error))
                return cli_fail(options, &error);
        return 0;
}
