// SPDX-License-Identifier: Apache-2.0
// Tasks and their ratings. A task's title may change, its manager does not; every title that it ever had is kept in task_history,
// and every rating in rating_history, for the auditor. Invariant: tasks and ratings hold the last row of each in the histories,
// versions count from 1 without gaps; a task without a row in ratings was never rated: its rating is 404, and counts as rating
// 0, version 0.
#include "tasks/tasks.h"

#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

#define PAGE_ROWS 200
#define RATING_MAXIMUM 1000

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS tasks(task_id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,"
        " manager_id INTEGER NOT NULL, created_at TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS task_history(task_id INTEGER, version INTEGER, title TEXT NOT NULL, at_us INTEGER NOT NULL,"
        " PRIMARY KEY(task_id, version)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS ratings(task_id INTEGER PRIMARY KEY, rating INTEGER NOT NULL,"
        " rating_version INTEGER NOT NULL);"
        "CREATE TABLE IF NOT EXISTS rating_history(task_id INTEGER, rating_version INTEGER, rating INTEGER NOT NULL,"
        " at_us INTEGER NOT NULL, PRIMARY KEY(task_id, rating_version)) WITHOUT ROWID;";

struct catalogue {
        sqlite3_stmt *insert, *rename, *remember_title, *get, *list, *rate, *rating, *remember, *list_ratings;
};

struct catalogue *catalogue_open(struct tasks *tasks)
{
        struct database *database = tasks->database;
        struct catalogue *catalogue = must_allocate(sizeof(*catalogue));
        database_run(database, schema);
        catalogue->insert = database_prepare(database, "INSERT INTO tasks(title, manager_id, created_at) VALUES(?, ?, ?)");
        catalogue->rename = database_prepare(database, "UPDATE tasks SET title=? WHERE task_id=?");
        catalogue->remember_title = database_prepare(database, "INSERT INTO task_history SELECT t.task_id, 1 + (SELECT"
                                                     " ifnull(max(h.version), 0) FROM task_history h WHERE h.task_id=t.task_id),"
                                                     " t.title, ? FROM tasks t WHERE t.task_id=?");
        catalogue->get = database_prepare(database, "SELECT task_id, title, manager_id, created_at FROM tasks WHERE task_id=?");
        catalogue->list = database_prepare(database, "SELECT task_id, title, manager_id, created_at FROM tasks"
                                           " WHERE task_id>? ORDER BY task_id LIMIT ?");
        catalogue->rate = database_prepare(database, "INSERT INTO ratings VALUES(?, ?, 1) ON CONFLICT(task_id)"
                                           " DO UPDATE SET rating=excluded.rating, rating_version=rating_version+1");
        catalogue->rating = database_prepare(database, "SELECT task_id, rating, rating_version FROM ratings WHERE task_id=?");
        catalogue->remember = database_prepare(database, "INSERT INTO rating_history SELECT task_id, rating_version, rating, ?"
                                               " FROM ratings WHERE task_id=?");
        catalogue->list_ratings = database_prepare(database, "SELECT task_id, rating, rating_version FROM ratings"
                                                   " WHERE task_id>? ORDER BY task_id LIMIT ?");
        return catalogue;
}

static json_t *task_body(sqlite3_stmt *row)
{
        return json_pack("{s:I,s:s,s:I,s:s}", "task_id", (json_int_t)column_integer(row, 0), "title", column_text(row, 1),
                         "manager_id", (json_int_t)column_integer(row, 2), "created_at", column_text(row, 3));
}

static json_t *rating_body(sqlite3_stmt *row)
{
        return json_pack("{s:I,s:I,s:I}", "task_id", (json_int_t)column_integer(row, 0), "rating",
                         (json_int_t)column_integer(row, 1), "rating_version", (json_int_t)column_integer(row, 2));
}

bool catalogue_manager(struct tasks *tasks, int64_t task_id, int64_t *ret_manager_id)
{
        if (!query(tasks->catalogue->get, "i", task_id))
                return false;
        *ret_manager_id = column_integer(tasks->catalogue->get, 2);
        return true;
}

json_t *catalogue_task(struct tasks *tasks, int64_t task_id)
{
        return query(tasks->catalogue->get, "i", task_id) ? task_body(tasks->catalogue->get) : NULL;
}

json_t *catalogue_rating(struct tasks *tasks, int64_t task_id)
{
        return query(tasks->catalogue->rating, "i", task_id) ? rating_body(tasks->catalogue->rating) : NULL;
}

// "[Area] Title", both parts non-empty.
static bool good_title(const char *title)
{
        const char *end = strstr(title, "] ");
        return title[0] == '[' && end && end > title + 1 && end[2];
}

void post_task(void *service, struct request *request, struct answer *answer)
{
        struct tasks *tasks = service;
        const char *title = NULL;
        int64_t manager_id = 0;
        const struct field fields[] = {
                { "title", FIELD_TEXT, &title, 0, 0, false },
                { "manager_id", FIELD_INTEGER, &manager_id, 1, INT64_MAX, false },
                { 0 },
        };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        if (!good_title(title)) {
                answer_error(answer, 422, "field 'title' must read '[Knowledge Area] Title'");
                json_decref(body);
                return;
        }
        char created_at[CREATED_AT_SIZE];
        created_at_text(now_us(), created_at);
        database_begin(tasks->database);
        query(tasks->catalogue->insert, "tit", title, manager_id, (const char *)created_at);
        int64_t id = inserted_id(tasks->catalogue->insert);
        query(tasks->catalogue->remember_title, "ii", now_us(), id);
        answer->status = 201;
        answer->body = catalogue_task(tasks, id);
        pushes_add(tasks, false, id);
        database_commit(tasks->database);
        pushes_wake(tasks);
        json_decref(body);
}

// Another title; without one, the task as it is: a write that changes nothing, for those who want it published again.
void put_task(void *service, struct request *request, struct answer *answer)
{
        struct tasks *tasks = service;
        const char *title = NULL;
        const struct field fields[] = { { "title", FIELD_TEXT, &title, 0, 0, true }, { 0 } };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        int64_t manager_id;
        database_begin(tasks->database);
        if (title && !good_title(title)) {
                answer_error(answer, 422, "field 'title' must read '[Knowledge Area] Title'");
                database_rollback(tasks->database);
        } else if (!catalogue_manager(tasks, request->id, &manager_id)) {
                answer_error(answer, 404, "task %lld does not exist", (long long)request->id);
                database_rollback(tasks->database);
        } else {
                if (title) {
                        query(tasks->catalogue->rename, "ti", title, request->id);
                        query(tasks->catalogue->remember_title, "ii", now_us(), request->id);
                }
                answer->status = 200;
                answer->body = catalogue_task(tasks, request->id);
                pushes_add(tasks, false, request->id);
                database_commit(tasks->database);
                pushes_wake(tasks);
        }
        json_decref(body);
}

static void answer_found(struct tasks *tasks, struct answer *answer, int64_t task_id,
                         json_t *(*find)(struct tasks *tasks, int64_t task_id))
{
        database_lock(tasks->database);
        answer->status = 200;
        answer->body = find(tasks, task_id);
        database_unlock(tasks->database);
        if (!answer->body)
                answer_error(answer, 404, "task %lld does not exist", (long long)task_id);
}

void get_task(void *service, struct request *request, struct answer *answer)
{
        answer_found(service, answer, request->id, catalogue_task);
}

void get_task_rating(void *service, struct request *request, struct answer *answer)
{
        answer_found(service, answer, request->id, catalogue_rating);
}

void put_task_rating(void *service, struct request *request, struct answer *answer)
{
        struct tasks *tasks = service;
        int64_t rating = 0;
        const struct field fields[] = { { "rating", FIELD_INTEGER, &rating, 0, RATING_MAXIMUM, false }, { 0 } };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        json_decref(body);
        int64_t manager_id;
        database_begin(tasks->database);
        if (!catalogue_manager(tasks, request->id, &manager_id)) {
                answer_error(answer, 404, "task %lld does not exist", (long long)request->id);
                database_rollback(tasks->database);
                return;
        }
        query(tasks->catalogue->rate, "ii", request->id, rating);
        query(tasks->catalogue->remember, "ii", now_us(), request->id);
        answer->status = 200;
        answer->body = catalogue_rating(tasks, request->id);
        pushes_add(tasks, true, request->id);
        database_commit(tasks->database);
        pushes_wake(tasks);
}

static void answer_page(struct tasks *tasks, struct request *request, struct answer *answer, sqlite3_stmt *list,
                        json_t *(*row_body)(sqlite3_stmt *row))
{
        int64_t after, last = 0;
        if (!request_cursor(request, answer, &after))
                return;
        json_t *items = json_array();
        database_lock(tasks->database);
        for (bool row = query(list, "ii", after, (int64_t)PAGE_ROWS); row; row = next_row(list)) {
                last = column_integer(list, 0);
                json_array_append_new(items, row_body(list));
        }
        database_unlock(tasks->database);
        bool more = json_array_size(items) == PAGE_ROWS;
        answer->status = 200;
        answer->body = json_pack("{s:o,s:o}", "items", items, "next", more ? json_integer(last) : json_null());
}

void list_tasks(void *service, struct request *request, struct answer *answer)
{
        struct tasks *tasks = service;
        answer_page(tasks, request, answer, tasks->catalogue->list, task_body);
}

void list_ratings(void *service, struct request *request, struct answer *answer)
{
        struct tasks *tasks = service;
        answer_page(tasks, request, answer, tasks->catalogue->list_ratings, rating_body);
}
