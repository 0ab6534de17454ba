// SPDX-License-Identifier: Apache-2.0
// Text templates of HTTP requests: "PUT /ratings/{task_id}", "GET /managers?after={cursor}".
//
// A variable is a whole path segment or a whole query value. Values are percent-decoded exactly once when matched and encoded
// again when rendered (all but A–Z a–z 0–9 - . _ ~). In a query `+` is a space, as forms write it. Strict: no empty, `.` or `..`
// segment (encoded or not) is ever matched or rendered, decoded values are UTF-8 without NUL.
// Compile once, use from any thread.
#pragma once

#include "json/template.h"

struct target;

enum { TARGET_BYTES_MAX = 4096, TARGET_VARIABLES_MAX = 16, TARGET_QUERY_MAX = 256 };

// "METHOD /path" or "METHOD /path?name={variable}&name=literal". ERROR_INVALID says what was expected at which column.
MUST_USE bool target_compile(struct bytes source, struct target **ret_target, struct error *error);
void target_free(struct target *target);                        // NULL is allowed

const char *target_method(const struct target *target);
const char *target_source(const struct target *target);         // as written
size_t target_variable_count(const struct target *target);
struct bytes target_variable(const struct target *target, size_t index);        // in the order of the source

enum target_match {
        TARGET_MATCHES,
        TARGET_DIFFERS,                 // another path, or query
        TARGET_OTHER_METHOD,            // its path, with another method: answer 405
        TARGET_MALFORMED,               // a broken escape, dots, NUL, no UTF-8: answer 400
};

// Matches a request; `path` and `query` (without `?`) as they came on the wire. On TARGET_MATCHES the values stand in `values`
// (room for TARGET_VARIABLES_MAX) in the order of target_variable, decoded into the arena where they had escapes. Parameters that
// the target does not mention are ignored; *ret_extra_query (may be NULL) says whether there were any. Those it mentions must be
// there exactly once.
enum target_match target_match(const struct target *target, struct bytes method, struct bytes path, struct bytes query,
                               struct arena *arena, struct named_value *values, bool *ret_extra_query);

// Appends path and query ("/ratings/17?x=y"). ERROR_REJECTED: a variable has no value, or one that may not stand there.
MUST_USE bool target_render(const struct target *target, const struct named_value *values, size_t count, struct buffer *buffer,
                            struct error *error);

// All parameters of a query string, decoded, in order: for $query. ERROR_INVALID, or ERROR_LIMIT beyond TARGET_QUERY_MAX.
MUST_USE bool query_parse(struct bytes query, struct arena *arena, struct named_value **ret_values, size_t *ret_count,
                          struct error *error);
