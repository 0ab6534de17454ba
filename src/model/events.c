// SPDX-License-Identifier: Apache-2.0
// `events`: topics, contracts, keys, captured writes, backfill. See reader_priv.h and docs/configuration.md.
#include "model/reader_priv.h"

// An event as it is read; what is left to do to it is in finish().
struct event_draft {
        struct model_event made;
        uint64_t partitions, produces;
        struct target_list capture;
        const struct yaml_node *versions;
};

static const struct json_pointer *pointer_of(struct reader *reader, const char *text) {
        struct json_pointer *pointer = arena_alloc(reader->arena, sizeof *pointer);
        bool good = json_pointer_parse(bytes_of(text), reader->arena, pointer, NULL);
        ASSERT(good);
        return pointer;
}

static const struct reader_key backfill_keys[] = {
        {"call", REQUIRED, read_target, offsetof(struct model_backfill, call), 0, 0},
        {"items", OPTIONAL, read_pointer, offsetof(struct model_backfill, items), 0, 0},
        {"next", OPTIONAL, read_pointer, offsetof(struct model_backfill, next), 0, 0},
        {"start", OPTIONAL, read_text, offsetof(struct model_backfill, start), 0, 0},
};
const struct reader_table reader_backfill = READER_TABLE("backfill", backfill_keys);

// Either a mapping, or the call alone.
static bool read_backfill(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_backfill *backfill = arena_alloc(reader->arena, sizeof *backfill);
        (void)key;
        *backfill = (struct model_backfill){.items = *pointer_of(reader, "/items"), .next = *pointer_of(reader, "/next"),
                                            .start = ""};
        if (node->kind == YAML_MAPPING ? !reader_mapping(reader, node, &reader_backfill, backfill)
                                       : !reader_compile_target(reader, node, &backfill->call))
                return false;
        const struct yaml_node *place = node->kind == YAML_MAPPING ? yaml_get(node, "call") : node;
        if (strcmp(target_method(backfill->call), "GET") != 0)
                return problem_add(reader->problems, place, "expected GET, got %s", target_method(backfill->call));
        if (target_variable_count(backfill->call) != 1 || !reader_has_variable(backfill->call, BYTES("cursor")))
                return problem_add(reader->problems, place, "expected one variable, {cursor}, in \"%s\"",
                                   target_source(backfill->call));
        *(const struct model_backfill **)field = backfill;
        return true;
}

static bool read_topic(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        const char *topic;
        if (!read_text(reader, node, key, &topic))
                return false;
        struct bytes name = bytes_of(topic);
        bool good = name.size <= MODEL_TOPIC_NAME_MAX && name.data[0] != '.';
        for (size_t i = 0; i < name.size && good; i++)
                good = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", name.data[i]);
        if (!good)
                return problem_add(reader->problems, node,
                                   "\"%s\" is no topic: expected letters, digits, . _ and -, no . first, at most %d",
                                   topic, MODEL_TOPIC_NAME_MAX);
        *(const char **)field = topic;
        return true;
}

static bool read_event_key(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_event *event = field;
        struct json_pointer pointer;
        if (!read_pointer(reader, node, key, &pointer))
                return false;
        if (!pointer.count || !reader_last_token(&pointer).size)
                return problem_add(reader->problems, node, "expected the pointer of one value in the event, as /manager_id");
        event->key = pointer;
        event->key_text = arena_text(reader->arena, node->text);
        return true;
}

static bool read_personal(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_event *event = field;
        if (node->kind != YAML_LIST)
                return reader_unexpected(reader, node, "a list of JSON pointers");
        if (node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected at most %d pointers, got %zu",
                                        MODEL_PERSONAL_MAX, node->count);
        struct json_pointer *pointers = arena_alloc(reader->arena, (node->count + 1) * sizeof *pointers);
        size_t count = 0;
        YAML_FOR_EACH(element, node)
                if (!read_pointer(reader, element, key, &pointers[count++]))
                        return false;
        event->personal = pointers;
        event->personal_count = count;
        return true;
}

