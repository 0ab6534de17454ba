// SPDX-License-Identifier: Apache-2.0
// Which fields a version changed, and where else they are: contracts, mappings, templates, keys, what the owner gives, samples.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "migrate/where.h"

static char folder[] = "/tmp/commute-where-XXXXXX";

static const char *const names[] = {"Task.v0.json", "Task.v1.json", "Task.v2.json", "Rated.v0.json"};

// v0 -> v1: the title loses its area; v1 -> v2: the manager is inside a payload, behind a reference, and gets another type.
static const char *const contracts[] = {
        "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"title\":{\"type\":\"string\"},"
        "\"meta\":{\"$ref\":\"#/$defs/m\"}},\"$defs\":{\"m\":{\"properties\":{\"who\":{\"type\":\"integer\"},\"at\":{}}}}}",
        "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"area\":{\"type\":\"string\"},"
        "\"title\":{\"type\":\"string\"},\"meta\":{\"$ref\":\"#/$defs/m\"}},"
        "\"$defs\":{\"m\":{\"properties\":{\"who\":{\"type\":\"integer\"},\"at\":{}}}}}",
        "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"area\":{\"type\":\"string\"},"
        "\"title\":{\"type\":\"string\"},\"meta\":{\"$ref\":\"#/$defs/m\"}},"
        "\"$defs\":{\"m\":{\"properties\":{\"who\":{\"type\":\"string\"},\"at\":{}}}}}",
        "{\"type\":\"object\",\"properties\":{\"id\":{},\"of\":{\"items\":{\"properties\":{\"title\":{},\"who\":{}}}},"
        "\"kind\":{\"enum\":[{\"properties\":{\"title\":1}}]}}}",
};

static const char config[] =
        "services:\n  tasks: {url: \"http://127.0.0.1:1\"}\n  portal: {url: \"http://127.0.0.1:2\"}\n"
        "events:\n"
        "  Task:\n    from: tasks\n    topic: tasks\n    schemas: \"Task.v*.json\"\n    key: /id\n"
        "    capture: [\"PUT /tasks/{id}\"]\n    read: GET /tasks/{id}\n"
        "    versions:\n"
        "      1: {up: '. + {area: .title}', down: '{id, title, meta}'}\n"
        "      2: {up: {id: $event/id, area: $event/area, title: $event/title, meta: {who: x, at: $event/meta/at}}}\n"
        "  Rated:\n    from: tasks\n    topic: rated\n    schemas: \"Rated.v*.json\"\n    key: /id\n"
        "communications:\n"
        "  COMM-020:\n    data: tasks -> portal\n    initially: async\n    pull: GET /tasks/{id}\n"
        "    async: {event: Task, keep: portal, deliver: \"PUT /cards/{id}\", reads: [0, 1], unwrap: {card: $event/title}}\n"
        "  COMM-040:\n    functional: tasks -> portal\n    initially: sync\n    call: POST /x\n    key: $body/subtitle\n"
        "    async: {event: Rated, wrap: {id: $body/subtitle, of: [$body/title]}, unwrap: {name: $event/id, \"title\": 1}}\n";

static const struct model *set_up(void) {
        const struct model *model = NULL;
        struct error error;
        char path[128];
        snprintf(folder, sizeof folder, "/tmp/commute-where-XXXXXX");
        assert_non_null(mkdtemp(folder));
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(path, sizeof path, "%s/%s", folder, names[i]);
                FILE *file = fopen(path, "w");
                assert_non_null(file);
                fputs(contracts[i], file);
                fclose(file);
        }
        snprintf(path, sizeof path, "%s/commute.yaml", folder);
        if (!model_parse(path, bytes_of(config), &model, NULL, &error))
                fail_msg("%s", error.text);
        return model;
}

static void tear_down(const struct model *model) {
        char path[128];
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(path, sizeof path, "%s/%s", folder, names[i]);
                unlink(path);
        }
        rmdir(folder);
        model_unref(model);
}

static char *where(const struct model *model, const struct sampler *sampler, unsigned from, unsigned to) {
        struct buffer text = {0};
        struct json_writer writer = {.buffer = &text};
        where_write(&writer, model, sampler, model_event_find(model, BYTES("Task")), from, to);
        json_end(&writer);
        return buffer_take_text(&text);
}

