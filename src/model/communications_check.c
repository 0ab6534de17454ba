// SPDX-License-Identifier: Apache-2.0
// What is true of a communication's parts together: which keys its kind has, which modes it therefore has, where each variable
// of a delivery comes from, whether wrap's event has the call's key where the event has its own. See docs/configuration.md.
#include "model/communications_priv.h"

#include <stdlib.h>

static const struct yaml_node *at(const struct yaml_node *mapping, const char *key) {
        const struct yaml_node *member = yaml_get(mapping, key);
        return member ? member : reader_place(mapping);
}

// Refuses keys that the other kind, or the other way to keep data, has.
static bool refuse_keys(struct reader *reader, const struct yaml_node *mapping, const char *const *keys, size_t count,
                        const char *why) {
        bool good = true;
        for (size_t i = 0; i < count; i++) {
                const struct yaml_node *member = yaml_get(mapping, keys[i]);
                if (member)
                        good = problem_add(reader->problems, member->key, "\"%s\" %s", keys[i], why);
        }
        return good;
}
#define REFUSE_KEYS(reader, mapping, keys, why) refuse_keys(reader, mapping, keys, ARRAY_SIZE(keys), why)

static bool check_references(struct reader *reader, const struct yaml_node *node, const struct template *template, unsigned allowed,
                             const struct target *path_of, const char *what) {
        for (size_t i = 0; i < template_reference_count(template); i++) {
                struct template_reference reference = template_reference_at(template, i);
                if (!(allowed & 1u << reference.input))
                        return problem_add(reader->problems, node, "%s: %s", reference.text, what);
                if (reference.input == TEMPLATE_PATH && !reader_has_variable(path_of, reference.name))
                        return problem_add(reader->problems, node, "%s: \"%s\" has no such variable", reference.text,
                                           target_source(path_of));
        }
        return true;
}

// The references of an unwrap template into events that the contract excludes.
static bool check_unwrap(struct reader *reader, const struct yaml_node *node, const struct template *unwrap,
                         const struct model_event *event, unsigned version) {
        if (!check_references(reader, node, unwrap, 1u << TEMPLATE_EVENT | 1u << TEMPLATE_ID, NULL,
                              "unwrap has $event and $id only"))
                return false;
        for (size_t i = 0; i < template_reference_count(unwrap) && version < event->version_count; i++) {
                struct template_reference reference = template_reference_at(unwrap, i);
                struct json_pointer pointer;
                struct bytes text = bytes_of(reference.text + strlen("$event"));
                if (reference.input != TEMPLATE_EVENT || !json_pointer_parse(text, reader->arena, &pointer, NULL))
                        continue;
                if (contract_lacks(event->versions[version].source, &pointer))
                        return problem_add(reader->problems, node, "%s: %s has no such member", reference.text,
                                           event->versions[version].path);
        }
        return true;
}

// Where a delivery's variable comes from: `variables`, else the event's key if it is named so, else a member of the event.
static bool bind_variable(struct reader *reader, struct communication_draft *draft, const struct yaml_node *node, struct bytes name,
                          struct model_reference *ret_reference) {
        const struct model_event *event = draft->async.made.event;
        const struct yaml_node *given = draft->variables ? yaml_get(draft->variables, arena_text(reader->arena, name)) : NULL;
        struct buffer CLEANUP(buffer_free) text = {0};
        struct error error;
        if (given)
                buffer_append(&text, given->text);
        else if (bytes_equal(reader_last_token(&event->key), name))
                buffer_print(&text, "$event%s", event->key_text);
        else {
                buffer_append(&text, BYTES("$event"));
                json_pointer_append(&text, name);
        }
        buffer_append_byte(&text, 0);
        if (!reference_parse(text.data, 1u << TEMPLATE_EVENT, reader->arena, ret_reference, &error))
                return problem_add_error(reader->problems, given ? given : node, &error);
        if (event->version_count && contract_lacks(event->versions[0].source, &ret_reference->pointer))
                return problem_add(reader->problems, given ? given : node, "{%.*s}: %s has no %s; say in \"variables\" where it is",
                                   BYTES_PRINT(name), event->versions[0].path, text.data + strlen("$event"));
        return true;
}

