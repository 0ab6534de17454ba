// SPDX-License-Identifier: Apache-2.0
// Calls: what is sent, and what becomes of it.
//
//      QUEUED ⇄ ACTIVE → OVER (answered, or its callback was called)
//      QUEUED, ACTIVE → ENDING → OVER (failed: told at the end of the batch)
#include "http/client_priv.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TIMEOUT_SECONDS = 30 };

static void end(struct loop_task *task) {
        struct http_call *call = CONTAINER_OF(task, struct http_call, ending);
        struct http_upstream *upstream = call->upstream;
        http_call_done *done = call->done;
        void *user = call->user;
        struct http_call_result result = call->result;
        bool silent = call->cancelled || upstream->freed;
        call_free(call);
        if (!silent)
                done(user, &result);
        upstream_release(upstream);
}

static void leave(struct http_call *call) {
        if (call->state == CALL_QUEUED)
                call->upstream->stats.queued--;
        list_remove(&call->link);
        loop_timer_cancel(call->upstream->loop, &call->timer);
        if (call->carrier)
                call->carrier->call = NULL;
        call->carrier = NULL;
}

void call_fail(struct http_call *call, enum http_call_outcome outcome, const char *reason) {
        ASSERT(call->state == CALL_QUEUED || call->state == CALL_ACTIVE);
        leave(call);
        // What an earlier connection took may have been executed, whatever the last one says.
        if (outcome == HTTP_CALL_NOT_SENT && call->sent)
                outcome = HTTP_CALL_BROKEN;
        call->state = CALL_ENDING;
        call->result = (struct http_call_result){.outcome = outcome, .sent = call->sent, .reason = reason};
        upstream_hold(call->upstream);
        loop_defer(call->upstream->loop, &call->ending);
}

void call_succeed(struct http_call *call) {
        ASSERT(call->state == CALL_ACTIVE);
        struct http_upstream *upstream = call->upstream;
        leave(call);
        call->state = CALL_OVER;
        const struct http_incoming *incoming = &call->incoming;
        struct http_call_result result = {
                .outcome = HTTP_CALL_OK, .sent = true, .repeated = call->repeated, .status = incoming->head.status,
                .headers = incoming->head.headers,
                .header_count = incoming->head.header_count, .has_nominated = incoming->head.has_nominated,
                .body = incoming->content,
        };
        upstream_hold(upstream);
        call->done(call->user, &result);
        call_free(call);
        upstream_release(upstream);
}

static void restart(struct http_call *call) {
        http_block_put(&call->upstream->blocks, TAKE(call->incoming.block));
        http_incoming_reset(&call->incoming);
        call->written = 0;
        call->began = call->in_body = false;
        call->interim = 0;
}

void call_requeue(struct http_call *call) {
        ASSERT(call->state == CALL_ACTIVE && !call->began);
        list_remove(&call->link);
        if (call->carrier)
                call->carrier->call = NULL;
        call->carrier = NULL;
        restart(call);
        call->state = CALL_QUEUED;
        call->upstream->stats.queued++;
        list_prepend(&call->upstream->queue, &call->link);
}

void call_free(struct http_call *call) {
        struct http_upstream *upstream = call->upstream;
        restart(call);
        call->state = CALL_OVER;
        if (call->out.capacity > REQUEST_KEPT)
                buffer_free(&call->out);
        if (upstream->free_count == CALLS_KEPT) {
                buffer_free(&call->out);
                buffer_free(&call->incoming.body);
                free(call);
                return;
        }
        call->next = upstream->free_calls;
        upstream->free_calls = call;
        upstream->free_count++;
}

static void too_late(struct loop_timer *timer) {
        struct http_call *call = CONTAINER_OF(timer, struct http_call, timer);
        struct http_link *carrier = call->carrier;
        struct http_upstream *upstream = call->upstream;
        call_fail(call, HTTP_CALL_TIMEOUT, call->sent ? "no response in time" : "no connection in time");
        if (carrier)
                link_kill(carrier);
        upstream_pump(upstream);
}

