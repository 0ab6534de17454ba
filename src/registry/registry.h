// SPDX-License-Identifier: Apache-2.0
// The schema registry: subjects, their versions, and the schemas behind them; JSON Schema only. A fold over the records of kind
// REGISTRY: nothing here appends or waits. A change is made in three steps, which registry/changes.h does one change at a time:
//
//      registry_prepare_…      checks it against what holds now and renders the record's body (or says that it holds)
//      (append the body as RECORD_REGISTRY to the stream `control` and wait until it is durable)
//      registry_apply          folds it in; at startup the same for every REGISTRY record, in the log's order
//
// Ids are global and dense, from 1; versions are per subject, from 1. Schemas whose canonical JSON is equal have one id,
// whatever the subject. Version N of an event is version N + 1 of its subject. Deletion is soft: a deleted version answers
// to its number no more, its number is not given again, and its schema stays known by its id. Schemas never go away.
//
// Body of a record: one JSON object in UTF-8, no spaces, members in this order; `format` is 1. No other member is allowed.
//      {"format":1,"change":"register","subject":S,"version":N,"id":I,"type":"JSON","schema":"the text as registered"}
//      {"format":1,"change":"delete","subject":S,"version":N}          one version
//      {"format":1,"change":"delete","subject":S}                      every version that was not deleted
//      {"format":1,"change":"compatibility","subject":S,"level":L}     without subject: the registry's; level null: unset
//
// Threads: registry_schema, registry_schema_text and registry_ids may be called from any thread at any time. All else, and all
// that a function returns about subjects, belongs to one thread (the control thread), and holds until the next registry_apply.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct registry;
struct schema;

enum {
        REGISTRY_SCHEMA_MAX = 1 << 20,          // bytes of a schema's text
        REGISTRY_SUBJECTS_MAX = 10000,
        REGISTRY_VERSIONS_MAX = 1000,           // of a subject, deleted ones included
        REGISTRY_SUBJECT_MAX = 255,             // bytes of a subject's name
        REGISTRY_IDS_MAX = 1 << 20,
};

// 0: the default above, which is also the largest value.
struct registry_options {
        size_t schema_max, subjects_max, versions_max, ids_max;
};

struct registry *registry_new(const struct registry_options *options);  // NULL: all defaults
void registry_free(struct registry *registry);                          // accepts NULL; no reader is left
void registry_freep(struct registry **registry);                        // fit for CLEANUP

// ---- by id: any thread ----

// The compiled schema; NULL when there is no such id. Lives as long as the registry and never changes.
const struct schema *registry_schema(const struct registry *registry, uint32_t id);
// The text as it was first registered; {NULL, 0} when there is no such id. Same life.
struct bytes registry_schema_text(const struct registry *registry, uint32_t id);
// Ids are 1 … registry_ids.
uint32_t registry_ids(const struct registry *registry);

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

// The latest version (deleted: of the deleted ones too) whose schema is canonically equal. False with ERROR_NOT_FOUND when there
// is none, with the errors of registry_prepare_register when the text is no schema that could have been registered.
MUST_USE bool registry_lookup(const struct registry *registry, struct bytes subject, struct bytes schema, bool deleted,
                              struct registry_version *ret_version, struct error *error);

// ERROR_INVALID: empty, longer than REGISTRY_SUBJECT_MAX, not UTF-8, control characters, or a name that Confluent's registry
// reserves (":.context:", "__GLOBAL", "__EMPTY").
MUST_USE bool registry_check_subject(struct bytes name, struct error *error);

// ---- compatibility ----

// Confluent's levels. Only NONE is enforced yet, and only NONE is accepted.
#define REGISTRY_LEVELS(X) \
        X(NONE) X(BACKWARD) X(BACKWARD_TRANSITIVE) X(FORWARD) X(FORWARD_TRANSITIVE) X(FULL) X(FULL_TRANSITIVE)
enum registry_level {
        REGISTRY_LEVEL_UNSET,                   // the subject has none of its own; the registry's is NONE by default
#define X(name) REGISTRY_LEVEL_##name,
        REGISTRY_LEVELS(X)
#undef X
};
const char *registry_level_name(enum registry_level level);             // "NONE"; "" for UNSET
MUST_USE bool registry_level_of(struct bytes name, enum registry_level *ret_level);     // upper case, as Confluent

// Level of a subject (UNSET: it has none), or with an empty subject the registry's own.
enum registry_level registry_compatibility(const struct registry *registry, struct bytes subject);

// ---- changes ----

// What a prepared change comes to. The body is empty when it holds already and nothing is to be appended.
struct registry_prepared {
        struct buffer body;                     // owned by whoever holds the struct: buffer_free
        struct registry_version registered;     // of prepare_register: what it is or becomes
};

// Registers a schema. Holds already when a live version of the subject is canonically equal (then the latest such one).
// ERROR_INVALID: not JSON, not a schema, subject name; ERROR_UNSUPPORTED: an asserting keyword that is not supported, by name and
// JSON pointer; ERROR_LIMIT: schema, subjects, versions, ids. *ret_prepared is the caller's.
MUST_USE bool registry_prepare_register(const struct registry *registry, struct bytes subject, struct bytes schema,
                                        struct registry_prepared *ret_prepared, struct error *error);

// Deletes a version softly; version 0: the whole subject. ERROR_NOT_FOUND when it is not there, or deleted.
MUST_USE bool registry_prepare_delete(const struct registry *registry, struct bytes subject, uint32_t version,
                                      struct registry_prepared *ret_prepared, struct error *error);

// Sets (UNSET: removes) a subject's level, or with an empty subject the registry's. ERROR_UNSUPPORTED: any level but NONE.
MUST_USE bool registry_prepare_compatibility(const struct registry *registry, struct bytes subject, enum registry_level level,
                                             struct registry_prepared *ret_prepared, struct error *error);

// Folds the body of a REGISTRY record. ERROR_CORRUPT: its form, or a number that is not the next one. The limits of the options
// are not asked: what was accepted once stays. A schema that does not compile any more keeps its own error, wrapped.
MUST_USE bool registry_apply(struct registry *registry, struct bytes body, struct error *error);

// ---- snapshot ----

// Appends the whole registry to the buffer, for the day when retention passes REGISTRY records (log_snapshot_write):
//      {"format":1,"level":L,"schemas":["text of id 1",…],
//       "subjects":[{"name":S,"level":L,"versions":[{"id":I,"deleted":B},…]},…]}       but on one line
void registry_snapshot(const struct registry *registry, struct buffer *buffer);
// Reads it into a registry that has nothing yet. ERROR_CORRUPT, and then the registry is only fit to be freed.
MUST_USE bool registry_restore(struct registry *registry, struct bytes snapshot, struct error *error);
