// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/loop.h"
#include "os/loop_priv.h"
#include "os/thread.h"

static struct loop *loop;

static int begin(void **state) {
        (void)state;
        return loop_new(clock_real(), &loop, NULL) ? 0 : -1;
}

static int end(void **state) {
        (void)state;
        loop_free(loop);
        return 0;
}

enum { POSTERS = 4, POSTS = 20000 };

struct numbered {
        struct loop_task task;
        unsigned poster, number;
};

static unsigned next_of[POSTERS], posts_seen;

static void count_post(struct loop_task *task) {
        struct numbered *numbered = CONTAINER_OF(task, struct numbered, task);
        assert_true(loop_is_here(loop));
        assert_int_equal(numbered->number, next_of[numbered->poster]++);
        free(numbered);
        if (++posts_seen == POSTERS * POSTS)
                loop_stop(loop);
}

static void *post_many(void *user) {
        unsigned poster = (unsigned)(uintptr_t)user;
        for (unsigned i = 0; i < POSTS; i++) {
                struct numbered *numbered = must_malloc(sizeof *numbered);
                *numbered = (struct numbered){{NULL, count_post}, poster, i};
                loop_post(loop, &numbered->task);
        }
        return NULL;
}

static void posts_of_many_threads_come_all_and_in_order(void **state) {
        (void)state;
        pthread_t threads[POSTERS];
        for (size_t i = 0; i < POSTERS; i++)
                assert_true(thread_start("poster", post_many, (void *)(uintptr_t)i, &threads[i], NULL));
        loop_run(loop);
        for (size_t i = 0; i < POSTERS; i++)
                thread_join(threads[i]);
        assert_int_equal(posts_seen, POSTERS * POSTS);
}

// 300 timers with chance deadlines; some moved, some cancelled: those left fire once each, in the order of their deadlines.
static uint64_t fired_until;
static unsigned fired;

static void fire_in_order(struct loop_timer *timer) {
        assert_true(timer->deadline_ns >= fired_until);
        fired_until = timer->deadline_ns;
        fired++;
        timer->fire = NULL;
}

static void timers_fire_in_order_whatever_was_moved_or_cancelled(void **state) {
        (void)state;
        struct loop_timer timers[300] = {0};
        struct timers heap = {0};
        uint64_t random = 88172645463325252u;
        unsigned set = 0;
        for (int round = 0; round < 5000; round++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                struct loop_timer *timer = &timers[random % 300];
                timer->fire = fire_in_order;
                if (random >> 20 & 3) {
                        set += !timer->slot;
                        timers_set(&heap, timer, random >> 40);
                } else {
                        set -= timer->slot != 0;
                        timers_cancel(&heap, timer);
                }
        }
        assert_int_equal(heap.count, set);
        timers_fire(&heap, UINT64_MAX);
        assert_int_equal(fired, set);
        assert_int_equal(timers_next(&heap), UINT64_MAX);
        timers_free(&heap);
}

static unsigned steps;
static uint64_t started_ns;
static struct loop_class class;
static struct loop_timeout first, second;
static struct loop_timer last;

static void first_late(struct loop_timeout *timeout) {
        assert_ptr_equal(timeout, &first);
        assert_true(clock_monotonic_ns(clock_real()) - started_ns >= MILLISECONDS(20));
        steps++;
}

static void never(struct loop_timeout *timeout) {
        (void)timeout;
        fail_msg("a disarmed timeout fired");
}

static void last_late(struct loop_timer *timer) {
        assert_ptr_equal(timer, &last);
        assert_true(clock_monotonic_ns(clock_real()) - started_ns >= MILLISECONDS(60));
        assert_int_equal(steps, 1);
        loop_stop(loop);
}

static void timeouts_and_timers_are_never_early(void **state) {
        (void)state;
        started_ns = clock_monotonic_ns(clock_real());
        loop_class_add(loop, &class, MILLISECONDS(20));
        loop_timeout_init(&first, first_late);
        loop_timeout_init(&second, never);
        last.fire = last_late;
        // The loop's own time is of its last turn: deadlines are counted from it, which is before `started_ns` at most a moment.
        started_ns = loop_now_ns(loop);
        loop_timeout_arm(loop, &class, &second);
        loop_timeout_arm(loop, &class, &first);
        loop_timer_set(loop, &last, loop_now_ns(loop) + MILLISECONDS(60));
        loop_timeout_disarm(&second);
        loop_run(loop);
        assert_int_equal(steps, 1);
        loop_class_remove(&class);
}

// Two pipes become readable in one batch; the first to be served closes the other, which must hear nothing.
struct pipe_watch {
        struct loop_watch watch;
        struct pipe_watch *other;
        int write_end;
};

static unsigned served, buried;

static void count_burial(struct loop_task *task) {
        (void)task;
        assert_int_equal(served, 1);
        buried++;
        loop_stop(loop);
}

static struct loop_task burial = {NULL, count_burial};

static void close_the_other(struct loop_watch *watch, uint32_t events) {
        struct pipe_watch *pipe_watch = CONTAINER_OF(watch, struct pipe_watch, watch);
        (void)events;
        served++;
        int fd = pipe_watch->other->watch.fd;
        loop_unwatch(loop, &pipe_watch->other->watch);
        close(fd);
        loop_defer(loop, &burial);
        assert_int_equal(buried, 0);
}

static void who_dies_in_a_batch_hears_nothing_more(void **state) {
        (void)state;
        struct pipe_watch pipes[2];
        for (int i = 0; i < 2; i++) {
                int ends[2];
                assert_int_equal(pipe(ends), 0);
                pipes[i] = (struct pipe_watch){{-1, close_the_other}, &pipes[1 - i], ends[1]};
                assert_true(loop_watch(loop, &pipes[i].watch, ends[0], NULL));
                assert_int_equal(write(ends[1], "x", 1), 1);
        }
        loop_run(loop);
        assert_int_equal(served, 1);
        assert_int_equal(buried, 1);
        for (int i = 0; i < 2; i++) {
                close(pipes[i].write_end);
                if (pipes[i].watch.fd >= 0)
                        close(pipes[i].watch.fd);
        }
}

// A clock that a test sets.
static uint64_t set_ns;

static uint64_t set_monotonic_ns(struct clock *clock) {
        (void)clock;
        return set_ns;
}

static void the_loop_takes_its_time_from_its_clock(void **state) {
        (void)state;
        struct clock clock = {set_monotonic_ns, NULL};
        struct loop *own;
        set_ns = 42;
        assert_true(loop_new(&clock, &own, NULL));
        assert_int_equal(loop_now_ns(own), 42);
        set_ns = 43;
        loop_stop(own);
        loop_run(own);
        loop_free(own);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(posts_of_many_threads_come_all_and_in_order, begin, end),
                cmocka_unit_test(timers_fire_in_order_whatever_was_moved_or_cancelled),
                cmocka_unit_test_setup_teardown(timeouts_and_timers_are_never_early, begin, end),
                cmocka_unit_test_setup_teardown(who_dies_in_a_batch_hears_nothing_more, begin, end),
                cmocka_unit_test(the_loop_takes_its_time_from_its_clock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