static bool bind(struct reader *reader, struct communication_draft *draft, const struct yaml_node *node,
                 struct model_delivery *delivery) {
        size_t count = target_variable_count(delivery->target);
        struct model_reference *references = arena_alloc(reader->arena, (count + 1) * sizeof *references);
        for (size_t i = 0; i < count; i++)
                if (!bind_variable(reader, draft, node, target_variable(delivery->target, i), &references[i]))
                        return false;
        delivery->variables = references;
        delivery->event = draft->async.made.event;
        reference_bound(delivery);
        return true;
}

static bool check_variables_used(struct reader *reader, const struct communication_draft *draft) {
        const struct target *const targets[] = {draft->async.made.deliver.target, draft->made.push.target};
        bool good = true;
        if (!draft->variables)
                return true;
        YAML_FOR_EACH(member, draft->variables) {
                bool used = false;
                for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
                        used |= targets[i] && reader_has_variable(targets[i], member->key->text);
                if (!used)
                        good = problem_add(reader->problems, member->key, "nothing has the variable {%.*s}",
                                           BYTES_PRINT(member->key->text));
        }
        return good;
}

// What the wrap template has at the event's key, if that can be seen: "$body/task_id"; false if not.
static bool key_in_wrap(const struct yaml_node *wrap, const struct json_pointer *key, struct buffer *text) {
        const struct yaml_node *node = wrap;
        for (size_t i = 0; i <= key->count; i++) {
                if (node->kind == YAML_SCALAR && node->text.size > 1 && node->text.data[0] == '$' && node->text.data[1] != '$') {
                        buffer_append(text, node->text);
                        for (; i < key->count; i++)
                                json_pointer_append(text, key->tokens[i]);
                        return true;
                }
                if (i == key->count || node->kind != YAML_MAPPING)
                        return false;
                const struct yaml_node *next = NULL;
                YAML_FOR_EACH(member, node)
                        if (bytes_equal(member->key->text, key->tokens[i]))
                                next = member;
                if (!next)
                        return false;
                node = next;
        }
        return false;
}

static bool check_wrap(struct reader *reader, struct communication_draft *draft, const struct yaml_node *node,
                       const struct template *wrap, unsigned version) {
        const struct model_event *event = draft->async.made.event;
        const struct model_version *contract = version < event->version_count ? &event->versions[version] : NULL;
        const unsigned allowed = 1u << TEMPLATE_BODY | 1u << TEMPLATE_PATH | 1u << TEMPLATE_QUERY | 1u << TEMPLATE_SEQUENCE |
                                 1u << TEMPLATE_ID | 1u << TEMPLATE_NOW;
        static const struct yaml_node whole_body = {.kind = YAML_SCALAR, .plain = true, .text = {"$body", 5}};
        if (node && !check_references(reader, node, wrap, allowed, draft->made.call,
                                      "wrap has $body, $path, $query, $sequence, $id and $now only"))
                return false;
        const char *mismatch = NULL;
        if (node && contract)
                mismatch = contract_mismatch(contract->source, node, reader->arena);
        if (mismatch)
                return problem_add(reader->problems, node, "the event would not fit %s: %s", contract->path, mismatch);
        if (contract && contract->key_template)
                return true;                            // the key is made of the event: what it is shows at run time only
        struct buffer CLEANUP(buffer_free) key = {0};
        if (key_in_wrap(node ? node : &whole_body, contract ? &contract->key : &event->key, &key) &&
            !bytes_equal(buffer_bytes(&key), bytes_of(draft->key)))
                return problem_add(reader->problems, at(draft->node, "key"),
                                   "the key of %s, %s, is %.*s of the call by wrap, not %s: order would be kept by another key",
                                   event->name, contract ? contract->key_text : event->key_text,
                                   BYTES_PRINT(buffer_bytes(&key)), draft->key);
        return true;
}

static bool check_functional_form(struct reader *reader, const struct yaml_node *node, unsigned version,
                                  const struct model_form *form, void *user) {
        static const char *const not_here[] = {"lookup"};
        struct communication_draft *draft = user;
        bool good = REFUSE_KEYS(reader, node, not_here, "is for data communications with keep: gateway");
        if (form->wrap && draft->key)
                good &= check_wrap(reader, draft, yaml_get(node, "wrap"), form->wrap, version);
        if (form->unwrap)
                good &= check_unwrap(reader, yaml_get(node, "unwrap"), form->unwrap, draft->async.made.event, version);
        return good;
}

