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

static const struct json *parse(const char *text) {
        const struct json *root = NULL;
        assert_true(json_parse(bytes_of(text), NULL, &arena, &root, NULL));
        return root;
}

static struct schema *compile(const char *text) {
        struct schema *schema = NULL;
        struct error error;
        if (!schema_compile(bytes_of(text), NULL, &schema, &error))
                fail_msg("%s: %s", text, error.text);
        return schema;
}

static void verdicts_and_reasons(void **state) {
        (void)state;
        // error NULL: valid
        static const struct { const char *schema, *instance, *error; } cases[] = {
                {"{\"type\":\"integer\"}", "1.0", NULL}, {"{\"type\":\"integer\"}", "123456789012345678901234567890", NULL},
                {"{\"type\":[\"integer\",\"null\"]}", "\"x\"",
                 "at \"\" (line 1, column 1, byte 0): is string, expected null or integer [/type]"},
                {"{\"properties\":{\"a\":{\"items\":{\"maximum\":3}}}}", "{\"a\":[1,\n 3.0000000000000000000001]}",
                 "at \"/a/1\" (line 2, column 2, byte 10): is above the largest number that is allowed (3) "
                 "[/properties/a/items/maximum]"},
                {"{\"required\":[\"b\",\"a\"]}", "{\"a\":1}", "has no member \"b\" [/required]"},
                {"{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"x\":2}",
                 "at \"/x\" (line 1, column 12, byte 11): is a member that is not allowed [/additionalProperties]"},
                {"{\"const\":9007199254740993}", "9007199254740992", "is not the one value"},
                {"{\"enum\":[1,{\"a\":[1,2]}]}", "{\"a\":[1.0,2e0]}", NULL},
                {"{\"multipleOf\":0.01}", "19.99", NULL}, {"{\"multipleOf\":0.01}", "19.999", "multiple"},
                {"{\"maxLength\":2}", "\"ЯЯ\"", NULL}, {"{\"minLength\":3}", "\"ЯЯ\"", "too short"},
                {"{\"uniqueItems\":true}", "[1,2,3,4,5,6,7,8,9,10,1.0]", "twice"},
                {"{\"uniqueItems\":true}", "[10,9,8,7,6,5,4,3,2,1,\"1\"]", NULL},
                {"{\"pattern\":\"^\\\\d{3}$\"}", "\"123\\n\"", "pattern"}, {"{\"pattern\":\"^\\\\d{3}$\"}", "\"123\"", NULL},
                {"{\"pattern\":\"^\\\\S+$\"}", "\"a\\u00a0b\"", "pattern"}, {"{\"pattern\":\"^[\\\\s\\\\S]$\"}", "\"\\u2028\"",
                                                                             NULL},
                {"{\"anyOf\":[{\"type\":\"string\"},{\"properties\":{\"a\":{\"type\":\"null\"}}}]}", "{\"a\":1}",
                 "none of the alternatives"},
                {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"minItems\":1}}}", "[]", "[/$defs/a/minItems]"},
                {"{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"type\":\"object\"}", "{\"next\":{\"next\":3}}",
                 "at \"/next/next\""},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = compile(cases[i].schema);
                const struct json *instance = parse(cases[i].instance);
                struct error error = {0};
                bool valid = schema_validate(schema, bytes_of(cases[i].instance), instance, &arena, &error);
                assert_int_equal(schema_verdict(schema, instance, &arena), valid ? SCHEMA_VALID : SCHEMA_INVALID);
                if (valid != !cases[i].error || (!valid && (error.code != ERROR_REJECTED || !strstr(error.text, cases[i].error))))
                        fail_msg("%s with %s: %s", cases[i].schema, cases[i].instance, error.text);
                schema_free(schema);
        }
}

