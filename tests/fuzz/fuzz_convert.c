// SPDX-License-Identifier: Apache-2.0
// The first byte says what the rest is: `p` a program to be checked; `>` and `<` frames to and from the converter's process.
#include "convert/convert.h"
#include "convert/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_program(struct bytes program) {
        struct error error = {0};
        if (!convert_check(program, &error))
                ASSERT(error.code == ERROR_INVALID || error.code == ERROR_LIMIT);
}

// What is read is written as it was.
static void fuzz_frames(struct bytes source, bool from_process) {
        struct frame frame;
        size_t size;
        CLEANUP(buffer_free) struct buffer again = {0};
        while (frame_read(source, from_process, &frame, &size) == FRAME_WHOLE) {
                buffer_clear(&again);
                frame_write(&again, &frame);
                ASSERT(bytes_equal(buffer_bytes(&again), (struct bytes){source.data, size}));
                source = (struct bytes){source.data + size, source.size - size};
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        if (size == 0)
                return 0;
        struct bytes rest = {(const char *)data + 1, size - 1};
        if (*data == 'p')
                fuzz_program(rest);
        else if (*data == '<' || *data == '>')
                fuzz_frames(rest, *data == '<');
        return 0;
}
