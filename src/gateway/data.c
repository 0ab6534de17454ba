// SPDX-License-Identifier: Apache-2.0
// A data communication: construction and recovery, where its reads and the owner's writes go, figures and orders. What is decided
// here is decided on the owner's loop; the two data_take functions only look whether nothing is captured (route->direct), and then
// forward where the request came in.
#include "gateway/data_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NANOSECONDS_IN_MS = 1000000 };

// ---- small things ----

uint64_t data_now(const struct data *data) {
        return clock_monotonic_ns(loop_clock(data->gateway->owner));
}

uint64_t data_settle_ns(const struct data *data) {
        return data->communication->tuning.settle_ms * NANOSECONDS_IN_MS;
}

void data_note(char *text, size_t size, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, size, format, arguments);
        va_end(arguments);
}

struct owned_shard *data_shard(const struct data *data, struct bytes key, struct hash128 *ret_lane) {
        struct bytes parts[] = {bytes_of(data->communication->name), key};
        struct hash128 lane = hash128_of(&data->gateway->options.hash_key, HASH_LANE, parts, ARRAY_SIZE(parts));
        if (ret_lane)
                *ret_lane = lane;
        return &data->route->shards[hash128_slot(&lane) % data->communication->partitions];
}

enum lane_mode data_mode(const struct data *data, struct bytes key) {
        return shard_mode(data_shard(data, key, NULL)->shard);
}

static size_t shards_in(const struct data *data, enum lane_mode mode) {
        size_t count = 0;
        for (unsigned i = 0; i < data->communication->partitions; i++)
                count += shard_mode(data->route->shards[i].shard) == mode;
        return count;
}

bool data_captures(const struct data *data) {
        return shards_in(data, LANE_PLAIN) == 0;
}

bool data_copied(const struct data *data) {
        return shards_in(data, LANE_ASYNC) + shards_in(data, LANE_PUSH) == data->communication->partitions;
}

void data_dirty(struct data *data, struct bytes key, uint64_t position) {
        dirty_mark(&data->dirty, key, position, data_now(data) + data_settle_ns(data));
        look_dirty(data);
}

// ---- claims ----

static void claim_held(struct loop_task *task) {
        struct data_claim *claim = CONTAINER_OF(task, struct data_claim, task);
        claim->held(claim);
}

static void claim_granted(struct key_claim *claim) {
        struct data_claim *of_data = (struct data_claim *)claim;
        loop_post(of_data->data->gateway->owner, &of_data->task);
}

bool data_claim(struct data *data, struct data_claim *claim, struct bytes key, void (*held)(struct data_claim *claim)) {
        claim->data = data;
        claim->held = held;
        claim->task.run = claim_held;
        enum lock_result result = lock_take(&data->locks, &claim->claim, key);
        if (result == LOCK_HELD)
                claim_granted(&claim->claim);
        return result != LOCK_FULL;
}

void data_release(struct data_claim *claim) {
        if (claim->data)
                lock_release(&claim->data->locks, &claim->claim);
}

// ---- construction ----

static bool restore_dirty(void *context, const struct state_dirty *dirty, struct error *error) {
        struct data *data = context;
        struct arena CLEANUP(arena_free) arena = {0};
        struct bytes key;
        if (!key_clear(data->gateway, data->event, dirty->key, &arena, &key, error))
                return false;
        // Whether it was being executed when the process ended nobody knows: `settle` counts from now.
        dirty_mark(&data->dirty, key, dirty->position, data_now(data) + data_settle_ns(data));
        return true;
}

static void dirty_timer(struct loop_timer *timer) {
        look_dirty(CONTAINER_OF(timer, struct data, dirty_timer));
}

static void reconcile_timer(struct loop_timer *timer) {
        struct data *data = CONTAINER_OF(timer, struct data, reconcile_timer);
        if (data_copied(data) && data->walk.kind == WALK_NONE)
                walk_begin(data, WALK_RECONCILE);
        loop_timer_set(data->gateway->owner, timer, data_now(data) + MILLISECONDS(data->communication->tuning.reconcile_ms));
}

