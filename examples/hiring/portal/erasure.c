// SPDX-License-Identifier: Apache-2.0
// After US-170 the portal holds references in place of managers. What it held before is erased by
//
//   POST /admin/erase-managers     managers' bodies and ids in old views; then the file itself: overwritten where rows were
//                                  (secure_delete), made anew (VACUUM, which leaves no free page), the WAL cut to nothing.
//                                  409 while a card still names its manager by id: it has to be delivered as version 2 first.
//   GET /admin/managers-held       {"cards", "views", "erased"}: how many cards and views still hold an id or a name, and
//                                  whether the file has been made anew since the rows were erased. 0, 0, true: nothing is left.
//
// From the moment the rows are erased no card with an id is taken (cards.c) and no view that began before is kept (views.c): the
// row of `erasure` says so. After a crash in between it is not complete; the next POST does all of it again.
#include "portal/portal.h"

#include "common/memory.h"

static const char schema[] = "CREATE TABLE IF NOT EXISTS erasure(one INTEGER PRIMARY KEY CHECK(one=1), complete INTEGER NOT NULL);";

#define HOLDS_PERSON "(manager_id IS NOT NULL OR EXISTS (SELECT 1 FROM json_each(manager)" \
        " WHERE key NOT IN ('manager_ref', 'created_at')))"

struct erasure {
        sqlite3_stmt *begun, *begin, *complete, *erase, *cards, *views;
};

struct erasure *erasure_open(struct portal *portal)
{
        struct database *database = portal->database;
        struct erasure *erasure = must_allocate(sizeof(*erasure));
        database_run(database, schema);
        erasure->begun = database_prepare(database, "SELECT complete FROM erasure");
        erasure->begin = database_prepare(database, "INSERT OR REPLACE INTO erasure VALUES(1, 0)");
        erasure->complete = database_prepare(database, "UPDATE erasure SET complete=1");
        erasure->erase = database_prepare(database, "UPDATE views SET manager_id=NULL, manager=NULL, erased=1 WHERE " HOLDS_PERSON);
        erasure->cards = database_prepare(database, "SELECT count(*) FROM cards WHERE version<2");
        erasure->views = database_prepare(database, "SELECT count(*) FROM views WHERE " HOLDS_PERSON);
        return erasure;
}

bool erasure_begun(struct portal *portal)
{
        return query(portal->erasure->begun, "");
}

static int64_t count(sqlite3_stmt *statement)
{
        query(statement, "");
        return column_integer(statement, 0);
}

// Under the database's lock.
static json_t *held(struct portal *portal)
{
        struct erasure *erasure = portal->erasure;
        bool erased = query(erasure->begun, "") && column_integer(erasure->begun, 0);
        return json_pack("{s:I,s:I,s:b}", "cards", (json_int_t)count(erasure->cards), "views", (json_int_t)count(erasure->views),
                         "erased", (int)erased);
}

void get_managers_held(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        (void)request;
        database_lock(portal->database);
        answer->status = 200;
        answer->body = held(portal);
        database_unlock(portal->database);
}

void erase_managers(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        (void)request;
        database_begin(portal->database);
        int64_t cards = count(portal->erasure->cards);
        if (cards > 0) {
                database_rollback(portal->database);
                answer_error(answer, 409, "%lld cards name their manager by id: they have to come as version 2 first",
                             (long long)cards);
                return;
        }
        query(portal->erasure->begin, "");
        query(portal->erasure->erase, "");
        database_commit(portal->database);
        database_lock(portal->database);
        database_make_anew(portal->database);
        query(portal->erasure->complete, "");
        answer->status = 200;
        answer->body = held(portal);
        database_unlock(portal->database);
}
