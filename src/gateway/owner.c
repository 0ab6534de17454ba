// SPDX-License-Identifier: Apache-2.0
// What the shards ask for: appends to the log and what became of them, events, look-ups in the views, timers. Everything runs
// on the owner's loop, except append_complete (the log's writer) and the reopening of a broken log (a thread of its own, since
// it blocks).
#include "gateway/gateway_priv.h"
#include "gateway/views.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "os/random.h"
#include "os/thread.h"
#include "proof/ledger.h"
#include "schema/schema.h"

enum { REOPEN_PAUSE_MS = 200, FREE_PENDING_BYTES = 16 * 1024, FREE_PENDING_KEPT = 1024 };

// ---- appends ----

static struct pending *pending_new(struct gateway *gateway) {
        struct pending *pending;
        if (list_empty(&gateway->free_pending)) {
                pending = must_calloc(1, sizeof *pending);
                list_init(&pending->link);
        } else {
                pending = LIST_FIRST(&gateway->free_pending, struct pending, link);
                list_remove(&pending->link);
                gateway->free_pending_count--;
        }
        list_append(&gateway->under_way, &pending->link);
        buffer_clear(&pending->bytes);
        return pending;
}

static void pending_free(struct gateway *gateway, struct pending *pending) {
        list_remove(&pending->link);
        if (pending->bytes.capacity > FREE_PENDING_BYTES)
                buffer_free(&pending->bytes);
        if (gateway->free_pending_count == FREE_PENDING_KEPT) {
                buffer_free(&pending->bytes);
                free(pending);
                return;
        }
        list_append(&gateway->free_pending, &pending->link);
        gateway->free_pending_count++;
}

static void pending_bury(struct loop_task *task) {
        struct pending *pending = CONTAINER_OF(task, struct pending, task);
        buffer_free(&pending->bytes);
        free(pending);
}

static void pendings_free(struct list *list) {
        LIST_FOR_EACH_SAFE(link, list)
                pending_bury(&CONTAINER_OF(link, struct pending, link)->task);
}

void owner_free(struct gateway *gateway) {
        struct timespec pause = {.tv_nsec = 1000000};
        while (atomic_load(&gateway->at_the_log))       // it ends them all, and writes to them until then
                nanosleep(&pause, NULL);
        LIST_FOR_EACH(link, &gateway->under_way)        // posted to a loop that does not run: loop_free runs them
                CONTAINER_OF(link, struct pending, link)->task.run = pending_bury;
        for (size_t i = 0; i < RECENT_RECORDS; i++)
                buffer_free(&gateway->recent[i].bytes);
        pendings_free(&gateway->free_pending);
        pendings_free(&gateway->unknown);
}

static void partition_ended(struct gateway *gateway, struct topic_partition *partition, enum append_result result) {
        partition->under_way--;
        // What was submitted behind a failure has offsets that will not be; nothing is added until all of it has failed as well.
        partition->failed |= result == APPEND_FAILED;
        if (partition->under_way || !partition->failed)
                return;
        struct log_stream_info info;            // what failed has not used its offset: the next is the durable one
        if (!log_stream_info(gateway->options.log, partition->stream, &info, NULL))
                return;
        partition->next_offset = info.next_offset;
        partition->failed = false;
}

// What may be delivered has a body. Its buffer is exchanged for that of an older record.
static void remember(struct gateway *gateway, struct pending *pending) {
        if (pending->record.body.size == 0 || pending->bytes.capacity > RECENT_BYTES_MAX)
                return;
        struct recent *recent = &gateway->recent[pending->position % RECENT_RECORDS];
        struct buffer older = recent->bytes;
        *recent = (struct recent){pending->position, pending->record.header.size, pending->bytes};
        pending->bytes = older;
}

