// SPDX-License-Identifier: Apache-2.0
// `commute privacy scan --tag`: personal values by their pointers, whatever they are, in what commute holds:
//      topics, shadow topics       each value of a pointer that is personal in the record's version; a message that is parked says so
//      calls, stored answers       of a communication whose event has personal values: what is under the name of one, since their
//                                  bodies are of no version
//      copies                      as topics
// Scan's thread.
#pragma once

#include "migrate/scan.h"

struct log_record;
struct record;
struct state_reader;

struct scan_tags {
        const struct scan_options *options;
        struct state_reader *reader;
        void (*found)(void *user, struct bytes where);          // "topic/x/0, position 7 (MESSAGE): body /name"
        void *user;
        uint64_t rows;                          // of copies that were looked at
};

// where: of the record, as it is told; stream: its name.
void scan_tags_record(struct scan_tags *tags, const struct buffer *where, struct bytes stream, uint64_t position,
                      const struct record *record, struct bytes body, struct arena *arena);
MUST_USE bool scan_tags_copies(struct scan_tags *tags, struct error *error);
