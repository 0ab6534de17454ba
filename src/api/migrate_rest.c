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

static bool read_mode(struct api_request *request, struct bytes name, enum model_mode *ret_mode) {
        struct error error;
        if (model_mode_of(name, ret_mode))
                return true;
        error_set(&error, ERROR_INVALID, "to: expected sync, pull, push or async, got \"%.*s\"", BYTES_PRINT(name));
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
        const struct model_communication *communication = api_communication(request, request->parameters[0]);
        struct bytes to = {0};
        enum model_mode mode;
        if (!communication)
                return;
        if (!api_query(request, "to", &to))
                to = (struct bytes){0};
        if (!read_mode(request, to, &mode))
                return;
        struct planning *planning = must_calloc(1, sizeof *planning);
        planning->api = request;
        planning->plan = (struct migrate_plan){.communication = communication, .to = mode, .done = planned};
        migrate_plan(user, &planning->plan);
}

// ---- what is seen ----

static void answer_one(struct api_request *request, void *user) {
        const struct model_communication *communication = api_communication(request, request->parameters[0]);
        if (!communication)
                return;
        migrate_describe(user, communication, &request->writer);
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
        const struct model_communication *communication = api_communication(request, request->parameters[0]);
        const struct json *to = json_get_text(request->body, "to"), *automatic = json_get_text(request->body, "auto");
        enum model_mode mode;
        struct error error;
        if (!communication)
                return;
        if (automatic && !json_is(automatic, JSON_BOOL)) {
                error_set(&error, ERROR_INVALID, "auto: expected true or false");
                api_fail(request, &error);
                return;
        }
        if (!read_mode(request, json_is(to, JSON_STRING) ? json_text(to) : (struct bytes){0}, &mode))
                return;
        give(request, user, &(struct migrate_request){
                .order = MIGRATE_BEGIN, .communication = communication, .to = mode, .automatic = automatic && json_bool(automatic),
        });
}

static void command(struct api_request *request, void *user, enum migrate_order order) {
        const struct model_communication *communication = api_communication(request, request->parameters[0]);
        if (communication)
                give(request, user, &(struct migrate_request){.order = order, .communication = communication});
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

static const struct api_route routes[] = {
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
