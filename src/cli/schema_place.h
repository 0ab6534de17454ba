// SPDX-License-Identifier: Apache-2.0
// The place that an error of the parser or of the compiler begins with, taken out of its text, so that all are told in one form. They say
//      [schema: ]line 1, column 2 (byte 1): expected a value           the text is not JSON
//      schema[ "URI"], at "/a/type" (line 1, column 2): expected …     of the schema, or of a document that it refers to
// Pure; any thread.
#pragma once

#include "base/bytes.h"

struct schema_place {
        struct bytes uri;                       // of the document that the schema refers to; .data NULL: the schema itself
        struct bytes pointer;                   // JSON pointer; .data NULL: what is no JSON has none
        size_t line, column;                    // from 1
        size_t byte;                            // from 0, of what is no JSON
        const char *sentence;                   // what is behind it
};

// The parts are in the text. A key may have in it what ends a pointer: `skip` possible ends are passed over; whoever has the document
// knows which was meant. False: the text begins with no place, or there are no more ends.
MUST_USE bool schema_place_parse(const char *text, size_t skip, struct schema_place *ret_place);
