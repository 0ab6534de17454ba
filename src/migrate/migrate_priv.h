// SPDX-License-Identifier: Apache-2.0
// The bodies behind migrate.h, and what its files use of each other:
//      migrate.c       the machine's life, commands
//      machine.c       measuring, and the moves between states
//      move.c          a move: copy, note, append, become
//      record.c        a migration's state as JSON: records and the API
//      plan.c          what a migration would do
//      steps.c         the tables, what is common to looks and acts
//      functional.c    the tables of functional communications; data.c of data communications, with their looks and acts
//      contract.c, provider.c, lanes.c         looks and acts
//      evolve.c        the table of event versions, with its looks and acts; prove.c, usage.c: what they ask of the world
//      runtime.c       the real world; ask.c asks providers
#pragma once

#include <stdarg.h>

#include "migrate/migrate.h"

enum migrate_verdict {
        MIGRATE_NONE,                   // nothing was measured
        MIGRATE_PASS,
        MIGRATE_WAIT,
        MIGRATE_FAIL,                   // with the first counterexample
        MIGRATE_VOID,                   // what it rests on is gone: the evidence is collected again
};
const char *migrate_verdict_name(enum migrate_verdict verdict); // "pass"; "" for NONE

struct migrate_figure {
        char name[MIGRATE_ID_MAX];
        uint64_t value;
};

struct migrate_evidence {
        enum migrate_verdict verdict;
        int64_t measured_ms;
        char sentence[MIGRATE_SENTENCE_MAX];
        char configuration[2 * MODEL_HASH_SIZE + 1];            // hash of the model it was measured under
        struct migrate_figure figures[MIGRATE_FIGURES_MAX];
        size_t figure_count;
};
static inline const char *migrate_plural(uint64_t count) {
        return count == 1 ? "" : "s";
}
// Prints a sentence, cut at a character's end.
void migrate_print(char text[static MIGRATE_SENTENCE_MAX], const char *format, ...) PRINTF_LIKE(2, 3);
void migrate_print_list(char text[static MIGRATE_SENTENCE_MAX], const char *format, va_list arguments) PRINTF_LIKE(2, 0);
// Sets verdict and sentence; returns the verdict.
enum migrate_verdict migrate_say(struct migrate_evidence *evidence, enum migrate_verdict verdict, const char *format, ...)
        PRINTF_LIKE(3, 4);
void migrate_figure(struct migrate_evidence *evidence, const char *name, uint64_t value);

// ---- steps ----

// What moves: a communication, or the versions of an event (then the communication is its reader's).
struct migrate_subject {
        const struct model_communication *communication;
        const struct model_event *event;        // NULL: the communication
        unsigned from, to;                      // versions
};
static inline const char *migrate_name(const struct migrate_subject *subject) {
        return subject->event ? subject->event->name : subject->communication->name;
}

// What was measured last; what a look looks at.
struct migrate_view {
        const struct migrate *migrate;
        const struct model_communication *communication;
        const struct migrate_subject *subject;
        const struct gateway_versions *versions;                // of an event
        struct migrate_usage *usage;                            // the same; NULL: not measured
        const struct migrate_proof *proof;                      // the same; NULL: none has begun
        struct migrate_usage *usage_before;                     // when the gate was first measured; NULL: not yet
        int64_t began_ms;                                       // … and when that was
        int64_t now_ms;
        struct gateway_state state;
        struct gateway_shadow shadow;
        struct gateway_counters counters;
        const struct migrate_question *question;                // the last answer; NULL: none yet
        bool planning;                                          // nothing was done yet, and nothing will be
        uint64_t steps_back_before;                             // gateway_state.steps_back when the shadow was switched on
        bool has_base;
        uint64_t admitted_before;                               // gateway_state.admitted when the gate was first measured
        uint64_t requests_before;                               // gateway_counters.requests then
};

// Pure: what is measured says whether it holds.
typedef enum migrate_verdict migrate_look(const struct migrate_view *view, struct migrate_evidence *evidence);
// Level-triggered: gives at most one order (migration_order), returns PASS when its fact holds.
struct migration;
typedef enum migrate_verdict migrate_act(struct migration *migration, struct migrate_evidence *evidence);

