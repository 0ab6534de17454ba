// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_files.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

bool schema_names_input_twice(const struct cli_options *options) {
        size_t count = 0;
        for (size_t i = 0; i < options->argument_count; i++)
                count += strcmp(options->arguments[i], "-") == 0;
        if (count > 1)
                fputs("commute schema: standard input (-) can be read once\n", stderr);
        return count > 1;
}

bool schema_file_read(const char *path, size_t most, struct buffer *text, struct error *error) {
        bool standard = path[0] == '-' && !path[1];
        if (!path[0])
                return error_set(error, ERROR_NOT_FOUND, "an empty name is that of no file");
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

static void append_beside(struct buffer *path, const struct schema_files *files, struct bytes uri) {
        buffer_append(path, bytes_of(files->folder));
        append_decoded(path, uri);
        buffer_append_byte(path, '\0');
}

// A file that a reference names: in the schema's folder, or in that of --with, which says that they may be read.
static bool read_beside(struct schema_files *files, struct bytes uri, struct bytes *ret_source, struct error *error) {
        CLEANUP(buffer_free) struct buffer path = {0}, text = {0};
        append_beside(&path, files, uri);
        if (strstr(path.data + strlen(files->folder), "../") && !schema_with_contains(&files->with, path.data))
                return error_set(error, ERROR_NOT_FOUND, "it is neither in the schema's folder nor in one given by --with");
        if (!schema_file_read(path.data, SCHEMA_BYTES_MAX, &text, error))
                return false;
        *ret_source = arena_copy(&files->arena, buffer_bytes(&text));
        return true;
}

// What is no JSON is an error of that file, and not of the reference.
static bool check_json(struct schema_files *files, struct bytes uri, struct bytes source, struct error *error) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        const struct json *root;
        if (json_parse(source, &limits, &arena, &root, error))
                return true;
        files->wrong = schema_files_path(files, uri);
        files->why = *error;
        return false;
}

static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct schema_files *files = user;
        const struct schema_given *given;
        struct bytes source;
        struct error why;
        bool found = schema_with_find(&files->with, uri, &given, &why);
        if (found)
                source = given->source;
        else if (why.code == ERROR_NOT_FOUND && is_path(uri))
                found = read_beside(files, uri, &source, &why) && check_json(files, uri, source, &why);
        if (found)
                *ret_source = source;
        else if (error)
                *error = why;
        return found;
}

bool schema_files_find(struct schema_files *files, struct bytes uri, struct bytes *ret_source) {
        return files->folder && resolve(files, uri, ret_source, NULL);
}

const char *schema_files_path(struct schema_files *files, struct bytes uri) {
        CLEANUP(buffer_free) struct buffer path = {0};
        const struct schema_given *given;
        if (schema_with_find(&files->with, uri, &given, NULL))
                return given->path;
        if (!files->folder || !is_path(uri))
                return arena_text(&files->arena, uri);
        append_beside(&path, files, uri);
        return arena_text(&files->arena, bytes_of(path.data));
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
        const char *slash = strrchr(path, '/');
        arena_reset(&files->arena);
        files->path = path;
        files->wrong = NULL;
        files->options = (struct schema_options){.draft = draft_of(options->value[CLI_DRAFT]), .resolve = resolve,
                                                 .assert_format = options->given[CLI_FORMAT_ASSERTION]};
        files->options.user = files;
        files->folder = arena_text(&files->arena, (struct bytes){path, slash ? (size_t)(slash - path) + 1 : 0});
        if (!schema_file_read(path, SCHEMA_BYTES_MAX, &text, error))
                return false;
        files->source = arena_copy(&files->arena, buffer_bytes(&text));
        if (schema_with_load(&files->with, options, error))
                return true;
        files->wrong = files->with.wrong;
        files->why = *error;
        return false;
}

void schema_files_free(struct schema_files *files) {
        arena_free(&files->arena);
        schema_with_free(&files->with);
        *files = (struct schema_files){0};
}

bool schema_files_compile(struct schema_files *files, struct schema **ret_schema, struct error *error) {
        return schema_compile(files->source, &files->options, ret_schema, error);
}
