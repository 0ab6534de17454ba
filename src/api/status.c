// SPDX-License-Identifier: Apache-2.0
// /healthz, /readyz, /status, /config and /modes: what holds now. Figures are totals since the process started; who wants rates
// asks twice.
#include "api/status.h"

#include "api/api_priv.h"

// ---- health ----

static void answer_alive(struct api_request *request, void *user) {
        (void)user;
        json_begin_object(&request->writer);
        json_member_text(&request->writer, "status", "alive");
        json_end_object(&request->writer);
        api_answer(request, 200);
}

// Why it is not ready; NULL: it is.
static const char *not_ready(const struct api *api, struct error *error) {
        const char *why = atomic_load(&api->not_ready);
        if (why)
                return why;
        if (log_broken(api->options.log))
                return "the log is broken: nothing is accepted until its device works again";
        if (views_error(api->options.views, error))
                return error->text;
        return views_behind(api->options.views) ? "the views are too far behind the log" : NULL;
}

static void answer_ready(struct api_request *request, void *user) {
        (void)user;
        struct error error, answer;
        const char *why = not_ready(request->api, &error);
        if (why) {
                error_set(&answer, ERROR_UNAVAILABLE, "%s", why);
                api_fail(request, &answer);
                return;
        }
        json_begin_object(&request->writer);
        json_member_text(&request->writer, "status", "ready");
        json_member_u64(&request->writer, "position", views_position(request->api->options.views));
        json_end_object(&request->writer);
        api_answer(request, 200);
}

// ---- a communication ----

const char *api_mode(const struct model_communication *communication, const struct gateway_state *state) {
        if (state->shards == 0)
                return model_mode_name(communication->initially);
        if (state->async == state->shards)
                return "async";
        if (state->push == state->shards)
                return "push";
        if (state->async + state->push > 0 || state->lanes_left_async > 0)
                return "switching";
        return communication->kind == MODEL_FUNCTIONAL ? "sync" : "pull";
}

static void write_calls(struct json_writer *writer, const struct gateway_counters *counters, bool latency) {
        json_key(writer, "calls");
        json_begin_object(writer);
        json_member_u64(writer, "requests", counters->requests);
        json_member_u64(writer, "done", counters->done);
        json_member_u64(writer, "accepted", counters->accepted);
        json_member_u64(writer, "refused", counters->refused);
        json_member_u64(writer, "failed", counters->failed);
        json_member_u64(writer, "p50_us", gateway_latency_quantile(counters->latency, 0.5));
        json_member_u64(writer, "p99_us", gateway_latency_quantile(counters->latency, 0.99));
        json_member_u64(writer, "longest_us", counters->longest_ns / 1000);
        json_member_u64(writer, "under_way_plain", counters->plain_under_way);
        if (latency) {                          // [bucket, count]: a bucket holds up to 2^(bucket/8) µs
                json_key(writer, "latency");
                json_begin_array(writer);
                for (unsigned i = 0; i < GATEWAY_LATENCY_BUCKETS; i++) {
                        if (counters->latency[i] == 0)
                                continue;
                        json_begin_array(writer);
                        json_u64(writer, i);
                        json_u64(writer, counters->latency[i]);
                        json_end_array(writer);
                }
                json_end_array(writer);
        }
        json_end_object(writer);
}

