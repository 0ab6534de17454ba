// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/writer.h"

static void assert_text(struct buffer *buffer, const char *expected) {
        buffer_append_byte(buffer, '\0');
        assert_string_equal(buffer->data, expected);
        buffer_free(buffer);
}

static void write_something(struct json_writer *writer) {
        json_begin_object(writer);
        json_member_text(writer, "name", "a\"b");
        json_key(writer, "list");
        json_begin_array(writer);
        json_i64(writer, INT64_MIN);
        json_u64(writer, UINT64_MAX);
        json_fixed(writer, 1.5, 2);
        json_boolean(writer, false);
        json_null(writer);
        json_raw(writer, BYTES("123456789012345678901234567890"));
        json_string_print(writer, "%d/%s", 7, "x");
        json_end_array(writer);
        json_key(writer, "empty");
        json_begin_object(writer);
        json_end_object(writer);
        json_member_text(writer, "none", NULL);
        json_member_i64(writer, "i", -1);
        json_member_u64(writer, "u", 1);
        json_member_boolean(writer, "t", true);
        json_end_object(writer);
        json_end(writer);
}

static void pieces_become_a_document(void **state) {
        (void)state;
        struct buffer buffer = {0};
        struct json_writer writer = {.buffer = &buffer};
        write_something(&writer);
        assert_text(&buffer, "{\"name\":\"a\\\"b\",\"list\":[-9223372036854775808,18446744073709551615,1.50,false,null,"
                    "123456789012345678901234567890,\"7/x\"],\"empty\":{},\"none\":null,\"i\":-1,\"u\":1,\"t\":true}");
}

static void pretty_is_two_spaces_a_level(void **state) {
        (void)state;
        struct arena arena = {0};
        const struct json *root = NULL;
        struct buffer buffer = {0};
        assert_true(json_parse(BYTES("{\"a\":[1,[],{\"b\":{}}],\"c\":1.0e1}"), NULL, &arena, &root, NULL));
        json_write_pretty(&buffer, root);
        assert_text(&buffer, "{\n  \"a\": [\n    1,\n    [],\n    {\n      \"b\": {}\n    }\n  ],\n  \"c\": 1.0e1\n}");
        arena_free(&arena);
}

static void strings_are_escaped_and_always_utf8(void **state) {
        (void)state;
        struct buffer buffer = {0};
        json_quote(&buffer, BYTES("\"\\/\b\f\n\r\t\x01\x1f\x7f Я\0\xF0\x9F\x98\x80"));
        assert_text(&buffer, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f Я\\u0000\xF0\x9F\x98\x80\"");
        json_quote(&buffer, BYTES("a\xFF\xED\xA0\x80z\xC3"));
        assert_text(&buffer, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\"");
        json_quote(&buffer, (struct bytes){0});
        assert_text(&buffer, "\"\"");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pieces_become_a_document),
                cmocka_unit_test(pretty_is_two_spaces_a_level),
                cmocka_unit_test(strings_are_escaped_and_always_utf8),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
