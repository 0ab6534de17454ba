// SPDX-License-Identifier: Apache-2.0
// Generated schemas, mappings and events. What a mapping makes of an event is worked out here once more, by other means; so is whether
// that fits the schema. A change gives exactly that, or fails exactly where there is no such event: never what its schema refuses.
// Templates and jq programs, up and down, over several versions, many at once. COMMUTE_TEST_LONG=1: more of them. SEED=: other ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/change.h"
#include "json/number.h"
#include "json/writer.h"
#include "schema/schema.h"

enum { FIELDS_MAX = 8, VERSIONS = 4, WORLDS = 24, WORLDS_LONG = CONVERT_PROGRAMS_MAX / (2 * (VERSIONS - 1)), EVENTS = 30 };

enum type { INTEGER, TEXT, BOOLEAN, INTEGERS, TYPE_COUNT };
enum how { COPY, CONSTANT, TEXT_OF, ONE_MORE };
enum program_mode { HONEST, FAILS, GIVES_NONE, GIVES_TWO };

struct field {
        char name[8];
        enum type type;
        bool required;
        long least, most;               // of an integer; most: characters of a text, elements of a list
        bool unbounded;                 // of an integer: no maximum
};

struct assignment {
        char to[8], from[8];
        enum how how;
        const char *constant;
};

struct step {
        struct assignment list[FIELDS_MAX];
        size_t count;
        bool is_program;
        enum program_mode mode;
        struct model_mapping mapping;
        struct template *template;
};

struct version {
        struct field fields[FIELDS_MAX];
        size_t count;
        bool closed;
        struct schema *schema;
        struct step up, down;           // up: from the version before to this one
};

struct world {
        struct version versions[VERSIONS];
        struct model_version model_versions[VERSIONS];
        struct model_event event;
};

static uint64_t random_state;
static struct arena arena;
static struct bytes programs[CONVERT_PROGRAMS_MAX];
static size_t program_count;

static uint64_t chance(uint64_t below) {
        random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
        return (random_state >> 11) % below;
}

// ---- values ----

static const char *value_of(const struct field *field) {
        static const char *const letters[] = {"a", "Z", "ä", "€", "𝄞", "\\\"", "\\\\", "\\n", "[", "]", " ", "\\u0000"};
        CLEANUP(buffer_free) struct buffer text = {0};
        switch (field->type) {
        case INTEGER:
                if (field->unbounded && chance(6) == 0)
                        return chance(2) ? "9007199254740993" : "123456789012345678901234567890";
                buffer_print(&text, "%ld", field->least + (long)chance((uint64_t)(field->most - field->least + 1)));
                break;
        case TEXT:
                buffer_append_byte(&text, '"');
                for (uint64_t i = chance((uint64_t)field->most + 1); i; i--)
                        buffer_append(&text, bytes_of(letters[chance(ARRAY_SIZE(letters))]));
                buffer_append_byte(&text, '"');
                break;
        case BOOLEAN:
                return chance(2) ? "true" : "false";
        case INTEGERS:
                buffer_append_byte(&text, '[');
                for (uint64_t i = chance((uint64_t)field->most + 1), first = 1; i; i--, first = 0)
                        buffer_print(&text, "%s%d", first ? "" : ",", (int)chance(1000) - 500);
                buffer_append_byte(&text, ']');
                break;
        case TYPE_COUNT:
                UNREACHABLE("no type");
        }
        return arena_text(&arena, buffer_bytes(&text));
}

static const char *event_of(const struct version *version) {
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append_byte(&text, '{');
        for (size_t i = 0; i < version->count; i++)
                if (version->fields[i].required || chance(2))
                        buffer_print(&text, "%s\"%s\":%s", text.size > 1 ? "," : "", version->fields[i].name,
                                     value_of(&version->fields[i]));
        buffer_append_byte(&text, '}');
        return arena_text(&arena, buffer_bytes(&text));
}

// ---- schemas ----

static struct field new_field(unsigned number) {
        struct field field = {.type = (enum type)chance(TYPE_COUNT), .required = chance(3) != 0, .least = -(long)chance(100)};
        snprintf(field.name, sizeof field.name, "f%u", number);
        field.most = field.type == INTEGER ? field.least + 1 + (long)chance(1000) : 1 + (long)chance(6);
        field.unbounded = field.type == INTEGER && chance(3) == 0;
        return field;
}

