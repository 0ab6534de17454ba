// SPDX-License-Identifier: Apache-2.0
// Ratings: the table of bonuses' own that deliveries fill (PUT /ratings/{task_id}), or a call of the tasks service. Which of
// them an accrual reads is fixed by --rating-source, or asked for (GET --modes-url) at most every ASK_EVERY_US.
// A task that was never rated has rating 0, version 0. An older version than the one held is answered 200 {"stale": true} and
// changes nothing; the same version with another rating is refused (422). The table may be dropped while the service runs
// (the user's own step of a migration) and made again; without it, reads are answered 503 and deliveries 410.
// Threads: the server's; what is asked is under `lock`, the table under the database's lock.
#include "bonuses/bonuses.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/client.h"
#include "common/clock.h"
#include "common/memory.h"

#define ASK_EVERY_US 500000
#define ASK_LIMIT_US 5000000         // a mode that could not be asked again for so long is not used any more
#define CALL_TIMEOUT_MS 2000
#define RATING_MAXIMUM 1000

static const char create_table[] = "CREATE TABLE IF NOT EXISTS ratings(task_id INTEGER PRIMARY KEY, rating INTEGER NOT NULL,"
                                   " rating_version INTEGER NOT NULL, at_us INTEGER NOT NULL)";

struct ratings {
        pthread_mutex_t lock;
        bool by_call;                        // the answer to the last question
        int64_t asked_us, answered_us;       // 0: never
        bool table;                          // the table is there; under the database's lock
        sqlite3_stmt *get, *put, *delete, *mark_dropped, *mark_created;
};

// Kept for the auditor: a table that is not read need not be up to date.
static void note_source(struct bonuses *bonuses, bool by_call)
{
        database_begin(bonuses->database);
        database_run(bonuses->database, by_call ? "INSERT OR REPLACE INTO settings VALUES('rating_source', 'call')"
                                                : "INSERT OR REPLACE INTO settings VALUES('rating_source', 'table')");
        database_commit(bonuses->database);
}

// The statements outlive a drop of the table: SQLite prepares them anew when it is there again.
struct ratings *ratings_open(struct bonuses *bonuses)
{
        struct ratings *ratings = must_allocate(sizeof(*ratings));
        struct database *database = bonuses->database;
        pthread_mutex_init(&ratings->lock, NULL);
        database_run(database, create_table);
        ratings->get = database_prepare(database, "SELECT rating, rating_version FROM ratings WHERE task_id=?");
        ratings->put = database_prepare(database, "INSERT OR REPLACE INTO ratings VALUES(?, ?, ?, ?)");
        ratings->delete = database_prepare(database, "DELETE FROM ratings WHERE task_id=?");
        ratings->mark_dropped = database_prepare(database, "INSERT OR REPLACE INTO settings VALUES('ratings_dropped', 'yes')");
        ratings->mark_created = database_prepare(database, "DELETE FROM settings WHERE name='ratings_dropped'");
        sqlite3_stmt *dropped = database_prepare(database, "SELECT 1 FROM settings WHERE name='ratings_dropped'");
        ratings->table = !query(dropped, "");
        sqlite3_reset(dropped);
        if (!ratings->table)
                database_run(database, "DROP TABLE ratings");
        if (bonuses->source != RATING_ASK)
                note_source(bonuses, bonuses->source == RATING_CALL);
        return ratings;
}

static bool ask(struct bonuses *bonuses, bool *ret_by_call)
{
        struct call call = { .method = "GET", .base = bonuses->modes_url, .path = "", .timeout_ms = CALL_TIMEOUT_MS };
        struct reply reply;
        bool known = false;
        if (client_call(&call, &reply) == CALL_ANSWERED && reply.status == 200) {
                json_t *body = json_loadb(reply.body, reply.body_size, 0, NULL);
                const char *mode = json_string_value(json_object_get(body, "mode"));
                known = mode && (strcmp(mode, "pull") == 0 || strcmp(mode, "push") == 0 || strcmp(mode, "async") == 0);
                if (known)
                        *ret_by_call = strcmp(mode, "pull") == 0;
                json_decref(body);
        }
        reply_free(&reply);
        return known;
}

// One thread asks, the others go on with what is known.
static bool asked_source(struct bonuses *bonuses, bool *ret_by_call)
{
        struct ratings *ratings = bonuses->ratings;
        int64_t now = ticks_us();
        pthread_mutex_lock(&ratings->lock);
        bool mine = ratings->asked_us == 0 || now - ratings->asked_us >= ASK_EVERY_US;
        if (mine)
                ratings->asked_us = now;
        bool before = ratings->by_call, first = ratings->answered_us == 0;
        pthread_mutex_unlock(&ratings->lock);
        bool by_call = before;
        if ((mine || first) && ask(bonuses, &by_call)) {
                pthread_mutex_lock(&ratings->lock);
                ratings->by_call = by_call;
                ratings->answered_us = ticks_us();
                pthread_mutex_unlock(&ratings->lock);
                if (first || by_call != before)
                        note_source(bonuses, by_call);
        }
        pthread_mutex_lock(&ratings->lock);
        bool known = ratings->answered_us != 0 && ticks_us() - ratings->answered_us < ASK_LIMIT_US;
        *ret_by_call = ratings->by_call;
        pthread_mutex_unlock(&ratings->lock);
        return known;
}

