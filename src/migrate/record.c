// SPDX-License-Identifier: Apache-2.0
// A migration's state as JSON. The body of a MIGRATION record, format 1 (times are Unix milliseconds):
//      {"format":1,"communication":"COMM-040","id":1,"from":"sync","to":"async","auto":true,"status":"gate","step":"producer",
//       "resume":"before","to_start":false,"started":1,"finished":null,"configuration":"hex",
//       "steps":[{"name":"contract","evidence":{"verdict":"pass","sentence":"…","measured":1,"configuration":"hex",
//                 "figures":{"compared":143}}},{"name":"registered","evidence":null},…],
//       "history":[{"at":1,"step":"contract","what":"…"},…]}
// Of an event that moves: "event" in place of "communication", `from` and `to` are versions, "emitted" is the version that is emitted,
// "refused_below" that below which producers are refused.
// `resume` is where a paused migration goes on, `to_start` whether a way back leads to the start. The control API shows the same,
// with more for people (docs/migrations.md). Readers of records ignore members they do not know.
#include "migrate/migrate_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

static const char *const state_names[MIGRATE_STATE_COUNT] = {
#define X(name, text) [MIGRATE_##name] = text,
        MIGRATE_STATES(X)
#undef X
};
static const char *const verdict_names[] = {
        [MIGRATE_NONE] = "", [MIGRATE_PASS] = "pass", [MIGRATE_WAIT] = "wait", [MIGRATE_FAIL] = "fail", [MIGRATE_VOID] = "void",
};

const char *migrate_state_name(enum migrate_state state) {
        ASSERT(state < MIGRATE_STATE_COUNT);
        return state_names[state];
}

const char *migrate_verdict_name(enum migrate_verdict verdict) {
        ASSERT(verdict < ARRAY_SIZE(verdict_names));
        return verdict_names[verdict];
}

// ---- writing ----

void migrate_write_evidence(struct json_writer *writer, const struct migrate_evidence *evidence) {
        if (evidence->verdict == MIGRATE_NONE) {
                json_null(writer);
                return;
        }
        json_begin_object(writer);
        json_member_text(writer, "verdict", migrate_verdict_name(evidence->verdict));
        json_member_text(writer, "sentence", evidence->sentence);
        json_member_i64(writer, "measured", evidence->measured_ms);
        json_member_text(writer, "configuration", evidence->configuration);
        json_key(writer, "figures");
        json_begin_object(writer);
        for (size_t i = 0; i < evidence->figure_count; i++)
                json_member_u64(writer, evidence->figures[i].name, evidence->figures[i].value);
        json_end_object(writer);
        json_end_object(writer);
}

static void write_text(struct json_writer *writer, const char *key, const char *text,
                       const struct migrate_subject *subject) {
        struct buffer CLEANUP(buffer_free) buffer = {0};
        migrate_text(&buffer, text, subject);
        json_key(writer, key);
        if (text)
                json_string(writer, buffer_bytes(&buffer));
        else
                json_null(writer);
}

// What a step is to a reader: done, now, to-do.
static const char *step_status(const struct migration_state *state, size_t step) {
        if (state->state == MIGRATE_CANCELLED)
                return "to-do";
        if (state->state == MIGRATE_DONE || step < state->step)
                return "done";
        return step == state->step ? "now" : "to-do";
}

static void write_steps(struct json_writer *writer, const struct migration_state *state,
                        const struct migrate_subject *subject, const struct migrate_evidence *live, bool whole) {
        json_key(writer, "steps");
        json_begin_array(writer);
        for (size_t i = 0; i < state->table->count; i++) {
                const struct migrate_step *step = &state->table->steps[i];
                const struct migrate_evidence *evidence = &state->evidence[i];
                if (whole && i == state->step && !migration_over(state) && live && live->verdict != MIGRATE_NONE)
                        evidence = live;
                json_begin_object(writer);
                json_member_text(writer, "name", step->name);
                if (whole) {
                        json_member_u64(writer, "number", i + 1);
                        write_text(writer, "title", step->title, subject);
                        json_member_text(writer, "status", step_status(state, i));
                        write_text(writer, "to_do", step->to_do, subject);
                        write_text(writer, "way_back", step->way_back, subject);
                }
                json_key(writer, "evidence");
                migrate_write_evidence(writer, evidence);
                json_end_object(writer);
        }
        json_end_array(writer);
}

static void write_history(struct json_writer *writer, const struct migration_state *state) {
        json_key(writer, "history");
        json_begin_array(writer);
        for (size_t i = 0; i < state->history_count; i++) {
                json_begin_object(writer);
                json_member_i64(writer, "at", state->history[i].at_ms);
                json_member_text(writer, "step", state->history[i].step);
                json_member_text(writer, "what", state->history[i].what);
                json_end_object(writer);
        }
        json_end_array(writer);
}

