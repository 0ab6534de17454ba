// SPDX-License-Identifier: Apache-2.0
// Listening sockets: opened, adopted from whoever opened them before, and shown so that they can be handed on. A server closes
// what it listens on (server.c); a duplicate of the descriptor keeps the socket, and who waits in its backlog.
#include "http/server.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_priv.h"

enum { BACKLOG = 4096 };

static void accept_ready(struct loop_watch *watch, uint32_t events) {
        (void)events;
        server_accept(CONTAINER_OF(watch, struct listener, watch)->server);
}

// TCP_NODELAY is inherited by the accepted connections.
static bool open_listener(const struct http_address *address, bool shared, int *ret_fd, struct error *error) {
        int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return error_set(error, ERROR_UNAVAILABLE, "socket: %s", strerror(errno));
        int on = 1;
        const char *step = "setsockopt";
        bool good = !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
                !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) &&
                (!shared || !setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
        good = good && (step = "bind", !bind(fd, &address->any, address->size));
        good = good && (step = "listen", !listen(fd, BACKLOG));
        if (!good) {
                int failure = errno;
                close(fd);
                return error_set(error, failure == EADDRINUSE ? ERROR_CONFLICT : ERROR_UNAVAILABLE, "%s: %s", step,
                                 strerror(failure));
        }
        *ret_fd = fd;
        return true;
}

bool http_listener_open(struct bytes address, bool shared, int *ret_fd, struct error *error) {
        struct http_address parsed;
        return (http_address_parse(address, &parsed, error) && open_listener(&parsed, shared, ret_fd, error)) ||
               error_wrap(error, "listen on %.*s", BYTES_PRINT(address));
}

bool http_server_adopt(struct http_server *server, int fd, uint16_t *ret_port, struct error *error) {
        struct http_address bound = {.size = sizeof bound.v6};
        int listens = 0;
        socklen_t size = sizeof listens;
        if (server->listener_count == LISTENERS_MAX)
                return error_set(error, ERROR_LIMIT, "more than %d listeners", LISTENERS_MAX);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens || getsockname(fd, &bound.any, &bound.size))
                return error_set(error, ERROR_INVALID, "descriptor %d is no listening socket", fd);
        struct listener *listener = &server->listeners[server->listener_count];
        *listener = (struct listener){.watch = {-1, accept_ready}, .server = server};
        if (!loop_watch(server->loop, &listener->watch, fd, error))
                return false;
        server->listener_count++;
        if (ret_port)
                *ret_port = http_address_port(&bound);
        return true;
}

bool http_server_listen(struct http_server *server, struct bytes address, uint16_t *ret_port, struct error *error) {
        int fd;
        if (!http_listener_open(address, server->options.shared_port, &fd, error))
                return false;
        if (http_server_adopt(server, fd, ret_port, error))
                return true;
        close(fd);
        return error_wrap(error, "listen on %.*s", BYTES_PRINT(address));
}

int http_server_listener(const struct http_server *server, size_t index) {
        return index < server->listener_count ? server->listeners[index].watch.fd : -1;
}
