// SPDX-License-Identifier: Apache-2.0
// Functional communications: sync -> async and back (DESIGN.md §6). The looks say what holds, in sentences and figures; the acts
// are level-triggered (migrate_priv.h). What a figure means is in gateway/gateway.h.
#include "migrate/migrate_priv.h"

#include <inttypes.h>
#include <stdio.h>

static const char *plural(uint64_t count) {
        return count == 1 ? "" : "s";
}

// ---- contract, registry ----

enum migrate_verdict migrate_contract_exists(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_event *event = view->communication->async->event;
        migrate_figure(evidence, "versions", event->version_count);
        if (event->version_count == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "there is no contract of %s: write %s, and start commute again", event->name,
                                   event->schemas);
        return migrate_say(evidence, MIGRATE_PASS, "%s has %zu version%s, and each compiles", event->name, event->version_count,
                           plural(event->version_count));
}

enum migrate_verdict migrate_is_registered(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_event *event = view->communication->async->event;
        const struct migrate_options *options = &view->migrate->options;
        uint32_t id = 0;
        for (unsigned version = 0; version < event->version_count; version++) {
                struct error error;
                if (options->ops->registered(options->user, event, version, &id, &error))
                        continue;
                return migrate_say(evidence, error.code == ERROR_NOT_FOUND ? MIGRATE_WAIT : MIGRATE_FAIL, "%s", error.text);
        }
        if (event->version_count == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "there is no contract of %s yet", event->name);
        migrate_figure(evidence, "schema_id", id);
        return migrate_say(evidence, MIGRATE_PASS, "subject %s has %s version%s of the contract; the last is schema %" PRIu32,
                           event->name, event->version_count == 1 ? "the" : "all", plural(event->version_count), id);
}

static void registration_done(struct migrate_registration *registration, const struct error *error) {
        struct migration *migration = CONTAINER_OF(registration, struct migration, registration);
        migration->registering = false;
        migrate_print(migration->not_registered, "%s", error ? error->text : "");
}

static enum migrate_verdict say_registering(const struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_registration *registration = &migration->registration;
        if (migration->not_registered[0])
                return migrate_say(evidence, MIGRATE_FAIL, "version %u of %s cannot be registered: %s", registration->version,
                                   registration->event->name, migration->not_registered);
        return migrate_say(evidence, MIGRATE_WAIT, "version %u of %s is being registered", registration->version,
                           registration->event->name);
}

// One version at a time; the first that is not registered.
enum migrate_verdict migrate_act_register(struct migration *migration, struct migrate_evidence *evidence) {
        const struct model_event *event = migration->communication->async->event;
        const struct migrate_options *options = &migration->migrate->options;
        for (unsigned version = 0; version < event->version_count; version++) {
                uint32_t id;
                struct error error;
                if (options->ops->registered(options->user, event, version, &id, &error))
                        continue;
                if (error.code != ERROR_NOT_FOUND)
                        return migrate_say(evidence, MIGRATE_FAIL, "%s", error.text);
                if (!migration->registering && !migration->ordered) {
                        migration->ordered = migration->registering = true;
                        migration->registration = (struct migrate_registration){event, version, registration_done};
                        options->ops->register_version(options->user, &migration->registration);
                }
                return say_registering(migration, evidence);
        }
        return migrate_is_registered(&migration->view, evidence);
}

// ---- the provider ----

static enum migrate_verdict endpoint_answers(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct migrate_question *question = view->question;
        if (!question)
                return migrate_say(evidence, MIGRATE_WAIT, "%s is being asked", view->communication->to->name);
        return migrate_say(evidence, question->answers ? MIGRATE_PASS : MIGRATE_WAIT, "%s", question->sentence);
}

