// SPDX-License-Identifier: Apache-2.0
// What the load knows of the platform, and its acts. Completions of one task are made one after another (so that their order
// means something), and so are the writes of one manager and the changes of one rating: each of them is `busy` meanwhile. A
// completion without a yes is repeated, same task and candidate, the next time its task is drawn, and at the end.
// Memory: rows are only added, to arrays of a fixed limit. Threads: everything is under `lock`, which no call is made under.
#include "load/load.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/memory.h"

#define ROWS_LIMIT 100000
#define DRAWS 16                     // how often a busy row is drawn again before the act is given up

struct task {
        int64_t id;
        bool completing, rating, changing;   // busy
        int64_t candidate;                   // asked for, without a yes; 0: none
};

struct manager {
        int64_t id;
        bool busy, deleted, fixed;           // fixed: of the preparation, never deleted
};

struct world {
        pthread_mutex_t lock;
        struct task *tasks;
        struct manager *managers;
        uint64_t task_count, manager_count;
        atomic_llong candidates, names;
};

// What stands before "Exercise n" in a title. The last is allowed by tasks, and has no area that could be told from its title.
static const char *const areas[] = {
        "[Go] ", "[C [11]] ", "[SQL] ", "[\xD0\xA1\xD0\xB5\xD1\x82\xD0\xB8] ", "[\xE7\xAE\x97\xE6\xB3\x95] ", "[Testing] [Draft] ",
        "[ Linux ]  ", "[Security [old] ",
};

struct world *world_open(void)
{
        struct world *world = must_allocate(sizeof(*world));
        world->tasks = must_allocate(ROWS_LIMIT * sizeof(*world->tasks));
        world->managers = must_allocate(ROWS_LIMIT * sizeof(*world->managers));
        pthread_mutex_init(&world->lock, NULL);
        return world;
}

void world_close(struct world *world)
{
        free(world->tasks);
        free(world->managers);
        free(world);
}

// One request, timed and counted; the caller logs and frees the reply. A card that is not there yet is a good answer, too.
static bool ask(struct load *load, enum act act, const char *method, const char *base, const char *path, const char *body,
                struct reply *reply, int64_t *ret_sent_us)
{
        struct call call = { .method = method, .base = base, .path = path, .body = body, .timeout_ms = load->options.timeout_ms };
        int64_t began = ticks_us();
        *ret_sent_us = now_us();
        bool answered = client_call(&call, reply) == CALL_ANSWERED;
        bool good = answered && ((reply->status >= 200 && reply->status < 300) || (act == ACT_VIEW && reply->status == 404));
        stats_add(load->stats, act, good, ticks_us() - began);
        return good;
}

static int64_t integer_of(const struct reply *reply, const char *name)
{
        json_t *body = json_loadb(reply->body ? reply->body : "", reply->body_size, 0, NULL);
        int64_t value = json_integer_value(json_object_get(body, name));
        json_decref(body);
        return value;
}

static void complete(struct load *load, struct task *task)
{
        struct world *world = load->world;
        int64_t candidate = task->candidate ? task->candidate : atomic_fetch_add(&world->candidates, 1) + 1, sent;
        FREED char *body = must_print("{\"task_id\":%lld,\"candidate_id\":%lld}", (long long)task->id, (long long)candidate);
        struct reply reply;
        bool good = ask(load, ACT_COMPLETE, "POST", load->options.tasks_url, "/completions", body, &reply, &sent);
        log_told(load->log, "completion", sent, &reply, "\"task_id\":%lld,\"candidate_id\":%lld", (long long)task->id,
                 (long long)candidate);
        reply_free(&reply);
        pthread_mutex_lock(&world->lock);
        task->candidate = good ? 0 : candidate;
        task->completing = false;
        pthread_mutex_unlock(&world->lock);
}

