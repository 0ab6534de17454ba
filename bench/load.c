// SPDX-License-Identifier: Apache-2.0
// bench-load: callers over kept connections, one request at a time each, from one thread. Prints one JSON object.
//
//      bench-load PORT [--connections N] [--rate R] [--seconds S] [--count N] [--target /path] [--body TEXT] [--identity PREFIX]
//                      [--lanes N] [--samples FILE] [--protocol http|redis]
//
// Without --rate (closed loop) a connection sends its next request when it has its answer. With it (open loop) request i is due at
// begin + i / R whatever becomes of the others; one that finds no free connection waits, and its latency counts from when it was
// due, so that a stall shows in every request that it held up ("coordinated omission").
//
// --body: a POST with this body, in which %n is the request's number and %l its number modulo --lanes; without: a GET. --identity:
// with the header Idempotency-Key, PREFIX and the number. --samples: appends each answer as two 64-bit numbers, ns of the
// monotonic clock at its end and its latency in ns. Answers that are not 2xx count as failed; a connection that ends is an error
// that ends the run. --protocol redis: XADD of the body to the stream "bench" in place of a POST.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "latency.h"

enum { CONNECTIONS_MAX = 4096 };

struct connection {
        int fd;
        struct connection *next_free;
        uint64_t since_ns;
        size_t size, wanted;            // wanted 0: the head is not complete
        bool failed;
        char buffer[8192];
};

static struct {
        uint16_t port;
        size_t connections, count, lanes;
        double rate, seconds;
        const char *target, *body, *identity, *samples;
        bool redis;
} options = {.connections = 64, .lanes = 1000, .seconds = 3, .target = "/"};

static struct connection *all, *free_ones;
static uint64_t begun_ns, end_ns, last_ns, sent, done, failed, longest_pause_ns;
static struct latencies latencies;
static FILE *samples;

static void die(const char *what) {
        fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
        exit(1);
}

// ---- requests ----

static size_t body_of(uint64_t number, char *text, size_t size) {
        size_t at = 0;
        for (const char *from = options.body; *from && at + 24 < size; from++)
                if (from[0] == '%' && (from[1] == 'n' || from[1] == 'l'))
                        at += (size_t)snprintf(text + at, size - at, "%llu",
                                               (unsigned long long)(*++from == 'n' ? number : number % options.lanes));
                else
                        text[at++] = *from;
        return at;
}

static size_t http_request(uint64_t number, char *text, size_t room) {
        char body[4000];
        size_t body_size = options.body ? body_of(number, body, sizeof body) : 0;
        size_t size = (size_t)snprintf(text, room, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", options.body ? "POST" : "GET",
                                       options.target);
        if (options.identity)
                size += (size_t)snprintf(text + size, room - size, "Idempotency-Key: %s-%llu\r\n", options.identity,
                                         (unsigned long long)number);
        if (options.body)
                size += (size_t)snprintf(text + size, room - size, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
                                         body_size, (int)body_size, body);
        else
                size += (size_t)snprintf(text + size, room - size, "\r\n");
        return size;
}

static size_t redis_request(uint64_t number, char *text, size_t room) {
        char body[4000];
        size_t body_size = body_of(number, body, sizeof body);
        return (size_t)snprintf(text, room, "*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nb\r\n$%zu\r\n%.*s\r\n", body_size,
                                (int)body_size, body);
}

static void send_one(struct connection *connection, uint64_t since) {
        char text[6000];
        uint64_t number = sent++;
        size_t size = options.redis ? redis_request(number, text, sizeof text) : http_request(number, text, sizeof text);
        connection->since_ns = since;
        connection->size = connection->wanted = 0;
        if (write(connection->fd, text, size) != (ssize_t)size)
                die("write");
}

static bool may_send(uint64_t now) {
        return now < end_ns && (!options.count || sent < options.count);
}

static void answered(struct connection *connection) {
        uint64_t now = now_ns(), latency = now - connection->since_ns;
        latency_add(&latencies, latency);
        done++;
        failed += connection->failed;
        longest_pause_ns = MAX(longest_pause_ns, now - last_ns);
        last_ns = now;
        if (samples && fwrite((uint64_t[]){now, latency}, sizeof(uint64_t), 2, samples) != 2)
                die(options.samples);
        connection->next_free = free_ones;
        free_ones = connection;
        if (options.rate <= 0 && may_send(now)) {
                free_ones = connection->next_free;
                send_one(connection, now);
        }
}

static void parse_head(struct connection *connection) {
        const char *data = connection->buffer, *end = memmem(data, connection->size, "\r\n\r\n", 4);
        if (!end)
                return;
        connection->failed = connection->size < 12 || data[9] != '2';
        if (connection->failed && failed == 0)
                fprintf(stderr, "bench-load: %.*s\n", (int)MIN(connection->size, (size_t)600), data);
        connection->wanted = (size_t)(end - data) + 4;
        for (const char *line = data; line < end;) {
                if (strncasecmp(line, "content-length:", 15) == 0)
                        connection->wanted += strtoul(line + 15, NULL, 10);
                line = (const char *)memchr(line, '\n', (size_t)(end + 4 - line)) + 1;
        }
        if (connection->wanted > sizeof connection->buffer)
                die("an answer that is too large");
}

