// SPDX-License-Identifier: Apache-2.0
#include "api/privacy_rest.h"

#include <stdlib.h>

#include "api/api.h"
#include "base/needles.h"
#include "migrate/erase.h"
#include "migrate/scan.h"

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

struct beginning {
        struct erase_order order;
        struct api_request *request;
        struct privacy_rest *rest;
};

static void begun(struct erase_order *order, const struct error *error) {
        struct beginning *beginning = CONTAINER_OF(order, struct beginning, order);
        if (error)
                api_fail(beginning->request, error);
        else
                answer_state(beginning->request, beginning->rest);
        free(beginning);
}

static void begin(struct api_request *request, void *user) {
        struct privacy_rest *rest = user;
        const struct model_event *events[ERASE_EVENTS_MAX];
        size_t count;
        struct error error;
        if (!read_events(request, events, &count, &error)) {
                api_fail(request, &error);
                return;
        }
        struct beginning *beginning = must_calloc(1, sizeof *beginning);
        *beginning = (struct beginning){.order = {.events = events, .count = count, .done = begun}, .request = request, .rest = rest};
        erase_begin(rest->erase, &beginning->order);
}

static void answer_scan(struct api_request *request, void *user) {
        scan_write(((struct privacy_rest *)user)->scan, &request->writer);
        api_answer(request, 200);
}

static bool read_values(struct api_request *request, struct bytes **ret_values, size_t *ret_count, struct error *error) {
        const struct json *list = json_get_text(request->body, "values");
        *ret_count = 0;
        *ret_values = NULL;
        if (!list)
                return true;
        if (!json_is(list, JSON_ARRAY))
                return error_set(error, ERROR_INVALID, "values: expected a list of strings");
        if (json_count(list) > NEEDLES_MAX)
                return error_set(error, ERROR_LIMIT, "values: up to %d are allowed", NEEDLES_MAX);
        *ret_values = arena_alloc(request->arena, (json_count(list) + 1) * sizeof **ret_values);
        JSON_FOR_EACH(value, list) {
                if (!json_is(value, JSON_STRING))
                        return error_set(error, ERROR_INVALID, "values: expected strings, got %s", json_type_name(json_type(value)));
                (*ret_values)[(*ret_count)++] = json_text(value);
        }
        return true;
}

static void begin_scan(struct api_request *request, void *user) {
        struct privacy_rest *rest = user;
        const struct json *tags = json_get_text(request->body, "tags");
        struct bytes *values;
        size_t count;
        struct error error;
        bool good = (!tags || json_is(tags, JSON_BOOL)) || error_set(&error, ERROR_INVALID, "tags: expected true or false");
        if (!good || !read_values(request, &values, &count, &error) ||
            !scan_begin(rest->scan, values, count, tags && json_bool(tags), &error)) {
                api_fail(request, &error);
                return;
        }
        answer_scan(request, user);
}

static const struct api_route routes[] = {
        {.method = "GET", .pattern = "/privacy/scan", .handle = answer_scan},
        {.method = "POST", .pattern = "/privacy/scan", .handle = begin_scan, .members = "values tags"},
        {.method = "GET", .pattern = "/privacy/erase", .handle = answer_state},
        {.method = "POST", .pattern = "/privacy/erase", .handle = begin, .members = "events"},
};

void privacy_rest_add(struct api *api, struct privacy_rest *rest) {
        api_add(api, routes, ARRAY_SIZE(routes), rest);
}
