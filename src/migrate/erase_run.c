// SPDX-License-Identifier: Apache-2.0
// The work of an erasure, on its thread. Records first, piece by piece: rewritten in the log, then in the views, then the cursor moves
// on; those that are unsettled are looked at again until they are. Then snapshots and files. A failing log or view is tried again.
#include "migrate/erase_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proof/ledger.h"

enum { RECORD_EVERY = 20000, TRY_AGAIN_MS = 500, TRIES_MAX = 120, PAUSE_MS = 5 };

// ---- waiting for what others do ----

struct wait {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        bool done, good;
        struct error error;
};

#define WAIT_INIT {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER}

static void wait_end(struct wait *wait, const struct error *error) {
        pthread_mutex_lock(&wait->mutex);
        wait->done = true;
        wait->good = !error;
        if (error)
                wait->error = *error;
        pthread_cond_signal(&wait->cond);
        pthread_mutex_unlock(&wait->mutex);
}

static bool wait_for(struct wait *wait, struct error *error) {
        pthread_mutex_lock(&wait->mutex);
        while (!wait->done)
                pthread_cond_wait(&wait->cond, &wait->mutex);
        pthread_mutex_unlock(&wait->mutex);
        if (!wait->good)
                *error = wait->error;
        return wait->good;
}

