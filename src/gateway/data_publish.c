// SPDX-License-Identifier: Apache-2.0
// An event of a data communication on its way into its lane's shard: checked, given an identity, admitted as a MESSAGE that is an
// upsert, and remembered in the overlay before anybody hears of it. Also the records of captures, which concern no lane, and the
// request that delivers an event into a reader's own table.
#include "gateway/data_priv.h"
#include "gateway/mask.h"

#include <stdio.h>

#include "json/writer.h"
#include "os/random.h"
#include "schema/schema.h"

enum { PARSE_DEPTH = 64 };

static bool other_key(const struct gateway *gateway, const struct model_event *event, struct bytes key, struct bytes expected,
                      struct error *error) {
        struct buffer CLEANUP(buffer_free) text = {0};
        buffer_append(&text, BYTES("the event has the key "));
        mask_key(&gateway->options.hash_key, event, key, &text);
        buffer_append(&text, BYTES(", the write "));
        mask_key(&gateway->options.hash_key, event, expected, &text);
        return error_set(error, ERROR_REJECTED, "%.*s", BYTES_PRINT(buffer_bytes(&text)));
}

bool data_event_of(const struct data *data, struct bytes source, struct bytes expected_key, struct arena *arena,
                   struct data_event *ret_event, struct error *error) {
        struct gateway *gateway = data->gateway;
        struct data_event event = {.body = source};
        struct json_limits limits = {.depth = PARSE_DEPTH};
        const struct model_event *of = data->event;
        const struct schema *schema = event_schema(gateway, of, of->produces, error);
        if (!schema)
                return false;
        if (!json_parse(source, &limits, arena, &event.json, error))
                return error_wrap(error, "event");
        CLEANUP(buffer_free) struct buffer filled = {0};
        bool fills;
        if (!schema_fill_defaults(schema, event.json, &filled, &fills, error))
                return error_wrap(error, "event");
        if (fills) {
                event.body = arena_copy(arena, buffer_bytes(&filled));
                event.flags |= RECORD_FILLED;
                if (!json_parse(event.body, NULL, arena, &event.json, error))
                        return error_wrap(error, "event with defaults");
        }
        if (!schema_validate(schema, event.body, event.json, arena, error))
                return error_wrap(error, "the event does not match its schema");
        struct template_inputs inputs = gateway_inputs(gateway);
        inputs.event = event.json;
        if (!change_check_version(of, of->produces, event.json, error))
                return false;
        if (!model_event_key(of, of->produces, &inputs, arena, &event.key, error))
                return error_wrap(error, "the event's key");
        if (!key_check(gateway, of, event.key, error))
                return error_wrap(error, "the event's key");
        if (expected_key.size && !bytes_equal(expected_key, event.key))
                return other_key(gateway, of, event.key, expected_key, error);
        *ret_event = event;
        return true;
}

// ---- publishing ----

static void publication_done(struct loop_task *task) {
        struct publication *publication = CONTAINER_OF(task, struct publication, task);
        publication->done(publication);
}

static void give_identity(struct publication *publication) {
        struct data *data = publication->data;
        struct shard_request *request = &publication->request;
        uint8_t random[16];
        random_fill(random_real(), random, sizeof random);
        for (size_t i = 0; i < sizeof random; i++)
                snprintf(publication->identity_text + 2 * i, 3, "%02x", random[i]);
        request->identity_text = bytes_of(publication->identity_text);
        struct bytes parts[] = {bytes_of(data->communication->name), request->identity_text};
        request->identity = hash128_of(&data->gateway->options.hash_key, HASH_IDENTITY, parts, ARRAY_SIZE(parts));
        request->identity_given = true;
}

static void submit(struct publication *publication) {
        struct shard_request *request = &publication->request;
        if (!publication->named)
                give_identity(publication);
        publication->owned = data_shard(publication->data, request->key, &request->lane);
        publication->durable = publication->unknown = publication->outdated = publication->admitted = false;
        list_init(&request->link);
        shard_request(publication->owned->shard, request);
}

static void refuse(struct publication *publication) {
        publication->durable = publication->unknown = false;
        publication->answer = SHARD_NOT_VALID;
        publication->why = arena_print(publication->arena, "%s", publication->change.error.text);
        loop_post(publication->data->gateway->owner, &publication->task);
}

// The order of a key does not change with its version.
static bool same_key(struct publication *publication) {
        struct change *change = &publication->change;
        struct template_inputs inputs = gateway_inputs(publication->data->gateway);
        struct bytes key;
        inputs.event = change->json;
        if (!model_event_key(change->event, change->to, &inputs, change->arena, &key, &change->error))
                return false;
        return bytes_equal(key, publication->request.key) ||
               error_set(&change->error, ERROR_REJECTED, "version %u of %s, made from version %u, has another key", change->to,
                         change->event->name, change->from);
}

