// SPDX-License-Identifier: Apache-2.0
// All rows of the owner, page by page: for a backfill, which fills the copy, and for a reconciliation, which compares it.
//
// Backfill. A row goes into the copy only if nothing was captured of its key since capture began, decided under the key's lock
// (backfill_inserts). What was captured before the backfill began may have been overtaken by a write from before capture: where the
// owner's row is another, the key is looked at. So are rows of the copy from before the backfill that the owner did not list. Complete
// when both are through; it then answers for writes without a key whose `settle` had passed before it began.
// Reconciliation. A row that differs from the copy is looked at again under its key's lock; so is what the copy has and the owner
// did not list.
//
// One way at a time, paced: DATA_ROWS_MAX rows are under way, and there is a pause after each page. What fails is tried again, with
// a growing pause, for ever: it says why. Nothing of it outlives the process; both may be begun anew at any time.
#include "gateway/data_priv.h"

#include <stdlib.h>

#include "os/random.h"

enum {
        PAGE_PAUSE_MS = 2, WAIT_MS = 10, FAILURE_FIRST_MS = 100, FAILURE_LONGEST_MS = 10000,
        ROWS_A_TURN = 64,                       // looked at before others get the loop
        SWEEP_PAGE = 200,
        CURSOR_MAX = 1024,                      // bytes
};

struct row {
        struct data_claim claim;                // first
        struct publication publication;
        struct list link;
        struct arena arena;
        struct walk *walk;
        unsigned generation;
        struct data_event event;
        struct meeting meeting;
};

static void proceed(struct walk *walk);

static void proceed_task(struct loop_task *task) {
        struct walk *walk = CONTAINER_OF(task, struct walk, task);
        walk->task_posted = false;
        proceed(walk);
}

static void proceed_soon(struct walk *walk) {
        if (walk->task_posted)
                return;
        walk->task_posted = true;
        walk->task.run = proceed_task;
        loop_post(walk->data->gateway->owner, &walk->task);
}

static void wait(struct walk *walk, uint64_t ms, void (*fire)(struct loop_timer *timer)) {
        walk->timer.fire = fire;
        loop_timer_set(walk->data->gateway->owner, &walk->timer, data_now(walk->data) + MILLISECONDS(ms));
}

static int64_t wall(const struct data *data) {
        return clock_wall_ms(loop_clock(data->gateway->owner));
}

static void failure(struct walk *walk, const char *why) {
        struct data *data = walk->data;
        bool backfill = walk->kind == WALK_BACKFILL;
        walk->failed = true;
        if (backfill)
                data_note(data->backfill.failure, sizeof data->backfill.failure, "%s", why);
        else
                data_note(data->reconciliation.failure, sizeof data->reconciliation.failure, "%s", why);
}

// ---- its end ----

static void forget(struct walk *walk) {
        struct data *data = walk->data;
        loop_timer_cancel(data->gateway->owner, &walk->timer);
        if (walk->call)
                http_call_cancel(TAKE(walk->call));
        walk->kind = WALK_NONE;
        walk->generation++;
        walk->at = walk->end = NULL;
        seen_free(&walk->seen);
}

void walk_give_up(struct data *data) {
        forget(&data->walk);
        data->reconciliation.running = false;
        data->backfill = (struct gateway_backfill){.runs = data->backfill.runs};
}

struct cleaned {
        struct data *data;
        uint64_t up_to;
};

static void topic_cleaned(void *user, enum append_result result, uint64_t position) {
        struct cleaned *cleaned = user;
        (void)position;
        if (result == APPEND_UNKNOWN)
                return;
        if (result == APPEND_DURABLE)
                dirty_topic_clean(&cleaned->data->dirty, cleaned->up_to);
        look_dirty(cleaned->data);                      // what was not cleaned begins another
        free(cleaned);
}

