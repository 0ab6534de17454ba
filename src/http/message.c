// SPDX-License-Identifier: Apache-2.0
// The parsers of heads. They start again from the first byte whenever a new line end has come, and look at whole lines only, so
// that the result cannot depend on how the bytes were cut. That costs a head of n lines at most n passes over at most
// HTTP_HEAD_MAX bytes, and nothing for the usual head, which comes at once.
#include "http/message.h"

#include <string.h>

#include "http/chars.h"

enum { REQUEST_LINE_EXTRA = HTTP_METHOD_MAX + 32 };     // a request line may be so much longer than its target

static enum http_parse refuse(struct http_refusal *ret, uint16_t status, const char *code, const char *message) {
        *ret = (struct http_refusal){status, code, message};
        return HTTP_PARSE_REFUSED;
}

static enum http_parse bad(struct http_refusal *ret, const char *message) {
        return refuse(ret, 400, "bad-request", message);
}

// The line that begins at *at, without its CRLF; moves *at behind it.
static enum http_parse next_line(struct bytes data, size_t *at, struct bytes *ret_line, struct http_refusal *refusal) {
        const char *begin = data.data + *at;
        const char *end = memchr(begin, '\n', data.size - *at);
        if (!end)
                return HTTP_PARSE_MORE;
        if (end == begin || end[-1] != '\r')
                return bad(refusal, "a line ends with LF alone");
        *ret_line = (struct bytes){begin, (size_t)(end - begin) - 1};
        *at += ret_line->size + 2;
        return HTTP_PARSE_DONE;
}

static struct bytes trim(struct bytes value) {
        while (value.size && (value.data[0] == ' ' || value.data[0] == '\t'))
                value.data++, value.size--;
        while (value.size && (value.data[value.size - 1] == ' ' || value.data[value.size - 1] == '\t'))
                value.size--;
        return value;
}

// Takes the next of a comma-separated list's elements; false at the end.
static bool next_element(struct bytes *list, struct bytes *ret_element) {
        while (list->size) {
                const char *comma = memchr(list->data, ',', list->size);
                size_t size = comma ? (size_t)(comma - list->data) : list->size;
                *ret_element = trim((struct bytes){list->data, size});
                list->data += size + (comma != NULL);
                list->size -= size + (comma != NULL);
                if (ret_element->size)
                        return true;
        }
        return false;
}

// What is seen of the framing and of the connection while the lines go by.
struct seen {
        unsigned hosts, lengths, codings;
        bool close, keep_alive, expects_else;
        struct bytes host;
};

static enum http_parse read_connection(struct http_head *head, struct seen *seen, struct bytes value,
                                       struct http_refusal *refusal) {
        for (struct bytes element; next_element(&value, &element); ) {
                if (!http_all(element, CHAR_TOKEN))
                        return bad(refusal, "Connection is not a list of tokens");
                if (bytes_equal_ignore_case(element, BYTES("close")))
                        seen->close = true;
                else if (bytes_equal_ignore_case(element, BYTES("keep-alive")))
                        seen->keep_alive = true;
                else if (!http_hop_by_hop(http_known(element)))
                        head->has_nominated = true;
        }
        return HTTP_PARSE_DONE;
}

static enum http_parse read_known(struct http_head *head, struct seen *seen, const struct http_header *header,
                                  struct http_refusal *refusal) {
        switch (http_known(header->name)) {
        case HTTP_HOST:
                seen->hosts++;
                seen->host = header->value;
                if (!header->value.size || !http_all(header->value, CHAR_HOST))
                        return bad(refusal, "Host is not a host and port");
                break;
        case HTTP_CONTENT_LENGTH:
                if (seen->lengths++)
                        return bad(refusal, "more than one Content-Length");
                if (!bytes_to_u64(header->value, &head->length))
                        return bad(refusal, "Content-Length is not a number of digits alone");
                break;
        case HTTP_TRANSFER_ENCODING:
                if (seen->codings++)
                        return bad(refusal, "more than one Transfer-Encoding");
                if (!bytes_equal_ignore_case(header->value, BYTES("chunked")))
                        return refuse(refusal, 501, "not-supported", "the only Transfer-Encoding supported is chunked");
                break;
        case HTTP_CONNECTION:
                return read_connection(head, seen, header->value, refusal);
        case HTTP_EXPECT:
                if (!bytes_equal_ignore_case(header->value, BYTES("100-continue")))
                        seen->expects_else = true;
                head->expect_continue = true;
                break;
        case HTTP_OTHER: case HTTP_DATE: case HTTP_KEEP_ALIVE: case HTTP_PROXY: case HTTP_TE: case HTTP_TRAILER:
        case HTTP_UPGRADE:
                break;
        }
        return HTTP_PARSE_DONE;
}

