// SPDX-License-Identifier: Apache-2.0
// A template keeps its own copy of the source and a list of the references in it, in document order; rendering walks the copy and
// takes the next reference at each string that starts with `$`.
#include "json/template.h"

#include <stdlib.h>

#include "json/pointer.h"
#include "json/writer.h"

struct reference {
        struct template_reference shown;
        struct json_pointer pointer;            // behind the input's name
};

struct template {
        struct arena arena;
        const struct json *root;
        struct reference *references;
        size_t count;
        unsigned inputs;
};

static const char *const input_names[] = {"body", "event", "response", "path", "query", "sequence", "id", "now"};

// A string that means something: not "$$…", which is literal.
static bool is_dollar(const struct json *node) {
        return json_is(node, JSON_STRING) && node->count > 0 && node->text[0] == '$';
}

static bool is_reference(const struct json *node) {
        return is_dollar(node) && !(node->count > 1 && node->text[1] == '$');
}

// ---- pseudonyms ----

static const char *const operation_names[] = {"$pseudonym", "$resolve"};

bool template_is_purpose(struct bytes name) {
        bool good = name.size > 0 && name.size <= TEMPLATE_PURPOSE_MAX;
        for (size_t i = 0; i < name.size && good; i++)
                good = name.data[i] && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", name.data[i]);
        return good;
}

// The place of the operation among the names if the object has one as a member; else ARRAY_SIZE(operation_names).
static size_t operation_of(const struct json *object) {
        size_t i = 0;
        while (i < ARRAY_SIZE(operation_names) && !json_get_text(object, operation_names[i]))
                i++;
        return i;
}

static const struct json *operation_value(const struct json *object) {
        size_t i = operation_of(object);
        return i < ARRAY_SIZE(operation_names) ? json_get_text(object, operation_names[i]) : NULL;
}

static bool compile_reference(struct template *template, const struct json *node, struct error *error);

static bool misplaced(const struct template *template, const struct json *node, const char *what, struct error *error) {
        CLEANUP(buffer_free) struct buffer place = {0};
        json_pointer_of(&place, template->root, node);
        return error_set(error, ERROR_INVALID, "template, at \"%.*s\": %s", BYTES_PRINT(buffer_bytes(&place)), what);
}

static bool compile_operation(struct template *template, const struct json *object, struct error *error) {
        size_t operation = operation_of(object);
        const struct json *value = operation_value(object), *purpose = json_get_text(value, "purpose"), *of = json_get_text(value, "of");
        if (json_count(object) != 1)
                return misplaced(template, object, "$pseudonym and $resolve stand alone in their object", error);
        if (!json_is(value, JSON_OBJECT) || json_count(value) != 2 || !purpose || !of)
                return misplaced(template, value, "expected {purpose: NAME, of: REFERENCE}", error);
        if (!json_is(purpose, JSON_STRING) || !template_is_purpose(json_text(purpose)))
                return misplaced(template, purpose, "expected a purpose: 1 to 64 letters, digits, . _ and -", error);
        if (!is_reference(of))
                return misplaced(template, of, "expected a reference, as $body/manager_id", error);
        if (!compile_reference(template, of, error))
                return false;
        struct template_reference *shown = &template->references[template->count - 1].shown;
        shown->purpose = arena_text(&template->arena, json_text(purpose));
        shown->resolve = operation == 1;
        return true;
}

// ---- members that may be missing ----

static const struct json *optional_value(const struct json *node) {
        return json_is(node, JSON_OBJECT) ? json_get_text(node, "$optional") : NULL;
}

static bool compile_optional(struct template *template, const struct json *object, struct error *error) {
        const struct json *value = optional_value(object);
        if (json_count(object) != 1)
                return misplaced(template, object, "$optional stands alone in its object", error);
        if (!is_reference(value))
                return misplaced(template, value, "expected a reference, as $event/created_at", error);
        if (!compile_reference(template, value, error))
                return false;
        struct template_reference *shown = &template->references[template->count - 1].shown;
        if (shown->input != TEMPLATE_BODY && shown->input != TEMPLATE_EVENT && shown->input != TEMPLATE_RESPONSE)
                return misplaced(template, value, "$optional is for values of $body, $event and $response", error);
        shown->optional = true;
        return true;
}

