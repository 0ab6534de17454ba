// SPDX-License-Identifier: Apache-2.0
// Construction and recovery of the gateway, and where a request goes.
#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "gateway/gateway_priv.h"
#include "gateway/views.h"
#include "os/thread.h"
#include "proof/ledger.h"

// ---- routes ----

static bool route_named(const void *element, const void *key) {
        return bytes_equal(bytes_of(((const struct route *)element)->communication->name), *(const struct bytes *)key);
}

static uint64_t name_slot(struct bytes name) {
        return XXH3_64bits(name.data, name.size);       // names are the configuration's, not a caller's
}

struct http_upstream *gateway_upstream(struct gateway *gateway, const struct loop *loop, const struct model_service *service) {
        size_t services = gateway->options.model->service_count;
        for (size_t i = 0; i < gateway->options.loop_count; i++)
                if (gateway->options.loops[i] == loop)
                        return gateway->upstreams[i * services + service->index];
        UNREACHABLE("one of the data plane's loops");
        return NULL;
}

// ---- recovery ----

static bool open_partition(struct gateway *gateway, struct topic_partition *partition, const char *prefix, const char *name,
                           unsigned number, struct error *error) {
        char stream[LOG_NAME_MAX + 1];
        int size = snprintf(stream, sizeof stream, "%s/%s/%u", prefix, name, number);
        struct log_stream_info info;
        if (!log_stream(gateway->options.log, (struct bytes){stream, (size_t)size}, LOG_STREAM_OFFSETS, &partition->stream, error) ||
            !log_stream_info(gateway->options.log, partition->stream, &info, error))
                return false;
        partition->next_offset = info.next_offset;
        return true;
}

static bool restore_lane(void *context, const struct state_lane *lane, struct error *error) {
        (void)error;
        shard_restore_left_async(((struct owned_shard *)context)->shard, &lane->lane);
        return true;
}

static bool restore_message(void *context, const struct state_message *message, struct error *error) {
        struct owned_shard *owned = context;
        struct shard_unsettled unsettled = {
                .position = message->position,
                .identity = message->identity,
                .body_hash = message->body_hash,
                .lane = message->lane,
                .sequence = message->sequence,
                .attempts = message->attempts,
                .was_indeterminate = message->was_indeterminate,
        };
        static const struct {
                enum ledger_state ledger;
                __typeof__(unsettled.state) state;
        } states[] = {
                {LEDGER_OPEN, UNSETTLED_OPEN}, {LEDGER_CALL_INDETERMINATE, UNSETTLED_INDETERMINATE_CALL},
                {LEDGER_WAITING, UNSETTLED_WAITING}, {LEDGER_TRYING, UNSETTLED_TRYING},
                {LEDGER_INDETERMINATE, UNSETTLED_INDETERMINATE}, {LEDGER_PARKED, UNSETTLED_PARKED},
        };
        size_t i = 0;
        while (i < ARRAY_SIZE(states) && states[i].ledger != message->state)
                i++;
        if (i == ARRAY_SIZE(states))
                return error_set(error, ERROR_CORRUPT, "the message at %llu is \"%s\" in the views",
                                 (unsigned long long)message->position, ledger_account_name((enum ledger_state)message->state));
        unsettled.state = states[i].state;
        shard_restore_message(owned->shard, &unsettled);
        return true;
}

// The first record of a shard: without one the log would forget the stream's number. Of a data communication that captures and is
// shadowed also the first of a process: its predecessor may have stepped back without the log, and what was captured is incomplete.
static bool append_epoch(struct owned_shard *owned, enum lane_mode mode, uint32_t epoch, uint64_t *ret_position, struct error *error) {
        struct gateway *gateway = owned->gateway;
        CLEANUP(buffer_free) struct buffer header = {0};
        struct record record = {
                .kind = RECORD_EPOCH, .epoch = epoch, .shard = owned->stream, .mode = mode, .mapping = gateway->options.config_number,
                .time_ms = clock_wall_ms(loop_clock(gateway->owner)),
                .flags = owned->route->communication->kind == MODEL_DATA ? (unsigned)RECORD_UPSERT : 0,
        };
        record_encode(&record, &header);
        struct log_record stored = {.stream = owned->stream, .offset = -1, .header = buffer_bytes(&header)};
        struct log_batch batch = {.records = &stored, .count = 1};
        if (!log_append_wait(gateway->options.log, &batch, error))
                return false;
        *ret_position = stored.position;
        return true;
}

