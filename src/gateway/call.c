// SPDX-License-Identifier: Apache-2.0
// Functional calls: what arrives is checked and hashed where it came in, then forwarded there (route->direct), or handed to the
// owner of its lane. Everything about a call is in its exchange's arena and goes with its answer.
#include "gateway/gateway_priv.h"

#include <stdio.h>

#include "os/random.h"

enum { PARSE_DEPTH = 64 };

// ---- answers ----

static uint64_t since(const struct call *call) {
        uint64_t now = clock_monotonic_ns(loop_clock(call->exchange->loop));
        return now > call->exchange->began_ns ? now - call->exchange->began_ns : 0;
}

void call_answer(struct call *call, unsigned status, const struct http_header *headers, size_t count, struct bytes body) {
        struct http_exchange *exchange = call->exchange;
        route_count(call->route, status, since(call));
        if (loop_is_here(exchange->loop))
                http_answer(exchange, status, headers, count, body);
        else
                http_answer_post(exchange, status, headers, count, body);
}

void call_answer_error(struct call *call, unsigned status, const char *code, const char *message, const char *retry_after) {
        CLEANUP(buffer_free) struct buffer body = {0};
        http_emit_error(&body, code, message);
        struct http_header headers[2] = {
                {BYTES("Content-Type"), BYTES("application/json")},
                {BYTES("Retry-After"), bytes_of(retry_after)},
        };
        call_answer(call, status, headers, retry_after ? 2 : 1, buffer_bytes(&body));
}

static void answer_accepted(struct call *call, uint64_t position) {
        char location[64], body[200];
        snprintf(location, sizeof location, "/receipts/%llu", (unsigned long long)position);
        snprintf(body, sizeof body, "{\"communication\":\"%s\",\"receipt\":\"%s\"}", call->route->communication->name, location);
        struct http_header headers[2] = {
                {BYTES("Content-Type"), BYTES("application/json")},
                {BYTES("Location"), bytes_of(location)},
        };
        atomic_fetch_add_explicit(&call->route->accepted, 1, memory_order_relaxed);
        call_answer(call, call->route->communication->async->answer, headers, 2, bytes_of(body));
}

// The first answer again, from its ANSWERED record; where it was too large to keep, or a person settled the call, what is known.
static void answer_stored(struct call *call, uint64_t position) {
        struct gateway *gateway = call->route->gateway;
        CLEANUP(arena_free) struct arena arena = {0};
        struct record record;
        struct bytes stored, body;
        struct error error;
        if (!owner_read(gateway, position, &arena, &record, &stored, &error)) {
                call_answer_error(call, 503, error_name(error.code), error.text, "1");
                return;
        }
        struct http_header headers[REQUEST_HEADERS_MAX + 1];
        size_t count = 0;
        unsigned status = record.kind == RECORD_ANSWERED && record.status ? record.status : 200;
        if (record.kind != RECORD_ANSWERED || !answer_decode(stored, headers, &count, &body)) {
                headers[0] = (struct http_header){BYTES("Content-Type"), BYTES("application/json")};
                count = 1;
                body = record.kind == RECORD_ANSWERED
                       ? BYTES("{\"done\":true,\"note\":\"the first answer was too large to be kept\"}")
                       : BYTES("{\"done\":true,\"note\":\"a person has settled this call as done\"}");
        }
        headers[count++] = (struct http_header){BYTES("Idempotent-Replayed"), BYTES("true")};
        call_answer(call, status, headers, count, body);
}

static void answer_response(struct call *call) {
        const struct http_call_result *result = call->route->gateway->current;
        ASSERT(result);
        if (loop_is_here(call->exchange->loop)) {
                unsigned status = result->outcome == HTTP_CALL_OK ? result->status : 502;
                route_count(call->route, status, since(call));
                http_forward_answer(call->exchange, result);
                return;
        }
        if (result->outcome != HTTP_CALL_OK) {
                bool late = result->outcome == HTTP_CALL_TIMEOUT, sent = result->outcome != HTTP_CALL_NOT_SENT;
                call_answer_error(call, late ? 504 : sent ? 502 : 503, http_call_outcome_name(result->outcome), result->reason, NULL);
                return;
        }
        struct http_header headers[HTTP_HEADERS_MAX];
        size_t count = 0;
        for (size_t i = 0; i < result->header_count; i++) {
                enum http_known known = http_known(result->headers[i].name);
                bool nominated = result->has_nominated &&
                                 http_nominated(result->headers, result->header_count, result->headers[i].name);
                if (!http_hop_by_hop(known) && known != HTTP_CONTENT_LENGTH && !nominated)
                        headers[count++] = result->headers[i];
        }
        call_answer(call, result->status, headers, count, result->body);
}

