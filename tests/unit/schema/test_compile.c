// SPDX-License-Identifier: Apache-2.0
// What compiling costs, counted in looks and bytes, and its limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema/schema_priv.h"

static struct schema *compile_with(struct bytes text, const struct schema_options *options) {
        struct schema *schema = NULL;
        struct error error;
        if (!schema_compile(text, options, &schema, &error))
                fail_msg("%s", error.text);
        return schema;
}

static void refuse(struct bytes text, const struct schema_options *options, enum error_code code, const char *part) {
        struct schema *schema = NULL;
        struct error error;
        assert_false(schema_compile(text, options, &schema, &error));
        assert_null(schema);
        if (error.code != code || !strstr(error.text, part))
                fail_msg("%s: %s", error_name(error.code), error.text);
}

enum { MANY = 3000 };

static void print_anchors(struct buffer *text) {
        buffer_append(text, BYTES("{\"$defs\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"d%d\":{\"$anchor\":\"a%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("},\"properties\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"p%d\":{\"$ref\":\"#a%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("}}"));
}

static void print_resources(struct buffer *text) {
        buffer_append(text, BYTES("{\"$id\":\"http://x/\",\"$defs\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"d%d\":{\"$id\":\"r%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("},\"properties\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"p%d\":{\"$ref\":\"r%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("}}"));
}

static void print_pointers(struct buffer *text) {
        buffer_append(text, BYTES("{\"allOf\":["));
        for (int i = 0; i < MANY; i++)
                buffer_append(text, i ? BYTES(",true") : BYTES("true"));
        buffer_append(text, BYTES("],\"properties\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"p%d\":{\"$ref\":\"#/allOf/%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("}}"));
}

static void print_dynamic(struct buffer *text) {
        buffer_append(text, BYTES("{\"$id\":\"http://x/\",\"$defs\":{\"a\":{\"$id\":\"a\",\"$dynamicAnchor\":\"p\"},"
                                  "\"b\":{\"$id\":\"b\",\"$dynamicAnchor\":\"q\"},\"c\":{\"$id\":\"c\",\"$dynamicAnchor\":\"p\"},"
                                  "\"d\":{\"$id\":\"d\",\"$dynamicAnchor\":\"q\"}},\"$dynamicAnchor\":\"p\",\"properties\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"k%d\":{\"$dynamicRef\":\"%s\"}", i ? "," : "", i, i % 2 ? "#p" : "b#q");
        buffer_append(text, BYTES("}}"));
}

// Each dynamic anchor in two resources, and referred to by one of them and by many others.
static void print_dynamic_names(struct buffer *text) {
        buffer_append(text, BYTES("{\"$id\":\"http://x/\",\"$defs\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"a%d\":{\"$dynamicAnchor\":\"n%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES(",\"o\":{\"$id\":\"o\",\"$defs\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"a%d\":{\"$dynamicAnchor\":\"n%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("}}},\"properties\":{"));
        for (int i = 0; i < MANY; i++)
                buffer_print(text, "%s\"k%d\":{\"$dynamicRef\":\"o#n%d\"}", i ? "," : "", i, i);
        buffer_append(text, BYTES("}}"));
}

static void names_are_found_without_a_search(void **state) {
        (void)state;
        static const struct { const char *name; void (*print)(struct buffer *text); } cases[] = {
                {"anchors", print_anchors}, {"resources", print_resources}, {"pointers", print_pointers},
                {"dynamic", print_dynamic}, {"dynamic names", print_dynamic_names},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(buffer_free) struct buffer text = {0};
                cases[i].print(&text);
                struct schema *schema = compile_with(buffer_bytes(&text), NULL);
                if (schema->looks < MANY || schema->looks > 20 * MANY)
                        fail_msg("%s: %ju looks", cases[i].name, (uintmax_t)schema->looks);
                schema_free(schema);
        }
}

// Evaluation looks at the dynamic anchors of each resource on its way: at those alone that some reference leaves open.
static void anchors_that_nothing_asks_for_are_dropped(void **state) {
        (void)state;
        struct schema *schema = compile_with(
                BYTES("{\"$id\":\"http://x/\",\"$anchor\":\"one\",\"$dynamicAnchor\":\"two\","
                      "\"$defs\":{\"a\":{\"$dynamicAnchor\":\"open\"},"
                      "\"b\":{\"$id\":\"b\",\"$dynamicAnchor\":\"open\"}},\"properties\":{\"x\":{\"$ref\":\"b\"},"
                      "\"y\":{\"$dynamicRef\":\"b#open\"},\"z\":{\"$dynamicRef\":\"#two\"}}}"), NULL);
        const struct anchor *anchor = schema->root->resource->anchors;
        size_t count = 0;
        for (; anchor; anchor = anchor->next, count++)
                assert_true(bytes_equal(anchor->name, BYTES("open")));
        assert_true(count <= 1);
        schema_free(schema);
}

struct documents {
        struct bytes source;                    // of every URI
        size_t asked;
};

static bool give(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct documents *documents = user;
        (void)uri;
        (void)error;
        documents->asked++;
        *ret_source = documents->source;
        return true;
}

