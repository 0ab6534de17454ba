// SPDX-License-Identifier: Apache-2.0
// The keywords: one row each, and what its value becomes. Unknown keywords are annotations.
#include "schema/schema_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "json/number.h"

#define RULES(compiler, place) ((place) ? (place) : ((place) = arena_alloc(&(compiler)->schema->arena, sizeof *(place))))

uint64_t property_hash(struct bytes name) {
        return XXH3_64bits(name.data, name.size);
}

const struct property *property_find(const struct object_rules *rules, struct bytes name, size_t guess) {
        if (guess < rules->property_count && bytes_equal(rules->properties[guess].name, name))
                return &rules->properties[guess];
        if (!rules->slots) {
                for (size_t i = 0; i < rules->property_count; i++)
                        if (bytes_equal(rules->properties[i].name, name))
                                return &rules->properties[i];
                return NULL;
        }
        for (size_t slot = property_hash(name) & rules->slot_mask; rules->slots[slot]; slot = (slot + 1) & rules->slot_mask) {
                const struct property *property = &rules->properties[rules->slots[slot] - 1];
                if (bytes_equal(property->name, name))
                        return property;
        }
        return NULL;
}

static struct number_rules *number_rules(struct compiler *compiler, struct subschema *subschema) {
        return RULES(compiler, subschema->number);
}

static struct string_rules *string_rules(struct compiler *compiler, struct subschema *subschema) {
        if (!subschema->string)
                RULES(compiler, subschema->string)->most = UINT64_MAX;
        return subschema->string;
}

static struct array_rules *array_rules(struct compiler *compiler, struct subschema *subschema) {
        if (!subschema->array) {
                struct array_rules *rules = RULES(compiler, subschema->array);
                rules->most = rules->contains_most = UINT64_MAX;
                rules->contains_least = 1;
        }
        return subschema->array;
}

static struct object_rules *object_rules(struct compiler *compiler, struct subschema *subschema) {
        if (!subschema->object)
                RULES(compiler, subschema->object)->most = UINT64_MAX;
        return subschema->object;
}

static bool expect(const struct compiler *compiler, const struct json *value, enum json_type type, const char *what) {
        return json_is(value, type) || compile_wrong(compiler, value, ERROR_INVALID, "expected %s", what);
}

static bool refused(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct bytes name = {0};
        JSON_FOR_EACH_MEMBER(key, member, subschema->source)
                if (member == value)
                        name = json_text(key);
        return compile_wrong(compiler, value, ERROR_UNSUPPORTED, "the keyword %.*s is not supported", BYTES_PRINT(name));
}

// $schema inside the document: another dialect there is not supported.
static bool keyword_schema(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        const struct json *root = json_get_text(compiler->schema->document, "$schema");
        if (subschema->source != compiler->schema->document && (!root || !json_equal(root, value)))
                return compile_wrong(compiler, value, ERROR_UNSUPPORTED, "another $schema inside a document is not supported");
        return true;
}

static bool keyword_reference(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        if (!expect(compiler, value, JSON_STRING, "a URI reference"))
                return false;
        subschema->logic = true;
        compile_later(compiler, subschema, value);
        return true;
}

static bool keyword_definitions(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
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

static bool keyword_type(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        if (!json_is(value, JSON_ARRAY))
                return add_type(compiler, subschema, value);
        if (json_count(value) == 0)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected at least one type");
        JSON_FOR_EACH(name, value)
                if (!add_type(compiler, subschema, name))
                        return false;
        return true;
}

static bool keyword_enum(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->values = value;
        return expect(compiler, value, JSON_ARRAY, "an array");
}

static bool keyword_const(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        (void)compiler;
        subschema->constant = value;
        return true;
}

static bool number(struct compiler *compiler, const struct json *value, struct bytes *ret) {
        *ret = json_text(value);
        return expect(compiler, value, JSON_NUMBER, "a number");
}

static bool keyword_minimum(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return number(compiler, value, &number_rules(compiler, subschema)->minimum);
}

static bool keyword_maximum(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return number(compiler, value, &number_rules(compiler, subschema)->maximum);
}

static bool keyword_above(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return number(compiler, value, &number_rules(compiler, subschema)->above);
}

static bool keyword_below(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return number(compiler, value, &number_rules(compiler, subschema)->below);
}

static bool keyword_multiple(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct bytes *multiple = &number_rules(compiler, subschema)->multiple;
        if (!number(compiler, value, multiple))
                return false;
        if (!json_number_is_positive(*multiple))
                return compile_wrong(compiler, value, ERROR_INVALID, "expected a number above 0");
        if (json_number_digits(*multiple) > JSON_DIVISOR_DIGITS_MAX)
                return compile_wrong(compiler, value, ERROR_LIMIT, "more than %d digits", JSON_DIVISOR_DIGITS_MAX);
        return true;
}

static bool count(struct compiler *compiler, const struct json *value, uint64_t *ret) {
        bool whole = json_is(value, JSON_NUMBER) && json_number_is_integer(json_text(value)) &&
                     json_number_compare(json_text(value), BYTES("0")) >= 0;
        if (!whole)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected an integer, 0 or more");
        if (!json_to_u64(value, ret))
                *ret = UINT64_MAX;
        return true;
}

static bool keyword_min_length(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &string_rules(compiler, subschema)->least);
}

