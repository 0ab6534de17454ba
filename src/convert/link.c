// SPDX-License-Identifier: Apache-2.0
// The converter's process: starts it, sends what waits, reads its answers, measures the conversion that it is at, and ends it. States:
// convert_priv.h. The process is reaped when its pidfd says that it has ended, so the loop never waits for it, but in link_close.
//
// Time. The process says with each frame how much processor time it has used; the conversion that it is at has used what the
// process has used since. The watchdog looks first at what has arrived, then at that: an overloaded machine kills nothing.
#include "convert/convert_priv.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "convert/frame.h"

enum { READ_SIZE = 64 << 10, OUT_AHEAD = 256 << 10 };

static struct conversion *head_of(struct converter *converter) {
        return list_empty(&converter->sent) ? NULL : LIST_FIRST(&converter->sent, struct conversion, link);
}

// May be called in any state; the process's end itself comes later, by its pidfd.
static void link_end(struct converter *converter, enum link_end end) {
        if (converter->state == LINK_NONE || converter->state == LINK_ENDING)
                return;
        if (converter->state == LINK_STARTING) {
                converter->starts_failed++;
                error_set(&converter->why, ERROR_UNAVAILABLE, end == END_BY_PATIENCE ? "the converter's process does not start in %d ms"
                          : "the converter's process ended while it started (within %d ms)", CONVERT_START_MS);
        }
        converter->end = end;
        process_kill(&converter->process);
        loop_unwatch(converter->loop, &converter->socket);
        close(converter->process.socket);
        converter->process.socket = -1;
        loop_timer_cancel(converter->loop, &converter->watchdog);
        converter->state = LINK_ENDING;
}

static void watch_over(struct converter *converter, uint64_t after_ns) {
        loop_timer_set(converter->loop, &converter->watchdog, loop_now_ns(converter->loop) + after_ns);
}

// The head begins now, as far as is known.
static void begin_head(struct converter *converter, uint64_t cpu_ns) {
        converter->since_ns = loop_now_ns(converter->loop);
        converter->cpu_ns = cpu_ns;
        if (!list_empty(&converter->sent) && !converter->watchdog.slot)
                watch_over(converter, MILLISECONDS(CONVERT_TIME_MS));
}

// False: the frame does not belong here.
static bool take_frame(struct converter *converter, const struct frame *frame) {
        struct conversion *head = head_of(converter);
        if (converter->state == LINK_STARTING) {
                if (frame->kind != FRAME_READY || frame->number != FRAME_PROTOCOL)
                        return false;
                converter->state = LINK_READY;
                converter->starts_failed = 0;
                loop_timer_cancel(converter->loop, &converter->watchdog);
                begin_head(converter, frame->cpu_ns);
                return true;
        }
        if (frame->kind == FRAME_COMPILED) {
                if (frame->number >= converter->program_count || !converter->programs[frame->number].told)
                        return false;
                converter->programs[frame->number].compiled = true;
                begin_head(converter, frame->cpu_ns);
                return true;
        }
        if (frame->kind == FRAME_READY || !head || frame->number != head->serial)
                return false;
        if (frame->kind == FRAME_CONVERTED) {
                converter_answered(converter, true, frame->content, NULL, 0);
        } else {
                struct error error;
                if (frame->said && !head->tells)
                        error_set(&error, frame->code, "error() with %zu bytes, which may be a personal value", frame->said);
                else
                        error_set(&error, frame->code, "%.*s", BYTES_PRINT(frame->content));
                converter_answered(converter, false, (struct bytes){0}, &error, frame->count);
        }
        begin_head(converter, frame->cpu_ns);
        return true;
}

// Whole frames of what has arrived; what is left of one goes to the front.
static bool take_frames(struct converter *converter) {
        size_t at = 0, size;
        struct frame frame;
        enum frame_outcome outcome;
        struct buffer *in = &converter->in;
        while ((outcome = frame_read((struct bytes){in->data + at, in->size - at}, true, &frame, &size)) == FRAME_WHOLE) {
                if (!take_frame(converter, &frame))
                        return false;
                at += size;
        }
        memmove(in->data, in->data + at, in->size - at);
        in->size -= at;
        return outcome == FRAME_MORE;
}