static void write_ends(struct json_writer *writer, const struct migration_state *state, const struct migrate_subject *subject) {
        if (!subject->event) {
                json_member_text(writer, "communication", subject->communication->name);
                json_member_u64(writer, "id", state->id);
                json_member_text(writer, "from", model_mode_name(state->table->from));
                json_member_text(writer, "to", model_mode_name(state->table->to));
                return;
        }
        json_member_text(writer, "event", subject->event->name);
        json_member_u64(writer, "id", state->id);
        json_member_u64(writer, "from", state->from_version);
        json_member_u64(writer, "to", state->to_version);
        json_member_u64(writer, "emitted", state->emitted);
        json_member_u64(writer, "refused_below", state->refused_below);
}

void migration_write(struct json_writer *writer, const struct migration_state *state, const struct migrate_subject *subject,
                     const struct migrate_evidence *live, bool whole) {
        json_begin_object(writer);
        json_member_u64(writer, "format", 1);
        write_ends(writer, state, subject);
        json_member_boolean(writer, "auto", state->automatic);
        json_member_text(writer, "status", migrate_state_name(state->state));
        json_member_text(writer, "step", migration_step(state)->name);
        if (whole) {
                json_member_u64(writer, "number", state->step + 1);
                json_member_u64(writer, "count", state->table->count);
        }
        json_member_text(writer, "resume", migrate_state_name(state->resume));
        json_member_boolean(writer, "to_start", state->to_start);
        json_member_i64(writer, "started", state->started_ms);
        json_key(writer, "finished");
        if (state->finished_ms)
                json_i64(writer, state->finished_ms);
        else
                json_null(writer);
        json_member_text(writer, "configuration", state->configuration);
        write_steps(writer, state, subject, live, whole);
        write_history(writer, state);
        json_end_object(writer);
}

// ---- reading ----

static bool copy_text(const struct json *object, const char *key, char *text, size_t size) {
        const struct json *value = json_get_text(object, key);
        if (!json_is(value, JSON_STRING) || json_text(value).size >= size)
                return false;
        memcpy(text, json_text(value).data, json_text(value).size);
        text[json_text(value).size] = '\0';
        return true;
}

// Sentences are cut: replacement characters make what was cut or not UTF-8 longer.
static bool copy_sentence(const struct json *object, const char *key, char text[static MIGRATE_SENTENCE_MAX]) {
        const struct json *value = json_get_text(object, key);
        if (!json_is(value, JSON_STRING))
                return false;
        snprintf(text, MIGRATE_SENTENCE_MAX, "%.*s", BYTES_PRINT(json_text(value)));
        return true;
}

static bool read_number(const struct json *object, const char *key, int64_t *ret_number) {
        const struct json *value = json_get_text(object, key);
        return value && json_to_i64(value, ret_number) && *ret_number >= 0;
}

static bool read_truth(const struct json *object, const char *key, bool *ret_truth) {
        const struct json *value = json_get_text(object, key);
        if (!json_is(value, JSON_BOOL))
                return false;
        *ret_truth = json_bool(value);
        return true;
}

static bool read_name(const struct json *object, const char *key, const char *const *names, size_t count, size_t *ret_at) {
        const struct json *value = json_get_text(object, key);
        for (size_t i = 0; json_is(value, JSON_STRING) && i < count; i++)
                if (bytes_equal(json_text(value), bytes_of(names[i]))) {
                        *ret_at = i;
                        return true;
                }
        return false;
}

static bool read_evidence(const struct json *value, struct migrate_evidence *evidence) {
        if (json_is(value, JSON_NULL))
                return true;
        size_t verdict = 0;
        if (!read_name(value, "verdict", verdict_names, ARRAY_SIZE(verdict_names), &verdict) ||
            !copy_sentence(value, "sentence", evidence->sentence) ||
            !read_number(value, "measured", &evidence->measured_ms) ||
            !copy_text(value, "configuration", evidence->configuration, sizeof evidence->configuration))
                return false;
        evidence->verdict = (enum migrate_verdict)verdict;
        const struct json *figures = json_get_text(value, "figures");
        if (!json_is(figures, JSON_OBJECT) || json_count(figures) > MIGRATE_FIGURES_MAX)
                return false;
        JSON_FOR_EACH_MEMBER(key, number, figures) {
                struct migrate_figure *figure = &evidence->figures[evidence->figure_count++];
                if (json_text(key).size >= sizeof figure->name || !json_to_u64(number, &figure->value))
                        return false;
                memcpy(figure->name, json_text(key).data, json_text(key).size);
        }
        return true;
}

