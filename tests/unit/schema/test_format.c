// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema/format.h"

static struct arena arena;

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

struct list {
        enum schema_format format;
        const char *good[24], *bad[24];
};

static void check(const struct list *list) {
        for (size_t i = 0; list->good[i]; i++)
                if (format_check(list->format, bytes_of(list->good[i]), &arena) != FORMAT_VALID)
                        fail_msg("%s: \"%s\" is refused", format_name(list->format), list->good[i]);
        for (size_t i = 0; list->bad[i]; i++)
                if (format_check(list->format, bytes_of(list->bad[i]), &arena) != FORMAT_INVALID)
                        fail_msg("%s: \"%s\" is accepted", format_name(list->format), list->bad[i]);
}

static void times(void **state) {
        (void)state;
        static const struct list lists[] = {
                {FORMAT_DATE, {"2020-02-29", "2000-02-29", "0000-01-01"}, {"2021-02-29", "1900-02-29", "2020-00-10", "2020-1-1",
                  "2020-01-01 ", ""}},
                {FORMAT_TIME, {"23:59:60Z", "01:29:60+01:30", "15:59:60-08:00", "08:30:06.1z", "23:29:60+23:30"},
                 {"23:59:60+01:00", "24:00:00Z", "12:00:00", "12:00:00.Z", "12:00:00+24:00", "12:00:00+1:00", "12:00Z",
                  "12:00:61Z"}},
                {FORMAT_DATE_TIME, {"1998-12-31T23:59:60Z", "1998-12-31T15:59:60-08:00", "1999-01-01T01:59:60+02:00",
                  "2020-01-01t00:00:00z"},
                 {"1998-12-30T23:59:60Z", "1998-12-31T23:58:60Z", "1998-12-31T01:59:60+02:00", "2020-01-01 00:00:00Z",
                  "2020-01-01T00:00:00",
                  "2020-01-01T", "20200101T000000Z"}},
                {FORMAT_DURATION, {"P1Y2M3DT4H5M6S", "P1Y", "PT0S", "P3W", "P1M2D", "PT1M"},
                 {"P", "PT", "P1YT", "P1Y2D", "PT1H2S", "P1W2D", "P1D2H", "PT1D", "1D", "P1", "P-1D", "PT1.5S", "p1d", "P1D "}},
        };
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                check(&lists[i]);
}

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void hosts(void **state) {
        (void)state;
        static const struct list lists[] = {
                {FORMAT_HOSTNAME, {"a", "1host", "a-b.C", L63 ".com", "xn--4gbwdl.xn--wgbh1c",
                  L63 "." L63 "." L63 "." "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"},
                 {"", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", L63 "l", "xn--X", "xn--", "XN--aa---o47jg78q", "xn--hello-txk",
                  "a b", "a\uff0eb",
                  L63 "." L63 "." L63 "." "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij"}},
                {FORMAT_HOSTNAME_ASCII, {"xn--X"}, {"é"}},
                {FORMAT_IDN_HOSTNAME, {"실례.테스트", "bücher.example", "EXAMPLE.com", "xn--bcher-kva.ch", "a\u3002b", "a\uff0eb",
                  "a\uff61b", "faß.de",
                                       "l·l", "א׳ב", "ب٠ب", "क्\u200dष", "بي\u200cبي", "१२.भारत", "ーゲ"},
                 {"", ".", "a.", "a\u3002", "Bücher", "e\u0301a", "\u0301a", "a·l", "ab--cd", "bü--c", "é-", "٠ב", "a.אa", "1.אב",
                  "אa", "א1٠ב",
                  "\u2603", "xn--bcher-kvb", "xn--a", "ａ", "실〮례", "\u200dष", "・"}},
                {FORMAT_IPV4, {"127.0.0.1", "0.0.0.0", "255.255.255.255"}, {"256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4",
                  "1.2.3.4 ", "0x1.2.3.4", "1..2.3", "১.2.3.4"}},
                {FORMAT_IPV6, {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1::2:1.2.3.4",
                  "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8"},
                 {"", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:8::", "::1.2.3",
                  "1:2:3:4:5:6:7:1.2.3.4", "12345::",
                  "1:", ":1", "fe80::1%eth0", "::1/64", "1.2.3.4", "1:2:3:4:5:6:7::8:9", "::1.2.3.4:5"}},
                {FORMAT_EMAIL, {"a@b", "a.b+c@d.example", "\"a b\\\"@\"@c.de", "a@[127.0.0.1]", "a@[IPv6:::1]", "a@[ipv6:::1]"},
                 {"", "@", "a@", "@b", "a", ".a@b", "a.@b", "a..b@c", "a b@c", "a@b_c", "a@[300.0.0.1]", "a@[IPv6:1]", "a@[x:1]",
                  "é@b", "a@é.de", "\"a@b",
                  "a@b@c", "Joe <a@b>", "a@b, c@d", "a@b."}},
                // Not in normalization form C: SHOULD in an address (RFC 6532, 3.1), MUST in a host's name, and in what an A-label says.
                {FORMAT_IDN_EMAIL, {"실례@실례.테스트", "é@b", "\"é\"@b", "a@b", "a@cafe\u0301.de", "cafe\u0301@b", "a@xn--caf-dma.de"},
                 {"é", "é@é_", "a@\u2603.de", "a@\u0301a.de", "a@cafe\u0301-.de", "a@ca--fe\u0301.de", "a@Cafe\u0301.de",
                  "a@e\u0301\u00b7l.de", "a@e\u0301\u05d0.de", "a@" L63 "\u0301.de", "a@xn--cafe-yvc.é"}},
                {FORMAT_IDN_HOSTNAME, {"xn--caf-dma.de"}, {"cafe\u0301.de", "xn--cafe-yvc.de"}},
        };
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                check(&lists[i]);
}