static void read_answers(struct converter *converter) {
        while (converter->state == LINK_STARTING || converter->state == LINK_READY) {
                char *to = buffer_reserve(&converter->in, READ_SIZE);
                ptrdiff_t got = process_receive(converter->process.socket, to, READ_SIZE);
                if (got <= 0) {
                        if (got < 0)
                                link_end(converter, END_BY_ITSELF);
                        return;
                }
                converter->in.size += (size_t)got;
                if (!take_frames(converter))
                        link_end(converter, END_BY_BREACH);
        }
}

static void socket_ready(struct loop_watch *watch, uint32_t events) {
        (void)events;
        struct converter *converter = CONTAINER_OF(watch, struct converter, socket);
        read_answers(converter);
        link_pump(converter);
}

static uint64_t allowed_ns(const struct converter *converter, const struct conversion *head) {
        for (size_t i = 0; i < head->chain_count; i++)
                if (!converter->programs[head->chain[i]].compiled)
                        return MILLISECONDS(CONVERT_COMPILE_MS);
        return MILLISECONDS(CONVERT_TIME_MS);
}

static void judge_head(struct converter *converter, struct conversion *head) {
        uint64_t cpu_ns = 0, allowed = allowed_ns(converter, head), wall_ns = loop_now_ns(converter->loop) - converter->since_ns;
        if (!process_cpu_ns(&converter->process, &cpu_ns))
                return;                         // it has ended: its pidfd says so soon
        uint64_t used = cpu_ns > converter->cpu_ns ? cpu_ns - converter->cpu_ns : 0;
        if (used >= allowed) {
                struct error error;
                error_set(&error, ERROR_LIMIT, "it takes more than %d ms", (int)(allowed / MILLISECONDS(1)));
                link_end(converter, END_BY_TIME);
                converter_answered(converter, false, (struct bytes){0}, &error, 0);
        } else if (wall_ns >= MILLISECONDS(CONVERT_WALL_MS)) {
                link_end(converter, END_BY_PATIENCE);
        } else {
                watch_over(converter, MAX(allowed - used, MILLISECONDS(1)));
        }
}

static void watchdog(struct loop_timer *timer) {
        struct converter *converter = CONTAINER_OF(timer, struct converter, watchdog);
        read_answers(converter);
        if (converter->state == LINK_STARTING)
                link_end(converter, END_BY_PATIENCE);
        struct conversion *head = converter->state == LINK_READY ? head_of(converter) : NULL;
        if (head)
                judge_head(converter, head);
        link_pump(converter);
}

// What waits does not wait for a process that does not come: its callers know what else to do.
static void give_up_starting(struct converter *converter) {
        struct error error = converter->why;
        converter->pause_until_ns = loop_now_ns(converter->loop) + MILLISECONDS(CONVERT_PAUSE_MS);
        converter_fail_all(converter, &error);
}

static enum link_blame blame_of(const struct converter *converter, int status) {
        if (converter->end != END_BY_ITSELF)
                return converter->end == END_BY_TIME ? BLAME_NOBODY : converter->end == END_BY_BREACH ? BLAME_CRASH : BLAME_KILL;
        if (WIFSIGNALED(status))
                return WTERMSIG(status) == SIGKILL ? BLAME_KILL : BLAME_CRASH;
        return WEXITSTATUS(status) == 0 ? BLAME_NOBODY : BLAME_CRASH;
}

static void process_ended(struct loop_watch *watch, uint32_t events) {
        (void)events;
        struct converter *converter = CONTAINER_OF(watch, struct converter, ended);
        read_answers(converter);                // what it sent before its end
        link_end(converter, END_BY_ITSELF);
        loop_unwatch(converter->loop, &converter->ended);
        int status = process_reap(&converter->process);
        converter->state = LINK_NONE;
        if (converter->starts_failed >= STARTS_FAILED_MAX)
                give_up_starting(converter);
        converter_lost(converter, blame_of(converter, status));
}

