// SPDX-License-Identifier: Apache-2.0
// Proofs of mappings against a real log, registry and views: what is retained, what is in the copy alone, what is made up; what fails
// is named by its place, what the way back loses by its pointers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/views.h"
#include "log/log.h"
#include "log/record.h"
#include "migrate/prove.h"
#include "os/loop.h"
#include "registry/registry.h"
#include "store/state.h"

enum { PATIENCE_MS = 20000 };

static const char v0[] = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\",\"title\"],\"properties\":{"
                         "\"id\":{\"type\":\"integer\"},\"title\":{\"type\":\"string\"},"
                         "\"name\":{\"type\":\"string\",\"default\":\"Task\"},\"event_version\":{\"type\":\"integer\"}}}";
static const char v1[] = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\",\"title\",\"area\"],\"properties\":{"
                         "\"id\":{\"type\":\"integer\"},\"title\":{\"type\":\"string\",\"maxLength\":120},\"area\":{\"type\":\"string\"},"
                         "\"name\":{\"type\":\"string\",\"default\":\"Task\"},\"event_version\":{\"type\":\"integer\"}}}";
#define UP "{id: $event/id, title: $event/title, area: none, name: $event/name}"
#define DOWN "{id: $event/id, title: $event/title, name: $event/name}"
#define TEN "0123456789"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN        // more than version 1 takes

struct world {
        char folder[64], config[2000];
        struct loop *loop;
        struct log *log;
        struct registry *registry;
        const struct model *model;
        struct views *views;
        struct state_reader *reader;
        struct prover *prover;
        struct migrate_proof proof;
        int64_t offsets[2];
        bool ended, late;
        struct loop_timer timer;
};

static void must(bool done, const struct error *error) {
        if (!done)
                fail_msg("%s", error->text);
}

static void write_in(struct world *world, const char *name, const char *text) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", world->folder, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void register_version(struct world *world, unsigned version, const char *schema) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct registry_draft draft = registry_event_draft(bytes_of(schema), version, &arena);
        struct registry_prepared prepared = {0};
        struct error error;
        must(registry_prepare_register(world->registry, BYTES("Task"), &draft, NULL, &prepared, &error), &error);
        must(registry_apply(world->registry, buffer_bytes(&prepared.body), &error), &error);
        buffer_free(&prepared.body);
}

static struct world *world_new(const char *up, const char *down, const char *async) {
        struct world *world = must_calloc(1, sizeof *world);
        struct error error;
        char path[128];
        snprintf(world->folder, sizeof world->folder, "/tmp/commute-prove-XXXXXX");
        assert_non_null(mkdtemp(world->folder));
        write_in(world, "Task.v0.json", v0);
        write_in(world, "Task.v1.json", v1);
        snprintf(world->config, sizeof world->config,
                 "services:\n  tasks: {url: \"http://127.0.0.1:1\"}\n  portal: {url: \"http://127.0.0.1:2\"}\n"
                 "events:\n  Task:\n    from: tasks\n    topic: tasks\n    schemas: \"Task.v*.json\"\n    key: /id\n    partitions: 2\n"
                 "    capture: [\"PUT /tasks/{id}\"]\n    read: GET /tasks/{id}\n    versions: {1: {up: %s%s%s}}\n"
                 "communications:\n  COMM-020:\n    data: tasks -> portal\n    initially: async\n    pull: GET /tasks/{id}\n"
                 "    async: {%s}\n",
                 up, down ? ", down: " : "", down ? down : "", async);
        snprintf(path, sizeof path, "%s/commute.yaml", world->folder);
        must(model_parse(path, bytes_of(world->config), &world->model, NULL, &error), &error);
        must(loop_new(clock_real(), &world->loop, &error), &error);
        snprintf(path, sizeof path, "%s/log.db", world->folder);
        must(log_open(path, &(struct log_options){0}, &world->log, &error), &error);
        world->registry = registry_new(NULL);
        register_version(world, 0, v0);
        register_version(world, 1, v1);
        return world;
}