// Steps by name: a table may have got further ones since the record was written.
static bool read_steps(const struct json *steps, struct migration_state *state) {
        if (!json_is(steps, JSON_ARRAY))
                return false;
        JSON_FOR_EACH(step, steps)
                for (size_t i = 0; i < state->table->count; i++) {
                        const struct json *name = json_get_text(step, "name"), *evidence = json_get_text(step, "evidence");
                        if (!json_is(name, JSON_STRING) || !evidence)
                                return false;
                        if (bytes_equal(json_text(name), bytes_of(state->table->steps[i].name)) &&
                            !read_evidence(evidence, &state->evidence[i]))
                                return false;
                }
        return true;
}

static bool read_history(const struct json *history, struct migration_state *state) {
        if (!json_is(history, JSON_ARRAY) || json_count(history) > MIGRATE_HISTORY_MAX)
                return false;
        JSON_FOR_EACH(element, history) {
                struct migrate_entry *entry = &state->history[state->history_count++];
                if (!read_number(element, "at", &entry->at_ms) || !copy_text(element, "step", entry->step, sizeof entry->step) ||
                    !copy_sentence(element, "what", entry->what))
                        return false;
        }
        return true;
}

static bool read_small(const struct json *root, const char *key, unsigned *ret_number) {
        int64_t number;
        if (!read_number(root, key, &number) || number > UINT32_MAX)
                return false;
        *ret_number = (unsigned)number;
        return true;
}

static bool read_table(const struct json *root, const struct migrate_subject *subject, struct migration_state *state) {
        const struct model_communication *communication = subject->communication;
        const struct json *from = json_get_text(root, "from"), *to = json_get_text(root, "to");
        enum model_mode from_mode, to_mode;
        state->table = &migrate_evolve;
        if (subject->event) {
                if (!read_small(root, "from", &state->from_version) || !read_small(root, "to", &state->to_version) ||
                    !read_small(root, "emitted", &state->emitted) || !read_small(root, "refused_below", &state->refused_below))
                        return false;
        } else if (!json_is(from, JSON_STRING) || !json_is(to, JSON_STRING) || !model_mode_of(json_text(from), &from_mode) ||
            !model_mode_of(json_text(to), &to_mode))
                return false;
        if (!subject->event)
                state->table = migrate_table_find(communication->kind, from_mode, to_mode);
        char name[MIGRATE_ID_MAX];
        if (!state->table || !copy_text(root, "step", name, sizeof name))
                return false;
        while (state->step < state->table->count && strcmp(migration_step(state)->name, name) != 0)
                state->step++;
        return state->step < state->table->count;
}

static bool read_state(const struct json *root, const struct migrate_subject *subject, struct migration_state *state) {
        int64_t format, id;
        size_t at = 0, resume = 0;
        if (!read_number(root, "format", &format) || format != 1 || !read_number(root, "id", &id) ||
            !read_name(root, "status", state_names, MIGRATE_STATE_COUNT, &at) ||
            !read_name(root, "resume", state_names, MIGRATE_STATE_COUNT, &resume) ||
            !read_truth(root, "auto", &state->automatic) || !read_truth(root, "to_start", &state->to_start) ||
            !read_number(root, "started", &state->started_ms) ||
            !copy_text(root, "configuration", state->configuration, sizeof state->configuration))
                return false;
        state->id = (uint64_t)id;
        state->state = (enum migrate_state)at;
        state->resume = (enum migrate_state)resume;
        bool is_over = state->state == MIGRATE_DONE || state->state == MIGRATE_CANCELLED;
        if (is_over && !read_number(root, "finished", &state->finished_ms))
                return false;
        return read_table(root, subject, state) && read_steps(json_get_text(root, "steps"), state) &&
               read_history(json_get_text(root, "history"), state);
}

// *ret_state is the caller's.
bool migration_read(struct bytes json, const struct migrate_subject *subject, struct migration_state **ret_state,
                    struct error *error) {
        struct arena CLEANUP(arena_free) arena = {0};
        const struct json *root;
        if (!json_parse(json, NULL, &arena, &root, error))
                return error_wrap(error, "MIGRATION record of %s", migrate_name(subject));
        struct migration_state *state = must_calloc(1, sizeof *state);
        if (!read_state(root, subject, state)) {
                free(state);
                return error_set(error, ERROR_CORRUPT, "MIGRATION record of %s: not what this version writes",
                                 migrate_name(subject));
        }
        *ret_state = state;
        return true;
}