// ---- compile ----

static bool check_steps(const struct reference *reference, const char *place, struct error *error) {
        enum template_input input = reference->shown.input;
        size_t steps = reference->pointer.count;
        bool named = input == TEMPLATE_PATH || input == TEMPLATE_QUERY;
        bool scalar = input == TEMPLATE_SEQUENCE || input == TEMPLATE_ID || input == TEMPLATE_NOW;
        if (named && (steps != 1 || reference->pointer.tokens[0].size == 0))
                return error_set(error, ERROR_INVALID, "template, at \"%s\": %s: expected $%s/NAME", place, reference->shown.text,
                                 input_names[input]);
        if (scalar && steps != 0)
                return error_set(error, ERROR_INVALID, "template, at \"%s\": %s: expected $%s and nothing behind it", place,
                                 reference->shown.text, input_names[input]);
        return true;
}

static bool compile_reference(struct template *template, const struct json *node, struct error *error) {
        if (template->count == TEMPLATE_REFERENCES_MAX)
                return error_set(error, ERROR_LIMIT, "template: more than %d references", TEMPLATE_REFERENCES_MAX);
        CLEANUP(buffer_free) struct buffer place = {0};
        json_pointer_of(&place, template->root, node);
        struct reference *reference = &template->references[template->count];
        struct bytes text = json_text(node), name = {text.data + 1, 0};
        reference->shown.text = arena_text(&template->arena, text);
        reference->shown.place = arena_text(&template->arena, buffer_bytes(&place));
        while (name.size + 1 < text.size && name.data[name.size] != '/')
                name.size++;
        size_t input = 0;
        while (input < ARRAY_SIZE(input_names) && !bytes_equal(bytes_of(input_names[input]), name))
                input++;
        if (input == ARRAY_SIZE(input_names))
                return error_set(error, ERROR_INVALID,
                        "template, at \"%s\": %s is no reference; expected $body, $event, $response, "
                                 "$path/NAME, $query/NAME, $sequence, $id or $now, or $$ for a literal dollar sign",
                                 reference->shown.place, reference->shown.text);
        reference->shown.input = (enum template_input)input;
        struct bytes pointer = {name.data + name.size, text.size - 1 - name.size};
        if (!json_pointer_parse(pointer, &template->arena, &reference->pointer, error))
                return error_wrap(error, "template, at \"%s\": %s", reference->shown.place, reference->shown.text);
        if (!check_steps(reference, reference->shown.place, error))
                return false;
        if (input == TEMPLATE_PATH || input == TEMPLATE_QUERY)
                reference->shown.name = reference->pointer.tokens[0];
        template->inputs |= 1u << input;
        template->count++;
        return true;
}

static bool compile(struct template *template, const struct json *source, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, source);
        struct json_limits limits = {.depth = JSON_DEPTH_MAX};
        if (!json_parse(arena_copy(&template->arena, buffer_bytes(&text)), &limits, &template->arena, &template->root, error))
                return error_wrap(error, "template");
        size_t references = 0;
        for (const struct json *node = template->root; node < json_next(template->root); node++)
                references += is_reference(node);
        references = MIN(references, (size_t)TEMPLATE_REFERENCES_MAX);
        template->references = arena_alloc(&template->arena, (references + 1) * sizeof *template->references);
        return true;
}

// References are looked for in values only: keys are literal.
static bool compile_value(struct template *template, const struct json *node, struct error *error) {
        if (optional_value(node)) {
                return misplaced(template, node, "$optional is for members of an object", error);
        } else if (json_is(node, JSON_OBJECT) && operation_value(node)) {
                return compile_operation(template, node, error);
        } else if (json_is(node, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, node)
                        if (!(optional_value(value) ? compile_optional : compile_value)(template, value, error))
                                return false;
        } else if (json_is(node, JSON_ARRAY)) {
                JSON_FOR_EACH(element, node)
                        if (!compile_value(template, element, error))
                                return false;
        } else if (is_reference(node)) {
                return compile_reference(template, node, error);
        }
        return true;
}

