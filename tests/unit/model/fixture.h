// SPDX-License-Identifier: Apache-2.0
// A folder with contracts and a token, and a good configuration in which the tests change one thing at a time.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model.h"

// Line 1 is the first line here.
static const char good_text[] =
        "listen: {gateway: 127.0.0.1:8080, registry: 127.0.0.1:8081, control: 127.0.0.1:8082}\n"                        // 1
        "data: ./commute-data\n"                                                                                        // 2
        "threads: 2\n"                                                                                                  // 3
        "limits: {max_body: 1MiB, max_backlog: 1000}\n"                                                                 // 4
        "defaults: {shadow: {messages: 200, minutes: 10}, deadline: 25ms, settle: 30s, partitions: 8, retention: 7d}\n" // 5
        "services:\n"                                                                                                   // 6
        "  staff: {url: \"http://staff:7001\"}\n"                                                                       // 7
        "  tasks: {url: \"http://tasks:7002/base\"}\n"                                                                  // 8
        "  bonuses: {url: \"http://bonuses:7003\", auth: {bearer_file: bonuses.token}}\n"                               // 9
        "  portal: {url: \"http://portal:7004\"}\n"                                                                     // 10
        "events:\n"                                                                                                     // 11
        "  ManagerCreated:\n"                                                                                           // 12
        "    from: staff\n"                                                                                             // 13
        "    topic: manager-streaming\n"                                                                                // 14
        "    schemas: contracts/ManagerCreated.v*.json\n"                                                               // 15
        "    key: /manager_id\n"                                                                                        // 16
        "    capture: [POST /managers, \"PUT /managers/{manager_id}\"]\n"                                               // 17
        "    backfill: GET /managers?after={cursor}\n"                                                                  // 18
        "    partitions: 4\n"                                                                                           // 19
        "  TaskCompleted:\n"                                                                                            // 20
        "    from: tasks\n"                                                                                             // 21
        "    topic: task-completed\n"                                                                                   // 22
        "    schemas: contracts/TaskCompleted.v*.json\n"                                                                // 23
        "    key: /payload/task_id\n"                                                                                   // 24
        "  TaskRatingChanged:\n"                                                                                        // 25
        "    from: tasks\n"                                                                                             // 26
        "    topic: task-ratings\n"                                                                                     // 27
        "    schemas: contracts/TaskRatingChanged.v*.json\n"                                                            // 28
        "    key: /task_id\n"                                                                                           // 29
        "    capture: [\"PUT /tasks/{task_id}/rating\", \"DELETE /tasks/{task_id}/rating\"]\n"                          // 30
        "communications:\n"                                                                                             // 31
        "  COMM-010:\n"                                                                                                 // 32
        "    data: staff -> portal\n"                                                                                   // 33
        "    initially: pull\n"                                                                                         // 34
        "    pull: GET /managers/{manager_id}\n"                                                                        // 35
        "    async: {event: ManagerCreated, keep: gateway}\n"                                                           // 36
        "  COMM-040:\n"                                                                                                 // 37
        "    functional: tasks -> bonuses\n"                                                                            // 38
        "    initially: sync\n"                                                                                         // 39
        "    call: POST /accruals\n"                                                                                    // 40
        "    key: $body/task_id\n"                                                                                      // 41
        "    recognises: {header: Idempotency-Key, replayed: \"Idempotent-Replayed: true\", probe: POST /probe}\n"      // 42
        "    headers: [Accept-Language]\n"                                                                              // 43
        "    deadline: 40ms\n"                                                                                          // 44
        "    async:\n"                                                                                                  // 45
        "      event: TaskCompleted\n"                                                                                  // 46
        "      answer: 201\n"                                                                                           // 47
        "      wrap: {event_id: $sequence, created_at: $now, payload: $body}\n"                                         // 48
        "      unwrap: $event/payload\n"                                                                                // 49
        "      refusal: discard\n"                                                                                      // 50
        "  COMM-060:\n"                                                                                                 // 51
        "    data: tasks -> bonuses\n"                                                                                  // 52
        "    initially: async\n"                                                                                        // 53
        "    async: {event: TaskRatingChanged, keep: bonuses, deliver: \"PUT /ratings/{task_id}\"}\n"                   // 54
        "    pull: GET /tasks/{task_id}/rating\n"                                                                       // 55
        "    push: PUT /ratings/{task_id}\n"                                                                            // 56
        "    may_differ: [/rating_version]\n";                                                                          // 57

