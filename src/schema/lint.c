// SPDX-License-Identifier: Apache-2.0
// Finds mistakes in a schema that compiles. One walk over the document's subschemas, each of which every rule looks at:
//
//      meta-schema       what the draft's own meta-schema refuses
//      never-matches     nothing can be valid here: min > max, an enum without a value of the type, allOf with false, … or a proof
//      unknown-keyword   neither of the draft nor beginning with x-
//      ignored           what the draft does not look at: beside $ref up to draft 7
//      without-effect    a keyword of strings where the type is integer, minContains without contains, …
//      unreachable       a branch that another one makes superfluous, or that nothing can take
//      not-a-property    a name in required that properties does not have
//      duplicate         equal values in enum, equal branches
//      wrong-value       a default, example or enum value that its own schema refuses
//      unknown-format    a format that the draft does not have
//      unused            a definition that nothing refers to
//
// A finding is true, or it is not made: where it would take more than the document to know, nothing is said.
#include "schema/lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/number.h"
#include "json/pointer.h"
#include "schema/compatible.h"
#include "schema/lint_priv.h"

static lint_rule *const rules[] = {
        lint_unknown, lint_limits, lint_patterns, lint_required, lint_closed, lint_without_effect, lint_branches, lint_conditions,
        lint_enum, lint_values, lint_format,
};

