// SPDX-License-Identifier: Apache-2.0
// Versions of an event: how each is got from the one before (`up`, `down`) and where it has the key. What is read is in the
// model's arena. A jq program is checked and compiled here, so that a mistake has its line and column now and not at run time.
#include "model/reader_priv.h"

#include "convert/convert.h"

static_assert((int)MODEL_PROGRAM_MAX == (int)CONVERT_PROGRAM_MAX, "what is read can be converted by");

bool versions_key(struct reader *reader, const struct yaml_node *member, const struct model_event *event, unsigned least,
                  unsigned *ret_version) {
        uint64_t number;
        struct bytes text = member->key->text;
        if (!bytes_to_u64(text, &number) || (text.size > 1 && text.data[0] == '0') || number < least)
                return problem_add(reader->problems, member->key, "expected a version from %u, got \"%.*s\"", least,
                                   BYTES_PRINT(text));
        if (number >= event->version_count)
                return problem_add(reader->problems, member->key, "there is no version %.*s of %s in %s", BYTES_PRINT(text),
                                   event->name, event->schemas);
        *ret_version = (unsigned)number;
        return true;
}

static bool only_event(struct reader *reader, const struct yaml_node *node, const struct template *template) {
        for (size_t i = 0; i < template_reference_count(template); i++) {
                struct template_reference reference = template_reference_at(template, i);
                if (reference.input != TEMPLATE_EVENT)
                        return problem_add(reader->problems, node, "%s: between versions there is $event only", reference.text);
        }
        return true;
}

// Its place among the programs; the same text is there once. In a file the program's lines are the file's; a program that stands in
// the configuration has lines of its own.
static bool add_program(struct reader *reader, const struct yaml_node *node, struct bytes program, struct model_mapping *mapping) {
        struct model_owned *model = reader->model;
        struct error error;
        for (mapping->program = 0; mapping->program < model->public.program_count; mapping->program++)
                if (bytes_equal(model->programs[mapping->program], program))
                        return true;
        if (model->public.program_count == CONVERT_PROGRAMS_MAX)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "more than %d jq programs", CONVERT_PROGRAMS_MAX);
        if (!convert_check(program, &error))
                return problem_add_code(reader->problems, node, error.code, "%s: %s", mapping->path ? mapping->path : "jq", error.text);
        model->programs = must_realloc(model->programs, (model->public.program_count + 1) * sizeof *model->programs);
        model->public.programs = model->programs;
        model->programs[model->public.program_count] =
                (struct bytes){arena_text(reader->arena, program), program.size};
        model->public.program_count++;
        return true;
}

static bool read_program(struct reader *reader, const struct yaml_node *node, struct model_mapping *mapping) {
        struct bytes program;
        static const struct bytes ending = {".jq", 3};
        if (!reader_string(reader, node, "a jq program, the name of its file, or a template", &program))
                return false;
        if (program.size > ending.size && !memcmp(program.data + program.size - ending.size, ending.data, ending.size)) {
                static const struct reader_key nothing = {0};
                if (!read_path(reader, node, &nothing, &mapping->path) ||
                    !reader_file(reader, node, mapping->path, MODEL_PROGRAM_MAX, &program))
                        return false;
        }
        if (program.size > MODEL_PROGRAM_MAX)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "a jq program of more than %d bytes",
                                        MODEL_PROGRAM_MAX);
        return add_program(reader, node, program, mapping);
}

bool read_mapping(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_mapping *mapping = arena_alloc(reader->arena, sizeof *mapping);
        *mapping = (struct model_mapping){0};
        if (node->kind == YAML_LIST)
                return reader_unexpected(reader, node, "a jq program, the name of its file, or a template");
        if (node->kind == YAML_SCALAR ? !read_program(reader, node, mapping)
                                      : !read_template(reader, node, key, &mapping->template) ||
                                                !only_event(reader, node, mapping->template))
                return false;
        *(const struct model_mapping **)field = mapping;
        return true;
}

static bool read_version_key(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct model_version *version = field;
        if (node->kind == YAML_MAPPING)
                return read_template(reader, node, key, &version->key_template) &&
                       only_event(reader, node, version->key_template);
        struct json_pointer pointer;
        if (!read_pointer(reader, node, key, &pointer))
                return false;
        if (!pointer.count)
                return problem_add(reader->problems, node, "expected the pointer of one value in the event, as /manager_id");
        version->key = pointer;
        version->key_text = arena_text(reader->arena, node->text);
        return true;
}

static const struct reader_key version_keys[] = {
        {"up", OPTIONAL, read_mapping, offsetof(struct model_version, up), 0, 0},
        {"down", OPTIONAL, read_mapping, offsetof(struct model_version, down), 0, 0},
        {"key", OPTIONAL, read_version_key, 0, 0, 0},
};
const struct reader_table reader_version = READER_TABLE("a version", version_keys);

bool versions_read(struct reader *reader, const struct yaml_node *node, struct model_event *event,
                   struct model_version *versions) {
        bool good = true;
        for (size_t i = 0; i < event->version_count; i++) {
                versions[i].key = event->key;
                versions[i].key_text = event->key_text;
        }
        if (!node)
                return true;
        YAML_FOR_EACH(member, node) {
                unsigned version;
                good &= versions_key(reader, member, event, 1, &version) &&
                        reader_mapping(reader, member, &reader_version, &versions[version]);
        }
        for (size_t i = 1; i < event->version_count && good; i++) {
                const struct model_version *made = &versions[i];
                const struct yaml_node *member = yaml_get(node, arena_print(reader->arena, "%zu", i));
                if (member && !made->key_template && contract_lacks(made->source, &made->key))
                        good = problem_add(reader->problems, reader_place(member),
                                           "%s has no %s: say in \"key\" where it has the key of %s", made->path, made->key_text,
                                           event->name);
        }
        return good;
}
