// SPDX-License-Identifier: Apache-2.0
#include "http/block.h"

#include <stdlib.h>

struct http_block *http_block_get(struct http_blocks *blocks) {
        struct http_block *block = blocks->free;
        if (block) {
                blocks->free = block->next;
                blocks->count--;
        } else {
                block = must_malloc(sizeof *block);
        }
        block->next = NULL;
        block->begin = block->end = 0;
        return block;
}

void http_block_put(struct http_blocks *blocks, struct http_block *block) {
        if (!block)
                return;
        if (blocks->count == HTTP_BLOCKS_KEPT) {
                free(block);
                return;
        }
        block->next = blocks->free;
        blocks->free = block;
        blocks->count++;
}

void http_blocks_free(struct http_blocks *blocks) {
        for (struct http_block *block; (block = blocks->free); ) {
                blocks->free = block->next;
                free(block);
        }
        blocks->count = 0;
}