static void take_changed(struct publication *publication) {
        struct change *change = &publication->change;
        struct gateway *gateway = publication->data->gateway;
        if (change->result == CHANGE_DONE && !same_key(publication))
                change->result = CHANGE_FAILED;
        event_changed(gateway, change, publication->producer);
        if (change->result == CHANGE_FAILED || atomic_load(&gateway->stopping)) {
                refuse(publication);
                return;
        }
        publication->body = change->body;
        publication->version = change->to;
        publication->flags |= change->filled ? (unsigned)RECORD_FILLED : 0;
        data_publish(publication);                      // another version may be emitted by now
}

static void changed(struct change *change) {
        take_changed(CONTAINER_OF(change, struct publication, change));
}

void data_publish(struct publication *publication) {
        struct data *data = publication->data;
        struct change *change = &publication->change;
        unsigned emitted = event_emitted(data->gateway, data->event);
        publication->task.run = publication_done;
        if ((publication->flags & RECORD_TOMBSTONE) || publication->version == emitted) {
                submit(publication);
                return;
        }
        struct error error;
        if (!change_prepare(change, data->gateway, data->event, publication->version, emitted, publication->arena, &error)) {
                change->error = error;
                refuse(publication);
                return;
        }
        change->done = changed;
        if (change_begin(change, publication->body) != CHANGE_WAITS)
                take_changed(publication);
}

bool data_op_event(struct shard_request *request, struct record *record, struct bytes *ret_body) {
        struct publication *publication = (struct publication *)request;
        struct data *data = publication->data;
        bool tombstone = publication->flags & RECORD_TOMBSTONE;
        if (!tombstone && publication->version != event_emitted(data->gateway, data->event)) {
                publication->outdated = true;
                return false;
        }
        publication->admitted = true;
        record->flags |= publication->flags | RECORD_UPSERT;
        if (publication->data->communication->async->keep_gateway && shard_mode(publication->owned->shard) != LANE_PUSH)
                record->flags |= RECORD_KEPT;
        record->reference = publication->reference;
        record->schema_id = tombstone ? 0 : event_schema_id(data->gateway, data->event, publication->version);
        *ret_body = publication->body;
        return true;
}

static const char *why_not(enum shard_answer answer) {
        switch (answer) {
        case SHARD_LOG_UNAVAILABLE: return "the log does not take messages now";
        case SHARD_LOG_UNKNOWN: return "it is not known yet whether the log has taken the message";
        case SHARD_BACKLOG_FULL: return "max_backlog messages wait already";
        case SHARD_OTHER_BODY: return "this identity came with another event before; it was not accepted";
        case SHARD_IN_PROGRESS: return "the first event of this identity is still under way; this one was not accepted";
        case SHARD_ACCEPTED: case SHARD_RESPONSE: case SHARD_STORED: case SHARD_UNSETTLED: case SHARD_NOT_VALID: break;
        }
        UNREACHABLE("an answer to a message of a data communication");
        return NULL;
}

static void publish_again(struct loop_task *task) {
        data_publish(CONTAINER_OF(task, struct publication, task));
}

static void note_accepted(struct publication *publication, uint64_t position) {
        struct data *data = publication->data;
        struct bytes key = publication->request.key;
        publication->durable = true;
        publication->position = position;
        if (!publication->admitted)
                return;                                 // a repeat of what was accepted before: no news
        overlay_put(&data->overlay, key, publication->body, publication->flags & RECORD_TOMBSTONE, publication->version, position);
        if (publication->awaits && shard_mode(publication->owned->shard) == LANE_PUSH)
                list_append(&data->awaited, &publication->awaited);
        if (publication->flags & RECORD_REREAD)
                dirty_clean(&data->dirty, key, publication->reference);
        if (!(publication->flags & RECORD_TOMBSTONE))
                event_used(data->gateway, data->event, GATEWAY_PRODUCES, publication->given, "%s", publication->producer);
}

// Inside the shard: what must be true at once is made so here, the rest is done in a turn of its own.
void data_op_answer(struct shard_request *request, enum shard_answer answer, uint64_t position) {
        struct publication *publication = (struct publication *)request;
        publication->answer = answer;
        if (answer == SHARD_NOT_VALID && publication->outdated) {
                publication->task.run = publish_again;
        } else if (answer == SHARD_ACCEPTED) {
                note_accepted(publication, position);
        } else {
                publication->unknown = answer == SHARD_LOG_UNKNOWN;
                publication->why = why_not(answer);
        }
        loop_post(publication->data->gateway->owner, &publication->task);
}

