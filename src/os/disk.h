// SPDX-License-Identifier: Apache-2.0
// What a store needs of the file system besides its files: a lock that shuts other processes out, and durable directory entries.
#pragma once

#include "base/error.h"

// Takes the exclusive lock of a file, made if need be, and writes this process's number into it. The lock ends with the process
// or with disk_unlock; the file stays. ERROR_CONFLICT, with the holder's number, when another open file holds it.
MUST_USE bool disk_lock(const char *path, int *ret_lock, struct error *error);
void disk_unlock(int lock);             // -1 is allowed

// Makes the entries of the directory that the path is in durable.
MUST_USE bool disk_sync_directory(const char *path, struct error *error);
