// SPDX-License-Identifier: Apache-2.0
// Requests and responses, heads and bodies. The first byte says which (request, response, response to HEAD) and in what pieces
// the rest is fed; the result must be the same as in one piece, and views must lie in the memory that is said to hold them.
#include <stdint.h>
#include <stdlib.h>

#include "http/incoming.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BODY = 1000 };

struct fed {
        enum http_parse parse;
        struct http_refusal refusal;
        struct http_incoming incoming;
        size_t left;
};

static void feed(struct fed *fed, unsigned kind, struct bytes data, size_t step) {
        struct http_limits limits = {600, 20, 200};
        struct http_incoming *incoming = &fed->incoming;
        *fed = (struct fed){0};
        incoming->block = must_calloc(1, sizeof *incoming->block);
        bool in_body = false;
        for (size_t used = 0; ; ) {
                fed->parse = HTTP_PARSE_MORE;
                fed->left = data.size - used;
                if (!in_body && incoming->block->end) {
                        fed->parse = kind == 0 ? http_incoming_request(incoming, &limits, &fed->refusal) :
                                http_incoming_response(incoming, &limits, kind == 2, &fed->refusal);
                        in_body = fed->parse == HTTP_PARSE_DONE;
                }
                if (in_body)
                        fed->parse = http_incoming_body(incoming, MAX_BODY, &fed->refusal);
                if (fed->parse != HTTP_PARSE_MORE || !fed->left)
                        return;
                size_t room;
                char *memory = http_incoming_room(incoming, MAX_BODY, &room);
                size_t piece = MIN(MIN(room, step), fed->left);
                memcpy(memory, data.data + used, piece);
                http_incoming_add(incoming, piece);
                used += piece;
        }
}

static void check_inside(const struct http_block *block, struct bytes view) {
        ASSERT(!view.size || (view.data >= block->data && view.data + view.size <= block->data + block->end) ||
               bytes_equal(view, BYTES("/")));
}

static void check(const struct fed *fed) {
        const struct http_head *head = &fed->incoming.head;
        if (fed->parse != HTTP_PARSE_DONE)
                return;
        check_inside(fed->incoming.block, head->method);
        check_inside(fed->incoming.block, head->target);
        check_inside(fed->incoming.block, head->path);
        check_inside(fed->incoming.block, head->query);
        for (size_t i = 0; i < head->header_count; i++) {
                check_inside(fed->incoming.block, head->headers[i].name);
                check_inside(fed->incoming.block, head->headers[i].value);
                ASSERT(http_header_valid(&head->headers[i]));           // what was parsed can be sent on
        }
        ASSERT(fed->incoming.content.size <= MAX_BODY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (!size)
                return 0;
        struct bytes rest = {(const char *)data + 1, size - 1};
        struct fed whole, pieces;
        feed(&whole, data[0] % 3, rest, SIZE_MAX);
        feed(&pieces, data[0] % 3, rest, 1 + data[0] / 3 % 16);
        check(&whole);
        check(&pieces);
        ASSERT(whole.parse == pieces.parse);
        ASSERT(whole.parse != HTTP_PARSE_REFUSED || whole.refusal.status == pieces.refusal.status);
        ASSERT(whole.parse != HTTP_PARSE_DONE || bytes_equal(whole.incoming.content, pieces.incoming.content));
        buffer_free(&whole.incoming.body);
        buffer_free(&pieces.incoming.body);
        free(whole.incoming.block);
        free(pieces.incoming.block);
        return 0;
}
