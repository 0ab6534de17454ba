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
                return error_set(error, ERROR_EXHAUSTED, "there are %zu subjects, which is the limit", registry->subject_count);
        *ret_subject = subject;
        return true;
}

// Everything that a draft comes to.
struct candidate {
        struct registry_draft draft;            // with the metadata that it gets
        struct material material;
        struct schema *schema;                  // NULL: known by its id
        uint32_t id;
};

static void candidate_free(struct candidate *candidate) {
        material_free(&candidate->material);
        schema_free(candidate->schema);
}

// A draft without metadata gets that of the version before it.
static bool inherit(const struct registry *registry, struct bytes name, uint32_t version, struct candidate *candidate,
                    struct error *error) {
        struct registry_version before;
        if (candidate->draft.metadata.data || !registry_version(registry, name, version, &before) ||
            !registry_metadata(registry, before.id).size)
                return true;
        candidate->draft.metadata = registry_metadata(registry, before.id);
        material_free(&candidate->material);
        candidate->material = (struct material){0};
        return material_make(registry, &candidate->draft, &candidate->material, error);
}

// The id that the schema has, or would get; then it is compiled.
static bool find_id(const struct registry *registry, struct candidate *candidate, struct error *error) {
        const struct registry_entry *entry = registry_find_key(registry, buffer_bytes(&candidate->material.key));
        uint32_t ids = registry_ids(registry);
        candidate->id = entry ? entry->id : ids + 1;
        if (entry)
                return true;
        if (!material_compile(registry, &candidate->material, candidate->draft.text, REGISTRY_WHOLE_MAX, &candidate->schema,
                              error))
                return false;
        if (ids >= registry->options.ids_max)
                return error_set(error, ERROR_EXHAUSTED, "there are %u schemas, which is the limit", ids);
        return true;
}

static void check(const struct registry *registry, struct bytes name, const struct candidate *candidate, uint32_t version,
                  struct registry_objections *objections) {
        const struct schema *schema = candidate->schema ? candidate->schema : registry_schema(registry, candidate->id);
        check_compatible(registry, name, &candidate->draft, &candidate->material, schema, version, objections);
}

bool registry_check(const struct registry *registry, struct bytes name, const struct registry_draft *draft, uint32_t version,
                    struct registry_objections *objections, struct error *error) {
        CLEANUP(candidate_free) struct candidate candidate = {.draft = *draft};
        if (!registry_check_subject(name, error) || !material_make(registry, draft, &candidate.material, error) ||
            !inherit(registry, name, version, &candidate, error) || !find_id(registry, &candidate, error))
                return false;
        check(registry, name, &candidate, version, objections);
        return true;
}

static bool reject(struct bytes name, const struct registry_objections *objections, struct error *error) {
        return error_set(error, ERROR_REJECTED, "the schema is not compatible with an earlier version of subject '%.*s': %s",
                         BYTES_PRINT(name), objections->items[0]);
}

static void render(const struct candidate *candidate, struct bytes name, struct registry_prepared *prepared) {
        struct json_writer writer = {.buffer = &prepared->body};
        begin_body(&writer, "register", name);
        json_member_u64(&writer, "version", prepared->registered.version);
        json_member_u64(&writer, "id", candidate->id);
        json_member_text(&writer, "type", "JSON");
        json_member_bytes(&writer, "schema", candidate->draft.text);
        if (candidate->material.metadata.size) {
                json_key(&writer, "metadata");
                json_raw(&writer, buffer_bytes(&candidate->material.metadata));
        }
        if (candidate->material.references.size) {
                json_key(&writer, "references");
                json_raw(&writer, buffer_bytes(&candidate->material.references));
        }
        end_body(&writer);
}

// A version that is there already, and not deleted.
static bool is_held(const struct registry *registry, const struct subject *subject, const struct candidate *candidate,
                    struct registry_version *ret_version) {
        const struct registry_entry *entry = registry_find_key(registry, buffer_bytes(&candidate->material.key));
        if (!subject)
                return false;
        if (entry && registry_latest_with_id(subject, entry->id, false, ret_version))
                return true;
        return !candidate->draft.metadata.data &&
               registry_latest_alike(registry, subject, &candidate->material, false, ret_version);
}

// What the log has was accepted once, and may be more.
static bool check_memory(const struct registry *registry, struct bytes name, const struct subject *subject,
                         const struct candidate *candidate, struct error *error) {
        size_t wanted = VERSION_MEMORY + (subject ? 0 : memory_of_subject(name)) +
                        (candidate->schema ? memory_of_schema(candidate->schema, &candidate->material) : 0);
        if (registry->memory <= registry->options.memory_max && wanted <= registry->options.memory_max - registry->memory)
                return true;
        return error_set(error, ERROR_EXHAUSTED, "the registry's schemas take %zu bytes of memory, this one would take %zu more, and %zu "
                         "are allowed (limits.max_registry)", registry->memory, wanted, registry->options.memory_max);
}

