// SPDX-License-Identifier: Apache-2.0
// Random pairs of schemas: whenever the reader is said to accept all that the writer may write, no instance of a pool, and none that is
// made up from the writer's schema, may be valid for the writer and refused by the reader. One seed, one sequence.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "schema/compatible.h"
#include "schema/generate.h"

static uint64_t state;

static uint64_t below(uint64_t bound) {
        uint64_t z = state += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return (z ^ z >> 31) % bound;
}

static const char *pick(const char *const *list, size_t count) {
        return list[below(count)];
}
#define PICK(list) pick(list, ARRAY_SIZE(list))

static const char *const types[] = {"\"null\"", "\"boolean\"", "\"integer\"", "\"number\"", "\"string\"", "\"array\"", "\"object\"",
                                    "[\"integer\",\"string\"]", "[\"object\",\"null\"]", "[\"array\",\"object\"]"};
static const char *const names[] = {"a", "b", "ab", "c"};
static const char *const values[] = {"null", "true", "0", "1", "1.0", "2", "1.5", "\"\"",
                                     "\"a\"", "\"ab\"", "[]", "[1]", "{}", "{\"a\":1}"};
static const char *const numbers[] = {"-1", "0", "1", "1.5", "2", "3"};
static const char *const patterns[] = {"^a", "b$", "a"};

static unsigned draft;          // 4, 6, 7, 2019 or 2020
static bool defaults;

static void make_schema(struct buffer *buffer, unsigned depth);

static void make_map(struct buffer *buffer, const char *const *keys, size_t count, unsigned depth) {
        bool first = true;
        buffer_append_byte(buffer, '{');
        for (size_t i = 0; i < count; i++) {
                if (below(2))
                        continue;
                buffer_print(buffer, "%s\"%s\":", first ? "" : ",", keys[i]);
                first = false;
                make_schema(buffer, depth);
        }
        buffer_append_byte(buffer, '}');
}

static void make_list(struct buffer *buffer, unsigned depth) {
        size_t count = 1 + below(3);
        for (size_t i = 0; i < count; i++) {
                buffer_append_byte(buffer, i ? ',' : '[');
                make_schema(buffer, depth);
        }
        buffer_append_byte(buffer, ']');
}

static void make_names(struct buffer *buffer) {
        size_t at = below(ARRAY_SIZE(names));
        buffer_print(buffer, "[\"%s\"", names[at]);
        if (below(2))
                buffer_print(buffer, ",\"%s\"", names[(at + 1) % ARRAY_SIZE(names)]);
        buffer_append_byte(buffer, ']');
}

static void make_sub(struct buffer *buffer, const char *keyword, unsigned depth) {
        buffer_print(buffer, "\"%s\":", keyword);
        make_schema(buffer, depth);
}

static void make_counts(struct buffer *buffer, const char *least, const char *most) {
        if (below(2))
                buffer_print(buffer, "\"%s\":%u", least, (unsigned)below(3));
        else
                buffer_print(buffer, "\"%s\":%u", most, (unsigned)below(3));
}

