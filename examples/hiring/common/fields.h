// SPDX-License-Identifier: Apache-2.0
// Strict reading of a JSON body: exactly the listed fields, of the listed types, within limits.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_LIMIT_BYTES 200

enum field_kind { FIELD_INTEGER, FIELD_TEXT, FIELD_TEXT_OR_EMPTY };

struct field {
        const char *name;            // NULL ends the table
        enum field_kind kind;
        void *where;                 // int64_t * or const char ** (lives as long as the body)
        int64_t minimum, maximum;    // of an integer
        bool optional;               // `where` keeps its default
};

// Parses `text`. Returns the body (the caller decrefs) or NULL; then *ret_status is 400 (not JSON) or 422 (not as expected)
// and *ret_problem says what is wrong (the caller frees it). Malformed: bad JSON, duplicate keys, integers beyond 64 bits.
json_t *fields_read(const char *text, size_t size, const struct field *fields, int *ret_status, char **ret_problem);
