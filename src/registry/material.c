// SPDX-License-Identifier: Apache-2.0
// What a draft is made of, in canonical form: the schema, its metadata, its references with the schemas that they lead to. It changes
// nothing; what is wrong is ERROR_INVALID with the member's name, what is not supported ERROR_UNSUPPORTED.
#include "registry/registry_priv.h"

#include "json/writer.h"
#include "schema/schema.h"

void material_free(struct material *material) {
        buffer_free(&material->key);
        buffer_free(&material->metadata);
        buffer_free(&material->references);
        arena_free(&material->arena);
}

// Empty, or null, or absent.
static bool says_nothing(const struct json *node) {
        return !node || json_is(node, JSON_NULL) || ((json_is(node, JSON_ARRAY) || json_is(node, JSON_OBJECT)) && json_count(node) == 0);
}

static bool starts_with_text(struct bytes text, const char *start) {
        return bytes_starts_with(text, bytes_of(start));
}

// ---- metadata ----

static bool check_property(const struct json *key, const struct json *value, struct error *error) {
        struct bytes name = json_text(key);
        if (name.size == 0 || name.size > REGISTRY_PROPERTY_NAME_MAX)
                return error_set(error, ERROR_INVALID, "metadata: the name of a property has 1 to %d bytes", REGISTRY_PROPERTY_NAME_MAX);
        if (starts_with_text(name, "confluent:"))
                return error_set(error, ERROR_UNSUPPORTED, "metadata: property \"%.*s\" is not supported", BYTES_PRINT(name));
        if (!json_is(value, JSON_STRING))
                return error_set(error, ERROR_INVALID, "metadata: property \"%.*s\" is not a string", BYTES_PRINT(name));
        if (json_text(value).size > REGISTRY_PROPERTY_VALUE_MAX)
                return error_set(error, ERROR_LIMIT, "metadata: property \"%.*s\" has %zu bytes, at most %d are allowed", BYTES_PRINT(name),
                                 json_text(value).size, REGISTRY_PROPERTY_VALUE_MAX);
        return true;
}

static bool check_metadata(const struct json *metadata, struct error *error) {
        if (!json_is(metadata, JSON_OBJECT))
                return error_set(error, ERROR_INVALID, "metadata: expected an object");
        JSON_FOR_EACH_MEMBER(key, value, metadata) {
                if (bytes_equal(json_text(key), BYTES("properties")) || says_nothing(value))
                        continue;
                return error_set(error, ERROR_UNSUPPORTED, "metadata: \"%.*s\" is not supported", BYTES_PRINT(json_text(key)));
        }
        const struct json *properties = json_get_text(metadata, "properties");
        if (says_nothing(properties))
                return true;
        if (!json_is(properties, JSON_OBJECT))
                return error_set(error, ERROR_INVALID, "metadata: \"properties\" is not an object");
        if (json_count(properties) > REGISTRY_PROPERTIES_MAX)
                return error_set(error, ERROR_LIMIT, "metadata: %zu properties, at most %d are allowed", json_count(properties),
                                 REGISTRY_PROPERTIES_MAX);
        JSON_FOR_EACH_MEMBER(key, value, properties)
                if (!check_property(key, value, error))
                        return false;
        return true;
}

static bool make_metadata(struct bytes text, struct material *material, struct error *error) {
        const struct json *metadata;
        if (!text.size)
                return true;
        if (!json_parse(text, NULL, &material->arena, &metadata, error))
                return error_wrap(error, "metadata");
        if (says_nothing(metadata))
                return true;
        if (!check_metadata(metadata, error))
                return false;
        const struct json *properties = json_get_text(metadata, "properties");
        if (says_nothing(properties))
                return true;
        buffer_append(&material->metadata, BYTES("{\"properties\":"));
        json_canonical(&material->metadata, properties);
        buffer_append_byte(&material->metadata, '}');
        return true;
}

struct bytes metadata_property(struct bytes metadata, struct bytes name, struct arena *arena) {
        const struct json *root;
        if (!metadata.size || !json_parse(metadata, NULL, arena, &root, NULL))
                return (struct bytes){0};
        const struct json *value = json_get(json_get_text(root, "properties"), name);
        struct bytes text = value ? json_text(value) : (struct bytes){0};
        return value ? (struct bytes){text.data ? text.data : "", text.size} : text;
}

