// SPDX-License-Identifier: Apache-2.0
// The owner of a shard, one sentence of DESIGN.md §4 at a time. Its runtime here is a script: the test says what becomes of each
// append and each call. Schedules nobody thinks of are tests/sim's.
#include "gateway/shard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { APPENDS_MAX = 64, REQUESTS_MAX = 16, NONE = -1, SETTLE_MS = 1000, BACKLOG = 8 };

struct appended {
        struct shard_append *append;
        struct record record;
};

static struct runtime {
        struct shard *shard;
        uint64_t now_ns, position, wake_ns;
        int64_t wall_ms, next_offset;
        struct appended appends[APPENDS_MAX];
        size_t first, count;
        unsigned event_flags;           // that op_event sets
        struct shard_message *called;   // the last; all of them, as in a ring:
        struct shard_message *sent[APPENDS_MAX];
        unsigned sent_first;            // that next_sent has not given yet
        enum shard_call call;
        unsigned calls, forwards, steps_back, decisions, repeat_records, repeats;
        int answer;                     // of the last request; NONE: none yet
        enum shard_look look;
        struct shard_settled settled;
        bool blind;                     // the views cannot be read
        struct shard_request *requests[REQUESTS_MAX];
        size_t request_count;
} rt;

static uint64_t op_now(void *user) { return ((struct runtime *)user)->now_ns; }
static int64_t op_wall(void *user) { return ((struct runtime *)user)->wall_ms; }
static uint64_t op_random(void *user) { (void)user; return 0; }
static int64_t op_next_offset(void *user) { return ((struct runtime *)user)->next_offset; }
static void op_append(void *user, struct shard_append *append, const struct record *record, struct bytes body, int64_t offset) {
        struct runtime *runtime = user;
        (void)body;
        runtime->next_offset += offset >= 0;
        runtime->repeat_records += record->kind == RECORD_REPEAT;
        runtime->repeats += record->kind == RECORD_REPEAT ? record->attempt : 0;
        if (append)                     // nobody waits for a REPEAT
                runtime->appends[runtime->count++] = (struct appended){append, *record};
}
static bool op_event(void *user, struct shard_request *request, int64_t offset, struct record *record, struct bytes *ret_body) {
        (void)request, (void)offset;
        record->flags |= ((struct runtime *)user)->event_flags;
        *ret_body = (struct bytes){0};
        return true;
}
static void op_call(void *user, struct shard_message *message, enum shard_call call, struct shard_request *request) {
        struct runtime *runtime = user;
        (void)request;
        runtime->sent[runtime->calls % APPENDS_MAX] = message;
        runtime->called = message, runtime->call = call, runtime->calls++;
}
static void op_forward(void *user, struct shard_request *request) {
        (void)request;
        ((struct runtime *)user)->forwards++;
}
static void op_answer(void *user, struct shard_request *request, enum shard_answer answer, uint64_t position) {
        (void)position;
        (void)request;
        ((struct runtime *)user)->answer = (int)answer;
}
static enum shard_look op_settled(void *user, const struct hash128 *identity, struct shard_settled *ret) {
        struct runtime *runtime = user;
        (void)identity;
        *ret = runtime->settled;
        return runtime->look;
}
static bool op_lane(void *user, const struct hash128 *lane, uint64_t *ret_last_sequence) {
        (void)lane;
        *ret_last_sequence = 0;
        return !((struct runtime *)user)->blind;
}
static void op_forgotten(void *user, const struct hash128 *identity) { (void)user, (void)identity; }
static void op_wake_at(void *user, uint64_t when_ns) { ((struct runtime *)user)->wake_ns = when_ns; }
static void op_stepped_back(void *user) { ((struct runtime *)user)->steps_back++; }
static void op_decided(void *user, uint64_t position, bool done, const char *why) {
        (void)position, (void)why;
        ((struct runtime *)user)->decisions += done;
}

static const struct shard_ops ops = {
        .now_ns = op_now, .wall_ms = op_wall, .random = op_random, .append = op_append, .next_offset = op_next_offset,
        .event = op_event, .call = op_call, .forward = op_forward, .answer = op_answer, .settled = op_settled, .lane = op_lane,
        .forgotten = op_forgotten, .wake_at = op_wake_at, .stepped_back = op_stepped_back, .decided = op_decided,
};

