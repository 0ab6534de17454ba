// SPDX-License-Identifier: Apache-2.0
// `commute schema diff OLD NEW`, offline: which levels of compatibility hold, and what stands in the way, as the registry decides it.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/schema_files.h"
#include "cli/schema_problem.h"
#include "json/pointer.h"
#include "json/writer.h"
#include "schema/compatible.h"

struct document {
        struct schema_files files;
        struct schema *schema;
        const struct json *root;
};

// What one may read of what the other has written.
struct direction {
        const char *name, *question;
        const struct document *writer, *reader;
        bool holds;
        struct schema_difference *differences;
        size_t count;
};

static void document_free(struct document *document) {
        schema_free(document->schema);
        schema_files_free(&document->files);
}

static bool document_open(const struct cli_options *options, const char *path, struct document *document, struct error *error) {
        if (!schema_files_open(&document->files, path, options, error) ||
            !schema_files_compile(&document->files, &document->schema, error))
                return false;
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        return json_parse(document->files.source, &limits, &document->files.arena, &document->root, error);
}

static void compare(struct direction *direction, const char *writer, const char *reader, struct arena *arena) {
        struct schema_compatible_options options = {.defaults = true, .writer_name = writer, .reader_name = reader};
        enum schema_compatibility answer = schema_compatible(direction->writer->schema, direction->reader->schema, &options, arena,
                                                             &direction->differences, &direction->count);
        direction->holds = answer == SCHEMA_COMPATIBLE || answer == SCHEMA_TOLERABLE;
}

// Of a place in the document itself; false: it is in another one.
static bool find_position(const struct document *document, const char *place, struct json_position *ret_position) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_pointer pointer;
        if (place[0] != '#' || !json_pointer_parse(bytes_of(place + 1), &arena, &pointer, NULL))
                return false;
        const struct json *node = json_pointer_resolve(&pointer, document->root);
        if (node)
                *ret_position = json_position(document->files.source, json_offset(node));
        return node != NULL;
}

static void print_text(const struct direction *direction) {
        printf("%-9s %s\n", direction->name, direction->holds ? "yes" : direction->question);
        for (size_t i = 0; i < direction->count; i++) {
                const struct schema_difference *difference = &direction->differences[i];
                const struct document *document = difference->in_writer ? direction->writer : direction->reader;
                struct json_position position;
                char at[48] = "";
                if (find_position(document, difference->place, &position))
                        snprintf(at, sizeof at, "%zu:%zu:", position.line, position.column);
                cli_print_line(stdout, "  %s:%s %s: %s%s: %s", document->files.path, at, difference->place,
                               difference->tolerated ? "allowed: " : difference->uncertain ? "not decided: " : "",
                               schema_difference_name(difference->kind), difference->sentence);
        }
}

static void print_json(struct json_writer *writer, const struct direction *direction) {
        json_begin_array(writer);
        for (size_t i = 0; i < direction->count; i++) {
                const struct schema_difference *difference = &direction->differences[i];
                const struct document *document = difference->in_writer ? direction->writer : direction->reader;
                struct json_position position;
                json_begin_object(writer);
                json_member_text(writer, "errorType", schema_difference_name(difference->kind));
                json_member_text(writer, "file", document->files.path);
                json_member_text(writer, "place", difference->place);
                if (find_position(document, difference->place, &position)) {
                        json_member_u64(writer, "line", position.line);
                        json_member_u64(writer, "column", position.column);
                }
                json_member_text(writer, "description", difference->sentence);
                json_member_boolean(writer, "decided", !difference->uncertain);
                json_member_boolean(writer, "allowed", difference->tolerated);
                json_end_object(writer);
        }
        json_end_array(writer);
}

static void print(const struct cli_options *options, const struct direction *backward, const struct direction *forward) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        bool full = backward->holds && forward->holds;
        if (!options->given[CLI_JSON]) {
                print_text(backward);
                print_text(forward);
                printf("%-9s %s\n", "FULL", full ? "yes" : "no");
                return;
        }
        json_begin_object(&writer);
        json_key(&writer, "levels");
        json_begin_object(&writer);
        json_member_boolean(&writer, "BACKWARD", backward->holds);
        json_member_boolean(&writer, "FORWARD", forward->holds);
        json_member_boolean(&writer, "FULL", full);
        json_end_object(&writer);
        json_key(&writer, "backward");
        print_json(&writer, backward);
        json_key(&writer, "forward");
        print_json(&writer, forward);
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
}

int cli_schema_diff(const struct cli_options *options) {
        CLEANUP(document_free) struct document old = {0};
        CLEANUP(document_free) struct document new = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct error error;
        if (!document_open(options, options->arguments[0], &old, &error))
                return schema_problem_fail(options, &old.files, &error);
        if (!document_open(options, options->arguments[1], &new, &error))
                return schema_problem_fail(options, &new.files, &error);
        struct direction backward = {"BACKWARD", "no: readers with the new schema cannot read all that was written with the old",
                                     &old, &new, false, NULL, 0};
        struct direction forward = {"FORWARD", "no: readers with the old schema cannot read all that is written with the new",
                                    &new, &old, false, NULL, 0};
        compare(&backward, "old", "new", &arena);
        compare(&forward, "new", "old", &arena);
        print(options, &backward, &forward);
        return backward.holds ? 0 : error_exit_status(ERROR_REJECTED);
}
