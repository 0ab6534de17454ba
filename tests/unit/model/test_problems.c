// SPDX-License-Identifier: Apache-2.0
// What is wrong in a configuration, one mistake at a time: exact line, column, place and sentence.
#include "fixture.h"

#include "model/limits.h"

struct mistake {
        const char *find, *replace;     // in the good configuration; find NULL: replace is all of it
        const char *expected;           // behind the file's name and its colon; FOLDER stands for the fixture's
};

static const struct mistake mistakes[] = {
#include "mistakes.inc"
};

static void replace_folder(char *text) {
        size_t length = strlen(fixture_folder);
        for (char *at; (at = strstr(text, fixture_folder)); ) {
                memcpy(at, "FOLDER", 6);
                memmove(at + 6, at + length, strlen(at + length) + 1);
        }
}

static void every_mistake_is_told_with_its_place(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
                char *CLEANUP(free_pointer) text = fixture_changed(mistakes[i].find, mistakes[i].replace);
                const struct model *model = NULL;
                struct error error = {0};
                if (model_parse(fixture_path, bytes_of(text), &model, NULL, &error))
                        fail_msg("not found: %s", mistakes[i].replace);
                char *said = error.text + strlen(fixture_path) + 1;
                replace_folder(said);
                assert_string_equal(said, mistakes[i].expected);
        }
}

static enum error_code code_of(const char *find, const char *replace) {
        char *CLEANUP(free_pointer) text = fixture_changed(find, replace);
        const struct model *model = NULL;
        struct error error;
        assert_false(model_parse(fixture_path, bytes_of(text), &model, NULL, &error));
        return error.code;
}

static void codes_tell_mistakes_from_what_is_not_there_yet(void **state) {
        (void)state;
        assert_int_equal(code_of("threads: 2", "kafka: {}"), ERROR_UNSUPPORTED);
        assert_int_equal(code_of("threads: 2", "kafka: {}\nthread: 2"), ERROR_INVALID);
        assert_int_equal(code_of("threads: 2", "threads: 1000"), ERROR_LIMIT);
        assert_int_equal(code_of("bonuses.token", "absent.token"), ERROR_NOT_FOUND);
}

static void problems_come_in_the_files_order_and_twenty_at_most(void **state) {
        (void)state;
        struct buffer CLEANUP(buffer_free) text = {0};
        struct model_problems CLEANUP(model_problems_free) problems = {0};
        const struct model *model = NULL;
        struct error error;
        for (int i = 0; i < 25; i++)
                buffer_print(&text, "bad%d: x\n", i);
        buffer_append(&text, bytes_of(good_text));
        assert_false(model_parse(fixture_path, buffer_bytes(&text), &model, &problems, &error));
        assert_int_equal(problems.count, MODEL_PROBLEMS_MAX);
        assert_int_equal(problems.omitted, 5);
        for (unsigned i = 0; i < problems.count; i++)
                assert_int_equal(problems.list[i].line, i + 1);
        assert_string_equal(problems.list[3].place, "bad3");
}

static void mistakes_of_different_parts_are_told_together(void **state) {
        (void)state;
        struct model_problems CLEANUP(model_problems_free) problems = {0};
        const struct model *model = NULL;
        struct error error;
        static const char text[] = "communications:\n  A: {data: x -> y, initially: pull}\n"
                                   "services:\n  b: {url: 7}\n  c: {url: \"http://c\", color: red}\nthreads: many\n";
        assert_false(model_parse(fixture_path, bytes_of(text), &model, &problems, &error));
        static const unsigned lines[] = {2, 4, 5, 6};
        assert_int_equal(problems.count, ARRAY_SIZE(lines));
        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                assert_int_equal(problems.list[i].line, lines[i]);
}

// `count` times `what` inside `before` and `behind`.
static enum error_code code_of_many(const char *before, const char *what, size_t count, const char *behind) {
        struct buffer CLEANUP(buffer_free) text = {0};
        const struct model *model = NULL;
        struct error error;
        buffer_append(&text, bytes_of(before));
        for (size_t i = 0; i < count; i++)
                buffer_append(&text, bytes_of(what));
        buffer_append(&text, bytes_of(behind));
        assert_false(model_parse(fixture_path, buffer_bytes(&text), &model, NULL, &error));
        return error.code;
}

static void what_is_too_large_is_refused_by_a_limit(void **state) {
        (void)state;
        struct error error;
        const struct model *model = NULL;
        char *CLEANUP(free_pointer) large = must_malloc(MODEL_FILE_MAX + 1);
        memset(large, '#', MODEL_FILE_MAX + 1);
        assert_false(model_parse(fixture_path, (struct bytes){large, MODEL_FILE_MAX + 1}, &model, NULL, &error));
        assert_int_equal(error.code, ERROR_LIMIT);
        assert_false(model_parse(fixture_path, (struct bytes){large, MODEL_FILE_MAX}, &model, NULL, &error));
        assert_int_equal(error.code, ERROR_INVALID);    // a comment, so nothing: but not too large
        assert_int_equal(code_of_many("data: ", "[", 40, ""), ERROR_LIMIT);
        assert_int_equal(code_of_many("data: [", "1,", MODEL_MEMBERS_MAX + 1, "]"), ERROR_LIMIT);
        struct buffer CLEANUP(buffer_free) row = {0};
        for (int i = 0; i < 4000; i++)
                buffer_print(&row, "1,");
        struct buffer CLEANUP(buffer_free) list = {0};
        buffer_print(&list, "[%.*s],\n", BYTES_PRINT(buffer_bytes(&row)));
        buffer_append_byte(&list, 0);
        assert_int_equal(code_of_many("data: [", list.data, 13, "]"), ERROR_LIMIT);
        buffer_clear(&row);
        buffer_print(&row, "communications: {}\nservices:\n");
        for (int i = 0; i <= MODEL_SERVICES_MAX; i++)
                buffer_print(&row, "  s%d: {url: \"http://a\"}\n", i);
        buffer_append_byte(&row, 0);
        assert_int_equal(code_of_many(row.data, "", 0, ""), ERROR_LIMIT);
}

// Whatever the file is cut to, there is a problem with a place, and nothing else happens.
static void every_beginning_of_the_file_is_refused_or_read(void **state) {
        (void)state;
        for (size_t size = 0; size < sizeof good_text - 1; size += 7) {
                const struct model *model = NULL;
                struct error error = {0};
                if (model_parse(fixture_path, (struct bytes){good_text, size}, &model, NULL, &error))
                        model_unref(model);
                else
                        assert_true(error.code != ERROR_NONE && bytes_starts_with(bytes_of(error.text), bytes_of(fixture_path)));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_mistake_is_told_with_its_place),
                cmocka_unit_test(codes_tell_mistakes_from_what_is_not_there_yet),
                cmocka_unit_test(problems_come_in_the_files_order_and_twenty_at_most),
                cmocka_unit_test(mistakes_of_different_parts_are_told_together),
                cmocka_unit_test(what_is_too_large_is_refused_by_a_limit),
                cmocka_unit_test(every_beginning_of_the_file_is_refused_or_read),
        };
        return cmocka_run_group_tests_name("problems", tests, fixture_set_up, fixture_tear_down);
}
