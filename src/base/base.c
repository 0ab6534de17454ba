// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *condition, const char *file, int line, const char *function) {
        fprintf(stderr, "commute: invariant broken: %s (%s:%d, %s)\n", condition, file, line, function);
        abort();
}

void free_pointer(void *pointer_to_pointer) {
        void **pointer = pointer_to_pointer;
        free(*pointer);
        *pointer = NULL;
}

NORETURN static void out_of_memory(size_t size) {
        fprintf(stderr, "commute: out of memory (asked for %zu bytes)\n", size);
        abort();
}

void *must_malloc(size_t size) {
        void *memory = malloc(size ? size : 1);
        if (!memory)
                out_of_memory(size);
        return memory;
}

void *must_calloc(size_t count, size_t size) {
        void *memory = calloc(count ? count : 1, size ? size : 1);
        if (!memory)
                out_of_memory(count * size);
        return memory;
}

void *must_realloc(void *memory, size_t size) {
        void *moved = realloc(memory, size ? size : 1);
        if (!moved)
                out_of_memory(size);
        return moved;
}
