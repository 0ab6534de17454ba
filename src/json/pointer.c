// SPDX-License-Identifier: Apache-2.0
#include "json/pointer.h"

static bool parse_token(struct bytes text, size_t *at, struct arena *arena, struct bytes *ret_token, struct error *error) {
        size_t start = *at, end = start;
        while (end < text.size && text.data[end] != '/')
                end++;
        char *token = arena_alloc(arena, end - start + 1);
        size_t size = 0;
        for (size_t i = start; i < end; i++) {
                char c = text.data[i];
                if (c == '~') {
                        i++;
                        if (i == end || (text.data[i] != '0' && text.data[i] != '1'))
                                return error_set(error, ERROR_INVALID, "JSON pointer, byte %zu: expected 0 or 1 behind ~", i);
                        c = text.data[i] == '0' ? '~' : '/';
                }
                token[size++] = c;
        }
        *at = end;
        *ret_token = (struct bytes){token, size};
        return true;
}

bool json_pointer_parse(struct bytes text, struct arena *arena, struct json_pointer *ret_pointer, struct error *error) {
        size_t count = 0;
        if (text.size && text.data[0] != '/')
                return error_set(error, ERROR_INVALID, "JSON pointer, byte 0: expected / or nothing");
        for (size_t i = 0; i < text.size; i++)
                count += text.data[i] == '/';
        if (count > JSON_POINTER_TOKENS_MAX)
                return error_set(error, ERROR_LIMIT, "a JSON pointer of %zu steps; at most %d are accepted", count,
                                 JSON_POINTER_TOKENS_MAX);
        struct bytes *tokens = arena_alloc(arena, (count + 1) * sizeof *tokens);
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
                ASSERT(text.data[at] == '/');
                at++;
                if (!parse_token(text, &at, arena, &tokens[i], error))
                        return false;
        }
        *ret_pointer = (struct json_pointer){tokens, count};
        return true;
}

bool json_pointer_index(struct bytes token, uint64_t *ret_index) {
        return bytes_to_u64(token, ret_index) && (token.size == 1 || token.data[0] != '0');
}

const struct json *json_pointer_step(const struct json *node, struct bytes token) {
        uint64_t index;
        if (json_is(node, JSON_OBJECT))
                return json_get(node, token);
        if (!json_is(node, JSON_ARRAY) || !json_pointer_index(token, &index))
                return NULL;
        return json_at(node, index);
}

const struct json *json_pointer_resolve(const struct json_pointer *pointer, const struct json *root) {
        const struct json *node = root;
        for (size_t i = 0; i < pointer->count && node; i++)
                node = json_pointer_step(node, pointer->tokens[i]);
        return node;
}

void json_pointer_append(struct buffer *buffer, struct bytes token) {
        buffer_append_byte(buffer, '/');
        for (size_t i = 0; i < token.size; i++) {
                if (token.data[i] == '~')
                        buffer_append(buffer, BYTES("~0"));
                else if (token.data[i] == '/')
                        buffer_append(buffer, BYTES("~1"));
                else
                        buffer_append_byte(buffer, token.data[i]);
        }
}

void json_pointer_append_index(struct buffer *buffer, size_t index) {
        buffer_print(buffer, "/%zu", index);
}

// The nodes of a value are its own and the span - 1 behind it, so each step goes to the child whose nodes hold `node`.
void json_pointer_of(struct buffer *buffer, const struct json *root, const struct json *node) {
        ASSERT(node >= root && node < json_next(root));
        while (node != root) {
                const struct json *below = NULL;
                if (json_is(root, JSON_OBJECT)) {
                        JSON_FOR_EACH_MEMBER(key, value, root) {
                                if (node >= json_next(value))
                                        continue;
                                json_pointer_append(buffer, json_text(key));
                                below = value;
                                node = MAX(node, value);
                                break;
                        }
                } else {
                        size_t index = 0;
                        JSON_FOR_EACH(element, root) {
                                if (node < json_next(element)) {
                                        json_pointer_append_index(buffer, index);
                                        below = element;
                                        break;
                                }
                                index++;
                        }
                }
                ASSERT(below);
                root = below;
        }
}

void json_places_make(struct json_places *places, const struct json *root, struct arena *arena) {
        struct json_place *items = arena_alloc_raw(arena, root->span * sizeof *items);
        items[0] = (struct json_place){0, 0};
        for (uint32_t outer = 0; outer < root->span; outer++) {
                const struct json *node = root + outer;
                uint32_t index = 0;
                if (json_is(node, JSON_OBJECT)) {
                        JSON_FOR_EACH_MEMBER(key, value, node)
                                items[key - root] = items[value - root] = (struct json_place){outer, (uint32_t)(key - root)};
                } else if (json_is(node, JSON_ARRAY)) {
                        JSON_FOR_EACH(element, node)
                                items[element - root] = (struct json_place){outer, index++};
                }
        }
        *places = (struct json_places){root, items};
}

void json_places_pointer(const struct json_places *places, struct buffer *buffer, const struct json *node) {
        uint32_t way[JSON_DEPTH_MAX + 1];
        size_t count = 0;
        ASSERT(node >= places->root && node < json_next(places->root));
        for (uint32_t at = (uint32_t)(node - places->root); at; at = places->items[at].outer) {
                ASSERT(count < ARRAY_SIZE(way));
                way[count++] = at;
        }
        while (count-- > 0) {
                const struct json_place *place = &places->items[way[count]];
                if (json_is(places->root + place->outer, JSON_ARRAY))
                        json_pointer_append_index(buffer, place->token);
                else
                        json_pointer_append(buffer, json_text(places->root + place->token));
        }
}
