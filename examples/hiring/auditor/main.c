// SPDX-License-Identifier: Apache-2.0
// The auditor: reads the four services' databases and the load's log, nothing else, after the services have stopped. Prints
// figures, the first findings of each kind, and one last line. Exit code: 0 nothing was found, 1 something was, 2 it could
// not be audited (a file is missing or malformed). It changes nothing. One thread; all state is one SQLite connection.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auditor/audit.h"
#include "common/arguments.h"
#include "common/memory.h"

#define SHOWN_LIMIT 20               // findings of one check that are printed

struct options {
        const char *staff, *tasks, *bonuses, *portal, *portal_before, *log;
        const char *no_personal[TEXTS_LIMIT + 1];
        int64_t rating_freshness_ms, manager_staleness_ms;
        bool json;
};

static const char *const kind_names[] = { "lost", "doubled", "reordered", "wrong" };

static void run(sqlite3 *connection, const char *sql)
{
        if (sqlite3_exec(connection, sql, NULL, NULL, NULL) != SQLITE_OK)
                die("cannot audit: %s", sqlite3_errmsg(connection));
}

static sqlite3_stmt *prepare(sqlite3 *connection, const char *sql)
{
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) != SQLITE_OK)
                die("cannot audit: %s\n%s", sqlite3_errmsg(connection), sql);
        return statement;
}

static void canonical(sqlite3_context *context, int count, sqlite3_value **values)
{
        (void)count;
        const unsigned char *text = sqlite3_value_text(values[0]);
        if (text)
                sqlite3_result_text(context, canonical_json((const char *)text), -1, free);
}

static void attach(sqlite3 *connection, const char *name, const char *path)
{
        FILE *file = fopen(path, "re");
        if (!file)
                die("cannot open the database of %s, %s: %m", name, path);
        fclose(file);
        FREED char *sql = must_print("ATTACH ? AS %s", name);
        sqlite3_stmt *statement = prepare(connection, sql);
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE)
                die("cannot open the database of %s, %s: %s", name, path, sqlite3_errmsg(connection));
        sqlite3_finalize(statement);
}

static bool has_row(sqlite3 *connection, const char *sql)
{
        sqlite3_stmt *statement = prepare(connection, sql);
        bool row = sqlite3_step(statement) == SQLITE_ROW;
        sqlite3_finalize(statement);
        return row;
}

// bonuses keeps a table of ratings that has to agree, unless it was dropped or the last accruals asked by a call.
static void note_ratings(sqlite3 *connection, const struct options *options)
{
        bool table = has_row(connection, "SELECT 1 FROM bonuses.sqlite_schema WHERE name='ratings'");
        bool by_call = has_row(connection, "SELECT 1 FROM bonuses.settings WHERE name='rating_source' AND value='call'");
        FREED char *freshness = options->rating_freshness_ms < 0 ? must_print("NULL")
                                                                 : must_print("%" PRId64, options->rating_freshness_ms * 1000);
        FREED char *sql = must_print("CREATE TEMP TABLE allowed AS SELECT %s AS rating_freshness_us, %" PRId64 " AS"
                                     " manager_staleness_us, %d AS keeps; CREATE TEMP TABLE held_ratings AS SELECT task_id,"
                                     " rating_version FROM %s; CREATE INDEX temp.held_ratings_of ON held_ratings(task_id);"
                                     "CREATE TEMP TABLE done_calls AS SELECT accrual_id FROM bonuses.calls WHERE became='done';"
                                     "CREATE INDEX temp.done_calls_of ON done_calls(accrual_id);",
                                     freshness, options->manager_staleness_ms * 1000, table && !by_call,
                                     table ? "bonuses.ratings" : "tasks.ratings");
        run(connection, sql);
}

// Views whose manager was erased since, as they were: from the copy that was taken before.
static void note_views(sqlite3 *connection, const struct options *options)
{
        if (options->portal_before)
                attach(connection, "portal_before", options->portal_before);
        FREED char *sql = must_print("CREATE TEMP TABLE before_views AS SELECT view_id, task_id, title, manager_id, manager FROM"
                                     " %s.views WHERE NOT erased AND %d; CREATE UNIQUE INDEX temp.before_views_of ON"
                                     " before_views(view_id);", options->portal_before ? "portal_before" : "portal",
                                     options->portal_before != NULL);
        run(connection, sql);
}

static sqlite3 *open_all(const struct options *options)
{
        sqlite3 *connection = NULL;
        if (sqlite3_open_v2(":memory:", &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
                die("out of memory");
        sqlite3_create_function(connection, "canonical", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, canonical, NULL, NULL);
        titles_functions(connection);
        attach(connection, "staff", options->staff);
        attach(connection, "tasks", options->tasks);
        attach(connection, "bonuses", options->bonuses);
        attach(connection, "portal", options->portal);
        run(connection, "PRAGMA temp_store=MEMORY");
        note_views(connection, options);
        run(connection, told_schema);
        run(connection, "BEGIN");
        told_load(connection, options->log);
        note_ratings(connection, options);
        run(connection, prepare_sql);
        run(connection, "COMMIT; PRAGMA query_only=1");
        return connection;
}

// Runs one check; prints its first findings or puts them into `list`. Returns how many there are.
static int64_t run_check(sqlite3 *connection, const struct check *check, json_t *list)
{
        sqlite3_stmt *statement = prepare(connection, check->sql);
        int64_t found = 0;
        int code;
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
                const char *text = (const char *)sqlite3_column_text(statement, 0);
                if (++found > SHOWN_LIMIT)
                        continue;
                if (list)
                        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "kind", kind_names[check->kind], "about",
                                                              check->name, "finding", text));
                else
                        printf("finding: %s: %s: %s\n", kind_names[check->kind], check->name, text);
        }
        if (code != SQLITE_DONE)
                die("cannot audit: %s", sqlite3_errmsg(connection));
        if (found > SHOWN_LIMIT && !list)
                printf("finding: %s: %s: … and %" PRId64 " more\n", kind_names[check->kind], check->name, found - SHOWN_LIMIT);
        sqlite3_finalize(statement);
        return found;
}

