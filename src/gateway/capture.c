// SPDX-License-Identifier: Apache-2.0
// Captured writes of the owner (DESIGN.md §6). One write, with its key's lock held from the first step to the last:
//
//      CAPTURE durable -> the owner is called -> certainly refused: CAPTURE_REFUSED, answered
//                                             -> nobody knows: CAPTURE_UNKNOWN, the key is dirty, answered
//                                             -> done: the event is built, its MESSAGE durable, answered
//
// A write without a key (a POST) takes the lock of the key that its event turns out to have; if something of that key was captured
// meanwhile, the event is read from the owner instead, since what the write said may be old. A done write whose event cannot be
// built or recorded ends as one that nobody knows: what the owner has is read again. In push mode the caller is answered when the
// reader has the event, or after `deadline`.
//
// A CAPTURE that the log does not take: nothing was sent. A shard that is shadowed steps back and the write is forwarded as if
// nothing were captured; else, and while it may become async, it is refused with 503, since an event would be lost.
//
// Memory: a capture is malloc'ed and ends itself. Its exchange's bytes are used until it is answered, never later.
#include "gateway/data_priv.h"

#include <stdio.h>
#include <stdlib.h>

struct capture {
        struct data_claim claim;                // first
        struct publication publication;
        struct list link;                       // in data->captures, or data->given_up
        struct list pushing;                    // in data->pushing
        struct loop_timer deadline;
        struct arena arena;
        struct http_exchange *exchange;         // NULL: answered
        const struct target *pattern;
        struct bytes target, key;               // key: of size 0 while nobody knows it
        struct named_value path[TARGET_VARIABLES_MAX];
        size_t path_count;
        struct owned_shard *owned;              // where its CAPTURE is
        uint64_t position;                      // of its CAPTURE; 0: none yet
        struct data_response response;          // of the owner
        const struct json *body, *answer;       // parsed where the event needs them
        bool reads;                             // the event is the owner's GET
        bool given_up;                          // answered before the log said what became of the CAPTURE
};

// ---- its end ----

static void answer(struct capture *capture) {
        struct http_exchange *exchange = TAKE(capture->exchange);
        const struct data_response *response = &capture->response;
        if (exchange)
                data_answer(exchange, response->status, response->headers, response->header_count, response->body);
}

static void end(struct capture *capture) {
        struct data *data = capture->claim.data;
        ASSERT(!capture->exchange);
        data_release(&capture->claim);
        list_remove(&capture->link);
        list_remove(&capture->pushing);
        list_remove(&capture->publication.awaited);
        loop_timer_cancel(data->gateway->owner, &capture->deadline);
        arena_free(&capture->arena);
        free(capture);
}

static void refuse(struct capture *capture, unsigned status, const char *code, const char *message) {
        data_answer_error(TAKE(capture->exchange), status, code, message);
        end(capture);
}

// The outcome of a CAPTURE that has been told already. If it does not land the CAPTURE stays open: its key is dirty.
struct outcome {
        struct data *data;
        uint64_t position;
        char *key;
        size_t key_size;
};

static void outcome_recorded(void *user, enum append_result result, uint64_t position) {
        struct outcome *outcome = user;
        (void)position;
        if (result == APPEND_UNKNOWN)
                return;
        if (result == APPEND_FAILED)
                data_dirty(outcome->data, (struct bytes){outcome->key, outcome->key_size}, outcome->position);
        free(outcome->key);
        free(outcome);
}

static void record_outcome(struct capture *capture, enum record_kind kind) {
        struct outcome *outcome = must_malloc(sizeof *outcome);
        *outcome = (struct outcome){capture->claim.data, capture->position, bytes_to_text(capture->key), capture->key.size};
        data_record(capture->claim.data, capture->owned, kind, capture->key, capture->position, (struct bytes){0}, outcome_recorded,
                    outcome);
}

static void ended_under_way(struct capture *capture) {
        capture->claim.data->captures_under_way--;
}

