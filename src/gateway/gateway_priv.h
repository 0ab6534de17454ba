// SPDX-License-Identifier: Apache-2.0
// The bodies behind gateway.h, and what its files use of each other:
//      gateway.c       construction, routing of requests
//      direct.c        when calls are forwarded past the owner
//      call.c          functional calls: from an HTTP exchange to a shard's request, and answers
//      owner.c         what shards ask for: appends, events, look-ups, timers
//      provider.c      calls, deliveries and forwards to providers, and what their outcome means
//      data*.c, capture.c, backfill.c  data communications: data_priv.h
//      shadow.c        the producer step: each call wrapped, unwrapped and compared with itself
//      command.c       orders of the control thread
//      figures.c       counters, and samples of bodies that pass (sampler.h)
//      change.c        an event from one version to another: change.h
//      versions.c      the emitted version, schemas of versions, who used which
//      publish.c       POST /events/{Event}
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/table.h"
#include "gateway/change.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "http/forward.h"
#include "log/log.h"
#include "os/loop.h"
#include "registry/registry.h"
#include "store/state.h"

struct gateway;
struct route;
struct data;

// What became of an append; after APPEND_UNKNOWN it is called once more, when the log has said.
typedef void owner_heard(void *user, enum append_result result, uint64_t position);

// The offsets of a topic's partition as its owner hands them out.
struct topic_partition {
        uint32_t stream;
        int64_t next_offset;                    // submissions under way included
        size_t under_way;
        bool failed;                            // one of those under way failed: what is behind it would, too
};

struct owned_shard {
        struct gateway *gateway;
        struct route *route;
        struct shard *shard;
        unsigned partition;
        uint32_t stream;                        // "COMM-040/3"
        struct topic_partition topic, shadow;
        struct loop_timer timer;
};

struct shadow {
        bool on;
        int64_t since_ms;
        uint64_t compared, differing;
        char first_difference[400];
};

// A communication on the data plane.
struct route {
        struct gateway *gateway;
        const struct model_communication *communication;
        struct owned_shard *shards;             // `partitions` of them; none for data communications that are pulled
        uint32_t family;                        // in the views; 0: not known yet
        bool continued;                         // another process served it before
        struct data *data;                      // of a data communication that has shards; NULL
        struct shadow shadow;                   // the owner's
        uint64_t steps_back;                    // the owner's
        uint64_t recognised;                    // the owner's
        bool paused;                            // the owner's
        uint64_t rest_position, forgotten_up_to, look_again_ns;         // direct.c's
        // A hint for all loops: calls are forwarded where they come in. Set only while every shard is plain and no identity is
        // remembered (direct.c).
        atomic_bool direct;
        atomic_uint_fast64_t plain_under_way;
        atomic_uint_fast64_t requests, done, refused, failed, accepted, longest_ns;
        atomic_uint_fast64_t latency[GATEWAY_LATENCY_BUCKETS];
};

// One append under way: bytes and batch for the log, and whom to tell on the owner's loop.
struct pending {
        struct log_batch batch;
        struct log_record record;
        struct buffer bytes;                    // header, then body
        struct loop_task task;
        struct list link;                       // in gateway->under_way, ->unknown or ->free_pending
        struct owned_shard *shard;
        struct shard_append *append;            // NULL: no shard waits
        owner_heard *heard;                     // NULL: nobody else either
        void *heard_user;
        struct topic_partition *partition;      // NULL: no offset
        enum append_result result;
        uint64_t position;
};

// The messages and intents that were appended last: what is delivered at once is not read from the log again.
enum { RECENT_RECORDS = 256, RECENT_BYTES_MAX = 4096 };
struct recent {
        uint64_t position;                      // 0: none
        size_t header_size;
        struct buffer bytes;                    // header, then body
};

