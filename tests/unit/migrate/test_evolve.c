// SPDX-License-Identifier: Apache-2.0
// The table of event versions against a scripted world: there, back, through kill -9, and each situation in which letting the old
// version go would lose something.
#include "fake.h"

static void write_in(const struct fake *fake, const char *name, const char *text) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", fake->folder, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
}

static const char config[] =
        "services:\n  tasks: {url: \"http://127.0.0.1:1\"}\n  portal: {url: \"http://127.0.0.1:2\"}\n"
        "events:\n  Task:\n    from: tasks\n    topic: tasks\n    schemas: \"Task.v*.json\"\n    key: /id\n"
        "    capture: [\"PUT /tasks/{id}\"]\n    read: GET /tasks/{id}\n    owner: stays\n"
        "    versions: {1: {up: {id: $event/id, area: none}, down: {id: $event/id}}}\n"
        "communications:\n  COMM-020:\n    data: tasks -> portal\n    initially: async\n    pull: GET /tasks/{id}\n"
        "    async: {event: Task, keep: portal, deliver: \"PUT /cards/{id}\", reads: [0, 1]}\n"
        "  COMM-040: {functional: tasks -> portal, initially: sync, call: POST /x}\n";

// The configuration with the first `find` replaced; NULL: as it is.
static struct fake *evolve_with(const char *find, const char *replace) {
        struct buffer CLEANUP(buffer_free) text = {0};
        const char *there = find ? strstr(config, find) : config;
        assert_non_null(there);
        buffer_append(&text, (struct bytes){config, (size_t)(there - config)});
        if (find)
                buffer_append(&text, bytes_of(replace));
        buffer_append(&text, bytes_of(find ? there + strlen(find) : config));
        struct fake *fake = must_calloc(1, sizeof *fake);
        char path[128];
        struct error error;
        snprintf(fake->folder, sizeof fake->folder, "/tmp/commute-evolve-XXXXXX");
        assert_non_null(mkdtemp(fake->folder));
        write_in(fake, "Task.v0.json", "{\"type\": \"object\"}");
        write_in(fake, "Task.v1.json", "{\"type\": \"object\", \"required\": [\"area\"]}");
        snprintf(path, sizeof path, "%s/commute.yaml", fake->folder);
        if (!model_parse(path, buffer_bytes(&text), &fake->model, NULL, &error))
                fail_msg("%s", error.text);
        fake->communication = model_communication_find(fake->model, BYTES("COMM-020"));
        fake->now_ms = 1000000;
        fake->gateway.mode = LANE_ASYNC;
        fake->answers = true;
        fake->usage = (struct migrate_usage){.partition_count = 2, .log_end = 100, .views_position = 100, .written_old = 5, .last_old = 90};
        fake_boot(fake);
        migrate_start(fake->migrate);
        return fake;
}

static struct fake *evolve_new(void) {
        return evolve_with(NULL, NULL);
}

static void evolve_free(struct fake *fake) {
        char path[128];
        snprintf(path, sizeof path, "%s/Task.v0.json", fake->folder);
        unlink(path);
        snprintf(path, sizeof path, "%s/Task.v1.json", fake->folder);
        unlink(path);
        fake_free(fake);
}

static const struct model_event *event_of(const struct fake *fake) {
        return model_event_find(fake->model, BYTES("Task"));
}

static struct migration *move_of(const struct fake *fake) {
        return migration_of_event(fake->migrate, event_of(fake));
}

static void order(struct fake *fake, enum migrate_order what, unsigned version, bool automatic) {
        struct migrate_request *request = must_calloc(1, sizeof *request);
        *request = (struct migrate_request){
                .order = what, .event = event_of(fake), .version = version, .automatic = automatic, .done = fake_done, .user = fake,
        };
        fake->answered = false;
        migrate_give(fake->migrate, request);
        fake_run(fake);
        assert_true(fake->answered);
}

