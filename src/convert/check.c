// SPDX-License-Identifier: Apache-2.0
// Two passes: our own over the tokens, for what is refused and whatever it knows a column for; then libjq's compiler. Of a syntax
// error libjq says the line alone. The column is found by bisection: a prefix of the tokens can still become a program exactly if
// libjq, given the prefix and a character that no program has, complains about that character and nothing before it.
#include "convert/convert_priv.h"

#include <stdlib.h>

#include "convert/exact.h"
#include "convert/program.h"
#include "convert/scan.h"
#include "json/json.h"
#include "json/utf8.h"

struct refusal {
        const char *name, *why;
};

static const char outside[] = "a mapping may depend on its input alone", others[] = "a mapping speaks to nobody",
                  zone[] = "it depends on the machine's time zone", alone[] = "a mapping is one program without modules";

static const struct refusal functions[] = {
        {"now", outside}, {"env", outside}, {"input", outside}, {"inputs", outside}, {"input_filename", outside},
        {"input_line_number", outside}, {"get_jq_origin", outside}, {"get_prog_origin", outside}, {"localtime", zone},
        {"strflocaltime", zone}, {"debug", others}, {"stderr", others}, {"halt", others}, {"halt_error", others},
        {"modulemeta", alone}, {"get_search_list", alone},
};
static const struct refusal variables[] = {{"ENV", outside}, {"__prog_args", outside}};
static const struct refusal keywords[] = {{"import", alone}, {"include", alone}, {"module", alone}};

static const char *refused(const struct refusal *list, size_t count, struct bytes name) {
        for (size_t i = 0; i < count; i++)
                if (bytes_equal(name, bytes_of(list[i].name)))
                        return list[i].why;
        return NULL;
}

// A literal of jq may have what a number of JSON may not: 007, .5, 5.
static bool literal_kept(struct bytes literal) {
        enum { EXPONENT_DIGITS_MAX = 6 };       // far below what exact.h can take
        CLEANUP(buffer_free) struct buffer number = {0};
        double value;
        size_t at = 0, exponent = 0;
        while (at + 1 < literal.size && literal.data[at] == '0' && literal.data[at + 1] >= '0' && literal.data[at + 1] <= '9')
                at++;
        if (literal.data[at] == '.')
                buffer_append_byte(&number, '0');
        for (; at < literal.size; at++) {
                bool digit_follows = at + 1 < literal.size && literal.data[at + 1] >= '0' && literal.data[at + 1] <= '9';
                if (literal.data[at] != '.' || digit_follows)
                        buffer_append_byte(&number, literal.data[at]);
                exponent += exponent || literal.data[at] == 'e' || literal.data[at] == 'E';
        }
        return exponent <= EXPONENT_DIGITS_MAX + 2 && exact_from_text(buffer_bytes(&number), &value);
}

static bool check_token(const struct scan *scan, struct token token, struct error *error) {
        struct bytes text = scan_text(scan, token);
        const char *why = NULL;
        if (token.kind == TOKEN_NAME)
                why = refused(functions, ARRAY_SIZE(functions), text);
        else if (token.kind == TOKEN_VARIABLE)
                why = refused(variables, ARRAY_SIZE(variables), text);
        else if (token.kind == TOKEN_KEYWORD)
                why = refused(keywords, ARRAY_SIZE(keywords), text);
        else if (token.kind == TOKEN_NUMBER && !literal_kept(text))
                return scan_error(scan->program, token.offset, ERROR_INVALID, error, "jq would round %.*s: at most ±2^53 for integers, "
                                  "and what a double keeps", (int)MIN(text.size, (size_t)40), text.data);
        if (why)
                return scan_error(scan->program, token.offset, ERROR_INVALID, error, "`%s%.*s` is not allowed: %s",
                                  token.kind == TOKEN_VARIABLE ? "$" : "", BYTES_PRINT(text), why);
        return true;
}

bool check_rules(struct bytes program, struct error *error) {
        if (program.size > CONVERT_PROGRAM_MAX)
                return error_set(error, ERROR_LIMIT, "%zu bytes, at most %d", program.size, CONVERT_PROGRAM_MAX);
        const char *end = program.data + program.size;
        for (const char *at = program.data; at < end; ) {
                unsigned size = utf8_sequence(at, end);
                if (!size || !*at)
                        return scan_error(program, (size_t)(at - program.data), ERROR_INVALID, error,
                                          size ? "a NUL" : "a byte that is no UTF-8");
                at += size;
        }
        struct scan scan = scan_begin(program);
        struct token token;
        bool empty = true;
        for (;; empty = false) {
                if (!scan_next(&scan, &token, error) || (token.size && !check_token(&scan, token, error)))
                        return false;
                if (token.kind == TOKEN_END)
                        return !empty || scan_error(program, 0, ERROR_INVALID, error, "an empty program; `.` changes nothing");
        }
}

