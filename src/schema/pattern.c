// SPDX-License-Identifier: Apache-2.0
// Regular expressions of ECMA-262 (Unicode mode, with the identity escapes of Annex B for punctuation) as PCRE2 understands them.
// What means something else there is rewritten, what exists only there is refused:
//
//      .  \s  \S           ECMA's line terminators and white space, as classes
//      [] [^]              nothing, anything; [ in a class is itself
//      \v \0 \cX \xHH      the character
//      \uHHHH \u{H}        the character, pairs joined
//      \p{Letter} …        PCRE2's short names
//      { } ]               themselves where they belong to nothing
//
// Possessive quantifiers, atomic groups, verbs, \A \Z \h … are refused.
#include "schema/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "json/utf8.h"
#include "schema/schema.h"

#define SPACES "\\t\\n\\x0b\\f\\r \\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NO_SPACES "\\x00-\\x08\\x0e-\\x1f\\x21-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}" \
        "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

struct translation {
        struct bytes source;
        size_t at;
        struct buffer *out;
        struct error *error;
};

static char peek(const struct translation *translation, size_t ahead) {
        size_t at = translation->at + ahead;
        return at < translation->source.size ? translation->source.data[at] : '\0';
}

static bool refuse(const struct translation *translation, const char *what) {
        return error_set(translation->error, ERROR_UNSUPPORTED, "pattern, byte %zu: %s", translation->at, what);
}

static bool hex_digits(const struct translation *translation, size_t ahead, size_t least, size_t most, uint32_t *ret,
                       size_t *ret_size) {
        uint32_t value = 0;
        size_t size = 0;
        for (; size < most; size++) {
                char c = peek(translation, ahead + size), low = (char)(c | 0x20);
                if (c >= '0' && c <= '9')
                        value = value << 4 | (uint32_t)(c - '0');
                else if (low >= 'a' && low <= 'f')
                        value = value << 4 | (uint32_t)(low - 'a' + 10);
                else
                        break;
        }
        *ret = value;
        *ret_size = size;
        return size >= least;
}

// \uHHHH, \uHHHH\uHHHH or \u{H…}; `at` is the backslash.
static bool unicode_escape(struct translation *translation) {
        uint32_t point = 0, second = 0;
        size_t size = 0, used = 6;
        if (peek(translation, 2) == '{') {
                if (!hex_digits(translation, 3, 1, 6, &point, &size) || peek(translation, 3 + size) != '}')
                        return refuse(translation, "expected \\u{HEX}");
                used = 4 + size;
        } else if (!hex_digits(translation, 2, 4, 4, &point, &size)) {
                return refuse(translation, "expected four hexadecimal digits behind \\u");
        } else if (point >= 0xD800 && point < 0xDC00 && peek(translation, 6) == '\\' && peek(translation, 7) == 'u' &&
                   hex_digits(translation, 8, 4, 4, &second, &size) && second >= 0xDC00 && second < 0xE000) {
                point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
                used = 12;
        }
        if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
                return refuse(translation, "this escape is no character");
        buffer_print(translation->out, "\\x{%x}", point);
        translation->at += used;
        return true;
}

static const struct { const char *ecma, *pcre; } property_names[] = {
        {"Letter", "L"}, {"Cased_Letter", "L&"}, {"LC", "L&"}, {"Uppercase_Letter", "Lu"}, {"Lowercase_Letter", "Ll"},
        {"Titlecase_Letter", "Lt"}, {"Modifier_Letter", "Lm"}, {"Other_Letter", "Lo"}, {"Mark", "M"}, {"Combining_Mark", "M"},
        {"Nonspacing_Mark", "Mn"}, {"Spacing_Mark", "Mc"}, {"Enclosing_Mark", "Me"}, {"Number", "N"}, {"Decimal_Number", "Nd"},
        {"digit", "Nd"}, {"Letter_Number", "Nl"}, {"Other_Number", "No"}, {"Punctuation", "P"}, {"punct", "P"},
        {"Connector_Punctuation", "Pc"}, {"Dash_Punctuation", "Pd"}, {"Open_Punctuation", "Ps"}, {"Close_Punctuation", "Pe"},
        {"Initial_Punctuation", "Pi"}, {"Final_Punctuation", "Pf"}, {"Other_Punctuation", "Po"}, {"Symbol", "S"},
        {"Math_Symbol", "Sm"}, {"Currency_Symbol", "Sc"}, {"Modifier_Symbol", "Sk"}, {"Other_Symbol", "So"}, {"Separator", "Z"},
        {"Space_Separator", "Zs"}, {"Line_Separator", "Zl"}, {"Paragraph_Separator", "Zp"}, {"Other", "C"}, {"Control", "Cc"},
        {"cntrl", "Cc"}, {"Format", "Cf"}, {"Private_Use", "Co"}, {"Unassigned", "Cn"},
};

