// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 calls to one service from one event loop: a pool of kept connections (last used first), a bounded queue in front of
// it, and an outcome that says what is certain: a call that was not sent has not been executed, one that broke may have been.
//
// Everything runs on the loop's thread. Names are resolved by a thread of their own; the loop never waits.
#pragma once

#include "http/message.h"
#include "os/loop.h"

struct http_upstream;
struct http_call;

struct http_upstream_options {                                  // 0 means the default in brackets
        unsigned max_connections;                               // [256]
        unsigned max_queue;                                     // calls that wait for a connection [1024]
        size_t max_response;                                    // decoded bytes of a response's body [HTTP_RESPONSE_MAX]
        uint64_t connect_ns;                                    // for one connection [2 s]
        uint64_t idle_ns;                                       // an idle connection is closed after it [60 s]
        uint64_t resolve_ns;                                    // a name's addresses are looked up again after it [30 s]
};

// url: http://HOST[:PORT][/BASE]; HOST is a name, an IPv4 address or an IPv6 one in brackets. https is refused by name, as are
// user information, a query and a fragment. Does not connect. Errors: INVALID, UNSUPPORTED.
MUST_USE bool http_upstream_new(struct loop *loop, struct bytes url, const struct http_upstream_options *options,
                                struct http_upstream **ret_upstream, struct error *error);
// Checks a URL as http_upstream_new does, without making anything. Any thread.
MUST_USE bool http_url_check(struct bytes url, struct error *error);
// Ends calls under way without calling their callbacks; waits for a name that is being looked up. NULL is fine.
void http_upstream_free(struct http_upstream *upstream);

enum http_call_outcome {
        HTTP_CALL_OK,                   // a whole response came, whatever its status
        HTTP_CALL_NOT_SENT,             // certainly not executed: no connection, the queue is full, or it cannot be sent
        HTTP_CALL_BROKEN,               // indeterminate: sent, at least in part, and the connection died
        HTTP_CALL_TIMEOUT,              // indeterminate if `sent`, else certainly not executed
        HTTP_CALL_MALFORMED,            // indeterminate: what came back is not a response, or is over a limit
};

struct http_call_options {
        struct bytes method;
        struct bytes target;            // "/path?query"; the upstream's base path is put before it
        const struct http_header *headers;      // sent in order; Host, Content-Length and hop-by-hop ones are the client's own
        size_t header_count;
        struct bytes body;
        uint64_t timeout_ns;            // for the whole call, waiting in the queue included [30 s]
        bool repeatable;                // safe or recognised: may be sent again if a kept connection dies before the first byte
};

// What became of a call. The bytes are valid during the callback only.
struct http_call_result {
        enum http_call_outcome outcome;
        bool sent;                      // at least one byte of the request was written to a connection
        bool repeated;                  // … and an earlier connection had taken some of it (`repeatable`): a refusal says nothing of that
        uint16_t status;                // 0 unless OK
        const struct http_header *headers;
        size_t header_count;
        bool has_nominated;             // http_nominated can say something
        struct bytes body;              // decoded
        const char *reason;             // why it is not OK, a sentence; NULL if OK
};

typedef void http_call_done(void *user, const struct http_call_result *result);

// Begins a call. What the options point to is copied before it returns. done is called exactly once, later, never from inside
// this function; the call is over before done begins. Returns what http_call_cancel takes, never NULL.
struct http_call *http_call(struct http_upstream *upstream, const struct http_call_options *options, http_call_done *done,
                            void *user);
// Ends a call whose callback has not been called, without calling it: what has become of it nobody knows.
void http_call_cancel(struct http_call *call);
const char *http_call_outcome_name(enum http_call_outcome outcome);      // "ok", "not-sent", …

struct http_upstream_stats {
        uint64_t calls, repeated, connects, connect_failures;
        unsigned connections, idle, queued;                     // now
};
void http_upstream_stats(const struct http_upstream *upstream, struct http_upstream_stats *ret_stats);
struct bytes http_upstream_authority(const struct http_upstream *upstream);     // "host:port", for messages
