// SPDX-License-Identifier: Apache-2.0
#include "common/client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memory.h"

#define KEPT_LIMIT 8             // servers that a thread keeps a connection to
#define HEAD_LIMIT_BYTES 16384

struct kept {
        char address[80];        // host:port
        int socket;
};

struct connections {
        struct kept kept[KEPT_LIMIT];
        int count;
};

struct target {
        char address[80];
        const char *prefix;      // path part of the base, "" if none
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void close_all(void *context)
{
        struct connections *connections = context;
        for (int i = 0; i < connections->count; i++)
                if (connections->kept[i].socket >= 0)
                        close(connections->kept[i].socket);
        free(connections);
}

static void make_key(void)
{
        if (pthread_key_create(&key, close_all) != 0)
                die("too many thread keys");
}

static struct connections *own_connections(void)
{
        pthread_once(&once, make_key);
        struct connections *connections = pthread_getspecific(key);
        if (!connections) {
                connections = must_allocate(sizeof(*connections));
                pthread_setspecific(key, connections);
        }
        return connections;
}

static struct kept *keep_for(const char *address)
{
        struct connections *connections = own_connections();
        for (int i = 0; i < connections->count; i++)
                if (strcmp(connections->kept[i].address, address) == 0)
                        return &connections->kept[i];
        if (connections->count == KEPT_LIMIT)
                die("more than %d servers in one thread", KEPT_LIMIT);
        struct kept *kept = &connections->kept[connections->count++];
        snprintf(kept->address, sizeof(kept->address), "%s", address);
        kept->socket = -1;
        return kept;
}

static bool split_url(const char *base, struct target *ret_target)
{
        if (strncmp(base, "http://", 7) != 0)
                return false;
        size_t size = strcspn(base + 7, "/");
        if (size == 0 || size >= sizeof(ret_target->address) || !memchr(base + 7, ':', size))
                return false;
        memcpy(ret_target->address, base + 7, size);
        ret_target->address[size] = 0;
        ret_target->prefix = base + 7 + size;
        if (strcmp(ret_target->prefix, "/") == 0)
                ret_target->prefix = "";
        return true;
}

void client_check_url(const char *option, const char *url)
{
        struct target target;
        if (!split_url(url, &target))
                die("--%s: http://host:port[/prefix] is expected, not '%s'", option, url);
}

static bool wait_for(int socket, short events, int64_t deadline)
{
        struct pollfd poller = { .fd = socket, .events = events };
        for (;;) {
                int64_t left = deadline - ticks_us();
                if (left <= 0)
                        return false;
                int ready = poll(&poller, 1, (int)(left / 1000 + 1));
                if (ready > 0)
                        return true;
                if (ready < 0 && errno != EINTR)
                        return false;
        }
}

static int connect_to(const char *address, int64_t deadline)
{
        char host[80];
        snprintf(host, sizeof(host), "%s", address);
        char *colon = strrchr(host, ':');
        *colon = 0;
        struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found = NULL;
        if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
                return -1;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int one = 1, error = 0;
        socklen_t size = sizeof(error);
        bool good = fd >= 0 && (connect(fd, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS) &&
                    wait_for(fd, POLLOUT, deadline) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
        freeaddrinfo(found);
        if (good && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0)
                return fd;
        if (fd >= 0)
                close(fd);
        return -1;
}

static bool send_all(int socket, const char *bytes, size_t size, int64_t deadline)
{
        while (size > 0) {
                ssize_t sent = send(socket, bytes, size, MSG_NOSIGNAL);
                if (sent > 0) {
                        bytes += sent;
                        size -= (size_t)sent;
                } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
                        return false;
                } else if (!wait_for(socket, POLLOUT, deadline)) {
                        return false;
                }
        }
        return true;
}

// An answer while it is read.
struct reading {
        char *bytes;
        size_t size, capacity;
        bool any;
};

static enum call_outcome read_more(int socket, struct reading *reading, int64_t deadline)
{
        if (reading->capacity - reading->size < 4096) {
                reading->capacity = reading->capacity * 2 + 8192;
                reading->bytes = must_resize(reading->bytes, reading->capacity + 1);
        }
        for (;;) {
                ssize_t got = recv(socket, reading->bytes + reading->size, reading->capacity - reading->size, 0);
                if (got > 0) {
                        reading->size += (size_t)got;
                        reading->bytes[reading->size] = 0;
                        reading->any = true;
                        return CALL_ANSWERED;
                }
                if (got == 0 || (errno != EAGAIN && errno != EINTR))
                        return CALL_BROKEN;
                if (!wait_for(socket, POLLIN, deadline))
                        return CALL_TIMEOUT;
        }
}

struct head {
        size_t size;                 // with the empty line
        size_t body_size;
        bool close;
};

static const char *header_value(const char *line, const char *name)
{
        size_t size = strlen(name);
        if (strncasecmp(line, name, size) != 0 || line[size] != ':')
                return NULL;
        line += size + 1;
        return line + strspn(line, " \t");
}

// The head is terminated where its empty line was. Answers without a Content-Length have no body (204) or are refused.
static bool parse_head(char *text, struct head *ret_head, struct reply *reply)
{
        if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strlen(text) < 12)
                return false;
        reply->status = (int)strtol(text + 9, NULL, 10);
        bool length = reply->status == 204 || reply->status == 304;
        for (char *line = strstr(text, "\r\n"); line; line = strstr(line, "\r\n")) {
                line += 2;
                const char *value;
                if ((value = header_value(line, "Content-Length"))) {
                        ret_head->body_size = strtoull(value, NULL, 10);
                        length = true;
                } else if ((value = header_value(line, "Connection"))) {
                        ret_head->close = strncasecmp(value, "close", 5) == 0;
                } else if ((value = header_value(line, "Retry-After"))) {
                        long seconds = strtol(value, NULL, 10);
                        reply->retry_after_ms = seconds < 0 ? 0 : seconds > 3600 ? 3600000 : seconds * 1000;
                } else if ((value = header_value(line, "Idempotent-Replayed"))) {
                        reply->replayed = strncasecmp(value, "true", 4) == 0;
                }
        }
        return length && ret_head->body_size <= ANSWER_LIMIT_BYTES && reply->status >= 200;
}