static bool check_data_form(struct reader *reader, const struct yaml_node *node, unsigned version, const struct model_form *form,
                            void *user) {
        static const char *const functional[] = {"wrap"}, *const of_gateway[] = {"lookup"}, *const of_reader[] = {"unwrap"};
        struct communication_draft *draft = user;
        bool good = REFUSE_KEYS(reader, node, functional, "is for functional communications");
        if (draft->async.made.keep_gateway)
                good &= REFUSE_KEYS(reader, node, of_reader, "is for a reader that keeps its own table, not for keep: gateway");
        else
                good &= REFUSE_KEYS(reader, node, of_gateway, "is for keep: gateway");
        if (form->unwrap)
                good &= check_unwrap(reader, yaml_get(node, "unwrap"), form->unwrap, draft->async.made.event, version);
        if (form->lookup && draft->made.pull)
                good &= check_references(reader, yaml_get(node, "lookup"), form->lookup, 1u << TEMPLATE_PATH, draft->made.pull,
                                         "lookup has $path only");
        return good;
}

static bool check_functional_async(struct reader *reader, struct communication_draft *draft) {
        static const char *const not_here[] = {"keep"};
        struct model_async *async = &draft->async.made;
        bool good = REFUSE_KEYS(reader, draft->async.node, not_here, "is for data communications");
        async->answer = (unsigned)draft->async.answer;
        if (!async->deliver.target)
                async->deliver.target = draft->made.call;
        if (draft->key)
                good &= check_wrap(reader, draft, yaml_get(draft->async.node, "wrap"), async->wrap, 0);
        else
                good = problem_add(reader->problems, reader_place(draft->node),
                                   "async needs the key \"key\": what keeps the order of calls, as $body/task_id");
        if (async->unwrap)
                good &= check_unwrap(reader, yaml_get(draft->async.node, "unwrap"), async->unwrap, async->event, 0);
        if (!async->wrap)
                good &= reader_compile_template(reader, "\"$body\"", &async->wrap);
        if (!async->unwrap)
                good &= reader_compile_template(reader, "\"$event\"", &async->unwrap);
        good &= forms_finish(reader, &draft->async, check_functional_form, draft);
        const struct yaml_node *node = yaml_get(draft->async.node, "deliver");
        return good & bind(reader, draft, node ? node : at(draft->node, "call"), &async->deliver);
}

static bool check_functional(struct reader *reader, struct communication_draft *draft) {
        static const char *const not_here[] = {"pull", "push"};
        struct model_communication *made = &draft->made;
        bool good = REFUSE_KEYS(reader, draft->node, not_here, "is for data communications");
        struct error error;
        made->modes = 1u << MODEL_SYNC | (draft->async.node ? 1u << MODEL_ASYNC : 0);
        if (!made->call)
                return problem_add(reader->problems, reader_place(draft->node),
                                   "a functional communication needs the key \"call\"");
        if (draft->key) {
                const unsigned allowed = 1u << TEMPLATE_BODY | 1u << TEMPLATE_PATH | 1u << TEMPLATE_QUERY;
                const struct yaml_node *node = yaml_get(draft->node, "key");
                if (!reference_parse(draft->key, allowed, reader->arena, &made->key, &error))
                        return problem_add_error(reader->problems, node, &error);
                if (made->key.input == TEMPLATE_PATH && !reader_has_variable(made->call, made->key.name))
                        return problem_add(reader->problems, node, "%s: \"%s\" has no such variable", draft->key,
                                           target_source(made->call));
                made->has_key = true;
        }
        return (!draft->async.node || check_functional_async(reader, draft)) & good;
}