// ---- the script's sentences ----

static void begin_of(bool data, enum lane_mode mode, bool recognises) {
        rt = (struct runtime){.now_ns = 1000000000, .wall_ms = 1795484760123, .answer = NONE};
        struct shard_options options = {
                .data = data, .stream = 1, .recognises = recognises, .deadline_ns = 25000000, .settle_ms = SETTLE_MS,
                .max_backlog = BACKLOG, .max_in_flight = 8, .retry_first_ns = 1000000, .retry_longest_ns = 20000000,
        };
        rt.shard = shard_new(&options, &ops, &rt);
        shard_restore(rt.shard, mode, 1);
        shard_start(rt.shard);
}

static void begin(enum lane_mode mode, bool recognises) {
        begin_of(false, mode, recognises);
}

static void request(uint8_t identity, uint8_t body, uint8_t lane) {
        struct shard_request *new = calloc(1, sizeof *new);
        list_init(&new->link);
        new->identity.bytes[0] = identity, new->body_hash.bytes[0] = body, new->lane.bytes[0] = lane;
        rt.requests[rt.request_count++] = new;
        rt.answer = NONE;
        shard_request(rt.shard, new);
}

// The next record that was submitted is of this kind, and ends so.
static struct record record(enum record_kind kind, enum append_result result) {
        assert_true(rt.first < rt.count);
        struct appended next = rt.appends[rt.first++];
        assert_int_equal(next.record.kind, kind);
        shard_appended(rt.shard, next.append, result, result == APPEND_DURABLE ? ++rt.position : 0);
        shard_check(rt.shard);
        return next.record;
}

static void no_record(void) {
        assert_int_equal(rt.first, rt.count);
}

static void provider(enum call_result result, uint16_t status) {
        struct shard_message *message = rt.called;
        assert_non_null(message);
        rt.called = NULL;
        shard_called(rt.shard, message, &(struct call_outcome){.result = result, .status = status});
        shard_check(rt.shard);
}

static void pass(uint64_t milliseconds) {
        rt.now_ns += milliseconds * 1000000;
        shard_tick(rt.shard);
        shard_check(rt.shard);
}

// One more request as the first.
static void repeat_first(void) {
        list_init(&rt.requests[0]->link);
        rt.answer = NONE;
        shard_request(rt.shard, rt.requests[0]);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
}

static void end(void) {
        shard_check(rt.shard);
        shard_free(rt.shard);
        while (rt.request_count)
                free(rt.requests[--rt.request_count]);
}

// ---- calls ----

static void a_plain_call_is_forwarded_and_nothing_is_written(void **unused) {
        (void)unused;
        begin(LANE_PLAIN, false);
        request(1, 1, 1);
        assert_int_equal(rt.forwards, 1);
        no_record();
        end();
}

static void a_recorded_call_is_made_after_its_intent_and_keeps_its_status(void **unused) {
        (void)unused;
        begin(LANE_RECORD, false);
        request(1, 1, 1);
        assert_int_equal(rt.calls, 0);
        record(RECORD_INTENT, APPEND_DURABLE);
        assert_int_equal(rt.calls, 1);
        provider(CALL_DONE, 201);
        assert_int_equal(rt.answer, SHARD_RESPONSE);
        assert_int_equal(record(RECORD_ANSWERED, APPEND_DURABLE).status, 201);
        request(1, 1, 1);
        assert_int_equal(rt.answer, SHARD_STORED);
        request(1, 2, 1);
        assert_int_equal(rt.answer, SHARD_OTHER_BODY);
        assert_int_equal(rt.calls, 1);
        end();
}

static void what_a_first_repeat_is_told(enum call_result result, enum record_kind outcome, bool recognises, int answer, unsigned calls) {
        begin(LANE_RECORD, recognises);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        request(1, 1, 1);
        assert_int_equal(rt.answer, SHARD_IN_PROGRESS);
        provider(result, 500);
        record(outcome, APPEND_DURABLE);
        request(1, 1, 1);
        assert_int_equal(rt.answer, answer);
        assert_int_equal(rt.calls, calls);
        end();
}

