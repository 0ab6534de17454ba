// SPDX-License-Identifier: Apache-2.0
// Routing: each route is a target (json/target.h) with what it takes. A request is looked up, its token compared, its query and
// body checked against the route, and handed on. What a handler is given lives in the exchange's arena, but for the buffer of
// the answer, which is freed with it.
#include "api/api.h"

#include <stdlib.h>

#include "api/api_priv.h"

struct api *api_new(const struct api_options *options) {
        struct api *api = must_calloc(1, sizeof *api);
        api->options = *options;
        api->began_ns = clock_monotonic_ns(loop_clock(options->loop));
        atomic_store(&api->not_ready, "starting");
        api_add_status(api);
        api_add_parked(api);
        api_add_proof(api);
        api_add_metrics(api);
        api_add_pseudonyms(api);
        return api;
}

void api_free(struct api *api) {
        if (!api)
                return;
        for (size_t i = 0; i < api->entry_count; i++)
                target_free(api->entries[i].target);
        free(api);
}

const struct api_options *api_options(const struct api *api) {
        return &api->options;
}

void api_add(struct api *api, const struct api_route *routes, size_t count, void *user) {
        ASSERT(api->entry_count + count <= API_ROUTES_MAX);
        for (size_t i = 0; i < count; i++) {
                struct buffer CLEANUP(buffer_free) text = {0};
                buffer_print(&text, "%s %s", routes[i].method, routes[i].pattern);
                struct api_entry *entry = &api->entries[api->entry_count++];
                entry->route = &routes[i];
                entry->user = user;
                bool compiled = target_compile(buffer_bytes(&text), &entry->target, NULL);
                ASSERT(compiled && target_variable_count(entry->target) <= API_PARAMETERS_MAX);
        }
}

void api_describe_with(struct api *api, api_describe *describe, void *user) {
        api->describe = describe;
        api->describe_user = user;
}

void api_ready_set(struct api *api, bool ready, const char *why) {
        atomic_store(&api->not_ready, ready ? NULL : why);
}

// ---- answers ----

void api_answer_bytes(struct api_request *request, unsigned status, const char *content_type, struct bytes body) {
        struct http_header headers[] = {{BYTES("Content-Type"), bytes_of(content_type)},
                                        {BYTES("Cache-Control"), BYTES("no-store")}};
        struct buffer CLEANUP(buffer_free) out = request->out;         // the request is gone with the answer
        http_answer(request->exchange, status, headers, ARRAY_SIZE(headers), body);
}

void api_answer(struct api_request *request, unsigned status) {
        json_end(&request->writer);
        buffer_append_byte(&request->out, '\n');
        api_answer_bytes(request, status, "application/json", buffer_bytes(&request->out));
}

static void fail(struct api_request *request, unsigned status, const char *code, const char *message) {
        buffer_free(&request->out);
        http_answer_error(request->exchange, status, code, message);
}

void api_fail(struct api_request *request, const struct error *error) {
        ASSERT(error->code != ERROR_NONE);
        fail(request, (unsigned)error_http_status(error->code), error_name(error->code), error->text);
}

static void refuse(struct http_exchange *exchange, unsigned status, const char *code, const char *message,
                   const struct http_header *header) {
        struct http_header headers[2] = {{BYTES("Content-Type"), BYTES("application/json")}};
        if (header)
                headers[1] = *header;
        struct buffer CLEANUP(buffer_free) body = {0};
        http_emit_error(&body, code, message);
        http_answer(exchange, status, headers, header ? 2 : 1, buffer_bytes(&body));
}

// ---- what a request brings ----

// Whether the word is among those of a list that spaces separate.
static bool among(const char *list, struct bytes word) {
        struct bytes rest = bytes_of(list);
        while (rest.size > 0) {
                const char *space = memchr(rest.data, ' ', rest.size);
                size_t size = space ? (size_t)(space - rest.data) : rest.size;
                if (bytes_equal((struct bytes){rest.data, size}, word))
                        return true;
                rest.data += MIN(size + 1, rest.size);
                rest.size -= MIN(size + 1, rest.size);
        }
        return false;
}