// Whether a repeat was recognised, as far as it could have been seen up to now. NONE: it can only be seen in shadow.
static enum migrate_verdict recognises(const struct migrate_view *view, char sentence[static MIGRATE_SENTENCE_MAX]) {
        const struct model_recognises *declared = &view->communication->recognises;
        const struct migrate_question *question = view->question;
        const char *to = view->communication->to->name;
        if (!declared->header) {
                migrate_print(sentence, "%s recognises no identities: a call or delivery whose outcome nobody knows is parked for a "
                         "person, nothing is doubled", to);
                return MIGRATE_PASS;
        }
        if (declared->probe && (!question || !question->probed)) {
                migrate_print(sentence, "recognition of %s is not seen yet: the probe was not answered twice with 2xx",
                         declared->header);
                return MIGRATE_WAIT;
        }
        if (declared->probe && declared->replayed_name) {
                migrate_print(sentence, "%s %s %s: %s to the second probe", to,
                         question->replayed ? "recognises" : "does not show that it recognises", declared->header,
                         question->replayed ? declared->replayed_name : "no header as `recognises.replayed` says");
                return question->replayed ? MIGRATE_PASS : MIGRATE_FAIL;
        }
        if (declared->probe) {
                migrate_print(sentence, question->same ? "%s gave the second probe the same answer as the first; no "
                         "`recognises.replayed` is declared that would show more" : "%s gave the second probe another answer than the "
                         "first: it does not recognise the identity", to);
                return question->same ? MIGRATE_PASS : MIGRATE_FAIL;
        }
        if (declared->replayed_name && view->state.recognised > 0) {
                migrate_print(sentence, "%s has recognised %" PRIu64 " repeat%s", to, view->state.recognised,
                         plural(view->state.recognised));
                return MIGRATE_PASS;
        }
        migrate_print(sentence, declared->replayed_name ? "no repeat has been recognised yet, and on healthy traffic none comes: "
                 "configure `recognises.probe`, or wait for one%s" : "nothing can show that %s is recognised: configure "
                 "`recognises.probe` or `recognises.replayed`, or `recognises: none`", declared->replayed_name ? "" : declared->header);
        return declared->replayed_name ? MIGRATE_NONE : MIGRATE_WAIT;
}

static enum migrate_verdict consumer_is_ready(const struct migrate_view *view, struct migrate_evidence *evidence) {
        if (endpoint_answers(view, evidence) != MIGRATE_PASS)
                return evidence->verdict;
        char more[MIGRATE_SENTENCE_MAX], first[MIGRATE_SENTENCE_MAX];
        enum migrate_verdict verdict = recognises(view, more);
        migrate_print(first, "%s", evidence->sentence);
        return migrate_say(evidence, verdict == MIGRATE_NONE ? MIGRATE_PASS : verdict, "%.200s; %.270s", first, more);
}

// ---- the producer, in shadow ----

static void figures_of_shadow(const struct migrate_view *view, struct migrate_evidence *evidence) {
        migrate_figure(evidence, "compared", view->shadow.compared);
        migrate_figure(evidence, "differing", view->shadow.differing);
        migrate_figure(evidence, "wanted", view->communication->tuning.shadow_messages);
        migrate_figure(evidence, "calls_open", view->state.calls_open);
        migrate_figure(evidence, "calls_indeterminate", view->state.calls_indeterminate);
        migrate_figure(evidence, "recognised", view->state.recognised);
}

static enum migrate_verdict shadow_agrees(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        const struct gateway_shadow *shadow = &view->shadow;
        const struct model_tuning *tuning = &view->communication->tuning;
        figures_of_shadow(view, evidence);
        if (!shadow->on || state->record != state->shards || state->steps_back != view->steps_back_before)
                return migrate_say(evidence, MIGRATE_VOID, view->planning ? "the shadow is not on yet"
                                   : "the shadow is off, or calls went on without records (the log failed): what was compared is void");
        if (shadow->differing > 0)
                return migrate_say(evidence, MIGRATE_FAIL, "%" PRIu64 " of %" PRIu64 " comparisons differ%s; first: %s",
                                   shadow->differing, shadow->compared, shadow->differing == 1 ? "s" : "", shadow->first_difference);
        uint64_t passed_ms = view->now_ms > (int64_t)shadow->since_ms ? (uint64_t)view->now_ms - shadow->since_ms : 0;
        if (shadow->compared == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "no call has come for %" PRIu64 " s: nothing could be compared",
                                   passed_ms / 1000);
        char more[MIGRATE_SENTENCE_MAX];
        enum migrate_verdict seen = recognises(view, more);
        if (shadow->compared < tuning->shadow_messages && passed_ms < tuning->shadow_ms)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " of %" PRIu64 " comparisons, none differs", shadow->compared,
                                   tuning->shadow_messages);
        if (seen != MIGRATE_PASS)
                return migrate_say(evidence, seen == MIGRATE_FAIL ? MIGRATE_FAIL : MIGRATE_WAIT, "%s", more);
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " comparison%s, none differs", shadow->compared,
                           plural(shadow->compared));
}

