// SPDX-License-Identifier: Apache-2.0
// Everything here is malloc'ed row by row and owned by the struct that it hangs in.
#include "gateway/data_memory.h"

#include <stdlib.h>

#include <xxhash.h>

static uint64_t slot(struct bytes key) {
        static const char seed;                         // keys come from callers: the address is the process's own
        return XXH3_64bits_withSeed(key.data, key.size, (uint64_t)(uintptr_t)&seed);
}

// ---- overlay ----

static bool row_has_key(const void *element, const void *key) {
        return bytes_equal(((const struct overlay_row *)element)->key, *(const struct bytes *)key);
}

void overlay_init(struct overlay *overlay) {
        *overlay = (struct overlay){0};
        list_init(&overlay->order);
}

static void drop_row(struct overlay *overlay, struct overlay_row *row) {
        table_remove(&overlay->rows, slot(row->key), &row->key, row_has_key);
        list_remove(&row->link);
        free(row);
}

void overlay_free(struct overlay *overlay) {
        LIST_FOR_EACH_SAFE(link, &overlay->order)
                drop_row(overlay, CONTAINER_OF(link, struct overlay_row, link));
        table_free(&overlay->rows);
}

void overlay_put(struct overlay *overlay, struct bytes key, struct bytes body, bool tombstone, unsigned version,
                 uint64_t position) {
        struct overlay_row *old = table_find(&overlay->rows, slot(key), &key, row_has_key);
        ASSERT(!old || old->position < position);
        if (old)
                drop_row(overlay, old);
        struct overlay_row *row = must_malloc(sizeof *row + key.size + body.size);
        char *text = (char *)(row + 1);
        if (key.size)
                memcpy(text, key.data, key.size);
        if (body.size)
                memcpy(text + key.size, body.data, body.size);
        *row = (struct overlay_row){
                .position = position, .tombstone = tombstone, .version = version, .key = {text, key.size},
                .body = {text + key.size, body.size},
        };
        table_insert(&overlay->rows, slot(row->key), row);
        // Answers come in order of position but for what an unknown append left behind.
        struct list *before = &overlay->order;
        while (before->previous != &overlay->order &&
               CONTAINER_OF(before->previous, struct overlay_row, link)->position > position)
                before = before->previous;
        list_append(before, &row->link);
}

void overlay_passed(struct overlay *overlay, uint64_t position) {
        LIST_FOR_EACH_SAFE(link, &overlay->order) {
                struct overlay_row *row = CONTAINER_OF(link, struct overlay_row, link);
                if (row->position > position)
                        return;
                drop_row(overlay, row);
        }
}

const struct overlay_row *overlay_find(const struct overlay *overlay, struct bytes key) {
        return table_find(&overlay->rows, slot(key), &key, row_has_key);
}

// ---- dirty keys ----

static bool dirty_has_key(const void *element, const void *key) {
        return bytes_equal(((const struct dirty_key *)element)->key, *(const struct bytes *)key);
}

static struct dirty_key *find(const struct dirty *dirty, struct bytes key) {
        return table_find(&dirty->keys, slot(key), &key, dirty_has_key);
}

void dirty_init(struct dirty *dirty) {
        *dirty = (struct dirty){0};
        list_init(&dirty->settling);
        list_init(&dirty->again);
}

void dirty_free(struct dirty *dirty) {
        size_t at = 0;
        for (struct dirty_key *key; (key = table_next(&dirty->keys, &at));)
                free(key);
        table_free(&dirty->keys);
}

static void mark_topic(struct dirty *dirty, uint64_t position, uint64_t due_ns) {
        if (dirty->topic_count == DIRTY_TOPIC_MAX)      // the last two become one, which is answered for as late as either
                dirty->topic_count--;
        struct dirty_topic *last = &dirty->topic[dirty->topic_count];
        bool merged = dirty->topic_count == DIRTY_TOPIC_MAX - 1;
        *last = (struct dirty_topic){
                .position = merged ? MAX(last->position, position) : position,
                .due_ns = merged ? MAX(last->due_ns, due_ns) : due_ns,
        };
        dirty->topic_count++;
}

static void queue(struct list *list, struct dirty_key *key) {
        struct list *before = list;
        while (before->previous != list && CONTAINER_OF(before->previous, struct dirty_key, link)->due_ns > key->due_ns)
                before = before->previous;
        list_append(before, &key->link);
}