// Each row of the table of outcomes, for a call of which a repeat comes
static void a_repeat_is_told_what_the_first_came_to(void **unused) {
        (void)unused;
        what_a_first_repeat_is_told(CALL_DONE, RECORD_ANSWERED, false, SHARD_STORED, 1);
        what_a_first_repeat_is_told(CALL_NOT_DONE, RECORD_REFUSED, false, NONE, 1);     // free again: a new INTENT is under way
        what_a_first_repeat_is_told(CALL_REFUSED, RECORD_REFUSED, true, NONE, 1);
        what_a_first_repeat_is_told(CALL_CONFLICT, RECORD_REFUSED, true, NONE, 1);
        what_a_first_repeat_is_told(CALL_UNKNOWN, RECORD_INDETERMINATE, false, SHARD_UNSETTLED, 1);
        what_a_first_repeat_is_told(CALL_UNKNOWN, RECORD_INDETERMINATE, true, NONE, 2); // it is called again
}

static void a_503_to_a_call_that_is_sent_again_says_nothing(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        provider(CALL_UNKNOWN, 0);
        record(RECORD_INDETERMINATE, APPEND_DURABLE);
        request(1, 1, 1);
        assert_int_equal(rt.call, SHARD_CALL_AGAIN);
        provider(CALL_NOT_DONE, 503);
        assert_int_equal(rt.answer, SHARD_UNSETTLED);
        no_record();
        request(1, 1, 1);
        provider(CALL_DONE, 200);
        assert_int_equal(rt.answer, SHARD_RESPONSE);
        record(RECORD_ANSWERED, APPEND_DURABLE);
        end();
}

static void a_failing_log_makes_recorded_calls_plain(void **unused) {
        (void)unused;
        begin(LANE_RECORD, false);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_FAILED);
        assert_int_equal(rt.forwards, 1);
        assert_int_equal(rt.steps_back, 1);
        request(2, 1, 1);
        assert_int_equal(rt.forwards, 2);
        no_record();
        end();
}

// ---- messages ----

static void a_message_is_accepted_once_durable_and_delivered_in_order(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        request(2, 1, 1);                               // waits for the first one's append
        assert_int_equal(rt.answer, NONE);
        assert_int_equal(record(RECORD_MESSAGE, APPEND_DURABLE).sequence, 1);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
        assert_int_equal(record(RECORD_MESSAGE, APPEND_DURABLE).sequence, 2);
        assert_int_equal(rt.calls, 1);                  // one at a time
        provider(CALL_DONE, 200);
        record(RECORD_DELIVERED, APPEND_DURABLE);
        assert_int_equal(rt.calls, 2);
        request(1, 1, 1);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);    // the receipt again
        assert_int_equal(rt.calls, 2);
        end();
}

static void a_failing_log_accepts_no_message(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_FAILED);
        assert_int_equal(rt.answer, SHARD_LOG_UNAVAILABLE);
        request(1, 1, 1);
        assert_int_equal(record(RECORD_MESSAGE, APPEND_DURABLE).sequence, 1);           // no gap
        end();
}

static void an_unknown_append_holds_its_lane_until_it_is_read_back(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        struct shard_append *append = rt.appends[rt.first].append;
        record(RECORD_MESSAGE, APPEND_UNKNOWN);
        assert_int_equal(rt.answer, SHARD_LOG_UNKNOWN);
        request(2, 1, 1);
        assert_int_equal(rt.answer, SHARD_LOG_UNKNOWN);
        request(3, 1, 2);                               // another lane goes on
        assert_int_equal(record(RECORD_MESSAGE, APPEND_DURABLE).sequence, 1);
        shard_appended(rt.shard, append, APPEND_DURABLE, ++rt.position);
        request(1, 1, 1);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
        end();
}

static void without_recognition_an_attempt_is_recorded_first_and_a_timeout_parks(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, false);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        assert_int_equal(rt.calls, 0);
        record(RECORD_ATTEMPT, APPEND_DURABLE);
        provider(CALL_UNKNOWN, 0);
        record(RECORD_PARKED, APPEND_DURABLE);
        rt.wall_ms += 3600000;                          // somebody sets the clock: that is no time that has passed
        struct error error;
        assert_false(shard_decide(rt.shard, 1, RECORD_SETTLED, &error));
        assert_int_equal(error.code, ERROR_CONFLICT);
        rt.wall_ms -= 7200000;
        pass(SETTLE_MS);
        assert_true(shard_decide(rt.shard, 1, RECORD_SETTLED, &error));
        record(RECORD_SETTLED, APPEND_DURABLE);
        assert_int_equal(rt.decisions, 1);
        end();
}

