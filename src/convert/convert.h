// SPDX-License-Identifier: Apache-2.0
// Version mappings that are jq programs, run by libjq 1.6 in a process of their own (child.c), which has no file, no network and
// no environment, a limit of memory and one of processor time for each conversion. When it dies, another is started, and what it
// had not answered is sent again: a conversion is a function of its input alone.
//
// libjq knows numbers as doubles. What would not come back as it went in is refused before it reaches libjq: an integer beyond
// ±2^53, and any number whose digits a double does not keep. Refused of its output: integers beyond ±2^53, ±2^53 itself unless
// the input had it (9007199254740993 in a string becomes it by `tonumber`), NaN and infinities.
//
// A converter belongs to its loop: every function below is called on the loop's thread (converter_new also before the loop runs,
// converter_free also after it). convert_check may be called anywhere.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"
#include "os/loop.h"

enum {
        CONVERT_PROGRAM_MAX = 64 << 10,         // bytes of a program
        CONVERT_NESTING_MAX = 100,              // brackets, strings and if…end within each other in a program
        CONVERT_PROGRAMS_MAX = 1024,            // of one converter
        CONVERT_CHAIN_MAX = 16,                 // programs that one conversion goes through
        CONVERT_TIME_MS = 250,                  // of processor time, for one conversion
        CONVERT_COMPILE_MS = 5000,              // of processor time, where programs of its chain have to be compiled first
        CONVERT_MEMORY_MAX = 256 << 20,         // bytes of address space of the process, beside what compiled programs take
        CONVERT_INPUT_MAX = 8 << 20,            // bytes of a document
        CONVERT_OUTPUT_MAX = 8 << 20,
        CONVERT_DEPTH_MAX = 128,                // arrays and objects within each other, in and out
        CONVERT_MESSAGE_MAX = 400,              // bytes of what libjq or error() said
};

// Is this a jq program that a converter takes? Without a process; as exact as the converter itself: what passes compiles there.
// Refused by name: what depends on more than the input (now, env, $ENV, input, inputs, input_filename, input_line_number, localtime,
// strflocaltime, …), what speaks to others (debug, stderr, halt, halt_error), modules (import, include, module), and number literals
// that libjq would round. ERROR_INVALID "line L, column C: …" (columns of characters), ERROR_LIMIT. About 50 ms. Any thread.
MUST_USE bool convert_check(struct bytes program, struct error *error);

struct converter;

struct converter_options {
        struct loop *loop;
        const char *executable;                 // that has CONVERT_COMMAND; NULL: this process's own
        const struct bytes *programs;           // copied
        size_t program_count;
};

// Starts the process. ERROR_INVALID or ERROR_LIMIT "program 3: line 1, column 7: …": refused by the rules of convert_check, libjq's
// own compiler apart: a program that does not compile fails its conversions. ERROR_UNAVAILABLE: the process cannot be started.
MUST_USE bool converter_new(const struct converter_options *options, struct converter **ret_converter, struct error *error);
// Ends the process and takes what is under way with it: each conversion is done with ERROR_UNAVAILABLE before this returns.
// NULL allowed; not inside a conversion's done.
void converter_free(struct converter *converter);

// One document through one to CONVERT_CHAIN_MAX programs. The caller owns it, and keeps it and its input until done.
struct conversion {
        size_t chain[CONVERT_CHAIN_MAX];        // indexes of programs, applied in order; one may come several times
        size_t chain_count;
        struct bytes input;                     // one JSON document
        bool tells;                             // what a program gives to error() may be told: the event has no personal values
        void (*done)(struct conversion *conversion);    // on the loop, never inside converter_convert; may free it, or convert again
        void *user;
        // The outcome, for done
        bool ok;
        struct bytes output;                    // a JSON document in UTF-8 without white space; valid until done returns
        // ERROR_INVALID: the input is no JSON; ERROR_REJECTED: a number that libjq would round, or a program failed, gave no output
        // or several, or crashed libjq; ERROR_LIMIT: time, memory, size, depth; ERROR_UNAVAILABLE: no process now, try again.
        // Values that libjq quotes are cut out of the text. What a program gives to error() is in it, if `tells`, or if each word
        // of it stands in the program or is libjq's; else "error() with N bytes, …".
        struct error error;
        size_t step;                            // place in the chain of the program that failed; 0 where no program is to blame
        // The converter's
        struct list link;
        uint64_t serial;
        unsigned crashes, kills;                // processes that died at it: by their own doing, by a kill from outside
};

// Queues it; outcomes come in the order of the calls, except that those the converter cannot take (too large, no process) come first.
void converter_convert(struct converter *converter, struct conversion *conversion);

// The process's number, -1 while there is none. For status, and for tests.
int converter_process(const struct converter *converter);

// The hidden command, by which the executable becomes that process: main.c gives it to convert_child_main.
#define CONVERT_COMMAND "converter-process"
int convert_child_main(int argc, char **argv);