static bool keyword_max_length(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &string_rules(compiler, subschema)->most);
}

static bool keyword_pattern(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        if (!expect(compiler, value, JSON_STRING, "a regular expression"))
                return false;
        const struct pattern *pattern = compile_pattern(compiler, value, json_text(value));
        string_rules(compiler, subschema)->pattern = pattern;
        return pattern != NULL;
}

static bool schemas(struct compiler *compiler, const struct json *value, struct schema_list *ret) {
        if (!expect(compiler, value, JSON_ARRAY, "an array of schemas"))
                return false;
        if (json_count(value) == 0)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected at least one schema");
        ret->items = arena_alloc(&compiler->schema->arena, json_count(value) * sizeof(struct subschema *));
        JSON_FOR_EACH(element, value) {
                const struct subschema *item = compile_subschema(compiler, element);
                if (!item)
                        return false;
                ret->items[ret->count++] = item;
        }
        return true;
}

static bool one(struct compiler *compiler, const struct json *value, const struct subschema **ret) {
        return (*ret = compile_subschema(compiler, value)) != NULL;
}

static bool keyword_prefix_items(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct array_rules *rules = array_rules(compiler, subschema);
        rules->prefix_keyword = "prefixItems";
        return schemas(compiler, value, &rules->prefix);
}

static bool keyword_items(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct array_rules *rules = array_rules(compiler, subschema);
        if (!json_is(value, JSON_ARRAY)) {
                rules->rest_keyword = "items";
                return one(compiler, value, &rules->rest);
        }
        if (compiler->schema->draft != SCHEMA_DRAFT_7)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected a schema; a list of schemas is prefixItems");
        rules->prefix_keyword = "items";
        return json_count(value) == 0 || schemas(compiler, value, &rules->prefix);
}

// Only beside a list of items.
static bool keyword_additional_items(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct array_rules *rules = array_rules(compiler, subschema);
        const struct subschema *rest = compile_subschema(compiler, value);
        if (rest && json_is(json_get_text(subschema->source, "items"), JSON_ARRAY)) {
                rules->rest_keyword = "additionalItems";
                rules->rest = rest;
        }
        return rest != NULL;
}

static bool keyword_contains(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return one(compiler, value, &array_rules(compiler, subschema)->contains);
}

static bool keyword_min_contains(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &array_rules(compiler, subschema)->contains_least);
}

static bool keyword_max_contains(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &array_rules(compiler, subschema)->contains_most);
}

static bool keyword_min_items(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &array_rules(compiler, subschema)->least);
}

static bool keyword_max_items(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &array_rules(compiler, subschema)->most);
}

static bool keyword_unique(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        array_rules(compiler, subschema)->unique = json_is(value, JSON_BOOL) && json_bool(value);
        return expect(compiler, value, JSON_BOOL, "true or false");
}

static bool names(struct compiler *compiler, const struct json *value) {
        if (!expect(compiler, value, JSON_ARRAY, "an array of names"))
                return false;
        JSON_FOR_EACH(name, value)
                if (!expect(compiler, name, JSON_STRING, "a name"))
                        return false;
        return true;
}

static struct property *add_property(struct object_rules *rules, struct bytes name) {
        struct property *property = &rules->properties[rules->property_count++];
        property->name = name;
        if (rules->slots) {
                size_t slot = property_hash(name) & rules->slot_mask;
                while (rules->slots[slot])
                        slot = (slot + 1) & rules->slot_mask;
                rules->slots[slot] = (uint32_t)rules->property_count;
        }
        return property;
}

static void require(struct object_rules *rules, struct bytes name) {
        const struct property *known = property_find(rules, name, SIZE_MAX);
        struct property *property = known ? &rules->properties[known - rules->properties] : add_property(rules, name);
        rules->required_count += !property->required;
        property->required = true;
}

