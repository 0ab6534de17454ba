// SPDX-License-Identifier: Apache-2.0
// `async.reads` and `async.versions` of a communication: which versions its reader understands, and how a call becomes an event
// of each version and back. What is read is in the model's arena.
#include "model/communications_priv.h"

#include <stdlib.h>

bool read_reads(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        struct async_draft *draft = field;
        if (node->kind != YAML_LIST)
                return reader_unexpected(reader, node, "a list of versions");
        if (node->count < key->least || node->count > key->most)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "expected from 1 to %d versions, got %zu",
                                        MODEL_VERSIONS_MAX, node->count);
        static const struct reader_key number = {"reads", OPTIONAL, NULL, 0, 0, MODEL_VERSIONS_MAX - 1};
        unsigned *reads = arena_alloc(reader->arena, node->count * sizeof *reads);
        size_t count = 0;
        YAML_FOR_EACH(element, node) {
                uint64_t version;
                if (!read_number(reader, element, &number, &version))
                        return false;
                if (count && version <= reads[count - 1])
                        return problem_add(reader->problems, element, "expected versions in ascending order, got %lu after %u",
                                           (unsigned long)version, reads[count - 1]);
                reads[count++] = (unsigned)version;
        }
        draft->made.reads = reads;
        draft->made.read_count = count;
        draft->reads = node;
        return true;
}

bool read_forms(struct reader *reader, const struct yaml_node *node, const struct reader_key *key, void *field) {
        (void)key;
        if (!reader_is_mapping(reader, node, "a mapping of versions to wrap and unwrap"))
                return false;
        *(const struct yaml_node **)field = node;
        return true;
}

static const struct reader_key form_keys[] = {
        {"wrap", OPTIONAL, read_template, offsetof(struct model_form, wrap), 0, 0},
        {"unwrap", OPTIONAL, read_template, offsetof(struct model_form, unwrap), 0, 0},
        {"lookup", OPTIONAL, read_template, offsetof(struct model_form, lookup), 0, 0},
};
const struct reader_table reader_form = READER_TABLE("a version", form_keys);

static bool finish_reads(struct reader *reader, struct async_draft *draft) {
        static const unsigned zero = 0;
        const struct model_event *event = draft->made.event;
        if (!draft->reads) {
                draft->made.reads = &zero;
                draft->made.read_count = 1;
                return true;
        }
        const struct yaml_node *element = draft->reads->first;
        for (size_t i = 0; i < draft->made.read_count; i++, element = element->next)
                if (draft->made.reads[i] >= MAX(event->version_count, (size_t)1))
                        return problem_add(reader->problems, element, "there is no version %u of %s in %s", draft->made.reads[i],
                                           event->name, event->schemas);
        return true;
}

bool forms_finish(struct reader *reader, struct async_draft *draft, form_check *check, void *user) {
        const struct model_event *event = draft->made.event;
        size_t count = MAX(event->version_count, (size_t)1);
        struct model_form *forms = arena_alloc(reader->arena, count * sizeof *forms);
        memset(forms, 0, count * sizeof *forms);
        forms[0] = (struct model_form){.wrap = draft->made.wrap, .unwrap = draft->made.unwrap};
        draft->made.forms = forms;
        draft->made.form_count = count;
        bool good = finish_reads(reader, draft);
        if (!draft->forms)
                return good;
        YAML_FOR_EACH(member, draft->forms) {
                unsigned version;
                if (!versions_key(reader, member, event, 1, &version) ||
                    !reader_mapping(reader, member, &reader_form, &forms[version]))
                        good = false;
                else
                        good &= check(reader, member, version, &forms[version], user);
        }
        return good;
}
