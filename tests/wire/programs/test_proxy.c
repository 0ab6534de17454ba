// SPDX-License-Identifier: Apache-2.0
// The HTTP core as a program, for wire tests and benches: a proxy with --upstream, else a small server.
//
//      test-proxy --listen ADDRESS [--upstream URL] [--repeatable] [--head-ms N] [--body-ms N] [--idle-ms N] [--write-ms N]
//                 [--call-ms N] [--connect-ms N] [--drain-ms N] [--max-body N] [--max-connections N] [--pool N] [--queue N]
//
// It prints "listening PORT". SIGTERM drains it. Paths of the server: /echo (what was received), /plain, /big?SIZE,
// /later (answered by another thread), /never-mind (answered by another thread after 300 ms), /soon (answered by the loop, when the
// handler has returned), /stats.
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/forward.h"
#include "os/thread.h"

struct waiting {
        struct waiting *next;
        struct http_exchange *exchange;
        unsigned pause_ms;
};

struct program {
        struct loop *loop;
        struct http_server *server;
        struct http_upstream *upstream;
        struct http_forward_options forward;
        uint64_t drain_ns;
        struct loop_task terminate;
        pthread_t worker;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        struct waiting *waiting;
        bool ending;
        bool answering;                 // http_answer is on the stack: of the loop, not of the handler
        uint64_t outcomes[HTTP_CALL_MALFORMED + 1];
};

static struct program program;

// Answers from a thread of its own, as a commit thread does.
static void *work(void *user) {
        (void)user;
        pthread_mutex_lock(&program.mutex);
        while (!program.ending || program.waiting) {
                struct waiting *waiting = program.waiting;
                if (!waiting) {
                        pthread_cond_wait(&program.changed, &program.mutex);
                        continue;
                }
                program.waiting = waiting->next;
                pthread_mutex_unlock(&program.mutex);
                usleep(waiting->pause_ms * 1000);
                struct http_header header = {BYTES("X-Thread"), BYTES("another")};
                http_answer_post(waiting->exchange, 200, &header, 1, BYTES("later\n"));
                free(waiting);
                pthread_mutex_lock(&program.mutex);
        }
        pthread_mutex_unlock(&program.mutex);
        return NULL;
}

static void give_to_worker(struct http_exchange *exchange, unsigned pause_ms) {
        struct waiting *waiting = must_malloc(sizeof *waiting);
        *waiting = (struct waiting){NULL, exchange, pause_ms};
        pthread_mutex_lock(&program.mutex);
        struct waiting **end = &program.waiting;
        while (*end)
                end = &(*end)->next;
        *end = waiting;
        pthread_cond_signal(&program.changed);
        pthread_mutex_unlock(&program.mutex);
}

static void echo(struct http_exchange *exchange) {
        struct buffer out = {0};
        buffer_print(&out, "%.*s %.*s path=%.*s query=%.*s\n", BYTES_PRINT(exchange->method), BYTES_PRINT(exchange->target),
                     BYTES_PRINT(exchange->path), BYTES_PRINT(exchange->query));
        for (size_t i = 0; i < exchange->header_count; i++)
                buffer_print(&out, "%.*s: %.*s\n", BYTES_PRINT(exchange->headers[i].name),
                             BYTES_PRINT(exchange->headers[i].value));
        buffer_append_byte(&out, '\n');
        buffer_append(&out, exchange->body);
        http_answer(exchange, 200, NULL, 0, buffer_bytes(&out));
        buffer_free(&out);
}

static void stats(struct http_exchange *exchange) {
        struct http_server_stats server;
        struct http_upstream_stats upstream = {0};
        http_server_stats(program.server, &server);
        if (program.upstream)
                http_upstream_stats(program.upstream, &upstream);
        char *text = arena_print(exchange->arena, "accepted=%lu requests=%lu refused=%lu connections=%u exchanges=%u "
                                 "calls=%lu repeated=%lu connects=%lu pool=%u idle=%u ok=%lu not-sent=%lu broken=%lu timeout=%lu "
                                 "malformed=%lu\n",
                                 server.accepted, server.requests, server.refused, server.connections, server.exchanges,
                                 upstream.calls, upstream.repeated, upstream.connects, upstream.connections, upstream.idle,
                                 program.outcomes[HTTP_CALL_OK], program.outcomes[HTTP_CALL_NOT_SENT],
                                 program.outcomes[HTTP_CALL_BROKEN], program.outcomes[HTTP_CALL_TIMEOUT],
                                 program.outcomes[HTTP_CALL_MALFORMED]);
        http_answer(exchange, 200, NULL, 0, bytes_of(text));
}

static void big(struct http_exchange *exchange) {
        uint64_t size;
        if (!bytes_to_u64(exchange->query, &size) || size > 64 * 1024 * 1024) {
                http_answer_error(exchange, 400, "bad-request", "/big?SIZE");
                return;
        }
        char *body = must_malloc(size + 1);
        memset(body, 'x', size);
        http_answer(exchange, 200, NULL, 0, (struct bytes){body, size});
        free(body);
}

struct soon {
        struct loop_task task;
        struct http_exchange *exchange;
};

static void answer_soon(struct loop_task *task) {
        struct soon *soon = CONTAINER_OF(task, struct soon, task);
        program.answering = true;
        http_answer(soon->exchange, 200, NULL, 0, BYTES("soon\n"));
        program.answering = false;
}

