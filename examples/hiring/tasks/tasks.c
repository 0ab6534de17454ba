// SPDX-License-Identifier: Apache-2.0
// tasks: the program: options, routes, start and end.
#include "tasks/tasks.h"

#include "common/arguments.h"
#include "common/client.h"

static const struct route routes[] = {
        { "POST", "/tasks", post_task, false },
        { "GET", "/tasks", list_tasks, false },
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
                { "port", ARGUMENT_INTEGER, &port, "where to listen on 127.0.0.1; 0: any", 0, 65535, false },
                { "database", ARGUMENT_TEXT, &path, "the SQLite file", 0, 0, false },
                { "bonuses-url", ARGUMENT_TEXT, &tasks.bonuses_url, "base of POST /accruals", 0, 0, true },
                { "push-ratings-url", ARGUMENT_TEXT, &tasks.push_ratings_url, "push ratings: base of PUT /ratings/{task_id}", 0, 0, false },
                { "push-cards-url", ARGUMENT_TEXT, &tasks.push_cards_url, "push task cards: base of PUT /cards/{task_id}", 0, 0, false },
                { "call-timeout-ms", ARGUMENT_INTEGER, &tasks.call_timeout_ms, "of one call of bonuses", 1, 600000, false },
                { "attempts", ARGUMENT_INTEGER, &tasks.attempts, "calls per completion before its caller is told 503", 1, 100, false },
                { "backoff-ms", ARGUMENT_INTEGER, &tasks.backoff_ms, "before the second call; doubles each time", 0, 60000, false },
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
        tasks.pushes = pushes_start(&tasks);
        server_run(port, routes, &tasks, health);
        pushes_stop(&tasks);
        database_close(tasks.database);
        return 0;
}