static bool check_keep(struct reader *reader, struct communication_draft *draft) {
        static const char *const of_reader[] = {"deliver", "unwrap", "refusal"};
        struct async_draft *async = &draft->async;
        if (!async->keep)
                return problem_add(reader->problems, async->node->key, "async needs the key \"keep\": gateway or %s",
                                   draft->made.to->name);
        const struct yaml_node *node = yaml_get(async->node, "keep");
        async->made.keep_gateway = strcmp(async->keep, "gateway") == 0;
        if (async->made.keep_gateway) {
                if (!draft->made.pull)
                        return problem_add(reader->problems, node,
                                           "keep: gateway needs the key \"pull\": what the replica answers");
                return REFUSE_KEYS(reader, async->node, of_reader,
                                   "is for a reader that keeps its own table, not for keep: gateway");
        }
        if (strcmp(async->keep, draft->made.to->name) != 0)
                return problem_add(reader->problems, node, "expected gateway or %s, got \"%s\"", draft->made.to->name, async->keep);
        if (!async->made.deliver.target)
                return problem_add(reader->problems, node, "keep: %s needs the key \"deliver\": how the reader gets its events",
                                   async->keep);
        if (async->made.unwrap)
                return check_unwrap(reader, yaml_get(async->node, "unwrap"), async->made.unwrap, async->made.event, 0) &&
                       bind(reader, draft, yaml_get(async->node, "deliver"), &async->made.deliver);
        return reader_compile_template(reader, "\"$event\"", &async->made.unwrap) &&
               bind(reader, draft, yaml_get(async->node, "deliver"), &async->made.deliver);
}

// A tombstone has its key and nothing else.
static bool check_tombstones(struct reader *reader, const struct yaml_node *node, const struct model_event *event,
                             const struct model_delivery *delivery) {
        if (!node || !delivery->target || delivery->key_only)
                return true;
        for (size_t i = 0; i < event->capture_count; i++)
                if (strcmp(target_method(event->captures[i]), "DELETE") == 0)
                        return problem_add(reader->problems, node, "%s has a variable besides the key %s of %s, and what follows %s has "
                                           "nothing but the key", target_source(delivery->target), event->key_text, event->name,
                                           target_source(event->captures[i]));
        return true;
}

static bool check_data_async(struct reader *reader, struct communication_draft *draft) {
        static const char *const not_here[] = {"wrap", "answer"};
        struct model_communication *made = &draft->made;
        const struct model_event *event = draft->async.made.event;
        bool good = REFUSE_KEYS(reader, draft->async.node, not_here, "is for functional communications");
        struct bytes name = reader_last_token(&event->key);
        struct error error;
        if (made->pull && (target_variable_count(made->pull) != 1 || !reader_has_variable(made->pull, name)))
                good = problem_add(reader->problems, yaml_get(draft->node, "pull"),
                                   "expected one variable, {%.*s}, of the key %s of %s, in \"%s\"", BYTES_PRINT(name),
                                   event->key_text, event->name, target_source(made->pull));
        const char *key = arena_print(reader->arena, "$event%s", event->key_text);
        if (!reference_parse(key, 1u << TEMPLATE_EVENT, reader->arena, &made->key, &error))
                return problem_add_error(reader->problems, draft->async.node, &error);
        made->has_key = true;
        if (made->push.target)
                good &= bind(reader, draft, yaml_get(draft->node, "push"), &made->push);
        good &= check_keep(reader, draft);
        good &= check_tombstones(reader, yaml_get(draft->node, "push"), event, &made->push);
        good &= check_tombstones(reader, yaml_get(draft->async.node, "deliver"), event, &draft->async.made.deliver);
        return forms_finish(reader, &draft->async, check_data_form, draft) & good;
}

static bool check_data(struct reader *reader, struct communication_draft *draft) {
        static const char *const not_here[] = {"call", "key"};
        struct model_communication *made = &draft->made;
        bool good = REFUSE_KEYS(reader, draft->node, not_here, "is for functional communications");
        made->modes = (made->pull ? 1u << MODEL_PULL : 0) | (made->push.target ? 1u << MODEL_PUSH : 0) |
                      (draft->async.node ? 1u << MODEL_ASYNC : 0);
        if (!made->modes)
                return problem_add(reader->problems, reader_place(draft->node),
                                   "a data communication needs one of the keys \"pull\", \"push\" and \"async\"");
        if (made->pull && strcmp(target_method(made->pull), "GET") != 0)
                good = problem_add(reader->problems, yaml_get(draft->node, "pull"), "expected GET, got %s",
                                   target_method(made->pull));
        if (made->push.target && (!draft->async.node || !draft->async.made.event->capture_count))
                return problem_add(reader->problems, yaml_get(draft->node, "push"),
                                   "push needs async with an event that has \"capture\": the writes that are pushed");
        return (!draft->async.node || check_data_async(reader, draft)) & good;
}

