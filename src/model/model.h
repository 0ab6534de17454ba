// SPDX-License-Identifier: Apache-2.0
// The configuration, `commute.yaml`, as immutable structs: what can be. Which mode holds now is in the log.
//
// A model is read and checked as a whole; there is no half of one. It never changes: a reload makes another model and the daemon
// swaps the pointer; whoever looks at one holds a reference meanwhile. Everything that is reachable from a model lives as long as
// it does. Any thread. docs/configuration.md says what each key means; units and limits stand there and in model/limits.h.
#pragma once

#include "base/error.h"
#include "json/pointer.h"
#include "json/target.h"
#include "json/template.h"

enum { MODEL_NAME_MAX = 64, MODEL_HASH_SIZE = 32 };

enum model_kind { MODEL_DATA, MODEL_FUNCTIONAL };
enum model_mode { MODEL_SYNC, MODEL_PULL, MODEL_PUSH, MODEL_ASYNC, MODEL_MODE_COUNT };
enum model_refusal { MODEL_PARK, MODEL_DISCARD };               // what becomes of a message that its provider refuses

const char *model_kind_name(enum model_kind kind);              // "data", "functional"
const char *model_mode_name(enum model_mode mode);              // "sync", "pull", "push", "async"
MUST_USE bool model_mode_of(struct bytes name, enum model_mode *ret_mode);

struct model_service {
        size_t index;                   // in model.services
        const char *name;
        const char *url;                // http://host[:port][/base], as http_upstream_new takes it
        const char *bearer_file;        // absolute or from the working folder; NULL: commute presents nothing
        const char *bearer;             // its content, a secret: never shown, not part of the hash; NULL
        const char *const *resolves;    // purposes whose pseudonyms it may resolve
        size_t resolve_count;
        const char *token_file;         // with resolves: what it presents to the control API
        const char *token;              // its content, a secret like the bearer
};

// One step between neighbouring versions of an event: a template over $event (exact, runs where it is), or a jq program
// (runs in the converter's process).
struct model_mapping {
        const struct template *template;        // NULL: the program
        size_t program;                 // its place in model.programs
        const char *path;               // of the program's file; NULL: it stands in the configuration
};

// One version of an event: a contract's file, and how it is got from the version before.
struct model_version {
        unsigned version;               // from 0, without a gap: its place in model_event.versions
        const char *path;
        struct bytes source;            // the JSON Schema; it compiles
        const struct model_mapping *up; // an event of the version before becomes this one; NULL: none (never one for version 0)
        const struct model_mapping *down;       // and back; NULL: none
        struct json_pointer key;        // where it has the event's key
        const char *key_text;
        const struct template *key_template;    // what gives the same key where no value is it; NULL: the pointer
        const struct json_pointer *personal;    // values of a person that it can have: tagged, or named by the configuration; the
        size_t personal_count;                  // token "-" is each element of an array
};

// How all rows of the owner are read, page by page: `call` has the variable {cursor}, at first `start`.
struct model_backfill {
        const struct target *call;
        struct json_pointer items;      // array of rows in the response, each a body as `read` gives it
        struct json_pointer next;       // the next cursor in the response; null or absent: that was the last page
        const char *start;
};

struct model_event {
        size_t index;                   // in model.events
        const char *name;
        const struct model_service *from;
        const char *topic;
        unsigned partitions;
        uint64_t retention_ms;
        const struct model_version *versions;
        size_t version_count;           // 0: the contract is not written yet (never so if a communication begins as async)
        const char *schemas;            // the pattern, as written
        struct json_pointer key;        // into the event: the lane's key; in a capture, the variable named as its last token
        const char *key_text;
        unsigned produces;              // the version of what the owner's bodies give, and of the first emitted events
        bool owner_stays;               // the owner goes on giving that one, and commute converts it for good
        const struct json_pointer *personal;                    // values of a person, besides those that the schemas tag
        size_t personal_count;
        bool is_personal;               // a version has personal values: none of its values are shown
        bool key_is_personal;           // the key is one of them: records have its pseudonym
        const struct target *const *captures;                   // writes that go through http://gateway/<from>
        size_t capture_count;
        const struct model_backfill *backfill;                  // NULL: none
        const struct template *body;    // of a captured event, over $body, $response, $path; NULL: the owner is read (`read`)
        const struct target *read;      // GET of one row of the owner by its key: `read`, else the `pull` of the communication;
                                        // NULL: none
        const struct model_communication *reader;               // the communication that it belongs to; NULL: nobody's yet
        struct bytes canonical;         // canonical JSON of all of this
};