#define DELIVERED "event: Task, keep: portal, deliver: \"PUT /cards/{id}\", reads: [0, 1]"
#define KEPT "event: Task, keep: gateway, reads: [0, 1]"

static void world_free(struct world *world) {
        prover_free(world->prover);
        state_reader_close(world->reader);
        views_close(world->views);
        loop_free(world->loop);
        log_close(world->log);
        registry_free(world->registry);
        model_unref(world->model);
        char command[200];
        snprintf(command, sizeof command, "rm -r '%s'", world->folder);
        assert_int_equal(system(command), 0);
        free(world);
}

// An event in the topic. Its position.
static uint64_t append(struct world *world, unsigned partition, uint32_t schema_id, unsigned flags, const char *key, const char *body) {
        struct record record = {.kind = RECORD_MESSAGE, .flags = flags | RECORD_UPSERT | RECORD_KEPT, .schema_id = schema_id,
                                .key = bytes_of(key), .sequence = 1, .time_ms = 1, .lane.bytes = {(uint8_t)key[0]},
                                .identity.bytes = {(uint8_t)key[0], (uint8_t)(world->offsets[partition] + 1)}};
        struct buffer header = {0};
        struct error error;
        char name[64];
        snprintf(name, sizeof name, "COMM-020/%u", partition);
        must(log_stream(world->log, bytes_of(name), LOG_STREAM_PLAIN, &record.shard, &error), &error);
        record_encode(&record, &header);
        struct log_record entry = {.header = buffer_bytes(&header), .body = bytes_of(body), .offset = world->offsets[partition]++};
        snprintf(name, sizeof name, "topic/tasks/%u", partition);
        must(log_stream(world->log, bytes_of(name), LOG_STREAM_OFFSETS, &entry.stream, &error), &error);
        struct log_batch batch = {.records = &entry, .count = 1};
        must(log_append_wait(world->log, &batch, &error), &error);
        buffer_free(&header);
        return entry.position;
}

static void proved(struct migrate_proof *proof) {
        struct world *world = CONTAINER_OF(proof, struct world, proof);
        world->ended = true;
        loop_stop(world->loop);
}

static void late(struct loop_timer *timer) {
        struct world *world = CONTAINER_OF(timer, struct world, timer);
        world->late = true;
        loop_stop(world->loop);
}

static struct migrate_proof *prove(struct world *world, unsigned from, unsigned to, bool old_only) {
        if (!world->prover)
                world->prover = prover_new(&(struct prover_options){
                        .loop = world->loop, .log = world->log, .registry = world->registry, .model = world->model,
                        .reader = world->reader, .converter = COMMUTE,
                });
        world->ended = false;
        world->proof = (struct migrate_proof){
                .event = model_event_find(world->model, BYTES("Task")), .from = from, .to = to, .old_only = old_only, .done = proved};
        world->timer.fire = late;
        loop_timer_set(world->loop, &world->timer, clock_monotonic_ns(clock_real()) + MILLISECONDS(PATIENCE_MS));
        prover_prove(world->prover, &world->proof);
        while (!world->ended && !world->late)
                loop_run(world->loop);
        assert_true(world->ended && !world->late);
        loop_timer_cancel(world->loop, &world->timer);
        return &world->proof;
}

