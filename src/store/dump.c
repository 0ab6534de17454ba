// SPDX-License-Identifier: Apache-2.0
// Dump and restore of the tables (dump.h), by SQLite's own types, so that no table is written down here column by column.
#include "store/dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/state_priv.h"

static const char *const tables[] = {"family", "shard", "lane", "message", "identity", "replica", "dirty", "account", "fault",
                                     "migration", "control", "written", "kept"};
enum column { COLUMN_INTEGER, COLUMN_TEXT, COLUMN_BLOB };
enum { COLUMNS_MAX = 32, MESSAGE_COLUMN_COUNT = 20, REPLICA_COLUMN_COUNT = 9 };

struct state_dump {
        struct state_reader *reader;
        sqlite3_stmt *rows;                     // of the table under way
        size_t table;
        bool row;                               // a row stands there that is not written yet
};

// --- dump -------------------------------------------------------------------------------------------------------------------

static void put_number(struct buffer *buffer, uint64_t number) {
        for (; number >= 0x80; number >>= 7)
                buffer_append_byte(buffer, (char)(number | 0x80));
        buffer_append_byte(buffer, (char)number);
}

static void put_row(struct state_dump *dump, struct buffer *piece) {
        int columns = sqlite3_column_count(dump->rows);
        ASSERT(columns <= COLUMNS_MAX);
        buffer_append_byte(piece, (char)dump->table);
        buffer_append_byte(piece, (char)columns);
        for (int i = 0; i < columns; i++) {
                int type = sqlite3_column_type(dump->rows, i);
                if (type == SQLITE_INTEGER) {
                        uint64_t value = state_column(dump->rows, i);
                        buffer_append_byte(piece, COLUMN_INTEGER);
                        put_number(piece, value << 1 ^ (value >> 63 ? UINT64_MAX : 0));
                        continue;
                }
                ASSERT(type == SQLITE_TEXT || type == SQLITE_BLOB);     // every column is NOT NULL
                struct bytes value = state_column_bytes(dump->rows, i);
                buffer_append_byte(piece, type == SQLITE_TEXT ? COLUMN_TEXT : COLUMN_BLOB);
                put_number(piece, value.size);
                buffer_append(piece, value);
        }
}

bool state_dump_open(const char *path, struct state_dump **ret_dump, uint64_t *ret_position, struct error *error) {
        struct state_dump *dump = must_calloc(1, sizeof *dump);
        if (!state_reader_open(path, &dump->reader, error) ||
            (sqlite3_exec(dump->reader->db, "BEGIN", NULL, NULL, NULL) && !state_failed(dump->reader, error)) ||
            !state_position(dump->reader, ret_position, error)) {
                state_dump_close(dump);
                return false;
        }
        *ret_dump = dump;
        return true;
}

void state_dump_close(struct state_dump *dump) {
        if (!dump)
                return;
        sqlite3_finalize(dump->rows);
        state_reader_close(dump->reader);       // ends its transaction: there is nothing to lose
        free(dump);
}

// Steps to the next row of any table; dump->row false: that was the last.
static bool step(struct state_dump *dump, struct error *error) {
        dump->row = false;
        for (; dump->table < ARRAY_SIZE(tables); dump->table++) {
                char sql[64];
                snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[dump->table]);
                if (!dump->rows && sqlite3_prepare_v2(dump->reader->db, sql, -1, &dump->rows, NULL))
                        return state_failed(dump->reader, error);
                int result = sqlite3_step(dump->rows);
                dump->row = result == SQLITE_ROW;
                if (dump->row)
                        return true;
                if (result != SQLITE_DONE)
                        return state_failed(dump->reader, error);
                sqlite3_finalize(dump->rows);
                dump->rows = NULL;
        }
        return true;
}

bool state_dump_next(struct state_dump *dump, size_t bytes, struct buffer *piece, struct error *error) {
        size_t begun = piece->size;
        if (!dump->row && dump->table < ARRAY_SIZE(tables) && !step(dump, error))
                return false;
        while (dump->row && piece->size - begun < bytes) {
                put_row(dump, piece);
                if (!step(dump, error))
                        return false;
        }
        return true;
}

bool state_dump_kept(struct state_dump *dump, uint64_t up_to, size_t limit, uint64_t **ret_positions, size_t *ret_count,
                     struct error *error) {
        sqlite3_stmt *statement = state_prepare(dump->reader, STATE_SQL_KEPT, error);
        if (!statement)
                return false;
        state_bind(statement, 1, (int64_t)up_to);
        state_bind(statement, 2, (int64_t)limit);
        uint64_t *positions = NULL;
        size_t count = 0, capacity = 0;
        enum state_result result;
        while ((result = state_next(dump->reader, statement, error)) == STATE_ROW) {
                if (count == capacity) {
                        capacity = MAX((size_t)64, 2 * capacity);
                        positions = must_realloc(positions, capacity * sizeof *positions);
                }
                positions[count++] = state_column(statement, 0);
        }
        if (result != STATE_END) {
                free(positions);
                return false;
        }
        *ret_positions = positions;
        *ret_count = count;
        return true;
}

