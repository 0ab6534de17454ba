// SPDX-License-Identifier: Apache-2.0
// The auditor: what its files share.
#pragma once

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a finding counts as. The first three are the verdict's own words.
enum kind { KIND_LOST, KIND_DOUBLED, KIND_REORDERED, KIND_WRONG };

struct check {
        enum kind kind;
        const char *name;            // "amount", "account", …
        const char *sql;             // one row per finding: its text
};

extern const struct check checks[];
extern const size_t check_count;

// What must hold besides when managers are references only: portal holds no id and no name.
extern const struct check reference_checks[];
extern const size_t reference_check_count;

// A figure that is printed, and is no finding.
struct figure {
        const char *name, *sql;      // one row: an integer or a real
};

extern const struct figure figures[];
extern const size_t figure_count;

// Everything the checks read: temporary tables and their indexes, made once from the attached databases and the log.
extern const char prepare_sql[];

// told.c: reads the load's log into the temporary tables told_*. Ends the process (2) when it is malformed.
extern const char told_schema[];
void told_load(sqlite3 *connection, const char *path);
// Text of a JSON object with its keys sorted; NULL when `text` is no JSON. The caller frees it.
char *canonical_json(const char *text);

// titles.c: the SQL functions area_of(title) and name_of(title).
void titles_functions(sqlite3 *connection);

// personal.c: looks for every manager's name, surname, e-mail and login in all files of `folders` (NULL ends them) and in the
// SQLite file `database` with its WAL. Prints the first places, or puts them into `list`. Returns how many there are.
int64_t personal_search(sqlite3 *connection, const char *const *folders, const char *database, json_t *list);
