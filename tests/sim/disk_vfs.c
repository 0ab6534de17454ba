// SPDX-License-Identifier: Apache-2.0
// Files live in a list of the disk until they are deleted and closed. One mutex guards everything. Locks follow SQLite's five
// levels per file, shared memory has its eight slots; both are among connections of this process only.
#include "sim/disk_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/list.h"

enum { SECTOR = 512, TRANSFER_MAX = 0x1ffff /* as the system's VFS: more is cut */, SHM_SLOTS = 8, SHM_REGIONS = 64 };

struct image {
        char *data;
        size_t size, capacity;
};

struct pending {
        struct list list;
        bool truncate;
        size_t at, size;                // of a truncate: at is the new size
        char data[];
};

struct disk_file {
        struct list list;
        char *name;
        struct image seen, platter;
        struct list pending;
        bool synced;                    // at least once: survives a cut
        bool deleted;
        int handles;
        int shared, reserved, pending_lock, exclusive;          // counts of holders
        void *regions[SHM_REGIONS];
        int region_size, region_users;
        int slot_shared[SHM_SLOTS];
        bool slot_exclusive[SHM_SLOTS];
};

struct disk {
        sqlite3_vfs vfs;
        char name[64];
        pthread_mutex_t mutex;
        struct list files;
        uint64_t random, capacity, used, syncs, failed;
        struct {
                bool armed, for_good;
                uint64_t after;
        } faults[DISK_OPERATIONS];
        bool ignore_syncs, off, going_off;
        uint64_t off_after;
};

struct handle {
        sqlite3_file base;
        struct disk *disk;
        struct disk_file *file;
        int level;
        bool delete_on_close, mapped;
        unsigned slots_shared, slots_exclusive;
};

