// SPDX-License-Identifier: Apache-2.0
// The parser: one pass, no recursion. Open containers are a stack of node numbers; a container's span is filled in when it
// closes, and then its keys are compared: pairwise in small objects, by sorting in large ones, so that no input costs more than
// O(n log n). The node array starts at a node for eight bytes, which small documents rarely exceed, and doubles.
#include "json/json.h"

#include "json/json_priv.h"
#include "json/utf8.h"

struct parser {
        const char *start, *at, *end;
        struct arena *arena;
        struct error *error;
        struct json *nodes;
        size_t count, capacity, limit;
        unsigned depth, depth_limit;
        uint32_t open[JSON_DEPTH_MAX];
};

enum state { VALUE, FIRST_KEY, KEY, AFTER_VALUE, END };

static bool fail_at(const struct parser *parser, const char *at, enum error_code code, const char *what) {
        struct json_position position = json_position((struct bytes){parser->start, (size_t)(parser->end - parser->start)},
                                                      (size_t)(at - parser->start));
        return error_set(parser->error, code, "line %zu, column %zu (byte %zu): %s", position.line, position.column,
                         position.offset, what);
}

static bool expected(const struct parser *parser, const char *what) {
        return fail_at(parser, parser->at, ERROR_INVALID, what);
}

static void skip_space(struct parser *parser) {
        const char *at = parser->at;
        while (at < parser->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
                at++;
        parser->at = at;
}

// Room for more nodes, twice as much each time.
static bool grow(struct parser *parser) {
        if (parser->count >= parser->limit)
                return fail_at(parser, parser->at, ERROR_LIMIT, "too many values in one document");
        size_t capacity = parser->capacity * 2;
        if (capacity == 0)
                capacity = MIN((size_t)(parser->end - parser->start) / 8 + 8, (size_t)256);
        capacity = MIN(capacity, parser->limit);
        struct json *nodes = arena_alloc(parser->arena, capacity * sizeof *nodes);
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

static bool keys_differ(struct parser *parser, const struct json *object) {
        if (object->count < JSON_ORDER_FROM) {
                JSON_FOR_EACH_MEMBER(key, value, object) {
                        JSON_FOR_EACH_MEMBER(earlier, ignored, object) {
                                if (earlier == key)
                                        break;
                                if (earlier->count == key->count && bytes_equal(json_text(earlier), json_text(key)))
                                        return repeated_key(parser, key);
                        }
                }
                return true;
        }
        for (size_t i = 1; i < object->count; i++) {
                const struct json *a = object + object->order[i - 1], *b = object + object->order[i];
                if (bytes_equal(json_text(a), json_text(b)))
                        return repeated_key(parser, a < b ? b : a);
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
        if (node->count >= JSON_ORDER_FROM) {
                uint32_t *order = arena_alloc(parser->arena, node->count * sizeof *order);
                json_sort_keys(node, order, json_key_by_length);
                node->order = order;
        }
        return keys_differ(parser, node);
}

// The first byte from `at` that is a quote, a backslash, a control character or not ASCII; eight at a time.
static const char *skip_plain(const char *at, const char *end) {
        const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
        for (; end - at >= 8; at += 8) {
                uint64_t word;
                memcpy(&word, at, sizeof word);
                uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
                uint64_t special = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                                    ((word - ones * 0x20) & ~word) | word) & high;
                if (special)
                        break;
        }
        while (at < end && *at != '"' && *at != '\\' && (uint8_t)*at >= 0x20 && (uint8_t)*at < 0x80)
                at++;
        return at;
}

// From behind the opening quote to the closing one, which *ret_end points to.
static bool scan_string(struct parser *parser, const char **ret_end, bool *ret_escaped) {
        const char *at = parser->at + 1;
        bool escaped = false;
        while (true) {
                at = skip_plain(at, parser->end);
                if (at == parser->end)
                        return fail_at(parser, parser->at, ERROR_INVALID, "this string has no closing quote");
                if (*at == '"')
                        break;
                if (*at == '\\') {
                        escaped = true;
                        at += parser->end - at > 1 ? 2 : 1;
                        continue;
                }
                if ((uint8_t)*at < 0x20)
                        return fail_at(parser, at, ERROR_INVALID, "a control character in a string must be escaped");
                unsigned length = utf8_sequence(at, parser->end);
                if (length == 0)
                        return fail_at(parser, at, ERROR_INVALID, "this is not valid UTF-8");
                at += length;
        }
        *ret_end = at;
        *ret_escaped = escaped;
        return true;
}

static bool hex4(const char *at, const char *end, uint32_t *ret_unit) {
        uint32_t unit = 0;
        if (end - at < 4)
                return false;
        for (int i = 0; i < 4; i++) {
                char c = at[i];
                if (c >= '0' && c <= '9')
                        unit = unit << 4 | (uint32_t)(c - '0');
                else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                        unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
                else
                        return false;
        }
        *ret_unit = unit;
        return true;
}

// \uXXXX, and its second half if it is the first of a pair. `at` is the backslash.
static bool decode_unicode(const struct parser *parser, const char **at, const char *end, uint32_t *ret_point) {
        uint32_t point = 0, second = 0;
        if (!hex4(*at + 2, end, &point))
                return fail_at(parser, *at, ERROR_INVALID, "expected four hexadecimal digits behind \\u");
        if (point >= 0xD800 && point < 0xE000) {
                const char *pair = *at + 6;
                if (point >= 0xDC00 || end - pair < 6 || pair[0] != '\\' || pair[1] != 'u' || !hex4(pair + 2, end, &second) ||
                    second < 0xDC00 || second > 0xDFFF)
                        return fail_at(parser, *at, ERROR_INVALID, "a surrogate without its other half is no character");
                point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
                *at = pair;
        }
        *at += 6;
        *ret_point = point;
        return true;
}

// A decoded copy of what is between the quotes; never longer than the source.
static bool decode_string(struct parser *parser, const char *at, const char *end, struct json *node) {
        char *text = arena_alloc(parser->arena, (size_t)(end - at) + 1), *to = text;
        while (at < end) {
                if (*at != '\\') {
                        *to++ = *at++;
                        continue;
                }
                static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
                const char *name = at[1] ? strchr(names, at[1]) : NULL;
                if (name) {
                        *to++ = values[name - names];
                        at += 2;
                } else if (at[1] == 'u') {
                        uint32_t point = 0;
                        if (!decode_unicode(parser, &at, end, &point))
                                return false;
                        to += utf8_encode(point, to);
                } else {
                        return fail_at(parser, at, ERROR_INVALID, "expected one of \" \\ / b f n r t u behind a backslash");
                }
        }
        node->text = text;
        node->count = (uint32_t)(to - text);
        return true;
}

static bool parse_string(struct parser *parser) {
        const char *end;
        bool escaped;
        struct json *node = add_node(parser, JSON_STRING);
        if (!node || !scan_string(parser, &end, &escaped))
                return false;
        const char *text = parser->at + 1;
        if (escaped) {
                if (!decode_string(parser, text, end, node))
                        return false;
        } else {
                node->text = text;
                node->count = (uint32_t)(end - text);
        }
        parser->at = end + 1;
        return true;
}

static const char *skip_digits(const char *at, const char *end) {
        while (at < end && *at >= '0' && *at <= '9')
                at++;
        return at;
}

static bool parse_exponent(struct parser *parser, const char **at) {
        const char *start = *at + 1;
        if (start < parser->end && (*start == '+' || *start == '-'))
                start++;
        const char *end = skip_digits(start, parser->end);
        if (end == start)
                return fail_at(parser, end, ERROR_INVALID, "expected a digit of the exponent");
        while (start < end - 1 && *start == '0')
                start++;
        uint64_t exponent;
        if (!bytes_to_u64((struct bytes){start, (size_t)(end - start)}, &exponent) || exponent > JSON_EXPONENT_MAX)
                return fail_at(parser, start, ERROR_LIMIT, "an exponent beyond 1000000000");
        *at = end;
        return true;
}

static bool parse_number(struct parser *parser) {
        struct json *node = add_node(parser, JSON_NUMBER);
        if (!node)
                return false;
        const char *digits = parser->at + (*parser->at == '-'), *at = skip_digits(digits, parser->end);
        if (at == digits)
                return fail_at(parser, at, ERROR_INVALID, "expected a digit");
        if (*digits == '0' && at - digits > 1)
                return fail_at(parser, digits, ERROR_INVALID, "a number may not start with a zero that means nothing");
        if (at < parser->end && *at == '.') {
                const char *fraction = at + 1;
                at = skip_digits(fraction, parser->end);
                if (at == fraction)
                        return fail_at(parser, at, ERROR_INVALID, "expected a digit behind the decimal point");
                node->number = JSON_NUMBER_FRACTION;
        }
        if (at < parser->end && (*at | 0x20) == 'e') {
                if (!parse_exponent(parser, &at))
                        return false;
                node->number = JSON_NUMBER_FRACTION;
        }
        node->text = parser->at;
        node->count = (uint32_t)(at - parser->at);
        parser->at = at;
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
        struct json_limits limit = limits ? *limits : (struct json_limits){0};
        limit.bytes = limit.bytes ? limit.bytes : JSON_BYTES_DEFAULT;
        limit.depth = limit.depth ? limit.depth : JSON_DEPTH_DEFAULT;
        limit.nodes = limit.nodes ? limit.nodes : JSON_NODES_DEFAULT;
        ASSERT(limit.bytes <= JSON_BYTES_MAX && limit.depth <= JSON_DEPTH_MAX && limit.nodes <= JSON_BYTES_MAX);
        if (source.size > limit.bytes)
                return error_set(error, ERROR_LIMIT, "a document of %zu bytes; at most %zu are accepted", source.size,
                        limit.bytes);
        const char *start = source.data ? source.data : "";
        struct parser parser;
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
