// SPDX-License-Identifier: Apache-2.0
// Each form of a value is a pattern, found by its first four bytes: a table of chains, 2^16 long, that is looked at for each byte of
// what is searched.
#include "base/needles.h"

#include <stdio.h>
#include <stdlib.h>

enum { TABLE_BITS = 16, TABLE_SIZE = 1 << TABLE_BITS };

struct pattern {
        struct buffer form;
        size_t value;
        uint32_t next;                          // in the chain, + 1; 0: the end
};

struct whole {
        struct bytes text;
        size_t value;
};

struct needles {
        struct buffer *values;
        struct whole *sorted;                   // of values, by text
        size_t value_count;
        struct pattern *patterns;
        size_t count, capacity, longest;
        uint32_t table[TABLE_SIZE];             // first of the chain, + 1
};

static uint32_t slot_of(const char *data) {
        uint32_t four;
        memcpy(&four, data, sizeof four);
        return four * UINT32_C(2654435761) >> (32 - TABLE_BITS);
}

static void add(struct needles *needles, size_t value, struct buffer *form) {
        for (size_t i = needles->count; i-- > 0 && needles->patterns[i].value == value;)
                if (bytes_equal(buffer_bytes(&needles->patterns[i].form), buffer_bytes(form))) {
                        buffer_free(form);
                        return;
                }
        if (form->size < NEEDLE_LEAST) {
                buffer_free(form);
                return;
        }
        if (needles->count == needles->capacity) {
                needles->capacity = MAX((size_t)64, 2 * needles->capacity);
                needles->patterns = must_realloc(needles->patterns, needles->capacity * sizeof *needles->patterns);
        }
        uint32_t *slot = &needles->table[slot_of(form->data)];
        needles->patterns[needles->count] = (struct pattern){*form, value, *slot};
        *slot = (uint32_t)++needles->count;
        needles->longest = MAX(needles->longest, form->size);
        *form = (struct buffer){0};             // the pattern's now
}

// ---- forms ----

// The character at *at as a code point; a byte that belongs to none is itself. Moves behind it.
static uint32_t character(struct bytes value, size_t *at) {
        unsigned char first = (unsigned char)value.data[(*at)++];
        unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
        uint32_t code = more ? first & (0x3fu >> more) : first;
        for (; more > 0 && *at < value.size; more--)
                code = code << 6 | ((unsigned char)value.data[(*at)++] & 0x3f);
        return code;
}

static void put_unit(struct buffer *form, uint32_t unit, bool capital) {
        buffer_print(form, capital ? "\\u%04X" : "\\u%04x", unit);
}

