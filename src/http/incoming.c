// SPDX-License-Identifier: Apache-2.0
// Invariant: a head begins at the block's first byte (http_incoming_reset sees to it), so that HTTP_HEAD_MAX of head leave room.
#include "http/incoming.h"

static enum http_parse too_large(struct http_refusal *ret) {
        *ret = (struct http_refusal){413, "body-too-large", "the body is larger than is allowed"};
        return HTTP_PARSE_REFUSED;
}

// The head is whole: its bytes stay where they are, the body begins behind them.
static void pass_head(struct http_incoming *incoming) {
        incoming->block->begin = incoming->head.size;
        incoming->direct = incoming->head.framing == HTTP_BY_CLOSE ||
                (incoming->head.framing == HTTP_BY_LENGTH && incoming->head.length > HTTP_BLOCK_SIZE - incoming->head.size);
}

enum http_parse http_incoming_request(struct http_incoming *incoming, const struct http_limits *limits,
                                      struct http_refusal *ret_refusal) {
        ASSERT(incoming->block->begin == 0);
        enum http_parse parse = http_parse_request(http_block_bytes(incoming->block), &incoming->scanned, limits,
                                                   &incoming->head, ret_refusal);
        if (parse == HTTP_PARSE_DONE)
                pass_head(incoming);
        return parse;
}

enum http_parse http_incoming_response(struct http_incoming *incoming, const struct http_limits *limits, bool to_head,
                                       struct http_refusal *ret_refusal) {
        ASSERT(incoming->block->begin == 0);
        enum http_parse parse = http_parse_response(http_block_bytes(incoming->block), &incoming->scanned, limits, to_head,
                                                    &incoming->head, ret_refusal);
        if (parse == HTTP_PARSE_DONE)
                pass_head(incoming);
        return parse;
}

static enum http_parse take_chunks(struct http_incoming *incoming, uint64_t max_body, struct http_refusal *ret_refusal) {
        struct http_block *block = incoming->block;
        size_t used = 0;
        enum http_parse parse = http_chunked_decode(&incoming->chunked, http_block_bytes(block), &used, &incoming->body, max_body,
                                                    ret_refusal);
        block->begin += used;
        if (parse == HTTP_PARSE_MORE)
                block->begin = block->end = incoming->head.size;        // decoded: the room is free again
        if (parse == HTTP_PARSE_DONE)
                incoming->content = buffer_bytes(&incoming->body);
        return parse;
}

enum http_parse http_incoming_body(struct http_incoming *incoming, uint64_t max_body, struct http_refusal *ret_refusal) {
        struct http_block *block = incoming->block;
        const struct http_head *head = &incoming->head;
        if (head->framing == HTTP_NO_BODY)
                return HTTP_PARSE_DONE;
        if (head->framing == HTTP_BY_CHUNKS)
                return take_chunks(incoming, max_body, ret_refusal);
        if (head->framing == HTTP_BY_LENGTH && head->length > max_body)
                return too_large(ret_refusal);
        if (!incoming->direct) {
                if (block->end - block->begin < head->length)
                        return HTTP_PARSE_MORE;
                incoming->content = (struct bytes){block->data + block->begin, (size_t)head->length};
                block->begin += (size_t)head->length;
                return HTTP_PARSE_DONE;
        }
        if (block->begin < block->end) {
                buffer_append(&incoming->body, http_block_bytes(block));
                block->begin = block->end;
        }
        if (incoming->body.size > max_body)
                return too_large(ret_refusal);
        if (head->framing == HTTP_BY_CLOSE || incoming->body.size < head->length)
                return HTTP_PARSE_MORE;
        incoming->content = buffer_bytes(&incoming->body);
        return HTTP_PARSE_DONE;
}

void http_incoming_close(struct http_incoming *incoming) {
        ASSERT(incoming->head.framing == HTTP_BY_CLOSE);
        incoming->content = buffer_bytes(&incoming->body);
}

char *http_incoming_room(struct http_incoming *incoming, uint64_t max_body, size_t *ret_size) {
        struct http_block *block = incoming->block;
        if (!incoming->direct) {
                ASSERT(block->end < HTTP_BLOCK_SIZE);
                *ret_size = HTTP_BLOCK_SIZE - block->end;
                return block->data + block->end;
        }
        // One byte beyond the limit is enough to see that it is passed.
        uint64_t most = incoming->head.framing == HTTP_BY_CLOSE ? max_body + 1 : incoming->head.length;
        ASSERT(incoming->body.size < most);
        *ret_size = (size_t)MIN(most - incoming->body.size, (uint64_t)HTTP_READ_MOST);
        return buffer_reserve(&incoming->body, *ret_size);
}

void http_incoming_add(struct http_incoming *incoming, size_t size) {
        if (incoming->direct)
                incoming->body.size += size;
        else
                incoming->block->end += size;
}

void http_incoming_reset(struct http_incoming *incoming) {
        if (incoming->body.capacity > HTTP_BODY_KEPT)
                buffer_free(&incoming->body);
        buffer_clear(&incoming->body);
        incoming->chunked = (struct http_chunked){0};
        incoming->scanned = 0;
        incoming->direct = false;
        incoming->content = (struct bytes){0};
        if (incoming->block)
                http_block_compact(incoming->block);
}
