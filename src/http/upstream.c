// SPDX-License-Identifier: Apache-2.0
// A service as seen from one loop: its addresses, its pool of connections, the queue in front of it.
#include "http/client_priv.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_CONNECTIONS = 256, DEFAULT_QUEUE = 1024 };

static void fill_defaults(struct http_upstream_options *options) {
#define DEFAULT(field, value) options->field = options->field ? options->field : (value)
        DEFAULT(max_connections, DEFAULT_CONNECTIONS);
        DEFAULT(max_queue, DEFAULT_QUEUE);
        DEFAULT(max_response, HTTP_RESPONSE_MAX);
        DEFAULT(connect_ns, SECONDS(2));
        DEFAULT(idle_ns, SECONDS(60));
        DEFAULT(resolve_ns, SECONDS(30));
#undef DEFAULT
}

bool http_upstream_new(struct loop *loop, struct bytes url, const struct http_upstream_options *options,
                       struct http_upstream **ret_upstream, struct error *error) {
        struct http_url parsed;
        if (!http_url_parse(url, &parsed, error))
                return false;
        struct http_upstream *upstream = must_calloc(1, sizeof *upstream);
        upstream->loop = loop;
        upstream->options = options ? *options : (struct http_upstream_options){0};
        fill_defaults(&upstream->options);
        upstream->limits = http_limits_default();
        upstream->host = bytes_to_text(parsed.host);
        upstream->authority = bytes_to_text(parsed.authority);
        upstream->base = bytes_to_text(parsed.base);
        upstream->port = parsed.port;
        upstream->literal = http_address_literal(parsed.host, parsed.port, &upstream->addresses[0]);
        upstream->address_count = upstream->literal;
        upstream->holders = 1;
        list_init(&upstream->idle);
        list_init(&upstream->others);
        list_init(&upstream->queue);
        list_init(&upstream->active);
        loop_class_add(loop, &upstream->connect_class, upstream->options.connect_ns);
        loop_class_add(loop, &upstream->idle_class, upstream->options.idle_ns);
        *ret_upstream = upstream;
        return true;
}

void upstream_hold(struct http_upstream *upstream) {
        upstream->holders++;
}

void upstream_release(struct http_upstream *upstream) {
        ASSERT(upstream->holders > 0);
        if (--upstream->holders)
                return;
        loop_class_remove(&upstream->connect_class);
        loop_class_remove(&upstream->idle_class);
        for (struct http_call *call; (call = upstream->free_calls); ) {
                upstream->free_calls = call->next;
                buffer_free(&call->out);
                buffer_free(&call->incoming.body);
                free(call);
        }
        http_blocks_free(&upstream->blocks);
        free(upstream->host);
        free(upstream->authority);
        free(upstream->base);
        free(upstream);
}

static void drop_calls(struct list *calls) {
        while (!list_empty(calls)) {
                struct http_call *call = LIST_FIRST(calls, struct http_call, link);
                loop_timer_cancel(call->upstream->loop, &call->timer);
                list_remove(&call->link);
                if (call->carrier)
                        call->carrier->call = NULL;
                call_free(call);
        }
}

static void drop_links(struct list *links) {
        while (!list_empty(links))
                link_kill(LIST_FIRST(links, struct http_link, link));
}

void http_upstream_free(struct http_upstream *upstream) {
        if (!upstream)
                return;
        upstream->freed = true;
        resolution_abandon(TAKE(upstream->resolution));
        drop_calls(&upstream->queue);
        drop_calls(&upstream->active);
        upstream->stats.queued = 0;
        drop_links(&upstream->idle);
        drop_links(&upstream->others);
        upstream_release(upstream);
}

static void fail_queue(struct http_upstream *upstream, const char *reason) {
        while (!list_empty(&upstream->queue))
                call_fail(LIST_FIRST(&upstream->queue, struct http_call, link), HTTP_CALL_NOT_SENT, reason);
}

// Starts looking the name up if that is due. true: there are addresses to connect to meanwhile.
static bool have_addresses(struct http_upstream *upstream) {
        uint64_t now = loop_now_ns(upstream->loop);
        bool due = !upstream->address_count || upstream->stale || now - upstream->resolved_ns >= upstream->options.resolve_ns;
        if (!upstream->literal && due && !upstream->resolution && !resolution_start(upstream)) {
                if (!upstream->address_count)
                        fail_queue(upstream, "the host's name cannot be looked up now");
        }
        return upstream->address_count;
}

void upstream_resolved(struct http_upstream *upstream, const struct http_address *addresses, unsigned count) {
        upstream->resolution = NULL;
        upstream->resolved_ns = loop_now_ns(upstream->loop);
        upstream->stale = false;
        if (count) {
                memcpy(upstream->addresses, addresses, count * sizeof *addresses);
                upstream->address_count = count;
                upstream->preferred = 0;
        } else if (!upstream->address_count) {
                fail_queue(upstream, "the host's name is not known");
        }
        upstream_pump(upstream);
}

static bool open_next(struct http_upstream *upstream, unsigned attempt) {
        for (; attempt < upstream->address_count; attempt++) {
                unsigned at = (upstream->preferred + attempt) % upstream->address_count;
                if (link_open(upstream, &upstream->addresses[at], attempt))
                        return true;
        }
        return false;
}

// A connection could not be made: the next address, or else the first of those who wait is told.
void upstream_connect_failed(struct http_upstream *upstream, unsigned attempt, const char *reason) {
        if (open_next(upstream, attempt + 1))
                return;
        upstream->stats.connect_failures++;
        upstream->stale = true;
        if (!list_empty(&upstream->queue))
                call_fail(LIST_FIRST(&upstream->queue, struct http_call, link), HTTP_CALL_NOT_SENT, reason);
        upstream_pump(upstream);
}

void upstream_pump(struct http_upstream *upstream) {
        while (!list_empty(&upstream->queue) && !upstream->freed) {
                if (!list_empty(&upstream->idle)) {
                        link_carry(LIST_FIRST(&upstream->idle, struct http_link, link),
                                   LIST_FIRST(&upstream->queue, struct http_call, link));
                        continue;
                }
                if (upstream->connecting >= upstream->stats.queued ||
                    upstream->stats.connections >= upstream->options.max_connections || !have_addresses(upstream))
                        return;
                if (!open_next(upstream, 0)) {
                        upstream->stats.connect_failures++;
                        upstream->stale = true;
                        call_fail(LIST_FIRST(&upstream->queue, struct http_call, link), HTTP_CALL_NOT_SENT,
                                  "no connection could be opened");
                }
        }
}

void http_upstream_stats(const struct http_upstream *upstream, struct http_upstream_stats *ret_stats) {
        *ret_stats = upstream->stats;
}

struct bytes http_upstream_authority(const struct http_upstream *upstream) {
        return bytes_of(upstream->authority);
}
