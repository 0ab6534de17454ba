// SPDX-License-Identifier: Apache-2.0
// Which members the bodies of synchronous communications have: of each communication and direction one body, at most, is copied
// between two digests where it passes (sampler_offer), and looked at elsewhere (sampler_digest, every SAMPLER_EVERY_MS). What is kept
// of it are pointers, with how many samples had them and when the last did; no value. `commute evolve EVENT status` asks where an
// old field occurs still.
//
// sampler_offer: any thread; no lock, no allocation, no clock, and one atomic load until the next digest. All else: one thread. The
// sampler owns a fixed number of slots; a body that finds none free, or that is larger than one, is not looked at, and counted. Who
// found none goes before those who had one.
#pragma once

#include "base/bytes.h"

struct sampler;

enum sampler_direction { SAMPLER_REQUEST, SAMPLER_ANSWER, SAMPLER_DIRECTIONS };

enum {
        SAMPLER_EVERY_MS = 1000,                // between two digests
        SAMPLER_SLOTS = 16,                     // samples between two digests, of all communications
        SAMPLER_BODY_MAX = 16 * 1024,           // bytes of a body that is looked at
        SAMPLER_POINTERS_MAX = 200,             // kept of one communication and direction: a new one takes the place of the oldest
        SAMPLER_POINTER_MAX = 512,              // bytes of one that is kept
        SAMPLER_MEMBERS_MAX = 2000,             // looked at in one body
        SAMPLER_MAP_FROM = 65,                  // members of an object from which on their names are taken for values
        SAMPLER_NAME_MAX = 64,                  // bytes of a member's name: a longer one is none
};

struct sampler *sampler_new(size_t communication_count);
void sampler_free(struct sampler *sampler);     // NULL is allowed

// The body is borrowed for the call. sampler NULL: nothing.
void sampler_offer(struct sampler *sampler, size_t communication, enum sampler_direction direction, struct bytes body);
// Looks at what was offered since the last time, and takes a body of each again.
void sampler_digest(struct sampler *sampler, int64_t wall_ms);

struct sampler_figures {
        uint64_t looked_at, not_json, too_large, missed;        // bodies; missed: no slot was free
        uint64_t more;                          // members that are not kept, or no longer, by one of these limits
};
struct sampler_figures sampler_figures(const struct sampler *sampler, size_t communication, enum sampler_direction direction);

struct sampler_seen {
        struct bytes pointer, name;             // "/items/-/title", "title": "-" is each element; "*" a name that may be a value
        uint64_t samples;                       // that had it
        int64_t last_ms;                        // when the last of them was looked at
};
typedef void sampler_visit(void *context, const struct sampler_seen *seen);
void sampler_each(const struct sampler *sampler, size_t communication, enum sampler_direction direction, sampler_visit *visit,
                  void *context);
