// SPDX-License-Identifier: Apache-2.0
// Memory that is there or the process ends: the services keep what is acknowledged on disk.
#pragma once

#include <stddef.h>
#include <stdint.h>

void *must_allocate(size_t size);                  // zeroed
void *must_resize(void *memory, size_t size);
char *must_print(const char *format, ...) __attribute__((format(printf, 1, 2)));   // the caller frees it
void free_pointer(void *pointer_to_pointer);
#define FREED __attribute__((cleanup(free_pointer)))

// Prints "program: message" to stderr and ends the process with status 2.
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

uint64_t hash_bytes(const void *bytes, size_t size);   // FNV-1a, 64 bits
