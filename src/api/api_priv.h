// SPDX-License-Identifier: Apache-2.0
// The control API's body, and its own routes by what they speak of:
//      api.c           construction, routing, token, answers
//      status.c        /healthz, /readyz, /status, /config, /modes
//      parked.c        /parked
//      certify.c       /proof
//      metrics.c       /metrics
//      pseudonyms.c    /pseudonyms
#pragma once

#include <stdatomic.h>

#include "api/api.h"
#include "gateway/gateway.h"
#include "gateway/views.h"
#include "json/target.h"
#include "log/log.h"
#include "registry/registry.h"
#include "store/state.h"

struct api_entry {
        const struct api_route *route;
        struct target *target;                  // owned; method and pattern
        void *user;
};

struct api {
        struct api_options options;
        struct api_entry entries[API_ROUTES_MAX];
        size_t entry_count;
        api_describe *describe;
        void *describe_user;
        uint64_t began_ns;                      // monotonic
        _Atomic(const char *) not_ready;        // why; NULL: ready
};

void api_add_status(struct api *api);
void api_add_parked(struct api *api);
void api_add_proof(struct api *api);
void api_add_metrics(struct api *api);
void api_add_pseudonyms(struct api *api);

// The bearer token of a request; false: there is none.
bool api_bearer(const struct http_exchange *exchange, struct bytes *ret_token);
// Takes as long wherever they differ.
bool api_same_token(struct bytes a, struct bytes b);
// Answers 401 with the challenge, or 403.
void api_refuse_token(struct http_exchange *exchange, unsigned status, const char *message);

// ---- asking the gateway about all communications, or one ----

// Calls done on the control thread with one state for each communication that was asked about, in the model's order. The states
// live in the request's arena.
struct api_states {
        struct api_request *request;
        size_t first, count;                    // indices of communications
        struct gateway_state *states;           // of first, first + 1, …
        void (*done)(struct api_states *states);
        struct gateway_command command;         // private
};
void api_ask(struct api_request *request, size_t first, size_t count, void (*done)(struct api_states *states));

// "sync", "async", …; "switching" while shards differ or lanes are left behind.
const char *api_mode(const struct model_communication *communication, const struct gateway_state *state);
