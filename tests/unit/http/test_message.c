// SPDX-License-Identifier: Apache-2.0
// What is not an HTTP message is refused, with the right status, however the bytes are cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "http/incoming.h"

struct fed {
        enum http_parse parse;
        struct http_refusal refusal;
        size_t used;
        struct http_incoming incoming;
};

enum kind { REQUEST, RESPONSE, RESPONSE_TO_HEAD };

// Feeds the bytes in pieces of `step`; MORE means that the whole input was taken and the message is not whole.
static void feed(struct fed *fed, enum kind kind, struct bytes data, size_t step, uint64_t max_body) {
        struct http_limits limits = http_limits_default();
        *fed = (struct fed){0};
        struct http_incoming *incoming = &fed->incoming;
        incoming->block = must_calloc(1, sizeof *incoming->block);
        bool in_body = false;
        for (;;) {
                fed->parse = HTTP_PARSE_MORE;
                if (!in_body && incoming->block->end) {
                        fed->parse = kind == REQUEST ? http_incoming_request(incoming, &limits, &fed->refusal) :
                                http_incoming_response(incoming, &limits, kind == RESPONSE_TO_HEAD, &fed->refusal);
                        in_body = fed->parse == HTTP_PARSE_DONE;
                }
                if (in_body)
                        fed->parse = http_incoming_body(incoming, max_body, &fed->refusal);
                if (fed->parse != HTTP_PARSE_MORE || fed->used == data.size)
                        break;
                size_t room;
                char *memory = http_incoming_room(incoming, max_body, &room);
                size_t size = MIN(MIN(room, step), data.size - fed->used);
                memcpy(memory, data.data + fed->used, size);
                http_incoming_add(incoming, size);
                fed->used += size;
        }
}

