// SPDX-License-Identifier: Apache-2.0
// The tables of functional communications: sync -> async and back (DESIGN.md §6).
#include "migrate/migrate_priv.h"

#define NOTHING_TO_UNDO "nothing to undo"

static const struct migrate_step to_async[] = {
        {
                .name = "contract", .title = "the event's schema is written", .fact = migrate_contract_exists,
                .wants = "{event} has a JSON Schema that compiles", .to_do = "write the JSON Schema of {event}: {contract}",
                .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "registered", .title = "the schema is in the schema registry", .fact = migrate_is_registered,
                .act = migrate_act_register,
                .wants = "subject {event} has every version of the contract",
                .does = "registers every version of {event} that is not there yet",
                .way_back = "nothing to undo: a registered schema harms nobody",
        },
        {
                .name = "consumer", .title = "the consumer that handles the event is ready", .fact = migrate_look_consumer,
                .asks = true,
                .wants = "{to} answers, and recognises a repeated identity if that is declared",
                .to_do = "{to} has to serve {call}: commute delivers each event as that call", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "producer", .title = "the producer sends the event, in shadow", .act = migrate_act_shadow,
                .gate = migrate_look_shadow,
                .back = migrate_act_plain, .shadow = true, .asks = true,
                .wants = "what a delivery would send equals the call that was made: {messages} comparisons, or as many as come "
                         "in {seconds} s, at least one; none differs",
                .does = "makes records of the calls; once every call of before has ended, the event of each call goes to a "
                        "shadow topic",
                .way_back = "at once: the shadow and the records are switched off",
        },
        {
                .name = "switch", .title = "calls become events", .fact = migrate_look_async, .conditions = migrate_look_shadow,
                .act = migrate_act_switch,
                .back = migrate_act_record, .commits = true, .asks = true,
                .wants = "the shadow's comparisons, measured again",
                .does = "switches every lane: from one record on, arrivals are appended to {topic}, answered with {answer}, and "
                        "delivered to {to} in order",
                .way_back = "lane by lane, drained and fenced for at most {deadline} ms, to sync with records; then the shadow "
                            "begins anew",
        },
        {
                .name = "old-way-off", .title = "the old synchronous communication is off", .gate = migrate_look_old_way,
                .wants = "messages came by the new way, and in the same time none by the old one", .way_back = "as of the switch",
        },
        {
                .name = "clean", .title = "clean up, update the documentation", .act = migrate_act_shadow_off,
                .does = "switches the shadow off",
                .to_do = "in {from}, remove what used the answer of {call}: it is a receipt now ({answer}); in the "
                         "documentation, {from} to {to} is {event} on {topic}",
                .way_back = "a migration to sync",
        },
};

static const struct migrate_step to_sync[] = {
        {
                .name = "endpoint", .title = "the endpoint answers", .fact = migrate_look_endpoint, .asks = true,
                .wants = "{to} answers", .to_do = "{to} has to serve {call}", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "ways-in", .title = "ways in that the gateway cannot fence are stopped", .fact = migrate_look_ways_in,
                .wants = "no message can get into {topic} but through the gateway", .way_back = NOTHING_TO_UNDO,
        },
        {
                .name = "switch", .title = "events become calls, lane by lane", .fact = migrate_look_sync,
                .act = migrate_act_record,
                .back = migrate_act_back_to_async,
                .commits = true,
                .wants = "every lane is sync",
                .does = "drains each lane and opens it as sync; arrivals of a lane that stays busy wait for at most {deadline} "
                        "ms. A lane with a parked or indeterminate message stays async until a person has settled it",
                .way_back = "at once: every lane becomes async again",
        },
        {
                .name = "drained", .title = "every old event is processed", .fact = migrate_look_drained,
                .wants = "no message waits, is being delivered, or is parked", .way_back = "as of the switch",
        },
        {
                .name = "consumer-off", .title = "producer and consumer are off", .fact = migrate_look_plain,
                .act = migrate_act_plain,
                .back = migrate_act_record,
                .wants = "calls are forwarded without records", .does = "switches the records off",
                .way_back = "at once: records are switched on again",
        },
        {
                .name = "clean", .title = "clean up, update the documentation", .act = migrate_act_nothing,
                .to_do = "in {from}, use the answer of {call} again, which is {to}'s own now; in the documentation, {from} to "
                         "{to} is a call. {topic} and its schema stay until their retention ends",
                .way_back = "a migration to async",
        },
};

const struct migrate_table migrate_functional_to_async = {
        .kind = MODEL_FUNCTIONAL, .from = MODEL_SYNC, .to = MODEL_ASYNC, .steps = to_async, .count = ARRAY_SIZE(to_async),
        .not_observable = "calls from {from} to {to} that bypass the gateway, and whether {from} uses more of an answer than its "
                          "status",
};
const struct migrate_table migrate_functional_to_sync = {
        .kind = MODEL_FUNCTIONAL, .from = MODEL_ASYNC, .to = MODEL_SYNC, .steps = to_sync, .count = ARRAY_SIZE(to_sync),
        .not_observable = "calls from {from} to {to} that bypass the gateway, and whether {from} can wait for {to}'s own answer",
};
static_assert(ARRAY_SIZE(to_async) <= MIGRATE_STEPS_MAX && ARRAY_SIZE(to_sync) <= MIGRATE_STEPS_MAX, "evidence has room");