// Nobody knows what the owner has, or it is known and cannot be said as an event: it will be read again.
static void unknown(struct capture *capture, bool record, const char *why) {
        struct data *data = capture->claim.data;
        struct bytes late = capture->publication.request.key;
        if (why)
                shadow_difference(data->route, "event of %s: %s", target_source(capture->pattern), why);
        if (record)
                record_outcome(capture, RECORD_CAPTURE_UNKNOWN);
        data_dirty(data, capture->key, capture->position);
        if (!capture->key.size && late.size)
                data_dirty(data, late, capture->position);      // it may have been there before
        ended_under_way(capture);
        answer(capture);
        end(capture);
}

// ---- push ----

static void pushed(struct capture *capture) {
        capture->claim.data->pushes++;
        answer(capture);
        end(capture);
}

void capture_delivered(struct data *data, uint64_t position) {
        LIST_FOR_EACH_SAFE(link, &data->awaited) {
                struct publication *publication = CONTAINER_OF(link, struct publication, awaited);
                if (publication->position != position)
                        continue;
                list_remove(&publication->awaited);
                publication->delivered = true;
                struct capture *capture = CONTAINER_OF(publication, struct capture, publication);
                if (!list_empty(&capture->pushing))
                        pushed(capture);
                return;
        }
}

static void deadline_passed(struct loop_timer *timer) {
        struct capture *capture = CONTAINER_OF(timer, struct capture, deadline);
        capture->claim.data->pushes_late++;
        answer(capture);
        end(capture);
}

// ---- the event ----

static void published(struct publication *publication) {
        struct capture *capture = CONTAINER_OF(publication, struct capture, publication);
        struct data *data = publication->data;
        if (!publication->durable) {
                unknown(capture, !publication->unknown, publication->why);
                return;
        }
        data->captured++;
        ended_under_way(capture);
        bool pushes = publication->delivered || !list_empty(&publication->awaited);
        if (data->route->shadow.on && data_copied(data))
                IGNORE(!look_begin(data, LOOK_SHADOW, publication->request.key, false));        // too many: others will be compared
        data_release(&capture->claim);
        if (!pushes) {
                answer(capture);
                end(capture);
                return;
        }
        if (publication->delivered) {
                pushed(capture);
                return;
        }
        list_append(&data->pushing, &capture->pushing);
        capture->deadline.fire = deadline_passed;
        loop_timer_set(data->gateway->owner, &capture->deadline,
                       data_now(data) + MILLISECONDS(data->communication->tuning.deadline_ms));
}

static const char *producer_of(struct capture *capture) {
        return arena_print(&capture->arena, "%s by %s", capture->claim.data->communication->from->name,
                           target_source(capture->pattern));
}

static void publish(struct capture *capture, struct bytes key, const struct data_event *event) {
        struct publication *publication = &capture->publication;
        publication->data = capture->claim.data;
        publication->done = published;
        publication->request.key = key;
        publication->flags = event ? event->flags : (unsigned)RECORD_TOMBSTONE;
        publication->body = event ? event->body : (struct bytes){0};
        publication->version = publication->given = publication->data->event->produces;
        publication->producer = producer_of(capture);
        publication->arena = &capture->arena;
        publication->reference = capture->position;
        data_publish(publication);
}

static void read_back(void *user, const struct http_call_result *result) {
        struct capture *capture = user;
        struct data *data = capture->claim.data;
        struct bytes key = capture->publication.request.key;
        struct data_event event;
        struct error error;
        if (result->outcome != HTTP_CALL_OK || result->status / 100 != 2) {
                unknown(capture, true, result->outcome == HTTP_CALL_OK ? "the owner does not give the row" : result->reason);
                return;
        }
        if (!data_event_of(data, arena_copy(&capture->arena, result->body), key, &capture->arena, &event, &error)) {
                unknown(capture, true, error.text);
                return;
        }
        publish(capture, key, &event);
}

static void read_row(struct capture *capture) {
        struct data *data = capture->claim.data;
        struct named_value key = {target_variable(data->event->read, 0), capture->publication.request.key};
        struct error error;
        if (!data_get(data, data->event->read, key, read_back, capture, NULL, &error))
                unknown(capture, true, error.text);
}