static bool restore_shard(struct owned_shard *owned, struct error *error) {
        struct gateway *gateway = owned->gateway;
        const struct model_communication *communication = owned->route->communication;
        char name[LOG_NAME_MAX + 1];
        int size = snprintf(name, sizeof name, "%s/%u", communication->name, owned->partition);
        if (!log_stream(gateway->options.log, (struct bytes){name, (size_t)size}, LOG_STREAM_PLAIN, &owned->stream, error))
                return false;
        if (communication->async &&
            (!open_partition(gateway, &owned->topic, "topic", communication->async->event->topic, owned->partition, error) ||
             !open_partition(gateway, &owned->shadow, "shadow", communication->name, owned->partition, error)))
                return false;
        const struct model_tuning *tuning = &communication->tuning;
        struct shard_options options = {
                .stream = owned->stream,
                .data = communication->kind == MODEL_DATA,
                .recognises = communication->recognises.header != NULL,
                .recognised_before = gateway->options.recognised_before && !communication->recognises.header &&
                                     gateway->options.recognised_before[communication->index],
                .discard_refused = communication->async && communication->async->refusal == MODEL_DISCARD,
                .deadline_ns = MILLISECONDS(tuning->deadline_ms),
                .settle_ms = tuning->settle_ms,
                .max_backlog = gateway->options.model->settings.max_backlog,
                .max_in_flight = tuning->in_flight,
                .retry_first_ns = MILLISECONDS(tuning->retry_first_ms),
                .retry_longest_ns = MILLISECONDS(tuning->retry_longest_ms),
        };
        owned->shard = shard_new(&options, &owner_ops, owned);
        struct state_shard known;
        bool is_known = state_shard_find(gateway->state, owned->stream, &known, error);
        if (!is_known && error->code != ERROR_NOT_FOUND)
                return false;
        if (!is_known)
                known = (struct state_shard){.mode = communication->initially == MODEL_ASYNC ? LANE_ASYNC
                                                     : communication->initially == MODEL_PUSH ? LANE_PUSH : LANE_PLAIN};
        bool again = is_known && options.data && known.mode == LANE_RECORD;
        if ((!is_known || again) && !append_epoch(owned, (enum lane_mode)known.mode, ++known.epoch, &known.since, error))
                return false;
        shard_restore(owned->shard, (enum lane_mode)known.mode, known.epoch);
        shard_restore_since(owned->shard, known.mode == LANE_PLAIN ? 0 : known.since);
        if (!is_known)
                return true;
        owned->route->continued = true;
        return state_lane_left_each(gateway->state, owned->stream, restore_lane, owned, error) &&
               state_unsettled_each(gateway->state, owned->stream, restore_message, owned, error);
}

static void shard_timer(struct loop_timer *timer) {
        shard_tick(CONTAINER_OF(timer, struct owned_shard, timer)->shard);
}

static bool open_route(struct gateway *gateway, struct route *route, const struct model_communication *communication,
                       struct error *error) {
        route->gateway = gateway;
        route->communication = communication;
        struct bytes name = bytes_of(communication->name);
        table_insert(&gateway->route_table, name_slot(name), route);
        atomic_store(&route->direct, true);
        if (!communication->has_key)
                return true;                            // it stays sync, or pulled, for ever, and needs no lanes
        route->shards = must_calloc(communication->partitions, sizeof *route->shards);
        for (unsigned i = 0; i < communication->partitions; i++) {
                struct owned_shard *owned = &route->shards[i];
                *owned = (struct owned_shard){.gateway = gateway, .route = route, .partition = i, .timer.fire = shard_timer};
                if (!restore_shard(owned, error))
                        return error_wrap(error, "%s, shard %u", communication->name, i);
        }
        if (communication->kind == MODEL_DATA && !data_new(route, error))
                return error_wrap(error, "%s", communication->name);
        route_update_direct(route);
        return true;
}

