// SPDX-License-Identifier: Apache-2.0
// A small blocking HTTP/1.1 client: connections are kept alive per thread and server, every call has one deadline. It says
// exactly what is known of a call that got no answer, and never sends a call twice by itself unless it is a GET whose reused
// connection died before the answer's first byte: a library that repeats a POST in silence would blur what is audited.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_LIMIT_BYTES (4 * 1024 * 1024)

enum call_outcome {
        CALL_ANSWERED,
        CALL_NOT_SENT,       // no connection: certainly not done
        CALL_TIMEOUT,        // sent, no answer in time: nobody knows
        CALL_BROKEN,         // sent, the connection died or the answer was malformed: nobody knows
};

struct call {
        const char *method;
        const char *base;            // http://host:port[/prefix]
        const char *path;            // appended to it
        const char *body;            // NULL: none
        const char *identity;        // Idempotency-Key, or NULL
        int64_t timeout_ms;
};

struct reply {
        int status;
        char *body;                  // terminated; freed by reply_free
        size_t body_size;
        int64_t retry_after_ms;      // -1: no such header
        bool replayed;               // Idempotent-Replayed: true
};

enum call_outcome client_call(const struct call *call, struct reply *ret_reply);   // ret_reply is always set
void reply_free(struct reply *reply);
const char *call_outcome_text(enum call_outcome outcome);
void client_check_url(const char *option, const char *url);   // ends the process when it is not http://host:port[/prefix]
