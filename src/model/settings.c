// SPDX-License-Identifier: Apache-2.0
// The parts of the configuration that are about commute itself: listen, data, threads, limits, defaults; and the table of the
// whole file. Bounds and defaults stand in the tables here.
#include "model/reader_priv.h"

#include "http/message.h"
#include "registry/registry.h"

#define SETTING(field) (offsetof(struct model_owned, public.settings.field))

static const struct reader_key listen_keys[] = {
        {"gateway", OPTIONAL, read_address, offsetof(struct model_settings, gateway), 0, 0},
        {"registry", OPTIONAL, read_address, offsetof(struct model_settings, registry), 0, 0},
        {"control", OPTIONAL, read_address, offsetof(struct model_settings, control), 0, 0},
        {"tls", LATER, NULL, 0, 0, 0},
};
const struct reader_table reader_listen = READER_TABLE("listen", listen_keys);

static const struct reader_key limit_keys[] = {
        {"max_body", OPTIONAL, read_size, offsetof(struct model_settings, max_body), 1024, 64 << 20},
        {"max_head", OPTIONAL, read_size, offsetof(struct model_settings, max_head), 1024, HTTP_HEAD_MAX},
        {"max_response", OPTIONAL, read_size, offsetof(struct model_settings, max_response), 1024, 256 << 20},
        {"max_connections", OPTIONAL, read_number, offsetof(struct model_settings, max_connections), 1, 1000000},
        {"max_upstream_connections", OPTIONAL, read_number, offsetof(struct model_settings, max_upstream_connections), 1, 10000},
        {"max_upstream_queue", OPTIONAL, read_number, offsetof(struct model_settings, max_upstream_queue), 0, 1000000},
        {"max_backlog", OPTIONAL, read_number, offsetof(struct model_settings, max_backlog), 1, 10000000},
        {"max_registry", OPTIONAL, read_size, offsetof(struct model_settings, max_registry), 1 << 20, (uint64_t)1 << 40},
};
const struct reader_table reader_limits = READER_TABLE("limits", limit_keys);

static const struct reader_key shadow_keys[] = {
        {"messages", OPTIONAL, read_number, offsetof(struct model_tuning, shadow_messages), 1, 1000000},
        {"minutes", OPTIONAL, read_minutes, offsetof(struct model_tuning, shadow_ms), 1, 1440},
};
const struct reader_table reader_shadow = READER_TABLE("shadow", shadow_keys);

static const struct reader_key retry_keys[] = {
        {"first", OPTIONAL, read_duration, offsetof(struct model_tuning, retry_first_ms), 1, MODEL_HOUR},
        {"longest", OPTIONAL, read_duration, offsetof(struct model_tuning, retry_longest_ms), 1, MODEL_DAY},
};
const struct reader_table reader_retry = READER_TABLE("retry", retry_keys);

bool read_tuning_shadow(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        return reader_mapping(reader, node, &reader_shadow, field);
}

bool read_tuning_retry(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_tuning *tuning = field;
        (void)key;
        if (!reader_mapping(reader, node, &reader_retry, tuning))
                return false;
        if (tuning->retry_first_ms > tuning->retry_longest_ms)
                return problem_add(reader->problems, node, "first is longer than longest");
        return true;
}

// What `defaults` has beyond a communication's own tuning.
struct defaults_draft {
        struct model_tuning tuning;
        uint64_t partitions, retention_ms;
};

static const struct reader_key defaults_keys[] = {
        READER_TUNING_KEYS(offsetof(struct defaults_draft, tuning)),
        {"partitions", OPTIONAL, read_number, offsetof(struct defaults_draft, partitions), 1, MODEL_PARTITIONS_MAX},
        {"retention", OPTIONAL, read_duration, offsetof(struct defaults_draft, retention_ms), MODEL_MINUTE, MODEL_RETENTION_MAX},
};
const struct reader_table reader_defaults = READER_TABLE("defaults", defaults_keys);

bool read_defaults(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model *model = &reader->model->public;
        struct defaults_draft draft = {model->defaults, reader->partitions, reader->retention_ms};
        (void)key;
        (void)field;
        bool good = reader_mapping(reader, node, &reader_defaults, &draft);
        model->defaults = draft.tuning;
        reader->partitions = draft.partitions;
        reader->retention_ms = draft.retention_ms;
        return good;
}

bool read_listen(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_settings *settings = field;
        (void)key;
        if (!reader_mapping(reader, node, &reader_listen, settings))
                return false;
        const char *const all[] = {settings->gateway, settings->registry, settings->control};
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                size_t length = strlen(all[i]);
                bool any_port = length > 2 && strcmp(all[i] + length - 2, ":0") == 0;
                for (size_t j = 0; j < i; j++)
                        if (!any_port && strcmp(all[i], all[j]) == 0)
                                return problem_add(reader->problems, reader_place(node), "%s is given twice", all[i]);
        }
        return true;
}

bool read_limits(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        return reader_mapping(reader, node, &reader_limits, field);
}

static const struct reader_key top_keys[] = {
        {"listen", OPTIONAL, read_listen, offsetof(struct model_owned, public.settings), 0, 0},
        {"data", OPTIONAL, read_path, SETTING(data), 0, 0},
        {"threads", OPTIONAL, read_number, SETTING(threads), 0, 256},
        {"limits", OPTIONAL, read_limits, offsetof(struct model_owned, public.settings), 0, 0},
        {"defaults", OPTIONAL, read_defaults, 0, 0, 0},
        {"services", OPTIONAL, read_services, 0, 0, MODEL_SERVICES_MAX},
        {"events", OPTIONAL, read_events, 0, 0, MODEL_EVENTS_MAX},
        {"communications", OPTIONAL, read_communications, 0, 0, MODEL_COMMUNICATIONS_MAX},
        {"kafka", LATER, NULL, 0, 0, 0},
        {"tls", LATER, NULL, 0, 0, 0},
        {"outbox", LATER, NULL, 0, 0, 0},
        {"openfeature", LATER, NULL, 0, 0, 0},
};
const struct reader_table reader_top = READER_TABLE("the configuration", top_keys);

void reader_set_defaults(struct reader *reader) {
        struct model *model = &reader->model->public;
        model->settings = (struct model_settings){
                .gateway = "127.0.0.1:8080", .registry = "127.0.0.1:8081", .control = "127.0.0.1:8082",
                .data = arena_print(reader->arena, "%s/commute-data", reader->folder),
                .max_body = HTTP_BODY_MAX, .max_head = HTTP_HEAD_MAX, .max_response = HTTP_RESPONSE_MAX,
                .max_connections = 10000, .max_upstream_connections = 256, .max_upstream_queue = 1024, .max_backlog = 100000,
                .max_registry = REGISTRY_MEMORY_MAX};
        model->defaults = (struct model_tuning){
                .shadow_messages = 200, .shadow_ms = 10 * MODEL_MINUTE, .deadline_ms = 25, .settle_ms = 30 * MODEL_SECOND,
                .timeout_ms = 30 * MODEL_SECOND, .identity_window_ms = 7 * MODEL_DAY, .retry_first_ms = 100,
                .retry_longest_ms = 30 * MODEL_SECOND, .reconcile_ms = 10 * MODEL_MINUTE, .in_flight = 64};
        reader->partitions = 8;
        reader->retention_ms = 7 * MODEL_DAY;
}
