// SPDX-License-Identifier: Apache-2.0
// The schema registry: subjects, their versions, and the schemas behind them; JSON Schema only. A fold over the records of kind
// REGISTRY: nothing here appends or waits. A change is made in three steps, which registry/changes.h does one change at a time:
//
//      registry_prepare_…      checks it against what holds now and renders the record's body (or says that it holds)
//      (append the body as RECORD_REGISTRY to the stream `control` and wait until it is durable)
//      registry_apply          folds it in; at startup the same for every REGISTRY record, in the log's order
//
// Ids are global and dense, from 1; versions are per subject, from 1. Schemas whose canonical JSON is equal have one id,
// whatever the subject, if their metadata and references are equal, too. Version N of an event is version N + 1 of its subject.
// Deletion is soft: a deleted version answers to its number no more, its number is not given again, and its schema stays known by
// its id. Schemas never go away.
//
// Body of a record: one JSON object in UTF-8, no spaces, members in this order; `format` is 1. No other member is allowed.
//      {"format":1,"change":"register","subject":S,"version":N,"id":I,"type":"JSON","schema":"the text as registered",
//       "metadata":{"properties":{NAME:VALUE,…}},"references":[{"name":NAME,"subject":S,"version":N},…]}
//              the last two only where there are any; canonical (json_canonical)
//      {"format":1,"change":"delete","subject":S,"version":N}          one version
//      {"format":1,"change":"delete","subject":S}                      every version that was not deleted
//      {"format":1,"change":"compatibility","subject":S,"level":L,"group":G}   without subject: the registry's
//              level null: unset (of the registry: NONE; only what an earlier version wrote, or what keeps such a level, says so);
//              without group: none of its own; group "": none, whatever the registry has (of a subject only)
//
// Threads: registry_schema, registry_schema_text and registry_ids may be called from any thread at any time. All else, and all
// that a function returns about subjects, belongs to one thread (the control thread), and holds until the next registry_apply.
#pragma once

#include "base/arena.h"
#include "base/error.h"

struct registry;
struct schema;

enum {
        REGISTRY_SCHEMA_MAX = 1 << 20,          // bytes of a schema's text
        REGISTRY_WHOLE_MAX = 1 << 20,           // … and of all that it refers to: each text as often as it is loaded, which is once
                                                // for each URI, and once for each $schema that is not a draft's
        REGISTRY_SUBJECTS_MAX = 10000,
        REGISTRY_VERSIONS_MAX = 1000,           // of a subject, deleted ones included
        REGISTRY_SUBJECT_MAX = 255,             // bytes of a subject's name
        REGISTRY_IDS_MAX = 1 << 20,
        REGISTRY_PROPERTIES_MAX = 64,           // of a schema's metadata
        REGISTRY_PROPERTY_NAME_MAX = 128,       // bytes; of a compatibility group's name, too
        REGISTRY_PROPERTY_VALUE_MAX = 1024,     // bytes
        REGISTRY_REFERENCES_MAX = 100,          // of a schema, those of what it refers to included
        REGISTRY_REFERENCE_NAME_MAX = 1024,     // bytes
        REGISTRY_MEMORY_MAX = 1 << 30,          // bytes that schemas, compiled, and versions take together: registry_memory
};

// 0: the default above, which is also the largest value, but that of memory_max.
struct registry_options {
        size_t schema_max, subjects_max, versions_max, ids_max, memory_max;
};

struct registry *registry_new(const struct registry_options *options);  // NULL: all defaults
void registry_free(struct registry *registry);                          // accepts NULL; no reader is left
void registry_freep(struct registry **registry);                        // fit for CLEANUP

// A schema to be registered, looked up or checked. All but the text may be left out.
struct registry_draft {
        struct bytes text;
        struct bytes metadata;                  // JSON: {"properties":{NAME:"VALUE",…}}, or null: none. {NULL, 0}: whatever fits
        struct bytes references;                // JSON: [{"name":URI,"subject":S,"version":N},…]; version -1: the latest
        struct bytes group;                     // versions are compared within a value of this property, whatever the
                                                // configuration says
};

// Of a version of an event: in a compatibility group of its own, since what must hold between versions is the mapping's business.
struct registry_draft registry_event_draft(struct bytes text, unsigned version, struct arena *arena);

// ---- by id: any thread ----

