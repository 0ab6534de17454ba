// SPDX-License-Identifier: Apache-2.0
// Measuring, and the moves between states (migrate.h has the table). A cycle measures what the migration's step looks at, and ends
// in at most one move or one order. A migration has one gateway_command: only one of measuring, asking, ordering is under way.
#include "migrate/migrate_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { ASK_AGAIN_MS = 1000, ASK_LATER_MS = 60000 };     // of a provider that did not answer well; that did

static void evaluate(struct migration *migration);

// ---- measuring ----

void migration_fill_view(struct migration *migration, const struct gateway_command *command) {
        struct migrate_view *view = &migration->view;
        const struct migrate_options *options = &migration->migrate->options;
        view->migrate = migration->migrate;
        view->communication = migration->communication;
        view->subject = &migration->subject;
        view->versions = migration->subject.event ? &migration->versions : NULL;
        view->proof = migration->subject.event ? &migration->proof : NULL;
        view->now_ms = migrate_now(migration->migrate);
        view->state = command->state;
        view->shadow = command->shadow;
        options->ops->counters(options->user, migration->communication, &view->counters);
}

static bool measures(const struct migration *migration) {
        const struct migration_state *now = migration->now;
        return migration->migrate->started && !migration->next && !migration_over(now) &&
               (now->state != MIGRATE_PAUSED || migration->request || migration->void_because[0]);
}

static bool wants_advance(const struct migration *migration) {
        return migration->request && migration->request->order == MIGRATE_ADVANCE && !migration->serving;
}

static bool question_is_fresh(const struct migration *migration) {
        const struct migrate_question *question = migration->view.question;
        if (!question || (wants_advance(migration) && migration->asked_ms < migration->view.now_ms))
                return false;
        const struct model_recognises *recognises = &migration->communication->recognises;
        bool well = question->answers;
        if (recognises->probe && !question->reader)
                well = well && question->probed && (recognises->replayed_name ? question->replayed : question->same);
        return migration->view.now_ms - migration->asked_ms < (well ? ASK_LATER_MS : ASK_AGAIN_MS);
}

static void answered(struct migrate_question *question) {
        struct migration *migration = CONTAINER_OF(question, struct migration, question);
        migration->view.question = question;
        migration->view.now_ms = migration->asked_ms = migrate_now(migration->migrate);
        migration->cycle = CYCLE_IDLE;
        evaluate(migration);
}

enum { USAGE_MS = 1000 };                       // between two looks at the views

// Not at each tick: it reads tables.
static void measure_usage(struct migration *migration) {
        const struct migrate_options *options = &migration->migrate->options;
        struct migrate_view *view = &migration->view;
        if (!measures(migration) || !migration_step(migration->now)->measures ||
            (view->usage && migration->usage_ms && view->now_ms - migration->usage_ms < USAGE_MS))
                return;
        struct error error;
        if (!migration->usage)
                migration->usage = must_calloc(1, sizeof *migration->usage);
        bool known = options->ops->usage(options->user, migration->subject.event, migration->now->from_version,
                                         migration->now->to_version, migration->usage, &error);
        view->usage = known ? migration->usage : NULL;
        migration->usage_ms = known ? view->now_ms : 0;
}

static void measured(struct gateway_command *command) {
        struct migration *migration = command->user;
        migration_fill_view(migration, command);
        measure_usage(migration);
        migration->cycle = CYCLE_IDLE;
        if (migration->measured_step != migration->now->step && migration_step(migration->now)->commits)
                migration->view.question = NULL;        // what was answered in the step before is not of the switch
        migration->measured_step = migration->now->step;
        if (measures(migration) && migration_step(migration->now)->asks && !question_is_fresh(migration)) {
                const struct migrate_options *options = &migration->migrate->options;
                migration->cycle = CYCLE_ASK;
                migration->view.question = NULL;
                migration->question = (struct migrate_question){
                        .communication = migration->communication, .reader = migration_step(migration->now)->reader, .done = answered,
                };
                options->ops->ask(options->user, &migration->question);
                return;
        }
        evaluate(migration);
}

