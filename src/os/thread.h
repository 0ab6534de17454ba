// SPDX-License-Identifier: Apache-2.0
// Threads: a thin cover that names them, keeps signals away from them and turns failures into errors.
#pragma once

#include <pthread.h>

#include "base/error.h"

enum { THREAD_NAME_MAX = 15 };

// Starts a thread with all signals blocked (the main thread handles them). name: cut at THREAD_NAME_MAX. To be joined.
MUST_USE bool thread_start(const char *name, void *(*run)(void *user), void *user, pthread_t *ret_thread, struct error *error);
void thread_join(pthread_t thread);