static void a_refusal_parks_after_three_attempts_and_holds_its_lane(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        request(2, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        for (int attempt = 1; attempt <= SHARD_REFUSALS_TO_PARK; attempt++) {
                assert_int_equal(rt.calls, attempt);
                provider(CALL_REFUSED, 422);
                pass(100);
        }
        record(RECORD_PARKED, APPEND_DURABLE);
        pass(100);
        assert_int_equal(rt.calls, SHARD_REFUSALS_TO_PARK);
        struct error error;
        assert_true(shard_decide(rt.shard, 1, RECORD_DISCARDED, &error));
        record(RECORD_DISCARDED, APPEND_DURABLE);
        assert_int_equal(shard_message_position(rt.called), 2);
        end();
}

static void an_attempt_whose_record_lands_during_a_pause_is_not_made(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, false);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        shard_pause(rt.shard, true);
        record(RECORD_ATTEMPT, APPEND_DURABLE);
        assert_int_equal(rt.calls, 0);
        assert_int_equal(record(RECORD_NOT_DONE, APPEND_DURABLE).attempt, 1);
        pass(1000);
        assert_int_equal(rt.calls, 0);
        no_record();
        shard_pause(rt.shard, false);
        assert_int_equal(record(RECORD_ATTEMPT, APPEND_DURABLE).attempt, 2);
        assert_int_equal(rt.calls, 1);
        provider(CALL_DONE, 200);
        record(RECORD_DELIVERED, APPEND_DURABLE);
        end();
}

static void an_indeterminate_call_is_not_sent_again_during_a_pause(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        provider(CALL_UNKNOWN, 0);
        record(RECORD_INDETERMINATE, APPEND_DURABLE);
        shard_pause(rt.shard, true);
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_ASYNC, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        assert_int_equal(rt.calls, 1);
        shard_pause(rt.shard, false);
        assert_int_equal(rt.calls, 2);
        assert_int_equal(rt.call, SHARD_CALL_AGAIN);
        end();
}

// The next message that is sent to the provider, oldest first; time passes until there is one.
static struct shard_message *next_sent(void) {
        for (int i = 0; i < 100 && rt.sent_first == rt.calls; i++)
                pass(1);
        assert_true(rt.sent_first < rt.calls);
        return rt.sent[rt.sent_first++ % APPENDS_MAX];
}

static void refuse(struct shard_message *message, enum call_result result) {
        rt.called = message;
        provider(result, result == CALL_REFUSED ? 422 : 503);
}

static void two_lanes_of_poison_and_nothing_else_park_after_ten_refusals(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        for (uint8_t lane = 1; lane <= 2; lane++) {
                request(lane, 1, lane);
                record(RECORD_MESSAGE, APPEND_DURABLE);
        }
        unsigned refusals[3] = {0}, parked = 0;
        while (parked < 2) {
                struct shard_message *message = next_sent();
                unsigned refused = ++refusals[shard_message_position(message)];
                assert_true(refused <= SHARD_REFUSALS_AT_MOST);
                refuse(message, CALL_REFUSED);
                if (rt.first == rt.count)
                        continue;
                record(RECORD_PARKED, APPEND_DURABLE);
                parked++;
                assert_int_equal(refused, SHARD_REFUSALS_AT_MOST);
        }
        end();
}

static void what_was_not_executed_parks_nothing(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        for (int attempt = 0; attempt < 3 * SHARD_REFUSALS_AT_MOST; attempt++)
                refuse(next_sent(), attempt % 2 ? CALL_CONFLICT : CALL_NOT_DONE);       // (a 409 to what was sent before)
        for (int refusal = 1; refusal < SHARD_REFUSALS_TO_PARK; refusal++)              // … and does not count among refusals
                refuse(next_sent(), CALL_REFUSED);
        no_record();
        refuse(next_sent(), CALL_REFUSED);
        record(RECORD_PARKED, APPEND_DURABLE);
        end();
}

