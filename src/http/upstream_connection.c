// SPDX-License-Identifier: Apache-2.0
// One connection to a service (a link): connecting, writing a call's request, reading its response.
#include "http/client_priv.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void bury(struct loop_task *task) {
        struct http_link *carrier = CONTAINER_OF(task, struct http_link, burial);
        struct http_upstream *upstream = carrier->upstream;
        free(carrier);
        upstream_release(upstream);
}

void link_kill(struct http_link *carrier) {
        if (carrier->state == LINK_DEAD)
                return;
        struct http_upstream *upstream = carrier->upstream;
        ASSERT(!carrier->call);
        upstream->connecting -= carrier->state == LINK_CONNECTING;
        upstream->stats.idle -= carrier->state == LINK_IDLE;
        upstream->stats.connections--;
        carrier->state = LINK_DEAD;
        int fd = carrier->watch.fd;
        loop_unwatch(upstream->loop, &carrier->watch);
        close(fd);
        loop_timeout_disarm(&carrier->timeout);
        list_remove(&carrier->link);
        loop_defer(upstream->loop, &carrier->burial);
}

static void become_idle(struct http_link *carrier) {
        struct http_upstream *upstream = carrier->upstream;
        carrier->state = LINK_IDLE;
        carrier->call = NULL;
        upstream->stats.idle++;
        list_remove(&carrier->link);
        list_prepend(&upstream->idle, &carrier->link);
        loop_timeout_arm(upstream->loop, &upstream->idle_class, &carrier->timeout);
}

// The link died under its call. Whether the call may have been executed decides what becomes of it.
static void lose(struct http_link *carrier, const char *reason) {
        struct http_call *call = carrier->call;
        struct http_upstream *upstream = carrier->upstream;
        bool safe = !call->written || call->repeatable;
        if (!call->began && carrier->reused && safe) {
                upstream->stats.repeated++;
                call->repeated |= call->written != 0;
                call_requeue(call);
        } else {
                call_fail(call, call->written ? HTTP_CALL_BROKEN : HTTP_CALL_NOT_SENT, reason);
        }
        link_kill(carrier);
        upstream_pump(upstream);
}

static void spoil(struct http_link *carrier, const char *reason) {
        struct http_upstream *upstream = carrier->upstream;
        call_fail(carrier->call, HTTP_CALL_MALFORMED, reason);
        link_kill(carrier);
        upstream_pump(upstream);
}

// false: the connection broke.
static bool write_request(struct http_link *carrier) {
        struct http_call *call = carrier->call;
        while (call->written < call->out.size) {
                ssize_t sent = send(carrier->watch.fd, call->out.data + call->written, call->out.size - call->written,
                                    MSG_NOSIGNAL);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0)
                        return errno == EAGAIN;
                call->written += (size_t)sent;
                call->sent = true;
        }
        return true;
}

