// SPDX-License-Identifier: Apache-2.0
// The verdict from bytes is that of parsing and evaluating, and costs no allocation.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "schema/schema_priv.h"
#include "schema/stream_priv.h"

// The linker leads all calls of these here (meson.build).
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
static size_t allocations;

void *__wrap_malloc(size_t size) {
        allocations++;
        return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
        allocations++;
        return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
        allocations++;
        return __real_realloc(memory, size);
}

static struct schema *compile(const char *text) {
        struct schema *schema = NULL;
        struct error error;
        if (!schema_compile(bytes_of(text), NULL, &schema, &error))
                fail_msg("%s: %s", text, error.text);
        return schema;
}

// One instance, both ways, from a copy of exactly its size. 'v', 'i', 'u' or 'e' (an error).
static char decide(const struct schema *schema, struct bytes text, const struct json_limits *limits) {
        struct arena arena = {0};
        char *copy = must_malloc(text.size + !text.size);
        if (text.size)
                memcpy(copy, text.data, text.size);
        struct bytes source = {copy, text.size};
        const struct json *instance;
        struct error parsed = {0}, scanned = {0};
        enum schema_verdict verdict = SCHEMA_UNDECIDED, expected = SCHEMA_UNDECIDED;
        bool is_json = json_parse(source, limits, &arena, &instance, &parsed);
        if (is_json)
                expected = schema_verdict(schema, instance, &arena);
        if (schema_verdict_bytes(schema, source, limits, &arena, &verdict, &scanned) != is_json || verdict != expected ||
            strcmp(parsed.text, scanned.text) != 0)
                fail_msg("%.*s: parsed: %d %d %s; scanned: %d %s", BYTES_PRINT(text), is_json, expected, parsed.text, verdict,
                         scanned.text);
        free(copy);
        arena_free(&arena);
        return !is_json ? 'e' : "viu"[verdict];
}