static bool open_upstreams(struct gateway *gateway, struct error *error) {
        const struct model *model = gateway->options.model;
        gateway->upstreams = must_calloc(gateway->options.loop_count * model->service_count, sizeof(struct http_upstream *));
        struct http_upstream_options options = {
                .max_connections = (unsigned)model->settings.max_upstream_connections,
                .max_queue = (unsigned)model->settings.max_upstream_queue,
                .max_response = model->settings.max_response,
        };
        for (size_t loop = 0; loop < gateway->options.loop_count; loop++)
                for (size_t i = 0; i < model->service_count; i++)
                        if (!http_upstream_new(gateway->options.loops[loop], bytes_of(model->services[i].url), &options,
                                               &gateway->upstreams[loop * model->service_count + i], error))
                                return error_wrap(error, "service %s", model->services[i].name);
        return true;
}

static void views_moved(struct loop_task *task);

bool gateway_new(const struct gateway_options *options, struct gateway **ret_gateway, struct error *error) {
        struct error unused;
        error = error ? error : &unused;
        struct gateway *gateway = must_calloc(1, sizeof *gateway);
        const struct model *model = options->model;
        gateway->options = *options;
        gateway->owner = options->loops[0];
        gateway->views_task.run = views_moved;
        gateway->broken_task.run = owner_log_was_said_broken;
        list_init(&gateway->free_pending);
        list_init(&gateway->under_way);
        list_init(&gateway->unknown);
        list_init(&gateway->provider_calls);
        list_init(&gateway->decisions);
        gateway->routes = must_calloc(model->communication_count, sizeof *gateway->routes);
        bool fine = versions_new(gateway, error) && open_upstreams(gateway, error) &&
                    log_reader_open(options->log, &gateway->log_reader, error) &&
                    state_reader_open(options->state_path, &gateway->state, error);
        if (fine && options->views)
                views_share(options->views, gateway->state);
        for (size_t i = 0; fine && i < model->communication_count; i++)
                fine = open_route(gateway, &gateway->routes[i], &model->communications[i], error);
        if (!fine) {
                gateway_free(gateway);
                return false;
        }
        *ret_gateway = gateway;
        return true;
}

void gateway_start(struct gateway *gateway) {
        for (size_t r = 0; r < gateway->options.model->communication_count; r++) {
                struct route *route = &gateway->routes[r];
                for (unsigned i = 0; route->shards && i < route->communication->partitions; i++)
                        shard_start(route->shards[i].shard);
                if (route->data)
                        data_start(route->data);
        }
}

void gateway_stop(struct gateway *gateway) {
        atomic_store(&gateway->stopping, true);
        for (size_t r = 0; r < gateway->options.model->communication_count; r++) {
                struct route *route = &gateway->routes[r];
                if (route->data)
                        data_stop(route->data);
                for (unsigned i = 0; route->shards && i < route->communication->partitions; i++) {
                        shard_pause(route->shards[i].shard, true);
                        loop_timer_cancel(gateway->owner, &route->shards[i].timer);
                }
        }
}

bool gateway_busy(const struct gateway *gateway) {
        for (size_t r = 0; r < gateway->options.model->communication_count; r++)
                if (gateway->routes[r].data && data_busy(gateway->routes[r].data))
                        return true;
        return !list_empty(&gateway->under_way) || !list_empty(&gateway->provider_calls) || gateway->reopening;
}

static void release(struct gateway *gateway) {
        if (--gateway->holders == 0)
                free(gateway);
}

static void release_views(struct loop_task *task) {
        release(CONTAINER_OF(task, struct gateway, views_task));
}

static void release_broken(struct loop_task *task) {
        release(CONTAINER_OF(task, struct gateway, broken_task));
}

