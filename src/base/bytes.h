// SPDX-License-Identifier: Apache-2.0
// Borrowed runs of bytes (struct bytes), and a growing buffer with a limit (struct buffer).
#pragma once

#include <string.h>

#include "base/base.h"

// A borrowed run of bytes, not NUL-terminated. {NULL, 0} is empty.
struct bytes {
        const char *data;
        size_t size;
};

#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})
// For printf: "%.*s", BYTES_PRINT(value). Cut at 2 GiB.
#define BYTES_PRINT(value) (int)(value).size, (value).data

static inline struct bytes bytes_of(const char *text) {
        return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b) {
        return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// Byte order, shorter first among equals; as memcmp.
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_equal_ignore_case(struct bytes a, struct bytes b);   // ASCII only
bool bytes_starts_with(struct bytes value, struct bytes prefix);

// Decimal digits only, no sign, no space, no empty; false when it does not fit.
MUST_USE bool bytes_to_u64(struct bytes value, uint64_t *ret_number);

// A malloc'ed NUL-terminated copy; the caller owns it.
char *bytes_to_text(struct bytes value) __attribute__((malloc));

// A growing run of bytes. Zero-initialised is empty. Owned by whoever holds the struct; not for several threads at once.
struct buffer {
        char *data;
        size_t size;
        size_t capacity;
};

void buffer_free(struct buffer *buffer);                        // fit for CLEANUP; leaves it empty
void buffer_clear(struct buffer *buffer);                       // size 0, memory kept
char *buffer_reserve(struct buffer *buffer, size_t size);       // room for size more bytes; returns where they go
void buffer_append(struct buffer *buffer, struct bytes value);
void buffer_append_byte(struct buffer *buffer, char value);
void buffer_print(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
static inline struct bytes buffer_bytes(const struct buffer *buffer) {
        return (struct bytes){buffer->data, buffer->size};
}
// The content as NUL-terminated text that the caller owns; the buffer is empty afterwards.
char *buffer_take_text(struct buffer *buffer);
