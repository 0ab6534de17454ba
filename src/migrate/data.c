// SPDX-License-Identifier: Apache-2.0
// Data communications: pull, push, async (DESIGN.md §6). "Producer on" is LANE_RECORD: the owner's captured writes become events and
// fill the copy (commute's replica, or the reader's own table), while readers still ask the owner. What a figure means is in
// gateway/gateway.h. Where the producer was off meanwhile, the way back begins with the producer again, backfill and gates included:
// it is the other table's migration.
#include "migrate/migrate_priv.h"

#include <inttypes.h>

static const char *plural(uint64_t count) {
        return count == 1 ? "" : "s";
}

// ---- the consumer ----

static enum migrate_verdict copy_has_a_place(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct model_communication *communication = view->communication;
        if (!communication->async || communication->async->event->capture_count == 0)
                return migrate_say(evidence, MIGRATE_FAIL, "the event captures no write of %s: nothing would fill the copy",
                                   communication->from->name);
        if (!communication->async->event->backfill)
                return migrate_say(evidence, MIGRATE_FAIL, "the event has no `backfill` in the configuration: what %s has already would be "
                                   "missing", communication->from->name);
        if (communication->async->keep_gateway)
                return migrate_say(evidence, MIGRATE_PASS, "the copy is commute's own replica");
        return migrate_say(evidence, MIGRATE_PASS, "the copy is a table of %s, filled by deliveries", communication->to->name);
}

// ---- modes of the shards ----

static size_t shards_in(const struct gateway_state *state, enum lane_mode mode) {
        switch (mode) {
        case LANE_PLAIN: return state->plain;
        case LANE_RECORD: return state->record;
        case LANE_ASYNC: return state->async;
        case LANE_PUSH: return state->push;
        }
        UNREACHABLE("a mode of lanes");
}

static const char *readers_in(enum lane_mode mode) {
        switch (mode) {
        case LANE_PLAIN: return "readers ask the owner, and nothing is captured";
        case LANE_RECORD: return "readers ask the owner, and writes become events";
        case LANE_ASYNC: return "readers use the copy";
        case LANE_PUSH: return "writes are pushed to the reader";
        }
        UNREACHABLE("a mode of lanes");
}

static enum migrate_verdict is_in(const struct migrate_view *view, struct migrate_evidence *evidence, enum lane_mode mode) {
        size_t there = shards_in(&view->state, mode);
        migrate_figure(evidence, "shards", view->state.shards);
        migrate_figure(evidence, "there", there);
        if (there == view->state.shards && !view->state.changing)
                return migrate_say(evidence, MIGRATE_PASS, "%s", readers_in(mode));
        return migrate_say(evidence, MIGRATE_WAIT, "%s in %zu of %zu shards", readers_in(mode), there, view->state.shards);
}

static enum migrate_verdict bring_to(struct migration *migration, struct migrate_evidence *evidence, enum lane_mode mode) {
        if (is_in(&migration->view, evidence, mode) != MIGRATE_PASS && !migration->view.state.changing)
                migration_order(migration, GATEWAY_SWITCH, mode, false);
        return evidence->verdict;
}

static enum migrate_verdict is_async(const struct migrate_view *view, struct migrate_evidence *evidence) {
        return is_in(view, evidence, LANE_ASYNC);
}

static enum migrate_verdict is_push(const struct migrate_view *view, struct migrate_evidence *evidence) {
        return is_in(view, evidence, LANE_PUSH);
}

static enum migrate_verdict is_pull(const struct migrate_view *view, struct migrate_evidence *evidence) {
        return view->state.plain > 0 ? is_in(view, evidence, LANE_PLAIN) : is_in(view, evidence, LANE_RECORD);
}

static enum migrate_verdict act_to_async(struct migration *migration, struct migrate_evidence *evidence) {
        return bring_to(migration, evidence, LANE_ASYNC);
}

static enum migrate_verdict act_to_push(struct migration *migration, struct migrate_evidence *evidence) {
        return bring_to(migration, evidence, LANE_PUSH);
}

