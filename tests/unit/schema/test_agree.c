// SPDX-License-Identifier: Apache-2.0
// Schemas and instances made at random, from a seed: the scan of the bytes and the evaluation of the parsed document come to the
// same verdict. Names and values are few, so that both verdicts are frequent and keywords meet.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "schema/schema_priv.h"
#include "schema/stream_priv.h"

struct maker {
        uint64_t state;
        struct buffer text;
        bool draft4;
        bool anchor;                            // the root has the dynamic anchor
        bool several;                           // two resources have it, and the root has not
        unsigned definition;                    // references lead to those after it
};

static unsigned below(struct maker *maker, unsigned limit) {
        maker->state = maker->state * 6364136223846793005u + 1442695040888963407u;
        return (unsigned)((maker->state >> 33) % limit);
}

static const char *pick(struct maker *maker, const char *const *list, size_t count) {
        return list[below(maker, (unsigned)count)];
}
#define PICK(maker, ...) pick(maker, (const char *const[]){__VA_ARGS__}, ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static void put(struct maker *maker, const char *text) {
        buffer_append(&maker->text, bytes_of(text));
}

static const char *name(struct maker *maker) {
        return PICK(maker, "\"a\"", "\"b\"", "\"c\"", "\"ab\"", "\"d\"");
}

static const char *scalar(struct maker *maker) {
        return PICK(maker, "1", "2", "1.0", "0.5", "-1", "2.50", "1e1", "10", "true", "false", "null", "\"a\"", "\"b\"", "\"ab\"",
                    "\"\\u0061\"", "\"\"", "12345678901234567890", "0.30", "-0.0", "-2.5");
}

static void value(struct maker *maker, unsigned depth) {
        unsigned kind = below(maker, depth ? 6 : 3), count = below(maker, 5);
        static const char *const names[] = {"\"a\"", "\"b\"", "\"c\"", "\"ab\"", "\"d\"", "\"\\u0065\""};
        static const char *const escaped[] = {"\"\\u0061\"", "\"\\u0062\"", "\"\\u0063\"", "\"a\\u0062\"", "\"\\u0064\"", "\"e\""};
        if (kind < 3) {
                put(maker, scalar(maker));
        } else if (kind == 3) {
                put(maker, "[");
                for (unsigned i = 0; i < count; i++) {
                        put(maker, i ? "," : "");
                        value(maker, depth - 1);
                }
                put(maker, "]");
        } else {
                unsigned first = below(maker, ARRAY_SIZE(names));
                put(maker, "{");
                for (unsigned i = 0; i < count; i++) {
                        unsigned number = (first + i) % ARRAY_SIZE(names);
                        put(maker, i ? PICK(maker, ",", ", ", " ,") : "");
                        put(maker, below(maker, 5) ? names[number] : escaped[number]);
                        put(maker, PICK(maker, ":", ": ", " :", " : "));
                        value(maker, depth - 1);
                }
                put(maker, "}");
        }
}

static void schema(struct maker *maker, unsigned depth);

static void schemas(struct maker *maker, unsigned depth) {
        unsigned count = 1 + below(maker, 3);
        put(maker, "[");
        for (unsigned i = 0; i < count; i++) {
                put(maker, i ? "," : "");
                schema(maker, depth);
        }
        put(maker, "]");
}

static void names(struct maker *maker) {
        unsigned count = below(maker, 3);
        put(maker, "[");
        for (unsigned i = 0; i < count; i++) {
                put(maker, i ? "," : "");
                put(maker, name(maker));
        }
        put(maker, "]");
}

static void map(struct maker *maker, unsigned depth, bool patterns, unsigned most) {
        static const char *const texts[] = {"\"a\"", "\"b\"", "\"c\"", "\"ab\"", "\"d\""};
        static const char *const regular[] = {"\"^a\"", "\"b$\"", "\"^.$\"", "\"c|d\"", "\"x\"", "\"^[a-c]+$\"", "\"e\""};
        unsigned first = below(maker, 5), count = below(maker, most + 1);
        put(maker, "{");
        for (unsigned i = 0; i < count; i++) {
                put(maker, i ? "," : "");
                put(maker, patterns ? regular[(first + i) % 7] : texts[(first + i) % 5]);
                put(maker, ":");
                schema(maker, depth);
        }
        put(maker, "}");
}

enum { ASSERTIONS = 17 };