static struct gateway_versions *versions_of(struct migration *migration) {
        return migration->subject.event ? &migration->versions : NULL;
}

static void give(struct migration *migration, enum migration_cycle cycle, void (*done)(struct gateway_command *command)) {
        const struct migrate_options *options = &migration->migrate->options;
        ASSERT(migration->cycle == CYCLE_IDLE);
        migration->cycle = cycle;
        migration->command.communication = migration->communication->index;
        migration->command.done = done;
        migration->command.user = migration;
        options->ops->order(options->user, &migration->command);
}

void migration_cycle(struct migration *migration) {
        if (!measures(migration) || migration->cycle != CYCLE_IDLE)
                return;
        migration->command = (struct gateway_command){.order = GATEWAY_STATE, .versions = versions_of(migration)};
        give(migration, CYCLE_STATE, measured);
}

static void ordered(struct gateway_command *command) {
        struct migration *migration = command->user;
        migration_fill_view(migration, command);
        migration->cycle = CYCLE_IDLE;
        if (!command->ok && command->error.code != ERROR_CONFLICT)
                migrate_say(&migration->live, MIGRATE_WAIT, "the gateway refuses: %s", command->error.text);
        else
                evaluate(migration);
}

// One order between two ticks: what a failing log refuses is not asked for at once again.
void migration_order(struct migration *migration, enum gateway_order order, enum lane_mode mode, bool on) {
        if (migration->ordered)
                return;
        migration->ordered = true;
        migration->command = (struct gateway_command){.order = order, .mode = mode, .on = on, .versions = versions_of(migration)};
        give(migration, CYCLE_ORDER, ordered);
}

// ---- moves ----

static void keep_evidence(const struct migration *migration, struct migration_state *next,
                          const struct migrate_evidence *evidence) {
        struct migrate_evidence *kept = &next->evidence[next->step];
        *kept = *evidence;
        kept->measured_ms = migration->view.now_ms;
        snprintf(kept->configuration, sizeof kept->configuration, "%s", migration->migrate->options.model->hash_text);
}

static void note_evidence(struct migration_state *next, int64_t now_ms, const char *how,
                          const struct migrate_evidence *evidence) {
        migration_note(next, now_ms, "%s%s%s", how, evidence->sentence[0] ? ": " : "", evidence->sentence);
}

static void note_end(const struct migration *migration, struct migration_state *next, const char *how) {
        const struct migrate_subject *subject = &migration->subject;
        bool done = next->state == MIGRATE_DONE;
        if (subject->event)
                migration_note(next, migration->view.now_ms, "%s: %s is emitted in version %u", how, subject->event->name, next->emitted);
        else
                migration_note(next, migration->view.now_ms, "%s: %s is %s", how, migration->communication->name,
                               model_mode_name(done ? next->table->to : next->table->from));
}

// The step is done: on to the next, or to the end.
static void move_on(struct migration *migration, const struct migrate_evidence *evidence, const char *how) {
        struct migration_state *next = migration_move(migration);
        int64_t now_ms = migration->view.now_ms;
        keep_evidence(migration, next, evidence);
        note_evidence(next, now_ms, how, evidence);
        if (next->step + 1 < next->table->count) {
                migration_enter(next, next->step + 1, MIGRATE_BEFORE);
        } else {
                migration_enter(next, next->step, MIGRATE_DONE);
                next->finished_ms = now_ms;
                note_end(migration, next, "done");
        }
        migration_commit(migration, next);
}

static void move_to(struct migration *migration, enum migrate_state state, const struct migrate_evidence *evidence,
                    const char *how) {
        struct migration_state *next = migration_move(migration);
        keep_evidence(migration, next, evidence);
        note_evidence(next, migration->view.now_ms, how, evidence);
        migration_enter(next, next->step, state);
        migration_commit(migration, next);
}

