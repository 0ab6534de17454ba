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

void json_sort_keys(const struct json *object, uint32_t *order, json_key_compare *compare) {
        size_t count = 0;
        ASSERT(object->count < JSON_ORDER_FROM);
        JSON_FOR_EACH_MEMBER(key, value, object) {
                size_t to = count++;
                for (; to > 0 && compare(json_text(object + order[to - 1]), json_text(key)) > 0; to--)
                        order[to] = order[to - 1];
                order[to] = (uint32_t)(key - object);
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
        return json_order_find(object, key);
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

static int compare_members(const struct json *left, const struct json *right) {
        int order = json_key_by_length(json_text(left), json_text(right));
        return order ? order : json_compare(left + 1, right + 1);
}

static int compare_large_objects(const struct json *a, const struct json *b) {
        for (size_t i = 0; i < a->count; i++) {
                struct json_slot left = a->order[i], right = b->order[i];
                int order = left.hash != right.hash ? (left.hash < right.hash ? -1 : 1)
                                                    : compare_members(a + left.at, b + right.at);
                if (order)
                        return order;
        }
        return 0;
}

static int compare_objects(const struct json *a, const struct json *b) {
        uint32_t order_a[JSON_ORDER_FROM], order_b[JSON_ORDER_FROM];
        if (a->count >= JSON_ORDER_FROM)
                return compare_large_objects(a, b);
        json_sort_keys(a, order_a, json_key_by_length);
        json_sort_keys(b, order_b, json_key_by_length);
        for (size_t i = 0; i < a->count; i++) {
                int order = compare_members(a + order_a[i], b + order_b[i]);
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