static enum http_parse read_header(struct bytes line, struct http_header *ret_header, struct http_refusal *refusal) {
        if (line.data[0] == ' ' || line.data[0] == '\t')
                return bad(refusal, "a header goes on in the next line (obs-fold)");
        const char *colon = memchr(line.data, ':', line.size);
        if (!colon)
                return bad(refusal, "a header line without a colon");
        ret_header->name = (struct bytes){line.data, (size_t)(colon - line.data)};
        if (!ret_header->name.size || !http_all(ret_header->name, CHAR_TOKEN))
                return bad(refusal, "a header name that is not a token");
        ret_header->value = trim((struct bytes){colon + 1, line.size - ret_header->name.size - 1});
        if (!http_all(ret_header->value, CHAR_VALUE))
                return bad(refusal, "a control character in a header value");
        return HTTP_PARSE_DONE;
}

// The header lines from *at to the empty line.
static enum http_parse read_headers(struct bytes data, size_t at, const struct http_limits *limits, struct http_head *head,
                                    struct seen *seen, struct http_refusal *refusal) {
        for (struct bytes line; ; ) {
                enum http_parse parse = next_line(data, &at, &line, refusal);
                if (parse != HTTP_PARSE_DONE)
                        return parse;
                if (!line.size)
                        break;
                if (head->header_count == limits->max_headers)
                        return refuse(refusal, 431, "too-many-headers", "more header lines than are allowed");
                struct http_header *header = &head->headers[head->header_count++];
                parse = read_header(line, header, refusal);
                if (parse == HTTP_PARSE_DONE)
                        parse = read_known(head, seen, header, refusal);
                if (parse != HTTP_PARSE_DONE)
                        return parse;
        }
        head->size = at;
        if (seen->lengths && seen->codings)
                return bad(refusal, "both Content-Length and Transfer-Encoding");
        if (seen->codings && !head->minor)
                return bad(refusal, "Transfer-Encoding in HTTP/1.0");
        head->framing = seen->codings ? HTTP_BY_CHUNKS : seen->lengths ? HTTP_BY_LENGTH : HTTP_NO_BODY;
        head->keep_alive = !seen->close && (head->minor || seen->keep_alive);
        return HTTP_PARSE_DONE;
}

static enum http_parse too_long(struct http_refusal *ret) {
        return refuse(ret, 414, "target-too-long", "the request target is longer than is allowed");
}

static bool first_line_too_long(struct bytes window, const struct http_limits *limits) {
        size_t most = limits->max_target + REQUEST_LINE_EXTRA;
        return window.size > most && !memchr(window.data, '\n', most + 1);
}

static enum http_parse read_version(struct bytes version, uint8_t *ret_minor, struct http_refusal *refusal) {
        bool is_version = version.size == 8 && bytes_starts_with(version, BYTES("HTTP/")) && version.data[6] == '.' &&
                version.data[5] >= '0' && version.data[5] <= '9' && version.data[7] >= '0' && version.data[7] <= '9';
        if (!is_version)
                return bad(refusal, "the first line does not name an HTTP version");
        if (version.data[5] != '1' || version.data[7] > '1')
                return refuse(refusal, 505, "version-not-supported", "HTTP/1.1 and HTTP/1.0 are supported, HTTP/2 is not yet");
        *ret_minor = (uint8_t)(version.data[7] - '0');
        return HTTP_PARSE_DONE;
}

