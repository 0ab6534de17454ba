// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema/schema.h"

static struct arena arena;

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

static struct schema *compile(const char *text) {
        struct schema *schema = NULL;
        struct error error;
        if (!schema_compile(bytes_of(text), NULL, &schema, &error))
                fail_msg("%s: %s", text, error.text);
        return schema;
}

static const struct json *parse(const char *text) {
        const struct json *root = NULL;
        assert_true(json_parse(bytes_of(text), NULL, &arena, &root, NULL));
        return root;
}

static void check(const char *source, const char *instance, struct schema_output_options options, const char *expected) {
        struct schema *schema = compile(source);
        struct buffer output = {0};
        enum schema_verdict verdict = schema_output(schema, bytes_of(instance), parse(instance), &options, &arena, &output);
        assert_int_equal(verdict, schema_verdict(schema, parse(instance), &arena));
        buffer_append_byte(&output, '\0');
        assert_string_equal(output.data, expected);
        buffer_free(&output);
        schema_free(schema);
}

// The example of the specification (2020-12 Core, 12.4), with our sentences.
static const char polygon[] =
        "{\"$id\":\"https://example.com/polygon\",\"$defs\":{\"point\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\""
        ":\"number\"},"
        "\"y\":{\"type\":\"number\"}},\"additionalProperties\":false,\"required\":[\"x\",\"y\"]}},\"type\":\"array\","
        "\"items\":{\"$ref\":\"#/$defs/point\"},\"minItems\":3}";
static const char points[] = "[{\"x\":2.5,\"y\":1.3},\n{\"x\":1,\"z\":6.7}]";

static void flag_is_one_word(void **state) {
        (void)state;
        check(polygon, points, (struct schema_output_options){SCHEMA_OUTPUT_FLAG, true, false}, "{\"valid\":false}");
        check(polygon, "[{\"x\":1,\"y\":1},{\"x\":1,\"y\":1},{\"x\":1,\"y\":1}]",
         (struct schema_output_options){SCHEMA_OUTPUT_FLAG, true, false},
              "{\"valid\":true}");
}

static void basic_is_a_list(void **state) {
        (void)state;
        check(polygon, points, (struct schema_output_options){.format = SCHEMA_OUTPUT_BASIC},
              "{\"valid\":false,\"errors\":["
              "{\"valid\":false,\"keywordLocation\":\"/minItems\",\"absoluteKeywordLocation\":\"https://example.com/polygon#/"
              "minItems\","
              "\"instanceLocation\":\"\",\"error\":\"has too few elements (at least 3)\",\"byte\":0,\"line\":1,\"column\":1},"
              "{\"valid\":false,\"keywordLocation\":\"/items/$ref/additionalProperties\","
              "\"absoluteKeywordLocation\":\"https://example.com/polygon#/$defs/point/additionalProperties\",\"instanceLocati"
              "on\":\"/1/z\","
              "\"error\":\"is a member that is not allowed\",\"byte\":31,\"line\":2,\"column\":12},"
              "{\"valid\":false,\"keywordLocation\":\"/items/$ref/required\","
              "\"absoluteKeywordLocation\":\"https://example.com/polygon#/$defs/point/required\",\"instanceLocation\":\"/1\","
              "\"error\":\"has no member \\\"y\\\"\",\"byte\":20,\"line\":2,\"column\":1}]}");
}

static void detailed_is_a_tree(void **state) {
        (void)state;
        check(polygon, points, (struct schema_output_options){.format = SCHEMA_OUTPUT_DETAILED},
              "{\"valid\":false,\"keywordLocation\":\"\",\"instanceLocation\":\"\",\"errors\":["
              "{\"valid\":false,\"keywordLocation\":\"/minItems\",\"absoluteKeywordLocation\":\"https://example.com/polygon#/"
              "minItems\","
              "\"instanceLocation\":\"\",\"error\":\"has too few elements (at least 3)\",\"byte\":0,\"line\":1,\"column\":1},"
              "{\"valid\":false,\"keywordLocation\":\"/items/$ref\",\"absoluteKeywordLocation\":\"https://example.com/polygon"
              "#/$defs/point\","
              "\"instanceLocation\":\"/1\",\"errors\":["
              "{\"valid\":false,\"keywordLocation\":\"/items/$ref/additionalProperties\","
              "\"absoluteKeywordLocation\":\"https://example.com/polygon#/$defs/point/additionalProperties\",\"instanceLocati"
              "on\":\"/1/z\","
              "\"error\":\"is a member that is not allowed\",\"byte\":31,\"line\":2,\"column\":12},"
              "{\"valid\":false,\"keywordLocation\":\"/items/$ref/required\","
              "\"absoluteKeywordLocation\":\"https://example.com/polygon#/$defs/point/required\",\"instanceLocation\":\"/1\","
              "\"error\":\"has no member \\\"y\\\"\",\"byte\":20,\"line\":2,\"column\":1}]}]}");
}

