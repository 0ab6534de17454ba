// SPDX-License-Identifier: Apache-2.0
// Figures of a run: rates, latencies in buckets of 1/16 of an octave (so within 5 %), and the longest pause: the longest time
// between two good answers, whoever got them. `all` counts every request, `completions` those alone.
#include "load/load.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

#define BUCKETS 512                  // 16 per octave, up to 2^32 µs

struct figures {
        atomic_long good, failed;
        atomic_long buckets[BUCKETS];
        atomic_long slowest_us;
};

struct shown {
        long good, failed, buckets[BUCKETS];
};

struct stats {
        struct figures all, completions;
        struct shown all_before, completions_before;
        atomic_long last_good_us, pause_us, pause_in_window_us;
        int64_t began_us, window_us;
};

struct stats *stats_open(void)
{
        struct stats *stats = must_allocate(sizeof(*stats));
        stats->began_us = stats->window_us = ticks_us();
        return stats;
}

static unsigned bucket_of(int64_t us)
{
        if (us < 16)
                return (unsigned)(us > 0 ? us : 0);
        unsigned octave = 63 - (unsigned)__builtin_clzll((unsigned long long)us);
        unsigned bucket = (octave - 3) * 16 + (unsigned)((us >> (octave - 4)) & 15);
        return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static double bucket_ms(unsigned bucket)
{
        if (bucket < 16)
                return bucket / 1000.0;
        return (double)((16ULL + bucket % 16) << (bucket / 16 - 1)) / 1000.0;
}

static void raise_to(atomic_long *value, long least)
{
        long held = atomic_load(value);
        while (held < least && !atomic_compare_exchange_weak(value, &held, least))
                continue;
}

static void count(struct figures *figures, bool good, int64_t us)
{
        atomic_fetch_add(good ? &figures->good : &figures->failed, 1);
        atomic_fetch_add(&figures->buckets[bucket_of(us)], 1);
        raise_to(&figures->slowest_us, us);
}

void stats_add(struct stats *stats, enum act act, bool good, int64_t us)
{
        count(&stats->all, good, us);
        if (act == ACT_COMPLETE)
                count(&stats->completions, good, us);
        if (!good)
                return;
        int64_t now = ticks_us(), before = atomic_exchange(&stats->last_good_us, now);
        if (before) {
                raise_to(&stats->pause_us, now - before);
                raise_to(&stats->pause_in_window_us, now - before);
        }
}

static double percentile(const struct figures *figures, const struct shown *before, double part)
{
        long total = 0, seen = 0;
        for (unsigned i = 0; i < BUCKETS; i++)
                total += atomic_load(&figures->buckets[i]) - before->buckets[i];
        for (unsigned i = 0; i < BUCKETS; i++) {
                seen += atomic_load(&figures->buckets[i]) - before->buckets[i];
                if (seen > 0 && (double)seen >= part * (double)total)
                        return bucket_ms(i);
        }
        return 0;
}

static void print_figures(const char *name, const struct figures *figures, const struct shown *before, double seconds, bool json)
{
        long good = atomic_load(&figures->good) - before->good, failed = atomic_load(&figures->failed) - before->failed;
        double p50 = percentile(figures, before, 0.5), p99 = percentile(figures, before, 0.99);
        double slowest = (double)atomic_load(&figures->slowest_us) / 1000.0;
        printf(json ? ",\"%s\":{\"rate\":%.1f,\"ok\":%ld,\"failed\":%ld,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"slowest_ever_ms\":%.2f}"
                    : "  %s: %.0f/s, %ld ok, %ld failed, p50 %.1f ms, p99 %.1f ms, slowest so far %.1f ms",
               name, (double)(good + failed) / seconds, good, failed, p50, p99, slowest);
}

static void take(const struct figures *figures, struct shown *shown)
{
        shown->good = atomic_load(&figures->good);
        shown->failed = atomic_load(&figures->failed);
        for (unsigned i = 0; i < BUCKETS; i++)
                shown->buckets[i] = atomic_load(&figures->buckets[i]);
}

void stats_print(struct stats *stats, bool json, bool last)
{
        int64_t now = ticks_us();
        if (last) {
                memset(&stats->all_before, 0, sizeof(stats->all_before));
                memset(&stats->completions_before, 0, sizeof(stats->completions_before));
        }
        double seconds = (double)(now - (last ? stats->began_us : stats->window_us)) / 1e6;
        double at = (double)(now - stats->began_us) / 1e6;
        double pause = (double)(last ? atomic_load(&stats->pause_us) : atomic_exchange(&stats->pause_in_window_us, 0)) / 1000.0;
        printf(json ? "{\"t\":%.1f,\"whole_run\":%s,\"longest_pause_ms\":%.2f" : "%6.1f s%s longest pause %.1f ms", at,
               json ? (last ? "true" : "false") : last ? " whole run:" : ":", pause);
        print_figures("all", &stats->all, &stats->all_before, seconds, json);
        print_figures("completions", &stats->completions, &stats->completions_before, seconds, json);
        puts(json ? "}" : "");
        fflush(stdout);
        take(&stats->all, &stats->all_before);
        take(&stats->completions, &stats->completions_before);
        stats->window_us = now;
}
