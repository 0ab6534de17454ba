// SPDX-License-Identifier: Apache-2.0
// Views of a card: GET /tasks/{task_id}/card gives
//
//   {"card": {task_id, title, manager_id or manager_ref, created_at}, "knowledge_area", "title", "manager"}
//
// `card` is what readers have known from the first day: its title says "[Knowledge Area] Title", whatever version the card came
// in. `knowledge_area` ("" for none) and `title` are the parts. The manager in charge is asked for on every view (COMM-010:
// GET {managers}/managers/{id or reference}); null when there is no such manager any more. A view without an answer about the
// manager is 503 and shows nothing. What was shown is kept in `views`.
#include "portal/portal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/client.h"
#include "common/clock.h"
#include "common/memory.h"

static const char schema[] =
        // manager: the body that was shown, NULL when there was none. erased: manager and manager_id were there, and are gone.
        "CREATE TABLE IF NOT EXISTS views(view_id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, knowledge_area TEXT NOT NULL,"
        " title TEXT NOT NULL, manager_id INTEGER, manager_ref TEXT, manager TEXT, erased INTEGER NOT NULL DEFAULT 0,"
        " began_us INTEGER NOT NULL, ended_us INTEGER NOT NULL);";

struct views {
        sqlite3_stmt *add;
};

struct views *views_open(struct portal *portal)
{
        struct views *views = must_allocate(sizeof(*views));
        database_run(portal->database, schema);
        views->add = database_prepare(portal->database, "INSERT INTO views(task_id, knowledge_area, title, manager_id,"
                                      " manager_ref, manager, began_us, ended_us) VALUES(?, ?, ?, nullif(?, 0), ?, ?, ?, ?)");
        return views;
}

// False: nobody knows. Else *ret_manager is the manager's body, or null.
static bool ask_manager(struct portal *portal, const struct card *card, json_t **ret_manager)
{
        FREED char *path = card->manager_ref ? must_print("/managers/%s", card->manager_ref)
                                             : must_print("/managers/%lld", (long long)card->manager_id);
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

static json_t *shown_card(const struct card *card)
{
        FREED char *title = *card->area ? must_print("[%s] %s", card->area, card->title) : must_print("%s", card->title);
        json_t *shown = json_pack("{s:I,s:s}", "task_id", (json_int_t)card->task_id, "title", title);
        if (card->manager_ref)
                json_object_set_new(shown, "manager_ref", json_string(card->manager_ref));
        else
                json_object_set_new(shown, "manager_id", json_integer(card->manager_id));
        json_object_set_new(shown, "created_at", json_string(card->created_at));
        return shown;
}

void get_card(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        struct card card;
        json_t *manager;
        int64_t began = now_us();
        if (!card_find(portal, request->id, &card)) {
                answer_error(answer, 404, "there is no card of task %lld", (long long)request->id);
                return;
        }
        if (!ask_manager(portal, &card, &manager)) {
                answer_error(answer, 503, "nothing is known of the manager of task %lld now", (long long)request->id);
                card_free(&card);
                return;
        }
        FREED char *text = json_is_object(manager) ? json_dumps(manager, JSON_COMPACT) : NULL;
        database_begin(portal->database);
        // After an erasure an older view that was under way must not bring back what it had asked for.
        bool kept = card.manager_ref || !erasure_begun(portal);
        if (kept)
                query(portal->views->add, "ittittii", request->id, card.area, card.title, card.manager_id, card.manager_ref,
                      (const char *)text, began, now_us());
        database_commit(portal->database);
        if (kept) {
                answer->status = 200;
                answer->body = json_pack("{s:o,s:s,s:s,s:o}", "card", shown_card(&card), "knowledge_area", card.area, "title",
                                         card.title, "manager", manager);
        } else {
                answer_error(answer, 503, "the card of task %lld has changed meanwhile", (long long)request->id);
                json_decref(manager);
        }
        card_free(&card);
}