// Keywords without subschemas, by number.
static void assertion(struct maker *maker, unsigned which) {
        static const char *const numbers[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"};
        static const char *const counts[] = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"};
        if (maker->draft4 && (which == 2 || which == 3)) {
                put(maker, which == 2 ? "\"exclusiveMinimum\":true" : "\"exclusiveMaximum\":false");
        } else if (which < 5) {
                buffer_print(&maker->text, "\"%s\":%s", numbers[which],
                             which == 4 ? PICK(maker, "2", "0.5", "0.1", "1") : PICK(maker, "0.5", "1", "-1.5", "2", "2.50", "1e1"));
        } else if (which < 11) {
                buffer_print(&maker->text, "\"%s\":%u", counts[which - 5], below(maker, 4));
        } else if (which == 11) {
                buffer_print(&maker->text, "\"pattern\":%s", PICK(maker, "\"^a\"", "\"b\"", "\"^[ab]+$\""));
        } else if (which == 12) {
                put(maker, "\"enum\":[");
                for (int i = 0; i < 4; i++) {
                        put(maker, i ? "," : "");
                        value(maker, below(maker, 3));
                }
                put(maker, "]");
        } else if (which == 13) {
                put(maker, "\"const\":");
                value(maker, below(maker, 3));
        } else if (which == 14) {
                put(maker, "\"uniqueItems\":true");
        } else if (which == 15) {
                put(maker, "\"required\":");
                names(maker);
        } else {
                buffer_print(&maker->text, "\"type\":%s", PICK(maker, "\"object\"", "[\"object\",\"integer\"]", "\"integer\"",
                             "\"string\"", "\"array\"", "[\"number\",\"array\",\"object\"]"));
        }
}

static void one(struct maker *maker, const char *keyword, unsigned depth) {
        buffer_print(&maker->text, "\"%s\":", keyword);
        schema(maker, depth);
}

enum { APPLICATORS = 21 };

// One keyword; nothing, if it is there already.
static void keyword(struct maker *maker, unsigned depth, uint64_t *done) {
        unsigned which = below(maker, depth && below(maker, 4) ? APPLICATORS : APPLICATORS + ASSERTIONS);
        which = depth ? which : APPLICATORS + below(maker, ASSERTIONS);
        uint64_t bit = (uint64_t)1 << (which == 16 ? 15 : which == 19 || which == 20 ? 18 : which);
        if ((*done & bit) || ((which == 15 || which == 16) && maker->definition == 3))
                return;
        put(maker, *done ? "," : "");
        *done |= bit;
        static const char *const single[] = {"not", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "items",
                                             "contains", "propertyNames"};
        if (which < ARRAY_SIZE(single)) {
                one(maker, single[which], depth - 1);
                return;
        }
        switch (which) {
        case 7:
        case 8:
                put(maker, which == 7 ? "\"anyOf\":" : "\"oneOf\":");
                schemas(maker, depth - 1);
                break;
        case 9:
                put(maker, "\"allOf\":");
                schemas(maker, depth - 1);
                break;
        case 10:
                one(maker, "if", depth - 1);
                put(maker, ",");
                one(maker, "then", depth - 1);
                if (below(maker, 2)) {
                        put(maker, ",");
                        one(maker, "else", depth - 1);
                }
                break;
        case 11:
                put(maker, "\"dependentSchemas\":");
                map(maker, depth - 1, false, 2);
                break;
        case 12:
                buffer_print(&maker->text, "\"dependentRequired\":{%s:", name(maker));
                names(maker);
                put(maker, "}");
                break;
        case 13:
                put(maker, "\"patternProperties\":");
                map(maker, depth - 1, true, below(maker, 3) ? 2 : 7);
                break;
        case 14:
                put(maker, "\"prefixItems\":");
                schemas(maker, depth - 1);
                break;
        case 15:
        case 16:
                buffer_print(&maker->text, "\"$ref\":\"http://x/root#/definitions/%u\"",
                             maker->definition + 1 + below(maker, 3 - maker->definition));
                break;
        case 17:
                put(maker, maker->anchor ? "\"$dynamicRef\":\"#node\"" : "\"$dynamicRef\":\"inner#node\"");
                break;
        case 18:
        case 19:
        case 20:
                put(maker, "\"properties\":");
                map(maker, depth - 1, false, 4);
                break;
        default:
                assertion(maker, which - APPLICATORS);
        }
}

static void schema(struct maker *maker, unsigned depth) {
        unsigned count = 1 + below(maker, 4);
        uint64_t done = 0;
        if (below(maker, 10) == 0) {
                put(maker, maker->draft4 ? "{}" : PICK(maker, "true", "false", "{}"));
                return;
        }
        put(maker, "{");
        for (unsigned i = 0; i < count; i++)
                keyword(maker, depth, &done);
        put(maker, "}");
}

// A document: a root that what is below may refer to, and three definitions of which each may refer to the ones after it.
static void document(struct maker *maker) {
        buffer_clear(&maker->text);
        maker->anchor = below(maker, 3) == 0;
        maker->several = !maker->anchor && below(maker, 2);
        buffer_print(&maker->text, "{\"%s\":\"http://x/root\",\"definitions\":{", maker->draft4 ? "id" : "$id");
        for (unsigned i = 1; i <= 3; i++) {
                maker->definition = i;
                buffer_print(&maker->text, "%s\"%u\":{\"allOf\":[", i > 1 ? "," : "", i);
                schema(maker, 1);
                put(maker, "]}");
        }
        put(maker, "},");
        maker->definition = 0;
        put(maker, maker->anchor ? "\"$dynamicAnchor\":\"node\"," : "");
        put(maker, "\"properties\":{");
        if (maker->several) {
                put(maker, "\"a\":{\"$id\":\"http://x/other\",\"$dynamicAnchor\":\"node\",\"type\":[\"integer\",\"object\"],"
                           "\"properties\":{\"b\":"
                           "{\"$ref\":\"root#/definitions/1\"},\"c\":{\"$ref\":\"inner\"},\"d\":{\"$ref\":\"root\"},\"ab\":");
                schema(maker, 1);
                put(maker, "}},");
        }
        put(maker, "\"b\":{\"$id\":\"http://x/inner\",\"$dynamicAnchor\":\"node\",\"properties\":{\"c\":"
                   "{\"$dynamicRef\":\"#node\"},\"d\":{\"type\":\"integer\"}}}},\"allOf\":[");
        schema(maker, 2);
        put(maker, ",");
        schema(maker, 3);
        put(maker, "]}");
}

// 'v', 'i', 'u'
static char decide(const struct schema *compiled, const char *source, struct bytes text) {
        struct arena arena = {0};
        const struct json *instance;
        enum schema_verdict verdict = SCHEMA_UNDECIDED, expected;
        struct error error;
        char *copy = must_malloc(text.size);
        memcpy(copy, text.data, text.size);
        struct bytes exact = {copy, text.size};
        if (!json_parse(exact, NULL, &arena, &instance, &error))
                fail_msg("%.*s: %s", BYTES_PRINT(text), error.text);
        expected = schema_verdict(compiled, instance, &arena);
        if (!schema_verdict_bytes(compiled, exact, NULL, &arena, &verdict, &error) || verdict != expected)
                fail_msg("with %.*s: %d, scanned %d: %s\n%s", BYTES_PRINT(text), expected, verdict, error.text, source);
        free(copy);
        arena_free(&arena);
        return "viu"[verdict];
}

struct counts {
        unsigned compiled, planned, ambiguous, verdicts[128];
};

static void check(struct maker *maker, const struct schema_options *options, struct counts *counts) {
        struct schema *compiled;
        struct error error;
        document(maker);
        char *source = bytes_to_text(buffer_bytes(&maker->text));
        if (!schema_compile(bytes_of(source), options, &compiled, &error)) {    // it leads to itself, perhaps
                free(source);
                return;
        }
        counts->compiled++;
        counts->planned += compiled->stream != NULL;
        counts->ambiguous += compiled->dynamic && compiled->stream;
        for (int i = 0; i < 12; i++) {
                buffer_clear(&maker->text);
                value(maker, 3);
                counts->verdicts[(unsigned)decide(compiled, source, buffer_bytes(&maker->text))]++;
        }
        schema_free(compiled);
        free(source);
}

// SEED and ROUNDS in the environment: others, and more.
static struct counts go(enum schema_draft draft, unsigned long limit) {
        const char *seed = getenv("SEED"), *rounds = getenv("ROUNDS");
        struct maker maker = {.state = seed ? strtoull(seed, NULL, 10) : 1, .draft4 = draft == SCHEMA_DRAFT_4};
        struct schema_options options = {.draft = draft};
        struct counts counts = {0};
        limit = rounds ? strtoul(rounds, NULL, 10) : limit;
        for (unsigned long round = 0; round < limit; round++)
                check(&maker, &options, &counts);
        print_message("# %u of %lu schemas, %u planned, %u of them ambiguous, %u valid, %u invalid, %u undecided\n", counts.compiled, limit,
                      counts.planned, counts.ambiguous, counts.verdicts['v'], counts.verdicts['i'], counts.verdicts['u']);
        assert_true(counts.compiled > limit / 4 && counts.planned > counts.compiled * 9 / 10);
        assert_true(counts.verdicts['v'] > limit && counts.verdicts['i'] > limit && counts.verdicts['u'] < limit / 10);
        buffer_free(&maker.text);
        return counts;
}

static void random_schemas_agree(void **state) {
        (void)state;
        struct counts counts = go(SCHEMA_DRAFT_2020_12, 3000);
        assert_true(counts.ambiguous > counts.compiled / 10);
}

// How a number is written counts there, and $ref stands alone.
static void random_schemas_of_draft_4_agree(void **state) {
        (void)state;
        struct counts counts = go(SCHEMA_DRAFT_4, 2000);
        assert_int_equal(counts.ambiguous, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_schemas_agree),
                cmocka_unit_test(random_schemas_of_draft_4_agree),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
