// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "proof/ledger.h"

#define MS 1000000ull

struct world_figures world_figures;

enum {
        RECORDS_MAX = 20000, EVENTS_MAX = 4096, APPENDS_MAX = 512, CALLS_MAX = 512, TRIES = 8,
        PROVIDER_LONGEST_MS = 60, SETTLE_MS = 80, GATEWAY_TIMEOUT_MS = 30, CALLERS = 3,
};

// ---- the judge's view of a message ----

struct message {
        int lane, number;
        struct hash128 identity, body_hash;
        uint64_t sent, answered;        // ticks: when it was first sent; when its caller was told "accepted" (0: never)
        bool bare;                      // was forwarded without a record
        bool poison;                    // the provider refuses it for good
        int done;                       // executions with effect
        int tries;
        bool given_up;
        struct request *request;        // at the gateway
};

struct request {
        struct shard_request shard;     // first: the shard's part
        struct list link;               // of all requests at the gateway
        struct world *world;
        struct message *message;
        bool caller_gone, other_body;
        bool copy;                      // of the same message on another connection: its caller takes either answer
};

// One of those who send to a lane. Messages are ordered only as DESIGN.md says: b was first sent after a's answer was received.
struct lane_caller {
        int lane, next;                 // of its messages; they take turns
        uint64_t at;                    // when it does something
};

// ---- the log ----

struct stored {
        struct record record;
        uint64_t position;
        int64_t offset;
};

struct submission {
        struct shard_append *append;    // NULL: nobody waits
        struct stored stored;
        enum { SUBMITTED, LANDED, TOLD_UNKNOWN } state;
        bool landed;
};

// A fold of the log of the simulation's own: what recovery and the views' look-ups read.
struct fold_message {
        struct record record;           // INTENT or MESSAGE
        uint64_t position, settled_at, answer;
        enum ledger_state state;
        bool was_indeterminate, released;
        uint32_t attempts;
};

struct fold_lane {
        uint64_t last_sequence;
        bool left_async;
};

struct fold {
        uint64_t position;
        enum lane_mode mode;
        uint32_t epoch;
        struct fold_message messages[RECORDS_MAX / 8];
        size_t count;
        struct fold_lane lanes[LANES_MAX];
        struct ledger_sums sums;
};

// ---- calls at the provider ----

struct call {
        bool used, recognised;          // recognised: should it be a repeat
        struct shard_message *message;  // NULL: nobody waits (a zombie, or forwarded)
        struct request *forwarded;
        struct message *of;
        uint64_t execute_at, answer_at, give_up_at;
        enum call_result result;
        bool executed, dies;
};

struct world {
        uint64_t random;
        uint64_t now_ns;
        int64_t wall_offset_ms;
        uint64_t wake_ns, last_ns, events_now;
        struct shard *shard;
        struct shard_options options;
        int lanes, per_lane;
        struct message messages[LANES_MAX * MESSAGES_MAX];
        uint64_t tick;                  // grows with each sending and answer
        struct lane_caller callers[LANES_MAX * CALLERS];
        int strides[LANES_MAX];         // how many of them the lane has
        struct list requests;

        struct stored records[RECORDS_MAX];
        size_t record_count;
        uint64_t next_position;
        int64_t durable_offset, submitted_offset;
        struct submission appends[APPENDS_MAX];
        size_t append_count;
        struct shard_append *refused[APPENDS_MAX];      // ended at once, to be told of
        size_t refused_count;
        bool topic_failed;              // offsets under way will fail: nothing is added
        uint64_t append_at;
        uint64_t broken_until, full_until;

        struct fold *views, *truth;
        uint64_t views_at;

        struct call calls[CALLS_MAX];
        uint64_t provider_down_until;
        uint64_t person_at, migration_at, crash_at, fault_at, pause_until;
        int crashes, legs;
        enum lane_mode target;
        bool quiet;                     // faults are over
        bool recognises;
        bool stepped_back;
        bool restoring;                 // the views can be read
        char *why;
        size_t why_size;
        bool failed;
        bool verbose;
};

