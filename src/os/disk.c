// SPDX-License-Identifier: Apache-2.0
#include "os/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/bytes.h"

static bool fail(const char *doing, const char *path, struct error *error) {
        enum error_code code = errno == ENOSPC || errno == EDQUOT ? ERROR_FULL : ERROR_IO;
        return error_set(error, code, "%s %s: %s", doing, path, strerror(errno));
}

bool disk_lock(const char *path, int *ret_lock, struct error *error) {
        int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (lock < 0)
                return fail("open", path, error);
        char text[32] = "";
        if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
                bool held = errno == EWOULDBLOCK;
                fail("lock", path, error);
                if (held) {
                        ssize_t size = pread(lock, text, sizeof text - 1, 0);
                        text[size < 0 ? 0 : strcspn(text, "\n")] = '\0';
                        error_set(error, ERROR_CONFLICT, "%s: in use by process %s", path, *text ? text : "unknown");
                }
                close(lock);
                return false;
        }
        int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)size, 0) != size)
                IGNORE(ftruncate(lock, 0));     // a full disk: the number is for people, the lock holds without it
        *ret_lock = lock;
        return true;
}

void disk_unlock(int lock) {
        if (lock >= 0)
                close(lock);
}

bool disk_sync_directory(const char *path, struct error *error) {
        const char *slash = strrchr(path, '/');
        CLEANUP(free_pointer) char *directory =
                bytes_to_text(slash == path ? BYTES("/") : slash ? (struct bytes){path, (size_t)(slash - path)} : BYTES("."));
        int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0)
                return fail("open", directory, error);
        bool synced = fsync(descriptor) == 0 || fail("fsync", directory, error);
        close(descriptor);
        return synced;
}
