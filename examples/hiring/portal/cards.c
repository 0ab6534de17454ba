// SPDX-License-Identifier: Apache-2.0
// Task cards (COMM-020): the events of TaskCreated, each kept as it came, in the version that it came in:
//
//   0   task_id, title "[Knowledge Area] Title", manager_id, created_at
//   1   task_id, knowledge_area, title, manager_id, created_at
//   2   task_id, knowledge_area, title, manager_ref, created_at
//
// The newest card of a task replaces the one before. What a version 0 card says of area and title is read out of its title.
// After the managers' data were erased (erasure.c) a card that names a manager by id is refused: nothing here holds one again.
#include "portal/portal.h"

#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS cards(task_id INTEGER PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL,"
        " at_us INTEGER NOT NULL);";

struct cards {
        sqlite3_stmt *put, *get, *remove;
};

struct cards *cards_open(struct portal *portal)
{
        struct cards *cards = must_allocate(sizeof(*cards));
        database_run(portal->database, schema);
        cards->put = database_prepare(portal->database, "INSERT OR REPLACE INTO cards VALUES(?, ?, ?, ?)");
        cards->get = database_prepare(portal->database, "SELECT body FROM cards WHERE task_id=?");
        cards->remove = database_prepare(portal->database, "DELETE FROM cards WHERE task_id=?");
        return cards;
}

static int version_of(const json_t *body)
{
        return json_object_get(body, "manager_ref") ? 2 : json_object_get(body, "knowledge_area") ? 1 : 0;
}

// A reference becomes a segment of a path.
static bool good_reference(const char *text)
{
        return !text || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(text);
}

// The version is known by its fields; each must have exactly those of its version.
static json_t *read_card(struct request *request, struct answer *answer, int64_t *ret_task_id)
{
        json_t *seen = json_loadb(request->body ? request->body : "", request->body_size, 0, NULL);
        int version = version_of(seen);
        json_decref(seen);
        const char *area, *title, *created_at, *manager_ref;
        int64_t manager_id;
        struct field fields[6] = { { "task_id", FIELD_INTEGER, ret_task_id, 1, INT64_MAX, false } }, *next = &fields[1];
        if (version > 0)
                *next++ = (struct field){ "knowledge_area", FIELD_TEXT_OR_EMPTY, &area, 0, 0, false };
        *next++ = (struct field){ "title", FIELD_TEXT_OR_EMPTY, &title, 0, 0, false };
        *next++ = version < 2 ? (struct field){ "manager_id", FIELD_INTEGER, &manager_id, 1, INT64_MAX, false }
                              : (struct field){ "manager_ref", FIELD_TEXT, &manager_ref, 0, 0, false };
        *next = (struct field){ "created_at", FIELD_TEXT, &created_at, 0, 0, false };
        json_t *body = request_fields(request, fields, answer);
        if (good_reference(json_string_value(json_object_get(body, "manager_ref"))))
                return body;
        answer_error(answer, 422, "field 'manager_ref' must be letters, digits, - and _");
        json_decref(body);
        return NULL;
}

void put_card(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        int64_t task_id = 0;
        json_t *body = read_card(request, answer, &task_id);
        if (!body)
                return;
        if (task_id != request->id) {
                answer_error(answer, 422, "the path says task %lld, the body %lld", (long long)request->id, (long long)task_id);
                json_decref(body);
                return;
        }
        database_begin(portal->database);
        if (version_of(body) < 2 && erasure_begun(portal)) {
                database_rollback(portal->database);
                answer_error(answer, 422, "managers' data were erased here: a card names its manager by manager_ref");
        } else {
                if (portal->plant_card && portal->cards_put++ == portal->plant_after)
                        json_object_set_new(body, "title", json_string("[Wrong] Card"));
                FREED char *text = json_dumps(body, JSON_COMPACT);
                query(portal->cards->put, "iiti", task_id, (int64_t)version_of(body), (const char *)text, now_us());
                database_commit(portal->database);
                answer->status = 204;
        }
        json_decref(body);
}

// The owner does not have the task: neither has the portal.
void delete_card(void *service, struct request *request, struct answer *answer)
{
        struct portal *portal = service;
        database_begin(portal->database);
        query(portal->cards->remove, "i", request->id);
        database_commit(portal->database);
        answer->status = 204;
}

bool card_find(struct portal *portal, int64_t task_id, struct card *ret_card)
{
        struct card card = { .task_id = task_id };
        database_lock(portal->database);
        if (query(portal->cards->get, "i", task_id))
                card.body = json_loads(column_text(portal->cards->get, 0), 0, NULL);
        database_unlock(portal->database);
        if (!card.body)
                return false;
        card.area = json_string_value(json_object_get(card.body, "knowledge_area"));
        card.title = json_string_value(json_object_get(card.body, "title"));
        card.manager_id = json_integer_value(json_object_get(card.body, "manager_id"));
        card.manager_ref = json_string_value(json_object_get(card.body, "manager_ref"));
        card.created_at = json_string_value(json_object_get(card.body, "created_at"));
        if (!card.area) {
                card.area = "";
                card.split = must_print("%s", card.title);
                title_split(card.split, &card.area, &card.title);
        }
        *ret_card = card;
        return true;
}

void card_free(struct card *card)
{
        json_decref(card->body);
        free_pointer(&card->split);
}