static bool query_check(struct api_request *request, const struct api_route *route, struct error *error) {
        struct named_value *values;
        size_t count;
        if (!query_parse(request->exchange->query, request->arena, &values, &count, error))
                return false;
        for (size_t i = 0; i < count; i++) {
                if (!among(route->queries, values[i].name))
                        return error_set(error, ERROR_INVALID, "the query parameter %.*s is not known here (known: %s)",
                                         BYTES_PRINT(values[i].name), route->queries ? route->queries : "none");
                for (size_t before = 0; before < i; before++)
                        if (bytes_equal(values[before].name, values[i].name))
                                return error_set(error, ERROR_INVALID, "the query parameter %.*s is given twice",
                                                 BYTES_PRINT(values[i].name));
        }
        request->queries = values;
        request->query_count = count;
        return true;
}

static bool body_check(struct api_request *request, const struct api_route *route, struct error *error) {
        struct bytes body = request->exchange->body;
        if (body.size == 0)
                return true;
        if (!route->members)
                return error_set(error, ERROR_INVALID, "%s %s takes no body", route->method, route->pattern);
        struct json_limits limits = {.depth = 16};
        if (!json_parse(body, &limits, request->arena, &request->body, error))
                return error_wrap(error, "body");
        if (!json_is(request->body, JSON_OBJECT))
                return error_set(error, ERROR_INVALID, "body: expected an object, got %s", json_type_name(json_type(request->body)));
        JSON_FOR_EACH_MEMBER(key, value, request->body) {
                (void)value;
                if (!among(route->members, json_text(key)))
                        return error_set(error, ERROR_INVALID, "body: the member %.*s is not known here (known: %s)",
                                         BYTES_PRINT(json_text(key)), *route->members ? route->members : "none");
        }
        return true;
}

bool api_query(const struct api_request *request, const char *name, struct bytes *ret_value) {
        for (size_t i = 0; i < request->query_count; i++) {
                if (!bytes_equal(request->queries[i].name, bytes_of(name)))
                        continue;
                *ret_value = request->queries[i].value;
                return true;
        }
        return false;
}

bool api_query_number(struct api_request *request, const char *name, uint64_t fallback, uint64_t most, uint64_t *ret_number) {
        struct bytes text;
        uint64_t number = fallback;
        if (api_query(request, name, &text) && (!bytes_to_u64(text, &number) || number > most)) {
                struct error error;
                error_set(&error, ERROR_INVALID, "the query parameter %s: expected a number up to %llu, got \"%.*s\"", name,
                          (unsigned long long)most, BYTES_PRINT(text));
                api_fail(request, &error);
                return false;
        }
        *ret_number = number;
        return true;
}

const struct model_communication *api_communication(struct api_request *request, struct bytes name) {
        const struct model_communication *communication = model_communication_find(request->api->options.model, name);
        if (communication)
                return communication;
        struct error error;
        error_set(&error, ERROR_NOT_FOUND, "there is no communication \"%.*s\"", BYTES_PRINT(name));
        api_fail(request, &error);
        return NULL;
}

// ---- routing ----

bool api_same_token(struct bytes a, struct bytes b) {
        unsigned differ = a.size != b.size;
        for (size_t i = 0; i < b.size; i++)
                differ |= (unsigned char)b.data[i] ^ (i < a.size ? (unsigned char)a.data[i] : 0u);
        return differ == 0;
}

bool api_bearer(const struct http_exchange *exchange, struct bytes *ret_token) {
        struct bytes value, scheme = BYTES("Bearer ");
        if (!http_header_find(exchange->headers, exchange->header_count, BYTES("Authorization"), &value) || value.size < scheme.size ||
            !bytes_equal_ignore_case((struct bytes){value.data, scheme.size}, scheme))
                return false;
        *ret_token = (struct bytes){value.data + scheme.size, value.size - scheme.size};
        return true;
}

