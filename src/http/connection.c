// SPDX-License-Identifier: Apache-2.0
// A server's connection: reading requests and giving them to the handler, one at a time. The states and their invariants are
// enum connection_state in server_priv.h; the moves that exist are the table below.
#include "http/server_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        REQUESTS_PER_TURN = 64,         // of one connection, before others have their turn
        LINGER_BYTES_MAX = 4 * 1024 * 1024,
};

#define MAY(state) (1u << CONNECTION_##state)
static const unsigned moves[] = {
        [CONNECTION_IDLE] = MAY(HEAD) | MAY(DEAD),
        [CONNECTION_HEAD] = MAY(BODY) | MAY(HANDLING) | MAY(WRITING) | MAY(LINGERING) | MAY(DEAD),
        [CONNECTION_BODY] = MAY(HANDLING) | MAY(WRITING) | MAY(LINGERING) | MAY(DEAD),
        [CONNECTION_HANDLING] = MAY(IDLE) | MAY(WRITING) | MAY(LINGERING) | MAY(DEAD),
        [CONNECTION_WRITING] = MAY(IDLE) | MAY(LINGERING) | MAY(DEAD),
        [CONNECTION_LINGERING] = MAY(DEAD),
        [CONNECTION_DEAD] = 0,
};

void connection_move(struct http_connection *connection, enum connection_state state) {
        ASSERT(moves[connection->state] & 1u << state);
        connection->state = state;
}

static void arm(struct http_connection *connection, struct loop_class *class) {
        loop_timeout_arm(connection->server->loop, class, &connection->timeout);
}

static void bury(struct loop_task *task) {
        struct http_connection *connection = CONTAINER_OF(task, struct http_connection, burial);
        struct http_server *server = connection->server;
        buffer_free(&connection->out);
        free(connection);
        if (server->accept_waits && !server->stopping)
                server_accept(server);
        server_release(server);
}

void connection_kill(struct http_connection *connection) {
        if (connection->state == CONNECTION_DEAD)
                return;
        struct http_server *server = connection->server;
        connection_move(connection, CONNECTION_DEAD);
        int fd = connection->watch.fd;
        loop_unwatch(server->loop, &connection->watch);
        close(fd);
        loop_timeout_disarm(&connection->timeout);
        list_remove(&connection->link);
        struct http_exchange_own *exchange = TAKE(connection->exchange);
        if (exchange) {
                exchange->connection = NULL;
                atomic_store_explicit(&exchange->gone, true, memory_order_relaxed);
                if (!exchange->open)
                        exchange_put(exchange);
        }
        server->stats.connections--;
        loop_defer(server->loop, &connection->burial);
        server_check_drained(server);
}

static void too_late(struct loop_timeout *timeout) {
        struct http_connection *connection = CONTAINER_OF(timeout, struct http_connection, timeout);
        if (connection->state == CONNECTION_HEAD || connection->state == CONNECTION_BODY)
                exchange_refuse(connection, &(struct http_refusal){408, "request-timeout", "the request did not come in time"});
        else
                connection_kill(connection);
}

static void ready(struct loop_watch *watch, uint32_t events) {
        struct http_connection *connection = CONTAINER_OF(watch, struct http_connection, watch);
        // Gone in both directions: no answer can reach the client. While lingering one of them is closed from here.
        if (events & EPOLLERR || (events & EPOLLHUP && connection->state != CONNECTION_LINGERING)) {
                connection_kill(connection);
                return;
        }
        if (events & (EPOLLRDHUP | EPOLLHUP))
                connection->ending = true;
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
                connection->readable = true;
        if (connection->state == CONNECTION_WRITING && (events & EPOLLOUT))
                exchange_write_more(connection);
        else
                connection_advance(connection);
}

static void resume(struct loop_task *task) {
        struct http_connection *connection = CONTAINER_OF(task, struct http_connection, resumption);
        connection->resuming = false;
        connection_advance(connection);
        if (connection->server->stopping)
                connection_end_idle(connection);
}

static void advance_later(struct http_connection *connection) {
        connection->resuming = true;
        loop_defer(connection->server->loop, &connection->resumption);
}

