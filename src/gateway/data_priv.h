// SPDX-License-Identifier: Apache-2.0
// A data communication on the owner's loop (DESIGN.md §4 and §6). What its files use of each other:
//      data.c          construction, recovery, figures, orders; where reads and writes go
//      data_publish.c  an event into its lane's shard, and what became of it; records of captures
//      data_copy.c     the copy: overlay, then the views; answers from it; comparisons
//      capture.c       captured writes of the owner
//      data_look.c     one key read again under its lock: dirty keys, shadow, reconciliation
//      backfill.c      all rows of the owner, page by page: backfill and reconciliation
//      data_lock.c, data_memory.c      pure parts
//
// Everything here runs on the owner's loop but data_take_read and data_take_write, which begin where a request came in. Memory:
// struct data belongs to its route; captures, looks and rows are malloc'ed, each ends itself, and what is left at the end is freed
// with struct data.
//
// Invariants:
//  1. Whatever concerns one key (a captured write from its CAPTURE to its MESSAGE, a re-read, a backfilled row) holds the key's lock.
//  2. A caller is answered 2xx for a captured write only when its MESSAGE is durable, or its key (or the topic) is dirty.
//  3. A key is dirty from the moment a write of it ends unknown until a re-read that began `settle` after it is durable.
#pragma once

#include "gateway/data_lock.h"
#include "gateway/data_memory.h"
#include "gateway/gateway_priv.h"

enum {
        DATA_CLAIMS_MAX = 10000,                // writes, re-reads and rows that wait for a key: beyond it writes get 503
        DATA_DIRTY_MAX = 100000,                // dirty keys: beyond it captured writes get 503
        DATA_LOOKS_MAX = 32,                    // keys being read again at the same time
        DATA_ROWS_MAX = 16,                     // rows of a page on their way into the log
};

struct data;
struct walk;

// A claim on a key that is told on the loop, never from inside another call.
struct data_claim {
        struct key_claim claim;                 // first
        struct loop_task task;
        void (*held)(struct data_claim *claim);
        struct data *data;
};

// An event on its way into its lane's shard. What it points to stays until done.
struct publication {
        struct shard_request request;           // first; its key is the publisher's to set
        struct data *data;
        struct owned_shard *owned;
        struct bytes body;                      // empty: a tombstone
        unsigned version;                       // of the body as it is given, then of what is emitted
        unsigned given;                         // the first of these
        const char *producer;                   // "PUT /tasks/{task_id}", for those who ask who still gives which version
        struct arena *arena;                    // the publisher's, for what the body is changed into
        unsigned flags;                         // RECORD_TOMBSTONE, RECORD_BACKFILL, RECORD_REREAD, RECORD_FILLED, RECORD_OUTSIDE
        uint64_t reference;
        bool named;                             // the identity is its producer's; else it is given one
        enum shard_answer answer;
        struct change change;
        struct loop_task task;
        void (*done)(struct publication *publication);
        bool durable;
        bool unknown;                           // nobody knows whether it is in the log
        uint64_t position;
        const char *why;                        // not durable
        bool outdated;                          // another version is emitted since: it is changed again
        bool admitted;                          // it is no repeat
        // A captured write whose caller waits for the reader (push): in data->awaited from the moment it is durable, since the
        // reader may be faster than `done`.
        struct list awaited;
        bool awaits, delivered;
        char identity_text[33];
};

// ---- data_copy.c ----
enum copy_state { COPY_UNREADABLE, COPY_NOTHING, COPY_TOMBSTONE, COPY_ROW };
struct copy {
        enum copy_state state;
        struct bytes body;
        unsigned version;                       // of the row
        uint64_t position;                      // 0: nothing
};

// What the owner has and what the copy has, in one version: that of the row, unless the owner gives a newer one.
struct meeting {
        struct change change;
        struct data *data;
        const struct json *owners;              // NULL: the owner has nothing
        struct copy copy;
        void (*met)(struct meeting *meeting);   // later; change.result says whether they can be compared
};
// CHANGE_DONE at once where both are of one version, or one of them is not there. The body is what owners was parsed from.
enum change_result data_meet(struct meeting *meeting, struct data *data, const struct json *owners, struct bytes body,
                             const struct copy *copy, struct arena *arena);

