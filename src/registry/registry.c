// SPDX-License-Identifier: Apache-2.0
// The structure of a registry and its reading side. The registry owns everything it points to; schemas and blocks of entries are
// never freed or moved before the registry is, which is what lets any thread read by id. Reading cannot fail.
#include "registry/registry.h"

#include <stdlib.h>

#include "base/hash.h"
#include "json/utf8.h"
#include "registry/registry_priv.h"
#include "schema/schema.h"

static size_t limit_or(size_t wanted, size_t largest) {
        ASSERT(wanted <= largest);
        return wanted ? wanted : largest;
}

struct registry *registry_new(const struct registry_options *options) {
        static const struct registry_options defaults;
        if (!options)
                options = &defaults;
        struct registry *registry = must_calloc(1, sizeof *registry);
        registry->options = (struct registry_options){
                .schema_max = limit_or(options->schema_max, REGISTRY_SCHEMA_MAX),
                .subjects_max = limit_or(options->subjects_max, REGISTRY_SUBJECTS_MAX),
                .versions_max = limit_or(options->versions_max, REGISTRY_VERSIONS_MAX),
                .ids_max = limit_or(options->ids_max, REGISTRY_IDS_MAX),
                .memory_max = options->memory_max ? options->memory_max : REGISTRY_MEMORY_MAX,
        };
        return registry;
}

void registry_free(struct registry *registry) {
        if (!registry)
                return;
        for (uint32_t id = 1; id <= registry_ids(registry); id++) {
                struct registry_entry *entry = registry_entry(registry, id);
                schema_free(entry->schema);
                material_free(&entry->material);
                free(entry->referrers);
                free(entry->users);
                free(entry);
        }
        for (size_t block = 0; block < REGISTRY_BLOCKS; block++)
                free(registry->blocks[block]);
        table_free(&registry->by_canonical);
        free(registry->group);
        for (size_t at = 0; at < registry->subject_count; at++) {
                free(registry->subjects[at]->name);
                free(registry->subjects[at]->group);
                free(registry->subjects[at]->versions);
                free(registry->subjects[at]);
        }
        free(registry->subjects);
        free(registry);
}

void registry_freep(struct registry **registry) {
        registry_free(*registry);
}

// ---- by id ----

uint32_t registry_ids(const struct registry *registry) {
        return atomic_load_explicit(&registry->count, memory_order_acquire);
}

struct registry_entry *registry_entry(const struct registry *registry, uint32_t id) {
        if (id == 0 || id > registry_ids(registry))
                return NULL;
        return registry->blocks[(id - 1) / REGISTRY_BLOCK][(id - 1) % REGISTRY_BLOCK];
}

const struct schema *registry_schema(const struct registry *registry, uint32_t id) {
        const struct registry_entry *entry = registry_entry(registry, id);
        return entry ? entry->schema : NULL;
}

struct bytes registry_schema_text(const struct registry *registry, uint32_t id) {
        const struct registry_entry *entry = registry_entry(registry, id);
        return entry ? schema_source(entry->schema) : (struct bytes){0};
}

static struct bytes bytes_or_none(const struct buffer *buffer) {
        return buffer->size ? buffer_bytes(buffer) : (struct bytes){0};
}

struct bytes registry_metadata(const struct registry *registry, uint32_t id) {
        const struct registry_entry *entry = registry_entry(registry, id);
        return entry ? bytes_or_none(&entry->material.metadata) : (struct bytes){0};
}

struct bytes registry_references(const struct registry *registry, uint32_t id) {
        const struct registry_entry *entry = registry_entry(registry, id);
        return entry ? bytes_or_none(&entry->material.references) : (struct bytes){0};
}

static size_t held(const struct buffer *buffer) {
        return buffer->capacity;
}

size_t memory_of_schema(const struct schema *schema, const struct material *material) {
        return sizeof(struct registry_entry) + schema_memory(schema) + held(&material->key) + held(&material->metadata) +
               held(&material->references) + arena_size(&material->arena) + material->link_count * sizeof(uint32_t);
}

size_t memory_of_subject(struct bytes name) {
        return sizeof(struct subject) + name.size + 1;
}

size_t registry_memory(const struct registry *registry) {
        return registry->memory;
}

struct bytes registry_property(const struct registry *registry, uint32_t id, struct bytes name, struct arena *arena) {
        return metadata_property(registry_metadata(registry, id), name, arena);
}

bool registry_has_properties(const struct registry *registry, uint32_t id, const struct bytes *names, const struct bytes *values,
                             size_t count) {
        return metadata_has(registry_metadata(registry, id), names, values, count);
}

// ---- by content ----

struct registry_draft registry_event_draft(struct bytes text, unsigned version, struct arena *arena) {
        const char *metadata = arena_print(arena, "{\"properties\":{\"%.*s\":\"%u\"}}", BYTES_PRINT(REGISTRY_DEFAULT_GROUP), version);
        return (struct registry_draft){.text = text, .metadata = bytes_of(metadata), .group = REGISTRY_DEFAULT_GROUP};
}

