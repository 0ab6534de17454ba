// SPDX-License-Identifier: Apache-2.0
// Appends to the stream `control` (START, CONFIG, REGISTRY, MIGRATION), for those who live on the control thread.
//
// Before journal_start an append waits and ends before journal_append returns. After it everything runs on the control loop, and
// `done` is called later. An append of which the log does not know whether it landed ends only when the log has been reopened
// and says so.
#pragma once

#include "log/record.h"

struct journal;
struct log;
struct loop;

// The log outlives the journal.
MUST_USE bool journal_new(struct log *log, struct journal **ret_journal, struct error *error);
void journal_free(struct journal *journal);             // NULL is allowed; after the control loop and the log have ended
void journal_start(struct journal *journal, struct loop *loop);
bool journal_busy(const struct journal *journal);       // something is under way; on the control loop
// CONFIG record in force: stamped on what is appended.
void journal_config(struct journal *journal, uint32_t number);

// error is NULL when it landed at `position`.
typedef void journal_done(void *user, uint64_t position, const struct error *error);
// key: of MIGRATION the communication's name, else empty. Key and body are copied. done is called exactly once, except for what
// is under way when the process ends.
void journal_append(struct journal *journal, enum record_kind kind, struct bytes key, struct bytes body, journal_done *done,
                    void *user);