// An event of the model (versions.c).
struct event_state {
        const struct model_event *event;
        atomic_uint emitted, refused_below;
        atomic_uint_fast32_t *schemas;          // by version; 0: not registered
        struct schema **contracts;              // the same, compiled from the configuration: a version may be made before it is registered
        size_t schema_count;
        // the owner's
        uint64_t changed, failed;
        char failure[300];
        struct gateway_user users[GATEWAY_USERS_MAX];
        size_t user_count;
};

struct gateway {
        struct gateway_options options;
        struct route *routes;                   // as model->communications
        struct http_upstream **upstreams;       // [loop * service_count + service]
        struct event_state *events;             // as model->events
        struct converter *converter;            // the owner's; NULL: there are no programs
        // the owner's
        struct loop *owner;
        struct log_reader *log_reader;
        struct state_reader *state;
        struct recent recent[RECENT_RECORDS];   // by position
        struct arena arena;                     // scratch of one event
        struct buffer event;                    // the body that op_event rendered last
        struct list free_pending, under_way, unknown;
        size_t free_pending_count;
        struct list provider_calls;
        const struct http_call_result *current; // the response that shard_called is being told of
        struct list decisions;                  // commands that wait for op_decided
        bool reopening;
        pthread_t reopener;
        bool reopener_started;
        struct loop_task reopened;
        unsigned holders;                       // once freed: tasks of its that are posted
        atomic_bool stopping;
        atomic_size_t at_the_log;               // submissions that the log has not ended
        // views' position on its way to the owner
        atomic_uint_fast64_t views_position;
        atomic_bool views_posted;
        struct loop_task views_task;
        atomic_bool broken_posted;
        struct loop_task broken_task;
        struct table route_table;               // by name
};

// A call under way between its HTTP exchange and its shard. In the exchange's arena: gone once answered.
struct call {
        struct shard_request shard;             // first
        struct route *route;
        struct owned_shard *owned;
        struct http_exchange *exchange;
        struct bytes target;                    // behind the communication's name: path and query
        const struct json *body;                // parsed; NULL: not JSON, or there is none
        struct named_value path[TARGET_VARIABLES_MAX];
        size_t path_count;
        struct loop_task task;
        struct error error;                     // why it is not valid
        struct outside *outside;                // it is an event that was published, not a call; NULL
};

// ---- gateway.c ----
struct http_upstream *gateway_upstream(struct gateway *gateway, const struct loop *loop, const struct model_service *service);

// A request that is none of a communication's target: 400, 405 with Allow, or 404. The exchange's loop. Returns the status.
unsigned gateway_refuse_target(struct http_exchange *exchange, const char *name, const struct target *target,
                               enum target_match match);

// ---- versions.c ----
MUST_USE bool versions_new(struct gateway *gateway, struct error *error);
void versions_free(struct gateway *gateway);
struct event_state *event_state(const struct gateway *gateway, const struct model_event *event);
unsigned event_emitted(const struct gateway *gateway, const struct model_event *event);
uint32_t event_schema_id(const struct gateway *gateway, const struct model_event *event, unsigned version);
// NULL with ERROR_UNAVAILABLE: it is not registered.
const struct schema *event_schema(const struct gateway *gateway, const struct model_event *event, unsigned version,
                                  struct error *error);
// Of a record. ERROR_REJECTED: of no version that is configured and registered.
MUST_USE bool event_version_of(const struct gateway *gateway, const struct model_event *event, uint32_t schema_id,
                               unsigned *ret_version, struct error *error);
// What every template may use; the rest is the caller's to add.
struct template_inputs gateway_inputs(const struct gateway *gateway);
// A change whose outcome has to match the contract of `to`. ERROR_REJECTED: there is no such version.
MUST_USE bool change_prepare(struct change *change, const struct gateway *gateway, const struct model_event *event, unsigned from,
                             unsigned to, struct arena *arena, struct error *error);
// The contract of a version, whether it is registered or not. ERROR_REJECTED: there is none.
const struct schema *event_contract(const struct gateway *gateway, const struct model_event *event, unsigned version,
                                    struct error *error);