static void complete(struct walk *walk) {
        struct data *data = walk->data;
        if (walk->kind == WALK_REFRESH) {
                forget(walk);
                look_dirty(data);
                return;
        }
        if (walk->kind == WALK_RECONCILE) {
                data->reconciliation.running = false;
                data->reconciliation.passes++;
                data->reconciliation.captured_passes += data_captures(data) && walk->steps_back == data->route->steps_back;
                data->reconciliation.completed_ms = wall(data);
                forget(walk);
                look_dirty(data);
                return;
        }
        data->backfill.phase = GATEWAY_BACKFILL_COMPLETE;
        data->backfill.completed_ms = wall(data);
        data->backfill.runs++;
        uint64_t up_to = walk->topic_up_to;
        forget(walk);
        if (!up_to)
                return;
        struct cleaned *cleaned = must_malloc(sizeof *cleaned);
        *cleaned = (struct cleaned){data, up_to};
        data_record(data, &data->route->shards[0], RECORD_CAPTURE_CLEAN, (struct bytes){0}, up_to, (struct bytes){0}, topic_cleaned,
                    cleaned);
}

// ---- one row ----

static void row_end(struct row *row) {
        struct walk *walk = row->walk;
        data_release(&row->claim);
        list_remove(&row->link);
        arena_free(&row->arena);
        free(row);
        walk->in_flight--;
        proceed_soon(walk);
}

static void row_published(struct publication *publication) {
        struct row *row = CONTAINER_OF(publication, struct row, publication);
        if (publication->durable)
                publication->data->backfill.inserted++;
        else
                failure(row->walk, publication->why);
        row_end(row);
}

static bool may_insert(struct data *data, struct bytes key, struct arena *arena) {
        struct copy copy = data_copy(data, key, arena);
        return copy.state != COPY_UNREADABLE && backfill_inserts(copy.position, shard_since(data_shard(data, key, NULL)->shard));
}

static void row_held(struct data_claim *claim) {
        struct row *row = (struct row *)claim;
        struct data *data = claim->data;
        struct publication *publication = &row->publication;
        if (row->walk->generation != row->generation || data->stopping || !may_insert(data, row->event.key, &row->arena)) {
                data->backfill.skipped++;
                row_end(row);
                return;
        }
        publication->data = data;
        publication->done = row_published;
        publication->request.key = row->event.key;
        publication->flags = RECORD_BACKFILL | row->event.flags;
        publication->body = row->event.body;
        publication->version = publication->given = data->event->produces;
        publication->producer = arena_print(&row->arena, "%s by its list", data->communication->from->name);
        publication->arena = &row->arena;
        data_publish(publication);
}

static void begin_row(struct walk *walk, struct row *row) {
        row->walk = walk;
        row->generation = walk->generation;
        list_init(&row->link);
        list_append(&walk->rows, &row->link);
        walk->in_flight++;
}

static void look(struct walk *walk, enum look_kind kind, struct bytes key) {
        if (look_begin(walk->data, kind, key, true))
                walk->in_flight++;
        else
                failure(walk, "too many keys are being read again");
}

// The row is not inserted, since something was captured of its key. A write that was forwarded before capture began has ended by now,
// and the owner may have done it last.
static void doubt(struct walk *walk, const struct row *row) {
        struct data *data = walk->data;
        struct arena CLEANUP(arena_free) arena = {0};
        CLEANUP(buffer_free) struct buffer path = {0};
        struct copy copy = data_copy(data, row->event.key, &arena);
        if (copy.state == COPY_UNREADABLE || copy.position > walk->began || !data->event->read)
                return;
        bool same = copy.state == COPY_ROW && copy.version == data->event->produces &&
                    data_same(data, row->event.json, copy.body, &arena, &path);
        if (!same)
                look(walk, LOOK_SWEEP, row->event.key);
}

static void backfill_row(struct walk *walk, struct row *row) {
        struct data *data = walk->data;
        data->backfill.rows++;
        begin_row(walk, row);
        // What is known of a key only gets newer, so that this needs no lock.
        if (may_insert(data, row->event.key, &row->arena)) {
                if (data_claim(data, &row->claim, row->event.key, row_held))
                        return;
                failure(walk, "too many wait for their keys");
        } else {
                data->backfill.skipped++;
                doubt(walk, row);
        }
        row_end(row);
}

