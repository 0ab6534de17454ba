// SPDX-License-Identifier: Apache-2.0
// One epoll instance, one eventfd, a list of posted tasks under a mutex, a list of deferred ones, the classes of timeouts and
// the heap of timers (timers.c). All memory is the loop's own, made in loop_new; nothing fails after that, except that a
// descriptor may be refused (loop_watch).
//
// Invariants: a task is in at most one list; the eventfd has been written since the posted list was last taken if and only if
// that list is not empty (or somebody is between the two); deferred tasks run after all events of the batch, and those that are
// deferred by them run in the next turn, so that a task that defers itself cannot starve the rest.
#include "os/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/loop_priv.h"

enum { EVENTS_PER_TURN = 256 };

struct tasks {
        struct loop_task *first, *last;
};

struct loop {
        struct clock *clock;
        uint64_t now_ns;
        int epoll_fd;
        struct loop_watch wake;         // the eventfd
        struct tasks deferred;
        struct timers timers;
        struct list classes;
        _Atomic(pthread_t) owner;
        atomic_bool stopping;
        pthread_mutex_t mutex;          // guards posted
        struct tasks posted;
        struct epoll_event events[EVENTS_PER_TURN];
};

static bool tasks_append(struct tasks *tasks, struct loop_task *task) {
        bool was_empty = !tasks->first;
        task->next = NULL;
        if (was_empty)
                tasks->first = task;
        else
                tasks->last->next = task;
        tasks->last = task;
        return was_empty;
}

static void tasks_run(struct tasks tasks) {
        for (struct loop_task *task = tasks.first, *next; task; task = next) {
                next = task->next;      // run may free the task, or post it again
                task->run(task);
        }
}

static void wake_up(struct loop *loop) {
        uint64_t one = 1;
        ssize_t written = write(loop->wake.fd, &one, sizeof one);
        ASSERT(written == sizeof one || errno == EAGAIN);       // EAGAIN: it is awake for 2^64 reasons already
}

static void woken(struct loop_watch *watch, uint32_t events) {
        (void)events;
        uint64_t count;
        ssize_t got = read(watch->fd, &count, sizeof count);
        ASSERT(got == sizeof count || errno == EAGAIN);
}

static void run_posted(struct loop *loop) {
        pthread_mutex_lock(&loop->mutex);
        struct tasks tasks = loop->posted;
        loop->posted = (struct tasks){0};
        pthread_mutex_unlock(&loop->mutex);
        tasks_run(tasks);
}

static void run_deferred(struct loop *loop) {
        struct tasks tasks = loop->deferred;
        loop->deferred = (struct tasks){0};
        tasks_run(tasks);
}

bool loop_new(struct clock *clock, struct loop **ret_loop, struct error *error) {
        struct loop *loop = must_calloc(1, sizeof *loop);
        loop->clock = clock;
        loop->now_ns = clock_monotonic_ns(clock);
        list_init(&loop->classes);
        pthread_mutex_init(&loop->mutex, NULL);
        atomic_store(&loop->owner, pthread_self());
        loop->wake = (struct loop_watch){-1, woken};
        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0) {
                error_set(error, ERROR_UNAVAILABLE, "epoll_create: %s", strerror(errno));
                loop_free(loop);
                return false;
        }
        int event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (event_fd < 0) {
                error_set(error, ERROR_UNAVAILABLE, "eventfd: %s", strerror(errno));
                loop_free(loop);
                return false;
        }
        if (!loop_watch(loop, &loop->wake, event_fd, error)) {
                close(event_fd);
                loop_free(loop);
                return false;
        }
        *ret_loop = loop;
        return true;
}

void loop_free(struct loop *loop) {
        if (!loop)
                return;
        // Tasks free memory of their owners; one that defers another one is given its turn too.
        while (loop->deferred.first || loop->posted.first) {
                run_posted(loop);
                run_deferred(loop);
        }
        if (loop->wake.fd >= 0)
                close(loop->wake.fd);
        if (loop->epoll_fd >= 0)
                close(loop->epoll_fd);
        timers_free(&loop->timers);
        pthread_mutex_destroy(&loop->mutex);
        free(loop);
}

