// SPDX-License-Identifier: Apache-2.0
// POST /events/{Event}: a producer publishes an event by itself. What is given is checked in the version that it says it is of, where
// it came in; on the owner's loop it is changed into the version that is emitted, and goes into its reader's lane.
//
// The version: header Commute-Event-Version, else the body's `event_version`, else 0; two that differ are refused, naming both.
// Identity and repeats are those of calls (DESIGN.md §4). A functional event whose lane is sync is unwrapped and called, and the
// provider's response is the answer. A data event holds its key's lock as a captured write does; where nothing is captured yet there
// is no topic to publish into.
//
// Memory: in the exchange's arena, gone once it is answered, but for a data event's publication, which is malloc'ed.
#include "gateway/data_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/random.h"
#include "schema/schema.h"

enum { PARSE_DEPTH = 64, PRODUCER_MAX = 64 };

// ---- where it came in ----

static bool read_version(const struct http_exchange *exchange, const struct model_event *event, const struct json *body,
                         unsigned *ret_version, struct error *error) {
        struct bytes header;
        uint64_t by_header = 0, by_body = 0;
        bool in_header = http_header_find(exchange->headers, exchange->header_count, BYTES("Commute-Event-Version"), &header);
        if (in_header && !http_header_once(exchange->headers, exchange->header_count, BYTES("Commute-Event-Version")))
                return error_set(error, ERROR_INVALID, "Commute-Event-Version is given more than once");
        if (in_header && !bytes_to_u64(header, &by_header))
                return error_set(error, ERROR_INVALID, "Commute-Event-Version: expected a version, got \"%.*s\"",
                                 (int)MIN(header.size, (size_t)40), header.data);
        bool in_body = change_says_version(body, &by_body);
        if (in_header && in_body && by_header != by_body)
                return error_set(error, ERROR_REJECTED, "Commute-Event-Version says %llu, and event_version in the body says %llu",
                                 (unsigned long long)by_header, (unsigned long long)by_body);
        uint64_t version = in_header ? by_header : by_body;
        if (version >= MAX(event->version_count, (size_t)1))
                return error_set(error, ERROR_REJECTED, "there is no version %llu of %s", (unsigned long long)version, event->name);
        *ret_version = (unsigned)version;
        return true;
}

// As it was given, in its own version.
static bool check_given(struct outside *outside, struct error *error) {
        struct http_exchange *exchange = outside->exchange;
        struct gateway *gateway = outside->gateway;
        struct json_limits limits = {.depth = PARSE_DEPTH};
        if (!json_parse(exchange->body, &limits, exchange->arena, &outside->json, error))
                return error_wrap(error, "body");
        if (!read_version(exchange, outside->event, outside->json, &outside->version, error))
                return false;
        outside->given = outside->version;
        outside->body = exchange->body;
        const struct schema *schema = event_contract(gateway, outside->event, outside->version, error);
        if (!schema)
                return false;
        CLEANUP(buffer_free) struct buffer filled = {0};
        bool fills;
        if (!schema_fill_defaults(schema, outside->json, &filled, &fills, error))
                return error_wrap(error, "body");
        if (fills) {
                outside->body = arena_copy(exchange->arena, buffer_bytes(&filled));
                outside->filled = true;
                if (!json_parse(outside->body, NULL, exchange->arena, &outside->json, error))
                        return error_wrap(error, "event with defaults");
        }
        return (schema_validate(schema, outside->body, outside->json, exchange->arena, error) ||
                error_wrap(error, "the event does not match version %u of %s", outside->version, outside->event->name)) &&
               change_check_version(outside->event, outside->version, outside->json, error);
}

