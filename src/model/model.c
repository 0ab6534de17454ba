// SPDX-License-Identifier: Apache-2.0
// The life of a model and the ways to look things up in it. See model.h.
#include "model/model.h"

#include <stdlib.h>
#include <xxhash.h>

#include "model/model_priv.h"

static const char *const mode_names[] = {"sync", "pull", "push", "async"};

const char *model_kind_name(enum model_kind kind) {
        return kind == MODEL_DATA ? "data" : "functional";
}

const char *model_mode_name(enum model_mode mode) {
        ASSERT(mode < MODEL_MODE_COUNT);
        return mode_names[mode];
}

bool model_mode_of(struct bytes name, enum model_mode *ret_mode) {
        for (size_t i = 0; i < ARRAY_SIZE(mode_names); i++) {
                if (bytes_equal(name, bytes_of(mode_names[i]))) {
                        *ret_mode = (enum model_mode)i;
                        return true;
                }
        }
        return false;
}

static struct model_owned *owned(const struct model *model) {
        union {
                const struct model *in;
                struct model *out;
        } cast = {.in = model};         // the count is the one thing that changes
        return CONTAINER_OF(cast.out, struct model_owned, public);
}

const struct model *model_ref(const struct model *model) {
        size_t before = atomic_fetch_add_explicit(&owned(model)->references, 1, memory_order_relaxed);
        ASSERT(before > 0);
        return model;
}

void model_unref(const struct model *model) {
        if (!model)
                return;
        size_t before = atomic_fetch_sub_explicit(&owned(model)->references, 1, memory_order_acq_rel);
        ASSERT(before > 0);
        if (before == 1)
                model_owned_free(owned(model));
}

void model_unrefp(const struct model **model) {
        model_unref(*model);
}

void model_owned_free(struct model_owned *model) {
        if (!model)
                return;
        for (size_t i = 0; i < model->target_count; i++)
                target_free(model->targets[i]);
        for (size_t i = 0; i < model->template_count; i++)
                template_free(model->templates[i]);
        free(model->targets);
        free(model->templates);
        free(model->programs);
        table_free(&model->services);
        table_free(&model->events);
        table_free(&model->communications);
        arena_free(&model->arena);
        free(model);
}

bool model_reads(const struct model_async *async, unsigned version) {
        for (size_t i = 0; i < async->read_count; i++)
                if (async->reads[i] == version)
                        return true;
        return false;
}

unsigned model_reads_instead(const struct model_async *async, unsigned version) {
        unsigned best = async->reads[0];
        for (size_t i = 1; i < async->read_count; i++) {
                unsigned now = async->reads[i] > version ? async->reads[i] - version : version - async->reads[i];
                unsigned before = best > version ? best - version : version - best;
                if (now <= before)
                        best = async->reads[i];
        }
        return best;
}

const struct model_mapping *model_step(const struct model_event *event, unsigned version, bool up) {
        if (up)
                return version + 1 < event->version_count ? event->versions[version + 1].up : NULL;
        return version && version < event->version_count ? event->versions[version].down : NULL;
}

bool model_way(const struct model_event *event, unsigned from, unsigned to, unsigned *ret_missing) {
        while (from != to) {
                bool up = from < to;
                unsigned next = up ? from + 1 : from - 1;
                if (!model_step(event, from, up)) {
                        if (ret_missing)
                                *ret_missing = next;
                        return false;
                }
                from = next;
        }
        return true;
}

// The names come from the operator's file, so the seed need not be secret.
uint64_t model_name_hash(struct bytes name) {
        return XXH3_64bits(name.data, name.size);
}

static bool service_named(const void *element, const void *key) {
        return bytes_equal(bytes_of(((const struct model_service *)element)->name), *(const struct bytes *)key);
}

static bool event_named(const void *element, const void *key) {
        return bytes_equal(bytes_of(((const struct model_event *)element)->name), *(const struct bytes *)key);
}

static bool communication_named(const void *element, const void *key) {
        return bytes_equal(bytes_of(((const struct model_communication *)element)->name), *(const struct bytes *)key);
}

const struct model_service *model_service_find(const struct model *model, struct bytes name) {
        return table_find(&owned(model)->services, model_name_hash(name), &name, service_named);
}

const struct model_event *model_event_find(const struct model *model, struct bytes name) {
        return table_find(&owned(model)->events, model_name_hash(name), &name, event_named);
}

const struct model_communication *model_communication_find(const struct model *model, struct bytes name) {
        return table_find(&owned(model)->communications, model_name_hash(name), &name, communication_named);
}
