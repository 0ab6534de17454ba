// SPDX-License-Identifier: Apache-2.0
// Looking at parsed documents: lookup, positions, equality and order of values. Allocates nothing.
#include "json/json.h"

#include "json/json_priv.h"
#include "json/number.h"

const char *json_type_name(enum json_type type) {
        static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
        ASSERT((size_t)type < ARRAY_SIZE(names));
        return names[type];
}

int json_key_by_length(struct bytes a, struct bytes b) {
        if (a.size != b.size)
                return a.size < b.size ? -1 : 1;
        return a.size ? memcmp(a.data, b.data, a.size) : 0;
}

// Heapsort: no memory, no bad case. sift restores the heap below `at`.
static void sift(const struct json *object, uint32_t *order, size_t at, size_t count, json_key_compare *compare) {
        uint32_t moved = order[at];
        for (size_t child; (child = 2 * at + 1) < count; at = child) {
                if (child + 1 < count && compare(json_text(object + order[child]), json_text(object + order[child + 1])) < 0)
                        child++;
                if (compare(json_text(object + moved), json_text(object + order[child])) >= 0)
                        break;
                order[at] = order[child];
        }
        order[at] = moved;
}

void json_sort_keys(const struct json *object, uint32_t *order, json_key_compare *compare) {
        size_t count = 0;
        bool sorted = true;
        JSON_FOR_EACH_MEMBER(key, value, object) {
                sorted = sorted && (count == 0 || compare(json_text(object + order[count - 1]), json_text(key)) <= 0);
                order[count++] = (uint32_t)(key - object);
        }
        ASSERT(count == object->count);
        if (sorted)
                return;
        for (size_t at = count / 2; at-- > 0; )
                sift(object, order, at, count, compare);
        for (size_t end = count - 1; end > 0; end--) {
                uint32_t largest = order[0];
                order[0] = order[end];
                order[end] = largest;
                sift(object, order, 0, end, compare);
        }
}

const struct json *json_get(const struct json *object, struct bytes key) {
        if (!json_is(object, JSON_OBJECT))
                return NULL;
        if (object->count < JSON_ORDER_FROM) {
                JSON_FOR_EACH_MEMBER(name, value, object)
                        if (name->count == key.size && bytes_equal(json_text(name), key))
                                return value;
                return NULL;
        }
        size_t low = 0, high = object->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct json *name = object + object->order[middle];
                int order = json_key_by_length(key, json_text(name));
                if (order == 0)
                        return name + 1;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return NULL;
}

const struct json *json_at(const struct json *array, size_t index) {
        if (!json_is(array, JSON_ARRAY) || index >= array->count)
                return NULL;
        const struct json *element = array + 1;
        while (index-- > 0)
                element = json_next(element);
        return element;
}

bool json_to_i64(const struct json *node, int64_t *ret_number) {
        return json_is(node, JSON_NUMBER) && json_number_to_i64(json_text(node), ret_number);
}

bool json_to_u64(const struct json *node, uint64_t *ret_number) {
        return json_is(node, JSON_NUMBER) && json_number_to_u64(json_text(node), ret_number);
}

static int compare_arrays(const struct json *a, const struct json *b) {
        const struct json *right = b + 1;
        JSON_FOR_EACH(left, a) {
                int order = json_compare(left, right);
                if (order)
                        return order;
                right = json_next(right);
        }
        return 0;
}

// The distances of an object's keys in the order by length: those kept with it, or sorted into `room`.
static const uint32_t *key_order(const struct json *object, uint32_t *room) {
        if (object->count >= JSON_ORDER_FROM)
                return object->order;
        json_sort_keys(object, room, json_key_by_length);
        return room;
}

static int compare_objects(const struct json *a, const struct json *b) {
        uint32_t room_a[JSON_ORDER_FROM], room_b[JSON_ORDER_FROM];
        const uint32_t *order_a = key_order(a, room_a), *order_b = key_order(b, room_b);
        for (size_t i = 0; i < a->count; i++) {
                const struct json *left = a + order_a[i], *right = b + order_b[i];
                int order = json_key_by_length(json_text(left), json_text(right));
                if (order == 0)
                        order = json_compare(left + 1, right + 1);
                if (order)
                        return order;
        }
        return 0;
}

int json_compare(const struct json *a, const struct json *b) {
        if (a->kind != b->kind)
                return a->kind < b->kind ? -1 : 1;
        if (a->kind == JSON_NUMBER)
                return json_number_compare(json_text(a), json_text(b));
        if (a->count != b->count)
                return a->count < b->count ? -1 : 1;
        switch (json_type(a)) {
        case JSON_BOOL:
                return a->truth - b->truth;
        case JSON_STRING:
                return json_key_by_length(json_text(a), json_text(b));
        case JSON_ARRAY:
                return compare_arrays(a, b);
        case JSON_OBJECT:
                return compare_objects(a, b);
        case JSON_NULL:
        case JSON_NUMBER:
        default:
                return 0;
        }
}

bool json_equal(const struct json *a, const struct json *b) {
        return json_compare(a, b) == 0;
}

struct json_position json_position(struct bytes source, size_t offset) {
        struct json_position position = {offset, 1, 1};
        for (size_t i = 0; i < offset && i < source.size; i++) {
                if (source.data[i] == '\n') {
                        position.line++;
                        position.column = 1;
                } else if (((uint8_t)source.data[i] & 0xC0) != 0x80) {
                        position.column++;
                }
        }
        return position;
}
