// SPDX-License-Identifier: Apache-2.0
#include "common/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/faults.h"
#include "common/memory.h"

#define IDLE_TIMEOUT_S 120
#define STACK_BYTES (512 * 1024)

struct server {
        const struct route *routes;
        void *service;
        void (*health)(void *service, json_t *body);
        atomic_int in_flight;
        atomic_bool draining;
};

// A request's body while it arrives; lives from the head to the end of the request.
struct arriving {
        char *bytes;
        size_t size;
        bool too_large;
};

const char *request_header(struct request *request, const char *name)
{
        return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void answer_error(struct answer *answer, int status, const char *format, ...)
{
        char text[512];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        json_decref(answer->body);
        answer->status = status;
        answer->body = json_pack("{s:o}", "error", json_string(text) ?: json_string("bad text"));
}

// Digits only, at most 18 of them.
static bool read_id(const char *text, size_t size, int64_t *ret_id)
{
        if (size == 0 || size > 18)
                return false;
        int64_t id = 0;
        for (size_t i = 0; i < size; i++) {
                if (text[i] < '0' || text[i] > '9')
                        return false;
                id = id * 10 + (text[i] - '0');
        }
        *ret_id = id;
        return true;
}

bool request_cursor(struct request *request, struct answer *answer, int64_t *ret_after)
{
        const char *text = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "after");
        *ret_after = 0;
        if (!text || !*text || read_id(text, strlen(text), ret_after))
                return true;
        answer_error(answer, 400, "after: a cursor is expected, not '%.40s'", text);
        return false;
}

json_t *request_fields(struct request *request, const struct field *fields, struct answer *answer)
{
        int status = 0;
        FREED char *problem = NULL;
        json_t *body = fields_read(request->body, request->body_size, fields, &status, &problem);
        if (!body)
                answer_error(answer, status, "%s", problem);
        return body;
}

enum match { MATCH_NO, MATCH_YES, MATCH_BAD_ID };

static enum match match_path(const char *pattern, const char *path, int64_t *ret_id)
{
        for (;;) {
                if (strncmp(pattern, "{id}", 4) == 0) {
                        size_t size = strcspn(path, "/");
                        if (size == 0)
                                return MATCH_NO;
                        if (!read_id(path, size, ret_id))
                                return strchr(pattern, '/') || strchr(path, '/') ? MATCH_NO : MATCH_BAD_ID;
                        pattern += 4;
                        path += size;
                } else if (*pattern != *path) {
                        return MATCH_NO;
                } else if (!*pattern) {
                        return MATCH_YES;
                } else {
                        pattern++;
                        path++;
                }
        }
}

static const struct route *find_route(const struct route *routes, struct request *request, struct answer *answer)
{
        bool known = false;
        for (const struct route *r = routes; r->method; r++) {
                enum match match = match_path(r->path, request->target, &request->id);
                if (match == MATCH_NO)
                        continue;
                if (match == MATCH_BAD_ID) {
                        answer_error(answer, 400, "%s: the id must be a number", r->path);
                        return NULL;
                }
                if (strcmp(r->method, request->method) == 0)
                        return r;
                known = true;
        }
        answer_error(answer, known ? 405 : 404, known ? "%s is not possible here" : "%s: nothing is here",
                     known ? request->method : request->target);
        return NULL;
}

static void handle_faults(struct request *request, struct answer *answer)
{
        struct faults faults = { .hang_ms = 5000, .for_ms = 1000 };
        const struct field fields[] = {
                { "slow_ms", FIELD_INTEGER, &faults.slow_ms, 0, 60000, true },
                { "fail_percent", FIELD_INTEGER, &faults.fail_percent, 0, 100, true },
                { "hang_percent", FIELD_INTEGER, &faults.hang_percent, 0, 100, true },
                { "hang_ms", FIELD_INTEGER, &faults.hang_ms, 0, 60000, true },
                { "break_percent", FIELD_INTEGER, &faults.break_percent, 0, 100, true },
                { "for_ms", FIELD_INTEGER, &faults.for_ms, 0, 3600000, true },
                { 0 },
        };
        json_t *body = request_fields(request, fields, answer);
        if (!body)
                return;
        if (faults.fail_percent + faults.hang_percent + faults.break_percent > 100) {
                answer_error(answer, 422, "the percentages add up to more than 100");
        } else {
                faults_set(&faults);
                answer->status = 200;
                answer->body = json_incref(body);
        }
        json_decref(body);
}

