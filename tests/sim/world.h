// SPDX-License-Identifier: Apache-2.0
// A simulated world around one shard: callers, log, views, provider, a person, a migration, and kill -9; all from one seed, on a
// clock that jumps from event to event. world_run plays one seed and says what is wrong with it.
//
// The judge knows what the shard does not: which message a caller was told is accepted, and what the provider executed, when.
#pragma once

#include "gateway/shard.h"

enum { LANES_MAX = 6, MESSAGES_MAX = 40 };

struct world_options {
        uint64_t seed;
        bool verbose;
};

// True: nothing is wrong. Else `ret_why` (of `size` bytes) names the broken property and the message.
bool world_run(const struct world_options *options, char *ret_why, size_t size);

// What the runs so far have met, so that a test can see that it tests something.
struct world_figures {
        uint64_t runs, messages, executions, crashes, records, fences, overruns, unknown_appends, failed_appends, parked, decided,
                repeats, in_doubt, steps_back, switches;
};
extern struct world_figures world_figures;
