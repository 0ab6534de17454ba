// SPDX-License-Identifier: Apache-2.0
// The effective configuration as JSON: every key with the value that holds, defaults included, contracts by their SHA-256. Its
// canonical bytes are hashed: evidence of a migration carries the hash, so whatever could change what a gate has seen is in it.
// What is not in it: the path of the file, the content of tokens. The form is that of commute.yaml, normalised.
#include "model/model_priv.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "json/writer.h"

static void sha256(struct bytes input, uint8_t ret_digest[static MODEL_HASH_SIZE]) {
        unsigned size = 0;
        int done = EVP_Digest(input.data, input.size, ret_digest, &size, EVP_sha256(), NULL);
        ASSERT(done == 1 && size == MODEL_HASH_SIZE);
}

static void to_hex(const uint8_t digest[static MODEL_HASH_SIZE], char ret_text[static 2 * MODEL_HASH_SIZE + 1]) {
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < MODEL_HASH_SIZE; i++) {
                ret_text[2 * i] = digits[digest[i] >> 4];
                ret_text[2 * i + 1] = digits[digest[i] & 15];
        }
        ret_text[2 * MODEL_HASH_SIZE] = 0;
}

static void member_target(struct json_writer *writer, const char *key, const struct target *target) {
        if (target)
                json_member_text(writer, key, target_source(target));
}

static void member_pointer(struct json_writer *writer, const char *key, const struct json_pointer *pointer) {
        struct buffer CLEANUP(buffer_free) text = {0};
        for (size_t i = 0; i < pointer->count; i++)
                json_pointer_append(&text, pointer->tokens[i]);
        if (key)
                json_key(writer, key);
        json_string(writer, buffer_bytes(&text));
}

static void member_ms(struct json_writer *writer, const char *key, uint64_t ms) {
        json_key(writer, key);
        json_string_print(writer, "%lums", (unsigned long)ms);
}

static void member_template(struct json_writer *writer, const char *key, const struct template *template) {
        if (!template)
                return;
        json_key(writer, key);
        json_node(writer, template_source(template));
}

static void write_tuning(struct json_writer *writer, const struct model_tuning *tuning) {
        json_key(writer, "shadow");
        json_begin_object(writer);
        json_member_u64(writer, "messages", tuning->shadow_messages);
        json_member_u64(writer, "minutes", tuning->shadow_ms / 60000);
        json_end_object(writer);
        member_ms(writer, "deadline", tuning->deadline_ms);
        member_ms(writer, "settle", tuning->settle_ms);
        member_ms(writer, "timeout", tuning->timeout_ms);
        member_ms(writer, "identity_window", tuning->identity_window_ms);
        json_key(writer, "retry");
        json_begin_object(writer);
        member_ms(writer, "first", tuning->retry_first_ms);
        member_ms(writer, "longest", tuning->retry_longest_ms);
        json_end_object(writer);
        member_ms(writer, "reconcile", tuning->reconcile_ms);
        json_member_u64(writer, "in_flight", tuning->in_flight);
}

static void write_settings(struct json_writer *writer, const struct model_settings *settings) {
        json_key(writer, "listen");
        json_begin_object(writer);
        json_member_text(writer, "gateway", settings->gateway);
        json_member_text(writer, "registry", settings->registry);
        json_member_text(writer, "control", settings->control);
        json_end_object(writer);
        json_member_text(writer, "data", settings->data);
        json_member_u64(writer, "threads", settings->threads);
        json_key(writer, "limits");
        json_begin_object(writer);
        json_member_u64(writer, "max_body", settings->max_body);
        json_member_u64(writer, "max_head", settings->max_head);
        json_member_u64(writer, "max_response", settings->max_response);
        json_member_u64(writer, "max_connections", settings->max_connections);
        json_member_u64(writer, "max_upstream_connections", settings->max_upstream_connections);
        json_member_u64(writer, "max_upstream_queue", settings->max_upstream_queue);
        json_member_u64(writer, "max_backlog", settings->max_backlog);
        json_member_u64(writer, "max_registry", settings->max_registry);
        json_end_object(writer);
}

static void write_services(struct json_writer *writer, const struct model *model) {
        json_begin_object(writer);
        for (size_t i = 0; i < model->service_count; i++) {
                const struct model_service *service = &model->services[i];
                json_key(writer, service->name);
                json_begin_object(writer);
                json_member_text(writer, "url", service->url);
                if (service->bearer_file) {
                        json_key(writer, "auth");
                        json_begin_object(writer);
                        json_member_text(writer, "bearer_file", service->bearer_file);
                        json_end_object(writer);
                }
                if (service->resolve_count) {
                        json_key(writer, "resolves");
                        json_begin_array(writer);
                        for (size_t purpose = 0; purpose < service->resolve_count; purpose++)
                                json_string_text(writer, service->resolves[purpose]);
                        json_end_array(writer);
                        json_member_text(writer, "token_file", service->token_file);
                }
                json_end_object(writer);
        }
        json_end_object(writer);
}