// What is captured of the owner's writes, and how the copy was filled and compared.
static void write_data(struct json_writer *writer, const struct gateway_state *state) {
        static const char *const phases[] = {
                [GATEWAY_BACKFILL_NONE] = "none", [GATEWAY_BACKFILL_WAITS] = "waits", [GATEWAY_BACKFILL_READS] = "reads",
                [GATEWAY_BACKFILL_SWEEPS] = "sweeps", [GATEWAY_BACKFILL_COMPLETE] = "complete",
        };
        const struct gateway_backfill *backfill = &state->backfill;
        const struct gateway_reconciliation *pass = &state->reconciliation;
        json_member_u64(writer, "captured", state->captured);
        json_member_u64(writer, "captures_under_way", state->captures_under_way);
        json_member_u64(writer, "dirty_keys", state->dirty_keys);
        json_member_boolean(writer, "topic_dirty", state->topic_dirty);
        json_member_u64(writer, "rereads", state->rereads);
        json_member_u64(writer, "pushes", state->pushes);
        json_member_u64(writer, "pushes_late", state->pushes_late);
        json_member_u64(writer, "pushes_stale", state->pushes_stale);
        json_key(writer, "backfill");
        json_begin_object(writer);
        json_member_text(writer, "phase", phases[backfill->phase]);
        json_member_u64(writer, "rows", backfill->rows);
        json_member_u64(writer, "inserted", backfill->inserted);
        json_member_u64(writer, "skipped", backfill->skipped);
        json_member_u64(writer, "removed", backfill->removed);
        json_member_text(writer, "failure", backfill->failures ? backfill->failure : NULL);
        json_end_object(writer);
        json_key(writer, "reconciliation");
        json_begin_object(writer);
        json_member_boolean(writer, "running", pass->running);
        json_member_u64(writer, "passes", pass->passes);
        json_member_u64(writer, "rows", pass->rows);
        json_member_u64(writer, "differing", pass->differing);
        json_member_u64(writer, "bypassed", pass->bypassed);
        json_member_text(writer, "first_bypass", pass->first_bypass[0] ? pass->first_bypass : NULL);
        json_member_text(writer, "failure", pass->failures ? pass->failure : NULL);
        json_end_object(writer);
}

static void write_state(struct json_writer *writer, const struct gateway_state *state) {
        json_member_u64(writer, "epoch", state->epoch);
        json_key(writer, "shards");
        json_begin_object(writer);
        json_member_u64(writer, "plain", state->plain);
        json_member_u64(writer, "record", state->record);
        json_member_u64(writer, "async", state->async);
        json_member_u64(writer, "push", state->push);
        json_end_object(writer);
        json_member_boolean(writer, "changing", state->changing);
        json_member_u64(writer, "lanes_left_async", state->lanes_left_async);
        json_member_u64(writer, "calls_open", state->calls_open);
        json_member_u64(writer, "indeterminate", state->calls_indeterminate);
        json_member_u64(writer, "waiting", state->waiting);
        json_member_u64(writer, "in_flight", state->in_flight);
        json_member_u64(writer, "parked", state->parked);
        json_member_u64(writer, "held", state->held);
        json_member_boolean(writer, "provider_fails", state->provider_fails);
        json_member_u64(writer, "last_failure", state->last_failure);
        json_member_boolean(writer, "paused", state->paused);
        json_member_u64(writer, "steps_back", state->steps_back);
        json_member_u64(writer, "changes_failed", state->changes_failed);
        json_member_u64(writer, "fences", state->fences);
        json_member_u64(writer, "fence_overruns", state->fence_overruns);
        json_member_u64(writer, "longest_fence_us", state->longest_fence_ns / 1000);
        json_member_u64(writer, "longest_hold_us", state->longest_hold_ns / 1000);
        json_member_u64(writer, "admitted", state->admitted);
        json_member_u64(writer, "delivered", state->delivered);
        json_member_u64(writer, "repeats", state->repeats);
        if (state->captures)
                write_data(writer, state);
}

// Members of an object that is open.
static void write_communication(struct api_request *request, size_t index, const struct gateway_state *state) {
        const struct api *api = request->api;
        const struct model_communication *communication = &api->options.model->communications[index];
        struct json_writer *writer = &request->writer;
        struct gateway_counters counters;
        struct bytes wanted;
        gateway_counters(api->options.gateway, index, &counters);
        json_member_text(writer, "name", communication->name);
        json_member_text(writer, "kind", model_kind_name(communication->kind));
        json_member_text(writer, "from", communication->from->name);
        json_member_text(writer, "to", communication->to->name);
        json_member_text(writer, "initially", model_mode_name(communication->initially));
        json_member_text(writer, "mode", api_mode(communication, state));
        write_calls(writer, &counters, api_query(request, "latency", &wanted));
        write_state(writer, state);
        if (api->describe)
                api->describe(api->describe_user, communication, writer);
}

