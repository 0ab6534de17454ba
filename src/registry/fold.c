// SPDX-License-Identifier: Apache-2.0
// The fold over REGISTRY records, and snapshots of it: the only file that changes a registry. Runs on the control thread, while
// other threads read schemas by id. What it reads was written by prepare.c or registry_snapshot; anything else is ERROR_CORRUPT
// and leaves the registry as it was (a snapshot: fit to be freed only).
#include "registry/registry.h"

#include <stdlib.h>

#include "json/writer.h"
#include "registry/registry_priv.h"
#include "schema/schema.h"

// ---- changes of the structure ----

// Each schema that it refers to learns so, once.
static void add_referrer(struct registry *registry, const struct registry_entry *from) {
        for (size_t i = 0; i < from->material.link_count; i++) {
                struct registry_entry *to = registry_entry(registry, from->material.links[i].id);
                if (to->referrer_count && to->referrers[to->referrer_count - 1] == from->id)
                        continue;
                if (to->referrer_count == to->referrer_capacity) {
                        to->referrer_capacity = to->referrer_capacity * 2 + 1;
                        to->referrers = must_realloc(to->referrers, to->referrer_capacity * sizeof *to->referrers);
                }
                to->referrers[to->referrer_count++] = from->id;
        }
}

static void add_user(struct registry_entry *entry, struct subject *subject) {
        size_t low = 0, high = entry->user_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (entry->users[middle] == subject)
                        return;
                if (bytes_compare(subject_name(entry->users[middle]), subject_name(subject)) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (entry->user_count == entry->user_capacity) {
                entry->user_capacity = entry->user_capacity * 2 + 1;
                entry->users = must_realloc(entry->users, entry->user_capacity * sizeof *entry->users);
        }
        memmove(entry->users + low + 1, entry->users + low, (entry->user_count - low) * sizeof *entry->users);
        entry->users[low] = subject;
        entry->user_count++;
}

// Takes ownership of both. Its number is stored last: see registry_priv.h.
static void add_schema(struct registry *registry, struct schema *schema, struct material material) {
        uint32_t count = registry_ids(registry);
        ASSERT(count < REGISTRY_IDS_MAX);
        struct registry_entry *entry = must_malloc(sizeof *entry);
        *entry = (struct registry_entry){.id = count + 1, .schema = schema, .material = material};
        struct registry_entry ***block = &registry->blocks[count / REGISTRY_BLOCK];
        if (!*block)
                *block = must_calloc(REGISTRY_BLOCK, sizeof **block);
        (*block)[count % REGISTRY_BLOCK] = entry;
        table_insert(&registry->by_canonical, registry_slot(buffer_bytes(&material.key)), entry);
        registry->memory += memory_of_schema(schema, &material);
        add_referrer(registry, entry);
        atomic_store_explicit(&registry->count, count + 1, memory_order_release);
}

// Finds the id of a schema, or compiles it and gives it the next one; `expected` (0: whatever) is what the id must be.
static bool learn_schema(struct registry *registry, const struct registry_draft *draft, uint64_t expected, uint32_t *ret_id,
                         struct error *error) {
        CLEANUP(material_free) struct material material = {0};
        if (!material_make(registry, draft, &material, error))
                return false;
        const struct registry_entry *entry = registry_find_key(registry, buffer_bytes(&material.key));
        uint32_t id = entry ? entry->id : registry_ids(registry) + 1;
        if (expected && expected != id)
                return error_set(error, ERROR_CORRUPT, "a schema has id %llu, and should have %u",
                                 (unsigned long long)expected, id);
        if (id > REGISTRY_IDS_MAX)
                return error_set(error, ERROR_CORRUPT, "more than %d schemas", REGISTRY_IDS_MAX);
        struct schema *schema;
        if (!entry && !material_compile(registry, &material, draft->text, SIZE_MAX, &schema, error))
                return error_wrap(error, "schema with id %u", id);
        if (!entry) {
                add_schema(registry, schema, material);
                material = (struct material){0};
        }
        *ret_id = id;
        return true;
}

static void set_group(char **group, struct bytes name) {
        free(*group);
        *group = name.data ? bytes_to_text(name) : NULL;
}

static struct subject *make_subject(struct registry *registry, struct bytes name) {
        size_t at;
        if (registry_find_subject(registry, name, &at))
                return registry->subjects[at];
        if (registry->subject_count == registry->subject_capacity) {
                registry->subject_capacity = MAX(registry->subject_capacity * 2, (size_t)16);
                registry->subjects = must_realloc(registry->subjects, registry->subject_capacity * sizeof *registry->subjects);
        }
        struct subject *subject = must_calloc(1, sizeof *subject);
        subject->name = bytes_to_text(name);
        subject->name_size = name.size;
        struct subject **place = registry->subjects + at;
        memmove(place + 1, place, (registry->subject_count - at) * sizeof *place);
        *place = subject;
        registry->subject_count++;
        registry->memory += memory_of_subject(name);
        return subject;
}

static void add_version(struct registry *registry, struct subject *subject, uint32_t id, bool deleted) {
        if (subject->count == subject->capacity) {
                subject->capacity = MAX(subject->capacity * 2, (size_t)4);
                subject->versions = must_realloc(subject->versions, subject->capacity * sizeof *subject->versions);
        }
        subject->versions[subject->count] =
                (struct registry_version){.version = (uint32_t)subject->count + 1, .id = id, .deleted = deleted};
        subject->count++;
        subject->live += !deleted;
        registry_entry(registry, id)->live += !deleted;
        registry->memory += VERSION_MEMORY;
        add_user(registry_entry(registry, id), subject);
}

static void delete_version(struct registry *registry, struct subject *subject, size_t at) {
        struct registry_version *version = &subject->versions[at];
        if (version->deleted)
                return;
        struct registry_entry *entry = registry_entry(registry, version->id);
        ASSERT(subject->live > 0 && entry->live > 0);
        subject->live--;
        entry->live--;
        version->deleted = true;
}

// ---- reading members ----

static bool corrupt(struct error *error, const char *what) {
        return error_set(error, ERROR_CORRUPT, "not a change of the registry: %s", what);
}

static bool read_text(const struct json *object, const char *key, struct bytes *ret_text, struct error *error) {
        const struct json *node = json_get_text(object, key);
        if (!json_is(node, JSON_STRING))
                return corrupt(error, key);
        *ret_text = json_text(node);
        return true;
}

static bool read_subject(const struct json *object, const char *key, struct bytes *ret_name, struct error *error) {
        return read_text(object, key, ret_name, error) && (registry_check_subject(*ret_name, NULL) || corrupt(error, key));
}

// An integer from 1.
static bool read_number(const struct json *object, const char *key, uint64_t *ret_number) {
        const struct json *node = json_get_text(object, key);
        return json_is(node, JSON_NUMBER) && json_to_u64(node, ret_number) && *ret_number > 0;
}

// A level, or null for UNSET.
static bool read_level(const struct json *object, enum registry_level *ret_level, struct error *error) {
        const struct json *node = json_get_text(object, "level");
        *ret_level = REGISTRY_LEVEL_UNSET;
        if (json_is(node, JSON_NULL))
                return true;
        return (json_is(node, JSON_STRING) && registry_level_of(json_text(node), ret_level)) || corrupt(error, "level");
}

// The name of a property; absent: none. A subject's may be empty.
static bool read_group(const struct json *object, bool whole, struct bytes *ret_group, struct error *error) {
        const struct json *node = json_get_text(object, "group");
        *ret_group = (struct bytes){0};
        if (!node)
                return true;
        if (!json_is(node, JSON_STRING) || json_text(node).size > REGISTRY_PROPERTY_NAME_MAX || (whole && !json_text(node).size))
                return corrupt(error, "group");
        *ret_group = json_text(node).size ? json_text(node) : BYTES("");
        return true;
}

// Metadata and references, as they would be sent.
static void read_attachments(const struct json *object, struct registry_draft *draft, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer text = {0};
        const struct json *metadata = json_get_text(object, "metadata"), *references = json_get_text(object, "references");
        if (metadata) {
                json_write(&text, metadata);
                draft->metadata = arena_copy(arena, buffer_bytes(&text));
        }
        buffer_clear(&text);
        if (references) {
                json_write(&text, references);
                draft->references = arena_copy(arena, buffer_bytes(&text));
        }
}

// ---- records ----

static bool apply_register(struct registry *registry, const struct json *body, struct error *error) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct registry_draft draft = {0};
        struct bytes name, type;
        uint64_t version, id;
        size_t at;
        if (!read_subject(body, "subject", &name, error) || !read_text(body, "type", &type, error) ||
            !read_text(body, "schema", &draft.text, error))
                return false;
        read_attachments(body, &draft, &arena);
        if (!bytes_equal(type, BYTES("JSON")))
                return corrupt(error, "type");
        if (!read_number(body, "version", &version) || !read_number(body, "id", &id))
                return corrupt(error, "version and id");
        size_t count = registry_find_subject(registry, name, &at) ? registry->subjects[at]->count : 0;
        if (version != count + 1 || version > REGISTRY_VERSIONS_MAX)
                return error_set(error, ERROR_CORRUPT, "subject '%.*s' has %zu versions, and gets number %llu", BYTES_PRINT(name),
                                 count, (unsigned long long)version);
        uint32_t schema_id;
        if (!learn_schema(registry, &draft, id, &schema_id, error))
                return error_wrap(error, "subject '%.*s'", BYTES_PRINT(name));
        add_version(registry, make_subject(registry, name), schema_id, false);
        return true;
}