static void release_reopened(struct loop_task *task) {
        release(CONTAINER_OF(task, struct gateway, reopened));
}

// What is posted to a loop that does not run any more is run by loop_free: it finds the gateway's memory, and frees it at last.
static void leave_to_posted(struct gateway *gateway) {
        gateway->holders = 1u + atomic_load(&gateway->views_posted) + atomic_load(&gateway->broken_posted) + gateway->reopening;
        gateway->views_task.run = release_views;
        gateway->broken_task.run = release_broken;
        gateway->reopened.run = release_reopened;
        release(gateway);
}

void gateway_free(struct gateway *gateway) {
        if (!gateway)
                return;
        const struct model *model = gateway->options.model;
        atomic_store(&gateway->stopping, true);
        if (gateway->reopener_started)
                thread_join(gateway->reopener);
        owner_free(gateway);
        converter_free(TAKE(gateway->converter));
        for (size_t r = 0; r < model->communication_count; r++) {
                struct route *route = &gateway->routes[r];
                for (unsigned i = 0; route->shards && i < route->communication->partitions; i++)
                        shard_free(route->shards[i].shard);
                data_free(route->data);
                free(route->shards);
        }
        for (size_t i = 0; gateway->upstreams && i < gateway->options.loop_count * model->service_count; i++)
                http_upstream_free(gateway->upstreams[i]);
        provider_free(gateway);
        log_reader_close(gateway->log_reader);
        state_reader_close(gateway->state);
        table_free(&gateway->route_table);
        arena_free(&gateway->arena);
        buffer_free(&gateway->event);
        free(gateway->upstreams);
        versions_free(gateway);
        free(gateway->routes);
        leave_to_posted(gateway);
}

// ---- what other threads say ----

static void views_moved(struct loop_task *task) {
        struct gateway *gateway = CONTAINER_OF(task, struct gateway, views_task);
        atomic_store(&gateway->views_posted, false);
        uint64_t position = atomic_load(&gateway->views_position);
        for (size_t r = 0; r < gateway->options.model->communication_count; r++) {
                struct route *route = &gateway->routes[r];
                for (unsigned i = 0; route->shards && i < route->communication->partitions; i++)
                        shard_views_passed(route->shards[i].shard, position);
                if (route->data)
                        data_views_moved(route->data, position);
                route_look_direct(route);
        }
}

void gateway_views_moved(struct gateway *gateway, uint64_t position) {
        atomic_store(&gateway->views_position, position);
        if (!atomic_exchange(&gateway->views_posted, true))
                loop_post(gateway->owner, &gateway->views_task);
}

void gateway_log_broken(struct gateway *gateway) {
        if (!atomic_exchange(&gateway->broken_posted, true))
                loop_post(gateway->owner, &gateway->broken_task);
}

// ---- where a request goes ----

static void answer_not_allowed(struct http_exchange *exchange, const char *allowed, const char *message) {
        struct buffer body = {0};
        http_emit_error(&body, "method", message);
        struct http_header headers[] = {{BYTES("Content-Type"), BYTES("application/json")}, {BYTES("Allow"), bytes_of(allowed)}};
        http_answer(exchange, 405, headers, ARRAY_SIZE(headers), buffer_bytes(&body));
        buffer_free(&body);
}

unsigned gateway_refuse_target(struct http_exchange *exchange, const char *name, const struct target *target,
                               enum target_match match) {
        const char *message = arena_print(exchange->arena, "%s is %s; this is another request", name,
                                          target ? target_source(target) : "not read through the gateway");
        if (target && match == TARGET_OTHER_METHOD) {
                answer_not_allowed(exchange, target_method(target), message);
                return 405;
        }
        unsigned status = match == TARGET_MALFORMED ? 400 : 404;
        http_answer_error(exchange, status, status == 400 ? "invalid" : "not-found", message);
        return status;
}

