// SPDX-License-Identifier: Apache-2.0
// The services' HTTP side: libmicrohttpd with a thread per connection, since a handler may call another service and wait for
// it (with a pool of threads, tasks waiting for bonuses and bonuses asking tasks for a rating would block each other).
// Every answer is JSON. GET /health and POST /admin/faults are there for every service.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/fields.h"

#define BODY_LIMIT_BYTES 65536
#define CONNECTIONS_LIMIT 1024
#define DRAIN_LIMIT_MS 8000       // how long SIGTERM waits for requests in flight

struct request {
        const char *method, *target;
        int64_t id;                  // of {id} in the route's path, 0 if it has none
        const char *body;            // not terminated
        size_t body_size;
        bool fail;                   // a fault was drawn for a route that records its failures itself: answer 503, do nothing
        void *connection;
};

// What a handler fills in. `body` is taken by the server; NULL: no body.
struct answer {
        int status;
        json_t *body;
        const char *header, *header_value;   // one more header; literals
};

struct route {
        const char *method, *path;           // NULL ends the table; a segment may be {id}
        void (*handle)(void *service, struct request *request, struct answer *answer);
        bool sees_faults;
};

// Serves on 127.0.0.1:port until SIGTERM or SIGINT, then finishes what is in flight and returns. Ends the process with a
// message if it cannot listen. `health` (may be NULL) adds fields to the answer of GET /health. Block signals first.
void server_block_signals(void);     // before any thread is started
void server_run(int64_t port, const struct route *routes, void *service, void (*health)(void *service, json_t *body));

const char *request_header(struct request *request, const char *name);      // NULL if absent
// ?after={cursor}: 0 when absent; false (and answered 400) when it is not a number.
bool request_cursor(struct request *request, struct answer *answer, int64_t *ret_after);
// fields_read on the request's body; on NULL the answer is filled in.
json_t *request_fields(struct request *request, const struct field *fields, struct answer *answer);
__attribute__((format(printf, 3, 4))) void answer_error(struct answer *answer, int status, const char *format, ...);
