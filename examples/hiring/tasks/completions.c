// SPDX-License-Identifier: Apache-2.0
// Completions, and the call that each of them makes: COMM-040, POST {bonuses}/accruals. The completion is stored first; its id
// is the identity of the call, however often it is repeated, by this service or because the candidate asks again.
//
//   pending ──2xx──> accepted         the caller is told 201; asked again, 200 and nothing is called
//      │ 503, 429, 409, timeout, broken or no connection, other 5xx: again, `attempts` times with backoff
//      ├──never──> unaccepted         the caller is told 503; the same task and candidate again go on with the same identity
//      └──other answers──> refused    the caller is told 502; likewise repeatable
//
// The calls of one task are made one after another (a lock per lane). order_no counts the accepted completions of a task;
// sent_after is the order_no that was reached when the call was sent first: everything up to it must be accrued before it.
// A restart leaves `pending` what was in flight: the candidate's repeat goes on with it.
#include "tasks/tasks.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/client.h"
#include "common/clock.h"
#include "common/memory.h"

#define LANE_LOCKS 1024              // tasks share one when their ids agree modulo this
#define BACKOFF_LIMIT_MS 2000

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS completions(completion_id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL,"
        " candidate_id INTEGER NOT NULL, state TEXT NOT NULL, order_no INTEGER, sent_after INTEGER NOT NULL,"
        " attempts INTEGER NOT NULL, status INTEGER NOT NULL, created_us INTEGER NOT NULL, settled_us INTEGER,"
        " UNIQUE(task_id, candidate_id));"
        "CREATE TABLE IF NOT EXISTS lanes(task_id INTEGER PRIMARY KEY, accepted INTEGER NOT NULL) WITHOUT ROWID;";

struct completions {
        sqlite3_stmt *find, *insert, *settle, *accepted, *count;
        pthread_mutex_t lanes[LANE_LOCKS];
};

struct completion {
        int64_t id, task_id, candidate_id, manager_id, order_no, attempts;
        bool accepted;
        int status;                  // of the last answer, 0 if there was none
};

struct completions *completions_open(struct tasks *tasks)
{
        struct database *database = tasks->database;
        struct completions *completions = must_allocate(sizeof(*completions));
        database_run(database, schema);
        completions->find = database_prepare(database, "SELECT completion_id, state='accepted', order_no, attempts"
                                             " FROM completions WHERE task_id=? AND candidate_id=?");
        completions->insert = database_prepare(database, "INSERT INTO completions(task_id, candidate_id, state, sent_after,"
                                               " attempts, status, created_us) VALUES(?, ?, 'pending', ?, 0, 0, ?)");
        completions->settle = database_prepare(database, "UPDATE completions SET state=?, order_no=nullif(?, 0), attempts=?,"
                                               " status=?, settled_us=? WHERE completion_id=?");
        completions->accepted = database_prepare(database, "SELECT accepted FROM lanes WHERE task_id=?");
        completions->count = database_prepare(database, "INSERT INTO lanes VALUES(?, 1) ON CONFLICT(task_id)"
                                              " DO UPDATE SET accepted=accepted+1");
        for (int i = 0; i < LANE_LOCKS; i++)
                pthread_mutex_init(&completions->lanes[i], NULL);
        return completions;
}

static int64_t accepted_of(struct completions *completions, int64_t task_id)
{
        return query(completions->accepted, "i", task_id) ? column_integer(completions->accepted, 0) : 0;
}

// Stores the completion, or finds it. False: no such task.
static bool begin(struct tasks *tasks, struct completion *completion)
{
        struct completions *completions = tasks->completions;
        database_begin(tasks->database);
        if (!catalogue_manager(tasks, completion->task_id, &completion->manager_id)) {
                database_rollback(tasks->database);
                return false;
        }
        if (query(completions->find, "ii", completion->task_id, completion->candidate_id)) {
                completion->id = column_integer(completions->find, 0);
                completion->accepted = column_integer(completions->find, 1);
                completion->order_no = column_integer(completions->find, 2);
                completion->attempts = column_integer(completions->find, 3);
        } else {
                query(completions->insert, "iiii", completion->task_id, completion->candidate_id,
                      accepted_of(completions, completion->task_id), now_us());
                completion->id = inserted_id(completions->insert);
        }
        database_commit(tasks->database);
        return true;
}

static void settle(struct tasks *tasks, struct completion *completion, const char *state)
{
        struct completions *completions = tasks->completions;
        database_begin(tasks->database);
        if (completion->accepted) {
                query(completions->count, "i", completion->task_id);
                completion->order_no = accepted_of(completions, completion->task_id);
        }
        query(completions->settle, "tiiiii", state, completion->order_no, completion->attempts, (int64_t)completion->status,
              now_us(), completion->id);
        database_commit(tasks->database);
}

enum verdict { VERDICT_ACCEPTED, VERDICT_AGAIN, VERDICT_REFUSED };

static enum verdict judge(enum call_outcome outcome, int status)
{
        if (outcome != CALL_ANSWERED)
                return VERDICT_AGAIN;
        if (status >= 200 && status < 300)
                return VERDICT_ACCEPTED;
        return status >= 500 || status == 429 || status == 409 ? VERDICT_AGAIN : VERDICT_REFUSED;
}

static enum verdict call_once(struct tasks *tasks, struct completion *completion, const char *body, int64_t *ret_wait_ms)
{
        char identity[48];
        snprintf(identity, sizeof(identity), "completion-%lld", (long long)completion->id);
        struct call call = { .method = "POST", .base = tasks->bonuses_url, .path = "/accruals", .body = body,
                             .identity = identity, .timeout_ms = tasks->call_timeout_ms };
        struct reply reply;
        enum call_outcome outcome = client_call(&call, &reply);
        completion->attempts++;
        completion->status = reply.status;
        *ret_wait_ms = reply.retry_after_ms;
        reply_free(&reply);
        return judge(outcome, completion->status);
}

static enum verdict call_bonuses(struct tasks *tasks, struct completion *completion)
{
        FREED char *body = must_print("{\"task_id\":%lld,\"candidate_id\":%lld,\"manager_id\":%lld}",
                                      (long long)completion->task_id, (long long)completion->candidate_id,
                                      (long long)completion->manager_id);
        int64_t backoff_ms = tasks->backoff_ms;
        for (int64_t attempt = 1;; attempt++) {
                int64_t wait_ms;
                enum verdict verdict = call_once(tasks, completion, body, &wait_ms);
                if (verdict != VERDICT_AGAIN || attempt == tasks->attempts)
                        return verdict;
                wait_ms = wait_ms > backoff_ms ? wait_ms : backoff_ms;
                sleep_us((wait_ms < BACKOFF_LIMIT_MS ? wait_ms : BACKOFF_LIMIT_MS) * 1000);
                backoff_ms *= 2;
        }
}

static void complete(struct tasks *tasks, struct completion *completion, struct answer *answer)
{
        answer->status = 200;
        if (!completion->accepted) {
                enum verdict verdict = call_bonuses(tasks, completion);
                completion->accepted = verdict == VERDICT_ACCEPTED;
                settle(tasks, completion, verdict == VERDICT_ACCEPTED ? "accepted" : verdict == VERDICT_REFUSED ? "refused"
                                                                                                            : "unaccepted");
                answer->status = 201;
                if (!completion->accepted) {
                        answer_error(answer, verdict == VERDICT_REFUSED ? 502 : 503, verdict == VERDICT_REFUSED
                                     ? "bonuses refused the accrual (%d)" : "the accrual was not accepted (last answer: %d); "
                                     "complete the task again", completion->status);
                        return;
                }
        }
        answer->body = json_pack("{s:I,s:I,s:I,s:s,s:I}", "completion_id", (json_int_t)completion->id, "task_id",
                                 (json_int_t)completion->task_id, "candidate_id", (json_int_t)completion->candidate_id,
                                 "status", "accepted", "order", (json_int_t)completion->order_no);
}

void post_completion(void *service, struct request *request, struct answer *answer)
{
        struct tasks *tasks = service;
        struct completion completion = { 0 };
        const struct field fields[] = {
                { "task_id", FIELD_INTEGER, &completion.task_id, 1, INT64_MAX, false },
                { "candidate_id", FIELD_INTEGER, &completion.candidate_id, 1, INT64_MAX, false },
                { 0 },
        };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        json_decref(body);
        pthread_mutex_t *lane = &tasks->completions->lanes[completion.task_id % LANE_LOCKS];
        pthread_mutex_lock(lane);
        if (begin(tasks, &completion))
                complete(tasks, &completion, answer);
        else
                answer_error(answer, 404, "task %lld does not exist", (long long)completion.task_id);
        pthread_mutex_unlock(lane);
}
