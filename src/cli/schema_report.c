// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_report.h"

#include <stdio.h>

#include "cli/schema_problem.h"
#include "json/writer.h"

enum { FAILURES_SHOWN = 20 };

void schema_report_begin(struct schema_report *report, const struct cli_options *options) {
        static const struct { const char *name; enum schema_output_format form; } forms[] = {
                {"flag", SCHEMA_OUTPUT_FLAG}, {"basic", SCHEMA_OUTPUT_BASIC}, {"detailed", SCHEMA_OUTPUT_DETAILED},
        };
        const char *name = options->value[CLI_FORM];
        bool array = options->given[CLI_JSON];
        *report = (struct schema_report){.options = options, .array = array, .form = SCHEMA_OUTPUT_BASIC,
                                         .json = array || name || options->given[CLI_ANNOTATIONS]};
        for (size_t i = 0; name && i < ARRAY_SIZE(forms); i++)
                if (strcmp(forms[i].name, name) == 0)
                        report->form = forms[i].form;
}

static void note(struct schema_report *report, enum error_code code) {
        report->status = MAX(report->status, error_exit_status(code));
}

static void print_place(const struct schema_input *input) {
        cli_print_visible(stdout, input->path);
        if (input->line)
                printf(":%zu", input->line);
}

// {"file":…,"fileLine":…, then the members of the object.
static void print_object(struct schema_report *report, const char *path, size_t line, struct bytes object) {
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_print(&text, "%s{\"file\":", report->array ? report->any ? "," : "[" : "");
        json_quote(&text, bytes_of(path));
        if (line)
                buffer_print(&text, ",\"fileLine\":%zu", line);
        buffer_append_byte(&text, ',');
        buffer_append(&text, (struct bytes){object.data + 1, object.size - 1});
        report->any = true;
        cli_print(buffer_bytes(&text));
}

static void print_error(struct schema_report *report, const char *path, size_t line, bool refused, const struct error *error) {
        CLEANUP(buffer_free) struct buffer object = {0};
        struct json_writer writer = {.buffer = &object};
        struct schema_place place;
        json_begin_object(&writer);
        json_key(&writer, "valid");
        if (refused)
                json_boolean(&writer, false);
        else
                json_null(&writer);
        if (!schema_place_parse(error->text, 0, &place))
                place = (struct schema_place){.sentence = schema_file_error(path, error)};
        json_key(&writer, "error");
        json_string_print(&writer, "%s%s", refused ? "not JSON: " : "", place.sentence);
        json_member_text(&writer, "code", error_name(error->code));
        schema_place_write(&writer, &place);
        json_end_object(&writer);
        json_end(&writer);
        print_object(report, path, line, buffer_bytes(&object));
}

static void print_failures(const struct schema_report *report, const struct schema_input *input, const struct schema *schema,
                           struct arena *arena) {
        struct schema_failure *failures = NULL;
        size_t count = 0;
        struct schema_explain_options options = {.most = FAILURES_SHOWN + 1, .values = report->options->given[CLI_VALUES]};
        IGNORE(schema_explain_with(schema, input->text, input->instance, &options, arena, &failures, &count));  // is invalid
        for (size_t i = 0; i < MIN(count, (size_t)FAILURES_SHOWN); i++) {
                cli_print_line(stdout, "%s:%zu:%zu: %s: %s: %s", input->path, input->line ? input->line : failures[i].position.line,
                               failures[i].position.column, failures[i].instance_path[0] ? failures[i].instance_path : "the document",
                               failures[i].keyword, failures[i].sentence);
        }
        if (count == 0 || count > FAILURES_SHOWN) {
                print_place(input);
                puts(count ? ": and more, which --output basic tells" : ": invalid");
        }
}

void schema_report_verdict(struct schema_report *report, const struct schema_input *input, const struct schema *schema,
                           enum schema_verdict verdict, struct arena *arena) {
        if (verdict == SCHEMA_INVALID)
                note(report, ERROR_REJECTED);
        if (report->json) {
                CLEANUP(buffer_free) struct buffer output = {0};
                struct schema_output_options options = {.format = report->form, .values = report->options->given[CLI_VALUES],
                                                        .annotations = report->options->given[CLI_ANNOTATIONS]};
                if (schema_output(schema, input->text, input->instance, &options, arena, &output) == SCHEMA_UNDECIDED)
                        buffer_print(&output, "{\"valid\":%s,\"truncated\":true}", verdict == SCHEMA_VALID ? "true" : "false");
                print_object(report, input->path, input->line, buffer_bytes(&output));
        } else if (verdict == SCHEMA_INVALID) {
                print_failures(report, input, schema, arena);
        } else if (!input->line) {
                cli_print_line(stdout, "%s: valid", input->path);
        }
}

// What could be done about it, or "".
static const char *advice(const struct schema_report *report, const struct schema_input *input, const char *sentence) {
        if (!input->line && strcmp(sentence, "expected nothing more behind the document") == 0)
                return "; with --lines each line is a document";
        if (!report->options->given[CLI_MAX_DEPTH] && strcmp(sentence, "too many arrays and objects within each other") == 0)
                return "; --max-depth allows more";
        return "";
}

void schema_report_undecided(struct schema_report *report, const struct schema_input *input, const struct error *error) {
        bool refused = error->code == ERROR_INVALID;
        const char *what = refused ? "not JSON" : "not decided";
        struct schema_place place;
        note(report, error->code);
        if (report->json) {
                print_error(report, input->path, input->line, refused, error);
        } else if (schema_place_parse(error->text, 0, &place)) {
                cli_print_line(stdout, "%s:%zu:%zu: %s: %s%s", input->path, input->line ? input->line : place.line, place.column, what,
                               place.sentence, advice(report, input, place.sentence));
        } else {
                print_place(input);
                printf(": %s: %s\n", what, schema_file_error(input->path, error));
        }
}

void schema_report_unread(struct schema_report *report, const char *path, const struct error *error) {
        note(report, error->code);
        if (report->json)
                print_error(report, path, 0, false, error);
        else
                cli_print_line(stderr, "commute: %s%s%s", path, path[0] ? ": " : "", schema_file_error(path, error));
}

void schema_report_schema(struct schema_report *report, struct schema_files *files, const struct error *error) {
        CLEANUP(buffer_free) struct buffer object = {0};
        struct json_writer writer = {.buffer = &object};
        struct schema_problem problem;
        note(report, error->code);
        schema_problem_find(files, error, &problem);
        if (!report->json) {
                schema_problem_print(&problem);
                return;
        }
        json_begin_object(&writer);
        json_key(&writer, "valid");
        json_null(&writer);
        schema_problem_write(&writer, files->path, &problem);
        json_end_object(&writer);
        json_end(&writer);
        print_object(report, files->path, 0, buffer_bytes(&object));
}

void schema_report_end(struct schema_report *report) {
        if (report->array)
                puts(report->any ? "]" : "[]");
}