void event_changed(struct gateway *gateway, const struct change *change, const char *where);            // counts its outcome
void event_used(struct gateway *gateway, const struct model_event *event, enum gateway_use use, unsigned version,
                const char *format, ...) PRINTF_LIKE(5, 6);
void versions_fill(const struct gateway *gateway, const struct model_event *event, struct gateway_versions *ret);

// ---- key.c ----
const struct model_event *key_event(const struct route *route);        // NULL: it has none
// Whether a record can have the key. ERROR_LIMIT.
MUST_USE bool key_check(const struct gateway *gateway, const struct model_event *event, struct bytes key, struct error *error);
// As records and tables have it; it has been checked.
struct bytes key_stored(const struct gateway *gateway, const struct model_event *event, struct bytes key, struct arena *arena);
// The key itself, of what a record or a table has. ERROR_REJECTED, ERROR_CORRUPT.
MUST_USE bool key_clear(const struct gateway *gateway, const struct model_event *event, struct bytes stored, struct arena *arena,
                        struct bytes *ret_key, struct error *error);

// ---- direct.c ----
void route_update_direct(struct route *route);          // a shard's mode has changed, or is about to
void route_look_direct(struct route *route);            // the same from time to time, while calls are not forwarded directly

// ---- call.c ----
// A request to a functional communication: `target` is what follows its name.
void call_take(struct route *route, struct http_exchange *exchange, struct bytes path, struct bytes query, struct bytes target);
void call_answer(struct call *call, unsigned status, const struct http_header *headers, size_t count, struct bytes body);
void call_answer_error(struct call *call, unsigned status, const char *code, const char *message, const char *retry_after);
void call_forward(struct call *call);           // without a record; counts plain_under_way down when it ends
void op_answer(void *user, struct shard_request *request, enum shard_answer answer, uint64_t position);

// ---- owner.c ----
extern const struct shard_ops owner_ops;
void owner_append_record(struct owned_shard *owned, struct shard_append *append, const struct record *record, struct bytes body,
                         struct topic_partition *partition);
// The same to the shard's own stream, for others than the shard.
void owner_append_heard(struct owned_shard *owned, const struct record *record, struct bytes body, owner_heard *heard, void *user);
void owner_log_broken(struct gateway *gateway);
void owner_log_was_said_broken(struct loop_task *task);         // gateway->broken_task
void owner_free(struct gateway *gateway);       // waits for the log to end what was submitted; loops do not run any more
// A MESSAGE, INTENT or ANSWERED at its position, from memory if it is one of the latest.
bool owner_read(struct gateway *gateway, uint64_t position, struct arena *arena, struct record *ret_record,
                struct bytes *ret_body, struct error *error);
// Renders and checks the event of a call; the body is in gateway->event. False: call->error says why.
bool owner_event(struct call *call, const struct topic_partition *partition, struct record *record, struct bytes *ret_body);

// ---- provider.c ----
void op_call(void *user, struct shard_message *message, enum shard_call call, struct shard_request *request);
void op_forward(void *user, struct shard_request *request);
void provider_free(struct gateway *gateway);    // after the upstreams
// An event as it is to be delivered: `body` in a version that the reader understands; `old`: in version 0, where its target wants
// that (delivery_wants_old), else empty.
struct delivered {
        unsigned version;
        struct bytes body, old;
};
// The request that delivers an event of a functional communication, from what is kept of the call. Everything is in the arena
// or borrowed. ERROR_REJECTED, ERROR_CORRUPT.
struct delivery {
        struct bytes method, target, body;
        struct http_header headers[REQUEST_HEADERS_MAX + 4];
        size_t header_count;
};
bool delivery_render(const struct gateway *gateway, const struct model_communication *communication, const struct record *record,
                     const struct delivered *delivered, struct arena *arena, struct delivery *ret_delivery, struct error *error);