// Of branches that do not match nothing is left, of those that do their annotations.
static void annotations_come_on_request(void **state) {
        (void)state;
        static const char source[] = "{\"anyOf\":[{\"type\":\"string\",\"title\":\"text\"},{\"title\":\"any\",\"x-unit\":[1.0"
         "]}],\"description\":\"d\"}";
        check(source, "7", (struct schema_output_options){.format = SCHEMA_OUTPUT_BASIC, .annotations = true},
              "{\"valid\":true,\"annotations\":["
              "{\"valid\":true,\"keywordLocation\":\"/anyOf/1/title\",\"instanceLocation\":\"\",\"annotation\":\"any\"},"
              "{\"valid\":true,\"keywordLocation\":\"/anyOf/1/x-unit\",\"instanceLocation\":\"\",\"annotation\":[1.0]},"
              "{\"valid\":true,\"keywordLocation\":\"/anyOf\",\"instanceLocation\":\"\"},"
              "{\"valid\":true,\"keywordLocation\":\"/description\",\"instanceLocation\":\"\",\"annotation\":\"d\"}]}");
        check(source, "7", (struct schema_output_options){.format = SCHEMA_OUTPUT_BASIC}, "{\"valid\":true}");
}

// contentSchema says nothing without contentMediaType, and neither says anything of what is no string.
static void content_annotates_strings(void **state) {
        (void)state;
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_BASIC, .annotations = true};
        static const char both[] = "{\"contentMediaType\":\"application/json\",\"contentSchema\":true}";
        check("{\"contentSchema\":true}", "\"7\"", options, "{\"valid\":true,\"annotations\":[]}");
        check(both, "7", options, "{\"valid\":true,\"annotations\":[]}");
        check(both, "\"7\"", options, "{\"valid\":true,\"annotations\":["
              "{\"valid\":true,\"keywordLocation\":\"/contentMediaType\",\"instanceLocation\":\"\",\"annotation\":\"application/json\"},"
              "{\"valid\":true,\"keywordLocation\":\"/contentSchema\",\"instanceLocation\":\"\",\"annotation\":true}]}");
}

// Of the two locations of a keyword one is a JSON pointer, the other one a URI, in which not every character may stand.
static void absolute_locations_are_uris(void **state) {
        (void)state;
        check("{\"$id\":\"https://example.com/s\",\"properties\":{\"^ é%\":false}}", "{\"^ é%\":1}",
              (struct schema_output_options){.format = SCHEMA_OUTPUT_BASIC},
              "{\"valid\":false,\"errors\":[{\"valid\":false,\"keywordLocation\":\"/properties/^ é%\","
              "\"absoluteKeywordLocation\":\"https://example.com/s#/properties/%5E%20%C3%A9%25\",\"instanceLocation\":\"/^ é%\","
              "\"error\":\"must not be there\",\"byte\":9,\"line\":1,\"column\":9}]}");
}

static size_t explain(const char *source, const char *instance, bool values, struct schema_failure **ret_failures) {
        struct schema *schema = compile(source);
        struct schema_explain_options options = {.values = values};
        size_t count;
        assert_int_equal(schema_explain_with(schema, bytes_of(instance), parse(instance), &options, &arena, ret_failures, &count),
                         SCHEMA_INVALID);
        for (size_t i = 0; i < count; i++) {                    // the names are the schema's
                (*ret_failures)[i].keyword = arena_text(&arena, bytes_of((*ret_failures)[i].keyword));
        }
        schema_free(schema);
        return count;
}

