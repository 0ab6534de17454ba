// SPDX-License-Identifier: Apache-2.0
// portal: what a candidate sees. Shared by its files.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/database.h"
#include "common/server.h"

struct portal {
        struct database *database;
        const char *managers_url;
        int64_t call_timeout_ms;
        bool plant_card;
        int64_t plant_after, cards_put;      // under the database's lock
        struct cards *cards;
        struct views *views;
        struct erasure *erasure;
};

// A card as it is held: the event's body as it came, and what it says. Texts live as long as `body`.
struct card {
        json_t *body;
        int64_t task_id, manager_id;         // 0: the card has a reference in its place
        const char *area, *title;            // area "": the task has none
        const char *manager_ref;             // NULL: the card has an id in its place
        const char *created_at;
        char *split;                         // holds area and title of a version 0 card; NULL in others
};

// cards.c. Reads and keeps cards of every version.
struct cards *cards_open(struct portal *portal);
void put_card(void *service, struct request *request, struct answer *answer);
void delete_card(void *service, struct request *request, struct answer *answer);
bool card_find(struct portal *portal, int64_t task_id, struct card *ret_card);     // takes the database's lock
void card_free(struct card *card);

// titles.c. Splits "[Knowledge Area] Title" in place: true, and both parts end in a zero byte; else the text is untouched.
bool title_split(char *text, const char **ret_area, const char **ret_title);

// views.c. What was shown is kept.
struct views *views_open(struct portal *portal);
void get_card(void *service, struct request *request, struct answer *answer);

// erasure.c. What is left of managers' data from before there were references.
struct erasure *erasure_open(struct portal *portal);
bool erasure_begun(struct portal *portal);            // under the database's lock
void erase_managers(void *service, struct request *request, struct answer *answer);
void get_managers_held(void *service, struct request *request, struct answer *answer);