// The name that the producer gives itself, for those who ask who still sends which version.
static const char *producer_of(const struct outside *outside) {
        const struct http_exchange *exchange = outside->exchange;
        struct bytes name;
        bool named = http_header_find(exchange->headers, exchange->header_count, BYTES("Commute-Producer"), &name) && name.size &&
                     name.size <= PRODUCER_MAX;
        for (size_t i = 0; named && i < name.size; i++)
                named = name.data[i] >= ' ' && name.data[i] < 0x7f;
        if (!named)
                name = bytes_of(outside->event->from->name);
        return arena_print(exchange->arena, "%.*s by POST /events/%s", BYTES_PRINT(name), outside->event->name);
}

static bool identify(struct outside *outside, struct shard_request *request, struct error *error) {
        struct http_exchange *exchange = outside->exchange;
        const struct model_communication *communication = outside->route->communication;
        struct bytes identity;
        request->identity_given = !http_header_find(exchange->headers, exchange->header_count, BYTES("Idempotency-Key"), &identity);
        if (request->identity_given) {
                uint8_t random[16];
                char text[2 * sizeof random + 1];
                random_fill(random_real(), random, sizeof random);
                for (size_t i = 0; i < sizeof random; i++)
                        snprintf(text + 2 * i, 3, "%02x", random[i]);
                identity = arena_copy(exchange->arena, bytes_of(text));
        } else if (!identity.size || identity.size > RECORD_IDENTITY_MAX) {
                return error_set(error, ERROR_INVALID, "Idempotency-Key: expected 1 to %d bytes, got %zu", RECORD_IDENTITY_MAX,
                                 identity.size);
        } else if (!http_header_once(exchange->headers, exchange->header_count, BYTES("Idempotency-Key"))) {
                return error_set(error, ERROR_INVALID, "Idempotency-Key is given more than once");
        }
        const struct hash_key *key = &outside->gateway->options.hash_key;
        request->identity_text = identity;
        struct bytes parts[] = {bytes_of(communication->name), bytes_of(communication->from->name), identity};
        request->identity = hash128_of(key, HASH_IDENTITY, parts, ARRAY_SIZE(parts));
        CLEANUP(buffer_free) struct buffer canonical = {0};
        json_canonical(&canonical, outside->json);
        struct bytes body[] = {BYTES("POST"), BYTES("/events"), buffer_bytes(&canonical)};
        request->body_hash = hash128_of(key, HASH_BODY, body, ARRAY_SIZE(body));
        return true;
}

// ---- functional events: on the owner's loop ----

static void refuse_call(struct outside *outside, const struct error *error) {
        bool again = error->code == ERROR_UNAVAILABLE;
        call_answer_error(&outside->call, (unsigned)error_http_status(error->code), error_name(error->code), error->text,
                          again ? "1" : NULL);
}

static bool find_lane(struct outside *outside, struct error *error) {
        struct gateway *gateway = outside->gateway;
        const struct model_communication *communication = outside->route->communication;
        struct call *call = &outside->call;
        struct template_inputs inputs = gateway_inputs(gateway);
        inputs.event = outside->json;
        if (!model_event_key(outside->event, outside->version, &inputs, outside->exchange->arena, &call->shard.key, error))
                return false;
        if (!key_check(outside->gateway, outside->event, call->shard.key, error))
                return false;
        struct bytes parts[] = {bytes_of(communication->name), call->shard.key};
        call->shard.lane = hash128_of(&gateway->options.hash_key, HASH_LANE, parts, ARRAY_SIZE(parts));
        call->owned = &outside->route->shards[hash128_slot(&call->shard.lane) % communication->partitions];
        return true;
}

// It is delivered as outside->delivered says.
static void submit(struct outside *outside) {
        struct call *call = &outside->call;
        const struct model_communication *communication = outside->route->communication;
        struct arena *arena = outside->exchange->arena;
        struct record as_event = {.flags = RECORD_OUTSIDE, .identity_text = call->shard.identity_text};
        struct error error;
        CLEANUP(buffer_free) struct buffer kept = {0};
        struct delivery *delivery = &outside->delivery;
        if (!find_lane(outside, &error) ||
            !delivery_render(outside->gateway, communication, &as_event, &outside->delivered, arena, delivery, &error) ||
            !request_encode(communication, delivery->method, delivery->target, delivery->headers, delivery->header_count, &kept, &error)) {
                refuse_call(outside, &error);
                return;
        }
        call->shard.request = arena_copy(arena, buffer_bytes(&kept));
        call->shard.body = delivery->body;
        shard_request(call->owned->shard, &call->shard);
}

