// SPDX-License-Identifier: Apache-2.0
// Classes of bytes (RFC 9110, 5.5 and 5.6; RFC 3986), as one table. Private to the folder's parsers.
#pragma once

#include "base/bytes.h"

enum {
        CHAR_TOKEN = 1,         // tchar
        CHAR_VALUE = 2,         // field-vchar, obs-text, space, tab
        CHAR_TARGET = 4,        // visible ASCII but "#"
        CHAR_HOST = 8,          // what an authority without user information is made of
};

extern const uint8_t http_chars[256];

static inline bool http_all(struct bytes value, uint8_t class) {
        uint8_t all = class;
        for (size_t i = 0; i < value.size; i++)
                all &= http_chars[(uint8_t)value.data[i]];
        return all != 0;
}
