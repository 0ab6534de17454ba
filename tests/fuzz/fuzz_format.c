// SPDX-License-Identifier: Apache-2.0
// The first byte chooses a format, the rest is the text. What a stricter format accepts, a wider one does.
#include "json/utf8.h"
#include "schema/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is(enum schema_format format, struct bytes text, struct arena *arena) {
        return format_check(format, text, arena) == FORMAT_VALID;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum schema_format wider[][2] = {
                {FORMAT_URI, FORMAT_URI_REFERENCE}, {FORMAT_URI, FORMAT_IRI}, {FORMAT_URI_REFERENCE, FORMAT_IRI_REFERENCE},
                {FORMAT_IRI, FORMAT_IRI_REFERENCE}, {FORMAT_EMAIL, FORMAT_IDN_EMAIL}, {FORMAT_HOSTNAME, FORMAT_HOSTNAME_ASCII},
                {FORMAT_RELATIVE_JSON_POINTER_OLD, FORMAT_RELATIVE_JSON_POINTER},
        };
        CLEANUP(arena_free) struct arena arena = {0};
        struct bytes text = {(const char *)data + 1, size - 1};
        if (!size || !utf8_valid(text))
                return 0;
        enum schema_format format = (enum schema_format)(data[0] % FORMAT_COUNT);
        bool valid = is(format, text, &arena);
        for (size_t i = 0; i < ARRAY_SIZE(wider); i++)
                ASSERT(wider[i][0] != format || !valid || is(wider[i][1], text, &arena));
        return 0;
}
