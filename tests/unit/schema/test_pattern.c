// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json/utf8.h"
#include "schema/pattern.h"
#include "schema/unicode.h"

static struct arena arena;

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

static struct pattern *compile(struct bytes source) {
        struct pattern *pattern = NULL;
        struct error error;
        if (!pattern_compile(source, &pattern, &error))
                fail_msg("%.*s: %s", BYTES_PRINT(source), error.text);
        return pattern;
}

static enum pattern_verdict search(const char *source, struct bytes text) {
        struct pattern *pattern = compile(bytes_of(source));
        enum pattern_verdict verdict = pattern_search(pattern, text, &arena);
        pattern_free(pattern);
        return verdict;
}

struct table_row {
        const char *pattern;
        const char *match, *other;              // NULL: none to try
};

static void check(const struct table_row *cases, size_t count) {
        for (size_t i = 0; i < count; i++) {
                const char *pattern = cases[i].pattern, *match = cases[i].match, *other = cases[i].other;
                if (match && search(pattern, bytes_of(match)) != PATTERN_MATCH)
                        fail_msg("%s does not match \"%s\"", pattern, match);
                if (other && search(pattern, bytes_of(other)) != PATTERN_NO_MATCH)
                        fail_msg("%s matches \"%s\"", pattern, other);
        }
}

static void what_characters_mean(void **state) {
        (void)state;
        static const struct table_row cases[] = {
                {"", "", NULL}, {"b", "abc", "ac"}, {"^b", "bc", "abc"}, {"b$", "ab", "abc"}, {"^$", "", "\n"},
                {"^abc$", "abc", "abc\n"}, {"^b", "b", "a\nb"},
                {"^.$", "\U0001F600", "\n"}, {"^.$", "\t", "\r"}, {"^.$", "\xC2\x85", "\u2028"}, {"^.$", "x", "\u2029"},
                {"^\\d$", "5", "\u0665"}, {"^\\D$", "\u0665", "5"}, {"^\\w$", "_", "é"}, {"^\\W$", "é", "z"},
                {"^\\s$", "\ufeff", "\u200b"}, {"^\\s$", "\u00a0", "\u180e"}, {"^\\s$", "\u2028", "x"},
                {"^\\S$", "\u180e", "\u3000"},
                {"^[]$", NULL, "x"}, {"^[^]$", "\n", ""}, {"^[[]$", "[", "]"}, {"^[\\]]$", "]", "["}, {"^[a-]$", "-", "b"},
                {"^[\\w-.]+$", "a-.", "a b"}, {"^[\\d-x]+$", "1-x", "5w"}, {"^[--/]$", ".", ","}, {"^[\\b]$", "\b", "b"},
                {"^[é-ü]$", "ö", "a"}, {"^[\\u{1F600}-\\u{1F64F}]$", "\U0001F610", "\U0001F650"},
                {"^\\u{1F600}\\ud83d\\ude00$", "\U0001F600\U0001F600", "\U0001F600"}, {"^[^\\ud800-\\udfff]$", "x", ""},
                {"^\\ud83d", NULL, "\U0001F600"}, {"^\\cJ\\x41\\u0042\\t$", "\nAB\t", "JAB\t"},
                {"^\\-\\/\\@\\ \\#$", "-/@ #", "-/@#"}, {"^{a}]$", "{a}]", "{a]"}, {"^a{,2}$", "a{,2}", "aa"},
                {"^\\^\\$$", "^$", ""},
        };
        check(cases, ARRAY_SIZE(cases));
        assert_int_equal(search("^\\0$", (struct bytes){"\0", 1}), PATTERN_MATCH);
        assert_int_equal(search("^[\\0]a$", (struct bytes){"\0a", 2}), PATTERN_MATCH);
        assert_int_equal(search("^.*$", (struct bytes){NULL, 0}), PATTERN_MATCH);
}

