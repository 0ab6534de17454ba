// SPDX-License-Identifier: Apache-2.0
// All tables of state.db at one position, as pieces of bytes of bounded size, and back. What a snapshot of the views is made of.
//
// A piece is rows, one after the other: u8 table (its place in dump.c's list), u8 number of columns, then each column: u8 type
// (0 integer: zigzag varint; 1 text, 2 blob: varint size, bytes). Varints: seven bits a byte, low ones first. Rows are of
// STATE_FORMAT, which whoever stores the pieces notes beside them.
#pragma once

#include "store/state.h"

struct state_dump;

// Begins a read of its own that sees one position however the writer goes on; meanwhile the WAL cannot begin anew, so do not
// take long. Used by one thread at a time.
MUST_USE bool state_dump_open(const char *path, struct state_dump **ret_dump, uint64_t *ret_position, struct error *error);
void state_dump_close(struct state_dump *dump); // NULL is allowed
// Appends the next piece to the buffer, of `bytes` and at most one row more; nothing appended: that was all.
MUST_USE bool state_dump_next(struct state_dump *dump, size_t bytes, struct buffer *piece, struct error *error);
// The records that the tables still refer to, up to a position: REGISTRY, CONFIG and MIGRATION, and answers that a repeat is given.
// The array (ascending) is the caller's, to free; of more than `limit`, the first ones.
MUST_USE bool state_dump_kept(struct state_dump *dump, uint64_t up_to, size_t limit, uint64_t **ret_positions, size_t *ret_count,
                              struct error *error);
MUST_USE bool state_dump_oldest_unsettled(struct state_dump *dump, uint64_t *ret_position, struct error *error);

// Empties all tables, then puts pieces in, in the open transaction; after state_commit call state_restored.
MUST_USE bool state_restore_begin(struct state *state, struct error *error);
MUST_USE bool state_restore_piece(struct state *state, struct bytes piece, struct error *error);        // ERROR_CORRUPT
// Pieces of format 3 may be put in as well: what that did not have is 0, and after the last piece this counts what is kept.
enum { STATE_FORMAT_BEFORE = 3 };
MUST_USE bool state_restore_upgrade(struct state *state, struct error *error);
MUST_USE bool state_restored(struct state *state, struct error *error);
