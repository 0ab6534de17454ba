// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>

// One digest context per thread, made once: EVP_Digest would allocate for every call. The key's destructor frees it with its thread.
static __thread EVP_MD_CTX *context;
static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_free(void *ended) {
        EVP_MD_CTX_free(ended);
}

static void context_key_make(void) {
        int failed = pthread_key_create(&context_key, context_free);
        ASSERT(!failed);
}

static void context_make(void) {
        context = EVP_MD_CTX_new();
        ASSERT(context);
        pthread_once(&context_once, context_key_make);
        int failed = pthread_setspecific(context_key, context);
        ASSERT(!failed);
}

static void update(const void *data, size_t size) {
        ASSERT(EVP_DigestUpdate(context, data, size) == 1);
}

struct hash128 hash128_of(const struct hash_key *key, enum hash_domain domain, const struct bytes *parts, size_t count) {
        static const EVP_MD *sha256;
        if (!context)
                context_make();
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