static enum migrate_verdict act_to_record(struct migration *migration, struct migrate_evidence *evidence) {
        return bring_to(migration, evidence, LANE_RECORD);
}

static bool shadow_off(struct migration *migration, struct migrate_evidence *evidence) {
        if (!migration->view.shadow.on)
                return true;
        migration_order(migration, GATEWAY_SHADOW, LANE_RECORD, false);
        migrate_say(evidence, MIGRATE_WAIT, "the comparisons are being switched off");
        return false;
}

static enum migrate_verdict act_to_plain(struct migration *migration, struct migrate_evidence *evidence) {
        if (!shadow_off(migration, evidence))
                return MIGRATE_WAIT;
        const struct gateway_state *state = &migration->view.state;
        if (state->async + state->push > 0)
                return bring_to(migration, evidence, LANE_RECORD) == MIGRATE_FAIL ? MIGRATE_FAIL : (evidence->verdict = MIGRATE_WAIT);
        return bring_to(migration, evidence, LANE_PLAIN);
}

static enum migrate_verdict act_shadow_off(struct migration *migration, struct migrate_evidence *evidence) {
        if (!shadow_off(migration, evidence))
                return MIGRATE_WAIT;
        return migrate_say(evidence, MIGRATE_PASS, "the comparisons are off; what is left is yours to remove");
}

// ---- the producer on, with backfill and comparisons ----

enum { PRODUCER_WANTED, BACKFILL_ORDERED, SHADOW_ORDERED };

static enum migrate_verdict say_backfill(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_backfill *backfill = &view->state.backfill;
        migrate_figure(evidence, "rows", backfill->rows);
        migrate_figure(evidence, "inserted", backfill->inserted);
        migrate_figure(evidence, "skipped", backfill->skipped);
        if (backfill->failures > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "backfill: failed %" PRIu64 " time%s in a row: %s", backfill->failures,
                                   plural(backfill->failures), backfill->failure);
        if (backfill->phase == GATEWAY_BACKFILL_WAITS)
                return migrate_say(evidence, MIGRATE_WAIT, "backfill: waits for %zu writes of before, for what was captured beside them, "
                                   "and for `settle` after one of which nobody knows", view->state.plain_writes);
        return migrate_say(evidence, MIGRATE_WAIT, "backfill: %" PRIu64 " rows read, %" PRIu64 " inserted, %" PRIu64 " skipped, since "
                           "their "
                           "keys were written meanwhile", backfill->rows, backfill->inserted, backfill->skipped);
}

static enum migrate_verdict act_produce(struct migration *migration, struct migrate_evidence *evidence) {
        struct migrate_view *view = &migration->view;
        const struct gateway_state *state = &view->state;
        if (state->record != state->shards || state->changing) {
                migration->phase = PRODUCER_WANTED;
                bring_to(migration, evidence, LANE_RECORD);
                return evidence->verdict = MIGRATE_WAIT;
        }
        if (migration->phase == PRODUCER_WANTED) {
                migration->phase = BACKFILL_ORDERED;
                view->steps_back_before = state->steps_back;
                migration_order(migration, GATEWAY_BACKFILL, LANE_RECORD, true);
                return migrate_say(evidence, MIGRATE_WAIT, "the backfill is being started");
        }
        if (state->steps_back != view->steps_back_before || state->backfill.phase == GATEWAY_BACKFILL_NONE) {
                migration->phase = PRODUCER_WANTED;
                return migrate_say(evidence, MIGRATE_WAIT, "writes went on without records (the log failed): the backfill begins again");
        }
        if (state->backfill.phase != GATEWAY_BACKFILL_COMPLETE)
                return say_backfill(view, evidence);
        if (migration->phase == SHADOW_ORDERED && view->shadow.on)
                return migrate_say(evidence, MIGRATE_PASS, "the copy is filled: %" PRIu64 " rows read, %" PRIu64 " inserted; each read is "
                                   "compared with it from now on", state->backfill.rows, state->backfill.inserted);
        migration->phase = SHADOW_ORDERED;
        migration_order(migration, GATEWAY_SHADOW, LANE_RECORD, true);
        return migrate_say(evidence, MIGRATE_WAIT, "the comparisons are being switched on");
}