static void forget_process(struct converter *converter) {
        for (size_t i = 0; i < converter->program_count; i++)
                converter->programs[i].told = converter->programs[i].compiled = false;
        buffer_clear(&converter->in);
        buffer_clear(&converter->out);
        converter->out_at = 0;
}

void link_init(struct converter *converter) {
        converter->process = PROCESS_NONE;
        converter->socket = (struct loop_watch){-1, socket_ready};
        converter->ended = (struct loop_watch){-1, process_ended};
        converter->watchdog.fire = watchdog;
}

void link_start(struct converter *converter) {
        char parent[24], count[24];
        snprintf(parent, sizeof parent, "%d", getpid());
        snprintf(count, sizeof count, "%zu", converter->program_count);
        const char *const arguments[] = {"commute", CONVERT_COMMAND, parent, count, NULL};
        ASSERT(converter->state == LINK_NONE);
        forget_process(converter);
        bool ok = process_start(converter->executable, arguments, &converter->process, &converter->why);
        if (ok && (!loop_watch(converter->loop, &converter->socket, converter->process.socket, &converter->why) ||
                   !loop_watch(converter->loop, &converter->ended, converter->process.ended, &converter->why))) {
                loop_unwatch(converter->loop, &converter->socket);
                process_kill(&converter->process);
                IGNORE(process_reap(&converter->process));      // we killed it
                ok = false;
        }
        if (!ok) {
                error_wrap(&converter->why, "the converter's process");
                give_up_starting(converter);
                return;
        }
        converter->state = LINK_STARTING;
        converter->cpu_ns = 0;
        watch_over(converter, MILLISECONDS(CONVERT_START_MS));
}

static void encode(struct converter *converter, struct conversion *conversion) {
        struct frame frame = {.kind = FRAME_CONVERT, .count = conversion->chain_count, .number = conversion->serial,
                              .content = conversion->input};
        for (size_t i = 0; i < conversion->chain_count; i++) {
                struct convert_program *program = &converter->programs[conversion->chain[i]];
                frame.chain[i] = conversion->chain[i];
                if (!program->told)
                        frame_write(&converter->out, &(struct frame){.kind = FRAME_PROGRAM, .number = conversion->chain[i],
                                                                     .content = {program->text, program->size}});
                program->told = true;
        }
        frame_write(&converter->out, &frame);
        list_remove(&conversion->link);
        list_append(&converter->sent, &conversion->link);
}

// True: all of it is sent; false: the socket takes no more now, or never (then its end is on its way).
static bool send_out(struct converter *converter) {
        struct buffer *out = &converter->out;
        while (converter->out_at < out->size) {
                ptrdiff_t sent = process_send(converter->process.socket, (struct bytes){out->data + converter->out_at,
                                                                                        out->size - converter->out_at});
                if (sent <= 0)
                        return false;
                converter->out_at += (size_t)sent;
        }
        buffer_clear(out);
        converter->out_at = 0;
        return true;
}

void link_pump(struct converter *converter) {
        if (converter->state == LINK_NONE && !list_empty(&converter->waiting))
                link_start(converter);
        if (converter->state != LINK_READY)
                return;
        bool idle = list_empty(&converter->sent);
        while (send_out(converter) && !list_empty(&converter->waiting))
                while (converter->out.size < OUT_AHEAD && !list_empty(&converter->waiting))
                        encode(converter, LIST_FIRST(&converter->waiting, struct conversion, link));
        if (idle && !list_empty(&converter->sent))
                begin_head(converter, converter->cpu_ns);
}

void link_close(struct converter *converter) {
        if (converter->state == LINK_NONE)
                return;
        link_end(converter, END_BY_TIME);
        loop_unwatch(converter->loop, &converter->ended);
        IGNORE(process_reap(&converter->process));      // we killed it
        converter->state = LINK_NONE;
}
