// SPDX-License-Identifier: Apache-2.0
// /parked: what waits for a person, and what the person decides. Lists come from the views; what was sent comes from the log.
// Decisions are the gateway's to make: it refuses them until `settle` has passed.
#include "api/api_priv.h"
#include "gateway/mask.h"
#include "gateway/request.h"
#include "proof/ledger.h"

enum { LIMIT_DEFAULT = 100 };

// ---- telling of one ----

static const char *reason(const struct state_message *message) {
        if (message->state == LEDGER_PARKED && message->was_indeterminate)
                return "nobody knows whether an attempt was done, and the provider recognises no repeats";
        if (message->state == LEDGER_PARKED && message->said)
                return "commute cannot make a request of it";
        if (message->state == LEDGER_PARKED)
                return "the provider refused it";
        if (message->state == LEDGER_CALL_INDETERMINATE)
                return "the call was sent, and nobody knows whether it was done: a repeat of its caller or a person says";
        if (message->state == LEDGER_INDETERMINATE)
                return "a delivery was sent, and nobody knows whether it was done";
        return "it is not held";
}

static const struct model_communication *communication_of(const struct api *api, const struct state_message *message) {
        struct log_stream_info stream;
        if (!log_stream_info(api->options.log, message->shard, &stream, NULL))
                return NULL;
        return model_communication_find(api->options.model, state_family_of_stream(stream.name));
}

static void write_time(struct json_writer *writer, const char *key, int64_t wall_ms) {
        struct buffer CLEANUP(buffer_free) text = {0};
        time_append(&text, wall_ms);
        json_member_bytes(writer, key, buffer_bytes(&text));
}

// What commute said as it parked the message; null where it was the provider's refusal.
static void write_why(struct api_request *request, const struct state_message *message) {
        struct log_record stored;
        json_key(&request->writer, "why");
        if (message->said && log_read_one(request->api->options.log_reader, message->said, request->arena, &stored, NULL))
                json_string(&request->writer, stored.body);
        else
                json_null(&request->writer);
}

// Members of an object that is open.
static void write_message(struct api_request *request, const struct state_message *message) {
        struct json_writer *writer = &request->writer;
        const struct model_communication *communication = communication_of(request->api, message);
        struct log_stream_info stream;
        json_member_u64(writer, "position", message->position);
        json_member_text(writer, "communication", communication ? communication->name : NULL);
        if (log_stream_info(request->api->options.log, message->shard, &stream, NULL))
                json_member_bytes(writer, "shard", stream.name);
        json_member_text(writer, "state", ledger_account_name((enum ledger_state)message->state));
        json_member_text(writer, "reason", reason(message));
        write_why(request, message);
        json_member_u64(writer, "status", message->status);
        json_member_u64(writer, "attempts", message->attempts);
        json_member_bytes(writer, "identity", message->identity_text);
        json_member_u64(writer, "sequence", message->sequence);
        write_time(writer, "admitted", message->admitted_ms);
        write_time(writer, "changed", message->changed_ms);
}

// ---- the list ----

// The family of ?communication=, 0 without it. False: answered.
static bool wanted_family(struct api_request *request, uint32_t *ret_family, bool *ret_none) {
        struct bytes name;
        struct error error;
        *ret_family = 0;
        *ret_none = false;
        if (!api_query(request, "communication", &name))
                return true;
        if (!api_communication(request, name))
                return false;
        if (state_family(request->api->options.reader, name, ret_family, &error))
                return true;
        *ret_none = error.code == ERROR_NOT_FOUND;
        if (!*ret_none)
                api_fail(request, &error);
        return *ret_none;
}

static void answer_list(struct api_request *request, void *user) {
        (void)user;
        uint64_t after, limit;
        uint32_t family;
        bool none;
        struct error error;
        struct state_message *messages = NULL;
        size_t count = 0;
        if (!api_query_number(request, "after", 0, INT64_MAX, &after) ||
            !api_query_number(request, "limit", LIMIT_DEFAULT, API_PAGE_MAX, &limit) || !wanted_family(request, &family, &none))
                return;
        if (limit == 0)
                limit = 1;
        if (!none && !state_held_list(request->api->options.reader, family, after, (size_t)limit, request->arena, &messages, &count,
                                      &error)) {
                api_fail(request, &error);
                return;
        }
        struct json_writer *writer = &request->writer;
        json_begin_object(writer);
        json_key(writer, "parked");
        json_begin_array(writer);
        for (size_t i = 0; i < count; i++) {
                json_begin_object(writer);
                write_message(request, &messages[i]);
                json_end_object(writer);
        }
        json_end_array(writer);
        json_key(writer, "next");               // the value of `after` for the next page; null: that was the last
        if (count == limit)
                json_u64(writer, messages[count - 1].position);
        else
                json_null(writer);
        json_end_object(writer);
        api_answer(request, 200);
}

// ---- one of them ----

// False: answered.
static bool find(struct api_request *request, struct state_message *ret_message) {
        struct error error;
        uint64_t position;
        if (!bytes_to_u64(request->parameters[0], &position) || position == 0 || position > INT64_MAX) {
                error_set(&error, ERROR_INVALID, "expected the position of a message, got \"%.*s\"",
                          BYTES_PRINT(request->parameters[0]));
                api_fail(request, &error);
                return false;
        }
        if (state_message_find(request->api->options.reader, position, request->arena, ret_message, &error))
                return true;
        if (error.code == ERROR_NOT_FOUND)
                error_set(&error, ERROR_NOT_FOUND, "there is no unsettled message at position %llu", (unsigned long long)position);
        api_fail(request, &error);
        return false;
}

