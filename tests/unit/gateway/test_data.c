// SPDX-License-Identifier: Apache-2.0
// A data communication by orders, as a migration gives them: producer on, backfill, shadow, switch, reconciliation, the way back.
// One loop runs everything: the owner of the data (a small table here), the gateway, the callers. The log lies on a disk that fails
// as told.
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/gateway.h"
#include "gateway/views.h"
#include "http/client.h"
#include "json/json.h"
#include "log/log.h"
#include "log/record.h"
#include "registry/registry.h"
#include "sim/disk_vfs.h"

enum { KEYS = 64, PAGE = 10, PATIENCE_MS = 20000 };

static const char contract[] = "{\"type\":\"object\",\"required\":[\"id\",\"name\"],\"additionalProperties\":false,"
                               "\"properties\":{\"id\":{\"type\":\"integer\"},\"name\":{\"type\":\"string\"}}}";

struct world {
        char folder[64], path[128], state_path[128];
        struct disk *disk;
        struct loop *loop;
        struct log *log;
        struct views *views;
        struct registry *registry;
        const struct model *model;
        struct gateway *gateway;
        struct http_server *owner, *plane;
        struct http_upstream *caller;
        // the owner's table; 0: no such row
        unsigned names[KEYS];
        bool holds_lists;                       // answers of lists are made at once, and given when told
        struct http_exchange *held;
        struct bytes held_body;
        bool holds_writes;                      // writes are done and answered when told
        struct http_exchange *held_write;
        bool holds_reads;                       // as lists
        struct http_exchange *held_read;
        struct bytes held_row;
        unsigned reads, lists, writes;
        // the last answer to a caller
        bool answered;
        unsigned status;
        struct buffer body;
        bool commanded;
        struct gateway_command command;
};

// ---- the owner of the data ----

static void give_row(struct world *world, struct http_exchange *exchange, unsigned key) {
        struct http_header type = {BYTES("Content-Type"), BYTES("application/json")};
        if (!world->names[key]) {
                http_answer_error(exchange, 404, "not-found", "no such row");
                return;
        }
        char *row = arena_print(exchange->arena, "{\"id\":%u,\"name\":\"name %u\"}", key, world->names[key]);
        if (world->holds_reads) {
                world->held_read = exchange;
                world->held_row = bytes_of(row);
                return;
        }
        http_answer(exchange, 200, &type, 1, bytes_of(row));
}

static void give_list(struct world *world, struct http_exchange *exchange) {
        unsigned after = 0, count = 0, key;
        sscanf(exchange->query.data, "after=%u", &after);
        struct buffer body = {0};
        buffer_print(&body, "{\"items\":[");
        for (key = after + 1; key < KEYS && count < PAGE; key++)
                if (world->names[key])
                        buffer_print(&body, "%s{\"id\":%u,\"name\":\"name %u\"}", count++ ? "," : "", key, world->names[key]);
        buffer_print(&body, "],\"next\":");
        if (count == PAGE)
                buffer_print(&body, "\"%u\"}", key - 1);
        else
                buffer_print(&body, "null}");
        struct bytes text = arena_copy(exchange->arena, buffer_bytes(&body));
        buffer_free(&body);
        world->lists++;
        if (world->holds_lists) {
                world->held = exchange;
                world->held_body = text;
                return;
        }
        http_answer(exchange, 200, NULL, 0, text);
}

static void create_row(struct world *world, struct http_exchange *exchange) {
        unsigned key = 0, name = 0;
        char body[64];
        snprintf(body, sizeof body, "%.*s", BYTES_PRINT(exchange->body));
        assert_int_equal(sscanf(body, "{\"id\":%u,\"name\":%u}", &key, &name), 2);
        world->names[key] = name;
        world->writes++;
        if (world->holds_writes)
                world->held_write = exchange;
        else
                give_row(world, exchange, key);
}