static void compile(struct version *version) {
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_print(&text, "{\"type\":\"object\",\"additionalProperties\":%s,\"required\":[", version->closed ? "false" : "true");
        const char *comma = "";
        for (size_t i = 0; i < version->count; i++)
                if (version->fields[i].required)
                        buffer_print(&text, "%s\"%s\"", comma, version->fields[i].name), comma = ",";
        buffer_print(&text, "],\"properties\":{");
        for (size_t i = 0; i < version->count; i++) {
                const struct field *field = &version->fields[i];
                buffer_print(&text, "%s\"%s\":", i ? "," : "", field->name);
                if (field->type == INTEGER && field->unbounded)
                        buffer_print(&text, "{\"type\":\"integer\",\"minimum\":%ld}", field->least);
                else if (field->type == INTEGER)
                        buffer_print(&text, "{\"type\":\"integer\",\"minimum\":%ld,\"maximum\":%ld}", field->least, field->most);
                else if (field->type == TEXT)
                        buffer_print(&text, "{\"type\":\"string\",\"maxLength\":%ld}", field->most);
                else if (field->type == BOOLEAN)
                        buffer_print(&text, "{\"type\":\"boolean\"}");
                else
                        buffer_print(&text, "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"maxItems\":%ld}", field->most);
        }
        buffer_print(&text, "}}");
        struct error error;
        if (!schema_compile(buffer_bytes(&text), NULL, &version->schema, &error))
                fail_msg("%s: %.*s", error.text, BYTES_PRINT(buffer_bytes(&text)));
}

static size_t characters(struct bytes text) {
        size_t count = 0;
        for (size_t i = 0; i < text.size; i++)
                count += ((uint8_t)text.data[i] & 0xC0) != 0x80;
        return count;
}

static bool field_takes(const struct field *field, const struct json *value) {
        char least[24], most[24];
        snprintf(least, sizeof least, "%ld", field->least);
        snprintf(most, sizeof most, "%ld", field->most);
        switch (field->type) {
        case INTEGER:
                return json_is(value, JSON_NUMBER) && json_number_is_integer(json_text(value)) &&
                       json_number_compare(json_text(value), bytes_of(least)) >= 0 &&
                       (field->unbounded || json_number_compare(json_text(value), bytes_of(most)) <= 0);
        case TEXT:
                return json_is(value, JSON_STRING) && characters(json_text(value)) <= (size_t)field->most;
        case BOOLEAN:
                return json_is(value, JSON_BOOL);
        case INTEGERS:
                if (!json_is(value, JSON_ARRAY) || json_count(value) > (size_t)field->most)
                        return false;
                JSON_FOR_EACH(element, value)
                        if (!json_is(element, JSON_NUMBER) || !json_number_is_integer(json_text(element)))
                                return false;
                return true;
        case TYPE_COUNT:
                break;
        }
        return false;
}

static bool version_takes(const struct version *version, const struct json *event) {
        if (!json_is(event, JSON_OBJECT))
                return false;
        size_t known = 0;
        for (size_t i = 0; i < version->count; i++) {
                const struct json *value = json_get_text(event, version->fields[i].name);
                known += value != NULL;
                if (value ? !field_takes(&version->fields[i], value) : version->fields[i].required)
                        return false;
        }
        return !version->closed || known == json_count(event);
}

// ---- mappings ----

