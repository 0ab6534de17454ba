// SPDX-License-Identifier: Apache-2.0
// The input is three lines: a template, a body, a target. What is rendered is JSON; what a target renders matches it again.
#include "base/pseudonym.h"
#include "json/target.h"
#include "json/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes line(struct bytes *rest) {
        const char *end = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
        struct bytes piece = {rest->data, end ? (size_t)(end - rest->data) : rest->size};
        *rest = (struct bytes){rest->data + piece.size + (end != NULL), rest->size - piece.size - (end != NULL)};
        return piece;
}

static void fuzz_target(struct bytes source, struct bytes value, struct arena *arena) {
        struct target *target;
        if (!target_compile(source, &target, NULL))
                return;
        CLEANUP(buffer_free) struct buffer text = {0};
        struct named_value values[TARGET_VARIABLES_MAX], found[TARGET_VARIABLES_MAX];
        size_t count = target_variable_count(target);
        for (size_t i = 0; i < count; i++)
                values[i] = (struct named_value){target_variable(target, i), value};
        if (target_render(target, values, count, &text, NULL)) {
                const char *query = memchr(text.data, '?', text.size);
                size_t path = query ? (size_t)(query - text.data) : text.size;
                struct bytes behind = query ? (struct bytes){query + 1, text.size - path - 1} : (struct bytes){0};
                ASSERT(target_match(target, bytes_of(target_method(target)), (struct bytes){text.data, path}, behind, arena, found,
                                    NULL) == TARGET_MATCHES);
                for (size_t i = 0; i < count; i++)
                        ASSERT(bytes_equal(found[i].value, value));
        }
        target_free(target);
}

static bool make(void *user, struct bytes purpose, struct bytes value, struct buffer *out, struct error *error) {
        size_t before = out->size;
        if (!pseudonym_make(user, purpose, value, out, error))
                return false;
        CLEANUP(buffer_free) struct buffer back = {0};
        ASSERT(pseudonym_resolve(user, purpose, (struct bytes){out->data + before, out->size - before}, &back, NULL));
        ASSERT(bytes_equal(buffer_bytes(&back), value));
        return true;
}

static bool resolve(void *user, struct bytes purpose, struct bytes text, struct buffer *out, struct error *error) {
        return pseudonym_resolve(user, purpose, text, out, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(buffer_free) struct buffer text = {0};
        struct bytes rest = {(const char *)data, size};
        if (size == 0)
                return 0;
        struct bytes source = line(&rest), body = line(&rest), target = line(&rest);
        const struct json *root, *document = NULL, *rendered;
        struct template *template;
        fuzz_target(target, body, &arena);
        if (!json_parse(source, NULL, &arena, &root, NULL) || !template_compile(root, &template, NULL))
                return 0;
        if (!json_parse(body, NULL, &arena, &document, NULL))
                document = NULL;
        static const uint8_t key[PSEUDONYM_KEY_SIZE] = {7};
        struct pseudonyms *pseudonyms = pseudonyms_new(key);
        struct template_pseudonyms operations = {make, resolve, pseudonyms};
        struct template_inputs inputs = {.pseudonyms = &operations, .body = document, .event = document, .sequence = 7,
                                         .has_sequence = true, .id = body};
        struct json_limits limits = {.depth = JSON_DEPTH_MAX};
        if (template_render(template, &inputs, &text, NULL))
                ASSERT(json_parse(buffer_bytes(&text), &limits, &arena, &rendered, NULL));
        template_free(template);
        pseudonyms_free(pseudonyms);
        return 0;
}