bool metadata_has(struct bytes metadata, const struct bytes *names, const struct bytes *values, size_t count) {
        CLEANUP(arena_free) struct arena arena = {0};
        const struct json *root;
        if (!metadata.size || !json_parse(metadata, NULL, &arena, &root, NULL))
                return false;
        const struct json *properties = json_get_text(root, "properties");
        for (size_t i = 0; i < count; i++) {
                const struct json *value = json_get(properties, names[i]);
                if (!value || !bytes_equal(json_text(value), values[i]))
                        return false;
        }
        return true;
}

// ---- references ----

static bool wrong_reference(struct error *error, const char *what) {
        return error_set(error, ERROR_INVALID, "references: expected {\"name\": a URI, \"subject\": a name, \"version\": a number}: %s",
                         what);
}

// The version may be a deleted one: what refers to it by number was registered before. In a snapshot the id says it.
static bool resolve_version(const struct registry *registry, struct registry_link *link, int64_t version, const struct json *id,
                            struct error *error) {
        struct registry_subject subject;
        uint64_t given;
        if (id) {
                if (!json_to_u64(id, &given) || given == 0 || given > registry_ids(registry))
                        return wrong_reference(error, "id");
                link->version = (uint32_t)version;
                link->id = (uint32_t)given;
                return true;
        }
        struct registry_version found;
        if (version < 0 ? !registry_version(registry, link->subject, 0, &found)
                        : !registry_subject(registry, link->subject, &subject) || (uint64_t)version > subject.count)
                return error_set(error, ERROR_INVALID, "references: \"%.*s\": there is no version %lld of subject '%.*s'",
                                 BYTES_PRINT(link->name), (long long)version, BYTES_PRINT(link->subject));
        if (version >= 0)
                found = subject.versions[version - 1];
        link->version = found.version;
        link->id = found.id;
        return true;
}

static bool read_link(const struct registry *registry, const struct json *node, struct registry_link *link, struct error *error) {
        const struct json *name = json_get_text(node, "name"), *subject = json_get_text(node, "subject");
        const struct json *version = json_get_text(node, "version");
        int64_t number;
        if (!json_is(name, JSON_STRING) || json_text(name).size == 0 || json_text(name).size > REGISTRY_REFERENCE_NAME_MAX)
                return wrong_reference(error, "name");
        if (!json_is(subject, JSON_STRING) || !registry_check_subject(json_text(subject), NULL))
                return wrong_reference(error, "subject");
        if (!version || !json_to_i64(version, &number) || (number < 1 && number != -1) || number > REGISTRY_VERSIONS_MAX)
                return wrong_reference(error, "version");
        link->name = json_text(name);
        link->subject = json_text(subject);
        return resolve_version(registry, link, number, json_get_text(node, "id"), error);
}

static void write_links(struct material *material) {
        struct json_writer writer = {.buffer = &material->references};
        json_begin_array(&writer);
        for (size_t i = 0; i < material->link_count; i++) {
                json_begin_object(&writer);
                json_member_bytes(&writer, "name", material->links[i].name);
                json_member_bytes(&writer, "subject", material->links[i].subject);
                json_member_u64(&writer, "version", material->links[i].version);
                json_end_object(&writer);
        }
        json_end_array(&writer);
        json_end(&writer);
}

static bool make_references(const struct registry *registry, struct bytes text, struct material *material, struct error *error) {
        const struct json *list;
        if (!text.size)
                return true;
        text = arena_copy(&material->arena, text);
        if (!json_parse(text, NULL, &material->arena, &list, error))
                return error_wrap(error, "references");
        if (says_nothing(list))
                return true;
        if (!json_is(list, JSON_ARRAY))
                return error_set(error, ERROR_INVALID, "references: expected an array");
        if (json_count(list) > REGISTRY_REFERENCES_MAX)
                return error_set(error, ERROR_LIMIT, "references: %zu, at most %d are allowed", json_count(list), REGISTRY_REFERENCES_MAX);
        material->links = arena_alloc(&material->arena, json_count(list) * sizeof *material->links);
        JSON_FOR_EACH(node, list)
                if (!read_link(registry, node, &material->links[material->link_count++], error))
                        return false;
        write_links(material);
        return true;
}

// ---- the whole ----

