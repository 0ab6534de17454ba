// SPDX-License-Identifier: Apache-2.0
// The body of a registry, and what the files of this folder use of each other:
//      registry.c      construction, schemas by id, subjects, lookups
//      fold.c          records and snapshots: the only file that changes a registry
//      prepare.c       what a change would be
//      changes.c       one change at a time
//
// Invariants: ids 1 … count have an entry each; a reader that has loaded `count` (acquire) sees those entries whole, since an
// entry is stored before the count that covers it (release), and neither blocks nor entries move. Subjects are sorted by name.
// versions[n].version == n + 1, 1 <= versions[n].id <= count, live == versions not deleted.
#pragma once

#include <stdatomic.h>

#include "base/table.h"
#include "json/json.h"
#include "registry/registry.h"

enum { REGISTRY_BLOCK = 1024, REGISTRY_BLOCKS = REGISTRY_IDS_MAX / REGISTRY_BLOCK, REGISTRY_FORMAT = 1 };

struct registry_entry {
        uint32_t id;
        struct schema *schema;                  // owned; its source is the text
        struct buffer canonical;
};

struct subject {
        char *name;                             // owned
        size_t name_size;
        struct registry_version *versions;      // owned
        size_t count, capacity, live;
        enum registry_level level;
};

struct registry {
        struct registry_options options;        // no zero in it
        _Atomic uint32_t count;                 // ids
        struct registry_entry **blocks[REGISTRY_BLOCKS];
        struct table by_canonical;              // of entries
        struct subject **subjects;              // owned
        size_t subject_count, subject_capacity;
        enum registry_level level;              // UNSET: the default
};

// ---- registry.c ----
struct registry_entry *registry_entry(const struct registry *registry, uint32_t id);            // NULL: no such id
struct registry_entry *registry_find_canonical(const struct registry *registry, struct bytes canonical);
uint64_t registry_slot(struct bytes canonical);
// Where the name is, or would be inserted.
MUST_USE bool registry_find_subject(const struct registry *registry, struct bytes name, size_t *ret_at);
// Parses the text and appends its canonical form.
MUST_USE bool registry_canonical(const struct registry *registry, struct bytes text, struct buffer *canonical,
                                 struct error *error);
// The latest version with this id; deleted: of the deleted ones too.
MUST_USE bool registry_latest_with_id(const struct subject *subject, uint32_t id, bool deleted,
                                      struct registry_version *ret_version);