static void has(const char *text, const char *field, const char *place) {
        char entry[300];
        snprintf(entry, sizeof entry, "{\"field\":\"%s\",\"place\":\"%s\"", field, place);
        if (!strstr(text, entry))
                fail_msg("not there: %s\n%s", entry, text);
}

static size_t count_of(const char *text) {
        size_t count = 0;
        for (const char *at = text; (at = strstr(at, "\"field\":")); at++)
                count++;
        return count;
}

static void a_text_that_lost_a_part(void **state) {
        (void)state;
        const struct model *model = set_up();
        char *text = where(model, NULL, 0, 1);
        has(text, "/title", "Task, `up` of version 1");
        has(text, "/title", "Task, `down` of version 1");
        has(text, "/title", "Task, `up` of version 2");
        has(text, "/title", "event Rated, version 0: /of/title");
        has(text, "/title", "COMM-020, `unwrap` of version 0");
        has(text, "/title", "COMM-040, `wrap` of version 0");
        has(text, "/title", "COMM-040, `unwrap` of version 0");         // a member's name is enough
        has(text, "/title", "tasks gives version 0: PUT /tasks/{id}");
        assert_int_equal(count_of(text), 8);            // neither a value of `enum`, nor another word that has it in it, as subtitle
        free(text);
        tear_down(model);
}

static void a_field_behind_a_reference_that_has_another_type(void **state) {
        (void)state;
        const struct model *model = set_up();
        char *text = where(model, NULL, 1, 2);
        has(text, "/meta/who", "event Rated, version 0: /of/who");
        has(text, "/meta/who", "Task, `up` of version 2");
        assert_null(strstr(text, "/meta/at"));
        assert_null(strstr(text, "gives version"));     // the owner gives version 0
        free(text);
        text = where(model, NULL, 1, 1);                // nothing moves
        assert_string_equal(text, "[]");
        free(text);
        text = where(model, NULL, 1, 7);                // there is no such version
        assert_string_equal(text, "[]");
        free(text);
        tear_down(model);
}

static void bodies_that_passed(void **state) {
        (void)state;
        const struct model *model = set_up();
        struct sampler *sampler = sampler_new(model->communication_count);
        size_t call = model_communication_find(model, BYTES("COMM-040"))->index;
        sampler_offer(sampler, call, SAMPLER_REQUEST, BYTES("{\"task\":{\"title\":\"[A] secret\"},\"subtitle\":1}"));
        sampler_offer(sampler, call, SAMPLER_ANSWER, BYTES("not JSON"));
        sampler_digest(sampler, 5000);
        sampler_offer(sampler, call, SAMPLER_REQUEST, BYTES("{\"other\":1}"));
        sampler_digest(sampler, 6000);
        char *text = where(model, sampler, 0, 1);
        const char *entry = "{\"field\":\"/title\",\"place\":\"COMM-040, requests: /task/title in 1 of 2 samples\","
                            "\"communication\":\"COMM-040\",\"direction\":\"request\",\"pointer\":\"/task/title\",\"samples\":1,"
                            "\"looked_at\":2,\"last\":5000}";
        if (!strstr(text, entry))
                fail_msg("not there: %s\n%s", entry, text);
        assert_int_equal(count_of(text), 9);
        assert_null(strstr(text, "secret"));
        free(text);
        struct buffer samples = {0};
        struct json_writer writer = {.buffer = &samples};
        where_write_samples(&writer, model, sampler);
        json_end(&writer);
        text = buffer_take_text(&samples);
        assert_string_equal(text, "[{\"communication\":\"COMM-040\",\"direction\":\"request\",\"looked_at\":2,\"not_json\":0,"
                                  "\"too_large\":0,\"missed\":0,\"more\":0},"
                                  "{\"communication\":\"COMM-040\",\"direction\":\"answer\",\"looked_at\":0,\"not_json\":1,"
                                  "\"too_large\":0,\"missed\":0,\"more\":0}]");
        free(text);
        sampler_free(sampler);
        tear_down(model);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_text_that_lost_a_part),
                cmocka_unit_test(a_field_behind_a_reference_that_has_another_type),
                cmocka_unit_test(bodies_that_passed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
