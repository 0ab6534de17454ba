// SPDX-License-Identifier: Apache-2.0
// The ledger: an account of every message, as a fold over the log's records. Pure: no memory of its own, no I/O, any thread.
//
// A subject is a call (it begins with INTENT), a message of a topic (MESSAGE) or a captured write (CAPTURE). It is in one state
// at a time, and each state is an account: a step moves one unit from the account of the state before to that of the state
// after. What may follow what is the table in ledger.c; everything else is impossible and named, both sides.
//
//      admitted = open + answered + refused + call indeterminate + call settled by hand + appended
//      appended = waiting + trying + delivered + indeterminate + parked + settled by hand + discarded
//      captures = capturing + captured + capture refused + capture unknown + capture clean
//
// Shadow messages, repeats (as many as their records stand for), and what is published into a topic by no communication
// (record.shard 0) are accounts of their own.
#pragma once

#include "base/error.h"
#include "log/record.h"

// name, text. First the states (LEDGER_NONE is 0), which are accounts as well; the unsettled ones come first.
#define LEDGER_STATES(X)                                                                                              \
        X(OPEN, "open")                                 /* a call: INTENT, no outcome yet */                          \
        X(CALL_INDETERMINATE, "call indeterminate")                                                                   \
        X(WAITING, "waiting")                           /* a message: to be delivered (again) */                      \
        X(TRYING, "trying")                             /* ATTEMPT, no outcome yet */                                 \
        X(INDETERMINATE, "indeterminate")                                                                             \
        X(PARKED, "parked")                                                                                           \
        X(CAPTURING, "capturing")                       /* an owner's write: CAPTURE, no outcome yet */               \
        X(CAPTURE_UNKNOWN, "capture unknown")           /* its key is dirty */                                        \
        /* settled */                                                                                                 \
        X(ANSWERED, "answered")                                                                                       \
        X(REFUSED, "refused")                                                                                         \
        X(CALL_SETTLED, "call settled by hand")                                                                       \
        X(DELIVERED, "delivered")                                                                                     \
        X(SETTLED, "settled by hand")                                                                                 \
        X(DISCARDED, "discarded")                                                                                     \
        X(CAPTURED, "captured")                         /* its MESSAGE is in the topic */                             \
        X(CAPTURE_REFUSED, "capture refused")                                                                         \
        X(CAPTURE_CLEAN, "capture clean")               /* the key was read again afterwards */

#define LEDGER_TOTALS(X)                                                                                              \
        X(ADMITTED, "admitted")                                                                                       \
        X(APPENDED, "appended")                                                                                       \
        X(CAPTURES, "captures")                                                                                       \
        X(SHADOW, "shadow")                                                                                           \
        X(REPEATS, "repeats")                                                                                         \
        X(OUTSIDE, "published outside")                 /* MESSAGE of no communication */

enum ledger_state {
        LEDGER_NONE,
#define X(name, text) LEDGER_##name,
        LEDGER_STATES(X)
        LEDGER_STATE_COUNT,
        LEDGER_BEFORE_TOTALS = LEDGER_STATE_COUNT - 1,
        LEDGER_TOTALS(X)
#undef X
        LEDGER_ACCOUNT_COUNT,                           // an account is a state (not LEDGER_NONE) or a total
};

const char *ledger_account_name(enum ledger_state account);     // "waiting"; "none" for LEDGER_NONE, "?" for no account
// The account of this name; LEDGER_NONE when there is none.
enum ledger_state ledger_account_of(struct bytes name);

static inline bool ledger_unsettled(enum ledger_state state) {
        return state >= LEDGER_OPEN && state <= LEDGER_CAPTURE_UNKNOWN;
}
// A message of a topic that is not settled: what makes a lane stay async when its shard goes back to sync.
static inline bool ledger_message_unsettled(enum ledger_state state) {
        return state >= LEDGER_WAITING && state <= LEDGER_PARKED;
}
// Waits for a person or for a repeat, not for commute alone: what `commute parked list` shows. An indeterminate delivery is made
// again by commute itself (where repeats are not recognised it is parked).
static inline bool ledger_held(enum ledger_state state) {
        return state == LEDGER_CALL_INDETERMINATE || state == LEDGER_PARKED;
}

struct ledger_sums {
        int64_t count[LEDGER_ACCOUNT_COUNT];            // [LEDGER_NONE] stays 0
};

// Moves a subject in *state (LEDGER_NONE: it does not exist before the record) by a record, and books it in *sums. Records that
// speak of no subject (EPOCH, SHADOW, REPEAT, …) want LEDGER_NONE and leave it. A MESSAGE that came of a CAPTURE is two steps:
// one of the capture (state CAPTURING or CAPTURE_UNKNOWN), one of the new message (LEDGER_NONE). False with ERROR_CORRUPT when
// the step is impossible, both sides named; *state and *sums are untouched then.
MUST_USE bool ledger_step(enum ledger_state *state, const struct record *record, struct ledger_sums *sums, struct error *error);

// Adds b to a, account by account.
void ledger_add(struct ledger_sums *a, const struct ledger_sums *b);

// Whether the equations above hold and nothing is below zero. False with ERROR_CORRUPT: which one does not, and its numbers.
MUST_USE bool ledger_check(const struct ledger_sums *sums, struct error *error);

// What a fold finds wrong and goes on from: each is counted, and the first of each kind is kept with its position.
#define LEDGER_FAULTS(X)                                                                                              \
        X(TRANSITION, "transition")                     /* an impossible step, an outcome of nothing unsettled included */ \
        X(SEQUENCE, "sequence")                         /* a gap or a turn-back in a lane */                          \
        X(EPOCH, "epoch")                               /* admitted under an epoch or mode that was not its lane's */ \
        X(RECORD, "record")                             /* unreadable, or of a stream that the log does not know */
enum ledger_fault {
#define X(name, text) LEDGER_FAULT_##name,
        LEDGER_FAULTS(X)
#undef X
        LEDGER_FAULT_COUNT,
};
const char *ledger_fault_name(enum ledger_fault fault);