// One communication for each event, of the same owner; and its GET is the event's if that has none.
static bool adopt_event(struct reader *reader, struct communication_draft *draft, const struct model_communication *final) {
        struct model_event *event = &reader->events[draft->async.made.event->index];
        const struct yaml_node *node = yaml_get(draft->async.node, "event");
        if (!event->from)
                return true;                            // told already
        if (event->from != draft->made.from)
                return problem_add(reader->problems, node, "%s is from %s, and this communication from %s", event->name,
                                   event->from->name, draft->made.from->name);
        if (event->reader)
                return problem_add_code(reader->problems, node, ERROR_UNSUPPORTED,
                                        "%s is %s's already: several readers of one event are not supported yet", event->name,
                                        event->reader->name);
        if (draft->made.initially == MODEL_ASYNC && !event->version_count)
                return problem_add_code(reader->problems, node, ERROR_NOT_FOUND, "%s begins as async, and there is no %s",
                                        draft->made.name, event->schemas);
        event->reader = final;
        if (!event->read)
                event->read = draft->made.pull;
        draft->made.partitions = event->partitions;
        if (draft->made.kind == MODEL_DATA && event->capture_count && !event->body && !event->read)
                return problem_add(reader->problems, node,
                                   "the body of captured writes of %s is nowhere: give it \"body\" or \"read\", or "
                                   "this one \"pull\"",
                                   event->name);
        return true;
}

static bool check_headers(struct reader *reader, const struct communication_draft *draft) {
        const struct model_communication *made = &draft->made;
        for (size_t i = 0; i < made->header_count && made->recognises.header; i++)
                if (bytes_equal_ignore_case(bytes_of(made->headers[i]), bytes_of(made->recognises.header)))
                        return problem_add(reader->problems, yaml_get(draft->node, "headers"),
                                           "%s is the identity, which is carried anyway", made->headers[i]);
        return true;
}

static bool refuse_mode(struct reader *reader, const struct communication_draft *draft) {
        struct buffer CLEANUP(buffer_free) modes = {0};
        for (unsigned mode = 0; mode < MODEL_MODE_COUNT; mode++)
                if (draft->made.modes & 1u << mode)
                        buffer_print(&modes, "%s%s", modes.size ? " or " : "", model_mode_name((enum model_mode)mode));
        return problem_add(reader->problems, yaml_get(draft->node, "initially"), "expected %.*s, which is what %s has, got \"%s\"",
                           BYTES_PRINT(buffer_bytes(&modes)), draft->made.name, model_mode_name(draft->made.initially));
}

bool communication_finish(struct reader *reader, struct communication_draft *draft, const struct model_communication *final) {
        struct model_communication *made = &draft->made;
        if (draft->data.given == draft->functional.given)
                return problem_add(reader->problems, reader_place(draft->node),
                                   "expected one of the keys \"data\" and \"functional\"");
        made->kind = draft->data.given ? MODEL_DATA : MODEL_FUNCTIONAL;
        made->from = draft->data.given ? draft->data.from : draft->functional.from;
        made->to = draft->data.given ? draft->data.to : draft->functional.to;
        // An event that could not be read has been told of; what would be said beside it is guesswork.
        if (draft->async.node && (!draft->async.made.event->from || !draft->async.made.event->key_text))
                return false;
        bool good = made->kind == MODEL_DATA ? check_data(reader, draft) : check_functional(reader, draft);
        good &= check_headers(reader, draft);
        good &= check_variables_used(reader, draft);
        if (good && !(made->modes & 1u << made->initially))
                good = refuse_mode(reader, draft);
        if (!good || !draft->async.node)
                return good;
        struct model_async *async = arena_alloc(reader->arena, sizeof *async);
        *async = draft->async.made;
        made->async = async;
        return adopt_event(reader, draft, final);
}
