// SPDX-License-Identifier: Apache-2.0
#include "os/thread.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

bool thread_start(const char *name, void *(*run)(void *user), void *user, pthread_t *ret_thread, struct error *error) {
        sigset_t all, before;
        sigfillset(&all);
        ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
        pthread_t thread;
        int failure = pthread_create(&thread, NULL, run, user);
        ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
        if (failure)
                return error_set(error, ERROR_UNAVAILABLE, "start thread %s: %s", name, strerror(failure));
        char cut[THREAD_NAME_MAX + 1];
        snprintf(cut, sizeof cut, "%.*s", THREAD_NAME_MAX, name);
        pthread_setname_np(thread, cut);        // for ps and gdb alone: a failure is nothing
        *ret_thread = thread;
        return true;
}

void thread_join(pthread_t thread) {
        ASSERT(pthread_join(thread, NULL) == 0);
}