// A failing gate is recorded once, with its first counterexample; else what is seen is shown and not recorded.
static void stay(struct migration *migration, const struct migrate_evidence *evidence, const char *how) {
        bool failed_before = migration->now->evidence[migration->now->step].verdict == MIGRATE_FAIL;
        if (evidence->verdict != MIGRATE_FAIL || failed_before)
                return;
        move_to(migration, migration->now->state, evidence, how);
}

static size_t shadow_step(const struct migrate_table *table) {
        size_t i = 0;
        while (i < table->count && !table->steps[i].shadow)
                i++;
        return i;
}

static bool acts_done(enum migrate_state state) {
        return state == MIGRATE_ACTING || state == MIGRATE_GATE || state == MIGRATE_BACK;
}

// The evidence is void: it is collected again, from the shadow step, or, when the configuration has changed, from the first one.
static void move_void(struct migration *migration) {
        struct migration_state *next = migration_move(migration);
        bool paused = next->state == MIGRATE_PAUSED;
        size_t from = migration->configuration_changed ? 0 : shadow_step(next->table);
        ASSERT(from <= next->step);
        migration_note(next, migration->view.now_ms, "the evidence is void: %s", migration->void_because);
        for (size_t i = from; i < next->table->count; i++)
                next->evidence[i] = (struct migrate_evidence){0};
        enum migrate_state begin = migration->configuration_changed ? MIGRATE_BEFORE : MIGRATE_ACTING;
        migration_enter(next, from, paused ? MIGRATE_PAUSED : begin);
        if (paused)
                next->resume = begin;
        migration->void_because[0] = '\0';
        migration->configuration_changed = false;
        migration_commit(migration, next);
}

void migration_void(struct migration *migration, const char *why) {
        migrate_print(migration->void_because, "%s", why);
}

size_t migration_back_below(const struct migrate_table *table, size_t below) {
        while (below > 0)
                if (table->steps[--below].back)
                        return below;
        return MIGRATE_STEPS_MAX;
}

size_t migration_back_from(const struct migration_state *state) {
        enum migrate_state at = state->state == MIGRATE_PAUSED ? state->resume : state->state;
        return migration_back_below(state->table, acts_done(at) ? state->step + 1 : state->step);
}

static void gone_back(struct migration *migration, const struct migrate_evidence *evidence) {
        struct migration_state *next = migration_move(migration);
        int64_t now_ms = migration->view.now_ms;
        migration_note(next, now_ms, "went back: %s", evidence->sentence);
        for (size_t i = next->step; i < next->table->count; i++)
                next->evidence[i] = (struct migrate_evidence){0};
        size_t below = migration_back_below(next->table, next->step);
        if (!next->to_start) {
                migration_enter(next, next->step, MIGRATE_PAUSED);
        } else if (below < MIGRATE_STEPS_MAX) {
                migration_enter(next, below, MIGRATE_BACK);
                next->to_start = true;
        } else {
                migration_enter(next, next->step, MIGRATE_CANCELLED);
                next->finished_ms = now_ms;
                note_end(migration, next, "cancelled");
        }
        migration_commit(migration, next);
}

// ---- states ----

// A move that an `advance` asked for ends it when it is recorded.
static void serve(struct migration *migration) {
        migration->serving = wants_advance(migration);
}

static void move_on_by_person(struct migration *migration, const struct migrate_evidence *evidence) {
        serve(migration);
        move_on(migration, evidence, "a person says it is done");
}

