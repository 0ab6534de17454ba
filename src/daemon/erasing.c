// SPDX-License-Identifier: Apache-2.0
// What an erasure (migrate/erase.h) needs of the running program: versions and their schemas, conversions, and its record in the
// stream `control`. Conversions and records are asked for on the erasure's thread, which waits; records are appended on the control
// thread. Opened and closed with the control API; closed while the control thread still runs.
#include "daemon/daemon_priv.h"

#include <stdlib.h>

#include "convert/convert.h"
#include "schema/schema.h"

// ---- versions ----

static unsigned emitted(void *user, const struct model_event *event) {
        return gateway_emitted(((struct daemon *)user)->gateway, event->index);
}

static uint32_t schema_id(void *user, const struct model_event *event, unsigned version) {
        return gateway_schema_of(((struct daemon *)user)->gateway, event->index, version);
}

// ---- conversions ----

struct running {
        struct conversion conversion;
        struct loop *loop;
        struct arena *arena;
        struct bytes output;
};

static void converted(struct conversion *conversion) {
        struct running *running = conversion->user;
        if (conversion->ok)
                running->output = arena_copy(running->arena, conversion->output);
        loop_stop(running->loop);
}

struct starting {
        struct loop_timer timer;
        struct converter *converter;
        struct conversion *conversion;
};

static void begin_conversion(struct loop_timer *timer) {
        struct starting *starting = CONTAINER_OF(timer, struct starting, timer);
        converter_convert(starting->converter, starting->conversion);
}

// A jq program, in a converter of the erasure's own: its thread runs the loop until the answer is there.
static bool run_program(struct daemon *daemon, size_t program, struct bytes *body, struct arena *arena, struct error *error) {
        struct erasing *erasing = &daemon->erasing;
        struct converter_options options = {.programs = daemon->model->programs, .program_count = daemon->model->program_count};
        if (!erasing->loop && !loop_new(clock_real(), &erasing->loop, error))
                return false;
        options.loop = erasing->loop;
        if (!erasing->converter && !converter_new(&options, &erasing->converter, error))
                return error_wrap(error, "converter");
        struct running running = {.conversion = {.chain = {program}, .chain_count = 1, .input = *body, .done = converted},
                                  .loop = erasing->loop, .arena = arena};
        running.conversion.user = &running;
        struct starting starting = {.timer.fire = begin_conversion, .converter = erasing->converter, .conversion = &running.conversion};
        loop_timer_set(erasing->loop, &starting.timer, 0);
        loop_run(erasing->loop);
        if (!running.conversion.ok)
                *error = running.conversion.error;
        *body = running.output;
        return running.conversion.ok;
}

static bool one_step(struct daemon *daemon, const struct model_event *event, unsigned version, struct bytes *body,
                     struct arena *arena, struct error *error) {
        const struct model_mapping *mapping = model_step(event, version, true);
        if (!mapping)
                return error_set(error, ERROR_REJECTED, "there is no `up` from version %u of %s", version, event->name);
        if (!mapping->template)
                return run_program(daemon, mapping->program, body, arena, error) ||
                       error_wrap(error, "`up` from version %u of %s", version, event->name);
        struct template_inputs inputs = {.pseudonyms = &daemon->template_pseudonyms};
        struct buffer CLEANUP(buffer_free) text = {0};
        if (!json_parse(*body, NULL, arena, &inputs.event, error) || !template_render(mapping->template, &inputs, &text, error))
                return error_wrap(error, "`up` from version %u of %s", version, event->name);
        *body = arena_copy(arena, buffer_bytes(&text));
        return true;
}

