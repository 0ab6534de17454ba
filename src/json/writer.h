// SPDX-License-Identifier: Apache-2.0
// Writes JSON into a buffer, piece by piece: the control API, `--json`, events, templates. Wrong nesting is a bug of the caller
// and asserts. Strings should be UTF-8: a byte that belongs to no valid
// sequence is written as U+FFFD. Not for several threads.
//
//      struct json_writer writer = {.buffer = &buffer};
//      json_begin_object(&writer);
//      json_key(&writer, "lanes");
//      json_u64(&writer, 7);
//      json_end_object(&writer);
//      json_end(&writer);
#pragma once

#include "json/json.h"

enum { JSON_WRITER_DEPTH_MAX = 1024 };

struct json_writer {
        struct buffer *buffer;
        bool pretty;                    // two spaces a level, one member a line
        // private
        bool after_key, done;
        unsigned depth;
        uint64_t object[JSON_WRITER_DEPTH_MAX / 64];    // bit: this level is an object
        uint64_t filled[JSON_WRITER_DEPTH_MAX / 64];    // bit: this level has something
};

void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *key);
void json_key_bytes(struct json_writer *writer, struct bytes key);
void json_string(struct json_writer *writer, struct bytes value);
void json_string_text(struct json_writer *writer, const char *value);           // NULL is written as null
void json_string_print(struct json_writer *writer, const char *format, ...) PRINTF_LIKE(2, 3);
void json_i64(struct json_writer *writer, int64_t value);
void json_u64(struct json_writer *writer, uint64_t value);
void json_fixed(struct json_writer *writer, double value, unsigned decimals);   // finite; 1.50 with 2 decimals
void json_boolean(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
void json_node(struct json_writer *writer, const struct json *node);            // a parsed value, its numbers as written
void json_raw(struct json_writer *writer, struct bytes value);                  // the text of one JSON value: a number, …
void json_end(struct json_writer *writer);                                      // asserts that one whole value was written

// {"KEY": …} in one call.
void json_member_text(struct json_writer *writer, const char *key, const char *value);
void json_member_bytes(struct json_writer *writer, const char *key, struct bytes value);
void json_member_i64(struct json_writer *writer, const char *key, int64_t value);
void json_member_u64(struct json_writer *writer, const char *key, uint64_t value);
void json_member_boolean(struct json_writer *writer, const char *key, bool value);

// Appends the string with its quotes, escaped.
void json_quote(struct buffer *buffer, struct bytes value);
