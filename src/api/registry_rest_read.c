// SPDX-License-Identifier: Apache-2.0
// The registry's REST API: what is read. The answer is written at once.
#include "api/registry_rest_priv.h"

#include "json/writer.h"

static bool find_id(struct registry_exchange *exchange, uint32_t *ret_id) {
        struct bytes text = exchange->segments[2];
        uint64_t id;
        if (!bytes_to_u64(text, &id) || id == 0 || id > registry_ids(exchange->rest->registry)) {
                rest_fail(exchange, REGISTRY_ERROR_NO_SCHEMA, "Schema %.*s not found", BYTES_PRINT(text));
                return false;
        }
        *ret_id = (uint32_t)id;
        return true;
}

static void write_attachments(struct json_writer *writer, const struct registry_exchange *exchange, uint32_t id) {
        struct bytes references = registry_references(exchange->rest->registry, id);
        struct bytes metadata = registry_metadata(exchange->rest->registry, id);
        if (references.size) {
                json_key(writer, "references");
                json_raw(writer, references);
        }
        if (metadata.size) {
                json_key(writer, "metadata");
                json_raw(writer, metadata);
        }
}

void rest_write_version(struct json_writer *writer, const struct registry_exchange *exchange, struct bytes subject,
                        const struct registry_version *version) {
        json_begin_object(writer);
        if (subject.size)
                json_member_bytes(writer, "subject", subject);
        json_member_u64(writer, "version", version->version);
        json_member_u64(writer, "id", version->id);
        json_member_text(writer, "schemaType", "JSON");
        write_attachments(writer, exchange, version->id);
        json_member_bytes(writer, "schema", registry_schema_text(exchange->rest->registry, version->id));
        json_end_object(writer);
}

void rest_get_root(struct registry_exchange *exchange) {
        buffer_append(&exchange->answer, BYTES("{}"));
        rest_send(exchange, 200);
}

void rest_get_types(struct registry_exchange *exchange) {
        buffer_append(&exchange->answer, BYTES("[\"JSON\"]"));
        rest_send(exchange, 200);
}

void rest_get_contexts(struct registry_exchange *exchange) {
        buffer_append(&exchange->answer, BYTES("[\".\"]"));             // the default one
        rest_send(exchange, 200);
}

void rest_get_subjects(struct registry_exchange *exchange) {
        struct json_writer writer = {.buffer = &exchange->answer};
        struct registry_subject subject;
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; !rest_page_ended(exchange, seen) && registry_subject_at(exchange->rest->registry, at, &subject); at++)
                if (subject.count > 0 && rest_visible(exchange, subject.live == 0) &&
                    bytes_starts_with(subject.name, exchange->prefix) && rest_page(exchange, &seen))
                        json_string(&writer, subject.name);
        rest_reply_list(exchange, &writer);
}

void rest_get_versions(struct registry_exchange *exchange) {
        struct registry_subject subject;
        if (!rest_find_subject(exchange, &subject))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; at < subject.count && !rest_page_ended(exchange, seen); at++)
                if (rest_visible(exchange, subject.versions[at].deleted) && rest_page(exchange, &seen))
                        json_u64(&writer, subject.versions[at].version);
        rest_reply_list(exchange, &writer);
}

void rest_get_version(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!rest_find_version(exchange, &subject, &version))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        rest_write_version(&writer, exchange, subject.name, &version);
        rest_reply(exchange, &writer);
}

// The latest version whose metadata has all properties of the query.
void rest_get_by_metadata(struct registry_exchange *exchange) {
        const struct registry *registry = exchange->rest->registry;
        struct registry_subject subject;
        if (exchange->key_count != exchange->value_count) {
                rest_fail(exchange, REGISTRY_ERROR_BAD_REQUEST, "query: %zu keys, and %zu values", exchange->key_count,
                          exchange->value_count);
                return;
        }
        if (!rest_find_subject(exchange, &subject))
                return;
        for (size_t at = subject.count; at > 0; at--) {
                const struct registry_version *version = &subject.versions[at - 1];
                if (!rest_visible(exchange, version->deleted) ||
                    !registry_has_properties(registry, version->id, exchange->keys, exchange->values, exchange->key_count))
                        continue;
                struct json_writer writer = {.buffer = &exchange->answer};
                rest_write_version(&writer, exchange, subject.name, version);
                rest_reply(exchange, &writer);
                return;
        }
        rest_fail(exchange, REGISTRY_ERROR_NO_SCHEMA, "Schema not found");
}

void rest_get_version_schema(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!rest_find_version(exchange, &subject, &version))
                return;
        buffer_append(&exchange->answer, registry_schema_text(exchange->rest->registry, version.id));
        rest_send(exchange, 200);
}

// The ids of schemas that refer to this one.
void rest_get_referenced_by(struct registry_exchange *exchange) {
        struct registry_subject subject;
        struct registry_version version;
        if (!rest_find_version(exchange, &subject, &version))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        uint64_t seen = 0;
        json_begin_array(&writer);
        size_t at = 0;
        uint32_t id;
        while (!rest_page_ended(exchange, seen) &&
               registry_referrer(exchange->rest->registry, subject.name, version.version, &at, &id))
                if (rest_page(exchange, &seen))
                        json_u64(&writer, id);
        rest_reply_list(exchange, &writer);
}