static void what_repeats(void **state) {
        (void)state;
        static const struct table_row cases[] = {
                {"^a{2}$", "aa", "a"}, {"^a{2,}$", "aaa", "a"}, {"^a{2,3}$", "aaa", "aaaa"}, {"^a{0}$", "", "a"},
                {"^a??b$", "b", "aab"},
                {"^(ab){2}$", "abab", "ab"}, {"^(a|bc)+d$", "abcad", "abd"}, {"^(?:a*)*b$", "aab", "aac"}, {"^(|a)+$", "aaa", "b"},
                {"^a{1,3}b$", "aaab", "aaaab"}, {"^aa*$", "a", ""}, {"^[ab]*b$", "aab", "aba"}, {"^x{0,70000}y?$", "xxy", "xyx"},
                {"^.{1,65535}$", "é", ""}, {"^a{99999999999}$", NULL, "aaa"}, {"^a{1,99999999999}$", "aaa", "b"},
                {"(foo|bar)baz|qux$", "a barbaz", "qux a"}, {"x*", "y", NULL},
        };
        check(cases, ARRAY_SIZE(cases));
}

static void what_looks_around(void **state) {
        (void)state;
        static const struct table_row cases[] = {
                {"^(?!-)[a-z-]+(?<!-)$", "a-b", "-ab"}, {"^(?!-)[a-z-]+(?<!-)$", "a", "ab-"},
                {"^(?=.*\\d)(?=.*[a-z]).{4,}$", "abc1", "abcd"},
                {"^(?!.*--)(?!x)a", "a-", "a--"}, {"foo(?=bar)", "foobar", "foobaz"}, {"foo(?!bar)", "foobaz", "foobar"},
                {"(?<=a+)b", "aab", "cb"}, {"(?<!a|bc)d", "cd", "bcd"}, {"(?<=^a.)c", "abc", "xabc"},
                {"(?<=(?<!x)y)z", "yz", "xyz"},
                {"^(?:(?=a)a|b)+$", "abab", "abc"}, {"\\bfoo\\b", "a foo.", "afoo"}, {"\\Boo\\B", "foot", "oo"}, {"\\b", "a", "é"},
                {"(?=a)*?b|c", NULL, NULL}, {"a(?=$)", "ba", "ab"}, {"(?!)", NULL, "a"}, {"^(?=)$", "", "a"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (cases[i].match || cases[i].other)
                        check(&cases[i], 1);
}

// ECMA-262 forgets what a group captured when its repetition begins anew, and lookbehind goes to the left.
static void what_refers_back(void **state) {
        (void)state;
        static const struct table_row cases[] = {
                {"^(.)\\1$", "aa", "ab"}, {"^(?<q>['\"]).*\\k<q>$", "'a'", "'a\""}, {"\\1(a)", "a", "b"},
                {"^(?:(a)|b)*\\1$", "ab", NULL},
                {"^(?:(a)|(b))*\\1$", "ab", NULL}, {"^(?:(a)|b)*c\\1$", "abc", "abca"}, {"^(?:(a)|b)*c\\1$", "aca", "ac"},
                {"(?<=\\1(a))b", "aab", "ab"}, {"^(?=(a+))\\1b$", "aab", "ab1"}, {"^(?!(a)b)\\1a", "ac", "ab"},
                {"^(a*)*\\1$", "aa", "b"},
                {"^(é|\U0001F600)\\1$", "\U0001F600\U0001F600", "é\U0001F600"}, {"(?<$a_é>x)\\k<$a_é>", "xx", "x"},
                {"(?<a\\u0062>x)\\k<ab>", "xx", "x"}, {"^(a\\1)$", "a", "aa"}, {"(?<=(\\w)\\1)c", "ac", "c"},
        };
        check(cases, ARRAY_SIZE(cases));
}

static void properties(void **state) {
        (void)state;
        static const struct table_row cases[] = {
                {"^\\p{L}$", "é", "1"}, {"^\\p{Lu}$", "É", "é"}, {"^\\P{Letter}$", "1", "é"}, {"^\\p{digit}$", "\u09ea", "x"},
                {"^\\p{Script=Greek}$", "α", "a"}, {"^\\p{sc=Grek}$", "α", "\u0342"}, {"^\\p{scx=Grek}$", "\u0342", "a"},
                {"^\\p{General_Category=Uppercase_Letter}$", "A", "a"}, {"^\\p{Emoji_Presentation}$", "\U0001F600", "a"},
                {"^[\\p{Alphabetic}\\d]+$", "aé1", "-"}, {"^[^\\p{ASCII}]$", "é", "a"}, {"^\\p{Any}$", "\U0010FFFD", ""},
                {"^\\p{Cn}$", "\u0378", "a"}, {"^\\p{ID_Start}\\p{IDC}*$", "a1", "1a"}, {"^\\p{LC}$", "ǅ", "ª"},
                {"^\\p{scx=Deva}$", "\u0964", "a"},
                {"^\\p{White_Space}$", "\xC2\x85", "\ufeff"}, {"^\\p{L}{3,100}$", "жук", "жу"},
        };
        check(cases, ARRAY_SIZE(cases));
        assert_true(unicode_has("Uppercase", 'A') && !unicode_has("Uppercase", 'a'));
}

static void what_is_refused(void **state) {
        (void)state;
        static const struct { const char *pattern; enum error_code code; const char *text; } cases[] = {
                {"(", ERROR_INVALID, "byte 1: a group has no )"}, {"a)", ERROR_INVALID, "byte 1: a ) without its ("},
                {"[a", ERROR_INVALID, "byte 2: this class has no ]"},
                {"[b-a]", ERROR_INVALID, "byte 2: a range that ends before it begins"},
                {"*a", ERROR_INVALID, "byte 0: nothing to repeat"}, {"a**", ERROR_INVALID, "byte 2"},
                {"a++", ERROR_INVALID, "nothing to repeat"},
                {"a{2}{3}", ERROR_INVALID, "nothing to repeat"}, {"^*", ERROR_INVALID, "nothing to repeat"},
                {"(?=a)*", ERROR_INVALID, "nothing to repeat"},
                {"\\b+", ERROR_INVALID, "nothing to repeat"}, {"a{3,2}", ERROR_INVALID, "out of order"},
                {"\\Z", ERROR_INVALID, "byte 0: this escape means nothing"},
                {"\\a", ERROR_INVALID, "means nothing"}, {"\\", ERROR_INVALID, "means nothing"},
                {"[\\B]", ERROR_INVALID, "in a class"},
                {"[\\1]", ERROR_INVALID, "in a class"}, {"\\01", ERROR_INVALID, "octal"},
                {"(a)\\2", ERROR_INVALID, "byte 3: there is no such group"},
                {"\\k<a>", ERROR_INVALID, "no group of this name"}, {"(?<a>x)\\k", ERROR_INVALID, "expected \\k<NAME>"},
                {"(?<1>x)", ERROR_INVALID, "byte 3: this character cannot stand in a name"},
                {"(?<>x)", ERROR_INVALID, "a name is empty"},
                {"(?<a", ERROR_INVALID, "this name has no >"}, {"(?<a>x)(?<a>y)", ERROR_UNSUPPORTED, "two groups of one name"},
                {"(?>a)", ERROR_INVALID, "a kind of group"}, {"(?i)a", ERROR_INVALID, "a kind of group"},
                {"(?i:a)", ERROR_UNSUPPORTED, "flags"},
                {"(*UTF)a", ERROR_INVALID, "nothing to repeat"}, {"\\p{Foo}", ERROR_INVALID, "no such property"},
                {"\\p{L", ERROR_INVALID, "expected \\p{NAME}"},
                {"\\p{Script=L}", ERROR_INVALID, "no such property"}, {"\\p{greek}", ERROR_INVALID, "no such property"},
                {"\\pL", ERROR_INVALID, "expected"},
                {"\\p{sc=}", ERROR_INVALID, "no such property"}, {"\\u{110000}", ERROR_INVALID, "10FFFF"},
                {"\\u12", ERROR_INVALID, "four"},
                {"\\xg0", ERROR_INVALID, "two"}, {"\\c1", ERROR_INVALID, "letter"}, {"\xff", ERROR_INVALID, "not UTF-8"},
                {"(ab|c){60000}", ERROR_LIMIT, "50000 instructions"}, {"((a{300}){300}){300}b", ERROR_LIMIT, "50000"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct pattern *pattern = NULL;
                struct error error;
                if (pattern_compile(bytes_of(cases[i].pattern), &pattern, &error))
                        fail_msg("%s is accepted", cases[i].pattern);
                assert_null(pattern);
                if (error.code != cases[i].code || !strstr(error.text, cases[i].text))
                        fail_msg("%s: %s, %s", cases[i].pattern, error_name(error.code), error.text);
                if (cases[i].code != ERROR_LIMIT)       // those are of the program, not of the text
                        assert_int_equal(pattern_check(bytes_of(cases[i].pattern), &arena),
                                         cases[i].code == ERROR_INVALID ? PATTERN_NO_MATCH : PATTERN_MATCH);
        }
}

static void expect_limit(struct buffer *source, const char *text) {
        struct pattern *pattern;
        struct error error;
        assert_false(pattern_compile(buffer_bytes(source), &pattern, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_non_null(strstr(error.text, text));
        buffer_clear(source);
}

static void limits(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer source = {0};
        for (int i = 0; i < PATTERN_BYTES_MAX; i++)
                buffer_append_byte(&source, 'a');
        expect_limit(&source, "50000 instructions");    // as long as it may be, and as a program too large
        for (int i = 0; i <= PATTERN_BYTES_MAX; i++)
                buffer_append_byte(&source, 'a');
        expect_limit(&source, "at most 65536");
        for (int i = 0; i <= PATTERN_DEPTH_MAX; i++)
                buffer_append_byte(&source, '(');
        expect_limit(&source, "nested too deeply");
        for (int i = 0; i <= PATTERN_GROUPS_MAX; i++)
                buffer_append(&source, BYTES("()"));
        expect_limit(&source, "too many groups");
        for (int i = 0; i < 2000; i++)
                buffer_append(&source, BYTES("\\p{L}"));
        expect_limit(&source, "too many ranges");
        for (uint32_t i = 0; i <= PATTERN_CLASSES_MAX; i++) {
                char text[4];
                buffer_append(&source, (struct bytes){text, utf8_encode(0x4E00 + i * 2, text)});
        }
        expect_limit(&source, "more than 2048");
}

// What is exponential by backtracking, and what is so as a table, is linear or undecided; never wrong.
static void adversaries(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer text = {0};
        for (int i = 0; i < 10000; i++)
                buffer_append_byte(&text, 'a');
        assert_int_equal(search("^(a|a)*$", buffer_bytes(&text)), PATTERN_MATCH);
        assert_int_equal(search("(?:a|b)*a(?:a|b){40}$", buffer_bytes(&text)), PATTERN_MATCH);
        assert_int_equal(search("^(a*)*(?=a)$", buffer_bytes(&text)), PATTERN_NO_MATCH);
        assert_int_equal(search("(.)*\\1x$", buffer_bytes(&text)), PATTERN_UNDECIDED);
        buffer_append_byte(&text, 'b');
        assert_int_equal(search("^(a|a)*$", buffer_bytes(&text)), PATTERN_NO_MATCH);
        assert_int_equal(search("^(a+)+$", buffer_bytes(&text)), PATTERN_NO_MATCH);
        assert_int_equal(search("^(?:(a+)+|x)(?<!b)$", buffer_bytes(&text)), PATTERN_NO_MATCH);
        assert_int_equal(search("(?:a|b)*a(?:a|b){40}c", buffer_bytes(&text)), PATTERN_NO_MATCH);
        assert_int_equal(search("^(?:(a+)\\1?)+$", buffer_bytes(&text)), PATTERN_UNDECIDED);
}

static void what_matches_nothing(void **state) {
        (void)state;
        static const char *const nothing[] = {
                "a^", "$a", "[]", "[^\\s\\S]", "a[]b", "(a|b)^", "^a^b", "a$b|[]", "(?:$x)+", "[]{2}", "x(?:a^)?[]",
                "$[]*a", "(?:a^){3}", "\\b$\\w",
        };
        static const char *const something[] = {
                "", "^$", "$^", "^^a$$", "[]*", "[]{0}", "(?:$)*a", "(?:a^)*b", "(?:^a|b)c", "a|b^", "(?=a$)a",
                "(a)\\1$", "(?:^)+a", "a?^b", "\\B^",
        };
        for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
                if (!pattern_matches_nothing(bytes_of(nothing[i]), &arena))
                        fail_msg("%s", nothing[i]);
        for (size_t i = 0; i < ARRAY_SIZE(something); i++)
                if (pattern_matches_nothing(bytes_of(something[i]), &arena))
                        fail_msg("%s", something[i]);
        struct buffer large = {0};              // so large that it is not looked at to its end
        buffer_append(&large, BYTES("(?:"));
        for (int i = 0; i < 30000; i++)
                buffer_append(&large, BYTES("a?"));
        buffer_append(&large, BYTES("|$)*[]"));
        assert_false(pattern_matches_nothing(buffer_bytes(&large), &arena));
        assert_false(pattern_matches_nothing(BYTES("("), &arena));
        buffer_free(&large);
}

// What a search takes is given back when it ends: the second one of its kind takes nothing more, nor does the thousandth.
static void memory_of_searches(void **state) {
        (void)state;
        static const char *const patterns[] = {"(?:ab|cd|e){0,4000}x(?!y)z", "^(.)(.*)\\1$"};
        CLEANUP(buffer_free) struct buffer text = {0};
        for (int i = 0; i < 30000; i++)
                buffer_append_byte(&text, 'a');
        for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
                struct pattern *pattern = compile(bytes_of(patterns[i]));
                arena_free(&arena);
                IGNORE(pattern_search(pattern, buffer_bytes(&text), &arena) == PATTERN_MATCH);          // the verdict does not matter
                size_t size = arena_size(&arena);
                assert_true(size > 0 && size < 4 << 20);
                for (int j = 0; j < 1000; j++) {
                        IGNORE(pattern_search(pattern, BYTES("a"), &arena) == PATTERN_MATCH);
                        assert_int_equal(arena_size(&arena), size);
                }
                assert_int_equal(pattern_check(bytes_of(patterns[i]), &arena), PATTERN_MATCH);
                assert_int_equal(arena_size(&arena), size);
                pattern_free(pattern);
        }
}

static void normal_forms(void **state) {
        (void)state;
        static const struct { uint32_t points[4]; size_t count; bool normal; } cases[] = {
                {{'e', 0x301}, 2, false}, {{0xE9}, 1, true}, {{0x212B}, 1, false}, {{0x1100, 0x1161}, 2, false},
                {{0xAC00}, 1, true},
                {{'a', 0x323, 0x302}, 3, false}, {{0x1EAD}, 1, true}, {{'q', 0x307, 0x323}, 3, false},
                {{'q', 0x323, 0x307}, 3, true},
                {{0x915, 0x93C}, 2, true}, {{0x958}, 1, false}, {{0xAC00, 0x11A8}, 2, false}, {{0}, 0, true},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                if (unicode_is_nfc(cases[i].points, cases[i].count, &arena) != cases[i].normal)
                        fail_msg("normal form of case %zu", i);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(what_characters_mean, clean), cmocka_unit_test_teardown(what_repeats, clean),
                cmocka_unit_test_teardown(what_looks_around, clean), cmocka_unit_test_teardown(what_refers_back, clean),
                cmocka_unit_test_teardown(properties, clean), cmocka_unit_test_teardown(what_is_refused, clean),
                cmocka_unit_test_teardown(limits, clean), cmocka_unit_test_teardown(adversaries, clean),
                cmocka_unit_test_teardown(what_matches_nothing, clean),
                cmocka_unit_test_teardown(memory_of_searches, clean), cmocka_unit_test_teardown(normal_forms, clean),
        };
        return cmocka_run_group_tests_name("schema/pattern", tests, NULL, NULL);
}
