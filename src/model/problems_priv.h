// SPDX-License-Identifier: Apache-2.0
// Collects what is wrong in a configuration, with its place. Sorted by line when the reading is over; the first
// MODEL_PROBLEMS_MAX are kept.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "model/model.h"

struct yaml_node;

struct problem {
        unsigned line, column;
        enum error_code code;
        const char *place, *sentence;
};

enum { PROBLEMS_KEPT = 200 };

struct problems {
        struct arena *arena;                            // of the texts
        struct problem list[PROBLEMS_KEPT];
        size_t count;                                   // all of them; those beyond PROBLEMS_KEPT are only counted
};

// Adds a problem at a node (NULL: the file as a whole). Always false.
bool problem_add(struct problems *problems, const struct yaml_node *node, const char *format, ...) PRINTF_LIKE(3, 4);
bool problem_add_code(struct problems *problems, const struct yaml_node *node, enum error_code code, const char *format, ...)
        PRINTF_LIKE(4, 5);
bool problem_add_at(struct problems *problems, unsigned line, unsigned column, enum error_code code, const char *sentence);
// The same with an error's code and sentence.
bool problem_add_error(struct problems *problems, const struct yaml_node *node, const struct error *error);

// Sorts, copies the first ones to *ret_problems (may be NULL) and says the first as *error. path: of the file.
void problems_finish(struct problems *problems, const char *path, struct model_problems *ret_problems, struct error *error);

// The one of `names` that a person most likely meant by `given`; NULL when none is near.
const char *problem_nearest(struct bytes given, const char *const *names, size_t count);