static bool make_plain(const struct registry *registry, struct bytes text, struct material *material, struct error *error) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct json_limits limits = {.nodes = SCHEMA_NODES_MAX};
        const struct json *root;
        if (text.size > registry->options.schema_max)
                return error_set(error, ERROR_LIMIT, "the schema has %zu bytes, at most %zu are allowed", text.size,
                                 registry->options.schema_max);
        if (!json_parse(text, &limits, &arena, &root, error))
                return false;
        json_canonical(&material->key, root);
        material->plain = material->key.size;
        return true;
}

bool material_make(const struct registry *registry, const struct registry_draft *draft, struct material *ret_material,
                   struct error *error) {
        struct material material = {0};
        if (!make_plain(registry, draft->text, &material, error) || !make_metadata(draft->metadata, &material, error) ||
            !make_references(registry, draft->references, &material, error)) {
                material_free(&material);
                return false;
        }
        if (material.metadata.size || material.references.size) {       // what has neither is known by its schema alone
                buffer_append_byte(&material.key, '\n');
                buffer_append(&material.key, buffer_bytes(&material.metadata));
                buffer_append_byte(&material.key, '\n');
                buffer_append(&material.key, buffer_bytes(&material.references));
        }
        *ret_material = material;
        return true;
}

// ---- compilation ----

struct resolver {
        const struct registry *registry;
        struct registry_link list[REGISTRY_REFERENCES_MAX];     // and those of what is referred to
        size_t count;
        size_t whole, whole_max;                                // bytes of the text and of what was given for it
        struct bytes over;                                      // the name that was too much; {NULL, 0}: none
};

static bool gather(struct resolver *resolver, const struct material *material, struct error *error) {
        for (size_t i = 0; i < material->link_count; i++) {
                const struct registry_link *link = &material->links[i];
                size_t at = 0;
                while (at < resolver->count && !bytes_equal(resolver->list[at].name, link->name))
                        at++;
                if (at < resolver->count && resolver->list[at].id != link->id)
                        return error_set(error, ERROR_INVALID, "references: \"%.*s\" is two different schemas", BYTES_PRINT(link->name));
                if (at < resolver->count)
                        continue;
                if (resolver->count == REGISTRY_REFERENCES_MAX)
                        return error_set(error, ERROR_LIMIT, "references: more than %d, those of what is referred to included",
                                         REGISTRY_REFERENCES_MAX);
                resolver->list[resolver->count++] = *link;
                if (!gather(resolver, &registry_entry(resolver->registry, link->id)->material, error))
                        return false;
        }
        return true;
}

// A name is the URI itself, or its end behind a slash: "$ref": "address.json" beside "$id": "http://example.org/order.json".
static bool names_uri(struct bytes name, struct bytes uri) {
        if (bytes_equal(name, uri))
                return true;
        return uri.size > name.size && uri.data[uri.size - name.size - 1] == '/' &&
               memcmp(uri.data + uri.size - name.size, name.data, name.size) == 0;
}

// Counts what it gives, since the schema has a copy of each: one name may answer to many URIs.
static bool resolve(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        struct resolver *resolver = user;
        size_t at = 0;
        while (at < resolver->count && !names_uri(resolver->list[at].name, uri))
                at++;
        if (at == resolver->count)
                return error_set(error, ERROR_NOT_FOUND, "not among the references");
        struct bytes source = registry_schema_text(resolver->registry, resolver->list[at].id);
        resolver->whole += source.size;
        if (resolver->whole > resolver->whole_max) {
                resolver->over = resolver->list[at].name;
                return error_set(error, ERROR_LIMIT, "too large together");
        }
        *ret_source = source;
        return true;
}

bool material_compile(const struct registry *registry, const struct material *material, struct bytes text, size_t whole_max,
                      struct schema **ret_schema, struct error *error) {
        struct resolver resolver = {.registry = registry, .whole = text.size, .whole_max = whole_max};
        struct schema_options options = {.resolve = resolve, .user = &resolver};
        if (!gather(&resolver, material, error))
                return false;
        if (schema_compile(text, &options, ret_schema, error))
                return true;
        return resolver.over.data && error_set(error, ERROR_LIMIT, "references: with \"%.*s\" the schema and all that it refers to "
                                               "have %zu bytes or more, at most %zu are allowed", BYTES_PRINT(resolver.over),
                                               resolver.whole, whole_max);
}
