// SPDX-License-Identifier: Apache-2.0
// The parser: one pass, no recursion. Open containers are a stack of node numbers; a container's span is filled in when it
// closes, and then its keys are compared: pairwise in small objects, by sorting in large ones, so that no input costs more than
// O(n log n). The node array starts at a node for eight bytes, which small documents rarely exceed, and doubles. The scanners
// (scan.h) say only that something is wrong; what it is, parse_error.c finds out by looking again.
#include "json/json.h"

#include "json/json_priv.h"
#include "json/scan.h"

struct parser {
        const char *start, *at, *end;
        struct bytes source;
        struct arena *arena;
        struct error *error;
        struct json *nodes;
        size_t count, capacity, limit;
        unsigned depth, depth_limit;
        bool keep_last;
        uint32_t open[JSON_DEPTH_MAX];
};

enum state { VALUE, FIRST_KEY, KEY, AFTER_VALUE, END };

static bool fail_at(const struct parser *parser, const char *at, enum error_code code, const char *what) {
        return json_error_at(parser->source, at, parser->error, code, what);
}

static bool expected(const struct parser *parser, const char *what) {
        return fail_at(parser, parser->at, ERROR_INVALID, what);
}

static inline void skip_space(struct parser *parser) {
        parser->at = scan_space(parser->at, parser->end);
}

// Room for more nodes, twice as much each time.
static bool grow(struct parser *parser) {
        if (parser->count >= parser->limit)
                return fail_at(parser, parser->at, ERROR_LIMIT, "too many values in one document");
        size_t capacity = parser->capacity * 2;
        if (capacity == 0)
                capacity = MIN((size_t)(parser->end - parser->start) / 8 + 8, (size_t)256);
        capacity = MIN(capacity, parser->limit);
        struct json *nodes = arena_alloc_raw(parser->arena, capacity * sizeof *nodes);
        if (parser->count)
                memcpy(nodes, parser->nodes, parser->count * sizeof *nodes);
        parser->nodes = nodes;
        parser->capacity = capacity;
        return true;
}

static struct json *add_node(struct parser *parser, enum json_type type) {
        if (parser->count == parser->capacity && !grow(parser))
                return NULL;
        struct json *node = &parser->nodes[parser->count++];
        *node = (struct json){.kind = (uint8_t)type, .offset = (uint32_t)(parser->at - parser->start), .span = 1};
        return node;
}

static bool open_container(struct parser *parser, enum json_type type) {
        if (parser->depth == parser->depth_limit)
                return fail_at(parser, parser->at, ERROR_LIMIT, "too many arrays and objects within each other");
        if (!add_node(parser, type))
                return false;
        parser->open[parser->depth++] = (uint32_t)(parser->count - 1);
        parser->at++;
        return true;
}

static bool repeated_key(const struct parser *parser, const struct json *key) {
        return fail_at(parser, parser->start + key->offset, ERROR_INVALID, "this key is there already in the same object");
}

// Two keys are equal: with keep_last the earlier one is marked, to be dropped; else that is refused.
static bool repeated(struct parser *parser, const struct json *earlier, const struct json *later, bool *found) {
        *found = true;
        if (!parser->keep_last)
                return repeated_key(parser, later);
        parser->nodes[earlier - parser->nodes].dropped = true;
        return true;
}

static bool compare_keys(struct parser *parser, const struct json *object, bool *found) {
        if (object->count < JSON_ORDER_FROM) {
                JSON_FOR_EACH_MEMBER(key, value, object) {
                        JSON_FOR_EACH_MEMBER(earlier, ignored, object) {
                                if (earlier == key)
                                        break;
                                if (earlier->count == key->count && bytes_equal(json_text(earlier), json_text(key)) &&
                                    !repeated(parser, earlier, key, found))
                                        return false;
                        }
                }
                return true;
        }
        const struct json_slot *slots = object->order;
        const struct json *last = object + slots[0].at;         // of equal ones, which are in no order
        for (size_t i = 1; i < object->count; i++) {
                const struct json *key = object + slots[i].at;
                if (slots[i].hash == slots[i - 1].hash && bytes_equal(json_text(last), json_text(key))) {
                        if (!repeated(parser, MIN(last, key), MAX(last, key), found))
                                return false;
                        key = MAX(last, key);
                }
                last = key;
        }
        return true;
}

