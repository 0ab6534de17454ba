// SPDX-License-Identifier: Apache-2.0
// Says of a hash in which parts of a table it may be, in less than a microsecond and without reading the table: a set of hashes
// in segments, each a Bloom filter of FILTER_SEGMENT_BYTES. It errs in one direction only: a segment that has the hash is always
// named. With FILTER_SEGMENT_KEYS hashes in a segment, about one in a thousand answers names a segment that has not.
//
// Memory: FILTER_SEGMENT_BYTES a segment, until it is dropped, so 2 bytes a hash when segments are as full as that; of more than
// FILTER_SEGMENTS_MAX segments the oldest are held no longer, and always named. Threads: any; a mutex inside, held for the
// look-up alone. It is shared: filter_hold and filter_release count its holders.
#pragma once

#include "base/base.h"

enum {
        FILTER_SEGMENT_BYTES = 128 << 10,
        FILTER_SEGMENT_KEYS = 65536,
        FILTER_SEGMENTS_MAX = 2048,
        FILTER_HASH_BITS = 40,                  // of a hash: what the filter looks at
};

struct filter;

struct filter *filter_new(void);                // held once
struct filter *filter_hold(struct filter *filter);      // returns it
void filter_release(struct filter *filter);     // NULL is allowed

// Adds a hash (its low FILTER_HASH_BITS) to a segment: one that has been named before, or a later one.
void filter_add(struct filter *filter, uint64_t segment, uint64_t hash);
// The highest segment below *segment (UINT64_MAX: any) that may have the hash; false: none has.
MUST_USE bool filter_next(struct filter *filter, uint64_t hash, uint64_t *segment);
// Segments below this one have been emptied.
void filter_drop(struct filter *filter, uint64_t segment);
