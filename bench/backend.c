// SPDX-License-Identifier: Apache-2.0
// bench-backend PORT [STATUS]: a provider that costs next to nothing. Answers every request on 127.0.0.1 with STATUS (201) and
// 120 bytes of JSON, keeps connections, takes pipelined requests. One thread, level-triggered epoll, no allocation after a
// connection's. Understands what the benches send it: Content-Length or no body; anything else ends the process.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

struct connection {
        int fd;
        size_t size;
        char buffer[16384];
};

static char answer[512];
static size_t answer_size;

static void die(const char *what) {
        perror(what);
        exit(1);
}

// The size of the first request in the buffer; 0: it is not complete.
static size_t request_size(const char *data, size_t size) {
        const char *end = memmem(data, size, "\r\n\r\n", 4);
        if (!end)
                return 0;
        size_t head = (size_t)(end - data) + 4, body = 0;
        for (const char *line = data; line < end;) {
                const char *next = memchr(line, '\n', head - (size_t)(line - data));
                if (strncasecmp(line, "content-length:", 15) == 0)
                        body = strtoul(line + 15, NULL, 10);
                line = next + 1;
        }
        return head + body <= size ? head + body : 0;
}

static void serve(struct connection *connection) {
        ssize_t got = read(connection->fd, connection->buffer + connection->size, sizeof connection->buffer - connection->size);
        if (got <= 0) {
                close(connection->fd);
                free(connection);
                return;
        }
        connection->size += (size_t)got;
        size_t used = 0;
        for (size_t size; (size = request_size(connection->buffer + used, connection->size - used)) > 0; used += size)
                if (write(connection->fd, answer, answer_size) != (ssize_t)answer_size)
                        die("bench-backend: write");
        connection->size -= used;
        memmove(connection->buffer, connection->buffer + used, connection->size);
        ASSERT(connection->size < sizeof connection->buffer);
}

static int listen_on(uint16_t port) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0)
                die("bench-backend: listen");
        return fd;
}

static void watch(int epoll, int fd, void *what) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
        if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                die("bench-backend: epoll_ctl");
}

int main(int argc, char **argv) {
        if (argc < 2) {
                fputs("bench-backend PORT [STATUS]\n", stderr);
                return 64;
        }
        static const char body[] = "{\"task_id\":4711,\"rating\":17,\"rated_at\":\"2024-05-01T12:00:00Z\",\"manager\":12,"
                                   "\"candidate\":99,\"amount\":\"17.00\",\"a\":1}\n";
        int size = snprintf(answer, sizeof answer, "HTTP/1.1 %s OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                            argc > 2 ? argv[2] : "201", sizeof body - 1, body);
        answer_size = (size_t)size;
        int listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10)), epoll = epoll_create1(0), one = 1;
        watch(epoll, listener, NULL);
        for (;;) {
                struct epoll_event events[128];
                int count = epoll_wait(epoll, events, ARRAY_SIZE(events), -1);
                for (int i = 0; i < count; i++) {
                        if (events[i].data.ptr) {
                                serve(events[i].data.ptr);
                                continue;
                        }
                        struct connection *connection = malloc(sizeof *connection);
                        if (!connection)
                                die("bench-backend");
                        connection->fd = accept(listener, NULL, NULL);
                        connection->size = 0;
                        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                        watch(epoll, connection->fd, connection);
                }
        }
}