void lint_find(struct lint *lint, const char *rule, const struct json *at, const char *format, ...) {
        CLEANUP(buffer_free) struct buffer path = {0};
        char sentence[ERROR_TEXT_MAX];
        va_list arguments;
        lint->never += strcmp(rule, "never-matches") == 0;
        if (lint->count == SCHEMA_FINDINGS_MAX)
                return;
        va_start(arguments, format);
        vsnprintf(sentence, sizeof sentence, format, arguments);
        va_end(arguments);
        json_pointer_of(&path, lint->root, at);
        lint->findings[lint->count++] = (struct schema_finding){
                rule, arena_text(lint->arena, buffer_bytes(&path)), arena_text(lint->arena, bytes_of(sentence)),
                {.offset = json_offset(at)},
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

// In draft 4 an integer is a number without fraction and exponent, later one whose value is whole.
bool lint_is_of_type(const struct lint *lint, const struct json *value, const struct json *schema) {
        if (!keyword_find(BYTES("type"), &lint->dialect) || lint_allows_type(schema, bytes_of(json_type_name(json_type(value)))))
                return true;
        return json_is(value, JSON_NUMBER) && lint_allows_type(schema, BYTES("integer")) &&
               (value->number == JSON_NUMBER_PLAIN ||
                (lint->dialect.draft != SCHEMA_DRAFT_4 && json_number_is_integer(json_text(value))));
}

static int by_value(const void *left, const void *right) {
        const struct json *a = *(const struct json *const *)left, *b = *(const struct json *const *)right;
        int order = json_compare(a, b);
        return order ? order : (a > b) - (a < b);
}

void lint_duplicates(struct lint *lint, const struct json *list, const char *sentence) {
        size_t count = 0;
        if (json_count(list) < 2)
                return;
        const struct json **sorted = arena_alloc(lint->arena, json_count(list) * sizeof *sorted);
        JSON_FOR_EACH(value, list)
                sorted[count++] = value;
        qsort(sorted, count, sizeof *sorted, by_value);
        for (size_t i = 1; i < count; i++)
                if (json_equal(sorted[i - 1], sorted[i]))
                        lint_find(lint, "duplicate", sorted[i], "%s", sentence);
}

static void walk(struct lint *lint, const struct json *schema, bool beside);

static void walk_below(struct lint *lint, const struct json *value, enum shape shape, bool beside) {
        if (shape == SHAPE_ONE || (shape == SHAPE_ONE_OR_LIST && !json_is(value, JSON_ARRAY))) {
                walk(lint, value, beside);
        } else if (shape == SHAPE_MAP && json_is(value, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, one, value)
                        walk(lint, one, beside);
        } else if (shape != SHAPE_NONE && json_is(value, JSON_ARRAY)) {
                JSON_FOR_EACH(one, value)
                        walk(lint, one, beside);
        }
}

// Whether its subschemas are about the same value as the schema.
static bool is_branch(struct bytes keyword) {
        static const char *const names[] = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (bytes_equal(bytes_of(names[i]), keyword))
                        return true;
        return false;
}

// A definition may be used beside anything: what only a schema that stands alone would tell is not said of it.
static bool is_definitions(struct bytes keyword) {
        return bytes_equal(keyword, BYTES("$defs")) || bytes_equal(keyword, BYTES("definitions"));
}

static bool find_draft(const struct json *schema, struct dialect *dialect) {
        static const struct { const char *name; enum schema_draft draft; } drafts[] = {
                {"http://json-schema.org/draft-04/schema", SCHEMA_DRAFT_4}, {"http://json-schema.org/draft-06/schema", SCHEMA_DRAFT_6},
                {"http://json-schema.org/draft-07/schema", SCHEMA_DRAFT_7},
                {"https://json-schema.org/draft/2019-09/schema", SCHEMA_DRAFT_2019_09},
                {"https://json-schema.org/draft/2020-12/schema", SCHEMA_DRAFT_2020_12},
        };
        struct bytes uri = json_text(json_get_text(schema, "$schema"));
        uri.size -= uri.size && uri.data[uri.size - 1] == '#';
        for (size_t i = 0; i < ARRAY_SIZE(drafts); i++) {
                if (bytes_equal(bytes_of(drafts[i].name), uri)) {
                        *dialect = (struct dialect){drafts[i].draft, VOCABULARY_ALL};
                        return true;
                }
        }
        return false;
}

// A resource may be of another draft than what is around it. False: of a dialect that only its meta-schema knows.
static bool enter(struct lint *lint, const struct json *schema) {
        bool resource = json_get_text(schema, "$id") || json_get_text(schema, "id");
        lint->inner |= schema != lint->root && resource;
        if (schema == lint->root || !resource || !json_is(json_get_text(schema, "$schema"), JSON_STRING))
                return true;
        lint->foreign = false;
        return find_draft(schema, &lint->dialect);
}

static void look(struct lint *lint, const struct json *schema) {
        size_t never = lint->never;
        if (lint_is_old(lint) && json_is(json_get_text(schema, "$ref"), JSON_STRING)) {
                lint_ignored(lint, schema);
                return;
        }
        lint->never_before = never;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                rules[i](lint, schema);
        bool beside = lint->beside;
        JSON_FOR_EACH_MEMBER(key, value, schema) {
                const struct keyword *keyword = keyword_find(json_text(key), &lint->dialect);
                if (keyword && !is_definitions(json_text(key)))
                        walk_below(lint, value, (enum shape)keyword->shape, is_branch(json_text(key)));
                lint->beside = beside;
        }
        if (never == lint->never)               // else it is said already, and nearer to the cause
                lint_empty(lint, schema);
}

// The depth is bounded by that of the document.
static void walk(struct lint *lint, const struct json *schema, bool beside) {
        struct lint before = *lint;
        if (!json_is(schema, JSON_OBJECT))
                return;
        lint->beside = beside;
        if (enter(lint, schema)) {
                static const char *const definitions[] = {"$defs", "definitions"};
                look(lint, schema);
                for (size_t i = 0; i < ARRAY_SIZE(definitions); i++) {
                        const struct json *value = json_get_text(schema, definitions[i]);
                        if (json_is(value, JSON_OBJECT))        // $defs is no keyword up to draft 7, but people refer to it
                                walk_below(lint, value, SHAPE_MAP, true);
                }
        }
        lint->dialect = before.dialect;
        lint->foreign = before.foreign;
        lint->inner = before.inner;
        lint->beside = before.beside;
}

static bool has_unevaluated(const struct json *root) {
        for (const struct json *node = root; node < json_next(root); node++)
                if (json_is(node, JSON_OBJECT) &&
                    (json_get_text(node, "unevaluatedProperties") || json_get_text(node, "unevaluatedItems")))
                        return true;
        return false;
}

static int by_place(const void *left, const void *right) {
        const struct schema_finding *a = left, *b = right;
        return (a->position.offset > b->position.offset) - (a->position.offset < b->position.offset);
}

// In the order of the document, each with its line and column, in one pass over the source.
static void put_in_order(struct lint *lint) {
        struct json_position at = {0, 1, 1};
        if (lint->count)
                qsort(lint->findings, lint->count, sizeof *lint->findings, by_place);
        for (size_t i = 0; i < lint->count; i++) {
                struct json_position *position = &lint->findings[i].position;
                struct json_position more = json_position((struct bytes){lint->source.data + at.offset, lint->source.size - at.offset},
                                                          position->offset - at.offset);
                at.column = more.line == 1 ? at.column + more.column - 1 : more.column;
                at.line += more.line - 1;
                at.offset = position->offset;
                *position = at;
        }
}

bool schema_lint(struct bytes source, const struct schema_options *options, struct arena *arena,
                 struct schema_finding **ret_findings, size_t *ret_count, struct error *error) {
        static const struct schema_options none = {.draft = SCHEMA_DRAFT_2020_12};
        struct json_limits limits = {.bytes = SCHEMA_BYTES_MAX, .nodes = SCHEMA_NODES_MAX};
        struct schema *schema = NULL;
        struct lint lint = {.arena = arena, .options = options ? options : &none, .checks = SCHEMA_LINT_CHECKS_MAX,
                            .proofs = SCHEMA_LINT_PROOFS_MAX, .steps = COMPATIBLE_STEPS_MAX,
                            .nodes = SCHEMA_LINT_NODES_MAX};
        if (!schema_compile(source, options, &schema, error))
                return false;
        lint.dialect = schema->root->resource->dialect;
        schema_free(schema);
        lint.source = arena_copy(arena, source);
        if (!json_parse(lint.source, &limits, arena, &lint.root, error))
                return false;
        struct dialect known;
        lint.foreign = json_is(json_get_text(lint.root, "$schema"), JSON_STRING) && !find_draft(lint.root, &known);
        lint.collects = has_unevaluated(lint.root);
        lint.findings = arena_alloc(arena, SCHEMA_FINDINGS_MAX * sizeof *lint.findings);
        walk(&lint, lint.root, false);
        lint_forget_patterns(&lint);
        lint_unused(&lint);
        lint_meta(&lint);
        put_in_order(&lint);
        *ret_findings = lint.findings;
        *ret_count = lint.count;
        return true;
}