// From the fields of one version to those of another, mostly as they should be; where `make` is set the other is made with it.
static void make_step(struct step *step, const struct version *from, struct version *to, bool make, unsigned *number) {
        step->is_program = chance(2);
        step->mode = step->is_program && chance(12) == 0 ? (enum program_mode)(1 + chance(3)) : HONEST;
        for (size_t i = 0; i < from->count && step->count < FIELDS_MAX; i++) {
                if (chance(8) == 0)
                        continue;
                struct assignment *one = &step->list[step->count++];
                bool renamed = make && chance(3) == 0;
                *one = (struct assignment){.how = COPY};
                memcpy(one->from, from->fields[i].name, sizeof one->from);
                memcpy(one->to, from->fields[i].name, sizeof one->to);
                if (renamed)
                        snprintf(one->to, sizeof one->to, "f%u", (*number)++);
                struct field field = from->fields[i];
                if (step->is_program && chance(5) == 0) {
                        one->how = chance(2) ? TEXT_OF : ONE_MORE;
                        field.most = one->how == TEXT_OF ? 24 : field.most + 20;
                        field.type = one->how == TEXT_OF ? TEXT : field.type;
                }
                memcpy(field.name, one->to, sizeof field.name);
                if (chance(10) == 0)
                        field.required = !field.required;
                if (chance(10) == 0)
                        field.most = MAX(field.least + 1, field.most / 2);
                if (make)
                        to->fields[to->count++] = field;
        }
        if (step->count < FIELDS_MAX && chance(2)) {
                struct field field = make ? new_field((*number)++) : to->fields[chance(to->count)];
                bool there = false;
                for (size_t i = 0; i < step->count; i++)
                        there |= strcmp(step->list[i].to, field.name) == 0;
                if (there)
                        return;
                struct assignment *one = &step->list[step->count++];
                field.unbounded = field.unbounded && !step->is_program;
                *one = (struct assignment){.how = CONSTANT, .constant = value_of(&field)};
                memcpy(one->to, field.name, sizeof one->to);
                if (make)
                        to->fields[to->count++] = field;
        }
}

static void write_template(struct step *step) {
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append_byte(&text, '{');
        for (size_t i = 0; i < step->count; i++) {
                const struct assignment *one = &step->list[i];
                buffer_print(&text, "%s\"%s\":", i ? "," : "", one->to);
                if (one->how == CONSTANT)
                        buffer_append(&text, bytes_of(one->constant));
                else
                        buffer_print(&text, "\"$event/%s\"", one->from);
        }
        buffer_append_byte(&text, '}');
        const struct json *source;
        struct error error;
        if (!json_parse(arena_copy(&arena, buffer_bytes(&text)), NULL, &arena, &source, &error) ||
            !template_compile(source, &step->template, &error))
                fail_msg("%s", error.text);
        step->mapping.template = step->template;
}

static void write_program(struct step *step) {
        static const char *const ends[] = {[HONEST] = "", [FAILS] = " | error(\"not this one\")", [GIVES_NONE] = " | empty",
                                           [GIVES_TWO] = " | ., ."};
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append_byte(&text, '{');
        for (size_t i = 0; i < step->count; i++) {
                const struct assignment *one = &step->list[i];
                buffer_print(&text, "%s%s: ", i ? ", " : "", one->to);
                if (one->how == CONSTANT)
                        buffer_append(&text, bytes_of(one->constant));
                else
                        buffer_print(&text, one->how == TEXT_OF ? "(.%s | tostring)" : one->how == ONE_MORE ? "(.%s + 1)" : ".%s",
                                     one->from);
        }
        buffer_print(&text, "}%s", ends[step->mode]);
        assert_true(program_count < CONVERT_PROGRAMS_MAX);
        step->mapping.program = program_count;
        programs[program_count++] = arena_copy(&arena, buffer_bytes(&text));
}

static void write_mapping(struct step *step) {
        if (step->is_program)
                write_program(step);
        else
                write_template(step);
}

static void make_world(struct world *world) {
        unsigned number = 0;
        struct version *first = &world->versions[0];
        first->closed = chance(2);
        first->count = 2 + chance(4);
        for (size_t i = 0; i < first->count; i++)
                first->fields[i] = new_field(number++);
        compile(first);
        for (size_t v = 1; v < VERSIONS; v++) {
                struct version *before = &world->versions[v - 1], *version = &world->versions[v];
                version->closed = chance(2);
                make_step(&version->up, before, version, true, &number);
                if (!version->count)
                        version->fields[version->count++] = new_field(number++);
                make_step(&version->down, version, before, false, &number);
                compile(version);
                write_mapping(&version->up);
                write_mapping(&version->down);
                world->model_versions[v].up = &version->up.mapping;
                world->model_versions[v].down = &version->down.mapping;
        }
        world->event = (struct model_event){.name = "Generated", .versions = world->model_versions, .version_count = VERSIONS};
}

static void free_world(struct world *world) {
        for (size_t v = 0; v < VERSIONS; v++) {
                schema_free(world->versions[v].schema);
                template_free(world->versions[v].up.template);
                template_free(world->versions[v].down.template);
        }
}

// ---- what should come of it ----

