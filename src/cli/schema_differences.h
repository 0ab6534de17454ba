// SPDX-License-Identifier: Apache-2.0
// How the differences between two schemas are told, whoever has found them: `schema diff`, or the registry that `schema register` asked.
#pragma once

#include "cli/cli_priv.h"
#include "json/json.h"
#include "json/writer.h"

struct schema_told {
        const char *name, *place, *sentence;    // "TYPE_NARROWED", "#/properties/a/type", what is different
        const char *file;                       // that has the place; NULL: it is in `version` of the subject
        uint64_t version;
        struct json_position position;          // line 0: not known
        bool uncertain, tolerated;
};

// What one schema may read of what the other allows.
struct schema_direction {
        const char *name, *question;            // "BACKWARD", and what is said if it does not hold: schema_backward, schema_forward
        bool holds;
        struct schema_told *told;
        size_t count;
};
extern const struct schema_direction schema_backward, schema_forward;           // that hold

// Of a place in the document itself: "#/properties/a". False: it is in another one.
MUST_USE bool schema_told_find(const char *place, struct bytes source, const struct json *root, struct json_position *ret_position);
void schema_direction_print(const struct schema_direction *direction);
// An array.
void schema_direction_write(struct json_writer *writer, const struct schema_direction *direction);
