// SPDX-License-Identifier: Apache-2.0
// plan, migrate, advance, pause, rollback, cancel and status: one call to the control API each (api/migrate_rest.h), whose JSON
// answer is printed: as it came with --json, indented without.
#include "cli/cli_priv.h"

#include <stdio.h>
#include <string.h>

#include "cli/control.h"
#include "json/writer.h"

static int call(const struct cli_options *options, const char *method, const char *target, struct bytes body) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct control CLEANUP(control_closep) *control = NULL;
        struct buffer CLEANUP(buffer_free) text = {0};
        const struct json *answer;
        struct error error;
        if (!control_open(options, &control, &error) ||
            !control_call(control, method, target, body, &arena, &answer, &error))
                return cli_fail(options, &error);
        if (options->given[CLI_JSON])
                json_write(&text, answer);
        else
                json_write_pretty(&text, answer);
        cli_print(buffer_bytes(&text));
        return 0;
}

// A name is one path segment: what is no name of a communication is refused here, and needs no encoding.
static bool is_name(const char *text) {
        size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
        return size && !text[size];
}

static int refuse_name(const struct cli_options *options, const char *name) {
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "\"%s\" is no name of a communication", name));        // always false
        return cli_fail(options, &error);
}

static int needs_to(const struct cli_options *options) {
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "say where to: --to sync, pull, push or async, not \"%s\"",
                         options->given[CLI_TO] ? options->value[CLI_TO] : ""));                        // always false
        return cli_fail(options, &error);
}

int cli_plan(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!is_name(name))
                return refuse_name(options, name);
        if (!options->given[CLI_TO] || !is_name(options->value[CLI_TO]))
                return needs_to(options);
        return call(options, "GET", arena_print(&arena, "/plan/%s?to=%s", name, options->value[CLI_TO]), (struct bytes){0});
}

int cli_migrate(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!is_name(name))
                return refuse_name(options, name);
        if (!options->given[CLI_TO] || !is_name(options->value[CLI_TO]))
                return needs_to(options);
        if (options->given[CLI_AUTO] && options->given[CLI_STEP]) {
                fputs("commute migrate: --auto and --step contradict each other\n", stderr);
                return CLI_USAGE;
        }
        struct buffer CLEANUP(buffer_free) body = {0};
        struct json_writer writer = {.buffer = &body};
        json_begin_object(&writer);
        json_member_text(&writer, "to", options->value[CLI_TO]);
        json_member_boolean(&writer, "auto", options->given[CLI_AUTO]);
        json_end_object(&writer);
        json_end(&writer);
        return call(options, "POST", arena_print(&arena, "/migrations/%s", name), buffer_bytes(&body));
}

static int command(const struct cli_options *options, const char *verb) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!is_name(name))
                return refuse_name(options, name);
        return call(options, "POST", arena_print(&arena, "/migrations/%s/%s", name, verb), (struct bytes){0});
}

int cli_advance(const struct cli_options *options) {
        return command(options, "advance");
}

int cli_pause(const struct cli_options *options) {
        return command(options, "pause");
}

int cli_rollback(const struct cli_options *options) {
        return command(options, "rollback");
}

int cli_cancel(const struct cli_options *options) {
        return command(options, "cancel");
}

int cli_status(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        if (options->argument_count && !is_name(options->arguments[0]))
                return refuse_name(options, options->arguments[0]);
        const char *target = options->argument_count ? arena_print(&arena, "/status/%s", options->arguments[0]) : "/status";
        return call(options, "GET", target, (struct bytes){0});
}
