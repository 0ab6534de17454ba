// SPDX-License-Identifier: Apache-2.0
// The body behind erase.h:
//      erase.c         orders, state, its record, the thread
//      erase_run.c     the work of one job
//      erase_record.c  what becomes of one record
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/views.h"
#include "log/log.h"
#include "migrate/erase.h"
#include "store/state.h"

enum erase_status { ERASE_NONE, ERASE_RUNNING, ERASE_DONE, ERASE_FAILED };
enum erase_phase { ERASE_RECORDS, ERASE_WAITING, ERASE_SNAPSHOTS, ERASE_SWEEP, ERASE_PHASES };

struct erase_counts {
        uint64_t looked, converted, emptied, kept;      // records: read; bodies converted; parts taken away; left, since unsettled
};

struct erase_state {
        enum erase_status status;
        enum erase_phase phase;
        const struct model_event *events[ERASE_EVENTS_MAX];
        size_t event_count;
        uint64_t up_to, cursor;                 // positions: the job's end, up to where records are done
        uint64_t resume;                        // the same for a start: not behind the first that is unsettled
        struct erase_counts counts;
        int64_t started_ms, finished_ms;
        char sentence[ERROR_TEXT_MAX];          // why it waits or has failed; "" nothing
};

struct erase {
        struct erase_options options;
        pthread_t thread;
        bool started;
        atomic_bool stopping;
        pthread_mutex_t mutex;                  // of state; the thread alone changes it while a job runs
        pthread_cond_t wake;
        struct erase_state state;
        struct erase_order *order;              // whose record is under way, with the state it asks for; the control thread's
        struct erase_state ordered;
        // the thread's
        struct log_reader *log_reader;
        struct state_reader *reader;
};

// What a stream is to the job's events.
struct erase_stream {
        enum erase_stream_kind { ERASE_OTHER, ERASE_TOPIC, ERASE_SHADOW, ERASE_DECISIONS } kind;
        const struct model_event *event;
        unsigned emitted;
        uint32_t emitted_schema;
};

// ---- erase.c ----
void erase_change(struct erase *erase, void (*change)(struct erase_state *state, const void *with), const void *with);
void erase_say(struct erase *erase, const char *sentence);

// ---- erase_record.c ----
struct erase_stream erase_stream_of(const struct erase_state *state, const struct erase_options *options, struct bytes name);
enum erase_effect { ERASE_UNTOUCHED = 0, ERASE_CONVERTED = 1, ERASE_EMPTIED = 2, ERASE_KEPT = 4 };
// The record as it is to be, header and body in the arena; *ret_effect bits of enum erase_effect. False: it cannot be converted.
MUST_USE bool erase_record(const struct erase_options *options, const struct erase_stream *stream, const struct log_record *entry,
                           bool settled, struct arena *arena, struct log_record *ret_entry, unsigned *ret_effect,
                           struct error *error);
// Whether its parts depend on whether it is settled; *ret_position: of what.
bool erase_asks(const struct erase_stream *stream, const struct log_record *entry, uint64_t *ret_position);

// ---- erase_run.c ----
// The whole job. False: it failed (error), or commute ends (stopping).
MUST_USE bool erase_run(struct erase *erase, struct error *error);
// Whether it may begin now.
MUST_USE bool erase_may_begin(const struct erase_options *options, struct state_reader *reader, const struct erase_state *state,
                              struct error *error);
