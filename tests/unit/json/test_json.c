// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "json/json.h"
#include "json/json_priv.h"

static struct arena arena;

// Parses a copy of exactly the size, so that a sanitizer sees any read behind its end.
static const struct json *parse(struct bytes text, const struct json_limits *limits, struct error *error) {
        const struct json *root = NULL;
        char *copy = must_malloc(text.size + !text.size);
        if (text.size)
                memcpy(copy, text.data, text.size);
        if (!json_parse((struct bytes){copy, text.size}, limits, &arena, &root, error)) {
                free(copy);
                return NULL;
        }
        struct buffer written = {0};
        json_write(&written, root);                             // reads every borrowed byte
        struct bytes kept = arena_copy(&arena, buffer_bytes(&written));
        buffer_free(&written);
        free(copy);
        struct json_limits wide = {.depth = JSON_DEPTH_MAX};
        assert_true(json_parse(kept, &wide, &arena, &root, NULL));
        return root;
}

static const struct json *good(const char *text) {
        struct error error = {0};
        const struct json *root = parse(bytes_of(text), NULL, &error);
        if (!root)
                fail_msg("%s: %s", text, error.text);
        return root;
}

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

static void every_value_is_read(void **state) {
        (void)state;
        assert_int_equal(json_type(good(" null ")), JSON_NULL);
        assert_true(json_bool(good("true")));
        assert_false(json_bool(good("false")));
        const struct json *root = good("\t{\"a\" : [1, {\"b\":\"c\"}, []],\r\n \"d\":{} , \"\":-0.5e+07 }");
        assert_int_equal(json_count(root), 3);
        const struct json *array = json_get_text(root, "a");
        assert_int_equal(json_count(array), 3);
        assert_true(bytes_equal(json_text(json_get_text(json_at(array, 1), "b")), BYTES("c")));
        assert_int_equal(json_count(json_at(array, 2)), 0);
        assert_null(json_at(array, 3));
        assert_true(bytes_equal(json_text(json_get_text(root, "")), BYTES("-0.5e+07")));
        assert_null(json_get_text(root, "x"));
        assert_null(json_get_text(NULL, "x"));
        assert_null(json_get_text(array, "x"));
        size_t members = 0;
        JSON_FOR_EACH_MEMBER(key, value, root) {
                assert_ptr_equal(value, json_get(root, json_text(key)));
                members++;
        }
        assert_int_equal(members, 3);
}

static void strings_are_decoded(void **state) {
        (void)state;
        struct bytes all = BYTES("\"\\/\b\f\n\r\tAЯ\xF0\x9F\x98\x80\0z");
        assert_true(bytes_equal(json_text(good("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u042f\\uD83D\\uDE00\\u0000z\"")), all));
        assert_true(bytes_equal(json_text(good("\"Имя 0123456789 \xF4\x8F\xBF\xBF\"")),
                BYTES("Имя 0123456789 \xF4\x8F\xBF\xBF")));
        assert_int_equal(json_count(good("\"\"")), 0);
}