// Splits target into path and query. *ret_authority is set for an absolute-form alone.
static enum http_parse read_target(struct http_head *head, struct bytes *ret_authority, struct http_refusal *refusal) {
        struct bytes rest = head->target;
        if (!rest.size || !http_all(rest, CHAR_TARGET))
                return bad(refusal, "the request target is not visible ASCII");
        if (rest.size >= 7 && bytes_equal_ignore_case((struct bytes){rest.data, 7}, BYTES("http://"))) {
                rest.data += 7, rest.size -= 7;
                size_t size = 0;
                while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?')
                        size++;
                *ret_authority = (struct bytes){rest.data, size};
                rest.data += size, rest.size -= size;
        } else if (rest.data[0] != '/' &&
                   !(bytes_equal(rest, BYTES("*")) && bytes_equal(head->method, BYTES("OPTIONS")))) {
                return bad(refusal, "the request target is not a path");
        }
        const char *mark = rest.size ? memchr(rest.data, '?', rest.size) : NULL;
        head->path = (struct bytes){rest.data, mark ? (size_t)(mark - rest.data) : rest.size};
        if (mark)
                head->query = (struct bytes){mark + 1, rest.size - head->path.size - 1};
        if (!head->path.size)
                head->path = BYTES("/");
        if (http_path_climbs(head->path))
                return bad(refusal, "the path has a segment . or ..");
        return HTTP_PARSE_DONE;
}

static enum http_parse read_request_line(struct bytes line, const struct http_limits *limits, struct http_head *head,
                                         struct bytes *ret_authority, struct http_refusal *refusal) {
        const char *first = memchr(line.data, ' ', line.size);
        const char *last = memrchr(line.data, ' ', line.size);
        if (!first || first == last)
                return bad(refusal, "the first line is not a method, a target and a version");
        head->method = (struct bytes){line.data, (size_t)(first - line.data)};
        head->target = (struct bytes){first + 1, (size_t)(last - first) - 1};
        if (!head->method.size || !http_all(head->method, CHAR_TOKEN))
                return bad(refusal, "the method is not a token");
        enum http_parse parse = read_version((struct bytes){last + 1, line.size - (size_t)(last + 1 - line.data)}, &head->minor,
                                             refusal);
        if (parse != HTTP_PARSE_DONE)
                return parse;
        if (!http_method_valid(head->method) || bytes_equal(head->method, BYTES("CONNECT")) ||
            bytes_equal(head->method, BYTES("TRACE")))
                return refuse(refusal, 501, "not-supported", "this method is not supported");
        if (head->target.size > limits->max_target)
                return too_long(refusal);
        return read_target(head, ret_authority, refusal);
}

static void head_clear(struct http_head *head) {
        memset(head, 0, offsetof(struct http_head, headers));
}

// Whether there is something new to look at: a line end behind *scanned.
static bool line_came(struct bytes window, size_t *scanned) {
        bool came = window.size > *scanned && memchr(window.data + *scanned, '\n', window.size - *scanned);
        *scanned = MAX(window.size, *scanned);
        return came;
}

static enum http_parse parse_request_lines(struct bytes window, const struct http_limits *limits, struct http_head *head,
                                           struct http_refusal *refusal) {
        head_clear(head);
        size_t at = 0;
        struct bytes line, authority = {0};
        struct seen seen = {0};
        // Looked at before the line's content is, as it is while the line's end has not come yet.
        if (first_line_too_long(window, limits))
                return too_long(refusal);
        enum http_parse parse = next_line(window, &at, &line, refusal);
        if (parse == HTTP_PARSE_DONE)
                parse = read_request_line(line, limits, head, &authority, refusal);
        if (parse == HTTP_PARSE_DONE)
                parse = read_headers(window, at, limits, head, &seen, refusal);
        if (parse != HTTP_PARSE_DONE)
                return parse;
        if (seen.hosts > 1)
                return bad(refusal, "more than one Host");
        if (!seen.hosts && head->minor)
                return bad(refusal, "no Host");
        if (authority.data && seen.hosts && !bytes_equal_ignore_case(authority, seen.host))
                return bad(refusal, "the target and Host name different hosts");
        if (seen.expects_else)
                return refuse(refusal, 417, "expectation-failed", "the only expectation supported is 100-continue");
        head->expect_continue = head->expect_continue && head->minor;
        return HTTP_PARSE_DONE;
}

