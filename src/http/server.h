// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server on one event loop. Several loops share a port with a server each (SO_REUSEPORT).
//
// A connection reads one request at a time; while it is being answered nothing more is read (back-pressure, and pipelined
// requests are answered in order). The request and its answer are a struct http_exchange, an object apart from the connection,
// which may die first: then the answer is dropped.
//
// Malformed or oversized requests never reach the handler: they are refused with {"error": …, "message": …}, and the
// connection is closed. A message has fixed times for its head, its body and the answer's writing, however slowly the bytes drip.
#pragma once

#include "base/arena.h"
#include "http/message.h"
#include "os/loop.h"

struct http_server;

struct http_server_options {                                    // 0 means the default in brackets
        struct http_limits limits;                              // at most the values of message.h [those]
        uint64_t max_body;                                      // decoded [HTTP_BODY_MAX]
        unsigned max_connections;                               // [10000]; beyond it the listener waits
        uint64_t head_ns;                                       // from the first byte to the end of the head [10 s]
        uint64_t body_ns;                                       // from the end of the head to the end of the body [30 s]
        uint64_t idle_ns;                                       // between two requests [75 s]
        uint64_t write_ns;                                      // for an answer that the client does not take at once [30 s]
        bool shared_port;                                       // SO_REUSEPORT: other servers listen on the same address
        bool numbered_errors;                                   // refusals are {"error_code": the status, "message": …}
};

// A request and the place for its answer. Lives from the call of the handler until answered. Fields are for reading; the
// bytes stay valid until the answer is given. Belongs to one thread at a time: the loop's, or whoever the handler gave it to.
struct http_exchange {
        struct bytes method, target, path, query;               // query is without "?"; target as received
        const struct http_header *headers;                      // in order, as received
        size_t header_count;
        bool has_nominated;                                     // http_nominated can say something
        struct bytes body;                                      // decoded
        struct arena *arena;                                    // scratch of the handler, reset after the answer
        struct loop *loop;                                      // where it lives
        uint64_t began_ns;                                      // loop_now_ns when the request was whole
        void *user;                                             // the handler's own, NULL at first
};

// Called on the loop's thread with a whole request, never inside http_answer. It answers now, or later, exactly once.
typedef void http_handle(void *user, struct http_exchange *exchange);

MUST_USE bool http_server_new(struct loop *loop, const struct http_server_options *options, http_handle *handle, void *user,
                              struct http_server **ret_server, struct error *error);
// Listens on "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" or "*:8080" (all addresses). Port 0: any free one.
// *ret_port (may be NULL) is the bound port. May be called for several addresses. Names other than localhost are refused.
MUST_USE bool http_server_listen(struct http_server *server, struct bytes address, uint16_t *ret_port, struct error *error);
// The same on a socket that listens already (bound, non-blocking). On success it is the server's, on failure the caller's.
MUST_USE bool http_server_adopt(struct http_server *server, int fd, uint16_t *ret_port, struct error *error);
// The descriptor of the server's listener number `index`, -1: there are not so many. Constant until the server is shut down.
int http_server_listener(const struct http_server *server, size_t index);
// A listening socket for http_server_adopt; shared: SO_REUSEPORT. The caller's.
MUST_USE bool http_listener_open(struct bytes address, bool shared, int *ret_fd, struct error *error);

// Takes who waits to be accepted, closes the listeners, says "Connection: close" from now on, closes idle connections (one without
// a request so far is given two seconds for its first), waits for requests under way at most deadline_ns, then cuts connections.
// drained is called on the loop, once, when no connection and no unanswered exchange remains (handlers must answer even those
// whose client is gone).
void http_server_shutdown(struct http_server *server, uint64_t deadline_ns, void (*drained)(void *user), void *user);
// The same, but who waits to be accepted is left to those who have duplicates of the listeners.
void http_server_hand_over(struct http_server *server, uint64_t deadline_ns, void (*drained)(void *user), void *user);
// After drained, or when the loop no longer runs and no exchange is open. NULL is fine.
void http_server_free(struct http_server *server);

struct http_server_stats {
        uint64_t accepted;                                      // connections
        uint64_t requests;                                      // given to the handler
        uint64_t refused;                                       // malformed, oversized, too slow: answered without the handler
        unsigned connections;                                   // now
        unsigned exchanges;                                     // now: given to the handler, not answered
};
void http_server_stats(const struct http_server *server, struct http_server_stats *ret_stats);          // the loop's thread

// Answers, and ends the exchange: it must not be touched afterwards. The loop's thread. Status 200 to 599. headers and body are
// read before it returns. Content-Length, Date and Connection are the server's own (a Date given is kept, a Content-Length
// given counts where the body is left out: HEAD and 304). A header that cannot be sent (http_header_valid) makes it a 500.
void http_answer(struct http_exchange *exchange, unsigned status, const struct http_header *headers, size_t header_count,
                 struct bytes body);
// The same from any thread that holds the exchange: headers and body are copied, the loop's thread sends them.
void http_answer_post(struct http_exchange *exchange, unsigned status, const struct http_header *headers, size_t header_count,
                      struct bytes body);
// Answers {"error": code, "message": …} as application/json. The loop's thread.
void http_answer_error(struct http_exchange *exchange, unsigned status, const char *code, const char *message);

// Whether the client is known to be gone: the answer will be dropped. Any thread that holds the exchange.
bool http_exchange_gone(const struct http_exchange *exchange);
// The client's address as text ("127.0.0.1"), NUL-terminated. The loop's thread. "" when the client is gone.
enum { HTTP_PEER_SIZE = 46 };
void http_exchange_peer(const struct http_exchange *exchange, char ret_peer[HTTP_PEER_SIZE]);