// A write that two events capture would become an event of one of them alone.
static bool check_captures(const struct model *model, const struct model_event *event, struct error *error) {
        for (size_t i = 0; i < event->capture_count; i++)
                for (size_t e = 0; e < model->event_count; e++)
                        for (size_t j = 0; j < model->events[e].capture_count; j++)
                                if (&model->events[e] != event && model->events[e].from == event->from &&
                                    model->events[e].reader && model->events[e].reader->kind == MODEL_DATA &&
                                    strcmp(target_source(event->captures[i]), target_source(model->events[e].captures[j])) == 0)
                                        return error_set(error, ERROR_UNSUPPORTED, "\"%s\" is captured by %s and %s: one event a "
                                                         "write is supported", target_source(event->captures[i]), event->name,
                                                         model->events[e].name);
        return true;
}

bool data_new(struct route *route, struct error *error) {
        struct data *data = must_calloc(1, sizeof *data);
        struct gateway *gateway = route->gateway;
        route->data = data;
        data->route = route;
        data->gateway = gateway;
        data->communication = route->communication;
        data->event = route->communication->async->event;
        locks_init(&data->locks, DATA_CLAIMS_MAX, claim_granted);
        overlay_init(&data->overlay);
        dirty_init(&data->dirty);
        list_init(&data->captures);
        list_init(&data->pushing);
        list_init(&data->given_up);
        list_init(&data->awaited);
        list_init(&data->looks);
        list_init(&data->serving);
        list_init(&data->posted);
        list_init(&data->walk.rows);
        data->walk.data = data;
        data->dirty_timer.fire = dirty_timer;
        data->reconcile_timer.fire = reconcile_timer;
        if (route->continued)                           // what a predecessor forwarded may be executed still
                atomic_store(&data->plain_doubt_ns, data_now(data));
        struct error unknown = {0};
        if (!check_captures(gateway->options.model, data->event, error))
                return false;
        if (!route->family && !state_family(gateway->state, bytes_of(data->communication->name), &route->family, &unknown))
                return unknown.code == ERROR_NOT_FOUND || error_set(error, unknown.code, "%s", unknown.text);
        return state_dirty_each(gateway->state, route->family, restore_dirty, data, error);
}

void data_start(struct data *data) {
        look_dirty(data);
        if (data->event->backfill && data->event->read)
                loop_timer_set(data->gateway->owner, &data->reconcile_timer,
                               data_now(data) + MILLISECONDS(data->communication->tuning.reconcile_ms));
}

void data_stop(struct data *data) {
        data->stopping = true;
        walk_give_up(data);
        loop_timer_cancel(data->gateway->owner, &data->dirty_timer);
        loop_timer_cancel(data->gateway->owner, &data->reconcile_timer);
}

bool data_busy(const struct data *data) {
        return !list_empty(&data->captures) || !list_empty(&data->serving) ||
               !list_empty(&data->posted) || !list_empty(&data->looks) || !list_empty(&data->walk.rows) || data->walk.call ||
               data->walk.task_posted;
}

// What is still under way may have a task on a loop that does not run any more, and that runs it when it is freed: that is made to
// do nothing, and its memory stays the process's.
void data_bury(struct loop_task *task) {
        (void)task;
}

void data_free(struct data *data) {
        if (!data)
                return;
        bool posted = data->walk.task_posted;
        captures_free(data);
        serving_free(data);
        posted_free(data);
        looks_free(data);
        rows_free(data);
        arena_free(&data->walk.page);
        buffer_free(&data->walk.cursor);
        buffer_free(&data->walk.next);
        buffer_free(&data->walk.swept);
        seen_free(&data->walk.seen);
        locks_free(&data->locks);
        overlay_free(&data->overlay);
        dirty_free(&data->dirty);
        data->walk.task.run = data_bury;
        if (!posted)
                free(data);
}