static void the_nearest_branch_is_told(void **state) {
        (void)state;
        struct schema_failure *failures;
        static const char source[] =
                "{\"oneOf\":[{\"type\":\"string\"},{\"properties\":{\"kind\":{\"const\":\"a\"},\"n\":{\"type\":\"integer\"}}"
                ",\"required\":[\"kind\"]},"
                "{\"properties\":{\"kind\":{\"const\":\"b\"},\"n\":{\"type\":\"string\"}},\"required\":[\"kind\",\"m\"]}]}";
        size_t count = explain(source, "{\"n\":1.5,\"kind\":\"a\"}", false, &failures);
        assert_int_equal(count, 2);
        assert_string_equal(failures[0].keyword, "oneOf");
        assert_string_equal(failures[1].keyword_path, "/oneOf/1/properties/n/type");
        assert_string_equal(failures[1].keyword_location, "/oneOf/1/properties/n/type");
        count = explain(source, "{\"n\":1.5,\"kind\":\"b\"}", false, &failures);
        assert_int_equal(count, 3);
        assert_string_equal(failures[2].sentence, "has no member \"m\"");
}

static void values_are_shown_on_request_and_never_personal_ones(void **state) {
        (void)state;
        struct schema_failure *failures;
        static const char source[] =
                "{\"properties\":{\"a\":{\"maximum\":3},\"b\":{\"x-pii\":true,\"maxLength\":2},\"c\":{\"confluent:tags\":[\"PII\"],"
                "\"properties\":{\"d\":{\"const\":1}}},\"e\":{\"minLength\":300}}}";
        const char *instance = "{\"a\":4.50,\"b\":\"secret\",\"c\":{\"d\":\"secret\"},\"e\":\"яяяяяяяяяяяяяяяяяяяяяяяяяяяяяяя"
         "яяяяяяяяяяяяяяяяяяяяяяя\"}";
        size_t count = explain(source, instance, false, &failures);
        assert_int_equal(count, 4);
        for (size_t i = 0; i < count; i++)
                assert_null(strstr(failures[i].sentence, "it is"));
        count = explain(source, instance, true, &failures);
        assert_int_equal(count, 4);
        assert_string_equal(failures[0].sentence, "is above the largest number that is allowed (3; it is 4.50)");
        assert_string_equal(failures[1].sentence, "is too long (at most 2 characters; the value is personal and not shown)");
        assert_string_equal(failures[2].sentence, "is not the one value that is allowed (1; the value is personal and not shown)");
        assert_non_null(strstr(failures[3].sentence, "…"));
}

// What the schema asks for is shown, and is no value of the instance.
static void limits_are_told(void **state) {
        (void)state;
        static const struct { const char *source, *instance, *sentence; } cases[] = {
                {"{\"enum\":[\"a\",{\"b\":1},null]}", "1", "is none of the values that are allowed (\"a\", {\"b\":1}, null)"},
                {"{\"const\":[1]}", "1", "is not the one value that is allowed ([1])"},
                {"{\"const\":\"a\"}", "1", "is not the one value that is allowed (\"a\")"},
                {"{\"pattern\":\"^a\\\\d\"}", "\"b\"", "does not match the pattern (^a\\d)"},
                {"{\"pattern\":\"a\\nb\"}", "\"b\"", "does not match the pattern (\"a\\nb\")"},
                {"{\"maxLength\":1}", "\"bb\"", "is too long (at most 1 characters)"},
                {"{\"minContains\":2,\"contains\":{}}", "[1]",
                 "has too few elements of the kind that must be there (at least 2)"},
                {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"minimum\":3,\"exclusiveMinimum\":true}", "3",
                 "is not above the limit (3)"},
                {"{\"uniqueItems\":true}", "[1,1]", "has an element twice"},
                {"{\"properties\":{\"amount\":{},\"accounts\":{}},\"additionalProperties\":false}", "{\"ammount\":1}",
                 "is a member that is not allowed; is \"amount\" meant?"},
                {"{\"properties\":{\"amount\":{}},\"unevaluatedProperties\":false}", "{\"Amount\":1}",
                 "is a member that is not allowed; is \"amount\" meant?"},
                {"{\"properties\":{\"amount\":{}},\"additionalProperties\":false}", "{\"ammount\":1,\"amount\":2}",
                 "is a member that is not allowed"},
                {"{\"properties\":{\"id\":{}},\"additionalProperties\":false}", "{\"is\":1}", "is a member that is not allowed"},
        };
        struct schema_failure *failures;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(explain(cases[i].source, cases[i].instance, false, &failures), 1);
                assert_string_equal(failures[0].sentence, cases[i].sentence);
        }
        struct buffer source = {0};             // a long list is cut, at a whole character
        buffer_append(&source, BYTES("{\"enum\":[\"\""));
        for (int i = 0; i < 1000; i++)
                buffer_print(&source, ",\"я%d\"", i);
        buffer_append(&source, BYTES("]}"));
        buffer_append_byte(&source, '\0');
        assert_int_equal(explain(source.data, "1", false, &failures), 1);
        size_t size = strlen(failures[0].sentence);
        assert_true(size < 150 && strcmp(failures[0].sentence + size - strlen("…)"), "…)") == 0);
        buffer_free(&source);
}

