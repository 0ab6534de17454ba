// SPDX-License-Identifier: Apache-2.0
#include "daemon/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char variable[] = "COMMUTE_LISTENERS";

static bool set_close_on_exec(int fd, bool on) {
        int flags = fcntl(fd, F_GETFD);
        return flags >= 0 && fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) == 0;
}

bool listeners_add(struct listeners *listeners, const char *address, int fd, struct error *error) {
        if (listeners->count == LISTENERS_HANDED_MAX || strlen(address) >= PLANE_ADDRESS_SIZE) {
                close(fd);
                return error_set(error, ERROR_LIMIT, "more than %d listeners", LISTENERS_HANDED_MAX);
        }
        snprintf(listeners->list[listeners->count].address, PLANE_ADDRESS_SIZE, "%s", address);
        listeners->list[listeners->count++].fd = fd;
        return true;
}

void listeners_inherit(struct listeners *ret_listeners) {
        *ret_listeners = (struct listeners){0};
        const char *given = getenv(variable);
        CLEANUP(free_pointer) char *text = given ? bytes_to_text(bytes_of(given)) : NULL;
        unsetenv(variable);
        char *rest = NULL, *word = text ? strtok_r(text, " ", &rest) : NULL;
        if (!word || strtol(word, NULL, 10) != (long)getpid())
                return;
        while ((word = strtok_r(NULL, " ", &rest))) {
                char *equals = strrchr(word, '=');
                long fd = equals ? strtol(equals + 1, NULL, 10) : -1;
                if (fd <= STDERR_FILENO || fd > 1000000 || !set_close_on_exec((int)fd, true))
                        continue;
                *equals = '\0';
                struct error unused;
                IGNORE(listeners_add(ret_listeners, word, (int)fd, &unused));   // more than there can be: closed
        }
}

void listeners_close(struct listeners *listeners) {
        for (size_t i = 0; i < listeners->count; i++)
                if (listeners->list[i].fd >= 0)
                        close(listeners->list[i].fd);
        listeners->count = 0;
}

bool listeners_have(const struct listeners *listeners, const char *address) {
        for (size_t i = 0; i < listeners->count; i++)
                if (strcmp(listeners->list[i].address, address) == 0)
                        return true;
        return false;
}

// One more listener of the address for a server that got none: a socket of its own if that may be shared, else the same one.
static bool one_more(struct http_server *server, int fd, const char *bound, struct error *error) {
        if (http_server_listen(server, bytes_of(bound), NULL, error))
                return true;
        int same = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (same < 0)
                return error_set(error, ERROR_UNAVAILABLE, "listen on %s: %s", bound, strerror(errno));
        if (http_server_adopt(server, same, NULL, error))
                return true;
        close(same);
        return false;
}

static bool listen_anew(struct http_server *const *servers, size_t count, char *address, struct error *error) {
        char configured[PLANE_ADDRESS_SIZE];
        snprintf(configured, sizeof configured, "%s", address);
        for (size_t i = 0; i < count; i++) {
                uint16_t port;
                if (!http_server_listen(servers[i], bytes_of(address), &port, error))
                        return false;
                plane_bound_address(address, configured, port);
        }
        return true;
}

bool listeners_listen(struct listeners *listeners, struct http_server *const *servers, size_t count,
                      char address[static PLANE_ADDRESS_SIZE], struct error *error) {
        char configured[PLANE_ADDRESS_SIZE];
        size_t taken = 0;
        snprintf(configured, sizeof configured, "%s", address);
        for (size_t i = 0; i < listeners->count; i++) {
                uint16_t port;
                if (listeners->list[i].fd < 0 || strcmp(listeners->list[i].address, configured) != 0)
                        continue;
                if (!http_server_adopt(servers[taken++ % count], listeners->list[i].fd, &port, error))
                        return error_wrap(error, "listen on %s", configured);
                listeners->list[i].fd = -1;
                plane_bound_address(address, configured, port);
        }
        if (taken == 0)
                return listen_anew(servers, count, address, error);
        for (size_t i = taken; i < count; i++)
                if (!one_more(servers[i], http_server_listener(servers[i % taken], 0), address, error))
                        return false;
        return true;
}

bool listeners_hand_over(struct listeners *listeners, struct error *error) {
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_print(&text, "%ld", (long)getpid());
        for (size_t i = 0; i < listeners->count; i++) {
                if (!set_close_on_exec(listeners->list[i].fd, false))
                        return error_set(error, ERROR_UNAVAILABLE, "%s: %s", listeners->list[i].address, strerror(errno));
                buffer_print(&text, " %s=%d", listeners->list[i].address, listeners->list[i].fd);
        }
        buffer_append_byte(&text, 0);
        return setenv(variable, text.data, 1) == 0 || error_set(error, ERROR_UNAVAILABLE, "%s: %s", variable, strerror(errno));
}
