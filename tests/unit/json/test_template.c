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

// Stands in for the real ones: "PURPOSE<VALUE>", and back.
static bool fake_pseudonym(void *user, struct bytes purpose, struct bytes value, struct buffer *out, struct error *error) {
        (void)user;
        (void)error;
        buffer_print(out, "%.*s<%.*s>", BYTES_PRINT(purpose), BYTES_PRINT(value));
        return true;
}

static bool fake_resolve(void *user, struct bytes purpose, struct bytes text, struct buffer *out, struct error *error) {
        (void)user;
        if (!bytes_starts_with(text, purpose) || text.size < purpose.size + 2)
                return error_set(error, ERROR_REJECTED, "no pseudonym");
        buffer_append(out, (struct bytes){text.data + purpose.size + 1, text.size - purpose.size - 2});
        return true;
}

static const struct template_pseudonyms fakes = {fake_pseudonym, fake_resolve, NULL};

static void a_pseudonym_stands_for_a_value_of_any_type(void **state) {
        (void)state;
        static const char *const values[] = {"17", "17.50", "1e2", "\"a\\\"\\u0001Я\"", "null", "true", "[1,{\"b\":2,\"a\":1}]",
                                             "123456789012345678", "\"\"", "\"$body\""};
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                struct buffer document = {0}, out = {0}, back = {0}, canonical = {0};
                struct error error;
                buffer_print(&document, "{\"v\":%s,\"w\":1}%c", values[i], 0);
                struct template_inputs inputs = {.body = parse(document.data), .pseudonyms = &fakes};
                assert_true(render("{\"x\":[{\"$pseudonym\":{\"purpose\":\"p\",\"of\":\"$body/v\"}},\"$body/w\"]}", &inputs, &out, &error));
                buffer_append_byte(&out, 0);
                inputs.body = parse(out.data);
                assert_true(json_is(json_at(json_get_text(inputs.body, "x"), 0), JSON_STRING));
                assert_true(json_equal(json_at(json_get_text(inputs.body, "x"), 1), parse("1")));
                assert_true(render("{\"$resolve\":{\"of\":\"$body/x/0\",\"purpose\":\"p\"}}", &inputs, &back, &error));
                json_canonical(&canonical, parse(values[i]));
                assert_true(bytes_equal(buffer_bytes(&canonical), buffer_bytes(&back)));
                assert_false(render("{\"$resolve\":{\"of\":\"$body/x/0\",\"purpose\":\"q\"}}", &inputs, &back, &error));
                assert_int_equal(error.code, ERROR_REJECTED);
                buffer_free(&document);
                buffer_free(&out);
                buffer_free(&back);
                buffer_free(&canonical);
        }
}

static void pseudonyms_that_cannot_be_are_errors(void **state) {
        (void)state;
        struct template_inputs inputs = {.body = parse("{\"n\":17}"), .pseudonyms = &fakes};
        struct buffer out = {0};
        struct error error;
        assert_false(render("{\"$resolve\":{\"purpose\":\"p\",\"of\":\"$body/n\"}}", &inputs, &out, &error));
        assert_int_equal(error.code, ERROR_REJECTED);
        assert_false(render("{\"$pseudonym\":{\"purpose\":\"p\",\"of\":\"$body/absent\"}}", &inputs, &out, &error));
        assert_int_equal(error.code, ERROR_REJECTED);
        inputs.pseudonyms = NULL;
        assert_false(render("[{\"$pseudonym\":{\"purpose\":\"p\",\"of\":\"$body/n\"}}]", &inputs, &out, &error));
        assert_int_equal(error.code, ERROR_UNSUPPORTED);
        assert_int_equal(out.size, 0);
        buffer_free(&out);
}

