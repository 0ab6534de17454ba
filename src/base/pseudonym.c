// SPDX-License-Identifier: Apache-2.0
// Purposes are derived when first used and kept in a list that only grows; a mutex guards its growth. Contexts are made for each
// call: a pseudonym is made once for a message, not once for a byte.
#include "base/pseudonym.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIV_KEY_SIZE = 64, INFO_MAX = 32 + PSEUDONYM_PURPOSE_MAX };

static const char INFO[] = "commute pseudonym 1 ";
static const char FINGERPRINT_INFO[] = "commute fingerprint 1";
static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

struct purpose {
        struct purpose *next;
        char name[PSEUDONYM_PURPOSE_MAX];
        size_t name_size;
        uint8_t key[SIV_KEY_SIZE];
};

struct pseudonyms {
        uint8_t key[PSEUDONYM_KEY_SIZE];
        EVP_CIPHER *siv;
        pthread_mutex_t mutex;                  // of what follows; a purpose never changes
        struct purpose *purposes;
        size_t count;
};

// ---- keys ----

static void derive(const struct pseudonyms *pseudonyms, const char *info, size_t info_size, uint8_t *out, size_t size) {
        char digest[] = "SHA256";
        EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
        ASSERT(context);
        uint8_t key[PSEUDONYM_KEY_SIZE];
        char info_copy[INFO_MAX];
        ASSERT(info_size <= sizeof info_copy);
        memcpy(key, pseudonyms->key, sizeof key);
        memcpy(info_copy, info, info_size);
        OSSL_PARAM parameters[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof key),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info_copy, info_size),
                OSSL_PARAM_construct_end(),
        };
        int derived = EVP_KDF_derive(context, out, size, parameters);
        ASSERT(derived == 1);
        explicit_bzero(key, sizeof key);
        EVP_KDF_CTX_free(context);
        EVP_KDF_free(hkdf);
}

struct pseudonyms *pseudonyms_new(const uint8_t key[static PSEUDONYM_KEY_SIZE]) {
        struct pseudonyms *pseudonyms = must_calloc(1, sizeof *pseudonyms);
        memcpy(pseudonyms->key, key, sizeof pseudonyms->key);
        pseudonyms->siv = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
        ASSERT(pseudonyms->siv);
        pthread_mutex_init(&pseudonyms->mutex, NULL);
        return pseudonyms;
}

void pseudonyms_free(struct pseudonyms *pseudonyms) {
        if (!pseudonyms)
                return;
        while (pseudonyms->purposes) {
                struct purpose *purpose = pseudonyms->purposes;
                pseudonyms->purposes = purpose->next;
                explicit_bzero(purpose, sizeof *purpose);
                free(purpose);
        }
        EVP_CIPHER_free(pseudonyms->siv);
        pthread_mutex_destroy(&pseudonyms->mutex);
        explicit_bzero(pseudonyms->key, sizeof pseudonyms->key);
        free(pseudonyms);
}

static struct purpose *purpose_new(const struct pseudonyms *pseudonyms, struct bytes name) {
        struct purpose *purpose = must_calloc(1, sizeof *purpose);
        char info[INFO_MAX];
        size_t size = sizeof INFO - 1;
        memcpy(info, INFO, size);
        memcpy(info + size, name.data, name.size);
        memcpy(purpose->name, name.data, name.size);
        purpose->name_size = name.size;
        derive(pseudonyms, info, size + name.size, purpose->key, sizeof purpose->key);
        return purpose;
}

// NULL: the error says why.
static const struct purpose *purpose_of(struct pseudonyms *pseudonyms, struct bytes name, struct error *error) {
        if (name.size == 0 || name.size > PSEUDONYM_PURPOSE_MAX) {
                error_set(error, ERROR_INVALID, "a purpose has 1 to %d bytes", PSEUDONYM_PURPOSE_MAX);
                return NULL;
        }
        pthread_mutex_lock(&pseudonyms->mutex);
        struct purpose *purpose = pseudonyms->purposes;
        while (purpose && !bytes_equal((struct bytes){purpose->name, purpose->name_size}, name))
                purpose = purpose->next;
        if (!purpose && pseudonyms->count < PSEUDONYM_PURPOSES_MAX) {
                purpose = purpose_new(pseudonyms, name);
                purpose->next = pseudonyms->purposes;
                pseudonyms->purposes = purpose;
                pseudonyms->count++;
        }
        pthread_mutex_unlock(&pseudonyms->mutex);
        if (!purpose)
                error_set(error, ERROR_LIMIT, "more than %d purposes", PSEUDONYM_PURPOSES_MAX);
        return purpose;
}

