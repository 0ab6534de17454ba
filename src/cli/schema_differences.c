// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_differences.h"

#include <stdio.h>

#include "json/pointer.h"

const struct schema_direction schema_backward = {
        "BACKWARD", "no: readers with the new schema cannot read all that was written with the old", true, NULL, 0,
};
const struct schema_direction schema_forward = {
        "FORWARD", "no: readers with the old schema cannot read all that is written with the new", true, NULL, 0,
};

bool schema_told_find(const char *place, struct bytes source, const struct json *root, struct json_position *ret_position) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_pointer pointer;
        if (place[0] != '#' || !json_pointer_parse(bytes_of(place + 1), &arena, &pointer, NULL))
                return false;
        const struct json *node = json_pointer_resolve(&pointer, root);
        if (node)
                *ret_position = json_position(source, json_offset(node));
        return node != NULL;
}

void schema_direction_print(const struct schema_direction *direction) {
        printf("%-9s %s\n", direction->name, direction->holds ? "yes" : direction->question);
        for (size_t i = 0; i < direction->count; i++) {
                const struct schema_told *told = &direction->told[i];
                char at[48] = "";
                if (told->position.line)
                        snprintf(at, sizeof at, "%zu:%zu:", told->position.line, told->position.column);
                else if (!told->file)
                        snprintf(at, sizeof at, "version %ju:", (uintmax_t)told->version);
                cli_print_line(stdout, "  %s%s%s %s: %s%s: %s", told->file ? told->file : "", told->file ? ":" : "", at, told->place,
                               told->tolerated ? "allowed: " : told->uncertain ? "not decided: " : "", told->name, told->sentence);
        }
}

void schema_direction_write(struct json_writer *writer, const struct schema_direction *direction) {
        json_begin_array(writer);
        for (size_t i = 0; i < direction->count; i++) {
                const struct schema_told *told = &direction->told[i];
                json_begin_object(writer);
                json_member_text(writer, "errorType", told->name);
                if (told->file)
                        json_member_text(writer, "file", told->file);
                else
                        json_member_u64(writer, "version", told->version);
                json_member_text(writer, "place", told->place);
                if (told->position.line) {
                        json_member_u64(writer, "line", told->position.line);
                        json_member_u64(writer, "column", told->position.column);
                }
                json_member_text(writer, "description", told->sentence);
                json_member_boolean(writer, "decided", !told->uncertain);
                json_member_boolean(writer, "allowed", told->tolerated);
                json_end_object(writer);
        }
        json_end_array(writer);
}
