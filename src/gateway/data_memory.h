// SPDX-License-Identifier: Apache-2.0
// What the owner of a data communication remembers beside the views: events that are durable and not in the views yet (so that
// who has been told of a write reads it), and keys of which nobody knows whether the copy is right. Pure; one thread.
#pragma once

#include "base/bytes.h"
#include "base/list.h"
#include "base/table.h"

// ---- overlay: the newest event of a key, until the views have passed it ----

struct overlay_row {
        struct list link;                               // in order of position
        uint64_t position;
        bool tombstone;
        unsigned version;                               // of the event that the body is
        struct bytes key, body;                         // behind the struct
};
struct overlay {
        struct table rows;
        struct list order;
};
void overlay_init(struct overlay *overlay);
void overlay_free(struct overlay *overlay);
// Positions of one key grow. Key and body are copied.
void overlay_put(struct overlay *overlay, struct bytes key, struct bytes body, bool tombstone, unsigned version, uint64_t position);
void overlay_passed(struct overlay *overlay, uint64_t position);        // the views hold up to it
const struct overlay_row *overlay_find(const struct overlay *overlay, struct bytes key);        // NULL: ask the views

// ---- dirty keys ----

enum { DIRTY_TOPIC_MAX = 1000 };                        // writes without a key that are told apart

struct dirty_key {
        struct list link;                               // in settling, again, or alone while it is being read
        uint64_t newest;                                // position of the newest CAPTURE that a re-read must answer for
        uint64_t due_ns;                                // not read again before
        struct bytes key;                               // behind the struct
};
struct dirty_topic {
        uint64_t position, due_ns;
};
struct dirty {
        struct table keys;
        struct list settling, again;                    // each in order of due_ns, as each has one fixed delay
        struct dirty_topic topic[DIRTY_TOPIC_MAX];
        size_t topic_count;
};
void dirty_init(struct dirty *dirty);
void dirty_free(struct dirty *dirty);
// A write of the key (empty: nobody knows which) that was captured at `position` has no outcome; it may be executed until due_ns.
void dirty_mark(struct dirty *dirty, struct bytes key, uint64_t position, uint64_t due_ns);
bool dirty_has(const struct dirty *dirty, struct bytes key);
static inline bool dirty_has_topic(const struct dirty *dirty) {
        return dirty->topic_count > 0;
}
static inline size_t dirty_count(const struct dirty *dirty) {
        return dirty->keys.count;
}
// The key that may be read again now, taken out of its list; NULL: none, and *ret_next_ns says when one may (0: none waits).
struct dirty_key *dirty_due(struct dirty *dirty, uint64_t now_ns, uint64_t *ret_next_ns);
void dirty_again(struct dirty *dirty, struct bytes key, uint64_t due_ns);       // that failed: once more
// The key was read, which answers for every CAPTURE of it up to the position.
void dirty_clean(struct dirty *dirty, struct bytes key, uint64_t up_to);
// A backfill that begins now answers for writes without a key up to *ret_position (0: for none of them). When the earliest of the
// others may be executed no more: *ret_next_ns (0: there are none).
void dirty_topic_due(const struct dirty *dirty, uint64_t now_ns, uint64_t *ret_position, uint64_t *ret_next_ns);
void dirty_topic_clean(struct dirty *dirty, uint64_t up_to);

// ---- the backfill rule ----

// Whether a row that a backfill read may go into the copy: known is the position of what the copy has of the key (0: nothing, not
// even a tombstone), began where capture began.
static inline bool backfill_inserts(uint64_t known, uint64_t began) {
        return known < began;
}

// ---- a set of keys that were seen: 64-bit hashes, so that a key that was not seen may be taken for one that was ----

enum { SEEN_KEYS_MAX = 8 << 20 };
struct seen {
        uint64_t *slots;
        size_t capacity, count;
        uint64_t seed;
        bool full;                                      // SEEN_KEYS_MAX was exceeded: it knows nothing
};
void seen_init(struct seen *seen, uint64_t seed);
void seen_free(struct seen *seen);
void seen_add(struct seen *seen, struct bytes key);
bool seen_has(const struct seen *seen, struct bytes key);               // true, too, for all when it is full
