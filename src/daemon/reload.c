// SPDX-License-Identifier: Apache-2.0
// SIGHUP. The configuration is read and checked beside the one that runs; whatever a start would refuse is refused here, and nothing
// has changed then. If it may follow, the process drains as for SIGTERM and begins anew, by execve of its own program: what a
// start reads is what a start finds after any other end, and kill -9 on the way is a start as any other. The listening sockets stay
// open; who connects meanwhile waits in their backlog.
//
// What is looked at last, the control thread looks at: it drains from then on, so that nothing can come between.
#include "daemon/daemon_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void refuse(struct daemon *daemon, const struct error *error) {
        SAY(&daemon->say, ERROR, "reload-refused", {"code", error_name(error->code)}, {"message", error->text},
            {"running", daemon->model->hash_text});
}

static void refuse_configuration(struct daemon *daemon, const char *path, const struct model_problems *problems,
                                 const struct error *error) {
        if (problems->count == 0)
                refuse(daemon, error);
        for (size_t i = 0; i < problems->count; i++) {
                const struct model_problem *problem = &problems->list[i];
                char at[PLANE_ADDRESS_SIZE];
                snprintf(at, sizeof at, "%s:%u:%u", path, problem->line, problem->column);
                SAY(&daemon->say, ERROR, "reload-refused", {"at", at}, {"place", problem->place}, {"message", problem->sentence});
        }
        if (problems->omitted > 0)
                SAY(&daemon->say, ERROR, "reload-refused", {"more", SAY_NUMBER(problems->omitted)});
}

static bool same_secret(const char *before, const char *now) {
        return !before == !now && (!before || strcmp(before, now) == 0);
}

// The configuration's hash says all but what secrets are.
static bool is_same(const struct model *a, const struct model *b) {
        if (strcmp(a->hash_text, b->hash_text) != 0)
                return false;
        for (size_t i = 0; i < a->service_count; i++)
                if (!same_secret(a->services[i].bearer, b->services[i].bearer) ||
                    !same_secret(a->services[i].token, b->services[i].token))
                        return false;
        return true;
}

// ---- listeners ----

static bool keep(struct listeners *next, const char *address, const struct http_server *server, struct error *error) {
        int fd;
        for (size_t i = 0; (fd = http_server_listener(server, i)) >= 0; i++) {
                int same = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
                if (same < 0)
                        return error_set(error, ERROR_UNAVAILABLE, "keep %s: %s", address, strerror(errno));
                if (!listeners_add(next, address, same, error))
                        return false;
        }
        return true;
}

static bool wanted(const struct model_settings *settings, const char *address) {
        return strcmp(settings->gateway, address) == 0 || strcmp(settings->registry, address) == 0 ||
               strcmp(settings->control, address) == 0;
}

// Those that go on being configured, as they are, and those that are new: if they can be had now, they will be there.
static bool gather(struct daemon *daemon, const struct model_settings *settings, struct listeners *next, struct error *error) {
        const struct model_settings *now = &daemon->model->settings;
        for (size_t i = 0; wanted(settings, now->gateway) && i < daemon->plane.count; i++)
                if (!keep(next, now->gateway, daemon->plane.each[i].server, error))
                        return false;
        if ((wanted(settings, now->registry) && !keep(next, now->registry, daemon->control.registry, error)) ||
            (wanted(settings, now->control) && !keep(next, now->control, daemon->control.api_server, error)))
                return false;
        const char *const addresses[] = {settings->gateway, settings->registry, settings->control};
        for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
                int fd;
                if (listeners_have(next, addresses[i]))
                        continue;
                if (!http_listener_open(bytes_of(addresses[i]), i == 0 && settings->threads != 1, &fd, error) ||
                    !listeners_add(next, addresses[i], fd, error))
                        return false;
        }
        return true;
}

// ---- the decision ----

static bool check(struct daemon *daemon, const struct model *model, struct listeners *next, struct error *error) {
        if (strcmp(daemon->model->settings.data, model->settings.data) != 0)
                return error_set(error, ERROR_CONFLICT, "data: it is %s, and would be %s: another folder is another log; stop commute "
                                 "and start it with that", daemon->model->settings.data, model->settings.data);
        if (!gather(daemon, &model->settings, next, error))
                return false;
        struct successor successor = {.model = model};
        uint64_t count;
        daemon->handing_over = true;
        daemon_control_allow(daemon, &successor);
        ssize_t got = read(daemon->events, &count, sizeof count);       // the control thread has looked, and writes nothing else
        ASSERT(got == sizeof count);
        *error = successor.error;
        if (!successor.allowed)
                daemon->handing_over = false;
        return successor.allowed;
}

bool reload_begin(struct daemon *daemon, const char *path, struct listeners *ret_next) {
        struct model_problems CLEANUP(model_problems_free) problems = {0};
        const struct model CLEANUP(model_unrefp) *model = NULL;
        struct error error;
        *ret_next = (struct listeners){0};
        if (!model_load(path, &model, &problems, &error)) {
                refuse_configuration(daemon, path, &problems, &error);
                return false;
        }
        if (is_same(daemon->model, model)) {
                SAY(&daemon->say, INFO, "reload-unchanged", {"hash", model->hash_text});
                return false;
        }
        if (check(daemon, model, ret_next, &error)) {
                SAY(&daemon->say, INFO, "reloading", {"running", daemon->model->hash_text}, {"hash", model->hash_text});
                return true;
        }
        listeners_close(ret_next);
        refuse(daemon, &error);
        return false;
}

// ---- the beginning anew ----

void reload_execute(struct daemon *daemon, struct listeners *next, int argc, char **argv) {
        char **arguments = must_calloc((size_t)argc + 2, sizeof *arguments);
        struct error error;
        arguments[0] = program_invocation_name;
        memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
        if (listeners_hand_over(next, &error)) {
                execv("/proc/self/exe", arguments);
                error_set(&error, ERROR_UNAVAILABLE, "execve of /proc/self/exe: %s", strerror(errno));
        }
        say_error(&daemon->say, SAY_ERROR, "reload-failed", &error);
        free(arguments);
}