// A second passes, with traffic of the new version if that is emitted.
static void pass(struct fake *fake, bool traffic) {
        for (int i = 0; i < 6; i++) {
                if (traffic && fake->emitted == 1) {
                        fake->usage.written_new++;
                        fake->usage.last_new = ++fake->usage.log_end;
                        fake->usage.views_position = fake->usage.log_end;
                }
                fake_tick(fake);
        }
}

static const char *step_of(const struct fake *fake) {
        const struct migration_state *now = move_of(fake)->now;
        return now->table->steps[now->step].name;
}

static void until(struct fake *fake, enum migrate_state state, const char *step) {
        for (int i = 0; i < 60; i++) {
                if (move_of(fake)->now->state == state && (!*step || strcmp(step_of(fake), step) == 0))
                        return;
                pass(fake, true);
        }
        fail_msg("it is %s at %s: %s", migrate_state_name(move_of(fake)->now->state), step_of(fake), move_of(fake)->live.sentence);
}

// It stays at the step, and says these words, whatever time passes.
static void blocked(struct fake *fake, const char *step, const char *words) {
        for (int i = 0; i < 10; i++)
                pass(fake, true);
        assert_string_equal(step_of(fake), step);
        char sentence[MIGRATE_SENTENCE_MAX];
        assert_true(migrate_event_sentence(fake->migrate, event_of(fake), sentence));
        if (!strstr(sentence, words))
                fail_msg("\"%s\" is not in \"%s\"", words, sentence);
}

// ---- there and back ----

static void an_event_moves_there_and_back(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        order(fake, MIGRATE_BEGIN, 1, true);
        assert_done(fake);
        until(fake, MIGRATE_DONE, "");
        assert_int_equal(fake->emitted, 1);
        assert_int_equal(fake->refused_below, 1);
        assert_int_equal(fake->registered, 2);
        const struct migrate_evidence *proven = &move_of(fake)->now->evidence[2];
        assert_string_equal(proven->sentence,
                            "12 retained and 200 generated events of version 0 are valid in version 1 "
                            "(in compatibility group 1 of its subject); "
                            "each comes back as it was");
        order(fake, MIGRATE_BEGIN, 1, true);
        assert_refused(fake, ERROR_CONFLICT, "emitted in version 1 already");
        order(fake, MIGRATE_BEGIN, 5, true);
        assert_refused(fake, ERROR_NOT_FOUND, "there is no version 5 of Task");
        order(fake, MIGRATE_BEGIN, 0, true);
        assert_done(fake);
        until(fake, MIGRATE_GATE, "producer");
        assert_int_equal(fake->emitted, 0);
        assert_int_equal(fake->refused_below, 0);
        evolve_free(fake);
}

static void two_commands_at_once_are_refused(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        struct migrate_request *request = must_calloc(1, sizeof *request);
        *request = (struct migrate_request){
                .order = MIGRATE_BEGIN, .event = event_of(fake), .version = 1, .done = fake_done, .user = fake,
        };
        migrate_give(fake->migrate, request);
        struct migrate_request *second = must_calloc(1, sizeof *second);
        *second = *request;
        migrate_give(fake->migrate, second);
        assert_refused(fake, ERROR_CONFLICT, "Task: another command (begin) is under way");
        fake_run(fake);
        order(fake, MIGRATE_BEGIN, 1, true);
        assert_refused(fake, ERROR_CONFLICT, "a migration is under way");
        evolve_free(fake);
}

static void it_goes_on_from_every_record(void **test) {
        (void)test;
        struct fake *whole = evolve_new();
        order(whole, MIGRATE_BEGIN, 1, true);
        until(whole, MIGRATE_DONE, "");
        size_t records = whole->record_count;
        assert_true(records > 8);
        for (size_t last = 0; last < records; last++) {
                struct fake *fake = evolve_new();
                struct error error;
                migrate_free(fake->migrate);
                fake_boot(fake);
                if (!migrate_restore(fake->migrate, BYTES("event/Task"), buffer_bytes(&whole->records[last]), &error))
                        fail_msg("%s", error.text);
                assert_int_equal(fake->emitted, move_of(fake)->now->emitted);
                migrate_start(fake->migrate);
                fake_run(fake);
                until(fake, MIGRATE_DONE, "");
                assert_int_equal(fake->emitted, 1);
                assert_int_equal(fake->refused_below, 1);
                evolve_free(fake);
        }
        evolve_free(whole);
}

