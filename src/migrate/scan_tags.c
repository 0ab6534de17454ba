// SPDX-License-Identifier: Apache-2.0
#include "migrate/scan_tags.h"

#include <inttypes.h>

#include "gateway/request.h"
#include "http/message.h"
#include "log/log.h"
#include "log/record.h"
#include "proof/ledger.h"
#include "store/state.h"

enum { PAGE_ROWS = 100 };

struct tagging {
        struct scan_tags *tags;
        const struct model_event *event;
        const struct buffer *where;
        const char *suffix;                     // behind it
};

static void tell(const struct tagging *tagging, struct bytes pointer) {
        struct buffer CLEANUP(buffer_free) text = {0};
        buffer_print(&text, "%.*s%s: body %.*s", BYTES_PRINT(buffer_bytes(tagging->where)), tagging->suffix, BYTES_PRINT(pointer));
        tagging->tags->found(tagging->tags->user, buffer_bytes(&text));
}

// ---- events ----

static bool by_pointer(void *context, const struct json *value, struct bytes pointer) {
        if (!json_is(value, JSON_NULL))
                tell(context, pointer);
        return true;
}

static void look_at_event(struct tagging *tagging, uint32_t schema_id, struct bytes body, struct arena *arena) {
        const struct scan_options *options = tagging->tags->options;
        unsigned version;
        const struct json *root;
        if (options->version_of(options->user, tagging->event, schema_id, &version) && json_parse(body, NULL, arena, &root, NULL))
                model_personal_each(&tagging->event->versions[version], root, by_pointer, tagging);
}

// ---- bodies of no version ----

// The last token of the pointer that is a name: "-" stands for elements.
static struct bytes name_of(const struct json_pointer *pointer) {
        for (size_t i = pointer->count; i-- > 0;)
                if (!bytes_equal(pointer->tokens[i], BYTES("-")))
                        return pointer->tokens[i];
        return (struct bytes){0};
}

static bool is_personal_name(const struct model_event *event, struct bytes name) {
        for (size_t v = 0; v < event->version_count; v++)
                for (size_t i = 0; i < event->versions[v].personal_count; i++)
                        if (bytes_equal(name_of(&event->versions[v].personal[i]), name))
                                return true;
        return false;
}

static void look_at_names(struct tagging *tagging, const struct json *node, struct buffer *path) {
        size_t before = path->size, index = 0;
        if (json_is(node, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, node) {
                        json_pointer_append(path, json_text(key));
                        if (!is_personal_name(tagging->event, json_text(key)))
                                look_at_names(tagging, value, path);
                        else if (!json_is(value, JSON_NULL))
                                tell(tagging, buffer_bytes(path));
                        path->size = before;
                }
        } else if (json_is(node, JSON_ARRAY)) {
                JSON_FOR_EACH(element, node) {
                        json_pointer_append_index(path, index++);
                        look_at_names(tagging, element, path);
                        path->size = before;
                }
        }
}

static void look_at_call(struct tagging *tagging, const struct record *record, struct bytes body, struct arena *arena) {
        struct buffer CLEANUP(buffer_free) path = {0};
        struct http_header headers[REQUEST_HEADERS_MAX + 1];
        size_t count;
        const struct json *root;
        if (record->kind == RECORD_ANSWERED && !answer_decode(body, headers, &count, &body))
                return;                                 // it was not kept
        if (json_parse(body, NULL, arena, &root, NULL))
                look_at_names(tagging, root, &path);
}

// ---- records ----

static const char *state_of(const struct scan_tags *tags, uint64_t position, struct arena *arena) {
        struct state_message message;
        return state_message_find(tags->reader, position, arena, &message, NULL) && message.state == LEDGER_PARKED ? ", parked" : "";
}

void scan_tags_record(struct scan_tags *tags, const struct buffer *where, struct bytes stream, uint64_t position,
                      const struct record *record, struct bytes body, struct arena *arena) {
        const struct model *model = tags->options->model;
        struct bytes family = state_family_of_stream(stream), topic = BYTES("topic/"), shadow = BYTES("shadow/");
        struct tagging tagging = {.tags = tags, .where = where, .suffix = ""};
        if (record->kind == RECORD_MESSAGE && bytes_starts_with(family, topic)) {
                struct bytes name = {family.data + topic.size, family.size - topic.size};
                for (size_t i = 0; i < model->event_count; i++)
                        if (bytes_equal(name, bytes_of(model->events[i].topic)))
                                tagging.event = &model->events[i];
                if (!tagging.event || !tagging.event->is_personal)
                        return;
                tagging.suffix = state_of(tags, position, arena);
                look_at_event(&tagging, record->schema_id, body, arena);
                return;
        }
        bool is_shadow = record->kind == RECORD_SHADOW && bytes_starts_with(family, shadow);
        size_t skip = is_shadow ? shadow.size : 0;
        const struct model_communication *communication =
                model_communication_find(model, (struct bytes){family.data + skip, family.size - skip});
        tagging.event = communication && communication->async ? communication->async->event : NULL;
        if (!tagging.event || !tagging.event->is_personal)
                return;
        if (is_shadow)
                look_at_event(&tagging, record->schema_id, body, arena);
        else if (record->kind == RECORD_INTENT || record->kind == RECORD_ANSWERED)
                look_at_call(&tagging, record, body, arena);
}

// ---- copies ----

static bool look_at_copy(struct scan_tags *tags, const struct model_event *event, uint32_t family, struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        struct buffer CLEANUP(buffer_free) after = {0};
        struct state_replica *rows;
        size_t count = PAGE_ROWS;
        while (count == PAGE_ROWS) {
                arena_reset(&arena);
                if (!state_replica_list(tags->reader, family, buffer_bytes(&after), PAGE_ROWS, &arena, &rows, &count, error))
                        return false;
                for (size_t i = 0; i < count; i++) {
                        struct buffer CLEANUP(buffer_free) where = {0};
                        struct tagging tagging = {.tags = tags, .event = event, .where = &where, .suffix = ""};
                        buffer_print(&where, "state.db, table replica, topic/%s, position %" PRIu64, event->topic, rows[i].position);
                        look_at_event(&tagging, rows[i].schema_id, rows[i].body, &arena);
                }
                tags->rows += count;
                if (count) {
                        buffer_clear(&after);
                        buffer_append(&after, rows[count - 1].key);
                }
        }
        return true;
}

bool scan_tags_copies(struct scan_tags *tags, struct error *error) {
        const struct model *model = tags->options->model;
        for (size_t i = 0; i < model->event_count; i++) {
                struct buffer CLEANUP(buffer_free) name = {0};
                struct error why = {0};
                uint32_t family;
                if (!model->events[i].is_personal)
                        continue;
                buffer_print(&name, "topic/%s", model->events[i].topic);
                if (!state_family(tags->reader, buffer_bytes(&name), &family, &why)) {
                        if (why.code != ERROR_NOT_FOUND)
                                return error_set(error, why.code, "%s", why.text);
                } else if (!look_at_copy(tags, &model->events[i], family, error)) {
                        return false;
                }
        }
        return true;
}
