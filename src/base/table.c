// SPDX-License-Identifier: Apache-2.0
// Linear probing; a removal moves later elements of the run back, so there are no tombstones.
#include "base/table.h"

#include <stdlib.h>

struct table_slot {
        uint64_t hash;
        void *element;                  // NULL: free
};

enum { FIRST_CAPACITY = 16 };

static struct table_slot *locate(const struct table *table, uint64_t hash, const void *key, table_equal *equal) {
        if (table->count == 0)
                return NULL;
        size_t mask = table->capacity - 1;
        for (size_t i = hash & mask;; i = (i + 1) & mask) {
                struct table_slot *slot = &table->slots[i];
                if (!slot->element)
                        return NULL;
                if (slot->hash == hash && equal(slot->element, key))
                        return slot;
        }
}

void *table_find(const struct table *table, uint64_t hash, const void *key, table_equal *equal) {
        struct table_slot *slot = locate(table, hash, key, equal);
        return slot ? slot->element : NULL;
}

static void put(struct table *table, uint64_t hash, void *element) {
        size_t mask = table->capacity - 1;
        size_t i = hash & mask;
        while (table->slots[i].element)
                i = (i + 1) & mask;
        table->slots[i] = (struct table_slot){hash, element};
}

static void grow(struct table *table) {
        struct table old = *table;
        table->capacity = old.capacity ? old.capacity * 2 : FIRST_CAPACITY;
        table->slots = must_calloc(table->capacity, sizeof *table->slots);
        for (size_t i = 0; i < old.capacity; i++)
                if (old.slots[i].element)
                        put(table, old.slots[i].hash, old.slots[i].element);
        free(old.slots);
}

void table_insert(struct table *table, uint64_t hash, void *element) {
        ASSERT(element);
        if ((table->count + 1) * 4 > table->capacity * 3)
                grow(table);
        put(table, hash, element);
        table->count++;
}

void *table_remove(struct table *table, uint64_t hash, const void *key, table_equal *equal) {
        struct table_slot *slot = locate(table, hash, key, equal);
        if (!slot)
                return NULL;
        void *element = slot->element;
        size_t mask = table->capacity - 1;
        size_t hole = (size_t)(slot - table->slots);
        for (size_t i = (hole + 1) & mask; table->slots[i].element; i = (i + 1) & mask) {
                size_t home = table->slots[i].hash & mask;
                if (((i - home) & mask) >= ((i - hole) & mask)) {       // its home is at or before the hole
                        table->slots[hole] = table->slots[i];
                        hole = i;
                }
        }
        table->slots[hole].element = NULL;
        table->count--;
        return element;
}

void *table_next(const struct table *table, size_t *at) {
        while (*at < table->capacity) {
                void *element = table->slots[(*at)++].element;
                if (element)
                        return element;
        }
        return NULL;
}

void table_free(struct table *table) {
        free(table->slots);
        *table = (struct table){0};
}
