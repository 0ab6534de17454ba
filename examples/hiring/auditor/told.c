// SPDX-License-Identifier: Apache-2.0
// The load's log, read into tables. A last line without its end (the load was killed) was told to nobody and is left out.
#include "auditor/audit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

const char told_schema[] =
        "CREATE TEMP TABLE told_completions(task_id, candidate_id, status, sent, answered);"
        "CREATE TEMP TABLE told_ratings(task_id, rating, rating_version, status, sent, answered);"
        "CREATE TEMP TABLE told_tasks(task_id, title, status, sent, answered);"
        "CREATE TEMP TABLE told_managers(verb, manager_id, body, status, sent, answered);"
        "CREATE TEMP TABLE told_views(task_id, status, sent, answered);";

struct loader {
        const char *kind, *sql, *names[5];   // the line's members, in order; then status, sent, answered
        sqlite3_stmt *insert;
};

static struct loader loaders[] = {
        { "completion", "INSERT INTO told_completions VALUES(?, ?, ?, ?, ?)", { "task_id", "candidate_id" }, NULL },
        { "rating", "INSERT INTO told_ratings VALUES(?, ?, ?, ?, ?, ?)", { "task_id", "rating", "rating_version" }, NULL },
        { "task", "INSERT INTO told_tasks VALUES(?, ?, ?, ?, ?)", { "task_id", "title" }, NULL },
        { "manager", "INSERT INTO told_managers VALUES(?, ?, ?, ?, ?, ?)", { "verb", "manager_id", "told" }, NULL },
        { "view", "INSERT INTO told_views VALUES(?, ?, ?, ?)", { "task_id" }, NULL },
};

char *canonical_json(const char *text)
{
        json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        char *canonical = body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        json_decref(body);
        return canonical;
}

static void bind(sqlite3_stmt *insert, int at, const json_t *value)
{
        if (json_is_integer(value))
                sqlite3_bind_int64(insert, at, json_integer_value(value));
        else if (json_is_string(value))
                sqlite3_bind_text(insert, at, json_string_value(value), -1, SQLITE_TRANSIENT);
        else if (json_is_object(value))
                sqlite3_bind_text(insert, at, json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS), -1, free);
        else
                sqlite3_bind_null(insert, at);
}

static bool load_line(const char *line, size_t size)
{
        json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
        const char *kind = json_string_value(json_object_get(object, "kind"));
        bool known = false;
        for (size_t i = 0; kind && i < sizeof(loaders) / sizeof(loaders[0]); i++) {
                struct loader *loader = &loaders[i];
                if (strcmp(loader->kind, kind) != 0)
                        continue;
                static const char *const common[] = { "status", "sent", "answered" };
                int at = 0;
                sqlite3_reset(loader->insert);
                for (int n = 0; loader->names[n]; n++)
                        bind(loader->insert, ++at, json_object_get(object, loader->names[n]));
                for (int n = 0; n < 3; n++)
                        bind(loader->insert, ++at, json_object_get(object, common[n]));
                known = sqlite3_step(loader->insert) == SQLITE_DONE;
        }
        json_decref(object);
        return known;
}

void told_load(sqlite3 *connection, const char *path)
{
        FILE *file = fopen(path, "re");
        if (!file)
                die("cannot open the log %s: %m", path);
        for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++)
                if (sqlite3_prepare_v2(connection, loaders[i].sql, -1, &loaders[i].insert, NULL) != SQLITE_OK)
                        die("cannot load the log: %s", sqlite3_errmsg(connection));
        char *line = NULL;
        size_t capacity = 0;
        ssize_t size;
        for (long number = 1; (size = getline(&line, &capacity, file)) > 0; number++)
                if (line[size - 1] == '\n' && !load_line(line, (size_t)size))
                        die("%s, line %ld: not a line of the load's log", path, number);
        free(line);
        if (ferror(file))
                die("cannot read the log %s: %m", path);
        fclose(file);
        for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++)
                sqlite3_finalize(loaders[i].insert);
}
