// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "world_priv.h"

struct world_figures world_figures;

// ---- the provider ----

static void execute(struct world *world, struct call *call) {
        struct message *message = call->of;
        call->executed = true;
        if (message->poison)
                return;
        if (call->recognised && message->done)
                return;
        message->done++;
        world_figures.executions++;
        SAY(world, "provider executes lane %d message %d", message->lane, message->number);
        if (message->done > 1 && !message->bare)
                wrong(world, 2, message, "executed twice");
        for (int i = 0; i < world->per_lane; i++) {
                struct message *earlier = &world->messages[message->lane * world->per_lane + i];
                if (earlier->answered && earlier->answered < message->sent && !earlier->done && !earlier->poison)
                        wrong(world, 3, message, "executed before an earlier message that was accepted");
        }
}

static bool being_executed(const struct world *world, const struct message *of, const struct call *but) {
        for (size_t i = 0; i < CALLS_MAX; i++) {
                const struct call *call = &world->calls[i];
                if (call != but && call->used && call->of == of && !call->executed && !call->dies && call->execute_at > world->now_ns)
                        return true;
        }
        return false;
}

static struct call *new_call(struct world *world, struct message *of) {
        for (size_t i = 0; i < CALLS_MAX; i++)
                if (!world->calls[i].used) {
                        struct call *call = &world->calls[i];
                        *call = (struct call){.used = true, .of = of, .recognised = world->recognises};
                        uint64_t takes = chance(world, 90) ? below(world, 3 * MS) : below(world, PROVIDER_LONGEST_MS * MS);
                        call->execute_at = world->now_ns + takes;
                        call->answer_at = call->execute_at + below(world, MS);
                        call->give_up_at = world->now_ns + GATEWAY_TIMEOUT_MS * MS;
                        call->result = of->poison ? CALL_REFUSED : CALL_DONE;
                        if (world->recognises && being_executed(world, of, call) && chance(world, 50)) {
                                call->result = CALL_CONFLICT;   // the first one is still under way there
                                call->executed = true;
                                return call;
                        }
                        bool down = world->now_ns < world->provider_down_until;
                        if (down || (!world->quiet && chance(world, 4))) {
                                call->result = CALL_NOT_DONE;
                                call->executed = true;          // it never will be
                        } else if (!world->quiet && chance(world, 3)) {
                                call->give_up_at = world->now_ns + below(world, 3 * MS);        // the connection breaks
                        }
                        return call;
                }
        UNREACHABLE("CALLS_MAX");
        return NULL;
}

static void op_call(void *user, struct shard_message *message, enum shard_call kind, struct shard_request *request) {
        struct world *world = user;
        struct message *of = NULL;
        for (size_t i = 0; i < world->truth->count; i++)
                if (world->truth->messages[i].position == shard_message_position(message))
                        of = message_of(world, &world->truth->messages[i].record.identity);
        if (!of && request)
                of = ((struct request *)request)->message;      // called without a record: a planted error
        ASSERT(of);
        if (kind == SHARD_DELIVERY && world->pause_until)
                wrong(world, 7, of, "a delivery began during a pause");
        new_call(world, of)->message = message;
}

static void op_forward(void *user, struct shard_request *shard_request) {
        struct world *world = user;
        struct request *request = (struct request *)shard_request;
        request->message->bare = true;
        new_call(world, request->message)->forwarded = request;
}

static void finish(struct world *world, struct request *request, bool accepted) {
        struct message *message = request->message;
        struct lane_caller *caller = caller_of(world, message);
        if (request->other_body && accepted && !message->bare)
                wrong(world, 1, message, "a repeat with another body was accepted");
        if (accepted && !request->other_body && (request->copy || !request->caller_gone) && !message->answered)
                message->answered = ++world->tick;
        if (!request->caller_gone) {
                message->request = NULL;
                caller->at = world->now_ns + below(world, 4 * MS);
                bool confused = accepted && !request->other_body && chance(world, 5);  // sends it again with another body
                if (!confused && (accepted || message->answered || message->tries >= TRIES)) {
                        message->given_up = !accepted;
                        caller->next += world->strides[message->lane];
                }
        }
        list_remove(&request->link);
        free(request);
}

