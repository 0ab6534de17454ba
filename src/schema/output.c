// SPDX-License-Identifier: Apache-2.0
// The outputs of the specification: flag, basic (a list), detailed (a tree along the evaluation: a subschema with one entry below
// it is replaced by that entry).
#include "schema/schema.h"

#include "json/pointer.h"
#include "json/writer.h"
#include "schema/schema_priv.h"

enum { TREE_DEPTH_MAX = 200, POSITION_STEP = 4096 };

// Line and column of every POSITION_STEP-th byte, so that each lookup is short.
struct positions {
        struct bytes source;
        struct json_position *known;
};

struct output {
        struct evaluation *evaluation;
        const struct schema_output_options *options;
        struct json_writer writer;
        struct positions positions;
        struct json_places places_of_nodes;
        bool valid;
        uint32_t *below;                        // entries (units and places that are needed) directly below a place, by its number
        const struct unit **only;               // the last unit below it
        struct place **places;                  // needed ones, by number
};

static void positions_make(struct positions *positions, struct bytes source, struct arena *arena) {
        positions->source = source;
        positions->known = arena_alloc(arena, (source.size / POSITION_STEP + 1) * sizeof *positions->known);
        struct json_position at = {0, 1, 1};
        for (size_t i = 0; i <= source.size; i++) {
                if (i % POSITION_STEP == 0) {
                        at.offset = i;
                        positions->known[i / POSITION_STEP] = at;
                }
                if (i < source.size && source.data[i] == '\n') {
                        at.line++;
                        at.column = 1;
                } else if (i < source.size && ((uint8_t)source.data[i] & 0xC0) != 0x80) {
                        at.column++;
                }
        }
}

static struct json_position position_of(const struct positions *positions, size_t offset) {
        offset = MIN(offset, positions->source.size);
        struct json_position known = positions->known[offset / POSITION_STEP];
        struct bytes rest = {positions->source.data + known.offset, positions->source.size - known.offset};
        struct json_position position = json_position(rest, offset - known.offset);
        position.column += position.line == 1 ? known.column - 1 : 0;
        position.line += known.line - 1;
        position.offset = offset;
        return position;
}

static void write_locations(struct output *output, const struct place *place, const char *keyword, const struct json *node) {
        struct json_writer *writer = &output->writer;
        CLEANUP(buffer_free) struct buffer location = {0};
        CLEANUP(buffer_free) struct buffer absolute = {0};
        CLEANUP(buffer_free) struct buffer instance = {0};
        append_place_location(&location, place);
        if (keyword && strcmp(keyword, "false") != 0)
                json_pointer_append(&location, bytes_of(keyword));
        json_places_pointer(&output->places_of_nodes, &instance, node);
        json_member_boolean(writer, "valid", output->valid);
        json_member_bytes(writer, "keywordLocation", buffer_bytes(&location));
        if (place->subschema->resource->uri[0]) {
                append_absolute_location(&absolute, place->subschema, keyword);
                json_member_bytes(writer, "absoluteKeywordLocation", buffer_bytes(&absolute));
        }
        json_member_bytes(writer, "instanceLocation", buffer_bytes(&instance));
}

static void write_unit(struct output *output, const struct unit *unit) {
        struct json_writer *writer = &output->writer;
        json_begin_object(writer);
        write_locations(output, unit->place, unit->keyword, unit->node);
        if (unit->error) {
                struct json_position position = position_of(&output->positions, json_offset(unit->node));
                json_member_text(writer, "error", unit_sentence(output->evaluation, unit, output->options->values,
                                                                output->evaluation->scratch));
                json_member_u64(writer, "byte", position.offset);
                json_member_u64(writer, "line", position.line);
                json_member_u64(writer, "column", position.column);
        } else if (unit->annotation) {
                json_key(writer, "annotation");
                json_node(writer, unit->annotation);
        }
        json_end_object(writer);
}

static void write_list(struct output *output) {
        const struct record *record = output->evaluation->record;
        json_key(&output->writer, output->valid ? "annotations" : "errors");
        json_begin_array(&output->writer);
        for (size_t i = 0; i < record->count; i++)
                write_unit(output, &record->units[i]);
        json_end_array(&output->writer);
}

