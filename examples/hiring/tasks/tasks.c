// SPDX-License-Identifier: Apache-2.0
// tasks: the program: options, routes, start and end.
#include "tasks/tasks.h"

#include <stdlib.h>

#include "common/arguments.h"
#include "common/client.h"

static const struct route routes[] = {
        { "POST", "/tasks", post_task, false },
        { "GET", "/tasks", list_tasks, false },
        { "PUT", "/tasks/{id}", put_task, false },
        { "GET", "/tasks/{id}", get_task, false },
        { "PUT", "/tasks/{id}/rating", put_task_rating, false },
        { "GET", "/tasks/{id}/rating", get_task_rating, false },
        { "GET", "/ratings", list_ratings, false },
        { "POST", "/completions", post_completion, false },
        { 0 },
};

static void health(void *service, json_t *body)
{
        json_object_set_new(body, "pushes_waiting", json_integer(pushes_waiting(service)));
}

int main(int argc, char **argv)
{
        int64_t port = 7002;
        const char *path = "tasks.db";
        struct tasks tasks = { .call_timeout_ms = 2000, .attempts = 4, .backoff_ms = 50 };
        const struct argument arguments[] = {
                INTEGER_OPTION("port", &port, 0, 65535, "where to listen on 127.0.0.1; 0: any"),
                TEXT_OPTION("database", &path, "the SQLite file"),
                NEEDED_OPTION("bonuses-url", &tasks.bonuses_url, "base of POST /accruals"),
                TEXT_OPTION("push-ratings-url", &tasks.push_ratings_url, "push ratings: base of PUT /ratings/{task_id}"),
                TEXT_OPTION("push-cards-url", &tasks.push_cards_url, "push task cards: base of PUT /cards/{task_id}"),
                INTEGER_OPTION("call-timeout-ms", &tasks.call_timeout_ms, 1, 600000, "of one call of bonuses"),
                INTEGER_OPTION("attempts", &tasks.attempts, 1, 100, "calls per completion before its caller is told 503"),
                INTEGER_OPTION("backoff-ms", &tasks.backoff_ms, 0, 60000, "before the second call; doubles each time"),
                { 0 },
        };
        arguments_parse(argc, argv, "owns the tasks, completions and ratings of the hiring platform", arguments);
        client_check_url("bonuses-url", tasks.bonuses_url);
        if (tasks.push_ratings_url)
                client_check_url("push-ratings-url", tasks.push_ratings_url);
        if (tasks.push_cards_url)
                client_check_url("push-cards-url", tasks.push_cards_url);
        server_block_signals();
        tasks.database = database_open(path, "");
        tasks.catalogue = catalogue_open(&tasks);
        tasks.completions = completions_open(&tasks);
        pushes_start(&tasks);
        server_run(port, routes, &tasks, health);
        pushes_stop(&tasks);
        database_close(tasks.database);
        free(tasks.pushes);
        free(tasks.completions);
        free(tasks.catalogue);
        return 0;
}