static void append_ended(struct pending *pending, enum append_result result) {
        struct gateway *gateway = pending->shard->gateway;
        struct shard *shard = pending->shard->shard;
        struct shard_append *append = pending->append;
        owner_heard *heard = pending->heard;
        void *user = pending->heard_user;
        uint64_t position = pending->position;
        if (pending->partition)
                partition_ended(gateway, pending->partition, result);
        if (result == APPEND_DURABLE)
                remember(gateway, pending);
        struct route *route = pending->shard->route;
        bool epoch = append && append->of == APPEND_OF_EPOCH;
        pending_free(gateway, pending);
        if (append)
                shard_appended(shard, append, result, position);
        if (epoch)
                route_update_direct(route);
        if (heard)
                heard(user, result, position);
}

static void append_heard(struct loop_task *task) {
        struct pending *pending = CONTAINER_OF(task, struct pending, task);
        struct gateway *gateway = pending->shard->gateway;
        if (pending->result == APPEND_UNKNOWN) {
                list_remove(&pending->link);
                list_append(&gateway->unknown, &pending->link);
                owner_log_broken(gateway);
                if (pending->append)
                        shard_appended(pending->shard->shard, pending->append, APPEND_UNKNOWN, 0);
                if (pending->heard)
                        pending->heard(pending->heard_user, APPEND_UNKNOWN, 0);
                return;
        }
        if (pending->result == APPEND_DURABLE && gateway->options.views)
                views_wake(gateway->options.views);
        append_ended(pending, pending->result);
        if (log_broken(gateway->options.log))
                owner_log_broken(gateway);
}

static void append_complete(struct log_batch *batch, const struct error *error) {
        (void)error;
        struct pending *pending = CONTAINER_OF(batch, struct pending, batch);
        pending->result = batch->outcome == LOG_DURABLE ? APPEND_DURABLE
                          : batch->outcome == LOG_UNKNOWN ? APPEND_UNKNOWN : APPEND_FAILED;
        pending->position = pending->record.position;
        struct gateway *gateway = pending->shard->gateway;
        loop_post(gateway->owner, &pending->task);
        atomic_fetch_sub(&gateway->at_the_log, 1);
}

static struct pending *append_record(struct owned_shard *owned, const struct record *record, struct bytes body,
                                     struct topic_partition *partition) {
        struct gateway *gateway = owned->gateway;
        struct pending *pending = pending_new(gateway);
        struct record stamped = *record;
        struct arena CLEANUP(arena_free) arena = {0};
        stamped.mapping = gateway->options.config_number;
        stamped.key = key_stored(gateway, key_event(owned->route), record->key, &arena);
        record_encode(&stamped, &pending->bytes);
        size_t header_size = pending->bytes.size;
        buffer_append(&pending->bytes, body);
        pending->record = (struct log_record){
                .stream = partition ? partition->stream : owned->stream,
                .offset = partition ? partition->next_offset : -1,
                .header = {pending->bytes.data, header_size},
                .body = {pending->bytes.data + header_size, body.size},
        };
        pending->batch = (struct log_batch){.records = &pending->record, .count = 1, .complete = append_complete};
        pending->shard = owned;
        pending->append = NULL;
        pending->heard = NULL;
        pending->partition = partition;
        pending->task.run = append_heard;
        if (partition) {
                partition->next_offset++;
                partition->under_way++;
        }
        return pending;
}

static void submit(struct pending *pending) {
        struct gateway *gateway = pending->shard->gateway;
        struct topic_partition *partition = pending->partition;
        // While something is unknown nothing is added, so that records are heard of in the order in which they landed.
        bool refused = !list_empty(&gateway->unknown) || (partition && partition->failed);
        atomic_fetch_add(&gateway->at_the_log, 1);
        if (!refused && log_append(gateway->options.log, &pending->batch, NULL))
                return;
        atomic_fetch_sub(&gateway->at_the_log, 1);
        if (partition) {                        // it was never submitted, and used no offset
                partition->next_offset--;
                partition->under_way--;
                pending->partition = NULL;
        }
        pending->result = APPEND_FAILED;
        pending->position = 0;
        loop_post(gateway->owner, &pending->task);
}

void owner_append_record(struct owned_shard *owned, struct shard_append *append, const struct record *record, struct bytes body,
                         struct topic_partition *partition) {
        struct pending *pending = append_record(owned, record, body, partition);
        pending->append = append;
        submit(pending);
}

