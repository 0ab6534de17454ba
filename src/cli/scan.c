// SPDX-License-Identifier: Apache-2.0
// `commute privacy scan`: the files of the data folder as bytes, read here; records, rows and snapshots, which the running commute
// reads. Secrets of the folder (the keys and the token) are left out. Values are named by their number. More of them than can be looked
// for at once are looked for in passes: of NEEDLES_MAX over the files, of ORDER_MAX bytes over what commute holds.
#include "cli/cli_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/needles.h"
#include "cli/client.h"
#include "json/writer.h"
#include "model/model.h"

enum { PIECE = 1 << 20, PLACES_MAX = 1000, POLL_MS = 50, ORDER_MAX = 48 * 1024, DEPTH_MAX = 8, FOUND = 1 };
enum { VALUES_MAX = 200000, VALUES_FILE_MAX = 64 << 20 };

struct looking {
        const struct cli_options *options;
        struct arena arena;
        struct bytes *values;
        size_t value_count, value_capacity;
        struct needles *needles;                // of the pass
        size_t first;                           // of the pass's values
        struct json_writer *writer;             // of --json: an array is open; NULL: lines
        uint64_t found, files, bytes, records;
        size_t short_values, tagged_events;     // below NEEDLE_LEAST; with personal values, by schema or configuration
        // of the file that is read
        const char *file;
        uint64_t begin;                         // of the piece
        size_t again;                           // bytes of it that the piece before had, too: what ends in them has been told
};

static void tell(struct looking *looking, struct bytes where, uint64_t value) {
        if (++looking->found > PLACES_MAX)
                return;
        if (looking->writer) {
                json_begin_object(looking->writer);
                json_member_bytes(looking->writer, "where", where);
                json_key(looking->writer, "value");
                if (value)
                        json_u64(looking->writer, value);
                else
                        json_null(looking->writer);
                json_end_object(looking->writer);
        } else if (value) {
                printf("%.*s: value %llu\n", BYTES_PRINT(where), (unsigned long long)value);
        } else {
                printf("%.*s: by its tag\n", BYTES_PRINT(where));
        }
}

// ---- values ----

static bool add_value(struct looking *looking, struct bytes value, struct error *error) {
        if (looking->value_count == VALUES_MAX)
                return error_set(error, ERROR_LIMIT, "more than %d values", VALUES_MAX);
        if (!value.size)
                return error_set(error, ERROR_INVALID, "value %zu is empty", looking->value_count + 1);
        if (value.size > NEEDLE_MAX)
                return error_set(error, ERROR_LIMIT, "value %zu has %zu bytes, at most %d are looked for", looking->value_count + 1,
                                 value.size, NEEDLE_MAX);
        if (looking->value_count == looking->value_capacity) {
                looking->value_capacity = MAX((size_t)1000, 2 * looking->value_capacity);
                looking->values = must_realloc(looking->values, looking->value_capacity * sizeof *looking->values);
        }
        looking->short_values += value.size < NEEDLE_LEAST;
        looking->values[looking->value_count++] = arena_copy(&looking->arena, value);
        return true;
}

