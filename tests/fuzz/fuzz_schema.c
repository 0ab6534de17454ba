// SPDX-License-Identifier: Apache-2.0
// The input is a JSON array of a schema and instances. The ways to a verdict agree (evaluation, scan of the bytes, explanation,
// output), and filling in of defaults gives JSON. What is not such an array is scanned as it is, by a schema that asks for little,
// and must be refused exactly where the parser refuses it.
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The same value otherwise written: spaces wherever they may be, the first byte of each string as an escape.
static void write_otherwise(struct buffer *buffer, struct bytes text) {
        bool inside = false;
        for (size_t i = 0; i < text.size; i++) {
                char c = text.data[i];
                if (inside && c == '\\')
                        buffer_append_byte(buffer, text.data[i++]);
                else if (c == '"')
                        inside = !inside;
                if (!inside && strchr(":,{}[]", c)) {
                        buffer_print(buffer, " %c\t", c);
                        continue;
                }
                buffer_append_byte(buffer, text.data[i]);
                char next = i + 1 < text.size ? text.data[i + 1] : '"';
                if (inside && c == '"' && next != '"' && next != '\\' && (uint8_t)next < 0x80)
                        buffer_print(buffer, "\\u%04x", (unsigned)text.data[++i]);
        }
}

static void validate(const struct schema *schema, const struct json *instance, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer otherwise = {0};
        CLEANUP(buffer_free) struct buffer filled = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer output = {0};
        struct schema_failure *failures;
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_DETAILED, .annotations = true, .values = true};
        size_t count;
        const struct json *copy;
        json_write(&text, instance);
        enum schema_verdict verdict = schema_verdict(schema, instance, arena), scanned;
        ASSERT(json_parse(buffer_bytes(&text), NULL, arena, &copy, NULL));
        ASSERT(schema_verdict_bytes(schema, buffer_bytes(&text), NULL, arena, &scanned, NULL));
        ASSERT(verdict == scanned || verdict == SCHEMA_UNDECIDED);
        verdict = scanned;
        write_otherwise(&otherwise, buffer_bytes(&text));
        ASSERT(schema_verdict_bytes(schema, buffer_bytes(&otherwise), NULL, arena, &scanned, NULL));
        ASSERT(verdict == scanned || scanned == SCHEMA_UNDECIDED);
        ASSERT(schema_explain(schema, buffer_bytes(&text), copy, arena, 20, &failures, &count) == verdict);
        ASSERT((verdict == SCHEMA_INVALID) == (count > 0));
        ASSERT(schema_output(schema, buffer_bytes(&text), copy, &options, arena, &output) == verdict);
        ASSERT(verdict == SCHEMA_UNDECIDED || json_parse(buffer_bytes(&output), NULL, arena, &copy, NULL));
        bool fills = false;
        if (schema_fill_defaults(schema, instance, &filled, &fills, NULL) && fills)
                ASSERT(json_parse(buffer_bytes(&filled), NULL, arena, &copy, NULL));
}

static void scan(struct bytes text, const struct json_limits *limits, bool is_json, struct arena *arena) {
        static const char *const sources[] = {"true", "{\"properties\":{\"a\":{\"type\":\"string\"}},\"items\":{\"uniqueItems\":true}}"};
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
                struct schema *schema;
                enum schema_verdict verdict;
                struct error error;
                bool compiled = schema_compile(bytes_of(sources[i]), NULL, &schema, &error);
                ASSERT(compiled);
                ASSERT(schema_verdict_bytes(schema, text, limits, arena, &verdict, &error) == is_json);
                schema_free(schema);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_limits limits = {.depth = 32};
        const struct json *root;
        struct schema *schema = NULL;
        struct error error;
        bool is_json = json_parse((struct bytes){(const char *)data, size}, &limits, &arena, &root, NULL);
        scan((struct bytes){(const char *)data, size}, &limits, is_json, &arena);
        if (!is_json || !json_is(root, JSON_ARRAY) || json_count(root) == 0)
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
