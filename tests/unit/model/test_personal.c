// SPDX-License-Identifier: Apache-2.0
// Which values of an event are personal: by tags in its contract and by the configuration; and whether its key is.
#include "fixture.h"

#include <string.h>

static const char contract[] =
        "{\"type\":\"object\",\"properties\":{"
        "\"manager_id\":{\"type\":\"integer\"},\"who\":{\"type\":\"string\",\"x-pii\":true},\"not\":{\"x-pii\":false},"
        "\"mail\":{\"confluent:tags\":[\"OTHER\",\"PII\"]},\"other\":{\"confluent:tags\":[\"OTHER\"]},"
        "\"list\":{\"items\":{\"$ref\":\"#/$defs/person\"}},\"deep\":{\"allOf\":[{\"properties\":{\"a/b\":{\"x-pii\":true}}}]},"
        "\"whole\":{\"x-pii\":true,\"properties\":{\"in\":{\"x-pii\":true}}}},"
        "\"$defs\":{\"person\":{\"properties\":{\"name\":{\"x-pii\":true},\"age\":{}}}}}";
static const char circular[] = "{\"properties\":{\"manager_id\":{\"x-pii\":true},\"again\":{\"$ref\":\"#\"}}}";

struct seen {
        char text[1000];
        size_t stop;                    // after so many; 0: never
};

static bool see(void *context, const struct json *value, struct bytes pointer) {
        struct seen *seen = context;
        size_t size = strlen(seen->text);
        assert_non_null(value);
        snprintf(seen->text + size, sizeof seen->text - size, "%.*s ", BYTES_PRINT(pointer));
        return seen->stop == 0 || --seen->stop > 0;
}

static const struct model *of(const char *schema, const char *personal) {
        char text[200];
        fixture_write("contracts/ManagerCreated.v0.json", schema);
        snprintf(text, sizeof text, "    key: /manager_id\n%s", personal);
        return fixture_model("    key: /manager_id\n", text);
}

static const struct model_event *manager(const struct model *model) {
        return model_event_find(model, BYTES("ManagerCreated"));
}

static void tags_are_found_wherever_they_are(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = of(contract, "    personal: [/not, /nowhere/deeper]\n");
        const struct model_event *event = manager(model);
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *body;
        assert_true(event->is_personal);
        assert_false(event->key_is_personal);
        assert_true(json_parse(BYTES("{\"manager_id\":1,\"who\":\"x\",\"not\":2,\"mail\":null,\"other\":3,\"list\":[{\"name\":1,\"age\":2},"
                                     "{\"name\":3}],\"deep\":{\"a/b\":1},\"whole\":{\"in\":1}}"), NULL, &arena, &body, NULL));
        struct seen seen = {.text = ""};
        assert_true(model_personal_each(&event->versions[0], body, see, &seen));
        assert_string_equal(seen.text, "/who /mail /list/0/name /list/1/name /deep/a~1b /whole /not ");
        seen = (struct seen){.stop = 2};
        assert_false(model_personal_each(&event->versions[0], body, see, &seen));
        assert_string_equal(seen.text, "/who /mail ");
        assert_true(json_parse(BYTES("{\"list\":7}"), NULL, &arena, &body, NULL));
        seen = (struct seen){.text = ""};
        assert_true(model_personal_each(&event->versions[0], body, see, &seen));
        assert_string_equal(seen.text, "");
}

static void a_key_can_be_personal(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) tagged = of(circular, "");
        const struct model *CLEANUP(model_unrefp) named = of("{}", "    personal: [/manager_id]\n");
        const struct model *CLEANUP(model_unrefp) neither = of("{}", "    personal: [/manager]\n");
        assert_true(manager(tagged)->key_is_personal);
        assert_true(manager(named)->key_is_personal);
        assert_false(manager(neither)->key_is_personal);
        assert_true(manager(neither)->is_personal);
}

static void a_pointer_that_no_version_has_is_a_mistake(void **state) {
        (void)state;
        struct model_problems CLEANUP(model_problems_free) problems = {0};
        const struct model *model;
        struct error error;
        fixture_write("contracts/ManagerCreated.v0.json",
                      "{\"additionalProperties\": false, \"properties\": {\"manager_id\": {}, \"name\": {}}}");
        char *text = fixture_changed("    key: /manager_id\n", "    key: /manager_id\n    personal: [/name, /surname]\n");
        assert_false(model_parse(fixture_path, bytes_of(text), &model, &problems, &error));
        free(text);
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.list[0].sentence, "no version of ManagerCreated has /surname");
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(tags_are_found_wherever_they_are), cmocka_unit_test(a_key_can_be_personal),
                                           cmocka_unit_test(a_pointer_that_no_version_has_is_a_mistake)};
        return cmocka_run_group_tests_name("personal", tests, fixture_set_up, fixture_tear_down);
}
