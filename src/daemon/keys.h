// SPDX-License-Identifier: Apache-2.0
// The secrets of a data folder, each made once and then only read:
//
//      key                     32 bytes: what identities, lanes and bodies of this log are hashed with
//      pseudonym.key           32 bytes: what pseudonyms are made with (base/pseudonym.h)
//      token                   the control API's bearer token, one line
//      certificate.key         Ed25519, PEM: what certificates are signed with
//      certificate.pub         its public half: what `commute verify` wants
//
// A pseudonym.key that is lost or exchanged is found out by the fingerprint in the configuration's record (daemon/recover.c).
// Files are 0600 (certificate.pub: 0644) and durable before they are used. A log without its key is refused: under another key
// no identity of before would be recognised, and what was done could be done again. So is a secret that others can read.
// Main thread; whoever calls holds the folder's lock.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

enum { KEYS_TOKEN_SIZE = 43 };          // 32 random bytes in base64url

struct keys {
        struct hash_key hash;
        struct hash_key pseudonym;
        char token[KEYS_TOKEN_SIZE + 1];
        struct buffer private_pem, public_pem;
};

// Makes the folder and those above it, 0700, unless they are there.
MUST_USE bool keys_folder(const char *folder, struct error *error);
// log_exists: the folder has a log already. ERROR_CORRUPT, ERROR_NOT_FOUND (the key of a log), ERROR_UNAUTHORIZED (others can
// read it), ERROR_IO, ERROR_FULL.
MUST_USE bool keys_load(const char *folder, bool log_exists, struct keys *ret_keys, struct error *error);
void keys_free(struct keys *keys);
