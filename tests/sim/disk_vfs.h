// SPDX-License-Identifier: Apache-2.0
// A disk for tests and simulation: a SQLite VFS that keeps files in memory, forgets at a power cut what was not synced, and fails
// as told. Everything it decides comes from its seed.
//
// A file is what programs see (the page cache) and what is on the platter. A write changes the first and is remembered as
// pending; a successful sync brings the pending ones to the platter. At a power cut each pending write reaches the platter
// whole, in part (some of its 512-byte sectors), or not at all, in any order. A failed sync leaves what programs see as it is
// and forgets the pending writes, after each of them reached the platter or did not: as Linux does, a later sync succeeds
// without them. A file that was never synced may vanish in a power cut.
//
// While the power is off every operation fails and changes nothing, so a program under test can be closed in the usual way.
// Any thread may use it; with threads a run is no longer decided by the seed alone.
#pragma once

#include "base/base.h"

struct disk;

enum disk_operation { DISK_READ, DISK_WRITE, DISK_SYNC, DISK_TRUNCATE, DISK_OPERATIONS };

// Registers it as a VFS under its name (log_options.disk). One name at a time.
struct disk *disk_new(const char *name, uint64_t seed);
void disk_free(struct disk *disk);                              // no file is open

// The power goes after so many more writes, truncates and syncs (0: now). It returns when no file is open.
void disk_power_off(struct disk *disk, uint64_t after);
void disk_power_on(struct disk *disk);
bool disk_powered(const struct disk *disk);

// The next operation of this kind fails with EIO after `after` more that succeed (0: the very next); once, or for good. A failing
// write may have written a part.
void disk_fail(struct disk *disk, enum disk_operation operation, uint64_t after, bool for_good);
void disk_heal(struct disk *disk);                              // no more failures
uint64_t disk_failed(const struct disk *disk);                  // failures so far

// The most bytes that all files together may have; writes that would go beyond fail with ENOSPC, perhaps after a part.
void disk_set_capacity(struct disk *disk, uint64_t bytes);      // UINT64_MAX: no bound
uint64_t disk_used(const struct disk *disk);
uint64_t disk_syncs(const struct disk *disk);

// A mutation: syncs report success and do nothing.
void disk_ignore_syncs(struct disk *disk, bool ignore);

uint64_t disk_random(uint64_t *state);                          // splitmix64, for the tests' own choices