// The gateway is gone, and with it every request at it.
static void drop_requests(struct world *world) {
        LIST_FOR_EACH_SAFE(link, &world->requests)
                free(CONTAINER_OF(link, struct request, link));
        list_init(&world->requests);
}

static struct call *current_call;

static void op_answer(void *user, struct shard_request *shard_request, enum shard_answer answer, uint64_t position) {
        struct world *world = user;
        (void)position;
        struct request *request = (struct request *)shard_request;
        bool accepted = answer == SHARD_ACCEPTED || answer == SHARD_STORED ||
                        (answer == SHARD_RESPONSE && current_call && current_call->result == CALL_DONE);
        SAY(world, "answer %d to lane %d message %d", answer, request->message->lane, request->message->number);
        finish(world, request, accepted);
}

static void call_event(struct world *world, struct call *call) {
        if (!call->executed && world->now_ns >= call->execute_at && !call->dies)
                execute(world, call);
        bool waits = call->message || call->forwarded;
        bool gives_up = waits && world->now_ns >= call->give_up_at;
        if (gives_up)
                call->result = call->result == CALL_NOT_DONE ? CALL_NOT_DONE : CALL_UNKNOWN;
        if (waits && (gives_up || world->now_ns >= call->answer_at)) {
                struct shard_message *message = TAKE(call->message);
                struct request *forwarded = TAKE(call->forwarded);
                struct call outcome = *call;
                call->dies = gives_up && !call->executed && chance(world, 50);
                call->used = !call->executed && !call->dies;            // a zombie executes later
                if (forwarded) {
                        finish(world, forwarded, outcome.result == CALL_DONE);
                } else {
                        current_call = &outcome;
                        shard_called(world->shard, message, &(struct call_outcome){.result = outcome.result});
                        current_call = NULL;
                }
                return;
        }
        if (!waits && (call->executed || call->dies))
                call->used = false;
}

// ---- callers ----

static struct request *new_request(struct world *world, struct message *message) {
        struct request *request = calloc(1, sizeof *request);
        *request = (struct request){.world = world, .message = message,
                                    .shard = {.identity = message->identity, .body_hash = message->body_hash}};
        list_append(&world->requests, &request->link);
        request->shard.lane = (struct hash128){.bytes = {[0] = (uint8_t)message->lane, [15] = 1}};
        return request;
}

static void caller_event(struct world *world, struct lane_caller *caller) {
        caller->at = UINT64_MAX;
        if (caller->next >= world->per_lane)
                return;
        struct message *message = &world->messages[caller->lane * world->per_lane + caller->next];
        if (message->request) {                                 // it waits no longer
                message->request->caller_gone = true;
                message->request = NULL;
                if (message->tries >= TRIES) {
                        message->given_up = true;
                        caller->next += world->strides[message->lane];
                }
                caller->at = world->now_ns + below(world, 4 * MS);
                return;
        }
        struct request *request = new_request(world, message), *copy = NULL;
        if (message->answered) {
                request->other_body = true;
                request->shard.body_hash.bytes[8] ^= 1;
                if (chance(world, 50))                          // and so it has another key, perhaps
                        request->shard.lane.bytes[0] = (uint8_t)below(world, (uint64_t)world->lanes);
        } else if (chance(world, 10)) {
                copy = new_request(world, message);             // a client that hedges: twice at once
                copy->copy = copy->caller_gone = true;
        }
        if (message->tries++)
                world_figures.repeats++;
        else
                message->sent = ++world->tick;
        message->request = request;
        caller->at = world->now_ns + (world->quiet ? 500 : 5 + below(world, 60)) * MS;
        SAY(world, "caller sends lane %d message %d, try %d%s", caller->lane, message->number, message->tries, copy ? ", twice" : "");
        shard_request(world->shard, &request->shard);
        if (copy)
                shard_request(world->shard, &copy->shard);
}

// ---- person, migration, kill -9 ----