// The compiled schema; NULL when there is no such id. Lives as long as the registry and never changes.
const struct schema *registry_schema(const struct registry *registry, uint32_t id);
// The text as it was first registered; {NULL, 0} when there is no such id. Same life.
struct bytes registry_schema_text(const struct registry *registry, uint32_t id);
// As they were registered, canonical JSON; {NULL, 0}: none. Same life.
struct bytes registry_metadata(const struct registry *registry, uint32_t id);
struct bytes registry_references(const struct registry *registry, uint32_t id);
// The value of a property of a schema's metadata, in the arena; {NULL, 0}: it has none.
struct bytes registry_property(const struct registry *registry, uint32_t id, struct bytes name, struct arena *arena);
// Whether a schema's metadata has all of these properties; false without any metadata.
MUST_USE bool registry_has_properties(const struct registry *registry, uint32_t id, const struct bytes *names, const struct bytes *values,
                                      size_t count);
// Ids are 1 … registry_ids.
uint32_t registry_ids(const struct registry *registry);
// Bytes that the schemas (texts, canonical forms, all that compilation made of them), versions and names take. Control thread.
size_t registry_memory(const struct registry *registry);

// ---- subjects: the control thread ----

struct registry_version {
        uint32_t version;
        uint32_t id;
        bool deleted;
};

struct registry_subject {
        struct bytes name;
        const struct registry_version *versions;        // ascending; versions[n].version == n + 1
        size_t count;
        size_t live;                                    // of them not deleted
};

// Subjects in byte order of their names, those without a live version included: for (at = 0; …(registry, at, &subject); at++).
MUST_USE bool registry_subject_at(const struct registry *registry, size_t at, struct registry_subject *ret_subject);
MUST_USE bool registry_subject(const struct registry *registry, struct bytes name, struct registry_subject *ret_subject);

// A version that is not deleted; version 0: the latest of those.
MUST_USE bool registry_version(const struct registry *registry, struct bytes subject, uint32_t version,
                               struct registry_version *ret_version);

// The latest version (deleted: of the deleted ones too) whose schema, references and metadata are equal; a draft without metadata
// finds one without before one with any. False with ERROR_NOT_FOUND when there is none, with the errors of
// registry_prepare_register when the text is no schema that could have been registered.
MUST_USE bool registry_lookup(const struct registry *registry, struct bytes subject, const struct registry_draft *draft, bool deleted,
                              struct registry_version *ret_version, struct error *error);
// Whether the version, which is not deleted, has this schema, whatever its metadata.
MUST_USE bool registry_version_is(const struct registry *registry, struct bytes subject, uint32_t version, struct bytes text);
// The next id, ascending, whose schema a version that is not deleted has, of any subject, and which refers to this version. *at is 0 at
// first.
MUST_USE bool registry_referrer(const struct registry *registry, struct bytes subject, uint32_t version, size_t *at, uint32_t *ret_id);
// The subject number `at`, by name, of those that have a version with this id, deleted or not. False when there are no more.
MUST_USE bool registry_user(const struct registry *registry, uint32_t id, size_t at, struct registry_subject *ret_subject);

// ERROR_INVALID: empty, longer than REGISTRY_SUBJECT_MAX, not UTF-8, control characters, or a name that Confluent's registry
// reserves (":.context:", "__GLOBAL", "__EMPTY").
MUST_USE bool registry_check_subject(struct bytes name, struct error *error);

// ---- compatibility ----

// Confluent's levels. What a new version is compared with: the latest version before it, or with …TRANSITIVE all of them, that are not
// deleted and of the same compatibility group, which is the value of the metadata property that the configuration names.
#define REGISTRY_LEVELS(X) \
        X(NONE) X(BACKWARD) X(BACKWARD_TRANSITIVE) X(FORWARD) X(FORWARD_TRANSITIVE) X(FULL) X(FULL_TRANSITIVE)
enum registry_level {
        REGISTRY_LEVEL_UNSET,                   // the subject has none of its own; of the registry: NONE
#define X(name) REGISTRY_LEVEL_##name,
        REGISTRY_LEVELS(X)
#undef X
};
const char *registry_level_name(enum registry_level level);             // "NONE"; "" for UNSET
MUST_USE bool registry_level_of(struct bytes name, enum registry_level *ret_level);     // upper case, as Confluent

// What a registry that has nothing yet is given, and returns to: Confluent's default, and versions of events in groups of their own.
#define REGISTRY_DEFAULT_LEVEL REGISTRY_LEVEL_BACKWARD
#define REGISTRY_DEFAULT_GROUP BYTES("event_version")
bool registry_is_new(const struct registry *registry);          // no record was ever folded

