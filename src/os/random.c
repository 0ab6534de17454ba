// SPDX-License-Identifier: Apache-2.0
#include "os/random.h"

#include <errno.h>
#include <sys/random.h>

static void real_fill(struct random *random, void *memory, size_t size) {
        (void)random;
        char *at = memory;
        while (size) {
                ssize_t got = getrandom(at, size, 0);
                if (got < 0) {
                        ASSERT(errno == EINTR);         // the only error of a plain getrandom
                        continue;
                }
                at += got;
                size -= (size_t)got;
        }
}

struct random *random_real(void) {
        static struct random real = {real_fill};
        return &real;
}