static bool apply_delete(struct registry *registry, const struct json *body, struct error *error) {
        struct bytes name;
        size_t at;
        uint64_t version;
        bool one = json_get_text(body, "version");
        if (!read_subject(body, "subject", &name, error))
                return false;
        if (!registry_find_subject(registry, name, &at))
                return corrupt(error, "no such subject");
        struct subject *subject = registry->subjects[at];
        if (one && (!read_number(body, "version", &version) || version > subject->count))
                return corrupt(error, "version");
        if (one)
                delete_version(registry, subject, version - 1);
        for (size_t each = 0; !one && each < subject->count; each++)
                delete_version(registry, subject, each);
        return true;
}

static bool apply_compatibility(struct registry *registry, const struct json *body, struct error *error) {
        struct bytes name, group;
        enum registry_level level;
        bool whole = !json_get_text(body, "subject");
        if (!read_level(body, &level, error) || !read_group(body, whole, &group, error))
                return false;
        if (whole) {
                registry->level = level;
                set_group(&registry->group, group);
                return true;
        }
        if (!read_subject(body, "subject", &name, error))
                return false;
        struct subject *subject = make_subject(registry, name);
        subject->level = level;
        set_group(&subject->group, group);
        return true;
}

static const struct change {
        const char *name;
        bool (*apply)(struct registry *registry, const struct json *body, struct error *error);
        const char *members[7];                 // besides format and change
} changes[] = {
        {"register", apply_register, {"subject", "version", "id", "type", "schema", "metadata", "references"}},
        {"delete", apply_delete, {"subject", "version"}},
        {"compatibility", apply_compatibility, {"subject", "level", "group"}},
};

