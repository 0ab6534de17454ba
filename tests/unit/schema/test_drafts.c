// SPDX-License-Identifier: Apache-2.0
// What differs between drafts, and documents besides the schema's own. The official suite (tests/suite) has the rest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema/schema.h"

static struct arena arena;

static int clean(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

static bool known(void *user, struct bytes uri, struct bytes *ret_source, struct error *error) {
        static const struct { const char *uri, *source; } documents[] = {
                {"http://test/integer", "{\"type\":\"integer\"}"},
                {"http://test/seven", "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$ref\":\"#/definitions/a\","
                                      "\"type\":\"string\",\"definitions\":{\"a\":{\"minimum\":3}}}"},
                {"http://test/broken", "{\"type\":"},
                {"http://test/plain-meta", "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$vocabulary\":{"
                                           "\"https://json-schema.org/draft/2020-12/vocab/core\":true,"
                                           "\"https://json-schema.org/draft/2020-12/vocab/applicator\":true}}"},
                {"http://test/odd-meta", "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$vocabulary\":{"
                                         "\"http://test/vocabulary\":true}}"},
                {"http://test/wrong-inside", "{\"properties\":{\"a\":{\"type\":\"nothing\"}}}"},
        };
        size_t *asked = user;
        (*asked)++;
        for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
                if (bytes_equal(bytes_of(documents[i].uri), uri)) {
                        *ret_source = bytes_of(documents[i].source);
                        return true;
                }
        }
        if (bytes_starts_with(uri, BYTES("http://down/")))
                return error_set(error, ERROR_UNAVAILABLE, "the registry is away");
        return error_set(error, ERROR_NOT_FOUND, "no such document");
}

static void check(const char *source, const struct schema_options *options, const char *instance, bool valid) {
        struct schema *schema = NULL;
        struct error error;
        const struct json *node = NULL;
        if (!schema_compile(bytes_of(source), options, &schema, &error))
                fail_msg("%s: %s", source, error.text);
        assert_true(json_parse(bytes_of(instance), NULL, &arena, &node, NULL));
        if (schema_verdict(schema, node, &arena) != (valid ? SCHEMA_VALID : SCHEMA_INVALID))
                fail_msg("%s with %s", source, instance);
        schema_free(schema);
}

static void each_draft_has_its_own_meaning(void **state) {
        (void)state;
        static const struct { enum schema_draft draft; const char *schema, *instance; bool valid; } cases[] = {
                {SCHEMA_DRAFT_4, "{\"minimum\":1,\"exclusiveMinimum\":true}", "1", false},
                {SCHEMA_DRAFT_7, "{\"$defs\":{\"a\":{\"minimum\":3},\"note\":\"no schema\"},\"$ref\":\"#/$defs/a\"}", "2", false},
                {SCHEMA_DRAFT_4, "{\"minimum\":1,\"exclusiveMinimum\":false}", "1", true},
                {SCHEMA_DRAFT_6, "{\"exclusiveMinimum\":1}", "1", false},
                {SCHEMA_DRAFT_4, "{\"type\":\"integer\"}", "1.0", false}, {SCHEMA_DRAFT_6, "{\"type\":\"integer\"}", "1.0", true},
                {SCHEMA_DRAFT_4, "{\"const\":1}", "2", true}, {SCHEMA_DRAFT_6, "{\"const\":1}", "2", false},
                {SCHEMA_DRAFT_6, "{\"if\":true,\"then\":false}", "1", true}, {SCHEMA_DRAFT_7, "{\"if\":true,\"then\":false}",
                 "1", false},
                {SCHEMA_DRAFT_7, "{\"$ref\":\"#/definitions/a\",\"maximum\":1,\"definitions\":{\"a\":{}}}", "2", true},
                {SCHEMA_DRAFT_2019_09, "{\"$ref\":\"#/definitions/a\",\"maximum\":1,\"definitions\":{\"a\":{}}}", "2", false},
                {SCHEMA_DRAFT_7, "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", true},
                {SCHEMA_DRAFT_2019_09, "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}", false},
                {SCHEMA_DRAFT_2019_09, "{\"prefixItems\":[false]}", "[1]", true},
                {SCHEMA_DRAFT_2020_12, "{\"prefixItems\":[false]}", "[1]", false},
                {SCHEMA_DRAFT_2019_09, "{\"items\":[{}],\"additionalItems\":false}", "[1,2]", false},
                {SCHEMA_DRAFT_2019_09, "{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1]", false},
                {SCHEMA_DRAFT_2020_12, "{\"contains\":{\"const\":1},\"unevaluatedItems\":false}", "[1]", true},
                {SCHEMA_DRAFT_4, "{\"id\":\"http://a/b\",\"properties\":{\"a\":{\"$ref\":\"c\"}},\"definitions\":{\"c\":{\"i"
                 "d\":\"c\",\"type\":\"null\"}}}",
                 "{\"a\":1}", false},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema_options options = {.draft = cases[i].draft};
                check(cases[i].schema, &options, cases[i].instance, cases[i].valid);
        }
}

