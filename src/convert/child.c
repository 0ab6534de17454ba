// SPDX-License-Identifier: Apache-2.0
// The process in which jq programs run: reads frames (frame.h) from standard input, answers there, one conversion after the other, and
// ends when its parent closes the socket. Single-threaded. Programs are compiled when a conversion first needs them.
//
// Memory that runs out inside libjq comes back by longjmp, with libjq's structures in pieces: that conversion is answered with
// ERROR_LIMIT and the process ends. Whatever else goes wrong inside libjq (a failed assertion, a stack that ran out) ends it at once; the
// parent knows at which conversion.
#include "convert/convert_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "convert/frame.h"
#include "convert/program.h"
#include "convert/value.h"
#include "os/process.h"

enum { EXIT_OK = 0, EXIT_WRONG_COMMAND = 64, EXIT_PROTOCOL = 70, EXIT_CONFINED = 71 };
enum { READ_SIZE = 64 << 10, ANSWER_RESERVED = CONVERT_OUTPUT_MAX + FRAME_HEAD };

struct loaded {
        char *text;                     // owned; NULL until PROGRAM came
        size_t size;
        struct program *program;
        char *complaint;                // why it does not compile; owned
};

struct child {
        struct loaded *programs;
        size_t count;
        struct buffer in, document, answer;
        struct arena arena;
        struct frame conversion;        // the one under way
        jmp_buf no_memory;
};

