// SPDX-License-Identifier: Apache-2.0
#include "os/clock.h"

#include <time.h>

static uint64_t real_monotonic_ns(struct clock *clock) {
        (void)clock;
        struct timespec now;
        ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
        return SECONDS(now.tv_sec) + (uint64_t)now.tv_nsec;
}

static int64_t real_wall_ms(struct clock *clock) {
        (void)clock;
        struct timespec now;
        ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct clock *clock_real(void) {
        static struct clock real = {real_monotonic_ns, real_wall_ms};
        return &real;
}
