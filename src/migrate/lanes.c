// SPDX-License-Identifier: Apache-2.0
// Steps: modes of lanes, the shadow, and what is left in the lanes. What a figure means is in gateway/gateway.h; the acts are
// level-triggered (migrate_priv.h): each looks at the modes that hold and orders the next one.
#include "migrate/migrate_priv.h"

#include <inttypes.h>
#include <stdio.h>

// ---- the producer, in shadow ----

static void figures_of_shadow(const struct migrate_view *view, struct migrate_evidence *evidence) {
        migrate_figure(evidence, "compared", view->shadow.compared);
        migrate_figure(evidence, "differing", view->shadow.differing);
        migrate_figure(evidence, "wanted", view->communication->tuning.shadow_messages);
        migrate_figure(evidence, "calls_open", view->state.calls_open);
        migrate_figure(evidence, "calls_indeterminate", view->state.calls_indeterminate);
        migrate_figure(evidence, "recognised", view->state.recognised);
}

enum migrate_verdict migrate_look_shadow(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        const struct gateway_shadow *shadow = &view->shadow;
        const struct model_tuning *tuning = &view->communication->tuning;
        figures_of_shadow(view, evidence);
        if (!shadow->on || state->record != state->shards || state->steps_back != view->steps_back_before)
                return migrate_say(evidence, MIGRATE_VOID, view->planning ? "the shadow is not on yet"
                                   : "the shadow is off, or calls went on without records (the log failed or did not keep up): what "
                                     "was compared is void");
        if (shadow->differing > 0)
                return migrate_say(evidence, MIGRATE_FAIL, "%" PRIu64 " of %" PRIu64 " comparisons differ%s; first: %s",
                                   shadow->differing, shadow->compared, shadow->differing == 1 ? "s" : "",
                                   shadow->first_difference);
        uint64_t passed_ms = view->now_ms > (int64_t)shadow->since_ms ? (uint64_t)view->now_ms - shadow->since_ms : 0;
        if (shadow->compared == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "no call has come for %" PRIu64 " s: nothing could be compared",
                                   passed_ms / 1000);
        char more[MIGRATE_SENTENCE_MAX];
        enum migrate_verdict seen = migrate_look_recognition(view, more);
        if (shadow->compared < tuning->shadow_messages && passed_ms < tuning->shadow_ms)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " of %" PRIu64 " comparisons, none differs",
                                   shadow->compared, tuning->shadow_messages);
        if (seen != MIGRATE_PASS)
                return migrate_say(evidence, seen == MIGRATE_FAIL ? MIGRATE_FAIL : MIGRATE_WAIT, "%s", more);
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " comparison%s, none differs", shadow->compared,
                           migrate_plural(shadow->compared));
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

enum migrate_verdict migrate_act_shadow(struct migration *migration, struct migrate_evidence *evidence) {
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
                                   view->counters.plain_under_way, migrate_plural(view->counters.plain_under_way),
                                   view->counters.plain_under_way == 1 ? "is" : "are");
        view->steps_back_before = state->steps_back;
        migration->phase = SHADOW_ORDERED;
        migration_order(migration, GATEWAY_SHADOW, LANE_RECORD, true);
        return migrate_say(evidence, MIGRATE_WAIT, "the shadow is being switched on");
}

// Records, then plain: from whatever mode.
enum migrate_verdict migrate_act_plain(struct migration *migration, struct migrate_evidence *evidence) {
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

enum migrate_verdict migrate_look_async(const struct migrate_view *view, struct migrate_evidence *evidence) {
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
                return migrate_say(evidence, MIGRATE_VOID, "calls went on without records (the log failed or did not keep up): what was "
                                                           "compared is void");
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
                                   state->calls_open, migrate_plural(state->calls_open), state->calls_open == 1 ? "is" : "are");
        if (state->calls_indeterminate > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "every arrival is an event; nobody knows the outcome of %zu call%s of "
                                                           "before, and %s (commute parked list)", state->calls_indeterminate,
                                   migrate_plural(state->calls_indeterminate),
                                   view->communication->recognises.header ? "each is being sent again under its identity"
                                   : "a person has to settle each");
        return migrate_say(evidence, MIGRATE_PASS, "every lane is async, and every call of before has its outcome");
}

