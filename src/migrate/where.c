// SPDX-License-Identifier: Apache-2.0
#include "migrate/where.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/arena.h"
#include "json/pointer.h"

struct search {
        struct arena arena;
        struct json_writer *writer;
        const struct model *model;
        struct bytes fields[WHERE_FIELDS_MAX];  // pointers
        struct bytes names[WHERE_FIELDS_MAX];   // their last tokens
        size_t count, places;
};

static const struct json *behind_reference(const struct json *root, const struct json *schema, struct arena *arena) {
        for (int hops = 0; hops < WHERE_DEPTH_MAX; hops++) {
                const struct json *reference = json_get_text(schema, "$ref");
                struct json_pointer pointer;
                if (!json_is(reference, JSON_STRING) || !json_text(reference).size || json_text(reference).data[0] != '#')
                        return schema;
                struct bytes text = {json_text(reference).data + 1, json_text(reference).size - 1};
                const struct json *next = json_pointer_parse(text, arena, &pointer, NULL) ? json_pointer_resolve(&pointer, root) : NULL;
                if (!next)
                        return schema;
                schema = next;
        }
        return schema;
}

// ---- which fields ----

struct pair {
        const struct json *old_root, *new_root;
        const struct model_event *event;
        unsigned from, to;
};

// Whether the new object has a member that the old one has not: what was one may have become two.
static bool has_more(const struct json *before, const struct json *after) {
        if (json_is(after, JSON_OBJECT))
                JSON_FOR_EACH_MEMBER(key, property, after) {
                        (void)property;
                        if (!json_get(before, json_text(key)))
                                return true;
                }
        return false;
}

static bool is_text(const struct json *schema) {
        const struct json *type = json_get_text(schema, "type");
        return json_is(type, JSON_STRING) && bytes_equal(json_text(type), BYTES("string"));
}

static bool in_template(const struct json *node, struct bytes name);
static bool has_word(struct bytes text, struct bytes word);

// Whether the way to the new version does something with a member of this name.
static bool is_mapped(const struct search *search, const struct pair *roots, struct bytes name) {
        for (unsigned at = roots->from; at != roots->to; at = roots->from < roots->to ? at + 1 : at - 1) {
                const struct model_mapping *mapping = model_step(roots->event, at, roots->from < roots->to);
                if (mapping && (mapping->template ? in_template(template_source(mapping->template), name)
                                                  : has_word(search->model->programs[mapping->program], name)))
                        return true;
        }
        return false;
}

static void find_fields(struct search *search, const struct pair *roots, const struct json *before, const struct json *after,
                        struct buffer *path, unsigned depth) {
        before = behind_reference(roots->old_root, before, &search->arena);
        after = behind_reference(roots->new_root, after, &search->arena);
        const struct json *properties = json_get_text(before, "properties"), *others = json_get_text(after, "properties");
        if (!json_is(properties, JSON_OBJECT) || depth == WHERE_DEPTH_MAX)
                return;
        size_t size = path->size;
        bool more = has_more(properties, others);
        JSON_FOR_EACH_MEMBER(key, property, properties) {
                const struct json *other = json_is(others, JSON_OBJECT) ? json_get(others, json_text(key)) : NULL;
                json_pointer_append(path, json_text(key));
                bool changed = !other || !json_equal(property, other) ||
                               (more && is_text(property) && is_mapped(search, roots, json_text(key)));
                bool object = other && json_get_text(behind_reference(roots->old_root, property, &search->arena), "properties");
                if (changed && !object && search->count < WHERE_FIELDS_MAX) {
                        search->fields[search->count] = arena_copy(&search->arena, buffer_bytes(path));
                        search->names[search->count++] = json_text(key);
                }
                if (object)
                        find_fields(search, roots, property, other, path, depth + 1);
                path->size = size;
        }
}

// What version `from` has and `to` has not, or has otherwise; and texts that got a new neighbour and that the mapping does something
// with, as they may have lost a part to it: `title` where there is an `area` now.
static void changed_fields(struct search *search, const struct model_event *event, unsigned from, unsigned to) {
        struct pair roots = {.event = event, .from = from, .to = to};
        CLEANUP(buffer_free) struct buffer path = {0};
        if (json_parse(event->versions[from].source, NULL, &search->arena, &roots.old_root, NULL) &&
            json_parse(event->versions[to].source, NULL, &search->arena, &roots.new_root, NULL))
                find_fields(search, &roots, roots.old_root, roots.new_root, &path, 0);
}

// ---- where ----

static void found(struct search *search, size_t field, const char *format, ...) PRINTF_LIKE(3, 4);