// Brings every shard to records; NONE: they are there.
static enum migrate_verdict all_to_record(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &migration->view.state;
        if (state->record == state->shards && !state->changing)
                return MIGRATE_NONE;
        if (!state->changing)
                migration_order(migration, GATEWAY_SWITCH, LANE_RECORD, false);
        migrate_figure(evidence, "shards", state->shards);
        migrate_figure(evidence, "record", state->record);
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards make records of their calls", state->record, state->shards);
}

enum { SHADOW_WANTED, SHADOW_ORDERED };

static enum migrate_verdict act_shadow(struct migration *migration, struct migrate_evidence *evidence) {
        struct migrate_view *view = &migration->view;
        const struct gateway_state *state = &view->state;
        if (all_to_record(migration, evidence) != MIGRATE_NONE) {
                migration->phase = SHADOW_WANTED;
                return evidence->verdict;
        }
        if (migration->phase == SHADOW_ORDERED && view->shadow.on && state->steps_back == view->steps_back_before)
                return migrate_say(evidence, MIGRATE_PASS, "each call has its event in the shadow topic from now on");
        migrate_figure(evidence, "plain_under_way", view->counters.plain_under_way);
        if (view->counters.plain_under_way > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " call%s of before the records %s under way",
                                   view->counters.plain_under_way, plural(view->counters.plain_under_way),
                                   view->counters.plain_under_way == 1 ? "is" : "are");
        view->steps_back_before = state->steps_back;
        migration->phase = SHADOW_ORDERED;
        migration_order(migration, GATEWAY_SHADOW, LANE_RECORD, true);
        return migrate_say(evidence, MIGRATE_WAIT, "the shadow is being switched on");
}

// Records, then plain: from whatever mode.
static enum migrate_verdict act_plain(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &migration->view.state;
        if (migration->view.shadow.on) {
                migration_order(migration, GATEWAY_SHADOW, LANE_RECORD, false);
                return migrate_say(evidence, MIGRATE_WAIT, "the shadow is being switched off");
        }
        if (state->plain == state->shards && !state->changing)
                return migrate_say(evidence, MIGRATE_PASS, "calls are forwarded, and nothing is recorded of them");
        if (state->async > 0 || state->lanes_left_async > 0) {
                if (!state->changing && state->async > 0)
                        migration_order(migration, GATEWAY_SWITCH, LANE_RECORD, false);
                return migrate_say(evidence, MIGRATE_WAIT, "%zu lanes are still async", state->lanes_left_async);
        }
        if (!state->changing)
                migration_order(migration, GATEWAY_SWITCH, LANE_PLAIN, false);
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are plain", state->plain, state->shards);
}

// ---- to async ----

static enum migrate_verdict is_async(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        migrate_figure(evidence, "shards", state->shards);
        migrate_figure(evidence, "async", state->async);
        if (state->async == state->shards && !state->changing && !view->shadow.on &&
            state->calls_open + state->calls_indeterminate == 0)
                return migrate_say(evidence, MIGRATE_PASS, "every lane is async");
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are async", state->async, state->shards);
}