// "$15", CR LF, the record's id, CR LF.
static void parse_redis(struct connection *connection) {
        const char *data = connection->buffer, *end = memchr(data, '\n', connection->size);
        if (!end)
                return;
        connection->failed = data[0] != '$';
        connection->wanted = (size_t)(end - data) + 1 + (connection->failed ? 0 : strtoul(data + 1, NULL, 10) + 2);
}

static void receive(struct connection *connection) {
        ssize_t got = read(connection->fd, connection->buffer + connection->size, sizeof connection->buffer - connection->size);
        if (got <= 0)
                die("a connection ended");
        connection->size += (size_t)got;
        if (!connection->wanted)
                (options.redis ? parse_redis : parse_head)(connection);
        if (connection->wanted && connection->size >= connection->wanted)
                answered(connection);
}

static int open_all(void) {
        int epoll = epoll_create1(0), one = 1;
        all = must_calloc(options.connections, sizeof *all);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        for (size_t i = 0; i < options.connections; i++) {
                struct connection *connection = &all[i];
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
                connection->fd = socket(AF_INET, SOCK_STREAM, 0);
                if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
                    epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
                        die("connect");
                setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                connection->next_free = free_ones;
                free_ones = connection;
        }
        return epoll;
}

// ---- the run ----

// Sends what is due; gives when the next is.
static uint64_t send_due(uint64_t now) {
        for (;;) {
                uint64_t due = options.rate > 0 ? begun_ns + (uint64_t)((double)sent / options.rate * 1e9) : now;
                if (due >= end_ns || !may_send(due) || !free_ones)
                        return UINT64_MAX;
                if (due > now)
                        return due;
                struct connection *connection = free_ones;
                free_ones = connection->next_free;
                send_one(connection, due);
        }
}

static void run(int epoll) {
        begun_ns = last_ns = now_ns();
        end_ns = options.count ? UINT64_MAX : begun_ns + (uint64_t)(options.seconds * 1e9);
        uint64_t due = send_due(begun_ns);
        while (done < sent || due != UINT64_MAX) {
                struct epoll_event events[256];
                uint64_t now = now_ns(), wait = due == UINT64_MAX ? 60000000000 : due > now ? due - now : 0;
                struct timespec patience = {.tv_sec = (time_t)(wait / 1000000000), .tv_nsec = (long)(wait % 1000000000)};
                int count = epoll_pwait2(epoll, events, ARRAY_SIZE(events), &patience, NULL);
                if (count == 0 && due == UINT64_MAX) {
                        errno = ETIMEDOUT;
                        die("no answer for a minute");
                }
                for (int i = 0; i < count; i++)
                        receive(events[i].data.ptr);
                due = send_due(now_ns());
        }
}

static void read_options(int argc, char **argv) {
        static const struct option known[] = {
                {"connections", 1, NULL, 'c'}, {"rate", 1, NULL, 'r'}, {"seconds", 1, NULL, 's'}, {"count", 1, NULL, 'n'},
                {"target", 1, NULL, 't'}, {"body", 1, NULL, 'b'}, {"identity", 1, NULL, 'i'}, {"lanes", 1, NULL, 'l'},
                {"samples", 1, NULL, 'o'}, {"protocol", 1, NULL, 'p'}, {NULL, 0, NULL, 0},
        };
        for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;)
                switch (option) {
                case 'c': options.connections = strtoul(optarg, NULL, 10); break;
                case 'r': options.rate = strtod(optarg, NULL); break;
                case 's': options.seconds = strtod(optarg, NULL); break;
                case 'n': options.count = strtoul(optarg, NULL, 10); break;
                case 't': options.target = optarg; break;
                case 'b': options.body = optarg; break;
                case 'i': options.identity = optarg; break;
                case 'l': options.lanes = MAX(strtoul(optarg, NULL, 10), 1ul); break;
                case 'p': options.redis = strcmp(optarg, "redis") == 0; break;
                case 'o': options.samples = optarg; break;
                default: exit(64);
                }
        if (optind != argc - 1 || options.connections < 1 || options.connections > CONNECTIONS_MAX) {
                fputs("bench-load PORT [--connections 1…4096] [--rate R] [--seconds S | --count N] [--target T] [--body TEXT] …\n", stderr);
                exit(64);
        }
        options.port = (uint16_t)strtoul(argv[optind], NULL, 10);
}

int main(int argc, char **argv) {
        read_options(argc, argv);
        if (options.samples && !(samples = fopen(options.samples, "wb")))
                die(options.samples);
        run(open_all());
        if (samples && fclose(samples) != 0)
                die(options.samples);
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        double took = (double)(last_ns - begun_ns) / 1e9;
        double processor = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
        printf("{\"requests\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"rate\":%.1f", (unsigned long long)done,
               (unsigned long long)failed, took, (double)done / took);
        static const struct {
                const char *name;
                double share;
        } quantiles[] = {{"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}};
        for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++)
                printf(",\"%s\":%.1f", quantiles[i].name, latency_quantile_us(&latencies, quantiles[i].share));
        printf(",\"longest_pause_us\":%.1f,\"client_cpu_seconds\":%.3f}\n", (double)longest_pause_ns / 1e3, processor);
        return 0;
}