static void person_event(struct world *world) {
        world->person_at = world->now_ns + 5 * MS + below(world, 40 * MS);
        struct fold *fold = world->views;
        for (size_t i = 0; i < fold->count; i++) {
                struct fold_message *folded = &fold->messages[i];
                struct message *message = message_of(world, &folded->record.identity);
                bool call = folded->state == LEDGER_CALL_INDETERMINATE || folded->state == LEDGER_OPEN;
                if (folded->state != LEDGER_PARKED && !call)
                        continue;
                if (call && world->recognises && !message->poison)
                        continue;                               // commute's or the caller's own doing
                enum record_kind decision = message->done ? RECORD_SETTLED : message->poison ? RECORD_DISCARDED : RECORD_RETRY;
                struct error error;
                if (shard_decide(world->shard, folded->position, decision, &error)) {
                        world_figures.decided++;
                        SAY(world, "person: %s of lane %d message %d", record_kind_name(decision), message->lane, message->number);
                        return;
                }
        }
}

static void migration_event(struct world *world) {
        world->migration_at = world->now_ns + 2 * MS + below(world, 30 * MS);
        struct shard_state state;
        shard_state(world->shard, &state);
        if (state.changing)
                return;
        if (world->stepped_back) {                              // the step begins again
                world->stepped_back = false;
                world_figures.steps_back++;
        }
        if (state.mode == world->target && !state.lanes_left_async) {
                // every plain call of before must have ended before the step is done
                if (world->legs > 0 && (world->quiet || chance(world, 40))) {
                        world->legs--;
                        world->target = world->target == LANE_ASYNC ? LANE_PLAIN : LANE_ASYNC;
                }
                return;
        }
        if (!world->quiet && world->target == LANE_PLAIN && state.lanes_left_async && chance(world, 3))
                world->target = LANE_ASYNC;                     // a person turns the switch back
        enum lane_mode next = state.mode == LANE_RECORD ? world->target : LANE_RECORD;
        if (next == LANE_PLAIN && state.lanes_left_async)
                return;
        if (next == LANE_ASYNC)
                for (size_t i = 0; i < CALLS_MAX; i++)
                        if (world->calls[i].used && world->calls[i].forwarded)
                                return;                         // calls without a record are under way
        struct error error;
        if (shard_switch(world->shard, next, &error)) {
                world_figures.switches++;
                SAY(world, "switch to %d", next);
        }
}

static uint64_t op_now(void *user) {
        return ((struct world *)user)->now_ns;
}
static int64_t op_wall(void *user) {
        return wall_ms(user);
}
static uint64_t op_random(void *user) {
        return draw(user);
}
static bool op_event(void *user, struct shard_request *request, int64_t offset, struct record *record, struct bytes *ret_body) {
        (void)user, (void)request, (void)offset, (void)record;
        *ret_body = (struct bytes){0};
        return true;
}
static void op_forgotten(void *user, const struct hash128 *identity) {
        (void)user, (void)identity;
}
static void op_wake_at(void *user, uint64_t when_ns) {
        struct world *world = user;
        world->wake_ns = MIN(world->wake_ns, MAX(when_ns, world->now_ns));
}
static void op_stepped_back(void *user) {
        ((struct world *)user)->stepped_back = true;
}
static void op_decided(void *user, uint64_t position, bool done, const char *why) {
        (void)user, (void)position, (void)done, (void)why;
}

static const struct shard_ops ops = {
        .now_ns = op_now, .wall_ms = op_wall, .random = op_random, .append = op_append, .next_offset = op_next_offset,
        .event = op_event, .call = op_call, .forward = op_forward, .answer = op_answer, .settled = op_settled, .lane = op_lane,
        .forgotten = op_forgotten, .wake_at = op_wake_at, .stepped_back = op_stepped_back, .decided = op_decided,
};

