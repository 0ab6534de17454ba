// SPDX-License-Identifier: Apache-2.0
// A shard's time: lanes that wait for one are in a heap, the earliest first, so that lanes that sleep cost nothing; records that
// must be submitted again.
#include "gateway/shard_priv.h"

#include <stdlib.h>

#define RESEND_NS (100 * 1000 * 1000)

uint64_t shard_backoff_ns(struct shard *shard, uint32_t failures) {
        uint64_t wait = shard->options.retry_first_ns << MIN(failures, 16u);
        wait = MIN(wait, shard->options.retry_longest_ns);
        return wait - wait / 4 + shard->ops->random(shard->user) % (wait / 2 + 1);      // a quarter of jitter either way
}

// ---- the heap: shard->timed[0] is due first, and none before those at (i - 1) / 2 ----

static void put(struct shard *shard, size_t at, struct lane *lane) {
        shard->timed[at] = lane;
        lane->timed = at + 1;
}

static void sift(struct shard *shard, size_t at, struct lane *lane) {
        while (at > 0 && shard->timed[(at - 1) / 2]->due_ns > lane->due_ns) {
                put(shard, at, shard->timed[(at - 1) / 2]);
                at = (at - 1) / 2;
        }
        for (size_t child; (child = 2 * at + 1) < shard->timed_count; at = child) {
                if (child + 1 < shard->timed_count && shard->timed[child + 1]->due_ns < shard->timed[child]->due_ns)
                        child++;
                if (shard->timed[child]->due_ns >= lane->due_ns)
                        break;
                put(shard, at, shard->timed[child]);
        }
        put(shard, at, lane);
}

void lane_untime(struct shard *shard, struct lane *lane) {
        if (!lane->timed)
                return;
        size_t at = lane->timed - 1;
        lane->timed = 0;
        struct lane *last = shard->timed[--shard->timed_count];
        if (last != lane)
                sift(shard, at, last);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
        return !a || (b && b < a) ? b : a;
}

void lane_time(struct shard *shard, struct lane *lane) {
        // A fence that is over while an EPOCH is under way ends with that.
        bool fence = lane->fence_until_ns && (shard->append.of == APPEND_IDLE || lane->fence_until_ns > shard_now(shard));
        uint64_t due = earlier(earlier(lane->wake_ns, lane->hold_until_ns), fence ? lane->fence_until_ns : 0);
        if (!due) {
                lane_untime(shard, lane);
                return;
        }
        lane->due_ns = due;
        if (!lane->timed && shard->timed_count == shard->timed_capacity) {
                shard->timed_capacity = MAX(2 * shard->timed_capacity, (size_t)64);
                shard->timed = must_realloc(shard->timed, shard->timed_capacity * sizeof *shard->timed);
        }
        sift(shard, lane->timed ? lane->timed - 1 : shard->timed_count++, lane);
        shard->ops->wake_at(shard->user, due);
}

// ---- a tick ----

void shard_resend_soon(struct shard *shard) {
        shard->resend_ns = shard_now(shard) + RESEND_NS;
        shard->ops->wake_at(shard->user, shard->resend_ns);
}

static void resend(struct shard *shard, uint64_t now) {
        if (!shard->resend_ns)
                return;
        if (now < shard->resend_ns) {
                shard->ops->wake_at(shard->user, shard->resend_ns);
                return;
        }
        shard->resend_ns = 0;
        struct list due;
        list_init(&due);
        LIST_FOR_EACH_SAFE(link, &shard->resend) {
                list_remove(link);
                list_append(&due, link);
        }
        LIST_FOR_EACH_SAFE(link, &due) {
                list_remove(link);
                message_record(shard, CONTAINER_OF(link, struct shard_message, resend));
        }
}

static void lane_due(struct shard *shard, struct lane *lane, uint64_t now) {
        lane_untime(shard, lane);
        if (lane->wake_ns && lane->wake_ns <= now) {
                lane->wake_ns = 0;
                lane_call_again(shard, lane);
                lane_ready(shard, lane);
        }
        lane_overran(shard, lane, now);
        lane_held_too_long(shard, lane, now);
        lane_time(shard, lane);
}

void shard_tick(struct shard *shard) {
        uint64_t now = shard_now(shard);
        resend(shard, now);
        shard_record_repeats(shard, false);
        switch_tick(shard);
        while (shard->timed_count && shard->timed[0]->due_ns <= now)
                lane_due(shard, shard->timed[0], now);
        if (shard->timed_count)
                shard->ops->wake_at(shard->user, shard->timed[0]->due_ns);
        shard_deliver(shard);
}
