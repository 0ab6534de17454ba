// SPDX-License-Identifier: Apache-2.0
// What the parts of the suite's program share: one run of one part of one draft, and its counts.
#pragma once

#include "schema/schema.h"

struct run {
        const char *tests, *remotes, *draft_name, *part;
        enum schema_draft draft;
        struct schema_options options;
        struct buffer remote;                   // the last one read
        unsigned passed, failed, excepted;
};

MUST_USE bool suite_read(const char *path, struct buffer *buffer);
// NULL: a failure, which was printed.
struct schema *suite_compile(struct run *run, const char *file, const struct json *group);

// One group of a file: a schema, and the tests of it. Results are counted, failures printed.
typedef void suite_group(struct run *run, const char *file, const struct json *group, struct arena *arena);
suite_group suite_output;               // outputs.c
suite_group suite_annotations;          // annotations.c
