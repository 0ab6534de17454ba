// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include "base/bytes.h"

// The length (1–4) of the sequence that starts at `at`, or 0 when it is not valid or is cut off by `end`. at < end.
static inline unsigned utf8_sequence(const char *at, const char *end) {
        const uint8_t *byte = (const uint8_t *)at;
        size_t left = (size_t)(end - at);
        if (byte[0] < 0x80)
                return 1;
        if (byte[0] < 0xC2 || left < 2 || (byte[1] & 0xC0) != 0x80)
                return 0;
        if (byte[0] < 0xE0)
                return 2;
        if (left < 3 || (byte[2] & 0xC0) != 0x80)
                return 0;
        if (byte[0] < 0xF0) {
                bool overlong = byte[0] == 0xE0 && byte[1] < 0xA0;
                bool surrogate = byte[0] == 0xED && byte[1] >= 0xA0;
                return overlong || surrogate ? 0 : 3;
        }
        if (byte[0] > 0xF4 || left < 4 || (byte[3] & 0xC0) != 0x80)
                return 0;
        bool overlong = byte[0] == 0xF0 && byte[1] < 0x90;
        bool beyond = byte[0] == 0xF4 && byte[1] >= 0x90;
        return overlong || beyond ? 0 : 4;
}

static inline bool utf8_valid(struct bytes value) {
        const char *at = value.data, *end = value.data + value.size;
        while (at < end) {
                unsigned length = utf8_sequence(at, end);
                if (length == 0)
                        return false;
                at += length;
        }
        return true;
}

// Writes the sequence of a code point that is not a surrogate; returns its length.
static inline unsigned utf8_encode(uint32_t point, char *to) {
        if (point < 0x80) {
                to[0] = (char)point;
                return 1;
        }
        unsigned length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
        for (unsigned i = length - 1; i > 0; i--, point >>= 6)
                to[i] = (char)(0x80 | (point & 0x3F));
        to[0] = (char)(lead[length] | point);
        return length;
}

// The code point of a valid sequence.
static inline uint32_t utf8_decode(const char *at, unsigned length) {
        const uint8_t *byte = (const uint8_t *)at;
        if (length == 1)
                return byte[0];
        uint32_t point = byte[0] & (0x7Fu >> length);
        for (unsigned i = 1; i < length; i++)
                point = point << 6 | (byte[i] & 0x3F);
        return point;
}

// Code points of valid UTF-8.
static inline size_t utf8_count(struct bytes value) {
        size_t count = 0;
        for (size_t i = 0; i < value.size; i++)
                count += ((uint8_t)value.data[i] & 0xC0) != 0x80;
        return count;
}