static void made_old(struct change *change) {
        struct outside *outside = CONTAINER_OF(change, struct outside, change);
        event_changed(outside->gateway, change, outside->producer);
        outside->delivered.old = change->body;
        if (change->result == CHANGE_FAILED)
                refuse_call(outside, &change->error);
        else
                submit(outside);
}

// Its target may want version 0.
static void make_old(struct outside *outside) {
        struct change *change = &outside->change;
        struct arena *arena = outside->exchange->arena;
        struct error error;
        if (!delivery_wants_old(&outside->route->communication->async->deliver, &outside->delivered, arena)) {
                submit(outside);
        } else if (!change_prepare(change, outside->gateway, outside->event, outside->version, 0, arena, &error)) {
                refuse_call(outside, &error);
        } else {
                change->done = made_old;
                if (change_begin(change, outside->body) != CHANGE_WAITS)
                        made_old(change);
        }
}

static void unwrapped(struct change *change) {
        struct outside *outside = CONTAINER_OF(change, struct outside, change);
        event_changed(outside->gateway, change, outside->producer);
        outside->delivered = (struct delivered){.version = change->to, .body = change->body};
        if (change->result == CHANGE_FAILED)
                refuse_call(outside, &change->error);
        else
                make_old(outside);
}

// What it would be as a call, should its lane be sync.
static void unwrap(struct outside *outside) {
        unsigned wanted = delivery_version(outside->route->communication, outside->version);
        struct change *change = &outside->change;
        struct error error;
        if (wanted == outside->version) {
                outside->delivered = (struct delivered){.version = wanted, .body = outside->body};
                make_old(outside);
                return;
        }
        if (!change_prepare(change, outside->gateway, outside->event, outside->version, wanted, outside->exchange->arena, &error)) {
                refuse_call(outside, &error);
                return;
        }
        change->done = unwrapped;
        if (change_begin(change, outside->body) != CHANGE_WAITS)
                unwrapped(change);
}

static void changed(struct change *change) {
        struct outside *outside = CONTAINER_OF(change, struct outside, change);
        event_changed(outside->gateway, change, outside->producer);
        if (change->result == CHANGE_FAILED) {
                refuse_call(outside, &change->error);
                return;
        }
        outside->version = change->to;
        outside->body = change->body;
        outside->json = change->json;
        outside->filled |= change->filled;
        unwrap(outside);
}

static void take_call(struct outside *outside) {
        unsigned emitted = event_emitted(outside->gateway, outside->event);
        struct change *change = &outside->change;
        struct error error;
        if (outside->version == emitted) {
                unwrap(outside);
                return;
        }
        if (!change_prepare(change, outside->gateway, outside->event, outside->version, emitted, outside->exchange->arena, &error)) {
                refuse_call(outside, &error);
                return;
        }
        change->done = changed;
        if (change_begin(change, outside->body) != CHANGE_WAITS)
                changed(change);
}

bool outside_event(struct outside *outside, struct record *record, struct bytes *ret_body, struct error *error) {
        if (outside->version != event_emitted(outside->gateway, outside->event))
                return error_set(error, ERROR_UNAVAILABLE, "another version of %s is emitted since this one came; send it again",
                                 outside->event->name);
        record->flags |= RECORD_OUTSIDE | (outside->filled ? (unsigned)RECORD_FILLED : 0);
        record->schema_id = event_schema_id(outside->gateway, outside->event, outside->version);
        *ret_body = outside->body;
        event_used(outside->gateway, outside->event, GATEWAY_PRODUCES, outside->given, "%s", outside->producer);
        return true;
}

