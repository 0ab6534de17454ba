// SPDX-License-Identifier: Apache-2.0
// Accruals: money. One call, one transaction: the accrual, the manager's account and the call itself. amount = 1000 + 100 ×
// rating, in minor units, with the rating known when the accrual is made; which one (version, source) is kept beside it.
//
// Every call that reached the service is a row of `calls`, with what became of it:
//   done        executed; accrual_id says which accrual
//   recognised  the identity was known: the first answer was given again and nothing changed
//   refused     nothing was executed (bad body, no rating, identity used for another body, already accrued, a fault asked for)
// With --recognises none the identity is recorded and not looked at: a repeat is executed again, money included.
// Invariants (recognising): one accrual per identity and per task and candidate; a refusal does not use up an identity.
// Threads: the server's; the database's lock is the only one (the plant's state is under it, too).
#include "bonuses/bonuses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

#define AMOUNT_BASE 1000
#define AMOUNT_PER_RATING 100
#define IDENTITY_LIMIT_BYTES 200

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS accruals(accrual_id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL,"
        " candidate_id INTEGER NOT NULL, manager_id INTEGER NOT NULL, amount INTEGER NOT NULL, rating INTEGER NOT NULL,"
        " rating_version INTEGER NOT NULL, rating_source TEXT NOT NULL, rating_read_us INTEGER NOT NULL, identity TEXT,"
        " body_hash TEXT NOT NULL, at_us INTEGER NOT NULL);"
        "CREATE INDEX IF NOT EXISTS accruals_of_task ON accruals(task_id, candidate_id);"
        "CREATE INDEX IF NOT EXISTS accruals_of_identity ON accruals(identity);"
        "CREATE TABLE IF NOT EXISTS accounts(manager_id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS calls(call_id INTEGER PRIMARY KEY, identity TEXT, task_id INTEGER, candidate_id INTEGER,"
        " manager_id INTEGER, body_hash TEXT NOT NULL, at_us INTEGER NOT NULL, became TEXT NOT NULL, accrual_id INTEGER);";

// One call, read.
struct accrual_call {
        int64_t task_id, candidate_id, manager_id;
        const char *identity;                // NULL: none given
        char hash[17];                       // of the canonical body, or of the bytes if it is malformed
};

struct accruals {
        sqlite3_stmt *insert, *credit, *remember, *by_identity, *by_completion, *balance;
        int64_t made;                        // since the start; for the plant
        bool planted, holding;
        struct accrual_call held;            // PLANT_SWAP: answered, to be executed after the next one of its task
        struct rating held_rating;
        char held_identity[IDENTITY_LIMIT_BYTES + 1];
};

#define COLUMNS "accrual_id, task_id, candidate_id, manager_id, amount, body_hash"

struct accruals *accruals_open(struct bonuses *bonuses)
{
        struct database *database = bonuses->database;
        struct accruals *accruals = must_allocate(sizeof(*accruals));
        database_run(database, schema);
        accruals->insert = database_prepare(database, "INSERT INTO accruals(task_id, candidate_id, manager_id, amount, rating,"
                                            " rating_version, rating_source, rating_read_us, identity, body_hash, at_us)"
                                            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        accruals->credit = database_prepare(database, "INSERT INTO accounts VALUES(?, ?) ON CONFLICT(manager_id)"
                                            " DO UPDATE SET balance=balance+excluded.balance");
        accruals->remember = database_prepare(database, "INSERT INTO calls(identity, task_id, candidate_id, manager_id,"
                                              " body_hash, at_us, became, accrual_id)"
                                              " VALUES(?, ?, ?, ?, ?, ?, ?, nullif(?, 0))");
        accruals->by_identity = database_prepare(database, "SELECT " COLUMNS " FROM accruals WHERE identity=?");
        accruals->by_completion = database_prepare(database, "SELECT " COLUMNS " FROM accruals WHERE task_id=?"
                                                   " AND candidate_id=?");
        accruals->balance = database_prepare(database, "SELECT balance FROM accounts WHERE manager_id=?");
        return accruals;
}

static void remember(struct accruals *accruals, const struct accrual_call *call, const char *became, int64_t accrual_id)
{
        query(accruals->remember, "tiiititi", call->identity, call->task_id, call->candidate_id, call->manager_id,
              call->hash, now_us(), became, accrual_id);
}

static void refuse(struct bonuses *bonuses, const struct accrual_call *call)
{
        database_begin(bonuses->database);
        remember(bonuses->accruals, call, "refused", 0);
        database_commit(bonuses->database);
}

static json_t *accrual_body(int64_t accrual_id, const struct accrual_call *call, int64_t amount)
{
        return json_pack("{s:I,s:I,s:I,s:I,s:I}", "accrual_id", (json_int_t)accrual_id, "task_id", (json_int_t)call->task_id,
                         "candidate_id", (json_int_t)call->candidate_id, "manager_id", (json_int_t)call->manager_id,
                         "amount", (json_int_t)amount);
}

// Gives the first answer again, or refuses a known identity or completion. True: the call has its answer. In a transaction.
static bool already_known(struct bonuses *bonuses, const struct accrual_call *call, struct answer *answer)
{
        struct accruals *accruals = bonuses->accruals;
        if (!bonuses->recognises)
                return false;
        if (call->identity && query(accruals->by_identity, "t", call->identity)) {
                sqlite3_stmt *row = accruals->by_identity;
                if (strcmp(column_text(row, 5), call->hash) != 0) {
                        answer_error(answer, 422, "the identity %s was used for another body", call->identity);
                        remember(accruals, call, "refused", 0);
                        return true;
                }
                json_decref(answer->body);
                answer->status = 201;
                answer->body = accrual_body(column_integer(row, 0), call, column_integer(row, 4));
                answer->header = "Idempotent-Replayed";
                answer->header_value = "true";
                remember(accruals, call, "recognised", column_integer(row, 0));
                return true;
        }
        if (!query(accruals->by_completion, "ii", call->task_id, call->candidate_id))
                return false;
        answer_error(answer, 422, "task %lld was already accrued for candidate %lld, under another identity",
                     (long long)call->task_id, (long long)call->candidate_id);
        remember(accruals, call, "refused", 0);
        return true;
}

// `amount_off` and `account_off` are 0 unless a mistake was planted.
static int64_t execute(struct bonuses *bonuses, const struct accrual_call *call, const struct rating *rating,
                       int64_t amount_off, int64_t account_off)
{
        struct accruals *accruals = bonuses->accruals;
        int64_t amount = AMOUNT_BASE + AMOUNT_PER_RATING * rating->rating + amount_off;
        query(accruals->insert, "iiiiiititti", call->task_id, call->candidate_id, call->manager_id, amount, rating->rating,
              rating->version, rating->source, rating->read_us, call->identity, call->hash, now_us());
        int64_t id = inserted_id(accruals->insert);
        query(accruals->credit, "ii", call->manager_id + account_off, amount);
        remember(accruals, call, "done", id);
        accruals->made++;
        return id;
}

static void hold(struct accruals *accruals, const struct accrual_call *call, const struct rating *rating)
{
        accruals->held = *call;
        accruals->held_rating = *rating;
        accruals->holding = true;
        snprintf(accruals->held_identity, sizeof(accruals->held_identity), "%s", call->identity ? call->identity : "");
        accruals->held.identity = call->identity ? accruals->held_identity : NULL;
}

// Executes a call, and here alone makes the mistake that was asked for, once. Returns the accrual's id, 0 when none was made.
static int64_t execute_or_err(struct bonuses *bonuses, const struct accrual_call *call, struct rating *rating)
{
        struct accruals *accruals = bonuses->accruals;
        enum plant plant = accruals->planted || accruals->made < bonuses->plant_after ? PLANT_NONE : bonuses->plant;
        accruals->planted = accruals->planted || plant != PLANT_NONE;
        switch (plant) {
        case PLANT_LOST:
                remember(accruals, call, "done", 0);
                return 0;
        case PLANT_SWAP:
                hold(accruals, call, rating);
                return 0;
        case PLANT_DOUBLE:
                execute(bonuses, call, rating, 0, 0);
                break;
        case PLANT_AMOUNT:
                return execute(bonuses, call, rating, 100, 0);
        case PLANT_ACCOUNT:
                return execute(bonuses, call, rating, 0, 1);
        case PLANT_RATING:
                rating->rating += 7;
                break;
        case PLANT_NONE:
                break;
        }
        int64_t id = execute(bonuses, call, rating, 0, 0);
        if (accruals->holding && accruals->held.task_id == call->task_id) {
                accruals->holding = false;
                execute(bonuses, &accruals->held, &accruals->held_rating, 0, 0);
        }
        return id;
}

static void accrue(struct bonuses *bonuses, const struct accrual_call *call, struct answer *answer)
{
        struct rating rating = { 0 };
        bool rated = rating_read(bonuses, call->task_id, &rating, answer);
        database_begin(bonuses->database);
        if (already_known(bonuses, call, answer)) {
                // A repeat: the rating does not matter.
        } else if (!rated) {
                remember(bonuses->accruals, call, "refused", 0);
        } else {
                int64_t id = execute_or_err(bonuses, call, &rating);
                answer->status = 201;
                answer->body = accrual_body(id, call, AMOUNT_BASE + AMOUNT_PER_RATING * rating.rating);
        }
        database_commit(bonuses->database);
}

static void hash_into(char hash[17], const void *bytes, size_t size)
{
        snprintf(hash, 17, "%016llx", (unsigned long long)hash_bytes(bytes, size));
}

void post_accrual(void *service, struct request *request, struct answer *answer)
{
        struct bonuses *bonuses = service;
        struct accrual_call call = { .identity = request_header(request, "Idempotency-Key") };
        const struct field fields[] = {
                { "task_id", FIELD_INTEGER, &call.task_id, 1, INT64_MAX, false },
                { "candidate_id", FIELD_INTEGER, &call.candidate_id, 1, INT64_MAX, false },
                { "manager_id", FIELD_INTEGER, &call.manager_id, 1, INT64_MAX, false },
                { 0 },
        };
        json_t *body = request_fields(request, fields, answer);
        FREED char *canonical = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        hash_into(call.hash, body ? canonical : request->body, body ? strlen(canonical) : request->body_size);
        size_t identity_size = call.identity ? strlen(call.identity) : 1;
        if (!body) {
                call.identity = identity_size <= IDENTITY_LIMIT_BYTES ? call.identity : NULL;
                refuse(bonuses, &call);
        } else if (identity_size == 0 || identity_size > IDENTITY_LIMIT_BYTES) {
                call.identity = NULL;
                answer_error(answer, 422, "Idempotency-Key must have from 1 to %d bytes", IDENTITY_LIMIT_BYTES);
                refuse(bonuses, &call);
        } else if (request->fail) {
                answer_error(answer, 503, "a fault was asked for");
                refuse(bonuses, &call);
        } else {
                accrue(bonuses, &call, answer);
        }
        json_decref(body);
}

void get_account(void *service, struct request *request, struct answer *answer)
{
        struct bonuses *bonuses = service;
        database_lock(bonuses->database);
        bool there = query(bonuses->accruals->balance, "i", request->id);
        int64_t balance = there ? column_integer(bonuses->accruals->balance, 0) : 0;
        database_unlock(bonuses->database);
        answer->status = 200;
        answer->body = json_pack("{s:I,s:I}", "manager_id", (json_int_t)request->id, "balance", (json_int_t)balance);
}