// Has it a number that is no integer within ±2^53?
static bool has_large_number(const struct json *node) {
        for (const struct json *at = node, *end = json_next(node); at < end; at++) {
                int64_t number;
                if (json_is(at, JSON_NUMBER) && (!json_to_i64(at, &number) || number > 9007199254740992 || number < -9007199254740992))
                        return true;
        }
        return false;
}

// Appends the value; false: there is none, and with it no event.
static bool assign(const struct step *step, const struct assignment *one, const struct json *event, struct buffer *text) {
        const struct json *value = one->how == CONSTANT ? NULL : json_get_text(event, one->from);
        int64_t number;
        if (one->how == CONSTANT) {
                buffer_append(text, bytes_of(one->constant));
                return true;
        }
        if (!value && !step->is_program)
                return false;
        if (one->how == ONE_MORE) {
                if (value && !json_is(value, JSON_NULL) && !json_to_i64(value, &number))
                        return false;
                buffer_print(text, "%lld", value && !json_is(value, JSON_NULL) ? (long long)number + 1 : 1LL);
                return true;
        }
        CLEANUP(buffer_free) struct buffer plain = {0};
        if (value)
                json_write(&plain, value);
        else
                buffer_append(&plain, BYTES("null"));
        if (one->how == TEXT_OF && !json_is(value, JSON_STRING))
                json_quote(text, buffer_bytes(&plain));
        else
                buffer_append(text, buffer_bytes(&plain));
        return true;
}

// One step; NULL: no event comes of it.
static const struct json *step_by_hand(const struct step *step, const struct json *event) {
        if (step->mode != HONEST || (step->is_program && has_large_number(event)))
                return NULL;
        CLEANUP(buffer_free) struct buffer text = {0};
        buffer_append_byte(&text, '{');
        for (size_t i = 0; i < step->count; i++) {
                buffer_print(&text, "%s\"%s\":", i ? "," : "", step->list[i].to);
                if (!assign(step, &step->list[i], event, &text))
                        return NULL;
        }
        buffer_append_byte(&text, '}');
        const struct json *made;
        assert_true(json_parse(arena_copy(&arena, buffer_bytes(&text)), NULL, &arena, &made, NULL));
        return made;
}

static const struct json *by_hand(const struct world *world, unsigned from, unsigned to, const struct json *event) {
        while (event && from != to) {
                const struct step *step = from < to ? &world->versions[from + 1].up : &world->versions[from].down;
                event = step_by_hand(step, event);
                from = from < to ? from + 1 : from - 1;
        }
        return event && version_takes(&world->versions[to], event) ? event : NULL;
}

// ---- the runs ----

struct run {
        struct change change;
        struct arena arena;
        const struct world *world;
        const struct json *given, *expected;
        bool done;
};

static struct loop *loop;
static size_t waiting, good, bad, good_by_programs;

static const char *text_of(const struct json *node) {
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, node);
        return arena_text(&arena, buffer_bytes(&text));
}

static void judge(struct run *run) {
        struct change *change = &run->change;
        const struct version *version = &run->world->versions[change->to];
        assert_false(run->done);
        run->done = true;
        if (change->result == CHANGE_DONE) {
                const struct json *again;
                if (!run->expected)
                        fail_msg("%s, %u to %u, gives %.*s", text_of(run->given), change->from, change->to, BYTES_PRINT(change->body));
                assert_true(json_parse(change->body, NULL, &run->arena, &again, NULL));
                assert_int_equal(schema_verdict(version->schema, again, &run->arena), SCHEMA_VALID);
                assert_true(version_takes(version, again));
                assert_true(json_equal(again, change->json));
                if (!json_equal(again, run->expected))
                        fail_msg("%s, %u to %u, gives %.*s, not %s", text_of(run->given), change->from, change->to,
                                 BYTES_PRINT(change->body), text_of(run->expected));
                good++;
                good_by_programs += !change_is_immediate(change->event, change->from, change->to);
        } else {
                assert_int_equal(change->result, CHANGE_FAILED);
                if (run->expected)
                        fail_msg("%s, %u to %u: %s", text_of(run->given), change->from, change->to, change->error.text);
                assert_int_equal(change->error.code, ERROR_REJECTED);
                assert_non_null(strstr(change->error.text, "Generated"));
                bad++;
        }
}

static void changed(struct change *change) {
        judge(CONTAINER_OF(change, struct run, change));
        if (--waiting == 0)
                loop_stop(loop);
}

