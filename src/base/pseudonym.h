// SPDX-License-Identifier: Apache-2.0
// Pseudonyms: a value's stand-in for one purpose, made and resolved with a key that only the owner has.
//
// A pseudonym is the deterministic authenticated encryption (AES-256-SIV, RFC 5297, the purpose as associated data) of a value, in
// base64url without padding (RFC 4648, 5): 16 bytes of synthetic IV, then the ciphertext. The same value gives the same pseudonym
// within a purpose; pseudonyms of two purposes have nothing in common that can be seen without the key. A purpose's key is HKDF
// (RFC 5869, SHA-256) of the master key with the info "commute pseudonym 1 " and the purpose. What equality and length tell is told.
//
// Any thread. Keys are wiped when freed. Errors never name a value, and say the same whatever is wrong with a pseudonym.
#pragma once

#include "base/bytes.h"
#include "base/error.h"

struct pseudonyms;

enum {
        PSEUDONYM_KEY_SIZE = 32,
        PSEUDONYM_VALUE_MAX = 4096,             // bytes of a value
        PSEUDONYM_PURPOSE_MAX = 64,             // bytes of a purpose's name
        PSEUDONYM_PURPOSES_MAX = 1000,          // of one struct; they are derived once each
        PSEUDONYM_OVERHEAD = 16,                // bytes, before base64url
};

struct pseudonyms *pseudonyms_new(const uint8_t key[static PSEUDONYM_KEY_SIZE]);
void pseudonyms_free(struct pseudonyms *pseudonyms);            // NULL is allowed

// Appends the pseudonym of 1 … PSEUDONYM_VALUE_MAX bytes. ERROR_LIMIT, ERROR_INVALID (an empty value or purpose).
MUST_USE bool pseudonym_make(struct pseudonyms *pseudonyms, struct bytes purpose, struct bytes value, struct buffer *out,
                             struct error *error);
// Appends the value. ERROR_REJECTED: the text is no pseudonym of this purpose and key. On failure nothing is appended.
MUST_USE bool pseudonym_resolve(struct pseudonyms *pseudonyms, struct bytes purpose, struct bytes text, struct buffer *out,
                                struct error *error);
// A number that tells keys apart and says nothing about them: 16 hexadecimal digits and a NUL.
void pseudonyms_fingerprint(struct pseudonyms *pseudonyms, char ret_text[static 17]);