uint64_t disk_random(uint64_t *state) {
        uint64_t z = (*state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

static void lock(struct disk *disk) {
        pthread_mutex_lock(&disk->mutex);
}

static int unlock(struct disk *disk, int result) {
        pthread_mutex_unlock(&disk->mutex);
        return result;
}

// --- images and pending writes -------------------------------------------------------------------------------------------------

static void image_resize(struct image *image, size_t size) {
        if (size > image->capacity) {
                image->capacity = MAX(size, image->capacity * 2);
                image->data = must_realloc(image->data, image->capacity);
        }
        if (size > image->size)
                memset(image->data + image->size, 0, size - image->size);
        image->size = size;
}

static void image_write(struct image *image, size_t at, const char *data, size_t size) {
        if (at + size > image->size)
                image_resize(image, at + size);
        memcpy(image->data + at, data, size);
}

static void platter_apply(struct disk_file *file, const struct pending *pending) {
        if (pending->truncate)
                image_resize(&file->platter, pending->at);
        else
                image_write(&file->platter, pending->at, pending->data, pending->size);
}

// Some sectors of a write; the borders are those of the file, so that a sector is old or new as a whole.
static void platter_apply_part(struct disk *disk, struct disk_file *file, const struct pending *pending) {
        for (size_t done = 0; done < pending->size;) {
                size_t now = MIN(SECTOR - (pending->at + done) % SECTOR, pending->size - done);
                if (disk_random(&disk->random) % 2)
                        image_write(&file->platter, pending->at + done, pending->data + done, now);
                done += now;
        }
}

static void remember(struct disk_file *file, bool truncate, size_t at, const char *data, size_t size) {
        struct pending *pending = must_malloc(sizeof *pending + size);
        pending->truncate = truncate;
        pending->at = at;
        pending->size = size;
        if (size > 0)
                memcpy(pending->data, data, size);
        list_append(&file->pending, &pending->list);
}

// Every pending write reaches the platter, or some do in some order and in parts.
static void settle(struct disk *disk, struct disk_file *file, bool all) {
        if (!all) {     // shuffle a little: exchange neighbours
                LIST_FOR_EACH(element, &file->pending)
                        if (element->next != &file->pending && disk_random(&disk->random) % 3 == 0) {
                                struct list *other = element->next;
                                list_remove(other);
                                list_append(element, other);    // before it
                        }
        }
        // Whole cuts are often all or nothing up to some point; mixtures are the rest.
        uint64_t mood = disk_random(&disk->random) % 4;
        LIST_FOR_EACH_SAFE(element, &file->pending) {
                struct pending *pending = CONTAINER_OF(element, struct pending, list);
                uint64_t chance = mood < 2 ? mood * 3 : disk_random(&disk->random) % 4;
                if (all || chance == 3)
                        platter_apply(file, pending);
                else if (chance == 2 && !pending->truncate)
                        platter_apply_part(disk, file, pending);
                list_remove(element);
                free(pending);
        }
}

// Whether this operation is to fail.
static bool faulty(struct disk *disk, enum disk_operation operation) {
        if (disk->going_off && operation != DISK_READ && disk->off_after-- == 0) {
                disk->off = true;
                disk->going_off = false;
        }
        if (disk->off)
                return true;
        if (!disk->faults[operation].armed)
                return false;
        if (disk->faults[operation].after > 0) {
                disk->faults[operation].after--;
                return false;
        }
        disk->faults[operation].armed = disk->faults[operation].for_good;
        disk->failed++;
        return true;
}

// --- files
// -----------------------------------------------------------------------------------------------------------------------

static struct disk_file *find(struct disk *disk, const char *name) {
        LIST_FOR_EACH(element, &disk->files) {
                struct disk_file *file = CONTAINER_OF(element, struct disk_file, list);
                if (!file->deleted && strcmp(file->name, name) == 0)
                        return file;
        }
        return NULL;
}

static void file_free(struct disk *disk, struct disk_file *file) {
        settle(disk, file, true);
        disk->used -= file->seen.size;
        for (size_t i = 0; i < SHM_REGIONS; i++)
                free(file->regions[i]);
        free(file->seen.data);
        free(file->platter.data);
        free(file->name);
        list_remove(&file->list);
        free(file);
}

static void drop_to(struct handle *handle, int level) {
        struct disk_file *file = handle->file;
        if (handle->level >= SQLITE_LOCK_EXCLUSIVE && level < SQLITE_LOCK_EXCLUSIVE)
                file->exclusive--;
        if (handle->level >= SQLITE_LOCK_PENDING && level < SQLITE_LOCK_PENDING)
                file->pending_lock--;
        if (handle->level >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED)
                file->reserved--;
        if (handle->level >= SQLITE_LOCK_SHARED && level < SQLITE_LOCK_SHARED)
                file->shared--;
        handle->level = level;
}

static int vfs_close(sqlite3_file *base) {
        struct handle *handle = (struct handle *)base;
        struct disk *disk = handle->disk;
        lock(disk);
        struct disk_file *file = handle->file;
        drop_to(handle, SQLITE_LOCK_NONE);
        file->handles--;
        if (handle->delete_on_close)
                file->deleted = true;
        if (file->deleted && file->handles == 0)
                file_free(disk, file);
        return unlock(disk, SQLITE_OK);
}

static int vfs_read(sqlite3_file *base, void *data, int size, sqlite3_int64 at) {
        struct handle *handle = (struct handle *)base;
        ASSERT(size <= TRANSFER_MAX);
        lock(handle->disk);
        if (faulty(handle->disk, DISK_READ))
                return unlock(handle->disk, SQLITE_IOERR_READ);
        const struct image *image = &handle->file->seen;
        size_t there = (size_t)at < image->size ? MIN(image->size - (size_t)at, (size_t)size) : 0;
        if (there > 0)
                memcpy(data, image->data + at, there);
        memset((char *)data + there, 0, (size_t)size - there);
        return unlock(handle->disk, there == (size_t)size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
}

static void write_seen(struct disk *disk, struct disk_file *file, size_t at, const char *data, size_t size) {
        if (size == 0)
                return;
        size_t before = file->seen.size;
        image_write(&file->seen, at, data, size);
        disk->used += file->seen.size - before;
        remember(file, false, at, data, size);
}

static int vfs_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at) {
        struct handle *handle = (struct handle *)base;
        struct disk *disk = handle->disk;
        struct disk_file *file = handle->file;
        ASSERT(size <= TRANSFER_MAX);
        lock(disk);
        size_t end = (size_t)at + (size_t)size, grows = end > file->seen.size ? end - file->seen.size : 0;
        bool fails = faulty(disk, DISK_WRITE), full = disk->used + grows > disk->capacity;
        size_t part = (size_t)size;
        if (disk->off)
                part = 0;
        else if (fails)
                part = disk_random(&disk->random) % ((size_t)size + 1);
        else if (full)
                part = (size_t)at >= file->seen.size ? 0 : MIN(file->seen.size - (size_t)at, (size_t)size);
        write_seen(disk, file, (size_t)at, data, part);
        return unlock(disk, fails ? SQLITE_IOERR_WRITE : full ? SQLITE_FULL : SQLITE_OK);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size) {
        struct handle *handle = (struct handle *)base;
        struct disk *disk = handle->disk;
        lock(disk);
        if (faulty(disk, DISK_TRUNCATE))
                return unlock(disk, SQLITE_IOERR_TRUNCATE);
        struct image *image = &handle->file->seen;
        disk->used -= image->size;
        image_resize(image, (size_t)size);
        disk->used += image->size;
        remember(handle->file, true, (size_t)size, NULL, 0);
        return unlock(disk, SQLITE_OK);
}

static int vfs_sync(sqlite3_file *base, int flags) {
        struct handle *handle = (struct handle *)base;
        struct disk *disk = handle->disk;
        ASSERT(flags != 0);
        lock(disk);
        disk->syncs += !disk->off;
        if (faulty(disk, DISK_SYNC)) {
                if (!disk->off)
                        settle(disk, handle->file, false);
                return unlock(disk, SQLITE_IOERR_FSYNC);
        }
        if (!disk->ignore_syncs) {
                settle(disk, handle->file, true);
                handle->file->synced = true;
        }
        return unlock(disk, SQLITE_OK);
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *ret_size) {
        struct handle *handle = (struct handle *)base;
        lock(handle->disk);
        *ret_size = (sqlite3_int64)handle->file->seen.size;
        return unlock(handle->disk, SQLITE_OK);
}

// --- locks
// -----------------------------------------------------------------------------------------------------------------------

static int vfs_lock(sqlite3_file *base, int level) {
        struct handle *handle = (struct handle *)base;
        struct disk_file *file = handle->file;
        lock(handle->disk);
        if (level <= handle->level)
                return unlock(handle->disk, SQLITE_OK);
        if (level == SQLITE_LOCK_SHARED) {
                if (file->exclusive || file->pending_lock)
                        return unlock(handle->disk, SQLITE_BUSY);
                file->shared++;
                handle->level = level;
                return unlock(handle->disk, SQLITE_OK);
        }
        if (handle->level < SQLITE_LOCK_RESERVED) {
                if (file->reserved)
                        return unlock(handle->disk, SQLITE_BUSY);
                file->reserved++;
                handle->level = SQLITE_LOCK_RESERVED;
        }
        if (level == SQLITE_LOCK_EXCLUSIVE) {
                if (handle->level < SQLITE_LOCK_PENDING)
                        file->pending_lock++;
                handle->level = SQLITE_LOCK_PENDING;
                if (file->shared > 1)
                        return unlock(handle->disk, SQLITE_BUSY);
                file->exclusive++;
                handle->level = level;
        }
        return unlock(handle->disk, SQLITE_OK);
}

static int vfs_unlock(sqlite3_file *base, int level) {
        struct handle *handle = (struct handle *)base;
        lock(handle->disk);
        if (level < handle->level)
                drop_to(handle, level);
        return unlock(handle->disk, SQLITE_OK);
}

static int vfs_check_reserved(sqlite3_file *base, int *ret_held) {
        struct handle *handle = (struct handle *)base;
        lock(handle->disk);
        *ret_held = handle->file->reserved > 0;
        return unlock(handle->disk, SQLITE_OK);
}

static int vfs_control(sqlite3_file *base, int operation, void *argument) {
        ASSERT(base);
        IGNORE(operation == 0 || !argument);
        return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *base) {
        ASSERT(base);
        return 4096;
}

static int vfs_characteristics(sqlite3_file *base) {
        ASSERT(base);
        return SQLITE_IOCAP_POWERSAFE_OVERWRITE;        // as the system's VFS says of disks
}

static int vfs_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret_memory) {
        struct handle *handle = (struct handle *)base;
        struct disk_file *file = handle->file;
        lock(handle->disk);
        ASSERT(region < SHM_REGIONS);
        if (!handle->mapped) {
                handle->mapped = true;
                file->region_users++;
        }
        if (!file->regions[region] && extend)
                file->regions[region] = must_calloc(1, (size_t)size);
        *ret_memory = file->regions[region];
        return unlock(handle->disk, SQLITE_OK);
}

static bool slot_free(const struct handle *handle, int slot, bool exclusive) {
        const struct disk_file *file = handle->file;
        int mine = (handle->slots_shared >> slot) & 1;
        bool mine_exclusive = (handle->slots_exclusive >> slot) & 1;
        if (file->slot_exclusive[slot] && !mine_exclusive)
                return false;
        return !exclusive || file->slot_shared[slot] - mine == 0;
}

static int vfs_shm_lock(sqlite3_file *base, int offset, int count, int flags) {
        struct handle *handle = (struct handle *)base;
        struct disk_file *file = handle->file;
        lock(handle->disk);
        bool exclusive = flags & SQLITE_SHM_EXCLUSIVE;
        for (int slot = offset; slot < offset + count; slot++)
                if ((flags & SQLITE_SHM_LOCK) && !slot_free(handle, slot, exclusive))
                        return unlock(handle->disk, SQLITE_BUSY);
        for (int slot = offset; slot < offset + count; slot++) {
                unsigned bit = 1u << slot;
                unsigned *mine = exclusive ? &handle->slots_exclusive : &handle->slots_shared;
                bool held = *mine & bit, take = flags & SQLITE_SHM_LOCK;
                if (held == take)
                        continue;
                *mine ^= bit;
                if (exclusive)
                        file->slot_exclusive[slot] = take;
                else
                        file->slot_shared[slot] += take ? 1 : -1;
        }
        return unlock(handle->disk, SQLITE_OK);
}

static void vfs_shm_barrier(sqlite3_file *base) {
        struct handle *handle = (struct handle *)base;
        lock(handle->disk);
        unlock(handle->disk, SQLITE_OK);
}

static int vfs_shm_unmap(sqlite3_file *base, int delete_it) {
        struct handle *handle = (struct handle *)base;
        struct disk_file *file = handle->file;
        lock(handle->disk);
        if (handle->mapped && --file->region_users == 0)        // as if no process had it: the next opener recovers
                for (size_t i = 0; i < SHM_REGIONS; i++)
                        free_pointer(&file->regions[i]);
        handle->mapped = false;
        IGNORE(delete_it);
        return unlock(handle->disk, SQLITE_OK);
}

static const sqlite3_io_methods methods = {
        .iVersion = 2, .xClose = vfs_close, .xRead = vfs_read, .xWrite = vfs_write, .xTruncate = vfs_truncate, .xSync = vfs_sync,
        .xFileSize = vfs_size, .xLock = vfs_lock, .xUnlock = vfs_unlock, .xCheckReservedLock = vfs_check_reserved,
        .xFileControl = vfs_control, .xSectorSize = vfs_sector_size, .xDeviceCharacteristics = vfs_characteristics,
        .xShmMap = vfs_shm_map, .xShmLock = vfs_shm_lock, .xShmBarrier = vfs_shm_barrier, .xShmUnmap = vfs_shm_unmap,
};

// --- the directory
// ---------------------------------------------------------------------------------------------------------------

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags) {
        struct disk *disk = vfs->pAppData;
        struct handle *handle = (struct handle *)base;
        memset(handle, 0, sizeof *handle);
        lock(disk);
        char temporary[32];
        if (!name) {
                snprintf(temporary, sizeof temporary, "temporary-%llx", (unsigned long long)disk_random(&disk->random));
                name = temporary;
        }
        struct disk_file *file = find(disk, name);
        if (disk->off || (!file && !(flags & SQLITE_OPEN_CREATE)))
                return unlock(disk, SQLITE_CANTOPEN);
        if (!file) {
                file = must_calloc(1, sizeof *file);
                file->name = bytes_to_text(bytes_of(name));
                list_init(&file->pending);
                list_append(&disk->files, &file->list);
        }
        file->handles++;
        handle->disk = disk;
        handle->file = file;
        handle->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
        handle->base.pMethods = &methods;
        if (ret_flags)
                *ret_flags = flags;
        return unlock(disk, SQLITE_OK);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory) {
        struct disk *disk = vfs->pAppData;
        IGNORE(sync_directory);         // a deleted file is gone; SQLite deletes only what it can do without
        lock(disk);
        struct disk_file *file = find(disk, name);
        if (disk->off)
                return unlock(disk, SQLITE_IOERR_DELETE);
        if (!file)
                return unlock(disk, SQLITE_IOERR_DELETE_NOENT);
        file->deleted = true;
        if (file->handles == 0)
                file_free(disk, file);
        return unlock(disk, SQLITE_OK);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_there) {
        struct disk *disk = vfs->pAppData;
        lock(disk);
        const struct disk_file *file = find(disk, name);
        *ret_there = file && (flags != SQLITE_ACCESS_EXISTS || file->seen.size > 0);
        return unlock(disk, SQLITE_OK);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *ret_path) {
        ASSERT(vfs);
        snprintf(ret_path, (size_t)size, "%s", name);
        return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *ret_bytes) {
        struct disk *disk = vfs->pAppData;
        lock(disk);
        for (int i = 0; i < size; i++)
                ret_bytes[i] = (char)disk_random(&disk->random);
        return unlock(disk, size);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
        ASSERT(vfs);
        return microseconds;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret_day) {
        ASSERT(vfs);
        *ret_day = 2460000.5;
        return SQLITE_OK;
}