static enum migrate_verdict say_copy(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_shadow *shadow = &view->shadow;
        const struct model_tuning *tuning = &view->communication->tuning;
        migrate_figure(evidence, "compared", shadow->compared);
        migrate_figure(evidence, "differing", shadow->differing);
        migrate_figure(evidence, "wanted", tuning->shadow_messages);
        migrate_figure(evidence, "dirty_keys", view->state.dirty_keys);
        migrate_figure(evidence, "waiting", view->state.waiting);
        if (shadow->differing > 0)
                return migrate_say(evidence, MIGRATE_FAIL, "%" PRIu64 " of %" PRIu64 " comparisons differ; first: %s", shadow->differing,
                                   shadow->compared, shadow->first_difference);
        uint64_t passed_ms = view->now_ms > (int64_t)shadow->since_ms ? (uint64_t)view->now_ms - shadow->since_ms : 0;
        if (shadow->compared == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "no read has come for %" PRIu64 " s: nothing could be compared",
                                   passed_ms / 1000);
        if (shadow->compared < tuning->shadow_messages && passed_ms < tuning->shadow_ms)
                return migrate_say(evidence, MIGRATE_WAIT, "%" PRIu64 " of %" PRIu64 " comparisons with the owner, none differs",
                                   shadow->compared, tuning->shadow_messages);
        if (view->state.parked > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "%zu deliver%s parked: a person has to settle what the reader refuses",
                                   view->state.parked, view->state.parked == 1 ? "y is" : "ies are");
        if (view->state.dirty_keys > 0 || view->state.topic_dirty)
                return migrate_say(evidence, MIGRATE_WAIT, "the outcome of a write is not known yet: %zu key%s to be read again%s",
                                   view->state.dirty_keys, view->state.dirty_keys == 1 ? " is" : "s are",
                                   view->state.topic_dirty ? ", and all rows" : "");
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " comparison%s with the owner, none differs", shadow->compared,
                           plural(shadow->compared));
}

static enum migrate_verdict copy_agrees(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        if (!view->shadow.on || state->record != state->shards || state->backfill.phase != GATEWAY_BACKFILL_COMPLETE ||
            state->steps_back != view->steps_back_before)
                return migrate_say(evidence, MIGRATE_VOID, view->planning ? "the producer is not on yet"
                                   : "the comparisons are off, or writes went on without records (the log failed): begin again");
        return say_copy(view, evidence);
}

// The switch begins on evidence of this life of the process.
static enum migrate_verdict switch_from_producer(struct migration *migration, struct migrate_evidence *evidence,
                                                 enum lane_mode mode) {
        const struct migrate_view *view = &migration->view;
        if (view->state.plain > 0)
                return migrate_say(evidence, MIGRATE_VOID, "writes went on without records (the log failed): begin again");
        if (shards_in(&view->state, mode) == 0 && !view->state.changing && !view->shadow.on)
                return migrate_say(evidence, MIGRATE_VOID, "commute was started again before the switch had begun");
        return bring_to(migration, evidence, mode);
}

static enum migrate_verdict act_switch_async(struct migration *migration, struct migrate_evidence *evidence) {
        return switch_from_producer(migration, evidence, LANE_ASYNC);
}

static enum migrate_verdict act_switch_push(struct migration *migration, struct migrate_evidence *evidence) {
        return switch_from_producer(migration, evidence, LANE_PUSH);
}

// ---- after the switch ----

