// SPDX-License-Identifier: Apache-2.0
// The copy of a data communication: the newest event of a key, from the overlay, else from the views. Answers from it
// (keep: gateway), and comparisons of it with the owner.
//
// What a read gets while the shard of its key is async and commute keeps the copy:
//      the key is dirty, the copy cannot be read, or the request has other query parameters   the owner's answer
//      a row                                                                                   the row
//      a tombstone, or nothing is known                                                        404; the owner's answer while a
//              write without a key has no outcome, or where nobody has ever filled the copy (its first epoch)
#include "gateway/data_priv.h"
#include "gateway/mask.h"

#include <stdlib.h>

bool data_topic_known(struct data *data) {
        if (data->topic_family)
                return true;
        CLEANUP(buffer_free) struct buffer name = {0};
        buffer_print(&name, "topic/%s", data->event->topic);
        return state_family(data->gateway->state, buffer_bytes(&name), &data->topic_family, NULL);
}

struct copy data_copy(struct data *data, struct bytes key, struct arena *arena) {
        const struct overlay_row *newest = overlay_find(&data->overlay, key);
        if (newest)
                return (struct copy){newest->tombstone ? COPY_TOMBSTONE : COPY_ROW, arena_copy(arena, newest->body), newest->version,
                                     newest->position};
        struct state_replica row;
        struct error error = {0};
        unsigned version = 0;
        if (!data_topic_known(data))
                return (struct copy){.state = COPY_NOTHING};
        if (!key_check(data->gateway, data->event, key, &error))
                return (struct copy){.state = COPY_NOTHING};
        struct bytes stored = key_stored(data->gateway, data->event, key, arena);
        if (!state_replica_get(data->gateway->state, data->topic_family, stored, arena, &row, &error))
                return (struct copy){.state = error.code == ERROR_NOT_FOUND ? COPY_NOTHING : COPY_UNREADABLE};
        if (!row.tombstone && !event_version_of(data->gateway, data->event, row.schema_id, &version, &error)) {
                struct event_state *state = event_state(data->gateway, data->event);
                state->failed++;
                data_note(state->failure, sizeof state->failure, "the copy: %s", error.text);
                return (struct copy){.state = COPY_UNREADABLE};
        }
        return (struct copy){row.tombstone ? COPY_TOMBSTONE : COPY_ROW, row.body, version, row.position};
}

// ---- comparisons ----

bool data_same(const struct data *data, const struct json *a, struct bytes b, struct arena *arena, struct buffer *ret_path) {
        const struct json *parsed;
        return json_parse(b, NULL, arena, &parsed, NULL) && shadow_equal(data->communication, a, parsed, ret_path);
}

static enum change_result met(struct meeting *meeting) {
        struct change *change = &meeting->change;
        event_changed(meeting->data->gateway, change, "comparison");
        if (change->result == CHANGE_DONE && change->to == meeting->copy.version)
                meeting->owners = change->json;
        else if (change->result == CHANGE_DONE)
                meeting->copy.body = change->body;
        return change->result;
}

static void meeting_changed(struct change *change) {
        struct meeting *meeting = CONTAINER_OF(change, struct meeting, change);
        met(meeting);
        meeting->met(meeting);
}

enum change_result data_meet(struct meeting *meeting, struct data *data, const struct json *owners, struct bytes body,
                             const struct copy *copy, struct arena *arena) {
        unsigned produces = data->event->produces;
        struct change *change = &meeting->change;
        meeting->data = data;
        meeting->owners = owners;
        meeting->copy = *copy;
        change->result = CHANGE_DONE;
        if (!owners || copy->state != COPY_ROW || copy->version == produces)
                return CHANGE_DONE;
        bool up = copy->version > produces;
        struct error error;
        if (!change_prepare(change, data->gateway, data->event, up ? produces : copy->version, up ? copy->version : produces, arena,
                            &error)) {
                change->error = error;
                return CHANGE_FAILED;
        }
        change->done = meeting_changed;
        enum change_result result = change_begin(change, up ? body : copy->body);
        return result == CHANGE_WAITS ? result : met(meeting);
}

// "manager_id 17: "
static void print_row(const struct data *data, struct bytes key, struct buffer *text) {
        buffer_print(text, "%.*s ", BYTES_PRINT(data->event->key.tokens[data->event->key.count - 1]));
        mask_key(&data->gateway->options.hash_key, data->event, key, text);
        buffer_append(text, BYTES(": "));
}

