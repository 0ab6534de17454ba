// SPDX-License-Identifier: Apache-2.0
#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
        struct timespec now;
        clock_gettime(clock, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t now_us(void)
{
        return read_clock(CLOCK_REALTIME);
}

int64_t ticks_us(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

void sleep_us(int64_t us)
{
        if (us <= 0)
                return;
        struct timespec left = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
        while (nanosleep(&left, &left) != 0)
                continue;
}

void created_at_text(int64_t us, char text[CREATED_AT_SIZE])
{
        time_t seconds = us / 1000000;
        struct tm parts;
        gmtime_r(&seconds, &parts);
        size_t size = strftime(text, CREATED_AT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
        snprintf(text + size, CREATED_AT_SIZE - size, ".%06dZ", (int)(us % 1000000));
}
