// SPDX-License-Identifier: Apache-2.0
// What a failure means, for a person. Nothing here shows a value of the instance: only its types, the names of its members where
// a path needs them, and what the schema says.
#include "schema/schema.h"

#include "json/pointer.h"
#include "schema/schema_priv.h"

static const struct { const char *keyword, *sentence; } sentences[] = {
        {"const", "is not the one value that is allowed"},
        {"enum", "is none of the values that are allowed"},
        {"minimum", "is below the smallest number that is allowed"},
        {"maximum", "is above the largest number that is allowed"},
        {"exclusiveMinimum", "is not above the limit"},
        {"exclusiveMaximum", "is not below the limit"},
        {"multipleOf", "is not a multiple of the number that is asked for"},
        {"minLength", "is too short"},
        {"maxLength", "is too long"},
        {"pattern", "does not match the pattern"},
        {"minItems", "has too few elements"},
        {"maxItems", "has too many elements"},
        {"uniqueItems", "has an element twice"},
        {"contains", "has no element of the kind that must be there"},
        {"minContains", "has too few elements of the kind that must be there"},
        {"maxContains", "has too many elements of one kind"},
        {"items", "is an element too many"},
        {"additionalItems", "is an element too many"},
        {"minProperties", "has too few members"},
        {"maxProperties", "has too many members"},
        {"additionalProperties", "is a member that is not allowed"},
        {"propertyNames", "is a member whose name is not allowed"},
        {"anyOf", "matches none of the alternatives"},
        {"not", "is what it must not be"},
        {"false", "must not be there"},
};

static const char *type_sentence(const struct failure *failure, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer types = {0};
        for (unsigned type = JSON_NULL; type <= JSON_OBJECT + 1u; type++) {
                if (!(failure->subschema->types & 1u << type))
                        continue;
                const char *name = 1u << type == TYPE_INTEGER ? "integer" : json_type_name((enum json_type)type);
                buffer_print(&types, "%s%s", types.size ? " or " : "", name);
        }
        return arena_print(arena, "is %s, expected %.*s", json_type_name(json_type(failure->node)),
                           BYTES_PRINT(buffer_bytes(&types)));
}

static const char *sentence_of(const struct failure *failure, struct arena *arena) {
        if (strcmp(failure->keyword, "type") == 0)
                return type_sentence(failure, arena);
        if (strcmp(failure->keyword, "oneOf") == 0)
                return failure->name.size ? "matches more than one of the alternatives" : "matches none of the alternatives";
        if (failure->name.data)
                return arena_print(arena, "has no member \"%.*s\"", BYTES_PRINT(failure->name));
        for (size_t i = 0; i < ARRAY_SIZE(sentences); i++)
                if (strcmp(sentences[i].keyword, failure->keyword) == 0)
                        return sentences[i].sentence;
        return "does not match";
}

static const char *path(const struct json *root, const struct json *node, const char *keyword, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer pointer = {0};
        json_pointer_of(&pointer, root, node);
        if (keyword && strcmp(keyword, "false") != 0)
                json_pointer_append(&pointer, bytes_of(keyword));
        return arena_text(arena, buffer_bytes(&pointer));
}

enum schema_verdict schema_explain(const struct schema *schema, struct bytes source, const struct json *instance,
                                   struct arena *arena, size_t most, struct schema_failure **ret_failures, size_t *ret_count) {
        ASSERT(most > 0 && most <= SCHEMA_FAILURES_MAX);
        struct failure failures[SCHEMA_FAILURES_MAX];
        struct evaluation evaluation = {
                .schema = schema, .scratch = arena, .failures = failures, .failure_limit = most,
                .steps = 4 * (SCHEMA_STEPS_MIN + (uint64_t)SCHEMA_STEPS_PER_NODE * instance->span),
        };
        bool good = evaluate(&evaluation, schema->root, instance);
        struct schema_failure *shown = arena_alloc(arena, (evaluation.failure_count + 1) * sizeof *shown);
        for (size_t i = 0; i < evaluation.failure_count; i++) {
                const struct failure *failure = &failures[i];
                shown[i] = (struct schema_failure){
                        .instance_path = path(instance, failure->node, NULL, arena),
                        .keyword = failure->keyword,
                        .keyword_path = path(schema->document, failure->subschema->source, failure->keyword, arena),
                        .sentence = sentence_of(failure, arena),
                        .position = json_position(source, json_offset(failure->node)),
                };
        }
        *ret_failures = shown;
        *ret_count = evaluation.failure_count;
        return evaluation.undecided ? SCHEMA_UNDECIDED : good ? SCHEMA_VALID : SCHEMA_INVALID;
}

bool schema_validate(const struct schema *schema, struct bytes source, const struct json *instance, struct arena *scratch,
                     struct error *error) {
        enum schema_verdict verdict = schema_verdict(schema, instance, scratch);
        struct schema_failure *failure;
        size_t count = 0;
        if (verdict == SCHEMA_VALID)
                return true;
        if (verdict == SCHEMA_INVALID)
                IGNORE(schema_explain(schema, source, instance, scratch, 1, &failure, &count) == SCHEMA_VALID);  // known
        if (verdict == SCHEMA_UNDECIDED)
                return error_set(error, ERROR_LIMIT,
                                 "the schema asks for too many steps, or goes too deep, to decide about this");
        if (count == 0)
                return error_set(error, ERROR_REJECTED, "does not match the schema");
        return error_set(error, ERROR_REJECTED, "at \"%s\" (line %zu, column %zu, byte %zu): %s [%s]", failure->instance_path,
                         failure->position.line, failure->position.column, failure->position.offset, failure->sentence,
                         failure->keyword_path);
}
