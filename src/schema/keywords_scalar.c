// SPDX-License-Identifier: Apache-2.0
// The keywords about numbers and strings.
#include "schema/schema_priv.h"

#include "json/number.h"

#define RULES(compiler, place) ((place) ? (place) : ((place) = arena_alloc(&(compiler)->schema->arena, sizeof *(place))))

static struct number_rules *number_rules(struct compiler *compiler, struct subschema *subschema) {
        return RULES(compiler, subschema->number);
}

static struct string_rules *string_rules(struct compiler *compiler, struct subschema *subschema) {
        if (!subschema->string)
                RULES(compiler, subschema->string)->most = UINT64_MAX;
        return subschema->string;
}

static bool number(struct compiler *compiler, const struct json *value, struct bytes *ret) {
        *ret = json_text(value);
        return expect(compiler, value, JSON_NUMBER, "a number");
}

// In draft 4 exclusiveMinimum and exclusiveMaximum are flags beside the limit.
static bool is_flagged(const struct subschema *subschema, const char *flag) {
        const struct json *value = json_get_text(subschema->source, flag);
        return subschema->resource->dialect.draft == SCHEMA_DRAFT_4 && json_is(value, JSON_BOOL) && json_bool(value);
}

KEYWORD(keyword_minimum) {
        struct number_rules *rules = number_rules(compiler, subschema);
        return number(compiler, value, is_flagged(subschema, "exclusiveMinimum") ? &rules->above : &rules->minimum);
}

KEYWORD(keyword_maximum) {
        struct number_rules *rules = number_rules(compiler, subschema);
        return number(compiler, value, is_flagged(subschema, "exclusiveMaximum") ? &rules->below : &rules->maximum);
}

KEYWORD(keyword_above) {
        if (subschema->resource->dialect.draft == SCHEMA_DRAFT_4)
                return expect(compiler, value, JSON_BOOL, "true or false");
        return number(compiler, value, &number_rules(compiler, subschema)->above);
}

KEYWORD(keyword_below) {
        if (subschema->resource->dialect.draft == SCHEMA_DRAFT_4)
                return expect(compiler, value, JSON_BOOL, "true or false");
        return number(compiler, value, &number_rules(compiler, subschema)->below);
}

KEYWORD(keyword_multiple) {
        struct bytes *multiple = &number_rules(compiler, subschema)->multiple;
        if (!number(compiler, value, multiple))
                return false;
        if (!json_number_is_positive(*multiple))
                return compile_wrong(compiler, value, ERROR_INVALID, "expected a number above 0");
        if (json_number_digits(*multiple) > JSON_DIVISOR_DIGITS_MAX)
                return compile_wrong(compiler, value, ERROR_LIMIT, "more than %d digits", JSON_DIVISOR_DIGITS_MAX);
        return true;
}

KEYWORD(keyword_min_length) {
        return keyword_count(compiler, value, &string_rules(compiler, subschema)->least);
}

KEYWORD(keyword_max_length) {
        return keyword_count(compiler, value, &string_rules(compiler, subschema)->most);
}

KEYWORD(keyword_pattern) {
        if (!expect(compiler, value, JSON_STRING, "a regular expression"))
                return false;
        const struct pattern *pattern = compile_pattern(compiler, value, json_text(value));
        string_rules(compiler, subschema)->pattern = pattern;
        return pattern != NULL;
}

KEYWORD(keyword_format) {
        const struct dialect *dialect = &subschema->resource->dialect;
        if (!json_is(value, JSON_STRING))                       // an annotation that means nothing
                return true;
        if (!compiler->options->assert_format && !(dialect->vocabularies & VOCABULARY_ASSERTS_FORMAT))
                return true;
        enum schema_format format = format_find(json_text(value), dialect->draft);
        if (format != FORMAT_NONE)
                string_rules(compiler, subschema)->format = format;
        return true;
}

KEYWORD(keyword_content_encoding) {
        if (compiler->options->assert_content && json_is(value, JSON_STRING) && bytes_equal(json_text(value), BYTES("base64")))
                string_rules(compiler, subschema)->base64 = true;
        return true;
}

KEYWORD(keyword_content_type) {
        if (compiler->options->assert_content && json_is(value, JSON_STRING) &&
            bytes_equal(json_text(value), BYTES("application/json")))
                string_rules(compiler, subschema)->json = true;
        return true;
}
