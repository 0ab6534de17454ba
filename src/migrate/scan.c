// SPDX-License-Identifier: Apache-2.0
// See scan.h. Order: records, then rows, then snapshots. What a record has in it is searched part by part; a body that is JSON value
// by value, so that a place has its pointer. A value too short to be looked for in bytes (NEEDLE_LEAST) counts where it is a whole
// string, or a number under a name that some event's personal values have.
#include "migrate/scan.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/needles.h"
#include "log/log.h"
#include "log/record.h"
#include "migrate/scan_tags.h"
#include "os/thread.h"
#include "store/state.h"

enum { PIECE_RECORDS = 256, PIECE_BYTES = 1 << 20, WHERE_MAX = 400 };
#define BY_TAG SIZE_MAX

struct place {
        char *where;
        size_t value;
};

struct scan {
        struct scan_options options;
        pthread_t thread;
        bool started, ever;
        atomic_bool stopping;
        struct needles *needles;                // NULL: tags only
        bool tags;
        pthread_mutex_t mutex;                  // of what follows
        bool running, failed;
        struct error error;
        struct place *places;
        size_t count, omitted;
        uint64_t records, rows, snapshots;
};

static void clear(struct scan *scan) {
        for (size_t i = 0; i < scan->count; i++)
                free(scan->places[i].where);
        free(TAKE(scan->places));
        needles_free(TAKE(scan->needles));
        scan->count = scan->omitted = 0;
        scan->records = scan->rows = scan->snapshots = 0;
        scan->failed = false;
}

static void found(struct scan *scan, struct bytes where, size_t value) {
        pthread_mutex_lock(&scan->mutex);
        if (scan->count == SCAN_PLACES_MAX) {
                scan->omitted++;
        } else {
                if (!scan->places)
                        scan->places = must_calloc(SCAN_PLACES_MAX, sizeof *scan->places);
                scan->places[scan->count++] = (struct place){bytes_to_text(where), value};
        }
        pthread_mutex_unlock(&scan->mutex);
}

// ---- bytes and values ----

struct searching {
        struct scan *scan;
        const struct buffer *where;             // of what is searched
        const char *part;
};

static bool see(void *context, size_t value, size_t offset, size_t size) {
        const struct searching *searching = context;
        struct buffer CLEANUP(buffer_free) text = {0};
        (void)offset;
        (void)size;
        buffer_print(&text, "%.*s: %s", BYTES_PRINT(buffer_bytes(searching->where)), searching->part);
        found(searching->scan, buffer_bytes(&text), value);
        return true;
}

static void search(struct scan *scan, const struct buffer *where, const char *part, struct bytes bytes) {
        struct searching searching = {scan, where, part};
        size_t value;
        if (!scan->needles)
                return;
        if (bytes.size < NEEDLE_LEAST) {
                if (bytes.size && needles_equal(scan->needles, bytes, &value))
                        see(&searching, value, 0, bytes.size);
                return;
        }
        needles_find(scan->needles, bytes, see, &searching);
}

static bool is_personal_name(const struct scan *scan, struct bytes name) {
        const struct model *model = scan->options.model;
        for (size_t i = 0; i < model->event_count; i++)
                for (size_t j = 0; j < model->events[i].version_count; j++) {
                        const struct model_version *version = &model->events[i].versions[j];
                        for (size_t k = 0; k < version->personal_count; k++) {
                                const struct json_pointer *pointer = &version->personal[k];
                                if (pointer->count && bytes_equal(pointer->tokens[pointer->count - 1], name))
                                        return true;
                        }
                }
        return false;
}

static void search_json(struct scan *scan, const struct buffer *where, const struct json *node, struct buffer *path, struct bytes name) {
        size_t before = path->size, index = 0, value;
        struct buffer CLEANUP(buffer_free) part = {0};
        if (json_is(node, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, member, node) {
                        json_pointer_append(path, json_text(key));
                        buffer_print(&part, "body, a member's name in %.*s%c", BYTES_PRINT(buffer_bytes(path)), 0);
                        search(scan, where, part.data, json_text(key));
                        buffer_clear(&part);
                        search_json(scan, where, member, path, json_text(key));
                        path->size = before;
                }
        } else if (json_is(node, JSON_ARRAY)) {
                JSON_FOR_EACH(element, node) {
                        json_pointer_append_index(path, index++);
                        search_json(scan, where, element, path, name);
                        path->size = before;
                }
        } else if (json_is(node, JSON_STRING) || json_is(node, JSON_NUMBER)) {
                buffer_print(&part, "body %.*s%c", BYTES_PRINT(buffer_bytes(path)), 0);
                if (json_is(node, JSON_STRING))
                        search(scan, where, part.data, json_text(node));
                else if (needles_equal(scan->needles, json_text(node), &value) &&
                         (json_text(node).size >= NEEDLE_LEAST || is_personal_name(scan, name)))
                        see(&(struct searching){scan, where, part.data}, value, 0, json_text(node).size);
        }
}

