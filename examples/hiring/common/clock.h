// SPDX-License-Identifier: Apache-2.0
// Times. Everything that is recorded is microseconds since 1970 of the machine's clock, so that the auditor may compare what
// several processes of one machine recorded.
#pragma once

#include <stdint.h>

int64_t now_us(void);               // wall clock
int64_t ticks_us(void);             // monotonic
void sleep_us(int64_t us);          // returns at once when us is not positive
#define CREATED_AT_SIZE 32
void created_at_text(int64_t us, char text[CREATED_AT_SIZE]);   // 2026-03-01T12:00:00.123456Z
