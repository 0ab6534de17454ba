// SPDX-License-Identifier: Apache-2.0
// `commute schema check`, `lint` and `bundle`, offline.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/schema_files.h"
#include "json/writer.h"
#include "schema/bundle.h"
#include "schema/lint.h"

static bool open_files(const struct cli_options *options, const char *path, struct schema_files *files, struct error *error) {
        return schema_files_open(files, path, options->value[CLI_WITH], options->given[CLI_FORMAT_ASSERTION], error);
}

int cli_schema_check(const struct cli_options *options) {
        for (size_t i = 0; i < options->argument_count; i++) {
                CLEANUP(schema_files_free) struct schema_files files = {0};
                struct schema *schema = NULL;
                struct error error;
                if (!open_files(options, options->arguments[i], &files, &error) || !schema_files_compile(&files, &schema, &error))
                        return cli_fail(options, &error);
                schema_free(schema);
                if (!options->given[CLI_JSON])
                        printf("%s: compiles\n", options->arguments[i]);
        }
        if (options->given[CLI_JSON])
                puts("{\"compiles\":true}");
        return 0;
}

static void print_finding(const struct cli_options *options, struct json_writer *writer, const char *path,
                          const struct schema_finding *finding) {
        if (!options->given[CLI_JSON]) {
                printf("%s:%zu:%zu: %s: %s: %s\n", path, finding->position.line, finding->position.column,
                       finding->path[0] ? finding->path : "the document", finding->rule, finding->sentence);
                return;
        }
        json_begin_object(writer);
        json_member_text(writer, "file", path);
        json_member_text(writer, "rule", finding->rule);
        json_member_text(writer, "keywordLocation", finding->path);
        json_member_u64(writer, "line", finding->position.line);
        json_member_u64(writer, "column", finding->position.column);
        json_member_text(writer, "message", finding->sentence);
        json_end_object(writer);
}

static bool lint(const struct cli_options *options, const char *path, struct json_writer *writer, size_t *found, struct error *error) {
        CLEANUP(schema_files_free) struct schema_files files = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct schema_finding *findings;
        size_t count;
        if (!open_files(options, path, &files, error))
                return false;
        if (!schema_lint(files.source, &files.options, &arena, &findings, &count, error))
                return error_wrap(error, "%s", path);
        for (size_t i = 0; i < count; i++)
                print_finding(options, writer, path, &findings[i]);
        *found += count;
        return true;
}

int cli_schema_lint(const struct cli_options *options) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        struct error error;
        size_t found = 0;
        json_begin_array(&writer);
        for (size_t i = 0; i < options->argument_count; i++)
                if (!lint(options, options->arguments[i], &writer, &found, &error))
                        return cli_fail(options, &error);
        json_end_array(&writer);
        json_end(&writer);
        if (options->given[CLI_JSON])
                cli_print(buffer_bytes(&text));
        return found ? error_exit_status(ERROR_REJECTED) : 0;
}

static bool write_to(const char *path, struct bytes text, struct error *error) {
        FILE *file = fopen(path, "we");
        if (!file)
                return error_set(error, ERROR_IO, "%s: %m", path);
        bool written = fwrite(text.data, 1, text.size, file) == text.size;
        return (fclose(file) == 0 && written) || error_set(error, ERROR_IO, "%s: cannot be written", path);
}

int cli_schema_bundle(const struct cli_options *options) {
        CLEANUP(schema_files_free) struct schema_files files = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        struct error error;
        if (!open_files(options, options->arguments[0], &files, &error))
                return cli_fail(options, &error);
        if (!schema_bundle(files.source, &files.options, &text, &error)) {
                IGNORE(error_wrap(&error, "%s", options->arguments[0]));        // always false
                return cli_fail(options, &error);
        }
        if (text.size && text.data[text.size - 1] != '\n')
                buffer_append_byte(&text, '\n');
        if (!options->value[CLI_OUTPUT])
                cli_print(buffer_bytes(&text));
        else if (!write_to(options->value[CLI_OUTPUT], buffer_bytes(&text), &error))
                return cli_fail(options, &error);
        return 0;
}
