// SPDX-License-Identifier: Apache-2.0
// Answers: put together in the server's buffer, given to the socket in one call; only what the socket does not take is copied
// to the connection.
#include "http/server_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum { COPIED_BODY_MAX = 8 * 1024 };    // up to here one copy is cheaper than a second part

static void post_answer(struct loop_task *task);

struct http_exchange_own *exchange_get(struct http_server *server) {
        struct http_exchange_own *exchange = server->free_exchanges;
        if (exchange) {
                server->free_exchanges = exchange->next;
                server->free_count--;
                return exchange;
        }
        exchange = must_calloc(1, sizeof *exchange);
        exchange->server = server;
        exchange->posted.run = post_answer;
        exchange->shown.arena = &exchange->arena;
        exchange->shown.loop = server->loop;
        return exchange;
}

void exchange_reset(struct http_exchange_own *exchange) {
        arena_reset(&exchange->arena);
        http_incoming_reset(&exchange->incoming);
        exchange->shown.body = (struct bytes){0};
        exchange->shown.user = NULL;
}

void exchange_put(struct http_exchange_own *exchange) {
        struct http_server *server = exchange->server;
        ASSERT(!exchange->open);
        http_block_put(&server->blocks, TAKE(exchange->incoming.block));
        exchange_reset(exchange);
        exchange->connection = NULL;
        atomic_store_explicit(&exchange->gone, false, memory_order_relaxed);
        if (server->free_count == EXCHANGES_KEPT) {
                arena_free(&exchange->arena);
                buffer_free(&exchange->incoming.body);
                free(exchange);
                return;
        }
        exchange->next = server->free_exchanges;
        server->free_exchanges = exchange;
        server->free_count++;
}

