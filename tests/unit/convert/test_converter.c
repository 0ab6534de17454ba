// SPDX-License-Identifier: Apache-2.0
// Against the built program's own process (COMMUTE, from meson.build). Time is no criterion here: what waits, waits for an event.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "convert/convert_priv.h"
#include "os/process.h"

enum {
        IDENTITY, UP, DOWN, LOOP, ALLOCATE, FAIL, TWO, NONE, BROKEN, NUMBER, SURROGATE, NAN_OUT, INFINITE, LARGE, DEEP, RECURSE, CODE,
        QUOTE, ZONE, SAY, PROGRAM_COUNT
};

static const struct bytes programs[] = {
        [IDENTITY] = BYTES("."),
        [UP] = BYTES("(.title | capture(\"^\\\\[(?<area>[^]]*)\\\\] (?<title>.*)$\")) as $t | "
                     "{task_id, knowledge_area: $t.area, title: $t.title}"),
        [DOWN] = BYTES("{task_id, title: \"[\\(.knowledge_area)] \\(.title)\"}"),
        [LOOP] = BYTES("if . == 0 then ., (while(true; .) | empty) else . end"),
        [ALLOCATE] = BYTES("[range(1e12)]"),
        [FAIL] = BYTES("error(\"no such task\")"),
        [TWO] = BYTES("., ."),
        [NONE] = BYTES("empty"),
        [BROKEN] = BYTES(".a | | .b"),
        [NUMBER] = BYTES("tonumber"),
        [SURROGATE] = BYTES("([55296, 56832] | implode) + . + ([128512, 228, 57343] | implode)"),
        [NAN_OUT] = BYTES("[nan]"),
        [INFINITE] = BYTES("{a: infinite}"),
        [LARGE] = BYTES("\"0123456789abcdef\" * 1000 | . * 600"),
        [DEEP] = BYTES("reduce range(. - 0) as $i (1; [.])"),
        [RECURSE] = BYTES("def f: 1 + f; f"),
        [CODE] = BYTES("[.] | implode"),
        [QUOTE] = BYTES(".name + 1"),
        [SAY] = BYTES("error(\"no area for \" + .name)"),
        [ZONE] = BYTES("strptime(\"%Y\") | mktime | strftime(\"%Z\")"),
};

static struct loop *loop;
static struct converter *converter;
static unsigned waiting;

static int begin(void **state) {
        (void)state;
        struct error error;
        if (!loop_new(clock_real(), &loop, NULL))
                return -1;
        struct converter_options options = {.loop = loop, .executable = COMMUTE, .programs = programs, .program_count = PROGRAM_COUNT};
        if (!converter_new(&options, &converter, &error)) {
                print_error("%s\n", error.text);
                return -1;
        }
        return 0;
}

static int end(void **state) {
        (void)state;
        converter_free(converter);
        loop_free(loop);
        converter = NULL;
        return 0;
}

struct case_ {
        struct conversion conversion;
        char *output;                   // NUL-terminated
        unsigned place;                 // in the order of the outcomes
        bool done, inside;
};

// Never of -1, which is "no process" here and "every process there is" to kill().
static void send_signal(int process, int signal) {
        if (process <= 1)
                fail_msg("no process to signal: %d", process);
        assert_int_equal(kill((pid_t)process, signal), 0);
}

static bool is_alive(int process) {
        assert_true(process > 1);
        return kill((pid_t)process, 0) == 0;
}

static unsigned places;
static bool inside_convert;

static void done(struct conversion *conversion) {
        struct case_ *one = conversion->user;
        assert_false(inside_convert);
        assert_false(one->done);
        one->done = true;
        one->place = ++places;
        one->output = conversion->ok ? bytes_to_text(conversion->output) : NULL;
        ASSERT(waiting > 0);
        if (--waiting == 0)
                loop_stop(loop);
}

static void start_chain(struct case_ *one, struct bytes input, const size_t *chain, size_t count) {
        *one = (struct case_){.conversion = {.chain_count = count, .input = input, .done = done, .user = one}};
        memcpy(one->conversion.chain, chain, count * sizeof *chain);
        waiting++;
        inside_convert = true;
        converter_convert(converter, &one->conversion);
        inside_convert = false;
}

static void start(struct case_ *one, const char *input, size_t program) {
        start_chain(one, bytes_of(input), &program, 1);
}

static void wait_for_all(void) {
        if (waiting)
                loop_run(loop);
        assert_int_equal(waiting, 0);
}

