// SPDX-License-Identifier: Apache-2.0
// The load: candidates complete tasks, managers register, change and leave, ratings change, cards are viewed. Requests start
// at a fixed rate (the n-th at n / rate; a late one at once), each on one of a fixed number of threads with its own connections.
// SIGTERM: what is in flight is finished, completions without a yes are repeated, the figures of the run are printed.
// Exit code: 0, or 1 when a completion is left without a yes.
#include "load/load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/arguments.h"
#include "common/clock.h"
#include "common/memory.h"

#define THREADS_LIMIT 512

struct pace {
        struct load *load;
        atomic_llong next;
        int64_t began_us;
        atomic_int working;
};

// Of 100 requests; what is not listed is a view.
static const struct { enum act act; unsigned percent; } mixture[] = {
        { ACT_COMPLETE, 64 }, { ACT_RATE, 12 }, { ACT_CHANGE_MANAGER, 6 }, { ACT_REGISTER_MANAGER, 2 },
        { ACT_DELETE_MANAGER, 1 }, { ACT_REGISTER_TASK, 1 }, { ACT_CHANGE_TASK, 2 },
};

static uint64_t dice_of(int64_t seed, int64_t number)
{
        uint64_t x = (uint64_t)seed * 0x9e3779b97f4a7c15U + (uint64_t)number * 0xd1342543de82ef95U;
        x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93U;
        x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93U;
        return x ^ (x >> 32);
}

static enum act act_of(uint64_t dice)
{
        unsigned drawn = (unsigned)(dice % 100);
        for (size_t i = 0; i < sizeof(mixture) / sizeof(mixture[0]); i++) {
                if (drawn < mixture[i].percent)
                        return mixture[i].act;
                drawn -= mixture[i].percent;
        }
        return ACT_VIEW;
}

static void *work(void *context)
{
        struct pace *pace = context;
        const struct options *options = &pace->load->options;
        while (!atomic_load(&pace->load->stopping)) {
                int64_t number = atomic_fetch_add(&pace->next, 1);
                if (options->count && number >= options->count)
                        break;
                int64_t due = options->rate ? pace->began_us + number * 1000000 / options->rate : ticks_us();
                if (options->seconds && due >= pace->began_us + options->seconds * 1000000)
                        break;
                sleep_us(due - ticks_us());
                if (options->seconds && ticks_us() >= pace->began_us + options->seconds * 1000000)
                        break;
                uint64_t dice = dice_of(options->seed, number);
                world_act(pace->load, act_of(dice), dice / 100);
        }
        atomic_fetch_sub(&pace->working, 1);
        return NULL;
}

static void *wait_for_signal(void *context)
{
        struct load *load = context;
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        int which;
        sigwait(&signals, &which);
        atomic_store(&load->stopping, true);
        return NULL;
}

static void run(struct load *load)
{
        struct pace pace = { .load = load, .began_us = ticks_us() };
        pthread_t threads[THREADS_LIMIT];
        atomic_store(&pace.working, (int)load->options.connections);
        for (int64_t i = 0; i < load->options.connections; i++)
                if (pthread_create(&threads[i], NULL, work, &pace) != 0)
                        die("cannot start a thread");
        int64_t printed = ticks_us();
        while (atomic_load(&pace.working) > 0) {
                sleep_us(20000);
                if (ticks_us() - printed < 1000000)
                        continue;
                printed += 1000000;
                stats_print(load->stats, load->options.json, false);
        }
        for (int64_t i = 0; i < load->options.connections; i++)
                pthread_join(threads[i], NULL);
}

static void parse(int argc, char **argv, struct options *options)
{
        const struct argument arguments[] = {
                NEEDED_OPTION("staff-url", &options->staff_url, "writes of managers: staff, or a gateway before it"),
                NEEDED_OPTION("tasks-url", &options->tasks_url, "completions"),
                TEXT_OPTION("tasks-writes-url", &options->tasks_writes_url, "tasks and ratings, if not --tasks-url"),
                NEEDED_OPTION("portal-url", &options->portal_url, "views of cards"),
                NEEDED_OPTION("log", &options->log, "where to append what was told, for the auditor"),
                INTEGER_OPTION("seed", &options->seed, 0, INT32_MAX, "of what is drawn"),
                INTEGER_OPTION("rate", &options->rate, 0, 1000000, "requests a second; 0: as fast as they are answered"),
                INTEGER_OPTION("seconds", &options->seconds, 0, 86400, "how long; 0: until --count or SIGTERM"),
                INTEGER_OPTION("count", &options->count, 0, INT64_MAX, "how many requests; 0: until --seconds or SIGTERM"),
                INTEGER_OPTION("connections", &options->connections, 1, THREADS_LIMIT, "requests at a time"),
                INTEGER_OPTION("managers", &options->managers, 1, 10000, "registered first"),
                INTEGER_OPTION("tasks", &options->tasks, 1, 10000, "registered first"),
                INTEGER_OPTION("timeout-ms", &options->timeout_ms, 1, 600000, "of one request"),
                INTEGER_OPTION("settle-seconds", &options->settle_seconds, 0, 600, "how long to repeat at the end"),
                FLAG_OPTION("json", &options->json, "figures as one JSON object a line"),
                { 0 },
        };
        arguments_parse(argc, argv, "keeps the hiring platform busy, and keeps what it was told", arguments);
        if (!options->tasks_writes_url)
                options->tasks_writes_url = options->tasks_url;
        client_check_url("staff-url", options->staff_url);
        client_check_url("tasks-url", options->tasks_url);
        client_check_url("tasks-writes-url", options->tasks_writes_url);
        client_check_url("portal-url", options->portal_url);
}

int main(int argc, char **argv)
{
        struct load load = { .options = { .seed = 1, .rate = 500, .connections = 16, .managers = 40, .tasks = 200,
                                          .timeout_ms = 30000, .settle_seconds = 20 } };
        parse(argc, argv, &load.options);
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        pthread_t waiter;
        if (pthread_create(&waiter, NULL, wait_for_signal, &load) != 0)
                die("cannot start a thread");
        pthread_detach(waiter);
        load.log = log_open(load.options.log);
        load.world = world_open();
        load.stats = stats_open();
        if (!world_prepare(&load))
                die("the managers and tasks could not be registered");
        free(load.stats);
        load.stats = stats_open();
        run(&load);
        int64_t left = world_repeat_failed(&load, load.options.settle_seconds);
        stats_print(load.stats, load.options.json, true);
        log_close(load.log);
        world_close(load.world);
        free(load.stats);
        if (left)
                fprintf(stderr, "hiring-load: %lld completions are left without a yes\n", (long long)left);
        return left ? 1 : 0;
}
