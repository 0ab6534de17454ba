// SPDX-License-Identifier: Apache-2.0
// Certificates: writing, signing, reading, verifying. See certificate.h.
#include "proof/certificate.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "json/json.h"
#include "json/writer.h"

enum { SIGNATURE_SIZE = 64, PUBLIC_KEY_SIZE = 32 };

static const char domain[] = "commute certificate 1\n";

// --- hex ---------------------------------------------------------------------------------------------------------------------

static void hex_append(struct buffer *buffer, const uint8_t *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                buffer_print(buffer, "%02x", data[i]);
}

static bool hex_read(struct bytes text, uint8_t *ret_data, size_t size) {
        if (text.size != 2 * size)
                return false;
        for (size_t i = 0; i < 2 * size; i++) {
                const char *digits = "0123456789abcdef", *at = memchr(digits, text.data[i], 16);
                if (!at)
                        return false;
                uint8_t value = (uint8_t)(at - digits);
                ret_data[i / 2] = (uint8_t)(i % 2 ? ret_data[i / 2] | value : value << 4);
        }
        return true;
}

// --- keys --------------------------------------------------------------------------------------------------------------------

static void key_freep(EVP_PKEY **key) {
        EVP_PKEY_free(*key);
}

static void context_freep(EVP_MD_CTX **context) {
        EVP_MD_CTX_free(*context);
}

static EVP_PKEY *key_read(struct bytes pem, bool secret, struct error *error) {
        BIO *bio = pem.size > 0 && pem.size <= 65536 ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
        EVP_PKEY *key = NULL;
        if (bio)
                key = secret ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
        if (key && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519)
                return key;
        IGNORE(error_set(error, ERROR_INVALID, "not an Ed25519 %s key in PEM%s", secret ? "private" : "public",
                         key ? ": it is of another kind" : ""));        // it returns false, this NULL
        EVP_PKEY_free(key);
        return NULL;
}

static bool pem_append(BIO *bio, struct buffer *buffer) {
        char *data = NULL;
        long size = BIO_get_mem_data(bio, &data);
        if (size <= 0)
                return false;
        buffer_append(buffer, (struct bytes){data, (size_t)size});
        return true;
}

bool certificate_key_new(struct buffer *private_pem, struct buffer *public_pem, struct error *error) {
        CLEANUP(key_freep) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        BIO *secret = BIO_new(BIO_s_mem()), *open = BIO_new(BIO_s_mem());
        bool done = key && secret && open && PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                    PEM_write_bio_PUBKEY(open, key) == 1 && pem_append(secret, private_pem) && pem_append(open, public_pem);
        BIO_free(secret);
        BIO_free(open);
        return done || error_set(error, ERROR_INTERNAL, "make an Ed25519 key pair");
}

// --- writing -----------------------------------------------------------------------------------------------------------------

static void write_epochs(struct json_writer *writer, const struct certificate *certificate) {
        json_key(writer, "epochs");
        json_begin_array(writer);
        for (size_t i = 0; i < certificate->epoch_count; i++) {
                const struct certificate_epoch *epoch = &certificate->epochs[i];
                json_begin_object(writer);
                json_member_u64(writer, "shard", epoch->shard);
                json_member_u64(writer, "epoch", epoch->epoch);
                json_member_u64(writer, "mode", (uint64_t)epoch->mode);
                json_member_u64(writer, "position", epoch->position);
                json_member_i64(writer, "time_ms", epoch->time_ms);
                json_end_object(writer);
        }
        json_end_array(writer);
}

static void write_faults(struct json_writer *writer, const struct certificate *certificate) {
        json_key(writer, "faults");
        json_begin_array(writer);
        for (size_t i = 0; i < certificate->fault_count; i++) {
                const struct certificate_fault *fault = &certificate->faults[i];
                json_begin_object(writer);
                json_member_bytes(writer, "kind", fault->kind);
                json_member_u64(writer, "count", fault->count);
                json_member_u64(writer, "position", fault->position);
                json_member_bytes(writer, "first", fault->first);
                json_end_object(writer);
        }
        json_end_array(writer);
}

static void write_body(struct json_writer *writer, const struct certificate *certificate) {
        CLEANUP(buffer_free) struct buffer id = {0};
        hex_append(&id, certificate->log_id, sizeof certificate->log_id);
        json_begin_object(writer);
        json_member_u64(writer, "format", CERTIFICATE_FORMAT);
        json_member_bytes(writer, "communication", certificate->communication);
        json_member_bytes(writer, "log_id", buffer_bytes(&id));
        json_member_u64(writer, "position", certificate->position);
        json_member_i64(writer, "time_ms", certificate->time_ms);
        json_member_bytes(writer, "config_hash", certificate->config_hash);
        json_key(writer, "accounts");
        json_begin_object(writer);
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++)
                json_member_i64(writer, ledger_account_name((enum ledger_state)account), certificate->sums.count[account]);
        json_end_object(writer);
        write_faults(writer, certificate);
        write_epochs(writer, certificate);
        json_key(writer, "assumptions");
        json_begin_array(writer);
        for (size_t i = 0; i < certificate->assumption_count; i++)
                json_string(writer, certificate->assumptions[i]);
        json_end_array(writer);
        json_end_object(writer);
        json_end(writer);
}