// The event as the configuration builds it.
static bool render(struct capture *capture, struct data_event *ret_event, struct error *error) {
        struct data *data = capture->claim.data;
        const struct template *template = data->event->body;
        struct template_inputs inputs = gateway_inputs(data->gateway);
        inputs.path = capture->path;
        inputs.path_count = capture->path_count;
        unsigned needs = template_references(template);
        if ((needs & 1u << TEMPLATE_BODY) && !json_parse(capture->exchange->body, NULL, &capture->arena, &inputs.body, error))
                return error_wrap(error, "body");
        if ((needs & 1u << TEMPLATE_RESPONSE) && !json_parse(capture->response.body, NULL, &capture->arena, &inputs.response, error))
                return error_wrap(error, "response");
        CLEANUP(buffer_free) struct buffer text = {0};
        return template_render(template, &inputs, &text, error) &&
               data_event_of(data, arena_copy(&capture->arena, buffer_bytes(&text)), capture->key, &capture->arena, ret_event, error);
}

// The key of a POST is known, and held, now.
static void late_key_held(struct data_claim *claim) {
        struct capture *capture = (struct capture *)claim;
        struct data *data = claim->data;
        struct bytes key = capture->publication.request.key;
        struct data_event event;
        struct error error;
        struct copy copy = data_copy(data, key, &capture->arena);
        bool newer = copy.state == COPY_UNREADABLE || copy.position > capture->position || dirty_has(&data->dirty, key);
        if (!data->event->body || (newer && data->event->read))
                read_row(capture);
        else if (newer)
                unknown(capture, true, "another write of the row was captured meanwhile, and the event has no \"read\"");
        else if (render(capture, &event, &error))
                publish(capture, event.key, &event);
        else
                unknown(capture, true, error.text);
}

static bool owners_key(struct capture *capture, struct bytes *ret_key, struct error *error) {
        const struct data *data = capture->claim.data;
        struct template_inputs inputs = gateway_inputs(data->gateway);
        inputs.event = capture->answer;
        return model_event_key(data->event, data->event->produces, &inputs, &capture->arena, ret_key, error);
}

static void build_without_key(struct capture *capture) {
        struct data *data = capture->claim.data;
        struct data_event event;
        struct error error;
        struct bytes key;
        if (data->event->body) {
                if (!render(capture, &event, &error)) {
                        unknown(capture, true, error.text);
                        return;
                }
                key = event.key;
        } else if (!json_parse(capture->response.body, NULL, &capture->arena, &capture->answer, &error) ||
                   !owners_key(capture, &key, &error) || !key_check(data->gateway, data->event, key, &error)) {
                unknown(capture, true, "the owner's response does not have the row's key");
                return;
        }
        capture->publication.request.key = key;
        if (!data_claim(data, &capture->claim, key, late_key_held))
                unknown(capture, true, "too many wait for their keys");
}

static void build(struct capture *capture) {
        struct data *data = capture->claim.data;
        struct data_event event;
        struct error error;
        capture->publication.request.key = capture->key;
        if (!capture->key.size)
                build_without_key(capture);
        else if (strcmp(target_method(capture->pattern), "DELETE") == 0)
                publish(capture, capture->key, NULL);
        else if (!data->event->body)
                read_row(capture);
        else if (render(capture, &event, &error))
                publish(capture, capture->key, &event);
        else
                unknown(capture, true, error.text);
}

// ---- the owner is called ----

static void owner_answered(void *user, const struct http_call_result *result) {
        struct capture *capture = user;
        capture->response = data_response_of(result, &capture->arena);
        struct data_response *response = &capture->response;
        for (size_t i = 0; i < response->header_count; i++) {
                response->headers[i].name = arena_copy(&capture->arena, response->headers[i].name);
                response->headers[i].value = arena_copy(&capture->arena, response->headers[i].value);
        }
        response->body = arena_copy(&capture->arena, response->body);
        bool not_sent = result->outcome == HTTP_CALL_NOT_SENT || (result->outcome == HTTP_CALL_TIMEOUT && !result->sent);
        bool refused = result->outcome == HTTP_CALL_OK && (result->status / 100 == 4 || result->status == 503);
        if (not_sent || refused) {
                record_outcome(capture, RECORD_CAPTURE_REFUSED);
                ended_under_way(capture);
                answer(capture);
                end(capture);
        } else if (result->outcome == HTTP_CALL_OK && result->status / 100 == 2) {
                build(capture);
        } else {
                unknown(capture, true, NULL);
        }
}

