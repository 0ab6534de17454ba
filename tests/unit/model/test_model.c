// SPDX-License-Identifier: Apache-2.0
// What a good configuration becomes: structs, defaults, references, the hash; and the life of a model.
#include "fixture.h"

#include "schema/schema.h"

static const struct model_communication *communication(const struct model *model, const char *name) {
        const struct model_communication *found = model_communication_find(model, bytes_of(name));
        assert_non_null(found);
        assert_string_equal(found->name, name);
        return found;
}

static void a_configuration_becomes_services_and_events(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model("threads: 2", "threads: 2");
        assert_int_equal(model->service_count, 4);
        const struct model_service *bonuses = model_service_find(model, BYTES("bonuses"));
        assert_ptr_equal(bonuses, &model->services[2]);
        assert_string_equal(bonuses->url, "http://bonuses:7003");
        assert_string_equal(bonuses->bearer, "s3cret");
        assert_null(model->services[0].bearer);
        assert_null(model_service_find(model, BYTES("bonus")));
        const struct model_event *event = model_event_find(model, BYTES("ManagerCreated"));
        assert_ptr_equal(event->from, &model->services[0]);
        assert_int_equal(event->version_count, 1);
        assert_int_equal(event->partitions, 4);
        assert_int_equal(event->capture_count, 2);
        assert_string_equal(target_method(event->captures[1]), "PUT");
        assert_string_equal(target_source(event->backfill->call), "GET /managers?after={cursor}");
        assert_int_equal(event->backfill->items.count, 1);
        assert_string_equal(event->backfill->start, "");
        assert_ptr_equal(event->reader, communication(model, "COMM-010"));
        assert_string_equal(target_source(event->read), "GET /managers/{manager_id}");         // the communication's pull
        event = model_event_find(model, BYTES("TaskRatingChanged"));
        assert_int_equal(event->version_count, 2);
        assert_int_equal(event->versions[1].version, 1);
        assert_int_equal(event->partitions, 8);
        assert_int_equal(event->retention_ms, UINT64_C(7) * 24 * 3600 * 1000);
}

static void a_configuration_becomes_communications(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model("threads: 2", "threads: 2");
        const struct model_communication *one = communication(model, "COMM-040");
        assert_int_equal(one->kind, MODEL_FUNCTIONAL);
        assert_int_equal(one->modes, 1u << MODEL_SYNC | 1u << MODEL_ASYNC);
        assert_string_equal(one->to->name, "bonuses");
        assert_string_equal(one->key.text, "$body/task_id");
        assert_string_equal(one->recognises.header, "Idempotency-Key");
        assert_string_equal(one->recognises.replayed_name, "Idempotent-Replayed");
        assert_string_equal(one->recognises.replayed_value, "true");
        assert_string_equal(target_source(one->recognises.probe), "POST /probe");
        assert_int_equal(one->async->answer, 201);
        assert_int_equal(one->async->refusal, MODEL_DISCARD);
        assert_ptr_equal(one->async->deliver.target, one->call);
        assert_int_equal(one->header_count, 1);
        assert_int_equal(one->tuning.deadline_ms, 40);
        assert_int_equal(one->tuning.settle_ms, 30000);
        one = communication(model, "COMM-010");
        assert_true(one->async->keep_gateway);
        assert_int_equal(one->partitions, 4);                   // its event's
        assert_int_equal(one->modes, 1u << MODEL_PULL | 1u << MODEL_ASYNC);
        assert_null(one->recognises.header);
        one = communication(model, "COMM-060");
        assert_false(one->async->keep_gateway);
        assert_int_equal(one->initially, MODEL_ASYNC);
        assert_int_equal(one->modes, 1u << MODEL_PULL | 1u << MODEL_PUSH | 1u << MODEL_ASYNC);
        assert_string_equal(one->async->deliver.variables[0].text, "$event/task_id");
        assert_string_equal(one->key.text, "$event/task_id");
        assert_int_equal(one->may_differ_count, 1);
        assert_int_equal(one->async->refusal, MODEL_PARK);
}

static void what_is_not_written_has_its_default(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model(
                NULL, "services: {a: {url: \"http://a\"}, b: {url: \"http://b\"}}\n"
                      "communications: {c: {functional: a -> b, initially: sync, call: POST /x}}\n");
        char data[128];
        snprintf(data, sizeof data, "%s/commute-data", fixture_folder);
        assert_string_equal(model->settings.data, data);
        assert_string_equal(model->settings.gateway, "127.0.0.1:8080");
        assert_int_equal(model->settings.threads, 0);
        assert_int_equal(model->settings.max_body, 1 << 20);
        assert_int_equal(model->settings.max_backlog, 100000);
        assert_int_equal(model->settings.max_registry, 1 << 30);
        const struct model_communication *one = communication(model, "c");
        assert_int_equal(one->partitions, 8);
        assert_int_equal(one->modes, 1u << MODEL_SYNC);
        assert_int_equal(one->tuning.shadow_messages, 200);
        assert_int_equal(one->tuning.shadow_ms, 600000);
        assert_int_equal(one->tuning.deadline_ms, 25);
        assert_int_equal(one->tuning.identity_window_ms, UINT64_C(7) * 24 * 3600 * 1000);
        assert_int_equal(one->tuning.retry_first_ms, 100);
        assert_int_equal(one->tuning.in_flight, 64);
        assert_false(one->has_key);
        assert_null(one->async);
}

