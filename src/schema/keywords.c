// SPDX-License-Identifier: Apache-2.0
// The keywords: one row each, and what the value of those about any type becomes. Unknown keywords are annotations.
#include "schema/schema_priv.h"

#include "json/number.h"

bool expect(const struct compiler *compiler, const struct json *value, enum json_type type, const char *what) {
        return json_is(value, type) || compile_wrong(compiler, value, ERROR_INVALID, "expected %s", what);
}

bool keyword_count(struct compiler *compiler, const struct json *value, uint64_t *ret) {
        bool whole = json_is(value, JSON_NUMBER) && json_number_is_integer(json_text(value)) &&
                     json_number_compare(json_text(value), BYTES("0")) >= 0;
        if (!whole)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected an integer, 0 or more");
        if (!json_to_u64(value, ret))
                *ret = UINT64_MAX;
        return true;
}

bool keyword_schemas(struct compiler *compiler, const struct json *value, struct schema_list *ret) {
        if (!expect(compiler, value, JSON_ARRAY, "an array of schemas"))
                return false;
        if (json_count(value) == 0)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected at least one schema");
        const struct subschema **items = arena_alloc(&compiler->schema->arena, json_count(value) * sizeof *items);
        ret->items = items;
        JSON_FOR_EACH(element, value) {
                const struct subschema *item = compile_subschema(compiler, element);
                if (!item)
                        return false;
                items[ret->count++] = item;
        }
        return true;
}

bool keyword_one(struct compiler *compiler, const struct json *value, const struct subschema **ret) {
        return (*ret = compile_subschema(compiler, value)) != NULL;
}

static bool reference(struct compiler *compiler, struct subschema *subschema, const struct json *value,
                      enum pending_kind kind) {
        if (!expect(compiler, value, JSON_STRING, "a URI reference"))
                return false;
        subschema->logic = true;
        compile_later(compiler, subschema, value, kind);
        return true;
}

static KEYWORD(keyword_reference) {
        return reference(compiler, subschema, value, PENDING_PLAIN);
}

static KEYWORD(keyword_dynamic_reference) {
        subschema->other_keyword = "$dynamicRef";
        return reference(compiler, subschema, value, PENDING_DYNAMIC);
}

static KEYWORD(keyword_recursive_reference) {
        subschema->other_keyword = "$recursiveRef";
        return reference(compiler, subschema, value, PENDING_RECURSIVE);
}

static KEYWORD(keyword_definitions) {
        (void)subschema;
        if (!expect(compiler, value, JSON_OBJECT, "an object of schemas"))
                return false;
        JSON_FOR_EACH_MEMBER(key, member, value)
                if (!compile_subschema(compiler, member))
                        return false;
        return true;
}

static bool add_type(struct compiler *compiler, struct subschema *subschema, const struct json *name) {
        if (bytes_equal(json_is(name, JSON_STRING) ? json_text(name) : (struct bytes){0}, BYTES("integer"))) {
                subschema->types |= TYPE_INTEGER;
                return true;
        }
        for (unsigned type = JSON_NULL; type <= JSON_OBJECT; type++) {
                if (json_is(name, JSON_STRING) && bytes_equal(json_text(name), bytes_of(json_type_name((enum json_type)type)))) {
                        subschema->types |= 1u << type;
                        return true;
                }
        }
        return compile_wrong(compiler, name, ERROR_INVALID,
                             "expected a type: null, boolean, integer, number, string, array or object");
}

static KEYWORD(keyword_type) {
        if (!json_is(value, JSON_ARRAY))
                return add_type(compiler, subschema, value);
        if (json_count(value) == 0)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected at least one type");
        JSON_FOR_EACH(name, value)
                if (!add_type(compiler, subschema, name))
                        return false;
        return true;
}

static KEYWORD(keyword_enum) {
        subschema->values = value;
        if (!expect(compiler, value, JSON_ARRAY, "an array"))
                return false;
        if (json_count(value) > ENUM_TABLE_FROM)
                subschema->table = value_table_make(compiler->schema, value);
        return true;
}

static KEYWORD(keyword_const) {
        (void)compiler;
        subschema->constant = value;
        return true;
}

static KEYWORD(keyword_all) {
        subschema->logic = true;
        return keyword_schemas(compiler, value, &subschema->all);
}

static KEYWORD(keyword_any) {
        subschema->logic = true;
        return keyword_schemas(compiler, value, &subschema->any);
}

static KEYWORD(keyword_not) {
        subschema->logic = true;
        return keyword_one(compiler, value, &subschema->not);
}

static KEYWORD(keyword_if) {
        subschema->logic = true;
        return keyword_one(compiler, value, &subschema->condition);
}

static KEYWORD(keyword_then) {
        subschema->logic = true;
        return keyword_one(compiler, value, &subschema->then);
}

static KEYWORD(keyword_else) {
        subschema->logic = true;
        return keyword_one(compiler, value, &subschema->otherwise);
}

