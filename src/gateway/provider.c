// SPDX-License-Identifier: Apache-2.0
// Calls and deliveries to providers, on the owner's loop. What is sent comes from the caller's exchange while it is there, else
// from the log: the INTENT of a call as it was received, the MESSAGE unwrapped. What comes back is sorted into call_result.
#include "gateway/data_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { SENT_HEADERS_MAX = HTTP_HEADERS_MAX + 4 };

struct provider_call {
        struct list link;                       // in gateway->provider_calls
        struct owned_shard *owned;
        struct shard_message *message;
        enum shard_call kind;
        struct loop_task refusal;
        bool unread;
        char why[200];                          // of a refusal
        // a delivery until it is sent
        struct arena arena;
        struct record record;
        struct change change;
        struct bytes stored;                    // the event as it lies in the topic, and its version
        unsigned stored_version;
        struct delivered delivered;
};

// ---- what the outcome means ----

static bool shows_repeat(const struct model_recognises *recognises, const struct http_call_result *result) {
        struct bytes value;
        return recognises->replayed_name &&
               http_header_find(result->headers, result->header_count, bytes_of(recognises->replayed_name), &value) &&
               (!recognises->replayed_value || bytes_equal_ignore_case(value, bytes_of(recognises->replayed_value)));
}

static enum call_result result_of(const struct http_call_result *result) {
        if (result->outcome == HTTP_CALL_NOT_SENT || (result->outcome == HTTP_CALL_TIMEOUT && !result->sent))
                return CALL_NOT_DONE;
        if (result->outcome != HTTP_CALL_OK)
                return CALL_UNKNOWN;
        if (result->status < 400)
                return CALL_DONE;
        if (result->repeated)
                return CALL_UNKNOWN;            // the first sending may have been executed, whatever the second is told
        if (result->status == 429 || result->status == 503)
                return CALL_NOT_DONE;
        if (result->status == 409)
                return CALL_CONFLICT;
        return result->status < 500 ? CALL_REFUSED : CALL_UNKNOWN;
}

static void provider_answered(void *user, const struct http_call_result *result) {
        struct provider_call *call = user;
        struct owned_shard *owned = call->owned;
        struct gateway *gateway = owned->gateway;
        struct call_outcome outcome = {
                .result = result_of(result),
                .status = result->reason ? 0 : result->status,          // a reason is commute's own: no status came
                .recognised = shows_repeat(&owned->route->communication->recognises, result),
        };
        owned->route->recognised += outcome.recognised;
        CLEANUP(buffer_free) struct buffer answer = {0};
        if (call->kind == SHARD_CALL && result->outcome == HTTP_CALL_OK)
                route_see_answer(owned->route, result->body);
        if (outcome.result == CALL_DONE && call->kind != SHARD_DELIVERY) {
                answer_encode(result->headers, result->header_count, result->body, &answer);
                outcome.answer = buffer_bytes(&answer);
        }
        if (outcome.result == CALL_DONE && owned->route->data)
                data_delivered(owned->route->data, shard_message_position(call->message));
        if (result->reason && outcome.result == CALL_REFUSED)
                outcome.why = result->reason;
        gateway->current = result;
        shard_called(owned->shard, call->message, &outcome);
        gateway->current = NULL;
        list_remove(&call->link);
        arena_free(&call->arena);
        free(call);
}

// What cannot even be rendered is refused for good: it parks its lane. What could not be read or converted now is tried again.
static void refuse(struct loop_task *task) {
        struct provider_call *call = CONTAINER_OF(task, struct provider_call, refusal);
        struct http_call_result refused = {.outcome = HTTP_CALL_OK, .status = 422, .reason = call->why};
        struct http_call_result unread = {.outcome = HTTP_CALL_NOT_SENT, .reason = call->why};
        provider_answered(call, call->unread ? &unread : &refused);
}

// Whether it may end otherwise later, and nobody has to mend anything: the device, or a part of commute (the converter, a log that is
// being reopened) may come back. All else ends as it did: a value that resolves to nothing, a record that is not there any more.
static bool may_pass(enum error_code code) {
        switch (code) {
        case ERROR_UNAVAILABLE: case ERROR_TIMEOUT: case ERROR_FULL: case ERROR_IO:
                return true;
        case ERROR_INVALID: case ERROR_REJECTED: case ERROR_UNSUPPORTED: case ERROR_LIMIT: case ERROR_NOT_FOUND: case ERROR_CONFLICT:
        case ERROR_UNAUTHORIZED: case ERROR_EXHAUSTED: case ERROR_CORRUPT: case ERROR_INTERNAL: case ERROR_NONE:
                return false;
        }
        UNREACHABLE("an error code");
        return false;
}