// False: there is no room for another.
static bool begin_place(struct search *search, size_t field, const char *text) {
        if (search->places++ >= WHERE_PLACES_MAX)
                return false;
        json_begin_object(search->writer);
        json_member_bytes(search->writer, "field", search->fields[field]);
        json_member_text(search->writer, "place", text);
        return true;
}

static void found(struct search *search, size_t field, const char *format, ...) {
        char text[300];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        if (begin_place(search, field, text))
                json_end_object(search->writer);
}

static void look_in_schema(struct search *search, const struct model_event *event, unsigned version, const struct json *schema,
                           struct buffer *path) {
        if (json_is(schema, JSON_ARRAY)) {
                JSON_FOR_EACH(element, schema)
                        look_in_schema(search, event, version, element, path);
                return;
        }
        if (!json_is(schema, JSON_OBJECT))
                return;
        const struct json *properties = json_get_text(schema, "properties");
        size_t size = path->size;
        if (json_is(properties, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, property, properties) {
                        json_pointer_append(path, json_text(key));
                        for (size_t i = 0; i < search->count; i++)
                                if (bytes_equal(json_text(key), search->names[i]))
                                        found(search, i, "event %s, version %u: %.*s", event->name, version,
                                              BYTES_PRINT(buffer_bytes(path)));
                        look_in_schema(search, event, version, property, path);
                        path->size = size;
                }
        }
        JSON_FOR_EACH_MEMBER(key, value, schema)
                if (!bytes_equal(json_text(key), BYTES("properties")) && !bytes_equal(json_text(key), BYTES("enum")) &&
                    !bytes_equal(json_text(key), BYTES("const")))
                        look_in_schema(search, event, version, value, path);
}

