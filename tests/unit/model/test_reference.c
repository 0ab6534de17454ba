// SPDX-License-Identifier: Apache-2.0
// Values of references: the lane's key of a call and of its event are the same bytes, whatever they are written like.
#include "fixture.h"

static struct arena arena;

static const struct json *parsed(const char *text) {
        const struct json *root;
        struct error error;
        assert_true(json_parse(bytes_of(text), NULL, &arena, &root, &error));
        return root;
}

// The key of COMM-040 in a call's body, or NULL.
static const char *key_of(const struct model *model, const char *body) {
        const struct model_communication *one = model_communication_find(model, BYTES("COMM-040"));
        struct model_request request = {.body = body ? parsed(body) : NULL};
        struct bytes value;
        struct error error = {0};
        if (model_reference_value(&one->key, &request, &arena, &value, &error))
                return arena_text(&arena, value);
        assert_int_equal(error.code, ERROR_REJECTED);
        assert_non_null(strstr(error.text, "$body/task_id"));
        return NULL;
}

static void numbers_and_strings_of_one_value_are_one_key(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model("threads: 2", "threads: 2");
        static const char *const same[] = {"{\"task_id\": 17}", "{\"task_id\": \"17\"}", "{\"task_id\": 17.0}",
                                           "{\"task_id\": 170e-1}"};
        for (size_t i = 0; i < ARRAY_SIZE(same); i++)
                assert_string_equal(key_of(model, same[i]), "17");
        assert_string_equal(key_of(model, "{\"task_id\": -0}"), "0");
        assert_string_equal(key_of(model, "{\"task_id\": 123456789012345678901234567890}"), "123456789012345678901234567890");
        struct bytes value;
        struct error error;
        const struct model_event *event = model_event_find(model, BYTES("TaskCompleted"));
        assert_true(model_event_key(event, 0, &(struct template_inputs){.event = parsed("{\"payload\": {\"task_id\": 17}}")}, &arena,
                                    &value, &error));
        assert_true(bytes_equal(value, BYTES("17")));
        assert_false(model_event_key(event, 0, &(struct template_inputs){.event = parsed("{\"payload\": {}}")}, &arena, &value, &error));
        assert_string_equal(error.text, "key of TaskCompleted: /payload/task_id is not there");
}

static void what_is_no_value_is_refused(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model("threads: 2", "threads: 2");
        static const char *const bad[] = {NULL, "{}", "7", "{\"task_id\": null}", "{\"task_id\": true}", "{\"task_id\": []}",
                                          "{\"task_id\": {}}", "{\"task_id\": \"\"}"};
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_null(key_of(model, bad[i]));
}

static void a_key_may_be_in_the_path_or_the_query(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model(
                NULL, "services: {a: {url: \"http://a\"}, b: {url: \"http://b\"}}\ncommunications:\n"
                      "  p: {functional: a -> b, initially: sync, call: \"POST /x/{id}\", key: $path/id}\n"
                      "  q: {functional: a -> b, initially: sync, call: POST /x, key: $query/id}\n");
        const struct named_value twice[] = {{BYTES("id"), BYTES("7")}, {BYTES("x"), BYTES("9")}, {BYTES("id"), BYTES("8")}};
        struct model_request request = {.path = twice, .path_count = 2, .query = twice, .query_count = 2};
        struct bytes value;
        struct error error;
        for (size_t i = 0; i < 2; i++) {
                assert_true(model_reference_value(&model->communications[i].key, &request, &arena, &value, &error));
                assert_true(bytes_equal(value, BYTES("7")));
        }
        request.query_count = 3;
        assert_false(model_reference_value(&model->communications[1].key, &request, &arena, &value, &error));
        assert_string_equal(error.text, "$query/id is there more than once");
}

