// SPDX-License-Identifier: Apache-2.0
// How lanes and identities are found: slots and segments (state_priv.h), and the filters that say where to look.
//
// The filter of a table holds every hash that a reader can see: it is given one before the row is committed, and told that
// segments are empty only after their rows are gone. So what it does not name is not there.
#include "store/state_priv.h"

const struct state_slots state_identity_slots = {STATE_SQL_IDENTITY_SLOTS, STATE_SQL_IDENTITY_ENDS, 17};
const struct state_slots state_lane_slots = {STATE_SQL_LANE_SLOTS, STATE_SQL_LANE_ENDS, 16};

uint64_t state_slot_hash(const struct hash128 *hash) {
        static_assert(FILTER_HASH_BITS == 40, "five bytes");
        uint64_t number = 0;
        for (unsigned i = 0; i < 5; i++)
                number = number << 8 | hash->bytes[i];
        return number;
}

int64_t state_slot(const struct state_slots *slots, int64_t row, const struct hash128 *hash) {
        return (int64_t)((uint64_t)row >> slots->shift << FILTER_HASH_BITS | state_slot_hash(hash));
}

bool state_slots_load(struct state_reader *reader, const struct state_slots *slots, struct filter **ret_filter,
                      struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, slots->all, error);
        if (!statement)
                return false;
        struct filter *filter = filter_new();
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                uint64_t slot = state_column(statement, 0);
                filter_add(filter, slot >> FILTER_HASH_BITS, slot & ((UINT64_C(1) << FILTER_HASH_BITS) - 1));
        }
        if (result == STATE_END)
                *ret_filter = filter;
        else
                filter_release(filter);
        return result == STATE_END;
}

bool state_slots_next(struct state_reader *reader, const struct state_slots *slots, struct filter *filter,
                      const struct hash128 *hash, uint64_t *segment, bool *ret_failed, struct error *error) {
        *ret_failed = false;
        if (filter)
                return filter_next(filter, state_slot_hash(hash), segment);
        sqlite3_stmt *statement = state_prepare(reader, slots->ends, error);
        *ret_failed = !statement || !state_one(reader, statement, "row", error);
        if (*ret_failed)
                return false;
        bool empty = sqlite3_column_type(statement, 1) == SQLITE_NULL;
        uint64_t lowest = state_column(statement, 0) >> FILTER_HASH_BITS, highest = state_column(statement, 1) >> FILTER_HASH_BITS;
        sqlite3_reset(statement);
        uint64_t end = MIN(*segment, highest + 1);
        if (empty || end <= lowest)
                return false;
        *segment = end - 1;
        return true;
}

void state_reader_share(struct state_reader *reader, struct state *state) {
        ASSERT(!reader->identities && !reader->lanes);
        reader->identities = filter_hold(state->own.identities);
        reader->lanes = filter_hold(state->own.lanes);
}
