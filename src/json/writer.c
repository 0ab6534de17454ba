// SPDX-License-Identifier: Apache-2.0
#include "json/writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/utf8.h"

static bool bit(const uint64_t *bits, unsigned at) {
        return bits[at / 64] >> at % 64 & 1;
}

static void set_bit(uint64_t *bits, unsigned at, bool value) {
        bits[at / 64] = (bits[at / 64] & ~(1ull << at % 64)) | (uint64_t)value << at % 64;
}

static void new_line(struct json_writer *writer) {
        buffer_append_byte(writer->buffer, '\n');
        for (unsigned i = 0; i < writer->depth; i++)
                buffer_append(writer->buffer, BYTES("  "));
}

static void separate(struct json_writer *writer) {
        if (bit(writer->filled, writer->depth - 1))
                buffer_append_byte(writer->buffer, ',');
        set_bit(writer->filled, writer->depth - 1, true);
        if (writer->pretty)
                new_line(writer);
}

// What stands before a value, and that one may stand here.
static void before_value(struct json_writer *writer) {
        ASSERT(!writer->done);
        if (writer->depth == 0) {
                writer->done = true;
        } else if (bit(writer->object, writer->depth - 1)) {
                ASSERT(writer->after_key);
                writer->after_key = false;
        } else {
                separate(writer);
        }
}

static void begin(struct json_writer *writer, bool object) {
        before_value(writer);
        ASSERT(writer->depth < JSON_WRITER_DEPTH_MAX);
        writer->done = false;
        set_bit(writer->object, writer->depth, object);
        set_bit(writer->filled, writer->depth, false);
        writer->depth++;
        buffer_append_byte(writer->buffer, object ? '{' : '[');
}

static void end(struct json_writer *writer, bool object) {
        ASSERT(writer->depth > 0 && !writer->after_key && bit(writer->object, writer->depth - 1) == object);
        writer->depth--;
        if (writer->pretty && bit(writer->filled, writer->depth))
                new_line(writer);
        buffer_append_byte(writer->buffer, object ? '}' : ']');
        writer->done = writer->depth == 0;
}

void json_begin_object(struct json_writer *writer) {
        begin(writer, true);
}

void json_end_object(struct json_writer *writer) {
        end(writer, true);
}

void json_begin_array(struct json_writer *writer) {
        begin(writer, false);
}

void json_end_array(struct json_writer *writer) {
        end(writer, false);
}

void json_key_bytes(struct json_writer *writer, struct bytes key) {
        ASSERT(writer->depth > 0 && !writer->after_key && bit(writer->object, writer->depth - 1));
        separate(writer);
        json_quote(writer->buffer, key);
        buffer_append_byte(writer->buffer, ':');
        if (writer->pretty)
                buffer_append_byte(writer->buffer, ' ');
        writer->after_key = true;
}

void json_key(struct json_writer *writer, const char *key) {
        json_key_bytes(writer, bytes_of(key));
}

void json_raw(struct json_writer *writer, struct bytes value) {
        ASSERT(value.size > 0);
        before_value(writer);
        buffer_append(writer->buffer, value);
}

void json_string(struct json_writer *writer, struct bytes value) {
        before_value(writer);
        json_quote(writer->buffer, value);
}

void json_string_text(struct json_writer *writer, const char *value) {
        if (value)
                json_string(writer, bytes_of(value));
        else
                json_null(writer);
}

void json_string_print(struct json_writer *writer, const char *format, ...) {
        va_list arguments;
        char *text = NULL;
        va_start(arguments, format);
        int size = vasprintf(&text, format, arguments);
        va_end(arguments);
        ASSERT(size >= 0);
        json_string(writer, (struct bytes){text, (size_t)size});
        free(text);
}

void json_i64(struct json_writer *writer, int64_t value) {
        before_value(writer);
        buffer_print(writer->buffer, "%lld", (long long)value);
}

