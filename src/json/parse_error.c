// SPDX-License-Identifier: Apache-2.0
// Where a text is wrong. What is wrong with a string or a number that the scanners have refused: looked at again, byte by byte, for its
// error.
#include "json/json_priv.h"

#include "json/scan.h"

// A file that another program has written in UTF-16, or in UTF-8 with a mark in front. A parser may ignore the latter (RFC 8259, 8.1); it
// is refused here, since a sender must not write it, and what lets it pass in one place has it refused in the next.
static const char *mark_error(struct bytes source) {
        if (bytes_starts_with(source, BYTES("\xEF\xBB\xBF")))
                return "this is a byte order mark, with which JSON must not begin (RFC 8259, 8.1): save the text as UTF-8 without it";
        if (bytes_starts_with(source, BYTES("\xFF\xFE")) || bytes_starts_with(source, BYTES("\xFE\xFF")))
                return "this is UTF-16; JSON is UTF-8 (RFC 8259, 8.1)";
        return NULL;
}

bool json_error_at(struct bytes source, const char *at, struct error *error, enum error_code code, const char *what) {
        struct json_position position = json_position(source, (size_t)(at - source.data));
        const char *mark = position.offset == 0 && code == ERROR_INVALID ? mark_error(source) : NULL;
        return error_set(error, code, "line %zu, column %zu (byte %zu): %s", position.line, position.column, position.offset,
                         mark ? mark : what);
}

// What is wrong with the escapes between two quotes.
static bool escape_error(struct bytes source, const char *at, const char *end, struct error *error) {
        for (; at < end && (at = memchr(at, '\\', (size_t)(end - at))); at += 2) {
                const char *rest = at[1] == 'u' ? at + 6 : at + 2;
                bool pair = at[1] == 'u' && end - at >= 12 && scan_escapes(at, at + 12);
                if (rest <= end && scan_escapes(at, rest))
                        continue;
                if (pair) {
                        at += 10;
                        continue;
                }
                bool hexadecimal = at[1] == 'u' && end - at >= 6;
                for (int i = 2; i < 6 && hexadecimal; i++)
                        hexadecimal = (at[i] >= '0' && at[i] <= '9') || ((at[i] | 0x20) >= 'a' && (at[i] | 0x20) <= 'f');
                if (at[1] != 'u')
                        return json_error_at(source, at, error, ERROR_INVALID,
                                             "expected one of \" \\ / b f n r t u behind a backslash");
                return json_error_at(source, at, error, ERROR_INVALID,
                                     hexadecimal ? "a surrogate without its other half is no character"
                                                 : "expected four hexadecimal digits behind \\u");
        }
        UNREACHABLE("escapes that the scanner has refused");
}

bool json_string_error(struct bytes source, const char *quote, struct error *error) {
        const char *at = quote + 1, *end = source.data + source.size;
        while (true) {
                at = scan_plain(source.data, at, end);
                if (at == end)
                        return json_error_at(source, quote, error, ERROR_INVALID, "this string has no closing quote");
                if (*at == '"')
                        return escape_error(source, quote + 1, at, error);
                if (*at == '\\') {
                        if (end - at > 1 && ((uint8_t)at[1] < 0x20 || (uint8_t)at[1] >= 0x80))
                                return json_error_at(source, at, error, ERROR_INVALID,
                                                     "expected one of \" \\ / b f n r t u behind a backslash");
                        at += end - at > 1 ? 2 : 1;
                        continue;
                }
                if ((uint8_t)*at < 0x20)
                        return json_error_at(source, at, error, ERROR_INVALID, "a control character in a string must be escaped");
                unsigned length = utf8_sequence(at, end);
                if (length == 0)
                        return json_error_at(source, at, error, ERROR_INVALID, "this is not valid UTF-8");
                at += length;
        }
}

static const char *skip_digits(const char *at, const char *end) {
        while (at < end && *at >= '0' && *at <= '9')
                at++;
        return at;
}

bool json_number_error(struct bytes source, const char *at, struct error *error) {
        const char *end = source.data + source.size, *digits = at + (*at == '-');
        at = skip_digits(digits, end);
        if (at == digits)
                return json_error_at(source, at, error, ERROR_INVALID, "expected a digit");
        if (*digits == '0' && at - digits > 1)
                return json_error_at(source, digits, error, ERROR_INVALID, "a number may not start with a zero that means nothing");
        if (at < end && *at == '.') {
                const char *fraction = at + 1;
                at = skip_digits(fraction, end);
                if (at == fraction)
                        return json_error_at(source, at, error, ERROR_INVALID, "expected a digit behind the decimal point");
        }
        const char *exponent = at + 1;                  // an e, or the number would be right
        if (exponent < end && (*exponent == '+' || *exponent == '-'))
                exponent++;
        digits = skip_digits(exponent, end);
        if (digits == exponent)
                return json_error_at(source, digits, error, ERROR_INVALID, "expected a digit of the exponent");
        while (exponent < digits - 1 && *exponent == '0')
                exponent++;
        return json_error_at(source, exponent, error, ERROR_LIMIT, "an exponent beyond 1000000000");
}
