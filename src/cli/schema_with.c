// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_with.h"

#include <ctype.h>
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

static bool keep(struct schema_with *with, struct bytes uri, struct bytes source, const char *path, bool named, struct error *error) {
        with->bytes += source.size;
        if (with->count == SCHEMA_WITH_FILES_MAX || with->bytes > SCHEMA_WITH_BYTES_MAX) {
                IGNORE(error_set(error, ERROR_LIMIT, "more than %d schemas, or %d bytes of them", SCHEMA_WITH_FILES_MAX,
                                 SCHEMA_WITH_BYTES_MAX));                       // always false
                return is_wrong(with, path);
        }
        if (with->count == with->capacity) {
                with->capacity = with->capacity * 2 + 16;
                with->list = must_realloc(with->list, with->capacity * sizeof *with->list);
        }
        with->list[with->count++] = (struct schema_given){arena_copy(&with->arena, uri), arena_copy(&with->arena, source),
                                                          arena_text(&with->arena, bytes_of(path)), named};
        return true;
}

// As it is looked up: without the empty fragment that $ids of old drafts end with.
static struct bytes without_hash(struct bytes uri) {
        uri.size -= uri.size && uri.data[uri.size - 1] == '#';
        return uri;
}

// uri NULL: by its $id; what has none is left out, since nothing can refer to it.
static bool add_file(struct schema_with *with, const char *path, const struct bytes *uri, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        const struct json *root;
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error) || !json_parse(buffer_bytes(&text), &limits, &arena, &root, error))
                return is_wrong(with, path);
        if (uri)
                return keep(with, *uri, buffer_bytes(&text), path, true, error);
        const struct json *id = json_get_text(root, "$id");
        if (!id)
                id = json_get_text(root, "id");
        return !json_is(id, JSON_STRING) || keep(with, without_hash(json_text(id)), buffer_bytes(&text), path, false, error);
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
        return add_file(with, path, NULL, error);
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

// With a scheme (RFC 3986, 3.1), something behind it, and nothing that a URI or IRI cannot have.
static bool is_absolute(struct bytes uri) {
        size_t scheme = 0;
        while (scheme < uri.size && (isalnum((uint8_t)uri.data[scheme]) || (scheme && memchr("+-.", uri.data[scheme], 3))))
                scheme++;
        if (!scheme || !isalpha((uint8_t)uri.data[0]) || scheme + 1 >= uri.size || uri.data[scheme] != ':')
                return false;
        for (size_t i = 0; i < uri.size; i++)
                if ((uint8_t)uri.data[i] <= ' ' || uri.data[i] == 0x7F || memchr("\"<>\\^`{|}", uri.data[i], 9))
                        return false;
        return true;
}

// Where FILE begins in URI=FILE; where it would if there were one; NULL: there is no = behind anything.
static const char *find_file(const char *value) {
        struct stat status;
        const char *first = *value ? strchr(value + 1, '=') : NULL;
        for (const char *equals = first; equals; equals = strchr(equals + 1, '='))
                if (stat(equals + 1, &status) == 0)
                        return equals + 1;
        return first ? first + 1 : NULL;
}

static bool is_same_file(const char *a, const char *b) {
        struct stat one, other;
        return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static const struct schema_given *find(const struct schema_with *with, struct bytes uri, bool named, size_t from) {
        for (size_t i = from; i < with->count; i++)
                if (with->list[i].named == named && bytes_equal(with->list[i].uri, uri))
                        return &with->list[i];
        return NULL;
}

static bool add_named(struct schema_with *with, struct bytes uri, const char *path, struct error *error) {
        if (!is_absolute(uri))
                return error_set(error, ERROR_INVALID, "there is no such file, and \"%.*s\" is no absolute URI", BYTES_PRINT(uri));
        uri = without_hash(uri);
        if (memchr(uri.data, '#', uri.size))
                return error_set(error, ERROR_INVALID, "a URI with a fragment names no document");
        if (strcmp(path, "-") == 0)
                return error_set(error, ERROR_INVALID, "expected a file behind =, not standard input");
        const struct schema_given *given = find(with, uri, true, 0);
        if (given)
                return is_same_file(given->path, path) ||
                       error_set(error, ERROR_INVALID, "this URI is that of %s already", given->path);
        return add_file(with, path, &uri, error);
}

static bool add_value(struct schema_with *with, const char *value, struct error *error) {
        struct stat status;
        const char *path = stat(value, &status) < 0 ? find_file(value) : NULL;
        if (!path && *value)
                return add_path(with, value, true, 0, error);
        with->wrong = NULL;
        if (!path)
                IGNORE(error_set(error, ERROR_INVALID, "this is no file"));     // always false
        else if (add_named(with, (struct bytes){value, (size_t)(path - value) - 1}, path, error))
                return true;
        if (!with->wrong) {
                with->wrong = "";
                IGNORE(error_wrap(error, "--with %s", value));                  // always false
        }
        return false;
}

bool schema_with_load(struct schema_with *with, const struct cli_options *options, struct error *error) {
        if (with->loaded)
                return true;
        with->options = options;
        with->count = with->bytes = 0;
        for (size_t i = 0; i < options->with_count; i++)
                if (!add_value(with, options->with[i], error))
                        return false;
        with->loaded = true;
        return true;
}

void schema_with_free(struct schema_with *with) {
        arena_free(&with->arena);
        free(with->list);
        *with = (struct schema_with){0};
}

bool schema_with_find(const struct schema_with *with, struct bytes uri, const struct schema_given **ret_given, struct error *error) {
        const struct schema_given *found = find(with, uri, true, 0);
        if (!found) {
                found = find(with, uri, false, 0);
                for (const struct schema_given *other = found; other; other = find(with, uri, false, (size_t)(other - with->list) + 1))
                        if (!bytes_equal(found->source, other->source))
                                return error_set(error, ERROR_INVALID, "%s and %s both have this $id; --with %.*s=FILE says which is meant",
                                                 found->path, other->path, BYTES_PRINT(uri));
        }
        if (!found)
                return error_set(error, ERROR_NOT_FOUND, "%s; --with FILE gives a schema by its $id, --with URI=FILE by any URI",
                                 with->count ? "--with does not give it" : "nothing gives it");
        *ret_given = found;
        return true;
}

static bool is_in_folder(const char *path, const char *folder) {
        CLEANUP(free_pointer) char *inner = realpath(path, NULL);
        CLEANUP(free_pointer) char *outer = realpath(folder, NULL);
        size_t size = outer ? strlen(outer) : 0;
        return inner && outer && strncmp(inner, outer, size) == 0 && (inner[size] == '/' || size == 1);
}

bool schema_with_contains(const struct schema_with *with, const char *path) {
        for (size_t i = 0; i < with->options->with_count; i++)
                if (is_in_folder(path, with->options->with[i]))
                        return true;
        return false;
}
