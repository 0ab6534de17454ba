// SPDX-License-Identifier: Apache-2.0
// What goes over the socket between the converter and its process: frames, one after the other, integers little-endian.
//
//      offset  bytes
//      0       4       size of the content
//      4       1       kind
//      5       1       code: of FAILED an enum error_code, and 128 if the sentence is what the program gave to error(); else 0
//      6       2       count: of CONVERT the steps of its chain; of FAILED the step that failed, 0: none of them; else 0
//      8       8       number: READY the protocol's version (FRAME_PROTOCOL); PROGRAM, COMPILED the program's index;
//                      CONVERT, CONVERTED, FAILED the conversion's serial number
//      16      8       of what the process sends, nanoseconds of processor time that it has used so far; else 0
//      24      size    content
//
//      to the process
//      1  PROGRAM      a jq program; before the first CONVERT that names it
//      2  CONVERT      count indexes of 2 bytes each, then one JSON document
//      from the process
//      17 READY        empty; once, first
//      18 COMPILED     empty; the program is compiled, or known not to compile, and what comes next is not on its account
//      19 CONVERTED    a JSON document
//      20 FAILED       a sentence in UTF-8; with 128 in its code 4 bytes before it: of how many bytes the text was before it was cut
//
// CONVERTED and FAILED come in the order of the CONVERTs, one each, each sent before the next conversion begins: the first CONVERT
// without an answer is the one that the process is at. FAILED with ERROR_LIMIT of memory is the last frame of its process.
#pragma once

#include "convert/convert.h"

enum { FRAME_PROTOCOL = 2, FRAME_HEAD = 24 };
enum { FRAME_CONTENT_MAX = (CONVERT_INPUT_MAX > CONVERT_OUTPUT_MAX ? CONVERT_INPUT_MAX : CONVERT_OUTPUT_MAX) + 2 * CONVERT_CHAIN_MAX };

enum frame_kind {
        FRAME_PROGRAM = 1, FRAME_CONVERT = 2,
        FRAME_READY = 17, FRAME_COMPILED = 18, FRAME_CONVERTED = 19, FRAME_FAILED = 20,
};

struct frame {
        enum frame_kind kind;
        enum error_code code;
        size_t said;                    // of FAILED: bytes that the program gave to error(), if the sentence is that; 0: it is not
        size_t count;
        uint64_t number, cpu_ns;
        struct bytes content;           // of CONVERT: the document alone; of FAILED: the sentence alone
        size_t chain[CONVERT_CHAIN_MAX];        // of CONVERT
};

// frame_read: a whole one, more bytes are needed, or this is none (and the stream is useless from here on).
enum frame_outcome { FRAME_WHOLE, FRAME_MORE, FRAME_BROKEN };

// The frame at the beginning of source, borrowed; *ret_size is its whole size. from_process: which of the two directions.
enum frame_outcome frame_read(struct bytes source, bool from_process, struct frame *ret_frame, size_t *ret_size);
void frame_write(struct buffer *buffer, const struct frame *frame);