static void the_way_back_emits_the_old_version_again(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        fake->usage.parked = 1;
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_ACTING, "drained");
        assert_int_equal(fake->emitted, 1);
        order(fake, MIGRATE_CANCEL, 0, false);
        assert_done(fake);
        until(fake, MIGRATE_CANCELLED, "");
        assert_int_equal(fake->emitted, 0);
        evolve_free(fake);
}

static void what_the_way_back_loses_is_named(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        fake->lossy = 3;
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_DONE, "");
        assert_non_null(strstr(move_of(fake)->now->evidence[2].sentence, "3 of them do not come back as they were: /title"));
        evolve_free(fake);
}

static void an_event_that_does_not_fit_stops_it(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        fake->proof_fails = 2;
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_ACTING, "old-registered");
        blocked(fake, "old-registered", "2 of 12 retained and 0 generated events fail; first: the event at position 7");
        fake->proof_fails = 0;
        until(fake, MIGRATE_DONE, "");
        evolve_free(fake);
}

static void a_mapping_that_is_missing_is_named(void **test) {
        (void)test;
        struct fake *fake = evolve_with("    versions: {1: {up: {id: $event/id, area: none}, down: {id: $event/id}}}\n", "");
        order(fake, MIGRATE_BEGIN, 1, true);
        blocked(fake, "contract", "Task has no mapping to version 1 on the way from 0: write `up` of version 1");
        assert_int_equal(fake->emitted, 0);
        evolve_free(fake);
        fake = evolve_with(", down: {id: $event/id}", "");      // there, and not back
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_DONE, "");
        assert_non_null(strstr(move_of(fake)->now->evidence[0].sentence, "there is none back"));
        order(fake, MIGRATE_BEGIN, 0, true);
        blocked(fake, "contract", "Task has no mapping to version 0 on the way from 1: write `down` of version 1");
        evolve_free(fake);
        fake = evolve_with(", down: {id: $event/id}}}\ncommunications:\n  COMM-020:\n    data: tasks -> portal\n    initially: async\n"
                           "    pull: GET /tasks/{id}\n    async: {event: Task, keep: portal, deliver: \"PUT /cards/{id}\", reads: [0, 1]}",
                           "}}\ncommunications:\n  COMM-020:\n    data: tasks -> portal\n    initially: async\n"
                           "    pull: GET /tasks/{id}\n    async: {event: Task, keep: portal, deliver: \"PUT /cards/{id}\", reads: [0]}");
        order(fake, MIGRATE_BEGIN, 1, true);
        blocked(fake, "consumers", "portal by COMM-020 does not read version 1: it gets version 0, which is made of it; but there is no "
                "mapping to version 0");
        assert_int_equal(fake->emitted, 0);
        evolve_free(fake);
}

static void nothing_is_no_proof(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        fake->nothing = true;
        order(fake, MIGRATE_BEGIN, 1, true);
        blocked(fake, "registered", "nothing is proven: no event is retained, and none could be made up from the contract of version 0");
        assert_int_equal(fake->emitted, 0);
        fake->nothing = false;                          // an event has come
        until(fake, MIGRATE_DONE, "");
        evolve_free(fake);
}

