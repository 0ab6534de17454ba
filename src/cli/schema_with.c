// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_with.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/schema_files.h"

// The error is about this file. Always false.
static bool is_wrong(struct schema_with *with, const char *path) {
        with->wrong = arena_text(&with->arena, bytes_of(path));
        return false;
}

static void keep(struct schema_with *with, struct bytes uri, struct bytes source, const char *path) {
        if (with->count == with->capacity) {
                with->capacity = with->capacity * 2 + 16;
                with->list = must_realloc(with->list, with->capacity * sizeof *with->list);
        }
        with->list[with->count++] = (struct schema_given){arena_copy(&with->arena, uri), arena_copy(&with->arena, source),
                                                          arena_text(&with->arena, bytes_of(path))};
}

static bool add_file(struct schema_with *with, const char *path, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        const struct json *root;
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error) || !json_parse(buffer_bytes(&text), &limits, &arena, &root, error))
                return is_wrong(with, path);
        const struct json *id = json_get_text(root, "$id");
        if (!id)
                id = json_get_text(root, "id");
        with->bytes += text.size;
        if (with->count == SCHEMA_WITH_FILES_MAX || with->bytes > SCHEMA_WITH_BYTES_MAX) {
                IGNORE(error_set(error, ERROR_LIMIT, "more than %d schemas, or %d bytes of them", SCHEMA_WITH_FILES_MAX,
                                 SCHEMA_WITH_BYTES_MAX));                       // always false
                return is_wrong(with, path);
        }
        if (!json_is(id, JSON_STRING))
                return true;                    // nothing can refer to it
        struct bytes uri = json_text(id);
        uri.size -= uri.size && uri.data[uri.size - 1] == '#';
        keep(with, uri, buffer_bytes(&text), path);
        return true;
}

static bool add_folder(struct schema_with *with, const char *path, unsigned depth, struct error *error);

static bool add_path(struct schema_with *with, const char *path, bool named, unsigned depth, struct error *error) {
        struct stat status;
        size_t size = strlen(path);
        if (stat(path, &status) < 0) {
                IGNORE(schema_file_wrong(path, error));                         // always false
                return is_wrong(with, path);
        }
        if (S_ISDIR(status.st_mode))
                return add_folder(with, path, depth, error);
        if (!named && (size < 5 || strcmp(path + size - 5, ".json") != 0))
                return true;
        return add_file(with, path, error);
}

static bool add_folder(struct schema_with *with, const char *path, unsigned depth, struct error *error) {
        struct dirent **entries = NULL;
        bool good = depth < SCHEMA_WITH_DEPTH_MAX || error_set(error, ERROR_LIMIT, "folders are nested too deeply");
        int count = good ? scandir(path, &entries, NULL, alphasort) : 0;
        if (count < 0)
                good = schema_file_wrong(path, error);
        if (!good)
                return is_wrong(with, path);
        for (int i = 0; i < count; i++) {
                CLEANUP(buffer_free) struct buffer inner = {0};
                buffer_print(&inner, "%s/%s", path, entries[i]->d_name);
                if (entries[i]->d_name[0] != '.')
                        good = good && add_path(with, inner.data, false, depth + 1, error);
                free(entries[i]);
        }
        free(entries);
        return good;
}

bool schema_with_load(struct schema_with *with, const struct cli_options *options, struct error *error) {
        if (with->loaded)
                return true;
        with->path = options->value[CLI_WITH];
        with->count = with->bytes = 0;
        with->wrong = NULL;
        with->loaded = !with->path || add_path(with, with->path, true, 0, error);
        return with->loaded;
}

void schema_with_free(struct schema_with *with) {
        arena_free(&with->arena);
        free(with->list);
        *with = (struct schema_with){0};
}

const struct schema_given *schema_with_find(const struct schema_with *with, struct bytes uri) {
        for (size_t i = 0; i < with->count; i++)
                if (bytes_equal(with->list[i].uri, uri))
                        return &with->list[i];
        return NULL;
}

bool schema_with_contains(const struct schema_with *with, const char *path) {
        CLEANUP(free_pointer) char *inner = realpath(path, NULL);
        CLEANUP(free_pointer) char *outer = with->path ? realpath(with->path, NULL) : NULL;
        size_t size = outer ? strlen(outer) : 0;
        return inner && outer && strncmp(inner, outer, size) == 0 && (inner[size] == '/' || size == 1);
}