static bool property_escape(struct translation *translation) {
        const char *start = translation->source.data + translation->at + 3;
        size_t size = 0;
        if (peek(translation, 2) != '{')
                return refuse(translation, "expected \\p{NAME}");
        for (char c; (c = peek(translation, 3 + size)) != '}'; size++)
                if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '=')
                        return refuse(translation, "expected \\p{NAME}");
        struct bytes name = {start, size};
        const char *equals = size ? memchr(start, '=', size) : NULL;
        struct bytes kind = {start, equals ? (size_t)(equals - start) : 0};
        if (equals)
                name = (struct bytes){equals + 1, size - kind.size - 1};
        const char *prefix = "";
        if (bytes_equal(kind, BYTES("Script")) || bytes_equal(kind, BYTES("sc")))
                prefix = "sc:";
        else if (bytes_equal(kind, BYTES("Script_Extensions")) || bytes_equal(kind, BYTES("scx")))
                prefix = "scx:";
        else if (equals && !bytes_equal(kind, BYTES("General_Category")) && !bytes_equal(kind, BYTES("gc")))
                return refuse(translation, "an unknown kind of property");
        for (size_t i = 0; i < ARRAY_SIZE(property_names); i++)
                if (!*prefix && bytes_equal(bytes_of(property_names[i].ecma), name))
                        name = bytes_of(property_names[i].pcre);
        buffer_print(translation->out, "\\%c{%s%.*s}", peek(translation, 1), prefix, BYTES_PRINT(name));
        translation->at += size + 4;
        return true;
}

static bool emit(struct translation *translation, const char *text, size_t used) {
        buffer_append(translation->out, bytes_of(text));
        translation->at += used;
        return true;
}

static bool backreference(struct translation *translation) {
        size_t size = 1;
        while (size < 4 && peek(translation, size) >= '0' && peek(translation, size) <= '9')
                size++;
        buffer_print(translation->out, "\\g{%.*s}", (int)size - 1, translation->source.data + translation->at + 1);
        translation->at += size;
        return true;
}

static bool named_backreference(struct translation *translation) {
        if (peek(translation, 2) != '<')
                return refuse(translation, "expected \\k<NAME>");
        return emit(translation, "\\k<", 3);
}

// What is different in a class or outside of one comes first.
static bool escape(struct translation *translation, bool in_class) {
        char c = peek(translation, 1), low = (char)(c | 0x20);
        uint32_t value;
        size_t size;
        switch (c) {
        case 'd': case 'D': case 'w': case 'W': case 't': case 'n': case 'r': case 'f':
                buffer_print(translation->out, "\\%c", c);
                translation->at += 2;
                return true;
        case 'b': case 'B':
                if (in_class)
                        return c == 'b' ? emit(translation, "\\x08", 2) : refuse(translation, "\\B in a class");
                return emit(translation, c == 'b' ? "\\b" : "\\B", 2);
        case 's':
                return emit(translation, in_class ? SPACES : "[" SPACES "]", 2);
        case 'S':
                return emit(translation, in_class ? NO_SPACES : "[^" SPACES "]", 2);
        case 'v':
                return emit(translation, "\\x0b", 2);
        case '0':
                return peek(translation, 2) >= '0' && peek(translation, 2) <= '9' ? refuse(translation, "an octal escape")
                                                                                  : emit(translation, "\\x00", 2);
        case 'c':
                if (!((peek(translation, 2) | 0x20) >= 'a' && (peek(translation, 2) | 0x20) <= 'z'))
                        return refuse(translation, "expected a letter behind \\c");
                buffer_print(translation->out, "\\x%02x", (unsigned)peek(translation, 2) & 31);
                translation->at += 3;
                return true;
        case 'x':
                if (!hex_digits(translation, 2, 2, 2, &value, &size))
                        return refuse(translation, "expected two hexadecimal digits behind \\x");
                buffer_print(translation->out, "\\x%02x", value);
                translation->at += 4;
                return true;
        case 'u':
                return unicode_escape(translation);
        case 'p': case 'P':
                return property_escape(translation);
        case 'k':
                return in_class ? refuse(translation, "\\k in a class") : named_backreference(translation);
        default:
                break;
        }
        if (c >= '1' && c <= '9')
                return in_class ? refuse(translation, "a back reference in a class") : backreference(translation);
        if (c == '\0' || (low >= 'a' && low <= 'z') || (uint8_t)c >= 0x80)
                return refuse(translation, "this escape means nothing in ECMA-262");
        buffer_print(translation->out, "\\%c", c);
        translation->at += 2;
        return true;
}

static bool class(struct translation *translation) {
        bool negated = peek(translation, 1) == '^';
        if (peek(translation, 1 + negated) == ']')
                return emit(translation, negated ? "[\\x00-\\x{10ffff}]" : "(?!)", 2 + (size_t)negated);
        IGNORE(!emit(translation, negated ? "[^" : "[", 1 + (size_t)negated));         // never fails
        while (true) {
                char c = peek(translation, 0);
                if (translation->at == translation->source.size)
                        return refuse(translation, "this class has no ]");
                if (c == ']')
                        return emit(translation, "]", 1);
                if (c == '\\') {
                        if (!escape(translation, true))
                                return false;
                } else if (c == '[') {
                        IGNORE(!emit(translation, "\\[", 1));
                } else {
                        buffer_append_byte(translation->out, c);
                        translation->at++;
                }
        }
}

