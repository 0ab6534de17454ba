// SPDX-License-Identifier: Apache-2.0
// Split block Bloom filters: a block of 256 bits, in each of whose eight words a hash sets one bit, so that a look-up touches one
// cache line (Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom filters"; the salts are those of Apache Parquet).
//
// Invariants: segments[0 … count) are those from `first` on, without a gap; lowest <= first; segments in [lowest, first) are not
// held, and always named.
#include "store/filter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 8, BLOCK_BYTES = 4 * WORDS, BLOCKS = FILTER_SEGMENT_BYTES / BLOCK_BYTES };

struct block {
        uint32_t words[WORDS];
};

struct filter {
        pthread_mutex_t mutex;
        size_t holders;
        struct block **segments;                // NULL: empty
        size_t count, capacity;
        uint64_t first, lowest;
};

static struct block mask_of(uint64_t hash) {
        static const uint32_t salts[WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                              0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
        uint32_t key = (uint32_t)(hash >> 8);
        struct block mask;
        for (unsigned i = 0; i < WORDS; i++)
                mask.words[i] = 1u << (key * salts[i] >> 27);
        return mask;
}

static size_t block_of(uint64_t hash) {
        static_assert(BLOCKS == 4096, "twelve bits");
        return hash & (BLOCKS - 1);
}

struct filter *filter_new(void) {
        struct filter *filter = must_calloc(1, sizeof *filter);
        pthread_mutex_init(&filter->mutex, NULL);
        filter->holders = 1;
        return filter;
}

struct filter *filter_hold(struct filter *filter) {
        pthread_mutex_lock(&filter->mutex);
        filter->holders++;
        pthread_mutex_unlock(&filter->mutex);
        return filter;
}

void filter_release(struct filter *filter) {
        if (!filter)
                return;
        pthread_mutex_lock(&filter->mutex);
        bool last = --filter->holders == 0;
        pthread_mutex_unlock(&filter->mutex);
        if (!last)
                return;
        for (size_t i = 0; i < filter->count; i++)
                free(filter->segments[i]);
        free(filter->segments);
        pthread_mutex_destroy(&filter->mutex);
        free(filter);
}

// Forgets the first segments; what they have is empty, or always named from now on.
static void forget(struct filter *filter, size_t count) {
        for (size_t i = 0; i < count; i++)
                free(filter->segments[i]);
        filter->count -= count;
        filter->first += count;
        memmove(filter->segments, filter->segments + count, filter->count * sizeof *filter->segments);
}

static void begin(struct filter *filter, uint64_t segment) {
        if (filter->lowest == filter->first)
                filter->lowest = segment;
        filter->first = segment;
}

// NULL: it is not held, and always named.
static struct block *segment_of(struct filter *filter, uint64_t segment) {
        ASSERT(filter->count == 0 || segment >= filter->lowest);
        if (filter->count > 0 && segment < filter->first)
                return NULL;
        if (filter->count > 0 && segment - filter->first >= FILTER_SEGMENTS_MAX)
                forget(filter, (size_t)MIN((uint64_t)filter->count, segment - filter->first - FILTER_SEGMENTS_MAX + 1));
        if (filter->count == 0)
                begin(filter, segment);
        size_t at = (size_t)(segment - filter->first);
        if (at >= filter->capacity) {
                filter->capacity = MAX(at + 1, 2 * filter->capacity);
                filter->segments = must_realloc(filter->segments, filter->capacity * sizeof *filter->segments);
        }
        while (filter->count <= at)
                filter->segments[filter->count++] = NULL;
        if (!filter->segments[at])
                filter->segments[at] = must_calloc(BLOCKS, sizeof *filter->segments[at]);
        return filter->segments[at];
}

void filter_add(struct filter *filter, uint64_t segment, uint64_t hash) {
        struct block mask = mask_of(hash);
        pthread_mutex_lock(&filter->mutex);
        struct block *blocks = segment_of(filter, segment);
        for (unsigned i = 0; blocks && i < WORDS; i++)
                blocks[block_of(hash)].words[i] |= mask.words[i];
        pthread_mutex_unlock(&filter->mutex);
}

static bool has(const struct block *block, const struct block *mask) {
        uint32_t missing = 0;
        for (unsigned i = 0; i < WORDS; i++)
                missing |= mask->words[i] & ~block->words[i];
        return missing == 0;
}

static bool find(const struct filter *filter, uint64_t hash, uint64_t *segment) {
        struct block mask = mask_of(hash);
        size_t at = *segment > filter->first ? (size_t)MIN((uint64_t)filter->count, *segment - filter->first) : 0;
        while (at-- > 0)
                if (filter->segments[at] && has(&filter->segments[at][block_of(hash)], &mask)) {
                        *segment = filter->first + at;
                        return true;
                }
        uint64_t end = MIN(*segment, filter->first);    // those that are not held
        if (end <= filter->lowest)
                return false;
        *segment = end - 1;
        return true;
}

bool filter_next(struct filter *filter, uint64_t hash, uint64_t *segment) {
        pthread_mutex_lock(&filter->mutex);
        bool found = find(filter, hash, segment);
        pthread_mutex_unlock(&filter->mutex);
        return found;
}

void filter_drop(struct filter *filter, uint64_t segment) {
        pthread_mutex_lock(&filter->mutex);
        filter->lowest = MAX(filter->lowest, segment);
        if (segment > filter->first)
                forget(filter, (size_t)MIN((uint64_t)filter->count, segment - filter->first));
        filter->first = MAX(filter->first, filter->lowest);
        pthread_mutex_unlock(&filter->mutex);
}
