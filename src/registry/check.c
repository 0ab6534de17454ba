// SPDX-License-Identifier: Apache-2.0
// Compatibility of a schema with the versions before it. The sentences have the form that clients of Confluent's registry know:
//      {errorType:"TYPE_NARROWED", description:"at path '#/properties/a/type': …"}, … {oldSchemaVersion: 3}, {oldSchema: '…'},
//      {validateFields: 'false', compatibility: 'BACKWARD'}
#include "registry/registry.h"

#include <stdlib.h>

#include "registry/registry_priv.h"
#include "schema/compatible.h"

enum {
        CHECK_STEPS_MAX = 4 * COMPATIBLE_STEPS_MAX,     // of all comparisons of one check together; of each COMPATIBLE_STEPS_MAX
        OLD_SCHEMA_SHOWN = 10 << 10,            // bytes
};

void registry_objections_free(struct registry_objections *objections) {
        free(objections->items);
        free(objections->differences);
        arena_free(&objections->arena);
        *objections = (struct registry_objections){0};
}

static void object(struct registry_objections *objections, const char *sentence) {
        if (objections->count == objections->capacity) {
                objections->capacity = objections->capacity * 2 + 8;
                objections->items = must_realloc(objections->items, objections->capacity * sizeof *objections->items);
        }
        objections->items[objections->count++] = sentence;
}

static void differ(struct registry_objections *objections, const struct registry_difference *difference) {
        if (objections->difference_count == objections->difference_capacity) {
                objections->difference_capacity = objections->difference_capacity * 2 + 8;
                objections->differences = must_realloc(objections->differences,
                                                       objections->difference_capacity * sizeof *objections->differences);
        }
        objections->differences[objections->difference_count++] = *difference;
        object(objections, arena_print(&objections->arena, "{errorType:\"%s\", description:\"at path '%s': %s%s\"}", difference->name,
                                       difference->place, difference->sentence,
                                       difference->uncertain ? "; this could not be decided" : ""));
}

static bool is_transitive(enum registry_level level) {
        return level == REGISTRY_LEVEL_BACKWARD_TRANSITIVE || level == REGISTRY_LEVEL_FORWARD_TRANSITIVE ||
               level == REGISTRY_LEVEL_FULL_TRANSITIVE;
}

static bool is_full(enum registry_level level) {
        return level == REGISTRY_LEVEL_FULL || level == REGISTRY_LEVEL_FULL_TRANSITIVE;
}

static bool looks_backward(enum registry_level level) {
        return is_full(level) || level == REGISTRY_LEVEL_BACKWARD || level == REGISTRY_LEVEL_BACKWARD_TRANSITIVE;
}

static bool looks_forward(enum registry_level level) {
        return is_full(level) || level == REGISTRY_LEVEL_FORWARD || level == REGISTRY_LEVEL_FORWARD_TRANSITIVE;
}

// Whether the old schema can read what the new one allows; else the other way round.
static void compare(const struct schema *old, const struct schema *new, bool old_reader, uint64_t *budget,
                    struct registry_objections *objections) {
        const struct schema *writer = old_reader ? new : old, *reader = old_reader ? old : new;
        const struct schema_compatible_options options = {
                .defaults = true, .writer_name = old_reader ? "new" : "old", .reader_name = old_reader ? "old" : "new", .budget = budget,
        };
        struct schema_difference *differences;
        size_t count;
        enum schema_compatibility answer =
                schema_compatible(writer, reader, &options, &objections->arena, &differences, &count);
        if (answer == SCHEMA_COMPATIBLE || answer == SCHEMA_TOLERABLE)
                return;
        for (size_t i = 0; i < count; i++)
                if (!differences[i].tolerated)
                        differ(objections, &(struct registry_difference){
                                .name = schema_difference_name(differences[i].kind), .place = differences[i].place,
                                .sentence = differences[i].sentence, .old_place = differences[i].in_writer != old_reader,
                                .old_reader = old_reader, .uncertain = differences[i].uncertain});
}

