// SPDX-License-Identifier: Apache-2.0
// What every file may use: attributes, asserts that stay on in release, cleanup attributes, small helpers.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define NORETURN __attribute__((noreturn))
#define CLEANUP(function) __attribute__((cleanup(function), unused))

// Of a large local variable that is filled before it is read: the compiler shall not fill it with zeros first.
#if defined __has_attribute && __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

// Discards the result of a call marked MUST_USE; say why beside each use.
#define IGNORE(call) do { if (call) { } } while (0)

// States an invariant. Never checks input. Stays on in release: prints the place and aborts.
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))
NORETURN void assert_failed(const char *condition, const char *file, int line, const char *function);

// Where control never comes, and why: default: UNREACHABLE("a state that waits for a record");
#define UNREACHABLE(why) assert_failed(why, __FILE__, __LINE__, __func__)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) CHOOSE_NUMBERED_(a, <, b, __COUNTER__)
#define MAX(a, b) CHOOSE_NUMBERED_(a, >, b, __COUNTER__)
// Evaluates each side once; the number makes the names unique, so that these nest without shadowing.
#define CHOOSE_NUMBERED_(a, than, b, number) CHOOSE_(a, than, b, number)
#define CHOOSE_(a, than, b, number) CHOOSE_NAMED_(a, than, b, left_##number, right_##number)
#define CHOOSE_NAMED_(a, than, b, left, right) \
        ({ __auto_type left = (a); __auto_type right = (b); left than right ? left : right; })

// The struct of TYPE whose MEMBER the pointer points to.
#define CONTAINER_OF(pointer, type, member) \
        ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

// Hands a pointer on and forgets it: return TAKE(thing);
#define TAKE(pointer) ({ __auto_type where_ = &(pointer); __auto_type taken_ = *where_; *where_ = NULL; taken_; })

// free() for CLEANUP: CLEANUP(free_pointer) char *text = …;
void free_pointer(void *pointer_to_pointer);

// malloc, calloc and realloc that never return NULL: out of memory ends the process with a message (what is acknowledged
// is on disk, and a restart recovers it). Memory whose size a user controls is bounded by a named limit before it gets here.
void *must_malloc(size_t size) __attribute__((malloc));
void *must_calloc(size_t count, size_t size) __attribute__((malloc));
void *must_realloc(void *memory, size_t size);
