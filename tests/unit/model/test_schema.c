// SPDX-License-Identifier: Apache-2.0
// The published JSON Schema and the reader know the same keys, and a good configuration fits it.
#include "fixture.h"

#include "model/reader_priv.h"
#include "schema/schema.h"

static const struct json *root;
static struct arena arena;

#define COMMUNICATION "/properties/communications/additionalProperties"
#define EVENT "/properties/events/additionalProperties"
#define SERVICE "/properties/services/additionalProperties"

static void both_know_the_same_keys(void **state) {
        (void)state;
        const struct {
                const struct reader_table *table;
                const char *place;
        } pairs[] = {
                {&reader_top, ""}, {&reader_listen, "/properties/listen"}, {&reader_limits, "/properties/limits"},
                {&reader_defaults, "/properties/defaults"}, {&reader_shadow, "/$defs/shadow"}, {&reader_retry, "/$defs/retry"},
                {&reader_service, SERVICE}, {&reader_auth, SERVICE "/properties/auth"}, {&reader_event, EVENT},
                {&reader_backfill, EVENT "/properties/backfill/anyOf/1"}, {&reader_communication, COMMUNICATION},
                {&reader_recognises, COMMUNICATION "/properties/recognises/anyOf/1"},
                {&reader_async, COMMUNICATION "/properties/async"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
                struct json_pointer pointer;
                assert_true(json_pointer_parse(bytes_of(pairs[i].place), &arena, &pointer, NULL));
                const struct json *schema = json_pointer_resolve(&pointer, root);
                const struct json *properties = json_get_text(schema, "properties"), *required = json_get_text(schema, "required");
                assert_true(json_is(properties, JSON_OBJECT));
                assert_false(json_bool(json_get_text(schema, "additionalProperties")));
                size_t keys = 0, needed = 0;
                for (size_t j = 0; j < pairs[i].table->count; j++) {
                        const struct reader_key *key = &pairs[i].table->keys[j];
                        bool has = json_get_text(properties, key->name);
                        if (has == (key->need == LATER))
                                fail_msg("%s: %s", pairs[i].place, key->name);
                        keys += key->need != LATER;
                        needed += key->need == REQUIRED;
                }
                assert_int_equal(json_count(properties), keys);
                assert_int_equal(required ? json_count(required) : 0, needed);
        }
}

static enum schema_verdict verdict_of(const struct schema *schema, const char *yaml) {
        struct problems *problems = must_calloc(1, sizeof *problems);
        const struct yaml_node *node;
        const struct json *instance;
        struct buffer CLEANUP(buffer_free) text = {0};
        struct json_writer writer = {.buffer = &text};
        problems->arena = &arena;
        assert_true(yaml_read(bytes_of(yaml), &arena, problems, &node));
        assert_true(yaml_to_json(node, problems, &writer));
        free(problems);
        struct bytes json = arena_copy(&arena, buffer_bytes(&text));
        assert_true(json_parse(json, NULL, &arena, &instance, NULL));
        return schema_verdict(schema, instance, &arena);
}

static void a_good_configuration_fits_and_a_bad_one_does_not(void **state) {
        (void)state;
        static const char *const bad[][2] = {
                {"threads: 2", "thread: 2"}, {"threads: 2", "threads: two"}, {"max_body: 1MiB", "max_body: 1MB"},
                {"deadline: 25ms", "deadline: 25"}, {"partitions: 8", "partitions: 257"}, {"    from: staff\n", ""},
                {"key: /manager_id", "key: manager_id"}, {"initially: sync", "initially: sometimes"},
                {"call: POST /accruals", "call: /accruals"}, {"functional: tasks -> bonuses", "data: tasks"},
                {"answer: 201", "answer: 404"}, {"refusal: discard", "refusal: retry"}, {"key: $body/task_id", "key: task_id"},
        };
        struct schema *schema;
        struct error error;
        assert_true(schema_compile(model_schema(), NULL, &schema, &error));
        assert_int_equal(verdict_of(schema, good_text), SCHEMA_VALID);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                char *CLEANUP(free_pointer) text = fixture_changed(bad[i][0], bad[i][1]);
                if (verdict_of(schema, text) != SCHEMA_INVALID)
                        fail_msg("fits: %s", bad[i][1]);
        }
        schema_free(schema);
}

static int set_up(void **state) {
        struct error error;
        (void)state;
        if (!json_parse(model_schema(), NULL, &arena, &root, &error))
                fail_msg("%s", error.text);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        arena_free(&arena);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_know_the_same_keys),
                cmocka_unit_test(a_good_configuration_fits_and_a_bad_one_does_not),
        };
        return cmocka_run_group_tests_name("schema", tests, set_up, tear_down);
}