static void own(void *user, struct http_exchange *exchange) {
        struct world *world = user;
        unsigned key = 0, name = 0;
        char path[64];
        snprintf(path, sizeof path, "%.*s", BYTES_PRINT(exchange->path));
        if (strcmp(path, "/rows") == 0 && bytes_equal(exchange->method, BYTES("GET"))) {
                give_list(world, exchange);
                return;
        }
        if (strcmp(path, "/rows") == 0) {               // POST
                create_row(world, exchange);
                return;
        }
        assert_int_equal(sscanf(path, "/rows/%u", &key), 1);
        if (bytes_equal(exchange->method, BYTES("GET"))) {
                world->reads++;
                give_row(world, exchange, key);
                return;
        }
        if (exchange->body.size) {
                char body[64];
                snprintf(body, sizeof body, "%.*s", BYTES_PRINT(exchange->body));
                assert_int_equal(sscanf(body, "{\"name\":%u}", &name), 1);
        }
        world->names[key] = name;               // DELETE: 0
        world->writes++;
        if (world->holds_writes)
                world->held_write = exchange;
        else
                http_answer(exchange, 204, NULL, 0, (struct bytes){0});
}

// ---- the world ----

static void must(bool done, const struct error *error) {
        if (!done)
                fail_msg("%s", error->text);
}

static void moved(void *context, uint64_t position) {
        gateway_views_moved(((struct world *)context)->gateway, position);
}


struct wait {
        struct loop_timer timer;
        struct world *world;
        bool (*condition)(struct world *world);
        uint64_t until_ns;
        bool late;
};

static void look(struct loop_timer *timer) {
        struct wait *wait = CONTAINER_OF(timer, struct wait, timer);
        struct world *world = wait->world;
        views_wake(world->views);
        wait->late = loop_now_ns(world->loop) > wait->until_ns;
        if (wait->late || wait->condition(world))
                loop_stop(world->loop);
        else
                loop_timer_set(world->loop, timer, loop_now_ns(world->loop) + MILLISECONDS(1));
}

static void run_until(struct world *world, bool (*condition)(struct world *world)) {
        struct wait wait = {.timer.fire = look, .world = world, .condition = condition};
        uint64_t now = clock_monotonic_ns(clock_real());
        wait.until_ns = now + MILLISECONDS(PATIENCE_MS);
        loop_timer_set(world->loop, &wait.timer, now);
        loop_run(world->loop);
        assert_false(wait.late);
}

static void write_file(const char *path, const char *text) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static void load_model(struct world *world, unsigned owner_port, const char *initially, const char *settle) {
        char text[2000], schema[128];
        struct error error;
        snprintf(schema, sizeof schema, "%s/Row.v0.json", world->folder);
        write_file(schema, contract);
        snprintf(text, sizeof text,
                 "services:\n  staff: {url: \"http://127.0.0.1:%u\"}\n  portal: {url: \"http://127.0.0.1:1\"}\n"
                 "events:\n  Row:\n    from: staff\n    topic: rows\n    schemas: Row.v*.json\n    key: /id\n"
                 "    capture: [POST /rows, \"PUT /rows/{id}\", \"DELETE /rows/{id}\"]\n    backfill: GET /rows?after={cursor}\n"
                 "communications:\n  COMM-010:\n    data: staff -> portal\n    initially: %s\n    pull: GET /rows/{id}\n"
                 "    async: {event: Row, keep: gateway}\n"
                 "defaults: {settle: %s, timeout: 2s, partitions: 4, retry: {first: 10ms, longest: 50ms}}\n",
                 owner_port, initially, settle);
        snprintf(world->path, sizeof world->path, "%s/commute.yaml", world->folder);
        must(model_parse(world->path, bytes_of(text), &world->model, NULL, &error), &error);
}