static void gives(const char *input, size_t program, const char *output) {
        struct case_ one;
        start(&one, input, program);
        wait_for_all();
        if (!one.output)
                fail_msg("%s: %s", input, one.conversion.error.text);
        assert_string_equal(one.output, output);
        free(one.output);
}

static void fails(const char *input, size_t program, enum error_code code, const char *text) {
        struct case_ one;
        start(&one, input, program);
        wait_for_all();
        if (one.output)
                fail_msg("%s gives %s", input, one.output);
        assert_string_equal(one.conversion.error.text, text);
        assert_int_equal(one.conversion.error.code, code);
}

static const char task[] = "{\"task_id\":7,\"title\":\"[Java] Sort\"}";
static const char split[] = "{\"task_id\":7,\"knowledge_area\":\"Java\",\"title\":\"Sort\"}";

static void chains_apply_programs_in_order(void **state) {
        (void)state;
        gives(task, UP, split);
        gives(split, DOWN, task);
        struct case_ one;
        size_t chain[] = {UP, DOWN, UP, DOWN, IDENTITY, UP};
        start_chain(&one, bytes_of(task), chain, ARRAY_SIZE(chain));
        wait_for_all();
        assert_string_equal(one.output, split);
        free(one.output);
        size_t fails_at_three[] = {UP, DOWN, FAIL, IDENTITY};
        start_chain(&one, bytes_of(task), fails_at_three, ARRAY_SIZE(fails_at_three));
        wait_for_all();
        assert_null(one.output);
        assert_int_equal(one.conversion.step, 3);
        assert_int_equal(one.conversion.error.code, ERROR_REJECTED);
        assert_string_equal(one.conversion.error.text, "no such task");
        size_t longest[CONVERT_CHAIN_MAX] = {0};
        start_chain(&one, BYTES(" [1, 2.50] "), longest, CONVERT_CHAIN_MAX);
        wait_for_all();
        assert_string_equal(one.output, "[1,2.5]");
        free(one.output);
}

static void outcomes_come_in_order(void **state) {
        (void)state;
        enum { MANY = 2000 };
        static struct case_ many[MANY];
        static char inputs[MANY][16];
        unsigned first = places;
        for (unsigned i = 0; i < MANY; i++) {
                snprintf(inputs[i], sizeof inputs[i], "[%u]", i);
                start(&many[i], inputs[i], i % 7 == 3 ? FAIL : IDENTITY);
        }
        wait_for_all();
        for (unsigned i = 0; i < MANY; i++) {
                assert_int_equal(many[i].place, first + i + 1);
                assert_int_equal(many[i].conversion.ok, i % 7 != 3);
                if (many[i].output)
                        assert_string_equal(many[i].output, inputs[i]);
                free(many[i].output);
        }
}

// Those around it are converted, in order, whatever it does to the process.
static void one_bad_one_harms_no_other(const char *input, size_t program, enum error_code code, const char *text) {
        struct case_ before[50], bad, after[50];
        unsigned first = places;
        for (size_t i = 0; i < 50; i++)
                start(&before[i], task, UP);
        start(&bad, input, program);
        for (size_t i = 0; i < 50; i++)
                start(&after[i], split, DOWN);
        wait_for_all();
        assert_null(bad.output);
        if (text)
                assert_string_equal(bad.conversion.error.text, text);
        assert_int_equal(bad.conversion.error.code, code);
        assert_int_equal(bad.place, first + 51);
        for (size_t i = 0; i < 50; i++) {
                assert_int_equal(before[i].place, first + i + 1);
                assert_int_equal(after[i].place, first + i + 52);
                assert_string_equal(before[i].output, split);
                assert_string_equal(after[i].output, task);
                free(before[i].output);
                free(after[i].output);
        }
}

static void a_program_that_loops_is_stopped(void **state) {
        (void)state;
        gives("1", LOOP, "1");
        one_bad_one_harms_no_other("0", LOOP, ERROR_LIMIT, "it takes more than 250 ms");
}

static void a_program_that_allocates_is_stopped(void **state) {
        (void)state;
        one_bad_one_harms_no_other("0", ALLOCATE, ERROR_LIMIT, NULL);
        one_bad_one_harms_no_other("0", RECURSE, ERROR_LIMIT, NULL);
}

// Aborts each process as soon as it is at the looping program, as an assertion of libjq would.
static struct loop_timer aborting;
static int aborted;

static void abort_process(struct loop_timer *timer) {
        int process = converter_process(converter);
        if (converter->state == LINK_READY && converter->programs[LOOP].compiled && process > 1 && process != aborted) {
                aborted = process;
                send_signal(process, SIGABRT);
        }
        loop_timer_set(loop, timer, loop_now_ns(loop) + MILLISECONDS(1));
}

