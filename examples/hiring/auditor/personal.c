// SPDX-License-Identifier: Apache-2.0
// Managers' personal values, looked for byte by byte in files: every name, surname, e-mail and login that any manager ever had
// (staff's history), as UTF-8, and where they differ as JSON escapes and as a URL would carry them.
//
// A value of which another is the beginning is left out: who holds the longer holds the shorter. So at any place at most one value
// can begin: the largest that is not greater than what stands there. Places whose first four bytes begin no value are skipped.
// A value of less than four bytes cannot be looked for: the process ends (2) and says so.
#include "auditor/audit.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/memory.h"

#define VALUE_LEAST_BYTES 4
#define FILTER_BITS 16
#define SHOWN_PLACES 20

struct value {
        char *text;
        size_t size;
        const char *field;
};

static struct {
        struct value *values;
        size_t count, capacity;
        unsigned char filter[(1 << FILTER_BITS) / 8];
        int64_t found;
        json_t *list;
} search;                            // of this process: nftw gives its function no argument

static unsigned filter_of(const unsigned char *bytes)
{
        uint32_t first;
        memcpy(&first, bytes, sizeof(first));
        return first * 2654435761U >> (32 - FILTER_BITS);
}

static int compare(const void *a, const void *b)
{
        const struct value *left = a, *right = b;
        int order = memcmp(left->text, right->text, left->size < right->size ? left->size : right->size);
        return order ? order : left->size < right->size ? -1 : left->size > right->size;
}

// Takes `text`.
static void add(char *text, const char *field)
{
        if (strlen(text) < VALUE_LEAST_BYTES)
                die("a manager's %s has less than %d bytes: it cannot be told from other bytes", field, VALUE_LEAST_BYTES);
        if (search.count == search.capacity) {
                search.capacity = search.capacity ? search.capacity * 2 : 1024;
                search.values = must_resize(search.values, search.capacity * sizeof(*search.values));
        }
        search.values[search.count++] = (struct value){ text, strlen(text), field };
}

// The caller frees it.
static char *as_json(const char *text)
{
        json_t *string = json_string(text);
        char *quoted = json_dumps(string, JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
        char *inner = must_print("%.*s", (int)strlen(quoted) - 2, quoted + 1);
        json_decref(string);
        free(quoted);
        return inner;
}

static char *as_url(const char *text)
{
        static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
        char *made = must_allocate(strlen(text) * 3 + 1), *at = made;
        static const char digits[] = "0123456789ABCDEF";
        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                if (strchr(unreserved, *c)) {
                        *at++ = (char)*c;
                        continue;
                }
                *at++ = '%';
                *at++ = digits[*c >> 4];
                *at++ = digits[*c & 15];
        }
        return made;
}

// Small hexadecimal digits behind each `mark`, of `digits` of them.
static char *with_small_digits(const char *text, const char *mark, size_t digits)
{
        char *made = must_print("%s", text);
        for (char *at = made; (at = strstr(at, mark)); ) {
                at += strlen(mark);
                for (size_t i = 0; i < digits && *at; i++, at++)
                        if (*at >= 'A' && *at <= 'F')
                                *at = (char)(*at - 'A' + 'a');
        }
        return made;
}

static void add_forms(const char *text, const char *field)
{
        FREED char *json = as_json(text), *url = as_url(text);
        FREED char *small_json = with_small_digits(json, "\\u", 4), *small_url = with_small_digits(url, "%", 2);
        const char *const forms[] = { text, json, small_json, url, small_url };
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
                add(must_print("%s", forms[i]), field);         // the same form twice is one value: gather drops it
}