static void reconciled(struct row *row) {
        struct walk *walk = row->walk;
        struct data *data = walk->data;
        CLEANUP(buffer_free) struct buffer text = {0};
        bool current = row->generation == walk->generation && !data->stopping;
        bool agrees = !current || data_agrees(data, row->event.key, &row->meeting, &row->arena, &text);
        if (!agrees)
                look(walk, LOOK_RECONCILE, row->event.key);
        row_end(row);
}

static void row_met(struct meeting *meeting) {
        reconciled(CONTAINER_OF(meeting, struct row, meeting));
}

static void reconcile_row(struct walk *walk, struct row *row) {
        struct data *data = walk->data;
        struct copy copy = data_copy(data, row->event.key, &row->arena);
        // Who begins as async has the rows that were written since, and no others.
        bool unknown = copy.state == COPY_NOTHING && shard_epoch(data_shard(data, row->event.key, NULL)->shard) <= 1;
        data->reconciliation.rows += !unknown;
        begin_row(walk, row);
        if (unknown || copy.state == COPY_UNREADABLE || dirty_has(&data->dirty, row->event.key)) {
                row_end(row);
                return;
        }
        row->meeting.met = row_met;
        if (data_meet(&row->meeting, data, row->event.json, row->event.body, &copy, &row->arena) != CHANGE_WAITS)
                reconciled(row);
}

static void take_row(struct walk *walk, const struct json *node) {
        struct data *data = walk->data;
        struct row *row = must_calloc(1, sizeof *row);
        CLEANUP(buffer_free) struct buffer text = {0};
        struct error error;
        json_write(&text, node);
        if (!data_event_of(data, arena_copy(&row->arena, buffer_bytes(&text)), (struct bytes){0}, &row->arena, &row->event, &error)) {
                failure(walk, error.text);
                arena_free(&row->arena);
                free(row);
                return;
        }
        seen_add(&walk->seen, row->event.key);
        if (walk->kind == WALK_BACKFILL)
                backfill_row(walk, row);
        else
                reconcile_row(walk, row);
}

// ---- the copy: what the owner has no more ----

static void refresh_row(struct walk *walk, const struct state_replica *replica, const struct overlay_row *newer) {
        struct data *data = walk->data;
        unsigned emitted = event_emitted(data->gateway, data->event), version;
        if (newer ? newer->tombstone || newer->version == emitted
                  : event_version_of(data->gateway, data->event, replica->schema_id, &version, NULL) && version == emitted)
                return;
        look(walk, LOOK_REFRESH, replica->key);
}

static void sweep_row(struct walk *walk, const struct state_replica *stored, struct arena *arena) {
        struct data *data = walk->data;
        struct state_replica clear = *stored;
        const struct state_replica *replica = &clear;
        struct error error;
        if (!key_clear(data->gateway, data->event, stored->key, arena, &clear.key, &error)) {
                failure(walk, error.text);
                return;
        }
        const struct overlay_row *newer = overlay_find(&data->overlay, replica->key);
        if (walk->kind == WALK_REFRESH) {
                refresh_row(walk, replica, newer);
                return;
        }
        bool backfill = walk->kind == WALK_BACKFILL;
        if (newer && (newer->tombstone || !backfill))
                return;
        uint64_t position = newer ? newer->position : replica->position;
        // What is older than capture and still there was not listed, however much has been seen.
        bool older = backfill && position < shard_since(data_shard(data, replica->key, NULL)->shard);
        if (position > walk->began || (!older && seen_has(&walk->seen, replica->key)))
                return;
        look(walk, backfill ? LOOK_SWEEP : LOOK_RECONCILE, replica->key);
}

// The copy as it was when the walk began is in the views only once they have passed that position.
static bool views_are_there(const struct walk *walk) {
        uint64_t position;
        return state_position(walk->data->gateway->state, &position, NULL) && position >= walk->began;
}

static void proceed_timer(struct loop_timer *timer) {
        proceed(CONTAINER_OF(timer, struct walk, timer));
}