static bool known_member(const struct change *change, struct bytes key) {
        if (bytes_equal(key, BYTES("format")) || bytes_equal(key, BYTES("change")))
                return true;
        for (size_t at = 0; at < ARRAY_SIZE(change->members); at++)
                if (change->members[at] && bytes_equal(key, bytes_of(change->members[at])))
                        return true;
        return false;
}

// The body is ours, so whatever is wrong with it is damage.
static bool parse_body(struct bytes body, struct arena *arena, const struct json **ret_root, struct error *error) {
        uint64_t format;
        const struct json *root;
        if (!json_parse(body, NULL, arena, &root, error))
                return corrupt(error, "not JSON");
        if (!read_number(root, "format", &format) || format != REGISTRY_FORMAT)
                return corrupt(error, "format");
        *ret_root = root;
        return true;
}

bool registry_apply(struct registry *registry, struct bytes body, struct error *error) {
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json *root;
        struct bytes name;
        if (!parse_body(body, &arena, &root, error) || !read_text(root, "change", &name, error))
                return false;
        for (size_t at = 0; at < ARRAY_SIZE(changes); at++) {
                if (!bytes_equal(name, bytes_of(changes[at].name)))
                        continue;
                JSON_FOR_EACH_MEMBER(key, value, root)
                        if (!known_member(&changes[at], json_text(key)))
                                return corrupt(error, "a member that it does not have");
                if (!changes[at].apply(registry, root, error))
                        return false;
                registry->used = true;
                return true;
        }
        return corrupt(error, "change");
}

// ---- snapshots ----

static void write_config(struct json_writer *writer, enum registry_level level, const char *group) {
        json_member_text(writer, "level", level == REGISTRY_LEVEL_UNSET ? NULL : registry_level_name(level));
        if (group)
                json_member_text(writer, "group", group);
}

// References with ids: subjects are not there yet when they are read.
static void write_schema(struct json_writer *writer, const struct registry_entry *entry) {
        const struct material *material = &entry->material;
        if (!material->metadata.size && !material->link_count) {
                json_string(writer, schema_source(entry->schema));
                return;
        }
        json_begin_object(writer);
        json_member_bytes(writer, "schema", schema_source(entry->schema));
        if (material->metadata.size) {
                json_key(writer, "metadata");
                json_raw(writer, buffer_bytes(&material->metadata));
        }
        if (material->link_count) {
                json_key(writer, "references");
                json_begin_array(writer);
                for (size_t i = 0; i < material->link_count; i++) {
                        json_begin_object(writer);
                        json_member_bytes(writer, "name", material->links[i].name);
                        json_member_bytes(writer, "subject", material->links[i].subject);
                        json_member_u64(writer, "version", material->links[i].version);
                        json_member_u64(writer, "id", material->links[i].id);
                        json_end_object(writer);
                }
                json_end_array(writer);
        }
        json_end_object(writer);
}