static char fixture_folder[] = "/tmp/commute-model-XXXXXX";
static char fixture_path[64];           // of commute.yaml, which is not there

static inline void fixture_write(const char *name, const char *text) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
        assert_int_equal(fclose(file), 0);
}

static inline void fixture_remove(const char *name) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", fixture_folder, name);
        IGNORE(remove(path));           // where it was never made
}

static inline int fixture_set_up(void **state) {
        (void)state;
        char path[256];
        assert_non_null(mkdtemp(fixture_folder));
        snprintf(fixture_path, sizeof fixture_path, "%s/commute.yaml", fixture_folder);
        snprintf(path, sizeof path, "%s/contracts", fixture_folder);
        assert_int_equal(mkdir(path, 0700), 0);
        fixture_write("bonuses.token", "s3cret\n");
        fixture_write("contracts/ManagerCreated.v0.json",
                      "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"manager_id\"],"
                      " \"properties\": {\"manager_id\": {\"type\": \"integer\"}, \"name\": {\"type\": \"string\"}}}");
        fixture_write("contracts/TaskCompleted.v0.json",
                      "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"event_id\", \"payload\", \"name\"],"
                      " \"properties\": {\"event_id\": {}, \"created_at\": {}, \"name\": {\"default\": \"x\"},"
                      " \"payload\": {\"$ref\": \"#/$defs/p\"}},"
                      " \"$defs\": {\"p\": {\"additionalProperties\": false, \"properties\": {\"task_id\": {}, \"person\": {}}}}}");
        fixture_write("contracts/TaskRatingChanged.v0.json",
                      "{\"type\": \"object\", \"additionalProperties\": false,"
                      " \"properties\": {\"task_id\": {\"type\": \"integer\"}, \"rating\": {}}}");
        fixture_write("contracts/TaskRatingChanged.v1.json", "{\"type\": \"object\"}");
        fixture_write("contracts/Gap.v0.json", "{}");
        fixture_write("contracts/Gap.v2.json", "{}");
        fixture_write("contracts/Bad.v0.json", "{\"type\": 7}");
        fixture_write("contracts/Odd.vfirst.json", "{}");
        fixture_write("contracts/notjson.v0.json", "{");
        fixture_write("empty.token", "\n");
        fixture_write("spaced.token", "two words\n");
        fixture_write("broken.jq", ".a |\n. | | .");
        return 0;
}

static inline int fixture_tear_down(void **state) {
        static const char *const names[] = {
                "bonuses.token", "contracts/ManagerCreated.v0.json", "contracts/TaskCompleted.v0.json", "empty.token",
                "contracts/TaskRatingChanged.v0.json", "contracts/TaskRatingChanged.v1.json", "contracts/Gap.v0.json",
                "contracts/Gap.v2.json", "contracts/Bad.v0.json", "contracts/Odd.vfirst.json", "contracts/notjson.v0.json",
                "spaced.token", "broken.jq", "commute.yaml", "contracts", ""};
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                fixture_remove(names[i]);
        return 0;
}

// The good configuration with the first `find` replaced; NULL find: `replace` alone. The caller frees it.
static inline char *fixture_changed(const char *find, const char *replace) {
        struct buffer text = {0};
        const char *at = find ? strstr(good_text, find) : good_text;
        if (!at)
                fail_msg("not in the good configuration: %s", find);
        if (find) {
                buffer_append(&text, (struct bytes){good_text, (size_t)(at - good_text)});
                buffer_append(&text, bytes_of(replace));
                buffer_append(&text, bytes_of(at + strlen(find)));
        } else {
                buffer_append(&text, bytes_of(replace));
        }
        return buffer_take_text(&text);
}

static inline const struct model *fixture_model(const char *find, const char *replace) {
        char *CLEANUP(free_pointer) text = fixture_changed(find, replace);
        const struct model *model = NULL;
        struct error error;
        if (!model_parse(fixture_path, bytes_of(text), &model, NULL, &error))
                fail_msg("%s", error.text);
        return model;
}
