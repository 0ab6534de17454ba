// SPDX-License-Identifier: Apache-2.0
// One entry is one allocation with its record's bytes behind it: made by journal_append, freed after `done`. The log's writer
// thread sets the outcome and posts the entry to the control loop.
#include "daemon/journal.h"

#include <stdlib.h>

#include "log/log.h"
#include "os/loop.h"

#define AGAIN_NS MILLISECONDS(200)              // between two looks at a log that is broken

struct journal {
        struct log *log;
        struct loop *loop;                      // NULL: appends wait
        uint32_t stream;
        uint32_t config;
        struct list unknown;                    // entries whose fate the log will say
        struct list under_way;
        struct loop_timer again;
};

struct entry {
        struct journal *journal;
        struct log_batch batch;
        struct log_record record;
        struct buffer bytes;                    // header, then body
        struct loop_task task;
        struct list link;
        struct error error;                     // if it did not land
        journal_done *done;
        void *user;
};

static void look_again(struct loop_timer *timer);

bool journal_new(struct log *log, struct journal **ret_journal, struct error *error) {
        uint32_t stream;
        if (!log_stream(log, BYTES("control"), LOG_STREAM_PLAIN, &stream, error))
                return false;
        struct journal *journal = must_calloc(1, sizeof *journal);
        *journal = (struct journal){.log = log, .stream = stream, .again.fire = look_again};
        list_init(&journal->unknown);
        list_init(&journal->under_way);
        *ret_journal = journal;
        return true;
}

static void entry_free(struct entry *entry) {
        list_remove(&entry->link);
        buffer_free(&entry->bytes);
        free(entry);
}

void journal_free(struct journal *journal) {
        if (!journal)
                return;
        LIST_FOR_EACH_SAFE(link, &journal->unknown)
                entry_free(CONTAINER_OF(link, struct entry, link));
        LIST_FOR_EACH_SAFE(link, &journal->under_way)
                entry_free(CONTAINER_OF(link, struct entry, link));
        free(journal);
}

void journal_start(struct journal *journal, struct loop *loop) {
        journal->loop = loop;
}

bool journal_busy(const struct journal *journal) {
        return !list_empty(&journal->under_way) || !list_empty(&journal->unknown);
}

void journal_config(struct journal *journal, uint32_t number) {
        journal->config = number;
}

static void end(struct entry *entry, uint64_t position, const struct error *error) {
        entry->done(entry->user, position, error);
        entry_free(entry);
}

// On the control loop: what became of it.
static void arrived(struct loop_task *task) {
        struct entry *entry = CONTAINER_OF(task, struct entry, task);
        struct journal *journal = entry->journal;
        switch (entry->batch.outcome) {
        case LOG_DURABLE:
                end(entry, entry->record.position, NULL);
                break;
        case LOG_FAILED:
                end(entry, 0, &entry->error);
                break;
        case LOG_UNKNOWN:
                list_remove(&entry->link);
                list_append(&journal->unknown, &entry->link);
                loop_timer_set(journal->loop, &journal->again, loop_now_ns(journal->loop) + AGAIN_NS);
                break;
        case LOG_PENDING:
        default:
                UNREACHABLE("the log told what became of it");
        }
}

static void look_again(struct loop_timer *timer) {
        struct journal *journal = CONTAINER_OF(timer, struct journal, again);
        LIST_FOR_EACH_SAFE(link, &journal->unknown) {
                struct entry *entry = CONTAINER_OF(link, struct entry, link);
                enum log_fate fate;
                struct error error;
                if (log_resolve(journal->log, entry->batch.ticket, &fate, &error))
                        end(entry, entry->batch.ticket, fate == LOG_LANDED ? NULL : &entry->error);
                else if (error.code != ERROR_UNAVAILABLE)
                        end(entry, 0, &error);
        }
        if (!list_empty(&journal->unknown))
                loop_timer_set(journal->loop, &journal->again, loop_now_ns(journal->loop) + AGAIN_NS);
}

static void completed(struct log_batch *batch, const struct error *error) {
        struct entry *entry = CONTAINER_OF(batch, struct entry, batch);
        if (error)
                entry->error = *error;
        loop_post(entry->journal->loop, &entry->task);
}

static struct entry *entry_new(struct journal *journal, enum record_kind kind, struct bytes key, struct bytes body) {
        struct entry *entry = must_calloc(1, sizeof *entry);
        struct record record = {
                .kind = kind, .key = key, .mapping = journal->config, .time_ms = clock_wall_ms(clock_real()),
        };
        record_encode(&record, &entry->bytes);
        size_t header = entry->bytes.size;
        buffer_append(&entry->bytes, body);
        entry->journal = journal;
        entry->record = (struct log_record){
                .stream = journal->stream, .offset = -1,
                .header = {entry->bytes.data, header}, .body = {entry->bytes.data + header, body.size},
        };
        entry->batch = (struct log_batch){.records = &entry->record, .count = 1, .complete = completed};
        entry->task.run = arrived;
        list_append(&journal->under_way, &entry->link);
        return entry;
}

void journal_append(struct journal *journal, enum record_kind kind, struct bytes key, struct bytes body, journal_done *done,
                    void *user) {
        struct entry *entry = entry_new(journal, kind, key, body);
        entry->done = done;
        entry->user = user;
        if (!journal->loop) {
                bool landed = log_append_wait(journal->log, &entry->batch, &entry->error);
                end(entry, entry->record.position, landed ? NULL : &entry->error);
                return;
        }
        if (!log_append(journal->log, &entry->batch, &entry->error)) {
                entry->batch.outcome = LOG_FAILED;
                loop_post(journal->loop, &entry->task);
        }
}