static void forwarded(void *user, const struct http_call_result *result) {
        struct outside *outside = user;
        struct route *route = outside->route;
        CLEANUP(arena_free) struct arena arena = {0};
        struct data_response response = data_response_of(result, &arena);
        if (result->outcome == HTTP_CALL_OK)
                route_see_answer(route, result->body);
        atomic_fetch_sub(&route->plain_under_way, 1);
        call_answer(&outside->call, response.status, response.headers, response.header_count, response.body);
}

void outside_forward(struct outside *outside) {
        struct route *route = outside->route;
        const struct model_communication *communication = route->communication;
        struct http_header headers[REQUEST_HEADERS_MAX + 4];
        size_t count = outside_headers(outside, headers);
        struct http_call_options options = {
                .method = outside->delivery.method, .target = outside->delivery.target, .headers = headers, .header_count = count,
                .body = outside->delivery.body, .timeout_ns = MILLISECONDS(communication->tuning.timeout_ms),
        };
        event_used(outside->gateway, outside->event, GATEWAY_PRODUCES, outside->given, "%s", outside->producer);
        route_sample_request(route, outside->delivery.body);
        atomic_fetch_add(&route->plain_under_way, 1);
        http_call(gateway_upstream(outside->gateway, outside->gateway->owner, communication->to), &options, forwarded, outside);
}

// ---- data events: on the owner's loop ----

struct posted {
        struct data_claim claim;                // first
        struct publication publication;
        struct outside *outside;
        struct arena arena;
        struct list link;                       // in data->posted
};

static void posted_end(struct posted *posted) {
        data_release(&posted->claim);
        list_remove(&posted->link);
        arena_free(&posted->arena);
        free(posted);
}

static void answer_receipt(struct outside *outside, uint64_t position) {
        char location[64], body[200];
        snprintf(location, sizeof location, "/receipts/%llu", (unsigned long long)position);
        snprintf(body, sizeof body, "{\"communication\":\"%s\",\"receipt\":\"%s\"}", outside->route->communication->name, location);
        struct http_header headers[] = {{BYTES("Content-Type"), BYTES("application/json")}, {BYTES("Location"), bytes_of(location)}};
        data_answer(outside->exchange, 202, headers, ARRAY_SIZE(headers), bytes_of(body));
}

static void published(struct publication *publication) {
        struct posted *posted = CONTAINER_OF(publication, struct posted, publication);
        if (publication->durable)
                answer_receipt(posted->outside, publication->position);
        else if (publication->answer == SHARD_NOT_VALID)
                data_answer_error(posted->outside->exchange, (unsigned)error_http_status(publication->change.error.code),
                                  error_name(publication->change.error.code), publication->why);
        else if (publication->answer == SHARD_OTHER_BODY || publication->answer == SHARD_IN_PROGRESS)
                data_answer_error(posted->outside->exchange, 409, "identity-reused", publication->why);
        else
                data_answer_error(posted->outside->exchange, 503, publication->unknown ? "log-unknown" : "log-unavailable",
                                  publication->why);
        posted_end(posted);
}

static void key_held(struct data_claim *claim) {
        struct posted *posted = (struct posted *)claim;
        if (data_mode(claim->data, posted->publication.request.key) != LANE_PLAIN) {
                data_publish(&posted->publication);
                return;
        }
        data_answer_error(posted->outside->exchange, 409, "not-published",
                          "nothing is captured of this event now, so that there is no topic to publish into; it was not accepted");
        posted_end(posted);
}