static void the_hash_is_of_what_holds_not_of_how_it_is_written(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model = fixture_model("threads: 2", "threads: 2");
        const struct model *CLEANUP(model_unrefp) same = fixture_model("deadline: 25ms, settle: 30s", "settle: 30000ms");
        const struct model *CLEANUP(model_unrefp) other = fixture_model("settle: 30s", "settle: 31s");
        assert_string_equal(model->hash_text, same->hash_text);
        assert_memory_equal(model->hash, same->hash, MODEL_HASH_SIZE);
        assert_string_not_equal(model->hash_text, other->hash_text);
        assert_int_equal(strlen(model->hash_text), 64);
        assert_false(bytes_equal(communication(model, "COMM-010")->canonical, communication(other, "COMM-010")->canonical));
        assert_null(memmem(model->canonical.data, model->canonical.size, "s3cret", 6));
        fixture_write("contracts/ManagerCreated.v0.json", "{\"properties\": {\"manager_id\": {\"type\": \"number\"}}}");
        const struct model *CLEANUP(model_unrefp) contract = fixture_model("threads: 2", "threads: 2");
        assert_string_not_equal(model->hash_text, contract->hash_text);
}

static void the_canonical_configuration_is_a_configuration(void **state) {
        (void)state;
        struct arena CLEANUP(arena_free) arena = {0};
        const struct model *CLEANUP(model_unrefp) model = fixture_model("threads: 2", "threads: 2");
        const struct json *root;
        struct error error;
        assert_true(json_parse(model->canonical, NULL, &arena, &root, &error));
        const struct json *one = json_get_text(json_get_text(root, "communications"), "COMM-040");
        assert_true(bytes_equal(json_text(json_get_text(one, "functional")), BYTES("tasks -> bonuses")));
        const struct json *wrap = json_get_text(json_get_text(one, "async"), "wrap");
        assert_true(bytes_equal(json_text(json_get_text(wrap, "payload")), BYTES("$body")));
        struct buffer CLEANUP(buffer_free) text = {0};
        json_canonical(&text, one);
        assert_true(bytes_equal(buffer_bytes(&text), communication(model, "COMM-040")->canonical));
}

static void a_model_lives_as_long_as_somebody_holds_it(void **state) {
        (void)state;
        const struct model *model = fixture_model("threads: 2", "threads: 2");
        const struct model *held = model_ref(model);
        model_unref(model);
        assert_string_equal(communication(held, "COMM-040")->to->name, "bonuses");
        model_unref(held);
        model_unref(NULL);
}