static void signed_bytes(const struct json *body, struct buffer *buffer) {
        buffer_append(buffer, (struct bytes){domain, sizeof domain - 1});
        json_canonical(buffer, body);
}

bool certificate_sign(const struct certificate *certificate, struct bytes private_pem, struct buffer *file, struct error *error) {
        CLEANUP(key_freep) EVP_PKEY *key = key_read(private_pem, true, error);
        if (!key)
                return false;
        CLEANUP(arena_free) struct arena arena = {0};
        CLEANUP(buffer_free) struct buffer text = {0}, message = {0}, hex = {0}, public_hex = {0};
        write_body(&(struct json_writer){.buffer = &text}, certificate);
        const struct json *body;
        if (!json_parse(buffer_bytes(&text), NULL, &arena, &body, error))
                return error_wrap(error, "write the certificate");
        signed_bytes(body, &message);
        uint8_t signature[SIGNATURE_SIZE], public_key[PUBLIC_KEY_SIZE];
        size_t size = sizeof signature, public_size = sizeof public_key;
        CLEANUP(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
            EVP_DigestSign(context, signature, &size, (const uint8_t *)message.data, message.size) != 1 ||
            EVP_PKEY_get_raw_public_key(key, public_key, &public_size) != 1)
                return error_set(error, ERROR_INTERNAL, "sign the certificate");
        hex_append(&hex, signature, sizeof signature);
        hex_append(&public_hex, public_key, sizeof public_key);
        struct json_writer writer = {.buffer = file, .pretty = true};
        json_begin_object(&writer);
        json_key(&writer, "certificate");
        json_node(&writer, body);
        json_member_bytes(&writer, "signature", buffer_bytes(&hex));
        json_member_bytes(&writer, "public_key", buffer_bytes(&public_hex));
        json_end_object(&writer);
        json_end(&writer);
        buffer_append_byte(file, '\n');
        return true;
}

// --- reading -----------------------------------------------------------------------------------------------------------------

static bool missing(const char *what, struct error *error) {
        return error_set(error, ERROR_INVALID, "not a certificate: %s is missing or of the wrong type", what);
}

static bool get_text(const struct json *object, const char *key, struct bytes *ret, struct error *error) {
        const struct json *node = json_get_text(object, key);
        if (!json_is(node, JSON_STRING))
                return missing(key, error);
        *ret = json_text(node);
        return true;
}

static bool get_u64(const struct json *object, const char *key, uint64_t *ret, struct error *error) {
        const struct json *node = json_get_text(object, key);
        return (json_is(node, JSON_NUMBER) && json_to_u64(node, ret)) || missing(key, error);
}

static bool get_i64(const struct json *object, const char *key, int64_t *ret, struct error *error) {
        const struct json *node = json_get_text(object, key);
        return (json_is(node, JSON_NUMBER) && json_to_i64(node, ret)) || missing(key, error);
}

static bool read_accounts(const struct json *body, struct ledger_sums *sums, struct error *error) {
        const struct json *accounts = json_get_text(body, "accounts");
        if (!json_is(accounts, JSON_OBJECT) || json_count(accounts) != LEDGER_ACCOUNT_COUNT - 1)
                return missing("accounts", error);
        for (unsigned account = 1; account < LEDGER_ACCOUNT_COUNT; account++)
                if (!get_i64(accounts, ledger_account_name((enum ledger_state)account), &sums->count[account], error))
                        return false;
        return true;
}

static bool read_faults(const struct json *body, struct arena *arena, struct certificate *certificate, struct error *error) {
        const struct json *list = json_get_text(body, "faults");
        if (!json_is(list, JSON_ARRAY))
                return missing("faults", error);
        struct certificate_fault *faults = arena_alloc(arena, (json_count(list) + 1) * sizeof *faults);
        size_t count = 0;
        JSON_FOR_EACH(node, list) {
                struct certificate_fault *fault = &faults[count++];
                if (!get_text(node, "kind", &fault->kind, error) || !get_text(node, "first", &fault->first, error) ||
                    !get_u64(node, "count", &fault->count, error) || !get_u64(node, "position", &fault->position, error))
                        return false;
        }
        certificate->faults = faults;
        certificate->fault_count = count;
        return true;
}