static void take_data(struct outside *outside) {
        struct data *data = outside->route->data;
        struct posted *posted = must_calloc(1, sizeof *posted);
        struct publication *publication = &posted->publication;
        struct template_inputs inputs = gateway_inputs(outside->gateway);
        struct error error;
        posted->outside = outside;
        list_init(&posted->link);
        list_append(&data->posted, &posted->link);
        inputs.event = outside->json;
        publication->request = outside->call.shard;
        if (!model_event_key(outside->event, outside->version, &inputs, &posted->arena, &publication->request.key, &error) ||
            !key_check(data->gateway, outside->event, publication->request.key, &error)) {
                data_answer_error(outside->exchange, (unsigned)error_http_status(error.code), error_name(error.code), error.text);
                posted_end(posted);
                return;
        }
        publication->data = data;
        publication->done = published;
        publication->body = outside->body;
        publication->version = publication->given = outside->version;
        publication->producer = outside->producer;
        publication->arena = &posted->arena;
        publication->flags = RECORD_OUTSIDE | (outside->filled ? (unsigned)RECORD_FILLED : 0);
        publication->named = true;
        list_init(&publication->awaited);
        if (data_claim(data, &posted->claim, publication->request.key, key_held))
                return;
        data_answer_error(outside->exchange, 503, "busy", "too many writes wait for their turn; this one was not accepted");
        posted_end(posted);
}

void posted_free(struct data *data) {
        LIST_FOR_EACH_SAFE(link, &data->posted) {
                struct posted *posted = CONTAINER_OF(link, struct posted, link);
                posted->claim.task.run = posted->publication.task.run = data_bury;
                list_remove(link);
                arena_free(&posted->arena);
        }
}

// ---- the way in ----

static void take_as_owner(struct loop_task *task) {
        struct outside *outside = CONTAINER_OF(task, struct outside, task);
        unsigned refused_below = atomic_load(&event_state(outside->gateway, outside->event)->refused_below);
        if (outside->version < refused_below) {
                data_answer_error(outside->exchange, 422, "version-refused",
                                  arena_print(outside->exchange->arena, "version %u of %s is not taken any more: send version %u",
                                              outside->version, outside->event->name, refused_below));
                return;
        }
        if (outside->route->data)
                take_data(outside);
        else
                take_call(outside);
}

static struct outside *outside_new(struct gateway *gateway, struct route *route, struct http_exchange *exchange,
                                   const struct model_event *event) {
        struct outside *outside = arena_alloc(exchange->arena, sizeof *outside);
        *outside = (struct outside){.gateway = gateway, .route = route, .exchange = exchange, .event = event};
        outside->call = (struct call){.route = route, .exchange = exchange, .target = exchange->path, .outside = outside};
        outside->producer = producer_of(outside);
        list_init(&outside->call.shard.link);
        return outside;
}

void publish_take(struct gateway *gateway, struct http_exchange *exchange, struct bytes name) {
        const struct model_event *event = model_event_find(gateway->options.model, name);
        if (!event) {
                http_answer_error(exchange, 404, "not-found", arena_print(exchange->arena, "no event is called \"%.*s\"",
                                                                           (int)MIN(name.size, (size_t)64), name.data));
                return;
        }
        if (!bytes_equal(exchange->method, BYTES("POST"))) {
                http_answer_error(exchange, 405, "method-not-allowed", "an event is published by POST");
                return;
        }
        struct route *route = event->reader ? &gateway->routes[event->reader->index] : NULL;
        if (!route || !route->shards) {
                http_answer_error(exchange, 409, "not-published", arena_print(exchange->arena, "nothing reads %s", event->name));
                return;
        }
        struct outside *outside = outside_new(gateway, route, exchange, event);
        struct error error;
        atomic_fetch_add_explicit(&route->requests, 1, memory_order_relaxed);
        if (!check_given(outside, &error) || !identify(outside, &outside->call.shard, &error)) {
                http_answer_error(exchange, (unsigned)error_http_status(error.code), error_name(error.code), error.text);
                return;
        }
        outside->task.run = take_as_owner;
        if (loop_is_here(gateway->owner))
                take_as_owner(&outside->task);
        else
                loop_post(gateway->owner, &outside->task);
}
