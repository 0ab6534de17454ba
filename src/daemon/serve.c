// SPDX-License-Identifier: Apache-2.0
// `commute serve`: the command line, the order in which everything starts and ends, and signals, which only the main thread takes.
//
// Ending, after SIGTERM or SIGINT: /readyz says no; the data plane takes no new connection and ends what is under way; the control
// thread's servers drain and migrations stop where they are; deliveries are begun no more, and those at a provider and the
// records on their way to the log are waited for. All of it has DRAIN_NS; then, or at a second signal, the process ends at once,
// as in a power cut, which loses nothing either: what was under way becomes indeterminate.
//
// SIGHUP with another configuration that may follow (reload.c) ends in the same way, the control thread's servers first, and the
// process begins anew on the same listening sockets; at the latest when DRAIN_NS have passed.
#include "daemon/serve.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon_priv.h"
#include "gateway/sampler.h"
#include "os/notify.h"

#define DRAIN_NS SECONDS(10)
enum { EXIT_USAGE = 64, EXIT_CUT_SHORT = 75 };

// ---- command line ----

struct settings {
        const char *config;
        struct say say;
        bool help;
};

static bool read_options(int argc, char **argv, struct settings *settings) {
        static const struct option options[] = {
                {"config", required_argument, NULL, 'c'}, {"log-level", required_argument, NULL, 'l'},
                {"log-format", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0},
        };
        *settings = (struct settings){.config = "commute.yaml", .say.least = SAY_INFO};
        optind = 1;
        for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1; ) {
                if (option == 'c') {
                        settings->config = optarg;
                } else if (option == 'l') {
                        if (!say_level_of(bytes_of(optarg), &settings->say.least)) {
                                fprintf(stderr, "commute serve: --log-level %s: expected debug, info, warn or error\n", optarg);
                                return false;
                        }
                } else if (option == 'f') {
                        settings->say.json = strcmp(optarg, "json") == 0;
                        if (!settings->say.json && strcmp(optarg, "text") != 0) {
                                fprintf(stderr, "commute serve: --log-format %s: expected text or json\n", optarg);
                                return false;
                        }
                } else {
                        fputs("See commute serve --help.\n", stderr);
                        return false;
                }
        }
        if (optind < argc)
                fprintf(stderr, "commute serve: one argument too many: %s\nSee commute serve --help.\n", argv[optind]);
        return optind == argc;
}

// All that is wrong in the configuration, FILE:LINE:COLUMN in front, as `commute check` prints it.
static int config_refused(const char *path, const struct model_problems *problems, const struct error *error) {
        if (problems->count == 0)
                fprintf(stderr, "commute: %s\n", error->text);
        for (size_t i = 0; i < problems->count; i++) {
                const struct model_problem *problem = &problems->list[i];
                fprintf(stderr, "%s:%u:%u: %s%s%s\n", path, problem->line, problem->column, problem->place,
                        *problem->place ? ": " : "", problem->sentence);
        }
        if (problems->omitted > 0)
                fprintf(stderr, "commute: and %zu more\n", problems->omitted);
        return error_exit_status(error->code);
}

// ---- start ----

static void fatal(void *user, const struct error *error) {
        say_error(&((struct daemon *)user)->say, SAY_ERROR, "fatal", error);
        _exit(error_exit_status(ERROR_UNAVAILABLE));
}

static bool open_gateway(struct daemon *daemon, struct error *error) {
        const struct model_settings *settings = &daemon->model->settings;
        if (!plane_new(&daemon->plane, settings->threads, error))
                return false;
        for (size_t i = 0; !daemon->sampler && i < daemon->model->event_count; i++)
                if (daemon->model->events[i].version_count > 1)
                        daemon->sampler = sampler_new(daemon->model->communication_count);
        struct gateway_options options = {
                .sampler = daemon->sampler,
                .model = daemon->model, .pseudonyms = &daemon->template_pseudonyms, .log = daemon->log,
                .registry = daemon->registry, .state_path = daemon->state_path,
                .loops = daemon->plane.loops, .loop_count = daemon->plane.count, .hash_key = daemon->keys.hash,
                .config_number = daemon->config_number, .views = daemon->views, .recognised_before = daemon->recognised_before,
                .fatal = fatal, .user = daemon,
        };
        struct http_server_options server = {
                .limits = http_limits_default(), .max_body = settings->max_body,
                .max_connections = (unsigned)settings->max_connections,
        };
        server.limits.max_head = settings->max_head;
        if (!gateway_new(&options, &daemon->gateway, error))
                return false;
        daemon->telling = true;
        contracts_tell(daemon);
        gateway_start(daemon->gateway);
        return plane_listen(&daemon->plane, settings->gateway, &server, &daemon->inherited, gateway_handle, daemon->gateway, error);
}

