// SPDX-License-Identifier: Apache-2.0
// portal: what a candidate sees. It holds the task cards (PUT /cards/{task_id}: the task as the tasks service answers it) and
// asks for the manager in charge on every view (COMM-010: GET {managers}/managers/{id}). What it showed is kept in `views`.
// The answer's "manager" is null when the manager does not exist any more; a view without an answer about the manager is 503
// and shows nothing. Threads: the server's; all state is in the database.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/arguments.h"
#include "common/client.h"
#include "common/clock.h"
#include "common/database.h"
#include "common/memory.h"
#include "common/server.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS cards(task_id INTEGER PRIMARY KEY, title TEXT NOT NULL, manager_id INTEGER NOT NULL,"
        " created_at TEXT NOT NULL, at_us INTEGER NOT NULL);"
        // views.manager is NULL when there was none.
        "CREATE TABLE IF NOT EXISTS views(view_id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, title TEXT NOT NULL,"
        " manager_id INTEGER NOT NULL, manager TEXT, began_us INTEGER NOT NULL, ended_us INTEGER NOT NULL);";

struct portal {
        struct database *database;
        const char *managers_url;
        int64_t call_timeout_ms;
        bool plant_card;
        int64_t plant_after, cards_put;      // under the database's lock
        sqlite3_stmt *put, *get, *view;
};

static void put_card(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        int64_t task_id = 0, manager_id = 0;
        const char *title = NULL, *created_at = NULL;
        const struct field fields[] = {
                { "task_id", FIELD_INTEGER, &task_id, 1, INT64_MAX, false },
                { "title", FIELD_TEXT, &title, 0, 0, false },
                { "manager_id", FIELD_INTEGER, &manager_id, 1, INT64_MAX, false },
                { "created_at", FIELD_TEXT, &created_at, 0, 0, false },
                { 0 },
        };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        if (task_id != request->id) {
                answer_error(answer, 422, "the path says task %lld, the body %lld", (long long)request->id, (long long)task_id);
        } else {
                database_begin(portal->database);
                bool wrong = portal->plant_card && portal->cards_put++ == portal->plant_after;
                query(portal->put, "ititi", task_id, wrong ? "[Wrong] Card" : title, manager_id, created_at, now_us());
                database_commit(portal->database);
                answer->status = 204;
        }
        json_decref(body);
}

static json_t *held_card(struct portal *portal, int64_t task_id)
{
        database_lock(portal->database);
        sqlite3_stmt *row = portal->get;
        json_t *card = NULL;
        if (query(row, "i", task_id))
                card = json_pack("{s:I,s:s,s:I,s:s}", "task_id", (json_int_t)task_id, "title", column_text(row, 0), "manager_id",
                                 (json_int_t)column_integer(row, 1), "created_at", column_text(row, 2));
        database_unlock(portal->database);
        return card;
}

// False: nobody knows. Else *ret_manager is the manager's body, or null.
static bool ask_manager(struct portal *portal, int64_t manager_id, json_t **ret_manager)
{
        char path[64];
        snprintf(path, sizeof(path), "/managers/%lld", (long long)manager_id);
        struct call call = { .method = "GET", .base = portal->managers_url, .path = path, .timeout_ms = portal->call_timeout_ms };
        struct reply reply;
        json_t *manager = NULL;
        if (client_call(&call, &reply) == CALL_ANSWERED) {
                if (reply.status == 404)
                        manager = json_null();
                else if (reply.status == 200)
                        manager = json_loadb(reply.body, reply.body_size, JSON_REJECT_DUPLICATES, NULL);
        }
        reply_free(&reply);
        *ret_manager = manager;
        return manager;
}

static void get_card(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        json_t *card = held_card(portal, request->id), *manager;
        if (!card) {
                answer_error(answer, 404, "there is no card of task %lld", (long long)request->id);
                return;
        }
        int64_t manager_id = json_integer_value(json_object_get(card, "manager_id")), began = now_us();
        if (!ask_manager(portal, manager_id, &manager)) {
                answer_error(answer, 503, "nothing is known of manager %lld now", (long long)manager_id);
                json_decref(card);
                return;
        }
        FREED char *shown = json_is_object(manager) ? json_dumps(manager, JSON_COMPACT) : NULL;
        database_begin(portal->database);
        query(portal->view, "ititii", request->id, json_string_value(json_object_get(card, "title")), manager_id,
              (const char *)shown, began, now_us());
        database_commit(portal->database);
        answer->status = 200;
        answer->body = json_pack("{s:o,s:o}", "card", card, "manager", manager);
}

static const struct route routes[] = {
        { "PUT", "/cards/{id}", put_card, false },
        { "GET", "/tasks/{id}/card", get_card, false },
        { 0 },
};

int main(int argc, char **argv)
{
        int64_t port = 7004;
        const char *path = "portal.db", *plant = "none";
        struct portal portal = { .call_timeout_ms = 2000, .plant_after = 10 };
        const struct argument arguments[] = {
                INTEGER_OPTION("port", &port, 0, 65535, "where to listen on 127.0.0.1; 0: any"),
                TEXT_OPTION("database", &path, "the SQLite file"),
                NEEDED_OPTION("managers-url", &portal.managers_url, "base of GET /managers/{manager_id}"),
                INTEGER_OPTION("call-timeout-ms", &portal.call_timeout_ms, 1, 600000, "of one question for a manager"),
                TEXT_OPTION("plant", &plant, "one mistake for the auditor: card"),
                INTEGER_OPTION("plant-after", &portal.plant_after, 0, INT64_MAX, "cards before it"),
                { 0 },
        };
        arguments_parse(argc, argv, "shows the tasks of the hiring platform", arguments);
        client_check_url("managers-url", portal.managers_url);
        portal.plant_card = strcmp(plant, "card") == 0;
        if (!portal.plant_card && strcmp(plant, "none") != 0)
                die("--plant: '%s' is not a choice; see --help", plant);
        server_block_signals();
        struct database *database = portal.database = database_open(path, schema);
        portal.put = database_prepare(database, "INSERT OR REPLACE INTO cards VALUES(?, ?, ?, ?, ?)");
        portal.get = database_prepare(database, "SELECT title, manager_id, created_at FROM cards WHERE task_id=?");
        portal.view = database_prepare(database, "INSERT INTO views(task_id, title, manager_id, manager, began_us, ended_us)"
                                       " VALUES(?, ?, ?, ?, ?, ?)");
        server_run(port, routes, &portal, NULL);
        database_close(database);
        return 0;
}