static void start_shard(struct world *world) {
        while (world->views->position < world->next_position)
                fold_apply(world, world->views, &world->records[world->views->position]);
        struct fold *fold = world->views;
        world->restoring = true;
        world->shard = shard_new(&world->options, &ops, world);
        shard_restore(world->shard, fold->mode, fold->epoch);
        shard_views_passed(world->shard, fold->position);
        for (int lane = 0; lane < world->lanes; lane++)
                if (fold->lanes[lane].left_async) {
                        struct hash128 hash = {.bytes = {[0] = (uint8_t)lane, [15] = 1}};
                        shard_restore_left_async(world->shard, &hash);
                }
        static const int states[] = {
                [LEDGER_OPEN] = UNSETTLED_OPEN, [LEDGER_CALL_INDETERMINATE] = UNSETTLED_INDETERMINATE_CALL,
                [LEDGER_WAITING] = UNSETTLED_WAITING, [LEDGER_TRYING] = UNSETTLED_TRYING,
                [LEDGER_INDETERMINATE] = UNSETTLED_INDETERMINATE, [LEDGER_PARKED] = UNSETTLED_PARKED,
        };
        for (size_t i = 0; i < fold->count; i++) {
                struct fold_message *folded = &fold->messages[i];
                if (!ledger_unsettled(folded->state))
                        continue;
                struct shard_unsettled unsettled = {
                        .position = folded->position, .identity = folded->record.identity, .body_hash = folded->record.body_hash,
                        .lane = folded->record.lane, .sequence = folded->record.sequence, .attempts = folded->attempts,
                        .was_indeterminate = folded->was_indeterminate,
                };
                unsettled.state = (__typeof__(unsettled.state))states[folded->state];
                shard_restore_message(world->shard, &unsettled);
        }
        shard_start(world->shard);
        world->restoring = false;
}

// kill -9: memory and connections are gone; of the appends under way a prefix has landed; calls at the provider go on alone.
static void crash(struct world *world) {
        world_figures.crashes++;
        SAY(world, "kill -9");
        bool landing = true;
        for (size_t i = 0; i < world->append_count; i++) {
                struct submission *submission = &world->appends[i];
                if (submission->state != SUBMITTED)
                        continue;
                landing = landing && chance(world, 60) && world->now_ns >= world->full_until &&
                        world->now_ns >= world->broken_until &&
                          (submission->stored.offset < 0 || submission->stored.offset == world->durable_offset);
                if (landing)
                        land(world, submission->stored);
        }
        world->append_count = world->refused_count = 0;
        world->broken_until = world->pause_until = 0;
        world->topic_failed = false;
        world->options.recognised_before = world->options.recognised_before || world->recognises;
        if (chance(world, 20))                                  // a new configuration says so, and it is true
                world->recognises = world->options.recognises = false;
        world->submitted_offset = world->durable_offset;
        for (size_t i = 0; i < CALLS_MAX; i++) {
                struct call *call = &world->calls[i];
                if (!call->used)
                        continue;
                call->message = NULL;
                call->forwarded = NULL;
                call->dies = !call->executed && chance(world, 50);
        }
        shard_free(world->shard);
        drop_requests(world);
        for (int i = 0; i < world->lanes * world->per_lane; i++) {
                struct message *message = &world->messages[i];
                if (!message->request)
                        continue;
                message->request = NULL;                        // the caller sees a broken connection, and tries again
                if (message->tries >= TRIES) {
                        message->given_up = true;
                        caller_of(world, message)->next += world->strides[message->lane];
                }
                caller_of(world, message)->at = world->now_ns + below(world, 10 * MS);
        }
        world->now_ns += MS + below(world, 20 * MS);
        world->stepped_back = false;
        start_shard(world);
}

static void fault_event(struct world *world) {
        world->fault_at = world->now_ns + 20 * MS + below(world, 200 * MS);
        if (chance(world, 40))
                world->provider_down_until = world->now_ns + below(world, 80 * MS);
        else if (chance(world, 40))
                world->full_until = world->now_ns + below(world, 40 * MS);
        else if (chance(world, 50))
                world->wall_offset_ms += (int64_t)below(world, 7200000) - 3600000;      // somebody sets the clock
        else
                shard_pause(world->shard, true), world->pause_until = world->now_ns + below(world, 60 * MS);
}

// ---- the run ----

