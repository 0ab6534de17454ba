// SPDX-License-Identifier: Apache-2.0
// The control thread: one loop with two HTTP servers, the registry's and the control API's, and what has to be looked at from
// time to time: the views follow the log (they are woken here), and a log or views that fail are told, once each way.
#include "daemon/daemon_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/migrate_rest.h"
#include "api/registry_rest_http.h"
#include "gateway/sampler.h"

enum { CONTROL_CONNECTIONS_MAX = 1000 };         // of the registry's listener, and of the control API's
#define WAKE_BUSY_NS MILLISECONDS(5)            // between two looks at the log's end while it grows
#define WAKE_IDLE_NS MILLISECONDS(50)

// ---- what is looked at ----

static void look_at_health(struct daemon *daemon) {
        struct control *control = &daemon->control;
        bool broken = log_broken(daemon->log);
        if (broken)                             // by the control thread's own records, a snapshot or a checkpoint, maybe
                daemon_tell_log_broken(daemon);
        struct error error;
        if (broken && !control->log_was_broken)
                SAY(&daemon->say, ERROR, "log-broken", {"log", daemon->log_path});
        if (!broken && control->log_was_broken)
                SAY(&daemon->say, INFO, "log-works-again", {"log", daemon->log_path});
        control->log_was_broken = broken;
        bool failing = views_error(daemon->views, &error);
        if (failing && !control->views_were_failing)
                say_error(&daemon->say, SAY_ERROR, "views-failing", &error);
        if (!failing && control->views_were_failing)
                SAY(&daemon->say, INFO, "views-work-again", {"views", daemon->state_path});
        control->views_were_failing = failing;
}

static void look(struct loop_timer *timer) {
        struct daemon *daemon = CONTAINER_OF(timer, struct daemon, control.views_timer);
        struct loop *loop = daemon->control.loop;
        bool behind = views_lag(daemon->views) > 0;
        if (behind)
                views_wake(daemon->views);
        look_at_health(daemon);
        loop_timer_set(loop, timer, loop_now_ns(loop) + (behind ? WAKE_BUSY_NS : WAKE_IDLE_NS));
}

static void look_at_samples(struct loop_timer *timer) {
        struct daemon *daemon = CONTAINER_OF(timer, struct daemon, control.sampler_timer);
        struct loop *loop = daemon->control.loop;
        sampler_digest(daemon->sampler, clock_wall_ms(loop_clock(loop)));
        loop_timer_set(loop, timer, loop_now_ns(loop) + MILLISECONDS(SAMPLER_EVERY_MS));
}

// ---- life ----

static void sum_servers(void *user, struct http_server_stats *ret_stats) {
        plane_stats(&((struct daemon *)user)->plane, ret_stats);
}

static bool listen_on(struct daemon *daemon, const char *address, const struct http_server_options *options, http_handle *handle,
                      void *user, struct http_server **ret_server, char *ret_address, struct error *error) {
        snprintf(ret_address, PLANE_ADDRESS_SIZE, "%s", address);
        return http_server_new(daemon->control.loop, options, handle, user, ret_server, error) &&
               listeners_listen(&daemon->inherited, ret_server, 1, ret_address, error);
}

static bool listen_planes(struct daemon *daemon, struct error *error) {
        struct control *control = &daemon->control;
        const struct model_settings *settings = &daemon->model->settings;
        const struct http_server_options
                registry = {.max_body = REGISTRY_REST_BODY_MAX, .max_connections = CONTROL_CONNECTIONS_MAX, .numbered_errors = true},
                api = {.max_body = API_BODY_MAX, .max_connections = CONTROL_CONNECTIONS_MAX};
        if (!listen_on(daemon, settings->registry, &registry, registry_rest_http, &control->rest, &control->registry,
                       control->registry_address, error))
                return error_wrap(error, "registry");
        return listen_on(daemon, settings->control, &api, api_http, daemon->api, &control->api_server, control->api_address, error) ||
               error_wrap(error, "control");
}

static void journal_migration(void *user, struct bytes key, struct bytes body, journal_done *done, void *done_user) {
        journal_append(((struct daemon *)user)->journal, RECORD_MIGRATION, key, body, done, done_user);
}

static bool open_migrations(struct daemon *daemon, struct error *error) {
        struct migrate_runtime_options options = {
                .loop = daemon->control.loop, .model = daemon->model, .gateway = daemon->gateway, .registry = daemon->registry,
                .changes = daemon->changes, .log = daemon->log, .reader = daemon->control.reader,
                .log_reader = daemon->control.log_reader, .journal = journal_migration, .user = daemon,
                .pseudonyms = &daemon->template_pseudonyms, .sampler = daemon->sampler,
        };
        daemon->migrations = migrate_runtime_new(&options);
        migrate_rest_add(daemon->api, migrate_runtime_machine(daemon->migrations));
        return migrate_runtime_restore(daemon->migrations, daemon->control.reader, error);
}