static void scan_and_evaluation_agree(void **state) {
        (void)state;
        static const struct { const char *schema, *instances[10], *verdicts; } cases[] = {
                {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},\"b\":{\"typ"
                 "e\":\"string\"}},"
                 "\"required\":[\"a\"],\"additionalProperties\":false}",
                 {"{\"a\":1,\"b\":\"x\"}", "{ \"b\" : \"\\u0041\" , \"a\" : 9.0 }", "{\"a\":10}", "{\"b\":\"x\"}", "{\"a\":1,\"c\":1}",
                  "{\"a\":1,\"\\u0061\":1}", "{\"a\":1.5}", "{\"a\":1,\"b\":\"\xff\"}", "{\"c\":\"\xff\"}", "[1]"}, "vviiieieei"},
                {"{\"oneOf\":[{\"properties\":{\"kind\":{\"const\":\"a\"},\"x\":{\"type\":\"integer\"}},\"required\":[\"kind\"]},"
                 "{\"properties\":{\"kind\":{\"enum\":[\"b\",\"c\"]},\"x\":{\"type\":\"string\"}},\"required\":[\"kind\"]}]}",
                 {"{\"kind\":\"a\",\"x\":1}", "{\"x\":\"1\",\"kind\":\"c\"}", "{\"kind\":\"a\",\"x\":\"1\"}", "{\"kind\":\"d\"}", "{}",
                  "{\"kind\":1}", "{\"x\":{\"a\":1,\"a\":2},\"kind\":\"b\"}", "1", "{\"kind\":\"\\u0061\",\"x\":2}"}, "vviiiieiv"},
                {"{\"anyOf\":[{\"type\":\"string\",\"minLength\":2},{\"type\":\"number\",\"multipleOf\":2},{\"type\":\"numbe"
                 "r\",\"minimum\":7}]}",
                 {"\"\\n\"", "\"яя\"", "\"я\"", "4", "5", "7", "1e400", "true", "-4.0"}, "iviviv" "viv"},
                {"{\"patternProperties\":{\"^n\":{\"type\":\"number\"}},\"additionalProperties\":{\"type\":\"boolean\"},"
                 "\"propertyNames\":{\"maxLength\":3},\"minProperties\":1}",
                 {"{\"n\":1,\"x\":true}", "{\"n\":true}", "{\"x\":1}", "{\"nnnn\":1}", "{}", "{\"x\":true,\"x\":true}"}, "viiiie"},
                {"{\"uniqueItems\":true,\"contains\":{\"const\":3},\"prefixItems\":[{\"type\":\"integer\"}],\"maxItems\":12}",
                 {"[3,4]", "[4,3,4]", "[4,5]", "[3,3.0]", "[3,\"\\u0061\",\"a\"]", "[3,null,true,false,\"null\",[],{},[[]]]",
                  "[3,1,2,4,5,6,7,8,9,10,11,1]", "[3,{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "[3,1,2,4,5,6,7,8,9,10,11,\"1\"]",
                  "[\"3\",3]"}, "viiiiviivi"},
                {"{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"not\":{\"required\":[\"b\"]}},"
                 "\"dependentRequired\":{\"c\":[\"d\"]}}",
                 {"{\"a\":1,\"b\":2}", "{\"a\":1}", "{\"b\":2}", "{\"c\":1}", "{\"c\":1,\"d\":[1,]}", "{\"d\":1}", "3"}, "viiievv"},
                {"{\"allOf\":[{\"properties\":{\"a\":{}}},{\"$ref\":\"#/$defs/b\"}],\"unevaluatedProperties\":false,"
                 "\"$defs\":{\"b\":{\"properties\":{\"b\":{\"type\":\"null\"}}}}}",
                 {"{\"a\":1,\"b\":null}", "{\"b\":1}", "{\"c\":1}", "{}"}, "viiv"},
                {"{\"items\":{\"enum\":[1,\"a\",null,[1],{\"x\":2},true]}}",
                 {"[1,1.0,\"a\",null,[1.0],{\"x\":2e0},true]", "[false]", "[[2]]", "[\"b\"]", "[10e-1]", "[2]"}, "viiivi"},
                {"{\"$id\":\"http://a/tree\",\"$dynamicAnchor\":\"n\",\"properties\":{\"v\":{\"type\":\"integer\"},"
                 "\"c\":{\"items\":{\"$dynamicRef\":\"#n\"}}},\"additionalProperties\":false}",
                 {"{\"v\":1,\"c\":[{\"v\":2,\"c\":[]}]}", "{\"c\":[{\"v\":\"2\"}]}", "{\"c\":[{\"w\":2}]}"}, "vii"},
                {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"items\":{\"type\":\"integer\",\"enum\":[1,2]}}",
                 {"[1,2]", "[1.0]", "[3]", "[1e0]"}, "viii"},
                {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"items\":{\"enum\":[1,2]}}", {"[1,2.0,10e-1]", "[2.5]"}, "vi"},
                {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"items\":{\"enum\":[2],\"not\":{\"type\":\"integer\"}}}",
                 {"[2.0]", "[2]"}, "vi"},
                {"{\"type\":\"number\",\"exclusiveMinimum\":0.1,\"maximum\":9007199254740993}",
                 {"0.1", "0.10000000000000000000000001", "9007199254740993", "9007199254740994", "9007199254740992.5", "-1", "01", "1.",
                  "1e1000000001"}, "ivvivieee"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = compile(cases[i].schema);
                assert_non_null(schema->stream);
                for (size_t j = 0; j < ARRAY_SIZE(cases[i].instances) && cases[i].instances[j]; j++) {
                        char verdict = decide(schema, bytes_of(cases[i].instances[j]), NULL);
                        if (verdict != cases[i].verdicts[j])
                                fail_msg("%s with %s: %c", cases[i].schema, cases[i].instances[j], verdict);
                }
                schema_free(schema);
        }
}

// Every prefix of a document, and every document with one byte changed, is refused or decided alike.
static void broken_documents_are_refused_alike(void **state) {
        (void)state;
        const char *text = "{\"a\" : [1, -2.5e3, true, null, \"\\ud83d\\ude00 \xD0\xAF\"], \"b\":{\"c\":{},\"d\":[]},\"e\":false}";
        static const char bytes[] = "\"\\{}[]:, 0e-a\x01\xFF";
        static const char *const sources[] = {
                "true", "{\"properties\":{\"a\":{\"items\":{\"type\":[\"number\",\"string\",\"boolean\",\"null\"]}},\"b\":{\""
                "required\":[\"c\"]}}}",
                "{\"required\":[\"zz\"]}", "{\"properties\":{\"a\":{\"uniqueItems\":true}},\"unevaluatedProperties\":{\"anyO"
                "f\":[{},{}]}}",
        };
        size_t size = strlen(text), errors = 0;
        for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
                struct schema *schema = compile(sources[i]);
                char *copy = strdup(text);
                for (size_t j = 0; j <= size; j++)
                        errors += decide(schema, (struct bytes){text, j}, NULL) == 'e';
                for (size_t j = 0; j < size; j++) {
                        for (size_t k = 0; k < sizeof bytes - 1; k++) {
                                copy[j] = bytes[k];
                                errors += decide(schema, (struct bytes){copy, size}, NULL) == 'e';
                        }
                        copy[j] = text[j];
                }
                free(copy);
                schema_free(schema);
        }
        assert_true(errors > 1000);
}

