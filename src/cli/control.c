// SPDX-License-Identifier: Apache-2.0
// See control.h. The loop runs only inside control_call; the callback copies the answer and stops it.
#include "cli/control.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/address.h"
#include "http/client.h"
#include "model/model.h"
#include "os/clock.h"

struct control {
        const char *name;                       // "control API"
        struct loop *loop;
        struct http_upstream *upstream;
        char authorization[sizeof "Bearer " + CONTROL_TOKEN_MAX];       // "": none
        // of the call under way
        struct arena *arena;
        enum http_call_outcome outcome;
        const char *reason;
        struct bytes body;
        unsigned status;
};

void control_close(struct control *control) {
        if (!control)
                return;
        http_upstream_free(control->upstream);
        loop_free(control->loop);
        free(control);
}

void control_closep(struct control **control) {
        control_close(*control);
}

static bool read_token(struct control *control, const char *path, struct error *error) {
        char text[CONTROL_TOKEN_MAX + 2];
        FILE *file = fopen(path, "re");
        if (!file)
                return error_set(error, ERROR_NOT_FOUND, "the control API's token: %s: %m", path);
        size_t size = fread(text, 1, sizeof text, file);
        fclose(file);
        while (size && text[size - 1] == '\n')
                size--;
        if (!size || size > CONTROL_TOKEN_MAX)
                return error_set(error, ERROR_INVALID, "%s: expected a token of 1 to %d bytes", path, CONTROL_TOKEN_MAX);
        snprintf(control->authorization, sizeof control->authorization, "Bearer %.*s", (int)size, text);
        struct http_header header = {BYTES("Authorization"), bytes_of(control->authorization)};
        return http_header_valid(&header) || error_set(error, ERROR_INVALID, "%s: expected one line of visible ASCII", path);
}

// The URL to call an address by on which it listens: all addresses are reached by 127.0.0.1.
static const char *url_of(const char *address, struct arena *arena, struct error *error) {
        struct http_address parsed;
        if (!http_address_parse(bytes_of(address), &parsed, error))
                return NULL;
        if (address[0] == ':' || address[0] == '*')
                return arena_print(arena, "http://127.0.0.1:%u", (unsigned)http_address_port(&parsed));
        return arena_print(arena, "http://%s", address);
}

static bool connect_to(struct control *control, const char *url, struct error *error) {
        return url && loop_new(clock_real(), &control->loop, error) &&
               http_upstream_new(control->loop, bytes_of(url), NULL, &control->upstream, error);
}

static bool load_configuration(const struct cli_options *options, const struct model **ret_model, const char *otherwise,
                               struct error *error) {
        const char *path = options->given[CLI_CONFIG] ? options->value[CLI_CONFIG] : "commute.yaml";
        return model_load(path, ret_model, NULL, error) || error_wrap(error, "to find the %s", otherwise);
}

static bool open_control(struct control *control, const struct cli_options *options, struct arena *arena, struct error *error) {
        const char *url = options->value[CLI_CONTROL], *token = options->value[CLI_TOKEN_FILE];
        if (!url || !token) {
                const struct model *CLEANUP(model_unrefp) model = NULL;
                if (!load_configuration(options, &model, "control API (or give --control and --token-file)", error))
                        return false;
                url = url ? url : url_of(model->settings.control, arena, error);
                token = token ? token : arena_print(arena, "%s/token", model->settings.data);
        }
        return url && read_token(control, token, error) && connect_to(control, url, error);
}

static bool open_registry(struct control *control, const struct cli_options *options, struct arena *arena, struct error *error) {
        const char *url = options->value[CLI_REGISTRY];
        if (!url) {
                const struct model *CLEANUP(model_unrefp) model = NULL;
                if (!load_configuration(options, &model, "registry (or give --registry)", error))
                        return false;
                url = url_of(model->settings.registry, arena, error);
        }
        return connect_to(control, url, error);
}

typedef bool open_function(struct control *control, const struct cli_options *options, struct arena *arena, struct error *error);

