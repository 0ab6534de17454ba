// SPDX-License-Identifier: Apache-2.0
// Replicas of other services' data, and keys of which nobody knows whether the replica is right. See state.h.
#include "store/state_priv.h"

static struct state_replica replica_of(sqlite3_stmt *statement, struct arena *arena) {
        return (struct state_replica){
                .family = (uint32_t)state_column(statement, 0),
                .key = arena_copy(arena, state_column_bytes(statement, 1)),
                .body = arena_copy(arena, state_column_bytes(statement, 2)),
                .position = state_column(statement, 3),
                .sequence = state_column(statement, 4),
                .stream = (uint32_t)state_column(statement, 5),
                .offset = (int64_t)state_column(statement, 6),
                .tombstone = state_column(statement, 7) != 0,
                .schema_id = (uint32_t)state_column(statement, 8),
        };
}

bool state_replica_get(struct state_reader *reader, uint32_t family, struct bytes key, struct arena *arena,
                       struct state_replica *ret_replica, struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_REPLICA, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind_text(statement, 2, key);
        if (!state_one(reader, statement, "such key in the replica", error))
                return false;
        *ret_replica = replica_of(statement, arena);
        sqlite3_reset(statement);
        return true;
}

bool state_replica_list(struct state_reader *reader, uint32_t family, struct bytes after, size_t limit, struct arena *arena,
                        struct state_replica **ret_rows, size_t *ret_count, struct error *error) {
        ASSERT(limit >= 1 && limit <= STATE_PAGE_MAX);
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_REPLICAS, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind_text(statement, 2, after);
        state_bind(statement, 3, (int64_t)limit);
        struct state_replica *rows = arena_alloc(arena, limit * sizeof *rows);
        size_t count = 0;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                ASSERT(count < limit);
                rows[count++] = replica_of(statement, arena);
        }
        if (result != STATE_END)
                return false;
        *ret_rows = rows;
        *ret_count = count;
        return true;
}

bool state_replica_put(struct state *state, const struct state_replica *replica, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_REPLICA_PUT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, replica->family);
        state_bind_text(statement, 2, replica->key);
        state_bind_blob(statement, 3, replica->body);
        state_bind(statement, 4, (int64_t)replica->position);
        state_bind(statement, 5, (int64_t)replica->sequence);
        state_bind(statement, 6, replica->stream);
        state_bind(statement, 7, replica->offset);
        state_bind(statement, 8, replica->tombstone);
        state_bind(statement, 9, replica->schema_id);
        return state_run(&state->own, statement, error);
}

// --- dirty keys -------------------------------------------------------------------------------------------------------------

static struct state_dirty dirty_of(sqlite3_stmt *statement) {
        return (struct state_dirty){
                .position = state_column(statement, 0),
                .family = (uint32_t)state_column(statement, 1),
                .shard = (uint32_t)state_column(statement, 2),
                .key = state_column_bytes(statement, 3),
                .state = (uint32_t)state_column(statement, 4),
                .since_ms = (int64_t)state_column(statement, 5),
        };
}

bool state_dirty_find(struct state_reader *reader, uint32_t family, struct bytes key, bool *ret_key, bool *ret_topic,
                      struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_DIRTY_FIND, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind_text(statement, 2, key);
        if (!state_one(reader, statement, "row", error))
                return false;
        *ret_key = state_column(statement, 0) != 0;
        *ret_topic = state_column(statement, 1) != 0;
        sqlite3_reset(statement);
        return true;
}

static bool dirty_visit(struct state_reader *reader, sqlite3_stmt *statement, state_dirty_visit *visit, void *context,
                        struct error *error) {
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                struct state_dirty dirty = dirty_of(statement);
                if (!visit(context, &dirty, error)) {
                        sqlite3_reset(statement);
                        return false;
                }
        }
        return result == STATE_END;
}

bool state_dirty_each(struct state_reader *reader, uint32_t family, state_dirty_visit *visit, void *context,
                      struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_DIRTY_ALL, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        return dirty_visit(reader, statement, visit, context, error);
}

bool state_dirty_of_key(struct state_reader *reader, uint32_t family, struct bytes key, uint64_t up_to, size_t limit,
                        struct arena *arena, struct state_dirty **ret_rows, size_t *ret_count, struct error *error) {
        ASSERT(limit >= 1 && limit <= STATE_PAGE_MAX);
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_DIRTY_KEY, error);
        if (!statement)
                return false;
        state_bind(statement, 1, family);
        state_bind_text(statement, 2, key);
        state_bind(statement, 3, (int64_t)up_to);
        state_bind(statement, 4, (int64_t)limit);
        struct state_dirty *rows = arena_alloc(arena, limit * sizeof *rows);
        size_t count = 0;
        enum state_result result;
        while ((result = state_next(reader, statement, error)) == STATE_ROW) {
                ASSERT(count < limit);
                rows[count] = dirty_of(statement);
                rows[count].key = arena_copy(arena, rows[count].key);
                count++;
        }
        if (result != STATE_END)
                return false;
        *ret_rows = rows;
        *ret_count = count;
        return true;
}

bool state_dirty_get(struct state_reader *reader, uint64_t position, struct arena *arena, struct state_dirty *ret_dirty,
                     struct error *error) {
        sqlite3_stmt *statement = state_prepare(reader, STATE_SQL_DIRTY, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)position);
        if (!state_one(reader, statement, "captured write without an outcome at this position", error))
                return false;
        *ret_dirty = dirty_of(statement);
        ret_dirty->key = arena_copy(arena, ret_dirty->key);
        sqlite3_reset(statement);
        return true;
}

bool state_dirty_put(struct state *state, const struct state_dirty *dirty, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_DIRTY_PUT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)dirty->position);
        state_bind(statement, 2, dirty->family);
        state_bind(statement, 3, dirty->shard);
        state_bind_text(statement, 4, dirty->key);
        state_bind(statement, 5, dirty->state);
        state_bind(statement, 6, dirty->since_ms);
        return state_run(&state->own, statement, error);
}

bool state_dirty_delete(struct state *state, uint64_t position, struct error *error) {
        sqlite3_stmt *statement = state_prepare(&state->own, STATE_SQL_DIRTY_DELETE, error);
        if (statement)
                state_bind(statement, 1, (int64_t)position);
        return state_run(&state->own, statement, error);
}