static void a_file_is_read_and_paths_are_of_its_folder(void **state) {
        (void)state;
        struct error error;
        const struct model *model = NULL;
        assert_false(model_load(fixture_path, &model, NULL, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        fixture_write("commute.yaml", good_text);
        assert_true(model_load(fixture_path, &model, NULL, &error));
        assert_int_equal(model_event_find(model, BYTES("TaskCompleted"))->version_count, 1);
        model_unref(model);
        fixture_remove("commute.yaml");
}

static void versions_have_mappings_keys_and_readers(void **state) {
        (void)state;
        fixture_write("up.jq", ".rating = 1");
        const struct model *CLEANUP(model_unrefp) model = fixture_model(
                "    key: /task_id\n",
                "    key: /task_id\n    produces: 1\n    owner: stays\n    personal: [/who, \"\"]\n"
                "    versions:\n      1: {up: up.jq, down: {task_id: $event/id}, key: /id}\n");
        const struct model_event *event = model_event_find(model, BYTES("TaskRatingChanged"));
        assert_int_equal(event->produces, 1);
        assert_true(event->owner_stays);
        assert_false(model_event_find(model, BYTES("ManagerCreated"))->owner_stays);
        assert_int_equal(event->personal_count, 2);
        assert_int_equal(event->personal[0].count, 1);
        assert_int_equal(model->program_count, 1);
        const struct model_mapping *up = model_step(event, 0, true), *down = model_step(event, 1, false);
        assert_null(up->template);
        assert_true(bytes_equal(model->programs[up->program], BYTES(".rating = 1")));
        assert_non_null(down->template);
        assert_null(model_step(event, 1, true));
        assert_null(model_step(event, 0, false));
        assert_true(model_way(event, 0, 1, NULL));
        assert_true(model_way(event, 1, 0, NULL));
        assert_true(model_way(event, 1, 1, NULL));
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *body;
        struct bytes key;
        struct error error;
        assert_true(json_parse(BYTES("{\"id\": 7, \"task_id\": 8}"), NULL, &arena, &body, NULL));
        assert_true(model_event_key(event, 1, &(struct template_inputs){.event = body}, &arena, &key, &error));
        assert_true(bytes_equal(key, BYTES("7")));
        assert_true(model_event_key(event, 0, &(struct template_inputs){.event = body}, &arena, &key, &error));
        assert_true(bytes_equal(key, BYTES("8")));
        fixture_remove("up.jq");
}

static void a_key_may_be_made_by_a_template(void **state) {
        (void)state;
        const struct model *CLEANUP(model_unrefp) model =
                fixture_model("    key: /task_id\n", "    key: /task_id\n    versions: {1: {key: {$ref: 1}}}\n");
        const struct model_event *event = model_event_find(model, BYTES("TaskRatingChanged"));
        struct arena CLEANUP(arena_free) arena = {0};
        struct bytes key;
        struct error error;
        assert_non_null(event->versions[1].key_template);
        assert_false(model_event_key(event, 1, &(struct template_inputs){0}, &arena, &key, &error));    // an object is no key
        assert_int_equal(error.code, ERROR_REJECTED);
}

static void what_a_reader_understands_is_the_nearest_version(void **state) {
        (void)state;
        fixture_write("contracts/TaskRatingChanged.v2.json", "{}");
        fixture_write("contracts/TaskRatingChanged.v3.json", "{}");
        const struct model *CLEANUP(model_unrefp) model = fixture_model("keep: bonuses,", "keep: bonuses, reads: [0, 2],");
        const struct model_async *async = communication(model, "COMM-060")->async;
        assert_true(model_reads(async, 0));
        assert_false(model_reads(async, 1));
        assert_int_equal(model_reads_instead(async, 0), 0);
        assert_int_equal(model_reads_instead(async, 1), 2);
        assert_int_equal(model_reads_instead(async, 3), 2);
        assert_int_equal(async->form_count, 4);
        unsigned missing = 7;
        assert_false(model_way(async->event, 0, 3, &missing));
        assert_int_equal(missing, 1);
        assert_false(model_way(async->event, 0, 1, &missing));  // the last step is one, too
        assert_int_equal(missing, 1);
        assert_false(model_way(async->event, 1, 0, &missing));
        assert_int_equal(missing, 0);
        fixture_remove("contracts/TaskRatingChanged.v2.json");
        fixture_remove("contracts/TaskRatingChanged.v3.json");
}

static void calls_have_a_form_for_each_version(void **state) {
        (void)state;
        fixture_write("contracts/TaskCompleted.v1.json", "{\"type\": \"object\"}");
        const struct model *CLEANUP(model_unrefp) model = fixture_model(
                "      refusal: discard\n",
                "      reads: [0, 1]\n      versions: {1: {wrap: {payload: {task_id: $body/task_id}}, unwrap: $event/payload}}\n");
        const struct model_async *async = communication(model, "COMM-040")->async;
        assert_int_equal(async->form_count, 2);
        assert_ptr_equal(async->forms[0].wrap, async->wrap);
        assert_non_null(async->forms[1].wrap);
        assert_non_null(async->forms[1].unwrap);
        assert_int_equal(async->read_count, 2);
        const struct model *CLEANUP(model_unrefp) other = fixture_model("threads: 2", "threads: 2");
        assert_string_not_equal(model->hash_text, other->hash_text);
        // the order of a call and of its event are the same in each version
        char *CLEANUP(free_pointer) text = fixture_changed(
                "      refusal: discard\n", "      versions: {1: {wrap: {payload: {task_id: $body/other}}}}\n");
        const struct model *none = NULL;
        struct error error;
        assert_false(model_parse(fixture_path, bytes_of(text), &none, NULL, &error));
        assert_non_null(strstr(error.text, "the key of TaskCompleted, /payload/task_id, is $body/other of the call by wrap"));
        fixture_remove("contracts/TaskCompleted.v1.json");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_configuration_becomes_services_and_events),
                cmocka_unit_test(a_configuration_becomes_communications),
                cmocka_unit_test(what_is_not_written_has_its_default),
                cmocka_unit_test(the_canonical_configuration_is_a_configuration),
                cmocka_unit_test(a_model_lives_as_long_as_somebody_holds_it),
                cmocka_unit_test(a_file_is_read_and_paths_are_of_its_folder),
                cmocka_unit_test(versions_have_mappings_keys_and_readers),
                cmocka_unit_test(a_key_may_be_made_by_a_template),
                cmocka_unit_test(what_a_reader_understands_is_the_nearest_version),
                cmocka_unit_test(calls_have_a_form_for_each_version),
                cmocka_unit_test(the_hash_is_of_what_holds_not_of_how_it_is_written),  // last: changes a contract
        };
        return cmocka_run_group_tests_name("model", tests, fixture_set_up, fixture_tear_down);
}
