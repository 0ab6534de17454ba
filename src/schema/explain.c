// SPDX-License-Identifier: Apache-2.0
// What a failure means, for a person. Nothing here shows a value of the instance unless it was asked for: only its types, the names
// of its members where a path needs them, and what the schema says.
#include "schema/schema.h"

#include "json/pointer.h"
#include "json/writer.h"
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
        {"format", "is not of the format that is asked for"},
        {"contentEncoding", "is not encoded as it should be"},
        {"contentMediaType", "does not contain what it should"},
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
        {"unevaluatedProperties", "is a member that is not allowed"},
        {"unevaluatedItems", "is an element that is not allowed"},
        {"anyOf", "matches none of the alternatives"},
        {"not", "is what it must not be"},
        {"false", "must not be there"},
};

static const char *type_sentence(const struct unit *unit, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer types = {0};
        for (unsigned type = JSON_NULL; type <= JSON_OBJECT + 1u; type++) {
                if (!(unit->place->subschema->types & 1u << type))
                        continue;
                const char *name = 1u << type == TYPE_INTEGER ? "integer" : json_type_name((enum json_type)type);
                buffer_print(&types, "%s%s", types.size ? " or " : "", name);
        }
        return arena_print(arena, "is %s, expected %.*s", json_type_name(json_type(unit->node)),
                           BYTES_PRINT(buffer_bytes(&types)));
}

enum { NAMES_TRIED_MAX = 50 };

// The property that the object has not, and whose name is nearly that of the member; {NULL, 0}: none.
static struct bytes meant_name(const struct unit *unit) {
        const struct json *properties = json_get_text(unit->place->subschema->source, "properties"), *object = unit->place->node;
        struct bytes best = {0};
        if (!json_is(properties, JSON_OBJECT) || !json_is(object, JSON_OBJECT) || unit->node <= object)
                return best;
        const struct json *key = unit->node - 1;
        struct bytes name = json_is(key, JSON_STRING) ? json_text(key) : best;
        if (json_get(object, name) != unit->node)               // it is not the object's member
                return best;
        size_t tried = 0, least = name.size < 3 ? 0 : name.size < 6 ? 2 : 3;
        JSON_FOR_EACH_MEMBER(property, value, properties) {
                if (tried++ == NAMES_TRIED_MAX)
                        break;
                size_t far = name_distance(name, json_text(property));
                if (far < least && !json_get(object, json_text(property))) {
                        least = far;
                        best = json_text(property);
                }
        }
        return best;
}

static const char *sentence_of(const struct unit *unit, struct arena *arena) {
        if (strcmp(unit->keyword, "type") == 0)
                return type_sentence(unit, arena);
        if (strcmp(unit->keyword, "oneOf") == 0)
                return unit->name.size ? "matches more than one of the alternatives" : "matches none of the alternatives";
        if (unit->name.data)
                return arena_print(arena, "has no member \"%.*s\"", BYTES_PRINT(unit->name));
        bool member = strcmp(unit->keyword, "additionalProperties") == 0 || strcmp(unit->keyword, "unevaluatedProperties") == 0;
        struct bytes meant = member ? meant_name(unit) : (struct bytes){0};
        if (meant.data)
                return arena_print(arena, "is a member that is not allowed; is \"%.*s\" meant?", BYTES_PRINT(meant));
        for (size_t i = 0; i < ARRAY_SIZE(sentences); i++)
                if (strcmp(sentences[i].keyword, unit->keyword) == 0)
                        return sentences[i].sentence;
        return "does not match";
}

enum { VALUE_SHOWN_MAX = 80, NODES_SHOWN_MAX = 32, TEXT_SHOWN_MAX = 4096 };    // bytes; values and keys; bytes that are written to be cut

// At most VALUE_SHOWN_MAX bytes, at a whole character.
static const char *cut(const struct buffer *text, struct arena *arena) {
        size_t size = MIN(text->size, (size_t)VALUE_SHOWN_MAX);
        while (size < text->size && ((uint8_t)text->data[size] & 0xC0) == 0x80)
                size--;
        return arena_print(arena, "%.*s%s", (int)size, text->data, size < text->size ? "…" : "");
}

// Whether it is so small that it may be written for each failure.
static bool is_small(const struct json *value) {
        size_t size = 0;
        if (value->span > NODES_SHOWN_MAX)
                return false;
        for (const struct json *node = value; node < json_next(value); node++)
                size += json_is(node, JSON_STRING) || json_is(node, JSON_NUMBER) ? json_count(node) : 1;
        return size <= TEXT_SHOWN_MAX;
}

static void write_small(struct buffer *text, const struct json *value) {
        if (is_small(value))
                json_write(text, value);
        else
                buffer_append(text, BYTES("…"));
}

static bool is_one_line(struct bytes text) {
        for (size_t i = 0; i < text.size; i++)
                if ((uint8_t)text.data[i] < 0x20 || text.data[i] == 0x7F)
                        return false;
        return true;
}

