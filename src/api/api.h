// SPDX-License-Identifier: Apache-2.0
// The control API: JSON over HTTP on the control thread (docs/operations.md lists the paths). Routes are tables; the daemon adds
// those of this folder and those of migrations. A bearer token is asked for everywhere but on routes marked open.
//
// Errors are {"error": code, "message": sentence}, with base/error.h's names and statuses, and not-found (404), method (405),
// unauthorized (401). Query parameters and members of a body that a route does not know are refused, never ignored.
//
// Everything runs on the control thread, but for api_ready_set.
#pragma once

#include "base/hash.h"
#include "http/server.h"
#include "json/writer.h"

struct api;
struct api_request;
struct gateway;
struct gateway_command;
struct log;
struct log_reader;
struct model;
struct model_communication;
struct named_value;
struct pseudonyms;
struct registry;
struct state_reader;
struct views;

enum {
        API_PARAMETERS_MAX = 4,         // {…} of a pattern
        API_ROUTES_MAX = 64,
        API_BODY_MAX = 64 * 1024,       // bytes; the server's max_body
        API_PAGE_MAX = 1000,            // rows of one answer
        API_TOKEN_SIZE = 43,            // characters of the token
};

// Answers exactly once, now or later, on the control thread, with one of api_answer, api_answer_bytes, api_fail.
typedef void api_handle(struct api_request *request, void *user);

// Tables of them live as long as the api.
struct api_route {
        const char *method;             // "GET"
        const char *pattern;            // "/migrations/{communication}/advance"; {…} is one segment that is not empty
        api_handle *handle;
        const char *queries;            // query parameters that it takes, separated by spaces; NULL: none
        const char *members;            // of the JSON object that it takes as body, maybe empty or absent; NULL: it takes no body
        bool open;                      // no token is asked for
};

// A request while it is being answered; in the exchange's arena, gone with the answer.
struct api_request {
        struct api *api;
        struct http_exchange *exchange;
        struct arena *arena;                            // the exchange's
        struct bytes parameters[API_PARAMETERS_MAX];    // the pattern's {…} in order, decoded
        const struct json *body;                        // an object whose members the route takes; NULL: no body came
        struct json_writer writer;                      // of the answer; see api_answer
        struct buffer out;                              // what it writes
        void *user;                                     // the handler's own
        const struct named_value *queries;              // see api_query
        size_t query_count;
};

// What the control API tells and orders. Everything is referenced and outlives the api.
struct api_options {
        struct loop *loop;                              // the control thread's
        const struct model *model;
        struct gateway *gateway;
        struct log *log;
        struct views *views;
        struct log_reader *log_reader;                  // the control thread's, as is
        struct state_reader *reader;                    // that of state.db
        const struct registry *registry;
        struct pseudonyms *pseudonyms;                  // NULL: there are none
        struct hash_key hash_key;                       // of the log: what is told of personal values
        struct bytes token;
        struct bytes private_pem;                       // that signs certificates
        // Sums up the data plane's servers for /metrics. Any thread.
        void (*server_stats)(void *user, struct http_server_stats *ret_stats);
        void *user;
};

struct api *api_new(const struct api_options *options);
void api_free(struct api *api);                         // NULL is allowed
// The handler of the control API's HTTP server; user is the api.
void api_http(void *user, struct http_exchange *exchange);

// Adds routes; user is handed to their handlers.
void api_add(struct api *api, const struct api_route *routes, size_t count, void *user);

// Adds members to what /status says of a communication (an object is open in the writer); NULL: nothing.
typedef void api_describe(void *user, const struct model_communication *communication, struct json_writer *writer);
void api_describe_with(struct api *api, api_describe *describe, void *user);

// Whether /readyz says yes, as far as the daemon knows: listeners are open, and it is not ending. Any thread. why: static.
void api_ready_set(struct api *api, bool ready, const char *why);

// ---- for handlers ----

const struct api_options *api_options(const struct api *api);

// The query parameter, decoded; false: it was not given.
bool api_query(const struct api_request *request, const char *name, struct bytes *ret_value);
// A number: fallback when it was not given. False: it is no number or above `most`; the request has been answered.
MUST_USE bool api_query_number(struct api_request *request, const char *name, uint64_t fallback, uint64_t most,
                               uint64_t *ret_number);
// The communication of this name; NULL: there is none, and the request has been answered with 404.
const struct model_communication *api_communication(struct api_request *request, struct bytes name);

// Answers with what was written to request->writer: one whole JSON value.
void api_answer(struct api_request *request, unsigned status);
void api_answer_bytes(struct api_request *request, unsigned status, const char *content_type, struct bytes body);
void api_fail(struct api_request *request, const struct error *error);          // error_http_status of its code
