// SPDX-License-Identifier: Apache-2.0
// `commute status`: a line for each communication with what it waits for; with --watch twice a second, with rates and latencies
// of the last interval, from the differences of two answers.
#include "cli/cli_priv.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"

enum { BUCKETS = 160, INTERVAL_MS = 500 };      // latency buckets: eight an octave from 1 µs, as the API says

// ---- figures of an interval ----

struct figures {
        uint64_t requests, failed, latency[BUCKETS];
};

static void figures_of(const struct json *communication, struct figures *ret) {
        const struct json *calls = json_get_text(communication, "calls"), *latency = json_get_text(calls, "latency");
        *ret = (struct figures){.requests = client_number(calls, "requests"), .failed = client_number(calls, "failed")};
        if (!json_is(latency, JSON_ARRAY))
                return;
        JSON_FOR_EACH(pair, latency) {
                uint64_t bucket, count;
                if (json_is(pair, JSON_ARRAY) && json_count(pair) == 2 && json_to_u64(json_at(pair, 0), &bucket) &&
                    json_to_u64(json_at(pair, 1), &count) && bucket < BUCKETS)
                        ret->latency[bucket] = count;
        }
}

// now - before, or now alone when the process was started again meanwhile.
static void subtract(struct figures *now, const struct figures *before) {
        if (now->requests < before->requests)
                return;
        now->requests -= before->requests;
        now->failed -= before->failed;
        for (unsigned i = 0; i < BUCKETS; i++)
                now->latency[i] -= before->latency[i];
}

static double quantile_ms(const struct figures *figures, double share) {
        uint64_t all = 0, sum = 0;
        for (unsigned i = 0; i < BUCKETS; i++)
                all += figures->latency[i];
        for (unsigned i = 0; all && i < BUCKETS; i++) {
                sum += figures->latency[i];
                if ((double)sum >= share * (double)all)
                        return exp2(i / 8.0) / 1000;
        }
        return 0;
}

// ---- one communication ----

static void print_waits(const struct json *communication) {
        struct bytes migration = client_text(communication, "migration"), name = client_text(communication, "name");
        uint64_t left = client_number(communication, "lanes_left_async"), parked = client_number(communication, "parked");
        uint64_t indeterminate = client_number(communication, "indeterminate");
        if (migration.size)
                printf("    %.*s\n", BYTES_PRINT(migration));
        if (left)
                printf("    %llu lanes are still async: each follows when its backlog is delivered\n", (unsigned long long)left);
        if (client_truth(communication, "provider_fails"))
                printf("    %.*s fails for all lanes (last status %llu, 0: no answer): delivery waits and tries again\n",
                       BYTES_PRINT(client_text(communication, "to")), (unsigned long long)client_number(communication, "last_failure"));
        if (client_truth(communication, "paused"))
                puts("    deliveries are paused");
        if (parked || indeterminate)
                printf("    %llu parked, %llu indeterminate: commute parked list %.*s\n", (unsigned long long)parked,
                       (unsigned long long)indeterminate, BYTES_PRINT(name));
        if (client_number(communication, "steps_back"))
                puts("    the log failed, or did not keep up with calls with records: they went on without; evidence of before is void");
}

static void print_line(const struct json *communication, double rate, const struct figures *figures) {
        struct buffer CLEANUP(buffer_free) between = {0};
        buffer_print(&between, "%.*s -> %.*s", BYTES_PRINT(client_text(communication, "from")),
                     BYTES_PRINT(client_text(communication, "to")));
        printf("%-12.*s %-10.*s %-20.*s %-9.*s %9.0f %7llu %8.2f %8.2f %8llu %6llu\n", BYTES_PRINT(client_text(communication, "name")),
               BYTES_PRINT(client_text(communication, "kind")), BYTES_PRINT(buffer_bytes(&between)),
               BYTES_PRINT(client_text(communication, "mode")), rate, (unsigned long long)figures->failed,
               quantile_ms(figures, 0.5), quantile_ms(figures, 0.99),
               (unsigned long long)(client_number(communication, "waiting") + client_number(communication, "in_flight")),
               (unsigned long long)client_number(communication, "parked"));
        print_waits(communication);
}