// ---- log, views, ledger ----

static void write_log(struct json_writer *writer, const struct api *api) {
        struct log_stats stats;
        log_stats(api->options.log, &stats);
        json_key(writer, "log");
        json_begin_object(writer);
        json_member_u64(writer, "position", log_last_position(api->options.log));
        json_member_boolean(writer, "broken", log_broken(api->options.log));
        json_member_u64(writer, "records", stats.records);
        json_member_u64(writer, "bytes", stats.bytes);
        json_member_u64(writer, "commits", stats.commits);
        json_member_u64(writer, "commit_p50_us", log_histogram_quantile(stats.commit_time, 0.5));
        json_member_u64(writer, "commit_p99_us", log_histogram_quantile(stats.commit_time, 0.99));
        json_member_u64(writer, "queue", stats.queue_records);
        json_member_u64(writer, "failed", stats.failed);
        json_member_u64(writer, "unknown", stats.unknown);
        json_end_object(writer);
}

static void write_views(struct json_writer *writer, const struct api *api) {
        struct error error;
        json_key(writer, "views");
        json_begin_object(writer);
        json_member_u64(writer, "position", views_position(api->options.views));
        json_member_u64(writer, "lag", views_lag(api->options.views));
        if (views_error(api->options.views, &error))
                json_member_text(writer, "error", error.text);
        json_end_object(writer);
}

static bool write_fault(void *context, struct bytes kind, uint64_t count, uint64_t first_position, struct bytes first,
                        struct error *error) {
        struct json_writer *writer = context;
        (void)error;
        json_begin_object(writer);
        json_member_bytes(writer, "kind", kind);
        json_member_u64(writer, "count", count);
        json_member_u64(writer, "first_position", first_position);
        json_member_bytes(writer, "first", first);
        json_end_object(writer);
        return true;
}

static bool write_faults(struct json_writer *writer, const struct api *api, struct error *error) {
        json_key(writer, "faults");
        json_begin_array(writer);
        bool read = state_fault_each(api->options.reader, write_fault, writer, error);
        json_end_array(writer);
        return read;
}

// ---- /status ----

static void status_all(struct api_states *states) {
        struct api_request *request = states->request;
        struct json_writer *writer = &request->writer;
        struct error error, ready;
        json_begin_object(writer);
        const char *why = not_ready(request->api, &ready);
        json_member_boolean(writer, "ready", !why);
        if (why)
                json_member_text(writer, "not_ready", why);
        json_member_u64(writer, "uptime_ms", (clock_monotonic_ns(loop_clock(request->api->options.loop)) -
                                              request->api->began_ns) / 1000000);
        json_member_text(writer, "config", request->api->options.model->hash_text);
        json_key(writer, "communications");
        json_begin_array(writer);
        for (size_t i = 0; i < states->count; i++) {
                json_begin_object(writer);
                write_communication(request, i, &states->states[i]);
                json_end_object(writer);
        }
        json_end_array(writer);
        write_log(writer, request->api);
        write_views(writer, request->api);
        if (!write_faults(writer, request->api, &error)) {
                api_fail(request, &error);
                return;
        }
        json_end_object(writer);
        api_answer(request, 200);
}

static void answer_status(struct api_request *request, void *user) {
        (void)user;
        api_ask(request, 0, request->api->options.model->communication_count, status_all);
}

// ---- accounts ----

