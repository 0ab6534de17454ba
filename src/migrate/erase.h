// SPDX-License-Identifier: Apache-2.0
// `commute privacy erase EVENT…`: what the log, its views and its snapshots hold of an event's personal values goes away, while
// everything goes on. Positions, offsets, sequences and hashes stay, so consumers keep their place and the ledger its sums.
//
// What becomes of which record, up to the position where the log ended when the job began (erase_record.c):
//      MESSAGE of the event's topic     a body below the emitted version is converted up; of what is settled, request and identity's
//                                       text go
//      SHADOW of its shadow topics      the body goes: it was compared long ago
//      INTENT, ANSWERED of its calls    bodies and requests go once the call is settled; a repeat is still recognised (hash), and
//                                       answered with its status
//      CAPTURE of its captured writes   the request goes
// Then the views' rows, the snapshots, and every page of both databases (log_sweep, state_sweep).
//
// An event is refused that still emits personal values, or of which something below the emitted version is unsettled: the sentence
// says what. A job is a MIGRATION record under the key ERASE_KEY after each change of its state; kill -9 anywhere, and the next
// start goes on: doing a piece twice does no harm. One job at a time.
//
// Threads: a thread of the job's own does the work and may block. All functions belong to the control thread.
#pragma once

#include "json/writer.h"
#include "log/record.h"
#include "model/model.h"

struct erase;
struct log;
struct views;

#define ERASE_KEY "privacy/erase"       // no communication can have this name

enum { ERASE_PIECE_RECORDS = 256, ERASE_PIECE_BYTES = 1 << 20, ERASE_EVENTS_MAX = 64, ERASE_WAITS_MAX = 100000 };

typedef void erase_appended(void *user, uint64_t position, const struct error *error);  // error: NULL when it is durable

// What the job wants of others. On the job's thread, but for emitted and schema_id (also on the control thread) and append.
struct erase_ops {
        unsigned (*emitted)(void *user, const struct model_event *event);
        uint32_t (*schema_id)(void *user, const struct model_event *event, unsigned version);   // 0: not registered
        // An event of one version as one of a later: waits; the body is in the arena, and valid.
        bool (*convert)(void *user, const struct model_event *event, unsigned from, unsigned to, struct bytes body, struct arena *arena,
                        struct bytes *ret_body, struct error *error);
        // Appends the job's state, and waits until it is durable.
        bool (*record)(void *user, struct bytes body, struct error *error);
        // The same on the control thread, without waiting: the body is copied, done is called once, there.
        void (*append)(void *user, struct bytes body, erase_appended *done, void *done_user);
};

struct erase_options {                          // everything is referenced and outlives the job
        const struct model *model;
        struct log *log;
        struct views *views;
        const char *state_path;
        const struct erase_ops *ops;
        void *user;
};

struct erase *erase_new(const struct erase_options *options);
void erase_free(struct erase *erase);           // NULL is allowed; ends the thread where it is
// The last state of before, from its record. Before erase_start. ERROR_CORRUPT.
MUST_USE bool erase_restore(struct erase *erase, struct bytes json, struct error *error);
MUST_USE bool erase_start(struct erase *erase, struct error *error);    // the thread; an unfinished job goes on

struct erase_order {
        const struct model_event *const *events;        // read by erase_begin only
        size_t count;
        // Called once, on the control thread, perhaps inside erase_begin. error is NULL when the job's first record is durable, so
        // nothing forgets the job any more. ERROR_CONFLICT: another job is under way, or this one cannot be; ERROR_INVALID: no
        // events, or one twice; or what the log says.
        void (*done)(struct erase_order *order, const struct error *error);
};

void erase_begin(struct erase *erase, struct erase_order *order);       // borrowed until done
// Writes a value: the job's state, null if there never was one.
void erase_write(struct erase *erase, struct json_writer *writer);
