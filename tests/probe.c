// SPDX-License-Identifier: Apache-2.0
// Asks the parts of the schema engine that are about strings: build/tests/probe reads JSON Lines, ["pattern", PATTERN, TEXT…] or
// ["format", NAME, TEXT…] (as in draft 2020-12), and prints for each line one character a text: 1 matches, 0 does not, ? undecided; or
// "invalid", "unsupported", "limit" and why.
#include <stdio.h>

#include "json/json.h"
#include "schema/format.h"
#include "schema/pattern.h"

static void ask_pattern(const struct json *question, struct arena *arena) {
        struct pattern *pattern = NULL;
        struct error error;
        const struct json *source = json_at(question, 1);
        if (!pattern_compile(json_text(source), &pattern, &error)) {
                printf("%s %s\n", error_name(error.code), error.text);
                return;
        }
        size_t at = 0;
        JSON_FOR_EACH(text, question)
                if (at++ >= 2)
                        putchar("01?"[pattern_search(pattern, json_text(text), arena)]);
        putchar('\n');
        pattern_free(pattern);
}

static void ask_format(const struct json *question, struct arena *arena) {
        enum schema_format format = format_find(json_text(json_at(question, 1)), SCHEMA_DRAFT_2020_12);
        size_t at = 0;
        JSON_FOR_EACH(text, question)
                if (at++ >= 2)
                        putchar("10?"[format_check(format, json_text(text), arena)]);
        putchar('\n');
}

static bool ask(struct bytes line, struct arena *arena) {
        const struct json *question;
        struct error error;
        if (!json_parse(line, NULL, arena, &question, &error) || !json_is(question, JSON_ARRAY) || json_count(question) < 2) {
                printf("no question: %.*s\n", BYTES_PRINT(line));
                return false;
        }
        if (bytes_equal(json_text(question + 1), BYTES("pattern")))
                ask_pattern(question, arena);
        else if (bytes_equal(json_text(question + 1), BYTES("format")))
                ask_format(question, arena);
        else
                return false;
        return true;
}

int main(void) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(free_pointer) char *line = NULL;
        size_t capacity = 0;
        for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0; arena_reset(&arena))
                if (!ask((struct bytes){line, (size_t)size}, &arena))
                        return 1;
        return 0;
}
