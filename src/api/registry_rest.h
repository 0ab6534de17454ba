// SPDX-License-Identifier: Apache-2.0
// The schema registry's REST API as Confluent's clients speak it (docs/registry.md lists the paths), for JSON Schema only: a
// function from a request to an answer. It knows no sockets; the daemon wires it to http/server.h.
//
// What is understood and not supported is refused by name and never ignored: Avro and Protobuf, rules, tags and sensitive metadata,
// contexts, permanent deletion, aliases and defaults of a configuration, modes but READWRITE, unknown members and query parameters. Errors
// are {"error_code":40401,"message":"…"} with Confluent's codes (REGISTRY_ERROR_…), whose first three digits are the HTTP status.
//
// Control thread only.
#pragma once

#include "base/arena.h"
#include "registry/changes.h"

#define REGISTRY_ERRORS(X)                                                                                            \
        X(BAD_REQUEST, 400)             /* no JSON, query parameters, escapes */                                      \
        X(NO_PATH, 404)                                                                                               \
        X(METHOD, 405)                                                                                                \
        X(INCOMPATIBLE, 409)            /* with an earlier version; the message says why */                           \
        X(MEDIA_TYPE, 415)                                                                                            \
        X(TOO_LARGE, 413)               /* a limit of registry.h on one schema, or of an answer */                    \
        X(MEMBER, 422)                  /* unknown member, or one of the wrong type */                                \
        X(NO_SUBJECT, 40401)                                                                                          \
        X(NO_VERSION, 40402)                                                                                          \
        X(NO_SCHEMA, 40403)                                                                                           \
        X(SUBJECT_DELETED, 40404)                                                                                     \
        X(VERSION_DELETED, 40406)                                                                                     \
        X(NO_LEVEL, 40408)              /* the subject has no compatibility level of its own */                       \
        X(NO_MODE, 40409)               /* the subject has no mode of its own */                                      \
        X(SCHEMA, 42201)                /* no valid schema, or not a supported one */                                 \
        X(VERSION, 42202)                                                                                             \
        X(LEVEL, 42203)                                                                                               \
        X(MODE, 42204)                                                                                                \
        X(NOT_PERMITTED, 42205)         /* permanent deletion */                                                      \
        X(REFERENCED, 42206)            /* other schemas refer to what would be deleted */                            \
        X(SUBJECT, 42208)               /* not a name of a subject */                                                 \
        X(STORE, 50001)                 /* the log failed; the text says how */                                       \
        X(UNAVAILABLE, 50301)           /* the log is full or not there now; again later */                           \
        X(EXHAUSTED, 507)               /* a limit of all that the registry keeps */

enum registry_error {
#define X(name, number) REGISTRY_ERROR_##name = number,
        REGISTRY_ERRORS(X)
#undef X
};

enum {
        REGISTRY_REST_SEGMENTS_MAX = 8,
        REGISTRY_REST_BODY_MAX = 3 * REGISTRY_SCHEMA_MAX,       // bytes; for the HTTP server
        REGISTRY_REST_SCHEMAS_MAX = 1000,       // of one answer to GET /schemas, as Confluent's registry has it; further ones by ?offset=
        REGISTRY_REST_ANSWER_MAX = 64 << 20,    // bytes of a list
};

struct registry_rest {
        struct registry *registry;
        struct registry_changes *changes;
};

// One request and its answer. Owned by the caller, zero-initialised before the first part is set, and kept with everything it
// points to until answered has been called; then registry_exchange_clear.
struct registry_exchange {
        // the request, as it came on the wire
        struct bytes method, path, query;       // query without `?`
        struct bytes content_type, accept;      // empty: the header is not there
        struct bytes body;
        // Called once, maybe before registry_rest_handle returns.
        void (*answered)(struct registry_exchange *exchange);
        void *user;

        // the answer
        int status;
        const char *content_type_out;           // static
        const char *allow;                      // of 405: methods that are; in the arena. NULL: none is named
        struct buffer answer;

        // private
        const struct registry_rest *rest;
        struct arena arena;
        struct bytes segments[REGISTRY_REST_SEGMENTS_MAX];
        size_t segment_count;
        unsigned flags;                         // query flags that are true
        struct bytes subject, prefix;           // ?subject=, ?subjectPrefix=
        struct bytes *keys, *values;            // ?key=, ?value=, as often as they are there; in the arena, REGISTRY_PROPERTIES_MAX each
        size_t key_count, value_count;
        uint64_t offset, limit;                 // of a list
        struct registry_change change;
        struct registry_objections objections;
        struct registry_config removed;         // the configuration that is being deleted, its group in the arena
        struct registry_subject before;         // a subject that is being deleted: its versions in the arena
};

void registry_rest_handle(const struct registry_rest *rest, struct registry_exchange *exchange);
void registry_exchange_clear(struct registry_exchange *exchange);
