// SPDX-License-Identifier: Apache-2.0
// Orders of an erasure to the views' thread. Each is idempotent: one that a crash has cut short is given again, and finds what is
// done already as it should be. Rows are changed in a transaction of their own, under the position that the views have; nothing of
// the fold depends on what is changed, so a state.db that is built anew from the rewritten log is the same.
//
// VIEWS_SNAPSHOT ends a snapshot that is under way (it may hold rows as they were), then makes two: one under each letter, so that
// neither holds an old row; then the pieces behind the last of either, left by longer ones, are replaced by nothing.
#include "gateway/views_priv.h"

#include <stdlib.h>

enum stage { STAGE_FIRST, STAGE_SECOND, STAGE_THIRD, STAGE_BLANK_A, STAGE_BLANK_B, STAGE_DONE };

static bool rewrite_row(struct views *views, const struct log_record *entry, struct error *error) {
        struct record record;
        if (!record_decode(entry->header, &record, error))
                return false;
        if (record.kind != RECORD_MESSAGE && record.kind != RECORD_INTENT)
                return true;
        if (!state_rewrite_message(views->state, entry->position, record.identity_text, error))
                return false;
        if (!(record.flags & (RECORD_KEPT | RECORD_UPSERT)) || (record.flags & RECORD_TOMBSTONE))
                return true;
        struct state_replica row = {.key = record.key, .body = entry->body, .position = entry->position, .schema_id = record.schema_id};
        return views_family(views, entry->stream, &row.family, error) && state_rewrite_replica(views->state, &row, error);
}

static bool in_transaction(struct views *views, struct views_order *order, struct error *error) {
        if (!state_begin(views->state, error))
                return false;
        bool done = true;
        if (order->kind == VIEWS_WRITTEN)
                done = state_written_merge(views->state, order->stream, order->from_schema, order->to_schema, error);
        for (size_t i = 0; done && i < order->count && order->kind == VIEWS_REWRITE; i++)
                done = rewrite_row(views, &order->records[i], error);
        if (done)
                return state_commit(views->state, views_position(views), error);
        state_rollback(views->state);
        return false;
}

static bool blank(struct views *views, struct views_order *order, struct error *error) {
        size_t letter = order->stage - STAGE_BLANK_A;
        bool gone;
        if (!views_snapshot_blank(views, (char)('a' + letter), order->pieces[letter]++, &gone, error))
                return false;
        order->stage += gone;
        return true;
}

// One step. What has been submitted to the log is waited for.
static bool snapshot(struct views *views, struct views_order *order, struct error *error) {
        if (atomic_load(&views->snapshot.waits))
                return true;
        if (order->stage == STAGE_FIRST && views->snapshot.stage == VIEWS_SNAPSHOT_NONE)
                order->stage = STAGE_SECOND;
        if (order->stage >= STAGE_BLANK_A) {
                if (views->snapshot.error.code == ERROR_NONE)
                        return blank(views, order, error);
                *error = views->snapshot.error;
                views->snapshot.error.code = ERROR_NONE;
                return false;
        }
        bool more;
        if (!views_snapshot_step(views, &more, error))
                return false;
        if (more)
                return true;
        order->pieces[views->snapshot.letter == 'b'] = views->snapshot.pieces;
        order->stage++;
        return true;
}

static bool step(struct views *views, struct views_order *order, bool *ret_done, struct error *error) {
        *ret_done = true;
        switch (order->kind) {
        case VIEWS_REWRITE:
        case VIEWS_WRITTEN:
                return in_transaction(views, order, error);
        case VIEWS_SWEEP:
                return state_sweep(views->state, error);
        case VIEWS_SNAPSHOT:
                if (!snapshot(views, order, error))
                        return false;
                *ret_done = order->stage == STAGE_DONE;
                return true;
        }
        UNREACHABLE("an order");
        return false;
}

static struct views_order *first(struct views *views) {
        pthread_mutex_lock(&views->mutex);
        struct views_order *order = list_empty(&views->orders) ? NULL : LIST_FIRST(&views->orders, struct views_order, link);
        pthread_mutex_unlock(&views->mutex);
        return order;
}

static void end(struct views *views, struct views_order *order, const struct error *error) {
        pthread_mutex_lock(&views->mutex);
        list_remove(&order->link);
        pthread_mutex_unlock(&views->mutex);
        order->done(order, error);
}

void views_orders_step(struct views *views, bool *ret_more) {
        struct views_order *order = first(views);
        struct error error = {0};
        bool done = false;
        *ret_more = false;
        if (!order)
                return;
        bool good = step(views, order, &done, &error);
        arena_reset(&views->arena);
        if (!good || done)
                end(views, order, good ? NULL : &error);
        *ret_more = !atomic_load(&views->snapshot.waits) && first(views);
}

bool views_orders_snapshot(struct views *views) {
        const struct views_order *order = first(views);
        return order && order->kind == VIEWS_SNAPSHOT;
}

void views_orders_end(struct views *views) {
        struct error error;
        error_set(&error, ERROR_UNAVAILABLE, "commute is ending");
        for (struct views_order *order; (order = first(views));)
                end(views, order, &error);
}

void views_give(struct views *views, struct views_order *order) {
        order->stage = STAGE_FIRST;
        order->pieces[0] = order->pieces[1] = 0;
        pthread_mutex_lock(&views->mutex);
        list_append(&views->orders, &order->link);
        pthread_mutex_unlock(&views->mutex);
        views_wake(views);
}