// SHA-256 inside, so that nobody can choose schemas that collide in the table; no secret is needed for that.
uint64_t registry_slot(struct bytes key) {
        static const struct hash_key no_key;
        struct hash128 hash = hash128_of(&no_key, HASH_CONFIG, &key, 1);
        return hash128_slot(&hash);
}

static bool key_equal(const void *element, const void *key) {
        const struct registry_entry *entry = element;
        return bytes_equal(buffer_bytes(&entry->material.key), *(const struct bytes *)key);
}

struct registry_entry *registry_find_key(const struct registry *registry, struct bytes key) {
        return table_find(&registry->by_canonical, registry_slot(key), &key, key_equal);
}

// ---- subjects ----

bool registry_check_subject(struct bytes name, struct error *error) {
        if (name.size == 0 || name.size > REGISTRY_SUBJECT_MAX)
                return error_set(error, ERROR_INVALID, "a subject's name has 1 to %d bytes", REGISTRY_SUBJECT_MAX);
        for (const char *at = name.data, *end = name.data + name.size; at < end; at += utf8_sequence(at, end))
                if (utf8_sequence(at, end) == 0 || (unsigned char)*at < 0x20 || *at == 0x7f)
                        return error_set(error, ERROR_INVALID, "a subject's name is UTF-8 without control characters");
        if (bytes_starts_with(name, BYTES(":.")) || bytes_starts_with(name, BYTES(":*:")))
                return error_set(error, ERROR_INVALID, "contexts of schemas (':.context:subject') are not supported");
        if (bytes_equal(name, BYTES("__GLOBAL")) || bytes_equal(name, BYTES("__EMPTY")))
                return error_set(error, ERROR_INVALID, "the subject's name '%.*s' is reserved", BYTES_PRINT(name));
        return true;
}

