// SPDX-License-Identifier: Apache-2.0
// Looks a name up in a thread of its own that lives for one lookup (getaddrinfo waits). The thread touches nothing but its
// resolution; the task it posts last gives that back to the loop, which joins the thread.
#include "http/client_priv.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "os/thread.h"

struct resolution {
        struct http_upstream *upstream; // NULL: abandoned
        struct loop *loop;
        struct loop_task done;
        pthread_t thread;
        bool joined;
        char host[HTTP_HOST_MAX + 1];
        uint16_t port;
        struct http_address addresses[HTTP_ADDRESSES_MAX];
        unsigned count;
};

static void *look_up(void *user) {
        struct resolution *resolution = user;
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
        if (getaddrinfo(resolution->host, NULL, &hints, &found) == 0)
                for (const struct addrinfo *at = found; at && resolution->count < HTTP_ADDRESSES_MAX; at = at->ai_next) {
                        struct http_address *address = &resolution->addresses[resolution->count];
                        if (at->ai_addrlen > sizeof address->v6)
                                continue;
                        address->size = at->ai_addrlen;
                        memcpy(&address->v6, at->ai_addr, at->ai_addrlen);
                        if (address->any.sa_family == AF_INET6)
                                address->v6.sin6_port = htons(resolution->port);
                        else
                                address->v4.sin_port = htons(resolution->port);
                        resolution->count++;
                }
        if (found)
                freeaddrinfo(found);
        loop_post(resolution->loop, &resolution->done);
        return NULL;
}

static void finish(struct loop_task *task) {
        struct resolution *resolution = CONTAINER_OF(task, struct resolution, done);
        if (!resolution->joined)
                thread_join(resolution->thread);
        if (resolution->upstream)
                upstream_resolved(resolution->upstream, resolution->addresses, resolution->count);
        free(resolution);
}

bool resolution_start(struct http_upstream *upstream) {
        struct resolution *resolution = must_calloc(1, sizeof *resolution);
        resolution->upstream = upstream;
        resolution->loop = upstream->loop;
        resolution->done.run = finish;
        resolution->port = upstream->port;
        memcpy(resolution->host, upstream->host, strlen(upstream->host) + 1);   // at most HTTP_HOST_MAX: http_url_parse
        if (!thread_start("resolve", look_up, resolution, &resolution->thread, NULL)) {
                free(resolution);
                return false;
        }
        upstream->resolution = resolution;
        return true;
}

void resolution_abandon(struct resolution *resolution) {
        if (!resolution)
                return;
        thread_join(resolution->thread);
        resolution->joined = true;
        resolution->upstream = NULL;    // finish, which is posted, frees it
}
