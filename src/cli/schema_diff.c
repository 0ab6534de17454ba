// SPDX-License-Identifier: Apache-2.0
// `commute schema diff OLD NEW`, offline: which levels of compatibility hold, and what stands in the way, as the registry decides it.
#include "cli/cli_priv.h"

#include <stdio.h>

#include "cli/schema_differences.h"
#include "cli/schema_files.h"
#include "cli/schema_problem.h"
#include "json/writer.h"
#include "schema/compatible.h"

struct document {
        struct schema_files files;
        struct schema *schema;
        const struct json *root;
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

// The file and the position of a place, which may be in another document: "parts/a.json#/type".
static void locate(struct document *document, struct schema_told *told) {
        const char *hash = strchr(told->place, '#');
        struct bytes uri = {told->place, hash ? (size_t)(hash - told->place) : 0}, source = document->files.source;
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        const struct json *root = document->root;
        told->file = document->files.path;
        if (uri.size) {
                if (!schema_files_find(&document->files, uri, &source) ||
                    !json_parse(source, &limits, &document->files.arena, &root, NULL))
                        return;                         // it is built in
                told->file = schema_files_path(&document->files, uri);
        }
        if (hash)
                IGNORE(schema_told_find(hash, source, root, &told->position));          // of more tokens than a pointer may have
}

static void compare(struct schema_direction *direction, struct document *writer, struct document *reader,
                    const char *writer_name, const char *reader_name, struct arena *arena) {
        struct schema_compatible_options options = {.defaults = true, .writer_name = writer_name, .reader_name = reader_name};
        struct schema_difference *differences;
        enum schema_compatibility answer = schema_compatible(writer->schema, reader->schema, &options, arena, &differences,
                                                             &direction->count);
        direction->holds = answer == SCHEMA_COMPATIBLE || answer == SCHEMA_TOLERABLE;
        direction->told = arena_alloc(arena, (direction->count + 1) * sizeof *direction->told);
        for (size_t i = 0; i < direction->count; i++) {
                const struct schema_difference *difference = &differences[i];
                struct schema_told *told = &direction->told[i];
                *told = (struct schema_told){.name = schema_difference_name(difference->kind), .place = difference->place,
                                             .sentence = difference->sentence, .uncertain = difference->uncertain,
                                             .tolerated = difference->tolerated};
                locate(difference->in_writer ? writer : reader, told);
        }
}

static void print(const struct cli_options *options, const struct schema_direction *backward,
                  const struct schema_direction *forward) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        bool full = backward->holds && forward->holds;
        if (!options->given[CLI_JSON]) {
                schema_direction_print(backward);
                schema_direction_print(forward);
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
        schema_direction_write(&writer, backward);
        json_key(&writer, "forward");
        schema_direction_write(&writer, forward);
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
}

int cli_schema_diff(const struct cli_options *options) {
        CLEANUP(document_free) struct document old = {0};
        CLEANUP(document_free) struct document new = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct error error;
        if (schema_names_input_twice(options))
                return CLI_USAGE;
        if (!document_open(options, options->arguments[0], &old, &error))
                return schema_problem_fail(options, &old.files, &error);
        if (!document_open(options, options->arguments[1], &new, &error))
                return schema_problem_fail(options, &new.files, &error);
        struct schema_direction backward = schema_backward, forward = schema_forward;
        compare(&backward, &old, &new, "old", "new", &arena);
        compare(&forward, &new, &old, "new", "old", &arena);
        print(options, &backward, &forward);
        return backward.holds ? 0 : error_exit_status(ERROR_REJECTED);
}
