// SPDX-License-Identifier: Apache-2.0
// Options, accepting, shutdown; listeners are in listener.c. See server_priv.h for who owns what.
#include "http/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_priv.h"

enum { DEFAULT_CONNECTIONS = 10000, LINGER_SECONDS = 2, ACCEPT_PAUSE_MS = 100 };

static void accept_again(struct loop_timer *timer) {
        server_accept(CONTAINER_OF(timer, struct http_server, accept_again));
}

static void close_listeners(struct http_server *server) {
        for (size_t i = 0; i < server->listener_count; i++) {
                struct loop_watch *watch = &server->listeners[i].watch;
                int fd = watch->fd;
                loop_unwatch(server->loop, watch);
                close(fd);
        }
        server->listener_count = 0;
        loop_timer_cancel(server->loop, &server->accept_again);
}

static void say_drained(struct loop_task *task) {
        struct http_server *server = CONTAINER_OF(task, struct http_server, drained_task);
        if (server->drained)
                server->drained(server->drained_user);
        server_release(server);
}

void server_check_drained(struct http_server *server) {
        if (!server->stopping || server->drained_called || server->stats.connections || server->stats.exchanges)
                return;
        server->drained_called = true;
        loop_timer_cancel(server->loop, &server->deadline);
        server->holders++;              // the task
        loop_defer(server->loop, &server->drained_task);
}

static void cut_all(struct loop_timer *timer) {
        struct http_server *server = CONTAINER_OF(timer, struct http_server, deadline);
        LIST_FOR_EACH_SAFE(link, &server->connections)
                connection_kill(CONTAINER_OF(link, struct http_connection, link));
}

static void fill_defaults(struct http_server_options *options) {
        struct http_limits most = http_limits_default();
#define DEFAULT(field, value) options->field = options->field ? options->field : (value)
        DEFAULT(limits.max_head, most.max_head);
        DEFAULT(limits.max_headers, most.max_headers);
        DEFAULT(limits.max_target, most.max_target);
        DEFAULT(max_body, HTTP_BODY_MAX);
        DEFAULT(max_connections, DEFAULT_CONNECTIONS);
        DEFAULT(head_ns, SECONDS(10));
        DEFAULT(body_ns, SECONDS(30));
        DEFAULT(idle_ns, SECONDS(75));
        DEFAULT(write_ns, SECONDS(30));
#undef DEFAULT
}

bool http_server_new(struct loop *loop, const struct http_server_options *options, http_handle *handle, void *user,
                     struct http_server **ret_server, struct error *error) {
        struct http_limits most = http_limits_default();
        struct http_server_options filled = options ? *options : (struct http_server_options){0};
        fill_defaults(&filled);
        if (filled.limits.max_head > most.max_head || filled.limits.max_headers > most.max_headers)
                return error_set(error, ERROR_INVALID, "limits of an HTTP server: at most %zu bytes of head and %zu headers",
                                 most.max_head, most.max_headers);
        struct http_server *server = must_calloc(1, sizeof *server);
        server->loop = loop;
        server->options = filled;
        server->handle = handle;
        server->user = user;
        server->holders = 1;
        server->accept_again.fire = accept_again;
        server->deadline.fire = cut_all;
        server->drained_task.run = say_drained;
        list_init(&server->connections);
        loop_class_add(loop, &server->head, filled.head_ns);
        loop_class_add(loop, &server->body, filled.body_ns);
        loop_class_add(loop, &server->idle, filled.idle_ns);
        loop_class_add(loop, &server->write, filled.write_ns);
        loop_class_add(loop, &server->linger, SECONDS(LINGER_SECONDS));
        *ret_server = server;
        return true;
}

// Takes what waits at one listener; false: not now, and server_accept must be called again.
static bool accept_from(struct http_server *server, int listener) {
        for (;;) {
                if (server->stats.connections >= server->options.max_connections) {
                        server->accept_waits = true;
                        return false;
                }
                struct http_address peer = {.size = sizeof peer.v6};
                int fd = accept4(listener, &peer.any, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd >= 0) {
                        connection_new(server, fd, &peer);
                } else if (errno == EAGAIN) {
                        return true;
                } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                        uint64_t again = loop_now_ns(server->loop) + MILLISECONDS(ACCEPT_PAUSE_MS);
                        loop_timer_set(server->loop, &server->accept_again, again);
                        return false;
                }
                // Anything else is about that one connection, which died before it was accepted (accept(2)).
        }
}

void server_accept(struct http_server *server) {
        server->accept_waits = false;
        for (size_t i = 0; i < server->listener_count; i++)
                if (!accept_from(server, server->listeners[i].watch.fd))
                        return;
}

static void shut_down(struct http_server *server, uint64_t deadline_ns, bool keep_waiting, void (*drained)(void *user),
                      void *user) {
        if (server->stopping)
                return;
        server->stopping = true;
        server->drained = drained;
        server->drained_user = user;
        loop_timer_set(server->loop, &server->deadline, loop_now_ns(server->loop) + deadline_ns);
        if (!keep_waiting)
                server_accept(server);                  // who waits has been told that it is connected
        close_listeners(server);
        LIST_FOR_EACH_SAFE(link, &server->connections)
                connection_end_idle(CONTAINER_OF(link, struct http_connection, link));
        server_check_drained(server);
}

void http_server_shutdown(struct http_server *server, uint64_t deadline_ns, void (*drained)(void *user), void *user) {
        shut_down(server, deadline_ns, false, drained, user);
}

void http_server_hand_over(struct http_server *server, uint64_t deadline_ns, void (*drained)(void *user), void *user) {
        shut_down(server, deadline_ns, true, drained, user);
}

void http_server_free(struct http_server *server) {
        if (!server)
                return;
        ASSERT(!server->stats.exchanges);
        close_listeners(server);
        loop_timer_cancel(server->loop, &server->deadline);
        server->drained = NULL;
        server->stopping = true;
        server->drained_called = true;
        LIST_FOR_EACH_SAFE(link, &server->connections)
                connection_kill(CONTAINER_OF(link, struct http_connection, link));
        server_release(server);
}

void server_release(struct http_server *server) {
        ASSERT(server->holders > 0);
        if (--server->holders)
                return;
        loop_class_remove(&server->head);
        loop_class_remove(&server->body);
        loop_class_remove(&server->idle);
        loop_class_remove(&server->write);
        loop_class_remove(&server->linger);
        for (struct http_exchange_own *exchange; (exchange = server->free_exchanges); ) {
                server->free_exchanges = exchange->next;
                arena_free(&exchange->arena);
                buffer_free(&exchange->incoming.body);
                free(exchange);
        }
        http_blocks_free(&server->blocks);
        buffer_free(&server->out);
        free(server);
}

void http_server_stats(const struct http_server *server, struct http_server_stats *ret_stats) {
        *ret_stats = server->stats;
}