// Takes the marked members out of the object, which is the last container.
static void drop_repeated(struct parser *parser, struct json *object) {
        struct json *to = object + 1, *end = &parser->nodes[parser->count];
        for (struct json *key = object + 1, *next; key < end; key = next) {
                next = key + 1 + key[1].span;
                if (key->dropped) {
                        object->count--;
                        continue;
                }
                memmove(to, key, (size_t)(next - key) * sizeof *key);
                to += next - key;
        }
        parser->count = (size_t)(to - parser->nodes);
        object->span = (uint32_t)(to - object);
}

static void sort_keys(struct parser *parser, struct json *object) {
        object->order = NULL;
        if (object->count < JSON_ORDER_FROM)
                return;
        struct json_slot *slots = arena_alloc_raw(parser->arena, object->count * sizeof *slots);
        json_order_keys(object, slots);
        object->order = slots;
}

static bool finish_keys(struct parser *parser, struct json *object) {
        bool found = false;
        sort_keys(parser, object);
        if (!compare_keys(parser, object, &found))
                return false;
        if (found) {
                drop_repeated(parser, object);
                sort_keys(parser, object);
        }
        return true;
}

static bool close_container(struct parser *parser, enum state *state) {
        struct json *node = &parser->nodes[parser->open[--parser->depth]];
        node->span = (uint32_t)(&parser->nodes[parser->count] - node);
        parser->at++;
        *state = AFTER_VALUE;
        if (node->kind == JSON_ARRAY)
                return true;
        return finish_keys(parser, node);
}

static bool parse_string(struct parser *parser) {
        struct scanned_string found;
        struct json *node = add_node(parser, JSON_STRING);
        const char *text = parser->at + 1, *end = node ? scan_string(parser->start, text, parser->end, &found) : NULL;
        if (__builtin_expect(!end, 0))
                return node && json_string_error(parser->source, parser->at, parser->error);
        node->text = text;
        node->count = (uint32_t)(end - text);
        if (__builtin_expect(found.escaped, 0)) {
                char *decoded = arena_alloc_raw(parser->arena, (size_t)(end - text) + 1);
                char *last = scan_decode(text, end, decoded);
                if (!last)
                        return json_string_error(parser->source, parser->at, parser->error);
                node->text = decoded;
                node->count = (uint32_t)(last - decoded);
        }
        parser->at = end + 1;
        return true;
}

static bool parse_number(struct parser *parser) {
        struct scanned_number found;
        struct json *node = add_node(parser, JSON_NUMBER);
        const char *end = node ? scan_number(parser->at, parser->end, &found) : NULL;
        if (!end)
                return node && json_number_error(parser->source, parser->at, parser->error);
        node->number = found.fraction ? JSON_NUMBER_FRACTION : JSON_NUMBER_PLAIN;
        node->text = parser->at;
        node->count = (uint32_t)(end - parser->at);
        parser->at = end;
        return true;
}

static bool parse_word(struct parser *parser, struct bytes word, enum json_type type, bool truth) {
        if ((size_t)(parser->end - parser->at) < word.size || memcmp(parser->at, word.data, word.size) != 0)
                return expected(parser, "expected a value");
        struct json *node = add_node(parser, type);
        if (!node)
                return false;
        node->truth = truth;
        parser->at += word.size;
        return true;
}

