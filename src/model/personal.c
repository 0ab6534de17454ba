// SPDX-License-Identifier: Apache-2.0
// Which values of an event belong to a person: what its contract tags (`x-pii: true`, `confluent:tags: ["PII"]`), and what the
// configuration names beside them (`personal`). Found once, when the model is read; in the model's arena.
//
// A tag is looked for in properties, items, allOf, anyOf, oneOf and behind local references ("#/$defs/X"); a tagged object is
// personal as a whole. An element of an array has the token "-" in its pointer, which stands for each of them.
#include "model/reader_priv.h"

enum { DEPTH_MAX = 16 };                // schemas within each other; circles end there

struct finding {
        struct reader *reader;
        const struct json *root;
        struct arena scratch;
        struct bytes tokens[DEPTH_MAX + 1];
        size_t depth;
        struct json_pointer *found;
        size_t count;
};

static bool is_tagged(const struct json *schema) {
        const struct json *flag = json_get_text(schema, "x-pii"), *tags = json_get_text(schema, "confluent:tags");
        if (json_is(flag, JSON_BOOL) && json_bool(flag))
                return true;
        if (!json_is(tags, JSON_ARRAY))
                return false;
        JSON_FOR_EACH(tag, tags)
                if (json_is(tag, JSON_STRING) && bytes_equal(json_text(tag), BYTES("PII")))
                        return true;
        return false;
}

static bool same_pointer(const struct json_pointer *a, const struct json_pointer *b) {
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (!bytes_equal(a->tokens[i], b->tokens[i]))
                        return false;
        return true;
}

static void add(struct finding *finding, const struct json_pointer *pointer) {
        struct arena *arena = finding->reader->arena;
        for (size_t i = 0; i < finding->count; i++)
                if (same_pointer(&finding->found[i], pointer))
                        return;
        if (finding->count == MODEL_PERSONAL_TAGS_MAX)
                return;                         // counted by the caller: one more than it may be
        struct json_pointer copy = {arena_alloc(arena, (pointer->count + 1) * sizeof *copy.tokens), pointer->count};
        for (size_t i = 0; i < pointer->count; i++)
                copy.tokens[i] = arena_copy(arena, pointer->tokens[i]);
        finding->found[finding->count++] = copy;
}

static void look(struct finding *finding, const struct json *schema, unsigned hops);

static void look_below(struct finding *finding, const struct json *schema, struct bytes token, unsigned hops) {
        if (finding->depth == DEPTH_MAX)
                return;
        finding->tokens[finding->depth++] = token;
        look(finding, schema, hops);
        finding->depth--;
}

static void look(struct finding *finding, const struct json *schema, unsigned hops) {
        static const char *const same[] = {"allOf", "anyOf", "oneOf"};
        const struct json *reference = json_get_text(schema, "$ref");
        struct json_pointer pointer;
        if (is_tagged(schema)) {
                add(finding, &(struct json_pointer){finding->tokens, finding->depth});
                return;
        }
        if (json_is(reference, JSON_STRING) && hops < DEPTH_MAX && json_text(reference).size && json_text(reference).data[0] == '#' &&
            json_pointer_parse((struct bytes){json_text(reference).data + 1, json_text(reference).size - 1}, &finding->scratch,
                               &pointer, NULL))
                look(finding, json_pointer_resolve(&pointer, finding->root), hops + 1);
        for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
                const struct json *list = json_get_text(schema, same[i]);
                if (!json_is(list, JSON_ARRAY) || hops == DEPTH_MAX)
                        continue;
                JSON_FOR_EACH(element, list)
                        look(finding, element, hops + 1);
        }
        const struct json *properties = json_get_text(schema, "properties"), *items = json_get_text(schema, "items");
        if (json_is(properties, JSON_OBJECT))
                JSON_FOR_EACH_MEMBER(key, value, properties)
                        look_below(finding, value, json_text(key), hops);
        if (json_is(items, JSON_OBJECT))
                look_below(finding, items, BYTES("-"), hops);
}

