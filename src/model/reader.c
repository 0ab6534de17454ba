// SPDX-License-Identifier: Apache-2.0
// Mappings by table, and the small things that all parts of the configuration share. See reader_priv.h.
#include "model/reader_priv.h"

#include <stdlib.h>

const struct yaml_node *reader_place(const struct yaml_node *node) {
        return node->key ? node->key : node;
}

static const char *kind_of(const struct yaml_node *node) {
        if (node->kind != YAML_SCALAR)
                return node->kind == YAML_LIST ? "a list" : "a mapping";
        return yaml_is_null(node) ? "nothing" : NULL;
}

bool reader_unexpected(struct reader *reader, const struct yaml_node *node, const char *expected) {
        const char *kind = kind_of(node);
        if (kind)
                return problem_add(reader->problems, node, "expected %s, got %s", expected, kind);
        return problem_add(reader->problems, node, "expected %s, got \"%.*s\"", expected, BYTES_PRINT(node->text));
}

bool reader_is_mapping(struct reader *reader, const struct yaml_node *node, const char *expected) {
        return node->kind == YAML_MAPPING || reader_unexpected(reader, node, expected);
}

static const struct reader_key *find_key(const struct reader_table *table, struct bytes name) {
        for (size_t i = 0; i < table->count; i++)
                if (bytes_equal(bytes_of(table->keys[i].name), name))
                        return &table->keys[i];
        return NULL;
}

static bool unknown_key(struct reader *reader, const struct yaml_node *member, const struct reader_table *table) {
        enum { KEYS_MAX = 64 };
        const char *names[KEYS_MAX] = {0};
        size_t count = 0;
        ASSERT(table->count <= KEYS_MAX);
        for (size_t i = 0; i < table->count; i++)
                if (table->keys[i].need != LATER)
                        names[count++] = table->keys[i].name;
        const char *nearest = problem_nearest(member->key->text, names, count);
        if (nearest)
                return problem_add(reader->problems, member->key, "unknown key \"%.*s\" in %s; did you mean \"%s\"?",
                                   BYTES_PRINT(member->key->text), table->what, nearest);
        struct buffer CLEANUP(buffer_free) known = {0};
        for (size_t i = 0; i < count; i++)
                buffer_print(&known, "%s%s", i ? ", " : "", names[i]);
        return problem_add(reader->problems, member->key, "unknown key \"%.*s\" in %s; known are %.*s",
                           BYTES_PRINT(member->key->text), table->what, BYTES_PRINT(buffer_bytes(&known)));
}

static bool check_keys(struct reader *reader, const struct yaml_node *node, const struct reader_table *table) {
        bool good = true;
        YAML_FOR_EACH(member, node) {
                const struct reader_key *key = find_key(table, member->key->text);
                if (!key)
                        good = unknown_key(reader, member, table);
                else if (key->need == LATER)
                        good = problem_add_code(reader->problems, member->key, ERROR_UNSUPPORTED, "\"%s\" is not supported yet",
                                                key->name);
        }
        return good;
}

bool reader_mapping(struct reader *reader, const struct yaml_node *node, const struct reader_table *table, void *target) {
        if (!reader_is_mapping(reader, node, "a mapping"))
                return false;
        bool good = check_keys(reader, node, table);
        for (size_t i = 0; i < table->count; i++) {
                const struct reader_key *key = &table->keys[i];
                if (key->need == LATER)
                        continue;
                const struct yaml_node *value = yaml_get(node, key->name);
                if (!value) {
                        if (key->need == REQUIRED)
                                good = problem_add(reader->problems, reader_place(node), "%s needs the key \"%s\"", table->what,
                                                   key->name);
                        continue;
                }
                if (!key->read(reader, value, key, (char *)target + key->offset))
                        good = false;
        }
        return good;
}

bool reader_string(struct reader *reader, const struct yaml_node *node, const char *expected, struct bytes *ret_text) {
        if (kind_of(node))
                return reader_unexpected(reader, node, expected);
        if (!node->text.size)
                return problem_add(reader->problems, node, "expected %s, got an empty string", expected);
        if (memchr(node->text.data, 0, node->text.size))
                return problem_add(reader->problems, node, "expected %s, got a string with a NUL", expected);
        struct buffer CLEANUP(buffer_free) json = {0};
        struct json_writer writer = {.buffer = &json};
        if (!yaml_to_json(node, reader->problems, &writer))
                return false;
        if (json.data[0] != '"')
                return problem_add(reader->problems, node, "expected %s, got the %s %.*s: put it in quotes if it is meant",
                                   expected,
                                   json.data[0] == 't' || json.data[0] == 'f' ? "boolean" : "number", BYTES_PRINT(node->text));
        *ret_text = node->text;
        return true;
}

