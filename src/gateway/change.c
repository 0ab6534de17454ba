// SPDX-License-Identifier: Apache-2.0
#include "gateway/change.h"

#include "schema/schema.h"

static unsigned next_of(const struct change *change) {
        return change->from < change->to ? change->at + 1 : change->at - 1;
}

static enum change_result failed(struct change *change) {
        return change->result = CHANGE_FAILED;
}

bool change_says_version(const struct json *body, uint64_t *ret_version) {
        const struct json *said = json_get_text(body, "event_version");
        return json_is(said, JSON_NUMBER) ? json_to_u64(said, ret_version)
                                          : json_is(said, JSON_STRING) && bytes_to_u64(json_text(said), ret_version);
}

bool change_check_version(const struct model_event *event, unsigned version, const struct json *body, struct error *error) {
        const struct json *said = json_get_text(body, "event_version");
        uint64_t number;
        bool says = change_says_version(body, &number);
        if (says ? number == version : !json_is(said, JSON_NUMBER))
                return true;
        return error_set(error, ERROR_REJECTED, "event_version says %.*s, and the event is version %u of %s",
                         (int)MIN(json_text(said).size, (size_t)40), json_text(said).data, version, event->name);
}

static enum change_result finish(struct change *change) {
        struct error *error = &change->error;
        if (!json_parse(change->body, NULL, change->arena, &change->json, error)) {
                error_wrap(error, "version %u of %s", change->to, change->event->name);
                return failed(change);
        }
        CLEANUP(buffer_free) struct buffer filled = {0};
        bool fills = false;
        if (change->schema && !schema_fill_defaults(change->schema, change->json, &filled, &fills, error)) {
                error_wrap(error, "version %u of %s", change->to, change->event->name);
                return failed(change);
        }
        if (fills) {
                change->body = arena_copy(change->arena, buffer_bytes(&filled));
                change->filled = true;
                if (!json_parse(change->body, NULL, change->arena, &change->json, error))
                        return failed(change);
        }
        if (!change_check_version(change->event, change->to, change->json, error))
                return failed(change);
        if (change->schema && !schema_validate(change->schema, change->body, change->json, change->arena, error)) {
                error_wrap(error, "version %u of %s, made from version %u", change->to, change->event->name, change->from);
                return failed(change);
        }
        return change->result = CHANGE_DONE;
}

static bool render(struct change *change, const struct template *template) {
        CLEANUP(buffer_free) struct buffer text = {0};
        if (!json_parse(change->body, NULL, change->arena, &change->inputs.event, &change->error) ||
            !template_render(template, &change->inputs, &text, &change->error))
                return error_wrap(&change->error, "%s, version %u to %u", change->event->name, change->at, next_of(change));
        change->body = arena_copy(change->arena, buffer_bytes(&text));
        return true;
}

static enum change_result proceed(struct change *change);

static void converted(struct conversion *conversion) {
        struct change *change = conversion->user;
        if (conversion->ok) {
                change->body = arena_copy(change->arena, conversion->output);
                for (; change->steps; change->steps--)
                        change->at = next_of(change);
                if (proceed(change) == CHANGE_WAITS)
                        return;
        } else {
                for (size_t i = 0; i < conversion->step && i < change->steps; i++)
                        change->at = next_of(change);
                change->error = conversion->error;
                error_wrap(&change->error, "%s, version %u to %u", change->event->name, change->at, next_of(change));
                failed(change);
        }
        change->done(change);
}

// The programs that follow each other go through the converter together.
static void convert(struct change *change) {
        struct conversion *conversion = &change->conversion;
        unsigned at = change->at;
        *conversion = (struct conversion){.input = change->body, .tells = !change->event->is_personal, .done = converted, .user = change};
        change->steps = 0;
        while (at != change->to && conversion->chain_count < CONVERT_CHAIN_MAX) {
                const struct model_mapping *mapping = model_step(change->event, at, change->from < change->to);
                if (!mapping || mapping->template)
                        break;
                conversion->chain[conversion->chain_count++] = mapping->program;
                change->steps++;
                at = change->from < change->to ? at + 1 : at - 1;
        }
        converter_convert(change->converter, conversion);
}

static enum change_result proceed(struct change *change) {
        while (change->at != change->to) {
                const struct model_mapping *mapping = model_step(change->event, change->at, change->from < change->to);
                if (!mapping) {
                        error_set(&change->error, ERROR_REJECTED, "%s has no mapping from version %u to %u", change->event->name,
                                  change->at, next_of(change));
                        return failed(change);
                }
                if (!mapping->template && !change->converter) {
                        error_set(&change->error, ERROR_UNAVAILABLE, "there is no converter");
                        return failed(change);
                }
                if (!mapping->template) {
                        convert(change);
                        return change->result = CHANGE_WAITS;
                }
                if (!render(change, mapping->template))
                        return failed(change);
                change->at = next_of(change);
        }
        return finish(change);
}

enum change_result change_begin(struct change *change, struct bytes body) {
        change->body = body;
        change->at = change->from;
        change->filled = false;
        return proceed(change);
}

bool change_is_immediate(const struct model_event *event, unsigned from, unsigned to) {
        for (unsigned at = from; at != to; at = from < to ? at + 1 : at - 1) {
                const struct model_mapping *mapping = model_step(event, at, from < to);
                if (mapping && !mapping->template)
                        return false;
        }
        return true;
}
