// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/schema_files.h"
#include "os/clock.h"

#define BENCH_LEAST SECONDS(1)
enum { ROUNDS_LEAST = 10, SCRATCH_KEPT = 1 << 20 };

struct round {
        size_t valid, broken, undecided;
        uint64_t ns;
};

static void end_instance(struct schema_bench *bench) {
        size_t start = bench->count ? bench->ends[bench->count - 1] : 0;
        if (bench->text.size == start)
                return;
        if (bench->count == bench->capacity) {
                bench->capacity = bench->capacity * 2 + 64;
                bench->ends = must_realloc(bench->ends, bench->capacity * sizeof *bench->ends);
        }
        bench->ends[bench->count++] = bench->text.size;
}

bool schema_bench_add(struct schema_bench *bench, const char *path, bool lines, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        if (!schema_file_read(path, SCHEMA_FILES_BYTES_MAX, &text, error))
                return false;
        if (!lines) {
                buffer_append(&bench->text, buffer_bytes(&text));
                end_instance(bench);
                return true;
        }
        for (size_t at = 0; at < text.size; ) {
                const char *end = memchr(text.data + at, '\n', text.size - at);
                size_t size = end ? (size_t)(end - text.data) - at : text.size - at;
                buffer_append(&bench->text, (struct bytes){text.data + at, size});
                end_instance(bench);
                at += size + 1;
        }
        return true;
}

static struct round go(const struct schema_bench *bench, struct arena *arena) {
        struct json_limits limits = {.bytes = SCHEMA_FILES_BYTES_MAX, .nodes = SCHEMA_FILES_BYTES_MAX, .depth = bench->max_depth};
        struct round round = {0};
        uint64_t start = clock_monotonic_ns(clock_real());
        for (size_t i = 0, at = 0; i < bench->count; at = bench->ends[i++]) {
                struct bytes instance = {bench->text.data + at, bench->ends[i] - at};
                enum schema_verdict verdict;
                arena_reset_keeping(arena, SCRATCH_KEPT);
                if (!schema_verdict_bytes(bench->schema, instance, &limits, arena, &verdict, NULL)) {
                        round.broken++;
                        continue;
                }
                round.valid += verdict == SCHEMA_VALID;
                round.undecided += verdict == SCHEMA_UNDECIDED;
        }
        round.ns = clock_monotonic_ns(clock_real()) - start;
        return round;
}

bool schema_bench_run(const struct schema_bench *bench, bool json, struct error *error) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct round best = {.ns = UINT64_MAX};
        uint64_t total = 0;
        size_t rounds = 0;
        if (!bench->count)
                return error_set(error, ERROR_INVALID, "there is no instance to measure with");
        for (; rounds < ROUNDS_LEAST || total < BENCH_LEAST; rounds++) {
                struct round round = go(bench, &arena);
                total += round.ns;
                if (round.ns < best.ns)
                        best = round;
        }
        double ns = (double)best.ns / (double)bench->count, rate = (double)bench->text.size * 1000 / (double)MAX(best.ns, (uint64_t)1);
        if (json)
                printf("{\"instances\":%zu,\"bytes\":%zu,\"valid\":%zu,\"not_json\":%zu,\"undecided\":%zu,\"rounds\":%zu,"
                       "\"ns_per_instance\":%.1f,\"mb_per_second\":%.1f}\n",
                       bench->count, bench->text.size, best.valid, best.broken, best.undecided, rounds, ns, rate);
        else
                printf("%zu instances, %zu bytes, %zu valid, %zu not JSON, %zu undecided; best of %zu rounds: %.1f ns an instance, "
                       "%.1f MB/s\n", bench->count, bench->text.size, best.valid, best.broken, best.undecided, rounds, ns, rate);
        return true;
}

void schema_bench_free(struct schema_bench *bench) {
        buffer_free(&bench->text);
        free(bench->ends);
}