static void open_gateway(struct world *world) {
        struct error error;
        struct registry_prepared prepared = {0};
        world->registry = registry_new(NULL);
        const struct registry_draft draft = {.text = bytes_of(contract)};
        must(registry_prepare_register(world->registry, BYTES("Row"), &draft, NULL, &prepared, &error), &error);
        must(registry_apply(world->registry, buffer_bytes(&prepared.body), &error), &error);
        buffer_free(&prepared.body);
        struct views_options views = {.log = world->log, .path = world->state_path, .moved = moved, .context = world};
        must(views_open(&views, &world->views, &error), &error);
        must(views_catch_up(world->views, NULL, &error), &error);
        struct gateway_options options = {
                .model = world->model, .log = world->log, .registry = world->registry, .views = world->views,
                .state_path = world->state_path, .loops = &world->loop, .loop_count = 1,
        };
        must(gateway_new(&options, &world->gateway, &error), &error);
        gateway_event_schema(world->gateway, 0, 0, 1);
        must(views_start(world->views, &error), &error);
        gateway_start(world->gateway);
}

static struct world *world_with_queue(const char *initially, const char *settle, size_t queue_records) {
        struct world *world = must_calloc(1, sizeof *world);
        struct error error;
        uint16_t port;
        snprintf(world->folder, sizeof world->folder, "/tmp/commute-data-XXXXXX");
        assert_non_null(mkdtemp(world->folder));
        snprintf(world->state_path, sizeof world->state_path, "%s/state.db", world->folder);
        world->disk = disk_new("test-data", 17);
        must(loop_new(clock_real(), &world->loop, &error), &error);
        must(http_server_new(world->loop, NULL, own, world, &world->owner, &error), &error);
        must(http_server_listen(world->owner, BYTES("127.0.0.1:0"), &port, &error), &error);
        load_model(world, port, initially, settle);
        struct log_options log = {.disk = "test-data", .threaded = true, .queue_records = queue_records};
        must(log_open("/log.db", &log, &world->log, &error), &error);
        open_gateway(world);
        must(http_server_new(world->loop, NULL, gateway_handle, world->gateway, &world->plane, &error), &error);
        must(http_server_listen(world->plane, BYTES("127.0.0.1:0"), &port, &error), &error);
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
        must(http_upstream_new(world->loop, bytes_of(url), NULL, &world->caller, &error), &error);
        return world;
}

static struct world *world_new(const char *initially, const char *settle) {
        return world_with_queue(initially, settle, 0);
}

static bool rests(struct world *world) {
        return !gateway_busy(world->gateway);
}

static void world_free(struct world *world) {
        gateway_stop(world->gateway);
        run_until(world, rests);
        http_upstream_free(world->caller);
        http_server_free(world->plane);
        views_close(world->views);
        gateway_free(world->gateway);
        http_server_free(world->owner);
        loop_free(world->loop);
        log_close(world->log);
        registry_free(world->registry);
        model_unref(world->model);
        disk_free(world->disk);
        buffer_free(&world->body);
        char command[200];
        snprintf(command, sizeof command, "rm -r '%s'", world->folder);
        assert_int_equal(system(command), 0);
        free(world);
}

// ---- what tests do ----

static void heard(void *user, const struct http_call_result *result) {
        struct world *world = user;
        world->answered = true;
        world->status = result->outcome == HTTP_CALL_OK ? result->status : 0;
        buffer_clear(&world->body);
        buffer_append(&world->body, result->body);
}

static void begin_request(struct world *world, const char *method, const char *target, const char *body) {
        world->answered = false;
        struct http_call_options options = {.method = bytes_of(method), .target = bytes_of(target), .body = bytes_of(body)};
        http_call(world->caller, &options, heard, world);
}

static bool answered(struct world *world) {
        return world->answered;
}

static unsigned request(struct world *world, const char *method, const char *target, const char *body) {
        begin_request(world, method, target, body);
        run_until(world, answered);
        return world->status;
}

static unsigned put(struct world *world, unsigned key, unsigned name) {
        char target[64], body[64];
        snprintf(target, sizeof target, "/staff/rows/%u", key);
        snprintf(body, sizeof body, "{\"name\":%u}", name);
        return request(world, "PUT", target, body);
}

