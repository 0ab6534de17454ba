// SPDX-License-Identifier: Apache-2.0
// Memory that is freed all at once. Blocks grow by doubling up to a cap; reset keeps the first block, so an arena that serves
// one request after another stops allocating. Not for several threads at once. Never returns NULL.
#pragma once

#include "base/bytes.h"

struct arena_block;

struct arena {
        struct arena_block *blocks;     // newest first; the oldest is kept by a reset
        char *next;
        char *end;
        struct arena_block *spare;      // that a rewind has emptied, for what comes next; or NULL
};

void *arena_alloc(struct arena *arena, size_t size);            // aligned for any type, zeroed
void *arena_alloc_raw(struct arena *arena, size_t size);        // the same, not zeroed
struct bytes arena_copy(struct arena *arena, struct bytes value);
char *arena_text(struct arena *arena, struct bytes value);      // NUL-terminated copy
char *arena_print(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
void arena_reset(struct arena *arena);
// The same, but of the blocks up to so many bytes the newest is kept: one that serves large work again and again stops allocating.
void arena_reset_keeping(struct arena *arena, size_t most);
void arena_free(struct arena *arena);                           // fit for CLEANUP

// Gives back what was allocated since the mark, and nothing of before: marks are rewound to in the opposite order. The largest block
// that this empties is kept as a spare, so that marking, allocating and rewinding again and again mostly costs no malloc. No reset may
// lie between the two.
struct arena_mark {
        struct arena_block *newest;
        char *next;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);
size_t arena_size(const struct arena *arena);                   // bytes of all blocks, the spare included