bool data_agrees(const struct data *data, struct bytes key, const struct meeting *meeting, struct arena *arena,
                 struct buffer *ret_text) {
        CLEANUP(buffer_free) struct buffer path = {0};
        const struct json *owners = meeting->owners;
        const struct copy *copy = &meeting->copy;
        bool row = copy->state == COPY_ROW;
        if (meeting->change.result == CHANGE_FAILED) {
                print_row(data, key, ret_text);
                buffer_print(ret_text, "%s", meeting->change.error.text);
                return false;
        }
        if (!owners && !row)
                return true;
        if (owners && row && data_same(data, owners, copy->body, arena, &path))
                return true;
        print_row(data, key, ret_text);
        if (!owners || !row) {
                buffer_print(ret_text, "%s", owners ? "the owner has it, the copy has not" : "the copy has it, the owner has not");
                return false;
        }
        const struct json *copied;
        if (!json_parse(copy->body, NULL, arena, &copied, NULL)) {
                buffer_print(ret_text, "the copy is no JSON");
                return false;
        }
        buffer_print(ret_text, "%.*s: the owner has ", BYTES_PRINT(buffer_bytes(&path)));
        shadow_print_value(data->route, owners, buffer_bytes(&path), ret_text);
        buffer_print(ret_text, ", the copy has ");
        shadow_print_value(data->route, copied, buffer_bytes(&path), ret_text);
        return false;
}

// ---- a read that the owner answers and the copy is compared with ----

struct watched_read {
        struct data *data;
        struct http_exchange *exchange;
        struct arena arena;
        struct bytes key;
};

static void compare_read(struct watched_read *read, const struct http_call_result *result) {
        struct data *data = read->data;
        bool gone = result->status == 404 || result->status == 410;
        if (result->outcome != HTTP_CALL_OK || (result->status != 200 && !gone) || !data->route->shadow.on ||
            dirty_has(&data->dirty, read->key) || dirty_has_topic(&data->dirty))
                return;
        const struct json *body = NULL;
        CLEANUP(buffer_free) struct buffer text = {0};
        struct meeting meeting = {.data = data, .copy = data_copy(data, read->key, &read->arena), .change.result = CHANGE_DONE};
        if (meeting.copy.state == COPY_UNREADABLE)
                return;
        bool alike = meeting.copy.state != COPY_ROW || meeting.copy.version == data->event->produces;
        bool parsed = gone || json_parse(result->body, NULL, &read->arena, &body, NULL);
        meeting.owners = body;
        if (parsed && alike && data_agrees(data, read->key, &meeting, &read->arena, &text)) {
                data->route->shadow.compared++;
                return;
        }
        // The copy may be behind by what is under way: it is looked at again under the key's lock before it counts.
        IGNORE(!look_begin(data, LOOK_SHADOW, read->key, false));       // too many at once: others will be compared
}

static void read_answered(void *user, const struct http_call_result *result) {
        struct watched_read *read = user;
        struct data *data = read->data;
        compare_read(read, result);
        if (result->outcome == HTTP_CALL_OK)
                route_see_answer(data->route, result->body);
        struct data_response response = data_response_of(result, &read->arena);
        uint64_t now = data_now(data), began = read->exchange->began_ns;
        atomic_fetch_sub(&data->route->plain_under_way, 1);
        route_count(data->route, response.status, now > began ? now - began : 0);
        data_answer(read->exchange, response.status, response.headers, response.header_count, response.body);
        arena_free(&read->arena);
        free(read);
}

static void watch_read(struct data *data, struct http_exchange *exchange, struct bytes target, struct bytes key) {
        struct watched_read *read = must_calloc(1, sizeof *read);
        read->data = data;
        read->exchange = exchange;
        read->key = arena_copy(&read->arena, key);
        struct http_header headers[HTTP_HEADERS_MAX];
        struct http_call_options options = {
                .method = exchange->method,
                .target = target,
                .headers = headers,
                .header_count = data_request_headers(exchange, headers),
                .timeout_ns = MILLISECONDS(data->communication->tuning.timeout_ms),
                .repeatable = true,
        };
        atomic_fetch_add(&data->route->plain_under_way, 1);
        atomic_fetch_add_explicit(&data->reads_owner, 1, memory_order_relaxed);
        http_call(gateway_upstream(data->gateway, data->gateway->owner, data->communication->from), &options, read_answered, read);
}