static bool read_by_call(struct bonuses *bonuses, int64_t task_id, struct rating *rating)
{
        char path[64];
        snprintf(path, sizeof(path), "/tasks/%lld/rating", (long long)task_id);
        struct call call = { .method = "GET", .base = bonuses->rating_url, .path = path, .timeout_ms = CALL_TIMEOUT_MS };
        struct reply reply;
        bool known = false, answered = client_call(&call, &reply) == CALL_ANSWERED;
        if (answered && reply.status == 404) {          // never rated, as a row that the table does not have
                *rating = (struct rating){ 0, 0, "call", rating->read_us };
                known = true;
        } else if (answered && reply.status == 200) {
                json_t *body = json_loadb(reply.body, reply.body_size, 0, NULL);
                json_int_t value, version;
                known = body && json_unpack(body, "{s:I,s:I}", "rating", &value, "rating_version", &version) == 0;
                if (known)
                        *rating = (struct rating){ value, version, "call", rating->read_us };
                json_decref(body);
        }
        reply_free(&reply);
        return known;
}

static bool read_from_table(struct bonuses *bonuses, int64_t task_id, struct rating *rating)
{
        struct ratings *ratings = bonuses->ratings;
        database_lock(bonuses->database);
        bool there = ratings->table;
        rating->source = "table";
        if (there && query(ratings->get, "i", task_id)) {
                rating->rating = column_integer(ratings->get, 0);
                rating->version = column_integer(ratings->get, 1);
        }
        database_unlock(bonuses->database);
        return there;
}

bool rating_read(struct bonuses *bonuses, int64_t task_id, struct rating *ret_rating, struct answer *answer)
{
        bool by_call = bonuses->source == RATING_CALL;
        if (bonuses->source == RATING_ASK && !asked_source(bonuses, &by_call)) {
                answer_error(answer, 503, "the mode of the ratings is not known");
                return false;
        }
        struct rating rating = { .read_us = now_us() };
        if (!(by_call ? read_by_call(bonuses, task_id, &rating) : read_from_table(bonuses, task_id, &rating))) {
                answer_error(answer, 503, by_call ? "the rating could not be had" : "the table of ratings was dropped");
                return false;
        }
        *ret_rating = rating;
        return true;
}

void put_rating(void *service, struct request *request, struct answer *answer)
{
        struct bonuses *bonuses = service;
        struct ratings *ratings = bonuses->ratings;
        int64_t task_id, rating, version;
        const struct field fields[] = {
                { "task_id", FIELD_INTEGER, &task_id, 1, INT64_MAX, false },
                { "rating", FIELD_INTEGER, &rating, 0, RATING_MAXIMUM, false },
                { "rating_version", FIELD_INTEGER, &version, 0, INT64_MAX, false },
                { 0 },
        };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        json_decref(body);
        if (task_id != request->id) {
                answer_error(answer, 422, "the path says task %lld, the body %lld", (long long)request->id, (long long)task_id);
                return;
        }
        database_begin(bonuses->database);
        bool there = ratings->table, held = there && query(ratings->get, "i", task_id);
        int64_t held_rating = held ? column_integer(ratings->get, 0) : 0;
        int64_t held_version = held ? column_integer(ratings->get, 1) : -1;
        if (!there) {
                answer_error(answer, 410, "the table of ratings was dropped");
        } else if (version == held_version && rating != held_rating) {
                answer_error(answer, 422, "version %lld of this rating is %lld, not %lld", (long long)version,
                             (long long)held_rating, (long long)rating);
        } else {
                if (version > held_version)
                        query(ratings->put, "iiii", task_id, rating, version, now_us());
                answer->status = 200;
                answer->body = json_pack("{s:b}", "stale", version < held_version);
        }
        database_commit(bonuses->database);
}

// The owner has no such row (a write whose end commute did not see was not done): neither has the table.
void delete_rating(void *service, struct request *request, struct answer *answer)
{
        struct bonuses *bonuses = service;
        struct ratings *ratings = bonuses->ratings;
        database_begin(bonuses->database);
        if (!ratings->table) {
                answer_error(answer, 410, "the table of ratings was dropped");
        } else {
                query(ratings->delete, "i", request->id);
                answer->status = 200;
                answer->body = json_pack("{}");
        }
        database_commit(bonuses->database);
}

void drop_ratings(void *service, struct request *request, struct answer *answer)
{
        (void)request;
        struct bonuses *bonuses = service;
        database_begin(bonuses->database);
        if (bonuses->ratings->table) {
                query(bonuses->ratings->mark_dropped, "");
                database_run(bonuses->database, "DROP TABLE ratings");
        }
        bonuses->ratings->table = false;
        database_commit(bonuses->database);
        answer->status = 204;
}

void create_ratings(void *service, struct request *request, struct answer *answer)
{
        (void)request;
        struct bonuses *bonuses = service;
        database_begin(bonuses->database);
        query(bonuses->ratings->mark_created, "");
        database_run(bonuses->database, create_table);
        bonuses->ratings->table = true;
        database_commit(bonuses->database);
        answer->status = 204;
}
