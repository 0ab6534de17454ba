// SPDX-License-Identifier: Apache-2.0
// Values of single references: a lane's key, a target's variables. Pure; what is given back is in the caller's arena or borrowed
// from the request. Any thread.
#include "model/reader_priv.h"

#include "json/number.h"

struct input_name {
        const char *name;
        enum template_input input;
};
static const struct input_name input_names[] = {
        {"$body", TEMPLATE_BODY}, {"$event", TEMPLATE_EVENT}, {"$path", TEMPLATE_PATH}, {"$query", TEMPLATE_QUERY}};

// "$body/task_id or $path/NAME", of what is allowed
static void expected_text(unsigned allowed, struct buffer *buffer) {
        for (size_t i = 0; i < ARRAY_SIZE(input_names); i++) {
                enum template_input input = input_names[i].input;
                if (!(allowed & 1u << input))
                        continue;
                buffer_print(buffer, "%s%s/%s", buffer->size ? " or " : "", input_names[i].name,
                             input == TEMPLATE_PATH || input == TEMPLATE_QUERY ? "NAME" : "POINTER");
        }
        buffer_append_byte(buffer, 0);
}

bool reference_parse(const char *text, unsigned allowed, struct arena *arena, struct model_reference *ret_reference,
                     struct error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(input_names); i++) {
                struct bytes name = bytes_of(input_names[i].name), whole = bytes_of(text);
                enum template_input input = input_names[i].input;
                if (!(allowed & 1u << input) || !bytes_starts_with(whole, name) || text[name.size] != '/')
                        continue;
                struct model_reference reference = {.input = input, .text = arena_text(arena, whole)};
                struct bytes rest = {text + name.size, whole.size - name.size};
                if (!json_pointer_parse(rest, arena, &reference.pointer, error))
                        return error_wrap(error, "%s", text);
                if (input == TEMPLATE_PATH || input == TEMPLATE_QUERY) {
                        if (reference.pointer.count != 1 || !reference.pointer.tokens[0].size)
                                return error_set(error, ERROR_INVALID, "expected %s/NAME, got \"%s\"", input_names[i].name, text);
                        reference.name = reference.pointer.tokens[0];
                }
                *ret_reference = reference;
                return true;
        }
        struct buffer CLEANUP(buffer_free) expected = {0};
        expected_text(allowed, &expected);
        return error_set(error, ERROR_INVALID, "expected %s, got \"%s\"", expected.data, text);
}

static bool node_value(const struct json *node, const char *text, struct arena *arena, struct bytes *ret_value,
                       struct error *error) {
        if (!node)
                return error_set(error, ERROR_REJECTED, "%s is not there", text);
        if (json_is(node, JSON_STRING)) {
                if (!json_text(node).size)
                        return error_set(error, ERROR_REJECTED, "%s is an empty string", text);
                *ret_value = json_text(node);
                return true;
        }
        if (!json_is(node, JSON_NUMBER))
                return error_set(error, ERROR_REJECTED, "%s: expected a string or a number, it is of type %s", text,
                                 json_type_name(json_type(node)));
        if (node->number == JSON_NUMBER_PLAIN && !bytes_equal(json_text(node), BYTES("-0"))) {
                *ret_value = json_text(node);           // digits, however many: no exponent in a URL
                return true;
        }
        struct buffer CLEANUP(buffer_free) number = {0};
        json_number_canonical(&number, json_text(node));
        *ret_value = arena_copy(arena, buffer_bytes(&number));
        return true;
}

static bool named(const struct named_value *values, size_t count, const struct model_reference *reference, struct bytes *ret_value,
                  struct error *error) {
        const struct named_value *found = NULL;
        for (size_t i = 0; i < count; i++) {
                if (!bytes_equal(values[i].name, reference->name))
                        continue;
                if (found)
                        return error_set(error, ERROR_REJECTED, "%s is there more than once", reference->text);
                found = &values[i];
        }
        if (!found || !found->value.size)
                return error_set(error, ERROR_REJECTED, "%s is %s", reference->text, found ? "empty" : "not there");
        *ret_value = found->value;
        return true;
}

