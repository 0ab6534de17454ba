// SPDX-License-Identifier: Apache-2.0
// See problems_priv.h. One thread: the reader's. The arena is the reader's; what a caller is given is copied out of it.
#include "model/problems_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/yaml_priv.h"

enum { SENTENCE_MAX = ERROR_TEXT_MAX, NEAREST_NAME_MAX = 64 };

// "communications.COMM-040.headers[2]": the names on the way from the root to the node. A key's place is its value's.
static void append_place(struct buffer *text, const struct yaml_node *node) {
        const struct yaml_node *parent = node->parent;
        if (!parent)
                return;
        append_place(text, parent);
        if (parent->kind == YAML_MAPPING) {
                buffer_append(text, text->size ? BYTES(".") : BYTES(""));
                buffer_append(text, node->key ? node->key->text : node->text);
                return;
        }
        size_t index = 0;
        for (const struct yaml_node *before = parent->first; before && before != node; before = before->next)
                index++;
        buffer_print(text, "[%zu]", index);
}

static const char *place_of(struct problems *problems, const struct yaml_node *node) {
        struct buffer CLEANUP(buffer_free) text = {0};
        if (node)
                append_place(&text, node);
        return arena_text(problems->arena, buffer_bytes(&text));
}

static bool keep(struct problems *problems, struct problem problem) {
        if (problems->count < PROBLEMS_KEPT)
                problems->list[problems->count] = problem;
        problems->count++;
        return false;
}

bool problem_add_at(struct problems *problems, unsigned line, unsigned column, enum error_code code, const char *sentence) {
        return keep(problems, (struct problem){line, column, code, "", arena_text(problems->arena, bytes_of(sentence))});
}

// Values of the file stand in the sentences: what would move a terminal's cursor does not.
static void make_printable(char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < ' ' || *text == 0x7f)
                        *text = '?';
}

PRINTF_LIKE(4, 0)
static bool add(struct problems *problems, const struct yaml_node *node, enum error_code code, const char *format, va_list list) {
        char text[SENTENCE_MAX];
        vsnprintf(text, sizeof text, format, list);
        make_printable(text);
        return keep(problems, (struct problem){node ? node->line : 0, node ? node->column : 0, code, place_of(problems, node),
                                               arena_text(problems->arena, bytes_of(text))});
}

bool problem_add(struct problems *problems, const struct yaml_node *node, const char *format, ...) {
        va_list list;
        va_start(list, format);
        add(problems, node, ERROR_INVALID, format, list);
        va_end(list);
        return false;
}

bool problem_add_code(struct problems *problems, const struct yaml_node *node, enum error_code code, const char *format, ...) {
        va_list list;
        va_start(list, format);
        add(problems, node, code, format, list);
        va_end(list);
        return false;
}

bool problem_add_error(struct problems *problems, const struct yaml_node *node, const struct error *error) {
        return problem_add_code(problems, node, error->code, "%s", error->text);
}

static int compare_problems(const void *left, const void *right) {
        const struct problem *a = left, *b = right;
        if (a->line != b->line)
                return a->line < b->line ? -1 : 1;
        return a->column == b->column ? 0 : a->column < b->column ? -1 : 1;
}

// UNSUPPORTED only if that is all: a mistake is to be corrected first.
static enum error_code code_of(const struct problems *problems, size_t kept) {
        for (size_t i = 0; i < kept; i++)
                if (problems->list[i].code != ERROR_UNSUPPORTED)
                        return problems->list[i].code;
        return ERROR_UNSUPPORTED;
}

void problems_finish(struct problems *problems, const char *path, struct model_problems *ret_problems, struct error *error) {
        ASSERT(problems->count > 0);
        size_t kept = MIN(problems->count, (size_t)PROBLEMS_KEPT);
        qsort(problems->list, kept, sizeof problems->list[0], compare_problems);
        const struct problem *first = &problems->list[0];
        enum error_code code = code_of(problems, kept);
        if (first->line)
                IGNORE(error_set(error, code, "%s:%u:%u: %s%s%s", path, first->line, first->column, first->place,
                                 *first->place ? ": " : "", first->sentence));  // always false
        else
                IGNORE(error_set(error, code, "%s: %s", path, first->sentence));        // always false
        if (!ret_problems)
                return;
        for (size_t i = 0; i < MIN(kept, (size_t)MODEL_PROBLEMS_MAX); i++) {
                const struct problem *from = &problems->list[i];
                ret_problems->list[i] = (struct model_problem){
                        from->line, from->column, arena_text(&ret_problems->arena, bytes_of(from->place)),
                        arena_text(&ret_problems->arena, bytes_of(from->sentence))};
        }
        ret_problems->count = MIN(kept, (size_t)MODEL_PROBLEMS_MAX);
        ret_problems->omitted = problems->count - ret_problems->count;
}

void model_problems_free(struct model_problems *problems) {
        arena_free(&problems->arena);
        problems->count = problems->omitted = 0;
}

// Edits (insert, remove, replace) between two short names.
static size_t distance(struct bytes a, struct bytes b) {
        size_t row[NEAREST_NAME_MAX + 1];
        for (size_t j = 0; j <= b.size; j++)
                row[j] = j;
        for (size_t i = 1; i <= a.size; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= b.size; j++) {
                        size_t replace = diagonal + (a.data[i - 1] != b.data[j - 1]);
                        diagonal = row[j];
                        row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[b.size];
}

const char *problem_nearest(struct bytes given, const char *const *names, size_t count) {
        const char *nearest = NULL;
        size_t least = MAX((size_t)2, given.size / 3) + 1;
        if (given.size < 2 || given.size > NEAREST_NAME_MAX)
                return NULL;
        for (size_t i = 0; i < count; i++) {
                struct bytes name = bytes_of(names[i]);
                if (name.size > NEAREST_NAME_MAX)
                        continue;
                size_t edits = distance(given, name);
                if (edits < least && edits < name.size && edits < given.size) {
                        least = edits;
                        nearest = names[i];
                }
        }
        return nearest;
}
