// SPDX-License-Identifier: Apache-2.0
// The load generator: what its files share.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/client.h"

struct options {
        const char *staff_url, *tasks_url, *tasks_writes_url, *portal_url, *log;
        int64_t seed, rate, seconds, count, connections, managers, tasks, timeout_ms, settle_seconds;
        bool json;
};

enum act {
        ACT_COMPLETE, ACT_RATE, ACT_CHANGE_MANAGER, ACT_REGISTER_MANAGER, ACT_DELETE_MANAGER, ACT_REGISTER_TASK, ACT_CHANGE_TASK,
        ACT_VIEW,
};

struct world;
struct log;
struct stats;

struct load {
        struct options options;
        struct world *world;
        struct log *log;
        struct stats *stats;
        atomic_bool stopping;
};

// world.c: what the load knows of the platform, and the acts on it. Thread-safe.
struct world *world_open(void);
bool world_prepare(struct load *load);                   // registers managers and tasks; false: a service did not do it
void world_act(struct load *load, enum act act, uint64_t dice);
int64_t world_repeat_failed(struct load *load, int64_t seconds);   // completions without a yes; returns how many are left

void world_close(struct world *world);

// log.c: what was asked and told, one JSON object a line, each written as soon as it is known.
struct log *log_open(const char *path);
void log_close(struct log *log);
__attribute__((format(printf, 5, 6)))
void log_told(struct log *log, const char *kind, int64_t sent_us, const struct reply *reply, const char *format, ...);

// stats.c: latencies, rates, pauses.
struct stats *stats_open(void);                          // free() it
void stats_add(struct stats *stats, enum act act, bool good, int64_t us);
void stats_print(struct stats *stats, bool json, bool last);   // since the last call, or of the whole run; one thread
