// SPDX-License-Identifier: Apache-2.0
// Every instance that is generated is valid, whatever keywords its schema uses; one seed gives one sequence; both sides of what a
// schema leaves open are met.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "schema/generate.h"

enum { INSTANCES = 300 };

static struct schema *compile(const char *text) {
        struct schema *schema = NULL;
        struct error error;
        if (!schema_compile(bytes_of(text), NULL, &schema, &error))
                fail_msg("%s: %s", text, error.text);
        return schema;
}

// All keywords that the generator follows, and in the last ones some that it does not and meets by luck.
static const char *const schemas[] = {
        "{}",
        "true",
        "{\"type\":\"null\"}",
        "{\"type\":[\"string\",\"null\",\"boolean\",\"array\",\"object\",\"number\"]}",
        "{\"type\":\"integer\",\"minimum\":-5,\"maximum\":5}",
        "{\"type\":\"integer\",\"minimum\":9223372036854775000}",
        "{\"type\":\"integer\",\"minimum\":-9223372036854775808,\"maximum\":9223372036854775807}",
        "{\"type\":\"string\",\"minLength\":3,\"maxLength\":5}",
        "{\"type\":\"string\",\"maxLength\":0}",
        "{\"type\":\"string\",\"format\":\"date-time\"}",
        "{\"type\":\"string\",\"format\":\"date\"}",
        "{\"type\":\"string\",\"format\":\"email\"}",
        "{\"type\":\"string\",\"format\":\"uuid\"}",
        "{\"type\":\"string\",\"format\":\"uri\"}",
        "{\"enum\":[1,\"two\",null,[3],{\"four\":4}]}",
        "{\"const\":{\"a\":[1,2]}}",
        "{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0},\"minItems\":2,\"maxItems\":4}",
        "{\"type\":\"array\"}",
        "{\"items\":{\"type\":\"boolean\"},\"type\":\"array\"}",
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"a\",\"b\"],\"properties\":{\"a\":{\"type\":\"string\"},"
        "\"b\":{\"type\":\"integer\",\"default\":7},\"c\":{\"examples\":[\"x\",\"y\"],\"type\":\"string\"}}}",
        "{\"type\":\"object\",\"required\":[\"p\"],\"properties\":{\"p\":{\"$ref\":\"#/$defs/P\"}},"
        "\"$defs\":{\"P\":{\"$ref\":\"#/$defs/Q\"},"
        "\"Q\":{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"type\":\"number\"}}}}}",
        "{\"allOf\":[{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"integer\"}}},"
        "{\"required\":[\"b\"],\"properties\":{\"b\":{\"type\":\"boolean\"}}}]}",
        "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}",
        "{\"oneOf\":[{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"const\":1}}},{\"type\":\"null\"}]}",
        // a schema within itself: an end is found
        "{\"type\":\"object\",\"required\":[\"next\"],\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}}}",
        "{\"type\":\"object\",\"properties\":{\"child\":{\"$ref\":\"#\"},\"n\":{\"type\":\"integer\"}}}",
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"maxItems\":2}",
        // by luck
        "{\"type\":\"integer\",\"minimum\":0,\"maximum\":10,\"multipleOf\":2}",
        "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"uniqueItems\":true,\"maxItems\":1}",
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"if\":{\"required\":[\"a\"]},"
        "\"then\":{\"minProperties\":1}}",
        "{\"not\":{\"type\":\"string\"}}",
        "{\"type\":\"string\",\"pattern\":\"e\"}",
        "{\"type\":\"object\",\"properties\":{\"a\":{}},\"dependentRequired\":{\"a\":[\"b\"]},\"patternProperties\":{\"^x\":{}}}",
};

static void every_instance_is_valid(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
                struct schema *schema = compile(schemas[i]);
                struct generator *generator = NULL;
                struct error error;
                assert_true(generator_new(schema, i + 1, &generator, &error));
                assert_ptr_equal(generator_schema(generator), schema);
                generator_text(generator, BYTES("[Area] Title \xf0\x9f\x98\x80"));
                for (int n = 0; n < INSTANCES; n++) {
                        CLEANUP(arena_free) struct arena arena = {0};
                        CLEANUP(buffer_free) struct buffer text = {0};
                        const struct json *instance;
                        buffer_append(&text, BYTES("before"));          // it appends
                        if (!generator_next(generator, &text))
                                fail_msg("none of %s", schemas[i]);
                        struct bytes made = {text.data + 6, text.size - 6};
                        if (!json_parse(made, NULL, &arena, &instance, &error) ||
                            !schema_validate(schema, made, instance, &arena, &error))
                                fail_msg("%.*s of %s: %s", BYTES_PRINT(made), schemas[i], error.text);
                }
                generator_free(generator);
                schema_free(schema);
        }
}

