// SPDX-License-Identifier: Apache-2.0
#include "os/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool notify_supervisor(const char *state, struct error *error) {
        const char *name = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        if (!name || !*name)
                return true;
        size_t size = strlen(name);
        if ((*name != '/' && *name != '@') || size >= sizeof address.sun_path)
                return error_set(error, ERROR_UNSUPPORTED, "NOTIFY_SOCKET=%s: neither a path nor an abstract name", name);
        memcpy(address.sun_path, name, size);
        if (*name == '@')
                address.sun_path[0] = '\0';
        int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
                return error_set(error, ERROR_UNAVAILABLE, "socket: %s", strerror(errno));
        socklen_t whole = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
        bool sent = sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, whole) >= 0;
        if (!sent)
                error_set(error, ERROR_UNAVAILABLE, "tell %s: %s", name, strerror(errno));
        close(descriptor);
        return sent;
}
