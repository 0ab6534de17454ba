// SPDX-License-Identifier: Apache-2.0
// Pushes of ratings (to bonuses) and cards (to portal) when no one captures them: an outbox. A row is written with the change,
// a thread pushes the task's current state and deletes the row unless it was written again meanwhile (`mark`). What was not
// answered 2xx is pushed again; pushes are made one after another, and bonuses refuses an older rating. Nothing is lost by a crash.
#include "tasks/tasks.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/client.h"
#include "common/clock.h"
#include "common/memory.h"

#define AGAIN_AFTER_US 100000
#define CALL_TIMEOUT_MS 2000

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS pushes(push_id INTEGER PRIMARY KEY, rating INTEGER NOT NULL, task_id INTEGER NOT NULL,"
        " mark INTEGER NOT NULL, UNIQUE(rating, task_id));";

struct pushes {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        bool woken, stopping;        // under `lock`
        int64_t mark;                // under the database's lock
        sqlite3_stmt *add, *first, *done, *waiting;
};

struct push {
        int64_t id, task_id, mark;
        bool rating;
        json_t *body;
};

static bool next_push(struct tasks *tasks, int64_t after, struct push *ret_push)
{
        struct pushes *pushes = tasks->pushes;
        database_lock(tasks->database);
        bool found = query(pushes->first, "i", after);
        if (found) {
                *ret_push = (struct push){ .id = column_integer(pushes->first, 0), .rating = column_integer(pushes->first, 1),
                                           .task_id = column_integer(pushes->first, 2),
                                           .mark = column_integer(pushes->first, 3) };
                ret_push->body = ret_push->rating ? catalogue_rating(tasks, ret_push->task_id)
                                                  : catalogue_task(tasks, ret_push->task_id);
        }
        database_unlock(tasks->database);
        return found;
}

static bool send_push(struct tasks *tasks, const struct push *push)
{
        const char *url = push->rating ? tasks->push_ratings_url : tasks->push_cards_url;
        if (!url)
                return false;
        char path[64];
        snprintf(path, sizeof(path), push->rating ? "/ratings/%lld" : "/cards/%lld", (long long)push->task_id);
        FREED char *body = json_dumps(push->body, JSON_COMPACT);
        struct call call = { .method = "PUT", .base = url, .path = path, .body = body, .timeout_ms = CALL_TIMEOUT_MS };
        struct reply reply;
        bool good = client_call(&call, &reply) == CALL_ANSWERED && reply.status >= 200 && reply.status < 300;
        reply_free(&reply);
        return good;
}

// True: everything was pushed.
static bool push_all(struct tasks *tasks)
{
        bool all = true;
        struct push push = { 0 };
        while (next_push(tasks, push.id, &push)) {
                bool good = send_push(tasks, &push);
                json_decref(push.body);
                all = all && good;
                if (!good)
                        continue;
                database_begin(tasks->database);
                query(tasks->pushes->done, "ii", push.id, push.mark);
                database_commit(tasks->database);
        }
        return all;
}

static bool wait_for_work(struct pushes *pushes, bool all)
{
        int64_t until = now_us() + AGAIN_AFTER_US;
        struct timespec deadline = { .tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000 };
        pthread_mutex_lock(&pushes->lock);
        while (!pushes->stopping && (!pushes->woken || !all)) {
                if (all)
                        pthread_cond_wait(&pushes->wake, &pushes->lock);
                else if (pthread_cond_timedwait(&pushes->wake, &pushes->lock, &deadline) != 0)
                        break;
        }
        pushes->woken = false;
        bool stopping = pushes->stopping;
        pthread_mutex_unlock(&pushes->lock);
        return !stopping;
}

static void *run(void *context)
{
        struct tasks *tasks = context;
        do {
                bool all = push_all(tasks);
                if (!wait_for_work(tasks->pushes, all))
                        break;
        } while (true);
        return NULL;
}

void pushes_start(struct tasks *tasks)
{
        struct pushes *pushes = must_allocate(sizeof(*pushes));
        tasks->pushes = pushes;
        database_run(tasks->database, schema);
        pushes->mark = now_us();
        pushes->add = database_prepare(tasks->database, "INSERT INTO pushes(rating, task_id, mark) VALUES(?, ?, ?)"
                                       " ON CONFLICT(rating, task_id) DO UPDATE SET mark=excluded.mark");
        pushes->first = database_prepare(tasks->database, "SELECT push_id, rating, task_id, mark FROM pushes WHERE push_id>?"
                                         " ORDER BY push_id LIMIT 1");
        pushes->done = database_prepare(tasks->database, "DELETE FROM pushes WHERE push_id=? AND mark=?");
        pushes->waiting = database_prepare(tasks->database, "SELECT count(*) FROM pushes");
        pthread_mutex_init(&pushes->lock, NULL);
        pthread_cond_init(&pushes->wake, NULL);
        if (pthread_create(&pushes->thread, NULL, run, tasks) != 0)
                die("cannot start a thread");
}

void pushes_add(struct tasks *tasks, bool rating, int64_t task_id)
{
        if (rating ? tasks->push_ratings_url : tasks->push_cards_url)
                query(tasks->pushes->add, "iii", (int64_t)rating, task_id, ++tasks->pushes->mark);
}

void pushes_wake(struct tasks *tasks)
{
        struct pushes *pushes = tasks->pushes;
        pthread_mutex_lock(&pushes->lock);
        pushes->woken = true;
        pthread_cond_signal(&pushes->wake);
        pthread_mutex_unlock(&pushes->lock);
}

int64_t pushes_waiting(struct tasks *tasks)
{
        database_lock(tasks->database);
        query(tasks->pushes->waiting, "");
        int64_t waiting = column_integer(tasks->pushes->waiting, 0);
        database_unlock(tasks->database);
        return waiting;
}

void pushes_stop(struct tasks *tasks)
{
        struct pushes *pushes = tasks->pushes;
        pthread_mutex_lock(&pushes->lock);
        pushes->stopping = true;
        pthread_cond_signal(&pushes->wake);
        pthread_mutex_unlock(&pushes->lock);
        pthread_join(pushes->thread, NULL);
}