// As in a JSON string. all: non-ASCII characters escaped, too; slash: as \/.
static void put_json(struct buffer *form, struct bytes value, bool all, bool capital, bool slash) {
        static const char names[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
        for (size_t at = 0; at < value.size;) {
                size_t begin = at;
                uint32_t code = character(value, &at);
                const char *name = code && code < 0x80 ? strchr(names, (int)code) : NULL;
                if (name) {
                        buffer_append_byte(form, '\\');
                        buffer_append_byte(form, letters[name - names]);
                } else if (code == '/' && slash) {
                        buffer_append(form, BYTES("\\/"));
                } else if (code >= 0x10000 && all) {
                        put_unit(form, 0xd800 + ((code - 0x10000) >> 10), capital);
                        put_unit(form, 0xdc00 + ((code - 0x10000) & 0x3ff), capital);
                } else if (code < 0x20 || (code >= 0x7f && all)) {
                        put_unit(form, code, capital);
                } else {
                        buffer_append(form, (struct bytes){value.data + begin, at - begin});
                }
        }
}

// keep: characters beside the unreserved ones that stay; plus: a space becomes +.
static void put_percent(struct buffer *form, struct bytes value, const char *keep, bool capital, bool plus) {
        static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
        for (size_t i = 0; i < value.size; i++) {
                unsigned char c = (unsigned char)value.data[i];
                if (c && (strchr(unreserved, c) || strchr(keep, c)))
                        buffer_append_byte(form, (char)c);
                else if (c == ' ' && plus)
                        buffer_append_byte(form, '+');
                else
                        buffer_print(form, capital ? "%%%02X" : "%%%02x", c);
        }
}

static void add_forms(struct needles *needles, size_t value) {
        struct bytes text = buffer_bytes(&needles->values[value]);
        struct buffer form = {0};
        buffer_append(&form, text);
        add(needles, value, &form);
        for (unsigned bits = 0; bits < 8; bits++) {
                put_json(&form, text, bits & 1, bits & 2, bits & 4);
                add(needles, value, &form);
                put_percent(&form, text, bits & 1 ? "!$&'()*+,;=:@/" : "", bits & 2, bits & 4);
                add(needles, value, &form);
        }
}

// ---- life ----

static int compare(const void *a, const void *b) {
        const struct whole *left = a, *right = b;
        return bytes_compare(left->text, right->text);
}

bool needles_new(const struct bytes *values, size_t count, struct needles **ret_needles, struct error *error) {
        if (count == 0)
                return error_set(error, ERROR_INVALID, "no values to look for");
        if (count > NEEDLES_MAX)
                return error_set(error, ERROR_LIMIT, "%zu values to look for: up to %d are allowed", count, NEEDLES_MAX);
        for (size_t i = 0; i < count; i++) {
                if (values[i].size == 0)
                        return error_set(error, ERROR_INVALID, "value %zu is empty", i + 1);
                if (values[i].size > NEEDLE_MAX)
                        return error_set(error, ERROR_LIMIT, "value %zu has %zu bytes: up to %d are allowed", i + 1, values[i].size,
                                         NEEDLE_MAX);
        }
        struct needles *needles = must_calloc(1, sizeof *needles);
        needles->values = must_calloc(count, sizeof *needles->values);
        needles->sorted = must_calloc(count, sizeof *needles->sorted);
        needles->value_count = count;
        for (size_t i = 0; i < count; i++) {
                buffer_append(&needles->values[i], values[i]);
                needles->sorted[i] = (struct whole){buffer_bytes(&needles->values[i]), i};
                add_forms(needles, i);
        }
        qsort(needles->sorted, count, sizeof *needles->sorted, compare);
        *ret_needles = needles;
        return true;
}

void needles_free(struct needles *needles) {
        if (!needles)
                return;
        for (size_t i = 0; i < needles->count; i++)
                buffer_free(&needles->patterns[i].form);
        for (size_t i = 0; i < needles->value_count; i++)
                buffer_free(&needles->values[i]);
        free(needles->values);
        free(needles->sorted);
        free(needles->patterns);
        free(needles);
}

void needles_freep(struct needles **needles) {
        needles_free(*needles);
}

size_t needles_longest(const struct needles *needles) {
        return MAX(needles->longest, (size_t)NEEDLE_LEAST);
}

// ---- search ----

void needles_find(const struct needles *needles, struct bytes bytes, needles_visit *visit, void *context) {
        for (size_t at = 0; at + NEEDLE_LEAST <= bytes.size; at++) {
                uint32_t next = needles->table[slot_of(bytes.data + at)];
                while (next) {
                        const struct pattern *pattern = &needles->patterns[next - 1];
                        next = pattern->next;
                        if (pattern->form.size <= bytes.size - at && memcmp(pattern->form.data, bytes.data + at, pattern->form.size) == 0 &&
                            !visit(context, pattern->value, at, pattern->form.size))
                                return;
                }
        }
}

bool needles_equal(const struct needles *needles, struct bytes bytes, size_t *ret_value) {
        struct whole wanted = {bytes, 0};
        const struct whole *found = bsearch(&wanted, needles->sorted, needles->value_count, sizeof *found, compare);
        if (found)
                *ret_value = found->value;
        return found;
}
