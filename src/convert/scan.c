// SPDX-License-Identifier: Apache-2.0
// A name is looked at with what stands before it: behind `$` it is a variable, first in a pair of {…} a key, else a function (or one
// that is defined: the same to us). Keywords are keywords everywhere but as keys.
#include "convert/scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "json/json.h"

bool scan_error(struct bytes program, size_t offset, enum error_code code, struct error *error, const char *format, ...) {
        char sentence[ERROR_TEXT_MAX];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(sentence, sizeof sentence, format, arguments);
        va_end(arguments);
        struct json_position position = json_position(program, offset);
        return error_set(error, code, "line %zu, column %zu: %s", position.line, position.column, sentence);
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// The byte `ahead` of here, 0 beyond the end.
static char peek(const struct scan *scan, size_t ahead) {
        return scan->at + ahead < scan->program.size ? scan->program.data[scan->at + ahead] : '\0';
}

static char top(const struct scan *scan) {
        return scan->depth ? scan->open[scan->depth - 1].kind : '\0';
}

static const char *name_of(char kind) {
        return kind == 'i' ? "if" : kind == '(' ? "(" : kind == '[' ? "[" : kind == '{' ? "{" : "\"";
}

static bool push(struct scan *scan, char kind, size_t offset, struct error *error) {
        if (scan->depth == CONVERT_NESTING_MAX)
                return scan_error(scan->program, offset, ERROR_LIMIT, error, "more than %d levels of brackets, strings and if",
                                  CONVERT_NESTING_MAX);
        scan->open[scan->depth].kind = kind;
        scan->open[scan->depth++].offset = offset;
        return true;
}

static bool pop(struct scan *scan, char kind, const char *closing, struct error *error) {
        if (top(scan) == kind) {
                scan->depth--;
                return true;
        }
        if (!scan->depth)
                return scan_error(scan->program, scan->at, ERROR_INVALID, error, "`%s` closes nothing", closing);
        struct json_position position = json_position(scan->program, scan->open[scan->depth - 1].offset);
        return scan_error(scan->program, scan->at, ERROR_INVALID, error, "`%s`, but the `%s` of line %zu, column %zu is still open",
                          closing, name_of(top(scan)), position.line, position.column);
}

static void skip_space(struct scan *scan) {
        for (char c; (c = peek(scan, 0)); scan->at++) {
                if (c == '#')
                        while (scan->at < scan->program.size && peek(scan, 0) != '\n')
                                scan->at++;
                if (!strchr(" \t\r\n", peek(scan, 0)) || scan->at >= scan->program.size)
                        break;
        }
}

static size_t name_size(const struct scan *scan, size_t from) {
        size_t size = from;
        while (is_letter(peek(scan, size)) || (size > from && is_digit(peek(scan, size))))
                size++;
        return size;
}

// Names of modules may stand before: a::b.
static size_t qualified_size(const struct scan *scan) {
        size_t size = name_size(scan, 0);
        while (size && peek(scan, size) == ':' && peek(scan, size + 1) == ':' && is_letter(peek(scan, size + 2)))
                size = name_size(scan, size + 2);
        return size;
}

static size_t number_size(const struct scan *scan) {
        size_t size = 0, exponent;
        while (is_digit(peek(scan, size)))
                size++;
        if (peek(scan, size) == '.')
                for (size++; is_digit(peek(scan, size)); )
                        size++;
        exponent = size;
        if (peek(scan, exponent) != 'e' && peek(scan, exponent) != 'E')
                return size;
        exponent++;
        exponent += peek(scan, exponent) == '+' || peek(scan, exponent) == '-';
        if (!is_digit(peek(scan, exponent)))
                return size;
        while (is_digit(peek(scan, exponent)))
                exponent++;
        return exponent;
}

static bool is_keyword(struct bytes name) {
        static const char *const keywords[] = {"as", "import", "include", "module", "def", "if", "then", "else", "elif", "end", "and",
                                               "or", "reduce", "foreach", "try", "catch", "label", "__loc__", "break"};
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
                if (bytes_equal(name, bytes_of(keywords[i])))
                        return true;
        return false;
}

static bool scan_name(struct scan *scan, struct token *token, struct error *error) {
        token->size = qualified_size(scan);
        struct bytes name = {scan->program.data + scan->at, token->size};
        bool key = top(scan) == '{' && (scan->last == '{' || scan->last == ',');
        token->kind = key ? TOKEN_KEY : is_keyword(name) ? TOKEN_KEYWORD : scan->last == '$' ? TOKEN_VARIABLE : TOKEN_NAME;
        if (token->kind == TOKEN_KEYWORD && bytes_equal(name, BYTES("if")) && !push(scan, 'i', scan->at, error))
                return false;
        if (token->kind == TOKEN_KEYWORD && bytes_equal(name, BYTES("end")) && !pop(scan, 'i', "end", error))
                return false;
        return true;
}

static bool scan_sign(struct scan *scan, struct token *token, struct error *error) {
        static const char *const signs[] = {"?//", "//=", "!=", "==", "//", "|=", "+=", "-=", "*=", "/=", "%=", "<=", ">=", ".."};
        char c = peek(scan, 0);
        token->kind = TOKEN_SIGN;
        token->size = 1;
        if (c == '(' || c == '[' || c == '{' || c == '"')
                return push(scan, c, scan->at, error);
        if (c == ')')
                return pop(scan, '(', ")", error);
        if (c == ']')
                return pop(scan, '[', "]", error);
        if (c == '}')
                return pop(scan, '{', "}", error);
        for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
                struct bytes sign = bytes_of(signs[i]), rest = {scan->program.data + scan->at, scan->program.size - scan->at};
                if (bytes_starts_with(rest, sign)) {
                        token->size = sign.size;
                        break;
                }
        }
        return true;
}