static enum migrate_verdict act_async(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_view *view = &migration->view;
        const struct gateway_state *state = &view->state;
        migrate_figure(evidence, "shards", state->shards);
        migrate_figure(evidence, "async", state->async);
        migrate_figure(evidence, "calls_open", state->calls_open);
        migrate_figure(evidence, "calls_indeterminate", state->calls_indeterminate);
        if (state->plain > 0)
                return migrate_say(evidence, MIGRATE_VOID, "calls went on without records (the log failed): what was compared is void");
        if (state->async < state->shards || state->changing) {
                if (!state->changing)
                        migration_order(migration, GATEWAY_SWITCH, LANE_ASYNC, false);
                return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are async", state->async, state->shards);
        }
        if (view->shadow.on) {
                migration_order(migration, GATEWAY_SHADOW, LANE_ASYNC, false);
                return migrate_say(evidence, MIGRATE_WAIT, "the shadow is being switched off");
        }
        if (state->calls_open > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "every arrival is an event; %zu call%s of before %s under way",
                                   state->calls_open, plural(state->calls_open), state->calls_open == 1 ? "is" : "are");
        if (state->calls_indeterminate > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "every arrival is an event; nobody knows the outcome of %zu call%s of before, "
                                   "and %s (commute parked list)", state->calls_indeterminate, plural(state->calls_indeterminate),
                                   view->communication->recognises.header ? "each is being sent again under its identity"
                                   : "a person has to settle each");
        return migrate_say(evidence, MIGRATE_PASS, "every lane is async, and every call of before has its outcome");
}

// The switch begins on evidence of this life of the process: killed before its first record landed, it compares again.
static enum migrate_verdict act_switch(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_view *view = &migration->view;
        if (view->state.async == 0 && !view->state.changing && !view->shadow.on)
                return migrate_say(evidence, MIGRATE_VOID, "commute was started again before the switch had begun");
        return act_async(migration, evidence);
}

// The way back to async, from wherever the switch to sync has come.
static enum migrate_verdict back_to_async(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &migration->view.state;
        if (state->plain == 0)
                return act_async(migration, evidence);
        if (!state->changing)
                migration_order(migration, GATEWAY_SWITCH, LANE_RECORD, false);
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are plain", state->plain, state->shards);
}

static enum migrate_verdict old_way_is_off(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        uint64_t came = view->has_base ? state->admitted - view->admitted_before : 0;
        migrate_figure(evidence, "admitted", came);
        migrate_figure(evidence, "plain_under_way", view->counters.plain_under_way);
        migrate_figure(evidence, "not_async", state->shards - state->async);
        if (state->async != state->shards || view->counters.plain_under_way > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are async, %" PRIu64 " calls by the old way are under way",
                                   state->async, state->shards, view->counters.plain_under_way);
        if (came == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "no message has come by the new way yet: that none comes by the old one "
                                   "says nothing");
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " message%s came by the new way, none by the old one; a call that "
                           "bypasses the gateway would not be seen", came, plural(came));
}

static enum migrate_verdict act_clean_async(struct migration *migration, struct migrate_evidence *evidence) {
        if (migration->view.shadow.on) {
                migration_order(migration, GATEWAY_SHADOW, LANE_ASYNC, false);
                return migrate_say(evidence, MIGRATE_WAIT, "the shadow is being switched off");
        }
        return migrate_say(evidence, MIGRATE_PASS, "the shadow is off; what is left is yours to remove");
}

// ---- to sync ----

static enum migrate_verdict ways_in_are_fenced(const struct migrate_view *view, struct migrate_evidence *evidence) {
        (void)view;
        return migrate_say(evidence, MIGRATE_PASS, "every way in passes the gateway, whose fences hold it: there is none to stop");
}

static void figures_of_lanes(const struct gateway_state *state, struct migrate_evidence *evidence) {
        migrate_figure(evidence, "async", state->async);
        migrate_figure(evidence, "lanes_left_async", state->lanes_left_async);
        migrate_figure(evidence, "waiting", state->waiting);
        migrate_figure(evidence, "in_flight", state->in_flight);
        migrate_figure(evidence, "parked", state->parked);
        migrate_figure(evidence, "calls_indeterminate", state->calls_indeterminate);
        migrate_figure(evidence, "fences", state->fences);
        migrate_figure(evidence, "fence_overruns", state->fence_overruns);
        migrate_figure(evidence, "longest_hold_us", state->longest_hold_ns / 1000);
}