static void limits_are_those_of_the_parser(void **state) {
        (void)state;
        struct schema *schema = compile("{\"items\":{\"items\":{\"type\":[\"array\",\"integer\"]}}}");
        struct json_limits limits = {.depth = 3};
        assert_int_equal(decide(schema, BYTES("[[[1]]]"), &limits), 'v');
        assert_int_equal(decide(schema, BYTES("[[[[1]]]]"), &limits), 'e');
        limits = (struct json_limits){.nodes = 4};
        assert_int_equal(decide(schema, BYTES("[[1,2]]"), &limits), 'v');
        assert_int_equal(decide(schema, BYTES("[[1,2,3]]"), &limits), 'e');
        assert_int_equal(decide(schema, BYTES("{\"a\":{}}"), &limits), 'v');
        assert_int_equal(decide(schema, BYTES("{\"a\":{\"b\":1}}"), &limits), 'e');
        limits = (struct json_limits){.bytes = 3};
        assert_int_equal(decide(schema, BYTES("[1]"), &limits), 'v');
        assert_int_equal(decide(schema, BYTES("[1] "), &limits), 'e');
        limits = (struct json_limits){.keep_last = true};
        assert_int_equal(decide(schema, BYTES("{\"a\":1,\"a\":2}"), &limits), 'v');
        schema_free(schema);
}

// More than 64 named keys, more than 16 others, more than 64 open ones: what grows, grows right.
static void large_objects_and_arrays_are_decided(void **state) {
        (void)state;
        struct buffer text = {0}, source = {0};
        for (unsigned i = 0; i < 200; i++)
                buffer_print(&source, "%s\"key_%u\":{\"type\":\"integer\"}", i ? "," : "{\"required\":[\"key_7\"],\"properties\":{", i);
        buffer_append(&source, BYTES("}}"));
        buffer_append_byte(&source, '\0');
        struct schema *schema = compile(source.data);
        for (unsigned i = 0; i < 400; i++)
                buffer_print(&text, "%s\"key_%u\":%u", i ? "," : "{", i * 7 % 400, i);
        size_t open = text.size;
        buffer_append_byte(&text, '}');
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'v');
        static const struct { const char *rest; char verdict; } rests[] = {
                {",\"key_150\":1}", 'e'}, {",\"key_350\":1}", 'e'}, {",\"key_400\":\"\"}", 'v'}, {",\"\\u006bey_399\":1}", 'e'},
        };
        for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
                text.size = open;
                buffer_append(&text, bytes_of(rests[i].rest));
                assert_int_equal(decide(schema, buffer_bytes(&text), NULL), rests[i].verdict);
        }
        schema_free(schema);
        schema = compile("{\"uniqueItems\":true}");
        buffer_clear(&text);
        for (unsigned i = 0; i < 3000; i++)
                buffer_print(&text, "%s\"%u\"", i ? "," : "[", i);
        open = text.size;
        buffer_append(&text, BYTES(",2999]"));
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'v');
        text.size = open;
        buffer_append(&text, BYTES(",\"17\"]"));
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'i');
        schema_free(schema);
        buffer_free(&text);
        buffer_free(&source);
}

// In an array that nothing is asserted about, an object is compared with the one before it.
static void keys_differ_where_nothing_is_asserted(void **state) {
        (void)state;
        static const struct { const char *text; char verdict; } cases[] = {
                {"[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2},{\"a\":1}]", 'v'}, {"[{\"a\":1,\"b\":2},{\"a\":1,\"a\":2}]", 'e'},
                {"[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2,\"a\":3}]", 'e'},
                {"[{\"a\":1,\"b\":2},{\"a\":1,\"b\":2,\"c\":3},{\"a\":1,\"c\":2}]", 'v'},
                {"[{\"a\":[{\"x\":1},{\"x\":2}]},{\"a\":[{\"x\":1,\"y\":1},{\"x\":2,\"x\":1}]}]", 'e'},
                {"[{\"a\" : 1,\"b\":2},{\"a\":1, \"b\" :2},{\"\\u0061\":1,\"b\":1},{\"\\u0061\":1,\"a\":1}]", 'e'},
                {"[{\"\\u0061\":1,\"b\":1},{\"a\":1,\"b\":2},{\"a\":3}]", 'v'},
                {"[{\"ab\":1},{\"a\":1},{\"abc\":1},{\"\":1},{\"\":1}]", 'v'},
                {"[{\"a_key_of_more_than_16\":1},{\"a_key_of_more_than_16\":1},{\"a_key_of_more_than_1\":1}]", 'v'},
                {"[{\"a\":1},{\"a\"1}]", 'e'}, {"[{\"a\":1},{\"a\":1,}]", 'e'},
                {"[{\"a\\\"\":1},{\"a\"\":1}]", 'e'}, {"[{\"a\\\\b\":1},{\"a\\b\":1,\"a\\b\":2}]", 'e'},
                {"[{\"a\\\\qb\":1},{\"a\\qb\":1}]", 'e'}, {"[{\"a\\n\":1},{\"a\n\":1}]", 'e'},
                {"[{\"x\":0,\"a\\\"\":1,\"y\":0},{\"x\":0,\"a\\\"\":1,\"y\":0},{\"x\":0,\"y\":0,\"a\\\"\":1}]", 'v'},
                {"[{\"a\":1},{},{\"a\":1,\"b\":{\"a\":1}},{\"b\":1,\"b\":1}]", 'e'},
                {"[{\"a\":1,\"b\":1},{\"b\":1,\"a\":1},{\"b\":1,\"a\":1,\"b\":1}]", 'e'},
        };
        struct schema *schema = compile("true");
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char verdict = decide(schema, bytes_of(cases[i].text), NULL);
                if (verdict != cases[i].verdict)
                        fail_msg("%s: %c", cases[i].text, verdict);
        }
        struct buffer text = {0};
        for (unsigned last = 0; last < 2; last++) {             // many keys, of which one comes twice
                buffer_clear(&text);
                for (unsigned object = 0; object < 3; object++) {
                        buffer_print(&text, "%s{", object ? "," : "[");
                        for (unsigned i = 0; i < 100; i++)
                                buffer_print(&text, "%s\"k%u\":%u", i ? "," : "", i == 99 && object == 2 && last ? 50 : i, i);
                        buffer_append_byte(&text, '}');
                }
                buffer_append_byte(&text, ']');
                assert_int_equal(decide(schema, buffer_bytes(&text), NULL), last ? 'e' : 'v');
        }
        buffer_free(&text);
        schema_free(schema);
}

