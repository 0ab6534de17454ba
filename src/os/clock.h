// SPDX-License-Identifier: Apache-2.0
// Time, behind a vtable so that a simulation replaces it. Any thread, unless the implementation says otherwise.
#pragma once

#include "base/base.h"

#define MILLISECONDS(count) ((uint64_t)(count) * 1000000u)      // in nanoseconds
#define SECONDS(count) ((uint64_t)(count) * 1000000000u)

struct clock {
        uint64_t (*monotonic_ns)(struct clock *clock);          // never goes back; its zero means nothing
        int64_t (*wall_ms)(struct clock *clock);                // milliseconds since 1970-01-01T00:00:00Z; may jump
};

struct clock *clock_real(void);                                 // CLOCK_MONOTONIC and CLOCK_REALTIME; never freed

static inline uint64_t clock_monotonic_ns(struct clock *clock) {
        return clock->monotonic_ns(clock);
}

static inline int64_t clock_wall_ms(struct clock *clock) {
        return clock->wall_ms(clock);
}