// The old way is off when a whole comparison with the owner, begun and ended after the switch, finds no write that went past the
// gateway; what one finds is repaired, and the next one must be clean.
static enum migrate_verdict act_reconcile(struct migration *migration, struct migrate_evidence *evidence) {
        const struct gateway_reconciliation *pass = &migration->view.state.reconciliation;
        migrate_figure(evidence, "rows", pass->rows);
        migrate_figure(evidence, "differing", pass->differing);
        migrate_figure(evidence, "bypassed", pass->bypassed);
        if (migration->phase == 0) {
                migration->phase = 1;
                migration->base = pass->passes + (pass->running ? 1 : 0);
                migration_order(migration, GATEWAY_RECONCILE, LANE_ASYNC, true);
                return migrate_say(evidence, MIGRATE_WAIT, "every row is being compared with the owner");
        }
        if (pass->failures > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "the comparison with the owner failed %" PRIu64 " time%s in a row: %s",
                                   pass->failures, plural(pass->failures), pass->failure);
        if (pass->passes <= migration->base) {
                if (!pass->running)
                        migration_order(migration, GATEWAY_RECONCILE, LANE_ASYNC, true);
                return migrate_say(evidence, MIGRATE_WAIT, "every row is being compared with the owner");
        }
        if (pass->differing > 0) {
                migration->phase = 0;
                return migrate_say(evidence, MIGRATE_FAIL, "%" PRIu64 " of %" PRIu64 " rows were written past the gateway, and have been "
                                   "repaired; first: %s", pass->differing, pass->rows, pass->first_bypass);
        }
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " rows agree with the owner; it will be looked again at intervals, and its "
                           "GET stays for that", pass->rows);
}

// ---- to pull ----

static enum migrate_verdict pull_is_chosen(const struct migrate_view *view, struct migrate_evidence *evidence) {
        return migrate_say(evidence, MIGRATE_PASS, "pull is chosen: %s", target_source(view->communication->pull));
}

static enum migrate_verdict act_compare(struct migration *migration, struct migrate_evidence *evidence) {
        if (migration->view.shadow.on)
                return migrate_say(evidence, MIGRATE_PASS, "the owner's answers are compared with the copy from now on");
        migration_order(migration, GATEWAY_SHADOW, LANE_ASYNC, true);
        return migrate_say(evidence, MIGRATE_WAIT, "the comparisons are being switched on");
}

static enum migrate_verdict owner_agrees(const struct migrate_view *view, struct migrate_evidence *evidence) {
        if (!view->shadow.on)
                return migrate_say(evidence, MIGRATE_VOID, view->planning ? "nothing is compared yet" : "the comparisons are off");
        if (view->question && !view->question->answers)
                return migrate_say(evidence, MIGRATE_WAIT, "%s", view->question->sentence);
        return say_copy(view, evidence);
}

static enum migrate_verdict act_back_to_copy(struct migration *migration, struct migrate_evidence *evidence) {
        return bring_to(migration, evidence, migration->now->table->from == MODEL_PUSH ? LANE_PUSH : LANE_ASYNC);
}

// Reads that came to the owner since the switch: the producer is needed no more.
static enum migrate_verdict reads_are_pulled(const struct migrate_view *view, struct migrate_evidence *evidence) {
        uint64_t came = view->has_base ? view->counters.requests - view->requests_before : 0;
        migrate_figure(evidence, "reads", came);
        if (came == 0)
                return migrate_say(evidence, MIGRATE_WAIT, "no read has come by the new way yet");
        return migrate_say(evidence, MIGRATE_PASS, "%" PRIu64 " read%s came by the new way; no other reader has this event", came,
                           plural(came));
}

static enum migrate_verdict is_drained(const struct migrate_view *view, struct migrate_evidence *evidence) {
        const struct gateway_state *state = &view->state;
        size_t left = state->waiting + state->in_flight + state->parked + state->captures_under_way;
        migrate_figure(evidence, "left", left);
        if (left > 0)
                return migrate_say(evidence, MIGRATE_WAIT, "%zu message%s not settled, %zu of them parked", left,
                                   left == 1 ? " is" : "s are", state->parked);
        return migrate_say(evidence, MIGRATE_PASS, "no event waits, is being delivered, or is parked");
}

static enum migrate_verdict reader_has_dropped_its_table(const struct migrate_view *view, struct migrate_evidence *evidence) {
        if (view->communication->async->keep_gateway)
                return migrate_say(evidence, MIGRATE_PASS, "the copy is commute's own, and nobody reads it any more");
        return migrate_say(evidence, MIGRATE_WAIT, "commute cannot see into %s's database: say `commute advance` when its table is gone",
                           view->communication->to->name);
}

