// SPDX-License-Identifier: Apache-2.0
#include "schema/format.h"

#include "schema/format_priv.h"
#include "schema/pattern.h"

enum { D4 = 1, D6 = 2, D7 = 4, D2019 = 8, D2020 = 16, SINCE_7 = D7 | D2019 | D2020, SINCE_6 = D6 | SINCE_7, EVERY = D4 | SINCE_6 };

static const struct {
        const char *name;
        unsigned drafts;
        format_function *check;                 // NULL: see format_check
} formats[FORMAT_COUNT] = {
        [FORMAT_NONE] = {"", 0, NULL},
        [FORMAT_DATE_TIME] = {"date-time", EVERY, format_date_time},
        [FORMAT_DATE] = {"date", SINCE_7, format_date},
        [FORMAT_TIME] = {"time", SINCE_7, format_time},
        [FORMAT_DURATION] = {"duration", D2019 | D2020, format_duration},
        [FORMAT_EMAIL] = {"email", EVERY, format_email},
        [FORMAT_IDN_EMAIL] = {"idn-email", SINCE_7, format_idn_email},
        [FORMAT_HOSTNAME_ASCII] = {"hostname", D4 | D6, format_hostname_ascii},
        [FORMAT_HOSTNAME] = {"hostname", SINCE_7, format_hostname},
        [FORMAT_IDN_HOSTNAME] = {"idn-hostname", SINCE_7, format_idn_hostname},
        [FORMAT_IPV4] = {"ipv4", EVERY, format_ipv4},
        [FORMAT_IPV6] = {"ipv6", EVERY, format_ipv6},
        [FORMAT_URI] = {"uri", EVERY, format_uri},
        [FORMAT_URI_REFERENCE] = {"uri-reference", SINCE_6, format_uri_reference},
        [FORMAT_IRI] = {"iri", SINCE_7, format_iri},
        [FORMAT_IRI_REFERENCE] = {"iri-reference", SINCE_7, format_iri_reference},
        [FORMAT_URI_TEMPLATE] = {"uri-template", SINCE_6, format_uri_template},
        [FORMAT_JSON_POINTER] = {"json-pointer", SINCE_6, format_json_pointer},
        [FORMAT_RELATIVE_JSON_POINTER_OLD] = {"relative-json-pointer", D7 | D2019, format_relative_json_pointer_old},
        [FORMAT_RELATIVE_JSON_POINTER] = {"relative-json-pointer", D2020, format_relative_json_pointer},
        [FORMAT_REGEX] = {"regex", SINCE_7, NULL},
        [FORMAT_UUID] = {"uuid", D2019 | D2020, format_uuid},
};

static unsigned draft_bit(enum schema_draft draft) {
        static const unsigned bits[] = {
                [SCHEMA_DRAFT_4] = D4, [SCHEMA_DRAFT_6] = D6, [SCHEMA_DRAFT_7] = D7, [SCHEMA_DRAFT_2019_09] = D2019,
                [SCHEMA_DRAFT_2020_12] = D2020,
        };
        return bits[draft];
}

enum schema_format format_find(struct bytes name, enum schema_draft draft) {
        for (unsigned format = FORMAT_NONE + 1; format < FORMAT_COUNT; format++)
                if ((formats[format].drafts & draft_bit(draft)) && bytes_equal(bytes_of(formats[format].name), name))
                        return (enum schema_format)format;
        return FORMAT_NONE;
}

const char *format_name(enum schema_format format) {
        return formats[format].name;
}

enum format_verdict format_check(enum schema_format format, struct bytes text, struct arena *scratch) {
        static const enum format_verdict of_pattern[] = {
                [PATTERN_NO_MATCH] = FORMAT_INVALID, [PATTERN_MATCH] = FORMAT_VALID, [PATTERN_UNDECIDED] = FORMAT_UNDECIDED,
        };
        if (!text.data)
                text.data = "";
        if (format == FORMAT_REGEX)
                return of_pattern[pattern_check(text, scratch)];
        if (!formats[format].check)
                return FORMAT_VALID;
        struct arena_mark mark = arena_mark(scratch);
        bool good = formats[format].check(text, scratch);
        arena_rewind(scratch, mark);
        return good ? FORMAT_VALID : FORMAT_INVALID;
}

// --- pointers and identifiers

static bool pointer(struct scan *scan) {
        while (scan_byte(scan, '/'))
                for (; scan->at < scan->end && *scan->at != '/'; scan->at++)
                        if (*scan->at == '~' && (++scan->at == scan->end || (*scan->at != '0' && *scan->at != '1')))
                                return false;
        return scan->at == scan->end;
}

bool format_json_pointer(struct bytes text, struct arena *scratch) {
        (void)scratch;
        struct scan scan = scan_of(text);
        return pointer(&scan);
}

static bool relative_pointer(struct bytes text, bool steps) {
        struct scan scan = scan_of(text);
        if (!scan_byte(&scan, '0') && !scan_digits(&scan))
                return false;
        if (steps && (scan_byte(&scan, '+') || scan_byte(&scan, '-')) && (scan_peek(&scan) == '0' || !scan_digits(&scan)))
                return false;
        if (scan_byte(&scan, '#'))
                return scan.at == scan.end;
        return pointer(&scan);
}

bool format_relative_json_pointer_old(struct bytes text, struct arena *scratch) {
        (void)scratch;
        return relative_pointer(text, false);
}

bool format_relative_json_pointer(struct bytes text, struct arena *scratch) {
        (void)scratch;
        return relative_pointer(text, true);
}

bool format_uuid(struct bytes text, struct arena *scratch) {
        (void)scratch;
        for (size_t i = 0; i < text.size; i++)
                if (i == 8 || i == 13 || i == 18 || i == 23 ? text.data[i] != '-' : !is_hex(text.data[i]))
                        return false;
        return text.size == 36;
}
