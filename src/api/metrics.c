// SPDX-License-Identifier: Apache-2.0
// /metrics: the Prometheus text format, version 0.0.4. Totals since the process started, but for the ledger's accounts, which are
// of the whole log.
#include "api/status.h"

#include <inttypes.h>
#include <math.h>

#include "api/api_priv.h"

static void head(struct buffer *out, const char *name, const char *type, const char *help) {
        buffer_print(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value) {
        head(out, name, type, help);
        buffer_print(out, "%s %" PRIu64 "\n", name, value);
}

// Names of communications are letters, digits, '-', '_' and '.' (docs/configuration.md): they need no escapes in a label.
static void requests(struct api_states *states) {
        struct api *api = states->request->api;
        struct buffer *out = &states->request->out;
        head(out, "commute_requests_total", "counter", "Requests answered, by class: done (2xx, 3xx), refused (4xx), failed (5xx).");
        for (size_t i = 0; i < states->count; i++) {
                const char *name = api->options.model->communications[i].name;
                struct gateway_counters counters;
                gateway_counters(api->options.gateway, i, &counters);
                const struct { const char *class; uint64_t count; } classes[] = {
                        {"done", counters.done}, {"refused", counters.refused}, {"failed", counters.failed},
                };
                for (size_t c = 0; c < ARRAY_SIZE(classes); c++)
                        buffer_print(out, "commute_requests_total{communication=\"%s\",class=\"%s\"} %" PRIu64 "\n", name,
                                     classes[c].class, classes[c].count);
        }
        head(out, "commute_accepted_total", "counter", "Receipts given (202).");
        for (size_t i = 0; i < states->count; i++) {
                struct gateway_counters counters;
                gateway_counters(api->options.gateway, i, &counters);
                buffer_print(out, "commute_accepted_total{communication=\"%s\"} %" PRIu64 "\n",
                             api->options.model->communications[i].name, counters.accepted);
        }
}

// Whole octaves of the gateway's eight buckets each: 2^n µs, n = 3 … 19. The sum is not counted, so it is left out of the format's
// histogram and the buckets stand as a counter with le, as a recording rule wants them.
static void latency(struct api_states *states) {
        enum { FIRST = 3, LAST = GATEWAY_LATENCY_BUCKETS / 8 - 1 };
        struct api *api = states->request->api;
        struct buffer *out = &states->request->out;
        head(out, "commute_request_seconds_bucket", "counter", "Requests answered within le seconds.");
        for (size_t i = 0; i < states->count; i++) {
                const char *name = api->options.model->communications[i].name;
                struct gateway_counters counters;
                uint64_t sum = 0;
                gateway_counters(api->options.gateway, i, &counters);
                for (unsigned bucket = 0, octave = FIRST; bucket < GATEWAY_LATENCY_BUCKETS; bucket++) {
                        sum += counters.latency[bucket];
                        if (octave > LAST || bucket != 8 * octave)
                                continue;
                        buffer_print(out, "commute_request_seconds_bucket{communication=\"%s\",le=\"%g\"} %" PRIu64 "\n", name,
                                     ldexp(1e-6, (int)octave), sum);
                        octave++;
                }
                buffer_print(out, "commute_request_seconds_bucket{communication=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, sum);
        }
}

static void lanes(struct api_states *states) {
        struct buffer *out = &states->request->out;
        static const struct { const char *name, *help; size_t offset; } gauges[] = {
                {"commute_calls_open", "Calls with records that are at their provider.", offsetof(struct gateway_state, calls_open)},
                {"commute_calls_indeterminate", "Calls of which nobody knows whether they were done.",
                 offsetof(struct gateway_state, calls_indeterminate)},
                {"commute_messages_waiting", "Messages that wait to be delivered.", offsetof(struct gateway_state, waiting)},
                {"commute_messages_in_flight", "Deliveries at their provider.", offsetof(struct gateway_state, in_flight)},
                {"commute_messages_parked", "Messages that wait for a person.", offsetof(struct gateway_state, parked)},
                {"commute_requests_held", "Requests that wait for a fence or an epoch.", offsetof(struct gateway_state, held)},
                {"commute_lanes_left_async", "Lanes that a switch has left behind.",
                 offsetof(struct gateway_state, lanes_left_async)},
                {"commute_shards_async", "Shards that are async.", offsetof(struct gateway_state, async)},
        };
        for (size_t g = 0; g < ARRAY_SIZE(gauges); g++) {
                head(out, gauges[g].name, "gauge", gauges[g].help);
                for (size_t i = 0; i < states->count; i++) {
                        size_t value;
                        memcpy(&value, (const char *)&states->states[i] + gauges[g].offset, sizeof value);
                        buffer_print(out, "%s{communication=\"%s\"} %zu\n", gauges[g].name,
                                     states->request->api->options.model->communications[i].name, value);
                }
        }
        head(out, "commute_provider_failing", "gauge", "1: delivery is paused because the provider fails for all lanes.");
        for (size_t i = 0; i < states->count; i++)
                buffer_print(out, "commute_provider_failing{communication=\"%s\"} %d\n",
                             states->request->api->options.model->communications[i].name, states->states[i].provider_fails);
}

static bool accounts(struct api_states *states, struct error *error) {
        struct api *api = states->request->api;
        struct buffer *out = &states->request->out;
        head(out, "commute_ledger_account", "gauge", "Messages in each account of the ledger, of the whole log.");
        for (size_t i = 0; i < states->count; i++) {
                const char *name = api->options.model->communications[i].name;
                struct ledger_sums sums;
                uint64_t position;
                if (!api_accounts(api, name, &sums, &position, error))
                        return false;
                for (unsigned a = LEDGER_NONE + 1; a < LEDGER_ACCOUNT_COUNT; a++)
                        buffer_print(out, "commute_ledger_account{communication=\"%s\",account=\"%s\"} %" PRId64 "\n", name,
                                     ledger_account_name((enum ledger_state)a), sums.count[a]);
        }
        return true;
}

static bool add_fault(void *context, struct bytes kind, uint64_t count, uint64_t first_position, struct bytes first,
                      struct error *error) {
        (void)first_position;
        (void)first;
        (void)error;
        buffer_print(context, "commute_ledger_faults{kind=\"%.*s\"} %" PRIu64 "\n", BYTES_PRINT(kind), count);
        return true;
}

static void stores(struct api *api, struct buffer *out) {
        struct log_stats stats;
        struct http_server_stats servers;
        log_stats(api->options.log, &stats);
        single(out, "commute_log_position", "gauge", "Position of the last durable record.", log_last_position(api->options.log));
        single(out, "commute_log_records_total", "counter", "Records made durable.", stats.records);
        single(out, "commute_log_bytes_total", "counter", "Bytes of headers and bodies made durable.", stats.bytes);
        single(out, "commute_log_read_total", "counter", "Records read, by views, deliveries and recovery.", stats.read);
        single(out, "commute_log_commits_total", "counter", "Transactions of appends, each with one fsync.", stats.commits);
        single(out, "commute_log_failed_total", "counter", "Submissions that failed.", stats.failed);
        single(out, "commute_log_unknown_total", "counter", "Submissions with an unknown outcome.", stats.unknown);
        single(out, "commute_log_queue_records", "gauge", "Records submitted and not durable.", stats.queue_records);
        single(out, "commute_log_broken", "gauge", "1: the log's device failed.", log_broken(api->options.log));
        head(out, "commute_log_commit_seconds", "gauge", "Time of a commit, quantiles since the start.");
        static const double shares[] = {0.5, 0.99};
        for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
                buffer_print(out, "commute_log_commit_seconds{quantile=\"%g\"} %g\n", shares[i],
                             (double)log_histogram_quantile(stats.commit_time, shares[i]) * 1e-6);
        single(out, "commute_views_position", "gauge", "Position up to which the views hold.", views_position(api->options.views));
        single(out, "commute_views_lag", "gauge", "Positions that the views are behind the log.", views_lag(api->options.views));
        api->options.server_stats(api->options.user, &servers);
        single(out, "commute_connections", "gauge", "Connections of callers.", servers.connections);
        single(out, "commute_connections_total", "counter", "Connections accepted.", servers.accepted);
        single(out, "commute_http_requests_total", "counter", "Requests given to the gateway, all paths.", servers.requests);
        single(out, "commute_http_refused_total", "counter", "Malformed, oversized or slow requests.", servers.refused);
        single(out, "commute_registry_schemas", "gauge", "Schemas that the registry has an id for.",
               registry_ids(api->options.registry));
        single(out, "commute_registry_bytes", "gauge", "Memory that the registry's schemas and versions take.",
               registry_memory(api->options.registry));
}

static void metrics(struct api_states *states) {
        struct api_request *request = states->request;
        struct api *api = request->api;
        struct buffer *out = &request->out;
        struct error error;
        head(out, "commute_build_info", "gauge", "1, with the version.");
        buffer_print(out, "commute_build_info{version=\"%s\",config=\"%s\"} 1\n", COMMUTE_VERSION, api->options.model->hash_text);
        single(out, "commute_uptime_seconds", "gauge", "Seconds since the control API began.",
               (clock_monotonic_ns(loop_clock(api->options.loop)) - api->began_ns) / SECONDS(1));
        requests(states);
        latency(states);
        lanes(states);
        stores(api, out);
        bool read = accounts(states, &error);
        head(out, "commute_ledger_faults", "gauge", "Impossible records that the fold found.");
        if (read && state_fault_each(api->options.reader, add_fault, out, &error))
                api_answer_bytes(request, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(out));
        else
                api_fail(request, &error);
}

static void answer_metrics(struct api_request *request, void *user) {
        (void)user;
        api_ask(request, 0, request->api->options.model->communication_count, metrics);
}

static const struct api_route routes[] = {
        {"GET", "/metrics", answer_metrics, NULL, NULL, false},
};

void api_add_metrics(struct api *api) {
        api_add(api, routes, ARRAY_SIZE(routes), NULL);
}