// The switch begins on evidence of this life of the process: killed before its first record landed, it compares again.
enum migrate_verdict migrate_act_switch(struct migration *migration, struct migrate_evidence *evidence) {
        const struct migrate_view *view = &migration->view;
        if (view->state.async == 0 && !view->state.changing && !view->shadow.on)
                return migrate_say(evidence, MIGRATE_VOID, "commute was started again before the switch had begun");
        return act_async(migration, evidence);
}

// The way back to async, from wherever the switch to sync has come.
enum migrate_verdict migrate_act_back_to_async(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &migration->view.state;
        if (state->plain == 0)
                return act_async(migration, evidence);
        if (!state->changing)
                migration_order(migration, GATEWAY_SWITCH, LANE_RECORD, false);
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are plain", state->plain, state->shards);
}

enum migrate_verdict migrate_look_old_way(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        uint64_t came = view->has_base ? state->admitted - view->admitted_before : 0;
        migrate_figure(evidence, "admitted", came);
        migrate_figure(evidence, "plain_under_way", view->counters.plain_under_way);
        migrate_figure(evidence, "not_async", state->shards - state->async);
        if (state->async != state->shards || view->counters.plain_under_way > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are async, %" PRIu64 " calls by the old way are "
                                                                                                   "under way",
                                   state->async, state->shards, view->counters.plain_under_way);
        if (came == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "no message has come by the new way yet: that none comes by the old "
                                                           "one says nothing");
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " message%s came by the new way, none by the old one; a call that "
                           "bypasses the gateway would not be seen", came, migrate_plural(came));
}

enum migrate_verdict migrate_act_shadow_off(struct migration *migration, struct migrate_evidence *evidence) {
        if (migration->view.shadow.on) {
                migration_order(migration, GATEWAY_SHADOW, LANE_ASYNC, false);
                return migrate_say(evidence, MIGRATE_WAIT, "the shadow is being switched off");
        }
        return migrate_say(evidence, MIGRATE_PASS, "the shadow is off; what is left is yours to remove");
}

// ---- to sync ----

enum migrate_verdict migrate_look_ways_in(const struct migrate_view *view, struct migrate_evidence *evidence) {
        (void)view;
        return migrate_say(evidence, MIGRATE_PASS, "every way in passes the gateway, whose fences hold it: there is none to "
                                                   "stop");
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
                           migrate_plural(state->lanes_left_async), state->parked, state->waiting + state->in_flight,
                           state->fences, migrate_plural(state->fences), state->fence_overruns, state->longest_hold_ns / 1000000,
                           state->longest_hold_ns / 100000 % 10, failing,
                           state->parked + state->calls_indeterminate > 0 ? "; a person has to settle what is parked or "
                                                                            "indeterminate (commute parked list)" : "");
}

enum migrate_verdict migrate_act_record(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &migration->view.state;
        if (all_to_record(migration, evidence) != MIGRATE_NONE)
                return evidence->verdict;
        figures_of_lanes(state, evidence);
        if (state->lanes_left_async > 0)
                return say_lanes(state, evidence);
        return migrate_say(evidence, MIGRATE_PASS, "every lane is sync; %" PRIu64 " fence%s, %" PRIu64 " overran, longest wait %" PRIu64
                           ".%" PRIu64 " ms", state->fences, migrate_plural(state->fences), state->fence_overruns,
                           state->longest_hold_ns / 1000000, state->longest_hold_ns / 100000 % 10);
}

enum migrate_verdict migrate_look_sync(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        figures_of_lanes(state, evidence);
        if (state->async == 0 && state->lanes_left_async == 0 && !state->changing)
                return migrate_say(evidence, MIGRATE_PASS, "every lane is sync");
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are async, with %zu messages that are not settled",
                           state->async, state->shards, state->waiting + state->in_flight + state->parked);
}

enum migrate_verdict migrate_look_drained(const struct migrate_view *view, struct migrate_evidence *evidence) {
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

enum migrate_verdict migrate_look_plain(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        migrate_figure(evidence, "shards", state->shards);
        migrate_figure(evidence, "plain", state->plain);
        if (state->plain == state->shards && !state->changing)
                return migrate_say(evidence, MIGRATE_PASS, "calls are forwarded, and nothing is recorded of them");
        return migrate_say(evidence, MIGRATE_WAIT, "%zu of %zu shards are plain", state->plain, state->shards);
}

enum migrate_verdict migrate_act_nothing(struct migration *migration, struct migrate_evidence *evidence) {
        (void)migration;
        return migrate_say(evidence, MIGRATE_PASS, "what is left is yours to remove");
}
