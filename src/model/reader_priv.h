// SPDX-License-Identifier: Apache-2.0
// Reads a mapping of the configuration by a table of its keys: each says its name, how its value is read, into which field, and
// whether it must be there. Unknown keys, missing keys and keys that are planned and not there yet are found here, once.
#pragma once

#include "base/arena.h"
#include "model/limits.h"
#include "model/model_priv.h"
#include "model/problems_priv.h"
#include "model/yaml_priv.h"

// The state of one reading. Everything that stays is in the model's arena or among the things it owns.
struct reader {
        struct model_owned *model;
        struct arena *arena;                            // the model's
        struct problems *problems;
        const char *folder;                             // of the file, "." at least
        struct model_service *services;                 // the same arrays that the model shows, writable
        struct model_event *events;
        struct model_communication *communications;
        uint64_t partitions, retention_ms;              // `defaults` for events
};

struct reader_key;
// Reads a value into the field; false: a problem was added and the field is untouched.
typedef bool reader_value(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field);

enum reader_need { OPTIONAL, REQUIRED, LATER };         // LATER: planned, refused by name

struct reader_key {
        const char *name;
        enum reader_need need;
        reader_value *read;
        size_t offset;                                  // of the field in the target
        uint64_t least, most;                           // of numbers, sizes (bytes) and durations (ms)
};
struct reader_table {
        const char *what;                               // "an event", for messages
        const struct reader_key *keys;
        size_t count;
};
#define READER_TABLE(what, keys) {what, keys, ARRAY_SIZE(keys)}

// True if all of it could be read.
MUST_USE bool reader_mapping(struct reader *reader, const struct yaml_node *node, const struct reader_table *table, void *target);
MUST_USE bool reader_is_mapping(struct reader *reader, const struct yaml_node *node, const char *expected);
const struct yaml_node *reader_place(const struct yaml_node *node);     // its key, if it has one: where what is missing is told

// Values. A field's type stands behind each.
reader_value read_text;                 // const char *: a string that is not empty
reader_value read_number;               // uint64_t
reader_value read_size;                 // uint64_t: 1048576, 64KiB, 1MiB, 1GiB
reader_value read_duration;             // uint64_t, ms: 25ms, 30s, 10m, 2h, 7d
reader_value read_minutes;              // uint64_t, ms, from a number of minutes
reader_value read_path;                 // const char *: a file name, from the file's folder
reader_value read_url;                  // const char *
reader_value read_address;              // const char *
reader_value read_target;               // const struct target *
reader_value read_targets;              // struct target_list
reader_value read_template;             // const struct template *
reader_value read_pointer;              // struct json_pointer
reader_value read_mapping;              // const struct model_mapping *: a template, or a jq program or its file

struct target_list {
        const struct target **targets;
        size_t count;
};

// A problem "expected …, got …". Always false.
bool reader_unexpected(struct reader *reader, const struct yaml_node *node, const char *expected);
// One string of a list or scalar; a problem that says what was expected.
MUST_USE bool reader_string(struct reader *reader, const struct yaml_node *node, const char *expected, struct bytes *ret_text);
MUST_USE bool reader_compile_target(struct reader *reader, const struct yaml_node *node, const struct target **ret_target);
MUST_USE bool reader_compile_template(struct reader *reader, const char *source, const struct template **ret_template);
// Whether it may be a name in the configuration: [A-Za-z0-9][A-Za-z0-9_-]{0,63}.
MUST_USE bool reader_name(struct reader *reader, const struct yaml_node *key);
bool reader_has_variable(const struct target *target, struct bytes name);
struct bytes reader_last_token(const struct json_pointer *pointer);

// The parts of the file, each with its table; they are read in this order, wherever they stand.
extern const struct reader_table reader_top, reader_listen, reader_limits, reader_defaults, reader_shadow, reader_retry,
        reader_service, reader_auth, reader_event, reader_backfill, reader_version, reader_communication, reader_recognises,
        reader_async, reader_form;
reader_value read_listen, read_limits, read_defaults, read_services, read_events, read_communications;
reader_value read_service_reference, read_event_reference;      // by name: const struct model_service *, const struct model_event *
void reader_set_defaults(struct reader *reader);

// What `defaults` and a communication both have; base is the offset of a struct model_tuning.
reader_value read_tuning_shadow, read_tuning_retry;
#define READER_TUNING(base, field) ((base) + offsetof(struct model_tuning, field))
#define READER_TUNING_KEYS(base)                                                                                                \
        {"shadow", OPTIONAL, read_tuning_shadow, (base), 0, 0},                                                                 \
        {"deadline", OPTIONAL, read_duration, READER_TUNING(base, deadline_ms), 1, 10 * MODEL_SECOND},                          \
        {"settle", OPTIONAL, read_duration, READER_TUNING(base, settle_ms), 1, MODEL_HOUR},                                     \
        {"timeout", OPTIONAL, read_duration, READER_TUNING(base, timeout_ms), 1, MODEL_HOUR},                                   \
        {"identity_window", OPTIONAL, read_duration, READER_TUNING(base, identity_window_ms), MODEL_MINUTE, 90 * MODEL_DAY},    \
        {"retry", OPTIONAL, read_tuning_retry, (base), 0, 0},                                                                   \
        {"reconcile", OPTIONAL, read_duration, READER_TUNING(base, reconcile_ms), MODEL_SECOND, 7 * MODEL_DAY},                 \
        {"in_flight", OPTIONAL, read_number, READER_TUNING(base, in_flight), 1, 10000}

// Versions (versions.c). What the key `versions` of an event says, a node or NULL, goes into the versions that contracts have.
// What is personal in each version; after versions_read.
MUST_USE bool personal_read(struct reader *reader, const struct yaml_node *node, struct model_event *event,
                            struct model_version *versions);
MUST_USE bool versions_read(struct reader *reader, const struct yaml_node *node, struct model_event *event,
                            struct model_version *versions);
// A member of a mapping by versions, as "1": false with a problem if it is none from `least` that the event has.
MUST_USE bool versions_key(struct reader *reader, const struct yaml_node *member, const struct model_event *event, unsigned least,
                           unsigned *ret_version);

// Contracts (contract.c). The files of `schemas`, checked; and what wrap, key and references say about their first version.
MUST_USE bool contract_read_all(struct reader *reader, const struct yaml_node *node, const char *pattern,
                                struct model_event *event, struct model_version **ret_versions);
// The content of a file that the configuration names, at most `most` bytes, in the model's arena.
MUST_USE bool reader_file(struct reader *reader, const struct yaml_node *node, const char *path, size_t most,
                          struct bytes *ret_content);
// Whether an event that fits the contract can never have what the pointer names: a closed object on the way lacks it.
bool contract_lacks(struct bytes contract, const struct json_pointer *pointer);
// Whether it names what the pointer names among its properties.
bool contract_names(struct bytes contract, const struct json_pointer *pointer);
// What is wrong with the members that a wrap template gives its root, NULL: nothing that can be seen. The text is in the arena.
const char *contract_mismatch(struct bytes contract, const struct yaml_node *wrap, struct arena *arena);

// Of a delivery that has event, target and variables: the rest.
void reference_bound(struct model_delivery *delivery);
// `$body/task_id` and the like: allowed is a set of bits 1 << enum template_input.
MUST_USE bool reference_parse(const char *text, unsigned allowed, struct arena *arena, struct model_reference *ret_reference,
                              struct error *error);