void data_op_forward(struct shard_request *request) {
        struct publication *publication = (struct publication *)request;
        publication->answer = SHARD_LOG_UNAVAILABLE;
        publication->why = "capture has been switched off";
        loop_post(publication->data->gateway->owner, &publication->task);
}

void data_record(struct data *data, struct owned_shard *owned, enum record_kind kind, struct bytes key, uint64_t reference,
                 struct bytes request, owner_heard *heard, void *user) {
        struct record record = {
                .kind = kind,
                .epoch = shard_epoch(owned->shard),
                .shard = owned->stream,
                .reference = reference,
                .time_ms = clock_wall_ms(loop_clock(data->gateway->owner)),
                .key = key,
                .request = request,
        };
        if (key.size)
                data_shard(data, key, &record.lane);
        owner_append_heard(owned, &record, (struct bytes){0}, heard, user);
}

// ---- deliveries ----

// The key alone, where the event has it: what the target of a tombstone's delivery is rendered from.
static struct bytes key_document(const struct model_event *event, struct bytes key, struct arena *arena) {
        struct buffer text = {0};
        for (size_t i = 0; i < event->key.count; i++) {
                buffer_append_byte(&text, '{');
                json_quote(&text, event->key.tokens[i]);
                buffer_append_byte(&text, ':');
        }
        json_quote(&text, key);
        for (size_t i = 0; i < event->key.count; i++)
                buffer_append_byte(&text, '}');
        struct bytes document = arena_copy(arena, buffer_bytes(&text));
        buffer_free(&text);
        return document;
}

// A version without an `unwrap` of its own is delivered as it is.
static const struct template *unwrap_of(const struct model_async *async, unsigned version) {
        return version < async->form_count ? async->forms[version].unwrap : NULL;
}

// What was to be pushed is pushed still, should the mode have changed and nothing else be configured.
const struct model_delivery *data_delivery_target(struct owned_shard *owned) {
        const struct model_communication *communication = owned->route->communication;
        bool push = communication->push.target &&
                    (shard_mode(owned->shard) == LANE_PUSH || !communication->async->deliver.target);
        return push ? &communication->push : &communication->async->deliver;
}

// An upsert is sent as the configuration says; a tombstone is a DELETE of the same path, without a body.
bool data_delivery_render(struct owned_shard *owned, const struct record *record, const struct delivered *delivered,
                          struct arena *arena, struct delivery *ret_delivery, struct error *error) {
        const struct data *data = owned->route->data;
        const struct model_communication *communication = data->communication;
        const struct model_delivery *target = data_delivery_target(owned);
        bool tombstone = record->flags & RECORD_TOMBSTONE;
        if (!target->target)
                return error_set(error, ERROR_CORRUPT, "%s delivers nothing", communication->name);
        const struct template *unwrap = tombstone ? NULL : unwrap_of(communication->async, delivered->version);
        struct template_inputs inputs = gateway_inputs(owned->gateway);
        inputs.id = record->identity_text;
        struct bytes key = {0};
        if (tombstone && !key_clear(owned->gateway, data->event, record->key, arena, &key, error))
                return false;
        struct bytes document = tombstone ? key_document(data->event, key, arena) : delivered->body;
        struct model_delivered about = {.version = tombstone ? 0 : delivered->version, .inputs = &inputs};
        if (!json_parse(document, NULL, arena, &inputs.event, error) ||
            (delivered->old.size && !json_parse(delivered->old, NULL, arena, &about.old, error)))
                return error_wrap(error, "event");
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer body = {0};
        if (!model_delivery_render(target, &about, arena, &text, error))
                return false;
        if (unwrap) {
                if (!template_render(unwrap, &inputs, &body, error))
                        return false;
        } else if (!tombstone) {
                buffer_append(&body, delivered->body);
        }
        *ret_delivery = (struct delivery){
                .method = tombstone ? BYTES("DELETE") : bytes_of(target_method(target->target)),
                .target = arena_copy(arena, buffer_bytes(&text)),
                .body = arena_copy(arena, buffer_bytes(&body)),
        };
        if (!tombstone)
                ret_delivery->headers[ret_delivery->header_count++] =
                        (struct http_header){BYTES("Content-Type"), BYTES("application/json")};
        return true;
}

void data_delivered(struct data *data, uint64_t position) {
        capture_delivered(data, position);
}
