// SPDX-License-Identifier: Apache-2.0
// A hash table of pointers, open addressing, grown by doubling and never above three quarters full. The elements belong to the
// caller, who gives the 64-bit hash (XXH3, seeded at start where keys come from outside) and the comparison.
// Not for several threads at once.
#pragma once

#include "base/base.h"

typedef bool table_equal(const void *element, const void *key);

struct table {
        struct table_slot *slots;
        size_t capacity;                // 0 or a power of two
        size_t count;
};

void *table_find(const struct table *table, uint64_t hash, const void *key, table_equal *equal);
void table_insert(struct table *table, uint64_t hash, void *element);   // the key is not in it; amortised O(1)
void *table_remove(struct table *table, uint64_t hash, const void *key, table_equal *equal);
// Visits the elements in no order: for (size_t at = 0; (element = table_next(table, &at)); ). Not while it changes.
void *table_next(const struct table *table, size_t *at);
void table_free(struct table *table);                                   // not its elements; fit for CLEANUP
