// SPDX-License-Identifier: Apache-2.0
// Names of hosts in ASCII, and addresses.
#include "schema/format_priv.h"

enum { LABEL_MAX = 63, NAME_MAX_SIZE = 253 };           // RFC 1035, 2.3.4; 255 with the lengths of labels, the root's included

static bool hostname(struct bytes text, bool a_labels, struct arena *scratch) {
        struct scan scan = scan_of(text);
        if (text.size > NAME_MAX_SIZE)
                return false;
        do {
                const char *start = scan.at;
                while (is_letter(scan_peek(&scan)) || is_digit(scan_peek(&scan)) || scan_peek(&scan) == '-')
                        scan.at++;
                struct bytes label = {start, (size_t)(scan.at - start)};
                if (!label.size || label.size > LABEL_MAX || *start == '-' || scan.at[-1] == '-')
                        return false;
                bool reserved = label.size >= 4 && bytes_equal_ignore_case((struct bytes){start, 4}, BYTES("xn--"));
                if (a_labels && reserved && !domain_is_a_label(label, scratch))
                        return false;
        } while (scan_byte(&scan, '.'));
        return scan.at == scan.end;
}

bool format_hostname_ascii(struct bytes text, struct arena *scratch) {
        return hostname(text, false, scratch);
}

bool format_hostname(struct bytes text, struct arena *scratch) {
        return hostname(text, true, scratch);
}

static bool scan_ipv4(struct scan *scan) {
        for (unsigned part = 0; part < 4; part++) {
                const char *start = scan->at;
                unsigned value = 0;
                if (part && !scan_byte(scan, '.'))
                        return false;
                start = scan->at;
                while (is_digit(scan_peek(scan)) && scan->at - start < 3)
                        value = value * 10 + (unsigned)(*scan->at++ - '0');
                if (scan->at == start || value > 255 || (*start == '0' && scan->at - start > 1))
                        return false;
        }
        return true;
}

bool format_ipv4(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        return scan_ipv4(&scan) && scan.at == scan.end;
}

bool format_ipv6(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        unsigned groups = 0;
        bool gap = false;
        if (scan_byte(&scan, ':')) {                    // only as the first half of ::
                if (!scan_byte(&scan, ':'))
                        return false;
                gap = true;
        }
        while (scan.at < scan.end) {
                struct scan dotted = scan;
                if (scan_ipv4(&dotted) && dotted.at == dotted.end)
                        return gap ? groups < 6 : groups == 6;
                const char *start = scan.at;
                while (is_hex(scan_peek(&scan)) && scan.at - start < 4)
                        scan.at++;
                if (scan.at == start || ++groups > 8)
                        return false;
                if (scan.at == scan.end)
                        break;
                if (!scan_byte(&scan, ':') || scan.at == scan.end)
                        return false;
                if (scan_byte(&scan, ':')) {
                        if (gap)
                                return false;
                        gap = true;
                }
        }
        return gap ? groups < 8 : groups == 8;
}