void data_views_moved(struct data *data, uint64_t position) {
        overlay_passed(&data->overlay, position);
}

// ---- answers ----

void data_answer(struct http_exchange *exchange, unsigned status, const struct http_header *headers, size_t count, struct bytes body) {
        if (loop_is_here(exchange->loop))
                http_answer(exchange, status, headers, count, body);
        else
                http_answer_post(exchange, status, headers, count, body);
}

void data_answer_error(struct http_exchange *exchange, unsigned status, const char *code, const char *message) {
        CLEANUP(buffer_free) struct buffer body = {0};
        http_emit_error(&body, code, message);
        struct http_header headers[] = {
                {BYTES("Content-Type"), BYTES("application/json")}, {BYTES("Retry-After"), BYTES("1")},
        };
        data_answer(exchange, status, headers, status == 503 ? 2 : 1, buffer_bytes(&body));
}

struct data_response data_response_of(const struct http_call_result *result, struct arena *arena) {
        struct data_response response = {.headers = arena_alloc(arena, (result->header_count + 1) * sizeof *response.headers)};
        if (result->outcome != HTTP_CALL_OK) {
                bool late = result->outcome == HTTP_CALL_TIMEOUT, sent = result->outcome != HTTP_CALL_NOT_SENT && result->sent;
                CLEANUP(buffer_free) struct buffer body = {0};
                http_emit_error(&body, late ? "owner-timeout" : sent ? "owner-broke" : "owner-unavailable", result->reason);
                response.status = late ? 504 : sent ? 502 : 503;
                response.headers[response.header_count++] = (struct http_header){BYTES("Content-Type"), BYTES("application/json")};
                response.body = arena_copy(arena, buffer_bytes(&body));
                return response;
        }
        response.status = result->status;
        response.body = result->body;
        for (size_t i = 0; i < result->header_count; i++) {
                enum http_known known = http_known(result->headers[i].name);
                bool nominated = result->has_nominated &&
                                 http_nominated(result->headers, result->header_count, result->headers[i].name);
                if (!http_hop_by_hop(known) && known != HTTP_CONTENT_LENGTH && !nominated)
                        response.headers[response.header_count++] = result->headers[i];
        }
        return response;
}

// The caller's headers as they are sent on; room for HTTP_HEADERS_MAX.
size_t data_request_headers(const struct http_exchange *exchange, struct http_header *headers) {
        size_t count = 0;
        for (size_t i = 0; i < exchange->header_count; i++)
                if (!exchange->has_nominated ||
                    !http_nominated(exchange->headers, exchange->header_count, exchange->headers[i].name))
                        headers[count++] = exchange->headers[i];
        return count;
}

bool data_get(struct data *data, const struct target *target, struct named_value variable, http_call_done *done, void *user,
              struct http_call **ret_call, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        if (!target_render(target, &variable, 1, &text, error))
                return false;
        const struct model_service *owner = data->communication->from;
        struct http_header bearer = {0};
        if (owner->bearer)
                bearer = (struct http_header){BYTES("Authorization"), bytes_of(arena_print(&arena, "Bearer %s", owner->bearer))};
        struct http_call_options options = {
                .method = bytes_of(target_method(target)),
                .target = buffer_bytes(&text),
                .headers = &bearer,
                .header_count = owner->bearer ? 1 : 0,
                .timeout_ns = MILLISECONDS(data->communication->tuning.timeout_ms),
                .repeatable = true,
        };
        struct http_call *call = http_call(gateway_upstream(data->gateway, data->gateway->owner, owner), &options, done, user);
        if (ret_call)
                *ret_call = call;
        return true;
}

// ---- reads: where they came in ----

struct request {
        struct data *data;
        struct http_exchange *exchange;
        const struct target *pattern;
        struct bytes target, key;
        bool extra_query;
        struct loop_task task;
};

static void read_as_owner(struct loop_task *task) {
        struct request *request = CONTAINER_OF(task, struct request, task);
        data_read(request->data, request->exchange, request->target, request->key, request->extra_query);
}