enum http_parse http_parse_request(struct bytes data, size_t *scanned, const struct http_limits *limits,
                                   struct http_head *ret_head, struct http_refusal *ret_refusal) {
        struct bytes window = {data.data, MIN(data.size, limits->max_head)};
        enum http_parse parse = line_came(window, scanned) ? parse_request_lines(window, limits, ret_head, ret_refusal) :
                HTTP_PARSE_MORE;
        if (parse != HTTP_PARSE_MORE)
                return parse;
        if (first_line_too_long(window, limits))
                return too_long(ret_refusal);
        if (window.size == limits->max_head)
                return refuse(ret_refusal, 431, "head-too-large", "the request's head is larger than is allowed");
        return HTTP_PARSE_MORE;
}

static enum http_parse parse_response_lines(struct bytes window, const struct http_limits *limits, bool to_head,
                                            struct http_head *head, struct http_refusal *refusal) {
        head_clear(head);
        size_t at = 0;
        struct bytes line;
        struct seen seen = {0};
        enum http_parse parse = next_line(window, &at, &line, refusal);
        if (parse != HTTP_PARSE_DONE)
                return parse;
        if (line.size < 12 || line.data[8] != ' ')
                return bad(refusal, "the first line is not a version and a status");
        parse = read_version((struct bytes){line.data, 8}, &head->minor, refusal);
        if (parse != HTTP_PARSE_DONE)
                return parse;
        uint64_t status;
        if (!bytes_to_u64((struct bytes){line.data + 9, 3}, &status) || status < 100 || status > 599 ||
            (line.size > 12 && line.data[12] != ' '))
                return bad(refusal, "the status is not a number from 100 to 599");
        head->status = (uint16_t)status;
        head->reason = line.size > 13 ? (struct bytes){line.data + 13, line.size - 13} : (struct bytes){0};
        if (!http_all(head->reason, CHAR_VALUE))
                return bad(refusal, "a control character in the reason");
        parse = read_headers(window, at, limits, head, &seen, refusal);
        if (parse != HTTP_PARSE_DONE)
                return parse;
        if (to_head || status < 200 || status == 204 || status == 304)
                head->framing = HTTP_NO_BODY;
        else if (head->framing == HTTP_NO_BODY)
                head->framing = HTTP_BY_CLOSE;
        return HTTP_PARSE_DONE;
}

enum http_parse http_parse_response(struct bytes data, size_t *scanned, const struct http_limits *limits, bool to_head,
                                    struct http_head *ret_head, struct http_refusal *ret_refusal) {
        struct bytes window = {data.data, MIN(data.size, limits->max_head)};
        enum http_parse parse = line_came(window, scanned) ?
                parse_response_lines(window, limits, to_head, ret_head, ret_refusal) : HTTP_PARSE_MORE;
        if (parse == HTTP_PARSE_MORE && window.size == limits->max_head)
                return refuse(ret_refusal, 431, "head-too-large", "the response's head is larger than is allowed");
        return parse;
}

bool http_header_find(const struct http_header *headers, size_t count, struct bytes name, struct bytes *ret_value) {
        for (size_t i = 0; i < count; i++)
                if (bytes_equal_ignore_case(headers[i].name, name)) {
                        *ret_value = headers[i].value;
                        return true;
                }
        return false;
}

bool http_header_once(const struct http_header *headers, size_t count, struct bytes name) {
        size_t found = 0;
        for (size_t i = 0; i < count; i++)
                found += bytes_equal_ignore_case(headers[i].name, name);
        return found == 1;
}

bool http_nominated(const struct http_header *headers, size_t count, struct bytes name) {
        for (size_t i = 0; i < count; i++) {
                if (http_known(headers[i].name) != HTTP_CONNECTION)
                        continue;
                struct bytes list = headers[i].value;
                for (struct bytes element; next_element(&list, &element); )
                        if (bytes_equal_ignore_case(element, name))
                                return true;
        }
        return false;
}
