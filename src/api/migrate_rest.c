// SPDX-License-Identifier: Apache-2.0
// The control API's routes of migrations. Commands and plans end later; each lives in memory of its own until then.
#include "api/migrate_rest.h"

#include <stdlib.h>

#include "api/api.h"
#include "migrate/migrate.h"
#include "model/model.h"

struct command {
        struct migrate_request request;
        struct api_request *api;
};

struct planning {
        struct migrate_plan plan;
        struct api_request *api;
};

// A communication of this name, else an event that moves between versions. Neither: answered with 404.
struct mover {
        bool found;
        const struct model_communication *communication;
        const struct model_event *event;
};

// NULL: a communication has that name, or nothing has.
static const struct model_event *find_event(const struct api_request *request) {
        const struct model *model = api_options(request->api)->model;
        struct bytes name = request->parameters[0];
        return model_communication_find(model, name) ? NULL : model_event_find(model, name);
}

static struct mover find_mover(struct api_request *request) {
        struct mover mover = {.event = find_event(request)};
        mover.communication = model_communication_find(api_options(request->api)->model, request->parameters[0]);
        mover.found = mover.event || mover.communication;
        if (mover.found)
                return mover;
        struct error error;
        error_set(&error, ERROR_NOT_FOUND, "there is no communication and no event \"%.*s\"",
                  (int)MIN(request->parameters[0].size, (size_t)64), request->parameters[0].data);
        api_fail(request, &error);
        return mover;
}

static bool read_version(struct api_request *request, const struct json *to, struct bytes text, unsigned *ret_version) {
        uint64_t version;
        struct error error;
        if ((to && json_is(to, JSON_NUMBER) ? json_to_u64(to, &version) : bytes_to_u64(text, &version)) && version <= UINT32_MAX) {
                *ret_version = (unsigned)version;
                return true;
        }
        error_set(&error, ERROR_INVALID, "to: expected the number of a version, got \"%.*s\"", BYTES_PRINT(text));
        api_fail(request, &error);
        return false;
}

static bool read_mode(struct api_request *request, const struct model_communication *communication, struct bytes name,
                      enum model_mode *ret_mode) {
        struct error error;
        if (model_mode_of(name, ret_mode))
                return true;
        error_set(&error, ERROR_INVALID, "to: %s is a communication: expected sync, pull, push or async, got \"%.*s\"",
                  communication->name, BYTES_PRINT(name));
        api_fail(request, &error);
        return false;
}

// ---- plan ----

static void planned(struct migrate_plan *plan, const struct error *error) {
        struct planning *planning = CONTAINER_OF(plan, struct planning, plan);
        if (error)
                api_fail(planning->api, error);
        else
                api_answer_bytes(planning->api, 200, "application/json", buffer_bytes(&plan->out));
        buffer_free(&plan->out);
        free(planning);
}

static void answer_plan(struct api_request *request, void *user) {
        struct mover mover = find_mover(request);
        struct bytes to = {0};
        enum model_mode mode = MODEL_SYNC;
        unsigned version = 0;
        if (!mover.found)
                return;
        if (!api_query(request, "to", &to))
                to = (struct bytes){0};
        if (mover.event ? !read_version(request, NULL, to, &version) : !read_mode(request, mover.communication, to, &mode))
                return;
        struct planning *planning = must_calloc(1, sizeof *planning);
        planning->api = request;
        planning->plan = (struct migrate_plan){
                .communication = mover.communication, .event = mover.event, .to = mode, .version = version, .done = planned,
        };
        migrate_plan(user, &planning->plan);
}

// ---- what is seen ----

static void answer_one(struct api_request *request, void *user) {
        struct mover mover = find_mover(request);
        if (mover.event)
                migrate_describe_event(user, mover.event, &request->writer);
        else if (mover.communication)
                migrate_describe(user, mover.communication, &request->writer);
        if (mover.found)
                api_answer(request, 200);
}

static void answer_all(struct api_request *request, void *user) {
        const struct model *model = api_options(request->api)->model;
        json_begin_object(&request->writer);
        json_key(&request->writer, "migrations");
        json_begin_array(&request->writer);
        for (size_t i = 0; i < model->communication_count; i++)
                if (migrate_known(user, &model->communications[i]))
                        migrate_describe(user, &model->communications[i], &request->writer);
        for (size_t i = 0; i < model->event_count; i++)
                if (migrate_event_known(user, &model->events[i]))
                        migrate_describe_event(user, &model->events[i], &request->writer);
        json_end_array(&request->writer);
        json_end_object(&request->writer);
        api_answer(request, 200);
}

static void describe(void *user, const struct model_communication *communication, struct json_writer *writer) {
        char sentence[MIGRATE_SENTENCE_MAX];
        json_key(writer, "migration");
        if (migrate_sentence(user, communication, sentence))
                json_string_text(writer, sentence);
        else
                json_null(writer);
}

// ---- commands ----

static void given(struct migrate_request *request, const struct error *error) {
        struct command *command = CONTAINER_OF(request, struct command, request);
        if (error) {
                api_fail(command->api, error);
        } else {
                if (request->event)
                        migrate_describe_event(request->migrate, request->event, &command->api->writer);
                else
                        migrate_describe(request->migrate, request->communication, &command->api->writer);
                api_answer(command->api, 200);
        }
        free(command);
}