static void write_subject(struct json_writer *writer, const struct subject *subject) {
        json_begin_object(writer);
        json_member_bytes(writer, "name", (struct bytes){subject->name, subject->name_size});
        write_config(writer, subject->level, subject->group);
        json_key(writer, "versions");
        json_begin_array(writer);
        for (size_t at = 0; at < subject->count; at++) {
                json_begin_object(writer);
                json_member_u64(writer, "id", subject->versions[at].id);
                json_member_boolean(writer, "deleted", subject->versions[at].deleted);
                json_end_object(writer);
        }
        json_end_array(writer);
        json_end_object(writer);
}

void registry_snapshot(const struct registry *registry, struct buffer *buffer) {
        struct json_writer writer = {.buffer = buffer};
        json_begin_object(&writer);
        json_member_u64(&writer, "format", REGISTRY_FORMAT);
        write_config(&writer, registry->level, registry->group);
        json_key(&writer, "schemas");
        json_begin_array(&writer);
        for (uint32_t id = 1; id <= registry_ids(registry); id++)
                write_schema(&writer, registry_entry(registry, id));
        json_end_array(&writer);
        json_key(&writer, "subjects");
        json_begin_array(&writer);
        for (size_t at = 0; at < registry->subject_count; at++)
                write_subject(&writer, registry->subjects[at]);
        json_end_array(&writer);
        json_end_object(&writer);
        json_end(&writer);
}

static bool restore_subject(struct registry *registry, const struct json *node, struct error *error) {
        struct bytes name, group;
        enum registry_level level;
        const struct json *versions = json_get_text(node, "versions");
        if (!read_subject(node, "name", &name, error) || !read_level(node, &level, error) || !read_group(node, false, &group, error))
                return false;
        if (!json_is(versions, JSON_ARRAY) || json_count(versions) > REGISTRY_VERSIONS_MAX)
                return corrupt(error, "versions");
        struct subject *subject = make_subject(registry, name);
        if (subject->count > 0)
                return corrupt(error, "a subject twice");
        subject->level = level;
        set_group(&subject->group, group);
        JSON_FOR_EACH(version, versions) {
                const struct json *deleted = json_get_text(version, "deleted");
                uint64_t version_id;
                if (!read_number(version, "id", &version_id) || version_id > registry_ids(registry) ||
                    !json_is(deleted, JSON_BOOL))
                        return corrupt(error, "id or deleted");
                add_version(registry, subject, (uint32_t)version_id, json_bool(deleted));
        }
        return true;
}

static bool restore_schema(struct registry *registry, const struct json *node, uint32_t id, struct error *error) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct registry_draft draft = {0};
        const struct json *text = json_is(node, JSON_OBJECT) ? json_get_text(node, "schema") : node;
        uint32_t learned;
        if (!json_is(text, JSON_STRING))
                return corrupt(error, "schemas");
        draft.text = json_text(text);
        read_attachments(node, &draft, &arena);
        return learn_schema(registry, &draft, id, &learned, error) || corrupt(error, "schemas");
}

bool registry_restore(struct registry *registry, struct bytes snapshot, struct error *error) {
        ASSERT(registry_ids(registry) == 0 && registry->subject_count == 0);
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json *root;
        enum registry_level level;
        struct bytes group;
        if (!parse_body(snapshot, &arena, &root, error) || !read_level(root, &level, error) || !read_group(root, true, &group, error))
                return false;
        const struct json *schemas = json_get_text(root, "schemas"), *subjects = json_get_text(root, "subjects");
        if (!json_is(schemas, JSON_ARRAY) || !json_is(subjects, JSON_ARRAY))
                return corrupt(error, "schemas and subjects");
        registry->level = level;
        registry->used = true;
        set_group(&registry->group, group);
        uint32_t id = 0;
        JSON_FOR_EACH(schema, schemas)
                if (!restore_schema(registry, schema, ++id, error))
                        return false;
        JSON_FOR_EACH(subject, subjects)
                if (!restore_subject(registry, subject, error))
                        return false;
        return true;
}