static void what_is_not_json_is_refused_with_its_place(void **state) {
        (void)state;
        static const struct { const char *text, *error; } cases[] = {
                {"", "line 1, column 1 (byte 0): expected a value, but the text ends here"},
                {"{\"a\": 1,\n \"Я\": x}", "line 2, column 7 (byte 16): expected a value"},
                {"[1,]", "byte 3): expected a value"},
                {"[1 2]", "byte 3): expected a comma or ]"},
                {"{\"a\":1,}", "byte 7): expected a key in quotes"},
                {"{\"a\" 1}", "byte 5): expected a colon"},
                {"{\"a\":1 \"b\":2}", "byte 7): expected a comma or }"},
                {"{a:1}", "byte 1): expected a key in quotes, or }"},
                {"[1}", "byte 2): expected a comma or ]"},
                {"[", "expected a value"},
                {"1 2", "byte 2): expected nothing more"},
                {"]", "expected a value"},
                {"nul", "expected a value"}, {"True", "expected a value"}, {"NaN", "expected a value"},
                {"'a'", "expected a value"},
                {"01", "zero"}, {"-", "a digit"}, {"+1", "expected a value"}, {".5", "expected a value"}, {"1.", "a digit"},
                {"1e", "exponent"}, {"1e+", "exponent"}, {"-01", "zero"}, {"0x1", "nothing more"}, {"1.e1", "a digit"},
                {"\"a", "no closing quote"}, {"\"\\\"", "no closing quote"}, {"\"\\", "no closing quote"},
                {"\"a\nb\"", "control"},
                {"\"\x1f\"", "control"}, {"\"\\x\"", "behind a backslash"}, {"\"\\u12g4\"", "hexadecimal"},
                {"\"\\u12\"", "hexadecimal"}, {"\"\\uD800\"", "surrogate"}, {"\"\\uDC00\"", "surrogate"},
                {"\"\\uD800\\u0041\"", "surrogate"}, {"\"\\uD800\\n\"", "surrogate"}, {"\"\\uD800\\uD800\"", "surrogate"},
                {"\"\x80\"", "UTF-8"}, {"\"\xC0\xAF\"", "UTF-8"}, {"\"\xE0\x80\xAF\"", "UTF-8"},
                {"\"\xF0\x80\x80\xAF\"", "UTF-8"},
                {"\"\xED\xA0\x80\"", "UTF-8"}, {"\"\xF4\x90\x80\x80\"", "UTF-8"}, {"\"\xE2\x82\"", "UTF-8"},
                {"\"abcdefg\xFFhijk\"", "UTF-8"},
                {"\"\xF0\x9F\x98", "UTF-8"}, {"\xEF\xBB\xBF{}", "byte order mark"}, {"\xFF\xFE{", "UTF-16"}, {"\xFE\xFF", "UTF-16"},
                {" \xEF\xBB\xBF{}", "expected a value"}, {"{\"a\":1}//", "nothing more"},
                {"{\"a\":1,\"b\":2,\"a\":3}", "byte 13): this key is there already"},
                {"{\"a\":1,\"\\u0061\":2}", "byte 7): this key is there already"},
                {"1e1000000001", "exponent beyond"}, {"1e-99999999999999999999999999", "exponent beyond"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct error error = {0};
                if (parse(bytes_of(cases[i].text), NULL, &error))
                        fail_msg("accepted: %s", cases[i].text);
                if (!strstr(error.text, cases[i].error))
                        fail_msg("%s: %s", cases[i].text, error.text);
        }
        struct error error;
        assert_null(parse(BYTES("\"a\0b\""), NULL, &error));
        assert_null(parse(BYTES("1\0"), NULL, &error));
        assert_non_null(parse(bytes_of("1e1000000000"), NULL, &error));
        assert_non_null(parse(bytes_of("1e-00000000000000000000000000001"), NULL, &error));
}

static void limits_are_kept(void **state) {
        (void)state;
        struct error error;
        char deep[2 * JSON_DEPTH_DEFAULT + 3] = {0};
        memset(deep, '[', JSON_DEPTH_DEFAULT);
        memset(deep + JSON_DEPTH_DEFAULT, ']', JSON_DEPTH_DEFAULT);
        assert_non_null(parse(bytes_of(deep), NULL, &error));
        memset(deep, '[', JSON_DEPTH_DEFAULT + 1);
        memset(deep + JSON_DEPTH_DEFAULT + 1, ']', JSON_DEPTH_DEFAULT + 1);
        assert_null(parse(bytes_of(deep), NULL, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        struct json_limits limits = {.nodes = 3};
        assert_non_null(parse(bytes_of("[1,2]"), &limits, &error));
        assert_null(parse(bytes_of("[1,2,3]"), &limits, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        limits = (struct json_limits){.bytes = 4};
        assert_non_null(parse(bytes_of("[12]"), &limits, &error));
        assert_null(parse(bytes_of("[12] "), &limits, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
}

// Objects of many members are looked up, and checked for equal keys, by sorted order.
static void large_objects_find_every_key_and_refuse_a_repeated_one(void **state) {
        (void)state;
        for (unsigned count = 15; count < 2000; count = count < 20 ? count + 1 : count * 3) {
                struct buffer text = {0};
                for (unsigned i = 0; i < count; i++)
                        buffer_print(&text, "%s\"k%u\":%u", i ? "," : "{", i * 7919 % count, i * 7919 % count);
                size_t open = text.size;
                buffer_append_byte(&text, '}');
                const struct json *root = parse(buffer_bytes(&text), NULL, NULL);
                assert_non_null(root);
                for (unsigned i = 0; i < count; i++) {
                        char key[20];
                        uint64_t value = UINT64_MAX;
                        snprintf(key, sizeof key, "k%u", i);
                        assert_true(json_to_u64(json_get_text(root, key), &value));
                        assert_int_equal(value, i);
                }
                assert_null(json_get_text(root, "k"));
                assert_null(json_get_text(root, "k99999"));
                text.size = open;
                buffer_append(&text, BYTES(",\"k3\":0}"));
                assert_null(parse(buffer_bytes(&text), NULL, NULL));
                buffer_free(&text);
        }
}

static void values_are_compared_as_json_means_them(void **state) {
        (void)state;
        static const struct { const char *a, *b; bool equal; } cases[] = {
                {"1", "1.0", true}, {"1", "10e-1", true}, {"0", "-0.0e5", true}, {"1", "true", false}, {"0", "false", false},
                {"9007199254740993", "9007199254740992", false}, {"\"a\"", "\"\\u0061\"", true}, {"\"1\"", "1", false},
                {"{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}", true}, {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
                {"[1,2]", "[2,1]", false}, {"[]", "{}", false}, {"{\"a\":null}", "{\"b\":null}", false}, {"null", "null", true},
                {"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}", true}, {"[true]", "[false]", false},
                {"[[1]]", "[[1,1]]", false},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct json *a = good(cases[i].a), *b = good(cases[i].b);
                struct buffer left = {0}, right = {0};
                json_canonical(&left, a);
                json_canonical(&right, b);
                if (json_equal(a, b) != cases[i].equal || json_equal(b, a) != cases[i].equal ||
                    bytes_equal(buffer_bytes(&left), buffer_bytes(&right)) != cases[i].equal)
                        fail_msg("%s and %s", cases[i].a, cases[i].b);
                assert_int_equal(json_compare(a, b) < 0, json_compare(b, a) > 0);
                buffer_free(&left);
                buffer_free(&right);
        }
}

// The example of RFC 8785, 3.2.3 (sorting), and 3.2.2 (escapes, numbers).
static void the_canonical_form_is_that_of_rfc_8785(void **state) {
        (void)state;
        static const struct { const char *source, *canonical; } cases[] = {
                {"{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\","
                 "\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
                 "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
                 "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
                 "\"ö\":\"Latin Small Letter O With Diaeresis\","
                 "\"€\":\"Euro Sign\",\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\","
                 "\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}"},
                {"{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"
                 "\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}",
                 "{\"literals\":[null,true,false],\"numbers\":[333333333.33333329,1e+30,4.5,0.002,1e-27],"
                 "\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"},
                {"[0,-0,-1.50,100,1e21,1e20,123456789012345678901234567890,1.0e-6,1e-7,12e-8,0.1e-6]",
                 "[0,0,-1.5,100,1e+21,100000000000000000000,1.2345678901234567890123456789e+29,0.000001,1e-7,1.2e-7,1e-7]"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct buffer canonical = {0};
                json_canonical(&canonical, good(cases[i].source));
                buffer_append_byte(&canonical, '\0');
                assert_string_equal(canonical.data, cases[i].canonical);
                buffer_free(&canonical);
        }
}

// Whether each key is found, others are not, and another order of the members is an equal object with the same canonical form.
static void check_large(const char *const *keys, size_t count) {
        struct buffer forward = {0}, backward = {0}, left = {0}, right = {0};
        const struct json *a, *b, *c;
        struct json_limits limits = {.nodes = 1 << 24};
        struct error error;
        for (size_t i = 0; i < count; i++) {
                buffer_print(&forward, "%s\"%s\":%zu", i ? "," : "{", keys[i], i);
                buffer_print(&backward, "%s\"%s\":%zu.0", i ? "," : "{", keys[count - 1 - i], count - 1 - i);
        }
        buffer_append_byte(&forward, '}');
        buffer_append_byte(&backward, '}');
        assert_true(json_parse(buffer_bytes(&forward), &limits, &arena, &a, &error));
        assert_true(json_parse(buffer_bytes(&backward), &limits, &arena, &b, &error));
        JSON_FOR_EACH_MEMBER(key, value, a) {
                const struct json *other = json_get(b, json_text(key));
                if (json_get(a, json_text(key)) != value || !other || !json_equal(value, other))
                        fail_msg("%.*s is not found", BYTES_PRINT(json_text(key)));
        }
        for (unsigned i = 0; i < 1000; i++)
                assert_null(json_get(a, bytes_of(arena_print(&arena, "not_there_%u", i))));
        assert_true(json_equal(a, b));
        json_canonical(&left, a);
        json_canonical(&right, b);
        assert_true(bytes_equal(buffer_bytes(&left), buffer_bytes(&right)));
        backward.data[backward.size - 2] = '5';                 // the last member's value: 0.5
        assert_true(json_parse(buffer_bytes(&backward), &limits, &arena, &c, &error));
        assert_true(json_compare(a, c) != 0 && (json_compare(a, c) < 0) == (json_compare(c, a) > 0));
        backward.size--;
        buffer_print(&backward, ",\"%s\":1}", keys[count / 2]);
        assert_false(json_parse(buffer_bytes(&backward), &limits, &arena, &c, &error));
        buffer_free(&forward);
        buffer_free(&backward);
        buffer_free(&left);
        buffer_free(&right);
}

// 200,000 keys are many enough for some pairs of equal hashes; keys whose hashes begin alike come into one pile.
static void large_objects_are_in_order_whatever_the_keys(void **state) {
        (void)state;
        enum { MANY = 200000, ALIKE = 2000 };
        const char **keys = must_calloc(MANY, sizeof *keys);
        for (unsigned i = 0; i < MANY; i++)
                keys[i] = arena_print(&arena, "%x", i * 2654435761u);
        for (size_t count = JSON_ORDER_FROM - 1; count <= MANY; count = count * 3 + 1)
                check_large(keys, count);
        check_large(keys, MANY);
        size_t alike = 0;
        for (unsigned i = 0; alike < ALIKE; i++) {
                char *key = arena_print(&arena, "key_%u", i);
                if (json_key_hash(bytes_of(key)) >> 25 == 77)
                        keys[alike++] = key;
        }
        check_large(keys, ALIKE);
        free(keys);
}

// In UTF-16, what needs two units (D800 to DFFF) comes before E000; keys that begin alike are compared to their ends.
static void large_objects_are_canonical_in_utf16(void **state) {
        (void)state;
        static const char *const sorted[] = {
                "", "\\u0000", "\\u0000\\u0000", "\\u0000a",
                "1", "11111111", "111111110", "111111111", "a", "aaaaaaaa\xEF\xBF\xBFz", "b", "c",
                "d", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xF0\x90\x80\x80", "\xF0\x90\x80\x80\xF0\x90\x80\x80",
                "\xF0\x90\x80\x80\xEE\x80\x80", "\xF4\x8F\xBF\xBF", "\xEE\x80\x80", "\xEE\x80\x80\xF0\x90\x80\x80", "\xEF\xBF\xBF",
        };
        struct buffer text = {0}, expected = {0}, canonical = {0};
        const struct json *root;
        struct error error;
        for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
                buffer_print(&expected, "%s\"%s\":0", i ? "," : "{", sorted[i]);
                buffer_print(&text, "%s\"%s\":0", i ? "," : "{", sorted[(i * 7 + 3) % ARRAY_SIZE(sorted)]);
        }
        static_assert(ARRAY_SIZE(sorted) >= JSON_ORDER_FROM && ARRAY_SIZE(sorted) % 7 != 0, "a large one, in another order");
        buffer_append_byte(&text, '}');
        buffer_append_byte(&expected, '}');
        if (!json_parse(buffer_bytes(&text), NULL, &arena, &root, &error))
                fail_msg("%s", error.text);
        json_canonical(&canonical, root);
        if (!bytes_equal(buffer_bytes(&canonical), buffer_bytes(&expected)))
                fail_msg("%.*s\n%.*s", BYTES_PRINT(buffer_bytes(&canonical)), BYTES_PRINT(buffer_bytes(&expected)));
        buffer_free(&text);
        buffer_free(&expected);
        buffer_free(&canonical);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(every_value_is_read, clean),
                cmocka_unit_test_teardown(strings_are_decoded, clean),
                cmocka_unit_test_teardown(what_is_not_json_is_refused_with_its_place, clean),
                cmocka_unit_test_teardown(limits_are_kept, clean),
                cmocka_unit_test_teardown(large_objects_find_every_key_and_refuse_a_repeated_one, clean),
                cmocka_unit_test_teardown(large_objects_are_in_order_whatever_the_keys, clean),
                cmocka_unit_test_teardown(large_objects_are_canonical_in_utf16, clean),
                cmocka_unit_test_teardown(values_are_compared_as_json_means_them, clean),
                cmocka_unit_test_teardown(the_canonical_form_is_that_of_rfc_8785, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