void connection_new(struct http_server *server, int fd, const struct http_address *peer) {
        struct http_connection *connection = must_calloc(1, sizeof *connection);
        connection->watch = (struct loop_watch){-1, ready};
        connection->server = server;
        connection->burial.run = bury;
        connection->resumption.run = resume;
        connection->peer = *peer;
        loop_timeout_init(&connection->timeout, too_late);
        if (!loop_watch(server->loop, &connection->watch, fd, NULL)) {
                close(fd);              // the system's limit of watches: as if it had not been accepted
                free(connection);
                return;
        }
        list_append(&server->connections, &connection->link);
        server->holders++;
        server->stats.connections++;
        server->stats.accepted++;
        arm(connection, &server->head);
}

// Reads at most size bytes. Returns 0 if there is nothing now, at the end (ended is set), and on a dead connection.
static size_t read_some(struct http_connection *connection, char *memory, size_t size) {
        while (connection->readable) {
                ssize_t got = recv(connection->watch.fd, memory, size, 0);
                if (got > 0) {
                        // A short read has emptied the socket, unless the end of the stream waits behind it.
                        if ((size_t)got < size && !connection->ending)
                                connection->readable = false;
                        return (size_t)got;
                }
                if (got < 0 && errno == EINTR)
                        continue;
                connection->readable = false;
                if (got == 0)
                        connection->ended = true;
                else if (errno != EAGAIN)
                        connection_kill(connection);
        }
        return 0;
}

// Reads what comes next of the request; false: nothing now, or the connection died, or it ended.
static bool read_request(struct http_connection *connection) {
        size_t room;
        struct http_incoming *incoming = &connection->exchange->incoming;
        char *memory = http_incoming_room(incoming, connection->server->options.max_body, &room);
        size_t got = read_some(connection, memory, room);
        if (!got)
                return false;           // the exchange may be gone
        http_incoming_add(incoming, got);
        return true;
}

static void give_to_handler(struct http_connection *connection) {
        struct http_server *server = connection->server;
        struct http_exchange_own *exchange = connection->exchange;
        const struct http_head *head = &exchange->incoming.head;
        struct http_exchange *shown = &exchange->shown;
        loop_timeout_disarm(&connection->timeout);
        connection_move(connection, CONNECTION_HANDLING);
        connection->closing = !head->keep_alive;
        connection->served = true;
        exchange->open = true;
        server->stats.exchanges++;
        server->stats.requests++;
        shown->target = head->target;
        shown->path = head->path;
        shown->query = head->query;
        shown->headers = head->headers;
        shown->header_count = head->header_count;
        shown->has_nominated = head->has_nominated;
        shown->body = exchange->incoming.content;
        shown->began_ns = loop_now_ns(server->loop);
        server->handle(server->user, shown);
}

// What is there of the body; false: nothing more can be done now.
static bool advance_body(struct http_connection *connection) {
        struct http_refusal refusal;
        switch (http_incoming_body(&connection->exchange->incoming, connection->server->options.max_body, &refusal)) {
        case HTTP_PARSE_DONE:
                give_to_handler(connection);
                return true;
        case HTTP_PARSE_REFUSED:
                exchange_refuse(connection, &refusal);
                return true;
        case HTTP_PARSE_MORE:
                break;
        }
        if (connection->state == CONNECTION_HEAD) {
                connection_move(connection, CONNECTION_BODY);
                arm(connection, &connection->server->body);
        }
        return read_request(connection);
}

// The head is whole. The body is looked at once before anything is armed or said: usually it is there.
static bool begin_body(struct http_connection *connection) {
        struct http_incoming *incoming = &connection->exchange->incoming;
        connection->exchange->shown.method = incoming->head.method;
        bool waits = incoming->head.expect_continue && incoming->block->begin == incoming->block->end &&
                incoming->head.framing != HTTP_NO_BODY && incoming->head.length <= connection->server->options.max_body;
        struct bytes go_on = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
        // Nothing else is being written: only a dead client takes no 25 bytes.
        if (waits && send(connection->watch.fd, go_on.data, go_on.size, MSG_NOSIGNAL) != (ssize_t)go_on.size) {
                connection_kill(connection);
                return false;
        }
        return advance_body(connection);
}

