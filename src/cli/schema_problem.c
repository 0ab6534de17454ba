// SPDX-License-Identifier: Apache-2.0
#include "cli/schema_problem.h"

#include <stdio.h>

#include "json/pointer.h"

static bool is_there(const struct schema_place *place, struct bytes source, const struct json *root) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_pointer pointer;
        if (!json_pointer_parse(place->pointer, &arena, &pointer, NULL))
                return false;
        const struct json *node = json_pointer_resolve(&pointer, root);
        if (!node)
                return false;
        struct json_position position = json_position(source, json_offset(node));
        return position.line == place->line && position.column == place->column;
}

// Where a key looks like the end of a pointer, the one that is in the document at that line and column.
static bool find_place(struct schema_files *files, const char *text, struct schema_place *ret_place) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        struct schema_place other;
        struct bytes source = files->source;
        const struct json *root;
        if (!schema_place_parse(text, 0, ret_place))
                return false;
        if (!schema_place_parse(text, 1, &other) || (other.uri.data && !schema_files_find(files, other.uri, &source)) ||
            !json_parse(source, &limits, &arena, &root, NULL))
                return true;
        for (size_t i = 0; schema_place_parse(text, i, &other); i++) {
                if (is_there(&other, source, root)) {
                        *ret_place = other;
                        break;
                }
        }
        return true;
}

static void set_place(struct schema_problem *problem, const struct schema_place *place, struct arena *arena) {
        problem->place = *place;
        problem->pointer = place->pointer.data ? arena_text(arena, place->pointer) : NULL;
        problem->sentence = place->pointer.data || problem->code != ERROR_INVALID ? place->sentence :
                                                                                    arena_print(arena, "not JSON: %s", place->sentence);
}

void schema_problem_find(struct schema_files *files, const struct error *error, struct schema_problem *ret_problem) {
        struct schema_problem problem = {.code = error->code, .file = files->path, .sentence = schema_file_error(files->path, error)};
        struct schema_place place;
        bool with = files->wrong && files->wrong == files->with.wrong;
        bool placed = !with && find_place(files, problem.sentence, &place);
        if (placed)
                set_place(&problem, &place, &files->arena);
        if (placed && place.uri.data)
                problem.file = schema_files_path(files, place.uri);
        if (files->wrong) {
                if (files->wrong[0])
                        problem.referrer = placed ? arena_print(&files->arena, "%s:%zu:%zu", problem.file, place.line, place.column) :
                                                    "--with";
                problem.file = files->wrong;
                problem.place = (struct schema_place){0};
                problem.pointer = NULL;
                problem.sentence = schema_file_error(files->wrong, &files->why);
                if (schema_place_parse(problem.sentence, 0, &place))
                        set_place(&problem, &place, &files->arena);
        }
        *ret_problem = problem;
}

void schema_problem_print(const struct schema_problem *problem) {
        char at[48] = ": ";
        const char *pointer = problem->pointer, *referrer = problem->referrer;
        if (problem->place.line)
                snprintf(at, sizeof at, ":%zu:%zu: ", problem->place.line, problem->place.column);
        cli_print_line(stderr, "%s%s%s%s%s%s%s%s%s", problem->place.line ? "" : "commute: ", problem->file, problem->file[0] ? at : "",
                       pointer ? (pointer[0] ? pointer : "the document") : "", pointer ? ": " : "", problem->sentence,
                       referrer ? " (named by " : "", referrer ? referrer : "", referrer ? ")" : "");
}

void schema_place_write(struct json_writer *writer, const struct schema_place *place) {
        if (!place->line)
                return;
        json_member_u64(writer, "line", place->line);
        json_member_u64(writer, "column", place->column);
        if (place->pointer.data)
                json_member_bytes(writer, "keywordLocation", place->pointer);
        else
                json_member_u64(writer, "byte", place->byte);
}

void schema_problem_write(struct json_writer *writer, const char *asked, const struct schema_problem *problem) {
        json_member_text(writer, "error", problem->sentence);
        json_member_text(writer, "code", error_name(problem->code));
        schema_place_write(writer, &problem->place);
        if (problem->file[0] && strcmp(problem->file, asked) != 0)
                json_member_text(writer, "errorFile", problem->file);
}

int schema_problem_fail(const struct cli_options *options, struct schema_files *files, const struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        struct schema_problem problem;
        schema_problem_find(files, error, &problem);
        if (!options->given[CLI_JSON]) {
                schema_problem_print(&problem);
                return error_exit_status(error->code);
        }
        json_begin_object(&writer);
        json_member_text(&writer, "error", error_name(problem.code));
        json_member_text(&writer, "message", problem.sentence);
        if (problem.file[0])
                json_member_text(&writer, "file", problem.file);
        schema_place_write(&writer, &problem.place);
        json_end_object(&writer);
        json_end(&writer);
        cli_print(buffer_bytes(&text));
        return error_exit_status(error->code);
}
