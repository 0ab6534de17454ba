// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int bytes_compare(struct bytes a, struct bytes b) {
        size_t shared = MIN(a.size, b.size);
        int order = shared ? memcmp(a.data, b.data, shared) : 0;
        return order ? order : (a.size > b.size) - (a.size < b.size);
}

static char lower(char c) {
        return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool bytes_equal_ignore_case(struct bytes a, struct bytes b) {
        if (a.size != b.size)
                return false;
        for (size_t i = 0; i < a.size; i++)
                if (lower(a.data[i]) != lower(b.data[i]))
                        return false;
        return true;
}

bool bytes_starts_with(struct bytes value, struct bytes prefix) {
        return value.size >= prefix.size && bytes_equal((struct bytes){value.data, prefix.size}, prefix);
}

bool bytes_to_u64(struct bytes value, uint64_t *ret_number) {
        if (value.size == 0)
                return false;
        uint64_t number = 0;
        for (size_t i = 0; i < value.size; i++) {
                if (value.data[i] < '0' || value.data[i] > '9')
                        return false;
                if (__builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, (uint64_t)(value.data[i] - '0'), &number))
                        return false;
        }
        *ret_number = number;
        return true;
}

char *bytes_to_text(struct bytes value) {
        char *text = must_malloc(value.size + 1);
        if (value.size)
                memcpy(text, value.data, value.size);
        text[value.size] = '\0';
        return text;
}

void buffer_free(struct buffer *buffer) {
        free(buffer->data);
        *buffer = (struct buffer){0};
}

void buffer_clear(struct buffer *buffer) {
        buffer->size = 0;
}

char *buffer_reserve(struct buffer *buffer, size_t size) {
        ASSERT(size <= SIZE_MAX / 4 && buffer->size <= SIZE_MAX / 4);
        if (buffer->capacity - buffer->size < size) {
                buffer->capacity = MAX(MAX(buffer->capacity * 2, buffer->size + size), (size_t)64);
                buffer->data = must_realloc(buffer->data, buffer->capacity);
        }
        return buffer->data + buffer->size;
}

void buffer_append(struct buffer *buffer, struct bytes value) {
        if (value.size == 0)
                return;
        memcpy(buffer_reserve(buffer, value.size), value.data, value.size);
        buffer->size += value.size;
}

void buffer_append_byte(struct buffer *buffer, char value) {
        *buffer_reserve(buffer, 1) = value;
        buffer->size++;
}

void buffer_print(struct buffer *buffer, const char *format, ...) {
        va_list arguments, again;
        va_start(arguments, format);
        va_copy(again, arguments);
        int size = vsnprintf(NULL, 0, format, arguments);
        va_end(arguments);
        ASSERT(size >= 0);
        vsnprintf(buffer_reserve(buffer, (size_t)size + 1), (size_t)size + 1, format, again);
        va_end(again);
        buffer->size += (size_t)size;
}

char *buffer_take_text(struct buffer *buffer) {
        buffer_append_byte(buffer, '\0');
        char *text = buffer->data;
        *buffer = (struct buffer){0};
        return text;
}
