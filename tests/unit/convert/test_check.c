// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "convert/convert.h"
#include "convert/program.h"

static void refuse(const char *program, enum error_code code, const char *text) {
        struct error error;
        if (convert_check(bytes_of(program), &error))
                fail_msg("accepted: %s", program);
        if (strcmp(error.text, text) != 0)
                fail_msg("%s\n     gives: %s\n  expected: %s", program, error.text, text);
        assert_int_equal(error.code, code);
}

static void accept(const char *program) {
        struct error error;
        if (!convert_check(bytes_of(program), &error))
                fail_msg("%s: %s", program, error.text);
}

static void what_maps_is_accepted(void **state) {
        (void)state;
        accept(".");
        accept(".title |= ltrimstr(\"[\") # now, env");
        accept("(.title | capture(\"^\\\\[(?<area>[^]]*)\\\\] (?<title>.*)$\")) as $t\n"
               "| del(.title) + {knowledge_area: $t.area, title: $t.title}");
        accept("def now_or(f): f; {a: now_or(1), \"b\": \"\\(.a + \"x\\(2)\") now\"}");
        accept(". as {a: $x, $b, now: [$c]} | if $x then $b else $c end");
        accept("reduce .[] as $i (0; . + $i) | try error(\"x\") catch .");
        accept("label $out | foreach .[] as $i (0; . + 1; if . > 3 then ., break $out else empty end)");
        accept("[007, .5, 5., 1e3, 9007199254740992, 0.1]");
        accept("@base64 \"x\\(.a)\" | todate? // .b");
}

// The words may stand where they are no functions: keys, fields, strings, comments, parts of other names.
static void what_is_refused_may_be_a_name_in_data(void **state) {
        (void)state;
        accept("{now: .now, env: .env, \"input\": .\"input\", debug: 1} | .[\"halt\"] # stderr");
        accept("{a: 1, now: 2, b: $__loc__.line}");
        accept("{if: 1, end: .end, include: 2}");
        accept(". as {now: $now, env: $env} | $now + $env");
        accept("def nowadays: 1; nowadays");
        accept("\"now \\(1) env\"");
}

static void what_depends_on_more_than_the_input_is_refused_by_name(void **state) {
        (void)state;
        static const char *const names[] = {"now", "env", "input", "inputs", "input_filename", "input_line_number", "get_jq_origin",
                                            "get_prog_origin", "localtime", "strflocaltime", "debug", "stderr", "halt", "halt_error",
                                            "modulemeta", "get_search_list"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                char program[200], expected[100];
                struct error error;
                snprintf(program, sizeof program, "{a: 1,\n b: (.x | %s)}", names[i]);
                assert_false(convert_check(bytes_of(program), &error));
                snprintf(expected, sizeof expected, "line 2, column 11: `%s` is not allowed: ", names[i]);
                if (strncmp(error.text, expected, strlen(expected)) != 0)
                        fail_msg("%s: %s", names[i], error.text);
                snprintf(program, sizeof program, "\"\\(\n%s)\"", names[i]);
                assert_false(convert_check(bytes_of(program), &error));
                snprintf(program, sizeof program, "def f: %s; .", names[i]);
                assert_false(convert_check(bytes_of(program), &error));
        }
        refuse("now", ERROR_INVALID, "line 1, column 1: `now` is not allowed: a mapping may depend on its input alone");
        refuse("$ENV.HOME", ERROR_INVALID, "line 1, column 2: `$ENV` is not allowed: a mapping may depend on its input alone");
        refuse("{$ENV}", ERROR_INVALID, "line 1, column 3: `$ENV` is not allowed: a mapping may depend on its input alone");
        refuse("[{a: 1}, now]", ERROR_INVALID, "line 1, column 10: `now` is not allowed: a mapping may depend on its input alone");
        refuse("{a, (now): 1}", ERROR_INVALID, "line 1, column 6: `now` is not allowed: a mapping may depend on its input alone");
        refuse("def now: 1; now", ERROR_INVALID, "line 1, column 5: `now` is not allowed: a mapping may depend on its input alone");
        refuse("import \"a\" as a; .", ERROR_INVALID,
               "line 1, column 1: `import` is not allowed: a mapping is one program without modules");
        refuse("  include \"a\"; .", ERROR_INVALID,
               "line 1, column 3: `include` is not allowed: a mapping is one program without modules");
        refuse("module {a: 1}; .", ERROR_INVALID,
               "line 1, column 1: `module` is not allowed: a mapping is one program without modules");
}

