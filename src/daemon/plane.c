// SPDX-License-Identifier: Apache-2.0
#include "daemon/plane.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/listeners.h"

static void drain(struct loop_task *task);
static void tick(struct loop_timer *timer);
static void stop(struct loop_task *task);

bool plane_new(struct plane *plane, size_t count, struct error *error) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        if (count == 0)
                count = processors > 0 ? (size_t)processors : 1;
        *plane = (struct plane){.count = MIN(count, (size_t)PLANE_LOOPS_MAX)};
        pthread_mutex_init(&plane->mutex, NULL);
        plane->each = must_calloc(plane->count, sizeof *plane->each);
        plane->loops = must_calloc(plane->count, sizeof *plane->loops);
        for (size_t i = 0; i < plane->count; i++) {
                struct plane_loop *each = &plane->each[i];
                *each = (struct plane_loop){.plane = plane, .drain.run = drain, .stop.run = stop, .tick.fire = tick};
                if (!loop_new(clock_real(), &each->loop, error))
                        return false;
                plane->loops[i] = each->loop;
        }
        return true;
}

void plane_bound_address(char ret_address[static PLANE_ADDRESS_SIZE], const char *address, uint16_t port) {
        const char *colon = strrchr(address, ':');
        int host = colon ? (int)(colon - address) : (int)strlen(address);
        snprintf(ret_address, PLANE_ADDRESS_SIZE, "%.*s:%u", host, address, port);
}

bool plane_listen(struct plane *plane, const char *address, const struct http_server_options *options,
                  struct listeners *inherited, http_handle *handle, void *user, struct error *error) {
        struct http_server_options shared = *options;
        shared.shared_port = plane->count > 1;
        snprintf(plane->address, sizeof plane->address, "%s", address);
        struct http_server *servers[PLANE_LOOPS_MAX];
        for (size_t i = 0; i < plane->count; i++) {
                struct plane_loop *each = &plane->each[i];
                if (!http_server_new(each->loop, &shared, handle, user, &each->server, error))
                        return error_wrap(error, "gateway");
                servers[i] = each->server;
        }
        return listeners_listen(inherited, servers, plane->count, plane->address, error) || error_wrap(error, "gateway");
}

static void tick(struct loop_timer *timer) {
        struct plane_loop *each = CONTAINER_OF(timer, struct plane_loop, tick);
        pthread_mutex_lock(&each->plane->mutex);
        http_server_stats(each->server, &each->stats);
        pthread_mutex_unlock(&each->plane->mutex);
        loop_timer_set(each->loop, timer, loop_now_ns(each->loop) + SECONDS(1));
}

static void *run(void *user) {
        struct plane_loop *each = user;
        tick(&each->tick);
        loop_run(each->loop);
        return NULL;
}

bool plane_start(struct plane *plane, struct error *error) {
        for (size_t i = 0; i < plane->count; i++) {
                char name[THREAD_NAME_MAX + 1];
                snprintf(name, sizeof name, "gateway-%u", (unsigned)(i % PLANE_LOOPS_MAX));
                if (!thread_start(name, run, &plane->each[i], &plane->each[i].thread, error))
                        return false;
                plane->each[i].started = true;
        }
        return true;
}

static void drained(void *user) {
        struct plane *plane = user;
        if (atomic_fetch_sub(&plane->draining, 1) == 1)
                plane->drained(plane->user);
}

static void drain(struct loop_task *task) {
        struct plane_loop *each = CONTAINER_OF(task, struct plane_loop, drain);
        if (each->plane->hand_over)
                http_server_hand_over(each->server, each->plane->drain_ns, drained, each->plane);
        else
                http_server_shutdown(each->server, each->plane->drain_ns, drained, each->plane);
}

void plane_drain(struct plane *plane, uint64_t deadline_ns, bool hand_over, void (*all_drained)(void *user), void *user) {
        plane->drain_ns = deadline_ns;
        plane->hand_over = hand_over;
        plane->drained = all_drained;
        plane->user = user;
        atomic_store(&plane->draining, plane->count);
        for (size_t i = 0; i < plane->count; i++)
                loop_post(plane->each[i].loop, &plane->each[i].drain);
}

static void stop(struct loop_task *task) {
        loop_stop(CONTAINER_OF(task, struct plane_loop, stop)->loop);
}

void plane_stop(struct plane *plane) {
        for (size_t i = 0; i < plane->count; i++) {
                if (!plane->each[i].started)
                        continue;
                loop_post(plane->each[i].loop, &plane->each[i].stop);
                thread_join(plane->each[i].thread);
                plane->each[i].started = false;
        }
}

void plane_servers_free(struct plane *plane) {
        for (size_t i = 0; i < plane->count; i++)
                http_server_free(TAKE(plane->each[i].server));
}

void plane_free(struct plane *plane) {
        if (!plane->each)
                return;
        for (size_t i = 0; i < plane->count; i++)
                loop_free(plane->each[i].loop);
        free(plane->each);
        free(plane->loops);
        pthread_mutex_destroy(&plane->mutex);
        *plane = (struct plane){0};
}

void plane_stats(struct plane *plane, struct http_server_stats *ret_stats) {
        struct http_server_stats sum = {0};
        pthread_mutex_lock(&plane->mutex);
        for (size_t i = 0; i < plane->count; i++) {
                const struct http_server_stats *stats = &plane->each[i].stats;
                sum.accepted += stats->accepted;
                sum.requests += stats->requests;
                sum.refused += stats->refused;
                sum.connections += stats->connections;
                sum.exchanges += stats->exchanges;
        }
        pthread_mutex_unlock(&plane->mutex);
        *ret_stats = sum;
}