static enum migrate_verdict say_lanes(const struct gateway_state *state, struct migrate_evidence *evidence) {
        char failing[100] = "";
        if (state->provider_fails && state->last_failure)
                snprintf(failing, sizeof failing, "; the provider fails (%u)", state->last_failure);
        else if (state->provider_fails)
                snprintf(failing, sizeof failing, "; the provider does not answer");
        return migrate_say(evidence, MIGRATE_WAIT, "%zu lane%s still async: %zu parked, backlog %zu; %" PRIu64 " fence%s, %" PRIu64
                           " overran, longest wait %" PRIu64 ".%" PRIu64 " ms%s%s", state->lanes_left_async,
                           plural(state->lanes_left_async), state->parked, state->waiting + state->in_flight, state->fences,
                           plural(state->fences), state->fence_overruns, state->longest_hold_ns / 1000000,
                           state->longest_hold_ns / 100000 % 10, failing,
                           state->parked + state->calls_indeterminate > 0 ? "; a person has to settle what is parked or indeterminate "
                           "(commute parked list)" : "");
}

static enum migrate_verdict act_record(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &migration->view.state;
        if (all_to_record(migration, evidence) != MIGRATE_NONE)
                return evidence->verdict;
        figures_of_lanes(state, evidence);
        if (state->lanes_left_async > 0)
                return say_lanes(state, evidence);
        return migrate_say(evidence, MIGRATE_PASS, "every lane is sync; %" PRIu64 " fence%s, %" PRIu64 " overran, longest wait %" PRIu64
                           ".%" PRIu64 " ms", state->fences, plural(state->fences), state->fence_overruns,
                           state->longest_hold_ns / 1000000, state->longest_hold_ns / 100000 % 10);
}

static enum migrate_verdict is_sync(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        figures_of_lanes(state, evidence);
        if (state->async == 0 && state->lanes_left_async == 0 && !state->changing)
                return migrate_say(evidence, MIGRATE_PASS, "every lane is sync");
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are async, with %zu messages that are not settled", state->async,
                           state->shards, state->waiting + state->in_flight + state->parked);
}

static enum migrate_verdict is_drained(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        figures_of_lanes(state, evidence);
        size_t left = state->waiting + state->in_flight + state->parked;
        if (state->async > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "lanes are async, and %zu message%s not settled", left,
                                   left == 1 ? " is" : "s are");
        if (left > 0 || state->lanes_left_async > 0)
                return say_lanes(state, evidence);
        return migrate_say(evidence, MIGRATE_PASS, "no message waits, is being delivered, or is parked");
}

static enum migrate_verdict is_plain(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        migrate_figure(evidence, "shards", state->shards);
        migrate_figure(evidence, "plain", state->plain);
        if (state->plain == state->shards && !state->changing)
                return migrate_say(evidence, MIGRATE_PASS, "calls are forwarded, and nothing is recorded of them");
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are plain", state->plain, state->shards);
}

static enum migrate_verdict act_nothing(struct migration *migration, struct migrate_evidence *evidence) {
        (void)migration;
        return migrate_say(evidence, MIGRATE_PASS, "what is left is yours to remove");
}

// ---- the tables ----

#define NOTHING_TO_UNDO "nothing to undo"

