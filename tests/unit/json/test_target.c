// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/target.h"

static struct arena arena;

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

static struct target *compile(const char *source) {
        struct target *target = NULL;
        struct error error;
        if (!target_compile(bytes_of(source), &target, &error))
                fail_msg("%s: %s", source, error.text);
        return target;
}

// `values`: what the variables are, joined by |.
static void requests_are_matched_and_decoded_once(void **state) {
        (void)state;
        static const struct {
                const char *target, *method, *path, *query;
                enum target_match match;
                const char *values;
        } cases[] = {
                {"GET /managers/{manager_id}", "GET", "/managers/17", "", TARGET_MATCHES, "17"},
                {"GET /managers/{manager_id}", "GET", "/managers/a%2fb%20%25+", "x=1", TARGET_MATCHES, "a/b %+"},
                {"GET /managers/{manager_id}", "GET", "/m%61nagers/%D0%AF", "", TARGET_MATCHES, "Я"},
                {"GET /managers/{manager_id}", "GET", "/managers/%2541", "", TARGET_MATCHES, "%41"},
                {"GET /managers/{manager_id}", "PUT", "/managers/17", "", TARGET_OTHER_METHOD, ""},
                {"GET /managers/{manager_id}", "get", "/managers/17", "", TARGET_OTHER_METHOD, ""},
                {"GET /managers/{manager_id}", "PUT", "/managers", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "PUT", "/managers/%zz", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "/managers", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/17/", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "//managers/17", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/17/x", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "/Managers/17", "", TARGET_DIFFERS, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/..", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/%2e%2E", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/./x", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/%4", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/%zz", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/%00", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/%ff", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "managers/1", "", TARGET_MALFORMED, ""},
                {"GET /managers/{manager_id}", "GET", "/managers/1", "a=%f", TARGET_MALFORMED, ""},
                {"GET /a/{b}/c/{d}?e={f}&g=h", "GET", "/a/1/c/2", "g=h&e=3+4%2B", TARGET_MATCHES, "1|2|3 4+"},
                {"GET /a/{b}/c/{d}?e={f}&g=h", "GET", "/a/1/c/2", "g=x&e=3", TARGET_DIFFERS, ""},
                {"GET /a/{b}/c/{d}?e={f}&g=h", "GET", "/a/1/c/2", "g=h", TARGET_DIFFERS, ""},
                {"GET /a/{b}/c/{d}?e={f}&g=h", "GET", "/a/1/c/2", "g=h&e=3&e=3", TARGET_DIFFERS, ""},
                {"GET /a?e={f}", "GET", "/a", "e", TARGET_MATCHES, ""},
                {"POST /", "POST", "/", "", TARGET_MATCHES, ""},
                {"POST /", "POST", "/x", "", TARGET_DIFFERS, ""},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct target *target = compile(cases[i].target);
                struct named_value values[TARGET_VARIABLES_MAX];
                enum target_match match = target_match(target, bytes_of(cases[i].method), bytes_of(cases[i].path),
                                                       bytes_of(cases[i].query), &arena, values, NULL);
                if (match != cases[i].match)
                        fail_msg("%s: %s?%s gives %d", cases[i].target, cases[i].path, cases[i].query, match);
                struct buffer joined = {0};
                for (size_t j = 0; match == TARGET_MATCHES && j < target_variable_count(target); j++) {
                        assert_true(bytes_equal(values[j].name, target_variable(target, j)));
                        buffer_print(&joined, "%s%.*s", j ? "|" : "", BYTES_PRINT(values[j].value));
                }
                assert_true(bytes_equal(buffer_bytes(&joined), bytes_of(cases[i].values)));
                buffer_free(&joined);
                target_free(target);
        }
}

static void parameters_that_are_not_mentioned_are_told(void **state) {
        (void)state;
        struct target *target = compile("GET /a?b={c}");
        struct named_value values[TARGET_VARIABLES_MAX];
        bool extra = true;
        assert_int_equal(target_match(target, BYTES("GET"), BYTES("/a"), BYTES("b=1"), &arena, values, &extra), TARGET_MATCHES);
        assert_false(extra);
        assert_int_equal(target_match(target, BYTES("GET"), BYTES("/a"), BYTES("&b=1&z"), &arena, values, &extra),
                TARGET_MATCHES);
        assert_true(extra);
        target_free(target);
}

static void values_are_encoded(void **state) {
        (void)state;
        struct target *target = compile("GET /t%C3%A4sks/{id}/r?after={cursor}&fixed=a,b");
        struct named_value values[] = {{BYTES("cursor"), BYTES("")}, {BYTES("id"), BYTES("a/b ?#%Я~")}};
        struct buffer buffer = {0};
        struct error error = {0};
        assert_true(target_render(target, values, 2, &buffer, &error));
        assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("/t%C3%A4sks/a%2Fb%20%3F%23%25%D0%AF~/r?after=&fixed=a,b")));
        size_t size = buffer.size;
        assert_false(target_render(target, values, 1, &buffer, &error));
        assert_non_null(strstr(error.text, "{id} has no value"));
        static const struct bytes bad[] = {{"", 0}, {"..", 2}, {".", 1}, {"\xFF", 1}, {"a\0", 2}};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                values[1].value = bad[i];
                assert_false(target_render(target, values, 2, &buffer, &error));
        }
        assert_int_equal(buffer.size, size);
        assert_string_equal(target_method(target), "GET");
        buffer_free(&buffer);
        target_free(target);
        target = compile("POST /");
        assert_true(target_render(target, NULL, 0, &buffer, &error));
        assert_true(bytes_equal(buffer_bytes(&buffer), BYTES("/")));
        buffer_free(&buffer);
        target_free(target);
}

