// SPDX-License-Identifier: Apache-2.0
// Parts of messages, written to a buffer.
#include "http/message.h"

#include <string.h>

void http_emit_header(struct buffer *buffer, struct bytes name, struct bytes value) {
        char *at = buffer_reserve(buffer, name.size + value.size + 4);
        memcpy(at, name.data, name.size);
        at += name.size;
        *at++ = ':';
        *at++ = ' ';
        if (value.size)
                memcpy(at, value.data, value.size);
        at += value.size;
        *at++ = '\r';
        *at++ = '\n';
        buffer->size += name.size + value.size + 4;
}

void http_emit_number(struct buffer *buffer, uint64_t number) {
        char digits[20];
        size_t at = sizeof digits;
        do {
                digits[--at] = (char)('0' + number % 10);
                number /= 10;
        } while (number);
        buffer_append(buffer, (struct bytes){digits + at, sizeof digits - at});
}

static void emit_escaped(struct buffer *buffer, const char *text) {
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        buffer_append_byte(buffer, '\\');
                if ((unsigned char)*text < 0x20)
                        buffer_print(buffer, "\\u%04x", (unsigned)*text);
                else
                        buffer_append_byte(buffer, *text);
        }
}

void http_emit_numbered_error(struct buffer *buffer, unsigned number, const char *message) {
        buffer_print(buffer, "{\"error_code\":%u,\"message\":\"", number);
        emit_escaped(buffer, message);
        buffer_append(buffer, BYTES("\"}\n"));
}

void http_emit_error(struct buffer *buffer, const char *code, const char *message) {
        buffer_append(buffer, BYTES("{\"error\":\""));
        emit_escaped(buffer, code);
        buffer_append(buffer, BYTES("\",\"message\":\""));
        emit_escaped(buffer, message);
        buffer_append(buffer, BYTES("\"}\n"));
}
