// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/schema_place.h"
#include "schema/schema.h"

static void a_place_is_taken_out_of_a_text(void **state) {
        (void)state;
        static const struct { const char *text, *uri, *pointer, *sentence; size_t line, column; } cases[] = {
                {"line 12, column 3 (byte 40): expected a value", NULL, NULL, "expected a value", 12, 3},
                {"schema: line 1, column 1 (byte 0): expected a value", NULL, NULL, "expected a value", 1, 1},
                {"schema, at \"/a/type\" (line 2, column 9): expected: a type", NULL, "/a/type", "expected: a type", 2, 9},
                {"schema, at \"\" (line 1, column 1): x", NULL, "", "x", 1, 1},
                {"schema \"parts/b.json\", at \"/$ref\" (line 4, column 5): x", "parts/b.json", "/$ref", "x", 4, 5},
                {"schema, at \"/a\" (b)\" (line 1, column 2): x", NULL, "/a\" (b)", "x", 1, 2},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema_place place;
                assert_true(schema_place_parse(cases[i].text, 0, &place));
                assert_true(bytes_equal(place.uri, bytes_of(cases[i].uri)) && !place.uri.data == !cases[i].uri);
                assert_true(bytes_equal(place.pointer, bytes_of(cases[i].pointer)) && !place.pointer.data == !cases[i].pointer);
                assert_string_equal(place.sentence, cases[i].sentence);
                assert_int_equal(place.line, cases[i].line);
                assert_int_equal(place.column, cases[i].column);
        }
}

static void a_key_may_look_like_an_end(void **state) {
        (void)state;
        static const char text[] = "schema, at \"/a\" (line 3, column 4): b/type\" (line 1, column 2): x";
        struct schema_place place;
        assert_true(schema_place_parse(text, 0, &place));
        assert_true(bytes_equal(place.pointer, BYTES("/a")) && place.line == 3);
        assert_true(schema_place_parse(text, 1, &place));
        assert_true(bytes_equal(place.pointer, BYTES("/a\" (line 3, column 4): b/type")) && place.line == 1 && place.column == 2);
        assert_string_equal(place.sentence, "x");
        assert_false(schema_place_parse(text, 2, &place));
        assert_false(schema_place_parse("line 1, column 1 (byte 0): x", 1, &place));
}

static void what_has_no_place_is_left_alone(void **state) {
        (void)state;
        static const char *const texts[] = {
                "", "schema", "schema: ", "a.json: No such file or directory", "line 1: x", "line 1, column 2: x",
                "line -1, column 2 (byte 1): x", "schema, at \"/a\" (line 1, column 2)", "schema, at \"/a (line 1, column 2): x",
                "schema \"b, at \"/a\" (line 1, column 2): x",
                "schema \"b\" at \"/a\" (line 1, column 2): x", "the bundle: schema, at \"/a\" (line 1, column 2): x",
        };
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct schema_place place = {.line = 7};
                assert_false(schema_place_parse(texts[i], 0, &place));
                assert_int_equal(place.line, 7);
        }
}

// What the engine says now has the form that is taken apart here.
static void the_engine_speaks_in_this_form(void **state) {
        (void)state;
        static const struct { const char *source, *pointer; size_t line, column; } cases[] = {
                {"{\n \"a\": }", NULL, 2, 7}, {"{\"properties\":\n {\"a\\\"\": {\"type\": 1}}}", "/properties/a\"/type", 2, 19},
                {"3", "", 1, 1},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = NULL;
                struct schema_place place;
                struct error error;
                assert_false(schema_compile(bytes_of(cases[i].source), NULL, &schema, &error));
                assert_true(schema_place_parse(error.text, 0, &place));
                assert_true(bytes_equal(place.pointer, bytes_of(cases[i].pointer)) && !place.pointer.data == !cases[i].pointer);
                assert_int_equal(place.line, cases[i].line);
                assert_int_equal(place.column, cases[i].column);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_place_is_taken_out_of_a_text),
                cmocka_unit_test(a_key_may_look_like_an_end),
                cmocka_unit_test(what_has_no_place_is_left_alone),
                cmocka_unit_test(the_engine_speaks_in_this_form),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