static double run_figure(sqlite3 *connection, const struct figure *figure, json_t *object)
{
        sqlite3_stmt *statement = prepare(connection, figure->sql);
        if (sqlite3_step(statement) != SQLITE_ROW)
                die("cannot audit: %s", sqlite3_errmsg(connection));
        double value = sqlite3_column_double(statement, 0);
        bool whole = sqlite3_column_type(statement, 0) == SQLITE_INTEGER;
        if (object)
                json_object_set_new(object, figure->name, whole ? json_integer((json_int_t)value) : json_real(value));
        else
                printf(whole ? "%-32s %.0f\n" : "%-32s %.1f\n", figure->name, value);
        sqlite3_finalize(statement);
        return value;
}

// Places in files where a manager's data are, and rows of portal that hold some. -1: it was not asked for.
static int64_t audit_personal(sqlite3 *connection, const struct options *options, json_t *findings, int64_t *counts)
{
        if (!options->no_personal[0])
                return -1;
        for (size_t i = 0; i < reference_check_count; i++)
                counts[KIND_WRONG] += run_check(connection, &reference_checks[i], findings);
        int64_t places = personal_search(connection, options->no_personal, options->portal, findings);
        counts[KIND_WRONG] += places;
        return places;
}

static int64_t audit(sqlite3 *connection, const struct options *options)
{
        bool json = options->json;
        int64_t counts[4] = { 0 }, accepted = 0, recognised = 0;
        json_t *numbers = json ? json_object() : NULL, *findings = json ? json_array() : NULL;
        for (size_t i = 0; i < figure_count; i++) {
                int64_t value = (int64_t)run_figure(connection, &figures[i], numbers);
                const char *name = figures[i].name;
                if (strcmp(name, "completions accepted") == 0 || strcmp(name, "manager writes accepted") == 0 ||
                    strcmp(name, "rating changes accepted") == 0 || strcmp(name, "task changes accepted") == 0)
                        accepted += value;
                else if (strcmp(name, "repeats recognised") == 0)
                        recognised = value;
        }
        for (size_t i = 0; i < check_count; i++)
                counts[checks[i].kind] += run_check(connection, &checks[i], findings);
        int64_t personal = audit_personal(connection, options, findings, counts);
        int64_t all = counts[KIND_LOST] + counts[KIND_DOUBLED] + counts[KIND_REORDERED] + counts[KIND_WRONG];
        FREED char *verdict = must_print("verdict: %" PRId64 " accepted, %" PRId64 " lost, %" PRId64 " doubled, %" PRId64
                                         " reordered, %" PRId64 " repeats recognised by the provider",
                                         accepted, counts[KIND_LOST], counts[KIND_DOUBLED], counts[KIND_REORDERED], recognised);
        if (json) {
                json_t *result = json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:s}", "figures", numbers, "findings", findings, "lost",
                                           (json_int_t)counts[KIND_LOST], "doubled", (json_int_t)counts[KIND_DOUBLED],
                                           "reordered", (json_int_t)counts[KIND_REORDERED],
                                           "wrong", (json_int_t)counts[KIND_WRONG],
                                           "verdict", verdict);
                if (personal >= 0)
                        json_object_set_new(result, "personal_values_found", json_integer(personal));
                FREED char *text = json_dumps(result, JSON_INDENT(2));
                puts(text);
                json_decref(result);
        } else {
                printf("%-32s %" PRId64 "\n", "other findings", counts[KIND_WRONG]);
                if (personal >= 0)
                        printf("personal values found: %" PRId64 "\n", personal);
                puts(verdict);
        }
        return all;
}

int main(int argc, char **argv)
{
        struct options options = { .rating_freshness_ms = -1 };
        const struct argument arguments[] = {
                NEEDED_OPTION("staff", &options.staff, "the database of staff"),
                NEEDED_OPTION("tasks", &options.tasks, "the database of tasks"),
                NEEDED_OPTION("bonuses", &options.bonuses, "the database of bonuses"),
                NEEDED_OPTION("portal", &options.portal, "the database of portal"),
                TEXT_OPTION("portal-before", &options.portal_before, "portal's database before managers' data were erased from it"),
                TEXTS_OPTION("no-personal", options.no_personal, "a folder that holds, as portal does, nothing of any manager"),
                NEEDED_OPTION("log", &options.log, "the load's log of what it was told"),
                INTEGER_OPTION("rating-freshness-ms", &options.rating_freshness_ms, -1, 86400000,
                               "how old a rating from bonuses' table may be; -1: any age"),
                INTEGER_OPTION("manager-staleness-ms", &options.manager_staleness_ms, 0, 86400000,
                               "how long after a change's answer the old manager may be shown"),
                FLAG_OPTION("json", &options.json, "one JSON object"),
                { 0 },
        };
        arguments_parse(argc, argv, "checks the hiring platform's databases against what callers were told", arguments);
        sqlite3 *connection = open_all(&options);
        int64_t found = audit(connection, &options);
        sqlite3_close(connection);
        return found ? 1 : 0;
}