static size_t steps_to_keys(const struct plan_object *plan, uint64_t seed) {
        size_t steps = 0;
        for (uint32_t i = 0; i < plan->key_count; i++) {
                uint32_t at = key_hash(plan->keys[i].name, plan->keys[i].size, seed) & plan->slot_mask;
                for (; (plan->slots[at] & 0xFFFF) != i + 1; at = (at + 1) & plan->slot_mask)
                        steps++;
                steps++;
        }
        return steps;
}

// Counted, not timed: finding each of many keys, and comparing many keys or elements, takes few steps each.
static void work_grows_with_the_instance(void **state) {
        (void)state;
        for (unsigned count = 1000; count <= 16000; count *= 4) {
                struct buffer source = {0};
                for (unsigned i = 0; i < count; i++)
                        buffer_print(&source, "%s\"prefix__%05u__suffix\":{\"type\":\"integer\"}", i ? "," : "{\"properties\":{", i);
                buffer_append(&source, BYTES("},\"additionalProperties\":false}"));
                buffer_append_byte(&source, '\0');
                struct schema *schema = compile(source.data);
                assert_true(steps_to_keys(schema->stream->root->object->object, schema->seed) < 3 * (size_t)count);
                struct arena arena = {0};
                struct machine machine = {.schema = schema, .seed = schema->seed, .scratch = &arena};
                machine.entries = must_calloc(count, sizeof *machine.entries);
                for (unsigned i = 0; i < count; i++)
                        machine.entries[i] = (struct entry){arena_print(&arena, "%05u", i), 5, JSON_STRING};
                machine.entry_count = machine.entry_capacity = count;
                assert_int_equal(entries_differ(&machine, 0), RUN_GOOD);
                assert_in_range(machine.collisions, 1, 2 * (size_t)count);
                machine.entries[count - 1].text = machine.entries[0].text;
                assert_int_equal(entries_differ(&machine, 0), RUN_SYNTAX);
                free(machine.entries);
                arena_free(&arena);
                schema_free(schema);
                buffer_free(&source);
        }
}

// Which types a schema can match is looked for in so many places only: with 250 ways at each of four levels this would not end.
static void planning_comes_to_an_end(void **state) {
        (void)state;
        static const char *const keywords[] = {"anyOf", "allOf"};
        for (size_t form = 0; form < ARRAY_SIZE(keywords); form++) {
                struct buffer source = {0};
                buffer_append(&source, BYTES("{\"anyOf\":[{\"$ref\":\"#/$defs/d0\"},{\"type\":\"boolean\"}],\"$defs\":{"));
                for (unsigned level = 0; level < 4; level++) {
                        buffer_print(&source, "\"d%u\":{\"%s\":[", level, keywords[form]);
                        for (unsigned i = 0; i < 250; i++)
                                buffer_print(&source, "%s{\"$ref\":\"#/$defs/d%u\"}", i ? "," : "", level + 1);
                        buffer_append(&source, BYTES("]},"));
                }
                buffer_append(&source, BYTES("\"d4\":{\"type\":\"string\"}}}"));
                buffer_append_byte(&source, '\0');
                struct schema *schema = compile(source.data);
                assert_int_equal(decide(schema, BYTES("true"), NULL), 'v');
                assert_int_equal(decide(schema, BYTES("\"a\""), NULL), 'v');
                assert_int_equal(decide(schema, BYTES("1"), NULL), 'i');
                schema_free(schema);
                buffer_free(&source);
        }
}

static size_t longest_run(const struct plan_values *values) {
        size_t longest = 0, run = 0;
        for (size_t i = 0; i <= 2 * (size_t)values->slot_mask + 1; i++) {
                run = values->slots[i & values->slot_mask] ? run + 1 : 0;
                longest = MAX(longest, run);
        }
        return longest;
}

