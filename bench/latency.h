// SPDX-License-Identifier: Apache-2.0
// A histogram of latencies in ns: 128 buckets an octave, so that a quantile is within 1 %. One thread; add them up afterwards.
#pragma once

#include <time.h>

#include "base/base.h"

enum { LATENCY_BITS = 7, LATENCY_BUCKETS = (65 - LATENCY_BITS) << LATENCY_BITS };

struct latencies {
        uint64_t count, bucket[LATENCY_BUCKETS];
};

static inline uint64_t now_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void latency_add(struct latencies *latencies, uint64_t ns) {
        size_t bucket = (size_t)ns;
        if (ns >= 1 << LATENCY_BITS) {
                unsigned shift = 63 - LATENCY_BITS - (unsigned)__builtin_clzll(ns);
                bucket = ((size_t)shift << LATENCY_BITS) + (size_t)(ns >> shift);
        }
        latencies->bucket[bucket]++;
        latencies->count++;
}

// In µs, the lower border of its bucket.
static inline double latency_quantile_us(const struct latencies *latencies, double share) {
        uint64_t wanted = (uint64_t)(share * (double)latencies->count), seen = 0;
        for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
                seen += latencies->bucket[i];
                if (seen <= wanted && seen < latencies->count)
                        continue;
                size_t shift = i < 2 << LATENCY_BITS ? 0 : (i >> LATENCY_BITS) - 1;
                return (double)((uint64_t)(i - (shift << LATENCY_BITS)) << shift) / 1e3;
        }
        return 0;
}