bool template_compile(const struct json *source, struct template **ret_template, struct error *error) {
        struct template *template = must_calloc(1, sizeof *template);
        if (!compile(template, source, error) || !compile_value(template, template->root, error)) {
                template_free(template);
                return false;
        }
        *ret_template = template;
        return true;
}

void template_free(struct template *template) {
        if (!template)
                return;
        arena_free(&template->arena);
        free(template);
}

struct rendering {
        const struct template *template;
        const struct template_inputs *inputs;
        struct json_writer writer;
        size_t next;                            // reference
        struct error *error;
};

static bool leads_nowhere(const struct rendering *rendering, const struct reference *reference, const char *why) {
        return error_set(rendering->error, ERROR_REJECTED, "template, at \"%s\": %s: %s", reference->shown.place,
                         reference->shown.text, why);
}

static const struct json *document_of(const struct rendering *rendering, const struct reference *reference) {
        const struct json *const documents[] = {rendering->inputs->body, rendering->inputs->event, rendering->inputs->response};
        return documents[reference->shown.input];
}

static bool render_document(struct rendering *rendering, const struct reference *reference) {
        const struct json *document = document_of(rendering, reference);
        if (!document)
                return leads_nowhere(rendering, reference, reference->shown.input == TEMPLATE_BODY
                                     ? "there is no body" : "there is no such document here");
        const struct json *node = json_pointer_resolve(&reference->pointer, document);
        if (!node)
                return leads_nowhere(rendering, reference, "the document has no such value");
        json_node(&rendering->writer, node);
        return true;
}

static bool render_named(struct rendering *rendering, const struct reference *reference) {
        bool path = reference->shown.input == TEMPLATE_PATH;
        const struct named_value *values = path ? rendering->inputs->path : rendering->inputs->query;
        size_t count = path ? rendering->inputs->path_count : rendering->inputs->query_count;
        const struct named_value *found = NULL;
        for (size_t i = 0; i < count; i++) {
                if (!bytes_equal(values[i].name, reference->shown.name))
                        continue;
                if (found)
                        return leads_nowhere(rendering, reference, "it is given more than once");
                found = &values[i];
        }
        if (!found)
                return leads_nowhere(rendering, reference,
                        path ? "the path has no such variable" : "the query has no such parameter");
        json_string(&rendering->writer, found->value);
        return true;
}

static bool render_reference(struct rendering *rendering, const struct reference *reference) {
        const struct template_inputs *inputs = rendering->inputs;
        switch (reference->shown.input) {
        case TEMPLATE_BODY:
        case TEMPLATE_EVENT:
        case TEMPLATE_RESPONSE:
                return render_document(rendering, reference);
        case TEMPLATE_PATH:
        case TEMPLATE_QUERY:
                return render_named(rendering, reference);
        case TEMPLATE_SEQUENCE:
                if (!inputs->has_sequence)
                        return leads_nowhere(rendering, reference, "there is no sequence here");
                json_u64(&rendering->writer, inputs->sequence);
                return true;
        case TEMPLATE_ID:
        case TEMPLATE_NOW:
        default: {
                struct bytes value = reference->shown.input == TEMPLATE_ID ? inputs->id : inputs->now;
                if (!value.data)
                        return leads_nowhere(rendering, reference, "it is not known here");
                json_string(&rendering->writer, value);
                return true;
        }
        }
}

