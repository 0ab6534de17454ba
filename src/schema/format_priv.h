// SPDX-License-Identifier: Apache-2.0
// The formats, one function each, and what they share: a text that is read from the left.
#pragma once

#include "json/utf8.h"
#include "schema/format.h"

struct scan {
        const char *at, *end;
};

static inline struct scan scan_of(struct bytes text) {
        return (struct scan){text.data, text.data + text.size};
}
static inline bool scan_byte(struct scan *scan, char byte) {
        if (scan->at == scan->end || *scan->at != byte)
                return false;
        scan->at++;
        return true;
}
static inline char scan_peek(const struct scan *scan) {
        return scan->at < scan->end ? *scan->at : '\0';         // callers ask for what is not NUL
}
static inline bool is_digit(char c) {
        return c >= '0' && c <= '9';
}
static inline bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool is_hex(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
// Exactly `count` decimal digits.
static inline bool scan_number(struct scan *scan, size_t count, unsigned *ret_number) {
        unsigned number = 0;
        for (; count; count--, scan->at++) {
                if (!is_digit(scan_peek(scan)))
                        return false;
                number = number * 10 + (unsigned)(*scan->at - '0');
        }
        *ret_number = number;
        return true;
}
static inline bool scan_digits(struct scan *scan) {             // one or more
        const char *start = scan->at;
        while (is_digit(scan_peek(scan)))
                scan->at++;
        return scan->at > start;
}
// A code point of valid UTF-8.
static inline uint32_t scan_point(struct scan *scan) {
        unsigned length = utf8_sequence(scan->at, scan->end);
        uint32_t point = utf8_decode(scan->at, length);
        scan->at += length;
        return point;
}

typedef bool format_function(struct bytes text, struct arena *scratch);
format_function format_date_time, format_date, format_time, format_duration;                    // format_time.c
format_function format_email, format_idn_email;                                                  // format_email.c
format_function format_hostname_ascii, format_hostname, format_ipv4, format_ipv6;               // format_host.c
format_function format_idn_hostname;                                                             // format_domain.c
format_function format_uri, format_uri_reference, format_iri, format_iri_reference, format_uri_template;        // format_uri.c
format_function format_json_pointer, format_relative_json_pointer_old, format_relative_json_pointer, format_uuid;       // format.c

bool is_ucschar(uint32_t point);                // RFC 3987, 2.2
bool is_iprivate(uint32_t point);
// Whether what begins with xn-- is an A-label; its U-label is valid then.
bool domain_is_a_label(struct bytes label, struct arena *scratch);
// As idn-hostname, but that U-labels need not be in normalization form C.
bool domain_is_of_mailbox(struct bytes text, struct arena *scratch);