static bool read_owner(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        (void)key;
        if (!reader_string(reader, node, "moves or stays", &text))
                return false;
        bool stays = bytes_equal(text, BYTES("stays"));
        if (!stays && !bytes_equal(text, BYTES("moves")))
                return problem_add(reader->problems, node, "expected moves or stays, got \"%.*s\"", BYTES_PRINT(text));
        *(bool *)field = stays;
        return true;
}

static bool read_versions(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        if (!reader_is_mapping(reader, node, "a mapping of versions to up and down"))
                return false;
        *(const struct yaml_node **)field = node;
        return true;
}

#define MADE(field) offsetof(struct event_draft, made.field)

static const struct reader_key event_keys[] = {
        {"from", REQUIRED, read_service_reference, MADE(from), 0, 0},
        {"topic", REQUIRED, read_topic, MADE(topic), 0, 0},
        {"schemas", REQUIRED, read_text, MADE(schemas), 0, 0},
        {"key", REQUIRED, read_event_key, offsetof(struct event_draft, made), 0, 0},
        {"capture", OPTIONAL, read_targets, offsetof(struct event_draft, capture), 1, MODEL_CAPTURES_MAX},
        {"backfill", OPTIONAL, read_backfill, MADE(backfill), 0, 0},
        {"body", OPTIONAL, read_template, MADE(body), 0, 0},
        {"read", OPTIONAL, read_target, MADE(read), 0, 0},
        {"partitions", OPTIONAL, read_number, offsetof(struct event_draft, partitions), 1, MODEL_PARTITIONS_MAX},
        {"retention", OPTIONAL, read_duration, MADE(retention_ms), MODEL_MINUTE, MODEL_RETENTION_MAX},
        {"produces", OPTIONAL, read_number, offsetof(struct event_draft, produces), 0, MODEL_VERSIONS_MAX - 1},
        {"owner", OPTIONAL, read_owner, MADE(owner_stays), 0, 0},
        {"personal", OPTIONAL, read_personal, offsetof(struct event_draft, made), 0, MODEL_PERSONAL_MAX},
        {"versions", OPTIONAL, read_versions, offsetof(struct event_draft, versions), 0, 0},
        {"outbox", LATER, NULL, 0, 0, 0},
        {"cloudevents", LATER, NULL, 0, 0, 0},
        {"kafka", LATER, NULL, 0, 0, 0},
};
const struct reader_table reader_event = READER_TABLE("an event", event_keys);

// A captured write names its row by a variable, or creates it (POST); the order of a row's writes depends on it.
static bool check_captures(struct reader *reader, const struct yaml_node *list, const struct event_draft *draft) {
        struct bytes name = reader_last_token(&draft->made.key);
        const struct yaml_node *element = list->first;
        bool good = true;
        for (size_t i = 0; i < draft->capture.count; i++, element = element->next) {
                const struct target *target = draft->capture.targets[i];
                const char *method = target_method(target);
                if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
                        good = problem_add(reader->problems, element, "expected a write, got \"%s\"", target_source(target));
                else if (strcmp(method, "POST") != 0 && !reader_has_variable(target, name))
                        good = problem_add(reader->problems, element, "expected the variable {%.*s}, of the key %s, in \"%s\"",
                                           BYTES_PRINT(name), draft->made.key_text, target_source(target));
                for (size_t j = 0; j < i; j++)
                        if (strcmp(target_source(target), target_source(draft->capture.targets[j])) == 0)
                                good = problem_add(reader->problems, element, "\"%s\" is there twice", target_source(target));
        }
        return good;
}

