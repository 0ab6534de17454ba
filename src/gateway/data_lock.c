// SPDX-License-Identifier: Apache-2.0
// Invariant: the first claim of a lock's list holds it, the others wait in order; an empty lock is freed.
#include "gateway/data_lock.h"

#include <stdlib.h>

#include <xxhash.h>

struct key_lock {
        struct list claims;
        struct bytes key;
        char text[];
};

static bool lock_has_key(const void *element, const void *key) {
        return bytes_equal(((const struct key_lock *)element)->key, *(const struct bytes *)key);
}

static uint64_t slot(struct bytes key) {
        static const char seed;                         // keys come from callers: the address is the process's own
        return XXH3_64bits_withSeed(key.data, key.size, (uint64_t)(uintptr_t)&seed);
}

void locks_init(struct key_locks *locks, size_t most, void (*granted)(struct key_claim *claim)) {
        *locks = (struct key_locks){.most = most, .granted = granted};
}

void locks_free(struct key_locks *locks) {
        size_t at = 0;
        for (struct key_lock *lock; (lock = table_next(&locks->table, &at));)
                free(lock);
        table_free(&locks->table);
}

enum lock_result lock_take(struct key_locks *locks, struct key_claim *claim, struct bytes key) {
        ASSERT(!claim->lock);
        struct key_lock *lock = table_find(&locks->table, slot(key), &key, lock_has_key);
        if (lock && locks->waiting >= locks->most)
                return LOCK_FULL;
        bool free_now = !lock;
        if (free_now) {
                lock = must_malloc(sizeof *lock + key.size);
                if (key.size)
                        memcpy(lock->text, key.data, key.size);
                lock->key = (struct bytes){lock->text, key.size};
                list_init(&lock->claims);
                table_insert(&locks->table, slot(key), lock);
        }
        claim->lock = lock;
        list_append(&lock->claims, &claim->link);
        locks->waiting += !free_now;
        return free_now ? LOCK_HELD : LOCK_WAITS;
}

void lock_release(struct key_locks *locks, struct key_claim *claim) {
        struct key_lock *lock = claim->lock;
        if (!lock)
                return;
        bool held = lock->claims.next == &claim->link;
        list_remove(&claim->link);
        claim->lock = NULL;
        if (!held) {
                locks->waiting--;
        } else if (list_empty(&lock->claims)) {
                table_remove(&locks->table, slot(lock->key), &lock->key, lock_has_key);
                free(lock);
        } else {
                locks->waiting--;
                locks->granted(LIST_FIRST(&lock->claims, struct key_claim, link));
        }
}

bool lock_is_taken(const struct key_locks *locks, struct bytes key) {
        return table_find(&locks->table, slot(key), &key, lock_has_key) != NULL;
}
