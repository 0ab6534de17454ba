// SPDX-License-Identifier: Apache-2.0
// What a record keeps of a request and of an answer, as text that a person can read in the log:
//
//      request  "POST /accruals?x=1\ncontent-type: application/json\nx-tenant: 5\n"     method, target, kept headers
//      answer   "content-type: application/json\n\n{…}"                                  kept headers, empty line, body
//
// Header values contain no line feed (http/message.h), so neither form needs escapes.
#pragma once

#include "http/message.h"
#include "model/model.h"

enum {
        REQUEST_HEADERS_MAX = 32,               // kept with a message
        ANSWER_KEPT_MAX = 16 * 1024,            // bytes of an answer that are kept for repeats; a larger one is left out
};

struct kept_request {
        struct bytes method, target;
        struct http_header headers[REQUEST_HEADERS_MAX];
        size_t header_count;
};

// Whether a header of a call is kept with its message: Content-Type, and what the communication lists in `headers`.
bool request_keeps(const struct model_communication *communication, struct bytes name);

// Appends the request's form; false with ERROR_LIMIT when it would exceed RECORD_REQUEST_MAX or REQUEST_HEADERS_MAX.
MUST_USE bool request_encode(const struct model_communication *communication, struct bytes method, struct bytes target,
                             const struct http_header *headers, size_t header_count, struct buffer *buffer, struct error *error);
// Views into text; ERROR_CORRUPT.
MUST_USE bool request_decode(struct bytes text, struct kept_request *ret_request, struct error *error);

// Appends the answer's form; nothing when it is larger than ANSWER_KEPT_MAX.
void answer_encode(const struct http_header *headers, size_t header_count, struct bytes body, struct buffer *buffer);
// Views into text. False when the answer was left out.
MUST_USE bool answer_decode(struct bytes text, struct http_header *headers, size_t *header_count, struct bytes *ret_body);

// Path and query of a target.
void target_split(struct bytes target, struct bytes *ret_path, struct bytes *ret_query);

// Appends a time as RFC 3339 in UTC with milliseconds: 2026-11-24T01:46:00.123Z
void time_append(struct buffer *buffer, int64_t wall_ms);