void dirty_mark(struct dirty *dirty, struct bytes key, uint64_t position, uint64_t due_ns) {
        if (!key.size) {
                mark_topic(dirty, position, due_ns);
                return;
        }
        struct dirty_key *row = find(dirty, key);
        if (!row) {
                row = must_malloc(sizeof *row + key.size);
                char *text = (char *)(row + 1);
                memcpy(text, key.data, key.size);
                *row = (struct dirty_key){.key = {text, key.size}};
                list_init(&row->link);
                table_insert(&dirty->keys, slot(row->key), row);
        }
        row->newest = MAX(row->newest, position);
        row->due_ns = MAX(row->due_ns, due_ns);
        list_remove(&row->link);
        queue(&dirty->settling, row);
}

bool dirty_has(const struct dirty *dirty, struct bytes key) {
        return find(dirty, key) != NULL;
}

struct dirty_key *dirty_due(struct dirty *dirty, uint64_t now_ns, uint64_t *ret_next_ns) {
        struct list *lists[] = {&dirty->settling, &dirty->again};
        *ret_next_ns = 0;
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                if (list_empty(lists[i]))
                        continue;
                struct dirty_key *key = LIST_FIRST(lists[i], struct dirty_key, link);
                if (key->due_ns <= now_ns) {
                        list_remove(&key->link);
                        return key;
                }
                if (!*ret_next_ns || key->due_ns < *ret_next_ns)
                        *ret_next_ns = key->due_ns;
        }
        return NULL;
}

void dirty_again(struct dirty *dirty, struct bytes key, uint64_t due_ns) {
        struct dirty_key *row = find(dirty, key);
        if (!row || !list_empty(&row->link))
                return;                                 // cleaned, or marked anew, meanwhile
        row->due_ns = MAX(row->due_ns, due_ns);
        queue(&dirty->again, row);
}

void dirty_clean(struct dirty *dirty, struct bytes key, uint64_t up_to) {
        struct dirty_key *row = find(dirty, key);
        if (!row || row->newest > up_to)
                return;
        table_remove(&dirty->keys, slot(key), &key, dirty_has_key);
        list_remove(&row->link);
        free(row);
}

void dirty_topic_due(const struct dirty *dirty, uint64_t now_ns, uint64_t *ret_position, uint64_t *ret_next_ns) {
        uint64_t settled = 0, bound = UINT64_MAX;
        *ret_next_ns = 0;
        for (size_t i = 0; i < dirty->topic_count; i++) {
                const struct dirty_topic *write = &dirty->topic[i];
                if (write->due_ns <= now_ns) {
                        settled = MAX(settled, write->position);
                        continue;
                }
                bound = MIN(bound, write->position - 1);
                if (!*ret_next_ns || write->due_ns < *ret_next_ns)
                        *ret_next_ns = write->due_ns;
        }
        *ret_position = MIN(settled, bound);
}

void dirty_topic_clean(struct dirty *dirty, uint64_t up_to) {
        size_t kept = 0;
        for (size_t i = 0; i < dirty->topic_count; i++)
                if (dirty->topic[i].position > up_to)
                        dirty->topic[kept++] = dirty->topic[i];
        dirty->topic_count = kept;
}

// ---- seen ----

void seen_init(struct seen *seen, uint64_t seed) {
        *seen = (struct seen){.seed = seed};
}

void seen_free(struct seen *seen) {
        free(seen->slots);
        seen->slots = NULL;
        seen->capacity = seen->count = 0;
}

static size_t place(const struct seen *seen, uint64_t hash) {
        size_t at = (size_t)hash & (seen->capacity - 1);
        while (seen->slots[at] && seen->slots[at] != hash)
                at = (at + 1) & (seen->capacity - 1);
        return at;
}

static void grow(struct seen *seen) {
        struct seen larger = {.capacity = seen->capacity ? 2 * seen->capacity : 1024};
        larger.slots = must_calloc(larger.capacity, sizeof *larger.slots);
        for (size_t i = 0; i < seen->capacity; i++)
                if (seen->slots[i])
                        larger.slots[place(&larger, seen->slots[i])] = seen->slots[i];
        free(seen->slots);
        seen->slots = larger.slots;
        seen->capacity = larger.capacity;
}

static uint64_t hash_of(const struct seen *seen, struct bytes key) {
        uint64_t hash = XXH3_64bits_withSeed(key.data, key.size, seen->seed);
        return hash ? hash : 1;
}

void seen_add(struct seen *seen, struct bytes key) {
        if (seen->full)
                return;
        if (seen->count == SEEN_KEYS_MAX) {
                seen->full = true;
                seen_free(seen);
                return;
        }
        if (4 * (seen->count + 1) > 3 * seen->capacity)
                grow(seen);
        uint64_t hash = hash_of(seen, key);
        size_t at = place(seen, hash);
        seen->count += seen->slots[at] == 0;
        seen->slots[at] = hash;
}

bool seen_has(const struct seen *seen, struct bytes key) {
        if (seen->full)
                return true;
        return seen->capacity && seen->slots[place(seen, hash_of(seen, key))] != 0;
}
