// SPDX-License-Identifier: Apache-2.0
// What a task's title says of area and name, as SQL functions area_of(title) and name_of(title). The auditor's own reading of
// the rules in README.md, code point by code point: neither the mappings' (jq) nor portal's.
#include "auditor/audit.h"

#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

// A title whose parts are title[1, area_end) and title[name_begin, size); area_end 0: it is not split.
struct reading {
        size_t area_end, name_begin;
};

// The code point at `at`, and where the next one is. SQLite gives well-formed UTF-8 as the services stored it.
static unsigned point_at(const unsigned char *text, size_t at, size_t *ret_next)
{
        unsigned first = text[at];
        size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        unsigned point = more ? first & (0x3FU >> more) : first;
        size_t next = at + 1;
        for (; more > 0 && text[next]; more--)
                point = point << 6 | (text[next++] & 0x3FU);
        *ret_next = next;
        return point;
}

static bool is_white_space(unsigned point)
{
        switch (point) {
        case ' ': case 0x85: case 0xA0: case 0x1680: case 0x2028: case 0x2029: case 0x202F: case 0x205F: case 0x3000:
                return true;
        default:
                return (point >= 0x09 && point <= 0x0D) || (point >= 0x2000 && point <= 0x200A);
        }
}

static bool says_something(const unsigned char *text, size_t from, size_t to)
{
        while (from < to)
                if (!is_white_space(point_at(text, from, &from)))
                        return true;
        return false;
}

static struct reading read_title(const unsigned char *title, size_t size)
{
        struct reading whole = { 0 };
        size_t open = 0;
        for (size_t at = 0, next; at < size; at = next) {
                unsigned point = point_at(title, at, &next);
                if (at == 0 && point != '[')
                        return whole;
                open += point == '[';
                if (point != ']' || --open > 0)
                        continue;
                bool split = next < size && title[next] == ' ' && says_something(title, 1, at) &&
                             says_something(title, next + 1, size);
                return split ? (struct reading){ .area_end = at, .name_begin = next + 1 } : whole;
        }
        return whole;
}

static void answer(sqlite3_context *context, sqlite3_value *value, bool area)
{
        const unsigned char *title = sqlite3_value_text(value);
        if (!title)
                return;
        size_t size = (size_t)sqlite3_value_bytes(value);
        struct reading reading = read_title(title, size);
        const char *text = (const char *)title;
        size_t length = size;
        if (area) {
                text += reading.area_end > 0;
                length = reading.area_end > 0 ? reading.area_end - 1 : 0;
        } else {
                text += reading.name_begin;
                length -= reading.name_begin;
        }
        sqlite3_result_text(context, text, (int)length, SQLITE_TRANSIENT);
}

static void area_of(sqlite3_context *context, int count, sqlite3_value **values)
{
        (void)count;
        answer(context, values[0], true);
}

static void name_of(sqlite3_context *context, int count, sqlite3_value **values)
{
        (void)count;
        answer(context, values[0], false);
}

void titles_functions(sqlite3 *connection)
{
        int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
        if (sqlite3_create_function(connection, "area_of", 1, flags, NULL, area_of, NULL, NULL) != SQLITE_OK ||
            sqlite3_create_function(connection, "name_of", 1, flags, NULL, name_of, NULL, NULL) != SQLITE_OK)
                die("out of memory");
}
