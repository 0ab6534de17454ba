// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

bool schema_file_wrong(const char *path, struct error *error) {
        static const int missing[] = {ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, ENXIO};
        if (errno == EISDIR)
                return error_set(error, ERROR_NOT_FOUND, "%s: is a directory, not a file", path);
        for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
                if (errno == missing[i])
                        return error_set(error, ERROR_NOT_FOUND, "%s: %m", path);
        return error_set(error, ERROR_IO, "%s: %m", path);
}

const char *schema_file_error(const char *path, const struct error *error) {
        size_t size = strlen(path);
        bool named = strncmp(error->text, path, size) == 0 && strncmp(error->text + size, ": ", 2) == 0;
        return named ? error->text + size + 2 : error->text;
}

bool schema_file_read(const char *path, size_t most, struct buffer *text, struct error *error) {
        bool standard = path[0] == '-' && !path[1];
        FILE *file = standard ? stdin : fopen(path, "re");
        if (!file)
                return schema_file_wrong(path, error);
        enum { STEP = 64 * 1024 };
        size_t got;
        do {
                got = fread(buffer_reserve(text, STEP), 1, STEP, file);
                text->size += got;
        } while (got == STEP && text->size <= most);
        bool good = !ferror(file) || schema_file_wrong(path, error);
        if (!standard)
                fclose(file);
        if (!good)
                return false;
        return text->size <= most || error_set(error, ERROR_LIMIT, "%s: more than %zu bytes", path, most);
}

static bool add_file(struct schema_files *files, const char *path, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        const struct json *root;
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error))
                return false;
        if (!json_parse(buffer_bytes(&text), &limits, &arena, &root, error))
                return error_wrap(error, "%s", path);
        const struct json *id = json_get_text(root, "$id");
        if (!id)
                id = json_get_text(root, "id");
        files->bytes += text.size;
        if (files->count == SCHEMA_FILES_MAX || files->bytes > SCHEMA_FILES_BYTES_MAX)
                return error_set(error, ERROR_LIMIT, "%s: more than %d schemas, or %d bytes of them", path, SCHEMA_FILES_MAX,
                                 SCHEMA_FILES_BYTES_MAX);
        if (!json_is(id, JSON_STRING))
                return true;                    // nothing can refer to it
        struct bytes uri = json_text(id);
        uri.size -= uri.size && uri.data[uri.size - 1] == '#';
        if (files->count == files->capacity) {
                files->capacity = files->capacity * 2 + 16;
                files->list = must_realloc(files->list, files->capacity * sizeof *files->list);
        }
        files->list[files->count++] = (struct schema_file){arena_copy(&files->shared, uri),
                                                                   arena_copy(&files->shared, buffer_bytes(&text))};
        return true;
}

static bool add_folder(struct schema_files *files, const char *path, unsigned depth, struct error *error);

static bool add_path(struct schema_files *files, const char *path, bool named, unsigned depth, struct error *error) {
        struct stat status;
        size_t size = strlen(path);
        if (stat(path, &status) < 0)
                return schema_file_wrong(path, error);
        if (S_ISDIR(status.st_mode))
                return add_folder(files, path, depth, error);
        if (!named && (size < 5 || strcmp(path + size - 5, ".json") != 0))
                return true;
        return add_file(files, path, error);
}

static bool add_folder(struct schema_files *files, const char *path, unsigned depth, struct error *error) {
        struct dirent **entries = NULL;
        bool good = true;
        if (depth == SCHEMA_FILES_DEPTH_MAX)
                return error_set(error, ERROR_LIMIT, "%s: folders are nested too deeply", path);
        int count = scandir(path, &entries, NULL, alphasort);
        if (count < 0)
                return schema_file_wrong(path, error);
        for (int i = 0; i < count; i++) {
                CLEANUP(buffer_free) struct buffer inner = {0};
                buffer_print(&inner, "%s/%s", path, entries[i]->d_name);
                if (entries[i]->d_name[0] != '.')
                        good = good && add_path(files, inner.data, false, depth + 1, error);
                free(entries[i]);
        }
        free(entries);
        return good;
}

static bool is_path(struct bytes uri) {                        // without a scheme
        return uri.size && uri.data[0] != '/' && !memchr(uri.data, ':', uri.size) && !memchr(uri.data, '\0', uri.size);
}