// Texts may name {version} and {before} of an event that moves, {from} {to} {event} {topic} {contract} {call}
// {answer} {messages} {seconds} {deadline}.
struct migrate_step {
        const char *name;
        const char *title;              // the user's words
        migrate_look *fact;             // it holds already: nothing to do. NULL: nobody can know beforehand
        migrate_look *conditions;       // for the act. NULL: none
        migrate_act *act;               // NULL: there is none, the fact alone is waited for
        migrate_look *gate;             // after the act. NULL: none
        migrate_act *back;              // NULL: nothing to undo
        const char *wants;              // fact and gate, in words
        const char *does;               // the act, in words; NULL: nothing
        const char *to_do;              // for people; NULL: nothing. Without an act: the step waits for it
        const char *way_back;           // in words
        bool asks;                      // its looks want the provider's answer
        bool reader;                    // asks: the event's reader
        bool measures;                  // its looks want usage
        bool shadow;                    // its evidence is in the gateway's memory: a restart voids it
        bool commits;                   // from its act on nothing begins anew
        bool person;                    // where its fact cannot be seen, an `advance` says that the to-do is done
};

struct migrate_table {
        enum model_kind kind;
        enum model_mode from, to;
        const struct migrate_step *steps;
        size_t count;                   // ≤ MIGRATE_STEPS_MAX
        const char *not_observable;     // what commute cannot see of this migration
};
// NULL: there is none.
const struct migrate_table *migrate_table_find(enum model_kind kind, enum model_mode from, enum model_mode to);
// ERROR_UNSUPPORTED: the communication cannot be moved there, with the reason.
MUST_USE bool migrate_possible(const struct model_communication *communication, enum model_mode to, struct error *error);
// The mode that holds now, as far as it can be seen.
enum model_mode migrate_mode_now(const struct model_communication *communication, const struct gateway_state *state);
// Appends a step's text with its names filled in; nothing for NULL.
void migrate_text(struct buffer *buffer, const char *text, const struct migrate_subject *subject);
// Fact, then conditions. *ret_holds: the fact holds.
enum migrate_verdict migrate_look_before(const struct migrate_step *step, const struct migrate_view *view,
                                         struct migrate_evidence *evidence, bool *ret_holds);

extern const struct migrate_table migrate_functional_to_async, migrate_functional_to_sync, migrate_evolve;
enum { MIGRATE_DATA_TABLES = 6 };
extern const struct migrate_table migrate_data_tables[MIGRATE_DATA_TABLES];

// ---- a migration ----

#define MIGRATE_STATES(X) \
        X(BEFORE, "before") X(READY, "ready") X(ACTING, "acting") X(GATE, "gate") X(PERSON, "person") X(PAUSED, "paused") \
        X(BACK, "back") X(DONE, "done") X(CANCELLED, "cancelled")
enum migrate_state {
#define X(name, text) MIGRATE_##name,
        MIGRATE_STATES(X)
#undef X
        MIGRATE_STATE_COUNT,
};

struct migrate_entry {
        int64_t at_ms;
        char step[MIGRATE_ID_MAX];
        char what[MIGRATE_SENTENCE_MAX];
};

// What a record holds.
struct migration_state {
        uint64_t id;                                            // 1.. per communication
        const struct migrate_table *table;
        size_t step;
        enum migrate_state state;
        enum migrate_state resume;                              // of PAUSED: where it goes on
        bool to_start;                                          // of BACK: to where it began, not one step
        bool automatic;
        int64_t started_ms, finished_ms;                        // 0: not yet
        char configuration[2 * MODEL_HASH_SIZE + 1];
        unsigned from_version, to_version;                      // of an event
        unsigned emitted, refused_below;                        // what holds by this record
        struct migrate_evidence evidence[MIGRATE_STEPS_MAX];
        struct migrate_entry history[MIGRATE_HISTORY_MAX];
        size_t history_count;
};

// Who has the migration's gateway_command.
enum migration_cycle {
        CYCLE_IDLE,
        CYCLE_STATE,                    // GATEWAY_STATE is under way
        CYCLE_ASK,                      // the question is
        CYCLE_ORDER,                    // an act's order is
};

struct migration {
        struct migrate *migrate;
        const struct model_communication *communication;        // of an event: its reader's; NULL: nobody reads it
        struct migrate_subject subject;
        struct gateway_versions versions;       // of an event
        struct migrate_usage *usage, *usage_before;             // … allocated once measured
        struct migrate_proof proof;
        bool proving;                           // it is under way
        int64_t usage_ms;
        char key[MIGRATE_ID_MAX];
        struct migration_state *now;            // as recorded; NULL: there never was one
        struct migration_state *next;           // its record is under way; NULL: none is
        struct migrate_append append;
        struct buffer body;                     // of append
        struct migrate_request *request;        // the command under way
        bool serving;                           // `next` is what it asked for

