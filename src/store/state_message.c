// SPDX-License-Identifier: Apache-2.0
// Lanes, messages that are not settled, and identities of those that are. See state.h; the columns are in state_priv.h.
#include "store/state_priv.h"

static bool damaged(const char *table, struct error *error) {
        return error_set(error, ERROR_CORRUPT, "state.db: a hash in table %s is not of 16 bytes", table);
}

// --- lanes ------------------------------------------------------------------------------------------------------------------

static bool lane_of(sqlite3_stmt *statement, struct state_lane *ret_lane, struct error *error) {
        struct state_lane lane = {
                .shard = (uint32_t)state_column(statement, 0),
                .key = state_column_bytes(statement, 2),
                .last_sequence = state_column(statement, 3),
                .unsettled = state_column(statement, 4),
                .left_async = state_column(statement, 5) != 0,
                .epoch = (uint32_t)state_column(statement, 6),
                .row = (int64_t)state_column(statement, 7),
        };
        if (!state_column_hash(statement, 1, &lane.lane))
                return damaged("lane", error);
        *ret_lane = lane;
        return true;
}

static bool lane_in(struct state_reader *reader, uint64_t segment, uint32_t shard, const struct hash128 *lane,
                    struct arena *arena, struct state_lane *ret_lane, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_LANE, error);
        if (!statement)
                return false;
        state_bind(statement, 1, shard);
        state_bind_hash(statement, 2, lane);
        state_bind(statement, 3, (int64_t)(segment << FILTER_HASH_BITS | state_slot_hash(lane)));
        if (!state_one(reader, statement, "such lane", error))
                return false;
        struct state_lane found;
        bool done = lane_of(statement, &found, error);
        if (done) {
                found.key = arena_copy(arena, found.key);
                *ret_lane = found;
        }
        sqlite3_reset(statement);
        return done;
}

bool state_lane_find(struct state_reader *reader, uint32_t shard, const struct hash128 *lane, struct arena *arena,
                     struct state_lane *ret_lane, struct error *error) {
        uint64_t segment = UINT64_MAX;
        bool failed;
        while (state_slots_next(reader, &state_lane_slots, reader->lanes, lane, &segment, &failed, error)) {
                struct error why = {0};
                if (lane_in(reader, segment, shard, lane, arena, ret_lane, &why))
                        return true;
                if (why.code != ERROR_NOT_FOUND)
                        return error_set(error, why.code, "%s", why.text);
        }
        return failed ? false : error_set(error, ERROR_NOT_FOUND, "no such lane");
}

bool state_lane_left_each(struct state_reader *reader, uint32_t shard, state_lane_visit *visit, void *context,
                          struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_LANES_LEFT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, shard);
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                struct state_lane lane;
                if (!lane_of(statement, &lane, error) || !visit(context, &lane, error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        }
        return result == STATE_END;
}

static bool lane_id(struct state *state, int64_t *ret_id, struct error *error) {
        if (!state->lane_next) {
                sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_LANE_LAST, error);
                if (!statement || !state_one(&state->own, statement, "row", error))
                        return false;
                state->lane_next = (int64_t)state_column(statement, 0) + 1;
                sqlite3_reset(statement);
        }
        *ret_id = state->lane_next++;
        return true;
}

bool state_lane_put(struct state *state, const struct state_lane *lane, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, lane->row ? STATE_SQL_LANE_PUT : STATE_SQL_LANE_ADD, error);
        int64_t id = lane->row;
        if (!statement || (!id && !lane_id(state, &id, error)))
                return false;
        if (!lane->row) {
                state_bind(statement, 1, lane->shard);
                state_bind_hash(statement, 2, &lane->lane);
                state_bind(statement, 9, state_slot(&state_lane_slots, id, &lane->lane));
                filter_add(state->own.lanes, (uint64_t)id >> state_lane_slots.shift, state_slot_hash(&lane->lane));
        }
        state_bind_text(statement, 3, lane->key);
        state_bind(statement, 4, (int64_t)lane->last_sequence);
        state_bind(statement, 5, (int64_t)lane->unsettled);
        state_bind(statement, 6, lane->left_async);
        state_bind(statement, 7, lane->epoch);
        state_bind(statement, 8, id);
        return state_run(&state->own, statement, error);
}

bool state_lane_called(struct state_reader *reader, uint32_t shard, const struct hash128 *lane, bool *ret_called,
                       struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_LANE_CALLED, error);
        if (!statement)
                return false;
        state_bind(statement, 1, shard);
        state_bind_hash(statement, 2, lane);
        if (!state_one(reader, statement, "row", error))
                return false;
        *ret_called = state_column(statement, 0) != 0;
        sqlite3_reset(statement);
        return true;
}

bool state_lanes_join(struct state *state, uint32_t shard, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_LANES_JOIN, error);
        if (statement)
                state_bind(statement, 1, shard);
        return state_run(&state->own, statement, error);
}