static void make_number_keyword(struct buffer *buffer) {
        static const char *const limits[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
        if (below(5) == 0)
                buffer_print(buffer, "\"multipleOf\":%s", below(2) ? "2" : below(2) ? "1" : "0.5");
        else if (draft == 4 && below(3) == 0)
                buffer_print(buffer, "\"minimum\":%s,\"exclusiveMinimum\":true", PICK(numbers));
        else
                buffer_print(buffer, "\"%s\":%s", limits[below(draft == 4 ? 2 : 4)], PICK(numbers));
}

static void make_array_keyword(struct buffer *buffer, unsigned depth) {
        bool modern = draft >= 2019;
        switch (below(6)) {
        case 0: make_counts(buffer, "minItems", "maxItems"); break;
        case 1: buffer_append(buffer, BYTES("\"uniqueItems\":true")); break;
        case 2:
                make_sub(buffer, draft == 4 ? "items" : "contains", depth);
                if (modern && below(2)) {
                        buffer_append_byte(buffer, ',');
                        make_counts(buffer, "minContains", "maxContains");
                }
                break;
        case 3: make_sub(buffer, "items", depth); break;
        default:
                buffer_print(buffer, "\"%s\":", draft == 2020 ? "prefixItems" : "items");
                make_list(buffer, depth);
                if (below(2)) {
                        buffer_append_byte(buffer, ',');
                        make_sub(buffer, draft == 2020 ? "items" : "additionalItems", depth);
                }
        }
}

static void make_object_keyword(struct buffer *buffer, unsigned depth) {
        switch (below(9)) {
        case 0: make_counts(buffer, "minProperties", "maxProperties"); break;
        case 1:
                buffer_append(buffer, BYTES("\"required\":"));
                make_names(buffer);
                break;
        case 2:
                buffer_append(buffer, BYTES("\"patternProperties\":"));
                make_map(buffer, patterns, ARRAY_SIZE(patterns), depth);
                break;
        case 3: make_sub(buffer, draft == 4 ? "additionalProperties" : "propertyNames", depth); break;
        case 4:
                buffer_print(buffer, "\"%s\":{\"%s\":", draft >= 2019 ? "dependentRequired" : "dependencies", PICK(names));
                make_names(buffer);
                buffer_append_byte(buffer, '}');
                break;
        case 5:
                buffer_print(buffer, "\"%s\":{\"%s\":", draft >= 2019 ? "dependentSchemas" : "dependencies", PICK(names));
                make_schema(buffer, depth);
                buffer_append_byte(buffer, '}');
                break;
        case 6: buffer_append(buffer, BYTES("\"additionalProperties\":")); make_schema(buffer, depth); break;
        default:
                buffer_append(buffer, BYTES("\"properties\":"));
                make_map(buffer, names, ARRAY_SIZE(names), depth);
                if (below(2)) {
                        buffer_append_byte(buffer, ',');
                        if (draft == 4 || below(3)) {
                                buffer_append(buffer, BYTES("\"additionalProperties\":false"));
                        } else {
                                make_sub(buffer, draft >= 2019 ? "unevaluatedProperties" : "additionalProperties", depth);
                        }
                }
        }
}

static void make_branches(struct buffer *buffer, unsigned depth) {
        static const char *const keywords[] = {"allOf", "anyOf", "oneOf", "anyOf", "oneOf"};
        switch (below(8)) {
        case 0: make_sub(buffer, "not", depth); break;
        case 1:
                make_sub(buffer, "if", depth);
                buffer_append_byte(buffer, ',');
                make_sub(buffer, "then", depth);
                if (below(2)) {
                        buffer_append_byte(buffer, ',');
                        make_sub(buffer, "else", depth);
                }
                break;
        case 2: buffer_print(buffer, "\"$ref\":\"#%s\"", below(3) == 0 ? "" : below(2) ? "/definitions/x" : "/definitions/y"); break;
        default:
                buffer_print(buffer, "\"%s\":", PICK(keywords));
                make_list(buffer, depth);
                if (draft >= 2019 && below(4) == 0) {
                        buffer_append_byte(buffer, ',');
                        make_sub(buffer, below(2) ? "unevaluatedProperties" : "unevaluatedItems", 0);
                }
        }
}

static void make_keyword(struct buffer *buffer, unsigned depth) {
        switch (below(depth ? 9 : 5)) {
        case 0: case 1: buffer_print(buffer, "\"type\":%s", PICK(types)); break;
        case 2: make_number_keyword(buffer); break;
        case 3:
                if (below(3))
                        make_counts(buffer, "minLength", "maxLength");
                else
                        buffer_print(buffer, "\"pattern\":\"%s\"", PICK(patterns));
                break;
        case 4:
                if (draft != 4 && below(2))
                        buffer_print(buffer, "\"const\":%s", PICK(values));
                else
                        buffer_print(buffer, "\"enum\":[%s,%s]", PICK(values), PICK(values));
                break;
        case 5: make_array_keyword(buffer, depth - 1); break;
        case 6: case 7: make_object_keyword(buffer, depth - 1); break;
        default: make_branches(buffer, depth - 1);
        }
}

// Keys may come twice, and other things may be wrong: what does not compile is thrown away.
static void make_schema(struct buffer *buffer, unsigned depth) {
        if (draft != 4 && below(8) == 0) {
                buffer_append(buffer, bytes_of(below(2) ? "true" : "false"));
                return;
        }
        size_t count = below(3);
        buffer_append_byte(buffer, '{');
        for (size_t i = 0; i < count; i++) {
                if (i)
                        buffer_append_byte(buffer, ',');
                make_keyword(buffer, depth);
        }
        if (defaults && below(4) == 0)
                buffer_print(buffer, "%s\"default\":%s", count ? "," : "", PICK(values));
        buffer_append_byte(buffer, '}');
}

static void make_document(struct buffer *buffer) {
        static const char *const uris[] = {"http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#",
                                           "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema",
                                           "https://json-schema.org/draft/2020-12/schema"};
        static const unsigned drafts[] = {4, 6, 7, 2019, 2020};
        size_t at = below(ARRAY_SIZE(drafts));
        draft = drafts[at];
        buffer_print(buffer, "{\"$schema\":\"%s\",\"definitions\":{\"x\":", uris[at]);
        make_schema(buffer, 1);
        buffer_append(buffer, BYTES(",\"y\":"));
        make_schema(buffer, 2);
        buffer_append_byte(buffer, '}');
        for (size_t count = 1 + below(3); count; count--) {
                buffer_append_byte(buffer, ',');
                make_keyword(buffer, 2);
        }
        buffer_append_byte(buffer, '}');
}

// A change somewhere: a few bytes of what may stand there, or a piece taken out. Most do not compile, which is cheap.
static void change(const struct buffer *from, struct buffer *to) {
        static const char *const pieces[] = {"0", "1", "2", "3", "true", "false", "{}", "minimum", "maximum", "anyOf", "oneOf", "allOf",
                                             "\"integer\"", "\"number\"", "\"string\"", "\"object\"", "a", "b"};
        size_t at = from->size / 8 + below(from->size - from->size / 8), length = below(3) ? 1 : 1 + below(24);
        length = MIN(length, from->size - at);
        buffer_append(to, (struct bytes){from->data, at});
        if (below(3))
                buffer_append(to, bytes_of(PICK(pieces)));
        buffer_append(to, (struct bytes){from->data + at + length, from->size - at - length});
}

// ---- instances ----

enum { POOL_MAX = 4096 };
static struct arena pool_arena;
static const struct json *pool[POOL_MAX];
static size_t pool_count;

static void add_instance(struct bytes text) {
        struct bytes kept = arena_copy(&pool_arena, text);
        assert_true(pool_count < POOL_MAX);
        assert_true(json_parse(kept, NULL, &pool_arena, &pool[pool_count++], NULL));
}

static void make_instance(struct buffer *buffer, unsigned depth) {
        static const char *const scalars[] = {"null", "true", "false", "-1", "0", "1", "1.0", "2", "1.5", "3", "0.5", "\"\"",
                                              "\"a\"", "\"b\"",
                                              "\"ab\"", "\"abb\""};
        static const char *const keys[] = {"a", "b", "ab", "c", "d", "xa"};
        size_t count = below(4);
        bool first = true;
        switch (depth ? below(4) : 3) {
        case 0:
                buffer_append_byte(buffer, '[');
                for (size_t i = 0; i < count; i++) {
                        if (i)
                                buffer_append_byte(buffer, ',');
                        make_instance(buffer, depth - 1);
                }
                buffer_append_byte(buffer, ']');
                break;
        case 1: case 2:
                buffer_append_byte(buffer, '{');
                for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                        if (below(3))
                                continue;
                        buffer_print(buffer, "%s\"%s\":", first ? "" : ",", keys[i]);
                        first = false;
                        make_instance(buffer, depth - 1);
                }
                buffer_append_byte(buffer, '}');
                break;
        default: buffer_append(buffer, bytes_of(PICK(scalars)));
        }
}