// Only for programs that check_rules has passed.
static struct token *tokens_of(struct bytes program, size_t *ret_count) {
        struct scan scan = scan_begin(program);
        struct token token, *tokens = must_calloc(program.size + 1, sizeof *tokens);
        size_t count = 0;
        while (scan_next(&scan, &token, NULL) && token.kind != TOKEN_END)
                tokens[count++] = token;
        *ret_count = count;
        return tokens;
}

static bool can_go_on(struct bytes prefix) {
        CLEANUP(buffer_free) struct buffer text = {0};
        struct program *compiled;
        struct error error;
        size_t line = 0, last = 2;
        buffer_append(&text, prefix);
        buffer_append(&text, BYTES("\n^"));
        for (size_t i = 0; i < prefix.size; i++)
                last += prefix.data[i] == '\n';
        if (program_compile(buffer_bytes(&text), &compiled, &line, &error)) {
                program_free(compiled);         // the prefix ends inside a string that … cannot be: then it does not compile
                return true;
        }
        return line >= last || !strstr(error.text, "syntax error") || strstr(error.text, "unexpected $end");
}

// Puts line and column, and the token, in front of what libjq said of it.
static bool syntax_error(struct bytes program, struct error *error) {
        size_t count, low = 0, high;
        CLEANUP(free_pointer) struct token *tokens = tokens_of(program, &count);
        for (high = count; low < high; ) {      // the first low tokens can go on; if high < count, the first high + 1 cannot
                size_t middle = low + (high - low) / 2;
                if (can_go_on((struct bytes){program.data, tokens[middle].offset + tokens[middle].size}))
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == count)
                return scan_error(program, program.size, ERROR_INVALID, error, "the program ends too early");
        return scan_error(program, tokens[low].offset, ERROR_INVALID, error, "`%.*s` cannot stand here",
                          (int)MIN(tokens[low].size, (size_t)40), program.data + tokens[low].offset);
}

// "foo/1 is not defined", "$x is not defined", "$*label-x is not defined": the place of the name, from that line on.
static bool undefined_error(struct bytes program, size_t line, struct error *error) {
        static const struct bytes label = BYTES("$*label-");
        struct bytes name = {error->text, strcspn(error->text, "/ ")};
        bool variable = bytes_starts_with(name, BYTES("$"));
        size_t cut = bytes_starts_with(name, label) ? label.size : variable;
        name = (struct bytes){name.data + cut, name.size - cut};
        size_t count;
        CLEANUP(free_pointer) struct token *tokens = tokens_of(program, &count);
        for (size_t i = 0; i < count; i++) {
                struct bytes text = {program.data + tokens[i].offset, tokens[i].size};
                bool kind = tokens[i].kind == (variable ? TOKEN_VARIABLE : TOKEN_NAME) || tokens[i].kind == TOKEN_KEY;
                if (!kind || !bytes_equal(text, name) || json_position(program, tokens[i].offset).line < line)
                        continue;
                if (cut == label.size)
                        return scan_error(program, tokens[i].offset, ERROR_INVALID, error, "there is no label $%.*s",
                                          BYTES_PRINT(text));
                char sentence[ERROR_TEXT_MAX];
                memcpy(sentence, error->text, sizeof sentence);
                return scan_error(program, tokens[i].offset, ERROR_INVALID, error, "%s", sentence);
        }
        return error_wrap(error, "line %zu", line);
}

bool convert_check(struct bytes program, struct error *error) {
        struct program *compiled;
        struct error own;
        size_t line = 0;
        error = error ? error : &own;
        if (!check_rules(program, error))
                return false;
        if (program_compile(program, &compiled, &line, error)) {
                program_free(compiled);
                return true;
        }
        if (strstr(error->text, "syntax error"))
                return syntax_error(program, error);
        if (strstr(error->text, " is not defined"))
                return undefined_error(program, line, error);
        return error_wrap(error, "line %zu", MAX(line, (size_t)1));
}