static bool parse_value(struct parser *parser, enum state *state) {
        skip_space(parser);
        if (parser->at == parser->end)
                return expected(parser, "expected a value, but the text ends here");
        *state = AFTER_VALUE;
        switch (*parser->at) {
        case '{':
                *state = FIRST_KEY;
                return open_container(parser, JSON_OBJECT);
        case '[':
                if (!open_container(parser, JSON_ARRAY))
                        return false;
                skip_space(parser);
                if (parser->at < parser->end && *parser->at == ']')
                        return close_container(parser, state);
                parser->nodes[parser->open[parser->depth - 1]].count = 1;
                *state = VALUE;
                return true;
        case '"':
                return parse_string(parser);
        case 't':
                return parse_word(parser, BYTES("true"), JSON_BOOL, true);
        case 'f':
                return parse_word(parser, BYTES("false"), JSON_BOOL, false);
        case 'n':
                return parse_word(parser, BYTES("null"), JSON_NULL, false);
        default:
                if (*parser->at == '-' || (*parser->at >= '0' && *parser->at <= '9'))
                        return parse_number(parser);
                return expected(parser, "expected a value");
        }
}

static bool parse_key(struct parser *parser, bool first, enum state *state) {
        skip_space(parser);
        if (first && parser->at < parser->end && *parser->at == '}')
                return close_container(parser, state);
        if (parser->at == parser->end || *parser->at != '"')
                return expected(parser, first ? "expected a key in quotes, or }" : "expected a key in quotes");
        if (!parse_string(parser))
                return false;
        skip_space(parser);
        if (parser->at == parser->end || *parser->at != ':')
                return expected(parser, "expected a colon behind the key");
        parser->at++;
        parser->nodes[parser->open[parser->depth - 1]].count++;
        *state = VALUE;
        return true;
}

static bool parse_after_value(struct parser *parser, enum state *state) {
        skip_space(parser);
        if (parser->depth == 0) {
                *state = END;
                return parser->at == parser->end || expected(parser, "expected nothing more behind the document");
        }
        struct json *container = &parser->nodes[parser->open[parser->depth - 1]];
        bool array = container->kind == JSON_ARRAY;
        char next = parser->at < parser->end ? *parser->at : '\0';
        if (next == (array ? ']' : '}'))
                return close_container(parser, state);
        if (next != ',')
                return expected(parser, array ? "expected a comma or ]" : "expected a comma or }");
        parser->at++;
        if (array)
                container->count++;
        *state = array ? VALUE : KEY;
        return true;
}

bool json_parse(struct bytes source, const struct json_limits *limits, struct arena *arena, const struct json **ret_root,
                struct error *error) {
        struct json_limits limit = json_limits_of(limits);
        ASSERT(limit.bytes <= JSON_BYTES_MAX && limit.depth <= JSON_DEPTH_MAX && limit.nodes <= JSON_BYTES_MAX);
        if (source.size > limit.bytes)
                return error_set(error, ERROR_LIMIT, "a document of %zu bytes; at most %zu are accepted", source.size,
                        limit.bytes);
        const char *start = source.data ? source.data : "";
        UNINITIALIZED struct parser parser;
        parser.source = (struct bytes){start, source.size};
        parser.keep_last = limit.keep_last;
        parser.start = parser.at = start;
        parser.end = start + source.size;
        parser.arena = arena;
        parser.error = error;
        parser.nodes = NULL;
        parser.count = parser.capacity = 0;
        parser.limit = limit.nodes;
        parser.depth = 0;
        parser.depth_limit = limit.depth;
        enum state state = VALUE;
        while (state != END) {
                bool good = state == VALUE       ? parse_value(&parser, &state)
                            : state == AFTER_VALUE ? parse_after_value(&parser, &state)
                                                   : parse_key(&parser, state == FIRST_KEY, &state);
                if (!good)
                        return false;
        }
        ASSERT(parser.depth == 0 && parser.count > 0 && parser.nodes[0].span == parser.count);
        *ret_root = parser.nodes;
        return true;
}
