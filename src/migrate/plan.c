// SPDX-License-Identifier: Apache-2.0
// What a migration would do and what its gates see now; nothing is changed (but the provider is asked: migrate_question).
//      {"communication":"COMM-040","from":"sync","to":"async","indeterminate":"…","not_observable":"…",
//       "steps":[{"number":1,"name":"contract","title":"…","holds":true,"verdict":"pass","sentence":"…","figures":{…},
//                 "wants":"…","does":null,"to_do":"…","way_back":"…"},…]}
// verdict: pass, wait, fail, or later: it can only be measured once the steps before it have been taken.
#include "migrate/migrate_priv.h"

#include <stdio.h>

static void finish(struct migrate_plan *plan, const struct error *error) {
        plan->done(plan, error);
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

static const char *indeterminate(const struct model_communication *communication) {
        return communication->recognises.header
                ? "a call or delivery whose outcome nobody knows is sent again under its identity, which {to} recognises"
                : "{to} recognises no identities: a call or delivery whose outcome nobody knows holds its lane until a person "
                  "has settled it (commute parked list); nothing is doubled, nothing is lost";
}

// *later: a step before this one has to be taken first.
static void write_step(struct json_writer *writer, const struct migrate_step *step, size_t number,
                       const struct migrate_view *view,
                       bool *later) {
        struct migrate_evidence evidence = {0};
        bool holds = false;
        enum migrate_verdict verdict = MIGRATE_NONE;
        if (step->fact || step->act)
                verdict = migrate_look_before(step, view, &evidence, &holds);
        // What only a step before makes possible cannot be measured now; a fact that holds, holds.
        bool unknown = verdict == MIGRATE_NONE || verdict == MIGRATE_VOID || (*later && !holds);
        json_begin_object(writer);
        json_member_u64(writer, "number", number);
        json_member_text(writer, "name", step->name);
        write_text(writer, "title", step->title, view->subject);
        json_member_boolean(writer, "holds", holds);
        json_member_text(writer, "verdict", unknown ? "later" : migrate_verdict_name(verdict));
        json_member_text(writer, "sentence", unknown ? "" : evidence.sentence);
        json_key(writer, "figures");
        json_begin_object(writer);
        for (size_t i = 0; !unknown && i < evidence.figure_count; i++)
                json_member_u64(writer, evidence.figures[i].name, evidence.figures[i].value);
        json_end_object(writer);
        write_text(writer, "wants", step->wants, view->subject);
        write_text(writer, "does", step->does, view->subject);
        write_text(writer, "to_do", step->to_do, view->subject);
        write_text(writer, "way_back", step->way_back, view->subject);
        json_end_object(writer);
        *later = *later || step->shadow || step->commits;
}

static void write_ends(struct json_writer *writer, const struct migrate_plan *plan, const struct migrate_table *table,
                       const struct migrate_subject *subject) {
        if (!plan->event) {
                json_member_text(writer, "communication", plan->communication->name);
                json_member_text(writer, "from", model_mode_name(table->from));
                json_member_text(writer, "to", model_mode_name(table->to));
                json_member_boolean(writer, "running", migrate_running(plan->migrate, plan->communication));
                return;
        }
        json_member_text(writer, "event", plan->event->name);
        json_member_u64(writer, "from", subject->from);
        json_member_u64(writer, "to", subject->to);
        json_member_boolean(writer, "running", !migration_over(migration_of_event(plan->migrate, plan->event)->now));
}

static void write_plan(struct migrate_plan *plan) {
        const struct model_communication *communication = plan->communication;
        struct migrate_view view = {
                .migrate = plan->migrate, .communication = communication, .now_ms = migrate_now(plan->migrate),
                .state = plan->command.state, .shadow = plan->command.shadow, .question = &plan->question, .planning = true,
        };
        struct migrate_subject subject = {.communication = communication, .event = plan->event, .to = plan->version};
        const struct migrate_options *options = &plan->migrate->options;
        options->ops->counters(options->user, communication, &view.counters);
        const struct migrate_table *table = &migrate_evolve;
        struct error error;
        if (!plan->event && !migrate_begins(communication, &view.state, plan->to, &table, &error)) {
                finish(plan, &error);
                return;
        }
        view.subject = &subject;
        struct migrate_usage CLEANUP(free_pointer) *usage = NULL;
        if (plan->event) {
                subject.from = migration_emitted(migration_of_event(plan->migrate, plan->event));
                view.versions = &plan->versions;
                usage = must_calloc(1, sizeof *usage);
                view.usage = options->ops->usage(options->user, plan->event, subject.from, subject.to, usage, &error) ? usage : NULL;
        }
        struct json_writer writer = {.buffer = &plan->out};
        json_begin_object(&writer);
        write_ends(&writer, plan, table, &subject);
        write_text(&writer, "indeterminate", indeterminate(communication), &subject);
        write_text(&writer, "not_observable", table->not_observable, &subject);
        json_key(&writer, "steps");
        json_begin_array(&writer);
        bool later = false;
        for (size_t i = 0; i < table->count; i++)
                write_step(&writer, &table->steps[i], i + 1, &view, &later);
        json_end_array(&writer);
        json_end_object(&writer);
        json_end(&writer);
        finish(plan, NULL);
}

static void answered(struct migrate_question *question) {
        write_plan(CONTAINER_OF(question, struct migrate_plan, question));
}

static void measured(struct gateway_command *command) {
        struct migrate_plan *plan = CONTAINER_OF(command, struct migrate_plan, command);
        const struct migrate_options *options = &plan->migrate->options;
        plan->question = (struct migrate_question){
                .communication = plan->communication, .reader = plan->event != NULL, .done = answered,
        };
        options->ops->ask(options->user, &plan->question);
}

void migrate_plan(struct migrate *migrate, struct migrate_plan *plan) {
        struct error error;
        plan->migrate = migrate;
        if (!migrate->started) {
                error_set(&error, ERROR_UNAVAILABLE, "commute is starting or ending");
                finish(plan, &error);
                return;
        }
        if (plan->event) {
                unsigned from = migration_emitted(migration_of_event(migrate, plan->event));
                if (!evolve_possible(migrate, plan->event, from, plan->version, &error)) {
                        finish(plan, &error);
                        return;
                }
                plan->communication = plan->event->reader;
        } else if (!migrate_possible(plan->communication, plan->to, &error)) {
                finish(plan, &error);
                return;
        }
        plan->command = (struct gateway_command){
                .order = GATEWAY_STATE, .communication = plan->communication->index, .done = measured, .user = plan,
                .versions = plan->event ? &plan->versions : NULL,
        };
        migrate->options.ops->order(migrate->options.user, &plan->command);
}
