// SPDX-License-Identifier: Apache-2.0
// Shared inside convert/: the rules, and the converter with its link to the process.
#pragma once

#include "convert/convert.h"
#include "os/process.h"

// The rules of convert_check but libjq's compiler: size, UTF-8, tokens, what is refused. Microseconds.
MUST_USE bool check_rules(struct bytes program, struct error *error);

// The process, as the converter sees it. What is written down here for each state is all there is.
//
//      state           process         next
//      LINK_NONE       none            STARTING, when there is work and no pause after failed starts
//      LINK_STARTING   no READY yet    READY; ENDING, by its end or after CONVERT_START_MS
//      LINK_READY      works           ENDING, by its end, a broken frame, or a kill of the watchdog
//      LINK_ENDING     killed          NONE, when it can be reaped
enum link_state { LINK_NONE, LINK_STARTING, LINK_READY, LINK_ENDING };

// Why a process ends. With BY_ITSELF its status says whether it crashed or was killed from outside.
enum link_end { END_BY_ITSELF, END_BY_TIME, END_BY_BREACH, END_BY_PATIENCE };

// What that means for the conversion that it was at.
enum link_blame { BLAME_NOBODY, BLAME_CRASH, BLAME_KILL };

enum {
        CONVERT_START_MS = 10000,       // wall clock, until READY
        CONVERT_WALL_MS = 30000,        // wall clock, for one conversion: a process that is stopped, or gets no processor
        CONVERT_PAUSE_MS = 1000,        // no start sooner than this after STARTS_FAILED_MAX failed ones
        STARTS_FAILED_MAX = 3,          // in a row; then what waits is done with ERROR_UNAVAILABLE
        CRASHES_MAX = 2,                // processes that one conversion may crash before it is rejected
        KILLS_MAX = 3,                  // processes that may be killed from outside while at it
};

struct convert_program {
        char *text;
        size_t size;
        bool told, compiled;            // this process has it; has compiled it
};

struct converter {
        struct loop *loop;
        char *executable;
        struct convert_program *programs;
        size_t program_count;
        // Conversions. In the order of the calls: those sent, then those waiting. refused: to be done at the end of the batch.
        struct list sent, waiting, refused;
        uint64_t next_serial;
        bool freeing;
        struct loop_task batch_end;
        bool batch_end_due;
        // The link
        enum link_state state;
        struct process process;
        struct loop_watch socket, ended;
        struct loop_timer watchdog;
        uint64_t since_ns;              // wall clock: when the first of sent became the one that the process is at; the start
        uint64_t cpu_ns;                // processor time that the process had used then
        unsigned starts_failed;
        uint64_t pause_until_ns;
        struct error why;               // of the last failed start
        enum link_end end;              // in LINK_ENDING
        struct buffer in, out;
        size_t out_at;
};

// link.c
void link_init(struct converter *converter);
void link_start(struct converter *converter);           // from LINK_NONE; stays there if it cannot, `why` says why
void link_pump(struct converter *converter);            // starts the process if there is work; encodes and sends what waits
void link_close(struct converter *converter);           // kills, and waits for the end: LINK_NONE

// converter.c
void converter_answered(struct converter *converter, bool ok, struct bytes output, const struct error *error, size_t step);
void converter_lost(struct converter *converter, enum link_blame blame);        // the process has ended; the link is NONE
void converter_fail_all(struct converter *converter, const struct error *error);        // sent and waiting
