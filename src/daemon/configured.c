// SPDX-License-Identifier: Apache-2.0
// What earlier configurations, as their CONFIG records have them, mean for this one: where lanes have records, their key and the
// number of partitions cannot change (DESIGN.md §5); and where a provider was once said to recognise identities, a message at the
// head of a lane may have been sent without an ATTEMPT record.
#include "daemon/daemon_priv.h"

#include <stdlib.h>

#include "store/state.h"

static const struct json *member(const struct json *object, const char *name) {
        return json_get(object, bytes_of(name));
}

void configured_fold(struct daemon *daemon, const struct json *root, struct bytes body) {
        const struct model *model = daemon->model;
        if (!daemon->recognised_before)
                daemon->recognised_before = must_calloc(model->communication_count, sizeof *daemon->recognised_before);
        buffer_clear(&daemon->last_config);
        buffer_append(&daemon->last_config, body);
        const struct json *communications = member(member(root, "configuration"), "communications");
        for (size_t i = 0; i < model->communication_count; i++)
                if (json_is(member(member(communications, model->communications[i].name), "recognises"), JSON_OBJECT))
                        daemon->recognised_before[i] = true;
}

struct looked {
        uint32_t family;
        bool has_records;
};

static bool look(void *context, const struct state_shard *shard, struct error *error) {
        (void)error;
        struct looked *looked = context;
        if (shard->family == looked->family && (shard->epoch > 1 || shard->mode != LANE_PLAIN))
                looked->has_records = true;
        return true;
}

// Whether the lanes of a communication have ever had records.
static bool has_records(struct state_reader *reader, const char *name, bool *ret_has, struct error *error) {
        struct looked looked = {0};
        *ret_has = false;
        if (!state_family(reader, bytes_of(name), &looked.family, error))
                return error->code == ERROR_NOT_FOUND;
        if (!state_shard_each(reader, look, &looked, error))
                return false;
        *ret_has = looked.has_records;
        return true;
}

// What places a message in its lane and shard: "key $body/task_id, 8 partitions".
static void placement(struct buffer *text, const struct json *configuration, const char *name, bool personal) {
        const struct json *communication = member(member(configuration, "communications"), name);
        const struct json *event_name = member(member(communication, "async"), "event");
        const struct json *event = json_is(event_name, JSON_STRING)
                                   ? json_get(member(configuration, "events"), json_text(event_name)) : NULL;
        const struct json *key = member(communication, "key") ? member(communication, "key") : member(event, "key");
        const struct json *partitions = member(event, "partitions");
        buffer_print(text, "key %.*s, ", key ? (int)json_text(key).size : 4, key ? json_text(key).data : "none");
        if (personal)                           // records have its pseudonym, and so have the views' tables
                buffer_append(text, BYTES("which is personal, "));
        buffer_print(text, "%.*s partitions", partitions ? (int)json_text(partitions).size : 1,
                     partitions ? json_text(partitions).data : "?");
}

// A configuration of before: its JSON, and the events whose key was personal (a list of names; NULL: the model's own).
struct before {
        const struct json *configuration, *personal_keys;
        const struct model *model;              // NULL: personal_keys say
};

static bool was_personal(const struct before *before, const struct model_event *event) {
        if (before->model) {
                const struct model_event *old = model_event_find(before->model, bytes_of(event->name));
                return old && old->key_is_personal;
        }
        if (!json_is(before->personal_keys, JSON_ARRAY))
                return false;
        JSON_FOR_EACH(name, before->personal_keys)
                if (json_is(name, JSON_STRING) && bytes_equal(json_text(name), bytes_of(event->name)))
                        return true;
        return false;
}

static bool allows(const struct model *next, const struct before *before, const struct json *now, struct state_reader *reader,
                   struct error *error) {
        for (size_t i = 0; i < next->communication_count; i++) {
                const char *name = next->communications[i].name;
                struct buffer CLEANUP(buffer_free) was = {0};
                struct buffer CLEANUP(buffer_free) is = {0};
                bool has;
                if (!member(member(before->configuration, "communications"), name))
                        continue;
                const struct model_async *async = next->communications[i].async;
                placement(&was, before->configuration, name, async && was_personal(before, async->event));
                placement(&is, now, name, async && async->event->key_is_personal);
                if (bytes_equal(buffer_bytes(&was), buffer_bytes(&is)))
                        continue;
                if (!has_records(reader, name, &has, error))
                        return false;
                if (has)
                        return error_set(error, ERROR_CONFLICT, "%s: its lanes have records, so what places a message in its lane cannot "
                                         "change: it was %.*s, and would be %.*s", name, BYTES_PRINT(buffer_bytes(&was)),
                                         BYTES_PRINT(buffer_bytes(&is)));
        }
        return true;
}

bool configured_allows(struct daemon *daemon, struct error *error) {
        if (!daemon->last_config.size)
                return true;
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *before, *now;
        if (!json_parse(buffer_bytes(&daemon->last_config), NULL, &arena, &before, error) ||
            !json_parse(daemon->model->canonical, NULL, &arena, &now, error))
                return error_wrap(error, "the last CONFIG record");
        struct before last = {.configuration = member(before, "configuration"), .personal_keys = member(before, "personal_keys")};
        return allows(daemon->model, &last, now, views_reader(daemon->views), error);
}

bool configured_follows(struct daemon *daemon, const struct model *next, struct state_reader *reader, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *before, *now;
        if (!json_parse(daemon->model->canonical, NULL, &arena, &before, error) ||
            !json_parse(next->canonical, NULL, &arena, &now, error))
                return false;
        return allows(next, &(struct before){.configuration = before, .model = daemon->model}, now, reader, error);
}