static bool word_character(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool has_word(struct bytes text, struct bytes word) {
        for (size_t at = 0; word.size && at + word.size <= text.size; at++) {
                size_t end = at + word.size;
                if (memcmp(text.data + at, word.data, word.size) == 0 && (at == 0 || !word_character(text.data[at - 1])) &&
                    (end == text.size || !word_character(text.data[end])))
                        return true;
        }
        return false;
}

static bool in_template(const struct json *node, struct bytes name) {
        if (json_is(node, JSON_STRING))
                return json_text(node).size && json_text(node).data[0] == '$' && has_word(json_text(node), name);
        if (json_is(node, JSON_ARRAY)) {
                JSON_FOR_EACH(element, node)
                        if (in_template(element, name))
                                return true;
        } else if (json_is(node, JSON_OBJECT)) {
                JSON_FOR_EACH_MEMBER(key, value, node)
                        if (bytes_equal(json_text(key), name) || in_template(value, name))
                                return true;
        }
        return false;
}

static void look_in_template(struct search *search, const struct template *template, const char *where, const char *what,
                             size_t version) {
        for (size_t i = 0; template && i < search->count; i++)
                if (in_template(template_source(template), search->names[i]))
                        found(search, i, "%s, `%s` of version %zu", where, what, version);
}

static void look_in_mapping(struct search *search, const struct model_mapping *mapping, const struct model_event *event,
                            const char *what, size_t version) {
        if (!mapping)
                return;
        look_in_template(search, mapping->template, event->name, what, version);
        for (size_t i = 0; !mapping->template && i < search->count; i++)
                if (has_word(search->model->programs[mapping->program], search->names[i]))
                        found(search, i, "%s, `%s` of version %zu%s%s", event->name, what, version, mapping->path ? ", " : "",
                              mapping->path ? mapping->path : "");
}

static void look_in_event(struct search *search, const struct model_event *event, bool itself) {
        for (size_t v = 0; v < event->version_count; v++) {
                const struct json *root;
                CLEANUP(buffer_free) struct buffer path = {0};
                look_in_mapping(search, event->versions[v].up, event, "up", v);
                look_in_mapping(search, event->versions[v].down, event, "down", v);
                if (!itself && json_parse(event->versions[v].source, NULL, &search->arena, &root, NULL))
                        look_in_schema(search, event, (unsigned)v, root, &path);
        }
        look_in_template(search, event->body, event->name, "body", event->produces);
}

static void look_in_communication(struct search *search, const struct model_communication *communication) {
        const struct model_async *async = communication->async;
        for (size_t v = 0; async && v < async->form_count; v++) {
                look_in_template(search, async->forms[v].wrap, communication->name, "wrap", v);
                look_in_template(search, async->forms[v].unwrap, communication->name, "unwrap", v);
                look_in_template(search, async->forms[v].lookup, communication->name, "lookup", v);
        }
        for (size_t i = 0; communication->has_key && i < search->count; i++)
                if (has_word(bytes_of(communication->key.text), search->names[i]))
                        found(search, i, "%s, its key %s", communication->name, communication->key.text);
}

// ---- bodies that were sampled ----

static const char *const direction_names[] = {[SAMPLER_REQUEST] = "request", [SAMPLER_ANSWER] = "answer"};

struct passing {
        struct search *search;
        const struct model_communication *communication;
        enum sampler_direction direction;
        uint64_t looked_at;
};

// The last token of a pointer, escaped as samples have it.
static struct bytes last_token(struct bytes pointer) {
        size_t at = pointer.size;
        while (at && pointer.data[at - 1] != '/')
                at--;
        return (struct bytes){pointer.data + at, pointer.size - at};
}

static void look_at_sample(void *context, const struct sampler_seen *seen) {
        const struct passing *passing = context;
        struct search *search = passing->search;
        struct json_writer *writer = search->writer;
        for (size_t i = 0; i < search->count; i++) {
                char text[300];
                if (!bytes_equal(last_token(search->fields[i]), seen->name))
                        continue;
                snprintf(text, sizeof text, "%s, %ss: %.*s in %llu of %llu samples", passing->communication->name,
                         direction_names[passing->direction], (int)MIN(seen->pointer.size, (size_t)160), seen->pointer.data,
                         (unsigned long long)seen->samples, (unsigned long long)passing->looked_at);
                if (!begin_place(search, i, text))
                        return;
                json_member_text(writer, "communication", passing->communication->name);
                json_member_text(writer, "direction", direction_names[passing->direction]);
                json_member_bytes(writer, "pointer", seen->pointer);
                json_member_u64(writer, "samples", seen->samples);
                json_member_u64(writer, "looked_at", passing->looked_at);
                json_member_i64(writer, "last", seen->last_ms);
                json_end_object(writer);
        }
}

static void look_at_samples(struct search *search, const struct sampler *sampler, const struct model_communication *communication) {
        for (enum sampler_direction direction = 0; sampler && direction < SAMPLER_DIRECTIONS; direction++) {
                struct sampler_figures figures = sampler_figures(sampler, communication->index, direction);
                struct passing passing = {search, communication, direction, figures.looked_at};
                sampler_each(sampler, communication->index, direction, look_at_sample, &passing);
        }
}

void where_write_samples(struct json_writer *writer, const struct model *model, const struct sampler *sampler) {
        json_begin_array(writer);
        for (size_t i = 0; sampler && i < model->communication_count; i++)
                for (enum sampler_direction direction = 0; direction < SAMPLER_DIRECTIONS; direction++) {
                        struct sampler_figures figures = sampler_figures(sampler, i, direction);
                        if (!figures.looked_at && !figures.not_json && !figures.too_large && !figures.missed)
                                continue;
                        json_begin_object(writer);
                        json_member_text(writer, "communication", model->communications[i].name);
                        json_member_text(writer, "direction", direction_names[direction]);
                        json_member_u64(writer, "looked_at", figures.looked_at);
                        json_member_u64(writer, "not_json", figures.not_json);
                        json_member_u64(writer, "too_large", figures.too_large);
                        json_member_u64(writer, "missed", figures.missed);
                        json_member_u64(writer, "more", figures.more);
                        json_end_object(writer);
                }
        json_end_array(writer);
}

// What the owner gives by itself: captured writes are of the version that it produces.
static void look_at_owner(struct search *search, const struct model_event *event, unsigned from) {
        for (size_t i = 0; event->produces == from && i < search->count; i++)
                for (size_t j = 0; j < event->capture_count; j++)
                        found(search, i, "%s gives version %u: %s", event->from->name, from, target_source(event->captures[j]));
}

void where_write(struct json_writer *writer, const struct model *model, const struct sampler *sampler, const struct model_event *event,
                 unsigned from, unsigned to) {
        struct search search = {.writer = writer, .model = model};
        json_begin_array(writer);
        if (from != to && from < event->version_count && to < event->version_count)
                changed_fields(&search, event, from, to);
        for (size_t i = 0; search.count && i < model->event_count; i++)
                look_in_event(&search, &model->events[i], &model->events[i] == event);
        if (search.count)
                look_at_owner(&search, event, from);
        for (size_t i = 0; search.count && i < model->communication_count; i++) {
                look_in_communication(&search, &model->communications[i]);
                look_at_samples(&search, sampler, &model->communications[i]);
        }
        json_end_array(writer);
        arena_free(&search.arena);
}
