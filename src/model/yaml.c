// SPDX-License-Identifier: Apache-2.0
// libyaml's events become nodes; the only file that knows libyaml. The stack is the call stack, bounded by MODEL_DEPTH_MAX;
// nodes are bounded by MODEL_NODES_MAX. The first problem ends the reading: after it libyaml's events mean little.
#include "model/yaml_priv.h"

#include <stdio.h>
#include <yaml.h>

#include "model/limits.h"

struct yaml_reading {
        yaml_parser_t parser;
        struct arena *arena;
        struct problems *problems;
        size_t nodes;
};

static bool refuse(struct yaml_reading *reading, const yaml_event_t *event, enum error_code code, const char *sentence) {
        return problem_add_at(reading->problems, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1, code,
                              sentence);
}

static bool next_event(struct yaml_reading *reading, yaml_event_t *ret_event) {
        if (yaml_parser_parse(&reading->parser, ret_event))
                return true;
        const yaml_parser_t *parser = &reading->parser;
        // GET /a/{b} is cut at its brace inside [ ] and { }: the mistake that everybody makes once.
        bool flow = parser->context && strstr(parser->context, "flow");
        char text[300];
        snprintf(text, sizeof text, "not YAML: %s%s%s%s", parser->problem ? parser->problem : "no memory",
                 parser->context ? ", " : "", parser->context ? parser->context : "",
                 flow ? "; inside [ ] and { } a value with braces needs quotes" : "");
        yaml_mark_t mark = parser->problem_mark;
        if (parser->error == YAML_READER_ERROR)         // its mark is unset; offset is in bytes, of the file
                return problem_add_at(reading->problems, (unsigned)parser->mark.line + 1, (unsigned)parser->mark.column + 1,
                                      ERROR_INVALID, text);
        return problem_add_at(reading->problems, (unsigned)mark.line + 1, (unsigned)mark.column + 1, ERROR_INVALID, text);
}

// Where a node stands: what it is in, and its key if that is a mapping.
struct standing {
        struct yaml_node *parent;
        const struct yaml_node *key;
        unsigned depth;
};

static struct yaml_node *new_node(struct yaml_reading *reading, const yaml_event_t *event, enum yaml_kind kind,
                                  struct standing standing) {
        struct yaml_node *node = arena_alloc(reading->arena, sizeof *node);
        *node = (struct yaml_node){.kind = kind, .parent = standing.parent, .key = standing.key,
                                   .line = (unsigned)event->start_mark.line + 1,
                                   .column = (unsigned)event->start_mark.column + 1};
        return node;
}

// Whether an anchor or a tag (other than "!", which quotes have implicitly) was given.
static bool decorated(struct yaml_reading *reading, const yaml_event_t *event) {
        const yaml_char_t *anchor = NULL, *tag = NULL;
        if (event->type == YAML_SCALAR_EVENT) {
                anchor = event->data.scalar.anchor;
                tag = event->data.scalar.tag;
        } else if (event->type == YAML_SEQUENCE_START_EVENT) {
                anchor = event->data.sequence_start.anchor;
                tag = event->data.sequence_start.tag;
        } else if (event->type == YAML_MAPPING_START_EVENT) {
                anchor = event->data.mapping_start.anchor;
                tag = event->data.mapping_start.tag;
        }
        if (anchor)
                return !refuse(reading, event, ERROR_UNSUPPORTED, "anchors (&name) are not supported: write the value out");
        if (tag)
                return !refuse(reading, event, ERROR_UNSUPPORTED, "tags (!name) are not supported");
        return false;
}

static bool read_node(struct yaml_reading *reading, const yaml_event_t *event, struct standing standing,
                      struct yaml_node **ret_node);

static bool duplicate(const struct yaml_node *mapping, const struct yaml_node *key) {
        YAML_FOR_EACH(member, mapping)
                if (bytes_equal(member->key->text, key->text))
                        return true;
        return false;
}

// Reads the key whose event is given, and the value behind it.
static bool read_member(struct yaml_reading *reading, yaml_event_t *event, struct standing standing,
                        struct yaml_node **ret_member) {
        struct yaml_node *key = NULL;
        if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
                return refuse(reading, event, ERROR_INVALID, "a key must be a name");
        if (!read_node(reading, event, standing, &key))
                return false;
        if (key->plain && bytes_equal(key->text, BYTES("<<")))
                return problem_add_code(reading->problems, key, ERROR_UNSUPPORTED, "merge keys (<<) are not supported");
        if (duplicate(standing.parent, key))
                return problem_add(reading->problems, key, "the key \"%.*s\" is there twice", BYTES_PRINT(key->text));
        yaml_event_t value_event;
        if (!next_event(reading, &value_event))
                return false;
        standing.key = key;
        bool good = read_node(reading, &value_event, standing, ret_member);
        yaml_event_delete(&value_event);
        return good;
}