static bool name_character(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool reader_name(struct reader *reader, const struct yaml_node *key) {
        struct bytes name = key->text;
        bool good = name.size && name.size <= MODEL_NAME_MAX && name.data[0] != '-' && name.data[0] != '_';
        for (size_t i = 0; i < name.size && good; i++)
                good = name_character(name.data[i]);
        if (good)
                return true;
        return problem_add(reader->problems, key,
                           "\"%.*s\" is no name: expected letters, digits, - and _, a letter or digit first, at most %d",
                           BYTES_PRINT(name), MODEL_NAME_MAX);
}

bool reader_compile_target(struct reader *reader, const struct yaml_node *node, const struct target **ret_target) {
        struct bytes text;
        struct error error;
        struct target *target;
        if (!reader_string(reader, node, "METHOD /path", &text))
                return false;
        if (!target_compile(text, &target, &error))
                return problem_add_error(reader->problems, node, &error);
        struct model_owned *model = reader->model;
        model->targets = must_realloc(model->targets, (model->target_count + 1) * sizeof(struct target *));
        model->targets[model->target_count++] = target;
        *ret_target = target;
        return true;
}

static bool compile_json(struct reader *reader, struct bytes json, const struct template **ret_template, struct error *error) {
        struct arena CLEANUP(arena_free) scratch = {0};
        const struct json *source;
        struct template *template;
        if (!json_parse(json, NULL, &scratch, &source, error) || !template_compile(source, &template, error))
                return false;
        struct model_owned *model = reader->model;
        model->templates = must_realloc(model->templates, (model->template_count + 1) * sizeof(struct template *));
        model->templates[model->template_count++] = template;
        *ret_template = template;
        return true;
}

bool reader_compile_template(struct reader *reader, const char *source, const struct template **ret_template) {
        struct error error;
        bool good = compile_json(reader, bytes_of(source), ret_template, &error);
        ASSERT(good);                                   // only our own defaults come here
        return good;
}

// The node of a template that a JSON pointer names, to give the line of a reference; the root where it cannot be found.
static const struct yaml_node *node_at(const struct yaml_node *root, struct bytes pointer_text, struct arena *scratch) {
        struct json_pointer pointer;
        if (!json_pointer_parse(pointer_text, scratch, &pointer, NULL))
                return root;
        const struct yaml_node *node = root;
        for (size_t i = 0; i < pointer.count; i++) {
                uint64_t index = 0, at = 0;
                const struct yaml_node *found = NULL;
                bool list = node->kind == YAML_LIST && bytes_to_u64(pointer.tokens[i], &index);
                YAML_FOR_EACH(child, node) {
                        if (list ? at++ == index : child->key && bytes_equal(child->key->text, pointer.tokens[i])) {
                                found = child;
                                break;
                        }
                }
                if (!found)
                        return root;
                node = found;
        }
        return node;
}

// template_compile's sentence begins with `template, at "/payload": `, which becomes the place of the problem.
static bool template_problem(struct reader *reader, const struct yaml_node *root, const struct error *error) {
        static const char prefix[] = "template, at \"";
        struct arena CLEANUP(arena_free) scratch = {0};
        const char *end = strncmp(error->text, prefix, sizeof prefix - 1) ? NULL : strstr(error->text, "\": ");
        if (!end)
                return problem_add_error(reader->problems, root, error);
        struct bytes pointer = {error->text + sizeof prefix - 1, (size_t)(end - error->text) - (sizeof prefix - 1)};
        return problem_add_code(reader->problems, node_at(root, pointer, &scratch), error->code, "%s", end + 3);
}

bool read_template(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        struct buffer CLEANUP(buffer_free) json = {0};
        struct json_writer writer = {.buffer = &json};
        struct error error;
        if (!yaml_to_json(node, reader->problems, &writer))
                return false;
        return compile_json(reader, buffer_bytes(&json), field, &error) || template_problem(reader, node, &error);
}

bool reader_has_variable(const struct target *target, struct bytes name) {
        for (size_t i = 0; i < target_variable_count(target); i++)
                if (bytes_equal(target_variable(target, i), name))
                        return true;
        return false;
}

struct bytes reader_last_token(const struct json_pointer *pointer) {
        return pointer->count ? pointer->tokens[pointer->count - 1] : (struct bytes){0};
}
