// SPDX-License-Identifier: Apache-2.0
// The formats of JSON Schema's drafts 4 to 2020-12, each as exact as its RFC has it. They are about strings; whether they assert is
// the schema engine's decision. Pure; any thread.
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "schema/schema.h"

enum schema_format {
        FORMAT_NONE,
        FORMAT_DATE_TIME, FORMAT_DATE, FORMAT_TIME,             // RFC 3339, 5.6; a leap second only where one can be
        FORMAT_DURATION,                                        // RFC 3339, appendix A
        FORMAT_EMAIL, FORMAT_IDN_EMAIL,                         // Mailbox of RFC 5321, 4.1.2, and of RFC 6531
        FORMAT_HOSTNAME_ASCII,                                  // RFC 1123, 2.1: drafts 4 and 6
        FORMAT_HOSTNAME,                                        // the same, and what begins with xn-- is an A-label (RFC 5891)
        FORMAT_IDN_HOSTNAME,                                    // RFC 5890 to 5893
        FORMAT_IPV4, FORMAT_IPV6,                               // RFC 2673, 3.2; RFC 4291, 2.2
        FORMAT_URI, FORMAT_URI_REFERENCE,                       // RFC 3986
        FORMAT_IRI, FORMAT_IRI_REFERENCE,                       // RFC 3987
        FORMAT_URI_TEMPLATE,                                    // RFC 6570, with erratum 6937 (' stands for itself)
        FORMAT_JSON_POINTER,                                    // RFC 6901
        FORMAT_RELATIVE_JSON_POINTER_OLD,                       // draft-handrews-relative-json-pointer-01
        FORMAT_RELATIVE_JSON_POINTER,                           // draft-bhutton-relative-json-pointer-00: with 0+1 and 0-1
        FORMAT_REGEX,                                           // ECMA-262, as pattern.h has it
        FORMAT_UUID,                                            // RFC 4122
        FORMAT_COUNT
};

// FORMAT_NONE: the draft does not have it, and it says nothing.
enum schema_format format_find(struct bytes name, enum schema_draft draft);
const char *format_name(enum schema_format format);             // as a schema has it; "" for FORMAT_NONE

enum format_verdict { FORMAT_VALID, FORMAT_INVALID, FORMAT_UNDECIDED };         // undecided: beyond a limit of pattern.h
// `text` is valid UTF-8. `scratch` takes an amount that is linear in the text.
enum format_verdict format_check(enum schema_format format, struct bytes text, struct arena *scratch);
