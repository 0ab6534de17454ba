// SPDX-License-Identifier: Apache-2.0
// GET /pseudonyms/{purpose}/{ref}: the value that a pseudonym stands for, {"value": …}, for a service whose configuration says
// `resolves: [purpose]`. It presents a token of its own; the control API's token does not do, since whoever runs commute need not
// know whom a pseudonym means. 401 without a token that is known, 403 for another purpose, 404 for what is no pseudonym of it: each
// a constant sentence. Runs on the control thread.
#include "api/api_priv.h"
#include "base/pseudonym.h"

static const struct model_service *asking(const struct api *api, struct bytes token) {
        const struct model *model = api->options.model;
        const struct model_service *found = NULL;
        for (size_t i = 0; i < model->service_count; i++)
                if (model->services[i].token && api_same_token(token, bytes_of(model->services[i].token)))
                        found = &model->services[i];
        return found;
}

static bool may_resolve(const struct model_service *service, struct bytes purpose) {
        for (size_t i = 0; service && i < service->resolve_count; i++)
                if (bytes_equal(purpose, bytes_of(service->resolves[i])))
                        return true;
        return false;
}

static void resolve(struct api_request *request, void *user) {
        const struct api *api = request->api;
        struct bytes token, purpose = request->parameters[0];
        (void)user;
        bool presented = api_bearer(request->exchange, &token);
        const struct model_service *service = presented ? asking(api, token) : NULL;
        if (!service && !(presented && api_same_token(token, api->options.token))) {
                api_refuse_token(request->exchange, 401, "the bearer token of a service that may resolve pseudonyms is needed");
                return;
        }
        if (!may_resolve(service, purpose)) {
                api_refuse_token(request->exchange, 403, "this token may not resolve pseudonyms of this purpose");
                return;
        }
        struct buffer CLEANUP(buffer_free) value = {0};
        struct error error;
        if (!api->options.pseudonyms || !pseudonym_resolve(api->options.pseudonyms, purpose, request->parameters[1], &value, &error)) {
                error_set(&error, ERROR_NOT_FOUND, "there is no such pseudonym of this purpose");
                api_fail(request, &error);
                return;
        }
        json_begin_object(&request->writer);
        json_key(&request->writer, "value");
        json_raw(&request->writer, buffer_bytes(&value));
        json_end_object(&request->writer);
        api_answer(request, 200);
}

static const struct api_route routes[] = {
        {.method = "GET", .pattern = "/pseudonyms/{purpose}/{ref}", .handle = resolve, .open = true},
};

void api_add_pseudonyms(struct api *api) {
        api_add(api, routes, ARRAY_SIZE(routes), NULL);
}