// Nor is one of many values looked for among all.
static void many_values_are_found_by_hash(void **state) {
        (void)state;
        for (unsigned form = 0; form < 3; form++) {
                struct buffer source = {0};
                for (unsigned i = 0; i < 5000; i++) {
                        buffer_append(&source, i ? BYTES(",") : BYTES("{\"enum\":["));
                        buffer_print(&source, form == 0 ? "%u" : form == 1 ? "%u.50" : "\"prefix__%05u__suffix\"", i);
                }
                buffer_append(&source, BYTES("]}"));
                buffer_append_byte(&source, '\0');
                struct schema *schema = compile(source.data);
                assert_in_range(longest_run(schema->stream->root->listed[form == 2 ? JSON_STRING : JSON_NUMBER]), 1, 200);
                assert_int_equal(decide(schema, form == 0   ? BYTES("41.0e2")
                                                : form == 1 ? BYTES("4100.5")
                                                            : BYTES("\"prefix__04100__suffix\""), NULL), 'v');
                assert_int_equal(decide(schema, form == 2 ? BYTES("\"prefix__05000__suffix\"") : BYTES("4100.25"), NULL), 'i');
                schema_free(schema);
                buffer_free(&source);
        }
}

// Who knows the seed may choose elements that collide: the table is given up after some steps, the verdict is the same.
static void collisions_are_given_up(void **state) {
        (void)state;
        struct schema *schema = compile("{\"uniqueItems\":true}");
        struct arena arena = {0};
        struct buffer text = {0};
        struct machine machine = {.schema = schema, .seed = schema->seed, .scratch = &arena};
        size_t count = 0;
        machine.entries = must_calloc(1000, sizeof *machine.entries);
        for (unsigned i = 0; count < 1000; i++) {
                struct entry entry = {arena_print(&arena, "%06x", i), 6, JSON_STRING};
                if (key_hash(entry.text, entry.size, schema->seed) % 2048)
                        continue;
                buffer_print(&text, "%s\"%s\"", count ? "," : "[", entry.text);
                machine.entries[count++] = entry;
        }
        machine.entry_count = machine.entry_capacity = count;
        assert_int_equal(entries_differ(&machine, 0), RUN_DEFER);
        assert_in_range(machine.collisions, COLLISIONS_MAX * count, (COLLISIONS_MAX + 1) * count);
        buffer_print(&text, ",\"%s\"]", machine.entries[500].text);
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'i');
        text.data[text.size - 3] = 'x';
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'v');
        free(machine.entries);
        arena_free(&arena);
        buffer_free(&text);
        schema_free(schema);
}

// Large formulas over many small objects are charged like bytes that are scanned again; then the evaluation, which counts its steps,
// decides.
static void large_formulas_are_charged(void **state) {
        (void)state;
        struct buffer source = {0}, text = {0};
        buffer_append(&source, BYTES("{\"items\":{\"anyOf\":["));
        for (unsigned i = 0; i < 190; i++)
                buffer_print(&source, "%s{\"required\":[\"a%u\",\"b%u\",\"c%u\",\"d%u\"]}", i ? "," : "", i, i, i, i);
        buffer_append(&source, BYTES("]}}"));
        buffer_append_byte(&source, '\0');
        struct schema *schema = compile(source.data);
        const struct plan_object *plan = schema->stream->root->array->rest->object->object;
        assert_in_range(plan->test_cost, 191 * 12 / 64, 191 * 13 / 64);
        for (unsigned i = 0; i < 20000; i++)
                buffer_print(&text, "%s{\"a1\":0,\"b1\":0,\"c1\":0,\"d1\":0}", i ? "," : "[");
        buffer_append_byte(&text, ']');
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'v');
        struct arena arena = {0};
        struct machine machine = {.schema = schema, .seed = schema->seed, .scratch = &arena, .again = 100};
        uint64_t seen[16] = {0};
        struct ended object = {.plan = plan, .one = seen};
        size_t looked = 0;
        while (run_formula(&machine, &object) == RUN_INVALID)
                looked++;
        assert_int_equal(looked, 100 / plan->test_cost);
        assert_int_equal(run_formula(&machine, &object), RUN_DEFER);
        buffer_free(&source);
        buffer_free(&text);
        arena_free(&arena);
        schema_free(schema);
}