// Of one subject: its versions, or the latest of them.
static void write_versions(struct json_writer *writer, const struct registry_exchange *exchange, const struct registry_subject *subject,
                           uint64_t *seen) {
        const struct registry_version *last = NULL;
        for (size_t at = 0; at < subject->count && !rest_page_ended(exchange, *seen); at++) {
                if (!rest_visible(exchange, subject->versions[at].deleted))
                        continue;
                last = &subject->versions[at];
                if (!(exchange->flags & Q_LATEST) && rest_page(exchange, seen))
                        rest_write_version(writer, exchange, subject->name, last);
        }
        if ((exchange->flags & Q_LATEST) && last && rest_page(exchange, seen))
                rest_write_version(writer, exchange, subject->name, last);
}

void rest_get_schemas(struct registry_exchange *exchange) {
        struct json_writer writer = {.buffer = &exchange->answer};
        struct registry_subject subject;
        uint64_t seen = 0;
        exchange->limit = MIN(exchange->limit, (uint64_t)REGISTRY_REST_SCHEMAS_MAX);
        json_begin_array(&writer);
        for (size_t at = 0; !rest_page_ended(exchange, seen) && registry_subject_at(exchange->rest->registry, at, &subject); at++)
                if (bytes_starts_with(subject.name, exchange->prefix))
                        write_versions(&writer, exchange, &subject, &seen);
        rest_reply_list(exchange, &writer);
}

void rest_get_id(struct registry_exchange *exchange) {
        uint32_t id;
        if (!find_id(exchange, &id))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        json_begin_object(&writer);
        json_member_bytes(&writer, "schema", registry_schema_text(exchange->rest->registry, id));
        json_member_text(&writer, "schemaType", "JSON");
        write_attachments(&writer, exchange, id);
        if (exchange->flags & Q_MAX_ID)
                json_member_u64(&writer, "maxId", registry_ids(exchange->rest->registry));
        json_end_object(&writer);
        rest_reply(exchange, &writer);
}

void rest_get_id_schema(struct registry_exchange *exchange) {
        uint32_t id;
        if (!find_id(exchange, &id))
                return;
        buffer_append(&exchange->answer, registry_schema_text(exchange->rest->registry, id));
        rest_send(exchange, 200);
}

// A subject's versions with an id, or only its name.
static void write_use(struct json_writer *writer, const struct registry_exchange *exchange, const struct registry_subject *subject,
                      uint32_t id, bool versions, uint64_t *seen) {
        for (size_t at = 0; at < subject->count && !rest_page_ended(exchange, *seen); at++) {
                const struct registry_version *version = &subject->versions[at];
                if (version->id != id || !rest_visible(exchange, version->deleted))
                        continue;
                bool shown = rest_page(exchange, seen);
                if (shown && versions) {
                        json_begin_object(writer);
                        json_member_bytes(writer, "subject", subject->name);
                        json_member_u64(writer, "version", version->version);
                        json_end_object(writer);
                } else if (shown) {
                        json_string(writer, subject->name);
                }
                if (!versions)
                        return;
        }
}

static void write_uses(struct registry_exchange *exchange, bool versions) {
        struct registry_subject subject;
        uint32_t id;
        if (!find_id(exchange, &id))
                return;
        struct json_writer writer = {.buffer = &exchange->answer};
        uint64_t seen = 0;
        json_begin_array(&writer);
        for (size_t at = 0; !rest_page_ended(exchange, seen) && registry_user(exchange->rest->registry, id, at, &subject); at++)
                if (exchange->subject.size == 0 || bytes_equal(exchange->subject, subject.name))
                        write_use(&writer, exchange, &subject, id, versions, &seen);
        rest_reply_list(exchange, &writer);
}

void rest_get_id_versions(struct registry_exchange *exchange) {
        write_uses(exchange, true);
}

void rest_get_id_subjects(struct registry_exchange *exchange) {
        write_uses(exchange, false);
}

void rest_lookup(struct registry_exchange *exchange) {
        struct registry_draft draft;
        struct registry_subject subject;
        struct registry_version version;
        struct error error;
        if (!rest_parse_schema(exchange, &draft) || !rest_find_subject(exchange, &subject))
                return;
        if (!registry_lookup(exchange->rest->registry, subject.name, &draft, exchange->flags & Q_DELETED, &version, &error)) {
                if (error.code == ERROR_NOT_FOUND)
                        rest_fail(exchange, REGISTRY_ERROR_NO_SCHEMA, "Schema not found");
                else
                        rest_fail_with(exchange, REGISTRY_ERROR_SCHEMA, &error);
                return;
        }
        struct json_writer writer = {.buffer = &exchange->answer};
        rest_write_version(&writer, exchange, subject.name, &version);
        rest_reply(exchange, &writer);
}