static void a_program_that_crashes_libjq_is_rejected(void **state) {
        (void)state;
        struct case_ before, bad, after;
        aborting.fire = abort_process;
        aborted = 0;
        loop_timer_set(loop, &aborting, 0);
        // Where this process is starved, the watchdog may come first: then it is tried again.
        for (int tries = 0; tries < 50; tries++) {
                start(&before, task, UP);
                start(&bad, "0", LOOP);
                start(&after, split, DOWN);
                wait_for_all();
                assert_string_equal(before.output, split);
                assert_string_equal(after.output, task);
                free(before.output);
                free(after.output);
                assert_null(bad.output);
                if (bad.conversion.error.code == ERROR_REJECTED)
                        break;
        }
        loop_timer_cancel(loop, &aborting);
        assert_string_equal(bad.conversion.error.text, "libjq crashes at it");
        assert_int_equal(bad.conversion.error.code, ERROR_REJECTED);
}

static void failures_say_what_the_program_did(void **state) {
        (void)state;
        fails("1", FAIL, ERROR_REJECTED, "no such task");
        fails("1", TWO, ERROR_REJECTED, "it gave more than one output");
        fails("1", NONE, ERROR_REJECTED, "it gave no output");
        fails("1", BROKEN, ERROR_REJECTED, "it does not compile: syntax error, unexpected '|'");
        fails("{\"name\":\"Jane Doe\"}", QUOTE, ERROR_REJECTED, "string and number cannot be added");
        gives("\"2020\"", ZONE, "\"UTC\"");
        fails("{\"name\":\"Jane Doe\"}", SAY, ERROR_REJECTED, "error() with 20 bytes, which may be a personal value");
        fails("{\"name\":\"area\"}", SAY, ERROR_REJECTED, "no area for area");      // the program's own words
        struct case_ one = {.conversion = {.chain = {SAY}, .chain_count = 1, .input = BYTES("{\"name\":\"Jane Doe\"}"), .tells = true,
                                           .done = done, .user = &one}};
        waiting++;
        converter_convert(converter, &one.conversion);
        wait_for_all();
        assert_string_equal(one.conversion.error.text, "no area for Jane Doe");
}

static void numbers_are_kept_or_refused(void **state) {
        (void)state;
        static const char *const kept[] = {"0", "-1", "9007199254740991", "-9007199254740992", "9007199254740992", "0.1", "1.5",
                                           "0.30000000000000004", "-123456.789", "2.2250738585072014e-308", "5e-324", "1e-7"};
        static const char *const refused[] = {"9007199254740993", "-9007199254740993", "9007199254740994", "1e16", "1e400", "1e-400",
                                              "0.10000000000000001", "0.1000000000000000055511151231257827", "123456789012345678901",
                                              "1e999999999", "4503599627370497.25"};
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                gives(kept[i], IDENTITY, kept[i]);
        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                char input[100];
                snprintf(input, sizeof input, "{\"a\":[%s]}", refused[i]);
                fails(input, IDENTITY, ERROR_REJECTED, "the document: the number at byte 6 would be rounded by jq: at most ±2^53 for "
                      "integers, and what a double keeps");
        }
        gives("100e-1", IDENTITY, "10");
        gives("-0", IDENTITY, "0");
        gives("\"9007199254740991\"", NUMBER, "9007199254740991");
        static const char beyond[] = "its output has an integer at or beyond ±2^53, which jq may have rounded";
        fails("\"9007199254740993\"", NUMBER, ERROR_REJECTED, beyond);
        fails("\"9007199254740992\"", NUMBER, ERROR_REJECTED, beyond);
        fails("\"-1e300\"", NUMBER, ERROR_REJECTED, beyond);
        fails("1", INFINITE, ERROR_REJECTED, beyond);
        fails("1", NAN_OUT, ERROR_REJECTED, "its output has a NaN");
}

static void text_is_kept_and_stays_utf8(void **state) {
        (void)state;
        gives("\"\\u0000\\u001f\\\"\\\\ ä €\"", IDENTITY, "\"\\u0000\\u001f\\\"\\\\ ä €\"");
        gives("{\"z\":1,\"a\":{\"ä\":null,\"\":[true,false]}}", IDENTITY, "{\"z\":1,\"a\":{\"ä\":null,\"\":[true,false]}}");
        gives("\"x\"", SURROGATE, "\"\xef\xbf\xbd\xef\xbf\xbdx\xf0\x9f\x98\x80ä\xef\xbf\xbd\"");
        gives("1114112", CODE, "\"\xef\xbf\xbd\"");
        gives("-1", CODE, "\"\xef\xbf\xbd\"");
        fails("\"\xff\"", IDENTITY, ERROR_INVALID, "the document: line 1, column 2 (byte 1): this is not valid UTF-8");
        struct case_ bad;
        start(&bad, "{\"a\":1,\"a\":2}", IDENTITY);
        wait_for_all();
        assert_int_equal(bad.conversion.error.code, ERROR_INVALID);
        assert_int_equal(bad.conversion.step, 0);
}