static bool handle_common(struct server *server, struct request *request, struct answer *answer)
{
        if (strcmp(request->target, "/health") == 0 && strcmp(request->method, "GET") == 0) {
                answer->status = 200;
                answer->body = json_pack("{s:s}", "status", "ok");
                if (server->health)
                        server->health(server->service, answer->body);
                return true;
        }
        if (strcmp(request->target, "/admin/faults") == 0 && strcmp(request->method, "POST") == 0) {
                handle_faults(request, answer);
                return true;
        }
        return false;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer, bool close)
{
        char *text = answer->body ? json_dumps(answer->body, JSON_COMPACT) : NULL;
        size_t size = text ? strlen(text) : 0;
        enum MHD_ResponseMemoryMode memory = text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT;
        struct MHD_Response *response = MHD_create_response_from_buffer(size, text, memory);
        json_decref(answer->body);
        if (!response)
                return MHD_NO;
        if (text)
                MHD_add_response_header(response, "Content-Type", "application/json");
        if (answer->header)
                MHD_add_response_header(response, answer->header, answer->header_value);
        if (close)
                MHD_add_response_header(response, "Connection", "close");
        enum MHD_Result result = MHD_queue_response(connection, (unsigned)answer->status, response);
        MHD_destroy_response(response);
        return result;
}

// Faults spare /health and /admin.
static enum MHD_Result serve(struct server *server, struct request *request)
{
        struct answer answer = { .status = 500 };
        bool draining = atomic_load(&server->draining);
        if (draining)
                answer_error(&answer, 503, "stopping");
        if (draining || handle_common(server, request, &answer))
                return send_answer(request->connection, &answer, draining);
        const struct route *route = find_route(server->routes, request, &answer);
        if (!route)
                return send_answer(request->connection, &answer, false);
        int64_t delay_ms = 0, hang_ms = 0;
        enum fault fault = strncmp(request->target, "/admin/", 7) == 0 ? FAULT_NONE : faults_draw(&delay_ms, &hang_ms);
        sleep_us(delay_ms * 1000);
        request->fail = fault == FAULT_FAIL;
        if (request->fail && !route->sees_faults)
                answer_error(&answer, 503, "a fault was asked for");
        else
                route->handle(server->service, request, &answer);
        sleep_us(hang_ms * 1000);
        if (fault == FAULT_BREAK) {
                json_decref(answer.body);
                return MHD_NO;
        }
        return send_answer(request->connection, &answer, atomic_load(&server->draining));
}

static void take_bytes(struct arriving *arriving, const char *data, size_t size)
{
        if (arriving->too_large || arriving->size + size > BODY_LIMIT_BYTES) {
                arriving->too_large = true;
                return;
        }
        arriving->bytes = must_resize(arriving->bytes, arriving->size + size);
        memcpy(arriving->bytes + arriving->size, data, size);
        arriving->size += size;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *target, const char *method,
                                  const char *version, const char *data, size_t *data_size, void **state)
{
        (void)version;
        struct server *server = context;
        struct arriving *arriving = *state;
        if (!arriving) {
                *state = must_allocate(sizeof(*arriving));
                atomic_fetch_add(&server->in_flight, 1);
                return MHD_YES;
        }
        if (*data_size > 0) {
                take_bytes(arriving, data, *data_size);
                *data_size = 0;
                return MHD_YES;
        }
        if (arriving->too_large) {
                struct answer answer = { 0 };
                answer_error(&answer, 413, "a body has at most %d bytes", BODY_LIMIT_BYTES);
                return send_answer(connection, &answer, true);
        }
        struct request request = { .method = method, .target = target, .body = arriving->bytes,
                                   .body_size = arriving->size, .connection = connection };
        return serve(server, &request);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why)
{
        (void)connection;
        (void)why;
        struct server *server = context;
        struct arriving *arriving = *state;
        if (!arriving)
                return;
        free(arriving->bytes);
        free(arriving);
        *state = NULL;
        atomic_fetch_sub(&server->in_flight, 1);
}

void server_block_signals(void)
{
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
}

static void wait_for_signal(void)
{
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        int which;
        sigwait(&signals, &which);
}

static void drain(struct server *server, struct MHD_Daemon *daemon)
{
        atomic_store(&server->draining, true);
        int listener = MHD_quiesce_daemon(daemon);
        int64_t deadline = ticks_us() + DRAIN_LIMIT_MS * 1000;
        while (atomic_load(&server->in_flight) > 0 && ticks_us() < deadline)
                sleep_us(2000);
        MHD_stop_daemon(daemon);
        if (listener >= 0)
                shutdown(listener, SHUT_RDWR);
}

void server_run(int64_t port, const struct route *routes, void *service, void (*health)(void *service, json_t *body))
{
        struct server server = { .routes = routes, .service = service, .health = health };
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct MHD_Daemon *daemon = MHD_start_daemon(
                MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC,
                (uint16_t)port, NULL, NULL, on_request, &server,
                MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED, on_completed, &server,
                MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_LIMIT, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
                MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_END);
        if (!daemon)
                die("cannot listen on 127.0.0.1:%lld: %s", (long long)port, strerror(errno));
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
        printf("listening on 127.0.0.1:%u\n", info ? info->port : (unsigned)port);
        fflush(stdout);
        wait_for_signal();
        drain(&server, daemon);
}
