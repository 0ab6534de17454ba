// SPDX-License-Identifier: Apache-2.0
// staff: owns the managers. Every state that a manager ever had is kept in manager_history (version 1 is the registration; a
// deletion is a state, too), with the body exactly as it was answered, so that the auditor can say what may have been seen.
// Threads: the server's; all state is in the database. Invariant: managers holds the last version of each manager that is not
// deleted, manager_history all of them, without gaps, written in the same transaction.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/arguments.h"
#include "common/clock.h"
#include "common/database.h"
#include "common/memory.h"
#include "common/server.h"

#define PAGE_ROWS 200

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS managers(manager_id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL,"
        " name TEXT NOT NULL, surname TEXT NOT NULL, work_email TEXT NOT NULL, staff_login TEXT NOT NULL,"
        " created_at TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS manager_history(manager_id INTEGER, version INTEGER, body TEXT, at_us INTEGER NOT NULL,"
        " PRIMARY KEY(manager_id, version)) WITHOUT ROWID;";   // body NULL: deleted

struct staff {
        struct database *database;
        sqlite3_stmt *insert, *update, *remove, *get, *list, *remember;
};

// A manager as in a request; texts live as long as its body.
struct manager {
        const char *name, *surname, *work_email, *staff_login;
};

static json_t *read_manager(struct request *request, struct answer *answer, struct manager *ret_manager)
{
        const struct field fields[] = {
                { "name", FIELD_TEXT, &ret_manager->name, 0, 0, false },
                { "surname", FIELD_TEXT, &ret_manager->surname, 0, 0, false },
                { "work_email", FIELD_TEXT, &ret_manager->work_email, 0, 0, false },
                { "staff_login", FIELD_TEXT, &ret_manager->staff_login, 0, 0, false },
                { 0 },
        };
        return request_fields(request, fields, answer);
}

// The row of `get` and `list`: exactly the fields of contracts/ManagerCreated.v0.json.
static json_t *row_body(sqlite3_stmt *row)
{
        return json_pack("{s:I,s:s,s:s,s:s,s:s,s:s}", "manager_id", (json_int_t)column_integer(row, 0),
                         "name", column_text(row, 1), "surname", column_text(row, 2), "work_email", column_text(row, 3),
                         "staff_login", column_text(row, 4), "created_at", column_text(row, 5));
}

static void remember(struct staff *staff, int64_t id, int64_t version, const json_t *body)
{
        FREED char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        query(staff->remember, "iiti", id, version, (const char *)text, now_us());
}

static void post_manager(void *service, struct request *request, struct answer *answer)
{
        struct staff *staff = service;
        struct manager given = { 0 };
        json_t *body = read_manager(request, answer, &given);
        if (!body)
                return;
        char created_at[CREATED_AT_SIZE];
        created_at_text(now_us(), created_at);
        database_begin(staff->database);
        query(staff->insert, "ttttt", given.name, given.surname, given.work_email, given.staff_login, (const char *)created_at);
        int64_t id = inserted_id(staff->insert);
        query(staff->get, "i", id);
        answer->status = 201;
        answer->body = row_body(staff->get);
        remember(staff, id, 1, answer->body);
        database_commit(staff->database);
        json_decref(body);
}

static void put_manager(void *service, struct request *request, struct answer *answer)
{
        struct staff *staff = service;
        struct manager given = { 0 };
        json_t *body = read_manager(request, answer, &given);
        if (!body)
                return;
        database_begin(staff->database);
        if (!query(staff->get, "i", request->id)) {
                answer_error(answer, 404, "manager %lld does not exist", (long long)request->id);
                database_rollback(staff->database);
        } else {
                int64_t version = column_integer(staff->get, 6) + 1;
                query(staff->update, "itttti", version, given.name, given.surname, given.work_email, given.staff_login,
                      request->id);
                query(staff->get, "i", request->id);
                answer->status = 200;
                answer->body = row_body(staff->get);
                remember(staff, request->id, version, answer->body);
                database_commit(staff->database);
        }
        json_decref(body);
}

static void delete_manager(void *service, struct request *request, struct answer *answer)
{
        struct staff *staff = service;
        database_begin(staff->database);
        if (!query(staff->get, "i", request->id)) {
                answer_error(answer, 404, "manager %lld does not exist", (long long)request->id);
                database_rollback(staff->database);
                return;
        }
        int64_t version = column_integer(staff->get, 6) + 1;
        query(staff->remove, "i", request->id);
        remember(staff, request->id, version, NULL);
        database_commit(staff->database);
        answer->status = 204;
}

static void get_manager(void *service, struct request *request, struct answer *answer)
{
        struct staff *staff = service;
        database_lock(staff->database);
        if (query(staff->get, "i", request->id)) {
                answer->status = 200;
                answer->body = row_body(staff->get);
        } else {
                answer_error(answer, 404, "manager %lld does not exist", (long long)request->id);
        }
        database_unlock(staff->database);
}

static void list_managers(void *service, struct request *request, struct answer *answer)
{
        struct staff *staff = service;
        int64_t after, last = 0;
        if (!request_cursor(request, answer, &after))
                return;
        json_t *items = json_array();
        database_lock(staff->database);
        for (bool row = query(staff->list, "ii", after, (int64_t)PAGE_ROWS); row; row = next_row(staff->list)) {
                last = column_integer(staff->list, 0);
                json_array_append_new(items, row_body(staff->list));
        }
        database_unlock(staff->database);
        bool more = json_array_size(items) == PAGE_ROWS;
        answer->status = 200;
        answer->body = json_pack("{s:o,s:o}", "items", items, "next", more ? json_integer(last) : json_null());
}

static const struct route routes[] = {
        { "POST", "/managers", post_manager, false },
        { "GET", "/managers", list_managers, false },
        { "PUT", "/managers/{id}", put_manager, false },
        { "DELETE", "/managers/{id}", delete_manager, false },
        { "GET", "/managers/{id}", get_manager, false },
        { 0 },
};

int main(int argc, char **argv)
{
        int64_t port = 7001;
        const char *path = "staff.db";
        const struct argument arguments[] = {
                INTEGER_OPTION("port", &port, 0, 65535, "where to listen on 127.0.0.1; 0: any"),
                TEXT_OPTION("database", &path, "the SQLite file"),
                { 0 },
        };
        arguments_parse(argc, argv, "owns the managers of the hiring platform", arguments);
        server_block_signals();
        struct staff staff = { .database = database_open(path, schema) };
        struct database *database = staff.database;
        staff.insert = database_prepare(database, "INSERT INTO managers(version, name, surname, work_email, staff_login,"
                                        " created_at) VALUES(1, ?, ?, ?, ?, ?)");
        staff.update = database_prepare(database, "UPDATE managers SET version=?, name=?, surname=?, work_email=?,"
                                        " staff_login=? WHERE manager_id=?");
        staff.remove = database_prepare(database, "DELETE FROM managers WHERE manager_id=?");
        staff.get = database_prepare(database, "SELECT manager_id, name, surname, work_email, staff_login, created_at, version"
                                     " FROM managers WHERE manager_id=?");
        staff.list = database_prepare(database, "SELECT manager_id, name, surname, work_email, staff_login, created_at, version"
                                      " FROM managers WHERE manager_id>? ORDER BY manager_id LIMIT ?");
        staff.remember = database_prepare(database, "INSERT INTO manager_history VALUES(?, ?, ?, ?)");
        server_run(port, routes, &staff, NULL);
        database_close(database);
        return 0;
}