        enum migration_cycle cycle;
        struct gateway_command command;
        struct migrate_view view;
        struct migrate_question question;
        int64_t asked_ms;
        size_t measured_step;                                   // of the last measurement
        bool ordered;                           // an order was given since the last tick
        unsigned phase;                         // of an act that has several; 0 after each move
        uint64_t base;                          // of an act: what it counts from
        struct migrate_registration registration;
        bool registering;
        char not_registered[MIGRATE_SENTENCE_MAX];              // why the last registration failed; ""
        struct migrate_evidence live;           // what the step sees now
        char void_because[MIGRATE_SENTENCE_MAX];// "" nothing; the evidence has to be collected again
        bool configuration_changed;
};

struct migrate {
        struct migrate_options options;
        struct migration *migrations;           // as model->communications, then as model->events
        size_t count;
        bool started, polling;
};

static inline const struct migrate_step *migration_step(const struct migration_state *state) {
        return &state->table->steps[state->step];
}
static inline bool migration_over(const struct migration_state *state) {
        return !state || state->state == MIGRATE_DONE || state->state == MIGRATE_CANCELLED;
}
int64_t migrate_now(const struct migrate *migrate);

// ---- looks and acts ----
// contract.c
migrate_look migrate_contract_exists, migrate_is_registered;
migrate_act migrate_act_register;
// Versions up to `last` are registered, one after the other. PASS: they are; figures and sentence only if not.
enum migrate_verdict migrate_act_registered(struct migration *migration, const struct model_event *event, unsigned last,
                                            struct migrate_evidence *evidence);
// provider.c
migrate_look migrate_look_endpoint, migrate_look_consumer;
// Whether a repeat was recognised, as far as it could have been seen up to now. NONE: it can only be seen with records.
enum migrate_verdict migrate_look_recognition(const struct migrate_view *view, char sentence[static MIGRATE_SENTENCE_MAX]);
// lanes.c
migrate_look migrate_look_shadow, migrate_look_async, migrate_look_old_way, migrate_look_ways_in, migrate_look_sync;
migrate_look migrate_look_drained, migrate_look_plain;
migrate_act migrate_act_shadow, migrate_act_shadow_off, migrate_act_plain, migrate_act_record, migrate_act_switch;
migrate_act migrate_act_back_to_async, migrate_act_nothing;

// evolve.c: whether an event can be moved to this version. ERROR_UNSUPPORTED, ERROR_CONFLICT, with the reason.
MUST_USE bool evolve_possible(const struct migrate *migrate, const struct model_event *event, unsigned from, unsigned to,
                              struct error *error);

// ---- machine.c ----
void migration_cycle(struct migration *migration);              // measures, unless it is at it or nothing is to be measured
void migration_order(struct migration *migration, enum gateway_order order, enum lane_mode mode, bool on);
void migration_void(struct migration *migration, const char *why);
void migration_fill_view(struct migration *migration, const struct gateway_command *command);
// The step whose way back is next, at or before `from`; MIGRATE_STEPS_MAX: none.
size_t migration_back_from(const struct migration_state *state);
size_t migration_back_below(const struct migrate_table *table, size_t below);

// ---- migrate.c ----
struct migration *migration_of(const struct migrate *migrate, const struct model_communication *communication);
struct migration *migration_of_event(const struct migrate *migrate, const struct model_event *event);
// The version that an event is emitted in by its records; `produces` without one.
unsigned migration_emitted(const struct migration *migration);
void migration_request(struct migration *migration);            // serves the command under way as far as it can now
void migration_answer(struct migration *migration, const struct error *error);
void migrate_want_polls(struct migrate *migrate);
// What is missing for a migration to this mode, given what was measured. ERROR_UNSUPPORTED, ERROR_CONFLICT.
MUST_USE bool migrate_begins(const struct model_communication *communication, const struct gateway_state *state, enum model_mode to,
                             const struct migrate_table **ret_table, struct error *error);

// ---- move.c ----
// A move: a copy to change, a note for the history, and the record; the copy becomes `now` when that is durable.
struct migration_state *migration_move(struct migration *migration);
void migration_note(struct migration_state *next, int64_t now_ms, const char *format, ...) PRINTF_LIKE(3, 4);
void migration_enter(struct migration_state *next, size_t step, enum migrate_state state);
void migration_commit(struct migration *migration, struct migration_state *next);

// ---- record.c ----
const char *migrate_state_name(enum migrate_state state);
// One object; whole: with what only readers want (titles, to-dos, the live evidence), else what a record has.
void migration_write(struct json_writer *writer, const struct migration_state *state, const struct migrate_subject *subject,
                     const struct migrate_evidence *live, bool whole);
void migrate_write_evidence(struct json_writer *writer, const struct migrate_evidence *evidence);
MUST_USE bool migration_read(struct bytes json, const struct migrate_subject *subject, struct migration_state **ret_state,
                             struct error *error);