// ---- the tables ----

#define NOTHING_TO_UNDO "nothing to undo"

#define STEP_CONTRACT {                                                                                                \
                .name = "contract", .title = "the event's schema is written", .fact = migrate_contract_exists,         \
                .wants = "{event} has a JSON Schema that compiles", .to_do = "write the JSON Schema of {event}: {contract}", \
                .way_back = NOTHING_TO_UNDO,                                                                           \
        }
#define STEP_REGISTERED {                                                                                              \
                .name = "registered", .title = "the schema is in the schema registry", .fact = migrate_is_registered,  \
                .act = migrate_act_register, .wants = "subject {event} has every version of the contract",             \
                .does = "registers every version of {event} that is not there yet",                                    \
                .way_back = "nothing to undo: a registered schema harms nobody",                                       \
        }
#define STEP_CONSUMER {                                                                                                \
                .name = "consumer", .title = "the consumer that stores the data is on, its copy empty",                \
                .fact = copy_has_a_place, .wants = "there is a copy to fill, and a way to fill it",                    \
                .to_do = "configure `capture` and `backfill` of {event}", .way_back = NOTHING_TO_UNDO,                 \
        }
#define STEP_PRODUCER {                                                                                                \
                .name = "producer", .title = "the producer is on: writes become events, and what is there is filled in", \
                .act = act_produce, .gate = copy_agrees, .back = act_to_plain, .shadow = true, .asks = true,           \
                .wants = "backfill complete; {messages} reads compared with the copy, or as many as come in {seconds} s, at least " \
                         "one; none differs",                                                                          \
                .does = "captures the writes of {from}, reads all its rows, then compares each read with the copy",    \
                .way_back = "at once: nothing is captured any more",                                                   \
        }
#define STEP_OLD_WAY_OFF {                                                                                             \
                .name = "old-way-off", .title = "the old way is off: no write goes past the gateway", .act = act_reconcile, \
                .wants = "every row of the copy agrees with the owner",                                                \
                .does = "compares every row with {from}; a write that went past the gateway is named and repaired",    \
                .way_back = "as of the switch",                                                                        \
        }

static const struct migrate_step pull_to_async[] = {
        STEP_CONTRACT, STEP_REGISTERED, STEP_CONSUMER, STEP_PRODUCER,
        {
                .name = "switch", .title = "readers use the copy", .fact = is_async, .conditions = copy_agrees,
                .act = act_switch_async, .back = act_to_record, .commits = true,
                .wants = "the comparisons, measured again", .does = "reads are answered from the copy",
                .way_back = "at once: the producer is still on, and readers ask {from} again",
        },
        STEP_OLD_WAY_OFF,
        {
                .name = "clean", .title = "clean up, update the documentation", .act = act_shadow_off,
                .does = "switches the comparisons off",
                .to_do = "in {to}, remove what handled {from} being down or slow; in the documentation, {from} to {to} is {event} on "
                         "{topic}",
                .way_back = "a migration to pull",
        },
};

static const struct migrate_step pull_to_push[] = {
        STEP_CONTRACT, STEP_REGISTERED, STEP_CONSUMER, STEP_PRODUCER,
        {
                .name = "switch", .title = "writes are pushed to the reader", .fact = is_push, .conditions = copy_agrees,
                .act = act_switch_push, .back = act_to_record, .commits = true,
                .wants = "the comparisons, measured again",
                .does = "a write of {from} is answered when {to} has it, or after {deadline} ms, and then goes on as a delivery",
                .way_back = "at once: the producer is still on, and readers ask {from} again",
        },
        STEP_OLD_WAY_OFF,
        {
                .name = "clean", .title = "clean up, update the documentation", .act = act_shadow_off,
                .does = "switches the comparisons off",
                .to_do = "in {to}, remove the calls of {from}; in the documentation, {from} pushes to {to}",
                .way_back = "a migration to pull",
        },
};

