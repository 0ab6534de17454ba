// SPDX-License-Identifier: Apache-2.0
// Listening sockets on their way from a process to itself: a reload (reload.c) begins anew by execve, and who connects meanwhile
// waits in the sockets' backlogs. They are named by the address as the configuration writes it, and handed over in
//
//      COMMUTE_LISTENERS="PROCESS ADDRESS=DESCRIPTOR ADDRESS=DESCRIPTOR …"
//
// which is believed only by the process that wrote it. On the main thread.
#pragma once

#include "base/error.h"
#include "daemon/plane.h"

enum { LISTENERS_HANDED_MAX = PLANE_LOOPS_MAX + 2 };

struct listeners {
        struct {
                char address[PLANE_ADDRESS_SIZE];
                int fd;
        } list[LISTENERS_HANDED_MAX];
        size_t count;
};

// What the predecessor handed over, if there was one. Takes it out of the environment.
void listeners_inherit(struct listeners *ret_listeners);
void listeners_close(struct listeners *listeners);      // those that nobody has taken
bool listeners_have(const struct listeners *listeners, const char *address);
// Takes ownership of fd. ERROR_LIMIT.
MUST_USE bool listeners_add(struct listeners *listeners, const char *address, int fd, struct error *error);
// Has the servers listen on the address: on what was inherited of it, shared among them, else on new sockets. address becomes what
// was bound, with its port.
MUST_USE bool listeners_listen(struct listeners *listeners, struct http_server *const *servers, size_t count,
                               char address[static PLANE_ADDRESS_SIZE], struct error *error);
// Writes them into the environment, to be open in the process that execve begins. ERROR_UNAVAILABLE.
MUST_USE bool listeners_hand_over(struct listeners *listeners, struct error *error);
