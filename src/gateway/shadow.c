// SPDX-License-Identifier: Apache-2.0
// The shadow of a call: its event goes to a shadow topic, and the request that a delivery would make of that event is compared
// with the call that was made: method, target, headers and canonical body. On the owner's loop, after the INTENT is durable.
#include "gateway/gateway_priv.h"

#include "gateway/mask.h"

#include <stdarg.h>
#include <stdio.h>

void shadow_difference(struct route *route, const char *format, ...) {
        struct shadow *shadow = &route->shadow;
        if (!shadow->on)
                return;
        shadow->compared++;
        if (shadow->differing++)
                return;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(shadow->first_difference, sizeof shadow->first_difference, format, arguments);
        va_end(arguments);
}

// Headers that say nothing of the message: a delivery is made by another client at another time.
static bool header_of_the_client(struct bytes name) {
        static const char *const names[] = {
                "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "pragma", "user-agent", "origin",
                "referer", "via", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip",
                "x-request-id", "traceparent", "tracestate", "priority",
        };
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (bytes_equal_ignore_case(name, bytes_of(names[i])))
                        return true;
        return bytes_starts_with(name, BYTES("sec-")) || bytes_starts_with(name, BYTES("Sec-"));
}

static bool header_matters(const struct call *call, struct bytes name) {
        const struct model_communication *communication = call->route->communication;
        const char *identity = communication->recognises.header ? communication->recognises.header : "Idempotency-Key";
        if (bytes_equal_ignore_case(name, bytes_of(identity)) || header_of_the_client(name))
                return false;
        if (bytes_equal_ignore_case(name, BYTES("authorization")) && communication->to->bearer)
                return false;                           // commute presents its own
        return http_known(name) == HTTP_OTHER;
}

static bool compare_headers(struct call *call, const struct delivery *delivery) {
        const struct http_exchange *exchange = call->exchange;
        for (size_t i = 0; i < exchange->header_count; i++) {
                struct bytes name = exchange->headers[i].name, value;
                if (!header_matters(call, name))
                        continue;
                if (!http_header_find(delivery->headers, delivery->header_count, name, &value)) {
                        shadow_difference(call->route, "header %.*s: the call has it, the delivery would not (list it under `headers`)",
                                          BYTES_PRINT(name));
                        return false;
                }
                if (!bytes_equal(value, exchange->headers[i].value)) {
                        shadow_difference(call->route, "header %.*s: the delivery would have another value", BYTES_PRINT(name));
                        return false;
                }
        }
        return true;
}

static bool may_differ(const struct model_communication *communication, struct bytes path) {
        for (size_t i = 0; i < communication->may_differ_count; i++) {
                const struct json_pointer *pointer = &communication->may_differ[i];
                struct buffer text = {0};
                for (size_t token = 0; token < pointer->count; token++)
                        json_pointer_append(&text, pointer->tokens[token]);
                bool listed = bytes_equal(buffer_bytes(&text), path);
                buffer_free(&text);
                if (listed)
                        return true;
        }
        return false;
}

bool shadow_equal(const struct model_communication *communication, const struct json *a, const struct json *b, struct buffer *path) {
        if (may_differ(communication, buffer_bytes(path)))
                return true;
        if (!a || !b)
                return false;
        if (json_type(a) != JSON_OBJECT || json_type(b) != JSON_OBJECT)
                return json_equal(a, b);
        size_t before = path->size;
        JSON_FOR_EACH_MEMBER(key, value, a) {
                json_pointer_append(path, json_text(key));
                if (!shadow_equal(communication, value, json_get(b, json_text(key)), path))
                        return false;
                path->size = before;
        }
        JSON_FOR_EACH_MEMBER(key, value, b) {
                (void)value;
                if (json_get(a, json_text(key)))
                        continue;
                json_pointer_append(path, json_text(key));
                if (!may_differ(communication, buffer_bytes(path)))
                        return false;
                path->size = before;
        }
        return true;
}

void shadow_print_value(const struct route *route, const struct json *root, struct bytes path, struct buffer *text) {
        struct json_pointer pointer;
        const struct json *value = NULL;
        struct arena arena = {0};
        const struct model_async *async = route->communication->async;
        if (json_pointer_parse(path, &arena, &pointer, NULL))
                value = json_pointer_resolve(&pointer, root);
        mask_value(&route->gateway->options.hash_key, async ? async->event : NULL, value, text);
        arena_free(&arena);
}