static void every_event_goes_there_and_back(void **state) {
        (void)state;
        static const char *const ups[] = {
                UP, "'. + {area: \"none\"} | del(.event_version)'"
        };
        static const char *const downs[] = {DOWN, "'del(.area)'"};
        for (size_t i = 0; i < ARRAY_SIZE(ups); i++) {  // by templates at once, by programs later
                struct world *world = world_new(ups[i], downs[i], DELIVERED);
                append(world, 0, 1, 0, "1", "{\"id\":1,\"title\":\"a\",\"name\":\"Task\"}");
                append(world, 1, 1, 0, "2", "{\"id\":2,\"title\":\"b\",\"name\":\"x\"}");
                append(world, 1, 0, 0, "3", "{\"id\":3,\"title\":\"c\",\"name\":\"x\"}");        // from before schemas: of `produces`
                append(world, 1, 0, RECORD_TOMBSTONE, "2", "");
                append(world, 0, 2, 0, "4", "{\"id\":4,\"title\":\"d\",\"area\":\"x\",\"name\":\"Task\"}");     // the new version
                struct migrate_proof *proof = prove(world, 0, 1, true);
                assert_int_equal(proof->retained, 4);
                assert_int_equal(proof->generated, 0);
                assert_int_equal(proof->failed, 0);
                proof = prove(world, 0, 1, false);
                assert_false(proof->broken);
                assert_int_equal(proof->retained, 4);
                assert_true(proof->generated > 150);
                assert_int_equal(proof->failed, 0);
                assert_string_equal(proof->failure, "");
                assert_string_equal(proof->lost, "/event_version");     // which neither takes along where it was said
                world_free(world);
        }
}

// A default that is filled in, and a version that the event says, are no losses.
static void generated_events_are_as_they_would_be_appended(void **state) {
        (void)state;
        struct world *world = world_new("'. + {area: \"none\"} | if .event_version then .event_version = 1 else . end'",
                                        "'del(.area) | if .event_version then .event_version = 0 else . end'", DELIVERED);
        struct migrate_proof *proof = prove(world, 0, 1, false);
        assert_int_equal(proof->retained, 0);
        assert_true(proof->generated > 190);            // none is thrown away for the version that it made up
        assert_int_equal(proof->lossy, 0);
        assert_string_equal(proof->lost, "");
        assert_int_equal(proof->failed, 0);
        world_free(world);
}

static void what_fails_is_named_by_its_place(void **state) {
        (void)state;
        struct world *world = world_new(UP, DOWN, DELIVERED);
        append(world, 0, 1, 0, "1", "{\"id\":1,\"title\":\"a\",\"name\":\"Task\"}");
        uint64_t long_one = append(world, 0, 1, 0, "2", "{\"id\":2,\"title\":\"" LONG "\",\"name\":\"x\"}");
        append(world, 1, 1, 0, "3", "{\"id\":3,\"title\":\"" LONG "\",\"name\":\"x\"}");
        char text[120];
        struct migrate_proof *proof = prove(world, 0, 1, false);
        assert_true(proof->failed >= 2);
        snprintf(text, sizeof text, "the event at position %llu: version 1 of Task, made from version 0: ", (unsigned long long)long_one);
        if (strncmp(proof->failure, text, strlen(text)) != 0)
                fail_msg("%s", proof->failure);
        assert_null(strstr(proof->failure, "0123456789"));
        world_free(world);
}

static void an_old_event_that_does_not_fit_its_version_is_found(void **state) {
        (void)state;
        struct world *world = world_new(UP, DOWN, DELIVERED);
        append(world, 0, 1, 0, "1", "{\"id\":\"one\",\"title\":\"a\"}");
        struct migrate_proof *proof = prove(world, 0, 1, true);
        assert_int_equal(proof->failed, 1);
        assert_non_null(strstr(proof->failure, "/id"));
        append(world, 0, 1, 0, "2", "{\"id\":1,\"title\":\"a\",\"event_version\":1}");
        proof = prove(world, 0, 1, true);
        assert_int_equal(proof->failed, 2);
        append(world, 0, 77, 0, "3", "{\"id\":1,\"title\":\"a\"}");
        proof = prove(world, 0, 1, true);
        assert_int_equal(proof->failed, 3);
        append(world, 0, 1, 0, "4", "no JSON");
        proof = prove(world, 0, 1, true);
        assert_int_equal(proof->failed, 4);
        assert_int_equal(proof->retained, 4);
        world_free(world);
}