static void search_body(struct scan *scan, const struct buffer *where, struct bytes body, struct arena *arena) {
        const struct json *root;
        struct buffer CLEANUP(buffer_free) path = {0};
        if (!scan->needles || !body.size)
                return;
        if (json_parse(body, NULL, arena, &root, NULL))
                search_json(scan, where, root, &path, (struct bytes){0});
        else
                search(scan, where, "body", body);
}

// ---- records ----

static void found_by_tag(void *user, struct bytes where) {
        found(user, where, BY_TAG);
}

// tags: NULL without.
static bool look_at_record(struct scan *scan, struct scan_tags *tags, const struct log_record *entry, struct arena *arena,
                           struct error *error) {
        struct log_stream_info info;
        struct record record;
        struct buffer CLEANUP(buffer_free) where = {0};
        if (!log_stream_info(scan->options.log, entry->stream, &info, error))
                return false;
        buffer_append(&where, info.name);
        if (entry->offset >= 0)
                buffer_print(&where, ", offset %" PRId64, entry->offset);
        buffer_print(&where, ", position %" PRIu64, entry->position);
        if (!record_decode(entry->header, &record, NULL)) {
                search(scan, &where, "header", entry->header);
                search(scan, &where, "body", entry->body);
                return true;
        }
        buffer_print(&where, " (%s)", record_kind_name(record.kind));
        search(scan, &where, "key", record.key);
        search(scan, &where, "identity", record.identity_text);
        search(scan, &where, "request", record.request);
        search_body(scan, &where, entry->body, arena);
        if (tags)
                scan_tags_record(tags, &where, info.name, entry->position, &record, entry->body, arena);
        return true;
}

static bool look_at_records(struct scan *scan, struct scan_tags *tags, struct log_reader *reader, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct log_record *entries;
        size_t count = 1;
        for (uint64_t next = 1; count > 0 && !atomic_load(&scan->stopping);) {
                arena_reset(&arena);
                if (!log_read(reader, next, PIECE_RECORDS, PIECE_BYTES, &arena, &entries, &count, error))
                        return false;
                for (size_t i = 0; i < count; i++)
                        if (!look_at_record(scan, tags, &entries[i], &arena, error))
                                return false;
                if (count)
                        next = entries[count - 1].position + 1;
                pthread_mutex_lock(&scan->mutex);
                scan->records += count;
                pthread_mutex_unlock(&scan->mutex);
        }
        return true;
}

// ---- rows and snapshots ----

static bool look_at_value(void *context, const char *table, int64_t row, const char *column, struct bytes value) {
        struct scan *scan = context;
        struct buffer CLEANUP(buffer_free) where = {0};
        buffer_print(&where, "state.db, table %s, row %" PRId64, table, row);
        search(scan, &where, column, value);
        scan->rows++;
        return !atomic_load(&scan->stopping);
}

static bool look_at_snapshot(struct scan *scan, struct log_reader *reader, const char *name, bool *ret_there, struct error *error) {
        struct buffer CLEANUP(buffer_free) body = {0};
        struct buffer CLEANUP(buffer_free) where = {0};
        struct error why = {0};
        uint64_t position;
        *ret_there = log_snapshot_read(reader, bytes_of(name), &position, &body, &why);
        if (!*ret_there)
                return why.code == ERROR_NOT_FOUND || error_set(error, why.code, "%s", why.text);
        buffer_print(&where, "snapshot %s", name);
        search(scan, &where, "its rows", buffer_bytes(&body));
        pthread_mutex_lock(&scan->mutex);
        scan->snapshots++;
        pthread_mutex_unlock(&scan->mutex);
        return true;
}

