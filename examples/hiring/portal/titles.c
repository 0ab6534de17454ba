// SPDX-License-Identifier: Apache-2.0
// "[Knowledge Area] Title", for cards that still say it so. The same decisions as mappings/TaskCreated.v1.up.jq has (README.md):
// the bracket that closes the first one, brackets between counted; then exactly one space; neither part is blank. Brackets and
// the space are single bytes of UTF-8, and no other character contains them, so that bytes may be looked at.
#include <string.h>

#include "portal/portal.h"

// Bytes of the white space character (Unicode's White_Space) that `text` begins with; 0: none.
static size_t white_space(const char *text)
{
        static const char *const wide[] = {
                "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83",
                "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A",
                "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
        };
        if ((*text >= '\t' && *text <= '\r') || *text == ' ')
                return 1;
        for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
                if (strncmp(text, wide[i], strlen(wide[i])) == 0)
                        return strlen(wide[i]);
        return 0;
}

static bool blank(const char *text)
{
        size_t size;
        while ((size = white_space(text)) > 0)
                text += size;
        return !*text;
}

bool title_split(char *text, const char **ret_area, const char **ret_title)
{
        char *end = text;
        size_t depth = 0;
        if (text[0] != '[')
                return false;
        do {
                depth += *end == '[';
                depth -= *end == ']';
        } while (depth > 0 && *++end);
        if (depth > 0 || end[1] != ' ' || blank(end + 2))
                return false;
        *end = '\0';
        if (blank(text + 1)) {
                *end = ']';
                return false;
        }
        *ret_area = text + 1;
        *ret_title = end + 2;
        return true;
}
