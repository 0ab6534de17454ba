// SPDX-License-Identifier: Apache-2.0
// JSON documents (RFC 8259, strict): parse, look at, compare, write.
//
// A parsed document is one flat array of nodes in document order, in an arena: a container is followed by what it contains, and
// `span` leads over it. Nothing is converted: a number is its text, so integers have any size and nothing is rounded; a string is
// its decoded bytes (UTF-8), borrowed from the source where it has no escapes. Nodes are immutable once parsed: any thread.
// The arena and the source must outlive the nodes.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

// A node. Read it through the functions below; the fields are here so that they can be inlined.
struct json {
        uint8_t kind;                   // enum json_type
        bool truth;                     // of a boolean
        uint8_t number;                 // of a number: enum json_number_form
        bool dropped;                   // of a key, while parsing: another one goes before it
        uint32_t offset;                // of its first byte in the source
        uint32_t count;                 // bytes of a string or number, elements of an array, members of an object
        uint32_t span;                  // nodes from this one to its next sibling
        union {
                const char *text;       // string: decoded; number: as written
                const struct json_slot *order;  // object of many members: its keys, sorted by hash; else NULL
        };
};
struct json_slot {
        uint32_t hash, at;              // at: distance from the object to the key
};

// What a number's text looks like: 12 | 1.5 or 1e3 (its value may still be an integer).
enum json_number_form { JSON_NUMBER_PLAIN, JSON_NUMBER_FRACTION };

// Limits of one parse. Exceeding one is ERROR_LIMIT; zero means the default.
struct json_limits {
        size_t bytes;                   // of the source; at most JSON_BYTES_MAX
        unsigned depth;                 // containers within each other; at most JSON_DEPTH_MAX
        size_t nodes;                   // values and keys; at most JSON_BYTES_MAX
        bool keep_last;                 // of equal keys in one object the last one counts; else they are refused
};
enum {
        JSON_BYTES_DEFAULT = 16 << 20, JSON_BYTES_MAX = 1 << 30,
        JSON_DEPTH_DEFAULT = 128, JSON_DEPTH_MAX = 512,
        JSON_NODES_DEFAULT = 1 << 20,
        JSON_EXPONENT_MAX = 1000000000, // of a number, as written and with one digit before the point, either sign; beyond: ERROR_LIMIT
};

// With the defaults in place of zeros.
static inline struct json_limits json_limits_of(const struct json_limits *limits) {
        struct json_limits all = limits ? *limits : (struct json_limits){0};
        all.bytes = all.bytes ? all.bytes : JSON_BYTES_DEFAULT;
        all.depth = all.depth ? all.depth : JSON_DEPTH_DEFAULT;
        all.nodes = all.nodes ? all.nodes : JSON_NODES_DEFAULT;
        return all;
}

// Parses one document: exactly one value, white space around it, nothing else. Refused with ERROR_INVALID: invalid UTF-8, lone
// surrogates, two equal keys in one object, a byte order mark, trailing commas, …. The error names line, column (of characters),
// byte offset and what was expected. limits may be NULL. On failure the arena may hold garbage, which its reset frees.
MUST_USE bool json_parse(struct bytes source, const struct json_limits *limits, struct arena *arena, const struct json **ret_root,
                         struct error *error);

static inline enum json_type json_type(const struct json *node) {
        return (enum json_type)node->kind;
}
// "null", "boolean", "number", "string", "array", "object"
const char *json_type_name(enum json_type type);

static inline bool json_is(const struct json *node, enum json_type type) {
        return node && node->kind == type;
}
// Of a boolean.
static inline bool json_bool(const struct json *node) {
        return node->truth;
}
// The decoded bytes of a string, or the text of a number as it was written. May contain NUL (from \u0000).
static inline struct bytes json_text(const struct json *node) {
        return (struct bytes){node->text, node->count};
}
// Elements of an array, members of an object.
static inline size_t json_count(const struct json *node) {
        return node->count;
}
static inline size_t json_offset(const struct json *node) {
        return node->offset;
}
static inline const struct json *json_next(const struct json *node) {
        return node + node->span;
}

// for each element of an array, in order
#define JSON_FOR_EACH(element, array) \
        for (const struct json *element = (array) + 1, *element##_end = json_next(array); element < element##_end; \
             element = json_next(element))
// for each member of an object, in the order of the document; key is a string node
#define JSON_FOR_EACH_MEMBER(key, value, object) \
        for (const struct json *key = (object) + 1, *value = key + 1, *key##_end = json_next(object); key < key##_end; \
             key = json_next(value), value = key + 1)

// The member's value, or NULL when there is none or `object` is NULL or not an object. O(log members), mostly O(1).
const struct json *json_get(const struct json *object, struct bytes key);
// By a C string that is known at compile time: json_get_text(node, "name").
static inline const struct json *json_get_text(const struct json *object, const char *key) {
        return json_get(object, bytes_of(key));
}
// Element `index` of an array, NULL beyond its end. O(index).
const struct json *json_at(const struct json *array, size_t index);

// The exact value, if the node is a number that is an integer (1, 1.0, 10e-1) and fits.
MUST_USE bool json_to_i64(const struct json *node, int64_t *ret_number);
MUST_USE bool json_to_u64(const struct json *node, uint64_t *ret_number);

// Equality of values: members in any order, numbers by exact value, strings by code points. A total order with the same equality.
bool json_equal(const struct json *a, const struct json *b);
int json_compare(const struct json *a, const struct json *b);

// Line and column (both from 1, columns in characters) of a byte offset.
struct json_position {
        size_t offset, line, column;
};
struct json_position json_position(struct bytes source, size_t offset);

// Appends the node's text. Numbers are copied as written; strings are escaped as little as RFC 8259 allows.
void json_write(struct buffer *buffer, const struct json *node);                // no white space
void json_write_pretty(struct buffer *buffer, const struct json *node);         // two spaces a level, no final newline

// Appends the canonical form: equal values have equal bytes. It is RFC 8785 (keys sorted by UTF-16 units, no white space, its
// escapes and its way to write a number) except that numbers keep all their digits: 1, 1.0 and 10e-1 are `1`, -0 is `0`, and
// 12345678901234567890123 is 1.2345678901234567890123e+22. Callers hash these bytes.
void json_canonical(struct buffer *buffer, const struct json *node);
