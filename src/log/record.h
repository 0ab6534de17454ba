// SPDX-License-Identifier: Apache-2.0
// What a record of the log says: the kinds, the header's fields, and its bytes. The log itself (log.h) carries headers and
// bodies without looking inside. Truth is these records alone; every table elsewhere is a fold over them.
//
// Streams, by name:
//      control                 START, CONFIG, REGISTRY, MIGRATION: no offsets
//      COMM-040/3              decisions of the communication's shard 3: no offsets
//      topic/task-completed/3  a topic's partition 3: MESSAGE records, offsets from 0 without a gap
//      shadow/COMM-040/3       the shadow topic of a migration's producer step: SHADOW records, offsets from 0
//
// A functional message, as records:
//
//      sync with records:  INTENT -> ANSWERED | REFUSED | INDETERMINATE -> ANSWERED | SETTLED | REFUSED (by a person)
//      async:              MESSAGE -> [ATTEMPT ->] DELIVERED | NOT_DONE (waits again) | INDETERMINATE -> DELIVERED | PARKED
//                          PARKED -> RETRY (waits again) | SETTLED | DISCARDED
//
// Header on disk, little-endian, version 1 (HEADER_FIXED bytes, then the variable parts in this order):
//      0  u8  version (1)      1  u8 kind          2  u16 flags        4  u16 status       6  u16 reserved (0)
//      8  u32 epoch           12  u32 attempt     16  u32 schema_id   20  u32 mapping
//     24  u32 shard           28  u32 mode        32  u64 sequence    40  u64 reference   48  i64 time_ms
//     56  16 B lane           72  16 B identity   88  16 B body_hash
//    104  u16 size of key    106  u16 size of identity text          108  u32 size of request
//    112  key, identity text, request
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

// name, and what it does to the ledger's accounts (proof/ledger.c)
#define RECORD_KINDS(X)                                                                                               \
        /* control */                                                                                                 \
        X(START, 1)             /* a process opened the log; what was in flight before it is not any more */          \
        X(CONFIG, 2)            /* body: {"hash","mappings"…}; later records name it by `mapping` = its number */     \
        X(REGISTRY, 3)          /* body: a change of the schema registry */                                           \
        X(MIGRATION, 4)         /* body: a migration's whole state after a change of it */                            \
        /* routing */                                                                                                 \
        X(EPOCH, 8)             /* a shard: from here on its lanes are in `mode`; see mode below */                   \
        X(LANE_EPOCH, 9)        /* one lane that an EPOCH had left behind follows */                                  \
        /* a synchronous call with records */                                                                         \
        X(INTENT, 16)           /* about to call; body and request: what is sent, should it be sent again */            \
        X(ANSWERED, 17)         /* done; status and body: the provider's answer, kept for repeats */                  \
        X(REFUSED, 18)          /* certainly not done: the identity is free again */                                  \
        /* a message in a topic, and its delivery by one communication */                                             \
        X(MESSAGE, 24)          /* body: the event; in a topic stream; reference: the CAPTURE it came of */           \
        X(SHADOW, 25)           /* the same in a shadow topic */                                                      \
        X(ATTEMPT, 26)          /* about to deliver (only where the provider recognises nothing) */                   \
        X(NOT_DONE, 27)         /* that attempt was certainly not executed */                                         \
        X(DELIVERED, 28)        /* done; status: of the response; flag RECOGNISED */                                  \
        X(PARKED, 29)           /* set aside; status and body: why */                                                 \
        /* calls and deliveries */                                                                                    \
        X(INDETERMINATE, 32)    /* sent, and nobody knows */                                                          \
        X(RETRY, 33)            /* a person: deliver again */                                                         \
        X(SETTLED, 34)          /* a person: it was done */                                                           \
        X(DISCARDED, 35)        /* a person, or `refusal: discard`: it will not be done */                            \
        X(REPEAT, 36)           /* repeats were answered from what is known: the last, and so many others: attempt */ \
        /* captured writes (data communications) */                                                                   \
        X(CAPTURE, 40)          /* about to forward an owner's write; key may be empty (a POST); request: it */       \
        X(CAPTURE_REFUSED, 41)  /* the owner refused: nothing changed */                                              \
        X(CAPTURE_UNKNOWN, 42)  /* nobody knows: the key is dirty until it has been read again */                     \
        X(CAPTURE_CLEAN, 43)    /* read again, and nothing had changed */

