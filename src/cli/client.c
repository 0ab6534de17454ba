// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <string.h>

bool client_is_name(const char *text) {
        size_t size = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
        return size && !text[size];
}

int client_refuse_name(const struct cli_options *options, const char *what, const char *name) {
        struct error error;
        IGNORE(error_set(&error, ERROR_INVALID, "\"%s\" is no name of %s", name, what));      // always false
        return cli_fail(options, &error);
}

int client_call(const struct cli_options *options, const char *method, const char *target, struct bytes body, client_print *print) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct control CLEANUP(control_closep) *control = NULL;
        struct buffer CLEANUP(buffer_free) text = {0};
        const struct json *answer;
        struct error error;
        if (!control_open(options, &control, &error) ||
            !control_call(control, method, target, body, &arena, &answer, &error))
                return cli_fail(options, &error);
        if (print && !options->given[CLI_JSON]) {
                print(answer);
                return 0;
        }
        if (options->given[CLI_JSON])
                json_write(&text, answer);
        else
                json_write_pretty(&text, answer);
        cli_print(buffer_bytes(&text));
        return 0;
}

struct bytes client_text(const struct json *object, const char *key) {
        const struct json *value = json_get_text(object, key);
        return json_is(value, JSON_STRING) ? json_text(value) : BYTES("");
}

uint64_t client_number(const struct json *object, const char *key) {
        const struct json *value = json_get_text(object, key);
        uint64_t number;
        return json_is(value, JSON_NUMBER) && json_to_u64(value, &number) ? number : 0;
}

bool client_truth(const struct json *object, const char *key) {
        const struct json *value = json_get_text(object, key);
        return json_is(value, JSON_BOOL) && json_bool(value);
}