// before: the answer of `seconds` ago; NULL: totals since the process started.
static void print_table(const struct json *answer, const struct json *before, double seconds) {
        const struct json *list = json_get_text(answer, "communications"), *old = json_get_text(before, "communications");
        const struct json *log = json_get_text(answer, "log"), *views = json_get_text(answer, "views");
        printf("%-12s %-10s %-20s %-9s %9s %7s %8s %8s %8s %6s\n", "NAME", "KIND", "FROM -> TO", "MODE", before ? "CALLS/S" : "CALLS",
               "FAILED", "P50 ms", "P99 ms", "WAITING", "PARKED");
        size_t index = 0;
        JSON_FOR_EACH(communication, list) {
                struct figures now, then;
                figures_of(communication, &now);
                const struct json *same = json_is(old, JSON_ARRAY) ? json_at(old, index) : NULL;
                if (same) {
                        figures_of(same, &then);
                        subtract(&now, &then);
                }
                print_line(communication, before ? (double)now.requests / seconds : (double)now.requests, &now);
                index++;
        }
        printf("log: position %llu, %llu commits, p99 %.2f ms%s; views: %llu behind\n",
               (unsigned long long)client_number(log, "position"), (unsigned long long)client_number(log, "commits"),
               (double)client_number(log, "commit_p99_us") / 1000, client_truth(log, "broken") ? ", BROKEN" : "",
               (unsigned long long)client_number(views, "lag"));
        if (!client_truth(answer, "ready"))
                printf("not ready: %.*s\n", BYTES_PRINT(client_text(answer, "not_ready")));
        const struct json *faults = json_get_text(answer, "faults");
        if (json_is(faults, JSON_ARRAY))
                JSON_FOR_EACH(fault, faults)
                        printf("FAULT of the ledger: %llu of kind %.*s, first at position %llu: %.*s\n",
                               (unsigned long long)client_number(fault, "count"), BYTES_PRINT(client_text(fault, "kind")),
                               (unsigned long long)client_number(fault, "first_position"), BYTES_PRINT(client_text(fault, "first")));
}

static void print_once(const struct json *answer) {
        if (json_is(json_get_text(answer, "communications"), JSON_ARRAY)) {
                print_table(answer, NULL, 0);
                return;
        }
        struct buffer CLEANUP(buffer_free) text = {0};
        json_write_pretty(&text, answer);
        cli_print(buffer_bytes(&text));
}

// ---- --watch ----

static void sleep_ms(long milliseconds) {
        struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        nanosleep(&pause, NULL);                // woken early it draws early
}

static void show(const struct cli_options *options, const struct json *answer, const struct json *before, double seconds) {
        struct buffer CLEANUP(buffer_free) text = {0};
        if (options->given[CLI_JSON]) {
                json_write(&text, answer);
                cli_print(buffer_bytes(&text));
        } else {
                fputs(isatty(STDOUT_FILENO) ? "\033[H\033[J" : "\n", stdout);
                if (json_is(json_get_text(answer, "communications"), JSON_ARRAY))
                        print_table(answer, before, seconds);
                else
                        print_once(answer);
        }
        fflush(stdout);
}

// Until a signal, or the control API is gone, or nobody reads any more.
static int watch(const struct cli_options *options, const char *target) {
        struct control CLEANUP(control_closep) *control = NULL;
        struct arena CLEANUP(arena_free) one = {0}, other = {0};
        struct arena *now = &one, *then = &other;
        const struct json *answer, *before = NULL;
        struct error error;
        if (!control_open(options, &control, &error))
                return cli_fail(options, &error);
        for (double at = 0; ; ) {
                arena_reset(now);
                if (!control_call(control, "GET", target, (struct bytes){0}, now, &answer, &error))
                        return cli_fail(options, &error);
                double uptime = (double)client_number(answer, "uptime_ms") / 1000;
                if (uptime <= at)
                        before = NULL;          // it was started again
                show(options, answer, before, uptime - at);
                if (ferror(stdout))
                        return 0;
                at = uptime;
                before = answer;
                struct arena *swapped = now;
                now = then;
                then = swapped;
                sleep_ms(INTERVAL_MS);
        }
}

int cli_status(const struct cli_options *options) {
        struct arena CLEANUP(arena_free) arena = {0};
        if (options->argument_count && !client_is_name(options->arguments[0]))
                return client_refuse_name(options, "a communication", options->arguments[0]);
        const char *name = options->argument_count ? options->arguments[0] : NULL;
        const char *target = name ? arena_print(&arena, "/status/%s", name) : options->given[CLI_JSON] ? "/status" : "/status?latency=1";
        return options->given[CLI_WATCH] ? watch(options, target)
                                         : client_call(options, "GET", target, (struct bytes){0}, print_once);
}