static void wrong_targets_are_refused_with_their_column(void **state) {
        (void)state;
        static const struct { const char *source, *error; } cases[] = {
                {"", "column 1: expected METHOD"}, {"/a", "expected METHOD"}, {"get /a", "expected METHOD"},
                {"GET", "expected METHOD"},
                {"GET a", "column 5: expected a path"}, {"GET  /a", "column 5: expected a path"}, {"GET ", "expected a path"},
                {"GET /a/", "column 8: an empty"}, {"GET /a//b", "column 8: an empty"}, {"GET /../a", "an empty, . or .."},
                {"GET /a/%2e", ". or .."}, {"GET /a b", "column 6: expected a {variable}"}, {"GET /{a}.json", "whole segment"},
                {"GET /x{a}", "expected a {variable}, or"}, {"GET /{}", "expected a name"}, {"GET /{a-b}", "expected a name"},
                {"GET /{a", "whole segment"}, {"GET /{a}/{a}", "column 10: this variable"}, {"GET /a?", "expected name="},
                {"GET /a?b", "expected name="}, {"GET /a?b={c}&", "expected name="}, {"GET /a?b=1&b=2", "this parameter"},
                {"GET /a%4", "characters that may stand"}, {"GET /a#b", "characters that may stand"},
                {"GET /{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}/{j}/{k}/{l}/{m}/{n}/{o}/{p}/{q}", "too many variables"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct target *target = NULL;
                struct error error = {0};
                if (target_compile(bytes_of(cases[i].source), &target, &error))
                        fail_msg("accepted: %s", cases[i].source);
                if (!strstr(error.text, cases[i].error))
                        fail_msg("%s: %s", cases[i].source, error.text);
        }
        char path[TARGET_BYTES_MAX + 1];
        memset(path, 'a', sizeof path);
        memcpy(path, "GET /", 5);
        struct target *target = NULL;
        struct error error;
        assert_false(target_compile((struct bytes){path, sizeof path}, &target, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_true(target_compile((struct bytes){path, TARGET_BYTES_MAX}, &target, &error));
        target_free(target);
}

static void queries_are_parsed(void **state) {
        (void)state;
        struct named_value *values = NULL;
        size_t count = 0;
        assert_true(query_parse(BYTES("a=1&b&=c&&a=x%3D=y&%D0%AF=+"), &arena, &values, &count, NULL));
        assert_int_equal(count, 5);
        assert_true(bytes_equal(values[1].name, BYTES("b")) && values[1].value.size == 0);
        assert_true(values[2].name.size == 0 && bytes_equal(values[2].value, BYTES("c")));
        assert_true(bytes_equal(values[3].value, BYTES("x==y")));
        assert_true(bytes_equal(values[4].name, BYTES("Я")) && bytes_equal(values[4].value, BYTES(" ")));
        assert_true(query_parse((struct bytes){0}, &arena, &values, &count, NULL));
        assert_int_equal(count, 0);
        assert_false(query_parse(BYTES("a=%80"), &arena, &values, &count, NULL));
        char many[TARGET_QUERY_MAX + 1];
        struct error error;
        memset(many, '&', sizeof many);
        assert_true(query_parse((struct bytes){many, TARGET_QUERY_MAX - 1}, &arena, &values, &count, &error));
        assert_false(query_parse((struct bytes){many, TARGET_QUERY_MAX}, &arena, &values, &count, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(requests_are_matched_and_decoded_once, clean),
                cmocka_unit_test_teardown(parameters_that_are_not_mentioned_are_told, clean),
                cmocka_unit_test_teardown(values_are_encoded, clean),
                cmocka_unit_test_teardown(wrong_targets_are_refused_with_their_column, clean),
                cmocka_unit_test_teardown(queries_are_parsed, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