static void what_the_way_back_loses_is_named(void **state) {
        (void)state;
        struct world *world = world_new("'. + {area: \"none\"} | del(.event_version)'", "'{id, title: \"gone\"}'", DELIVERED);
        append(world, 0, 1, 0, "1", "{\"id\":1,\"title\":\"a\",\"name\":\"other\"}");
        append(world, 0, 1, 0, "2", "{\"id\":2,\"title\":\"gone\",\"name\":\"Task\"}");
        struct migrate_proof *proof = prove(world, 0, 1, false);
        assert_int_equal(proof->failed, 0);
        assert_true(proof->lossy >= 1 && proof->lossy < proof->retained + proof->generated);    // the second comes back
        assert_non_null(strstr(proof->lost, "/title"));
        assert_non_null(strstr(proof->lost, "/name"));
        assert_null(strstr(proof->lost, "/id"));
        world_free(world);
        world = world_new("'. + {area: \"none\"} | del(.event_version)'", NULL, DELIVERED);     // no way back: nothing is lost on it
        append(world, 0, 1, 0, "1", "{\"id\":1,\"title\":\"a\",\"name\":\"other\"}");
        proof = prove(world, 0, 1, false);
        assert_int_equal(proof->lossy, 0);
        world_free(world);
}

static void open_views(struct world *world) {
        char path[128];
        struct error error;
        snprintf(path, sizeof path, "%s/state.db", world->folder);
        must(views_open(&(struct views_options){.log = world->log, .path = path}, &world->views, &error), &error);
        must(views_catch_up(world->views, NULL, &error), &error);
        must(state_reader_open(path, &world->reader, &error), &error);
}

static void rows_of_the_copy_are_looked_at_too(void **state) {
        (void)state;
        struct world *world = world_new(UP, DOWN, KEPT);
        append(world, 0, 1, 0, "1", "{\"id\":1,\"title\":\"a\",\"name\":\"Task\"}");
        append(world, 0, 1, 0, "2", "{\"id\":2,\"title\":\"" LONG "\",\"name\":\"Task\"}");
        append(world, 1, 1, 0, "3", "{\"id\":3,\"title\":\"" LONG "\",\"name\":\"Task\"}");
        append(world, 1, 0, RECORD_TOMBSTONE, "3", "");
        open_views(world);
        struct migrate_proof *proof = prove(world, 0, 1, true);
        assert_int_equal(proof->copies, 2);             // a tombstone is no row
        assert_int_equal(proof->failed, 0);
        proof = prove(world, 0, 1, false);
        assert_int_equal(proof->copies, 2);
        assert_int_equal(proof->retained, 3);
        assert_true(proof->failed >= 3);                // two in the topic, one in the copy
        world_free(world);
}

static void proofs_wait_for_each_other(void **state) {
        (void)state;
        struct world *world = world_new("'. + {area: \"none\"}'", "'del(.area)'", DELIVERED);
        append(world, 0, 1, 0, "1", "{\"id\":1,\"title\":\"a\",\"name\":\"Task\"}");
        prove(world, 0, 1, true);
        struct world other = {.loop = world->loop};
        other.proof = (struct migrate_proof){.event = world->proof.event, .from = 0, .to = 1, .done = proved};
        prover_prove(world->prover, &other.proof);      // a long one is under way
        struct migrate_proof *proof = prove(world, 0, 1, true);
        assert_int_equal(proof->retained, 1);
        assert_true(other.ended);                       // they end in the order in which they were asked for
        assert_true(other.proof.generated > 0);
        prover_prove(world->prover, &other.proof);      // freed with a proof under way and its process
        world_free(world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_event_goes_there_and_back),
                cmocka_unit_test(generated_events_are_as_they_would_be_appended),
                cmocka_unit_test(what_fails_is_named_by_its_place),
                cmocka_unit_test(an_old_event_that_does_not_fit_its_version_is_found),
                cmocka_unit_test(what_the_way_back_loses_is_named),
                cmocka_unit_test(rows_of_the_copy_are_looked_at_too),
                cmocka_unit_test(proofs_wait_for_each_other),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