bool registry_find_subject(const struct registry *registry, struct bytes name, size_t *ret_at) {
        size_t low = 0, high = registry->subject_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct subject *subject = registry->subjects[middle];
                int order = bytes_compare(subject_name(subject), name);
                if (order == 0) {
                        *ret_at = middle;
                        return true;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_at = low;
        return false;
}

struct bytes subject_name(const struct subject *subject) {
        return (struct bytes){subject->name, subject->name_size};
}

static struct registry_subject seen_of(const struct subject *subject) {
        return (struct registry_subject){
                .name = subject_name(subject),
                .versions = subject->versions,
                .count = subject->count,
                .live = subject->live,
        };
}

bool registry_subject_at(const struct registry *registry, size_t at, struct registry_subject *ret_subject) {
        if (at >= registry->subject_count)
                return false;
        *ret_subject = seen_of(registry->subjects[at]);
        return true;
}

bool registry_user(const struct registry *registry, uint32_t id, size_t at, struct registry_subject *ret_subject) {
        const struct registry_entry *entry = registry_entry(registry, id);
        if (!entry || at >= entry->user_count)
                return false;
        *ret_subject = seen_of(entry->users[at]);
        return true;
}

bool registry_subject(const struct registry *registry, struct bytes name, struct registry_subject *ret_subject) {
        size_t at;
        return registry_find_subject(registry, name, &at) && registry_subject_at(registry, at, ret_subject);
}

bool registry_version(const struct registry *registry, struct bytes name, uint32_t version,
                      struct registry_version *ret_version) {
        struct registry_subject subject;
        if (!registry_subject(registry, name, &subject) || version > subject.count)
                return false;
        size_t at = version ? version : subject.count;
        while (version == 0 && at > 0 && subject.versions[at - 1].deleted)
                at--;
        if (at == 0 || subject.versions[at - 1].deleted)
                return false;
        *ret_version = subject.versions[at - 1];
        return true;
}

bool registry_latest_with_id(const struct subject *subject, uint32_t id, bool deleted, struct registry_version *ret_version) {
        for (size_t at = subject->count; at > 0; at--) {
                const struct registry_version *version = &subject->versions[at - 1];
                if (version->id == id && (deleted || !version->deleted)) {
                        *ret_version = *version;
                        return true;
                }
        }
        return false;
}

static bool is_alike(const struct material *a, const struct material *b) {
        return bytes_equal((struct bytes){a->key.data, a->plain}, (struct bytes){b->key.data, b->plain}) &&
               bytes_equal(buffer_bytes(&a->references), buffer_bytes(&b->references));
}

bool registry_latest_alike(const struct registry *registry, const struct subject *subject, const struct material *material,
                           bool deleted, struct registry_version *ret_version) {
        for (size_t at = subject->count; at > 0; at--) {
                const struct registry_version *version = &subject->versions[at - 1];
                if ((deleted || !version->deleted) && is_alike(&registry_entry(registry, version->id)->material, material)) {
                        *ret_version = *version;
                        return true;
                }
        }
        return false;
}

static bool look_up(const struct registry *registry, struct bytes name, const struct registry_draft *draft,
                    const struct material *material, bool deleted, struct registry_version *ret_version) {
        const struct registry_entry *entry = registry_find_key(registry, buffer_bytes(&material->key));
        size_t at;
        if (!registry_find_subject(registry, name, &at))
                return false;
        if (entry && registry_latest_with_id(registry->subjects[at], entry->id, deleted, ret_version))
                return true;
        return !draft->metadata.data && registry_latest_alike(registry, registry->subjects[at], material, deleted, ret_version);
}

bool registry_lookup(const struct registry *registry, struct bytes name, const struct registry_draft *draft, bool deleted,
                     struct registry_version *ret_version, struct error *error) {
        CLEANUP(material_free) struct material material = {0};
        if (!material_make(registry, draft, &material, error))
                return false;
        if (look_up(registry, name, draft, &material, deleted, ret_version))
                return true;
        if (!registry_find_key(registry, buffer_bytes(&material.key))) {        // never registered: is that because it could not be?
                struct schema *schema;
                if (!material_compile(registry, &material, draft->text, REGISTRY_WHOLE_MAX, &schema, error))
                        return false;
                schema_free(schema);
        }
        return error_set(error, ERROR_NOT_FOUND, "subject '%.*s' has no such schema", BYTES_PRINT(name));
}

bool registry_version_is(const struct registry *registry, struct bytes name, uint32_t version, struct bytes text) {
        CLEANUP(material_free) struct material material = {0};
        const struct registry_draft draft = {.text = text};
        struct registry_version found;
        return registry_version(registry, name, version, &found) && material_make(registry, &draft, &material, NULL) &&
               is_alike(&registry_entry(registry, found.id)->material, &material);
}

static bool refers(const struct material *material, struct bytes subject, uint32_t version) {
        for (size_t i = 0; i < material->link_count; i++)
                if (material->links[i].version == version && bytes_equal(material->links[i].subject, subject))
                        return true;
        return false;
}

bool registry_referrer(const struct registry *registry, struct bytes name, uint32_t version, size_t *at, uint32_t *ret_id) {
        struct registry_subject subject;
        if (!registry_subject(registry, name, &subject) || version == 0 || version > subject.count)
                return false;
        const struct registry_entry *to = registry_entry(registry, subject.versions[version - 1].id);
        while (*at < to->referrer_count) {
                const struct registry_entry *from = registry_entry(registry, to->referrers[(*at)++]);
                if (from->live && refers(&from->material, name, version)) {
                        *ret_id = from->id;
                        return true;
                }
        }
        return false;
}

bool registry_lowest_referred(const struct registry *registry, struct bytes name, uint32_t *ret_version, uint32_t *ret_id) {
        struct registry_subject subject;
        if (!registry_subject(registry, name, &subject))
                return false;
        for (uint32_t version = 1; version <= subject.count; version++) {
                size_t at = 0;
                if (subject.versions[version - 1].deleted || !registry_referrer(registry, name, version, &at, ret_id))
                        continue;
                *ret_version = version;
                return true;
        }
        return false;
}

// ---- compatibility ----

static const char *const levels[] = {
        [REGISTRY_LEVEL_UNSET] = "",
#define X(name) [REGISTRY_LEVEL_##name] = #name,
        REGISTRY_LEVELS(X)
#undef X
};

const char *registry_level_name(enum registry_level level) {
        return levels[level];
}

bool registry_level_of(struct bytes name, enum registry_level *ret_level) {
        for (size_t level = REGISTRY_LEVEL_UNSET + 1; level < ARRAY_SIZE(levels); level++)
                if (bytes_equal(name, bytes_of(levels[level]))) {
                        *ret_level = (enum registry_level)level;
                        return true;
                }
        return false;
}

bool registry_is_new(const struct registry *registry) {
        return !registry->used;
}

static struct registry_config config_of(enum registry_level level, const char *group) {
        return (struct registry_config){level, group ? bytes_of(group) : (struct bytes){0}};
}

struct registry_config registry_config(const struct registry *registry, struct bytes name) {
        size_t at;
        if (name.size == 0)
                return config_of(registry->level == REGISTRY_LEVEL_UNSET ? REGISTRY_LEVEL_NONE : registry->level, registry->group);
        if (!registry_find_subject(registry, name, &at))
                return (struct registry_config){0};
        return config_of(registry->subjects[at]->level, registry->subjects[at]->group);
}

struct registry_config registry_config_in_scope(const struct registry *registry, struct bytes name) {
        struct registry_config all = registry_config(registry, (struct bytes){0}), own = registry_config(registry, name);
        return (struct registry_config){own.level == REGISTRY_LEVEL_UNSET ? all.level : own.level, own.group.data ? own.group : all.group};
}