// ---- versions on the way to the reader ----

// What a reader of the copy gets: the newest version that it understands.
static unsigned wanted_version(const struct data *data) {
        const struct model_async *async = data->communication->async;
        return async->reads[async->read_count - 1];
}

// A row on its way to a reader, in the version that the reader understands.
struct served {
        struct change change;
        struct data *data;
        struct http_exchange *exchange;
        struct arena arena;
        struct bytes key;
        bool of_owner;
        struct list link;                       // in data->serving
};

static void served_end(struct served *served) {
        list_remove(&served->link);
        arena_free(&served->arena);
        free(served);
}

static void count_read(struct data *data, const struct http_exchange *exchange, unsigned status, bool of_owner) {
        uint64_t now = data_now(data), began = exchange->began_ns;
        route_count(data->route, status, now > began ? now - began : 0);
        atomic_fetch_add_explicit(of_owner ? &data->reads_owner : &data->reads_copy, 1, memory_order_relaxed);
}

static void note_used(struct data *data, unsigned version) {
        event_used(data->gateway, data->event, GATEWAY_CONSUMES, version, "%s by %s", data->communication->to->name,
                   data->communication->name);
}

static void serve(struct served *served) {
        struct data *data = served->data;
        struct change *change = &served->change;
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        event_changed(data->gateway, change, "read");
        bool done = change->result == CHANGE_DONE;
        count_read(data, served->exchange, done ? 200 : 502, served->of_owner);
        if (done) {
                note_used(data, change->to);
                data_answer(served->exchange, 200, &type, 1, change->body);
        } else {
                data_answer_error(served->exchange, 502, "not-convertible",
                                  arena_print(&served->arena, "the row cannot be given in version %u: %s", change->to,
                                              change->error.text));
        }
        served_end(served);
}

static void served_changed(struct change *change) {
        serve(CONTAINER_OF(change, struct served, change));
}

static struct served *served_new(struct data *data, struct http_exchange *exchange, struct bytes key) {
        struct served *served = must_calloc(1, sizeof *served);
        served->data = data;
        served->exchange = exchange;
        served->key = arena_copy(&served->arena, key);
        list_init(&served->link);
        list_append(&data->serving, &served->link);
        return served;
}

// The body is in the served one's arena.
static void serve_changed(struct served *served, unsigned version, struct bytes body) {
        struct data *data = served->data;
        struct change *change = &served->change;
        struct error error;
        if (!change_prepare(change, data->gateway, data->event, version, wanted_version(data), &served->arena, &error)) {
                change->error = error;
                serve(served);
                return;
        }
        change->done = served_changed;
        if (change_begin(change, body) != CHANGE_WAITS)
                serve(served);
}

static void owner_gave(void *user, const struct http_call_result *result) {
        struct served *served = user;
        struct data *data = served->data;
        if (result->outcome == HTTP_CALL_OK && result->status == 200) {
                serve_changed(served, data->event->produces, arena_copy(&served->arena, result->body));
                return;
        }
        bool gone = result->outcome == HTTP_CALL_OK && (result->status == 404 || result->status == 410);
        count_read(data, served->exchange, gone ? 404 : 502, true);
        if (gone)
                data_answer_error(served->exchange, 404, "not-found", "there is no such row");
        else                                    // what the owner says is of another version: it is not for this reader
                data_answer_error(served->exchange, 502, "owner-failed", "the owner of the data does not give the row now");
        served_end(served);
}

// The owner answers for the copy: in the version that the reader understands.
static void read_from_owner(struct data *data, struct http_exchange *exchange, struct bytes target, struct bytes key) {
        const struct model_async *async = data->communication->async;
        if (!async->keep_gateway || wanted_version(data) == data->event->produces) {
                data_forward_read(data, exchange, target);
                return;
        }
        struct served *served = served_new(data, exchange, key);
        struct named_value variable = {target_variable(data->communication->pull, 0), served->key};
        struct error error;
        served->of_owner = true;
        if (data_get(data, data->communication->pull, variable, owner_gave, served, NULL, &error))
                return;
        data_answer_error(exchange, (unsigned)error_http_status(error.code), error_name(error.code), error.text);
        served_end(served);
}