struct registry_config {
        enum registry_level level;
        struct bytes group;                     // {NULL, 0}: none of its own; {"", 0}: none, whatever the registry has
};
// A subject's own, or with an empty subject the registry's.
struct registry_config registry_config(const struct registry *registry, struct bytes subject);
// What holds for the subject: its own, and where it has none the registry's.
struct registry_config registry_config_in_scope(const struct registry *registry, struct bytes subject);

// Why a schema is not compatible: sentences as Confluent's registry has them, and each difference by itself.
struct registry_difference {
        const char *name, *place, *sentence;    // "TYPE_NARROWED", "#/properties/a/type", "the new schema allows …"
        bool old_place;                         // the place is in the old schema, else in the new one
        bool old_reader;                        // the old schema cannot read what the new one allows; else the other way round
        bool uncertain;                         // it could not be decided
};
struct registry_objections {
        struct arena arena;
        const char **items;
        size_t count, capacity;
        struct registry_difference *differences;
        size_t difference_count, difference_capacity;
        uint32_t version;                       // with which it is not compatible
        enum registry_level level;              // that asks for it
        const char *uncompared;                 // why it was compared with no version at all; NULL: it was with some
};
void registry_objections_free(struct registry_objections *objections);

// Would it be taken? version 0: what registration would compare it with; else that version alone, which is not deleted. A draft
// without metadata has that of the version. No objection is no proof where nothing was compared: `uncompared` says so. False with
// the errors of registry_prepare_register, but ERROR_REJECTED.
MUST_USE bool registry_check(const struct registry *registry, struct bytes subject, const struct registry_draft *draft,
                             uint32_t version, struct registry_objections *objections, struct error *error);

// ---- changes ----

// What a prepared change comes to. The body is empty when it holds already and nothing is to be appended.
struct registry_prepared {
        struct buffer body;                     // owned by whoever holds the struct: buffer_free
        struct registry_version registered;     // of prepare_register: what it is or becomes
};

// Registers a schema. Holds already when a live version of the subject is equal (then the latest such one; without metadata, to any
// metadata). A new one without metadata gets that of the version before it. ERROR_INVALID: not JSON, not a schema, subject name,
// metadata, references; ERROR_UNSUPPORTED: an asserting keyword that is not supported, by name and JSON pointer; ERROR_LIMIT: schema
// (alone, or with what it refers to); ERROR_EXHAUSTED: subjects, versions, ids, memory; ERROR_REJECTED: not compatible, and then
// `objections` (NULL: not wanted) has the reasons. *ret_prepared is the caller's.
MUST_USE bool registry_prepare_register(const struct registry *registry, struct bytes subject, const struct registry_draft *draft,
                                        struct registry_objections *objections, struct registry_prepared *ret_prepared,
                                        struct error *error);

// Deletes a version softly; version 0: the whole subject. ERROR_NOT_FOUND when it is not there, or deleted; ERROR_CONFLICT: others
// refer to it.
MUST_USE bool registry_prepare_delete(const struct registry *registry, struct bytes subject, uint32_t version,
                                      struct registry_prepared *ret_prepared, struct error *error);

// Changes a subject's configuration, or with an empty subject the registry's. ERROR_INVALID: not a name of a property.
struct registry_config_change {
        bool keep_level, keep_group;            // as they are; else:
        enum registry_level level;              // UNSET: none of its own; of the registry: REGISTRY_DEFAULT_LEVEL
        struct bytes group;                     // {NULL, 0}: none of its own; {"", 0}: none, whatever the registry has
};
MUST_USE bool registry_prepare_config(const struct registry *registry, struct bytes subject,
                                      const struct registry_config_change *change, struct registry_prepared *ret_prepared,
                                      struct error *error);

// Folds the body of a REGISTRY record. ERROR_CORRUPT: its form, or a number that is not the next one. The limits of the options
// are not asked: what was accepted once stays. A schema that does not compile any more keeps its own error, wrapped.
MUST_USE bool registry_apply(struct registry *registry, struct bytes body, struct error *error);

// ---- snapshot ----

// Appends the whole registry to the buffer, for the day when retention passes REGISTRY records (log_snapshot_write):
//      {"format":1,"level":L,"group":G,"schemas":["text of id 1",{"schema":"text of id 2","metadata":{…},"references":[…]},…],
//       "subjects":[{"name":S,"level":L,"group":G,"versions":[{"id":I,"deleted":B},…]},…]}     but on one line
// An object where there are metadata or references; each reference has the "id" beside its version.
void registry_snapshot(const struct registry *registry, struct buffer *buffer);
// Reads it into a registry that has nothing yet. ERROR_CORRUPT, and then the registry is only fit to be freed.
MUST_USE bool registry_restore(struct registry *registry, struct bytes snapshot, struct error *error);
