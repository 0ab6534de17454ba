// SPDX-License-Identifier: Apache-2.0
// What an evaluation notes: failures and annotations, each with the way that led to it. A way is made of places, which outlive the
// frames of the stack: one is made when something is noted below it. All in the scratch arena.
#include "schema/schema_priv.h"

#include <stdlib.h>

static struct place *place_of(struct evaluation *evaluation, struct frame *frame) {
        if (!frame)
                return NULL;
        if (!frame->place) {
                struct place *outer = place_of(evaluation, frame->outer);
                frame->place = arena_alloc(evaluation->scratch, sizeof *frame->place);
                *frame->place = (struct place){outer, frame->subschema, frame->node, frame->step, evaluation->record->places++};
        }
        return frame->place;
}

static void add(struct evaluation *evaluation, struct unit unit) {
        struct record *record = evaluation->record;
        if (record->count == record->capacity) {
                size_t capacity = record->capacity ? record->capacity * 2 : 16;
                struct unit *units = arena_alloc(evaluation->scratch, capacity * sizeof *units);
                if (record->count)
                        memcpy(units, record->units, record->count * sizeof *units);
                record->units = units;
                record->capacity = capacity;
        }
        unit.place = place_of(evaluation, evaluation->frame);
        record->units[record->count++] = unit;
}

bool record_failure(struct evaluation *evaluation, const struct json *node, const char *keyword, struct bytes name) {
        if (!evaluation->record)
                return false;
        if (!record_full(evaluation->record))
                add(evaluation, (struct unit){.node = node, .keyword = keyword, .name = name, .error = true});
        return false;
}

// What names or comments, and neither asserts nor annotates.
static bool is_silent_name(struct bytes name) {
        static const char *const names[] = {
                "$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary", "$comment", "$defs",
                "definitions",
        };
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (bytes_equal(bytes_of(names[i]), name))
                        return true;
        return false;
}

// Also content… of what is no string, and contentSchema without a media type to read the string by (2020-12 Validation, 8.5).
static bool is_silent(const struct subschema *subschema, struct bytes name, const struct json *node) {
        if (is_silent_name(name))
                return true;
        if (!bytes_starts_with(name, BYTES("content")))
                return false;
        return !json_is(node, JSON_STRING) ||
               (bytes_equal(name, BYTES("contentSchema")) && !json_get_text(subschema->source, "contentMediaType"));
}

void record_annotations(struct evaluation *evaluation, const struct subschema *subschema, const struct json *node) {
        const struct dialect *dialect = &subschema->resource->dialect;
        bool modern = dialect->draft == SCHEMA_DRAFT_2019_09 || dialect->draft == SCHEMA_DRAFT_2020_12;
        bool alone = !modern && json_get_text(subschema->source, "$ref");
        if (!json_is(subschema->source, JSON_OBJECT))
                return;
        JSON_FOR_EACH_MEMBER(key, value, subschema->source) {
                struct bytes name = json_text(key);
                const struct keyword *keyword = keyword_find(name, dialect);
                bool content = bytes_starts_with(name, BYTES("content"));
                if (is_silent(subschema, name, node) || (alone && !bytes_equal(name, BYTES("$ref"))))
                        continue;
                if (record_full(evaluation->record))
                        return;
                bool annotates = !keyword || content || bytes_equal(name, BYTES("format"));
                add(evaluation, (struct unit){.node = node, .keyword = arena_text(evaluation->scratch, name),
                                              .annotation = annotates ? value : NULL});
        }
}

void record_personal(struct evaluation *evaluation, const struct json *node) {
        struct record *record = evaluation->record;
        const struct json *last = record->personal_count ? record->personal[record->personal_count - 1] : NULL;
        if (last && node >= last && node < json_next(last))
                return;
        if (record->personal_count == record->personal_capacity) {
                size_t capacity = record->personal_capacity ? record->personal_capacity * 2 : 16;
                const struct json **nodes = arena_alloc(evaluation->scratch, capacity * sizeof *nodes);
                if (record->personal_count)
                        memcpy(nodes, record->personal, record->personal_count * sizeof *nodes);
                record->personal = nodes;
                record->personal_capacity = capacity;
        }
        record->personal[record->personal_count++] = node;
        record->personal_sorted = false;
}

static int compare_nodes(const void *left, const void *right) {
        const struct json *const *a = left, *const *b = right;
        return (*a > *b) - (*a < *b);
}

static void sort_personal(struct record *record) {
        const struct json **nodes = record->personal;
        size_t count = 0;
        if (record->personal_count)
                qsort(nodes, record->personal_count, sizeof *nodes, compare_nodes);
        for (size_t i = 0; i < record->personal_count; i++)
                if (count == 0 || nodes[i] >= json_next(nodes[count - 1]))
                        nodes[count++] = nodes[i];
        record->personal_count = count;
        record->personal_sorted = true;
}

// An evaluation that was not finished has not seen all tags: everything counts as tagged then.
bool record_is_personal(const struct evaluation *evaluation, const struct json *node) {
        struct record *record = evaluation->record;
        if (evaluation->schema->personal && (record_full(record) || evaluation->undecided))
                return true;
        if (!record->personal_sorted)
                sort_personal(record);
        size_t low = 0, high = record->personal_count;          // the last one that does not begin behind the node is below `low`
        while (low < high) {
                size_t middle = (low + high) / 2;
                if (record->personal[middle] <= node)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low > 0 && node < json_next(record->personal[low - 1]);
}

// How near a branch came: of the right type at all, then not told apart by a const or enum of a member, then how far the first
// failure stands behind the instance's beginning, then how few there are.
struct nearness {
        bool typed, meant;
        size_t distance, count;
};

static struct nearness nearness_of(const struct unit *units, size_t count, const struct json *node) {
        struct nearness nearness = {true, true, SIZE_MAX, count};
        for (size_t i = 0; i < count; i++) {
                bool value = strcmp(units[i].keyword, "const") == 0 || strcmp(units[i].keyword, "enum") == 0;
                if (units[i].node == node && (value || strcmp(units[i].keyword, "type") == 0))
                        nearness.typed = false;
                if (units[i].node != node && value)
                        nearness.meant = false;
                nearness.distance = MIN(nearness.distance, (size_t)(units[i].node - node));
        }
        return nearness;
}

static bool nearer(struct nearness a, struct nearness b) {
        if (a.typed != b.typed)
                return a.typed;
        if (a.meant != b.meant)
                return a.meant;
        return a.distance != b.distance ? a.distance > b.distance : a.count < b.count;
}

size_t record_choose(struct record *record, size_t start, size_t middle, const struct json *node) {
        size_t count = record->count - middle;
        if (middle == start || count == 0)
                return middle == start ? record->count : middle;
        if (!nearer(nearness_of(record->units + middle, count, node), nearness_of(record->units + start, middle - start, node)))
                return middle;
        memmove(record->units + start, record->units + middle, count * sizeof *record->units);
        return start + count;
}
