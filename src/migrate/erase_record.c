// SPDX-License-Identifier: Apache-2.0
// What becomes of one record of the log in an erasure. A function of the record, of what its stream is, and of whether its message is
// settled; doing it to its own result changes nothing.
#include "migrate/erase_priv.h"

struct erase_stream erase_stream_of(const struct erase_state *state, const struct erase_options *options, struct bytes name) {
        struct bytes family = state_family_of_stream(name);
        struct bytes topic = BYTES("topic/"), shadow = BYTES("shadow/");
        struct erase_stream stream = {.kind = ERASE_OTHER};
        bool is_topic = bytes_starts_with(family, topic), is_shadow = bytes_starts_with(family, shadow);
        size_t skip = is_topic ? topic.size : is_shadow ? shadow.size : 0;
        struct bytes rest = {family.data + skip, family.size - skip};
        const struct model_communication *communication = is_topic ? NULL : model_communication_find(options->model, rest);
        for (size_t i = 0; i < state->event_count; i++) {
                const struct model_event *event = state->events[i];
                bool own = is_topic ? bytes_equal(rest, bytes_of(event->topic))
                                    : communication && communication->async && communication->async->event == event;
                if (!own)
                        continue;
                stream.kind = is_topic ? ERASE_TOPIC : is_shadow ? ERASE_SHADOW : ERASE_DECISIONS;
                stream.event = event;
                stream.emitted = options->ops->emitted(options->user, event);
                stream.emitted_schema = options->ops->schema_id(options->user, event, stream.emitted);
        }
        return stream;
}

bool erase_asks(const struct erase_stream *stream, const struct log_record *entry, uint64_t *ret_position) {
        struct record record;
        if (stream->kind == ERASE_OTHER || !record_decode(entry->header, &record, NULL))
                return false;
        if (record.kind != RECORD_MESSAGE && record.kind != RECORD_INTENT)
                return false;
        *ret_position = entry->position;
        return true;
}

// "PUT -\n": a request that is no more, in the form of one (gateway/request.h).
static struct bytes empty_request(struct bytes request, struct arena *arena) {
        const char *space = request.size ? memchr(request.data, ' ', request.size) : NULL;
        struct bytes method = {request.data, space ? (size_t)(space - request.data) : 0};
        return request.size ? bytes_of(arena_print(arena, "%.*s -\n", BYTES_PRINT(method))) : request;
}

// The version that the schema is of; false: of none that is known.
static bool version_of(const struct erase_options *options, const struct model_event *event, uint32_t schema_id, unsigned *ret_version) {
        if (schema_id == 0) {
                *ret_version = event->produces;
                return true;
        }
        for (unsigned version = 0; version < event->version_count; version++)
                if (options->ops->schema_id(options->user, event, version) == schema_id) {
                        *ret_version = version;
                        return true;
                }
        return false;
}

static bool convert(const struct erase_options *options, const struct erase_stream *stream, struct record *record, struct bytes *body,
                    struct arena *arena, unsigned *effect, struct error *error) {
        unsigned version;
        if (record->flags & RECORD_TOMBSTONE)
                return true;
        if (!version_of(options, stream->event, record->schema_id, &version))
                return error_set(error, ERROR_REJECTED, "schema %u is no version of %s that is configured", record->schema_id,
                                 stream->event->name);
        if (version >= stream->emitted)
                return true;
        if (!options->ops->convert(options->user, stream->event, version, stream->emitted, *body, arena, body, error))
                return false;
        record->schema_id = stream->emitted_schema;
        *effect |= ERASE_CONVERTED;
        return true;
}

static void empty(struct bytes *part, struct bytes with, unsigned *effect) {
        if (bytes_equal(*part, with))
                return;
        *part = with;
        *effect |= ERASE_EMPTIED;
}

// A body that is no more. Of an answer nothing is left: as if it had been too large to be kept.
static struct bytes empty_body(const struct record *record, struct bytes body) {
        return record->kind == RECORD_ANSWERED || body.size == 0 ? (struct bytes){0} : BYTES("{\"erased\":true}");
}

bool erase_record(const struct erase_options *options, const struct erase_stream *stream, const struct log_record *entry, bool settled,
                  struct arena *arena, struct log_record *ret_entry, unsigned *ret_effect, struct error *error) {
        struct record record;
        struct log_record made = *entry;
        unsigned effect = ERASE_UNTOUCHED;
        if (!record_decode(entry->header, &record, error))
                return false;
        bool message = record.kind == RECORD_MESSAGE, intent = record.kind == RECORD_INTENT;
        if (message && stream->kind == ERASE_TOPIC && !convert(options, stream, &record, &made.body, arena, &effect, error))
                return false;
        if ((message || intent) && !settled)
                effect |= ERASE_KEPT;
        bool over = (message || intent) ? settled : record.kind != RECORD_MIGRATION;
        if (over) {
                empty(&record.request, empty_request(record.request, arena), &effect);
                empty(&record.identity_text, (struct bytes){0}, &effect);
        }
        if (over && !(message && stream->kind == ERASE_TOPIC))
                empty(&made.body, empty_body(&record, made.body), &effect);
        if (effect & (ERASE_CONVERTED | ERASE_EMPTIED)) {
                struct buffer CLEANUP(buffer_free) header = {0};
                record_encode(&record, &header);
                made.header = arena_copy(arena, buffer_bytes(&header));
        }
        *ret_entry = made;
        *ret_effect = effect;
        return true;
}