static bool read_epochs(const struct json *body, struct arena *arena, struct certificate *certificate, struct error *error) {
        const struct json *list = json_get_text(body, "epochs");
        if (!json_is(list, JSON_ARRAY))
                return missing("epochs", error);
        struct certificate_epoch *epochs = arena_alloc(arena, (json_count(list) + 1) * sizeof *epochs);
        size_t count = 0;
        JSON_FOR_EACH(node, list) {
                struct certificate_epoch *epoch = &epochs[count++];
                uint64_t shard, number, mode;
                if (!get_u64(node, "shard", &shard, error) || !get_u64(node, "epoch", &number, error) ||
                    !get_u64(node, "mode", &mode, error) || !get_u64(node, "position", &epoch->position, error) ||
                    !get_i64(node, "time_ms", &epoch->time_ms, error))
                        return false;
                if (shard > UINT32_MAX || number > UINT32_MAX || mode > LANE_PUSH)
                        return missing("an epoch's number", error);
                epoch->shard = (uint32_t)shard;
                epoch->epoch = (uint32_t)number;
                epoch->mode = (enum lane_mode)mode;
        }
        certificate->epochs = epochs;
        certificate->epoch_count = count;
        return true;
}

static bool read_assumptions(const struct json *body, struct arena *arena, struct certificate *certificate, struct error *error) {
        const struct json *list = json_get_text(body, "assumptions");
        if (!json_is(list, JSON_ARRAY))
                return missing("assumptions", error);
        struct bytes *assumptions = arena_alloc(arena, (json_count(list) + 1) * sizeof *assumptions);
        size_t count = 0;
        JSON_FOR_EACH(node, list) {
                if (!json_is(node, JSON_STRING))
                        return missing("an assumption", error);
                assumptions[count++] = json_text(node);
        }
        certificate->assumptions = assumptions;
        certificate->assumption_count = count;
        return true;
}

static bool read_body(const struct json *body, struct arena *arena, struct certificate *certificate, struct error *error) {
        uint64_t format;
        struct bytes id;
        if (!get_u64(body, "format", &format, error))
                return false;
        if (format != CERTIFICATE_FORMAT)
                return error_set(error, ERROR_UNSUPPORTED, "certificate of format %" PRIu64 ", this program knows %d", format,
                                 CERTIFICATE_FORMAT);
        if (!get_text(body, "communication", &certificate->communication, error) || !get_text(body, "log_id", &id, error) ||
            !get_u64(body, "position", &certificate->position, error) ||
            !get_i64(body, "time_ms", &certificate->time_ms, error) ||
            !get_text(body, "config_hash", &certificate->config_hash, error))
                return false;
        return (hex_read(id, certificate->log_id, sizeof certificate->log_id) || missing("log_id", error)) &&
               read_accounts(body, &certificate->sums, error) && read_faults(body, arena, certificate, error) &&
               read_epochs(body, arena, certificate, error) && read_assumptions(body, arena, certificate, error);
}

static bool signature_check(const struct json *root, const struct json *body, EVP_PKEY *key, struct error *error) {
        struct bytes hex;
        uint8_t signature[SIGNATURE_SIZE];
        if (!get_text(root, "signature", &hex, error))
                return false;
        if (!hex_read(hex, signature, sizeof signature))
                return missing("signature (128 hex digits)", error);
        CLEANUP(buffer_free) struct buffer message = {0};
        signed_bytes(body, &message);
        CLEANUP(context_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        if (!context || EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1)
                return error_set(error, ERROR_INTERNAL, "verify the signature");
        if (EVP_DigestVerify(context, signature, sizeof signature, (const uint8_t *)message.data, message.size) != 1)
                return error_set(error, ERROR_UNAUTHORIZED, "the signature is not of this key, or the certificate was changed");
        return true;
}

bool certificate_verify(struct bytes file, struct bytes public_pem, struct arena *arena, struct certificate *ret_certificate,
                        struct error *error) {
        if (file.size > CERTIFICATE_SIZE_MAX)
                return error_set(error, ERROR_LIMIT, "a certificate has at most %d bytes", CERTIFICATE_SIZE_MAX);
        CLEANUP(key_freep) EVP_PKEY *key = key_read(public_pem, false, error);
        const struct json *root;
        if (!key)
                return false;
        if (!json_parse(file, NULL, arena, &root, error))
                return error_wrap(error, "not a certificate");
        const struct json *body = json_get_text(root, "certificate");
        if (!json_is(body, JSON_OBJECT))
                return missing("certificate", error);
        struct certificate certificate = {0};
        if (!signature_check(root, body, key, error) || !read_body(body, arena, &certificate, error) ||
            !ledger_check(&certificate.sums, error))
                return false;
        if (certificate.fault_count > 0)
                return error_set(error, ERROR_CORRUPT, "rightly signed, and it states faults: %" PRIu64 " of kind %.*s, the "
                                 "first at position %" PRIu64 ": %.*s", certificate.faults[0].count,
                                 BYTES_PRINT(certificate.faults[0].kind), certificate.faults[0].position,
                                 BYTES_PRINT(certificate.faults[0].first));
        if (ret_certificate)
                *ret_certificate = certificate;
        return true;
}
