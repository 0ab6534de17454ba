// SPDX-License-Identifier: Apache-2.0
// Server and client on one loop: when callbacks come, what cancelling and freeing leave behind. The rest is in tests/wire.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/client.h"
#include "http/forward.h"
#include "http/server.h"

struct world {
        struct loop *loop;
        struct http_server *server;
        struct http_upstream *upstream;
        struct http_exchange *held;             // the last one for /hold
        unsigned handled, done;
        enum http_call_outcome last;
        bool sent;
        uint16_t status;
        unsigned stop_at;                       // so many callbacks
};

static void handle(void *user, struct http_exchange *exchange) {
        struct world *world = user;
        world->handled++;
        if (bytes_equal(exchange->path, BYTES("/hold"))) {
                world->held = exchange;
                loop_stop(world->loop);
        } else {
                http_answer(exchange, 200, NULL, 0, exchange->body);
        }
}

static int begin(void **state) {
        static struct world world;
        world = (struct world){0};
        uint16_t port;
        char url[64];
        struct http_upstream_options options = {.max_connections = 2, .max_queue = 3};
        if (!loop_new(clock_real(), &world.loop, NULL) ||
            !http_server_new(world.loop, NULL, handle, &world, &world.server, NULL) ||
            !http_server_listen(world.server, BYTES("127.0.0.1:0"), &port, NULL))
                return -1;
        snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
        *state = &world;
        return http_upstream_new(world.loop, bytes_of(url), &options, &world.upstream, NULL) ? 0 : -1;
}

static int end(void **state) {
        struct world *world = *state;
        http_upstream_free(world->upstream);
        http_server_free(world->server);
        loop_free(world->loop);
        return 0;
}

static void note(void *user, const struct http_call_result *result) {
        struct world *world = user;
        world->done++;
        world->last = result->outcome;
        world->sent = result->sent;
        world->status = result->status;
        if (world->done == world->stop_at)
                loop_stop(world->loop);
}

static struct http_call *ask(struct world *world, const char *path) {
        struct http_call_options options = {.method = BYTES("POST"), .target = bytes_of(path), .body = BYTES("x"),
                                            .timeout_ns = SECONDS(20)};
        return http_call(world->upstream, &options, note, world);
}

static void run_until(struct world *world, unsigned done) {
        world->stop_at = done;
        loop_run(world->loop);
        assert_int_equal(world->done, done);
}

static void callbacks_come_later_and_once(void **state) {
        struct world *world = *state;
        ask(world, "/");
        assert_int_equal(world->done, 0);
        run_until(world, 1);
        assert_int_equal(world->last, HTTP_CALL_OK);
        assert_int_equal(world->status, 200);
        // On a kept connection too, and for what can never be sent.
        ask(world, "/");
        ask(world, "no path");
        assert_int_equal(world->done, 1);
        run_until(world, 3);
        assert_int_equal(world->handled, 2);
}

static void what_the_queue_does_not_take_was_not_sent(void **state) {
        struct world *world = *state;
        for (int i = 0; i < 3; i++)
                ask(world, "/");
        ask(world, "/too-many");
        run_until(world, 1);
        assert_int_equal(world->last, HTTP_CALL_NOT_SENT);
        assert_false(world->sent);
        run_until(world, 4);
        assert_int_equal(world->last, HTTP_CALL_OK);
        assert_int_equal(world->handled, 3);
}

static void a_cancelled_call_has_no_callback(void **state) {
        struct world *world = *state;
        struct http_call *queued = ask(world, "/");
        http_call_cancel(queued);
        struct http_call *failed = ask(world, "no path");
        http_call_cancel(failed);
        struct http_call *active = ask(world, "/hold");
        loop_run(world->loop);                  // until the handler has it
        assert_non_null(world->held);
        http_call_cancel(active);
        ask(world, "/");
        run_until(world, 1);
        assert_int_equal(world->last, HTTP_CALL_OK);
        http_answer(world->held, 200, NULL, 0, BYTES("to nobody"));
        ask(world, "/");
        run_until(world, 2);
        struct http_server_stats stats;
        http_server_stats(world->server, &stats);
        assert_int_equal(stats.exchanges, 0);
}

static void an_upstream_is_freed_with_calls_under_way(void **state) {
        struct world *world = *state;
        ask(world, "/hold");
        loop_run(world->loop);
        ask(world, "/");
        ask(world, "no path");
        http_upstream_free(TAKE(world->upstream));
        http_answer(world->held, 200, NULL, 0, BYTES("to nobody"));
        assert_int_equal(world->done, 0);
}

static void a_call_that_times_out_says_whether_it_was_sent(void **state) {
        struct world *world = *state;
        struct http_call_options options = {.method = BYTES("GET"), .target = BYTES("/hold"), .timeout_ns = MILLISECONDS(50)};
        http_call(world->upstream, &options, note, world);
        loop_run(world->loop);
        run_until(world, 1);
        assert_int_equal(world->last, HTTP_CALL_TIMEOUT);
        assert_true(world->sent);
        http_answer(world->held, 200, NULL, 0, BYTES("late"));
        // And now no connection is free: both are held.
        struct http_exchange *held[2];
        for (int i = 0; i < 2; i++) {
                ask(world, "/hold");
                loop_run(world->loop);
                held[i] = world->held;
        }
        http_call(world->upstream, &options, note, world);
        run_until(world, 2);
        assert_int_equal(world->last, HTTP_CALL_TIMEOUT);
        assert_false(world->sent);
        for (int i = 0; i < 2; i++)
                http_answer(held[i], 200, NULL, 0, BYTES("x"));
        run_until(world, 4);
}

static void an_answer_that_cannot_be_sent_is_an_error(void **state) {
        struct world *world = *state;
        ask(world, "/hold");
        loop_run(world->loop);
        struct http_header header = {BYTES("Location"), BYTES("/\r\nSet-Cookie: x")};
        http_answer(world->held, 201, &header, 1, BYTES("x"));
        run_until(world, 1);
        assert_int_equal(world->status, 500);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(callbacks_come_later_and_once, begin, end),
                cmocka_unit_test_setup_teardown(what_the_queue_does_not_take_was_not_sent, begin, end),
                cmocka_unit_test_setup_teardown(a_cancelled_call_has_no_callback, begin, end),
                cmocka_unit_test_setup_teardown(an_upstream_is_freed_with_calls_under_way, begin, end),
                cmocka_unit_test_setup_teardown(a_call_that_times_out_says_whether_it_was_sent, begin, end),
                cmocka_unit_test_setup_teardown(an_answer_that_cannot_be_sent_is_an_error, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