// false: nothing more can be done now.
static bool advance_head(struct http_connection *connection) {
        struct http_server *server = connection->server;
        if (!connection->exchange) {
                if (!connection->readable)
                        return false;
                connection->exchange = exchange_get(server);
                connection->exchange->connection = connection;
                connection->exchange->incoming.block = http_block_get(&server->blocks);
        }
        struct http_incoming *incoming = &connection->exchange->incoming;
        if (incoming->scanned == incoming->block->end && !read_request(connection)) {
                if (connection->state == CONNECTION_IDLE)
                        exchange_put(TAKE(connection->exchange));       // it has no byte
                return false;
        }
        bool was_idle = connection->state == CONNECTION_IDLE;
        if (was_idle)
                connection_move(connection, CONNECTION_HEAD);
        struct http_refusal refusal;
        switch (http_incoming_request(incoming, &server->options.limits, &refusal)) {
        case HTTP_PARSE_MORE:
                if (was_idle)
                        arm(connection, &server->head);
                return true;
        case HTTP_PARSE_DONE:
                return begin_body(connection);
        case HTTP_PARSE_REFUSED:
                exchange_refuse(connection, &refusal);
                return true;
        }
        return false;
}

static void linger(struct http_connection *connection) {
        char waste[HTTP_READ_MOST];
        for (size_t got; (got = read_some(connection, waste, sizeof waste)); ) {
                connection->dropped += got;
                if (connection->dropped > LINGER_BYTES_MAX) {
                        connection_kill(connection);
                        return;
                }
        }
}

// The client will send nothing more: between requests, in the middle of one that will never be whole, or after the last.
// What is being handled or written is still answered.
static void end_reading(struct http_connection *connection) {
        bool pending = connection->state == CONNECTION_HANDLING || connection->state == CONNECTION_WRITING;
        if (connection->ended && !pending && !connection->resuming && connection->state != CONNECTION_DEAD)
                connection_kill(connection);
}

void connection_advance(struct http_connection *connection) {
        if (connection->advancing || connection->resuming)
                return;
        connection->advancing = true;
        unsigned handled = 0;
        bool moved = true;
        while (moved) {
                switch (connection->state) {
                case CONNECTION_IDLE: case CONNECTION_HEAD:
                        if (handled++ == REQUESTS_PER_TURN) {
                                advance_later(connection);
                                moved = false;
                        } else {
                                moved = advance_head(connection);
                        }
                        break;
                case CONNECTION_BODY:
                        moved = advance_body(connection);
                        break;
                case CONNECTION_LINGERING:
                        linger(connection);
                        moved = false;
                        break;
                case CONNECTION_HANDLING: case CONNECTION_WRITING: case CONNECTION_DEAD:
                        moved = false;
                        break;
                }
        }
        connection->advancing = false;
        end_reading(connection);
}

// Between requests there is nothing to wait for, unless one is there and only has not been read. Who has just connected is about to
// send its first, and is given `linger` for it: it would have to take a reset for a refusal.
void connection_end_idle(struct http_connection *connection) {
        if (connection->state != CONNECTION_IDLE || connection->resuming)
                return;         // resume looks again
        connection->readable = true;
        connection_advance(connection);
        if (connection->state != CONNECTION_IDLE)
                return;
        if (connection->served)
                connection_kill(connection);
        else
                arm(connection, &connection->server->linger);
}

void connection_written(struct http_connection *connection) {
        struct http_server *server = connection->server;
        struct http_exchange_own *exchange = connection->exchange;
        bool more = exchange->incoming.block->begin < exchange->incoming.block->end;
        if (connection->closing || server->stopping) {
                // Closing a socket that holds unread bytes resets it, and the client may lose the answer: first take them.
                if (!connection->ended && (connection->refused || more || connection->readable || server->stopping)) {
                        exchange_put(TAKE(connection->exchange));
                        connection_move(connection, CONNECTION_LINGERING);
                        shutdown(connection->watch.fd, SHUT_WR);
                        arm(connection, &server->linger);
                        connection_advance(connection);
                } else {
                        connection_kill(connection);
                }
                return;
        }
        connection_move(connection, CONNECTION_IDLE);
        arm(connection, &server->idle);
        if (more)
                exchange_reset(exchange);
        else
                exchange_put(TAKE(connection->exchange));
        // Who answers is in the middle of something of its own: the handler is not called from there.
        if (!connection->advancing && (more || connection->readable || connection->ended))
                advance_later(connection);
}