// The number in the name; 0: there is no such row.
static unsigned get(struct world *world, unsigned key) {
        char target[64];
        unsigned id = 0, name = 0;
        snprintf(target, sizeof target, "/COMM-010/rows/%u", key);
        if (request(world, "GET", target, "") != 200)
                return 0;
        buffer_append_byte(&world->body, 0);
        assert_int_equal(sscanf(world->body.data, "{\"id\":%u,\"name\":\"name %u\"}", &id, &name), 2);
        assert_int_equal(id, key);
        return name;
}

static void commanded(struct gateway_command *command) {
        ((struct world *)command->user)->commanded = true;
}

static bool is_commanded(struct world *world) {
        return world->commanded;
}

static bool order(struct world *world, enum gateway_order what, enum lane_mode mode, bool on) {
        world->commanded = false;
        world->command = (struct gateway_command){
                .order = what, .mode = mode, .on = on, .loop = world->loop, .done = commanded, .user = world,
        };
        gateway_order(world->gateway, &world->command);
        run_until(world, is_commanded);
        return world->command.ok;
}

static const struct gateway_state *state_of(struct world *world) {
        assert_true(order(world, GATEWAY_STATE, 0, false));
        return &world->command.state;
}

static void switch_to(struct world *world, enum lane_mode mode) {
        if (!order(world, GATEWAY_SWITCH, mode, false))
                fail_msg("%s", world->command.error.text);
        while (state_of(world)->changing)
                continue;
        const struct gateway_state *state = &world->command.state;
        size_t there = mode == LANE_PLAIN ? state->plain : mode == LANE_RECORD ? state->record : state->async;
        assert_int_equal(there, state->shards);
}

static void backfill(struct world *world) {
        assert_true(order(world, GATEWAY_BACKFILL, 0, true));
        while (state_of(world)->backfill.phase != GATEWAY_BACKFILL_COMPLETE)
                continue;
}

static void reconcile(struct world *world) {
        assert_true(order(world, GATEWAY_RECONCILE, 0, true));
        while (state_of(world)->reconciliation.running)
                continue;
}

// ---- tests ----

static void a_pulled_communication_becomes_async_and_pulled_again(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        for (unsigned key = 1; key <= 35; key++)
                world->names[key] = key;
        assert_int_equal(get(world, 7), 7);
        assert_int_equal(put(world, 7, 70), 204);
        assert_int_equal(state_of(world)->captured, 0);
        switch_to(world, LANE_RECORD);
        assert_int_equal(put(world, 8, 80), 204);
        assert_int_equal(get(world, 8), 80);
        assert_int_equal(state_of(world)->captured, 1);
        backfill(world);
        assert_int_equal(world->command.state.backfill.rows, 35);
        assert_int_equal(world->command.state.backfill.inserted, 34);
        assert_int_equal(world->command.state.backfill.skipped, 1);
        assert_true(order(world, GATEWAY_SHADOW, 0, true));
        for (unsigned key = 1; key <= 36; key++)
                get(world, key);
        state_of(world);
        assert_int_equal(world->command.shadow.compared, 36);
        assert_int_equal(world->command.shadow.differing, 0);
        assert_true(order(world, GATEWAY_SHADOW, 0, false));
        switch_to(world, LANE_ASYNC);
        unsigned reads = world->reads;
        assert_int_equal(get(world, 7), 70);
        assert_int_equal(get(world, 8), 80);
        assert_int_equal(get(world, 36), 0);
        assert_int_equal(world->reads, reads);          // the owner was not asked
        reconcile(world);
        assert_int_equal(world->command.state.reconciliation.rows, 35);
        assert_int_equal(world->command.state.reconciliation.bypassed, 0);
        switch_to(world, LANE_RECORD);
        assert_int_equal(get(world, 9), 9);
        assert_int_equal(world->reads, reads + 1);
        switch_to(world, LANE_PLAIN);
        assert_int_equal(put(world, 9, 90), 204);
        assert_int_equal(state_of(world)->captured, 1);
        world_free(world);
}

