// SPDX-License-Identifier: Apache-2.0
#include "common/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *must_allocate(size_t size)
{
        void *memory = calloc(1, size > 0 ? size : 1);
        if (!memory)
                die("out of memory");
        return memory;
}

void *must_resize(void *memory, size_t size)
{
        void *larger = realloc(memory, size > 0 ? size : 1);
        if (!larger)
                die("out of memory");
        return larger;
}

char *must_print(const char *format, ...)
{
        char *text = NULL;
        va_list arguments;
        va_start(arguments, format);
        int size = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (size < 0)
                die("out of memory");
        return text;
}

void free_pointer(void *pointer_to_pointer)
{
        free(*(void **)pointer_to_pointer);
}

void die(const char *format, ...)
{
        va_list arguments;
        va_start(arguments, format);
        fprintf(stderr, "%s: ", program_invocation_short_name);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
        exit(2);
}

uint64_t hash_bytes(const void *bytes, size_t size)
{
        const unsigned char *at = bytes;
        uint64_t hash = 0xcbf29ce484222325U;
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ at[i]) * 0x100000001b3U;
        return hash;
}