static void what_stays_is_named_in_the_end(void **test) {
        (void)test;
        struct fake *fake = evolve_with("reads: [0, 1]", "reads: [0]");
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_DONE, "");
        const char *said = move_of(fake)->now->evidence[7].sentence;
        assert_non_null(strstr(said, "portal still gets version 0, so that its contract and `down` stay"));
        evolve_free(fake);
        fake = evolve_new();
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_DONE, "");
        said = move_of(fake)->now->evidence[7].sentence;
        assert_non_null(strstr(said, "tasks goes on giving version 0, so that its contract and `up` stay"));
        evolve_free(fake);
}

// ---- what would be lost ----

struct situation {
        const char *name;
        void (*plant)(struct fake *fake);
        void (*mend)(struct fake *fake);
        const char *step, *words;
};

static void plant_slow(struct fake *fake) {
        fake->usage.waiting = 4;
        fake->usage.partitions[1] = (struct migrate_partition){.last_old = 90, .unsettled_old = 4, .first_old = 71};
}
static void plant_parked(struct fake *fake) {
        fake->usage.parked = 1;
        fake->usage.first_parked = 77;
        fake->usage.partitions[0] = (struct migrate_partition){.last_old = 90, .unsettled_old = 1, .first_old = 77};
}
static void plant_retry(struct fake *fake) {
        fake->usage.trying = 2;
}
static void plant_indeterminate(struct fake *fake) {
        fake->usage.indeterminate = 1;
        fake->usage.first_indeterminate = 80;
}
static void plant_copy(struct fake *fake) {
        fake->usage.kept_old = 30;
}
static void plant_unknown(struct fake *fake) {
        fake->usage.unknown = 1;
}
static void mend_usage(struct fake *fake) {
        struct migrate_usage *usage = &fake->usage;
        usage->waiting = usage->parked = usage->trying = usage->indeterminate = usage->kept_old = usage->unknown = 0;
        memset(usage->partitions, 0, sizeof usage->partitions);
}
static void plant_paused(struct fake *fake) {
        plant_slow(fake);
        fake->paused = fake->emitted == 1 && strcmp(step_of(fake), "drained") == 0;
}
static void mend_paused(struct fake *fake) {
        fake->paused = false;
        mend_usage(fake);
}
static void plant_paused_early(struct fake *fake) {
        fake->paused = true;
}
static void plant_failing(struct fake *fake) {
        fake->usage.trying = 1;
        fake->provider_fails = true;
}
static void mend_failing(struct fake *fake) {
        fake->provider_fails = false;
        mend_usage(fake);
}
static void plant_unread(struct fake *fake) {
        fake->unreadable = true;
}
static void mend_unread(struct fake *fake) {
        fake->unreadable = false;
}
static void plant_silent_reader(struct fake *fake) {
        fake->answers = false;
}
static void mend_silent_reader(struct fake *fake) {
        fake->answers = true;
        fake->now_ms += 1000;
}
static void plant_old_producer(struct fake *fake) {
        fake->versions.users[0] = (struct gateway_user){
                .use = GATEWAY_PRODUCES, .name = "nightly by POST /events/Task", .version = 0, .count = 1, .last_ms = fake->now_ms - 3000,
        };
        fake->versions.user_count = 1;
}
static void mend_old_producer(struct fake *fake) {
        fake->versions.users[1] = fake->versions.users[0];
        fake->versions.users[1].version = 1;
        fake->versions.users[1].last_ms = fake->now_ms;
        fake->versions.users[0].others_since = 20;
        fake->versions.user_count = 2;
}
static void plant_mixed_producer(struct fake *fake) {
        plant_old_producer(fake);               // one instance of it has moved, another has not
        fake->versions.users[0].last_ms = fake->now_ms - 1000;
        fake->versions.users[1] = fake->versions.users[0];
        fake->versions.users[1].version = 1;
        fake->versions.users[1].last_ms = fake->now_ms;
        fake->versions.users[0].others_since = 19;
        fake->versions.user_count = 2;
}
static void mend_mixed_producer(struct fake *fake) {
        fake->versions.users[0].others_since = 1;
        fake->versions.users[0].last_ms -= 60000;
}
static void plant_others(struct fake *fake) {
        fake->versions.users[0] = (struct gateway_user){
                .use = GATEWAY_PRODUCES, .name = GATEWAY_OTHERS, .version = 0, .count = 9, .last_ms = fake->now_ms - 3000,
        };
        fake->versions.user_count = 1;
}
static void mend_others(struct fake *fake) {
        fake->versions.user_count = 0;                  // a start
}
static void plant_none_delivered(struct fake *fake) {
        fake->usage.unsettled_new = 1000000;
}
static void mend_none_delivered(struct fake *fake) {
        fake->usage.unsettled_new = 0;
}
static void plant_unregistered(struct fake *fake) {
        fake->register_fails = true;
}
static void mend_unregistered(struct fake *fake) {
        fake->register_fails = false;
}

