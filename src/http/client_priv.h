// SPDX-License-Identifier: Apache-2.0
// What upstream.c (pool, queue, connecting), call.c (calls, outcomes) and upstream_connection.c (input and output) share.
//
// Owners: the upstream owns its links (connections) and calls. A call is in the queue, or on exactly one busy link, or ending:
// its failure is told at the end of the batch, so that no callback runs inside http_call. A dead link is freed at the end of
// the batch. An upstream that was freed keeps its memory until the last of these is gone.
#pragma once

#include "http/address.h"
#include "http/client.h"
#include "http/incoming.h"

enum link_state {
        LINK_CONNECTING,                // timeout: connect
        LINK_IDLE,                      // in upstream->idle; timeout: idle; any event closes it
        LINK_BUSY,                      // carries a call, whose timer is the only one
        LINK_DEAD,
};

struct http_link {
        struct loop_watch watch;
        struct loop_timeout timeout;
        struct loop_task burial;
        struct list link;               // upstream->idle (last used first) or upstream->others
        struct http_upstream *upstream;
        struct http_call *call;         // LINK_BUSY
        enum link_state state;
        unsigned attempt;               // how many addresses were tried before this one
        bool reused;                    // a call has been answered on it
        bool readable, ending;          // as in server_priv.h
};

enum call_state { CALL_QUEUED, CALL_ACTIVE, CALL_ENDING, CALL_OVER };

struct http_call {
        struct list link;               // upstream->queue or upstream->active
        struct http_upstream *upstream;
        struct http_link *carrier;      // CALL_ACTIVE
        http_call_done *done;
        void *user;
        enum call_state state;
        struct loop_timer timer;
        struct loop_task ending;
        struct buffer out;              // the whole request; kept until the response begins, for a second sending
        size_t written;                 // of out, on this carrier
        bool sent;                      // some byte of it, on whichever carrier
        bool repeated;                  // … on a carrier before this one
        bool to_head, repeatable;
        bool began;                     // some byte of the response came
        bool in_body;
        bool cancelled;                 // while ending
        uint8_t interim;                // 1xx responses so far
        struct http_call_result result; // CALL_ENDING
        struct http_incoming incoming;
        struct http_call *next;         // upstream->free_calls
};

enum { CALLS_KEPT = 128, REQUEST_KEPT = 16 * 1024, INTERIM_MAX = 16 };

struct resolution;

struct http_upstream {
        struct loop *loop;
        struct http_upstream_options options;
        struct http_limits limits;      // of responses
        char *host, *authority, *base;
        uint16_t port;
        bool literal;                   // the host is an address
        struct http_address addresses[HTTP_ADDRESSES_MAX];
        unsigned address_count;
        unsigned preferred;             // the address that answered last
        uint64_t resolved_ns;
        bool stale;                     // look the name up again before the next connection
        struct resolution *resolution;  // under way
        struct list idle, others, queue, active;
        unsigned connecting;
        struct loop_class connect_class, idle_class;
        struct http_upstream_stats stats;
        struct http_blocks blocks;
        struct http_call *free_calls;
        unsigned free_count;
        unsigned holders;               // links not buried, calls ending, callbacks on the stack, and the user
        bool freed;
};

// upstream.c
void upstream_hold(struct http_upstream *upstream);
void upstream_release(struct http_upstream *upstream);
void upstream_pump(struct http_upstream *upstream);             // gives queued calls to links, opens links
void upstream_connect_failed(struct http_upstream *upstream, unsigned attempt, const char *reason);

// resolve.c: looks the name up in a thread; upstream_resolved is called on the loop. Addresses have the upstream's port.
bool resolution_start(struct http_upstream *upstream);
void resolution_abandon(struct resolution *resolution);         // waits for the thread; NULL is fine
void upstream_resolved(struct http_upstream *upstream, const struct http_address *addresses, unsigned count);

// upstream_connection.c
bool link_open(struct http_upstream *upstream, const struct http_address *address, unsigned attempt);
void link_carry(struct http_link *carrier, struct http_call *call);     // LINK_IDLE becomes LINK_BUSY, and writes
void link_kill(struct http_link *carrier);

// call.c
void call_fail(struct http_call *call, enum http_call_outcome outcome, const char *reason);     // told at the end of the batch
void call_succeed(struct http_call *call);                      // tells at once; the incoming block is the call's
void call_requeue(struct http_call *call);                      // to be sent again, before all others
void call_free(struct http_call *call);                         // to the pool
