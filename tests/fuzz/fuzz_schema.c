// SPDX-License-Identifier: Apache-2.0
// The input is a JSON array of a schema and instances. Verdict and explanation agree, and filling in of defaults gives JSON.
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void validate(const struct schema *schema, const struct json *instance, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer filled = {0};
        struct schema_failure *failures;
        size_t count;
        const struct json *copy;
        enum schema_verdict verdict = schema_verdict(schema, instance, arena);
        enum schema_verdict explained = schema_explain(schema, (struct bytes){0}, instance, arena, 20, &failures, &count);
        ASSERT(verdict == explained || verdict == SCHEMA_UNDECIDED || explained == SCHEMA_UNDECIDED);
        ASSERT((explained == SCHEMA_INVALID) <= (count > 0));
        if (schema_fill_defaults(schema, instance, &filled))
                ASSERT(json_parse(buffer_bytes(&filled), NULL, arena, &copy, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_limits limits = {.depth = 32};
        const struct json *root;
        struct schema *schema = NULL;
        struct error error;
        if (!json_parse((struct bytes){(const char *)data, size}, &limits, &arena, &root, NULL) || !json_is(root, JSON_ARRAY) ||
            json_count(root) == 0)
                return 0;
        json_write(&text, root + 1);
        if (!schema_compile(buffer_bytes(&text), NULL, &schema, &error)) {
                ASSERT(error.code == ERROR_INVALID || error.code == ERROR_UNSUPPORTED || error.code == ERROR_LIMIT);
                return 0;
        }
        JSON_FOR_EACH(instance, root)
                validate(schema, instance, &arena);
        schema_free(schema);
        return 0;
}