static void write_limit(struct buffer *text, const char *keyword, const struct json *value) {
        bool plain = json_is(value, JSON_STRING) && strcmp(keyword, "const") != 0;      // a pattern, the name of a format
        if (plain && is_small(value) && is_one_line(json_text(value))) {
                buffer_append(text, json_text(value));
        } else if (json_is(value, JSON_ARRAY) && strcmp(keyword, "enum") == 0) {
                JSON_FOR_EACH(one, value) {
                        if (text->size > VALUE_SHOWN_MAX)
                                return;
                        buffer_append(text, one == value + 1 ? BYTES("") : BYTES(", "));
                        write_small(text, one);
                }
        } else {
                write_small(text, value);
        }
}

// What the schema asks for: "at most 3", "^a"; NULL: it says no more than the keyword does.
static const char *limit_of(const struct unit *unit, struct arena *arena) {
        static const struct { const char *keyword, *before, *behind, *instead; } limits[] = {
                {"const", "", "", NULL}, {"enum", "", "", NULL}, {"minimum", "", "", NULL}, {"maximum", "", "", NULL},
                {"exclusiveMinimum", "", "", "minimum"}, {"exclusiveMaximum", "", "", "maximum"}, {"multipleOf", "", "", NULL},
                {"minLength", "at least ", " characters", NULL}, {"maxLength", "at most ", " characters", NULL},
                {"pattern", "", "", NULL}, {"format", "", "", NULL}, {"contentEncoding", "", "", NULL},
                {"contentMediaType", "", "", NULL}, {"minItems", "at least ", "", NULL}, {"maxItems", "at most ", "", NULL},
                {"minContains", "at least ", "", NULL}, {"maxContains", "at most ", "", NULL},
                {"minProperties", "at least ", "", NULL}, {"maxProperties", "at most ", "", NULL},
        };
        CLEANUP(buffer_free) struct buffer text = {0};
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                if (strcmp(limits[i].keyword, unit->keyword) != 0)
                        continue;
                const struct json *value = json_get_text(unit->place->subschema->source, unit->keyword);
                if (json_is(value, JSON_BOOL) && limits[i].instead)             // in draft 4 the limit is the other keyword's
                        value = json_get_text(unit->place->subschema->source, limits[i].instead);
                if (value)
                        write_limit(&text, unit->keyword, value);
                return text.size ? arena_print(arena, "%s%s%s", limits[i].before, cut(&text, arena), limits[i].behind) : NULL;
        }
        return NULL;
}

const char *unit_sentence(const struct evaluation *evaluation, const struct unit *unit, bool values, struct arena *arena) {
        const char *sentence = sentence_of(unit, arena), *limit = limit_of(unit, arena);
        bool scalar = !json_is(unit->node, JSON_ARRAY) && !json_is(unit->node, JSON_OBJECT);
        if (!values || !scalar)
                return limit ? arena_print(arena, "%s (%s)", sentence, limit) : sentence;
        const char *separator = limit ? "; " : "";
        limit = limit ? limit : "";
        if (record_is_personal(evaluation, unit->node))
                return arena_print(arena, "%s (%s%sthe value is personal and not shown)", sentence, limit, separator);
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, unit->node);
        return arena_print(arena, "%s (%s%sit is %s)", sentence, limit, separator, cut(&text, arena));
}

void append_place_location(struct buffer *buffer, const struct place *place) {
        if (!place || !place->step.keyword)
                return;
        append_place_location(buffer, place->outer);
        json_pointer_append(buffer, bytes_of(place->step.keyword));
        if (place->step.token.data)
                json_pointer_append(buffer, place->step.token);
        else if (place->step.token.size)
                json_pointer_append_index(buffer, place->step.token.size - 1);
}

void append_keyword_location(struct buffer *buffer, const struct unit *unit) {
        append_place_location(buffer, unit->place);
        if (strcmp(unit->keyword, "false") != 0)
                json_pointer_append(buffer, bytes_of(unit->keyword));
}

void append_absolute_location(struct buffer *buffer, const struct subschema *subschema, const char *keyword) {
        CLEANUP(buffer_free) struct buffer pointer = {0};
        json_pointer_of(&pointer, subschema->resource->node, subschema->source);
        if (keyword && strcmp(keyword, "false") != 0)
                json_pointer_append(&pointer, bytes_of(keyword));
        buffer_append(buffer, bytes_of(subschema->resource->uri));
        buffer_append_byte(buffer, '#');
        uri_append_fragment(buffer, buffer_bytes(&pointer));
}

// The pointer into the document, its URI before it if it is another.
static const char *document_path(const struct schema *schema, const struct unit *unit, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer pointer = {0};
        const struct subschema *subschema = unit->place->subschema;
        const struct document *document = subschema->resource->document;
        if (document != schema->root_document)
                buffer_print(&pointer, "%s#", document->uri);
        json_pointer_of(&pointer, document->root, subschema->source);
        if (strcmp(unit->keyword, "false") != 0)
                json_pointer_append(&pointer, bytes_of(unit->keyword));
        return arena_text(arena, buffer_bytes(&pointer));
}

