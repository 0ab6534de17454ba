// SPDX-License-Identifier: Apache-2.0
// `services`: names, URLs, and the token that commute presents to each. See reader_priv.h.
#include "model/reader_priv.h"

#include <stdio.h>

// First path segments of the gateway that are not services: a service of this name could not be reached.
static const char *const reserved[] = {"gateway", "events", "modes", "receipts", "health"};

struct auth_draft {
        const char *bearer_file;
};

static const struct reader_key auth_keys[] = {
        {"bearer_file", REQUIRED, read_path, offsetof(struct auth_draft, bearer_file), 0, 0},
};
const struct reader_table reader_auth = READER_TABLE("auth", auth_keys);

// One line of visible ASCII; a line end behind it is no part of it.
static bool read_token_file(struct reader *reader, const struct yaml_node *node, const char *path, const char **ret_token) {
        char text[MODEL_BEARER_MAX + 2];
        FILE *file = fopen(path, "re");
        if (!file)
                return problem_add_code(reader->problems, node, ERROR_NOT_FOUND, "%s: %m", path);
        size_t size = fread(text, 1, sizeof text, file);
        bool failed = ferror(file);
        fclose(file);
        if (failed)
                return problem_add_code(reader->problems, node, ERROR_IO, "%s: cannot be read", path);
        while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
                size--;
        if (!size || size > MODEL_BEARER_MAX)
                return problem_add(reader->problems, node, "%s: expected a token of 1 to %d bytes", path, MODEL_BEARER_MAX);
        for (size_t i = 0; i < size; i++)
                if (text[i] <= ' ' || text[i] > '~')
                        return problem_add(reader->problems, node, "%s: expected one line of visible ASCII", path);
        *ret_token = arena_text(reader->arena, (struct bytes){text, size});
        return true;
}

static bool read_auth(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_service *service = field;
        struct auth_draft draft = {0};
        (void)key;
        if (!reader_mapping(reader, node, &reader_auth, &draft) ||
            !read_token_file(reader, yaml_get(node, "bearer_file"), draft.bearer_file, &service->bearer))
                return false;
        service->bearer_file = draft.bearer_file;
        return true;
}

static bool read_resolves(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_service *service = field;
        if (node->kind != YAML_LIST || node->count == 0)
                return reader_unexpected(reader, node, "a list of purposes");
        if (node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected at most %d purposes, got %zu", MODEL_RESOLVES_MAX,
                                        node->count);
        const char **purposes = arena_alloc(reader->arena, node->count * sizeof *purposes);
        size_t count = 0;
        YAML_FOR_EACH(element, node) {
                struct bytes name;
                if (!reader_string(reader, element, "a purpose", &name))
                        return false;
                if (!template_is_purpose(name))
                        return problem_add(reader->problems, element, "\"%.*s\" is no purpose: expected 1 to %d letters, digits, . _ and -",
                                           BYTES_PRINT(name), TEMPLATE_PURPOSE_MAX);
                for (size_t i = 0; i < count; i++)
                        if (bytes_equal(name, bytes_of(purposes[i])))
                                return problem_add(reader->problems, element, "%s is there twice", purposes[i]);
                purposes[count++] = arena_text(reader->arena, name);
        }
        service->resolves = purposes;
        service->resolve_count = count;
        return true;
}

// A token says who asks: two services cannot have the same.
static bool check_resolves(struct reader *reader, const struct yaml_node *node, struct model_service *service) {
        if (!service->resolves && !service->token_file)
                return true;
        if (!service->token_file)
                return problem_add(reader->problems, yaml_get(node, "resolves"), "a service that resolves pseudonyms needs token_file");
        if (!service->resolves)
                return problem_add(reader->problems, yaml_get(node, "token_file"), "token_file is of use with resolves only");
        if (!read_token_file(reader, yaml_get(node, "token_file"), service->token_file, &service->token))
                return false;
        for (size_t i = 0; i < service->index; i++)
                if (reader->services[i].token && strcmp(reader->services[i].token, service->token) == 0)
                        return problem_add(reader->problems, yaml_get(node, "token_file"), "the token is %s's already",
                                           reader->services[i].name);
        return true;
}

static const struct reader_key service_keys[] = {
        {"url", REQUIRED, read_url, offsetof(struct model_service, url), 0, 0},
        {"auth", OPTIONAL, read_auth, 0, 0, 0},
        {"resolves", OPTIONAL, read_resolves, 0, 1, MODEL_RESOLVES_MAX},
        {"token_file", OPTIONAL, read_path, offsetof(struct model_service, token_file), 0, 0},
        {"tls", LATER, NULL, 0, 0, 0},
        {"http2", LATER, NULL, 0, 0, 0},
};
const struct reader_table reader_service = READER_TABLE("a service", service_keys);

bool read_services(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)field;
        if (!reader_is_mapping(reader, node, "a mapping of names to services"))
                return false;
        if (node->count < key->least || node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected from %lu to %lu services, got %zu",
                                        (unsigned long)key->least, (unsigned long)key->most, node->count);
        struct model *model = &reader->model->public;
        model->services = reader->services = arena_alloc(reader->arena, node->count * sizeof *reader->services);
        bool good = true;
        YAML_FOR_EACH(member, node) {
                struct model_service *service = &reader->services[model->service_count];
                *service = (struct model_service){.index = model->service_count++, .name = member->key->text.data};
                good &= reader_name(reader, member->key);
                for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
                        if (strcmp(service->name, reserved[i]) == 0)
                                good = problem_add(reader->problems, member->key, "the name \"%s\" is the gateway's own",
                                                   reserved[i]);
                if (reader_mapping(reader, member, &reader_service, service))
                        good &= check_resolves(reader, member, service);
                else
                        good = false;
                table_insert(&reader->model->services, model_name_hash(member->key->text), service);
        }
        return good;
}

bool read_service_reference(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct bytes name;
        (void)key;
        if (!reader_string(reader, node, "the name of a service", &name))
                return false;
        const struct model_service *service = model_service_find(&reader->model->public, name);
        if (!service)
                return problem_add(reader->problems, node, "there is no service \"%.*s\"", BYTES_PRINT(name));
        *(const struct model_service **)field = service;
        return true;
}
