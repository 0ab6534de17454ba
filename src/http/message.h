// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 messages (RFC 9110, RFC 9112): strict parsers of heads and of the chunked coding, known headers, emission.
// Everything is pure: bytes in, views or a refusal out. Views point into the bytes that were given.
//
// Strictness (each refused, tests/unit/http/test_message.c has the table): bare CR or LF, NUL and other controls, obs-fold,
// space before a colon, no Host or two (HTTP/1.1), more than one Content-Length, a length that is not digits alone,
// Transfer-Encoding other than exactly "chunked", both framings, a target that is not visible ASCII, and anything over a limit.
#pragma once

#include "base/bytes.h"

struct http_header {
        struct bytes name, value;                               // a parsed value has no space around it
};

// Defaults and, for headers, the most that can be configured.
enum {
        HTTP_HEADERS_MAX = 100,                                 // header lines in a head
        HTTP_HEAD_MAX = 16 * 1024,                              // bytes of a head, its empty line included; also the most
        HTTP_TARGET_MAX = 8 * 1024,                             // bytes of a request target
        HTTP_METHOD_MAX = 32,                                   // fixed
        HTTP_BODY_MAX = 1024 * 1024,                            // bytes of a request's decoded body
        HTTP_RESPONSE_MAX = 8 * 1024 * 1024,                    // bytes of a response's decoded body
        HTTP_CHUNK_DIGITS_MAX = 8,                              // fixed
        HTTP_CHUNK_EXTENSION_MAX = 256,                         // fixed; extensions are checked and dropped
        HTTP_TRAILERS_MAX = 4096,                               // fixed; bytes of trailers, which are checked and dropped
};

struct http_limits {
        size_t max_head, max_headers, max_target;
};

static inline struct http_limits http_limits_default(void) {
        return (struct http_limits){HTTP_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_TARGET_MAX};
}

// Headers that the protocol itself reads, or must not forward.
enum http_known {
        HTTP_OTHER,
        HTTP_HOST,
        HTTP_CONTENT_LENGTH,
        HTTP_TRANSFER_ENCODING,
        HTTP_CONNECTION,
        HTTP_EXPECT,
        HTTP_DATE,
        HTTP_KEEP_ALIVE,
        HTTP_PROXY,                                             // Proxy-Connection, Proxy-Authenticate, Proxy-Authorization
        HTTP_TE,
        HTTP_TRAILER,
        HTTP_UPGRADE,
};

enum http_known http_known(struct bytes name);
bool http_hop_by_hop(enum http_known known);                    // RFC 9110, 7.6.1; Connection may nominate more

enum http_framing {
        HTTP_NO_BODY,
        HTTP_BY_LENGTH,
        HTTP_BY_CHUNKS,
        HTTP_BY_CLOSE,                                          // responses alone
};

struct http_head {
        struct bytes method, target, path, query;               // requests; query is without "?"; an absolute-form is split too
        struct bytes reason;                                    // responses
        uint16_t status;                                        // responses
        uint8_t minor;                                          // HTTP/1.x
        bool keep_alive;                                        // the sender allows another message after this one
        bool expect_continue;
        bool has_nominated;                                     // Connection names other headers
        enum http_framing framing;
        uint64_t length;                                        // HTTP_BY_LENGTH
        size_t size;                                            // bytes of the head, its empty line included
        size_t header_count;
        struct http_header headers[HTTP_HEADERS_MAX];
};

enum http_parse {
        HTTP_PARSE_MORE,                                        // so far well-formed, not whole
        HTTP_PARSE_DONE,
        HTTP_PARSE_REFUSED,
};

// Why a message was refused: the status to answer a request with, a code and a sentence, both static.
struct http_refusal {
        uint16_t status;
        const char *code;                                       // "bad-request", "head-too-large", …
        const char *message;
};

// Parses the head at the beginning of data. *scanned must be 0 at first and kept between calls with the same beginning: how
// far line ends have been looked for. How the bytes are cut over calls never changes the result. On MORE, *ret_head is
// undefined; on REFUSED, *ret_refusal is set.
enum http_parse http_parse_request(struct bytes data, size_t *scanned, const struct http_limits *limits,
                                   struct http_head *ret_head, struct http_refusal *ret_refusal);
// to_head: the response answers a HEAD request, so that no body follows.
enum http_parse http_parse_response(struct bytes data, size_t *scanned, const struct http_limits *limits, bool to_head,
                                    struct http_head *ret_head, struct http_refusal *ret_refusal);

// The value of the first header of that name (any case); false: there is none.
bool http_header_find(const struct http_header *headers, size_t count, struct bytes name, struct bytes *ret_value);
// Whether there is exactly one header of that name.
bool http_header_once(const struct http_header *headers, size_t count, struct bytes name);
// Whether Connection's tokens name this header. Only asked if has_nominated.
bool http_nominated(const struct http_header *headers, size_t count, struct bytes name);

// The chunked coding, decoded as it comes. Zero-initialised is the start.
struct http_chunked {
        uint8_t state;
        uint8_t digits;
        uint32_t line;                                          // bytes of the extension or trailers so far
        uint64_t left;
};

// Decodes from data, appends the content to *body, says how many bytes were used. max_body: what *body may hold (413).
// DONE: the last CRLF is among the used.
enum http_parse http_chunked_decode(struct http_chunked *chunked, struct bytes data, size_t *ret_used, struct buffer *body,
                                    uint64_t max_body, struct http_refusal *ret_refusal);

// Whether name and value can be sent: a token; no controls but tab, no space around the value.
bool http_header_valid(const struct http_header *header);
bool http_target_valid(struct bytes target);                    // origin-form: "/" and visible ASCII without "#"
bool http_method_valid(struct bytes method);
bool http_method_safe(struct bytes method);                     // GET, HEAD, OPTIONS (RFC 9110, 9.2.1)
bool http_path_climbs(struct bytes path);                       // has a segment "." or "..", percent-encoded or not

const char *http_reason(unsigned status);                       // "OK"; "Unknown" for those without a name
void http_emit_header(struct buffer *buffer, struct bytes name, struct bytes value);
void http_emit_number(struct buffer *buffer, uint64_t number);  // decimal
// {"error":"CODE","message":"MESSAGE"}, escaped
void http_emit_error(struct buffer *buffer, const char *code, const char *message);
// {"error_code":…,"message":"…"} and a line feed.
void http_emit_numbered_error(struct buffer *buffer, unsigned number, const char *message);