// What of the configuration's pointers this version can have.
static void add_configured(struct finding *finding, const struct model_event *event, const struct model_version *version) {
        for (size_t i = 0; i < event->personal_count; i++)
                if (!contract_lacks(version->source, &event->personal[i]))
                        add(finding, &event->personal[i]);
}

static bool is_within(const struct json_pointer *pointer, const struct json_pointer *whole) {
        struct json_pointer begin = {pointer->tokens, whole->count};
        return pointer->count >= whole->count && same_pointer(&begin, whole);
}

static bool find(struct reader *reader, const struct yaml_node *node, const struct model_event *event, struct model_version *version) {
        struct json_pointer found[MODEL_PERSONAL_TAGS_MAX];
        struct finding finding = {.reader = reader, .found = found};
        if (!json_parse(version->source, NULL, &finding.scratch, &finding.root, NULL)) {
                arena_free(&finding.scratch);
                return true;                    // told already
        }
        look(&finding, finding.root, 0);
        add_configured(&finding, event, version);
        arena_free(&finding.scratch);
        if (finding.count == MODEL_PERSONAL_TAGS_MAX)
                return problem_add_code(reader->problems, node, ERROR_LIMIT, "%s: expected fewer than %d personal values", version->path,
                                        MODEL_PERSONAL_TAGS_MAX);
        struct json_pointer *kept = arena_alloc(reader->arena, (finding.count + 1) * sizeof *kept);
        memcpy(kept, found, finding.count * sizeof *kept);
        version->personal = kept;
        version->personal_count = finding.count;
        return true;
}

bool personal_read(struct reader *reader, const struct yaml_node *node, struct model_event *event, struct model_version *versions) {
        bool good = true;
        for (size_t i = 0; i < event->version_count; i++) {
                good &= find(reader, node, event, &versions[i]);
                event->is_personal |= versions[i].personal_count > 0;
                for (size_t j = 0; j < versions[i].personal_count; j++)
                        event->key_is_personal |= !versions[i].key_template && is_within(&versions[i].key, &versions[i].personal[j]);
        }
        for (size_t i = 0; i < event->personal_count; i++) {
                bool lacked = event->version_count > 0;
                for (size_t j = 0; j < event->version_count; j++)
                        lacked = lacked && contract_lacks(versions[j].source, &event->personal[i]);
                if (!lacked)
                        continue;
                struct buffer CLEANUP(buffer_free) text = {0};
                for (size_t j = 0; j < event->personal[i].count; j++)
                        json_pointer_append(&text, event->personal[i].tokens[j]);
                good = problem_add(reader->problems, yaml_get(node, "personal"), "no version of %s has %.*s", event->name,
                                   BYTES_PRINT(buffer_bytes(&text)));
        }
        return good;
}

// ---- values ----

static bool each(const struct json *node, const struct json_pointer *pointer, size_t at, struct buffer *path,
                 model_personal_visit *visit, void *context) {
        size_t before = path->size;
        bool go_on = true;
        if (!node)
                return true;
        if (at == pointer->count)
                return visit(context, node, buffer_bytes(path));
        if (json_is(node, JSON_ARRAY) && bytes_equal(pointer->tokens[at], BYTES("-"))) {
                size_t index = 0;
                JSON_FOR_EACH(element, node) {
                        json_pointer_append_index(path, index++);
                        go_on = go_on && each(element, pointer, at + 1, path, visit, context);
                        path->size = before;
                }
                return go_on;
        }
        json_pointer_append(path, pointer->tokens[at]);
        go_on = each(json_pointer_step(node, pointer->tokens[at]), pointer, at + 1, path, visit, context);
        path->size = before;
        return go_on;
}

bool model_personal_each(const struct model_version *version, const struct json *event, model_personal_visit *visit, void *context) {
        struct buffer CLEANUP(buffer_free) path = {0};
        for (size_t i = 0; i < version->personal_count; i++)
                if (!each(event, &version->personal[i], 0, &path, visit, context))
                        return false;
        return true;
}