static void read_ended(void *user, const struct http_forwarded *result) {
        struct route *route = user;
        atomic_fetch_sub(&route->plain_under_way, 1);
        route_count(route, result->status, result->duration_ns);
}

static void forward_read(struct loop_task *task) {
        struct request *request = CONTAINER_OF(task, struct request, task);
        struct data *data = request->data;
        struct http_forward_options options = {
                .target = request->target, .timeout_ns = MILLISECONDS(data->communication->tuning.timeout_ms), .repeatable = true,
                .see = route_see_answer,
        };
        atomic_fetch_add_explicit(&data->reads_owner, 1, memory_order_relaxed);
        http_forward(request->exchange, gateway_upstream(data->gateway, request->exchange->loop, data->communication->from), &options,
                     read_ended, data->route);
}

static struct request *request_new(struct data *data, struct http_exchange *exchange, struct bytes target) {
        struct request *request = arena_alloc(exchange->arena, sizeof *request);
        *request = (struct request){.data = data, .exchange = exchange, .target = target};
        return request;
}

static void hand_over(struct request *request, struct loop *loop, void (*run)(struct loop_task *task)) {
        request->task.run = run;
        if (loop_is_here(loop))
                run(&request->task);
        else
                loop_post(loop, &request->task);
}

void data_take_read(struct data *data, struct http_exchange *exchange, struct bytes path, struct bytes query, struct bytes target) {
        const struct model_communication *communication = data->communication;
        struct named_value values[TARGET_VARIABLES_MAX];
        bool extra_query = false;
        enum target_match match = TARGET_DIFFERS;
        if (communication->pull)
                match = target_match(communication->pull, exchange->method, path, query, exchange->arena, values, &extra_query);
        if (match != TARGET_MATCHES) {
                gateway_refuse_target(exchange, communication->name, communication->pull, match);
                return;
        }
        atomic_fetch_add_explicit(&data->route->requests, 1, memory_order_relaxed);
        struct request *request = request_new(data, exchange, target);
        request->key = values[0].value;                 // the model has seen that it is the only variable
        request->extra_query = extra_query;
        atomic_fetch_add(&data->route->plain_under_way, 1);
        if (atomic_load(&data->route->direct)) {
                forward_read(&request->task);
                return;
        }
        atomic_fetch_sub(&data->route->plain_under_way, 1);
        hand_over(request, data->gateway->owner, read_as_owner);
}

void data_forward_read(struct data *data, struct http_exchange *exchange, struct bytes target) {
        atomic_fetch_add(&data->route->plain_under_way, 1);
        hand_over(request_new(data, exchange, target), exchange->loop, forward_read);
}

// ---- writes: where they came in ----

static void plain_write_ended(void *user, const struct http_forwarded *result) {
        struct data *data = user;
        bool known = result->outcome == HTTP_CALL_NOT_SENT || (result->outcome == HTTP_CALL_OK && result->status < 500) ||
                     result->status == 503;
        if (!known)
                atomic_store(&data->plain_doubt_ns, data_now(data));
        atomic_fetch_sub(&data->plain_writes, 1);
}

static void forward_write(struct loop_task *task) {
        struct request *request = CONTAINER_OF(task, struct request, task);
        struct data *data = request->data;
        struct http_forward_options options = {
                .target = request->target, .timeout_ns = MILLISECONDS(data->communication->tuning.timeout_ms),
        };
        atomic_fetch_add_explicit(&data->writes_plain, 1, memory_order_relaxed);
        http_forward(request->exchange, gateway_upstream(data->gateway, request->exchange->loop, data->communication->from), &options,
                     plain_write_ended, data);
}

void capture_forward(struct data *data, struct http_exchange *exchange, struct bytes target) {
        atomic_fetch_add(&data->plain_writes, 1);
        // Who calls frees its target before the exchange's loop looks at it.
        hand_over(request_new(data, exchange, arena_copy(exchange->arena, target)), exchange->loop, forward_write);
}

