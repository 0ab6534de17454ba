// SPDX-License-Identifier: Apache-2.0
// The order of the keys of a large object: by a hash, of equal hashes by length and bytes, which is a total order that is the same
// in all documents. The keys are dealt out by the upper bits of their hashes and sorted among the few that come together: O(n),
// where nobody has chosen keys whose hashes are equal, and O(n log n) where somebody has.
#include "json/json_priv.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SLOTS_ROOM = 256, INSERTED_MAX = 24 };

uint32_t json_key_hash(struct bytes key) {
        uint64_t hash = XXH3_64bits(key.data, key.size);
        return (uint32_t)(hash ^ hash >> 32);
}

int json_slot_compare(const struct json *object, struct json_slot a, struct json_slot b) {
        if (a.hash != b.hash)
                return a.hash < b.hash ? -1 : 1;
        return json_key_by_length(json_text(object + a.at), json_text(object + b.at));
}

static void insert_all(const struct json *object, struct json_slot *slots, size_t count) {
        for (size_t i = 1; i < count; i++) {
                struct json_slot moved = slots[i];
                size_t to = i;
                for (; to > 0 && json_slot_compare(object, moved, slots[to - 1]) < 0; to--)
                        slots[to] = slots[to - 1];
                slots[to] = moved;
        }
}

static void sift(const struct json *object, struct json_slot *slots, size_t at, size_t count) {
        struct json_slot moved = slots[at];
        for (size_t child; (child = 2 * at + 1) < count; at = child) {
                if (child + 1 < count && json_slot_compare(object, slots[child], slots[child + 1]) < 0)
                        child++;
                if (json_slot_compare(object, moved, slots[child]) >= 0)
                        break;
                slots[at] = slots[child];
        }
        slots[at] = moved;
}

// Heapsort: no memory, no bad case.
static void sort_many(const struct json *object, struct json_slot *slots, size_t count) {
        for (size_t at = count / 2; at-- > 0; )
                sift(object, slots, at, count);
        for (size_t end = count; end-- > 1; ) {
                struct json_slot largest = slots[0];
                slots[0] = slots[end];
                slots[end] = largest;
                sift(object, slots, 0, end);
        }
}

// From `from` to `slots`, by the upper bits of the hash; ends[i]: one behind the last of pile i.
static void deal(const struct json_slot *from, struct json_slot *slots, size_t count, uint32_t *ends, unsigned shift) {
        size_t piles = (size_t)1 << (32 - shift);
        for (size_t i = 0; i < count; i++)
                ends[from[i].hash >> shift]++;
        for (size_t i = 0, sum = 0; i < piles; i++) {
                size_t size = ends[i];
                ends[i] = (uint32_t)sum;
                sum += size;
        }
        for (size_t i = 0; i < count; i++)
                slots[ends[from[i].hash >> shift]++] = from[i];
}

void json_order_keys(const struct json *object, struct json_slot *slots) {
        struct json_slot room[SLOTS_ROOM], *from = room;
        uint32_t ends_room[SLOTS_ROOM] = {0}, *ends = ends_room;
        size_t count = object->count, filled = 0;
        unsigned bits = 1;
        while (((size_t)4 << bits) < count)                     // about four a pile
                bits++;
        if (count > SLOTS_ROOM) {
                from = must_malloc(count * sizeof *from);
                ends = must_calloc((size_t)1 << bits, sizeof *ends);
        }
        JSON_FOR_EACH_MEMBER(key, value, object)
                from[filled++] = (struct json_slot){json_key_hash(json_text(key)), (uint32_t)(key - object)};
        ASSERT(filled == count);
        deal(from, slots, count, ends, 32 - bits);
        for (size_t i = 0, start = 0; i < (size_t)1 << bits; start = ends[i++]) {
                size_t size = ends[i] - start;
                if (size > INSERTED_MAX)
                        sort_many(object, slots + start, size);
                else
                        insert_all(object, slots + start, size);
        }
        if (from != room) {
                free(from);
                free(ends);
        }
}

// From where the hash would be if all were spread evenly, in growing steps to a range that has all slots with that hash.
static void find_range(const struct json_slot *slots, size_t count, uint32_t hash, size_t *ret_low, size_t *ret_high) {
        size_t low = (size_t)((uint64_t)hash * count >> 32), high = low;
        for (size_t step = 1; low > 0 && slots[low - 1].hash >= hash; step *= 2)
                low -= MIN(low, step);
        for (size_t step = 1; high < count && slots[high].hash <= hash; step *= 2)
                high = MIN(count, high + step);
        *ret_low = low;
        *ret_high = high;
}

const struct json *json_order_find(const struct json *object, struct bytes key) {
        const struct json_slot *slots = object->order;
        uint32_t hash = json_key_hash(key);
        size_t low, high;
        find_range(slots, object->count, hash, &low, &high);
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct json *name = object + slots[middle].at;
                int order = hash != slots[middle].hash ? (hash < slots[middle].hash ? -1 : 1)
                                                       : json_key_by_length(key, json_text(name));
                if (order == 0)
                        return name + 1;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}