static void identifiers(void **state) {
        (void)state;
        static const struct list lists[] = {
                {FORMAT_URI, {"http://a", "http://u:p@h:80/p?q#f", "urn:a:b", "mailto:a@b", "http://[::1]:80/", "http://[v1.a:b]/",
                  "a:", "http:///x", "a:b:c", "h://a:"},
                 {"", "//a", "/a", "a", "1a:b", "http://a b", "http://a/%zz", "http://a/%2", "http://[::1", "http://[::1]x",
                  "http://[1]/", "http://a:b", "http://a/[",
                  "http://a/\\", "http://a#b#c", "http://é", "a^:b", "http://a/{b}", "http://a@b@c", "http://[v.a]/"}},
                {FORMAT_URI_REFERENCE, {"", "#", "?", "a/b:c", "//h", "/a//b", "../a?b#c", "./a:b"}, {"a b", "\\\\a", "1a:b", ":a",
                  "#a#b", "%"}},
                {FORMAT_IRI, {"http://ƒøø.ßår/?∂=π#π", "http://a/?\ue000"}, {"/é", "http://a/\ue000", "http://a/\ufdd0", "é"}},
                {FORMAT_IRI_REFERENCE, {"âππ", "#ƒ", "/é?\U000F0000"}, {"\\é", "#\ue000", "\xC2\x80"}},
                {FORMAT_URI_TEMPLATE, {"", "{a}", "{+a,b*,c:10}", "{?x.y,%41}", "a'b", "http://é/{/p}{&q}{#f}", "{=a}", "{a:9999}"},
                 {"{", "}", "{}", "{a", "{a:}", "{a:0}", "{a:10000}", "{a*:1}", "{a,}", "{.}", "{a.}", "{-a}", "a b", "%4", "\"",
                  "{a b}", "{é}", "<"}},
                {FORMAT_JSON_POINTER, {"", "/", "/a~0b~1", "//", "/é"}, {"a", "/~", "/~2", "#/a", "/a~"}},
                {FORMAT_RELATIVE_JSON_POINTER, {"0", "1/a", "0#", "10", "0+1/a", "2-10#"}, {"", "/a", "01", "-1", "+1", "0##",
                  "0+0", "0+01", "0-", "1a"}},
                {FORMAT_RELATIVE_JSON_POINTER_OLD, {"0", "1/a"}, {"0+1"}},
                {FORMAT_REGEX, {"", "^a$", "(?<n>a)\\k<n>", "(?i:a)"}, {"(", "\\Z", "a**", "[b-a]"}},
                {FORMAT_UUID, {"2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"},
                 {"", "2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380",
                  "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
                  "2eb8aa08-aa98-11ea-b4aa-73b441d163800"}},
        };
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                check(&lists[i]);
}