static bool look_at_snapshots(struct scan *scan, struct log_reader *reader, struct error *error) {
        bool there;
        if (!look_at_snapshot(scan, reader, "views", &there, error))
                return false;
        for (char letter = 'a'; letter <= 'b'; letter++) {
                there = true;
                for (unsigned i = 0; there && !atomic_load(&scan->stopping); i++) {
                        char name[40];
                        snprintf(name, sizeof name, "views/%c/%u", letter, i);
                        if (!look_at_snapshot(scan, reader, name, &there, error))
                                return false;
                }
        }
        return true;
}

static bool look(struct scan *scan, struct error *error) {
        struct log_reader CLEANUP(log_reader_closep) *reader = NULL;
        struct state_reader CLEANUP(state_reader_closep) *state = NULL;
        if (!log_reader_open(scan->options.log, &reader, error) ||
            (scan->tags && !state_reader_open(scan->options.state_path, &state, error)))
                return false;
        struct scan_tags tags = {.options = &scan->options, .reader = state, .found = found_by_tag, .user = scan};
        bool good = look_at_records(scan, scan->tags ? &tags : NULL, reader, error) && (!scan->tags || scan_tags_copies(&tags, error)) &&
                    (!scan->needles || (state_values_each(scan->options.state_path, look_at_value, scan, error) &&
                                        look_at_snapshots(scan, reader, error)));
        scan->rows += tags.rows;
        return good;
}

static void *run(void *user) {
        struct scan *scan = user;
        struct error error = {0};
        bool good = look(scan, &error);
        pthread_mutex_lock(&scan->mutex);
        scan->running = false;
        scan->failed = !good;
        scan->error = error;
        pthread_mutex_unlock(&scan->mutex);
        return NULL;
}

// ---- life ----

struct scan *scan_new(const struct scan_options *options) {
        struct scan *scan = must_calloc(1, sizeof *scan);
        scan->options = *options;
        pthread_mutex_init(&scan->mutex, NULL);
        return scan;
}

static void join(struct scan *scan) {
        if (scan->started)
                thread_join(scan->thread);
        scan->started = false;
}

void scan_free(struct scan *scan) {
        if (!scan)
                return;
        atomic_store(&scan->stopping, true);
        join(scan);
        clear(scan);
        pthread_mutex_destroy(&scan->mutex);
        free(scan);
}

bool scan_begin(struct scan *scan, const struct bytes *values, size_t count, bool tags, struct error *error) {
        struct needles *needles = NULL;
        pthread_mutex_lock(&scan->mutex);
        bool busy = scan->running;
        pthread_mutex_unlock(&scan->mutex);
        if (busy)
                return error_set(error, ERROR_CONFLICT, "a scan is under way");
        if ((count > 0 || !tags) && !needles_new(values, count, &needles, error))
                return false;
        join(scan);
        clear(scan);
        scan->needles = needles;
        scan->tags = tags;
        scan->running = scan->ever = true;
        scan->started = thread_start("scan", run, scan, &scan->thread, error);
        if (!scan->started)
                scan->running = false;          // else it is the thread's, which may have ended already
        return scan->started;
}

void scan_write(struct scan *scan, struct json_writer *writer) {
        if (!scan->ever) {
                json_null(writer);
                return;
        }
        pthread_mutex_lock(&scan->mutex);
        json_begin_object(writer);
        json_member_text(writer, "status", scan->running ? "running" : scan->failed ? "failed" : "done");
        json_member_text(writer, "reason", scan->failed ? scan->error.text : "");
        json_member_u64(writer, "records", scan->records);
        json_member_u64(writer, "snapshots", scan->snapshots);
        json_member_u64(writer, "found", scan->count + scan->omitted);
        json_key(writer, "places");
        json_begin_array(writer);
        for (size_t i = 0; i < scan->count; i++) {
                json_begin_object(writer);
                json_member_text(writer, "where", scan->places[i].where);
                json_key(writer, "value");      // its number among those that were given, from 1; null: found by its tag
                if (scan->places[i].value == BY_TAG)
                        json_null(writer);
                else
                        json_u64(writer, scan->places[i].value + 1);
                json_end_object(writer);
        }
        json_end_array(writer);
        json_end_object(writer);
        pthread_mutex_unlock(&scan->mutex);
}