static uint64_t next_event(struct world *world) {
        // every event moves something: many at one instant mean that nothing does
        if (world->now_ns != world->last_ns)
                world->last_ns = world->now_ns, world->events_now = 0;
        if (++world->events_now > 10000)
                wrong(world, 4, NULL, "the owner is busy with nothing");
        uint64_t next = MIN(world->wake_ns, world->views_at);
        if (world->append_count)
                next = MIN(next, world->append_at);
        if (world->refused_count)
                next = world->now_ns;
        if (world->pause_until)
                next = MIN(next, world->pause_until);
        for (int i = 0; i < world->lanes * CALLERS; i++)
                next = MIN(next, world->callers[i].at);
        for (size_t i = 0; i < CALLS_MAX; i++) {
                const struct call *call = &world->calls[i];
                if (!call->used)
                        continue;
                if (!call->executed)
                        next = MIN(next, call->execute_at);
                if (call->message || call->forwarded)
                        next = MIN(next, MIN(call->answer_at, call->give_up_at));
        }
        next = MIN(next, MIN(world->person_at, world->migration_at));
        if (!world->quiet)
                next = MIN(next, MIN(world->crash_at, world->fault_at));
        return MAX(next, world->now_ns);
}

static void events(struct world *world) {
        if (!world->quiet && world->now_ns >= world->crash_at) {
                world->crash_at = --world->crashes > 0 ? world->now_ns + below(world, 300 * MS) : UINT64_MAX;
                crash(world);
                return;
        }
        if (world->refused_count)
                tell_refused(world);
        if (world->append_count && world->now_ns >= world->append_at)
                log_event(world);
        if (world->pause_until && world->now_ns >= world->pause_until)
                world->pause_until = 0, shard_pause(world->shard, false);
        for (size_t i = 0; i < CALLS_MAX && !world->failed; i++) {
                struct call *call = &world->calls[i];
                bool waits = call->message || call->forwarded;
                if (call->used && ((!call->executed && world->now_ns >= call->execute_at) || call->dies ||
                    (!waits && call->executed) ||
                                   (waits && world->now_ns >= MIN(call->answer_at, call->give_up_at))))
                        call_event(world, call);
        }
        for (int i = 0; i < world->lanes * CALLERS; i++)
                if (world->now_ns >= world->callers[i].at)
                        caller_event(world, &world->callers[i]);
        if (world->now_ns >= world->views_at)
                views_event(world);
        if (world->now_ns >= world->wake_ns) {
                world->wake_ns = UINT64_MAX;
                shard_tick(world->shard);
        }
        if (world->now_ns >= world->person_at)
                person_event(world);
        if (world->now_ns >= world->migration_at)
                migration_event(world);
        if (!world->quiet && world->now_ns >= world->fault_at)
                fault_event(world);
        shard_check(world->shard);
}

static bool callers_done(const struct world *world) {
        for (int i = 0; i < world->lanes * CALLERS; i++)
                if (world->callers[i].next < world->per_lane)
                        return false;
        return true;
}

static bool at_rest(struct world *world) {
        struct shard_state state;
        shard_state(world->shard, &state);
        for (size_t i = 0; i < CALLS_MAX; i++)
                if (world->calls[i].used)
                        return false;
        if (!callers_done(world) || world->append_count || world->refused_count || state.changing || state.waiting ||
            state.parked || state.calls_open || state.in_flight || world->legs || state.mode != world->target || state.lanes_left_async)
                return false;
        return world->views->position == world->next_position &&
               (state.calls_indeterminate == 0 || (world->recognises && state.mode != LANE_ASYNC));
}

static void judge(struct world *world) {
        struct error error;
        for (int i = 0; i < world->lanes * world->per_lane; i++) {
                struct message *message = &world->messages[i];
                if (message->answered && !message->done && !message->poison)
                        wrong(world, 1, message, "accepted, and never executed");
        }
        if (!ledger_check(&world->truth->sums, &error))
                wrong(world, 5, NULL, error.text);
}

