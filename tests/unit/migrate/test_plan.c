// SPDX-License-Identifier: Apache-2.0
// Plans: what they say, and that they change nothing.
#include "fake.h"

struct planned {
        struct migrate_plan plan;
        bool done;
        struct error error;
        struct arena arena;
        const struct json *root;
};

static void plan_done(struct migrate_plan *plan, const struct error *error) {
        struct planned *planned = plan->user;
        planned->done = true;
        planned->error = error ? *error : (struct error){0};
        if (!error)
                assert_true(json_parse(buffer_bytes(&plan->out), NULL, &planned->arena, &planned->root, NULL));
}

static void plan(struct fake *fake, enum model_mode to, struct planned *planned) {
        *planned = (struct planned){.plan = {.communication = fake->communication, .to = to, .done = plan_done, .user = planned}};
        migrate_plan(fake->migrate, &planned->plan);
        fake_run(fake);
        assert_true(planned->done);
}

static void planned_free(struct planned *planned) {
        buffer_free(&planned->plan.out);
        arena_free(&planned->arena);
}

static struct bytes member(const struct planned *planned, size_t step, const char *name) {
        const struct json *value = json_get_text(json_at(json_get_text(planned->root, "steps"), step), name);
        return json_is(value, JSON_STRING) ? json_text(value) : (struct bytes){0};
}

#define assert_member(planned, step, name, wanted)                                                              \
        do {                                                                                                    \
                struct bytes got_ = member(planned, step, name);                                                \
                if (!bytes_equal(got_, bytes_of(wanted)))                                                       \
                        fail_msg("step %zu, %s: \"%.*s\"", (size_t)(step), name, BYTES_PRINT(got_));            \
        } while (0)

static void tells_every_step_and_changes_nothing(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        struct planned planned;
        plan(fake, MODEL_ASYNC, &planned);
        assert_int_equal(planned.error.code, ERROR_NONE);
        assert_int_equal(json_count(json_get_text(planned.root, "steps")), 7);
        static const char *const verdicts[] = {"pass", "pass", "pass", "pass", "later", "later", "later"};
        for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
                assert_member(&planned, i, "verdict", verdicts[i]);
        assert_true(json_bool(json_get_text(json_at(json_get_text(planned.root, "steps"), 0), "holds")));
        assert_false(json_bool(json_get_text(json_at(json_get_text(planned.root, "steps"), 1), "holds")));
        assert_member(&planned, 1, "sentence", "version 0 of Completed is not registered");
        assert_member(&planned, 2, "sentence", "bonuses answers; bonuses recognises Idempotency-Key: Idempotent-Replayed to the "
                                               "second probe");
        assert_member(&planned, 4, "does", "switches every lane: from one record on, arrivals are appended to completed, answered "
                                           "with 202, and delivered to bonuses in order");
        assert_true(json_text(json_get_text(planned.root, "indeterminate")).size > 0);
        assert_true(json_text(json_get_text(planned.root, "not_observable")).size > 0);
        assert_int_equal(fake->record_count, 0);
        assert_int_equal(fake->registered, 0);
        assert_int_equal(fake->orders[GATEWAY_SWITCH] + fake->orders[GATEWAY_SHADOW], 0);
        assert_false(fake->polling);
        planned_free(&planned);
        fake_free(fake);
}

static void tells_what_holds_already(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        struct planned planned;
        fake->registered = 1;
        fake->answers = false;
        plan(fake, MODEL_ASYNC, &planned);
        assert_true(json_bool(json_get_text(json_at(json_get_text(planned.root, "steps"), 1), "holds")));
        assert_member(&planned, 2, "verdict", "wait");
        assert_member(&planned, 2, "sentence", "bonuses is away");
        planned_free(&planned);
        fake_free(fake);
}

static void tells_the_way_to_sync(void **test) {
        (void)test;
        struct fake *fake = fake_new("none");
        struct planned planned;
        fake->gateway.mode = LANE_ASYNC;
        plan(fake, MODEL_SYNC, &planned);
        assert_int_equal(json_count(json_get_text(planned.root, "steps")), 6);
        assert_member(&planned, 2, "verdict", "pass");
        assert_member(&planned, 3, "verdict", "later");
        struct bytes means = json_text(json_get_text(planned.root, "indeterminate"));
        assert_true(bytes_starts_with(means, BYTES("bonuses recognises no identities")));
        planned_free(&planned);
        fake_free(fake);
}

static void refuses_what_is_impossible(void **test) {
        (void)test;
        struct fake *fake = fake_new(FAKE_PROBED);
        struct planned planned;
        plan(fake, MODEL_SYNC, &planned);
        assert_int_equal(planned.error.code, ERROR_CONFLICT);
        planned_free(&planned);
        plan(fake, MODEL_PUSH, &planned);
        assert_int_equal(planned.error.code, ERROR_UNSUPPORTED);
        planned_free(&planned);
        fake_free(fake);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tells_every_step_and_changes_nothing),
                cmocka_unit_test(tells_what_holds_already),
                cmocka_unit_test(tells_the_way_to_sync),
                cmocka_unit_test(refuses_what_is_impossible),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