enum record_kind {
#define X(name, number) RECORD_##name = number,
        RECORD_KINDS(X)
#undef X
};

// Modes of a lane. What an EPOCH record says holds for every lane of the shard, except: with LANE_RECORD, lanes that have an
// unsettled MESSAGE, or an INTENT without an outcome, at that position stay LANE_ASYNC until their own LANE_EPOCH (the switch
// async -> sync goes lane by lane). The INTENT counts because a repeat of an indeterminate call is accepted in an async lane.
//
// Of a data communication (EPOCH with RECORD_UPSERT) the modes say what is captured and who reads the copy; no lane is ever left
// behind: LANE_PLAIN nothing is captured, readers pull; LANE_RECORD captured writes become events, readers pull; LANE_ASYNC and
// LANE_PUSH readers use the copy.
enum lane_mode {
        LANE_PLAIN = 1,         // sync, nothing is written
        LANE_RECORD = 2,        // sync, each call has INTENT and outcome
        LANE_ASYNC = 3,
        LANE_PUSH = 4,          // data: as async, and the owner's caller waits for the delivery, at most `deadline`
};

enum record_flag {
        RECORD_BY_PERSON = 1,           // decided by a person (REFUSED of an indeterminate call)
        RECORD_RECOGNISED = 2,          // DELIVERED/ANSWERED: the provider recognised a repeat
        RECORD_TOMBSTONE = 4,           // MESSAGE: the key is deleted; body is empty
        RECORD_BACKFILL = 8,            // MESSAGE: from a backfill, appended only because nothing newer was captured
        RECORD_REREAD = 16,             // MESSAGE: from a re-read or a reconciliation
        RECORD_RECOVERED = 32,          // INDETERMINATE/PARKED: found open after a restart
        RECORD_GIVEN = 64,              // the identity was given by commute; its caller named none
        RECORD_FILLED = 128,            // MESSAGE: defaults were filled in
        RECORD_OUTSIDE = 256,           // MESSAGE: published through POST /events, not by a call
        RECORD_KEPT = 512,              // MESSAGE: kept in a replica of commute, which is its delivery: settled by this record
        RECORD_BODYLESS = 2048,         // MESSAGE: of a call without a body; its delivery has none either
        RECORD_UPSERT = 1024,           // MESSAGE: the newest of its key is the replica's row; EPOCH: of a data communication
};

enum { RECORD_KEY_MAX = 256, RECORD_IDENTITY_MAX = 256, RECORD_REQUEST_MAX = 32 * 1024, RECORD_HEADER_FIXED = 112 };

struct record {
        enum record_kind kind;
        unsigned flags;                 // of enum record_flag
        uint16_t status;                // an HTTP status, or 0
        uint32_t epoch;                 // under which it was admitted; EPOCH: the new one
        uint32_t attempt;               // 1.. of deliveries; REPEAT: how many it stands for (0, as older ones have it: 1)
        uint32_t schema_id;             // of the registry; 0: none
        uint32_t mapping;               // number of the CONFIG record in force
        uint32_t shard;                 // stream id of the shard "COMM-040/3" the record is about; 0: none (POST /events)
        enum lane_mode mode;            // EPOCH, LANE_EPOCH; else 0
        uint64_t sequence;              // MESSAGE: in its lane, 1.. without gap
        uint64_t reference;             // position of the INTENT, MESSAGE or CAPTURE that it speaks of; 0: none
        int64_t time_ms;                // wall clock, Unix milliseconds
        struct hash128 lane;            // zero: none
        struct hash128 identity;        // zero: none
        struct hash128 body_hash;       // of the caller's canonical body
        struct bytes key;               // the lane's key as text (RECORD_KEY_MAX)
        struct bytes identity_text;     // as the caller sent it; travels to the provider (RECORD_IDENTITY_MAX)
        struct bytes request;           // see gateway/request.h (RECORD_REQUEST_MAX)
};

// Appends the header's bytes to *buffer. The record's parts are within their limits (checked where they come in; asserted).
void record_encode(const struct record *record, struct buffer *buffer);

// Reads a header; key, identity_text and request point into it. False with ERROR_CORRUPT for anything that record_encode
// would not have written, an unknown version or kind included.
MUST_USE bool record_decode(struct bytes header, struct record *ret_record, struct error *error);

const char *record_kind_name(enum record_kind kind);    // "MESSAGE"; "?" for an unknown one
