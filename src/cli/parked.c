// SPDX-License-Identifier: Apache-2.0
// `commute parked …`: what waits for a person, and the person's decisions.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/client.h"

// ---- list and show ----

static void print_list(const struct json *answer) {
        const struct json *parked = json_get_text(answer, "parked");
        if (!json_is(parked, JSON_ARRAY) || json_count(parked) == 0) {
                puts("Nothing waits for a person.");
                return;
        }
        printf("%-10s %-14s %-20s %6s %8s  %-24s %s\n", "POSITION", "COMMUNICATION", "STATE", "STATUS", "ATTEMPTS", "SINCE", "IDENTITY");
        JSON_FOR_EACH(row, parked) {
                printf("%-10llu %-14.*s %-20.*s %6llu %8llu  %-24.*s %.*s\n", (unsigned long long)client_number(row, "position"),
                       BYTES_PRINT(client_text(row, "communication")), BYTES_PRINT(client_text(row, "state")),
                       (unsigned long long)client_number(row, "status"), (unsigned long long)client_number(row, "attempts"),
                       BYTES_PRINT(client_text(row, "changed")), BYTES_PRINT(client_text(row, "identity")));
                struct bytes why = client_text(row, "why");
                printf("           %.*s%s%.*s\n", BYTES_PRINT(client_text(row, "reason")), why.size ? ": " : "", BYTES_PRINT(why));
        }
        uint64_t next = client_number(answer, "next");
        if (next)
                printf("There may be more behind position %llu: commute parked list --after %llu\n", (unsigned long long)next,
                       (unsigned long long)next);
}

int cli_parked_list(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        const char *name = options->argument_count ? options->arguments[0] : NULL;
        if (name && !client_is_name(name))
                return client_refuse_name(options, "a communication", name);
        const char *after = options->given[CLI_AFTER] ? options->value[CLI_AFTER] : "0";
        if (!client_is_name(after))
                return client_refuse_name(options, "a communication", after);
        return client_call(options, "GET", arena_print(&arena, "/parked?after=%s%s%s", after, name ? "&communication=" : "",
                                                       name ? name : ""), (struct bytes){0}, print_list);
}

// A position as digits; NULL: refused.
static const char *position_of(const struct cli_options *options, int *ret_status) {
        uint64_t number;
        if (bytes_to_u64(bytes_of(options->arguments[0]), &number))
                return options->arguments[0];
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "\"%s\" is no position: see commute parked list", options->arguments[0]));
        *ret_status = cli_fail(options, &error);        // error_set above is always false
        return NULL;
}

int cli_parked_show(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        int status;
        const char *position = position_of(options, &status);
        return position ? client_call(options, "GET", arena_print(&arena, "/parked/%s?body=1", position), (struct bytes){0}, NULL)
                        : status;
}

// ---- decisions ----

static void print_decision(const struct json *answer) {
        printf("position %llu: %.*s recorded\n", (unsigned long long)client_number(answer, "position"),
               BYTES_PRINT(client_text(answer, "decision")));
}

static int decide(const struct cli_options *options, const char *decision, struct bytes body) {
        struct arena CLEANUP(arena_free) arena = {0};
        int status;
        const char *position = position_of(options, &status);
        return position ? client_call(options, "POST", arena_print(&arena, "/parked/%s/%s", position, decision), body, print_decision)
                        : status;
}

int cli_parked_retry(const struct cli_options *options) {
        return decide(options, "retry", (struct bytes){0});
}

int cli_parked_discard(const struct cli_options *options) {
        return decide(options, "discard", (struct bytes){0});
}

int cli_parked_settle(const struct cli_options *options) {
        if (options->given[CLI_DONE])
                return decide(options, "settle", BYTES("{\"done\":true}"));
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "say --done, after you have looked into the provider's data: nobody else knows; if it was "
                         "not done, commute parked retry delivers it again"));
        return cli_fail(options, &error);               // error_set above is always false
}
