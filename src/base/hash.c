// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/evp.h>

// One digest context per thread, made once: EVP_Digest would allocate for every call.
static __thread EVP_MD_CTX *context;

static void update(const void *data, size_t size) {
        ASSERT(EVP_DigestUpdate(context, data, size) == 1);
}

struct hash128 hash128_of(const struct hash_key *key, enum hash_domain domain, const struct bytes *parts, size_t count) {
        static const EVP_MD *sha256;
        if (!context) {
                context = EVP_MD_CTX_new();
                ASSERT(context);
        }
        const EVP_MD *algorithm = __atomic_load_n(&sha256, __ATOMIC_ACQUIRE);
        if (!algorithm) {                       // two threads may both fetch once: the loser's reference is kept for good
                algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
                ASSERT(algorithm);
                __atomic_store_n(&sha256, algorithm, __ATOMIC_RELEASE);
        }
        ASSERT(EVP_DigestInit_ex2(context, algorithm, NULL) == 1);
        uint8_t tag = (uint8_t)domain;
        update(key->bytes, sizeof key->bytes);
        update(&tag, 1);
        for (size_t i = 0; i < count; i++) {
                uint64_t size = parts[i].size;
                update(&size, sizeof size);
                update(parts[i].data, parts[i].size);
        }
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        ASSERT(EVP_DigestFinal_ex(context, digest, &size) == 1 && size >= sizeof(struct hash128));
        struct hash128 hash;
        memcpy(hash.bytes, digest, sizeof hash.bytes);
        return hash;
}
