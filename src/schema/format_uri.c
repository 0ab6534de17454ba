// SPDX-License-Identifier: Apache-2.0
// Identifiers of resources: RFC 3986 (URI), RFC 3987 (IRI), RFC 6570 (templates).
#include "schema/format_priv.h"

bool is_ucschar(uint32_t point) {
        if (point < 0x10000)
                return (point >= 0xA0 && point <= 0xD7FF) || (point >= 0xF900 && point <= 0xFDCF) || (point >= 0xFDF0 && point <= 0xFFEF);
        return (point & 0xFFFF) <= 0xFFFD && point <= 0xEFFFD && !(point >= 0xE0000 && point < 0xE1000);
}

bool is_iprivate(uint32_t point) {
        return (point >= 0xE000 && point <= 0xF8FF) || (point >= 0xF0000 && (point & 0xFFFF) <= 0xFFFD);
}

static bool scan_percent(struct scan *scan) {
        if (scan->end - scan->at < 3 || *scan->at != '%' || !is_hex(scan->at[1]) || !is_hex(scan->at[2]))
                return false;
        scan->at += 3;
        return true;
}

static bool is_in(char c, const char *set) {
        return c && strchr(set, c);
}

static bool is_unreserved(char c) {
        return is_letter(c) || is_digit(c) || is_in(c, "-._~");
}

#define SUB_DELIMS "!$&'()*+,;="

// As many unreserved characters, percent-encodings, sub-delims and others of `more` as there are; of IRIs ucschar too.
static void scan_run(struct scan *scan, const char *more, bool wide, bool private) {
        while (scan->at < scan->end) {
                char c = *scan->at;
                if (is_unreserved(c) || is_in(c, SUB_DELIMS) || is_in(c, more)) {
                        scan->at++;
                } else if (c == '%') {
                        if (!scan_percent(scan))
                                return;
                } else if (wide && (uint8_t)c >= 128) {
                        struct scan after = *scan;
                        uint32_t point = scan_point(&after);
                        if (!is_ucschar(point) && !(private && is_iprivate(point)))
                                return;
                        *scan = after;
                } else {
                        return;
                }
        }
}

static bool is_future(struct bytes text) {
        struct scan scan = scan_of(text);
        if (!scan_byte(&scan, 'v') && !scan_byte(&scan, 'V'))
                return false;
        const char *start = scan.at;
        while (is_hex(scan_peek(&scan)))
                scan.at++;
        if (scan.at == start || !scan_byte(&scan, '.') || scan.at == scan.end)
                return false;
        while (is_unreserved(scan_peek(&scan)) || is_in(scan_peek(&scan), SUB_DELIMS ":"))
                scan.at++;
        return scan.at == scan.end;
}

// Behind the two slashes.
static bool scan_authority(struct scan *scan, bool wide) {
        struct scan user = *scan;
        scan_run(&user, ":", wide, false);
        if (scan_byte(&user, '@'))
                *scan = user;
        if (scan_byte(scan, '[')) {
                const char *start = scan->at, *close = memchr(start, ']', (size_t)(scan->end - start));
                if (!close)
                        return false;
                struct bytes inside = {start, (size_t)(close - start)};
                if (!format_ipv6(inside, NULL) && !is_future(inside))
                        return false;
                scan->at = close + 1;
        } else {
                scan_run(scan, "", wide, false);
        }
        if (scan_byte(scan, ':'))
                while (is_digit(scan_peek(scan)))
                        scan->at++;
        return scan->at == scan->end || is_in(*scan->at, "/?#");
}

static bool scan_scheme(struct scan *scan) {
        struct scan after = *scan;
        if (!is_letter(scan_peek(&after)))
                return false;
        while (is_letter(scan_peek(&after)) || is_digit(scan_peek(&after)) || is_in(scan_peek(&after), "+-."))
                after.at++;
        if (!scan_byte(&after, ':'))
                return false;
        *scan = after;
        return true;
}

static bool reference(struct bytes text, bool relative, bool wide) {
        struct scan scan = scan_of(text);
        bool absolute = scan_scheme(&scan);
        if (!absolute && !relative)
                return false;
        bool authority = scan.end - scan.at >= 2 && scan.at[0] == '/' && scan.at[1] == '/';
        if (authority) {
                scan.at += 2;
                if (!scan_authority(&scan, wide))
                        return false;
        } else if (!absolute) {
                // The first segment of a relative path has no colon.
                scan_run(&scan, "@", wide, false);
                if (scan_peek(&scan) == ':')
                        return false;
        }
        scan_run(&scan, ":@/", wide, false);
        if (scan_byte(&scan, '?'))
                scan_run(&scan, ":@/?", wide, true);
        if (scan_byte(&scan, '#'))
                scan_run(&scan, ":@/?", wide, false);
        return scan.at == scan.end;
}

bool format_uri(struct bytes text, struct arena *scratch) {
        (void)scratch;
        return reference(text, false, false);
}

bool format_uri_reference(struct bytes text, struct arena *scratch) {
        (void)scratch;
        return reference(text, true, false);
}

bool format_iri(struct bytes text, struct arena *scratch) {
        (void)scratch;
        return reference(text, false, true);
}

bool format_iri_reference(struct bytes text, struct arena *scratch) {
        (void)scratch;
        return reference(text, true, true);
}

// --- templates

static bool scan_varchars(struct scan *scan) {
        const char *start = scan->at;
        while (true) {
                char c = scan_peek(scan);
                if (is_letter(c) || is_digit(c) || c == '_')
                        scan->at++;
                else if (!scan_percent(scan))
                        break;
        }
        return scan->at > start;
}

static bool scan_variable(struct scan *scan) {
        unsigned digits = 0;
        do {
                if (!scan_varchars(scan))
                        return false;
        } while (scan_byte(scan, '.'));
        if (scan_byte(scan, '*') || !scan_byte(scan, ':'))
                return true;
        if (scan_peek(scan) == '0')
                return false;
        for (; digits < 4 && is_digit(scan_peek(scan)); digits++)
                scan->at++;
        return digits > 0;
}

static bool scan_expression(struct scan *scan) {
        if (is_in(scan_peek(scan), "+#./;?&=,!@|"))
                scan->at++;
        do {
                if (!scan_variable(scan))
                        return false;
        } while (scan_byte(scan, ','));
        return scan_byte(scan, '}');
}

bool format_uri_template(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        while (scan.at < scan.end) {
                char c = *scan.at;
                if (c == '{') {
                        scan.at++;
                        if (!scan_expression(&scan))
                                return false;
                } else if (c == '%') {
                        if (!scan_percent(&scan))
                                return false;
                } else if ((uint8_t)c >= 128) {
                        uint32_t point = scan_point(&scan);
                        if (!is_ucschar(point) && !is_iprivate(point))
                                return false;
                } else if (c <= ' ' || c == 0x7F || is_in(c, "\"<>\\^`|}")) {
                        return false;
                } else {
                        scan.at++;
                }
        }
        return true;
}
