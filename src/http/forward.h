// SPDX-License-Identifier: Apache-2.0
// Forwards an exchange to an upstream and answers it with the response: a proxy for one request. Hop-by-hop headers stop here,
// both ways; the other headers keep their order. A failure is answered with JSON: 503 not sent, 502 broken or malformed,
// 504 too late. The loop's thread; exchange and upstream must live on the same loop.
#pragma once

#include "http/client.h"
#include "http/server.h"

struct http_forward_options {
        struct bytes target;            // instead of the exchange's path and query; empty: those
        const struct http_header *add;  // set in the forwarded request, instead of the client's headers of the same name
        size_t add_count;
        uint64_t timeout_ns;            // as in http_call_options
        bool repeatable;                // as there; safe methods always are
        void (*see)(void *user, struct bytes body);     // is shown the response's body before it is passed on; NULL: nobody
};

struct http_forwarded {
        enum http_call_outcome outcome;
        bool sent;
        uint16_t status;                // what the client was answered
        uint64_t duration_ns;           // from the whole request to the whole response
};

typedef void http_forward_done(void *user, const struct http_forwarded *forwarded);

// Takes the exchange: it is answered here, whatever happens. What the options point to is read before it returns. done (may be
// NULL) is called after the answer. A client that goes away does not stop the call.
void http_forward(struct http_exchange *exchange, struct http_upstream *upstream, const struct http_forward_options *options,
                  http_forward_done *done, void *user);
// Answers an exchange with what became of a call, as http_forward does; for handlers that make the call themselves.
void http_forward_answer(struct http_exchange *exchange, const struct http_call_result *result);