static void rate(struct load *load, struct task *task, uint64_t dice)
{
        struct world *world = load->world;
        char path[64], body[64];
        snprintf(path, sizeof(path), "/tasks/%lld/rating", (long long)task->id);
        int rating = (int)(dice % 101);
        snprintf(body, sizeof(body), "{\"rating\":%d}", rating);
        struct reply reply;
        int64_t sent;
        bool good = ask(load, ACT_RATE, "PUT", load->options.tasks_writes_url, path, body, &reply, &sent);
        log_told(load->log, "rating", sent, &reply, "\"task_id\":%lld,\"rating\":%d,\"rating_version\":%lld", (long long)task->id,
                 rating, good ? (long long)integer_of(&reply, "rating_version") : 0LL);
        reply_free(&reply);
        pthread_mutex_lock(&world->lock);
        task->rating = false;
        pthread_mutex_unlock(&world->lock);
}

// Writes a manager: POST (id 0), PUT or DELETE. Returns the manager's id, 0 when that is not known.
static int64_t write_manager(struct load *load, enum act act, int64_t id)
{
        const char *verb = act == ACT_REGISTER_MANAGER ? "POST" : act == ACT_CHANGE_MANAGER ? "PUT" : "DELETE";
        long long number = atomic_fetch_add(&load->world->names, 1);
        FREED char *path = id ? must_print("/managers/%lld", (long long)id) : must_print("/managers");
        FREED char *body = must_print("{\"name\":\"Name %lld\",\"surname\":\"Surname %lld\","
                                      "\"work_email\":\"m%lld@hiring.example\",\"staff_login\":\"login%lld\"}",
                                      number, number, number, number);
        struct reply reply;
        int64_t sent;
        bool good = ask(load, act, verb, load->options.staff_url, path, act == ACT_DELETE_MANAGER ? NULL : body, &reply, &sent);
        if (good && act == ACT_REGISTER_MANAGER)
                id = integer_of(&reply, "manager_id");
        log_told(load->log, "manager", sent, &reply, "\"verb\":\"%s\",\"manager_id\":%lld,\"told\":%s", verb, (long long)id,
                 good && reply.body_size > 0 ? reply.body : "null");
        reply_free(&reply);
        return id;
}

static bool register_manager(struct load *load, bool fixed)
{
        struct world *world = load->world;
        int64_t id = write_manager(load, ACT_REGISTER_MANAGER, 0);
        pthread_mutex_lock(&world->lock);
        if (id && world->manager_count < ROWS_LIMIT)
                world->managers[world->manager_count++] = (struct manager){ .id = id, .fixed = fixed };
        pthread_mutex_unlock(&world->lock);
        return id;
}

static void print_title(char title[64], uint64_t dice)
{
        snprintf(title, 64, "%sExercise %llu", areas[dice % 8], (unsigned long long)(dice / 8 % 100000));
}

static void told_task(struct load *load, int64_t sent, const struct reply *reply, int64_t id, const char *title)
{
        log_told(load->log, "task", sent, reply, "\"task_id\":%lld,\"title\":\"%s\"", (long long)id, title);
}

static bool register_task(struct load *load, int64_t manager_id, uint64_t dice)
{
        struct world *world = load->world;
        char title[64], body[128];
        print_title(title, dice);
        snprintf(body, sizeof(body), "{\"title\":\"%s\",\"manager_id\":%lld}", title, (long long)manager_id);
        struct reply reply;
        int64_t sent;
        bool good = ask(load, ACT_REGISTER_TASK, "POST", load->options.tasks_writes_url, "/tasks", body, &reply, &sent);
        int64_t id = good ? integer_of(&reply, "task_id") : 0;
        told_task(load, sent, &reply, id, title);
        reply_free(&reply);
        pthread_mutex_lock(&world->lock);
        if (id && world->task_count < ROWS_LIMIT)
                world->tasks[world->task_count++] = (struct task){ .id = id };
        pthread_mutex_unlock(&world->lock);
        return id;
}

static void change_task(struct load *load, struct task *task, uint64_t dice)
{
        char path[64], title[64], body[128];
        print_title(title, dice);
        snprintf(path, sizeof(path), "/tasks/%lld", (long long)task->id);
        snprintf(body, sizeof(body), "{\"title\":\"%s\"}", title);
        struct reply reply;
        int64_t sent;
        ask(load, ACT_CHANGE_TASK, "PUT", load->options.tasks_writes_url, path, body, &reply, &sent);
        told_task(load, sent, &reply, task->id, title);
        reply_free(&reply);
        pthread_mutex_lock(&load->world->lock);
        task->changing = false;
        pthread_mutex_unlock(&load->world->lock);
}