void owner_append_heard(struct owned_shard *owned, const struct record *record, struct bytes body, owner_heard *heard, void *user) {
        struct pending *pending = append_record(owned, record, body, NULL);
        pending->heard = heard;
        pending->heard_user = user;
        submit(pending);
}

static void op_append(void *user, struct shard_append *append, const struct record *record, struct bytes body, int64_t offset) {
        struct owned_shard *owned = user;
        ASSERT(offset < 0 || offset == owned->topic.next_offset);
        owner_append_record(owned, append, record, body, offset < 0 ? NULL : &owned->topic);
}

static int64_t op_next_offset(void *user) {
        return ((struct owned_shard *)user)->topic.next_offset;
}

// ---- a broken log ----

// Reopening again would end the same way: only reading the log to its end tells, and that is what a start does.
static void cannot_be_told(struct gateway *gateway, struct error *error) {
        error_wrap(error, "what became of a record that the log was given cannot be told; a restart finds out by reading the log");
        if (gateway->options.fatal)
                gateway->options.fatal(gateway->options.user, error);
        UNREACHABLE("the log says what became of a submission");
}

static void reopened(struct loop_task *task) {
        struct gateway *gateway = CONTAINER_OF(task, struct gateway, reopened);
        gateway->reopening = false;
        struct list unknown;
        list_init(&unknown);
        LIST_FOR_EACH_SAFE(link, &gateway->unknown) {
                list_remove(link);
                list_append(&unknown, link);
        }
        LIST_FOR_EACH_SAFE(link, &unknown) {
                struct pending *pending = CONTAINER_OF(link, struct pending, link);
                list_remove(&pending->link);
                enum log_fate fate;
                struct error error;
                if (!log_resolve(gateway->options.log, pending->batch.ticket, &fate, &error)) {
                        if (error.code != ERROR_UNAVAILABLE)
                                cannot_be_told(gateway, &error);
                        list_append(&gateway->unknown, &pending->link);
                        continue;
                }
                list_append(&gateway->under_way, &pending->link);
                pending->position = fate == LOG_LANDED ? pending->batch.ticket : 0;
                append_ended(pending, fate == LOG_LANDED ? APPEND_DURABLE : APPEND_FAILED);
        }
        if (!list_empty(&gateway->unknown) || log_broken(gateway->options.log))
                owner_log_broken(gateway);
}

static void *reopen(void *user) {
        struct gateway *gateway = user;
        struct timespec pause = {.tv_nsec = REOPEN_PAUSE_MS * 1000000l};
        while (!atomic_load(&gateway->stopping) && !log_reopen(gateway->options.log, NULL))
                nanosleep(&pause, NULL);
        loop_post(gateway->owner, &gateway->reopened);
        return NULL;
}

void owner_log_broken(struct gateway *gateway) {
        if (gateway->reopening || atomic_load(&gateway->stopping))
                return;
        if (gateway->reopener_started)
                thread_join(gateway->reopener);
        gateway->reopened.run = reopened;
        gateway->reopening = gateway->reopener_started = thread_start("log-reopen", reopen, gateway, &gateway->reopener, NULL);
}

void owner_log_was_said_broken(struct loop_task *task) {
        struct gateway *gateway = CONTAINER_OF(task, struct gateway, broken_task);
        atomic_store(&gateway->broken_posted, false);
        if (log_broken(gateway->options.log))
                owner_log_broken(gateway);
}

// ---- events ----

static bool fill_event(struct gateway *gateway, const struct schema *schema, struct bytes *body, struct record *record,
                       struct error *error) {
        const struct json *event;
        CLEANUP(buffer_free) struct buffer filled = {0};
        if (!json_parse(*body, NULL, &gateway->arena, &event, error))
                return error_wrap(error, "event");
        bool fills;
        if (!schema_fill_defaults(schema, event, &filled, &fills, error))
                return error_wrap(error, "event");
        if (!fills)
                return true;
        buffer_clear(&gateway->event);
        buffer_append(&gateway->event, buffer_bytes(&filled));
        *body = buffer_bytes(&gateway->event);
        record->flags |= RECORD_FILLED;
        return true;
}