// A reference to one value of a request: `$body/task_id`, `$path/task_id`, `$query/task`.
struct model_reference {
        enum template_input input;      // TEMPLATE_BODY, TEMPLATE_PATH, TEMPLATE_QUERY or TEMPLATE_EVENT
        struct json_pointer pointer;    // of $body and $event
        struct bytes name;              // of $path and $query
        const char *text;               // as written
};

// What the provider does with an identity that it has seen before.
struct model_recognises {
        const char *header;             // "Idempotency-Key"; NULL: none, indeterminate messages wait for a person
        const char *replayed_name;      // response header that shows a recognised repeat; NULL: not declared
        const char *replayed_value;
        const struct target *probe;     // a harmless request that is sent twice; NULL: a natural repeat is waited for
};

// The target of a delivery or a push, and where each of its variables comes from (all $event), in the order of target_variable. One
// that is the event's key follows the version (model_event_key); others are where version 0 has them.
struct model_delivery {
        const struct target *target;
        const struct model_event *event;
        const struct model_reference *variables;
        bool key_only;                  // each of them is the event's key
};

// How calls become events of one version and back; what is not written is NULL.
struct model_form {
        const struct template *wrap;    // functional: the event of a call; NULL: this version is not emitted for calls
        const struct template *unwrap;  // body of a delivery; NULL: an older version's is used, by `down`
        const struct template *lookup;  // keep: gateway: the copy's key of a request, over $path; NULL: its path variable
};

struct model_async {
        const struct model_event *event;
        bool keep_gateway;              // data: commute holds the replica; else the reader keeps its own table
        struct model_delivery deliver;  // target NULL if keep_gateway
        unsigned answer;                // functional: status of the receipt, 200–299
        const struct template *wrap;    // functional: the event of a call, version 0
        const struct template *unwrap;  // body of a delivery, version 0; never NULL unless keep_gateway
        const struct model_form *forms; // by version, at least that of version 0, which is wrap and unwrap
        size_t form_count;
        const unsigned *reads;          // versions that the reader understands, ascending, never none
        size_t read_count;
        enum model_refusal refusal;
};

// Times and sizes of `defaults`, which a communication may set for itself.
struct model_tuning {
        uint64_t shadow_messages;       // a shadow gate wants so many comparisons,
        uint64_t shadow_ms;             // or as many as come in this time, but never none
        uint64_t deadline_ms;           // longest wait of a fenced arrival, and of a push
        uint64_t settle_ms;             // the provider's longest request
        uint64_t timeout_ms;            // of a call or delivery
        uint64_t identity_window_ms;
        uint64_t retry_first_ms, retry_longest_ms;
        uint64_t reconcile_ms;          // between two reconciliations of a replica with its owner
        uint64_t in_flight;             // deliveries of one shard at the same time
};

struct model_communication {
        size_t index;                   // in model.communications
        const char *name;
        enum model_kind kind;
        const struct model_service *from, *to;  // functional: `to` executes; data: `from` owns
        enum model_mode initially;
        unsigned modes;                 // bits 1 << enum model_mode: those that are configured
        unsigned partitions;            // shards; those of its event if it has one
        const struct target *call;      // functional: what arrives, and what is called; else NULL
        bool has_key;                   // always with async
        struct model_reference key;     // of a lane. functional: in the request; data: in the event (its key)
        struct model_recognises recognises;
        const struct model_async *async;                        // NULL: not configured
        const struct target *pull;      // data; what arrives, and what the owner is asked; NULL: not configured
        struct model_delivery push;     // data; target NULL: not configured
        const char *const *headers;     // that are kept with a message and sent with it, besides Content-Type
        size_t header_count;
        const struct json_pointer *may_differ;                  // left out of shadow comparisons
        size_t may_differ_count;
        struct model_tuning tuning;
        struct bytes canonical;         // canonical JSON of all of this
};

struct model_settings {
        const char *gateway, *registry, *control;               // listen addresses, "127.0.0.1:8080"
        const char *data;               // folder of log.db, state.db, token
        uint64_t threads;               // loops of the gateway; 0: as many as the machine has processors
        uint64_t max_body, max_head, max_response;              // bytes
        uint64_t max_connections;       // of callers, per listener and loop
        uint64_t max_upstream_connections, max_upstream_queue;  // per service and loop
        uint64_t max_backlog;           // unsettled messages of one shard
        uint64_t max_registry;          // bytes of memory that the registry's schemas take
};

struct model {
        const char *path;               // of the file
        struct model_settings settings;
        struct model_tuning defaults;
        const struct model_service *services;
        size_t service_count;
        const struct model_event *events;
        size_t event_count;
        const struct model_communication *communications;
        size_t communication_count;
        const struct bytes *programs;   // jq programs of all mappings, each ending in a NUL that is not counted
        size_t program_count;
        struct bytes canonical;         // canonical JSON of the effective configuration, defaults and contracts' hashes included
        uint8_t hash[MODEL_HASH_SIZE];  // SHA-256 of it
        char hash_text[2 * MODEL_HASH_SIZE + 1];                // in hexadecimal
};

