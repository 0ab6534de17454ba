// SPDX-License-Identifier: Apache-2.0
// Random bytes, behind a vtable so that one seed replays a simulation. Any thread, unless the implementation says otherwise.
#pragma once

#include "base/base.h"

struct random {
        void (*fill)(struct random *random, void *memory, size_t size);
};

struct random *random_real(void);       // getrandom(2): fit for keys and tokens; never fails, never freed

static inline void random_fill(struct random *random, void *memory, size_t size) {
        random->fill(random, memory, size);
}

static inline uint64_t random_u64(struct random *random) {
        uint64_t number;
        random->fill(random, &number, sizeof number);
        return number;
}
