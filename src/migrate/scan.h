// SPDX-License-Identifier: Apache-2.0
// `commute privacy scan`, the part that reads what commute holds: every record of the log (decoded: topics, shadow topics, calls,
// captures, control), every row of state.db, every snapshot. Values that are looked for are in memory only, and never told: a place
// names one by its number. (The files as bytes are read by the command itself: a program must not open a database's file beside
// SQLite, which would lose its locks.)
//
// Threads: a thread for each scan; all functions belong to the control thread. One scan at a time.
#pragma once

#include "json/writer.h"
#include "model/model.h"

struct log;
struct scan;

enum { SCAN_PLACES_MAX = 1000 };                // told; more are counted

struct scan_options {                           // everything is referenced and outlives the scan
        const struct model *model;
        struct log *log;
        const char *state_path;
        // The version that a schema of the registry is of this event; false: none. Any thread.
        bool (*version_of)(void *user, const struct model_event *event, uint32_t schema_id, unsigned *ret_version);
        void *user;
};

struct scan *scan_new(const struct scan_options *options);
void scan_free(struct scan *scan);              // NULL is allowed; ends a scan under way
// Values (may be none if tags is true); tags: also each personal value that is found by its pointer or its name (scan_tags.h),
// whatever it is. ERROR_CONFLICT: one is under way; ERROR_INVALID, ERROR_LIMIT (base/needles.h).
MUST_USE bool scan_begin(struct scan *scan, const struct bytes *values, size_t count, bool tags, struct error *error);
// Writes a value: how far the last one is and what it has found; null: there never was one.
void scan_write(struct scan *scan, struct json_writer *writer);