static void other_documents_come_from_the_resolver(void **state) {
        (void)state;
        size_t asked = 0;
        struct schema_options options = {.resolve = known, .user = &asked};
        check("{\"items\":{\"$ref\":\"http://test/integer\"}}", &options, "[1,\"a\"]", false);
        check("{\"items\":{\"$ref\":\"http://test/integer\"}}", &options, "[1,2]", true);
        // A document of another draft keeps that draft's meaning: its type beside $ref is nothing.
        check("{\"$ref\":\"http://test/seven\"}", &options, "3", true);
        check("{\"$ref\":\"http://test/seven\"}", &options, "2", false);
        assert_int_equal(asked, 4);
        // What is built in is not asked for.
        check("{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", &options, "{\"type\":\"nothing\"}", false);
        check("{\"$ref\":\"http://json-schema.org/draft-04/schema#\"}", &options, "{\"minimum\":1,\"exclusiveMinimum\":true}", true);
        assert_int_equal(asked, 4);
        check("{\"$schema\":\"http://test/plain-meta\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":false}}", &options, ""
         "{\"a\":1}", true);
        check("{\"$schema\":\"http://test/plain-meta\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":false}}", &options, ""
         "{\"b\":1}", false);
}

static void what_the_resolver_does_not_give_is_an_error(void **state) {
        (void)state;
        static const struct { const char *schema; enum error_code code; const char *error; } cases[] = {
                {"{\"$ref\":\"http://test/none\"}", ERROR_UNSUPPORTED, "at \"/$ref\""},
                {"{\"$ref\":\"http://test/broken\"}", ERROR_INVALID, "the document \"http://test/broken\": line 1"},
                {"{\"$ref\":\"http://down/a\"}", ERROR_UNAVAILABLE, "the registry is away"},
                {"{\"$ref\":\"http://test/integer#/nope\"}", ERROR_INVALID, "leads nowhere"},
                {"{\"$ref\":\"http://test/wrong-inside\"}", ERROR_INVALID, "schema \"http://test/wrong-inside\", at \"/proper"
                 "ties/a/type\""},
                {"{\"$schema\":\"http://test/odd-meta\"}", ERROR_UNSUPPORTED, "requires the vocabulary \"http://test/vocabulary\""},
                {"{\"$schema\":\"http://test/none\"}", ERROR_UNSUPPORTED, "$schema is not supported"},
        };
        size_t asked = 0;
        struct schema_options options = {.resolve = known, .user = &asked};
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema;
                struct error error = {0};
                assert_false(schema_compile(bytes_of(cases[i].schema), &options, &schema, &error));
                if (error.code != cases[i].code || !strstr(error.text, cases[i].error))
                        fail_msg("%s: %s", cases[i].schema, error.text);
        }
}

static void dynamic_references_lead_to_the_outermost(void **state) {
        (void)state;
        // A tree whose nodes may hold anything, and one that is strict about it: entered by either.
        static const char source[] =
                "{\"$id\":\"http://t/root\",\"properties\":{\"loose\":{\"$ref\":\"tree\"},\"strict\":{\"$ref\":\"strict\"}},\"$defs\":{"
                "\"a\":{\"$id\":\"tree\",\"$dynamicAnchor\":\"node\",\"properties\":{\"data\":true,\"children\":{\"items\":"
                "{\"$dynamicRef\":\"#node\"}}}},"
                "\"b\":{\"$id\":\"strict\",\"$dynamicAnchor\":\"node\",\"$ref\":\"tree\",\"unevaluatedProperties\":false}}}";
        check(source, NULL, "{\"loose\":{\"children\":[{\"daat\":1}]}}", true);
        check(source, NULL, "{\"strict\":{\"children\":[{\"daat\":1}]}}", false);
        check(source, NULL, "{\"strict\":{\"children\":[{\"data\":1,\"children\":[{}]}]}}", true);
}

static void contents_and_formats_assert_on_request_alone(void **state) {
        (void)state;
        struct schema_options options = {.assert_content = true};
        const char *schema = "{\"contentEncoding\":\"base64\",\"contentMediaType\":\"application/json\"}";
        check(schema, NULL, "\"%\"", true);
        check(schema, &options, "\"%\"", false);
        check(schema, &options, "\"e30=\"", true);                      // {}
        check(schema, &options, "\"e30\"", false);
        check(schema, &options, "\"e31=\"", false);                     // bits that mean nothing
        check(schema, &options, "\"ezo=\"", false);                     // {:
        check("{\"format\":\"no-such-format\"}", &(struct schema_options){.assert_format = true}, "\"x\"", true);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(each_draft_has_its_own_meaning, clean),
                cmocka_unit_test_teardown(other_documents_come_from_the_resolver, clean),
                cmocka_unit_test_teardown(what_the_resolver_does_not_give_is_an_error, clean),
                cmocka_unit_test_teardown(dynamic_references_lead_to_the_outermost, clean),
                cmocka_unit_test_teardown(contents_and_formats_assert_on_request_alone, clean),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
