// SPDX-License-Identifier: Apache-2.0
// plan, migrate, advance, pause, rollback and cancel: one call to the control API each (api/migrate_rest.h). The answer is printed
// as it came with --json, else as a list (migrate_show.h). `migrate --auto` without --json follows the migration to its end, through
// restarts of commute; it runs in commute: who stops looking stops nothing.
#include "cli/cli_priv.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/migrate_show.h"
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
                return client_refuse_name(options, "a communication or an event", name);
        if (!options->given[CLI_TO] || !client_is_name(options->value[CLI_TO]))
                return needs_to(options);
        return client_call(options, "GET", arena_print(&arena, "/plan/%s?to=%s", name, options->value[CLI_TO]),
                           (struct bytes){0}, migrate_show_plan);
}

// ---- following ----

enum { FOLLOW_MS = 200, FOLLOW_AWAY_MS = 60000 };       // between two looks; how long commute may be away

struct follow {
        const char *target;
        size_t shown;                   // entries of the history
        unsigned away_ms;
        bool over;
        int status;                     // once over
};

// One look. While commute does not answer (it is being started again), it is looked for anew.
static void look(const struct cli_options *options, struct follow *follow) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct control CLEANUP(control_closep) *control = NULL;
        const struct json *migration;
        struct error error;
        if (!control_open(options, &control, &error) ||
            !control_call(control, "GET", follow->target, (struct bytes){0}, &arena, &migration, &error)) {
                follow->away_ms += FOLLOW_MS;
                follow->over = follow->away_ms >= FOLLOW_AWAY_MS || !error_retriable(error.code);
                if (follow->over)
                        follow->status = cli_fail(options, &error);
                return;
        }
        follow->away_ms = 0;
        follow->shown = migrate_show_changes(migration, follow->shown);
        struct bytes status = client_text(migration, "status");
        bool done = bytes_equal(status, BYTES("done"));
        follow->over = done || bytes_equal(status, BYTES("cancelled")) || bytes_equal(status, BYTES("paused"));
        if (!follow->over)
                migrate_show_waiting(migration);
        else
                follow->status = done ? 0 : error_exit_status(ERROR_CONFLICT);
        if (follow->over)
                migrate_show(migration);
}

static int follow_to_the_end(const struct cli_options *options, const char *name, struct bytes body) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct follow follow = {.target = arena_print(&arena, "/migrations/%s", name)};
        struct control CLEANUP(control_closep) *control = NULL;
        const struct json *migration;
        struct error error;
        if (!control_open(options, &control, &error) ||
            !control_call(control, "POST", follow.target, body, &arena, &migration, &error))
                return cli_fail(options, &error);
        printf("%s: begun; interrupting this command does not stop it, `commute pause %s` does\n", name, name);
        follow.shown = migrate_show_changes(migration, 0);
        for (look(options, &follow); !follow.over; look(options, &follow))
                usleep(FOLLOW_MS * 1000);
        return follow.status;
}

static int begin(const struct cli_options *options, const char *command) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (options->given[CLI_AUTO] && options->given[CLI_STEP]) {
                fprintf(stderr, "commute %s: --auto and --step contradict each other\n", command);
                return CLI_USAGE;
        }
        struct buffer CLEANUP(buffer_free) body = {0};
        struct json_writer writer = {.buffer = &body};
        json_begin_object(&writer);
        json_member_text(&writer, "to", options->value[CLI_TO]);
        json_member_boolean(&writer, "auto", options->given[CLI_AUTO]);
        json_end_object(&writer);
        json_end(&writer);
        if (options->given[CLI_AUTO] && !options->given[CLI_JSON])
                return follow_to_the_end(options, name, buffer_bytes(&body));
        return client_call(options, "POST", arena_print(&arena, "/migrations/%s", name), buffer_bytes(&body), migrate_show);
}

int cli_migrate(const struct cli_options *options) {
        if (!client_is_name(options->arguments[0]))
                return client_refuse_name(options, "a communication", options->arguments[0]);
        if (!options->given[CLI_TO] || !client_is_name(options->value[CLI_TO]))
                return needs_to(options);
        return begin(options, "migrate");
}

int cli_evolve(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        struct error error;
        uint64_t version;
        if (options->argument_count == 1 && strcmp(name, "status") == 0)
                return client_call(options, "GET", "/evolve", (struct bytes){0}, migrate_show_events);
        if (!client_is_name(name))
                return client_refuse_name(options, "an event", name);
        if (options->argument_count == 2 && strcmp(options->arguments[1], "status") == 0)
                return client_call(options, "GET", arena_print(&arena, "/evolve/%s", name), (struct bytes){0}, migrate_show_event);
        if (options->argument_count == 2) {
                fprintf(stderr, "commute evolve: expected status behind %s, got \"%s\"\n", name, options->arguments[1]);
                return CLI_USAGE;
        }
        if (options->given[CLI_TO] && bytes_to_u64(bytes_of(options->value[CLI_TO]), &version))
                return begin(options, "evolve");
        IGNORE(error_set(&error, ERROR_INVALID, "say which version: --to N, not \"%s\"",
                         options->given[CLI_TO] ? options->value[CLI_TO] : ""));                        // always false
        return cli_fail(options, &error);
}

static int command(const struct cli_options *options, const char *verb) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->arguments[0];
        if (!client_is_name(name))
                return client_refuse_name(options, "a communication or an event", name);
        return client_call(options, "POST", arena_print(&arena, "/migrations/%s/%s", name, verb), (struct bytes){0}, migrate_show);
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