// The names of `properties` and `required` together, in that order; whichever of the two comes first does it.
static bool keyword_properties(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct object_rules *rules = object_rules(compiler, subschema);
        const struct json *properties = json_get_text(subschema->source, "properties");
        const struct json *required = json_get_text(subschema->source, "required");
        (void)value;
        if (rules->properties)
                return true;
        if ((properties && !expect(compiler, properties, JSON_OBJECT, "an object of schemas")) ||
            (required && !names(compiler, required)))
                return false;
        size_t most = (properties ? json_count(properties) : 0) + (required ? json_count(required) : 0);
        size_t slots = 16;
        while (slots < most * 2)
                slots *= 2;
        rules->properties = arena_alloc(&compiler->schema->arena, (most + 1) * sizeof *rules->properties);
        if (most > FEW_PROPERTIES) {
                rules->slots = arena_alloc(&compiler->schema->arena, slots * sizeof *rules->slots);
                rules->slot_mask = slots - 1;
        }
        if (properties)
                JSON_FOR_EACH_MEMBER(key, member, properties)
                        if (!one(compiler, member, &add_property(rules, json_text(key))->schema))
                                return false;
        if (required)
                JSON_FOR_EACH(name, required)
                        require(rules, json_text(name));
        return true;
}

static bool keyword_pattern_properties(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        struct object_rules *rules = object_rules(compiler, subschema);
        if (!expect(compiler, value, JSON_OBJECT, "an object of schemas"))
                return false;
        rules->patterns = arena_alloc(&compiler->schema->arena, (json_count(value) + 1) * sizeof *rules->patterns);
        JSON_FOR_EACH_MEMBER(key, member, value) {
                struct pattern_property *property = &rules->patterns[rules->pattern_count++];
                property->pattern = compile_pattern(compiler, member, json_text(key));
                if (!property->pattern || !one(compiler, member, &property->schema))
                        return false;
        }
        return true;
}

static bool keyword_additional(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return one(compiler, value, &object_rules(compiler, subschema)->additional);
}

static bool keyword_property_names(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return one(compiler, value, &object_rules(compiler, subschema)->names);
}

static bool keyword_min_properties(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &object_rules(compiler, subschema)->least);
}

static bool keyword_max_properties(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return count(compiler, value, &object_rules(compiler, subschema)->most);
}

static bool add_dependencies(struct compiler *compiler, struct subschema *subschema, const struct json *value,
                             const char *keyword, bool lists, bool schemas_too) {
        struct object_rules *rules = object_rules(compiler, subschema);
        if (!expect(compiler, value, JSON_OBJECT, "an object"))
                return false;
        size_t total = rules->dependency_count + json_count(value);
        struct dependency *dependencies = arena_alloc(&compiler->schema->arena, (total + 1) * sizeof *dependencies);
        if (rules->dependency_count)
                memcpy(dependencies, rules->dependencies, rules->dependency_count * sizeof *dependencies);
        rules->dependencies = dependencies;
        JSON_FOR_EACH_MEMBER(key, member, value) {
                struct dependency *dependency = &dependencies[rules->dependency_count++];
                dependency->name = json_text(key);
                dependency->keyword = keyword;
                if (lists && (!schemas_too || json_is(member, JSON_ARRAY))) {
                        dependency->names = member;
                        if (!names(compiler, member))
                                return false;
                } else if (!one(compiler, member, &dependency->schema)) {
                        return false;
                }
        }
        return true;
}

static bool keyword_dependencies(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return add_dependencies(compiler, subschema, value, "dependencies", true, true);
}

static bool keyword_dependent_required(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return add_dependencies(compiler, subschema, value, "dependentRequired", true, false);
}

static bool keyword_dependent_schemas(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        return add_dependencies(compiler, subschema, value, "dependentSchemas", false, true);
}

static bool keyword_all(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return schemas(compiler, value, &subschema->all);
}

static bool keyword_any(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return schemas(compiler, value, &subschema->any);
}

static bool keyword_one(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return schemas(compiler, value, &subschema->one);
}

static bool keyword_not(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return one(compiler, value, &subschema->not);
}

static bool keyword_if(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return one(compiler, value, &subschema->condition);
}

static bool keyword_then(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return one(compiler, value, &subschema->then);
}

static bool keyword_else(struct compiler *compiler, struct subschema *subschema, const struct json *value) {
        subschema->logic = true;
        return one(compiler, value, &subschema->otherwise);
}