// Most events do not say their version, and need not be parsed for it: its name is nowhere in them, nor an escape in which it may be
// written otherwise.
static bool says_version(const struct model_event *of, unsigned version, struct bytes body, struct arena *arena, struct error *error) {
        static const struct bytes member = BYTES("\"event_version\""), escape = BYTES("\\u");
        const struct json *event;
        return (!memmem(body.data, body.size, member.data, member.size) && !memmem(body.data, body.size, escape.data, escape.size)) ||
               (json_parse(body, NULL, arena, &event, error) && change_check_version(of, version, event, error));
}

static bool check_event(struct call *call, unsigned version, struct bytes *body, struct record *record, struct error *error) {
        struct gateway *gateway = call->route->gateway;
        const struct model_event *of = call->route->communication->async->event;
        struct arena *arena = &gateway->arena;
        const struct schema *schema = event_schema(gateway, of, version, error);
        if (!schema)
                return false;
        if (schema_has_defaults(schema) && !fill_event(gateway, schema, body, record, error))
                return false;
        if (!schema_validate_bytes(schema, *body, arena, error))
                return error_wrap(error, "the event does not match its schema");
        record->schema_id = event_schema_id(gateway, of, version);
        return says_version(of, version, *body, arena, error);
}

bool owner_event(struct call *call, const struct topic_partition *partition, struct record *record, struct bytes *ret_body) {
        struct route *route = call->route;
        struct gateway *gateway = route->gateway;
        const struct model_async *async = route->communication->async;
        struct buffer now = {0};
        time_append(&now, record->time_ms);
        unsigned version = event_emitted(gateway, async->event);
        struct template_inputs inputs = gateway_inputs(gateway);
        inputs.body = call->body;
        inputs.path = call->path;
        inputs.path_count = call->path_count;
        inputs.sequence = (uint64_t)partition->next_offset * route->communication->partitions + call->owned->partition + 1;
        inputs.has_sequence = true;
        inputs.id = call->shard.identity_text;
        inputs.now = buffer_bytes(&now);
        struct named_value *query = NULL;
        struct bytes path, query_text;
        target_split(call->target, &path, &query_text);
        arena_reset(&gateway->arena);
        buffer_clear(&gateway->event);
        bool fine = query_parse(query_text, &gateway->arena, &query, &inputs.query_count, &call->error);
        inputs.query = query;
        const struct template *wrap = version < async->form_count ? async->forms[version].wrap : NULL;
        if (!wrap)
                fine = fine && error_set(&call->error, ERROR_UNAVAILABLE, "version %u of %s has no `wrap` in %s", version,
                                         async->event->name, route->communication->name);
        fine = fine && template_render(wrap, &inputs, &gateway->event, &call->error);
        buffer_free(&now);
        record->flags |= call->exchange->body.size ? 0 : (unsigned)RECORD_BODYLESS;
        *ret_body = buffer_bytes(&gateway->event);
        if (!fine || !check_event(call, version, ret_body, record, &call->error))
                return false;
        if (record->kind == RECORD_MESSAGE)
                event_used(gateway, async->event, GATEWAY_PRODUCES, version, "%s by %s", route->communication->from->name,
                           route->communication->name);
        return true;
}

static bool op_event(void *user, struct shard_request *request, int64_t offset, struct record *record, struct bytes *ret_body) {
        struct owned_shard *owned = user;
        ASSERT(offset == owned->topic.next_offset);
        if (owned->route->data)
                return data_op_event(request, record, ret_body);
        struct call *call = (struct call *)request;
        if (call->outside)
                return outside_event(call->outside, record, ret_body, &call->error);
        return owner_event(call, &owned->topic, record, ret_body);
}

// ---- look-ups ----

bool owner_read(struct gateway *gateway, uint64_t position, struct arena *arena, struct record *ret_record,
                struct bytes *ret_body, struct error *error) {
        const struct recent *recent = &gateway->recent[position % RECENT_RECORDS];
        if (position && recent->position == position) {
                struct bytes bytes = arena_copy(arena, buffer_bytes(&recent->bytes));
                *ret_body = (struct bytes){bytes.data + recent->header_size, bytes.size - recent->header_size};
                return record_decode((struct bytes){bytes.data, recent->header_size}, ret_record, error);
        }
        struct log_record stored;
        if (!log_read_one(gateway->log_reader, position, arena, &stored, error) ||
            !record_decode(stored.header, ret_record, error))
                return error_wrap(error, "record %" PRIu64, position);
        *ret_body = stored.body;
        return true;
}

