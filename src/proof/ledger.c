// SPDX-License-Identifier: Apache-2.0
// The ledger's table: what a record does to its subject. See ledger.h.
//
// Invariants, of any sequence of steps that starts with sums of zero:
//  1. each subject is counted in exactly one state's account, and in no other;
//  2. a subject that began is in ADMITTED, APPENDED or CAPTURES for good, as the table's last columns say, so the equations hold;
//  3. a settled state is never left: it stands in no row's first column.
#include "proof/ledger.h"

#include <inttypes.h>

static const char *const account_names[LEDGER_ACCOUNT_COUNT] = {
        [LEDGER_NONE] = "none",
#define X(name, text) [LEDGER_##name] = text,
        LEDGER_STATES(X)
        LEDGER_TOTALS(X)
#undef X
};

// `with` flags must be set and `without` flags must not be for a row to apply.
struct transition {
        enum ledger_state before;
        enum record_kind kind;
        unsigned with, without;
        enum ledger_state after;
        enum ledger_state totals[2];            // that grow by one as well
};

static const struct transition transitions[] = {
        // a call
        {LEDGER_NONE, RECORD_INTENT, 0, 0, LEDGER_OPEN, {LEDGER_ADMITTED}},
        {LEDGER_OPEN, RECORD_ANSWERED, 0, 0, LEDGER_ANSWERED, {0}},
        {LEDGER_OPEN, RECORD_REFUSED, 0, 0, LEDGER_REFUSED, {0}},
        {LEDGER_OPEN, RECORD_INDETERMINATE, 0, 0, LEDGER_CALL_INDETERMINATE, {0}},
        {LEDGER_CALL_INDETERMINATE, RECORD_INDETERMINATE, 0, 0, LEDGER_CALL_INDETERMINATE, {0}},
        {LEDGER_CALL_INDETERMINATE, RECORD_ANSWERED, 0, 0, LEDGER_ANSWERED, {0}},
        {LEDGER_CALL_INDETERMINATE, RECORD_SETTLED, 0, 0, LEDGER_CALL_SETTLED, {0}},
        {LEDGER_CALL_INDETERMINATE, RECORD_REFUSED, RECORD_BY_PERSON, 0, LEDGER_REFUSED, {0}},

        // a message of a topic
        {LEDGER_NONE, RECORD_MESSAGE, 0, RECORD_KEPT, LEDGER_WAITING, {LEDGER_ADMITTED, LEDGER_APPENDED}},
        {LEDGER_NONE, RECORD_MESSAGE, RECORD_KEPT, 0, LEDGER_DELIVERED, {LEDGER_ADMITTED, LEDGER_APPENDED}},
        {LEDGER_WAITING, RECORD_ATTEMPT, 0, 0, LEDGER_TRYING, {0}},
        {LEDGER_WAITING, RECORD_NOT_DONE, 0, 0, LEDGER_WAITING, {0}},
        {LEDGER_WAITING, RECORD_DELIVERED, 0, 0, LEDGER_DELIVERED, {0}},
        {LEDGER_WAITING, RECORD_INDETERMINATE, 0, 0, LEDGER_INDETERMINATE, {0}},
        {LEDGER_WAITING, RECORD_PARKED, 0, 0, LEDGER_PARKED, {0}},
        {LEDGER_WAITING, RECORD_DISCARDED, 0, 0, LEDGER_DISCARDED, {0}},
        {LEDGER_TRYING, RECORD_NOT_DONE, 0, 0, LEDGER_WAITING, {0}},
        {LEDGER_TRYING, RECORD_DELIVERED, 0, 0, LEDGER_DELIVERED, {0}},
        {LEDGER_TRYING, RECORD_INDETERMINATE, 0, 0, LEDGER_INDETERMINATE, {0}},
        {LEDGER_TRYING, RECORD_PARKED, 0, 0, LEDGER_PARKED, {0}},
        {LEDGER_TRYING, RECORD_DISCARDED, 0, 0, LEDGER_DISCARDED, {0}},
        // a later attempt that was not executed says nothing about the earlier one: it stays indeterminate (DESIGN.md §4)
        {LEDGER_INDETERMINATE, RECORD_NOT_DONE, 0, 0, LEDGER_INDETERMINATE, {0}},
        {LEDGER_INDETERMINATE, RECORD_INDETERMINATE, 0, 0, LEDGER_INDETERMINATE, {0}},
        {LEDGER_INDETERMINATE, RECORD_DELIVERED, 0, 0, LEDGER_DELIVERED, {0}},
        {LEDGER_INDETERMINATE, RECORD_PARKED, 0, 0, LEDGER_PARKED, {0}},
        {LEDGER_INDETERMINATE, RECORD_SETTLED, 0, 0, LEDGER_SETTLED, {0}},
        {LEDGER_INDETERMINATE, RECORD_DISCARDED, RECORD_BY_PERSON, 0, LEDGER_DISCARDED, {0}},
        {LEDGER_PARKED, RECORD_RETRY, 0, 0, LEDGER_WAITING, {0}},
        {LEDGER_PARKED, RECORD_SETTLED, 0, 0, LEDGER_SETTLED, {0}},
        {LEDGER_PARKED, RECORD_DISCARDED, 0, 0, LEDGER_DISCARDED, {0}},

        // a captured write
        {LEDGER_NONE, RECORD_CAPTURE, 0, 0, LEDGER_CAPTURING, {LEDGER_CAPTURES}},
        {LEDGER_CAPTURING, RECORD_MESSAGE, 0, RECORD_REREAD, LEDGER_CAPTURED, {0}},
        {LEDGER_CAPTURING, RECORD_CAPTURE_REFUSED, 0, 0, LEDGER_CAPTURE_REFUSED, {0}},
        {LEDGER_CAPTURING, RECORD_CAPTURE_UNKNOWN, 0, 0, LEDGER_CAPTURE_UNKNOWN, {0}},
        {LEDGER_CAPTURING, RECORD_MESSAGE, RECORD_REREAD, 0, LEDGER_CAPTURE_CLEAN, {0}},
        {LEDGER_CAPTURING, RECORD_CAPTURE_CLEAN, 0, 0, LEDGER_CAPTURE_CLEAN, {0}},
        {LEDGER_CAPTURE_UNKNOWN, RECORD_CAPTURE_UNKNOWN, 0, 0, LEDGER_CAPTURE_UNKNOWN, {0}},
        {LEDGER_CAPTURE_UNKNOWN, RECORD_MESSAGE, RECORD_REREAD, 0, LEDGER_CAPTURE_CLEAN, {0}},
        {LEDGER_CAPTURE_UNKNOWN, RECORD_CAPTURE_CLEAN, 0, 0, LEDGER_CAPTURE_CLEAN, {0}},

        // no subject
        {LEDGER_NONE, RECORD_SHADOW, 0, 0, LEDGER_NONE, {LEDGER_SHADOW}},
        {LEDGER_NONE, RECORD_REPEAT, 0, 0, LEDGER_NONE, {LEDGER_REPEATS}},
        {LEDGER_NONE, RECORD_START, 0, 0, LEDGER_NONE, {0}},
        {LEDGER_NONE, RECORD_CONFIG, 0, 0, LEDGER_NONE, {0}},
        {LEDGER_NONE, RECORD_REGISTRY, 0, 0, LEDGER_NONE, {0}},
        {LEDGER_NONE, RECORD_MIGRATION, 0, 0, LEDGER_NONE, {0}},
        {LEDGER_NONE, RECORD_EPOCH, 0, 0, LEDGER_NONE, {0}},
        {LEDGER_NONE, RECORD_LANE_EPOCH, 0, 0, LEDGER_NONE, {0}},
};