static void call_owner(struct capture *capture) {
        struct data *data = capture->claim.data;
        struct http_header headers[HTTP_HEADERS_MAX];
        struct http_call_options options = {
                .method = capture->exchange->method,
                .target = capture->target,
                .headers = headers,
                .header_count = data_request_headers(capture->exchange, headers),
                .body = capture->exchange->body,
                .timeout_ns = MILLISECONDS(data->communication->tuning.timeout_ms),
        };
        http_call(gateway_upstream(data->gateway, data->gateway->owner, data->communication->from), &options, owner_answered, capture);
}

// ---- its intent ----

static bool may_be_async(const struct data *data, struct bytes key) {
        for (unsigned i = 0; i < data->communication->partitions && !key.size; i++)
                if (shard_may_be_async(data->route->shards[i].shard))
                        return true;
        return key.size && shard_may_be_async(data_shard(data, key, NULL)->shard);
}

static void not_recorded(struct capture *capture, bool is_unknown) {
        struct data *data = capture->claim.data;
        struct http_exchange *exchange = TAKE(capture->exchange);
        ended_under_way(capture);
        if (may_be_async(data, capture->key)) {
                data_answer_error(exchange, 503, "log-unavailable", "the log does not take captured writes now; this one was not "
                                  "made");
        } else {
                for (unsigned i = 0; i < data->communication->partitions; i++)
                        shard_step_back(data->route->shards[i].shard);
                capture_forward(data, exchange, capture->target);
        }
        capture->given_up = true;
        data_release(&capture->claim);
        list_remove(&capture->link);
        list_append(&data->given_up, &capture->link);
        if (!is_unknown)
                end(capture);
}

static void intent_recorded(void *user, enum append_result result, uint64_t position) {
        struct capture *capture = user;
        struct data *data = capture->claim.data;
        if (capture->given_up) {                // it was unknown, and is known now
                capture->position = position;
                if (result == APPEND_DURABLE) {
                        record_outcome(capture, RECORD_CAPTURE_UNKNOWN);
                        data_dirty(data, capture->key, position);
                }
                end(capture);
                return;
        }
        if (result != APPEND_DURABLE) {
                not_recorded(capture, result == APPEND_UNKNOWN);
                return;
        }
        capture->position = position;
        atomic_fetch_add_explicit(&data->writes_captured, 1, memory_order_relaxed);
        call_owner(capture);
}

static void record_intent(struct capture *capture) {
        struct data *data = capture->claim.data;
        CLEANUP(buffer_free) struct buffer kept = {0};
        const struct http_exchange *exchange = capture->exchange;
        if (data->event->is_personal)           // a target has the row's key, and who knows what else
                buffer_print(&kept, "%s\n", target_source(capture->pattern));
        else if (!request_encode(data->communication, exchange->method, capture->target, exchange->headers, exchange->header_count, &kept,
                            NULL))
                buffer_print(&kept, "%.*s %.*s\n", BYTES_PRINT(exchange->method), BYTES_PRINT(capture->target));
        capture->owned = capture->key.size ? data_shard(data, capture->key, NULL) : &data->route->shards[0];
        data->captures_under_way++;
        data_record(data, capture->owned, RECORD_CAPTURE, capture->key, 0, buffer_bytes(&kept), intent_recorded, capture);
}

static bool captures_now(const struct data *data, struct bytes key) {
        if (key.size)
                return data_mode(data, key) != LANE_PLAIN;
        for (unsigned i = 0; i < data->communication->partitions; i++)
                if (shard_mode(data->route->shards[i].shard) != LANE_PLAIN)
                        return true;
        return false;
}

// The mode may have changed while it waited for its key.
static void key_held(struct data_claim *claim) {
        struct capture *capture = (struct capture *)claim;
        if (captures_now(claim->data, capture->key)) {
                record_intent(capture);
                return;
        }
        capture_forward(claim->data, TAKE(capture->exchange), capture->target);
        end(capture);
}

