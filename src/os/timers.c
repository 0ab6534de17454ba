// SPDX-License-Identifier: Apache-2.0
// Invariant: heap[i]->slot == i + 1, and no timer is due before its parent, heap[(i - 1) / 2].
#include "os/loop_priv.h"

#include <stdlib.h>

static void place(struct timers *timers, size_t at, struct loop_timer *timer) {
        timers->heap[at] = timer;
        timer->slot = at + 1;
}

static void rise(struct timers *timers, size_t at, struct loop_timer *timer) {
        while (at > 0 && timers->heap[(at - 1) / 2]->deadline_ns > timer->deadline_ns) {
                place(timers, at, timers->heap[(at - 1) / 2]);
                at = (at - 1) / 2;
        }
        place(timers, at, timer);
}

static void sink(struct timers *timers, size_t at, struct loop_timer *timer) {
        for (size_t child; (child = 2 * at + 1) < timers->count; at = child) {
                if (child + 1 < timers->count && timers->heap[child + 1]->deadline_ns < timers->heap[child]->deadline_ns)
                        child++;
                if (timers->heap[child]->deadline_ns >= timer->deadline_ns)
                        break;
                place(timers, at, timers->heap[child]);
        }
        place(timers, at, timer);
}

// Puts a timer where it belongs, from a place that is free.
static void settle(struct timers *timers, size_t at, struct loop_timer *timer) {
        if (at > 0 && timers->heap[(at - 1) / 2]->deadline_ns > timer->deadline_ns)
                rise(timers, at, timer);
        else
                sink(timers, at, timer);
}

void timers_set(struct timers *timers, struct loop_timer *timer, uint64_t deadline_ns) {
        timer->deadline_ns = deadline_ns;
        if (timer->slot) {
                ASSERT(timers->heap[timer->slot - 1] == timer);
                settle(timers, timer->slot - 1, timer);
                return;
        }
        if (timers->count == timers->capacity) {
                timers->capacity = timers->capacity ? timers->capacity * 2 : 64;
                timers->heap = must_realloc(timers->heap, timers->capacity * sizeof *timers->heap);
        }
        rise(timers, timers->count++, timer);
}

void timers_cancel(struct timers *timers, struct loop_timer *timer) {
        if (!timer->slot)
                return;
        size_t at = timer->slot - 1;
        ASSERT(at < timers->count && timers->heap[at] == timer);
        timer->slot = 0;
        struct loop_timer *last = timers->heap[--timers->count];
        if (last != timer)
                settle(timers, at, last);
}

uint64_t timers_next(const struct timers *timers) {
        return timers->count ? timers->heap[0]->deadline_ns : UINT64_MAX;
}

void timers_fire(struct timers *timers, uint64_t now_ns) {
        // At most as many as there are now: one that sets itself to the past cannot hold the loop.
        for (size_t left = timers->count; left && timers->count && timers->heap[0]->deadline_ns <= now_ns; left--) {
                struct loop_timer *timer = timers->heap[0];
                timers_cancel(timers, timer);
                timer->fire(timer);
        }
}

void timers_free(struct timers *timers) {
        free(timers->heap);
        *timers = (struct timers){0};
}