static void write_contracts(struct json_writer *writer, const struct model_event *event) {
        json_begin_array(writer);
        for (size_t i = 0; i < event->version_count; i++) {
                uint8_t digest[MODEL_HASH_SIZE];
                char text[2 * MODEL_HASH_SIZE + 1];
                sha256(event->versions[i].source, digest);
                to_hex(digest, text);
                json_string_text(writer, text);
        }
        json_end_array(writer);
}

static void write_mapping(struct json_writer *writer, const char *key, const struct model *model,
                          const struct model_mapping *mapping) {
        if (!mapping)
                return;
        json_key(writer, key);
        if (mapping->template)
                json_node(writer, template_source(mapping->template));
        else
                json_string(writer, model->programs[mapping->program]);
}

static void write_versions(struct json_writer *writer, const struct model *model, const struct model_event *event) {
        json_member_u64(writer, "produces", event->produces);
        if (event->owner_stays)                 // not told where it is not so: the hash of earlier configurations stays
                json_member_text(writer, "owner", "stays");
        json_key(writer, "personal");
        json_begin_array(writer);
        for (size_t i = 0; i < event->personal_count; i++)
                member_pointer(writer, NULL, &event->personal[i]);
        json_end_array(writer);
        json_key(writer, "versions");
        json_begin_object(writer);
        for (size_t i = 1; i < event->version_count; i++) {
                const struct model_version *version = &event->versions[i];
                char number[24];
                snprintf(number, sizeof number, "%zu", i);
                json_key(writer, number);
                json_begin_object(writer);
                write_mapping(writer, "up", model, version->up);
                write_mapping(writer, "down", model, version->down);
                if (version->key_template)
                        member_template(writer, "key", version->key_template);
                else
                        json_member_text(writer, "key", version->key_text);
                json_end_object(writer);
        }
        json_end_object(writer);
}

static void write_event(struct json_writer *writer, const struct model *model, const struct model_event *event) {
        json_begin_object(writer);
        json_member_text(writer, "from", event->from->name);
        json_member_text(writer, "topic", event->topic);
        json_member_text(writer, "schemas", event->schemas);
        json_key(writer, "contracts");
        write_contracts(writer, event);
        json_member_text(writer, "key", event->key_text);
        write_versions(writer, model, event);
        json_key(writer, "capture");
        json_begin_array(writer);
        for (size_t i = 0; i < event->capture_count; i++)
                json_string_text(writer, target_source(event->captures[i]));
        json_end_array(writer);
        if (event->backfill) {
                json_key(writer, "backfill");
                json_begin_object(writer);
                member_target(writer, "call", event->backfill->call);
                member_pointer(writer, "items", &event->backfill->items);
                member_pointer(writer, "next", &event->backfill->next);
                json_member_text(writer, "start", event->backfill->start);
                json_end_object(writer);
        }
        member_template(writer, "body", event->body);
        member_target(writer, "read", event->read);
        json_member_u64(writer, "partitions", event->partitions);
        member_ms(writer, "retention", event->retention_ms);
        json_end_object(writer);
}

static void write_recognises(struct json_writer *writer, const struct model_recognises *recognises) {
        json_key(writer, "recognises");
        if (!recognises->header) {
                json_string_text(writer, "none");
                return;
        }
        json_begin_object(writer);
        json_member_text(writer, "header", recognises->header);
        if (recognises->replayed_name) {
                json_key(writer, "replayed");
                json_string_print(writer, "%s: %s", recognises->replayed_name, recognises->replayed_value);
        }
        member_target(writer, "probe", recognises->probe);
        json_end_object(writer);
}

static void write_forms(struct json_writer *writer, const struct model_async *async) {
        json_key(writer, "reads");
        json_begin_array(writer);
        for (size_t i = 0; i < async->read_count; i++)
                json_u64(writer, async->reads[i]);
        json_end_array(writer);
        json_key(writer, "versions");
        json_begin_object(writer);
        for (size_t i = 1; i < async->form_count; i++) {
                char number[24];
                snprintf(number, sizeof number, "%zu", i);
                json_key(writer, number);
                json_begin_object(writer);
                member_template(writer, "wrap", async->forms[i].wrap);
                member_template(writer, "unwrap", async->forms[i].unwrap);
                member_template(writer, "lookup", async->forms[i].lookup);
                json_end_object(writer);
        }
        json_end_object(writer);
}

