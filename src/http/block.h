// SPDX-License-Identifier: Apache-2.0
// Blocks that sockets are read into and messages are parsed in, in place. A connection has one only while bytes of a message
// are there, so idle connections cost little. Released blocks are kept, last used first, up to a cap. One thread.
#pragma once

#include "http/message.h"

// The largest head, and room beside it for a body to be read piece by piece.
enum { HTTP_BLOCK_SIZE = HTTP_HEAD_MAX + 4096, HTTP_BLOCKS_KEPT = 128 };

struct http_block {
        struct http_block *next;
        size_t begin, end;              // what is not consumed yet
        char data[HTTP_BLOCK_SIZE];
};

struct http_blocks {
        struct http_block *free;
        unsigned count;
};

struct http_block *http_block_get(struct http_blocks *blocks);                          // empty
void http_block_put(struct http_blocks *blocks, struct http_block *block);              // NULL is fine
void http_blocks_free(struct http_blocks *blocks);

static inline struct bytes http_block_bytes(const struct http_block *block) {
        return (struct bytes){block->data + block->begin, block->end - block->begin};
}
// Moves what is left to the front, so that a whole head fits behind it.
static inline void http_block_compact(struct http_block *block) {
        if (block->begin) {
                memmove(block->data, block->data + block->begin, block->end - block->begin);
                block->end -= block->begin;
                block->begin = 0;
        }
}
