// SPDX-License-Identifier: Apache-2.0
// Escapes and classes: what stands for one code point of a set. ECMA-262, 22.2.1: CharacterClass, CharacterEscape,
// CharacterClassEscape, ClassEscape.
#include "schema/pattern_priv.h"

static bool hex_digits(const struct parser *parser, size_t ahead, size_t least, size_t most, uint32_t *ret_value, size_t *ret_size) {
        uint32_t value = 0;
        size_t size = 0;
        for (; size < most; size++) {
                char c = parse_peek(parser, ahead + size), low = (char)(c | 0x20);
                if (c >= '0' && c <= '9')
                        value = value << 4 | (uint32_t)(c - '0');
                else if (low >= 'a' && low <= 'f')
                        value = value << 4 | (uint32_t)(low - 'a' + 10);
                else
                        break;
                if (value > UNICODE_LAST)
                        return false;
        }
        *ret_value = value;
        *ret_size = size;
        return size >= least;
}

// `at` is the backslash of \uHHHH, \uHHHH\uHHHH (a pair of surrogates) or \u{H…}. A surrogate alone is a code point that no text has.
bool parse_unicode_escape(struct parser *parser, uint32_t *ret_point) {
        uint32_t point = 0, second = 0;
        size_t size = 0, used = 6;
        if (parse_peek(parser, 2) == '{') {
                if (!hex_digits(parser, 3, 1, SIZE_MAX, &point, &size) || parse_peek(parser, 3 + size) != '}')
                        return parse_wrong(parser, ERROR_INVALID, "expected \\u{HEX} of at most 10FFFF");
                used = 4 + size;
        } else if (!hex_digits(parser, 2, 4, 4, &point, &size)) {
                return parse_wrong(parser, ERROR_INVALID, "expected four hexadecimal digits behind \\u");
        } else if (point >= 0xD800 && point < 0xDC00 && parse_peek(parser, 6) == '\\' && parse_peek(parser, 7) == 'u' &&
                   hex_digits(parser, 8, 4, 4, &second, &size) && second >= 0xDC00 && second < 0xE000) {
                point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
                used = 12;
        }
        *ret_point = point;
        parser->at += used;
        return true;
}

static bool control_escape(struct parser *parser, uint32_t *ret_point) {
        char letter = parse_peek(parser, 2), low = (char)(letter | 0x20);
        if (low < 'a' || low > 'z')
                return parse_wrong(parser, ERROR_INVALID, "expected a letter behind \\c");
        *ret_point = (uint32_t)letter & 31;
        parser->at += 3;
        return true;
}

// `at` is the backslash.
bool parse_character_escape(struct parser *parser, bool in_class, uint32_t *ret_point) {
        static const char letters[] = "tnvfr", values[] = "\t\n\v\f\r";
        char c = parse_peek(parser, 1), low = (char)(c | 0x20);
        const char *found = c ? strchr(letters, c) : NULL;
        size_t size;
        if (c == 'u')
                return parse_unicode_escape(parser, ret_point);
        if (c == 'c')
                return control_escape(parser, ret_point);
        if (c == 'x') {
                if (!hex_digits(parser, 2, 2, 2, ret_point, &size))
                        return parse_wrong(parser, ERROR_INVALID, "expected two hexadecimal digits behind \\x");
                parser->at += 4;
                return true;
        }
        if (found) {
                *ret_point = (uint32_t)values[found - letters];
        } else if (in_class && c == 'b') {
                *ret_point = '\b';
        } else if (c == '0') {
                if (parse_peek(parser, 2) >= '0' && parse_peek(parser, 2) <= '9')
                        return parse_wrong(parser, ERROR_INVALID, "an octal escape");
                *ret_point = 0;
        } else if (c <= ' ' || c == 0x7F || (c >= '1' && c <= '9') || (low >= 'a' && low <= 'z')) {
                // \ before a space is in wide use; everything else here means nothing, or nothing here.
                if (c != ' ')
                        return parse_wrong(parser, ERROR_INVALID, in_class ? "this escape means nothing in a class of ECMA-262" :
                                                                             "this escape means nothing in ECMA-262");
                *ret_point = ' ';
        } else {
                *ret_point = (uint32_t)c;
        }
        parser->at += 2;
        return true;
}