// Which way readers go, as all shards together say it: while they switch, or with capture on, the old way.
static const char *mode_of(const struct route *route, uint32_t *ret_epoch) {
        const struct model_communication *communication = route->communication;
        bool data = communication->kind == MODEL_DATA, copy = true, pushed = true;
        *ret_epoch = 0;
        if (!route->shards)
                return data ? "pull" : "sync";
        for (unsigned i = 0; i < communication->partitions; i++) {
                struct shard_state state;
                shard_state(route->shards[i].shard, &state);
                *ret_epoch = MAX(*ret_epoch, state.epoch);
                pushed = pushed && state.mode == LANE_PUSH;
                copy = copy && (state.mode == LANE_ASYNC || state.mode == LANE_PUSH);
        }
        return pushed ? "push" : copy ? "async" : data ? "pull" : "sync";
}

// The owner's loop: it knows the modes.
static void answer_mode(struct loop_task *task) {
        struct call *call = CONTAINER_OF(task, struct call, task);
        struct http_exchange *exchange = call->exchange;
        uint32_t epoch;
        const char *mode = mode_of(call->route, &epoch);
        struct bytes body = bytes_of(arena_print(exchange->arena, "{\"communication\":\"%s\",\"mode\":\"%s\",\"epoch\":%u}",
                                                 call->route->communication->name, mode, epoch));
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        if (loop_is_here(exchange->loop))
                http_answer(exchange, 200, &type, 1, body);
        else
                http_answer_post(exchange, 200, &type, 1, body);
}

void gateway_answer_mode(struct gateway *gateway, struct http_exchange *exchange, struct bytes name) {
        struct route *route = table_find(&gateway->route_table, name_slot(name), &name, route_named);
        if (!route) {
                http_answer_error(exchange, 404, "not-found", "expected GET /modes/COMMUNICATION of the configuration");
                return;
        }
        struct call *call = arena_alloc(exchange->arena, sizeof *call);
        call->route = route;
        call->exchange = exchange;
        call->task.run = answer_mode;
        if (loop_is_here(gateway->owner))
                answer_mode(&call->task);
        else
                loop_post(gateway->owner, &call->task);
}

// The owner's loop: its reader is the one that looks.
static void answer_receipt(struct loop_task *task) {
        struct call *call = CONTAINER_OF(task, struct call, task);
        struct http_exchange *exchange = call->exchange;
        struct gateway *gateway = exchange->user;
        struct buffer body = {0};
        uint64_t position = 0;
        struct state_message message;
        struct record record;
        struct bytes event;
        struct error error;
        bool numeric = bytes_to_u64(call->target, &position);
        unsigned status = 200;
        if (numeric && state_message_find(gateway->state, position, exchange->arena, &message, &error)) {
                buffer_print(&body, "{\"receipt\":\"/receipts/%llu\",\"state\":\"%s\",\"attempts\":%u}", (unsigned long long)position,
                             ledger_account_name((enum ledger_state)message.state), message.attempts);
        } else if (numeric && owner_read(gateway, position, exchange->arena, &record, &event, &error) &&
                   (record.kind == RECORD_MESSAGE || record.kind == RECORD_INTENT)) {
                buffer_print(&body, "{\"receipt\":\"/receipts/%llu\",\"state\":\"settled\"}", (unsigned long long)position);
        } else {
                status = 404;
                http_emit_error(&body, "not-found", "there is no such receipt, or retention has removed it");
        }
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        if (loop_is_here(exchange->loop))
                http_answer(exchange, status, &type, 1, buffer_bytes(&body));
        else
                http_answer_post(exchange, status, &type, 1, buffer_bytes(&body));
        buffer_free(&body);
}

static void take_receipt(struct gateway *gateway, struct http_exchange *exchange, struct bytes id) {
        struct call *call = arena_alloc(exchange->arena, sizeof *call);
        call->exchange = exchange;
        call->target = id;
        call->task.run = answer_receipt;
        exchange->user = gateway;
        if (loop_is_here(gateway->owner))
                answer_receipt(&call->task);
        else
                loop_post(gateway->owner, &call->task);
}