static bool start(struct daemon *daemon, struct error *error) {
        return daemon_recover(daemon, error) && contracts_register(daemon, error) && daemon_catch_up(daemon, error) &&
               open_gateway(daemon, error) && daemon_control_open(daemon, error) && views_start(daemon->views, error) &&
               plane_start(&daemon->plane, error) && daemon_control_start(daemon, error);
}

static void say_ready(struct daemon *daemon) {
        api_ready_set(daemon->api, true, "ready");
        SAY(&daemon->say, INFO, "ready", {"gateway", daemon->plane.address}, {"registry", daemon->control.registry_address},
            {"control", daemon->control.api_address}, {"data", daemon->model->settings.data},
            {"threads", SAY_NUMBER(daemon->plane.count)}, {"communications", SAY_NUMBER(daemon->model->communication_count)});
        struct error error;
        if (!notify_supervisor("READY=1", &error))
                say_error(&daemon->say, SAY_WARN, "notify", &error);
}

// ---- signals and ending ----

enum awaited { AWAITED_EVENT, AWAITED_SIGNAL, AWAITED_NOTHING };

// until_ns: monotonic; 0: for ever.
static enum awaited await(struct daemon *daemon, int signals, uint64_t until_ns, uint32_t *ret_signal) {
        for (;;) {
                struct pollfd polled[] = {{.fd = signals, .events = POLLIN}, {.fd = daemon->events, .events = POLLIN}};
                uint64_t now = clock_monotonic_ns(clock_real());
                if (until_ns && now >= until_ns)
                        return AWAITED_NOTHING;
                int ready = poll(polled, ARRAY_SIZE(polled), until_ns ? (int)((until_ns - now) / 1000000 + 1) : -1);
                struct signalfd_siginfo info;
                uint64_t count;
                if (ready > 0 && polled[0].revents && read(signals, &info, sizeof info) == sizeof info) {
                        *ret_signal = info.ssi_signo;
                        return AWAITED_SIGNAL;
                }
                if (ready > 0 && polled[1].revents && read(daemon->events, &count, sizeof count) == sizeof count)
                        return AWAITED_EVENT;
        }
}

// An event within the time, a signal that ends the process, or nothing.
static enum awaited await_event(struct daemon *daemon, int signals, uint64_t until_ns) {
        uint32_t number;
        enum awaited awaited;
        while ((awaited = await(daemon, signals, until_ns, &number)) == AWAITED_SIGNAL && number == SIGHUP)
                SAY(&daemon->say, WARN, "reload-refused", {"message", "SIGHUP: commute is ending"});
        return awaited;
}

static void drained(void *user) {
        struct daemon *daemon = user;
        uint64_t one = 1;
        ssize_t written = write(daemon->events, &one, sizeof one);
        ASSERT(written == sizeof one);
}

static void look_at_rest(struct loop_timer *timer) {
        struct daemon *daemon = CONTAINER_OF(timer, struct daemon, rest_timer);
        struct loop *owner = daemon->plane.loops[0];
        if (gateway_busy(daemon->gateway))
                loop_timer_set(owner, timer, loop_now_ns(owner) + MILLISECONDS(2));
        else
                drained(daemon);
}

static void stop_gateway(struct loop_task *task) {
        struct daemon *daemon = CONTAINER_OF(task, struct daemon, stop_task);
        gateway_stop(daemon->gateway);
        daemon->rest_timer.fire = look_at_rest;
        look_at_rest(&daemon->rest_timer);
}

static void drain_plane(struct daemon *daemon) {
        plane_drain(&daemon->plane, DRAIN_NS, daemon->handing_over, drained, daemon);
}

static void drain_nothing(struct daemon *daemon) {
        (void)daemon;                                           // the control thread drains already
}

static void drain_gateway(struct daemon *daemon) {
        daemon->stop_task.run = stop_gateway;
        loop_post(daemon->plane.loops[0], &daemon->stop_task);
}

// AWAITED_EVENT: everything has ended; else it was cut short. Threads still run in both cases.
static enum awaited end(struct daemon *daemon, int signals) {
        typedef void drain(struct daemon *daemon);
        drain *const ending[] = {drain_plane, daemon_control_drain, drain_gateway};
        drain *const reloading[] = {drain_nothing, drain_plane, drain_gateway};
        drain *const *steps = daemon->handing_over ? reloading : ending;
        uint64_t until = clock_monotonic_ns(clock_real()) + DRAIN_NS;
        enum awaited awaited = AWAITED_EVENT;
        if (!daemon->handing_over)
                IGNORE(notify_supervisor("STOPPING=1", NULL));  // nothing depends on it
        api_ready_set(daemon->api, false, daemon->handing_over ? "reloading" : "ending");
        SAY(&daemon->say, INFO, "ending", {"seconds", SAY_NUMBER(DRAIN_NS / SECONDS(1))});
        for (size_t i = 0; i < ARRAY_SIZE(ending) && awaited == AWAITED_EVENT; i++) {
                steps[i](daemon);
                awaited = await_event(daemon, signals, until);
        }
        if (awaited != AWAITED_EVENT)
                SAY(&daemon->say, WARN, "cut-short", {"message", "not everything under way had ended; nothing accepted is lost"});
        return awaited;
}