static void drafts(void **state) {
        (void)state;
        assert_int_equal(format_find(BYTES("date-time"), SCHEMA_DRAFT_7), FORMAT_DATE_TIME);
        assert_int_equal(format_find(BYTES("uuid"), SCHEMA_DRAFT_7), FORMAT_NONE);
        assert_int_equal(format_find(BYTES("uuid"), SCHEMA_DRAFT_2019_09), FORMAT_UUID);
        assert_int_equal(format_find(BYTES("date"), SCHEMA_DRAFT_6), FORMAT_NONE);
        assert_int_equal(format_find(BYTES("uri-template"), SCHEMA_DRAFT_6), FORMAT_URI_TEMPLATE);
        assert_int_equal(format_find(BYTES("uri-reference"), SCHEMA_DRAFT_4), FORMAT_NONE);
        assert_int_equal(format_find(BYTES("hostname"), SCHEMA_DRAFT_4), FORMAT_HOSTNAME_ASCII);
        assert_int_equal(format_find(BYTES("uuid"), SCHEMA_DRAFT_2020_12), FORMAT_UUID);
        assert_int_equal(format_find(BYTES("relative-json-pointer"), SCHEMA_DRAFT_7), FORMAT_RELATIVE_JSON_POINTER_OLD);
        assert_int_equal(format_find(BYTES("color"), SCHEMA_DRAFT_2020_12), FORMAT_NONE);
        assert_int_equal(format_find(BYTES(""), SCHEMA_DRAFT_2020_12), FORMAT_NONE);
        assert_int_equal(format_check(FORMAT_NONE, BYTES("anything"), &arena), FORMAT_VALID);
}

// A text beyond what is parsed is neither.
static void undecided(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer text = {0};
        for (int i = 0; i < 300; i++)
                buffer_append_byte(&text, '(');
        assert_int_equal(format_check(FORMAT_REGEX, buffer_bytes(&text), &arena), FORMAT_UNDECIDED);
}

// What a check takes does not grow with labels times text, and is given back.
static void memory(void **state) {
        (void)state;
        static const enum schema_format takers[] = {FORMAT_IDN_HOSTNAME, FORMAT_IDN_EMAIL, FORMAT_REGEX};
        CLEANUP(buffer_free) struct buffer text = {0};
        for (int i = 0; i < 30000; i++)
                buffer_append(&text, BYTES("é."));
        for (size_t i = 0; i < ARRAY_SIZE(takers); i++) {
                arena_free(&arena);
                IGNORE(format_check(takers[i], buffer_bytes(&text), &arena) == FORMAT_VALID);           // the verdict does not matter
                assert_true(arena_size(&arena) < 100 * text.size);
                IGNORE(format_check(takers[i], BYTES("é.é.é"), &arena) == FORMAT_VALID);
                size_t size = arena_size(&arena);
                for (int j = 0; j < 1000; j++)
                        IGNORE(format_check(takers[i], BYTES("é.é.é"), &arena) == FORMAT_VALID);
                assert_int_equal(arena_size(&arena), size);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(times, clean), cmocka_unit_test_teardown(hosts, clean),
                cmocka_unit_test_teardown(identifiers, clean),
                cmocka_unit_test_teardown(drafts, clean), cmocka_unit_test_teardown(undecided, clean),
                cmocka_unit_test_teardown(memory, clean),
        };
        return cmocka_run_group_tests_name("schema/format", tests, NULL, NULL);
}
