// SPDX-License-Identifier: Apache-2.0
// Faults on request: POST /admin/faults makes a service slow, failing, hanging or breaking connections for a while.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault {
        FAULT_NONE,
        FAULT_FAIL,      // 503, nothing is executed
        FAULT_HANG,      // executed, answered hang_ms later
        FAULT_BREAK,     // executed, the connection is closed instead of an answer
};

struct faults {
        int64_t slow_ms;         // before every request
        int64_t fail_percent, hang_percent, hang_ms, break_percent;
        int64_t for_ms;          // how long from now
};

void faults_set(const struct faults *faults);
// Decides what happens to one request; *ret_delay_ms is waited before it, *ret_hang_ms after it.
enum fault faults_draw(int64_t *ret_delay_ms, int64_t *ret_hang_ms);