static bool goes_at_once_after(enum call_result failures) {
        begin(LANE_ASYNC, true);
        for (uint8_t lane = 1; lane <= SHARD_FAILING_LANES; lane++) {
                request(lane, 1, lane);
                record(RECORD_MESSAGE, APPEND_DURABLE);
        }
        for (int lane = 1; lane <= SHARD_FAILING_LANES; lane++)
                refuse(next_sent(), failures);
        struct shard_state state;
        shard_state(rt.shard, &state);
        assert_true(state.provider_fails);
        unsigned before = rt.calls;
        request(100, 1, 100);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        bool at_once = rt.calls > before;
        end();
        return at_once;
}

// A provider that refuses answers, and may be refusing the messages: another lane finds out at once.
static void lanes_of_poison_do_not_keep_others_waiting_but_a_provider_that_is_away_does(void **unused) {
        (void)unused;
        assert_true(goes_at_once_after(CALL_REFUSED));
        assert_false(goes_at_once_after(CALL_NOT_DONE));
}

static void max_backlog_counts_what_the_views_have_not_passed(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        for (uint8_t i = 1; i <= BACKLOG; i++) {
                request(i, 1, i);
                record(RECORD_MESSAGE, APPEND_DURABLE);
                provider(CALL_DONE, 200);
                record(RECORD_DELIVERED, APPEND_DURABLE);
        }
        request(BACKLOG + 1, 1, BACKLOG + 1);
        assert_int_equal(rt.answer, SHARD_BACKLOG_FULL);
        shard_views_passed(rt.shard, rt.position);
        request(BACKLOG + 1, 1, BACKLOG + 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
        end();
}

static void repeats_cost_the_log_a_record_a_second(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        rt.now_ns *= 1000;
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        unsigned sent = 0;
        for (int i = 0; i < 3; i++, sent++)
                repeat_first();
        assert_int_equal(rt.repeat_records, 3);         // few of them have a record each
        for (int second = 0; second < 10; second++, pass(1000))
                for (int i = 0; i < 1000; i++, sent++)
                        repeat_first();
        assert_in_range(rt.repeat_records, 10, 32 + 10);
        assert_int_equal(rt.repeats, sent);             // each is counted
        for (int i = 0; i < 100; i++, sent++)
                repeat_first();
        assert_true(rt.repeats < sent);
        shard_pause(rt.shard, true);                    // as commute ends
        assert_int_equal(rt.repeats, sent);
        end();
}

static void recorded_calls_that_pile_up_go_plain(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        for (uint8_t i = 1; i <= BACKLOG; i++) {
                request(i, 1, i);
                record(RECORD_INTENT, APPEND_DURABLE);  // the provider answers none of them
        }
        assert_int_equal(rt.forwards + rt.steps_back, 0);
        request(BACKLOG + 1, 1, 1);
        assert_int_equal(rt.forwards, 1);
        assert_int_equal(rt.steps_back, 1);
        assert_int_equal(shard_mode(rt.shard), LANE_PLAIN);
        for (unsigned i = 0; i < BACKLOG; i++)          // what has a record is ended with one
                refuse(next_sent(), CALL_DONE), record(RECORD_ANSWERED, APPEND_DURABLE);
        pass(20);
        record(RECORD_EPOCH, APPEND_DURABLE);
        end();
}

static void a_backlog_of_messages_makes_no_call_go_plain(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        for (uint8_t i = 1; i <= BACKLOG; i++) {
                request(i, 1, 1);
                record(RECORD_MESSAGE, APPEND_DURABLE);
        }
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_RECORD, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        request(100, 1, 100);                           // a lane without a backlog is sync at once, with records
        assert_int_equal(rt.forwards + rt.steps_back, 0);
        record(RECORD_INTENT, APPEND_DURABLE);
        end();
}

static void calls_do_not_wait_for_a_slow_log_for_longer_than_a_second(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        request(1, 1, 1);
        pass(999);
        request(2, 1, 2);
        assert_int_equal(rt.forwards, 0);
        pass(1);
        request(3, 1, 3);
        assert_int_equal(rt.forwards, 1);
        assert_int_equal(rt.steps_back, 1);
        record(RECORD_INTENT, APPEND_DURABLE);          // those before it are made once theirs is durable
        record(RECORD_INTENT, APPEND_DURABLE);
        assert_int_equal(rt.calls, 2);
        end();
}

static void nothing_is_admitted_while_the_views_cannot_be_read(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        rt.look = SHARD_CANNOT_LOOK;
        request(1, 1, 1);
        assert_int_equal(rt.answer, SHARD_LOG_UNAVAILABLE);
        no_record();
        end();
        begin(LANE_ASYNC, true);
        rt.blind = true;
        request(1, 1, 1);
        assert_int_equal(rt.answer, SHARD_LOG_UNAVAILABLE);
        no_record();
        end();
}

// ---- switches ----

static void a_switch_holds_its_lanes_until_its_record_is_durable(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        struct shard_message *call = rt.called;
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_ASYNC, &error));
        request(2, 1, 1);
        assert_int_equal(rt.answer, NONE);
        record(RECORD_EPOCH, APPEND_DURABLE);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
        assert_int_equal(rt.calls, 1);                  // not delivered while the older call has no outcome
        rt.called = call;
        provider(CALL_DONE, 200);
        record(RECORD_ANSWERED, APPEND_DURABLE);
        assert_int_equal(rt.call, SHARD_DELIVERY);
        end();
}

