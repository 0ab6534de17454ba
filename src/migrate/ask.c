// SPDX-License-Identifier: Apache-2.0
#include "migrate/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/client.h"
#include "migrate/migrate_priv.h"
#include "os/random.h"

enum { ASK_TIMEOUT_S = 5, ASK_BODY_MAX = 1 << 20 };

struct migrate_asker {
        struct loop *loop;
        const struct model *model;
        struct http_upstream **upstreams;       // as model->services; NULL: not needed yet
        struct list asking;
};

// One question under way.
struct asking {
        struct list link;                       // in the asker
        struct migrate_asker *asker;
        struct migrate_question *question;
        uint64_t began_ns;
        char identity[48];
        struct buffer target, authorization, first;     // first: body of the first probe's answer
        uint16_t first_status;
};

struct migrate_asker *migrate_asker_new(struct loop *loop, const struct model *model) {
        struct migrate_asker *asker = must_calloc(1, sizeof *asker);
        asker->loop = loop;
        asker->model = model;
        asker->upstreams = must_calloc(model->service_count, sizeof(struct http_upstream *));
        list_init(&asker->asking);
        return asker;
}

static void asking_free(struct asking *asking) {
        list_remove(&asking->link);
        buffer_free(&asking->target);
        buffer_free(&asking->authorization);
        buffer_free(&asking->first);
        free(asking);
}

void migrate_asker_free(struct migrate_asker *asker) {
        if (!asker)
                return;
        for (size_t i = 0; i < asker->model->service_count; i++)
                http_upstream_free(asker->upstreams[i]);
        LIST_FOR_EACH_SAFE(link, &asker->asking)
                asking_free(CONTAINER_OF(link, struct asking, link));
        free(asker->upstreams);
        free(asker);
}

static void finish(struct asking *asking) {
        struct migrate_question *question = asking->question;
        asking_free(asking);
        question->done(question);
}

static const struct model_service *provider(const struct asking *asking) {
        const struct model_communication *communication = asking->question->communication;
        bool owner = communication->kind == MODEL_DATA && !asking->question->reader;
        return owner ? communication->from : communication->to; // who owns, or who executes or reads
}

static void call(struct asking *asking, const char *method, struct bytes target, bool identified, http_call_done *done) {
        const struct model_service *service = provider(asking);
        struct http_header headers[2];
        size_t count = 0;
        if (service->bearer) {
                buffer_clear(&asking->authorization);
                buffer_print(&asking->authorization, "Bearer %s", service->bearer);
                headers[count++] = (struct http_header){BYTES("Authorization"), buffer_bytes(&asking->authorization)};
        }
        if (identified)
                headers[count++] = (struct http_header){bytes_of(asking->question->communication->recognises.header),
                                                        bytes_of(asking->identity)};
        struct http_call_options options = {
                .method = bytes_of(method), .target = target, .headers = headers, .header_count = count,
                .timeout_ns = SECONDS(ASK_TIMEOUT_S), .repeatable = !identified,
        };
        http_call(asking->asker->upstreams[service->index], &options, done, asking);
}

static bool worked(const struct http_call_result *result) {
        return result->outcome == HTTP_CALL_OK && result->status >= 200 && result->status < 300;
}

static void probe_failed(struct asking *asking, const struct http_call_result *result, const char *which) {
        struct migrate_question *question = asking->question;
        const char *probe = target_source(question->communication->recognises.probe);
        if (result->outcome == HTTP_CALL_OK)
                migrate_print(question->sentence, "%s answers, but the %s probe (%s) with %u", provider(asking)->name, which,
                              probe, result->status);
        else
                migrate_print(question->sentence, "%s answers, but not the %s probe (%s): %s", provider(asking)->name, which,
                              probe, result->reason);
        finish(asking);
}

static void second_answered(void *user, const struct http_call_result *result) {
        struct asking *asking = user;
        struct migrate_question *question = asking->question;
        const struct model_recognises *recognises = &question->communication->recognises;
        struct bytes value;
        if (!worked(result)) {
                probe_failed(asking, result, "second");
                return;
        }
        question->probed = true;
        question->replayed = recognises->replayed_name &&
                http_header_find(result->headers, result->header_count, bytes_of(recognises->replayed_name), &value) &&
                (!recognises->replayed_value || bytes_equal_ignore_case(value, bytes_of(recognises->replayed_value)));
        question->same = result->status == asking->first_status && bytes_equal(result->body, buffer_bytes(&asking->first));
        finish(asking);
}

static void first_answered(void *user, const struct http_call_result *result) {
        struct asking *asking = user;
        if (!worked(result)) {
                probe_failed(asking, result, "first");
                return;
        }
        asking->first_status = result->status;
        buffer_append(&asking->first, result->body);
        const struct target *probe = asking->question->communication->recognises.probe;
        call(asking, target_method(probe), buffer_bytes(&asking->target), true, second_answered);
}

// Any answer is one: whether the call itself is served, only a call shows, and nobody asked for one.
static void head_answered(void *user, const struct http_call_result *result) {
        struct asking *asking = user;
        struct migrate_question *question = asking->question;
        const struct target *probe = question->communication->recognises.probe;
        question->answers = result->outcome == HTTP_CALL_OK;
        if (!question->answers) {
                migrate_print(question->sentence, "%s does not answer: %s", provider(asking)->name, result->reason);
                finish(asking);
                return;
        }
        uint64_t took_us = (loop_now_ns(asking->asker->loop) - asking->began_ns) / 1000;
        migrate_print(question->sentence, "%s answers (HEAD /: %u after %" PRIu64 ".%" PRIu64 " ms)", provider(asking)->name,
                      result->status, took_us / 1000, took_us / 100 % 10);
        if (question->reader || !question->communication->recognises.header || !probe ||
            !target_render(probe, NULL, 0, &asking->target, NULL)) {
                finish(asking);
                return;
        }
        snprintf(asking->identity, sizeof asking->identity, "commute-probe-%016" PRIx64, random_u64(random_real()));
        call(asking, target_method(probe), buffer_bytes(&asking->target), true, first_answered);
}

void migrate_ask(struct migrate_asker *asker, struct migrate_question *question) {
        struct asking *asking = must_calloc(1, sizeof *asking);
        *asking = (struct asking){.asker = asker, .question = question, .began_ns = loop_now_ns(asker->loop)};
        list_append(&asker->asking, &asking->link);
        const struct model_service *service = provider(asking);
        struct http_upstream_options options = {.max_connections = 2, .max_response = ASK_BODY_MAX};
        struct error error;
        if (!asker->upstreams[service->index] &&
            !http_upstream_new(asker->loop, bytes_of(service->url), &options, &asker->upstreams[service->index], &error)) {
                migrate_print(question->sentence, "%s cannot be asked: %s", service->name, error.text);
                finish(asking);
                return;
        }
        call(asking, "HEAD", BYTES("/"), false, head_answered);
}