static void syntax_errors_have_line_and_column(void **state) {
        (void)state;
        refuse(".a |", ERROR_INVALID, "line 1, column 5: the program ends too early");
        refuse("", ERROR_INVALID, "line 1, column 1: an empty program; `.` changes nothing");
        refuse(" # nothing\n", ERROR_INVALID, "line 1, column 1: an empty program; `.` changes nothing");
        refuse("def f: 1 .", ERROR_INVALID, "line 1, column 11: the program ends too early");
}

static void syntax_errors_name_the_token(void **state) {
        (void)state;
        refuse(".a\n  | | .b", ERROR_INVALID, "line 2, column 5: `|` cannot stand here");
        refuse("{a: 1,\n b 2}", ERROR_INVALID, "line 2, column 4: `2` cannot stand here");
        refuse("{\"ä\": ^}", ERROR_INVALID, "line 1, column 7: `^` cannot stand here");
        refuse(".a | (.b", ERROR_INVALID, "line 1, column 6: this `(` is not closed");
        refuse(".a | .b)", ERROR_INVALID, "line 1, column 8: `)` closes nothing");
        refuse("[1, (2]", ERROR_INVALID, "line 1, column 7: `]`, but the `(` of line 1, column 5 is still open");
        refuse("if . then 1 else 2", ERROR_INVALID, "line 1, column 1: this `if` is not closed");
        refuse("if . then 1 end", ERROR_INVALID, "line 1, column 13: `end` cannot stand here");
        refuse("\"abc \\(1", ERROR_INVALID, "line 1, column 6: this `(` is not closed");
        refuse("\n\"abc", ERROR_INVALID, "line 2, column 1: this `\"` is not closed");
        refuse("def f: 1 2", ERROR_INVALID, "line 1, column 10: `2` cannot stand here");
}

static void undefined_names_have_a_place(void **state) {
        (void)state;
        refuse("{a: foo,\n foo: .foo, b: (1 | foo(2))}", ERROR_INVALID, "line 1, column 5: foo/0 is not defined");
        refuse(".a\n | .x + $x", ERROR_INVALID, "line 2, column 10: $x is not defined");
        refuse("1 | break $out", ERROR_INVALID, "line 1, column 12: there is no label $out");
        refuse("1 | a::b", ERROR_INVALID, "line 1, column 5: a::b/0 is not defined");
        refuse("1 /\n0", ERROR_INVALID, "line 1: Division by zero?");
}

static void literals_that_jq_would_round_are_refused(void **state) {
        (void)state;
        static const char begin[] = "line 1, column 6: jq would round ";
        static const char *const literals[] = {"9007199254740993", "1e17", "1e400", "1e99999999999", "0.12345678901234567890"};
        for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
                char program[100];
                struct error error;
                snprintf(program, sizeof program, "{a: (%s)}", literals[i]);
                assert_false(convert_check(bytes_of(program), &error));
                assert_memory_equal(error.text, begin, sizeof begin - 1);
        }
}

