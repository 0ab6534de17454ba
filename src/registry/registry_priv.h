// SPDX-License-Identifier: Apache-2.0
// The body of a registry, and what the files of this folder use of each other:
//      registry.c      construction, schemas by id, subjects, lookups
//      fold.c          records and snapshots: the only file that changes a registry
//      material.c      what a draft is made of: its key, metadata, references; compilation
//      check.c         compatibility
//      prepare.c       what a change would be
//      changes.c       one change at a time
//
// Invariants: ids 1 … count have an entry each; a reader that has loaded `count` (acquire) sees those entries whole, since an
// entry is stored before the count that covers it (release), and neither blocks nor entries move. Subjects are sorted by name.
// versions[n].version == n + 1, 1 <= versions[n].id <= count, live == versions not deleted. An entry's live == versions of all
// subjects that have its id and are not deleted; that, referrers and users belong to the control thread. A schema refers to lower ids
// only. memory == sum of what memory_of_… say of all entries, subjects and versions.
#pragma once

#include <stdatomic.h>

#include "base/table.h"
#include "json/json.h"
#include "registry/registry.h"

enum { REGISTRY_BLOCK = 1024, REGISTRY_BLOCKS = REGISTRY_IDS_MAX / REGISTRY_BLOCK, REGISTRY_FORMAT = 1 };

struct registry_link {                          // a reference, resolved
        struct bytes name, subject;             // in the material's arena
        uint32_t version, id;
};

// What a schema is told from others by. Owned by whoever holds the struct: material_free.
struct material {
        struct buffer key;                      // canonical JSON of the schema, and what follows in lines of their own where any is
        size_t plain;                           // bytes of the former
        struct buffer metadata, references;     // canonical JSON; empty: none
        struct registry_link *links;
        size_t link_count;
        struct arena arena;
};

struct subject;

struct registry_entry {
        uint32_t id;
        uint32_t live;
        struct schema *schema;                  // owned; its source is the text
        struct material material;
        uint32_t *referrers;                    // owned: ids of schemas that have a link to it, ascending
        size_t referrer_count, referrer_capacity;
        struct subject **users;                 // owned, they are not: subjects that have a version with it, by name
        size_t user_count, user_capacity;
};

struct subject {
        char *name;                             // owned
        size_t name_size;
        struct registry_version *versions;      // owned
        size_t count, capacity, live;
        enum registry_level level;
        char *group;                            // owned; NULL: none of its own; "": none, whatever the registry has
};

struct registry {
        struct registry_options options;        // no zero in it
        _Atomic uint32_t count;                 // ids
        struct registry_entry **blocks[REGISTRY_BLOCKS];
        struct table by_canonical;              // of entries
        struct subject **subjects;              // owned
        size_t subject_count, subject_capacity;
        enum registry_level level;              // UNSET: NONE
        char *group;                            // owned; NULL: none
        bool used;                              // a record was folded
        size_t memory;                          // bytes
};

// What a version takes, its part of `users` included.
enum { VERSION_MEMORY = sizeof(struct registry_version) + sizeof(struct subject *) };

// ---- registry.c ----
size_t memory_of_schema(const struct schema *schema, const struct material *material);
size_t memory_of_subject(struct bytes name);
struct bytes subject_name(const struct subject *subject);
struct registry_entry *registry_entry(const struct registry *registry, uint32_t id);            // NULL: no such id
struct registry_entry *registry_find_key(const struct registry *registry, struct bytes key);
uint64_t registry_slot(struct bytes key);
// Where the name is, or would be inserted.
MUST_USE bool registry_find_subject(const struct registry *registry, struct bytes name, size_t *ret_at);
// The latest version with this id; deleted: of the deleted ones too.
MUST_USE bool registry_latest_with_id(const struct subject *subject, uint32_t id, bool deleted,
                                      struct registry_version *ret_version);
// The latest version with this schema and these references, whatever its metadata.
MUST_USE bool registry_latest_alike(const struct registry *registry, const struct subject *subject, const struct material *material,
                                    bool deleted, struct registry_version *ret_version);
// The lowest version of the subject, not deleted, that a version which is not deleted, of any subject, refers to; and the first id that
// does.
MUST_USE bool registry_lowest_referred(const struct registry *registry, struct bytes subject, uint32_t *ret_version, uint32_t *ret_id);

// ---- material.c ----
void material_free(struct material *material);                  // fit for CLEANUP
MUST_USE bool material_make(const struct registry *registry, const struct registry_draft *draft, struct material *ret_material,
                            struct error *error);
// whole_max: bytes of the text and all that it refers to, ERROR_LIMIT beyond it. REGISTRY_WHOLE_MAX for what is new; what the log
// has was accepted once, and is compiled whatever its size (SIZE_MAX).
MUST_USE bool material_compile(const struct registry *registry, const struct material *material, struct bytes text, size_t whole_max,
                               struct schema **ret_schema, struct error *error);
// The value of a property; {NULL, 0}: it is not there. In the arena.
struct bytes metadata_property(struct bytes metadata, struct bytes name, struct arena *arena);
// Whether it has all of these properties; without any metadata never.
bool metadata_has(struct bytes metadata, const struct bytes *names, const struct bytes *values, size_t count);

// ---- check.c ----
// `version` as in registry_check.
void check_compatible(const struct registry *registry, struct bytes subject, const struct registry_draft *draft,
                      const struct material *material, const struct schema *schema, uint32_t version,
                      struct registry_objections *objections);
