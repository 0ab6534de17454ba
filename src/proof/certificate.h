// SPDX-License-Identifier: Apache-2.0
// A certificate: what the ledger says of one communication at one position, with what it assumes, signed (Ed25519, RFC 8032).
// Pure: bytes in, bytes out; any thread. Whoever has the file and the public key can check it, without commute's data.
//
// The file is JSON: {"certificate": {…}, "signature": "128 hex digits", "public_key": "64 hex digits"}. Signed are the bytes
// "commute certificate 1\n" and the canonical form (json_canonical) of the value of "certificate"; white space and the order of
// members may change, values may not. "public_key" is a hint for people: verification uses the key that it is given.
#pragma once

#include "base/arena.h"
#include "proof/ledger.h"

enum {
        CERTIFICATE_FORMAT = 1,
        CERTIFICATE_SIZE_MAX = 4 << 20,         // bytes of a file
        CERTIFICATE_LOG_ID_SIZE = 16,
};

struct certificate_epoch {
        uint32_t shard, epoch;
        enum lane_mode mode;
        uint64_t position;                      // of its EPOCH record
        int64_t time_ms;
};

struct certificate_fault {
        struct bytes kind, first;               // ledger_fault_name; the first one, in words
        uint64_t count, position;
};

struct certificate {
        struct bytes communication;
        uint8_t log_id[CERTIFICATE_LOG_ID_SIZE];
        uint64_t position;                      // of the log: all records up to it are in the accounts
        int64_t time_ms;                        // when it was made, Unix milliseconds
        struct bytes config_hash;               // hex, of the configuration in force
        struct ledger_sums sums;
        const struct certificate_fault *faults;         // of the whole log; none is written as []
        size_t fault_count;
        const struct certificate_epoch *epochs;         // may be none
        size_t epoch_count;
        const struct bytes *assumptions;        // sentences: which providers recognise identities, what was not observable, …
        size_t assumption_count;
};

// Makes a key pair, as PEM texts (PKCS #8 and SubjectPublicKeyInfo). The private one is to be kept in a file of mode 0600.
MUST_USE bool certificate_key_new(struct buffer *private_pem, struct buffer *public_pem, struct error *error);

// Appends the signed file, ended by a newline. ERROR_INVALID: not an Ed25519 private key. The sums are written as they are: a
// ledger that does not add up is signed as such, and fails to verify.
MUST_USE bool certificate_sign(const struct certificate *certificate, struct bytes private_pem, struct buffer *file,
                               struct error *error);

// Checks a file: form, signature, the ledger's equations, and that no fault is booked. *ret_certificate lives in the arena (may
// be NULL). ERROR_INVALID: not a certificate, or not a key; ERROR_UNSUPPORTED: of another format; ERROR_UNAUTHORIZED: the
// signature is not of this key, or a value was changed; ERROR_CORRUPT: rightly signed, but the ledger does not add up or has
// faults.
MUST_USE bool certificate_verify(struct bytes file, struct bytes public_pem, struct arena *arena,
                                 struct certificate *ret_certificate, struct error *error);
