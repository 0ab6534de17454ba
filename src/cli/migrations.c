// SPDX-License-Identifier: Apache-2.0
// plan, migrate, advance, pause, rollback and cancel: one call to the control API each (api/migrate_rest.h), whose JSON
// answer is printed: as it came with --json, indented without.
#include "cli/cli_priv.h"

#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "json/writer.h"

static int needs_to(const struct cli_options *options) {
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "say where to: --to sync, pull, push or async, not \"%s\"",
                         options->given[CLI_TO] ? options->value[CLI_TO] : ""));                        // always false
        return cli_fail(options, &error);
}

int cli_plan(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!client_is_name(name))
                return client_refuse_name(options, name);
        if (!options->given[CLI_TO] || !client_is_name(options->value[CLI_TO]))
                return needs_to(options);
        return client_call(options, "GET", arena_print(&arena, "/plan/%s?to=%s", name, options->value[CLI_TO]), (struct bytes){0}, NULL);
}

int cli_migrate(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!client_is_name(name))
                return client_refuse_name(options, name);
        if (!options->given[CLI_TO] || !client_is_name(options->value[CLI_TO]))
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
        return client_call(options, "POST", arena_print(&arena, "/migrations/%s", name), buffer_bytes(&body), NULL);
}

static int command(const struct cli_options *options, const char *verb) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!client_is_name(name))
                return client_refuse_name(options, name);
        return client_call(options, "POST", arena_print(&arena, "/migrations/%s/%s", name, verb), (struct bytes){0}, NULL);
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
