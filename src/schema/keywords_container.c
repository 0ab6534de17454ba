// SPDX-License-Identifier: Apache-2.0
// The keywords about arrays and objects.
#include "schema/schema_priv.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

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

KEYWORD(keyword_prefix_items) {
        struct array_rules *rules = array_rules(compiler, subschema);
        rules->prefix_keyword = "prefixItems";
        return keyword_schemas(compiler, value, &rules->prefix);
}

KEYWORD(keyword_items) {
        struct array_rules *rules = array_rules(compiler, subschema);
        if (!json_is(value, JSON_ARRAY)) {
                rules->rest_keyword = "items";
                return keyword_one(compiler, value, &rules->rest);
        }
        if (subschema->resource->dialect.draft == SCHEMA_DRAFT_2020_12)
                return compile_wrong(compiler, value, ERROR_INVALID, "expected a schema; a list of schemas is prefixItems");
        rules->prefix_keyword = "items";
        return json_count(value) == 0 || keyword_schemas(compiler, value, &rules->prefix);
}

// Only beside a list of items.
KEYWORD(keyword_additional_items) {
        struct array_rules *rules = array_rules(compiler, subschema);
        const struct subschema *rest = compile_subschema(compiler, value);
        if (rest && json_is(json_get_text(subschema->source, "items"), JSON_ARRAY)) {
                rules->rest_keyword = "additionalItems";
                rules->rest = rest;
        }
        return rest != NULL;
}

KEYWORD(keyword_contains) {
        subschema->marks_contained = subschema->resource->dialect.draft == SCHEMA_DRAFT_2020_12;
        return keyword_one(compiler, value, &array_rules(compiler, subschema)->contains);
}

KEYWORD(keyword_min_contains) {
        return keyword_count(compiler, value, &array_rules(compiler, subschema)->contains_least);
}

KEYWORD(keyword_max_contains) {
        return keyword_count(compiler, value, &array_rules(compiler, subschema)->contains_most);
}

KEYWORD(keyword_min_items) {
        return keyword_count(compiler, value, &array_rules(compiler, subschema)->least);
}

KEYWORD(keyword_max_items) {
        return keyword_count(compiler, value, &array_rules(compiler, subschema)->most);
}

KEYWORD(keyword_unique) {
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
KEYWORD(keyword_properties) {
        struct object_rules *rules = object_rules(compiler, subschema);
        const struct json *properties = json_get_text(subschema->source, "properties");
        const struct json *required = json_get_text(subschema->source, "required");
        const struct dialect *dialect = &subschema->resource->dialect;
        (void)value;
        if (rules->properties)
                return true;
        properties = keyword_find(BYTES("properties"), dialect) ? properties : NULL;
        required = keyword_find(BYTES("required"), dialect) ? required : NULL;
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
                        if (!keyword_one(compiler, member, &add_property(rules, json_text(key))->schema))
                                return false;
        if (required)
                JSON_FOR_EACH(name, required)
                        require(rules, json_text(name));
        return true;
}

KEYWORD(keyword_pattern_properties) {
        struct object_rules *rules = object_rules(compiler, subschema);
        if (!expect(compiler, value, JSON_OBJECT, "an object of schemas"))
                return false;
        rules->patterns = arena_alloc(&compiler->schema->arena, (json_count(value) + 1) * sizeof *rules->patterns);
        JSON_FOR_EACH_MEMBER(key, member, value) {
                struct pattern_property *property = &rules->patterns[rules->pattern_count++];
                property->source = json_text(key);
                property->pattern = compile_pattern(compiler, member, json_text(key));
                if (!property->pattern || !keyword_one(compiler, member, &property->schema))
                        return false;
        }
        return true;
}

KEYWORD(keyword_additional) {
        return keyword_one(compiler, value, &object_rules(compiler, subschema)->additional);
}

KEYWORD(keyword_property_names) {
        return keyword_one(compiler, value, &object_rules(compiler, subschema)->names);
}

KEYWORD(keyword_min_properties) {
        return keyword_count(compiler, value, &object_rules(compiler, subschema)->least);
}

KEYWORD(keyword_max_properties) {
        return keyword_count(compiler, value, &object_rules(compiler, subschema)->most);
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
                } else if (!keyword_one(compiler, member, &dependency->schema)) {
                        return false;
                }
        }
        return true;
}

KEYWORD(keyword_dependencies) {
        return add_dependencies(compiler, subschema, value, "dependencies", true, true);
}

KEYWORD(keyword_dependent_required) {
        return add_dependencies(compiler, subschema, value, "dependentRequired", true, false);
}

KEYWORD(keyword_dependent_schemas) {
        return add_dependencies(compiler, subschema, value, "dependentSchemas", false, true);
}