static void write_as_owner(struct loop_task *task) {
        struct request *request = CONTAINER_OF(task, struct request, task);
        capture_begin(request->data, request->exchange, request->pattern, request->target);
}

bool data_take_write(struct gateway *gateway, const struct model_service *service, struct http_exchange *exchange,
                     struct bytes path, struct bytes query, struct bytes target) {
        const struct model *model = gateway->options.model;
        if (http_method_safe(exchange->method))
                return false;
        for (size_t e = 0; e < model->event_count; e++) {
                const struct model_event *event = &model->events[e];
                struct data *data = event->from == service && event->reader ? gateway->routes[event->reader->index].data : NULL;
                for (size_t i = 0; data && i < event->capture_count; i++) {
                        struct named_value values[TARGET_VARIABLES_MAX];
                        enum target_match match = target_match(event->captures[i], exchange->method, path, query, exchange->arena,
                                                               values, NULL);
                        if (match == TARGET_MALFORMED && !atomic_load(&data->route->direct)) {
                                http_answer_error(exchange, 400, "invalid", "the target has a broken escape, so that nobody can "
                                                  "tell which row would be written");
                                return true;
                        }
                        if (match != TARGET_MATCHES)
                                continue;
                        struct request *request = request_new(data, exchange, target);
                        request->pattern = event->captures[i];
                        // Counted before it looks, so that who waits for plain_writes to be 0 misses none.
                        atomic_fetch_add(&data->plain_writes, 1);
                        if (atomic_load(&data->route->direct)) {
                                forward_write(&request->task);
                                return true;
                        }
                        atomic_fetch_sub(&data->plain_writes, 1);
                        hand_over(request, gateway->owner, write_as_owner);
                        return true;
                }
        }
        return false;
}

// ---- what others say and ask ----

void data_stepped_back(struct data *data) {
        walk_give_up(data);
}

void data_switched(struct data *data, enum lane_mode mode) {
        bool begins = mode == LANE_RECORD && !data_captures(data);
        if (begins || mode == LANE_PLAIN)
                walk_give_up(data);                     // what a backfill had seen is older than the capture that begins
}

bool data_order(struct data *data, const struct gateway_command *command, struct error *error) {
        if (command->order == GATEWAY_REFRESH)
                return refresh_start(data, error);
        if (command->order == GATEWAY_RECONCILE)
                return reconcile_start(data, error);
        if (command->on)
                return backfill_start(data, error);
        if (data->walk.kind == WALK_BACKFILL)
                walk_give_up(data);
        return true;
}

void data_fill(const struct data *data, struct gateway_state *state) {
        state->captures = data->event->capture_count > 0;
        state->captures_under_way = data->captures_under_way;
        state->plain_writes = atomic_load(&data->plain_writes);
        state->dirty_keys = dirty_count(&data->dirty);
        state->topic_dirty = dirty_has_topic(&data->dirty);
        state->captured = data->captured;
        state->rereads = data->rereads;
        state->pushes = data->pushes;
        state->pushes_late = data->pushes_late;
        size_t pushing = 0;
        LIST_FOR_EACH(link, &data->pushing)
                pushing++;
        bool pushed = shards_in(data, LANE_PUSH) > 0;
        state->pushes_stale = pushed && state->waiting + state->parked > pushing ? state->waiting + state->parked - pushing : 0;
        state->refreshing = data->walk.kind == WALK_REFRESH;
        state->refreshed = data->refreshed;
        state->backfill = data->backfill;
        state->reconciliation = data->reconciliation;
}

void data_fill_counters(const struct data *data, struct gateway_counters *counters) {
        counters->reads_copy = atomic_load_explicit(&data->reads_copy, memory_order_relaxed);
        counters->reads_owner = atomic_load_explicit(&data->reads_owner, memory_order_relaxed);
        counters->writes_captured = atomic_load_explicit(&data->writes_captured, memory_order_relaxed);
        counters->writes_plain = atomic_load_explicit(&data->writes_plain, memory_order_relaxed);
}
