// SPDX-License-Identifier: Apache-2.0
// The input is a JSON array of a schema and instances. What lint finds has a place in the schema, in the document's order, and a schema
// of which it says that nothing can match refuses each of the instances.
#include "json/pointer.h"
#include "schema/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes source, const struct json *instances, const struct schema_finding *finding, struct arena *arena) {
        struct json_pointer pointer;
        struct schema *schema;
        const struct json *root;
        bool found = json_parse(source, NULL, arena, &root, NULL) && json_pointer_parse(bytes_of(finding->path), arena, &pointer, NULL);
        const struct json *node = found ? json_pointer_resolve(&pointer, root) : NULL;
        ASSERT(node && json_offset(node) == finding->position.offset);
        if (strcmp(finding->rule, "never-matches") != 0 || finding->path[0])
                return;
        bool compiled = schema_compile(source, NULL, &schema, NULL);
        ASSERT(compiled);
        JSON_FOR_EACH(instance, instances)
                ASSERT(schema_verdict(schema, instance, arena) != SCHEMA_VALID);
        schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_limits limits = {.depth = 32, .nodes = 2000};
        const struct json *root;
        struct schema_finding *findings;
        size_t count;
        struct error error;
        if (!json_parse((struct bytes){(const char *)data, size}, &limits, &arena, &root, NULL) || !json_is(root, JSON_ARRAY) ||
            json_count(root) == 0)
                return 0;
        json_write(&text, root + 1);
        if (!schema_lint(buffer_bytes(&text), NULL, &arena, &findings, &count, &error)) {
                ASSERT(error.code == ERROR_INVALID || error.code == ERROR_UNSUPPORTED || error.code == ERROR_LIMIT);
                return 0;
        }
        for (size_t i = 0; i < count; i++) {
                ASSERT(i == 0 || findings[i - 1].position.offset <= findings[i].position.offset);
                check(buffer_bytes(&text), root, &findings[i], &arena);
        }
        return 0;
}
