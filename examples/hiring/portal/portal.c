// SPDX-License-Identifier: Apache-2.0
// portal: the program: options, routes, start and end. Threads: the server's; all state is in the database.
#include "portal/portal.h"

#include <stdlib.h>
#include <string.h>

#include "common/arguments.h"
#include "common/client.h"
#include "common/memory.h"

static const struct route routes[] = {
        { "PUT", "/cards/{id}", put_card, false },
        { "DELETE", "/cards/{id}", delete_card, false },
        { "GET", "/tasks/{id}/card", get_card, false },
        { "POST", "/admin/erase-managers", erase_managers, false },
        { "GET", "/admin/managers-held", get_managers_held, false },
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
        portal.database = database_open(path, "");
        portal.cards = cards_open(&portal);
        portal.views = views_open(&portal);
        portal.erasure = erasure_open(&portal);
        server_run(port, routes, &portal, NULL);
        database_close(portal.database);
        free(portal.erasure);
        free(portal.views);
        free(portal.cards);
        return 0;
}