static enum call_outcome read_reply(struct kept *kept, struct reading *reading, int64_t deadline, struct reply *reply)
{
        char *end = NULL;
        while (!end) {
                enum call_outcome outcome = read_more(kept->socket, reading, deadline);
                if (outcome != CALL_ANSWERED)
                        return outcome;
                end = strstr(reading->bytes, "\r\n\r\n");
                if (!end && reading->size > HEAD_LIMIT_BYTES)
                        return CALL_BROKEN;
        }
        struct head head = { .size = (size_t)(end - reading->bytes) + 4 };
        *end = 0;
        if (!parse_head(reading->bytes, &head, reply))
                return CALL_BROKEN;
        while (reading->size < head.size + head.body_size) {
                enum call_outcome outcome = read_more(kept->socket, reading, deadline);
                if (outcome != CALL_ANSWERED)
                        return outcome;
        }
        reply->body_size = head.body_size;
        reply->body = must_allocate(head.body_size + 1);
        memcpy(reply->body, reading->bytes + head.size, head.body_size);
        if (head.close || reading->size > head.size + head.body_size) {
                close(kept->socket);
                kept->socket = -1;
        }
        return CALL_ANSWERED;
}

static char *write_request(const struct call *call, const struct target *target)
{
        const char *body = call->body ? call->body : "";
        bool has_body = call->body || strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0;
        char length[64] = "";
        if (has_body)
                snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
        return must_print("%s %s%s HTTP/1.1\r\nHost: %s\r\n%s%s%s%s%s\r\n%s", call->method, target->prefix, call->path,
                          target->address, call->body ? "Content-Type: application/json\r\n" : "", length,
                          call->identity ? "Idempotency-Key: " : "", call->identity ? call->identity : "",
                          call->identity ? "\r\n" : "", body);
}

static enum call_outcome exchange(struct kept *kept, const char *text, int64_t deadline, struct reply *reply, bool *ret_any)
{
        struct reading reading = { 0 };
        enum call_outcome outcome = CALL_BROKEN;
        if (send_all(kept->socket, text, strlen(text), deadline))
                outcome = read_reply(kept, &reading, deadline, reply);
        *ret_any = reading.any;
        free(reading.bytes);
        if (outcome != CALL_ANSWERED) {
                close(kept->socket);
                kept->socket = -1;
                *reply = (struct reply){ .retry_after_ms = -1 };
        }
        return outcome;
}

// An idle connection on which anything happened (end of stream, stray bytes) is not used again.
static void drop_if_dead(struct kept *kept)
{
        struct pollfd poller = { .fd = kept->socket, .events = POLLIN };
        if (kept->socket >= 0 && poll(&poller, 1, 0) != 0) {
                close(kept->socket);
                kept->socket = -1;
        }
}

enum call_outcome client_call(const struct call *call, struct reply *ret_reply)
{
        *ret_reply = (struct reply){ .retry_after_ms = -1 };
        struct target target;
        if (!split_url(call->base, &target))
                return CALL_NOT_SENT;
        int64_t deadline = ticks_us() + call->timeout_ms * 1000;
        struct kept *kept = keep_for(target.address);
        drop_if_dead(kept);
        FREED char *text = write_request(call, &target);
        for (;;) {
                bool reused = kept->socket >= 0, any = false;
                if (!reused)
                        kept->socket = connect_to(target.address, deadline);
                if (kept->socket < 0)
                        return CALL_NOT_SENT;
                enum call_outcome outcome = exchange(kept, text, deadline, ret_reply, &any);
                if (outcome == CALL_BROKEN && reused && !any && strcmp(call->method, "GET") == 0)
                        continue;
                return outcome;
        }
}

void reply_free(struct reply *reply)
{
        free(reply->body);
        reply->body = NULL;
}

const char *call_outcome_text(enum call_outcome outcome)
{
        static const char *const texts[] = { "answered", "not sent", "timeout", "broken" };
        return texts[outcome];
}