static void begin_run(struct run *run, const struct world *world, struct converter *converter) {
        unsigned from = (unsigned)chance(VERSIONS), to = (unsigned)chance(VERSIONS);
        struct bytes body = bytes_of(event_of(&world->versions[from]));
        assert_true(json_parse(body, NULL, &arena, &run->given, NULL));
        run->world = world;
        run->expected = by_hand(world, from, to, run->given);
        run->change = (struct change){.converter = converter, .event = &world->event, .from = from, .to = to,
                                      .schema = world->versions[to].schema, .arena = &run->arena, .done = changed};
        enum change_result result = change_begin(&run->change, body);
        if (result == CHANGE_WAITS) {
                waiting++;
                assert_false(change_is_immediate(&world->event, from, to));
                return;
        }
        judge(run);
}

static void what_a_change_gives_fits_its_schema(void **state) {
        (void)state;
        const char *is_long = getenv("COMMUTE_TEST_LONG"), *seed = getenv("SEED");
        size_t worlds = is_long && *is_long == '1' ? WORLDS_LONG : WORLDS;
        random_state = 88172645463325252u + (seed ? strtoull(seed, NULL, 10) * 7919 : 0);
        struct world *world = must_calloc(worlds, sizeof *world);
        struct run *runs = must_calloc(worlds * EVENTS, sizeof *runs);
        for (size_t i = 0; i < worlds; i++)
                make_world(&world[i]);
        struct error error;
        struct converter *converter;
        assert_true(loop_new(clock_real(), &loop, NULL));
        struct converter_options options = {.loop = loop, .executable = COMMUTE, .programs = programs, .program_count = program_count};
        if (!converter_new(&options, &converter, &error))
                fail_msg("%s", error.text);
        for (size_t i = 0; i < worlds * EVENTS; i++)
                begin_run(&runs[i], &world[i % worlds], converter);
        if (waiting)
                loop_run(loop);
        converter_free(converter);
        loop_free(loop);
        for (size_t i = 0; i < worlds * EVENTS; i++) {
                assert_true(runs[i].done);
                arena_free(&runs[i].arena);
        }
        for (size_t i = 0; i < worlds; i++)
                free_world(&world[i]);
        print_message("%zu worlds, %zu programs: %zu changes gave an event (%zu by programs), %zu none\n", worlds, program_count, good,
                      good_by_programs, bad);
        assert_true(good > worlds * EVENTS / 5 && bad > worlds * EVENTS / 10 && good_by_programs > worlds);
        free(world);
        free(runs);
        arena_free(&arena);
}

static bool agrees(const char *body, unsigned version, struct error *error) {
        struct arena CLEANUP(arena_free) scratch = {0};
        static const struct model_event event = {.name = "Task"};
        const struct json *json;
        assert_true(json_parse(bytes_of(body), NULL, &scratch, &json, NULL));
        return change_check_version(&event, version, json, error);
}

static void a_version_in_the_body_that_disagrees_is_named_however_it_is_spelt(void **state) {
        (void)state;
        static const char *const ones[] = {
                "{\"event_version\":1}", "{\"event_version\":1.0}", "{\"event_version\":10e-1}", "{\"event_version\":\"1\"}",
                "{\"event\\u005fversion\":1}", "{\"\\u0065vent_versio\\u006E\":\"1\"}",
        };
        struct error error;
        for (size_t i = 0; i < ARRAY_SIZE(ones); i++) {
                assert_true(agrees(ones[i], 1, NULL));
                assert_false(agrees(ones[i], 0, &error));
                assert_int_equal(error.code, ERROR_REJECTED);
                assert_non_null(strstr(error.text, "event_version says 1"));
                assert_non_null(strstr(error.text, "is version 0 of Task"));
        }
        static const char *const never[] = {"{\"event_version\":1.5}", "{\"event_version\":-1}", "{\"event_version\":1e40}"};
        for (size_t i = 0; i < ARRAY_SIZE(never); i++)
                assert_false(agrees(never[i], 1, &error));
        static const char *const silent[] = {"{}", "[1]", "{\"event_version\":null}", "{\"event_version\":\"one\"}",
                                             "{\"Event_version\":7}"};
        for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
                assert_true(agrees(silent[i], 1, NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_version_in_the_body_that_disagrees_is_named_however_it_is_spelt),
                cmocka_unit_test(what_a_change_gives_fits_its_schema),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
