// SPDX-License-Identifier: Apache-2.0
#include "gateway/mask.h"

#include <stdio.h>
#include <stdlib.h>

enum { HASH_DIGITS = 16, SHOWN_MAX = 60 };

void mask_text(const struct hash_key *key, struct bytes value, struct buffer *text) {
        struct bytes parts[] = {BYTES("mask"), value};
        struct hash128 hash = hash128_of(key, HASH_BODY, parts, ARRAY_SIZE(parts));
        buffer_append(text, BYTES("(personal, "));
        for (size_t i = 0; i < HASH_DIGITS / 2; i++)
                buffer_print(text, "%02x", hash.bytes[i]);
        buffer_append_byte(text, ')');
}

static void mask_node(const struct hash_key *key, const struct json *value, struct buffer *text) {
        struct buffer CLEANUP(buffer_free) canonical = {0};
        json_canonical(&canonical, value);
        mask_text(key, buffer_bytes(&canonical), text);
}

void mask_value(const struct hash_key *key, const struct model_event *event, const struct json *value, struct buffer *text) {
        if (!value) {
                buffer_append(text, BYTES("nothing"));
        } else if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY) || json_count(value) > SHOWN_MAX) {
                buffer_print(text, "another %s", json_type_name(json_type(value)));
        } else if (event && event->is_personal) {
                buffer_print(text, "a %s ", json_type_name(json_type(value)));
                mask_node(key, value, text);
        } else {
                json_write(text, value);
        }
}

void mask_key(const struct hash_key *key, const struct model_event *event, struct bytes value, struct buffer *text) {
        if (event && event->key_is_personal)
                mask_text(key, value, text);
        else
                buffer_append(text, value);
}

void mask_target(const struct hash_key *key, const struct model_event *event, struct bytes target, struct buffer *text) {
        if (event && event->is_personal)
                mask_text(key, target, text);
        else
                buffer_append(text, target);
}

// ---- documents ----

struct masked {
        const struct json **nodes;
        size_t count, capacity;
};

static bool collect(void *context, const struct json *value, struct bytes pointer) {
        struct masked *masked = context;
        (void)pointer;
        if (masked->count == masked->capacity) {
                masked->capacity = MAX((size_t)16, 2 * masked->capacity);
                masked->nodes = must_realloc(masked->nodes, masked->capacity * sizeof *masked->nodes);
        }
        masked->nodes[masked->count++] = value;
        return true;
}

static bool is_masked(const struct masked *masked, const struct json *node) {
        if (!masked)
                return json_is(node, JSON_STRING) || json_is(node, JSON_NUMBER);
        for (size_t i = 0; i < masked->count; i++)
                if (masked->nodes[i] == node)
                        return true;
        return false;
}

static void write_node(const struct hash_key *key, const struct masked *masked, const struct json *node, struct json_writer *writer) {
        if (is_masked(masked, node) && !json_is(node, JSON_NULL)) {
                struct buffer CLEANUP(buffer_free) text = {0};
                mask_node(key, node, &text);
                json_string(writer, buffer_bytes(&text));
        } else if (json_is(node, JSON_OBJECT)) {
                json_begin_object(writer);
                JSON_FOR_EACH_MEMBER(name, value, node) {
                        json_key_bytes(writer, json_text(name));
                        write_node(key, masked, value, writer);
                }
                json_end_object(writer);
        } else if (json_is(node, JSON_ARRAY)) {
                json_begin_array(writer);
                JSON_FOR_EACH(element, node)
                        write_node(key, masked, element, writer);
                json_end_array(writer);
        } else {
                json_node(writer, node);
        }
}

void mask_write(const struct hash_key *key, const struct model_version *version, const struct json *document,
                struct json_writer *writer) {
        struct masked masked = {0};
        if (version)
                model_personal_each(version, document, collect, &masked);
        write_node(key, version ? &masked : NULL, document, writer);
        free(masked.nodes);
}
