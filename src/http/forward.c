// SPDX-License-Identifier: Apache-2.0
// Everything of a forwarding lives in the exchange's arena and ends with the answer.
#include "http/forward.h"

#include <string.h>

struct forwarding {
        struct http_exchange *exchange;
        http_forward_done *done;
        void (*see)(void *user, struct bytes body);
        void *user;
};

static bool is_added(const struct http_forward_options *options, struct bytes name) {
        for (size_t i = 0; i < options->add_count; i++)
                if (bytes_equal_ignore_case(options->add[i].name, name))
                        return true;
        return false;
}

static bool passes(const struct http_header *headers, size_t count, bool has_nominated, struct bytes name) {
        return !http_hop_by_hop(http_known(name)) && !(has_nominated && http_nominated(headers, count, name));
}

// The exchange's own target, of which an absolute-form keeps path and query.
static struct bytes own_target(const struct http_exchange *exchange) {
        if (exchange->target.data[0] == '/')
                return exchange->target;
        if (!exchange->query.size)
                return exchange->path;
        char *target = arena_print(exchange->arena, "%.*s?%.*s", BYTES_PRINT(exchange->path), BYTES_PRINT(exchange->query));
        return bytes_of(target);
}

static unsigned failure_status(const struct http_call_result *result) {
        if (result->outcome == HTTP_CALL_NOT_SENT)
                return 503;
        return result->outcome == HTTP_CALL_TIMEOUT ? 504 : 502;
}

void http_forward_answer(struct http_exchange *exchange, const struct http_call_result *result) {
        if (result->outcome != HTTP_CALL_OK) {
                static const char *const codes[] = {
                        [HTTP_CALL_NOT_SENT] = "provider-unavailable", [HTTP_CALL_BROKEN] = "provider-broke",
                        [HTTP_CALL_TIMEOUT] = "provider-timeout", [HTTP_CALL_MALFORMED] = "provider-malformed",
                };
                http_answer_error(exchange, failure_status(result), codes[result->outcome], result->reason);
                return;
        }
        struct http_header *headers = arena_alloc(exchange->arena, result->header_count * sizeof *headers);
        size_t count = 0;
        for (size_t i = 0; i < result->header_count; i++)
                if (passes(result->headers, result->header_count, result->has_nominated, result->headers[i].name))
                        headers[count++] = result->headers[i];
        http_answer(exchange, result->status, headers, count, result->body);
}

static void answered(void *user, const struct http_call_result *result) {
        struct forwarding forwarding = *(struct forwarding *)user;      // the answer resets the arena it lies in
        struct http_exchange *exchange = forwarding.exchange;
        struct http_forwarded forwarded = {
                .outcome = result->outcome, .sent = result->sent,
                .status = result->outcome == HTTP_CALL_OK ? result->status : (uint16_t)failure_status(result),
                .duration_ns = loop_now_ns(exchange->loop) - exchange->began_ns,
        };
        if (forwarding.see && result->outcome == HTTP_CALL_OK)
                forwarding.see(forwarding.user, result->body);
        http_forward_answer(exchange, result);
        if (forwarding.done)
                forwarding.done(forwarding.user, &forwarded);
}

void http_forward(struct http_exchange *exchange, struct http_upstream *upstream, const struct http_forward_options *options,
                  http_forward_done *done, void *user) {
        static const struct http_forward_options none;
        if (!options)
                options = &none;
        size_t most = exchange->header_count + options->add_count, count = 0;
        struct http_header *headers = arena_alloc(exchange->arena, most * sizeof *headers);
        for (size_t i = 0; i < exchange->header_count; i++) {
                const struct http_header *header = &exchange->headers[i];
                if (passes(exchange->headers, exchange->header_count, exchange->has_nominated, header->name) &&
                    !is_added(options, header->name))
                        headers[count++] = *header;
        }
        for (size_t i = 0; i < options->add_count; i++)
                headers[count++] = options->add[i];
        struct forwarding *forwarding = arena_alloc(exchange->arena, sizeof *forwarding);
        *forwarding = (struct forwarding){exchange, done, options->see, user};
        struct http_call_options call = {
                .method = exchange->method,
                .target = options->target.size ? options->target : own_target(exchange),
                .headers = headers, .header_count = count,
                .body = exchange->body,
                .timeout_ns = options->timeout_ns,
                .repeatable = options->repeatable || http_method_safe(exchange->method),
        };
        http_call(upstream, &call, answered, forwarding);
}
