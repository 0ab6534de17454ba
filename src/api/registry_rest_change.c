// SPDX-License-Identifier: Apache-2.0
// The registry's REST API: what is changed. A change is submitted, and its `done` answers.
#include "api/registry_rest_priv.h"

#include "json/writer.h"

// ---- changes ----

static void registered(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error && error->code == ERROR_REJECTED) {
                rest_fail_incompatible(exchange);
                return;
        }
        if (error) {
                rest_fail_with(exchange, REGISTRY_ERROR_SCHEMA, error);
                return;
        }
        struct json_writer writer = {.buffer = &exchange->answer};
        rest_write_version(&writer, exchange, (struct bytes){0}, &change->registered);
        rest_reply(exchange, &writer);
}

void rest_submit(struct registry_exchange *exchange, struct registry_change change) {
        exchange->change = change;
        exchange->change.user = exchange;
        registry_submit(exchange->rest->changes, &exchange->change);
}

void rest_post_version(struct registry_exchange *exchange) {
        struct registry_draft draft;
        if (rest_parse_schema(exchange, &draft))
                rest_submit(exchange, (struct registry_change){
                        .kind = REGISTRY_REGISTER, .subject = exchange->segments[1], .draft = draft,
                        .objections = &exchange->objections, .done = registered});
}

static void version_deleted(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error) {
                rest_fail_with(exchange, REGISTRY_ERROR_VERSION, error);
                return;
        }
        buffer_print(&exchange->answer, "%u", change->version);
        rest_send(exchange, 200);
}

// Answers what was live when the request came and is not now.
static void subject_deleted(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        struct registry_subject now;
        if (error) {
                rest_fail_with(exchange, REGISTRY_ERROR_SUBJECT, error);
                return;
        }
        bool there = registry_subject(exchange->rest->registry, change->subject, &now);
        ASSERT(there && now.count >= exchange->before.count);
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_array(&writer);
        for (size_t at = 0; at < now.count; at++)
                if (now.versions[at].deleted && (at >= exchange->before.count || !exchange->before.versions[at].deleted))
                        json_u64(&writer, now.versions[at].version);
        json_end_array(&writer);
        rest_reply(exchange, &writer);
}

static bool may_delete(struct registry_exchange *exchange) {
        if (!(exchange->flags & Q_PERMANENT))
                return true;
        rest_fail(exchange, REGISTRY_ERROR_NOT_PERMITTED,
                  "permanent deletion is not supported: events of the past need their schemas");
        return false;
}

void rest_delete_version(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!may_delete(exchange))
                return;
        exchange->flags |= Q_DELETED;
        if (!rest_find_version(exchange, &subject, &version))
                return;
        uint32_t number;
        if (!rest_parse_version(exchange, &number))
                return;
        if (number == 0 && registry_version(exchange->rest->registry, subject.name, 0, &version))
                number = version.version;
        if (version.deleted) {
                rest_fail(exchange, REGISTRY_ERROR_VERSION_DELETED, "Subject '%.*s' Version %u was soft deleted.",
                          BYTES_PRINT(subject.name), version.version);
                return;
        }
        rest_submit(exchange, (struct registry_change){.kind = REGISTRY_DELETE, .subject = exchange->segments[1],
                                                  .version = number, .done = version_deleted});
}

void rest_delete_subject(struct registry_exchange *exchange) {
        struct registry_subject subject;
        if (!may_delete(exchange))
                return;
        exchange->flags |= Q_DELETED;
        if (!rest_find_subject(exchange, &subject))
                return;
        if (subject.live == 0) {
                rest_fail(exchange, REGISTRY_ERROR_SUBJECT_DELETED, "Subject '%.*s' was soft deleted.",
                          BYTES_PRINT(subject.name));
                return;
        }
        size_t size = subject.count * sizeof *subject.versions;
        exchange->before = subject;
        exchange->before.versions = memcpy(arena_alloc(&exchange->arena, size), subject.versions, size);
        rest_submit(exchange, (struct registry_change){.kind = REGISTRY_DELETE, .subject = exchange->segments[1],
                                                  .done = subject_deleted});
}
