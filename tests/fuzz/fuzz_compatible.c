// SPDX-License-Identifier: Apache-2.0
// The input is a JSON array: a writer's schema, a reader's, and instances. Whoever says that the reader accepts all of the writer's is
// refuted by an instance that is not: of the array, or any value inside of the array. Steps are few, so that every input is quick.
#include "schema/compatible.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct schema *compile(const struct json *node) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct schema *schema;
        json_write(&text, node);
        return schema_compile(buffer_bytes(&text), NULL, &schema, NULL) ? schema : NULL;
}

static void check(const struct schema *writer, const struct schema *reader, const struct json *root, struct arena *arena) {
        uint64_t budget = 20000;
        const struct schema_compatible_options options = {.budget = &budget};
        struct schema_difference *differences;
        size_t count;
        enum schema_compatibility answer = schema_compatible(writer, reader, &options, arena, &differences, &count);
        ASSERT((answer == SCHEMA_COMPATIBLE) == (count == 0) && answer != SCHEMA_TOLERABLE);
        if (answer != SCHEMA_COMPATIBLE)
                return;
        for (const struct json *node = root; node < json_next(root); node++)            // keys are texts, too
                ASSERT(schema_verdict(writer, node, arena) != SCHEMA_VALID || schema_verdict(reader, node, arena) != SCHEMA_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.depth = 32, .nodes = 2000};
        const struct json *root;
        if (!json_parse((struct bytes){(const char *)data, size}, &limits, &arena, &root, NULL) || !json_is(root, JSON_ARRAY) ||
            json_count(root) < 2)
                return 0;
        struct schema *writer = compile(json_at(root, 0)), *reader = compile(json_at(root, 1));
        if (writer && reader) {
                check(writer, reader, root, &arena);
                check(reader, writer, root, &arena);
                check(writer, writer, root, &arena);
        }
        schema_free(writer);
        schema_free(reader);
        return 0;
}
