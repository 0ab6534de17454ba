// SPDX-License-Identifier: Apache-2.0
#include "common/faults.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"

// One set of faults per process, as there is one service per process.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct faults held;
static int64_t until_us;
static unsigned seed = 1;
static atomic_bool active;

void faults_set(const struct faults *faults)
{
        pthread_mutex_lock(&lock);
        held = *faults;
        until_us = ticks_us() + faults->for_ms * 1000;
        atomic_store(&active, true);
        pthread_mutex_unlock(&lock);
}

enum fault faults_draw(int64_t *ret_delay_ms, int64_t *ret_hang_ms)
{
        *ret_delay_ms = *ret_hang_ms = 0;
        if (!atomic_load(&active))
                return FAULT_NONE;
        enum fault fault = FAULT_NONE;
        pthread_mutex_lock(&lock);
        if (ticks_us() >= until_us) {
                atomic_store(&active, false);
        } else {
                *ret_delay_ms = held.slow_ms;
                int64_t drawn = rand_r(&seed) % 100;
                if (drawn < held.fail_percent)
                        fault = FAULT_FAIL;
                else if (drawn < held.fail_percent + held.hang_percent)
                        fault = FAULT_HANG;
                else if (drawn < held.fail_percent + held.hang_percent + held.break_percent)
                        fault = FAULT_BREAK;
                if (fault == FAULT_HANG)
                        *ret_hang_ms = held.hang_ms;
        }
        pthread_mutex_unlock(&lock);
        return fault;
}
