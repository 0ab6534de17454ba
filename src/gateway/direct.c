// SPDX-License-Identifier: Apache-2.0
// Whether calls of a communication may be forwarded where they come in (route->direct), past the owner: only while nothing is
// remembered, so that no repeat of an identity goes past what is known of it. That is so when every shard is plain, in the log as
// in memory, holds no message, and the views hold no identity of the family any more: `identities` has forgotten them, after a
// migration there and back.
//
// On the owner's loop. The views are read in pieces of LOOK_ROWS, at most one a LOOK_NS: what was settled up to the position at
// which the shards came to rest. Nothing of the family is settled behind that position while they rest, and identities go but never
// come back, so a piece without one of the family is never read again.
#include "gateway/gateway_priv.h"

enum { LOOK_ROWS = 1024 };
#define LOOK_NS SECONDS(1)

static bool shards_rest(const struct route *route) {
        for (unsigned i = 0; route->shards && i < route->communication->partitions; i++) {
                const struct shard *shard = route->shards[i].shard;
                // Data communications remember nothing of a write or read that ended.
                if (route->data ? shard_mode(shard) != LANE_PLAIN || shard_changing(shard) : !shard_quiet(shard))
                        return false;
        }
        return true;
}

// Never anything but plain: there was nothing to be remembered.
static bool plain_since_ever(const struct route *route) {
        for (unsigned i = 0; route->shards && i < route->communication->partitions; i++)
                if (shard_epoch(route->shards[i].shard) > 1)
                        return false;
        return true;
}

// False: there are some, or nobody can say.
static bool identities_gone(struct route *route) {
        struct state_reader *reader = route->gateway->state;
        struct error error = {0};
        if (!route->family && !state_family(reader, bytes_of(route->communication->name), &route->family, &error))
                return error.code == ERROR_NOT_FOUND;
        if (!route->rest_position && !state_position(reader, &route->rest_position, &error))
                return false;
        bool found, all;
        return state_identity_any(reader, route->family, &route->forgotten_up_to, route->rest_position, LOOK_ROWS, &found, &all,
                                  &error) && all;
}

void route_update_direct(struct route *route) {
        bool rest = shards_rest(route);
        if (!rest)
                route->rest_position = 0;
        route->look_again_ns = clock_monotonic_ns(loop_clock(route->gateway->owner)) + LOOK_NS;
        atomic_store(&route->direct, rest && (route->data || plain_since_ever(route) || identities_gone(route)));
}

void route_look_direct(struct route *route) {
        if (!atomic_load_explicit(&route->direct, memory_order_relaxed) &&
            clock_monotonic_ns(loop_clock(route->gateway->owner)) >= route->look_again_ns)
                route_update_direct(route);
}