static void give(struct api_request *request, struct migrate *migrate, const struct migrate_request *order) {
        struct command *command = must_calloc(1, sizeof *command);
        *command = (struct command){.request = *order, .api = request};
        command->request.done = given;
        migrate_give(migrate, &command->request);
}

static void begin(struct api_request *request, void *user) {
        const struct json *to = json_get_text(request->body, "to"), *automatic = json_get_text(request->body, "auto");
        struct bytes text = json_is(to, JSON_STRING) ? json_text(to) : (struct bytes){0};
        enum model_mode mode = MODEL_SYNC;
        unsigned version = 0;
        struct mover mover = find_mover(request);
        struct error error;
        if (!mover.found)
                return;
        if (automatic && !json_is(automatic, JSON_BOOL)) {
                error_set(&error, ERROR_INVALID, "auto: expected true or false");
                api_fail(request, &error);
                return;
        }
        if (mover.event ? !read_version(request, to, text, &version) : !read_mode(request, mover.communication, text, &mode))
                return;
        give(request, user, &(struct migrate_request){
                .order = MIGRATE_BEGIN, .communication = mover.communication, .event = mover.event, .to = mode, .version = version,
                .automatic = automatic && json_bool(automatic),
        });
}

static void command(struct api_request *request, void *user, enum migrate_order order) {
        struct mover mover = find_mover(request);
        if (mover.found)
                give(request, user, &(struct migrate_request){
                        .order = order, .communication = mover.communication, .event = mover.event,
                });
}

static void advance(struct api_request *request, void *user) {
        command(request, user, MIGRATE_ADVANCE);
}

static void halt(struct api_request *request, void *user) {
        command(request, user, MIGRATE_PAUSE);
}

static void rollback(struct api_request *request, void *user) {
        command(request, user, MIGRATE_ROLLBACK);
}

static void cancel(struct api_request *request, void *user) {
        command(request, user, MIGRATE_CANCEL);
}

// ---- versions of events ----

// The events that are asked about, one after the other.
struct looking {
        struct api_request *api;
        const struct migrate *migrate;
        struct gateway_command command;
        struct gateway_versions versions;
        size_t at;                              // of model->events
        bool all;
};

static void look_on(struct looking *looking);

static void looked(struct gateway_command *command) {
        struct looking *looking = command->user;
        const struct model *model = api_options(looking->api->api)->model;
        migrate_event_show(looking->migrate, &model->events[looking->at++], command, &looking->api->writer);
        look_on(looking);
}

static void look_on(struct looking *looking) {
        struct api_request *request = looking->api;
        const struct api_options *options = api_options(request->api);
        while (looking->all && looking->at < options->model->event_count &&
               (!options->model->events[looking->at].reader || options->model->events[looking->at].version_count < 2))
                looking->at++;
        bool more = looking->all ? looking->at < options->model->event_count : !looking->command.done;
        if (more) {
                looking->command = (struct gateway_command){
                        .order = GATEWAY_STATE, .communication = options->model->events[looking->at].reader->index, .loop = options->loop,
                        .done = looked, .user = looking, .versions = &looking->versions,
                };
                gateway_order(options->gateway, &looking->command);
                return;
        }
        if (looking->all) {
                json_end_array(&request->writer);
                json_end_object(&request->writer);
        }
        api_answer(request, 200);
        free(looking);
}

static struct looking *looking_new(struct api_request *request, void *user) {
        struct looking *looking = must_calloc(1, sizeof *looking);
        looking->api = request;
        looking->migrate = user;
        return looking;
}

static void answer_versions(struct api_request *request, void *user) {
        struct looking *looking = looking_new(request, user);
        looking->all = true;
        json_begin_object(&request->writer);
        json_key(&request->writer, "events");
        json_begin_array(&request->writer);
        look_on(looking);
}

static void answer_versions_of(struct api_request *request, void *user) {
        const struct model_event *event = model_event_find(api_options(request->api)->model, request->parameters[0]);
        struct error error;
        if (!event || !event->reader) {
                error_set(&error, ERROR_NOT_FOUND, "%s \"%.*s\"", event ? "no communication reads the event" : "there is no event",
                          (int)MIN(request->parameters[0].size, (size_t)64), request->parameters[0].data);
                api_fail(request, &error);
                return;
        }
        struct looking *looking = looking_new(request, user);
        looking->at = event->index;
        look_on(looking);
}

static const struct api_route routes[] = {
        {.method = "GET", .pattern = "/evolve", .handle = answer_versions},
        {.method = "GET", .pattern = "/evolve/{event}", .handle = answer_versions_of},

        {.method = "GET", .pattern = "/plan/{communication}", .handle = answer_plan, .queries = "to"},
        {.method = "GET", .pattern = "/migrations", .handle = answer_all},
        {.method = "GET", .pattern = "/migrations/{communication}", .handle = answer_one},
        {.method = "POST", .pattern = "/migrations/{communication}", .handle = begin, .members = "to auto"},
        {.method = "POST", .pattern = "/migrations/{communication}/advance", .handle = advance, .members = ""},
        {.method = "POST", .pattern = "/migrations/{communication}/pause", .handle = halt, .members = ""},
        {.method = "POST", .pattern = "/migrations/{communication}/rollback", .handle = rollback, .members = ""},
        {.method = "POST", .pattern = "/migrations/{communication}/cancel", .handle = cancel, .members = ""},
};

void migrate_rest_add(struct api *api, struct migrate *migrate) {
        api_add(api, routes, ARRAY_SIZE(routes), migrate);
        api_describe_with(api, describe, migrate);
}