static void refresh_date(struct http_server *server) {
        uint64_t now = loop_now_ns(server->loop);
        if (now < server->date_until_ns)
                return;
        int64_t wall = clock_wall_ms(loop_clock(server->loop));
        time_t seconds = (time_t)(wall / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        // Never localised: strftime follows LC_TIME only after setlocale, which nobody calls.
        server->date_size = strftime(server->date, sizeof server->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        server->date_until_ns = now + MILLISECONDS(1000 - wall % 1000);
}

// Whether an answer of this status to this request has a body (RFC 9110, 6.4.1).
static bool has_body(const struct http_exchange_own *exchange, unsigned status) {
        return status != 204 && status != 304 && !bytes_equal(exchange->shown.method, BYTES("HEAD"));
}

struct answer {
        unsigned status;
        const struct http_header *headers;
        size_t header_count;
        struct bytes body;
};

// The head of an answer, to the server's buffer.
static bool put_head(struct http_connection *connection, const struct answer *answer) {
        struct http_server *server = connection->server;
        struct buffer *out = &server->out;
        buffer_clear(out);
        buffer_append(out, BYTES("HTTP/1.1 "));
        http_emit_number(out, answer->status);
        buffer_append_byte(out, ' ');
        buffer_append(out, bytes_of(http_reason(answer->status)));
        buffer_append(out, BYTES("\r\n"));
        bool dated = false;
        struct bytes length = {0};
        for (size_t i = 0; i < answer->header_count; i++) {
                const struct http_header *header = &answer->headers[i];
                if (!http_header_valid(header))
                        return false;
                enum http_known known = http_known(header->name);
                dated = dated || known == HTTP_DATE;
                if (known == HTTP_CONTENT_LENGTH)
                        length = header->value;
                else if (!http_hop_by_hop(known))
                        http_emit_header(out, header->name, header->value);
        }
        if (!dated) {
                refresh_date(server);
                buffer_append(out, (struct bytes){server->date, server->date_size});
        }
        bool with_body = has_body(connection->exchange, answer->status);
        if (!with_body && length.data && answer->status != 204) {
                http_emit_header(out, BYTES("Content-Length"), length);
        } else if (with_body || (answer->status != 204 && answer->status != 304)) {
                buffer_append(out, BYTES("Content-Length: "));
                http_emit_number(out, answer->body.size);
                buffer_append(out, BYTES("\r\n"));
        }
        if (connection->closing || server->stopping)
                buffer_append(out, BYTES("Connection: close\r\n"));
        else if (!connection->exchange->incoming.head.minor)
                buffer_append(out, BYTES("Connection: keep-alive\r\n"));
        buffer_append(out, BYTES("\r\n"));
        return true;
}

// Gives head and body to the socket; what it does not take goes to connection->out.
static void write_out(struct http_connection *connection, struct bytes head, struct bytes body) {
        struct iovec parts[2] = {{(void *)(uintptr_t)head.data, head.size}, {(void *)(uintptr_t)body.data, body.size}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t sent;
        do
                sent = body.size ? sendmsg(connection->watch.fd, &message, MSG_NOSIGNAL) :
                        send(connection->watch.fd, head.data, head.size, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        if (sent < 0 && errno != EAGAIN) {
                connection_kill(connection);
                return;
        }
        size_t done = sent < 0 ? 0 : (size_t)sent;
        if (done == head.size + body.size) {
                connection_written(connection);
                return;
        }
        buffer_clear(&connection->out);
        connection->out_at = 0;
        if (done < head.size)
                buffer_append(&connection->out, (struct bytes){head.data + done, head.size - done});
        size_t skipped = done > head.size ? done - head.size : 0;
        buffer_append(&connection->out, (struct bytes){body.data + skipped, body.size - skipped});
        connection_move(connection, CONNECTION_WRITING);
        loop_timeout_arm(connection->server->loop, &connection->server->write, &connection->timeout);
}

void exchange_write_more(struct http_connection *connection) {
        struct buffer *out = &connection->out;
        while (connection->out_at < out->size) {
                ssize_t sent = send(connection->watch.fd, out->data + connection->out_at, out->size - connection->out_at,
                                    MSG_NOSIGNAL);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0 && errno == EAGAIN)
                        return;
                if (sent < 0) {
                        connection_kill(connection);
                        return;
                }
                connection->out_at += (size_t)sent;
        }
        buffer_free(out);
        loop_timeout_disarm(&connection->timeout);
        connection_written(connection);
}

static void write_answer(struct http_connection *connection, const struct answer *answer) {
        struct http_server *server = connection->server;
        struct answer sent = *answer;
        if (answer->status < 200 || answer->status > 599 || !put_head(connection, &sent)) {
                static const char message[] =
                        "{\"error\":\"internal\",\"message\":\"the answer had a header or a status that cannot be sent\"}\n";
                sent = (struct answer){.status = 500, .body = BYTES(message)};
                ASSERT(put_head(connection, &sent));
        }
        if (!has_body(connection->exchange, sent.status))
                sent.body = (struct bytes){0};
        if (sent.body.size <= COPIED_BODY_MAX) {
                buffer_append(&server->out, sent.body);
                sent.body = (struct bytes){0};
        }
        write_out(connection, buffer_bytes(&server->out), sent.body);
}

void http_answer(struct http_exchange *shown, unsigned status, const struct http_header *headers, size_t header_count,
                 struct bytes body) {
        struct http_exchange_own *exchange = CONTAINER_OF(shown, struct http_exchange_own, shown);
        struct http_server *server = exchange->server;
        ASSERT(exchange->open && loop_is_here(server->loop));
        exchange->open = false;
        server->stats.exchanges--;
        if (exchange->connection) {
                write_answer(exchange->connection, &(struct answer){status, headers, header_count, body});
        } else {
                exchange_put(exchange);
                server_check_drained(server);
        }
}

static void post_answer(struct loop_task *task) {
        struct http_exchange_own *exchange = CONTAINER_OF(task, struct http_exchange_own, posted);
        http_answer(&exchange->shown, exchange->status, exchange->headers, exchange->header_count, exchange->answer_body);
}

void http_answer_post(struct http_exchange *shown, unsigned status, const struct http_header *headers, size_t header_count,
                      struct bytes body) {
        struct http_exchange_own *exchange = CONTAINER_OF(shown, struct http_exchange_own, shown);
        struct http_header *copies = arena_alloc(&exchange->arena, header_count * sizeof *copies + 1);
        for (size_t i = 0; i < header_count; i++) {
                copies[i].name = arena_copy(&exchange->arena, headers[i].name);
                copies[i].value = arena_copy(&exchange->arena, headers[i].value);
        }
        exchange->status = status;
        exchange->headers = copies;
        exchange->header_count = header_count;
        exchange->answer_body = arena_copy(&exchange->arena, body);
        loop_post(exchange->server->loop, &exchange->posted);
}

void http_answer_error(struct http_exchange *exchange, unsigned status, const char *code, const char *message) {
        CLEANUP(buffer_free) struct buffer body = {0};
        http_emit_error(&body, code, message);
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        http_answer(exchange, status, &type, 1, buffer_bytes(&body));
}

void exchange_refuse(struct http_connection *connection, const struct http_refusal *refusal) {
        CLEANUP(buffer_free) struct buffer body = {0};
        if (connection->server->options.numbered_errors)
                http_emit_numbered_error(&body, refusal->status, refusal->message);
        else
                http_emit_error(&body, refusal->code, refusal->message);
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        connection->closing = connection->refused = true;
        connection->server->stats.refused++;
        loop_timeout_disarm(&connection->timeout);
        // A refused head may have left a method half read; its answer always has its body.
        if (connection->state == CONNECTION_HEAD)
                connection->exchange->shown.method = (struct bytes){0};
        write_answer(connection, &(struct answer){refusal->status, &type, 1, buffer_bytes(&body)});
}

bool http_exchange_gone(const struct http_exchange *shown) {
        const struct http_exchange_own *exchange = (const struct http_exchange_own *)(const void *)shown;
        return atomic_load_explicit(&exchange->gone, memory_order_relaxed);
}

void http_exchange_peer(const struct http_exchange *shown, char ret_peer[HTTP_PEER_SIZE]) {
        const struct http_exchange_own *exchange = (const struct http_exchange_own *)(const void *)shown;
        ret_peer[0] = 0;
        if (!exchange->connection)
                return;
        const struct http_address *peer = &exchange->connection->peer;
        const void *bits = peer->any.sa_family == AF_INET6 ? (const void *)&peer->v6.sin6_addr : &peer->v4.sin_addr;
        if (!inet_ntop(peer->any.sa_family, bits, ret_peer, HTTP_PEER_SIZE))
                ret_peer[0] = 0;
}