static void sweep(struct walk *walk) {
        struct data *data = walk->data;
        if (!views_are_there(walk)) {
                wait(walk, WAIT_MS, proceed_timer);
                return;
        }
        CLEANUP(arena_free) struct arena arena = {0};
        struct state_replica *rows;
        size_t count = 0;
        struct error error;
        bool known = data_topic_known(data) && data->event->read;
        if (known && !state_replica_list(data->gateway->state, data->topic_family, buffer_bytes(&walk->swept), SWEEP_PAGE, &arena,
                                         &rows, &count, &error)) {
                failure(walk, error.text);
                return;
        }
        size_t at = 0;
        while (at < count && walk->in_flight < DATA_LOOKS_MAX / 2 && !walk->failed) {
                sweep_row(walk, &rows[at], &arena);
                at += !walk->failed;
        }
        if (at) {
                buffer_clear(&walk->swept);
                buffer_append(&walk->swept, rows[at - 1].key);
        }
        if (at == count && count < SWEEP_PAGE)
                walk->at = NULL;                        // through: the end is taken when nothing is in flight
        else if (!walk->failed && walk->in_flight < DATA_LOOKS_MAX / 2)
                proceed_soon(walk);
        walk->last = at == count && count < SWEEP_PAGE;
}

// ---- pages ----

static void fetch(struct walk *walk);

static void fetch_timer(struct loop_timer *timer) {
        fetch(CONTAINER_OF(timer, struct walk, timer));
}

static bool read_next(struct walk *walk, const struct json *root, struct error *error) {
        const struct json *next = json_pointer_resolve(&walk->data->event->backfill->next, root);
        buffer_clear(&walk->next);
        walk->last = !next || json_type(next) == JSON_NULL;
        if (walk->last)
                return true;
        if (json_type(next) != JSON_STRING && json_type(next) != JSON_NUMBER)
                return error_set(error, ERROR_REJECTED, "the next cursor is %s", json_type_name(json_type(next)));
        struct bytes text = json_text(next);
        walk->last = text.size == 0;
        if (text.size > CURSOR_MAX)
                return error_set(error, ERROR_LIMIT, "the next cursor has %zu bytes", text.size);
        if (!walk->last && bytes_equal(text, buffer_bytes(&walk->cursor)))
                return error_set(error, ERROR_REJECTED, "the next cursor is the one of this page: the list would never end");
        buffer_append(&walk->next, text);
        return true;
}

static bool read_page(struct walk *walk, const struct http_call_result *result, struct error *error) {
        const struct json *root;
        if (result->outcome != HTTP_CALL_OK)
                return error_set(error, ERROR_UNAVAILABLE, "the owner's list: %s", result->reason);
        if (result->status != 200)
                return error_set(error, ERROR_UNAVAILABLE, "the owner's list: status %u", result->status);
        arena_reset(&walk->page);
        if (!json_parse(arena_copy(&walk->page, result->body), NULL, &walk->page, &root, error))
                return error_wrap(error, "the owner's list");
        const struct json *items = json_pointer_resolve(&walk->data->event->backfill->items, root);
        if (!items || json_type(items) != JSON_ARRAY)
                return error_set(error, ERROR_REJECTED, "the owner's list has no array where `items` says");
        if (!read_next(walk, root, error))
                return false;
        walk->at = items + 1;
        walk->end = json_next(items);
        return true;
}

static void page_came(void *user, const struct http_call_result *result) {
        struct walk *walk = user;
        struct error error;
        walk->call = NULL;
        if (!read_page(walk, result, &error)) {
                walk->at = walk->end = NULL;
                failure(walk, error.text);
        } else {
                walk->data->backfill.pages += walk->kind == WALK_BACKFILL;
        }
        proceed(walk);
}

static void fetch(struct walk *walk) {
        struct data *data = walk->data;
        const struct model_backfill *backfill = data->event->backfill;
        struct named_value cursor = {BYTES("cursor"), buffer_bytes(&walk->cursor)};
        struct error error;
        if (data_get(data, backfill->call, cursor, page_came, walk, &walk->call, &error))
                return;
        failure(walk, error.text);
        proceed(walk);
}