static void more_units_than_the_limit_are_said_to_be_missing(void **state) {
        (void)state;
        struct schema *schema = compile("{\"items\":{\"type\":\"string\"}}");
        struct buffer text = {0}, output = {0};
        for (int i = 0; i < SCHEMA_UNITS_MAX + 1; i++)
                buffer_append(&text, i ? BYTES(",1") : BYTES("[1"));
        buffer_append_byte(&text, ']');
        const struct json *instance;
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_BASIC};
        assert_true(json_parse(buffer_bytes(&text), NULL, &arena, &instance, NULL));
        assert_int_equal(schema_output(schema, buffer_bytes(&text), instance, &options, &arena, &output), SCHEMA_INVALID);
        assert_true(bytes_starts_with(buffer_bytes(&output), BYTES("{\"valid\":false,\"truncated\":true,\"errors\":[")));
        assert_true(json_parse(buffer_bytes(&output), NULL, &arena, &instance, NULL));
        assert_int_equal(json_count(json_get_text(instance, "errors")), SCHEMA_UNITS_MAX);
        uint64_t byte = 0;
        assert_true(json_to_u64(json_get_text(json_at(json_get_text(instance, "errors"), 5000), "byte"), &byte));
        assert_int_equal(byte, 10001);
        buffer_free(&text);
        buffer_free(&output);
        schema_free(schema);
}

// 3,000 members beside as many others, in schemas that come to them from both ends.
static void personal_values_are_known_among_many(void **state) {
        (void)state;
        struct schema *schema = compile("{\"allOf\":[{\"properties\":{\"z\":{\"x-pii\":true,\"maximum\":3}}},{\"properties\":{\"a\":"
                                        "{\"items\":{\"anyOf\":[{\"x-pii\":true,\"type\":\"string\"},{\"maximum\":7}]}}}},"
                                        "{\"properties\":{\"b\":{\"items\":{\"maximum\":7}}}}]}");
        struct buffer text = {0}, output = {0};
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_BASIC, .values = true};
        const struct json *instance, *root;
        for (int part = 0; part < 2; part++) {
                buffer_append(&text, part ? BYTES("],\"b\":[8") : BYTES("{\"a\":[8"));
                for (int i = 1; i < 1500; i++)
                        buffer_append(&text, BYTES(",8"));
        }
        buffer_append(&text, BYTES("],\"z\":9}"));
        assert_true(json_parse(buffer_bytes(&text), NULL, &arena, &instance, NULL));
        assert_int_equal(schema_output(schema, buffer_bytes(&text), instance, &options, &arena, &output), SCHEMA_INVALID);
        assert_true(json_parse(buffer_bytes(&output), NULL, &arena, &root, NULL));
        size_t shown = 0, hidden = 0;
        JSON_FOR_EACH(unit, json_get_text(root, "errors")) {
                struct bytes sentence = json_text(json_get_text(unit, "error"));
                bool other = bytes_starts_with(json_text(json_get_text(unit, "instanceLocation")), BYTES("/b/"));
                bool value = memmem(sentence.data, sentence.size, "it is 8", 7) != NULL;
                assert_int_equal(value, other);
                shown += value;
                hidden += !value;
        }
        assert_int_equal(shown, 1500);
        assert_true(hidden > 1500);
        buffer_free(&text);
        buffer_free(&output);
        schema_free(schema);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(flag_is_one_word, clean),
                cmocka_unit_test_teardown(basic_is_a_list, clean),
                cmocka_unit_test_teardown(detailed_is_a_tree, clean),
                cmocka_unit_test_teardown(annotations_come_on_request, clean),
                cmocka_unit_test_teardown(content_annotates_strings, clean),
                cmocka_unit_test_teardown(absolute_locations_are_uris, clean), cmocka_unit_test_teardown(limits_are_told, clean),
                cmocka_unit_test_teardown(the_nearest_branch_is_told, clean),
                cmocka_unit_test_teardown(values_are_shown_on_request_and_never_personal_ones, clean),
                cmocka_unit_test_teardown(personal_values_are_known_among_many, clean),
                cmocka_unit_test_teardown(more_units_than_the_limit_are_said_to_be_missing, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
