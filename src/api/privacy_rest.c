// SPDX-License-Identifier: Apache-2.0
#include "api/privacy_rest.h"

#include "api/api.h"
#include "migrate/erase.h"

static void answer_state(struct api_request *request, void *user) {
        erase_write(((struct privacy_rest *)user)->erase, &request->writer);
        api_answer(request, 200);
}

static bool read_events(struct api_request *request, const struct model_event **events, size_t *ret_count, struct error *error) {
        const struct json *names = json_get_text(request->body, "events");
        size_t count = 0;
        if (!json_is(names, JSON_ARRAY) || json_count(names) == 0 || json_count(names) > ERASE_EVENTS_MAX)
                return error_set(error, ERROR_INVALID, "events: expected a list of 1 to %d names", ERASE_EVENTS_MAX);
        JSON_FOR_EACH(name, names) {
                const struct model_event *event =
                        json_is(name, JSON_STRING) ? model_event_find(api_options(request->api)->model, json_text(name)) : NULL;
                if (!event && json_is(name, JSON_STRING))
                        return error_set(error, ERROR_NOT_FOUND, "there is no event \"%.*s\"", BYTES_PRINT(json_text(name)));
                if (!event)
                        return error_set(error, ERROR_INVALID, "events: expected names, got %s", json_type_name(json_type(name)));
                events[count++] = event;
        }
        *ret_count = count;
        return true;
}

static void begin(struct api_request *request, void *user) {
        struct privacy_rest *rest = user;
        const struct model_event *events[ERASE_EVENTS_MAX];
        size_t count;
        struct error error;
        rest->look(rest->user);
        if (!read_events(request, events, &count, &error) || !erase_begin(rest->erase, events, count, &error)) {
                api_fail(request, &error);
                return;
        }
        answer_state(request, user);
}

static const struct api_route routes[] = {
        {.method = "GET", .pattern = "/privacy/erase", .handle = answer_state},
        {.method = "POST", .pattern = "/privacy/erase", .handle = begin, .members = "events"},
};

void privacy_rest_add(struct api *api, struct privacy_rest *rest) {
        api_add(api, routes, ARRAY_SIZE(routes), rest);
}
