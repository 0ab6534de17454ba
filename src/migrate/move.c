// SPDX-License-Identifier: Apache-2.0
// A move of a migration: a copy of its state is changed, recorded, and becomes the state when the record is durable.
#include "migrate/migrate_priv.h"

#include <stdio.h>
#include <stdlib.h>

int64_t migrate_now(const struct migrate *migrate) {
        return migrate->options.ops->wall_ms(migrate->options.user);
}

// The copy is the caller's until migration_commit takes it.
struct migration_state *migration_move(struct migration *migration) {
        ASSERT(!migration->next);
        struct migration_state *next = must_malloc(sizeof *next);
        if (migration->now)
                *next = *migration->now;
        else
                *next = (struct migration_state){0};
        return next;
}

void migration_note(struct migration_state *next, int64_t now_ms, const char *format, ...) {
        if (next->history_count == MIGRATE_HISTORY_MAX) {
                memmove(&next->history[0], &next->history[1], (MIGRATE_HISTORY_MAX - 1) * sizeof next->history[0]);
                next->history_count--;
        }
        struct migrate_entry *entry = &next->history[next->history_count++];
        *entry = (struct migrate_entry){.at_ms = now_ms};
        snprintf(entry->step, sizeof entry->step, "%s", migration_step(next)->name);
        va_list arguments;
        va_start(arguments, format);
        migrate_print_list(entry->what, format, arguments);
        va_end(arguments);
}

void migration_enter(struct migration_state *next, size_t step, enum migrate_state state) {
        ASSERT(step < next->table->count);
        next->step = step;
        next->state = state;
        next->resume = MIGRATE_BEFORE;
        next->to_start = next->to_start && state == MIGRATE_BACK;
}

static void appended(struct migrate_append *append, const struct error *error) {
        struct migration *migration = CONTAINER_OF(append, struct migration, append);
        struct migration_state *next = TAKE(migration->next);
        ASSERT(next);
        bool served = migration->serving;
        migration->serving = false;
        if (error) {
                // Whether it landed or not, a record says where a migration may well be; the same move is made again later.
                free(next);
                migrate_say(&migration->live, MIGRATE_WAIT, "the move could not be recorded: %s", error->text);
        } else {
                free(migration->now);
                migration->now = next;
                migration->phase = 0;
                migration->live = (struct migrate_evidence){0};
                migration->view.has_base = false;
                migration->view.usage_before = NULL;
                migration->usage_ms = 0;
                const struct migrate_options *options = &migration->migrate->options;
                if (migration->subject.event) {
                        migration->subject.from = next->from_version;
                        migration->subject.to = next->to_version;
                        options->ops->emit(options->user, migration->subject.event, next->emitted, next->refused_below);
                }
        }
        migrate_want_polls(migration->migrate);
        if (served)
                migration_answer(migration, error);
        else if (migration->request)
                migration_request(migration);
        if (!error)
                migration_cycle(migration);
}

// Takes ownership of next.
void migration_commit(struct migration *migration, struct migration_state *next) {
        ASSERT(!migration->next);
        const struct migrate_options *options = &migration->migrate->options;
        snprintf(next->configuration, sizeof next->configuration, "%s", options->model->hash_text);
        migration->next = next;
        buffer_clear(&migration->body);
        struct json_writer writer = {.buffer = &migration->body};
        struct migrate_subject subject = migration->subject;
        subject.from = next->from_version;
        subject.to = next->to_version;
        migration_write(&writer, next, &subject, NULL, false);
        json_end(&writer);
        migration->append = (struct migrate_append){
                .key = bytes_of(migration->key),
                .body = buffer_bytes(&migration->body),
                .done = appended,
        };
        options->ops->append(options->user, &migration->append);
}