static void try_again(struct walk *walk) {
        struct data *data = walk->data;
        uint64_t *failures = walk->kind == WALK_BACKFILL ? &data->backfill.failures : &data->reconciliation.failures;
        uint64_t pause = MIN((uint64_t)FAILURE_FIRST_MS << MIN(*failures, (uint64_t)10), (uint64_t)FAILURE_LONGEST_MS);
        ++*failures;
        walk->failed = false;
        walk->last = false;
        wait(walk, pause, walk->sweeping ? proceed_timer : fetch_timer);        // the page once more: what is in is skipped
}

static void page_done(struct walk *walk) {
        struct data *data = walk->data;
        if (walk->kind == WALK_BACKFILL) {
                data->backfill.failures = 0;
                data->backfill.failure[0] = '\0';
        } else {
                data->reconciliation.failures = 0;
                data->reconciliation.failure[0] = '\0';
        }
        if (!walk->last) {
                buffer_clear(&walk->cursor);
                buffer_append(&walk->cursor, buffer_bytes(&walk->next));
                wait(walk, PAGE_PAUSE_MS, fetch_timer);
                return;
        }
        walk->sweeping = true;
        walk->last = false;
        if (walk->kind == WALK_BACKFILL)
                data->backfill.phase = GATEWAY_BACKFILL_SWEEPS;
        buffer_clear(&walk->swept);
        proceed_soon(walk);
}

static void proceed(struct walk *walk) {
        struct data *data = walk->data;
        if (walk->kind == WALK_NONE || walk->call || walk->timer.slot)
                return;
        if (!data_captures(data)) {
                walk_give_up(data);
                return;
        }
        size_t budget = ROWS_A_TURN;
        while (!walk->sweeping && walk->at < walk->end && walk->in_flight < DATA_ROWS_MAX && !walk->failed && budget--) {
                const struct json *node = walk->at;
                walk->at = json_next(node);
                take_row(walk, node);
        }
        if (walk->kind == WALK_NONE)
                return;
        if (walk->sweeping && !walk->last && !walk->failed && walk->in_flight < DATA_LOOKS_MAX / 2)
                sweep(walk);
        if (walk->timer.slot)
                return;
        bool more = !walk->sweeping && walk->at < walk->end && !walk->failed;
        if (more && walk->in_flight < DATA_ROWS_MAX)
                proceed_soon(walk);
        if (more || walk->in_flight)
                return;
        if (walk->failed)
                try_again(walk);
        else if (!walk->sweeping)
                page_done(walk);
        else if (walk->last)
                complete(walk);
        else
                proceed_soon(walk);
}

void walk_went_on(struct data *data) {
        data->walk.in_flight--;
        proceed_soon(&data->walk);
}

void rows_free(struct data *data) {
        LIST_FOR_EACH_SAFE(link, &data->walk.rows) {
                struct row *row = CONTAINER_OF(link, struct row, link);
                row->claim.task.run = row->publication.task.run = data_bury;
                list_remove(link);
                arena_free(&row->arena);
        }
}

// ---- its beginning ----

static bool plain_writes_ended(const struct data *data) {
        uint64_t doubt = atomic_load(&data->plain_doubt_ns);
        return !atomic_load(&data->plain_writes) && (!doubt || data_now(data) >= doubt + data_settle_ns(data));
}

// What the owner was asked while plain writes were under way may be older than these, and is waited for, too: what is in the copy when
// the first page is asked for can be compared with it.
static bool earlier_ended(struct walk *walk) {
        struct data *data = walk->data;
        if (!plain_writes_ended(data))
                return false;
        if (!walk->plain_up_to)
                walk->plain_up_to = log_last_position(data->gateway->options.log);
        return !capture_is_under_way(data, walk->plain_up_to) && !look_is_under_way(data, walk->plain_up_to);
}

static void begin_timer(struct loop_timer *timer);

