// SPDX-License-Identifier: Apache-2.0
// To be preloaded into a program: counts its allocations and what it reads from and writes to sockets, and writes the
// counts to the file $COUNT_CALLS when it gets SIGUSR2. Counted are the threads that have connected to a provider: what
// others do meanwhile by the clock (ticks of the control plane, the views) depends on how long a test takes, not on what a
// call costs. In a sanitized build (SANITIZED) the sanitizer, which has its own malloc, tells of allocations.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_ulong allocations, sends, receives;
static _Thread_local bool calls_provider __attribute__((tls_model("initial-exec")));

static void tally(atomic_ulong *what) {
        if (calls_provider)
                atomic_fetch_add(what, 1);
}

static void *next(const char *name) {
        void *function = dlsym(RTLD_NEXT, name);
        if (!function)
                abort();
        return function;
}

// The real function, looked up at the first call; while looking it up, calls of this thread get early memory.
#define REAL(function) \
        static __typeof__(&function) real; \
        static _Thread_local bool looking __attribute__((tls_model("initial-exec"))); \
        if (!real && !looking) { \
                looking = true; \
                real = (__typeof__(real))next(#function); \
                looking = false; \
        }

#ifdef SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t), void (*freed)(const volatile void *));
#pragma weak __sanitizer_install_malloc_and_free_hooks

static void allocated(const volatile void *pointer, size_t size) {
        (void)pointer;
        (void)size;
        tally(&allocations);
}

static void freed(const volatile void *pointer) {
        (void)pointer;
}
#else
static char early[65536];               // what dlsym asks for before the real functions are known
static size_t early_used;

static void *early_alloc(size_t size) {
        size_t at = early_used;
        early_used += (size + 15) & ~(size_t)15;
        if (early_used > sizeof early)
                abort();
        return early + at;
}

static bool is_early(const void *pointer) {
        return (const char *)pointer >= early && (const char *)pointer < early + sizeof early;
}

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *pointer, size_t size);
void free(void *pointer);

void *malloc(size_t size) {
        REAL(malloc)
        tally(&allocations);
        return real ? real(size) : early_alloc(size);
}

void *calloc(size_t count, size_t size) {
        REAL(calloc)
        tally(&allocations);
        return real ? real(count, size) : early_alloc(count * size);
}

void *realloc(void *pointer, size_t size) {
        REAL(realloc)
        tally(&allocations);
        if (real && !is_early(pointer))
                return real(pointer, size);
        char *copy = malloc(size);
        size_t room = (size_t)(early + sizeof early - (char *)pointer);
        return memcpy(copy, pointer, size < room ? size : room);
}

void free(void *pointer) {
        REAL(free)
        if (real && !is_early(pointer))
                real(pointer);
}
#endif

int connect(int fd, const struct sockaddr *address, socklen_t size) {
        REAL(connect)
        calls_provider = true;
        return real(fd, address, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
        REAL(send)
        tally(&sends);
        return real(fd, data, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        REAL(sendmsg)
        tally(&sends);
        return real(fd, message, flags);
}

ssize_t recv(int fd, void *data, size_t size, int flags) {
        REAL(recv)
        tally(&receives);
        return real(fd, data, size, flags);
}

// What recv is where the compiler knows the room (_FORTIFY_SOURCE).
ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags);
ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags) {
        REAL(__recv_chk)
        tally(&receives);
        return real(fd, data, size, room, flags);
}

static void tell(int number) {
        (void)number;
        char text[200];
        int size = snprintf(text, sizeof text, "{\"allocations\":%lu,\"sends\":%lu,\"receives\":%lu}\n", atomic_load(&allocations),
                            atomic_load(&sends), atomic_load(&receives));
        const char *path = getenv("COUNT_CALLS");
        int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
        if (fd < 0 || write(fd, text, (size_t)size) != size)
                _exit(99);
        close(fd);
}

__attribute__((constructor)) static void begin(void) {
        signal(SIGUSR2, tell);
#ifdef SANITIZED
        if (!__sanitizer_install_malloc_and_free_hooks || !__sanitizer_install_malloc_and_free_hooks(allocated, freed))
                abort();
#endif
}