void json_u64(struct json_writer *writer, uint64_t value) {
        before_value(writer);
        buffer_print(writer->buffer, "%llu", (unsigned long long)value);
}

void json_fixed(struct json_writer *writer, double value, unsigned decimals) {
        ASSERT(isfinite(value));
        before_value(writer);
        buffer_print(writer->buffer, "%.*f", (int)decimals, value);
}

void json_boolean(struct json_writer *writer, bool value) {
        json_raw(writer, value ? BYTES("true") : BYTES("false"));
}

void json_null(struct json_writer *writer) {
        json_raw(writer, BYTES("null"));
}

void json_node(struct json_writer *writer, const struct json *node) {
        switch (json_type(node)) {
        case JSON_NULL:
                json_null(writer);
                break;
        case JSON_BOOL:
                json_boolean(writer, json_bool(node));
                break;
        case JSON_NUMBER:
                json_raw(writer, json_text(node));
                break;
        case JSON_STRING:
                json_string(writer, json_text(node));
                break;
        case JSON_ARRAY:
                json_begin_array(writer);
                JSON_FOR_EACH(element, node)
                        json_node(writer, element);
                json_end_array(writer);
                break;
        case JSON_OBJECT:
        default:
                json_begin_object(writer);
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        json_key_bytes(writer, json_text(key));
                        json_node(writer, value);
                }
                json_end_object(writer);
                break;
        }
}

void json_end(struct json_writer *writer) {
        ASSERT(writer->done && writer->depth == 0);
}

void json_member_text(struct json_writer *writer, const char *key, const char *value) {
        json_key(writer, key);
        json_string_text(writer, value);
}

void json_member_bytes(struct json_writer *writer, const char *key, struct bytes value) {
        json_key(writer, key);
        json_string(writer, value);
}

void json_member_i64(struct json_writer *writer, const char *key, int64_t value) {
        json_key(writer, key);
        json_i64(writer, value);
}

void json_member_u64(struct json_writer *writer, const char *key, uint64_t value) {
        json_key(writer, key);
        json_u64(writer, value);
}

void json_member_boolean(struct json_writer *writer, const char *key, bool value) {
        json_key(writer, key);
        json_boolean(writer, value);
}

static void escape(struct buffer *buffer, char c) {
        static const char from[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
        const char *found = c ? strchr(from, c) : NULL;
        if (found) {
                buffer_append_byte(buffer, '\\');
                buffer_append_byte(buffer, names[found - from]);
        } else {
                buffer_print(buffer, "\\u%04x", (unsigned)(uint8_t)c);
        }
}

void json_quote(struct buffer *buffer, struct bytes value) {
        const char *at = value.data, *stop = value.size ? at + value.size : at, *plain = at;
        buffer_append_byte(buffer, '"');
        while (at < stop) {
                if ((uint8_t)*at >= 0x20 && (uint8_t)*at < 0x80 && *at != '"' && *at != '\\') {
                        at++;
                        continue;
                }
                unsigned length = (uint8_t)*at < 0x80 ? 0 : utf8_sequence(at, stop);
                if (length) {
                        at += length;
                        continue;
                }
                buffer_append(buffer, (struct bytes){plain, (size_t)(at - plain)});
                if ((uint8_t)*at < 0x80)
                        escape(buffer, *at);
                else
                        buffer_append(buffer, BYTES("\xEF\xBF\xBD"));
                plain = ++at;
        }
        buffer_append(buffer, (struct bytes){plain, (size_t)(at - plain)});
        buffer_append_byte(buffer, '"');
}

void json_write(struct buffer *buffer, const struct json *node) {
        struct json_writer writer = {.buffer = buffer};
        json_node(&writer, node);
}

void json_write_pretty(struct buffer *buffer, const struct json *node) {
        struct json_writer writer = {.buffer = buffer, .pretty = true};
        json_node(&writer, node);
}