static const struct migrate_step to_async[] = {
        {
                .name = "contract", .title = "the event's schema is written", .fact = migrate_contract_exists,
                .wants = "{event} has a JSON Schema that compiles", .to_do = "write the JSON Schema of {event}: {contract}",
                .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "registered", .title = "the schema is in the schema registry", .fact = migrate_is_registered, .act = migrate_act_register,
                .wants = "subject {event} has every version of the contract",
                .does = "registers every version of {event} that is not there yet",
                .way_back = "nothing to undo: a registered schema harms nobody",
        },
        {
                .name = "consumer", .title = "the consumer that handles the event is ready", .fact = consumer_is_ready, .asks = true,
                .wants = "{to} answers, and recognises a repeated identity if that is declared",
                .to_do = "{to} has to serve {call}: commute delivers each event as that call", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "producer", .title = "the producer sends the event, in shadow", .act = act_shadow, .gate = shadow_agrees,
                .back = act_plain, .shadow = true, .asks = true,
                .wants = "what a delivery would send equals the call that was made: {messages} comparisons, or as many as come in "
                         "{seconds} s, at least one; none differs",
                .does = "makes records of the calls; once every call of before has ended, the event of each call goes to a shadow topic",
                .way_back = "at once: the shadow and the records are switched off",
        },
        {
                .name = "switch", .title = "calls become events", .fact = is_async, .conditions = shadow_agrees, .act = act_switch,
                .back = act_record, .commits = true, .asks = true,
                .wants = "the shadow's comparisons, measured again",
                .does = "switches every lane: from one record on, arrivals are appended to {topic}, answered with {answer}, and "
                        "delivered to {to} in order",
                .way_back = "lane by lane, drained and fenced for at most {deadline} ms, to sync with records; then the shadow begins "
                            "anew",
        },
        {
                .name = "old-way-off", .title = "the old synchronous communication is off", .gate = old_way_is_off,
                .wants = "messages came by the new way, and in the same time none by the old one", .way_back = "as of the switch",
        },
        {
                .name = "clean", .title = "clean up, update the documentation", .act = act_clean_async,
                .does = "switches the shadow off",
                .to_do = "in {from}, remove what used the answer of {call}: it is a receipt now ({answer}); in the documentation, {from} "
                         "to {to} is {event} on {topic}",
                .way_back = "a migration to sync",
        },
};

static const struct migrate_step to_sync[] = {
        {
                .name = "endpoint", .title = "the endpoint answers", .fact = endpoint_answers, .asks = true,
                .wants = "{to} answers", .to_do = "{to} has to serve {call}", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "ways-in", .title = "ways in that the gateway cannot fence are stopped", .fact = ways_in_are_fenced,
                .wants = "no message can get into {topic} but through the gateway", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "switch", .title = "events become calls, lane by lane", .fact = is_sync, .act = act_record, .back = back_to_async,
                .commits = true,
                .wants = "every lane is sync",
                .does = "drains each lane and opens it as sync; arrivals of a lane that stays busy wait for at most {deadline} ms. A lane "
                        "with a parked or indeterminate message stays async until a person has settled it",
                .way_back = "at once: every lane becomes async again",
        },
        {
                .name = "drained", .title = "every old event is processed", .fact = is_drained,
                .wants = "no message waits, is being delivered, or is parked", .way_back = "as of the switch",
        },
        {
                .name = "consumer-off", .title = "producer and consumer are off", .fact = is_plain, .act = act_plain, .back = act_record,
                .wants = "calls are forwarded without records", .does = "switches the records off",
                .way_back = "at once: records are switched on again",
        },
        {
                .name = "clean", .title = "clean up, update the documentation", .act = act_nothing,
                .to_do = "in {from}, use the answer of {call} again, which is {to}'s own now; in the documentation, {from} to {to} is a "
                         "call. {topic} and its schema stay until their retention ends",
                .way_back = "a migration to async",
        },
};

const struct migrate_table migrate_functional_to_async = {
        .kind = MODEL_FUNCTIONAL, .from = MODEL_SYNC, .to = MODEL_ASYNC, .steps = to_async, .count = ARRAY_SIZE(to_async),
        .not_observable = "calls from {from} to {to} that bypass the gateway, and whether {from} uses more of an answer than its status",
};
const struct migrate_table migrate_functional_to_sync = {
        .kind = MODEL_FUNCTIONAL, .from = MODEL_ASYNC, .to = MODEL_SYNC, .steps = to_sync, .count = ARRAY_SIZE(to_sync),
        .not_observable = "calls from {from} to {to} that bypass the gateway, and whether {from} can wait for {to}'s own answer",
};
static_assert(ARRAY_SIZE(to_async) <= MIGRATE_STEPS_MAX && ARRAY_SIZE(to_sync) <= MIGRATE_STEPS_MAX, "evidence has room");