static const struct keyword keywords[] = {
        {"$schema", DRAFT_ANY, SHAPE_NONE, keyword_schema},
        {"$ref", DRAFT_ANY, SHAPE_NONE, keyword_reference},
        {"$defs", DRAFT_ANY, SHAPE_MAP, keyword_definitions},
        {"definitions", DRAFT_ANY, SHAPE_MAP, keyword_definitions},
        {"type", DRAFT_ANY, SHAPE_NONE, keyword_type},
        {"enum", DRAFT_ANY, SHAPE_NONE, keyword_enum},
        {"const", DRAFT_ANY, SHAPE_NONE, keyword_const},
        {"minimum", DRAFT_ANY, SHAPE_NONE, keyword_minimum},
        {"maximum", DRAFT_ANY, SHAPE_NONE, keyword_maximum},
        {"exclusiveMinimum", DRAFT_ANY, SHAPE_NONE, keyword_above},
        {"exclusiveMaximum", DRAFT_ANY, SHAPE_NONE, keyword_below},
        {"multipleOf", DRAFT_ANY, SHAPE_NONE, keyword_multiple},
        {"minLength", DRAFT_ANY, SHAPE_NONE, keyword_min_length},
        {"maxLength", DRAFT_ANY, SHAPE_NONE, keyword_max_length},
        {"pattern", DRAFT_ANY, SHAPE_NONE, keyword_pattern},
        {"prefixItems", DRAFT_2020, SHAPE_LIST, keyword_prefix_items},
        {"items", DRAFT_ANY, SHAPE_ONE_OR_LIST, keyword_items},
        {"additionalItems", DRAFT_7, SHAPE_ONE, keyword_additional_items},
        {"contains", DRAFT_ANY, SHAPE_ONE, keyword_contains},
        {"minContains", DRAFT_2020, SHAPE_NONE, keyword_min_contains},
        {"maxContains", DRAFT_2020, SHAPE_NONE, keyword_max_contains},
        {"minItems", DRAFT_ANY, SHAPE_NONE, keyword_min_items},
        {"maxItems", DRAFT_ANY, SHAPE_NONE, keyword_max_items},
        {"uniqueItems", DRAFT_ANY, SHAPE_NONE, keyword_unique},
        {"properties", DRAFT_ANY, SHAPE_MAP, keyword_properties},
        {"required", DRAFT_ANY, SHAPE_NONE, keyword_properties},
        {"patternProperties", DRAFT_ANY, SHAPE_MAP, keyword_pattern_properties},
        {"additionalProperties", DRAFT_ANY, SHAPE_ONE, keyword_additional},
        {"propertyNames", DRAFT_ANY, SHAPE_ONE, keyword_property_names},
        {"minProperties", DRAFT_ANY, SHAPE_NONE, keyword_min_properties},
        {"maxProperties", DRAFT_ANY, SHAPE_NONE, keyword_max_properties},
        {"dependencies", DRAFT_ANY, SHAPE_MAP, keyword_dependencies},
        {"dependentRequired", DRAFT_2020, SHAPE_NONE, keyword_dependent_required},
        {"dependentSchemas", DRAFT_2020, SHAPE_MAP, keyword_dependent_schemas},
        {"allOf", DRAFT_ANY, SHAPE_LIST, keyword_all},
        {"anyOf", DRAFT_ANY, SHAPE_LIST, keyword_any},
        {"oneOf", DRAFT_ANY, SHAPE_LIST, keyword_one},
        {"not", DRAFT_ANY, SHAPE_ONE, keyword_not},
        {"if", DRAFT_ANY, SHAPE_ONE, keyword_if},
        {"then", DRAFT_ANY, SHAPE_ONE, keyword_then},
        {"else", DRAFT_ANY, SHAPE_ONE, keyword_else},
        {"$dynamicRef", DRAFT_2020, SHAPE_NONE, refused},
        {"$recursiveRef", DRAFT_2020, SHAPE_NONE, refused},
        {"unevaluatedItems", DRAFT_2020, SHAPE_ONE, refused},
        {"unevaluatedProperties", DRAFT_2020, SHAPE_ONE, refused},
};

const struct keyword *keyword_find(struct bytes name, enum schema_draft draft) {
        unsigned bit = draft == SCHEMA_DRAFT_7 ? DRAFT_7 : DRAFT_2020;
        for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
                if ((keywords[i].drafts & bit) && bytes_equal(bytes_of(keywords[i].name), name))
                        return &keywords[i];
        return NULL;
}
