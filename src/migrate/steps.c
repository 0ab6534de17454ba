// SPDX-License-Identifier: Apache-2.0
// Which tables of steps there are, which migrations a communication can make, and what looks and acts have in common.
#include "migrate/migrate_priv.h"

#include <inttypes.h>
#include <stdio.h>

const struct migrate_table *migrate_table_find(enum model_kind kind, enum model_mode from, enum model_mode to) {
        if (kind == MODEL_FUNCTIONAL && from != to)
                return to == MODEL_ASYNC ? &migrate_functional_to_async : &migrate_functional_to_sync;
        for (size_t i = 0; i < MIGRATE_DATA_TABLES; i++)
                if (migrate_data_tables[i].kind == kind && migrate_data_tables[i].from == from && migrate_data_tables[i].to == to)
                        return &migrate_data_tables[i];
        return NULL;
}

static bool data_possible(const struct model_communication *communication, enum model_mode to, struct error *error) {
        const char *name = communication->name;
        if (to == MODEL_SYNC)
                return error_set(error, ERROR_UNSUPPORTED, "%s carries data: synchronous is pull or push; say which", name);
        if (!(communication->modes & 1u << to))
                return error_set(error, ERROR_UNSUPPORTED, "%s has no `%s` in the configuration", name, model_mode_name(to));
        if (!communication->async)
                return error_set(error, ERROR_UNSUPPORTED, "%s has no `async` in the configuration: it has no event", name);
        return true;
}

bool migrate_possible(const struct model_communication *communication, enum model_mode to, struct error *error) {
        const char *name = communication->name;
        if (communication->kind == MODEL_DATA)
                return data_possible(communication, to, error);
        if (to != MODEL_SYNC && to != MODEL_ASYNC)
                return error_set(error, ERROR_UNSUPPORTED, "%s is functional: it is sync or async, never %s", name,
                                 model_mode_name(to));
        if (!(communication->modes & 1u << to) || !communication->async)
                return error_set(error, ERROR_UNSUPPORTED, "%s has no `async` in the configuration: it stays sync", name);
        if (!communication->has_key)
                return error_set(error, ERROR_UNSUPPORTED, "%s has no `key` in the configuration: it has no lanes, and stays "
                                                           "sync", name);
        return true;
}

enum model_mode migrate_mode_now(const struct model_communication *communication, const struct gateway_state *state) {
        if (communication->kind == MODEL_DATA)
                return state->push > 0 ? MODEL_PUSH : state->async > 0 ? MODEL_ASYNC : MODEL_PULL;
        return state->async > 0 || state->lanes_left_async > 0 ? MODEL_ASYNC : MODEL_SYNC;
}

void migrate_print_list(char text[static MIGRATE_SENTENCE_MAX], const char *format, va_list arguments) {
        int size = vsnprintf(text, MIGRATE_SENTENCE_MAX, format, arguments);
        if (size < MIGRATE_SENTENCE_MAX)
                return;
        size_t end = MIGRATE_SENTENCE_MAX - 1;
        while (end > 0 && (text[end - 1] & 0xc0) == 0x80)       // continuation bytes of UTF-8, and what they continue
                end--;
        text[end > 0 && (text[end - 1] & 0x80) ? end - 1 : end] = '\0';
}

void migrate_print(char text[static MIGRATE_SENTENCE_MAX], const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        migrate_print_list(text, format, arguments);
        va_end(arguments);
}

enum migrate_verdict migrate_say(struct migrate_evidence *evidence, enum migrate_verdict verdict, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        migrate_print_list(evidence->sentence, format, arguments);
        va_end(arguments);
        evidence->verdict = verdict;
        return verdict;
}

void migrate_figure(struct migrate_evidence *evidence, const char *name, uint64_t value) {
        ASSERT(evidence->figure_count < MIGRATE_FIGURES_MAX);
        struct migrate_figure *figure = &evidence->figures[evidence->figure_count++];
        snprintf(figure->name, sizeof figure->name, "%s", name);
        figure->value = value;
}

enum migrate_verdict migrate_look_before(const struct migrate_step *step, const struct migrate_view *view,
                                         struct migrate_evidence *evidence, bool *ret_holds) {
        enum migrate_verdict verdict = step->fact ? step->fact(view, evidence) : MIGRATE_NONE;
        *ret_holds = verdict == MIGRATE_PASS;
        if (*ret_holds || (step->fact && !step->act))
                return verdict;
        if (step->conditions) {
                *evidence = (struct migrate_evidence){0};
                return step->conditions(view, evidence);
        }
        if (verdict == MIGRATE_NONE)
                migrate_say(evidence, MIGRATE_PASS, "%s", "");
        evidence->verdict = MIGRATE_PASS;       // what does not hold yet is what the act is for
        return MIGRATE_PASS;
}

// ---- texts ----

static void append_word(struct buffer *buffer, struct bytes word, const struct migrate_subject *subject) {
        const struct model_communication *communication = subject->communication;
        const struct model_async *async = communication->async;
        const struct model_tuning *tuning = &communication->tuning;
        if (bytes_equal(word, BYTES("from")))
                buffer_print(buffer, "%s", communication->from->name);
        else if (bytes_equal(word, BYTES("version")))
                buffer_print(buffer, "%u", subject->to);
        else if (bytes_equal(word, BYTES("before")))
                buffer_print(buffer, "%u", subject->from);
        else if (bytes_equal(word, BYTES("to")))
                buffer_print(buffer, "%s", communication->to->name);
        else if (bytes_equal(word, BYTES("event")))
                buffer_print(buffer, "%s", async ? async->event->name : "the event");
        else if (bytes_equal(word, BYTES("topic")))
                buffer_print(buffer, "%s", async ? async->event->topic : "the topic");
        else if (bytes_equal(word, BYTES("contract")))
                buffer_print(buffer, "%s", async ? async->event->schemas : "its files");
        else if (bytes_equal(word, BYTES("call")))
                buffer_print(buffer, "%s", communication->call ? target_source(communication->call) : "the call");
        else if (bytes_equal(word, BYTES("answer")))
                buffer_print(buffer, "%u", async ? async->answer : 202);
        else if (bytes_equal(word, BYTES("messages")))
                buffer_print(buffer, "%" PRIu64, tuning->shadow_messages);
        else if (bytes_equal(word, BYTES("seconds")))
                buffer_print(buffer, "%" PRIu64, tuning->shadow_ms / 1000);
        else if (bytes_equal(word, BYTES("deadline")))
                buffer_print(buffer, "%" PRIu64, tuning->deadline_ms);
        else
                UNREACHABLE("a word that the texts of steps may use");
}

void migrate_text(struct buffer *buffer, const char *text, const struct migrate_subject *subject) {
        while (text && *text) {
                size_t plain = strcspn(text, "{");
                buffer_append(buffer, (struct bytes){text, plain});
                text += plain;
                if (!*text)
                        return;
                size_t size = strcspn(text + 1, "}");
                append_word(buffer, (struct bytes){text + 1, size}, subject);
                text += size + 2;
        }
}