static void drop(struct fed *fed) {
        buffer_free(&fed->incoming.body);
        free(fed->incoming.block);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct malformed {
        const char *name;
        struct bytes bytes;
        uint16_t status;
} malformed[] = {
        {"both framings", BYTES(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
        {"both framings, other order", BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), 400},
        {"two lengths", BYTES(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), 400},
        {"two equal lengths", BYTES(POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), 400},
        {"a list of lengths", BYTES(POST "Content-Length: 3, 3\r\n\r\nabc"), 400},
        {"a length with a sign", BYTES(POST "Content-Length: +3\r\n\r\nabc"), 400},
        {"a negative length", BYTES(POST "Content-Length: -3\r\n\r\nabc"), 400},
        {"a spaced length", BYTES(POST "Content-Length: 1 0\r\n\r\n0123456789"), 400},
        {"a hexadecimal length", BYTES(POST "Content-Length: 0x3\r\n\r\nabc"), 400},
        {"an empty length", BYTES(POST "Content-Length:\r\n\r\n"), 400},
        {"a length beyond 64 bits", BYTES(POST "Content-Length: 18446744073709551617\r\n\r\na"), 400},
        {"a length over the limit", BYTES(POST "Content-Length: 101\r\n\r\n"), 413},
        {"another coding", BYTES(POST "Transfer-Encoding: gzip\r\n\r\n"), 501},
        {"a list of codings", BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501},
        {"chunked twice", BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
        {"chunked with a vertical tab", BYTES(POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"), 400},
        {"chunked in HTTP/1.0", BYTES("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400},
        {"space before the colon", BYTES(POST "Content-Length : 3\r\n\r\nabc"), 400},
        {"a folded header", BYTES(GET "X: a\r\n b\r\n\r\n"), 400},
        {"a fold with a tab", BYTES(GET "X: a\r\n\tb\r\n\r\n"), 400},
        {"a fold in the first header", BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400},
        {"LF alone after the first line", BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
        {"LF alone after a header", BYTES(GET "X: a\n\r\n"), 400},
        {"LF alone at the end", BYTES(GET "\n"), 400},
        {"CR alone in a value", BYTES(GET "X: a\rb\r\n\r\n"), 400},
        {"CR CR LF", BYTES(GET "X: a\r\r\n\r\n"), 400},
        {"CR alone in the first line", BYTES("GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"NUL in a value", BYTES(GET "X: a\0b\r\n\r\n"), 400},
        {"NUL in a name", BYTES(GET "X\0: a\r\n\r\n"), 400},
        {"NUL in the target", BYTES("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"DEL in a value", BYTES(GET "X: \x7f\r\n\r\n"), 400},
        {"no Host", BYTES("GET / HTTP/1.1\r\n\r\n"), 400},
        {"two Hosts", BYTES(GET "Host: b\r\n\r\n"), 400},
        {"two equal Hosts", BYTES(GET "Host: a\r\n\r\n"), 400},
        {"an empty Host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400},
        {"a Host with a path", BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
        {"a Host with a user", BYTES("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400},
        {"a Host that is not the target's", BYTES("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a header without a colon", BYTES(GET "nothing\r\n\r\n"), 400},
        {"a header without a name", BYTES(GET ": a\r\n\r\n"), 400},
        {"a name with a space", BYTES(GET "X Y: a\r\n\r\n"), 400},
        {"a name that is not ASCII", BYTES(GET "X\xc3\xa4: a\r\n\r\n"), 400},
        {"a target that is not ASCII", BYTES("GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a fragment", BYTES("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a target without a slash", BYTES("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a climbing path", BYTES("GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"an encoded climbing path", BYTES("GET /a/%2e%2E HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"an asterisk with GET", BYTES("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"two spaces", BYTES("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a tab in the first line", BYTES("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"no target", BYTES("GET HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"HTTP/0.9", BYTES("GET /\r\n\r\n"), 400},
        {"an empty line first", BYTES("\r\n" GET "\r\n"), 400},
        {"lower-case http", BYTES("GET / http/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a version with a space behind", BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400},
        {"HTTP/1.2", BYTES("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505},
        {"HTTP/2's preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
        {"CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), 501},
        {"TRACE", BYTES("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), 501},
        {"a method that is no token", BYTES("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
        {"a long method", BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\nHost: a\r\n\r\n"), 501},
        {"another expectation", BYTES(POST "Expect: magic\r\nContent-Length: 1\r\n\r\na"), 417},
        {"Connection with a control character", BYTES(GET "Connection: close\x01\r\n\r\n"), 400},
        {"Connection that is no list of tokens", BYTES(GET "Connection: \"close\"\r\n\r\n"), 400},
        {"a TLS hello", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400},
        {"a chunk size with a sign", BYTES(CHUNKED "+3\r\nabc\r\n0\r\n\r\n"), 400},
        {"a negative chunk size", BYTES(CHUNKED "-3\r\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk size with 0x", BYTES(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk size with a space before", BYTES(CHUNKED " 3\r\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk size with a space behind", BYTES(CHUNKED "3 \r\nabc\r\n0\r\n\r\n"), 400},
        {"an empty chunk size", BYTES(CHUNKED "\r\nabc\r\n0\r\n\r\n"), 400},
        {"no chunk size but an extension", BYTES(CHUNKED ";a=b\r\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk size that is no number", BYTES(CHUNKED "g\r\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk size with nine digits", BYTES(CHUNKED "000000003\r\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk over the limit", BYTES(CHUNKED "ffffffff\r\nabc"), 413},
        {"chunks over the limit", BYTES(CHUNKED "3\r\nabc\r\n62\r\nabc"), 413},
        {"a chunk size with LF alone", BYTES(CHUNKED "3\nabc\r\n0\r\n\r\n"), 400},
        {"a chunk size with CR alone", BYTES(CHUNKED "3\rabc\r\n0\r\n\r\n"), 400},
        {"no CRLF after a chunk", BYTES(CHUNKED "3\r\nabc0\r\n\r\n"), 400},
        {"LF alone after a chunk", BYTES(CHUNKED "3\r\nabc\n0\r\n\r\n"), 400},
        {"CR and no LF after a chunk", BYTES(CHUNKED "3\r\nabc\r0\r\n\r\n"), 400},
        {"a chunk longer than it says", BYTES(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 400},
        {"NUL in a chunk extension", BYTES(CHUNKED "3;a=\0\r\nabc\r\n0\r\n\r\n"), 400},
        {"LF alone in a chunk extension", BYTES(CHUNKED "3;a\nabc\r\n0\r\n\r\n"), 400},
        {"LF alone at the end of the chunks", BYTES(CHUNKED "0\r\n\n"), 400},
        {"LF alone in a trailer", BYTES(CHUNKED "0\r\nX: a\n\r\n"), 400},
        {"NUL in a trailer", BYTES(CHUNKED "0\r\nX: \0\r\n\r\n"), 400},
        {"a folded trailer", BYTES(CHUNKED "0\r\nX: a\r\n b\r\n\r\n"), 400},
        {"space before a trailer's colon", BYTES(CHUNKED "0\r\nX : a\r\n\r\n"), 400},
};

static void malformed_requests_are_refused_however_they_are_cut(void **state) {
        (void)state;
        assert_true(ARRAY_SIZE(malformed) >= 40);
        for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
                for (size_t step = 1; step <= malformed[i].bytes.size; step = step < 8 ? step + 1 : step * 2) {
                        struct fed fed;
                        feed(&fed, REQUEST, malformed[i].bytes, step, 100);
                        if (fed.parse != HTTP_PARSE_REFUSED || fed.refusal.status != malformed[i].status)
                                fail_msg("%s, in pieces of %zu: parse %d, status %d", malformed[i].name, step, (int)fed.parse,
                                         fed.refusal.status);
                        drop(&fed);
                }
}

static const struct {
        const char *name;
        struct bytes bytes;
} malformed_responses[] = {
        {"both framings", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc")},
        {"two lengths", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")},
        {"a length with a sign", BYTES("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc")},
        {"a folded header", BYTES("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n")},
        {"LF alone", BYTES("HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc")},
        {"CR alone in the reason", BYTES("HTTP/1.1 200 O\rK\r\nContent-Length: 3\r\n\r\nabc")},
        {"no number", BYTES("HTTP/1.1 OK 200\r\nContent-Length: 3\r\n\r\nabc")},
        {"a status of two digits", BYTES("HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc")},
        {"a status of four digits", BYTES("HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc")},
        {"status 600", BYTES("HTTP/1.1 600 OK\r\nContent-Length: 3\r\n\r\nabc")},
        {"HTTP/2", BYTES("HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc")},
        {"another protocol", BYTES("SSH-2.0-OpenSSH_9.2 Debian\r\n\r\n")},
        {"a body over the limit", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n")},
        {"chunks over the limit", BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n")},
};

static void malformed_responses_are_refused_however_they_are_cut(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(malformed_responses); i++)
                for (size_t step = 1; step <= malformed_responses[i].bytes.size; step = step < 8 ? step + 1 : step * 2) {
                        struct fed fed;
                        feed(&fed, RESPONSE, malformed_responses[i].bytes, step, 100);
                        if (fed.parse != HTTP_PARSE_REFUSED)
                                fail_msg("%s, in pieces of %zu: parse %d", malformed_responses[i].name, step, (int)fed.parse);
                        drop(&fed);
                }
}

static void assert_text(struct bytes value, const char *text) {
        if (!bytes_equal(value, bytes_of(text)))
                fail_msg("\"%.*s\" is not \"%s\"", BYTES_PRINT(value), text);
}

static void a_request_is_split_however_it_is_cut(void **state) {
        (void)state;
        struct bytes data = BYTES("PUT /tasks/7?a=b&c HTTP/1.1\r\nHost: tasks:7002\r\nX-Empty:\r\nX-Padded: \t a b \t\r\n"
                                  "Connection: keep-alive, X-Own\r\nContent-Length: 5\r\n\r\nhelloGET");
        for (size_t step = 1; step <= data.size; step++) {
                struct fed fed;
                feed(&fed, REQUEST, data, step, 100);
                assert_int_equal(fed.parse, HTTP_PARSE_DONE);
                const struct http_head *head = &fed.incoming.head;
                assert_text(head->method, "PUT");
                assert_text(head->target, "/tasks/7?a=b&c");
                assert_text(head->path, "/tasks/7");
                assert_text(head->query, "a=b&c");
                assert_int_equal(head->header_count, 5);
                assert_text(head->headers[1].value, "");
                assert_text(head->headers[2].value, "a b");
                assert_true(head->keep_alive && head->has_nominated);
                assert_true(http_nominated(head->headers, head->header_count, BYTES("x-own")));
                assert_false(http_nominated(head->headers, head->header_count, BYTES("X-Padded")));
                assert_text(fed.incoming.content, "hello");
                // What belongs to the next request is left where it is.
                assert_int_equal(fed.incoming.block->end - fed.incoming.block->begin, fed.used - (data.size - 3));
                drop(&fed);
        }
}

static void chunks_are_joined_however_they_are_cut(void **state) {
        (void)state;
        struct bytes data = BYTES(CHUNKED "3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n");
        for (size_t step = 1; step <= data.size; step++) {
                struct fed fed;
                feed(&fed, REQUEST, data, step, 13);
                assert_int_equal(fed.parse, HTTP_PARSE_DONE);
                assert_text(fed.incoming.content, "abc0123456789");
                drop(&fed);
        }
}

static void bodies_larger_than_a_block_are_whole(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer data = {0};
        size_t size = 100000;
        buffer_print(&data, POST "Content-Length: %zu\r\n\r\n", size);
        for (size_t i = 0; i < size; i++)
                buffer_append_byte(&data, (char)('a' + i % 26));
        for (size_t step = 1000; step < 200000; step *= 3) {
                struct fed fed;
                feed(&fed, REQUEST, buffer_bytes(&data), step, size);
                assert_int_equal(fed.parse, HTTP_PARSE_DONE);
                assert_int_equal(fed.incoming.content.size, size);
                assert_memory_equal(fed.incoming.content.data, data.data + data.size - size, size);
                drop(&fed);
        }
}

static void responses_without_a_length_end_with_the_connection(void **state) {
        (void)state;
        struct bytes data = BYTES("HTTP/1.1 200\r\nServer: old\r\n\r\nabc");
        struct fed fed;
        feed(&fed, RESPONSE, data, 5, 3);
        assert_int_equal(fed.parse, HTTP_PARSE_MORE);
        http_incoming_close(&fed.incoming);
        assert_text(fed.incoming.content, "abc");
        drop(&fed);
        feed(&fed, RESPONSE, data, 5, 2);
        assert_int_equal(fed.parse, HTTP_PARSE_REFUSED);
        drop(&fed);
}

static void some_responses_have_no_body_whatever_they_say(void **state) {
        (void)state;
        static const char *const heads[] = {
                "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
                "HTTP/1.1 100 Continue\r\n\r\n",
        };
        for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
                struct fed fed;
                feed(&fed, RESPONSE, bytes_of(heads[i]), 1000, 100);
                assert_int_equal(fed.parse, HTTP_PARSE_DONE);
                drop(&fed);
        }
        struct fed fed;
        feed(&fed, RESPONSE_TO_HEAD, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 1000, 100);
        assert_int_equal(fed.parse, HTTP_PARSE_DONE);
        drop(&fed);
}

// Each limit: what just fits is taken, one more is refused, in one piece or byte by byte.
static void check_limit(const char *what, struct bytes data, size_t step, int status) {
        struct fed fed;
        feed(&fed, REQUEST, data, step, 100);
        int got = fed.parse == HTTP_PARSE_REFUSED ? fed.refusal.status : 0;
        if (got != status)
                fail_msg("%s: %d instead of %d, in pieces of %zu", what, got, status, step);
        drop(&fed);
}

static void repeat(struct buffer *buffer, char c, size_t count) {
        memset(buffer_reserve(buffer, count), c, count);
        buffer->size += count;
}

static void limits_are_kept_to_the_byte(void **state) {
        (void)state;
        for (int over = 0; over < 2; over++)
                for (size_t step = 1; step < 100000; step *= 1000) {
                        struct buffer data = {0};
                        buffer_print(&data, "GET /");
                        repeat(&data, 'a', HTTP_TARGET_MAX - 1 + (size_t)over);
                        buffer_print(&data, " HTTP/1.1\r\nHost: a\r\n\r\n");
                        check_limit("target", buffer_bytes(&data), step, over ? 414 : 0);
                        buffer_clear(&data);
                        buffer_print(&data, GET);
                        for (int i = 1; i < HTTP_HEADERS_MAX + over; i++)
                                buffer_print(&data, "X: a\r\n");
                        buffer_print(&data, "\r\n");
                        check_limit("headers", buffer_bytes(&data), step, over ? 431 : 0);
                        buffer_clear(&data);
                        buffer_print(&data, GET "X: ");
                        repeat(&data, 'a', HTTP_HEAD_MAX - data.size - 4 + (size_t)over);
                        buffer_print(&data, "\r\n\r\n");
                        check_limit("head", buffer_bytes(&data), step, over ? 431 : 0);
                        buffer_clear(&data);
                        buffer_print(&data, CHUNKED "1;");
                        repeat(&data, 'a', HTTP_CHUNK_EXTENSION_MAX + (size_t)over);
                        buffer_print(&data, "\r\na\r\n0\r\n\r\n");
                        check_limit("chunk extension", buffer_bytes(&data), step, over ? 400 : 0);
                        buffer_clear(&data);
                        buffer_print(&data, CHUNKED "0\r\nX:");
                        repeat(&data, 'a', HTTP_TRAILERS_MAX - 4 + (size_t)over);
                        buffer_print(&data, "\r\n\r\n");
                        check_limit("trailers", buffer_bytes(&data), step, over ? 431 : 0);
                        buffer_free(&data);
                }
        struct buffer endless = {0};
        repeat(&endless, 'a', HTTP_HEAD_MAX);
        check_limit("a first line without an end", buffer_bytes(&endless), 1, 414);
        check_limit("a first line without an end", buffer_bytes(&endless), 100000, 414);
        buffer_free(&endless);
}

static void absolute_targets_are_split(void **state) {
        (void)state;
        struct fed fed;
        feed(&fed, REQUEST, BYTES("GET http://a?x HTTP/1.1\r\nHost: A\r\n\r\n"), 1000, 100);
        assert_int_equal(fed.parse, HTTP_PARSE_DONE);
        assert_text(fed.incoming.head.path, "/");
        assert_text(fed.incoming.head.query, "x");
        drop(&fed);
}

static void what_would_split_a_message_cannot_be_sent(void **state) {
        (void)state;
        assert_true(http_header_valid(&(struct http_header){BYTES("X"), BYTES("a b")}));
        assert_true(http_header_valid(&(struct http_header){BYTES("X"), BYTES("")}));
        assert_false(http_header_valid(&(struct http_header){BYTES("X"), BYTES("a\r\nY: b")}));
        assert_false(http_header_valid(&(struct http_header){BYTES("X\r\nY"), BYTES("a")}));
        assert_false(http_header_valid(&(struct http_header){BYTES(""), BYTES("a")}));
        assert_false(http_header_valid(&(struct http_header){BYTES("X"), BYTES(" a")}));
        assert_true(http_target_valid(BYTES("/a?b")));
        assert_false(http_target_valid(BYTES("/a b")));
        assert_false(http_target_valid(BYTES("/a\r\n")));
        assert_false(http_target_valid(BYTES("")));
        assert_true(http_path_climbs(BYTES("/.")) && http_path_climbs(BYTES("/a/.%2e/b")) && http_path_climbs(BYTES("/%2E/")));
        assert_false(http_path_climbs(BYTES("/.a/...")) || http_path_climbs(BYTES("/a./b..")));
        struct buffer out = {0};
        http_emit_error(&out, "code", "a \"b\"\n");
        assert_text(buffer_bytes(&out), "{\"error\":\"code\",\"message\":\"a \\\"b\\\"\\u000a\"}\n");
        buffer_free(&out);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(malformed_requests_are_refused_however_they_are_cut),
                cmocka_unit_test(malformed_responses_are_refused_however_they_are_cut),
                cmocka_unit_test(a_request_is_split_however_it_is_cut),
                cmocka_unit_test(chunks_are_joined_however_they_are_cut),
                cmocka_unit_test(bodies_larger_than_a_block_are_whole),
                cmocka_unit_test(responses_without_a_length_end_with_the_connection),
                cmocka_unit_test(some_responses_have_no_body_whatever_they_say),
                cmocka_unit_test(limits_are_kept_to_the_byte),
                cmocka_unit_test(absolute_targets_are_split),
                cmocka_unit_test(what_would_split_a_message_cannot_be_sent),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