// What is wrong in a configuration, in the order of the file.
struct model_problem {
        unsigned line, column;          // from 1; column in characters; 0, 0: the file as a whole
        const char *place;              // "communications.COMM-040.call"; "" for the file
        const char *sentence;           // "expected METHOD /path, got \"…\""
};
enum { MODEL_PROBLEMS_MAX = 20 };
struct model_problems {
        struct arena arena;
        struct model_problem list[MODEL_PROBLEMS_MAX];
        size_t count;
        size_t omitted;                 // beyond the limit
};
void model_problems_free(struct model_problems *problems);      // fit for CLEANUP

// Reads, checks, and gives a model with one reference. On failure *problems (may be NULL; zero-initialised) says all that is
// wrong and *error the first of it, with its place in front: "commute.yaml:12:7: communications.COMM-040.call: expected …".
// ERROR_INVALID, ERROR_UNSUPPORTED (all that is wrong is only not supported yet), ERROR_LIMIT, ERROR_NOT_FOUND, ERROR_IO.
MUST_USE bool model_load(const char *path, const struct model **ret_model, struct model_problems *problems, struct error *error);
// The same from text. Files that it names are taken relative to the folder of `path`, which is not read.
MUST_USE bool model_parse(const char *path, struct bytes text, const struct model **ret_model, struct model_problems *problems,
                          struct error *error);
const struct model *model_ref(const struct model *model);
void model_unref(const struct model *model);                    // NULL is allowed
void model_unrefp(const struct model **model);                  // for CLEANUP

// By name; NULL when there is none. O(1).
const struct model_service *model_service_find(const struct model *model, struct bytes name);
const struct model_event *model_event_find(const struct model *model, struct bytes name);
const struct model_communication *model_communication_find(const struct model *model, struct bytes name);

// What a reference may look at; absent: NULL, no values.
struct model_request {
        const struct json *body;        // $body, or the event for $event
        const struct named_value *path, *query;
        size_t path_count, query_count;
};
// The value as a lane's key or a target's variable: the bytes of a string, or the canonical text of a number (17 and "17" and
// 17.0 are one). ERROR_REJECTED: it leads nowhere, to another type, or to an empty string; the sentence names the reference.
MUST_USE bool model_reference_value(const struct model_reference *reference, const struct model_request *request,
                                    struct arena *arena, struct bytes *ret_value, struct error *error);
// The key of an event of one version, inputs->event; the other inputs are what a key's template may use. As above.
MUST_USE bool model_event_key(const struct model_event *event, unsigned version, const struct template_inputs *inputs,
                              struct arena *arena, struct bytes *ret_key, struct error *error);

// The personal values that an event of this version has, with their pointers. Return false to stop.
typedef bool model_personal_visit(void *context, const struct json *value, struct bytes pointer);
bool model_personal_each(const struct model_version *version, const struct json *event, model_personal_visit *visit, void *context);

// Whether the reader understands a version, and the nearest one that it does (the newer of two that are as near).
bool model_reads(const struct model_async *async, unsigned version);
unsigned model_reads_instead(const struct model_async *async, unsigned version);
// A mapping between neighbours: from `version` one up or one down; NULL: there is none.
const struct model_mapping *model_step(const struct model_event *event, unsigned version, bool up);
// Whether there is a mapping for each step of the way; false: *ret_missing (may be NULL) is the first version that none leads to.
bool model_way(const struct model_event *event, unsigned from, unsigned to, unsigned *ret_missing);
// An event as it is delivered.
struct model_delivered {
        unsigned version;
        const struct template_inputs *inputs;   // `event`: it, in this version; the others are what a key's template may use
        const struct json *old;                 // it in version 0; NULL: nobody has made that
};
// Appends path and query of a delivery of this event: variables but the key are taken from this version, else from version 0. As above.
MUST_USE bool model_delivery_render(const struct model_delivery *delivery, const struct model_delivered *delivered, struct arena *arena,
                                    struct buffer *buffer, struct error *error);
// Whether a variable is not in this version of the event, so that version 0 of it is wanted.
bool model_delivery_wants_old(const struct model_delivery *delivery, unsigned version, const struct json *event, struct arena *arena);
// A reference to what the contract of this version cannot have, where no mapping leads to version 0 either; NULL: there is none.
const char *model_delivery_lacks(const struct model_delivery *delivery, unsigned version);

// The configuration's JSON Schema, as published.
struct bytes model_schema(void);