// Whether bytes came that belong to no call. Only asked when the last read did not empty the socket.
static bool has_extra(struct http_link *carrier) {
        char byte;
        return carrier->readable && (recv(carrier->watch.fd, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN);
}

// The response is whole. The link goes back first, so that those who wait, and the callback, can use it.
static void complete(struct http_link *carrier) {
        struct http_upstream *upstream = carrier->upstream;
        struct http_call *call = carrier->call;
        const struct http_incoming *incoming = &call->incoming;
        bool extra = incoming->block->begin < incoming->block->end || has_extra(carrier);
        bool keep = incoming->head.keep_alive && incoming->head.framing != HTTP_BY_CLOSE && !extra && !carrier->ending &&
                call->written == call->out.size && !upstream->freed;
        carrier->call = NULL;
        call->carrier = NULL;
        carrier->reused = true;
        carrier->readable = false;
        upstream_hold(upstream);
        if (keep)
                become_idle(carrier);
        else
                link_kill(carrier);
        if (upstream->stats.queued)
                upstream_pump(upstream);
        call_succeed(call);
        upstream_release(upstream);
}

// What is there of the response. MORE: another read; DONE and REFUSED: the link has nothing more to do with the call.
static enum http_parse take_response(struct http_link *carrier) {
        struct http_call *call = carrier->call;
        struct http_upstream *upstream = carrier->upstream;
        struct http_incoming *incoming = &call->incoming;
        struct http_refusal refusal = {0};
        enum http_parse parse = HTTP_PARSE_DONE;
        while (!call->in_body) {
                if (incoming->scanned == incoming->block->end)
                        return HTTP_PARSE_MORE;
                parse = http_incoming_response(incoming, &upstream->limits, call->to_head, &refusal);
                if (parse != HTTP_PARSE_DONE)
                        break;
                call->in_body = incoming->head.status >= 200;
                if (incoming->head.status == 101 || (!call->in_body && ++call->interim > INTERIM_MAX)) {
                        refusal.message = "an informational response that was not asked for";
                        parse = HTTP_PARSE_REFUSED;
                        break;
                }
                if (!call->in_body)
                        http_incoming_reset(incoming);
        }
        if (parse == HTTP_PARSE_DONE)
                parse = http_incoming_body(incoming, upstream->options.max_response, &refusal);
        if (parse == HTTP_PARSE_REFUSED)
                spoil(carrier, refusal.message);
        else if (parse == HTTP_PARSE_DONE)
                complete(carrier);
        return parse;
}

static void at_end(struct http_link *carrier, const char *reason) {
        struct http_call *call = carrier->call;
        if (call->in_body && call->incoming.head.framing == HTTP_BY_CLOSE && !reason) {
                http_incoming_close(&call->incoming);
                complete(carrier);
        } else {
                lose(carrier, reason ? reason : "the connection was closed before the response was whole");
        }
}

static void read_response(struct http_link *carrier) {
        struct http_call *call = carrier->call;
        struct http_incoming *incoming = &call->incoming;
        if (!incoming->block)
                incoming->block = http_block_get(&carrier->upstream->blocks);
        while (carrier->readable) {
                size_t room;
                char *memory = http_incoming_room(incoming, carrier->upstream->options.max_response, &room);
                ssize_t got = recv(carrier->watch.fd, memory, room, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0 && errno == EAGAIN) {
                        carrier->readable = false;
                        return;
                }
                if (got <= 0) {
                        at_end(carrier, got < 0 ? "the connection broke" : NULL);
                        return;
                }
                call->began = true;
                if ((size_t)got < room && !carrier->ending)
                        carrier->readable = false;
                http_incoming_add(incoming, (size_t)got);
                if (take_response(carrier) != HTTP_PARSE_MORE)
                        return;
        }
}

static void connected(struct http_link *carrier, uint32_t events) {
        struct http_upstream *upstream = carrier->upstream;
        int failure = 0;
        socklen_t size = sizeof failure;
        if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
                return;
        if (getsockopt(carrier->watch.fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
                failure = errno;
        unsigned attempt = carrier->attempt;
        if (failure || events & (EPOLLERR | EPOLLHUP)) {
                link_kill(carrier);
                upstream_connect_failed(upstream, attempt, failure == ECONNREFUSED ? "connection refused" : "connecting failed");
                return;
        }
        upstream->connecting--;
        if (attempt)
                upstream->preferred = (upstream->preferred + attempt) % upstream->address_count;
        become_idle(carrier);
        upstream_pump(upstream);
        // A provider that speaks first, usually to say that it is overloaded: its edge has been seen and will not come again.
        if (!(events & (EPOLLIN | EPOLLRDHUP)))
                return;
        carrier->ending = events & EPOLLRDHUP;
        carrier->readable = true;
        if (carrier->state == LINK_BUSY)
                read_response(carrier);
        else
                link_kill(carrier);
}

static void ready(struct loop_watch *watch, uint32_t events) {
        struct http_link *carrier = CONTAINER_OF(watch, struct http_link, watch);
        switch (carrier->state) {
        case LINK_CONNECTING:
                connected(carrier, events);
                return;
        case LINK_IDLE:
                // Writability says nothing; whatever else comes means that it is over.
                if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
                        link_kill(carrier);
                return;
        case LINK_BUSY:
                break;
        case LINK_DEAD:
                return;
        }
        if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP))
                carrier->ending = true;
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP))
                carrier->readable = true;
        // A response may have come before the connection broke (a refusal of a long body): reading decides.
        if (carrier->call->written < carrier->call->out.size && (events & EPOLLOUT) && !write_request(carrier))
                carrier->readable = true;
        if (carrier->readable)
                read_response(carrier);
}

static void too_late(struct loop_timeout *timeout) {
        struct http_link *carrier = CONTAINER_OF(timeout, struct http_link, timeout);
        struct http_upstream *upstream = carrier->upstream;
        bool was_connecting = carrier->state == LINK_CONNECTING;
        unsigned attempt = carrier->attempt;
        link_kill(carrier);
        if (was_connecting)
                upstream_connect_failed(upstream, attempt, "connecting took too long");
}

bool link_open(struct http_upstream *upstream, const struct http_address *address, unsigned attempt) {
        int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return false;
        int on = 1;
        struct http_link *carrier = must_calloc(1, sizeof *carrier);
        carrier->watch = (struct loop_watch){-1, ready};
        carrier->upstream = upstream;
        carrier->burial.run = bury;
        carrier->attempt = attempt;
        loop_timeout_init(&carrier->timeout, too_late);
        bool good = !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) &&
                (!connect(fd, &address->any, address->size) || errno == EINPROGRESS) &&
                loop_watch(upstream->loop, &carrier->watch, fd, NULL);
        if (!good) {
                close(fd);
                free(carrier);
                return false;
        }
        upstream_hold(upstream);
        upstream->connecting++;
        upstream->stats.connections++;
        upstream->stats.connects++;
        list_append(&upstream->others, &carrier->link);
        loop_timeout_arm(upstream->loop, &upstream->connect_class, &carrier->timeout);
        return true;
}

void link_carry(struct http_link *carrier, struct http_call *call) {
        struct http_upstream *upstream = carrier->upstream;
        ASSERT(carrier->state == LINK_IDLE && call->state == CALL_QUEUED);
        carrier->state = LINK_BUSY;
        carrier->call = call;
        carrier->readable = false;
        upstream->stats.idle--;
        upstream->stats.queued--;
        loop_timeout_disarm(&carrier->timeout);
        list_remove(&carrier->link);
        list_append(&upstream->others, &carrier->link);
        list_remove(&call->link);
        list_append(&upstream->active, &call->link);
        call->state = CALL_ACTIVE;
        call->carrier = carrier;
        // What an idle connection may hold unread is no answer to this call, so it is not looked at.
        if (!write_request(carrier))
                lose(carrier, "the connection broke");
}