static uint64_t draw(struct world *world) {
        world->random ^= world->random << 13, world->random ^= world->random >> 7, world->random ^= world->random << 17;
        return world->random * 0x2545F4914F6CDD1Du;
}

static uint64_t below(struct world *world, uint64_t bound) {
        return (draw(world) >> 16) % bound;
}

static bool chance(struct world *world, unsigned percent) {
        return below(world, 100) < percent;
}

static void wrong(struct world *world, int property, const struct message *message, const char *what) {
        if (world->failed)
                return;
        world->failed = true;
        snprintf(world->why, world->why_size, "property %d: %s (lane %d, message %d, at %.3f ms)", property, what,
                 message ? message->lane : -1, message ? message->number : -1, (double)world->now_ns / 1e6);
}

#define SAY(world, ...) do { if ((world)->verbose) { printf("%10.3f ms  ", (double)(world)->now_ns / 1e6); \
        printf(__VA_ARGS__); putchar('\n'); } } while (0)

static int64_t wall_ms(struct world *world) {
        return (int64_t)(world->now_ns / MS) + world->wall_offset_ms;
}

static struct message *message_of(struct world *world, const struct hash128 *identity) {
        for (int i = 0; i < world->lanes * world->per_lane; i++)
                if (hash128_equal(&world->messages[i].identity, identity))
                        return &world->messages[i];
        return NULL;
}

static struct lane_caller *caller_of(struct world *world, const struct message *message) {
        return &world->callers[message->lane * CALLERS + message->number % world->strides[message->lane]];
}

static int lane_of(const struct hash128 *hash) {
        return hash->bytes[0];
}

// ---- the fold ----

static struct fold_message *fold_find(struct fold *fold, uint64_t position) {
        for (size_t i = fold->count; i-- > 0;)
                if (fold->messages[i].position == position)
                        return &fold->messages[i];
        return NULL;
}

static bool fold_lane_unsettled(const struct fold *fold, int lane) {
        for (size_t i = 0; i < fold->count; i++)
                if (lane_of(&fold->messages[i].record.lane) == lane && ledger_unsettled(fold->messages[i].state))
                        return true;
        return false;
}

static void fold_epoch(struct world *world, struct fold *fold, const struct record *record) {
        if (record->epoch != fold->epoch + 1)
                wrong(world, 5, NULL, "epochs do not grow by one");
        if (fold->mode == LANE_ASYNC && record->mode == LANE_RECORD)
                for (int lane = 0; lane < world->lanes; lane++)
                        fold->lanes[lane].left_async = fold_lane_unsettled(fold, lane);
        if (record->mode == LANE_ASYNC)
                for (int lane = 0; lane < world->lanes; lane++)
                        fold->lanes[lane].left_async = false;
        fold->mode = record->mode;
        fold->epoch = record->epoch;
}

static enum lane_mode fold_mode(const struct fold *fold, int lane) {
        return fold->lanes[lane].left_async ? LANE_ASYNC : fold->mode;
}

static void fold_admission(struct world *world, struct fold *fold, const struct stored *stored) {
        const struct record *record = &stored->record;
        int lane = lane_of(&record->lane);
        struct message *message = message_of(world, &record->identity);
        for (size_t i = 0; i < fold->count; i++)
                if (hash128_equal(&fold->messages[i].record.identity, &record->identity) && !fold->messages[i].released)
                        wrong(world, 5, message, "admitted twice");
        if (record->kind == RECORD_MESSAGE) {
                if (record->sequence != ++fold->lanes[lane].last_sequence)
                        wrong(world, 5, message, "a gap or turn-back in the lane's sequence");
                if (fold_mode(fold, lane) != LANE_ASYNC)
                        wrong(world, 5, message, "a MESSAGE in a lane that is not async");
        } else if (fold_mode(fold, lane) != LANE_RECORD) {
                wrong(world, 5, message, "an INTENT in a lane that is not in record mode");
        }
        if (record->epoch != fold->epoch)
                wrong(world, 5, message, "admitted under another epoch than its lane's");
        ASSERT(fold->count < ARRAY_SIZE(fold->messages));
        struct fold_message *folded = &fold->messages[fold->count++];
        *folded = (struct fold_message){.record = *record, .position = stored->position};
        struct error error;
        if (!ledger_step(&folded->state, record, &fold->sums, &error))
                wrong(world, 5, message, error.text);
}