static void view(struct load *load, int64_t task_id)
{
        char path[64];
        snprintf(path, sizeof(path), "/tasks/%lld/card", (long long)task_id);
        struct reply reply;
        int64_t sent;
        ask(load, ACT_VIEW, "GET", load->options.portal_url, path, NULL, &reply, &sent);
        log_told(load->log, "view", sent, &reply, "\"task_id\":%lld", (long long)task_id);
        reply_free(&reply);
}

static uint64_t mix(uint64_t x)
{
        x += 0x9e3779b97f4a7c15U;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
        return x ^ (x >> 31);
}

static struct task *draw_task(struct world *world, enum act act, uint64_t dice)
{
        struct task *drawn = NULL;
        pthread_mutex_lock(&world->lock);
        for (int i = 0; i < DRAWS && !drawn; i++) {
                struct task *task = &world->tasks[mix(dice + (uint64_t)i) % world->task_count];
                bool *busy = act == ACT_COMPLETE ? &task->completing : act == ACT_RATE ? &task->rating : &task->changing;
                if (act != ACT_VIEW && *busy)
                        continue;
                if (act != ACT_VIEW)
                        *busy = true;
                drawn = task;
        }
        pthread_mutex_unlock(&world->lock);
        return drawn;
}

static struct manager *draw_manager(struct world *world, bool to_delete, uint64_t dice)
{
        struct manager *drawn = NULL;
        pthread_mutex_lock(&world->lock);
        for (int i = 0; i < DRAWS && !drawn; i++) {
                struct manager *manager = &world->managers[mix(dice + (uint64_t)i) % world->manager_count];
                if (manager->busy || manager->deleted || (to_delete && manager->fixed))
                        continue;
                manager->busy = true;
                drawn = manager;
        }
        pthread_mutex_unlock(&world->lock);
        return drawn;
}

static void act_on_manager(struct load *load, enum act act, uint64_t dice)
{
        struct manager *manager = draw_manager(load->world, act == ACT_DELETE_MANAGER, dice);
        if (!manager)
                return;
        if (act == ACT_REGISTER_TASK)
                register_task(load, manager->id, mix(dice));
        else
                write_manager(load, act, manager->id);
        pthread_mutex_lock(&load->world->lock);
        manager->busy = false;
        manager->deleted = act == ACT_DELETE_MANAGER;
        pthread_mutex_unlock(&load->world->lock);
}

void world_act(struct load *load, enum act act, uint64_t dice)
{
        if (act == ACT_REGISTER_MANAGER) {
                register_manager(load, false);
                return;
        }
        if (act == ACT_CHANGE_MANAGER || act == ACT_DELETE_MANAGER || act == ACT_REGISTER_TASK) {
                act_on_manager(load, act, dice);
                return;
        }
        struct task *task = draw_task(load->world, act, dice);
        if (!task)
                return;
        if (act == ACT_COMPLETE)
                complete(load, task);
        else if (act == ACT_RATE)
                rate(load, task, mix(dice));
        else if (act == ACT_CHANGE_TASK)
                change_task(load, task, mix(dice));
        else
                view(load, task->id);
}

bool world_prepare(struct load *load)
{
        for (int64_t i = 0; i < load->options.managers; i++)
                if (!register_manager(load, true))
                        return false;
        for (int64_t i = 0; i < load->options.tasks; i++) {
                uint64_t dice = mix((uint64_t)(load->options.seed * 1000003 + i));
                if (!register_task(load, load->world->managers[dice % load->world->manager_count].id, dice / 1024))
                        return false;
        }
        return true;
}

int64_t world_repeat_failed(struct load *load, int64_t seconds)
{
        int64_t deadline = ticks_us() + seconds * 1000000, left;
        do {
                left = 0;
                for (uint64_t i = 0; i < load->world->task_count; i++) {
                        if (load->world->tasks[i].candidate && ticks_us() < deadline)
                                complete(load, &load->world->tasks[i]);
                        left += load->world->tasks[i].candidate != 0;
                }
                if (left)
                        sleep_us(100000);
        } while (left && ticks_us() < deadline);
        return left;
}