static void give_to_loop(struct http_exchange *exchange) {
        struct soon *soon = arena_alloc(exchange->arena, sizeof *soon);
        *soon = (struct soon){.task.run = answer_soon, .exchange = exchange};
        loop_post(program.loop, &soon->task);
}

static void forwarded(void *user, const struct http_forwarded *what) {
        (void)user;
        program.outcomes[what->outcome]++;
}

static void handle(void *user, struct http_exchange *exchange) {
        struct http_header type = {BYTES("Content-Type"), BYTES("text/plain")};
        (void)user;
        ASSERT(!program.answering);
        if (bytes_equal(exchange->path, BYTES("/stats")))
                stats(exchange);
        else if (program.upstream)
                http_forward(exchange, program.upstream, &program.forward, forwarded, NULL);
        else if (bytes_equal(exchange->path, BYTES("/plain")))
                http_answer(exchange, 200, &type, 1, BYTES("plain\n"));
        else if (bytes_equal(exchange->path, BYTES("/big")))
                big(exchange);
        else if (bytes_equal(exchange->path, BYTES("/later")))
                give_to_worker(exchange, 0);
        else if (bytes_equal(exchange->path, BYTES("/never-mind")))
                give_to_worker(exchange, 300);
        else if (bytes_equal(exchange->path, BYTES("/soon")))
                give_to_loop(exchange);
        else
                echo(exchange);
}

static void drained(void *user) {
        (void)user;
        loop_stop(program.loop);
}

static void terminate(struct loop_task *task) {
        (void)task;
        http_server_shutdown(program.server, program.drain_ns, drained, NULL);
}

static void *wait_for_signal(void *user) {
        sigset_t *signals = user;
        int which;
        sigwait(signals, &which);
        loop_post(program.loop, &program.terminate);
        return NULL;
}

static NORETURN void fail(const struct error *error) {
        fprintf(stderr, "test-proxy: %s\n", error->text);
        exit(error_exit_status(error->code));
}

struct settings {
        const char *listen, *upstream;
        struct http_server_options server;
        struct http_upstream_options client;
};

static void read_options(int count, char **arguments, struct settings *settings) {
        static const struct option options[] = {
                {"listen", 1, NULL, 'l'}, {"upstream", 1, NULL, 'u'}, {"repeatable", 0, NULL, 'r'}, {"head-ms", 1, NULL, 'h'},
                {"body-ms", 1, NULL, 'b'}, {"idle-ms", 1, NULL, 'i'}, {"write-ms", 1, NULL, 'w'}, {"call-ms", 1, NULL, 'c'},
                {"connect-ms", 1, NULL, 'o'}, {"drain-ms", 1, NULL, 'd'}, {"max-body", 1, NULL, 'm'},
                {"max-connections", 1, NULL, 'x'}, {"pool", 1, NULL, 'p'}, {"queue", 1, NULL, 'q'}, {NULL, 0, NULL, 0},
        };
        program.drain_ns = SECONDS(5);
        for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1; ) {
                uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
                switch (option) {
                case 'l': settings->listen = optarg; break;
                case 'u': settings->upstream = optarg; break;
                case 'r': program.forward.repeatable = true; break;
                case 'h': settings->server.head_ns = MILLISECONDS(number); break;
                case 'b': settings->server.body_ns = MILLISECONDS(number); break;
                case 'i': settings->server.idle_ns = MILLISECONDS(number); break;
                case 'w': settings->server.write_ns = MILLISECONDS(number); break;
                case 'c': program.forward.timeout_ns = MILLISECONDS(number); break;
                case 'o': settings->client.connect_ns = MILLISECONDS(number); break;
                case 'd': program.drain_ns = MILLISECONDS(number); break;
                case 'm': settings->server.max_body = number; break;
                case 'x': settings->server.max_connections = (unsigned)number; break;
                case 'p': settings->client.max_connections = (unsigned)number; break;
                case 'q': settings->client.max_queue = (unsigned)number; break;
                default: exit(64);
                }
        }
}

int main(int count, char **arguments) {
        struct error error;
        struct settings settings = {.listen = "127.0.0.1:0"};
        read_options(count, arguments, &settings);
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        uint16_t port;
        pthread_t waiter;
        program.terminate.run = terminate;
        pthread_mutex_init(&program.mutex, NULL);
        pthread_cond_init(&program.changed, NULL);
        if (!loop_new(clock_real(), &program.loop, &error) ||
            !http_server_new(program.loop, &settings.server, handle, NULL, &program.server, &error) ||
            !http_server_listen(program.server, bytes_of(settings.listen), &port, &error) ||
            (settings.upstream && !http_upstream_new(program.loop, bytes_of(settings.upstream), &settings.client,
                                                     &program.upstream, &error)) ||
            !thread_start("worker", work, NULL, &program.worker, &error) ||
            !thread_start("signals", wait_for_signal, &signals, &waiter, &error))
                fail(&error);
        printf("listening %u\n", port);
        fflush(stdout);
        loop_run(program.loop);
        pthread_mutex_lock(&program.mutex);
        program.ending = true;
        pthread_cond_signal(&program.changed);
        pthread_mutex_unlock(&program.mutex);
        thread_join(program.worker);
        thread_join(waiter);
        http_upstream_free(program.upstream);
        http_server_free(program.server);
        loop_free(program.loop);
        return 0;
}