// total = the sum of the parts; parts end with LEDGER_NONE
static const struct equation {
        enum ledger_state total;
        enum ledger_state parts[8];
} equations[] = {
        {LEDGER_ADMITTED, {LEDGER_OPEN, LEDGER_ANSWERED, LEDGER_REFUSED, LEDGER_CALL_INDETERMINATE, LEDGER_CALL_SETTLED,
                           LEDGER_APPENDED}},
        {LEDGER_APPENDED, {LEDGER_WAITING, LEDGER_TRYING, LEDGER_DELIVERED, LEDGER_INDETERMINATE, LEDGER_PARKED, LEDGER_SETTLED,
                           LEDGER_DISCARDED}},
        {LEDGER_CAPTURES, {LEDGER_CAPTURING, LEDGER_CAPTURED, LEDGER_CAPTURE_REFUSED, LEDGER_CAPTURE_UNKNOWN,
                           LEDGER_CAPTURE_CLEAN}},
};

const char *ledger_account_name(enum ledger_state account) {
        return (unsigned)account < LEDGER_ACCOUNT_COUNT ? account_names[account] : "?";
}

enum ledger_state ledger_account_of(struct bytes name) {
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++)
                if (bytes_equal(name, bytes_of(account_names[account])))
                        return (enum ledger_state)account;
        return LEDGER_NONE;
}