static int make_pool(void **unused) {
        (void)unused;
        state = 1;
        for (size_t i = 0; i < 700; i++) {
                CLEANUP(buffer_free) struct buffer text = {0};
                make_instance(&text, 1 + (unsigned)(i % 3));
                add_instance(buffer_bytes(&text));
        }
        return 0;
}

static int free_pool(void **unused) {
        (void)unused;
        arena_free(&pool_arena);
        return 0;
}

// ---- the property ----

struct tally { size_t compatible, tolerable, incompatible, uncertain, refuted, unrefuted; };

static bool refuses(const struct schema *writer, const struct schema *reader, const struct json *instance, bool fill) {
        CLEANUP(arena_free) struct arena scratch = {0};
        CLEANUP(buffer_free) struct buffer filled = {0};
        if (schema_verdict(writer, instance, &scratch) != SCHEMA_VALID)
                return false;
        bool fills = false;
        assert_true(!fill || schema_fill_defaults(reader, instance, &filled, &fills, NULL));
        if (fills)
                assert_true(json_parse(buffer_bytes(&filled), NULL, &scratch, &instance, NULL));
        return schema_verdict(reader, instance, &scratch) == SCHEMA_INVALID;
}

static void show(const struct schema *writer, const struct schema *reader, const struct json *instance) {
        CLEANUP(buffer_free) struct buffer text = {0};
        json_write(&text, instance);
        fail_msg("writer %.*s\nreader %.*s\nsaid to be compatible, but for %.*s", BYTES_PRINT(schema_source(writer)),
                 BYTES_PRINT(schema_source(reader)), BYTES_PRINT(buffer_bytes(&text)));
}

