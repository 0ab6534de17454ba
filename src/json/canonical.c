// SPDX-License-Identifier: Apache-2.0
// The canonical form (json.h): the writer's text, with sorted keys and normalised numbers.
#include "json/json.h"

#include <stdlib.h>

#include "json/json_priv.h"
#include "json/number.h"
#include "json/utf8.h"
#include "json/writer.h"

// RFC 8785 sorts by UTF-16 code units. In bytes of UTF-8 that is the same, except that characters above U+FFFF (surrogates, from
// D800) come before U+E000–U+FFFF.
static int by_utf16(struct bytes a, struct bytes b) {
        size_t i = 0;
        while (i < a.size && i < b.size && a.data[i] == b.data[i])
                i++;
        if (i == a.size || i == b.size)
                return (a.size > b.size) - (a.size < b.size);
        uint8_t left = (uint8_t)a.data[i], right = (uint8_t)b.data[i];
        // The bytes that differ may be in the middle of characters whose first bytes are equal: then they compare as they are.
        bool left_pair = left >= 0xF0, right_pair = right >= 0xF0;
        if (left_pair != right_pair && (left_pair ? right : left) >= 0xEE)
                return left_pair ? -1 : 1;
        return left < right ? -1 : 1;
}

struct ranked {
        uint64_t head;                          // the first eight bytes, as numbers in that order; then zeros
        uint32_t at;
};

static uint64_t head_of(struct bytes key) {
        uint64_t head = 0;
        for (size_t i = 0; i < 8; i++) {
                uint8_t byte = i < key.size ? (uint8_t)key.data[i] : 0;
                head = head << 8 | (byte == 0xEE || byte == 0xEF ? byte + 8u : byte);   // behind F0 to F4
        }
        return head;
}

static bool is_after(const struct json *object, const struct ranked *a, const struct ranked *b) {
        if (a->head != b->head)
                return a->head > b->head;
        return by_utf16(json_text(object + a->at), json_text(object + b->at)) > 0;
}

static void merge(const struct json *object, const struct ranked *from, size_t middle, size_t end, struct ranked *to) {
        for (size_t left = 0, right = middle; left < middle || right < end; )
                *to++ = right == end || (left < middle && !is_after(object, &from[left], &from[right])) ? from[left++] : from[right++];
}

// Merge sort of the keys of a large object, which mostly differ in their first bytes.
static void sort_large(const struct json *object, uint32_t *order) {
        size_t count = object->count, filled = 0;
        struct ranked *room = must_malloc(2 * count * sizeof *room), *from = room, *to = room + count;
        JSON_FOR_EACH_MEMBER(key, value, object)
                from[filled++] = (struct ranked){head_of(json_text(key)), (uint32_t)(key - object)};
        ASSERT(filled == count);
        for (size_t width = 1; width < count; width *= 2) {
                for (size_t at = 0; at < count; at += 2 * width)
                        merge(object, from + at, MIN(width, count - at), MIN(2 * width, count - at), to + at);
                struct ranked *swap = from;
                from = to;
                to = swap;
        }
        for (size_t i = 0; i < count; i++)
                order[i] = from[i].at;
        free(room);
}

static void canonical_object(struct buffer *buffer, const struct json *object) {
        uint32_t room[JSON_ORDER_FROM], *order = room;
        if (object->count >= JSON_ORDER_FROM) {
                order = must_malloc(object->count * sizeof *order);
                sort_large(object, order);
        } else {
                json_sort_keys(object, order, by_utf16);
        }
        buffer_append_byte(buffer, '{');
        for (size_t i = 0; i < object->count; i++) {
                if (i)
                        buffer_append_byte(buffer, ',');
                json_quote(buffer, json_text(object + order[i]));
                buffer_append_byte(buffer, ':');
                json_canonical(buffer, object + order[i] + 1);
        }
        buffer_append_byte(buffer, '}');
        if (order != room)
                free(order);
}

static void canonical_array(struct buffer *buffer, const struct json *array) {
        buffer_append_byte(buffer, '[');
        bool first = true;
        JSON_FOR_EACH(element, array) {
                if (!first)
                        buffer_append_byte(buffer, ',');
                first = false;
                json_canonical(buffer, element);
        }
        buffer_append_byte(buffer, ']');
}

void json_canonical(struct buffer *buffer, const struct json *node) {
        if (json_is(node, JSON_OBJECT))
                canonical_object(buffer, node);
        else if (json_is(node, JSON_ARRAY))
                canonical_array(buffer, node);
        else if (json_is(node, JSON_NUMBER))
                json_number_canonical(buffer, json_text(node));
        else
                json_write(buffer, node);
}
