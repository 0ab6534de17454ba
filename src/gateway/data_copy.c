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
                return (struct copy){newest->tombstone ? COPY_TOMBSTONE : COPY_ROW, newest->body, newest->position};
        struct state_replica row;
        struct error error = {0};
        if (!data_topic_known(data))
                return (struct copy){.state = COPY_NOTHING};
        if (!state_replica_get(data->gateway->state, data->topic_family, key, arena, &row, &error))
                return (struct copy){.state = error.code == ERROR_NOT_FOUND ? COPY_NOTHING : COPY_UNREADABLE};
        return (struct copy){row.tombstone ? COPY_TOMBSTONE : COPY_ROW, row.body, row.position};
}

// ---- comparisons ----

bool data_same(const struct data *data, const struct json *a, struct bytes b, struct arena *arena, struct buffer *ret_path) {
        const struct json *parsed;
        return json_parse(b, NULL, arena, &parsed, NULL) && shadow_equal(data->communication, a, parsed, ret_path);
}

bool data_agrees(const struct data *data, struct bytes key, const struct json *owners, const struct copy *copy, struct arena *arena,
                 struct buffer *ret_text) {
        CLEANUP(buffer_free) struct buffer path = {0};
        bool row = copy->state == COPY_ROW;
        if (!owners && !row)
                return true;
        if (owners && row && data_same(data, owners, copy->body, arena, &path))
                return true;
        buffer_print(ret_text, "%.*s %.*s: ", BYTES_PRINT(data->event->key.tokens[data->event->key.count - 1]), BYTES_PRINT(key));
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
        shadow_print_value(owners, buffer_bytes(&path), ret_text);
        buffer_print(ret_text, ", the copy has ");
        shadow_print_value(copied, buffer_bytes(&path), ret_text);
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
        struct copy copy = data_copy(data, read->key, &read->arena);
        if (copy.state == COPY_UNREADABLE)
                return;
        if ((gone || json_parse(result->body, NULL, &read->arena, &body, NULL)) &&
            data_agrees(data, read->key, body, &copy, &read->arena, &text)) {
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

// ---- a read that the copy answers ----

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
        uint64_t now = data_now(data), began = exchange->began_ns;
        route_count(data->route, row ? 200 : 404, now > began ? now - began : 0);
        atomic_fetch_add_explicit(&data->reads_copy, 1, memory_order_relaxed);
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        if (row)
                data_answer(exchange, 200, &type, 1, copy.body);
        else
                data_answer_error(exchange, 404, "not-found", "there is no such row");
        return true;
}

void data_read(struct data *data, struct http_exchange *exchange, struct bytes target, struct bytes key, bool extra_query) {
        bool keeps = data->communication->async->keep_gateway;
        enum lane_mode mode = data_mode(data, key);
        bool shadow = data->route->shadow.on && !extra_query && mode != LANE_PLAIN;
        if (mode == LANE_PLAIN)
                route_update_direct(data->route);       // nothing is captured any more: the next need not come here
        if (keeps && mode == LANE_ASYNC && !extra_query) {
                struct arena arena = {0};
                struct bytes kept = shadow ? arena_copy(&arena, key) : key;
                bool answered = answer_from_copy(data, exchange, key);
                if (answered && shadow)
                        IGNORE(!look_begin(data, LOOK_SHADOW, kept, false));    // too many at once: others will be compared
                arena_free(&arena);
                if (answered)
                        return;
        }
        if (shadow)
                watch_read(data, exchange, target, key);
        else
                data_forward_read(data, exchange, target);
}