static void a_meta_schema_is_read_once(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer meta = {0};
        buffer_append(&meta, BYTES("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$vocabulary\":"
                                   "{\"https://json-schema.org/draft/2020-12/vocab/applicator\":true},\"x\":["));
        for (int i = 0; i < 20000; i++)
                buffer_print(&meta, "%d,", i);
        buffer_append(&meta, BYTES("0]}"));
        buffer_append(&text, BYTES("{\"$defs\":{"));
        for (int i = 0; i < 300; i++)
                buffer_print(&text, "%s\"d%d\":{\"$id\":\"http://x/%d\",\"$schema\":\"http://m/meta\",\"type\":\"null\"}", i ? "," : "",
                             i, i);
        buffer_append(&text, BYTES("},\"properties\":{\"a\":{\"$ref\":\"http://x/299\"}}}"));
        struct documents documents = {buffer_bytes(&meta), 0};
        struct schema_options options = {.resolve = give, .user = &documents};
        struct schema *schema = compile_with(buffer_bytes(&text), &options);
        CLEANUP(arena_free) struct arena arena = {0};
        struct error error;
        assert_int_equal(documents.asked, 1);
        assert_true(arena_size(&schema->arena) < 20 * meta.size);
        assert_true(schema_validate_bytes(schema, BYTES("{\"a\":1}"), &arena, &error));         // no validation in its vocabularies
        schema_free(schema);
}

static void meta_schemas_have_a_limit(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append(&text, BYTES("{\"$defs\":{"));
        for (int i = 0; i <= SCHEMA_DOCUMENTS_MAX; i++)
                buffer_print(&text, "%s\"d%d\":{\"$id\":\"http://x/%d\",\"$schema\":\"http://m/%d\"}", i ? "," : "", i, i, i);
        buffer_append(&text, BYTES("}}"));
        struct documents documents = {BYTES("{\"$schema\":\"http://json-schema.org/draft-07/schema\"}"), 0};
        struct schema_options options = {.resolve = give, .user = &documents};
        refuse(buffer_bytes(&text), &options, ERROR_LIMIT, "more than 1000 meta-schemas");
        assert_int_equal(documents.asked, SCHEMA_DOCUMENTS_MAX);
}

// The text behind it is two bytes: nothing of it may be read.
static void a_size_is_looked_at_before_the_bytes(void **state) {
        (void)state;
        struct bytes huge = {"{}", SIZE_MAX};
        struct documents documents = {huge, 0};
        struct schema_options options = {.resolve = give, .user = &documents};
        refuse(huge, NULL, ERROR_LIMIT, "at most 4194304 are accepted");
        refuse((struct bytes){"{}", SCHEMA_BYTES_MAX + 1}, NULL, ERROR_LIMIT, "a document of 4194305 bytes");
        refuse(BYTES("{\"$ref\":\"http://x/y\"}"), &options, ERROR_INVALID, "at most 4194304 are accepted");
        refuse(BYTES("{\"$schema\":\"http://x/y\"}"), &options, ERROR_UNSUPPORTED, "$schema is not supported");
        assert_int_equal(documents.asked, 2);
}

static void uris_have_a_limit(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer long_uri = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append(&long_uri, BYTES("http://x/"));
        while (long_uri.size < SCHEMA_URI_MAX)
                buffer_append_byte(&long_uri, 'y');
        buffer_print(&text, "{\"$id\":\"%.*s\",\"$anchor\":\"a\",\"items\":{\"$ref\":\"#a\"}}", BYTES_PRINT(buffer_bytes(&long_uri)));
        schema_free(compile_with(buffer_bytes(&text), NULL));
        buffer_clear(&text);
        buffer_print(&text, "{\"$id\":\"%.*sz\"}", BYTES_PRINT(buffer_bytes(&long_uri)));
        refuse(buffer_bytes(&text), NULL, ERROR_LIMIT, "at \"/$id\" (line 1, column 8): a URI of 8193 bytes; at most 8192 are accepted");
        buffer_clear(&text);
        buffer_print(&text, "{\"$ref\":\"%.*sz\"}", BYTES_PRINT(buffer_bytes(&long_uri)));
        refuse(buffer_bytes(&text), NULL, ERROR_LIMIT, "at \"/$ref\"");
}

// 2020-12 Core, 8.2.3.2: the fragment is the decoded one.
static void a_dynamic_reference_may_be_percent_encoded(void **state) {
        (void)state;
        struct schema *schema = compile_with(
                BYTES("{\"$id\":\"http://x/r\",\"$ref\":\"inner\",\"$defs\":{\"over\":{\"$dynamicAnchor\":\"foo\",\"type\":\"string\"},"
                      "\"inner\":{\"$id\":\"inner\",\"properties\":{\"a\":{\"$dynamicRef\":\"#f%6fo\"}},"
                      "\"$defs\":{\"d\":{\"$dynamicAnchor\":\"foo\"}}}}}"), NULL);
        CLEANUP(arena_free) struct arena arena = {0};
        struct error error;
        assert_true(schema_validate_bytes(schema, BYTES("{\"a\":\"x\"}"), &arena, &error));
        assert_false(schema_validate_bytes(schema, BYTES("{\"a\":1}"), &arena, &error));
        assert_non_null(strstr(error.text, "expected string"));
        schema_free(schema);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_are_found_without_a_search), cmocka_unit_test(anchors_that_nothing_asks_for_are_dropped),
                cmocka_unit_test(a_meta_schema_is_read_once), cmocka_unit_test(meta_schemas_have_a_limit),
                cmocka_unit_test(a_size_is_looked_at_before_the_bytes), cmocka_unit_test(uris_have_a_limit),
                cmocka_unit_test(a_dynamic_reference_may_be_percent_encoded),
        };
        return cmocka_run_group_tests_name("schema/compile", tests, NULL, NULL);
}