struct disk *disk_new(const char *name, uint64_t seed) {
        struct disk *disk = must_calloc(1, sizeof *disk);
        snprintf(disk->name, sizeof disk->name, "%s", name);
        disk->random = seed;
        disk->capacity = UINT64_MAX;
        list_init(&disk->files);
        pthread_mutex_init(&disk->mutex, NULL);
        disk->vfs = (sqlite3_vfs){
                .iVersion = 1, .szOsFile = sizeof(struct handle), .mxPathname = 512, .zName = disk->name, .pAppData = disk,
                .xOpen = vfs_open, .xDelete = vfs_delete, .xAccess = vfs_access, .xFullPathname = vfs_full_path,
                .xRandomness = vfs_randomness, .xSleep = vfs_sleep, .xCurrentTime = vfs_time};
        int result = sqlite3_vfs_register(&disk->vfs, 0);
        ASSERT(result == SQLITE_OK);
        return disk;
}

void disk_free(struct disk *disk) {
        if (!disk)
                return;
        sqlite3_vfs_unregister(&disk->vfs);
        LIST_FOR_EACH_SAFE(element, &disk->files) {
                struct disk_file *file = CONTAINER_OF(element, struct disk_file, list);
                ASSERT(file->handles == 0);
                file_free(disk, file);
        }
        pthread_mutex_destroy(&disk->mutex);
        free(disk);
}