static void a_lane_with_a_backlog_stays_async_until_it_is_drained(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_RECORD, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        struct shard_state state;
        shard_state(rt.shard, &state);
        assert_int_equal(state.lanes_left_async, 1);
        request(2, 1, 2);                               // another lane is sync already
        record(RECORD_INTENT, APPEND_DURABLE);
        assert_int_equal(rt.call, SHARD_CALL);
        end();
}

static void a_log_that_refuses_at_once_is_not_asked_in_a_circle(void **unused) {
        (void)unused;
        begin(LANE_ASYNC, true);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_RECORD, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        provider(CALL_DONE, 200);
        record(RECORD_DELIVERED, APPEND_DURABLE);
        record(RECORD_LANE_EPOCH, APPEND_FAILED);
        no_record();
        pass(30);
        record(RECORD_LANE_EPOCH, APPEND_DURABLE);
        request(2, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        end();
}

static void callers_do_not_wait_for_a_log_that_hangs(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_ASYNC, &error));
        request(1, 1, 1);
        pass(999);
        assert_int_equal(rt.answer, NONE);
        pass(1);
        assert_int_equal(rt.answer, SHARD_LOG_UNKNOWN);
        request(2, 1, 2);                               // who comes later does not wait at all, and is not forwarded either
        assert_int_equal(rt.answer, SHARD_LOG_UNKNOWN);
        assert_int_equal(rt.forwards + rt.calls, 0);
        record(RECORD_EPOCH, APPEND_DURABLE);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
        assert_true(shard_switch(rt.shard, LANE_RECORD, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        provider(CALL_DONE, 200);
        record(RECORD_DELIVERED, APPEND_DURABLE);       // the lane's own LANE_EPOCH is under way now
        request(2, 1, 1);
        pass(999);
        assert_int_equal(rt.answer, NONE);
        pass(1);
        assert_int_equal(rt.answer, SHARD_LOG_UNKNOWN);
        record(RECORD_LANE_EPOCH, APPEND_DURABLE);
        request(2, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        end();
}

static void lanes_of_requests_that_were_not_taken_are_not_kept(void **unused) {
        (void)unused;
        begin(LANE_RECORD, true);
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_ASYNC, &error));
        pass(1000);                                     // the log does not say what became of it
        for (uint8_t i = 1; i <= 10; i++) {
                request(i, 1, i);
                assert_int_equal(rt.answer, SHARD_LOG_UNKNOWN);
        }
        struct shard_state state;
        shard_state(rt.shard, &state);
        assert_int_equal(state.lanes, 0);
        record(RECORD_EPOCH, APPEND_DURABLE);
        end();
}