// The key of the row that is asked for: the path's, or what `lookup` makes of it. A reader that also understands a version that
// needs no lookup may still ask as that one does.
static struct bytes looked_up(const struct data *data, struct bytes key, struct arena *arena) {
        const struct model_async *async = data->communication->async;
        const struct template *lookup = async->keep_gateway ? async->forms[wanted_version(data)].lookup : NULL;
        if (!lookup)
                return key;
        struct named_value variable = {target_variable(data->communication->pull, 0), key};
        struct template_inputs inputs = gateway_inputs(data->gateway);
        CLEANUP(buffer_free) struct buffer text = {0};
        const struct json *made;
        inputs.path = &variable;
        inputs.path_count = 1;
        if (template_render(lookup, &inputs, &text, NULL) &&
            json_parse(arena_copy(arena, buffer_bytes(&text)), NULL, arena, &made, NULL) &&
            (json_is(made, JSON_STRING) || json_is(made, JSON_NUMBER)))
                return json_text(made);
        for (size_t i = 0; i < async->read_count; i++)
                if (!async->forms[async->reads[i]].lookup)
                        return key;
        return (struct bytes){0};
}

void serving_free(struct data *data) {
        LIST_FOR_EACH_SAFE(link, &data->serving)
                served_end(CONTAINER_OF(link, struct served, link));
}

// ---- a read that the copy answers ----

static void answer_row(struct data *data, struct http_exchange *exchange, struct bytes key, const struct copy *copy) {
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        if (copy->version != wanted_version(data)) {
                struct served *served = served_new(data, exchange, key);
                serve_changed(served, copy->version, arena_copy(&served->arena, copy->body));
                return;
        }
        count_read(data, exchange, 200, false);
        note_used(data, copy->version);
        data_answer(exchange, 200, &type, 1, copy->body);
}

static bool answer_from_copy(struct data *data, struct http_exchange *exchange, struct bytes key) {
        const struct shard *shard = data_shard(data, key, NULL)->shard;
        if (dirty_has(&data->dirty, key))
                return false;
        struct copy copy = data_copy(data, key, exchange->arena);
        bool row = copy.state == COPY_ROW;
        if (copy.state == COPY_UNREADABLE)
                return false;
        // Nothing is known of a row that was there before the copy was: who begins as async has never filled it.
        if (!row && (dirty_has_topic(&data->dirty) || (copy.state == COPY_NOTHING && shard_epoch(shard) <= 1)))
                return false;
        if (row) {
                answer_row(data, exchange, key, &copy);
                return true;
        }
        count_read(data, exchange, 404, false);
        data_answer_error(exchange, 404, "not-found", "there is no such row");
        return true;
}

// A reader of the copy.
static void read_kept(struct data *data, struct http_exchange *exchange, struct bytes target, struct bytes asked) {
        struct arena arena = {0};
        struct bytes key = arena_copy(&arena, looked_up(data, asked, exchange->arena));
        bool shadow = data->route->shadow.on;
        if (!key.size) {
                count_read(data, exchange, 404, false);
                data_answer_error(exchange, 404, "not-found", "there is no such row");
        } else if (answer_from_copy(data, exchange, key)) {
                if (shadow)
                        IGNORE(!look_begin(data, LOOK_SHADOW, key, false));     // too many at once: others will be compared
        } else if (shadow && wanted_version(data) == data->event->produces) {
                watch_read(data, exchange, target, key);
        } else {
                read_from_owner(data, exchange, target, key);
        }
        arena_free(&arena);
}

void data_read(struct data *data, struct http_exchange *exchange, struct bytes target, struct bytes key, bool extra_query) {
        bool keeps = data->communication->async->keep_gateway;
        enum lane_mode mode = data_mode(data, key);
        bool shadow = data->route->shadow.on && !extra_query && mode != LANE_PLAIN;
        if (mode == LANE_PLAIN)
                route_update_direct(data->route);       // nothing is captured any more: the next need not come here
        if (keeps && mode == LANE_ASYNC && !extra_query)
                read_kept(data, exchange, target, key);
        else if (keeps && mode == LANE_ASYNC && wanted_version(data) != data->event->produces)
                read_from_owner(data, exchange, target, looked_up(data, key, exchange->arena));
        else if (shadow)
                watch_read(data, exchange, target, key);
        else
                data_forward_read(data, exchange, target);
}