static uint64_t cpu_ns(void) {
        struct timespec used;
        ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
        return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static bool answer(struct child *child, struct frame frame) {
        frame.cpu_ns = cpu_ns();
        buffer_clear(&child->answer);
        frame_write(&child->answer, &frame);
        for (size_t at = 0; at < child->answer.size; ) {
                ssize_t written = write(STDIN_FILENO, child->answer.data + at, child->answer.size - at);
                if (written < 0 && errno != EINTR)
                        return false;
                at += written > 0 ? (size_t)written : 0;
        }
        return true;
}

static bool answer_failure(struct child *child, const struct error *error, size_t step, size_t said) {
        struct bytes text = {error->text, strlen(error->text)};
        return answer(child, (struct frame){.kind = FRAME_FAILED, .code = error->code, .count = step, .said = MIN(said, (size_t)UINT32_MAX),
                                            .number = child->conversion.number, .content = text});
}

static void no_memory(void *user) {
        struct child *child = user;
        longjmp(child->no_memory, 1);
}

static bool compile(struct child *child, size_t index) {
        struct loaded *loaded = &child->programs[index];
        struct error error;
        if (loaded->program || loaded->complaint)
                return true;
        if (!program_compile((struct bytes){loaded->text, loaded->size}, &loaded->program, NULL, &error))
                loaded->complaint = bytes_to_text(bytes_of(error.text));
        return answer(child, (struct frame){.kind = FRAME_COMPILED, .number = index});
}

static bool convert(struct child *child, size_t *ret_step, size_t *ret_said, struct error *error) {
        const struct frame *frame = &child->conversion;
        bool edge;
        jv value;
        *ret_step = *ret_said = 0;
        if (!value_read(frame->content, &child->arena, &value, &edge, error))
                return false;
        for (size_t i = 0; i < frame->count; i++) {
                struct loaded *loaded = &child->programs[frame->chain[i]];
                *ret_step = i + 1;
                if (!loaded->program) {
                        jv_free(value);
                        return error_set(error, ERROR_REJECTED, "it does not compile: %s", loaded->complaint);
                }
                if (!program_run(loaded->program, value, &value, ret_said, error))
                        return false;
        }
        buffer_clear(&child->document);
        bool ok = value_write(value, edge, &child->document, error);
        jv_free(value);
        return ok;
}

// False: the process is to end.
static bool run_conversion(struct child *child, const struct frame *frame) {
        struct error error;
        size_t step, said;
        child->conversion = *frame;
        for (size_t i = 0; i < frame->count; i++) {
                if (frame->chain[i] >= child->count || !child->programs[frame->chain[i]].text)
                        return false;
                if (!compile(child, frame->chain[i]))
                        return false;
        }
        bool ok = convert(child, &step, &said, &error);
        arena_reset(&child->arena);
        if (!ok)
                return answer_failure(child, &error, step, said);
        return answer(child, (struct frame){.kind = FRAME_CONVERTED, .number = frame->number,
                                            .content = buffer_bytes(&child->document)});
}

static bool handle(struct child *child, const struct frame *frame) {
        if (frame->kind == FRAME_CONVERT)
                return run_conversion(child, frame);
        if (frame->number >= child->count || child->programs[frame->number].text)
                return false;
        child->programs[frame->number].text = bytes_to_text(frame->content);
        child->programs[frame->number].size = frame->content.size;
        return true;
}

// Until the parent closes the socket.
static int serve(struct child *child) {
        if (!answer(child, (struct frame){.kind = FRAME_READY, .number = FRAME_PROTOCOL}))
                return EXIT_PROTOCOL;
        for (;;) {
                ssize_t got = read(STDIN_FILENO, buffer_reserve(&child->in, READ_SIZE), READ_SIZE);
                if (got == 0)
                        return EXIT_OK;
                if (got < 0 && errno != EINTR)
                        return EXIT_PROTOCOL;
                child->in.size += got > 0 ? (size_t)got : 0;
                size_t at = 0, size;
                struct frame frame;
                enum frame_outcome outcome;
                while ((outcome = frame_read((struct bytes){child->in.data + at, child->in.size - at}, false, &frame, &size)) ==
                       FRAME_WHOLE) {
                        if (!handle(child, &frame))
                                return EXIT_PROTOCOL;
                        at += size;
                }
                if (outcome == FRAME_BROKEN)
                        return EXIT_PROTOCOL;
                memmove(child->in.data, child->in.data + at, child->in.size - at);
                child->in.size -= at;
        }
}

static void child_free(struct child *child) {
        for (size_t i = 0; i < child->count; i++) {
                free(child->programs[i].text);
                free(child->programs[i].complaint);
                program_free(child->programs[i].program);
        }
        free(child->programs);
        buffer_free(&child->in);
        buffer_free(&child->document);
        buffer_free(&child->answer);
        arena_free(&child->arena);
        free(child);
}

static int run(size_t count) {
        struct child *child = must_calloc(1, sizeof *child);
        child->programs = must_calloc(count, sizeof *child->programs);
        child->count = count;
        buffer_reserve(&child->document, ANSWER_RESERVED);      // so that an answer needs no memory when there is none left
        buffer_reserve(&child->answer, ANSWER_RESERVED);
        if (setjmp(child->no_memory)) {
                struct error error;
                IGNORE(error_set(&error, ERROR_LIMIT, "it needs more than %d MiB of memory", CONVERT_MEMORY_MAX >> 20));
                IGNORE(answer_failure(child, &error, 0, 0));       // the process ends either way
                return EXIT_OK;                                 // what libjq holds is not in a state to be freed
        }
        program_on_no_memory(no_memory, child);
        int status = serve(child);
        child_free(child);
        return status;
}

// CONVERT_COMMAND, the parent's process number, the number of programs.
int convert_child_main(int argc, char **argv) {
        enum { PROGRAM_MEMORY = 4 << 20 };      // address space for a compiled program: 1.5 MiB, and room
        uint64_t parent, count;
        if (argc != 3 || !bytes_to_u64(bytes_of(argv[1]), &parent) || !bytes_to_u64(bytes_of(argv[2]), &count) ||
            parent > INT32_MAX || count > CONVERT_PROGRAMS_MAX)
                return EXIT_WRONG_COMMAND;
        setenv("TZ", "UTC0", 1);
        if (!process_confine((pid_t)parent, CONVERT_MEMORY_MAX + count * PROGRAM_MEMORY, NULL))
                return EXIT_CONFINED;
        return run(count);
}
