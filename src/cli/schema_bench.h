// SPDX-License-Identifier: Apache-2.0
// `commute schema validate --benchmark`: how long parsing and validating take, from bytes in memory, on one thread.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "schema/schema.h"

struct schema_bench {
        const struct schema *schema;
        struct buffer text;                     // of all instances
        size_t *ends;                           // malloc'ed: where each ends in it
        size_t count, capacity;
        unsigned max_depth;                     // of an instance; 0: JSON_DEPTH_DEFAULT
};

// The instances of a file: one, or one a line.
MUST_USE bool schema_bench_add(struct schema_bench *bench, const char *path, bool lines, struct error *error);
// Goes over all instances again and again, for a second at least, and prints instances, bytes, how many are valid, and the fastest
// round's nanoseconds an instance and MB/s.
MUST_USE bool schema_bench_run(const struct schema_bench *bench, bool json, struct error *error);
void schema_bench_free(struct schema_bench *bench);