// Elements are compared by what they are: objects in any order, numbers by value, strings decoded; and nothing is parsed but where two
// hashes are equal, or a number has an exponent. Parsing is charged: what is left tells.
static void elements_are_compared_unparsed(void **state) {
        (void)state;
        static const struct { const char *instance; char verdict; bool parsed; } cases[] = {
                {"[{\"a\":1,\"b\":[true,null]},{\"a\":1,\"b\":[null,true]},{\"a\":1},[],{},[[]],[{}],\"\",{\"b\":1}]", 'v', false},
                {"[{\"a\":1,\"b\":2},{ \"b\" : 2 , \"a\" : 1 }]", 'i', true}, {"[{\"a\":1},{\"\\u0061\":1.0}]", 'i', true},
                {"[{\"a\":\"\\u00e9\"},{\"a\":\"é\"}]", 'i', true}, {"[{\"a\":\"\\u00e9\"},{\"a\":\"e\"}]", 'v', false},
                {"[[1,2],[2,1],[12],[1.2],[-1,2],[\"1\",2],[1,2,3]]", 'v', false}, {"[[0],[-0.0]]", 'i', true},
                {"[[1.50],[1.5]]", 'i', true},
                {"[[10],[1e1]]", 'i', true}, {"[[10],[1e2]]", 'v', true}, {"[1,1.0]", 'i', false}, {"[0,-0]", 'i', false},
                {"[-0.0,0.00]", 'i', false},
                {"[10,1.0,100,0.10,0.01,-1]", 'v', false}, {"[10,1E1]", 'i', true},
                {"[true,\"true\",[true]]", 'v', false}, {"[null,null]", 'i', false},
                {"[{\"a\":{\"b\":1,\"c\":2}},{\"a\":{\"c\":2,\"b\":1}}]", 'i', true}, {"[{\"a\":1,\"b\":2},{\"a\":2,\"b\":1}]", 'v', false},
                {"[{},0,1,2,3,4,5,6,7,{}]", 'i', true}, {"[{},0,1,2,3,4,5,6,7,[]]", 'v', false}, {"[[1 , 2 ],[ 1,2]\n]", 'i', true},
        };
        struct schema *schema = compile("{\"uniqueItems\":true}");
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct bytes text = bytes_of(cases[i].instance);
                struct arena arena = {0};
                int64_t budget = 1000000, size = (int64_t)text.size;
                struct machine machine = {.start = text.data, .at = text.data, .end = text.data + text.size, .schema = schema,
                        .seed = schema->seed, .scratch = &arena, .anything = schema->stream->anything, .depth_limit = 10, .again = budget};
                machine.entries = machine.entry_room;
                machine.entry_capacity = ENTRIES_ROOM;
                assert_int_equal(decide(schema, text, NULL), cases[i].verdict);
                assert_int_equal(run_value(&machine, schema->stream->root), cases[i].verdict == 'v' ? RUN_GOOD : RUN_INVALID);
                assert_int_equal(budget - machine.again >= size * SCAN_PARSED_COST, cases[i].parsed);
                arena_free(&arena);
        }
        schema_free(schema);
}

// Large instances, too, find the memory they need where the arena keeps it.
static void large_instances_allocate_once(void **state) {
        (void)state;
        struct schema *schema = compile("{\"uniqueItems\":true}");
        struct arena scratch = {0};
        struct buffer text = {0};
        for (unsigned i = 0; i < 2500; i++)
                buffer_print(&text, "%s\"%05u\"", i ? "," : "[", i);
        buffer_append_byte(&text, ']');
        size_t before = 0;
        for (int round = 0; round < 10; round++) {
                enum schema_verdict verdict;
                if (round == 3)
                        before = allocations;
                arena_reset_keeping(&scratch, 1 << 20);
                assert_true(schema_verdict_bytes(schema, buffer_bytes(&text), NULL, &scratch, &verdict, NULL));
                assert_int_equal(verdict, SCHEMA_VALID);
        }
        assert_int_equal(allocations, before);
        arena_free(&scratch);
        buffer_free(&text);
        schema_free(schema);
}

// Branches within branches are scanned again only so often; then the parsed document is evaluated, with a memory.
static void nested_branches_come_to_an_end(void **state) {
        (void)state;
        struct schema *schema = compile("{\"anyOf\":[{\"items\":{\"$ref\":\"#\"},\"maxItems\":1,\"type\":\"array\"},"
                                        "{\"items\":{\"$ref\":\"#\"},\"maxItems\":1,\"type\":\"array\"}]}");
        struct buffer text = {0};
        for (int i = 0; i < 60; i++)
                buffer_append_byte(&text, '[');
        buffer_append_byte(&text, '0');
        for (int i = 0; i < 60; i++)
                buffer_append_byte(&text, ']');
        assert_int_equal(decide(schema, buffer_bytes(&text), NULL), 'i');
        struct arena arena = {0};                               // ... and each time costs something, however short the value is
        struct machine machine = {.schema = schema, .seed = schema->seed, .scratch = &arena, .start = "0", .at = "0", .depth_limit = 8};
        machine.end = machine.at + 1;
        machine.again = 100 * SCAN_AGAIN_COST;
        size_t times = 0;
        while (run_again(&machine, machine.start, schema->stream->root) != RUN_DEFER)
                times++;
        assert_int_equal(times, 100);
        machine.again = INT64_MAX;                              // nor do they nest without end: the stack has one
        machine.nested = SCAN_NESTED_MAX - 1;
        assert_int_equal(run_again(&machine, machine.start, schema->stream->root), RUN_INVALID);
        machine.nested++;
        assert_int_equal(run_again(&machine, machine.start, schema->stream->root), RUN_DEFER);
        arena_free(&arena);
        schema_free(schema);
        buffer_free(&text);
}

