// SPDX-License-Identifier: Apache-2.0
// The queue. A conversion is in exactly one list: waiting → sent → done, back to waiting when the process has died, or refused. The
// first of sent is the one that the process is at. Nothing is done inside converter_convert: what cannot be taken waits for the end of the
// loop's batch in `refused`.
#include "convert/convert_priv.h"

#include <stdlib.h>
#include <unistd.h>

static void finish(struct conversion *conversion, bool ok, struct bytes output, const struct error *error, size_t step) {
        list_remove(&conversion->link);
        conversion->ok = ok;
        conversion->output = output;
        conversion->step = step;
        if (error)
                conversion->error = *error;
        conversion->done(conversion);           // may free it
}

static void fail(struct conversion *conversion, const struct error *error) {
        finish(conversion, false, (struct bytes){0}, error, 0);
}

static void fail_list(struct list *list, const struct error *error) {
        while (!list_empty(list))
                fail(LIST_FIRST(list, struct conversion, link), error);
}

// The lists are moved away first: done may convert again, and that is not to fail for the same reason without end.
void converter_fail_all(struct converter *converter, const struct error *error) {
        struct list failed;
        list_init(&failed);
        LIST_FOR_EACH_SAFE(element, &converter->sent) {
                list_remove(element);
                list_append(&failed, element);
        }
        LIST_FOR_EACH_SAFE(element, &converter->waiting) {
                list_remove(element);
                list_append(&failed, element);
        }
        fail_list(&failed, error);
}

void converter_answered(struct converter *converter, bool ok, struct bytes output, const struct error *error, size_t step) {
        struct conversion *conversion = LIST_FIRST(&converter->sent, struct conversion, link);
        finish(conversion, ok, output, error, step);
}

static void batch_end(struct loop_task *task) {
        struct converter *converter = CONTAINER_OF(task, struct converter, batch_end);
        converter->batch_end_due = false;
        if (converter->freeing) {
                free(converter);
                return;
        }
        struct list refused;
        list_init(&refused);
        LIST_FOR_EACH_SAFE(element, &converter->refused) {
                list_remove(element);
                list_append(&refused, element);
        }
        while (!list_empty(&refused)) {
                struct conversion *conversion = LIST_FIRST(&refused, struct conversion, link);
                struct error error = conversion->error;
                fail(conversion, &error);
        }
        link_pump(converter);
}

static void at_batch_end(struct converter *converter) {
        if (!converter->batch_end_due)
                loop_defer(converter->loop, &converter->batch_end);
        converter->batch_end_due = true;
}

// The conversion that the process died at is to blame if the process ended by its own doing; a kill from outside is nobody's fault.
// One more try each: what is in a process's memory may have been broken by the conversion before.
static void put_blame(struct conversion *head, enum link_blame blame) {
        struct error error;
        head->crashes += blame == BLAME_CRASH;
        head->kills += blame == BLAME_KILL;
        if (head->crashes >= CRASHES_MAX) {
                error_set(&error, ERROR_REJECTED, "libjq crashes at it");
                fail(head, &error);
        } else if (head->kills >= KILLS_MAX) {
                error_set(&error, ERROR_UNAVAILABLE, "the converter's process was killed %u times", head->kills);
                fail(head, &error);
        }
}

void converter_lost(struct converter *converter, enum link_blame blame) {
        bool was_at_one = !list_empty(&converter->sent);
        struct conversion *head = was_at_one ? LIST_FIRST(&converter->sent, struct conversion, link) : NULL;
        while (!list_empty(&converter->sent)) {
                struct list *last = converter->sent.previous;
                list_remove(last);
                list_prepend(&converter->waiting, last);
        }
        if (head)
                put_blame(head, blame);
        if (!list_empty(&converter->waiting))
                at_batch_end(converter);
}

static bool copy_programs(struct converter *converter, const struct converter_options *options, struct error *error) {
        if (options->program_count > CONVERT_PROGRAMS_MAX)
                return error_set(error, ERROR_LIMIT, "%zu programs, at most %d", options->program_count, CONVERT_PROGRAMS_MAX);
        converter->programs = must_calloc(options->program_count, sizeof *converter->programs);
        for (size_t i = 0; i < options->program_count; i++) {
                if (!check_rules(options->programs[i], error))
                        return error_wrap(error, "program %zu", i);
                converter->programs[i].text = bytes_to_text(options->programs[i]);
                converter->programs[i].size = options->programs[i].size;
                converter->program_count = i + 1;
        }
        return true;
}

static void release(struct converter *converter) {
        for (size_t i = 0; i < converter->program_count; i++)
                free(converter->programs[i].text);
        free(converter->programs);
        free(converter->executable);
        buffer_free(&converter->in);
        buffer_free(&converter->out);
}

bool converter_new(const struct converter_options *options, struct converter **ret_converter, struct error *error) {
        struct converter *converter = must_calloc(1, sizeof *converter);
        converter->loop = options->loop;
        converter->executable = options->executable ? bytes_to_text(bytes_of(options->executable)) : NULL;
        link_init(converter);
        converter->batch_end.run = batch_end;
        list_init(&converter->sent);
        list_init(&converter->waiting);
        list_init(&converter->refused);
        bool ok = copy_programs(converter, options, error);
        if (ok) {
                link_start(converter);
                ok = converter->state != LINK_NONE;
                if (!ok && error)
                        *error = converter->why;
        }
        if (!ok) {
                release(converter);
                free(converter);
                return false;
        }
        *ret_converter = converter;
        return true;
}

void converter_free(struct converter *converter) {
        if (!converter)
                return;
        struct error error;
        error_set(&error, ERROR_UNAVAILABLE, "commute is stopping");
        converter->freeing = true;
        link_close(converter);
        converter_fail_all(converter, &error);
        fail_list(&converter->refused, &error);
        release(converter);
        at_batch_end(converter);        // its watches may still be in this batch's events
}

static bool admit(struct converter *converter, struct conversion *conversion) {
        if (conversion->input.size > CONVERT_INPUT_MAX)
                return error_set(&conversion->error, ERROR_LIMIT, "%zu bytes to convert, at most %d", conversion->input.size,
                                 CONVERT_INPUT_MAX);
        if (converter->freeing)
                return error_set(&conversion->error, ERROR_UNAVAILABLE, "commute is stopping");
        if (converter->state == LINK_NONE && loop_now_ns(converter->loop) < converter->pause_until_ns) {
                conversion->error = converter->why;
                return false;
        }
        return true;
}

void converter_convert(struct converter *converter, struct conversion *conversion) {
        ASSERT(conversion->chain_count >= 1 && conversion->chain_count <= CONVERT_CHAIN_MAX && conversion->done);
        for (size_t i = 0; i < conversion->chain_count; i++)
                ASSERT(conversion->chain[i] < converter->program_count);
        conversion->serial = ++converter->next_serial;
        conversion->crashes = conversion->kills = 0;
        list_append(admit(converter, conversion) ? &converter->waiting : &converter->refused, &conversion->link);
        at_batch_end(converter);
}

int converter_process(const struct converter *converter) {
        return converter->state == LINK_NONE ? -1 : converter->process.pid;
}
