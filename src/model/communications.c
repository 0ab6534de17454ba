// SPDX-License-Identifier: Apache-2.0
// `communications`: what is written of each; communications_check.c says whether it makes sense together. See reader_priv.h.
#include "model/communications_priv.h"

#include "http/message.h"

static bool read_direction(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct direction *direction = field;
        struct bytes text;
        (void)key;
        direction->given = true;
        if (!reader_string(reader, node, "FROM -> TO", &text))
                return false;
        char *arrow = memmem(text.data, text.size, " -> ", 4);
        if (!arrow || arrow == text.data || arrow + 4 == text.data + text.size)
                return problem_add(reader->problems, node, "expected FROM -> TO, got \"%.*s\"", BYTES_PRINT(text));
        struct bytes names[] = {{text.data, (size_t)(arrow - text.data)},
                                {arrow + 4, text.size - (size_t)(arrow - text.data) - 4}};
        const struct model_service *found[2];
        for (size_t i = 0; i < 2; i++) {
                found[i] = model_service_find(&reader->model->public, names[i]);
                if (!found[i])
                        return problem_add(reader->problems, node, "there is no service \"%.*s\"", BYTES_PRINT(names[i]));
        }
        if (found[0] == found[1])
                return problem_add(reader->problems, node, "\"%s\" cannot communicate with itself", found[0]->name);
        direction->from = found[0];
        direction->to = found[1];
        return true;
}

static bool read_mode(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        (void)key;
        if (!reader_string(reader, node, "sync, pull, push or async", &text))
                return false;
        if (!model_mode_of(text, field))
                return problem_add(reader->problems, node, "expected sync, pull, push or async, got \"%.*s\"", BYTES_PRINT(text));
        return true;
}

// A header that may be carried, or name an identity: a token, and neither hop-by-hop nor the connection's own.
static bool read_header(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes name;
        (void)key;
        if (!reader_string(reader, node, "the name of a header", &name))
                return false;
        if (!http_header_valid(&(struct http_header){name, BYTES("x")}))
                return problem_add(reader->problems, node, "expected the name of a header, got \"%.*s\"", BYTES_PRINT(name));
        if (http_known(name) != HTTP_OTHER)
                return problem_add(reader->problems, node, "%.*s belongs to the connection and is not carried", BYTES_PRINT(name));
        *(const char **)field = arena_text(reader->arena, name);
        return true;
}

static bool read_headers(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        static const char *const secrets[] = {"Authorization", "Cookie", "Set-Cookie"};
        struct model_communication *made = field;
        if (node->kind != YAML_LIST)
                return reader_unexpected(reader, node, "a list of header names");
        if (node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected at most %d headers, got %zu",
                                        MODEL_HEADERS_MAX,
                                        node->count);
        const char **names = arena_alloc(reader->arena, (node->count + 1) * sizeof *names);
        size_t count = 0;
        YAML_FOR_EACH(element, node) {
                if (!read_header(reader, element, key, &names[count]))
                        return false;
                for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
                        if (bytes_equal_ignore_case(element->text, bytes_of(secrets[i])))
                                return problem_add(reader->problems, element,
                                                   "%s would put secrets into the log: it is not carried",
                                                   secrets[i]);
                for (size_t i = 0; i < count; i++)
                        if (bytes_equal_ignore_case(element->text, bytes_of(names[i])))
                                return problem_add(reader->problems, element, "%s is there twice", names[i]);
                count++;
        }
        made->headers = names;
        made->header_count = count;
        return true;
}