// What was opened, in the opposite order; fine with a start that failed anywhere.
static void close_all(struct daemon *daemon) {
        daemon_stop_telling(daemon);
        erasing_close(daemon);
        plane_stop(&daemon->plane);
        daemon_control_stop(daemon);
        if (daemon->plane.each)
                plane_servers_free(&daemon->plane);
        daemon_control_close(daemon);
        gateway_free(daemon->gateway);          // before the views: it wakes them
        sampler_free(TAKE(daemon->sampler));
        daemon_recover_undo(daemon);
        plane_free(&daemon->plane);
        loop_free(daemon->control.loop);
}

// A supervisor that asked for it waits for READY, from this process or from what it becomes.
static bool reload(struct daemon *daemon, const char *path, struct listeners *ret_next) {
        char state[64];
        snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
                 (unsigned long long)(clock_monotonic_ns(clock_real()) / 1000));
        IGNORE(notify_supervisor(state, NULL));
        if (reload_begin(daemon, path, ret_next))
                return true;
        IGNORE(notify_supervisor("READY=1", NULL));
        return false;
}

// True: the process is to begin anew; false: to end.
static bool run(struct daemon *daemon, const char *path, int signals, struct listeners *ret_next) {
        uint32_t number = 0;
        for (;;) {
                if (await(daemon, signals, 0, &number) != AWAITED_SIGNAL)
                        continue;
                if (number != SIGHUP)
                        return false;
                if (reload(daemon, path, ret_next))
                        return true;
        }
}

static int serve(struct daemon *daemon, const char *path, int signals, int argc, char **argv) {
        struct error error;
        struct listeners next;
        if (!start(daemon, &error)) {
                say_error(&daemon->say, SAY_ERROR, "refused-to-start", &error);
                close_all(daemon);
                listeners_close(&daemon->inherited);
                return error_exit_status(error.code);
        }
        listeners_close(&daemon->inherited);
        say_ready(daemon);
        bool anew = run(daemon, path, signals, &next);
        enum awaited ended = end(daemon, signals);
        if (ended != AWAITED_EVENT && (!anew || ended == AWAITED_SIGNAL))
                _exit(EXIT_CUT_SHORT);
        if (ended == AWAITED_EVENT)
                close_all(daemon);
        if (anew) {                             // (cut short: as a kill -9, and the threads end with this program)
                reload_execute(daemon, &next, argc, argv);
                _exit(error_exit_status(ERROR_UNAVAILABLE));
        }
        SAY(&daemon->say, INFO, "ended");
        return 0;
}

int daemon_serve(int argc, char **argv) {
        struct settings settings;
        struct model_problems CLEANUP(model_problems_free) problems = {0};
        const struct model CLEANUP(model_unrefp) *model = NULL;
        struct error error;
        if (!read_options(argc, argv, &settings))
                return EXIT_USAGE;
        if (!model_load(settings.config, &model, &problems, &error))
                return config_refused(settings.config, &problems, &error);
        umask(0077);                            // what is in the data folder is for its owner
        sigset_t handled;
        sigemptyset(&handled);
        sigaddset(&handled, SIGTERM);
        sigaddset(&handled, SIGINT);
        sigaddset(&handled, SIGHUP);
        sigaddset(&handled, SIGPIPE);           // blocked, and never read from the descriptor
        pthread_sigmask(SIG_BLOCK, &handled, NULL);
        sigdelset(&handled, SIGPIPE);
        int signals = signalfd(-1, &handled, SFD_CLOEXEC);
        struct daemon daemon = {.say = settings.say, .model = model, .lock = -1, .events = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};
        listeners_inherit(&daemon.inherited);
        pthread_mutex_init(&daemon.telling_mutex, NULL);
        int status = error_exit_status(ERROR_UNAVAILABLE);
        if (signals >= 0 && daemon.events >= 0)
                status = serve(&daemon, settings.config, signals, argc, argv);
        else
                SAY(&daemon.say, ERROR, "refused-to-start", {"message", strerror(errno)});
        close(signals);
        close(daemon.events);
        return status;
}
