// SPDX-License-Identifier: Apache-2.0
// The loop's heap of timers: a binary heap of pointers, ordered by deadline; each timer knows its place.
#pragma once

#include "os/loop.h"

struct timers {
        struct loop_timer **heap;
        size_t count, capacity;
};

void timers_set(struct timers *timers, struct loop_timer *timer, uint64_t deadline_ns);
void timers_cancel(struct timers *timers, struct loop_timer *timer);
uint64_t timers_next(const struct timers *timers);              // deadline of the first; UINT64_MAX: none
void timers_fire(struct timers *timers, uint64_t now_ns);       // those due now; one that is set again meanwhile may fire again
void timers_free(struct timers *timers);