// Inside a string: text, `\(` or the end of it.
static bool scan_string(struct scan *scan, struct token *token, struct error *error) {
        token->kind = TOKEN_SIGN;
        token->size = 1;
        if (peek(scan, 0) == '"') {
                scan->depth--;
                return true;
        }
        if (peek(scan, 0) == '\\' && peek(scan, 1) == '(') {
                token->size = 2;
                return push(scan, '(', scan->at, error);
        }
        token->kind = TOKEN_TEXT;
        size_t size = 0;
        while (scan->at + size < scan->program.size && peek(scan, size) != '"') {
                bool escape = peek(scan, size) == '\\';
                if (escape && peek(scan, size + 1) == '(')
                        break;
                size += escape && scan->at + size + 1 < scan->program.size ? 2 : 1;
        }
        token->size = size;
        return true;
}

static bool scan_code(struct scan *scan, struct token *token, struct error *error) {
        char c = peek(scan, 0);
        if (is_letter(c))
                return scan_name(scan, token, error);
        if (is_digit(c) || (c == '.' && is_digit(peek(scan, 1)))) {
                token->kind = TOKEN_NUMBER;
                token->size = number_size(scan);
                return true;
        }
        if ((c == '.' || c == '@') && is_letter(peek(scan, 1))) {
                token->kind = c == '.' ? TOKEN_FIELD : TOKEN_FORMAT;
                token->size = name_size(scan, 1);
                return true;
        }
        return scan_sign(scan, token, error);
}

bool scan_next(struct scan *scan, struct token *ret_token, struct error *error) {
        bool in_string = top(scan) == '"';
        if (!in_string)
                skip_space(scan);
        struct token token = {.offset = scan->at};
        if (scan->at >= scan->program.size) {
                if (scan->depth)
                        return scan_error(scan->program, scan->open[scan->depth - 1].offset, ERROR_INVALID, error,
                                          "this `%s` is not closed", name_of(top(scan)));
                *ret_token = token;
                return true;
        }
        if (!(in_string ? scan_string : scan_code)(scan, &token, error))
                return false;
        scan->last = token.kind == TOKEN_SIGN ? scan->program.data[token.offset] : '\0';
        scan->at += token.size;
        *ret_token = token;
        return true;
}