static void pause_ms(unsigned ms) {
        nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static bool stopping(const struct erase *erase) {
        return atomic_load(&erase->stopping);
}

struct rewriting {
        struct log_rewrite rewrite;
        struct wait wait;
};

static void rewritten(struct log_rewrite *rewrite, const struct error *error) {
        wait_end(&CONTAINER_OF(rewrite, struct rewriting, rewrite)->wait, error);
}

static bool rewrite_log(struct erase *erase, const struct log_record *records, size_t count, struct error *error) {
        struct rewriting rewriting = {.rewrite = {.records = records, .count = count, .complete = rewritten}, .wait = WAIT_INIT};
        return log_rewrite(erase->options.log, &rewriting.rewrite, error) && wait_for(&rewriting.wait, error);
}

struct sweeping {
        struct log_sweep sweep;
        struct wait wait;
};

static void swept(struct log_sweep *sweep, const struct error *error) {
        wait_end(&CONTAINER_OF(sweep, struct sweeping, sweep)->wait, error);
}

static bool sweep_log(struct erase *erase, struct error *error) {
        struct sweeping sweeping = {.sweep = {.complete = swept}, .wait = WAIT_INIT};
        return log_sweep(erase->options.log, &sweeping.sweep, error) && wait_for(&sweeping.wait, error);
}

struct ordering {
        struct views_order order;
        struct wait wait;
};

static void ordered(struct views_order *order, const struct error *error) {
        wait_end(&CONTAINER_OF(order, struct ordering, order)->wait, error);
}

static bool order_views(struct erase *erase, const struct views_order *order, struct error *error) {
        struct ordering ordering = {.order = *order, .wait = WAIT_INIT};
        ordering.order.done = ordered;
        views_give(erase->options.views, &ordering.order);
        return wait_for(&ordering.wait, error);
}

// Again and again while a disk fails or a reader is in the way.
static bool persist(struct erase *erase, bool (*act)(struct erase *erase, struct error *error), struct error *error) {
        for (int tries = 0; !stopping(erase); tries++) {
                if (act(erase, error))
                        return true;
                if (tries == TRIES_MAX)
                        return false;
                erase_say(erase, error->text);
                pause_ms(TRY_AGAIN_MS);
        }
        return error_set(error, ERROR_UNAVAILABLE, "commute is ending");
}

// ---- may it begin ----

struct looking {
        const struct erase_options *options;
        const struct erase_state *state;
        struct error *error;
};

static bool unsettled(void *context, const struct state_unsettled_version *row, struct error *error) {
        const struct looking *looking = context;
        struct log_stream_info info;
        if (!log_stream_info(looking->options->log, row->stream, &info, error))
                return false;
        struct erase_stream stream = erase_stream_of(looking->state, looking->options, info.name);
        if (stream.kind != ERASE_TOPIC || row->schema_id == stream.emitted_schema || row->schema_id == 0)
                return true;
        return error_set(error, ERROR_CONFLICT, "%s: %" PRIu64 " message%s of an older version than %u %s %s in %.*s, the first at"
                         " position %" PRIu64 ": it must be settled first", stream.event->name, row->count, row->count == 1 ? "" : "s",
                         stream.emitted, row->count == 1 ? "is" : "are", ledger_account_name((enum ledger_state)row->state),
                         BYTES_PRINT(info.name), row->first);
}

static bool indeterminate_call(const struct erase_options *options, struct state_reader *reader, const struct model_event *event,
                               struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        for (size_t i = 0; i < options->model->communication_count; i++) {
                const struct model_communication *communication = &options->model->communications[i];
                uint32_t family;
                struct state_message *held;
                size_t count;
                if (!communication->async || communication->async->event != event)
                        continue;
                if (!state_family(reader, bytes_of(communication->name), &family, error)) {
                        if (error->code != ERROR_NOT_FOUND)
                                return false;
                        continue;
                }
                if (!state_held_list(reader, family, 0, STATE_PAGE_MAX, &arena, &held, &count, error))
                        return false;
                for (size_t j = 0; j < count; j++)
                        if (held[j].offset < 0)
                                return error_set(error, ERROR_CONFLICT, "%s: the call of %s at position %" PRIu64 " is indeterminate and"
                                                 " may have to be sent again: settle it first (commute parked)", event->name,
                                                 communication->name, held[j].position);
        }
        return true;
}

bool erase_may_begin(const struct erase_options *options, struct state_reader *reader, const struct erase_state *state,
                     struct error *error) {
        for (size_t i = 0; i < state->event_count; i++) {
                const struct model_event *event = state->events[i];
                unsigned emitted = options->ops->emitted(options->user, event);
                if (!event->is_personal)
                        return error_set(error, ERROR_CONFLICT, "%s: no version of it has personal values: tag them in its schemas, or"
                                         " name them in `personal`", event->name);
                if (event->versions[emitted].personal_count > 0)
                        return error_set(error, ERROR_CONFLICT, "%s: version %u, which is emitted, has personal values itself: evolve it"
                                         " to one without first (commute evolve)", event->name, emitted);
                if (!options->ops->schema_id(options->user, event, emitted))
                        return error_set(error, ERROR_CONFLICT, "%s: version %u, which is emitted, is not registered", event->name,
                                         emitted);
                if (!indeterminate_call(options, reader, event, error))
                        return false;
        }
        struct looking looking = {.options = options, .state = state};
        return state_unsettled_version_each(reader, unsettled, &looking, error);
}

// ---- records ----

struct piece {
        struct arena arena;
        struct log_record *all, *changed;       // of the event's topics: for the views; those to be rewritten
        size_t all_count, changed_count;
        struct erase_counts counts;
        uint64_t *waits;                        // positions of what is unsettled
        size_t wait_count, wait_capacity;
};

static bool is_settled(struct erase *erase, uint64_t position, struct arena *arena, bool *ret_settled, struct error *error) {
        struct state_message message;
        *ret_settled = !state_message_find(erase->reader, position, arena, &message, error);
        return !*ret_settled || error->code == ERROR_NOT_FOUND;
}

static bool take(struct erase *erase, struct piece *piece, const struct log_record *entry, struct error *error) {
        struct log_stream_info info;
        uint64_t asked;
        bool settled = true;
        unsigned effect;
        if (!log_stream_info(erase->options.log, entry->stream, &info, error))
                return false;
        struct erase_stream stream = erase_stream_of(&erase->state, &erase->options, info.name);
        piece->counts.looked++;
        if (stream.kind == ERASE_OTHER)
                return true;
        if (erase_asks(&stream, entry, &asked) && !is_settled(erase, asked, &piece->arena, &settled, error))
                return false;
        struct log_record *made = &piece->all[piece->all_count];
        if (!erase_record(&erase->options, &stream, entry, settled, &piece->arena, made, &effect, error))
                return error_wrap(error, "%.*s, offset %lld, position %" PRIu64, BYTES_PRINT(info.name), (long long)entry->offset,
                                  entry->position);
        piece->all_count++;
        if (effect & (ERASE_CONVERTED | ERASE_EMPTIED))
                piece->changed[piece->changed_count++] = *made;
        piece->counts.converted += (effect & ERASE_CONVERTED) != 0;
        piece->counts.emptied += (effect & ERASE_EMPTIED) != 0;
        if (!(effect & ERASE_KEPT) || piece->wait_count == ERASE_WAITS_MAX)
                return true;
        if (piece->wait_count == piece->wait_capacity) {
                piece->wait_capacity = MAX((size_t)64, 2 * piece->wait_capacity);
                piece->waits = must_realloc(piece->waits, piece->wait_capacity * sizeof *piece->waits);
        }
        piece->waits[piece->wait_count++] = entry->position;
        return true;
}

static bool apply(struct erase *erase, const struct piece *piece, struct error *error) {
        struct views_order order = {.kind = VIEWS_REWRITE, .records = piece->all, .count = piece->all_count};
        return (piece->changed_count == 0 || rewrite_log(erase, piece->changed, piece->changed_count, error)) &&
               (piece->all_count == 0 || order_views(erase, &order, error));
}

static void add_counts(struct erase_state *state, const void *with) {
        const struct erase_counts *counts = with;
        state->counts.looked += counts->looked;
        state->counts.converted += counts->converted;
        state->counts.emptied += counts->emptied;
}

// The records behind the cursor; *ret_next: the cursor behind them; *ret_count 0: there are no more.
static bool one_piece(struct erase *erase, uint64_t cursor, struct piece *piece, uint64_t *ret_next, size_t *ret_count,
                      struct error *error) {
        struct log_record *entries;
        size_t count;
        arena_reset(&piece->arena);
        piece->counts = (struct erase_counts){0};
        piece->all_count = piece->changed_count = 0;
        if (!log_read(erase->log_reader, cursor + 1, ERASE_PIECE_RECORDS, ERASE_PIECE_BYTES, &piece->arena, &entries, &count, error))
                return false;
        piece->all = arena_alloc(&piece->arena, (count + 1) * sizeof *piece->all);
        piece->changed = arena_alloc(&piece->arena, (count + 1) * sizeof *piece->changed);
        *ret_count = 0;
        *ret_next = cursor;
        for (size_t i = 0; i < count && entries[i].position <= erase->state.up_to; i++, ++*ret_count) {
                if (!take(erase, piece, &entries[i], error))
                        return false;
                *ret_next = entries[i].position;
        }
        if (!apply(erase, piece, error))
                return false;
        erase_change(erase, add_counts, &piece->counts);
        return true;
}

struct cursors {
        uint64_t cursor, resume;
};

static void set_cursor(struct erase_state *state, const void *with) {
        const struct cursors *cursors = with;
        state->cursor = cursors->cursor;
        state->resume = cursors->resume;
        state->sentence[0] = '\0';
}

static bool save(struct erase *erase, struct error *error);

static bool all_records(struct erase *erase, struct piece *piece, struct error *error) {
        uint64_t saved = erase->state.cursor;
        for (int tries = 0;;) {
                uint64_t next;
                size_t count, waits = piece->wait_count;
                if (stopping(erase))
                        return error_set(error, ERROR_UNAVAILABLE, "commute is ending");
                if (!one_piece(erase, erase->state.cursor, piece, &next, &count, error)) {
                        piece->wait_count = waits;
                        if (error->code == ERROR_REJECTED || error->code == ERROR_LIMIT || tries++ == TRIES_MAX)
                                return false;
                        erase_say(erase, error->text);
                        pause_ms(TRY_AGAIN_MS);
                        continue;
                }
                tries = 0;
                if (count == 0)
                        return true;
                struct cursors cursors = {next, piece->wait_count ? piece->waits[0] - 1 : next};
                erase_change(erase, set_cursor, &cursors);
                if (next - saved >= RECORD_EVERY && !save(erase, error))
                        return false;
                if (next - saved >= RECORD_EVERY)
                        saved = next;
                pause_ms(PAUSE_MS);
        }
}

// ---- what was unsettled ----

static void set_kept(struct erase_state *state, const void *with) {
        state->counts.kept = *(const uint64_t *)with;
}

// A call has an outcome soon; a message at the emitted version may wait for long: its body has nothing personal, it is left.
static bool is_call(struct erase *erase, const struct log_record *entry) {
        struct record record;
        (void)erase;
        return record_decode(entry->header, &record, NULL) && record.kind == RECORD_INTENT;
}

static bool look_again(struct erase *erase, struct piece *piece, uint64_t position, bool *ret_waits, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct log_record entry;
        bool settled;
        arena_reset(&piece->arena);
        piece->all_count = piece->changed_count = 0;
        piece->counts = (struct erase_counts){0};
        piece->all = arena_alloc(&piece->arena, sizeof *piece->all);
        piece->changed = arena_alloc(&piece->arena, sizeof *piece->changed);
        *ret_waits = false;
        if (!log_read_one(erase->log_reader, position, &arena, &entry, error))
                return error->code == ERROR_NOT_FOUND;
        if (!is_settled(erase, position, &arena, &settled, error))
                return false;
        *ret_waits = !settled;
        size_t before = piece->wait_count;
        bool good = !settled || (take(erase, piece, &entry, error) && apply(erase, piece, error));
        piece->wait_count = before;
        if (good && settled)
                erase_change(erase, add_counts, &piece->counts);
        if (!settled && !is_call(erase, &entry))
                *ret_waits = false;
        if (*ret_waits) {
                char sentence[160];
                snprintf(sentence, sizeof sentence, "waits: the call at position %" PRIu64 " has no outcome yet", position);
                erase_say(erase, sentence);
        }
        return good;
}

static bool until_settled(struct erase *erase, struct piece *piece, struct error *error) {
        uint64_t kept = 0;
        for (size_t i = 0; i < piece->wait_count; i++) {
                bool waits = true;
                while (waits) {
                        if (stopping(erase))
                                return error_set(error, ERROR_UNAVAILABLE, "commute is ending");
                        if (!look_again(erase, piece, piece->waits[i], &waits, error))
                                return false;
                        if (waits)
                                pause_ms(TRY_AGAIN_MS / 5);
                }
                bool settled;
                struct error why;
                kept += is_settled(erase, piece->waits[i], &piece->arena, &settled, &why) && !settled;
        }
        erase_change(erase, set_kept, &kept);
        return true;
}

// ---- the rest ----

// What was counted as written with an older schema is of the emitted one now.
static bool merge_versions(struct erase *erase, struct error *error) {
        uint32_t count = log_stream_count(erase->options.log);
        for (uint32_t number = 1; number <= count; number++) {
                struct log_stream_info info;
                if (!log_stream_info(erase->options.log, number, &info, error))
                        return false;
                struct erase_stream stream = erase_stream_of(&erase->state, &erase->options, info.name);
                for (unsigned version = 0; stream.kind == ERASE_TOPIC && version < stream.emitted; version++) {
                        struct views_order order = {
                                .kind = VIEWS_WRITTEN, .stream = number, .to_schema = stream.emitted_schema,
                                .from_schema = erase->options.ops->schema_id(erase->options.user, stream.event, version)};
                        if (order.from_schema && !order_views(erase, &order, error))
                                return false;
                }
        }
        return true;
}

static bool make_snapshots(struct erase *erase, struct error *error) {
        return order_views(erase, &(struct views_order){.kind = VIEWS_SNAPSHOT}, error);
}

static bool sweep_views(struct erase *erase, struct error *error) {
        return order_views(erase, &(struct views_order){.kind = VIEWS_SWEEP}, error);
}

static void set_phase(struct erase_state *state, const void *with) {
        state->phase = *(const enum erase_phase *)with;
        state->sentence[0] = '\0';
}

static void enter(struct erase *erase, enum erase_phase phase) {
        erase_change(erase, set_phase, &phase);
}

static bool save(struct erase *erase, struct error *error) {
        struct buffer CLEANUP(buffer_free) body = {0};
        struct json_writer writer = {.buffer = &body};
        erase_write(erase, &writer);
        json_end(&writer);
        return erase->options.ops->record(erase->options.user, buffer_bytes(&body), error);
}

// What is settled is known up to the views' position only.
static bool catch_up(struct erase *erase, struct error *error) {
        while (views_position(erase->options.views) < erase->state.up_to) {
                if (stopping(erase))
                        return error_set(error, ERROR_UNAVAILABLE, "commute is ending");
                views_wake(erase->options.views);
                pause_ms(PAUSE_MS);
        }
        return true;
}

bool erase_run(struct erase *erase, struct error *error) {
        struct piece piece = {0};
        bool good = catch_up(erase, error) &&
                    (erase->state.cursor > 0 || erase_may_begin(&erase->options, erase->reader, &erase->state, error)) &&
                    all_records(erase, &piece, error);
        if (good)
                enter(erase, ERASE_WAITING);
        good = good && until_settled(erase, &piece, error) && persist(erase, merge_versions, error);
        if (good)
                enter(erase, ERASE_SNAPSHOTS);
        good = good && persist(erase, make_snapshots, error);
        if (good)
                enter(erase, ERASE_SWEEP);
        good = good && persist(erase, sweep_views, error) && persist(erase, sweep_log, error);
        free(piece.waits);
        arena_free(&piece.arena);
        return good;
}