static bool list_is_held(struct world *world) {
        return world->held != NULL;
}

static void a_backfill_does_not_undo_what_is_written_meanwhile(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        for (unsigned key = 1; key <= 5; key++)
                world->names[key] = key;
        switch_to(world, LANE_RECORD);
        world->holds_lists = true;
        assert_true(order(world, GATEWAY_BACKFILL, 0, true));
        run_until(world, list_is_held);                 // the owner has read its table, and the page is on its way
        assert_int_equal(put(world, 1, 100), 204);
        assert_int_equal(request(world, "DELETE", "/staff/rows/2", ""), 204);
        http_answer(world->held, 200, NULL, 0, world->held_body);
        while (state_of(world)->backfill.phase != GATEWAY_BACKFILL_COMPLETE)
                continue;
        assert_int_equal(world->command.state.backfill.inserted, 3);
        assert_int_equal(world->command.state.backfill.skipped, 2);
        switch_to(world, LANE_ASYNC);
        assert_int_equal(get(world, 1), 100);
        assert_int_equal(get(world, 2), 0);
        assert_int_equal(get(world, 3), 3);
        world_free(world);
}

static void rows_of_an_older_time_are_read_again(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        for (unsigned key = 1; key <= 3; key++)
                world->names[key] = key;
        switch_to(world, LANE_RECORD);
        backfill(world);
        switch_to(world, LANE_PLAIN);
        put(world, 1, 100);                             // nobody captures it
        request(world, "DELETE", "/staff/rows/2", "");
        switch_to(world, LANE_RECORD);
        assert_int_equal(state_of(world)->backfill.phase, GATEWAY_BACKFILL_NONE);
        backfill(world);
        assert_int_equal(world->command.state.backfill.removed, 1);
        switch_to(world, LANE_ASYNC);
        unsigned reads = world->reads;
        assert_int_equal(get(world, 1), 100);
        assert_int_equal(get(world, 2), 0);
        assert_int_equal(get(world, 3), 3);
        assert_int_equal(world->reads, reads);
        world_free(world);
}

static void what_comes_past_the_gateway_is_found_named_and_repaired(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        for (unsigned key = 1; key <= 15; key++)
                world->names[key] = key;
        switch_to(world, LANE_RECORD);
        assert_false(order(world, GATEWAY_RECONCILE, 0, true));
        assert_int_equal(world->command.error.code, ERROR_CONFLICT);
        backfill(world);
        switch_to(world, LANE_ASYNC);
        world->names[7] = 77;
        world->names[8] = 0;
        world->names[20] = 20;
        reconcile(world);
        assert_int_equal(world->command.state.reconciliation.bypassed, 3);
        assert_non_null(strstr(world->command.state.reconciliation.first_bypass, "id 7: /name: the owner has \"name 77\""));
        assert_int_equal(get(world, 7), 77);
        assert_int_equal(get(world, 8), 0);
        assert_int_equal(get(world, 20), 20);
        reconcile(world);
        assert_int_equal(world->command.state.reconciliation.differing, 0);
        assert_int_equal(world->command.state.reconciliation.captured_passes, 2);
        world_free(world);
}

static bool looked_at(struct world *world) {
        static unsigned turns;
        return ++turns % 200 == 0 || !world;
}

static void a_shadow_read_that_differs_counts_only_if_it_still_does(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        world->names[1] = 1;
        world->names[2] = 2;
        switch_to(world, LANE_RECORD);
        backfill(world);
        assert_true(order(world, GATEWAY_SHADOW, 0, true));
        world->names[1] = 11;                           // past the gateway
        assert_int_equal(get(world, 1), 11);
        assert_int_equal(get(world, 2), 2);
        run_until(world, looked_at);
        state_of(world);
        assert_int_equal(world->command.shadow.compared, 2);
        assert_int_equal(world->command.shadow.differing, 1);
        assert_string_equal(world->command.shadow.first_difference, "id 1: /name: the owner has \"name 11\", the copy has \"name 1\"");
        world_free(world);
}