static struct http_call *call_get(struct http_upstream *upstream) {
        struct http_call *call = upstream->free_calls;
        if (call) {
                upstream->free_calls = call->next;
                upstream->free_count--;
        } else {
                call = must_calloc(1, sizeof *call);
                call->upstream = upstream;
                call->timer.fire = too_late;
                call->ending.run = end;
        }
        call->carrier = NULL;
        call->sent = call->cancelled = call->repeated = false;
        buffer_clear(&call->out);
        return call;
}

// Writes the request to call->out; false: something in it cannot be sent.
static bool put_request(struct http_call *call, const struct http_call_options *options) {
        const struct http_upstream *upstream = call->upstream;
        struct buffer *out = &call->out;
        if (!http_method_valid(options->method) || !http_target_valid(options->target))
                return false;
        buffer_append(out, options->method);
        buffer_append_byte(out, ' ');
        buffer_append(out, bytes_of(upstream->base));
        buffer_append(out, options->target);
        buffer_append(out, BYTES(" HTTP/1.1\r\n"));
        http_emit_header(out, BYTES("Host"), bytes_of(upstream->authority));
        for (size_t i = 0; i < options->header_count; i++) {
                const struct http_header *header = &options->headers[i];
                if (!http_header_valid(header))
                        return false;
                enum http_known known = http_known(header->name);
                if (!http_hop_by_hop(known) && known != HTTP_HOST && known != HTTP_CONTENT_LENGTH && known != HTTP_EXPECT)
                        http_emit_header(out, header->name, header->value);
        }
        // A method that usually has a body says so even when it is empty (RFC 9110, 8.6).
        bool usual = bytes_equal(options->method, BYTES("POST")) || bytes_equal(options->method, BYTES("PUT")) ||
                bytes_equal(options->method, BYTES("PATCH"));
        if (options->body.size || usual) {
                buffer_append(out, BYTES("Content-Length: "));
                http_emit_number(out, options->body.size);
                buffer_append(out, BYTES("\r\n"));
        }
        buffer_append(out, BYTES("\r\n"));
        buffer_append(out, options->body);
        return true;
}

struct http_call *http_call(struct http_upstream *upstream, const struct http_call_options *options, http_call_done *done,
                            void *user) {
        ASSERT(loop_is_here(upstream->loop) && !upstream->freed);
        struct http_call *call = call_get(upstream);
        upstream->stats.calls++;
        call->done = done;
        call->user = user;
        call->repeatable = options->repeatable;
        call->to_head = bytes_equal(options->method, BYTES("HEAD"));
        call->state = CALL_QUEUED;
        bool full = upstream->stats.queued >= upstream->options.max_queue;
        upstream->stats.queued++;
        list_append(&upstream->queue, &call->link);
        if (!put_request(call, options)) {
                call_fail(call, HTTP_CALL_NOT_SENT, "its method, target or a header cannot be sent");
                return call;
        }
        if (full && list_empty(&upstream->idle)) {
                call_fail(call, HTTP_CALL_NOT_SENT, "too many calls wait for a connection");
                return call;
        }
        uint64_t timeout = options->timeout_ns ? options->timeout_ns : SECONDS(DEFAULT_TIMEOUT_SECONDS);
        loop_timer_set(upstream->loop, &call->timer, loop_now_ns(upstream->loop) + timeout);
        upstream_pump(upstream);
        return call;
}

void http_call_cancel(struct http_call *call) {
        ASSERT(call->state != CALL_OVER);
        if (call->state == CALL_ENDING) {
                call->cancelled = true;
                return;
        }
        struct http_upstream *upstream = call->upstream;
        struct http_link *carrier = call->carrier;
        leave(call);
        call_free(call);
        if (carrier)
                link_kill(carrier);
        upstream_pump(upstream);
}

const char *http_call_outcome_name(enum http_call_outcome outcome) {
        switch (outcome) {
        case HTTP_CALL_OK: return "ok";
        case HTTP_CALL_NOT_SENT: return "not-sent";
        case HTTP_CALL_BROKEN: return "broken";
        case HTTP_CALL_TIMEOUT: return "timeout";
        case HTTP_CALL_MALFORMED: return "malformed";
        }
        return "unknown";
}
