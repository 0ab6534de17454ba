// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/template.h"

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

static const char body[] = "{\"task_id\":123456789012345678901234567890,\"rate\":1.50,\"a/b\":[{\"x\":null},\"Я\"]}";
static const struct named_value path[] = {{BYTES("manager_id"), BYTES("7")}, {BYTES("odd"), BYTES("a \"b\"")}};
static const struct named_value query[] = {{BYTES("after"), BYTES("")}, {BYTES("two"), BYTES("1")}, {BYTES("two"), BYTES("2")}};

static struct template_inputs everything(void) {
        return (struct template_inputs){
                .body = parse(body), .event = parse("{\"payload\":{\"n\":1e2}}"), .response = parse("[true]"),
                .path = path, .path_count = 2, .query = query, .query_count = 3,
                .sequence = UINT64_MAX, .has_sequence = true, .id = BYTES("id-1"), .now = BYTES("2024-02-03T04:05:06Z"),
        };
}

static bool render(const char *source, const struct template_inputs *inputs, struct buffer *buffer, struct error *error) {
        struct template *template = NULL;
        if (!template_compile(parse(source), &template, error))
                fail_msg("%s: %s", source, error->text);
        bool good = template_render(template, inputs, buffer, error);
        template_free(template);
        return good;
}

static void references_are_replaced_exactly(void **state) {
        (void)state;
        static const struct { const char *template, *rendered; } cases[] = {
                {"{\"event_id\":\"$sequence\",\"created_at\":\"$now\",\"payload\":\"$body\"}",
                 "{\"event_id\":18446744073709551615,\"created_at\":\"2024-02-03T04:05:06Z\",\"payload\":"
                 "{\"task_id\":123456789012345678901234567890,\"rate\":1.50,\"a/b\":[{\"x\":null},\"Я\"]}}"},
                {"\"$event/payload\"", "{\"n\":1e2}"},
                {"[\"$body/rate\",\"$body/a~1b/0/x\",\"$response/0\",\"$id\",\"$path/manager_id\",\"$path/odd\","
                 "\"$query/after\"]",
                 "[1.50,null,true,\"id-1\",\"7\",\"a \\\"b\\\"\",\"\"]"},
                {"{\"$body\":[\"$$body\",\"$$\",\"$$$x\",\"a$body\",1.0,{},true]}",
                 "{\"$body\":[\"$body\",\"$\",\"$$x\",\"a$body\",1.0,{},true]}"},
                {"17", "17"},
        };
        struct template_inputs inputs = everything();
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct buffer buffer = {0};
                struct error error = {0};
                if (!render(cases[i].template, &inputs, &buffer, &error))
                        fail_msg("%s: %s", cases[i].template, error.text);
                buffer_append_byte(&buffer, '\0');
                assert_string_equal(buffer.data, cases[i].rendered);
                buffer_free(&buffer);
        }
}

static void a_reference_that_leads_nowhere_is_named(void **state) {
        (void)state;
        static const struct { const char *template, *error; } cases[] = {
                {"{\"a\":[0,\"$body/nope\"]}", "template, at \"/a/1\": $body/nope: the document has no such value"},
                {"\"$body/task_id/x\"", "template, at \"\": $body/task_id/x: the document has no such value"},
                {"\"$path/nope\"", "$path/nope: the path has no such variable"},
                {"\"$query/nope\"", "$query/nope: the query has no such parameter"},
                {"\"$query/two\"", "$query/two: it is given more than once"},
        };
        struct template_inputs inputs = everything(), nothing = {0};
        struct buffer buffer = {0};
        struct error error = {0};
        buffer_append(&buffer, BYTES("kept"));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_false(render(cases[i].template, &inputs, &buffer, &error));
                assert_int_equal(error.code, ERROR_REJECTED);
                assert_non_null(strstr(error.text, cases[i].error));
                assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("kept")));
        }
        static const char *const absent[] = {"[1,\"$body\"]", "\"$event\"", "\"$response\"", "\"$sequence\"", "\"$id\"",
                "\"$now\"",
                                             "\"$path/a\"", "\"$query/a\""};
        for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
                assert_false(render(absent[i], &nothing, &buffer, &error));
        assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("kept")));
        buffer_free(&buffer);
}

static void wrong_references_are_refused_with_their_place(void **state) {
        (void)state;
        static const struct { const char *template, *error; } cases[] = {
                {"{\"a\":{\"b\":\"$bdy\"}}", "at \"/a/b\": $bdy is no reference"}, {"[\"$\"]", "at \"/0\": $ is no reference"},
                {"\"$body~1\"", "no reference"}, {"\"$Body\"", "no reference"}, {"\"$body/a~3\"", "expected 0 or 1 behind ~"},
                {"\"$path\"", "expected $path/NAME"}, {"\"$path/\"", "expected $path/NAME"},
                {"\"$query/a/b\"", "expected $query/NAME"},
                {"\"$sequence/x\"", "nothing behind it"}, {"\"$id/\"", "nothing behind it"}, {"\"$now/x\"", "nothing behind it"},
                {"\"$env\"", "no reference"}, {"\"$ body\"", "no reference"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct template *template = NULL;
                struct error error = {0};
                if (template_compile(parse(cases[i].template), &template, &error))
                        fail_msg("accepted: %s", cases[i].template);
                assert_int_equal(error.code, ERROR_INVALID);
                assert_null(template);
                if (!strstr(error.text, cases[i].error))
                        fail_msg("%s: %s", cases[i].template, error.text);
        }
}

static void what_is_referenced_can_be_asked(void **state) {
        (void)state;
        struct template *template = NULL;
        assert_true(template_compile(parse("{\"a\":\"$path/task_id\",\"b\":[\"$sequence\",\"$$now\"]}"), &template, NULL));
        assert_int_equal(template_references(template), 1u << TEMPLATE_PATH | 1u << TEMPLATE_SEQUENCE);
        assert_int_equal(template_reference_count(template), 2);
        struct template_reference reference = template_reference_at(template, 0);
        assert_string_equal(reference.text, "$path/task_id");
        assert_string_equal(reference.place, "/a");
        assert_true(bytes_equal(reference.name, BYTES("task_id")));
        assert_string_equal(template_reference_at(template, 1).place, "/b/0");
        template_free(template);
}

static void the_number_of_references_is_limited(void **state) {
        (void)state;
        for (int over = 0; over < 2; over++) {
                struct buffer source = {0};
                struct template *template = NULL;
                struct error error;
                for (int i = 0; i < TEMPLATE_REFERENCES_MAX + over; i++)
                        buffer_print(&source, "%c\"$id\"", i ? ',' : '[');
                buffer_append(&source, (struct bytes){"]", 2});
                assert_int_equal(template_compile(parse(source.data), &template, &error), !over);
                assert_true(!over || error.code == ERROR_LIMIT);
                template_free(template);
                buffer_free(&source);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(references_are_replaced_exactly, clean),
                cmocka_unit_test_teardown(a_reference_that_leads_nowhere_is_named, clean),
                cmocka_unit_test_teardown(wrong_references_are_refused_with_their_place, clean),
                cmocka_unit_test_teardown(what_is_referenced_can_be_asked, clean),
                cmocka_unit_test_teardown(the_number_of_references_is_limited, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