static void begin(struct walk *walk) {
        struct data *data = walk->data;
        uint64_t next;
        // Rows of a walk that was given up may still be under way.
        if (walk->in_flight || (walk->kind == WALK_BACKFILL && !earlier_ended(walk))) {
                wait(walk, WAIT_MS, begin_timer);
                return;
        }
        walk->began = log_last_position(data->gateway->options.log);
        walk->steps_back = data->route->steps_back;
        dirty_topic_due(&data->dirty, data_now(data), &walk->topic_up_to, &next);
        walk->topic_up_to = MIN(walk->topic_up_to, capture_oldest_without_key(data) - 1);
        walk->last = walk->failed = walk->sweeping = false;
        seen_free(&walk->seen);
        seen_init(&walk->seen, random_u64(random_real()));
        buffer_clear(&walk->cursor);
        buffer_append(&walk->cursor, bytes_of(data->event->backfill->start));
        if (walk->kind == WALK_BACKFILL) {
                data->backfill.phase = GATEWAY_BACKFILL_READS;
                data->backfill.began = walk->began;
        }
        fetch(walk);
}

static void begin_timer(struct loop_timer *timer) {
        begin(CONTAINER_OF(timer, struct walk, timer));
}

void walk_begin(struct data *data, enum walk_kind kind) {
        struct walk *walk = &data->walk;
        forget(walk);
        walk->kind = kind;
        walk->plain_up_to = 0;
        data->reconciliation.running = kind == WALK_RECONCILE;
        if (kind == WALK_BACKFILL) {
                data->backfill = (struct gateway_backfill){
                        .phase = GATEWAY_BACKFILL_WAITS, .runs = data->backfill.runs, .began_ms = wall(data),
                };
        } else {
                data->reconciliation.began_ms = wall(data);
                data->reconciliation.rows = data->reconciliation.differing = 0;
        }
        begin(walk);
}

static bool check(const struct data *data, struct error *error) {
        const char *name = data->communication->name;
        if (!data->event->capture_count || !data->event->backfill)
                return error_set(error, ERROR_UNSUPPORTED, "%s: %s has no %s", name, data->event->name,
                                 data->event->capture_count ? "`backfill`: how all rows are read" : "`capture`: which writes it is of");
        if (!data_captures(data))
                return error_set(error, ERROR_CONFLICT, "%s captures nothing yet: what is read now would be old at once", name);
        return true;
}

bool backfill_start(struct data *data, struct error *error) {
        if (!check(data, error))
                return false;
        walk_begin(data, WALK_BACKFILL);
        return true;
}

bool refresh_start(struct data *data, struct error *error) {
        struct walk *walk = &data->walk;
        if (!data->event->read)
                return error_set(error, ERROR_UNSUPPORTED, "%s has no `read`", data->event->name);
        if (!data_captures(data))
                return error_set(error, ERROR_CONFLICT, "%s captures nothing now", data->communication->name);
        if (walk->kind == WALK_REFRESH)
                return true;
        if (walk->kind != WALK_NONE || walk->in_flight)
                return error_set(error, ERROR_CONFLICT, "%s: a backfill or reconciliation is under way", data->communication->name);
        forget(walk);
        walk->kind = WALK_REFRESH;
        walk->began = log_last_position(data->gateway->options.log);
        walk->failed = walk->last = false;
        walk->sweeping = true;
        buffer_clear(&walk->swept);
        proceed_soon(walk);
        return true;
}

bool reconcile_start(struct data *data, struct error *error) {
        if (!check(data, error))
                return false;
        if (data->walk.kind == WALK_RECONCILE)
                return true;
        if (data->walk.kind == WALK_BACKFILL)
                return error_set(error, ERROR_CONFLICT, "%s: a backfill is under way", data->communication->name);
        if (!data_copied(data) && data->backfill.phase != GATEWAY_BACKFILL_COMPLETE)
                return error_set(error, ERROR_CONFLICT, "%s: the copy has not been filled yet", data->communication->name);
        walk_begin(data, WALK_RECONCILE);
        return true;
}