static void show_version(const struct registry *registry, const struct registry_version *version,
                         struct registry_objections *objections) {
        struct bytes text = registry_schema_text(registry, version->id);
        object(objections, arena_print(&objections->arena, "{oldSchemaVersion: %u}", version->version));
        if (text.size <= OLD_SCHEMA_SHOWN)
                object(objections, arena_print(&objections->arena, "{oldSchema: '%.*s'}", BYTES_PRINT(text)));
        else
                object(objections, arena_print(&objections->arena, "{oldSchema: <truncated> '%.*s...'}", OLD_SCHEMA_SHOWN, text.data));
}

// "'value'", or that there is none.
static const char *quoted(struct arena *arena, struct bytes value) {
        return value.data ? arena_print(arena, "'%.*s'", BYTES_PRINT(value)) : "none";
}

// What the caller believes to be compared, and is not: the sentence lives with the objections.
static const char *uncompared(const struct registry *registry, const struct registry_subject *subject, uint32_t version,
                              struct bytes group, struct bytes value, struct registry_objections *objections) {
        struct arena *arena = &objections->arena;
        if (!subject->live)
                return arena_print(arena, "subject '%.*s' has no version", BYTES_PRINT(subject->name));
        if (!version)
                return arena_print(arena, "versions are compared within a value of the property '%.*s', and none of subject '%.*s' has %s",
                                   BYTES_PRINT(group), BYTES_PRINT(subject->name), quoted(arena, value));
        struct bytes other = registry_property(registry, subject->versions[version - 1].id, group, arena);
        return arena_print(arena, "versions are compared within a value of the property '%.*s': version %u has %s, this schema %s",
                           BYTES_PRINT(group), version, quoted(arena, other), quoted(arena, value));
}

// True: it is compared with this version.
static bool is_compared(const struct registry *registry, const struct registry_version *version, struct bytes group,
                        struct bytes value) {
        CLEANUP(arena_free) struct arena arena = {0};
        if (version->deleted)
                return false;
        if (!group.size)
                return true;
        struct bytes other = registry_property(registry, version->id, group, &arena);
        return bytes_equal(value, other) && !value.data == !other.data;
}

static bool compare_with(const struct registry *registry, const struct registry_version *version, const struct schema *schema,
                         enum registry_level level, uint64_t *budget, struct registry_objections *objections) {
        const struct schema *old = registry_schema(registry, version->id);
        size_t before = objections->count;
        if (looks_forward(level))
                compare(old, schema, true, budget, objections);
        if (looks_backward(level))
                compare(old, schema, false, budget, objections);
        if (objections->count == before)
                return true;
        show_version(registry, version, objections);
        objections->version = version->version;
        objections->level = level;
        return false;
}

void check_compatible(const struct registry *registry, struct bytes name, const struct registry_draft *draft,
                      const struct material *material, const struct schema *schema, uint32_t version,
                      struct registry_objections *objections) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct registry_config config = registry_config_in_scope(registry, name);
        struct bytes group = draft->group.size ? draft->group : config.group, value = {0};
        struct registry_subject subject;
        if (config.level == REGISTRY_LEVEL_NONE) {
                objections->uncompared = "the level is NONE";
                return;
        }
        if (!registry_subject(registry, name, &subject))
                subject = (struct registry_subject){.name = name};
        if (group.size)
                value = metadata_property(buffer_bytes(&material->metadata), group, &arena);
        const struct registry_version **compared = arena_alloc(&arena, (subject.count + 1) * sizeof *compared);
        size_t count = 0;
        for (size_t at = subject.count; at > 0 && (!count || is_transitive(config.level)); at--)
                if ((!version || subject.versions[at - 1].version == version) &&
                    is_compared(registry, &subject.versions[at - 1], group, value))
                        compared[count++] = &subject.versions[at - 1];
        if (!count)
                objections->uncompared = uncompared(registry, &subject, version, group, value, objections);
        uint64_t budget = CHECK_STEPS_MAX;
        for (size_t i = 0; i < count; i++)
                if (!compare_with(registry, compared[i], schema, config.level, &budget, objections)) {
                        object(objections, arena_print(&objections->arena, "{validateFields: 'false', compatibility: '%s'}",
                                                       registry_level_name(config.level)));
                        return;
                }
}