static bool read_children(struct yaml_reading *reading, struct yaml_node *parent, unsigned depth) {
        const struct standing standing = {.parent = parent, .depth = depth};
        yaml_event_type_t end = parent->kind == YAML_LIST ? YAML_SEQUENCE_END_EVENT : YAML_MAPPING_END_EVENT;
        struct yaml_node **link = &parent->first;
        for (;;) {
                yaml_event_t event;
                if (!next_event(reading, &event))
                        return false;
                if (event.type == end) {
                        yaml_event_delete(&event);
                        return true;
                }
                bool good = parent->kind == YAML_LIST ? read_node(reading, &event, standing, link)
                                                      : read_member(reading, &event, standing, link);
                yaml_event_delete(&event);
                if (!good)
                        return false;
                link = &(*link)->next;
                if (++parent->count > MODEL_MEMBERS_MAX)
                        return problem_add_code(reading->problems, parent, ERROR_LIMIT,
                                                "more than %d members (MODEL_MEMBERS_MAX)", MODEL_MEMBERS_MAX);
        }
}

static bool read_node(struct yaml_reading *reading, const yaml_event_t *event, struct standing standing,
                      struct yaml_node **ret_node) {
        if (event->type == YAML_ALIAS_EVENT)
                return refuse(reading, event, ERROR_UNSUPPORTED, "aliases (*name) are not supported: write the value out");
        if (++reading->nodes > MODEL_NODES_MAX)
                return refuse(reading, event, ERROR_LIMIT, "more than 50000 keys and values (MODEL_NODES_MAX)");
        if (standing.depth > MODEL_DEPTH_MAX)
                return refuse(reading, event, ERROR_LIMIT, "more than 32 mappings and lists within each other (MODEL_DEPTH_MAX)");
        if (decorated(reading, event))
                return false;
        if (event->type == YAML_SCALAR_EVENT) {
                struct yaml_node *node = new_node(reading, event, YAML_SCALAR, standing);
                struct bytes text = {(const char *)event->data.scalar.value, event->data.scalar.length};
                node->text = (struct bytes){arena_text(reading->arena, text), text.size};
                node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
                *ret_node = node;
                return true;
        }
        bool list = event->type == YAML_SEQUENCE_START_EVENT;
        ASSERT(list || event->type == YAML_MAPPING_START_EVENT);
        struct yaml_node *node = new_node(reading, event, list ? YAML_LIST : YAML_MAPPING, standing);
        if (!read_children(reading, node, standing.depth + 1))
                return false;
        *ret_node = node;
        return true;
}

// The events around the one document: stream start, document start, …, document end, stream end.
static bool read_document(struct yaml_reading *reading, struct yaml_node **ret_root) {
        struct yaml_node *root = NULL;
        for (;;) {
                yaml_event_t event;
                if (!next_event(reading, &event))
                        return false;
                yaml_event_type_t type = event.type;
                bool good = true;
                if (type == YAML_DOCUMENT_START_EVENT && root)
                        good = refuse(reading, &event, ERROR_INVALID, "a second document begins: only one is expected");
                else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT &&
                         type != YAML_STREAM_END_EVENT)
                        good = read_node(reading, &event, (struct standing){0}, &root);
                yaml_event_delete(&event);
                if (!good)
                        return false;
                if (type == YAML_STREAM_END_EVENT)
                        break;
        }
        if (!root)
                return problem_add(reading->problems, NULL, "the file is empty");
        *ret_root = root;
        return true;
}

bool yaml_read(struct bytes text, struct arena *arena, struct problems *problems, const struct yaml_node **ret_root) {
        struct yaml_reading reading = {.arena = arena, .problems = problems};
        if (!yaml_parser_initialize(&reading.parser))
                return problem_add(problems, NULL, "no memory");
        yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text.data, text.size);
        struct yaml_node *root = NULL;
        bool good = read_document(&reading, &root);
        yaml_parser_delete(&reading.parser);
        if (good)
                *ret_root = root;
        return good;
}

const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key) {
        YAML_FOR_EACH(member, mapping)
                if (member->key && bytes_equal(member->key->text, bytes_of(key)))
                        return member;
        return NULL;
}