static void refuse_later(struct provider_call *call, const struct error *error) {
        call->unread = may_pass(error->code);
        data_note(call->why, sizeof call->why, "%s", error->text);
        call->refusal.run = refuse;
        loop_post(call->owned->gateway->owner, &call->refusal);
}

static void bury(struct loop_task *task) {
        struct provider_call *call = CONTAINER_OF(task, struct provider_call, refusal);
        arena_free(&call->arena);
        free(call);
}

// Those that the upstreams have forgotten when they were freed; loops do not run, and loop_free runs what was posted.
void provider_free(struct gateway *gateway) {
        LIST_FOR_EACH_SAFE(link, &gateway->provider_calls) {
                struct provider_call *call = CONTAINER_OF(link, struct provider_call, link);
                if (call->refusal.run)
                        call->refusal.run = bury;
                else
                        bury(&call->refusal);
        }
}

// ---- what is sent ----

static const char *identity_header(const struct model_communication *communication) {
        return communication->recognises.header ? communication->recognises.header : "Idempotency-Key";
}

// Appends the identity, unless the headers have it.
static size_t with_identity(const struct model_communication *communication, struct bytes identity, struct http_header *headers,
                            size_t count) {
        struct bytes name = bytes_of(identity_header(communication)), present;
        if (!identity.size || http_header_find(headers, count, name, &present))
                return count;
        headers[count] = (struct http_header){name, identity};
        return count + 1;
}

// Appends what commute itself presents to the service.
static size_t with_bearer(const struct model_service *service, struct arena *arena, struct http_header *headers, size_t count) {
        if (!service->bearer)
                return count;
        struct bytes value = bytes_of(arena_print(arena, "Bearer %s", service->bearer));
        headers[count] = (struct http_header){BYTES("Authorization"), value};
        return count + 1;
}

unsigned delivery_version(const struct model_communication *communication, unsigned version) {
        const struct model_async *async = communication->async;
        if (communication->kind == MODEL_DATA)
                return model_reads(async, version) ? version : model_reads_instead(async, version);
        unsigned wanted = (unsigned)MIN((size_t)version, async->form_count - 1);
        while (wanted > 0 && !async->forms[wanted].unwrap)
                wanted--;                               // version 0 always has one
        return wanted;
}

const struct model_delivery *delivery_target(const struct model_communication *communication, const struct record *record) {
        const struct model_delivery *deliver = &communication->async->deliver;
        return deliver->target == communication->call && !(record->flags & RECORD_OUTSIDE) ? NULL : deliver;
}

bool delivery_wants_old(const struct model_delivery *delivery, const struct delivered *delivered, struct arena *arena) {
        const struct json *event;
        return delivery && delivery->target && delivered->version && !delivery->key_only &&
               json_parse(delivered->body, NULL, arena, &event, NULL) &&
               model_delivery_wants_old(delivery, delivered->version, event, arena);
}

// An event that came by no call: POST /events.
static bool render_from_event(const struct model_communication *communication, const struct template *unwrap,
                              const struct model_delivered *about, struct arena *arena, struct delivery *ret_delivery,
                              struct error *error) {
        const struct model_delivery *deliver = &communication->async->deliver;
        CLEANUP(buffer_free) struct buffer target = {0};
        CLEANUP(buffer_free) struct buffer body = {0};
        if (!model_delivery_render(deliver, about, arena, &target, error) || !template_render(unwrap, about->inputs, &body, error))
                return false;
        *ret_delivery = (struct delivery){
                .method = bytes_of(target_method(deliver->target)), .target = arena_copy(arena, buffer_bytes(&target)),
                .body = arena_copy(arena, buffer_bytes(&body)), .header_count = 1,
                .headers = {{BYTES("Content-Type"), BYTES("application/json")}},
        };
        return true;
}