static bool property_value(struct parser *parser, struct bytes text, struct set *ret_set) {
        const char *equals = memchr(text.data, '=', text.size);
        struct bytes kind = {text.data, equals ? (size_t)(equals - text.data) : 0};
        struct bytes value = equals ? (struct bytes){equals + 1, text.size - kind.size - 1} : text;
        const char *prefix = "";
        if (bytes_equal(kind, BYTES("Script")) || bytes_equal(kind, BYTES("sc")))
                prefix = "sc=";
        else if (bytes_equal(kind, BYTES("Script_Extensions")) || bytes_equal(kind, BYTES("scx")))
                prefix = "scx=";
        else if (bytes_equal(kind, BYTES("General_Category")) || bytes_equal(kind, BYTES("gc")))
                prefix = "gc=";
        else if (equals)
                return false;
        char name[100];
        size_t size = strlen(prefix);
        if (size + value.size >= sizeof name - 4)
                return false;
        memcpy(name, prefix, size);
        memcpy(name + size, value.data, value.size);
        if (unicode_property((struct bytes){name, size + value.size}, parser->arena, &ret_set->ranges, &ret_set->count))
                return true;
        if (*prefix)
                return false;
        memcpy(name, "gc=", 3);
        memcpy(name + 3, value.data, value.size);
        return unicode_property((struct bytes){name, 3 + value.size}, parser->arena, &ret_set->ranges, &ret_set->count);
}

static bool property_escape(struct parser *parser, struct set *ret_set) {
        const char *start = parser->source.data + parser->at + 3;
        size_t size = 0;
        if (parse_peek(parser, 2) != '{')
                return parse_wrong(parser, ERROR_INVALID, "expected \\p{NAME}");
        for (char c; (c = parse_peek(parser, 3 + size)) != '}'; size++)
                if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '=')
                        return parse_wrong(parser, ERROR_INVALID, "expected \\p{NAME}");
        if (!size || !property_value(parser, (struct bytes){start, size}, ret_set))
                return parse_wrong(parser, ERROR_INVALID, "Unicode has no such property");
        if (parse_peek(parser, 1) == 'P')
                *ret_set = set_negate(ret_set, parser->arena);
        parser->range_count += ret_set->count;
        if (parser->range_count > PATTERN_RANGES_MAX)
                return parse_wrong(parser, ERROR_LIMIT, "too many ranges of code points");
        parser->at += size + 4;
        return true;
}

bool parse_class_escape(struct parser *parser, struct set *ret_set, bool *ret_failed) {
        char c = parse_peek(parser, 1);
        const struct set *set;
        *ret_failed = false;
        switch (c) {
        case 'd': case 'D': set = &set_digit; break;
        case 'w': case 'W': set = &set_word; break;
        case 's': case 'S': set = &set_space; break;
        case 'p': case 'P':
                *ret_failed = !property_escape(parser, ret_set);
                return !*ret_failed;
        default:
                return false;
        }
        *ret_set = c < 'a' ? set_negate(set, parser->arena) : *set;
        parser->at += 2;
        return true;
}

// One end of a range, or a set (*ret_is_set).
static bool class_atom(struct parser *parser, uint32_t *ret_point, struct set *ret_set, bool *ret_is_set) {
        bool failed;
        *ret_is_set = false;
        if (parser->at == parser->source.size)
                return parse_wrong(parser, ERROR_INVALID, "this class has no ]");
        if (parse_peek(parser, 0) == '\\') {
                *ret_is_set = parse_class_escape(parser, ret_set, &failed);
                if (failed || *ret_is_set)
                        return !failed;
                return parse_character_escape(parser, true, ret_point);
        }
        const char *at = parser->source.data + parser->at;
        unsigned length = utf8_sequence(at, parser->source.data + parser->source.size);
        ASSERT(length);         // checked at the beginning
        *ret_point = utf8_decode(at, length);
        parser->at += length;
        return true;
}

static bool class_range(struct parser *parser, struct set_builder *builder) {
        uint32_t first = 0, last = 0;
        struct set set, other;
        bool is_set, other_is_set = false;
        if (!class_atom(parser, &first, &set, &is_set))
                return false;
        last = first;
        bool range = parse_peek(parser, 0) == '-' && parser->at + 1 < parser->source.size && parse_peek(parser, 1) != ']';
        size_t start = parser->at;
        if (range) {
                parser->at++;
                if (!class_atom(parser, &last, &other, &other_is_set))
                        return false;
                if (is_set || other_is_set) {           // Annex B: three atoms, the middle one a -
                        set_add(builder, parser->arena, '-', '-');
                        if (other_is_set)
                                set_add_all(builder, parser->arena, &other);
                        else
                                set_add(builder, parser->arena, last, last);
                        last = first;
                }
        }
        if (last < first) {
                parser->at = start;
                return parse_wrong(parser, ERROR_INVALID, "a range that ends before it begins");
        }
        if (is_set)
                set_add_all(builder, parser->arena, &set);
        else
                set_add(builder, parser->arena, first, last);
        parser->range_count++;
        return true;
}

bool parse_class(struct parser *parser, struct set *ret_set) {
        struct set_builder builder = {0};
        bool negated = parse_peek(parser, 0) == '^';
        parser->at += negated;
        while (parser->at == parser->source.size || parse_peek(parser, 0) != ']')
                if (!class_range(parser, &builder))
                        return false;
        parser->at++;
        struct set set = set_finish(&builder);
        *ret_set = negated ? set_negate(&set, parser->arena) : set;
        return true;
}