// Whether a variable of the target is in no place of the body's version; delivery NULL: the target is the call's own.
bool delivery_wants_old(const struct model_delivery *delivery, const struct delivered *delivered, struct arena *arena);
// Where the target of the record's delivery comes from; NULL: from the call.
const struct model_delivery *delivery_target(const struct model_communication *communication, const struct record *record);
// The version in which an event of this one is delivered: one that the reader understands.
unsigned delivery_version(const struct model_communication *communication, unsigned version);

// ---- publish.c ----
// An event that its producer publishes by itself.
struct outside {
        struct call call;                       // first; of a functional event
        struct gateway *gateway;
        struct route *route;
        struct http_exchange *exchange;
        const struct model_event *event;
        const struct json *json;
        struct bytes body;
        unsigned version, given;                // of the body now; as it came
        bool filled;
        const char *producer;
        struct change change;
        struct delivered delivered;
        struct delivery delivery;               // what it is as a call
        struct loop_task task;
};
void publish_take(struct gateway *gateway, struct http_exchange *exchange, struct bytes name);
// The body of its MESSAGE. False: error says why.
bool outside_event(struct outside *outside, struct record *record, struct bytes *ret_body, struct error *error);
void outside_forward(struct outside *outside);  // its lane is sync, without records: the provider's response is its answer
// ---- provider.c ---- The headers of that call, with identity and bearer; room for REQUEST_HEADERS_MAX + 4.
size_t outside_headers(struct outside *outside, struct http_header *headers);

// ---- shadow.c ----
void shadow_call(struct call *call);
void shadow_difference(struct route *route, const char *format, ...) PRINTF_LIKE(2, 3);

// Finds the first place where two documents differ; may_differ are left out. True: they are equal. print: a scalar as a
// counterexample shows it (mask.h).
bool shadow_equal(const struct model_communication *communication, const struct json *a, const struct json *b, struct buffer *path);
void shadow_print_value(const struct route *route, const struct json *root, struct bytes path, struct buffer *text);

// ---- data.c ----
// A data communication with an event. Its shards are restored already. False with ERROR_IO, ERROR_CORRUPT.
MUST_USE bool data_new(struct route *route, struct error *error);
void data_free(struct data *data);              // NULL is allowed
void data_start(struct data *data);
void data_stop(struct data *data);
bool data_busy(const struct data *data);        // captured writes, re-reads or rows are under way; ends after data_stop
void data_views_moved(struct data *data, uint64_t position);
void data_stepped_back(struct data *data);
void data_switched(struct data *data, enum lane_mode mode);     // an order begins a change of mode
void data_fill(const struct data *data, struct gateway_state *state);
void data_fill_counters(const struct data *data, struct gateway_counters *counters);
bool data_order(struct data *data, const struct gateway_command *command, struct error *error);
// A GET of the communication. On the exchange's loop.
void data_take_read(struct data *data, struct http_exchange *exchange, struct bytes path, struct bytes query, struct bytes target);
// A request to a service. False: it is no write of a capture, and nothing was done.
bool data_take_write(struct gateway *gateway, const struct model_service *service, struct http_exchange *exchange,
                     struct bytes path, struct bytes query, struct bytes target);
// What the shards' ops do for data communications.
bool data_op_event(struct shard_request *request, struct record *record, struct bytes *ret_body);
void data_op_answer(struct shard_request *request, enum shard_answer answer, uint64_t position);
void data_op_forward(struct shard_request *request);
void data_delivered(struct data *data, uint64_t position);
bool data_delivery_render(struct owned_shard *owned, const struct record *record, const struct delivered *delivered,
                          struct arena *arena, struct delivery *ret_delivery, struct error *error);
const struct model_delivery *data_delivery_target(struct owned_shard *owned);

// ---- command.c ----
void gateway_order_done(struct gateway *gateway, struct gateway_command *command);

// ---- figures.c ----
void route_count(struct route *route, unsigned status, uint64_t duration_ns);
// Bodies of synchronous calls and reads, as they pass (sampler.h). Any loop.
void route_sample_request(struct route *route, struct bytes body);
void route_see_answer(void *route, struct bytes body);          // as http_forward_options.see
