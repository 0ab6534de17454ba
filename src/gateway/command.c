// SPDX-License-Identifier: Apache-2.0
// Orders of the control thread, carried out on the owner's loop and sent back with the state that they left.
#include "gateway/gateway_priv.h"

static void add_shard(const struct owned_shard *owned, struct gateway_state *state) {
        struct shard_state shard;
        shard_state(owned->shard, &shard);
        state->shards++;
        state->plain += shard.mode == LANE_PLAIN;
        state->record += shard.mode == LANE_RECORD;
        state->async += shard.mode == LANE_ASYNC;
        state->push += shard.mode == LANE_PUSH;
        state->changing |= shard.changing;
        state->epoch = MAX(state->epoch, (uint64_t)shard.epoch);
        state->changes_failed += shard.changes_failed;
        state->lanes_left_async += shard.lanes_left_async;
        state->calls_open += shard.calls_open;
        state->calls_indeterminate += shard.calls_indeterminate;
        state->waiting += shard.waiting;
        state->in_flight += shard.in_flight;
        state->parked += shard.parked;
        state->held += shard.held;
        state->provider_fails |= shard.provider_fails;
        if (shard.last_failure)
                state->last_failure = shard.last_failure;
        state->fences += shard.fences;
        state->fence_overruns += shard.fence_overruns;
        state->longest_fence_ns = MAX(state->longest_fence_ns, shard.longest_fence_ns);
        state->longest_hold_ns = MAX(state->longest_hold_ns, shard.longest_hold_ns);
        state->admitted += shard.admitted;
        state->delivered += shard.delivered;
        state->repeats += shard.repeats;
}

static void fill(const struct route *route, struct gateway_command *command) {
        command->state = (struct gateway_state){.steps_back = route->steps_back, .recognised = route->recognised, .paused = route->paused};
        for (unsigned i = 0; route->shards && i < route->communication->partitions; i++)
                add_shard(&route->shards[i], &command->state);
        command->shadow = (struct gateway_shadow){
                .on = route->shadow.on,
                .since_ms = (uint64_t)route->shadow.since_ms,
                .compared = route->shadow.compared,
                .differing = route->shadow.differing,
        };
        memcpy(command->shadow.first_difference, route->shadow.first_difference, sizeof command->shadow.first_difference);
        if (route->data)
                data_fill(route->data, &command->state);
        if (command->versions && route->communication->async)
                versions_fill(route->gateway, route->communication->async->event, command->versions);
}

static bool order_switch(struct route *route, enum lane_mode mode, struct error *error) {
        if (!route->shards)
                return error_set(error, ERROR_UNSUPPORTED, "%s has no lanes", route->communication->name);
        const struct model_communication *communication = route->communication;
        if (mode == LANE_PUSH ? !communication->push.target
                              : route->data && mode == LANE_ASYNC && !(communication->modes & 1u << MODEL_ASYNC))
                return error_set(error, ERROR_UNSUPPORTED, "%s has no %s", communication->name, mode == LANE_PUSH ? "push" : "async");
        if (route->data)
                data_switched(route->data, mode);
        // From here on every call goes through the owner; the hint comes back when all is plain again.
        atomic_store(&route->direct, false);
        bool fine = true;
        for (unsigned i = 0; fine && i < route->communication->partitions; i++)
                fine = shard_switch(route->shards[i].shard, mode, error) ||
                       error_wrap(error, "%s, shard %u", route->communication->name, i);
        route_update_direct(route);             // none of them may have had anything to change
        return fine;
}

static void order_shadow(struct route *route, bool on) {
        route->shadow = (struct shadow){.on = on, .since_ms = clock_wall_ms(loop_clock(route->gateway->owner))};
}

// True: the decision's record is under way, and op_decided ends the command.
static bool order_decide(struct route *route, struct gateway_command *command) {
        struct gateway *gateway = route->gateway;
        list_append(&gateway->decisions, &command->link);
        struct error error;
        error_set(&error, ERROR_NOT_FOUND, "no unsettled message at %llu", (unsigned long long)command->position);
        for (unsigned i = 0; route->shards && i < route->communication->partitions; i++) {
                if (shard_decide(route->shards[i].shard, command->position, command->decision, &error))
                        return true;
                if (error.code != ERROR_NOT_FOUND)
                        break;
        }
        list_remove(&command->link);
        command->ok = false;
        command->error = error;
        return false;
}

static void order_pause(struct route *route, bool on) {
        route->paused = on;
        for (unsigned i = 0; route->shards && i < route->communication->partitions; i++)
                shard_pause(route->shards[i].shard, on);
}

static void run_done(struct loop_task *task) {
        struct gateway_command *command = CONTAINER_OF(task, struct gateway_command, task);
        command->done(command);
}

void gateway_order_done(struct gateway *gateway, struct gateway_command *command) {
        fill(&gateway->routes[command->communication], command);
        command->task.run = run_done;
        loop_post(command->loop, &command->task);
}

static void carry_out(struct loop_task *task) {
        struct gateway_command *command = CONTAINER_OF(task, struct gateway_command, task);
        struct gateway *gateway = command->gateway;
        struct route *route = &gateway->routes[command->communication];
        command->ok = true;
        switch (command->order) {
        case GATEWAY_STATE:
                break;
        case GATEWAY_SWITCH:
                command->ok = order_switch(route, command->mode, &command->error);
                break;
        case GATEWAY_SHADOW:
                order_shadow(route, command->on);
                break;
        case GATEWAY_DECIDE:
                if (order_decide(route, command))
                        return;
                break;
        case GATEWAY_PAUSE:
                order_pause(route, command->on);
                break;
        case GATEWAY_BACKFILL:
        case GATEWAY_RECONCILE:
        case GATEWAY_REFRESH:
                command->ok = route->data ? data_order(route->data, command, &command->error)
                                          : error_set(&command->error, ERROR_UNSUPPORTED, "%s captures nothing",
                                                      route->communication->name);
                break;
        }
        gateway_order_done(gateway, command);
}

void gateway_order(struct gateway *gateway, struct gateway_command *command) {
        ASSERT(command->communication < gateway->options.model->communication_count);
        command->gateway = gateway;
        command->task.run = carry_out;
        list_init(&command->link);
        loop_post(gateway->owner, &command->task);
}