static void nothing_is_allocated_for_an_instance(void **state) {
        (void)state;
        static const char source[] =
                "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"integer\"},\"name\":{\"type\""
                ":\"string\","
                "\"minLength\":1},\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"b\"]},\"uniqueItems\":true},"
                "\"shape\":{\"oneOf\":[{\"properties\":{\"t\":{\"const\":\"x\"}},\"required\":[\"t\"]},"
                "{\"properties\":{\"t\":{\"const\":\"y\"}},\"required\":[\"t\"]}]}}}";
        static const char *const instances[] = {
                "{\"id\":1,\"name\":\"Anna\",\"tags\":[\"a\",\"b\"],\"shape\":{\"t\":\"y\",\"u\":{\"v\":[1,2,{}]}},\"x\":{\"a\":1}}",
                "{\"name\":\"Anna\"}", "{\"id\":\"1\"}", "{\"id\":1,\"shape\":{\"t\":\"z\"}}",
        };
        struct schema *schema = compile(source);
        struct arena scratch = {0};
        enum schema_verdict verdict;
        size_t before = allocations;
        assert_true(before > 0);                                // they are counted
        for (int round = 0; round < 100; round++)
                for (size_t i = 0; i < ARRAY_SIZE(instances); i++) {
                        bool decided = schema_verdict_bytes(schema, bytes_of(instances[i]), NULL, &scratch, &verdict, NULL);
                        if (!decided || verdict != (i ? SCHEMA_INVALID : SCHEMA_VALID))
                                fail_msg("%s: %d", instances[i], verdict);
                }
        assert_int_equal(allocations, before);
        assert_null(scratch.blocks);
        schema_free(schema);
}