static bool add_account(void *context, uint32_t shard, struct bytes account, int64_t count, struct error *error) {
        struct ledger_sums *sums = context;
        enum ledger_state which = ledger_account_of(account);
        (void)shard;
        if (which == LEDGER_NONE)
                return error_set(error, ERROR_CORRUPT, "the views have an account \"%.*s\"", BYTES_PRINT(account));
        sums->count[which] += count;
        return true;
}

bool api_accounts(const struct api *api, const char *communication, struct ledger_sums *ret_sums, uint64_t *ret_position,
                  struct error *error) {
        enum { TRIES = 1000 };
        struct state_reader *reader = api->options.reader;
        uint64_t before, after;
        for (unsigned i = 0; i < TRIES; i++) {
                struct ledger_sums sums = {0};
                struct error why;
                uint32_t family = 0;
                if (!state_position(reader, &before, error))
                        return false;
                bool known = state_family(reader, bytes_of(communication), &family, &why);
                if (!known && why.code != ERROR_NOT_FOUND) {
                        *error = why;
                        return false;
                }
                if ((known && !state_accounts(reader, family, add_account, &sums, error)) || !state_position(reader, &after, error))
                        return false;
                if (before != after)
                        continue;               // the views moved between two reads
                *ret_sums = sums;
                *ret_position = before;
                return true;
        }
        return error_set(error, ERROR_UNAVAILABLE, "the views move too fast to be read at one position; try again");
}

static void status_one(struct api_states *states) {
        struct api_request *request = states->request;
        struct json_writer *writer = &request->writer;
        struct ledger_sums sums;
        struct error error;
        uint64_t position;
        if (!api_accounts(request->api, request->api->options.model->communications[states->first].name, &sums, &position, &error)) {
                api_fail(request, &error);
                return;
        }
        json_begin_object(writer);
        write_communication(request, states->first, states->states);
        json_member_u64(writer, "position", position);
        json_key(writer, "accounts");
        json_begin_object(writer);
        for (unsigned i = LEDGER_NONE + 1; i < LEDGER_ACCOUNT_COUNT; i++)
                json_member_i64(writer, ledger_account_name((enum ledger_state)i), sums.count[i]);
        json_end_object(writer);
        bool adds_up = ledger_check(&sums, &error);
        json_member_boolean(writer, "adds_up", adds_up);
        if (!adds_up)
                json_member_text(writer, "does_not_add_up", error.text);
        json_end_object(writer);
        api_answer(request, 200);
}

static void answer_status_one(struct api_request *request, void *user) {
        (void)user;
        const struct model_communication *communication = api_communication(request, request->parameters[0]);
        if (communication)
                api_ask(request, communication->index, 1, status_one);
}

// ---- /modes and /config ----

// The data plane answers the same; here it is for those who have no way to the data plane.
static void answer_mode(struct api_request *request, void *user) {
        (void)user;
        gateway_answer_mode(request->api->options.gateway, request->exchange, request->parameters[0]);
}

static void answer_config(struct api_request *request, void *user) {
        (void)user;
        const struct model *model = request->api->options.model;
        json_begin_object(&request->writer);
        json_member_text(&request->writer, "file", model->path);
        json_member_text(&request->writer, "hash", model->hash_text);
        json_key(&request->writer, "configuration");
        json_raw(&request->writer, model->canonical);
        json_end_object(&request->writer);
        api_answer(request, 200);
}

static const struct api_route routes[] = {
        {"GET", "/healthz", answer_alive, NULL, NULL, true},
        {"GET", "/readyz", answer_ready, NULL, NULL, true},
        {"GET", "/modes/{communication}", answer_mode, NULL, NULL, true},
        {"GET", "/status", answer_status, "latency", NULL, false},
        {"GET", "/status/{communication}", answer_status_one, "latency", NULL, false},
        {"GET", "/config", answer_config, NULL, NULL, false},
};

void api_add_status(struct api *api) {
        api_add(api, routes, ARRAY_SIZE(routes), NULL);
}