// ---- the tree: the units stand in the order of evaluation, so those below a place follow each other ----

static void count_entries(struct output *output) {
        const struct record *record = output->evaluation->record;
        struct arena *arena = output->evaluation->scratch;
        output->below = arena_alloc(arena, (record->places + 1) * sizeof *output->below);
        output->places = arena_alloc(arena, (record->places + 1) * sizeof *output->places);
        for (size_t i = 0; i < record->count; i++) {
                struct place *place = record->units[i].place;
                output->below[place->number]++;
                while (place && !output->places[place->number]) {
                        output->places[place->number] = place;
                        if (place->outer)
                                output->below[place->outer->number]++;
                        place = place->outer;
                }
        }
}

// The place directly below `outer` that `place` is in, skipping those with one entry; NULL: the unit stands in `outer` itself.
static struct place *child_of(const struct output *output, const struct place *outer, struct place *place) {
        struct place *child = NULL;
        for (; place && place != outer; place = place->outer)
                if (output->below[place->number] > 1)
                        child = place;
        return child;
}

static bool is_below(const struct place *place, const struct place *outer) {
        while (place && place != outer)
                place = place->outer;
        return place == outer;
}

// Writes the entries below `outer` from unit `from` on; returns the first unit that is not below it.
static size_t write_tree(struct output *output, const struct place *outer, size_t from, unsigned depth) {
        const struct record *record = output->evaluation->record;
        struct json_writer *writer = &output->writer;
        json_key(writer, output->valid ? "annotations" : "errors");
        json_begin_array(writer);
        size_t i = from;
        while (i < record->count && is_below(record->units[i].place, outer)) {
                struct place *child = child_of(output, outer, record->units[i].place);
                if (!child || depth == TREE_DEPTH_MAX) {
                        write_unit(output, &record->units[i++]);
                        continue;
                }
                json_begin_object(writer);
                write_locations(output, child, NULL, child->node);
                i = write_tree(output, child, i, depth + 1);
                json_end_object(writer);
        }
        json_end_array(writer);
        return i;
}

static void write_detailed(struct output *output) {
        const struct record *record = output->evaluation->record;
        const struct place *root = record->units[0].place;
        while (root->outer)
                root = root->outer;
        count_entries(output);
        json_member_bytes(&output->writer, "keywordLocation", BYTES(""));
        json_member_bytes(&output->writer, "instanceLocation", BYTES(""));
        size_t end = write_tree(output, root, 0, 0);
        ASSERT(end == record->count);
}

enum schema_verdict schema_output(const struct schema *schema, struct bytes source, const struct json *instance,
                                  const struct schema_output_options *options, struct arena *scratch, struct buffer *buffer) {
        enum schema_verdict verdict = schema_decide(schema, source, instance, scratch);
        struct evaluation evaluation = evaluation_begin(schema, instance, scratch);
        struct record record = {.limit = SCHEMA_UNITS_MAX, .every_branch = true};
        struct output output = {.evaluation = &evaluation, .options = options, .writer = {.buffer = buffer}};
        if (verdict == SCHEMA_UNDECIDED)
                return verdict;
        output.valid = verdict == SCHEMA_VALID;
        bool list = options->format != SCHEMA_OUTPUT_FLAG && (!output.valid || options->annotations);
        record.annotations = output.valid;
        evaluation.record = &record;
        if (list)
                IGNORE(evaluate(&evaluation, schema->root, instance, step_to(NULL), NULL));     // the verdict is known
        json_begin_object(&output.writer);
        json_member_boolean(&output.writer, "valid", output.valid);
        if (list && (record_full(&record) || evaluation.undecided || (record.count == 0 && !output.valid)))
                json_member_boolean(&output.writer, "truncated", true);
        if (list) {
                positions_make(&output.positions, source, scratch);
                json_places_make(&output.places_of_nodes, instance, scratch);
                if (options->format == SCHEMA_OUTPUT_DETAILED && record.count)
                        write_detailed(&output);
                else
                        write_list(&output);
        }
        json_end_object(&output.writer);
        json_end(&output.writer);
        return verdict;
}