bool delivery_render(const struct gateway *gateway, const struct model_communication *communication, const struct record *record,
                     const struct delivered *delivered, struct arena *arena, struct delivery *ret_delivery, struct error *error) {
        const struct template *unwrap = communication->async->forms[delivered->version].unwrap;
        struct template_inputs inputs = gateway_inputs(gateway);
        struct model_delivered about = {.version = delivered->version, .inputs = &inputs};
        struct kept_request kept;
        inputs.id = record->identity_text;
        if (!json_parse(delivered->body, NULL, arena, &inputs.event, error) ||
            (delivered->old.size && !json_parse(delivered->old, NULL, arena, &about.old, error)))
                return error_wrap(error, "event");
        if (record->flags & RECORD_OUTSIDE)
                return render_from_event(communication, unwrap, &about, arena, ret_delivery, error);
        if (!request_decode(record->request, &kept, error))
                return false;
        struct bytes path, query;
        target_split(kept.target, &path, &query);
        struct named_value values[TARGET_VARIABLES_MAX];
        if (target_match(communication->call, kept.method, path, query, arena, values, NULL) != TARGET_MATCHES)
                return error_set(error, ERROR_REJECTED, "the message was made for another request than %s",
                                 target_source(communication->call));          // which may have personal values in its target
        size_t count = target_variable_count(communication->call);
        inputs.path = values;
        inputs.path_count = count;
        struct buffer target = {0}, body = {0};
        const struct model_delivery *deliver = &communication->async->deliver, *made = delivery_target(communication, record);
        bool fine = !made || model_delivery_render(made, &about, arena, &target, error);
        if (!made)
                buffer_append(&target, kept.target);            // as the caller wrote it, its query included
        fine = fine && (record->flags & RECORD_BODYLESS || template_render(unwrap, &inputs, &body, error));
        ret_delivery->method = bytes_of(target_method(deliver->target));
        ret_delivery->target = arena_copy(arena, buffer_bytes(&target));
        ret_delivery->body = arena_copy(arena, buffer_bytes(&body));
        memcpy(ret_delivery->headers, kept.headers, kept.header_count * sizeof *kept.headers);
        ret_delivery->header_count = kept.header_count;
        buffer_free(&target);
        buffer_free(&body);
        return fine;
}

static void send(struct provider_call *call, struct bytes method, struct bytes target, const struct http_header *headers,
                 size_t count, struct bytes body) {
        struct owned_shard *owned = call->owned;
        const struct model_communication *communication = owned->route->communication;
        struct http_call_options options = {
                .method = method,
                .target = target,
                .headers = headers,
                .header_count = count,
                .body = body,
                .timeout_ns = MILLISECONDS(communication->tuning.timeout_ms),
                .repeatable = communication->recognises.header != NULL,
        };
        struct http_upstream *upstream = gateway_upstream(owned->gateway, owned->gateway->owner, communication->to);
        http_call(upstream, &options, provider_answered, call);
}

size_t outside_headers(struct outside *outside, struct http_header *headers) {
        const struct model_communication *communication = outside->route->communication;
        memcpy(headers, outside->delivery.headers, outside->delivery.header_count * sizeof *headers);
        size_t count = with_identity(communication, outside->call.shard.identity_text, headers, outside->delivery.header_count);
        return with_bearer(communication->to, outside->exchange->arena, headers, count);
}

static void send_callers(struct provider_call *provider_call, struct call *call) {
        if (call->outside) {
                struct http_header outsiders[REQUEST_HEADERS_MAX + 4];
                const struct delivery *delivery = &call->outside->delivery;
                size_t outsider_count = outside_headers(call->outside, outsiders);
                route_sample_request(call->route, delivery->body);
                send(provider_call, delivery->method, delivery->target, outsiders, outsider_count, delivery->body);
                return;
        }
        struct http_exchange *exchange = call->exchange;
        struct http_header headers[SENT_HEADERS_MAX];
        size_t count = 0;
        for (size_t i = 0; i < exchange->header_count; i++)
                if (!exchange->has_nominated ||
                    !http_nominated(exchange->headers, exchange->header_count, exchange->headers[i].name))
                        headers[count++] = exchange->headers[i];
        count = with_identity(call->route->communication, call->shard.identity_text, headers, count);
        route_sample_request(call->route, exchange->body);
        send(provider_call, exchange->method, call->target, headers, count, exchange->body);
}

// The event in a version that the reader understands, and where its target wants it in version 0.
static bool send_delivery(struct provider_call *call, struct error *error) {
        struct owned_shard *owned = call->owned;
        const struct model_communication *communication = owned->route->communication;
        const struct record *record = &call->record;
        struct arena *arena = &call->arena;
        struct delivery delivery;
        if (owned->route->data ? !data_delivery_render(owned, record, &call->delivered, arena, &delivery, error)
                               : !delivery_render(owned->gateway, communication, record, &call->delivered, arena, &delivery, error))
                return false;
        size_t count = with_identity(communication, record->identity_text, delivery.headers, delivery.header_count);
        count = with_bearer(communication->to, arena, delivery.headers, count);
        delivery.headers[count++] = (struct http_header){
                BYTES("Commute-Sequence"),
                bytes_of(arena_print(arena, "%llu", (unsigned long long)shard_message_sequence(call->message)))};
        if (!(record->flags & RECORD_TOMBSTONE))
                event_used(owned->gateway, communication->async->event, GATEWAY_CONSUMES, call->delivered.version, "%s by %s",
                           communication->to->name, communication->name);
        send(call, delivery.method, delivery.target, delivery.headers, count, delivery.body);
        return true;
}