static bool read_may_differ(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_communication *made = field;
        if (node->kind != YAML_LIST)
                return reader_unexpected(reader, node, "a list of JSON pointers");
        if (node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected at most %d pointers, got %zu",
                                        MODEL_MAY_DIFFER_MAX, node->count);
        struct json_pointer *pointers = arena_alloc(reader->arena, (node->count + 1) * sizeof *pointers);
        size_t count = 0;
        YAML_FOR_EACH(element, node) {
                if (!read_pointer(reader, element, key, &pointers[count]))
                        return false;
                if (!pointers[count].count)
                        return problem_add(reader->problems, element, "\"\" is the whole body: nothing would be compared");
                count++;
        }
        made->may_differ = pointers;
        made->may_differ_count = count;
        return true;
}

static bool read_replayed(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_recognises *recognises = field;
        struct bytes text;
        (void)key;
        if (!reader_string(reader, node, "\"Header: value\"", &text))
                return false;
        const char *colon = memmem(text.data, text.size, ": ", 2);
        struct http_header header = {0};
        if (colon)
                header = (struct http_header){{text.data, (size_t)(colon - text.data)},
                                              {colon + 2, text.size - (size_t)(colon - text.data) - 2}};
        if (!colon || !header.value.size || !http_header_valid(&header))
                return problem_add(reader->problems, node, "expected \"Header: value\", got \"%.*s\"", BYTES_PRINT(text));
        recognises->replayed_name = arena_text(reader->arena, header.name);
        recognises->replayed_value = arena_text(reader->arena, header.value);
        return true;
}

static bool read_probe(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        const struct target *target;
        (void)key;
        if (!reader_compile_target(reader, node, &target))
                return false;
        if (target_variable_count(target))
                return problem_add(reader->problems, node, "a probe has no variables, got \"%s\"", target_source(target));
        *(const struct target **)field = target;
        return true;
}

static const struct reader_key recognises_keys[] = {
        {"header", REQUIRED, read_header, offsetof(struct model_recognises, header), 0, 0},
        {"replayed", OPTIONAL, read_replayed, 0, 0, 0},
        {"probe", OPTIONAL, read_probe, offsetof(struct model_recognises, probe), 0, 0},
};
const struct reader_table reader_recognises = READER_TABLE("recognises", recognises_keys);

static bool read_recognises(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_recognises *recognises = field;
        if (node->kind == YAML_MAPPING)
                return reader_mapping(reader, node, &reader_recognises, recognises);
        if (node->kind == YAML_SCALAR && bytes_equal(node->text, BYTES("none")))
                return true;
        return read_header(reader, node, key, &recognises->header);
}

static bool read_refusal(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes text;
        (void)key;
        if (!reader_string(reader, node, "park or discard", &text))
                return false;
        bool discard = bytes_equal(text, BYTES("discard"));
        if (!discard && !bytes_equal(text, BYTES("park")))
                return problem_add(reader->problems, node, "expected park or discard, got \"%.*s\"", BYTES_PRINT(text));
        *(enum model_refusal *)field = discard ? MODEL_DISCARD : MODEL_PARK;
        return true;
}

static const struct reader_key async_keys[] = {
        {"event", REQUIRED, read_event_reference, offsetof(struct async_draft, made.event), 0, 0},
        {"keep", OPTIONAL, read_text, offsetof(struct async_draft, keep), 0, 0},
        {"deliver", OPTIONAL, read_target, offsetof(struct async_draft, made.deliver.target), 0, 0},
        {"answer", OPTIONAL, read_number, offsetof(struct async_draft, answer), 200, 299},
        {"wrap", OPTIONAL, read_template, offsetof(struct async_draft, made.wrap), 0, 0},
        {"unwrap", OPTIONAL, read_template, offsetof(struct async_draft, made.unwrap), 0, 0},
        {"refusal", OPTIONAL, read_refusal, offsetof(struct async_draft, made.refusal), 0, 0},
        {"reads", OPTIONAL, read_reads, 0, 1, MODEL_VERSIONS_MAX},
        {"versions", OPTIONAL, read_forms, offsetof(struct async_draft, forms), 0, 0},
        {"outbox", LATER, NULL, 0, 0, 0},
        {"cloudevents", LATER, NULL, 0, 0, 0},
};
const struct reader_table reader_async = READER_TABLE("async", async_keys);