// The pseudonym of the reference's value, or the value of its pseudonym. What is wrong is told without the value.
static bool render_operation(struct rendering *rendering, const struct reference *reference) {
        const struct template_pseudonyms *pseudonyms = rendering->inputs->pseudonyms;
        const char *name = operation_names[reference->shown.resolve];
        if (!pseudonyms)
                return error_set(rendering->error, ERROR_UNSUPPORTED, "template, at \"%s\": there are no pseudonyms here",
                                 reference->shown.place);
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer out = {0};
        CLEANUP(arena_free) struct arena arena = {0};
        struct rendering inner = {.template = rendering->template, .inputs = rendering->inputs, .writer = {.buffer = &text},
                                  .error = rendering->error};
        const struct json *value;
        if (!render_reference(&inner, reference) ||
            !json_parse(buffer_bytes(&text), &(struct json_limits){.depth = JSON_DEPTH_MAX}, &arena, &value, rendering->error))
                return false;
        struct bytes purpose = bytes_of(reference->shown.purpose);
        CLEANUP(buffer_free) struct buffer canonical = {0};
        json_canonical(&canonical, value);
        if (reference->shown.resolve && !json_is(value, JSON_STRING))
                return leads_nowhere(rendering, reference, "it is no pseudonym: a pseudonym is a string");
        if (!(reference->shown.resolve ? pseudonyms->resolve(pseudonyms->user, purpose, json_text(value), &out, rendering->error)
                                       : pseudonyms->pseudonym(pseudonyms->user, purpose, buffer_bytes(&canonical), &out,
                                                               rendering->error)))
                return error_wrap(rendering->error, "template, at \"%s\": %s", reference->shown.place, name);
        if (reference->shown.resolve)
                json_raw(&rendering->writer, buffer_bytes(&out));
        else
                json_string(&rendering->writer, buffer_bytes(&out));
        return true;
}

static bool render(struct rendering *rendering, const struct json *node);

// A member, or nothing where its optional value is not there.
static bool render_member(struct rendering *rendering, const struct json *key, const struct json *value) {
        bool optional = optional_value(value);
        if (optional) {
                ASSERT(rendering->next < rendering->template->count);
                const struct reference *reference = &rendering->template->references[rendering->next];
                const struct json *document = document_of(rendering, reference);
                if (document && !json_pointer_resolve(&reference->pointer, document)) {
                        rendering->next++;
                        return true;
                }
        }
        json_key_bytes(&rendering->writer, json_text(key));
        return optional ? render_reference(rendering, &rendering->template->references[rendering->next++]) : render(rendering, value);
}

static bool render(struct rendering *rendering, const struct json *node) {
        if (json_is(node, JSON_OBJECT) && operation_value(node)) {
                ASSERT(rendering->next < rendering->template->count);
                return render_operation(rendering, &rendering->template->references[rendering->next++]);
        } else if (json_is(node, JSON_OBJECT)) {
                json_begin_object(&rendering->writer);
                JSON_FOR_EACH_MEMBER(key, value, node)
                        if (!render_member(rendering, key, value))
                                return false;
                json_end_object(&rendering->writer);
        } else if (json_is(node, JSON_ARRAY)) {
                json_begin_array(&rendering->writer);
                JSON_FOR_EACH(element, node)
                        if (!render(rendering, element))
                                return false;
                json_end_array(&rendering->writer);
        } else if (is_reference(node)) {
                ASSERT(rendering->next < rendering->template->count);
                return render_reference(rendering, &rendering->template->references[rendering->next++]);
        } else if (is_dollar(node)) {
                struct bytes text = json_text(node);
                json_string(&rendering->writer, (struct bytes){text.data + 1, text.size - 1});
        } else {
                json_node(&rendering->writer, node);
        }
        return true;
}

bool template_render(const struct template *template, const struct template_inputs *inputs, struct buffer *buffer,
                     struct error *error) {
        size_t before = buffer->size;
        struct rendering rendering = {.template = template, .inputs = inputs, .writer = {.buffer = buffer}, .error = error};
        if (!render(&rendering, template->root)) {
                buffer->size = before;
                return false;
        }
        json_end(&rendering.writer);
        ASSERT(rendering.next == template->count);
        return true;
}

const struct json *template_source(const struct template *template) {
        return template->root;
}

unsigned template_references(const struct template *template) {
        return template->inputs;
}

size_t template_reference_count(const struct template *template) {
        return template->count;
}

struct template_reference template_reference_at(const struct template *template, size_t index) {
        ASSERT(index < template->count);
        return template->references[index].shown;
}