static struct schema_failure failure_of(const struct evaluation *evaluation, const struct unit *unit, struct bytes source,
                                        bool values, struct arena *arena) {
        CLEANUP(buffer_free) struct buffer path = {0};
        CLEANUP(buffer_free) struct buffer location = {0};
        CLEANUP(buffer_free) struct buffer absolute = {0};
        json_pointer_of(&path, evaluation->root, unit->node);
        append_keyword_location(&location, unit);
        append_absolute_location(&absolute, unit->place->subschema, unit->keyword);
        return (struct schema_failure){
                .instance_path = arena_text(arena, buffer_bytes(&path)),
                .keyword = unit->keyword,
                .keyword_path = document_path(evaluation->schema, unit, arena),
                .keyword_location = arena_text(arena, buffer_bytes(&location)),
                .absolute_location = arena_text(arena, buffer_bytes(&absolute)),
                .sentence = unit_sentence(evaluation, unit, values, arena),
                .position = json_position(source, json_offset(unit->node)),
        };
}

enum schema_verdict schema_decide(const struct schema *schema, struct bytes source, const struct json *instance, struct arena *scratch) {
        enum schema_verdict verdict;
        if (source.data && schema_verdict_bytes(schema, source, NULL, scratch, &verdict, NULL) && verdict != SCHEMA_UNDECIDED)
                return verdict;
        return schema_verdict(schema, instance, scratch);
}

// Of an instance that does not match.
static struct schema_failure *reasons(const struct schema *schema, struct bytes source, const struct json *instance,
                                      const struct schema_explain_options *options, struct arena *arena, size_t *ret_count) {
        size_t most = options->most ? options->most : SCHEMA_FAILURES_MAX;
        ASSERT(most <= SCHEMA_FAILURES_MAX);
        struct evaluation evaluation = evaluation_begin(schema, instance, arena);
        struct record record = {.limit = most};
        struct unit whole = {.keyword = "false", .node = instance, .error = true};
        evaluation.record = &record;
        IGNORE(evaluate(&evaluation, schema->root, instance, step_to(NULL), NULL));     // invalid, as is known
        bool unknown = record.count == 0;       // the explanation had no steps left: the document as such does not match
        if (unknown) {
                struct place *root = arena_alloc(arena, sizeof *root);
                *root = (struct place){.subschema = schema->root, .node = instance};
                whole.place = root;
                record.units = &whole;
                record.count = 1;
        }
        struct schema_failure *failures = arena_alloc(arena, record.count * sizeof *failures);
        for (size_t i = 0; i < record.count; i++)
                failures[i] = failure_of(&evaluation, &record.units[i], source, options->values, arena);
        if (unknown)
                failures[0].sentence = "does not match; a limit was reached before it was known where";
        *ret_count = record.count;
        return failures;
}

enum schema_verdict schema_explain_with(const struct schema *schema, struct bytes source, const struct json *instance,
                                        const struct schema_explain_options *options, struct arena *arena,
                                        struct schema_failure **ret_failures, size_t *ret_count) {
        static const struct schema_explain_options defaults = {0};
        enum schema_verdict verdict = schema_decide(schema, source, instance, arena);
        *ret_failures = NULL;
        *ret_count = 0;
        if (verdict == SCHEMA_INVALID)
                *ret_failures = reasons(schema, source, instance, options ? options : &defaults, arena, ret_count);
        return verdict;
}

enum schema_verdict schema_explain(const struct schema *schema, struct bytes source, const struct json *instance,
                                   struct arena *arena, size_t most, struct schema_failure **ret_failures, size_t *ret_count) {
        struct schema_explain_options options = {.most = most};
        return schema_explain_with(schema, source, instance, &options, arena, ret_failures, ret_count);
}

static bool answer(const struct schema *schema, struct bytes source, const struct json *instance, enum schema_verdict verdict,
                   struct arena *scratch, struct error *error) {
        static const struct schema_explain_options first = {.most = 1};
        size_t count;
        if (verdict == SCHEMA_VALID)
                return true;
        if (verdict == SCHEMA_UNDECIDED)
                return error_set(error, ERROR_LIMIT,
                                 "the schema asks for too many steps, or goes too deep, to decide about this");
        const struct schema_failure *failure = reasons(schema, source, instance, &first, scratch, &count);
        return error_set(error, ERROR_REJECTED, "at \"%s\" (line %zu, column %zu, byte %zu): %s [%s]", failure->instance_path,
                         failure->position.line, failure->position.column, failure->position.offset, failure->sentence,
                         failure->keyword_path);
}

bool schema_validate_bytes(const struct schema *schema, struct bytes source, struct arena *scratch, struct error *error) {
        enum schema_verdict verdict;
        const struct json *instance = NULL;
        return schema_verdict_bytes(schema, source, NULL, scratch, &verdict, error) &&
               (verdict != SCHEMA_INVALID || json_parse(source, NULL, scratch, &instance, error)) &&
               answer(schema, source, instance, verdict, scratch, error);
}

bool schema_validate(const struct schema *schema, struct bytes source, const struct json *instance, struct arena *scratch,
                     struct error *error) {
        return answer(schema, source, instance, schema_decide(schema, source, instance, scratch), scratch, error);
}