static const struct situation situations[] = {
        {"a slow consumer", plant_slow, mend_usage, "drained",
         "portal has not passed the old version: 4 waiting; topic/tasks/1 has it up to position 90, and 4 before it are open, from 71 on"},
        {"a parked lane", plant_parked, mend_usage, "drained", "1 parked, the first at position 77 (`commute parked show 77`)"},
        {"a delayed retry", plant_retry, mend_usage, "drained", "2 being delivered or tried again"},
        {"an indeterminate message", plant_indeterminate, mend_usage, "drained",
         "1 of which nobody knows the outcome, the first at position 80"},
        {"a copy with old rows", plant_copy, mend_usage, "drained", "30 rows of commute's copy are of an old version"},
        {"an event of an unknown version", plant_unknown, mend_usage, "drained",
         "1 event of no version that is known is parked or waiting"},
        {"a delivery that is paused", plant_paused_early, mend_paused, "producer", "deliveries of COMM-020 are paused"},
        {"a consumer that fails", plant_failing, mend_failing, "drained", "portal fails, with 1 event of an old version waiting for it"},
        {"views that cannot be read", plant_unread, mend_unread, "producer", "the views cannot be read now"},
        {"a consumer that never reports", plant_silent_reader, mend_silent_reader, "consumers", "bonuses is away"},
        {"a producer of the old version that wakes up", plant_old_producer, mend_old_producer, "old-off",
         "nightly by POST /events/Task sent version 0"},
        {"a producer that has moved in part", plant_mixed_producer, mend_mixed_producer, "old-off",
         "nightly by POST /events/Task sent version 0"},
        {"a producer of the old version among too many to be named", plant_others, mend_others, "old-off", "others sent version 0"},
        {"new events that nobody takes", plant_none_delivered, mend_none_delivered, "producer", "none of them is delivered yet"},
        {"a registry that refuses", plant_unregistered, mend_unregistered, "old-registered", "version 0 of Task cannot be registered"},
};

static void an_owner_that_gives_the_old_version_is_named(void **test) {
        (void)test;
        struct fake *fake = evolve_with("    owner: stays\n", "");
        order(fake, MIGRATE_BEGIN, 1, true);
        blocked(fake, "old-off", "tasks gives version 0 by itself: have it give version 1 and say `produces: 1` of Task, or say "
                "`owner: stays`");
        fake->versions.users[0] = (struct gateway_user){
                .use = GATEWAY_PRODUCES, .name = "tasks by PUT /tasks/{id}", .version = 0, .count = 1, .last_ms = fake->now_ms,
        };
        fake->versions.users[1] = (struct gateway_user){
                .use = GATEWAY_PRODUCES, .name = "x by POST /events/Task", .version = 0, .count = 1, .last_ms = 1, .others_since = 1,
        };
        fake->versions.users[2] = (struct gateway_user){
                .use = GATEWAY_PRODUCES, .name = "x by POST /events/Task", .version = 1, .count = 1, .last_ms = fake->now_ms,
        };
        fake->versions.user_count = 3;
        blocked(fake, "old-off", "tasks gives version 0 by itself (tasks by PUT /tasks/{id}, ");
        evolve_free(fake);
        fake = evolve_new();
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_DONE, "");
        assert_non_null(strstr(move_of(fake)->now->evidence[5].sentence, "; tasks stays at version 0, which is converted"));
        evolve_free(fake);
}

