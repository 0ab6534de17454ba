// SPDX-License-Identifier: Apache-2.0
// bonuses: the program: options, routes, start and end. Accruals are in accruals.c, ratings in ratings.c.
#include "bonuses/bonuses.h"

#include <stdlib.h>
#include <string.h>

#include "common/arguments.h"
#include "common/client.h"
#include "common/memory.h"

static const struct route routes[] = {
        { "POST", "/accruals", post_accrual, true },
        { "POST", "/probe", post_probe, false },
        { "GET", "/accounts/{id}", get_account, false },
        { "PUT", "/ratings/{id}", put_rating, false },
        { "DELETE", "/ratings/{id}", delete_rating, false },
        { "POST", "/admin/drop-ratings", drop_ratings, false },
        { "POST", "/admin/create-ratings", create_ratings, false },
        { 0 },
};

static int choose(const char *option, const char *value, const char *const *choices)
{
        for (int i = 0; choices[i]; i++)
                if (strcmp(choices[i], value) == 0)
                        return i;
        die("--%s: '%s' is not a choice; see --help", option, value);
}

int main(int argc, char **argv)
{
        int64_t port = 7003;
        struct bonuses bonuses = { .plant_after = 100 };
        const char *path = "bonuses.db", *recognises = "Idempotency-Key", *source = "table", *plant = "none";
        const struct argument arguments[] = {
                INTEGER_OPTION("port", &port, 0, 65535, "where to listen on 127.0.0.1; 0: any"),
                TEXT_OPTION("database", &path, "the SQLite file"),
                TEXT_OPTION("recognises", &recognises, "Idempotency-Key, or none: a repeated call is executed again"),
                TEXT_OPTION("rating-source", &source, "table, call or ask"),
                TEXT_OPTION("rating-url", &bonuses.rating_url, "base of GET /tasks/{task_id}/rating, for call and ask"),
                TEXT_OPTION("modes-url", &bonuses.modes_url, "whole URL that answers {\"mode\": pull|push|async}, for ask"),
                TEXT_OPTION("plant", &plant, "one mistake for the auditor: lost, double, swap, amount, account, rating"),
                INTEGER_OPTION("plant-after", &bonuses.plant_after, 0, INT64_MAX, "accruals before it"),
                { 0 },
        };
        arguments_parse(argc, argv, "owns the accounts and accruals of the hiring platform", arguments);
        bonuses.recognises = choose("recognises", recognises, (const char *const[]){ "none", "Idempotency-Key", NULL }) == 1;
        bonuses.source = (enum rating_source)choose("rating-source", source,
                                                    (const char *const[]){ "table", "call", "ask", NULL });
        bonuses.plant = (enum plant)choose("plant", plant, (const char *const[]){ "none", "lost", "double", "swap", "amount",
                                           "account", "rating", NULL });
        if (bonuses.source != RATING_TABLE && !bonuses.rating_url)
                die("--rating-source %s needs --rating-url", source);
        if (bonuses.source == RATING_ASK && !bonuses.modes_url)
                die("--rating-source ask needs --modes-url");
        if (bonuses.rating_url)
                client_check_url("rating-url", bonuses.rating_url);
        if (bonuses.modes_url)
                client_check_url("modes-url", bonuses.modes_url);
        server_block_signals();
        bonuses.database = database_open(path, "CREATE TABLE IF NOT EXISTS settings(name TEXT PRIMARY KEY,"
                                         " value TEXT NOT NULL);");
        probe_open(&bonuses);
        bonuses.ratings = ratings_open(&bonuses);
        bonuses.accruals = accruals_open(&bonuses);
        server_run(port, routes, &bonuses, NULL);
        database_close(bonuses.database);
        free(bonuses.accruals);
        free(bonuses.ratings);
        return 0;
}