static void generated(const struct schema *writer, const struct schema *reader) {
        struct generator *generator;
        assert_true(generator_new(writer, below(1000), &generator, NULL));
        for (size_t i = 0; i < 4; i++) {
                CLEANUP(buffer_free) struct buffer text = {0};
                CLEANUP(arena_free) struct arena arena = {0};
                const struct json *instance;
                if (!generator_next(generator, &text))
                        break;
                assert_true(json_parse(buffer_bytes(&text), NULL, &arena, &instance, NULL));
                if (refuses(writer, reader, instance, false))
                        show(writer, reader, instance);
        }
        generator_free(generator);
}

static void check_pair(const struct schema *writer, const struct schema *reader, struct tally *tally) {
        CLEANUP(arena_free) struct arena arena = {0};
        struct schema_difference *differences;
        size_t count;
        const struct schema_compatible_options options = {.defaults = defaults};
        enum schema_compatibility answer = schema_compatible(writer, reader, &options, &arena, &differences, &count);
        bool claimed = answer == SCHEMA_COMPATIBLE || answer == SCHEMA_TOLERABLE, refuted = false;
        assert_int_equal(answer == SCHEMA_COMPATIBLE, count == 0);
        for (size_t i = 0; i < pool_count && !refuted; i++) {
                refuted = refuses(writer, reader, pool[i], answer == SCHEMA_TOLERABLE);
                if (refuted && claimed && answer == SCHEMA_COMPATIBLE)
                        show(writer, reader, pool[i]);
        }
        if (answer == SCHEMA_COMPATIBLE)
                generated(writer, reader);
        tally->compatible += answer == SCHEMA_COMPATIBLE;
        tally->tolerable += answer == SCHEMA_TOLERABLE;
        tally->incompatible += answer == SCHEMA_INCOMPATIBLE;
        tally->uncertain += answer == SCHEMA_UNCERTAIN;
        tally->refuted += refuted;
        tally->unrefuted += !refuted && !claimed;
}

static void run(uint64_t seed, size_t pairs) {
        struct tally tally = {0};
        state = seed;
        for (size_t i = 0; i < pairs;) {
                CLEANUP(buffer_free) struct buffer first = {0};
                CLEANUP(buffer_free) struct buffer second = {0};
                struct schema *writer = NULL, *reader = NULL;
                make_document(&first);
                if (below(3))
                        change(&first, &second);
                else
                        make_document(&second);
                if (schema_compile(buffer_bytes(&first), NULL, &writer, NULL) &&
                    schema_compile(buffer_bytes(&second), NULL, &reader, NULL)) {
                        i++;
                        check_pair(writer, reader, &tally);
                        check_pair(reader, writer, &tally);
                }
                schema_free(writer);
                schema_free(reader);
        }
        print_message("# %zu pairs each way: %zu compatible, %zu tolerable, %zu incompatible, %zu uncertain; refuted by an instance: %zu, "
                      "neither proven nor refuted: %zu\n", pairs, tally.compatible, tally.tolerable, tally.incompatible,
                      tally.uncertain, tally.refuted, tally.unrefuted);
        assert_true(tally.compatible > pairs / 20 && tally.refuted > pairs / 20);       // both happen, often
}

static size_t budget(size_t pairs) {
        return getenv("COMMUTE_TEST_LONG") ? pairs * 50 : pairs;
}

static void what_is_compatible_is_never_refused(void **unused) {
        (void)unused;
        const char *seed = getenv("COMMUTE_TEST_SEED");
        defaults = false;
        run(seed ? strtoull(seed, NULL, 10) : 42, budget(1500));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_compatible_is_never_refused),
        };
        return cmocka_run_group_tests(tests, make_pool, free_pool);
}
