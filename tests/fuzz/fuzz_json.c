// SPDX-License-Identifier: Apache-2.0
// Whatever the parser accepts, it reads back: written compactly and pretty it is an equal document, and equal documents have equal
// canonical forms.
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(buffer_free) struct buffer compact = {0}, pretty = {0}, canonical = {0}, again = {0};
        const struct json *root, *copy;
        struct error error;
        if (!json_parse((struct bytes){(const char *)data, size}, NULL, &arena, &root, &error)) {
                ASSERT(error.code == ERROR_INVALID || error.code == ERROR_LIMIT);
                return 0;
        }
        json_write(&compact, root);
        json_write_pretty(&pretty, root);
        json_canonical(&canonical, root);
        ASSERT(json_parse(buffer_bytes(&compact), NULL, &arena, &copy, NULL) && json_equal(root, copy));
        ASSERT(json_parse(buffer_bytes(&pretty), NULL, &arena, &copy, NULL) && json_equal(root, copy));
        ASSERT(json_parse(buffer_bytes(&canonical), NULL, &arena, &copy, NULL) && json_equal(root, copy));
        json_canonical(&again, copy);
        ASSERT(bytes_equal(buffer_bytes(&canonical), buffer_bytes(&again)));
        return 0;
}
