// SPDX-License-Identifier: Apache-2.0
// `commute privacy …`: erasures of a running commute.
#include "cli/cli_priv.h"

#include <stdio.h>
#include <time.h>

#include "cli/client.h"
#include "json/writer.h"

enum { POLL_MS = 200 };

static void print_state(const struct json *state) {
        if (!json_is(state, JSON_OBJECT)) {
                puts("There never was an erasure.");
                return;
        }
        printf("%.*s, %.*s: position %llu of %llu; %llu bodies converted, %llu records emptied, %llu kept%s%.*s\n",
               BYTES_PRINT(client_text(state, "status")), BYTES_PRINT(client_text(state, "phase")),
               (unsigned long long)client_number(state, "position"), (unsigned long long)client_number(state, "up_to"),
               (unsigned long long)client_number(state, "converted"), (unsigned long long)client_number(state, "emptied"),
               (unsigned long long)client_number(state, "kept"), client_text(state, "reason").size ? "; " : "",
               BYTES_PRINT(client_text(state, "reason")));
        fflush(stdout);
}

int cli_privacy_status(const struct cli_options *options) {
        return client_call(options, "GET", "/privacy/erase", (struct bytes){0}, print_state);
}

static void write_order(const struct cli_options *options, struct buffer *body) {
        struct json_writer writer = {.buffer = body};
        json_begin_object(&writer);
        json_key(&writer, "events");
        json_begin_array(&writer);
        for (size_t i = 0; i < options->argument_count; i++)
                json_string_text(&writer, options->arguments[i]);
        json_end_array(&writer);
        json_end_object(&writer);
        json_end(&writer);
}

// Prints a line for each change until the job has ended.
static int follow(struct control *control, const struct cli_options *options) {
        struct buffer CLEANUP(buffer_free) last = {0};
        for (;;) {
                struct arena CLEANUP(arena_free) arena = {0};
                const struct json *state;
                struct error error;
                if (!control_call(control, "GET", "/privacy/erase", (struct bytes){0}, &arena, &state, &error))
                        return cli_fail(options, &error);
                struct buffer CLEANUP(buffer_free) now = {0};
                json_write(&now, state);
                if (!bytes_equal(buffer_bytes(&now), buffer_bytes(&last)))
                        print_state(state);
                buffer_clear(&last);
                buffer_append(&last, buffer_bytes(&now));
                struct bytes status = client_text(state, "status");
                if (!bytes_equal(status, BYTES("running")))
                        return bytes_equal(status, BYTES("done")) ? 0 : error_exit_status(ERROR_CONFLICT);
                nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
        }
}

int cli_privacy_erase(const struct cli_options *options) {
        struct buffer CLEANUP(buffer_free) body = {0};
        struct control CLEANUP(control_closep) *control = NULL;
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *answer;
        struct error error;
        write_order(options, &body);
        if (options->given[CLI_JSON])
                return client_call(options, "POST", "/privacy/erase", buffer_bytes(&body), print_state);
        if (!control_open(options, &control, &error) ||
            !control_call(control, "POST", "/privacy/erase", buffer_bytes(&body), &arena, &answer, &error))
                return cli_fail(options, &error);
        return follow(control, options);
}
