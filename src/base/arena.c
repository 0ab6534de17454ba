// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

struct arena_block {
        struct arena_block *older;
        size_t size;                    // of data
        alignas(max_align_t) char data[];
};

static void use_block(struct arena *arena, struct arena_block *block) {
        arena->next = block->data;
        arena->end = block->data + block->size;
}

// Makes the spare the newest block.
static void take_spare(struct arena *arena) {
        struct arena_block *spare = arena->spare;
        arena->spare = NULL;
        spare->older = arena->blocks;
        arena->blocks = spare;
        use_block(arena, spare);
}

static void add_block(struct arena *arena, size_t least) {
        if (arena->spare && arena->spare->size >= least) {
                take_spare(arena);
                return;
        }
        size_t size = arena->blocks ? MIN(arena->blocks->size * 2, (size_t)LARGEST_BLOCK) : FIRST_BLOCK;
        size = MAX(size, least);
        struct arena_block *block = must_malloc(sizeof *block + size);
        block->older = arena->blocks;
        block->size = size;
        arena->blocks = block;
        use_block(arena, block);
}

void *arena_alloc_raw(struct arena *arena, size_t size) {
        ASSERT(size <= SIZE_MAX / 4);
        size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        if ((size_t)(arena->end - arena->next) < size || !arena->blocks)
                add_block(arena, size);
        void *memory = arena->next;
        arena->next += size;
        return memory;
}

void *arena_alloc(struct arena *arena, size_t size) {
        return memset(arena_alloc_raw(arena, size), 0, size);
}

struct bytes arena_copy(struct arena *arena, struct bytes value) {
        char *copy = arena_alloc(arena, value.size + 1);
        if (value.size)
                memcpy(copy, value.data, value.size);
        return (struct bytes){copy, value.size};
}

char *arena_text(struct arena *arena, struct bytes value) {
        char *copy = arena_alloc(arena, value.size + 1);
        if (value.size)
                memcpy(copy, value.data, value.size);
        return copy;
}

char *arena_print(struct arena *arena, const char *format, ...) {
        va_list arguments, again;
        va_start(arguments, format);
        va_copy(again, arguments);
        int size = vsnprintf(NULL, 0, format, arguments);
        va_end(arguments);
        ASSERT(size >= 0);
        char *text = arena_alloc(arena, (size_t)size + 1);
        vsnprintf(text, (size_t)size + 1, format, again);
        va_end(again);
        return text;
}

void arena_reset(struct arena *arena) {
        if (arena->spare)
                take_spare(arena);
        while (arena->blocks && arena->blocks->older) {
                struct arena_block *block = arena->blocks;
                arena->blocks = block->older;
                free(block);
        }
        if (arena->blocks)
                use_block(arena, arena->blocks);
}

void arena_reset_keeping(struct arena *arena, size_t most) {
        if (arena->spare)
                take_spare(arena);
        struct arena_block *kept = arena->blocks;
        while (kept && kept->older && kept->size > most)
                kept = kept->older;
        while (arena->blocks) {
                struct arena_block *block = arena->blocks;
                arena->blocks = block->older;
                if (block != kept)
                        free(block);
        }
        if (!kept)
                return;
        kept->older = NULL;
        arena->blocks = kept;
        use_block(arena, kept);
}

void arena_free(struct arena *arena) {
        arena_reset(arena);
        free(arena->blocks);
        *arena = (struct arena){0};
}

struct arena_mark arena_mark(const struct arena *arena) {
        return (struct arena_mark){arena->blocks, arena->next};
}

void arena_rewind(struct arena *arena, struct arena_mark mark) {
        while (arena->blocks != mark.newest) {
                struct arena_block *block = arena->blocks;
                ASSERT(block);
                arena->blocks = block->older;
                if (arena->spare && arena->spare->size >= block->size) {
                        free(block);
                } else {
                        free(arena->spare);
                        arena->spare = block;
                }
        }
        arena->next = mark.next;
        arena->end = mark.newest ? mark.newest->data + mark.newest->size : NULL;
}

size_t arena_size(const struct arena *arena) {
        size_t size = arena->spare ? arena->spare->size : 0;
        for (const struct arena_block *block = arena->blocks; block; block = block->older)
                size += block->size;
        return size;
}