static bool read_async(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct async_draft *async = field;
        (void)key;
        async->node = node;
        async->answer = 202;
        return reader_mapping(reader, node, &reader_async, async);
}

static bool read_variables(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        if (!reader_is_mapping(reader, node, "a mapping of variables to references"))
                return false;
        YAML_FOR_EACH(member, node) {
                struct bytes text;
                struct error error;
                struct model_reference reference;
                if (!reader_string(reader, member, "$event/POINTER", &text))
                        return false;
                if (!reference_parse(text.data, 1u << TEMPLATE_EVENT, reader->arena, &reference, &error))
                        return problem_add_error(reader->problems, member, &error);
        }
        *(const struct yaml_node **)field = node;
        return true;
}

#define MADE(field) offsetof(struct communication_draft, made.field)
#define DRAFT(field) offsetof(struct communication_draft, field)

static const struct reader_key communication_keys[] = {
        {"data", OPTIONAL, read_direction, DRAFT(data), 0, 0},
        {"functional", OPTIONAL, read_direction, DRAFT(functional), 0, 0},
        {"initially", REQUIRED, read_mode, MADE(initially), 0, 0},
        {"call", OPTIONAL, read_target, MADE(call), 0, 0},
        {"key", OPTIONAL, read_text, DRAFT(key), 0, 0},
        {"recognises", OPTIONAL, read_recognises, MADE(recognises), 0, 0},
        {"async", OPTIONAL, read_async, DRAFT(async), 0, 0},
        {"pull", OPTIONAL, read_target, MADE(pull), 0, 0},
        {"push", OPTIONAL, read_target, MADE(push.target), 0, 0},
        {"variables", OPTIONAL, read_variables, DRAFT(variables), 0, 0},
        {"headers", OPTIONAL, read_headers, DRAFT(made), 0, MODEL_HEADERS_MAX},
        {"may_differ", OPTIONAL, read_may_differ, DRAFT(made), 0, MODEL_MAY_DIFFER_MAX},
        READER_TUNING_KEYS(MADE(tuning)),
        {"outbox", LATER, NULL, 0, 0, 0},
        {"cloudevents", LATER, NULL, 0, 0, 0},
        {"openfeature", LATER, NULL, 0, 0, 0},
        {"position_tokens", LATER, NULL, 0, 0, 0},
        {"status_query", LATER, NULL, 0, 0, 0},
};
const struct reader_table reader_communication = READER_TABLE("a communication", communication_keys);

bool read_communications(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)field;
        if (!reader_is_mapping(reader, node, "a mapping of names to communications"))
                return false;
        if (node->count < key->least || node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected from %lu to %lu communications, got %zu",
                                        (unsigned long)key->least, (unsigned long)key->most, node->count);
        struct model *model = &reader->model->public;
        reader->communications = arena_alloc(reader->arena, node->count * sizeof *reader->communications);
        model->communications = reader->communications;
        bool good = true;
        YAML_FOR_EACH(member, node) {
                struct communication_draft draft = {.node = member};
                struct model_communication *made = &reader->communications[model->communication_count];
                draft.made = (struct model_communication){.index = model->communication_count++, .name = member->key->text.data,
                                                          .tuning = model->defaults, .partitions = (unsigned)reader->partitions};
                good &= reader_name(reader, member->key);
                if (model_service_find(model, member->key->text))
                        good = problem_add(reader->problems, member->key,
                                           "\"%s\" is the name of a service: http://gateway/%s is its",
                                           draft.made.name, draft.made.name);
                if (reader_mapping(reader, member, &reader_communication, &draft))
                        good &= communication_finish(reader, &draft, made);
                else
                        good = false;
                *made = draft.made;
                table_insert(&reader->model->communications, model_name_hash(member->key->text), made);
        }
        return good;
}
