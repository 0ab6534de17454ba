// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "registry/registry.h"

#define SCHEMA_A "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"
#define SCHEMA_A_SPACED "{ \"properties\": {\"a\": {\"type\": \"integer\"}},\n \"type\": \"object\" }"
#define SCHEMA_B "{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"string\"}}}"

static struct bytes text_of(const char *text) {
        return bytes_of(text);
}

static bool prepare(const struct registry *registry, struct bytes subject, struct bytes schema, struct registry_prepared *ret_prepared,
                    struct error *error) {
        const struct registry_draft draft = {.text = schema};
        return registry_prepare_register(registry, subject, &draft, NULL, ret_prepared, error);
}

static bool prepare_level(const struct registry *registry, struct bytes subject, enum registry_level level,
                          struct registry_prepared *ret_prepared, struct error *error) {
        const struct registry_config_change change = {.level = level};
        return registry_prepare_config(registry, subject, &change, ret_prepared, error);
}

static bool look_up(const struct registry *registry, struct bytes schema, bool deleted, struct registry_version *ret_version,
                    struct error *error) {
        const struct registry_draft draft = {.text = schema};
        return registry_lookup(registry, BYTES("one"), &draft, deleted, ret_version, error);
}

static struct registry_version must_register(struct registry *registry, const char *subject, const char *schema) {
        struct registry_prepared prepared;
        struct error error;
        if (!prepare(registry, text_of(subject), text_of(schema), &prepared, &error))
                fail_msg("%s", error.text);
        if (prepared.body.size > 0 && !registry_apply(registry, buffer_bytes(&prepared.body), &error))
                fail_msg("%s", error.text);
        buffer_free(&prepared.body);
        return prepared.registered;
}

static void must_delete(struct registry *registry, const char *subject, uint32_t version) {
        struct registry_prepared prepared;
        assert_true(registry_prepare_delete(registry, text_of(subject), version, &prepared, NULL));
        assert_true(registry_apply(registry, buffer_bytes(&prepared.body), NULL));
        buffer_free(&prepared.body);
}

static void must_configure(struct registry *registry, const char *subject, enum registry_level level) {
        struct registry_prepared prepared;
        assert_true(prepare_level(registry, text_of(subject), level, &prepared, NULL));
        if (prepared.body.size > 0)
                assert_true(registry_apply(registry, buffer_bytes(&prepared.body), NULL));
        buffer_free(&prepared.body);
}

static void assert_version(struct registry_version version, uint32_t number, uint32_t id) {
        assert_int_equal(version.version, number);
        assert_int_equal(version.id, id);
}

static void ids_are_global_and_versions_per_subject(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        assert_version(must_register(registry, "one", SCHEMA_A), 1, 1);
        assert_version(must_register(registry, "one", SCHEMA_B), 2, 2);
        assert_version(must_register(registry, "two", SCHEMA_B), 1, 2);
        assert_version(must_register(registry, "two", SCHEMA_A_SPACED), 2, 1);
        assert_int_equal(registry_ids(registry), 2);
        assert_non_null(registry_schema(registry, 1));
        assert_null(registry_schema(registry, 0));
        assert_null(registry_schema(registry, 3));
        assert_true(bytes_equal(registry_schema_text(registry, 1), BYTES(SCHEMA_A)));
        assert_int_equal(registry_schema_text(registry, 3).size, 0);
}

static void what_is_registered_already_is_not_appended(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        must_register(registry, "one", SCHEMA_A);
        must_register(registry, "one", SCHEMA_B);
        struct registry_prepared prepared;
        assert_true(prepare(registry, BYTES("one"), BYTES(SCHEMA_A_SPACED), &prepared, NULL));
        assert_int_equal(prepared.body.size, 0);
        assert_version(prepared.registered, 1, 1);
}

static void bodies_are_as_documented(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct registry_prepared prepared;
        assert_true(prepare(registry, BYTES("s\"\xd0\xb6"), BYTES("{\"type\":\"null\"}"), &prepared, NULL));
        CLEANUP(free_pointer) char *body = buffer_take_text(&prepared.body);
        assert_string_equal(body, "{\"format\":1,\"change\":\"register\",\"subject\":\"s\\\"\xd0\xb6\",\"version\":1,\"id\":1,"
                                  "\"type\":\"JSON\",\"schema\":\"{\\\"type\\\":\\\"null\\\"}\"}");
        assert_true(registry_apply(registry, bytes_of(body), NULL));
        assert_true(registry_prepare_delete(registry, BYTES("s\"\xd0\xb6"), 1, &prepared, NULL));
        CLEANUP(free_pointer) char *one = buffer_take_text(&prepared.body);
        assert_string_equal(one, "{\"format\":1,\"change\":\"delete\",\"subject\":\"s\\\"\xd0\xb6\",\"version\":1}");
        assert_true(registry_prepare_delete(registry, BYTES("s\"\xd0\xb6"), 0, &prepared, NULL));
        CLEANUP(free_pointer) char *all = buffer_take_text(&prepared.body);
        assert_string_equal(all, "{\"format\":1,\"change\":\"delete\",\"subject\":\"s\\\"\xd0\xb6\"}");
        assert_true(prepare_level(registry, BYTES("x"), REGISTRY_LEVEL_NONE, &prepared, NULL));
        CLEANUP(free_pointer) char *level = buffer_take_text(&prepared.body);
        assert_string_equal(level, "{\"format\":1,\"change\":\"compatibility\",\"subject\":\"x\",\"level\":\"NONE\"}");
        must_configure(registry, "", REGISTRY_LEVEL_NONE);
        assert_true(prepare_level(registry, BYTES(""), REGISTRY_LEVEL_UNSET, &prepared, NULL));         // never NONE
        CLEANUP(free_pointer) char *unset = buffer_take_text(&prepared.body);
        assert_string_equal(unset, "{\"format\":1,\"change\":\"compatibility\",\"level\":\"BACKWARD\"}");
}

