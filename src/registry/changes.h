// SPDX-License-Identifier: Apache-2.0
// Changes of the registry, one at a time: each is prepared against what the ones before it left, appended, folded in, and then
// its submitter is told. Whoever wants to change the registry (REST, a migration's "registered" step) submits here.
//
// Everything runs on the control thread. A change that waits costs nothing but its place in the queue.
#pragma once

#include "base/list.h"
#include "registry/registry.h"

struct registry_changes;

enum { REGISTRY_CHANGES_MAX = 256 };            // submitted and not done

enum registry_change_kind { REGISTRY_REGISTER, REGISTRY_DELETE, REGISTRY_CONFIG };

// Owned by its submitter, who keeps it and what it points to until done has been called (which may free it).
struct registry_change {
        enum registry_change_kind kind;
        struct bytes subject;
        struct registry_draft draft;            // REGISTER
        struct registry_objections *objections; // REGISTER: gets the reasons of ERROR_REJECTED; NULL: not wanted
        uint32_t version;                       // DELETE; 0: the subject
        struct registry_config_change config;   // CONFIG
        // Called once, maybe before registry_submit returns. error is NULL when it holds now; the errors of registry_prepare_…,
        // ERROR_FULL (the queue), or the append's. May submit further changes.
        void (*done)(struct registry_change *change, const struct error *error);
        void *user;

        struct registry_version registered;     // REGISTER: set before done when it holds
        bool held;                              // it held already; nothing was appended
        struct list link;                       // the queue's
};

// Appends a body as RECORD_REGISTRY to the stream `control`. Takes a copy of the bytes. Ends, later or before it returns, in one
// call of registry_appended; an append whose outcome is unknown ends only when it has been read back.
typedef void registry_append(void *user, struct bytes body);

struct registry_changes *registry_changes_new(struct registry *registry, registry_append *append, void *user);
void registry_changes_free(struct registry_changes *changes);   // accepts NULL; calls done (ERROR_UNAVAILABLE) of what waits

void registry_submit(struct registry_changes *changes, struct registry_change *change);

// The append under way has landed (error NULL), or certainly not (error says why).
void registry_appended(struct registry_changes *changes, const struct error *error);