static void sizes_are_limited(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer input = {0};
        size_t identity = IDENTITY;
        struct case_ one;
        buffer_append_byte(&input, '"');
        while (input.size < CONVERT_INPUT_MAX - 1)
                buffer_append_byte(&input, 'x');
        buffer_append_byte(&input, '"');
        start_chain(&one, buffer_bytes(&input), &identity, 1);
        wait_for_all();
        if (!one.output)
                fail_msg("%s", one.conversion.error.text);
        assert_int_equal(strlen(one.output), CONVERT_INPUT_MAX);
        free(one.output);
        buffer_append_byte(&input, ' ');
        start_chain(&one, buffer_bytes(&input), &identity, 1);
        wait_for_all();
        assert_int_equal(one.conversion.error.code, ERROR_LIMIT);
        assert_string_equal(one.conversion.error.text, "8388609 bytes to convert, at most 8388608");
        fails("1", LARGE, ERROR_LIMIT, "its output is larger than 8388608 bytes");
        fails("129", DEEP, ERROR_LIMIT, "its output is more than 128 levels deep");
        struct case_ deep;
        start(&deep, "128", DEEP);
        wait_for_all();
        assert_non_null(deep.output);
        size_t again = IDENTITY;
        start_chain(&one, bytes_of(deep.output), &again, 1);
        wait_for_all();
        assert_string_equal(one.output, deep.output);
        free(one.output);
        free(deep.output);
}

// A kill from outside costs nothing: what was under way is converted by the next process.
static void a_killed_process_is_replaced(void **state) {
        (void)state;
        gives("1", IDENTITY, "1");
        int before = converter_process(converter);
        assert_true(before > 0);
        struct case_ many[100];
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                start(&many[i], task, UP);
        send_signal(before, SIGKILL);
        wait_for_all();
        for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
                assert_string_equal(many[i].output, split);
                free(many[i].output);
        }
        assert_true(converter_process(converter) > 0);
        assert_int_not_equal(converter_process(converter), before);
        assert_false(is_alive(before));         // no zombie
}

static void kill_at_the_last_outcome(struct conversion *conversion) {
        if (conversion->ok)
                send_signal(converter_process(converter), SIGKILL);
        done(conversion);
}

static void an_idle_process_that_is_killed_is_replaced_when_needed(void **state) {
        (void)state;
        for (int i = 0; i < 5; i++) {
                struct case_ one;
                size_t identity = IDENTITY;
                start_chain(&one, BYTES("2"), &identity, 1);
                one.conversion.done = kill_at_the_last_outcome;
                wait_for_all();
                assert_string_equal(one.output, "2");
                free(one.output);
        }
}

// What a conversion's process may not have, as the kernel says it.
static bool status_has(int process, const char *line) {
        char path[64], text[8192];
        snprintf(path, sizeof path, "/proc/%d/status", process);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        return strstr(text, line) != NULL;
}

static unsigned descriptors_of(int process) {
        char path[64];
        unsigned count = 0;
        snprintf(path, sizeof path, "/proc/%d/fd", process);
        DIR *folder = opendir(path);
        assert_non_null(folder);
        for (struct dirent *entry; (entry = readdir(folder)); )
                count += entry->d_name[0] != '.';
        closedir(folder);
        return count;
}

static void the_process_has_nothing_but_its_socket(void **state) {
        (void)state;
        int inherited = dup(STDOUT_FILENO);             // without close-on-exec
        assert_true(inherited > 2);
        converter_free(converter);
        struct converter_options options = {.loop = loop, .executable = COMMUTE, .programs = programs, .program_count = PROGRAM_COUNT};
        assert_true(converter_new(&options, &converter, NULL));
        gives("1", IDENTITY, "1");
        int process = converter_process(converter);
        assert_int_equal(descriptors_of(process), 3);
        assert_true(status_has(process, "NoNewPrivs:\t1"));
        assert_true(PROCESS_SANITIZED || status_has(process, "Seccomp:\t2"));
        char path[64], text[64];
        snprintf(path, sizeof path, "/proc/%d/environ", process);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(fread(text, 1, sizeof text, file), 0);
        fclose(file);
        close(inherited);
}