// What the log says was done must have been done, and the other way round.
static void fold_truth(struct world *world, const struct fold *fold, const struct record *record, struct message *message) {
        if (fold != world->truth || !message)
                return;
        bool says_done = record->kind == RECORD_ANSWERED || record->kind == RECORD_DELIVERED || record->kind == RECORD_SETTLED;
        if (says_done && !message->done)
                wrong(world, 1, message, "the log says done, and it was not");
        if (record->kind == RECORD_REFUSED && message->done && !message->bare)
                wrong(world, 1, message, "the log says not done, and it was");
}

static void fold_outcome(struct world *world, struct fold *fold, const struct stored *stored) {
        const struct record *record = &stored->record;
        struct message *message = message_of(world, &record->identity);
        struct fold_message *folded = fold_find(fold, record->reference);
        if (!folded) {
                wrong(world, 5, message, "an outcome of nothing");
                return;
        }
        struct error error;
        if (!ledger_step(&folded->state, record, &fold->sums, &error)) {
                wrong(world, 5, message, error.text);
                return;
        }
        folded->attempts = MAX(folded->attempts, record->attempt);
        folded->was_indeterminate |= record->kind == RECORD_INDETERMINATE;
        if (record->kind == RECORD_REFUSED)
                folded->released = true;
        if (!ledger_unsettled(folded->state)) {
                folded->settled_at = stored->position;
                folded->answer = record->kind == RECORD_ANSWERED ? stored->position : folded->position;
        }
        fold_truth(world, fold, record, message);
}

static void fold_apply(struct world *world, struct fold *fold, const struct stored *stored) {
        const struct record *record = &stored->record;
        fold->position = stored->position;
        if (record->kind == RECORD_EPOCH)
                fold_epoch(world, fold, record);
        else if (record->kind == RECORD_LANE_EPOCH)
                fold->lanes[lane_of(&record->lane)].left_async = false;
        else if (record->kind == RECORD_INTENT || record->kind == RECORD_MESSAGE)
                fold_admission(world, fold, stored);
        else if (record->kind != RECORD_REPEAT)
                fold_outcome(world, fold, stored);
}

// ---- the log ----

static void land(struct world *world, struct stored stored) {
        ASSERT(world->record_count < RECORDS_MAX);
        stored.position = ++world->next_position;
        if (stored.offset >= 0)
                world->durable_offset++;
        world->records[world->record_count++] = stored;
        world_figures.records++;
        fold_apply(world, world->truth, &stored);
        if (world->verbose)
                SAY(world, "log %llu: %s lane %d message %d mode %d", (unsigned long long)stored.position,
                    record_kind_name(stored.record.kind), lane_of(&stored.record.lane), stored.record.identity.bytes[1],
                    stored.record.mode);
}

static bool log_unknown(const struct world *world) {
        return world->append_count && world->appends[0].state == TOLD_UNKNOWN;
}

// The queue is full, the log is broken, or the runtime knows that it would be in vain: the submission ends at once, before those
// that were submitted earlier.
static bool refuses(struct world *world, int64_t offset) {
        return log_unknown(world) || world->now_ns < world->broken_until || (offset >= 0 && world->topic_failed) ||
               (!world->quiet && chance(world, 1));
}

