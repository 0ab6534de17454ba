// SPDX-License-Identifier: Apache-2.0
// The chunked coding (RFC 9112, 7.1), byte by byte outside the content, so that cuts cannot matter.
//
//      SIZE → [EXTENSION] → SIZE_LF → DATA → DATA_CR → DATA_LF → SIZE …
//                                   → (size 0) LINE → [TRAILER → TRAILER_LF → LINE …] → END_LF → END
#include "http/message.h"

#include "http/chars.h"

enum state { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, TRAILER_NAME, TRAILER, TRAILER_LF, END_LF, END };

static enum http_parse bad(struct http_refusal *ret, uint16_t status, const char *message) {
        *ret = (struct http_refusal){status, status == 413 ? "body-too-large" : "bad-request", message};
        return HTTP_PARSE_REFUSED;
}

static int hex(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum http_parse in_size(struct http_chunked *chunked, char c, struct http_refusal *refusal) {
        int digit = hex(c);
        if (digit >= 0) {
                if (chunked->digits == HTTP_CHUNK_DIGITS_MAX)
                        return bad(refusal, 400, "a chunk size with too many digits");
                chunked->digits++;
                chunked->left = chunked->left * 16 + (unsigned)digit;
                return HTTP_PARSE_MORE;
        }
        if (!chunked->digits || (c != ';' && c != '\r'))
                return bad(refusal, 400, "a chunk size that is not hexadecimal digits alone");
        chunked->line = 0;
        chunked->state = c == ';' ? EXTENSION : SIZE_LF;
        return HTTP_PARSE_MORE;
}

static enum http_parse in_extension(struct http_chunked *chunked, char c, struct http_refusal *refusal) {
        if (c == '\r')
                chunked->state = SIZE_LF;
        else if (!(http_chars[(uint8_t)c] & CHAR_VALUE))
                return bad(refusal, 400, "a control character in a chunk extension");
        else if (++chunked->line > HTTP_CHUNK_EXTENSION_MAX)
                return bad(refusal, 400, "a chunk extension that is too long");
        return HTTP_PARSE_MORE;
}

static enum http_parse in_trailers(struct http_chunked *chunked, char c, struct http_refusal *refusal) {
        if (++chunked->line > HTTP_TRAILERS_MAX)
                return bad(refusal, 431, "trailers that are too long");
        switch ((enum state)chunked->state) {
        case LINE:
                if (c == '\r') {
                        chunked->state = END_LF;
                        return HTTP_PARSE_MORE;
                }
                if (!(http_chars[(uint8_t)c] & CHAR_TOKEN))
                        return bad(refusal, 400, "a trailer's name is not a token");
                chunked->state = TRAILER_NAME;
                return HTTP_PARSE_MORE;
        case TRAILER_NAME:
                if (c == ':')
                        chunked->state = TRAILER;
                else if (!(http_chars[(uint8_t)c] & CHAR_TOKEN))
                        return bad(refusal, 400, "a trailer's name is not a token");
                return HTTP_PARSE_MORE;
        case TRAILER:
                if (c == '\r')
                        chunked->state = TRAILER_LF;
                else if (!(http_chars[(uint8_t)c] & CHAR_VALUE))
                        return bad(refusal, 400, "a control character in a trailer");
                return HTTP_PARSE_MORE;
        case SIZE: case EXTENSION: case SIZE_LF: case DATA: case DATA_CR: case DATA_LF: case TRAILER_LF: case END_LF: case END:
                break;
        }
        UNREACHABLE("a state of trailers");
        return HTTP_PARSE_REFUSED;
}

// One byte of the framing.
static enum http_parse step(struct http_chunked *chunked, char c, const struct buffer *body, uint64_t max_body,
                            struct http_refusal *refusal) {
        switch ((enum state)chunked->state) {
        case SIZE:
                return in_size(chunked, c, refusal);
        case EXTENSION:
                return in_extension(chunked, c, refusal);
        case SIZE_LF:
                if (c != '\n')
                        return bad(refusal, 400, "a chunk size that does not end with CRLF");
                if (chunked->left > max_body - body->size)
                        return bad(refusal, 413, "the body is larger than is allowed");
                chunked->state = chunked->left ? DATA : LINE;
                chunked->line = 0;
                return HTTP_PARSE_MORE;
        case DATA_CR:
                if (c != '\r')
                        return bad(refusal, 400, "a chunk that does not end with CRLF");
                chunked->state = DATA_LF;
                return HTTP_PARSE_MORE;
        case DATA_LF:
                if (c != '\n')
                        return bad(refusal, 400, "a chunk that does not end with CRLF");
                chunked->state = SIZE;
                chunked->digits = 0;
                return HTTP_PARSE_MORE;
        case LINE: case TRAILER_NAME: case TRAILER:
                return in_trailers(chunked, c, refusal);
        case TRAILER_LF:
                if (c != '\n')
                        return bad(refusal, 400, "a trailer that does not end with CRLF");
                chunked->state = LINE;
                return HTTP_PARSE_MORE;
        case END_LF:
                if (c != '\n')
                        return bad(refusal, 400, "a body that does not end with CRLF");
                chunked->state = END;
                return HTTP_PARSE_DONE;
        case DATA: case END:
                break;
        }
        UNREACHABLE("a state of the framing");
        return HTTP_PARSE_REFUSED;
}

enum http_parse http_chunked_decode(struct http_chunked *chunked, struct bytes data, size_t *ret_used, struct buffer *body,
                                    uint64_t max_body, struct http_refusal *ret_refusal) {
        ASSERT(body->size <= max_body && chunked->state != END);
        enum http_parse parse = HTTP_PARSE_MORE;
        size_t at = 0;
        while (at < data.size && parse == HTTP_PARSE_MORE) {
                if (chunked->state == DATA) {
                        size_t size = MIN(data.size - at, chunked->left);
                        buffer_append(body, (struct bytes){data.data + at, size});
                        at += size;
                        chunked->left -= size;
                        if (!chunked->left)
                                chunked->state = DATA_CR;
                } else {
                        parse = step(chunked, data.data[at++], body, max_body, ret_refusal);
                }
        }
        *ret_used = at;
        return parse;
}
