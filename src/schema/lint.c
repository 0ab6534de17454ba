// SPDX-License-Identifier: Apache-2.0
// Finds mistakes in a schema that compiles. One walk over the document's subschemas, each of which every rule looks at:
//
//      never-matches     nothing can be valid here: min > max, an enum without a value of the type, allOf with false, …
//      unknown-keyword   neither of the draft nor beginning with x-
//      ignored           what the draft does not look at: beside $ref up to draft 7
//      without-effect    a keyword of strings where the type is integer, minContains without contains, …
//      unreachable       a branch that another one makes superfluous, or that nothing can take
//      not-a-property    a name in required that the closed object does not have
//      duplicate         equal values in enum, equal branches
//      wrong-value       a default, example or enum value that its own schema refuses
//      unknown-format    a format that the draft does not have
//      unused            a definition that nothing refers to
#include "schema/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/pointer.h"
#include "schema/lint_priv.h"

static lint_rule *const rules[] = {
        lint_unknown, lint_ignored, lint_limits, lint_required, lint_without_effect, lint_branches, lint_conditions, lint_enum,
        lint_values, lint_format,
};

void lint_find(struct lint *lint, const char *rule, const struct json *at, const char *format, ...) {
        CLEANUP(buffer_free) struct buffer path = {0};
        char sentence[ERROR_TEXT_MAX];
        va_list arguments;
        if (lint->count == SCHEMA_FINDINGS_MAX)
                return;
        va_start(arguments, format);
        vsnprintf(sentence, sizeof sentence, format, arguments);
        va_end(arguments);
        json_pointer_of(&path, lint->root, at);
        lint->findings[lint->count++] = (struct schema_finding){
                rule, arena_text(lint->arena, buffer_bytes(&path)), arena_text(lint->arena, bytes_of(sentence)),
                json_position(lint->source, json_offset(at)),
        };
}

bool lint_allows_type(const struct json *schema, struct bytes type) {
        const struct json *types = json_get_text(schema, "type");
        if (!types)
                return true;
        if (json_is(types, JSON_STRING))
                return bytes_equal(json_text(types), type);
        JSON_FOR_EACH(one, types)
                if (bytes_equal(json_text(one), type))
                        return true;
        return false;
}

static void walk(struct lint *lint, const struct json *schema);

static void walk_below(struct lint *lint, const struct json *value, enum shape shape) {
        if (shape == SHAPE_ONE || (shape == SHAPE_ONE_OR_LIST && !json_is(value, JSON_ARRAY))) {
                walk(lint, value);
        } else if (shape == SHAPE_MAP && json_is(value, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, one, value)
                        walk(lint, one);
        } else if (shape != SHAPE_NONE && json_is(value, JSON_ARRAY)) {
                JSON_FOR_EACH(one, value)
                        walk(lint, one);
        }
}

// The depth is bounded by that of the document.
static void walk(struct lint *lint, const struct json *schema) {
        if (!json_is(schema, JSON_OBJECT))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                rules[i](lint, schema);
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                const struct keyword *keyword = keyword_find(json_text(key), &lint->dialect);
                if (keyword)
                        walk_below(lint, value, (enum shape)keyword->shape);
                else if (bytes_equal(json_text(key), BYTES("$defs")))           // is none up to draft 7, but what people refer to
                        walk_below(lint, value, SHAPE_MAP);
        }
}

// Whether any string of the document's references ends in the pointer, or leads below it.
static bool is_referred_to(const struct json *root, struct bytes pointer) {
        for (const struct json *node = root; node < json_next(root); node++) {
                if (!json_is(node, JSON_STRING))
                        continue;
                struct bytes text = json_text(node);
                const char *hash = text.size ? memchr(text.data, '#', text.size) : NULL;
                if (!hash)
                        continue;
                struct bytes fragment = {hash + 1, text.size - (size_t)(hash + 1 - text.data)};
                if (bytes_starts_with(fragment, pointer) && (fragment.size == pointer.size || fragment.data[pointer.size] == '/'))
                        return true;
        }
        return false;
}

static bool has_name(const struct json *schema) {
        static const char *const names[] = {"$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (json_get_text(schema, names[i]))
                        return true;
        return false;
}

static void find_unused(struct lint *lint, const char *keyword) {
        const struct json *definitions = json_get_text(lint->root, keyword);
        if (!json_is(definitions, JSON_OBJECT))
                return;
        JSON_FOR_EACH_MEMBER(key, value, definitions) {
                CLEANUP(buffer_free) struct buffer pointer = {0};
                json_pointer_of(&pointer, lint->root, value);
                // A name that a URI has to escape is left alone.
                bool plain = true;
                for (size_t i = 0; i < pointer.size; i++)
                        plain &= pointer.data[i] > ' ' && pointer.data[i] < 0x7F && !strchr("\"<>\\^`{|}%", pointer.data[i]);
                if (plain && !has_name(value) && !is_referred_to(lint->root, buffer_bytes(&pointer)))
                        lint_find(lint, "unused", value, "nothing in this document refers to the definition \"%.*s\"",
                                  BYTES_PRINT(json_text(key)));
        }
}

static enum schema_draft draft_of(const struct json *root, enum schema_draft draft) {
        static const struct { const char *name; enum schema_draft draft; } drafts[] = {
                {"draft-04/", SCHEMA_DRAFT_4}, {"draft-06/", SCHEMA_DRAFT_6}, {"draft-07/", SCHEMA_DRAFT_7},
                {"draft/2019-09/", SCHEMA_DRAFT_2019_09}, {"draft/2020-12/", SCHEMA_DRAFT_2020_12},
        };
        const struct json *dialect = json_get_text(root, "$schema");
        for (size_t i = 0; json_is(dialect, JSON_STRING) && i < ARRAY_SIZE(drafts); i++)
                if (memmem(json_text(dialect).data, json_text(dialect).size, drafts[i].name, strlen(drafts[i].name)))
                        return drafts[i].draft;
        return draft;
}

static int by_place(const void *left, const void *right) {
        const struct schema_finding *a = left, *b = right;
        return (a->position.offset > b->position.offset) - (a->position.offset < b->position.offset);
}

bool schema_lint(struct bytes source, const struct schema_options *options, struct arena *arena,
                 struct schema_finding **ret_findings, size_t *ret_count, struct error *error) {
        static const struct schema_options none = {.draft = SCHEMA_DRAFT_2020_12};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        struct schema *schema = NULL;
        struct lint lint = {.arena = arena, .options = options ? options : &none, .checks = SCHEMA_LINT_CHECKS_MAX};
        if (!schema_compile(source, options, &schema, error))
                return false;
        schema_free(schema);
        lint.source = arena_copy(arena, source);
        if (!json_parse(lint.source, &limits, arena, &lint.root, error))
                return false;
        lint.dialect = (struct dialect){draft_of(lint.root, lint.options->draft), VOCABULARY_ALL};
        lint.findings = arena_alloc(arena, SCHEMA_FINDINGS_MAX * sizeof *lint.findings);
        walk(&lint, lint.root);
        find_unused(&lint, "$defs");
        find_unused(&lint, "definitions");
        if (lint.count)
                qsort(lint.findings, lint.count, sizeof *lint.findings, by_place);
        *ret_findings = lint.findings;
        *ret_count = lint.count;
        return true;
}