bool daemon_control_open(struct daemon *daemon, struct error *error) {
        struct control *control = &daemon->control;
        control->views_timer.fire = look;
        control->sampler_timer.fire = look_at_samples;
        control->rest = (struct registry_rest){.registry = daemon->registry, .changes = daemon->changes};
        if (!loop_new(clock_real(), &control->loop, error) ||
            !log_reader_open(daemon->log, &control->log_reader, error) ||
            !state_reader_open(daemon->state_path, &control->reader, error))
                return false;
        struct api_options options = {
                .loop = control->loop, .model = daemon->model, .gateway = daemon->gateway, .log = daemon->log,
                .views = daemon->views, .log_reader = control->log_reader, .reader = control->reader, .registry = daemon->registry,
                .pseudonyms = daemon->pseudonyms, .hash_key = daemon->keys.hash,
                .token = bytes_of(daemon->keys.token), .private_pem = buffer_bytes(&daemon->keys.private_pem),
                .server_stats = sum_servers, .user = daemon,
        };
        daemon->api = api_new(&options);
        if (!open_migrations(daemon, error) || !erasing_open(daemon, error))
                return false;
        daemon->erasing.rest = (struct privacy_rest){daemon->erasing.erase, daemon->erasing.scan};
        privacy_rest_add(daemon->api, &daemon->erasing.rest);
        return listen_planes(daemon, error);
}

static void *run(void *user) {
        struct daemon *daemon = user;
        look(&daemon->control.views_timer);
        if (daemon->sampler)
                look_at_samples(&daemon->control.sampler_timer);
        migrate_start(migrate_runtime_machine(daemon->migrations));
        loop_run(daemon->control.loop);
        return NULL;
}

bool daemon_control_start(struct daemon *daemon, struct error *error) {
        journal_start(daemon->journal, daemon->control.loop);
        daemon->control.started = thread_start("control", run, daemon, &daemon->control.thread, error);
        return daemon->control.started && erase_start(daemon->erasing.erase, error);
}

// ---- ending ----

static void tell_main(struct daemon *daemon) {
        uint64_t one = 1;
        ssize_t written = write(daemon->events, &one, sizeof one);
        ASSERT(written == sizeof one);
}

static void drain_look(struct loop_timer *timer) {
        struct daemon *daemon = CONTAINER_OF(timer, struct daemon, control.drain_timer);
        struct control *control = &daemon->control;
        if (control->draining == 0 && !journal_busy(daemon->journal))
                tell_main(daemon);
        else
                loop_timer_set(control->loop, timer, loop_now_ns(control->loop) + MILLISECONDS(2));
}

static void server_drained(void *user) {
        ((struct daemon *)user)->control.draining--;
}

static void begin_drain(struct loop_task *task) {
        struct daemon *daemon = CONTAINER_OF(task, struct daemon, control.task);
        struct control *control = &daemon->control;
        migrate_runtime_stop(daemon->migrations);
        control->draining = 2;
        __auto_type shut_down = daemon->handing_over ? http_server_hand_over : http_server_shutdown;
        shut_down(control->registry, SECONDS(1), server_drained, daemon);
        shut_down(control->api_server, SECONDS(1), server_drained, daemon);
        control->drain_timer.fire = drain_look;
        drain_look(&control->drain_timer);
}

// Nothing may happen between what is looked at and the end that would have it otherwise: a new migration, another version.
static void look_and_drain(struct loop_task *task) {
        struct daemon *daemon = CONTAINER_OF(task, struct daemon, control.task);
        struct successor *successor = daemon->successor;
        bool allowed = migrate_allows(migrate_runtime_machine(daemon->migrations), successor->model, &successor->error) &&
                       configured_follows(daemon, successor->model, daemon->control.reader, &successor->error) &&
                       contracts_allow(daemon, successor->model, &successor->error);
        successor->allowed = allowed;
        tell_main(daemon);                      // from here on it is the main thread's
        if (allowed)
                begin_drain(task);
}

void daemon_control_allow(struct daemon *daemon, struct successor *successor) {
        daemon->successor = successor;
        daemon->control.task.run = look_and_drain;
        loop_post(daemon->control.loop, &daemon->control.task);
}

void daemon_control_drain(struct daemon *daemon) {
        daemon->control.task.run = begin_drain;
        loop_post(daemon->control.loop, &daemon->control.task);
}

static void stop(struct loop_task *task) {
        loop_stop(CONTAINER_OF(task, struct daemon, control.task)->control.loop);
}

void daemon_control_stop(struct daemon *daemon) {
        if (!daemon->control.started)
                return;
        daemon->control.task.run = stop;
        loop_post(daemon->control.loop, &daemon->control.task);
        thread_join(daemon->control.thread);
        daemon->control.started = false;
}

void daemon_control_close(struct daemon *daemon) {
        struct control *control = &daemon->control;
        http_server_free(TAKE(control->registry));
        http_server_free(TAKE(control->api_server));
        api_free(TAKE(daemon->api));
        migrate_runtime_free(TAKE(daemon->migrations));
        log_reader_close(TAKE(control->log_reader));
        state_reader_close(TAKE(control->reader));
}