// The event that is published for a row, in the version that the owner gives (`produces`).
struct data_event {
        const struct json *json;
        struct bytes body, key;
        unsigned flags;
};

// One key, read from the owner under its lock.
enum look_kind {
        LOOK_DIRTY,                             // always published
        LOOK_SHADOW,                            // compared; counts for the shadow
        LOOK_RECONCILE,                         // compared; a difference is a write that bypassed the gateway, and is repaired
        LOOK_SWEEP,                             // compared; a difference is repaired
        LOOK_REFRESH,                           // published in the version that is emitted now
};
struct look {
        struct data_claim claim;                // first
        struct publication publication;
        struct list link;
        struct arena arena;
        enum look_kind kind;
        struct bytes key;
        uint64_t asked;                         // the log's end when the owner was asked; 0: it was not yet
        bool of_walk;
        struct meeting meeting;
        struct data_event event;                // of the row; its json NULL: the owner has none, or it was not asked for
        bool is_event;
        unsigned rounds;                        // so often a write without a key may have made the difference
        uint64_t waits_for;                     // the newest such write that was under way
        struct loop_timer timer;
};

// A way through all rows of the owner.
enum walk_kind { WALK_NONE, WALK_BACKFILL, WALK_RECONCILE, WALK_REFRESH };
struct walk {
        enum walk_kind kind;
        struct data *data;
        struct arena page;                      // the response under way and its rows
        const struct json *at, *end;            // rows not begun yet
        struct buffer cursor, next, swept;      // of the page under way; of the one behind it; of the copy
        bool last, failed, sweeping;
        size_t in_flight;
        struct list rows;                       // struct row, under way
        struct seen seen;
        uint64_t plain_up_to;                   // the log's end when plain writes of before had ended; 0: not yet
        uint64_t began, topic_up_to, steps_back;
        struct http_call *call;
        struct loop_timer timer;                // the next page, another try, the end of a wait
        struct loop_task task;
        bool task_posted;
        unsigned generation;                    // grows when it is given up: rows of before are not inserted
};

struct data {
        struct route *route;
        struct gateway *gateway;
        const struct model_communication *communication;
        const struct model_event *event;
        uint32_t topic_family;                  // in the views; 0: not known yet
        struct key_locks locks;
        struct overlay overlay;
        struct dirty dirty;
        struct list captures;                   // under way; of them pushing: answered when delivered
        struct list pushing;
        struct list awaited;                    // struct publication
        struct list given_up;                   // captures that were answered before the log said what became of them
        struct list posted;                     // POST /events under way (publish.c)
        struct list serving;                    // rows on their way to readers in another version (data_copy.c)
        struct list looks;
        size_t look_count;
        struct loop_timer dirty_timer, reconcile_timer;
        struct walk walk;
        size_t captures_under_way;
        uint64_t captured, rereads, refreshed, pushes, pushes_late;
        bool stopping;
        struct gateway_backfill backfill;
        struct gateway_reconciliation reconciliation;
        // all loops
        atomic_uint_fast64_t plain_writes;      // forwarded without a record, not answered yet
        atomic_uint_fast64_t plain_doubt_ns;    // when one of them last ended unknown, monotonic; 0: never
        atomic_uint_fast64_t reads_copy, reads_owner, writes_captured, writes_plain;
};