bool loop_watch(struct loop *loop, struct loop_watch *watch, int fd, struct error *error) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = watch};
        if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return error_set(error, ERROR_UNAVAILABLE, "epoll_ctl: %s", strerror(errno));
        watch->fd = fd;
        return true;
}

// Closing the descriptor would take it out of the set, too, unless a process that is just being started (os/process.h) has it for the
// moment until its exec: events would come then for a watch that is gone.
void loop_unwatch(struct loop *loop, struct loop_watch *watch) {
        if (watch->fd >= 0)
                IGNORE(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL));      // closed already: it is out
        watch->fd = -1;
}

void loop_post(struct loop *loop, struct loop_task *task) {
        pthread_mutex_lock(&loop->mutex);
        bool was_empty = tasks_append(&loop->posted, task);
        pthread_mutex_unlock(&loop->mutex);
        if (was_empty)
                wake_up(loop);
}

void loop_defer(struct loop *loop, struct loop_task *task) {
        tasks_append(&loop->deferred, task);
}

static void fire_timeouts(struct loop *loop) {
        LIST_FOR_EACH(link, &loop->classes) {
                struct loop_class *class = CONTAINER_OF(link, struct loop_class, link);
                while (!list_empty(&class->waiting)) {
                        struct loop_timeout *timeout = LIST_FIRST(&class->waiting, struct loop_timeout, link);
                        if (timeout->deadline_ns > loop->now_ns)
                                break;
                        list_remove(&timeout->link);
                        timeout->fire(timeout);
                }
        }
}

// Milliseconds for epoll_wait, rounded up so that a timer never fires early; -1: nothing is waited for.
static int patience(const struct loop *loop) {
        if (loop->deferred.first)
                return 0;
        uint64_t deadline = timers_next(&loop->timers);
        LIST_FOR_EACH(link, &loop->classes) {
                struct loop_class *class = CONTAINER_OF(link, struct loop_class, link);
                if (!list_empty(&class->waiting))
                        deadline = MIN(deadline, LIST_FIRST(&class->waiting, struct loop_timeout, link)->deadline_ns);
        }
        if (deadline == UINT64_MAX)
                return -1;
        uint64_t now = clock_monotonic_ns(loop->clock);
        if (deadline <= now)
                return 0;
        return (int)MIN((deadline - now + 999999) / 1000000, (uint64_t)60000);
}

static void turn(struct loop *loop) {
        struct epoll_event *events = loop->events;
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, patience(loop));
        ASSERT(count >= 0 || errno == EINTR);
        loop->now_ns = clock_monotonic_ns(loop->clock);
        for (int i = 0; i < count; i++) {
                struct loop_watch *watch = events[i].data.ptr;
                if (watch->fd >= 0)     // else it died earlier in this batch
                        watch->ready(watch, events[i].events);
        }
        run_posted(loop);
        timers_fire(&loop->timers, loop->now_ns);
        fire_timeouts(loop);
        run_deferred(loop);
}

void loop_run(struct loop *loop) {
        atomic_store(&loop->owner, pthread_self());
        while (!atomic_load(&loop->stopping))
                turn(loop);
        atomic_store(&loop->stopping, false);
}

void loop_stop(struct loop *loop) {
        atomic_store(&loop->stopping, true);
        wake_up(loop);
}

bool loop_is_here(const struct loop *loop) {
        return pthread_equal(atomic_load(&loop->owner), pthread_self());
}

uint64_t loop_now_ns(const struct loop *loop) {
        return loop->now_ns;
}

struct clock *loop_clock(const struct loop *loop) {
        return loop->clock;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns) {
        timers_set(&loop->timers, timer, deadline_ns);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer) {
        timers_cancel(&loop->timers, timer);
}

void loop_class_add(struct loop *loop, struct loop_class *class, uint64_t duration_ns) {
        list_init(&class->waiting);
        class->duration_ns = duration_ns;
        list_append(&loop->classes, &class->link);
}

void loop_class_remove(struct loop_class *class) {
        if (!class->link.next)
                return;         // never added
        ASSERT(list_empty(&class->waiting));
        list_remove(&class->link);
}

void loop_timeout_arm(struct loop *loop, struct loop_class *class, struct loop_timeout *timeout) {
        list_remove(&timeout->link);
        timeout->deadline_ns = loop->now_ns + class->duration_ns;
        list_append(&class->waiting, &timeout->link);
}