// --- messages ---------------------------------------------------------------------------------------------------------------

static bool message_of(sqlite3_stmt *statement, struct state_message *ret_message, struct error *error) {
        struct state_message message = {
                .position = state_column(statement, 0),
                .shard = (uint32_t)state_column(statement, 1),
                .stream = (uint32_t)state_column(statement, 2),
                .offset = (int64_t)state_column(statement, 3),
                .identity_text = state_column_bytes(statement, 7),
                .sequence = state_column(statement, 8),
                .epoch = (uint32_t)state_column(statement, 9),
                .state = (uint32_t)state_column(statement, 10),
                .attempts = (uint32_t)state_column(statement, 11),
                .flags = (uint32_t)state_column(statement, 12),
                .status = (uint16_t)state_column(statement, 13),
                .was_indeterminate = state_column(statement, 14) != 0,
                .held = state_column(statement, 15) != 0,
                .admitted_ms = (int64_t)state_column(statement, 16),
                .changed_ms = (int64_t)state_column(statement, 17),
                .schema_id = (uint32_t)state_column(statement, 18),
                .said = state_column(statement, 19),
        };
        if (!state_column_hash(statement, 4, &message.lane) || !state_column_hash(statement, 5, &message.identity) ||
            !state_column_hash(statement, 6, &message.body_hash))
                return damaged("message", error);
        *ret_message = message;
        return true;
}

bool state_unsettled_each(struct state_reader *reader, uint32_t shard, state_message_visit *visit, void *context,
                          struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_UNSETTLED, error);
        if (!statement)
                return false;
        state_bind(statement, 1, shard);
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                struct state_message message;
                if (!message_of(statement, &message, error) || !visit(context, &message, error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        }
        return result == STATE_END;
}

bool state_held_list(struct state_reader *reader, uint32_t family, uint64_t after, size_t limit, struct arena *arena,
                     struct state_message **ret_messages, size_t *ret_count, struct error *error) {
        ASSERT(limit >= 1 && limit <= STATE_PAGE_MAX);
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_HELD, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)after);
        state_bind(statement, 2, family);
        state_bind(statement, 3, (int64_t)limit);
        struct state_message *messages = arena_alloc(arena, limit * sizeof *messages);
        size_t count = 0;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                ASSERT(count < limit);
                if (!message_of(statement, &messages[count], error)) {
                        sqlite3_reset(statement);
                        return false;
                }
                messages[count].identity_text = arena_copy(arena, messages[count].identity_text);
                count++;
        }
        if (result != STATE_END)
                return false;
        *ret_messages = messages;
        *ret_count = count;
        return true;
}

bool state_message_find(struct state_reader *reader, uint64_t position, struct arena *arena, struct state_message *ret_message,
                        struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_MESSAGE, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)position);
        if (!state_one(reader, statement, "unsettled message at this position", error))
                return false;
        struct state_message message;
        bool done = message_of(statement, &message, error);
        if (done) {
                message.identity_text = arena_copy(arena, message.identity_text);
                *ret_message = message;
        }
        sqlite3_reset(statement);
        return done;
}

bool state_oldest_unsettled(struct state_reader *reader, uint64_t *ret_position, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_OLDEST, error);
        if (!statement || !state_one(reader, statement, "row", error))
                return false;
        *ret_position = state_column(statement, 0);
        sqlite3_reset(statement);
        return true;
}

bool state_message_insert(struct state *state, const struct state_message *message, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_MESSAGE_ADD, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)message->position);
        state_bind(statement, 2, message->shard);
        state_bind(statement, 3, message->stream);
        state_bind(statement, 4, message->offset);
        state_bind_hash(statement, 5, &message->lane);
        state_bind_hash(statement, 6, &message->identity);
        state_bind_hash(statement, 7, &message->body_hash);
        state_bind_text(statement, 8, message->identity_text);
        state_bind(statement, 9, (int64_t)message->sequence);
        state_bind(statement, 10, message->epoch);
        state_bind(statement, 11, message->state);
        state_bind(statement, 12, message->attempts);
        state_bind(statement, 13, message->flags);
        state_bind(statement, 14, message->status);
        state_bind(statement, 15, message->was_indeterminate);
        state_bind(statement, 16, message->held);
        state_bind(statement, 17, message->admitted_ms);
        state_bind(statement, 18, message->changed_ms);
        state_bind(statement, 19, message->schema_id);
        state_bind(statement, 20, (int64_t)message->said);
        return state_run(&state->own, statement, error);
}

bool state_message_update(struct state *state, const struct state_message *message, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_MESSAGE_PUT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)message->position);
        state_bind(statement, 2, message->state);
        state_bind(statement, 3, message->attempts);
        state_bind(statement, 4, message->status);
        state_bind(statement, 5, message->was_indeterminate);
        state_bind(statement, 6, message->held);
        state_bind(statement, 7, message->changed_ms);
        state_bind(statement, 8, (int64_t)message->said);
        return state_run(&state->own, statement, error);
}