static bool write_is_held(struct world *world) {
        return world->held_write != NULL;
}

static void a_write_of_before_is_waited_for(void **state) {
        (void)state;
        struct world *world = world_new("pull", "500ms");
        world->names[1] = 1;
        world->holds_writes = true;
        uint64_t began = clock_monotonic_ns(clock_real());
        begin_request(world, "PUT", "/staff/rows/1", "{\"name\":10}");
        run_until(world, write_is_held);
        switch_to(world, LANE_RECORD);
        assert_int_equal(state_of(world)->plain_writes, 1);
        assert_true(order(world, GATEWAY_BACKFILL, 0, true));
        run_until(world, looked_at);
        assert_int_equal(state_of(world)->backfill.phase, GATEWAY_BACKFILL_WAITS);
        assert_int_equal(world->lists, 0);
        run_until(world, answered);                     // 504: nobody knows
        assert_int_equal(world->status, 504);
        while (state_of(world)->backfill.phase != GATEWAY_BACKFILL_COMPLETE)
                continue;
        // `timeout` has passed since it began, then `settle`
        assert_true(clock_monotonic_ns(clock_real()) >= began + MILLISECONDS(2000 + 500));
        http_answer(world->held_write, 204, NULL, 0, (struct bytes){0});
        world_free(world);
}

// The owner takes writes of one row at the same time in an order of its own.
static void a_write_of_before_that_is_done_last_is_what_the_copy_has(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        for (unsigned key = 1; key <= 4; key++)
                world->names[key] = key;
        world->holds_writes = true;
        begin_request(world, "PUT", "/staff/rows/1", "{\"name\":10}");
        run_until(world, write_is_held);
        world->holds_writes = false;
        switch_to(world, LANE_RECORD);
        for (unsigned key = 1; key <= 3; key++)
                assert_int_equal(put(world, key, 20 * key), 204);
        assert_int_equal(request(world, "DELETE", "/staff/rows/4", ""), 204);
        world->names[1] = 10;                           // only now: that one was not captured
        world->names[2] = 0;
        world->names[4] = 44;
        http_answer(world->held_write, 204, NULL, 0, (struct bytes){0});
        backfill(world);
        assert_int_equal(world->command.state.backfill.skipped, 3);
        assert_int_equal(world->command.state.backfill.removed, 1);
        switch_to(world, LANE_ASYNC);
        unsigned reads = world->reads;
        assert_int_equal(get(world, 1), 10);
        assert_int_equal(get(world, 2), 0);
        assert_int_equal(get(world, 3), 60);
        assert_int_equal(get(world, 4), 44);
        assert_int_equal(world->reads, reads);
        world_free(world);
}

static bool read_is_held(struct world *world) {
        return world->held_read != NULL;
}

// Of row 1, once the backfill is complete; the owner is not asked.
static void the_copy_has(struct world *world, unsigned name) {
        while (state_of(world)->backfill.phase != GATEWAY_BACKFILL_COMPLETE)
                continue;
        switch_to(world, LANE_ASYNC);
        unsigned reads = world->reads;
        assert_int_equal(get(world, 1), name);
        assert_int_equal(world->reads, reads);
}

static void a_captured_write_that_began_beside_one_of_before_is_waited_for(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        world->names[1] = 1;
        world->holds_writes = true;
        begin_request(world, "PUT", "/staff/rows/1", "{\"name\":10}");
        run_until(world, write_is_held);
        world->holds_writes = false;
        switch_to(world, LANE_RECORD);
        world->holds_reads = true;
        begin_request(world, "PUT", "/staff/rows/1", "{\"name\":20}");
        run_until(world, read_is_held);                 // its event is on the way
        world->holds_reads = false;
        world->names[1] = 10;                           // only now
        http_answer(world->held_write, 204, NULL, 0, (struct bytes){0});
        run_until(world, answered);
        world->answered = false;
        assert_true(order(world, GATEWAY_BACKFILL, 0, true));
        run_until(world, looked_at);
        assert_int_equal(world->lists, 0);
        http_answer(world->held_read, 200, NULL, 0, world->held_row);
        run_until(world, answered);
        the_copy_has(world, 10);
        world_free(world);
}

