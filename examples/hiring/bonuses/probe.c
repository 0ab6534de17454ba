// SPDX-License-Identifier: Apache-2.0
// A harmless request for whoever wants to see that a repeated identity is recognised: it accrues nothing, and goes by the same
// rule as accruals do.
#include "bonuses/bonuses.h"

#include <string.h>

enum { IDENTITY_LIMIT_BYTES = 256 };

void post_probe(void *service, struct request *request, struct answer *answer)
{
        struct bonuses *bonuses = service;
        const char *identity = request_header(request, "Idempotency-Key");
        size_t size = identity ? strlen(identity) : 0;
        if (size == 0 || size > IDENTITY_LIMIT_BYTES) {
                answer_error(answer, 422, "Idempotency-Key must have from 1 to %d bytes", IDENTITY_LIMIT_BYTES);
                return;
        }
        database_begin(bonuses->database);
        bool known = bonuses->recognises && query(bonuses->probe_known, "t", identity);
        if (!known)
                query(bonuses->probe_remember, "t", identity);
        database_commit(bonuses->database);
        if (known) {
                answer->header = "Idempotent-Replayed";
                answer->header_value = "true";
        }
        answer->status = 200;
        answer->body = json_pack("{s:s}", "probe", "nothing was accrued");
}

void probe_open(struct bonuses *bonuses)
{
        database_lock(bonuses->database);
        database_run(bonuses->database, "CREATE TABLE IF NOT EXISTS probes(identity TEXT PRIMARY KEY) WITHOUT ROWID;");
        database_unlock(bonuses->database);
        bonuses->probe_known = database_prepare(bonuses->database, "SELECT 1 FROM probes WHERE identity=?");
        bonuses->probe_remember = database_prepare(bonuses->database, "INSERT OR IGNORE INTO probes VALUES(?)");
}
