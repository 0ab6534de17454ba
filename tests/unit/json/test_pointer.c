// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/pointer.h"

static struct arena arena;

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

// The document and the table of RFC 6901, section 5.
static const char document[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
        "\"i\\\\j\":5,\"k\\\"l\":6,"
                               "\" \":7,\"m~n\":8,\"deep\":{\"x\":[[{}],{\"y\":[1,2]}]}}";

static void every_node_is_found_by_its_pointer(void **state) {
        (void)state;
        const struct json *root = NULL;
        assert_true(json_parse(bytes_of(document), NULL, &arena, &root, NULL));
        static const struct { const char *pointer, *value; } cases[] = {
                {"/foo/0", "\"bar\""}, {"/", "0"}, {"/a~1b", "1"}, {"/c%d", "2"}, {"/i\\j", "5"}, {"/k\"l", "6"}, {"/ ", "7"},
                {"/m~0n", "8"}, {"/deep/x/1/y/1", "2"}, {"/foo", "[\"bar\",\"baz\"]"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct json_pointer pointer;
                struct buffer buffer = {0};
                assert_true(json_pointer_parse(bytes_of(cases[i].pointer), &arena, &pointer, NULL));
                const struct json *node = json_pointer_resolve(&pointer, root);
                assert_non_null(node);
                json_write(&buffer, node);
                assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of(cases[i].value)));
                buffer_clear(&buffer);
                json_pointer_of(&buffer, root, node);
                assert_true(bytes_equal(buffer_bytes(&buffer), bytes_of(cases[i].pointer)));
                buffer_free(&buffer);
        }
        struct json_pointer whole;
        assert_true(json_pointer_parse(BYTES(""), &arena, &whole, NULL));
        assert_ptr_equal(json_pointer_resolve(&whole, root), root);
}

static void what_is_not_there_is_null(void **state) {
        (void)state;
        const struct json *root = NULL;
        assert_true(json_parse(bytes_of(document), NULL, &arena, &root, NULL));
        static const char *const nowhere[] = {"/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/", "/bar", "/foo/0/x",
                "/a/b",
                                              "/foo/18446744073709551616"};
        for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
                struct json_pointer pointer;
                assert_true(json_pointer_parse(bytes_of(nowhere[i]), &arena, &pointer, NULL));
                assert_null(json_pointer_resolve(&pointer, root));
        }
}

static void broken_pointers_are_refused(void **state) {
        (void)state;
        struct json_pointer pointer;
        struct error error;
        assert_false(json_pointer_parse(BYTES("foo"), &arena, &pointer, &error));
        assert_non_null(strstr(error.text, "byte 0"));
        assert_false(json_pointer_parse(BYTES("/a~2"), &arena, &pointer, &error));
        assert_non_null(strstr(error.text, "byte 3"));
        assert_false(json_pointer_parse(BYTES("/a~/b"), &arena, &pointer, &error));
        assert_false(json_pointer_parse(BYTES("/a~"), &arena, &pointer, &error));
        char many[2 * JSON_POINTER_TOKENS_MAX + 3] = {0};
        for (size_t i = 0; i < 2 * JSON_POINTER_TOKENS_MAX; i += 2)
                memcpy(many + i, "/a", 2);
        assert_true(json_pointer_parse(bytes_of(many), &arena, &pointer, &error));
        assert_int_equal(pointer.count, JSON_POINTER_TOKENS_MAX);
        memcpy(many + 2 * JSON_POINTER_TOKENS_MAX, "/a", 2);
        assert_false(json_pointer_parse(bytes_of(many), &arena, &pointer, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
}

// Of values and keys, in any order.
static void places_give_the_same_pointers(void **state) {
        (void)state;
        const struct json *root = NULL;
        struct json_places places;
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer one = {0};
        CLEANUP(buffer_free) struct buffer other = {0};
        for (int i = 0; i < 100; i++)
                buffer_append(&text, i % 2 ? BYTES("{\"a~/\":[],\"b\":{},\"\":") : BYTES("[1,{\"x\":[2,{}]},\"3\","));
        buffer_append_byte(&text, '0');
        for (int i = 100; i-- > 0; )
                buffer_append(&text, i % 2 ? BYTES(",\"z\":null}") : BYTES(",[[true]]]"));
        assert_true(json_parse(buffer_bytes(&text), NULL, &arena, &root, NULL));
        json_places_make(&places, root, &arena);
        for (uint32_t i = root->span; i-- > 0; ) {
                buffer_clear(&one);
                buffer_clear(&other);
                json_pointer_of(&one, root, root + i);
                json_places_pointer(&places, &other, root + i);
                assert_true(bytes_equal(buffer_bytes(&one), buffer_bytes(&other)));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(every_node_is_found_by_its_pointer, clean),
                cmocka_unit_test_teardown(what_is_not_there_is_null, clean),
                cmocka_unit_test_teardown(places_give_the_same_pointers, clean),
                cmocka_unit_test_teardown(broken_pointers_are_refused, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