static bool open_with(open_function *open, const char *name, const struct cli_options *options, struct control **ret_control,
                      struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct control *control = must_calloc(1, sizeof *control);
        control->name = name;
        if (!open(control, options, &arena, error)) {
                control_close(control);
                return false;
        }
        *ret_control = control;
        return true;
}

bool control_open(const struct cli_options *options, struct control **ret_control, struct error *error) {
        return open_with(open_control, "control API", options, ret_control, error);
}

bool control_open_registry(const struct cli_options *options, struct control **ret_control, struct error *error) {
        return open_with(open_registry, "registry", options, ret_control, error);
}

static void done(void *user, const struct http_call_result *result) {
        struct control *control = user;
        control->outcome = result->outcome;
        control->status = result->status;
        control->reason = result->reason ? arena_text(control->arena, bytes_of(result->reason)) : "";
        control->body = arena_copy(control->arena, result->body);
        loop_stop(control->loop);
}

static enum error_code code_of(unsigned status) {
        switch (status) {
        case 401: case 403:
                return ERROR_UNAUTHORIZED;
        case 404:
                return ERROR_NOT_FOUND;
        case 409:
                return ERROR_REJECTED;                  // of the registry: not compatible
        case 413:
                return ERROR_LIMIT;
        default:
                return status >= 500 ? ERROR_UNAVAILABLE : ERROR_INVALID;
        }
}

// {"error": code, "message": sentence}, of the registry {"error_code": number, "message": sentence}; another body is quoted by its
// status alone.
static bool refused(const struct control *control, const struct json *answer, struct error *error) {
        const struct json *name = json_get_text(answer, "error"), *message = json_get_text(answer, "message");
        bool numbered = json_is(json_get_text(answer, "error_code"), JSON_NUMBER);
        if ((!json_is(name, JSON_STRING) && !numbered) || !json_is(message, JSON_STRING))
                return error_set(error, ERROR_UNAVAILABLE, "the %s answered with status %u", control->name, control->status);
        enum error_code code = numbered ? code_of(control->status) : control->status >= 500 ? ERROR_UNAVAILABLE : ERROR_INVALID;
        for (int i = ERROR_NONE + 1; !numbered && i <= ERROR_INTERNAL; i++)
                if (bytes_equal(json_text(name), bytes_of(error_name((enum error_code)i))))
                        code = (enum error_code)i;
        return error_set(error, code, "%.*s", BYTES_PRINT(json_text(message)));
}

bool control_call(struct control *control, const char *method, const char *target, struct bytes body, struct arena *arena,
                  const struct json **ret_answer, struct error *error) {
        struct http_header headers[2];
        size_t count = 0;
        if (control->authorization[0])
                headers[count++] = (struct http_header){BYTES("Authorization"), bytes_of(control->authorization)};
        if (body.size)
                headers[count++] = (struct http_header){BYTES("Content-Type"), BYTES("application/json")};
        const struct http_call_options options = {
                .method = bytes_of(method), .target = bytes_of(target), .headers = headers, .header_count = count,
                .body = body, .timeout_ns = CONTROL_TIMEOUT_NS};
        const struct json *answer = NULL;
        control->arena = arena;
        http_call(control->upstream, &options, done, control);
        loop_run(control->loop);
        struct bytes authority = http_upstream_authority(control->upstream);
        if (control->outcome != HTTP_CALL_OK)
                return error_set(error, control->outcome == HTTP_CALL_TIMEOUT ? ERROR_TIMEOUT : ERROR_UNAVAILABLE,
                                 "the %s at %.*s: %s", control->name, BYTES_PRINT(authority), control->reason);
        bool parsed = json_parse(control->body, NULL, arena, &answer, NULL);
        if (control->status >= 400)
                return refused(control, parsed ? answer : NULL, error);
        if (!parsed)
                return error_set(error, ERROR_UNAVAILABLE, "the %s at %.*s answered with no JSON: is it commute's?", control->name,
                                 BYTES_PRINT(authority));
        *ret_answer = answer;
        return true;
}