// Writes that nobody captured came between.
static void a_write_that_was_captured_before_capture_ended_is_read_again(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        world->names[1] = 1;
        switch_to(world, LANE_RECORD);
        world->holds_reads = true;
        begin_request(world, "PUT", "/staff/rows/1", "{\"name\":10}");
        run_until(world, read_is_held);                 // its event is on the way
        world->holds_reads = false;
        switch_to(world, LANE_PLAIN);
        assert_int_equal(put(world, 1, 20), 204);
        switch_to(world, LANE_RECORD);
        assert_true(order(world, GATEWAY_BACKFILL, 0, true));
        run_until(world, looked_at);
        assert_int_equal(world->lists, 0);
        world->answered = false;
        http_answer(world->held_read, 200, NULL, 0, world->held_row);
        run_until(world, answered);
        assert_int_equal(world->status, 204);
        the_copy_has(world, 20);
        world_free(world);
}

static void a_row_that_is_being_created_did_not_come_past_the_gateway(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        world->names[1] = 1;
        switch_to(world, LANE_RECORD);
        backfill(world);
        switch_to(world, LANE_ASYNC);
        world->holds_writes = true;
        begin_request(world, "POST", "/staff/rows", "{\"id\":5,\"name\":50}");
        run_until(world, write_is_held);                // the owner has the row, and has not said so
        unsigned lists = world->lists;
        assert_true(order(world, GATEWAY_RECONCILE, 0, true));
        while (world->lists == lists || !world->reads)
                state_of(world);
        give_row(world, world->held_write, 5);
        run_until(world, answered);
        assert_int_equal(world->status, 200);
        while (state_of(world)->reconciliation.running)
                continue;
        assert_int_equal(world->command.state.reconciliation.rows, 2);
        assert_int_equal(world->command.state.reconciliation.bypassed, 0);
        unsigned reads = world->reads;
        assert_int_equal(get(world, 5), 50);
        assert_int_equal(world->reads, reads);
        world_free(world);
}

static void a_full_log_ends_the_shadow_and_no_write(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        world->names[1] = 1;
        switch_to(world, LANE_RECORD);
        backfill(world);
        assert_true(order(world, GATEWAY_SHADOW, 0, true));
        disk_fail(world->disk, DISK_WRITE, 0, true);
        assert_int_equal(put(world, 1, 10), 204);
        assert_int_equal(world->names[1], 10);
        state_of(world);
        assert_int_equal(world->command.state.plain, world->command.state.shards);
        assert_true(world->command.state.steps_back > 0);
        assert_false(world->command.shadow.on);
        assert_int_equal(world->command.state.backfill.phase, GATEWAY_BACKFILL_NONE);
        disk_heal(world->disk);
        world_free(world);
}

static void a_full_log_refuses_writes_that_would_be_lost(void **state) {
        (void)state;
        struct world *world = world_new("async", "100ms");
        assert_int_equal(put(world, 1, 1), 204);
        unsigned writes = world->writes;
        disk_fail(world->disk, DISK_WRITE, 0, true);
        assert_int_equal(put(world, 1, 10), 503);
        assert_int_equal(world->writes, writes);        // the owner was not asked
        assert_int_equal(get(world, 1), 1);
        disk_heal(world->disk);
        world_free(world);
}

// A record in whose callback the log's writer stays until told.
struct stopper {
        struct log_batch batch;
        struct log_record record;
        struct buffer header;
        sem_t stopped, go_on;
};