static enum shard_look look_failed(const struct error *error) {
        return error->code == ERROR_NOT_FOUND ? SHARD_NOT_KNOWN : SHARD_CANNOT_LOOK;
}

static enum shard_look op_settled(void *user, const struct hash128 *identity, struct shard_settled *ret) {
        struct owned_shard *owned = user;
        struct route *route = owned->route;
        struct error error = {0};
        // The same identity with another key is another shard's, and another body: no body has the hash 0.
        for (unsigned i = 0; i < route->communication->partitions; i++)
                if (&route->shards[i] != owned && shard_knows(route->shards[i].shard, identity)) {
                        *ret = (struct shard_settled){0};
                        return SHARD_KNOWN;
                }
        if (!route->family && !state_family(owned->gateway->state, bytes_of(route->communication->name), &route->family, &error))
                return look_failed(&error);
        struct state_identity found;
        if (!state_identity_find(owned->gateway->state, route->family, identity, &found, &error))
                return look_failed(&error);
        bool sync = found.outcome == LEDGER_ANSWERED || found.outcome == LEDGER_CALL_SETTLED;
        *ret = (struct shard_settled){found.body_hash, sync, found.answer};
        return SHARD_KNOWN;
}

static bool op_lane(void *user, const struct hash128 *lane, uint64_t *ret_last_sequence) {
        struct owned_shard *owned = user;
        struct state_lane found;
        struct error error = {0};
        arena_reset(&owned->gateway->arena);
        bool known = state_lane_find(owned->gateway->state, owned->stream, lane, &owned->gateway->arena, &found, &error);
        if (!known && error.code != ERROR_NOT_FOUND)
                return false;
        *ret_last_sequence = known ? found.last_sequence : 0;
        return true;
}

// ---- the rest ----

static uint64_t op_now(void *user) {
        return clock_monotonic_ns(loop_clock(((struct owned_shard *)user)->gateway->owner));
}

static int64_t op_wall(void *user) {
        return clock_wall_ms(loop_clock(((struct owned_shard *)user)->gateway->owner));
}

static uint64_t op_random(void *user) {
        (void)user;
        return random_u64(random_real());
}

static void op_forgotten(void *user, const struct hash128 *identity) {
        (void)user;
        (void)identity;
}

static void op_wake_at(void *user, uint64_t when_ns) {
        struct owned_shard *owned = user;
        if (!owned->timer.slot || when_ns < owned->timer.deadline_ns)
                loop_timer_set(owned->gateway->owner, &owned->timer, when_ns);
}

static void op_stepped_back(void *user) {
        struct owned_shard *owned = user;
        owned->route->steps_back++;
        owned->route->shadow.on = false;
        if (owned->route->data)
                data_stepped_back(owned->route->data);
}

static void op_decided(void *user, uint64_t position, bool done, const char *why) {
        struct owned_shard *owned = user;
        LIST_FOR_EACH_SAFE(link, &owned->gateway->decisions) {
                struct gateway_command *command = CONTAINER_OF(link, struct gateway_command, link);
                if (command->position != position)
                        continue;
                list_remove(&command->link);
                command->ok = done || error_set(&command->error, ERROR_UNAVAILABLE, "%s", why);
                gateway_order_done(owned->gateway, command);
                return;
        }
}

const struct shard_ops owner_ops = {
        .now_ns = op_now, .wall_ms = op_wall, .random = op_random, .append = op_append, .next_offset = op_next_offset,
        .event = op_event, .call = op_call, .forward = op_forward, .answer = op_answer, .settled = op_settled, .lane = op_lane,
        .forgotten = op_forgotten, .wake_at = op_wake_at, .stepped_back = op_stepped_back, .decided = op_decided,
};