static KEYWORD(keyword_exactly_one) {
        subschema->logic = true;
        return keyword_schemas(compiler, value, &subschema->one);
}

static KEYWORD(keyword_other_members) {
        return keyword_one(compiler, value, &subschema->other_members);
}

static KEYWORD(keyword_other_elements) {
        return keyword_one(compiler, value, &subschema->other_elements);
}

enum {
        D4 = 1 << SCHEMA_DRAFT_4, D6 = 1 << SCHEMA_DRAFT_6, D7 = 1 << SCHEMA_DRAFT_7, D19 = 1 << SCHEMA_DRAFT_2019_09,
        D20 = 1 << SCHEMA_DRAFT_2020_12,
        FROM_19 = D19 | D20, FROM_7 = D7 | FROM_19, FROM_6 = D6 | FROM_7, ALL = D4 | FROM_6, TO_19 = ALL & ~D20,
};

static const struct keyword keywords[] = {
        {"$ref", ALL, VOCABULARY_CORE, SHAPE_NONE, keyword_reference},
        {"$dynamicRef", D20, VOCABULARY_CORE, SHAPE_NONE, keyword_dynamic_reference},
        {"$recursiveRef", D19, VOCABULARY_CORE, SHAPE_NONE, keyword_recursive_reference},
        {"$defs", FROM_19, VOCABULARY_CORE, SHAPE_MAP, keyword_definitions},
        {"definitions", ALL, VOCABULARY_CORE, SHAPE_MAP, keyword_definitions},
        {"type", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_type},
        {"enum", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_enum},
        {"const", FROM_6, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_const},
        {"minimum", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_minimum},
        {"maximum", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_maximum},
        {"exclusiveMinimum", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_above},
        {"exclusiveMaximum", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_below},
        {"multipleOf", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_multiple},
        {"minLength", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_min_length},
        {"maxLength", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_max_length},
        {"pattern", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_pattern},
        {"format", ALL, VOCABULARY_FORMAT, SHAPE_NONE, keyword_format},
        {"prefixItems", D20, VOCABULARY_APPLICATOR, SHAPE_LIST, keyword_prefix_items},
        {"items", ALL, VOCABULARY_APPLICATOR, SHAPE_ONE_OR_LIST, keyword_items},
        {"additionalItems", TO_19, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_additional_items},
        {"contains", FROM_6, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_contains},
        {"minContains", FROM_19, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_min_contains},
        {"maxContains", FROM_19, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_max_contains},
        {"minItems", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_min_items},
        {"maxItems", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_max_items},
        {"uniqueItems", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_unique},
        {"properties", ALL, VOCABULARY_APPLICATOR, SHAPE_MAP, keyword_properties},
        {"required", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_properties},
        {"patternProperties", ALL, VOCABULARY_APPLICATOR, SHAPE_MAP, keyword_pattern_properties},
        {"additionalProperties", ALL, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_additional},
        {"propertyNames", FROM_6, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_property_names},
        {"minProperties", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_min_properties},
        {"maxProperties", ALL, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_max_properties},
        {"dependencies", ALL, VOCABULARY_APPLICATOR, SHAPE_MAP, keyword_dependencies},
        {"dependentRequired", FROM_19, VOCABULARY_VALIDATION, SHAPE_NONE, keyword_dependent_required},
        {"dependentSchemas", FROM_19, VOCABULARY_APPLICATOR, SHAPE_MAP, keyword_dependent_schemas},
        {"allOf", ALL, VOCABULARY_APPLICATOR, SHAPE_LIST, keyword_all},
        {"anyOf", ALL, VOCABULARY_APPLICATOR, SHAPE_LIST, keyword_any},
        {"oneOf", ALL, VOCABULARY_APPLICATOR, SHAPE_LIST, keyword_exactly_one},
        {"not", ALL, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_not},
        {"if", FROM_7, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_if},
        {"then", FROM_7, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_then},
        {"else", FROM_7, VOCABULARY_APPLICATOR, SHAPE_ONE, keyword_else},
        {"unevaluatedProperties", FROM_19, VOCABULARY_UNEVALUATED, SHAPE_ONE, keyword_other_members},
        {"unevaluatedItems", FROM_19, VOCABULARY_UNEVALUATED, SHAPE_ONE, keyword_other_elements},
        {"contentEncoding", FROM_7, VOCABULARY_CONTENT, SHAPE_NONE, keyword_content_encoding},
        {"contentMediaType", FROM_7, VOCABULARY_CONTENT, SHAPE_NONE, keyword_content_type},
        {"contentSchema", FROM_19, VOCABULARY_CONTENT, SHAPE_ONE, NULL},
};

const struct keyword *keyword_find(struct bytes name, const struct dialect *dialect) {
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
                if ((keywords[i].drafts >> dialect->draft & 1) && (keywords[i].vocabulary & dialect->vocabularies) &&
                    bytes_equal(bytes_of(keywords[i].name), name))
                        return &keywords[i];
        return NULL;
}
