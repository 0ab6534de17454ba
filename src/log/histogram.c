// SPDX-License-Identifier: Apache-2.0
// Histograms with four buckets an octave: bucket 0 holds 0 and 1, and each octave [2^k, 2^(k+1)) is cut into four equal parts.
#include "log/log_priv.h"

static size_t bucket_of(uint64_t value) {
        if (value < 2)
                return 0;
        unsigned octave = 63 - (unsigned)__builtin_clzll(value);
        unsigned quarter = octave >= 2 ? (unsigned)(value >> (octave - 2)) & 3 : (unsigned)(value << (2 - octave)) & 3;
        return MIN((size_t)octave * 4 + quarter, (size_t)LOG_HISTOGRAM_SIZE - 1);
}

// The largest value a bucket holds.
static uint64_t bucket_top(size_t bucket) {
        if (bucket < 4)
                return 1;
        uint64_t octave = bucket / 4, quarter = bucket % 4;
        return octave >= 2 ? ((5 + quarter) << (octave - 2)) - 1 : 2 + (quarter >= 2);
}

void log_histogram_add(uint64_t histogram[static LOG_HISTOGRAM_SIZE], uint64_t value) {
        histogram[bucket_of(value)]++;
}

uint64_t log_histogram_quantile(const uint64_t histogram[static LOG_HISTOGRAM_SIZE], double share) {
        uint64_t total = 0;
        for (size_t i = 0; i < LOG_HISTOGRAM_SIZE; i++)
                total += histogram[i];
        if (total == 0)
                return 0;
        double wanted = share * (double)total, seen = 0;
        for (size_t i = 0; i < LOG_HISTOGRAM_SIZE; i++) {
                seen += (double)histogram[i];
                if (histogram[i] > 0 && seen >= wanted)
                        return bucket_top(i);
        }
        return bucket_top(LOG_HISTOGRAM_SIZE - 1);
}