static bool read_values(struct looking *looking, const char *path, struct error *error) {
        FILE *file = fopen(path, "re");
        if (!file)
                return error_set(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s: %m", path);
        struct buffer CLEANUP(buffer_free) text = {0};
        size_t got;
        while (text.size <= VALUES_FILE_MAX && (got = fread(buffer_reserve(&text, PIECE), 1, PIECE, file)) > 0)
                text.size += got;
        bool failed = ferror(file);
        fclose(file);
        if (failed || text.size > VALUES_FILE_MAX)
                return error_set(error, failed ? ERROR_IO : ERROR_LIMIT, "%s: cannot be read, or more than %d bytes", path,
                                 VALUES_FILE_MAX);
        for (size_t at = 0; at < text.size;) {
                const char *end = memchr(text.data + at, '\n', text.size - at);
                size_t size = end ? (size_t)(end - text.data) - at : text.size - at;
                struct bytes line = {text.data + at, size && text.data[at + size - 1] == '\r' ? size - 1 : size};
                if (line.size && !add_value(looking, line, error))
                        return false;
                at += size + 1;
        }
        return true;
}

static bool take_values(struct looking *looking, struct error *error) {
        const struct cli_options *options = looking->options;
        for (size_t i = 0; i < options->argument_count; i++)
                if (!add_value(looking, bytes_of(options->arguments[i]), error))
                        return false;
        if (options->given[CLI_VALUES_FILE] && !read_values(looking, options->value[CLI_VALUES_FILE], error))
                return false;
        if (looking->value_count == 0 && !options->given[CLI_TAG])
                return error_set(error, ERROR_INVALID, "nothing to look for: give values, --values FILE, or --tag");
        return true;
}

// ---- files ----

static bool see(void *context, size_t value, size_t offset, size_t size) {
        struct looking *looking = context;
        struct buffer CLEANUP(buffer_free) where = {0};
        if (looking->begin > 0 && offset + size <= looking->again)
                return true;
        buffer_print(&where, "%s, byte %llu", looking->file, (unsigned long long)(looking->begin + offset));
        tell(looking, buffer_bytes(&where), looking->first + value + 1);
        return true;
}

static bool look_at_file(struct looking *looking, const char *path, struct error *error) {
        FILE *file = fopen(path, "re");
        if (!file)
                return errno == ENOENT || error_set(error, ERROR_IO, "%s: %m", path);
        struct buffer CLEANUP(buffer_free) piece = {0};
        size_t overlap = needles_longest(looking->needles) - 1, got;
        looking->file = path;
        looking->begin = 0;
        looking->again = 0;
        looking->files += looking->first == 0;
        while ((got = fread(buffer_reserve(&piece, PIECE), 1, PIECE, file)) > 0) {
                piece.size += got;
                looking->bytes += looking->first ? 0 : got;
                needles_find(looking->needles, buffer_bytes(&piece), see, looking);
                size_t kept = MIN(overlap, piece.size);
                memmove(piece.data, piece.data + piece.size - kept, kept);
                looking->begin += piece.size - kept;
                looking->again = piece.size = kept;
        }
        bool failed = ferror(file);
        fclose(file);
        return !failed || error_set(error, ERROR_IO, "%s: cannot be read", path);
}

static bool look_at_folder(struct looking *looking, const char *folder, unsigned depth, struct error *error) {
        static const char *const secrets[] = {"token", "key", "pseudonym.key", "certificate.key", "certificate.pub"};
        DIR *entries = opendir(folder);
        bool good = true;
        if (!entries)
                return error_set(error, ERROR_IO, "%s: %m (run it where commute runs, as its user)", folder);
        for (struct dirent *entry; good && (entry = readdir(entries));) {
                struct stat about;
                bool secret = entry->d_name[0] == '.' && (!entry->d_name[1] || (entry->d_name[1] == '.' && !entry->d_name[2]));
                for (size_t i = 0; depth == 0 && i < ARRAY_SIZE(secrets); i++)
                        secret = secret || strcmp(entry->d_name, secrets[i]) == 0;
                const char *path = arena_print(&looking->arena, "%s/%s", folder, entry->d_name);
                if (secret || lstat(path, &about) < 0)
                        continue;
                if (S_ISDIR(about.st_mode) && depth < DEPTH_MAX)
                        good = look_at_folder(looking, path, depth + 1, error);
                else if (S_ISREG(about.st_mode))
                        good = look_at_file(looking, path, error);
        }
        closedir(entries);
        return good;
}

static bool look_at_data(struct looking *looking, struct error *error) {
        const struct model *CLEANUP(model_unrefp) model = NULL;
        const char *path = looking->options->given[CLI_CONFIG] ? looking->options->value[CLI_CONFIG] : "commute.yaml";
        if (!model_load(path, &model, NULL, error))
                return error_wrap(error, "to find the data folder and the tags");
        for (size_t i = 0; i < model->event_count; i++)
                looking->tagged_events += model->events[i].is_personal;
        bool good = true;
        for (; good && looking->first < looking->value_count; looking->first += NEEDLES_MAX) {
                size_t count = MIN(looking->value_count - looking->first, (size_t)NEEDLES_MAX);
                good = needles_new(looking->values + looking->first, count, &looking->needles, error) &&
                       look_at_folder(looking, model->settings.data, 0, error);
                needles_free(TAKE(looking->needles));
        }
        return good;
}

// ---- what commute holds ----

// As many values as fit into one order, from *at on.
static void write_order(const struct looking *looking, size_t *at, struct buffer *body) {
        struct json_writer writer = {.buffer = body};
        size_t first = *at;
        json_begin_object(&writer);
        json_member_boolean(&writer, "tags", *at == 0 && looking->options->given[CLI_TAG]);
        json_key(&writer, "values");
        json_begin_array(&writer);
        while (*at < looking->value_count && *at - first < NEEDLES_MAX && body->size < ORDER_MAX)
                json_string(&writer, looking->values[(*at)++]);
        json_end_array(&writer);
        json_end_object(&writer);
        json_end(&writer);
}

static void tell_places(struct looking *looking, const struct json *answer, size_t first) {
        const struct json *places = json_get_text(answer, "places");
        looking->records += first ? 0 : client_number(answer, "records");
        if (!json_is(places, JSON_ARRAY))
                return;
        JSON_FOR_EACH(place, places) {
                uint64_t value = client_number(place, "value");
                tell(looking, client_text(place, "where"), value ? value + first : 0);
        }
        uint64_t found = client_number(answer, "found");
        looking->found += found > json_count(places) ? found - json_count(places) : 0;
}

static bool one_order(struct looking *looking, struct control *control, size_t *at, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct buffer CLEANUP(buffer_free) body = {0};
        const struct json *answer;
        size_t first = *at;
        write_order(looking, at, &body);
        if (!control_call(control, "POST", "/privacy/scan", buffer_bytes(&body), &arena, &answer, error))
                return false;
        while (bytes_equal(client_text(answer, "status"), BYTES("running"))) {
                nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
                arena_reset(&arena);
                if (!control_call(control, "GET", "/privacy/scan", (struct bytes){0}, &arena, &answer, error))
                        return false;
        }
        if (!bytes_equal(client_text(answer, "status"), BYTES("done")))
                return error_set(error, ERROR_UNAVAILABLE, "scan: %.*s", BYTES_PRINT(client_text(answer, "reason")));
        tell_places(looking, answer, first);
        return true;
}

static bool look_at_all(struct looking *looking, struct error *error) {
        struct control CLEANUP(control_closep) *control = NULL;
        size_t at = 0;
        if (!control_open(looking->options, &control, error))
                return false;
        do {
                if (!one_order(looking, control, &at, error))
                        return false;
        } while (at < looking->value_count);
        return look_at_data(looking, error);
}

// ---- the command ----

static void sum_up(const struct looking *looking) {
        if (looking->found > PLACES_MAX)
                printf("… and %llu more\n", (unsigned long long)(looking->found - PLACES_MAX));
        printf("%llu found; %zu values looked for in %llu files (%llu bytes) and %llu records\n", (unsigned long long)looking->found,
               looking->value_count, (unsigned long long)looking->files, (unsigned long long)looking->bytes,
               (unsigned long long)looking->records);
        if (looking->short_values)
                printf("%zu values are shorter than %d bytes: they were not looked for in files\n", looking->short_values, NEEDLE_LEAST);
        if (looking->options->given[CLI_TAG] && !looking->tagged_events)
                puts("no event has personal values by its schemas or the configuration: --tag has found nothing to look for");
}

static void end_json(const struct looking *looking, struct buffer *out) {
        json_end_array(looking->writer);
        json_member_u64(looking->writer, "found", looking->found);
        json_member_u64(looking->writer, "files", looking->files);
        json_member_u64(looking->writer, "bytes", looking->bytes);
        json_member_u64(looking->writer, "records", looking->records);
        json_member_u64(looking->writer, "short_values", looking->short_values);
        json_member_u64(looking->writer, "tagged_events", looking->tagged_events);
        json_end_object(looking->writer);
        json_end(looking->writer);
        cli_print(buffer_bytes(out));
}

int cli_privacy_scan(const struct cli_options *options) {
        struct looking looking = {.options = options};
        struct buffer CLEANUP(buffer_free) out = {0};
        struct json_writer writer = {.buffer = &out};
        struct error error;
        if (options->given[CLI_JSON]) {
                looking.writer = &writer;
                json_begin_object(&writer);
                json_key(&writer, "places");
                json_begin_array(&writer);
        }
        bool good = take_values(&looking, &error) && look_at_all(&looking, &error);
        free(looking.values);
        arena_free(&looking.arena);
        if (!good)
                return cli_fail(options, &error);
        if (looking.writer)
                end_json(&looking, &out);
        else
                sum_up(&looking);
        return looking.found ? FOUND : 0;
}
