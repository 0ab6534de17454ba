// SPDX-License-Identifier: Apache-2.0
// YAML text as a tree of nodes that know their line and column. What the tree does not say the same way in every YAML
// implementation is refused by name: anchors and aliases, tags, merge keys, several documents, keys that are no scalars.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "json/writer.h"
#include "model/problems_priv.h"

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAPPING };

struct yaml_node {
        enum yaml_kind kind;
        bool plain;                     // of a scalar: without quotes; `|` and `>` count as quoted
        unsigned line, column;          // from 1
        struct bytes text;              // of a scalar; NUL-terminated, may contain NUL
        const struct yaml_node *parent; // NULL for the root
        const struct yaml_node *key;    // of a member of a mapping; its value is this node
        struct yaml_node *first;        // of a list or mapping, in the order of the file
        struct yaml_node *next;         // its sibling
        size_t count;                   // elements or members
};

// Everything is in the arena. False: a problem was added. The root may be any kind of node.
MUST_USE bool yaml_read(struct bytes text, struct arena *arena, struct problems *problems, const struct yaml_node **ret_root);

// The member's value, or NULL.
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
#define YAML_FOR_EACH(element, parent) \
        for (const struct yaml_node *element = (parent)->first; element; element = element->next)

bool yaml_is_null(const struct yaml_node *node);                // a plain null, Null, NULL, ~ or nothing

// Writes the node as JSON: plain scalars that are JSON numbers, true, false and null become those; all else is a string. A plain
// scalar that YAML 1.1 and 1.2 read differently (yes, 012, 0x1F, 1_000, .5, .inf) is a problem: it wants quotes.
MUST_USE bool yaml_to_json(const struct yaml_node *node, struct problems *problems, struct json_writer *writer);
