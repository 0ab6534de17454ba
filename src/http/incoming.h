// SPDX-License-Identifier: Apache-2.0
// A message on its way in: a head, then its body, out of bytes that somebody reads into the room given here. No input and output
// of its own, so that server, client and fuzzer share it. A body that fits beside its head stays in the block, unmoved; another
// one, and a chunked one, goes to a buffer. The block must be given before the first byte and outlives head and content.
//
//      for (;;) { parse = http_incoming_…(); if (parse != MORE) break; room = http_incoming_room(); read; http_incoming_add(); }
#pragma once

#include "http/block.h"

struct http_incoming {
        struct http_block *block;       // the owner's
        size_t scanned;                 // of the head
        bool direct;                    // the rest of the body is read to `body`, not to the block
        struct http_chunked chunked;
        struct buffer body;
        struct bytes content;           // the decoded body, once it is whole
        struct http_head head;
};

enum { HTTP_BODY_KEPT = 64 * 1024, HTTP_READ_MOST = 64 * 1024 };

enum http_parse http_incoming_request(struct http_incoming *incoming, const struct http_limits *limits,
                                      struct http_refusal *ret_refusal);
enum http_parse http_incoming_response(struct http_incoming *incoming, const struct http_limits *limits, bool to_head,
                                       struct http_refusal *ret_refusal);
// After the head. DONE: content is set. With HTTP_BY_CLOSE it is never DONE: http_incoming_close says that the stream ended.
enum http_parse http_incoming_body(struct http_incoming *incoming, uint64_t max_body, struct http_refusal *ret_refusal);
void http_incoming_close(struct http_incoming *incoming);
// Where the next bytes go, after MORE; at least one byte. max_body as above.
char *http_incoming_room(struct http_incoming *incoming, uint64_t max_body, size_t *ret_size);
void http_incoming_add(struct http_incoming *incoming, size_t size);
// For the next message; what the block has left is its beginning.
void http_incoming_reset(struct http_incoming *incoming);