static bool check_body(struct reader *reader, const struct yaml_node *node, const struct template *body) {
        const unsigned allowed = 1u << TEMPLATE_BODY | 1u << TEMPLATE_RESPONSE | 1u << TEMPLATE_PATH;
        for (size_t i = 0; i < template_reference_count(body); i++) {
                struct template_reference reference = template_reference_at(body, i);
                if (!(allowed & 1u << reference.input))
                        return problem_add(reader->problems, node, "%s: a captured write has $body, $response and $path only",
                                           reference.text);
        }
        return true;
}

static bool check_read(struct reader *reader, const struct yaml_node *node, const struct model_event *event) {
        struct bytes name = reader_last_token(&event->key);
        if (strcmp(target_method(event->read), "GET") != 0)
                return problem_add(reader->problems, node, "expected GET, got %s", target_method(event->read));
        if (target_variable_count(event->read) != 1 || !reader_has_variable(event->read, name))
                return problem_add(reader->problems, node, "expected one variable, {%.*s}, of the key %s, in \"%s\"",
                                   BYTES_PRINT(name), event->key_text, target_source(event->read));
        return true;
}

static bool finish(struct reader *reader, const struct yaml_node *node, struct event_draft *draft) {
        struct model_event *event = &draft->made;
        event->partitions = (unsigned)draft->partitions;
        event->captures = draft->capture.targets;
        event->capture_count = draft->capture.count;
        bool good = true;
        if (event->capture_count)
                good &= check_captures(reader, yaml_get(node, "capture"), draft);
        if (event->body)
                good &= check_body(reader, yaml_get(node, "body"), event->body);
        if (event->read)
                good &= check_read(reader, yaml_get(node, "read"), event);
        for (size_t i = 0; i < event->index; i++)
                if (reader->events[i].topic && strcmp(reader->events[i].topic, event->topic) == 0)
                        good = problem_add(reader->problems, yaml_get(node, "topic"), "the topic \"%s\" is %s's already",
                                           event->topic, reader->events[i].name);
        const struct yaml_node *schemas = yaml_get(node, "schemas");
        struct model_version *versions = NULL;
        event->produces = (unsigned)draft->produces;
        if (!contract_read_all(reader, schemas, event->schemas, event, &versions))
                return false;
        good &= versions_read(reader, draft->versions, event, versions) && personal_read(reader, node, event, versions);
        if (event->version_count && contract_lacks(event->versions[0].source, &event->key))
                good = problem_add(reader->problems, yaml_get(node, "key"), "%s has no %s", event->versions[0].path,
                                   event->key_text);
        if (event->produces && event->produces >= event->version_count)
                good = problem_add(reader->problems, yaml_get(node, "produces"), "there is no version %u of %s in %s",
                                   event->produces, event->name, event->schemas);
        return good;
}

bool read_events(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)field;
        if (!reader_is_mapping(reader, node, "a mapping of names to events"))
                return false;
        if (node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected at most %lu events, got %zu",
                                        (unsigned long)key->most, node->count);
        struct model *model = &reader->model->public;
        model->events = reader->events = arena_alloc(reader->arena, (node->count + 1) * sizeof *reader->events);
        bool good = true;
        YAML_FOR_EACH(member, node) {
                struct event_draft draft = {.partitions = reader->partitions};
                struct model_event *event = &reader->events[model->event_count];
                draft.made = (struct model_event){.index = model->event_count++, .name = member->key->text.data,
                                                  .retention_ms = reader->retention_ms};
                good &= reader_name(reader, member->key);
                if (reader_mapping(reader, member, &reader_event, &draft))
                        good &= finish(reader, member, &draft);
                else
                        good = false;
                *event = draft.made;
                table_insert(&reader->model->events, model_name_hash(member->key->text), event);
        }
        return good;
}

bool read_event_reference(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes name;
        (void)key;
        if (!reader_string(reader, node, "the name of an event", &name))
                return false;
        const struct model_event *event = model_event_find(&reader->model->public, name);
        if (!event)
                return problem_add(reader->problems, node, "there is no event \"%.*s\"", BYTES_PRINT(name));
        *(const struct model_event **)field = event;
        return true;
}
