// SPDX-License-Identifier: Apache-2.0
// Reads strictly: what is no frame of that direction ends the connection, and with it the process.
#include "convert/frame.h"

enum { SAID = 128, SAID_SIZE = 4 };

static uint64_t get(const char *at, size_t size) {
        uint64_t value = 0;
        for (size_t i = size; i-- > 0; )
                value = value << 8 | (uint8_t)at[i];
        return value;
}

static void put(char *at, size_t size, uint64_t value) {
        for (size_t i = 0; i < size; i++, value >>= 8)
                at[i] = (char)value;
}

static bool size_fits(enum frame_kind kind, size_t size, size_t count) {
        switch (kind) {
        case FRAME_PROGRAM:
                return size <= CONVERT_PROGRAM_MAX && count == 0;
        case FRAME_CONVERT:
                return count >= 1 && count <= CONVERT_CHAIN_MAX && size >= 2 * count && size - 2 * count <= CONVERT_INPUT_MAX;
        case FRAME_READY:
        case FRAME_COMPILED:
                return size == 0 && count == 0;
        case FRAME_CONVERTED:
                return size <= CONVERT_OUTPUT_MAX && count == 0;
        case FRAME_FAILED:
                return size <= ERROR_TEXT_MAX + SAID_SIZE && count <= CONVERT_CHAIN_MAX;
        }
        return false;
}

static bool is_kind(uint8_t kind, bool from_process) {
        return from_process ? kind >= FRAME_READY && kind <= FRAME_FAILED : kind == FRAME_PROGRAM || kind == FRAME_CONVERT;
}

enum frame_outcome frame_read(struct bytes source, bool from_process, struct frame *ret_frame, size_t *ret_size) {
        if (source.size < FRAME_HEAD)
                return FRAME_MORE;
        const char *head = source.data;
        size_t size = get(head, 4);
        uint8_t kind = (uint8_t)head[4], code = (uint8_t)head[5];
        struct frame frame = {.kind = (enum frame_kind)kind, .code = (enum error_code)code, .count = get(head + 6, 2),
                              .number = get(head + 8, 8), .cpu_ns = get(head + 16, 8)};
        if (!is_kind(kind, from_process) || !size_fits(frame.kind, size, frame.count) || (!from_process && frame.cpu_ns))
                return FRAME_BROKEN;
        bool failed = kind == FRAME_FAILED, said = failed && (code & SAID);
        if (said) {
                frame.code = (enum error_code)(code & ~SAID);
                code = (uint8_t)(code & ~SAID);
                if (size < SAID_SIZE)
                        return FRAME_BROKEN;
        }
        if (failed && size - (said ? (size_t)SAID_SIZE : 0) > ERROR_TEXT_MAX)
                return FRAME_BROKEN;
        if (failed ? code != ERROR_INVALID && code != ERROR_REJECTED && code != ERROR_LIMIT : code != 0)
                return FRAME_BROKEN;
        if (source.size - FRAME_HEAD < size)
                return FRAME_MORE;
        size_t chain = kind == FRAME_CONVERT ? frame.count : 0;
        for (size_t i = 0; i < chain; i++)
                frame.chain[i] = get(head + FRAME_HEAD + 2 * i, 2);
        size_t before = said ? SAID_SIZE : 2 * chain;
        frame.said = said ? get(head + FRAME_HEAD, SAID_SIZE) : 0;
        if (said && !frame.said)
                return FRAME_BROKEN;
        frame.content = (struct bytes){head + FRAME_HEAD + before, size - before};
        *ret_frame = frame;
        *ret_size = FRAME_HEAD + size;
        return FRAME_WHOLE;
}

void frame_write(struct buffer *buffer, const struct frame *frame) {
        size_t chain = frame->kind == FRAME_CONVERT ? frame->count : 0, before = frame->said ? SAID_SIZE : 2 * chain;
        size_t size = frame->content.size + before;
        ASSERT(size_fits(frame->kind, size, frame->count));
        ASSERT(frame->kind == FRAME_FAILED || !frame->said);
        char *head = buffer_reserve(buffer, FRAME_HEAD + before);
        memset(head, 0, FRAME_HEAD);
        put(head, 4, size);
        put(head + 4, 1, frame->kind);
        put(head + 5, 1, (uint64_t)frame->code | (frame->said ? SAID : 0));
        put(head + 6, 2, frame->count);
        put(head + 8, 8, frame->number);
        put(head + 16, 8, frame->cpu_ns);
        for (size_t i = 0; i < chain; i++)
                put(head + FRAME_HEAD + 2 * i, 2, frame->chain[i]);
        if (frame->said)
                put(head + FRAME_HEAD, SAID_SIZE, frame->said);
        buffer->size += FRAME_HEAD + before;
        buffer_append(buffer, frame->content);
}
