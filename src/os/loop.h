// SPDX-License-Identifier: Apache-2.0
// An event loop: one thread waits for its file descriptors, timers and what other threads post to it. STACK.md, "HTTP core".
//
// Each descriptor is registered once, edge-triggered, for everything; there is no later epoll_ctl but the one that forgets it. One
// turn of the loop: wait, read the clock once (loop_now_ns), events, posted tasks, timers, and last what was left for the end of the
// batch. Memory that an event of the same batch may still point to (a connection that died) is freed there and nowhere else.
//
// Everything belongs to the loop's thread except loop_post and loop_stop. All the small structs are embedded in what they serve
// and owned by the caller; the loop never allocates for them (the heap of timers grows by doubling).
#pragma once

#include "base/error.h"
#include "base/list.h"
#include "os/clock.h"

struct loop;

MUST_USE bool loop_new(struct clock *clock, struct loop **ret_loop, struct error *error);
// NULL is fine. Runs what was posted and deferred, so that owners can free it; watches and timers are forgotten.
void loop_free(struct loop *loop);
void loop_run(struct loop *loop);                               // the caller's thread becomes the loop's, until loop_stop
void loop_stop(struct loop *loop);                              // any thread; the turn under way is finished
bool loop_is_here(const struct loop *loop);                     // any thread: is this the loop's thread?
uint64_t loop_now_ns(const struct loop *loop);                  // monotonic, as of the beginning of this turn
struct clock *loop_clock(const struct loop *loop);

// Work for the loop's thread. Owned by the caller until run is called, which may free it or post it again.
struct loop_task {
        struct loop_task *next;
        void (*run)(struct loop_task *task);
};

void loop_post(struct loop *loop, struct loop_task *task);      // any thread; in order; wakes the loop only if it must
void loop_defer(struct loop *loop, struct loop_task *task);     // the loop's thread: at the end of this batch (burials)

// A descriptor. events are EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR, EPOLLHUP; edge-triggered: act until EAGAIN or a short read.
struct loop_watch {
        int fd;                                                 // -1 when not watched
        void (*ready)(struct loop_watch *watch, uint32_t events);
};

MUST_USE bool loop_watch(struct loop *loop, struct loop_watch *watch, int fd, struct error *error);
// Forgets the descriptor, which the caller closes afterwards. No further event reaches the watch; its memory stays until the batch is over.
void loop_unwatch(struct loop *loop, struct loop_watch *watch);

// A timer with any deadline: O(log n). Zero-initialised with fire set is an unset timer.
struct loop_timer {
        void (*fire)(struct loop_timer *timer);
        uint64_t deadline_ns;                                   // monotonic
        size_t slot;                                            // the loop's: place in the heap + 1; 0 when unset
};

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);         // set or moved
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);                            // unset is fine

// Timeouts of one fixed duration: a FIFO, O(1). For what nearly never fires (a connection's head, body, idle, write).
struct loop_class {
        struct list link;                                       // the loop's
        struct list waiting;
        uint64_t duration_ns;
};

struct loop_timeout {
        struct list link;                                       // list_init'ed (loop_timeout_init) before anything else
        uint64_t deadline_ns;
        void (*fire)(struct loop_timeout *timeout);
};

void loop_class_add(struct loop *loop, struct loop_class *class, uint64_t duration_ns);
void loop_class_remove(struct loop_class *class);               // nothing may be waiting in it
static inline void loop_timeout_init(struct loop_timeout *timeout, void (*fire)(struct loop_timeout *timeout)) {
        list_init(&timeout->link);
        timeout->fire = fire;
}
void loop_timeout_arm(struct loop *loop, struct loop_class *class, struct loop_timeout *timeout);       // from now; re-arms
static inline void loop_timeout_disarm(struct loop_timeout *timeout) {
        list_remove(&timeout->link);
}
static inline bool loop_timeout_armed(const struct loop_timeout *timeout) {
        return !list_empty(&timeout->link);
}