void op_answer(void *user, struct shard_request *request, enum shard_answer answer, uint64_t position) {
        if (((struct owned_shard *)user)->route->data) {
                data_op_answer(request, answer, position);
                return;
        }
        struct call *call = (struct call *)request;
        switch (answer) {
        case SHARD_ACCEPTED:
                answer_accepted(call, position);
                return;
        case SHARD_RESPONSE:
                answer_response(call);
                return;
        case SHARD_STORED:
                answer_stored(call, position);
                return;
        case SHARD_OTHER_BODY:
                call_answer_error(call, 409, "identity-reused",
                                  "this identity came with another request before; it was not accepted", NULL);
                return;
        case SHARD_IN_PROGRESS:
                call_answer_error(call, 409, "in-progress",
                                  "the first request of this identity is still under way; this one was not accepted", "1");
                return;
        case SHARD_UNSETTLED:
                call_answer_error(call, 409, "indeterminate",
                                  "nobody knows yet whether the first request of this identity was done; this one was not accepted",
                                  "5");
                return;
        case SHARD_LOG_UNAVAILABLE:
                call_answer_error(call, 503, "log-unavailable", "the log does not take messages now; this one was not accepted", "1");
                return;
        case SHARD_LOG_UNKNOWN:
                call_answer_error(call, 503, "log-unknown",
                                  "it is not known yet whether the log has taken this message; repeat it under the same identity", "1");
                return;
        case SHARD_BACKLOG_FULL:
                call_answer_error(call, 503, "backlog-full", "max_backlog messages wait already; this one was not accepted", "1");
                return;
        case SHARD_NOT_VALID:
                call_answer_error(call, (unsigned)error_http_status(call->error.code), error_name(call->error.code),
                                  call->error.text, NULL);
                return;
        }
}

// ---- without a record ----

static void forwarded(void *user, const struct http_forwarded *result) {
        struct route *route = user;
        atomic_fetch_sub(&route->plain_under_way, 1);
        route_count(route, result->status, result->duration_ns);
}

static void forward_here(struct loop_task *task) {
        struct call *call = CONTAINER_OF(task, struct call, task);
        struct route *route = call->route;
        struct http_exchange *exchange = call->exchange;
        struct http_upstream *upstream = gateway_upstream(route->gateway, exchange->loop, route->communication->to);
        struct http_forward_options options = {
                .target = call->target,
                .timeout_ns = MILLISECONDS(route->communication->tuning.timeout_ms),
                .see = route_see_answer,
        };
        route_sample_request(route, exchange->body);
        http_forward(exchange, upstream, &options, forwarded, route);
}

void call_forward(struct call *call) {
        atomic_fetch_add(&call->route->plain_under_way, 1);
        call->task.run = forward_here;
        if (loop_is_here(call->exchange->loop))
                forward_here(&call->task);
        else
                loop_post(call->exchange->loop, &call->task);
}

// ---- the way in ----

static bool identify(struct call *call, struct error *error) {
        const struct model_communication *communication = call->route->communication;
        struct http_exchange *exchange = call->exchange;
        const char *name = communication->recognises.header ? communication->recognises.header : "Idempotency-Key";
        struct bytes identity;
        if (http_header_find(exchange->headers, exchange->header_count, bytes_of(name), &identity)) {
                if (!identity.size || identity.size > RECORD_IDENTITY_MAX)
                        return error_set(error, ERROR_INVALID, "%s: expected 1 to %d bytes, got %zu", name, RECORD_IDENTITY_MAX,
                                         identity.size);
                if (!http_header_once(exchange->headers, exchange->header_count, bytes_of(name)))       // the provider may take the other
                        return error_set(error, ERROR_INVALID, "%s is given more than once", name);
        } else {
                uint8_t random[16];
                random_fill(random_real(), random, sizeof random);
                char text[2 * sizeof random];
                for (size_t i = 0; i < sizeof text; i++)
                        text[i] = "0123456789abcdef"[random[i / 2] >> (i % 2 ? 0 : 4) & 15];
                identity = arena_copy(exchange->arena, (struct bytes){text, sizeof text});
                call->shard.identity_given = true;
        }
        call->shard.identity_text = identity;
        struct bytes parts[] = {bytes_of(communication->name), bytes_of(communication->from->name), identity};
        call->shard.identity = hash128_of(&call->route->gateway->options.hash_key, HASH_IDENTITY, parts, ARRAY_SIZE(parts));
        return true;
}