bool model_reference_value(const struct model_reference *reference, const struct model_request *request, struct arena *arena,
                           struct bytes *ret_value, struct error *error) {
        if (reference->input == TEMPLATE_PATH)
                return named(request->path, request->path_count, reference, ret_value, error);
        if (reference->input == TEMPLATE_QUERY)
                return named(request->query, request->query_count, reference, ret_value, error);
        ASSERT(reference->input == TEMPLATE_BODY || reference->input == TEMPLATE_EVENT);
        const struct json *node = request->body ? json_pointer_resolve(&reference->pointer, request->body) : NULL;
        return node_value(node, reference->text, arena, ret_value, error);
}

static bool event_key(const struct model_event *event, unsigned version, const struct template_inputs *inputs,
                      struct arena *arena, struct bytes *ret_key, struct error *error) {
        if (version >= event->version_count)            // no contract yet: an event is what version 0 will be
                return node_value(json_pointer_resolve(&event->key, inputs->event), event->key_text, arena, ret_key, error);
        const struct model_version *of = &event->versions[version];
        if (!of->key_template)
                return node_value(json_pointer_resolve(&of->key, inputs->event), of->key_text, arena, ret_key, error);
        struct buffer CLEANUP(buffer_free) text = {0};
        const struct json *made;
        return template_render(of->key_template, inputs, &text, error) &&
               json_parse(arena_copy(arena, buffer_bytes(&text)), NULL, arena, &made, error) &&
               node_value(made, "what its template gives", arena, ret_key, error);
}

bool model_event_key(const struct model_event *event, unsigned version, const struct template_inputs *inputs, struct arena *arena,
                     struct bytes *ret_key, struct error *error) {
        return event_key(event, version, inputs, arena, ret_key, error) || error_wrap(error, "key of %s", event->name);
}

// ---- targets of deliveries ----

static bool is_key(const struct model_delivery *delivery, const struct model_reference *reference) {
        const struct json_pointer *key = &delivery->event->key, *pointer = &reference->pointer;
        if (pointer->count != key->count)
                return false;
        for (size_t i = 0; i < key->count; i++)
                if (!bytes_equal(pointer->tokens[i], key->tokens[i]))
                        return false;
        return true;
}

void reference_bound(struct model_delivery *delivery) {
        delivery->key_only = true;
        for (size_t i = 0; i < target_variable_count(delivery->target); i++)
                delivery->key_only = delivery->key_only && is_key(delivery, &delivery->variables[i]);
}

static bool variable_value(const struct model_delivery *delivery, size_t at, const struct model_delivered *delivered, struct arena *arena,
                           struct bytes *ret_value, struct error *error) {
        const struct model_reference *reference = &delivery->variables[at];
        struct model_request request = {.body = delivered->inputs->event};
        if (delivered->version && is_key(delivery, reference))
                return model_event_key(delivery->event, delivered->version, delivered->inputs, arena, ret_value, error);
        if (model_reference_value(reference, &request, arena, ret_value, error))
                return true;
        request.body = delivered->old;
        return delivered->old && model_reference_value(reference, &request, arena, ret_value, error);
}

bool model_delivery_render(const struct model_delivery *delivery, const struct model_delivered *delivered, struct arena *arena,
                           struct buffer *buffer, struct error *error) {
        struct named_value values[TARGET_VARIABLES_MAX];
        size_t count = target_variable_count(delivery->target);
        for (size_t i = 0; i < count; i++) {
                values[i].name = target_variable(delivery->target, i);
                if (!variable_value(delivery, i, delivered, arena, &values[i].value, error))
                        return error_wrap(error, "%s", target_source(delivery->target));
        }
        return target_render(delivery->target, values, count, buffer, error);
}

bool model_delivery_wants_old(const struct model_delivery *delivery, unsigned version, const struct json *event, struct arena *arena) {
        struct model_request request = {.body = event};
        struct bytes value;
        for (size_t i = 0; version && !delivery->key_only && i < target_variable_count(delivery->target); i++)
                if (!is_key(delivery, &delivery->variables[i]) &&
                    !model_reference_value(&delivery->variables[i], &request, arena, &value, NULL))
                        return true;
        return false;
}

const char *model_delivery_lacks(const struct model_delivery *delivery, unsigned version) {
        const struct model_event *event = delivery->event;
        if (!version || version >= event->version_count || model_way(event, version, 0, NULL))
                return NULL;
        for (size_t i = 0; !delivery->key_only && i < target_variable_count(delivery->target); i++)
                if (!is_key(delivery, &delivery->variables[i]) &&
                    !contract_names(event->versions[version].source, &delivery->variables[i].pointer))
                        return delivery->variables[i].text;
        return NULL;
}
