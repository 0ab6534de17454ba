// SPDX-License-Identifier: Apache-2.0
// The output tests: for each form of output a schema that it has to match.
#include "suite.h"

#include <stdio.h>

// The output of one form is checked against the schema that the test gives for it.
static bool check_output(struct run *run, const struct schema *schema, const struct json *data, struct bytes form,
                         const struct json *expected, struct arena *arena) {
        struct schema_output_options options = {.format = SCHEMA_OUTPUT_BASIC, .annotations = true};
        CLEANUP(buffer_free) struct buffer text = {0};
        CLEANUP(buffer_free) struct buffer output = {0};
        CLEANUP(buffer_free) struct buffer wanted = {0};
        struct schema *check;
        struct error error;
        const struct json *parsed, *made;
        if (bytes_equal(form, BYTES("detailed")))
                options.format = SCHEMA_OUTPUT_DETAILED;
        else if (bytes_equal(form, BYTES("flag")))
                options.format = SCHEMA_OUTPUT_FLAG;
        json_write(&wanted, expected);
        json_write(&text, data);
        if (!schema_compile(buffer_bytes(&wanted), &run->options, &check, &error)) {
                printf("FAILED: %s: %s\n", run->draft_name, error.text);
                return false;
        }
        bool good = json_parse(buffer_bytes(&text), NULL, arena, &parsed, &error) &&
                    schema_output(schema, buffer_bytes(&text), parsed, &options, arena, &output) != SCHEMA_UNDECIDED &&
                    json_parse(buffer_bytes(&output), NULL, arena, &made, &error) &&
                    schema_validate(check, buffer_bytes(&output), made, arena, &error);
        if (!good)
                printf("%s\n%.*s\n", error.text, BYTES_PRINT(buffer_bytes(&output)));
        schema_free(check);
        return good;
}

void suite_output(struct run *run, const char *file, const struct json *group, struct arena *arena) {
        struct schema *schema = suite_compile(run, file, group);
        JSON_FOR_EACH(test, json_get_text(group, "tests")) {
                struct bytes what = json_text(json_get_text(test, "description"));
                JSON_FOR_EACH_MEMBER(form, expected, json_get_text(test, "output")) {
                        bool good = schema && check_output(run, schema, json_get_text(test, "data"), json_text(form), expected,
                                                           arena);
                        run->passed += good;
                        run->failed += !good;
                        if (!good)
                                printf("FAILED: %s/output/%s: %.*s\n", run->draft_name, file, BYTES_PRINT(what));
                }
        }
        schema_free(schema);
}
