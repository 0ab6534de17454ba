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

static void canonical_object(struct buffer *buffer, const struct json *object) {
        uint32_t room[JSON_ORDER_FROM], *order = room;
        if (object->count >= JSON_ORDER_FROM)
                order = must_malloc(object->count * sizeof *order);
        json_sort_keys(object, order, by_utf16);
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