bool state_message_delete(struct state *state, uint64_t position, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_MESSAGE_DELETE, error);
        if (statement)
                state_bind(statement, 1, (int64_t)position);
        return state_run(&state->own, statement, error);
}

// --- identities -------------------------------------------------------------------------------------------------------------

static bool identity_in(struct state_reader *reader, uint64_t segment, uint32_t family, const struct hash128 *identity,
                        struct state_identity *ret_identity, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_IDENTITY, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind_hash(statement, 2, identity);
        state_bind(statement, 3, (int64_t)(segment << FILTER_HASH_BITS | state_slot_hash(identity)));
        if (!state_one(reader, statement, "such identity", error))
                return false;
        struct state_identity found = {
                .settled_at = state_column(statement, 0),
                .answer = state_column(statement, 1),
                .family = (uint32_t)state_column(statement, 2),
                .outcome = (uint32_t)state_column(statement, 5),
                .status = (uint16_t)state_column(statement, 6),
                .settled_ms = (int64_t)state_column(statement, 7),
        };
        bool done = (state_column_hash(statement, 3, &found.identity) && state_column_hash(statement, 4, &found.body_hash)) ||
                    damaged("identity", error);
        if (done)
                *ret_identity = found;
        sqlite3_reset(statement);
        return done;
}

bool state_identity_find(struct state_reader *reader, uint32_t family, const struct hash128 *identity,
                         struct state_identity *ret_identity, struct error *error) {
        uint64_t segment = UINT64_MAX;
        bool failed;
        while (state_slots_next(reader, &state_identity_slots, reader->identities, identity, &segment, &failed, error)) {
                struct error why = {0};
                if (identity_in(reader, segment, family, identity, ret_identity, &why))
                        return true;
                if (why.code != ERROR_NOT_FOUND)
                        return error_set(error, why.code, "%s", why.text);
        }
        return failed ? false : error_set(error, ERROR_NOT_FOUND, "no such identity");
}

bool state_identity_any(struct state_reader *reader, uint32_t family, uint64_t *after, uint64_t up_to, size_t limit,
                        bool *ret_found, bool *ret_all, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_IDENTITIES, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)*after);
        state_bind(statement, 2, (int64_t)up_to);
        state_bind(statement, 3, (int64_t)limit);
        size_t count = 0;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                if ((uint32_t)state_column(statement, 1) == family) {
                        sqlite3_reset(statement);
                        *ret_found = true;
                        *ret_all = false;
                        return true;
                }
                *after = state_column(statement, 0);
                count++;
        }
        if (result != STATE_END)
                return false;
        *ret_found = false;
        *ret_all = count < limit;
        return true;
}

bool state_identity_insert(struct state *state, const struct state_identity *identity, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_IDENTITY_ADD, error);
        if (!statement)
                return false;
        filter_add(state->own.identities, identity->settled_at >> state_identity_slots.shift,
                   state_slot_hash(&identity->identity));
        state_bind(statement, 1, (int64_t)identity->settled_at);
        state_bind(statement, 2, (int64_t)identity->answer);
        state_bind(statement, 3, identity->family);
        state_bind_hash(statement, 4, &identity->identity);
        state_bind_hash(statement, 5, &identity->body_hash);
        state_bind(statement, 6, identity->outcome);
        state_bind(statement, 7, identity->status);
        state_bind(statement, 8, identity->settled_ms);
        state_bind(statement, 9, state_slot(&state_identity_slots, (int64_t)identity->settled_at, &identity->identity));
        return state_run(&state->own, statement, error);
}

// Segments without a row need not be in memory.
static bool identities_drop(struct state *state, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_IDENTITY_ENDS, error);
        if (!statement || !state_one(&state->own, statement, "row", error))
                return false;
        bool empty = sqlite3_column_type(statement, 0) == SQLITE_NULL;
        uint64_t lowest = state_column(statement, 0) >> FILTER_HASH_BITS;
        sqlite3_reset(statement);
        if (!empty)
                filter_drop(state->own.identities, lowest);
        return true;
}

bool state_expire(struct state *state, int64_t before_ms, size_t max_rows, size_t *ret_removed, struct error *error) {
        ASSERT(!state->open);
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_EXPIRE, error);
        if (!statement)
                return false;
        state_bind(statement, 1, before_ms);
        state_bind(statement, 2, (int64_t)max_rows);
        if (!state_run(&state->own, statement, error))
                return false;
        size_t removed = (size_t)sqlite3_changes(state->own.db);
        if (removed && !identities_drop(state, error))
                return false;
        *ret_removed = removed;
        return true;
}
