// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "convert/frame.h"

static const char convert_bytes[] =
        "\x07\0\0\0" "\x02" "\0" "\x02\0" "\x05\0\0\0\0\0\0\x01" "\0\0\0\0\0\0\0\0" "\x01\0" "\x2c\x01" "[1]";

static void frames_are_the_bytes_that_are_documented(void **state) {
        (void)state;
        CLEANUP(buffer_free) struct buffer text = {0};
        struct frame frame = {.kind = FRAME_CONVERT, .count = 2, .number = 0x0100000000000005, .chain = {1, 300}, .content = BYTES("[1]")};
        frame_write(&text, &frame);
        assert_int_equal(text.size, sizeof convert_bytes - 1);
        assert_memory_equal(text.data, convert_bytes, text.size);
        frame = (struct frame){.kind = FRAME_FAILED, .code = ERROR_LIMIT, .count = 1, .number = 2, .cpu_ns = 0x0203,
                               .content = BYTES("no")};
        buffer_clear(&text);
        frame_write(&text, &frame);
        char expected[] = "\x02\0\0\0" "\x14" "L" "\x01\0" "\x02\0\0\0\0\0\0\0" "\x03\x02\0\0\0\0\0\0" "no";
        expected[5] = ERROR_LIMIT;
        assert_int_equal(text.size, sizeof expected - 1);
        assert_memory_equal(text.data, expected, text.size);
}

static void what_is_written_is_read(void **state) {
        (void)state;
        const struct frame frames[] = {
                {.kind = FRAME_PROGRAM, .number = 1023, .content = BYTES(".a")},
                {.kind = FRAME_CONVERT, .count = CONVERT_CHAIN_MAX, .number = 1, .chain = {1, 2, 3, [15] = 65535}, .content = BYTES("{}")},
                {.kind = FRAME_READY, .number = FRAME_PROTOCOL, .cpu_ns = 9},
                {.kind = FRAME_COMPILED, .number = 4, .cpu_ns = UINT64_MAX},
                {.kind = FRAME_CONVERTED, .number = UINT64_MAX, .content = BYTES("null")},
                {.kind = FRAME_FAILED, .code = ERROR_REJECTED, .count = 16, .number = 7, .content = BYTES("why")},
                {.kind = FRAME_FAILED, .code = ERROR_REJECTED, .said = 70000, .count = 1, .number = 7, .content = BYTES("who")},
        };
        for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
                CLEANUP(buffer_free) struct buffer text = {0};
                struct frame read = {0};
                size_t size = 0;
                bool from_process = frames[i].kind >= FRAME_READY;
                frame_write(&text, &frames[i]);
                for (size_t cut = 0; cut < text.size; cut++)
                        assert_int_equal(frame_read((struct bytes){text.data, cut}, from_process, &read, &size), FRAME_MORE);
                assert_int_equal(size, 0);
                assert_int_equal(frame_read(buffer_bytes(&text), !from_process, &read, &size), FRAME_BROKEN);
                assert_int_equal(frame_read(buffer_bytes(&text), from_process, &read, &size), FRAME_WHOLE);
                assert_int_equal(size, text.size);
                assert_int_equal(read.kind, frames[i].kind);
                assert_int_equal(read.code, frames[i].code);
                assert_int_equal(read.said, frames[i].said);
                assert_int_equal(read.count, frames[i].count);
                assert_int_equal(read.number, frames[i].number);
                assert_int_equal(read.cpu_ns, frames[i].cpu_ns);
                assert_memory_equal(read.chain, frames[i].chain, sizeof read.chain);
                assert_true(bytes_equal(read.content, frames[i].content));
        }
}

static void breaks(size_t offset, uint8_t value, bool from_process) {
        char text[sizeof convert_bytes];
        struct frame frame;
        size_t size;
        memcpy(text, convert_bytes, sizeof text);
        text[offset] = (char)value;
        assert_int_equal(frame_read((struct bytes){text, sizeof text - 1}, from_process, &frame, &size), FRAME_BROKEN);
}

static void what_is_no_frame_is_refused(void **state) {
        (void)state;
        breaks(4, 0, false);            // kind
        breaks(4, 3, false);
        breaks(4, FRAME_READY, false);
        breaks(4, FRAME_FAILED + 1, true);
        breaks(5, 1, false);            // code
        breaks(6, 0, false);            // no step
        breaks(6, 17, false);
        breaks(6, 4, false);            // more steps than bytes
        breaks(3, 1, false);            // 16 MiB
        breaks(16, 1, false);           // processor time of the parent
        breaks(4, FRAME_CONVERTED, true);       // steps of an answer
        breaks(4, FRAME_COMPILED, true);        // has no content
        breaks(4, FRAME_FAILED, true);          // code 0
        const char none_said[] = "\x04\0\0\0" "\x14" "\x80" "\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0";
        char text[sizeof none_said];
        struct frame frame;
        size_t size;
        memcpy(text, none_said, sizeof text);
        text[5] = (char)(128 | ERROR_REJECTED);
        assert_int_equal(frame_read((struct bytes){text, sizeof text - 1}, true, &frame, &size), FRAME_BROKEN);
        text[0] = 3;                            // less than says how much was said
        assert_int_equal(frame_read((struct bytes){text, sizeof text - 2}, true, &frame, &size), FRAME_BROKEN);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_are_the_bytes_that_are_documented),
                cmocka_unit_test(what_is_written_is_read),
                cmocka_unit_test(what_is_no_frame_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