// Of an event with personal values: a message by its version's tags, a call as a whole.
static void write_body(struct api_request *request, const struct model_event *event, const struct record *record, struct bytes body) {
        struct json_writer *writer = &request->writer;
        const struct api_options *options = &request->api->options;
        const struct model_version *version = NULL;
        const struct json *root;
        bool parsed = json_parse(body, NULL, request->arena, &root, NULL), masked = event && event->is_personal;
        for (unsigned i = 0; masked && record->kind == RECORD_MESSAGE && i < event->version_count; i++)
                if (record->schema_id && gateway_schema_of(options->gateway, event->index, i) == record->schema_id)
                        version = &event->versions[i];
        json_key(writer, "body");
        if (parsed && masked)
                mask_write(&options->hash_key, version, root, writer);
        else if (parsed)
                json_node(writer, root);
        else if (masked)
                json_null(writer);
        else
                json_string(writer, body);
}

// The target, or what it is a target of: its variables may be personal.
static void write_request(struct api_request *request, const struct model_communication *communication, struct bytes text) {
        struct kept_request kept;
        bool masked = communication && communication->async && communication->async->event->is_personal;
        json_key(&request->writer, "request");
        if (!request_decode(text, &kept, NULL))
                json_null(&request->writer);
        else if (masked && communication->call)
                json_string_text(&request->writer, target_source(communication->call));
        else if (masked)
                json_string(&request->writer, kept.method);
        else
                json_string_print(&request->writer, "%.*s %.*s", BYTES_PRINT(kept.method), BYTES_PRINT(kept.target));
}

// What was sent, as the log has it.
static void write_sent(struct api_request *request, const struct state_message *message, const struct log_record *stored, bool with_body) {
        struct json_writer *writer = &request->writer;
        const struct model_communication *communication = communication_of(request->api, message);
        const struct model_event *event = communication && communication->async ? communication->async->event : NULL;
        struct record record;
        if (!record_decode(stored->header, &record, NULL)) {
                json_key(writer, "key");
                json_null(writer);
                return;
        }
        json_member_bytes(writer, "key", record.key);   // of a personal key its pseudonym
        write_request(request, communication, record.request);
        json_member_u64(writer, "body_bytes", stored->body.size);
        if (with_body)
                write_body(request, event, &record, stored->body);
}

static void answer_one(struct api_request *request, void *user) {
        (void)user;
        struct state_message message;
        struct log_record stored;
        struct error error = {0};
        uint64_t body;
        if (!api_query_number(request, "body", 0, 1, &body) || !find(request, &message))
                return;
        // That the record has gone may be why it is parked.
        bool read = log_read_one(request->api->options.log_reader, message.position, request->arena, &stored, &error);
        if (!read && error.code != ERROR_NOT_FOUND && error.code != ERROR_CORRUPT) {
                api_fail(request, &error);
                return;
        }
        struct json_writer *writer = &request->writer;
        json_begin_object(writer);
        write_message(request, &message);
        if (read)
                write_sent(request, &message, &stored, body);
        else
                json_member_text(writer, "record", error.text);
        json_end_object(writer);
        api_answer(request, 200);
}

// ---- decisions ----

static const char *decision_name(enum record_kind decision) {
        return decision == RECORD_RETRY ? "retry" : decision == RECORD_SETTLED ? "settle" : "discard";
}

static void decided(struct gateway_command *command) {
        struct api_request *request = command->user;
        if (!command->ok) {
                api_fail(request, &command->error);
                return;
        }
        json_begin_object(&request->writer);
        json_member_u64(&request->writer, "position", command->position);
        json_member_text(&request->writer, "decision", decision_name(command->decision));
        json_end_object(&request->writer);
        api_answer(request, 200);
}

static void decide(struct api_request *request, enum record_kind decision) {
        struct state_message message;
        struct error error;
        if (!find(request, &message))
                return;
        const struct model_communication *communication = communication_of(request->api, &message);
        if (!communication) {
                error_set(&error, ERROR_CONFLICT, "the communication of the message at %llu is not in the configuration any more",
                          (unsigned long long)message.position);
                api_fail(request, &error);
                return;
        }
        struct gateway_command *command = arena_alloc(request->arena, sizeof *command);
        *command = (struct gateway_command){
                .order = GATEWAY_DECIDE, .communication = communication->index, .loop = request->api->options.loop,
                .done = decided, .user = request, .position = message.position, .decision = decision,
        };
        gateway_order(request->api->options.gateway, command);
}

static void answer_retry(struct api_request *request, void *user) {
        (void)user;
        decide(request, RECORD_RETRY);
}

static void answer_discard(struct api_request *request, void *user) {
        (void)user;
        decide(request, RECORD_DISCARDED);
}

static void answer_settle(struct api_request *request, void *user) {
        (void)user;
        const struct json *done = json_get_text(request->body, "done");
        if (json_is(done, JSON_BOOL) && json_bool(done)) {
                decide(request, RECORD_SETTLED);
                return;
        }
        struct error error;
        error_set(&error, ERROR_INVALID, "expected {\"done\": true}: look into the provider's data first, nobody else knows");
        api_fail(request, &error);
}

static const struct api_route routes[] = {
        {"GET", "/parked", answer_list, "communication after limit", NULL, false},
        {"GET", "/parked/{position}", answer_one, "body", NULL, false},
        {"POST", "/parked/{position}/retry", answer_retry, NULL, "", false},
        {"POST", "/parked/{position}/settle", answer_settle, NULL, "done", false},
        {"POST", "/parked/{position}/discard", answer_discard, NULL, "", false},
};

void api_add_parked(struct api *api) {
        api_add(api, routes, ARRAY_SIZE(routes), NULL);
}
