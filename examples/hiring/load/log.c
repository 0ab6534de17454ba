// SPDX-License-Identifier: Apache-2.0
// The log of what callers were told: {"kind":…, "sent":µs, "answered":µs, "status":n, …}; status 0: no answer, nobody knows.
// Each line is one write, so a killed load loses at most requests whose answers it had not taken.
#include "load/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

struct log {
        FILE *file;
        pthread_mutex_t lock;
};

struct log *log_open(const char *path)
{
        struct log *log = must_allocate(sizeof(*log));
        log->file = fopen(path, "ae");
        if (!log->file)
                die("cannot open %s: %m", path);
        pthread_mutex_init(&log->lock, NULL);
        return log;
}

void log_close(struct log *log)
{
        if (fclose(log->file) != 0)
                die("cannot write the log: %m");
        free(log);
}

void log_told(struct log *log, const char *kind, int64_t sent_us, const struct reply *reply, const char *format, ...)
{
        int64_t answered_us = now_us();
        pthread_mutex_lock(&log->lock);
        fprintf(log->file, "{\"kind\":\"%s\",\"sent\":%lld,\"answered\":%lld,\"status\":%d,", kind, (long long)sent_us,
                (long long)answered_us, reply->status);
        va_list arguments;
        va_start(arguments, format);
        vfprintf(log->file, format, arguments);
        va_end(arguments);
        fputs("}\n", log->file);
        if (fflush(log->file) != 0)
                die("cannot write the log: %m");
        pthread_mutex_unlock(&log->lock);
}