static void made_old(struct change *change) {
        struct provider_call *call = CONTAINER_OF(change, struct provider_call, change);
        const struct route *route = call->owned->route;
        struct error error = change->error;
        event_changed(route->gateway, change, route->communication->name);
        call->delivered.old = change->body;
        if (change->result == CHANGE_FAILED)
                error_wrap(&error, "version 0, which the target is made of");
        if (change->result == CHANGE_FAILED || !send_delivery(call, &error))
                refuse_later(call, &error);
}

// Its body is there.
static bool deliver(struct provider_call *call, struct error *error) {
        struct owned_shard *owned = call->owned;
        const struct model_communication *communication = owned->route->communication;
        const struct model_delivery *target = owned->route->data ? data_delivery_target(owned)
                                                                 : delivery_target(communication, &call->record);
        if (!delivery_wants_old(target, &call->delivered, &call->arena))
                return send_delivery(call, error);
        if (call->stored_version == 0) {
                call->delivered.old = call->stored;
                return send_delivery(call, error);
        }
        if (!change_prepare(&call->change, owned->gateway, communication->async->event, call->stored_version, 0, &call->arena, error))
                return false;
        call->change.done = made_old;
        if (change_begin(&call->change, call->stored) != CHANGE_WAITS)
                made_old(&call->change);
        return true;
}

static void changed(struct change *change) {
        struct provider_call *call = CONTAINER_OF(change, struct provider_call, change);
        struct gateway *gateway = call->owned->gateway;
        struct error error = change->error;
        event_changed(gateway, change, call->owned->route->communication->name);
        call->delivered = (struct delivered){.version = change->to, .body = change->body};
        if (change->result == CHANGE_FAILED || !deliver(call, &error))
                refuse_later(call, &error);
}

// What is to be delivered is made from the record as it lies in the topic, which may take the converter's time: the lane waits for
// this message's outcome meanwhile.
static bool begin_delivery(struct provider_call *call, struct bytes event, struct error *error) {
        struct owned_shard *owned = call->owned;
        const struct model_event *of = owned->route->communication->async->event;
        unsigned version = 0;
        call->delivered = (struct delivered){.body = event};
        if (call->record.flags & RECORD_TOMBSTONE)
                return send_delivery(call, error);
        if (!event_version_of(owned->gateway, of, call->record.schema_id, &version, error))
                return false;
        unsigned wanted = delivery_version(owned->route->communication, version);
        call->stored = event;
        call->stored_version = call->delivered.version = version;
        if (wanted == version)
                return deliver(call, error);
        if (!change_prepare(&call->change, owned->gateway, of, version, wanted, &call->arena, error))
                return false;
        call->change.done = changed;
        if (change_begin(&call->change, event) != CHANGE_WAITS)
                changed(&call->change);
        return true;
}

static bool send_recorded(struct provider_call *call, struct error *error) {
        struct owned_shard *owned = call->owned;
        const struct model_communication *communication = owned->route->communication;
        struct record *record = &call->record;
        struct arena *arena = &call->arena;
        struct bytes body;
        if (!owner_read(owned->gateway, shard_message_position(call->message), arena, record, &body, error))
                return false;
        if (call->kind == SHARD_DELIVERY)
                return begin_delivery(call, body, error);
        struct kept_request kept;
        if (!request_decode(record->request, &kept, error))
                return false;
        struct http_header headers[REQUEST_HEADERS_MAX + 4];
        memcpy(headers, kept.headers, kept.header_count * sizeof *headers);
        size_t count = with_identity(communication, record->identity_text, headers, kept.header_count);
        count = with_bearer(communication->to, arena, headers, count);
        send(call, kept.method, kept.target, headers, count, body);
        return true;
}

void op_call(void *user, struct shard_message *message, enum shard_call kind, struct shard_request *request) {
        struct owned_shard *owned = user;
        struct provider_call *call = must_calloc(1, sizeof *call);
        *call = (struct provider_call){.owned = owned, .message = message, .kind = kind};
        list_append(&owned->gateway->provider_calls, &call->link);
        if (request) {
                if (kind == SHARD_CALL && !((struct call *)request)->outside)
                        shadow_call((struct call *)request);
                send_callers(call, (struct call *)request);
                return;
        }
        struct error error;
        if (!send_recorded(call, &error))
                refuse_later(call, &error);
}

void op_forward(void *user, struct shard_request *request) {
        if (((struct owned_shard *)user)->route->data)
                data_op_forward(request);
        else if (((struct call *)request)->outside)
                outside_forward(((struct call *)request)->outside);
        else
                call_forward((struct call *)request);
        route_look_direct(((struct owned_shard *)user)->route);
}