static void a_delivery_is_rendered_from_its_event(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model(
                "deliver: \"PUT /ratings/{task_id}\"}",
                "deliver: \"PUT /r/{stars}/{task_id}\"}\n    variables: {stars: $event/rating}");
        const struct model_communication *one = model_communication_find(model, BYTES("COMM-060"));
        struct buffer CLEANUP(buffer_free) text = {0};
        struct error error;
        struct template_inputs inputs = {.event = parsed("{\"task_id\": 17, \"rating\": \"a b\"}")};
        struct model_delivered delivered = {.inputs = &inputs};
        assert_true(model_delivery_render(&one->async->deliver, &delivered, &arena, &text, &error));
        assert_true(bytes_equal(buffer_bytes(&text), BYTES("/r/a%20b/17")));
        inputs.event = parsed("{\"task_id\": 17}");
        assert_false(model_delivery_render(&one->async->deliver, &delivered, &arena, &text, &error));
        assert_string_equal(error.text, "PUT /r/{stars}/{task_id}: $event/rating is not there");
}

// The key is where the version has it; others are where it has them, else where version 0 has them.
static void a_target_follows_the_version(void **state) {
        (void)state;
        fixture_write("contracts/TaskRatingChanged.v1.json",
                      "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"about\": {}, \"task_id\": {}}}");
        const struct model *CLEANUP(model_unrefp) model = fixture_model(
                "    key: /task_id\n    capture: [\"PUT /tasks/{task_id}/rating\"]\n"
                "communications:\n", "    key: /task_id\n    capture: [\"PUT /tasks/{task_id}/rating\"]\n"
                "    versions: {1: {key: /about/id, up: '.'}}\ncommunications:\n");
        const struct model *CLEANUP(model_unrefp) both = fixture_model(
                "    capture: [\"PUT /tasks/{task_id}/rating\"]\ncommunications:\n",
                "    capture: [\"PUT /tasks/{task_id}/rating\"]\n    versions: {1: {key: /about/id, up: '.', down: '.'}}\n"
                "communications:\n");
        fixture_write("contracts/TaskRatingChanged.v1.json", "{\"type\": \"object\"}");
        const struct model_delivery *keyed = &model_communication_find(model, BYTES("COMM-060"))->async->deliver;
        struct model_delivery rated = *keyed;
        struct model_reference reference = keyed->variables[0];
        struct bytes token = BYTES("rating");
        struct buffer CLEANUP(buffer_free) text = {0};
        struct error error;
        struct template_inputs inputs = {.event = parsed("{\"about\": {\"id\": 17}, \"task_id\": 99}")};
        struct model_delivered delivered = {.version = 1, .inputs = &inputs};
        assert_true(keyed->key_only);
        assert_false(model_delivery_wants_old(keyed, 1, inputs.event, &arena));
        assert_true(model_delivery_render(keyed, &delivered, &arena, &text, &error));
        assert_true(bytes_equal(buffer_bytes(&text), BYTES("/ratings/17")));    // not 99, where version 0 has it
        assert_null(model_delivery_lacks(keyed, 1));
        // the same target with a variable that is not the key, and that version 1 has not
        reference.pointer = (struct json_pointer){&token, 1};
        reference.text = "$event/rating";
        rated.variables = &reference;
        rated.key_only = false;
        assert_true(model_delivery_wants_old(&rated, 1, inputs.event, &arena));
        assert_false(model_delivery_wants_old(&rated, 0, inputs.event, &arena));
        assert_false(model_delivery_render(&rated, &delivered, &arena, &text, &error));
        assert_string_equal(error.text, "PUT /ratings/{task_id}: $event/rating is not there");
        delivered.old = parsed("{\"rating\": 5}");
        buffer_clear(&text);
        assert_true(model_delivery_render(&rated, &delivered, &arena, &text, &error));
        assert_true(bytes_equal(buffer_bytes(&text), BYTES("/ratings/5")));
        assert_string_equal(model_delivery_lacks(&rated, 1), "$event/rating");
        assert_null(model_delivery_lacks(&rated, 0));
        rated.event = model_event_find(both, BYTES("TaskRatingChanged"));       // with a way back to version 0
        assert_null(model_delivery_lacks(&rated, 1));
}

static int free_arena(void **state) {
        arena_free(&arena);
        return fixture_tear_down(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers_and_strings_of_one_value_are_one_key),
                cmocka_unit_test(what_is_no_value_is_refused),
                cmocka_unit_test(a_key_may_be_in_the_path_or_the_query),
                cmocka_unit_test(a_delivery_is_rendered_from_its_event),
                cmocka_unit_test(a_target_follows_the_version),
        };
        return cmocka_run_group_tests_name("reference", tests, fixture_set_up, free_arena);
}