static void a_shard_is_quiet_when_nothing_is_remembered(void **unused) {
        (void)unused;
        begin(LANE_PLAIN, true);
        assert_true(shard_quiet(rt.shard));
        struct error error;
        assert_true(shard_switch(rt.shard, LANE_RECORD, &error));
        assert_false(shard_quiet(rt.shard));
        record(RECORD_EPOCH, APPEND_DURABLE);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_DURABLE);
        provider(CALL_DONE, 200);
        record(RECORD_ANSWERED, APPEND_DURABLE);
        assert_true(shard_switch(rt.shard, LANE_PLAIN, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        assert_false(shard_quiet(rt.shard));            // the views do not know of the call yet
        shard_views_passed(rt.shard, rt.position);
        assert_true(shard_quiet(rt.shard));
        end();
        begin(LANE_RECORD, true);
        request(1, 1, 1);
        record(RECORD_INTENT, APPEND_FAILED);
        assert_int_equal(shard_mode(rt.shard), LANE_PLAIN);
        assert_false(shard_quiet(rt.shard));            // plain in memory alone
        pass(20);
        record(RECORD_EPOCH, APPEND_DURABLE);
        assert_true(shard_quiet(rt.shard));
        end();
}

// ---- data communications: messages are upserts ----

static void data_is_not_captured_while_plain_and_delivered_in_every_other_mode(void **unused) {
        (void)unused;
        struct error error;
        begin_of(true, LANE_PLAIN, true);
        request(1, 1, 1);
        assert_int_equal(rt.forwards, 1);
        assert_false(shard_switch(rt.shard, LANE_ASYNC, &error));
        assert_true(shard_switch(rt.shard, LANE_RECORD, &error));
        assert_int_equal(record(RECORD_EPOCH, APPEND_DURABLE).flags, RECORD_UPSERT);
        uint64_t since = rt.position;
        assert_int_equal(shard_since(rt.shard), since);
        request(2, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        assert_int_equal(rt.answer, SHARD_ACCEPTED);
        assert_int_equal(rt.call, SHARD_DELIVERY);
        static const enum lane_mode modes[] = {LANE_ASYNC, LANE_PUSH, LANE_ASYNC, LANE_RECORD};
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
                assert_true(shard_switch(rt.shard, modes[i], &error));
                record(RECORD_EPOCH, APPEND_DURABLE);
                assert_int_equal(shard_mode(rt.shard), modes[i]);
        }
        struct shard_state state;
        shard_state(rt.shard, &state);
        assert_int_equal(state.lanes_left_async, 0);    // though one has a message at the reader
        assert_int_equal(state.since, since);
        assert_true(shard_switch(rt.shard, LANE_PLAIN, &error));
        record(RECORD_EPOCH, APPEND_DURABLE);
        provider(CALL_NOT_DONE, 503);
        pass(50);
        provider(CALL_DONE, 200);                       // what was captured is delivered all the same
        record(RECORD_DELIVERED, APPEND_DURABLE);
        end();
}

static void a_kept_event_is_settled_by_its_own_record(void **unused) {
        (void)unused;
        begin_of(true, LANE_ASYNC, false);
        rt.event_flags = RECORD_UPSERT | RECORD_KEPT;
        for (uint8_t i = 1; i <= BACKLOG; i++) {
                request(i, 1, 1);
                assert_int_equal(record(RECORD_MESSAGE, APPEND_DURABLE).sequence, i);
                assert_int_equal(rt.answer, SHARD_ACCEPTED);
        }
        assert_int_equal(rt.calls, 0);
        struct shard_state state;
        shard_state(rt.shard, &state);
        assert_int_equal(state.waiting, 0);
        no_record();
        end();
}

static void a_delivery_of_data_that_nobody_knows_of_sleeps_and_never_parks(void **unused) {
        (void)unused;
        begin_of(true, LANE_ASYNC, false);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        no_record();                                    // no ATTEMPT: it may be repeated
        for (int i = 0; i < 12; i++) {
                provider(CALL_UNKNOWN, 0);
                if (i == 0)
                        record(RECORD_INDETERMINATE, APPEND_DURABLE);
                pass(SETTLE_MS - 1);
                assert_null(rt.called);
                pass(1);
                assert_non_null(rt.called);
        }
        provider(CALL_CONFLICT, 409);                   // the reader is at it
        pass(50);
        provider(CALL_DONE, 200);
        record(RECORD_DELIVERED, APPEND_DURABLE);
        no_record();
        end();
}

static void a_reader_that_recognises_repeats_gets_it_again_at_once(void **unused) {
        (void)unused;
        begin_of(true, LANE_ASYNC, true);
        request(1, 1, 1);
        record(RECORD_MESSAGE, APPEND_DURABLE);
        provider(CALL_UNKNOWN, 0);
        record(RECORD_INDETERMINATE, APPEND_DURABLE);
        pass(5);
        assert_non_null(rt.called);
        end();
}

static void what_a_predecessor_was_delivering_cannot_overtake(void **unused) {
        (void)unused;
        rt = (struct runtime){.now_ns = 1000000000, .wall_ms = 1795484760123, .answer = NONE};
        struct shard_options options = {
                .data = true, .stream = 1, .deadline_ns = 25000000, .settle_ms = SETTLE_MS, .max_backlog = BACKLOG, .max_in_flight = 8,
                .retry_first_ns = 1000000, .retry_longest_ns = 20000000,
        };
        rt.shard = shard_new(&options, &ops, &rt);
        shard_restore(rt.shard, LANE_ASYNC, 1);
        struct shard_unsettled unsettled = {.position = 5, .state = UNSETTLED_WAITING, .sequence = 1, .identity.bytes[0] = 1};
        shard_restore_message(rt.shard, &unsettled);
        shard_start(rt.shard);
        assert_null(rt.called);
        pass(SETTLE_MS - 1);
        assert_null(rt.called);
        pass(1);
        assert_non_null(rt.called);
        no_record();
        end();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_call_is_forwarded_and_nothing_is_written),
                cmocka_unit_test(a_recorded_call_is_made_after_its_intent_and_keeps_its_status),
                cmocka_unit_test(a_repeat_is_told_what_the_first_came_to),
                cmocka_unit_test(a_503_to_a_call_that_is_sent_again_says_nothing),
                cmocka_unit_test(a_failing_log_makes_recorded_calls_plain),
                cmocka_unit_test(a_message_is_accepted_once_durable_and_delivered_in_order),
                cmocka_unit_test(a_failing_log_accepts_no_message),
                cmocka_unit_test(an_unknown_append_holds_its_lane_until_it_is_read_back),
                cmocka_unit_test(without_recognition_an_attempt_is_recorded_first_and_a_timeout_parks),
                cmocka_unit_test(a_refusal_parks_after_three_attempts_and_holds_its_lane),
                cmocka_unit_test(an_attempt_whose_record_lands_during_a_pause_is_not_made),
                cmocka_unit_test(an_indeterminate_call_is_not_sent_again_during_a_pause),
                cmocka_unit_test(two_lanes_of_poison_and_nothing_else_park_after_ten_refusals),
                cmocka_unit_test(what_was_not_executed_parks_nothing),
                cmocka_unit_test(lanes_of_poison_do_not_keep_others_waiting_but_a_provider_that_is_away_does),
                cmocka_unit_test(max_backlog_counts_what_the_views_have_not_passed),
                cmocka_unit_test(repeats_cost_the_log_a_record_a_second),
                cmocka_unit_test(recorded_calls_that_pile_up_go_plain),
                cmocka_unit_test(a_backlog_of_messages_makes_no_call_go_plain),
                cmocka_unit_test(calls_do_not_wait_for_a_slow_log_for_longer_than_a_second),
                cmocka_unit_test(nothing_is_admitted_while_the_views_cannot_be_read),
                cmocka_unit_test(a_switch_holds_its_lanes_until_its_record_is_durable),
                cmocka_unit_test(a_lane_with_a_backlog_stays_async_until_it_is_drained),
                cmocka_unit_test(a_log_that_refuses_at_once_is_not_asked_in_a_circle),
                cmocka_unit_test(callers_do_not_wait_for_a_log_that_hangs),
                cmocka_unit_test(lanes_of_requests_that_were_not_taken_are_not_kept),
                cmocka_unit_test(a_shard_is_quiet_when_nothing_is_remembered),
                cmocka_unit_test(data_is_not_captured_while_plain_and_delivered_in_every_other_mode),
                cmocka_unit_test(a_kept_event_is_settled_by_its_own_record),
                cmocka_unit_test(a_delivery_of_data_that_nobody_knows_of_sleeps_and_never_parks),
                cmocka_unit_test(a_reader_that_recognises_repeats_gets_it_again_at_once),
                cmocka_unit_test(what_a_predecessor_was_delivering_cannot_overtake),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
