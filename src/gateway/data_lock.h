// SPDX-License-Identifier: Apache-2.0
// Locks of keys: what concerns one key of a data communication (captured writes, re-reads, backfilled rows, comparisons) passes
// one at a time, in order of arrival. Pure: no time, no I/O; one thread. A lock exists while somebody holds it.
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "base/table.h"

struct key_lock;

// Whoever wants a key. Embedded; belongs to the locks from lock_take to lock_release.
struct key_claim {
        struct list link;
        struct key_lock *lock;                          // NULL: neither held nor waited for
};

struct key_locks {
        struct table table;
        size_t waiting, most;                           // claims that wait, and how many may
        // A waiting claim holds its key now. Called inside lock_release of the claim before.
        void (*granted)(struct key_claim *claim);
};

enum lock_result { LOCK_HELD, LOCK_WAITS, LOCK_FULL };

void locks_init(struct key_locks *locks, size_t most, void (*granted)(struct key_claim *claim));
void locks_free(struct key_locks *locks);               // claims are forgotten
// LOCK_HELD: the key is the claim's now; LOCK_WAITS: `granted` will tell; LOCK_FULL: `most` wait already, nothing was done.
// The key is copied.
enum lock_result lock_take(struct key_locks *locks, struct key_claim *claim, struct bytes key);
// Gives the key to the next, or gives up waiting. A claim that neither holds nor waits is left alone.
void lock_release(struct key_locks *locks, struct key_claim *claim);
bool lock_is_taken(const struct key_locks *locks, struct bytes key);