static void what_cannot_be_asserted_is_refused_by_name_and_place(void **state) {
        (void)state;
        static const struct { const char *schema; enum error_code code; const char *error; } cases[] = {
                {"{\"$defs\":{\"a\":{\"$dynamicRef\":\"#a\"}}}", ERROR_INVALID,
                 "at \"/$defs/a/$dynamicRef\" (line 1, column 30): this reference leads nowhere"},
                {"{\"$ref\":\"http://example.com/a\"}", ERROR_UNSUPPORTED, "another document"},
                {"{\"$schema\":\"http://json-schema.org/draft-03/schema#\"}", ERROR_UNSUPPORTED, "$schema is not supported"},
                {"{\"properties\":{\"a\":{\"$id\":\"a\",\"$schema\":\"http://example.com/a\"}}}", ERROR_UNSUPPORTED,
                 "at \"/properties/a/$schema\""},
                {"{\"pattern\":\"(?>a)\"}", ERROR_INVALID, "at \"/pattern\""},
                {"{\"pattern\":\"a++\"}", ERROR_INVALID, "nothing to repeat"}, {"{\"pattern\":\"\\\\Z\"}", ERROR_INVALID,
                                                                                    "ECMA"},
                {"{\"pattern\":\"(*UTF)a\"}", ERROR_INVALID, "nothing to repeat"}, {"{\"pattern\":\"(\"}", ERROR_INVALID,
                                                                                        "pattern"},
                {"{\"$ref\":\"#/nope\"}", ERROR_INVALID, "leads nowhere"}, {"{\"$ref\":\"#nope\"}", ERROR_INVALID,
                                                                            "leads nowhere"},
                {"{\"$ref\":\"#\"}", ERROR_INVALID, "back to itself"}, {"{\"allOf\":[{\"not\":{\"$ref\":\"#\"}}]}",
                                                                        ERROR_INVALID, "back to"},
                {"{\"type\":\"int\"}", ERROR_INVALID, "at \"/type\" (line 1, column 9): expected a type"},
                {"{\"required\":\"a\"}", ERROR_INVALID, "names"}, {"{\"minimum\":\"1\"}", ERROR_INVALID, "a number"},
                {"{\"minLength\":-1}", ERROR_INVALID, "0 or more"}, {"{\"multipleOf\":0}", ERROR_INVALID, "above 0"},
                {"{\"items\":[{}]}", ERROR_INVALID, "prefixItems"}, {"{\"properties\":{\"a\":1}}", ERROR_INVALID,
                                                                     "expected a schema"},
                {"[]", ERROR_INVALID, "expected a schema"}, {"{", ERROR_INVALID, "schema: line 1"}, {"{\"anyOf\":[]}",
                                                                                                     ERROR_INVALID, "one schema"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = NULL;
                struct error error = {0};
                if (schema_compile(bytes_of(cases[i].schema), NULL, &schema, &error))
                        fail_msg("accepted: %s", cases[i].schema);
                if (error.code != cases[i].code || !strstr(error.text, cases[i].error))
                        fail_msg("%s: %s", cases[i].schema, error.text);
        }
}

static void limits_are_errors_and_no_verdicts(void **state) {
        (void)state;
        struct schema *schema = compile("{\"pattern\":\"^(?:(a+)\\\\1?)+$\"}");
        struct buffer text = {0};
        buffer_append_byte(&text, '"');
        for (int i = 0; i < 200; i++)
                buffer_append_byte(&text, 'a');
        buffer_append(&text, (struct bytes){"!\"", 3});
        struct error error;
        assert_false(schema_validate(schema, bytes_of(text.data), parse(text.data), &arena, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        schema_free(schema);
        buffer_clear(&text);

        // Two ways at each of 60 levels: 2^60 subschemas, were their verdicts not remembered.
        schema = compile("{\"anyOf\":[{\"items\":{\"$ref\":\"#\"},\"maxItems\":1,\"type\":\"array\"},"
                         "{\"items\":{\"$ref\":\"#\"},\"maxItems\":1,\"type\":\"array\"}]}");
        for (int i = 0; i < 60; i++)
                buffer_append_byte(&text, '[');
        buffer_append_byte(&text, '0');
        for (int i = 0; i < 60; i++)
                buffer_append_byte(&text, ']');
        buffer_append_byte(&text, '\0');
        assert_int_equal(schema_verdict(schema, parse(text.data), &arena), SCHEMA_INVALID);
        schema_free(schema);
        buffer_free(&text);
}

// Two ways at each of 40 levels, without branches: evaluated, explained and told, valid or not, all alike.
static void recursion_side_by_side_is_decided(void **state) {
        (void)state;
        static const struct { const char *schema; enum schema_verdict verdict; } cases[] = {
                {"{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"patternProperties\":{\"^n\":{\"$ref\":\"#\"}}}", SCHEMA_VALID},
                {"{\"allOf\":[{\"properties\":{\"next\":{\"$ref\":\"#\"}}},{\"additionalProperties\":{\"$ref\":\"#\"}}]}",
                 SCHEMA_VALID},
                {"{\"required\":[\"v\"],\"properties\":{\"next\":{\"$ref\":\"#\"}},\"patternProperties\":{\"^n\":{\"$ref\":\"#\"}}}",
                 SCHEMA_INVALID},
        };
        struct buffer text = {0}, output = {0};
        for (int i = 0; i < 40; i++)
                buffer_append(&text, BYTES("{\"next\":"));
        buffer_append(&text, BYTES("{}"));
        for (int i = 0; i < 40; i++)
                buffer_append_byte(&text, '}');
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = compile(cases[i].schema);
                struct bytes source = buffer_bytes(&text);
                const struct json *instance = NULL, *told = NULL;
                struct schema_failure *failures;
                struct schema_output_options options = {.format = SCHEMA_OUTPUT_FLAG};
                enum schema_verdict verdict;
                size_t count;
                assert_true(json_parse(source, NULL, &arena, &instance, NULL));
                assert_int_equal(schema_verdict(schema, instance, &arena), cases[i].verdict);
                assert_true(schema_verdict_bytes(schema, source, NULL, &arena, &verdict, NULL));
                assert_int_equal(verdict, cases[i].verdict);
                assert_int_equal(schema_explain(schema, source, instance, &arena, 10, &failures, &count), cases[i].verdict);
                assert_int_equal(count > 0, verdict == SCHEMA_INVALID);
                buffer_clear(&output);
                assert_int_equal(schema_output(schema, source, instance, &options, &arena, &output), cases[i].verdict);
                assert_true(json_parse(buffer_bytes(&output), NULL, &arena, &told, NULL));
                schema_free(schema);
        }
        buffer_free(&text);
        buffer_free(&output);
}

static void all_failures_are_told_in_order(void **state) {
        (void)state;
        struct schema *schema = compile("{\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"minimum\":2,\"multipleOf\":2}},"
                                        "\"required\":[\"c\",\"d\"]}");
        const char *source = "{\"b\":1,\"a\":null}";
        struct schema_failure *failures = NULL;
        size_t count = 0;
        assert_int_equal(schema_explain(schema, bytes_of(source), parse(source), &arena, 100, &failures, &count), SCHEMA_INVALID);
        assert_int_equal(count, 5);
        assert_string_equal(failures[0].keyword_path, "/properties/b/minimum");
        assert_string_equal(failures[1].keyword, "multipleOf");
        assert_string_equal(failures[2].instance_path, "/a");
        assert_int_equal(failures[2].position.offset, 11);
        assert_string_equal(failures[4].sentence, "has no member \"d\"");
        assert_int_equal(schema_explain(schema, bytes_of(source), parse(source), &arena, 2, &failures, &count), SCHEMA_INVALID);
        assert_int_equal(count, 2);
        schema_free(schema);
}

static void defaults_are_filled_in(void **state) {
        (void)state;
        static const struct { const char *schema, *instance, *filled; } cases[] = {
                {"{\"properties\":{\"n\":{\"default\":\"T\"},\"v\":{\"default\":0},\"p\":{\"$ref\":\"#/$defs/p\"}},"
                 "\"$defs\":{\"p\":{\"properties\":{\"x\":{\"default\":[1.0]}}}}}",
                 "{\"p\":{\"y\":12345678901234567890.50},\"v\":1}",
                 "{\"p\":{\"y\":12345678901234567890.50,\"x\":[1.0]},\"v\":1,\"n\":\"T\"}"},
                {"{\"items\":{\"properties\":{\"a\":{\"default\":1}}}}", "[{},{\"a\":2},3]", "[{\"a\":1},{\"a\":2},3]"},
                {"{\"allOf\":[{\"properties\":{\"a\":{\"default\":1}}},{\"properties\":{\"a\":{\"default\":2}}}]}", "{}",
                 "{\"a\":1}"},
                {"{\"properties\":{\"a\":{\"default\":{}}}}", "{\"a\":{}}", NULL},
                {"{\"anyOf\":[{\"properties\":{\"a\":{\"default\":1}}}]}", "{}", NULL},
                {"{\"properties\":{\"a\":{\"$ref\":\"#\",\"default\":{}}}}", "{}", "{\"a\":{}}"},
                {"{\"properties\":{\"a\":{\"$ref\":\"#/$defs/b\"}},\"$defs\":{\"b\":{\"allOf\":[{},{\"default\":7},{\"default\":8}]}}}",
                 "{}", "{\"a\":7}"},
                {"{\"prefixItems\":[{\"properties\":{\"a\":{\"default\":1}}}],\"items\":{\"properties\":{\"b\":{\"default\":2}}},"
                 "\"allOf\":[{\"items\":{\"properties\":{\"c\":{\"default\":3}}}}]}", "[{},{},{\"c\":0}]",
                 "[{\"a\":1,\"c\":3},{\"b\":2,\"c\":3},{\"c\":0,\"b\":2}]"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = compile(cases[i].schema);
                struct buffer buffer = {0};
                bool filled;
                assert_true(schema_fill_defaults(schema, parse(cases[i].instance), &buffer, &filled, NULL));
                assert_int_equal(filled, cases[i].filled != NULL);
                assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of(cases[i].filled)));
                buffer_free(&buffer);
                schema_free(schema);
        }
}

static bool fill(const struct buffer *schema_text, const struct buffer *text, struct buffer *filled, struct error *error) {
        struct schema *schema = NULL;
        const struct json *instance = NULL;
        bool fills = false;
        assert_true(schema_compile(buffer_bytes(schema_text), NULL, &schema, error));
        assert_true(json_parse(buffer_bytes(text), NULL, &arena, &instance, error));
        bool good = schema_fill_defaults(schema, instance, filled, &fills, error);
        assert_int_equal(fills, good);
        schema_free(schema);
        return good;
}

// 20 KB of a default in each of 1,000 objects.
static void what_defaults_add_has_a_limit(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer schema = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer filled = {0};
        struct error error;
        buffer_append(&schema, BYTES("{\"items\":{\"properties\":{\"a\":{\"default\":\""));
        for (int i = 0; i < 20000; i++)
                buffer_append_byte(&schema, 'x');
        buffer_append(&schema, BYTES("\"}}}}"));
        buffer_append(&text, BYTES("[{}"));
        for (int i = 1; i < 800; i++)
                buffer_append(&text, BYTES(",{}"));
        buffer_append_byte(&text, ']');
        assert_true(fill(&schema, &text, &filled, &error));
        assert_true(filled.size > 800 * 20000 && filled.size < SCHEMA_DEFAULTS_MAX);
        buffer_clear(&filled);
        text.size--;
        for (int i = 0; i < 200; i++)
                buffer_append(&text, BYTES(",{}"));
        buffer_append_byte(&text, ']');
        buffer_append(&filled, BYTES("before"));
        assert_false(fill(&schema, &text, &filled, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_string_equal(error.text, "defaults add more than 16777216 bytes");
        assert_true(bytes_equal(buffer_bytes(&filled), BYTES("before")));
}

// 10,000 properties are looked at once, not for each of 1,000 objects: that would be beyond the limit of steps.
static void what_describes_many_objects_is_looked_at_once(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer schema = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer filled = {0};
        struct error error;
        buffer_append(&schema, BYTES("{\"items\":{\"allOf\":[{\"properties\":{\"d\":{\"default\":1}}}"));
        for (int i = 0; i < 100; i++) {
                buffer_append(&schema, BYTES(",{\"properties\":{\"d\":{\"default\":2}"));
                for (int j = 0; j < 100; j++)
                        buffer_print(&schema, ",\"p%d_%d\":{}", i, j);
                buffer_append(&schema, BYTES("}}"));
        }
        buffer_append(&schema, BYTES("]}}"));
        buffer_append(&text, BYTES("[{\"x\":0}"));
        for (int i = 1; i < 1000; i++)
                buffer_append(&text, BYTES(",{}"));
        buffer_append_byte(&text, ']');
        assert_true(10000 * 1000 > SCHEMA_DEFAULTS_STEPS_MAX);
        assert_true(fill(&schema, &text, &filled, &error));
        assert_true(bytes_starts_with(buffer_bytes(&filled), BYTES("[{\"x\":0,\"d\":1},{\"d\":1},{\"d\":1},")));
        assert_int_equal(filled.size, 2 + 13 + 999 * 8);
}

// Each of 6,000 members has a schema of its own, and all of these lead to 1,000 others.
static void steps_of_defaults_have_a_limit(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer schema = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer filled = {0};
        struct error error;
        buffer_append(&schema, BYTES("{\"$defs\":{\"a\":{\"allOf\":[{\"properties\":{\"d\":{\"default\":1}}}"));
        for (int i = 0; i < 1000; i++)
                buffer_append(&schema, BYTES(",{}"));
        buffer_append(&schema, BYTES("]}},\"properties\":{\"a\":{}"));
        buffer_append(&text, BYTES("{\"a\":0"));
        for (int i = 0; i < 6000; i++) {
                buffer_print(&schema, ",\"p%d\":{\"$ref\":\"#/$defs/a\"}", i);
                buffer_print(&text, ",\"p%d\":{}", i);
        }
        buffer_append(&schema, BYTES("}}"));
        buffer_append_byte(&text, '}');
        assert_false(fill(&schema, &text, &filled, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_string_equal(error.text, "filling in defaults looks at more than 5000000 subschemas and properties");
        assert_int_equal(filled.size, 0);
}

// 2,000 branches look on at 100,000 elements, and mark none of them: no memory is taken for marks.
static void marks_take_memory_where_there_are_any(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer schema_text = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena scratch = {0};
        struct schema *schema = NULL;
        const struct json *instance = NULL;
        buffer_append(&schema_text, BYTES("{\"unevaluatedItems\":{\"const\":1},\"anyOf\":[{\"minItems\":1}"));
        for (int i = 1; i < 2000; i++)
                buffer_append(&schema_text, BYTES(",{\"minItems\":1}"));
        buffer_append(&schema_text, BYTES(",{\"prefixItems\":[{\"const\":0}]}]}"));
        buffer_append_byte(&text, '[');
        for (int i = 0; i < 100000; i++)
                buffer_append(&text, i ? BYTES(",1") : BYTES("0"));
        buffer_append_byte(&text, ']');
        assert_true(schema_compile(buffer_bytes(&schema_text), NULL, &schema, NULL));
        assert_true(json_parse(buffer_bytes(&text), NULL, &arena, &instance, NULL));
        assert_int_equal(schema_verdict(schema, instance, &scratch), SCHEMA_VALID);
        assert_true(arena_size(&scratch) < 200000);
        schema_free(schema);
}

// The arena's blocks stay the same over many instances that are parsed and validated with a reset between them.
static void validation_does_not_allocate(void **state) {
        (void)state;
        struct schema *schema = compile("{\"properties\":{\"a\":{\"pattern\":\"^x\"}},"
                                        "\"additionalProperties\":{\"uniqueItems\":true}}");
        struct arena scratch = {0};
        const struct arena_block *block = NULL;
        for (int i = 0; i < 100; i++) {
                const struct json *root = NULL;
                assert_true(json_parse(BYTES("{\"a\":\"xy\",\"b\":[1,2,3,4,5,6,7,8,9,0]}"), NULL, &scratch, &root, NULL));
                assert_int_equal(schema_verdict(schema, root, &scratch), SCHEMA_VALID);
                assert_true(i == 0 || block == scratch.blocks);
                block = scratch.blocks;
                arena_reset(&scratch);
        }
        arena_free(&scratch);
        schema_free(schema);
}

// Patterns of about a megabyte each, when compiled: `count` of them, all different or all the same.
static void print_patterns(struct buffer *text, size_t count, bool same) {
        buffer_append(text, BYTES("{\"allOf\":["));
        for (size_t i = 0; i < count; i++)
                buffer_print(text, "%s{\"pattern\":\"(ab){20000}%zu\"}", i ? "," : "", same ? 0 : i);
        buffer_append(text, BYTES("]}"));
}

static void patterns_have_a_limit_together(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer many = {0};
        CLEANUP(buffer_free) struct buffer equal = {0};
        struct schema *schema = NULL;
        struct error error;
        print_patterns(&many, 200, false);
        print_patterns(&equal, 200, true);
        assert_false(schema_compile(buffer_bytes(&many), NULL, &schema, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_non_null(strstr(error.text, "/pattern\" (line 1, column "));
        assert_non_null(strstr(error.text, "at most 67108864 are allowed"));
        assert_true(schema_compile(buffer_bytes(&equal), NULL, &schema, &error));
        schema_free(schema);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(verdicts_and_reasons, clean),
                cmocka_unit_test_teardown(what_cannot_be_asserted_is_refused_by_name_and_place, clean),
                cmocka_unit_test_teardown(limits_are_errors_and_no_verdicts, clean),
                cmocka_unit_test_teardown(recursion_side_by_side_is_decided, clean),
                cmocka_unit_test_teardown(all_failures_are_told_in_order, clean),
                cmocka_unit_test_teardown(defaults_are_filled_in, clean),
                cmocka_unit_test_teardown(what_defaults_add_has_a_limit, clean),
                cmocka_unit_test_teardown(what_describes_many_objects_is_looked_at_once, clean),
                cmocka_unit_test_teardown(steps_of_defaults_have_a_limit, clean),
                cmocka_unit_test_teardown(marks_take_memory_where_there_are_any, clean),
                cmocka_unit_test_teardown(validation_does_not_allocate, clean),
                cmocka_unit_test(patterns_have_a_limit_together),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
