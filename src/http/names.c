// SPDX-License-Identifier: Apache-2.0
// Classes of bytes, known header names, reasons of statuses, and what may be sent.
#include "http/message.h"

#include <string.h>

#include "http/chars.h"

#define T CHAR_TOKEN
#define V CHAR_VALUE
#define G CHAR_TARGET
#define H CHAR_HOST

const uint8_t http_chars[256] = {
        ['\t'] = V, [' '] = V,
        ['!'] = T | V | G | H, ['"'] = V | G, ['#'] = T | V, ['$'] = T | V | G | H, ['%'] = T | V | G | H,
        ['&'] = T | V | G | H, ['\''] = T | V | G | H, ['('] = V | G | H, [')'] = V | G | H, ['*'] = T | V | G | H,
        ['+'] = T | V | G | H, [','] = V | G, ['-'] = T | V | G | H, ['.'] = T | V | G | H, ['/'] = V | G,
        ['0' ... '9'] = T | V | G | H, [':'] = V | G | H, [';'] = V | G | H, ['<'] = V | G, ['='] = V | G | H, ['>'] = V | G,
        ['?'] = V | G, ['@'] = V | G, ['A' ... 'Z'] = T | V | G | H, ['['] = V | G | H, ['\\'] = V | G, [']'] = V | G | H,
        ['^'] = T | V | G, ['_'] = T | V | G | H, ['`'] = T | V | G, ['a' ... 'z'] = T | V | G | H, ['{'] = V | G,
        ['|'] = T | V | G, ['}'] = V | G, ['~'] = T | V | G | H,
        [0x80 ... 0xff] = V,
};

static bool is(struct bytes name, const char *known) {
        return bytes_equal_ignore_case(name, (struct bytes){known, name.size});
}

enum http_known http_known(struct bytes name) {
        switch (name.size) {
        case 2: return is(name, "te") ? HTTP_TE : HTTP_OTHER;
        case 4: return is(name, "host") ? HTTP_HOST : is(name, "date") ? HTTP_DATE : HTTP_OTHER;
        case 6: return is(name, "expect") ? HTTP_EXPECT : HTTP_OTHER;
        case 7: return is(name, "trailer") ? HTTP_TRAILER : is(name, "upgrade") ? HTTP_UPGRADE : HTTP_OTHER;
        case 10: return is(name, "connection") ? HTTP_CONNECTION : is(name, "keep-alive") ? HTTP_KEEP_ALIVE : HTTP_OTHER;
        case 14: return is(name, "content-length") ? HTTP_CONTENT_LENGTH : HTTP_OTHER;
        case 16: return is(name, "proxy-connection") ? HTTP_PROXY : HTTP_OTHER;
        case 17: return is(name, "transfer-encoding") ? HTTP_TRANSFER_ENCODING : HTTP_OTHER;
        case 18: return is(name, "proxy-authenticate") ? HTTP_PROXY : HTTP_OTHER;
        case 19: return is(name, "proxy-authorization") ? HTTP_PROXY : HTTP_OTHER;
        default: return HTTP_OTHER;
        }
}

bool http_hop_by_hop(enum http_known known) {
        switch (known) {
        case HTTP_TRANSFER_ENCODING: case HTTP_CONNECTION: case HTTP_KEEP_ALIVE: case HTTP_PROXY: case HTTP_TE:
        case HTTP_TRAILER: case HTTP_UPGRADE:
                return true;
        case HTTP_OTHER: case HTTP_HOST: case HTTP_CONTENT_LENGTH: case HTTP_EXPECT: case HTTP_DATE:
                return false;
        }
        return false;
}

bool http_header_valid(const struct http_header *header) {
        struct bytes value = header->value;
        bool padded = value.size && (value.data[0] == ' ' || value.data[0] == '\t' || value.data[value.size - 1] == ' ' ||
                                     value.data[value.size - 1] == '\t');
        return header->name.size && http_all(header->name, CHAR_TOKEN) && !padded && http_all(value, CHAR_VALUE);
}

bool http_target_valid(struct bytes target) {
        return target.size && target.data[0] == '/' && http_all(target, CHAR_TARGET);
}

bool http_method_valid(struct bytes method) {
        return method.size && method.size <= HTTP_METHOD_MAX && http_all(method, CHAR_TOKEN);
}

bool http_method_safe(struct bytes method) {
        return bytes_equal(method, BYTES("GET")) || bytes_equal(method, BYTES("HEAD")) || bytes_equal(method, BYTES("OPTIONS"));
}

// The size of a dot at the beginning of the bytes: "." or "%2e"; 0: there is none.
static size_t dot(struct bytes rest) {
        if (rest.size && rest.data[0] == '.')
                return 1;
        return rest.size >= 3 && is((struct bytes){rest.data, 3}, "%2e") ? 3 : 0;
}

bool http_path_climbs(struct bytes path) {
        for (size_t at = 0; at < path.size; ) {
                const char *slash = memchr(path.data + at, '/', path.size - at);
                if (!slash)
                        return false;
                at = (size_t)(slash - path.data) + 1;
                size_t behind = at;
                for (int dots = 0; dots < 2; dots++) {
                        size_t size = dot((struct bytes){path.data + behind, path.size - behind});
                        if (!size)
                                break;
                        behind += size;
                        if (behind == path.size || path.data[behind] == '/')
                                return true;
                }
        }
        return false;
}

const char *http_reason(unsigned status) {
        switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        default: return "Unknown";
        }
}
