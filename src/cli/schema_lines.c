// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/schema_files.h"

enum { STEP = 64 * 1024 };              // small enough to stay in the cache

bool schema_lines_open(struct schema_lines *lines, const char *path, struct error *error) {
        *lines = (struct schema_lines){.path = path, .fd = -1};
        lines->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        return lines->fd >= 0 || schema_file_wrong(lines->path, error);
}

void schema_lines_close(struct schema_lines *lines) {
        if (lines->fd > STDIN_FILENO)
                close(lines->fd);
        lines->fd = -1;
        buffer_free(&lines->text);
}

// Reads more behind what is there, which is moved to the front first.
static bool read_more(struct schema_lines *lines, struct error *error) {
        ssize_t size;
        if (lines->at) {
                lines->text.size -= lines->at;
                memmove(lines->text.data, lines->text.data + lines->at, lines->text.size);
                lines->at = 0;
        }
        fflush(stdout);                         // what was said so far, if more takes its time; the command's end sees a failure
        do {
                size = read(lines->fd, buffer_reserve(&lines->text, STEP), STEP);
        } while (size < 0 && errno == EINTR);
        if (size < 0)
                return schema_file_wrong(lines->path, error);
        lines->text.size += (size_t)size;
        lines->ended = size == 0;
        return true;
}

enum schema_line schema_lines_next(struct schema_lines *lines, size_t most, struct bytes *ret_line, struct error *error) {
        bool longer = false;
        const char *end = NULL;
        size_t searched = 0;
        while (true) {
                const char *start = lines->text.data + lines->at;
                size_t size = lines->text.size - lines->at;
                end = size > searched ? memchr(start + searched, '\n', size - searched) : NULL;
                if (end || lines->ended)
                        break;
                longer |= size > most;
                if (longer)                     // it is not kept
                        lines->at = lines->text.size;
                searched = longer ? 0 : size;
                if (!read_more(lines, error))
                        return SCHEMA_LINES_FAILED;
        }
        size_t stop = end ? (size_t)(end - lines->text.data) : lines->text.size;
        struct bytes line = {lines->text.data + lines->at, stop - lines->at};
        if (!end && !line.size && !longer)
                return SCHEMA_LINES_END;
        lines->at += line.size + (end != NULL);
        lines->number++;
        if (longer || line.size > most)
                return SCHEMA_LINE_LONG;
        line.size -= line.size && line.data[line.size - 1] == '\r';
        *ret_line = line;
        return SCHEMA_LINE;
}