static void wrong_pseudonyms_are_refused_with_their_place(void **state) {
        (void)state;
        static const char *const wrong[][2] = {
                {"{\"a\":{\"$pseudonym\":{\"purpose\":\"p\",\"of\":\"$body\"},\"b\":1}}", "\"/a\": $pseudonym and $resolve stand alone"},
                {"[{\"$resolve\":\"$body\"}]", "\"/0/$resolve\": expected {purpose: NAME, of: REFERENCE}"},
                {"{\"$resolve\":{\"purpose\":\"p\"}}", "\"/$resolve\": expected {purpose: NAME, of: REFERENCE}"},
                {"{\"$resolve\":{\"purpose\":\"p\",\"of\":\"$id\",\"x\":1}}", "\"/$resolve\": expected {purpose"},
                {"{\"$resolve\":{\"purpose\":\"p q\",\"of\":\"$id\"}}", "\"/$resolve/purpose\": expected a purpose"},
                {"{\"$resolve\":{\"purpose\":\"\",\"of\":\"$id\"}}", "\"/$resolve/purpose\": expected a purpose"},
                {"{\"$resolve\":{\"purpose\":7,\"of\":\"$id\"}}", "\"/$resolve/purpose\": expected a purpose"},
                {"{\"$pseudonym\":{\"purpose\":\"p\",\"of\":\"plain\"}}", "\"/$pseudonym/of\": expected a reference"},
                {"{\"$pseudonym\":{\"purpose\":\"p\",\"of\":\"$nothing\"}}", "\"/$pseudonym/of\": $nothing is no reference"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                struct template *template = NULL;
                struct error error;
                assert_false(template_compile(parse(wrong[i][0]), &template, &error));
                if (!strstr(error.text, wrong[i][1]))
                        fail_msg("%s: %s", wrong[i][0], error.text);
        }
        struct template *template = NULL;
        assert_true(template_compile(parse("[\"$id\",{\"$resolve\":{\"purpose\":\"p\",\"of\":\"$path/x\"}}]"), &template, NULL));
        assert_null(template_reference_at(template, 0).purpose);
        assert_string_equal(template_reference_at(template, 1).purpose, "p");
        assert_true(template_reference_at(template, 1).resolve);
        assert_string_equal(template_reference_at(template, 1).place, "/1/$resolve/of");
        template_free(template);
}

static void a_member_may_be_left_out_where_its_value_is_missing(void **state) {
        (void)state;
        struct template_inputs inputs = {.body = parse("{\"a\":null,\"b\":{\"c\":[1]}}")};
        struct buffer out = {0};
        struct error error;
        assert_true(render("{\"x\":{\"$optional\":\"$body/nothing\"},\"y\":{\"$optional\":\"$body/b/c\"},"
                           "\"z\":{\"deep\":{\"$optional\":\"$body/b/d\"}},\"n\":{\"$optional\":\"$body/a\"},\"last\":\"$body/b\"}",
                           &inputs, &out, &error));
        assert_true(bytes_equal(buffer_bytes(&out), BYTES("{\"y\":[1],\"z\":{},\"n\":null,\"last\":{\"c\":[1]}}")));
        buffer_clear(&out);
        assert_false(render("{\"x\":{\"$optional\":\"$event/a\"}}", &inputs, &out, &error));
        assert_int_equal(error.code, ERROR_REJECTED);           // a document that is not there is not a value that is missing
        assert_int_equal(out.size, 0);
        buffer_free(&out);
        static const char *const wrong[][2] = {
                {"{\"a\":{\"$optional\":\"$body\",\"b\":1}}", "\"/a\": $optional stands alone"},
                {"{\"a\":{\"$optional\":7}}", "\"/a/$optional\": expected a reference"},
                {"{\"a\":{\"$optional\":\"$id\"}}", "\"/a/$optional\": $optional is for values of $body, $event and $response"},
                {"[{\"$optional\":\"$body\"}]", "\"/0\": $optional is for members of an object"},
                {"{\"$optional\":\"$body\"}", "$optional is for members of an object"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                struct template *template = NULL;
                assert_false(template_compile(parse(wrong[i][0]), &template, &error));
                if (!strstr(error.text, wrong[i][1]))
                        fail_msg("%s: %s", wrong[i][0], error.text);
        }
        struct template *template = NULL;
        assert_true(template_compile(parse("{\"a\":\"$body\",\"b\":{\"$optional\":\"$body/x\"}}"), &template, NULL));
        assert_false(template_reference_at(template, 0).optional);
        assert_true(template_reference_at(template, 1).optional);
        template_free(template);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(references_are_replaced_exactly, clean),
                cmocka_unit_test_teardown(a_reference_that_leads_nowhere_is_named, clean),
                cmocka_unit_test_teardown(wrong_references_are_refused_with_their_place, clean),
                cmocka_unit_test_teardown(what_is_referenced_can_be_asked, clean),
                cmocka_unit_test_teardown(a_pseudonym_stands_for_a_value_of_any_type, clean),
                cmocka_unit_test_teardown(pseudonyms_that_cannot_be_are_errors, clean),
                cmocka_unit_test_teardown(wrong_pseudonyms_are_refused_with_their_place, clean),
                cmocka_unit_test_teardown(a_member_may_be_left_out_where_its_value_is_missing, clean),
                cmocka_unit_test_teardown(the_number_of_references_is_limited, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