static void gather(sqlite3 *connection)
{
        static const char *const fields[] = { "name", "surname", "work_email", "staff_login" };
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
                FREED char *sql = must_print("SELECT DISTINCT json_extract(body, '$.%s') FROM staff.manager_history"
                                             " WHERE body IS NOT NULL UNION SELECT %s FROM staff.managers", fields[i], fields[i]);
                sqlite3_stmt *rows = NULL;
                if (sqlite3_prepare_v2(connection, sql, -1, &rows, NULL) != SQLITE_OK)
                        die("cannot audit: %s", sqlite3_errmsg(connection));
                while (sqlite3_step(rows) == SQLITE_ROW)
                        add_forms((const char *)sqlite3_column_text(rows, 0), fields[i]);
                sqlite3_finalize(rows);
        }
        qsort(search.values, search.count, sizeof(*search.values), compare);
        size_t kept = 0;
        for (size_t i = 0; i < search.count; i++) {
                struct value *value = &search.values[i], *before = kept ? &search.values[kept - 1] : NULL;
                if (before && before->size <= value->size && memcmp(before->text, value->text, before->size) == 0) {
                        free(value->text);
                        continue;
                }
                unsigned bit = filter_of((const unsigned char *)value->text);
                search.filter[bit / 8] |= (unsigned char)(1U << bit % 8);
                search.values[kept++] = *value;
        }
        search.count = kept;
}

// The value that `bytes` begins with; NULL: none.
static const struct value *value_at(const unsigned char *bytes, size_t size)
{
        unsigned bit = filter_of(bytes);
        if (!(search.filter[bit / 8] & 1U << bit % 8))
                return NULL;
        size_t low = 0, high = search.count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                const struct value *value = &search.values[middle];
                int order = memcmp(value->text, bytes, value->size < size ? value->size : size);
                if (order < 0 || (order == 0 && value->size <= size))
                        low = middle + 1;
                else
                        high = middle;
        }
        const struct value *value = low ? &search.values[low - 1] : NULL;
        return value && value->size <= size && memcmp(value->text, bytes, value->size) == 0 ? value : NULL;
}

static void note(const char *path, size_t at, const char *field)
{
        if (++search.found > SHOWN_PLACES)
                return;
        FREED char *text = must_print("%s, byte %zu: a manager's %s", path, at, field);
        if (search.list)
                json_array_append_new(search.list, json_pack("{s:s,s:s,s:s}", "kind", "wrong", "about", "personal", "finding", text));
        else
                printf("finding: wrong: personal: %s\n", text);
}

static void search_file(const char *path)
{
        struct stat status;
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || fstat(file, &status) != 0)
                die("cannot search %s: %m", path);
        size_t size = (size_t)status.st_size;
        if (size >= VALUE_LEAST_BYTES) {
                const unsigned char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
                if (bytes == MAP_FAILED)
                        die("cannot search %s: %m", path);
                for (size_t at = 0; at + VALUE_LEAST_BYTES <= size; at++) {
                        const struct value *value = value_at(bytes + at, size - at);
                        if (value)
                                note(path, at, value->field);
                }
                munmap((void *)(uintptr_t)bytes, size);
        }
        close(file);
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
        (void)place;
        if (kind == FTW_DNR || kind == FTW_NS)
                die("cannot search %s", path);
        if (kind == FTW_F && S_ISREG(status->st_mode))
                search_file(path);
        return 0;
}

int64_t personal_search(sqlite3 *connection, const char *const *folders, const char *database, json_t *list)
{
        search.list = list;
        gather(connection);
        for (; *folders; folders++)
                if (nftw(*folders, visit, 16, FTW_PHYS) != 0)
                        die("cannot search %s: %m", *folders);
        static const char *const suffixes[] = { "", "-wal", "-journal" };
        for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
                FREED char *path = must_print("%s%s", database, suffixes[i]);
                if (i == 0 || access(path, F_OK) == 0)
                        search_file(path);
        }
        if (search.found > SHOWN_PLACES && !list)
                printf("finding: wrong: personal: … and %" PRId64 " more\n", search.found - SHOWN_PLACES);
        for (size_t i = 0; i < search.count; i++)
                free(search.values[i].text);
        free(search.values);
        return search.found;
}
