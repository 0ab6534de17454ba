// SPDX-License-Identifier: Apache-2.0
// tasks: owns the tasks, their completions and ratings. Shared by its files.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/database.h"
#include "common/server.h"

struct tasks {
        struct database *database;
        const char *bonuses_url, *push_ratings_url, *push_cards_url;
        int64_t call_timeout_ms, attempts, backoff_ms;
        struct catalogue *catalogue;
        struct completions *completions;
        struct pushes *pushes;
};

struct catalogue *catalogue_open(struct tasks *tasks);
bool catalogue_manager(struct tasks *tasks, int64_t task_id, int64_t *ret_manager_id);   // under the database's lock
json_t *catalogue_task(struct tasks *tasks, int64_t task_id);       // NULL: no such task; under the database's lock
json_t *catalogue_rating(struct tasks *tasks, int64_t task_id);     // likewise; never rated: rating 0, version 0
void post_task(void *service, struct request *request, struct answer *answer);
void put_task(void *service, struct request *request, struct answer *answer);
void get_task(void *service, struct request *request, struct answer *answer);
void list_tasks(void *service, struct request *request, struct answer *answer);
void put_task_rating(void *service, struct request *request, struct answer *answer);
void get_task_rating(void *service, struct request *request, struct answer *answer);
void list_ratings(void *service, struct request *request, struct answer *answer);

struct completions *completions_open(struct tasks *tasks);
void post_completion(void *service, struct request *request, struct answer *answer);

void pushes_start(struct tasks *tasks);                                // sets tasks->pushes
void pushes_add(struct tasks *tasks, bool rating, int64_t task_id);   // in a transaction; nothing if no URL for it is set
void pushes_wake(struct tasks *tasks);                                // after its commit
int64_t pushes_waiting(struct tasks *tasks);
void pushes_stop(struct tasks *tasks);
