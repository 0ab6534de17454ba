// SPDX-License-Identifier: Apache-2.0
// Rows that a batch of the fold touches. See views_priv.h: shards belong to struct views, lanes and messages to the batch's
// arena.
#include "gateway/views_priv.h"

#include <stdlib.h>

static uint64_t spread(uint64_t number) {
        number *= 0x9e3779b97f4a7c15u;
        return number ^ number >> 32;
}

// --- shards -----------------------------------------------------------------------------------------------------------------

static bool shard_equal(const void *element, const void *key) {
        return ((const struct views_shard *)element)->row.stream == *(const uint32_t *)key;
}

static struct views_shard *shard_add(struct views *views, const struct state_shard *row) {
        struct views_shard *shard = must_calloc(1, sizeof *shard);
        shard->row = *row;
        table_insert(&views->shards, spread(row->stream), shard);
        return shard;
}

bool views_family(struct views *views, uint32_t stream, uint32_t *ret_family, struct error *error) {
        if (stream >= views->families_size) {
                uint32_t size = MAX(stream + 1, 2 * views->families_size);
                views->families = must_realloc(views->families, size * sizeof *views->families);
                memset(views->families + views->families_size, 0, (size - views->families_size) * sizeof *views->families);
                views->families_size = size;
        }
        if (!views->families[stream]) {
                struct log_stream_info info;
                if (!log_stream_info(views->options.log, stream, &info, error))
                        return false;
                if (!state_family_intern(views->state, state_family_of_stream(info.name), &views->families[stream], error))
                        return false;
        }
        *ret_family = views->families[stream];
        return true;
}

bool views_shard(struct views *views, uint32_t stream, struct views_shard **ret_shard, struct error *error) {
        struct views_shard *shard = table_find(&views->shards, spread(stream), &stream, shard_equal);
        if (!shard && stream > log_stream_count(views->options.log)) {
                *ret_shard = NULL;
                return true;
        }
        if (!shard) {
                struct state_shard row = {.stream = stream};
                if (stream && !views_family(views, stream, &row.family, error))
                        return false;
                shard = shard_add(views, &row);
                shard->row_changed = stream != 0;
        }
        *ret_shard = shard;
        return true;
}

static bool shard_flush(struct views *views, struct views_shard *shard, struct error *error) {
        if (shard->row_changed && !state_shard_put(views->state, &shard->row, error))
                return false;
        shard->row_changed = false;
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++) {
                if (shard->sums.count[account] == shard->stored.count[account])
                        continue;
                if (!state_account_put(views->state, shard->row.stream,
                                       bytes_of(ledger_account_name((enum ledger_state)account)), shard->sums.count[account],
                                       error))
                        return false;
                shard->stored.count[account] = shard->sums.count[account];
        }
        return true;
}

static bool load_shard(void *context, const struct state_shard *row, struct error *error) {
        (void)error;
        IGNORE(!shard_add(context, row));       // the table has it
        return true;
}

static bool load_account(void *context, uint32_t stream, struct bytes name, int64_t count, struct error *error) {
        struct views *views = context;
        enum ledger_state account = ledger_account_of(name);
        if (account == LEDGER_NONE)
                return error_set(error, ERROR_CORRUPT, "state.db: unknown account \"%.*s\"", BYTES_PRINT(name));
        struct views_shard *shard = table_find(&views->shards, spread(stream), &stream, shard_equal);
        if (!shard)
                shard = shard_add(views, &(struct state_shard){.stream = stream});
        shard->sums.count[account] = shard->stored.count[account] = count;
        return true;
}

void views_shards_free(struct views *views) {
        size_t at = 0;
        for (struct views_shard *shard; (shard = table_next(&views->shards, &at)); )
                free(shard);
        table_free(&views->shards);
        free(views->families);
        views->families = NULL;
        views->families_size = 0;
}

bool views_shards_load(struct views *views, struct error *error) {
        views_shards_free(views);
        struct state_reader *reader = state_own_reader(views->state);
        return state_shard_each(reader, load_shard, views, error) && state_accounts(reader, 0, load_account, views, error);
}

// --- lanes ------------------------------------------------------------------------------------------------------------------

struct lane_key {
        uint32_t shard;
        const struct hash128 *hash;
};

static bool lane_equal(const void *element, const void *key) {
        const struct views_lane *lane = element;
        const struct lane_key *wanted = key;
        return lane->row.shard == wanted->shard && hash128_equal(&lane->row.lane, wanted->hash);
}

bool views_lane(struct views *views, uint32_t shard, const struct hash128 *hash, struct views_lane **ret_lane,
                struct error *error) {
        struct lane_key key = {shard, hash};
        uint64_t slot = hash128_slot(hash) ^ spread(shard);
        struct views_lane *lane = table_find(&views->lanes, slot, &key, lane_equal);
        if (!lane) {
                lane = arena_alloc(&views->arena, sizeof *lane);
                lane->row = (struct state_lane){.shard = shard, .lane = *hash};
                struct error why = {0};
                if (!state_lane_find(state_own_reader(views->state), shard, hash, &views->arena, &lane->row, &why) &&
                    why.code != ERROR_NOT_FOUND)
                        return error_set(error, why.code, "%s", why.text);
                list_append(&views->lanes_touched, &lane->link);
                table_insert(&views->lanes, slot, lane);
        }
        *ret_lane = lane;
        return true;
}

