// SPDX-License-Identifier: Apache-2.0
// What a confined process may still do: compute, take and give back memory, read and write what it has open, end. The filter is a
// table of system calls; all others fail with EPERM, so that what the C library tries besides (a time zone's file) is no crash.
#include "os/process.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_BYTES = 8 << 20 };

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define ALLOW(call)                                                     \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1),         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static bool filter_calls(void) {
#ifdef ARCHITECTURE
        struct sock_filter rules[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                ALLOW(read), ALLOW(write), ALLOW(close), ALLOW(sendto), ALLOW(recvfrom),
                ALLOW(brk), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(mprotect), ALLOW(madvise),
                ALLOW(clock_gettime), ALLOW(getrandom), ALLOW(futex), ALLOW(getpid), ALLOW(gettid), ALLOW(tgkill),
                ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(exit), ALLOW(exit_group),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        };
        struct sock_fprog program = {ARRAY_SIZE(rules), rules};
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
#else
        return true;            // another machine: the limits below hold without it
#endif
}

static bool limit(int resource, rlim_t most) {
        return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){most, most}) == 0;
}

bool process_confine(pid_t parent, size_t memory, struct error *error) {
        if (syscall(SYS_close_range, 3u, ~0u, 0u) < 0)
                return error_set(error, ERROR_UNAVAILABLE, "close_range: %s", strerror(errno));
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_set(error, ERROR_UNAVAILABLE, "prctl: %s", strerror(errno));
        if (getppid() != parent)
                return error_set(error, ERROR_UNAVAILABLE, "process %d is gone", (int)parent);
        if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_STACK, STACK_BYTES) || !limit(RLIMIT_FSIZE, 0) ||
            (!PROCESS_SANITIZED && !limit(RLIMIT_AS, memory)))
                return error_set(error, ERROR_UNAVAILABLE, "setrlimit: %s", strerror(errno));
        if (!PROCESS_SANITIZED && (!limit(RLIMIT_NOFILE, 3) || !filter_calls()))
                return error_set(error, ERROR_UNAVAILABLE, "seccomp: %s", strerror(errno));
        return true;
}