// The name of a file as a URI has it: %20 for a space.
static void append_decoded(struct buffer *path, struct bytes uri) {
        for (size_t i = 0; i < uri.size; i++) {
                unsigned value;
                char digits[3] = {0};
                if (uri.data[i] == '%' && i + 2 < uri.size)
                        memcpy(digits, uri.data + i + 1, 2);
                char *end = digits;
                value = (unsigned)strtoul(digits, &end, 16);
                bool escape = end == digits + 2 && isxdigit((uint8_t)digits[0]) && value != 0;
                buffer_append_byte(path, escape ? (char)value : uri.data[i]);
                i += escape ? 2 : 0;
        }
}

static bool is_in_folder(const char *path, const char *folder) {
        CLEANUP(free_pointer) char *inner = realpath(path, NULL);
        CLEANUP(free_pointer) char *outer = folder ? realpath(folder, NULL) : NULL;
        size_t size = outer ? strlen(outer) : 0;
        return inner && outer && strncmp(inner, outer, size) == 0 && (inner[size] == '/' || size == 1);
}

// A file that a reference names: in the schema's folder, or in that of --with, which says that they may be read.
static bool read_beside(struct schema_files *files, struct bytes uri, struct bytes *ret_source, struct error *error) {
        CLEANUP(buffer_free) struct buffer path = {0}, text = {0};
        buffer_print(&path, "%s", files->folder);
        append_decoded(&path, uri);
        bool climbs = memmem(path.data + strlen(files->folder), path.size - strlen(files->folder), "../", 3);
        buffer_append_byte(&path, '\0');
        if (climbs && !is_in_folder(path.data, files->with))
                return error_set(error, ERROR_NOT_FOUND, "it is neither in the schema's folder nor in one given by --with");
        if (!schema_file_read(path.data, SCHEMA_BYTES_MAX, &text, error))
                return false;
        *ret_source = arena_copy(&files->arena, buffer_bytes(&text));
        return true;
}

static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct schema_files *files = user;
        for (size_t i = 0; i < files->count; i++) {
                if (bytes_equal(files->list[i].uri, uri)) {
                        *ret_source = files->list[i].source;
                        return true;
                }
        }
        if (!is_path(uri))
                return error_set(error, ERROR_NOT_FOUND, files->with ? "no schema that --with gives has this $id"
                                                                     : "--with gives schemas that are found by their $id");
        return read_beside(files, uri, ret_source, error);
}

static enum schema_draft draft_of(const char *name) {
        static const struct { const char *name; enum schema_draft draft; } drafts[] = {
                {"4", SCHEMA_DRAFT_4}, {"6", SCHEMA_DRAFT_6}, {"7", SCHEMA_DRAFT_7}, {"2019-09", SCHEMA_DRAFT_2019_09},
        };
        for (size_t i = 0; name && i < ARRAY_SIZE(drafts); i++)
                if (strcmp(drafts[i].name, name) == 0)
                        return drafts[i].draft;
        return SCHEMA_DRAFT_2020_12;
}

bool schema_files_open(struct schema_files *files, const char *path, const struct cli_options *options, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        const char *slash = strrchr(path, '/'), *with = options->value[CLI_WITH];
        arena_reset(&files->arena);
        files->path = path;
        files->with = with;
        files->options = (struct schema_options){.draft = draft_of(options->value[CLI_DRAFT]), .resolve = resolve,
                                                 .assert_format = options->given[CLI_FORMAT_ASSERTION]};
        files->options.user = files;
        files->folder = arena_text(&files->arena, (struct bytes){path, slash ? (size_t)(slash - path) + 1 : 0});
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error))
                return false;
        files->source = arena_copy(&files->arena, buffer_bytes(&text));
        if (!files->loaded && with && !add_path(files, with, true, 0, error)) {
                files->count = files->bytes = 0;
                return error_wrap(error, "--with");
        }
        files->loaded = true;
        return true;
}

void schema_files_free(struct schema_files *files) {
        arena_free(&files->arena);
        arena_free(&files->shared);
        free(files->list);
        *files = (struct schema_files){0};
}

bool schema_files_compile(struct schema_files *files, struct schema **ret_schema, struct error *error) {
        return schema_compile(files->source, &files->options, ret_schema, error) || error_wrap(error, "%s", files->path);
}