// --- messages ---------------------------------------------------------------------------------------------------------------

static bool message_equal(const void *element, const void *key) {
        return ((const struct views_message *)element)->row.position == *(const uint64_t *)key;
}

static struct views_message *message_add(struct views *views, const struct state_message *row) {
        struct views_message *message = arena_alloc(&views->arena, sizeof *message);
        message->row = *row;
        list_append(&views->messages_touched, &message->link);
        table_insert(&views->messages, spread(row->position), message);
        return message;
}

bool views_message(struct views *views, uint64_t position, struct views_message **ret_message, struct error *error) {
        struct views_message *message = table_find(&views->messages, spread(position), &position, message_equal);
        if (!message) {
                struct state_message row;
                struct error why = {0};
                if (state_message_find(state_own_reader(views->state), position, &views->arena, &row, &why)) {
                        message = message_add(views, &row);
                        message->stored = true;
                } else if (why.code != ERROR_NOT_FOUND) {
                        return error_set(error, why.code, "%s", why.text);
                }
        }
        *ret_message = message && !message->settled ? message : NULL;
        return true;
}

void views_message_new(struct views *views, const struct state_message *row) {
        ASSERT(!table_find(&views->messages, spread(row->position), &row->position, message_equal));
        IGNORE(!message_add(views, row));       // the table has it
}

static bool message_flush(struct views *views, const struct views_message *message, struct error *error) {
        if (message->settled)
                return !message->stored || state_message_delete(views->state, message->row.position, error);
        return message->stored ? state_message_update(views->state, &message->row, error)
                               : state_message_insert(views->state, &message->row, error);
}

// --- versions ---------------------------------------------------------------------------------------------------------------

static bool versions_flush(struct views *views, struct error *error) {
        for (size_t i = 0; i < views->written_count; i++)
                if (!state_written_add(views->state, &views->written[i], error))
                        return false;
        for (size_t i = 0; i < views->kept_count; i++) {
                const struct views_kept *kept = &views->kept[i];
                if (kept->more && !state_kept_add(views->state, kept->family, kept->schema_id, kept->more, error))
                        return false;
        }
        views->written_count = views->kept_count = 0;
        return true;
}

bool views_written(struct views *views, uint32_t stream, uint32_t schema_id, uint64_t position, int64_t time_ms,
                   struct error *error) {
        size_t i = 0;
        while (i < views->written_count && (views->written[i].stream != stream || views->written[i].schema_id != schema_id))
                i++;
        if (i == VIEWS_VERSIONS_MAX) {
                if (!versions_flush(views, error))
                        return false;
                i = 0;
        }
        if (i == views->written_count)
                views->written[views->written_count++] =
                        (struct state_written){.stream = stream, .schema_id = schema_id, .first = position};
        views->written[i].count++;
        views->written[i].last = position;
        views->written[i].last_ms = time_ms;
        return true;
}

bool views_kept(struct views *views, uint32_t family, uint32_t schema_id, int64_t more, struct error *error) {
        size_t i = 0;
        while (i < views->kept_count && (views->kept[i].family != family || views->kept[i].schema_id != schema_id))
                i++;
        if (i == VIEWS_VERSIONS_MAX) {
                if (!versions_flush(views, error))
                        return false;
                i = 0;
        }
        if (i == views->kept_count)
                views->kept[views->kept_count++] = (struct views_kept){.family = family, .schema_id = schema_id};
        views->kept[i].more += more;
        return true;
}

// --- the whole --------------------------------------------------------------------------------------------------------------

void views_batch_clear(struct views *views) {
        table_free(&views->lanes);
        table_free(&views->messages);
        views->lanes = views->messages = (struct table){0};
        list_init(&views->lanes_touched);
        list_init(&views->messages_touched);
        views->written_count = views->kept_count = 0;
}

bool views_flush(struct views *views, struct error *error) {
        LIST_FOR_EACH(link, &views->lanes_touched) {
                const struct views_lane *lane = CONTAINER_OF(link, struct views_lane, link);
                if (lane->changed && !state_lane_put(views->state, &lane->row, error))
                        return false;
        }
        LIST_FOR_EACH(link, &views->messages_touched)
                if (!message_flush(views, CONTAINER_OF(link, struct views_message, link), error))
                        return false;
        size_t at = 0;
        for (struct views_shard *shard; (shard = table_next(&views->shards, &at)); )
                if (!shard_flush(views, shard, error))
                        return false;
        if (!versions_flush(views, error))
                return false;
        views_batch_clear(views);
        return true;
}