static void stop_writer(struct log_batch *batch, const struct error *error) {
        struct stopper *stopper = CONTAINER_OF(batch, struct stopper, batch);
        (void)error;
        sem_post(&stopper->stopped);
        sem_wait(&stopper->go_on);
}

static void append_stopper(struct world *world, struct stopper *stopper) {
        struct error error;
        record_encode(&(struct record){.kind = RECORD_START}, &stopper->header);
        stopper->record = (struct log_record){.offset = -1, .header = buffer_bytes(&stopper->header)};
        stopper->batch = (struct log_batch){.records = &stopper->record, .count = 1, .complete = stop_writer};
        sem_init(&stopper->stopped, 0, 0);
        sem_init(&stopper->go_on, 0, 0);
        must(log_stream(world->log, BYTES("control"), LOG_STREAM_PLAIN, &stopper->record.stream, &error), &error);
        must(log_append(world->log, &stopper->batch, &error), &error);
}

static void a_log_that_is_full_while_readers_are_switched_loses_no_write(void **state) {
        (void)state;
        struct stopper first = {0}, last = {0};
        struct world *world = world_with_queue("pull", "100ms", 5);     // of records: those of the switch, and one
        world->names[1] = 1;
        switch_to(world, LANE_RECORD);
        backfill(world);
        append_stopper(world, &first);
        sem_wait(&first.stopped);
        assert_true(order(world, GATEWAY_SWITCH, LANE_ASYNC, false));
        append_stopper(world, &last);
        unsigned status = put(world, 1, 10), name = world->names[1];    // there is no room for its CAPTURE
        sem_post(&first.go_on);
        sem_post(&last.go_on);
        while (state_of(world)->changing)
                continue;
        assert_int_equal(world->command.state.async, world->command.state.shards);
        assert_int_equal(get(world, 1), name);          // of the copy
        assert_int_equal(name, 1);
        assert_int_equal(status, 503);
        assert_int_equal(put(world, 1, 100), 204);
        assert_int_equal(get(world, 1), 100);
        world_free(world);
        buffer_free(&first.header);
        buffer_free(&last.header);
}

static void orders_that_make_no_sense_are_refused(void **state) {
        (void)state;
        struct world *world = world_new("pull", "100ms");
        assert_false(order(world, GATEWAY_BACKFILL, 0, true));
        assert_int_equal(world->command.error.code, ERROR_CONFLICT);
        assert_false(order(world, GATEWAY_SWITCH, LANE_ASYNC, false));
        assert_int_equal(world->command.error.code, ERROR_CONFLICT);
        assert_false(order(world, GATEWAY_SWITCH, LANE_PUSH, false));
        assert_int_equal(world->command.error.code, ERROR_UNSUPPORTED);
        world_free(world);
}

int main(void) {

        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pulled_communication_becomes_async_and_pulled_again),
                cmocka_unit_test(a_backfill_does_not_undo_what_is_written_meanwhile),
                cmocka_unit_test(rows_of_an_older_time_are_read_again),
                cmocka_unit_test(what_comes_past_the_gateway_is_found_named_and_repaired),
                cmocka_unit_test(a_shadow_read_that_differs_counts_only_if_it_still_does),
                cmocka_unit_test(a_write_of_before_is_waited_for),
                cmocka_unit_test(a_write_of_before_that_is_done_last_is_what_the_copy_has),
                cmocka_unit_test(a_captured_write_that_began_beside_one_of_before_is_waited_for),
                cmocka_unit_test(a_write_that_was_captured_before_capture_ended_is_read_again),
                cmocka_unit_test(a_row_that_is_being_created_did_not_come_past_the_gateway),
                cmocka_unit_test(a_full_log_ends_the_shadow_and_no_write),
                cmocka_unit_test(a_full_log_refuses_writes_that_would_be_lost),
                cmocka_unit_test(a_log_that_is_full_while_readers_are_switched_loses_no_write),
                cmocka_unit_test(orders_that_make_no_sense_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
