// SPDX-License-Identifier: Apache-2.0
// bench-gateway CONFIGURATION: log, views and gateway as commute serve wires them, without migrations in between: orders to the
// first communication come on stdin, one a line, each answered by one JSON line on stdout when its effect is there:
//      plain | record | async          a switch: until every lane has changed; with what it took and what was read and written
//      state                           the state alone
// One loop thread for everything; the input thread gives the orders and waits for them.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/gateway.h"
#include "gateway/views.h"
#include "latency.h"
#include "log/log.h"
#include "log/record.h"
#include "model/model.h"
#include "os/loop.h"
#include "registry/registry.h"

static struct {
        const struct model *model;
        struct log *log;
        struct registry *registry;
        struct views *views;
        struct gateway *gateway;
        struct loop *loop;
        sem_t done;
        char log_path[500], state_path[500];
} it;

static void control(void *context, uint64_t position, const struct record *record, struct bytes body) {
        (void)context;
        (void)position;
        if (record->kind == RECORD_REGISTRY && !registry_apply(it.registry, body, NULL))
                abort();
}

static void moved(void *context, uint64_t position) {
        (void)context;
        if (it.gateway)
                gateway_views_moved(it.gateway, position);
}

// ---- orders ----

static void done(struct gateway_command *command) {
        (void)command;
        sem_post(&it.done);
}

static void order(struct gateway_command *command, enum gateway_order what, enum lane_mode mode) {
        *command = (struct gateway_command){.order = what, .mode = mode, .loop = it.loop, .done = done};
        gateway_order(it.gateway, command);
        sem_wait(&it.done);
}

static bool has_switched(const struct gateway_state *state, enum lane_mode mode) {
        size_t there = mode == LANE_PLAIN ? state->plain : mode == LANE_RECORD ? state->record : state->async;
        return there == state->shards && !state->changing && (mode == LANE_ASYNC || state->lanes_left_async == 0);
}

static void obey(const char *line) {
        static const struct {
                const char *name;
                enum lane_mode mode;
        } modes[] = {{"plain\n", LANE_PLAIN}, {"record\n", LANE_RECORD}, {"async\n", LANE_ASYNC}};
        struct gateway_command command;
        struct log_stats before, after;
        log_stats(it.log, &before);
        uint64_t begun = now_ns();
        bool ok = true;
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                if (strcmp(line, modes[i].name) != 0)
                        continue;
                order(&command, GATEWAY_SWITCH, modes[i].mode);
                ok = command.ok;
                while (ok && !has_switched(&command.state, modes[i].mode)) {
                        usleep(200);
                        order(&command, GATEWAY_STATE, LANE_PLAIN);
                }
        }
        uint64_t ended = now_ns();
        if (strcmp(line, "state\n") == 0)
                order(&command, GATEWAY_STATE, LANE_PLAIN);
        while (views_lag(it.views) > 0)
                usleep(1000);
        log_stats(it.log, &after);
        printf("{\"ok\":%s,\"began_ns\":%llu,\"took_ns\":%llu,\"records_read\":%llu,\"records_written\":%llu,\"waiting\":%zu,"
               "\"fences\":%llu,\"overruns\":%llu,\"longest_hold_ns\":%llu,\"delivered\":%llu,\"error\":\"%s\"}\n",
               ok ? "true" : "false", (unsigned long long)begun, (unsigned long long)(ended - begun),
               (unsigned long long)(after.read - before.read), (unsigned long long)(after.records - before.records),
               command.state.waiting, (unsigned long long)command.state.fences, (unsigned long long)command.state.fence_overruns,
               (unsigned long long)command.state.longest_hold_ns, (unsigned long long)command.state.delivered,
               ok ? "" : command.error.text);
        fflush(stdout);
}

static void *listen_to_orders(void *unused) {
        char line[64];
        while (fgets(line, sizeof line, stdin))
                obey(line);
        _exit(0);
        return unused;
}

// ---- wiring ----

static bool append_contract(struct bytes body, struct error *error) {
        CLEANUP(buffer_free) struct buffer header = {0};
        struct record record = {.kind = RECORD_REGISTRY};
        uint32_t stream;
        if (!log_stream(it.log, BYTES("control"), LOG_STREAM_PLAIN, &stream, error))
                return false;
        record_encode(&record, &header);
        struct log_record stored = {.stream = stream, .offset = -1, .header = buffer_bytes(&header), .body = body};
        struct log_batch batch = {.records = &stored, .count = 1};
        return log_append_wait(it.log, &batch, error) && views_catch_up(it.views, NULL, error);
}

static bool open_gateway(struct error *error) {
        const struct model_event *event = it.model->communications[0].async->event;
        struct registry_prepared prepared = {0};
        const struct registry_draft draft = {.text = event->versions[0].source};
        if (!registry_prepare_register(it.registry, bytes_of(event->name), &draft, NULL, &prepared, error) ||
            (prepared.body.size && !append_contract(buffer_bytes(&prepared.body), error)))
                return false;
        struct gateway_options options = {.model = it.model, .log = it.log, .registry = it.registry, .state_path = it.state_path,
                                          .views = it.views, .loops = &it.loop, .loop_count = 1};
        if (!gateway_new(&options, &it.gateway, error) || !views_catch_up(it.views, NULL, error))
                return false;
        gateway_event_schema(it.gateway, event->index, 0, prepared.registered.id);
        buffer_free(&prepared.body);
        gateway_start(it.gateway);
        return views_start(it.views, error);
}

static bool open_all(const char *configuration, struct error *error) {
        if (!model_load(configuration, &it.model, NULL, error))
                return false;
        const struct model_settings *settings = &it.model->settings;
        mkdir(settings->data, 0700);
        snprintf(it.log_path, sizeof it.log_path, "%s/log.db", settings->data);
        snprintf(it.state_path, sizeof it.state_path, "%s/state.db", settings->data);
        it.registry = registry_new(NULL);
        struct views_options views = {.path = it.state_path, .control = control, .moved = moved};
        if (!log_open(it.log_path, &(struct log_options){.threaded = true}, &it.log, error))
                return false;
        views.log = it.log;
        if (!views_open(&views, &it.views, error) || !views_catch_up(it.views, NULL, error) ||
            !loop_new(clock_real(), &it.loop, error) || !open_gateway(error))
                return false;
        struct http_server_options server = {0};
        struct http_server *listener;
        uint16_t port;
        return http_server_new(it.loop, &server, gateway_handle, it.gateway, &listener, error) &&
               http_server_listen(listener, bytes_of(settings->gateway), &port, error);
}

int main(int argc, char **argv) {
        struct error error;
        pthread_t input;
        signal(SIGPIPE, SIG_IGN);
        sem_init(&it.done, 0, 0);
        if (argc != 2 || !open_all(argv[1], &error)) {
                fprintf(stderr, "bench-gateway: %s\n", argc != 2 ? "expected CONFIGURATION" : error.text);
                return 1;
        }
        if (pthread_create(&input, NULL, listen_to_orders, NULL) != 0)
                return 1;
        loop_run(it.loop);
        return 0;
}