static const struct migrate_step to_pull[] = {
        {
                .name = "strategy", .title = "the strategy is chosen", .fact = pull_is_chosen, .wants = "pull is configured",
                .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "endpoint", .title = "the owner's endpoint answers, and agrees with the copy", .act = act_compare,
                .gate = owner_agrees, .back = act_shadow_off, .shadow = true, .asks = true,
                .wants = "{messages} comparisons, or as many as come in {seconds} s, at least one; none differs",
                .does = "asks {from} for keys that are read or written, and compares", .to_do = "{from} has to serve its GET",
                .way_back = "at once: the comparisons are switched off",
        },
        {
                .name = "switch", .title = "readers ask the owner", .fact = is_pull, .conditions = owner_agrees, .act = act_to_record,
                .back = act_back_to_copy, .commits = true, .asks = true,
                .wants = "the comparisons, measured again", .does = "reads are forwarded to {from}; GET /modes says pull",
                .way_back = "at once: the producer is still on, and the copy is fresh",
        },
        {
                .name = "in-use", .title = "the new way is in use", .gate = reads_are_pulled,
                .wants = "reads came by the new way", .way_back = "as of the switch",
        },
        {
                .name = "producer-off", .title = "the producer is off", .act = act_to_plain, .back = act_produce, .commits = true,
                .does = "captures no write any more", .wants = "nothing is captured",
                .way_back = "the producer on, and all rows read again: the copy has gone stale",
        },
        {
                .name = "drained", .title = "drained, the consumer is off", .fact = is_drained,
                .wants = "no event waits, is being delivered, or is parked", .way_back = "as of the producer",
        },
        {
                .name = "clean", .title = "the copy is deleted, the documentation updated", .fact = reader_has_dropped_its_table,
                .person = true,
                .to_do = "in {to}, delete the table that events of {event} filled and the code that reads it; in the documentation, {to} "
                         "asks {from}",
                .wants = "nobody keeps a copy that goes stale", .way_back = "a migration to async",
        },
};

static const struct migrate_step async_to_push[] = {
        {
                .name = "switch", .title = "writes are pushed to the reader", .fact = is_push, .act = act_to_push,
                .back = act_to_async, .commits = true, .wants = "writes are pushed",
                .does = "a write of {from} is answered when {to} has it, or after {deadline} ms, and then goes on as a delivery",
                .way_back = "at once: deliveries as before",
        },
        {
                .name = "clean", .title = "update the documentation", .act = act_shadow_off,
                .to_do = "in the documentation, {from} pushes to {to}", .way_back = "a migration to async",
        },
};

static const struct migrate_step push_to_async[] = {
        {
                .name = "switch", .title = "writes become events that are delivered", .fact = is_async, .act = act_to_async,
                .back = act_to_push, .commits = true, .wants = "writes are answered without waiting for {to}",
                .does = "a write of {from} is answered once its event is durable", .way_back = "at once: pushed as before",
        },
        {
                .name = "clean", .title = "update the documentation", .act = act_shadow_off,
                .to_do = "in the documentation, {from} to {to} is {event} on {topic}", .way_back = "a migration to push",
        },
};

#define TABLE(origin, target, its_steps) \
        {.kind = MODEL_DATA, .from = MODEL_##origin, .to = MODEL_##target, .steps = its_steps, .count = ARRAY_SIZE(its_steps), \
         .not_observable = "reads of {from} that bypass the gateway; writes that bypass it are found by reconciliation, at intervals"}

const struct migrate_table migrate_data_tables[MIGRATE_DATA_TABLES] = {
        TABLE(PULL, ASYNC, pull_to_async), TABLE(PULL, PUSH, pull_to_push), TABLE(ASYNC, PULL, to_pull), TABLE(PUSH, PULL, to_pull),
        TABLE(ASYNC, PUSH, async_to_push), TABLE(PUSH, ASYNC, push_to_async),
};
static_assert(ARRAY_SIZE(pull_to_async) <= MIGRATE_STEPS_MAX && ARRAY_SIZE(to_pull) <= MIGRATE_STEPS_MAX, "evidence has room");