static void nothing_that_would_be_lost_is_let_go(void **test) {
        (void)test;
        for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
                const struct situation *situation = &situations[i];
                struct fake *fake = evolve_new();
                situation->plant(fake);
                order(fake, MIGRATE_BEGIN, 1, true);
                blocked(fake, situation->step, situation->words);
                assert_int_equal(fake->refused_below, 0);
                situation->mend(fake);
                if (fake->register_fails)
                        fail_msg("%s", situation->name);
                until(fake, MIGRATE_DONE, "");
                evolve_free(fake);
        }
}

// These need the step to be reached first.
static void what_comes_up_later_holds_it_as_well(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        plant_slow(fake);
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_ACTING, "drained");
        plant_paused(fake);
        blocked(fake, "drained", "deliveries of COMM-020 are paused, with 4 events of an old version waiting");
        mend_paused(fake);
        fake->usage.views_position = 10;
        for (int i = 0; i < 10; i++)
                fake_tick(fake);
        char sentence[MIGRATE_SENTENCE_MAX];
        assert_true(migrate_event_sentence(fake->migrate, event_of(fake), sentence));
        assert_non_null(strstr(sentence, "the views hold up to position 10"));
        fake->usage.views_position = fake->usage.log_end;
        fake_give(fake, "COMM-020", MIGRATE_BEGIN, MODEL_PULL, false);
        fake_run(fake);
        assert_done(fake);
        evolve_free(fake);
}

static void a_migration_of_the_communication_holds_it(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        fake_give(fake, "COMM-020", MIGRATE_BEGIN, MODEL_PULL, false);
        fake_run(fake);
        assert_done(fake);
        order(fake, MIGRATE_BEGIN, 1, true);
        blocked(fake, "consumers", "a migration of COMM-020 is under way: let it end first");
        evolve_free(fake);
}

static void no_traffic_is_no_evidence(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        order(fake, MIGRATE_BEGIN, 1, true);
        for (int i = 0; i < 40; i++)
                pass(fake, false);
        assert_string_equal(step_of(fake), "producer");
        assert_non_null(strstr(move_of(fake)->live.sentence, "no event of version 1 has come since it is emitted"));
        evolve_free(fake);
}

static void old_rows_are_read_again(void **test) {
        (void)test;
        struct fake *fake = evolve_new();
        fake->usage.kept_old = 3;
        order(fake, MIGRATE_BEGIN, 1, true);
        until(fake, MIGRATE_ACTING, "drained");
        pass(fake, true);
        assert_true(fake->orders[GATEWAY_REFRESH] > 0);
        evolve_free(fake);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_event_moves_there_and_back),
                cmocka_unit_test(two_commands_at_once_are_refused),
                cmocka_unit_test(it_goes_on_from_every_record),
                cmocka_unit_test(the_way_back_emits_the_old_version_again),
                cmocka_unit_test(what_the_way_back_loses_is_named),
                cmocka_unit_test(an_event_that_does_not_fit_stops_it),
                cmocka_unit_test(a_mapping_that_is_missing_is_named),
                cmocka_unit_test(nothing_is_no_proof),
                cmocka_unit_test(what_stays_is_named_in_the_end),
                cmocka_unit_test(an_owner_that_gives_the_old_version_is_named),
                cmocka_unit_test(nothing_that_would_be_lost_is_let_go),
                cmocka_unit_test(what_comes_up_later_holds_it_as_well),
                cmocka_unit_test(a_migration_of_the_communication_holds_it),
                cmocka_unit_test(no_traffic_is_no_evidence),
                cmocka_unit_test(old_rows_are_read_again),
        };
        return cmocka_run_group_tests_name("evolve", tests, NULL, NULL);
}
