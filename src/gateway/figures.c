// SPDX-License-Identifier: Apache-2.0
// Counters of the data plane: relaxed atomics, written by the loops, read by anybody.
#include "gateway/gateway_priv.h"
#include "gateway/sampler.h"

enum { BUCKETS_AN_OCTAVE = 8 };

// 8 buckets an octave from 1 µs, linear within the octave: bucket = 8 * log2 of the value, rounded down, without floating point.
static size_t bucket_of(uint64_t duration_ns) {
        uint64_t us = duration_ns / 1000;
        if (us < 1)
                us = 1;
        unsigned octave = 63 - (unsigned)__builtin_clzll(us);
        uint64_t within = octave >= 3 ? (us >> (octave - 3)) & 7 : (us << (3 - octave)) & 7;
        return MIN(octave * BUCKETS_AN_OCTAVE + within, (size_t)GATEWAY_LATENCY_BUCKETS - 1);
}

static uint64_t bucket_end_us(size_t bucket) {
        size_t octave = bucket / BUCKETS_AN_OCTAVE, within = bucket % BUCKETS_AN_OCTAVE;
        return ((8 + within + 1) << octave) / 8;
}

static void add(atomic_uint_fast64_t *counter, uint64_t more) {
        atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *counter) {
        return atomic_load_explicit(counter, memory_order_relaxed);
}

void route_count(struct route *route, unsigned status, uint64_t duration_ns) {
        add(status < 400 ? &route->done : status < 500 ? &route->refused : &route->failed, 1);
        add(&route->latency[bucket_of(duration_ns)], 1);
        uint64_t longest = get(&route->longest_ns);
        while (duration_ns > longest &&
               !atomic_compare_exchange_weak_explicit(&route->longest_ns, &longest, duration_ns, memory_order_relaxed,
                                                      memory_order_relaxed))
                continue;
}

static void sample(struct route *route, enum sampler_direction direction, struct bytes body) {
        sampler_offer(route->gateway->options.sampler, route->communication->index, direction, body);
}

void route_sample_request(struct route *route, struct bytes body) {
        sample(route, SAMPLER_REQUEST, body);
}

void route_see_answer(void *route, struct bytes body) {
        sample(route, SAMPLER_ANSWER, body);
}

void gateway_counters(const struct gateway *gateway, size_t communication, struct gateway_counters *ret) {
        const struct route *route = &gateway->routes[communication];
        *ret = (struct gateway_counters){
                .requests = get(&route->requests),
                .done = get(&route->done),
                .refused = get(&route->refused),
                .failed = get(&route->failed),
                .accepted = get(&route->accepted),
                .plain_under_way = get(&route->plain_under_way),
                .longest_ns = get(&route->longest_ns),
        };
        for (size_t i = 0; i < GATEWAY_LATENCY_BUCKETS; i++)
                ret->latency[i] = get(&route->latency[i]);
        if (route->data)
                data_fill_counters(route->data, ret);
}

uint64_t gateway_latency_quantile(const uint64_t latency[static GATEWAY_LATENCY_BUCKETS], double share) {
        uint64_t total = 0, seen = 0;
        for (size_t i = 0; i < GATEWAY_LATENCY_BUCKETS; i++)
                total += latency[i];
        if (!total)
                return 0;
        uint64_t rank = (uint64_t)((double)(total - 1) * share) + 1;
        for (size_t i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
                seen += latency[i];
                if (seen >= rank)
                        return bucket_end_us(i);
        }
        return bucket_end_us(GATEWAY_LATENCY_BUCKETS - 1);
}