static void op_append(void *user, struct shard_append *append, const struct record *record, struct bytes body, int64_t offset) {
        struct world *world = user;
        (void)body;
        if (refuses(world, offset)) {
                world_figures.failed_appends++;
                SAY(world, "log: %s refused", record_kind_name(record->kind));
                ASSERT(world->refused_count < APPENDS_MAX);
                if (append)
                        world->refused[world->refused_count++] = append;
                return;
        }
        ASSERT(world->append_count < APPENDS_MAX);
        if (offset >= 0)
                world->submitted_offset = offset + 1;
        world->appends[world->append_count++] = (struct submission){
                .append = append, .stored = {.record = *record, .offset = offset}};
        if (world->append_count == 1)
                world->append_at = world->now_ns + 100000 + below(world, 2 * MS);
}

static void tell_refused(struct world *world) {
        struct shard_append *refused[APPENDS_MAX];
        size_t count = world->refused_count;
        memcpy(refused, world->refused, count * sizeof *refused);
        world->refused_count = 0;
        for (size_t i = 0; i < count; i++)
                shard_appended(world->shard, refused[i], APPEND_FAILED, 0);
}

static int64_t op_next_offset(void *user) {
        return ((struct world *)user)->submitted_offset;
}

static bool topic_under_way(const struct world *world) {
        for (size_t i = 0; i < world->append_count; i++)
                if (world->appends[i].stored.offset >= 0)
                        return true;
        return false;
}

// The first submission has ended.
static void tell_first(struct world *world, enum append_result result) {
        struct submission first = world->appends[0];
        memmove(world->appends, world->appends + 1, --world->append_count * sizeof *world->appends);
        world->append_at = world->now_ns + (chance(world, 70) ? 0 : below(world, 2 * MS));
        if (result == APPEND_FAILED) {
                world_figures.failed_appends++;
                SAY(world, "log: %s failed", record_kind_name(first.stored.record.kind));
                world->topic_failed |= first.stored.offset >= 0;
        }
        if (world->topic_failed && !topic_under_way(world)) {
                world->submitted_offset = world->durable_offset;
                world->topic_failed = false;
        }
        if (first.append)
                shard_appended(world->shard, first.append, result, result == APPEND_DURABLE ? first.stored.position : 0);
}

// Commits a group; with `breaks` the device fails meanwhile: all of it is there, or nothing. Returns how many there are in it.
static size_t commit(struct world *world, bool breaks) {
        size_t most = MIN(1 + below(world, 4), world->append_count), count = 0;
        int64_t next = world->durable_offset;
        bool landed = !breaks || chance(world, 50);
        for (; count < most; count++) {
                struct submission *submission = &world->appends[count];
                if (submission->stored.offset >= 0 && submission->stored.offset != next++)
                        break;
                if (landed) {
                        land(world, submission->stored);
                        submission->stored.position = world->next_position;
                }
                submission->landed = landed;
                submission->state = breaks ? TOLD_UNKNOWN : LANDED;
        }
        return count;
}

// The device has failed: the group is unknown until the log is open again, and what is behind it has failed.
static void break_log(struct world *world, size_t unknown) {
        world->broken_until = world->now_ns + 5 * MS + below(world, 40 * MS);
        struct submission behind[APPENDS_MAX];
        size_t count = world->append_count - unknown;
        memcpy(behind, world->appends + unknown, count * sizeof *behind);
        world->append_count = unknown;
        for (size_t i = 0; i < unknown; i++) {
                world_figures.unknown_appends++;
                SAY(world, "log: %s unknown, landed %d", record_kind_name(world->appends[i].stored.record.kind),
                    world->appends[i].landed);
                if (world->appends[i].append)
                        shard_appended(world->shard, world->appends[i].append, APPEND_UNKNOWN, 0);
        }
        for (size_t i = 0; i < count; i++) {
                world_figures.failed_appends++;
                world->topic_failed |= behind[i].stored.offset >= 0;
                if (behind[i].append)
                        shard_appended(world->shard, behind[i].append, APPEND_FAILED, 0);
        }
        if (world->topic_failed && !topic_under_way(world)) {
                world->submitted_offset = world->durable_offset;
                world->topic_failed = false;
        }
        world->append_at = world->broken_until;
}

