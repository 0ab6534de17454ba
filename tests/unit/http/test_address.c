// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/address.h"
#include "http/client.h"

static void urls_are_split(void **state) {
        (void)state;
        struct http_url url;
        assert_true(http_url_parse(BYTES("http://bonuses:7003/v1/"), &url, NULL));
        assert_true(bytes_equal(url.host, BYTES("bonuses")) && url.port == 7003 && bytes_equal(url.base, BYTES("/v1")));
        assert_true(bytes_equal(url.authority, BYTES("bonuses:7003")));
        assert_true(http_url_parse(BYTES("HTTP://[::1]:80"), &url, NULL));
        assert_true(bytes_equal(url.host, BYTES("::1")) && url.port == 80 && !url.base.size);
        assert_true(http_url_parse(BYTES("http://a"), &url, NULL) && url.port == 80);
}

static void wrong_urls_are_refused(void **state) {
        (void)state;
        static const char *const wrong[] = {
                "", "a", "ftp://a", "http://", "http:///a", "http://:80", "http://a:", "http://a:0", "http://a:65536",
                "http://a:8x", "http://u:p@a", "http://a/?q", "http://a/#f", "http://a b", "http://a/\r\n", "http://[::1",
                "http://[a]", "http://[::1]x", "http://a/../b", "http://a_b:80:90", "http://\xc3\xa4",
        };
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                struct error error;
                if (http_url_check(bytes_of(wrong[i]), &error))
                        fail_msg("%s was taken", wrong[i]);
                assert_int_equal(error.code, ERROR_INVALID);
        }
        struct error error;
        assert_false(http_url_check(BYTES("https://a"), &error));
        assert_int_equal(error.code, ERROR_UNSUPPORTED);
        assert_non_null(strstr(error.text, "https"));
}

static void addresses_to_listen_on(void **state) {
        (void)state;
        static const char *const right[] = {"127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080", "*:8080"};
        static const char *const wrong[] = {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80",
                                            "example.org:80", "[::1]"};
        struct http_address address;
        for (size_t i = 0; i < ARRAY_SIZE(right); i++)
                if (!http_address_parse(bytes_of(right[i]), &address, NULL) || http_address_port(&address) != 8080)
                        fail_msg("%s was not taken", right[i]);
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                if (http_address_parse(bytes_of(wrong[i]), &address, NULL))
                        fail_msg("%s was taken", wrong[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(urls_are_split), cmocka_unit_test(wrong_urls_are_refused),
                                           cmocka_unit_test(addresses_to_listen_on)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