// ---- data.c ----
void data_bury(struct loop_task *task);
struct owned_shard *data_shard(const struct data *data, struct bytes key, struct hash128 *ret_lane);
enum lane_mode data_mode(const struct data *data, struct bytes key);
bool data_captures(const struct data *data);            // every shard captures
bool data_copied(const struct data *data);              // every shard is async or push
uint64_t data_now(const struct data *data);
uint64_t data_settle_ns(const struct data *data);
// False: too many wait. Else claim->held is called, later, once the key is the claim's.
bool data_claim(struct data *data, struct data_claim *claim, struct bytes key, void (*held)(struct data_claim *claim));
void data_release(struct data_claim *claim);
void data_dirty(struct data *data, struct bytes key, uint64_t position);
void data_note(char *text, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
// A response that is the exchange's, whichever loop it lives on. Headers and body are copied where that is another loop.
void data_answer(struct http_exchange *exchange, unsigned status, const struct http_header *headers, size_t count, struct bytes body);
void data_answer_error(struct http_exchange *exchange, unsigned status, const char *code, const char *message);
// What is answered for the result of a call; headers in the arena, bytes borrowed from the result but for a failure's text.
struct data_response {
        unsigned status;
        struct http_header *headers;
        size_t header_count;
        struct bytes body;
};
struct data_response data_response_of(const struct http_call_result *result, struct arena *arena);
size_t data_request_headers(const struct http_exchange *exchange, struct http_header *headers);
// Calls the owner of the data as commute itself; false: the target cannot be rendered.
bool data_get(struct data *data, const struct target *target, struct named_value variable, http_call_done *done, void *user,
              struct http_call **ret_call, struct error *error);

void data_forward_read(struct data *data, struct http_exchange *exchange, struct bytes target);

// ---- data_publish.c ----
// Changes the body into the version that is emitted, if it is another one, and has it admitted. What is given: request.key, data,
// done, body, version, producer, arena, flags, reference; of one whose producer named it request.identity_text too, and named.
void data_publish(struct publication *publication);
// Checked against the schema of `produces`, defaults filled in, in the arena. An expected key of size 0 is not checked.
// ERROR_REJECTED, …
bool data_event_of(const struct data *data, struct bytes source, struct bytes expected_key, struct arena *arena,
                   struct data_event *ret_event, struct error *error);
void data_record(struct data *data, struct owned_shard *owned, enum record_kind kind, struct bytes key, uint64_t reference,
                 struct bytes request, owner_heard *heard, void *user);

// ---- data_copy.c ----
bool data_topic_known(struct data *data);       // whether the views have heard of the topic
struct copy data_copy(struct data *data, struct bytes key, struct arena *arena);
bool data_same(const struct data *data, const struct json *a, struct bytes b, struct arena *arena, struct buffer *ret_path);
// Whether the copy is what the owner has (NULL: it has nothing); else *ret_text names the difference.
bool data_agrees(const struct data *data, struct bytes key, const struct meeting *meeting, struct arena *arena,
                 struct buffer *ret_text);
void data_read(struct data *data, struct http_exchange *exchange, struct bytes target, struct bytes key, bool extra_query);
void serving_free(struct data *data);

// ---- publish.c ----
void posted_free(struct data *data);

// ---- capture.c ----
void capture_begin(struct data *data, struct http_exchange *exchange, const struct target *pattern, struct bytes target);
void capture_delivered(struct data *data, uint64_t position);
void capture_forward(struct data *data, struct http_exchange *exchange, struct bytes target);   // without a record
// Positions of the CAPTUREs without a key that are under way; UINT64_MAX, 0: none is.
uint64_t capture_oldest_without_key(const struct data *data);
uint64_t capture_newest_without_key(const struct data *data);
bool capture_is_under_way(const struct data *data, uint64_t up_to);     // one with a CAPTURE up to the position
void captures_free(struct data *data);

// ---- data_look.c ----
bool look_begin(struct data *data, enum look_kind kind, struct bytes key, bool of_walk);        // false: too many already
bool look_is_under_way(const struct data *data, uint64_t up_to);        // one that asked the owner before the log was past the position
void look_dirty(struct data *data);             // begins what is due, sets the timer for the rest
void looks_free(struct data *data);

// ---- backfill.c ----
void walk_begin(struct data *data, enum walk_kind kind);
void walk_give_up(struct data *data);           // backfill.phase is NONE again
void walk_went_on(struct data *data);           // a look of it has ended
bool backfill_start(struct data *data, struct error *error);
void rows_free(struct data *data);
bool reconcile_start(struct data *data, struct error *error);
bool refresh_start(struct data *data, struct error *error);
