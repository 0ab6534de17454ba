// SPDX-License-Identifier: Apache-2.0
#include "gateway/request.h"

#include <time.h>

#include "log/record.h"

bool request_keeps(const struct model_communication *communication, struct bytes name) {
        if (bytes_equal_ignore_case(name, BYTES("content-type")))
                return true;
        for (size_t i = 0; i < communication->header_count; i++)
                if (bytes_equal_ignore_case(name, bytes_of(communication->headers[i])))
                        return true;
        return false;
}

static void append_header(struct buffer *buffer, const struct http_header *header) {
        buffer_append(buffer, header->name);
        buffer_append(buffer, BYTES(": "));
        buffer_append(buffer, header->value);
        buffer_append_byte(buffer, '\n');
}

bool request_encode(const struct model_communication *communication, struct bytes method, struct bytes target,
                    const struct http_header *headers, size_t header_count, struct buffer *buffer, struct error *error) {
        size_t before = buffer->size, kept = 0;
        buffer_append(buffer, method);
        buffer_append_byte(buffer, ' ');
        buffer_append(buffer, target);
        buffer_append_byte(buffer, '\n');
        for (size_t i = 0; i < header_count; i++) {
                if (!request_keeps(communication, headers[i].name))
                        continue;
                append_header(buffer, &headers[i]);
                kept++;
        }
        if (kept <= REQUEST_HEADERS_MAX && buffer->size - before <= RECORD_REQUEST_MAX)
                return true;
        buffer->size = before;
        return error_set(error, ERROR_LIMIT, "the headers that are kept with a message exceed %d lines or %d bytes",
                         REQUEST_HEADERS_MAX, RECORD_REQUEST_MAX);
}

// Takes the bytes up to the separator, which is left out; false: there is none.
static bool take_until(struct bytes *rest, const char *separator, size_t size, struct bytes *ret_part) {
        const char *at = memmem(rest->data, rest->size, separator, size);
        if (!at)
                return false;
        *ret_part = (struct bytes){rest->data, (size_t)(at - rest->data)};
        rest->size -= ret_part->size + size;
        rest->data = at + size;
        return true;
}

static bool take_headers(struct bytes *rest, struct http_header *headers, size_t *header_count) {
        *header_count = 0;
        while (rest->size && rest->data[0] != '\n') {
                struct bytes line;
                if (*header_count == REQUEST_HEADERS_MAX || !take_until(rest, "\n", 1, &line))
                        return false;
                struct http_header *header = &headers[*header_count];
                if (!take_until(&line, ": ", 2, &header->name))
                        return false;
                header->value = line;
                (*header_count)++;
        }
        return true;
}

bool request_decode(struct bytes text, struct kept_request *ret_request, struct error *error) {
        struct bytes rest = text, line;
        if (take_until(&rest, "\n", 1, &line) && take_until(&line, " ", 1, &ret_request->method)) {
                ret_request->target = line;
                if (take_headers(&rest, ret_request->headers, &ret_request->header_count))
                        return true;
        }
        return error_set(error, ERROR_CORRUPT, "a kept request of %zu bytes is not METHOD TARGET and header lines", text.size);
}

static bool answer_header_kept(struct bytes name) {
        static const char *const kept[] = {"content-type", "location", "etag", "last-modified", "content-language"};
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                if (bytes_equal_ignore_case(name, bytes_of(kept[i])))
                        return true;
        return false;
}

void answer_encode(const struct http_header *headers, size_t header_count, struct bytes body, struct buffer *buffer) {
        size_t before = buffer->size, kept = 0;
        if (body.size > ANSWER_KEPT_MAX)
                return;
        for (size_t i = 0; i < header_count && kept < REQUEST_HEADERS_MAX; i++)
                if (answer_header_kept(headers[i].name)) {
                        append_header(buffer, &headers[i]);
                        kept++;
                }
        buffer_append_byte(buffer, '\n');
        buffer_append(buffer, body);
        if (buffer->size - before > ANSWER_KEPT_MAX)
                buffer->size = before;
}

bool answer_decode(struct bytes text, struct http_header *headers, size_t *header_count, struct bytes *ret_body) {
        struct bytes rest = text;
        if (!text.size || !take_headers(&rest, headers, header_count) || !rest.size)
                return false;
        *ret_body = (struct bytes){rest.data + 1, rest.size - 1};
        return true;
}

void target_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query) {
        const char *mark = target.size ? memchr(target.data, '?', target.size) : NULL;
        size_t path = mark ? (size_t)(mark - target.data) : target.size;
        *ret_path = (struct bytes){target.data, path};
        *ret_query = mark ? (struct bytes){mark + 1, target.size - path - 1} : (struct bytes){0};
}

void time_append(struct buffer *buffer, int64_t wall_ms) {
        time_t seconds = (time_t)(wall_ms / 1000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        buffer_print(buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                     tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000));
}