static bool group(struct translation *translation) {
        static const char *const allowed[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?<"};
        struct bytes rest = {translation->source.data + translation->at, translation->source.size - translation->at};
        if (peek(translation, 1) == '*')
                return refuse(translation, "nothing to repeat");
        if (peek(translation, 1) != '?')
                return emit(translation, "(", 1);
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
                if (bytes_starts_with(rest, bytes_of(allowed[i])))
                        return emit(translation, allowed[i], strlen(allowed[i]));
        return refuse(translation, "a kind of group that ECMA-262 does not have");
}

// The size of {n}, {n,} or {n,m}, or 0.
static size_t counted(const struct translation *translation) {
        size_t size = 1, digits = 0;
        for (; peek(translation, size) >= '0' && peek(translation, size) <= '9'; size++)
                digits++;
        if (digits && peek(translation, size) == ',')
                for (size++; peek(translation, size) >= '0' && peek(translation, size) <= '9'; )
                        size++;
        return digits && peek(translation, size) == '}' ? size + 1 : 0;
}

// Behind a quantifier ECMA-262 allows ? and nothing else that repeats.
static bool quantifier(struct translation *translation, size_t size) {
        buffer_append(translation->out, (struct bytes){translation->source.data + translation->at, size});
        translation->at += size;
        if (peek(translation, 0) == '?')
                IGNORE(!emit(translation, "?", 1));
        char next = peek(translation, 0);
        if (next == '*' || next == '+' || next == '?' || (next == '{' && counted(translation)))
                return refuse(translation, "nothing to repeat");
        return true;
}

static bool translate_one(struct translation *translation) {
        char c = peek(translation, 0);
        size_t size = 1;
        switch (c) {
        case '\\':
                return escape(translation, false);
        case '[':
                return class(translation);
        case '(':
                return group(translation);
        case '.':
                return emit(translation, "[^\\n\\r\\x{2028}\\x{2029}]", 1);
        case '{':
                size = counted(translation);
                return size ? quantifier(translation, size) : emit(translation, "\\{", 1);
        case '}':
                return emit(translation, "\\}", 1);
        case ']':
                return emit(translation, "\\]", 1);
        case '*': case '+': case '?':
                return quantifier(translation, 1);
        case '\0':
                return emit(translation, "\\x00", 1);
        default:
                buffer_append_byte(translation->out, c);
                translation->at++;
                return true;
        }
}

static bool translate(struct bytes source, struct buffer *ret_pcre, struct error *error) {
        struct translation translation = {.source = source, .out = ret_pcre, .error = error};
        if (source.size > SCHEMA_PATTERN_BYTES_MAX)
                return error_set(error, ERROR_LIMIT, "a pattern of %zu bytes; at most %d are accepted", source.size,
                                 SCHEMA_PATTERN_BYTES_MAX);
        while (translation.at < source.size)
                if (!translate_one(&translation))
                        return false;
        return true;
}

struct pattern {
        pcre2_code *code;
        pcre2_match_context *limits;
};

bool pattern_compile(struct bytes source, struct pattern **ret_pattern, struct error *error) {
        CLEANUP(buffer_free) struct buffer pcre = {0};
        if (!translate(source, &pcre, error))
                return false;
        const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
        int code;
        PCRE2_SIZE offset;
        pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)(pcre.data ? pcre.data : ""), pcre.size,
                                             options, &code, &offset, NULL);
        if (!compiled) {
                PCRE2_UCHAR message[200];
                pcre2_get_error_message(code, message, sizeof message);
                return error_set(error, ERROR_UNSUPPORTED, "pattern: %s", (const char *)message);
        }
        IGNORE(pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE));        // without it, matching is slower and the same
        struct pattern *pattern = must_malloc(sizeof *pattern);
        *pattern = (struct pattern){compiled, pcre2_match_context_create(NULL)};
        ASSERT(pattern->limits);
        pcre2_set_match_limit(pattern->limits, SCHEMA_PATTERN_STEPS_MAX);
        pcre2_set_heap_limit(pattern->limits, SCHEMA_PATTERN_HEAP_MAX / 1024);
        *ret_pattern = pattern;
        return true;
}

void pattern_free(struct pattern *pattern) {
        if (!pattern)
                return;
        pcre2_code_free(pattern->code);
        pcre2_match_context_free(pattern->limits);
        free(pattern);
}

static void *match_alloc(size_t size, void *arena) {
        return arena_alloc(arena, size);
}

static void match_free(void *memory, void *arena) {             // the arena's reset does it
        (void)memory;
        (void)arena;
}

enum pattern_verdict pattern_search(const struct pattern *pattern, struct bytes text, struct arena *scratch) {
        pcre2_general_context *context = pcre2_general_context_create(match_alloc, match_free, scratch);
        pcre2_match_data *match = context ? pcre2_match_data_create(1, context) : NULL;
        ASSERT(match);
        int found = pcre2_match(pattern->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.size, 0, PCRE2_NO_UTF_CHECK,
                                match, pattern->limits);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH)
                return PATTERN_UNDECIDED;
        return found >= 0 ? PATTERN_MATCH : PATTERN_NO_MATCH;
}
