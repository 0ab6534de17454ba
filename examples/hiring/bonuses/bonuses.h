// SPDX-License-Identifier: Apache-2.0
// bonuses: owns the managers' accounts and the accruals. Shared by its files.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/database.h"
#include "common/server.h"

enum rating_source { RATING_TABLE, RATING_CALL, RATING_ASK };

enum plant { PLANT_NONE, PLANT_LOST, PLANT_DOUBLE, PLANT_SWAP, PLANT_AMOUNT, PLANT_ACCOUNT, PLANT_RATING };

struct bonuses {
        struct database *database;
        bool recognises;                     // Idempotency-Key
        enum rating_source source;
        const char *rating_url, *modes_url;
        enum plant plant;
        int64_t plant_after;                 // after that many accruals
        struct accruals *accruals;
        sqlite3_stmt *probe_known, *probe_remember;
        struct ratings *ratings;
};

// A rating as used by one accrual.
struct rating {
        int64_t rating, version;
        const char *source;                  // "table" or "call"; a literal
        int64_t read_us;                     // when the reading began
};

struct accruals *accruals_open(struct bonuses *bonuses);
void post_accrual(void *service, struct request *request, struct answer *answer);
void get_account(void *service, struct request *request, struct answer *answer);

void probe_open(struct bonuses *bonuses);
void post_probe(void *service, struct request *request, struct answer *answer);

struct ratings *ratings_open(struct bonuses *bonuses);
// False: no rating can be had now, the answer is filled in (503).
bool rating_read(struct bonuses *bonuses, int64_t task_id, struct rating *ret_rating, struct answer *answer);
void put_rating(void *service, struct request *request, struct answer *answer);
void delete_rating(void *service, struct request *request, struct answer *answer);
void drop_ratings(void *service, struct request *request, struct answer *answer);
void create_ratings(void *service, struct request *request, struct answer *answer);