static void what_is_under_way_ends_with_the_converter(void **state) {
        (void)state;
        struct case_ many[10], refused;
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                start(&many[i], "0", LOOP);
        CLEANUP(buffer_free) struct buffer input = {0};
        memset(buffer_reserve(&input, CONVERT_INPUT_MAX + 1), ' ', CONVERT_INPUT_MAX + 1);
        input.size = CONVERT_INPUT_MAX + 1;
        size_t identity = IDENTITY;
        start_chain(&refused, buffer_bytes(&input), &identity, 1);
        int process = converter_process(converter);
        converter_free(TAKE(converter));
        assert_int_equal(waiting, 0);
        assert_false(is_alive(process));
        for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
                assert_int_equal(many[i].conversion.error.code, ERROR_UNAVAILABLE);
                assert_string_equal(many[i].conversion.error.text, "commute is stopping");
        }
        assert_true(refused.done);
        converter_free(NULL);
}

static void an_executable_that_is_none_is_an_error(void **state) {
        (void)state;
        struct converter *other;
        struct error error;
        struct converter_options options = {.loop = loop, .executable = "/nowhere/commute", .programs = programs, .program_count = 1};
        assert_false(converter_new(&options, &other, &error));
        assert_int_equal(error.code, ERROR_UNAVAILABLE);
        assert_string_equal(error.text, "the converter's process: start /nowhere/commute: No such file or directory");
}

// A program that does not speak our protocol: what waits is told so, and later calls too.
static void a_process_that_does_not_start_fails_what_waits(void **state) {
        (void)state;
        converter_free(converter);
        struct converter_options options = {.loop = loop, .executable = "/bin/false", .programs = programs, .program_count = 1};
        assert_true(converter_new(&options, &converter, NULL));
        fails("1", IDENTITY, ERROR_UNAVAILABLE, "the converter's process ended while it started (within 10000 ms)");
        fails("1", IDENTITY, ERROR_UNAVAILABLE, "the converter's process ended while it started (within 10000 ms)");
        assert_int_equal(converter_process(converter), -1);
}

static void what_is_refused_never_reaches_a_process(void **state) {
        (void)state;
        struct converter *other;
        struct error error;
        const struct bytes refused[] = {BYTES("."), BYTES(".a |\n now")};
        struct converter_options options = {.loop = loop, .executable = COMMUTE, .programs = refused, .program_count = 2};
        assert_false(converter_new(&options, &other, &error));
        assert_string_equal(error.text, "program 1: line 2, column 2: `now` is not allowed: a mapping may depend on its input alone");
        static struct bytes many[CONVERT_PROGRAMS_MAX + 1];
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = BYTES(".");
        options = (struct converter_options){.loop = loop, .executable = COMMUTE, .programs = many, .program_count = ARRAY_SIZE(many)};
        assert_false(converter_new(&options, &other, &error));
        assert_string_equal(error.text, "1025 programs, at most 1024");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(chains_apply_programs_in_order, begin, end),
                cmocka_unit_test_setup_teardown(outcomes_come_in_order, begin, end),
                cmocka_unit_test_setup_teardown(a_program_that_loops_is_stopped, begin, end),
                cmocka_unit_test_setup_teardown(a_program_that_allocates_is_stopped, begin, end),
                cmocka_unit_test_setup_teardown(a_program_that_crashes_libjq_is_rejected, begin, end),
                cmocka_unit_test_setup_teardown(failures_say_what_the_program_did, begin, end),
                cmocka_unit_test_setup_teardown(numbers_are_kept_or_refused, begin, end),
                cmocka_unit_test_setup_teardown(text_is_kept_and_stays_utf8, begin, end),
                cmocka_unit_test_setup_teardown(sizes_are_limited, begin, end),
                cmocka_unit_test_setup_teardown(a_killed_process_is_replaced, begin, end),
                cmocka_unit_test_setup_teardown(an_idle_process_that_is_killed_is_replaced_when_needed, begin, end),
                cmocka_unit_test_setup_teardown(the_process_has_nothing_but_its_socket, begin, end),
                cmocka_unit_test_setup_teardown(what_is_under_way_ends_with_the_converter, begin, end),
                cmocka_unit_test_setup_teardown(an_executable_that_is_none_is_an_error, begin, end),
                cmocka_unit_test_setup_teardown(a_process_that_does_not_start_fails_what_waits, begin, end),
                cmocka_unit_test_setup_teardown(what_is_refused_never_reaches_a_process, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