static bool convert(void *user, const struct model_event *event, unsigned from, unsigned to, struct bytes body, struct arena *arena,
                    struct bytes *ret_body, struct error *error) {
        struct daemon *daemon = user;
        const struct schema *schema = registry_schema(daemon->registry, schema_id(user, event, to));
        const struct json *json;
        for (unsigned version = from; version < to; version++)
                if (!one_step(daemon, event, version, &body, arena, error))
                        return false;
        if (!schema)
                return error_set(error, ERROR_UNAVAILABLE, "version %u of %s is not registered", to, event->name);
        if (!json_parse(body, NULL, arena, &json, error) || !schema_validate(schema, body, json, arena, error))
                return error_wrap(error, "version %u of %s", to, event->name);
        *ret_body = body;
        return true;
}

// ---- records ----

struct recording {
        struct loop_task task;
        struct daemon *daemon;
        struct bytes body;
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        bool done, good;
        struct error error;
};

static void recorded(void *user, uint64_t position, const struct error *error) {
        struct recording *recording = user;
        (void)position;
        pthread_mutex_lock(&recording->mutex);
        recording->done = true;
        recording->good = !error;
        if (error)
                recording->error = *error;
        pthread_cond_signal(&recording->cond);
        pthread_mutex_unlock(&recording->mutex);
}

static void begin_record(struct loop_task *task) {
        struct recording *recording = CONTAINER_OF(task, struct recording, task);
        journal_append(recording->daemon->journal, RECORD_MIGRATION, BYTES(ERASE_KEY), recording->body, recorded, recording);
}

static bool record(void *user, struct bytes body, struct error *error) {
        struct daemon *daemon = user;
        struct recording recording = {.task.run = begin_record, .daemon = daemon, .body = body, .mutex = PTHREAD_MUTEX_INITIALIZER,
                                      .cond = PTHREAD_COND_INITIALIZER};
        loop_post(daemon->control.loop, &recording.task);
        pthread_mutex_lock(&recording.mutex);
        while (!recording.done)
                pthread_cond_wait(&recording.cond, &recording.mutex);
        pthread_mutex_unlock(&recording.mutex);
        if (!recording.good)
                *error = recording.error;
        return recording.good;
}

static void append(void *user, struct bytes body, erase_appended *done, void *done_user) {
        journal_append(((struct daemon *)user)->journal, RECORD_MIGRATION, BYTES(ERASE_KEY), body, done, done_user);
}

static const struct erase_ops ops = {
        .emitted = emitted, .schema_id = schema_id, .convert = convert, .record = record, .append = append,
};

// ---- life ----

static bool version_of(void *user, const struct model_event *event, uint32_t id, unsigned *ret_version) {
        if (id == 0)
                *ret_version = event->produces;
        for (unsigned version = 0; id != 0 && version <= event->version_count; version++) {
                if (version == event->version_count)
                        return false;
                *ret_version = version;
                if (schema_id(user, event, version) == id)
                        break;
        }
        return *ret_version < event->version_count;
}

static bool restore(void *context, struct bytes key, uint64_t position, struct bytes json, struct error *error) {
        struct daemon *daemon = context;
        (void)position;
        return !bytes_equal(key, BYTES(ERASE_KEY)) || erase_restore(daemon->erasing.erase, json, error);
}

bool erasing_open(struct daemon *daemon, struct error *error) {
        struct erasing *erasing = &daemon->erasing;
        const struct model *model = daemon->model;
        struct erase_options options = {.model = model, .log = daemon->log, .views = daemon->views, .state_path = daemon->state_path,
                                        .ops = &ops, .user = daemon};
        erasing->erase = erase_new(&options);
        struct scan_options scan = {.model = model, .log = daemon->log, .state_path = daemon->state_path, .version_of = version_of,
                                    .user = daemon};
        erasing->scan = scan_new(&scan);
        return state_migration_each(daemon->control.reader, restore, daemon, error);
}

void erasing_close(struct daemon *daemon) {
        struct erasing *erasing = &daemon->erasing;
        scan_free(TAKE(erasing->scan));
        erase_free(TAKE(erasing->erase));
        converter_free(TAKE(erasing->converter));
        loop_free(TAKE(erasing->loop));
}