static void size_bytes_and_nesting_are_limited(void **state) {
        (void)state;
        struct error error;
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append(&text, BYTES("."));
        while (text.size < CONVERT_PROGRAM_MAX)
                buffer_append_byte(&text, ' ');
        assert_true(convert_check(buffer_bytes(&text), NULL));
        buffer_append_byte(&text, ' ');
        assert_false(convert_check(buffer_bytes(&text), &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_string_equal(error.text, "65537 bytes, at most 65536");
        buffer_clear(&text);
        for (int i = 0; i < CONVERT_NESTING_MAX; i++)
                buffer_append_byte(&text, '[');
        for (int i = 0; i < CONVERT_NESTING_MAX; i++)
                buffer_append_byte(&text, ']');
        assert_true(convert_check(buffer_bytes(&text), NULL));
        buffer_clear(&text);
        for (int i = 0; i <= CONVERT_NESTING_MAX; i++)
                buffer_append_byte(&text, '[');
        assert_false(convert_check(buffer_bytes(&text), &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_string_equal(error.text, "line 1, column 101: more than 100 levels of brackets, strings and if");
        refuse("\"a\xff\"", ERROR_INVALID, "line 1, column 3: a byte that is no UTF-8");
        assert_false(convert_check(BYTES(".a\0 | now"), &error));
        assert_string_equal(error.text, "line 1, column 3: a NUL");
}

// Long programs of one repeated piece: no crash, and an end.
static void repetitions_end(void **state) {
        (void)state;
        static const char *const pieces[] = {"-", ".|", "1,", ".a", "try ", "def f: ", "[]|", "label $a|", ". as $a|", "?", "..", "//",
                                             "\"\"", "1+", "reduce . as $x"};
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                CLEANUP(buffer_free) struct buffer text = {0};
                while (text.size + 10 < 20000)
                        buffer_append(&text, bytes_of(pieces[i]));
                buffer_append_byte(&text, '.');
                struct error error = {0};
                if (!convert_check(buffer_bytes(&text), &error))
                        assert_true(error.text[0]);
        }
}

static void clean(const char *message, const char *program, const char *expected) {
        CLEANUP(buffer_free) struct buffer text = {0};
        program_clean_message(bytes_of(message), bytes_of(program), &text);
        buffer_append_byte(&text, '\0');
        assert_string_equal(text.data, expected);
}

static void messages_lose_the_values_that_libjq_quotes(void **state) {
        (void)state;
        clean("number (1) and string (\"Jane Doe...) cannot be added", ".a", "number and string cannot be added");
        clean("object ({\"a\":\"Jane...) cannot be parsed as a number", ".a", "object cannot be parsed as a number");
        clean("string (\":) :) x...) is not a string", ".a", "string is not a string");
        clean("string (\"Jane\")", ".a", "string");
        clean("Cannot index number with \"title\"", ".title", "Cannot index number with \"title\"");
        clean("Cannot index number with \"Jane\"", ".[.name]", "Cannot index number with \"…\"");
        clean("Cannot index number with string \"Jane\"", ".[.name]", "Cannot index number with string \"…\"");
        clean("Invalid numeric literal at EOF at line 1, column 1 (while parsing 'Jane')", "tonumber",
              "Invalid numeric literal at EOF at line 1, column 1");
        clean("Invalid path expression with result {\"name\":\"Jane", ".", "Invalid path expression");
        clean("[ (at offset 0) is not a valid regex: premature end", "test(\"[\")",
              "[ (at offset 0) is not a valid regex: premature end");
        clean("Jane[ (at offset 0) is not a valid regex: premature end", "test(.name)",
              "… (at offset 0) is not a valid regex: premature end");
        clean("date \"Jane\" does not match format \"%Y\"", "strptime(\"%Y\")", "date \"…\" does not match format \"%Y\"");
        clean("no task of that kind", ".", "no task of that kind");
        clean("\"open", ".", "\"open");
        clean("", ".", "");
        CLEANUP(buffer_free) struct buffer text = {0}, cut = {0};
        for (int i = 0; i < CONVERT_MESSAGE_MAX; i++)
                buffer_append(&text, BYTES("ä"));
        program_clean_message(buffer_bytes(&text), BYTES("."), &cut);
        assert_int_equal(cut.size, CONVERT_MESSAGE_MAX);
}

static void only_words_of_the_program_and_of_libjq_are_known(void **state) {
        (void)state;
        static const struct {
                const char *message, *program;
                bool known;
        } cases[] = {
                {"no such title", "error(\"no such title\")", true},
                {"number and string cannot be added", ".a + .b", true},
                {"Cannot index number with \"title\"", ".title", true},
                {"Cannot index number with \"…\"", ".[.name]", true},
                {"startswith() requires string inputs", "startswith(\"[\")", true},
                {"", ".", true},
                {"no such title: Jane", "error(\"no such title: \" + .name)", false},
                {"Cannot index Jane", "error(\"Cannot index \" + .name)", false},         // dressed up as libjq's
                {"id 4711", "error(\"id \\(.id)\")", false},
                {"{\"name\":\"Jane\"}", "error({name})", false},
                {"no such titles", "error(\"no such title\" + .name)", false},            // a part of a word is not the word
                {"title Zo\xc3\xab", "error(\"title Zo\" + .name)", false},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (program_knows_message(bytes_of(cases[i].message), bytes_of(cases[i].program)) != cases[i].known)
                        fail_msg("%s", cases[i].message);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_maps_is_accepted),
                cmocka_unit_test(what_is_refused_may_be_a_name_in_data),
                cmocka_unit_test(what_depends_on_more_than_the_input_is_refused_by_name),
                cmocka_unit_test(syntax_errors_have_line_and_column),
                cmocka_unit_test(syntax_errors_name_the_token),
                cmocka_unit_test(undefined_names_have_a_place),
                cmocka_unit_test(literals_that_jq_would_round_are_refused),
                cmocka_unit_test(size_bytes_and_nesting_are_limited),
                cmocka_unit_test(repetitions_end),
                cmocka_unit_test(messages_lose_the_values_that_libjq_quotes),
                cmocka_unit_test(only_words_of_the_program_and_of_libjq_are_known),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
