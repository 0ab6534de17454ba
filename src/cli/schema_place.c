// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_place.h"

#include <ctype.h>
#include <stdlib.h>

static bool take(const char **at, const char *text) {
        size_t size = strlen(text);
        bool there = strncmp(*at, text, size) == 0;
        *at += there ? size : 0;
        return there;
}

static bool take_number(const char **at, size_t *ret_number) {
        char *end = NULL;
        if (!isdigit((unsigned char)**at))
                return false;
        *ret_number = strtoul(*at, &end, 10);
        *at = end;
        return true;
}

// "line 1, column 2", and nothing behind it
static bool take_position(const char **at, struct schema_place *place) {
        return take(at, "line ") && take_number(at, &place->line) && take(at, ", column ") && take_number(at, &place->column);
}

static bool parse_unparsed(const char *at, struct schema_place *ret_place) {
        struct schema_place place = {0};
        take(&at, "schema: ");
        if (!take_position(&at, &place) || !take(&at, " (byte ") || !take_number(&at, &place.byte) || !take(&at, "): "))
                return false;
        place.sentence = at;
        *ret_place = place;
        return true;
}

// A pointer may have a quote in it: it ends where a position follows.
static bool take_pointer(const char *start, size_t skip, struct schema_place *place) {
        for (const char *at = strstr(start, "\" ("); at; at = strstr(at + 1, "\" (")) {
                const char *rest = at + 3;
                if (!take_position(&rest, place) || !take(&rest, "): ") || skip-- > 0)
                        continue;
                place->pointer = (struct bytes){start, (size_t)(at - start)};
                place->sentence = rest;
                return true;
        }
        return false;
}

bool schema_place_parse(const char *text, size_t skip, struct schema_place *ret_place) {
        struct schema_place place = {0};
        const char *at = text;
        if (skip == 0 && parse_unparsed(text, ret_place))
                return true;
        if (!take(&at, "schema"))
                return false;
        if (take(&at, " \"")) {
                const char *end = strstr(at, "\", at \"");
                if (!end)
                        return false;
                place.uri = (struct bytes){at, (size_t)(end - at)};
                at = end + 1;
        }
        if (!take(&at, ", at \"") || !take_pointer(at, skip, &place))
                return false;
        *ret_place = place;
        return true;
}
