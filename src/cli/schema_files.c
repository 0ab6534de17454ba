// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_files.h"

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
        files->list[files->count++] = (struct schema_file){arena_copy(&files->arena, uri), arena_copy(&files->arena, buffer_bytes(&text))};
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

// A path without a scheme, inside of the schema's folder.
static bool is_below(struct bytes uri) {
        if (!uri.size || uri.data[0] == '/' || memchr(uri.data, ':', uri.size) || memchr(uri.data, '\0', uri.size))
                return false;
        return !memmem(uri.data, uri.size, "../", 3);
}

static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct schema_files *files = user;
        CLEANUP(buffer_free) struct buffer path = {0}, text = {0};
        for (size_t i = 0; i < files->count; i++) {
                if (bytes_equal(files->list[i].uri, uri)) {
                        *ret_source = files->list[i].source;
                        return true;
                }
        }
        if (!is_below(uri))
                return error_set(error, ERROR_NOT_FOUND, "no schema given has this $id");
        buffer_print(&path, "%s%.*s", files->folder, BYTES_PRINT(uri));
        if (!schema_file_read(path.data, SCHEMA_BYTES_MAX, &text, error))
                return false;
        *ret_source = arena_copy(&files->arena, buffer_bytes(&text));
        return true;
}

bool schema_files_open(struct schema_files *files, const char *path, const char *with, bool assert_format, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        const char *slash = strrchr(path, '/');
        *files = (struct schema_files){.path = path, .options = {.assert_format = assert_format, .resolve = resolve}};
        files->options.user = files;
        files->folder = arena_text(&files->arena, (struct bytes){path, slash ? (size_t)(slash - path) + 1 : 0});
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error))
                return false;
        files->source = arena_copy(&files->arena, buffer_bytes(&text));
        return !with || add_path(files, with, true, 0, error);
}

void schema_files_free(struct schema_files *files) {
        arena_free(&files->arena);
        free(files->list);
        *files = (struct schema_files){0};
}

bool schema_files_compile(struct schema_files *files, struct schema **ret_schema, struct error *error) {
        return schema_compile(files->source, &files->options, ret_schema, error) || error_wrap(error, "%s", files->path);
}
