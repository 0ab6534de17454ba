// SPDX-License-Identifier: Apache-2.0
// `commute check`: the configuration, offline. Nothing is started and nothing is written.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "json/writer.h"
#include "model/model.h"

static void print_problems(const char *path, const struct model_problems *problems) {
        for (size_t i = 0; i < problems->count; i++) {
                const struct model_problem *problem = &problems->list[i];
                if (problem->line)
                        fprintf(stderr, "%s:%u:%u: %s%s%s\n", path, problem->line, problem->column, problem->place,
                                *problem->place ? ": " : "", problem->sentence);
                else
                        fprintf(stderr, "%s: %s\n", path, problem->sentence);
        }
        if (problems->omitted)
                fprintf(stderr, "commute: and %zu more\n", problems->omitted);
}

static void write_problems(struct json_writer *writer, const char *path, const struct model_problems *problems,
                           const struct error *error) {
        json_begin_object(writer);
        json_member_text(writer, "error", error_name(error->code));
        json_member_text(writer, "message", error->text);
        json_member_text(writer, "file", path);
        json_key(writer, "problems");
        json_begin_array(writer);
        for (size_t i = 0; i < problems->count; i++) {
                json_begin_object(writer);
                json_member_u64(writer, "line", problems->list[i].line);
                json_member_u64(writer, "column", problems->list[i].column);
                json_member_text(writer, "place", problems->list[i].place);
                json_member_text(writer, "message", problems->list[i].sentence);
                json_end_object(writer);
        }
        json_end_array(writer);
        json_member_u64(writer, "omitted", problems->omitted);
        json_end_object(writer);
        json_end(writer);
}

static int failed(const struct cli_options *options, const char *path, const struct model_problems *problems,
                  const struct error *error) {
        if (!problems->count)                   // the file could not be read at all
                return cli_fail(options, error);
        if (!options->given[CLI_JSON]) {
                print_problems(path, problems);
                return error_exit_status(error->code);
        }
        struct buffer CLEANUP(buffer_free) text = {0};
        struct json_writer writer = {.buffer = &text};
        write_problems(&writer, path, problems, error);
        cli_print(buffer_bytes(&text));
        return error_exit_status(error->code);
}

int cli_check(const struct cli_options *options) {
        const char *path = options->given[CLI_CONFIG] ? options->value[CLI_CONFIG] : "commute.yaml";
        struct model_problems CLEANUP(model_problems_free) problems = {0};
        const struct model CLEANUP(model_unrefp) *model = NULL;
        struct error error;
        if (options->given[CLI_PRINT_SCHEMA]) {
                cli_print(model_schema());
                return 0;
        }
        if (!model_load(path, &model, &problems, &error))
                return failed(options, path, &problems, &error);
        if (!options->given[CLI_JSON]) {
                printf("%s: %zu services, %zu events, %zu communications; nothing is wrong\n", path, model->service_count,
                       model->event_count, model->communication_count);
                return 0;
        }
        struct buffer CLEANUP(buffer_free) text = {0};
        struct json_writer writer = {.buffer = &text};
        json_begin_object(&writer);
        json_member_text(&writer, "file", path);
        json_member_text(&writer, "hash", model->hash_text);
        json_key(&writer, "configuration");
        json_raw(&writer, model->canonical);
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
        return 0;
}