static bool authorized(const struct api *api, const struct http_exchange *exchange) {
        struct bytes token;
        return api_bearer(exchange, &token) && api_same_token(token, api->options.token);
}

void api_refuse_token(struct http_exchange *exchange, unsigned status, const char *message) {
        struct http_header challenge = {BYTES("WWW-Authenticate"), BYTES("Bearer")};
        refuse(exchange, status, status == 401 ? "unauthorized" : "forbidden", message, status == 401 ? &challenge : NULL);
}

// The route of a request; NULL: *ret_allowed has the methods of its path, empty if there is no such path.
static const struct api_entry *find_route(const struct api *api, const struct http_exchange *exchange,
                                          struct named_value *values, struct buffer *allowed) {
        for (size_t i = 0; i < api->entry_count; i++) {
                const struct api_entry *entry = &api->entries[i];
                struct bytes method = bytes_of(entry->route->method);
                if (target_match(entry->target, method, exchange->path, (struct bytes){0}, exchange->arena, values, NULL) !=
                    TARGET_MATCHES)
                        continue;
                if (bytes_equal(method, exchange->method))
                        return entry;
                buffer_print(allowed, "%s%s", allowed->size ? ", " : "", entry->route->method);
        }
        return NULL;
}

static void no_route(const struct api *api, struct http_exchange *exchange, struct bytes allowed) {
        struct http_header allow = {BYTES("Allow"), allowed};
        struct http_header challenge = {BYTES("WWW-Authenticate"), BYTES("Bearer")};
        if (!authorized(api, exchange))
                refuse(exchange, 401, "unauthorized", "a bearer token is needed: that of the file `token` in the data folder", &challenge);
        else if (allowed.size > 0)
                refuse(exchange, 405, "method", arena_print(exchange->arena, "%.*s is not among the methods of this path: %.*s",
                                                            BYTES_PRINT(exchange->method), BYTES_PRINT(allowed)), &allow);
        else
                refuse(exchange, 404, "not-found", arena_print(exchange->arena, "there is no %.*s", BYTES_PRINT(exchange->path)), NULL);
}

void api_http(void *user, struct http_exchange *exchange) {
        struct api *api = user;
        struct named_value values[TARGET_VARIABLES_MAX];
        struct buffer CLEANUP(buffer_free) allowed = {0};
        const struct api_entry *entry = find_route(api, exchange, values, &allowed);
        if (!entry || (!entry->route->open && !authorized(api, exchange))) {
                no_route(api, exchange, buffer_bytes(&allowed));
                return;
        }
        struct api_request *request = arena_alloc(exchange->arena, sizeof *request);
        request->api = api;
        request->exchange = exchange;
        request->arena = exchange->arena;
        request->writer.buffer = &request->out;
        for (size_t i = 0; i < target_variable_count(entry->target); i++)
                request->parameters[i] = values[i].value;
        struct error error;
        if (query_check(request, entry->route, &error) && body_check(request, entry->route, &error))
                entry->route->handle(request, entry->user);
        else
                api_fail(request, &error);
}

// ---- asking the gateway ----

static void asked(struct gateway_command *command) {
        struct api_states *states = command->user;
        states->states[command->communication - states->first] = command->state;
        if (++command->communication < states->first + states->count)
                gateway_order(states->request->api->options.gateway, command);
        else
                states->done(states);
}

void api_ask(struct api_request *request, size_t first, size_t count, void (*done)(struct api_states *states)) {
        struct api_states *states = arena_alloc(request->arena, sizeof *states);
        *states = (struct api_states){
                .request = request, .first = first, .count = count, .done = done,
                .states = arena_alloc(request->arena, MAX(count, (size_t)1) * sizeof *states->states),
                .command = {.order = GATEWAY_STATE, .communication = first, .loop = request->api->options.loop, .done = asked,
                            .user = states},
        };
        if (count == 0)
                done(states);
        else
                gateway_order(request->api->options.gateway, &states->command);
}