bool registry_prepare_register(const struct registry *registry, struct bytes name, const struct registry_draft *draft,
                               struct registry_objections *objections, struct registry_prepared *ret_prepared,
                               struct error *error) {
        CLEANUP(candidate_free) struct candidate candidate = {.draft = *draft};
        CLEANUP(registry_objections_free) struct registry_objections own = {0};
        const struct subject *subject;
        if (!registry_check_subject(name, error) || !material_make(registry, draft, &candidate.material, error) ||
            !check_room(registry, name, &subject, error))
                return false;
        struct registry_prepared prepared = {0};
        if (is_held(registry, subject, &candidate, &prepared.registered)) {
                *ret_prepared = prepared;
                return true;
        }
        if (!inherit(registry, name, 0, &candidate, error) || !find_id(registry, &candidate, error))
                return false;
        if (subject && subject->count >= registry->options.versions_max)
                return error_set(error, ERROR_EXHAUSTED, "subject '%.*s' has %zu versions, which is the limit", BYTES_PRINT(name),
                                 subject->count);
        if (!check_memory(registry, name, subject, &candidate, error))
                return false;
        objections = objections ? objections : &own;
        check(registry, name, &candidate, 0, objections);
        if (objections->count)
                return reject(name, objections, error);
        prepared.registered = (struct registry_version){.version = subject ? (uint32_t)subject->count + 1 : 1, .id = candidate.id};
        render(&candidate, name, &prepared);
        *ret_prepared = prepared;
        return true;
}

// Another schema needs it (version 0: one of the subject's): as Confluent's registry says it.
static bool check_referrers(const struct registry *registry, struct bytes name, uint32_t version, struct error *error) {
        uint32_t referrer = 0;
        size_t at = 0;
        bool any = version ? registry_referrer(registry, name, version, &at, &referrer)
                           : registry_lowest_referred(registry, name, &version, &referrer);
        return !any ||
               error_set(error, ERROR_CONFLICT, "One or more references exist to the schema {subject=%.*s,version=%u}: that of the schema "
                         "with id %u", BYTES_PRINT(name), version, referrer);
}

bool registry_prepare_delete(const struct registry *registry, struct bytes name, uint32_t version,
                             struct registry_prepared *ret_prepared, struct error *error) {
        struct registry_version live;
        if (!registry_version(registry, name, version, &live))
                return version ? error_set(error, ERROR_NOT_FOUND, "subject '%.*s' has no version %u", BYTES_PRINT(name), version)
                               : error_set(error, ERROR_NOT_FOUND, "there is no subject '%.*s'", BYTES_PRINT(name));
        if (!check_referrers(registry, name, version, error))
                return false;
        struct registry_prepared prepared = {0};
        struct json_writer writer = {.buffer = &prepared.body};
        begin_body(&writer, "delete", name);
        if (version)
                json_member_u64(&writer, "version", version);
        end_body(&writer);
        *ret_prepared = prepared;
        return true;
}

// The registry's own level cannot be taken away, since none would be NONE: it is the default then. A group without a name says
// something of a subject only.
static struct registry_config next_config(const struct registry_config *now, const struct registry_config_change *change,
                                          bool whole) {
        struct registry_config next = {change->keep_level ? now->level : change->level, change->keep_group ? now->group : change->group};
        if (whole && !change->keep_level && next.level == REGISTRY_LEVEL_UNSET)
                next.level = REGISTRY_DEFAULT_LEVEL;
        if (whole && !next.group.size)
                next.group = (struct bytes){0};
        return next;
}

bool registry_prepare_config(const struct registry *registry, struct bytes name, const struct registry_config_change *change,
                             struct registry_prepared *ret_prepared, struct error *error) {
        if (name.size > 0 && !registry_check_subject(name, error))
                return false;
        struct registry_config now = registry_config(registry, name);
        if (!name.size)
                now.level = registry->level;
        struct registry_config next = next_config(&now, change, name.size == 0);
        if (next.group.size > REGISTRY_PROPERTY_NAME_MAX)
                return error_set(error, ERROR_INVALID, "the name of a compatibility group's property has 1 to %d bytes",
                                 REGISTRY_PROPERTY_NAME_MAX);
        if (next.group.size && memchr(next.group.data, 0, next.group.size))
                return error_set(error, ERROR_INVALID, "the name of a compatibility group's property has no NUL");
        const struct subject *subject = NULL;
        bool sets = next.level != REGISTRY_LEVEL_UNSET || next.group.data;
        if (name.size > 0 && sets && !check_room(registry, name, &subject, error))
                return false;
        struct registry_prepared prepared = {0};
        if (now.level != next.level || !now.group.data != !next.group.data || !bytes_equal(now.group, next.group)) {
                struct json_writer writer = {.buffer = &prepared.body};
                begin_body(&writer, "compatibility", name);
                json_member_text(&writer, "level", next.level == REGISTRY_LEVEL_UNSET ? NULL : registry_level_name(next.level));
                if (next.group.data)
                        json_member_bytes(&writer, "group", next.group);
                end_body(&writer);
        }
        *ret_prepared = prepared;
        return true;
}
