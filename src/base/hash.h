// SPDX-License-Identifier: Apache-2.0
// Durable 128-bit keyed hashes: identities, lanes and bodies are compared by these, so they must not be forgeable by whoever
// chooses the input. HMAC-like construction: the first 128 bits of SHA-256(key || domain || input) with a 256-bit key that
// belongs to one log and never leaves it (length extension does not matter: only a prefix of the digest is ever shown).
// Tables in memory use XXH3 of the hash or of the key; that is not this.
#pragma once

#include "base/bytes.h"

struct hash128 {
        uint8_t bytes[16];
};

struct hash_key {
        uint8_t bytes[32];
};

enum hash_domain { HASH_IDENTITY = 1, HASH_LANE = 2, HASH_BODY = 3, HASH_CONFIG = 4 };

// Hashes the parts, each with its length before it, so that ("ab","c") and ("a","bc") differ. Any thread.
struct hash128 hash128_of(const struct hash_key *key, enum hash_domain domain, const struct bytes *parts, size_t count);

static inline bool hash128_equal(const struct hash128 *a, const struct hash128 *b) {
        return memcmp(a, b, sizeof *a) == 0;
}
// 64 bits of it for tables in memory: it is already keyed and uniform.
static inline uint64_t hash128_slot(const struct hash128 *hash) {
        uint64_t slot;
        memcpy(&slot, hash->bytes, sizeof slot);
        return slot;
}