bool state_dump_oldest_unsettled(struct state_dump *dump, uint64_t *ret_position, struct error *error) {
        return state_oldest_unsettled(dump->reader, ret_position, error);
}

// --- restore ----------------------------------------------------------------------------------------------------------------

bool state_restore_begin(struct state *state, struct error *error) {
        ASSERT(state->open);
        for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
                char sql[64];
                snprintf(sql, sizeof sql, "DELETE FROM %s", tables[i]);
                if (sqlite3_exec(state->own.db, sql, NULL, NULL, NULL))
                        return state_failed(&state->own, error);
        }
        return true;
}

static bool damaged(struct error *error) {
        return error_set(error, ERROR_CORRUPT, "a piece of the snapshot is damaged");
}

static bool take_byte(struct bytes *rest, unsigned *ret_byte) {
        if (!rest->size)
                return false;
        *ret_byte = (unsigned char)rest->data[0];
        *rest = (struct bytes){rest->data + 1, rest->size - 1};
        return true;
}

static bool take_number(struct bytes *rest, uint64_t *ret_number) {
        uint64_t number = 0;
        unsigned byte = 0x80;
        for (unsigned shift = 0; byte & 0x80; shift += 7) {
                if (shift > 63 || !take_byte(rest, &byte))
                        return false;
                number |= (uint64_t)(byte & 0x7f) << shift;
        }
        *ret_number = number;
        return true;
}

static bool bind_column(sqlite3_stmt *insert, int at, struct bytes *rest) {
        unsigned type;
        uint64_t number;
        if (!take_byte(rest, &type) || type > COLUMN_BLOB || !take_number(rest, &number))
                return false;
        if (type == COLUMN_INTEGER) {
                state_bind(insert, at, (int64_t)(number >> 1 ^ (number & 1 ? UINT64_MAX : 0)));
                return true;
        }
        if (number > rest->size)
                return false;
        struct bytes value = {rest->data, (size_t)number};
        *rest = (struct bytes){rest->data + value.size, rest->size - value.size};
        if (type == COLUMN_TEXT)
                state_bind_text(insert, at, value);
        else
                state_bind_blob(insert, at, value);
        return true;
}

static bool insert_prepare(struct state *state, unsigned table, unsigned columns, sqlite3_stmt **ret_insert, struct error *error) {
        char sql[64 + 2 * COLUMNS_MAX];
        int size = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES(?", tables[table]);
        for (unsigned i = 1; i < columns; i++)
                size += snprintf(sql + size, sizeof sql - (size_t)size, ",?");
        // Of format 3: the last two columns of messages and the last of replicas were not there yet.
        bool message = strcmp(tables[table], "message") == 0 && columns + 2 == MESSAGE_COLUMN_COUNT;
        bool replica = strcmp(tables[table], "replica") == 0 && columns + 1 == REPLICA_COLUMN_COUNT;
        snprintf(sql + size, sizeof sql - (size_t)size, message ? ",0,0)" : replica ? ",0)" : ")");
        return sqlite3_prepare_v2(state->own.db, sql, -1, ret_insert, NULL) == SQLITE_OK || damaged(error);
}

bool state_restore_piece(struct state *state, struct bytes piece, struct error *error) {
        ASSERT(state->open);
        sqlite3_stmt *insert = NULL;
        unsigned table = 0, columns = 0, of = 0;
        bool done = true;
        while (done && piece.size) {
                if (!take_byte(&piece, &table) || !take_byte(&piece, &columns) || table >= ARRAY_SIZE(tables) || columns < 1 ||
                    columns > COLUMNS_MAX) {
                        done = damaged(error);
                        break;
                }
                if (insert && of != table) {
                        sqlite3_finalize(insert);
                        insert = NULL;
                }
                done = insert || insert_prepare(state, table, columns, &insert, error);
                of = table;
                for (unsigned i = 0; done && i < columns; i++)
                        done = ((int)columns == sqlite3_bind_parameter_count(insert) && bind_column(insert, (int)i + 1, &piece)) ||
                               damaged(error);
                done = done && state_run(&state->own, insert, error);
        }
        sqlite3_finalize(insert);
        return done;
}

bool state_restore_upgrade(struct state *state, struct error *error) {
        ASSERT(state->open);
        static const char sql[] = "INSERT INTO kept SELECT family, schema, count(*) FROM replica WHERE NOT tombstone"
                                  " GROUP BY family, schema";
        return sqlite3_exec(state->own.db, sql, NULL, NULL, NULL) == SQLITE_OK || state_failed(&state->own, error);
}

bool state_restored(struct state *state, struct error *error) {
        filter_release(TAKE(state->own.identities));
        filter_release(TAKE(state->own.lanes));
        state->lane_next = 0;
        return state_slots_load(&state->own, &state_identity_slots, &state->own.identities, error) &&
               state_slots_load(&state->own, &state_lane_slots, &state->own.lanes, error);
}
