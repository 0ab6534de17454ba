// SPDX-License-Identifier: Apache-2.0
// The data plane: its loops, a thread and an HTTP server each, all on one address (SO_REUSEPORT). loops[0] is the owner's of all
// shards. Made and ended on the main thread.
#pragma once

#include <stdatomic.h>

#include "http/server.h"
#include "os/thread.h"

enum { PLANE_LOOPS_MAX = 64, PLANE_ADDRESS_SIZE = 300 };

struct listeners;
struct plane;
struct plane_loop {
        struct plane *plane;
        struct loop *loop;
        struct http_server *server;
        pthread_t thread;
        bool started;
        struct loop_task drain, stop;
        struct loop_timer tick;
        struct http_server_stats stats;         // as of the last second; under the plane's mutex
};

struct plane {
        struct plane_loop *each;                // count of them
        struct loop **loops;                    // the same, for the gateway
        size_t count;
        char address[PLANE_ADDRESS_SIZE];       // as bound
        uint64_t drain_ns;
        bool hand_over;
        atomic_size_t draining;                 // servers that have not drained yet
        void (*drained)(void *user);            // on one of the loops, when all have
        void *user;
        pthread_mutex_t mutex;
};

// Makes the loops; count 0: as many as there are processors.
MUST_USE bool plane_new(struct plane *plane, size_t count, struct error *error);
// Makes the servers and listens, on what was inherited of the address if there is any; nothing is answered before plane_start.
// Port 0: any.
MUST_USE bool plane_listen(struct plane *plane, const char *address, const struct http_server_options *options,
                           struct listeners *inherited, http_handle *handle, void *user, struct error *error);
MUST_USE bool plane_start(struct plane *plane, struct error *error);
// Refuses new connections, ends what is under way, calls `drained` when that is done; connections are cut at the deadline.
// hand_over: who waits to be accepted is left to those who have duplicates of the listeners.
void plane_drain(struct plane *plane, uint64_t deadline_ns, bool hand_over, void (*drained)(void *user), void *user);
void plane_stop(struct plane *plane);           // ends the loops behind what was posted to them, joins the threads
void plane_servers_free(struct plane *plane);   // after plane_stop, before what the handler uses
void plane_free(struct plane *plane);           // the loops; after everything that is on them
void plane_stats(struct plane *plane, struct http_server_stats *ret_stats);     // any thread; up to a second old

// The address with its port replaced by the one that was bound.
void plane_bound_address(char ret_address[static PLANE_ADDRESS_SIZE], const char *address, uint16_t port);