// Records land in groups and are told of one by one, a little later: the views may be faster than the owner.
static void log_event(struct world *world) {
        struct submission *first = &world->appends[0];
        if (world->now_ns < world->broken_until)
                world->append_at = world->broken_until;
        else if (first->state != SUBMITTED)
                tell_first(world, first->landed ? APPEND_DURABLE : APPEND_FAILED);
        else if (world->now_ns < world->full_until ||
                 (first->stored.offset >= 0 && first->stored.offset != world->durable_offset))
                tell_first(world, APPEND_FAILED);
        else if (!world->quiet && chance(world, 1))
                break_log(world, commit(world, true));
        else if (commit(world, false))
                world->append_at = world->now_ns + (chance(world, 50) ? 0 : below(world, 3 * MS));
}

static void views_event(struct world *world) {
        size_t steps = 1 + below(world, 20);
        while (steps-- && world->views->position < world->next_position)
                fold_apply(world, world->views, &world->records[world->views->position]);       // position = index + 1
        world->views_at = world->now_ns + below(world, 5 * MS);
        shard_views_passed(world->shard, world->views->position);
}

static enum shard_look op_settled(void *user, const struct hash128 *identity, struct shard_settled *ret) {
        struct world *world = user;
        struct fold *fold = world->views;
        for (size_t i = 0; i < fold->count; i++) {
                struct fold_message *folded = &fold->messages[i];
                if (!hash128_equal(&folded->record.identity, identity) || ledger_unsettled(folded->state) || folded->released)
                        continue;
                *ret = (struct shard_settled){folded->record.body_hash, folded->state == LEDGER_ANSWERED, folded->answer};
                return SHARD_KNOWN;
        }
        return SHARD_NOT_KNOWN;
}

static bool op_lane(void *user, const struct hash128 *lane, uint64_t *ret_last_sequence) {
        struct world *world = user;
        *ret_last_sequence = world->views->lanes[lane_of(lane)].last_sequence;
        return world->quiet || world->restoring || !chance(world, 2);
}

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
        (void)kind;
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
        if (!callers_done(world) || world->append_count || world->refused_count || state.changing || state.waiting || state.parked || state.calls_open ||
            state.in_flight || world->legs || state.mode != world->target || state.lanes_left_async)
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
        world->lanes = 1 + (int)below(world, LANES_MAX);
        world->per_lane = 3 + (int)below(world, 20);
        for (int lane = 0; lane < world->lanes; lane++) {
                world->strides[lane] = chance(world, 50) ? CALLERS : 1;
                for (int i = 0; i < CALLERS; i++)
                        world->callers[lane * CALLERS + i] = (struct lane_caller){
                                .lane = lane, .next = i < world->strides[lane] ? i : world->per_lane, .at = below(world, 5 * MS)};
                for (int number = 0; number < world->per_lane; number++) {
                        struct message *message = &world->messages[lane * world->per_lane + number];
                        *message = (struct message){.lane = lane, .number = number, .poison = chance(world, 2)};
                        message->identity.bytes[0] = (uint8_t)lane, message->identity.bytes[1] = (uint8_t)number;
                        message->identity.bytes[15] = 7, message->body_hash.bytes[0] = 9;
                }
        }
        world->options = (struct shard_options){
                .stream = 1, .recognises = world->recognises, .deadline_ns = 25 * MS, .settle_ms = SETTLE_MS,
                .max_backlog = 1000, .max_in_flight = 1 + below(world, 8), .retry_first_ns = MS, .retry_longest_ns = 20 * MS,
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