static void deleted_versions_keep_number_and_schema(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct registry_version version;
        must_register(registry, "one", SCHEMA_A);
        must_register(registry, "one", SCHEMA_B);
        must_delete(registry, "one", 2);
        assert_false(registry_version(registry, BYTES("one"), 2, &version));
        assert_true(registry_version(registry, BYTES("one"), 0, &version));
        assert_version(version, 1, 1);
        assert_non_null(registry_schema(registry, 2));
        assert_version(must_register(registry, "one", SCHEMA_B), 3, 2);
        must_delete(registry, "one", 0);
        assert_false(registry_version(registry, BYTES("one"), 0, &version));
        struct registry_prepared prepared;
        struct error error;
        assert_false(registry_prepare_delete(registry, BYTES("one"), 0, &prepared, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        assert_false(registry_prepare_delete(registry, BYTES("one"), 1, &prepared, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        struct registry_subject subject;
        assert_true(registry_subject(registry, BYTES("one"), &subject));
        assert_int_equal(subject.count, 3);
        assert_int_equal(subject.live, 0);
}

static void subjects_come_in_byte_order(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        static const char *const names[] = {"m", "a", "z", "ab", "B"}, *const sorted[] = {"B", "a", "ab", "m", "z"};
        for (size_t at = 0; at < ARRAY_SIZE(names); at++)
                must_register(registry, names[at], SCHEMA_A);
        struct registry_subject subject;
        for (size_t at = 0; at < ARRAY_SIZE(sorted); at++) {
                assert_true(registry_subject_at(registry, at, &subject));
                assert_true(bytes_equal(subject.name, bytes_of(sorted[at])));
        }
        assert_false(registry_subject_at(registry, ARRAY_SIZE(sorted), &subject));
}

static void lookup_finds_the_canonical_schema(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct registry_version version;
        struct error error;
        must_register(registry, "one", SCHEMA_A);
        must_register(registry, "two", SCHEMA_B);
        assert_true(look_up(registry, BYTES(SCHEMA_A_SPACED), false, &version, &error));
        assert_version(version, 1, 1);
        assert_false(look_up(registry, BYTES(SCHEMA_B), false, &version, &error));
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        assert_false(look_up(registry, BYTES("{"), false, &version, &error));
        assert_int_equal(error.code, ERROR_INVALID);
        must_delete(registry, "one", 1);
        assert_false(look_up(registry, BYTES(SCHEMA_A), false, &version, &error));
        assert_true(look_up(registry, BYTES(SCHEMA_A), true, &version, &error));
        assert_true(version.deleted);
}

static void a_keyword_that_is_not_supported_is_named(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct registry_prepared prepared;
        struct error error;
        struct bytes schema = BYTES("{\"properties\":{\"a\":{\"$ref\":\"http://example.com/a\"}}}");
        assert_false(prepare(registry, BYTES("one"), schema, &prepared, &error));
        assert_int_equal(error.code, ERROR_UNSUPPORTED);
        assert_non_null(strstr(error.text, "http://example.com/a"));
        assert_non_null(strstr(error.text, "/properties/a"));
}

static void names_of_subjects_are_checked(void **state) {
        (void)state;
        char longest[REGISTRY_SUBJECT_MAX + 2];
        memset(longest, 'x', sizeof longest);
        assert_true(registry_check_subject((struct bytes){longest, REGISTRY_SUBJECT_MAX}, NULL));
        static const char *const wrong[] = {"", "a\nb", "a\x7f", ":.ctx:a", ":*:a", "__GLOBAL", "__EMPTY", "a\xff",
                                            "\xed\xa0\x80"};
        struct error error;
        assert_false(registry_check_subject((struct bytes){longest, REGISTRY_SUBJECT_MAX + 1}, &error));
        for (size_t at = 0; at < ARRAY_SIZE(wrong); at++) {
                assert_false(registry_check_subject(bytes_of(wrong[at]), &error));
                assert_int_equal(error.code, ERROR_INVALID);
        }
}

static void assert_refused(struct registry *registry, const char *subject, const char *schema, enum error_code code) {
        struct registry_prepared prepared;
        struct error error;
        assert_false(prepare(registry, text_of(subject), text_of(schema), &prepared, &error));
        assert_int_equal(error.code, code);
}

static void limits_hold(void **state) {
        (void)state;
        static const struct registry_options options = {.schema_max = 60, .subjects_max = 2, .versions_max = 2, .ids_max = 3};
        CLEANUP(registry_freep) struct registry *registry = registry_new(&options);
        must_register(registry, "one", "{\"const\":1}");
        must_register(registry, "one", "{\"const\":2}");
        assert_refused(registry, "one", "{\"const\":3}", ERROR_EXHAUSTED);              // versions
        must_register(registry, "one", "{\"const\":1.0}");              // is there already
        must_register(registry, "two", "{\"const\":3}");
        assert_refused(registry, "three", "{\"const\":1}", ERROR_EXHAUSTED);            // subjects
        assert_refused(registry, "two", "{\"const\":4}", ERROR_EXHAUSTED);              // ids
        must_register(registry, "two", "{\"const\":2}");
        assert_refused(registry, "two", "{\"const\":1}                                                  ", ERROR_LIMIT);  // 61 bytes
        struct registry_prepared prepared;
        struct error error;
        assert_false(prepare_level(registry, BYTES("three"), REGISTRY_LEVEL_NONE, &prepared, &error));
        assert_int_equal(error.code, ERROR_EXHAUSTED);
}

// Counted is what a schema takes when it is compiled; what the log has is taken in whatever it takes.
static void memory_has_a_limit(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *all = registry_new(NULL);
        assert_int_equal(registry_memory(all), 0);
        must_register(all, "one", "{\"const\":1}");
        size_t one = registry_memory(all);
        must_register(all, "two", "{\"const\":1}");                     // no new schema
        assert_true(one > sizeof(struct registry_version) && registry_memory(all) > one && registry_memory(all) < one + 1000);
        must_register(all, "three", "{\"pattern\":\"^[a-z]{1,50}$\"}");
        size_t whole = registry_memory(all);
        assert_true(whole > one + 2000);
        const struct registry_options enough = {.memory_max = whole}, less = {.memory_max = whole - 1}, little = {.memory_max = 1};
        CLEANUP(registry_freep) struct registry *same = registry_new(&enough);
        CLEANUP(registry_freep) struct registry *smaller = registry_new(&less);
        struct registry *both[] = {same, smaller};
        for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
                must_register(both[i], "one", "{\"const\":1}");
                must_register(both[i], "two", "{\"const\":1}");
        }
        must_register(same, "three", "{\"pattern\":\"^[a-z]{1,50}$\"}");
        assert_int_equal(registry_memory(same), whole);
        assert_refused(smaller, "three", "{\"pattern\":\"^[a-z]{1,50}$\"}", ERROR_EXHAUSTED);
        must_register(smaller, "one", "{\"const\":1.0}");               // is there already
        must_configure(smaller, "one", REGISTRY_LEVEL_FULL);
        must_delete(smaller, "one", 1);
        // above the limit from the start
        CLEANUP(registry_freep) struct registry *started = registry_new(&little);
        CLEANUP(buffer_free) struct buffer snapshot = {0};
        registry_snapshot(all, &snapshot);
        assert_true(registry_restore(started, buffer_bytes(&snapshot), NULL));
        assert_int_equal(registry_memory(started), whole);
        assert_refused(started, "four", "{\"const\":1}", ERROR_EXHAUSTED);
        assert_true(registry_apply(started, BYTES("{\"format\":1,\"change\":\"register\",\"subject\":\"four\",\"version\":1,\"id\":3,"
                                                  "\"type\":\"JSON\",\"schema\":\"7.0\"}"), NULL) == false);       // no schema
        assert_true(registry_apply(started, BYTES("{\"format\":1,\"change\":\"register\",\"subject\":\"four\",\"version\":1,\"id\":3,"
                                                  "\"type\":\"JSON\",\"schema\":\"{}\"}"), NULL));
        assert_true(registry_memory(started) > whole);
}

static void assert_users(const struct registry *registry, uint32_t id, const char *expected) {
        CLEANUP(buffer_free) struct buffer names = {0};
        struct registry_subject subject;
        for (size_t at = 0; registry_user(registry, id, at, &subject); at++)
                buffer_print(&names, "%.*s ", BYTES_PRINT(subject.name));
        if (!bytes_equal(buffer_bytes(&names), bytes_of(expected)))
                fail_msg("%u: \"%.*s\", and not \"%s\"", id, BYTES_PRINT(buffer_bytes(&names)), expected);
}

static void a_schema_knows_its_subjects(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        static const char *const names[] = {"m", "c", "z", "a", "mm"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                must_register(registry, names[i], SCHEMA_A);
        must_register(registry, "c", SCHEMA_B);
        must_delete(registry, "c", 1);
        must_register(registry, "c", SCHEMA_A);                         // a second version with it
        assert_users(registry, 1, "a c m mm z ");
        assert_users(registry, 2, "c ");
        assert_users(registry, 3, "");
        CLEANUP(buffer_free) struct buffer snapshot = {0};
        registry_snapshot(registry, &snapshot);
        CLEANUP(registry_freep) struct registry *restored = registry_new(NULL);
        assert_true(registry_restore(restored, buffer_bytes(&snapshot), NULL));
        assert_users(restored, 1, "a c m mm z ");
}

static void compatibility_is_kept(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        assert_true(registry_is_new(registry));
        assert_int_equal(registry_config(registry, BYTES("")).level, REGISTRY_LEVEL_NONE);
        assert_int_equal(registry_config(registry, BYTES("one")).level, REGISTRY_LEVEL_UNSET);
        for (enum registry_level level = REGISTRY_LEVEL_NONE; level <= REGISTRY_LEVEL_FULL_TRANSITIVE; level++) {
                must_configure(registry, "one", level);
                assert_int_equal(registry_config(registry, BYTES("one")).level, level);
                assert_int_equal(registry_config_in_scope(registry, BYTES("one")).level, level);
                assert_int_equal(registry_config_in_scope(registry, BYTES("two")).level, REGISTRY_LEVEL_NONE);
                enum registry_level same;
                assert_true(registry_level_of(bytes_of(registry_level_name(level)), &same));
                assert_int_equal(same, level);
        }
        assert_false(registry_is_new(registry));
        must_configure(registry, "one", REGISTRY_LEVEL_UNSET);
        must_configure(registry, "", REGISTRY_LEVEL_FULL);
        assert_int_equal(registry_config(registry, BYTES("one")).level, REGISTRY_LEVEL_UNSET);
        assert_int_equal(registry_config_in_scope(registry, BYTES("one")).level, REGISTRY_LEVEL_FULL);
        enum registry_level level;
        assert_false(registry_level_of(BYTES("none"), &level));
        assert_false(registry_level_of(BYTES(""), &level));
}

#define REGISTER(rest) "{\"format\":1,\"change\":\"register\",\"subject\":" rest

static void damaged_bodies_are_corrupt_and_change_nothing(void **state) {
        (void)state;
        static const char *const bodies[] = {
                "", "[]", "{}", "7",
                "{\"format\":2,\"change\":\"delete\",\"subject\":\"one\"}",
                "{\"format\":1,\"change\":\"rename\",\"subject\":\"one\"}",
                "{\"format\":1,\"change\":\"delete\",\"subject\":\"two\"}",
                "{\"format\":1,\"change\":\"delete\",\"subject\":\"one\",\"version\":2}",
                "{\"format\":1,\"change\":\"delete\",\"subject\":\"one\",\"version\":0}",
                "{\"format\":1,\"change\":\"delete\",\"subject\":\"one\",\"id\":1}",
                "{\"format\":1,\"change\":\"compatibility\",\"subject\":\"one\",\"level\":\"SOME\"}",
                "{\"format\":1,\"change\":\"compatibility\",\"subject\":\"one\"}",
                REGISTER("\"one\",\"version\":3,\"id\":2,\"type\":\"JSON\",\"schema\":\"true\"}"),
                REGISTER("\"one\",\"version\":2,\"id\":3,\"type\":\"JSON\",\"schema\":\"true\"}"),
                REGISTER("\"one\",\"version\":2,\"id\":1,\"type\":\"JSON\",\"schema\":\"true\"}"),
                REGISTER("\"one\",\"version\":2,\"id\":2,\"type\":\"AVRO\",\"schema\":\"true\"}"),
                REGISTER("\"\",\"version\":2,\"id\":2,\"type\":\"JSON\",\"schema\":\"true\"}"),
                REGISTER("\"one\",\"version\":2,\"id\":2,\"type\":\"JSON\"}"),
        };
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        must_register(registry, "one", SCHEMA_A);
        CLEANUP(buffer_free) struct buffer before = {0};
        registry_snapshot(registry, &before);
        for (size_t at = 0; at < ARRAY_SIZE(bodies); at++) {
                struct error error;
                CLEANUP(buffer_free) struct buffer after = {0};
                if (registry_apply(registry, bytes_of(bodies[at]), &error))
                        fail_msg("taken: %s", bodies[at]);
                assert_int_equal(error.code, ERROR_CORRUPT);
                registry_snapshot(registry, &after);
                assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
        }
}

static struct registry_version must_register_with(struct registry *registry, const char *subject, const char *schema, const char *metadata,
                                                  const char *references) {
        const struct registry_draft draft = {bytes_of(schema), bytes_of(metadata), bytes_of(references), {NULL, 0}};
        struct registry_prepared prepared;
        struct error error;
        if (!registry_prepare_register(registry, bytes_of(subject), &draft, NULL, &prepared, &error) ||
            (prepared.body.size && !registry_apply(registry, buffer_bytes(&prepared.body), &error)))
                fail_msg("%s", error.text);
        buffer_free(&prepared.body);
        return prepared.registered;
}

static void metadata_and_references_are_part_of_a_schema(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        assert_version(must_register(registry, "one", "{}"), 1, 1);
        const struct registry_draft draft = {BYTES("{ }"), BYTES("{\"tags\":{},\"properties\":{\"b\":\"2\",\"a\":\"\\u0031\"}}"),
                                             BYTES("[{\"version\":-1,\"subject\":\"one\",\"name\":\"n\"}]"), {NULL, 0}};
        struct registry_prepared prepared;
        assert_true(registry_prepare_register(registry, BYTES("two"), &draft, NULL, &prepared, NULL));
        CLEANUP(free_pointer) char *body = buffer_take_text(&prepared.body);
        assert_string_equal(body, "{\"format\":1,\"change\":\"register\",\"subject\":\"two\",\"version\":1,\"id\":2,\"type\":\"JSON\","
                                  "\"schema\":\"{ }\",\"metadata\":{\"properties\":{\"a\":\"1\",\"b\":\"2\"}},"
                                  "\"references\":[{\"name\":\"n\",\"subject\":\"one\",\"version\":1}]}");
        assert_true(registry_apply(registry, bytes_of(body), NULL));
        assert_true(bytes_equal(registry_metadata(registry, 2), BYTES("{\"properties\":{\"a\":\"1\",\"b\":\"2\"}}")));
        assert_int_equal(registry_metadata(registry, 1).size, 0);
        assert_version(must_register_with(registry, "two", "{}", "{\"properties\":{\"b\":\"2\",\"a\":\"1\"}}", "[]"), 2, 3);
        assert_true(registry_version_is(registry, BYTES("two"), 2, BYTES(" {}")));
        assert_false(registry_version_is(registry, BYTES("two"), 2, BYTES("true")));
        assert_false(registry_version_is(registry, BYTES("two"), 3, BYTES("{}")));
}

static void assert_wrong(const struct registry *registry, struct bytes metadata, struct bytes references, enum error_code code,
                         const char *part) {
        const struct registry_draft draft = {BYTES("{}"), metadata, references, {NULL, 0}};
        struct registry_prepared prepared;
        struct error error;
        assert_false(registry_prepare_register(registry, BYTES("one"), &draft, NULL, &prepared, &error));
        if (error.code != code || !strstr(error.text, part))
                fail_msg("%d %s, and not %d %s", (int)error.code, error.text, (int)code, part);
}

static void metadata_and_references_have_limits(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        CLEANUP(buffer_free) struct buffer many = {0}, long_name = {0}, long_value = {0}, refers = {0};
        must_register(registry, "s", "{}");
        buffer_append(&many, BYTES("{\"properties\":{"));
        for (int i = 0; i <= REGISTRY_PROPERTIES_MAX; i++)
                buffer_print(&many, "%s\"p%d\":\"\"", i ? "," : "", i);
        buffer_append(&many, BYTES("}}"));
        buffer_print(&long_name, "{\"properties\":{\"%*d\":\"\"}}", REGISTRY_PROPERTY_NAME_MAX + 1, 1);
        buffer_print(&long_value, "{\"properties\":{\"a\":\"%*d\"}}", REGISTRY_PROPERTY_VALUE_MAX + 1, 1);
        for (int i = 0; i <= REGISTRY_REFERENCES_MAX; i++)
                buffer_print(&refers, "%s{\"name\":\"n%d\",\"subject\":\"s\",\"version\":1}", i ? "," : "[", i);
        buffer_append_byte(&refers, ']');
        const struct bytes none = {0};
        assert_wrong(registry, buffer_bytes(&many), none, ERROR_LIMIT, "65 properties");
        assert_wrong(registry, buffer_bytes(&long_name), none, ERROR_INVALID, "1 to 128 bytes");
        assert_wrong(registry, buffer_bytes(&long_value), none, ERROR_LIMIT, "1025 bytes");
        assert_wrong(registry, BYTES("7"), none, ERROR_INVALID, "expected an object");
        assert_wrong(registry, none, buffer_bytes(&refers), ERROR_LIMIT, "101, at most 100");
        assert_wrong(registry, none, BYTES("[{\"name\":\"a\",\"subject\":\"s\",\"version\":0}]"), ERROR_INVALID, "version");
        assert_wrong(registry, none, BYTES("[{\"name\":\"a\",\"subject\":\"t\",\"version\":1}]"), ERROR_INVALID, "subject 't'");
        must_register(registry, "t", "true");
        assert_wrong(registry, none, BYTES("[{\"name\":\"a\",\"subject\":\"s\",\"version\":1},"
                                           "{\"name\":\"a\",\"subject\":\"t\",\"version\":1}]"), ERROR_INVALID, "two different schemas");
}

// With spaces behind it, of this many bytes.
static char *padded(const char *schema, size_t size) {
        char *text = must_malloc(size + 1);
        size_t own = strlen(schema);
        assert_true(own <= size);
        memcpy(text, schema, own);
        memset(text + own, ' ', size - own);
        text[size] = 0;
        return text;
}

static bool prepare_whole(const struct registry *registry, const char *schema, size_t size, struct registry_prepared *ret_prepared,
                          struct error *error) {
        CLEANUP(free_pointer) char *text = padded(schema, size ? size : strlen(schema));
        const struct registry_draft draft = {.text = bytes_of(text), .references = BYTES(
                "[{\"name\":\"a\",\"subject\":\"a\",\"version\":1},{\"name\":\"b\",\"subject\":\"b\",\"version\":1}]")};
        return registry_prepare_register(registry, BYTES("whole"), &draft, NULL, ret_prepared, error);
}

static void assert_whole_is_too_large(const struct registry *registry, const char *schema, size_t size, const char *part) {
        struct registry_prepared prepared;
        struct error error;
        if (prepare_whole(registry, schema, size, &prepared, &error))
                fail_msg("taken: %s", schema);
        if (error.code != ERROR_LIMIT || !strstr(error.text, part))
                fail_msg("%d %s, and not %s", (int)error.code, error.text, part);
}

#define DRAFT "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\""

static void what_is_referred_to_counts_for_the_size(void **state) {
        (void)state;
        enum { PART = 600 << 10 };
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        CLEANUP(free_pointer) char *a = padded("{" DRAFT "}", PART), *b = padded("{\"$ref\":\"c\"}", 100), *c = padded("{}", PART - 100);
        must_register(registry, "a", a);
        must_register(registry, "c", c);
        must_register_with(registry, "b", b, NULL, "[{\"name\":\"c\",\"subject\":\"c\",\"version\":1}]");
        struct registry_prepared prepared;
        struct error error;
        // to the byte; what is listed and not used is not loaded
        static const char *const alone[] = {"{\"$ref\":\"a\"}", "{\"$ref\":\"b\"}"};
        for (size_t i = 0; i < ARRAY_SIZE(alone); i++) {
                if (!prepare_whole(registry, alone[i], REGISTRY_WHOLE_MAX - PART, &prepared, &error))
                        fail_msg("%s", error.text);
                buffer_free(&prepared.body);
                assert_whole_is_too_large(registry, alone[i], REGISTRY_WHOLE_MAX - PART + 1, "have 1048577 bytes or more, at most 1048576");
        }
        // two of them; one under two URIs; but as the $schema of two it is there once
        static const char both[] = "{\"allOf\":[{\"$ref\":\"a\"},{\"$ref\":\"b\"}]}";
        assert_whole_is_too_large(registry, both, 0, "references: with \"");
        assert_whole_is_too_large(registry, "{\"allOf\":[{\"$ref\":\"http://x/a\"},{\"$ref\":\"http://y/a\"}]}", 0, "with \"a\"");
        if (!prepare_whole(registry, "{\"$defs\":{\"p\":{\"$id\":\"p\",\"$schema\":\"a\"},\"q\":{\"$id\":\"q\",\"$schema\":\"a\"}}}", 0,
                           &prepared, &error))
                fail_msg("%s", error.text);
        buffer_free(&prepared.body);
        // the same for what is only looked for or checked
        const struct registry_draft draft = {.text = BYTES("{\"$ref\":\"http://x/a\",\"allOf\":[{\"$ref\":\"a\"}]}"),
                                             .references = BYTES("[{\"name\":\"a\",\"subject\":\"a\",\"version\":1}]")};
        struct registry_objections objections = {0};
        assert_false(registry_lookup(registry, BYTES("a"), &draft, false, &prepared.registered, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_false(registry_check(registry, BYTES("a"), &draft, 0, &objections, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        // what a log has is kept, and known
        if (!registry_apply(registry, BYTES(REGISTER("\"whole\",\"version\":1,\"id\":4,\"type\":\"JSON\",")
                                            "\"schema\":\"{\\\"allOf\\\":[{\\\"$ref\\\":\\\"a\\\"},{\\\"$ref\\\":\\\"b\\\"}]}\","
                                            "\"references\":[{\"name\":\"a\",\"subject\":\"a\",\"version\":1},"
                                            "{\"name\":\"b\",\"subject\":\"b\",\"version\":1}]}"), &error))
                fail_msg("%s", error.text);
        assert_true(prepare_whole(registry, both, 0, &prepared, &error));
        assert_int_equal(prepared.body.size, 0);
        assert_version(prepared.registered, 1, 4);
}

static void assert_referrers(const struct registry *registry, const char *subject, uint32_t version, const char *expected) {
        CLEANUP(buffer_free) struct buffer ids = {0};
        size_t at = 0;
        for (uint32_t id; registry_referrer(registry, bytes_of(subject), version, &at, &id);)
                buffer_print(&ids, "%u ", id);
        if (!bytes_equal(buffer_bytes(&ids), bytes_of(expected)))
                fail_msg("%s %u: \"%.*s\", and not \"%s\"", subject, version, BYTES_PRINT(buffer_bytes(&ids)), expected);
}

static void assert_needed(const struct registry *registry, const char *subject, const char *part) {
        struct registry_prepared prepared;
        struct error error;
        assert_false(registry_prepare_delete(registry, bytes_of(subject), 0, &prepared, &error));
        if (error.code != ERROR_CONFLICT || !strstr(error.text, part))
                fail_msg("%d %s, and not %s", (int)error.code, error.text, part);
}

// A schema counts as a referrer as long as any version of any subject has it.
static void referrers_are_those_in_use(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        static const char to_1[] = "[{\"name\":\"n\",\"subject\":\"t\",\"version\":1}]",
                          to_2[] = "[{\"name\":\"n\",\"subject\":\"t\",\"version\":2}]";
        must_register(registry, "t", "{\"const\":1}");
        must_register(registry, "t", "{\"const\":2}");
        must_register(registry, "t", "{\"const\":3}");
        must_register_with(registry, "one", "{\"$ref\":\"n\"}", NULL, to_2);           // id 4
        must_register_with(registry, "one", "{\"$ref\":\"n\"}", NULL, to_1);           // id 5
        must_register_with(registry, "two", "{\"$ref\":\"n\"}", NULL, to_1);
        must_register_with(registry, "two", "{\"not\":{\"$ref\":\"n\"}}", NULL, to_1); // id 6
        assert_referrers(registry, "t", 1, "5 6 ");
        assert_referrers(registry, "t", 2, "4 ");
        assert_referrers(registry, "t", 3, "");
        assert_needed(registry, "t", "{subject=t,version=1}: that of the schema with id 5");
        must_delete(registry, "one", 2);
        assert_referrers(registry, "t", 1, "5 6 ");             // of "two"
        must_delete(registry, "two", 1);
        assert_referrers(registry, "t", 1, "6 ");
        // deleted twice, as a log may have it, it counts once
        assert_true(registry_apply(registry, BYTES("{\"format\":1,\"change\":\"delete\",\"subject\":\"two\",\"version\":1}"), NULL));
        must_delete(registry, "two", 0);
        assert_referrers(registry, "t", 1, "");
        assert_needed(registry, "t", "{subject=t,version=2}: that of the schema with id 4");
        assert_version(must_register_with(registry, "two", "{\"$ref\":\"n\"}", NULL, to_1), 3, 5);
        assert_referrers(registry, "t", 1, "5 ");
        CLEANUP(buffer_free) struct buffer snapshot = {0};
        CLEANUP(registry_freep) struct registry *restored = registry_new(NULL);
        registry_snapshot(registry, &snapshot);
        assert_true(registry_restore(restored, buffer_bytes(&snapshot), NULL));
        assert_referrers(restored, "t", 1, "5 ");
        assert_referrers(restored, "t", 2, "4 ");
        must_delete(restored, "two", 0);
        must_delete(restored, "one", 0);
        // a deleted version may be referred to, and keeps nobody from deleting the others
        must_delete(restored, "t", 1);
        must_register_with(restored, "two", "{\"$ref\":\"n\"}", NULL, to_1);
        assert_referrers(restored, "t", 1, "5 ");
        must_delete(restored, "t", 0);
}

static void a_group_is_kept(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct registry_config_change change = {.level = REGISTRY_DEFAULT_LEVEL, .group = REGISTRY_DEFAULT_GROUP};
        struct registry_prepared prepared;
        assert_true(registry_prepare_config(registry, BYTES(""), &change, &prepared, NULL));
        CLEANUP(free_pointer) char *body = buffer_take_text(&prepared.body);
        assert_string_equal(body, "{\"format\":1,\"change\":\"compatibility\",\"level\":\"BACKWARD\",\"group\":\"event_version\"}");
        assert_true(registry_apply(registry, bytes_of(body), NULL));
        assert_true(registry_prepare_config(registry, BYTES(""), &change, &prepared, NULL));
        assert_int_equal(prepared.body.size, 0);
        assert_true(bytes_equal(registry_config_in_scope(registry, BYTES("x")).group, REGISTRY_DEFAULT_GROUP));
        change = (struct registry_config_change){.keep_level = true, .group = BYTES("other")};
        assert_true(registry_prepare_config(registry, BYTES(""), &change, &prepared, NULL));
        assert_true(registry_apply(registry, buffer_bytes(&prepared.body), NULL));
        buffer_free(&prepared.body);
        assert_int_equal(registry_config(registry, BYTES("")).level, REGISTRY_LEVEL_BACKWARD);
        // an event's version is compared within its own version, whatever the configuration says
        CLEANUP(arena_free) struct arena arena = {0};
        for (unsigned version = 0; version < 2; version++) {
                struct registry_draft draft = registry_event_draft(bytes_of(version ? "false" : "true"), version, &arena);
                assert_true(registry_prepare_register(registry, BYTES("Event"), &draft, NULL, &prepared, NULL));
                assert_true(registry_apply(registry, buffer_bytes(&prepared.body), NULL));
                buffer_free(&prepared.body);
        }
        struct registry_objections objections = {0};
        const struct registry_draft narrower = {.text = BYTES("{\"type\":\"null\"}"),
                                                .metadata = BYTES("{\"properties\":{\"other\":\"x\"}}")};
        assert_true(registry_check(registry, BYTES("Event"), &narrower, 0, &objections, NULL));
        assert_int_equal(objections.count, 0);
        registry_objections_free(&objections);
}

// Bodies as versions before levels and groups wrote them, and as a version wrote them that took a level away by null.
static void an_older_log_keeps_no_level(void **state) {
        static const char *const bodies[] = {
                "{\"format\":1,\"change\":\"register\",\"subject\":\"a\",\"version\":1,\"id\":1,\"type\":\"JSON\",\"schema\":\"{}\"}",
                "{\"format\":1,\"change\":\"compatibility\",\"level\":null}",
                "{\"format\":1,\"change\":\"compatibility\",\"level\":null,\"group\":\"v\"}",
        };
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        assert_true(registry_is_new(registry));
        for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
                assert_true(registry_apply(registry, bytes_of(bodies[i]), NULL));
                assert_false(registry_is_new(registry));
                assert_int_equal(registry_config_in_scope(registry, BYTES("a")).level, REGISTRY_LEVEL_NONE);
        }
        // a group alone leaves it so, what is said of the level does not
        struct registry_prepared prepared;
        struct registry_config_change change = {.keep_level = true, .group = BYTES("w")};
        assert_true(registry_prepare_config(registry, BYTES(""), &change, &prepared, NULL));
        assert_non_null(memmem(prepared.body.data, prepared.body.size, "\"level\":null", 12));
        buffer_free(&prepared.body);
        must_configure(registry, "", REGISTRY_LEVEL_UNSET);
        assert_int_equal(registry_config(registry, BYTES("")).level, REGISTRY_DEFAULT_LEVEL);
}

// An empty name: no group, whatever the registry has.
static void a_subject_can_be_without_a_group(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct registry_config_change change = {.level = REGISTRY_DEFAULT_LEVEL, .group = REGISTRY_DEFAULT_GROUP};
        struct registry_prepared prepared;
        assert_true(registry_prepare_config(registry, BYTES(""), &change, &prepared, NULL));
        assert_true(registry_apply(registry, buffer_bytes(&prepared.body), NULL));
        buffer_free(&prepared.body);
        change = (struct registry_config_change){.group = BYTES("")};
        assert_true(registry_prepare_config(registry, BYTES("a"), &change, &prepared, NULL));
        CLEANUP(free_pointer) char *body = buffer_take_text(&prepared.body);
        assert_string_equal(body, "{\"format\":1,\"change\":\"compatibility\",\"subject\":\"a\",\"level\":null,\"group\":\"\"}");
        assert_true(registry_apply(registry, bytes_of(body), NULL));
        assert_true(registry_prepare_config(registry, BYTES("a"), &change, &prepared, NULL));
        assert_int_equal(prepared.body.size, 0);                // it holds
        CLEANUP(buffer_free) struct buffer snapshot = {0};
        registry_snapshot(registry, &snapshot);
        CLEANUP(registry_freep) struct registry *restored = registry_new(NULL);
        assert_true(registry_restore(restored, buffer_bytes(&snapshot), NULL));
        const struct registry *both[] = {registry, restored};
        for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
                struct registry_config own = registry_config(both[i], BYTES("a")), scope = registry_config_in_scope(both[i], BYTES("a"));
                assert_true(own.group.data && own.group.size == 0 && scope.group.size == 0);
                assert_true(bytes_equal(registry_config_in_scope(both[i], BYTES("b")).group, REGISTRY_DEFAULT_GROUP));
        }
        assert_false(registry_apply(registry, BYTES("{\"format\":1,\"change\":\"compatibility\",\"level\":null,\"group\":\"\"}"), NULL));
}

static void a_snapshot_holds_everything(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        must_register(registry, "one", SCHEMA_B);
        must_register(registry, "two", SCHEMA_A);
        must_register(registry, "two", SCHEMA_B);
        must_delete(registry, "two", 1);
        must_configure(registry, "three", REGISTRY_LEVEL_NONE);
        must_configure(registry, "", REGISTRY_LEVEL_NONE);
        must_register_with(registry, "a", "{\"$ref\":\"n\"}", "{\"properties\":{\"k\":\"v\"}}",
                           "[{\"name\":\"n\",\"subject\":\"two\",\"version\":1}]");
        const struct registry_config_change grouped = {.keep_level = true, .group = BYTES("k")};
        struct registry_prepared prepared;
        assert_true(registry_prepare_config(registry, BYTES("a"), &grouped, &prepared, NULL));
        assert_true(registry_apply(registry, buffer_bytes(&prepared.body), NULL));
        buffer_free(&prepared.body);
        CLEANUP(buffer_free) struct buffer first = {0}, second = {0};
        registry_snapshot(registry, &first);
        CLEANUP(registry_freep) struct registry *restored = registry_new(NULL);
        struct error error;
        if (!registry_restore(restored, buffer_bytes(&first), &error))
                fail_msg("%s", error.text);
        registry_snapshot(restored, &second);
        assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
        assert_version(must_register(restored, "two", "{\"const\":1}"), 3, 4);
        struct registry_version version;
        assert_false(registry_version(restored, BYTES("two"), 1, &version));
        CLEANUP(registry_freep) struct registry *broken = registry_new(NULL);
        first.size /= 2;
        assert_false(registry_restore(broken, buffer_bytes(&first), &error));
        assert_int_equal(error.code, ERROR_CORRUPT);
}

// A reader sees each id up to registry_ids, whole, while schemas are added (more than one block of them).
struct reading {
        const struct registry *registry;
        _Atomic bool stop;
        size_t read;
};

static void *read_all(void *argument) {
        struct reading *reading = argument;
        for (bool last = false; !last;) {
                last = atomic_load(&reading->stop);
                uint32_t ids = registry_ids(reading->registry);
                for (uint32_t id = 1; id <= ids; id += 17) {
                        ASSERT(registry_schema(reading->registry, id));
                        ASSERT(registry_schema_text(reading->registry, id).size > 8);
                        reading->read++;
                }
        }
        return NULL;
}

static void readers_need_no_lock(void **state) {
        (void)state;
        CLEANUP(registry_freep) struct registry *registry = registry_new(NULL);
        struct reading reading = {.registry = registry};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, read_all, &reading), 0);
        for (int number = 0; number < 2100; number++) {
                char schema[40], subject[20];
                snprintf(schema, sizeof schema, "{\"const\":%d}", number);
                snprintf(subject, sizeof subject, "s%d", number % 7);
                assert_version(must_register(registry, subject, schema), (uint32_t)number / 7 + 1, (uint32_t)number + 1);
        }
        atomic_store(&reading.stop, true);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(reading.read > 100);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(ids_are_global_and_versions_per_subject),
                cmocka_unit_test(what_is_registered_already_is_not_appended),
                cmocka_unit_test(bodies_are_as_documented),
                cmocka_unit_test(deleted_versions_keep_number_and_schema),
                cmocka_unit_test(subjects_come_in_byte_order),
                cmocka_unit_test(lookup_finds_the_canonical_schema),
                cmocka_unit_test(a_keyword_that_is_not_supported_is_named),
                cmocka_unit_test(names_of_subjects_are_checked),
                cmocka_unit_test(limits_hold),
                cmocka_unit_test(memory_has_a_limit),
                cmocka_unit_test(a_schema_knows_its_subjects),
                cmocka_unit_test(compatibility_is_kept),
                cmocka_unit_test(metadata_and_references_are_part_of_a_schema),
                cmocka_unit_test(metadata_and_references_have_limits),
                cmocka_unit_test(what_is_referred_to_counts_for_the_size),
                cmocka_unit_test(referrers_are_those_in_use),
                cmocka_unit_test(a_group_is_kept),
                cmocka_unit_test(an_older_log_keeps_no_level),
                cmocka_unit_test(a_subject_can_be_without_a_group),
                cmocka_unit_test(damaged_bodies_are_corrupt_and_change_nothing),
                cmocka_unit_test(a_snapshot_holds_everything),
                cmocka_unit_test(readers_need_no_lock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
