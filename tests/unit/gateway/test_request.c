// SPDX-License-Identifier: Apache-2.0
// What a record keeps of requests and answers: it comes back as it was, has limits, and nothing in it can pass for something else.
#include "gateway/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/record.h"

static const char *const listed[] = {"X-Tenant"};
static const struct model_communication communication = {.name = "COMM-040", .headers = listed, .header_count = 1};

#define HEADER(name, value) {BYTES(name), BYTES(value)}

static void assert_bytes(struct bytes value, const char *expected) {
        assert_int_equal(value.size, strlen(expected));
        assert_memory_equal(value.data, expected, value.size);
}

static void a_request_comes_back_with_the_headers_that_are_kept(void **unused) {
        (void)unused;
        struct http_header headers[] = {HEADER("Host", "gateway"), HEADER("content-TYPE", "application/json"), HEADER("x-tenant", "a: b"),
                                        HEADER("Authorization", "Bearer secret"), HEADER("X-TENANT", "")};
        struct buffer text = {0};
        struct error error;
        assert_true(request_encode(&communication, BYTES("POST"), BYTES("/accruals?x=1 2"), headers, ARRAY_SIZE(headers), &text, &error));
        assert_bytes(buffer_bytes(&text), "POST /accruals?x=1 2\ncontent-TYPE: application/json\nx-tenant: a: b\nX-TENANT: \n");
        struct kept_request kept;
        assert_true(request_decode(buffer_bytes(&text), &kept, &error));
        assert_bytes(kept.method, "POST");
        assert_bytes(kept.target, "/accruals?x=1 2");
        assert_int_equal(kept.header_count, 3);
        assert_bytes(kept.headers[1].name, "x-tenant");
        assert_bytes(kept.headers[1].value, "a: b");
        assert_bytes(kept.headers[2].value, "");
        buffer_free(&text);
}

static void too_many_or_too_large_headers_are_refused_and_leave_nothing(void **unused) {
        (void)unused;
        struct buffer text = {0};
        struct error error;
        struct http_header many[REQUEST_HEADERS_MAX + 1];
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = (struct http_header)HEADER("X-Tenant", "1");
        assert_true(request_encode(&communication, BYTES("POST"), BYTES("/"), many, REQUEST_HEADERS_MAX, &text, &error));
        buffer_clear(&text);
        assert_false(request_encode(&communication, BYTES("POST"), BYTES("/"), many, ARRAY_SIZE(many), &text, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_int_equal(text.size, 0);
        char *value = calloc(1, RECORD_REQUEST_MAX);
        memset(value, 'v', RECORD_REQUEST_MAX);
        struct http_header large = {BYTES("X-Tenant"), {value, RECORD_REQUEST_MAX}};
        assert_false(request_encode(&communication, BYTES("POST"), BYTES("/"), &large, 1, &text, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_int_equal(text.size, 0);
        free(value);
        buffer_free(&text);
}

static void what_is_no_kept_request_is_corrupt(void **unused) {
        (void)unused;
        static const char *const texts[] = {"", "POST", "POST /x", "POST\n", "POST /x\nname", "POST /x\nname\n", "POST /x\nname: value"};
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                struct kept_request kept;
                struct error error;
                assert_false(request_decode(bytes_of(texts[i]), &kept, &error));
                assert_int_equal(error.code, ERROR_CORRUPT);
        }
}

static void an_answer_comes_back_without_what_belongs_to_its_connection(void **unused) {
        (void)unused;
        struct http_header headers[] = {HEADER("Content-Type", "text/plain"), HEADER("Set-Cookie", "a=b"), HEADER("Date", "now"),
                                        HEADER("LOCATION", "/accruals/1")}, back[REQUEST_HEADERS_MAX];
        struct buffer text = {0};
        struct bytes body;
        size_t count;
        answer_encode(headers, ARRAY_SIZE(headers), BYTES("line\n\nName: no header"), &text);
        assert_true(answer_decode(buffer_bytes(&text), back, &count, &body));
        assert_int_equal(count, 2);
        assert_bytes(back[1].value, "/accruals/1");
        assert_bytes(body, "line\n\nName: no header");
        buffer_clear(&text);
        answer_encode(NULL, 0, (struct bytes){0}, &text);               // an empty one is kept, too: 204
        assert_true(answer_decode(buffer_bytes(&text), back, &count, &body));
        assert_int_equal(count, 0);
        assert_int_equal(body.size, 0);
        buffer_free(&text);
}

static void an_answer_that_is_too_large_is_left_out(void **unused) {
        (void)unused;
        char *large = calloc(1, ANSWER_KEPT_MAX);
        struct http_header back[REQUEST_HEADERS_MAX];
        struct buffer text = {0};
        struct bytes body;
        size_t count;
        answer_encode(NULL, 0, (struct bytes){large, ANSWER_KEPT_MAX - 1}, &text);
        assert_true(answer_decode(buffer_bytes(&text), back, &count, &body));
        assert_int_equal(body.size, ANSWER_KEPT_MAX - 1);
        buffer_clear(&text);
        answer_encode(NULL, 0, (struct bytes){large, ANSWER_KEPT_MAX}, &text);
        assert_int_equal(text.size, 0);
        assert_false(answer_decode(buffer_bytes(&text), back, &count, &body));
        free(large);
        buffer_free(&text);
}

static void a_target_is_split_at_its_first_question_mark(void **unused) {
        (void)unused;
        struct bytes path, query;
        target_split(BYTES("/a?b=c?d"), &path, &query);
        assert_bytes(path, "/a");
        assert_bytes(query, "b=c?d");
        target_split(BYTES("/a"), &path, &query);
        assert_bytes(path, "/a");
        assert_int_equal(query.size, 0);
}

static void times_are_utc_with_milliseconds(void **unused) {
        (void)unused;
        struct buffer text = {0};
        time_append(&text, 1795484760123);
        assert_bytes(buffer_bytes(&text), "2026-11-24T01:46:00.123Z");
        buffer_free(&text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_comes_back_with_the_headers_that_are_kept),
                cmocka_unit_test(too_many_or_too_large_headers_are_refused_and_leave_nothing),
                cmocka_unit_test(what_is_no_kept_request_is_corrupt),
                cmocka_unit_test(an_answer_comes_back_without_what_belongs_to_its_connection),
                cmocka_unit_test(an_answer_that_is_too_large_is_left_out),
                cmocka_unit_test(a_target_is_split_at_its_first_question_mark),
                cmocka_unit_test(times_are_utc_with_milliseconds),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
