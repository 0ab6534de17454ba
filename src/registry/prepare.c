// SPDX-License-Identifier: Apache-2.0
// What a change would be: checks it against the registry as it stands, and renders the body of its record (registry.h has the
// bytes). Changes nothing.
#include "registry/registry.h"

#include "json/writer.h"
#include "registry/registry_priv.h"
#include "schema/schema.h"

static void begin_body(struct json_writer *writer, const char *change, struct bytes subject) {
        json_begin_object(writer);
        json_member_u64(writer, "format", REGISTRY_FORMAT);
        json_member_text(writer, "change", change);
        if (subject.size > 0)
                json_member_bytes(writer, "subject", subject);
}

static void end_body(struct json_writer *writer) {
        json_end_object(writer);
        json_end(writer);
}

// A subject that is not there needs room for one more.
static bool check_room(const struct registry *registry, struct bytes name, const struct subject **ret_subject,
                       struct error *error) {
        size_t at;
        const struct subject *subject = registry_find_subject(registry, name, &at) ? registry->subjects[at] : NULL;
        if (!subject && registry->subject_count >= registry->options.subjects_max)
                return error_set(error, ERROR_LIMIT, "there are %zu subjects, which is the limit", registry->subject_count);
        *ret_subject = subject;
        return true;
}

// The id that the schema has, or would get.
static bool find_id(const struct registry *registry, struct bytes text, uint32_t *ret_id, struct error *error) {
        CLEANUP(buffer_free) struct buffer canonical = {0};
        if (!registry_canonical(registry, text, &canonical, error))
                return false;
        const struct registry_entry *entry = registry_find_canonical(registry, buffer_bytes(&canonical));
        if (entry) {
                *ret_id = entry->id;
                return true;
        }
        struct schema *schema;
        if (!schema_compile(text, NULL, &schema, error))
                return false;
        schema_free(schema);
        uint32_t ids = registry_ids(registry);
        if (ids >= registry->options.ids_max)
                return error_set(error, ERROR_LIMIT, "there are %u schemas, which is the limit", ids);
        *ret_id = ids + 1;
        return true;
}

bool registry_prepare_register(const struct registry *registry, struct bytes name, struct bytes text,
                               struct registry_prepared *ret_prepared, struct error *error) {
        uint32_t id;
        const struct subject *subject;
        if (!registry_check_subject(name, error) || !find_id(registry, text, &id, error) ||
            !check_room(registry, name, &subject, error))
                return false;
        struct registry_prepared prepared = {.registered = {.version = 1, .id = id}};
        if (subject && registry_latest_with_id(subject, id, false, &prepared.registered)) {
                *ret_prepared = prepared;
                return true;
        }
        if (subject && subject->count >= registry->options.versions_max)
                return error_set(error, ERROR_LIMIT, "subject '%.*s' has %zu versions, which is the limit", BYTES_PRINT(name),
                                 subject->count);
        if (subject)
                prepared.registered.version = (uint32_t)subject->count + 1;
        struct json_writer writer = {.buffer = &prepared.body};
        begin_body(&writer, "register", name);
        json_member_u64(&writer, "version", prepared.registered.version);
        json_member_u64(&writer, "id", id);
        json_member_text(&writer, "type", "JSON");
        json_member_bytes(&writer, "schema", text);
        end_body(&writer);
        *ret_prepared = prepared;
        return true;
}

bool registry_prepare_delete(const struct registry *registry, struct bytes name, uint32_t version,
                             struct registry_prepared *ret_prepared, struct error *error) {
        struct registry_version live;
        if (!registry_version(registry, name, version, &live))
                return version ? error_set(error, ERROR_NOT_FOUND, "subject '%.*s' has no version %u", BYTES_PRINT(name), version)
                               : error_set(error, ERROR_NOT_FOUND, "there is no subject '%.*s'", BYTES_PRINT(name));
        struct registry_prepared prepared = {0};
        struct json_writer writer = {.buffer = &prepared.body};
        begin_body(&writer, "delete", name);
        if (version)
                json_member_u64(&writer, "version", version);
        end_body(&writer);
        *ret_prepared = prepared;
        return true;
}

bool registry_prepare_compatibility(const struct registry *registry, struct bytes name, enum registry_level level,
                                    struct registry_prepared *ret_prepared, struct error *error) {
        if (name.size > 0 && !registry_check_subject(name, error))
                return false;
        if (level != REGISTRY_LEVEL_NONE && level != REGISTRY_LEVEL_UNSET)
                return error_set(error, ERROR_UNSUPPORTED, "compatibility level %s is not supported yet, only NONE is",
                                 registry_level_name(level));
        const struct subject *subject = NULL;
        if (name.size > 0 && level != REGISTRY_LEVEL_UNSET && !check_room(registry, name, &subject, error))
                return false;
        struct registry_prepared prepared = {0};
        enum registry_level now = name.size ? registry_compatibility(registry, name) : registry->level;
        if (now != level) {
                struct json_writer writer = {.buffer = &prepared.body};
                begin_body(&writer, "compatibility", name);
                json_member_text(&writer, "level", level == REGISTRY_LEVEL_UNSET ? NULL : registry_level_name(level));
                end_body(&writer);
        }
        *ret_prepared = prepared;
        return true;
}
