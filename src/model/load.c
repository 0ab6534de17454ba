// SPDX-License-Identifier: Apache-2.0
// From a file to a model: read the YAML, read its parts by their tables, seal. All or nothing. One thread; a model that failed is
// freed here, the problems' texts live in it until they have been copied out.
#include "model/reader_priv.h"

#include <stdio.h>
#include <stdlib.h>

static const char *folder_of(const char *path, struct arena *arena) {
        const char *slash = strrchr(path, '/');
        if (!slash)
                return ".";
        return arena_text(arena, (struct bytes){path, MAX((size_t)(slash - path), (size_t)1)});
}

// Reads everything into the model; false: problems were added.
static bool read_model(struct model_owned *model, const char *path, struct bytes text, struct problems *problems) {
        const struct yaml_node *root;
        struct reader reader = {.model = model, .arena = &model->arena, .problems = problems};
        if (text.size > MODEL_FILE_MAX)
                return problem_add_code(problems, NULL, ERROR_LIMIT, "more than %d bytes (MODEL_FILE_MAX)", MODEL_FILE_MAX);
        model->public.path = arena_text(&model->arena, bytes_of(path));
        reader.folder = folder_of(path, &model->arena);
        reader_set_defaults(&reader);
        if (!yaml_read(text, &model->arena, problems, &root) || !reader_mapping(&reader, root, &reader_top, model))
                return false;
        model_seal(model, reader.events, reader.communications);
        return true;
}

bool model_parse(const char *path, struct bytes text, const struct model **ret_model, struct model_problems *ret_problems,
                 struct error *error) {
        struct model_owned *model = must_calloc(1, sizeof *model);
        struct problems CLEANUP(free_pointer) *problems = NULL;
        struct problems *list = problems = must_calloc(1, sizeof *problems);
        list->arena = &model->arena;
        atomic_init(&model->references, 1);
        bool good = read_model(model, path, text, list);
        ASSERT(good == (list->count == 0));
        if (!good) {
                problems_finish(list, path, ret_problems, error);
                model_owned_free(model);
                return false;
        }
        *ret_model = &model->public;
        return true;
}

static bool read_file(const char *path, struct buffer *text, struct error *error) {
        FILE *file = fopen(path, "re");
        if (!file)
                return error_set(error, ERROR_NOT_FOUND, "%s: %m", path);
        enum { STEP = 64 * 1024 };
        size_t got;
        do {                            // one step beyond the limit at most: model_parse refuses what is too large
                got = fread(buffer_reserve(text, STEP), 1, STEP, file);
                text->size += got;
        } while (got == STEP && text->size <= MODEL_FILE_MAX);
        bool failed = ferror(file);
        fclose(file);
        return !failed || error_set(error, ERROR_IO, "%s: cannot be read: %m", path);
}

bool model_load(const char *path, const struct model **ret_model, struct model_problems *ret_problems, struct error *error) {
        struct buffer CLEANUP(buffer_free) text = {0};
        return read_file(path, &text, error) && model_parse(path, buffer_bytes(&text), ret_model, ret_problems, error);
}
