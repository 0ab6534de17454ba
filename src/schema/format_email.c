// SPDX-License-Identifier: Apache-2.0
// Mailbox of RFC 5321, 4.1.2 and 4.1.3; with RFC 6531, 3.3 every code point from 128 on may stand in the local part, and the domain may
// be internationalized. For the text of such addresses normalization form C is a SHOULD (RFC 6532, 3.1), so it is not asked for, unlike
// in a host's name; every other rule of IDNA2008 is. The recommended sizes of RFC 5321, 4.5.3.1 are no rule of form, and not asked for.
#include "schema/format_priv.h"

static bool is_atom(char c, bool wide) {
        return is_letter(c) || is_digit(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c)) || (wide && (uint8_t)c >= 128);
}

static bool scan_quoted(struct scan *scan, bool wide) {
        while (scan->at < scan->end) {
                char c = *scan->at++;
                if (c == '"')
                        return true;
                if (c == '\\') {
                        c = scan_peek(scan);
                        if (c < ' ' || c > '~')
                                return false;
                        scan->at++;
                } else if (!(c >= ' ' && c <= '~') && !(wide && (uint8_t)c >= 128)) {
                        return false;
                }
        }
        return false;
}

static bool scan_local(struct scan *scan, bool wide) {
        if (scan_byte(scan, '"'))
                return scan_quoted(scan, wide);
        do {
                const char *start = scan->at;
                while (is_atom(scan_peek(scan), wide))
                        scan->at++;
                if (scan->at == start)
                        return false;
        } while (scan_byte(scan, '.'));
        return true;
}

// [127.0.0.1] and [IPv6:…]: no other kind of literal is registered.
static bool is_literal(struct bytes domain, struct arena *scratch) {
        if (domain.size < 2 || domain.data[domain.size - 1] != ']')
                return false;
        struct bytes inside = {domain.data + 1, domain.size - 2};
        struct bytes tag = BYTES("IPv6:");
        if (inside.size > tag.size && bytes_equal_ignore_case((struct bytes){inside.data, tag.size}, tag))
                return format_ipv6((struct bytes){inside.data + tag.size, inside.size - tag.size}, scratch);
        return format_ipv4(inside, scratch);
}

static bool mailbox(struct bytes text, bool wide, struct arena *scratch) {
        struct scan scan = scan_of(text);
        if (!scan_local(&scan, wide) || !scan_byte(&scan, '@') || scan.at == scan.end)
                return false;
        struct bytes domain = {scan.at, (size_t)(scan.end - scan.at)};
        if (*scan.at == '[')
                return is_literal(domain, scratch);
        return format_hostname_ascii(domain, scratch) || (wide && domain_is_of_mailbox(domain, scratch));
}

bool format_email(struct bytes text, struct arena *scratch) {
        return mailbox(text, false, scratch);
}

bool format_idn_email(struct bytes text, struct arena *scratch) {
        return mailbox(text, true, scratch);
}