void pseudonyms_fingerprint(struct pseudonyms *pseudonyms, char ret_text[static 17]) {
        uint8_t bytes[8];
        derive(pseudonyms, FINGERPRINT_INFO, sizeof FINGERPRINT_INFO - 1, bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
                snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

// ---- base64url ----

static void base64_append(struct buffer *out, const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i += 3) {
                size_t left = MIN(size - i, (size_t)3);
                uint32_t three = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
                for (size_t digit = 0; digit <= left; digit++)
                        buffer_append_byte(out, DIGITS[three >> (18 - 6 * digit) & 63]);
        }
}

// Canonical text only: no padding, no bits set beyond the last byte. False: anything else.
static bool base64_read(struct bytes text, struct buffer *out) {
        if (text.size % 4 == 1)
                return false;
        uint32_t bits = 0;
        unsigned have = 0;
        for (size_t i = 0; i < text.size; i++) {
                const char *digit = text.data[i] ? strchr(DIGITS, text.data[i]) : NULL;
                if (!digit)
                        return false;
                bits = bits << 6 | (uint32_t)(digit - DIGITS);
                have += 6;
                if (have >= 8) {
                        have -= 8;
                        buffer_append_byte(out, (char)(bits >> have & 0xff));
                }
        }
        return (bits & ((1u << have) - 1)) == 0;
}

// ---- encryption ----

// The size of the result, or a negative number: it cannot be. The tag is read or written.
static int siv(const struct pseudonyms *pseudonyms, const struct purpose *purpose, bool encrypt, uint8_t *tag, struct bytes in,
               uint8_t *out) {
        EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        ASSERT(context);
        int size = 0, ignored;
        bool good = EVP_CipherInit_ex2(context, pseudonyms->siv, purpose->key, NULL, encrypt, NULL) == 1 &&
                    (encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, PSEUDONYM_OVERHEAD, tag) == 1) &&
                    EVP_CipherUpdate(context, NULL, &ignored, (const uint8_t *)purpose->name, (int)purpose->name_size) == 1 &&
                    EVP_CipherUpdate(context, out, &size, (const uint8_t *)in.data, (int)in.size) == 1 &&
                    EVP_CipherFinal_ex(context, out + size, &ignored) == 1 &&
                    (!encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, PSEUDONYM_OVERHEAD, tag) == 1);
        EVP_CIPHER_CTX_free(context);
        return good ? size : -1;
}

bool pseudonym_make(struct pseudonyms *pseudonyms, struct bytes purpose_name, struct bytes value, struct buffer *out,
                    struct error *error) {
        if (value.size == 0)
                return error_set(error, ERROR_INVALID, "an empty value has no pseudonym");
        if (value.size > PSEUDONYM_VALUE_MAX)
                return error_set(error, ERROR_LIMIT, "a value of %zu bytes: up to %d have a pseudonym", value.size, PSEUDONYM_VALUE_MAX);
        const struct purpose *purpose = purpose_of(pseudonyms, purpose_name, error);
        if (!purpose)
                return false;
        uint8_t sealed[PSEUDONYM_OVERHEAD + PSEUDONYM_VALUE_MAX + PSEUDONYM_OVERHEAD];
        int size = siv(pseudonyms, purpose, true, sealed, value, sealed + PSEUDONYM_OVERHEAD);
        ASSERT(size == (int)value.size);
        base64_append(out, sealed, PSEUDONYM_OVERHEAD + (size_t)size);
        return true;
}

bool pseudonym_resolve(struct pseudonyms *pseudonyms, struct bytes purpose_name, struct bytes text, struct buffer *out,
                       struct error *error) {
        const struct purpose *purpose = purpose_of(pseudonyms, purpose_name, error);
        if (!purpose)
                return false;
        CLEANUP(buffer_free) struct buffer sealed = {0};
        uint8_t value[PSEUDONYM_VALUE_MAX + PSEUDONYM_OVERHEAD];
        int size = -1;
        if (text.size <= (PSEUDONYM_VALUE_MAX + PSEUDONYM_OVERHEAD) * 4 / 3 + 4 && base64_read(text, &sealed) &&
            sealed.size > PSEUDONYM_OVERHEAD && sealed.size <= PSEUDONYM_OVERHEAD + PSEUDONYM_VALUE_MAX)
                size = siv(pseudonyms, purpose, false, (uint8_t *)sealed.data,
                           (struct bytes){sealed.data + PSEUDONYM_OVERHEAD, sealed.size - PSEUDONYM_OVERHEAD}, value);
        if (size <= 0)
                return error_set(error, ERROR_REJECTED, "the text is no pseudonym of this purpose");
        buffer_append(out, (struct bytes){(const char *)value, (size_t)size});
        explicit_bzero(value, sizeof value);
        return true;
}
