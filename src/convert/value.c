// SPDX-License-Identifier: Apache-2.0
// Our own parser reads (libjq's takes NaN, invalid UTF-8, equal keys and any number), our own writer writes. Depth is bounded by
// CONVERT_DEPTH_MAX both ways, so both recurse.
#include "convert/value.h"

#include <math.h>

#include "convert/exact.h"
#include "json/json.h"
#include "json/writer.h"

static bool read_node(const struct json *node, jv *ret_value, bool *edge, struct error *error);

static bool read_number(const struct json *node, jv *ret_value, bool *edge, struct error *error) {
        double number;
        struct bytes text = json_text(node);
        if (!exact_from_text(text, &number))
                return error_set(error, ERROR_REJECTED, "the number at byte %zu would be rounded by jq: at most ±2^53 for integers, "
                                 "and what a double keeps", json_offset(node));
        *edge = *edge || fabs(number) == CONVERT_INTEGER_MAX;
        *ret_value = jv_number(number);
        return true;
}

static bool read_array(const struct json *node, jv *ret_value, bool *edge, struct error *error) {
        jv array = jv_array_sized((int)json_count(node)), element;
        JSON_FOR_EACH(child, node) {
                if (!read_node(child, &element, edge, error)) {
                        jv_free(array);
                        return false;
                }
                array = jv_array_append(array, element);
        }
        *ret_value = array;
        return true;
}

static bool read_object(const struct json *node, jv *ret_value, bool *edge, struct error *error) {
        jv object = jv_object(), member;
        JSON_FOR_EACH_MEMBER(key, child, node) {
                if (!read_node(child, &member, edge, error)) {
                        jv_free(object);
                        return false;
                }
                object = jv_object_set(object, jv_string_sized(json_text(key).data, (int)json_text(key).size), member);
        }
        *ret_value = object;
        return true;
}

static bool read_node(const struct json *node, jv *ret_value, bool *edge, struct error *error) {
        switch (json_type(node)) {
        case JSON_NULL:
                *ret_value = jv_null();
                return true;
        case JSON_BOOL:
                *ret_value = jv_bool(json_bool(node));
                return true;
        case JSON_STRING:
                *ret_value = jv_string_sized(json_text(node).data, (int)json_text(node).size);
                return true;
        case JSON_NUMBER:
                return read_number(node, ret_value, edge, error);
        case JSON_ARRAY:
                return read_array(node, ret_value, edge, error);
        case JSON_OBJECT:
                return read_object(node, ret_value, edge, error);
        }
        UNREACHABLE("a type that JSON has not");
}

bool value_read(struct bytes source, struct arena *arena, jv *ret_value, bool *ret_edge, struct error *error) {
        static const struct json_limits limits = {.bytes = CONVERT_INPUT_MAX, .depth = CONVERT_DEPTH_MAX};
        const struct json *root;
        bool edge = false;
        if (!json_parse(source, &limits, arena, &root, error) || !read_node(root, ret_value, &edge, error))
                return error_wrap(error, "the document");
        *ret_edge = edge;
        return true;
}

static bool write_number(double number, bool edge, struct buffer *buffer, struct error *error) {
        if (isnan(number))
                return error_set(error, ERROR_REJECTED, "its output has a NaN");
        if (fabs(number) > CONVERT_INTEGER_MAX || (fabs(number) == CONVERT_INTEGER_MAX && !edge))
                return error_set(error, ERROR_REJECTED, "its output has an integer at or beyond ±2^53, which jq may have rounded");
        exact_to_text(buffer, number);
        return true;
}

static void write_string(jv string, struct buffer *buffer) {
        json_quote(buffer, (struct bytes){jv_string_value(string), (size_t)jv_string_length_bytes(jv_copy(string))});
}

static bool write_node(jv value, bool edge, unsigned depth, struct buffer *buffer, struct error *error);

static bool write_array(jv array, bool edge, unsigned depth, struct buffer *buffer, struct error *error) {
        int count = jv_array_length(jv_copy(array));
        bool ok = true;
        buffer_append_byte(buffer, '[');
        for (int i = 0; i < count && ok; i++) {
                if (i)
                        buffer_append_byte(buffer, ',');
                jv element = jv_array_get(jv_copy(array), i);
                ok = write_node(element, edge, depth + 1, buffer, error);
                jv_free(element);
        }
        buffer_append_byte(buffer, ']');
        return ok;
}

static bool write_object(jv object, bool edge, unsigned depth, struct buffer *buffer, struct error *error) {
        bool ok = true, first = true;
        buffer_append_byte(buffer, '{');
        for (int at = jv_object_iter(object); ok && jv_object_iter_valid(object, at); at = jv_object_iter_next(object, at)) {
                if (!first)
                        buffer_append_byte(buffer, ',');
                first = false;
                jv key = jv_object_iter_key(object, at), member = jv_object_iter_value(object, at);
                write_string(key, buffer);
                buffer_append_byte(buffer, ':');
                ok = write_node(member, edge, depth + 1, buffer, error);
                jv_free(key);
                jv_free(member);
        }
        buffer_append_byte(buffer, '}');
        return ok;
}

static bool write_node(jv value, bool edge, unsigned depth, struct buffer *buffer, struct error *error) {
        if (buffer->size > CONVERT_OUTPUT_MAX)
                return error_set(error, ERROR_LIMIT, "its output is larger than %d bytes", CONVERT_OUTPUT_MAX);
        switch (jv_get_kind(value)) {
        case JV_KIND_NULL:
                buffer_append(buffer, BYTES("null"));
                return true;
        case JV_KIND_FALSE:
                buffer_append(buffer, BYTES("false"));
                return true;
        case JV_KIND_TRUE:
                buffer_append(buffer, BYTES("true"));
                return true;
        case JV_KIND_NUMBER:
                return write_number(jv_number_value(value), edge, buffer, error);
        case JV_KIND_STRING:
                write_string(value, buffer);
                return true;
        case JV_KIND_ARRAY:
        case JV_KIND_OBJECT:
                if (depth == CONVERT_DEPTH_MAX)
                        return error_set(error, ERROR_LIMIT, "its output is more than %d levels deep", CONVERT_DEPTH_MAX);
                return jv_get_kind(value) == JV_KIND_ARRAY ? write_array(value, edge, depth, buffer, error)
                                                           : write_object(value, edge, depth, buffer, error);
        case JV_KIND_INVALID:
                break;
        }
        UNREACHABLE("an invalid value inside an output");
}

bool value_write(jv value, bool edge, struct buffer *buffer, struct error *error) {
        ASSERT(buffer->size == 0);
        if (!write_node(value, edge, 0, buffer, error))
                return false;
        if (buffer->size > CONVERT_OUTPUT_MAX)
                return error_set(error, ERROR_LIMIT, "its output is larger than %d bytes", CONVERT_OUTPUT_MAX);
        return true;
}