static void hash_body(struct call *call) {
        struct http_exchange *exchange = call->exchange;
        CLEANUP(buffer_free) struct buffer canonical = {0};
        struct bytes body = exchange->body;
        if (call->body) {
                json_canonical(&canonical, call->body);
                body = buffer_bytes(&canonical);
        }
        struct bytes parts[] = {exchange->method, call->target, body};
        call->shard.body_hash = hash128_of(&call->route->gateway->options.hash_key, HASH_BODY, parts, ARRAY_SIZE(parts));
}

static bool find_lane(struct call *call, struct bytes query, struct error *error) {
        const struct model_communication *communication = call->route->communication;
        struct http_exchange *exchange = call->exchange;
        struct model_request request = {.body = call->body, .path = call->path, .path_count = call->path_count};
        struct named_value *values = NULL;
        if (communication->key.input == TEMPLATE_QUERY && !query_parse(query, exchange->arena, &values, &request.query_count, error))
                return false;
        request.query = values;
        if (!model_reference_value(&communication->key, &request, exchange->arena, &call->shard.key, error))
                return error_wrap(error, "the lane's key %s", communication->key.text);
        if (!key_check(call->route->gateway, key_event(call->route), call->shard.key, error))
                return false;
        struct bytes parts[] = {bytes_of(communication->name), call->shard.key};
        call->shard.lane = hash128_of(&call->route->gateway->options.hash_key, HASH_LANE, parts, ARRAY_SIZE(parts));
        unsigned partition = (unsigned)(hash128_slot(&call->shard.lane) % communication->partitions);
        call->owned = &call->route->shards[partition];
        return true;
}

static bool prepare(struct call *call, struct bytes query, struct error *error) {
        struct http_exchange *exchange = call->exchange;
        struct json_limits limits = {.depth = PARSE_DEPTH};
        if (!exchange->body.size && call->route->communication->key.input == TEMPLATE_BODY)
                return error_set(error, ERROR_REJECTED, "the lane's key %s: the call has no body", call->route->communication->key.text);
        if (exchange->body.size && !json_parse(exchange->body, &limits, exchange->arena, &call->body, error)) {
                call->body = NULL;
                return error_wrap(error, "body");
        }
        call->shard.body = exchange->body;
        if (!identify(call, error) || !find_lane(call, query, error))
                return false;
        hash_body(call);
        CLEANUP(buffer_free) struct buffer kept = {0};
        if (!request_encode(call->route->communication, exchange->method, call->target, exchange->headers, exchange->header_count,
                            &kept, error))
                return false;
        call->shard.request = arena_copy(exchange->arena, buffer_bytes(&kept));
        return true;
}

// On the owner's loop.
static void take_as_owner(struct loop_task *task) {
        struct call *call = CONTAINER_OF(task, struct call, task);
        if (call->owned) {
                shard_request(call->owned->shard, &call->shard);
                return;
        }
        // It cannot be a message. Where the lanes are sync it is the provider who refuses it, as it always was.
        for (unsigned i = 0; i < call->route->communication->partitions; i++) {
                if (shard_has_async(call->route->shards[i].shard)) {
                        call_answer_error(call, (unsigned)error_http_status(call->error.code), error_name(call->error.code),
                                          call->error.text, NULL);
                        return;
                }
        }
        shadow_difference(call->route, "a call could not be a message: %s", call->error.text);
        call_forward(call);
}

void call_take(struct route *route, struct http_exchange *exchange, struct bytes path, struct bytes query, struct bytes target) {
        atomic_fetch_add_explicit(&route->requests, 1, memory_order_relaxed);
        struct call *call = arena_alloc(exchange->arena, sizeof *call);
        call->route = route;
        call->exchange = exchange;
        call->target = target;
        list_init(&call->shard.link);
        enum target_match match = target_match(route->communication->call, exchange->method, path, query, exchange->arena,
                                               call->path, NULL);
        if (match != TARGET_MATCHES) {
                uint64_t duration = since(call);
                const struct model_communication *communication = route->communication;
                route_count(route, gateway_refuse_target(exchange, communication->name, communication->call, match), duration);
                return;
        }
        call->path_count = target_variable_count(route->communication->call);
        // Counted before it looks again, so that who waits for plain_under_way to be 0 misses none.
        atomic_fetch_add(&route->plain_under_way, 1);
        if (atomic_load(&route->direct)) {
                call_forward(call);
                atomic_fetch_sub(&route->plain_under_way, 1);
                return;
        }
        atomic_fetch_sub(&route->plain_under_way, 1);
        if (!prepare(call, query, &call->error))
                call->owned = NULL;
        call->task.run = take_as_owner;
        if (loop_is_here(route->gateway->owner))
                take_as_owner(&call->task);
        else
                loop_post(route->gateway->owner, &call->task);
}