// The variable of the key among those of the write; of size 0: it has none.
static struct bytes find_key(const struct data *data, const struct capture *capture) {
        struct bytes name = data->event->key.tokens[data->event->key.count - 1];
        for (size_t i = 0; i < capture->path_count; i++)
                if (bytes_equal(capture->path[i].name, name))
                        return capture->path[i].value;
        return (struct bytes){0};
}

static struct capture *capture_new(struct data *data, struct http_exchange *exchange, const struct target *pattern,
                                   struct bytes target) {
        struct capture *capture = must_calloc(1, sizeof *capture);
        struct bytes path, query;
        capture->claim.data = data;
        capture->exchange = exchange;
        capture->pattern = pattern;
        capture->target = arena_copy(&capture->arena, target);
        target_split(capture->target, &path, &query);
        enum target_match match = target_match(pattern, exchange->method, path, query, &capture->arena, capture->path, NULL);
        ASSERT(match == TARGET_MATCHES);                // it was looked at where it came in
        capture->path_count = target_variable_count(pattern);
        capture->key = find_key(data, capture);
        list_init(&capture->link);
        list_init(&capture->pushing);
        list_init(&capture->publication.awaited);
        capture->publication.awaits = true;
        list_append(&data->captures, &capture->link);
        return capture;
}

void capture_begin(struct data *data, struct http_exchange *exchange, const struct target *pattern, struct bytes target) {
        struct capture *capture = capture_new(data, exchange, pattern, target);
        struct error error;
        if (!captures_now(data, capture->key)) {
                route_update_direct(data->route);       // nothing is captured any more: the next need not come here
                capture_forward(data, TAKE(capture->exchange), capture->target);
                end(capture);
        } else if (!key_check(data->gateway, data->event, capture->key, &error)) {
                refuse(capture, 413, "key-too-long", "the row's key has more bytes than a record takes");
        } else if (dirty_count(&data->dirty) >= DATA_DIRTY_MAX) {
                refuse(capture, 503, "too-many-dirty", "too many writes have ended without an outcome; this one was not made");
        } else if (!capture->key.size) {
                record_intent(capture);
        } else if (!data_claim(data, &capture->claim, capture->key, key_held)) {
                refuse(capture, 503, "busy", "too many writes wait for their turn; this one was not made");
        }
}

// Whether nobody has heard yet which key it has, or its event is not durable.
static bool is_without_key(const struct capture *capture) {
        return !capture->key.size && capture->position && list_empty(&capture->pushing);
}

uint64_t capture_oldest_without_key(const struct data *data) {
        uint64_t oldest = UINT64_MAX;
        LIST_FOR_EACH(link, &data->captures) {
                const struct capture *capture = CONTAINER_OF(link, struct capture, link);
                if (is_without_key(capture))
                        oldest = MIN(oldest, capture->position);
        }
        return oldest;
}

uint64_t capture_newest_without_key(const struct data *data) {
        uint64_t newest = 0;
        LIST_FOR_EACH(link, &data->captures) {
                const struct capture *capture = CONTAINER_OF(link, struct capture, link);
                if (is_without_key(capture))
                        newest = MAX(newest, capture->position);
        }
        return newest;
}

bool capture_is_under_way(const struct data *data, uint64_t up_to) {
        LIST_FOR_EACH(link, &data->captures) {
                const struct capture *capture = CONTAINER_OF(link, struct capture, link);
                if (capture->position && capture->position <= up_to && list_empty(&capture->pushing))
                        return true;
        }
        return false;
}

void captures_free(struct data *data) {
        LIST_FOR_EACH_SAFE(link, &data->given_up) {
                struct capture *capture = CONTAINER_OF(link, struct capture, link);
                arena_free(&capture->arena);
                free(capture);
        }
        LIST_FOR_EACH_SAFE(link, &data->captures) {
                struct capture *capture = CONTAINER_OF(link, struct capture, link);
                capture->claim.task.run = capture->publication.task.run = data_bury;
                list_remove(link);
                arena_free(&capture->arena);
        }
}