static void pull_ended(void *user, const struct http_forwarded *result) {
        struct route *route = user;
        atomic_fetch_sub(&route->plain_under_way, 1);
        route_count(route, result->status, result->duration_ns);
}

// A data communication that is pulled: the owner of the data answers.
static void take_pull(struct route *route, struct http_exchange *exchange, struct bytes path, struct bytes query,
                      struct bytes target) {
        const struct model_communication *communication = route->communication;
        struct named_value values[TARGET_VARIABLES_MAX];
        enum target_match match = target_match(communication->pull, exchange->method, path, query, exchange->arena, values, NULL);
        if (match != TARGET_MATCHES) {
                gateway_refuse_target(exchange, communication->name, communication->pull, match);
                return;
        }
        atomic_fetch_add_explicit(&route->requests, 1, memory_order_relaxed);
        atomic_fetch_add(&route->plain_under_way, 1);
        struct http_forward_options options = {
                .target = target, .timeout_ns = MILLISECONDS(communication->tuning.timeout_ms), .repeatable = true,
                .see = route_see_answer,
        };
        http_forward(exchange, gateway_upstream(route->gateway, exchange->loop, communication->from), &options, pull_ended, route);
}

static void take_service(struct gateway *gateway, const struct model_service *service, struct http_exchange *exchange,
                         struct bytes target) {
        http_forward(exchange, gateway_upstream(gateway, exchange->loop, service), &(struct http_forward_options){.target = target},
                     NULL, NULL);
}

void gateway_handle(void *user, struct http_exchange *exchange) {
        struct gateway *gateway = user;
        struct bytes path = exchange->path;
        if (http_path_climbs(path)) {
                http_answer_error(exchange, 400, "invalid", "a path with \".\" or \"..\" segments is not forwarded");
                return;
        }
        const char *slash = path.size > 1 ? memchr(path.data + 1, '/', path.size - 1) : NULL;
        struct bytes name = {path.data + 1, (slash ? (size_t)(slash - path.data) : path.size) - 1};
        struct bytes rest = slash ? (struct bytes){slash, path.size - name.size - 1} : BYTES("/");
        // Path and query are neighbours in the target: what is forwarded is the target without the name in front.
        struct bytes target = rest;
        if (exchange->query.data && slash)
                target.size = (size_t)(exchange->query.data + exchange->query.size - rest.data);
        else if (exchange->query.data)
                target = bytes_of(arena_print(exchange->arena, "/?%.*s", BYTES_PRINT(exchange->query)));
        struct route *route = table_find(&gateway->route_table, name_slot(name), &name, route_named);
        const struct model_service *service = route ? NULL : model_service_find(gateway->options.model, name);
        if (route && route->communication->kind == MODEL_FUNCTIONAL)
                call_take(route, exchange, rest, exchange->query, target);
        else if (route && route->data)
                data_take_read(route->data, exchange, rest, exchange->query, target);
        else if (route)
                take_pull(route, exchange, rest, exchange->query, target);
        else if (service && data_take_write(gateway, service, exchange, rest, exchange->query, target))
                return;
        else if (service)
                take_service(gateway, service, exchange, target);
        else if (slash && (bytes_equal(name, BYTES("receipts")) || bytes_equal(name, BYTES("modes"))) &&
                 !bytes_equal(exchange->method, BYTES("GET")))
                answer_not_allowed(exchange, "GET", "receipts and modes are read with GET");
        else if (bytes_equal(name, BYTES("receipts")) && slash)
                take_receipt(gateway, exchange, (struct bytes){rest.data + 1, rest.size - 1});
        else if (bytes_equal(name, BYTES("events")) && slash)
                publish_take(gateway, exchange, (struct bytes){rest.data + 1, rest.size - 1});
        else if (bytes_equal(name, BYTES("modes")) && slash)
                gateway_answer_mode(gateway, exchange, (struct bytes){rest.data + 1, rest.size - 1});
        else
                http_answer_error(exchange, 404, "not-found", arena_print(exchange->arena, "no communication or service is called \"%.*s\"",
                                                                           (int)MIN(name.size, (size_t)64), name.data));
}
