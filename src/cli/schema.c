// SPDX-License-Identifier: Apache-2.0
// `commute schema validate SCHEMA FILE…`, offline. Exit status: 0 all are valid; 65 one is not, or is not JSON; the first other
// error's own, which ends the run.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "json/writer.h"
#include "schema/schema.h"

enum { FAILURES_SHOWN = 20 };

static bool read_file(const char *path, struct buffer *text, struct error *error) {
        bool standard = path[0] == '-' && !path[1];
        FILE *file = standard ? stdin : fopen(path, "re");
        if (!file)
                return error_set(error, ERROR_NOT_FOUND, "%s: %m", path);
        enum { STEP = 64 * 1024 };
        size_t got;
        do {
                got = fread(buffer_reserve(text, STEP), 1, STEP, file);
                text->size += got;
        } while (got == STEP && text->size <= JSON_BYTES_DEFAULT);
        bool failed = ferror(file);
        if (!standard)
                fclose(file);
        return !failed || error_set(error, ERROR_IO, "%s: cannot be read", path);
}

// The "basic" output of JSON Schema 2020-12, 12.4.2, with the file beside it.
static void write_basic(struct json_writer *writer, const char *path, bool valid, const struct schema_failure *failures,
                        size_t count) {
        json_begin_object(writer);
        json_member_text(writer, "file", path);
        json_member_boolean(writer, "valid", valid);
        if (!valid) {
                json_key(writer, "errors");
                json_begin_array(writer);
                for (size_t i = 0; i < count; i++) {
                        json_begin_object(writer);
                        json_member_text(writer, "keywordLocation", failures[i].keyword_path);
                        json_member_text(writer, "instanceLocation", failures[i].instance_path);
                        json_member_text(writer, "error", failures[i].sentence);
                        json_member_u64(writer, "line", failures[i].position.line);
                        json_member_u64(writer, "column", failures[i].position.column);
                        json_end_object(writer);
                }
                json_end_array(writer);
        }
        json_end_object(writer);
}

static void print_failures(const char *path, bool valid, const struct schema_failure *failures, size_t count) {
        if (valid)
                printf("%s: valid\n", path);
        for (size_t i = 0; i < count; i++)
                printf("%s:%zu:%zu: %s: %s: %s\n", path, failures[i].position.line, failures[i].position.column,
                       failures[i].instance_path[0] ? failures[i].instance_path : "the document", failures[i].keyword,
                       failures[i].sentence);
}

// One file. False: an error, not a verdict.
static bool validate(const struct schema *schema, const char *path, struct json_writer *writer, bool *all_valid,
                     struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct buffer CLEANUP(buffer_free) text = {0};
        const struct json *instance;
        struct schema_failure *failures = NULL;
        size_t count = 0;
        if (!read_file(path, &text, error))
                return false;
        if (!json_parse(buffer_bytes(&text), NULL, &arena, &instance, error))
                return error_wrap(error, "%s", path);
        enum schema_verdict verdict = schema_explain(schema, buffer_bytes(&text), instance, &arena, FAILURES_SHOWN, &failures,
                                                     &count);
        if (verdict == SCHEMA_UNDECIDED)
                return error_set(error, ERROR_LIMIT, "%s: undecided, a limit of the validation was reached", path);
        *all_valid &= verdict == SCHEMA_VALID;
        if (writer)
                write_basic(writer, path, verdict == SCHEMA_VALID, failures, count);
        else
                print_failures(path, verdict == SCHEMA_VALID, failures, count);
        return true;
}

static int validate_all(const struct cli_options *options, const struct schema *schema) {
        struct buffer CLEANUP(buffer_free) text = {0};
        struct json_writer writer = {.buffer = &text};
        bool json = options->given[CLI_JSON], all_valid = true;
        struct error error;
        if (json)
                json_begin_array(&writer);
        for (size_t i = 1; i < options->argument_count; i++)
                if (!validate(schema, options->arguments[i], json ? &writer : NULL, &all_valid, &error))
                        return cli_fail(options, &error);
        if (json) {
                json_end_array(&writer);
                json_end(&writer);
                cli_print(buffer_bytes(&text));
        }
        return all_valid ? 0 : error_exit_status(ERROR_REJECTED);
}

int cli_schema_validate(const struct cli_options *options) {
        struct buffer CLEANUP(buffer_free) source = {0};
        struct schema *schema = NULL;
        struct error error;
        if (!read_file(options->arguments[0], &source, &error))
                return cli_fail(options, &error);
        if (!schema_compile(buffer_bytes(&source), NULL, &schema, &error)) {
                IGNORE(error_wrap(&error, "%s", options->arguments[0]));        // always false
                return cli_fail(options, &error);
        }
        int status = validate_all(options, schema);
        schema_free(schema);
        return status;
}
