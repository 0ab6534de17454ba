// SPDX-License-Identifier: Apache-2.0
#include "migrate/usage.h"

#include <stdio.h>

#include "base/arena.h"
#include "log/log.h"
#include "proof/ledger.h"
#include "registry/registry.h"
#include "store/state.h"

struct reading {
        const struct usage_sources *sources;
        const struct model_event *event;
        unsigned from, to;
        uint32_t streams[MIGRATE_PARTITIONS_MAX];
        uint32_t family;                        // of the topic; 0: the views have not heard of it
        struct migrate_usage *usage;
};

enum kind { UNKNOWN, OLD, NEW, OTHER };         // OTHER: newer than what is moved to

static enum kind kind_of(const struct reading *reading, uint32_t schema_id) {
        unsigned version = reading->event->produces;
        bool known = !schema_id;                // written down before schemas were
        for (unsigned i = 0; !known && i < reading->event->version_count; i++) {
                struct registry_version found;
                known = registry_version(reading->sources->registry, bytes_of(reading->event->name), i + 1, &found) &&
                        found.id == schema_id;
                version = i;
        }
        if (!known)
                return UNKNOWN;
        if (version == reading->to)
                return NEW;
        return (reading->from < reading->to) == (version < reading->to) ? OLD : OTHER;
}

static unsigned partition_of(const struct reading *reading, uint32_t stream) {
        unsigned i = 0;
        while (i < reading->event->partitions && reading->streams[i] != stream)
                i++;
        return i;
}

static bool visit_written(void *context, const struct state_written *row, struct error *error) {
        struct reading *reading = context;
        struct migrate_usage *usage = reading->usage;
        unsigned partition = partition_of(reading, row->stream);
        (void)error;
        if (partition == reading->event->partitions)
                return true;
        switch (kind_of(reading, row->schema_id)) {
        case OLD:
                usage->written_old += row->count;
                usage->partitions[partition].last_old = MAX(usage->partitions[partition].last_old, row->last);
                if (row->last > usage->last_old) {
                        usage->last_old = row->last;
                        usage->last_old_ms = row->last_ms;
                }
                break;
        case NEW:
                usage->written_new += row->count;
                usage->last_new = MAX(usage->last_new, row->last);
                break;
        case UNKNOWN:
        case OTHER:
                break;
        }
        return true;
}

static uint64_t earlier(uint64_t known, uint64_t position) {
        return known && known < position ? known : position;
}

static void add_old(struct migrate_usage *usage, const struct state_unsettled_version *row) {
        if (row->state == LEDGER_PARKED) {
                usage->parked += row->count;
                usage->first_parked = earlier(usage->first_parked, row->first);
        } else if (row->state == LEDGER_INDETERMINATE) {
                usage->indeterminate += row->count;
                usage->first_indeterminate = earlier(usage->first_indeterminate, row->first);
        } else if (row->state == LEDGER_TRYING || row->tried) {
                usage->trying += row->count;
        } else {
                usage->waiting += row->count;
        }
}

static bool visit_unsettled(void *context, const struct state_unsettled_version *row, struct error *error) {
        struct reading *reading = context;
        struct migrate_usage *usage = reading->usage;
        unsigned at = partition_of(reading, row->stream);
        (void)error;
        if (at == reading->event->partitions)
                return true;
        enum kind kind = kind_of(reading, row->schema_id);
        if (kind == NEW)
                usage->unsettled_new += row->count;
        else if (kind == UNKNOWN)
                usage->unknown += row->count;
        if (kind != OLD)
                return true;
        struct migrate_partition *partition = &usage->partitions[at];
        partition->unsettled_old += row->count;
        partition->first_old = earlier(partition->first_old, row->first);
        add_old(usage, row);
        return true;
}

static bool visit_kept(void *context, uint32_t family, uint32_t schema_id, uint64_t count, struct error *error) {
        struct reading *reading = context;
        (void)error;
        if (family != reading->family)
                return true;
        enum kind kind = kind_of(reading, schema_id);
        if (kind == OLD || kind == UNKNOWN)
                reading->usage->kept_old += count;
        else if (kind == NEW)
                reading->usage->kept_new += count;
        return true;
}

static bool find_streams(struct reading *reading, struct error *error) {
        char name[LOG_NAME_MAX + 1];
        for (unsigned i = 0; i < reading->event->partitions; i++) {
                int size = snprintf(name, sizeof name, "topic/%s/%u", reading->event->topic, i);
                if (!log_stream(reading->sources->log, (struct bytes){name, (size_t)size}, LOG_STREAM_OFFSETS, &reading->streams[i], error))
                        return false;
        }
        int size = snprintf(name, sizeof name, "topic/%s", reading->event->topic);
        struct error why = {0};
        if (!state_family(reading->sources->reader, (struct bytes){name, (size_t)size}, &reading->family, &why) &&
            why.code != ERROR_NOT_FOUND)
                return error_set(error, why.code, "%s", why.text);
        return true;
}

bool usage_read(const struct usage_sources *sources, const struct model_event *event, unsigned from, unsigned to,
                struct migrate_usage *ret_usage, struct error *error) {
        struct reading reading = {.sources = sources, .event = event, .from = from, .to = to, .usage = ret_usage};
        struct arena CLEANUP(arena_free) arena = {0};
        struct log_record record;
        static_assert((int)MIGRATE_PARTITIONS_MAX == 256, "as many as a topic may have");
        *ret_usage = (struct migrate_usage){.partition_count = event->partitions, .log_end = log_last_position(sources->log)};
        if (!find_streams(&reading, error) || !state_written_each(sources->reader, visit_written, &reading, error) ||
            !state_unsettled_version_each(sources->reader, visit_unsettled, &reading, error) ||
            !state_kept_each(sources->reader, visit_kept, &reading, error) ||
            !state_position(sources->reader, &ret_usage->views_position, error))
                return false;
        ret_usage->old_retained = ret_usage->last_old && log_read_one(sources->log_reader, ret_usage->last_old, &arena, &record, NULL);
        return true;
}
