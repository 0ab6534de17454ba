// SPDX-License-Identifier: Apache-2.0
// contentEncoding and contentMediaType as assertions: base64 (RFC 4648, section 4, padded) and application/json are known.
#include "schema/schema_priv.h"

static int digit_of(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool decode_base64(struct bytes text, struct arena *scratch, struct bytes *ret_bytes) {
        if (text.size % 4 != 0)
                return false;
        char *to = arena_alloc(scratch, text.size / 4 * 3 + 1);
        size_t size = 0;
        for (size_t i = 0; i < text.size; i += 4) {
                const char *at = text.data + i;
                bool last = i + 4 == text.size;
                int pads = last && at[3] == '=' ? 1 + (at[2] == '=') : 0;
                uint32_t group = 0;
                for (int j = 0; j < 4; j++) {
                        int digit = j < 4 - pads ? digit_of(at[j]) : 0;
                        if (digit < 0)
                                return false;
                        group = group << 6 | (uint32_t)digit;
                }
                if ((pads == 1 && (group & 0xFF)) || (pads == 2 && (group & 0xFFFF)))
                        return false;                           // bits that mean nothing
                for (int j = 0; j < 3 - pads; j++)
                        to[size++] = (char)(group >> (16 - 8 * j));
        }
        *ret_bytes = (struct bytes){to, size};
        return true;
}

const char *content_failure(const struct string_rules *rules, struct bytes text, struct arena *scratch) {
        const struct json *root;
        const char *failure = NULL;
        struct arena_mark mark = arena_mark(scratch);
        if (rules->base64 && !decode_base64(text, scratch, &text))
                failure = "contentEncoding";
        else if (rules->json && !json_parse(text, NULL, scratch, &root, NULL))
                failure = "contentMediaType";
        arena_rewind(scratch, mark);
        return failure;
}