const char *ledger_fault_name(enum ledger_fault fault) {
        static const char *const names[LEDGER_FAULT_COUNT] = {
#define X(name, text) [LEDGER_FAULT_##name] = text,
                LEDGER_FAULTS(X)
#undef X
        };
        return (unsigned)fault < LEDGER_FAULT_COUNT ? names[fault] : "?";
}

static const struct transition *transition_find(enum ledger_state before, const struct record *record) {
        for (size_t i = 0; i < ARRAY_SIZE(transitions); i++) {
                const struct transition *row = &transitions[i];
                if (row->before == before && row->kind == record->kind && (record->flags & row->with) == row->with &&
                    !(record->flags & row->without))
                        return row;
        }
        return NULL;
}

bool ledger_step(enum ledger_state *state, const struct record *record, struct ledger_sums *sums, struct error *error) {
        // published by no communication: nobody's to deliver
        if (record->kind == RECORD_MESSAGE && record->shard == 0 && *state == LEDGER_NONE) {
                sums->count[LEDGER_OUTSIDE]++;
                return true;
        }
        const struct transition *row = transition_find(*state, record);
        if (!row && *state == LEDGER_NONE)
                return error_set(error, ERROR_CORRUPT, "%s%s of %" PRIu64 ", which is not unsettled: it is settled already, or "
                                 "was never admitted", record_kind_name(record->kind),
                                 record->flags & RECORD_BY_PERSON ? " (by a person)" : "", record->reference);
        if (!row)
                return error_set(error, ERROR_CORRUPT, "%s%s of %" PRIu64 ", which is \"%s\"", record_kind_name(record->kind),
                                 record->flags & RECORD_BY_PERSON ? " (by a person)" : "", record->reference,
                                 ledger_account_name(*state));
        if (*state != LEDGER_NONE)
                sums->count[*state]--;
        if (row->after != LEDGER_NONE)
                sums->count[row->after]++;
        for (size_t i = 0; i < ARRAY_SIZE(row->totals) && row->totals[i] != LEDGER_NONE; i++)
                sums->count[row->totals[i]] += record->kind == RECORD_REPEAT ? MAX(record->attempt, 1u) : 1;
        *state = row->after;
        return true;
}

void ledger_add(struct ledger_sums *a, const struct ledger_sums *b) {
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++)
                a->count[account] += b->count[account];
}

static bool equation_check(const struct equation *equation, const struct ledger_sums *sums, struct error *error) {
        int64_t sum = 0;
        CLEANUP(buffer_free) struct buffer text = {0};
        for (size_t i = 0; i < ARRAY_SIZE(equation->parts) && equation->parts[i] != LEDGER_NONE; i++) {
                enum ledger_state part = equation->parts[i];
                sum += sums->count[part];
                buffer_print(&text, "%s%" PRId64 " %s", i ? " + " : "", sums->count[part], ledger_account_name(part));
        }
        if (sum == sums->count[equation->total])
                return true;
        return error_set(error, ERROR_CORRUPT, "the ledger does not add up: %" PRId64 " %s, but %.*s = %" PRId64,
                         sums->count[equation->total], ledger_account_name(equation->total),
                         BYTES_PRINT(buffer_bytes(&text)), sum);
}

bool ledger_check(const struct ledger_sums *sums, struct error *error) {
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++)
                if (sums->count[account] < 0)
                        return error_set(error, ERROR_CORRUPT, "the ledger is below zero: %" PRId64 " %s", sums->count[account],
                                         ledger_account_name((enum ledger_state)account));
        for (size_t i = 0; i < ARRAY_SIZE(equations); i++)
                if (!equation_check(&equations[i], sums, error))
                        return false;
        return true;
}