static void in_before(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_step *step = migration_step(migration->now);
        bool holds = false;
        if (!step->fact && !step->act) {
                migrate_say(evidence, MIGRATE_PASS, "%s", "");
                move_to(migration, MIGRATE_GATE, evidence, "measuring");
                return;
        }
        enum migrate_verdict verdict = migrate_look_before(step, &migration->view, evidence, &holds);
        if (verdict == MIGRATE_VOID) {
                migration_void(migration, evidence->sentence);
        } else if (holds) {
                move_on(migration, evidence, "holds");
        } else if (verdict != MIGRATE_PASS && !step->act && step->to_do) {
                if (migration->now->state == MIGRATE_BEFORE)
                        move_to(migration, MIGRATE_PERSON, evidence, "waits for you");
                else if (step->person && wants_advance(migration))
                        move_on_by_person(migration, evidence);
                else
                        stay(migration, evidence, "fails");
        } else if (verdict != MIGRATE_PASS) {
                if (migration->now->state == MIGRATE_READY)
                        move_to(migration, MIGRATE_BEFORE, evidence, "does not pass any more");
                else
                        stay(migration, evidence, "fails");
        } else if (migration->now->automatic || wants_advance(migration)) {
                serve(migration);
                move_to(migration, MIGRATE_ACTING, evidence, "acting");
        } else if (migration->now->state == MIGRATE_BEFORE) {
                move_to(migration, MIGRATE_READY, evidence, "waits for `commute advance`");
        }
}

static void in_acting(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_step *step = migration_step(migration->now);
        enum migrate_verdict verdict = step->act(migration, evidence);
        if (verdict == MIGRATE_VOID)
                migration_void(migration, evidence->sentence);
        else if (verdict != MIGRATE_PASS)
                stay(migration, evidence, "fails");
        else if (step->gate)
                move_to(migration, MIGRATE_GATE, evidence, "acted");
        else
                move_on(migration, evidence, "done");
}

static void in_gate(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_step *step = migration_step(migration->now);
        if (!migration->view.has_base) {
                migration->view.has_base = true;
                migration->view.admitted_before = migration->view.state.admitted;
                migration->view.requests_before = migration->view.counters.requests;
                migration->view.began_ms = migration->view.now_ms;
        }
        if (migration->view.usage && !migration->view.usage_before) {
                if (!migration->usage_before)
                        migration->usage_before = must_malloc(sizeof *migration->usage_before);
                *migration->usage_before = *migration->view.usage;
                migration->view.usage_before = migration->usage_before;
        }
        enum migrate_verdict verdict = step->gate(&migration->view, evidence);
        if (verdict == MIGRATE_VOID)
                migration_void(migration, evidence->sentence);
        else if (verdict == MIGRATE_PASS)
                move_on(migration, evidence, "passed");
        else
                stay(migration, evidence, "fails");
}

static void in_back(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_step *step = migration_step(migration->now);
        if (step->back(migration, evidence) == MIGRATE_PASS)
                gone_back(migration, evidence);
}

static void (*const in_state[MIGRATE_STATE_COUNT])(struct migration *migration, struct migrate_evidence *evidence) = {
        [MIGRATE_BEFORE] = in_before,
        [MIGRATE_READY] = in_before,
        [MIGRATE_PERSON] = in_before,
        [MIGRATE_ACTING] = in_acting,
        [MIGRATE_GATE] = in_gate,
        [MIGRATE_BACK] = in_back,
};

static void evaluate(struct migration *migration) {
        if (!measures(migration) || migration->cycle != CYCLE_IDLE)
                return;
        if (migration->void_because[0]) {
                move_void(migration);
                return;
        }
        struct migrate_evidence evidence = {0};
        if (in_state[migration->now->state])
                in_state[migration->now->state](migration, &evidence);
        if (evidence.verdict != MIGRATE_NONE && !migration->next) {
                evidence.measured_ms = migration->view.now_ms;
                memcpy(evidence.configuration, migration->migrate->options.model->hash_text, sizeof evidence.configuration);
                migration->live = evidence;
        }
        // Nothing has moved: what was asked for cannot be done now.
        if (wants_advance(migration) && !migration->next && migration->cycle == CYCLE_IDLE) {
                struct error error;
                error_set(&error, ERROR_CONFLICT, "%s: %s", migration_step(migration->now)->name, migration->live.sentence);
                migration_answer(migration, &error);
        }
}
