// SPDX-License-Identifier: Apache-2.0
// posix_spawn: nothing runs between fork and exec but what it does itself, which is safe in a process with threads. Its descriptors
// are ours for the moment until exec; whoever closes one that is in an epoll set takes it out first (loop_unwatch).
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int actions_of(posix_spawn_file_actions_t *actions, int socket) {
        int failure = posix_spawn_file_actions_adddup2(actions, socket, STDIN_FILENO);
        if (!failure)
                failure = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (!failure && !PROCESS_SANITIZED)
                failure = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        return failure;
}

static int attributes_of(posix_spawnattr_t *attributes) {
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        int failure = posix_spawnattr_setsigmask(attributes, &none);
        if (!failure)
                failure = posix_spawnattr_setsigdefault(attributes, &all);
        if (!failure)
                failure = posix_spawnattr_setpgroup(attributes, 0);
        if (!failure)
                failure = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                   POSIX_SPAWN_SETPGROUP);
        return failure;
}

static int spawn(const char *executable, const char *const *arguments, int socket, pid_t *ret_pid) {
        enum { ARGUMENTS_MAX = 8 };
        char *argv[ARGUMENTS_MAX + 1] = {0}, *no_environment[] = {NULL};
        size_t count = 0;
        for (; arguments[count]; count++) {
                ASSERT(count < ARGUMENTS_MAX);
                memcpy(&argv[count], &arguments[count], sizeof argv[count]);    // posix_spawn only reads it
        }
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int failure = posix_spawn_file_actions_init(&actions);
        if (failure)
                return failure;
        failure = posix_spawnattr_init(&attributes);
        if (!failure) {
                failure = actions_of(&actions, socket);
                if (!failure)
                        failure = attributes_of(&attributes);
                if (!failure)
                        failure = posix_spawn(ret_pid, executable, &actions, &attributes, argv, no_environment);
                posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
        return failure;
}

bool process_start(const char *executable, const char *const *arguments, struct process *ret_process, struct error *error) {
        int pair[2];
        struct process process = PROCESS_NONE;
        executable = executable ? executable : "/proc/self/exe";
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_set(error, ERROR_UNAVAILABLE, "socketpair: %s", strerror(errno));
        int failure = fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ? errno : spawn(executable, arguments, pair[1], &process.pid);
        close(pair[1]);
        if (failure) {
                close(pair[0]);
                return error_set(error, ERROR_UNAVAILABLE, "start %s: %s", executable, strerror(failure));
        }
        process.socket = pair[0];
        process.ended = (int)syscall(SYS_pidfd_open, process.pid, 0);   // glibc 2.36 has it, older ones do not; close-on-exec
        if (process.ended < 0) {
                error_set(error, ERROR_UNAVAILABLE, "pidfd_open: %s", strerror(errno));
                process_kill(&process);
                process_reap(&process);
                return false;
        }
        *ret_process = process;
        return true;
}

void process_kill(const struct process *process) {
        ASSERT(process->pid > 1);               // one process, not reaped yet, so the number is still its own; -1 would be all there are
        IGNORE(kill(process->pid, SIGKILL));    // a zombie takes it, too
}

bool process_cpu_ns(const struct process *process, uint64_t *ret_ns) {
        clockid_t clock;
        struct timespec used;
        if (process->pid <= 0 || clock_getcpuclockid(process->pid, &clock) || clock_gettime(clock, &used) < 0)
                return false;
        *ret_ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
        return true;
}

int process_reap(struct process *process) {
        int status = 0;
        pid_t got;
        do
                got = waitpid(process->pid, &status, 0);
        while (got < 0 && errno == EINTR);
        ASSERT(got == process->pid);
        if (process->ended >= 0)
                close(process->ended);
        if (process->socket >= 0)
                close(process->socket);
        *process = PROCESS_NONE;
        return status;
}

ptrdiff_t process_send(int socket, struct bytes data) {
        ssize_t sent;
        do
                sent = send(socket, data.data, data.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (sent < 0 && errno == EINTR);
        return sent >= 0 ? sent : errno == EAGAIN ? 0 : -1;
}

ptrdiff_t process_receive(int socket, char *data, size_t size) {
        ssize_t got;
        do
                got = recv(socket, data, size, MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
        return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
}