static void what_has_no_instance_gives_none(void **state) {
        (void)state;
        static const char *const impossible[] = {
                "false", "{\"type\":\"integer\",\"minimum\":5,\"maximum\":1}", "{\"enum\":[\"a\"],\"type\":\"integer\"}",
                "{\"type\":\"object\",\"required\":[\"next\"],\"properties\":{\"next\":{\"$ref\":\"#\"}},\"additionalProperties\":false}",
        };
        for (size_t i = 0; i < ARRAY_SIZE(impossible); i++) {
                struct schema *schema = compile(impossible[i]);
                struct generator *generator = NULL;
                CLEANUP(buffer_free) struct buffer text = {0};
                buffer_append(&text, BYTES("before"));
                assert_true(generator_new(schema, 1, &generator, NULL));
                assert_false(generator_next(generator, &text));
                assert_int_equal(text.size, 6);         // as it was
                generator_free(generator);
                schema_free(schema);
        }
        generator_free(NULL);
}

static char *sequence(const struct schema *schema, uint64_t seed) {
        struct generator *generator = NULL;
        struct buffer text = {0};
        assert_true(generator_new(schema, seed, &generator, NULL));
        for (int n = 0; n < 50; n++)
                assert_true(generator_next(generator, &text));
        generator_free(generator);
        return buffer_take_text(&text);
}

static void a_seed_gives_a_sequence(void **state) {
        (void)state;
        struct schema *schema = compile(schemas[19]);
        char *one = sequence(schema, 7), *same = sequence(schema, 7), *other = sequence(schema, 8);
        assert_string_equal(one, same);
        assert_string_not_equal(one, other);
        free(one);
        free(same);
        free(other);
        schema_free(schema);
}

static void both_sides_of_what_is_open_are_met(void **state) {
        (void)state;
        struct schema *schema = compile("{\"type\":\"object\",\"required\":[\"n\"],"
                                        "\"properties\":{\"n\":{\"type\":\"integer\",\"minimum\":-1,"
                                        "\"maximum\":2},\"t\":{\"type\":\"string\"},\"c\":{\"anyOf\":[{\"type\":\"null\"},"
                                        "{\"type\":\"boolean\"}]}}}");
        struct generator *generator = NULL;
        assert_true(generator_new(schema, 3, &generator, NULL));
        char given[GENERATE_TEXT_MAX + 2];
        memset(given, 'g', sizeof given);
        generator_text(generator, BYTES("of a real event"));
        generator_text(generator, (struct bytes){given, GENERATE_TEXT_MAX + 1});        // too long: not taken
        bool numbers[4] = {0}, with = false, without = false, real = false, empty = false, null = false, truth = false;
        for (int n = 0; n < INSTANCES; n++) {
                CLEANUP(arena_free) struct arena arena = {0};
                CLEANUP(buffer_free) struct buffer text = {0};
                const struct json *instance;
                int64_t number;
                assert_true(generator_next(generator, &text));
                assert_true(json_parse(buffer_bytes(&text), NULL, &arena, &instance, NULL));
                assert_true(json_to_i64(json_get_text(instance, "n"), &number));
                numbers[number + 1] = true;
                const struct json *t = json_get_text(instance, "t"), *c = json_get_text(instance, "c");
                with |= t != NULL;
                without |= t == NULL;
                real |= t && bytes_equal(json_text(t), BYTES("of a real event"));
                empty |= t && json_text(t).size == 0;
                null |= json_is(c, JSON_NULL);
                truth |= json_is(c, JSON_BOOL);
                assert_false(t && json_text(t).size > GENERATE_TEXT_MAX);
        }
        assert_true(numbers[0] && numbers[1] && numbers[2] && numbers[3]);
        assert_true(with && without && real && empty && null && truth);
        generator_free(generator);
        schema_free(schema);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_instance_is_valid),
                cmocka_unit_test(what_has_no_instance_gives_none),
                cmocka_unit_test(a_seed_gives_a_sequence),
                cmocka_unit_test(both_sides_of_what_is_open_are_met),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
