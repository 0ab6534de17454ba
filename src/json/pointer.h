// SPDX-License-Identifier: Apache-2.0
// JSON pointers (RFC 6901), as strings: "" is the whole document, "/payload/task_id" a member of a member.
// In arrays "0", "1", …: no leading zeros; "-" names no element.
#pragma once

#include "json/json.h"

enum { JSON_POINTER_TOKENS_MAX = 128 };

struct json_pointer {
        struct bytes *tokens;           // unescaped; in the arena it was parsed into
        size_t count;
};

// ERROR_INVALID names the byte of the text that is wrong; more than JSON_POINTER_TOKENS_MAX is ERROR_LIMIT.
// Copies what it needs: the text need not live on.
MUST_USE bool json_pointer_parse(struct bytes text, struct arena *arena, struct json_pointer *ret_pointer, struct error *error);

// The node that the pointer names, or NULL.
const struct json *json_pointer_resolve(const struct json_pointer *pointer, const struct json *root);
// Whether the token is the number of an element: digits without a zero before them.
MUST_USE bool json_pointer_index(struct bytes token, uint64_t *ret_index);
// One step: the member or element that the token names, or NULL.
const struct json *json_pointer_step(const struct json *node, struct bytes token);

void json_pointer_append(struct buffer *buffer, struct bytes token);            // "/token", escaped
void json_pointer_append_index(struct buffer *buffer, size_t index);            // "/7"
// Appends the pointer from `root` to `node`, which is a node below it or root itself (a key counts as its member).
void json_pointer_of(struct buffer *buffer, const struct json *root, const struct json *node);

// The same for many nodes of one document, in any order: made in one walk, each pointer then takes a step a level. In the arena,
// eight bytes a node.
struct json_places {
        const struct json *root;
        const struct json_place {
                uint32_t outer;                 // the number of the node that contains it
                uint32_t token;                 // its number in an array, or the number of the node of its key
        } *items;
};
void json_places_make(struct json_places *places, const struct json *root, struct arena *arena);
void json_places_pointer(const struct json_places *places, struct buffer *buffer, const struct json *node);