static void set_up(struct world *world) {
        world->recognises = chance(world, 50);
        unsigned poison = chance(world, 10) ? 40 : 2;           // in some worlds hardly anything but poison
        world->lanes = 1 + (int)below(world, LANES_MAX);
        world->per_lane = 3 + (int)below(world, 20);
        for (int lane = 0; lane < world->lanes; lane++) {
                world->strides[lane] = chance(world, 50) ? CALLERS : 1;
                for (int i = 0; i < CALLERS; i++)
                        world->callers[lane * CALLERS + i] = (struct lane_caller){
                                .lane = lane, .next = i < world->strides[lane] ? i : world->per_lane, .at = below(world, 5 * MS)};
                for (int number = 0; number < world->per_lane; number++) {
                        struct message *message = &world->messages[lane * world->per_lane + number];
                        *message = (struct message){.lane = lane, .number = number, .poison = chance(world, poison)};
                        message->identity.bytes[0] = (uint8_t)lane, message->identity.bytes[1] = (uint8_t)number;
                        message->identity.bytes[15] = 7, message->body_hash.bytes[0] = 9;
                }
        }
        world->options = (struct shard_options){
                .stream = 1, .recognises = world->recognises, .deadline_ns = 25 * MS, .settle_ms = SETTLE_MS,
                .max_backlog = chance(world, 10) ? 4 : 1000, .max_in_flight = 1 + below(world, 8),
                .retry_first_ns = MS, .retry_longest_ns = 20 * MS,
        };
        list_init(&world->requests);
        world->wake_ns = UINT64_MAX;
        world->wall_offset_ms = 1700000000000;
        world->target = chance(world, 50) ? LANE_ASYNC : LANE_PLAIN;
        world->views->mode = world->truth->mode = LANE_PLAIN;
        world->legs = 1 + (int)below(world, 4);
        world->crashes = (int)below(world, 4);
        world->crash_at = world->crashes ? below(world, 200 * MS) : UINT64_MAX;
        world->fault_at = below(world, 200 * MS);
        world->person_at = 20 * MS;
        world->migration_at = below(world, 60 * MS);
}

bool world_run(const struct world_options *options, char *ret_why, size_t size) {
        struct world *world = calloc(1, sizeof *world);
        world->views = calloc(1, sizeof *world->views);
        world->truth = calloc(1, sizeof *world->truth);
        world->random = options->seed * 0x9E3779B97F4A7C15u + 1;
        world->verbose = options->verbose;
        world->why = ret_why;
        world->why_size = size;
        for (int i = 0; i < 8; i++)
                draw(world);
        set_up(world);
        start_shard(world);
        uint64_t quiet_after = 1500 * MS, end = 30000 * MS;
        while (!world->failed && world->now_ns < end && !at_rest(world)) {
                world->now_ns = next_event(world);
                if (world->now_ns >= quiet_after && !world->quiet) {
                        world->quiet = true;
                        world->provider_down_until = world->full_until = 0;
                }
                events(world);
        }
        if (!world->failed && !at_rest(world)) {
                struct shard_state state;
                shard_state(world->shard, &state);
                char text[200];
                snprintf(text, sizeof text,
                        "does not come to rest: mode %d (target %d), left async %zu, waiting %zu, parked %zu, open %zu, "
                         "indeterminate %zu, appends %zu", state.mode, world->target, state.lanes_left_async, state.waiting,
                         state.parked, state.calls_open, state.calls_indeterminate, world->append_count);
                wrong(world, 4, NULL, text);
        }
        if (!world->failed)
                judge(world);
        struct shard_state state;
        shard_state(world->shard, &state);
        world_figures.runs++;
        world_figures.messages += (uint64_t)(world->lanes * world->per_lane);
        if (state.longest_fence_ns > world->options.deadline_ns)
                wrong(world, 4, NULL, "a fence held a lane for longer than `deadline`");
        world_figures.fences += state.fences;
        world_figures.overruns += state.fence_overruns;
        world_figures.parked += (uint64_t)world->truth->sums.count[LEDGER_SETTLED];
        world_figures.in_doubt += (uint64_t)(world->truth->sums.count[LEDGER_CALL_INDETERMINATE] +
                                             world->truth->sums.count[LEDGER_CALL_SETTLED]);
        bool fine = !world->failed;
        shard_free(world->shard);
        drop_requests(world);
        free(world->views);
        free(world->truth);
        free(world);
        return fine;
}
