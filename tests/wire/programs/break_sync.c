// SPDX-License-Identifier: Apache-2.0
// Preloaded (LD_PRELOAD) into a process: while the file named by BREAK_SYNC exists, fsync and fdatasync fail with EIO.
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_by(const char *name, int file) {
        const char *broken = getenv("BREAK_SYNC");
        if (broken && access(broken, F_OK) == 0) {
                errno = EIO;
                return -1;
        }
        int (*real)(int);
        *(void **)&real = dlsym(RTLD_NEXT, name);
        return real(file);
}

int fsync(int file) {
        return sync_by("fsync", file);
}

int fdatasync(int file) {
        return sync_by("fdatasync", file);
}