// What applies to an object as a whole is decided where it ends, without parsing and without memory.
static void branches_of_objects_are_not_parsed(void **state) {
        (void)state;
        static const struct { const char *schema, *instances[8], *verdicts; } cases[] = {
                {"{\"properties\":{\"s\":{\"items\":{\"oneOf\":[{\"required\":[\"uses\"]},{\"required\":[\"run\"]}]}}}}",
                 {"{\"s\":[{\"uses\":1},{\"run\":{}}]}", "{\"s\":[{\"uses\":1,\"run\":1}]}", "{\"s\":[{}]}"}, "vii"},
                {"{\"if\":{\"properties\":{\"in\":{\"const\":\"path\"}},\"required\":[\"in\"]},\"then\":{\"properties\":"
                 "{\"required\":{\"const\":true}},\"required\":[\"required\"]},\"else\":{\"not\":{\"required\":[\"x\"]}}}",
                 {"{\"in\":\"path\",\"required\":true}", "{\"required\":false,\"in\":\"path\"}", "{\"in\":\"query\"}",
                  "{\"x\":[{}]}", "{\"in\":{\"in\":1},\"required\":[1,{}]}"}, "viviv"},
                {"{\"properties\":{\"a\":true},\"anyOf\":[{\"properties\":{\"b\":{\"type\":\"integer\"}},\"required\":[\"b\"]},"
                 "{\"properties\":{\"c\":{\"minimum\":2}},\"required\":[\"c\"]}],\"unevaluatedProperties\":false}",
                 {"{\"a\":1,\"b\":1}", "{\"b\":1,\"c\":2}", "{\"b\":1,\"c\":1}", "{\"c\":2,\"d\":1}", "{\"a\":1}"}, "vviii"},
                {"{\"if\":{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},\"then\":{\"properties\":{\"x\":true}},"
                 "\"else\":{\"properties\":{\"y\":true}},\"unevaluatedProperties\":{\"type\":\"null\"}}",
                 {"{\"k\":1,\"x\":1}", "{\"k\":1,\"y\":1}", "{\"k\":1,\"y\":null}", "{\"k\":null,\"y\":1,\"z\":null}",
                  "{\"k\":2,\"y\":1}", "{\"x\":1,\"y\":1}"}, "vivvii"},
                {"{\"dependentSchemas\":{\"card\":{\"required\":[\"address\"],\"properties\":{\"address\":{\"minLength\":2}}}}}",
                 {"{\"card\":1,\"address\":\"ab\"}", "{\"card\":1,\"address\":\"\\u0061\"}", "{\"card\":1}", "{\"address\":\"\"}",
                  "[]"}, "viivv"},
                {"{\"anyOf\":[{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"minProperties\":2},{\"additionalProperties\":"
                 "false,\"properties\":{\"y\":true}}]}",
                 {"{\"x\":1,\"z\":2}", "{\"x\":\"1\",\"z\":2}", "{\"y\":1}", "{\"y\":1,\"x\":1.5}", "{\"z\":1}"}, "vivii"},
                {"{\"patternProperties\":{\"^a\":{\"type\":\"integer\"},\"b$\":{\"minimum\":2},\"^c\":{\"type\":\"string\"},"
                 "\"^d\":{\"type\":\"null\"},\"^e\":true,\"^f\":{\"type\":\"array\"}},\"additionalProperties\":false,"
                 "\"properties\":{\"ab\":true}}",
                 {"{\"a\":1,\"xb\":2,\"c\":\"\"}", "{\"acb\":1}", "{\"acb\":2}", "{\"e\":{\"g\":[]},\"f\":[]}", "{\"g\":1}",
                  "{\"ab\":1}", "{\"ab\":2,\"d\":null}"}, "vivviiv"},
                {"{\"enum\":[[1,\"a\"],{\"x\":{\"y\":[2.0]}},[],{},3]}",
                 {"[1.0,\"a\"]", "{\"x\":{\"y\":[2]}}", "{\"x\":{\"y\":[3]}}", "[]", "[1]", "{\"x\":{\"y\":[2]},\"z\":1}", "[1,\"a\",1]",
                  "{\"\\u0078\":{\"y\":[2]}}"}, "vvi" "vii" "iv"},
                {"{\"$id\":\"http://x/r\",\"properties\":{\"i\":{\"$ref\":\"ints\"},\"t\":{\"$ref\":\"texts\"},\"l\":{\"$ref\":\"list\"}},"
                 "\"$defs\":{\"l\":{\"$id\":\"list\",\"items\":{\"$dynamicRef\":\"#T\"},\"$defs\":{\"T\":{\"$dynamicAnchor\":\"T\"}}},"
                 "\"i\":{\"$id\":\"ints\",\"$ref\":\"list\",\"$defs\":{\"T\":{\"$dynamicAnchor\":\"T\",\"type\":\"integer\"}}},"
                 "\"t\":{\"$id\":\"texts\",\"$ref\":\"list\",\"$defs\":{\"T\":{\"$dynamicAnchor\":\"T\",\"type\":\"string\"}}}}}",
                 {"{\"i\":[1],\"t\":[\"a\"],\"l\":[1,\"a\"]}", "{\"i\":[\"a\"]}", "{\"t\":[1]}"}, "vii"},
                {"{\"propertyNames\":{\"anyOf\":[{\"pattern\":\"^x-\"},{\"enum\":[\"a\",\"b\"]}]},\"properties\":{\"a\":{},\"c\":{}}}",
                 {"{\"x-1\":1,\"a\":2}", "{\"c\":1}", "{\"d\":1}", "{\"\\u0061\":1,\"b\":[]}", "{ \"x-\" : {\"z\":1} }"}, "viivv"},
                {"{\"dependentSchemas\":{\"a\":{\"properties\":{\"b\":true}}},\"unevaluatedProperties\":false}",     // a is named late
                 {"{\"a\" :1}", "{\"\\u0061\":1}", "{\"b\": 1}", "{}"}, "iiiv"},
                {"{\"const\":{\"a\":[]},\"minProperties\":1}", {"{\"a\":[]}", "{\"a\":[0]}", "{}", "1", "{\"a\":[],\"a\":1}"}, "viiie"},
        };
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct schema *schema = compile(cases[i].schema);
                struct arena scratch = {0};
                assert_int_equal(schema->stream->root->dom, 0);
                size_t before = allocations;
                for (size_t j = 0; j < ARRAY_SIZE(cases[i].instances) && cases[i].instances[j]; j++) {
                        struct bytes text = bytes_of(cases[i].instances[j]);
                        enum schema_verdict verdict;
                        bool is_json = schema_verdict_bytes(schema, text, NULL, &scratch, &verdict, NULL);
                        if (is_json && !memchr(text.data, '\\', text.size) && (allocations != before || scratch.blocks))
                                fail_msg("%s with %s allocates", cases[i].schema, cases[i].instances[j]);
                        char decided = decide(schema, text, NULL);
                        if (decided != cases[i].verdicts[j] || (is_json ? "viu"[verdict] : 'e') != decided)
                                fail_msg("%s with %s: %c", cases[i].schema, cases[i].instances[j], decided);
                        arena_free(&scratch);
                        before = allocations;
                }
                schema_free(schema);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(scan_and_evaluation_agree),
                cmocka_unit_test(broken_documents_are_refused_alike),
                cmocka_unit_test(limits_are_those_of_the_parser),
                cmocka_unit_test(large_objects_and_arrays_are_decided),
                cmocka_unit_test(keys_differ_where_nothing_is_asserted),
                cmocka_unit_test(work_grows_with_the_instance),
                cmocka_unit_test(planning_comes_to_an_end),
                cmocka_unit_test(many_values_are_found_by_hash),
                cmocka_unit_test(collisions_are_given_up),
                cmocka_unit_test(large_formulas_are_charged),
                cmocka_unit_test(elements_are_compared_unparsed),
                cmocka_unit_test(large_instances_allocate_once),
                cmocka_unit_test(nested_branches_come_to_an_end),
                cmocka_unit_test(branches_of_objects_are_not_parsed),
                cmocka_unit_test(nothing_is_allocated_for_an_instance),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
