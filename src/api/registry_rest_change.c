// SPDX-License-Identifier: Apache-2.0
// The registry's REST API: what is changed. A change is submitted, and its `done` answers.
#include "api/registry_rest_priv.h"

#include "json/writer.h"

// ---- changes ----

static void registered(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error) {
                rest_fail_with(exchange, REGISTRY_ERROR_SCHEMA, error);
                return;
        }
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_u64(&writer, "id", change->registered.id);
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

static void submit(struct registry_exchange *exchange, struct registry_change change) {
        exchange->change = change;
        exchange->change.user = exchange;
        registry_submit(exchange->rest->changes, &exchange->change);
}

void rest_post_version(struct registry_exchange *exchange) {
        struct bytes schema;
        if (rest_parse_schema(exchange, &schema))
                submit(exchange, (struct registry_change){
                        .kind = REGISTRY_REGISTER, .subject = exchange->segments[1], .schema = schema, .done = registered});
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
        submit(exchange, (struct registry_change){.kind = REGISTRY_DELETE, .subject = exchange->segments[1],
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
        submit(exchange, (struct registry_change){.kind = REGISTRY_DELETE, .subject = exchange->segments[1],
                                                  .done = subject_deleted});
}

// ---- compatibility and mode ----

static void reply_text(struct registry_exchange *exchange, const char *key, const char *value) {
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_text(&writer, key, value);
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

// {KEY: "text"} and nothing else; upper case.
static bool parse_only_text(struct registry_exchange *exchange, const char *key, struct bytes *ret_text) {
        const struct json *body;
        if (!rest_parse_body(exchange, &body))
                return false;
        JSON_FOR_EACH_MEMBER(name, value, body)
                if (!bytes_equal(json_text(name), bytes_of(key))) {
                        rest_fail(exchange, REGISTRY_ERROR_MEMBER, "\"%.*s\" is not supported here",
                                  BYTES_PRINT(json_text(name)));
                        return false;
                }
        const struct json *value = json_get_text(body, key);
        if (!json_is(value, JSON_STRING)) {
                rest_fail(exchange, REGISTRY_ERROR_MEMBER, "\"%s\" is not there, or not a string", key);
                return false;
        }
        struct bytes text = json_text(value);
        char *upper = arena_text(&exchange->arena, text);
        for (size_t at = 0; at < text.size; at++)
                if (upper[at] >= 'a' && upper[at] <= 'z')
                        upper[at] = (char)(upper[at] - 'a' + 'A');
        *ret_text = (struct bytes){upper, text.size};
        return true;
}

// The subject's name of /config[/{subject}] and /mode[/{subject}]; empty: the registry itself.
static struct bytes scope(const struct registry_exchange *exchange) {
        return exchange->segment_count > 1 ? exchange->segments[1] : (struct bytes){0};
}

static void fail_level(struct registry_exchange *exchange) {
        rest_fail(exchange, REGISTRY_ERROR_NO_LEVEL, "Subject '%.*s' does not have subject-level compatibility configured",
                  BYTES_PRINT(scope(exchange)));
}

void rest_get_config(struct registry_exchange *exchange) {
        enum registry_level level = registry_compatibility(exchange->rest->registry, scope(exchange));
        if (level == REGISTRY_LEVEL_UNSET && (exchange->flags & Q_DEFAULT))
                level = registry_compatibility(exchange->rest->registry, (struct bytes){0});
        if (level == REGISTRY_LEVEL_UNSET)
                fail_level(exchange);
        else
                reply_text(exchange, "compatibilityLevel", registry_level_name(level));
}

static void configured(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error)
                rest_fail_with(exchange, REGISTRY_ERROR_LEVEL, error);
        else
                reply_text(exchange, "compatibility", registry_level_name(change->level));
}

// Answers the level that was removed.
static void unconfigured(struct registry_change *change, const struct error *error) {
        struct registry_exchange *exchange = change->user;
        if (error)
                rest_fail_with(exchange, REGISTRY_ERROR_LEVEL, error);
        else
                reply_text(exchange, "compatibility", registry_level_name(REGISTRY_LEVEL_NONE));        // there is no other yet
}

void rest_put_config(struct registry_exchange *exchange) {
        struct bytes name;
        enum registry_level level;
        if (!parse_only_text(exchange, "compatibility", &name))
                return;
        if (!registry_level_of(name, &level)) {
                rest_fail(exchange, REGISTRY_ERROR_LEVEL, "Invalid compatibility level. Valid values are none, backward, "
                          "forward, full, backward_transitive, forward_transitive, and full_transitive");
                return;
        }
        submit(exchange, (struct registry_change){.kind = REGISTRY_COMPATIBILITY, .subject = scope(exchange), .level = level,
                                                  .done = configured});
}

void rest_delete_config(struct registry_exchange *exchange) {
        if (registry_compatibility(exchange->rest->registry, scope(exchange)) == REGISTRY_LEVEL_UNSET) {
                fail_level(exchange);
                return;
        }
        submit(exchange, (struct registry_change){.kind = REGISTRY_COMPATIBILITY, .subject = scope(exchange),
                                                  .level = REGISTRY_LEVEL_UNSET, .done = unconfigured});
}

void rest_get_mode(struct registry_exchange *exchange) {
        if (scope(exchange).size > 0 && !(exchange->flags & Q_DEFAULT))
                rest_fail(exchange, REGISTRY_ERROR_NO_MODE, "Subject '%.*s' does not have subject-level mode configured",
                          BYTES_PRINT(scope(exchange)));
        else
                reply_text(exchange, "mode", "READWRITE");
}

void rest_put_mode(struct registry_exchange *exchange) {
        struct bytes mode;
        if (!parse_only_text(exchange, "mode", &mode))
                return;
        if (bytes_equal(mode, BYTES("READWRITE")) && scope(exchange).size == 0)
                reply_text(exchange, "mode", "READWRITE");
        else
                rest_fail(exchange, REGISTRY_ERROR_MODE, "mode %.*s is not supported, only READWRITE for the whole registry is",
                          BYTES_PRINT(mode));
}

void rest_post_compatibility(struct registry_exchange *exchange) {
        rest_fail(exchange, REGISTRY_ERROR_NOT_PERMITTED, "compatibility checks are not supported yet; the only level is NONE");
}