static bool compare_bodies(struct call *call, const struct delivery *delivery) {
        if (!call->body && !delivery->body.size)
                return true;                            // neither has one
        struct arena arena = {0};
        struct buffer path = {0}, was = {0}, would = {0};
        const struct json *body;
        bool equal = false;
        if (!json_parse(delivery->body, NULL, &arena, &body, NULL)) {
                shadow_difference(call->route, "body: the delivery's is not JSON");
        } else if (!(equal = shadow_equal(call->route->communication, call->body, body, &path))) {
                shadow_print_value(call->route, call->body, buffer_bytes(&path), &was);
                shadow_print_value(call->route, body, buffer_bytes(&path), &would);
                shadow_difference(call->route, "body %.*s: the call has %.*s, the delivery would have %.*s",
                                  BYTES_PRINT(buffer_bytes(&path)), BYTES_PRINT(buffer_bytes(&was)), BYTES_PRINT(buffer_bytes(&would)));
        }
        buffer_free(&path);
        buffer_free(&was);
        buffer_free(&would);
        arena_free(&arena);
        return equal;
}

static void target_differs(struct call *call, const struct delivery *delivery) {
        const struct model_event *event = call->route->communication->async->event;
        const struct hash_key *key = &call->route->gateway->options.hash_key;
        CLEANUP(buffer_free) struct buffer was = {0};
        CLEANUP(buffer_free) struct buffer would = {0};
        mask_target(key, event, call->target, &was);
        mask_target(key, event, delivery->target, &would);
        shadow_difference(call->route, "target: the call has %.*s, the delivery would have %.*s", BYTES_PRINT(buffer_bytes(&was)),
                          BYTES_PRINT(buffer_bytes(&would)));
}

static bool compare(struct call *call, const struct delivery *delivery) {
        if (!bytes_equal(delivery->method, call->exchange->method)) {
                shadow_difference(call->route, "method: the delivery would use %.*s", BYTES_PRINT(delivery->method));
                return false;
        }
        if (!bytes_equal(delivery->target, call->target)) {
                target_differs(call, delivery);
                return false;
        }
        return compare_headers(call, delivery) && compare_bodies(call, delivery);
}

// The event in the version that a delivery would have. Before the call is answered there is no time for a program.
static bool change_at_once(struct route *route, unsigned from, unsigned to, struct bytes event, struct arena *arena,
                           struct bytes *ret_event, struct error *error) {
        const struct model_event *of = route->communication->async->event;
        struct change change;
        *ret_event = event;
        if (from == to)
                return true;
        if (!change_is_immediate(of, from, to))
                return error_set(error, ERROR_REJECTED, "a delivery needs version %u of %s, which a jq program makes of version %u", to,
                                 of->name, from);
        if (!change_prepare(&change, route->gateway, of, from, to, arena, error))
                return false;
        if (change_begin(&change, event) != CHANGE_DONE) {
                *error = change.error;
                return false;
        }
        *ret_event = change.body;
        return true;
}

static bool as_delivered(struct route *route, const struct record *record, struct bytes event, struct arena *arena,
                         struct delivered *ret_delivered, struct error *error) {
        const struct model_communication *communication = route->communication;
        unsigned version;
        *ret_delivered = (struct delivered){0};
        if (!event_version_of(route->gateway, communication->async->event, record->schema_id, &version, error))
                return false;
        ret_delivered->version = delivery_version(communication, version);
        return change_at_once(route, version, ret_delivered->version, event, arena, &ret_delivered->body, error) &&
               (!delivery_wants_old(delivery_target(communication, record), ret_delivered, arena) ||
                change_at_once(route, version, 0, event, arena, &ret_delivered->old, error));
}

void shadow_call(struct call *call) {
        struct route *route = call->route;
        if (!route->shadow.on)
                return;
        struct owned_shard *owned = call->owned;
        struct record record = {
                .kind = RECORD_SHADOW,
                .shard = owned->stream,
                .time_ms = clock_wall_ms(loop_clock(route->gateway->owner)),
                .lane = call->shard.lane,
                .identity = call->shard.identity,
                .body_hash = call->shard.body_hash,
                .key = call->shard.key,
                .identity_text = call->shard.identity_text,
                .request = call->shard.request,
        };
        struct bytes event;
        if (!owner_event(call, &owned->shadow, &record, &event)) {
                shadow_difference(route, "event: %s", call->error.text);
                return;
        }
        CLEANUP(arena_free) struct arena arena = {0};
        struct delivery delivery;
        struct error error;
        struct delivered delivered;
        if (!as_delivered(route, &record, event, &arena, &delivered, &error) ||
            !delivery_render(route->gateway, route->communication, &record, &delivered, &arena, &delivery, &error)) {
                shadow_difference(route, "%s", error.text);
                return;
        }
        owner_append_record(owned, NULL, &record, event, &owned->shadow);
        if (compare(call, &delivery))
                route->shadow.compared++;
}