static void write_async(struct json_writer *writer, const struct model_communication *communication) {
        const struct model_async *async = communication->async;
        json_key(writer, "async");
        json_begin_object(writer);
        json_member_text(writer, "event", async->event->name);
        if (communication->kind == MODEL_DATA)
                json_member_text(writer, "keep", async->keep_gateway ? "gateway" : communication->to->name);
        else
                json_member_u64(writer, "answer", async->answer);
        member_target(writer, "deliver", async->deliver.target);
        member_template(writer, "wrap", async->wrap);
        member_template(writer, "unwrap", async->unwrap);
        write_forms(writer, async);
        if (!async->keep_gateway)
                json_member_text(writer, "refusal", async->refusal == MODEL_DISCARD ? "discard" : "park");
        json_end_object(writer);
}

// `variables` as they came to be: those of deliver and push. A name that is in both comes from the same place.
static void write_variables(struct json_writer *writer, const struct model_communication *communication) {
        const struct model_delivery *const deliveries[] = {
                communication->async ? &communication->async->deliver : NULL, &communication->push};
        json_key(writer, "variables");
        json_begin_object(writer);
        for (size_t i = 0; i < ARRAY_SIZE(deliveries); i++) {
                const struct target *target = deliveries[i] ? deliveries[i]->target : NULL;
                for (size_t j = 0; target && j < target_variable_count(target); j++) {
                        struct bytes name = target_variable(target, j);
                        bool before = false;
                        for (size_t k = 0; i == 1 && deliveries[0] && deliveries[0]->target &&
                                           k < target_variable_count(deliveries[0]->target); k++)
                                before |= bytes_equal(target_variable(deliveries[0]->target, k), name);
                        if (before)
                                continue;
                        json_key_bytes(writer, name);
                        json_string_text(writer, deliveries[i]->variables[j].text);
                }
        }
        json_end_object(writer);
}

static void write_communication(struct json_writer *writer, const struct model_communication *communication) {
        json_begin_object(writer);
        json_key(writer, model_kind_name(communication->kind));
        json_string_print(writer, "%s -> %s", communication->from->name, communication->to->name);
        json_member_text(writer, "initially", model_mode_name(communication->initially));
        member_target(writer, "call", communication->call);
        if (communication->has_key && communication->kind == MODEL_FUNCTIONAL)
                json_member_text(writer, "key", communication->key.text);
        write_recognises(writer, &communication->recognises);
        if (communication->async)
                write_async(writer, communication);
        member_target(writer, "pull", communication->pull);
        member_target(writer, "push", communication->push.target);
        write_variables(writer, communication);
        json_key(writer, "headers");
        json_begin_array(writer);
        for (size_t i = 0; i < communication->header_count; i++)
                json_string_text(writer, communication->headers[i]);
        json_end_array(writer);
        json_key(writer, "may_differ");
        json_begin_array(writer);
        for (size_t i = 0; i < communication->may_differ_count; i++)
                member_pointer(writer, NULL, &communication->may_differ[i]);
        json_end_array(writer);
        write_tuning(writer, &communication->tuning);
        json_end_object(writer);
}

// The canonical form of what `text` holds, in the model's arena.
static struct bytes canonical(struct model_owned *model, struct bytes text) {
        struct arena CLEANUP(arena_free) scratch = {0};
        struct buffer CLEANUP(buffer_free) made = {0};
        const struct json *root;
        struct error error;
        bool good = json_parse(text, NULL, &scratch, &root, &error);
        ASSERT(good);                                   // we wrote it
        json_canonical(&made, root);
        return arena_copy(&model->arena, buffer_bytes(&made));
}

void model_seal(struct model_owned *owned, struct model_event *events, struct model_communication *communications) {
        struct model *model = &owned->public;
        struct buffer CLEANUP(buffer_free) text = {0};
        struct json_writer writer = {.buffer = &text};
        json_begin_object(&writer);
        write_settings(&writer, &model->settings);
        json_key(&writer, "defaults");
        json_begin_object(&writer);
        write_tuning(&writer, &model->defaults);
        json_end_object(&writer);
        json_key(&writer, "services");
        write_services(&writer, model);
        json_key(&writer, "events");
        json_begin_object(&writer);
        for (size_t i = 0; i < model->event_count; i++) {
                json_key(&writer, events[i].name);
                size_t begin = text.size;
                write_event(&writer, model, &events[i]);
                events[i].canonical = canonical(owned, (struct bytes){text.data + begin, text.size - begin});
        }
        json_end_object(&writer);
        json_key(&writer, "communications");
        json_begin_object(&writer);
        for (size_t i = 0; i < model->communication_count; i++) {
                json_key(&writer, communications[i].name);
                size_t begin = text.size;
                write_communication(&writer, &communications[i]);
                communications[i].canonical = canonical(owned, (struct bytes){text.data + begin, text.size - begin});
        }
        json_end_object(&writer);
        json_end_object(&writer);
        json_end(&writer);
        model->canonical = canonical(owned, buffer_bytes(&text));
        sha256(model->canonical, model->hash);
        to_hex(model->hash, model->hash_text);
}
