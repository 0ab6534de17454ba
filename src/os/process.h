// SPDX-License-Identifier: Apache-2.0
// A child process that is connected with this one by a socket and nothing else: how it is started and ended (process.c), and how it
// shuts itself in (confine.c). Not for shells or programs of others: the child is an executable that knows this header.
//
// The child finds the socket as its standard input; output and errors go to /dev/null (in a build with sanitizers errors stay), its
// environment is empty, it is in a process group of its own (a Ctrl-C at the terminal is for its parent), no signal is blocked.
#pragma once

#include <sys/types.h>

#include "base/bytes.h"
#include "base/error.h"

// A build with sanitizers needs address space and system calls that a confined process must not have.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROCESS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PROCESS_SANITIZED 1
#endif
#endif
#ifndef PROCESS_SANITIZED
#define PROCESS_SANITIZED 0
#endif

struct process {
        pid_t pid;              // -1: none
        int ended;              // a descriptor that becomes readable when it has ended (pidfd); for loop_watch
        int socket;             // non-blocking stream; whoever watches it may close it and set -1
};
#define PROCESS_NONE ((struct process){-1, -1, -1})

// arguments: argv of the child, NULL-terminated. executable: a path; NULL is this process's own.
MUST_USE bool process_start(const char *executable, const char *const *arguments, struct process *ret_process, struct error *error);
void process_kill(const struct process *process);                               // SIGKILL; it may have ended already
MUST_USE bool process_cpu_ns(const struct process *process, uint64_t *ret_ns);  // processor time used; false: it has ended
// Takes its end: closes the descriptors, leaves no zombie, *process is PROCESS_NONE. Waits for the end if it is still to come.
// Returns what waitpid gave; <sys/wait.h> reads it.
int process_reap(struct process *process);

// On a non-blocking socket: bytes sent or received; 0: none now; -1: the other end is gone. Never raises SIGPIPE.
ptrdiff_t process_send(int socket, struct bytes data);
ptrdiff_t process_receive(int socket, char *data, size_t size);

// The child's side, first thing in its main: closes every descriptor but 0, 1, 2; dies with the parent (whose number it is told,
// since that may be gone already), or when the thread that started it ends; no core dump, no privileges, no new files; `memory` bytes
// of address space; then only the system calls that computing, memory and the three descriptors need: any other fails with EPERM.
// With sanitizers neither address space nor system calls are limited. ERROR_UNAVAILABLE: something of this cannot be had.
MUST_USE bool process_confine(pid_t parent, size_t memory, struct error *error);