void disk_power_off(struct disk *disk, uint64_t after) {
        lock(disk);
        disk->going_off = after > 0;
        disk->off = after == 0;
        disk->off_after = after;
        unlock(disk, SQLITE_OK);
}

bool disk_powered(const struct disk *disk) {
        return !disk->off;
}

void disk_power_on(struct disk *disk) {
        lock(disk);
        disk->off = disk->going_off = false;
        LIST_FOR_EACH_SAFE(element, &disk->files) {
                struct disk_file *file = CONTAINER_OF(element, struct disk_file, list);
                ASSERT(file->handles == 0);
                settle(disk, file, false);
                if (!file->synced && disk_random(&disk->random) % 2) {
                        file_free(disk, file);
                        continue;
                }
                disk->used -= file->seen.size;
                image_resize(&file->seen, 0);
                image_resize(&file->seen, file->platter.size);
                if (file->platter.size > 0)
                        memcpy(file->seen.data, file->platter.data, file->platter.size);
                disk->used += file->seen.size;
        }
        unlock(disk, SQLITE_OK);
}

void disk_fail(struct disk *disk, enum disk_operation operation, uint64_t after, bool for_good) {
        lock(disk);
        disk->faults[operation].armed = true;
        disk->faults[operation].for_good = for_good;
        disk->faults[operation].after = after;
        unlock(disk, SQLITE_OK);
}

void disk_heal(struct disk *disk) {
        lock(disk);
        memset(disk->faults, 0, sizeof disk->faults);
        unlock(disk, SQLITE_OK);
}

void disk_set_capacity(struct disk *disk, uint64_t bytes) {
        lock(disk);
        disk->capacity = bytes;
        unlock(disk, SQLITE_OK);
}

void disk_ignore_syncs(struct disk *disk, bool ignore) {
        lock(disk);
        disk->ignore_syncs = ignore;
        unlock(disk, SQLITE_OK);
}

uint64_t disk_failed(const struct disk *disk) {
        return disk->failed;
}

uint64_t disk_used(const struct disk *disk) {
        return disk->used;
}

uint64_t disk_syncs(const struct disk *disk) {
        return disk->syncs;
}
