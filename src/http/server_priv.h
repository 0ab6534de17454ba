// SPDX-License-Identifier: Apache-2.0
// What server.c (options, shutdown), listener.c, connection.c (reading) and exchange.c (answering) share.
//
// Owners: the server owns connections, and the exchanges and blocks that are not in use. A connection owns its exchange from
// the first byte of a request until the answer is written, unless the connection dies while the handler has the exchange:
// then nobody but the handler has it, and answering frees it. A dead connection is freed at the end of the batch.
#pragma once

#include <stdatomic.h>

#include "http/address.h"
#include "http/incoming.h"
#include "http/server.h"

enum connection_state {
        CONNECTION_IDLE,                // no byte of a request; timeout: idle (head, for the first request)
        CONNECTION_HEAD,                // some bytes of a head; timeout: head
        CONNECTION_BODY,                // a whole head, some of the body; timeout: body
        CONNECTION_HANDLING,            // the handler has the exchange; no timeout, nothing is read
        CONNECTION_WRITING,             // the client does not take the answer as fast as it could; timeout: write
        CONNECTION_LINGERING,           // answered for the last time; what still comes is read and dropped; timeout: linger
        CONNECTION_DEAD,                // closed, waits for its burial
};

struct http_connection {
        struct loop_watch watch;
        struct loop_timeout timeout;
        struct loop_task burial, resumption;
        struct list link;               // server->connections
        struct http_server *server;
        struct http_exchange_own *exchange;
        enum connection_state state;
        bool readable;                  // there may be something to read
        bool ending;                    // EPOLLRDHUP was seen: the end of the stream is among what is to be read
        bool ended;                     // the end of the stream was read
        bool closing;                   // no request after the one under way
        bool refused;                   // its last request was
        bool advancing;                 // connection_advance is on the stack
        bool resuming;                  // resumption is deferred: nothing is read until then
        bool served;                    // the handler has had a request of it
        size_t dropped;                 // bytes read while lingering
        struct buffer out;              // what the socket did not take
        size_t out_at;
        struct http_address peer;
};

struct http_exchange_own {
        struct http_exchange shown;     // must be first
        struct http_connection *connection;     // NULL: the client is gone
        struct http_server *server;
        struct arena arena;
        atomic_bool gone;
        bool open;                      // the handler has it
        struct loop_task posted;        // http_answer_post
        unsigned status;
        const struct http_header *headers;
        size_t header_count;
        struct bytes answer_body;
        struct http_exchange_own *next; // server->free_exchanges
        struct http_incoming incoming;
};

enum { LISTENERS_MAX = 64, EXCHANGES_KEPT = 128 };

struct listener {
        struct loop_watch watch;
        struct http_server *server;
};

struct http_server {
        struct loop *loop;
        struct http_server_options options;
        http_handle *handle;
        void *user;
        struct listener listeners[LISTENERS_MAX];
        size_t listener_count;
        struct loop_timer accept_again; // after a lack of descriptors
        bool accept_waits;              // max_connections is reached
        struct list connections;
        struct loop_class head, body, idle, write, linger;
        struct http_server_stats stats;
        struct http_blocks blocks;
        struct http_exchange_own *free_exchanges;
        unsigned free_count;
        struct buffer out;              // where answers are put together
        char date[48];                  // "Date: …\r\n"
        size_t date_size;
        uint64_t date_until_ns;
        unsigned holders;               // connections not buried, and the user
        bool stopping, drained_called;
        struct loop_timer deadline;
        struct loop_task drained_task;
        void (*drained)(void *user);
        void *drained_user;
};

// server.c
void server_release(struct http_server *server);                        // one holder less
void server_accept(struct http_server *server);
void server_check_drained(struct http_server *server);

// connection.c
void connection_new(struct http_server *server, int fd, const struct http_address *peer);
void connection_move(struct http_connection *connection, enum connection_state state);
void connection_kill(struct http_connection *connection);
void connection_written(struct http_connection *connection);            // the answer is with the kernel: what comes next
void connection_advance(struct http_connection *connection);
void connection_end_idle(struct http_connection *connection);           // the server is stopping

// exchange.c
struct http_exchange_own *exchange_get(struct http_server *server);
void exchange_put(struct http_exchange_own *exchange);
void exchange_reset(struct http_exchange_own *exchange);                // for the next request; keeps what the block has left
// Answers without the handler, and closes.
void exchange_refuse(struct http_connection *connection, const struct http_refusal *refusal);
void exchange_write_more(struct http_connection *connection);           // the socket takes bytes again
